//! `zebu bench`: load for any server of the protocol, and what it makes of it. Two targets are compared by turns, so
//! that what else goes on on the machine meets both.

mod create;
mod error;
mod kill;
mod load;
mod memory;
mod mix;
mod pool;
mod processes;
mod progress;
mod report;
mod sessions;
mod target;
mod template;
mod watch;
mod workload;

use error::BenchError;
use processes::Processes;
use progress::Progress;
use report::{Measured, Report};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use target::Target;
use workload::Workload;
use zebu_core::client::ConnectString;
use zebu_core::error::ZkError;
use zebu_core::wire::client::Request;

/// Measure servers under load, Zebu's or any others of the protocol.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    load: Load,
    #[command(flatten)]
    common: Common,
}

const AFTER_HELP: &str = "\
Examples:
  zebu bench mix --reads 90 -s 10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181
  zebu bench mix --reads 50 --rate 2000 --duration 30      latency at a fixed rate
  zebu bench mix --reads 0 --compare localhost:2181 localhost:2191 --name zebu --name apache \\
      --pids 100,101,102 --pids 200,201,202 --rounds 9     two ensembles by turns, with their CPU time
  zebu bench kill -s h1,h2,h3 --kill 'ssh ${ZEBU_BENCH_LEADER%:*} killall -9 java'
Everything happens below --root, which is removed at the end. Figures are medians over the rounds. When two targets are
compared, they take turns (A B, B A, A B …); each ratio is the median of the rounds' own ratios, with the interval that
holds 95 % of bootstrapped medians. The exit code is 0 when everything was measured, whatever came of it, and 1 when not.";

/// What all workloads are told.
#[derive(Debug, clap::Args)]
struct Common {
    /// The servers.
    #[arg(
        short,
        long,
        global = true,
        value_name = "HOST:PORT,…",
        default_value = "localhost:2181",
        conflicts_with = "compare"
    )]
    server: ConnectString,
    /// Compare the servers of A with those of B.
    #[arg(long, global = true, num_args = 2, value_names = ["A", "B"])]
    compare: Vec<ConnectString>,
    /// What a target is called in the report; given twice when two are compared.
    #[arg(long, global = true, value_name = "NAME")]
    name: Vec<String>,
    /// The servers' processes on this machine, for their CPU time and memory; given twice when two are compared.
    #[arg(long, global = true, value_name = "PID,…")]
    pids: Vec<String>,
    /// How often each target is measured. Without it once, or five times when two are compared; `memory` and `idle` once.
    #[arg(long, global = true, value_name = "N", value_parser = workload::at_least_one)]
    rounds: Option<usize>,
    /// Write everything as JSON to this file; - for standard output, without the table then.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The znode below which everything happens.
    #[arg(long, global = true, value_name = "PATH", default_value = "/zebu-bench")]
    root: String,
    /// The session timeout that is asked for.
    #[arg(long, global = true, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(i32).range(1..))]
    session_timeout: i32,
}

#[derive(Debug, clap::Subcommand)]
enum Load {
    /// Reads and writes of a set of znodes.
    Mix(mix::Options),
    /// Synchronous creates, each followed by a delete that nobody waits for.
    Create(create::Options),
    /// Watch events to many sessions at once.
    Watch(watch::Options),
    /// Sessions that are opened and closed again.
    Sessions(sessions::Churn),
    /// Sessions that do nothing but stay alive.
    Idle(sessions::Idle),
    /// Many znodes: how fast they are created, and what they take up.
    Memory(memory::Options),
    /// How long nobody can write when the leader is killed.
    Kill(kill::Options),
}

impl Load {
    fn workload(&self) -> &dyn Workload {
        match self {
            Load::Mix(options) => options,
            Load::Create(options) => options,
            Load::Watch(options) => options,
            Load::Sessions(options) => options,
            Load::Idle(options) => options,
            Load::Memory(options) => options,
            Load::Kill(options) => options,
        }
    }
}

/// Measures and reports.
pub fn run(args: Args) -> ExitCode {
    match measure(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zebu bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn targets(common: &Common) -> Result<Vec<Target>, BenchError> {
    let given = match &common.compare[..] {
        [] => vec![&common.server],
        both => both.iter().collect(),
    };
    for (option, count) in [("--name", common.name.len()), ("--pids", common.pids.len())] {
        if count > given.len() {
            let why = format!("{option} is given {count} times for {} of targets", given.len());
            return Err(BenchError::Options(why));
        }
    }
    let mut targets = Vec::new();
    for (n, to) in given.into_iter().enumerate() {
        let pids = common.pids.get(n).map_or(Ok(Vec::new()), |text| pids(text))?;
        let name = common.name.get(n).cloned().unwrap_or_else(|| to.to_string());
        let target = Target::resolve(name, to, pids, common.session_timeout)?;
        target.processes.cpu_seconds()?;
        targets.push(target);
    }
    Ok(targets)
}

fn pids(text: &str) -> Result<Vec<i32>, BenchError> {
    let number = |part: &str| part.trim().parse().ok().filter(|pid| *pid > 0);
    let all: Option<Vec<i32>> = text.split(',').map(number).collect();
    all.ok_or_else(|| BenchError::Options(format!("--pids {text}: write numbers with commas between them")))
}

fn measure(args: &Args) -> Result<(), BenchError> {
    let (common, workload) = (&args.common, args.load.workload());
    if !common.root.starts_with('/') || common.root.ends_with('/') {
        let why = format!("--root {}: a path begins with / and goes on behind it", common.root);
        return Err(BenchError::Options(why));
    }
    let targets = targets(common)?;
    let rounds = match (common.rounds, workload.only_once()) {
        (Some(rounds @ 2..), Some(why)) => {
            let why = format!("--rounds {rounds}: this is measured once, on servers that were started for it: {why}");
            return Err(BenchError::Options(why));
        }
        (_, Some(_)) => 1,
        (Some(rounds), None) => rounds,
        (None, None) if targets.len() > 1 => 5,
        (None, None) => 1,
    };
    let mut progress = Progress::new(rounds * targets.len());
    for target in &targets {
        progress.say(format!("{}: prepares", target.name));
        let mut session = target.session()?;
        session.ensure(&common.root)?;
        session.close()?;
        workload.prepare(target, &common.root, &progress)?;
    }
    let own = Processes { pids: vec![i32::try_from(std::process::id()).unwrap_or(0)] };
    let (begun, cpu) = (Instant::now(), own.cpu_seconds()?);
    let mut measured: Vec<_> = targets
        .iter()
        .map(|target| Measured {
            name: target.name.clone(),
            servers: target.hosts.iter().map(ToString::to_string).collect(),
            rounds: Vec::new(),
        })
        .collect();
    for round in 0..rounds {
        let mut order: Vec<_> = targets.iter().zip(&mut measured).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (target, measured) in order {
            progress.say(format!("{}: round {} of {rounds}", target.name, round + 1));
            measured.rounds.push(workload.round(target, &common.root, &progress)?);
            progress.turn();
        }
    }
    let generator_cpu = (own.cpu_seconds()? - cpu) / begun.elapsed().as_secs_f64().max(1e-9);
    for target in &targets {
        progress.say(format!("{}: cleans up", target.name));
        workload.clean(target, &common.root, &progress)?;
        let mut session = target.session()?;
        let delete = Request::Delete { path: common.root.clone(), version: -1 };
        // What somebody else has put there stays.
        session.must("delete a znode", &delete, &[ZkError::NotEmpty, ZkError::NoNode])?;
        session.close()?;
    }
    progress.end();
    let report = Report::new(workload.describe(), measured, generator_cpu);
    if let Some(path) = &common.json {
        report.write_json(path)?;
    }
    if common.json.as_deref() != Some(std::path::Path::new("-")) {
        println!("{}", report.table());
    }
    Ok(())
}
