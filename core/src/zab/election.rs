//! Fast leader election (quorum-protocol §3): everyone shows the best vote it has heard of, until more than half show
//! the same one and nothing better comes for a moment.

use crate::collections::{BTreeMap, BTreeSet};
use crate::config::BrokenRule;
use crate::effect::Effect;
use crate::id::ServerId;
use crate::note::{Decider, Note};
use crate::status::{Deadline, Timer, TimerKind};
use crate::time::Instant;
use crate::wire::notification::{Notification, ServerState, Vote};
use crate::zab::{Cx, Ground, Peer, Role};
use alloc::vec::Vec;
use core::time::Duration;

/// Notifications kept while the log is still being written.
const EARLY_MAX: usize = 100;

/// One election.
#[derive(Clone, Debug)]
pub enum Election {
    /// Not begun: the vote names the end of the log, so the log has to be durable first (known-faults, rule 1).
    Waiting {
        /// Not before this either.
        until: Option<Instant>,
        /// What came meanwhile, oldest first.
        early: Vec<(ServerId, Notification)>,
    },
    /// Under way.
    Voting(Voting),
}

/// An election under way.
#[derive(Clone, Debug)]
pub struct Voting {
    own: Vote,
    proposal: Vote,
    /// The votes of this round, by voter, with the state the voter was in.
    ballots: BTreeMap<ServerId, Ballot>,
    /// What servers that are not looking say, of any round.
    outside: BTreeMap<ServerId, Ballot>,
    patience: Duration,
    resend_at: Instant,
    finalize_at: Option<Instant>,
    /// The best vote heard of that is not the proposal, to explain the outcome.
    runner_up: Option<Vote>,
    /// Voters that look for a leader and have no transaction, as far as a server wants to know that that has lost its
    /// memory.
    empty: BTreeSet<ServerId>,
    /// Those whose election port has refused a connection since they were heard last in this election.
    gone: BTreeSet<ServerId>,
}

/// A vote as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ballot {
    vote: Vote,
    round: i64,
    state: ServerState,
    version: i32,
}

impl Ballot {
    /// Whether two votes count as the same: exactly, among those who look; by leader and epoch, among those who have
    /// a leader already (their zxids are of different elections); by leader alone against the oldest format.
    fn agrees(&self, other: &Ballot) -> bool {
        let looking = self.state == ServerState::Looking || other.state == ServerState::Looking;
        if looking {
            self.vote == other.vote && self.round == other.round
        } else if (self.version == 0) != (other.version == 0) {
            self.vote.leader == other.vote.leader
        } else {
            self.vote.leader == other.vote.leader && self.vote.epoch == other.vote.epoch
        }
    }
}

impl Election {
    /// An election that has not begun, and is not to before `until`.
    pub(super) fn waiting(until: Option<Instant>) -> Election {
        Election::Waiting { until, early: Vec::new() }
    }

    /// Whether it has not begun.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Election::Waiting { .. })
    }

    /// The vote shown at the moment.
    pub fn proposal(&self) -> Option<Vote> {
        match self {
            Election::Waiting { .. } => None,
            Election::Voting(v) => Some(v.proposal),
        }
    }

    /// The votes of this round by voter.
    pub fn ballots(&self) -> Vec<(ServerId, Vote)> {
        match self {
            Election::Waiting { .. } => Vec::new(),
            Election::Voting(v) => v.ballots.iter().map(|(s, b)| (*s, b.vote)).collect(),
        }
    }

    pub(super) fn timers(&self, ground: &Ground) -> Vec<Timer> {
        let Election::Voting(v) = self else { return Vec::new() };
        let finalize =
            v.finalize_at.map(|at| Timer { what: TimerKind::Finalize, at, whole: ground.config.finalize_wait });
        let votes = Timer { what: TimerKind::Votes, at: v.resend_at, whole: v.patience };
        finalize.into_iter().chain([votes]).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<(Instant, Deadline)> {
        match self {
            Election::Waiting { until, .. } => until.map(|at| (at, Deadline::Notifications)),
            Election::Voting(v) => Some(match v.finalize_at {
                Some(at) if at <= v.resend_at => (at, Deadline::Finalize),
                _ => (v.resend_at, Deadline::Notifications),
            }),
        }
    }
}

impl Voting {
    /// Its own vote is no longer what it was, and counts for nobody.
    pub(super) fn take_back(&mut self, me: ServerId, own: Vote) {
        self.own = own;
        self.proposal = own;
        self.ballots.remove(&me);
        self.finalize_at = None;
    }

    /// Notes whether a voter has nothing.
    pub(super) fn has_nothing(&mut self, voter: ServerId, nothing: bool) {
        if nothing {
            self.empty.insert(voter);
        } else {
            self.empty.remove(&voter);
        }
    }

    /// Whether that is so for all of these.
    pub(super) fn all_have_nothing(&self, mut voters: impl Iterator<Item = ServerId>) -> bool {
        voters.all(|voter| self.empty.contains(&voter))
    }

    fn adopt(&mut self, vote: Vote) {
        if self.proposal != vote {
            self.consider(self.proposal);
        }
        self.proposal = vote;
        self.finalize_at = None;
    }

    fn consider(&mut self, other: Vote) {
        if other.leader != ServerId::NONE
            && other.leader != self.proposal.leader
            && self.runner_up.is_none_or(|r| other > r)
        {
            self.runner_up = Some(other);
        }
    }

    /// Voters in `of` whose ballot agrees with `like`.
    fn supporters(of: &BTreeMap<ServerId, Ballot>, like: &Ballot) -> BTreeSet<ServerId> {
        of.iter().filter(|(_, b)| b.agrees(like)).map(|(s, _)| *s).collect()
    }

    /// Whether `leader` may be joined: it says itself that it leads, or it is us and of our round.
    fn leader_stands(&self, of: &BTreeMap<ServerId, Ballot>, leader: ServerId, me: ServerId, same_round: bool) -> bool {
        if leader == me {
            return same_round;
        }
        of.get(&leader).is_some_and(|b| b.state == ServerState::Leading && b.vote.leader == leader)
    }
}

impl Peer {
    /// Begins a new round, once everything asked of storage is durable.
    pub(super) fn begin_election(&mut self, cx: &mut Cx<'_>) {
        let Role::Looking(Election::Waiting { until, early }) = &mut self.role else { return };
        if until.is_some_and(|at| cx.now.mono < at) || !self.ground.is_settled() {
            return;
        }
        let early = core::mem::take(early);
        // Others can bring any round up; at the end of the numbers the same one serves again.
        self.round = self.round.saturating_add(1);
        let own = self.ground.own_vote();
        let me = self.ground.config.id;
        let mut ballots = BTreeMap::new();
        if self.ground.votes() {
            ballots.insert(me, Ballot { vote: own, round: self.round, state: ServerState::Looking, version: 2 });
        }
        let patience = self.ground.config.min_notification;
        self.role = Role::Looking(Election::Voting(Voting {
            own,
            proposal: own,
            ballots,
            outside: BTreeMap::new(),
            patience,
            resend_at: cx.now.mono + patience,
            finalize_at: None,
            runner_up: None,
            empty: BTreeSet::new(),
            gone: BTreeSet::new(),
        }));
        cx.fx.note(|| Note::ElectionStarted { round: self.round, vote: own });
        self.broadcast_vote(cx);
        self.count_votes(cx);
        for (from, note) in early {
            self.on_notification(from, note, cx);
        }
    }

    fn broadcast_vote(&self, cx: &mut Cx<'_>) {
        let note = self.notification();
        for to in self.ground.members.voters().into_iter().filter(|s| *s != self.ground.config.id) {
            cx.fx.push(Effect::Notify { to, note: note.clone() });
        }
    }

    pub(super) fn on_notification(&mut self, from: ServerId, note: Notification, cx: &mut Cx<'_>) {
        if self.weigh_memory(from, &note, cx) {
            return;
        }
        let Role::Looking(election) = &mut self.role else {
            // Only who asks is answered: two that answer whatever they hear would go on for ever.
            if note.state == ServerState::Looking {
                cx.fx.push(Effect::Notify { to: from, note: self.notification() });
            }
            return;
        };
        match election {
            Election::Waiting { early, .. } => {
                // Only a server's newest word matters.
                early.retain(|(sender, _)| *sender != from);
                if early.len() >= EARLY_MAX {
                    early.remove(0);
                }
                early.push((from, note));
                return;
            }
            Election::Voting(_) => {}
        }
        if let Some(newer) = self.ground.newer_members(from, &note.config, cx.fx) {
            let like = newer.is_like(&self.ground.members.committed);
            self.ground.activate(newer, cx);
            if !like {
                // Whoever counts in this election may not be who counts.
                self.role = Role::Looking(Election::Waiting { until: None, early: alloc::vec![(from, note)] });
                self.begin_election(cx);
                return;
            }
        }
        let Role::Looking(Election::Voting(voting)) = &mut self.role else { return };
        voting.gone.remove(&from);
        let members = &self.ground.members;
        if !members.is_voter(from) {
            if self.ground.is_voter() {
                cx.fx.push(Effect::Notify { to: from, note: self.notification() });
            }
            return;
        }
        if note.state == ServerState::Looking {
            // What it said while it had a leader holds no longer: to dial a leader of that time would be in vain.
            voting.outside.remove(&from);
            voting.ballots.retain(|server, ballot| *server != from || ballot.state == ServerState::Looking);
        }
        let (me, behind) = (self.ground.config.id, note.state == ServerState::Looking && note.round < self.round);
        // Where members change, who has no vote may have one as the others know it.
        let votes = self.ground.votes() || (!self.ground.is_voter() && self.ground.config.reconfig.is_enabled());
        let follows = voting.proposal.leader == ServerId::NONE && votes && note.vote.leader != me;
        if behind && follows && members.may_lead(note.vote.leader) {
            // Who has nobody to vote for goes down to the round of those who have: nobody goes up to the round of a vote
            // for nobody.
            self.round = note.round;
            voting.ballots.clear();
        } else if behind {
            // An observer's round is nobody's business; and voters answer an observer whatever it says, so that the
            // two would go on for ever.
            if self.ground.is_voter() {
                cx.fx.push(Effect::Notify { to: from, note: self.notification() });
            }
            return;
        }
        if note.state == ServerState::Looking
            && (note.round, from) == (self.round, voting.proposal.leader)
            && self.ground.beats(&voting.proposal, &note.vote)
        {
            // What it is elected for it has no longer: this round can't come to anything good.
            self.role = Role::Looking(Election::Waiting { until: None, early: alloc::vec![(from, note)] });
            self.begin_election(cx);
            return;
        }
        // Who has lost its memory elects nobody: it waits for one who is elected by the others.
        let elects = self.ground.votes() || !self.ground.is_voter();
        if !members.may_lead(note.vote.leader) || (note.state == ServerState::Looking && !elects) {
            return;
        }
        let later = note.state == ServerState::Looking && note.round > self.round;
        if later {
            self.round = note.round;
            voting.ballots.clear();
            voting.adopt(voting.own);
            cx.fx.note(|| Note::RoundJoined { from, round: note.round });
        }
        if note.vote.leader == self.ground.config.id && voting.own.leader != self.ground.config.id {
            // A vote of its own from before it lost its memory, which others still show: it is told that it holds no
            // longer, and counts for nothing.
            if later {
                voting.resend_at = cx.now.mono + voting.patience;
                self.broadcast_vote(cx);
            }
            return;
        }
        let ballot = Ballot { vote: note.vote, round: note.round, state: note.state, version: note.version };
        match note.state {
            ServerState::Looking => {
                let better = self.ground.beats(&note.vote, &voting.proposal);
                if better {
                    let over = voting.proposal;
                    voting.adopt(note.vote);
                    cx.fx.note(|| Note::VoteAdopted {
                        from,
                        vote: note.vote,
                        over,
                        by: Decider::between(&note.vote, &over),
                    });
                } else {
                    voting.consider(note.vote);
                }
                voting.ballots.insert(from, ballot);
                if self.ground.is_voter() {
                    let vote = voting.proposal;
                    let own = Ballot { vote, round: self.round, state: ServerState::Looking, version: 2 };
                    voting.ballots.insert(self.ground.config.id, own);
                }
                if later || better {
                    // Only our own words put the next one off, not what we hear (as in Apache): two servers that go on
                    // telling a worse vote would keep us from ever telling them the better one.
                    voting.resend_at = cx.now.mono + voting.patience;
                    self.broadcast_vote(cx);
                }
                self.count_votes(cx);
            }
            ServerState::Following | ServerState::Leading => self.hear_of_leader(from, ballot, cx),
            ServerState::Observing => {}
        }
    }

    /// Looks whether a quorum holds our proposal; if so, any word re-arms the last wait for a better vote.
    fn count_votes(&mut self, cx: &mut Cx<'_>) {
        let round = self.round;
        let Role::Looking(Election::Voting(voting)) = &mut self.role else { return };
        let like = Ballot { vote: voting.proposal, round, state: ServerState::Looking, version: 2 };
        let supporters = Voting::supporters(&voting.ballots, &like);
        if !self.ground.members.has_quorum(&supporters) || like.vote.leader == ServerId::NONE {
            voting.finalize_at = None;
            return;
        }
        if voting.finalize_at.is_none() {
            let vote = voting.proposal;
            cx.fx.note(|| Note::QuorumOfVotes { vote, voters: supporters.iter().copied().collect() });
        }
        voting.finalize_at = Some(cx.now.mono + self.ground.config.finalize_wait);
        self.settle_early(cx);
    }

    /// A voter's machine says that the voter does not run.
    pub(super) fn on_refused(&mut self, by: ServerId, cx: &mut Cx<'_>) {
        if let Role::Looking(Election::Voting(voting)) = &mut self.role {
            voting.gone.insert(by);
            self.settle_early(cx);
        }
    }

    /// Ends the last wait at once if nobody is left whose vote could be a better one. Not for safety: whoever is elected
    /// needs a quorum whose histories are no longer than its own ([`crate::zab::leader`]); the wait only makes it likely
    /// that this is found in one round. Who comes back now would have come too late anyway, a moment later.
    fn settle_early(&mut self, cx: &Cx<'_>) {
        let Role::Looking(Election::Voting(voting)) = &mut self.role else { return };
        if !self.ground.config.settles_early || voting.finalize_at.is_none() {
            return;
        }
        let agrees = |voter: &ServerId| {
            voting.ballots.get(voter).is_some_and(|b| b.vote == voting.proposal && b.state == ServerState::Looking)
        };
        if self.ground.members.voters().iter().all(|voter| agrees(voter) || voting.gone.contains(voter)) {
            voting.finalize_at = Some(cx.now.mono);
        }
    }

    /// A server that has a leader answered: join that leader if a quorum says the same and it says so itself.
    ///
    /// A quorum of the members in force is enough, also while a change is open: to join elects nobody. The proposed
    /// members could not always show one: those who are observers until the change is committed do not say that they
    /// follow, and the one that looks does not count itself, yet the change may need just its acknowledgement.
    fn hear_of_leader(&mut self, from: ServerId, ballot: Ballot, cx: &mut Cx<'_>) {
        let me = self.ground.config.id;
        let round = self.round;
        let Role::Looking(Election::Voting(voting)) = &mut self.role else { return };
        let members = &self.ground.members.committed;
        // See `memory` for why the leader's own word has to be of that epoch too.
        let witness = self.ground.memory.is_lost().then_some(ballot.vote.leader);
        let enough = |supporters: &BTreeSet<ServerId>| {
            members.has_quorum(supporters) && witness.is_none_or(|leader| supporters.contains(&leader))
        };
        let leader = ballot.vote.leader;
        let mut joined = None;
        if ballot.round == round {
            voting.ballots.insert(from, ballot);
            let supporters = Voting::supporters(&voting.ballots, &ballot);
            if enough(&supporters) && voting.leader_stands(&voting.ballots, leader, me, true) {
                joined = Some(supporters);
            }
        }
        voting.outside.insert(from, ballot);
        if joined.is_none() {
            let supporters = Voting::supporters(&voting.outside, &ballot);
            let same_round = ballot.round == round;
            if enough(&supporters) && voting.leader_stands(&voting.outside, leader, me, same_round) {
                joined = Some(supporters);
            }
        }
        let waits_for_leader = joined.is_none() && enough(&Voting::supporters(&voting.ballots, &ballot));
        if waits_for_leader && self.ground.config.settles_early {
            // A quorum has it, but its word is not here: perhaps it settled before it knew of us. It is asked soon,
            // however long this election has been going on already.
            voting.patience = self.ground.config.min_notification;
            voting.resend_at = voting.resend_at.min(cx.now.mono + voting.patience);
        }
        if let Some(supporters) = joined {
            self.round = ballot.round;
            self.settled = ballot.vote;
            cx.fx.note(|| Note::JoinsLeader { leader, voters: supporters.into_iter().collect() });
            self.take_role(leader, cx);
        }
    }

    pub(super) fn on_election_tick(&mut self, cx: &mut Cx<'_>) {
        if let Role::Looking(Election::Waiting { until, .. }) = &mut self.role
            && until.is_some_and(|at| at <= cx.now.mono)
        {
            // Storage may still be busy: then it is what the election waits for.
            *until = None;
            self.begin_election(cx);
            return;
        }
        let Role::Looking(Election::Voting(voting)) = &mut self.role else { return };
        let now = cx.now.mono;
        if voting.finalize_at.is_some_and(|at| at <= now) {
            let vote = voting.proposal;
            let like = Ballot { vote, round: self.round, state: ServerState::Looking, version: 2 };
            let voters: Vec<_> = Voting::supporters(&voting.ballots, &like).into_iter().collect();
            let runner_up = voting.runner_up.filter(|r| r.leader != vote.leader);
            self.settled = vote;
            cx.fx.note(|| Note::Elected {
                leader: vote.leader,
                vote,
                voters,
                runner_up: runner_up.map(|r| (r, Decider::between(&vote, &r))),
            });
            self.take_role(vote.leader, cx);
        } else if voting.resend_at <= now && voting.finalize_at.is_some() {
            // Decided but for the last wait: to say the same again would only make the others wait longer.
            voting.resend_at = now + voting.patience;
        } else if voting.resend_at <= now {
            let doubled = voting.patience.saturating_mul(2);
            // Nobody waits for the word of a server without memory, so nobody tells it that a leader is found: it asks.
            let lost = self.ground.memory.is_lost();
            let most = if lost { self.ground.config.tick } else { self.ground.config.max_notification };
            voting.patience = doubled.min(most).min(self.ground.config.max_notification);
            voting.resend_at = now + voting.patience;
            self.broadcast_vote(cx);
        }
    }

    /// Whether votes ignore the epoch on purpose.
    pub fn ignores_epoch(&self) -> bool {
        self.ground.breaks(BrokenRule::IgnoreEpoch)
    }
}
