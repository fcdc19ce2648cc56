//! Containers and TTL nodes: the znodes that the leader removes when nobody needs them any more.

use super::node::OwnerKinds;
use super::{Keeper, Node, Tree};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;

/// TTL nodes that have come and gone, whoever removed them. What a server reads from its log at the start counts too,
/// as in Apache's server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TtlCounts {
    /// Created.
    pub created: u64,
    /// Deleted.
    pub deleted: u64,
}

impl Tree {
    /// How many TTL nodes have come and gone.
    pub fn ttl_counts(&self) -> TtlCounts {
        self.ttl_counts
    }

    /// Takes the place of another tree of the same server, whose counts go on.
    pub fn succeed(&mut self, before: &Tree) {
        self.ttl_counts = before.ttl_counts;
    }

    /// The containers and TTL nodes behind `after` (`None`: from the first on), in the order of their paths.
    pub fn unattended(&self, after: Option<&str>) -> impl Iterator<Item = (&Arc<str>, &Node)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let paths = self.unattended.range::<str, _>((from, Bound::Unbounded));
        paths.filter_map(|path| Some((path, self.get(path)?)))
    }

    /// How stored owners are read.
    pub fn owner_kinds(&self) -> OwnerKinds {
        self.kinds
    }

    /// Reads the stored owners of all nodes as `kinds` says, from now on and of those that are there. A tree begins
    /// with [`OwnerKinds::Plain`].
    pub fn read_owners(&mut self, kinds: OwnerKinds) {
        if self.kinds == kinds {
            return;
        }
        self.kinds = kinds;
        let owned = self.ephemerals.values().flatten();
        let paths: Vec<Arc<str>> = owned.chain(&self.unattended).cloned().collect();
        for path in paths {
            let Some(node) = self.nodes.get_mut(&path) else { continue };
            let before = node.keeper();
            node.read_owner(kinds);
            let now = node.keeper();
            self.forget_keeper(before, &path);
            self.note_keeper(now, &path);
        }
    }

    /// A node that `keeper` keeps is there.
    pub(super) fn note_keeper(&mut self, keeper: Keeper, path: &Arc<str>) {
        match keeper {
            Keeper::Ephemeral(session) => drop(self.ephemerals.entry(session).or_default().insert(path.clone())),
            Keeper::Container | Keeper::Ttl(_) => drop(self.unattended.insert(path.clone())),
            Keeper::Persistent => {}
        }
    }

    /// A node that `keeper` keeps is there no more.
    pub(super) fn forget_keeper(&mut self, keeper: Keeper, path: &str) {
        match keeper {
            Keeper::Ephemeral(session) => {
                if let Some(paths) = self.ephemerals.get_mut(&session) {
                    paths.remove(path);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            Keeper::Container | Keeper::Ttl(_) => drop(self.unattended.remove(path)),
            Keeper::Persistent => {}
        }
    }
}
