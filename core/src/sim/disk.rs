//! A server's disk: what is written waits in a volatile tail until a sync; a crash keeps what was synced and a part
//! of the tail, in order, the last record possibly torn.

use crate::collections::BTreeSet;
use crate::config::Membership;
use crate::effect::Record;
use crate::id::{Epoch, Lsn, Zxid};
use crate::rng::Rng;
use crate::sim::command::DiskDamage;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use serde::Serialize;

/// What survives a crash.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Media {
    pub accepted: Epoch,
    pub current: Epoch,
    /// The newest snapshot: its zxid and parts 2 to 5 of the format.
    pub snapshot: Option<(Zxid, Bytes)>,
    /// The log behind it, ascending.
    pub entries: VecDeque<(Zxid, Bytes)>,
    /// It has lost something, and has not got it back.
    pub doubted: bool,
    /// Who is a member, and who is proposed to be, once that is not what the server was first told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Box<Membership>>,
    /// Snapshots before the newest, oldest first, with the log from each to the next.
    older: VecDeque<Older>,
}

/// A snapshot that a newer one has replaced, and the transactions between them.
#[derive(Clone, Debug, Serialize)]
struct Older {
    /// `None` for the beginning of the log, when nothing was there yet.
    snapshot: Option<(Zxid, Bytes)>,
    entries: VecDeque<(Zxid, Bytes)>,
}

/// Snapshots kept on a disk, as Apache's purge keeps at least three.
const SNAPSHOTS: usize = 3;

impl Media {
    /// Where the snapshot ends.
    pub fn base(&self) -> Zxid {
        self.snapshot.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid)
    }

    /// For pictures: each snapshot (none for the beginning of the log) with the log behind it, oldest first.
    pub fn files(&self) -> impl Iterator<Item = (Option<Zxid>, &VecDeque<(Zxid, Bytes)>)> {
        let end = |snapshot: &Option<(Zxid, Bytes)>| snapshot.as_ref().map(|(zxid, _)| *zxid);
        let older = self.older.iter().map(move |o| (end(&o.snapshot), &o.entries));
        older.chain([(end(&self.snapshot), &self.entries)])
    }

    /// The last transaction held.
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base(), |(zxid, _)| *zxid)
    }

    /// The log entry of `zxid`.
    pub fn entry(&self, zxid: Zxid) -> Option<&Bytes> {
        let at = self.entries.binary_search_by_key(&zxid, |(z, _)| *z).ok()?;
        self.entries.get(at).map(|(_, txn)| txn)
    }

    /// The snapshot before the newest, with the log behind it, takes the newest one's place. False when there is none.
    pub fn fall_back(&mut self) -> bool {
        let Some(Older { snapshot, mut entries }) = self.older.pop_back() else { return false };
        self.snapshot = snapshot;
        entries.append(&mut self.entries);
        self.entries = entries;
        true
    }

    fn write(&mut self, record: Record) {
        match record {
            Record::Txn { zxid, txn } => self.entries.push_back((zxid, txn)),
            Record::Truncate { to } => {
                while self.entries.back().is_some_and(|(zxid, _)| *zxid > to) {
                    self.entries.pop_back();
                }
            }
            Record::AcceptedEpoch(epoch) => self.accepted = epoch,
            Record::CurrentEpoch(epoch) => self.current = epoch,
            Record::Membership(members) => self.members = Some(members),
            Record::Install { zxid, body } => {
                self.entries.clear();
                self.older.clear();
                self.snapshot = Some((zxid, body));
            }
            Record::Trusted => self.doubted = false,
        }
    }
}

/// The disk with what is not yet synced.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disk {
    pub media: Media,
    tail: VecDeque<(Lsn, Record)>,
    /// How many records of the tail the running sync covers; 0 while none runs.
    syncing: usize,
    /// Extra time for a sync.
    pub extra: Duration,
    /// The next sync fails.
    pub fail_next: bool,
    /// There is no room left: every sync fails until there is.
    pub full: bool,
    /// Nothing of the tail survives the next crash.
    pub lose_tail: bool,
    /// A sync failed: nothing is written any more in this run.
    failed: bool,
    /// What is damaged of what was durable.
    damaged: Vec<DiskDamage>,
    /// Transactions whose record in the log has another byte.
    rotten: BTreeSet<Zxid>,
    /// What was on it when it was emptied, until it has a history again: what it had acknowledged by then may still be
    /// on its way to be counted.
    #[serde(skip)]
    emptied: Option<Box<Media>>,
}

/// What a finished sync did.
pub(crate) enum DiskDone {
    /// Everything up to here is durable.
    Synced { upto: Lsn, records: usize },
    /// It failed; `full` if for want of room.
    Failed { full: bool },
}

/// What a crash did to the tail.
pub(crate) struct Loss {
    /// Records that were not synced.
    pub unsynced: usize,
    /// How many of them are on the disk anyway.
    pub kept: usize,
    /// The record behind them was being written: its transaction, if it was one.
    pub torn: Option<(Zxid, Bytes)>,
}

impl Disk {
    pub fn new() -> Disk {
        Disk {
            media: Media::default(),
            tail: VecDeque::new(),
            syncing: 0,
            extra: Duration::ZERO,
            fail_next: false,
            full: false,
            lose_tail: false,
            failed: false,
            damaged: Vec::new(),
            rotten: BTreeSet::new(),
            emptied: None,
        }
    }

    /// Whether there is such a thing to damage.
    pub fn has(&self, what: DiskDamage) -> bool {
        match what {
            DiskDamage::NewestSnapshot => self.media.snapshot.is_some(),
            DiskDamage::MiddleOfLog => self.media.entries.len() > 1,
            DiskDamage::Everything => true,
        }
    }

    /// Damages it.
    pub fn damage(&mut self, what: DiskDamage) {
        match what {
            DiskDamage::Everything => {
                let lost = core::mem::take(&mut self.media);
                self.emptied.get_or_insert_with(|| Box::new(lost));
                self.repaired();
            }
            DiskDamage::MiddleOfLog => {
                let middle = (self.media.entries.len() / 2).saturating_sub(1);
                if let Some((zxid, _)) = self.media.entries.get(middle) {
                    self.rot(*zxid);
                }
            }
            DiskDamage::NewestSnapshot if !self.damaged.contains(&what) => self.damaged.push(what),
            DiskDamage::NewestSnapshot => {}
        }
    }

    /// A byte of this transaction's record in the log is another now.
    pub fn rot(&mut self, zxid: Zxid) {
        self.rotten.insert(zxid);
    }

    /// Whether the record of this transaction is damaged.
    pub fn is_rotten(&self, zxid: Zxid) -> bool {
        self.rotten.contains(&zxid)
    }

    /// Whether any record is.
    pub fn has_rot(&self) -> bool {
        !self.rotten.is_empty()
    }

    /// Only the newest snapshot is left, and the log behind it.
    #[cfg(test)]
    pub fn forget_older(&mut self) {
        self.media.older.clear();
    }

    /// What was damaged is gone.
    fn repaired(&mut self) {
        self.damaged.clear();
        self.rotten.clear();
    }

    /// A record reaches the media.
    fn write(&mut self, record: Record) {
        match record {
            Record::Install { .. } => self.repaired(),
            Record::CurrentEpoch(_) => self.emptied = None,
            _ => {}
        }
        self.media.write(record);
    }

    /// Whether it holds this transaction, or did when it was emptied.
    pub fn has_held(&self, zxid: Zxid, txn: &Bytes) -> bool {
        let holds = |media: &Media| media.base() >= zxid || media.entry(zxid) == Some(txn);
        holds(&self.media) || self.emptied.as_deref().is_some_and(holds)
    }

    /// Whether it is damaged.
    pub fn is_damaged(&self, what: DiskDamage) -> bool {
        self.damaged.contains(&what)
    }

    /// The damaged snapshot is out of the way.
    pub fn fall_back(&mut self) -> bool {
        self.damaged.retain(|what| *what != DiskDamage::NewestSnapshot);
        self.media.fall_back()
    }

    /// Takes a record.
    pub fn store(&mut self, lsn: Lsn, record: Record) {
        if !self.failed {
            self.tail.push_back((lsn, record));
        }
    }

    /// Begins a sync of everything stored if none runs and there is something: true if it began.
    pub fn begin_sync(&mut self) -> bool {
        if self.syncing > 0 || self.tail.is_empty() || self.failed {
            return false;
        }
        self.syncing = self.tail.len();
        true
    }

    /// The running sync is over. `written` sees each record as it becomes durable, with the media before it.
    pub fn finish_sync(&mut self, mut written: impl FnMut(&Media, &Record)) -> DiskDone {
        let records = core::mem::take(&mut self.syncing);
        if self.fail_next || self.full {
            self.fail_next = false;
            self.failed = true;
            return DiskDone::Failed { full: self.full };
        }
        let mut upto = Lsn::default();
        for _ in 0..records {
            let Some((lsn, record)) = self.tail.pop_front() else { break };
            written(&self.media, &record);
            self.write(record);
            upto = lsn;
        }
        DiskDone::Synced { upto, records }
    }

    /// The process or the machine dies: a drawn part of the tail is on the disk, the rest is not.
    pub fn crash(&mut self, rng: &mut Rng, mut written: impl FnMut(&Media, &Record)) -> Loss {
        let unsynced = self.tail.len();
        let loses = core::mem::take(&mut self.lose_tail);
        let kept = if loses { 0 } else { rng.below(unsynced as u64 + 1) as usize };
        for _ in 0..kept {
            let Some((_, record)) = self.tail.pop_front() else { break };
            written(&self.media, &record);
            self.write(record);
        }
        let torn = match self.tail.pop_front() {
            Some((_, Record::Txn { zxid, txn })) if !loses && rng.below(2) == 0 => Some((zxid, txn)),
            _ => None,
        };
        self.tail.clear();
        self.syncing = 0;
        self.failed = false;
        self.fail_next = false;
        Loss { unsynced, kept, torn }
    }

    /// For pictures: what waits for a sync, in order, and how much of it the running sync covers.
    pub fn waiting(&self) -> (impl Iterator<Item = &Record>, usize) {
        (self.tail.iter().map(|(_, record)| record), self.syncing)
    }

    /// Replaces the snapshot by a later one of the same history.
    pub fn compacted(&mut self, zxid: Zxid, body: Bytes) {
        let covered = self.media.entries.partition_point(|(z, _)| *z <= zxid);
        let behind = self.media.entries.split_off(covered);
        let entries = core::mem::replace(&mut self.media.entries, behind);
        let snapshot = self.media.snapshot.replace((zxid, body));
        self.media.older.push_back(Older { snapshot, entries });
        while self.media.older.len() >= SNAPSHOTS {
            self.media.older.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(counter: u32) -> Record {
        Record::Txn { zxid: Zxid::new(Epoch(1), counter), txn: Bytes::from_static(b"txn") }
    }

    fn counters(media: &Media) -> Vec<u32> {
        media.entries.iter().map(|(zxid, _)| zxid.counter()).collect()
    }

    #[test]
    fn a_sync_covers_what_was_there_when_it_began() {
        let mut disk = Disk::new();
        assert!(!disk.begin_sync(), "there is nothing to sync");
        disk.store(Lsn(1), txn(1));
        assert!(disk.begin_sync() && !disk.begin_sync(), "one sync at a time");
        disk.store(Lsn(2), txn(2));
        let mut seen = 0;
        assert!(matches!(disk.finish_sync(|_, _| seen += 1), DiskDone::Synced { upto: Lsn(1), records: 1 }));
        assert_eq!((seen, counters(&disk.media)), (1, Vec::from([1])));
        assert!(disk.begin_sync());
        disk.finish_sync(|_, _| {});
        assert_eq!(counters(&disk.media), [1, 2]);
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_a_beginning_of_the_rest() {
        let mut kept = [0; 4];
        for seed in 0..200 {
            let mut disk = Disk::new();
            disk.store(Lsn(1), txn(1));
            disk.begin_sync();
            disk.finish_sync(|_, _| {});
            (2..=4).for_each(|n| disk.store(Lsn(n.into()), txn(n)));
            disk.begin_sync();
            let loss = disk.crash(&mut Rng::new(seed), |_, _| {});
            assert_eq!(loss.unsynced, 3);
            assert_eq!(counters(&disk.media), (1..=1 + loss.kept as u32).collect::<Vec<_>>());
            assert!(loss.torn.is_none_or(|(zxid, _)| zxid.counter() == loss.kept as u32 + 2));
            assert!(!disk.begin_sync(), "nothing is left to sync");
            kept[loss.kept] += 1;
        }
        assert!(kept.iter().all(|n| *n > 20), "{kept:?}");
    }

    #[test]
    fn records_change_the_media_in_order() {
        let mut disk = Disk::new();
        let z = |counter| Zxid::new(Epoch(1), counter);
        let records = [
            Record::AcceptedEpoch(Epoch(1)),
            txn(1),
            txn(2),
            txn(3),
            Record::Truncate { to: z(1) },
            Record::CurrentEpoch(Epoch(1)),
            txn(2),
        ];
        for (lsn, record) in (1..).zip(records) {
            disk.store(Lsn(lsn), record);
        }
        disk.begin_sync();
        disk.finish_sync(|_, _| {});
        assert_eq!((disk.media.accepted, disk.media.current), (Epoch(1), Epoch(1)));
        assert_eq!(
            (counters(&disk.media), disk.media.base(), disk.media.last()),
            (Vec::from([1, 2]), Zxid::ZERO, z(2))
        );
        disk.compacted(z(1), Bytes::from_static(b"state"));
        assert_eq!((counters(&disk.media), disk.media.base()), (Vec::from([2]), z(1)));
        disk.store(Lsn(8), Record::Install { zxid: z(9), body: Bytes::from_static(b"other") });
        disk.begin_sync();
        disk.finish_sync(|_, _| {});
        assert_eq!((counters(&disk.media), disk.media.base(), disk.media.last()), (Vec::new(), z(9), z(9)));
    }

    #[test]
    fn behind_a_damaged_snapshot_stands_an_older_one_with_its_log() {
        let mut disk = Disk::new();
        let z = |counter| Zxid::new(Epoch(1), counter);
        for n in 1..=12u32 {
            disk.store(Lsn(n.into()), txn(n));
        }
        disk.begin_sync();
        disk.finish_sync(|_, _| {});
        for n in [3, 6, 9] {
            disk.compacted(z(n), Bytes::from_static(b"state"));
        }
        assert_eq!((disk.media.base(), counters(&disk.media)), (z(9), Vec::from([10, 11, 12])));
        assert!(disk.fall_back());
        assert_eq!((disk.media.base(), counters(&disk.media)), (z(6), (7..=12).collect()));
        assert!(disk.fall_back());
        assert_eq!((disk.media.base(), counters(&disk.media)), (z(3), (4..=12).collect()));
        assert!(!disk.fall_back(), "three are kept");
    }

    #[test]
    fn a_failed_sync_is_the_last() {
        let mut disk = Disk::new();
        disk.fail_next = true;
        disk.store(Lsn(1), txn(1));
        disk.begin_sync();
        assert!(matches!(disk.finish_sync(|_, _| {}), DiskDone::Failed { full: false }));
        disk.store(Lsn(2), txn(2));
        assert!(!disk.begin_sync());
        assert!(disk.media.entries.is_empty());
    }

    #[test]
    fn f8_a_lost_tail_is_lost_whole_and_only_the_tail() {
        for seed in 0..50 {
            let mut disk = Disk::new();
            disk.store(Lsn(1), txn(1));
            disk.begin_sync();
            disk.finish_sync(|_, _| {});
            (2..=4).for_each(|n| disk.store(Lsn(n.into()), txn(n)));
            disk.lose_tail = true;
            let loss = disk.crash(&mut Rng::new(seed), |_, _| {});
            assert_eq!((loss.unsynced, loss.kept, loss.torn.is_none()), (3, 0, true));
            assert_eq!(counters(&disk.media), [1]);
            assert!(!disk.lose_tail, "once");
        }
    }

    #[test]
    fn f8_a_full_disk_fails_every_sync_until_there_is_room() {
        let mut disk = Disk::new();
        disk.full = true;
        for lsn in 1..=2 {
            disk.store(Lsn(lsn), txn(1));
            assert!(disk.begin_sync());
            assert!(matches!(disk.finish_sync(|_, _| {}), DiskDone::Failed { full: true }));
            disk.crash(&mut Rng::new(1), |_, _| {});
        }
        disk.full = false;
        disk.media.entries.clear();
        disk.store(Lsn(3), txn(1));
        assert!(disk.begin_sync());
        assert!(matches!(disk.finish_sync(|_, _| {}), DiskDone::Synced { records: 1, .. }));
    }
}
