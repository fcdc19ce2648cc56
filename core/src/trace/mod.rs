//! What happened in a world, as plain data: for event lists, captions, golden texts and the comparison of runs.
//! Nothing of the protocol reads it.

pub mod digest;
pub mod text;

use crate::compare::note::ModelNote;
use crate::error::ZkError;
use crate::id::{Epoch, ServerId, SessionId, Zxid};
use crate::note::Note;
use crate::recipe::{self, Kind};
use crate::sim::check::Rule;
use crate::sim::command::{ClientId, Command};
use crate::sim::trouble::MessageAct;
use crate::sim::view::Place;
use crate::time::Instant;
use crate::wire::client::EventKind;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRecord {
    /// When.
    pub at: Instant,
    /// During which event of the world (see [`crate::sim::World::events`]); several records may share one.
    pub event_number: u64,
    /// What.
    #[serde(flatten)]
    pub event: TraceEvent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum TraceEvent {
    /// A person, a scenario or a fault generator pressed a button.
    Command { command: Command },
    /// A server's process started from its disk.
    Started { server: ServerId },
    /// A server's process ended with so many storage effects not yet synced, of which `kept` reached the disk anyway.
    Stopped { server: ServerId, unsynced: u32, kept: u32 },
    /// A server stopped itself rather than break a promise.
    Halted { server: ServerId, why: String },
    /// A server was frozen.
    Paused { server: ServerId },
    /// A frozen server goes on.
    Resumed { server: ServerId },
    /// A turn of the protocol at a server.
    Note { server: ServerId, what: Note },
    /// A server's disk finished a sync: everything up to this transaction is durable there.
    Synced { server: ServerId, upto: Zxid, records: u32 },
    /// A server's snapshot up to this transaction is durable.
    Compacted { server: ServerId, upto: Zxid },
    /// A message left. `id` is never reused in a world.
    Sent { id: u64, from: Place, to: Place, kind: String, label: String },
    /// It arrived and was handled.
    Delivered { id: u64, from: Place, to: Place, kind: String, label: String },
    /// It never arrives.
    Lost { id: u64, from: Place, to: Place, kind: String, why: LossReason },
    /// A client asked for something.
    Asked { client: ClientId, server: Option<ServerId>, line: String },
    /// A client got an answer: in words, with the error if it is one and the zxid if there is one.
    Answered { client: ClientId, line: String, answer: String, error: Option<ZkError>, zxid: Option<Zxid> },
    /// A client was told that a watched znode changed.
    WatchFired { client: ClientId, kind: EventKind, path: String },
    /// A client's session began, was taken up again at another server, or ended.
    Session { client: ClientId, session: SessionId, what: SessionTurn },
    /// Client connections are served (or not any more).
    Serving { server: ServerId, epoch: Option<Epoch> },
    /// A client's recipe tells its application something.
    Recipe { client: ClientId, recipe: Kind, path: String, what: recipe::Event },
    /// A scenario's expectation was looked at.
    Expected { what: String, met: bool },
    /// A rule does not hold.
    Violation { rule: Rule, detail: String },
    /// A server found its newest snapshot damaged at its start and took an older one, `used` (zero: none), with a
    /// longer part of its log.
    SnapshotRefused { server: ServerId, refused: Zxid, why: String, used: Zxid },
    /// A rule has found the message it waited for.
    Caught { id: u64, from: Place, to: Place, kind: String, act: MessageAct },
    /// A turn of a compared protocol at a server.
    Model { server: ServerId, what: ModelNote },
    /// A rule of a compared protocol does not hold.
    ModelViolation { rule: String, detail: String },
}

/// Why a message never arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossReason {
    /// The connection it travelled on was closed or reset.
    ConnectionClosed,
    /// The receiver's process is not running.
    ReceiverDown,
    /// A newer notification took its place while it waited.
    Replaced,
    /// Somebody dropped it, and its connection with it.
    Dropped,
    /// It was a copy: the receiver had it already.
    Duplicate,
}

/// What happened to a client's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionTurn {
    /// New.
    Opened,
    /// The same session goes on through a server.
    Resumed { server: ServerId },
    /// The connection broke; the session lives on for its timeout.
    Disconnected,
    /// The servers say that it has expired.
    Expired,
    /// The client closed it.
    Closed,
}
