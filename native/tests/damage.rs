//! Disks that fail under a server that runs, and disks that have lost something when it starts.

mod common;

use common::{Ensemble, Server};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// The log files of a server, ascending.
fn logs(server: &Server) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(server.dir.join("version-2"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")))
        .collect();
    found.sort();
    found
}

/// Writes `count` znodes through a server; the paths that were acknowledged.
fn write(server: &Server, name: &str, count: usize) -> Vec<String> {
    let mut client = server.client();
    let paths = (0..count).map(|n| format!("/{name}{n}"));
    paths
        .inspect(|path| assert!(matches!(client.create(path, path), Some(Ok(_))), "{path}: {}", server.log()))
        .collect()
}

/// Load through one server until another one ends: what is acknowledged must be kept, whatever becomes of that one.
fn write_until_it_ends(ensemble: &mut Ensemble, (ends, through): (usize, usize), name: &str, kept: &mut Vec<String>) {
    let mut client = ensemble.servers[through].client();
    let mut n = 0;
    while ensemble.servers[ends].is_running() {
        let path = format!("/{name}{n}");
        n += 1;
        match client.create(&path, &path) {
            Some(Ok(_)) => kept.push(path),
            Some(Err(_)) => {}
            None => match common::Client::connect(ensemble.servers[through].client_port, None) {
                Some(next) => client = next,
                None => sleep(Duration::from_millis(50)),
            },
        }
    }
}

fn all_have(ensemble: &Ensemble, paths: &[String]) {
    for server in &ensemble.servers {
        let mut client = server.client();
        for path in paths {
            assert_eq!(client.read(path).as_ref(), Some(path), "at server {}", server.id);
        }
    }
}

/// Changes a byte of the entry of the log's record `number` (0 is the first) in the first file.
fn flip(server: &Server, number: usize) {
    let path = logs(server).into_iter().next().expect("a log");
    let mut bytes = fs::read(&path).expect("read");
    let mut at = 16;
    for _ in 0..number {
        let length = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().expect("four"));
        at += 13 + length as usize;
    }
    bytes[at + 12 + 30] ^= 1;
    fs::write(&path, bytes).expect("written");
}

fn is_marked(server: &Server) -> bool {
    server.dir.join("version-2/zebu.damage").exists()
}

#[test]
fn a_damaged_log_is_named_and_healed_by_the_others() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let mut kept = write(&ensemble.servers[0], "a", 20);
    let hurt = (ensemble.leader() + 1) % 3;
    ensemble.servers[hurt].kill();
    kept.extend(write(&ensemble.servers[ensemble.leader()], "b", 5));
    flip(&ensemble.servers[hurt], 4);
    ensemble.servers[hurt].start();
    ensemble.all_serve();
    let server = &ensemble.servers[hurt];
    let log = server.log();
    assert!(log.contains("log.100000001: damaged at byte") && log.contains("but the whole transaction"), "{log}");
    assert!(log.contains("can't read all of it") && log.contains("has everything again, and votes"), "{log}");
    assert!(server.dir.join("version-2/damaged.log.100000001").exists() && !is_marked(server));
    // It votes again: without the others' leader it makes a quorum with the third.
    let leader = ensemble.leader();
    ensemble.servers[leader].kill();
    kept.extend(write(&ensemble.servers[hurt], "c", 5));
    ensemble.servers[leader].start();
    ensemble.all_serve();
    all_have(&ensemble, &kept);
}

#[test]
fn two_damaged_logs_of_three_are_healed_by_the_third_and_three_lead_nobody() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let kept = write(&ensemble.servers[0], "a", 10);
    all_have(&ensemble, &kept);
    ensemble.servers.iter_mut().for_each(Server::kill);
    let whole: Vec<_> = ensemble.servers.iter().map(|s| logs(s).into_iter().next().expect("a log")).collect();
    let third = (whole[2].clone(), fs::read(&whole[2]).expect("read"));
    for (at, server) in ensemble.servers.iter().enumerate() {
        flip(server, 2 + at);
    }
    ensemble.servers.iter_mut().for_each(Server::start);
    sleep(Duration::from_secs(4));
    for server in &mut ensemble.servers {
        assert!(server.is_running() && server.mode().is_none(), "nobody leads: {}", server.log());
        assert!(server.log().contains("can't read all of it") && is_marked(server), "{}", server.log());
    }
    // One of them is given back what it had.
    ensemble.servers[2].kill();
    fs::write(&third.0, &third.1).expect("written");
    fs::remove_file(ensemble.servers[2].dir.join("version-2/zebu.damage")).expect("removed");
    ensemble.servers[2].start();
    ensemble.all_serve();
    all_have(&ensemble, &kept);
    assert!(ensemble.servers.iter().all(|server| !is_marked(server)));
}

#[test]
fn a_server_that_has_lost_its_disk_does_not_vote_before_it_has_everything() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    ensemble.servers[2].kill();
    let kept = write(&ensemble.servers[0], "a", 5);
    ensemble.servers[0].kill();
    ensemble.servers[1].kill();
    // What is acknowledged is on 1 and 2. 1 loses its disk; 3 never had it.
    fs::remove_dir_all(ensemble.servers[0].dir.join("version-2")).expect("removed");
    ensemble.servers[0].start();
    ensemble.servers[2].start();
    sleep(Duration::from_secs(4));
    for at in [0, 2] {
        assert_eq!(ensemble.servers[at].mode(), None, "{}", ensemble.servers[at].log());
    }
    ensemble.servers[1].start();
    ensemble.all_serve();
    all_have(&ensemble, &kept);

    // An operator who takes no first start on trust says so, and which server is meant to be empty.
    let mut strict = Ensemble::new(3, "db.autocreate=false\n");
    for server in &strict.servers[..2] {
        fs::write(server.dir.join("initialize"), "").expect("written");
    }
    strict.start();
    assert!(strict.servers.iter().all(|server| !server.dir.join("initialize").exists()));
    assert!(strict.servers[2].log().contains("there is no file initialize"), "{}", strict.servers[2].log());
    all_have(&strict, &write(&strict.servers[2], "a", 3));
}

#[test]
fn a_server_whose_log_folder_is_not_mounted_does_not_vote_before_it_has_everything() {
    let mut ensemble = Ensemble::new(3, "");
    for server in &ensemble.servers {
        let cfg = server.dir.join("zoo.cfg");
        let lines = fs::read_to_string(&cfg).expect("read");
        fs::write(cfg, format!("{lines}dataLogDir={}/log-disk\n", server.dir.display())).expect("written");
    }
    ensemble.start();
    ensemble.servers[2].kill();
    let kept = write(&ensemble.servers[0], "a", 5);
    ensemble.servers[0].kill();
    ensemble.servers[1].kill();
    // What is acknowledged is on 1 and 2. 2's snapshots are there, its log is not; 3 never had it.
    let disk = ensemble.servers[1].dir.join("log-disk");
    let away = ensemble.servers[1].dir.join("not-mounted");
    fs::rename(&disk, &away).expect("unmounted");
    ensemble.servers[1].start();
    ensemble.servers[2].start();
    sleep(Duration::from_secs(4));
    for at in [1, 2] {
        assert_eq!(ensemble.servers[at].mode(), None, "{}", ensemble.servers[at].log());
    }
    let log = ensemble.servers[1].log();
    assert!(log.contains("log-disk/version-2: this folder for logs is empty") && log.contains("mounted"), "{log}");
    assert!(is_marked(&ensemble.servers[1]), "{log}");
    ensemble.servers[0].start();
    ensemble.all_serve();
    all_have(&ensemble, &kept);
    assert!(!is_marked(&ensemble.servers[1]));
    // The old disk comes back, without what was written since.
    let since = write(&ensemble.servers[0], "b", 5);
    all_have(&ensemble, &since);
    ensemble.servers[1].kill();
    fs::remove_dir_all(&disk).and_then(|()| fs::rename(&away, &disk)).expect("mounted");
    ensemble.servers[1].start();
    ensemble.all_serve();
    assert!(ensemble.servers[1].log().contains("not the folder for logs that"), "{}", ensemble.servers[1].log());
    all_have(&ensemble, &kept);
    all_have(&ensemble, &since);
}

#[test]
fn what_a_start_relies_on_is_synced_before_it_is_read() {
    let mut ensemble = Ensemble::new(1, "");
    ensemble.start();
    let kept = write(&ensemble.servers[0], "a", 3);
    ensemble.servers[0].kill();
    let log = logs(&ensemble.servers[0]).pop().expect("a log");
    let calls = ensemble.servers[0].dir.join("calls");
    let tracer = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", "trace=fsync,fadvise64,read", "-o"])
        .arg(&calls)
        .args([env!("CARGO_BIN_EXE_zebu"), "serve"])
        .arg(ensemble.servers[0].dir.join("zoo.cfg"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(tracer) = tracer else {
        eprintln!("not tested: there is no strace");
        return;
    };
    let mut tracer = Failing(tracer);
    common::wait_for("the server to serve, or not to be traced", || {
        ensemble.servers[0].mode().or_else(|| tracer.0.try_wait().expect("a child of ours").map(|_| String::new()))
    });
    if ensemble.servers[0].mode().is_none() {
        eprintln!("not tested: processes can't be traced here");
        return;
    }
    let mut client = ensemble.servers[0].client();
    assert_eq!(client.read(&kept[0]).as_ref(), Some(&kept[0]));
    let calls = fs::read_to_string(calls).expect("what it has called");
    let folder = log.parent().expect("version-2").display().to_string();
    let first = |call: &str, path: &str| {
        let of = |line: &&str| line.contains(call) && line.contains(&format!("<{path}>"));
        let found = calls.lines().enumerate().find(|(_, line)| of(line)).map(|(at, _)| at);
        found.unwrap_or_else(|| panic!("no {call} of {path}:\n{calls}"))
    };
    let log = log.display().to_string();
    let snapshot = format!("{folder}/snapshot.0");
    let read = first("read(", &log);
    assert!(first("fsync(", &log) < first("fadvise64(", &log) && first("fadvise64(", &log) < read, "{calls}");
    assert!(first("fsync(", &snapshot) < first("read(", &snapshot), "{calls}");
    assert!(first("fsync(", &folder) < first("read(", &snapshot).min(read), "{calls}");
    // The tracer's end is not the server's.
    let server = calls.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a pid");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), nix::sys::signal::Signal::SIGKILL).expect("killed");
}

/// Lets system calls of a process fail, as long as this lives.
struct Failing(Child);

impl Failing {
    /// `what` as in `fdatasync:error=EIO`. `None`, said aloud, where processes can't be traced.
    fn inject(pid: u32, what: &str) -> Option<Failing> {
        let call = what.split(':').next().expect("a call");
        let tracer = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-p", &pid.to_string(), "-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={what}")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut tracer) = tracer else {
            eprintln!("not tested: there is no strace");
            return None;
        };
        let traced = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        for _ in 0..200 {
            if tracer.try_wait().expect("a child of ours").is_some() {
                eprintln!("not tested: processes can't be traced here");
                return None;
            }
            if traced().lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")) {
                return Some(Failing(tracer));
            }
            sleep(Duration::from_millis(10));
        }
        panic!("strace neither begins nor ends");
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_leader_whose_disk_fails_stops_at_once_and_says_why() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let mut kept = Vec::new();
    for (number, (what, says, advice)) in [
        ("fdatasync:error=EIO", "can't sync", "go on from what is durable"),
        ("pwrite64:error=ENOSPC", "can't write", "free some space"),
        ("pwrite64:error=EIO", "can't write", "go on from what is durable"),
        // The log grows by another step.
        ("fallocate:error=ENOSPC", "can't enlarge", "free some space"),
    ]
    .into_iter()
    .enumerate()
    {
        kept.extend(write(&ensemble.servers[0], &format!("before{number}-"), 5));
        let at = ensemble.leader();
        let through = (at + 1) % 3;
        let Some(failing) = Failing::inject(ensemble.servers[at].pid(), what) else { return };
        write_until_it_ends(&mut ensemble, (at, through), &format!("during{number}-"), &mut kept);
        let status = ensemble.servers[at].wait();
        drop(failing);
        let log = ensemble.servers[at].log();
        let last = log.lines().last().unwrap_or_default();
        assert_eq!(status.code(), Some(3), "{what}: {log}");
        assert!(last.contains(says) && last.contains("version-2/log.") && last.contains(advice), "{what}: {log}");
        // The others go on without it.
        kept.extend(write(&ensemble.servers[through], &format!("without{number}-"), 5));
        ensemble.servers[at].start();
        ensemble.all_serve();
    }
    all_have(&ensemble, &kept);
    for server in &ensemble.servers {
        assert!(!server.log().contains("panicked"), "{}", server.log());
    }
}

/// Whether system calls can be made to fail here; says aloud if not.
fn can_trace() -> bool {
    let can = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let can = can.is_ok_and(|status| status.success());
    if !can {
        eprintln!("not tested: there is no strace, or processes can't be traced here");
    }
    can
}

/// Waits for the end of a server that its disk has failed: exit code 3, and all of `parts` in the last line it says.
fn ends_with(server: &mut Server, parts: &[&str]) {
    let status = server.wait();
    let log = server.log();
    let last = log.lines().last().unwrap_or_default();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(parts.iter().all(|part| last.contains(part)), "{parts:?} is not all in: {last}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn what_can_not_be_read_keeps_a_server_from_starting_and_it_says_what() {
    if !can_trace() {
        return;
    }
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let mut kept = write(&ensemble.servers[0], "a", 10);
    for (at, name) in ["log.100000001", "snapshot.0", "acceptedEpoch"].into_iter().enumerate() {
        ensemble.servers[at].kill();
        let path = ensemble.servers[at].dir.join("version-2").join(name);
        let path = path.to_str().expect("text").to_owned();
        let before = fs::read(&path).expect("it is there");
        let server = &mut ensemble.servers[at];
        server.start_by(&[
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-P",
            &path,
            "-e",
            "trace=read",
            "-e",
            "inject=read:error=EIO",
        ]);
        ends_with(server, &["can't read", &path, "Input/output error", "look after the disk"]);
        assert_eq!(fs::read(&path).expect("it is there"), before, "nothing is repaired that can't be read");
        assert!(!is_marked(server), "and nothing is taken for damage");
        // The other two go on, and it is back as soon as it can read.
        kept.extend(write(&ensemble.servers[(at + 1) % 3], &format!("without{at}-"), 5));
        ensemble.servers[at].start();
        ensemble.all_serve();
    }
    all_have(&ensemble, &kept);
}

#[test]
fn a_leader_that_can_not_read_its_log_for_a_snapshot_stops_and_says_why() {
    let mut ensemble = Ensemble::new(3, "snapCount=20\n");
    ensemble.start();
    let mut kept = write(&ensemble.servers[0], "a", 5);
    let at = ensemble.leader();
    let through = (at + 1) % 3;
    let Some(failing) = Failing::inject(ensemble.servers[at].pid(), "read:error=EIO") else { return };
    write_until_it_ends(&mut ensemble, (at, through), "during-", &mut kept);
    ends_with(&mut ensemble.servers[at], &["no snapshot at", "can't read", "version-2/", "go on from what is durable"]);
    drop(failing);
    kept.extend(write(&ensemble.servers[through], "without-", 5));
    ensemble.servers[at].start();
    ensemble.all_serve();
    all_have(&ensemble, &kept);
}

/// A small file system, gone when this is dropped.
struct Small(PathBuf);

impl Small {
    /// `None`, said aloud, where nothing can be mounted.
    fn mount(at: PathBuf, size: &str) -> Option<Small> {
        fs::create_dir_all(&at).expect("made");
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "zebu-test"]).arg(&at).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            eprintln!("not tested: file systems can't be mounted here");
            return None;
        }
        Some(Small(at))
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).status().expect("mount runs");
        assert!(done.success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_record_loses_nothing() {
    // Without preallocation a record is written as far as there is room.
    let mut ensemble = Ensemble::new(3, "preAllocSize=0\n");
    let hurt = 2;
    let Some(small) = Small::mount(ensemble.servers[hurt].dir.join("version-2"), "400k") else { return };
    ensemble.start();
    let through = &ensemble.servers[0];
    let mut client = through.client();
    let data = "x".repeat(7001);
    let mut kept = Vec::new();
    for n in 0.. {
        if !ensemble.servers[hurt].is_running() {
            break;
        }
        assert!(n < 1000, "400 KiB are never full");
        let path = format!("/n{n}");
        match client.create(&path, &data) {
            Some(Ok(_)) => kept.push(path),
            Some(Err(_)) => {}
            None => client = ensemble.servers[0].client(),
        }
    }
    ends_with(&mut ensemble.servers[hurt], &["can't write", "version-2/log.1", "free some space"]);
    // Only part of the last record is there.
    let file = logs(&ensemble.servers[hurt]).pop().expect("a log");
    let mut scanner = zebu_core::disk::txn_log::LogScanner::new(fs::read(file).expect("read").into());
    let whole = scanner.by_ref().count();
    let end = scanner.end().expect("it ends");
    assert!(whole > 10 && matches!(end, zebu_core::disk::txn_log::LogEnd::Torn { .. }), "{whole} and then {end}");
    kept.extend(write(&ensemble.servers[0], "without-", 5));
    // Space is back; by the log that was torn, and by what the others have.
    small.grow("8m");
    ensemble.servers[hurt].start();
    ensemble.all_serve();
    assert!(ensemble.servers[hurt].log().contains("cuts that off, it was never acknowledged"));
    for server in &ensemble.servers {
        let mut client = server.client();
        for path in &kept {
            assert!(client.read(path).is_some(), "{path} at server {}", server.id);
        }
    }
    ensemble.servers.iter_mut().for_each(Server::kill);
}
