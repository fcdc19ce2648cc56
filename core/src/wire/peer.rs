//! The packets of the quorum port, one to one with Apache's (`QuorumPacket`), as types.

use crate::id::{Epoch, ServerId, SessionId, Zxid};
use crate::wire::record::Id;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a learner says of itself in FOLLOWERINFO and OBSERVERINFO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnerInfo {
    /// Its id.
    pub server: ServerId,
    /// The protocol it speaks; 0x10000 is the only one written.
    pub protocol: i32,
    /// The version of its committed configuration; must not exceed the leader's.
    pub config_version: i64,
}

/// The protocol version of [`LearnerInfo`] and LEADERINFO.
pub const PROTOCOL_VERSION: i32 = 0x10000;

/// A write (or sync) that a learner sends on for one of its clients: the body of REQUEST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// The client's session.
    pub session: SessionId,
    /// The client's own number of the request (`xid`).
    pub cxid: i32,
    /// The opcode, a raw number of [`crate::wire::op::OpCode`].
    pub op: i32,
    /// The request record, as the client sent it.
    pub body: Bytes,
    /// Who the client has shown to be (`ip` first); none for createSession.
    pub auth: Vec<Id>,
}

/// One packet on the quorum port. `Zxid` fields are the packet's own zxid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMsg {
    /// 11, follower to leader: zxid is `accepted << 32`.
    FollowerInfo { accepted: Epoch, info: LearnerInfo },
    /// 16, observer to leader.
    ObserverInfo { accepted: Epoch, info: LearnerInfo },
    /// 17, leader to learner: the epoch it proposes.
    LeaderInfo { epoch: Epoch, protocol: i32 },
    /// 18, learner to leader: its last logged zxid and its current epoch; `None` (-1 on the wire) when it had
    /// promised this epoch before.
    AckEpoch { last: Zxid, current: Option<Epoch> },
    /// 13, leader to learner: only proposals follow, up to `target`.
    Diff { target: Zxid },
    /// 14, leader to learner: cut the log behind `to` first.
    Trunc { to: Zxid },
    /// 15, leader to learner: the whole state at `zxid`; `body` is parts 2 to 5 of the snapshot format
    /// (the codec adds and removes the closing `BenWasHere`).
    Snap { zxid: Zxid, body: Bytes },
    /// 10, leader to learner: the history of `epoch` is complete; `config` is the configuration's text.
    NewLeader { epoch: Epoch, config: String },
    /// 12, leader to learner: serve.
    UpToDate,
    /// 2, leader to follower: a transaction as it stands in the log.
    Proposal { zxid: Zxid, txn: Bytes },
    /// 3, learner to leader: everything up to `zxid` is durable here. Counter 0 acknowledges NEWLEADER.
    Ack { zxid: Zxid },
    /// 4, leader to follower.
    Commit { zxid: Zxid },
    /// 8, leader to observer: a committed transaction.
    Inform { zxid: Zxid, txn: Bytes },
    /// 5, leader to learner: the zxid it proposed last.
    Ping { zxid: Zxid },
    /// 5, learner to leader: the sessions heard since the last ping, with their timeouts in milliseconds.
    Pong { zxid: Zxid, touched: Vec<(SessionId, i32)> },
    /// 1, learner to leader.
    Request(Forwarded),
    /// 6, learner to leader: is this session alive, and now mine?
    Revalidate { session: SessionId, timeout_ms: i32 },
    /// 6, leader to learner.
    Revalidated { session: SessionId, valid: bool },
    /// 7, leader to learner: the answer to a forwarded sync.
    Sync,
    /// Any other type: both sides ignore it.
    Unknown { kind: i32, zxid: Zxid },
}

impl PeerMsg {
    /// The short name used in traces and on the stage.
    pub fn name(&self) -> &'static str {
        match self {
            PeerMsg::FollowerInfo { .. } => "FOLLOWERINFO",
            PeerMsg::ObserverInfo { .. } => "OBSERVERINFO",
            PeerMsg::LeaderInfo { .. } => "LEADERINFO",
            PeerMsg::AckEpoch { .. } => "ACKEPOCH",
            PeerMsg::Diff { .. } => "DIFF",
            PeerMsg::Trunc { .. } => "TRUNC",
            PeerMsg::Snap { .. } => "SNAP",
            PeerMsg::NewLeader { .. } => "NEWLEADER",
            PeerMsg::UpToDate => "UPTODATE",
            PeerMsg::Proposal { .. } => "PROPOSAL",
            PeerMsg::Ack { .. } => "ACK",
            PeerMsg::Commit { .. } => "COMMIT",
            PeerMsg::Inform { .. } => "INFORM",
            PeerMsg::Ping { .. } => "PING",
            PeerMsg::Pong { .. } => "PONG",
            PeerMsg::Request(_) => "REQUEST",
            PeerMsg::Revalidate { .. } | PeerMsg::Revalidated { .. } => "REVALIDATE",
            PeerMsg::Sync => "SYNC",
            PeerMsg::Unknown { .. } => "UNKNOWN",
        }
    }

    /// The zxid worth showing beside the name, where there is one.
    pub fn zxid(&self) -> Option<Zxid> {
        match self {
            PeerMsg::FollowerInfo { accepted, .. } | PeerMsg::ObserverInfo { accepted, .. } => Some(accepted.start()),
            PeerMsg::LeaderInfo { epoch, .. } | PeerMsg::NewLeader { epoch, .. } => Some(epoch.start()),
            PeerMsg::AckEpoch { last, .. } => Some(*last),
            PeerMsg::Diff { target } => Some(*target),
            PeerMsg::Trunc { to } => Some(*to),
            PeerMsg::Snap { zxid, .. }
            | PeerMsg::Proposal { zxid, .. }
            | PeerMsg::Ack { zxid }
            | PeerMsg::Commit { zxid }
            | PeerMsg::Inform { zxid, .. } => Some(*zxid),
            PeerMsg::UpToDate
            | PeerMsg::Ping { .. }
            | PeerMsg::Pong { .. }
            | PeerMsg::Request(_)
            | PeerMsg::Revalidate { .. }
            | PeerMsg::Revalidated { .. }
            | PeerMsg::Sync
            | PeerMsg::Unknown { .. } => None,
        }
    }
}
