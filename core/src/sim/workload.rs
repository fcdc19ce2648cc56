//! Seeded clients: what they ask, how often, and when they go.

use crate::collections::BTreeMap;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::{ClientId, Command};
use crate::sim::spec::Span;
use crate::time::Instant;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Requests that a client may have open at once.
const OPEN_MAX: usize = 6;

/// The clients of one seed.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: Rng,
    clients: BTreeMap<ClientId, Instant>,
    wanted: usize,
    next_client: u32,
    gap: Span,
    writes: u64,
    leaves: bool,
    moves: bool,
    counter: u32,
}

impl Workload {
    /// Draws the clients of a seed.
    pub fn draw(seed: u64) -> Workload {
        let mut rng = Rng::new(seed).fork(79);
        let pace = [1, 1, 4, 16][rng.below(4) as usize];
        Workload {
            clients: BTreeMap::new(),
            wanted: rng.between(1, 5) as usize,
            next_client: 0,
            gap: Span::millis(3 * pace, 80 * pace),
            writes: rng.between(2, 9),
            leaves: rng.below(2) == 0,
            moves: rng.below(2) == 0,
            counter: 0,
            rng,
        }
    }

    /// When the next client does something.
    pub fn next_at(&self) -> Instant {
        self.clients.values().copied().min().unwrap_or(Instant::ZERO)
    }

    /// Does what is due.
    pub fn act(&mut self, world: &mut World) {
        let now = world.now();
        while self.clients.len() < self.wanted {
            let client = ClientId(self.next_client);
            self.next_client += 1;
            let server = self.server(world);
            let _ = world.command(&Command::Connect { client, server });
            self.clients.insert(client, now + self.gap.draw(&mut self.rng));
        }
        let due: Vec<ClientId> = self.clients.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for client in due {
            if world.client_is_over(client) {
                self.clients.remove(&client);
                world.forget_client(client);
                continue;
            }
            self.clients.insert(client, now + self.gap.draw(&mut self.rng));
            if world.open_requests(client) < OPEN_MAX {
                self.ask(world, client);
            }
        }
    }

    fn server(&mut self, world: &World) -> ServerId {
        let servers: Vec<ServerId> = world.server_ids().collect();
        self.rng.pick(&servers).copied().unwrap_or(ServerId(1))
    }

    fn ask(&mut self, world: &mut World, client: ClientId) {
        if self.leaves && self.rng.below(60) == 0 {
            let command =
                if self.rng.below(2) == 0 { Command::KillClient { client } } else { Command::CloseSession { client } };
            let _ = world.command(&command);
            return;
        }
        let via = (self.moves && self.rng.below(25) == 0).then(|| self.server(world));
        let line = self.line();
        let _ = world.command(&Command::Ask { client, line, via });
    }

    fn line(&mut self) -> String {
        self.counter += 1;
        let (n, key) = (self.counter, self.rng.below(6));
        if self.rng.below(10) >= self.writes {
            return match self.rng.below(10) {
                0 | 1 => format!("get -w /k{key}"),
                2 => format!("stat -w /k{key}"),
                3 => String::from("ls -w /"),
                4 => format!("get /k{key}"),
                5 => format!("sync /k{key}"),
                6 => format!("multiRead get /k{key} ; ls / ; get /k{}", self.rng.below(6)),
                7 => String::from("getAllChildrenNumber /"),
                _ => self.lasting_watch(key),
            };
        }
        match self.rng.below(12) {
            0..=4 => format!("set /k{key} v{n}"),
            5 | 6 => format!("create /k{key} v{n}"),
            7 => format!("create -e /e{key} v{n}"),
            8 => format!("create -e -s /q v{n}"),
            9 => format!("delete /k{key}"),
            10 => format!("delete /e{key}"),
            _ => format!("multi set /k{key} m{n} ; create /m{n}-{key} x ; delete /m{n}-{key}"),
        }
    }

    /// A watch that stays until it is removed, or its removal.
    fn lasting_watch(&mut self, key: u64) -> String {
        match self.rng.below(5) {
            0 | 1 => format!("addWatch -m PERSISTENT /k{key}"),
            2 => String::from("addWatch -m PERSISTENT /"),
            3 => String::from("addWatch -m PERSISTENT_RECURSIVE /"),
            _ => format!("removewatches -a /k{key}"),
        }
    }
}
