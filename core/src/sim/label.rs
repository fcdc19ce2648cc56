//! Messages and transactions in a few characters, for the stage and the trace.

use crate::client::line;
use crate::collections::BTreeMap;
use crate::effect::Record;
use crate::error::ZkError;
use crate::id::{Epoch, Zxid};
use crate::sim::net::Payload;
use crate::wire::client::{ReplyHeader, Request, RequestHeader, WatcherEvent, xid};
use crate::wire::op::OpCode;
use crate::wire::peer::PeerMsg;
use crate::wire::txn::{Txn, TxnBody};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

/// How a message is shown.
#[derive(Default)]
pub(crate) struct Described {
    pub kind: String,
    pub label: String,
    pub epoch: Option<Epoch>,
    pub reply: bool,
    pub heartbeat: bool,
}

/// What transactions say. To find the words is most of the work of a picture, and the logs of all servers hold the
/// same transactions in all pictures.
#[derive(Debug, Default)]
pub struct Labels {
    known: BTreeMap<Zxid, (Bytes, String)>,
}

/// Transactions remembered; with more than these, all are forgotten.
const REMEMBERED: usize = 16_384;

impl Labels {
    /// A transaction in a few characters. A zxid may stand for another one in another line of a run.
    pub(crate) fn of(&mut self, zxid: Zxid, txn: &Bytes) -> String {
        match self.known.get(&zxid) {
            Some((known, text)) if known == txn => text.clone(),
            _ => {
                let text = transaction(txn);
                if self.known.len() >= REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(zxid, (txn.clone(), text.clone()));
                text
            }
        }
    }
}

/// A transaction in a few characters: `/x=A`, `+session`, `−/x`.
pub(crate) fn transaction(txn: &Bytes) -> String {
    match Txn::decode(txn.clone()) {
        Ok(txn) => body(&txn.body),
        Err(_) => "?".into(),
    }
}

fn body(txn: &TxnBody) -> String {
    let with_data = |path: &str, data: &Option<Bytes>| match data {
        Some(data) if !data.is_empty() => format!("{path}={}", line::text(data, 12)),
        _ => path.to_string(),
    };
    match txn {
        TxnBody::Create { path, data, .. }
        | TxnBody::CreateContainer { path, data, .. }
        | TxnBody::CreateTtl { path, data, .. }
        | TxnBody::SetData { path, data, .. } => with_data(path, data),
        TxnBody::Delete { path, .. } => format!("−{path}"),
        TxnBody::SetAcl { path, .. } => format!("acl {path}"),
        TxnBody::Check { path, .. } => format!("check {path}"),
        TxnBody::CreateSession { .. } => "+session".into(),
        TxnBody::CloseSession { .. } => "−session".into(),
        TxnBody::Error { .. } => "error".into(),
        TxnBody::Multi { txns } => txns.iter().map(body).collect::<Vec<_>>().join(" "),
    }
}

/// What is written to a disk, in a few characters.
pub(crate) fn record(record: &Record) -> String {
    match record {
        Record::Txn { zxid, .. } => zxid.to_string(),
        Record::Truncate { to } => format!("TRUNC {to}"),
        Record::Install { zxid, .. } => format!("SNAP {zxid}"),
        Record::AcceptedEpoch(epoch) => format!("acceptedEpoch {epoch}"),
        Record::CurrentEpoch(epoch) => format!("currentEpoch {epoch}"),
        Record::Trusted => "whole".into(),
        Record::Membership(members) => format!("config {}", Zxid(members.last_seen().version())),
    }
}

/// A message between servers.
pub(crate) fn between_servers(payload: &Payload) -> Described {
    match payload {
        Payload::Notification(note) => Described {
            kind: "VOTE".into(),
            label: format!("{} ({})", note.vote.leader, note.vote.zxid),
            epoch: Some(note.vote.epoch),
            ..Described::default()
        },
        Payload::Packet(msg) => packet(msg),
        Payload::Syn => Described { kind: "CONNECT".into(), ..Described::default() },
        Payload::Fin => Described { kind: "CLOSE".into(), ..Described::default() },
        Payload::Frame(_) => Described::default(),
    }
}

fn packet(msg: &PeerMsg) -> Described {
    let zxid = msg.zxid();
    let shown = zxid.map(|z| z.to_string()).unwrap_or_default();
    let (label, reply, heartbeat) = match msg {
        PeerMsg::Proposal { txn, .. } | PeerMsg::Inform { txn, .. } | PeerMsg::InformAndActivate { txn, .. } => {
            (format!("{shown} {}", transaction(txn)), false, false)
        }
        PeerMsg::FollowerInfo { accepted, .. } | PeerMsg::ObserverInfo { accepted, .. } => {
            (format!("epoch {accepted}"), false, false)
        }
        PeerMsg::LeaderInfo { epoch, .. } | PeerMsg::NewLeader { epoch, .. } => {
            (format!("epoch {epoch}"), false, false)
        }
        PeerMsg::Request(forwarded) => {
            let op = OpCode::from_code(forwarded.op);
            let request = op.and_then(|op| Request::decode(op, forwarded.body.clone()).ok());
            (request.map_or_else(|| op.map_or("?", OpCode::name).into(), |r| line::label(&r)), false, false)
        }
        PeerMsg::Revalidate { session, .. } => (format!("{session}"), false, false),
        PeerMsg::Revalidated { session, valid } => {
            (format!("{session} {}", if *valid { "valid" } else { "gone" }), true, false)
        }
        PeerMsg::Ack { .. } | PeerMsg::AckEpoch { .. } | PeerMsg::Sync => (shown, true, false),
        PeerMsg::Ping { .. } => (String::new(), false, true),
        PeerMsg::Pong { .. } => (String::new(), true, true),
        _ => (shown, false, false),
    };
    let kind = if matches!(msg, PeerMsg::Pong { .. }) { "PONG" } else { msg.name() };
    Described { kind: kind.into(), label, epoch: zxid.map(Zxid::epoch).filter(|e| e.0 > 0), reply, heartbeat }
}

/// A frame from a client; its first one is the handshake.
pub(crate) fn from_client(frame: &Bytes, first: bool) -> Described {
    if first {
        return Described { kind: "CONNECT".into(), ..Described::default() };
    }
    let Ok((header, rest)) = RequestHeader::decode(frame.clone()) else { return unreadable() };
    let Some(op) = OpCode::from_code(header.op) else { return unreadable() };
    let heartbeat = op == OpCode::Ping;
    match Request::decode(op, rest) {
        Ok(request) => Described {
            kind: line::name(&request).into(),
            label: line::label(&request),
            heartbeat,
            ..Described::default()
        },
        Err(_) => unreadable(),
    }
}

/// A frame to a client; its first one is the handshake's answer. `asked` finds the request that a reply answers.
pub(crate) fn to_client(frame: &Bytes, first: bool, asked: impl FnOnce(i32) -> Option<&'static str>) -> Described {
    if first {
        return Described { kind: "CONNECTED".into(), reply: true, ..Described::default() };
    }
    let Ok((header, rest)) = ReplyHeader::decode(frame.clone()) else { return unreadable() };
    match header.xid {
        xid::EVENT => Described {
            kind: "EVENT".into(),
            label: WatcherEvent::decode(rest).map_or_else(|_| "?".into(), |e| line::event(&e)),
            ..Described::default()
        },
        xid::PING => Described { kind: "PONG".into(), reply: true, heartbeat: true, ..Described::default() },
        number => Described {
            kind: asked(number).unwrap_or("reply").into(),
            label: match (header.err, ZkError::from_code(header.err)) {
                (0, _) => header.zxid.to_string(),
                (_, Some(error)) => error.text().into(),
                (code, None) => format!("error {code}"),
            },
            reply: true,
            ..Described::default()
        },
    }
}

fn unreadable() -> Described {
    Described { kind: "?".into(), ..Described::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_remembered_for_as_long_as_a_zxid_stands_for_the_same_transaction() {
        let mut labels = Labels::default();
        let (one, other) = (Bytes::from_static(b"damaged"), Bytes::from_static(b"also damaged"));
        assert_eq!(labels.of(Zxid(1), &one), transaction(&one));
        labels.known.insert(Zxid(1), (one.clone(), "remembered".into()));
        assert_eq!(labels.of(Zxid(1), &one), "remembered");
        assert_eq!(labels.of(Zxid(1), &other), "?", "another one at the same place");
        for zxid in 0..2 * REMEMBERED as i64 {
            labels.of(Zxid(zxid), &one);
        }
        assert!(labels.known.len() <= REMEMBERED);
    }
}
