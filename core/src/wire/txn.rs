//! Transactions: what PROPOSAL, INFORM and the log carry. One byte string, [`TxnHeader`] ‖ body ‖ optional
//! [`TxnDigest`], is the same in all three.

use crate::id::{SessionId, Zxid};
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use crate::wire::op::OpCode;
use crate::wire::record::Acl;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// A transaction's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnHeader {
    /// The session that asked for it (0 for none).
    pub session: SessionId,
    /// That session's number of the request.
    pub cxid: i32,
    /// Its place in the order.
    pub zxid: Zxid,
    /// The leader's wall clock, milliseconds since 1970.
    pub time_ms: i64,
}

/// The predicted digest of the tree after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnDigest {
    /// 2 is the only one written.
    pub version: i32,
    /// The sum over all nodes.
    pub tree: i64,
}

/// A transaction's body by type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TxnBody {
    /// 1 (create), 15 (create2): same body, the type is kept for the reply.
    Create {
        /// Whether the type is 15.
        v2: bool,
        /// Full path with the sequence number already in it.
        path: String,
        /// `None` is null, not empty.
        data: Option<Bytes>,
        /// The access list.
        acl: Vec<Acl>,
        /// Owned by the header's session.
        ephemeral: bool,
        /// The parent's stored cversion after it; -1 in old records: one more than stored.
        parent_cversion: i32,
    },
    /// 19
    CreateContainer {
        /// Full path.
        path: String,
        /// Data.
        data: Option<Bytes>,
        /// Access list.
        acl: Vec<Acl>,
        /// As in `Create`.
        parent_cversion: i32,
    },
    /// 21
    CreateTtl {
        /// Full path.
        path: String,
        /// Data.
        data: Option<Bytes>,
        /// Access list.
        acl: Vec<Acl>,
        /// As in `Create`.
        parent_cversion: i32,
        /// Milliseconds.
        ttl_ms: i64,
    },
    /// 2 (delete), 20 (deleteContainer).
    Delete {
        /// Whether the type is 20.
        container: bool,
        /// Full path.
        path: String,
    },
    /// 5 (setData), 16 (reconfig).
    SetData {
        /// Whether the type is 16.
        reconfig: bool,
        /// Full path.
        path: String,
        /// New data.
        data: Option<Bytes>,
        /// New version.
        version: i32,
    },
    /// 7
    SetAcl {
        /// Full path.
        path: String,
        /// New list.
        acl: Vec<Acl>,
        /// New aversion.
        version: i32,
    },
    /// 13, inside a multi.
    Check {
        /// Full path.
        path: String,
        /// Version plus one.
        version: i32,
    },
    /// -10
    CreateSession {
        /// Negotiated timeout.
        timeout_ms: i32,
    },
    /// -11. `None` when the body is absent (older or disabled).
    CloseSession {
        /// The session's ephemerals.
        paths: Option<Vec<String>>,
    },
    /// -1: a failed request keeps its place in the order.
    Error {
        /// A client error code.
        code: i32,
    },
    /// 14. If any member is an `Error`, nothing of it is applied.
    Multi {
        /// The members in order.
        txns: Vec<TxnBody>,
    },
}

/// A whole decoded transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Txn {
    /// Its head.
    pub header: TxnHeader,
    /// Its body.
    pub body: TxnBody,
    /// The digest behind it, if any.
    pub digest: Option<TxnDigest>,
}

/// The type of an error transaction.
const ERROR: i32 = -1;

/// Bytes of an encoded [`TxnDigest`].
const DIGEST_SIZE: usize = 12;

/// Bytes of a transaction around its body, at most.
pub const FRAME_SIZE: usize = TxnHeader::SIZE + DIGEST_SIZE;

impl TxnHeader {
    /// Bytes of an encoded header, the type included.
    pub const SIZE: usize = 32;

    /// Appends it with the type of the body that follows.
    pub fn encode(&self, type_code: i32, out: &mut impl BufMut) {
        out.put_i64(self.session.0);
        out.put_i32(self.cxid);
        out.put_i64(self.zxid.0);
        out.put_i64(self.time_ms);
        out.put_i32(type_code);
    }

    /// Reads one and the type of the body that follows.
    ///
    /// # Errors
    /// Fewer than 32 bytes.
    pub fn decode(r: &mut Reader) -> Result<(TxnHeader, i32), DecodeError> {
        let header = TxnHeader {
            session: r.session("clientId")?,
            cxid: r.int("cxid")?,
            zxid: r.zxid("zxid")?,
            time_ms: r.long("time")?,
        };
        Ok((header, r.int("type")?))
    }

    /// The header and type of an encoded transaction, without looking at its body.
    ///
    /// # Errors
    /// As [`TxnHeader::decode`].
    pub fn peek(entry: &Bytes) -> Result<(TxnHeader, i32), DecodeError> {
        TxnHeader::decode(&mut Reader::new(entry.clone()))
    }
}

impl TxnDigest {
    fn encode(&self, out: &mut impl BufMut) {
        out.put_i32(self.version);
        out.put_i64(self.tree);
    }

    fn decode(r: &mut Reader) -> Result<TxnDigest, DecodeError> {
        Ok(TxnDigest { version: r.int("digest version")?, tree: r.long("tree digest")? })
    }
}

impl TxnBody {
    /// Whether `type_code` is one that [`TxnBody::decode`] takes.
    pub const fn is_known(type_code: i32) -> bool {
        matches!(type_code, -11..=-10 | -1 | 1 | 2 | 5 | 7 | 13..=16 | 19..=21)
    }

    /// The type as it stands in the header or in front of a multi's member.
    pub const fn type_code(&self) -> i32 {
        match self {
            TxnBody::Create { v2: false, .. } => OpCode::Create.code(),
            TxnBody::Create { v2: true, .. } => OpCode::Create2.code(),
            TxnBody::CreateContainer { .. } => OpCode::CreateContainer.code(),
            TxnBody::CreateTtl { .. } => OpCode::CreateTtl.code(),
            TxnBody::Delete { container: false, .. } => OpCode::Delete.code(),
            TxnBody::Delete { container: true, .. } => OpCode::DeleteContainer.code(),
            TxnBody::SetData { reconfig: false, .. } => OpCode::SetData.code(),
            TxnBody::SetData { reconfig: true, .. } => OpCode::Reconfig.code(),
            TxnBody::SetAcl { .. } => OpCode::SetAcl.code(),
            TxnBody::Check { .. } => OpCode::Check.code(),
            TxnBody::CreateSession { .. } => OpCode::CreateSession.code(),
            TxnBody::CloseSession { .. } => OpCode::CloseSession.code(),
            TxnBody::Error { .. } => ERROR,
            TxnBody::Multi { .. } => OpCode::Multi.code(),
        }
    }

    /// Appends the body, without its type.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            TxnBody::Create { v2: _, path, data, acl, ephemeral, parent_cversion } => {
                put_node(path, data, acl, out);
                out.put_bool(*ephemeral);
                out.put_i32(*parent_cversion);
            }
            TxnBody::CreateContainer { path, data, acl, parent_cversion } => {
                put_node(path, data, acl, out);
                out.put_i32(*parent_cversion);
            }
            TxnBody::CreateTtl { path, data, acl, parent_cversion, ttl_ms } => {
                put_node(path, data, acl, out);
                out.put_i32(*parent_cversion);
                out.put_i64(*ttl_ms);
            }
            TxnBody::Delete { container: _, path } => out.put_ustring(path),
            TxnBody::SetData { reconfig: _, path, data, version } => {
                out.put_ustring(path);
                out.put_buffer(data.as_deref());
                out.put_i32(*version);
            }
            TxnBody::SetAcl { path, acl, version } => {
                out.put_ustring(path);
                Acl::encode_list(acl, out);
                out.put_i32(*version);
            }
            TxnBody::Check { path, version } => {
                out.put_ustring(path);
                out.put_i32(*version);
            }
            TxnBody::CreateSession { timeout_ms } => out.put_i32(*timeout_ms),
            TxnBody::CloseSession { paths: None } => {}
            TxnBody::CloseSession { paths: Some(paths) } => out.put_ustrings(paths),
            TxnBody::Error { code } => out.put_i32(*code),
            TxnBody::Multi { txns } => {
                out.put_vector(txns, |out, txn| {
                    out.put_i32(txn.type_code());
                    let start = out.len();
                    out.put_i32(0);
                    txn.encode(out);
                    let size = out.len() - start - 4;
                    let Ok(length) = i32::try_from(size) else { panic!("a transaction of {size} bytes") };
                    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
                });
            }
        }
    }

    /// How many bytes [`TxnBody::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        let node = |path: &String, data: &Option<Bytes>, acl: &[Acl]| {
            8 + path.len() + data.as_ref().map_or(0, Bytes::len) + acl_len(acl)
        };
        match self {
            TxnBody::Create { path, data, acl, .. } => node(path, data, acl) + 5,
            TxnBody::CreateContainer { path, data, acl, .. } => node(path, data, acl) + 4,
            TxnBody::CreateTtl { path, data, acl, .. } => node(path, data, acl) + 12,
            TxnBody::Delete { path, .. } => 4 + path.len(),
            TxnBody::SetData { path, data, .. } => 12 + path.len() + data.as_ref().map_or(0, Bytes::len),
            TxnBody::SetAcl { path, acl, .. } => 8 + path.len() + acl_len(acl),
            TxnBody::Check { path, .. } => 8 + path.len(),
            TxnBody::CreateSession { .. } | TxnBody::Error { .. } => 4,
            TxnBody::CloseSession { paths: None } => 0,
            TxnBody::CloseSession { paths: Some(paths) } => 4 + paths.iter().map(|path| 4 + path.len()).sum::<usize>(),
            TxnBody::Multi { txns } => 4 + txns.iter().map(|txn| 8 + txn.encoded_len()).sum::<usize>(),
        }
    }

    /// Reads the body of type `type_code`. What follows it, if anything, is left in `r`.
    ///
    /// Two bodies may lack an end: a create of ZooKeeper 3.3 has no parentCVersion (then -1 is given), a closeSession
    /// may have no body at all. Both show only by where the bytes end, so `r` must end with this transaction.
    ///
    /// One may be another's: as a server of Apache's applies a failed multi, it writes the type of an error over those
    /// of the members before the failing one, in the transaction itself, and leaves their bodies. So it sends it in
    /// every later DIFF, and so it logs it if the quorum was quicker than its own disk. To its client each of them
    /// is an error 0, and so they are here.
    ///
    /// # Errors
    /// An unknown type, or bytes that are no such body.
    pub fn decode(type_code: i32, r: &mut Reader) -> Result<TxnBody, DecodeError> {
        TxnBody::decode_nested(type_code, r, false)
    }

    fn decode_nested(type_code: i32, r: &mut Reader, in_multi: bool) -> Result<TxnBody, DecodeError> {
        if type_code == ERROR {
            let code = r.int("error code")?;
            let marked = in_multi && r.remaining() > 0;
            return Ok(TxnBody::Error { code: if marked { 0 } else { code } });
        }
        let unknown = DecodeError::new("transaction type", r.position(), Fault::Unknown(i64::from(type_code)));
        let op = OpCode::from_code(type_code).ok_or_else(|| unknown.clone())?;
        Ok(match op {
            OpCode::Create | OpCode::Create2 => {
                let (path, data, acl) = node(r)?;
                TxnBody::Create {
                    v2: op == OpCode::Create2,
                    path,
                    data,
                    acl,
                    ephemeral: r.boolean("ephemeral")?,
                    parent_cversion: if r.remaining() == 0 { -1 } else { r.int("parentCVersion")? },
                }
            }
            OpCode::CreateContainer => {
                let (path, data, acl) = node(r)?;
                TxnBody::CreateContainer { path, data, acl, parent_cversion: r.int("parentCVersion")? }
            }
            OpCode::CreateTtl => {
                let (path, data, acl) = node(r)?;
                let parent_cversion = r.int("parentCVersion")?;
                TxnBody::CreateTtl { path, data, acl, parent_cversion, ttl_ms: r.long("ttl")? }
            }
            OpCode::Delete | OpCode::DeleteContainer => {
                TxnBody::Delete { container: op == OpCode::DeleteContainer, path: r.ustring("path")? }
            }
            OpCode::SetData | OpCode::Reconfig => TxnBody::SetData {
                reconfig: op == OpCode::Reconfig,
                path: r.ustring("path")?,
                data: r.buffer("data")?,
                version: r.int("version")?,
            },
            OpCode::SetAcl => {
                TxnBody::SetAcl { path: r.ustring("path")?, acl: Acl::decode_list(r)?, version: r.int("version")? }
            }
            OpCode::Check => TxnBody::Check { path: r.ustring("path")?, version: r.int("version")? },
            OpCode::CreateSession => TxnBody::CreateSession { timeout_ms: r.int("timeOut")? },
            OpCode::CloseSession => TxnBody::CloseSession {
                paths: if close_session_has_paths(r)? { Some(r.ustrings("paths2Delete")?) } else { None },
            },
            OpCode::Multi if !in_multi => {
                let txns = r.vector(8, "multi", |r| {
                    let type_code = r.int("member type")?;
                    let at = r.position();
                    let data = r.buffer("member")?.ok_or(DecodeError::new("member", at, Fault::Null))?;
                    let mut member = Reader::new(data);
                    let txn = TxnBody::decode_nested(type_code, &mut member, true)?;
                    if type_code != ERROR {
                        member.finish("member")?;
                    }
                    Ok(txn)
                })?;
                TxnBody::Multi { txns }
            }
            _ => return Err(unknown),
        })
    }
}

fn acl_len(list: &[Acl]) -> usize {
    4 + list.iter().map(|acl| 12 + acl.id.scheme.len() + acl.id.id.len()).sum::<usize>()
}

fn put_node(path: &str, data: &Option<Bytes>, acl: &[Acl], out: &mut BytesMut) {
    out.put_ustring(path);
    out.put_buffer(data.as_deref());
    Acl::encode_list(acl, out);
}

fn node(r: &mut Reader) -> Result<(String, Option<Bytes>, Vec<Acl>), DecodeError> {
    Ok((r.ustring("path")?, r.buffer("data")?, Acl::decode_list(r)?))
}

/// Whether a closeSession goes on with its list of paths. Nothing left: no. The 12 bytes of a version 2 digest are
/// told from a list by their beginning: as a list they would be two paths, and only two empty ones would fit.
fn close_session_has_paths(r: &Reader) -> Result<bool, DecodeError> {
    match r.remaining() {
        0 => Ok(false),
        DIGEST_SIZE => Ok(r.clone().int("paths2Delete")? != 2),
        _ => Ok(true),
    }
}

impl Txn {
    /// The bytes that PROPOSAL, INFORM and the log carry.
    pub fn encode(&self) -> Bytes {
        // As long as it becomes: it is kept for a while, and growing would copy the data anew each time.
        let mut out = BytesMut::with_capacity(FRAME_SIZE + self.body.encoded_len());
        self.header.encode(self.body.type_code(), &mut out);
        self.body.encode(&mut out);
        if let Some(digest) = &self.digest {
            digest.encode(&mut out);
        }
        out.freeze()
    }

    /// Takes such bytes apart. Data are slices of `entry`.
    ///
    /// # Errors
    /// Bytes that are no transaction of a known type, or bytes behind one that are no digest.
    pub fn decode(entry: Bytes) -> Result<Txn, DecodeError> {
        let mut r = Reader::new(entry);
        let (header, type_code) = TxnHeader::decode(&mut r)?;
        let body = TxnBody::decode(type_code, &mut r)?;
        let digest = if r.remaining() == 0 { None } else { Some(TxnDigest::decode(&mut r)?) };
        r.finish("transaction")?;
        Ok(Txn { header, body, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;
    use alloc::vec;

    /// What a leader of Apache's sends in a DIFF of a failed multi that it has applied.
    #[test]
    fn members_that_were_marked_as_errors_afterwards() {
        let header = TxnHeader { session: SessionId(7), cxid: 1, zxid: Zxid::new(Epoch(1), 11), time_ms: 9 };
        let digest = Some(TxnDigest { version: 2, tree: 5 });
        let members = [
            TxnBody::Create {
                v2: false,
                path: "/never".into(),
                data: Some(Bytes::from_static(b"x")),
                acl: vec![],
                ephemeral: false,
                parent_cversion: 1,
            },
            TxnBody::SetData { reconfig: false, path: "/a".into(), data: None, version: 3 },
            TxnBody::Delete { container: false, path: "/a".into() },
            TxnBody::Error { code: -103 },
            TxnBody::Error { code: -2 },
        ];
        let logged = Txn { header, body: TxnBody::Multi { txns: members.to_vec() }, digest }.encode();
        assert_eq!(Txn::decode(logged.clone()).unwrap().body, TxnBody::Multi { txns: members.to_vec() });

        let mut marked = logged.to_vec();
        let mut at = TxnHeader::SIZE + 4;
        for member in &members {
            marked[at..at + 4].copy_from_slice(&ERROR.to_be_bytes());
            at += 8 + member.encoded_len();
        }
        let txns = [0, 0, 0, -103, -2].map(|code| TxnBody::Error { code }).to_vec();
        assert_eq!(Txn::decode(marked.into()), Ok(Txn { header, body: TxnBody::Multi { txns }, digest }));
    }
}
