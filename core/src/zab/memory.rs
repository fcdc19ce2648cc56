//! What a server remembers of what it has promised and acknowledged. Quorums only mean something among servers that
//! remember: one whose disk has lost part of it must not vote as if there had never been anything.
//!
//! ```text
//!  Blank ──hears of history──► Lost ──in sync with a leader that is in office without it──► Whole
//!    │                          ▲
//!    └──elects among blanks──► Whole          Damaged ──takes over a leader's state──► Whole
//! ```
//! Why this is safe: whatever is committed is on a quorum of servers that remembered it then. A leader comes into
//! office by a quorum that remembers; so the two quorums share a server that has it. A server that has lost its memory
//! becomes a member of quorums again when all that the leader in office has is durable here, and with it everything
//! that it can have acknowledged before.
//!
//! That the leader is in office has to be so *now*: a deposed one that has not noticed must not get this server's
//! acknowledgements, which a later leader's quorum may have counted before they were forgotten. The proof is a quorum
//! S of the members in force, the leader among them, that say since our start that they are established in its epoch
//! e. Had a later leader come into office before, in e' > e, a quorum of those members would have promised e', and one
//! of S with it; but whoever has promised e' is established in e no longer.
//!
//! While a change of members is open, S has to be a quorum of the committed configuration alone, C:
//! * A later leader's quorum was one of C too, as long as the change was not committed before it was elected. If the
//!   change was committed, then by a leader of an epoch up to e: a quorum of C has it in its logs.
//! * If this server's knowledge is stale, and C long replaced, it learns so before it counts anything: notifications
//!   carry the sender's committed configuration, and a newer one begins the election anew. The leader's own word is in
//!   S, so C is no older than what the leader has committed; and if another leader has committed a newer one since, a
//!   quorum of C, which shares a server with S, had to promise that leader's epoch first.

use crate::config::{BrokenRule, MemberKind};
use crate::effect::{Effects, Record};
use crate::id::{Epoch, ServerId, Zxid};
use crate::note::Note;
use crate::wire::notification::{Notification, ServerState, Vote};
use crate::zab::election::Election;
use crate::zab::{Cx, Ground, Peer, Role};
use core::fmt;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Everything: the disk holds what was acknowledged.
    Whole,
    /// The disk has never held anything, or everything on it is gone: nothing tells which. Votes among others that are
    /// as empty.
    Blank,
    /// It knows that its history ended at `last`, but part of it can't be read. Votes for others that have at least as
    /// much, and is not elected.
    Damaged {
        /// Where it ended.
        last: Zxid,
    },
    /// It does not know how far its history went. Does not vote, and follows only who is in office without it.
    Lost {
        /// The end of what can still be read.
        known: Zxid,
    },
}

impl Memory {
    /// What a disk without damage tells. A server that has a history but has entered no epoch was interrupted while it
    /// took that history over for the first time. (A server that stood alone has a history of epoch 0.)
    pub fn of_disk(current: Epoch, last: Zxid) -> Memory {
        match current {
            Epoch(0) if last == Zxid::ZERO => Memory::Blank,
            Epoch(0) if last.epoch() > Epoch(0) => Memory::Lost { known: Zxid::ZERO },
            _ => Memory::Whole,
        }
    }

    /// Of a disk that has lost an unknown part of its history; `known` is the end of what it still tells of.
    pub fn lost(known: Zxid) -> Memory {
        Memory::Lost { known: known.max(Zxid(1)) }
    }

    /// Whether the disk is known to have lost something.
    pub fn is_incomplete(self) -> bool {
        match self {
            Memory::Whole | Memory::Blank | Memory::Lost { known: Zxid::ZERO } => false,
            Memory::Damaged { .. } | Memory::Lost { .. } => true,
        }
    }

    /// Whether nobody may rely on this server, but it on others.
    pub fn is_lost(self) -> bool {
        matches!(self, Memory::Lost { .. })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Memory::Whole => write!(f, "remembers everything"),
            Memory::Blank => write!(f, "begins with an empty disk"),
            Memory::Damaged { last } => {
                write!(
                    f,
                    "had a history up to {last}, but can't read all of it: it is not elected, and takes over a \
                           leader's state"
                )
            }
            Memory::Lost { known } => {
                write!(
                    f,
                    "does not know what it had acknowledged behind {known}: it does not vote before it is in sync \
                           with a leader that is in office without it"
                )
            }
        }
    }
}

/// Whether a notification comes from somebody who has, or knows of, a history.
fn tells_of_history(note: &Notification) -> bool {
    note.vote.epoch > Epoch(0) || note.vote.zxid > Zxid::ZERO
}

impl Ground {
    /// Whether its word counts for a quorum.
    pub(super) fn votes(&self) -> bool {
        self.is_voter() && !self.memory.is_lost()
    }

    /// Whether others may take over its history.
    pub(super) fn remembers_enough_to_lead(&self) -> bool {
        matches!(self.memory, Memory::Whole | Memory::Blank)
    }

    /// Where its history ends, readable or not: what votes and promises tell.
    pub(super) fn claim(&self) -> Zxid {
        match self.memory {
            Memory::Damaged { last } => last.max(self.history.last()),
            Memory::Whole | Memory::Blank | Memory::Lost { .. } => self.history.last(),
        }
    }

    /// The vote it begins an election with: itself, unless it may not be elected.
    pub(super) fn own_vote(&self) -> Vote {
        let nobody = |zxid, epoch| Vote { leader: ServerId::NONE, zxid, epoch };
        if !self.members.committed.may_lead(self.config.id) {
            // Not a member, yet or any more (the old members would not follow one whom only the new ones know); or one
            // whose vote never counts.
            let stranger = !self.members.committed.is_voter(self.config.id);
            let stranger = stranger && self.joins_as() == MemberKind::Participant;
            return if stranger { nobody(self.claim(), self.current) } else { nobody(Zxid(i64::MIN), Epoch(i64::MIN)) };
        }
        match self.memory {
            Memory::Whole | Memory::Blank => {
                Vote { leader: self.config.id, zxid: self.history.last(), epoch: self.current }
            }
            Memory::Damaged { .. } => nobody(self.claim(), self.current),
            // Who has lost something tells the others at least that there was something.
            Memory::Lost { known } => nobody(known, self.current),
        }
    }

    /// A start would find a history with its epoch on the disk, so nothing is lost, though the role in which it came may
    /// have ended before it was durable.
    pub(super) fn remember_what_is_durable(&mut self, fx: &mut Effects) {
        if self.whole_at.is_some_and(|lsn| self.synced >= lsn) {
            self.whole_at = None;
            self.remembers(fx);
        }
    }

    /// Everything that the leader in office has is durable here.
    pub(super) fn remembers(&mut self, fx: &mut Effects) {
        let was = core::mem::replace(&mut self.memory, Memory::Whole);
        if core::mem::take(&mut self.incomplete) {
            fx.note(|| Note::Restored { was });
        }
    }

    /// Behind the epoch that makes a history its own: the disk is whole again.
    pub(super) fn trust_disk(&mut self, fx: &mut Effects) {
        if self.incomplete {
            self.whole_at = Some(self.store(Record::Trusted, fx));
        }
    }
}

impl Peer {
    /// A server that knows of no history hears of one, or that nobody has any. True if the election began anew.
    pub(super) fn weigh_memory(&mut self, from: ServerId, note: &Notification, cx: &mut Cx<'_>) -> bool {
        let Role::Looking(Election::Voting(voting)) = &mut self.role else { return false };
        if self.ground.breaks(BrokenRule::IgnoreEpoch) || !self.ground.is_voter() {
            return false;
        }
        if self.ground.memory == Memory::Blank && tells_of_history(note) {
            self.ground.memory = Memory::Lost { known: Zxid::ZERO };
            voting.take_back(self.ground.config.id, self.ground.own_vote());
        }
        if self.ground.memory != (Memory::Lost { known: Zxid::ZERO }) || self.ground.history.last() != Zxid::ZERO {
            return false;
        }
        let empty = note.state == ServerState::Looking && note.vote.zxid <= Zxid::ZERO;
        voting.has_nothing(from, empty && self.ground.members.is_voter(from));
        let others = self.ground.members.voters().into_iter().filter(|id| *id != self.ground.config.id);
        if !voting.all_have_nothing(others) {
            return false;
        }
        // All are there and none has a transaction: an ensemble that was stopped while it came about.
        self.ground.memory = Memory::Whole;
        self.role = Role::Looking(Election::waiting(None));
        self.begin_election(cx);
        true
    }
}
