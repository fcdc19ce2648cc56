//! The tree as client-protocol.md describes it: a map from paths to znodes, one change after the other, every check
//! written out in its order. It shares no code with the servers' tree.

use super::access;
use crate::collections::{BTreeMap, BTreeSet};
use crate::config::ServiceRules;
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::wire::client::{EventKind, OpResult, Outcome, Request, Response};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Id, Stat, perms};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

/// What keeps a znode alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Persistent,
    Ephemeral(SessionId),
    Container,
    Ttl(i64),
}

/// A znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub data: Option<Bytes>,
    pub acl: Vec<Acl>,
    pub life: Life,
    pub czxid: i64,
    pub mzxid: i64,
    pub pzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub aversion: i32,
    /// Creations of children, ever: the number of the next sequential one.
    pub created: i32,
    pub children: BTreeSet<String>,
}

impl Node {
    /// client-protocol §7.
    pub fn stat(&self) -> Stat {
        let children = self.children.len() as i32;
        Stat {
            czxid: Zxid(self.czxid),
            mzxid: Zxid(self.mzxid),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.created.wrapping_mul(2).wrapping_sub(children),
            aversion: self.aversion,
            ephemeral_owner: if let Life::Ephemeral(session) = self.life { session.0 } else { 0 },
            data_length: self.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children: children,
            pzxid: Zxid(self.pzxid),
        }
    }
}

/// A change that watches wait for, and whom it may be told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub kind: EventKind,
    pub path: String,
    pub acl: Vec<Acl>,
}

/// Whose request it is, and when it happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub session: SessionId,
    pub auth: &'a [Id],
    pub zxid: i64,
    pub time: i64,
}

/// Every state that the tree has had.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// By path, from each zxid on.
    nodes: BTreeMap<String, Vec<(i64, Option<Node>)>>,
    /// What the transaction under way has changed.
    draft: BTreeMap<String, Option<Node>>,
    changes: Vec<Change>,
    rules: ServiceRules,
    pub sessions: BTreeSet<SessionId>,
}

const CONFIG: &str = "/zookeeper/config";

impl Tree {
    /// A fresh database.
    pub fn new(rules: &ServiceRules) -> Tree {
        let node = |children: &[&str], perms| Node {
            data: Some(Bytes::new()),
            acl: alloc::vec![Acl { perms, ..Acl::open().remove(0) }],
            life: Life::Persistent,
            czxid: 0,
            mzxid: 0,
            pzxid: 0,
            ctime: 0,
            mtime: 0,
            version: 0,
            aversion: 0,
            created: 0,
            children: children.iter().map(|name| name.to_string()).collect(),
        };
        let built_in = [
            ("/", node(&["zookeeper"], perms::ALL)),
            ("/zookeeper", node(&["config", "quota"], perms::ALL)),
            ("/zookeeper/quota", node(&[], perms::ALL)),
            // What it holds is the servers' own affair.
            (CONFIG, node(&[], perms::READ)),
        ];
        let nodes = built_in.map(|(path, node)| (path.to_string(), alloc::vec![(0, Some(node))])).into();
        Tree { nodes, draft: BTreeMap::new(), changes: Vec::new(), rules: rules.clone(), sessions: BTreeSet::new() }
    }

    /// The znode as it was when everything up to `zxid` had happened. The empty path is the root's too.
    pub fn at(&self, zxid: i64, path: &str) -> Option<&Node> {
        let states = self.nodes.get(if path.is_empty() { "/" } else { path })?;
        let (_, node) = states.iter().rev().find(|(from, _)| *from <= zxid)?;
        node.as_ref()
    }

    /// The paths that exist at `zxid`.
    pub fn paths_at(&self, zxid: i64) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str).filter(move |path| self.at(zxid, path).is_some())
    }

    fn get(&self, path: &str) -> Result<&Node, ZkError> {
        let path = if path.is_empty() { "/" } else { path };
        match self.draft.get(path) {
            Some(node) => node.as_ref(),
            None => self.nodes.get(path).and_then(|states| states.last()).and_then(|(_, node)| node.as_ref()),
        }
        .ok_or(ZkError::NoNode)
    }

    fn change(&mut self, path: &str, with: impl FnOnce(&mut Node)) {
        let path = if path.is_empty() { "/" } else { path };
        if let Ok(mut node) = self.get(path).cloned() {
            with(&mut node);
            self.draft.insert(path.into(), Some(node));
        }
    }

    fn tell(&mut self, kind: EventKind, path: &str, acl: Vec<Acl>) {
        self.changes.push(Change { kind, path: if path.is_empty() { "/" } else { path }.into(), acl });
    }

    /// Does what a client asked; its answer, and what changed in order.
    pub fn write(&mut self, case: Case<'_>, request: &Request) -> (Outcome, Vec<Change>) {
        let outcome = match request {
            Request::Multi { ops } => Ok(Response::Multi(self.multi(case, ops))),
            Request::SetAcl { path, acl, version } => self.set_acl(case, path, acl, *version).map(Response::Stat),
            Request::Check { .. } => Err(ZkError::Unimplemented),
            request => self.op(case, request).map(|result| match result {
                OpResult::Create(path) => Response::Path(path),
                OpResult::Create2(path, stat) => Response::PathStat(path, stat),
                OpResult::SetData(stat) => Response::Stat(stat),
                _ => Response::Empty,
            }),
        };
        (outcome, self.keep(case.zxid))
    }

    /// The end of a session, asked for or decided: its ephemerals go with it, in no order.
    pub fn close_session(&mut self, zxid: i64, session: SessionId) -> Vec<Change> {
        self.sessions.remove(&session);
        for path in self.ephemerals(i64::MAX, session) {
            self.remove(zxid, &path);
        }
        self.keep(zxid)
    }

    /// The leader takes a container or TTL znode away.
    ///
    /// # Errors
    /// Why it may not (client-protocol §10.3).
    pub fn take_away(&mut self, zxid: i64, time: i64, path: &str) -> Result<Vec<Change>, String> {
        let never_used = self.rules.containers.never_used.as_millis() as i64;
        let node = self.get(path).map_err(|_| format!("{path} does not exist"))?;
        if !node.children.is_empty() {
            return Err(format!("{path} has children"));
        }
        match node.life {
            // One that had children, or has waited long enough for them.
            Life::Container if node.created > 0 || (never_used > 0 && time - node.mtime > never_used) => {}
            Life::Ttl(ms) if time - node.mtime > ms => {}
            life => return Err(format!("{path} is {life:?} and was changed at {}, now it is {time}", node.mtime)),
        }
        self.remove(zxid, path);
        Ok(self.keep(zxid))
    }

    fn keep(&mut self, zxid: i64) -> Vec<Change> {
        for (path, node) in core::mem::take(&mut self.draft) {
            self.nodes.entry(path).or_default().push((zxid, node));
        }
        core::mem::take(&mut self.changes)
    }

    /// client-protocol §11: all or nothing.
    fn multi(&mut self, case: Case<'_>, ops: &[Request]) -> Vec<OpResult> {
        let mut results = Vec::new();
        for op in ops {
            match self.op(case, op) {
                Ok(result) => results.push(result),
                Err(error) => {
                    self.draft.clear();
                    self.changes.clear();
                    results.iter_mut().for_each(|result| *result = OpResult::Error(0));
                    results.push(OpResult::Error(error.code()));
                    results.resize(ops.len(), OpResult::Error(ZkError::RuntimeInconsistency.code()));
                    break;
                }
            }
        }
        results
    }

    /// What may stand in a multi (client-protocol §6, "Order of checks").
    fn op(&mut self, case: Case<'_>, request: &Request) -> Result<OpResult, ZkError> {
        match request {
            Request::Create { op, path, data, acl, flags } => {
                let life = match (*op, *flags) {
                    (_, 5 | 6) if !self.rules.owner_kinds.has_ttl() => return Err(ZkError::Unimplemented),
                    (OpCode::CreateContainer, 0..=4) => Life::Container,
                    (_, 0 | 2 | 4) => Life::Persistent,
                    (_, 1 | 3) => Life::Ephemeral(case.session),
                    _ => return Err(ZkError::BadArguments),
                };
                let path = self.create(case, path, data, acl, life, matches!(flags, 2 | 3))?;
                if *op == OpCode::Create {
                    return Ok(OpResult::Create(path));
                }
                let stat = self.get(&path)?.stat();
                Ok(OpResult::Create2(path, stat))
            }
            Request::CreateTtl { path, data, acl, flags, ttl_ms } => {
                match flags {
                    5 | 6 if !self.rules.owner_kinds.has_ttl() => return Err(ZkError::Unimplemented),
                    5 | 6 if (1..=0xff_ffff_ffff).contains(ttl_ms) => {}
                    _ => return Err(ZkError::BadArguments),
                }
                let path = self.create(case, path, data, acl, Life::Ttl(*ttl_ms), *flags == 6)?;
                let stat = self.get(&path)?.stat();
                Ok(OpResult::Create2(path, stat))
            }
            Request::Delete { path, version } => self.delete(case, path, *version).map(|()| OpResult::Delete),
            Request::SetData { path, data, version } => {
                self.check_session(case)?;
                check_path(path)?;
                let node = self.get(path)?;
                access::check(&node.acl, perms::WRITE, case.auth)?;
                check_version(node.version, *version)?;
                let acl = node.acl.clone();
                self.change(path, |node| {
                    node.data = data.clone();
                    node.version = node.version.wrapping_add(1);
                    node.mzxid = case.zxid;
                    node.mtime = case.time;
                });
                self.tell(EventKind::DataChanged, path, acl);
                Ok(OpResult::SetData(self.get(path)?.stat()))
            }
            Request::Check { path, version } => {
                self.check_session(case)?;
                check_path(path)?;
                let node = self.get(path)?;
                access::check(&node.acl, perms::READ, case.auth)?;
                check_version(node.version, *version)?;
                Ok(OpResult::Check)
            }
            _ => Err(ZkError::MarshallingError),
        }
    }

    fn create(
        &mut self,
        case: Case<'_>,
        path: &str,
        data: &Option<Bytes>,
        acl: &[Acl],
        life: Life,
        numbered: bool,
    ) -> Result<String, ZkError> {
        self.check_session(case)?;
        let slash = path.rfind('/').filter(|_| !path.contains('\0')).ok_or(ZkError::BadArguments)?;
        let acl = access::fix_up(acl, case.auth)?;
        let above = path[..slash].to_string();
        let parent = self.get(&above)?;
        access::check(&parent.acl, perms::CREATE, case.auth)?;
        let path = if numbered { format!("{path}{:010}", parent.created) } else { path.to_string() };
        check_path(&path)?;
        if self.get(&path).is_ok() {
            return Err(ZkError::NodeExists);
        }
        if matches!(parent.life, Life::Ephemeral(_)) {
            return Err(ZkError::NoChildrenForEphemerals);
        }
        let parent_acl = parent.acl.clone();
        let node = Node {
            data: data.clone(),
            acl: acl.clone(),
            life,
            czxid: case.zxid,
            mzxid: case.zxid,
            pzxid: case.zxid,
            ctime: case.time,
            mtime: case.time,
            version: 0,
            aversion: 0,
            created: 0,
            children: BTreeSet::new(),
        };
        self.draft.insert(path.clone(), Some(node));
        self.change(&above, |parent| {
            parent.children.insert(path[slash + 1..].into());
            parent.created = parent.created.wrapping_add(1);
            parent.pzxid = case.zxid;
        });
        self.tell(EventKind::Created, &path, acl);
        self.tell(EventKind::ChildrenChanged, &above, parent_acl);
        Ok(path)
    }

    fn delete(&mut self, case: Case<'_>, path: &str, version: i32) -> Result<(), ZkError> {
        self.check_session(case)?;
        let slash = path.rfind('/').filter(|_| !path.contains('\0')).ok_or(ZkError::BadArguments)?;
        if matches!(path, "/" | "/zookeeper" | "/zookeeper/quota" | CONFIG) {
            return Err(ZkError::BadArguments);
        }
        access::check(&self.get(&path[..slash])?.acl, perms::DELETE, case.auth)?;
        let node = self.get(path)?;
        check_version(node.version, version)?;
        if !node.children.is_empty() {
            return Err(ZkError::NotEmpty);
        }
        self.remove(case.zxid, path);
        Ok(())
    }

    fn remove(&mut self, zxid: i64, path: &str) {
        let Ok(acl) = self.get(path).map(|node| node.acl.clone()) else { return };
        let (above, name) = path.rsplit_once('/').unwrap_or_default();
        self.draft.insert(path.into(), None);
        self.change(above, |parent| {
            parent.children.remove(name);
            parent.pzxid = zxid;
        });
        self.tell(EventKind::Deleted, path, acl);
        let parent_acl = self.get(above).map(|parent| parent.acl.clone()).unwrap_or_default();
        self.tell(EventKind::ChildrenChanged, above, parent_acl);
    }

    fn set_acl(&mut self, case: Case<'_>, path: &str, acl: &[Acl], version: i32) -> Result<Stat, ZkError> {
        self.check_session(case)?;
        check_path(path)?;
        let acl = access::fix_up(acl, case.auth)?;
        let node = self.get(path)?;
        access::check(&node.acl, perms::ADMIN, case.auth)?;
        check_version(node.aversion, version)?;
        self.change(path, |node| {
            node.acl = acl;
            node.aversion = node.aversion.wrapping_add(1);
        });
        Ok(self.get(path)?.stat())
    }

    fn check_session(&self, case: Case<'_>) -> Result<(), ZkError> {
        if self.sessions.contains(&case.session) { Ok(()) } else { Err(ZkError::SessionExpired) }
    }

    /// The answer to a read when everything up to `zxid` has happened. Lists are sorted. `None` for what is no read.
    pub fn read(&self, zxid: i64, session: SessionId, auth: &[Id], request: &Request) -> Option<Outcome> {
        let node = |path: &str, perms| {
            let node = self.at(zxid, path).ok_or(ZkError::NoNode)?;
            access::check(&node.acl, perms, auth).map(|()| node)
        };
        let children = |node: &Node| node.children.iter().cloned().collect::<Vec<_>>();
        Some(match request {
            Request::Exists { path, .. } if path.contains('\0') => Err(ZkError::BadArguments),
            Request::Exists { path, .. } => node(path, perms::READ).map(|node| Response::Stat(node.stat())),
            Request::GetData { path, .. } => {
                node(path, perms::READ).map(|node| Response::Data(node.data.clone(), node.stat()))
            }
            Request::GetChildren { path, .. } => node(path, perms::READ).map(|node| Response::Children(children(node))),
            Request::GetChildren2 { path, .. } => {
                node(path, perms::READ).map(|node| Response::Children2(children(node), node.stat()))
            }
            Request::GetAcl { path } => node(path, perms::READ | perms::ADMIN).map(|node| {
                let admin = access::check(&node.acl, perms::ADMIN, auth).is_ok();
                Response::Acl(if admin { node.acl.clone() } else { access::hide(&node.acl) }, node.stat())
            }),
            Request::GetAllChildrenNumber { path } => node(path, perms::READ).map(|_| {
                let below = if matches!(path.as_str(), "" | "/") { "/".into() } else { format!("{path}/") };
                let count = self.paths_at(zxid).filter(|other| other.starts_with(&below) && *other != "/").count();
                Response::Number(count as i32)
            }),
            Request::GetEphemerals { prefix } => {
                let prefix = prefix.as_deref().map(str::trim).filter(|prefix| !matches!(*prefix, "" | "/"));
                let mut paths = self.ephemerals(zxid, session);
                paths.retain(|path| prefix.is_none_or(|prefix| path.starts_with(prefix)));
                Ok(Response::Children(paths))
            }
            Request::MultiRead { ops } => {
                let result = |op| match self.read(zxid, session, auth, op)? {
                    Ok(Response::Children(names)) => Some(OpResult::Children(names)),
                    Ok(Response::Data(data, stat)) => Some(OpResult::Data(data, stat)),
                    Ok(_) => None,
                    Err(error) => Some(OpResult::Error(error.code())),
                };
                Ok(Response::Multi(ops.iter().map(result).collect::<Option<_>>()?))
            }
            Request::Sync { path } => Ok(Response::Path(path.clone())),
            _ => return None,
        })
    }

    fn ephemerals(&self, zxid: i64, session: SessionId) -> Vec<String> {
        let owned = |path: &&str| self.at(zxid, path).is_some_and(|node| node.life == Life::Ephemeral(session));
        self.paths_at(zxid).filter(owned).map(String::from).collect()
    }
}

fn check_version(current: i32, expected: i32) -> Result<(), ZkError> {
    if expected == -1 || expected == current { Ok(()) } else { Err(ZkError::BadVersion) }
}

/// client-protocol §10.1.
fn check_path(path: &str) -> Result<(), ZkError> {
    // As Java sees it: in units of 16 bits, of which larger characters take two, both surrogates.
    let is_forbidden = |unit: u16| {
        unit <= 0x1f || (0x7f..=0x9f).contains(&unit) || (0xd800..=0xf8ff).contains(&unit) || unit >= 0xfff0
    };
    let fine = match path.strip_prefix('/') {
        Some("") => true,
        Some(rest) => {
            rest.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.encode_utf16().any(is_forbidden))
        }
        None => false,
    };
    if fine { Ok(()) } else { Err(ZkError::BadArguments) }
}
