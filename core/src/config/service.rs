//! What a server is told of znodes, quotas and sessions: the settings that Apache mostly takes as Java properties.

use crate::wire::jute::MAX_FIELD;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How stored owners are read (client-protocol §10.3). All servers of an ensemble must be set to the same, since it
/// decides which znodes go with a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerKinds {
    /// No TTL nodes: an owner beginning with 0xff is a session like any other (`extendedTypesEnabled=false`).
    #[default]
    Plain,
    /// An owner beginning with 0xff is a TTL (`extendedTypesEnabled=true`).
    Extended,
    /// Every owner with the top bit set, but for the container's, is a TTL, as 3.5.3 wrote them (with
    /// `emulate353TTLNodes=true`). New ones are written as with [`OwnerKinds::Extended`].
    Emulate353,
}

impl OwnerKinds {
    /// Whether TTL nodes may be created.
    pub const fn has_ttl(self) -> bool {
        !matches!(self, OwnerKinds::Plain)
    }

    /// The largest server id whose sessions can't be taken for TTLs: an id's lowest byte is the top one of its
    /// sessions (client-protocol §3.3).
    pub const fn largest_server_id(self) -> i64 {
        match self {
            OwnerKinds::Plain => i64::MAX,
            OwnerKinds::Extended => 254,
            OwnerKinds::Emulate353 => 127,
        }
    }
}

/// When the leader removes containers and TTL nodes (client-protocol §10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerRules {
    /// How often it looks (`znode.container.checkIntervalMs`).
    pub check_interval: Duration,
    /// How many it removes at most (`znode.container.maxPerMinute`), at least 1.
    pub max_per_minute: u32,
    /// How long a container may wait for its first child (`znode.container.maxNeverUsedIntervalMs`); zero for ever.
    pub never_used: Duration,
}

impl Default for ContainerRules {
    fn default() -> ContainerRules {
        ContainerRules {
            check_interval: Duration::from_secs(60),
            max_per_minute: 10_000,
            never_used: Duration::from_secs(300),
        }
    }
}

/// Whether sessions are known to one server only until they need more (quorum-protocol §10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalSessions {
    /// All sessions are global.
    #[default]
    Off,
    /// New sessions are local and stay so (`localSessionsEnabled`).
    On,
    /// New sessions are local and become global when they create an ephemeral (with `localSessionsUpgradingEnabled`).
    Upgrading,
}

/// See the module. The default is Apache's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceRules {
    /// Which kinds of znodes there are.
    pub owner_kinds: OwnerKinds,
    /// When containers and TTL nodes go.
    pub containers: ContainerRules,
    /// Whether hard quotas are enforced (`enforceQuota`).
    pub enforce_quota: bool,
    /// Which sessions are local.
    pub local_sessions: LocalSessions,
    /// Whether a server that finds no leader serves reads (`readonlymode.enabled`).
    pub read_only: bool,
    /// How large a transaction may be, in bytes: what every peer takes and every log can hold.
    pub max_txn: usize,
}

impl Default for ServiceRules {
    fn default() -> ServiceRules {
        ServiceRules {
            owner_kinds: OwnerKinds::default(),
            containers: ContainerRules::default(),
            enforce_quota: false,
            local_sessions: LocalSessions::Off,
            read_only: false,
            max_txn: MAX_FIELD,
        }
    }
}
