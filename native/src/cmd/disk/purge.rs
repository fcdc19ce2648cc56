//! `zebu purge`: what `autopurge` does, by hand.

use super::{Failed, Verdict, end, line};
use crate::store::inspect::Folders;
use crate::store::{files, purge};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Fewer snapshots than so many are never kept, as in Apache's tools.
const KEEP_MIN: u64 = 3;

/// Remove logs and snapshots that newer snapshots have made unnecessary.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The dataDir, or its folder version-2.
    #[arg(value_name = "DATADIR")]
    dir: PathBuf,
    /// The dataLogDir, if there is one.
    #[arg(long, value_name = "DATALOGDIR")]
    log_dir: Option<PathBuf>,
    /// How many of the newest whole snapshots stay, with every log that may be needed above the oldest of them.
    #[arg(long, value_name = "N", default_value_t = KEEP_MIN, value_parser = clap::value_parser!(u64).range(KEEP_MIN..))]
    keep: u64,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
    /// A JSON object a file.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    end("purge", |out| execute(out, &args))
}

pub(super) fn execute(out: &mut dyn Write, args: &Args) -> Result<Verdict, Failed> {
    let folders = Folders::find(&args.dir, args.log_dir.as_deref()).map_err(|e| e.to_string())?;
    let keep = usize::try_from(args.keep).unwrap_or(usize::MAX);
    let old = purge::plan(&folders.snapshots, &folders.logs, keep).map_err(|e| e.to_string())?;
    for path in &old {
        if !args.dry_run {
            files::remove(path).map_err(|e| e.to_string())?;
        }
        let path = path.display().to_string();
        let text = match (args.json, args.dry_run) {
            (true, dry_run) => json!({ "file": path, "removed": !dry_run }).to_string(),
            (false, true) => format!("would remove {path}"),
            (false, false) => format!("removed {path}"),
        };
        // A closed pipe is no reason to leave half of them.
        line(out, text)?;
    }
    if old.is_empty() && !args.json {
        line(out, format!("nothing to remove: {} whole snapshots are to stay", args.keep))?;
    }
    Ok(Verdict::Well)
}
