//! The eight turns by which the protocol goes on, as stops of a step.

use zebu_core::id::ServerId;
use zebu_core::note::Note;
use zebu_core::trace::{TraceEvent, TraceRecord};

/// A turn at which a step by phase stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// A server adopted a better vote.
    VoteChanged,
    /// A server knows its leader.
    LeaderDecided,
    /// A quorum has promised the epoch.
    EpochAgreed,
    /// A leader sends a learner what it misses.
    SyncSent,
    /// A transaction was proposed.
    Proposal,
    /// Enough have acknowledged it.
    QuorumOfAcks,
    /// The leader commits it.
    Commit,
    /// A learner has applied it.
    Applied,
}

impl Turn {
    /// All of them, in the protocol's order.
    pub const ALL: [Turn; 8] = [
        Turn::VoteChanged,
        Turn::LeaderDecided,
        Turn::EpochAgreed,
        Turn::SyncSent,
        Turn::Proposal,
        Turn::QuorumOfAcks,
        Turn::Commit,
        Turn::Applied,
    ];

    /// The key of its name.
    pub fn text_key(self) -> &'static str {
        match self {
            Turn::VoteChanged => "tt.turn.vote",
            Turn::LeaderDecided => "tt.turn.leader",
            Turn::EpochAgreed => "tt.turn.epoch",
            Turn::SyncSent => "tt.turn.sync",
            Turn::Proposal => "tt.turn.proposal",
            Turn::QuorumOfAcks => "tt.turn.acks",
            Turn::Commit => "tt.turn.commit",
            Turn::Applied => "tt.turn.applied",
        }
    }
}

/// The turns of one event's records, in their order; `leader` is who leads then.
pub fn turns(records: &[TraceRecord], leader: Option<ServerId>) -> Vec<Turn> {
    let of = |record: &TraceRecord| match &record.event {
        TraceEvent::Note { server, what } => match what {
            Note::VoteAdopted { .. } => Some(Turn::VoteChanged),
            Note::Elected { .. } | Note::JoinsLeader { .. } => Some(Turn::LeaderDecided),
            Note::EpochAgreed { .. } => Some(Turn::EpochAgreed),
            Note::SyncPlanned { .. } => Some(Turn::SyncSent),
            Note::Proposed { .. } => Some(Turn::Proposal),
            Note::Acked { have, need, .. } if have == need => Some(Turn::QuorumOfAcks),
            Note::Committed { .. } if Some(*server) == leader => Some(Turn::Commit),
            Note::Committed { .. } => Some(Turn::Applied),
            _ => None,
        },
        _ => None,
    };
    records.iter().filter_map(of).collect()
}
