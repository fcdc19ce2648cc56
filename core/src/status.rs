//! What a server tells of itself on request: for operators, the simulator's checks and the stage.

use crate::id::{Epoch, ServerId, Zxid};
use crate::note::PhaseName;
use crate::time::Instant;
use crate::wire::notification::{ServerState, Vote};
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What a server's next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deadline {
    /// Votes are sent again.
    Notifications,
    /// The decided election ends.
    Finalize,
    /// The leader's (or learner's) patience in discovery and synchronisation.
    Join,
    /// A leader's tick.
    Tick,
    /// The leader counts as silent.
    LeaderSilent,
    /// Dial the leader again.
    Redial,
    /// A session may expire.
    Session,
    /// The leader looks for containers and TTL nodes that may go.
    Containers,
    /// It has looked for a leader for so long that it serves reads.
    ReadOnly,
}

/// What a server's running clock is for, as a picture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerKind {
    /// Until its vote is sent again.
    Votes,
    /// Until a decided election ends.
    Finalize,
    /// Its patience with discovery and synchronisation.
    Join,
    /// A leader's half tick.
    Tick,
    /// `syncLimit` at a learner: until it gives its silent leader up.
    LeaderSilent,
    /// `syncLimit` at a leader: until too few of those it has heard from make a quorum with it.
    QuorumSilent,
    /// Until it dials its leader again.
    Redial,
}

/// A running clock of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// What for.
    pub what: TimerKind,
    /// When it runs out if nothing happens before.
    pub at: Instant,
    /// How long it lasts in full.
    pub whole: Duration,
}

/// A server's state at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What it is doing.
    pub state: ServerState,
    /// Its phase.
    pub phase: PhaseName,
    /// The epoch it works towards or is established in; its current epoch while looking.
    pub epoch: Epoch,
    /// The `acceptedEpoch` file, as far as it is durable or under way.
    pub accepted: Epoch,
    /// The `currentEpoch` file, likewise.
    pub current: Epoch,
    /// The leader it follows or is.
    pub leader: Option<ServerId>,
    /// Whether it serves clients.
    pub serving: bool,
    /// Its election round.
    pub round: i64,
    /// Its vote while looking, the settled one after.
    pub vote: Vote,
    /// While looking: the votes of this round.
    pub ballots: Vec<(ServerId, Vote)>,
    /// The last transaction in its log (or its snapshot, if that is later).
    pub logged: Zxid,
    /// The last one that is durable.
    pub synced: Zxid,
    /// The last one committed and applied.
    pub committed: Zxid,
    /// While leading: uncommitted proposals and who has acknowledged them.
    pub outstanding: Vec<(Zxid, Vec<ServerId>)>,
    /// While leading: learners that are synchronised.
    pub learners: Vec<ServerId>,
    /// Sessions it knows.
    pub sessions: usize,
}
