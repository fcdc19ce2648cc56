//! Sessions, and the znodes that go with them.

use super::Operator;
use std::collections::BTreeMap;
use zebu_core::config::LocalSessions;
use zebu_core::id::SessionId;
use zebu_core::server::ReadSide as _;
use zebu_core::service::SessionTracker;
use zebu_core::time::Now;

/// Sessions by when they expire, milliseconds since 1970.
pub type Expiries = BTreeMap<i64, Vec<SessionId>>;

/// The sessions as far as this server knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// Those that only this server knows, if there may be any.
    pub local: Option<Expiries>,
    /// Those of the ensemble.
    pub global: Global,
}

/// The sessions of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Global {
    /// The leader decides who is alive.
    Tracked(Expiries),
    /// A learner knows which there are, with their timeouts in milliseconds.
    Known(BTreeMap<SessionId, i32>),
}

impl Operator {
    /// The sessions. `None` if the owner thread does not answer.
    pub async fn sessions(&self) -> Option<Sessions> {
        let clock = self.clock;
        let has_local = self.cfg.service.local_sessions != LocalSessions::Off;
        self.look(move |server| {
            let now = clock.now();
            let service = server.service();
            Sessions {
                local: has_local.then(|| expiries(service.local_sessions(), now)),
                global: match service.tracker() {
                    Some(tracker) => Global::Tracked(expiries(tracker, now)),
                    None => Global::Known(server.side().read(|s| s.tree.sessions().clone())),
                },
            }
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

fn expiries(tracker: &SessionTracker, now: Now) -> Expiries {
    let buckets = tracker.buckets().map(|(at, sessions)| {
        let left = i64::try_from(at.millis()).unwrap_or(i64::MAX) - now.mono.millis() as i64;
        (now.wall_ms.saturating_add(left), sessions.iter().copied().collect())
    });
    buckets.collect()
}
