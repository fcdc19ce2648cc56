//! The `zebu` binary: one subcommand, one file in `cmd/`.

mod admin;
mod client;
mod clock;
mod cmd;
mod config_file;
mod entropy;
mod four_letter;
mod lab_http;
mod mailbox;
mod metrics;
mod net;
mod operator;
mod prometheus_http;
mod read_side;
mod replica;
mod store;
mod timeline;
mod tls;
mod trace_mask;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What one thread allocates another one often frees here: what a connection read, the log and the tree hold for a
/// while. The system's allocator takes locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A ZooKeeper server that shows how it thinks.
#[derive(Debug, Parser)]
#[command(name = "zebu", version, propagate_version = true)]
struct Cli {
    /// What is logged: `info`, `debug`, `zebu=debug,warn` … Without it RUST_LOG decides; without that, `info`.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one server, of an ensemble or on its own, from a zoo.cfg.
    Serve(cmd::serve::Args),
    /// Run three servers on this machine and the lab in the browser.
    Demo(cmd::demo::Args),
    /// Run simulated ensembles under random faults and check every rule after every event.
    Sim(cmd::sim::Args),
    /// Play a scenario and say whether it goes as written.
    Scenario(cmd::scenario::Args),
    /// A shell for any ZooKeeper server, or one command.
    Cli(Box<cmd::cli::Args>),
    /// Hold a lock, an office or a place while a command runs; wait at a barrier; work on a queue.
    Recipe(Box<cmd::recipe::Args>),
    /// Print or check transaction logs.
    Log(cmd::disk::log::Args),
    /// Print, check or compare snapshots.
    Snapshot(cmd::disk::snapshot::Args),
    /// Check a whole data directory: would a server start on it, and with what?
    Data(cmd::disk::data::Args),
    /// Remove logs and snapshots that newer snapshots have made unnecessary.
    Purge(cmd::disk::purge::Args),
    /// Measure servers under load, Zebu's or any others of the protocol.
    Bench(Box<cmd::bench::Args>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(args) => cmd::serve::run(args, cli.log.as_deref()),
        Command::Demo(args) => cmd::demo::run(args),
        Command::Sim(args) => cmd::sim::run(args),
        Command::Scenario(args) => cmd::scenario::run(args),
        Command::Cli(args) => cmd::cli::run(*args),
        Command::Recipe(args) => cmd::recipe::run(*args),
        Command::Log(args) => cmd::disk::log::run(args),
        Command::Snapshot(args) => cmd::disk::snapshot::run(args),
        Command::Data(args) => cmd::disk::data::run(args),
        Command::Purge(args) => cmd::disk::purge::run(args),
        Command::Bench(args) => cmd::bench::run(*args),
    }
}
