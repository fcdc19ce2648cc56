//! What is due when: a total order by (time, number), so that a run is one sequence.

use crate::collections::order;
use crate::id::{ServerId, Zxid};
use crate::sim::command::ClientId;
use crate::time::Instant;
use alloc::collections::BinaryHeap;
use core::cmp::Reverse;
use serde::Serialize;

/// Something that is going to happen. What it carries is small: messages wait in their connection's lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(crate) enum Due {
    /// The first message in a lane of a connection arrives. `towards` is the index of the receiving end.
    Arrive { conn: u64, towards: u8 },
    /// A dial is decided.
    Dialled { conn: u64 },
    /// A server's process starts (staggered starts).
    Start { server: ServerId },
    /// A disk finished its sync. `run` guards against a crash in between.
    DiskDone { server: ServerId, run: u32 },
    /// A background compaction is done.
    CompactDone { server: ServerId, run: u32, upto: Zxid },
    /// A server's driver reports the sessions heard from.
    ReportTouched { server: ServerId, run: u32 },
    /// A client looks for a server.
    ClientDial { client: ClientId, attempt: u32 },
    /// A connection breaks, because a message on it was dropped.
    Break { conn: u64, message: u64 },
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    next: u64,
}

impl Queue {
    /// Adds something due at `at`; among equal times, first come first served.
    pub fn push(&mut self, at: Instant, due: Due) {
        self.heap.push(Reverse((at, self.next, due)));
        self.next += 1;
    }

    /// What is due next.
    pub fn peek(&self) -> Option<(Instant, Due)> {
        self.heap.peek().map(|Reverse((at, _, due))| (*at, *due))
    }

    /// The next of those that `counts`.
    pub fn first(&self, counts: impl Fn(Due) -> bool) -> Option<(Instant, Due)> {
        let mut first: Option<(Instant, u64, Due)> = None;
        for Reverse(entry) in &self.heap {
            if first.is_none_or(|first| *entry < first) && counts(entry.2) {
                first = Some(*entry);
            }
        }
        first.map(|(at, _, due)| (at, due))
    }

    /// Takes the next out.
    pub fn pop(&mut self) -> Option<(Instant, Due)> {
        self.heap.pop().map(|Reverse((at, _, due))| (at, due))
    }

    /// Takes all arrivals of a lane out, to be planned anew.
    pub fn remove_arrivals(&mut self, conn: u64, towards: u8) {
        self.heap.retain(|Reverse((_, _, due))| *due != Due::Arrive { conn, towards });
    }

    /// All in order of time, for the state's hash and for people.
    pub fn in_order(&self) -> alloc::vec::Vec<(Instant, u64, Due)> {
        let mut all: alloc::vec::Vec<_> = self.heap.iter().map(|Reverse(x)| *x).collect();
        order::sort(&mut all);
        all
    }
}
