//! Damaged disks: the files that a real server would have, with one byte changed, read by the very code that reads them
//! there. What that code says decides how the simulated server starts.

use crate::disk::snapshot::{Snapshot, SnapshotWriter};
use crate::disk::survey::{Survey, survey};
use crate::disk::txn_log::{self, LogEnd, LogScanner};
use crate::id::Zxid;
use crate::sim::World;
use crate::sim::command::DiskDamage;
use crate::sim::disk::{Disk, Media};
use crate::trace::TraceEvent;
use crate::zab::memory::Memory;
use alloc::string::{String, ToString};
use bytes::{Bytes, BytesMut};

impl World {
    /// Looks at what is damaged on a server's disk before it starts: passes over a snapshot that does not verify. What
    /// the server remembers, if what is left is not whole.
    ///
    /// # Errors
    /// Damage was not seen.
    pub(super) fn look_at_damage(&mut self, index: usize) -> Result<Option<Memory>, String> {
        let process = &mut self.processes[index];
        let newest = process.disk.media.base();
        let mut unreadable = false;
        if process.disk.is_damaged(DiskDamage::NewestSnapshot) {
            let Some(why) = snapshot_fault(&process.disk.media) else {
                return Err("a damaged snapshot was taken for a good one".into());
            };
            unreadable = !process.disk.fall_back();
            let (server, used) = (process.id, if unreadable { Zxid::ZERO } else { process.disk.media.base() });
            self.record(|| TraceEvent::SnapshotRefused { server, refused: newest, why, used });
        }
        let disk = &mut self.processes[index].disk;
        if !(unreadable || disk.has_rot() || disk.media.doubted) {
            return Ok(None);
        }
        let file = log_file(disk);
        let seen = matches!(LogScanner::new(file.clone()).finish(), LogEnd::Damaged { .. });
        if disk.has_rot() && !seen {
            return Err("a damaged log was taken for a good one".into());
        }
        let first = disk.media.entries.front().map(|(zxid, _)| (*zxid, file));
        let Survey { known, end } = survey(newest, first, Some((disk.media.accepted, disk.media.current)));
        // What was damaged may be gone while what it held is not back yet.
        let still_there = unreadable || seen;
        disk.media.doubted = true;
        Ok(Some(end.filter(|_| still_there).map_or(Memory::lost(known), |last| Memory::Damaged { last })))
    }
}

/// What a reader says of the newest snapshot's file with a byte of it changed.
fn snapshot_fault(media: &Media) -> Option<String> {
    let (_, body) = media.snapshot.as_ref()?;
    let mut file = BytesMut::from(&SnapshotWriter::around(body, None)[..]);
    let middle = file.len() / 2;
    file[middle] ^= 1;
    Snapshot::open(file.freeze()).err().map(|e| e.to_string())
}

/// The log's file, with a byte changed in each record that is damaged.
fn log_file(disk: &Disk) -> Bytes {
    let mut file = BytesMut::new();
    txn_log::put_header(&mut file);
    for (zxid, txn) in &disk.media.entries {
        txn_log::put_record(&mut file, txn);
        if disk.is_rotten(*zxid) {
            let inside = file.len() - txn.len() / 2 - 1;
            file[inside] ^= 1;
        }
    }
    file.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServerId;
    use crate::note::Note;
    use crate::sim::command::{ClientId, Command};
    use crate::sim::{CommandError, WorldSpec};
    use crate::time::Instant;
    use alloc::format;
    use alloc::vec::Vec;
    use core::time::Duration;

    /// Three servers that have written eleven transactions.
    fn written(snap_count: u32) -> World {
        let mut world =
            World::new(WorldSpec { servers: 3, seed: 5, snap_count, session_ms: 60_000, ..WorldSpec::default() });
        world.run_until(Instant::ZERO + Duration::from_secs(3));
        let client = ClientId(0);
        world.command(&Command::Connect { client, server: ServerId(1) }).unwrap();
        for n in 0..10 {
            world.run_until(world.now() + Duration::from_millis(300));
            world.command(&Command::Ask { client, line: format!("create /n{n}"), via: None }).unwrap();
        }
        world.run_until(world.now() + Duration::from_secs(1));
        world
    }

    #[test]
    fn an_older_snapshot_is_taken_and_the_state_is_the_same() {
        let mut world = written(4);
        let server = ServerId(1);
        let before = world.view().servers[0].clone();
        assert!(before.snapshot > Zxid::ZERO);
        let damage = Command::Damage { server, what: DiskDamage::NewestSnapshot };
        assert_eq!(world.command(&damage), Err(CommandError::Running(server)));
        world.command(&Command::Kill { server }).unwrap();
        world.command(&damage).unwrap();
        world.trace();
        world.command(&Command::Restart { server }).unwrap();
        let told = world.trace();
        let refused = told.iter().any(|r| {
            matches!(&r.event, TraceEvent::SnapshotRefused { refused, used, .. }
            if *refused == before.snapshot && *used < before.snapshot)
        });
        assert!(refused, "{told:?}");
        world.run_until(world.now() + Duration::from_secs(3));
        let after = &world.view().servers[0];
        assert_eq!((after.committed, after.tree_digest), (before.committed, before.tree_digest));
        assert_eq!(world.checks().first(), None);
    }

    /// What server 1 says of its memory at its start, and when it has everything again.
    fn told(world: &mut World) -> Vec<String> {
        let about = |record: &crate::trace::TraceRecord| match &record.event {
            TraceEvent::Note { server: ServerId(1), what: note @ (Note::Doubts { .. } | Note::Restored { .. }) } => {
                Some(note.to_string())
            }
            _ => None,
        };
        world.trace().iter().filter_map(about).collect()
    }

    #[test]
    fn a_server_whose_disk_is_damaged_gets_everything_from_a_leader_and_votes_again() {
        for (what, says) in [
            (DiskDamage::MiddleOfLog, Some("had a history up to 1:11, but can't read all of it")),
            (DiskDamage::NewestSnapshot, Some("had a history up to 1:11, but can't read all of it")),
            // Nothing is left to tell of a loss. It hears of it from the others.
            (DiskDamage::Everything, None),
        ] {
            let mut world = written(if what == DiskDamage::NewestSnapshot { 4 } else { 1000 });
            let server = ServerId(1);
            let before = world.view().servers[0].clone();
            world.command(&Command::Kill { server }).unwrap();
            if what == DiskDamage::NewestSnapshot {
                // The log before the only snapshot that is left is gone.
                world.processes[0].disk.forget_older();
            }
            world.command(&Command::Damage { server, what }).unwrap();
            world.trace();
            world.command(&Command::Restart { server }).unwrap();
            world.run_until(world.now() + Duration::from_secs(3));
            let said = told(&mut world);
            match says {
                None => assert_eq!(said, Vec::<String>::new()),
                Some(says) => {
                    assert!(said[0].contains(says) && said[1].contains("has everything again"), "{what:?}: {said:?}");
                }
            }
            let after = world.view().servers[0].clone();
            assert_eq!((after.committed, after.tree_digest), (before.committed, before.tree_digest), "{what:?}");
            // It counts again: with the leader of now gone, it and the third one go on.
            let leader = world.leader().unwrap();
            world.command(&Command::Kill { server: leader }).unwrap();
            world.run_until(world.now() + Duration::from_secs(5));
            assert!(world.leader().is_some_and(|next| next != leader), "{what:?}");
            assert_eq!(world.view().servers[0].tree_digest, before.tree_digest);
            // And its disk is whole.
            world.command(&Command::Kill { server }).unwrap();
            world.trace();
            world.command(&Command::Restart { server }).unwrap();
            assert_eq!(told(&mut world), Vec::<String>::new());
            world.run_until(world.now() + Duration::from_secs(5));
            assert_eq!(world.checks().first(), None, "{what:?}");
        }
    }

    #[test]
    fn a_disk_that_has_lost_everything_is_no_vote_for_forgetting() {
        // What is acknowledged is on 1 and 2; 3 was down. Then 2 is stopped and 1 comes back with an empty disk: 1 and 3
        // together must not lead, for they have nothing of it.
        let mut world = World::new(WorldSpec { servers: 3, seed: 7, session_ms: 60_000, ..WorldSpec::default() });
        world.run_until(Instant::ZERO + Duration::from_secs(3));
        world.command(&Command::Kill { server: ServerId(3) }).unwrap();
        world.run_until(world.now() + Duration::from_secs(3));
        let client = ClientId(0);
        world.command(&Command::Connect { client, server: ServerId(1) }).unwrap();
        world.run_until(world.now() + Duration::from_millis(500));
        world.command(&Command::Ask { client, line: "create /kept 1".into(), via: None }).unwrap();
        world.run_until(world.now() + Duration::from_secs(1));
        let kept = world.view().servers[1].tree_digest;
        for server in [1, 2] {
            world.command(&Command::Kill { server: ServerId(server) }).unwrap();
        }
        world.command(&Command::Damage { server: ServerId(1), what: DiskDamage::Everything }).unwrap();
        for server in [1, 3] {
            world.command(&Command::Restart { server: ServerId(server) }).unwrap();
        }
        world.run_until(world.now() + Duration::from_secs(20));
        assert_eq!(world.leader(), None);
        world.command(&Command::Restart { server: ServerId(2) }).unwrap();
        world.run_until(world.now() + Duration::from_secs(10));
        for server in world.view().servers {
            assert_eq!(server.tree_digest, kept, "server {}", server.id);
        }
        assert_eq!(world.checks().first(), None);
    }

    #[test]
    fn what_is_not_there_cannot_be_damaged() {
        let mut world = World::new(WorldSpec { servers: 3, ..WorldSpec::default() });
        world.run_until(Instant::ZERO + Duration::from_secs(3));
        let server = ServerId(2);
        world.command(&Command::Kill { server }).unwrap();
        for what in [DiskDamage::NewestSnapshot, DiskDamage::MiddleOfLog] {
            assert_eq!(world.command(&Command::Damage { server, what }), Err(CommandError::NothingToDamage(server)));
        }
    }
}
