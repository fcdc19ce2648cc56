//! The client port's messages: handshake, requests, replies, watch events.

use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Stat};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The first frame of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectRequest {
    /// Ignored by servers; 0 is sent.
    pub protocol: i32,
    /// The highest zxid the client has seen: a server that is behind must refuse it.
    pub last_zxid_seen: Zxid,
    /// Wished session timeout.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session: SessionId,
    /// 16 bytes; zeros for a new session.
    pub passwd: Bytes,
    /// `None` for an old client that does not send the flag (and must not get it back).
    pub read_only: Option<bool>,
}

/// The first frame of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectResponse {
    /// Negotiated timeout; 0 tells the client that its session has expired.
    pub timeout_ms: i32,
    /// The session, 0 when expired.
    pub session: SessionId,
    /// 16 bytes.
    pub passwd: Bytes,
    /// As in the request: absent when the client did not send it.
    pub read_only: Option<bool>,
}

/// The head of every later request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHeader {
    /// The client's number, echoed in the reply.
    pub xid: i32,
    /// Raw opcode (an unknown one is answered, then closes the connection).
    pub op: i32,
}

/// The head of every reply and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHeader {
    /// The request's number, or one of [`xid`].
    pub xid: i32,
    /// The write's own zxid, or the last one applied here.
    pub zxid: Zxid,
    /// 0 or an error code; no body follows an error.
    pub err: i32,
}

/// Numbers that are no client's.
pub mod xid {
    /// A watch event.
    pub const EVENT: i32 = -1;
    /// A ping and its reply.
    pub const PING: i32 = -2;
    /// An auth packet and its reply.
    pub const AUTH: i32 = -4;
    /// setWatches and its reply.
    pub const SET_WATCHES: i32 = -8;
}

/// A request's body, decoded by its opcode. Versions of -1 match any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// create 1, create2 15, createContainer 19 (by `op`).
    Create { op: OpCode, path: String, data: Option<Bytes>, acl: Vec<Acl>, flags: i32 },
    /// createTTL 21.
    CreateTtl { path: String, data: Option<Bytes>, acl: Vec<Acl>, flags: i32, ttl_ms: i64 },
    /// delete 2.
    Delete { path: String, version: i32 },
    /// exists 3.
    Exists { path: String, watch: bool },
    /// getData 4.
    GetData { path: String, watch: bool },
    /// setData 5.
    SetData { path: String, data: Option<Bytes>, version: i32 },
    /// getACL 6.
    GetAcl { path: String },
    /// setACL 7.
    SetAcl { path: String, acl: Vec<Acl>, version: i32 },
    /// getChildren 8.
    GetChildren { path: String, watch: bool },
    /// sync 9.
    Sync { path: String },
    /// ping 11.
    Ping,
    /// getChildren2 12.
    GetChildren2 { path: String, watch: bool },
    /// check 13 (inside a multi).
    Check { path: String, version: i32 },
    /// multi 14: only creates, deletes, setDatas and checks.
    Multi { ops: Vec<Request> },
    /// auth 100.
    Auth { scheme: String, auth: Option<Bytes> },
    /// setWatches 101.
    SetWatches { relative: Zxid, data: Vec<String>, exist: Vec<String>, child: Vec<String> },
    /// closeSession -11.
    CloseSession,
}

/// A reply's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Header only: delete, ping, auth, setWatches, closeSession.
    Empty,
    /// create, sync.
    Path(String),
    /// create2, createContainer, createTTL.
    PathStat(String, Stat),
    /// exists, setData.
    Stat(Stat),
    /// getData.
    Data(Option<Bytes>, Stat),
    /// getACL.
    Acl(Vec<Acl>, Stat),
    /// getChildren.
    Children(Vec<String>),
    /// getChildren2.
    Children2(Vec<String>, Stat),
    /// multi: a result for each member.
    Multi(Vec<OpResult>),
}

/// One member's result in a multi's reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpResult {
    /// Header type 1.
    Create(String),
    /// Header type 15.
    Create2(String, Stat),
    /// Header type 2.
    Delete,
    /// Header type 5.
    SetData(Stat),
    /// Header type 13.
    Check,
    /// Header type -1: 0 before the failing member, its own code, -2 behind it.
    Error(i32),
}

/// What happened to a watched znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// 1
    Created,
    /// 2
    Deleted,
    /// 3
    DataChanged,
    /// 4
    ChildrenChanged,
}

/// A watch event as the server sends it (state is always 3, SyncConnected).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which znode.
    pub path: String,
}

/// A reply before it is encoded.
pub type Outcome = Result<Response, ZkError>;
