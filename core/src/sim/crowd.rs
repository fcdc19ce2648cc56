//! The seeded clients of a sweep: when they come, how often they ask, when they move and when they go. What they ask
//! for is each [`Manner`]'s own.

use crate::collections::BTreeMap;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::{ClientId, Command};
use crate::sim::spec::Span;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Requests that a client may have open at once.
const OPEN_MAX: usize = 6;

/// What the clients ask for.
pub(crate) trait Manner {
    /// Where all chance comes from.
    fn rng(&mut self) -> &mut Rng;

    /// A client has come.
    fn came(&mut self, _: &mut World, _: ClientId) {}

    /// One asks for something; through `via`, to which it then moves its session first.
    fn ask(&mut self, world: &mut World, client: ClientId, via: Option<ServerId>);
}

/// The clients of one seed.
pub(crate) struct Crowd {
    manner: Box<dyn Manner>,
    /// Who there is, and when each acts next.
    clients: BTreeMap<ClientId, Instant>,
    wanted: usize,
    next_client: u32,
    gap: Span,
    leaves: bool,
    moves: bool,
}

impl Crowd {
    /// As many clients as wanted, each acting once in a `gap`; some may leave, some may move to another server.
    pub fn new(manner: impl Manner + 'static, wanted: u64, gap: Span, [leaves, moves]: [bool; 2]) -> Crowd {
        let (clients, wanted) = (BTreeMap::new(), wanted as usize);
        Crowd { manner: Box::new(manner), clients, wanted, next_client: 0, gap, leaves, moves }
    }

    /// The clients there are.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.clients.keys().copied()
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
            self.manner.came(world, client);
            self.again(client, now);
        }
        let due: Vec<ClientId> = self.clients.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for client in due {
            if world.client_is_over(client) {
                self.clients.remove(&client);
                world.forget_client(client);
                continue;
            }
            self.again(client, now);
            if world.open_requests(client) < OPEN_MAX {
                self.ask(world, client);
            }
        }
    }

    fn again(&mut self, client: ClientId, now: Instant) {
        self.clients.insert(client, now + self.gap.draw(self.manner.rng()));
    }

    fn server(&mut self, world: &World) -> ServerId {
        let servers: Vec<ServerId> = world.server_ids().collect();
        self.manner.rng().pick(&servers).copied().unwrap_or(ServerId(1))
    }

    fn ask(&mut self, world: &mut World, client: ClientId) {
        if self.leaves && self.manner.rng().below(60) == 0 {
            let dies = self.manner.rng().below(2) == 0;
            let command = if dies { Command::KillClient { client } } else { Command::CloseSession { client } };
            let _ = world.command(&command);
            return;
        }
        let via = (self.moves && self.manner.rng().below(25) == 0).then(|| self.server(world));
        self.manner.ask(world, client, via);
    }
}

/// How long the clients of a seed pause.
pub(crate) fn draw_gap(rng: &mut Rng) -> Span {
    let pace = [1, 1, 4, 16][rng.below(4) as usize];
    Span::millis(3 * pace, 80 * pace)
}

/// Whether some leave, and whether some move.
pub(crate) fn draw_habits(rng: &mut Rng) -> [bool; 2] {
    [(); 2].map(|()| rng.below(2) == 0)
}
