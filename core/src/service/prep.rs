//! The leader's preparation: a request becomes a transaction in which everything is decided: sequential names,
//! versions, access, errors. Followers then only apply it, and come to the same tree.
//!
//! Every request takes one zxid and becomes one transaction; a request that can't be carried out becomes an error
//! transaction, so that the client's reply has its place in the order too. The order of the checks is Apache's
//! (client-protocol.md §6), since the first failing one is what the client is told.

use super::containers::Candidate;
use super::overlay::{Draft, Known, Overlay};
use crate::auth::{self, Verdicts};
use crate::collections::BTreeSet;
use crate::config::{ContainerRules, Ensemble};
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::tree::node::{Keeper, MAX_TTL_MS};
use crate::tree::quota::Excess;
use crate::tree::{Tree, digest, path};
use crate::wire::client::Request;
use crate::wire::jute::MAX_FIELD;
use crate::wire::op::{CreateMode, OpCode};
use crate::wire::record::{Acl, Id, perms};
use crate::wire::txn::{FRAME_SIZE, Txn, TxnBody, TxnDigest, TxnHeader};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// What is to become a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrepRequest {
    /// A client's write: create, delete, setData, setACL, multi, closeSession. Anything else is an error.
    Client(Request),
    /// A client's write whose session only the server knows that it comes from: whatever needs no session that all
    /// servers know.
    LocalClient(Request),
    /// A new session, the header's, with its negotiated timeout.
    CreateSession {
        /// Milliseconds.
        timeout_ms: i32,
    },
    /// The header's session has ended or expired. Never an error: a session that is gone already closes again.
    CloseSession,
    /// The leader found that a container or TTL node is due (session 0).
    DeleteContainer {
        /// Which one.
        path: String,
    },
    /// A change of the membership, as far as its checks have come: all but those of the session and of access.
    Reconfig {
        /// What is to become of it; the transaction's zxid becomes its version.
        members: Result<Box<Ensemble>, ZkError>,
        /// As in a [`PrepRequest::LocalClient`].
        local: bool,
    },
    /// A write that has failed already, say because it could not be parsed or came over a connection that no longer
    /// owns the session. It takes its zxid all the same.
    Refused(ZkError),
}

/// The state of a leader's preparation: what is in flight. Made when a server begins to lead, over a tree that has its
/// whole history applied; thrown away when it ceases to.
#[derive(Clone, Debug)]
pub struct Prep {
    overlay: Overlay,
    extended_types: bool,
    enforce_quota: bool,
    /// The last limit of a quota that a request has met, until somebody asks.
    over: Option<OverQuota>,
    max_txn: usize,
}

/// A request that a quota did not leave room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// The quota's path.
    pub path: String,
    /// Which limit.
    pub excess: Excess,
    /// Whether the request was refused.
    pub refused: bool,
}

impl Prep {
    /// Nothing in flight. `extended_types` permits TTL nodes (`zookeeper.extendedTypesEnabled`).
    pub fn new(extended_types: bool) -> Prep {
        Prep { overlay: Overlay::default(), extended_types, enforce_quota: false, over: None, max_txn: MAX_FIELD }
    }

    /// How many bytes a transaction may have, at least a few hundred; at first what Apache's servers take from their
    /// peers by default.
    pub fn max_txn(mut self, bytes: usize) -> Prep {
        self.max_txn = bytes;
        self
    }

    /// Whether requests beyond a hard limit of a quota are refused (`enforceQuota`); at first they are not.
    pub fn enforce_quota(mut self, yes: bool) -> Prep {
        self.enforce_quota = yes;
        self
    }

    /// The last time a quota was exceeded, or would have been; once.
    pub fn take_over_quota(&mut self) -> Option<OverQuota> {
        self.over.take()
    }

    /// Whether a container or TTL node may go, all that is in flight considered.
    pub(super) fn is_due(&self, tree: &Tree, path: &str, rules: &ContainerRules, wall_ms: i64) -> bool {
        self.overlay.get(tree, path).is_some_and(|known| {
            let Known { keeper, stat, children, .. } = &known;
            Candidate { keeper: *keeper, stat, children: *children }.is_due(rules, wall_ms)
        })
    }

    /// Makes a transaction of `request`. `header` says whose request it is (`session`, `cxid`), its zxid, which must
    /// be above all before, and the leader's wall clock. `auth` are the identities the client has proved.
    ///
    /// `tree` is the leader's applied state: everything below `header.zxid` must be either in the tree or prepared
    /// by this `Prep`, in order.
    ///
    /// The transaction foretells the digest of the tree that has it applied.
    pub fn prepare(&mut self, tree: &Tree, header: TxnHeader, auth: &[Id], request: PrepRequest) -> Txn {
        let room = self.max_txn.saturating_sub(FRAME_SIZE);
        let draft = Draft::begin(&mut self.overlay, tree, header.zxid, header.time_ms);
        let mut work = Work {
            draft,
            session: header.session,
            local: false,
            auth,
            verdicts: Verdicts::new(tree.rules(), auth),
            room,
            extended_types: self.extended_types,
            enforce_quota: self.enforce_quota,
            over: None,
        };
        let before = work.draft.digest();
        let prepared = work.body(request);
        let prepared = prepared.and_then(|body| bounded(body, room).inspect_err(|_| work.draft.undo(before)));
        let over = work.over.take();
        let tree = work.draft.keep();
        if over.is_some() {
            self.over = over;
        }
        match prepared {
            Ok(body) => Txn { header, body, digest: Some(TxnDigest { version: digest::VERSION, tree }) },
            // Every check comes before the first change, or the change has been taken back. Apache puts no digest
            // behind an error.
            Err(error) => Txn { header, body: TxnBody::Error { code: error.code() }, digest: None },
        }
    }

    /// Everything up to `zxid` is applied to the tree. [`Prep::prepare`] notices by itself; calling this keeps the
    /// memory small while no requests come.
    pub fn committed(&mut self, zxid: Zxid) {
        self.overlay.drop_upto(zxid);
    }

    /// Forgets everything in flight.
    pub fn clear(&mut self) {
        self.overlay = Overlay::default();
    }

    /// How many transactions are in flight as far as it knows.
    pub fn in_flight(&self) -> usize {
        self.overlay.len()
    }
}

/// A transaction's body as far as there is `room` for it: what a peer does not take or a log can't hold would stop the
/// ensemble, so it may not come to be.
///
/// A closeSession then names only one ephemeral of every parent, and no more than fit. Whoever applies it deletes the
/// rest too, since it knows what the session owns; naming a child of each parent is what makes the parents' Stats come
/// out the same in a replay over a snapshot that has lost the children already (known-faults, ZOOKEEPER-3145). So a
/// session's ephemerals go in one transaction, however many there are. (Apache's server makes a transaction that its
/// followers then do not take.)
///
/// # Errors
/// [`ZkError::BadArguments`] for whatever else is too large: a multi, or an access list, can grow beyond its request.
fn bounded(body: TxnBody, room: usize) -> Result<TxnBody, ZkError> {
    let fits = |body: &TxnBody| body.encoded_len() <= room;
    match body {
        TxnBody::CloseSession { paths: Some(paths) } if 4 + paths.iter().map(|p| 4 + p.len()).sum::<usize>() > room => {
            let (mut left, mut parents, mut named) = (room.saturating_sub(4), BTreeSet::new(), Vec::new());
            for path in &paths {
                let is_first = path::split(path).is_some_and(|(parent, _)| parents.insert(parent));
                if is_first && let Some(rest) = left.checked_sub(4 + path.len()) {
                    left = rest;
                    named.push(path.clone());
                }
            }
            Ok(TxnBody::CloseSession { paths: Some(named) })
        }
        body if fits(&body) => Ok(body),
        _ => Err(ZkError::BadArguments),
    }
}

/// One request under preparation.
struct Work<'a> {
    draft: Draft<'a>,
    session: SessionId,
    /// Only the server knows the session that the request comes from.
    local: bool,
    auth: &'a [Id],
    verdicts: Verdicts<'a>,
    /// Bytes that the transaction's body may have.
    room: usize,
    extended_types: bool,
    enforce_quota: bool,
    over: Option<OverQuota>,
}

impl Work<'_> {
    fn body(&mut self, request: PrepRequest) -> Result<TxnBody, ZkError> {
        match request {
            PrepRequest::Client(Request::Multi { ops }) => self.multi(ops),
            PrepRequest::Client(Request::SetAcl { path, acl, version }) => self.set_acl(path, acl, version),
            PrepRequest::Client(Request::CloseSession) | PrepRequest::CloseSession => Ok(self.close_session()),
            // Alone it is not a request (3.8 takes it for one, and then never answers).
            PrepRequest::Client(Request::Check { .. }) => Err(ZkError::Unimplemented),
            PrepRequest::Client(Request::Reconfig { .. }) => Err(ZkError::ReconfigDisabled),
            PrepRequest::Reconfig { members, local } => {
                self.local = local;
                self.reconfig(members)
            }
            PrepRequest::Client(request) => self.op(request),
            PrepRequest::LocalClient(request) => {
                self.local = true;
                self.body(PrepRequest::Client(request))
            }
            PrepRequest::CreateSession { timeout_ms } => {
                self.draft.set_session(self.session, true);
                Ok(TxnBody::CreateSession { timeout_ms })
            }
            PrepRequest::DeleteContainer { path } => self.delete_container(path),
            PrepRequest::Refused(error) => Err(error),
        }
    }

    /// An operation that may stand alone or in a multi.
    fn op(&mut self, request: Request) -> Result<TxnBody, ZkError> {
        match request {
            Request::Create { op, path, data, acl, flags } => self.create(op, path, data, acl, flags, None),
            Request::CreateTtl { path, data, acl, flags, ttl_ms } => {
                self.create(OpCode::CreateTtl, path, data, acl, flags, Some(ttl_ms))
            }
            Request::Delete { path, version } => self.delete(path, version),
            Request::SetData { path, data, version } => self.set_data(path, data, version),
            Request::Check { path, version } => self.check(path, version),
            _ => Err(ZkError::MarshallingError),
        }
    }

    /// All or nothing: each operation is checked against what those before it leave. When one fails, all are taken
    /// back; those before it are logged as they are, it and those behind as errors.
    ///
    /// # Errors
    /// [`ZkError::BadArguments`] as soon as it is too large, as [`bounded`]: each operation's access list may become as
    /// large as any field.
    fn multi(&mut self, ops: Vec<Request>) -> Result<TxnBody, ZkError> {
        let digest = self.draft.digest();
        let mut failed = false;
        let mut size = 0;
        let mut txns = Vec::with_capacity(ops.len());
        for op in ops {
            let error = if failed { Err(ZkError::RuntimeInconsistency) } else { self.op(op) };
            failed |= error.is_err();
            let txn = error.unwrap_or_else(|error| TxnBody::Error { code: error.code() });
            size += txn.encoded_len();
            if size > self.room {
                self.draft.undo(digest);
                return Err(ZkError::BadArguments);
            }
            txns.push(txn);
        }
        if failed {
            self.draft.undo(digest);
        }
        Ok(TxnBody::Multi { txns })
    }

    fn check_session(&self) -> Result<(), ZkError> {
        if self.local { Ok(()) } else { self.check_global_session() }
    }

    fn check_global_session(&self) -> Result<(), ZkError> {
        if self.draft.is_live(self.session) { Ok(()) } else { Err(ZkError::SessionExpired) }
    }

    fn check_access(&mut self, node: &Known, perms: i32) -> Result<(), ZkError> {
        if self.verdicts.permits(&node.acl, perms) { Ok(()) } else { Err(ZkError::NoAuth) }
    }

    /// Whether the nearest quota leaves room for so many more znodes, and for data of `now` bytes instead of `before`.
    /// As in Apache's server this looks at what is committed: requests in flight may overshoot by what they add.
    fn check_quota(&mut self, path: &str, znodes: i64, now: usize, before: usize) -> Result<(), ZkError> {
        let Some((of, quota)) = self.draft.tree.quota_above(path) else { return Ok(()) };
        let bytes = i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX);
        let Some(excess) = quota.excess(znodes, bytes) else { return Ok(()) };
        let refused = excess.hard && self.enforce_quota;
        self.over = Some(OverQuota { path: of.into(), excess, refused });
        if refused { Err(ZkError::QuotaExceeded) } else { Ok(()) }
    }

    fn node(&self, path: &str) -> Result<Known, ZkError> {
        self.draft.get(path).ok_or(ZkError::NoNode)
    }

    /// What kind of node a create makes, and whether a number is appended to its name.
    fn kind(&self, op: OpCode, flags: i32, ttl_ms: Option<i64>) -> Result<(Keeper, bool), ZkError> {
        let mode = CreateMode::from_flags(flags).ok_or(ZkError::BadArguments)?;
        let is_ttl = matches!(mode, CreateMode::PersistentTtl | CreateMode::PersistentSequentialTtl);
        if is_ttl && !self.extended_types {
            return Err(ZkError::Unimplemented);
        }
        let keeper = match (op, ttl_ms) {
            (_, Some(ttl)) if is_ttl && (1..=MAX_TTL_MS).contains(&ttl) => Keeper::Ttl(ttl),
            // A TTL needs its own opcode, and that opcode a TTL.
            _ if is_ttl || ttl_ms.is_some() => return Err(ZkError::BadArguments),
            (OpCode::CreateContainer, _) => Keeper::Container,
            _ if mode.is_ephemeral() => Keeper::Ephemeral(self.session),
            _ => Keeper::Persistent,
        };
        Ok((keeper, mode.is_sequential()))
    }

    fn create(
        &mut self,
        op: OpCode,
        mut path: String,
        data: Option<Bytes>,
        acl: Vec<Acl>,
        flags: i32,
        ttl_ms: Option<i64>,
    ) -> Result<TxnBody, ZkError> {
        let (keeper, sequential) = self.kind(op, flags, ttl_ms)?;
        match keeper {
            Keeper::Ephemeral(_) => self.check_global_session()?,
            _ => self.check_session()?,
        }
        let (parent_path, _) = path::split(&path).filter(|_| !path.contains('\0')).ok_or(ZkError::BadArguments)?;
        let acl = auth::fix_up(self.draft.tree.rules(), acl, self.auth)?;
        let parent = self.node(parent_path)?;
        self.check_access(&parent, perms::CREATE)?;
        let parent_path = parent_path.to_string();
        if sequential {
            path.push_str(&format!("{:010}", parent.stat.cversion));
        }
        path::validate(&path)?;
        if self.draft.exists(&path) {
            return Err(ZkError::NodeExists);
        }
        if matches!(parent.keeper, Keeper::Ephemeral(_)) {
            return Err(ZkError::NoChildrenForEphemerals);
        }
        self.check_quota(&path, 1, data.as_ref().map_or(0, Bytes::len), 0)?;
        let parent_cversion = parent.stat.cversion.wrapping_add(1);
        let content = (data.as_deref(), self.shared(&acl));
        self.draft.create(&path, (&parent_path, parent), content, keeper, parent_cversion);
        Ok(match keeper {
            Keeper::Container => TxnBody::CreateContainer { path, data, acl, parent_cversion },
            Keeper::Ttl(ttl_ms) => TxnBody::CreateTtl { path, data, acl, parent_cversion, ttl_ms },
            Keeper::Persistent | Keeper::Ephemeral(_) => TxnBody::Create {
                v2: op == OpCode::Create2,
                path,
                data,
                acl,
                ephemeral: keeper != Keeper::Persistent,
                parent_cversion,
            },
        })
    }

    fn shared(&self, list: &[Acl]) -> Arc<[Acl]> {
        self.draft.tree.acls().find(list).cloned().unwrap_or_else(|| list.into())
    }

    fn delete(&mut self, path: String, version: i32) -> Result<TxnBody, ZkError> {
        self.check_session()?;
        let (parent_path, _) = path::split(&path)
            .filter(|_| !path.contains('\0') && !path::is_special(&path))
            .ok_or(ZkError::BadArguments)?;
        let parent = self.node(parent_path)?;
        self.check_access(&parent, perms::DELETE)?;
        let node = self.node(&path)?;
        check_version(node.stat.version, version)?;
        if node.children > 0 {
            return Err(ZkError::NotEmpty);
        }
        self.draft.delete(&path, &node, (parent_path, parent));
        Ok(TxnBody::Delete { container: false, path })
    }

    fn delete_container(&mut self, path: String) -> Result<TxnBody, ZkError> {
        let (parent_path, _) = path::split(&path).filter(|_| !path::is_special(&path)).ok_or(ZkError::BadArguments)?;
        let node = self.node(&path)?;
        if node.children > 0 {
            return Err(ZkError::NotEmpty);
        }
        if !node.keeper.is_unattended() {
            return Err(ZkError::BadVersion);
        }
        let parent = self.node(parent_path)?;
        self.draft.delete(&path, &node, (parent_path, parent));
        Ok(TxnBody::Delete { container: true, path })
    }

    fn set_data(&mut self, path: String, data: Option<Bytes>, version: i32) -> Result<TxnBody, ZkError> {
        self.check_session()?;
        path::validate(&path)?;
        let node = self.node(&path)?;
        self.check_access(&node, perms::WRITE)?;
        self.check_quota(&path, 0, data.as_ref().map_or(0, Bytes::len), node.length)?;
        let version = check_version(node.stat.version, version)?;
        self.draft.set_data(&path, node, data.as_deref(), version);
        Ok(TxnBody::SetData { reconfig: false, path, data, version })
    }

    /// The configuration is written like any znode's data, by whoever may write it.
    fn reconfig(&mut self, members: Result<Box<Ensemble>, ZkError>) -> Result<TxnBody, ZkError> {
        if members == Err(ZkError::ReconfigDisabled) {
            return Err(ZkError::ReconfigDisabled);
        }
        self.check_session()?;
        let members = members?.with_version(self.draft.zxid.0);
        let node = self.node(path::CONFIG)?;
        self.check_access(&node, perms::WRITE)?;
        let text = Bytes::from(members.text());
        self.draft.set_data(path::CONFIG, node, Some(&text), -1);
        Ok(TxnBody::SetData { reconfig: true, path: path::CONFIG.into(), data: Some(text), version: -1 })
    }

    fn set_acl(&mut self, path: String, acl: Vec<Acl>, version: i32) -> Result<TxnBody, ZkError> {
        self.check_session()?;
        path::validate(&path)?;
        let acl = auth::fix_up(self.draft.tree.rules(), acl, self.auth)?;
        let node = self.node(&path)?;
        self.check_access(&node, perms::ADMIN)?;
        let version = check_version(node.stat.aversion, version)?;
        let shared = self.shared(&acl);
        self.draft.set_acl(&path, node, shared, version);
        Ok(TxnBody::SetAcl { path, acl, version })
    }

    fn check(&mut self, path: String, version: i32) -> Result<TxnBody, ZkError> {
        self.check_session()?;
        path::validate(&path)?;
        let node = self.node(&path)?;
        self.check_access(&node, perms::READ)?;
        // What is logged is the version plus one, as Apache does.
        let version = check_version(node.stat.version, version)?;
        Ok(TxnBody::Check { path, version })
    }

    fn close_session(&mut self) -> TxnBody {
        let paths = self.draft.ephemerals_of(self.session);
        for path in &paths {
            let parent = path::split(path).and_then(|(parent, _)| Some((parent, self.draft.get(parent)?)));
            if let (Some(node), Some(parent)) = (self.draft.get(path), parent) {
                self.draft.delete(path, &node, parent);
            }
        }
        self.draft.set_session(self.session, false);
        TxnBody::CloseSession { paths: Some(paths.iter().map(|path| path.to_string()).collect()) }
    }
}

/// The version behind `current`, if `expected` is that or -1.
fn check_version(current: i32, expected: i32) -> Result<i32, ZkError> {
    if expected == -1 || expected == current { Ok(current.wrapping_add(1)) } else { Err(ZkError::BadVersion) }
}
