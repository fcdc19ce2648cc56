//! Three-phase commit: between votes and decision, PRE-COMMIT tells everybody that all have voted YES. So a participant
//! that hears nothing need not wait: it asks who is still there, and ends the transaction in the coordinator's place:
//! COMMIT if somebody is pre-committed, else ABORT. That is right while silence means death; it splits when the silent
//! ones are only cut off.
//!
//! Who ends it is settled by patience: each participant waits a little longer than the one before. A server that has
//! crashed in between takes no part in that; it asks for the outcome.

use crate::collections::{BTreeMap, BTreeSet};
use crate::compare::commitment::{Site, answer, word};
use crate::compare::core::{Letter, Msg as AnyMsg, Out, Picture, Testimony, Ticket, Timer, Write};
use crate::compare::note::{Stage, Turn};
use crate::compare::rows::Waiter;
use crate::id::{ServerId, Zxid};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use serde::Serialize;

// The order of these is what non-blocking rests on: locks before votes, votes and acknowledgements before decisions.
/// A participant's patience with a locked row, milliseconds.
const LOCK: u64 = 300;
/// The coordinator's patience with votes.
const VOTES: u64 = 400;
/// The coordinator's patience with acknowledgements of PRE-COMMIT.
const ACKS: u64 = 300;
/// The first participant's patience with the decision.
const DECISION: u64 = 900;
/// What each further participant waits longer.
const RANK: u64 = 250;
/// How long the answers to STATE? may take.
const COLLECT: u64 = 100;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Msg {
    Prepare(Zxid, Write),
    Vote(Zxid, bool),
    PreCommit(Zxid),
    PreCommitted(Zxid),
    Decision(Zxid, bool),
    AskState(Zxid),
    State(Zxid, bool),
    Ask(Zxid),
}

impl Msg {
    pub fn letter(&self) -> Letter {
        match self {
            Msg::Prepare(id, write) => Letter::new("PREPARE", format!("{id} {write}"), false),
            Msg::Vote(id, true) => Letter::new("YES", id.to_string(), true),
            Msg::Vote(id, false) => Letter::new("NO", id.to_string(), true),
            Msg::PreCommit(id) => Letter::new("PRE-COMMIT", id.to_string(), false),
            Msg::PreCommitted(id) => Letter::new("ACK", id.to_string(), true),
            Msg::Decision(id, true) => Letter::new("COMMIT", id.to_string(), false),
            Msg::Decision(id, false) => Letter::new("ABORT", id.to_string(), false),
            Msg::AskState(id) => Letter::new("STATE?", id.to_string(), false),
            Msg::State(id, true) => Letter::new("PRE-COMMITTED", id.to_string(), true),
            Msg::State(id, false) => Letter::new("UNCERTAIN", id.to_string(), true),
            Msg::Ask(id) => Letter::new("DECISION?", id.to_string(), false),
        }
    }
}

/// A transaction that this server coordinates.
#[derive(Clone, Debug, Default, Serialize)]
struct Conduct {
    ticket: Option<Ticket>,
    yes: BTreeSet<ServerId>,
    pre_committing: bool,
    acks: BTreeSet<ServerId>,
}

/// A transaction that this server ends in the coordinator's place.
#[derive(Clone, Debug, Default, Serialize)]
struct TakeOver {
    /// Who has answered, and whether it is pre-committed.
    states: BTreeMap<ServerId, bool>,
    /// PRE-COMMIT was sent to those who were uncertain.
    pre_committing: bool,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ThreePhase {
    site: Site,
    /// On disk too: the transactions of which it knows that all have voted YES.
    pre_committed: BTreeSet<Zxid>,
    conducts: BTreeMap<Zxid, Conduct>,
    taken_over: BTreeMap<Zxid, TakeOver>,
    /// Undecided here when it last started: it may only ask.
    recovered: BTreeSet<Zxid>,
}

impl ThreePhase {
    pub fn new(id: ServerId, all: &[ServerId]) -> ThreePhase {
        ThreePhase {
            site: Site::new(id, all),
            pre_committed: BTreeSet::new(),
            conducts: BTreeMap::new(),
            taken_over: BTreeMap::new(),
            recovered: BTreeSet::new(),
        }
    }

    pub fn crash(&mut self) {
        self.site.crash();
        self.conducts.clear();
        self.taken_over.clear();
        self.recovered.clear();
    }

    /// Recovery: everything undecided is asked about.
    pub fn start(&mut self, out: &mut Out<'_>) {
        for (id, write) in self.site.open() {
            self.site.rows.lock(id, &write.path);
            self.recovered.insert(id);
        }
        let begun = self.site.log.begun.keys().filter(|id| self.site.decision(**id).is_none());
        self.recovered.extend(begun.copied());
        self.site.last = self.recovered.iter().next_back().copied();
        for id in &self.recovered {
            out.timer(Timer::Decision(*id), 1);
        }
    }

    pub fn ask(&mut self, ticket: Ticket, write: Write, out: &mut Out<'_>) {
        let id = self.site.begin(&write, VOTES, out);
        self.conducts.insert(id, Conduct { ticket: Some(ticket), ..Conduct::default() });
        self.site.to_all(&AnyMsg::Three(Msg::Prepare(id, write)), out);
    }

    pub fn message(&mut self, from: ServerId, msg: Msg, out: &mut Out<'_>) {
        let id = match msg {
            Msg::Prepare(id, _) | Msg::Vote(id, _) | Msg::PreCommit(id) | Msg::PreCommitted(id) => id,
            Msg::Decision(id, _) | Msg::AskState(id) | Msg::State(id, _) | Msg::Ask(id) => id,
        };
        let reply = |m: Msg, out: &mut Out<'_>| out.send(from, AnyMsg::Three(m));
        if let Some(commit) = self.site.decision(id) {
            match msg {
                Msg::Prepare(..) => reply(Msg::Vote(id, false), out),
                Msg::Ask(_) | Msg::AskState(_) | Msg::PreCommit(_) => reply(Msg::Decision(id, commit), out),
                _ => {}
            }
            return;
        }
        match msg {
            Msg::Prepare(_, write) => {
                if !self.site.has_voted(id) {
                    self.prepare(Waiter { id, from, write }, out);
                }
            }
            Msg::Vote(_, yes) => self.vote(from, id, yes, out),
            Msg::PreCommit(_) if self.site.has_voted(id) => {
                if self.pre_committed.insert(id) {
                    self.site.last = Some(id);
                    out.written = true;
                    out.note(Turn::HasPreCommitted, id, "", &[]);
                }
                reply(Msg::PreCommitted(id), out);
                self.be_patient(id, out);
            }
            Msg::PreCommit(_) => {}
            Msg::PreCommitted(_) => self.pre_committed(from, id, out),
            Msg::Decision(_, commit) => {
                if from.0 != id.epoch().0 {
                    out.note(Turn::Finishes, id, word(commit), &[from]);
                }
                self.decided(id, commit, out);
            }
            Msg::AskState(_) if self.site.has_voted(id) => {
                if !self.recovered.contains(&id) {
                    reply(Msg::State(id, self.pre_committed.contains(&id)), out);
                    self.be_patient(id, out);
                }
            }
            Msg::Ask(_) if self.site.has_voted(id) || self.site.log.begun.contains_key(&id) => {}
            Msg::AskState(_) if self.site.log.begun.contains_key(&id) => {}
            // It has not voted: it may decide alone.
            Msg::AskState(_) | Msg::Ask(_) => {
                self.decided(id, false, out);
                reply(Msg::Decision(id, false), out);
            }
            Msg::State(_, pre) => {
                if let Some(taken) = self.taken_over.get_mut(&id) {
                    taken.states.insert(from, pre);
                }
            }
        }
    }

    pub fn timer(&mut self, timer: Timer, out: &mut Out<'_>) {
        match timer {
            Timer::Votes(id) if self.conducts.get(&id).is_some_and(|c| !c.pre_committing) => {
                self.decide(id, false, out);
            }
            // Who has not acknowledged counts as dead, and will ask when it comes back.
            Timer::Acks(id) if self.conducts.contains_key(&id) => self.decide(id, true, out),
            Timer::Lock(id) => {
                if let Some(coordinator) = self.site.give_up(id, out) {
                    self.decided(id, false, out);
                    out.send(coordinator, AnyMsg::Three(Msg::Vote(id, false)));
                }
            }
            Timer::Decision(id) if self.site.decision(id).is_none() => {
                if self.recovered.contains(&id) {
                    let mut asked = self.site.others();
                    asked.extend(Some(ServerId(id.epoch().0)).filter(|c| *c != self.site.id && !asked.contains(c)));
                    out.note(Turn::AsksPeers, id, "", &asked);
                    for to in asked {
                        out.send(to, AnyMsg::Three(Msg::Ask(id)));
                    }
                    out.timer(Timer::Decision(id), DECISION);
                } else {
                    out.note(Turn::TakesOver, id, "", &[]);
                    self.site.last = Some(id);
                    let own = self.pre_committed.contains(&id);
                    let states = BTreeMap::from([(self.site.id, own)]);
                    self.taken_over.insert(id, TakeOver { states, pre_committing: false });
                    for to in self.site.others() {
                        out.send(to, AnyMsg::Three(Msg::AskState(id)));
                    }
                    out.timer(Timer::Collect(id), COLLECT);
                }
            }
            Timer::Collect(id) if self.site.decision(id).is_none() => self.end(id, out),
            _ => {}
        }
    }

    /// The states are in: what the survivors know decides.
    fn end(&mut self, id: Zxid, out: &mut Out<'_>) {
        let Some(taken) = self.taken_over.get_mut(&id) else { return };
        let heard: Vec<ServerId> = taken.states.keys().copied().collect();
        let any = taken.states.values().any(|pre| *pre);
        let all = taken.states.values().all(|pre| *pre);
        if any && !all && !taken.pre_committing {
            taken.pre_committing = true;
            let late: Vec<ServerId> = taken.states.iter().filter(|(_, pre)| !**pre).map(|(s, _)| *s).collect();
            out.note(Turn::PreCommits, id, "", &late);
            for to in late {
                out.send(to, AnyMsg::Three(Msg::PreCommit(id)));
            }
            out.timer(Timer::Collect(id), COLLECT);
            return;
        }
        out.note(if any { Turn::SomePreCommitted } else { Turn::NonePreCommitted }, id, "", &heard);
        self.decided(id, any, out);
        for to in self.site.others() {
            out.send(to, AnyMsg::Three(Msg::Decision(id, any)));
        }
        let coordinator = ServerId(id.epoch().0);
        if !self.site.participants.contains(&coordinator) {
            out.send(coordinator, AnyMsg::Three(Msg::Decision(id, any)));
        }
    }

    fn prepare(&mut self, w: Waiter, out: &mut Out<'_>) {
        let id = w.id;
        if self.site.prepare(w, AnyMsg::Three(Msg::Vote(id, true)), LOCK, out) {
            self.be_patient(id, out);
        }
    }

    fn vote(&mut self, from: ServerId, id: Zxid, yes: bool, out: &mut Out<'_>) {
        let Some(conduct) = self.conducts.get_mut(&id) else { return };
        if !yes {
            return self.decide(id, false, out);
        }
        conduct.yes.insert(from);
        if conduct.yes.len() == self.site.participants.len() && !conduct.pre_committing {
            conduct.pre_committing = true;
            out.stop(Timer::Votes(id));
            out.timer(Timer::Acks(id), ACKS);
            out.note(Turn::PreCommits, id, "", &self.site.participants);
            self.site.to_all(&AnyMsg::Three(Msg::PreCommit(id)), out);
        }
    }

    /// Somebody is pre-committed: the coordinator, or who took its place, counts.
    fn pre_committed(&mut self, from: ServerId, id: Zxid, out: &mut Out<'_>) {
        if let Some(taken) = self.taken_over.get_mut(&id) {
            taken.states.insert(from, true);
        }
        let Some(conduct) = self.conducts.get_mut(&id) else { return };
        conduct.acks.insert(from);
        if conduct.acks.len() == self.site.participants.len() {
            self.decide(id, true, out);
        }
    }

    /// The coordinator decides.
    fn decide(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        let Some(conduct) = self.conducts.get(&id).filter(|_| self.site.decision(id).is_none()) else { return };
        let heard: Vec<ServerId> = if commit { &conduct.acks } else { &conduct.yes }.iter().copied().collect();
        out.note(if commit { Turn::DecidesCommit } else { Turn::DecidesAbort }, id, "", &heard);
        self.decided(id, commit, out);
    }

    /// The decision is written; the coordinator tells it to its client and to all, also when others have made it.
    fn decided(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        if self.site.decision(id).is_some() {
            return;
        }
        self.taken_over.remove(&id);
        self.recovered.remove(&id);
        if let Some(conduct) = self.conducts.remove(&id) {
            if let Some(ticket) = conduct.ticket {
                answer(ticket, id, commit, out);
            }
            for to in self.site.others() {
                out.send(to, AnyMsg::Three(Msg::Decision(id, commit)));
            }
        }
        for timer in [Timer::Collect(id), Timer::Votes(id), Timer::Acks(id)] {
            out.stop(timer);
        }
        for next in self.site.settle(id, commit, out) {
            self.prepare(next, out);
        }
    }

    /// Waits for the decision, each participant a little longer than the one before.
    fn be_patient(&self, id: Zxid, out: &mut Out<'_>) {
        if !self.recovered.contains(&id) && !self.taken_over.contains_key(&id) {
            let rank = self.site.participants.iter().position(|p| *p == self.site.id).unwrap_or(0) as u64;
            out.timer(Timer::Decision(id), DECISION + rank * RANK);
        }
    }

    pub fn testimony(&self) -> Testimony {
        self.site.testimony()
    }

    pub fn picture(&self) -> Picture {
        let conduct = self.conducts.iter().next();
        let open = self.site.open();
        let (stage, about) = match (open.first(), conduct) {
            (Some((id, _)), _) if self.recovered.contains(id) => (Stage::Blocked, Some(*id)),
            (Some((id, _)), _) if self.pre_committed.contains(id) => (Stage::PreCommitted, Some(*id)),
            (Some((id, _)), _) => (Stage::Prepared, Some(*id)),
            (None, Some((id, c))) if c.pre_committing => (Stage::PreCommitting, Some(*id)),
            (None, Some((id, _))) => (Stage::Collecting, Some(*id)),
            (None, None) => match self.site.ended() {
                Some((stage, id)) => (stage, Some(id)),
                None if !self.recovered.is_empty() => (Stage::Blocked, self.site.last),
                None => (Stage::Idle, None),
            },
        };
        let heard = conduct.map(|(id, c)| (*id, if c.pre_committing { &c.acks } else { &c.yes }));
        let taken = self.taken_over.iter().next().map(|(id, t)| (*id, t.states.keys().copied().collect()));
        let outstanding = heard.map(|(id, by)| (id, by.iter().copied().collect())).or(taken).into_iter().collect();
        self.site.picture(conduct.is_some() || !self.taken_over.is_empty(), stage, about, outstanding)
    }
}
