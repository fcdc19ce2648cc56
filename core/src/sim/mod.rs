//! A world of servers, links, disks, clocks and clients, all from one seed.
//!
//! ```text
//!   seed ─► World ── step() ── one event, in the total order of (time, number)
//!             │                   arrival of a message, a finished sync, a timer
//! commands ─►─┘                   └► Server::step, the very core that the native server runs ─► effects ─► new events
//! ```
//!
//! Seed and commands are the whole truth of a run: a clone of a world is a checkpoint, and replaying the same commands
//! at the same events gives the same [`World::digest`], natively and in the browser.

mod actor;
mod afflict;
mod changes;
pub mod check;
mod client_faults;
mod clock;
pub mod command;
mod control;
mod crowd;
mod damage;
mod disk;
mod drive;
mod error;
pub mod faults;
pub mod label;
mod look;
#[cfg(test)]
mod matrix;
mod membership;
pub mod model;
mod net;
mod process;
mod queue;
mod recipes;
mod run;
pub mod spec;
pub mod sweep;
pub mod trouble;
pub mod view;
mod wipes;
mod witness;
mod workload;

pub use error::CommandError;
pub use spec::WorldSpec;

use crate::collections::BTreeMap;
use crate::effect::Effects;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::actor::Actor;
use crate::sim::check::Checks;
use crate::sim::command::ClientId;
use crate::sim::faults::Faults;
use crate::sim::model::Model;
use crate::sim::net::Net;
use crate::sim::process::Process;
use crate::sim::queue::{Due, Queue};
use crate::sim::spec::StartMode;
use crate::sim::trouble::MessageRule;
use crate::sim::view::Place;
use crate::time::Instant;
use crate::trace::digest::Digest;
use crate::trace::{TraceEvent, TraceRecord};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// A simulated ensemble with its clients.
#[derive(Clone)]
pub struct World {
    spec: WorldSpec,
    now: Instant,
    executed: u64,
    queue: Queue,
    net: Net,
    processes: Vec<Process>,
    clients: BTreeMap<ClientId, Actor>,
    rng: Rng,
    checks: Checks,
    /// What waits for its message.
    rules: Vec<MessageRule>,
    /// Random faults that go on, with the seed they were drawn from.
    chaos: Option<Box<(u64, Faults)>>,
    /// A second opinion on everything that clients are told, if one is wanted.
    model: Option<Box<Model>>,
    records: Vec<TraceRecord>,
    fx: Effects,
}

/// One executed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// When it happened.
    pub at: Instant,
    /// Where.
    pub place: Place,
    /// Only a heartbeat, or a timer nobody needs to see.
    pub quiet: bool,
}

/// Something that happens next: from the queue or from a timer.
#[derive(Clone, Copy, Debug)]
enum Next {
    Queued(Due),
    ServerTimer(usize),
    ClientTimer(ClientId),
    Chaos,
}

impl World {
    /// A world at time 0, before its first event.
    pub fn new(spec: WorldSpec) -> World {
        let root = Rng::new(spec.seed);
        let mut clocks = root.fork(1);
        let count = i64::from(spec.servers) + i64::from(spec.observers);
        let processes: Vec<Process> = (1..=count)
            .map(|id| Process::new(ServerId(id), spec.drift(&mut clocks), root.fork(1000 + id as u64)))
            .collect();
        let mut queue = Queue::default();
        for process in &processes {
            let gap = match spec.start {
                StartMode::All => Some(0),
                StartMode::None => None,
                StartMode::Staggered { gap_ms } => Some(u64::from(gap_ms) * (process.id.0 as u64 - 1)),
            };
            if let Some(gap) = gap {
                queue.push(Instant::ZERO + Duration::from_millis(gap), Due::Start { server: process.id });
            }
        }
        World {
            now: Instant::ZERO,
            executed: 0,
            queue,
            net: Net::new(&spec, root.fork(2)),
            checks: Checks::new(&spec),
            rules: Vec::new(),
            chaos: None,
            model: None,
            processes,
            clients: BTreeMap::new(),
            rng: root.fork(3),
            records: Vec::new(),
            fx: if spec.trace { Effects::new() } else { Effects::quiet() },
            spec,
        }
    }

    /// What the world was made of.
    pub fn spec(&self) -> &WorldSpec {
        &self.spec
    }

    /// Simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Events executed so far.
    pub fn events(&self) -> u64 {
        self.executed
    }

    /// When the next event is due; `None` when nothing will ever happen without a command.
    pub fn next_event_time(&self) -> Option<Instant> {
        self.next_real().map(|(at, _)| at)
    }

    /// The servers' ids in order.
    pub fn server_ids(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.processes.iter().map(|p| p.id)
    }

    /// What happened since this was last called, if the spec says that it be recorded.
    pub fn trace(&mut self) -> Vec<TraceRecord> {
        core::mem::take(&mut self.records)
    }

    /// The rules and whether they hold.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// A hash of the complete state (what was recorded for [`World::trace`] and not taken yet is no part of it): equal
    /// for equal runs on every target.
    pub fn digest(&self) -> u64 {
        let mut d = Digest::new();
        d.value(&self.spec);
        d.word(self.now.0);
        d.word(self.executed);
        d.value(&self.queue.in_order());
        d.value(&self.net);
        for process in &self.processes {
            process.digest_into(&mut d);
        }
        d.value(&self.clients);
        d.value(&self.rules);
        d.value(&self.chaos);
        d.value(&self.rng);
        self.checks.digest_into(&mut d);
        d.finish()
    }

    /// Executes exactly one event. `None` when there is none.
    pub fn step(&mut self) -> Option<Stepped> {
        self.step_within(None)
    }

    /// Executes every event that is due up to `at` and sets the time to `at`.
    pub fn run_until(&mut self, at: Instant) {
        while self.step_within(Some(at)).is_some() {}
        self.now = self.now.max(at);
    }

    /// Executes the next event if it is due at `limit` or before. What falls due behind a cut or at a frozen server
    /// is no event: it waits on.
    pub fn step_within(&mut self, limit: Option<Instant>) -> Option<Stepped> {
        loop {
            let (at, next) = self.next()?;
            if limit.is_some_and(|limit| at > limit) {
                return None;
            }
            self.now = self.now.max(at);
            if matches!(next, Next::Queued(_)) {
                self.queue.pop();
            }
            if let Some(stepped) = self.execute(next) {
                return Some(stepped);
            }
        }
    }

    /// What is looked at next. It may turn out to be no event (see [`World::step_within`]).
    fn next(&self) -> Option<(Instant, Next)> {
        self.earlier(self.queue.peek().map(|(at, due)| (at, Next::Queued(due))))
    }

    /// The next event, as things stand now.
    fn next_real(&self) -> Option<(Instant, Next)> {
        let first = self.queue.first(|due| self.is_real(due));
        self.earlier(first.map(|(at, due)| (at, Next::Queued(due))))
    }

    /// `queued`, or a timer that runs out before.
    fn earlier(&self, queued: Option<(Instant, Next)>) -> Option<(Instant, Next)> {
        let mut best = queued;
        let mut offer = |at: Option<Instant>, next: Next| {
            if let Some(at) = at
                && best.as_ref().is_none_or(|(first, _)| at < *first)
            {
                best = Some((at, next));
            }
        };
        for (index, process) in self.processes.iter().enumerate() {
            offer(process.timer(), Next::ServerTimer(index));
        }
        for (id, actor) in &self.clients {
            offer(actor.timer(), Next::ClientTimer(*id));
        }
        offer(self.chaos.as_ref().map(|chaos| chaos.1.next_at().max(self.now)), Next::Chaos);
        best
    }

    fn record(&mut self, event: impl FnOnce() -> TraceEvent) {
        if self.spec.trace {
            self.records.push(TraceRecord { at: self.now, event_number: self.executed, event: event() });
        }
    }

    fn index(&self, id: ServerId) -> Option<usize> {
        usize::try_from(id.0).ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < self.processes.len())
    }
}
