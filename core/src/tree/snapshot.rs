//! A tree as a snapshot, and a snapshot as a tree.

use super::{Node, Tree, path};
use crate::disk::body::{BodyReader, BodyWriter, NodeSink};
use crate::disk::snapshot::{SnapshotDigest, SnapshotWriter};
use crate::error::Violation;
use crate::id::{SessionId, Zxid};
use crate::tree::digest;
use crate::wire::jute::DecodeError;
use crate::wire::record::SessionEntry;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};
use core::fmt;

/// How many bytes gather before a file's next piece is handed out.
const PIECE: usize = 64 * 1024;

/// Why a snapshot is not a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// The bytes can't be read.
    Bytes(DecodeError),
    /// A node with a path that no node can have.
    Path(String),
    /// A node that comes before its parent, or without one.
    Orphan(String),
    /// A node that comes twice.
    Twice(String),
    /// No nodes at all: even the state in which nothing was written has a root.
    NoRoot,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Bytes(error) => write!(f, "the snapshot can't be read: {error}"),
            SnapshotError::Path(path) => write!(f, "the snapshot has a znode with the impossible path {path:?}"),
            SnapshotError::Orphan(path) => write!(f, "the snapshot has {path:?} but no parent of it before"),
            SnapshotError::Twice(path) => write!(f, "the snapshot has {path:?} twice"),
            SnapshotError::NoRoot => f.write_str("the snapshot has no root"),
        }
    }
}
impl core::error::Error for SnapshotError {}

impl From<DecodeError> for SnapshotError {
    fn from(error: DecodeError) -> SnapshotError {
        SnapshotError::Bytes(error)
    }
}

impl From<SnapshotError> for Violation {
    fn from(error: SnapshotError) -> Violation {
        Violation::Malformed(error.to_string())
    }
}

impl Tree {
    fn session_entries(&self) -> impl Iterator<Item = SessionEntry> {
        self.sessions.iter().map(|(id, timeout_ms)| SessionEntry { id: *id, timeout_ms: *timeout_ms })
    }

    /// The body of a snapshot (parts 2 to 5), as it follows SNAP on the wire and stands in a file.
    pub fn write_body(&self) -> Bytes {
        let mut out = BytesMut::new();
        let mut writer = BodyWriter::begin(&mut out, self.session_entries(), self.acls.iter());
        self.walk().for_each(|(path, node)| put(&mut writer, path, node));
        writer.finish();
        out.freeze()
    }

    /// A whole snapshot file with the tree's digest, handed out piece by piece in the file's order. Its name is
    /// `snapshot.` and [`Tree::applied`] in hexadecimal.
    pub fn write_file(&self, mut piece: impl FnMut(Bytes)) {
        let mut writer = SnapshotWriter::begin(self.session_entries(), self.acls.iter());
        for (path, node) in self.walk() {
            put(&mut writer, path, node);
            if writer.gathered() >= PIECE {
                piece(writer.take());
            }
        }
        let digest = SnapshotDigest { zxid: self.applied, version: digest::VERSION, tree: self.digest };
        piece(writer.finish(Some(digest)));
    }

    /// The tree of a snapshot's body. `applied` is the zxid of the snapshot: of its file's name, or of the SNAP
    /// packet.
    ///
    /// The body may have been written while the tree changed: then it holds effects of later transactions, and is
    /// right only once these are applied again.
    ///
    /// # Errors
    /// Bytes that are no body, or nodes that make no tree.
    pub fn read_body(body: Bytes, applied: Zxid) -> Result<Tree, SnapshotError> {
        let mut reader = BodyReader::new(body)?;
        let mut tree = Tree::empty();
        tree.applied = applied;
        tree.sessions = reader.sessions().iter().map(|entry| (entry.id, entry.timeout_ms)).collect();
        for (key, list) in reader.acls() {
            tree.acls.load(*key, list);
        }
        while let Some(node) = reader.next_node()? {
            let path = path::key(&node.path);
            if path != path::ROOT {
                let (parent, name) = path::split(path)
                    .filter(|(_, name)| !name.is_empty())
                    .ok_or_else(|| SnapshotError::Path(node.path.clone()))?;
                let parent = tree.nodes.get_mut(parent).ok_or_else(|| SnapshotError::Orphan(node.path.clone()))?;
                parent.children_mut().insert(Box::from(name));
            }
            if tree.nodes.contains_key(path) {
                return Err(SnapshotError::Twice(node.path.clone()));
            }
            tree.acls.acquire_key(node.acl_key);
            // The data is a slice of the body: a copy, so that one znode does not keep all of that alive.
            let data = node.data.as_deref().map(Bytes::copy_from_slice);
            let key: Arc<str> = path.into();
            let node = Node::new(&key, data, node.acl_key, node.stat, tree.kinds);
            tree.insert(key, node);
        }
        if !tree.nodes.contains_key(path::ROOT) {
            return Err(SnapshotError::NoRoot);
        }
        tree.acls.drop_unused();
        tree.add_built_in();
        tree.find_quotas();
        Ok(tree)
    }

    /// The timeout of a session in milliseconds.
    pub fn session_timeout(&self, session: SessionId) -> Option<i32> {
        self.sessions.get(&session).copied()
    }
}

fn put(sink: &mut impl NodeSink, path: &str, node: &Node) {
    let path = if path == path::ROOT { "" } else { path };
    sink.node(path, node.data(), node.acl_key(), node.persisted());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::body::StatPersisted;
    use crate::wire::record::Acl;
    use alloc::vec::Vec;

    fn body(paths: &[&str]) -> Bytes {
        let mut out = BytesMut::new();
        let no_lists: [(i64, &[_]); 0] = [];
        let mut writer = BodyWriter::begin(&mut out, [], no_lists);
        for path in paths {
            writer.node(path, None, 7, &StatPersisted::default());
        }
        writer.finish();
        out.freeze()
    }

    #[test]
    fn what_makes_no_tree() {
        let path = |path: &str| Err(SnapshotError::Path(path.into()));
        for (paths, expected) in [
            (&["", "/a", "/a/b"][..], Ok(6)),
            (&["/a"], Err(SnapshotError::Orphan("/a".into()))),
            (&[], Err(SnapshotError::NoRoot)),
            (&["", "/a/b"], Err(SnapshotError::Orphan("/a/b".into()))),
            (&["", "/a", "/a"], Err(SnapshotError::Twice("/a".into()))),
            (&["", ""], Err(SnapshotError::Twice("".into()))),
            (&["", "a"], path("a")),
            (&["", "/a/"], path("/a/")),
        ] {
            let read = Tree::read_body(body(paths), Zxid(3));
            assert_eq!(read.map(|tree| tree.len()), expected, "{paths:?}");
        }
        assert!(matches!(Tree::read_body(Bytes::from_static(b"\0\0\0"), Zxid(0)), Err(SnapshotError::Bytes(_))));
    }

    #[test]
    fn a_list_that_is_not_known_lets_nobody_in_until_the_replay_brings_it() {
        let mut tree = Tree::read_body(body(&["", "/a"]), Zxid(3)).expect("a tree");
        let node = tree.get("/a").expect("there");
        assert!(tree.acl_of(node).is_none() && !tree.permits(node, 31, &[]));
        let list = Acl::open();
        let key = tree.acls.acquire(&list);
        assert!(key > 7, "the number somebody refers to is not given away: {key}");
    }

    #[test]
    fn lists_nobody_uses_are_dropped_and_their_numbers_not_used_again() {
        let list = |perms| alloc::vec![Acl { perms, ..Acl::open().remove(0) }];
        let mut out = BytesMut::new();
        let mut writer = BodyWriter::begin(&mut out, [], [(2, list(2)), (7, list(7)), (9, list(9))]);
        for path in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/a"] {
            writer.node(path, None, 7, &StatPersisted::default());
        }
        writer.finish();
        let mut tree = Tree::read_body(out.freeze(), Zxid(3)).expect("a tree");
        assert_eq!(tree.acls.iter().map(|(key, _)| key).collect::<Vec<_>>(), [7]);
        assert_eq!((tree.acls.acquire(&list(7)), tree.acls.acquire(&list(2))), (7, 10));
    }

    #[test]
    fn a_file_in_pieces_is_the_body_with_its_frame() {
        let tree = Tree::new();
        let mut pieces = Vec::new();
        tree.write_file(|piece| pieces.extend_from_slice(&piece));
        let file = crate::disk::snapshot::Snapshot::open(pieces.into()).expect("a whole file");
        assert_eq!(file.body, tree.write_body());
        assert_eq!(file.digest.map(|d| (d.zxid, d.tree)), Some((Zxid(0), 1_371_985_504)));
        assert_eq!(Tree::read_body(file.body, Zxid(0)).map(|tree| tree.digest()), Ok(1_371_985_504));
    }
}
