//! The small records that several messages share.

use crate::id::{SessionId, Zxid};
use alloc::string::String;
use alloc::vec::Vec;
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
