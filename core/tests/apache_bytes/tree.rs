//! The tree against what Apache's server made of the same transactions.

use crate::vectors;
use serde_json::Value;
use zebu_core::disk::snapshot::Snapshot;
use zebu_core::disk::txn_log::LogScanner;
use zebu_core::id::Zxid;
use zebu_core::tree::Tree;
use zebu_core::wire::txn::Txn;

/// The number behind the dot of a snapshot's or log's name.
fn zxid_of(name: &str) -> Zxid {
    let (_, hex) = name.rsplit_once('.').expect("a name with a zxid");
    Zxid(i64::from_str_radix(hex, 16).expect("a zxid in hexadecimal"))
}

fn snapshot(name: &str) -> (Snapshot, Tree) {
    let file = std::fs::read(vectors::path(name)).expect("a snapshot");
    let snapshot = Snapshot::open(file.into()).expect("a whole snapshot");
    let tree = Tree::read_body(snapshot.body.clone(), zxid_of(name)).expect("a tree");
    (snapshot, tree)
}

/// The transactions of a log file, up to its padding.
fn log(name: &str) -> Vec<Txn> {
    let file = std::fs::read(vectors::path(name)).expect("a log");
    LogScanner::new(file.into()).map(|record| Txn::decode(record.entry).expect("a transaction")).collect()
}

fn listed(name: &str) -> Value {
    let disk = vectors::json(&vectors::path("disk.json"));
    let files = disk["files"].as_array().expect("files");
    files.iter().find(|file| file["file"] == name).expect("listed").clone()
}

/// What servers keep on their own, outside the transactions: a comparison has to leave it out.
fn is_own(path: &str) -> bool {
    path == "/zookeeper/config" || path.ends_with("/zookeeper_stats")
}

/// Path, data, stored Stat and access list of all nodes.
fn listing(tree: &Tree) -> Vec<String> {
    tree.walk()
        .filter(|(path, _)| !is_own(path))
        .map(|(path, node)| format!("{path} {:?} {:?} {:?}", node.data(), node.persisted(), tree.acl_of(node)))
        .collect()
}

#[test]
fn snapshots_are_the_trees_they_say() {
    for file in vectors::files("snapshot") {
        let name = format!("snapshot/{}", file.file_name().expect("a name").to_string_lossy());
        let (snapshot, tree) = snapshot(&name);
        let listed = listed(&name);
        assert_eq!(tree.digest(), listed["computed_digest"].as_i64().expect("a digest"), "{name}");
        if let Some(digest) = snapshot.digest.filter(|digest| digest.tree != 0) {
            assert_eq!((digest.zxid, digest.tree), (tree.applied(), tree.digest()), "{name}");
        }
        let nodes = listed["nodes"].as_array().expect("nodes");
        assert_eq!(tree.len(), nodes.len(), "{name}");
        for expected in nodes {
            let path = expected["path"].as_str().expect("a path");
            let node = tree.get(path).unwrap_or_else(|| panic!("{name}: {path}"));
            let stat = node.persisted();
            let fields = [
                ("czxid", stat.czxid.0),
                ("mzxid", stat.mzxid.0),
                ("pzxid", stat.pzxid.0),
                ("ctime", stat.ctime),
                ("mtime", stat.mtime),
                ("version", stat.version.into()),
                ("cversion", stat.cversion.into()),
                ("aversion", stat.aversion.into()),
                ("acl", node.acl_key()),
            ];
            for (field, value) in fields {
                assert_eq!(Some(value), expected[field].as_i64(), "{name} {path} {field}");
            }
            let owner = format!("0x{:x}", stat.ephemeral_owner);
            assert_eq!(owner, expected["ephemeralOwner"], "{name} {path}");
            assert!(tree.acl_of(node).is_some(), "{name} {path}");
        }
        assert_eq!(tree.sessions().len(), listed["sessions"].as_array().expect("sessions").len());

        let again = Tree::read_body(tree.write_body(), tree.applied()).expect("our own snapshot");
        assert_eq!(listing(&again), listing(&tree), "{name}");
        assert_eq!(
            (again.digest(), again.sessions(), again.ephemerals(), again.approximate_size()),
            (tree.digest(), tree.sessions(), tree.ephemerals(), tree.approximate_size()),
            "{name}"
        );
        assert_eq!(again.write_body(), tree.write_body(), "{name}");
    }
}

#[test]
fn replaying_apaches_log_gives_apaches_snapshot() {
    let (_, mut tree) = snapshot("snapshot/standalone-snapshot.0");
    let (_, expected) = snapshot("snapshot/standalone-snapshot.1d");
    let txns = log("txnlog/standalone-log.1");
    assert_eq!(txns.len(), 29);
    let mut at_start = Tree::new();
    assert_eq!((at_start.write_body(), at_start.digest()), (tree.write_body(), tree.digest()));
    for txn in &txns {
        assert!(!tree.apply(txn).diverged, "{:?}", txn.header);
        assert!(!at_start.apply(txn).diverged, "{:?}", txn.header);
    }
    for tree in [&tree, &at_start] {
        assert_eq!(listing(tree), listing(&expected));
        assert_eq!(tree.applied(), expected.applied());
        assert_eq!((tree.sessions(), tree.ephemerals()), (expected.sessions(), expected.ephemerals()));
        let keys = |tree: &Tree| tree.acls().iter().map(|(key, list)| (key, list.to_vec())).collect::<Vec<_>>();
        assert_eq!(keys(tree), keys(&expected));
    }
    // Over the state at the end, all of it again: nothing moves.
    let mut again = expected.clone();
    for txn in &txns {
        again.apply(txn);
    }
    assert_eq!(listing(&again), listing(&expected));
    assert_eq!(again.digest(), expected.digest());
}

/// Logs that begin with the first transaction of their ensemble foretell each digest on the way.
#[test]
fn foretold_digests_come_true() {
    let mut checked = 0;
    for name in ["txnlog/sessions-log.100000001", "txnlog/ensemble-log.100000001"] {
        let mut tree = Tree::new();
        for txn in log(name) {
            checked += usize::from(txn.digest.is_some());
            let header = txn.header;
            assert!(!tree.apply(&txn).diverged, "{name} {header:?}: {}", tree.digest());
        }
    }
    assert!(checked > 20, "{checked}");
}
