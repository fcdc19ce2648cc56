//! A world of any protocol.

use crate::compare;
use crate::id::ServerId;
use crate::sim::command::Command;
use crate::sim::label::Labels;
use crate::sim::trouble::{Troubles, Upcoming};
use crate::sim::view::{Flight, WorldView};
use crate::sim::{self, CommandError, Stepped, WorldSpec};
use crate::time::Instant;
use crate::trace::TraceRecord;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// ZooKeeper's world, or one of a compared protocol: whichever the spec names. A clone is a checkpoint.
#[derive(Clone)]
pub enum AnyWorld {
    /// The real one.
    ZooKeeper(Box<sim::World>),
    /// A compared protocol.
    Compared(Box<compare::World>),
}

/// Calls the same method of whichever world it is.
macro_rules! either {
    ($self:expr, $world:ident => $call:expr) => {
        match $self {
            AnyWorld::ZooKeeper($world) => $call,
            AnyWorld::Compared($world) => $call,
        }
    };
}

impl AnyWorld {
    /// A world at time 0, before its first event.
    pub fn new(spec: WorldSpec) -> AnyWorld {
        match compare::World::new(spec.clone()) {
            Some(world) => AnyWorld::Compared(Box::new(world)),
            None => AnyWorld::ZooKeeper(Box::new(sim::World::new(spec))),
        }
    }

    /// ZooKeeper's world, if it is one.
    pub fn zookeeper(&self) -> Option<&sim::World> {
        match self {
            AnyWorld::ZooKeeper(world) => Some(world),
            AnyWorld::Compared(_) => None,
        }
    }

    /// What the world was made of.
    pub fn spec(&self) -> &WorldSpec {
        either!(self, w => w.spec())
    }

    /// Simulated time.
    pub fn now(&self) -> Instant {
        either!(self, w => w.now())
    }

    /// Events executed so far.
    pub fn events(&self) -> u64 {
        either!(self, w => w.events())
    }

    /// When the next event is due; `None` when nothing will ever happen without a command.
    pub fn next_event_time(&self) -> Option<Instant> {
        either!(self, w => w.next_event_time())
    }

    /// The servers' ids in order.
    pub fn server_ids(&self) -> Vec<ServerId> {
        let spec = self.spec();
        (1..=i64::from(spec.servers) + i64::from(spec.observers)).map(ServerId).collect()
    }

    /// What happened since this was last called.
    pub fn trace(&mut self) -> Vec<TraceRecord> {
        either!(self, w => w.trace())
    }

    /// A hash of the complete state: equal for equal runs on every target.
    pub fn digest(&self) -> u64 {
        either!(self, w => w.digest())
    }

    /// The rule that broke first, in words, and how.
    pub fn violated(&self) -> Option<(&'static str, &str)> {
        match self {
            AnyWorld::ZooKeeper(world) => world.checks().first().map(|(rule, why)| (rule.text(), why)),
            AnyWorld::Compared(world) => world.violated(),
        }
    }

    /// The established leader of the highest epoch that serves.
    pub fn leader(&self) -> Option<ServerId> {
        either!(self, w => w.leader())
    }

    /// Executes exactly one event. `None` when there is none.
    pub fn step(&mut self) -> Option<Stepped> {
        self.step_within(None)
    }

    /// Executes the next event if it is due at `limit` or before.
    pub fn step_within(&mut self, limit: Option<Instant>) -> Option<Stepped> {
        either!(self, w => w.step_within(limit))
    }

    /// Executes every event that is due up to `at` and sets the time to `at`.
    pub fn run_until(&mut self, at: Instant) {
        either!(self, w => w.run_until(at));
    }

    /// Carries out a command now, between two events.
    ///
    /// # Errors
    /// What is wrong with it; the world is then as it was.
    pub fn command(&mut self, command: &Command) -> Result<(), CommandError> {
        either!(self, w => w.command(command))
    }

    /// The whole picture at this moment.
    pub fn view(&self) -> WorldView {
        either!(self, w => w.view())
    }

    /// The whole picture at this moment, of which `flights` are known already; `labels` may know words from earlier ones.
    pub fn view_with(&self, flights: Vec<Flight>, labels: &mut Labels) -> WorldView {
        match self {
            AnyWorld::ZooKeeper(world) => world.view_with(flights, labels),
            AnyWorld::Compared(world) => world.view_with(flights),
        }
    }

    /// As [`AnyWorld::flights`], where `known` were under way earlier in this very run.
    pub fn flights_from(&self, known: Vec<Flight>) -> Vec<Flight> {
        match self {
            AnyWorld::ZooKeeper(world) => world.flights_from(known),
            // Its few messages keep their words themselves.
            AnyWorld::Compared(world) => world.flights(),
        }
    }

    /// Messages under way at this moment, in order of sending.
    pub fn flights(&self) -> Vec<Flight> {
        either!(self, w => w.flights())
    }

    /// The next `most` things that will happen, as things stand now.
    pub fn upcoming(&self, most: usize) -> Vec<Upcoming> {
        either!(self, w => w.upcoming(most))
    }

    /// Everything that was done to the world and still counts.
    pub fn troubles(&self) -> Troubles {
        match self {
            AnyWorld::ZooKeeper(world) => world.troubles(),
            // Its finer faults are over as soon as they are done.
            AnyWorld::Compared(_) => Troubles::default(),
        }
    }

    /// Every server in a few words.
    pub fn summary(&self) -> String {
        either!(self, w => w.summary())
    }
}
