//! What the atomic commitments have in common: a server's log of transactions begun, voted for and decided, its rows
//! with their locks, and how all that looks. How a decision is reached, and what becomes of who hears nothing of it, is
//! each protocol's own.

use crate::collections::{BTreeMap, order};
use crate::compare::core::{Msg, Out, Picture, Testimony, Ticket, Timer, Write};
use crate::compare::note::{Fact, Role, Stage, Turn};
use crate::compare::rows::{Rows, Waiter};
use crate::id::{Epoch, ServerId, Zxid};
use crate::sim::view::{LogCell, Shown};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// What survives a crash.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Log {
    /// The number of the last transaction begun here.
    counter: u32,
    /// Transactions begun here.
    pub begun: BTreeMap<Zxid, Write>,
    /// Transactions voted YES for, in order of voting.
    pub prepared: Vec<(Zxid, Write)>,
    /// Decisions made or learnt.
    pub decided: BTreeMap<Zxid, bool>,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Site {
    pub id: ServerId,
    pub participants: Vec<ServerId>,
    pub log: Log,
    pub rows: Rows,
    /// The transaction spoken of last.
    pub last: Option<Zxid>,
}

impl Site {
    /// Server 1 has no rows. Every other one is a participant of every transaction.
    pub fn new(id: ServerId, all: &[ServerId]) -> Site {
        let participants = all.iter().copied().skip(1).collect();
        Site { id, participants, log: Log::default(), rows: Rows::default(), last: None }
    }

    pub fn crash(&mut self) {
        self.rows.crash();
        self.last = None;
    }

    pub fn others(&self) -> Vec<ServerId> {
        self.participants.iter().copied().filter(|p| *p != self.id).collect()
    }

    pub fn to_all(&self, msg: &Msg, out: &mut Out<'_>) {
        for to in &self.participants {
            out.send(*to, msg.clone());
        }
    }

    /// The coordinator begins a transaction, and waits so long for the votes. What it asks for them is the caller's.
    pub fn begin(&mut self, write: &Write, patience: u64, out: &mut Out<'_>) -> Zxid {
        self.log.counter += 1;
        let id = Zxid::new(Epoch(self.id.0), self.log.counter);
        self.log.begun.insert(id, write.clone());
        out.written = true;
        self.last = Some(id);
        out.note(Turn::Begins, id, write, &self.participants);
        out.timer(Timer::Votes(id), patience);
        id
    }

    /// A participant locks the row and votes with `yes`, or waits so long for the row. True if it has voted.
    pub fn prepare(&mut self, w: Waiter, yes: Msg, patience: u64, out: &mut Out<'_>) -> bool {
        if !self.rows.lock(w.id, &w.write.path) {
            out.note(Turn::WaitsForLock, w.id, &w.write, &[]);
            out.timer(Timer::Lock(w.id), patience);
            self.rows.wait(w);
            return false;
        }
        out.stop(Timer::Lock(w.id));
        self.last = Some(w.id);
        out.note(Turn::VotesYes, w.id, &w.write, &[]);
        self.log.prepared.push((w.id, w.write));
        out.written = true;
        out.send(w.from, yes);
        true
    }

    /// The row is still locked: the participant votes NO, to whom is told.
    pub fn give_up(&self, id: Zxid, out: &mut Out<'_>) -> Option<ServerId> {
        let w = self.rows.waiting().iter().find(|w| w.id == id)?;
        out.note(Turn::VotesNo, id, &w.write, &[]);
        Some(w.from)
    }

    /// The first decision is written, the row is freed; those whose turn it is now.
    pub fn settle(&mut self, id: Zxid, commit: bool, out: &mut Out<'_>) -> Vec<Waiter> {
        self.log.decided.insert(id, commit);
        out.written = true;
        self.last = Some(id);
        out.stop(Timer::Decision(id));
        out.stop(Timer::Lock(id));
        if let Some((_, write)) = self.log.prepared.iter().find(|(p, _)| *p == id) {
            out.note(if commit { Turn::Commits } else { Turn::Aborts }, id, write, &[]);
            if commit {
                self.rows.apply(id, write);
            }
        }
        self.rows.free(id)
    }

    pub fn decision(&self, id: Zxid) -> Option<bool> {
        self.log.decided.get(&id).copied()
    }

    pub fn has_voted(&self, id: Zxid) -> bool {
        self.log.prepared.iter().any(|(p, _)| *p == id)
    }

    /// Voted for, not decided.
    pub fn open(&self) -> Vec<(Zxid, Write)> {
        self.log.prepared.iter().filter(|(id, _)| !self.log.decided.contains_key(id)).cloned().collect()
    }

    /// How the transaction spoken of last ended, if it did.
    pub fn ended(&self) -> Option<(Stage, Zxid)> {
        let id = self.last?;
        Some((if self.decision(id)? { Stage::Committed } else { Stage::Aborted }, id))
    }

    pub fn testimony(&self) -> Testimony {
        Testimony::Commit {
            voted: self.log.prepared.iter().map(|(id, _)| *id).collect(),
            decided: self.log.decided.iter().map(|(id, commit)| (*id, *commit)).collect(),
        }
    }

    /// `coordinates` says whether a participant does so at present.
    pub fn picture(
        &self,
        coordinates: bool,
        stage: Stage,
        about: Option<Zxid>,
        outstanding: Vec<(Zxid, Vec<ServerId>)>,
    ) -> Picture {
        let coordinator = coordinates || !self.participants.contains(&self.id);
        let mut log: Vec<LogCell> = self
            .log
            .prepared
            .iter()
            .map(|(id, write)| LogCell {
                zxid: *id,
                label: write.to_string(),
                synced: true,
                acked: true,
                committed: self.decision(*id) == Some(true),
            })
            .collect();
        order::sort_by_key(&mut log, |cell| cell.zxid);
        let mut facts = Vec::new();
        if let Some(id) = about {
            facts.push((Fact::Transaction, id.to_string()));
        }
        let list = |items: Vec<String>| items.join(", ");
        let locks: Vec<String> = self.rows.locks().map(|(path, id)| format!("{path} ({id})")).collect();
        if !locks.is_empty() {
            facts.push((Fact::Locks, list(locks)));
        }
        let waiting: Vec<String> = self.rows.waiting().iter().map(|w| format!("{} {}", w.id, w.write)).collect();
        if !waiting.is_empty() {
            facts.push((Fact::Waiting, list(waiting)));
        }
        Picture {
            shown: if coordinator { Shown::Leading } else { Shown::Following },
            role: if coordinator { Role::Coordinator } else { Role::Participant },
            stage,
            about: about.map(|id| id.to_string()).unwrap_or_default(),
            badge: Some((Fact::Transaction, about.map_or_else(|| "–".into(), |id| id.to_string()))),
            beside: facts.iter().rev().find(|(f, _)| matches!(f, Fact::Locks | Fact::Waiting)).cloned(),
            crown: coordinator,
            facts,
            phase: None,
            epoch: Epoch(about.map_or(0, |id| id.epoch().0)),
            promised: Epoch(0),
            leader: None,
            serving: true,
            void: log.iter().map(|c| c.zxid).filter(|id| self.decision(*id) == Some(false)).collect(),
            log,
            outstanding,
            quorum: self.participants.len(),
            rows: self.rows.all(),
        }
    }
}

/// The client is told how its transaction ended.
pub(super) fn answer(ticket: Ticket, id: Zxid, commit: bool, out: &mut Out<'_>) {
    let text = if commit { format!("committed {id}") } else { format!("aborted {id}") };
    out.answer(ticket, text, !commit, Some(id));
}

/// A decision in a word.
pub(super) fn word(commit: bool) -> &'static str {
    if commit { "COMMIT" } else { "ABORT" }
}
