//! Every way in which the records of a small ensemble's logs can be damaged: three servers with the same four
//! transactions, each record of each log whole or with a byte changed, 4096 combinations.
//!
//! What has to come of each follows from what a server still remembers ([`crate::zab::memory`]): somebody has to have
//! everything, and a majority has to know at least how far its history went. Then all servers end with the same
//! transactions. Otherwise nobody leads, and nobody serves anything.

use crate::id::ServerId;
use crate::sim::command::{ClientId, Command};
use crate::sim::{World, WorldSpec};
use crate::time::Instant;
use crate::zab::memory::Memory;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

/// Three stopped servers with the same four transactions.
fn written() -> (World, i64) {
    let spec = WorldSpec {
        servers: 3,
        seed: 11,
        session_ms: 60_000,
        trace: false,
        tick_ms: 100,
        max_notification_ms: 400,
        ..WorldSpec::default()
    };
    let mut world = World::new(spec);
    world.run_until(Instant::ZERO + Duration::from_secs(2));
    let client = ClientId(0);
    world.command(&Command::Connect { client, server: ServerId(1) }).unwrap();
    for n in 0..3 {
        world.run_until(world.now() + Duration::from_millis(300));
        world.command(&Command::Ask { client, line: format!("create /n{n}"), via: None }).unwrap();
    }
    world.run_until(world.now() + Duration::from_secs(1));
    let digest = world.view().servers[0].tree_digest;
    world.command(&Command::KillClient { client }).unwrap();
    for server in 1..=3 {
        world.command(&Command::Kill { server: ServerId(server) }).unwrap();
    }
    assert!(world.processes.iter().all(|p| p.disk.media.entries.len() == 4));
    (world, digest)
}

/// Damages the records of `mask` (four bits a server) and starts everybody. Whether all have everything again.
fn try_one(before: &World, digest: i64, mask: u32) -> bool {
    let mut world = before.clone();
    for (number, process) in world.processes.iter_mut().enumerate() {
        let zxids: Vec<_> = process.disk.media.entries.iter().map(|(zxid, _)| *zxid).collect();
        for (_, zxid) in zxids.iter().enumerate().filter(|(n, _)| mask >> (4 * number + n) & 1 == 1) {
            process.disk.rot(*zxid);
        }
    }
    for server in 1..=3 {
        world.command(&Command::Restart { server: ServerId(server) }).unwrap();
    }
    let memory = |world: &World| -> Vec<_> {
        world.processes.iter().map(|p| p.server.as_ref().map(|s| s.peer().ground().memory)).collect()
    };
    let start = memory(&world);
    let whole = start.contains(&Some(Memory::Whole));
    let counted = start.iter().flatten().filter(|m| !m.is_lost()).count();
    let owed = whole && counted >= 2;
    world.run_until(world.now() + Duration::from_secs(if owed { 2 } else { 1 }));
    assert_eq!(world.checks().first(), None, "{mask:012b}");
    let serves = |p: &crate::sim::process::Process| p.server.as_ref().is_some_and(|s| s.service().serving().is_some());
    let serving = world.processes.iter().filter(|p| serves(p)).count();
    if !owed {
        // Refused, and each server whose disk is damaged says so of itself.
        assert_eq!(serving, 0, "{mask:012b}");
        for (number, memory) in memory(&world).into_iter().enumerate() {
            let damaged = mask >> (4 * number) & 0b1111 != 0;
            assert_eq!(memory.is_some_and(Memory::is_incomplete), damaged, "{mask:012b}: server {}", number + 1);
        }
        return false;
    }
    assert_eq!((serving, memory(&world)), (3, [Some(Memory::Whole); 3].into()), "{mask:012b}: {start:?}");
    for process in &world.processes {
        let tree = process.server.as_ref().map(|s| s.side().0.tree.digest());
        assert_eq!(tree, Some(digest), "{mask:012b}: server {}", process.id);
    }
    true
}

#[test]
fn the_corruption_matrix() {
    let (world, digest) = written();
    let recovered: u32 = std::thread::scope(|scope| {
        let (world, digest) = (&world, digest);
        let share = |odd: u32| move || (odd..4096).step_by(2).filter(|m| try_one(world, digest, *m)).count();
        let halves = [scope.spawn(share(0)), scope.spawn(share(1))];
        halves.into_iter().map(|half| half.join().expect("no combination goes wrong") as u32).sum()
    });
    std::println!("4096 combinations: {recovered} recovered, {} refused with the reason, 0 wrong", 4096 - recovered);
    // Of a server's 16 logs one is whole, and of 4 the last two records are gone, so that it does not know its end: 11
    // are left. One whole log and at most one server of three without its end: (12³ - 11³) + 3·4·(12² - 11²).
    assert_eq!(recovered, 673);
}
