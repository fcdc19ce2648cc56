//! One seed of a sweep: a world, a time of faults under load, then everything is mended and the world has to recover.

use crate::config::{BrokenRule, ContainerRules, LocalSessions, OwnerKinds, ServiceRules};
use crate::sim::World;
use crate::sim::changes::Changes;
use crate::sim::check::Rule;
use crate::sim::command::{ClientId, Command};
use crate::sim::crowd::Crowd;
use crate::sim::faults::{Faults, bound, draw_spec};
use crate::sim::model::Counts;
use crate::sim::model::load::Load;
use crate::sim::spec::WorldSpec;
use crate::sim::wipes::Wipes;
use crate::sim::workload::Workload;
use crate::time::Instant;
use crate::trace::TraceRecord;
use crate::trace::digest::Digest;
use crate::wire::client::Request;
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
    /// Clients that ask for everything, with a model of the service beside the servers (see [`crate::sim::model`]),
    /// instead of those of a plain sweep.
    pub model: bool,
    /// New sessions are local and become global by their first ephemeral.
    pub local_sessions: bool,
    /// Members change: servers come, join, leave, and change their role.
    pub reconfig: bool,
    /// Without what came later than the first seeds that found something, so that these stay what they were: elections
    /// that settle early, and emptied disks.
    pub bare: bool,
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
    /// What the model has looked at.
    pub model: Counts,
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

/// Containers that go while one can watch, and in half of the seeds TTL znodes.
fn draw_rules(seed: u64) -> ServiceRules {
    let mut rng = crate::rng::Rng::new(seed).fork(82);
    let millis = |rng: &mut crate::rng::Rng, low, high| Duration::from_millis(rng.between(low, high));
    ServiceRules {
        owner_kinds: if rng.below(2) == 0 { OwnerKinds::Extended } else { OwnerKinds::Plain },
        containers: ContainerRules {
            check_interval: millis(&mut rng, 100, 3_000),
            max_per_minute: 10_000,
            never_used: millis(&mut rng, 0, 5_000),
        },
        ..ServiceRules::default()
    }
}

/// The world of a seed as these options want it.
fn drawn(seed: u64, options: &SweepOptions, trace: bool) -> WorldSpec {
    let mut spec = draw_spec(seed, options.servers);
    spec.broken = options.broken;
    spec.trace = trace;
    spec.reconfig = options.reconfig;
    spec.settles_early = !options.bare && crate::rng::Rng::new(seed).fork(84).below(2) == 0;
    if options.local_sessions {
        spec.service.local_sessions = LocalSessions::Upgrading;
    }
    spec
}

/// A seed's whole event log, in short: two equal ones are equal byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDigest {
    /// The seed.
    pub seed: u64,
    /// Lines of the log.
    pub lines: u64,
    /// Their bytes, line ends not counted.
    pub bytes: u64,
    /// A hash of all of them.
    pub digest: u64,
}

impl core::fmt::Display for LogDigest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {} {} {:016x}", self.seed, self.lines, self.bytes, self.digest)
    }
}

/// Runs a seed of the plain sweep and takes the digest of its event log, as people read it.
pub fn log_digest(seed: u64) -> LogDigest {
    let mut log = LogDigest { seed, lines: 0, bytes: 0, digest: 0 };
    let mut digest = Digest::new();
    Run::plain(seed, &SweepOptions::default(), true).finish(&mut |record| {
        let line = format!("{record}");
        log.lines += 1;
        log.bytes += line.len() as u64;
        digest.bytes(line.as_bytes());
    });
    LogDigest { digest: digest.finish(), ..log }
}

struct Run {
    seed: u64,
    world: World,
    faults: Faults,
    load: Crowd,
    changes: Option<Changes>,
    wipes: Option<Wipes>,
    chaos_end: Instant,
}

impl Run {
    fn new(seed: u64, options: &SweepOptions, trace: bool) -> Run {
        if !options.model {
            return Run::plain(seed, options, trace);
        }
        let mut spec = drawn(seed, options, trace);
        // Observers serve clients as followers do: half of the seeds have some.
        spec.observers = (seed % 4).saturating_sub(1) as u32;
        spec.service = ServiceRules { local_sessions: spec.service.local_sessions, ..draw_rules(seed) };
        let mut world = World::new(spec);
        world.watch_with_model();
        Run::of(seed, world, Load::draw(seed), options)
    }

    fn plain(seed: u64, options: &SweepOptions, trace: bool) -> Run {
        Run::of(seed, World::new(drawn(seed, options, trace)), Workload::draw(seed), options)
    }

    fn of(seed: u64, world: World, load: Crowd, options: &SweepOptions) -> Run {
        let mut rng = crate::rng::Rng::new(seed).fork(80);
        let chaos_end = Instant::ZERO + Duration::from_millis(rng.between(2_000, 15_000));
        let changes = world.spec().reconfig.then(|| Changes::draw(seed, world.server_ids().count()));
        // Where members change, nobody says at any moment whose disks may go.
        let wipes = if options.bare || options.reconfig { None } else { Wipes::draw(seed) };
        Run { seed, world, faults: Faults::draw(seed), load, changes, wipes, chaos_end }
    }

    fn finish(mut self, show: &mut dyn FnMut(&TraceRecord)) -> Outcome {
        self.chaos(show);
        if !self.is_broken() {
            self.recovery(show);
        }
        if !self.is_broken() {
            self.last_look(show);
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
            model: self.world.model_counts(),
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
            let change_at = self.changes.as_ref().map_or(self.chaos_end, Changes::next_at);
            let wipe_at = self.wipes.as_ref().map_or(self.chaos_end, Wipes::next_at);
            let next = self.faults.next_at().min(self.load.next_at()).min(change_at).min(wipe_at).min(self.chaos_end);
            if self.run_until(next.max(self.world.now()), show) {
                return;
            }
            if self.faults.next_at() <= self.world.now() {
                self.faults.act(&mut self.world);
            }
            if self.load.next_at() <= self.world.now() {
                self.load.act(&mut self.world);
            }
            if let Some(changes) = self.changes.as_mut().filter(|changes| changes.next_at() <= self.world.now()) {
                changes.act(&mut self.world);
            }
            if let Some(wipes) = self.wipes.as_mut().filter(|wipes| wipes.next_at() <= self.world.now()) {
                wipes.act(&mut self.world);
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

    /// Every client of the model reads once more: whatever it still had to be told comes before that answer. Then all
    /// trees are compared.
    fn last_look(&mut self, show: &mut dyn FnMut(&TraceRecord)) {
        if !self.world.has_model() {
            return;
        }
        let clients: Vec<ClientId> = self.load.clients().filter(|id| !self.world.client_is_over(*id)).collect();
        for client in &clients {
            self.world.request(*client, Request::Exists { path: "/".into(), watch: false }, None);
        }
        let end = self.world.now() + bound(self.world.spec());
        while self.world.now() < end && clients.iter().any(|client| self.world.open_requests(*client) > 0) {
            if self.run_until(self.world.now() + Duration::from_millis(50), show) {
                return;
            }
        }
        self.world.compare_with_model();
    }

    fn ask_probe(&mut self, number: u32) {
        let ask = Command::Ask { client: PROBE, line: format!("create /recovered-{number} yes"), via: None };
        if self.world.command(&ask).is_err() {
            // Its session ran out while it looked for a server, or was a local one of another: a new one takes its
            // place.
            let _ = self.world.command(&Command::Connect { client: PROBE, server: crate::id::ServerId(1) });
            let _ = self.world.command(&ask);
        }
    }
}

/// Collects the trace of a seed, for tests.
pub fn trace_seed(seed: u64, options: &SweepOptions) -> (Outcome, Vec<TraceRecord>) {
    let mut records = Vec::new();
    let outcome = watch_seed(seed, options, &mut |r| records.push(r.clone()));
    (outcome, records)
}
