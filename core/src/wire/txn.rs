//! Transactions: what PROPOSAL, INFORM and the log carry. One byte string, [`TxnHeader`] ‖ body ‖ optional
//! [`TxnDigest`], is the same in all three.

use crate::id::{SessionId, Zxid};
use crate::wire::record::Acl;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
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
