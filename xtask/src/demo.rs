//! `cargo xtask demo`: builds lab and server, then becomes `zebu demo`.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::run::Line;
use crate::{cargo, lab, root, run, target};

const LIMIT: Duration = Duration::from_secs(3600);

/// Builds what is not built, and runs the demo with these options. Returns only when the demo cannot be started.
///
/// # Errors
/// A build fails, or the built server cannot be run.
pub fn run(options: &[String]) -> Result<ExitCode> {
    lab::build()?;
    let line = Line::start("server");
    let zebu = release_binary(&line)?;
    line.end("built");
    let mut command = Command::new(&zebu);
    command.current_dir(root()).arg("demo").args(options);
    // Taking this process's place gives the demo the terminal's signals and its exit code to the shell.
    Err(command.exec()).with_context(|| format!("cannot run {}", zebu.display()))
}

/// The optimised `zebu`, with the lab in `dist/` inside.
///
/// # Errors
/// The build fails.
pub fn release_binary(line: &Line) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--package", "zebu"]);
    run::must(&mut build, line, LIMIT)?;
    Ok(target().join("release/zebu"))
}
