//! Log collectors and who collects what. Every collector has a persistent znode, in which the assigner writes its sources,
//! and below it a status znode, in which the collector writes its load again and again: that this znode changes is its
//! sign of life. When it stops, its share goes to those with the least load; a newcomer has none, and is favoured.
//!
//! The znodes are persistent, so that a collector that comes back soon still has its sources. Whether a status still
//! changes is judged by the assigner's own clock: nobody has to agree on the time.

use crate::collections::{BTreeMap, order};
use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::time::Instant;
use crate::wire::client::{Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use serde::Serialize;

/// How often a collector tells its load, and the assigner looks.
const PERIOD: Duration = Duration::from_secs(1);

/// So long without a sign of life, and a collector is taken for dead.
const DEAD_AFTER: Duration = Duration::from_millis(3500);

fn status(dir: &str, name: &str) -> String {
    format!("{}/status", desk::child(dir, name))
}

fn set(path: String, data: &str, version: i32) -> Request {
    Request::SetData { path, data: Some(Bytes::copy_from_slice(data.as_bytes())), version }
}

fn sources(text: &str) -> Vec<String> {
    text.split(',').filter(|source| !source.is_empty()).map(String::from).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Telling {
    /// Our znode, if there is none.
    Register,
    /// What are we to collect? Its change will be told.
    Read,
    /// Our load.
    Report,
    Rest,
}

/// Collects.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Collector {
    dir: String,
    name: String,
    phase: Telling,
    sources: Vec<String>,
    known: bool,
    /// As told; as many as there are sources, if nobody told.
    load: Option<u32>,
    /// The sources were read since the last change.
    fresh: bool,
    next: Instant,
    stopping: bool,
}

impl Collector {
    pub fn new(spec: &Spec, me: &str) -> Collector {
        Collector {
            dir: spec.path.clone(),
            name: spec.words.first().cloned().unwrap_or_else(|| me.into()),
            phase: Telling::Register,
            sources: Vec::new(),
            known: false,
            load: None,
            fresh: false,
            next: Instant::ZERO,
            stopping: false,
        }
    }

    fn own(&self) -> String {
        desk::child(&self.dir, &self.name)
    }
}

impl Machine for Collector {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        if self.stopping {
            desk.end(Event::Left);
            return None;
        }
        match self.phase {
            Telling::Register => Some(desk::create(status(&self.dir, &self.name), "0", CreateMode::Persistent)),
            Telling::Read => Some(Request::GetData { path: self.own(), watch: true }),
            Telling::Report => {
                let load = self.load.unwrap_or_else(|| u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
                Some(set(status(&self.dir, &self.name), &load.to_string(), -1))
            }
            Telling::Rest => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase, answer) {
            (Telling::Register, Ok(_) | Err(ZkError::NodeExists)) => self.phase = Telling::Read,
            (Telling::Register, Err(ZkError::NoNode)) => desk.prepare(&self.own()),
            // Somebody removed it.
            (Telling::Read | Telling::Report, Err(ZkError::NoNode)) => self.phase = Telling::Register,
            (Telling::Read, Ok((_, Response::Data(data, _)))) => {
                let new = sources(&desk::text(data.as_ref()));
                if !self.known || new != self.sources {
                    self.known = true;
                    self.sources.clone_from(&new);
                    desk.tell(Event::Assigned { sources: new });
                }
                self.fresh = true;
                self.phase = Telling::Report;
            }
            (Telling::Report, Ok(_)) => {
                self.next = desk.now + PERIOD;
                self.phase = if self.fresh { Telling::Rest } else { Telling::Read };
            }
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {}

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        if *event.path == *self.own() {
            self.fresh = false;
            if self.phase == Telling::Rest {
                self.phase = Telling::Read;
            }
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        match order {
            Order::Stop => self.stopping = true,
            Order::Load(load) => {
                self.load = Some(*load);
                if self.phase == Telling::Rest {
                    self.phase = Telling::Report;
                }
            }
            _ => {}
        }
    }

    fn expired(&mut self, _: &mut Desk) {
        self.phase = Telling::Register;
    }

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        if self.phase == Telling::Register { State::Trying } else { State::Watching }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.known.then_some((self.name.as_str(), None))
    }

    fn note(&self) -> Option<String> {
        self.known.then(|| self.sources.join(", "))
    }

    fn deadline(&self) -> Option<Instant> {
        (self.phase == Telling::Rest).then_some(self.next)
    }

    fn on_time(&mut self, _: &mut Desk) {
        self.phase = Telling::Report;
    }
}

/// What the assigner knows of a collector.
#[derive(Clone, Debug, Serialize)]
struct Known {
    sources: Vec<String>,
    /// The version of the znode that holds them.
    version: i32,
    load: u32,
    /// The last sign of life, and when it was seen.
    sign: Zxid,
    seen: Instant,
}

impl Known {
    fn is_alive(&self, now: Instant) -> bool {
        now.since(self.seen) < DEAD_AFTER
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Looking {
    List,
    Sources(String),
    Status(String),
    /// A collector's new sources.
    Give(String),
    Rest,
}

/// Splits the sources over those who live.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Assigner {
    dir: String,
    sources: Vec<String>,
    phase: Looking,
    /// Still to look at in this round.
    names: VecDeque<String>,
    known: BTreeMap<String, Known>,
    /// What is to be written: name, sources, version.
    plan: VecDeque<(String, Vec<String>, i32)>,
    next: Instant,
    stopping: bool,
}

impl Assigner {
    pub fn new(spec: &Spec) -> Assigner {
        Assigner {
            dir: spec.path.clone(),
            sources: spec.words.clone(),
            phase: Looking::List,
            names: VecDeque::new(),
            known: BTreeMap::new(),
            plan: VecDeque::new(),
            next: Instant::ZERO,
            stopping: false,
        }
    }

    /// The next collector of this round, or what follows from what was seen.
    fn next_name(&mut self, desk: &Desk) {
        self.phase = match self.names.front() {
            Some(name) => Looking::Sources(name.clone()),
            None => {
                self.plan = plan(&self.known, &self.sources, desk.now).into();
                self.next_gift(desk)
            }
        };
    }

    fn next_gift(&mut self, desk: &Desk) -> Looking {
        match self.plan.front() {
            Some((name, ..)) => Looking::Give(name.clone()),
            None => {
                self.next = desk.now + PERIOD;
                Looking::Rest
            }
        }
    }
}

/// Who gets other sources than now: sources that nobody alive has go one by one to whom has the least to do.
fn plan(known: &BTreeMap<String, Known>, all: &[String], now: Instant) -> Vec<(String, Vec<String>, i32)> {
    let mut shares: BTreeMap<&String, (u32, Vec<String>)> = BTreeMap::new();
    let mut held: Vec<&String> = Vec::new();
    for (name, collector) in known.iter().filter(|(_, collector)| collector.is_alive(now)) {
        let mut mine = Vec::new();
        for source in collector.sources.iter().filter(|source| all.contains(source)) {
            if !held.contains(&source) {
                held.push(source);
                mine.push(source.clone());
            }
        }
        // What it was given a moment ago is not in the load it told.
        let load = collector.load.max(u32::try_from(mine.len()).unwrap_or(u32::MAX));
        shares.insert(name, (load, mine));
    }
    for source in all.iter().filter(|source| !held.contains(source)) {
        if let Some((load, share)) = shares.values_mut().min_by_key(|(load, _)| *load) {
            share.push(source.clone());
            *load = load.saturating_add(1);
        }
    }
    let mut changes = Vec::new();
    if shares.is_empty() {
        return changes;
    }
    for (name, collector) in known {
        let share = shares.remove(name).map(|(_, share)| share).unwrap_or_default();
        if share != collector.sources {
            changes.push((name.clone(), share, collector.version));
        }
    }
    // Who loses something is told first: no source is collected twice for longer than that takes.
    order::sort_by_key(&mut changes, |(name, share, _)| known.get(name).is_some_and(|k| k.sources.len() < share.len()));
    changes
}

impl Machine for Assigner {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        if self.stopping {
            desk.end(Event::Left);
            return None;
        }
        match &self.phase {
            Looking::List => Some(Request::GetChildren { path: self.dir.clone(), watch: true }),
            Looking::Sources(name) => Some(Request::GetData { path: desk::child(&self.dir, name), watch: false }),
            Looking::Status(name) => Some(Request::GetData { path: status(&self.dir, name), watch: false }),
            Looking::Give(_) => {
                let (name, share, version) = self.plan.front()?;
                Some(set(desk::child(&self.dir, name), &share.join(","), *version))
            }
            Looking::Rest => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase.clone(), answer) {
            (Looking::List, Ok((_, Response::Children(names)))) => {
                self.known.retain(|name, _| names.contains(name));
                self.names = names.into();
                order::sort(self.names.make_contiguous());
                self.next_name(desk);
            }
            (Looking::List, Err(ZkError::NoNode)) => desk.prepare(&self.dir),
            (Looking::Sources(name), Ok((_, Response::Data(data, stat)))) => {
                let fresh = Known { sources: Vec::new(), version: 0, load: 0, sign: Zxid::ZERO, seen: desk.now };
                let known = self.known.entry(name.clone()).or_insert(fresh);
                known.sources = sources(&desk::text(data.as_ref()));
                known.version = stat.version;
                self.phase = Looking::Status(name);
            }
            (Looking::Status(name), Ok((_, Response::Data(data, stat)))) => {
                if let Some(known) = self.known.get_mut(&name) {
                    // What can't be read is no load.
                    known.load = desk::text(data.as_ref()).trim().parse().unwrap_or(0);
                    if known.sign != stat.mzxid {
                        known.sign = stat.mzxid;
                        known.seen = desk.now;
                    }
                }
                self.names.pop_front();
                self.next_name(desk);
            }
            // It is just being made, or is gone.
            (Looking::Sources(name) | Looking::Status(name), Err(ZkError::NoNode)) => {
                self.known.remove(&name);
                self.names.pop_front();
                self.next_name(desk);
            }
            (Looking::Give(_), Ok(_)) => {
                if let Some((collector, sources, _)) = self.plan.pop_front() {
                    desk.tell(Event::Given { collector, sources });
                }
                self.phase = self.next_gift(desk);
            }
            // Another assigner was faster, or it is gone: all is looked at again.
            (Looking::Give(_), Err(ZkError::BadVersion | ZkError::NoNode)) => self.phase = Looking::List,
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        self.phase = Looking::List;
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        if *event.path == *self.dir && self.phase == Looking::Rest {
            self.phase = Looking::List;
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        match order {
            Order::Stop => self.stopping = true,
            Order::Add(source) if !self.sources.contains(source) => {
                self.sources.push(source.clone());
                if self.phase == Looking::Rest {
                    self.phase = Looking::List;
                }
            }
            _ => {}
        }
    }

    /// What was not looked at meanwhile is no sign of death.
    fn expired(&mut self, desk: &mut Desk) {
        self.phase = Looking::List;
        let now = desk.now;
        self.known.iter_mut().for_each(|(_, known)| known.seen = now);
    }

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        State::Watching
    }

    fn note(&self) -> Option<String> {
        let shares = self.known.iter().filter(|(_, known)| !known.sources.is_empty());
        let text = shares.map(|(name, known)| format!("{name}: {}", known.sources.join(" ")));
        Some(text.collect::<Vec<_>>().join(" · ")).filter(|text| !text.is_empty())
    }

    fn deadline(&self) -> Option<Instant> {
        (self.phase == Looking::Rest).then_some(self.next)
    }

    fn on_time(&mut self, _: &mut Desk) {
        self.phase = Looking::List;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn known(sources: &[&str], load: u32, seen_ms: u64) -> Known {
        let sources = sources.iter().map(ToString::to_string).collect();
        Known { sources, version: 1, load, sign: Zxid(1), seen: Instant(seen_ms * 1000) }
    }

    #[test]
    fn shares_go_to_those_with_the_least_to_do() {
        let now = Instant(10_000_000);
        let all: Vec<String> = ["s1", "s2", "s3", "s4"].map(String::from).into();
        for (collectors, wanted) in [
            // The dead one's share goes to the less loaded of the others.
            (
                vec![
                    ("a", known(&["s1", "s2"], 2, 0)),
                    ("b", known(&["s3"], 9, 9_000)),
                    ("c", known(&["s4"], 1, 9_000)),
                ],
                vec![("a", vec![]), ("c", vec!["s4", "s1", "s2"])],
            ),
            // Two are equal: they take turns.
            (
                vec![("b", known(&[], 0, 9_000)), ("c", known(&[], 0, 9_000))],
                vec![("b", vec!["s1", "s3"]), ("c", vec!["s2", "s4"])],
            ),
            // A newcomer gets what is free; what runs stays where it is.
            (vec![("b", known(&["s1", "s2", "s3"], 3, 9_000)), ("n", known(&[], 0, 9_900))], vec![("n", vec!["s4"])]),
            // Nobody lives: nothing is taken away from the last who had it.
            (vec![("a", known(&["s1", "s2", "s3", "s4"], 4, 0))], vec![]),
            // A source that two have is left to one.
            (
                vec![("b", known(&["s1", "s2", "s3"], 3, 9_000)), ("c", known(&["s3", "s4"], 2, 9_000))],
                vec![("c", vec!["s4"])],
            ),
        ] {
            let map = collectors.into_iter().map(|(name, k)| (name.to_string(), k)).collect();
            let got: Vec<_> = plan(&map, &all, now).into_iter().map(|(name, share, _)| (name, share)).collect();
            let wanted: Vec<(String, Vec<String>)> =
                wanted.into_iter().map(|(n, s)| (n.into(), s.into_iter().map(String::from).collect())).collect();
            assert_eq!(got, wanted);
        }
    }
}
