//! What moves a run on: the world alone, or a scenario that also presses buttons.

use zebu_core::compare::AnyWorld;
use zebu_core::scenario::{Player, Progress, Scenario, Step};
use zebu_core::sim::command::Command;
use zebu_core::sim::{CommandError, WorldSpec};
use zebu_core::trace::TraceRecord;

/// One move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Nothing that somebody has to see.
    pub quiet: bool,
    /// A passage of the scenario with words of its own begins now.
    pub chapter: bool,
}

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As written, with this digest of its trace.
    Met {
        /// Equal to the native run's.
        trace_digest: u64,
    },
    /// Not as written; the reason.
    Failed {
        /// In English, as the native test prints it.
        why: String,
    },
}

/// A world and whoever moves it.
#[derive(Clone)]
pub struct Driver {
    player: Mover,
    outcome: Option<Outcome>,
}

#[derive(Clone)]
enum Mover {
    Free(Box<AnyWorld>),
    Lesson(Box<Player>),
}

impl Driver {
    /// A world that only events and commands move.
    pub fn free(spec: WorldSpec) -> Driver {
        Driver { player: Mover::Free(Box::new(AnyWorld::new(spec))), outcome: None }
    }

    /// A scenario.
    pub fn lesson(scenario: Scenario) -> Driver {
        Driver { player: Mover::Lesson(Box::new(Player::new(scenario))), outcome: None }
    }

    /// The world.
    pub fn world(&self) -> &AnyWorld {
        match &self.player {
            Mover::Free(world) => world,
            Mover::Lesson(player) => player.world(),
        }
    }

    /// The scenario, if there is one.
    pub fn scenario(&self) -> Option<&Scenario> {
        match &self.player {
            Mover::Free(_) => None,
            Mover::Lesson(player) => Some(player.scenario()),
        }
    }

    /// How the scenario ended; `None` while it runs.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The step of the scenario that speaks now: the last one with words, up to the one under way.
    pub fn chapter(&self) -> Option<(usize, &Step)> {
        let Mover::Lesson(player) = &self.player else { return None };
        let steps = &player.scenario().steps;
        steps.iter().enumerate().take(player.position() + 1).rev().find(|(_, s)| s.note.is_some())
    }

    /// One event, or one step of the scenario that needs none; `None` when nothing will ever happen again.
    pub fn advance(&mut self) -> Option<Moved> {
        let world = match &mut self.player {
            Mover::Free(world) => world.as_mut(),
            Mover::Lesson(player) if self.outcome.is_some() => player.world_mut(),
            Mover::Lesson(player) => {
                match player.advance() {
                    Ok(Progress::Event(stepped)) => return Some(Moved { quiet: stepped.quiet, chapter: false }),
                    Ok(Progress::StepDone(_)) => {
                        let chapter = player.scenario().steps.get(player.position()).is_some_and(|s| s.note.is_some());
                        return Some(Moved { quiet: true, chapter });
                    }
                    Ok(Progress::Finished) => {
                        self.outcome = Some(Outcome::Met { trace_digest: player.trace_digest() });
                    }
                    Err(e) => self.outcome = Some(Outcome::Failed { why: e.to_string() }),
                }
                return Some(Moved { quiet: true, chapter: false });
            }
        };
        world.step().map(|stepped| Moved { quiet: stepped.quiet, chapter: false })
    }

    /// Gives a command.
    ///
    /// # Errors
    /// As [`AnyWorld::command`].
    pub fn command(&mut self, command: &Command) -> Result<(), CommandError> {
        match &mut self.player {
            Mover::Free(world) => world.command(command),
            Mover::Lesson(player) => player.world_mut().command(command),
        }
    }

    /// What happened since this was last called.
    pub fn trace(&mut self) -> Vec<TraceRecord> {
        match &mut self.player {
            Mover::Free(world) => world.trace(),
            Mover::Lesson(player) => player.trace(),
        }
    }
}
