//! The client port's messages: handshake, requests, replies, watch events.

use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::wire::frame::frame;
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Stat};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
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

/// The state in every event that a server sends: SyncConnected.
const SYNC_CONNECTED: i32 = 3;

/// The end of a multi: type -1, done, error -1.
const END_OF_MULTI: (i32, bool, i32) = (-1, true, -1);

impl ConnectRequest {
    /// Appends it, without a frame's length.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.protocol);
        out.put_i64(self.last_zxid_seen.0);
        out.put_i32(self.timeout_ms);
        out.put_i64(self.session.0);
        out.put_buffer(Some(&self.passwd));
        if let Some(read_only) = self.read_only {
            out.put_bool(read_only);
        }
    }

    /// Reads a frame's payload. A null password counts as empty; bytes behind the flag are ignored.
    ///
    /// # Errors
    /// Bytes that are no ConnectRequest: the connection is to be closed without an answer.
    pub fn decode(payload: Bytes) -> Result<ConnectRequest, DecodeError> {
        let mut r = Reader::new(payload);
        Ok(ConnectRequest {
            protocol: r.int("protocolVersion")?,
            last_zxid_seen: r.zxid("lastZxidSeen")?,
            timeout_ms: r.int("timeOut")?,
            session: r.session("sessionId")?,
            passwd: r.buffer("passwd")?.unwrap_or_default(),
            read_only: read_only(&mut r)?,
        })
    }

    /// The whole frame.
    pub fn frame(&self) -> Bytes {
        frame(|out| self.encode(out))
    }
}

impl ConnectResponse {
    /// Appends it, without a frame's length.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(0);
        out.put_i32(self.timeout_ms);
        out.put_i64(self.session.0);
        out.put_buffer(Some(&self.passwd));
        if let Some(read_only) = self.read_only {
            out.put_bool(read_only);
        }
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// Bytes that are no ConnectResponse.
    pub fn decode(payload: Bytes) -> Result<ConnectResponse, DecodeError> {
        let mut r = Reader::new(payload);
        r.int("protocolVersion")?;
        Ok(ConnectResponse {
            timeout_ms: r.int("timeOut")?,
            session: r.session("sessionId")?,
            passwd: r.buffer("passwd")?.unwrap_or_default(),
            read_only: read_only(&mut r)?,
        })
    }

    /// The whole frame.
    pub fn frame(&self) -> Bytes {
        frame(|out| self.encode(out))
    }
}

fn read_only(r: &mut Reader) -> Result<Option<bool>, DecodeError> {
    if r.remaining() == 0 { Ok(None) } else { r.boolean("readOnly").map(Some) }
}

impl RequestHeader {
    /// Appends it.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.xid);
        out.put_i32(self.op);
    }

    /// Splits a frame's payload into the header and the request's body, for [`Request::decode`].
    ///
    /// # Errors
    /// Fewer than 8 bytes: the connection is to be closed without an answer.
    pub fn decode(payload: Bytes) -> Result<(RequestHeader, Bytes), DecodeError> {
        let mut r = Reader::new(payload);
        let header = RequestHeader { xid: r.int("xid")?, op: r.int("type")? };
        Ok((header, r.rest()))
    }
}

impl ReplyHeader {
    /// Appends it.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.xid);
        out.put_i64(self.zxid.0);
        out.put_i32(self.err);
    }

    /// Splits a frame's payload into the header and the reply's body, for [`Response::decode`] (unless `err` is set:
    /// then no body is to be looked at) or, if `xid` is [`xid::EVENT`], for [`WatcherEvent::decode`].
    ///
    /// # Errors
    /// Fewer than 16 bytes.
    pub fn decode(payload: Bytes) -> Result<(ReplyHeader, Bytes), DecodeError> {
        let mut r = Reader::new(payload);
        let header = ReplyHeader { xid: r.int("xid")?, zxid: r.zxid("zxid")?, err: r.int("err")? };
        Ok((header, r.rest()))
    }
}

impl Request {
    /// The opcode that belongs to it.
    pub const fn op(&self) -> OpCode {
        match self {
            Request::Create { op, .. } => *op,
            Request::CreateTtl { .. } => OpCode::CreateTtl,
            Request::Delete { .. } => OpCode::Delete,
            Request::Exists { .. } => OpCode::Exists,
            Request::GetData { .. } => OpCode::GetData,
            Request::SetData { .. } => OpCode::SetData,
            Request::GetAcl { .. } => OpCode::GetAcl,
            Request::SetAcl { .. } => OpCode::SetAcl,
            Request::GetChildren { .. } => OpCode::GetChildren,
            Request::Sync { .. } => OpCode::Sync,
            Request::Ping => OpCode::Ping,
            Request::GetChildren2 { .. } => OpCode::GetChildren2,
            Request::Check { .. } => OpCode::Check,
            Request::Multi { .. } => OpCode::Multi,
            Request::Auth { .. } => OpCode::Auth,
            Request::SetWatches { .. } => OpCode::SetWatches,
            Request::CloseSession => OpCode::CloseSession,
        }
    }

    /// Appends the body, without a header.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Request::Create { op: _, path, data, acl, flags } => put_create(path, data, acl, *flags, out),
            Request::CreateTtl { path, data, acl, flags, ttl_ms } => {
                put_create(path, data, acl, *flags, out);
                out.put_i64(*ttl_ms);
            }
            Request::Delete { path, version } | Request::Check { path, version } => {
                out.put_ustring(path);
                out.put_i32(*version);
            }
            Request::Exists { path, watch }
            | Request::GetData { path, watch }
            | Request::GetChildren { path, watch }
            | Request::GetChildren2 { path, watch } => {
                out.put_ustring(path);
                out.put_bool(*watch);
            }
            Request::SetData { path, data, version } => {
                out.put_ustring(path);
                out.put_buffer(data.as_deref());
                out.put_i32(*version);
            }
            Request::GetAcl { path } | Request::Sync { path } => out.put_ustring(path),
            Request::SetAcl { path, acl, version } => {
                out.put_ustring(path);
                Acl::encode_list(acl, out);
                out.put_i32(*version);
            }
            Request::Ping | Request::CloseSession => {}
            Request::Multi { ops } => {
                for op in ops {
                    put_multi_header((op.op().code(), false, -1), out);
                    op.encode(out);
                }
                put_multi_header(END_OF_MULTI, out);
            }
            Request::Auth { scheme, auth } => {
                out.put_i32(0);
                out.put_ustring(scheme);
                out.put_buffer(auth.as_deref());
            }
            Request::SetWatches { relative, data, exist, child } => {
                out.put_i64(relative.0);
                out.put_ustrings(data);
                out.put_ustrings(exist);
                out.put_ustrings(child);
            }
        }
    }

    /// Reads the body of a request of kind `op`. Bytes behind the record are ignored, as Apache's server does. Flags,
    /// paths and versions are not judged here.
    ///
    /// # Errors
    /// Bytes that are no such record (a null path too): the answer is [`ZkError::MarshallingError`]. An opcode that
    /// [`Request`] does not know is [`Fault::Unknown`]: the answer is [`ZkError::Unimplemented`].
    pub fn decode(op: OpCode, body: Bytes) -> Result<Request, DecodeError> {
        Request::read(op, &mut Reader::new(body))
    }

    fn read(op: OpCode, r: &mut Reader) -> Result<Request, DecodeError> {
        Ok(match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                let (path, data, acl, flags) = create(r)?;
                Request::Create { op, path, data, acl, flags }
            }
            OpCode::CreateTtl => {
                let (path, data, acl, flags) = create(r)?;
                Request::CreateTtl { path, data, acl, flags, ttl_ms: r.long("ttl")? }
            }
            OpCode::Delete => Request::Delete { path: r.ustring("path")?, version: r.int("version")? },
            OpCode::Exists => Request::Exists { path: r.ustring("path")?, watch: r.boolean("watch")? },
            OpCode::GetData => Request::GetData { path: r.ustring("path")?, watch: r.boolean("watch")? },
            OpCode::SetData => {
                Request::SetData { path: r.ustring("path")?, data: r.buffer("data")?, version: r.int("version")? }
            }
            OpCode::GetAcl => Request::GetAcl { path: r.ustring("path")? },
            OpCode::SetAcl => {
                Request::SetAcl { path: r.ustring("path")?, acl: Acl::decode_list(r)?, version: r.int("version")? }
            }
            OpCode::GetChildren => Request::GetChildren { path: r.ustring("path")?, watch: r.boolean("watch")? },
            OpCode::Sync => Request::Sync { path: r.ustring("path")? },
            OpCode::Ping => Request::Ping,
            OpCode::GetChildren2 => Request::GetChildren2 { path: r.ustring("path")?, watch: r.boolean("watch")? },
            OpCode::Check => Request::Check { path: r.ustring("path")?, version: r.int("version")? },
            OpCode::Multi => {
                let mut ops = Vec::new();
                while let Some((op, at)) = multi_member(r)? {
                    let op = OpCode::from_code(op).filter(|op| may_be_in_multi(*op));
                    let op = op.ok_or(DecodeError::new("multi member's type", at, Fault::Expected("a write")))?;
                    ops.push(Request::read(op, r)?);
                }
                Request::Multi { ops }
            }
            OpCode::Auth => {
                r.int("auth type")?;
                Request::Auth { scheme: r.ustring("scheme")?, auth: r.buffer("auth")? }
            }
            OpCode::SetWatches => Request::SetWatches {
                relative: r.zxid("relativeZxid")?,
                data: r.ustrings("dataWatches")?,
                exist: r.ustrings("existWatches")?,
                child: r.ustrings("childWatches")?,
            },
            OpCode::CloseSession => Request::CloseSession,
            _ => return Err(unknown_op(op, r)),
        })
    }
}

fn unknown_op(op: OpCode, r: &Reader) -> DecodeError {
    DecodeError::new("opcode", r.position(), Fault::Unknown(i64::from(op.code())))
}

const fn may_be_in_multi(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::Check
    )
}

fn put_create(path: &str, data: &Option<Bytes>, acl: &[Acl], flags: i32, out: &mut BytesMut) {
    out.put_ustring(path);
    out.put_buffer(data.as_deref());
    Acl::encode_list(acl, out);
    out.put_i32(flags);
}

type Create = (String, Option<Bytes>, Vec<Acl>, i32);

fn create(r: &mut Reader) -> Result<Create, DecodeError> {
    Ok((r.ustring("path")?, r.buffer("data")?, Acl::decode_list(r)?, r.int("flags")?))
}

fn put_multi_header((type_code, done, err): (i32, bool, i32), out: &mut BytesMut) {
    out.put_i32(type_code);
    out.put_bool(done);
    out.put_i32(err);
}

/// The type of a multi's next member and where it stands; `None` at the multi's end.
fn multi_member(r: &mut Reader) -> Result<Option<(i32, usize)>, DecodeError> {
    let at = r.position();
    let type_code = r.int("multi member's type")?;
    let done = r.boolean("multi member's done")?;
    r.int("multi member's err")?;
    Ok(if done { None } else { Some((type_code, at)) })
}

impl Response {
    /// Appends the body, without a header.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Response::Empty => {}
            Response::Path(path) => out.put_ustring(path),
            Response::PathStat(path, stat) => {
                out.put_ustring(path);
                stat.encode(out);
            }
            Response::Stat(stat) => stat.encode(out),
            Response::Data(data, stat) => {
                out.put_buffer(data.as_deref());
                stat.encode(out);
            }
            Response::Acl(acl, stat) => {
                Acl::encode_list(acl, out);
                stat.encode(out);
            }
            Response::Children(names) => out.put_ustrings(names),
            Response::Children2(names, stat) => {
                out.put_ustrings(names);
                stat.encode(out);
            }
            Response::Multi(results) => {
                for result in results {
                    result.encode(out);
                }
                put_multi_header(END_OF_MULTI, out);
            }
        }
    }

    /// Reads the body of a reply, without error, to a request of kind `op`.
    ///
    /// # Errors
    /// Bytes that are no such record, or an opcode that [`Request`] does not know.
    pub fn decode(op: OpCode, body: Bytes) -> Result<Response, DecodeError> {
        let mut r = Reader::new(body);
        let response = match op {
            OpCode::Create | OpCode::Sync => Response::Path(r.ustring("path")?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Response::PathStat(r.ustring("path")?, Stat::decode(&mut r)?)
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Response::Stat(Stat::decode(&mut r)?),
            OpCode::GetData => Response::Data(r.buffer("data")?, Stat::decode(&mut r)?),
            OpCode::GetAcl => Response::Acl(Acl::decode_list(&mut r)?, Stat::decode(&mut r)?),
            OpCode::GetChildren => Response::Children(r.ustrings("children")?),
            OpCode::GetChildren2 => Response::Children2(r.ustrings("children")?, Stat::decode(&mut r)?),
            OpCode::Multi => {
                let mut results = Vec::new();
                while let Some((type_code, at)) = multi_member(&mut r)? {
                    results.push(OpResult::decode(type_code, at, &mut r)?);
                }
                Response::Multi(results)
            }
            OpCode::Delete
            | OpCode::Check
            | OpCode::Ping
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::CloseSession => Response::Empty,
            _ => return Err(unknown_op(op, &r)),
        };
        r.finish("reply")?;
        Ok(response)
    }
}

impl OpResult {
    fn encode(&self, out: &mut BytesMut) {
        let (op, err) = match self {
            OpResult::Create(_) => (OpCode::Create.code(), 0),
            OpResult::Create2(..) => (OpCode::Create2.code(), 0),
            OpResult::Delete => (OpCode::Delete.code(), 0),
            OpResult::SetData(_) => (OpCode::SetData.code(), 0),
            OpResult::Check => (OpCode::Check.code(), 0),
            OpResult::Error(code) => (-1, *code),
        };
        put_multi_header((op, false, err), out);
        match self {
            OpResult::Create(path) => out.put_ustring(path),
            OpResult::Create2(path, stat) => {
                out.put_ustring(path);
                stat.encode(out);
            }
            OpResult::Delete | OpResult::Check => {}
            OpResult::SetData(stat) => stat.encode(out),
            OpResult::Error(code) => out.put_i32(*code),
        }
    }

    fn decode(type_code: i32, at: usize, r: &mut Reader) -> Result<OpResult, DecodeError> {
        Ok(match (type_code, OpCode::from_code(type_code)) {
            (_, Some(OpCode::Create)) => OpResult::Create(r.ustring("path")?),
            (_, Some(OpCode::Create2)) => OpResult::Create2(r.ustring("path")?, Stat::decode(r)?),
            (_, Some(OpCode::Delete)) => OpResult::Delete,
            (_, Some(OpCode::SetData)) => OpResult::SetData(Stat::decode(r)?),
            (_, Some(OpCode::Check)) => OpResult::Check,
            (-1, _) => OpResult::Error(r.int("err")?),
            _ => return Err(DecodeError::new("multi result's type", at, Fault::Unknown(i64::from(type_code)))),
        })
    }
}

impl EventKind {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            EventKind::Created => 1,
            EventKind::Deleted => 2,
            EventKind::DataChanged => 3,
            EventKind::ChildrenChanged => 4,
        }
    }

    /// The kind of a number.
    pub const fn from_code(code: i32) -> Option<EventKind> {
        Some(match code {
            1 => EventKind::Created,
            2 => EventKind::Deleted,
            3 => EventKind::DataChanged,
            4 => EventKind::ChildrenChanged,
            _ => return None,
        })
    }
}

impl WatcherEvent {
    /// Appends it, without a header.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.kind.code());
        out.put_i32(SYNC_CONNECTED);
        out.put_ustring(&self.path);
    }

    /// Reads the body behind a header with xid -1.
    ///
    /// # Errors
    /// Bytes that are no event, or one of a kind or state that no server sends.
    pub fn decode(body: Bytes) -> Result<WatcherEvent, DecodeError> {
        let mut r = Reader::new(body);
        let kind = r.int("event type")?;
        let kind =
            EventKind::from_code(kind).ok_or(DecodeError::new("event type", 0, Fault::Unknown(i64::from(kind))))?;
        if r.int("event state")? != SYNC_CONNECTED {
            return Err(DecodeError::new("event state", 4, Fault::Expected("3, SyncConnected,")));
        }
        Ok(WatcherEvent { kind, path: r.ustring("path")? })
    }
}

/// The whole frame of a request.
pub fn request_frame(xid: i32, request: &Request) -> Bytes {
    frame(|out| {
        RequestHeader { xid, op: request.op().code() }.encode(out);
        request.encode(out);
    })
}

/// The whole frame of a reply: a body if `outcome` is one, else the error's code alone.
pub fn reply_frame(xid: i32, zxid: Zxid, outcome: &Outcome) -> Bytes {
    frame(|out| {
        let err = outcome.as_ref().map_or_else(|e| e.code(), |_| 0);
        ReplyHeader { xid, zxid, err }.encode(out);
        if let Ok(response) = outcome {
            response.encode(out);
        }
    })
}

/// The whole frame of a watch event. Since 3.9 servers send the triggering transaction's zxid, before it -1, and -1
/// for events that answer a setWatches.
pub fn event_frame(zxid: Zxid, event: &WatcherEvent) -> Bytes {
    frame(|out| {
        ReplyHeader { xid: xid::EVENT, zxid, err: 0 }.encode(out);
        event.encode(out);
    })
}
