//! Turns of the protocol worth telling a person: the vocabulary of logs, captions and golden texts.

use crate::id::{Epoch, ServerId, SessionId, Zxid};
use crate::tree::quota::Excess;
use crate::wire::notification::{ServerState, Vote};
use crate::zab::memory::Memory;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What decided between two votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decider {
    /// The larger epoch.
    Epoch,
    /// Same epoch, larger zxid.
    Zxid,
    /// Same epoch, same zxid, larger id.
    ServerId,
}

impl Decider {
    /// What decides between two different votes.
    pub fn between(a: &Vote, b: &Vote) -> Decider {
        if a.epoch != b.epoch {
            Decider::Epoch
        } else if a.zxid != b.zxid {
            Decider::Zxid
        } else {
            Decider::ServerId
        }
    }
}

/// The phases of Zab as Apache names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseName {
    /// Phase 0: who should lead.
    Election,
    /// Phase 1: agree on an epoch.
    Discovery,
    /// Phase 2: agree on the history.
    Synchronization,
    /// Phase 3: extend it.
    Broadcast,
}

/// How a learner is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SyncKind {
    /// It gets what it misses.
    Diff,
    /// Its log is cut first.
    Trunc,
    /// It gets the whole state.
    Snap,
}

/// Why a role ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandDown {
    /// A phase did not find its quorum in time.
    NoQuorumInTime,
    /// Too few followers are heard.
    LostQuorum,
    /// The leader is silent.
    LeaderSilent,
    /// The connection to the leader ended.
    LeaderGone,
    /// The leader can't be reached.
    LeaderUnreachable,
    /// The leader broke the protocol.
    LeaderViolation,
    /// The leader's epoch is below the one promised.
    StaleLeader,
    /// The log can't be cut where the leader wants it; the whole state is asked for next time.
    CannotTruncate,
    /// The counter of the zxid is used up.
    CounterUsedUp,
    /// The leader is not in office yet, and must not come into office by the consent of this server, which has lost its
    /// memory.
    NotInOffice,
    /// The members have changed, and with them its role or its leader.
    Reconfigured,
}

/// A turn of the protocol at one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// Started with what its disk had.
    Recovered { last: Zxid, snapshot: Zxid, current: Epoch, accepted: Epoch },
    /// Its disk has lost something that was on it.
    Doubts { memory: Memory },
    /// All of that is there again, from the leader.
    Restored { was: Memory },
    /// State or phase changed.
    Phase { state: ServerState, phase: PhaseName, epoch: Epoch },
    /// A new election round begins with a vote for itself.
    ElectionStarted { round: i64, vote: Vote },
    /// A better vote was heard and adopted.
    VoteAdopted { from: ServerId, vote: Vote, over: Vote, by: Decider },
    /// A later round was heard of and joined.
    RoundJoined { from: ServerId, round: i64 },
    /// A quorum holds the same vote; a better one may still come for a moment.
    QuorumOfVotes { vote: Vote, voters: Vec<ServerId> },
    /// The election is over for this server. `runner_up` is the best other candidate heard of.
    Elected { leader: ServerId, vote: Vote, voters: Vec<ServerId>, runner_up: Option<(Vote, Decider)> },
    /// A leader is in office already: join it.
    JoinsLeader { leader: ServerId, voters: Vec<ServerId> },
    /// A leader fixed the new epoch from a quorum's promises.
    EpochProposed { epoch: Epoch, heard: Vec<ServerId> },
    /// A learner promised the epoch.
    EpochAccepted { epoch: Epoch },
    /// A quorum promised: the leader's epoch stands.
    EpochAgreed { epoch: Epoch, by: Vec<ServerId> },
    /// How a learner is synchronised, and why.
    SyncPlanned { learner: ServerId, kind: SyncKind, learner_last: Zxid, oldest: Zxid, committed: Zxid, sent: usize },
    /// A learner received its sync's head.
    Syncing { kind: SyncKind, zxid: Zxid },
    /// Log entries above `to` were dropped.
    Truncated { to: Zxid, dropped: usize },
    /// A quorum holds the initial history: the leader is established.
    Established { epoch: Epoch, by: Vec<ServerId> },
    /// A transaction was proposed.
    Proposed { zxid: Zxid },
    /// A voter acknowledged; `have` of `need`.
    Acked { zxid: Zxid, by: ServerId, have: usize, need: usize },
    /// A transaction is committed here.
    Committed { zxid: Zxid },
    /// The role ended.
    StoodDown { why: StandDown },
    /// A session was opened.
    SessionOpened { session: SessionId, timeout_ms: i32 },
    /// The leader decided that a session is dead.
    SessionExpired { session: SessionId },
    /// A session was closed, with so many ephemerals.
    SessionClosed { session: SessionId },
    /// The leader removes a container or TTL node that nobody needs any more.
    ContainerRemoved { path: String },
    /// A request met the limit of the quota on `path`; told at most once a minute for each.
    QuotaExceeded { path: String, excess: Excess, refused: bool },
    /// The leader took a znode for one of another kind when it foretold the digest after this transaction, as Apache's
    /// does.
    ForetoldWrongly { zxid: Zxid },
    /// A change of members is known here and not committed: from now on quorums are those of both configurations.
    MembersProposed { version: Zxid, voters: Vec<ServerId>, observers: Vec<ServerId> },
    /// These are the members from now on.
    MembersChanged { version: Zxid, voters: Vec<ServerId>, observers: Vec<ServerId> },
    /// The leader is no voter any more: it hands over to another one that has everything.
    HandsOver { to: ServerId },
    /// A server tells of newer members who can't have come of those that are known here.
    MembersDoubted { from: ServerId, version: Zxid },
}

impl fmt::Display for Note {
    /// One line in English, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Recovered { last, snapshot, current, accepted } => write!(
                f,
                "recovered: log ends at {last}, snapshot {snapshot}, current epoch {current}, accepted epoch {accepted}"
            ),
            Note::Phase { state, phase, epoch } => {
                write!(f, "{} in {}, epoch {epoch}", lower(state), lower(phase))
            }
            Note::ElectionStarted { round, vote } => write!(f, "election round {round}: votes {}", show(vote)),
            Note::VoteAdopted { from, vote, over, by } => {
                write!(f, "adopts server {from}'s vote {} over {}: {}", show(vote), show(over), why(*by))
            }
            Note::RoundJoined { from, round } => write!(f, "joins election round {round} of server {from}"),
            Note::QuorumOfVotes { vote, voters } => {
                write!(f, "{} hold vote {}: waits for a better one", servers(voters), show(vote))
            }
            Note::Elected { leader, vote, voters, runner_up } => {
                write!(f, "server {leader} wins with {} of {}", show(vote), servers(voters))?;
                match runner_up {
                    Some((other, by)) => write!(f, " over {}: {}", show(other), why(*by)),
                    None => Ok(()),
                }
            }
            Note::JoinsLeader { leader, voters } => {
                write!(f, "server {leader} leads already, say {}: joins it", servers(voters))
            }
            Note::EpochProposed { epoch, heard } => {
                write!(f, "proposes epoch {epoch}: one more than any of {} had accepted", servers(heard))
            }
            Note::EpochAccepted { epoch } => write!(f, "promises epoch {epoch}"),
            Note::EpochAgreed { epoch, by } => write!(f, "epoch {epoch} is agreed by {}", servers(by)),
            Note::SyncPlanned { learner, kind, learner_last, oldest, committed, sent } => write!(
                f,
                "brings server {learner} (at {learner_last}) up to {committed} by {}: memory reaches back to {oldest}, {sent} proposals sent",
                upper(kind)
            ),
            Note::Syncing { kind, zxid } => write!(f, "is synchronised by {} to {zxid}", upper(kind)),
            Note::Doubts { memory } => write!(f, "{memory}"),
            Note::Restored { .. } => write!(f, "has everything again, and votes"),
            Note::Truncated { to, dropped } => write!(f, "drops {dropped} uncommitted transactions behind {to}"),
            Note::Established { epoch, by } => {
                write!(f, "leads epoch {epoch}: {} hold its history", servers(by))
            }
            Note::Proposed { zxid } => write!(f, "proposes {zxid}"),
            Note::Acked { zxid, by, have, need } => write!(f, "{zxid} acknowledged by server {by}: {have} of {need}"),
            Note::Committed { zxid } => write!(f, "commits {zxid}"),
            Note::StoodDown { why } => write!(f, "stands down: {}", why.text()),
            Note::SessionOpened { session, timeout_ms } => {
                write!(f, "session {session} opened, timeout {timeout_ms} ms")
            }
            Note::SessionExpired { session } => write!(f, "session {session} was silent for too long: expires it"),
            Note::SessionClosed { session } => write!(f, "session {session} closed"),
            Note::ContainerRemoved { path } => write!(f, "removes {path}, which nobody needs any more"),
            Note::QuotaExceeded { path, excess, refused } => {
                let what = if *refused { "the request is refused" } else { "the request is allowed all the same" };
                write!(f, "quota of {path}: {excess}; {what}")
            }
            Note::ForetoldWrongly { zxid } => {
                write!(f, "the leader foretold a wrong digest after {zxid}: it took a znode for one of another kind")
            }
            Note::MembersProposed { version, voters, observers } => {
                write!(f, "members proposed in {version}: {} vote{}", servers(voters), observing(observers))
            }
            Note::MembersChanged { version, voters, observers } => {
                write!(f, "members as of {version}: {} vote{}", servers(voters), observing(observers))
            }
            Note::HandsOver { to } => write!(f, "is no voter any more and hands over to server {to}"),
            Note::MembersDoubted { from, version } => write!(
                f,
                "server {from} tells of members as of {version} that can't have come of those known here: not believed. If \
                 another ensemble is at its address, correct the members in the configuration file"
            ),
        }
    }
}

impl StandDown {
    /// The reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            StandDown::NoQuorumInTime => "no quorum in time",
            StandDown::LostQuorum => "too few followers are heard",
            StandDown::LeaderSilent => "the leader is silent",
            StandDown::LeaderGone => "the connection to the leader ended",
            StandDown::LeaderUnreachable => "the leader can't be reached",
            StandDown::LeaderViolation => "the leader broke the protocol",
            StandDown::StaleLeader => "the leader's epoch is below the one promised",
            StandDown::CannotTruncate => "the log can't be cut where the leader wants it",
            StandDown::CounterUsedUp => "the zxid counter is used up",
            StandDown::NotInOffice => "the leader is not in office yet, and this server's consent must not count",
            StandDown::Reconfigured => "the members have changed",
        }
    }
}

fn why(by: Decider) -> &'static str {
    match by {
        Decider::Epoch => "larger epoch",
        Decider::Zxid => "same epoch, larger zxid",
        Decider::ServerId => "same epoch, same zxid, larger id",
    }
}

fn show(v: &Vote) -> impl fmt::Display + use<> {
    alloc::format!("(epoch {}, zxid {}, server {})", v.epoch, v.zxid, v.leader)
}

fn servers(list: &[ServerId]) -> alloc::string::String {
    let ids: Vec<_> = list.iter().map(|s| alloc::format!("{s}")).collect();
    alloc::format!("servers {}", ids.join(", "))
}

fn observing(list: &[ServerId]) -> String {
    if list.is_empty() { String::new() } else { alloc::format!(", {} observe", servers(list)) }
}

fn lower(x: &impl fmt::Debug) -> alloc::string::String {
    alloc::format!("{x:?}").to_ascii_lowercase()
}

fn upper(x: &impl fmt::Debug) -> alloc::string::String {
    alloc::format!("{x:?}").to_ascii_uppercase()
}
