//! Who wants to be told of which change. A watch belongs to a connection and fires once (client-protocol.md §8).

use crate::id::LinkId;
use crate::tree::{Change, acl};
use crate::wire::client::{EventKind, WatcherEvent};
use crate::wire::record::{Id, perms};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// The watches of one kind by path. Looked up for every change and never iterated, so that its order can't leak.
type Table = HashMap<Arc<str>, BTreeSet<LinkId>, FixedState>;

/// The two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Set by getData and exists.
    Data,
    /// Set by getChildren.
    Child,
}

/// The watches at one server. There is at most one of each kind for a connection and path.
#[derive(Clone)]
pub struct WatchRegistry {
    data: Table,
    child: Table,
    /// The same by connection, to remove them with it. Never has an empty set.
    links: BTreeMap<LinkId, BTreeSet<(Kind, Arc<str>)>>,
    /// The identities of connections that have any besides being somebody.
    auth: BTreeMap<LinkId, Arc<[Id]>>,
}

impl Default for WatchRegistry {
    fn default() -> WatchRegistry {
        WatchRegistry::new()
    }
}

impl core::fmt::Debug for WatchRegistry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WatchRegistry").field("links", &self.links).finish_non_exhaustive()
    }
}

impl WatchRegistry {
    /// No watches.
    pub fn new() -> WatchRegistry {
        let table = || Table::with_hasher(FixedState::with_seed(0));
        WatchRegistry { data: table(), child: table(), links: BTreeMap::new(), auth: BTreeMap::new() }
    }

    /// Tells `link` of the next change of the data of `path`, its creation or its deletion.
    pub fn add_data(&mut self, link: LinkId, path: &str) {
        self.add(Kind::Data, link, path);
    }

    /// Tells `link` of the next change of the children of `path`, or its deletion.
    pub fn add_child(&mut self, link: LinkId, path: &str) {
        self.add(Kind::Child, link, path);
    }

    fn table(&mut self, kind: Kind) -> &mut Table {
        match kind {
            Kind::Data => &mut self.data,
            Kind::Child => &mut self.child,
        }
    }

    fn add(&mut self, kind: Kind, link: LinkId, path: &str) {
        let table = self.table(kind);
        let key = match table.get_key_value_mut(path) {
            Some((key, links)) => links.insert(link).then(|| key.clone()),
            None => {
                let key: Arc<str> = path.into();
                table.insert(key.clone(), BTreeSet::from([link]));
                Some(key)
            }
        };
        if let Some(key) = key {
            self.links.entry(link).or_default().insert((kind, key));
        }
    }

    /// Remembers the identities of a connection: it is told only of nodes it may read. Reads that set a watch bring
    /// them along; a connection that authenticates later calls this.
    pub fn set_auth(&mut self, link: LinkId, auth: &[Id]) {
        if auth.is_empty() {
            self.auth.remove(&link);
        } else if self.auth.get(&link).is_none_or(|known| **known != *auth) {
            self.auth.insert(link, auth.into());
        }
    }

    /// The connection is gone, and all its watches.
    pub fn remove_link(&mut self, link: LinkId) {
        self.auth.remove(&link);
        for (kind, path) in self.links.remove(&link).unwrap_or_default() {
            let table = self.table(kind);
            if let Some(links) = table.get_mut(&path) {
                links.remove(&link);
                if links.is_empty() {
                    table.remove(&path);
                }
            }
        }
    }

    /// Fires the watches on a change, which are used up by it, and appends what to send to whom; a connection is told
    /// of one change once. A connection that may not read the node (for a deletion: might not have) loses its watch
    /// without being told, as since ZooKeeper 3.8.4.
    ///
    /// The changes of a transaction are given in their order, as [`crate::tree::Applied`] lists them.
    pub fn fire(&mut self, change: &Change, fired: &mut Vec<(LinkId, WatcherEvent)>) {
        let kind = if change.kind == EventKind::ChildrenChanged { Kind::Child } else { Kind::Data };
        let links = self.take(kind, &change.path);
        self.tell(change, links.iter(), fired);
        if change.kind == EventKind::Deleted {
            let children = self.take(Kind::Child, &change.path);
            self.tell(change, children.difference(&links), fired);
        }
    }

    fn tell<'a>(
        &self,
        change: &Change,
        links: impl Iterator<Item = &'a LinkId>,
        fired: &mut Vec<(LinkId, WatcherEvent)>,
    ) {
        for link in links {
            let auth = self.auth.get(link).map_or(&[][..], |auth| auth);
            if acl::permits(&change.acl, perms::READ, auth) {
                fired.push((*link, WatcherEvent { kind: change.kind, path: change.path.to_string() }));
            }
        }
    }

    fn take(&mut self, kind: Kind, path: &str) -> BTreeSet<LinkId> {
        let Some((key, links)) = self.table(kind).remove_entry(path) else { return BTreeSet::new() };
        let entry = (kind, key);
        for link in &links {
            if let Some(watches) = self.links.get_mut(link) {
                watches.remove(&entry);
                if watches.is_empty() {
                    self.links.remove(link);
                }
            }
        }
        links
    }

    /// How many connections have watches.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The watches on data, with what exists or not, in order of their connections, then of their paths: Apache's
    /// `wchs`, `wchc` and `wchp` tell of these only.
    pub fn data_watches(&self) -> impl Iterator<Item = (LinkId, &str)> {
        let all = self.links.iter().flat_map(|(link, watches)| watches.iter().map(move |watch| (*link, watch)));
        all.filter(|(_, (kind, _))| *kind == Kind::Data).map(|(link, (_, path))| (link, &**path))
    }

    /// How many paths have data watches (Apache's `wchs` counts only these).
    pub fn data_paths(&self) -> usize {
        self.data.len()
    }

    /// How many watches there are on a path's data or children.
    pub fn count(&self, path: &str) -> usize {
        let on = |table: &Table| table.get(path).map_or(0, BTreeSet::len);
        on(&self.data) + on(&self.child)
    }

    /// How many watches of both kinds there are.
    pub fn len(&self) -> usize {
        self.links.values().map(BTreeSet::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::Acl;
    use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    use alloc::string::String;
    use alloc::vec;

    fn change(kind: EventKind, path: &str) -> Change {
        Change { kind, path: path.into(), acl: Acl::open().into() }
    }

    fn fire(watches: &mut WatchRegistry, change: &Change) -> Vec<(u64, EventKind, String)> {
        let mut fired = Vec::new();
        watches.fire(change, &mut fired);
        fired.into_iter().map(|(link, event)| (link.0, event.kind, event.path)).collect()
    }

    /// Link 1 has a data watch, link 2 a child watch, link 3 both; on the path and on its parent.
    #[test]
    fn each_change_by_each_kind_of_watch() {
        for (kind, path, told) in [
            (Created, "/a/b", vec![1, 3]),
            (DataChanged, "/a/b", vec![1, 3]),
            (Deleted, "/a/b", vec![1, 3, 2]),
            (ChildrenChanged, "/a", vec![2, 3]),
            (Created, "/a/b/c", vec![]),
            (DataChanged, "/", vec![]),
        ] {
            let mut watches = WatchRegistry::new();
            for path in ["/a", "/a/b"] {
                watches.add_data(LinkId(1), path);
                watches.add_child(LinkId(2), path);
                watches.add_data(LinkId(3), path);
                watches.add_child(LinkId(3), path);
            }
            let change = change(kind, path);
            let expected: Vec<_> = told.iter().map(|link| (*link, kind, path.into())).collect();
            assert_eq!(fire(&mut watches, &change), expected, "{kind:?} {path}");
            assert_eq!(fire(&mut watches, &change), [], "{kind:?} {path}: a watch fires once");
        }
    }

    #[test]
    fn setting_twice_is_one_watch_and_a_gone_link_has_none() {
        let mut watches = WatchRegistry::new();
        for _ in 0..2 {
            watches.add_data(LinkId(1), "/a");
            watches.add_child(LinkId(1), "/a");
            watches.add_data(LinkId(2), "/a");
        }
        assert_eq!((watches.len(), watches.links(), watches.data_paths()), (3, 2, 1));
        assert!(watches.data_watches().eq([(LinkId(1), "/a"), (LinkId(2), "/a")]), "data only, by connection");
        watches.remove_link(LinkId(1));
        assert_eq!((watches.len(), watches.links(), watches.data_paths()), (1, 1, 1));
        assert_eq!(fire(&mut watches, &change(Deleted, "/a")), [(2, Deleted, "/a".into())]);
        assert!(watches.is_empty() && watches.data.is_empty() && watches.child.is_empty());
    }

    #[test]
    fn only_who_may_read_is_told() {
        let owner = Id { scheme: "digest".into(), id: "u:h".into() };
        let acl: Arc<[Acl]> = vec![Acl { perms: perms::ALL, id: owner.clone() }].into();
        let mut watches = WatchRegistry::new();
        watches.add_data(LinkId(1), "/a");
        watches.add_data(LinkId(2), "/a");
        watches.set_auth(LinkId(2), &[owner]);
        let change = Change { acl, ..change(Created, "/a") };
        assert_eq!(fire(&mut watches, &change), [(2, Created, "/a".into())]);
        assert!(watches.is_empty(), "the watch of the other one is used up too");
    }
}
