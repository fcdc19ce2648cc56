//! What servers answer.

use super::request::{END_OF_MULTI, multi_member, put_multi_header, unknown_op};
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Stat};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// A reply's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Header only: delete, ping, auth, setWatches, checkWatches, removeWatches, closeSession.
    Empty,
    /// create, sync.
    Path(String),
    /// create2, createContainer, createTTL.
    PathStat(String, Stat),
    /// exists, setData.
    Stat(Stat),
    /// getData; reconfig, whose answer is the new configuration.
    Data(Option<Bytes>, Stat),
    /// getACL.
    Acl(Vec<Acl>, Stat),
    /// getChildren, getEphemerals.
    Children(Vec<String>),
    /// getChildren2.
    Children2(Vec<String>, Stat),
    /// multi, multiRead: a result for each member.
    Multi(Vec<OpResult>),
    /// getAllChildrenNumber.
    Number(i32),
    /// addWatch: an error code of its own, which is 0.
    Code(i32),
    /// whoAmI: every identity of the connection.
    Identities(Vec<AuthInfo>),
    /// sasl: the next step of the exchange. Unlike all others it also stands behind a header with an error, then null.
    Token(Option<Bytes>),
}

/// One identity, as whoAmI tells it: of a digest only the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthInfo {
    /// `ip`, `digest`, `sasl`, `x509`, `super`.
    pub scheme: String,
    /// Whom it names.
    pub user: String,
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
    /// Header type 8.
    Children(Vec<String>),
    /// Header type 4.
    Data(Option<Bytes>, Stat),
    /// Header type -1: 0 before the failing member, its own code, -2 behind it.
    Error(i32),
}

impl Response {
    /// Bytes of the znode's data in it.
    pub fn data_len(&self) -> usize {
        match self {
            Response::Data(Some(data), _) => data.len(),
            _ => 0,
        }
    }

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
            Response::Number(number) | Response::Code(number) => out.put_i32(*number),
            Response::Identities(list) => out.put_vector(list, |out, info| info.encode(out)),
            Response::Token(token) => out.put_buffer(token.as_deref()),
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
            OpCode::GetData | OpCode::Reconfig => Response::Data(r.buffer("data")?, Stat::decode(&mut r)?),
            OpCode::GetAcl => Response::Acl(Acl::decode_list(&mut r)?, Stat::decode(&mut r)?),
            OpCode::GetChildren | OpCode::GetEphemerals => Response::Children(r.ustrings("children")?),
            OpCode::GetChildren2 => Response::Children2(r.ustrings("children")?, Stat::decode(&mut r)?),
            OpCode::Multi | OpCode::MultiRead => {
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
            | OpCode::SetWatches2
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::CloseSession => Response::Empty,
            OpCode::GetAllChildrenNumber => Response::Number(r.int("totalNumber")?),
            OpCode::AddWatch => Response::Code(r.int("err")?),
            OpCode::WhoAmI => Response::Identities(r.vector(8, "clientInfo", AuthInfo::decode)?),
            OpCode::Sasl => Response::Token(r.buffer("token")?),
            OpCode::DeleteContainer | OpCode::CreateSession => return Err(unknown_op(op, &r)),
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
            OpResult::Children(_) => (OpCode::GetChildren.code(), 0),
            OpResult::Data(..) => (OpCode::GetData.code(), 0),
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
            OpResult::Children(names) => out.put_ustrings(names),
            OpResult::Data(data, stat) => {
                out.put_buffer(data.as_deref());
                stat.encode(out);
            }
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
            (_, Some(OpCode::GetChildren)) => OpResult::Children(r.ustrings("children")?),
            (_, Some(OpCode::GetData)) => OpResult::Data(r.buffer("data")?, Stat::decode(r)?),
            (-1, _) => OpResult::Error(r.int("err")?),
            _ => return Err(DecodeError::new("multi result's type", at, Fault::Unknown(i64::from(type_code)))),
        })
    }
}

impl AuthInfo {
    fn encode(&self, out: &mut BytesMut) {
        out.put_ustring(&self.scheme);
        out.put_ustring(&self.user);
    }

    fn decode(r: &mut Reader) -> Result<AuthInfo, DecodeError> {
        Ok(AuthInfo { scheme: r.ustring("authScheme")?, user: r.ustring("user")? })
    }
}
