//! What a world is made of.

use crate::config::{AccessRules, BrokenRule, Config, Ensemble, Member, MemberKind, Reconfig, ServiceRules};
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::membership;
use alloc::format;
use alloc::sync::Arc;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A range of microseconds from which a duration is drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The shortest, microseconds.
    pub min_us: u64,
    /// The longest, microseconds.
    pub max_us: u64,
}

impl Span {
    /// From `min` to `max` milliseconds.
    pub const fn millis(min: u64, max: u64) -> Span {
        Span { min_us: min * 1000, max_us: max * 1000 }
    }

    /// One of the range.
    pub fn draw(self, rng: &mut Rng) -> Duration {
        Duration::from_micros(rng.between(self.min_us, self.max_us))
    }
}

/// Which servers run at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum StartMode {
    /// All at time 0.
    #[default]
    All,
    /// None: they are started by command.
    None,
    /// One after the other in order of id, `gap_ms` apart.
    Staggered {
        /// Milliseconds between two starts.
        gap_ms: u32,
    },
}

/// How faithfully bytes are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Packets travel as types and the disk keeps records as types: fast.
    Types,
    /// Every packet and notification goes through its codec and back, and the disk's log is scanned from Apache's
    /// bytes at each recovery.
    #[default]
    Bytes,
}

/// What a proposer of Paxos does when it is outbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Tries again at once with a higher number: two of them may never come to an end.
    AtOnce,
    /// Waits for a random time, longer after each attempt.
    #[default]
    BackOff,
    /// Only the first proposer proposes; the others hand their values to it.
    Leader,
}

/// Which protocol the servers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// ZooKeeper's, by the very code of the real server.
    #[default]
    #[serde(rename = "zookeeper")]
    ZooKeeper,
    /// Two-phase commit; server 1 holds no rows.
    TwoPhaseCommit,
    /// Three-phase commit; server 1 holds no rows.
    ThreePhaseCommit,
    /// Paxos for one value.
    Paxos {
        /// So many proposers; the other servers are acceptors.
        #[serde(default = "Protocol::proposers")]
        proposers: u32,
        /// What an outbid proposer does.
        #[serde(default)]
        retry: Retry,
    },
    /// Zab as its paper describes it.
    PaperZab,
}

impl Protocol {
    const fn proposers() -> u32 {
        2
    }

    /// Whether it is ZooKeeper's own.
    pub fn is_zookeeper(&self) -> bool {
        *self == Protocol::ZooKeeper
    }
}

/// Everything that makes a world. Two equal specs and equal commands at equal moments give equal runs, on every
/// target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorldSpec {
    /// Voting servers, with ids from 1.
    pub servers: u32,
    /// Observers, with the ids behind.
    pub observers: u32,
    /// The source of all chance.
    pub seed: u64,
    /// Who runs at the beginning.
    pub start: StartMode,
    /// One-way latency between servers.
    pub latency: Span,
    /// One-way latency between clients and servers.
    pub client_latency: Span,
    /// How long a disk takes for a sync.
    pub disk_sync: Span,
    /// The tick (`tickTime`), milliseconds.
    pub tick_ms: u32,
    /// Ticks that joining a leader may take.
    pub init_limit: u32,
    /// Ticks of silence after which the other side is given up.
    pub sync_limit: u32,
    /// The longest wait between two rounds of notifications, milliseconds.
    pub max_notification_ms: u32,
    /// The session timeout that clients wish, milliseconds.
    pub session_ms: i32,
    /// Transactions between snapshots.
    pub snap_count: u32,
    /// Committed transactions kept in memory for DIFF. The lab may go below Apache's floor of 500.
    pub commit_log_count: usize,
    /// After this long a cut connection is reset when the link heals, milliseconds.
    pub reset_after_ms: u32,
    /// The largest drift of a server's clock, parts in a million; each server draws its own.
    pub drift_ppm: u32,
    /// How many kills in a million take the machine's power with them: the others are not told, and find out by
    /// their own timeouts.
    pub power_loss_ppm: u32,
    /// What servers are told of znodes and quotas.
    pub service: ServiceRules,
    /// See [`Fidelity`].
    pub fidelity: Fidelity,
    /// Whether records are kept for [`crate::sim::World::trace`] and servers make notes.
    pub trace: bool,
    /// A rule that all servers break.
    pub broken: Option<BrokenRule>,
    /// Which protocol the servers run.
    #[serde(skip_serializing_if = "Protocol::is_zookeeper")]
    pub protocol: Protocol,
    /// Whether members can be changed while the ensemble runs.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub reconfig: bool,
    /// See [`Config::settles_early`].
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub settles_early: bool,
}

impl Default for WorldSpec {
    /// Five servers that all start at once, with a classroom's pace: latencies of 8 to 12 ms, a disk of 4 to 8 ms,
    /// a tick of 500 ms.
    fn default() -> WorldSpec {
        WorldSpec {
            servers: 5,
            observers: 0,
            seed: 1,
            start: StartMode::All,
            latency: Span::millis(8, 12),
            client_latency: Span::millis(8, 12),
            disk_sync: Span::millis(4, 8),
            tick_ms: 500,
            init_limit: 10,
            sync_limit: 5,
            max_notification_ms: 2000,
            session_ms: 6000,
            snap_count: 1000,
            commit_log_count: 500,
            reset_after_ms: 8000,
            drift_ppm: 0,
            power_loss_ppm: 0,
            service: ServiceRules::default(),
            fidelity: Fidelity::Bytes,
            trace: true,
            broken: None,
            protocol: Protocol::ZooKeeper,
            reconfig: false,
            settles_early: false,
        }
    }
}

impl WorldSpec {
    /// Who may do what.
    pub(crate) fn access(&self) -> Arc<AccessRules> {
        if self.reconfig { membership::access() } else { Arc::default() }
    }

    /// How fast a server's clock runs.
    pub(crate) fn drift(&self, rng: &mut Rng) -> i32 {
        let span = u64::from(self.drift_ppm);
        i32::try_from(rng.between(0, span * 2)).unwrap_or(0) - i32::try_from(span).unwrap_or(0)
    }

    /// The membership at the beginning.
    pub fn ensemble(&self) -> Ensemble {
        let (voters, all) = (i64::from(self.servers), i64::from(self.servers) + i64::from(self.observers));
        let member = |i: i64| {
            let kind = if i <= voters { MemberKind::Participant } else { MemberKind::Observer };
            (ServerId(i), WorldSpec::member(ServerId(i), kind, self.reconfig))
        };
        Ensemble::new((1..=all).map(member).collect())
    }

    /// A member as configurations name it; where members change, with its clients' port.
    pub(crate) fn member(id: ServerId, kind: MemberKind, with_client_port: bool) -> Member {
        let client = with_client_port.then(|| format!("10.0.0.{id}:2181"));
        Member { client, ..Member::new(kind, format!("10.0.0.{id}:2888:3888")) }
    }

    /// What server `id` is told at its start.
    pub fn config(&self, id: ServerId) -> Config {
        let tick_ms = i32::try_from(self.tick_ms).unwrap_or(i32::MAX);
        Config {
            tick: Duration::from_millis(self.tick_ms.into()),
            init_limit: self.init_limit,
            sync_limit: self.sync_limit,
            min_session_ms: tick_ms.saturating_mul(2),
            max_session_ms: tick_ms.saturating_mul(20),
            snap_count: self.snap_count,
            commit_log_count: self.commit_log_count,
            max_notification: Duration::from_millis(self.max_notification_ms.into()),
            service: self.service.clone(),
            broken: self.broken,
            reconfig: if self.reconfig { Reconfig::Enabled { least: 2 } } else { Reconfig::Disabled },
            access: self.access(),
            settles_early: self.settles_early,
            ..Config::new(id, self.ensemble())
        }
    }
}
