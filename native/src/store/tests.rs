//! Whole stores: what a start makes of files that a crash, a rotting disk or Apache's server left.

mod apart;
mod kinds;
mod loss;

use super::compactor::{CompactError, Job, compact, fold};
use super::dir::Dirs;
use super::recovery::{Standing, recover};
use super::thread::{Settings, Storage};
use super::{files, purge, snapshots};
use crate::metrics::Metrics;
use bytes::Bytes;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use zebu_core::disk::names::Compression;
use zebu_core::effect::Record;
use zebu_core::id::{Epoch, Lsn, ServerId, SessionId, Zxid};
use zebu_core::input::Input;
use zebu_core::server::Recovered;
use zebu_core::tree::Tree;
use zebu_core::wire::record::Acl;
use zebu_core::wire::txn::{Txn, TxnBody, TxnHeader};

/// A data directory that is used again and again.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Disk {
        Disk { folder: tempfile::tempdir().expect("a folder") }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("version-2")
    }

    fn open(&self) -> Dirs {
        Dirs::open(self.folder.path(), self.folder.path(), ServerId(1)).expect("free")
    }

    /// An empty snapshot and epoch 1, no log.
    fn reset(&self) {
        for (_, log) in files::logs(&self.dir()).expect("listed") {
            fs::remove_file(log).expect("removed");
        }
    }

    fn recover(&self) -> Result<Recovered, String> {
        recover(&self.open(), &Metrics::new(), Standing::Alone).map_err(|e| e.to_string())
    }

    /// The zxid that the log ends with, or why the start is refused.
    fn last(&self) -> Result<Zxid, String> {
        self.recover().map(|r| last(&r))
    }

    /// Runs a storage thread over `records` and waits until the last is durable.
    fn run(&self, records: impl IntoIterator<Item = Record>) -> Vec<Input> {
        let (storage, said) = self.storage();
        let records: Vec<_> = (1..).map(Lsn).zip(records).collect();
        let last = records.last().map(|(lsn, _)| *lsn);
        storage.store(records);
        storage.stop();
        let said: Vec<_> = said.try_iter().collect();
        if let Some(upto) = last {
            assert_eq!(said.last(), Some(&Input::Synced { upto }), "{said:?}");
        }
        said
    }

    fn storage(&self) -> (Storage, Receiver<Input>) {
        let (deliver, said) = channel();
        let deliver = Arc::new(move |input| deliver.send(input).expect("the test listens"));
        (Storage::start(self.settings(), deliver).expect("a thread"), said)
    }

    fn settings(&self) -> Settings {
        Settings {
            snapshot_dir: self.dir(),
            log_dir: self.dir(),
            compression: Compression::None,
            program: None,
            pre_alloc: 4096,
            log_limit: 0,
            force_sync: true,
            fsync_warning: Duration::from_secs(60),
            metrics: Arc::new(Metrics::new()),
            membership: None,
        }
    }

    fn job(&self, upto: Zxid) -> Job {
        Job { snapshot_dir: self.dir(), log_dir: self.dir(), upto, compression: Compression::None }
    }

    fn compact(&self, upto: Zxid) -> Result<bool, CompactError> {
        compact(&self.job(upto), &AtomicBool::new(false))
    }

    fn log(&self, zxid: Zxid) -> PathBuf {
        self.dir().join(format!("log.{:x}", zxid.0))
    }
}

fn last(recovered: &Recovered) -> Zxid {
    recovered.entries.last().map_or(recovered.snapshot, |(zxid, _)| *zxid)
}

fn z(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

/// A create whose data tell it from every other one.
fn txn(zxid: Zxid, size: usize) -> Bytes {
    let data = Some(Bytes::from(vec![zxid.counter() as u8 | 0x80; size]));
    let body = TxnBody::Create {
        v2: false,
        path: format!("/n{:x}", zxid.0),
        data,
        acl: Acl::open(),
        ephemeral: false,
        parent_cversion: -1,
    };
    let header = TxnHeader { session: SessionId(7), cxid: 1, zxid, time_ms: 1_700_000_000_000 };
    Txn { header, body, digest: None }.encode()
}

fn records(zxids: impl IntoIterator<Item = u32>) -> Vec<Record> {
    zxids.into_iter().map(|n| Record::Txn { zxid: z(n), txn: txn(z(n), 20) }).collect()
}

/// Epoch 1, as before any transaction of it.
fn epochs() -> Vec<Record> {
    vec![Record::AcceptedEpoch(Epoch(1)), Record::CurrentEpoch(Epoch(1))]
}

/// A disk with transactions 1 to 3 of epoch 1 in one file; the file's bytes; where each record begins and the last
/// ends.
fn three() -> (Disk, Vec<u8>, Vec<usize>) {
    let disk = Disk::new();
    assert_eq!(disk.last(), Ok(Zxid::ZERO));
    disk.run(epochs().into_iter().chain(records(1..=3)));
    let file = fs::read(disk.log(z(1))).expect("a log");
    let record = 13 + txn(z(1), 20).len();
    let places = (0..=3).map(|n| 16 + n * record).collect();
    (disk, file, places)
}

/// The tree after all entries.
fn tree_of(recovered: &Recovered) -> Tree {
    let mut tree = recovered.tree.clone();
    for (_, entry) in &recovered.entries {
        tree.apply(&Txn::decode(entry.clone()).expect("recovery has checked that"));
    }
    tree
}

#[test]
fn what_was_synced_is_found_again_each_run_in_a_file_of_its_own() {
    let disk = Disk::new();
    let fresh = disk.recover().expect("an empty disk is fine");
    assert_eq!((fresh.accepted, fresh.current, fresh.snapshot), (Epoch(0), Epoch(0), Zxid::ZERO));
    disk.run(epochs().into_iter().chain(records(1..=5)));
    disk.run(records(6..=9));
    let found = disk.recover().expect("all is well");
    assert_eq!((found.accepted, found.current, found.snapshot), (Epoch(1), Epoch(1), Zxid::ZERO));
    let expected: Vec<_> = (1..=9).map(|n| (z(n), txn(z(n), 20))).collect();
    assert_eq!(found.entries, expected);
    let logs: Vec<_> = files::logs(&disk.dir()).expect("listed").into_iter().map(|(zxid, _)| zxid).collect();
    assert_eq!(logs, [z(1), z(6)]);
    assert_eq!(fs::metadata(disk.log(z(1))).expect("a log").len(), 16 + 4096, "Apache's size");
}

#[test]
fn a_file_that_is_long_enough_is_ended() {
    let disk = Disk::new();
    assert_eq!(disk.last(), Ok(Zxid::ZERO));
    let (deliver, said) = channel();
    let deliver = Arc::new(move |input| deliver.send(input).expect("the test listens"));
    let record = 13 + txn(z(1), 20).len() as u64;
    // Longer than the limit with the third.
    let settings = Settings { log_limit: 16 + 2 * record, ..disk.settings() };
    let storage = Storage::start(settings, deliver).expect("a thread");
    for (lsn, record) in (1..).map(Lsn).zip(epochs().into_iter().chain(records(1..=8))) {
        storage.store(vec![(lsn, record)]);
        // One by one, each with a sync of its own.
        assert_eq!(said.recv(), Ok(Input::Synced { upto: lsn }));
    }
    storage.stop();
    let logs: Vec<_> = files::logs(&disk.dir()).expect("listed").into_iter().map(|(zxid, _)| zxid).collect();
    assert_eq!(logs, [z(1), z(4), z(7)]);
    let found = disk.recover().expect("all is well");
    assert_eq!((last(&found), found.entries.len()), (z(8), 8));
    assert!(disk.compact(z(5)).expect("made"));
    disk.run([Record::Truncate { to: z(6) }]);
    assert_eq!(disk.last(), Ok(z(6)));
}

#[test]
fn a_file_that_is_there_is_never_written_to() {
    let (disk, before, _) = three();
    let (storage, said) = disk.storage();
    storage.store(vec![(Lsn(1), Record::Txn { zxid: z(1), txn: txn(z(1), 20) })]);
    storage.store(vec![(Lsn(2), Record::CurrentEpoch(Epoch(9)))]);
    storage.stop();
    let said: Vec<_> = said.try_iter().collect();
    assert!(matches!(&said[..], [Input::StorageFailed { what }] if what.contains("log.100000001")), "{said:?}");
    assert_eq!(fs::read(disk.log(z(1))).expect("a log"), before);
    assert_eq!(disk.recover().expect("nothing happened").current, Epoch(1), "nothing behind a failure is done");
}

#[test]
fn a_log_cut_at_any_byte_gives_the_whole_records_before_and_can_be_gone_on_with() {
    let (disk, file, places) = three();
    let end = places[3];
    for length in 0..=end {
        // Cut off, and zeroed as in a preallocated file.
        let mut zeroed = file.clone();
        zeroed[length..].fill(0);
        for (how, bytes) in [("cut", file[..length].to_vec()), ("zeroed", zeroed)] {
            disk.reset();
            fs::write(disk.log(z(1)), &bytes).expect("written");
            let whole = places.iter().filter(|at| **at <= length).count().saturating_sub(1) as u32;
            match disk.last() {
                Ok(last) => assert_eq!(last, if whole == 0 { Zxid::ZERO } else { z(whole) }, "{how} at {length}"),
                // A sector that is half there is nothing a disk leaves, but neither may it be believed.
                Err(why) => {
                    assert!(how == "zeroed" && why.contains("damaged at byte"), "{how} at {length}: {why}");
                    continue;
                }
            }
            // Syncs are slow: going on is tried around every border, and here and there between.
            if length % 16 == 0 || places.iter().any(|at| at.abs_diff(length) < 3) {
                disk.run(records(whole + 1..=whole + 2));
                assert_eq!(disk.last(), Ok(z(whole + 2)), "{how} at {length}, gone on with");
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_or_cut_but_never_served() {
    let (disk, file, places) = three();
    for at in 0..places[3] {
        for bit in [0, 3, 7] {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            fs::write(disk.log(z(1)), &bad).expect("written");
            match disk.recover() {
                // Version and dbid mean nothing.
                Ok(found) if (4..16).contains(&at) => assert_eq!(last(&found), z(3)),
                // A last record that claims to be longer may be one that was cut.
                Ok(found) => {
                    assert_eq!(last(&found), z(2), "byte {at} bit {bit}");
                    assert!(at >= places[2], "byte {at} bit {bit}: only the last may go");
                    assert_eq!(found.entries[..], [(z(1), txn(z(1), 20)), (z(2), txn(z(2), 20))]);
                }
                Err(why) => {
                    assert!(why.contains("log.100000001") && why.contains("byte"), "byte {at} bit {bit}: {why}");
                    assert_eq!(fs::read(disk.log(z(1))).expect("a log"), bad, "refused, so untouched");
                }
            }
        }
    }
}

#[test]
fn a_missing_file_in_the_middle_is_seen() {
    let disk = Disk::new();
    disk.last().expect("fresh");
    disk.run(epochs().into_iter().chain(records(1..=2)));
    disk.run(records(3..=4));
    disk.run(records(5..=6));
    fs::remove_file(disk.log(z(3))).expect("removed");
    let why = disk.last().expect_err("a hole");
    assert!(why.contains("log.100000005") && why.contains("does not follow 1:2"), "{why}");
}

#[test]
fn truncation_removes_what_is_above_from_all_files() {
    for (to, kept_logs) in [(9, vec![1, 4, 7]), (8, vec![1, 4, 7]), (6, vec![1, 4]), (5, vec![1, 4]), (1, vec![1])] {
        let disk = Disk::new();
        disk.last().expect("fresh");
        disk.run(epochs().into_iter().chain(records(1..=3)));
        disk.run(records(4..=6));
        disk.run(records(7..=9).into_iter().chain([Record::Truncate { to: z(to) }]));
        assert_eq!(disk.last(), Ok(z(to)));
        let logs: Vec<_> = files::logs(&disk.dir()).expect("listed").into_iter().map(|(f, _)| f.counter()).collect();
        assert_eq!(logs, kept_logs, "to {to}");
        // The next epoch's first transaction goes on from there.
        let next = Zxid::new(Epoch(2), 1);
        disk.run([Record::AcceptedEpoch(Epoch(2)), Record::Txn { zxid: next, txn: txn(next, 1) }]);
        assert_eq!(disk.last(), Ok(next));
    }
}

#[test]
fn an_installed_state_replaces_everything_and_an_interrupted_one_is_finished() {
    let mut tree = Tree::new();
    for n in 1..=4 {
        tree.apply(&Txn::decode(txn(Zxid::new(Epoch(2), n), 3)).expect("valid"));
    }
    let (zxid, body) = (tree.applied(), tree.write_body());
    let (disk, ..) = three();
    disk.run([Record::AcceptedEpoch(Epoch(2)), Record::Install { zxid, body: body.clone() }]);
    let found = disk.recover().expect("installed");
    assert_eq!((found.snapshot, found.tree.digest(), found.entries.len()), (zxid, tree.digest(), 0));
    let names: Vec<_> = files::data_files(&disk.dir()).expect("listed").into_iter().map(|(_, path)| path).collect();
    assert_eq!(names, [disk.dir().join("snapshot.200000004")], "the old log is gone");
    disk.run([Record::Txn { zxid: Zxid::new(Epoch(2), 5), txn: txn(Zxid::new(Epoch(2), 5), 1) }]);
    assert_eq!(disk.last(), Ok(Zxid::new(Epoch(2), 5)));

    let around = disk.folder.path().join("around");
    snapshots::write_around(&around, &body, Compression::None).expect("written");
    let file = fs::read(&around).expect("read");
    // Before it had its name it does not count; behind that, everything else does not.
    for (name, expected) in [("install.200000004.tmp", z(3)), ("install.200000004", zxid)] {
        for with_new_name in [false, true] {
            let (disk, ..) = three();
            disk.run([Record::AcceptedEpoch(Epoch(2))]);
            fs::write(disk.dir().join(name), &file).expect("written");
            if with_new_name && expected == zxid {
                fs::remove_file(disk.log(z(1))).expect("the crash came after the old log was removed");
            }
            assert_eq!(disk.last(), Ok(expected), "{name}");
            assert_eq!(disk.last(), Ok(expected), "{name}, again");
            assert!(!disk.dir().join(name).exists());
        }
    }
}

#[test]
fn compaction_gives_the_tree_of_its_zxid_exactly() {
    let (disk, ..) = three();
    disk.run(records(4..=8));
    let whole = disk.recover().expect("all is well");
    let expected = {
        let upto_6 =
            Recovered { entries: whole.entries.iter().filter(|(n, _)| *n <= z(6)).cloned().collect(), ..whole.clone() };
        tree_of(&upto_6)
    };
    let never = AtomicBool::new(false);
    assert!(disk.compact(z(6)).expect("made"));
    let found = disk.recover().expect("all is well");
    assert_eq!((found.snapshot, found.tree.digest(), found.entries.len()), (z(6), expected.digest(), 2));
    assert_eq!(tree_of(&found).digest(), tree_of(&whole).digest());
    for (wanted, got) in [(5, 6), (6, 6), (7, 7), (8, 8)] {
        let folded = fold(&disk.dir(), &disk.dir(), z(wanted), &never).expect("made").expect("not cancelled");
        assert_eq!((folded.from, folded.tree.applied()), (z(6), z(got)), "a snapshot that is newer is as good");
    }
    assert_eq!(disk.recover().expect("all is well").snapshot, z(6), "folding writes nothing");
    let why = disk.compact(z(9)).expect_err("not in the log").to_string();
    assert!(why.contains("ends at 1:8") && why.contains("1:9"), "{why}");
    assert!(!compact(&disk.job(z(8)), &AtomicBool::new(true)).expect("cancelled"));
}

#[test]
fn a_snapshot_is_made_beside_the_writing_and_the_log_begins_anew() {
    let (disk, ..) = three();
    let (storage, said) = disk.storage();
    let mut lsn = (1..).map(Lsn);
    let mut number = |records: Vec<Record>| -> Vec<_> { lsn.by_ref().zip(records).collect() };
    storage.store(number(records(4..=6)));
    storage.compact(z(5));
    storage.store(number(records(7..=8)));
    let mut waiting = vec![Input::Compacted { upto: z(5) }, Input::Synced { upto: Lsn(5) }];
    while !waiting.is_empty() {
        let input = said.recv_timeout(Duration::from_secs(60)).expect("an answer");
        waiting.retain(|w| *w != input);
    }
    storage.stop();
    let found = disk.recover().expect("all is well");
    assert_eq!((found.snapshot, found.entries.len(), last(&found)), (z(5), 3, z(8)));
    let logs: Vec<_> = files::logs(&disk.dir()).expect("listed").into_iter().map(|(f, _)| f.counter()).collect();
    assert_eq!(logs, [1, 4, 7]);
}

#[test]
fn damaged_snapshots_are_passed_over_while_the_log_reaches_back_and_refused_otherwise() {
    let (disk, ..) = three();
    disk.compact(z(2)).expect("made");
    let path = disk.dir().join("snapshot.100000002");
    let good = fs::read(&path).expect("a snapshot");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        fs::write(&path, &bad).expect("written");
        let found = disk.recover().expect("the older snapshot and the log hold everything");
        assert_eq!((found.snapshot, last(&found)), (Zxid::ZERO, z(3)), "byte {at}");
    }
    fs::write(&path, &good[..good.len() - 3]).expect("written");
    assert_eq!(disk.last(), Ok(z(3)));
    fs::write(disk.dir().join("snapshot.0"), "rotten").expect("written");
    let why = disk.last().expect_err("no snapshot is good");
    assert!(why.contains("none of the 2 snapshots") && why.contains("snapshot.100000002"), "{why}");
    fs::remove_file(&path).and_then(|()| fs::remove_file(disk.dir().join("snapshot.0"))).expect("removed");
    let why = disk.last().expect_err("transactions over nothing");
    assert!(why.contains("no snapshot below them"), "{why}");
}

#[test]
fn a_log_ahead_of_every_promise_is_refused() {
    let disk = Disk::new();
    disk.last().expect("fresh");
    disk.run([Record::AcceptedEpoch(Epoch(0)), Record::CurrentEpoch(Epoch(0))].into_iter().chain(records(1..=1)));
    let why = disk.last().expect_err("epoch 1 was never accepted");
    assert!(why.contains("ends with 1:1, but acceptedEpoch is 0"), "{why}");
}

#[test]
fn purging_keeps_what_a_start_needs() {
    let disk = Disk::new();
    disk.last().expect("fresh");
    disk.run(epochs());
    for n in 1..=8 {
        disk.run(records([n]));
        disk.compact(z(n)).expect("made");
    }
    for n in [7, 8] {
        fs::write(disk.dir().join(format!("snapshot.{:x}", z(n).0)), "torn").expect("written");
    }
    purge::purge(&disk.dir(), &disk.dir(), 3).expect("purged");
    let valid: Vec<_> = files::snapshots(&disk.dir()).expect("listed").into_iter().map(|(n, ..)| n.counter()).collect();
    assert_eq!(valid, [4, 5, 6, 7, 8], "torn ones do not count");
    let logs: Vec<_> = files::logs(&disk.dir()).expect("listed").into_iter().map(|(f, _)| f.counter()).collect();
    assert_eq!(logs, [4, 5, 6, 7, 8]);
    let found = disk.recover().expect("enough is left");
    assert_eq!((found.snapshot, last(&found)), (z(6), z(8)));
    assert!(!snapshots::seems_valid(&disk.dir().join("snapshot.100000008"), Compression::None));
}

/// Files that Apache's server wrote, and what its own tests found it to do with damaged ones: here the same or safer.
mod apache {
    use super::*;

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/vectors")
    }

    fn standalone() -> Disk {
        let disk = Disk::new();
        fs::create_dir_all(disk.dir()).expect("made");
        for (from, to) in [
            ("txnlog/standalone-log.1", "log.1"),
            ("txnlog/standalone-log.1e", "log.1e"),
            ("snapshot/standalone-snapshot.0", "snapshot.0"),
            ("snapshot/standalone-snapshot.1d", "snapshot.1d"),
        ] {
            fs::copy(vectors().join(from), disk.dir().join(to)).expect("copied");
        }
        disk
    }

    #[test]
    fn a_standalone_directory_is_taken_over() {
        let found = standalone().recover().expect("all is well");
        assert_eq!((found.snapshot, last(&found)), (Zxid(0x1d), Zxid(0x1f)));
        assert_eq!((found.accepted, found.current), (Epoch(0), Epoch(0)));
        let whole = tree_of(&found);
        assert!(whole.exists("/after"));
        // From the older snapshot over the whole log it is the same tree.
        let disk = standalone();
        fs::remove_file(disk.dir().join("snapshot.1d")).expect("removed");
        let found = disk.recover().expect("all is well");
        assert_eq!((found.snapshot, last(&found), tree_of(&found).digest()), (Zxid(0), Zxid(0x1f), whole.digest()));
    }

    #[test]
    fn damaged_files() {
        // Where the two records of log.1e begin, 0x1e and 0x1f, and its length.
        let log = fs::read(vectors().join("txnlog/standalone-log.1e")).expect("a log");
        let first = 16;
        let second = first + 13 + u32::from_be_bytes(log[24..28].try_into().expect("four bytes")) as usize;
        let length = second + 13 + u32::from_be_bytes(log[second + 8..second + 12].try_into().expect("four")) as usize;
        type Damage = Box<dyn Fn(&mut Vec<u8>)>;
        let set = |at: usize, bytes: &'static [u8]| -> Damage {
            Box::new(move |log| log[at..at + bytes.len()].copy_from_slice(bytes))
        };
        let cut = |at: usize| -> Damage { Box::new(move |log| log.truncate(at)) };
        let cases: Vec<(&str, Damage, Result<i64, &str>)> = vec![
            ("unchanged", Box::new(|_| {}), Ok(0x1f)),
            ("flipped bit", Box::new(move |log| log[second + 20] ^= 1), Err("checksum")),
            ("cut in the entry", cut(length - 5), Ok(0x1e)),
            ("cut in the head", cut(second + 7), Ok(0x1e)),
            ("end mark wrong, last", set(length - 1, b"X"), Err("end mark")),
            ("end mark wrong, not last", set(second - 1, b"X"), Err("0:31 stands behind it")),
            ("length -16", set(second + 8, &[0xff, 0xff, 0xff, 0xf0]), Err("length -16")),
            ("length 0x7ffffff0", set(second + 8, &[0x7f, 0xff, 0xff, 0xf0]), Err("length 2147483632")),
            ("zeroed head, not last", set(first, &[0; 12]), Err("0:31 stands behind it")),
            ("0 bytes", cut(0), Ok(0x1d)),
            ("8 bytes", cut(8), Ok(0x1d)),
            ("header only", cut(16), Ok(0x1d)),
            ("magic", set(0, b"XXXX"), Err("header")),
            ("version and dbid", set(4, &[0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(0x1f)),
        ];
        for (name, damage, expected) in cases {
            let disk = standalone();
            let mut bad = log.clone();
            damage(&mut bad);
            fs::write(disk.dir().join("log.1e"), bad).expect("written");
            match (disk.last(), expected) {
                (Ok(last), Ok(expected)) => {
                    assert_eq!(last, Zxid(expected), "{name}");
                    // What follows never hits the old file.
                    let next = Zxid(expected + 1);
                    disk.run([Record::Txn { zxid: next, txn: txn(next, 9) }]);
                    assert_eq!(disk.last(), Ok(next), "{name}, gone on with");
                }
                (Err(why), Err(expected)) => assert!(why.contains("log.1e") && why.contains(expected), "{name}: {why}"),
                (got, expected) => panic!("{name}: {got:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn damaged_snapshots() {
        let snapshot = fs::read(vectors().join("snapshot/standalone-snapshot.1d")).expect("a snapshot");
        for (name, bytes, base) in [
            ("three bytes short", snapshot[..snapshot.len() - 3].to_vec(), 0),
            (
                "a flipped bit",
                {
                    let mut s = snapshot.clone();
                    s[200] ^= 1;
                    s
                },
                0,
            ),
            ("without digest", snapshot[..snapshot.len() - 33].to_vec(), 0x1d),
        ] {
            let disk = standalone();
            fs::write(disk.dir().join("snapshot.1d"), bytes).expect("written");
            let found = disk.recover().expect(name);
            assert_eq!((found.snapshot, last(&found)), (Zxid(base), Zxid(0x1f)), "{name}");
        }
    }

    #[test]
    fn compressed_snapshots() {
        for (file, name) in [
            ("gz-snapshot.1d.gz", "snapshot.1d.gz"),
            ("snappy-snapshot.1d.snappy", "snapshot.1d.snappy"),
            ("snappy-multiblock-snapshot.5.snappy", "snapshot.5.snappy"),
        ] {
            let disk = Disk::new();
            fs::create_dir_all(disk.dir()).expect("made");
            let bytes = fs::read(vectors().join("snapshot").join(file)).expect("a snapshot");
            fs::write(disk.dir().join(name), &bytes).expect("written");
            let found = disk.recover().expect(file);
            assert!(found.tree.len() > 4 && found.snapshot > Zxid::ZERO, "{file}");
            for cut in [9, 17, bytes.len() / 2, bytes.len() - 1] {
                fs::write(disk.dir().join(name), &bytes[..cut]).expect("written");
                assert!(disk.last().expect_err("cut").contains("none of the 1 snapshots"), "{file} cut at {cut}");
            }
        }
    }

    #[test]
    fn files_of_an_ensemble() {
        for (log, snapshot, last_zxid) in [
            ("trunc-after-log.300000001", "trunc-sync-snapshot.300000003", 0x3_0000_0003),
            ("sessions-log.100000001", "sessions-snapshot.10000000f", 0x1_0000_0010),
        ] {
            let disk = Disk::new();
            fs::create_dir_all(disk.dir()).expect("made");
            for (folder, file) in [("txnlog", log), ("snapshot", snapshot)] {
                let name = file.rsplit('-').next().expect("the real name is at the end");
                fs::copy(vectors().join(folder).join(file), disk.dir().join(name)).expect("copied");
            }
            let found = disk.recover().expect(log);
            let epoch = Zxid(last_zxid).epoch();
            assert_eq!((last(&found), found.accepted, found.current), (Zxid(last_zxid), epoch, epoch));
        }
    }
}
