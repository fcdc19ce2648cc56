//! What can be wrong, by whose fault it is.

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// An error that a client is told, with Apache's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ZkError { $($(#[$doc])* #[doc = $text] $name,)* }

        impl ZkError {
            /// The code on the wire.
            pub const fn code(self) -> i32 {
                match self { $(ZkError::$name => $code,)* }
            }

            /// The error of `code`; `None` for 0 and for codes that are not Apache's.
            pub const fn from_code(code: i32) -> Option<ZkError> {
                match code { $($code => Some(ZkError::$name),)* _ => None }
            }

            /// A few words for people.
            pub const fn text(self) -> &'static str {
                match self { $(ZkError::$name => $text,)* }
            }
        }
    };
}
codes! {
    RuntimeInconsistency = -2, "an earlier operation of the multi failed";
    ConnectionLoss = -4, "the connection was lost before an answer came";
    MarshallingError = -5, "the request could not be parsed";
    Unimplemented = -6, "the operation is not implemented";
    OperationTimeout = -7, "the operation timed out";
    BadArguments = -8, "a path, a flag or another argument is not allowed";
    NewConfigNoQuorum = -13, "no quorum of the new configuration is connected and synced";
    ReconfigInProgress = -14, "another reconfiguration is under way";
    NoNode = -101, "the znode does not exist";
    NoAuth = -102, "the access list does not permit it";
    BadVersion = -103, "the version does not match";
    NoChildrenForEphemerals = -108, "an ephemeral znode can't have children";
    NodeExists = -110, "the znode exists already";
    NotEmpty = -111, "the znode has children";
    SessionExpired = -112, "the session has expired";
    InvalidAcl = -114, "the access list is not valid";
    AuthFailed = -115, "authentication failed";
    SessionMoved = -118, "the session has moved to another server";
    NotReadOnly = -119, "the server is read-only";
    EphemeralOnLocalSession = -120, "a local session can't own an ephemeral znode";
    NoWatcher = -121, "there is no such watch";
    ReconfigDisabled = -123, "reconfiguration is disabled";
    SessionClosedRequireAuth = -124, "the session must authenticate first";
    QuotaExceeded = -125, "the quota is used up";
    ThrottledOp = -127, "the request waited too long and was dropped";
}

impl fmt::Display for ZkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
impl core::error::Error for ZkError {}

/// What a peer did that the protocol does not allow. Ends that one connection, never the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Violation {
    /// Bytes that are not a packet.
    Malformed(String),
    /// A packet that may not come now.
    Unexpected {
        /// What came.
        got: String,
        /// What may come.
        expected: String,
    },
    /// A sync or proposal that does not continue the history.
    Gap {
        /// What came.
        got: crate::id::Zxid,
        /// What it had to follow.
        after: crate::id::Zxid,
    },
    /// An epoch below one that was promised already.
    StaleEpoch {
        /// What came.
        got: crate::id::Epoch,
        /// What was promised.
        promised: crate::id::Epoch,
    },
    /// A peer that claims an id it can't have.
    ForeignId(String),
    /// A COMMIT for a transaction that is not next.
    UnknownCommit(crate::id::Zxid),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Malformed(what) => write!(f, "malformed packet: {what}"),
            Violation::Unexpected { got, expected } => write!(f, "got {got}, expected {expected}"),
            Violation::Gap { got, after } => write!(f, "{got} does not continue the history, which ends at {after}"),
            Violation::StaleEpoch { got, promised } => {
                write!(f, "epoch {got} is below epoch {promised}, promised already")
            }
            Violation::ForeignId(what) => write!(f, "{what}"),
            Violation::UnknownCommit(zxid) => write!(f, "COMMIT {zxid} is not the next transaction"),
        }
    }
}
impl core::error::Error for Violation {}
