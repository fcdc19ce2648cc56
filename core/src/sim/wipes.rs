//! Disks that are emptied in a sweep: a server stops, and comes back with nothing of what it had promised and
//! acknowledged.
//!
//! Never so many at once that nobody could tell what is lost: those that remember stay a quorum, and each of the others
//! counts as one that does not until it has everything again. And not before every voter has a history: among servers
//! with empty disks an emptied one is no other than the rest, as at a first start.

use crate::collections::BTreeSet;
use crate::id::{Epoch, ServerId};
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::{Command, DiskDamage};
use crate::sim::spec::Span;
use crate::time::Instant;
use crate::zab::memory::Memory;
use alloc::vec::Vec;

/// The emptied disks of one seed.
pub(crate) struct Wipes {
    rng: Rng,
    gap: Span,
    next: Instant,
    /// Voters whose disk was emptied and does not hold everything again.
    forgetful: BTreeSet<ServerId>,
}

impl Wipes {
    /// Draws those of a seed, if it has any: a quarter of them do.
    pub fn draw(seed: u64) -> Option<Wipes> {
        let mut rng = Rng::new(seed).fork(85);
        if rng.below(4) > 0 {
            return None;
        }
        let pace = rng.between(1, 8);
        let gap = Span::millis(100 * pace, 800 * pace);
        let next = Instant::ZERO + gap.draw(&mut rng);
        Some(Wipes { rng, gap, next, forgetful: BTreeSet::new() })
    }

    /// When something happens next.
    pub fn next_at(&self) -> Instant {
        self.next
    }

    /// Empties a disk, or lets those whose disks are empty come back. What does not fit the world's state is left out.
    pub fn act(&mut self, world: &mut World) {
        self.next = world.now() + self.gap.draw(&mut self.rng);
        self.forgetful.retain(|id| !remembers(world, *id));
        if !self.forgetful.is_empty() && self.rng.below(2) == 0 {
            for server in self.forgetful.clone() {
                let _ = world.command(&Command::Restart { server });
            }
            return;
        }
        let servers: Vec<ServerId> = world.server_ids().collect();
        let Some(server) = self.rng.pick(&servers).copied() else { return };
        if !self.may_go(world, server) {
            return;
        }
        let _ = world.command(&Command::Kill { server });
        if world.command(&Command::Damage { server, what: DiskDamage::Everything }).is_ok() {
            if world.spec().ensemble().is_voter(server) {
                self.forgetful.insert(server);
            }
            if self.rng.below(2) == 0 {
                let _ = world.command(&Command::Restart { server });
            }
        }
    }

    /// Whether those that remember are a quorum without it.
    fn may_go(&self, world: &World, server: ServerId) -> bool {
        let ensemble = world.spec().ensemble();
        let rest: BTreeSet<ServerId> =
            ensemble.voters().filter(|id| *id != server && !self.forgetful.contains(id)).collect();
        ensemble.has_quorum(&rest) && rest.iter().all(|id| has_history(world, *id))
    }
}

fn has_history(world: &World, server: ServerId) -> bool {
    world.index(server).is_some_and(|i| world.processes[i].disk.media.current > Epoch(0))
}

/// Whether its disk holds all that it may have acknowledged. Only a running server knows.
fn remembers(world: &World, server: ServerId) -> bool {
    let running = world.index(server).and_then(|i| world.processes[i].server.as_ref());
    running.is_some_and(|running| running.peer().ground().memory == Memory::Whole) && has_history(world, server)
}
