//! Snapshots that a process of its own is to make: one that does, and some that do not.

use super::*;
use crate::store::compactor::Compactor;
use crate::store::fold_process;
use std::process::Command;
use std::time::Instant;

/// A program that is this script. Another process writes it: of this one a test beside might be just starting one, which
/// would hold the file open for writing, and then it can't be run.
fn program(disk: &Disk, script: &str) -> PathBuf {
    let path = disk.folder.path().join("program");
    let written = Command::new("sh")
        .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\""])
        .args([path.as_os_str(), script.as_ref()])
        .status();
    assert!(written.expect("a shell").success());
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
    let head = [&8u32.to_be_bytes()[..], &12u64.to_be_bytes()].concat();
    assert_eq!(made[..12], head, "the znodes of a new tree and eight more");
    let file = made[16..made.len() - 4].to_vec();
    assert_eq!(
        (made[12..16].to_vec(), &made[made.len() - 4..]),
        ((file.len() as u32).to_be_bytes().to_vec(), &[0; 4][..])
    );
    let bytes = disk.folder.path().join("made");
    fs::write(&bytes, &made).expect("written");
    let asked = disk.folder.path().join("asked");
    let script = format!("echo \"$@\" > {}; exec cat {}", asked.display(), bytes.display());
    assert_eq!(result(&disk, program(&disk, &script)), Ok(true));
    let dir = disk.dir().display().to_string();
    let expected = format!("snapshot fold -- snapshot.100000008 {dir} {dir}\n");
    assert_eq!(fs::read_to_string(asked).expect("read"), expected);
    assert_eq!(fs::read(disk.dir().join("snapshot.100000008")).expect("there"), file);
    assert!(is_made(&disk, digest));
    made.clear();
    fold_process::hand_on(&mut made, &disk.job(z(8))).expect("made");
    assert_eq!(made, [0; 4], "there is one that is as new");
}

#[test]
fn what_a_process_does_not_do_the_server_does() {
    let made = |disk: &Disk| {
        let mut made = Vec::new();
        fold_process::hand_on(&mut made, &disk.job(z(8))).expect("made");
        fs::write(disk.folder.path().join("made"), &made).expect("written");
        made.len()
    };
    for (script, by_the_server) in [
        ("exit 1", true),
        ("exit 0", true),
        ("echo nonsense and more nonsense; exit 1", true),
        ("kill -9 $$", true),
        ("printf '\\0\\0\\0\\0'; exit 1", false),
        ("head -c $(($2 - 1)) $1", true),
        ("head -c $(($2 - 4)) $1", true),
        ("head -c 20 $1; kill -9 $$", true),
        ("head -c 12 $1; printf '\\377\\0\\0\\0'; cat $1", true),
    ] {
        let (disk, digest) = eight();
        let size = made(&disk);
        let script = format!("set -- {} {size}; {script}", disk.folder.path().join("made").display());
        assert_eq!(result(&disk, program(&disk, &script)), Ok(true), "{script}");
        assert_eq!(is_made(&disk, digest), by_the_server, "{script}");
    }
    let (disk, digest) = eight();
    assert_eq!(result(&disk, "/nowhere/zebu".into()), Ok(true));
    assert!(is_made(&disk, digest));
}

#[test]
fn a_process_that_is_cancelled_ends_at_once() {
    // Before it has said anything, and in the middle of the file.
    for beginning in [0, 16 + 100] {
        let (disk, digest) = eight();
        let (begun, made) = (disk.folder.path().join("begun"), disk.folder.path().join("made"));
        let mut bytes = Vec::new();
        fold_process::hand_on(&mut bytes, &disk.job(z(8))).expect("made");
        fs::write(&made, &bytes[..beginning]).expect("written");
        let script = format!("cat {}; echo > {}; exec sleep 1000", made.display(), begun.display());
        let (done, came) = channel();
        let program = program(&disk, &script);
        let compactor = Compactor::start(disk.job(z(8)), Some(program), move |result| {
            done.send(result.map_err(|e| e.to_string())).expect("the test listens");
        });
        let compactor = compactor.expect("started");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !begun.exists() {
            assert!(Instant::now() < deadline, "it does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
        compactor.cancel();
        assert_eq!(came.try_recv(), Ok(Ok(false)), "it has said so before");
        assert!(!is_made(&disk, digest));
    }
}
