//! Reads: answered from what is applied at this server, and the watches they set.

use super::watch::WatchRegistry;
use crate::error::ZkError;
use crate::id::{LinkId, SessionId, Zxid};
use crate::tree::{Applied, Node, Tree, acl};
use crate::wire::client::{EventKind, Outcome, Request, Response, WatcherEvent};
use crate::wire::record::{Id, perms};
use crate::wire::txn::Txn;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

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
            applied.changes.iter().for_each(|change| self.watches.fire(change, fired));
        }
        applied
    }

    /// Answers a read that sets no watch: exists, getData, getACL, getChildren and getChildren2 without one. `None` if
    /// the request needs [`ReadState::answer`].
    pub fn answer_shared(&self, auth: &[Id], request: &Request) -> Option<Outcome> {
        match request {
            Request::Exists { watch: true, .. }
            | Request::GetData { watch: true, .. }
            | Request::GetChildren { watch: true, .. }
            | Request::GetChildren2 { watch: true, .. }
            | Request::SetWatches { .. } => None,
            request => Some(self.read(auth, request)),
        }
    }

    /// Answers a read and sets the watch it asks for: of exists also when there is no such node, of the others only
    /// together with an answer. What is not a read is answered with [`ZkError::Unimplemented`].
    pub fn answer(&mut self, asker: Asker<'_>, request: &Request) -> Answer {
        if let Request::SetWatches { relative, data, exist, child } = request {
            self.watches.set_auth(asker.link, asker.auth);
            let events = self.set_watches(asker.link, *relative, data, exist, child);
            return Answer { events, outcome: Ok(Response::Empty) };
        }
        let outcome = self.read(asker.auth, request);
        match request {
            Request::Exists { path, watch: true } if matches!(outcome, Ok(_) | Err(ZkError::NoNode)) => {
                self.watches.set_auth(asker.link, asker.auth);
                self.watches.add_data(asker.link, path);
            }
            Request::GetData { path, watch: true } if outcome.is_ok() => {
                self.watches.set_auth(asker.link, asker.auth);
                self.watches.add_data(asker.link, path);
            }
            Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true }
                if outcome.is_ok() =>
            {
                self.watches.set_auth(asker.link, asker.auth);
                self.watches.add_child(asker.link, path);
            }
            _ => {}
        }
        outcome.into()
    }

    fn read(&self, auth: &[Id], request: &Request) -> Outcome {
        match request {
            Request::Exists { path, .. } => {
                if path.contains('\0') {
                    return Err(ZkError::BadArguments);
                }
                Ok(Response::Stat(self.readable(path, perms::READ, auth)?.stat()))
            }
            Request::GetData { path, .. } => {
                let node = self.readable(path, perms::READ, auth)?;
                Ok(Response::Data(node.data().cloned(), node.stat()))
            }
            Request::GetAcl { path } => {
                let node = self.readable(path, perms::READ | perms::ADMIN, auth)?;
                let list = self.tree.acls().list(node.acl_key());
                let list = if acl::permits(&list, perms::ADMIN, auth) { list.to_vec() } else { acl::masked(&list) };
                Ok(Response::Acl(list, node.stat()))
            }
            Request::GetChildren { path, .. } => {
                Ok(Response::Children(names(self.readable(path, perms::READ, auth)?)))
            }
            Request::GetChildren2 { path, .. } => {
                let node = self.readable(path, perms::READ, auth)?;
                Ok(Response::Children2(names(node), node.stat()))
            }
            _ => Err(ZkError::Unimplemented),
        }
    }

    fn readable(&self, path: &str, perms: i32, auth: &[Id]) -> Result<&Node, ZkError> {
        let node = self.tree.get(path).ok_or(ZkError::NoNode)?;
        if self.tree.permits(node, perms, auth) { Ok(node) } else { Err(ZkError::NoAuth) }
    }

    /// A client that was away sets its watches again: it is told of what changed since `relative`, and of the rest
    /// the watch is set (client-protocol.md §8.5).
    fn set_watches(
        &mut self,
        link: LinkId,
        relative: Zxid,
        data: &[String],
        exist: &[String],
        child: &[String],
    ) -> Vec<WatcherEvent> {
        let mut events = Vec::new();
        let mut tell = |kind, path: &String| events.push(WatcherEvent { kind, path: path.clone() });
        for path in data {
            match self.tree.get(path) {
                None => tell(EventKind::Deleted, path),
                Some(node) if node.persisted().mzxid > relative => tell(EventKind::DataChanged, path),
                Some(_) => self.watches.add_data(link, path),
            }
        }
        for path in exist {
            match self.tree.get(path) {
                None => self.watches.add_data(link, path),
                Some(_) => tell(EventKind::Created, path),
            }
        }
        for path in child {
            match self.tree.get(path) {
                None => tell(EventKind::Deleted, path),
                Some(node) if node.persisted().pzxid > relative => tell(EventKind::ChildrenChanged, path),
                Some(_) => self.watches.add_child(link, path),
            }
        }
        events
    }
}

fn names(node: &Node) -> Vec<String> {
    node.children().iter().map(|name| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::{Acl, Stat};
    use crate::wire::txn::{TxnBody, TxnHeader};
    use alloc::vec;
    use bytes::Bytes;

    const LINK: LinkId = LinkId(7);

    fn header(zxid: i64) -> TxnHeader {
        TxnHeader { session: SessionId(1), cxid: 0, zxid: Zxid(zxid), time_ms: zxid }
    }

    fn create(path: &str, acl: Vec<Acl>) -> TxnBody {
        let data = Some(Bytes::from_static(b"x"));
        TxnBody::Create { v2: false, path: path.into(), data, acl, ephemeral: false, parent_cversion: -1 }
    }

    fn user() -> Id {
        Id { scheme: "digest".into(), id: "u:h".into() }
    }

    /// `/open` and `/open/c` for all, `/shut` readable by the user only, `/admin` with only ADMIN for all.
    fn state() -> ReadState {
        let mut state = ReadState::default();
        let only = |perms, id| vec![Acl { perms, id }];
        let anyone = Id { scheme: "world".into(), id: "anyone".into() };
        let bodies = [
            create("/open", Acl::open()),
            create("/open/c", Acl::open()),
            create("/shut", only(perms::READ, user())),
            create("/admin", [only(perms::ADMIN, anyone), only(perms::READ, user())].concat()),
        ];
        for (body, zxid) in bodies.into_iter().zip(1..) {
            let txn = Txn { header: header(zxid), body, digest: None };
            state.apply(&txn, &mut Vec::new());
        }
        state
    }

    fn apply(state: &mut ReadState, zxid: i64, body: TxnBody) -> Vec<(EventKind, String)> {
        let mut fired = Vec::new();
        state.apply(&Txn { header: header(zxid), body, digest: None }, &mut fired);
        fired.into_iter().map(|(_, event)| (event.kind, event.path)).collect()
    }

    fn requests(path: &str, watch: bool) -> Vec<Request> {
        let path = || path.into();
        vec![
            Request::Exists { path: path(), watch },
            Request::GetData { path: path(), watch },
            Request::GetChildren { path: path(), watch },
            Request::GetChildren2 { path: path(), watch },
            Request::GetAcl { path: path() },
        ]
    }

    #[test]
    fn what_is_answered() {
        let state = state();
        let stat = |path: &str| -> Stat { state.tree.stat(path).expect("there") };
        let read = |path: &str, auth: &[Id]| -> Vec<Outcome> {
            let answers = requests(path, false).into_iter().map(|request| state.answer_shared(auth, &request));
            answers.map(|answer| answer.expect("no watch")).collect()
        };
        let open = stat("/open");
        let expected = vec![
            Ok(Response::Stat(open)),
            Ok(Response::Data(Some(Bytes::from_static(b"x")), open)),
            Ok(Response::Children(vec!["c".into()])),
            Ok(Response::Children2(vec!["c".into()], open)),
            Ok(Response::Acl(Acl::open(), open)),
        ];
        assert_eq!(read("/open", &[]), expected);
        assert_eq!(read("/none", &[]), vec![Err(ZkError::NoNode); 5]);
        assert_eq!(read("/shut", &[]), vec![Err(ZkError::NoAuth); 5]);
        assert!(read("/shut", &[user()]).iter().all(Result::is_ok));
        assert_eq!(read("", &[])[0], Ok(Response::Stat(stat("/"))));
        assert_eq!(read("/\0", &[])[0], Err(ZkError::BadArguments));

        let acl = |path: &str, auth: &[Id]| match &read(path, auth)[4] {
            Ok(Response::Acl(list, _)) => list.iter().map(|acl| acl.id.id.clone()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(acl("/shut", &[user()]), ["u:x"], "without ADMIN the secret is hidden");
        assert_eq!(acl("/admin", &[]), ["anyone", "u:h"]);
        assert_eq!(state.answer_shared(&[], &Request::Ping), Some(Err(ZkError::Unimplemented)));
    }

    #[test]
    fn what_sets_a_watch() {
        for (path, auth, sets) in [
            ("/open", vec![], [true, true, true, true, false]),
            ("/none", vec![], [true, false, false, false, false]),
            ("/shut", vec![], [false; 5]),
            ("/shut", vec![user()], [true, true, true, true, false]),
        ] {
            for (request, sets) in requests(path, true).iter().zip(sets) {
                let mut state = state();
                let asker = Asker { link: LINK, session: SessionId(1), auth: &auth };
                let shared = state.answer_shared(&auth, request);
                assert_eq!(shared.is_none(), !matches!(request, Request::GetAcl { .. }), "{request:?}");
                let answer = state.answer(asker, request);
                assert_eq!(state.watches.len(), usize::from(sets), "{request:?} {:?}", answer.outcome);
                assert!(answer.events.is_empty());
            }
        }
    }

    #[test]
    fn a_watch_fires_once_when_the_transaction_is_applied() {
        use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
        let mut state = state();
        let asker = Asker { link: LINK, session: SessionId(1), auth: &[] };
        let delete = |path: &str| TxnBody::Delete { container: false, path: path.into() };
        let set = || TxnBody::SetData { reconfig: false, path: "/open".into(), data: None, version: 1 };
        for request in [
            Request::Exists { path: "/new".into(), watch: true },
            Request::GetData { path: "/open".into(), watch: true },
            Request::GetChildren { path: "/".into(), watch: true },
            Request::GetChildren { path: "/open/c".into(), watch: true },
        ] {
            state.answer(asker, &request);
        }
        let new = || create("/new", Acl::open());
        assert_eq!(apply(&mut state, 10, new()), [(Created, "/new".into()), (ChildrenChanged, "/".into())]);
        assert_eq!(apply(&mut state, 11, set()), [(DataChanged, "/open".into())]);
        assert_eq!(apply(&mut state, 12, set()), []);
        assert_eq!(apply(&mut state, 13, delete("/open/c")), [(Deleted, "/open/c".into())]);
        assert!(state.watches.is_empty());
    }

    #[test]
    fn setting_watches_again_tells_what_was_missed() {
        use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
        let mut state = state();
        let list = |paths: &[&str]| paths.iter().map(|path| path.to_string()).collect::<Vec<_>>();
        // /open was created at 1, got its child at 2; /shut came at 3.
        let request = Request::SetWatches {
            relative: Zxid(1),
            data: list(&["/open", "/shut", "/gone"]),
            exist: list(&["/open", "/none"]),
            child: list(&["/open", "/open/c", "/gone", "/zookeeper"]),
        };
        assert_eq!(state.answer_shared(&[], &request), None);
        let answer = state.answer(Asker { link: LINK, session: SessionId(1), auth: &[] }, &request);
        let told: Vec<_> = answer.events.iter().map(|event| (event.kind, event.path.as_str())).collect();
        let expected = [
            (DataChanged, "/shut"),
            (Deleted, "/gone"),
            (Created, "/open"),
            (ChildrenChanged, "/open"),
            (ChildrenChanged, "/open/c"),
            (Deleted, "/gone"),
        ];
        assert_eq!((told, answer.outcome), (expected.to_vec(), Ok(Response::Empty)));
        assert_eq!(state.watches.len(), 3, "data of /open, existence of /none, children of /zookeeper");
    }
}
