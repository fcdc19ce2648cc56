//! Who wants to be told of which change (client-protocol §8).
//!
//! A watch belongs to a connection, a path and a kind of [`Watch`]; kinds stand side by side, as since ZooKeeper 3.9.
//! Apache keeps two tables, *data* and *child*, with modes in them. Here every kind has a table of its own, so that a
//! change looks at nobody whom it does not concern; what Apache's tables would hold is told by [`Watch::in_data`] and
//! [`Watch::in_child`], and counted in their terms.

use crate::auth;
use crate::collections::{BTreeMap, BTreeSet, order};
use crate::config::AccessRules;
use crate::id::LinkId;
use crate::tree::{Change, path};
use crate::wire::client::{AddWatchMode, EventKind, WatchType, WatcherEvent};
use crate::wire::record::{Id, perms};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// The connections that watch, by path. Looked up for every change and never iterated where its order could leak.
type Table = HashMap<Arc<str>, BTreeSet<LinkId>, FixedState>;

/// The kinds of watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watch {
    /// One-shot, set by getData and exists: the znode's creation, change or deletion.
    Data,
    /// One-shot, set by getChildren: other children, or the deletion.
    Child,
    /// Until it is removed: everything that both of these are told.
    Persistent,
    /// Until it is removed: creation, change and deletion of the znode and of everything below it.
    Recursive,
}

impl Watch {
    /// All of them.
    const ALL: [Watch; 4] = [Watch::Data, Watch::Child, Watch::Persistent, Watch::Recursive];

    /// Whether it stands in Apache's table of data watches.
    pub const fn in_data(self) -> bool {
        !matches!(self, Watch::Child)
    }

    /// Whether it stands in Apache's table of child watches.
    pub const fn in_child(self) -> bool {
        matches!(self, Watch::Child | Watch::Persistent)
    }

    /// Those that removeWatches and checkWatches mean by a number (client-protocol §8.4).
    pub const fn of_type(kind: WatchType) -> &'static [Watch] {
        match kind {
            WatchType::Children => &[Watch::Child],
            WatchType::Data => &[Watch::Data],
            WatchType::Any => &Watch::ALL,
            WatchType::Persistent => &[Watch::Persistent],
            WatchType::PersistentRecursive => &[Watch::Recursive],
        }
    }
}

impl From<AddWatchMode> for Watch {
    fn from(mode: AddWatchMode) -> Watch {
        match mode {
            AddWatchMode::Persistent => Watch::Persistent,
            AddWatchMode::PersistentRecursive => Watch::Recursive,
        }
    }
}

/// The kinds that one connection has on one path, as a bit set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds(u8);

impl Kinds {
    const fn has(self, watch: Watch) -> bool {
        self.0 & (1 << watch as u8) != 0
    }

    const fn with(self, watch: Watch) -> Kinds {
        Kinds(self.0 | 1 << watch as u8)
    }

    const fn without(self, watch: Watch) -> Kinds {
        Kinds(self.0 & !(1 << watch as u8))
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn iter(self) -> impl Iterator<Item = Watch> {
        Watch::ALL.into_iter().filter(move |watch| self.has(*watch))
    }

    fn in_data(self) -> bool {
        self.iter().any(Watch::in_data)
    }

    fn in_child(self) -> bool {
        self.iter().any(Watch::in_child)
    }
}

/// A connection that has watches.
#[derive(Clone, Debug, Default)]
struct Watcher {
    /// Never has an empty set.
    paths: BTreeMap<Arc<str>, Kinds>,
    /// Who it has shown to be, besides somebody.
    auth: Box<[Id]>,
}

/// How many watches there are in Apache's terms: kinds on one path count once in each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    data: usize,
    child: usize,
}

impl Counts {
    fn moved(&mut self, before: Kinds, after: Kinds) {
        self.data = self.data + usize::from(after.in_data()) - usize::from(before.in_data());
        self.child = self.child + usize::from(after.in_child()) - usize::from(before.in_child());
    }
}

/// The watches at one server.
#[derive(Clone)]
pub struct WatchRegistry {
    /// By [`Watch`]; never with an empty set.
    tables: [Table; 4],
    /// The same by connection. Never has one without watches.
    watchers: BTreeMap<LinkId, Watcher>,
    counts: Counts,
}

impl Default for WatchRegistry {
    fn default() -> WatchRegistry {
        WatchRegistry::new()
    }
}

impl core::fmt::Debug for WatchRegistry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WatchRegistry").field("watchers", &self.watchers).finish_non_exhaustive()
    }
}

impl WatchRegistry {
    /// No watches.
    pub fn new() -> WatchRegistry {
        let table = |_| Table::with_hasher(FixedState::with_seed(0));
        WatchRegistry { tables: [0; 4].map(table), watchers: BTreeMap::new(), counts: Counts::default() }
    }

    fn table(&self, watch: Watch) -> &Table {
        &self.tables[watch as usize]
    }

    /// Sets a watch of `link` on `path`, which need be no znode and no valid path. The same one twice is one.
    pub fn add(&mut self, link: LinkId, path: &str, watch: Watch) {
        let table = &mut self.tables[watch as usize];
        let key = match table.get_key_value_mut(path) {
            Some((key, links)) => {
                if !links.insert(link) {
                    return;
                }
                key.clone()
            }
            None => {
                let key: Arc<str> = path.into();
                table.insert(key.clone(), BTreeSet::from([link]));
                key
            }
        };
        let kinds = self.watchers.entry(link).or_default().paths.entry(key).or_default();
        let before = *kinds;
        *kinds = before.with(watch);
        self.counts.moved(before, *kinds);
    }

    /// Remembers the identities of a connection that has watches: it is told only of znodes that it may read. To be
    /// called with the first watch, and when the connection has shown to be somebody more.
    pub fn set_auth(&mut self, link: LinkId, auth: &[Id]) {
        if let Some(watcher) = self.watchers.get_mut(&link).filter(|watcher| *watcher.auth != *auth) {
            watcher.auth = auth.into();
        }
    }

    /// Whether `link` has a watch of this type on exactly this path (checkWatches).
    pub fn has(&self, link: LinkId, path: &str, kind: WatchType) -> bool {
        let kinds = self.watchers.get(&link).and_then(|watcher| watcher.paths.get(path));
        kinds.is_some_and(|kinds| Watch::of_type(kind).iter().any(|watch| kinds.has(*watch)))
    }

    /// Removes the watches of this type that `link` has on exactly this path; whether there was any (removeWatches).
    pub fn remove(&mut self, link: LinkId, path: &str, kind: WatchType) -> bool {
        let mut removed = false;
        for watch in Watch::of_type(kind) {
            let table = &mut self.tables[*watch as usize];
            let Some(links) = table.get_mut(path) else { continue };
            if links.remove(&link) {
                removed = true;
                if links.is_empty() {
                    table.remove(path);
                }
                self.forget(link, path, *watch);
            }
        }
        removed
    }

    /// Takes a watch that is in its table no more from its connection.
    fn forget(&mut self, link: LinkId, path: &str, watch: Watch) {
        let Some(watcher) = self.watchers.get_mut(&link) else { return };
        let Some(kinds) = watcher.paths.get_mut(path) else { return };
        let before = *kinds;
        *kinds = before.without(watch);
        self.counts.moved(before, *kinds);
        if kinds.is_empty() {
            watcher.paths.remove(path);
            if watcher.paths.is_empty() {
                self.watchers.remove(&link);
            }
        }
    }

    /// The connection is gone, and all its watches.
    pub fn remove_link(&mut self, link: LinkId) {
        for (path, kinds) in self.watchers.remove(&link).unwrap_or_default().paths {
            self.counts.moved(kinds, Kinds::default());
            for watch in kinds.iter() {
                let table = &mut self.tables[watch as usize];
                if let Some(links) = table.get_mut(&path) {
                    links.remove(&link);
                    if links.is_empty() {
                        table.remove(&path);
                    }
                }
            }
        }
    }

    /// Fires the watches on a change and appends what to send to whom, in order of the connections (client-protocol
    /// §8.3). One-shot watches are used up by it. A connection is told of one change once, whatever watches it has on
    /// it; one that may not read the znode (for a deletion: might not have) is not told, as since ZooKeeper 3.8.4, but
    /// loses its one-shot watch all the same.
    ///
    /// `rules` say who may read. The changes of a transaction are given in their order, as [`crate::tree::Applied`]
    /// lists them.
    pub fn fire(&mut self, rules: &AccessRules, change: &Change, fired: &mut Vec<(LinkId, WatcherEvent)>) {
        let path = &*change.path;
        let (data, child) = match change.kind {
            EventKind::Created | EventKind::DataChanged => (true, false),
            EventKind::Deleted => (true, true),
            EventKind::ChildrenChanged => (false, true),
        };
        let mut told = Told::default();
        if data {
            told.add(self.table(Watch::Data), path);
            let recursive = self.table(Watch::Recursive);
            if !recursive.is_empty() {
                path::with_ancestors(path).for_each(|path| told.add(recursive, path));
            }
        }
        if child {
            told.add(self.table(Watch::Child), path);
        }
        told.add(self.table(Watch::Persistent), path);
        self.tell(rules, change, told.links(), fired);
        if data {
            self.use_up(Watch::Data, path);
        }
        if child {
            self.use_up(Watch::Child, path);
        }
    }

    fn tell(&self, rules: &AccessRules, change: &Change, links: Vec<LinkId>, fired: &mut Vec<(LinkId, WatcherEvent)>) {
        if links.is_empty() {
            return;
        }
        let open = auth::permits(rules, &change.acl, perms::READ, &[]);
        // Of many watchers most are the same people: each set of identities is judged once.
        let mut judged: BTreeMap<&[Id], bool> = BTreeMap::new();
        let mut may_read = |link: &LinkId| {
            let judge = |ids| *judged.entry(ids).or_insert_with(|| auth::permits(rules, &change.acl, perms::READ, ids));
            open || self.watchers.get(link).map(|watcher| &*watcher.auth).is_some_and(judge)
        };
        let event = || WatcherEvent { kind: change.kind, path: change.path.clone() };
        fired.extend(links.into_iter().filter(|link| may_read(link)).map(|link| (link, event())));
    }

    /// All one-shot watches of this kind on the path are gone.
    fn use_up(&mut self, watch: Watch, path: &str) {
        for link in self.tables[watch as usize].remove(path).unwrap_or_default() {
            self.forget(link, path, watch);
        }
    }

    /// How many connections have watches.
    pub fn links(&self) -> usize {
        self.watchers.len()
    }

    /// The watches in Apache's table of data watches, in order of their connections, then of their paths: Apache's
    /// `wchs`, `wchc` and `wchp` tell of these only.
    pub fn data_watches(&self) -> impl Iterator<Item = (LinkId, &str)> {
        self.watchers.iter().flat_map(|(link, watcher)| {
            let paths = watcher.paths.iter().filter(|(_, kinds)| kinds.in_data());
            paths.map(move |(path, _)| (*link, &**path))
        })
    }

    /// How many paths have watches in Apache's table of data watches (`wchs` counts only these).
    pub fn data_paths(&self) -> usize {
        let [data, persistent, recursive] =
            [Watch::Data, Watch::Persistent, Watch::Recursive].map(|watch| self.table(watch));
        let only_persistent = persistent.keys().filter(|path| !data.contains_key(*path));
        let only_recursive =
            recursive.keys().filter(|path| !data.contains_key(*path) && !persistent.contains_key(*path));
        data.len() + only_persistent.count() + only_recursive.count()
    }

    /// How many watches of all kinds there are on a path.
    pub fn count(&self, path: &str) -> usize {
        self.tables.iter().filter_map(|table| table.get(path)).map(BTreeSet::len).sum()
    }

    /// How many watches there are as Apache counts them (`watch_count`): the kinds that a connection has on a path are
    /// one watch in each of the two tables that they stand in, a persistent one two.
    pub fn len(&self) -> usize {
        self.counts.data + self.counts.child
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }
}

/// The connections that a change concerns, gathered from several tables.
#[derive(Default)]
struct Told {
    links: Vec<LinkId>,
    sources: usize,
}

impl Told {
    fn add(&mut self, table: &Table, path: &str) {
        if let Some(links) = table.get(path) {
            self.links.extend(links);
            self.sources += 1;
        }
    }

    /// Each once, in order.
    fn links(mut self) -> Vec<LinkId> {
        if self.sources > 1 {
            order::sort(&mut self.links);
            self.links.dedup();
        }
        self.links
    }
}

#[cfg(test)]
mod tests;
