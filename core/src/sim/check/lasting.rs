//! Persistent and recursive watches of a client: whatever changes under them while the client is connected is told
//! before it is read.

use crate::collections::{BTreeMap, BTreeSet};
use crate::error::ZkError;
use crate::id::Zxid;
use crate::tree::path;
use crate::wire::client::{AddWatchMode, EventKind, Outcome, Request, Response, WatchType, WatcherEvent};
use alloc::string::String;
use serde::Serialize;

/// What is asked about: a znode's data, or its list of children.
type Part = (bool, String);

/// See the module.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Lasting {
    /// By path and whether it is recursive: the state as of which the server had it. `None` after a reconnect until an
    /// answer shows how far that server was when it had set them again.
    watches: BTreeMap<(bool, String), Option<Zxid>>,
    /// What was read last under a watch, as of which change.
    read: BTreeMap<Part, Zxid>,
    /// What an event came of since.
    told: BTreeSet<Part>,
}

impl Lasting {
    /// Connected, perhaps to another server: what changed in between is not told.
    pub fn connected(&mut self) {
        self.watches.values_mut().for_each(|since| *since = None);
        self.forget();
    }

    fn forget(&mut self) {
        self.read.clear();
        self.told.clear();
    }

    /// An answer of any kind, as of `zxid`.
    pub fn answered(&mut self, zxid: Zxid, request: &Request, outcome: &Outcome) {
        for since in self.watches.values_mut() {
            since.get_or_insert(zxid);
        }
        match (request, outcome) {
            (Request::AddWatch { path, mode }, Ok(_)) => {
                let key = (*mode == AddWatchMode::PersistentRecursive, path.clone());
                self.watches.entry(key).or_insert(Some(zxid));
            }
            (Request::RemoveWatches { path, kind }, Ok(Response::Empty) | Err(ZkError::NoWatcher)) => {
                self.watches.retain(|(recursive, other), _| {
                    let meant = match kind {
                        WatchType::Any => true,
                        WatchType::Persistent => !recursive,
                        WatchType::PersistentRecursive => *recursive,
                        WatchType::Children | WatchType::Data => false,
                    };
                    !(meant && other == path)
                });
                // What stood under the one that is gone need not have been told: begin anew from here.
                self.watches.values_mut().for_each(|since| *since = Some(zxid));
                self.forget();
            }
            _ => {}
        }
    }

    /// An event came.
    pub fn told(&mut self, event: &WatcherEvent) {
        let mut part = |children| self.told.insert((children, event.path.as_ref().into()));
        match event.kind {
            EventKind::Created | EventKind::DataChanged => {
                part(false);
            }
            EventKind::Deleted => {
                part(false);
                part(true);
            }
            EventKind::ChildrenChanged => {
                part(true);
            }
        }
    }

    /// A read shows the change `now` of a znode's data or children (zero: there is no such znode).
    ///
    /// # Errors
    /// The state since which a watch should have told of it and has not.
    pub fn read(&mut self, path: &str, now: Zxid, children: bool) -> Result<(), Zxid> {
        let Some(since) = self.watched_since(path, children) else { return Ok(()) };
        let part = (children, String::from(path));
        let told = self.told.remove(&part);
        let before = self.read.insert(part, now);
        let is_new = match before {
            Some(before) => before != now,
            // Whether it was there when the watch was set is not known.
            None => now > since,
        };
        if is_new && !told { Err(since) } else { Ok(()) }
    }

    fn watched_since(&self, path: &str, children: bool) -> Option<Zxid> {
        let on = |recursive, path: &str| self.watches.get(&(recursive, path.into())).copied().flatten();
        let recursive = path::with_ancestors(path).filter(|_| !children).filter_map(|above| on(true, above));
        recursive.chain(on(false, path)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(path: &str, mode: AddWatchMode) -> Request {
        Request::AddWatch { path: path.into(), mode }
    }

    fn event(kind: EventKind, path: &str) -> WatcherEvent {
        WatcherEvent { kind, path: path.into() }
    }

    #[test]
    fn what_is_read_must_have_been_told() {
        use AddWatchMode::{Persistent, PersistentRecursive};
        use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
        let ok = Ok(());
        let late = Err(Zxid(5));
        for (watch, mode, told, path, reads, expected) in [
            ("/a", Persistent, None, "/a", [5, 5], [ok, ok]),
            ("/a", Persistent, None, "/a", [3, 6], [ok, late]),
            ("/a", Persistent, None, "/a", [6, 6], [late, ok]),
            ("/a", Persistent, None, "/a", [3, 0], [ok, late]),
            ("/a", Persistent, None, "/a", [0, 0], [ok, ok]),
            ("/a", Persistent, Some(DataChanged), "/a", [6, 7], [ok, late]),
            ("/a", Persistent, Some(Deleted), "/a", [0, 7], [ok, late]),
            ("/a", Persistent, Some(ChildrenChanged), "/a", [6, 6], [late, ok]),
            ("/a", Persistent, None, "/a/b", [6, 7], [ok, ok]),
            ("/", PersistentRecursive, None, "/a/b", [6, 7], [late, late]),
            ("/", PersistentRecursive, Some(Created), "/a/b", [6, 6], [ok, ok]),
        ] {
            let mut lasting = Lasting::default();
            lasting.answered(Zxid(5), &add(watch, mode), &Ok(Response::Code(0)));
            if let Some(kind) = told {
                lasting.told(&event(kind, path));
            }
            let got = reads.map(|now| lasting.read(path, Zxid(now), false));
            assert_eq!(got, expected, "{watch} {mode:?} {told:?} {path} {reads:?}");
        }
    }

    #[test]
    fn children_reconnects_and_removals() {
        let mut lasting = Lasting::default();
        lasting.answered(Zxid(5), &add("/", AddWatchMode::Persistent), &Ok(Response::Code(0)));
        lasting.answered(Zxid(5), &add("/", AddWatchMode::PersistentRecursive), &Ok(Response::Code(0)));
        assert_eq!(lasting.read("/", Zxid(6), true), Err(Zxid(5)));
        lasting.told(&event(EventKind::ChildrenChanged, "/"));
        assert_eq!(lasting.read("/", Zxid(7), true), Ok(()));
        assert_eq!(lasting.read("/a", Zxid(7), true), Ok(()), "only the persistent one tells of children");
        // What happened while it was away is not told, what happens then is.
        lasting.connected();
        assert_eq!(lasting.read("/", Zxid(8), true), Ok(()));
        lasting.answered(Zxid(9), &Request::WhoAmI, &Err(ZkError::NoNode));
        assert_eq!(lasting.read("/", Zxid(9), true), Ok(()));
        assert_eq!(lasting.read("/", Zxid(10), true), Err(Zxid(9)));
        let remove = Request::RemoveWatches { path: "/".into(), kind: WatchType::Persistent };
        lasting.answered(Zxid(11), &remove, &Ok(Response::Empty));
        assert_eq!(lasting.read("/", Zxid(12), true), Ok(()));
        assert_eq!(lasting.read("/a", Zxid(11), false), Ok(()));
        assert_eq!(lasting.read("/a", Zxid(12), false), Err(Zxid(11)), "the recursive one is still there");
    }
}
