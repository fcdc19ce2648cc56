//! What the clients of a plain sweep ask: lines as people type them.

use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::{ClientId, Command};
use crate::sim::crowd::{Crowd, Manner, draw_gap, draw_habits};
use alloc::format;
use alloc::string::String;

/// What the clients of one seed ask.
pub(crate) struct Workload {
    rng: Rng,
    /// How many in ten are writes.
    writes: u64,
    counter: u32,
}

impl Manner for Workload {
    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    fn ask(&mut self, world: &mut World, client: ClientId, via: Option<ServerId>) {
        let line = self.line();
        let _ = world.command(&Command::Ask { client, line, via });
    }
}

impl Workload {
    /// Draws the clients of a seed.
    pub fn draw(seed: u64) -> Crowd {
        let mut rng = Rng::new(seed).fork(79);
        let (gap, wanted, writes) = (draw_gap(&mut rng), rng.between(1, 5), rng.between(2, 9));
        let habits = draw_habits(&mut rng);
        Crowd::new(Workload { rng, writes, counter: 0 }, wanted, gap, habits)
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
