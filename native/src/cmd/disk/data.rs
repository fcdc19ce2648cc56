//! `zebu data verify`: would a server start on this directory, and with what?

use super::{Failed, Verdict, end, line, log, progress, show, snapshot};
use crate::store::files;
use crate::store::inspect::{self, Folders, LogFacts, SnapshotFacts, StartError, StartFacts};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A whole data directory, Zebu's or Apache's.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check every file, and say what a start would make of them. Changes nothing. The exit code is 1 if a server would
    /// not start, or something is wrong in files that it does not need.
    Verify {
        /// The dataDir, or its folder version-2.
        #[arg(value_name = "DATADIR")]
        dir: PathBuf,
        /// The dataLogDir, if there is one.
        #[arg(long, value_name = "DATALOGDIR")]
        log_dir: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    end("data", |out| execute(out, args))
}

pub(super) fn execute(out: &mut dyn Write, args: Args) -> Result<Verdict, Failed> {
    let Action::Verify { dir, log_dir, json } = args.action;
    let folders = Folders::find(&dir, log_dir.as_deref()).map_err(|e| e.to_string())?;
    verify(out, &folders, json)
}

fn verify(out: &mut dyn Write, folders: &Folders, json: bool) -> Result<Verdict, Failed> {
    let in_use = folders.in_use();
    let snapshots = files::snapshots(&folders.snapshots).map_err(|e| e.to_string())?;
    let logs = files::logs(&folders.logs).map_err(|e| e.to_string())?;
    let bar = progress(snapshots.len() + logs.len() + 1);
    let (mut sound, mut lines, mut said) = (true, Vec::new(), (Vec::new(), Vec::new()));
    for (.., path) in snapshots {
        bar.set_message(path.display().to_string());
        let facts = SnapshotFacts::gather(&path);
        sound &= facts.is_ok();
        said.0.push(snapshot::facts_json(&path, &facts));
        lines.push(snapshot::text(&path, &facts));
        bar.inc(1);
    }
    for (_, path) in logs {
        bar.set_message(path.display().to_string());
        let facts = LogFacts::gather(&path, |_, _| true).map_err(|e| e.to_string())?;
        sound &= facts.is_sound();
        said.1.push(log::facts_json(&facts));
        lines.push(log::text(&facts));
        bar.inc(1);
    }
    bar.set_message("what a start would make of them");
    let start = inspect::start(folders);
    bar.finish_and_clear();
    sound &= start.as_ref().is_ok_and(|start| start.diverged.is_none() && start.doubt.is_none());
    if json {
        let (snapshots, logs) = said;
        line(
            out,
            json!({ "inUse": in_use, "snapshots": snapshots, "logs": logs, "start": start_json(&start), "sound": sound }),
        )?;
    } else {
        if in_use {
            lines.push("a server is running on these files: they change while they are read".into());
        }
        lines.push(start_text(&start));
        for text in lines {
            if !line(out, text)? {
                break;
            }
        }
    }
    Ok(if sound { Verdict::Well } else { Verdict::Wrong })
}

fn start_text(start: &Result<StartFacts, StartError>) -> String {
    let start = match start {
        Ok(start) => start,
        Err(StartError::Interrupted(why)) => return why.to_string(),
        Err(StartError::Recovery(why)) => return format!("a server would not start: {why}"),
    };
    let base = start.snapshot.map_or("an empty tree".into(), |zxid| format!("snapshot {}", show::hex(zxid)));
    let mut text = format!(
        "a server would start with {base} and {} transactions, up to {}; acceptedEpoch {}, currentEpoch {}; {} znodes, {} \
         sessions; {} digests agree",
        start.replayed,
        show::hex(start.last),
        start.epochs.0,
        start.epochs.1,
        start.tree.len(),
        start.tree.sessions().len(),
        start.digests,
    );
    if let Some((path, end)) = &start.torn {
        text += &format!("\nit would cut off what nobody relied on: {}: {end}", path.display());
    }
    if let Some(fact) = &start.doubt {
        text += &format!(
            "\nand transactions may be missing: {fact}. In an ensemble it would get everything from the others; alone it \
             would go on with what there is"
        );
    }
    if let Some(zxid) = start.diverged {
        text += &format!(
            "\nfrom transaction {} on the tree is not the one that the leader had: its digest is another",
            show::hex(zxid)
        );
    }
    text
}

fn start_json(start: &Result<StartFacts, StartError>) -> Value {
    match start {
        Err(why) => json!({ "starts": matches!(why, StartError::Interrupted(_)), "why": why.to_string() }),
        Ok(start) => json!({
            "starts": true,
            "snapshot": start.snapshot.map(show::hex),
            "replayed": start.replayed,
            "last": show::hex(start.last),
            "acceptedEpoch": start.epochs.0.0,
            "currentEpoch": start.epochs.1.0,
            "znodes": start.tree.len(),
            "sessions": start.tree.sessions().len(),
            "treeDigest": start.tree.digest(),
            "digestsThatAgree": start.digests,
            "diverged": start.diverged.map(show::hex),
            "doubt": start.doubt,
            "wouldCut": start.torn.as_ref().map(|(path, end)| json!({ "file": path.display().to_string(), "end": show::end_json(end) })),
        }),
    }
}
