//! The watches of one connection as client-protocol.md §8 describes them: what is registered, and what a change tells.

use super::access;
use super::tree::{Change, Tree};
use crate::collections::{BTreeMap, BTreeSet};
use crate::error::ZkError;
use crate::wire::client::{AddWatchMode, EventKind, Outcome, Request, WatchLists, WatchType, WatcherEvent};
use crate::wire::record::{Id, perms};
use alloc::string::String;
use alloc::vec::Vec;

/// How a path is watched; several may stand beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes {
    pub once: bool,
    pub persistent: bool,
    pub recursive: bool,
}

impl Modes {
    pub const ONCE: Modes = Modes { once: true, persistent: false, recursive: false };
    pub const PERSISTENT: Modes = Modes { once: false, persistent: true, recursive: false };
    pub const RECURSIVE: Modes = Modes { once: false, persistent: false, recursive: true };

    fn any(self) -> bool {
        self.once || self.persistent || self.recursive
    }
}

type Table = BTreeMap<String, Modes>;

/// The two tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Armed {
    pub data: Table,
    pub child: Table,
}

fn add(table: &mut Table, path: &str, modes: Modes) {
    let old = table.entry(path.into()).or_default();
    old.once |= modes.once;
    old.persistent |= modes.persistent;
    old.recursive |= modes.recursive;
}

/// Whether a trigger reaches the connection; what fires once is used up.
fn hit(table: &mut Table, path: &str) -> bool {
    let Some(modes) = table.get_mut(path) else { return false };
    modes.once = false;
    let modes = *modes;
    if !modes.any() {
        table.remove(path);
    }
    true
}

impl Armed {
    pub fn add_data(&mut self, path: &str) {
        add(&mut self.data, path, Modes::ONCE);
    }

    pub fn add_child(&mut self, path: &str) {
        add(&mut self.child, path, Modes::ONCE);
    }

    pub fn add_persistent(&mut self, path: &str) {
        add(&mut self.data, path, Modes::PERSISTENT);
        add(&mut self.child, path, Modes::PERSISTENT);
    }

    pub fn add_recursive(&mut self, path: &str) {
        add(&mut self.data, path, Modes::RECURSIVE);
    }

    /// The event that a change brings this connection, if any (§8.3).
    pub fn fire(&mut self, change: &Change, auth: &[Id]) -> Option<WatcherEvent> {
        let told = match change.kind {
            EventKind::ChildrenChanged => hit(&mut self.child, &change.path),
            EventKind::Created | EventKind::DataChanged => self.hit_data(&change.path),
            EventKind::Deleted => {
                let data = self.hit_data(&change.path);
                hit(&mut self.child, &change.path) || data
            }
        };
        let may = access::check(&change.acl, perms::READ, auth).is_ok();
        (told && may).then(|| WatcherEvent { kind: change.kind, path: change.path.as_str().into() })
    }

    /// The data table, with the recursive watches of everything above.
    fn hit_data(&mut self, path: &str) -> bool {
        let above = |watched: &str| match watched {
            "/" => true,
            // The way up from a znode ends at `/`.
            "" => false,
            watched => path.strip_prefix(watched).is_some_and(|rest| rest.starts_with('/')),
        };
        let from_above = self.data.iter().any(|(watched, modes)| modes.recursive && above(watched));
        hit(&mut self.data, path) || from_above
    }

    /// Whether there are watches of a type on a path; with `remove`, they are none afterwards (§8.4).
    pub fn find(&mut self, path: &str, kind: WatchType, remove: bool) -> bool {
        let meant = |modes: Modes, data: bool| match kind {
            WatchType::Children => Modes { once: modes.once && !data, ..Modes::default() },
            WatchType::Data => Modes { once: modes.once && data, ..Modes::default() },
            WatchType::Any => modes,
            WatchType::Persistent => Modes { persistent: modes.persistent, ..Modes::default() },
            WatchType::PersistentRecursive => Modes { recursive: modes.recursive, ..Modes::default() },
        };
        let mut found = false;
        for (table, data) in [(&mut self.data, true), (&mut self.child, false)] {
            let Some(modes) = table.get_mut(path) else { continue };
            let gone = meant(*modes, data);
            found |= gone.any();
            if remove {
                modes.once &= !gone.once;
                modes.persistent &= !gone.persistent;
                modes.recursive &= !gone.recursive;
                if !modes.any() {
                    table.remove(path);
                }
            }
        }
        found
    }

    /// setWatches at a state of the tree: the events that come before its answer, in order (§8.5), as far as the znode
    /// may be read or is not there.
    pub fn set_again(&mut self, tree: &Tree, zxid: i64, lists: &WatchLists, auth: &[Id]) -> Vec<WatcherEvent> {
        let relative = lists.relative.0;
        let mut events = Vec::new();
        let mut tell = |kind, path: &String| {
            let hidden = tree.at(zxid, path).is_some_and(|node| access::check(&node.acl, perms::READ, auth).is_err());
            if !hidden {
                events.push(WatcherEvent { kind, path: path.as_str().into() });
            }
        };
        for path in &lists.data {
            match tree.at(zxid, path) {
                None => tell(EventKind::Deleted, path),
                Some(node) if node.mzxid > relative => tell(EventKind::DataChanged, path),
                Some(_) => self.add_data(path),
            }
        }
        for path in &lists.exist {
            match tree.at(zxid, path) {
                Some(_) => tell(EventKind::Created, path),
                None => self.add_data(path),
            }
        }
        for path in &lists.child {
            match tree.at(zxid, path) {
                None => tell(EventKind::Deleted, path),
                Some(node) if node.pzxid > relative => tell(EventKind::ChildrenChanged, path),
                Some(_) => self.add_child(path),
            }
        }
        lists.persistent.iter().for_each(|path| self.add_persistent(path));
        lists.recursive.iter().for_each(|path| self.add_recursive(path));
        events
    }
}

/// What a client waits for: what it must bring to another server (§21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub data: BTreeSet<String>,
    pub exist: BTreeSet<String>,
    pub child: BTreeSet<String>,
    pub persistent: BTreeSet<String>,
    pub recursive: BTreeSet<String>,
}

impl Wanted {
    /// The client was answered.
    pub fn registered(&mut self, request: &Request, outcome: &Outcome) {
        let (list, path) = match (request, outcome) {
            (Request::GetData { path, watch: true } | Request::Exists { path, watch: true }, Ok(_)) => {
                (&mut self.data, path)
            }
            (Request::Exists { path, watch: true }, Err(ZkError::NoNode)) => (&mut self.exist, path),
            (Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true }, Ok(_)) => {
                (&mut self.child, path)
            }
            (Request::AddWatch { path, mode: AddWatchMode::Persistent }, Ok(_)) => (&mut self.persistent, path),
            (Request::AddWatch { path, mode: AddWatchMode::PersistentRecursive }, Ok(_)) => (&mut self.recursive, path),
            (Request::RemoveWatches { path, kind }, Ok(_)) => return self.removed(path, *kind),
            _ => return,
        };
        list.insert(path.clone());
    }

    fn removed(&mut self, path: &str, kind: WatchType) {
        let Wanted { data, exist, child, persistent, recursive } = self;
        let lists = match kind {
            WatchType::Children => alloc::vec![child],
            WatchType::Data => alloc::vec![data, exist],
            WatchType::Any => alloc::vec![data, exist, child, persistent, recursive],
            WatchType::Persistent => alloc::vec![persistent],
            WatchType::PersistentRecursive => alloc::vec![recursive],
        };
        for list in lists {
            list.remove(path);
        }
    }

    /// The client was told.
    pub fn told(&mut self, event: &WatcherEvent) {
        if event.kind != EventKind::ChildrenChanged {
            self.data.remove(&*event.path);
            self.exist.remove(&*event.path);
        }
        if matches!(event.kind, EventKind::ChildrenChanged | EventKind::Deleted) {
            self.child.remove(&*event.path);
        }
    }
}
