//! Time travel: seed and commands are the truth, clones of the world the cache. Going to a moment takes the nearest
//! clone before it and replays; where the digest of a moment is known, it is compared.
//!
//! Moments are counted in moves of the [`Driver`]: events, and steps of a scenario between events.

use crate::driver::{Driver, Moved};
use crate::history::History;
use std::collections::{BTreeMap, BTreeSet};
use zebu_core::sim::command::Command;
use zebu_core::sim::{CommandError, World};
use zebu_core::trace::{TraceEvent, TraceRecord};

/// Moves between two clones.
const MARK_EVERY: u64 = 128;

/// Clones kept; older ones are thinned to every second when there are more.
const MARKS: usize = 96;

/// Digests of moments that were looked at, kept for comparison.
const DIGESTS: usize = 512;

#[derive(Clone)]
struct Mark {
    driver: Driver,
    applied: usize,
}

/// A run with its past.
pub struct Timeline {
    driver: Driver,
    moment: u64,
    /// Commands with the moment at which each was given.
    commands: Vec<(u64, Command)>,
    applied: usize,
    marks: BTreeMap<u64, Mark>,
    digests: BTreeMap<(u64, usize), u64>,
    frontier: u64,
    history: History,
    loud: BTreeSet<u64>,
    diverged: Option<u64>,
    chapters: Vec<u64>,
}

/// What one move brought.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The move.
    pub moved: Moved,
    /// Its records.
    pub records: Vec<TraceRecord>,
}

impl Timeline {
    /// A run from its beginning.
    pub fn new(driver: Driver) -> Timeline {
        let mut timeline = Timeline {
            driver,
            moment: 0,
            commands: Vec::new(),
            applied: 0,
            marks: BTreeMap::new(),
            digests: BTreeMap::new(),
            frontier: 0,
            history: History::default(),
            loud: BTreeSet::new(),
            diverged: None,
            chapters: vec![0],
        };
        timeline.mark();
        timeline
    }

    /// The world as it is now.
    pub fn world(&self) -> &World {
        self.driver.world()
    }

    /// What moves it.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Moves up to now.
    pub fn moment(&self) -> u64 {
        self.moment
    }

    /// Moves in this run, counting those that were gone back over.
    pub fn frontier(&self) -> u64 {
        self.frontier
    }

    /// The index of the run.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The moments at which a passage of the scenario began, as far as it was played.
    pub fn chapters(&self) -> &[u64] {
        &self.chapters
    }

    /// Whether a message that is no heartbeat is under way.
    pub fn is_busy(&self) -> bool {
        !self.loud.is_empty()
    }

    /// The first moment at which a replay gave another state than the run before it: a fault of ours.
    pub fn diverged(&self) -> Option<u64> {
        self.diverged
    }

    /// The digest of this moment; remembered, so that coming back here is checked.
    pub fn digest(&mut self) -> u64 {
        let digest = self.world().digest();
        let key = (self.moment, self.applied);
        match self.digests.get(&key) {
            Some(known) if *known != digest => self.diverged = self.diverged.or(Some(self.moment)),
            Some(_) => {}
            None => {
                self.digests.insert(key, digest);
                while self.digests.len() > DIGESTS {
                    self.digests.pop_first();
                }
            }
        }
        digest
    }

    /// Makes the next move; `None` when nothing will ever happen without a command.
    pub fn step(&mut self) -> Option<Happened> {
        let moved = self.driver.advance()?;
        self.moment += 1;
        let mut records = self.driver.trace();
        self.listen(&records);
        if self.moment > self.frontier {
            self.frontier = self.moment;
            self.history.executed(moved.quiet, &records, self.moment);
            if moved.chapter {
                self.chapters.push(self.moment);
            }
        }
        records.extend(self.redo());
        if self.moment.is_multiple_of(MARK_EVERY) {
            self.mark();
        }
        Some(Happened { moved, records })
    }

    /// Gives again what was given at this moment before.
    fn redo(&mut self) -> Vec<TraceRecord> {
        let mut records = Vec::new();
        while let Some((at, command)) = self.commands.get(self.applied) {
            if *at != self.moment {
                break;
            }
            let done = self.driver.command(command);
            self.applied += 1;
            if done.is_err() {
                self.diverged = self.diverged.or(Some(self.moment));
            }
            records.extend(self.driver.trace());
        }
        self.listen(&records);
        records
    }

    /// Gives a command now. What followed this moment before is forgotten.
    ///
    /// # Errors
    /// As [`World::command`]; then nothing has changed.
    pub fn command(&mut self, command: Command) -> Result<Vec<TraceRecord>, CommandError> {
        self.driver.command(&command)?;
        self.commands.truncate(self.applied);
        self.commands.push((self.moment, command));
        self.applied = self.commands.len();
        if self.moment < self.frontier {
            let now = self.moment;
            self.frontier = now;
            self.history.forget_after(now);
            self.marks.retain(|at, _| *at <= now);
            self.digests.retain(|(at, _), _| *at <= now);
            self.chapters.retain(|at| *at <= now);
        }
        let records = self.driver.trace();
        self.listen(&records);
        self.history.told(&records, self.moment);
        Ok(records)
    }

    /// Goes to a moment; not beyond what has been played.
    pub fn seek(&mut self, moment: u64) {
        let moment = moment.min(self.frontier);
        let nearest = self.marks.range(..=moment).next_back().map_or(0, |(at, _)| *at);
        if moment < self.moment || nearest > self.moment {
            let Some(mark) = self.marks.get(&nearest) else { return };
            self.driver = mark.driver.clone();
            self.applied = mark.applied;
            self.moment = nearest;
            self.redo();
        }
        while self.moment < moment {
            if self.driver.advance().is_none() {
                break;
            }
            self.moment += 1;
            self.driver.trace();
            self.redo();
            self.check_mark();
        }
        self.loud = self.world().flights().iter().filter(|f| !f.heartbeat && !f.lost).map(|f| f.id).collect();
        self.digest();
    }

    /// Compares with the clone of this very moment, if there is one.
    fn check_mark(&mut self) {
        let Some(mark) = self.marks.get(&self.moment) else { return };
        if mark.applied == self.applied && mark.driver.world().digest() != self.world().digest() {
            self.diverged = self.diverged.or(Some(self.moment));
        }
    }

    fn mark(&mut self) {
        if self.marks.contains_key(&self.moment) {
            self.check_mark();
            return;
        }
        let mark = Mark { driver: self.driver.clone(), applied: self.applied };
        self.marks.insert(self.moment, mark);
        if self.marks.len() > MARKS {
            let thinned: Vec<u64> = self.marks.keys().copied().skip(1).take(MARKS / 2).step_by(2).collect();
            for at in thinned {
                self.marks.remove(&at);
            }
        }
    }

    fn listen(&mut self, records: &[TraceRecord]) {
        for record in records {
            match &record.event {
                TraceEvent::Sent { id, kind, .. } if !is_heartbeat(kind) => {
                    self.loud.insert(*id);
                }
                TraceEvent::Delivered { id, .. } | TraceEvent::Lost { id, .. } => {
                    self.loud.remove(id);
                }
                _ => {}
            }
        }
    }
}

/// Whether a message of this kind only says "I am here".
pub fn is_heartbeat(kind: &str) -> bool {
    matches!(kind, "PING" | "PONG" | "ping" | "pong")
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::ServerId;
    use zebu_core::sim::WorldSpec;

    fn run(seed: u64, steps: usize) -> Timeline {
        let mut t = Timeline::new(Driver::free(WorldSpec { seed, ..WorldSpec::default() }));
        for _ in 0..steps {
            t.step().expect("an ensemble never rests");
        }
        t
    }

    #[test]
    fn a_step_back_after_a_step_gives_the_identical_digest() {
        let mut t = run(7, 300);
        for _ in 0..140 {
            let before = (t.moment(), t.digest());
            t.step().unwrap();
            t.seek(before.0);
            assert_eq!((t.moment(), t.world().digest()), before);
            t.step().unwrap();
        }
        assert_eq!(t.diverged(), None);
    }

    #[test]
    fn commands_are_replayed_at_their_moments() {
        let mut t = run(3, 400);
        t.command(Command::Kill { server: ServerId(5) }).unwrap();
        for _ in 0..200 {
            t.step().unwrap();
        }
        t.command(Command::Restart { server: ServerId(5) }).unwrap();
        for _ in 0..300 {
            t.step().unwrap();
        }
        let end = (t.moment(), t.digest());
        for to in [10, 399, 400, 401, 599, 600, 601, 128, 0, end.0] {
            t.seek(to);
            assert_eq!(t.moment(), to);
        }
        assert_eq!((t.moment(), t.world().digest()), end);
        assert_eq!(t.diverged(), None);
    }

    #[test]
    fn a_command_in_the_past_begins_another_future() {
        let mut t = run(3, 400);
        let end = t.digest();
        let told = t.history().entries().len();
        t.seek(20);
        t.command(Command::Kill { server: ServerId(1) }).unwrap();
        assert_eq!(t.frontier(), 20);
        assert!(t.history().entries().len() < told);
        while t.moment() < 400 {
            t.step().unwrap();
        }
        assert_ne!(t.digest(), end);
        assert_eq!(t.diverged(), None);
    }

    #[test]
    fn a_refused_command_changes_nothing() {
        let mut t = run(3, 100);
        let end = t.digest();
        t.seek(60);
        assert!(t.command(Command::Kill { server: ServerId(77) }).is_err());
        assert_eq!(t.frontier(), 100);
        t.seek(100);
        assert_eq!(t.digest(), end);
    }

    #[test]
    fn a_long_run_keeps_few_clones() {
        let mut t = run(1, 0);
        for _ in 0..(MARK_EVERY * (MARKS as u64 + 40)) {
            t.step().unwrap();
        }
        assert!(t.marks.len() <= MARKS + 1);
        t.seek(5);
        assert_eq!(t.moment(), 5);
    }
}
