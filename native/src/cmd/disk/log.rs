//! `zebu log dump`, `zebu log verify` and `zebu log cut`.

use super::{Failed, Verdict, cut, end, files_among, line, progress, show, zxid};
use crate::store::files;
use crate::store::inspect::LogFacts;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zebu_core::disk::txn_log::LogEnd;
use zebu_core::id::Zxid;

/// Transaction logs, Zebu's and Apache's.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print transactions, one a line.
    Dump {
        /// Log files, or folders of them.
        #[arg(required = true, value_name = "FILE|FOLDER")]
        paths: Vec<PathBuf>,
        /// From this zxid on: 0x100000001, 1:1 or 4294967297.
        #[arg(long, value_name = "ZXID", value_parser = zxid)]
        from: Option<Zxid>,
        /// Up to this zxid.
        #[arg(long, value_name = "ZXID", value_parser = zxid)]
        to: Option<Zxid>,
        /// A JSON object a line, with all data.
        #[arg(long)]
        json: bool,
    },
    /// Check every record and say how each file ends. The exit code is 1 if something durable is lost.
    Verify {
        /// Log files, or folders of them.
        #[arg(required = true, value_name = "FILE|FOLDER")]
        paths: Vec<PathBuf>,
        /// A JSON object a file.
        #[arg(long)]
        json: bool,
    },
    /// Take off the end of a log that a server which stands alone refuses as damaged. Right only where nobody can have
    /// relied on what goes: after a power cut, that is what was never acknowledged. Never in an ensemble, where the
    /// server gets everything from the others. A copy of the file is kept beside it.
    /// (If it is done there all the same, the server votes again only when it has everything from them.)
    Cut {
        /// The last log file of a folder that no server uses.
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// The last transaction that stays: 0x100000001, 1:1 or 4294967297.
        #[arg(long, value_name = "ZXID", value_parser = zxid)]
        behind: Zxid,
        /// Do it, instead of only saying what would go.
        #[arg(long)]
        yes: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    end("log", |out| execute(out, args))
}

pub(super) fn execute(out: &mut dyn Write, args: Args) -> Result<Verdict, Failed> {
    match args.action {
        Action::Dump { paths, from, to, json } => dump(out, &paths, from, to, json),
        Action::Verify { paths, json } => verify(out, &paths, json),
        Action::Cut { path, behind, yes, json } => cut::cut(out, &path, behind, yes, json),
    }
}

/// The log files among `paths`, those of a folder in order.
fn logs(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failed> {
    files_among(paths, "log", |folder| Ok(files::logs(folder)?.into_iter().map(|(_, path)| path).collect()))
}

fn dump(
    out: &mut dyn Write,
    paths: &[PathBuf],
    from: Option<Zxid>,
    to: Option<Zxid>,
    json: bool,
) -> Result<Verdict, Failed> {
    let mut verdict = Verdict::Well;
    for path in logs(paths)? {
        let mut said = Ok(true);
        let facts = LogFacts::gather(&path, |record, txn| {
            if from.is_some_and(|from| record.zxid < from) {
                return true;
            }
            if to.is_some_and(|to| record.zxid > to) {
                return false;
            }
            said = match txn {
                Ok(txn) if json => line(out, show::txn_json(record, txn)),
                Ok(txn) => line(out, show::txn(txn)),
                Err(error) => line(out, no_txn(json, record.at, record.zxid, error)),
            };
            matches!(said, Ok(true))
        });
        let facts = facts.map_err(|e| e.to_string())?;
        if !said? {
            return Ok(verdict);
        }
        if !facts.is_sound() {
            verdict = Verdict::Wrong;
        }
        if !matches!(facts.end, LogEnd::Clean { .. }) {
            eprintln!("{}: {}", path.display(), facts.end);
        }
        // It stands among the others already, which may be many.
        if let Some((at, zxid, error)) = &facts.no_txn {
            eprintln!("{}: {}", path.display(), no_txn(false, *at, *zxid, error));
        }
    }
    Ok(verdict)
}

fn no_txn(json: bool, at: usize, zxid: Zxid, error: &dyn std::fmt::Display) -> String {
    let zxid = show::hex(zxid);
    if json {
        json!({ "zxid": zxid, "at": at, "error": error.to_string() }).to_string()
    } else {
        format!("{zxid}  the record at byte {at} is no transaction: {error}")
    }
}

fn verify(out: &mut dyn Write, paths: &[PathBuf], json: bool) -> Result<Verdict, Failed> {
    let logs = logs(paths)?;
    let bar = progress(logs.len());
    let mut verdict = Verdict::Well;
    for path in logs {
        bar.set_message(path.display().to_string());
        let facts = LogFacts::gather(&path, |_, _| true).map_err(|e| e.to_string())?;
        if !facts.is_sound() {
            verdict = Verdict::Wrong;
        }
        let text = if json { facts_json(&facts).to_string() } else { text(&facts) };
        if !bar.suspend(|| line(out, text))? {
            break;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(verdict)
}

/// What there is to say of a file, in a line and one more for each oddity.
pub fn text(facts: &LogFacts) -> String {
    let span = match facts.span {
        Some((first, last)) => format!("{} transactions, {} to {}", facts.records, show::hex(first), show::hex(last)),
        None => "no transaction".into(),
    };
    let mut text = format!("{}: {span}, {}", name(&facts.path), facts.end);
    for (after, zxid) in &facts.holes {
        text += &format!(
            "\n  {} does not follow {}: right only if a snapshot has what is missing",
            show::hex(*zxid),
            show::hex(*after)
        );
    }
    if let Some((at, zxid, error)) = &facts.no_txn {
        text += &format!("\n  the record at byte {at}, {}, is whole but no transaction: {error}", show::hex(*zxid));
    }
    text
}

/// The same as JSON.
pub fn facts_json(facts: &LogFacts) -> Value {
    let holes = facts.holes.iter().map(|(after, zxid)| json!({ "after": show::hex(*after), "zxid": show::hex(*zxid) }));
    let no_txn = facts.no_txn.as_ref();
    json!({
        "file": facts.path.display().to_string(),
        "size": facts.size,
        "transactions": facts.records,
        "first": facts.span.map(|(first, _)| show::hex(first)),
        "last": facts.span.map(|(_, last)| show::hex(last)),
        "holes": holes.collect::<Vec<_>>(),
        "noTransaction": no_txn.map(|(at, zxid, error)| json!({ "at": at, "zxid": show::hex(*zxid), "why": error.to_string() })),
        "end": show::end_json(&facts.end),
        "sound": facts.is_sound(),
    })
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
