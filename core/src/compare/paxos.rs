//! Paxos for one value (the synod): proposers ask for promises and then for acceptance, with numbers that never meet;
//! a value is chosen when more than half of the acceptors have accepted it under one number.
//!
//! The first servers are proposers, the others acceptors. What a proposer does when it is outbid is the difference
//! between a duel without end and an end: see [`Retry`].

use crate::collections::{BTreeMap, BTreeSet};
use crate::compare::core::{Letter, Msg as AnyMsg, Out, Picture, Testimony, Ticket, Timer, Write};
use crate::compare::note::{Fact, Role, Stage, Turn};
use crate::id::{Epoch, ServerId, Zxid};
use crate::sim::spec::Retry;
use crate::sim::view::{LogCell, Shown};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// A proposer's patience with a majority, milliseconds.
const MAJORITY: u64 = 500;
/// The patience of one that has handed its value to the leader: then it proposes itself.
const LEADER: u64 = 1500;
/// The longest first wait of one that backs off; it doubles with each attempt, six times at most.
const BACK_OFF: u64 = 60;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Msg {
    Prepare(u64),
    Promise(u64, Option<(u64, String)>),
    Refuse(u64, u64),
    Accept(u64, String),
    Accepted(u64),
    Chosen(String),
    HandOver(String),
}

impl Msg {
    pub fn letter(&self) -> Letter {
        let (kind, label, number, reply) = match self {
            Msg::Prepare(n) => ("PREPARE", n.to_string(), Some(n), false),
            Msg::Promise(n, None) => ("PROMISE", n.to_string(), Some(n), true),
            Msg::Promise(n, Some((k, v))) => ("PROMISE", format!("{n} ({k}, {v})"), Some(n), true),
            Msg::Refuse(n, promised) => ("REFUSED", format!("{n} < {promised}"), Some(promised), true),
            Msg::Accept(n, v) => ("ACCEPT", format!("{n} {v}"), Some(n), false),
            Msg::Accepted(n) => ("ACCEPTED", n.to_string(), Some(n), true),
            Msg::Chosen(v) => ("CHOSEN", v.clone(), None, false),
            Msg::HandOver(v) => ("HAND OVER", v.clone(), None, false),
        };
        let epoch = number.map(|n| Epoch(i64::try_from(*n).unwrap_or(i64::MAX)));
        Letter { epoch, ..Letter::new(kind, label, reply) }
    }
}

/// What survives a crash.
#[derive(Clone, Debug, Default, Serialize)]
struct Disk {
    /// A proposer's last number.
    number: u64,
    /// An acceptor's promise.
    promised: u64,
    /// Everything an acceptor has accepted; only the last counts.
    accepted: Vec<(u64, String)>,
}

/// A proposer at work.
#[derive(Clone, Debug, Default, Serialize)]
struct Attempt {
    promises: BTreeMap<ServerId, Option<(u64, String)>>,
    /// Set when a majority has promised.
    proposing: Option<String>,
    accepted: BTreeSet<ServerId>,
    /// Outbid: nothing more is to be got under this number.
    over: bool,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Paxos {
    id: ServerId,
    proposers: Vec<ServerId>,
    acceptors: Vec<ServerId>,
    retry: Retry,
    disk: Disk,
    /// The value it would propose.
    own: Option<String>,
    tickets: Vec<Ticket>,
    attempt: Option<Attempt>,
    attempts: u32,
    /// The highest number it has heard of.
    seen: u64,
    handed_over: bool,
    chosen: Option<String>,
}

impl Paxos {
    pub fn new(id: ServerId, all: &[ServerId], proposers: u32, retry: Retry) -> Paxos {
        let most = all.len().saturating_sub(1).max(1);
        let (proposers, acceptors) = all.split_at((proposers as usize).clamp(1, most).min(all.len()));
        Paxos {
            id,
            proposers: proposers.to_vec(),
            acceptors: acceptors.to_vec(),
            retry,
            disk: Disk::default(),
            own: None,
            tickets: Vec::new(),
            attempt: None,
            attempts: 0,
            seen: 0,
            handed_over: false,
            chosen: None,
        }
    }

    pub fn crash(&mut self) {
        self.own = None;
        self.tickets.clear();
        self.attempt = None;
        self.attempts = 0;
        self.seen = 0;
        self.handed_over = false;
        self.chosen = None;
    }

    fn proposes(&self) -> bool {
        self.proposers.contains(&self.id)
    }

    fn majority(&self) -> usize {
        self.acceptors.len() / 2 + 1
    }

    pub fn ask(&mut self, ticket: Ticket, write: Write, out: &mut Out<'_>) {
        if let Some(value) = &self.chosen {
            return out.answer(ticket, format!("chosen: {value}"), false, None);
        }
        if !self.proposes() {
            return out.answer(ticket, "not a proposer".into(), true, None);
        }
        self.tickets.push(ticket);
        if self.own.is_some() {
            return;
        }
        let leader = self.proposers.first().copied().filter(|l| *l != self.id && self.retry == Retry::Leader);
        self.own = Some(write.data.clone());
        match leader {
            Some(leader) => {
                self.handed_over = true;
                out.note(Turn::HandsOver, "", &write.data, &[leader]);
                out.send(leader, AnyMsg::Paxos(Msg::HandOver(write.data)));
                out.timer(Timer::Retry, LEADER);
            }
            None => self.prepare(out),
        }
    }

    /// A new number, above all it knows.
    fn prepare(&mut self, out: &mut Out<'_>) {
        let step = self.proposers.len() as u64;
        let rank = self.proposers.iter().position(|p| *p == self.id).unwrap_or(0) as u64 + 1;
        let above = self.seen.max(self.disk.number);
        self.disk.number = if above < rank { rank } else { above + 1 + (rank + step - (above + 1) % step) % step };
        // Numbers are reserved on disk in advance: none is used twice, and none has to wait for the disk.
        self.attempt = Some(Attempt::default());
        self.attempts += 1;
        self.handed_over = false;
        let n = self.disk.number;
        out.note(Turn::Prepares, n, "", &self.acceptors);
        for to in &self.acceptors {
            out.send(*to, AnyMsg::Paxos(Msg::Prepare(n)));
        }
        out.timer(Timer::Majority, MAJORITY);
    }

    pub fn message(&mut self, from: ServerId, msg: Msg, out: &mut Out<'_>) {
        match msg {
            Msg::Prepare(n) => {
                if n <= self.disk.promised {
                    out.note(Turn::RefusesPrepare, n, "", &[from]);
                    return out.send(from, AnyMsg::Paxos(Msg::Refuse(n, self.disk.promised)));
                }
                self.disk.promised = n;
                out.written = true;
                let last = self.disk.accepted.last().cloned();
                let carried = last.as_ref().map(|(k, v)| format!("({k}, {v})")).unwrap_or_default();
                out.note(Turn::Promises, n, carried, &[from]);
                out.send(from, AnyMsg::Paxos(Msg::Promise(n, last)));
            }
            Msg::Accept(n, value) => {
                if n < self.disk.promised {
                    out.note(Turn::RefusesAccept, n, &value, &[from]);
                    return out.send(from, AnyMsg::Paxos(Msg::Refuse(n, self.disk.promised)));
                }
                self.disk.promised = n;
                if self.disk.accepted.last().is_none_or(|(last, _)| *last != n) {
                    self.disk.accepted.push((n, value.clone()));
                    out.written = true;
                    out.note(Turn::Accepts, n, &value, &[from]);
                }
                out.send(from, AnyMsg::Paxos(Msg::Accepted(n)));
            }
            Msg::Promise(n, accepted) if n == self.disk.number => self.promised(from, accepted, out),
            Msg::Accepted(n) if n == self.disk.number => self.accepted(from, out),
            Msg::Refuse(n, promised) => {
                self.seen = self.seen.max(promised);
                if n == self.disk.number {
                    self.outbid(promised, out);
                }
            }
            Msg::Promise(..) | Msg::Accepted(_) => {}
            Msg::Chosen(value) => self.learn(value, out),
            Msg::HandOver(value) => match &self.chosen {
                Some(value) => out.send(from, AnyMsg::Paxos(Msg::Chosen(value.clone()))),
                None if self.own.is_none() => {
                    self.own = Some(value);
                    self.prepare(out);
                }
                None => {}
            },
        }
    }

    /// With a majority of promises the highest accepted value binds; only if there is none, the choice is free.
    fn promised(&mut self, from: ServerId, accepted: Option<(u64, String)>, out: &mut Out<'_>) {
        let majority = self.majority();
        let n = self.disk.number;
        let Some(attempt) = self.attempt.as_mut().filter(|a| a.proposing.is_none() && !a.over) else { return };
        attempt.promises.insert(from, accepted);
        if attempt.promises.len() < majority {
            return;
        }
        let by: Vec<ServerId> = attempt.promises.keys().copied().collect();
        let highest = attempt.promises.values().flatten().max_by_key(|(k, _)| *k).cloned();
        let own = self.own.clone().unwrap_or_default();
        let value = match highest {
            Some((_, value)) => {
                let turn = if value == own { Turn::FreeToPropose } else { Turn::Adopts };
                out.note(turn, n, &value, &by);
                value
            }
            None => {
                out.note(Turn::FreeToPropose, n, &own, &by);
                own
            }
        };
        attempt.proposing = Some(value.clone());
        for to in &self.acceptors {
            out.send(*to, AnyMsg::Paxos(Msg::Accept(n, value.clone())));
        }
        out.timer(Timer::Majority, MAJORITY);
    }

    fn accepted(&mut self, from: ServerId, out: &mut Out<'_>) {
        let majority = self.majority();
        let Some(attempt) = self.attempt.as_mut() else { return };
        attempt.accepted.insert(from);
        let Some(value) = attempt.proposing.clone().filter(|_| attempt.accepted.len() == majority) else { return };
        if self.chosen.is_some() {
            return;
        }
        let by: Vec<ServerId> = attempt.accepted.iter().copied().collect();
        out.note(Turn::IsChosen, self.disk.number, &value, &by);
        for to in self.proposers.iter().chain(&self.acceptors).filter(|s| **s != self.id) {
            out.send(*to, AnyMsg::Paxos(Msg::Chosen(value.clone())));
        }
        self.chosen(value, out);
    }

    fn learn(&mut self, value: String, out: &mut Out<'_>) {
        if self.chosen.is_none() {
            out.note(Turn::Learns, "", &value, &[]);
            self.chosen(value, out);
        }
    }

    fn chosen(&mut self, value: String, out: &mut Out<'_>) {
        for ticket in core::mem::take(&mut self.tickets) {
            out.answer(ticket, format!("chosen: {value}"), false, None);
        }
        self.chosen = Some(value);
        self.handed_over = false;
        out.stop(Timer::Majority);
        out.stop(Timer::Retry);
    }

    fn outbid(&mut self, promised: u64, out: &mut Out<'_>) {
        let Some(attempt) = self.attempt.as_mut().filter(|a| !a.over) else { return };
        if self.chosen.is_some() {
            return;
        }
        attempt.over = true;
        out.stop(Timer::Majority);
        match self.retry {
            Retry::AtOnce => {
                out.note(Turn::Outbid, promised, "", &[]);
                self.prepare(out);
            }
            Retry::BackOff | Retry::Leader => {
                out.note(Turn::BacksOff, promised, "", &[]);
                let longest = BACK_OFF << self.attempts.min(6);
                let wait = out.rng.between(longest / 4, longest);
                out.timer(Timer::Retry, wait);
            }
        }
    }

    pub fn timer(&mut self, timer: Timer, out: &mut Out<'_>) {
        if matches!(timer, Timer::Retry | Timer::Majority) && self.chosen.is_none() && self.own.is_some() {
            self.prepare(out);
        }
    }

    pub fn testimony(&self) -> Testimony {
        Testimony::Paxos {
            promised: self.disk.promised,
            accepted: self.disk.accepted.last().cloned(),
            chosen: self.chosen.clone(),
        }
    }

    fn place(&self, number: u64) -> Zxid {
        let step = self.proposers.len() as u64;
        let proposer = u32::try_from((number + step - 1) % step + 1).unwrap_or(0);
        Zxid::new(Epoch(i64::try_from(number).unwrap_or(0)), proposer)
    }

    pub fn picture(&self) -> Picture {
        let proposes = self.proposes();
        let last = self.disk.accepted.last();
        let is_chosen = |value: &String| self.chosen.as_ref() == Some(value);
        let log: Vec<LogCell> = self
            .disk
            .accepted
            .iter()
            .map(|(n, value)| LogCell {
                zxid: self.place(*n),
                label: value.clone(),
                synced: true,
                acked: true,
                committed: is_chosen(value),
            })
            .collect();
        let working = self.attempt.as_ref().filter(|a| !a.over);
        let number = if proposes { self.disk.number } else { self.disk.promised };
        let (stage, about) = match (&self.chosen, working, last) {
            (Some(value), ..) => (Stage::Chosen, value.clone()),
            (None, Some(a), _) => match &a.proposing {
                Some(value) => (Stage::Proposing, format!("{number} {value}")),
                None => (Stage::Preparing, number.to_string()),
            },
            (None, None, _) if self.attempt.is_some() => (Stage::BackingOff, number.to_string()),
            (None, None, _) if self.handed_over => (Stage::HandedOver, self.own.clone().unwrap_or_default()),
            (None, None, Some((n, value))) if self.disk.promised == *n => (Stage::Accepted, format!("{n} {value}")),
            (None, None, _) if self.disk.promised > 0 => (Stage::Promised, number.to_string()),
            _ => (Stage::Idle, String::new()),
        };
        let mut facts = Vec::new();
        if proposes {
            facts.extend((self.disk.number > 0).then(|| (Fact::Number, self.disk.number.to_string())));
            facts.extend(self.own.clone().map(|v| (Fact::OwnValue, v)));
            facts.extend((self.attempts > 0).then(|| (Fact::Attempts, self.attempts.to_string())));
        } else {
            facts.extend((self.disk.promised > 0).then(|| (Fact::Promised, self.disk.promised.to_string())));
            facts.extend(last.map(|(n, v)| (Fact::Accepted, format!("({n}, {v})"))));
        }
        facts.extend(self.chosen.clone().map(|v| (Fact::Chosen, v)));
        let heard = working.map(|a| match a.proposing {
            Some(_) => a.accepted.iter().copied().collect(),
            None => a.promises.keys().copied().collect(),
        });
        let superseded = self.disk.accepted.len().saturating_sub(1);
        let void = self.disk.accepted.iter().take(superseded).filter(|(_, v)| !is_chosen(v));
        Picture {
            shown: if proposes { Shown::Leading } else { Shown::Following },
            role: if proposes { Role::Proposer } else { Role::Acceptor },
            stage,
            about,
            badge: Some((if proposes { Fact::Number } else { Fact::Promised }, number.to_string())),
            beside: facts.iter().rev().find(|(f, _)| matches!(f, Fact::Accepted | Fact::OwnValue)).cloned(),
            crown: false,
            facts,
            phase: None,
            epoch: Epoch(i64::try_from(number).unwrap_or(0)),
            promised: Epoch(i64::try_from(self.disk.promised).unwrap_or(0)),
            leader: None,
            serving: true,
            void: void.map(|(n, _)| self.place(*n)).collect(),
            log,
            outstanding: heard.map(|by| (self.place(number), by)).into_iter().collect(),
            quorum: self.majority(),
            rows: self.chosen.iter().map(|v| (String::from("/"), v.clone(), Zxid::ZERO)).collect(),
        }
    }
}
