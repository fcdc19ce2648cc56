//! What a server is told at its start: who is in the ensemble, how long things may take, how large they may be.

mod access;
mod ensemble;
mod membership;
mod service;

pub use access::{AccessRules, DigestAlgorithm, Secret};
pub use ensemble::{Ensemble, LARGEST_ID, Member, MemberKind, TextError};
pub use membership::{Membership, Reconfig};
pub use service::{ContainerRules, LocalSessions, OwnerKinds, ServiceRules};

use crate::id::ServerId;
use alloc::sync::Arc;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A rule of the protocol that the lab and the simulator can break on purpose, to show that the checks see it.
/// Never set by a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenRule {
    /// The leader commits as soon as it has logged a proposal itself.
    CommitWithoutQuorum,
    /// Acknowledgements leave before the log is synced.
    AckBeforeSync,
    /// A server follows a leader whose epoch is older than the one it promised, and votes ignore the epoch.
    IgnoreEpoch,
    /// A change of members needs the quorum of the old configuration alone.
    OldQuorumOnly,
}

/// Everything a server is told at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Its own id.
    pub id: ServerId,
    /// Who is there.
    pub ensemble: Ensemble,
    /// A change of this that was proposed and perhaps not committed, as found at the start.
    pub proposed: Option<Ensemble>,
    /// Whether the ensemble can be changed while it runs.
    pub reconfig: Reconfig,
    /// The basic unit of time (`tickTime`).
    pub tick: Duration,
    /// Ticks that joining a leader may take (`initLimit`).
    pub init_limit: u32,
    /// Ticks of silence after which the other side is given up (`syncLimit`).
    pub sync_limit: u32,
    /// The shortest session timeout granted, milliseconds.
    pub min_session_ms: i32,
    /// The longest session timeout granted, milliseconds.
    pub max_session_ms: i32,
    /// Transactions between snapshots, before the random part (`snapCount`).
    pub snap_count: u32,
    /// Bytes of log between snapshots, before the random part (`snapSizeLimitInKb`); 0 for no limit.
    pub snap_size_limit: u64,
    /// Committed transactions kept in memory for synchronisation by DIFF (`commitLogCount`, Apache's floor is 500).
    pub commit_log_count: usize,
    /// First wait for notifications; doubles up to `max_notification`.
    pub min_notification: Duration,
    /// Longest wait for notifications.
    pub max_notification: Duration,
    /// How long a decided election waits for a better vote.
    pub finalize_wait: Duration,
    /// The longest that an observer which has lost its leader keeps still before it looks for one, so that not all of
    /// them come at once (`observer.election.DelayMs` and `observer.reconnectDelayMs`); by chance it is less.
    #[serde(skip)]
    pub observer_wait: Duration,
    /// Whether that wait ends at once when nobody is left who could have a better one: every voter has the same vote,
    /// but those whose election port refuses connections.
    pub settles_early: bool,
    /// What clients get.
    pub service: ServiceRules,
    /// Who may do what. Has passwords in it: never written anywhere.
    #[serde(skip)]
    pub access: Arc<AccessRules>,
    /// See [`BrokenRule`].
    pub broken: Option<BrokenRule>,
}

impl Config {
    /// Apache's defaults around `id` and `ensemble`: tick 2 s, limits 10 and 5.
    pub fn new(id: ServerId, ensemble: Ensemble) -> Config {
        Config {
            id,
            ensemble,
            proposed: None,
            reconfig: Reconfig::default(),
            tick: Duration::from_millis(2000),
            init_limit: 10,
            sync_limit: 5,
            min_session_ms: 4000,
            max_session_ms: 40_000,
            snap_count: 100_000,
            snap_size_limit: 4 << 30,
            commit_log_count: 500,
            min_notification: Duration::from_millis(200),
            max_notification: Duration::from_secs(60),
            finalize_wait: Duration::from_millis(200),
            observer_wait: Duration::ZERO,
            settles_early: false,
            service: ServiceRules::default(),
            access: Arc::default(),
            broken: None,
        }
    }

    /// The time limit for joining: `init_limit` ticks.
    pub fn init_time(&self) -> Duration {
        self.tick * self.init_limit
    }

    /// The time limit of silence: `sync_limit` ticks.
    pub fn sync_time(&self) -> Duration {
        self.tick * self.sync_limit
    }
}
