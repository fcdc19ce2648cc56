//! Every way in which the records of a small ensemble's logs can be damaged: three servers with the same four
//! transactions, each record of each log whole or with a byte changed, 4096 combinations.
//!
//! What has to come of each follows from what a server still remembers ([`crate::zab::memory`]): somebody has to have
//! everything, and a majority has to know at least how far its history went. Then all servers end with the same
//! transactions. Otherwise nobody leads, and nobody serves anything, and each says why.
//!
//! | whole copies of the entry that has the fewest | combinations | healed | no log is whole | fewer than two know their end | wrong |
//! |---|---:|---:|---:|---:|---:|
//! | none | 1695 | 0 | 1695 | 0 | 0 |
//! | one | 2145 | 477 | 1620 | 48 | 0 |
//! | two | 255 | 195 | 60 | 0 | 0 |
//! | all three | 1 | 1 | 0 | 0 | 0 |
//! | together | 4096 | 673 | 3375 | 48 | 0 |

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

/// What came of a combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// All have everything again.
    Healed,
    /// Refused: there is no server whose log is whole.
    NobodyWhole,
    /// Refused: there is one, but fewer than two know how far their history went.
    TooFewKnow,
}

/// How many servers still have the entry that the fewest have.
fn fewest_copies(mask: u32) -> usize {
    let copies = |entry: u32| (0..3).filter(|server| mask >> (4 * server + entry) & 1 == 0).count();
    (0..4).map(copies).min().unwrap_or(0)
}

/// Damages the records of `mask` (four bits a server) and starts everybody.
fn try_one(before: &World, digest: i64, mask: u32) -> Came {
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
    let came = match (whole, counted) {
        (false, _) => Came::NobodyWhole,
        (true, 0 | 1) => Came::TooFewKnow,
        (true, _) => Came::Healed,
    };
    let owed = came == Came::Healed;
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
        return came;
    }
    assert_eq!((serving, memory(&world)), (3, [Some(Memory::Whole); 3].into()), "{mask:012b}: {start:?}");
    for process in &world.processes {
        let tree = process.server.as_ref().map(|s| s.side().0.tree.digest());
        assert_eq!(tree, Some(digest), "{mask:012b}: server {}", process.id);
    }
    came
}

#[test]
fn the_corruption_matrix() {
    let (world, digest) = written();
    // By the fewest copies: how many were healed, and refused for the one and for the other reason.
    let table: [[u32; 3]; 4] = std::thread::scope(|scope| {
        let (world, digest) = (&world, digest);
        let share = |odd: u32| {
            move || {
                let mut table = [[0; 3]; 4];
                for mask in (odd..4096).step_by(2) {
                    table[fewest_copies(mask)][try_one(world, digest, mask) as usize] += 1;
                }
                table
            }
        };
        let halves = [scope.spawn(share(0)), scope.spawn(share(1))];
        let [one, other] = halves.map(|half| half.join().expect("no combination goes wrong"));
        core::array::from_fn(|copies| core::array::from_fn(|came| one[copies][came] + other[copies][came]))
    });
    std::println!("copies of the rarest entry, healed, no log whole, too few know their end (none is wrong):");
    for (copies, [healed, nobody_whole, too_few]) in table.iter().enumerate() {
        std::println!("{copies:6} {healed:6} {nobody_whole:6} {too_few:6}");
    }
    assert_eq!(table, [[0, 1695, 0], [477, 1620, 48], [195, 60, 0], [1, 0, 0]]);
    // Of a server's 16 logs one is whole, and of 4 the last two records are gone, so that it does not know its end: 11
    // are left. One whole log and at most one server of three without its end: (12³ - 11³) + 3·4·(12² - 11²).
    assert_eq!(table.iter().map(|row| row[0]).sum::<u32>(), 673);
}
