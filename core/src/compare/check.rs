//! The rules of the compared protocols, checked after every event against what the servers hold.

use crate::collections::{BTreeMap, BTreeSet};
use crate::compare::core::{Testimony, Write};
use crate::id::{Epoch, ServerId, Zxid};
use crate::sim::spec::Protocol;
use crate::sim::view::CheckView;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// What the checks remember, and what they found.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Rules {
    broken: BTreeMap<&'static str, String>,
    first: Option<&'static str>,
    news: Vec<(&'static str, String)>,
    /// Every decision of every server.
    decisions: BTreeMap<Zxid, BTreeMap<ServerId, bool>>,
    votes: BTreeMap<Zxid, BTreeSet<ServerId>>,
    /// Who has ever accepted what under which number.
    accepted: BTreeMap<u64, BTreeMap<ServerId, String>>,
    promised: BTreeMap<ServerId, u64>,
    chosen: Option<(String, String)>,
    /// What clients have asked for.
    asked: Vec<Write>,
    /// The one sequence of delivered transactions, and who delivered each first.
    delivered: Vec<(Zxid, Write, ServerId)>,
    voters: usize,
}

const ATOMICITY: &str = "atomicity";
const DECISIONS_STAY: &str = "decisions-stay";
const ALL_VOTED: &str = "commit-needs-all-votes";
const ONE_VALUE: &str = "one-value-chosen";
const WAS_PROPOSED: &str = "chosen-was-proposed";
const PROMISES_HOLD: &str = "promises-hold";
const AGREEMENT: &str = "agreement";
const INTEGRITY: &str = "integrity";
const EPOCHS_GROW: &str = "epochs-only-grow";

/// The rule in words.
pub(super) fn text(rule: &str) -> &'static str {
    match rule {
        ATOMICITY => "either all commit a transaction or none does",
        DECISIONS_STAY => "a decision is never changed",
        ALL_VOTED => "only what every participant has voted YES for is committed",
        ONE_VALUE => "at most one value is chosen",
        WAS_PROPOSED => "only a value that a client wanted is chosen",
        PROMISES_HOLD => "an acceptor keeps its promises: its number never goes back",
        AGREEMENT => "no two servers deliver different transactions at one place",
        INTEGRITY => "only what a client wanted is delivered",
        EPOCHS_GROW => "the epochs that a server has promised never go back",
        _ => "a rule of the protocol",
    }
}

impl Rules {
    /// `voters` must agree: participants, or acceptors.
    pub fn new(voters: usize) -> Rules {
        Rules { voters, ..Rules::default() }
    }

    pub fn asked(&mut self, write: &Write) {
        self.asked.push(write.clone());
    }

    fn violate(&mut self, rule: &'static str, why: String) {
        if !self.broken.contains_key(rule) {
            self.first.get_or_insert(rule);
            self.news.push((rule, why.clone()));
            self.broken.insert(rule, why);
        }
    }

    pub fn take_news(&mut self) -> Vec<(&'static str, String)> {
        core::mem::take(&mut self.news)
    }

    pub fn first(&self) -> Option<(&'static str, &str)> {
        let rule = self.first?;
        Some((rule, self.broken.get(rule).map(String::as_str).unwrap_or_default()))
    }

    pub fn views(&self, protocol: Protocol) -> Vec<CheckView> {
        let names: &[&str] = match protocol {
            Protocol::ZooKeeper => &[],
            Protocol::TwoPhaseCommit | Protocol::ThreePhaseCommit => &[ATOMICITY, DECISIONS_STAY, ALL_VOTED],
            Protocol::Paxos { .. } => &[ONE_VALUE, WAS_PROPOSED, PROMISES_HOLD],
            Protocol::PaperZab => &[AGREEMENT, INTEGRITY, EPOCHS_GROW],
        };
        let view = |name: &&str| CheckView { name: (*name).into(), broken: self.broken.get(*name).cloned() };
        names.iter().map(view).collect()
    }

    /// Looks at what a server holds after one of its steps.
    pub fn look(&mut self, server: ServerId, testimony: &Testimony) {
        match testimony {
            Testimony::Commit { voted, decided } => {
                for id in voted {
                    self.votes.entry(*id).or_default().insert(server);
                }
                for (id, commit) in decided {
                    self.decision(server, *id, *commit);
                }
            }
            Testimony::Paxos { promised, accepted, chosen } => {
                self.paxos(server, *promised, accepted.as_ref(), chosen.as_ref());
            }
            Testimony::Zab { promised, delivered } => {
                self.promise(server, *promised);
                for (place, (zxid, write)) in delivered.iter().enumerate() {
                    self.delivery(server, place, *zxid, write);
                }
            }
        }
    }

    fn decision(&mut self, server: ServerId, id: Zxid, commit: bool) {
        let all = self.decisions.entry(id).or_default();
        match all.insert(server, commit) {
            Some(before) if before == commit => return,
            Some(before) => {
                let why = format!("server {server} turns {id} from {} to {}", word(before), word(commit));
                return self.violate(DECISIONS_STAY, why);
            }
            None => {}
        }
        let side = |wanted: bool| -> Vec<String> {
            all.iter().filter(|(_, c)| **c == wanted).map(|(s, _)| s.to_string()).collect()
        };
        let (yes, no) = (side(true), side(false));
        if !yes.is_empty() && !no.is_empty() {
            let why = format!("{id}: COMMIT at servers {}, ABORT at servers {}", yes.join(", "), no.join(", "));
            // The reason names both histories, and grows with them.
            if let Some(before) = self.broken.get_mut(ATOMICITY).filter(|w| w.starts_with(&format!("{id}:"))) {
                *before = why;
            } else {
                self.violate(ATOMICITY, why);
            }
        }
        let votes = self.votes.get(&id).map_or(0, BTreeSet::len);
        if commit && votes < self.voters {
            let why = format!("server {server} commits {id} with {votes} of {} votes", self.voters);
            self.violate(ALL_VOTED, why);
        }
    }

    fn paxos(&mut self, server: ServerId, promised: u64, accepted: Option<&(u64, String)>, chosen: Option<&String>) {
        let before = self.promised.insert(server, promised).unwrap_or(0);
        if promised < before || accepted.is_some_and(|(n, _)| *n > promised) {
            let why = format!("server {server} had promised {before} and now holds {promised} and {accepted:?}");
            self.violate(PROMISES_HOLD, why);
        }
        if let Some((n, value)) = accepted {
            let all = self.accepted.entry(*n).or_default();
            all.insert(server, value.clone());
            if all.len() > self.voters / 2 {
                let by: Vec<String> = all.keys().map(ToString::to_string).collect();
                self.choice(value.clone(), format!("number {n}, accepted by servers {}", by.join(", ")));
            }
        }
        if let Some(value) = chosen {
            self.choice(value.clone(), format!("server {server} takes it for chosen"));
        }
    }

    fn choice(&mut self, value: String, how: String) {
        if !self.asked.iter().any(|w| w.data == value) {
            self.violate(WAS_PROPOSED, format!("{value} is chosen ({how}), but no client has asked for it"));
        }
        match &self.chosen {
            Some((first, _)) if *first == value => {}
            Some((first, before)) => {
                let why = format!("{first} is chosen ({before}) and so is {value} ({how})");
                self.violate(ONE_VALUE, why);
            }
            None => self.chosen = Some((value, how)),
        }
    }

    fn promise(&mut self, server: ServerId, promised: Epoch) {
        let now = u64::try_from(promised.0).unwrap_or(0);
        let before = self.promised.insert(server, now).unwrap_or(0);
        if now < before {
            self.violate(EPOCHS_GROW, format!("server {server} had promised {before} and now promises {now}"));
        }
    }

    fn delivery(&mut self, server: ServerId, place: usize, zxid: Zxid, write: &Write) {
        match self.delivered.get(place) {
            Some((z, w, _)) if *z == zxid && w == write => {}
            Some((z, w, first)) => {
                let why = format!(
                    "place {}: server {first} delivered {z} {w}, server {server} delivers {zxid} {write}",
                    place + 1
                );
                self.violate(AGREEMENT, why);
            }
            None => {
                if !self.asked.contains(write) {
                    self.violate(INTEGRITY, format!("server {server} delivers {write}, which no client has asked for"));
                }
                self.delivered.push((zxid, write.clone(), server));
            }
        }
    }
}

fn word(commit: bool) -> &'static str {
    if commit { "COMMIT" } else { "ABORT" }
}
