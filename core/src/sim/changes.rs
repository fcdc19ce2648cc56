//! Changes of members in a sweep: new servers come, servers join, leave and change their role, one at a time or as a
//! whole list.

use crate::collections::BTreeSet;
use crate::config::MemberKind;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::{ClientId, Command};
use crate::sim::spec::Span;
use crate::time::Instant;
use alloc::vec::Vec;

/// Who asks for the changes.
const OPERATOR: ClientId = ClientId(1_000_001);

/// Servers that come besides those of the beginning, at most.
const NEW_SERVERS: usize = 3;

/// The changes of one seed.
pub(crate) struct Changes {
    rng: Rng,
    gap: Span,
    next: Instant,
    servers_max: usize,
}

impl Changes {
    /// Draws the changes of a seed whose world begins with so many servers.
    pub fn draw(seed: u64, servers: usize) -> Changes {
        let mut rng = Rng::new(seed).fork(83);
        let pace = rng.between(1, 6);
        let gap = Span::millis(40 * pace, 600 * pace);
        let next = Instant::ZERO + gap.draw(&mut rng);
        Changes { rng, gap, next, servers_max: servers + NEW_SERVERS }
    }

    /// When the next change is asked for.
    pub fn next_at(&self) -> Instant {
        self.next
    }

    /// Asks for a change. What does not fit the world's state is left out.
    pub fn act(&mut self, world: &mut World) {
        self.next = world.now() + self.gap.draw(&mut self.rng);
        let servers: Vec<ServerId> = world.server_ids().collect();
        if servers.len() < self.servers_max && self.rng.below(3) == 0 {
            let _ = world.command(&Command::NewServer);
            return;
        }
        if world.client_is_over(OPERATOR) {
            let server = self.rng.pick(&servers).copied().unwrap_or(ServerId(1));
            let _ = world.command(&Command::Connect { client: OPERATOR, server });
        }
        if world.open_requests(OPERATOR) < 2 {
            let change = self.change(world, &servers);
            let _ = world.command(&change);
        }
    }

    fn change(&mut self, world: &World, servers: &[ServerId]) -> Command {
        let committed = world.members().committed;
        let inside: Vec<ServerId> = committed.members().map(|(id, _)| id).collect();
        let outside: Vec<ServerId> = servers.iter().copied().filter(|id| !inside.contains(id)).collect();
        let (mut join, mut leave) = (Vec::new(), Vec::new());
        match self.rng.below(8) {
            0 => {
                let members = servers.iter().filter(|_| self.rng.below(3) > 0).copied().collect::<BTreeSet<_>>();
                let members = members.into_iter().map(|id| (id, self.kind())).collect();
                return Command::ReplaceMembers { client: OPERATOR, members };
            }
            1 => leave.extend(world.leader()),
            2 => leave.extend(self.rng.pick(&inside).copied()),
            3 => {
                // It changes its role, or stays what it is.
                let kind = self.kind();
                join.extend(self.rng.pick(&inside).map(|id| (*id, kind)));
            }
            4 => {
                let kind = self.kind();
                join.extend(self.rng.pick(&outside).map(|id| (*id, kind)));
                leave.extend(self.rng.pick(&inside).copied());
            }
            _ => {
                let kind = self.kind();
                join.extend(self.rng.pick(&outside).map(|id| (*id, kind)));
            }
        }
        Command::Reconfig { client: OPERATOR, join, leave }
    }

    fn kind(&mut self) -> MemberKind {
        if self.rng.below(4) == 0 { MemberKind::Observer } else { MemberKind::Participant }
    }
}
