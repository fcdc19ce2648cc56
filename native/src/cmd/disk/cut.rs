//! `zebu log cut`: takes the end off a log that a server refuses, when a person has judged that nobody relied on it.
//!
//! A power cut while many records are written at once may leave a gap before records that are whole. That looks as if
//! something durable had been lost, and a server does not guess. One that stands alone can then only be given back what
//! it had, or be told where its history ends.

use super::{Failed, Verdict, line, show};
use crate::store::files::{self, FileError, Haste};
use crate::store::{doubt, epochs, log};
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use zebu_core::disk::names::{self, DataFile};
use zebu_core::disk::txn_log::{LogEnd, LogScanner};
use zebu_core::id::Zxid;

/// In front of the name of the copy that is kept.
const COPY: &str = "uncut.";

/// What would be done.
struct Plan {
    /// Where the file will end.
    end: usize,
    /// How many records stay.
    kept: u64,
    /// Bytes that go, without the zeros that a file is padded with.
    bytes: usize,
    /// How many of the records that go are whole, the first and the last one.
    whole: u64,
    span: Option<(Zxid, Zxid)>,
    /// How the readable records end now.
    fault: LogEnd,
}

pub(super) fn cut(out: &mut dyn Write, path: &Path, behind: Zxid, yes: bool, json: bool) -> Result<Verdict, Failed> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(DataFile::Log(first)) = names::parse(name) else {
        return Err(format!("{}: its name is not that of a log", path.display()));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _lock = lock(folder)?;
    if let Some((_, later)) = files::logs(folder).map_err(text)?.into_iter().find(|(other, _)| *other > first) {
        let (path, later) = (path.display(), later.display());
        return Err(format!("{path}: only the last log can be cut, and {later} goes on behind it"));
    }
    let plan = plan(path, behind)?;
    let copy = path.with_file_name(format!("{COPY}{name}"));
    if plan.bytes == 0 {
        let said = format!("{}: ends behind {} already, nothing to cut", path.display(), show::hex(behind));
        line(out, if json { facts(path, behind, &plan, None, false).to_string() } else { said })?;
        return Ok(Verdict::Well);
    }
    if yes {
        keep_copy(path, &copy).map_err(text)?;
        // First, so that no start in an ensemble ever takes what is left for all there was.
        if was_in_ensemble(folder).map_err(text)? {
            let fact = format!("{}: everything behind {} was taken off by hand", path.display(), show::hex(behind));
            doubt::mark(folder, &fact).map_err(text)?;
        }
        log::cut(path, plan.end).map_err(text)?;
    }
    if json {
        line(out, facts(path, behind, &plan, Some(&copy).filter(|_| yes), yes))?;
    } else {
        line(out, told(path, behind, &plan, yes))?;
        if yes {
            line(out, format!("the file as it was is kept as {}", copy.display()))?;
            if doubt::is_marked(folder) {
                line(
                    out,
                    "in an ensemble a server gets everything from the others before it votes on this folder again",
                )?;
            }
        } else {
            line(out, "nothing was changed: say --yes to do it, and only if nobody can have relied on what goes")?;
        }
    }
    Ok(if yes { Verdict::Well } else { Verdict::Wrong })
}

/// Whether others may have what goes: there are epochs, which Apache's server has in an ensemble only; or the snapshots
/// and with them the epochs are elsewhere, and nothing tells.
fn was_in_ensemble(folder: &Path) -> Result<bool, FileError> {
    let has_epochs = [epochs::ACCEPTED, epochs::CURRENT].iter().any(|name| folder.join(name).exists());
    Ok(has_epochs || files::snapshots(folder)?.is_empty())
}

fn text(error: FileError) -> Failed {
    error.to_string()
}

/// No server may hold the folder, nor come to hold it meanwhile.
fn lock(folder: &Path) -> Result<Flock<File>, Failed> {
    let file = File::open(folder).map_err(FileError::new("can't open", folder)).map_err(text)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| format!("{}: a server is running on this folder; stop it first", folder.display()))
}

fn plan(path: &Path, behind: Zxid) -> Result<Plan, Failed> {
    let bytes = log::read(path, Haste::Alone).map_err(text)?;
    let content = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut scanner = LogScanner::new(bytes);
    let (mut found, mut kept, mut whole, mut span, mut fault) = (None, 0, 0, None, None);
    loop {
        for record in &mut scanner {
            if found.is_some() || record.zxid > behind {
                whole += 1;
                span = Some((span.map_or(record.zxid, |(first, _)| first), record.zxid));
            } else if fault.is_none() {
                kept += 1;
                if record.zxid == behind {
                    found = Some(record.end);
                }
            }
        }
        let end = scanner.end().cloned();
        fault = fault.or(end);
        if !scanner.go_on() {
            break;
        }
    }
    let fault = fault.unwrap_or(LogEnd::Clean { at: content });
    let Some(end) = found else {
        let (path, behind) = (path.display(), show::hex(behind));
        return Err(format!(
            "{path}: there is no transaction {behind} in it that can be read without a gap before it; {fault}"
        ));
    };
    Ok(Plan { end, kept, bytes: content.saturating_sub(end), whole, span, fault })
}

/// The file as it is, durably, under another name; never over an older copy.
fn keep_copy(path: &Path, copy: &Path) -> Result<(), FileError> {
    let mut from = File::open(path).map_err(FileError::new("can't open", path))?;
    let mut to = File::create_new(copy).map_err(FileError::new("can't keep the old file as", copy))?;
    let written = std::io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
    written.map_err(FileError::new("can't keep the old file as", copy))?;
    let named: PathBuf = copy.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).into();
    files::sync_dir(&named)
}

fn told(path: &Path, behind: Zxid, plan: &Plan, done: bool) -> String {
    let (path, behind) = (path.display(), show::hex(behind));
    let goes = match plan.span {
        Some((first, last)) if plan.whole == 1 && first == last => {
            format!("the whole transaction {}", show::hex(first))
        }
        Some((first, last)) => {
            format!("{} whole transactions, {} to {}", plan.whole, show::hex(first), show::hex(last))
        }
        None => "no whole transaction".into(),
    };
    let would = if done { "removed" } else { "would remove" };
    format!(
        "{path}: {}\n{would} {} bytes behind {behind}, and with them {goes}; the {} transactions up to {behind} stay",
        plan.fault, plan.bytes, plan.kept
    )
}

fn facts(path: &Path, behind: Zxid, plan: &Plan, copy: Option<&PathBuf>, done: bool) -> Value {
    json!({
        "file": path.display().to_string(),
        "behind": show::hex(behind),
        "kept": plan.kept,
        "removedBytes": plan.bytes,
        "removedTransactions": plan.whole,
        "first": plan.span.map(|(first, _)| show::hex(first)),
        "last": plan.span.map(|(_, last)| show::hex(last)),
        "end": show::end_json(&plan.fault),
        "copy": copy.map(|copy| copy.display().to_string()),
        "cut": done,
    })
}

#[cfg(test)]
mod tests {
    use super::super::log::{Args, execute};
    use super::*;
    use clap::Parser;
    use std::fs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn run(words: &[&str]) -> (Result<Verdict, String>, String) {
        let mut out = Vec::new();
        let command = Command::try_parse_from(["log", "cut"].iter().chain(words)).expect("a command");
        let result = execute(&mut out, command.args);
        (result, String::from_utf8(out).expect("text"))
    }

    /// A log of Apache's server with transactions 1 to 0x1d, damaged in the second, and its bytes.
    fn damaged() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let dir = tempfile::tempdir().expect("a folder");
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/vectors");
        let mut bytes = fs::read(vectors.join("txnlog/standalone-log.1")).expect("a log");
        let second = 16 + 13 + u32::from_be_bytes(bytes[24..28].try_into().expect("four")) as usize;
        bytes[second + 20] ^= 1;
        let path = dir.path().join("log.1");
        fs::write(&path, &bytes).expect("written");
        (dir, path, bytes)
    }

    #[test]
    fn says_exactly_what_goes_and_does_nothing_before_it_is_confirmed() {
        let (dir, path, before) = damaged();
        let file = path.to_str().expect("text");
        let (result, said) = run(&[file, "--behind", "1"]);
        assert_eq!(result, Ok(Verdict::Wrong));
        assert!(said.contains("would remove") && said.contains("27 whole transactions, 0x3 to 0x1d"), "{said}");
        assert!(said.contains("the 1 transactions up to 0x1 stay") && said.contains("--yes"), "{said}");
        assert_eq!(fs::read(&path).expect("read"), before, "untouched");
        assert!(!doubt::is_marked(dir.path()));

        let (result, said) = run(&[file, "--behind", "1", "--yes", "--json"]);
        assert_eq!(result, Ok(Verdict::Well));
        assert!(doubt::is_marked(dir.path()), "what is left is not all there was");
        let facts: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(
            (&facts["removedTransactions"], &facts["first"], &facts["cut"]),
            (&json!(27), &json!("0x3"), &json!(true))
        );
        assert_eq!(fs::read(dir.path().join("uncut.log.1")).expect("kept"), before);
        let left = LogScanner::new(log::read(&path, Haste::Alone).expect("read"));
        assert_eq!(left.map(|record| record.zxid).collect::<Vec<_>>(), [Zxid(1)]);
        let (result, said) = run(&[file, "--behind", "1", "--yes"]);
        assert!(result == Ok(Verdict::Well) && said.contains("nothing to cut"), "{said}");
    }

    #[test]
    fn who_stood_alone_has_nobody_to_get_it_from() {
        for (name, marked) in [("snapshot.0", false), ("currentEpoch", true)] {
            let (dir, path, _) = damaged();
            fs::write(dir.path().join("snapshot.0"), "").expect("written");
            fs::write(dir.path().join(name), "1").expect("written");
            let (result, said) = run(&[path.to_str().expect("text"), "--behind", "1", "--yes"]);
            assert_eq!(result, Ok(Verdict::Well));
            assert_eq!((doubt::is_marked(dir.path()), said.contains("before it votes")), (marked, marked), "{said}");
        }
    }

    #[test]
    fn refuses_what_would_tear_a_hole() {
        let (dir, path, before) = damaged();
        let file = path.to_str().expect("text");
        for (behind, why) in [("2", "no transaction 0x2"), ("0x3", "no transaction 0x3"), ("99", "no transaction")] {
            let (result, _) = run(&[file, "--behind", behind, "--yes"]);
            assert!(result.as_ref().is_err_and(|said| said.contains(why) && said.contains("damaged")), "{result:?}");
        }
        fs::write(dir.path().join("log.1e"), "").expect("written");
        let (result, _) = run(&[file, "--behind", "1", "--yes"]);
        assert!(result.as_ref().is_err_and(|said| said.contains("log.1e goes on behind it")), "{result:?}");
        fs::remove_file(dir.path().join("log.1e")).expect("removed");
        fs::write(dir.path().join("uncut.log.1"), "an older copy").expect("written");
        let (result, _) = run(&[file, "--behind", "1", "--yes"]);
        assert!(result.as_ref().is_err_and(|said| said.contains("uncut.log.1")), "{result:?}");
        fs::remove_file(dir.path().join("uncut.log.1")).expect("removed");
        let held = File::open(dir.path()).expect("open");
        let held = Flock::lock(held, FlockArg::LockExclusiveNonblock).expect("free");
        let (result, _) = run(&[file, "--behind", "1", "--yes"]);
        assert!(result.as_ref().is_err_and(|said| said.contains("a server is running")), "{result:?}");
        drop(held);
        assert_eq!(fs::read(&path).expect("read"), before, "untouched");
    }
}
