//! What the compared protocols tell people: roles, states and turns, each with a stable name for translation.

use crate::id::{Epoch, ServerId};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($name:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $kind { $(#[doc = $text] $name,)* }

        impl $kind {
            /// All of them.
            pub const ALL: &[$kind] = &[$($kind::$name),*];

            /// A stable name.
            pub const fn name(self) -> &'static str {
                match self { $($kind::$name => $code,)* }
            }

            /// In English words.
            pub const fn text(self) -> &'static str {
                match self { $($kind::$name => $text,)* }
            }
        }
    };
}

names! {
    /// What a server is in its protocol.
    Role {
        Coordinator = "coordinator", "coordinator";
        Participant = "participant", "participant";
        Proposer = "proposer", "proposer";
        Acceptor = "acceptor", "acceptor";
        Looking = "looking", "looking for a leader";
        Prospective = "prospective", "prospective leader";
        Leader = "leader", "leader";
        Follower = "follower", "follower";
    }
}

names! {
    /// How far a server is in its protocol.
    Stage {
        Idle = "idle", "nothing to do";
        Collecting = "collecting", "collects votes";
        PreCommitting = "pre-committing", "collects acknowledgements of PRE-COMMIT";
        Prepared = "prepared", "prepared: its rows are locked, it may no longer decide alone";
        PreCommitted = "pre-committed", "pre-committed: it knows that all have voted YES";
        Blocked = "blocked", "blocked: nobody it can reach knows the decision";
        Committed = "committed", "committed";
        Aborted = "aborted", "aborted";
        Preparing = "preparing", "collects promises";
        Proposing = "proposing", "collects acceptances";
        BackingOff = "backing-off", "waits before it tries again";
        HandedOver = "handed-over", "has handed its value to the leader";
        Promised = "promised", "has promised a number";
        Accepted = "accepted", "has accepted a value";
        Chosen = "chosen", "knows the chosen value";
        Electing = "electing", "asks its oracle who should lead";
        Discovery = "discovery", "discovery";
        Synchronising = "synchronising", "synchronisation";
        Broadcast = "broadcast", "broadcast";
    }
}

names! {
    /// A fact about a server worth a line of its own.
    Fact {
        Transaction = "transaction", "transaction";
        Locks = "locks", "locked rows";
        Waiting = "waiting", "waits for a lock";
        Number = "number", "its number";
        Promised = "promised", "promised";
        Accepted = "accepted", "accepted";
        Chosen = "chosen", "chosen";
        OwnValue = "own-value", "its own value";
        Heard = "heard", "answers so far";
        Attempts = "attempts", "attempts";
        PromisedEpoch = "promised-epoch", "promised epoch";
        CurrentEpoch = "current-epoch", "current epoch";
    }
}

names! {
    /// A turn of a compared protocol.
    Turn {
        Begins = "begins", "begins a transaction and asks all participants to prepare";
        VotesYes = "votes-yes", "locks the row, writes its vote and votes YES";
        VotesNo = "votes-no", "votes NO";
        WaitsForLock = "waits-for-lock", "waits: the row is locked";
        DecidesCommit = "decides-commit", "decides COMMIT";
        DecidesAbort = "decides-abort", "decides ABORT";
        PreCommits = "pre-commits", "sends PRE-COMMIT: all have voted YES";
        HasPreCommitted = "has-pre-committed", "is pre-committed";
        Commits = "commits", "commits and frees the row";
        Aborts = "aborts", "aborts and frees the row";
        AsksPeers = "asks-peers", "hears nothing and asks the others for the decision";
        IsBlocked = "is-blocked", "is blocked: all answers were UNCERTAIN";
        Finishes = "finishes", "learns the decision from another participant";
        PresumesAbort = "presumes-abort", "finds no decision in its log: ABORT";
        ResendsDecision = "resends-decision", "finds its decision in its log and sends it again";
        TakesOver = "takes-over", "hears nothing and ends the transaction in the coordinator's place";
        SomePreCommitted = "some-pre-committed", "finds somebody pre-committed: COMMIT";
        NonePreCommitted = "none-pre-committed", "finds nobody pre-committed: ABORT";
        Prepares = "prepares", "asks for promises";
        Promises = "promises", "promises";
        RefusesPrepare = "refuses-prepare", "refuses to promise";
        Adopts = "adopts", "must propose a value that was accepted before, not its own";
        FreeToPropose = "free-to-propose", "has a majority of promises and may propose its own value";
        Accepts = "accepts", "accepts";
        RefusesAccept = "refuses-accept", "refuses to accept";
        IsChosen = "is-chosen", "has a majority: the value is chosen";
        Learns = "learns", "learns the chosen value";
        Outbid = "outbid", "was outbid and will try again";
        BacksOff = "backs-off", "was outbid and waits for a random time";
        HandsOver = "hands-over", "hands its value to the fixed leader";
        Prospect = "prospect", "is taken for the prospective leader";
        FollowsProspect = "follows-prospect", "follows a prospective leader";
        NewEpoch = "new-epoch", "proposes a new epoch";
        AcksEpoch = "acks-epoch", "promises the epoch and sends its whole history";
        TakesHistory = "takes-history", "takes over the best history it was sent";
        KeepsHistory = "keeps-history", "has the best history itself";
        AcceptsHistory = "accepts-history", "replaces its history by the new leader's";
        Established = "established", "is established as leader";
        Delivers = "delivers", "delivers";
        ProposesTxn = "proposes-txn", "proposes";
        GivesUp = "gives-up", "gives up its role and looks for a leader";
    }
}

impl Turn {
    /// The stage that a server is in from this turn on; `None` if the turn changes nothing about that.
    pub const fn stage(self) -> Option<Stage> {
        Some(match self {
            Turn::Begins => Stage::Collecting,
            Turn::VotesYes => Stage::Prepared,
            Turn::PreCommits => Stage::PreCommitting,
            Turn::HasPreCommitted => Stage::PreCommitted,
            Turn::IsBlocked => Stage::Blocked,
            Turn::DecidesCommit | Turn::Commits => Stage::Committed,
            Turn::DecidesAbort | Turn::PresumesAbort | Turn::VotesNo | Turn::Aborts => Stage::Aborted,
            Turn::Prepares => Stage::Preparing,
            Turn::Promises => Stage::Promised,
            Turn::Adopts | Turn::FreeToPropose => Stage::Proposing,
            Turn::Accepts => Stage::Accepted,
            Turn::IsChosen | Turn::Learns => Stage::Chosen,
            Turn::BacksOff => Stage::BackingOff,
            Turn::HandsOver => Stage::HandedOver,
            Turn::Prospect | Turn::FollowsProspect | Turn::NewEpoch | Turn::AcksEpoch => Stage::Discovery,
            Turn::TakesHistory | Turn::KeepsHistory | Turn::AcceptsHistory => Stage::Synchronising,
            Turn::Established | Turn::Delivers => Stage::Broadcast,
            Turn::GivesUp => Stage::Electing,
            Turn::WaitsForLock | Turn::AsksPeers | Turn::Finishes | Turn::ResendsDecision | Turn::TakesOver => {
                return None;
            }
            Turn::SomePreCommitted | Turn::NonePreCommitted | Turn::RefusesPrepare | Turn::RefusesAccept => {
                return None;
            }
            Turn::Outbid | Turn::ProposesTxn => return None,
        })
    }
}

impl Stage {
    /// Whoever is here may not leave for the sake of something else: its vote binds it.
    pub const fn binds(self) -> bool {
        matches!(self, Stage::Prepared | Stage::PreCommitted | Stage::Blocked)
    }
}

/// One turn at one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelNote {
    /// What.
    pub turn: Turn,
    /// The transaction, number or epoch it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The value it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// The servers it comes from or goes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<ServerId>,
}

impl ModelNote {
    /// The number of the transaction, ballot or epoch it is about, by which it has a colour.
    pub fn number(&self) -> Option<Epoch> {
        self.id.split(':').next()?.parse().ok().map(Epoch)
    }
}

impl fmt::Display for ModelNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.turn.text())?;
        for part in [&self.id, &self.value] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        match self.by.as_slice() {
            [] => Ok(()),
            by => {
                let by: Vec<String> = by.iter().map(|s| alloc::format!("{s}")).collect();
                write!(f, " ({})", by.join(", "))
            }
        }
    }
}
