//! Zab: agreeing on one order of opaque transactions. Knows nothing of znodes.
//!
//! ```text
//!            ┌──────────────────────── stands down ───────────────────────┐
//!            ▼                                                            │
//!        Looking ──elected──► Leading:   discovery ► synchronisation ► broadcast
//!        (election)──others──► Following: discovery ► synchronisation ► broadcast   (Observing: the same, no vote)
//! ```
//!
//! The order of durable steps is the safe one where Apache's is not (known-faults, section 0): history before epoch,
//! epoch before its acknowledgement, no acknowledgement before the sync. All of it follows from one ordered stream of
//! [`Record`]s and from waiting for `Synced`.

pub mod election;
pub mod history;
pub mod leader;
pub mod learner;
pub mod memory;
mod reconfig;
pub mod sync;
#[cfg(test)]
mod tests;

use crate::collections::BTreeMap;
use crate::config::{BrokenRule, Config, Ensemble, MemberKind, Membership};
use crate::effect::{DropReason, Effect, Effects, HaltReason, Record};
use crate::id::{ConnId, Epoch, Lsn, ServerId, SessionId, Zxid};
use crate::input::Input;
use crate::note::{Note, PhaseName, StandDown};
use crate::rng::Rng;
use crate::status::{Deadline, Timer};
use crate::time::{Instant, Now};
use crate::wire::notification::{Notification, ServerState, Vote};
use crate::wire::peer::{Forwarded, PeerMsg};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use election::Election;
use history::{Entry, History};
use leader::Leader;
use learner::Learner;
use memory::Memory;

/// Connections to the quorum port that may wait for us to become leader.
const WAITING_MAX: usize = 64;

/// What Zab orders transactions for: the replicated state.
pub trait Host {
    /// Whether `txn` looks like the transaction `zxid`, before it is logged: what can't be understood would stop the
    /// server when it is committed, and again after every restart. The error says what is wrong.
    fn check(&self, zxid: Zxid, txn: &Bytes) -> Result<(), String> {
        let _ = (zxid, txn);
        Ok(())
    }
    /// Applies a committed transaction; called once for each, in order.
    fn apply(&mut self, zxid: Zxid, txn: &Bytes, fx: &mut Effects);
    /// The whole state (snapshot parts 2 to 5) as it will be after `ahead` (entries not applied yet).
    fn snapshot(&mut self, ahead: &[Entry]) -> Bytes;
    /// Replaces the state. The error says what is wrong with `body`; the state is then unchanged.
    fn install(&mut self, zxid: Zxid, body: &Bytes) -> Result<(), String>;
    /// The body of the empty state.
    fn empty(&self) -> Bytes;
    /// The text of the configuration that a transaction makes, if it is a change of members.
    fn membership_in(&self, txn: &Bytes) -> Option<String> {
        let _ = txn;
        None
    }
    /// The text of the configuration that the state holds, if it holds one.
    fn membership_held(&self) -> Option<String> {
        None
    }
    /// These are the members from now on.
    fn members_changed(&mut self, members: &Ensemble) {
        let _ = members;
    }
}

/// What the service above has to know or to do. Collected during a step, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// The initial history is committed and applied: serve clients as leader.
    Established,
    /// In sync with the leader: serve clients as follower or observer.
    Joined,
    /// The role ended: stop serving.
    Stopped,
    /// A learner sends a client's write or sync on.
    Request { conn: ConnId, request: Forwarded },
    /// A learner asks whether a session is alive; it will serve it from now on, with this timeout.
    Revalidate { conn: ConnId, session: SessionId, timeout_ms: i32 },
    /// The leader's answer to ours.
    Revalidated { session: SessionId, valid: bool },
    /// The leader's answer to our oldest sync.
    Synced,
    /// Sessions that a learner has heard from, with the timeouts of their connections.
    Touched { conn: ConnId, sessions: Vec<(SessionId, i32)> },
    /// A learner is gone; sessions owned by its connection are nobody's.
    LearnerGone { conn: ConnId },
}

/// So many elections nobody misses.
const EPOCHS_AHEAD: i64 = 1 << 24;

/// What outlives a role: the durable state and its shadow in memory.
#[derive(Clone, Debug)]
pub struct Ground {
    /// What it was told at the start.
    pub config: Config,
    /// Who is there; begins with what it was told.
    pub members: Membership,
    /// The highest epoch promised (written, or under way to be).
    pub accepted: Epoch,
    /// The highest epoch that a member is known to have promised to somebody else, which no later one may be below.
    promised_elsewhere: Epoch,
    /// The epoch whose history this is (likewise).
    pub current: Epoch,
    /// The history.
    pub history: History,
    /// What of its promises and acknowledgements the server still knows.
    pub memory: Memory,
    /// The disk is marked as one that has lost something, until it is whole again.
    incomplete: bool,
    /// When this is durable, the disk holds all of a leader's history, whatever has become of that leader.
    whole_at: Option<Lsn>,
    /// The last storage effect asked for.
    pub last_lsn: Lsn,
    /// The last one that is durable.
    pub synced: Lsn,
    /// Sessions heard from since the last ping, for the leader.
    pub touched: BTreeMap<SessionId, i32>,
}

/// What a step works with besides the role itself.
pub struct Cx<'a> {
    /// The time.
    pub now: Now,
    /// Where effects go.
    pub fx: &'a mut Effects,
    /// The replicated state.
    pub host: &'a mut dyn Host,
    /// What the service has to know.
    pub events: &'a mut Vec<PeerEvent>,
}

impl Cx<'_> {
    fn send(&mut self, conn: ConnId, msg: PeerMsg) {
        self.fx.push(Effect::Send { conn, msg });
    }

    fn drop_conn(&mut self, conn: ConnId, why: DropReason) {
        self.fx.push(Effect::Drop { conn, why });
    }
}

impl Ground {
    /// Whether a rule is broken on purpose.
    fn breaks(&self, rule: BrokenRule) -> bool {
        self.config.broken == Some(rule)
    }

    /// Whether `a` is the better vote.
    fn beats(&self, a: &Vote, b: &Vote) -> bool {
        if self.breaks(BrokenRule::IgnoreEpoch) { (a.zxid, a.leader) > (b.zxid, b.leader) } else { a > b }
    }

    /// Whether everything asked of storage is durable.
    pub fn is_settled(&self) -> bool {
        self.synced >= self.last_lsn
    }

    /// The end of the durable part of the history.
    pub fn durable(&self) -> Zxid {
        self.history.durable(self.synced)
    }

    fn store(&mut self, record: Record, fx: &mut Effects) -> Lsn {
        self.last_lsn = Lsn(self.last_lsn.0 + 1);
        fx.push(Effect::Store { lsn: self.last_lsn, record });
        self.last_lsn
    }

    /// Appends a transaction; `change` is the configuration that it makes, if it makes one.
    fn append(&mut self, zxid: Zxid, txn: Bytes, change: Option<Box<Ensemble>>, cx: &mut Cx<'_>) {
        if let Some(next) = change {
            self.propose_members(*next, cx);
        }
        let lsn = self.store(Record::Txn { zxid, txn: txn.clone() }, cx.fx);
        self.history.push(Entry { zxid, txn, lsn });
    }

    /// The first epoch in which nobody can be, as far as this server knows. Each election takes one epoch more: somebody
    /// who names one far away would use up those that there are, for good. Who has promised nothing has heard of none.
    fn epochs_end(&self) -> Epoch {
        match self.accepted {
            Epoch(0) => Epoch::LAST,
            Epoch(accepted) => Epoch::LAST.min(Epoch(accepted.saturating_add(EPOCHS_AHEAD))),
        }
    }

    fn accept_epoch(&mut self, epoch: Epoch, fx: &mut Effects) -> Lsn {
        self.accepted = epoch;
        self.store(Record::AcceptedEpoch(epoch), fx)
    }

    fn begin_epoch(&mut self, epoch: Epoch, fx: &mut Effects) -> Lsn {
        self.current = epoch;
        let lsn = self.store(Record::CurrentEpoch(epoch), fx);
        self.whole_at = Some(lsn);
        lsn
    }

    /// Commits and applies every entry up to `upto`.
    fn commit_upto(&mut self, upto: Zxid, cx: &mut Cx<'_>) {
        while self.history.next_uncommitted().is_some_and(|e| e.zxid <= upto) {
            let Some(entry) = self.history.commit_next() else { break };
            cx.fx.note(|| Note::Committed { zxid: entry.zxid });
            cx.host.apply(entry.zxid, &entry.txn, cx.fx);
            if let Ok(Some(next)) = reconfig::change_in(self, cx.host, entry.zxid, &entry.txn) {
                self.activate(*next, cx);
            }
        }
        self.history.trim(self.config.commit_log_count, self.synced);
    }
}

/// The role a server plays.
#[derive(Clone, Debug)]
pub enum Role {
    /// In an election.
    Looking(Election),
    /// Following or observing.
    Learning(Learner),
    /// Leading, or trying to.
    Leading(Leader),
}

/// One server's part in Zab.
#[derive(Clone, Debug)]
pub struct Peer {
    ground: Ground,
    role: Role,
    round: i64,
    /// The vote shown to others while not looking.
    settled: Vote,
    /// Connections on our quorum port that came before we lead, with their first packet once it is there.
    waiting: BTreeMap<ConnId, Option<PeerMsg>>,
    events: Vec<PeerEvent>,
    halted: bool,
}

impl Peer {
    /// Starts from what the disk had, in an election.
    pub fn start(
        config: Config,
        (accepted, current): (Epoch, Epoch),
        history: History,
        memory: Memory,
        now: Now,
        fx: &mut Effects,
        host: &mut dyn Host,
    ) -> Peer {
        // A crash between the history of an epoch and the file of that epoch leaves a log that is ahead of both files.
        let accepted = accepted.max(current).max(history.last().epoch());
        let proposed = config.proposed.clone().filter(|_| config.reconfig.is_enabled());
        let ground = Ground {
            members: Membership { committed: config.ensemble.clone(), proposed },
            config,
            accepted,
            promised_elsewhere: Epoch(0),
            current,
            history,
            memory,
            incomplete: memory.is_incomplete(),
            whole_at: None,
            last_lsn: Lsn(0),
            synced: Lsn(0),
            touched: BTreeMap::new(),
        };
        let settled = ground.own_vote();
        let mut peer = Peer {
            role: Role::Looking(Election::waiting(None)),
            ground,
            round: 0,
            settled,
            waiting: BTreeMap::new(),
            events: Vec::new(),
            halted: false,
        };
        fx.note(|| Note::Recovered {
            last: peer.ground.history.last(),
            snapshot: peer.ground.history.base(),
            current,
            accepted,
        });
        if peer.ground.incomplete {
            fx.note(|| Note::Doubts { memory });
        }
        peer.note_phase(fx);
        peer.with(now, fx, host, |peer, cx| {
            peer.ground.recover_members(cx);
            peer.begin_election(cx);
        });
        peer
    }

    /// Takes one input that concerns Zab; the others are not its business and do nothing.
    pub fn step(&mut self, now: Now, input: Input, fx: &mut Effects, host: &mut dyn Host) {
        if self.halted {
            return;
        }
        self.with(now, fx, host, |peer, cx| peer.dispatch(input, cx));
    }

    fn with(&mut self, now: Now, fx: &mut Effects, host: &mut dyn Host, f: impl FnOnce(&mut Peer, &mut Cx<'_>)) {
        let mut events = core::mem::take(&mut self.events);
        f(self, &mut Cx { now, fx, host, events: &mut events });
        self.events = events;
    }

    fn dispatch(&mut self, input: Input, cx: &mut Cx<'_>) {
        match input {
            Input::Tick => self.on_tick(cx),
            Input::Notification { from, note } => self.on_notification(from, note, cx),
            Input::Refused { by } => self.on_refused(by, cx),
            Input::Accepted { conn } => {
                // The oldest goes: whoever says nothing must not keep those out who come to follow.
                if self.waiting.len() >= WAITING_MAX
                    && let Some((oldest, _)) = self.waiting.pop_first()
                {
                    cx.drop_conn(oldest, DropReason::TooMany);
                }
                self.waiting.insert(conn, None);
            }
            Input::Connected { to, conn } => match &mut self.role {
                Role::Learning(l) => l.on_connected(&mut self.ground, to, conn, cx),
                Role::Looking(_) | Role::Leading(_) => cx.drop_conn(conn, DropReason::RoleChanged),
            },
            Input::DialFailed { to } => {
                if let Role::Learning(l) = &mut self.role {
                    let verdict = l.on_dial_failed(to, cx);
                    self.judge(verdict, cx);
                }
            }
            Input::Packet { conn, msg } => self.on_packet(conn, msg, cx),
            Input::Closed { conn } => self.on_closed(conn, cx),
            Input::Synced { upto } => self.on_synced(upto, cx),
            Input::StorageFailed { what } => self.halt(HaltReason::Storage(what), cx),
            Input::Compacted { .. } | Input::Submit { .. } | Input::Touched { .. } => {}
        }
    }

    fn on_packet(&mut self, conn: ConnId, msg: PeerMsg, cx: &mut Cx<'_>) {
        let admitted = self.waiting.contains_key(&conn);
        if let Some(first) = self.waiting.get_mut(&conn) {
            let greets = matches!(msg, PeerMsg::FollowerInfo { .. } | PeerMsg::ObserverInfo { .. });
            if first.is_some() || !greets {
                self.waiting.remove(&conn);
                let got = msg.name().into();
                cx.drop_conn(
                    conn,
                    DropReason::Violation(crate::error::Violation::Unexpected {
                        got,
                        expected: "one FOLLOWERINFO or OBSERVERINFO".into(),
                    }),
                );
                return;
            }
            match &self.role {
                Role::Leading(_) => {
                    self.waiting.remove(&conn);
                }
                Role::Looking(_) => {
                    *first = Some(msg);
                    return;
                }
                Role::Learning(_) => {
                    self.waiting.remove(&conn);
                    cx.drop_conn(conn, DropReason::RoleChanged);
                    return;
                }
            }
        }
        let verdict = match &mut self.role {
            // What was still under way on a connection that we have dropped.
            Role::Leading(l) if !admitted && !l.has(conn) => Ok(()),
            Role::Leading(l) => l.on_packet(&mut self.ground, conn, msg, cx),
            Role::Learning(l) => l.on_packet(&mut self.ground, conn, msg, cx),
            Role::Looking(_) => Ok(()),
        };
        self.judge(verdict, cx);
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        if self.waiting.remove(&conn).is_some() {
            return;
        }
        let verdict = match &mut self.role {
            Role::Leading(l) => l.on_closed(conn, cx),
            Role::Learning(l) => l.on_closed(conn, cx),
            Role::Looking(_) => Ok(()),
        };
        self.judge(verdict, cx);
    }

    fn on_synced(&mut self, upto: Lsn, cx: &mut Cx<'_>) {
        if upto > self.ground.last_lsn {
            let what = format!("storage reports {upto} durable, {} was asked for", self.ground.last_lsn);
            self.halt(HaltReason::Invariant(what), cx);
            return;
        }
        self.ground.synced = self.ground.synced.max(upto);
        self.ground.remember_what_is_durable(cx.fx);
        let verdict = match &mut self.role {
            Role::Leading(l) => l.on_synced(&mut self.ground, cx),
            Role::Learning(l) => l.on_synced(&mut self.ground, cx),
            Role::Looking(e) if e.is_waiting() => {
                self.begin_election(cx);
                return;
            }
            Role::Looking(_) => Ok(()),
        };
        self.judge(verdict, cx);
    }

    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        let verdict = match &mut self.role {
            Role::Leading(l) => l.on_tick(&mut self.ground, cx),
            Role::Learning(l) => l.on_tick(cx),
            Role::Looking(_) => {
                self.on_election_tick(cx);
                return;
            }
        };
        self.judge(verdict, cx);
    }

    /// What every role's handler ends in: go on, or stand down.
    fn judge(&mut self, verdict: Verdict, cx: &mut Cx<'_>) {
        if let Err(why) = verdict {
            self.stand_down(why, cx);
            return;
        }
        let epoch = match &self.role {
            Role::Leading(l) => l.established(),
            Role::Learning(l) => l.established(),
            Role::Looking(_) => None,
        };
        // Others that look for a leader match our vote by its epoch: it has to be the established one.
        if let Some(epoch) = epoch {
            self.settled.epoch = epoch;
        }
    }

    fn stand_down(&mut self, why: StandDown, cx: &mut Cx<'_>) {
        cx.fx.note(|| Note::StoodDown { why });
        match &self.role {
            Role::Leading(l) => {
                for conn in l.connections() {
                    cx.drop_conn(conn, DropReason::RoleChanged);
                }
            }
            Role::Learning(l) => {
                if let Some(conn) = l.connection() {
                    cx.drop_conn(conn, DropReason::RoleChanged);
                }
            }
            Role::Looking(_) => {}
        }
        cx.events.push(PeerEvent::Stopped);
        self.ground.touched.clear();
        let next = match &self.role {
            Role::Leading(l) => l.heir(),
            Role::Learning(l) => l.next_leader(),
            Role::Looking(_) => None,
        };
        self.role = Role::Looking(Election::waiting(self.pause(cx)));
        match next.filter(|_| why == StandDown::Reconfigured) {
            // The change of members says who leads from now on: no election.
            Some(leader) => {
                self.settled.leader = leader;
                self.take_role(leader, cx);
            }
            None => {
                self.note_phase(cx.fx);
                self.begin_election(cx);
            }
        }
    }

    /// Until when an observer that has just lost its leader keeps still. Its id and its round are chance enough: others
    /// have other ids.
    fn pause(&self, cx: &Cx<'_>) -> Option<Instant> {
        let most = self.ground.config.observer_wait;
        if most.is_zero() || self.ground.joins_as() != MemberKind::Observer {
            return None;
        }
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let mut chance = Rng::new(self.ground.config.id.0.unsigned_abs()).fork(self.round.unsigned_abs());
        Some(cx.now.mono + Duration::from_millis(chance.below(most)))
    }

    /// Takes the elected role.
    fn take_role(&mut self, leader: ServerId, cx: &mut Cx<'_>) {
        if leader == self.ground.config.id && !self.ground.remembers_enough_to_lead() {
            // Its history would be cut out of everybody else's.
            self.role = Role::Looking(Election::waiting(None));
            self.note_phase(cx.fx);
            self.begin_election(cx);
            return;
        }
        let waiting = core::mem::take(&mut self.waiting);
        if leader == self.ground.config.id {
            let mut role = Leader::new(&self.ground, cx.now.mono);
            let mut verdict = role.advance(&mut self.ground, cx);
            for (conn, first) in waiting {
                match first {
                    Some(msg) if verdict.is_ok() => verdict = role.on_packet(&mut self.ground, conn, msg, cx),
                    _ => {
                        self.waiting.insert(conn, first);
                    }
                }
            }
            self.role = Role::Leading(role);
            self.note_phase(cx.fx);
            self.judge(verdict, cx);
        } else {
            for (conn, first) in waiting {
                if first.is_some() {
                    cx.drop_conn(conn, DropReason::RoleChanged);
                } else {
                    self.waiting.insert(conn, None);
                }
            }
            self.role = Role::Learning(Learner::new(&self.ground, leader, self.settled.epoch, cx));
            self.note_phase(cx.fx);
        }
    }

    fn halt(&mut self, reason: HaltReason, cx: &mut Cx<'_>) {
        self.halted = true;
        cx.events.push(PeerEvent::Stopped);
        cx.fx.push(Effect::Halt(reason));
    }

    fn note_phase(&self, fx: &mut Effects) {
        fx.note(|| Note::Phase { state: self.state(), phase: self.phase(), epoch: self.epoch() });
    }

    /// The zxid of the next proposal; `None` unless leading in broadcast. A leader whose counter is used up stands
    /// down here.
    pub fn next_zxid(&mut self, now: Now, fx: &mut Effects, host: &mut dyn Host) -> Option<Zxid> {
        let Role::Leading(l) = &self.role else { return None };
        if self.halted {
            return None;
        }
        let next = l.next_zxid()?;
        if next.is_none() {
            self.with(now, fx, host, |peer, cx| peer.stand_down(StandDown::CounterUsedUp, cx));
        }
        next
    }

    /// Proposes a transaction at the zxid that [`Peer::next_zxid`] has just told.
    ///
    /// # Panics
    /// If that is not the next zxid.
    pub fn propose(&mut self, now: Now, fx: &mut Effects, host: &mut dyn Host, zxid: Zxid, txn: Bytes) {
        self.with(now, fx, host, |peer, cx| {
            let Role::Leading(l) = &mut peer.role else { return };
            assert_eq!(l.next_zxid(), Some(Some(zxid)), "a proposal out of order");
            let verdict = l.propose(&mut peer.ground, zxid, txn, cx);
            peer.judge(verdict, cx);
        });
    }

    /// While leading: what a sync has to wait for, the last proposal, if that is not committed yet.
    pub fn sync_point(&self) -> Option<Zxid> {
        match &self.role {
            Role::Leading(l) => l.outstanding().next_back().map(|(zxid, _)| zxid),
            Role::Looking(_) | Role::Learning(_) => None,
        }
    }

    /// Sends a packet to the leader; `false` when there is none to send to.
    pub fn send_to_leader(&mut self, fx: &mut Effects, msg: PeerMsg) -> bool {
        let Role::Learning(l) = &self.role else { return false };
        let Some(conn) = l.connection().filter(|_| l.established().is_some()) else { return false };
        fx.push(Effect::Send { conn, msg });
        true
    }

    /// Sends a packet to a learner, if it is still connected.
    pub fn send_to_learner(&mut self, fx: &mut Effects, conn: ConnId, msg: PeerMsg) {
        if let Role::Leading(l) = &self.role
            && l.has(conn)
        {
            fx.push(Effect::Send { conn, msg });
        }
    }

    /// Sessions heard from here; told to the leader with the next pong.
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32) {
        self.ground.touched.insert(session, timeout_ms);
    }

    /// A session is taken up again with another timeout: what is still to be told of its former connection must not
    /// bring the former one back.
    pub fn retime(&mut self, session: SessionId, timeout_ms: i32) {
        if let Some(told) = self.ground.touched.get_mut(&session) {
            *told = timeout_ms;
        }
    }

    /// What happened for the service since the last call.
    pub fn take_events(&mut self) -> Vec<PeerEvent> {
        core::mem::take(&mut self.events)
    }

    /// The durable state and its shadow.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Breaks or mends a rule on purpose.
    pub fn break_rule(&mut self, rule: Option<BrokenRule>) {
        self.ground.config.broken = rule;
    }

    /// The state as notifications name it.
    pub fn state(&self) -> ServerState {
        match &self.role {
            Role::Looking(_) => ServerState::Looking,
            Role::Leading(_) => ServerState::Leading,
            Role::Learning(l) if l.follows() => ServerState::Following,
            Role::Learning(_) => ServerState::Observing,
        }
    }

    /// The phase.
    pub fn phase(&self) -> PhaseName {
        match &self.role {
            Role::Looking(_) => PhaseName::Election,
            Role::Leading(l) => l.phase(),
            Role::Learning(l) => l.phase(),
        }
    }

    /// The epoch worked towards or established; the current one while looking.
    pub fn epoch(&self) -> Epoch {
        match &self.role {
            Role::Looking(_) => self.ground.current,
            Role::Leading(l) => l.epoch(&self.ground),
            Role::Learning(l) => l.epoch(&self.ground),
        }
    }

    /// The leader followed, or itself.
    pub fn leader(&self) -> Option<ServerId> {
        match &self.role {
            Role::Looking(_) => None,
            Role::Leading(_) => Some(self.ground.config.id),
            Role::Learning(l) => Some(l.leader()),
        }
    }

    /// The role, for a look inside.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The election round.
    pub fn round(&self) -> i64 {
        self.round
    }

    /// The vote: the proposed one while looking, the settled one after.
    pub fn vote(&self) -> Vote {
        match &self.role {
            Role::Looking(e) => e.proposal().unwrap_or(self.settled),
            Role::Leading(_) | Role::Learning(_) => self.settled,
        }
    }

    /// When `Tick` is due next, and what for.
    pub fn next_deadline(&self) -> Option<(Instant, Deadline)> {
        if self.halted {
            return None;
        }
        match &self.role {
            Role::Looking(e) => e.next_deadline(),
            Role::Leading(l) => Some(l.next_deadline()),
            Role::Learning(l) => Some(l.next_deadline()),
        }
    }

    /// Its running clocks, for pictures; [`Peer::next_deadline`] says what has to be done next.
    pub fn timers(&self) -> Vec<Timer> {
        if self.halted {
            return Vec::new();
        }
        match &self.role {
            Role::Looking(e) => e.timers(&self.ground),
            Role::Leading(l) => l.timers(&self.ground),
            Role::Learning(l) => l.timers(&self.ground),
        }
    }

    fn notification(&self) -> Notification {
        Notification {
            state: self.state(),
            vote: self.vote(),
            round: self.round,
            version: 2,
            config: self.ground.members.committed.text(),
        }
    }
}

/// How a role's handler ends.
pub type Verdict = Result<(), StandDown>;
