//! `cargo xtask test`: every test of the project, in stages with one line each.

mod count;
mod stages;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::run::Line;
use count::Count;
use stages::STAGES;

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

/// How a stage ended.
pub struct Outcome {
    pub count: Count,
    /// Shown when something failed.
    pub output: String,
}

/// Runs the stages in order, all of them even when one fails, and ends with `N passed, N failed` alone on a line.
///
/// # Errors
/// A stage is named that does not exist.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.list {
        for stage in STAGES {
            println!("{:<12} {}", stage.name, stage.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = args.only.iter().find(|name| STAGES.iter().all(|stage| stage.name != name.as_str())) {
        let names: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
        bail!("there is no stage {unknown:?}; the stages are {}", names.join(", "));
    }
    let mut total = Count::default();
    let mut broken = Vec::new();
    for stage in STAGES {
        if !args.only.is_empty() && args.only.iter().all(|name| name != stage.name) {
            continue;
        }
        let line = Line::start(stage.name);
        // A stage that cannot run at all has failed, and the others still have something to say.
        let outcome = (stage.run)(&line)
            .unwrap_or_else(|error| Outcome { count: Count::check(false), output: format!("{error:#}") });
        line.end(&outcome.count.to_string());
        if outcome.count.failed > 0 {
            eprintln!("{}", outcome.output.trim_end());
            broken.push(stage.name);
        }
        total = total + outcome.count;
    }
    if !broken.is_empty() {
        println!("failed: {} (one alone: cargo xtask test --only {})", broken.join(", "), broken[0]);
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
