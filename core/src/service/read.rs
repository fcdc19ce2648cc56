//! Reads: answered from what is applied at this server, and the watches they set.

use super::watch::{Watch, WatchRegistry};
use crate::auth::{self, Verdicts};
use crate::error::ZkError;
use crate::id::{LinkId, SessionId, Zxid};
use crate::tree::{Applied, Node, Tree, path};
use crate::wire::client::{EventKind, OpResult, Outcome, Request, Response, WatchLists, WatcherEvent};
use crate::wire::record::{Id, perms};
use crate::wire::txn::Txn;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The most that a multiRead may answer, in bytes of data and of children's names: its members may all ask for the
/// same large znode, so that what it asks does not bound what it is told. Far beyond what any client's
/// `jute.maxbuffer` lets in.
pub const MULTI_READ_MAX: usize = 64 << 20;

/// What a child's name takes in memory besides its text, at least.
const NAME_COST: usize = 40;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The connection, to which watches belong.
    pub link: LinkId,
    /// Its session.
    pub session: SessionId,
    /// The identities it has proved.
    pub auth: &'a [Id],
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Events to send before the reply (only setWatches has any).
    pub events: Vec<WatcherEvent>,
    /// The reply.
    pub outcome: Outcome,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        Answer { events: Vec::new(), outcome }
    }
}

/// What a server answers reads from: the tree and the watches on it, which change together.
///
/// A driver with many connections may keep it behind a lock: [`ReadState::apply`] and [`ReadState::answer`] need it
/// alone, [`ReadState::answer_shared`] does not. The events that `apply` fires must stand in the connections' queues
/// before anybody reads again: a client then never sees new data before the event that tells of it.
#[derive(Clone, Debug, Default)]
pub struct ReadState {
    /// What is applied here.
    pub tree: Tree,
    /// Who wants to be told of changes.
    pub watches: WatchRegistry,
}

impl ReadState {
    /// A server's state over `tree`, without watches.
    pub fn new(tree: Tree) -> ReadState {
        ReadState { tree, watches: WatchRegistry::new() }
    }

    /// Applies a committed transaction and appends the watch events it fires, in their order, to `fired`.
    pub fn apply(&mut self, txn: &Txn, fired: &mut Vec<(LinkId, WatcherEvent)>) -> Applied {
        let applied = self.tree.apply(txn);
        if !self.watches.is_empty() {
            let rules = self.tree.rules();
            applied.changes.iter().for_each(|change| self.watches.fire(rules, change, fired));
        }
        applied
    }

    /// Answers a read that leaves the watches as they are. `None` if the request needs [`ReadState::answer`].
    pub fn answer_shared(&self, asker: Asker<'_>, request: &Request) -> Option<Outcome> {
        if moves_watches(request) { None } else { Some(self.read(asker, request)) }
    }

    /// Answers a read and does to the watches what it asks for: exists sets one also when there is no such node,
    /// other reads only together with an answer. What is not a read is answered with [`ZkError::Unimplemented`].
    pub fn answer(&mut self, asker: Asker<'_>, request: &Request) -> Answer {
        match request {
            Request::SetWatches { relative, data, exist, child } => {
                let lists = [data, exist, child].map(Vec::as_slice);
                let events = self.set_watches(asker, *relative, lists);
                return Answer { events, outcome: Ok(Response::Empty) };
            }
            Request::SetWatches2(lists) => {
                let WatchLists { relative, data, exist, child, persistent, recursive } = &**lists;
                let events = self.set_watches(asker, *relative, [data, exist, child].map(Vec::as_slice));
                persistent.iter().for_each(|path| self.watches.set(asker, path, Watch::Persistent));
                recursive.iter().for_each(|path| self.watches.set(asker, path, Watch::Recursive));
                return Answer { events, outcome: Ok(Response::Empty) };
            }
            Request::AddWatch { path, mode } => {
                self.watches.set(asker, path, Watch::from(*mode));
                return Ok(Response::Code(0)).into();
            }
            Request::RemoveWatches { path, kind } => {
                let removed = self.watches.remove(asker.link, path, *kind);
                return removed.then_some(Response::Empty).ok_or(ZkError::NoWatcher).into();
            }
            _ => {}
        }
        let outcome = self.read(asker, request);
        match request {
            Request::Exists { path, watch: true } if matches!(outcome, Ok(_) | Err(ZkError::NoNode)) => {
                self.watches.set(asker, path, Watch::Data);
            }
            Request::GetData { path, watch: true } if outcome.is_ok() => self.watches.set(asker, path, Watch::Data),
            Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true }
                if outcome.is_ok() =>
            {
                self.watches.set(asker, path, Watch::Child);
            }
            _ => {}
        }
        outcome.into()
    }

    fn read(&self, asker: Asker<'_>, request: &Request) -> Outcome {
        let ids = asker.auth;
        match request {
            Request::Exists { path, .. } => {
                if path.contains('\0') {
                    return Err(ZkError::BadArguments);
                }
                Ok(Response::Stat(self.readable(path, perms::READ, ids)?.stat()))
            }
            Request::GetData { path, .. } => {
                let node = self.readable(path, perms::READ, ids)?;
                Ok(Response::Data(node.data().cloned(), node.stat()))
            }
            Request::GetAcl { path } => {
                let node = self.readable(path, perms::READ | perms::ADMIN, ids)?;
                let list = self.tree.acls().list(node.acl_key());
                let all = auth::permits(self.tree.rules(), &list, perms::ADMIN, ids);
                let list = if all { list.to_vec() } else { auth::masked(&list) };
                Ok(Response::Acl(list, node.stat()))
            }
            Request::GetChildren { path, .. } => {
                Ok(Response::Children(names(self.readable(path, perms::READ, ids)?)))
            }
            Request::GetChildren2 { path, .. } => {
                let node = self.readable(path, perms::READ, ids)?;
                Ok(Response::Children2(names(node), node.stat()))
            }
            Request::GetAllChildrenNumber { path } => {
                self.readable(path, perms::READ, ids)?;
                let number = self.tree.count_below(path);
                Ok(Response::Number(i32::try_from(number).unwrap_or(i32::MAX)))
            }
            Request::GetEphemerals { prefix } => {
                Ok(Response::Children(self.ephemerals(asker.session, prefix.as_deref())))
            }
            Request::MultiRead { ops } => self.multi_read(asker, ops),
            Request::CheckWatches { path, kind } => {
                let found = self.watches.has(asker.link, path, *kind);
                found.then_some(Response::Empty).ok_or(ZkError::NoWatcher)
            }
            Request::WhoAmI => Ok(Response::Identities(auth::who(ids))),
            _ => Err(ZkError::Unimplemented),
        }
    }

    fn readable(&self, path: &str, perms: i32, ids: &[Id]) -> Result<&Node, ZkError> {
        let node = self.tree.get(path).ok_or(ZkError::NoNode)?;
        if self.tree.permits(node, perms, ids) { Ok(node) } else { Err(ZkError::NoAuth) }
    }

    /// The session's own ephemerals whose paths begin with `prefix`, which is text and no path: `/a` is one of `/ab`.
    /// None, blank or `/`: all of them.
    fn ephemerals(&self, session: SessionId, prefix: Option<&str>) -> Vec<String> {
        let prefix = match prefix {
            // What Java's trim takes away.
            Some(text) if !matches!(text.trim_matches(|c| c <= ' '), "" | path::ROOT) => text,
            _ => "",
        };
        let all = self.tree.ephemerals_of(session);
        all.filter(|path| path.starts_with(prefix)).map(|path| path.to_string()).collect()
    }

    /// All members are answered from one state; what one is refused does not stop the others (client-protocol §11).
    fn multi_read(&self, asker: Asker<'_>, ops: &[Request]) -> Outcome {
        let mut verdicts = Verdicts::new(self.tree.rules(), asker.auth);
        let mut size = 0;
        let mut results = Vec::with_capacity(ops.len());
        for op in ops {
            let (Request::GetData { path, .. } | Request::GetChildren { path, .. }) = op else {
                return Err(ZkError::MarshallingError);
            };
            results.push(match self.tree.get(path) {
                None => OpResult::Error(ZkError::NoNode.code()),
                Some(node) if !may_read(&self.tree, &mut verdicts, node) => OpResult::Error(ZkError::NoAuth.code()),
                Some(node) if matches!(op, Request::GetData { .. }) => {
                    let data = node.data().cloned();
                    size += data.as_ref().map_or(0, |data| data.len());
                    OpResult::Data(data, node.stat())
                }
                Some(node) => {
                    size += node.children().iter().map(|name| NAME_COST + name.len()).sum::<usize>();
                    if size > MULTI_READ_MAX {
                        return Err(ZkError::MarshallingError);
                    }
                    OpResult::Children(names(node))
                }
            });
            if size > MULTI_READ_MAX {
                return Err(ZkError::MarshallingError);
            }
        }
        Ok(Response::Multi(results))
    }

    /// A client that was away sets its one-shot watches again, in the order data, exist, child: it is told of what
    /// changed since `relative`, and of the rest the watch is set (client-protocol §8.5). A change of a znode that it may
    /// not read uses up the watch without a word, as it does when the watch is there ([`WatchRegistry::fire`]).
    fn set_watches(&mut self, asker: Asker<'_>, relative: Zxid, lists: [&[String]; 3]) -> Vec<WatcherEvent> {
        let [data, exist, child] = lists;
        let ReadState { tree, watches } = self;
        let mut verdicts = Verdicts::new(tree.rules(), asker.auth);
        let mut events = Vec::new();
        let mut tell_or_watch = |path: &String, node: Option<&Node>, missed: Option<EventKind>, watch| match missed {
            None => watches.set(asker, path, watch),
            Some(kind) => {
                if node.is_none_or(|node| may_read(tree, &mut verdicts, node)) {
                    events.push(WatcherEvent { kind, path: path.as_str().into() });
                }
            }
        };
        for path in data {
            let node = tree.get(path);
            let missed = match node {
                None => Some(EventKind::Deleted),
                Some(node) if node.persisted().mzxid > relative => Some(EventKind::DataChanged),
                Some(_) => None,
            };
            tell_or_watch(path, node, missed, Watch::Data);
        }
        for path in exist {
            let node = tree.get(path);
            tell_or_watch(path, node, node.map(|_| EventKind::Created), Watch::Data);
        }
        for path in child {
            let node = tree.get(path);
            let missed = match node {
                None => Some(EventKind::Deleted),
                Some(node) if node.persisted().pzxid > relative => Some(EventKind::ChildrenChanged),
                Some(_) => None,
            };
            tell_or_watch(path, node, missed, Watch::Child);
        }
        events
    }
}

impl WatchRegistry {
    /// Sets a watch of the asker, whose identities decide later what it is told.
    fn set(&mut self, asker: Asker<'_>, path: &str, watch: Watch) {
        self.add(asker.link, path, watch);
        self.set_auth(asker.link, asker.auth);
    }
}

/// Nobody may if its list is not known.
fn may_read(tree: &Tree, verdicts: &mut Verdicts<'_>, node: &Node) -> bool {
    tree.acls().get(node.acl_key()).is_some_and(|list| verdicts.permits(list, perms::READ))
}

/// Whether a request sets or removes watches, if it is granted: only [`ReadState::answer`] can answer it.
pub const fn moves_watches(request: &Request) -> bool {
    matches!(
        request,
        Request::Exists { watch: true, .. }
            | Request::GetData { watch: true, .. }
            | Request::GetChildren { watch: true, .. }
            | Request::GetChildren2 { watch: true, .. }
            | Request::SetWatches { .. }
            | Request::SetWatches2(_)
            | Request::AddWatch { .. }
            | Request::RemoveWatches { .. }
    )
}

fn names(node: &Node) -> Vec<String> {
    node.children().iter().map(|name| name.to_string()).collect()
}

#[cfg(test)]
mod tests;
