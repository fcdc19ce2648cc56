use super::*;
use crate::wire::client::EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
use crate::wire::record::Acl;
use Watch::{Child, Data, Persistent, Recursive};
use alloc::string::{String, ToString};
use alloc::vec;

const ALL: [Watch; 4] = [Data, Child, Persistent, Recursive];
const TYPES: [WatchType; 5] =
    [WatchType::Children, WatchType::Data, WatchType::Any, WatchType::Persistent, WatchType::PersistentRecursive];

fn change(kind: EventKind, path: &str) -> Change {
    Change { kind, path: path.into(), acl: Acl::open().into() }
}

fn fire(watches: &mut WatchRegistry, change: &Change) -> Vec<(u64, EventKind, String)> {
    let mut fired = Vec::new();
    watches.fire(&AccessRules::default(), change, &mut fired);
    fired.into_iter().map(|(link, event)| (link.0, event.kind, event.path.to_string())).collect()
}

/// Each kind of watch of a connection of its own (1 to 4) on `/`, `/a` and `/a/b`; who is told at first, and who again
/// (client-protocol §8.3).
#[test]
fn each_change_by_each_kind_of_watch() {
    for (kind, path, told, again) in [
        (Created, "/a/b", vec![1, 3, 4], vec![3, 4]),
        (DataChanged, "/a/b", vec![1, 3, 4], vec![3, 4]),
        (Deleted, "/a/b", vec![1, 2, 3, 4], vec![3, 4]),
        (ChildrenChanged, "/a/b", vec![2, 3], vec![3]),
        (ChildrenChanged, "/a", vec![2, 3], vec![3]),
        (Created, "/a/b/c/d", vec![4], vec![4]),
        (DataChanged, "/a/b/c/d", vec![4], vec![4]),
        (Deleted, "/a/b/c/d", vec![4], vec![4]),
        (ChildrenChanged, "/a/b/c", vec![], vec![]),
        (Created, "/x", vec![4], vec![4]),
        (DataChanged, "/", vec![1, 3, 4], vec![3, 4]),
        (ChildrenChanged, "/", vec![2, 3], vec![3]),
    ] {
        let mut watches = WatchRegistry::new();
        for path in ["/", "/a", "/a/b"] {
            for (link, watch) in (1..).zip(ALL) {
                watches.add(LinkId(link), path, watch);
            }
        }
        let change = change(kind, path);
        for told in [told, again.clone(), again] {
            let expected: Vec<_> = told.into_iter().map(|link| (link, kind, path.to_string())).collect();
            assert_eq!(fire(&mut watches, &change), expected, "{kind:?} {path}");
        }
    }
}

/// Every set of kinds that one connection may have on one path, by each change: at most one event.
#[test]
fn one_connection_is_told_once_whatever_it_has_there() {
    for set in 0..16 {
        let kinds: Vec<_> = ALL.into_iter().filter(|watch| set & (1 << *watch as u8) != 0).collect();
        for (kind, by, stays) in [
            (Created, &[Data, Persistent, Recursive][..], &[Child, Persistent, Recursive][..]),
            (DataChanged, &[Data, Persistent, Recursive], &[Child, Persistent, Recursive]),
            (Deleted, &ALL, &[Persistent, Recursive]),
            (ChildrenChanged, &[Child, Persistent], &[Data, Persistent, Recursive]),
        ] {
            let mut watches = WatchRegistry::new();
            kinds.iter().for_each(|watch| watches.add(LinkId(1), "/a", *watch));
            let told = usize::from(kinds.iter().any(|watch| by.contains(watch)));
            assert_eq!(fire(&mut watches, &change(kind, "/a")).len(), told, "{kind:?} {kinds:?}");
            let left = kinds.iter().filter(|watch| stays.contains(watch)).count();
            assert_eq!(watches.count("/a"), left, "{kind:?} {kinds:?}");
        }
    }
}

#[test]
fn a_recursive_watch_above_and_another_one_below_are_told_of_once() {
    let mut watches = WatchRegistry::new();
    for (path, watch) in [("/", Recursive), ("/a", Recursive), ("/a", Persistent), ("/a/b", Data), ("/a/b", Child)] {
        watches.add(LinkId(1), path, watch);
    }
    assert_eq!(fire(&mut watches, &change(Deleted, "/a/b")), [(1, Deleted, "/a/b".into())]);
    assert_eq!(watches.count("/a/b"), 0, "both are used up by it");
    assert_eq!(fire(&mut watches, &change(ChildrenChanged, "/a")), [(1, ChildrenChanged, "/a".into())]);
}

/// What each type finds and removes, of a connection with all kinds and of one with each alone (client-protocol §8.4).
#[test]
fn removal() {
    for (kind, means) in TYPES.into_iter().zip([&[Child][..], &[Data], &ALL, &[Persistent], &[Recursive]]) {
        let mut watches = WatchRegistry::new();
        for link in [1, 2] {
            ALL.iter().for_each(|watch| watches.add(LinkId(link), "/a", *watch));
        }
        for (there, left) in [(true, 4 - means.len()), (false, 4 - means.len())] {
            assert_eq!(watches.has(LinkId(1), "/a", kind), there, "{kind:?}");
            assert_eq!(watches.remove(LinkId(1), "/a", kind), there, "{kind:?}");
            assert_eq!(watches.count("/a"), 4 + left, "{kind:?}: the other connection keeps its own");
        }
        for watch in ALL {
            let mut watches = WatchRegistry::new();
            watches.add(LinkId(1), "/a", watch);
            assert!(!watches.has(LinkId(1), "/", kind) && !watches.has(LinkId(2), "/a", kind));
            assert!(!watches.remove(LinkId(1), "/", kind) && !watches.remove(LinkId(2), "/a", kind));
            let there = means.contains(&watch);
            assert_eq!(watches.has(LinkId(1), "/a", kind), there, "{kind:?} of {watch:?}");
            assert_eq!(watches.remove(LinkId(1), "/a", kind), there, "{kind:?} of {watch:?}");
            assert_eq!(watches.is_empty(), there);
            assert_eq!(watches.tables.iter().all(|table| table.is_empty()), there, "nothing is left behind");
        }
    }
}

/// `watch_count` and `wchs` in Apache's terms.
#[test]
fn counting() {
    let mut watches = WatchRegistry::new();
    for (link, path, watch, len, data_paths) in [
        (1, "/a", Data, 1, 1),
        (1, "/a", Data, 1, 1),
        (1, "/a", Child, 2, 1),
        (1, "/a", Persistent, 2, 1),
        (1, "/a", Recursive, 2, 1),
        (2, "/a", Data, 3, 1),
        (2, "/b", Child, 4, 1),
        (2, "/b", Persistent, 5, 2),
        (2, "/c", Recursive, 6, 3),
        (2, "/b", Recursive, 6, 3),
    ] {
        watches.add(LinkId(link), path, watch);
        assert_eq!((watches.len(), watches.data_paths()), (len, data_paths), "{link} {path} {watch:?}");
    }
    let data = [(LinkId(1), "/a"), (LinkId(2), "/a"), (LinkId(2), "/b"), (LinkId(2), "/c")];
    assert!(watches.data_watches().eq(data), "by connection");
    assert_eq!((watches.count("/a"), watches.count("/b"), watches.links()), (5, 3, 2));
    fire(&mut watches, &change(Deleted, "/a"));
    assert_eq!((watches.len(), watches.data_paths(), watches.links()), (5, 3, 2));
    watches.remove_link(LinkId(1));
    assert_eq!((watches.len(), watches.data_paths(), watches.links()), (3, 2, 1));
    watches.remove_link(LinkId(2));
    assert_eq!((watches.len(), watches.data_paths(), watches.links()), (0, 0, 0));
    assert!(watches.tables.iter().all(|table| table.is_empty()));
}

#[test]
fn only_who_may_read_is_told() {
    let owner = Id { scheme: "digest".into(), id: "u:h".into() };
    let acl: Arc<[Acl]> = vec![Acl { perms: perms::ALL, id: owner.clone() }].into();
    let change = Change { acl, ..change(Created, "/a") };
    let mut watches = WatchRegistry::new();
    for (link, watch) in [(1, Data), (2, Data), (3, Persistent), (4, Recursive)] {
        watches.add(LinkId(link), "/a", watch);
    }
    watches.set_auth(LinkId(2), core::slice::from_ref(&owner));
    assert_eq!(fire(&mut watches, &change), [(2, Created, "/a".into())]);
    assert_eq!(watches.count("/a"), 2, "the one-shot watch of the other one is used up too");
    // They show later that they may.
    for link in [1, 3, 4] {
        watches.set_auth(LinkId(link), core::slice::from_ref(&owner));
    }
    assert_eq!(fire(&mut watches, &change), [(3, Created, "/a".into()), (4, Created, "/a".into())]);
    // Nothing is remembered of a connection without watches.
    watches.add(LinkId(1), "/a", Data);
    assert_eq!(fire(&mut watches, &change).len(), 2);
}

#[test]
fn the_path_is_not_copied_for_each_of_many() {
    let mut watches = WatchRegistry::new();
    (0..1000).for_each(|link| watches.add(LinkId(link), "/a", Persistent));
    let (change, mut fired) = (change(DataChanged, "/a"), Vec::new());
    watches.fire(&AccessRules::default(), &change, &mut fired);
    assert_eq!(fired.len(), 1000);
    assert!(fired.iter().all(|(_, event)| Arc::ptr_eq(&event.path, &change.path)));
}
