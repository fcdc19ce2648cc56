//! What a person (or a scenario, or a fault generator) can do to a world. Nothing else changes its course: seed and
//! commands are the whole truth of a run.

use crate::config::{BrokenRule, MemberKind};
use crate::id::ServerId;
use crate::sim::trouble::Trouble;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A simulated client's name: `A`, `B` …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u32);

impl core::fmt::Display for ClientId {
    /// `A` to `Z`, then `C27` and so on.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match u8::try_from(self.0) {
            Ok(n) if n < 26 => write!(f, "{}", char::from(b'A' + n)),
            _ => write!(f, "C{}", self.0 + 1),
        }
    }
}

/// What a disk can lose of what was durable: one byte is another, or all of it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskDamage {
    /// In the newest snapshot's file.
    NewestSnapshot,
    /// In a record of the log that is not its last.
    MiddleOfLog,
    /// All of it: the disk is empty.
    Everything,
}

/// One button press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Stop a server at once; what was not synced is lost.
    Kill { server: ServerId },
    /// Start a stopped server from its disk.
    Restart { server: ServerId },
    /// Freeze a server: it keeps its memory, and the world goes on without it.
    Pause { server: ServerId },
    /// Let a frozen server go on.
    Resume { server: ServerId },
    /// Cut the link from `from` to `to`; with `both`, the other direction too.
    Cut { from: ServerId, to: ServerId, both: bool },
    /// Undo a cut.
    Heal { from: ServerId, to: ServerId, both: bool },
    /// Cut every link between different groups; servers in no group are a group of their own together.
    Partition { groups: Vec<Vec<ServerId>> },
    /// Undo all cuts and delays.
    HealAll,
    /// Extra one-way latency on a link, milliseconds.
    Delay { from: ServerId, to: ServerId, millis: u32 },
    /// Break the connections between two servers once; they reconnect.
    Reset { a: ServerId, b: ServerId },
    /// How long a server's disk takes for a sync, milliseconds.
    DiskDelay { server: ServerId, millis: u32 },
    /// A server's disk fails its next sync.
    DiskFail { server: ServerId },
    /// A new client connects to a server (which opens a session).
    Connect { client: ClientId, server: ServerId },
    /// A client closes its session.
    CloseSession { client: ClientId },
    /// A client dies without a word: its session will expire.
    KillClient { client: ClientId },
    /// A client asks for something, typed like `create -e /a 1`; sent through the server it is connected to, or
    /// through `via`, to which it then moves its session first.
    Ask { client: ClientId, line: String, via: Option<ServerId> },
    /// Break (or mend) a rule on purpose, on every server.
    Break { rule: Option<BrokenRule> },
    /// A stopped server's disk has lost something that was durable on it.
    Damage { server: ServerId, what: DiskDamage },
    /// One of the finer faults.
    Trouble(Trouble),
    /// A client starts a recipe, typed like `lock /lock for 1000` (see [`crate::recipe::Spec`]).
    RunRecipe { client: ClientId, line: String },
    /// A client tells its recipe something, typed like `stop` (see [`crate::recipe::Order`]).
    TellRecipe { client: ClientId, line: String },
    /// A client loses its connection and reaches no server.
    CutClient { client: ClientId },
    /// It reaches them again.
    HealClient { client: ClientId },
    /// Freeze a client: it sends nothing and notices nothing.
    PauseClient { client: ClientId },
    /// Let a frozen client go on, as if no time had passed.
    ResumeClient { client: ClientId },
    /// A new server that is no member yet is started, with the next id: its list names the members and itself.
    NewServer,
    /// A client, as superuser, asks for a change of the members: these join (or change their role), these leave.
    Reconfig { client: ClientId, join: Vec<(ServerId, MemberKind)>, leave: Vec<ServerId> },
    /// The same with the whole list of members.
    ReplaceMembers { client: ClientId, members: Vec<(ServerId, MemberKind)> },
}
