//! Snapshots that a process of its own is to make: one that does, and some that do not.

use super::*;
use crate::store::compactor::Compactor;
use crate::store::fold_process;
use std::os::unix::fs::PermissionsExt as _;

/// A program that is this script.
fn program(disk: &Disk, script: &str) -> PathBuf {
    let path = disk.folder.path().join("program");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
    path
}

/// What came of a snapshot at 1:8 that this program is to make.
fn result(disk: &Disk, program: PathBuf) -> Result<bool, String> {
    let (done, came) = channel();
    let compactor = Compactor::start(disk.job(z(8)), Some(program), move |result| {
        done.send(result.map_err(|e| e.to_string())).expect("the test listens");
    });
    let result = came.recv_timeout(Duration::from_secs(60)).expect("an end");
    compactor.expect("started").cancel();
    result
}

/// Whether there is a snapshot at 1:8, and then that it is right. Nothing else may be left.
fn is_made(disk: &Disk, digest: i64) -> bool {
    let left: Vec<_> = fs::read_dir(disk.dir()).expect("listed").map(|e| e.expect("read").file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    let found = disk.recover().expect("all is well");
    assert_eq!((last(&found), tree_of(&found).digest()), (z(8), digest));
    found.snapshot == z(8)
}

fn eight() -> (Disk, i64) {
    let (disk, ..) = three();
    disk.run(records(4..=8));
    let digest = tree_of(&disk.recover().expect("all is well")).digest();
    (disk, digest)
}

#[test]
fn a_process_makes_the_file_and_the_server_writes_it() {
    let (disk, digest) = eight();
    let mut made = Vec::new();
    fold_process::hand_on(&mut made, &disk.job(z(8))).expect("made");
    assert_eq!(made[..8], 12u64.to_be_bytes(), "the znodes of a new tree and eight more");
    let bytes = disk.folder.path().join("made");
    fs::write(&bytes, &made).expect("written");
    let asked = disk.folder.path().join("asked");
    let script = format!("echo \"$@\" > {}; exec cat {}", asked.display(), bytes.display());
    assert_eq!(result(&disk, program(&disk, &script)), Ok(true));
    let dir = disk.dir().display().to_string();
    let expected = format!("snapshot fold snapshot.100000008 {dir} {dir}\n");
    assert_eq!(fs::read_to_string(asked).expect("read"), expected);
    assert_eq!(fs::read(disk.dir().join("snapshot.100000008")).expect("there"), made[8..]);
    assert!(is_made(&disk, digest));
    made.clear();
    fold_process::hand_on(&mut made, &disk.job(z(8))).expect("made");
    assert!(made.is_empty(), "there is one that is as new");
}

#[test]
fn what_a_process_does_not_do_the_server_does() {
    for (script, by_the_server) in [
        ("exit 1", true),
        ("echo nonsense and more nonsense; exit 1", true),
        ("kill -9 $$", true),
        ("echo few", true),
        ("exit 0", false),
    ] {
        let (disk, digest) = eight();
        assert_eq!(result(&disk, program(&disk, script)), Ok(true), "{script}");
        assert_eq!(is_made(&disk, digest), by_the_server, "{script}");
    }
    let (disk, digest) = eight();
    assert_eq!(result(&disk, "/nowhere/zebu".into()), Ok(true));
    assert!(is_made(&disk, digest));
}

#[test]
fn a_process_that_is_cancelled_ends_at_once() {
    let (disk, digest) = eight();
    let begun = disk.folder.path().join("begun");
    let script = format!("echo > {}; exec sleep 1000", begun.display());
    let (done, came) = channel();
    let program = program(&disk, &script);
    let compactor = Compactor::start(disk.job(z(8)), Some(program), move |result| {
        done.send(result.map_err(|e| e.to_string())).expect("the test listens");
    });
    let compactor = compactor.expect("started");
    while !begun.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    compactor.cancel();
    assert_eq!(came.try_recv(), Ok(Ok(false)), "it has said so before");
    assert!(!is_made(&disk, digest));
}
