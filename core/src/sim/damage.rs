//! Damaged disks: the files that a real server would have, with one byte changed, read by the very code that reads them
//! there. What that code says decides how the simulated server starts.

use crate::disk::snapshot::{Snapshot, SnapshotWriter};
use crate::disk::txn_log::{self, LogEnd, LogScanner};
use crate::id::Zxid;
use crate::sim::World;
use crate::sim::command::DiskDamage;
use crate::sim::disk::Media;
use crate::trace::TraceEvent;
use alloc::format;
use alloc::string::{String, ToString};
use bytes::BytesMut;

impl World {
    /// Looks at what is damaged on a server's disk before it starts: passes over a snapshot that does not verify.
    ///
    /// # Errors
    /// Why the server must not start.
    pub(super) fn look_at_damage(&mut self, index: usize) -> Result<(), String> {
        let process = &mut self.processes[index];
        if process.disk.is_damaged(DiskDamage::NewestSnapshot) {
            let refused = process.disk.media.base();
            let Some(why) = snapshot_fault(&process.disk.media) else {
                return Err("a damaged snapshot was taken for a good one".into());
            };
            if !process.disk.fall_back() {
                return Err(format!("its only snapshot, of {refused}, is damaged: {why}"));
            }
            let (server, used) = (process.id, process.disk.media.base());
            self.record(|| TraceEvent::SnapshotRefused { server, refused, why, used });
        }
        let disk = &self.processes[index].disk;
        if disk.is_damaged(DiskDamage::MiddleOfLog) {
            return Err(log_fault(&disk.media).unwrap_or_else(|| "a damaged log was taken for a good one".into()));
        }
        Ok(())
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

/// What a reader says of the log's file with a byte of a record before the last changed.
fn log_fault(media: &Media) -> Option<String> {
    let mut file = BytesMut::new();
    txn_log::put_header(&mut file);
    let hit = media.entries.len() / 2;
    let mut lost = Zxid::ZERO;
    for (number, (zxid, txn)) in media.entries.iter().enumerate() {
        txn_log::put_record(&mut file, txn);
        if number + 1 == hit {
            lost = *zxid;
            let inside = file.len() - txn.len() / 2 - 1;
            file[inside] ^= 1;
        }
    }
    let mut scanner = LogScanner::new(file.freeze());
    while scanner.next().is_some() {}
    match scanner.end() {
        Some(end @ LogEnd::Damaged { .. }) => Some(format!("its log is damaged at {lost}: {end}")),
        Some(LogEnd::Clean { .. } | LogEnd::Torn { .. }) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServerId;
    use crate::sim::command::{ClientId, Command};
    use crate::sim::{CommandError, WorldSpec};
    use crate::time::Instant;
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

    #[test]
    fn a_server_whose_log_is_damaged_does_not_start() {
        let mut world = written(1000);
        let server = ServerId(1);
        world.command(&Command::Kill { server }).unwrap();
        world.command(&Command::Damage { server, what: DiskDamage::MiddleOfLog }).unwrap();
        world.trace();
        world.command(&Command::Restart { server }).unwrap();
        let told = world.trace();
        let halted = told.iter().find_map(|r| match &r.event {
            TraceEvent::Halted { why, .. } => Some(why.clone()),
            _ => None,
        });
        assert!(halted.as_ref().is_some_and(|why| why.contains("its log is damaged at 1:")), "{told:?}");
        world.run_until(world.now() + Duration::from_secs(3));
        assert_eq!(world.view().servers[0].shown, crate::sim::view::Shown::Down);
        assert_eq!(world.checks().first(), None, "it has broken no rule by staying away");
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
