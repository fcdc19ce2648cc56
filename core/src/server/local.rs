//! What a server answers for itself: local sessions, which only it knows, and read-only service, while it finds no
//! leader.
//!
//! A local session is opened without a transaction and dies with its server's role (client-protocol §3,
//! quorum-protocol §10). Its writes go to the leader like all others; the leader takes them on trust. Only an ephemeral
//! needs a session that everybody knows: then the session is made global by a createSession that goes ahead of the
//! write, and from that moment the leader alone decides about it.

use super::clients::{Asked, Service, Waiting, close, refuse};
use super::read_side::ReadSide;
use crate::collections::BTreeMap;
use crate::config::LocalSessions;
use crate::effect::{Effect, Effects, LinkClose, Serving, ToLink};
use crate::error::ZkError;
use crate::id::{LinkId, ServerId, SessionId};
use crate::note::Note;
use crate::service::{Owner, SessionTracker};
use crate::time::{Instant, Now};
use crate::wire::client::{ConnectRequest, Outcome, Request, Response};
use crate::wire::notification::ServerState;
use crate::wire::op::{CreateMode, OpCode};
use crate::zab::Peer;
use alloc::collections::VecDeque;
use bytes::Bytes;
use core::time::Duration;

/// How long a server looks for a leader before it serves read-only, at least (client-protocol §16).
const PATIENCE: Duration = Duration::from_secs(2);

/// The state behind this module.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// The local sessions of this server.
    pub sessions: SessionTracker,
    /// Since when it has been looking for a leader.
    looking_since: Option<Instant>,
    /// While leading: global sessions that were closed. A late write of one must not pass for that of a local session
    /// at another server.
    closed: Closed,
    /// The state was taken over from somebody who was not established as leader, and may hold what is never committed:
    /// nobody is to see it before this server has joined a leader or leads. After a restart it is told by the promise
    /// of an epoch that was not begun; it is not told if the server was stopped between NEWLEADER and UPTODATE, so
    /// that then read-only service may still show such a state.
    pub unsettled: bool,
}

/// Sessions that were closed, and when.
#[derive(Clone, Debug, Default)]
struct Closed {
    at: BTreeMap<SessionId, Instant>,
    /// The same in the order of time; of a session that was closed again, the earlier times too.
    order: VecDeque<(Instant, SessionId)>,
}

impl Closed {
    /// Adds one, and forgets those that were closed `keep` ago or earlier.
    fn remember(&mut self, session: SessionId, now: Instant, keep: Duration) {
        while let Some((at, old)) = self.order.pop_front_if(|(at, _)| *at + keep <= now) {
            if self.at.get(&old) == Some(&at) {
                self.at.remove(&old);
            }
        }
        self.at.insert(session, now);
        self.order.push_back((now, session));
    }

    fn contains(&self, session: SessionId) -> bool {
        self.at.contains_key(&session)
    }
}

impl Local {
    pub fn new(tick: Duration) -> Local {
        Local { sessions: SessionTracker::new(tick), looking_since: None, closed: Closed::default(), unsettled: false }
    }

    /// The role has ended: nobody knows these sessions any more.
    pub fn clear(&mut self, tick: Duration) {
        *self = Local { looking_since: self.looking_since, unsettled: self.unsettled, ..Local::new(tick) };
    }
}

/// How a write of a local session is to be taken.
pub(super) enum Taken {
    /// It goes to the leader.
    Forward,
    /// The session becomes global first, with this timeout.
    Upgrade { timeout_ms: i32 },
    /// It is answered here.
    Done,
}

impl Service {
    /// The sessions that only this server knows.
    pub fn local_sessions(&self) -> &SessionTracker {
        &self.local.sessions
    }

    /// Whether it serves, but only reads.
    pub fn is_read_only(&self) -> bool {
        self.serving().is_some_and(|serving| serving.is_read_only())
    }

    fn has_local_sessions(&self) -> bool {
        self.rules().local_sessions != LocalSessions::Off
    }

    // ---- read-only service ----

    /// When it begins to serve read-only, if no leader is found before.
    pub(super) fn read_only_at(&self) -> Option<Instant> {
        let may = self.rules().read_only && self.serving().is_none() && !self.local.unsettled;
        let since = self.local.looking_since.filter(|_| may)?;
        Some(since + self.config.tick.max(PATIENCE))
    }

    /// Begins to serve read-only when it has looked for a leader for long enough, and ceases as soon as it has found
    /// one.
    pub(super) fn follow_search<R: ReadSide>(&mut self, peer: &Peer, side: &mut R, now: Now, fx: &mut Effects) {
        if !self.rules().read_only {
            return;
        }
        if peer.state() != ServerState::Looking {
            self.local.looking_since = None;
            if self.is_read_only() {
                self.cease_to_serve(side, fx);
            }
            return;
        }
        self.local.looking_since.get_or_insert(now.mono);
        if self.read_only_at().is_some_and(|at| at <= now.mono) {
            let serving = Serving { role: ServerState::Looking, epoch: peer.epoch(), leader: ServerId::NONE };
            self.begin_to_serve(serving, fx);
        }
    }

    /// A client comes while the server is read-only. True if that is all there is to do; false if it is answered as by
    /// any other server.
    pub(super) fn admit_read_only(&self, link: LinkId, request: &ConnectRequest, fx: &mut Effects) -> bool {
        let local = self.has_local_sessions();
        if request.read_only != Some(true) {
            close(fx, link, LinkClose::NotServing);
        } else if request.session.0 == 0 && !local {
            fx.push(Effect::ToLink { link, msg: ToLink::NoSession(ZkError::NotReadOnly) });
        } else if request.session.0 == 0 || self.local.sessions.is_live(request.session) {
            return false;
        } else if local {
            // Whether a session of others lives, only a leader knows.
            refuse(fx, link, request);
        } else {
            close(fx, link, LinkClose::NotServing);
        }
        true
    }

    // ---- local sessions ----

    /// Opens or takes up a local session, if it is to be one or is one.
    pub(super) fn connect_local(
        &mut self,
        now: Now,
        link: LinkId,
        request: &ConnectRequest,
        timeout_ms: i32,
        fx: &mut Effects,
    ) -> bool {
        if request.session.0 == 0 && self.has_local_sessions() {
            let session = self.ids.make();
            self.local.sessions.add(session, timeout_ms, None, now.mono);
            fx.note(|| Note::SessionOpened { session, timeout_ms });
            let request = ConnectRequest { session, ..request.clone() };
            self.take_up(link, &request, timeout_ms, fx);
            return true;
        }
        let known = self.local.sessions.touch(request.session, timeout_ms, Owner::Local, now.mono);
        if known {
            self.take_up(link, request, timeout_ms, fx);
        }
        known
    }

    /// What is to be done with a write that came over a connection of this server. Reads the request only if its
    /// session is local.
    pub(super) fn take_write(
        &mut self,
        link: LinkId,
        session: SessionId,
        (xid, op, body): (i32, OpCode, &Bytes),
        fx: &mut Effects,
    ) -> Taken {
        let is_local = self.local.sessions.is_live(session);
        if is_local && op == OpCode::CloseSession {
            self.local.sessions.set_closing(session);
            self.wait(session, Waiting::ends_here(link, xid), fx);
            return Taken::Done;
        }
        if self.is_read_only() {
            self.wait(session, Waiting::here(link, xid, Err(ZkError::NotReadOnly)), fx);
            return Taken::Done;
        }
        if !is_local || !asks_for_ephemeral(op, body) {
            return Taken::Forward;
        }
        match self.rules().local_sessions {
            LocalSessions::Upgrading => {
                let timeout_ms = self.local.sessions.timeout_ms(session).unwrap_or(self.config.min_session_ms);
                // Global from here on, also for a closeSession right behind it (known-faults, ZOOKEEPER-3471).
                self.local.sessions.remove(session);
                Taken::Upgrade { timeout_ms }
            }
            // In a multi it is that operation's result, which the leader finds (client-protocol §6).
            _ if op == OpCode::Multi => Taken::Forward,
            _ => {
                self.wait(session, Waiting::here(link, xid, Err(ZkError::EphemeralOnLocalSession)), fx);
                Taken::Done
            }
        }
    }

    /// Ends the local sessions that were silent for too long.
    pub(super) fn expire_local(&mut self, now: Now, fx: &mut Effects) {
        for session in self.local.sessions.expired(now.mono) {
            fx.note(|| Note::SessionExpired { session });
            self.end_local(session, true, fx);
        }
    }

    /// A local session is over.
    pub(super) fn end_local(&mut self, session: SessionId, cut: bool, fx: &mut Effects) {
        fx.note(|| Note::SessionClosed { session });
        self.local.sessions.remove(session);
        self.waiting.remove(&session);
        self.granted.remove(&session);
        if let Some(link) = self.links.remove(&session) {
            self.sessions.remove(&link);
            if cut {
                close(fx, link, LinkClose::SessionEnded(session));
            }
        }
    }

    /// Leader: whether a session that it does not know may be a local one of the server that the write comes from.
    /// Which ones another server has it can't check, as in Apache's server; those it has seen closed are none.
    pub(super) fn may_be_local(&self, session: SessionId, from: Owner) -> bool {
        let Some(lead) = self.lead.as_ref().filter(|_| self.has_local_sessions()) else { return false };
        if lead.tracker.timeout_ms(session).is_some() || self.local.closed.contains(session) {
            return false;
        }
        match from {
            Owner::Local => self.local.sessions.is_live(session),
            Owner::Conn(_) => !self.ids.are_of(session),
        }
    }

    /// Leader: a global session was closed. It is remembered for as long as something of it may still be on its way
    /// from a server that has not heard of it yet: beyond that time the leader would have given the server up.
    pub(super) fn remember_closed(&mut self, session: SessionId, now: Now) {
        if self.has_local_sessions() && self.lead.is_some() {
            let while_under_way = self.config.sync_time() * 2;
            self.local.closed.remember(session, now.mono, while_under_way);
        }
    }

    /// A request takes its place among the unanswered ones of its session; what can be answered is.
    pub(super) fn wait(&mut self, session: SessionId, waiting: Waiting, fx: &mut Effects) {
        self.waiting.entry(session).or_default().push_back(waiting);
        self.answer_here(session, fx);
    }

    /// What a sync waits for is applied: it is answered in its turn. What goes with it in the queue may be answered
    /// here, and a link takes answers only in the order of the requests.
    pub(super) fn synced(&mut self, asked: Asked, fx: &mut Effects) {
        let Asked { session, link, xid, path } = asked;
        let queue = self.waiting.get_mut(&session);
        let place = queue.and_then(|queue| queue.iter_mut().find(|w| w.is_open_sync(link, xid)));
        // Without its place its session has ended, and with it the connection.
        if let Some(waiting) = place {
            waiting.here = Some(Ok(Response::Path(path)));
            self.answer_here(session, fx);
        }
    }

    /// Answers the oldest requests of a session that wait for nothing any more.
    pub(super) fn answer_here(&mut self, session: SessionId, fx: &mut Effects) {
        while let Some(queue) = self.waiting.get_mut(&session) {
            let Some((link, xid, outcome, ends)) = queue.front().and_then(Waiting::ready) else {
                if queue.is_empty() {
                    self.waiting.remove(&session);
                }
                return;
            };
            queue.pop_front();
            fx.push(Effect::ToLink { link, msg: ToLink::Reply { xid, zxid: self.applied, outcome } });
            if ends {
                self.end_local(session, false, fx);
            }
        }
    }
}

impl Waiting {
    /// A request whose answer is known, but has to wait its turn.
    fn here(link: LinkId, xid: i32, outcome: Outcome) -> Waiting {
        Waiting { link, xid, closes: false, sync: false, here: Some(outcome) }
    }

    /// The closeSession of a local session.
    fn ends_here(link: LinkId, xid: i32) -> Waiting {
        Waiting { link, xid, closes: true, sync: false, here: Some(Ok(Response::Empty)) }
    }

    fn is_open_sync(&self, link: LinkId, xid: i32) -> bool {
        self.sync && self.here.is_none() && (self.link, self.xid) == (link, xid)
    }

    /// Link, number, answer and whether the session ends by it, if it waits for nothing else.
    fn ready(&self) -> Option<(LinkId, i32, Outcome, bool)> {
        self.here.clone().map(|outcome| (self.link, self.xid, outcome, self.closes))
    }
}

/// Whether a write creates an ephemeral: a create, a create2, or a multi with one (client-protocol §6). What can't be
/// read does not, and is refused further on.
fn asks_for_ephemeral(op: OpCode, body: &Bytes) -> bool {
    let creates = |request: &Request| match request {
        Request::Create { op: OpCode::Create | OpCode::Create2, flags, .. } => {
            CreateMode::from_flags(*flags).is_some_and(CreateMode::is_ephemeral)
        }
        _ => false,
    };
    if !matches!(op, OpCode::Create | OpCode::Create2 | OpCode::Multi) {
        return false;
    }
    match Request::decode(op, body.clone()) {
        Ok(Request::Multi { ops }) => ops.iter().any(creates),
        Ok(request) => creates(&request),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn closed_sessions_are_remembered_for_their_time() {
        let mut closed = Closed::default();
        let keep = Duration::from_secs(10);
        for (second, session, kept) in [
            (0, 1, &[1][..]),
            (1, 2, &[1, 2]),
            (9, 1, &[1, 2]),
            (10, 3, &[1, 2, 3]),
            (11, 4, &[1, 3, 4]),
            (30, 5, &[5]),
        ] {
            closed.remember(SessionId(session), Instant::ZERO + Duration::from_secs(second), keep);
            let known: Vec<_> = (1..=5).filter(|id| closed.contains(SessionId(*id))).collect();
            assert_eq!(known, kept, "at {second} s");
            assert!(closed.order.len() <= kept.len() + 1, "what is due is gone");
        }
    }
}
