//! Snapshots of all three kinds, plain and packed, in one directory.

use super::*;
use crate::store::{install, snapshots::LastSnapshot};

const KINDS: [Compression; 3] = [Compression::Gzip, Compression::Snappy, Compression::None];

/// Transactions 1 to 9 of epoch 1, each in a log of its own, and a snapshot of each, of all kinds by turns. What each
/// state's digest is.
fn mixed() -> (Disk, Vec<i64>) {
    let disk = Disk::new();
    disk.last().expect("fresh");
    disk.run(epochs());
    let mut digests = vec![disk.recover().expect("fresh").tree.digest()];
    for n in 1..=9 {
        disk.run(records([n]));
        digests.push(tree_of(&disk.recover().expect("all is well")).digest());
        let compression = KINDS[n as usize % 3];
        let job = Job { compression, ..disk.job(z(n)) };
        assert!(compact(&job, &AtomicBool::new(false)).expect("made"));
        let name = format!("snapshot.{:x}{}", z(n).0, compression.suffix());
        assert!(disk.dir().join(&name).exists(), "{name}");
    }
    (disk, digests)
}

fn names(disk: &Disk) -> Vec<(u32, Compression)> {
    let found = files::snapshots(&disk.dir()).expect("listed").into_iter();
    found.map(|(zxid, kind, _)| (zxid.counter(), kind)).filter(|(counter, _)| *counter > 0).collect()
}

#[test]
fn a_start_takes_the_newest_that_is_whole_whatever_its_kind() {
    let (disk, digests) = mixed();
    // One of each kind.
    for newest in (7..=9).rev() {
        let found = disk.recover().expect("all is well");
        assert_eq!((found.snapshot, last(&found)), (z(newest), z(9)));
        assert_eq!(found.tree.digest(), digests[newest as usize], "snapshot {newest}");
        assert_eq!(tree_of(&found).digest(), digests[9], "from snapshot {newest}");
        assert!(LastSnapshot::found(&disk.dir(), found.snapshot).get().1 > 0, "operators are told when it was made");
        let (.., kind, path) = files::snapshots(&disk.dir()).expect("listed").pop().expect("one");
        let good = fs::read(&path).expect("read");
        // Whatever is used is the state of its zxid; the zxid of what is used.
        let used = |what: &str| {
            let (zxid, tree) =
                snapshots::newest(&disk.dir(), files::Haste::Alone).expect("readable").expect("older ones are there");
            assert_eq!(tree.digest(), digests[zxid.counter() as usize], "{kind:?}, {what}");
            zxid
        };
        let mut noticed = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).expect("written");
            noticed += usize::from(used(&format!("byte {at}")) < z(newest));
        }
        // Not every byte of a packed one changes what is in it: a gzip stream's time, a copy of another equal part.
        assert!(
            noticed == good.len() || kind != Compression::None && noticed > good.len() * 9 / 10,
            "{kind:?}: {noticed}"
        );
        // A plain one may end behind its znodes, to look at, and behind their seal: it is whole then, but for its digest.
        let ends = if kind == Compression::None { [good.len() - 46, good.len() - 33] } else { [usize::MAX; 2] };
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).expect("written");
            assert_eq!(snapshots::seems_valid(&path, kind), ends.contains(&length), "{kind:?} cut at {length}");
            assert_eq!(used(&format!("cut at {length}")) == z(newest), length == ends[1], "{kind:?} cut at {length}");
        }
        fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn purging_counts_all_kinds_and_torn_ones_of_none() {
    let (disk, digests) = mixed();
    for (counter, kind, path) in files::snapshots(&disk.dir()).expect("listed") {
        assert!(snapshots::seems_valid(&path, kind), "{kind:?}");
        // One of each kind is cut, and begins all the same as such a file does.
        if (4..=6).contains(&counter.counter()) {
            let bytes = fs::read(&path).expect("read");
            fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
        }
    }
    // The same state in another kind is no further state.
    let job = Job { compression: Compression::Snappy, ..disk.job(z(9)) };
    let never = AtomicBool::new(false);
    let folded = fold(&job.snapshot_dir, &job.log_dir, z(9), &never).expect("made").expect("not cancelled");
    let before = names(&disk);
    let given_up = snapshots::write(&disk.dir(), &folded.tree, job.compression, &AtomicBool::new(true));
    assert!(!given_up.expect("no file failed") && names(&disk) == before, "nothing is left of one that is given up");
    assert!(snapshots::write(&disk.dir(), &folded.tree, job.compression, &never).expect("written"));
    purge::purge(&disk.dir(), &disk.dir(), 4).expect("purged");
    let kept: Vec<_> = names(&disk).into_iter().map(|(counter, _)| counter).collect();
    assert_eq!(kept, [3, 4, 5, 6, 7, 8, 9, 9], "3, 7, 8 and 9 are whole");
    let found = disk.recover().expect("enough is left");
    assert_eq!((last(&found), tree_of(&found).digest()), (z(9), digests[9]));
}

#[test]
fn a_state_of_the_leader_is_taken_over_in_every_kind_also_after_a_crash_in_between() {
    let mut tree = Tree::new();
    for n in 1..=4 {
        tree.apply(&Txn::decode(txn(Zxid::new(Epoch(2), n), 3)).expect("valid"));
    }
    let (zxid, body) = (tree.applied(), tree.write_body());
    for kind in KINDS {
        let (disk, _) = mixed();
        disk.run([Record::AcceptedEpoch(Epoch(2))]);
        install::install(&disk.dir(), &disk.dir(), zxid, &body, kind).expect("installed");
        let path = disk.dir().join(format!("snapshot.200000004{}", kind.suffix()));
        let state = fs::read(&path).expect("it has its name");
        let found = disk.recover().expect("installed");
        assert_eq!((found.snapshot, found.tree.digest(), found.entries.len()), (zxid, tree.digest(), 0));
        assert_eq!(names(&disk).len(), 1, "the others are gone");

        let (disk, _) = mixed();
        disk.run([Record::AcceptedEpoch(Epoch(2))]);
        fs::write(disk.dir().join(format!("install.200000004{}", kind.suffix())), &state).expect("written");
        let found = disk.recover().expect("finished");
        assert_eq!((found.snapshot, found.tree.digest(), names(&disk).len()), (zxid, tree.digest(), 1), "{kind:?}");
    }
}
