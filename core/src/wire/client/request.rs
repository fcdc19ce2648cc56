//! What clients ask.

use super::event::{AddWatchMode, WatchType};
use crate::id::Zxid;
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use crate::wire::op::OpCode;
use crate::wire::record::Acl;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

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
    /// sasl 102: a step of the exchange.
    Sasl { token: Option<Bytes> },
    /// reconfig 16: servers that join and leave, or a whole new list; `config` is the version it starts from, -1 for
    /// any.
    Reconfig { joining: Option<String>, leaving: Option<String>, members: Option<String>, config: i64 },
    /// checkWatches 17: whether this connection has such a watch.
    CheckWatches { path: String, kind: WatchType },
    /// removeWatches 18.
    RemoveWatches { path: String, kind: WatchType },
    /// multiRead 22: only getDatas and getChildren (their watch flags count for nothing).
    MultiRead { ops: Vec<Request> },
    /// getEphemerals 103: the session's own below a prefix (not a path: `/a` is one of `/ab`). Null, blank or `/` for
    /// all.
    GetEphemerals { prefix: Option<String> },
    /// getAllChildrenNumber 104: how many znodes there are below.
    GetAllChildrenNumber { path: String },
    /// setWatches2 105: setWatches with those that addWatch set.
    SetWatches2(Box<WatchLists>),
    /// addWatch 106.
    AddWatch { path: String, mode: AddWatchMode },
    /// whoAmI 107.
    WhoAmI,
    /// closeSession -11.
    CloseSession,
}

/// The end of a multi: type -1, done, error -1.
pub(super) const END_OF_MULTI: (i32, bool, i32) = (-1, true, -1);

/// All watches of a client that was away, as setWatches2 brings them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchLists {
    /// The last zxid the client has seen.
    pub relative: Zxid,
    /// Paths whose data it watches once.
    pub data: Vec<String>,
    /// Paths that it waits for.
    pub exist: Vec<String>,
    /// Paths whose children it watches once.
    pub child: Vec<String>,
    /// Persistent watches.
    pub persistent: Vec<String>,
    /// Persistent recursive watches.
    pub recursive: Vec<String>,
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
            Request::Sasl { .. } => OpCode::Sasl,
            Request::Reconfig { .. } => OpCode::Reconfig,
            Request::CheckWatches { .. } => OpCode::CheckWatches,
            Request::RemoveWatches { .. } => OpCode::RemoveWatches,
            Request::MultiRead { .. } => OpCode::MultiRead,
            Request::GetEphemerals { .. } => OpCode::GetEphemerals,
            Request::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Request::SetWatches2(_) => OpCode::SetWatches2,
            Request::AddWatch { .. } => OpCode::AddWatch,
            Request::WhoAmI => OpCode::WhoAmI,
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
            Request::GetAcl { path } | Request::Sync { path } | Request::GetAllChildrenNumber { path } => {
                out.put_ustring(path);
            }
            Request::SetAcl { path, acl, version } => {
                out.put_ustring(path);
                Acl::encode_list(acl, out);
                out.put_i32(*version);
            }
            Request::Ping | Request::WhoAmI | Request::CloseSession => {}
            Request::Multi { ops } | Request::MultiRead { ops } => {
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
            Request::SetWatches2(lists) => {
                let WatchLists { relative, data, exist, child, persistent, recursive } = &**lists;
                out.put_i64(relative.0);
                for paths in [data, exist, child, persistent, recursive] {
                    out.put_ustrings(paths);
                }
            }
            Request::Sasl { token } => out.put_buffer(token.as_deref()),
            Request::Reconfig { joining, leaving, members, config } => {
                for list in [joining, leaving, members] {
                    out.put_opt_ustring(list.as_deref());
                }
                out.put_i64(*config);
            }
            Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
                out.put_ustring(path);
                out.put_i32(kind.code());
            }
            Request::GetEphemerals { prefix } => out.put_opt_ustring(prefix.as_deref()),
            Request::AddWatch { path, mode } => {
                out.put_ustring(path);
                out.put_i32(mode.code());
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
            OpCode::Multi => Request::Multi { ops: members(r, may_be_in_multi, "a write")? },
            OpCode::MultiRead => Request::MultiRead { ops: members(r, may_be_in_multi_read, "a read")? },
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
            OpCode::SetWatches2 => Request::SetWatches2(Box::new(WatchLists {
                relative: r.zxid("relativeZxid")?,
                data: r.ustrings("dataWatches")?,
                exist: r.ustrings("existWatches")?,
                child: r.ustrings("childWatches")?,
                persistent: r.ustrings("persistentWatches")?,
                recursive: r.ustrings("persistentRecursiveWatches")?,
            })),
            OpCode::Sasl => Request::Sasl { token: r.buffer("token")? },
            OpCode::Reconfig => Request::Reconfig {
                joining: r.opt_ustring("joiningServers")?,
                leaving: r.opt_ustring("leavingServers")?,
                members: r.opt_ustring("newMembers")?,
                config: r.long("curConfigId")?,
            },
            OpCode::CheckWatches => Request::CheckWatches { path: r.ustring("path")?, kind: WatchType::read(r)? },
            OpCode::RemoveWatches => Request::RemoveWatches { path: r.ustring("path")?, kind: WatchType::read(r)? },
            OpCode::GetEphemerals => Request::GetEphemerals { prefix: r.opt_ustring("prefixPath")? },
            OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: r.ustring("path")? },
            OpCode::AddWatch => Request::AddWatch { path: r.ustring("path")?, mode: AddWatchMode::read(r)? },
            OpCode::WhoAmI => Request::WhoAmI,
            OpCode::CloseSession => Request::CloseSession,
            // Servers alone make these.
            OpCode::DeleteContainer | OpCode::CreateSession => return Err(unknown_op(op, r)),
        })
    }
}

/// The members of a multi, each of a kind that `allowed` lets in.
fn members(r: &mut Reader, allowed: fn(OpCode) -> bool, what: &'static str) -> Result<Vec<Request>, DecodeError> {
    let mut ops = Vec::new();
    while let Some((op, at)) = multi_member(r)? {
        let op = OpCode::from_code(op).filter(|op| allowed(*op));
        let op = op.ok_or(DecodeError::new("multi member's type", at, Fault::Expected(what)))?;
        ops.push(Request::read(op, r)?);
    }
    Ok(ops)
}

pub(super) fn unknown_op(op: OpCode, r: &Reader) -> DecodeError {
    DecodeError::new("opcode", r.position(), Fault::Unknown(i64::from(op.code())))
}

fn may_be_in_multi(op: OpCode) -> bool {
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

fn may_be_in_multi_read(op: OpCode) -> bool {
    matches!(op, OpCode::GetData | OpCode::GetChildren)
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

pub(super) fn put_multi_header((type_code, done, err): (i32, bool, i32), out: &mut BytesMut) {
    out.put_i32(type_code);
    out.put_bool(done);
    out.put_i32(err);
}

/// The type of a multi's next member and where it stands; `None` at the multi's end.
pub(super) fn multi_member(r: &mut Reader) -> Result<Option<(i32, usize)>, DecodeError> {
    let at = r.position();
    let type_code = r.int("multi member's type")?;
    let done = r.boolean("multi member's done")?;
    r.int("multi member's err")?;
    Ok(if done { None } else { Some((type_code, at)) })
}
