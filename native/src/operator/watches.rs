//! Watches on data: Apache's operators see only these, not those on children.

use super::Operator;
use std::collections::{BTreeMap, BTreeSet};
use zebu_core::id::SessionId;
use zebu_core::server::ReadSide as _;

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchSummary {
    /// Connections that have any.
    pub connections: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// All together.
    pub total: usize,
}

impl Operator {
    /// How many there are.
    pub fn watch_summary(&self) -> WatchSummary {
        self.side.read(|s| {
            let (mut connections, mut paths, mut total) = (BTreeSet::new(), BTreeSet::new(), 0);
            for (link, path) in s.watches.data_watches() {
                connections.insert(link);
                paths.insert(path);
                total += 1;
            }
            WatchSummary { connections: connections.len(), paths: paths.len(), total }
        })
    }

    fn pairs(&self) -> Vec<(SessionId, String)> {
        let sessions: BTreeMap<_, _> = self.links.all().iter().filter_map(|l| Some((l.id, l.session()?))).collect();
        self.side.read(|s| {
            let watches = s.watches.data_watches();
            // A connection that has just ended has no session any more, and its watches go next.
            watches.filter_map(|(link, path)| Some((*sessions.get(&link)?, path.to_string()))).collect()
        })
    }

    /// What each session watches.
    pub fn watches_by_session(&self) -> BTreeMap<SessionId, BTreeSet<String>> {
        let mut by_session: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (session, path) in self.pairs() {
            by_session.entry(session).or_default().insert(path);
        }
        by_session
    }

    /// Who watches each path.
    pub fn watches_by_path(&self) -> BTreeMap<String, BTreeSet<SessionId>> {
        let mut by_path: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (session, path) in self.pairs() {
            by_path.entry(path).or_default().insert(session);
        }
        by_path
    }
}
