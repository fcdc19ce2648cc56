//! What a server wants done. Effects are carried out in order; each may be carried out at once, since the core
//! withholds whatever depends on something not yet durable.

use crate::config::Membership;
use crate::error::{Violation, ZkError};
use crate::id::{ConnId, Epoch, LinkId, Lsn, ServerId, SessionId, Zxid};
use crate::note::Note;
use crate::wire::client::{ConnectResponse, Outcome, WatcherEvent};
use crate::wire::notification::{Notification, ServerState};
use crate::wire::peer::PeerMsg;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Send a notification on the election connection. May be lost; a newer one to the same server replaces one that
    /// still waits.
    Notify {
        /// To whom.
        to: ServerId,
        /// What.
        note: Notification,
    },
    /// Connect to this server's quorum port; answered by `Connected` or `DialFailed`.
    Dial {
        /// To whom.
        to: ServerId,
    },
    /// Send a packet; order is kept within a connection, and it may be lost only with it.
    Send {
        /// On which connection.
        conn: ConnId,
        /// What.
        msg: PeerMsg,
    },
    /// Close a quorum connection after what was sent on it. `Closed` may or may not follow.
    Drop {
        /// Which one.
        conn: ConnId,
        /// Why.
        why: DropReason,
    },
    /// Write to storage, strictly in order of `lsn`; batching is free; durable only when `Synced` says so.
    Store {
        /// Its number.
        lsn: Lsn,
        /// What.
        record: Record,
    },
    /// History up to `upto` (committed, applied, durable) may be folded into a snapshot in the background; answered
    /// by `Compacted`.
    Compact {
        /// Where the snapshot ends.
        upto: Zxid,
    },
    /// Tell a client connection something; in order within a link.
    ToLink {
        /// Which connection.
        link: LinkId,
        /// What.
        msg: ToLink,
    },
    /// The server begins (`Some`) or ceases (`None`) to serve clients. Ceasing ends all client connections.
    Serving(Option<Serving>),
    /// Stop this process: going on would break a promise.
    Halt(HaltReason),
    /// Something worth telling a person; changes nothing.
    Note(Note),
}

/// As what a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// Following, leading or observing; looking: read-only, without a leader.
    pub role: ServerState,
    /// The established epoch; read-only the last one it knew.
    pub epoch: Epoch,
    /// The leader; read-only [`ServerId::NONE`].
    pub leader: ServerId,
}

impl Serving {
    /// Whether only reads are served, since there is no leader (client-protocol §16).
    pub fn is_read_only(&self) -> bool {
        self.role == ServerState::Looking
    }
}

/// A storage effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Append a transaction (header, body, digest as in PROPOSAL).
    Txn {
        /// Its zxid.
        zxid: Zxid,
        /// Its bytes.
        txn: Bytes,
    },
    /// Remove every transaction above `to`.
    Truncate {
        /// The last one kept.
        to: Zxid,
    },
    /// Write the `acceptedEpoch` file.
    AcceptedEpoch(Epoch),
    /// Write the `currentEpoch` file.
    CurrentEpoch(Epoch),
    /// Replace everything (snapshots and log) by this state, in one step that a crash can't halve.
    Install {
        /// The state's zxid.
        zxid: Zxid,
        /// Parts 2 to 5 of the snapshot format.
        body: Bytes,
    },
    /// Forget that the disk had lost something: all of it is there again.
    Trusted,
    /// Write who is a member, and who is proposed to be (the dynamic configuration files). From now on these are whom
    /// the driver dials.
    Membership(Box<Membership>),
}

/// What the server tells a client connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToLink {
    /// The handshake's answer. With timeout 0 the session is refused and the connection ends behind it.
    Connected(ConnectResponse),
    /// The handshake's answer where no session can be had: the error, as a reply's header, and the end.
    NoSession(ZkError),
    /// A reply to a submitted write or sync.
    Reply {
        /// The client's number of it.
        xid: i32,
        /// The transaction's zxid.
        zxid: Zxid,
        /// What came of it.
        outcome: Outcome,
    },
    /// A watch fired.
    Event(WatcherEvent),
    /// The connection must end without an answer.
    Close(LinkClose),
}

/// Why a client connection is ended by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkClose {
    /// The server has no leader (any more).
    NotServing,
    /// The client has seen a later zxid than this server.
    ClientIsAhead(Zxid),
    /// Another connection took the session over.
    SessionMoved,
    /// The session has expired or was closed.
    SessionEnded(SessionId),
    /// What the client sent can't be understood.
    BadRequest(String),
}

/// Why a quorum connection is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropReason {
    /// We are not (or no longer) what the other side needs.
    RoleChanged,
    /// Nothing heard for too long.
    Silent,
    /// The other side broke the protocol.
    Violation(Violation),
    /// The learner knows more than we do.
    LearnerIsAhead,
    /// It runs with a newer configuration than ours.
    NewerConfig,
    /// The same server connected anew.
    Replaced,
    /// Too many connections wait for their first packet.
    TooMany,
}

/// Why a server stops itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HaltReason {
    /// Storage failed; what the system said.
    Storage(String),
    /// An invariant of our own does not hold; which.
    Invariant(String),
    /// The tree after this transaction is not the one that the leader foretold.
    Diverged(Zxid),
}

impl fmt::Display for HaltReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HaltReason::Storage(what) => write!(f, "storage failed: {what}"),
            HaltReason::Invariant(what) => write!(f, "an invariant is broken: {what}"),
            HaltReason::Diverged(zxid) => {
                write!(f, "an invariant is broken: the tree after {zxid} is not the one that the leader foretold")
            }
        }
    }
}

/// The buffer that `step` fills; reuse it, so that a step needs no allocation of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    list: Vec<Effect>,
    quiet: bool,
}

impl Effects {
    /// An empty buffer that takes notes.
    pub fn new() -> Effects {
        Effects::default()
    }

    /// An empty buffer that takes no notes: for sweeps, where nobody reads them.
    pub fn quiet() -> Effects {
        Effects { list: Vec::new(), quiet: true }
    }

    /// Adds an effect.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Adds a note, made only if somebody listens.
    pub fn note(&mut self, note: impl FnOnce() -> Note) {
        if !self.quiet {
            self.list.push(Effect::Note(note()));
        }
    }

    /// Takes the effects out, in order, keeping the buffer.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.list.drain(..)
    }

    /// The effects so far.
    pub fn as_slice(&self) -> &[Effect] {
        &self.list
    }
}
