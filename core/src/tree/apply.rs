//! Applying a transaction.
//!
//! Everything was decided when the transaction was prepared, so applying can't fail; and it may happen a second time,
//! when the log is replayed over a snapshot that holds some of its effects already. Therefore (disk-format.md §6):
//! a parent's counters are raised, never lowered, and also when the child is there or gone already; a create's access
//! list is put in before asking whether the node exists; what is missing is left alone, since the transaction that
//! removed it follows.

use super::node::{self, Keeper, Node};
use super::{Change, Tree, path};
use crate::error::ZkError;
use crate::wire::client::{EventKind, OpResult, Outcome, Response};
use crate::wire::record::Acl;
use crate::wire::txn::{Txn, TxnBody, TxnHeader};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// Values up to this size are copied, so that a small znode does not keep a whole network buffer alive.
const COPY_BELOW: usize = 1024;

/// What came of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The reply to the client that asked for it.
    pub outcome: Outcome,
    /// What watches may fire, in Apache's order: a node's own change, then its parent's.
    pub changes: Vec<Change>,
    /// The transaction foretells another digest than the tree has now: this server and the leader differ. Says
    /// nothing while a log is replayed over a snapshot that was taken while the tree changed.
    pub diverged: bool,
}

impl Tree {
    /// Applies a committed transaction. The caller applies them in order, each once; in a replay also ones whose
    /// effects are in the tree already.
    ///
    /// [`Tree::applied`] moves only after everything else, so that whoever sees the zxid sees all of its effects.
    pub fn apply(&mut self, txn: &Txn) -> Applied {
        let mut changes = Vec::new();
        let outcome = match &txn.body {
            TxnBody::Multi { txns } => self.apply_multi(&txn.header, txns, &mut changes),
            body => self.apply_one(&txn.header, body, &mut changes),
        };
        let diverged = txn.digest.is_some_and(|d| d.version == super::digest::VERSION && d.tree != self.digest);
        self.applied = self.applied.max(txn.header.zxid);
        self.digests.note(txn.header.zxid, self.digest);
        Applied { outcome, changes, diverged }
    }

    fn apply_multi(&mut self, header: &TxnHeader, txns: &[TxnBody], changes: &mut Vec<Change>) -> Outcome {
        let is_error = |body: &&TxnBody| matches!(body, TxnBody::Error { .. });
        if txns.iter().any(|body| is_error(&body)) {
            // The members before the failing one are logged with their own types: they did not happen either.
            let results = txns.iter().map(|body| match body {
                TxnBody::Error { code } => OpResult::Error(*code),
                _ => OpResult::Error(0),
            });
            return Ok(Response::Multi(results.collect()));
        }
        let results = txns.iter().map(|body| match self.apply_one(header, body, changes) {
            Ok(Response::Path(path)) => OpResult::Create(path),
            Ok(Response::PathStat(path, stat)) => OpResult::Create2(path, stat),
            Ok(Response::Stat(stat) | Response::Data(_, stat)) => OpResult::SetData(stat),
            Ok(_) if matches!(body, TxnBody::Check { .. }) => OpResult::Check,
            Ok(_) => OpResult::Delete,
            Err(error) => OpResult::Error(error.code()),
        });
        Ok(Response::Multi(results.collect()))
    }

    fn apply_one(&mut self, header: &TxnHeader, body: &TxnBody, changes: &mut Vec<Change>) -> Outcome {
        match body {
            TxnBody::Create { v2, path, data, acl, ephemeral, parent_cversion } => {
                let keeper = if *ephemeral { Keeper::Ephemeral(header.session) } else { Keeper::Persistent };
                let created = self.create(header, path, data.as_ref(), acl, keeper, *parent_cversion, changes);
                if *v2 { created } else { created.map(|_| Response::Path(path.clone())) }
            }
            TxnBody::CreateContainer { path, data, acl, parent_cversion } => {
                self.create(header, path, data.as_ref(), acl, Keeper::Container, *parent_cversion, changes)
            }
            TxnBody::CreateTtl { path, data, acl, parent_cversion, ttl_ms } => {
                self.create(header, path, data.as_ref(), acl, Keeper::Ttl(*ttl_ms), *parent_cversion, changes)
            }
            TxnBody::Delete { path, .. } => self.delete(header, path, changes),
            TxnBody::SetData { reconfig, path, data, version } => {
                self.set_data(header, path, data.as_ref(), *version, *reconfig, changes)
            }
            TxnBody::SetAcl { path, acl, version } => self.set_acl(path, acl, *version),
            TxnBody::Check { .. } => Ok(Response::Empty),
            TxnBody::CreateSession { timeout_ms } => {
                self.sessions.insert(header.session, *timeout_ms);
                Ok(Response::Empty)
            }
            TxnBody::CloseSession { paths } => {
                self.close_session(header, paths.as_deref().unwrap_or_default(), changes);
                Ok(Response::Empty)
            }
            TxnBody::Error { code } => Err(ZkError::from_code(*code).unwrap_or(ZkError::MarshallingError)),
            // A multi inside a multi: no leader makes one, and following it down would let one frame use up the stack.
            TxnBody::Multi { .. } => Err(ZkError::MarshallingError),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the three kinds of create")]
    fn create(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: Option<&Bytes>,
        acl: &[Acl],
        keeper: Keeper,
        parent_cversion: i32,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let (parent_path, name) = path::split(path).ok_or(ZkError::BadArguments)?;
        if name.is_empty() {
            return Err(ZkError::BadArguments);
        }
        let (parent_key, parent) = self.nodes.get_key_value_mut(parent_path).ok_or(ZkError::NoNode)?;
        let parent_change = Change {
            kind: EventKind::ChildrenChanged,
            path: parent_key.clone(),
            acl: self.acls.list(parent.acl_key()),
        };
        let is_new = !parent.children().contains(name);
        if is_new {
            parent.children_mut().insert(Box::from(name));
        }
        let moved = parent.update_stat(|stat| node::child_created(stat, parent_cversion, header.zxid));
        self.move_digest(parent_path, moved);

        let acl = self.acls.acquire(acl);
        if !is_new {
            // Only in a replay. The list the node points to may be one that the snapshot does not have.
            match self.nodes.get_mut(path) {
                Some(node) => {
                    let old = node.put_acl(acl);
                    self.acls.release(old);
                }
                None => self.acls.release(acl),
            }
            return Err(ZkError::NodeExists);
        }
        let stat = node::stat_of_new(header.zxid, header.time_ms, keeper);
        let node = Node::new(path, data.map(kept), acl, stat, self.kinds);
        let stat = node.stat();
        if matches!(node.keeper(), Keeper::Ttl(_)) {
            self.ttl_counts.created += 1;
        }
        let key: Arc<str> = path.into();
        changes.push(Change { kind: EventKind::Created, path: key.clone(), acl: self.acls.list(acl) });
        changes.push(parent_change);
        self.insert(key, node);
        self.look_at_quota(path);
        Ok(Response::PathStat(path.into(), stat))
    }

    fn delete(&mut self, header: &TxnHeader, path: &str, changes: &mut Vec<Change>) -> Outcome {
        let (parent_path, name) = path::split(path).ok_or(ZkError::BadArguments)?;
        let (parent_key, parent) = self.nodes.get_key_value_mut(parent_path).ok_or(ZkError::NoNode)?;
        if name.is_empty() {
            return Err(ZkError::BadArguments);
        }
        let parent_change = Change {
            kind: EventKind::ChildrenChanged,
            path: parent_key.clone(),
            acl: self.acls.list(parent.acl_key()),
        };
        let was_there = parent.children_mut().remove(name);
        let moved = parent.update_stat(|stat| node::child_deleted(stat, header.zxid));
        self.move_digest(parent_path, moved);
        if !was_there {
            return Err(ZkError::NoNode);
        }
        if let Some((key, node)) = self.remove(path) {
            changes.push(Change { kind: EventKind::Deleted, path: key, acl: self.acls.list(node.acl_key()) });
            self.acls.release(node.acl_key());
            if matches!(node.keeper(), Keeper::Ttl(_)) {
                self.ttl_counts.deleted += 1;
            }
            if !node.children().is_empty() {
                self.remove_below(path, &node);
            }
        }
        changes.push(parent_change);
        Ok(Response::Empty)
    }

    /// Removes what stands below a node that is gone. Only in a replay: the children are of a later life of the node
    /// than the transaction, and are created again by what follows.
    fn remove_below(&mut self, path: &str, node: &Node) {
        let below = |path: &str, node: &Node| -> Vec<String> {
            node.children().iter().map(|name| alloc::format!("{path}/{name}")).collect()
        };
        let mut left = below(path, node);
        while let Some(path) = left.pop() {
            if let Some((_, node)) = self.remove(&path) {
                self.acls.release(node.acl_key());
                left.extend(below(&path, &node));
            }
        }
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: Option<&Bytes>,
        version: i32,
        reconfig: bool,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let data = data.map(kept);
        let (key, node) = self.nodes.get_key_value_mut(path::key(path)).ok_or(ZkError::NoNode)?;
        changes.push(Change { kind: EventKind::DataChanged, path: key.clone(), acl: self.acls.list(node.acl_key()) });
        let new_len = super::len_of(data.as_ref());
        let old = node.put_data(key, data);
        let moved = node.update_stat(|stat| node::data_set(stat, version, header.zxid, header.time_ms));
        let stat = node.stat();
        // The answer to a reconfig is the configuration itself.
        let response = if reconfig { Response::Data(node.data().cloned(), stat) } else { Response::Stat(stat) };
        let old_len = super::len_of(old.as_ref());
        self.data_bytes = (self.data_bytes + new_len).saturating_sub(old_len);
        self.move_digest(path::key(path), moved);
        let grown =
            i64::try_from(new_len).unwrap_or(i64::MAX).saturating_sub(i64::try_from(old_len).unwrap_or(i64::MAX));
        self.count_in_quotas(path, 0, grown);
        self.look_at_quota(path);
        Ok(response)
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Outcome {
        let path = path::key(path);
        let node = self.nodes.get_mut(path).ok_or(ZkError::NoNode)?;
        let old = node.put_acl(self.acls.acquire(acl));
        self.acls.release(old);
        let moved = node.update_stat(|stat| stat.aversion = version);
        let stat = node.stat();
        self.move_digest(path, moved);
        Ok(Response::Stat(stat))
    }

    fn close_session(&mut self, header: &TxnHeader, paths: &[String], changes: &mut Vec<Change>) {
        for path in paths {
            // A path that is gone already is a replay's.
            let _ = self.delete(header, path, changes);
        }
        // What the list does not name: all of it, when the record is of a time before there was a list.
        let left: Vec<Arc<str>> = self.ephemerals_of(header.session).cloned().collect();
        for path in left {
            let _ = self.delete(header, &path, changes);
        }
        self.sessions.remove(&header.session);
    }

    /// Puts a node in whose name its parent has already.
    pub(super) fn insert(&mut self, key: Arc<str>, node: Node) {
        self.note_keeper(node.keeper(), &key);
        let bytes = super::len_of(node.data());
        self.data_bytes += key.len() as u64 + bytes;
        self.move_digest(&key, i64::from(node.digest()));
        self.nodes.insert(key.clone(), Box::new(node));
        self.count_in_quotas(&key, 1, i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Takes a node out whose name its parent has no more.
    fn remove(&mut self, path: &str) -> Option<(Arc<str>, Box<Node>)> {
        let (key, node) = self.nodes.remove_entry(path)?;
        self.forget_keeper(node.keeper(), &key);
        let bytes = super::len_of(node.data());
        self.data_bytes = self.data_bytes.saturating_sub(key.len() as u64 + bytes);
        self.move_digest(&key, -i64::from(node.digest()));
        self.count_in_quotas(&key, -1, -i64::try_from(bytes).unwrap_or(i64::MAX));
        self.look_at_quota(&key);
        Some((key, node))
    }

    pub(super) fn move_digest(&mut self, path: &str, by: i64) {
        if super::digest::is_counted(path) {
            self.digest = self.digest.wrapping_add(by);
        }
    }
}

/// The value as the tree keeps it.
fn kept(data: &Bytes) -> Bytes {
    if data.len() < COPY_BELOW { Bytes::copy_from_slice(data) } else { data.clone() }
}
