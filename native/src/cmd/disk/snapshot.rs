//! `zebu snapshot dump`, `verify` and `diff`.

use super::{Failed, Verdict, end, files_among, line, progress, show};
use crate::cmd::cli::show::{acl_json, data_json};
use crate::cmd::serve::start_log;
use crate::store::compactor::Job;
use crate::store::inspect::SnapshotFacts;
use crate::store::{files, fold_process};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zebu_core::disk::names::{self, Compression, DataFile};
use zebu_core::id::Zxid;
use zebu_core::tree::{Node, Tree};

/// Snapshots, Zebu's and Apache's, compressed ones too.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print the sessions and the znodes.
    Dump {
        /// A snapshot file.
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// A JSON object a line, with all data.
        #[arg(long)]
        json: bool,
    },
    /// Read snapshots whole and compare their checksums. The exit code is 1 if one can't be used.
    Verify {
        /// Snapshot files, or folders of them.
        #[arg(required = true, value_name = "FILE|FOLDER")]
        paths: Vec<PathBuf>,
        /// A JSON object a file.
        #[arg(long)]
        json: bool,
    },
    /// Say in which sessions and znodes two snapshots differ. The exit code is 1 if they do.
    Diff {
        /// The one.
        #[arg(value_name = "FILE")]
        one: PathBuf,
        /// The other.
        #[arg(value_name = "OTHER")]
        other: PathBuf,
        /// A JSON object a difference.
        #[arg(long)]
        json: bool,
    },
    /// What a server has its snapshots made with: writes to standard output, not for a terminal.
    #[command(hide = true)]
    Fold {
        /// The name that the file is going to have.
        #[arg(value_name = "NAME", value_parser = snapshot_name)]
        name: (Zxid, Compression),
        /// Where snapshots are.
        #[arg(value_name = "FOLDER")]
        snapshots: PathBuf,
        /// Where the log is.
        #[arg(value_name = "FOLDER")]
        logs: PathBuf,
    },
}

fn snapshot_name(name: &str) -> Result<(Zxid, Compression), String> {
    match names::parse(name) {
        Some(DataFile::Snapshot(zxid, compression)) => Ok((zxid, compression)),
        _ => Err(format!("{name:?} is no snapshot's name: give snapshot.100000001, say, or snapshot.100000001.gz")),
    }
}

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    end("snapshot", |out| execute(out, args))
}

pub(super) fn execute(out: &mut dyn Write, args: Args) -> Result<Verdict, Failed> {
    match args.action {
        Action::Dump { path, json } => dump(out, &path, json),
        Action::Verify { paths, json } => verify(out, &paths, json),
        Action::Diff { one, other, json } => diff(out, &one, &other, json),
        Action::Fold { name: (upto, compression), snapshots, logs } => {
            start_log(Some("warn"))?;
            let job = Job { snapshot_dir: snapshots, log_dir: logs, upto, compression };
            fold_process::run(out, &job).map(|()| Verdict::Well).map_err(|e| e.to_string())
        }
    }
}

fn read(path: &Path) -> Result<SnapshotFacts, Failed> {
    SnapshotFacts::gather(path).map_err(|why| format!("{}: {why}", path.display()))
}

fn dump(out: &mut dyn Write, path: &Path, json: bool) -> Result<Verdict, Failed> {
    let facts = read(path)?;
    let tree = &facts.tree;
    for (session, timeout_ms) in tree.sessions() {
        let text = if json {
            json!({ "session": session.to_string(), "timeout": timeout_ms }).to_string()
        } else {
            format!("session {session} timeout {timeout_ms} ms")
        };
        if !line(out, text)? {
            return Ok(Verdict::Well);
        }
    }
    for (path, node) in tree.walk() {
        let list = tree.acl_of(node).map(|list| &list[..]).unwrap_or_default();
        let text = if json {
            let (data, stat) = (data_json(node.data().map(|data| &data[..])), show::persisted_json(node.persisted()));
            json!({ "path": path, "data": data, "acl": acl_json(list), "stat": stat }).to_string()
        } else {
            let stat: Vec<_> = show::persisted(node.persisted()).into_iter().map(|(k, v)| format!("{k} {v}")).collect();
            let data = show::data(node.data().map(|data| &data[..]));
            format!("{path:?} {data} acl {}  {}", show::acl(list), stat.join(" "))
        };
        if !line(out, text)? {
            return Ok(Verdict::Well);
        }
    }
    Ok(Verdict::Well)
}

fn verify(out: &mut dyn Write, paths: &[PathBuf], json: bool) -> Result<Verdict, Failed> {
    let all = files_among(paths, "snapshot", |folder| {
        Ok(files::snapshots(folder)?.into_iter().map(|(.., path)| path).collect())
    })?;
    let bar = progress(all.len());
    let mut verdict = Verdict::Well;
    for path in all {
        bar.set_message(path.display().to_string());
        let facts = SnapshotFacts::gather(&path);
        if facts.is_err() {
            verdict = Verdict::Wrong;
        }
        let text = if json { facts_json(&path, &facts).to_string() } else { text(&path, &facts) };
        if !bar.suspend(|| line(out, text))? {
            break;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(verdict)
}

/// What there is to say of a snapshot, in a line.
pub fn text(path: &Path, facts: &Result<SnapshotFacts, String>) -> String {
    let path = path.display();
    match facts {
        Err(why) => format!("{path}: can't be used: {why}"),
        Ok(facts) => {
            let (znodes, sessions) = (facts.tree.len(), facts.tree.sessions().len());
            let digest = match facts.digest_agrees() {
                Some(true) => "its digest is the tree's",
                Some(false) => "its digest is not the tree's, as when the tree changes meanwhile",
                None => "no digest of the same moment",
            };
            format!("{path}: whole, {znodes} znodes, {sessions} sessions, {digest}")
        }
    }
}

/// The same as JSON.
pub fn facts_json(path: &Path, facts: &Result<SnapshotFacts, String>) -> Value {
    let file = path.display().to_string();
    match facts {
        Err(why) => json!({ "file": file, "usable": false, "why": why }),
        Ok(facts) => json!({
            "file": file,
            "usable": true,
            "znodes": facts.tree.len(),
            "sessions": facts.tree.sessions().len(),
            "ephemerals": facts.tree.ephemerals().values().map(|paths| paths.len()).sum::<usize>(),
            "treeDigest": facts.tree.digest(),
            "fileDigest": facts.digest.map(|(zxid, sum)| json!({ "zxid": show::hex(zxid), "sum": sum })),
            "digestAgrees": facts.digest_agrees(),
        }),
    }
}

/// A difference: what, and its value here and there; `None` where it is missing.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    what: String,
    field: &'static str,
    one: Option<String>,
    other: Option<String>,
}

fn diff(out: &mut dyn Write, one: &Path, other: &Path, json: bool) -> Result<Verdict, Failed> {
    let found = differences(&read(one)?.tree, &read(other)?.tree);
    for difference in &found {
        let Difference { what, field, one, other } = difference;
        let text = if json {
            json!({ "what": what, "field": field, "one": one, "other": other }).to_string()
        } else {
            match (one, other) {
                (Some(one), None) => format!("- {what} {one}"),
                (None, Some(other)) => format!("+ {what} {other}"),
                (one, other) => {
                    let value = |side: &Option<String>| side.clone().unwrap_or_default();
                    format!("~ {what} {field}: {} -> {}", value(one), value(other))
                }
            }
        };
        if !line(out, text)? {
            break;
        }
    }
    Ok(if found.is_empty() { Verdict::Well } else { Verdict::Wrong })
}

fn differences(one: &Tree, other: &Tree) -> Vec<Difference> {
    let mut found = Vec::new();
    let sessions = one.sessions().keys().chain(other.sessions().keys().filter(|id| !one.sessions().contains_key(*id)));
    for id in sessions {
        let timeout = |tree: &Tree| tree.sessions().get(id).map(|ms| format!("timeout {ms} ms"));
        let (here, there) = (timeout(one), timeout(other));
        if here != there {
            found.push(Difference { what: format!("session {id}"), field: "timeout", one: here, other: there });
        }
    }
    for (path, node) in one.walk() {
        match other.get(path) {
            None => {
                let one = Some(fields(one, node).map(|(name, value)| format!("{name} {value}")).join(" "));
                found.push(Difference { what: path.to_string(), field: "znode", one, other: None });
            }
            Some(counterpart) => {
                let pairs = fields(one, node).into_iter().zip(fields(other, counterpart));
                for ((field, one), (_, other)) in pairs.filter(|((_, one), (_, other))| one != other) {
                    let what = path.to_string();
                    found.push(Difference { what, field, one: Some(one), other: Some(other) });
                }
            }
        }
    }
    for (path, node) in other.walk().filter(|(path, _)| !one.exists(path)) {
        let other = Some(fields(other, node).map(|(name, value)| format!("{name} {value}")).join(" "));
        found.push(Difference { what: path.to_string(), field: "znode", one: None, other });
    }
    found
}

/// Everything that makes a znode, by name. Access lists by what they say: their keys mean nothing.
fn fields(tree: &Tree, node: &Node) -> [(&'static str, String); 11] {
    let [czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner] = show::persisted(node.persisted());
    // Whole, since two long ones may differ behind what is shown.
    let data = match node.data() {
        None => "null".into(),
        Some(data) => std::str::from_utf8(data)
            .map_or_else(|_| format!("base64 {}", crate::cmd::cli::show::base64(data)), |text| format!("{text:?}")),
    };
    let acl = ("acl", tree.acl_of(node).map(|list| show::acl(list)).unwrap_or_default());
    [("data", data), acl, czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner]
}
