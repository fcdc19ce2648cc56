//! Two lines of a run beside each other: where they part, which event is the first that is not the same, and what came
//! of each.

use crate::driver::Driver;
use crate::lines::Line;
use std::rc::Rc;
use zebu_core::collections::{BTreeMap, BTreeSet};
use zebu_core::id::{Epoch, ServerId, Zxid};
use zebu_core::sim::view::{ServerView, Shown, WorldView, ZnodeView};
use zebu_core::trace::{TraceEvent, TraceRecord};

/// The most moves that are made to see how a line ends, or where two part: a line out of a link is not played yet.
const FAR: u64 = 10_000;

/// Moves after the parting in which a line is given time to tell something.
const PATIENCE: u64 = 200;

/// Two lines: the one on the stage, and another.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How many moves both share; all of them, if nothing differs.
    pub same: u64,
    /// Both sides.
    pub sides: [Side; 2],
}

/// One of the two lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Its number.
    pub line: u32,
    /// The moment that shows the first difference.
    pub moment: u64,
    /// What is told first that the other line does not tell; empty if nothing differs, or the line ends.
    pub first: Vec<Rc<TraceEvent>>,
    /// How far it is known.
    pub end: u64,
    /// The world then.
    pub view: Rc<WorldView>,
}

/// A run that goes through a line.
struct Runner<'a> {
    driver: Driver,
    line: &'a Line,
    moment: u64,
    given: usize,
}

impl<'a> Runner<'a> {
    /// From the last clone of `line` up to `moment` that has seen no more than `given` commands.
    fn before(line: &'a Line, moment: u64, given: usize) -> Option<Runner<'a>> {
        let fits = line.marks.range(..=moment).rev().find(|(_, mark)| mark.applied <= given);
        fits.map(|(at, mark)| Runner { driver: mark.driver.clone(), line, moment: *at, given: mark.applied })
    }

    /// Gives what is due at this moment. A refused press changes nothing, so it is no difference either.
    fn give(&mut self) {
        while let Some((_, command)) = self.line.commands.get(self.given).filter(|(at, _)| *at <= self.moment) {
            self.given += 1;
            let _ = self.driver.command(command);
        }
    }

    /// Gives what is due at this moment, then makes one move: what was told of both, one behind the other, and how
    /// much of it belongs to the presses.
    fn next(&mut self) -> (Vec<TraceRecord>, usize) {
        self.give();
        let mut records = self.driver.trace();
        let pressed = records.len();
        if self.driver.advance().is_some() {
            self.moment += 1;
            records.extend(self.driver.trace());
        }
        (records, pressed)
    }

    /// On to `moment`, as far as anything happens.
    fn go(&mut self, moment: u64) {
        self.give();
        while self.moment < moment && self.driver.advance().is_some() {
            self.moment += 1;
            self.give();
        }
        self.driver.trace();
    }
}

/// The run as it was at a moment of a line, without going there.
pub(crate) fn at(line: &Line, moment: u64) -> Option<(u64, Driver)> {
    let mut runner = Runner::before(line, moment, usize::MAX)?;
    runner.go(moment.min(runner.moment.saturating_add(FAR)));
    Some((runner.moment, runner.driver))
}

/// Compares two lines of one run.
pub(crate) fn lines(a: &Line, b: &Line) -> Option<Comparison> {
    let upto = a.end().min(b.end());
    // What was pressed makes the only difference: before the first other press nothing can part them.
    let alike = a.commands.iter().zip(&b.commands).take_while(|(x, y)| x == y).count();
    let press = |line: &Line| line.commands.get(alike).map_or(upto, |(at, _)| *at);
    let from = press(a).min(press(b));
    let mut start = Runner::before(a, from, alike)?;
    let (driver, moment, given) = (start.driver.clone(), start.moment, start.given);
    let mut other = Runner { driver, line: b, moment, given };
    let mut found = None;
    while start.moment < upto.min(moment.saturating_add(FAR)) && other.moment == start.moment {
        let same = start.moment;
        let (x, y) = (start.next(), other.next());
        if x.0 != y.0 {
            found = Some((same, x, y));
            break;
        }
    }
    let (same, x, y) = found.unwrap_or((start.moment, (Vec::new(), 0), (Vec::new(), 0)));
    let equal = x.0.iter().zip(&y.0).take_while(|(x, y)| x == y).count();
    let parted = x.0 != y.0;
    let side = |line: &Line, mut runner: Runner<'_>, (mut records, pressed): (Vec<TraceRecord>, usize)| {
        let moment = if equal < pressed || !parted { same } else { runner.moment };
        records.drain(..equal);
        let patience = line.end().min(runner.moment.saturating_add(PATIENCE));
        while parted && records.is_empty() && runner.moment < patience {
            let before = runner.moment;
            records = runner.next().0;
            if runner.moment == before {
                break;
            }
        }
        let (end, driver) = at(line, line.end())?;
        Some(Side {
            line: line.id,
            moment: moment.min(line.end()),
            first: records.into_iter().map(|r| Rc::new(r.event)).collect(),
            end,
            view: Rc::new(driver.world().view()),
        })
    };
    Some(Comparison { same, sides: [side(a, start, x)?, side(b, other, y)?] })
}

/// Who leads at the end, and in which epoch.
pub fn leader(view: &WorldView) -> Option<(ServerId, Epoch)> {
    let leaders = view.servers.iter().filter(|s| s.shown == Shown::Leading && s.serving);
    leaders.max_by_key(|s| s.epoch).map(|s| (s.id, s.epoch))
}

/// The last transaction that any server knows to be committed.
pub fn committed(view: &WorldView) -> Zxid {
    view.servers.iter().map(|s| s.committed).max().unwrap_or_default()
}

/// The znodes that are not the same in two worlds, each as the server sees it that knows most: path, and data with its
/// version on either side.
pub fn values(a: &WorldView, b: &WorldView) -> Vec<(String, [Option<String>; 2])> {
    let tree = |view: &'_ WorldView| -> BTreeMap<String, ZnodeView> {
        let knows = |s: &&ServerView| (s.committed, s.shown == Shown::Leading);
        let best = view.servers.iter().filter(|s| s.shown != Shown::Down).max_by_key(knows);
        best.map(|s| s.tree.iter().map(|z| (z.path.clone(), z.clone())).collect()).unwrap_or_default()
    };
    let trees = [tree(a), tree(b)];
    let paths: BTreeSet<&String> = trees.iter().flat_map(|t| t.keys()).collect();
    let value = |path: &String| [0, 1].map(|i| trees[i].get(path).map(|z| format!("{} (v{})", z.data, z.version)));
    paths.into_iter().map(|path| (path.clone(), value(path))).filter(|(_, [x, y])| x != y).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Timeline;
    use zebu_core::sim::WorldSpec;
    use zebu_core::sim::command::{ClientId, Command};

    fn play(t: &mut Timeline, upto: u64) {
        while t.moment() < upto {
            t.step().expect("an ensemble never rests");
        }
    }

    #[test]
    fn v13_the_first_different_event_is_found_and_named_with_what_came_of_it() {
        let mut t = Timeline::new(Driver::free(WorldSpec::default()));
        play(&mut t, 600);
        let (old, _) = leader(&t.world().view()).expect("a leader after 600 moves");
        t.command(Command::Connect { client: ClientId(0), server: ServerId(1) }).unwrap();
        play(&mut t, 700);
        let line = "create /x here".to_string();
        t.command(Command::Ask { client: ClientId(0), line, via: None }).unwrap();
        play(&mut t, 1000);
        t.seek(690);
        t.command(Command::Kill { server: old }).unwrap();
        play(&mut t, 4000);
        let found = t.compare(1).unwrap();
        let [new, first] = &found.sides;
        assert_eq!((found.same, new.line, first.line), (690, 2, 1));
        assert!(new.first.iter().any(|e| matches!(**e, TraceEvent::Stopped { server, .. } if server == old)));
        assert!(!first.first.is_empty() && first.first[0] != new.first[0]);
        assert_eq!((new.moment, first.moment), (690, 691), "a press shows at once, an event behind it");
        assert_eq!((new.end, first.end), (4000, 1000));
        assert_eq!(leader(&first.view).map(|(id, _)| id), Some(old));
        let (heir, epoch) = leader(&new.view).unwrap();
        assert!(heir != old && epoch > leader(&first.view).unwrap().1);
        assert!(committed(&new.view) < committed(&first.view), "the write was not committed there");
        let x = values(&new.view, &first.view).into_iter().find(|(path, _)| path == "/x");
        assert_eq!(x, Some(("/x".into(), [None, Some("here (v0)".into())])));
        // The other way round, after going there: the same.
        assert!(t.switch(1));
        let back = t.compare(2).unwrap();
        assert_eq!((back.same, back.sides[1].moment), (690, 690));
        assert_eq!(t.compare(9), None);
    }

    #[test]
    fn lines_with_the_same_presses_do_not_differ() {
        let mut t = Timeline::new(Driver::free(WorldSpec::default()));
        play(&mut t, 200);
        for _ in 0..2 {
            t.switch(1);
            t.seek(100);
            t.command(Command::Kill { server: ServerId(2) }).unwrap();
            play(&mut t, 180);
        }
        let found = t.compare(2).unwrap();
        assert_eq!(found.same, 180);
        assert!(found.sides.iter().all(|side| side.first.is_empty()));
        assert_eq!(values(&found.sides[0].view, &found.sides[1].view), []);
    }
}
