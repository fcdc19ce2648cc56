//! `cargo xtask bench`: Zebu and Apache's server under the same load; see `native/compat/bench/`.

use std::process::Command;

use anyhow::Result;

use crate::compat::{LIMIT, clear, test_dir, zebu};
use crate::run::{self, Line};
use crate::stage::{Outcome, Stage};
use crate::{count, root, setup};

/// All stages in the order in which they run.
pub const STAGES: &[Stage] = &[
    Stage { name: "load", about: "throughput, server CPU, creates, watches, sessions", run: load },
    Stage { name: "gap", about: "how long nobody can write when the leader is killed", run: gap },
    Stage { name: "memory", about: "what a znode takes up", run: memory },
    Stage { name: "snapshot", about: "how late writes are while snapshots are made", run: snapshot },
];

fn load(line: &Line) -> Result<Outcome> {
    part("load", line)
}

fn gap(line: &Line) -> Result<Outcome> {
    part("gap", line)
}

fn memory(line: &Line) -> Result<Outcome> {
    part("memory", line)
}

fn snapshot(line: &Line) -> Result<Outcome> {
    part("snapshot", line)
}

/// Its tables are printed whatever they say; each figure that is to hold counts as a test.
fn part(name: &str, line: &Line) -> Result<Outcome> {
    let apache = setup::apache(line)?;
    let dir = test_dir("bench")?;
    let mut command = Command::new(setup::python(line)?);
    command.current_dir(root().join("native/compat/bench"));
    command.args(["-B", "bench.py", name]);
    command.env("APACHE_CLASS_PATH", apache.class_path).env("ZEBU", zebu(line)?);
    command.env("ZEBU_TEST_DIR", &dir).env("PYTHONUNBUFFERED", "1");
    let mut outcome = Outcome::counted(run::capture(&mut command, line, LIMIT)?, count::closing_line);
    println!("{}", outcome.output.trim_end());
    clear(&dir, &mut outcome)?;
    Ok(outcome)
}
