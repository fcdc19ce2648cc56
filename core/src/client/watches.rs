//! The watches that a client has set and that have not fired yet: what setWatches tells a new server.

use crate::id::Zxid;
use crate::wire::client::{EventKind, Request, Response, WatcherEvent};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

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
}

/// The watches of a session, as its client knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Watches {
    armed: BTreeMap<WatchKind, BTreeSet<String>>,
}

impl Watches {
    /// The watch that `request` sets if the answer is `answered`.
    pub fn set_by(request: &Request, answered: Option<&Response>) -> Option<(WatchKind, String)> {
        match (request, answered) {
            (Request::GetData { path, watch: true }, Some(_)) | (Request::Exists { path, watch: true }, Some(_)) => {
                Some((WatchKind::Data, path.clone()))
            }
            (Request::Exists { path, watch: true }, None) => Some((WatchKind::Exist, path.clone())),
            (Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true }, Some(_)) => {
                Some((WatchKind::Child, path.clone()))
            }
            _ => None,
        }
    }

    /// Arms one.
    pub fn arm(&mut self, kind: WatchKind, path: String) {
        self.armed.entry(kind).or_default().insert(path);
    }

    /// Disarms what an event has fired; which kinds those were.
    pub fn fired(&mut self, event: &WatcherEvent) -> Vec<WatchKind> {
        let kinds: &[WatchKind] = match event.kind {
            EventKind::Created | EventKind::DataChanged => &[WatchKind::Data, WatchKind::Exist],
            EventKind::Deleted => &[WatchKind::Data, WatchKind::Exist, WatchKind::Child],
            EventKind::ChildrenChanged => &[WatchKind::Child],
        };
        kinds
            .iter()
            .copied()
            .filter(|kind| self.armed.get_mut(kind).is_some_and(|paths| paths.remove(&event.path)))
            .collect()
    }

    /// The request that sets all of them at another server; `None` when there are none.
    pub fn set_again(&self, seen: Zxid) -> Option<Request> {
        let list = |kind| self.armed.get(&kind).map(|p| p.iter().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let (data, exist, child) = (list(WatchKind::Data), list(WatchKind::Exist), list(WatchKind::Child));
        if data.is_empty() && exist.is_empty() && child.is_empty() {
            return None;
        }
        Some(Request::SetWatches { relative: seen, data, exist, child })
    }

    /// Forgets all: the session is over.
    pub fn clear(&mut self) {
        self.armed.clear();
    }
}
