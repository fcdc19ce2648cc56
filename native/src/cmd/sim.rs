//! `zebu sim`: many simulated ensembles under random faults, every rule checked after every event.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use zebu_core::config::BrokenRule;
use zebu_core::sim::model::Counts;
use zebu_core::sim::sweep::{Outcome, SweepOptions, log_digest, run_seed, watch_seed};

/// Which seeds to run, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// Voting servers; without it each seed draws 3 to 5.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9))]
    servers: Option<u32>,
    /// Break a rule of the protocol on purpose, to see that the checks find it.
    #[arg(long = "break", value_name = "RULE")]
    broken: Option<Broken>,
    /// Clients that ask for everything, right and wrong; each answer and each event is compared with a plain model of
    /// the service.
    #[arg(long)]
    model: bool,
    /// Sessions that only their server knows until they create an ephemeral. The model knows none.
    #[arg(long, conflicts_with = "model")]
    local_sessions: bool,
    /// Members change while all this goes on: servers come, join, leave, lead no longer, observe and vote.
    #[arg(long)]
    reconfig: bool,
    /// Print a line for each seed with the digest of its event log, to be compared with those of another program.
    #[arg(long, conflicts_with_all = ["model", "broken", "local_sessions", "reconfig", "servers", "seed"])]
    log_digests: bool,
    /// Run this seed alone.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// With --seed: print everything that happens, one line each.
    #[arg(long, requires = "seed")]
    trace: bool,
}

/// The rules that can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Broken {
    /// The leader commits as soon as one server has acknowledged.
    CommitWithoutQuorum,
    /// Acknowledgements leave before the log is synced.
    AckBeforeSync,
    /// Votes and learners ignore the epoch.
    IgnoreEpoch,
    /// A change of members is committed by the old members alone (with --reconfig).
    OldQuorumOnly,
}

impl Broken {
    fn rule(self) -> BrokenRule {
        match self {
            Broken::CommitWithoutQuorum => BrokenRule::CommitWithoutQuorum,
            Broken::AckBeforeSync => BrokenRule::AckBeforeSync,
            Broken::IgnoreEpoch => BrokenRule::IgnoreEpoch,
            Broken::OldQuorumOnly => BrokenRule::OldQuorumOnly,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Broken::CommitWithoutQuorum => "commit-without-quorum",
            Broken::AckBeforeSync => "ack-before-sync",
            Broken::IgnoreEpoch => "ignore-epoch",
            Broken::OldQuorumOnly => "old-quorum-only",
        }
    }
}

/// What a seed came to: its outcome, or what the core said when it gave up.
type Result1 = Result<Outcome, String>;

/// Runs the seeds. The exit code is 1 if a rule was broken.
pub fn run(args: Args) -> ExitCode {
    let options = SweepOptions {
        servers: args.servers,
        broken: args.broken.map(Broken::rule),
        model: args.model,
        local_sessions: args.local_sessions,
        reconfig: args.reconfig,
        bare: false,
    };
    if args.broken == Some(Broken::OldQuorumOnly) && !args.reconfig {
        eprintln!("error: --break old-quorum-only needs --reconfig: without changes of members there is no old quorum");
        return ExitCode::from(2);
    }
    if args.log_digests {
        return log_digests(&args);
    }
    match args.seed {
        Some(seed) => one(seed, &options, &args),
        None => many(&options, &args),
    }
}

/// In order of the seeds, whatever thread has run them.
fn log_digests(args: &Args) -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let each = args.seeds.div_ceil(threads);
    let part = |number: u64| {
        let (first, end) = (args.from + each * number, args.from + args.seeds.min(each * (number + 1)));
        (first..end).map(log_digest).collect::<Vec<_>>()
    };
    let logs: Vec<_> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|number| scope.spawn(move || part(number))).collect();
        parts.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    for part in logs {
        match part {
            Ok(logs) => logs.iter().for_each(|log| println!("{log}")),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    ExitCode::SUCCESS
}

fn one(seed: u64, options: &SweepOptions, args: &Args) -> ExitCode {
    let outcome = if args.trace {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let shown = watch_seed(seed, options, &mut |record| {
            use std::io::Write;
            // A closed pipe (`| head`) ends the showing, not the run.
            let _ = writeln!(out, "{record}");
        });
        Ok(shown)
    } else {
        guarded(seed, options)
    };
    match &outcome {
        Ok(Outcome { violation: None, events, committed, simulated, .. }) => {
            println!(
                "seed {seed}: no rule broken in {events} events, {:.1} simulated seconds, {committed} transactions",
                simulated.as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        failed => {
            report(seed, failed, args);
            ExitCode::FAILURE
        }
    }
}

/// Runs a seed; a panic of the core is an outcome too.
fn guarded(seed: u64, options: &SweepOptions) -> Result1 {
    catch_unwind(AssertUnwindSafe(|| run_seed(seed, options))).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).into())).unwrap_or_else(|| "without a word".into())
    })
}

/// What the threads of a sweep have come to.
#[derive(Default)]
struct Totals {
    done: AtomicU64,
    events: AtomicU64,
    simulated_ms: AtomicU64,
    committed: AtomicU64,
    answered: AtomicU64,
    model: Mutex<Counts>,
    next: AtomicU64,
    stop: AtomicBool,
    failed: Mutex<BTreeMap<u64, Result1>>,
}

fn many(options: &SweepOptions, args: &Args) -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let totals = Totals::default();
    let bar = progress(args.seeds);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(options, args, &totals));
        }
        while !totals.stop.load(Ordering::Relaxed) && totals.done.load(Ordering::Relaxed) < args.seeds {
            show(&bar, &totals, began);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    show(&bar, &totals, began);
    bar.finish_and_clear();
    let failed = totals.failed.lock().unwrap_or_else(PoisonError::into_inner);
    summary(&totals, began.elapsed(), threads);
    match failed.first_key_value() {
        None => {
            println!("no rule was broken");
            ExitCode::SUCCESS
        }
        Some((seed, outcome)) => {
            println!("found in seed {seed}, the {} of this sweep", nth(seed - args.from + 1));
            report(*seed, outcome, args);
            ExitCode::FAILURE
        }
    }
}

fn work(options: &SweepOptions, args: &Args, totals: &Totals) {
    while !totals.stop.load(Ordering::Relaxed) {
        let number = totals.next.fetch_add(1, Ordering::Relaxed);
        if number >= args.seeds {
            return;
        }
        let seed = args.from.saturating_add(number);
        let outcome = guarded(seed, options);
        if let Ok(outcome) = &outcome {
            totals.events.fetch_add(outcome.events, Ordering::Relaxed);
            let ms = u64::try_from(outcome.simulated.as_millis()).unwrap_or(u64::MAX);
            totals.simulated_ms.fetch_add(ms, Ordering::Relaxed);
            totals.committed.fetch_add(outcome.committed as u64, Ordering::Relaxed);
            totals.answered.fetch_add(outcome.answered_writes, Ordering::Relaxed);
            *totals.model.lock().unwrap_or_else(PoisonError::into_inner) += outcome.model;
        }
        totals.done.fetch_add(1, Ordering::Relaxed);
        if !matches!(&outcome, Ok(Outcome { violation: None, .. })) {
            totals.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, outcome);
            totals.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn progress(seeds: u64) -> ProgressBar {
    let bar = ProgressBar::new(seeds);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn show(bar: &ProgressBar, totals: &Totals, began: Instant) {
    let done = totals.done.load(Ordering::Relaxed);
    let elapsed = began.elapsed().as_secs_f64().max(0.001);
    let rate = done as f64 / elapsed;
    let ratio = totals.simulated_ms.load(Ordering::Relaxed) as f64 / 1000.0 / elapsed;
    let left = bar.length().unwrap_or(done).saturating_sub(done) as f64 / rate.max(0.001);
    bar.set_position(done);
    bar.set_message(format!(
        "{rate:.0} seeds/s  simulated time {ratio:.0} times real time  {} left",
        HumanDuration(Duration::from_secs_f64(left.min(1e9)))
    ));
}

fn summary(totals: &Totals, took: Duration, threads: usize) {
    let seconds = took.as_secs_f64().max(0.001);
    let (done, events) = (totals.done.load(Ordering::Relaxed), totals.events.load(Ordering::Relaxed));
    let simulated = totals.simulated_ms.load(Ordering::Relaxed) as f64 / 1000.0;
    println!(
        "{done} seeds in {seconds:.1} s on {threads} threads: {:.0} seeds/s, {:.2} million events/s",
        done as f64 / seconds,
        events as f64 / seconds / 1e6
    );
    println!(
        "{simulated:.0} simulated seconds, {:.0} times real time; {} transactions committed, {} writes answered",
        simulated / seconds,
        totals.committed.load(Ordering::Relaxed),
        totals.answered.load(Ordering::Relaxed)
    );
    let seen = *totals.model.lock().unwrap_or_else(PoisonError::into_inner);
    if seen != Counts::default() {
        println!(
            "compared with the model: {} answers to writes, {} to reads ({} of them errors), {} watch events, {} times \
             that watches were set again, {} other session timeouts",
            seen.writes, seen.reads, seen.errors, seen.events, seen.set_again, seen.retimed
        );
    }
}

fn nth(n: u64) -> String {
    match (n % 10, n % 100) {
        (1, teens) if teens != 11 => format!("{n}st"),
        (2, teens) if teens != 12 => format!("{n}nd"),
        (3, teens) if teens != 13 => format!("{n}rd"),
        _ => format!("{n}th"),
    }
}

/// Says which rule a seed broke, and how to see it again.
fn report(seed: u64, outcome: &Result1, args: &Args) {
    match outcome {
        Ok(Outcome { violation: Some((rule, why)), .. }) => {
            println!("seed {seed} breaks a rule: {}", rule.text());
            println!("  {why}");
        }
        Ok(_) => {}
        Err(panic) => println!("seed {seed} makes the core give up: {panic}"),
    }
    let servers = args.servers.map(|n| format!(" --servers {n}")).unwrap_or_default();
    let broken = args.broken.map(|b| format!(" --break {}", b.name())).unwrap_or_default();
    println!("see it again, step by step:");
    let model = if args.model { " --model" } else { "" };
    let local = if args.local_sessions { " --local-sessions" } else { "" };
    let reconfig = if args.reconfig { " --reconfig" } else { "" };
    println!("  zebu sim --seed {seed}{servers}{broken}{model}{local}{reconfig} --trace");
}
