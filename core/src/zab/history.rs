//! The history in memory: the tail of the log, and how far it is committed.
//!
//! ```text
//!  base ──── first … committed … last
//!   │         └──── entries ─────┘
//!   └ the zxid of the state before the first entry: a snapshot's, or the last entry trimmed away
//! ```
//! `base ≤ committed ≤ last`, entries ascend, and inside an epoch their counters are contiguous.

use crate::id::{Lsn, Zxid};
use alloc::collections::VecDeque;
use bytes::Bytes;

/// One transaction of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub zxid: Zxid,
    /// Its bytes, as in PROPOSAL and the log.
    pub txn: Bytes,
    /// The storage effect that made it durable; 0 for what was recovered.
    pub lsn: Lsn,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct History {
    base: Zxid,
    entries: VecDeque<Entry>,
    committed: Zxid,
}

impl History {
    /// A history that begins with a state at `base`, followed by recovered entries of which it is not known whether
    /// they are committed.
    ///
    /// # Panics
    /// If the entries do not continue `base` in order; recovery checks that before.
    pub fn new(base: Zxid, entries: impl IntoIterator<Item = (Zxid, Bytes)>) -> History {
        let mut history = History { base, entries: VecDeque::new(), committed: base };
        for (zxid, txn) in entries {
            history.push(Entry { zxid, txn, lsn: Lsn(0) });
        }
        history
    }

    /// The zxid of the state before the first entry.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// The end of the history.
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |e| e.zxid)
    }

    /// The last committed (and applied) zxid.
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// The entries in memory, ascending.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// The entries above `zxid`, ascending.
    pub fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Entry> {
        self.entries.range(self.position_after(zxid)..)
    }

    /// The first entry's zxid.
    pub fn first(&self) -> Option<Zxid> {
        self.entries.front().map(|e| e.zxid)
    }

    /// The entry at `zxid`.
    pub fn get(&self, zxid: Zxid) -> Option<&Entry> {
        self.entries.binary_search_by_key(&zxid, |e| e.zxid).ok().and_then(|i| self.entries.get(i))
    }

    /// The next entry to commit.
    pub fn next_uncommitted(&self) -> Option<&Entry> {
        self.entries.get(self.position_after(self.committed))
    }

    /// The end of the part that is durable once everything up to `synced` is.
    pub fn durable(&self, synced: Lsn) -> Zxid {
        let n = self.entries.partition_point(|e| e.lsn <= synced);
        if n == 0 { self.base } else { self.entries.get(n - 1).map_or(self.base, |e| e.zxid) }
    }

    /// Appends an entry.
    ///
    /// # Panics
    /// If it does not continue the history: whoever appends has checked it.
    pub fn push(&mut self, entry: Entry) {
        assert!(entry.zxid > self.last(), "{} appended behind {}", entry.zxid, self.last());
        self.entries.push_back(entry);
    }

    /// Marks the next entry as committed and returns it.
    pub fn commit_next(&mut self) -> Option<Entry> {
        let entry = self.next_uncommitted()?.clone();
        self.committed = entry.zxid;
        Some(entry)
    }

    /// Whether the history can be cut so that it ends exactly at `to` without losing anything committed.
    pub fn can_end_at(&self, to: Zxid) -> bool {
        to >= self.committed && (to == self.base || self.get(to).is_some())
    }

    /// Drops the entries above `to` and says how many.
    ///
    /// # Panics
    /// If that would undo something committed.
    pub fn truncate(&mut self, to: Zxid) -> usize {
        assert!(to >= self.committed, "cut at {to} below {}, which is committed", self.committed);
        let keep = self.position_after(to);
        let dropped = self.entries.len() - keep;
        self.entries.truncate(keep);
        dropped
    }

    /// Starts anew from a state at `base`.
    pub fn reset(&mut self, base: Zxid) {
        *self = History::new(base, []);
    }

    /// Forgets the oldest entries that are committed and durable, keeping at least `keep` committed ones.
    pub fn trim(&mut self, keep: usize, synced: Lsn) {
        while self.position_after(self.committed) > keep && self.entries.front().is_some_and(|e| e.lsn <= synced) {
            if let Some(e) = self.entries.pop_front() {
                self.base = e.zxid;
            }
        }
    }

    fn position_after(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|e| e.zxid <= zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;

    fn z(e: i64, c: u32) -> Zxid {
        Zxid::new(Epoch(e), c)
    }

    fn history(zxids: &[Zxid]) -> History {
        History::new(Zxid::ZERO, zxids.iter().map(|z| (*z, Bytes::new())))
    }

    #[test]
    fn commits_in_order_and_never_cuts_below() {
        let mut h = history(&[z(1, 1), z(1, 2), z(2, 1)]);
        assert_eq!(h.last(), z(2, 1));
        assert_eq!(h.commit_next().map(|e| e.zxid), Some(z(1, 1)));
        assert!(h.can_end_at(z(1, 2)) && h.can_end_at(z(1, 1)) && !h.can_end_at(Zxid::ZERO) && !h.can_end_at(z(1, 3)));
        assert_eq!(h.truncate(z(1, 2)), 1);
        assert_eq!(h.last(), z(1, 2));
        assert!(std::panic::catch_unwind(move || h.truncate(Zxid::ZERO)).is_err());
    }

    #[test]
    fn trim_keeps_what_was_asked_and_all_uncommitted() {
        let mut h = history(&[z(1, 1), z(1, 2), z(1, 3), z(1, 4)]);
        h.commit_next();
        h.commit_next();
        h.commit_next();
        h.trim(1, Lsn(0));
        assert_eq!((h.base(), h.first(), h.last(), h.committed()), (z(1, 2), Some(z(1, 3)), z(1, 4), z(1, 3)));
    }

    #[test]
    fn durable_is_where_storage_has_come_to() {
        let mut h = history(&[z(1, 1)]);
        h.push(Entry { zxid: z(1, 2), txn: Bytes::new(), lsn: Lsn(4) });
        h.push(Entry { zxid: z(1, 3), txn: Bytes::new(), lsn: Lsn(5) });
        for (synced, end) in [(0, z(1, 1)), (4, z(1, 2)), (5, z(1, 3))] {
            assert_eq!(h.durable(Lsn(synced)), end);
        }
    }
}
