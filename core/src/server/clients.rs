//! The serving part of a server: what clients ask on the way in, what was committed on the way out.
//!
//! A write takes the same way wherever it comes in: the leader prepares it into a transaction and proposes it, a
//! learner sends it to the leader; the server it came in at answers when it applies the transaction that carries the
//! session and the client's number of it.

use super::foretold::Foretold;
use super::local::{Local, Taken};
use super::read_side::ReadSide;
use super::trigger::SnapshotTrigger;
use crate::collections::BTreeMap;
use crate::config::{AccessRules, Config, Ensemble, ServiceRules};
use crate::effect::{Effect, Effects, HaltReason, LinkClose, Serving, ToLink};
use crate::error::ZkError;
use crate::id::{ConnId, LinkId, ServerId, SessionId, Zxid};
use crate::input::Submission;
use crate::note::Note;
use crate::rng::Rng;
use crate::server::host::HostView;
use crate::service::{
    ContainerScan, OverQuota, Owner, Prep, PrepRequest, SessionIds, SessionTracker, eager, negotiate, password,
};
use crate::status::Deadline;
use crate::time::{Instant, Now};
use crate::tree::{Tree, path};
use crate::wire::client::{ConnectRequest, ConnectResponse, Outcome, Request, Response};
use crate::wire::notification::ServerState;
use crate::wire::op::OpCode;
use crate::wire::peer::{Forwarded, PeerMsg};
use crate::wire::record::Id;
use crate::wire::txn::{Txn, TxnBody, TxnHeader};
use crate::zab::{Peer, PeerEvent};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::time::Duration;

/// How long nothing is said of the same quota again.
const QUOTA_TOLD_EVERY: Duration = Duration::from_secs(60);

/// A client's write or sync that waits for its transaction or its SYNC, or for those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub link: LinkId,
    pub xid: i32,
    /// It is a closeSession.
    pub closes: bool,
    /// It is a sync: no transaction answers it.
    pub sync: bool,
    /// Its answer, if it waits only for those before it.
    pub here: Option<Outcome>,
}

/// A sync of one of our own clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub session: SessionId,
    pub link: LinkId,
    pub xid: i32,
    pub path: String,
}

/// Who asked for a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SyncFor {
    /// One of our own clients.
    Own(Asked),
    /// A learner, for one of its clients.
    Learner(ConnId),
}

/// What only a leader keeps, as long as it leads.
#[derive(Clone, Debug)]
pub(super) struct Lead {
    prep: Prep,
    pub tracker: SessionTracker,
    containers: ContainerScan,
    /// When each quota's excess was last told of.
    quota_told: BTreeMap<String, Instant>,
    /// Syncs with the proposal they wait for, in order.
    syncs: VecDeque<(Zxid, SyncFor)>,
}

impl Lead {
    /// Tells of a quota that was exceeded, unless that was told not long ago.
    fn tell_of_quota(&mut self, now: Now, fx: &mut Effects) {
        let Some(OverQuota { path, excess, refused }) = self.prep.take_over_quota() else { return };
        let due = |told: &Instant| *told + QUOTA_TOLD_EVERY <= now.mono;
        if self.quota_told.get(&path).is_none_or(due) {
            self.quota_told.retain(|_, told| !due(told));
            self.quota_told.insert(path.clone(), now.mono);
            fx.note(|| Note::QuotaExceeded { path, excess, refused });
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) config: Config,
    rng: Rng,
    pub(super) ids: SessionIds,
    serving: Option<Serving>,
    pub(super) lead: Option<Lead>,
    pub(super) local: Local,
    /// The session of each connected link, and the other way round: the connection that owns a session here.
    pub(super) sessions: BTreeMap<LinkId, SessionId>,
    pub(super) links: BTreeMap<SessionId, LinkId>,
    /// What the last connection here of each session was granted. Stays when that one ends: what was heard over it may
    /// still have to be told.
    pub(super) granted: BTreeMap<SessionId, i32>,
    /// New sessions whose transaction is under way.
    opening: BTreeMap<SessionId, (LinkId, ConnectRequest)>,
    /// Sessions taken up again here, about which the leader is asked.
    renewing: BTreeMap<SessionId, VecDeque<(Option<LinkId>, ConnectRequest, i32)>>,
    /// Writes and syncs by session, in the order they came.
    pub(super) waiting: BTreeMap<SessionId, VecDeque<Waiting>>,
    /// Syncs that the leader is asked about, in order.
    asked_syncs: VecDeque<Asked>,
    pub(super) applied: Zxid,
    trigger: SnapshotTrigger,
    compacting: bool,
    fault: Option<HaltReason>,
    /// Digests foretold up to here say nothing: the log may be replayed over a snapshot taken while the tree changed.
    /// `None` while it is not known how far that goes: a server that joins has it all by UPTODATE.
    fuzzy_upto: Option<Zxid>,
    pub(super) foretold: Foretold,
}

impl Service {
    pub(super) fn new(config: &Config, seed: u64, now: Now) -> Service {
        let mut rng = Rng::new(seed).fork(config.id.0 as u64);
        let trigger = SnapshotTrigger::new(config, &mut rng);
        Service {
            rng,
            ids: SessionIds::new(config.id, now.wall_ms),
            local: Local::new(config.tick),
            config: config.clone(),
            serving: None,
            lead: None,
            sessions: BTreeMap::new(),
            links: BTreeMap::new(),
            granted: BTreeMap::new(),
            opening: BTreeMap::new(),
            renewing: BTreeMap::new(),
            waiting: BTreeMap::new(),
            asked_syncs: VecDeque::new(),
            applied: Zxid::ZERO,
            trigger,
            compacting: false,
            fault: None,
            fuzzy_upto: None,
            foretold: Foretold::default(),
        }
    }

    /// As what it serves, if it does.
    pub fn serving(&self) -> Option<Serving> {
        self.serving
    }

    /// Sessions connected here, with their links.
    pub fn connected(&self) -> impl Iterator<Item = (SessionId, LinkId)> + '_ {
        self.links.iter().map(|(s, l)| (*s, *l))
    }

    /// While leading: who is alive and until when.
    pub fn tracker(&self) -> Option<&SessionTracker> {
        self.lead.as_ref().map(|lead| &lead.tracker)
    }

    /// While leading: syncs that wait for a proposal to be applied.
    pub fn pending_syncs(&self) -> usize {
        self.lead.as_ref().map_or(0, |lead| lead.syncs.len())
    }

    /// While leading: when a session expires if nothing is heard of it.
    pub fn expires(&self, session: SessionId) -> Option<Instant> {
        self.lead.as_ref().and_then(|lead| lead.tracker.expires(session))
    }

    /// The committed configuration.
    pub(super) fn members_changed(&mut self, members: &Ensemble) {
        self.config.ensemble = members.clone();
    }

    /// Shows the committed configuration in a tree that does not show it or a later one yet. (A change of members shows
    /// itself, by its transaction.)
    pub(super) fn show_members(&self, tree: &mut Tree, wall_ms: i64) {
        let members = &self.config.ensemble;
        let shown = tree.get(path::CONFIG).map_or(Zxid::ZERO, |node| node.stat().mzxid);
        let changes = self.config.reconfig.is_enabled();
        if !changes || shown == Zxid::ZERO || shown.0 < members.version() {
            tree.install_config(members.text().into(), members.version(), wall_ms);
        }
    }

    pub(super) fn access(&self) -> Arc<AccessRules> {
        self.config.access.clone()
    }

    pub(super) fn replaced(&mut self, applied: Zxid) {
        self.applied = applied;
        self.fuzzy_upto = None;
        self.foretold = Foretold::default();
    }

    pub(super) fn trusts_digest_of(&self, zxid: Zxid) -> bool {
        self.fuzzy_upto.is_some_and(|upto| zxid > upto)
    }

    pub(super) fn fail(&mut self, why: HaltReason) {
        self.fault.get_or_insert(why);
    }

    pub(super) fn take_fault(&mut self) -> Option<HaltReason> {
        self.fault.take()
    }

    pub(super) fn next_deadline(&self) -> Option<(Instant, Deadline)> {
        let lead = self.lead.as_ref();
        [
            lead.and_then(|lead| lead.tracker.next_deadline()).map(|at| (at, Deadline::Session)),
            self.local.sessions.next_deadline().map(|at| (at, Deadline::Session)),
            lead.map(|lead| (lead.containers.next_deadline(), Deadline::Containers)),
            self.read_only_at().map(|at| (at, Deadline::ReadOnly)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    pub(super) fn rules(&self) -> &ServiceRules {
        &self.config.service
    }

    // ---- on the way in ----

    pub(super) fn on_submission<R: ReadSide>(
        &mut self,
        peer: &mut Peer,
        side: &mut R,
        now: Now,
        link: LinkId,
        request: Submission,
        fx: &mut Effects,
    ) {
        if let Submission::Gone = request {
            self.forget_link(link);
            side.apply(|state, _| state.watches.remove_link(link));
            return;
        }
        if self.serving.is_none() {
            close(fx, link, LinkClose::NotServing);
            return;
        }
        match request {
            Submission::Connect(request) => self.on_connect(peer, side, now, link, request, fx),
            Submission::Write { session, xid, op, body, auth } => {
                if self.links.get(&session) != Some(&link) {
                    close(fx, link, LinkClose::SessionMoved);
                    return;
                }
                // Only where nothing waits before it: answers leave in order, and an own write may change the list.
                if self.config.access.eager
                    && !self.waiting.contains_key(&session)
                    && let Some(refusal) = side.read(|state| eager::refusal(&state.tree, &auth, op, &body))
                {
                    let outcome = Err(refusal);
                    fx.push(Effect::ToLink { link, msg: ToLink::Reply { xid, zxid: self.applied, outcome } });
                    return;
                }
                match self.take_write(link, session, (xid, op, &body), fx) {
                    Taken::Done => return,
                    Taken::Upgrade { timeout_ms } => self.create_session(peer, side, now, session, timeout_ms, fx),
                    Taken::Forward => {}
                }
                let waiting = Waiting { link, xid, closes: op == OpCode::CloseSession, sync: false, here: None };
                self.waiting.entry(session).or_default().push_back(waiting);
                let request = Forwarded { session, cxid: xid, op: op.code(), body, auth };
                if self.lead.is_some() {
                    self.propose(peer, side, now, Owner::Local, request, fx);
                } else {
                    peer.send_to_leader(fx, PeerMsg::Request(request));
                }
            }
            Submission::Sync { xid, .. } if self.is_read_only() => {
                let outcome = Err(ZkError::NotReadOnly);
                fx.push(Effect::ToLink { link, msg: ToLink::Reply { xid, zxid: self.applied, outcome } });
            }
            Submission::Sync { session, xid, path } => {
                let waiting = Waiting { link, xid, closes: false, sync: true, here: None };
                self.waiting.entry(session).or_default().push_back(waiting);
                if let Some(lead) = &mut self.lead {
                    let point = peer.sync_point().unwrap_or(Zxid::ZERO);
                    lead.syncs.push_back((point, SyncFor::Own(Asked { session, link, xid, path })));
                } else {
                    let mut body = BytesMut::new();
                    Request::Sync { path: path.clone() }.encode(&mut body);
                    let body = body.freeze();
                    let request = Forwarded { session, cxid: xid, op: OpCode::Sync.code(), body, auth: Vec::new() };
                    self.asked_syncs.push_back(Asked { session, link, xid, path });
                    peer.send_to_leader(fx, PeerMsg::Request(request));
                }
            }
            Submission::Gone => {}
        }
    }

    fn on_connect<R: ReadSide>(
        &mut self,
        peer: &mut Peer,
        side: &mut R,
        now: Now,
        link: LinkId,
        request: ConnectRequest,
        fx: &mut Effects,
    ) {
        if self.is_read_only() && self.admit_read_only(link, &request, fx) {
            return;
        }
        if request.last_zxid_seen > side.read(|s| s.tree.applied()) {
            // This client has seen a later state than this server has: showing it ours would turn its time back.
            close(fx, link, LinkClose::ClientIsAhead(request.last_zxid_seen));
            return;
        }
        let timeout_ms = negotiate(request.timeout_ms, self.config.min_session_ms, self.config.max_session_ms);
        if request.session.0 == 0 {
            if !self.connect_local(now, link, &request, timeout_ms, fx) {
                let session = self.ids.make();
                self.opening.insert(session, (link, request));
                self.create_session(peer, side, now, session, timeout_ms, fx);
            }
            return;
        }
        // The password first: a wrong one must not disturb the rightful connection.
        if request.passwd[..] != password(request.session)[..] {
            refuse(fx, link, &request);
            return;
        }
        if self.connect_local(now, link, &request, timeout_ms, fx) {
            return;
        }
        let session = request.session;
        if let Some(lead) = &mut self.lead {
            if lead.tracker.take_up(session, timeout_ms, Owner::Local, now.mono) {
                self.take_up(link, &request, timeout_ms, fx);
            } else {
                refuse(fx, link, &request);
            }
        } else {
            // Its former connection here ends now, not when the leader has answered: what that one still sends would
            // reach the leader behind the REVALIDATE, as if it came from the new one.
            if let Some(old) = self.links.remove(&session) {
                self.sessions.remove(&old);
                close(fx, old, LinkClose::SessionMoved);
            }
            self.renewing.entry(session).or_default().push_back((Some(link), request, timeout_ms));
            self.granted.insert(session, timeout_ms);
            peer.retime(session, timeout_ms);
            peer.send_to_leader(fx, PeerMsg::Revalidate { session, timeout_ms });
        }
    }

    /// Asks for a session that all servers know.
    fn create_session<R: ReadSide>(
        &mut self,
        peer: &mut Peer,
        side: &mut R,
        now: Now,
        session: SessionId,
        timeout_ms: i32,
        fx: &mut Effects,
    ) {
        let mut body = BytesMut::new();
        body.put_i32(timeout_ms);
        let op = OpCode::CreateSession.code();
        let forwarded = Forwarded { session, cxid: 0, op, body: body.freeze(), auth: Vec::new() };
        if self.lead.is_some() {
            self.propose(peer, side, now, Owner::Local, forwarded, fx);
        } else {
            peer.send_to_leader(fx, PeerMsg::Request(forwarded));
        }
    }

    /// A session is this link's from now on; an older connection of it ends.
    pub(super) fn take_up(&mut self, link: LinkId, request: &ConnectRequest, timeout_ms: i32, fx: &mut Effects) {
        let session = request.session;
        if let Some(old) = self.links.insert(session, link).filter(|old| *old != link) {
            self.sessions.remove(&old);
            close(fx, old, LinkClose::SessionMoved);
        }
        self.sessions.insert(link, session);
        self.granted.insert(session, timeout_ms);
        let passwd = Bytes::copy_from_slice(&password(session));
        let read_only = request.read_only.map(|_| self.is_read_only());
        let response = ConnectResponse { timeout_ms, session, passwd, read_only };
        fx.push(Effect::ToLink { link, msg: ToLink::Connected(response) });
    }

    fn forget_link(&mut self, link: LinkId) {
        if let Some(session) = self.sessions.remove(&link)
            && self.links.get(&session) == Some(&link)
        {
            self.links.remove(&session);
        }
        self.opening.retain(|_, (l, _)| *l != link);
        for (asked, _, _) in self.renewing.values_mut().flatten() {
            if *asked == Some(link) {
                *asked = None;
            }
        }
        // Whatever else it waits for keeps its place, since answers come in order; nobody is told.
    }

    /// Leader: makes a transaction of a request and proposes it. Every request takes a zxid, a refused one too.
    fn propose<R: ReadSide>(
        &mut self,
        peer: &mut Peer,
        side: &mut R,
        now: Now,
        from: Owner,
        request: Forwarded,
        fx: &mut Effects,
    ) {
        let (session, cxid) = (request.session, request.cxid);
        let local = self.may_be_local(session, from);
        let Some(lead) = &mut self.lead else { return };
        let op = OpCode::from_code(request.op);
        let owned = match lead.tracker.check_owner(session, from) {
            Err(ZkError::SessionExpired) if local => Ok(()),
            // Of a session that is over, a multi tells member by member, as of whatever else fails in it.
            Err(ZkError::SessionExpired) if op == Some(OpCode::Multi) => Ok(()),
            // Whoever has a connection of the session may end it, also an older one, as in Apache's server
            // (client-protocol §3.6).
            Err(ZkError::SessionMoved) if op == Some(OpCode::CloseSession) => Ok(()),
            owned => owned,
        };
        let wanted = match (op, owned) {
            (Some(OpCode::CreateSession), _) => match request.body.first_chunk::<4>() {
                Some(timeout) => {
                    let timeout_ms = i32::from_be_bytes(*timeout);
                    // Known from now on: the first write of a session that has become global is right behind this.
                    lead.tracker.add(session, timeout_ms, Some(from), now.mono);
                    PrepRequest::CreateSession { timeout_ms }
                }
                None => PrepRequest::Refused(ZkError::MarshallingError),
            },
            (_, Err(refusal)) => PrepRequest::Refused(refusal),
            (Some(OpCode::CloseSession), Ok(())) if local => PrepRequest::Refused(ZkError::SessionExpired),
            (Some(OpCode::CloseSession), Ok(())) => {
                lead.tracker.set_closing(session);
                PrepRequest::CloseSession
            }
            (Some(op), Ok(())) => match Request::decode(op, request.body) {
                Ok(request @ Request::Reconfig { .. }) => {
                    PrepRequest::Reconfig { members: peer.plan_reconfig(&request).map(Box::new), local }
                }
                Ok(request) if local => PrepRequest::LocalClient(request),
                Ok(request) => PrepRequest::Client(request),
                Err(_) => PrepRequest::Refused(ZkError::MarshallingError),
            },
            (None, Ok(())) => PrepRequest::Refused(ZkError::Unimplemented),
        };
        self.propose_prepared(peer, side, now, session, cxid, &request.auth, wanted, fx);
    }

    #[expect(clippy::too_many_arguments, reason = "a request's parts and a step's")]
    fn propose_prepared<R: ReadSide>(
        &mut self,
        peer: &mut Peer,
        side: &mut R,
        now: Now,
        session: SessionId,
        cxid: i32,
        auth: &[Id],
        wanted: PrepRequest,
        fx: &mut Effects,
    ) {
        let zxid = peer.next_zxid(now, fx, &mut HostView { service: self, side, now });
        let (Some(zxid), Some(lead)) = (zxid, &mut self.lead) else { return };
        let header = TxnHeader { session, cxid, zxid, time_ms: now.wall_ms };
        let txn = side.read(|state| lead.prep.prepare(&state.tree, header, auth, wanted));
        lead.tell_of_quota(now, fx);
        peer.propose(now, fx, &mut HostView { service: self, side, now }, zxid, txn.encode());
    }

    pub(super) fn on_touched<R: ReadSide>(&mut self, peer: &mut Peer, side: &R, now: Now, sessions: &[SessionId]) {
        side.read(|state| {
            for session in sessions {
                let opened_with = || state.tree.session_timeout(*session);
                let Some(timeout_ms) = self.granted.get(session).copied().or_else(opened_with) else { continue };
                if self.local.sessions.touch(*session, timeout_ms, Owner::Local, now.mono) {
                    continue;
                }
                match &mut self.lead {
                    Some(lead) => {
                        lead.tracker.touch(*session, timeout_ms, Owner::Local, now.mono);
                    }
                    None => peer.touch(*session, timeout_ms),
                }
            }
        });
    }

    pub(super) fn on_tick<R: ReadSide>(&mut self, peer: &mut Peer, side: &mut R, now: Now, fx: &mut Effects) {
        self.expire_local(now, fx);
        let Some(lead) = &mut self.lead else { return };
        for session in lead.tracker.expired(now.mono) {
            fx.note(|| Note::SessionExpired { session });
            self.propose_prepared(peer, side, now, session, 0, &[], PrepRequest::CloseSession, fx);
        }
        let Some(lead) = &mut self.lead else { return };
        if let Some(path) = side.read(|state| lead.containers.next_due(&state.tree, &lead.prep, now)) {
            fx.note(|| Note::ContainerRemoved { path: (*path).into() });
            let wanted = PrepRequest::DeleteContainer { path: (*path).into() };
            self.propose_prepared(peer, side, now, SessionId(0), 0, &[], wanted, fx);
        }
    }

    // ---- what consensus came to ----

    pub(super) fn on_event<R: ReadSide>(
        &mut self,
        peer: &mut Peer,
        side: &mut R,
        now: Now,
        event: PeerEvent,
        fx: &mut Effects,
    ) {
        if matches!(event, PeerEvent::Established | PeerEvent::Joined) {
            self.fuzzy_upto.get_or_insert(peer.ground().history.last());
            self.local.unsettled = false;
        }
        match event {
            PeerEvent::Established => self.begin_to_lead(peer, side, now, fx),
            PeerEvent::Joined => {
                let leader = peer.leader().unwrap_or(ServerId::NONE);
                self.begin_to_serve(Serving { role: peer.state(), epoch: peer.epoch(), leader }, fx);
            }
            PeerEvent::Stopped => self.cease_to_serve(side, fx),
            PeerEvent::Request { conn, request } => {
                if self.lead.is_none() {
                    return;
                }
                if request.op == OpCode::Sync.code() {
                    let point = peer.sync_point().unwrap_or(Zxid::ZERO);
                    if let Some(lead) = &mut self.lead {
                        lead.syncs.push_back((point, SyncFor::Learner(conn)));
                    }
                } else {
                    self.propose(peer, side, now, Owner::Conn(conn), request, fx);
                }
            }
            PeerEvent::Revalidate { conn, session, timeout_ms } => {
                let Some(lead) = &mut self.lead else { return };
                let valid = lead.tracker.take_up(session, timeout_ms, Owner::Conn(conn), now.mono);
                if valid {
                    // A connection of it here is an old one: its client has moved.
                    if let Some(old) = self.links.remove(&session) {
                        self.sessions.remove(&old);
                        close(fx, old, LinkClose::SessionMoved);
                    }
                }
                peer.send_to_learner(fx, conn, PeerMsg::Revalidated { session, valid });
            }
            PeerEvent::Revalidated { session, valid } => self.on_revalidated(session, valid, fx),
            PeerEvent::Synced => {
                if let Some(asked) = self.asked_syncs.pop_front() {
                    self.synced(asked, fx);
                }
            }
            PeerEvent::Touched { conn, sessions } => {
                if let Some(lead) = &mut self.lead {
                    for (session, timeout_ms) in sessions {
                        lead.tracker.touch(session, timeout_ms, Owner::Conn(conn), now.mono);
                    }
                }
            }
            PeerEvent::LearnerGone { conn } => {
                if let Some(lead) = &mut self.lead {
                    lead.syncs.retain(|(_, by)| *by != SyncFor::Learner(conn));
                }
            }
        }
    }

    fn begin_to_lead<R: ReadSide>(&mut self, peer: &mut Peer, side: &mut R, now: Now, fx: &mut Effects) {
        // Every session gets a full timeout: how long it was silent before, nobody knows.
        let (tracker, orphans): (_, Vec<_>) = side.read(|state| {
            let sessions = state.tree.sessions().iter().map(|(session, timeout_ms)| (*session, *timeout_ms));
            let tracker = SessionTracker::start(self.config.tick, now.mono, sessions);
            (tracker, state.tree.orphaned_sessions().collect())
        });
        let rules = &self.config.service;
        self.lead = Some(Lead {
            prep: Prep::new(rules.owner_kinds.has_ttl()).enforce_quota(rules.enforce_quota).max_txn(rules.max_txn),
            tracker,
            containers: ContainerScan::new(rules.containers, now.mono),
            quota_told: BTreeMap::new(),
            syncs: VecDeque::new(),
        });
        let epoch = peer.epoch();
        self.begin_to_serve(Serving { role: ServerState::Leading, epoch, leader: self.config.id }, fx);
        for session in orphans {
            self.propose_prepared(peer, side, now, session, 0, &[], PrepRequest::CloseSession, fx);
        }
    }

    pub(super) fn begin_to_serve(&mut self, serving: Serving, fx: &mut Effects) {
        self.serving = Some(serving);
        fx.push(Effect::Serving(Some(serving)));
    }

    pub(super) fn cease_to_serve<R: ReadSide>(&mut self, side: &mut R, fx: &mut Effects) {
        self.lead = None;
        self.sessions.clear();
        self.links.clear();
        self.granted.clear();
        self.opening.clear();
        self.renewing.clear();
        self.waiting.clear();
        self.asked_syncs.clear();
        self.local.clear(self.config.tick);
        if self.serving.take().is_some() {
            side.apply(|state, _| state.watches = Default::default());
            fx.push(Effect::Serving(None));
        }
    }

    fn on_revalidated(&mut self, session: SessionId, valid: bool, fx: &mut Effects) {
        if !valid {
            self.granted.remove(&session);
        }
        let Some(queue) = self.renewing.get_mut(&session) else { return };
        let next = queue.pop_front();
        if queue.is_empty() {
            self.renewing.remove(&session);
        }
        let Some((Some(link), request, timeout_ms)) = next else { return };
        if valid { self.take_up(link, &request, timeout_ms, fx) } else { refuse(fx, link, &request) }
    }

    // ---- on the way out ----

    /// A transaction of so many bytes was applied: tell whoever asked for it here.
    pub(super) fn on_applied(&mut self, txn: &Txn, bytes: usize, outcome: Outcome, now: Now, fx: &mut Effects) {
        let TxnHeader { session, cxid, zxid, .. } = txn.header;
        self.applied = zxid;
        self.trigger.count(bytes);
        if let Some(lead) = &mut self.lead {
            lead.prep.committed(zxid);
        }
        match &txn.body {
            TxnBody::CreateSession { timeout_ms } => {
                fx.note(|| Note::SessionOpened { session, timeout_ms: *timeout_ms });
                let ours = self.opening.remove(&session);
                if let Some(lead) = &mut self.lead {
                    // What was proposed here is known already, and lives on from now.
                    if !lead.tracker.knows(session) {
                        lead.tracker.add(session, *timeout_ms, None, now.mono);
                    }
                    lead.tracker.live_on(session, now.mono);
                }
                if let Some((link, mut request)) = ours {
                    request.session = session;
                    self.take_up(link, &request, *timeout_ms, fx);
                }
            }
            TxnBody::CloseSession { .. } => {
                fx.note(|| Note::SessionClosed { session });
                if let Some(lead) = &mut self.lead {
                    lead.tracker.remove(session);
                }
                self.remember_closed(session, now);
                // One for an expired session carries the number 0, which some client may give to a write.
                let asked = self.waiting.get(&session).and_then(VecDeque::front).is_some_and(|w| w.closes);
                let answered = asked && self.answer(session, cxid, zxid, Ok(Response::Empty), fx);
                self.waiting.remove(&session);
                self.granted.remove(&session);
                if let Some(link) = self.links.remove(&session) {
                    self.sessions.remove(&link);
                    if !answered {
                        close(fx, link, LinkClose::SessionEnded(session));
                    }
                }
            }
            _ => {
                self.answer(session, cxid, zxid, outcome, fx);
            }
        }
        // Now, and not when the step is over: it may apply more, and answers leave in the order of the requests.
        let sync = |conn, fx: &mut Effects| fx.push(Effect::Send { conn, msg: PeerMsg::Sync });
        self.release_syncs(zxid, sync, fx);
    }

    /// Answers the oldest write of a session, if the transaction is that write.
    fn answer(&mut self, session: SessionId, cxid: i32, zxid: Zxid, outcome: Outcome, fx: &mut Effects) -> bool {
        let Some(queue) = self.waiting.get_mut(&session) else { return false };
        if queue.front().is_none_or(|w| w.xid != cxid || w.sync || w.here.is_some()) {
            return false;
        }
        let Some(Waiting { link, xid, .. }) = queue.pop_front() else { return false };
        fx.push(Effect::ToLink { link, msg: ToLink::Reply { xid, zxid, outcome } });
        self.answer_here(session, fx);
        true
    }

    /// Leader: answers the syncs that have nothing to wait for.
    pub(super) fn answer_syncs(&mut self, peer: &mut Peer, fx: &mut Effects) {
        let committed = peer.ground().history.committed();
        self.release_syncs(committed, |conn, fx| peer.send_to_learner(fx, conn, PeerMsg::Sync), fx);
    }

    /// Leader: answers the syncs whose proposal is applied once everything up to `committed` is.
    fn release_syncs(&mut self, committed: Zxid, mut to_learner: impl FnMut(ConnId, &mut Effects), fx: &mut Effects) {
        let due = |service: &mut Service| {
            let syncs = &mut service.lead.as_mut()?.syncs;
            syncs.pop_front_if(|(point, _)| *point <= committed)
        };
        while let Some((_, by)) = due(self) {
            match by {
                SyncFor::Own(asked) => self.synced(asked, fx),
                SyncFor::Learner(conn) => to_learner(conn, fx),
            }
        }
    }

    // ---- snapshots ----

    pub(super) fn maybe_compact(&mut self, peer: &Peer, fx: &mut Effects) {
        if self.compacting || self.serving.is_none() || !self.trigger.is_due() {
            return;
        }
        let ground = peer.ground();
        let upto = ground.history.committed().min(ground.durable());
        self.compacting = true;
        self.trigger.reset(&mut self.rng);
        fx.push(Effect::Compact { upto });
    }

    pub(super) fn on_compacted(&mut self, _upto: Zxid) {
        self.compacting = false;
    }
}

pub(super) fn close(fx: &mut Effects, link: LinkId, why: LinkClose) {
    fx.push(Effect::ToLink { link, msg: ToLink::Close(why) });
}

/// Tells a client that its session is over (client-protocol §3.2, step 8).
pub(super) fn refuse(fx: &mut Effects, link: LinkId, request: &ConnectRequest) {
    let response = ConnectResponse {
        timeout_ms: 0,
        session: SessionId(0),
        passwd: Bytes::from_static(&[0; 16]),
        read_only: request.read_only.map(|_| false),
    };
    fx.push(Effect::ToLink { link, msg: ToLink::Connected(response) });
}
