//! The election's one message.

use crate::id::{Epoch, ServerId, Zxid};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What a server is doing, as it says in its notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// 0: in an election.
    Looking,
    /// 1
    Following,
    /// 2
    Leading,
    /// 3
    Observing,
}

/// A vote: who should lead, and what speaks for it. `Ord` is the election's own order, by epoch, then zxid, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The candidate's current epoch.
    pub epoch: Epoch,
    /// The candidate's last logged zxid.
    pub zxid: Zxid,
    /// The candidate.
    pub leader: ServerId,
}

/// A notification as it stands on the election connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The sender's state.
    pub state: ServerState,
    /// The sender's vote.
    pub vote: Vote,
    /// The sender's election round (`electionEpoch`).
    pub round: i64,
    /// The format's version: 2 is written; 0 is an old message without peer epoch or configuration.
    pub version: i32,
    /// The sender's committed configuration as text; empty before version 2.
    pub config: String,
}
