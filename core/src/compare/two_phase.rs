//! Two-phase commit: PREPARE and votes, then the decision. Presumed abort; participants that hear nothing ask each
//! other, and are blocked when nobody knows.
//!
//! Server 1 has no rows. Every other server is a participant of every transaction; whoever a client asks coordinates.

use crate::collections::{BTreeMap, BTreeSet, order};
use crate::compare::core::{Letter, Msg as AnyMsg, Out, Picture, Testimony, Ticket, Timer, Write};
use crate::compare::note::{Fact, Role, Stage, Turn};
use crate::compare::rows::{Rows, Waiter};
use crate::id::{Epoch, ServerId, Zxid};
use crate::sim::view::{LogCell, Shown};
use alloc::format;
use alloc::string::{String, ToString};
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

/// What survives a crash.
#[derive(Clone, Debug, Default, Serialize)]
struct Disk {
    /// The number of the last transaction begun here.
    counter: u32,
    /// Transactions begun here.
    begun: BTreeMap<Zxid, Write>,
    /// Transactions voted YES for, in order of voting.
    prepared: Vec<(Zxid, Write)>,
    /// Decisions made or learnt.
    decided: BTreeMap<Zxid, bool>,
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
    id: ServerId,
    participants: Vec<ServerId>,
    disk: Disk,
    rows: Rows,
    conducts: BTreeMap<Zxid, Conduct>,
    /// Who has answered UNCERTAIN.
    uncertain: BTreeMap<Zxid, BTreeSet<ServerId>>,
    /// The transaction spoken of last.
    last: Option<Zxid>,
}

impl TwoPhase {
    pub fn new(id: ServerId, all: &[ServerId]) -> TwoPhase {
        TwoPhase {
            id,
            participants: all.iter().copied().skip(1).collect(),
            disk: Disk::default(),
            rows: Rows::default(),
            conducts: BTreeMap::new(),
            uncertain: BTreeMap::new(),
            last: None,
        }
    }

    pub fn crash(&mut self) {
        self.rows.crash();
        self.conducts.clear();
        self.uncertain.clear();
        self.last = None;
    }

    /// Recovery: what was begun and not decided is aborted, what was decided is sent again, what was voted for is
    /// locked again and asked about.
    pub fn start(&mut self, out: &mut Out<'_>) {
        for (id, write) in self.open() {
            self.rows.lock(id, &write.path);
            self.last = Some(id);
            out.timer(Timer::Decision(id), 1);
        }
        for id in self.disk.begun.keys().copied().collect::<Vec<_>>() {
            self.last = Some(id);
            self.conducts.insert(id, Conduct::default());
            match self.disk.decided.get(&id) {
                Some(commit) => {
                    out.note(Turn::ResendsDecision, id, word(*commit), &[]);
                    self.tell(id, *commit, out);
                }
                None => {
                    out.note(Turn::PresumesAbort, id, "", &[]);
                    self.decide(id, false, out);
                }
            }
        }
    }

    pub fn ask(&mut self, ticket: Ticket, write: Write, out: &mut Out<'_>) {
        self.disk.counter += 1;
        let id = Zxid::new(Epoch(self.id.0), self.disk.counter);
        self.disk.begun.insert(id, write.clone());
        out.written = true;
        self.conducts.insert(id, Conduct { ticket: Some(ticket), ..Conduct::default() });
        self.last = Some(id);
        out.note(Turn::Begins, id, &write, &self.participants);
        for to in self.participants.clone() {
            out.send(to, AnyMsg::Two(Msg::Prepare(id, write.clone())));
        }
        out.timer(Timer::Votes(id), VOTES);
    }

    pub fn message(&mut self, from: ServerId, msg: Msg, out: &mut Out<'_>) {
        let mut reply = |m: Msg| out.send(from, AnyMsg::Two(m));
        match msg {
            Msg::Prepare(id, write) => match self.disk.decided.get(&id) {
                Some(_) => reply(Msg::Vote(id, false)),
                None if self.has_voted(id) => reply(Msg::Vote(id, true)),
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
                    if conduct.done.len() == self.participants.len() {
                        self.conducts.remove(&id);
                        self.disk.begun.remove(&id);
                    }
                }
            }
            Msg::Ask(id) => match self.disk.decided.get(&id) {
                Some(commit) => reply(Msg::Decision(id, *commit)),
                None if self.has_voted(id) => reply(Msg::Uncertain(id)),
                // A coordinator that still collects votes will tell when it knows.
                None if self.disk.begun.contains_key(&id) => {}
                // It has not voted: it may decide alone, and votes NO should it be asked.
                None => {
                    self.decided(id, false, out);
                    out.send(from, AnyMsg::Two(Msg::Decision(id, false)));
                }
            },
            Msg::Uncertain(id) => {
                if self.disk.decided.contains_key(&id) {
                    return;
                }
                let known = self.uncertain.entry(id).or_default();
                let news = known.insert(from);
                if news && known.len() + 1 == self.participants.len() {
                    self.last = Some(id);
                    let by: Vec<ServerId> = known.iter().copied().collect();
                    out.note(Turn::IsBlocked, id, "", &by);
                }
            }
        }
    }

    pub fn timer(&mut self, timer: Timer, out: &mut Out<'_>) {
        match timer {
            Timer::Votes(id) if !self.disk.decided.contains_key(&id) => self.decide(id, false, out),
            Timer::Lock(id) if self.rows.waits(id) => {
                if let Some(w) = self.rows.waiting().iter().find(|w| w.id == id).cloned() {
                    out.note(Turn::VotesNo, id, &w.write, &[]);
                    self.decided(id, false, out);
                    out.send(w.from, AnyMsg::Two(Msg::Vote(id, false)));
                }
            }
            Timer::Decision(id) if !self.disk.decided.contains_key(&id) => {
                let mut asked: Vec<ServerId> = self.participants.iter().copied().filter(|p| *p != self.id).collect();
                let coordinator = ServerId(id.epoch().0);
                if coordinator != self.id && !asked.contains(&coordinator) {
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
        self.last.get_or_insert(w.id);
        if !self.rows.lock(w.id, &w.write.path) {
            out.note(Turn::WaitsForLock, w.id, &w.write, &[]);
            out.timer(Timer::Lock(w.id), LOCK);
            self.rows.wait(w);
            return;
        }
        out.stop(Timer::Lock(w.id));
        self.last = Some(w.id);
        out.note(Turn::VotesYes, w.id, &w.write, &[]);
        self.disk.prepared.push((w.id, w.write));
        out.written = true;
        out.send(w.from, AnyMsg::Two(Msg::Vote(w.id, true)));
        out.timer(Timer::Decision(w.id), DECISION);
    }

    /// The coordinator counts.
    fn vote(&mut self, from: ServerId, id: Zxid, yes: bool, out: &mut Out<'_>) {
        let Some(conduct) = self.conducts.get_mut(&id) else { return };
        if !yes {
            return self.decide(id, false, out);
        }
        conduct.yes.insert(from);
        if conduct.yes.len() == self.participants.len() {
            self.decide(id, true, out);
        }
    }

    /// The coordinator decides: written first, then told.
    fn decide(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        let Some(conduct) = self.conducts.get_mut(&id) else { return };
        if conduct.told || self.disk.decided.get(&id).is_some_and(|before| *before != commit) {
            return;
        }
        conduct.told = true;
        let turn = if commit { Turn::DecidesCommit } else { Turn::DecidesAbort };
        let yes: Vec<ServerId> = conduct.yes.iter().copied().collect();
        out.note(turn, id, "", &yes);
        if let Some(ticket) = conduct.ticket.take() {
            let text = if commit { format!("committed {id}") } else { format!("aborted {id}") };
            out.answer(ticket, text, !commit, Some(id));
        }
        out.stop(Timer::Votes(id));
        self.decided(id, commit, out);
        self.tell(id, commit, out);
    }

    fn tell(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        for to in self.participants.iter().filter(|p| **p != self.id) {
            out.send(*to, AnyMsg::Two(Msg::Decision(id, commit)));
        }
        if self.participants.contains(&self.id) {
            out.send(self.id, AnyMsg::Two(Msg::Done(id)));
        }
    }

    /// A participant hears the decision.
    fn learn(&mut self, from: ServerId, id: Zxid, commit: bool, out: &mut Out<'_>) {
        if self.disk.decided.contains_key(&id) {
            return;
        }
        if from.0 != id.epoch().0 {
            out.note(Turn::Finishes, id, word(commit), &[from]);
        }
        self.decided(id, commit, out);
    }

    /// The decision is written, the row is freed, the next in line gets it.
    fn decided(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) {
        if self.disk.decided.insert(id, commit).is_some() {
            return;
        }
        out.written = true;
        self.last = Some(id);
        self.uncertain.remove(&id);
        out.stop(Timer::Decision(id));
        out.stop(Timer::Lock(id));
        if let Some((_, write)) = self.disk.prepared.iter().find(|(p, _)| *p == id) {
            out.note(if commit { Turn::Commits } else { Turn::Aborts }, id, write, &[]);
            if commit {
                self.rows.apply(id, write);
            }
        }
        for next in self.rows.free(id) {
            self.prepare(next, out);
        }
    }

    fn has_voted(&self, id: Zxid) -> bool {
        self.disk.prepared.iter().any(|(p, _)| *p == id)
    }

    /// Voted for, not decided.
    fn open(&self) -> Vec<(Zxid, Write)> {
        self.disk.prepared.iter().filter(|(id, _)| !self.disk.decided.contains_key(id)).cloned().collect()
    }

    fn is_blocked(&self, id: Zxid) -> bool {
        self.uncertain.get(&id).is_some_and(|known| known.len() + 1 == self.participants.len())
    }

    pub fn testimony(&self) -> Testimony {
        Testimony::Commit {
            voted: self.disk.prepared.iter().map(|(id, _)| *id).collect(),
            decided: self.disk.decided.iter().map(|(id, commit)| (*id, *commit)).collect(),
        }
    }

    pub fn picture(&self) -> Picture {
        let open = self.open();
        let collecting = self.disk.begun.keys().find(|id| !self.disk.decided.contains_key(id)).copied();
        let (stage, about) = if let Some((id, _)) = open.iter().find(|(id, _)| self.is_blocked(*id)) {
            (Stage::Blocked, Some(*id))
        } else if let Some((id, _)) = open.first() {
            (Stage::Prepared, Some(*id))
        } else if let Some(id) = collecting {
            (Stage::Collecting, Some(id))
        } else {
            match self.last.and_then(|id| Some((id, *self.disk.decided.get(&id)?))) {
                Some((id, true)) => (Stage::Committed, Some(id)),
                Some((id, false)) => (Stage::Aborted, Some(id)),
                None => (Stage::Idle, None),
            }
        };
        let heard = about.and_then(|id| Some((id, self.conducts.get(&id)?)));
        let outstanding = heard.map(|(id, c)| (id, c.yes.iter().copied().collect())).into_iter().collect();
        commit_picture(CommitPicture {
            coordinator: !self.participants.contains(&self.id) || collecting.is_some(),
            stage,
            about,
            prepared: &self.disk.prepared,
            decided: &self.disk.decided,
            rows: &self.rows,
            outstanding,
            quorum: self.participants.len(),
        })
    }
}

fn word(commit: bool) -> &'static str {
    if commit { "COMMIT" } else { "ABORT" }
}

/// What both commit protocols show alike.
pub(super) struct CommitPicture<'a> {
    pub coordinator: bool,
    pub stage: Stage,
    pub about: Option<Zxid>,
    pub prepared: &'a [(Zxid, Write)],
    pub decided: &'a BTreeMap<Zxid, bool>,
    pub rows: &'a Rows,
    pub outstanding: Vec<(Zxid, Vec<ServerId>)>,
    pub quorum: usize,
}

/// The picture of a server of an atomic commitment.
pub(super) fn commit_picture(p: CommitPicture<'_>) -> Picture {
    let mut log: Vec<LogCell> = p
        .prepared
        .iter()
        .map(|(id, write)| LogCell {
            zxid: *id,
            label: write.to_string(),
            synced: true,
            acked: true,
            committed: p.decided.get(id) == Some(&true),
        })
        .collect();
    order::sort_by_key(&mut log, |cell| cell.zxid);
    let mut facts = Vec::new();
    if let Some(id) = p.about {
        facts.push((Fact::Transaction, id.to_string()));
    }
    let list = |items: Vec<String>| items.join(", ");
    let locks: Vec<String> = p.rows.locks().map(|(path, id)| format!("{path} ({id})")).collect();
    if !locks.is_empty() {
        facts.push((Fact::Locks, list(locks)));
    }
    let waiting: Vec<String> = p.rows.waiting().iter().map(|w| format!("{} {}", w.id, w.write)).collect();
    if !waiting.is_empty() {
        facts.push((Fact::Waiting, list(waiting)));
    }
    Picture {
        shown: if p.coordinator { Shown::Leading } else { Shown::Following },
        role: if p.coordinator { Role::Coordinator } else { Role::Participant },
        stage: p.stage,
        about: p.about.map(|id| id.to_string()).unwrap_or_default(),
        badge: Some((Fact::Transaction, p.about.map_or_else(|| "–".into(), |id| id.to_string()))),
        beside: facts.iter().rev().find(|(f, _)| matches!(f, Fact::Locks | Fact::Waiting)).cloned(),
        crown: p.coordinator,
        facts,
        phase: None,
        epoch: Epoch(p.about.map_or(0, |id| id.epoch().0)),
        promised: Epoch(0),
        leader: None,
        serving: true,
        void: log.iter().map(|c| c.zxid).filter(|id| p.decided.get(id) == Some(&false)).collect(),
        log,
        outstanding: p.outstanding,
        quorum: p.quorum,
        rows: p.rows.all(),
    }
}
