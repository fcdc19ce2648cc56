//! The `zebu` binary: one subcommand, one file in `cmd/`.

mod cmd;
mod lab_http;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A ZooKeeper server that shows how it thinks.
#[derive(Debug, Parser)]
#[command(name = "zebu", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run three servers on this machine and the lab in the browser.
    Demo(cmd::demo::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => cmd::demo::run(args),
    }
}
