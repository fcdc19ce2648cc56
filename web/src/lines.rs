//! The lines of a run: its history is a tree of command logs. A command in the past begins a new line; the old one stays.

use crate::driver::Driver;
use crate::history::History;
use std::rc::Rc;
use zebu_core::collections::BTreeMap;
use zebu_core::sim::command::Command;

/// Clones kept of a line that is not played.
const RESTING_MARKS: usize = 12;

/// Digests of moments that were looked at, kept for comparison.
const DIGESTS: usize = 512;

/// A clone of the run at a moment, and how many of the line's commands it has seen.
pub(crate) struct Mark {
    pub driver: Driver,
    pub applied: usize,
}

/// One line: what was pressed when, and what came of it as far as it was played.
#[derive(Clone, Default)]
pub(crate) struct Line {
    pub id: u32,
    /// The line it left, and at which moment.
    pub from: Option<(u32, u64)>,
    /// How many of its commands it shares with that line.
    pub shared: usize,
    /// Commands with the moment at which each was given.
    pub commands: Vec<(u64, Command)>,
    /// How far it was played.
    pub frontier: u64,
    /// How far whoever sent it had played it.
    pub wanted: u64,
    pub history: History,
    pub chapters: Vec<u64>,
    pub marks: BTreeMap<u64, Rc<Mark>>,
    pub digests: BTreeMap<(u64, usize), u64>,
}

impl Line {
    /// A line from the very beginning.
    pub fn fresh(id: u32) -> Line {
        Line { id, chapters: vec![0], ..Line::default() }
    }

    /// The line that leaves this one at `moment`, having seen `applied` commands.
    pub fn fork(&self, id: u32, moment: u64, applied: usize) -> Line {
        let mut line = Line { id, from: Some((self.id, moment)), shared: applied, wanted: 0, ..self.clone() };
        line.commands.truncate(applied);
        line.forget_after(moment);
        line
    }

    /// Forgets what came after a moment.
    pub fn forget_after(&mut self, moment: u64) {
        self.frontier = self.frontier.min(moment);
        self.history.forget_after(moment);
        self.marks.retain(|at, _| *at <= moment);
        self.digests.retain(|(at, _), _| *at <= moment);
        self.chapters.retain(|at| *at <= moment);
    }

    /// Another line is on the stage: this one keeps few clones until somebody comes back to it.
    pub fn rest(&mut self) {
        while self.marks.len() > RESTING_MARKS {
            let thinned: Vec<u64> = self.marks.keys().copied().skip(1).step_by(2).collect();
            for at in thinned {
                self.marks.remove(&at);
            }
        }
    }

    /// Compares a digest with the one known of this moment, if there is one: false if they differ.
    pub fn check_digest(&mut self, moment: u64, applied: usize, digest: u64) -> bool {
        let known = *self.digests.entry((moment, applied)).or_insert(digest);
        while self.digests.len() > DIGESTS {
            self.digests.pop_first();
        }
        known == digest
    }

    /// About how many bytes it takes, if a clone of its world takes `clone`.
    pub fn bytes(&self, clone: usize) -> usize {
        self.history.bytes() + self.marks.len() * clone + self.digests.len() * 24
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.frontier.max(self.wanted)
    }

    /// As people see it.
    pub fn view(&self, current: bool) -> LineView {
        LineView {
            id: self.id,
            current,
            parent: self.from.map(|(parent, _)| parent),
            from: self.from.map_or(0, |(_, at)| at),
            end: self.end(),
            length: self.history.length(),
            what: self.commands.get(self.shared).map(|(_, command)| command.clone()),
        }
    }
}

/// What is drawn of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineView {
    /// Its number; never used again in a run.
    pub id: u32,
    /// It is the one on the stage.
    pub current: bool,
    /// The line it left.
    pub parent: Option<u32>,
    /// At which moment.
    pub from: u64,
    /// Its last moment.
    pub end: u64,
    /// The length of its timeline, as far as it was played.
    pub length: f32,
    /// The command that made it another line; none if a command was taken back.
    pub what: Option<Command>,
}

/// A line as it can be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineLog {
    /// The index of the line it left among those written, and the moment.
    pub from: Option<(usize, u64)>,
    /// All its commands.
    pub commands: Vec<(u64, Command)>,
    /// How far it was played.
    pub end: u64,
}
