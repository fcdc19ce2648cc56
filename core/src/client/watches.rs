//! The watches that a client has set and that have not fired or been removed yet: what setWatches tells a new server.

use crate::collections::{BTreeMap, BTreeSet};
use crate::id::Zxid;
use crate::tree::path;
use crate::wire::client::{AddWatchMode, EventKind, Request, Response, WatchLists, WatchType, WatcherEvent};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How many bytes of paths go into one setWatches, or somewhat more: up to the path that reaches it. As Java's client;
/// all of them in one frame could be more than the server's `jute.maxbuffer` lets in.
const BATCH: usize = 128 * 1024;

/// What a watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchKind {
    /// Set by a read of an existing znode: its change or its end.
    Data,
    /// Set by asking for a znode that does not exist: its creation.
    Exist,
    /// Set by a list of children: another list, or the parent's end.
    Child,
    /// Set by addWatch, until it is removed: all of these.
    Persistent,
    /// Set by addWatch, until it is removed: creation, change and end of the znode and of all below it.
    Recursive,
}

impl WatchKind {
    /// In the order in which setWatches lists them.
    const ALL: [WatchKind; 5] =
        [WatchKind::Data, WatchKind::Exist, WatchKind::Child, WatchKind::Persistent, WatchKind::Recursive];
}

/// The watches of a session, as its client knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Watches {
    armed: BTreeMap<WatchKind, BTreeSet<String>>,
}

impl Watches {
    /// An answer came, `Ok` or "no such znode": keeps in mind what the request has set or removed by it.
    pub fn answered(&mut self, request: &Request, answer: Option<&Response>) {
        match (request, answer) {
            (Request::GetData { path, watch: true } | Request::Exists { path, watch: true }, Some(_)) => {
                self.arm(WatchKind::Data, path);
            }
            (Request::Exists { path, watch: true }, None) => self.arm(WatchKind::Exist, path),
            (Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true }, Some(_)) => {
                self.arm(WatchKind::Child, path);
            }
            (Request::AddWatch { path, mode }, Some(_)) => {
                let kind = match mode {
                    AddWatchMode::Persistent => WatchKind::Persistent,
                    AddWatchMode::PersistentRecursive => WatchKind::Recursive,
                };
                self.arm(kind, path);
            }
            (Request::RemoveWatches { path, kind }, Some(_)) => {
                let kinds: &[WatchKind] = match kind {
                    WatchType::Children => &[WatchKind::Child],
                    WatchType::Data => &[WatchKind::Data, WatchKind::Exist],
                    WatchType::Any => &WatchKind::ALL,
                    WatchType::Persistent => &[WatchKind::Persistent],
                    WatchType::PersistentRecursive => &[WatchKind::Recursive],
                };
                kinds.iter().for_each(|kind| {
                    self.disarm(*kind, path);
                });
            }
            _ => {}
        }
    }

    fn arm(&mut self, kind: WatchKind, path: &str) {
        self.armed.entry(kind).or_default().insert(path.into());
    }

    fn disarm(&mut self, kind: WatchKind, path: &str) -> bool {
        self.armed.get_mut(&kind).is_some_and(|paths| paths.remove(path))
    }

    fn has(&self, kind: WatchKind, path: &str) -> bool {
        self.armed.get(&kind).is_some_and(|paths| paths.contains(path))
    }

    /// An event came: which kinds of watches it is for; none, if this client has no watch there. One-shot ones are
    /// disarmed by it.
    pub fn fired(&mut self, event: &WatcherEvent) -> Vec<WatchKind> {
        let once: &[WatchKind] = match event.kind {
            EventKind::Created | EventKind::DataChanged => &[WatchKind::Data, WatchKind::Exist],
            EventKind::Deleted => &[WatchKind::Data, WatchKind::Exist, WatchKind::Child],
            EventKind::ChildrenChanged => &[WatchKind::Child],
        };
        let mut kinds: Vec<_> = once.iter().copied().filter(|kind| self.disarm(*kind, &event.path)).collect();
        if self.has(WatchKind::Persistent, &event.path) {
            kinds.push(WatchKind::Persistent);
        }
        // Servers before 3.9 may send it to a connection with both kinds: it is not for the recursive one.
        if event.kind != EventKind::ChildrenChanged
            && path::with_ancestors(&event.path).any(|path| self.has(WatchKind::Recursive, path))
        {
            kinds.push(WatchKind::Recursive);
        }
        kinds
    }

    /// The requests that set all of them at another server, in batches; setWatches2 only where it is needed, since
    /// servers before 3.6 do not know it.
    pub fn set_again(&self, seen: Zxid) -> Vec<Request> {
        let kinds = WatchKind::ALL.into_iter();
        let mut all = kinds.flat_map(|kind| self.armed.get(&kind).into_iter().flatten().map(move |path| (kind, path)));
        let mut requests = Vec::new();
        let mut next = all.next();
        while next.is_some() {
            let mut lists = WatchLists { relative: seen, ..WatchLists::default() };
            let mut length = 0;
            while length < BATCH
                && let Some((kind, path)) = next
            {
                let list = match kind {
                    WatchKind::Data => &mut lists.data,
                    WatchKind::Exist => &mut lists.exist,
                    WatchKind::Child => &mut lists.child,
                    WatchKind::Persistent => &mut lists.persistent,
                    WatchKind::Recursive => &mut lists.recursive,
                };
                list.push(path.clone());
                length += path.len();
                next = all.next();
            }
            requests.push(if lists.persistent.is_empty() && lists.recursive.is_empty() {
                let WatchLists { relative, data, exist, child, .. } = lists;
                Request::SetWatches { relative, data, exist, child }
            } else {
                Request::SetWatches2(Box::new(lists))
            });
        }
        requests
    }

    /// Forgets all: the session is over.
    pub fn clear(&mut self) {
        self.armed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};

    fn event(kind: EventKind, path: &str) -> WatcherEvent {
        WatcherEvent { kind, path: path.into() }
    }

    #[test]
    fn which_watches_an_event_is_for() {
        use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
        use WatchKind::{Child, Data, Exist, Persistent, Recursive};
        for (kind, path, first, again) in [
            (Created, "/a", vec![Exist], vec![]),
            (DataChanged, "/b", vec![Data, Persistent], vec![Persistent]),
            (Deleted, "/b", vec![Data, Child, Persistent], vec![Persistent]),
            (ChildrenChanged, "/b", vec![Child, Persistent], vec![Persistent]),
            (Created, "/r/x/y", vec![Recursive], vec![Recursive]),
            (Deleted, "/r/b", vec![Data, Recursive], vec![Recursive]),
            (ChildrenChanged, "/r", vec![], vec![]),
            (DataChanged, "/r", vec![Recursive], vec![Recursive]),
            (Created, "/rr", vec![], vec![]),
            (Created, "/b/c", vec![], vec![]),
        ] {
            let mut watches = Watches::default();
            for (kind, path) in
                [(Exist, "/a"), (Data, "/b"), (Child, "/b"), (Persistent, "/b"), (Data, "/r/b"), (Recursive, "/r")]
            {
                watches.arm(kind, path);
            }
            assert_eq!(watches.fired(&event(kind, path)), first, "{kind:?} {path}");
            assert_eq!(watches.fired(&event(kind, path)), again, "{kind:?} {path} again");
        }
    }

    #[test]
    fn what_is_removed() {
        use WatchKind::{Child, Data, Exist, Persistent, Recursive};
        for (kind, left) in [
            (WatchType::Children, vec![Data, Exist, Persistent, Recursive]),
            (WatchType::Data, vec![Child, Persistent, Recursive]),
            (WatchType::Any, vec![]),
            (WatchType::Persistent, vec![Data, Exist, Child, Recursive]),
            (WatchType::PersistentRecursive, vec![Data, Exist, Child, Persistent]),
        ] {
            let mut watches = Watches::default();
            WatchKind::ALL.into_iter().for_each(|kind| watches.arm(kind, "/a"));
            let request = Request::RemoveWatches { path: "/a".into(), kind };
            watches.answered(&request, None);
            assert!(WatchKind::ALL.into_iter().all(|kind| watches.has(kind, "/a")), "{kind:?} refused");
            watches.answered(&request, Some(&Response::Empty));
            let found: Vec<_> = WatchKind::ALL.into_iter().filter(|kind| watches.has(*kind, "/a")).collect();
            assert_eq!(found, left, "{kind:?}");
        }
    }

    #[test]
    fn set_again_in_batches() {
        let mut watches = Watches::default();
        assert_eq!(watches.set_again(Zxid(3)), []);
        let long = |n: usize| format!("/{n:0>999}");
        (0..200).for_each(|n| watches.arm(WatchKind::Data, &long(n)));
        watches.arm(WatchKind::Exist, "/none");
        watches.arm(WatchKind::Child, "/c");
        watches.arm(WatchKind::Recursive, "/");
        let requests = watches.set_again(Zxid(3));
        let [Request::SetWatches { relative: Zxid(3), data, exist, child }, Request::SetWatches2(rest)] = &requests[..]
        else {
            panic!("{requests:?}")
        };
        // 132 paths of 1000 bytes are the first to reach 131072.
        assert_eq!((data.len(), exist.len(), child.len()), (132, 0, 0));
        assert_eq!((rest.data.len(), rest.relative), (68, Zxid(3)));
        assert_eq!((&rest.exist[..], &rest.child[..]), (&["/none".into()][..], &["/c".into()][..]));
        assert_eq!((rest.persistent.len(), &rest.recursive[..]), (0, &["/".into()][..]));
        assert_eq!(data.iter().chain(&rest.data).cloned().collect::<Vec<_>>(), (0..200).map(long).collect::<Vec<_>>());
    }
}
