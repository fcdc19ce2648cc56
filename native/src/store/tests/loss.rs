//! Disks that have lost something, and what must not be lost on top of it.

use super::*;
use crate::store::doubt::recover_in_ensemble;
use zebu_core::zab::memory::Memory;

/// What the storage thread says to `record`.
fn after(disk: &Disk, record: Record) -> Vec<Input> {
    let (storage, said) = disk.storage();
    storage.store(vec![(Lsn(1), record)]);
    storage.stop();
    said.try_iter().collect()
}

#[test]
fn a_log_that_is_damaged_below_the_cut_is_not_cut() {
    for (to, hit, gone_on_with) in
        [(3, 0, false), (3, 1, false), (2, 0, false), (3, 2, false), (2, 2, true), (1, 1, true)]
    {
        let (disk, mut file, places) = three();
        file[places[hit] + 12 + 30] ^= 1;
        fs::write(disk.log(z(1)), &file).expect("written");
        let said = after(&disk, Record::Truncate { to: z(to) });
        if gone_on_with {
            assert_eq!(said, [Input::Synced { upto: Lsn(1) }]);
            assert_eq!(disk.last(), Ok(z(to)));
            continue;
        }
        let [Input::StorageFailed { what }] = &said[..] else { panic!("{said:?}") };
        assert!(what.contains(&format!("transaction 1:{to} is not there: damaged at byte {}", places[hit])), "{what}");
        assert!(what.contains("log.100000001"), "{what}");
        assert_eq!(fs::read(disk.log(z(1))).expect("a log"), file, "untouched");
    }
}

#[test]
fn a_cut_behind_what_is_not_there_removes_nothing() {
    let (disk, ..) = three();
    disk.run(records(4..=6));
    fs::remove_file(disk.log(z(1))).expect("removed");
    let said = after(&disk, Record::Truncate { to: z(2) });
    assert!(
        matches!(&said[..], [Input::StorageFailed { what }] if what.contains("no log file begins so early")),
        "{said:?}"
    );
    assert!(disk.log(z(4)).exists(), "checked before anything is removed");
    // With a snapshot of it, no record has to be there.
    let (disk, ..) = three();
    disk.compact(z(3)).expect("made");
    disk.run(records(4..=6));
    fs::remove_file(disk.log(z(1))).expect("purged");
    assert_eq!(after(&disk, Record::Truncate { to: z(3) }), [Input::Synced { upto: Lsn(1) }]);
    assert_eq!(disk.last(), Ok(z(3)));
}

#[test]
fn without_its_log_folder_a_server_is_refused_alone_and_has_forgotten_in_an_ensemble() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let open = || Dirs::open(&data, &log, ServerId(1)).expect("free");
    let metrics = Metrics::new();
    recover(&open(), &metrics, Standing::Alone).expect("fresh");
    crate::store::epochs::write(&data.join("version-2"), "acceptedEpoch", Epoch(1)).expect("written");
    crate::store::epochs::write(&data.join("version-2"), "currentEpoch", Epoch(1)).expect("written");
    fs::remove_dir_all(&log).expect("removed");
    for _ in 0..2 {
        let why = recover(&open(), &metrics, Standing::Alone).expect_err("refused").to_string();
        assert!(why.contains("log/version-2") && why.contains("dataLogDir"), "{why}");
    }
    for _ in 0..2 {
        let found = recover_in_ensemble(&open(), &metrics, &[], true).expect("takes part");
        assert_eq!((found.memory, found.current), (Memory::lost(Zxid::ZERO), Epoch(1)));
        assert!(data.join("version-2/zebu.damage").exists());
    }
}

#[test]
fn a_torn_file_before_a_new_epoch_has_lost_something_where_there_are_others() {
    let next = Zxid::new(Epoch(2), 1);
    let epoch_2 = || {
        let txn = Record::Txn { zxid: next, txn: txn(next, 20) };
        vec![Record::AcceptedEpoch(Epoch(2)), Record::CurrentEpoch(Epoch(2)), txn]
    };
    let (disk, file, places) = three();
    disk.run(epoch_2());
    let in_ensemble = || recover_in_ensemble(&disk.open(), &Metrics::new(), &[], true).expect("takes part");
    assert_eq!((in_ensemble().memory, disk.last()), (Memory::Whole, Ok(next)));
    for length in [places[2] + 20, places[3] - 1, places[1] + 12] {
        fs::write(disk.log(z(1)), &file[..length]).expect("written");
        assert_eq!(in_ensemble().memory, Memory::Damaged { last: next }, "cut at {length}");
        crate::store::doubt::unmark(&disk.dir(), &disk.dir()).expect("unmarked");
        // Alone it can be what Apache's server has left of a crash, and nobody else has more.
        assert_eq!(disk.last(), Ok(next), "cut at {length}");
    }
    // Something was taken off by hand.
    fs::write(disk.log(z(1)), &file).expect("written");
    crate::store::doubt::mark(&disk.dir(), "cut").expect("marked");
    assert_eq!(in_ensemble().memory, Memory::lost(next));
    // What Apache's server leaves inside an epoch: the torn record is in the next file.
    let (disk, file, places) = three();
    fs::write(disk.log(z(1)), &file[..places[2]]).expect("written");
    disk.run(records([3]));
    disk.run(epoch_2());
    fs::write(disk.log(z(1)), &file[..places[2] + 20]).expect("written");
    let found = recover_in_ensemble(&disk.open(), &Metrics::new(), &[], true).expect("all is well");
    assert_eq!((found.memory, last(&found)), (Memory::Whole, next));
}

#[test]
fn members_that_cant_be_written_down_stop_nobody() {
    let (disk, ..) = three();
    let (deliver, said) = channel();
    let nowhere = crate::config_file::MembershipFiles::new(Path::new("/proc/zoo.cfg"), ServerId(1));
    let settings = Settings { membership: Some(nowhere), ..disk.settings() };
    let deliver = Arc::new(move |input| deliver.send(input).expect("the test listens"));
    let storage = Storage::start(settings, deliver).expect("a thread");
    let committed = zebu_core::config::Ensemble::parse("server.1=s1:1:2").expect("a configuration");
    let members = Box::new(zebu_core::config::Membership { committed, proposed: None });
    storage.store(vec![(Lsn(1), Record::Membership(members)), (Lsn(2), records([4]).remove(0))]);
    storage.stop();
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [Input::Synced { upto: Lsn(2) }]);
    assert_eq!(disk.last(), Ok(z(4)));
}

/// A leader's state that ends with transaction `n`.
fn state(n: u32) -> Record {
    let mut tree = Tree::new();
    for n in 1..=n {
        tree.apply(&Txn::decode(txn(z(n), 3)).expect("valid"));
    }
    Record::Install { zxid: tree.applied(), body: tree.write_body() }
}

/// The names in a folder, without marks and epochs.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = files::listing(dir).expect("listed").into_iter().map(|(name, _)| name).collect();
    names.retain(|name| !name.ends_with("Epoch") && !name.starts_with("zebu."));
    names.sort();
    names
}

#[test]
fn what_an_older_state_replaces_is_kept_once() {
    let (disk, ..) = three();
    assert_eq!(after(&disk, state(2)), [Input::Synced { upto: Lsn(1) }]);
    assert_eq!(disk.last(), Ok(z(2)));
    assert_eq!(names(&disk.dir()), ["replaced-by.100000002", "snapshot.100000002"]);
    assert_eq!(names(&disk.dir().join("replaced-by.100000002")), ["log.100000001", "snapshot.0"]);
    // Again: the earlier one goes.
    after(&disk, state(1));
    assert_eq!(names(&disk.dir()), ["replaced-by.100000001", "snapshot.100000001"]);
    assert_eq!(names(&disk.dir().join("replaced-by.100000001")), ["snapshot.100000002"]);
    // What the leader has too need not be kept.
    disk.run(records([2]));
    after(&disk, state(3));
    assert_eq!(names(&disk.dir()), ["replaced-by.100000001", "snapshot.100000003"]);

    // A crash in the middle: the log is in its place already, the snapshot is not.
    let (disk, ..) = three();
    after(&disk, state(2));
    let folder = disk.dir().join("replaced-by.100000002");
    let there = disk.dir().join("snapshot.100000002");
    fs::rename(&there, disk.dir().join("install.100000002")).expect("renamed");
    fs::rename(folder.join("snapshot.0"), disk.dir().join("snapshot.0")).expect("renamed");
    assert_eq!(disk.last(), Ok(z(2)));
    assert_eq!(names(&folder), ["log.100000001", "snapshot.0"]);
}

#[test]
fn a_snapshot_that_was_given_up_is_not_reported_as_one() {
    let (disk, ..) = three();
    let (storage, said) = disk.storage();
    storage.compact(z(3));
    storage.store(vec![(Lsn(1), state(9))]);
    storage.stop();
    let told: Vec<_> = said.try_iter().filter(|input| matches!(input, Input::Compacted { .. })).collect();
    // The first one may have been done before.
    assert_eq!(told.last(), Some(&Input::Compacted { upto: z(9) }), "{told:?}");
    assert_eq!(names(&disk.dir()), ["snapshot.100000009"]);
}
