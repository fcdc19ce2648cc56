//! Two-phase commit: PREPARE and votes, then the decision. Presumed abort; participants that hear nothing ask each
//! other, and are blocked when nobody knows.
//!
//! Server 1 has no rows. Every other server is a participant of every transaction; whoever a client asks coordinates.

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

/// The coordinator's patience with votes, milliseconds.
const VOTES: u64 = 3000;
/// A participant's patience with a locked row: then it votes NO.
const LOCK: u64 = 2000;
/// A participant's patience with the decision, and the time between two questions.
const DECISION: u64 = 600;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Msg {
    Prepare(Zxid, Write),
    Vote(Zxid, bool),
    Decision(Zxid, bool),
    Done(Zxid),
    Ask(Zxid),
    Uncertain(Zxid),
}

impl Msg {
    pub fn letter(&self) -> Letter {
        match self {
            Msg::Prepare(id, write) => Letter::new("PREPARE", format!("{id} {write}"), false),
            Msg::Vote(id, true) => Letter::new("YES", id.to_string(), true),
            Msg::Vote(id, false) => Letter::new("NO", id.to_string(), true),
            Msg::Decision(id, true) => Letter::new("COMMIT", id.to_string(), false),
            Msg::Decision(id, false) => Letter::new("ABORT", id.to_string(), false),
            Msg::Done(id) => Letter::new("ACK", id.to_string(), true),
            Msg::Ask(id) => Letter::new("DECISION?", id.to_string(), false),
            Msg::Uncertain(id) => Letter::new("UNCERTAIN", id.to_string(), true),
        }
    }
}

/// A transaction that this server coordinates and that is not decided, or not acknowledged by all.
#[derive(Clone, Debug, Default, Serialize)]
struct Conduct {
    ticket: Option<Ticket>,
    yes: BTreeSet<ServerId>,
    done: BTreeSet<ServerId>,
    /// The decision has left.
    told: bool,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TwoPhase {
    site: Site,
    conducts: BTreeMap<Zxid, Conduct>,
    /// Who has answered UNCERTAIN.
    uncertain: BTreeMap<Zxid, BTreeSet<ServerId>>,
}

impl TwoPhase {
    pub fn new(id: ServerId, all: &[ServerId]) -> TwoPhase {
        TwoPhase { site: Site::new(id, all), conducts: BTreeMap::new(), uncertain: BTreeMap::new() }
    }

    pub fn crash(&mut self) {
        self.site.crash();
        self.conducts.clear();
        self.uncertain.clear();
    }

    /// Recovery: what was begun and not decided is aborted, what was decided is sent again, what was voted for is
    /// locked again and asked about.
    pub fn start(&mut self, out: &mut Out<'_>) {
        for (id, write) in self.site.open() {
            self.site.rows.lock(id, &write.path);
            self.site.last = Some(id);
            out.timer(Timer::Decision(id), 1);
        }
        for id in self.site.log.begun.keys().copied().collect::<Vec<_>>() {
            self.site.last = Some(id);
            self.conducts.insert(id, Conduct::default());
            match self.site.decision(id) {
                Some(commit) => {
                    out.note(Turn::ResendsDecision, id, word(commit), &[]);
                    self.tell(id, commit, out);
                }
                None => {
                    out.note(Turn::PresumesAbort, id, "", &[]);
                    self.decide(id, false, out);
                }
            }
        }
    }

    pub fn ask(&mut self, ticket: Ticket, write: Write, out: &mut Out<'_>) {
        let id = self.site.begin(&write, VOTES, out);
        self.conducts.insert(id, Conduct { ticket: Some(ticket), ..Conduct::default() });
        self.site.to_all(&AnyMsg::Two(Msg::Prepare(id, write)), out);
    }

    pub fn message(&mut self, from: ServerId, msg: Msg, out: &mut Out<'_>) {
        let mut reply = |m: Msg| out.send(from, AnyMsg::Two(m));
        match msg {
            Msg::Prepare(id, write) => match self.site.decision(id) {
                Some(_) => reply(Msg::Vote(id, false)),
                None if self.site.has_voted(id) => reply(Msg::Vote(id, true)),
                None => self.prepare(Waiter { id, from, write }, out),
            },
            Msg::Vote(id, yes) => self.vote(from, id, yes, out),
            Msg::Decision(id, commit) => {
                self.learn(from, id, commit, out);
                if from.0 == id.epoch().0 {
                    out.send(from, AnyMsg::Two(Msg::Done(id)));
                }
            }
            Msg::Done(id) => {
                if let Some(conduct) = self.conducts.get_mut(&id) {
                    conduct.done.insert(from);
                    if conduct.done.len() == self.site.participants.len() {
                        self.conducts.remove(&id);
                        self.site.log.begun.remove(&id);
                    }
                }
            }
            Msg::Ask(id) => match self.site.decision(id) {
                Some(commit) => reply(Msg::Decision(id, commit)),
                None if self.site.has_voted(id) => reply(Msg::Uncertain(id)),
                // A coordinator that still collects votes will tell when it knows.
                None if self.site.log.begun.contains_key(&id) => {}
                // It has not voted: it may decide alone, and votes NO should it be asked.
                None => {
                    self.decided(id, false, out);
                    out.send(from, AnyMsg::Two(Msg::Decision(id, false)));
                }
            },
            Msg::Uncertain(id) => {
                if self.site.decision(id).is_some() {
                    return;
                }
                let known = self.uncertain.entry(id).or_default();
                let news = known.insert(from);
                if news && known.len() + 1 == self.site.participants.len() {
                    self.site.last = Some(id);
                    let by: Vec<ServerId> = known.iter().copied().collect();
                    out.note(Turn::IsBlocked, id, "", &by);
                }
            }
        }
    }

    pub fn timer(&mut self, timer: Timer, out: &mut Out<'_>) {
        match timer {
            Timer::Votes(id) if self.site.decision(id).is_none() => self.decide(id, false, out),
            Timer::Lock(id) => {
                if let Some(coordinator) = self.site.give_up(id, out) {
                    self.decided(id, false, out);
                    out.send(coordinator, AnyMsg::Two(Msg::Vote(id, false)));
                }
            }
            Timer::Decision(id) if self.site.decision(id).is_none() => {
                let mut asked = self.site.others();
                let coordinator = ServerId(id.epoch().0);
                if coordinator != self.site.id && !asked.contains(&coordinator) {
                    asked.push(coordinator);
                }
                if !self.uncertain.contains_key(&id) {
                    out.note(Turn::AsksPeers, id, "", &asked);
                }
                for to in asked {
                    out.send(to, AnyMsg::Two(Msg::Ask(id)));
                }
                out.timer(Timer::Decision(id), DECISION * 2);
            }
            _ => {}
        }
    }

    /// Locks the row and votes, or waits for the row.
    fn prepare(&mut self, w: Waiter, out: &mut Out<'_>) {
        let id = w.id;
        self.site.last.get_or_insert(id);
        if self.site.prepare(w, AnyMsg::Two(Msg::Vote(id, true)), LOCK, out) {
            out.timer(Timer::Decision(id), DECISION);
        }
    }

    /// The coordinator counts.
    fn vote(&mut self, from: ServerId, id: Zxid, yes: bool, out: &mut Out<'_>) {
        let Some(conduct) = self.conducts.get_mut(&id) else { return };
        if !yes {
            return self.decide(id, false, out);
        }
        conduct.yes.insert(from);
        if conduct.yes.len() == self.site.participants.len() {
            self.decide(id, true, out);
        }
    }

    /// The coordinator decides: written first, then told.
    fn decide(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        let Some(conduct) = self.conducts.get_mut(&id) else { return };
        if conduct.told || self.site.decision(id).is_some_and(|before| before != commit) {
            return;
        }
        conduct.told = true;
        let turn = if commit { Turn::DecidesCommit } else { Turn::DecidesAbort };
        let yes: Vec<ServerId> = conduct.yes.iter().copied().collect();
        out.note(turn, id, "", &yes);
        if let Some(ticket) = conduct.ticket.take() {
            answer(ticket, id, commit, out);
        }
        out.stop(Timer::Votes(id));
        self.decided(id, commit, out);
        self.tell(id, commit, out);
    }

    fn tell(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        for to in self.site.others() {
            out.send(to, AnyMsg::Two(Msg::Decision(id, commit)));
        }
        if self.site.participants.contains(&self.site.id) {
            out.send(self.site.id, AnyMsg::Two(Msg::Done(id)));
        }
    }

    /// A participant hears the decision.
    fn learn(&mut self, from: ServerId, id: Zxid, commit: bool, out: &mut Out<'_>) {
        if self.site.decision(id).is_some() {
            return;
        }
        if from.0 != id.epoch().0 {
            out.note(Turn::Finishes, id, word(commit), &[from]);
        }
        self.decided(id, commit, out);
    }

    /// The decision is written, the row is freed, the next in line gets it.
    fn decided(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        if self.site.decision(id).is_some() {
            return;
        }
        self.uncertain.remove(&id);
        for next in self.site.settle(id, commit, out) {
            self.prepare(next, out);
        }
    }

    fn is_blocked(&self, id: Zxid) -> bool {
        self.uncertain.get(&id).is_some_and(|known| known.len() + 1 == self.site.participants.len())
    }

    pub fn testimony(&self) -> Testimony {
        self.site.testimony()
    }

    pub fn picture(&self) -> Picture {
        let open = self.site.open();
        let collecting = self.site.log.begun.keys().find(|id| self.site.decision(**id).is_none()).copied();
        let (stage, about) = if let Some((id, _)) = open.iter().find(|(id, _)| self.is_blocked(*id)) {
            (Stage::Blocked, Some(*id))
        } else if let Some((id, _)) = open.first() {
            (Stage::Prepared, Some(*id))
        } else if let Some(id) = collecting {
            (Stage::Collecting, Some(id))
        } else {
            self.site.ended().map_or((Stage::Idle, None), |(stage, id)| (stage, Some(id)))
        };
        let heard = about.and_then(|id| Some((id, self.conducts.get(&id)?)));
        let outstanding = heard.map(|(id, c)| (id, c.yes.iter().copied().collect())).into_iter().collect();
        self.site.picture(collecting.is_some(), stage, about, outstanding)
    }
}
