//! Looks for the shortest run that breaks a rule: from a calm ensemble, button presses in all orders, one candidate
//! after the other, so that the page stays alive. Bounded: it ends whether it finds something or not.

use std::collections::VecDeque;
use zebu_core::config::BrokenRule;
use zebu_core::id::ServerId;
use zebu_core::sim::check::Rule;
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::{World, WorldSpec};

/// A run of at most this many events is short enough: the search ends with it.
pub const SHORT: u64 = 20;

/// Candidates that are tried at most.
const MOST: u32 = 700;

/// Presses of a candidate.
const DEPTH: usize = 4;

/// Events that a candidate may take after its last press.
const PATIENCE: u64 = 120;

/// Events between two presses.
const GAPS: [u64; 2] = [0, 14];

/// A run that breaks a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The world.
    pub spec: WorldSpec,
    /// What is pressed, each after so many events.
    pub commands: Vec<(u64, Command)>,
    /// The event that breaks the rule.
    pub end: u64,
    /// Events from the first press on.
    pub events: u64,
    /// The rule.
    pub rule: Rule,
}

/// A search under way.
pub struct Search {
    spec: WorldSpec,
    calm: World,
    buttons: Vec<Command>,
    waiting: VecDeque<Vec<(u64, Command)>>,
    tried: u32,
    best: Option<Found>,
}

/// The events in which an ensemble has to become calm.
const CALM: u64 = 3000;

impl Search {
    /// A search with a broken rule among so many servers; `None` if such an ensemble never comes to rest.
    pub fn new(servers: u32, seed: u64, broken: Option<BrokenRule>) -> Option<Search> {
        let spec = WorldSpec { servers, seed, broken, ..WorldSpec::default() };
        let mut calm = World::new(spec.clone());
        while !calm.is_agreed() {
            calm.step()?;
            if calm.events() > CALM {
                return None;
            }
        }
        let leader = calm.leader()?;
        let others: Vec<ServerId> = calm.server_ids().filter(|id| *id != leader).collect();
        let (friend, far) = (*others.first()?, *others.last()?);
        let (a, b) = (ClientId(0), ClientId(1));
        let ask = |client, line: &str| Command::Ask { client, line: line.into(), via: None };
        let buttons = vec![
            Command::Connect { client: a, server: leader },
            Command::Partition { groups: vec![vec![leader], others.clone()] },
            Command::Connect { client: b, server: far },
            ask(a, "create /x A"),
            Command::Kill { server: leader },
            ask(b, "create /x B"),
            Command::Kill { server: friend },
            Command::Restart { server: leader },
            Command::HealAll,
        ];
        let waiting = buttons.iter().map(|b| vec![(0, b.clone())]).collect();
        Some(Search { spec, calm, buttons, waiting, tried: 0, best: None })
    }

    /// Candidates tried so far.
    pub fn tried(&self) -> u32 {
        self.tried
    }

    /// The shortest run found so far.
    pub fn best(&self) -> Option<&Found> {
        self.best.as_ref()
    }

    /// Tries one candidate; false when the search is over.
    pub fn try_one(&mut self) -> bool {
        if self.tried >= MOST || self.best.as_ref().is_some_and(|b| b.events <= SHORT) {
            return false;
        }
        let Some(candidate) = self.waiting.pop_front() else { return false };
        self.tried += 1;
        match self.run(&candidate) {
            Run::Broken(found) => {
                if self.best.as_ref().is_none_or(|b| found.events < b.events) {
                    self.best = Some(*found);
                }
            }
            // What can't be pressed leads nowhere; what breaks nothing may with one press more.
            Run::Refused => {}
            Run::Safe if candidate.len() < DEPTH => {
                for gap in GAPS {
                    for button in &self.buttons {
                        let mut longer = candidate.clone();
                        longer.push((gap, button.clone()));
                        self.waiting.push_back(longer);
                    }
                }
            }
            Run::Safe => {}
        }
        true
    }

    fn run(&self, candidate: &[(u64, Command)]) -> Run {
        let mut world = self.calm.clone();
        let begin = world.events();
        let mut commands = Vec::new();
        // The presses, each after its gap, and then patience.
        let presses = candidate.iter().map(|(gap, command)| (*gap, Some(command)));
        for (gap, command) in presses.chain([(PATIENCE, None)]) {
            for _ in 0..gap {
                if world.step().is_none() {
                    return Run::Safe;
                }
                if let Some(found) = self.broken(&world, begin, &commands) {
                    return Run::Broken(Box::new(found));
                }
            }
            if let Some(command) = command {
                if world.command(command).is_err() {
                    return Run::Refused;
                }
                commands.push((world.events(), command.clone()));
            }
        }
        Run::Safe
    }

    fn broken(&self, world: &World, begin: u64, commands: &[(u64, Command)]) -> Option<Found> {
        let (rule, _) = world.checks().first()?;
        let end = world.events();
        Some(Found { spec: self.spec.clone(), commands: commands.to_vec(), end, events: end - begin, rule })
    }
}

enum Run {
    Broken(Box<Found>),
    Safe,
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Driver;
    use crate::timeline::Timeline;

    fn search(servers: u32, broken: Option<BrokenRule>, most: u32) -> Search {
        let mut search = Search::new(servers, 1, broken).unwrap();
        while search.tried() < most && search.try_one() {}
        search
    }

    #[test]
    fn a_run_that_commits_at_a_minority_is_found_and_short_and_replays() {
        for servers in [3, 5] {
            let found = search(servers, Some(BrokenRule::CommitWithoutQuorum), MOST).best().cloned().unwrap();
            assert!(found.events <= SHORT, "{} events", found.events);
            let mut t = Timeline::new(Driver::free(found.spec.clone()));
            for (at, command) in &found.commands {
                while t.moment() < *at {
                    t.step().unwrap();
                }
                t.command(command.clone()).unwrap();
            }
            while t.moment() < found.end {
                assert!(t.world().view().checks.iter().all(|c| c.broken.is_none()));
                t.step().unwrap();
            }
            let broken = |c: &zebu_core::sim::view::CheckView| c.name == found.rule.name() && c.broken.is_some();
            assert!(t.world().view().checks.iter().any(broken));
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is_broken() {
        let search = search(3, None, 150);
        assert_eq!((search.tried(), search.best()), (150, None));
    }
}
