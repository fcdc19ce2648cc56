//! The znode tree: what committed transactions make of it, and nothing else. Knows neither consensus nor clients.
//!
//! A server has one [`Tree`]. [`Tree::apply`] is the only way to change it (besides reading a snapshot and
//! [`Tree::install_config`]), the same for live transactions, for a replay at start and for compaction.

pub mod acl;
mod apply;
#[cfg(any(test, target_arch = "wasm32"))]
mod crc32;
pub mod digest;
mod digest_log;
pub mod node;
pub mod path;
pub mod quota;
mod snapshot;
mod unattended;
mod walk;

pub use apply::Applied;
pub use digest_log::DigestLog;
pub use node::{Keeper, Node, OwnerKinds};
pub use quota::Quota;
pub use snapshot::SnapshotError;
pub use walk::Walk;

use crate::auth;
use crate::collections::{BTreeMap, BTreeSet};
use crate::config::AccessRules;
use crate::disk::body::StatPersisted;
use crate::id::{SessionId, Zxid};
use crate::wire::client::EventKind;
use crate::wire::record::{Acl, Id, Stat, perms};
use acl::AclTable;
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use quota::Quotas;
pub use unattended::TtlCounts;

/// Nodes by path. A hash table, since looking up is nearly all that is done with it (2 to 3 times as fast as a
/// B-tree, whose keys here share long prefixes); it is never iterated, so its order can't leak. The seed is fixed, so
/// that the same run takes the same time. The nodes stand elsewhere: between a fifth and half of the table is empty, and
/// when it grows only their places move.
type Nodes = HashMap<Arc<str>, Box<Node>, FixedState>;

/// Something that watches may be set on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: EventKind,
    /// To which znode.
    pub path: Arc<str>,
    /// Its access list (a deleted node's last one): only who may read it is told.
    pub acl: Arc<[Acl]>,
}

/// The tree of a server with its sessions.
#[derive(Clone)]
pub struct Tree {
    nodes: Nodes,
    rules: Arc<AccessRules>,
    acls: AclTable,
    sessions: BTreeMap<SessionId, i32>,
    /// Never has an empty set.
    ephemerals: BTreeMap<SessionId, BTreeSet<Arc<str>>>,
    /// The containers and TTL nodes.
    unattended: BTreeSet<Arc<str>>,
    kinds: OwnerKinds,
    quotas: Quotas,
    applied: Zxid,
    digest: i64,
    digests: DigestLog,
    /// Bytes of all paths and data.
    data_bytes: u64,
    ttl_counts: TtlCounts,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("applied", &self.applied)
            .field("digest", &self.digest)
            .field("nodes", &self.nodes.len())
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

fn len_of(data: Option<&Bytes>) -> u64 {
    data.map_or(0, |data| data.len() as u64)
}

impl Tree {
    /// The fresh database: `/`, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config`, no session, nothing applied.
    pub fn new() -> Tree {
        let mut tree = Tree::empty();
        tree.add_built_in();
        tree
    }

    fn empty() -> Tree {
        Tree {
            nodes: Nodes::with_hasher(FixedState::with_seed(0)),
            rules: Arc::default(),
            acls: AclTable::default(),
            sessions: BTreeMap::new(),
            ephemerals: BTreeMap::new(),
            unattended: BTreeSet::new(),
            kinds: OwnerKinds::default(),
            quotas: Quotas::default(),
            applied: Zxid::ZERO,
            digest: 0,
            digests: DigestLog::default(),
            data_bytes: 0,
            ttl_counts: TtlCounts::default(),
        }
    }

    /// Adds the built-in nodes that are missing (older snapshots have no configuration node).
    fn add_built_in(&mut self) {
        for path in [path::ROOT, path::ZOOKEEPER, path::QUOTA, path::CONFIG] {
            if self.nodes.contains_key(path) {
                continue;
            }
            let mut stat = StatPersisted::default();
            let mut acl = acl::OPEN;
            if path == path::CONFIG {
                // Apache makes it and then restricts it, which counts as one change from -2.
                stat.aversion = -1;
                acl = self.acls.acquire(&[Acl { perms: perms::READ, ..Acl::open().remove(0) }]);
            }
            if let Some((parent, name)) = path::split(path).filter(|(_, name)| !name.is_empty())
                && let Some(parent) = self.nodes.get_mut(parent)
            {
                parent.children_mut().insert(Box::from(name));
            }
            self.insert(path.into(), Node::new(path, Some(Bytes::new()), acl, stat, self.kinds));
        }
    }

    /// The last transaction applied.
    pub fn applied(&self) -> Zxid {
        self.applied
    }

    /// The digest, Apache's version 2: equal trees at equal zxids have equal digests.
    pub fn digest(&self) -> i64 {
        self.digest
    }

    /// The digests at some of the transactions applied since this tree was read, so that servers can be compared.
    pub fn digests(&self) -> &DigestLog {
        &self.digests
    }

    /// How many znodes there are. (Apache's `Node count` is one more: it counts the root twice.)
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never true: there is always a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Bytes of all paths and data together.
    pub fn approximate_size(&self) -> u64 {
        self.data_bytes
    }

    /// The node of a path; the empty path is the root.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path::key(path)).map(|node| &**node)
    }

    /// Whether there is such a node.
    pub fn exists(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// The Stat of a node as clients see it.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        self.get(path).map(Node::stat)
    }

    /// The names of a node's children, in order.
    pub fn children(&self, path: &str) -> Option<impl Iterator<Item = &str>> {
        self.get(path).map(|node| node.children().iter().map(|name| &**name))
    }

    /// How many nodes there are below a path, children and theirs; 0 if there is no such node. Takes time for each of
    /// them, but for those below the root.
    pub fn count_below(&self, path: &str) -> usize {
        match path::key(path) {
            path::ROOT => self.nodes.len().saturating_sub(1),
            path => Walk::below(self, path).count().saturating_sub(1),
        }
    }

    /// All nodes with their paths, parents before children, siblings in order.
    pub fn walk(&self) -> Walk<'_> {
        Walk::new(self)
    }

    /// The access list of a node. `None` if its key is not known, which no replayed tree has.
    pub fn acl_of(&self, node: &Node) -> Option<&Arc<[Acl]>> {
        self.acls.get(node.acl_key())
    }

    /// Whether somebody with the identities `ids` may do to `node` what needs one of the bits `perms`. Nobody may if
    /// its list is not known.
    pub fn permits(&self, node: &Node, perms: i32, ids: &[Id]) -> bool {
        self.acl_of(node).is_some_and(|list| auth::permits(&self.rules, list, perms, ids))
    }

    /// Who may do what at this server. Not part of the replicated state: each server is told by its configuration.
    pub fn rules(&self) -> &AccessRules {
        &self.rules
    }

    /// Sets who may do what.
    pub fn set_rules(&mut self, rules: Arc<AccessRules>) {
        self.rules = rules;
    }

    /// The table of access lists.
    pub fn acls(&self) -> &AclTable {
        &self.acls
    }

    /// The sessions that exist, with their timeouts in milliseconds.
    pub fn sessions(&self) -> &BTreeMap<SessionId, i32> {
        &self.sessions
    }

    /// The ephemerals that a session owns, in order.
    pub fn ephemerals_of(&self, session: SessionId) -> impl Iterator<Item = &Arc<str>> {
        self.ephemerals.get(&session).into_iter().flatten()
    }

    /// The sessions that own ephemerals, with these.
    pub fn ephemerals(&self) -> &BTreeMap<SessionId, BTreeSet<Arc<str>>> {
        &self.ephemerals
    }

    /// Sessions that own ephemerals but do not exist. A leader closes them by transactions when it begins, so that
    /// all servers lose the same nodes at the same zxid.
    pub fn orphaned_sessions(&self) -> impl Iterator<Item = SessionId> {
        self.ephemerals.keys().copied().filter(|session| !self.sessions.contains_key(session))
    }

    /// Sets what `/zookeeper/config` shows, as a server of an ensemble does on its own when it begins to serve: no
    /// transaction, not part of the digest. `version` is the configuration's, `time_ms` the server's own wall clock.
    pub fn install_config(&mut self, text: Bytes, version: i64, time_ms: i64) {
        if let Some(node) = self.nodes.get_mut(path::CONFIG) {
            let len = len_of(Some(&text));
            let old = node.put_data(path::CONFIG, Some(text));
            node.update_stat(|stat| node::data_set(stat, -1, Zxid(version), time_ms));
            self.data_bytes = (self.data_bytes + len).saturating_sub(len_of(old.as_ref()));
        }
    }
}

#[cfg(test)]
mod tests;
