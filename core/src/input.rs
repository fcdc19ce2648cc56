//! What a driver tells a server. Extra [`Input::Tick`]s are harmless; everything else is told exactly once.

use crate::id::{ConnId, LinkId, Lsn, ServerId, SessionId, Zxid};
use crate::wire::client::ConnectRequest;
use crate::wire::notification::Notification;
use crate::wire::op::OpCode;
use crate::wire::peer::PeerMsg;
use crate::wire::record::Id;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The deadline told by [`crate::server::Server::next_deadline`] has passed.
    Tick,
    /// A notification came on the election connection with `from`.
    Notification {
        /// The other server, as the connection's first bytes said.
        from: ServerId,
        /// What it says.
        note: Notification,
    },
    /// A notification could not be delivered: the machine of `by` says that nobody listens at its election port.
    Refused {
        /// The other server.
        by: ServerId,
    },
    /// Somebody dialled our quorum port.
    Accepted {
        /// The new connection.
        conn: ConnId,
    },
    /// Our [`crate::effect::Effect::Dial`] succeeded.
    Connected {
        /// Whom we dialled.
        to: ServerId,
        /// The new connection.
        conn: ConnId,
    },
    /// Our dial failed.
    DialFailed {
        /// Whom we dialled.
        to: ServerId,
    },
    /// A packet came on a quorum connection; in order within one.
    Packet {
        /// On which connection.
        conn: ConnId,
        /// What came.
        msg: PeerMsg,
    },
    /// A quorum connection ended (also after our own `Drop`); nothing more comes on it.
    Closed {
        /// Which one.
        conn: ConnId,
    },
    /// All storage effects up to `upto` survive a crash. Monotonic; comes also for effects that need no sync.
    Synced {
        /// The last durable effect.
        upto: Lsn,
    },
    /// Storage failed to write or sync. Never retried: the server halts.
    StorageFailed {
        /// What the system said.
        what: String,
    },
    /// A snapshot of everything up to `upto` is durable.
    Compacted {
        /// The snapshot's zxid.
        upto: Zxid,
    },
    /// A client connection asks for something that needs the server.
    Submit {
        /// Which connection.
        link: LinkId,
        /// What it asks.
        request: Submission,
    },
    /// These sessions were heard from since the last `Touched`. Drivers tell it at least every half tick.
    Touched {
        /// Their ids.
        sessions: Vec<SessionId>,
    },
}

/// What a client connection asks of the server. Requests of one link are answered in the order they were submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submission {
    /// The handshake: a new session or an old one taken up again.
    Connect(ConnectRequest),
    /// A write, or closeSession.
    Write {
        /// Its session.
        session: SessionId,
        /// The client's number of it.
        xid: i32,
        /// What kind.
        op: OpCode,
        /// The request record as it came.
        body: Bytes,
        /// Who the client has shown to be.
        auth: Vec<Id>,
    },
    /// A sync: answered once everything the leader had proposed before is applied here.
    Sync {
        /// Its session.
        session: SessionId,
        /// The client's number of it.
        xid: i32,
        /// Echoed.
        path: String,
    },
    /// The connection is gone; nothing more is sent to it. The session lives on.
    Gone,
}
