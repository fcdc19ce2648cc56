//! Following (or observing) a leader: discovery, synchronisation, broadcast from the learner's side
//! (quorum-protocol §6, §8, §9).

use crate::config::{BrokenRule, MemberKind};
use crate::effect::{DropReason, Effect};
use crate::error::Violation;
use crate::id::{ConnId, Epoch, Lsn, ServerId, Zxid};
use crate::note::{Note, PhaseName, StandDown, SyncKind};
use crate::status::{Deadline, Timer, TimerKind};
use crate::time::Instant;
use crate::wire::peer::{LearnerInfo, PROTOCOL_VERSION, PeerMsg};
use crate::zab::{Cx, Ground, PeerEvent, Verdict, reconfig};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// How often the leader is dialled before it is given up; whoever has not waited for the end of the election tries for
/// that time more, since a leader of Apache's kind has, and opens its port only then.
const TRIES: u32 = 5;
/// The pause between two tries.
const RETRY: Duration = Duration::from_millis(100);

/// A learner's role.
#[derive(Clone, Debug)]
pub struct Learner {
    leader: ServerId,
    votes: bool,
    step: Step,
    tries: u32,
    /// How often at most.
    allowed: u32,
    /// When the current step has taken too long.
    deadline: Instant,
    /// The log could not be cut where this leader wanted it: claim an empty log to it, and to nobody else, so that it
    /// sends everything.
    ask_for_all: bool,
    /// The epoch that the leader says it is in office for, if that has to be so without us: see
    /// [`crate::zab::memory`].
    in_office: Option<Epoch>,
    /// The version of the leader's newest configuration, as its NEWLEADER said it.
    announced: Option<i64>,
    /// The version of the configuration that was in force when it began.
    joined_under: i64,
    /// Whom it follows next, without an election, because the members have changed.
    next: Option<ServerId>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Waiting for `Connected` or `DialFailed`.
    Dialling,
    /// Until the next try.
    Pausing { until: Instant },
    /// FOLLOWERINFO is sent.
    AwaitEpoch { conn: ConnId },
    /// The promise is on its way to the disk; then this is answered.
    Promising { conn: ConnId, epoch: Epoch, lsn: Lsn, answer: PeerMsg },
    /// ACKEPOCH is sent.
    AwaitPlan { conn: ConnId, epoch: Epoch },
    /// The history is coming; everything up to `settled` is committed once the leader says UPTODATE.
    Receiving { conn: ConnId, epoch: Epoch, settled: Zxid },
    /// The history is complete and on its way to the disk, with the epoch behind it. It ends for the leader at `acked`;
    /// what comes behind that needs an acknowledgement of its own.
    Securing { conn: ConnId, epoch: Epoch, settled: Zxid, acked: Zxid, lsn: Lsn },
    /// NEWLEADER is acknowledged; everything up to `acked` needs no more acknowledgement.
    AwaitUpToDate { conn: ConnId, epoch: Epoch, settled: Zxid, acked: Zxid },
    /// Serving.
    Live { conn: ConnId, epoch: Epoch, acked: Zxid },
}

impl Learner {
    /// `announced`: the epoch in the vote that names the leader.
    pub(super) fn new(ground: &Ground, leader: ServerId, announced: Epoch, cx: &mut Cx<'_>) -> Learner {
        cx.fx.push(Effect::Dial { to: leader });
        let more = if ground.config.settles_early { ground.config.finalize_wait } else { Duration::ZERO };
        let more = u32::try_from(more.as_millis() / RETRY.as_millis()).unwrap_or(0);
        Learner {
            leader,
            votes: ground.joins_as() == MemberKind::Participant,
            step: Step::Dialling,
            tries: 1,
            allowed: TRIES.saturating_add(more),
            deadline: cx.now.mono + ground.config.init_time(),
            ask_for_all: false,
            in_office: ground.memory.is_lost().then_some(announced),
            announced: None,
            joined_under: ground.members.committed.version(),
            next: None,
        }
    }

    /// Whether it follows; otherwise it observes.
    pub(super) fn follows(&self) -> bool {
        self.votes
    }

    /// Whom it follows next, if a change of members has decided that.
    pub(super) fn next_leader(&self) -> Option<ServerId> {
        self.next
    }

    /// Whom it follows.
    pub fn leader(&self) -> ServerId {
        self.leader
    }

    /// The connection to the leader.
    pub fn connection(&self) -> Option<ConnId> {
        match self.step {
            Step::Dialling | Step::Pausing { .. } => None,
            Step::AwaitEpoch { conn }
            | Step::Promising { conn, .. }
            | Step::AwaitPlan { conn, .. }
            | Step::Receiving { conn, .. }
            | Step::Securing { conn, .. }
            | Step::AwaitUpToDate { conn, .. }
            | Step::Live { conn, .. } => Some(conn),
        }
    }

    /// The epoch it is in, once it serves.
    pub fn established(&self) -> Option<Epoch> {
        match self.step {
            Step::Live { epoch, .. } => Some(epoch),
            _ => None,
        }
    }

    pub(super) fn phase(&self) -> PhaseName {
        match self.step {
            Step::Dialling
            | Step::Pausing { .. }
            | Step::AwaitEpoch { .. }
            | Step::Promising { .. }
            | Step::AwaitPlan { .. } => PhaseName::Discovery,
            Step::Receiving { .. } | Step::Securing { .. } | Step::AwaitUpToDate { .. } => PhaseName::Synchronization,
            Step::Live { .. } => PhaseName::Broadcast,
        }
    }

    pub(super) fn epoch(&self, ground: &Ground) -> Epoch {
        match self.step {
            Step::Dialling | Step::Pausing { .. } | Step::AwaitEpoch { .. } => ground.current,
            Step::Promising { epoch, .. }
            | Step::AwaitPlan { epoch, .. }
            | Step::Receiving { epoch, .. }
            | Step::Securing { epoch, .. }
            | Step::AwaitUpToDate { epoch, .. }
            | Step::Live { epoch, .. } => epoch,
        }
    }

    pub(super) fn timers(&self, ground: &Ground) -> Vec<Timer> {
        let config = &ground.config;
        let main = match self.step {
            Step::Live { .. } => Timer { what: TimerKind::LeaderSilent, at: self.deadline, whole: config.sync_time() },
            _ => Timer { what: TimerKind::Join, at: self.deadline, whole: config.init_time() },
        };
        let redial = match self.step {
            Step::Pausing { until } => Some(Timer { what: TimerKind::Redial, at: until, whole: RETRY }),
            _ => None,
        };
        [main].into_iter().chain(redial).collect()
    }

    pub(super) fn next_deadline(&self) -> (Instant, Deadline) {
        match self.step {
            Step::Pausing { until } if until < self.deadline => (until, Deadline::Redial),
            Step::Live { .. } | Step::AwaitUpToDate { .. } => (self.deadline, Deadline::LeaderSilent),
            _ => (self.deadline, Deadline::Join),
        }
    }

    pub(super) fn on_connected(&mut self, ground: &mut Ground, to: ServerId, conn: ConnId, cx: &mut Cx<'_>) {
        if to != self.leader || !matches!(self.step, Step::Dialling) {
            cx.drop_conn(conn, DropReason::RoleChanged);
            return;
        }
        let info = LearnerInfo {
            server: ground.config.id,
            protocol: PROTOCOL_VERSION,
            config_version: ground.members.committed.version(),
        };
        let accepted = ground.accepted;
        let greeting = if self.votes {
            PeerMsg::FollowerInfo { accepted, info }
        } else {
            PeerMsg::ObserverInfo { accepted, info }
        };
        cx.send(conn, greeting);
        self.step = Step::AwaitEpoch { conn };
    }

    pub(super) fn on_dial_failed(&mut self, to: ServerId, cx: &mut Cx<'_>) -> Verdict {
        if to != self.leader || !matches!(self.step, Step::Dialling) { Ok(()) } else { self.try_again(cx) }
    }

    fn try_again(&mut self, cx: &mut Cx<'_>) -> Verdict {
        if self.tries >= self.allowed {
            return Err(StandDown::LeaderUnreachable);
        }
        self.step = Step::Pausing { until: cx.now.mono + RETRY };
        Ok(())
    }

    pub(super) fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Verdict {
        if self.connection() != Some(conn) {
            return Ok(());
        }
        match self.step {
            // The other side may not know yet that it has won.
            Step::AwaitEpoch { .. } => self.try_again(cx),
            _ => Err(StandDown::LeaderGone),
        }
    }

    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) -> Verdict {
        let now = cx.now.mono;
        if now >= self.deadline {
            return Err(match self.step {
                Step::Live { .. } | Step::AwaitUpToDate { .. } => StandDown::LeaderSilent,
                Step::Dialling | Step::Pausing { .. } => StandDown::LeaderUnreachable,
                _ => StandDown::NoQuorumInTime,
            });
        }
        if let Step::Pausing { until } = self.step
            && now >= until
        {
            if self.tries > self.allowed {
                return Err(StandDown::NotInOffice);
            }
            self.tries += 1;
            self.step = Step::Dialling;
            cx.fx.push(Effect::Dial { to: self.leader });
        }
        Ok(())
    }

    pub(super) fn on_synced(&mut self, ground: &mut Ground, cx: &mut Cx<'_>) -> Verdict {
        match &self.step {
            Step::Promising { conn, epoch, lsn, answer } if ground.synced >= *lsn => {
                cx.fx.note(|| Note::EpochAccepted { epoch: *epoch });
                let (conn, epoch) = (*conn, *epoch);
                cx.send(conn, answer.clone());
                self.step = Step::AwaitPlan { conn, epoch };
            }
            Step::Securing { conn, epoch, settled, acked, lsn } if ground.synced >= *lsn => {
                let (conn, epoch, settled, acked) = (*conn, *epoch, *settled, *acked);
                cx.send(conn, PeerMsg::Ack { zxid: epoch.start() });
                self.step = Step::AwaitUpToDate { conn, epoch, settled, acked };
                // The leader may still wait for the others, and does not ping before it is established.
                self.deadline = cx.now.mono + ground.config.init_time();
            }
            _ => {}
        }
        self.acknowledge(ground, cx);
        Ok(())
    }

    /// Acknowledges, one by one and in order, what has become durable.
    fn acknowledge(&mut self, ground: &Ground, cx: &mut Cx<'_>) {
        if !self.votes {
            return;
        }
        let early = ground.breaks(BrokenRule::AckBeforeSync);
        let durable = if early { ground.history.last() } else { ground.durable() };
        if let Step::AwaitUpToDate { conn, acked, .. } | Step::Live { conn, acked, .. } = &mut self.step {
            let conn = *conn;
            for entry in ground.history.after(*acked).take_while(|e| e.zxid <= durable) {
                cx.send(conn, PeerMsg::Ack { zxid: entry.zxid });
                *acked = entry.zxid;
            }
        }
    }

    pub(super) fn on_packet(&mut self, ground: &mut Ground, conn: ConnId, msg: PeerMsg, cx: &mut Cx<'_>) -> Verdict {
        if self.connection() != Some(conn) {
            return Ok(());
        }
        let verdict = self.handle(ground, conn, msg, cx);
        match verdict {
            Ok(()) => Ok(()),
            Err(Refusal::StandDown(why)) => Err(why),
            Err(Refusal::Violation(violation)) => {
                cx.drop_conn(conn, DropReason::Violation(violation));
                Err(StandDown::LeaderViolation)
            }
        }
    }

    fn handle(&mut self, ground: &mut Ground, conn: ConnId, msg: PeerMsg, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        if matches!(msg, PeerMsg::Unknown { .. }) {
            return Ok(());
        }
        match (&mut self.step, msg) {
            (Step::AwaitEpoch { .. }, PeerMsg::LeaderInfo { epoch, .. }) => self.promise(ground, conn, epoch, cx),
            (Step::AwaitPlan { epoch, .. }, PeerMsg::Diff { target }) => {
                let epoch = *epoch;
                if ground.incomplete && !self.ask_for_all {
                    return self.ask_for_everything(conn, cx);
                }
                if core::mem::take(&mut self.ask_for_all) {
                    // The leader takes us for empty, and has nothing to send: then the empty state is the truth.
                    let empty = cx.host.empty();
                    install(ground, Zxid::ZERO, empty, cx)?;
                }
                cx.fx.note(|| Note::Syncing { kind: SyncKind::Diff, zxid: target });
                self.step = Step::Receiving { conn, epoch, settled: ground.history.last() };
                Ok(())
            }
            (Step::AwaitPlan { epoch, .. }, PeerMsg::Trunc { to }) => {
                let epoch = *epoch;
                if ground.incomplete || !ground.history.can_end_at(to) {
                    return self.ask_for_everything(conn, cx);
                }
                cx.fx.note(|| Note::Syncing { kind: SyncKind::Trunc, zxid: to });
                let dropped = ground.history.truncate(to);
                ground.store(crate::effect::Record::Truncate { to }, cx.fx);
                ground.history_changed(cx);
                cx.fx.note(|| Note::Truncated { to, dropped });
                self.step = Step::Receiving { conn, epoch, settled: to };
                Ok(())
            }
            (Step::AwaitPlan { epoch, .. }, PeerMsg::Snap { zxid, body }) => {
                let epoch = *epoch;
                belongs(zxid, epoch)?;
                cx.fx.note(|| Note::Syncing { kind: SyncKind::Snap, zxid });
                install(ground, zxid, body, cx)?;
                self.ask_for_all = false;
                self.step = Step::Receiving { conn, epoch, settled: zxid };
                Ok(())
            }
            (Step::Receiving { .. }, PeerMsg::NewLeader { epoch: of, config }) => {
                self.announced = ground.hear_of_members(&config, cx);
                if self.votes != (ground.joins_as() == MemberKind::Participant) {
                    // A change is open that may need it in its other role: at once, from the same leader.
                    self.next = Some(self.leader);
                    return Err(Refusal::StandDown(StandDown::Reconfigured));
                }
                self.secure(ground, of, cx)
            }
            (
                Step::Receiving { epoch, .. }
                | Step::Securing { epoch, .. }
                | Step::AwaitUpToDate { epoch, .. }
                | Step::Live { epoch, .. },
                PeerMsg::Proposal { zxid, txn },
            ) => {
                append(ground, *epoch, zxid, txn, cx)?;
                if ground.breaks(BrokenRule::AckBeforeSync) {
                    self.acknowledge(ground, cx);
                }
                Ok(())
            }
            (
                Step::Receiving { settled, .. } | Step::Securing { settled, .. } | Step::AwaitUpToDate { settled, .. },
                PeerMsg::Commit { zxid } | PeerMsg::CommitAndActivate { zxid, .. },
            ) => settle(ground, settled, zxid),
            (
                Step::Receiving { epoch, settled, .. }
                | Step::Securing { epoch, settled, .. }
                | Step::AwaitUpToDate { epoch, settled, .. },
                PeerMsg::Inform { zxid, txn } | PeerMsg::InformAndActivate { zxid, txn, .. },
            ) => {
                append(ground, *epoch, zxid, txn, cx)?;
                settle(ground, settled, zxid)
            }
            (Step::AwaitUpToDate { epoch, settled, acked, .. }, PeerMsg::UpToDate) => {
                let (epoch, settled, acked) = (*epoch, *settled, *acked);
                let before = self.joined_under;
                ground.commit_upto(settled, cx);
                ground.settle_members(settled, self.announced, cx);
                self.members_changed(ground, before, None)?;
                cx.send(conn, PeerMsg::Ack { zxid: epoch.start() });
                self.step = Step::Live { conn, epoch, acked };
                self.deadline = cx.now.mono + ground.config.sync_time();
                cx.events.push(PeerEvent::Joined);
                Ok(())
            }
            (Step::Live { .. }, PeerMsg::Commit { zxid }) => self.commit(ground, zxid, None, cx),
            (Step::Live { .. }, PeerMsg::CommitAndActivate { zxid, designated }) => {
                self.commit(ground, zxid, Some(designated), cx)
            }
            (Step::Live { epoch, .. }, PeerMsg::Inform { zxid, txn }) => {
                append(ground, *epoch, zxid, txn, cx)?;
                self.commit(ground, zxid, None, cx)
            }
            (Step::Live { epoch, .. }, PeerMsg::InformAndActivate { zxid, designated, txn }) => {
                append(ground, *epoch, zxid, txn, cx)?;
                self.commit(ground, zxid, Some(designated), cx)
            }
            // An Apache leader that is in office pings as soon as NEWLEADER is out, yet drops a learner whose next packet
            // is anything but its acknowledgement (quorum-protocol §8).
            (Step::Receiving { .. } | Step::Securing { .. }, PeerMsg::Ping { .. }) => Ok(()),
            (_, PeerMsg::Ping { zxid }) => {
                let touched: Vec<_> = core::mem::take(&mut ground.touched).into_iter().collect();
                cx.send(conn, PeerMsg::Pong { zxid, touched });
                self.heard(ground, cx);
                Ok(())
            }
            (Step::Live { .. }, PeerMsg::Revalidated { session, valid }) => {
                cx.events.push(PeerEvent::Revalidated { session, valid });
                Ok(())
            }
            (Step::Live { .. }, PeerMsg::Sync) => {
                cx.events.push(PeerEvent::Synced);
                Ok(())
            }
            (step, msg) => Err(Refusal::Violation(Violation::Unexpected {
                got: String::from(msg.name()),
                expected: step.expects().into(),
            })),
        }?;
        self.heard(ground, cx);
        Ok(())
    }

    /// Once more to the same leader, for the whole state.
    fn ask_for_everything(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        self.ask_for_all = true;
        cx.drop_conn(conn, DropReason::RoleChanged);
        self.try_again(cx).map_err(|_| Refusal::StandDown(StandDown::CannotTruncate))
    }

    /// The leader has committed `zxid`, the next transaction of the history; `designated` leads from now on.
    fn commit(
        &mut self,
        ground: &mut Ground,
        zxid: Zxid,
        designated: Option<ServerId>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refusal> {
        if zxid <= ground.history.committed() {
            return Ok(());
        }
        if ground.history.next_uncommitted().is_none_or(|next| next.zxid != zxid) {
            return Err(Refusal::Violation(Violation::UnknownCommit(zxid)));
        }
        let before = ground.members.committed.version();
        ground.commit_upto(zxid, cx);
        self.members_changed(ground, before, designated)
    }

    /// What a change of members since the configuration `before` means for this role.
    fn members_changed(&mut self, ground: &Ground, before: i64, designated: Option<ServerId>) -> Result<(), Refusal> {
        if ground.members.committed.version() == before {
            return Ok(());
        }
        let same_role = self.votes == (ground.joins_as() == MemberKind::Participant);
        let leader = match designated {
            Some(leader) => Some(leader),
            None => Some(self.leader).filter(|leader| ground.members.committed.is_voter(*leader)),
        };
        if same_role && leader == Some(self.leader) {
            return Ok(());
        }
        self.next = leader;
        Err(Refusal::StandDown(StandDown::Reconfigured))
    }

    /// A sign of life: the leader has `sync_limit` ticks for the next one. Joining as a whole keeps its own limit.
    fn heard(&mut self, ground: &Ground, cx: &Cx<'_>) {
        if matches!(self.step, Step::AwaitUpToDate { .. } | Step::Live { .. }) {
            self.deadline = cx.now.mono + ground.config.sync_time();
        }
    }

    fn promise(&mut self, ground: &mut Ground, conn: ConnId, epoch: Epoch, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        let ignore = ground.breaks(BrokenRule::IgnoreEpoch);
        if epoch < ground.accepted && !ignore {
            cx.drop_conn(conn, DropReason::Violation(Violation::StaleEpoch { got: epoch, promised: ground.accepted }));
            return Err(Refusal::StandDown(StandDown::StaleLeader));
        }
        let end = ground.epochs_end();
        if epoch > end {
            // To promise it would keep this server from following anybody else, ever.
            return Err(Refusal::Violation(Violation::Unexpected {
                got: format!("LEADERINFO of epoch {epoch}"),
                expected: format!("an epoch up to {end}"),
            }));
        }
        if self.in_office.is_some_and(|announced| announced != epoch) {
            // It has yet to come into office, and must not do so by our consent. A pause, and a look at who leads then.
            cx.drop_conn(conn, DropReason::RoleChanged);
            self.step = Step::Pausing { until: cx.now.mono + RETRY };
            self.tries = self.allowed.saturating_add(1);
            return Ok(());
        }
        if epoch > ground.accepted {
            // This answer counts towards a leader's quorum: that leader must see our true log, or it could be
            // established without what only we have. So whom it was that could not cut our log is forgotten.
            self.ask_for_all = false;
            let answer = PeerMsg::AckEpoch { last: ground.claim(), current: Some(ground.current) };
            let lsn = ground.accept_epoch(epoch, cx.fx);
            self.step = Step::Promising { conn, epoch, lsn, answer };
        } else {
            // Promised before, perhaps in memory only so far: the answer waits for the disk all the same.
            let last = if self.ask_for_all { Zxid::ZERO } else { ground.claim() };
            let current = if ignore { Some(ground.current) } else { None };
            let answer = PeerMsg::AckEpoch { last, current };
            self.step = Step::Promising { conn, epoch, lsn: ground.last_lsn, answer };
            if ground.is_settled()
                && let Err(why) = self.on_synced(ground, cx)
            {
                return Err(Refusal::StandDown(why));
            }
        }
        Ok(())
    }

    fn secure(&mut self, ground: &mut Ground, of: Epoch, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        let Step::Receiving { conn, epoch, settled } = self.step else { return Ok(()) };
        if of != epoch {
            return Err(Refusal::Violation(Violation::Unexpected {
                got: format!("NEWLEADER of epoch {of}"),
                expected: format!("NEWLEADER of epoch {epoch}"),
            }));
        }
        // The stream of storage effects is in order: when the epoch is durable, so is the history before it.
        ground.begin_epoch(epoch, cx.fx);
        ground.trust_disk(cx.fx);
        let lsn = ground.last_lsn;
        // A COMMIT that comes before this is durable moves `settled` on, but not this: the leader sent that proposal to
        // us too, and counts us as silent until we acknowledge it.
        self.step = Step::Securing { conn, epoch, settled, acked: settled, lsn };
        Ok(())
    }
}

impl Step {
    fn expects(&self) -> &'static str {
        match self {
            Step::Dialling | Step::Pausing { .. } => "nothing",
            Step::AwaitEpoch { .. } => "LEADERINFO",
            Step::Promising { .. } => "nothing before ACKEPOCH",
            Step::AwaitPlan { .. } => "DIFF, TRUNC or SNAP",
            Step::Receiving { .. } => "PROPOSAL, COMMIT, INFORM or NEWLEADER",
            Step::Securing { .. } => "PROPOSAL, COMMIT or INFORM",
            Step::AwaitUpToDate { .. } => "PROPOSAL, COMMIT, INFORM or UPTODATE",
            Step::Live { .. } => "PROPOSAL, COMMIT, INFORM, PING, REVALIDATE or SYNC",
        }
    }
}

enum Refusal {
    StandDown(StandDown),
    Violation(Violation),
}

fn install(ground: &mut Ground, zxid: Zxid, body: Bytes, cx: &mut Cx<'_>) -> Result<(), Refusal> {
    cx.host.install(zxid, &body).map_err(|why| Refusal::Violation(Violation::Malformed(why)))?;
    ground.history.reset(zxid);
    ground.store(crate::effect::Record::Install { zxid, body }, cx.fx);
    ground.history_changed(cx);
    Ok(())
}

/// Refuses what is of no epoch up to the leader's: appended, it would stand above everything that later leaders propose.
fn belongs(zxid: Zxid, epoch: Epoch) -> Result<(), Refusal> {
    if (Epoch(0)..=epoch).contains(&zxid.epoch()) {
        return Ok(());
    }
    Err(Refusal::Violation(Violation::Unexpected {
        got: format!("transaction {zxid}"),
        expected: format!("one of an epoch up to {epoch}"),
    }))
}

/// Appends what continues the history; passes over what is there already (a learner can get a transaction both as
/// history and as a proposal).
fn append(ground: &mut Ground, epoch: Epoch, zxid: Zxid, txn: Bytes, cx: &mut Cx<'_>) -> Result<(), Refusal> {
    belongs(zxid, epoch)?;
    let last = ground.history.last();
    if zxid <= last {
        return if zxid <= ground.history.committed() || ground.history.get(zxid).is_some() {
            Ok(())
        } else {
            Err(Refusal::Violation(Violation::Gap { got: zxid, after: last }))
        };
    }
    // A state that was cut out of an epoch may be followed by any later epoch's first transaction.
    if !zxid.follows(last) {
        return Err(Refusal::Violation(Violation::Gap { got: zxid, after: last }));
    }
    cx.host.check(zxid, &txn).map_err(|why| Refusal::Violation(Violation::Malformed(why)))?;
    let change = reconfig::change_in(ground, cx.host, zxid, &txn);
    let change = change.map_err(|why| Refusal::Violation(Violation::Malformed(why)))?;
    ground.append(zxid, txn, change, cx);
    Ok(())
}

/// Remembers that the leader has committed `zxid`; it is applied with UPTODATE.
fn settle(ground: &Ground, settled: &mut Zxid, zxid: Zxid) -> Result<(), Refusal> {
    if zxid <= *settled {
        return Ok(());
    }
    if ground.history.get(zxid).is_none() {
        return Err(Refusal::Violation(Violation::UnknownCommit(zxid)));
    }
    *settled = zxid;
    Ok(())
}
