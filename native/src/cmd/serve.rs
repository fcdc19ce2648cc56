//! `zebu serve`: one server process.

use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `zebu serve`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration file, in Apache's zoo.cfg format
    pub config: PathBuf,
}

/// Runs the server until it is told to stop; `log` is the log filter of the command line.
pub fn run(args: Args, _log: Option<&str>) -> ExitCode {
    eprintln!("zebu: cannot read {}", args.config.display());
    ExitCode::from(2)
}
