//! `cargo xtask compat`: clients that know nothing of Zebu, compared at Zebu and at Apache ZooKeeper.
//!
//! Everything that starts Java is here; what needs none runs in `cargo xtask test` as well.

mod clients;
mod kazoo;
mod mixed;
mod power;
mod report;
mod shells;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::run::Line;
use crate::stage::{Outcome, Stage};
use crate::{count, demo, run, target};

pub use clients::quick as quick_clients;
pub use kazoo::quick as quick_kazoo;
pub use shells::quick as quick_shells;

/// No stage takes this long unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(3600);

/// All stages in the order in which they run.
pub const STAGES: &[Stage] = &[
    Stage { name: "clients", about: "a script each of clients for node and Rust", run: clients::both },
    Stage { name: "cli_mt", about: "the C client's shell, at Apache and at Zebu", run: shells::cli_mt },
    Stage { name: "zkcli", about: "Apache's Java shell, at Apache and at Zebu", run: shells::zkcli },
    Stage { name: "mixed", about: "both kinds of server in one ensemble and on each other's files", run: mixed::run },
    Stage { name: "power", about: "the power fails a hundred times for one server, and for three", run: power::run },
    Stage { name: "kazoo", about: "kazoo's own tests, at three voters each", run: kazoo::voters },
    Stage { name: "kazoo-observer", about: "kazoo's own tests, at two voters and an observer", run: kazoo::observer },
];

/// The server to be compared: named by `ZEBU`, or the optimised build.
pub fn zebu(line: &Line) -> Result<PathBuf> {
    match std::env::var_os("ZEBU") {
        Some(named) => std::path::absolute(named).context("ZEBU names no path"),
        None => demo::release_binary(line),
    }
}

/// A folder of its own for what a stage writes.
pub fn test_dir(stage: &str) -> Result<PathBuf> {
    let dir = target().join("test-data").join(format!("{stage}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Removes the folder of a stage in which nothing failed; otherwise its place is told.
pub fn clear(dir: &Path, outcome: &mut Outcome) -> Result<()> {
    if outcome.count.failed == 0 {
        return std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()));
    }
    outcome.output.push_str(&format!("\nwhat was written is in {}\n", dir.display()));
    Ok(())
}

/// Runs a script that starts servers and ends with `N passed, N failed`.
fn counted_script(mut command: Command, stage: &str, line: &Line) -> Result<Outcome> {
    let dir = test_dir(stage)?;
    command.env("ZEBU_TEST_DIR", &dir).env("PYTHONUNBUFFERED", "1");
    let mut outcome = Outcome::counted(run::capture(&mut command, line, LIMIT)?, count::closing_line);
    clear(&dir, &mut outcome)?;
    Ok(outcome)
}
