//! What the tree will look like once everything in flight is applied: the leader checks requests against this, since
//! a client may send the next request before the last one is committed.

use crate::collections::{BTreeMap, BTreeSet};
use crate::disk::body::StatPersisted;
use crate::id::{SessionId, Zxid};
use crate::tree::node::{self, Keeper};
use crate::tree::{Node, Tree, digest};
use crate::wire::record::Acl;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// What preparation needs to know of a node.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub stat: StatPersisted,
    pub children: usize,
    pub acl: Arc<[Acl]>,
    pub keeper: Keeper,
    /// Bytes of its data.
    pub length: usize,
    content: u32,
    digest: u32,
}

impl Known {
    fn of(tree: &Tree, node: &Node) -> Known {
        Known {
            stat: *node.persisted(),
            children: node.children().len(),
            acl: tree.acls().list(node.acl_key()),
            keeper: node.keeper(),
            length: node.data().map_or(0, Bytes::len),
            content: node.content(),
            digest: node.digest(),
        }
    }
}

/// A node as it will be (`None`: deleted), since the transaction `zxid`.
#[derive(Clone, Debug)]
struct Pending {
    zxid: Zxid,
    node: Option<Known>,
}

/// What one transaction touches.
#[derive(Clone, Debug)]
struct Touched {
    zxid: Zxid,
    paths: Vec<Arc<str>>,
    session: Option<SessionId>,
}

/// All changes in flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlay {
    /// A hash table for the same reasons as the tree's own: it is only looked up, never iterated.
    nodes: HashMap<Arc<str>, Pending, FixedState>,
    /// The ephemerals among `nodes`.
    owned: BTreeSet<(SessionId, Arc<str>)>,
    /// Sessions that will be there (true) or be gone.
    sessions: BTreeMap<SessionId, (Zxid, bool)>,
    order: VecDeque<Touched>,
    /// The tree's digest behind the last of `order`; means nothing while that is empty.
    digest: i64,
}

impl Overlay {
    /// Forgets what the tree has by now.
    pub fn drop_upto(&mut self, zxid: Zxid) {
        while self.order.front().is_some_and(|touched| touched.zxid <= zxid) {
            let Some(touched) = self.order.pop_front() else { return };
            for path in &touched.paths {
                if self.nodes.get(path).is_some_and(|pending| pending.zxid == touched.zxid) {
                    self.replace(path.clone(), None);
                }
            }
            if let Some(session) = touched.session
                && self.sessions.get(&session).is_some_and(|(since, _)| *since == touched.zxid)
            {
                self.sessions.remove(&session);
            }
        }
    }

    /// The node as it will be, once everything in flight is applied to `tree`.
    pub fn get(&self, tree: &Tree, path: &str) -> Option<Known> {
        match self.nodes.get(path) {
            Some(pending) => pending.node.clone(),
            None => tree.get(path).map(|node| Known::of(tree, node)),
        }
    }

    /// How many transactions are in flight.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    fn replace(&mut self, path: Arc<str>, pending: Option<Pending>) -> Option<Pending> {
        let owner = |pending: &Option<Pending>| match pending.as_ref()?.node.as_ref()?.keeper {
            Keeper::Ephemeral(session) => Some(session),
            _ => None,
        };
        let now = owner(&pending);
        let old = match pending {
            Some(pending) => self.nodes.insert(path.clone(), pending),
            None => self.nodes.remove(&path),
        };
        let before = owner(&old);
        if before != now {
            if let Some(session) = before {
                self.owned.remove(&(session, path.clone()));
            }
            if let Some(session) = now {
                self.owned.insert((session, path));
            }
        }
        old
    }
}

/// The overlay over the tree, while one transaction is prepared. Its changes stay only if it is kept.
pub(super) struct Draft<'a> {
    overlay: &'a mut Overlay,
    pub tree: &'a Tree,
    pub zxid: Zxid,
    time_ms: i64,
    /// What stood in the overlay before each change, to take them back.
    undo: Vec<(Arc<str>, Option<Pending>)>,
    digest: i64,
    session: Option<(SessionId, bool)>,
}

impl<'a> Draft<'a> {
    /// Begins the transaction `zxid`. What the tree has applied is dropped from the overlay first.
    pub fn begin(overlay: &'a mut Overlay, tree: &'a Tree, zxid: Zxid, time_ms: i64) -> Draft<'a> {
        overlay.drop_upto(tree.applied());
        let digest = if overlay.order.is_empty() { tree.digest() } else { overlay.digest };
        Draft { overlay, tree, zxid, time_ms, undo: Vec::new(), digest, session: None }
    }

    /// The node as it will be.
    pub fn get(&self, path: &str) -> Option<Known> {
        self.overlay.get(self.tree, path)
    }

    /// Whether there will be such a node.
    pub fn exists(&self, path: &str) -> bool {
        match self.overlay.nodes.get(path) {
            Some(pending) => pending.node.is_some(),
            None => self.tree.exists(path),
        }
    }

    /// Whether the session will be there.
    pub fn is_live(&self, session: SessionId) -> bool {
        match self.overlay.sessions.get(&session) {
            Some((_, live)) => *live,
            None => self.tree.sessions().contains_key(&session),
        }
    }

    /// The ephemerals that the session will own, in order.
    pub fn ephemerals_of(&self, session: SessionId) -> Vec<Arc<str>> {
        let in_tree = self.tree.ephemerals_of(session).filter(|path| !self.overlay.nodes.contains_key(*path));
        let from = (session, Arc::from(""));
        let pending = self.overlay.owned.range(from..).take_while(|(owner, _)| *owner == session).map(|(_, path)| path);
        let all: BTreeSet<&Arc<str>> = in_tree.chain(pending).collect();
        all.into_iter().cloned().collect()
    }

    /// Creates `path` below `parent`.
    pub fn create(
        &mut self,
        path: &str,
        (parent_path, mut parent): (&str, Known),
        (data, acl): (Option<&[u8]>, Arc<[Acl]>),
        keeper: Keeper,
        parent_cversion: i32,
    ) {
        parent.children += 1;
        let zxid = self.zxid;
        self.update(parent_path, parent, |stat| node::child_created(stat, parent_cversion, zxid));
        let stat = node::stat_of_new(zxid, self.time_ms, keeper);
        let content = digest::of_content(path, data);
        let digest = digest::of_node(content, &stat);
        let length = data.map_or(0, <[u8]>::len);
        self.put(path, Some(Known { stat, children: 0, acl, keeper, length, content, digest }), i64::from(digest));
    }

    /// Deletes `path`, which is `node`, from below its parent.
    pub fn delete(&mut self, path: &str, node: &Known, (parent_path, mut parent): (&str, Known)) {
        parent.children = parent.children.saturating_sub(1);
        let zxid = self.zxid;
        self.update(parent_path, parent, |stat| node::child_deleted(stat, zxid));
        self.put(path, None, -i64::from(node.digest));
    }

    /// Sets the data of `path`, which is `node`.
    pub fn set_data(&mut self, path: &str, mut node: Known, data: Option<&[u8]>, version: i32) {
        node.content = digest::of_content(path, data);
        node.length = data.map_or(0, <[u8]>::len);
        let (zxid, time_ms) = (self.zxid, self.time_ms);
        self.update(path, node, |stat| node::data_set(stat, version, zxid, time_ms));
    }

    /// Sets the access list of `path`, which is `node`.
    pub fn set_acl(&mut self, path: &str, mut node: Known, acl: Arc<[Acl]>, version: i32) {
        node.acl = acl;
        self.update(path, node, |stat| stat.aversion = version);
    }

    /// The session will be there, or be gone.
    pub fn set_session(&mut self, session: SessionId, live: bool) {
        self.session = Some((session, live));
    }

    fn update(&mut self, path: &str, mut node: Known, change: impl FnOnce(&mut StatPersisted)) {
        change(&mut node.stat);
        let before = i64::from(node.digest);
        node.digest = digest::of_node(node.content, &node.stat);
        let moved = i64::from(node.digest) - before;
        self.put(path, Some(node), moved);
    }

    fn put(&mut self, path: &str, node: Option<Known>, digest_moved: i64) {
        if digest::is_counted(path) {
            self.digest = self.digest.wrapping_add(digest_moved);
        }
        let key: Arc<str> = match self.overlay.nodes.get_key_value(path) {
            Some((key, _)) => key.clone(),
            None => path.into(),
        };
        let old = self.overlay.replace(key.clone(), Some(Pending { zxid: self.zxid, node }));
        self.undo.push((key, old));
    }

    /// Takes all changes back; `digest` is what [`Draft::digest`] was before them.
    pub fn undo(&mut self, digest: i64) {
        while let Some((path, old)) = self.undo.pop() {
            self.overlay.replace(path, old);
        }
        self.digest = digest;
    }

    /// The digest of the tree that will be.
    pub fn digest(&self) -> i64 {
        self.digest
    }

    /// Keeps the changes until the tree has them. Returns the digest.
    pub fn keep(self) -> i64 {
        let Draft { overlay, zxid, undo, digest, session, .. } = self;
        if let Some((session, live)) = session {
            overlay.sessions.insert(session, (zxid, live));
        }
        let paths = undo.into_iter().map(|(path, _)| path).collect();
        overlay.order.push_back(Touched { zxid, paths, session: session.map(|(session, _)| session) });
        overlay.digest = digest;
        digest
    }
}
