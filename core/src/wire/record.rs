//! The small records that several messages share.

use crate::id::{SessionId, Zxid};
use crate::wire::jute::{DecodeError, Put, Reader};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::BufMut;
use serde::{Deserialize, Serialize};

/// An identity: `scheme:id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    /// `world`, `ip`, `digest` …
    pub scheme: String,
    /// What the scheme makes of it.
    pub id: String,
}

/// One entry of an access list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acl {
    /// Bits of [`perms`].
    pub perms: i32,
    /// For whom.
    pub id: Id,
}

/// The permission bits of an [`Acl`].
pub mod perms {
    /// Read data and children.
    pub const READ: i32 = 1;
    /// Set data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the access list.
    pub const ADMIN: i32 = 16;
    /// All five.
    pub const ALL: i32 = 31;
}

impl Acl {
    /// The open list: `world:anyone` may do everything.
    pub fn open() -> Vec<Acl> {
        alloc::vec![Acl { perms: perms::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }]
    }
}

/// A znode's Stat as clients see it, fields in wire order (68 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stat {
    /// The creating transaction.
    pub czxid: Zxid,
    /// The transaction that changed the data last.
    pub mzxid: Zxid,
    /// Creation time, milliseconds since 1970.
    pub ctime: i64,
    /// Time of the last change of data.
    pub mtime: i64,
    /// Changes of data since creation.
    pub version: i32,
    /// Creations and deletions of children.
    pub cversion: i32,
    /// Changes of the access list.
    pub aversion: i32,
    /// The owning session of an ephemeral, else 0.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// The transaction that created or deleted a child last (or the node itself).
    pub pzxid: Zxid,
}

/// A live session as snapshots and the service keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Its id.
    pub id: SessionId,
    /// Its negotiated timeout.
    pub timeout_ms: i32,
}

impl Id {
    /// Bytes that every encoded identity takes at least.
    pub const MIN_SIZE: usize = 8;

    /// Appends it.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_ustring(&self.scheme);
        out.put_ustring(&self.id);
    }

    /// Reads one. A null id counts as empty: some clients (kazoo) send `auth:` so.
    ///
    /// # Errors
    /// It is cut short, or its scheme is null.
    pub fn decode(r: &mut Reader) -> Result<Id, DecodeError> {
        Ok(Id { scheme: r.ustring("scheme")?, id: r.opt_ustring("id")?.unwrap_or_default() })
    }
}

impl Acl {
    /// Bytes that every encoded entry takes at least.
    pub const MIN_SIZE: usize = 4 + Id::MIN_SIZE;

    /// Appends it.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_i32(self.perms);
        self.id.encode(out);
    }

    /// Reads one.
    ///
    /// # Errors
    /// As [`Id::decode`].
    pub fn decode(r: &mut Reader) -> Result<Acl, DecodeError> {
        Ok(Acl { perms: r.int("perms")?, id: Id::decode(r)? })
    }

    /// Appends a list.
    pub fn encode_list(list: &[Acl], out: &mut impl BufMut) {
        out.put_vector(list, |out, acl| acl.encode(out));
    }

    /// Reads a list; null counts as empty (no request with either is valid).
    ///
    /// # Errors
    /// As [`Id::decode`], or a count that the bytes can't hold.
    pub fn decode_list(r: &mut Reader) -> Result<Vec<Acl>, DecodeError> {
        Ok(r.opt_vector(Acl::MIN_SIZE, "acl", Acl::decode)?.unwrap_or_default())
    }
}

impl Stat {
    /// Appends it: 68 bytes.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_i64(self.czxid.0);
        out.put_i64(self.mzxid.0);
        out.put_i64(self.ctime);
        out.put_i64(self.mtime);
        out.put_i32(self.version);
        out.put_i32(self.cversion);
        out.put_i32(self.aversion);
        out.put_i64(self.ephemeral_owner);
        out.put_i32(self.data_length);
        out.put_i32(self.num_children);
        out.put_i64(self.pzxid.0);
    }

    /// Reads one.
    ///
    /// # Errors
    /// Fewer than 68 bytes.
    pub fn decode(r: &mut Reader) -> Result<Stat, DecodeError> {
        Ok(Stat {
            czxid: r.zxid("czxid")?,
            mzxid: r.zxid("mzxid")?,
            ctime: r.long("ctime")?,
            mtime: r.long("mtime")?,
            version: r.int("version")?,
            cversion: r.int("cversion")?,
            aversion: r.int("aversion")?,
            ephemeral_owner: r.long("ephemeralOwner")?,
            data_length: r.int("dataLength")?,
            num_children: r.int("numChildren")?,
            pzxid: r.zxid("pzxid")?,
        })
    }
}
