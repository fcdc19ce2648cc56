//! Leading: discovery, synchronisation, broadcast from the leader's side (quorum-protocol §6, §7, §9).

use crate::collections::{BTreeMap, BTreeSet, order};
use crate::config::{BrokenRule, MemberKind};
use crate::effect::DropReason;
use crate::error::Violation;
use crate::id::{ConnId, Epoch, Lsn, ServerId, Zxid};
use crate::note::{Note, PhaseName, StandDown, SyncKind};
use crate::status::{Deadline, Timer, TimerKind};
use crate::time::Instant;
use crate::wire::peer::{LearnerInfo, PROTOCOL_VERSION, PeerMsg};
use crate::zab::sync::plan;
use crate::zab::{Cx, Ground, PeerEvent, Verdict, reconfig};
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Bound;

/// A leader's role.
#[derive(Clone, Debug)]
pub struct Leader {
    stage: Stage,
    learners: BTreeMap<ConnId, LearnerConn>,
    /// When the current stage has taken too long (before broadcast).
    deadline: Instant,
    /// When the learners are pinged next (in broadcast).
    ping_at: Instant,
    /// Every second ping is a whole tick, at which the quorum is checked.
    half_tick: bool,
    /// Proposals not committed yet and who has acknowledged them.
    outstanding: BTreeMap<Zxid, BTreeSet<ServerId>>,
    last_proposed: Zxid,
    /// Who leads from now on, once its learners have heard of it: this leader commits nothing any more.
    heir: Option<ServerId>,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Hearing what epochs the others have accepted.
    Discovery { heard: BTreeMap<ServerId, Epoch> },
    /// The own promise is on its way to the disk.
    Promising { epoch: Epoch, lsn: Lsn },
    /// LEADERINFO is out.
    Agreeing { epoch: Epoch, promised: BTreeSet<ServerId> },
    /// The epoch is agreed: the learners take over the history.
    Synchronization { epoch: Epoch, lsn: Lsn, secured: BTreeSet<ServerId> },
    /// In office.
    Broadcast { epoch: Epoch },
}

#[derive(Clone, Debug)]
struct LearnerConn {
    server: ServerId,
    /// It follows: it gets proposals and acknowledges them. Whether that counts is the configuration's business.
    votes: bool,
    step: LearnerStep,
    heard: Instant,
    /// The proposal it owes an acknowledgement for the longest, and since when.
    owes: Option<(Zxid, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LearnerStep {
    /// FOLLOWERINFO came.
    Greeted,
    /// LEADERINFO is sent.
    Informed,
    /// ACKEPOCH came: its log ends at `last`.
    Promised { last: Zxid },
    /// History and NEWLEADER are sent; from now on it gets every proposal.
    Receiving,
    /// NEWLEADER is acknowledged.
    Secured,
    /// UPTODATE is sent.
    Live,
}

impl Leader {
    pub(super) fn new(ground: &Ground, now: Instant) -> Leader {
        Leader {
            stage: Stage::Discovery { heard: BTreeMap::from([(ground.config.id, ground.accepted)]) },
            learners: BTreeMap::new(),
            deadline: now + ground.config.init_time(),
            ping_at: now,
            half_tick: false,
            outstanding: BTreeMap::new(),
            last_proposed: Zxid::ZERO,
            heir: None,
        }
    }

    /// The epoch it is in office for.
    pub fn established(&self) -> Option<Epoch> {
        match self.stage {
            Stage::Broadcast { epoch } => Some(epoch),
            _ => None,
        }
    }

    pub(super) fn phase(&self) -> PhaseName {
        match self.stage {
            Stage::Discovery { .. } | Stage::Promising { .. } | Stage::Agreeing { .. } => PhaseName::Discovery,
            Stage::Synchronization { .. } => PhaseName::Synchronization,
            Stage::Broadcast { .. } => PhaseName::Broadcast,
        }
    }

    pub(super) fn epoch(&self, ground: &Ground) -> Epoch {
        match self.stage {
            Stage::Discovery { .. } => ground.current,
            Stage::Promising { epoch, .. }
            | Stage::Agreeing { epoch, .. }
            | Stage::Synchronization { epoch, .. }
            | Stage::Broadcast { epoch } => epoch,
        }
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.learners.keys().copied()
    }

    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.learners.contains_key(&conn)
    }

    /// Proposals not committed yet and who has acknowledged them.
    pub fn outstanding(&self) -> impl DoubleEndedIterator<Item = (Zxid, &BTreeSet<ServerId>)> {
        self.outstanding.iter().map(|(z, s)| (*z, s))
    }

    /// The last zxid given out in this epoch; its start when there was none.
    pub fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    /// Who leads after it, if that is decided.
    pub(super) fn heir(&self) -> Option<ServerId> {
        self.heir
    }

    /// Those that follow and have on their disks what there was when they came.
    pub(super) fn followers_in_sync(&self) -> BTreeSet<ServerId> {
        let holds = |step| matches!(step, LearnerStep::Secured | LearnerStep::Live);
        self.learners.values().filter(|l| l.votes && holds(l.step)).map(|l| l.server).collect()
    }

    /// Learners that hold the history and get every proposal.
    pub fn synced_learners(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.learners.values().filter(|l| matches!(l.step, LearnerStep::Live)).map(|l| l.server)
    }

    pub(super) fn timers(&self, ground: &Ground) -> Vec<Timer> {
        let config = &ground.config;
        if !matches!(self.stage, Stage::Broadcast { .. }) {
            return alloc::vec![Timer { what: TimerKind::Join, at: self.deadline, whole: config.init_time() }];
        }
        let whole = config.sync_time();
        let tick = Timer { what: TimerKind::Tick, at: self.ping_at, whole: config.tick / 2 };
        // It gives up with the voter whose silence leaves less than a quorum.
        let mut silent: Vec<Instant> = self
            .learners
            .values()
            .filter(|l| l.votes && l.step.gets_proposals() && ground.members.is_voter(l.server))
            .map(|l| l.owes.map_or(l.heard, |(_, since)| since.min(l.heard)) + whole)
            .collect();
        order::sort_by(&mut silent, |a, b| b.cmp(a));
        let others = ground.members.quorum_size().saturating_sub(1);
        let quorum = others.checked_sub(1).map(|last| {
            let at = silent.get(last).copied().unwrap_or(self.ping_at);
            Timer { what: TimerKind::QuorumSilent, at, whole }
        });
        quorum.into_iter().chain([tick]).collect()
    }

    pub(super) fn next_deadline(&self) -> (Instant, Deadline) {
        match self.stage {
            Stage::Broadcast { .. } => (self.ping_at, Deadline::Tick),
            _ => (self.deadline, Deadline::Join),
        }
    }

    /// `None` unless in broadcast; `Some(None)` when the counter is used up.
    pub(super) fn next_zxid(&self) -> Option<Option<Zxid>> {
        match self.stage {
            // Nothing that it proposed could be committed.
            _ if self.heir.is_some() => None,
            // The last counter is never proposed (quorum-protocol §16).
            Stage::Broadcast { .. } => Some(self.last_proposed.next().filter(|z| z.counter() != u32::MAX)),
            _ => None,
        }
    }

    pub(super) fn propose(&mut self, ground: &mut Ground, zxid: Zxid, txn: Bytes, cx: &mut Cx<'_>) -> Verdict {
        self.last_proposed = zxid;
        self.outstanding.insert(zxid, BTreeSet::new());
        cx.fx.note(|| Note::Proposed { zxid });
        for (conn, learner) in &mut self.learners {
            if learner.votes && learner.step.gets_proposals() {
                cx.send(*conn, PeerMsg::Proposal { zxid, txn: txn.clone() });
                learner.owes.get_or_insert((zxid, cx.now.mono));
            }
        }
        let change = reconfig::change_in(ground, cx.host, zxid, &txn).ok().flatten();
        ground.append(zxid, txn, change, cx);
        if ground.breaks(BrokenRule::AckBeforeSync) {
            self.acknowledge(ground, ground.config.id, zxid, cx);
        }
        Ok(())
    }

    pub(super) fn on_packet(&mut self, ground: &mut Ground, conn: ConnId, msg: PeerMsg, cx: &mut Cx<'_>) -> Verdict {
        let promised = match &msg {
            PeerMsg::FollowerInfo { accepted, info } if ground.members.member(info.server).is_some() => Some(*accepted),
            PeerMsg::ObserverInfo { accepted, info } if ground.members.member(info.server).is_some() => Some(*accepted),
            _ => None,
        };
        let outcome = match msg {
            PeerMsg::FollowerInfo { accepted, info } => self.greet(ground, conn, accepted, &info, true, cx),
            PeerMsg::ObserverInfo { accepted, info } => self.greet(ground, conn, accepted, &info, false, cx),
            PeerMsg::Unknown { .. } => Ok(()),
            msg => self.on_learner_packet(ground, conn, msg, cx),
        };
        match outcome {
            Ok(()) if promised.is_some_and(|promised| self.is_passed_by(promised)) => {
                // Whoever leads next need not hear it again: it may come too late for that.
                ground.promised_elsewhere = ground.promised_elsewhere.max(promised.unwrap_or(Epoch(0)));
                if !ground.breaks(BrokenRule::IgnoreEpoch) {
                    return Err(StandDown::StaleLeader);
                }
            }
            Ok(()) => {}
            Err(why) => {
                cx.drop_conn(conn, why);
                self.forget(conn, cx);
            }
        }
        self.advance(ground, cx)
    }

    /// Whether a member has promised a later epoch than ours (to a leader that did not come about). It can't follow us,
    /// now or ever, as long as we lead; a new round gives all of them an epoch above its promise. (In Apache it stays
    /// outside until the leader changes for another reason.)
    fn is_passed_by(&self, promised: Epoch) -> bool {
        match &self.stage {
            Stage::Discovery { .. } | Stage::Promising { .. } => false,
            Stage::Agreeing { epoch, .. } | Stage::Synchronization { epoch, .. } | Stage::Broadcast { epoch } => {
                promised > *epoch
            }
        }
    }

    fn greet(
        &mut self,
        ground: &mut Ground,
        conn: ConnId,
        accepted: Epoch,
        info: &LearnerInfo,
        follower: bool,
        cx: &mut Cx<'_>,
    ) -> Result<(), DropReason> {
        let server = info.server;
        if let Some(learner) = self.learners.get(&conn) {
            return Err(unexpected("FOLLOWERINFO", learner.step));
        }
        let foreign = |what| Err(DropReason::Violation(Violation::ForeignId(what)));
        if server == ground.config.id {
            return foreign(format!("a learner claims server id {server}, which is ours"));
        }
        // Where members change, a server may not know yet, or not any more, what it is: then its vote does not count.
        if !ground.config.reconfig.is_enabled() {
            let Some(member) = ground.members.member(server) else {
                return foreign(format!("a learner claims server id {server}, which is not in the configuration"));
            };
            if follower != (member.kind == MemberKind::Participant) {
                return foreign(format!("server {server} does not join in the role that the configuration gives it"));
            }
        }
        if info.config_version > ground.members.last_seen().version() {
            return Err(DropReason::NewerConfig);
        }
        let end = ground.epochs_end();
        if accepted >= end {
            // No epoch could follow it: one such claim must not keep the others from having a leader.
            let got = format!("FOLLOWERINFO with accepted epoch {accepted}");
            let expected = format!("an epoch below {end}");
            return Err(DropReason::Violation(Violation::Unexpected { got, expected }));
        }
        // The same server anew: its old connection is dead, whether TCP knows it or not.
        let older: Vec<_> = self.learners.iter().filter(|(_, l)| l.server == server).map(|(c, _)| *c).collect();
        for old in older {
            cx.drop_conn(old, DropReason::Replaced);
            self.forget(old, cx);
        }
        let votes = follower;
        // What a stranger has promised binds nobody.
        let counts = ground.members.member(server).is_some();
        let mut learner = LearnerConn { server, votes, step: LearnerStep::Greeted, heard: cx.now.mono, owes: None };
        match &mut self.stage {
            Stage::Discovery { heard } => {
                if counts {
                    heard.insert(server, accepted);
                }
            }
            Stage::Promising { .. } => {}
            Stage::Agreeing { epoch, .. } | Stage::Synchronization { epoch, .. } | Stage::Broadcast { epoch } => {
                cx.send(conn, PeerMsg::LeaderInfo { epoch: *epoch, protocol: PROTOCOL_VERSION });
                learner.step = LearnerStep::Informed;
            }
        }
        self.learners.insert(conn, learner);
        Ok(())
    }

    fn on_learner_packet(
        &mut self,
        ground: &mut Ground,
        conn: ConnId,
        msg: PeerMsg,
        cx: &mut Cx<'_>,
    ) -> Result<(), DropReason> {
        let Some(learner) = self.learners.get_mut(&conn) else { return Ok(()) };
        learner.heard = cx.now.mono;
        let (server, votes) = (learner.server, learner.votes);
        match (learner.step, msg) {
            (LearnerStep::Informed, PeerMsg::AckEpoch { last, current }) => {
                // A promise is one whatever its server joins as: one that observes may not know yet that it is to vote.
                let counts = ground.members.is_voter(server);
                if let Stage::Agreeing { promised, .. } = &mut self.stage
                    && let Some(current) = current
                    && (votes || counts)
                {
                    let ours = (ground.current, ground.claim());
                    if counts && (current, last) > ours && !ground.breaks(BrokenRule::IgnoreEpoch) {
                        // The others may still be a quorum without it. If they are not soon, the next election is more
                        // likely to find the better leader than this one's patience is to bring anybody else (in
                        // Apache it lasts for the whole `initLimit`).
                        if ground.members.committed.may_lead(server) {
                            self.deadline = self.deadline.min(cx.now.mono + ground.config.tick);
                        }
                        return Err(DropReason::LearnerIsAhead);
                    }
                    promised.insert(server);
                }
                learner.step = LearnerStep::Promised { last };
                if matches!(self.stage, Stage::Synchronization { .. } | Stage::Broadcast { .. }) {
                    self.synchronize(ground, conn, cx);
                }
                Ok(())
            }
            (LearnerStep::Receiving, PeerMsg::Ack { zxid }) => {
                match &mut self.stage {
                    Stage::Synchronization { epoch, secured, .. } if zxid == epoch.start() => {
                        learner.step = LearnerStep::Secured;
                        if votes {
                            secured.insert(server);
                        }
                    }
                    Stage::Broadcast { epoch } if zxid == epoch.start() => {
                        learner.step = LearnerStep::Live;
                        // From now on the shorter limit holds, so what it owes counts from now on.
                        learner.owes = learner.owes.map(|(zxid, _)| (zxid, cx.now.mono));
                        cx.send(conn, PeerMsg::UpToDate);
                    }
                    _ => return Err(unexpected("ACK of another zxid than NEWLEADER's", learner.step)),
                }
                Ok(())
            }
            (LearnerStep::Secured | LearnerStep::Live, PeerMsg::Ack { zxid }) => {
                let last = self.last_proposed.max(ground.history.last());
                if zxid > last && zxid.counter() != 0 {
                    return Err(DropReason::Violation(Violation::Unexpected {
                        got: format!("ACK of {zxid}"),
                        expected: format!("none above {last}, the last that was proposed"),
                    }));
                }
                if votes && zxid.counter() != 0 {
                    if learner.owes.is_some_and(|(owed, _)| owed <= zxid) {
                        let next = self.outstanding.range((Bound::Excluded(zxid), Bound::Unbounded)).next();
                        learner.owes = next.map(|(z, _)| (*z, cx.now.mono));
                    }
                    self.acknowledge(ground, server, zxid, cx);
                }
                Ok(())
            }
            (LearnerStep::Receiving | LearnerStep::Secured | LearnerStep::Live, PeerMsg::Pong { touched, .. }) => {
                if !touched.is_empty() {
                    cx.events.push(PeerEvent::Touched { conn, sessions: touched });
                }
                Ok(())
            }
            (LearnerStep::Live, PeerMsg::Request(request)) => {
                cx.events.push(PeerEvent::Request { conn, request });
                Ok(())
            }
            (LearnerStep::Live, PeerMsg::Revalidate { session, timeout_ms }) => {
                cx.events.push(PeerEvent::Revalidate { conn, session, timeout_ms });
                Ok(())
            }
            (step, msg) => Err(unexpected(msg.name(), step)),
        }
    }

    /// Sends a learner whatever its log lacks, and NEWLEADER behind it; from here on it gets every proposal, so that
    /// nothing can fall between (known-faults, G1).
    fn synchronize(&mut self, ground: &mut Ground, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        let LearnerStep::Promised { last } = learner.step else { return };
        let (epoch, established) = match self.stage {
            Stage::Synchronization { epoch, .. } => (epoch, false),
            Stage::Broadcast { epoch } => (epoch, true),
            _ => return,
        };
        let committed = if established { ground.history.committed() } else { ground.history.last() };
        let plan = plan(last, &ground.history, committed);
        match plan.kind {
            SyncKind::Diff => cx.send(conn, PeerMsg::Diff { target: plan.zxid }),
            SyncKind::Trunc => cx.send(conn, PeerMsg::Trunc { to: plan.zxid }),
            SyncKind::Snap => {
                let applied = ground.history.committed();
                let ahead: Vec<_> =
                    ground.history.after(applied).take_while(|e| e.zxid <= committed).cloned().collect();
                let body = cx.host.snapshot(&ahead);
                cx.send(conn, PeerMsg::Snap { zxid: plan.zxid, body });
            }
        }
        let mut sent = 0;
        for entry in ground.history.after(plan.from) {
            let is_committed = entry.zxid <= committed;
            if is_committed || learner.votes {
                cx.send(conn, PeerMsg::Proposal { zxid: entry.zxid, txn: entry.txn.clone() });
                sent += 1;
            }
            if is_committed {
                cx.send(conn, PeerMsg::Commit { zxid: entry.zxid });
            } else if learner.votes {
                learner.owes.get_or_insert((entry.zxid, cx.now.mono));
            }
        }
        cx.send(conn, PeerMsg::NewLeader { epoch, config: ground.members.last_seen().text() });
        learner.step = LearnerStep::Receiving;
        let server = learner.server;
        cx.fx.note(|| Note::SyncPlanned {
            learner: server,
            kind: plan.kind,
            learner_last: last,
            oldest: plan.oldest,
            committed,
            sent,
        });
    }

    /// Counts an acknowledgement and commits, strictly in order, whatever has its quorum.
    fn acknowledge(&mut self, ground: &mut Ground, by: ServerId, zxid: Zxid, cx: &mut Cx<'_>) {
        let Some(acks) = self.outstanding.get_mut(&zxid) else { return };
        if !acks.insert(by) {
            return;
        }
        let have = acks.iter().filter(|s| ground.members.is_voter(**s)).count();
        let need = ground.members.quorum_size();
        cx.fx.note(|| Note::Acked { zxid, by, have, need });
        while let Some((next, acks)) = self.outstanding.first_key_value() {
            let enough = ground.members.commits(*next, acks)
                || (ground.breaks(BrokenRule::OldQuorumOnly) && ground.members.committed.has_quorum(acks))
                || (ground.breaks(BrokenRule::CommitWithoutQuorum) && !acks.is_empty());
            if !enough || self.heir.is_some() {
                break;
            }
            let Some((next, acks)) = self.outstanding.pop_first() else { break };
            self.commit(ground, next, &acks, cx);
        }
    }

    fn commit(&mut self, ground: &mut Ground, zxid: Zxid, acks: &BTreeSet<ServerId>, cx: &mut Cx<'_>) {
        let designated =
            ground.is_open_change(zxid).then(|| ground.heir(acks.iter().copied(), self.outstanding.values()));
        let txn = ground.history.get(zxid).map(|e| e.txn.clone());
        for (conn, learner) in &self.learners {
            if !learner.step.gets_proposals() {
                continue;
            }
            match (designated, &txn) {
                (None, _) if learner.votes => cx.send(*conn, PeerMsg::Commit { zxid }),
                (None, Some(txn)) => cx.send(*conn, PeerMsg::Inform { zxid, txn: txn.clone() }),
                (Some(designated), _) if learner.votes => {
                    cx.send(*conn, PeerMsg::CommitAndActivate { zxid, designated });
                }
                (Some(designated), Some(txn)) => {
                    cx.send(*conn, PeerMsg::InformAndActivate { zxid, designated, txn: txn.clone() });
                }
                (_, None) => {}
            }
        }
        ground.commit_upto(zxid, cx);
        if let Some(to) = designated.filter(|to| *to != ground.config.id) {
            self.hand_over(to, cx);
        }
    }

    /// It leads no longer, but stays until its learners have heard so, and its clients their answers.
    fn hand_over(&mut self, to: ServerId, cx: &mut Cx<'_>) {
        cx.fx.note(|| Note::HandsOver { to });
        self.heir = Some(to);
    }

    pub(super) fn on_synced(&mut self, ground: &mut Ground, cx: &mut Cx<'_>) -> Verdict {
        let durable = ground.durable();
        let me = ground.config.id;
        let ready: Vec<_> =
            self.outstanding.range(..=durable).filter(|(_, acks)| !acks.contains(&me)).map(|(z, _)| *z).collect();
        for zxid in ready {
            self.acknowledge(ground, me, zxid, cx);
        }
        self.advance(ground, cx)
    }

    pub(super) fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Verdict {
        let server = self.learners.get(&conn).map(|l| l.server);
        self.forget(conn, cx);
        // Those who have heard that another one leads go to it.
        if self.heir.is_some() && server == self.heir { Err(StandDown::Reconfigured) } else { Ok(()) }
    }

    /// A learner's connection is over. What it acknowledged and is not committed must be acknowledged anew: when it
    /// comes back, its log may be cut to what is committed by then.
    fn forget(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(learner) = self.learners.remove(&conn) else { return };
        for acks in self.outstanding.values_mut() {
            acks.remove(&learner.server);
        }
        cx.events.push(PeerEvent::LearnerGone { conn });
    }

    pub(super) fn on_tick(&mut self, ground: &mut Ground, cx: &mut Cx<'_>) -> Verdict {
        let now = cx.now.mono;
        if !matches!(self.stage, Stage::Broadcast { .. }) {
            return if now >= self.deadline { Err(StandDown::NoQuorumInTime) } else { Ok(()) };
        }
        if now < self.ping_at {
            return Ok(());
        }
        if self.heir.is_some() {
            return Err(StandDown::Reconfigured);
        }
        self.ping_at = now + ground.config.tick / 2;
        self.half_tick = !self.half_tick;
        let patience = ground.config.sync_time();
        let silent: Vec<_> = self
            .learners
            .iter()
            .filter(|(_, l)| {
                let limit = if l.step == LearnerStep::Live { patience } else { ground.config.init_time() };
                l.heard + limit < now || l.owes.is_some_and(|(_, since)| since + limit < now)
            })
            .map(|(c, _)| *c)
            .collect();
        for conn in silent {
            cx.drop_conn(conn, DropReason::Silent);
            self.forget(conn, cx);
        }
        if !self.half_tick {
            let mut alive: BTreeSet<_> =
                self.learners.values().filter(|l| l.step.gets_proposals()).map(|l| l.server).collect();
            alive.insert(ground.config.id);
            if !ground.members.has_quorum(&alive) {
                return Err(StandDown::LostQuorum);
            }
        }
        for (conn, learner) in &self.learners {
            if learner.step.gets_proposals() {
                cx.send(*conn, PeerMsg::Ping { zxid: self.last_proposed });
            }
        }
        Ok(())
    }

    /// Goes as far through the stages as what is known allows.
    pub(super) fn advance(&mut self, ground: &mut Ground, cx: &mut Cx<'_>) -> Verdict {
        let me = ground.config.id;
        loop {
            match &mut self.stage {
                Stage::Discovery { heard } => {
                    let servers: BTreeSet<_> = heard.keys().copied().collect();
                    if !ground.members.has_quorum(&servers) {
                        return Ok(());
                    }
                    let highest =
                        heard.values().copied().max().unwrap_or(ground.accepted).max(ground.promised_elsewhere);
                    let highest = if ground.breaks(BrokenRule::IgnoreEpoch) { ground.current } else { highest };
                    if highest >= Epoch::LAST {
                        return Err(StandDown::CounterUsedUp);
                    }
                    let epoch = highest.next();
                    cx.fx.note(|| Note::EpochProposed { epoch, heard: servers.into_iter().collect() });
                    let lsn = ground.accept_epoch(epoch, cx.fx);
                    self.stage = Stage::Promising { epoch, lsn };
                }
                Stage::Promising { epoch, lsn } => {
                    if ground.synced < *lsn {
                        return Ok(());
                    }
                    let epoch = *epoch;
                    for (conn, learner) in &mut self.learners {
                        cx.send(*conn, PeerMsg::LeaderInfo { epoch, protocol: PROTOCOL_VERSION });
                        learner.step = LearnerStep::Informed;
                    }
                    self.deadline = cx.now.mono + ground.config.init_time();
                    self.stage = Stage::Agreeing { epoch, promised: BTreeSet::from([me]) };
                }
                Stage::Agreeing { epoch, promised } => {
                    if !ground.members.has_quorum(promised) {
                        return Ok(());
                    }
                    let epoch = *epoch;
                    cx.fx.note(|| Note::EpochAgreed { epoch, by: promised.iter().copied().collect() });
                    ground.forget_hearsay(cx);
                    ground.name_first_members(epoch, cx);
                    let lsn = ground.begin_epoch(epoch, cx.fx);
                    self.deadline = cx.now.mono + ground.config.init_time();
                    self.stage = Stage::Synchronization { epoch, lsn, secured: BTreeSet::new() };
                    let ready: Vec<_> = self.connections().collect();
                    for conn in ready {
                        self.synchronize(ground, conn, cx);
                    }
                }
                Stage::Synchronization { epoch, lsn, secured } => {
                    if ground.synced >= *lsn {
                        secured.insert(me);
                    }
                    if !ground.members.has_quorum(secured) {
                        return Ok(());
                    }
                    let (epoch, by) = (*epoch, core::mem::take(secured));
                    self.stage = Stage::Broadcast { epoch };
                    self.establish(ground, epoch, by, cx);
                }
                Stage::Broadcast { .. } => return Ok(()),
            }
        }
    }

    /// A quorum holds the initial history durably: it is committed, and clients may come.
    fn establish(&mut self, ground: &mut Ground, epoch: Epoch, by: BTreeSet<ServerId>, cx: &mut Cx<'_>) {
        self.last_proposed = epoch.start();
        self.ping_at = cx.now.mono + ground.config.tick / 2;
        let holders: Vec<ServerId> = by.into_iter().collect();
        cx.fx.note(|| Note::Established { epoch, by: holders.clone() });
        ground.remembers(cx.fx);
        ground.commit_upto(ground.history.last(), cx);
        ground.settle_members(ground.history.last(), Some(epoch.start().0), cx);
        let heir = ground.heir(holders, []);
        for (conn, learner) in &mut self.learners {
            learner.heard = cx.now.mono;
            if learner.step == LearnerStep::Secured {
                learner.step = LearnerStep::Live;
                cx.send(*conn, PeerMsg::UpToDate);
            }
        }
        cx.events.push(PeerEvent::Established);
        if heir != ground.config.id {
            self.hand_over(heir, cx);
        }
    }
}

impl LearnerStep {
    fn gets_proposals(self) -> bool {
        matches!(self, LearnerStep::Receiving | LearnerStep::Secured | LearnerStep::Live)
    }

    fn expects(self) -> &'static str {
        match self {
            LearnerStep::Greeted => "nothing before LEADERINFO",
            LearnerStep::Informed => "ACKEPOCH",
            LearnerStep::Promised { .. } => "nothing before its synchronisation",
            LearnerStep::Receiving => "ACK of NEWLEADER or PING",
            LearnerStep::Secured => "ACK or PING",
            LearnerStep::Live => "ACK, PING, REQUEST or REVALIDATE",
        }
    }
}

fn unexpected(got: &str, step: LearnerStep) -> DropReason {
    DropReason::Violation(Violation::Unexpected { got: got.into(), expected: step.expects().into() })
}
