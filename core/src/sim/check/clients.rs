//! What every client may rely on: order, committed answers, watches.

use super::lasting::Lasting;
use crate::client::{ClientError, ClientEvent};
use crate::collections::BTreeMap;
use crate::error::ZkError;
use crate::id::{ServerId, SessionId, Zxid};
use crate::sim::check::{Checks, Rule};
use crate::sim::command::ClientId;
use crate::time::Instant;
use crate::wire::client::{EventKind, OpResult, Request, Response, WatchType};
use alloc::format;
use alloc::string::String;
use serde::Serialize;

/// What is remembered of a client.
#[derive(Clone, Debug, Default, Serialize)]
struct Seen {
    session: Option<SessionId>,
    /// The highest zxid of an answer.
    zxid: Zxid,
    /// The last number answered.
    answered: i32,
    /// Armed watches on data, with the change that was known when they were set (zero: the znode did not exist).
    data: BTreeMap<String, Zxid>,
    /// Armed watches on children, likewise.
    child: BTreeMap<String, Zxid>,
    /// Persistent and recursive watches.
    lasting: Lasting,
}

/// All clients.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Clients {
    seen: BTreeMap<ClientId, Seen>,
    /// Answers to writes.
    pub answered_writes: u64,
}

impl Checks {
    /// How many writes were answered without an error.
    pub fn answered_writes(&self) -> u64 {
        self.clients.answered_writes
    }

    pub(crate) fn client_error(&mut self, client: ClientId, error: &ClientError) {
        self.violate(Rule::SessionOrder, format!("client {client}: {error}"));
    }

    /// A client is told something.
    pub(crate) fn client_event(&mut self, _: Instant, client: ClientId, home: ServerId, event: &ClientEvent) {
        match event {
            ClientEvent::Connected { session, fresh, .. } => {
                if *fresh {
                    self.clients.seen.insert(client, Seen::default());
                }
                let seen = self.clients.seen.entry(client).or_default();
                seen.session = Some(*session);
                seen.lasting.connected();
            }
            ClientEvent::Answer { xid, zxid, request, outcome } => {
                self.answer(client, home, *xid, *zxid, request, outcome);
            }
            ClientEvent::Watch { event, armed, .. } => {
                // A setWatches may tell one deletion twice: for the data and for the children (client-protocol §8.5).
                if !armed && !self.watches_judged_by_model {
                    let why = format!("client {client} is told of {} without having a watch there", event.path);
                    self.violate(Rule::WatchOnce, why);
                }
                if let Some(seen) = self.clients.seen.get_mut(&client) {
                    if event.kind != EventKind::ChildrenChanged {
                        seen.data.remove(&*event.path);
                    }
                    if matches!(event.kind, EventKind::ChildrenChanged | EventKind::Deleted) {
                        seen.child.remove(&*event.path);
                    }
                    seen.lasting.told(event);
                }
            }
            ClientEvent::Over(_) => {
                self.clients.seen.remove(&client);
            }
            ClientEvent::Unanswered { .. } | ClientEvent::Auth { .. } | ClientEvent::Disconnected => {}
        }
    }

    fn answer(
        &mut self,
        client: ClientId,
        home: ServerId,
        xid: i32,
        zxid: Zxid,
        request: &Request,
        outcome: &Result<Response, ZkError>,
    ) {
        let Some(seen) = self.clients.seen.get_mut(&client) else { return };
        let (before, number) = (seen.zxid, seen.answered);
        seen.zxid = zxid.max(before);
        seen.answered = xid;
        seen.lasting.answered(zxid, request, outcome);
        if let (Request::RemoveWatches { path, kind }, Ok(_)) = (request, outcome) {
            if matches!(kind, WatchType::Any | WatchType::Data) {
                seen.data.remove(path);
            }
            if matches!(kind, WatchType::Any | WatchType::Children) {
                seen.child.remove(path);
            }
        }
        let session = seen.session;
        if zxid < before {
            let why = format!("client {client} is answered {zxid} by server {home} after it has seen {before}");
            self.violate(Rule::SessionOrder, why);
        }
        if xid <= number {
            self.violate(Rule::SessionOrder, format!("client {client}: answer {xid} comes after answer {number}"));
        }
        let writes = matches!(
            request,
            Request::Create { .. } | Request::Delete { .. } | Request::SetData { .. } | Request::Multi { .. }
        );
        if writes
            && outcome.is_ok()
            && let Some(session) = session
        {
            self.clients.answered_writes += 1;
            if let Err(why) = self.history.answers(zxid, session, xid) {
                let why = format!("client {client}'s request {xid} was answered by server {home}, but {why}");
                self.violate(Rule::AnswerIsCommitted, why);
            }
        }
        match (request, outcome) {
            // What a watch must tell, a model knows better: access lists may keep an event back.
            _ if self.watches_judged_by_model => {}
            (Request::MultiRead { ops }, Ok(Response::Multi(results))) => {
                if ops.len() != results.len() {
                    let why = format!("client {client} is answered {} of {} reads", results.len(), ops.len());
                    self.violate(Rule::SessionOrder, why);
                }
                for (op, result) in ops.iter().zip(results) {
                    if let OpResult::Data(data, stat) = result {
                        self.look_at_read(client, op, &Ok(Response::Data(data.clone(), *stat)));
                    }
                }
            }
            (request, outcome) => self.look_at_read(client, request, outcome),
        }
    }

    /// A read shows data: a watch that was armed on it must have fired if the data is new.
    fn look_at_read(&mut self, client: ClientId, request: &Request, outcome: &Result<Response, ZkError>) {
        let (path, watch, now, children) = match (request, outcome) {
            (Request::GetData { path, watch }, Ok(Response::Data(_, stat))) => (path, *watch, stat.mzxid, false),
            (Request::Exists { path, watch }, Ok(Response::Stat(stat))) => (path, *watch, stat.mzxid, false),
            (Request::Exists { path, watch }, Err(ZkError::NoNode)) => (path, *watch, Zxid::ZERO, false),
            (Request::GetChildren2 { path, watch }, Ok(Response::Children2(_, stat))) => {
                (path, *watch, stat.pzxid, true)
            }
            _ => return,
        };
        let Some(seen) = self.clients.seen.get_mut(&client) else { return };
        let armed = if children { &mut seen.child } else { &mut seen.data };
        let known = armed.get(path).copied();
        if watch {
            armed.insert(path.clone(), now);
        }
        let lasting = seen.lasting.read(path, now, children);
        if self.history.is_guarded(path) {
            return;
        }
        if let Some(known) = known
            && known != now
        {
            let why =
                format!("client {client} reads {path} as of {now}; its watch was set at {known} and has not fired");
            self.violate(Rule::WatchOnce, why);
        }
        if let Err(since) = lasting {
            let why = format!(
                "client {client} reads {path} as of {now}; its lasting watch has not told of anything there since {since}"
            );
            self.violate(Rule::WatchOnce, why);
        }
    }
}
