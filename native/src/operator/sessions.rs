//! Sessions, and the znodes that go with them.

use super::Operator;
use std::collections::BTreeMap;
use zebu_core::id::SessionId;
use zebu_core::server::ReadSide as _;

/// The sessions as far as this server knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// The leader decides who is alive: sessions by when they expire, milliseconds since 1970.
    Tracked(BTreeMap<i64, Vec<SessionId>>),
    /// A learner knows which there are, with their timeouts in milliseconds.
    Known(BTreeMap<SessionId, i32>),
}

impl Operator {
    /// The sessions. `None` if the owner thread does not answer.
    pub async fn sessions(&self) -> Option<Sessions> {
        let clock = self.clock;
        self.look(move |server| match server.service().tracker() {
            Some(tracker) => {
                let now = clock.now();
                let buckets = tracker.buckets().map(|(at, sessions)| {
                    let left = i64::try_from(at.millis()).unwrap_or(i64::MAX) - now.mono.millis() as i64;
                    (now.wall_ms.saturating_add(left), sessions.iter().copied().collect())
                });
                Sessions::Tracked(buckets.collect())
            }
            None => Sessions::Known(server.side().read(|s| s.tree.sessions().clone())),
        })
        .await
    }

    /// The sessions that own ephemerals, with these.
    pub fn ephemerals(&self) -> BTreeMap<SessionId, Vec<String>> {
        self.side.read(|s| {
            let owners = s.tree.ephemerals().iter();
            owners.map(|(session, paths)| (*session, paths.iter().map(|path| path.to_string()).collect())).collect()
        })
    }
}
