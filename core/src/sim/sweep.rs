//! One seed of a sweep: a world, a time of faults under load, then everything is mended and the world has to recover.

use crate::config::BrokenRule;
use crate::sim::World;
use crate::sim::check::Rule;
use crate::sim::command::{ClientId, Command};
use crate::sim::faults::{Faults, bound, draw_spec};
use crate::sim::workload::Workload;
use crate::time::Instant;
use crate::trace::TraceRecord;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What a sweep can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepOptions {
    /// How many voters; drawn for each seed if not said.
    pub servers: Option<u32>,
    /// A rule that all servers break.
    pub broken: Option<BrokenRule>,
}

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The first rule that was broken, and how.
    pub violation: Option<(Rule, String)>,
    /// Events executed.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Transactions committed.
    pub committed: usize,
    /// Writes that clients were told of.
    pub answered_writes: u64,
}

/// The client that looks whether the world has recovered.
const PROBE: ClientId = ClientId(1_000_000);

/// Runs a seed without a trace.
pub fn run_seed(seed: u64, options: &SweepOptions) -> Outcome {
    Run::new(seed, options, false).finish(&mut |_| {})
}

/// Runs a seed again, exactly as [`run_seed`] does, and shows everything that happens.
pub fn watch_seed(seed: u64, options: &SweepOptions, show: &mut dyn FnMut(&TraceRecord)) -> Outcome {
    Run::new(seed, options, true).finish(show)
}

struct Run {
    seed: u64,
    world: World,
    faults: Faults,
    load: Workload,
    chaos_end: Instant,
}

impl Run {
    fn new(seed: u64, options: &SweepOptions, trace: bool) -> Run {
        let mut spec = draw_spec(seed, options.servers);
        spec.broken = options.broken;
        spec.trace = trace;
        let mut rng = crate::rng::Rng::new(seed).fork(80);
        Run {
            seed,
            world: World::new(spec),
            faults: Faults::draw(seed),
            load: Workload::draw(seed),
            chaos_end: Instant::ZERO + Duration::from_millis(rng.between(2_000, 15_000)),
        }
    }

    fn finish(mut self, show: &mut dyn FnMut(&TraceRecord)) -> Outcome {
        self.chaos(show);
        if !self.is_broken() {
            self.recovery(show);
        }
        self.show(show);
        let checks = self.world.checks();
        Outcome {
            seed: self.seed,
            violation: checks.first().map(|(rule, why)| (rule, why.into())),
            events: self.world.events(),
            simulated: self.world.now().since(Instant::ZERO),
            committed: checks.committed(),
            answered_writes: checks.answered_writes(),
        }
    }

    fn is_broken(&self) -> bool {
        self.world.checks().first().is_some()
    }

    fn show(&mut self, show: &mut dyn FnMut(&TraceRecord)) {
        self.world.trace().iter().for_each(show);
    }

    /// Runs up to `at`; true if a rule broke on the way.
    fn run_until(&mut self, at: Instant, show: &mut dyn FnMut(&TraceRecord)) -> bool {
        while self.world.step_within(Some(at)).is_some() {
            if self.is_broken() {
                return true;
            }
        }
        self.world.run_until(at);
        self.show(show);
        self.is_broken()
    }

    fn chaos(&mut self, show: &mut dyn FnMut(&TraceRecord)) {
        while self.world.now() < self.chaos_end {
            let next = self.faults.next_at().min(self.load.next_at()).min(self.chaos_end);
            if self.run_until(next.max(self.world.now()), show) {
                return;
            }
            if self.faults.next_at() <= self.world.now() {
                self.faults.act(&mut self.world);
            }
            if self.load.next_at() <= self.world.now() {
                self.load.act(&mut self.world);
            }
            if self.is_broken() {
                return;
            }
        }
    }

    /// Mends everything: within the bound a new client's write must be answered and all servers must agree.
    fn recovery(&mut self, show: &mut dyn FnMut(&TraceRecord)) {
        Faults::mend(&mut self.world);
        let within = bound(self.world.spec());
        let end = self.world.now() + within;
        let server = crate::id::ServerId(1 + (self.seed % u64::from(self.world.spec().servers)) as i64);
        let _ = self.world.command(&Command::Connect { client: PROBE, server });
        let mut probe = 0;
        self.ask_probe(probe);
        let step = Duration::from_millis(50);
        while self.world.now() < end {
            if self.run_until(self.world.now() + step, show) {
                return;
            }
            match self.world.last_answer(PROBE) {
                Some(true) if self.world.is_agreed() => return,
                // The server in between may have lost its leader: an unanswered write is asked again.
                Some(false) => {
                    probe += 1;
                    self.ask_probe(probe);
                }
                _ => {}
            }
        }
        let state = self.world.summary();
        let answered = match self.world.last_answer(PROBE) {
            Some(true) => "a write was answered, but the servers do not agree",
            _ => "no write was answered",
        };
        let why = format!("{} ms after everything was mended {answered}: {state}", within.as_millis());
        self.world.violate(Rule::Progress, why);
    }

    fn ask_probe(&mut self, number: u32) {
        let line = format!("create /recovered-{number} yes");
        if self.world.command(&Command::Ask { client: PROBE, line, via: None }).is_err() {
            // Its session ran out while it looked for a server: a new one takes its place.
            let _ = self.world.command(&Command::Connect { client: PROBE, server: crate::id::ServerId(1) });
        }
    }
}

/// Collects the trace of a seed, for tests.
pub fn trace_seed(seed: u64, options: &SweepOptions) -> (Outcome, Vec<TraceRecord>) {
    let mut records = Vec::new();
    let outcome = watch_seed(seed, options, &mut |r| records.push(r.clone()));
    (outcome, records)
}
