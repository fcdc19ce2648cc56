//! A client's chroot: it sees one part of the tree as if it were the whole. The servers know nothing of it; the client
//! puts the prefix before the paths it sends and takes it off those it is told (client-protocol §10.1).

use crate::error::ZkError;
use crate::tree::path;
use crate::wire::client::{OpResult, Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::string::String;
use serde::Serialize;

/// The znode that a client takes for the root; the default is the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Chroot(String);

impl Chroot {
    /// The chroot at `path`; `/` and nothing at all mean the whole tree.
    ///
    /// # Errors
    /// [`ZkError::BadArguments`] for what is no path.
    pub fn new(path: &str) -> Result<Chroot, ZkError> {
        if matches!(path, "" | path::ROOT) {
            return Ok(Chroot::default());
        }
        path::validate(path)?;
        Ok(Chroot(path.into()))
    }

    /// Whether the client sees the whole tree.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The prefix; empty for the whole tree.
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// The server's path for one of the client's. What does not begin with `/` stays as it is: behind the prefix it
    /// could name a neighbour of the chroot, alone the server refuses it.
    pub fn to_server(&self, path: &mut String) {
        if self.is_root() {
            return;
        }
        if matches!(path.as_str(), "" | path::ROOT) {
            path.clone_from(&self.0);
        } else if path.starts_with('/') {
            path.insert_str(0, &self.0);
        }
    }

    /// The client's path for one of the server's. What lies outside (the configuration, or what was asked for beside
    /// the chroot) stays as it is.
    pub fn to_client<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(&self.0) {
            Some("") if !self.is_root() => path::ROOT,
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }

    fn cut(&self, path: &mut String) {
        if !self.is_root() {
            *path = self.to_client(path).into();
        }
    }

    /// A request as the server has to read it.
    pub fn request(&self, mut request: Request) -> Request {
        if self.is_root() {
            return request;
        }
        match &mut request {
            // The counter alone is the name: it belongs below the chroot, not behind its name.
            Request::Create { path, flags, .. } | Request::CreateTtl { path, flags, .. }
                if path == path::ROOT && CreateMode::from_flags(*flags).is_some_and(CreateMode::is_sequential) =>
            {
                path.insert_str(0, &self.0);
            }
            Request::GetEphemerals { prefix } => {
                let all = prefix.as_deref().is_none_or(|p| p.trim().is_empty());
                let prefix = prefix.get_or_insert_default();
                if all {
                    prefix.clear();
                }
                self.to_server(prefix);
            }
            _ => each_path(&mut request, &mut |path| self.to_server(path)),
        }
        request
    }

    /// What [`Chroot::request`] has made, as the client had asked it.
    pub fn asked(&self, mut request: Request) -> Request {
        if !self.is_root() {
            each_path(&mut request, &mut |path| self.cut(path));
        }
        request
    }

    /// The answer to `request` (either form of it) as the client has to see it.
    pub fn response(&self, request: &Request, mut response: Response) -> Response {
        if self.is_root() {
            return response;
        }
        match &mut response {
            Response::Path(path) | Response::PathStat(path, _) => self.cut(path),
            Response::Multi(results) => {
                for result in results {
                    if let OpResult::Create(path) | OpResult::Create2(path, _) = result {
                        self.cut(path);
                    }
                }
            }
            // The prefix is no path: /app also brings what is below /apple.
            Response::Children(paths) if matches!(request, Request::GetEphemerals { .. }) => {
                paths.retain(|path| self.holds(path));
                paths.iter_mut().for_each(|path| self.cut(path));
            }
            _ => {}
        }
        response
    }

    /// A watch event as the client has to see it.
    pub fn event(&self, mut event: WatcherEvent) -> WatcherEvent {
        if !self.is_root() {
            event.path = self.to_client(&event.path).into();
        }
        event
    }

    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Does something to every path of a request that an application makes. setWatches is made by the session, of paths
/// that are the server's already.
fn each_path(request: &mut Request, change: &mut impl FnMut(&mut String)) {
    match request {
        Request::Create { path, .. }
        | Request::CreateTtl { path, .. }
        | Request::Delete { path, .. }
        | Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::SetData { path, .. }
        | Request::GetAcl { path }
        | Request::SetAcl { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::Sync { path }
        | Request::Check { path, .. }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::GetAllChildrenNumber { path }
        | Request::AddWatch { path, .. } => change(path),
        Request::GetEphemerals { prefix } => {
            if let Some(prefix) = prefix {
                change(prefix);
            }
        }
        Request::Multi { ops } | Request::MultiRead { ops } => ops.iter_mut().for_each(|op| each_path(op, change)),
        Request::Ping
        | Request::Auth { .. }
        | Request::Sasl { .. }
        | Request::SetWatches { .. }
        | Request::SetWatches2(_)
        | Request::Reconfig { .. }
        | Request::WhoAmI
        | Request::CloseSession => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client::{AddWatchMode, EventKind, WatchType};
    use crate::wire::op::OpCode;
    use crate::wire::record::{Acl, Stat};
    use alloc::vec;
    use alloc::vec::Vec;

    fn chroot() -> Chroot {
        Chroot::new("/app").unwrap()
    }

    #[test]
    fn what_may_be_a_chroot() {
        for (path, want) in [
            ("", Ok("")),
            ("/", Ok("")),
            ("/app", Ok("/app")),
            ("/a/b", Ok("/a/b")),
            ("app", Err(ZkError::BadArguments)),
            ("/app/", Err(ZkError::BadArguments)),
            ("/a//b", Err(ZkError::BadArguments)),
            ("/a/../b", Err(ZkError::BadArguments)),
        ] {
            assert_eq!(Chroot::new(path).as_ref().map(Chroot::prefix).map_err(|e| *e), want, "{path:?}");
        }
    }

    #[test]
    fn paths_there_and_back() {
        for (client, server, back) in [
            ("/", "/app", "/"),
            ("", "/app", "/"),
            ("/a", "/app/a", "/a"),
            ("/app", "/app/app", "/app"),
            ("/a/", "/app/a/", "/a/"),
            ("relative", "relative", "relative"),
        ] {
            let mut path = String::from(client);
            chroot().to_server(&mut path);
            assert_eq!(path, server, "{client:?}");
            assert_eq!(chroot().to_client(&path), back, "{client:?}");
        }
        for outside in ["/apple", "/zookeeper/config", "/"] {
            assert_eq!(chroot().to_client(outside), outside);
        }
    }

    #[test]
    fn without_a_chroot_nothing_changes() {
        let none = Chroot::default();
        for text in ["", "/", "/a", "x"] {
            let mut path = String::from(text);
            none.to_server(&mut path);
            assert_eq!((path.as_str(), none.to_client(text)), (text, text));
        }
        let request = Request::GetEphemerals { prefix: None };
        assert_eq!(none.request(request.clone()), request);
    }

    /// Every kind of request with a path, at `path`.
    fn requests(path: &str) -> Vec<Request> {
        let path = String::from(path);
        let (data, acl) = (None, Acl::open());
        let delete = Request::Delete { path: path.clone(), version: 1 };
        let read = Request::GetData { path: path.clone(), watch: false };
        vec![
            Request::Create { op: OpCode::Create2, path: path.clone(), data: data.clone(), acl: acl.clone(), flags: 0 },
            Request::CreateTtl { path: path.clone(), data: data.clone(), acl: acl.clone(), flags: 5, ttl_ms: 9 },
            Request::Exists { path: path.clone(), watch: true },
            Request::SetData { path: path.clone(), data, version: 1 },
            Request::GetAcl { path: path.clone() },
            Request::SetAcl { path: path.clone(), acl, version: 1 },
            Request::GetChildren { path: path.clone(), watch: false },
            Request::GetChildren2 { path: path.clone(), watch: false },
            Request::Sync { path: path.clone() },
            Request::Check { path: path.clone(), version: 1 },
            Request::CheckWatches { path: path.clone(), kind: WatchType::Any },
            Request::RemoveWatches { path: path.clone(), kind: WatchType::Any },
            Request::GetAllChildrenNumber { path: path.clone() },
            Request::AddWatch { path: path.clone(), mode: AddWatchMode::Persistent },
            Request::GetEphemerals { prefix: Some(path) },
            Request::Multi { ops: vec![delete.clone(), delete.clone()] },
            Request::MultiRead { ops: vec![read.clone()] },
            delete,
            read,
        ]
    }

    #[test]
    fn every_request_is_mapped_and_mapped_back() {
        for (client, server) in requests("/a").into_iter().zip(requests("/app/a")) {
            let sent = chroot().request(client.clone());
            assert_eq!(sent, server);
            assert_eq!(chroot().asked(sent), client);
        }
        for request in [Request::WhoAmI, Request::Ping, Request::CloseSession] {
            assert_eq!(chroot().request(request.clone()), request);
        }
    }

    #[test]
    fn a_sequence_at_the_root_stays_inside() {
        let create = |path: &str, flags| Request::Create {
            op: OpCode::Create,
            path: path.into(),
            data: None,
            acl: Acl::open(),
            flags,
        };
        for (mode, want) in [
            (CreateMode::Persistent, "/app"),
            (CreateMode::PersistentSequential, "/app/"),
            (CreateMode::EphemeralSequential, "/app/"),
        ] {
            assert_eq!(chroot().request(create("/", mode.flags())), create(want, mode.flags()), "{mode:?}");
        }
    }

    #[test]
    fn ephemerals_of_the_chroot_only() {
        for (prefix, want) in [(None, "/app"), (Some(""), "/app"), (Some("/"), "/app"), (Some("/a"), "/app/a")] {
            let asked = chroot().request(Request::GetEphemerals { prefix: prefix.map(String::from) });
            assert_eq!(asked, Request::GetEphemerals { prefix: Some(want.into()) }, "{prefix:?}");
            let paths = |list: &[&str]| Response::Children(list.iter().copied().map(String::from).collect());
            let seen = chroot().response(&asked, paths(&["/app", "/app/a", "/apple", "/app/b/c"]));
            assert_eq!(seen, paths(&["/", "/a", "/b/c"]));
        }
    }

    #[test]
    fn answers_and_events() {
        let stat = Stat::default();
        let read = Request::GetChildren { path: "/app".into(), watch: false };
        for (server, client) in [
            (Response::Path("/app/a".into()), Response::Path("/a".into())),
            (Response::Path("/app".into()), Response::Path("/".into())),
            (Response::PathStat("/app/a".into(), stat), Response::PathStat("/a".into(), stat)),
            (Response::Children(vec!["app".into()]), Response::Children(vec!["app".into()])),
            (
                Response::Multi(vec![OpResult::Create("/app/a".into()), OpResult::Create2("/app/b".into(), stat)]),
                Response::Multi(vec![OpResult::Create("/a".into()), OpResult::Create2("/b".into(), stat)]),
            ),
        ] {
            assert_eq!(chroot().response(&read, server), client);
        }
        for (server, client) in [("/app/a", "/a"), ("/app", "/"), ("/zookeeper/config", "/zookeeper/config")] {
            let event = |path: &str| WatcherEvent { kind: EventKind::DataChanged, path: path.into() };
            assert_eq!(chroot().event(event(server)), event(client));
        }
    }
}
