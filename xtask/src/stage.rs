//! Stages: named parts of a command that run one after the other, with a line of progress each.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::count::Count;
use crate::run::{Finished, Line};

/// One stage: a name for `--only`, what it tests, and how.
pub struct Stage {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Line) -> Result<Outcome>,
}

/// How a stage ended.
pub struct Outcome {
    pub count: Count,
    /// Shown when something failed.
    pub output: String,
}

impl Outcome {
    /// Of a tool that has no tests inside: it succeeds or not.
    pub fn check(finished: Finished) -> Self {
        Self { count: Count::check(finished.status.success()), output: finished.output }
    }

    /// Of a test runner whose closing lines `read` understands.
    pub fn counted(finished: Finished, read: fn(&str) -> Count) -> Self {
        let count = Count::of_run(read(&finished.output), finished.status.success());
        Self { count, output: finished.output }
    }
}

/// Which stages to run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run this stage alone; may be given several times.
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
    /// List the stages and stop.
    #[arg(long)]
    list: bool,
}

/// Runs the stages of `command` in order, all of them even when one fails, and ends with `N passed, N failed` alone on
/// a line.
///
/// # Errors
/// A stage is named that does not exist.
pub fn run(command: &str, stages: &[Stage], args: &Args) -> Result<ExitCode> {
    if args.list {
        for stage in stages {
            println!("{:<16} {}", stage.name, stage.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = args.only.iter().find(|name| stages.iter().all(|stage| stage.name != name.as_str())) {
        let names: Vec<_> = stages.iter().map(|stage| stage.name).collect();
        bail!("there is no stage {unknown:?}; the stages are {}", names.join(", "));
    }
    let mut total = Count::default();
    let mut broken = Vec::new();
    for stage in stages {
        if !args.only.is_empty() && args.only.iter().all(|name| name != stage.name) {
            continue;
        }
        let line = Line::start(stage.name);
        // A stage that cannot run at all has failed, and the others still have something to say.
        let outcome = (stage.run)(&line)
            .unwrap_or_else(|error| Outcome { count: Count::check(false), output: format!("{error:#}") });
        line.end(&outcome.count.to_string());
        for skipped in outcome.output.lines().filter(|line| line.contains("... skipped '")) {
            eprintln!("  {skipped}");
        }
        if outcome.count.failed > 0 {
            eprintln!("{}", outcome.output.trim_end());
            broken.push(stage.name);
        }
        total = total + outcome.count;
    }
    if !broken.is_empty() {
        println!("failed: {} (one alone: cargo xtask {command} --only {})", broken.join(", "), broken[0]);
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
