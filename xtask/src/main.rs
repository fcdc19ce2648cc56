//! The project's own commands: `cargo xtask lab`, `demo`, `test`, `compat` and `bench`.

mod bench;
mod compat;
mod count;
mod demo;
mod lab;
mod page;
mod run;
mod setup;
mod stage;
mod test;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Zebu's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the lab into dist/, which any web host can serve.
    Lab,
    /// Build everything, then run three servers and the lab.
    Demo {
        /// Options of `zebu demo`: --data DIR, --http ADDRESS, --client-ports FIRST-LAST,
        /// --quorum-port PORT, --election-port PORT, --admin-port PORT.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Set up what the tests need and run them all.
    Test(stage::Args),
    /// Run unmodified clients, their own tests and shells at Zebu and at Apache ZooKeeper, and compare. ZEBU names
    /// another program than the release build.
    Compat(stage::Args),
    /// Measure three servers of Zebu's against three of Apache's under the same load. ZEBU names another program than
    /// the release build.
    Bench(stage::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Lab => lab::build().map(|lab| {
            println!("{lab}");
            ExitCode::SUCCESS
        }),
        Command::Demo { options } => demo::run(&options),
        Command::Bench(args) => stage::run("bench", bench::STAGES, &args),
        Command::Compat(args) => stage::run("compat", compat::STAGES, &args),
        Command::Test(args) => stage::run("test", test::STAGES, &args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

/// The top of the workspace, wherever the command was called.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The workspace's target folder.
fn target() -> std::path::PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A cargo command in the workspace, of the same toolchain as this one.
fn cargo() -> std::process::Command {
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root());
    command
}

/// Reads a text file of the project; an error names the file.
fn read_text(path: &Path) -> Result<String> {
    use anyhow::Context;
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
