//! The commands on files that Apache's server wrote, whole and damaged.

use super::{Verdict, data, log, purge, snapshot, zxid};
use clap::Parser;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use zebu_core::id::Zxid;

#[derive(Parser)]
enum Command {
    Log(log::Args),
    Snapshot(snapshot::Args),
    Data(data::Args),
    Purge(purge::Args),
}

/// Runs a command line; how it ends and what it prints.
fn run(words: &[&str]) -> (Result<Verdict, String>, String) {
    let mut out = Vec::new();
    let command = Command::try_parse_from(["zebu"].iter().chain(words)).expect("a command");
    let result = match command {
        Command::Log(args) => log::execute(&mut out, args),
        Command::Snapshot(args) => snapshot::execute(&mut out, args),
        Command::Data(args) => data::execute(&mut out, args),
        Command::Purge(args) => purge::execute(&mut out, &args),
    };
    (result, String::from_utf8(out).expect("text"))
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/vectors")
}

/// A dataDir of Apache's standalone server; its path as text.
fn standalone() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(dir.path().join("version-2")).expect("made");
    for (from, to) in [
        ("txnlog/standalone-log.1", "log.1"),
        ("txnlog/standalone-log.1e", "log.1e"),
        ("snapshot/standalone-snapshot.0", "snapshot.0"),
        ("snapshot/standalone-snapshot.1d", "snapshot.1d"),
    ] {
        fs::copy(vectors().join(from), dir.path().join("version-2").join(to)).expect("copied");
    }
    let path = dir.path().to_str().expect("text").to_owned();
    (dir, path)
}

/// Changes a byte of a file of the folder.
fn flip(dir: &str, name: &str, at: usize) {
    let path = Path::new(dir).join("version-2").join(name);
    let mut bytes = fs::read(&path).expect("read");
    bytes[at] ^= 1;
    fs::write(&path, bytes).expect("written");
}

#[test]
fn a_log_is_dumped_by_zxid() {
    let (_folder, dir) = standalone();
    let (result, text) = run(&["log", "dump", &dir]);
    assert_eq!(result, Ok(Verdict::Well));
    assert_eq!(text.lines().count(), 0x1f, "{text}");
    let (_, text) = run(&["log", "dump", &dir, "--from", "0x1d", "--to", "30", "--json"]);
    let found = json(&text);
    assert_eq!(found.iter().map(|txn| txn["zxid"].as_str().expect("hex")).collect::<Vec<_>>(), ["0x1d", "0x1e"]);
    assert!(found.iter().all(|txn| txn["type"].is_string() && txn["digest"].is_i64()), "{text}");
}

#[test]
fn every_kind_of_transaction_has_a_line() {
    let path = vectors().join("txnlog/standalone-log.1");
    let (_, text) = run(&["log", "dump", path.to_str().expect("text")]);
    for kind in ["createSession", "create ", "setData", "delete", "multi [", "closeSession ephemerals", "error -"] {
        assert!(text.lines().any(|line| line.contains(&format!("  {kind}"))), "{kind} is missing in\n{text}");
    }
}

#[test]
fn damage_in_a_log_is_named() {
    let (_folder, dir) = standalone();
    assert_eq!(run(&["log", "verify", &dir]).0, Ok(Verdict::Well));
    flip(&dir, "log.1", 200);
    let (result, text) = run(&["log", "verify", &dir, "--json"]);
    assert_eq!(result, Ok(Verdict::Wrong));
    let found = json(&text);
    assert_eq!((&found[0]["sound"], &found[1]["sound"]), (&Value::from(false), &Value::from(true)));
    assert_eq!(found[0]["end"]["kind"], "damaged");
    assert!(found[0]["end"]["wholeTransactionBehind"].is_string(), "{text}");
}

#[test]
fn a_snapshot_is_dumped_verified_and_compared() {
    let (_folder, dir) = standalone();
    let (old, new) = (format!("{dir}/version-2/snapshot.0"), format!("{dir}/version-2/snapshot.1d"));
    let (result, text) = run(&["snapshot", "dump", &new, "--json"]);
    assert_eq!(result, Ok(Verdict::Well));
    let znodes = json(&text);
    let root = znodes.iter().find(|znode| znode["path"] == "/").expect("the root");
    assert_eq!(root["stat"]["czxid"], "0x0");
    assert_eq!(run(&["snapshot", "diff", &new, &new]), (Ok(Verdict::Well), String::new()));
    let (result, text) = run(&["snapshot", "diff", &old, &new]);
    assert_eq!(result, Ok(Verdict::Wrong));
    assert!(text.contains("~ / cversion: "), "{text}");
    let added = znodes.iter().filter(|znode| znode["path"].is_string()).count() - 4;
    assert_eq!(text.lines().filter(|line| line.starts_with("+ /")).count(), added, "{text}");
    let (_, back) = run(&["snapshot", "diff", &new, &old, "--json"]);
    assert_eq!(json(&back).len(), text.lines().count());
    flip(&dir, "snapshot.1d", 100);
    let (result, text) = run(&["snapshot", "verify", &dir]);
    assert_eq!(result, Ok(Verdict::Wrong));
    assert!(text.contains("snapshot.1d: can't be used"), "{text}");
}

#[test]
fn a_data_directory_is_judged_as_a_start_would_judge_it() {
    let (_folder, dir) = standalone();
    let before: Vec<_> = fs::read_dir(format!("{dir}/version-2")).expect("listed").collect();
    let (result, text) = run(&["data", "verify", &dir]);
    assert_eq!(result, Ok(Verdict::Well), "{text}");
    assert!(text.contains("would start with snapshot 0x1d and 2 transactions, up to 0x1f"), "{text}");
    let log = Path::new(&dir).join("version-2/log.1e");
    let whole = fs::read(&log).expect("read");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("records") + 1;
    fs::write(&log, &whole[..used - 5]).expect("written");
    let (result, text) = run(&["data", "verify", &dir, "--json"]);
    assert_eq!(result, Ok(Verdict::Well), "a torn tail is no fault");
    let found = json(&text).remove(0);
    assert_eq!((&found["start"]["last"], &found["start"]["wouldCut"]["end"]["kind"]), (&"0x1e".into(), &"torn".into()));
    assert_eq!(fs::read(&log).expect("read").len(), used - 5, "nothing is changed");
    assert_eq!(fs::read_dir(format!("{dir}/version-2")).expect("listed").count(), before.len());
    fs::write(&log, &whole).expect("written");
    flip(&dir, "log.1e", 60);
    let (result, text) = run(&["data", "verify", &dir]);
    assert_eq!(result, Ok(Verdict::Wrong));
    assert!(text.contains("a server would not start: ") && text.contains("log.1e"), "{text}");
}

#[test]
fn purging_keeps_what_a_start_may_need() {
    let (_folder, dir) = standalone();
    let file = |name: &str| Path::new(&dir).join("version-2").join(name);
    for name in ["snapshot.1e", "snapshot.1f"] {
        fs::copy(file("snapshot.1d"), file(name)).expect("copied");
    }
    let (_, text) = run(&["purge", &dir, "--dry-run"]);
    assert_eq!(text, format!("would remove {}\n", file("snapshot.0").display()));
    assert!(file("snapshot.0").exists());
    let (result, text) = run(&["purge", &dir, "--json"]);
    assert_eq!((result, &json(&text)[0]["removed"]), (Ok(Verdict::Well), &Value::from(true)));
    assert!(!file("snapshot.0").exists() && file("log.1").exists(), "log.1 has what is above snapshot.1d");
    assert!(Command::try_parse_from(["zebu", "purge", &dir, "--keep", "2"]).is_err(), "Apache's least is three");
}

#[test]
fn what_is_no_data_directory_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("text");
    for words in
        [&["data", "verify", path][..], &["purge", path], &["log", "verify", path], &["snapshot", "verify", path]]
    {
        let (result, _) = run(words);
        assert!(result.as_ref().is_err_and(|why| why.contains(path)), "{words:?}: {result:?}");
    }
    let (result, _) = run(&["snapshot", "dump", &format!("{path}/none")]);
    assert!(result.is_err_and(|why| why.contains("No such file")));
}

#[test]
fn zxids_as_they_are_typed() {
    for (text, want) in [
        ("0x100000001", Some(0x1_0000_0001)),
        ("1:1", Some(0x1_0000_0001)),
        ("4294967297", Some(0x1_0000_0001)),
        ("0x0", Some(0)),
        ("-1", None),
        ("0x-1", None),
        ("1:", None),
        ("-1:1", None),
        ("1:4294967296", None),
        ("0xfffffffffffffffff", None),
        ("", None),
    ] {
        assert_eq!(zxid(text).ok(), want.map(Zxid), "{text}");
    }
}
