//! What each transaction does to a tree, first and repeated.

use super::*;
use crate::error::ZkError;
use crate::wire::client::{OpResult, Response};
use crate::wire::txn::{Txn, TxnBody, TxnDigest, TxnHeader};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);
const TIME: i64 = 1_700_000_000_000;

fn txn(zxid: i64, body: TxnBody) -> Txn {
    let header = TxnHeader { session: SESSION, cxid: 1, zxid: Zxid(zxid), time_ms: TIME + zxid };
    Txn { header, body, digest: None }
}

fn create(path: &str, parent_cversion: i32) -> TxnBody {
    let (data, acl) = (Some(Bytes::from_static(b"x")), Acl::open());
    TxnBody::Create { v2: false, path: path.into(), data, acl, ephemeral: false, parent_cversion }
}

fn ephemeral(path: &str, parent_cversion: i32) -> TxnBody {
    TxnBody::Create { v2: true, path: path.into(), data: None, acl: Acl::open(), ephemeral: true, parent_cversion }
}

fn delete(path: &str) -> TxnBody {
    TxnBody::Delete { container: false, path: path.into() }
}

fn set(path: &str, data: &'static str, version: i32) -> TxnBody {
    TxnBody::SetData { reconfig: false, path: path.into(), data: Some(Bytes::from_static(data.as_bytes())), version }
}

/// Everything that two equal trees must agree in, access lists by content rather than by number.
fn listing(tree: &Tree) -> Vec<String> {
    let mut lines: Vec<String> = tree
        .walk()
        .map(|(path, node)| format!("{path} {:?} {:?} {:?}", node.data(), node.persisted(), tree.acl_of(node)))
        .collect();
    lines.push(format!("{:?} {:?}", tree.sessions(), tree.ephemerals()));
    lines.push(format!("{} {} {} {}", tree.applied(), tree.digest(), tree.len(), tree.approximate_size()));
    lines
}

/// The sums kept up by every change are those of a fresh count.
fn check_sums(tree: &Tree) {
    let counted = tree.walk().filter(|(path, _)| digest::is_counted(path));
    let sum = counted
        .map(|(path, node)| {
            let content = digest::of_content(path, node.data().map(|data| &**data));
            i64::from(digest::of_node(content, node.persisted()))
        })
        .sum::<i64>();
    assert_eq!(tree.digest(), sum);
    let bytes: usize = tree.walk().map(|(path, node)| path.len() + node.data().map_or(0, Bytes::len)).sum();
    assert_eq!(tree.approximate_size(), bytes as u64);
    assert_eq!(tree.walk().count(), tree.len());
}

fn changes(applied: &Applied) -> Vec<(EventKind, &str)> {
    applied.changes.iter().map(|change| (change.kind, &*change.path)).collect()
}

#[test]
fn a_fresh_tree_is_apaches() {
    let tree = Tree::new();
    assert_eq!(tree.digest(), 1_371_985_504);
    assert_eq!(tree.len(), 4);
    assert_eq!(tree.get("").map(Node::stat), tree.stat("/"));
    assert_eq!(tree.stat("/").map(|s| (s.cversion, s.num_children)), Some((-1, 1)));
    assert_eq!(tree.stat("/zookeeper").map(|s| (s.cversion, s.num_children)), Some((-2, 2)));
    assert_eq!(tree.stat("/zookeeper/config").map(|s| (s.version, s.aversion)), Some((0, -1)));
    check_sums(&tree);
}

#[test]
fn documented_digest_after_one_create() {
    let mut tree = Tree::new();
    let header = TxnHeader { session: SESSION, cxid: 1, zxid: Zxid(0x1_0000_0002), time_ms: TIME };
    let right = Txn { header, body: create("/a", 1), digest: Some(TxnDigest { version: 2, tree: 5_860_043_862 }) };
    let mut wrong = right.clone();
    wrong.digest = Some(TxnDigest { version: 2, tree: 1 });
    assert!(tree.clone().apply(&wrong).diverged);
    let applied = tree.apply(&right);
    assert!(!applied.diverged);
    assert_eq!(applied.outcome, Ok(Response::Path("/a".into())));
    assert_eq!(tree.digest(), 5_860_043_862);
    assert_eq!(tree.applied(), Zxid(0x1_0000_0002));
}

#[test]
fn every_kind_of_transaction() {
    use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    let mut tree = Tree::new();
    let mut zxid = 0;
    let mut run = |body: TxnBody| {
        zxid += 1;
        let applied = tree.apply(&txn(zxid, body));
        check_sums(&tree);
        (tree.clone(), applied)
    };
    let (tree, _) = run(TxnBody::CreateSession { timeout_ms: 4000 });
    assert_eq!(tree.sessions().get(&SESSION), Some(&4000));

    let (tree, applied) = run(create("/a", 1));
    assert_eq!(changes(&applied), [(Created, "/a"), (ChildrenChanged, "/")]);
    let stat = tree.stat("/a").expect("created");
    assert_eq!((stat.czxid, stat.mtime, stat.data_length, stat.ephemeral_owner), (Zxid(2), TIME + 2, 1, 0));

    let (tree, applied) = run(ephemeral("/a/e", 1));
    assert_eq!(changes(&applied), [(Created, "/a/e"), (ChildrenChanged, "/a")]);
    let stat = tree.stat("/a/e").expect("created");
    assert_eq!(applied.outcome, Ok(Response::PathStat("/a/e".into(), stat)));
    assert_eq!(stat.ephemeral_owner, SESSION.0);
    assert_eq!(tree.stat("/a").map(|s| (s.cversion, s.num_children, s.pzxid)), Some((1, 1, Zxid(3))));
    assert_eq!(tree.ephemerals_of(SESSION).map(|p| &**p).collect::<Vec<_>>(), ["/a/e"]);

    let (tree, applied) = run(set("/a", "hello", 1));
    assert_eq!(changes(&applied), [(DataChanged, "/a")]);
    assert_eq!(applied.outcome, Ok(Response::Stat(tree.stat("/a").expect("there"))));
    assert_eq!(tree.stat("/a").map(|s| (s.version, s.mzxid, s.mtime, s.czxid)), Some((1, Zxid(4), TIME + 4, Zxid(2))));

    let list = vec![Acl { perms: perms::READ, ..Acl::open().remove(0) }];
    let (tree, applied) = run(TxnBody::SetAcl { path: "/a".into(), acl: list.clone(), version: 1 });
    assert_eq!(changes(&applied), []);
    assert_eq!(tree.stat("/a").map(|s| (s.aversion, s.mzxid)), Some((1, Zxid(4))));
    let node = tree.get("/a").expect("there");
    assert_eq!(tree.acl_of(node).map(|l| l.to_vec()), Some(list));
    assert!(tree.permits(node, perms::READ, &[]) && !tree.permits(node, perms::WRITE, &[]));

    let acl = Acl::open();
    let (tree, applied) =
        run(TxnBody::CreateContainer { path: "/c".into(), data: None, acl: acl.clone(), parent_cversion: 2 });
    assert!(matches!(applied.outcome, Ok(Response::PathStat(..))));
    assert_eq!(tree.get("/c").map(|n| (n.keeper(), n.stat().ephemeral_owner)), Some((Keeper::Container, 0)));
    let body = TxnBody::CreateTtl { path: "/t".into(), data: None, acl, parent_cversion: 3, ttl_ms: 60_000 };
    let (tree, _) = run(body);
    let owner = SessionId(0xff00_0000_0000_ea60_u64 as i64);
    assert_eq!(tree.get("/t").map(|n| n.keeper()), Some(Keeper::Ephemeral(owner)), "without extended types");
    let mut extended = tree;
    extended.read_owners(OwnerKinds::Extended);
    assert_eq!(extended.get("/t").map(|n| (n.keeper(), n.stat().ephemeral_owner)), Some((Keeper::Ttl(60_000), 0)));

    let (_, applied) = run(TxnBody::Error { code: -110 });
    assert_eq!((applied.outcome, applied.changes), (Err(ZkError::NodeExists), vec![]));

    let (tree, applied) = run(TxnBody::CloseSession { paths: Some(vec!["/a/e".into()]) });
    assert_eq!(changes(&applied), [(Deleted, "/a/e"), (ChildrenChanged, "/a")]);
    assert_eq!(tree.stat("/a").map(|s| (s.cversion, s.num_children, s.pzxid)), Some((2, 0, Zxid(9))));
    assert!(tree.sessions().is_empty() && tree.ephemerals_of(SESSION).next().is_none());

    let (tree, applied) = run(delete("/a"));
    assert_eq!(changes(&applied), [(Deleted, "/a"), (ChildrenChanged, "/")]);
    assert!(!tree.exists("/a"));
    assert_eq!(tree.applied(), Zxid(10));
}

#[test]
fn close_session_without_a_list_takes_all_its_ephemerals_in_order() {
    let mut tree = Tree::new();
    for (zxid, path) in [(1, "/b"), (2, "/a"), (3, "/c")] {
        tree.apply(&txn(zxid, ephemeral(path, zxid as i32)));
    }
    assert_eq!(tree.orphaned_sessions().collect::<Vec<_>>(), [SESSION]);
    let applied = tree.apply(&txn(4, TxnBody::CloseSession { paths: None }));
    let deleted: Vec<_> = applied.changes.iter().filter(|c| c.kind == EventKind::Deleted).map(|c| &*c.path).collect();
    assert_eq!(deleted, ["/a", "/b", "/c"]);
    assert_eq!((tree.len(), tree.ephemerals().len()), (4, 0));
}

#[test]
fn multi_is_all_or_nothing() {
    let mut tree = Tree::new();
    let before = listing(&tree);
    let failed = vec![create("/a", 1), TxnBody::Error { code: -101 }, TxnBody::Error { code: -2 }];
    let applied = tree.apply(&txn(1, TxnBody::Multi { txns: failed }));
    let results = vec![OpResult::Error(0), OpResult::Error(-101), OpResult::Error(-2)];
    assert_eq!((applied.outcome, applied.changes), (Ok(Response::Multi(results)), vec![]));
    assert_eq!(tree.applied(), Zxid(1));
    assert_eq!(listing(&tree)[..before.len() - 1], before[..before.len() - 1]);

    let check = TxnBody::Check { path: "/a".into(), version: 2 };
    let txns = vec![create("/a", 1), set("/a", "y", 1), check, ephemeral("/e", 2), delete("/a")];
    let applied = tree.apply(&txn(2, TxnBody::Multi { txns }));
    let Ok(Response::Multi(results)) = &applied.outcome else { panic!("{:?}", applied.outcome) };
    assert_eq!(results[0], OpResult::Create("/a".into()));
    assert!(matches!(results[1], OpResult::SetData(stat) if stat.version == 1));
    assert_eq!(results[2], OpResult::Check);
    assert!(matches!(&results[3], OpResult::Create2(path, _) if path == "/e"));
    assert_eq!(results[4], OpResult::Delete);
    assert_eq!(applied.changes.len(), 7);
    assert!(tree.exists("/e") && !tree.exists("/a"));
}

/// A history in which everything lives twice: whatever suffix of it is replayed over whatever later state, the end is
/// the same (disk-format.md §6).
#[test]
fn replay_over_any_later_state_ends_the_same() {
    let list = vec![Acl { perms: perms::ALL, id: Id { scheme: "digest".into(), id: "u:h".into() } }];
    let bodies = vec![
        TxnBody::CreateSession { timeout_ms: 4000 },
        create("/a", 1),
        create("/a/b", 1),
        set("/a/b", "one", 1),
        TxnBody::SetAcl { path: "/a/b".into(), acl: list.clone(), version: 1 },
        ephemeral("/a/e", 2),
        delete("/a/b"),
        TxnBody::Multi { txns: vec![create("/a/b", 3), set("/a/b", "two", 1)] },
        TxnBody::Multi { txns: vec![create("/a/z", 4), TxnBody::Error { code: -110 }] },
        TxnBody::CloseSession { paths: Some(vec!["/a/e".into()]) },
        delete("/a/b"),
        delete("/a"),
        TxnBody::CreateContainer { path: "/a".into(), data: None, acl: list, parent_cversion: 2 },
        TxnBody::CreateSession { timeout_ms: 8000 },
        ephemeral("/a/e", 1),
        create("/a/b", 2),
    ];
    let history: Vec<Txn> = bodies.into_iter().enumerate().map(|(i, body)| txn(i as i64 + 1, body)).collect();
    let mut states = vec![Tree::new()];
    for txn in &history {
        let mut next = states[states.len() - 1].clone();
        next.apply(txn);
        states.push(next);
    }
    let end = listing(&states[history.len()]);
    for from in 0..history.len() {
        for (at, state) in states.iter().enumerate().skip(from) {
            let mut tree = state.clone();
            for txn in &history[from..] {
                tree.apply(txn);
                check_sums(&tree);
            }
            assert_eq!(listing(&tree), end, "replayed from {from} over the state at {at}");
        }
    }
}

#[test]
fn what_no_leader_sends_is_harmless() {
    let mut tree = Tree::new();
    let before = tree.digest();
    let nested = TxnBody::Multi { txns: vec![create("/x", 9)] };
    for body in [
        delete("/"),
        delete("nowhere"),
        create("/", 5),
        create("a", 5),
        create("/no/parent", 5),
        set("/none", "x", 1),
        TxnBody::SetAcl { path: "/none".into(), acl: vec![], version: 1 },
        TxnBody::Multi { txns: vec![nested] },
        TxnBody::Error { code: 12345 },
        TxnBody::CloseSession { paths: Some(vec!["/none".to_string(), String::new()]) },
    ] {
        let shown = format!("{body:?}");
        tree.apply(&txn(0, body));
        check_sums(&tree);
        assert_eq!(tree.len(), 4, "{shown}");
    }
    // A deletion that found nothing still counts for the parent; zxid 0 does not move it.
    assert_eq!(tree.digest(), before);
}

#[test]
fn config_is_the_servers_own() {
    let mut tree = Tree::new();
    tree.install_config(Bytes::from_static(b"version=0"), 0x1_0000_0000, 77);
    let stat = tree.stat("/zookeeper/config").expect("built in");
    assert_eq!(
        (stat.version, stat.aversion, stat.mzxid.0, stat.mtime, stat.data_length),
        (-1, -1, 0x1_0000_0000, 77, 9)
    );
    assert_eq!(tree.digest(), 1_371_985_504);
    check_sums(&tree);
}

/// Whoever creates or removes them, and also in a multi; not what only looks like one, or did not happen.
#[test]
fn ttl_nodes_that_come_and_go_are_counted() {
    let acl = Acl::open;
    let container = TxnBody::CreateContainer { path: "/c".into(), data: None, acl: acl(), parent_cversion: 1 };
    let ttl =
        |path: &str| TxnBody::CreateTtl { path: path.into(), data: None, acl: acl(), parent_cversion: 1, ttl_ms: 7 };
    let delete = |container, path: &str| TxnBody::Delete { container, path: path.into() };
    let failed = TxnBody::Multi { txns: vec![delete(false, "/c"), TxnBody::Error { code: -101 }] };
    let rows = [
        (container, (0, 0)),
        (ttl("/a"), (1, 0)),
        (TxnBody::Multi { txns: vec![ttl("/b"), ttl("/d")] }, (3, 0)),
        (create("/e", 1), (3, 0)),
        (delete(true, "/a"), (3, 1)),
        (delete(true, "/a"), (3, 1)),
        (delete(false, "/b"), (3, 2)),
        (delete(true, "/c"), (3, 2)),
        (delete(false, "/e"), (3, 2)),
        (failed, (3, 2)),
        (TxnBody::Multi { txns: vec![delete(false, "/d"), ttl("/d")] }, (4, 3)),
    ];
    for (kinds, counts) in [(OwnerKinds::Extended, true), (OwnerKinds::Plain, false)] {
        let mut tree = Tree::new();
        tree.read_owners(kinds);
        for (zxid, (body, (created, deleted))) in (1..).zip(&rows) {
            tree.apply(&txn(zxid, body.clone()));
            let expected =
                if counts { TtlCounts { created: *created, deleted: *deleted } } else { TtlCounts::default() };
            assert_eq!(tree.ttl_counts(), expected, "{kinds:?} {body:?}");
        }
        // A state that comes from somewhere else does not begin anew.
        let mut other = Tree::new();
        other.succeed(&tree);
        assert_eq!(other.ttl_counts(), tree.ttl_counts());
    }
}

#[test]
fn the_index_of_containers_and_ttl_nodes_follows_the_tree() {
    let acl = Acl::open();
    let container = TxnBody::CreateContainer { path: "/c".into(), data: None, acl: acl.clone(), parent_cversion: 1 };
    let ttl = TxnBody::CreateTtl { path: "/t".into(), data: None, acl, parent_cversion: 2, ttl_ms: 7 };
    let mut tree = Tree::new();
    for (zxid, body) in [(1, container), (2, ttl), (3, ephemeral("/e", 3)), (4, create("/c/x", 1))] {
        tree.apply(&txn(zxid, body));
    }
    let owner = SessionId(Keeper::Ttl(7).owner());
    fn unattended(tree: &Tree) -> Vec<&str> {
        tree.unattended(None).map(|(path, _)| &**path).collect()
    }
    assert_eq!(unattended(&tree), ["/c"]);
    assert_eq!(tree.ephemerals().keys().copied().collect::<Vec<_>>(), [owner, SESSION]);
    for (kinds, expected, owners) in [
        (OwnerKinds::Extended, &["/c", "/t"][..], &[SESSION][..]),
        (OwnerKinds::Plain, &["/c"], &[owner, SESSION]),
        (OwnerKinds::Emulate353, &["/c", "/t"], &[SESSION]),
    ] {
        tree.read_owners(kinds);
        let mut read = Tree::read_body(tree.write_body(), tree.applied()).expect("a tree");
        read.read_owners(kinds);
        for tree in [&tree, &read] {
            assert_eq!(unattended(tree), expected, "{kinds:?}");
            assert_eq!(tree.ephemerals().keys().copied().collect::<Vec<_>>(), owners, "{kinds:?}");
            assert_eq!(tree.ephemerals_of(SESSION).map(|path| &**path).collect::<Vec<_>>(), ["/e"]);
        }
        assert_eq!(tree.unattended(Some("/c")).count(), expected.len() - 1);
    }
    tree.apply(&txn(5, TxnBody::Delete { container: true, path: "/t".into() }));
    assert_eq!(unattended(&tree), ["/c"]);
}

fn limits_and_stats(path: &str) -> (String, String) {
    let top = format!("/zookeeper/quota{path}");
    (format!("{top}/zookeeper_limits"), format!("{top}/zookeeper_stats"))
}

/// Each step with what the quota on `/a` then counts: znodes and bytes, or nothing.
#[test]
fn a_quota_counts_its_subtree_whatever_happens() {
    let (limits, stats) = limits_and_stats("/a");
    let mut tree = Tree::new();
    let multi = vec![create("/a/m", 9), set("/a", "1234567", 9), delete("/a/m")];
    let failed = vec![create("/a/f", 9), TxnBody::Error { code: -101 }];
    let rows: Vec<(TxnBody, Option<(i64, i64)>)> = vec![
        (create("/a", 1), None),
        (create("/a/b", 1), None),
        (create("/zookeeper/quota/a", 1), None),
        (create(&limits, 1), None),
        (create("/a/c", 2), None),
        (create(&stats, 2), Some((3, 3))),
        (create("/a/b/d", 1), Some((4, 4))),
        (set("/a/b/d", "hello", 1), Some((4, 8))),
        (set("/a", "", 1), Some((4, 7))),
        (create("/ab", 2), Some((4, 7))),
        (ephemeral("/a/e", 3), Some((5, 7))),
        (TxnBody::CloseSession { paths: None }, Some((4, 7))),
        (delete("/a/b/d"), Some((3, 2))),
        (set(&stats, "count=99,bytes=99", 1), Some((3, 2))),
        (set(&limits, "count=10,bytes=-1", 1), Some((3, 2))),
        (TxnBody::Multi { txns: multi }, Some((3, 9))),
        (TxnBody::Multi { txns: failed }, Some((3, 9))),
        (delete(&stats), None),
        (create("/a/g", 4), None),
        (create(&stats, 3), Some((4, 10))),
        (delete(&limits), None),
        (create("/a/h", 5), None),
        (create(&limits, 4), Some((5, 11))),
    ];
    for (number, (body, expected)) in rows.into_iter().enumerate() {
        let what = format!("{number}: {body:?}");
        let before = tree.stat(&stats);
        let touches_stats = what.contains(&stats);
        tree.apply(&txn(number as i64 + 1, body));
        check_sums(&tree);
        let used = tree.quota_above("/a/any").and_then(|(_, quota)| quota.used).map(|used| (used.count, used.bytes));
        assert_eq!(used, expected, "{what}");
        if let Some((count, bytes)) = expected {
            let data = tree.get(&stats).and_then(Node::data).map(|data| data.to_vec());
            assert_eq!(data, Some(format!("count={count},bytes={bytes}").into_bytes()), "{what}");
        }
        if !touches_stats && let (Some(before), Some(now)) = (before, tree.stat(&stats)) {
            assert_eq!((before.version, before.mzxid), (now.version, now.mzxid), "{what}");
        }
        let read = Tree::read_body(tree.write_body(), tree.applied()).expect("a tree");
        assert_eq!(listing(&read)[..], listing(&tree)[..], "{what}");
    }
    assert_eq!(
        tree.quota_above("/a").map(|(path, quota)| (path, quota.limits)),
        Some(("/a", quota::Limits::default()))
    );
    assert_eq!(tree.quota_above("/ab").map(|(path, _)| path), None);
}

#[test]
fn nested_quotas_each_count_their_whole_subtree() {
    let mut tree = Tree::new();
    let mut bodies = vec![create("/a", 1), create("/a/b", 1), create("/zookeeper/quota/a", 1)];
    bodies.push(create("/zookeeper/quota/a/b", 1));
    for path in ["/a", "/a/b"] {
        let (limits, stats) = limits_and_stats(path);
        bodies.extend([create(&limits, 5), create(&stats, 6)]);
    }
    bodies.extend([create("/a/b/c", 1), create("/a/d", 2)]);
    for (number, body) in bodies.into_iter().enumerate() {
        tree.apply(&txn(number as i64 + 1, body));
    }
    let counts = |tree: &Tree| -> Vec<_> {
        tree.quotas().map(|(path, quota)| (String::from(path), quota.used.map(|used| used.count))).collect()
    };
    assert_eq!(counts(&tree), [("/a".into(), Some(4)), ("/a/b".into(), Some(2))]);
    let read = Tree::read_body(tree.write_body(), tree.applied()).expect("a tree");
    assert_eq!(counts(&read), counts(&tree));
    assert_eq!(tree.quota_above("/a/b/x").map(|(path, _)| path), Some("/a/b"));
}

#[test]
fn the_servers_own_subtree_has_no_quota_also_after_a_start() {
    let mut tree = Tree::new();
    let (limits, stats) = limits_and_stats("/zookeeper");
    let bodies = [create("/zookeeper/quota/zookeeper", 1), create(&limits, 5), create(&stats, 6), create("/a", 1)];
    for (number, body) in bodies.into_iter().enumerate() {
        tree.apply(&txn(number as i64 + 1, body));
    }
    let read = Tree::read_body(tree.write_body(), tree.applied()).expect("a tree");
    for tree in [&tree, &read] {
        assert_eq!(tree.quotas().count(), 0);
        let text = tree.get(&stats).and_then(|node| node.data());
        assert!(text.is_some_and(|text| !text.starts_with(b"count")), "as it was written");
    }
}
