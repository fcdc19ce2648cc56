//! Time travel: seed and commands are the truth, clones of the world the cache. Going to a moment takes the nearest
//! clone before it and replays; where the digest of a moment is known, it is compared.
//!
//! Moments are counted in moves of the [`Driver`]: events, and steps of a scenario between events. A command in the past
//! begins a new [`Line`]; the old one can be taken up again.

use crate::compare::{self, Comparison};
use crate::driver::{Driver, Moved};
use crate::history::History;
use crate::lines::{Line, LineLog, LineView, Mark};
use std::rc::Rc;
use zebu_core::collections::{BTreeMap, BTreeSet, order};
use zebu_core::compare::AnyWorld;
use zebu_core::sim::CommandError;
use zebu_core::sim::command::Command;
use zebu_core::trace::{TraceEvent, TraceRecord};

/// Moves between two clones.
const MARK_EVERY: u64 = 64;

/// Clones kept; older ones are thinned to every second when there are more.
const MARKS: usize = 176;

/// Lines kept; the oldest that nobody looks at goes when there are more.
const LINES: usize = 24;

/// A run with its past.
pub struct Timeline {
    driver: Driver,
    moment: u64,
    applied: usize,
    line: Line,
    resting: BTreeMap<u32, Line>,
    next_line: u32,
    loud: BTreeSet<u64>,
    diverged: Option<u64>,
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
            applied: 0,
            line: Line::fresh(1),
            resting: BTreeMap::new(),
            next_line: 2,
            loud: BTreeSet::new(),
            diverged: None,
        };
        timeline.mark();
        timeline
    }

    /// A run whose commands are written down already; it stands at its beginning, in the line `current`.
    pub fn with_lines(driver: Driver, logs: Vec<LineLog>, current: usize) -> Timeline {
        let mut timeline = Timeline::new(driver);
        let start = timeline.line.marks.clone();
        let count = u32::try_from(logs.len()).unwrap_or(u32::MAX);
        for (id, log) in (1..).zip(logs) {
            let from = log.from.and_then(|(parent, at)| Some((u32::try_from(parent).ok()?.checked_add(1)?, at)));
            let shared = from.map_or(0, |(_, at)| log.commands.partition_point(|(moment, _)| *moment < at));
            let marks = start.clone();
            let line = Line { id, from, shared, commands: log.commands, wanted: log.end, marks, ..Line::fresh(id) };
            timeline.resting.insert(id, line);
        }
        let id = u32::try_from(current).unwrap_or(0).saturating_add(1);
        if let Some(line) = timeline.resting.remove(&id) {
            timeline.line = line;
        }
        timeline.next_line = count.saturating_add(1).max(2);
        let records = timeline.redo();
        timeline.line.history.told(&records, 0);
        timeline
    }

    /// The world as it is now.
    pub fn world(&self) -> &AnyWorld {
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

    /// Moves in this line, counting those that were gone back over.
    pub fn frontier(&self) -> u64 {
        self.line.frontier
    }

    /// The last moment of this line, counting what its sender had played and nobody here yet.
    pub fn end(&self) -> u64 {
        self.line.end()
    }

    /// The index of the line.
    pub fn history(&self) -> &History {
        &self.line.history
    }

    /// The moments at which a passage of the scenario began, as far as it was played.
    pub fn chapters(&self) -> &[u64] {
        &self.line.chapters
    }

    /// Whether a message that is no heartbeat is under way.
    pub fn is_busy(&self) -> bool {
        !self.loud.is_empty()
    }

    /// The first moment at which a replay gave another state than the run before it: a fault of ours.
    pub fn diverged(&self) -> Option<u64> {
        self.diverged
    }

    /// About how many bytes the run takes, if a clone of its world takes `clone`.
    pub fn bytes(&self, clone: usize) -> usize {
        self.line.bytes(clone) + self.resting.values().map(|line| line.bytes(clone)).sum::<usize>()
    }

    /// The number of the line on the stage.
    pub fn line(&self) -> u32 {
        self.line.id
    }

    /// All lines, by number.
    pub fn lines(&self) -> Vec<LineView> {
        let mut lines: Vec<LineView> = self.resting.values().map(|line| line.view(false)).collect();
        lines.push(self.line.view(true));
        order::sort_by_key(&mut lines, |line| line.id);
        lines
    }

    /// All lines as they can be written down, and the index of the current one.
    pub fn logs(&self) -> (Vec<LineLog>, usize) {
        let mut lines: Vec<&Line> = self.resting.values().collect();
        lines.push(&self.line);
        order::sort_by_key(&mut lines, |line| line.id);
        let index = |id: u32| lines.iter().position(|line| line.id == id);
        let log = |line: &&Line| LineLog {
            from: line.from.and_then(|(parent, at)| Some((index(parent)?, at))),
            commands: line.commands.clone(),
            end: line.end(),
        };
        (lines.iter().map(log).collect(), index(self.line.id).unwrap_or(0))
    }

    /// The commands of this line that were given up to now, with their moments.
    pub fn commands(&self) -> &[(u64, Command)] {
        self.line.commands.get(..self.applied).unwrap_or_default()
    }

    /// The digest of this moment; remembered, so that coming back here is checked.
    pub fn digest(&mut self) -> u64 {
        let digest = self.world().digest();
        if !self.line.check_digest(self.moment, self.applied, digest) {
            self.diverged = self.diverged.or(Some(self.moment));
        }
        digest
    }

    /// Makes the next move; `None` when nothing will ever happen without a command.
    pub fn step(&mut self) -> Option<Happened> {
        let moved = self.driver.advance()?;
        self.moment += 1;
        let mut records = self.driver.trace();
        self.listen(&records);
        let fresh = self.moment > self.line.frontier;
        if fresh {
            self.line.frontier = self.moment;
            self.line.history.executed(moved.quiet, &records, self.moment);
            if moved.chapter {
                self.line.chapters.push(self.moment);
            }
        }
        let given = self.redo();
        if fresh {
            self.line.history.told(&given, self.moment);
        }
        records.extend(given);
        if self.moment.is_multiple_of(MARK_EVERY) {
            self.mark();
        }
        Some(Happened { moved, records })
    }

    /// Gives again what was given at this moment before.
    fn redo(&mut self) -> Vec<TraceRecord> {
        let mut records = Vec::new();
        while let Some((at, command)) = self.line.commands.get(self.applied) {
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

    /// Gives a command now. If this is the past, a new line begins here, and the old one rests.
    ///
    /// # Errors
    /// As [`World::command`]; then nothing has changed.
    pub fn command(&mut self, command: Command) -> Result<Vec<TraceRecord>, CommandError> {
        self.driver.command(&command)?;
        if self.moment < self.end() {
            self.branch(self.moment, self.applied);
        }
        self.line.commands.truncate(self.applied);
        self.line.commands.push((self.moment, command));
        self.applied = self.line.commands.len();
        let records = self.driver.trace();
        self.listen(&records);
        self.line.history.told(&records, self.moment);
        Ok(records)
    }

    /// The current line rests; a new one has what it had up to `moment`, with its first `applied` commands.
    fn branch(&mut self, moment: u64, applied: usize) {
        let fork = self.line.fork(self.next_line, moment, applied);
        self.next_line += 1;
        self.rest_for(fork);
    }

    fn rest_for(&mut self, line: Line) {
        let mut old = std::mem::replace(&mut self.line, line);
        old.rest();
        self.resting.insert(old.id, old);
        while self.resting.len() >= LINES {
            self.resting.pop_first();
        }
    }

    /// Takes up another line, at the moment where it ends as far as it was played here. False if there is none.
    pub fn switch(&mut self, id: u32) -> bool {
        let Some(line) = self.resting.remove(&id) else { return false };
        self.rest_for(line);
        self.load(self.line.frontier);
        true
    }

    /// Takes the last command back: a new line goes on from its moment without it. Gives back the command.
    pub fn undo(&mut self) -> Option<Command> {
        let (at, command) = self.commands().last().cloned()?;
        self.branch(at, self.applied - 1);
        // The event itself is executed again, so that nothing of the command stays in the index.
        self.line.forget_after(at.saturating_sub(1));
        if at == 0 {
            self.line.history = History::default();
        }
        self.load(at.saturating_sub(1));
        if at > 0 {
            self.step();
        }
        self.loud = loud(self.world());
        Some(command)
    }

    /// Goes to a moment; not beyond what has been played.
    pub fn seek(&mut self, moment: u64) {
        let moment = moment.min(self.line.frontier);
        let nearest = self.line.marks.range(..=moment).next_back().map_or(0, |(at, _)| *at);
        if moment < self.moment || nearest > self.moment {
            self.load(moment);
        } else {
            self.replay(moment);
        }
    }

    /// Goes to a moment of this line from the clone before it.
    fn load(&mut self, moment: u64) {
        let Some((at, mark)) = self.line.marks.range(..=moment).next_back() else { return };
        (self.driver, self.applied, self.moment) = (mark.driver.clone(), mark.applied, *at);
        self.redo();
        self.replay(moment);
    }

    fn replay(&mut self, moment: u64) {
        while self.moment < moment {
            if self.driver.advance().is_none() {
                break;
            }
            self.moment += 1;
            self.driver.trace();
            self.redo();
            self.check_mark();
        }
        self.loud = loud(self.world());
    }

    /// The run as it was at a moment of this line that was played, without going there.
    pub fn peek(&self, moment: u64) -> Option<Driver> {
        compare::at(&self.line, moment.min(self.line.frontier)).map(|(_, driver)| driver)
    }

    /// This line beside another one; `None` if there is no such line.
    pub fn compare(&self, other: u32) -> Option<Comparison> {
        compare::lines(&self.line, self.resting.get(&other)?)
    }

    /// Compares with the clone of this very moment, if there is one.
    fn check_mark(&mut self) {
        let Some(mark) = self.line.marks.get(&self.moment) else { return };
        if mark.applied == self.applied && mark.driver.world().digest() != self.world().digest() {
            self.diverged = self.diverged.or(Some(self.moment));
        }
    }

    fn mark(&mut self) {
        if self.line.marks.contains_key(&self.moment) {
            self.check_mark();
            return;
        }
        let mark = Mark { driver: self.driver.clone(), applied: self.applied };
        let marks = &mut self.line.marks;
        marks.insert(self.moment, Rc::new(mark));
        if marks.len() > MARKS {
            let thinned: Vec<u64> = marks.keys().copied().skip(1).take(MARKS / 2).step_by(2).collect();
            for at in thinned {
                marks.remove(&at);
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

fn loud(world: &AnyWorld) -> BTreeSet<u64> {
    world.flights().iter().filter(|f| !f.heartbeat && !f.lost).map(|f| f.id).collect()
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
    fn t3_a_step_back_after_a_step_gives_the_identical_digest() {
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
    fn t9_a_command_in_the_past_begins_another_future() {
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
        assert!(t.line.marks.len() <= MARKS + 1);
        t.seek(5);
        assert_eq!(t.moment(), 5);
    }

    fn until(t: &mut Timeline, moment: u64) {
        while t.moment() < moment {
            t.step().unwrap();
        }
    }

    #[test]
    fn t9_the_old_line_is_still_reachable_and_the_tree_is_known() {
        let mut t = run(3, 400);
        t.command(Command::Kill { server: ServerId(5) }).unwrap();
        until(&mut t, 500);
        let old = (t.digest(), t.history().entries().to_vec());
        t.seek(200);
        t.command(Command::Kill { server: ServerId(1) }).unwrap();
        until(&mut t, 450);
        let new = t.digest();
        let lines = t.lines();
        assert_eq!(
            lines.iter().map(|l| (l.id, l.current, l.parent, l.from, l.end)).collect::<Vec<_>>(),
            [(1, false, None, 0, 500), (2, true, Some(1), 200, 450)]
        );
        assert_eq!(lines[1].what, Some(Command::Kill { server: ServerId(1) }));
        // A third line leaves the second; then there and back.
        t.seek(300);
        t.command(Command::Kill { server: ServerId(2) }).unwrap();
        assert!(t.switch(1) && !t.switch(1) && !t.switch(77));
        assert_eq!((t.moment(), t.digest()), (500, old.0));
        assert_eq!(t.history().entries(), &old.1[..]);
        assert!(t.switch(2));
        assert_eq!((t.moment(), t.digest()), (450, new));
        t.seek(100);
        assert!(t.switch(3));
        assert_eq!((t.moment(), t.frontier(), t.diverged()), (300, 300, None));
    }

    #[test]
    fn a_command_is_taken_back_and_nothing_of_it_stays() {
        let mut t = run(3, 200);
        let plain = (t.digest(), t.history().entries().to_vec(), t.history().bands().clone());
        assert_eq!(t.undo(), None);
        t.command(Command::Kill { server: ServerId(1) }).unwrap();
        until(&mut t, 300);
        let killed = t.digest();
        assert_eq!(t.undo(), Some(Command::Kill { server: ServerId(1) }));
        assert_eq!((t.moment(), t.frontier(), t.digest()), (200, 200, plain.0));
        assert_eq!((t.history().entries(), t.history().bands()), (&plain.1[..], &plain.2));
        assert!(t.switch(1));
        assert_eq!(t.digest(), killed, "the line with the command rests and can be taken up");
        // At the very beginning too.
        let mut t = run(3, 0);
        t.command(Command::HealAll).unwrap();
        assert_eq!(t.undo(), Some(Command::HealAll));
        assert!(t.history().entries().is_empty() && t.moment() == 0);
    }

    #[test]
    fn t10_a_look_at_a_moment_is_that_moment_and_moves_nothing() {
        let mut t = run(3, 150);
        t.command(Command::Kill { server: ServerId(2) }).unwrap();
        until(&mut t, 400);
        let now = (t.moment(), t.digest());
        for moment in [0, 77, 150, 151, 399] {
            let seen = t.peek(moment).unwrap().world().digest();
            t.seek(moment);
            assert_eq!(t.digest(), seen, "{moment}");
            t.seek(now.0);
        }
        assert_eq!((t.moment(), t.digest(), t.diverged()), (now.0, now.1, None));
    }

    #[test]
    fn lines_that_were_written_down_give_the_same_run() {
        let mut t = run(9, 100);
        t.command(Command::Kill { server: ServerId(2) }).unwrap();
        until(&mut t, 200);
        let first = t.digest();
        t.seek(50);
        t.command(Command::Kill { server: ServerId(3) }).unwrap();
        until(&mut t, 150);
        let second = t.digest();
        let (logs, current) = t.logs();
        assert_eq!((logs.len(), current, logs[1].from), (2, 1, Some((0, 50))));
        let spec = WorldSpec { seed: 9, ..WorldSpec::default() };
        let mut again = Timeline::with_lines(Driver::free(spec), logs.clone(), current);
        assert_eq!((again.end(), again.frontier()), (150, 0));
        until(&mut again, 150);
        assert_eq!(again.digest(), second);
        assert!(again.switch(1));
        until(&mut again, 200);
        assert_eq!((again.digest(), again.logs().0, again.diverged()), (first, logs, None));
    }
}
