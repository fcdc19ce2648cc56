//! Seeded faults: each seed draws which kinds there are and how often, so that seeds differ in character ("swarm
//! testing"): one has only slow disks, the next only partitions, a third a bit of everything.

use crate::collections::BTreeMap;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::Command;
use crate::sim::spec::{Fidelity, Span, WorldSpec};
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Serialize;

/// Kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Kind {
    Kill,
    KillLeader,
    KillAll,
    Pause,
    CutOneWay,
    CutBoth,
    Isolate,
    Partition,
    Delay,
    Reset,
    SlowDisk,
    DiskFail,
}

const KINDS: &[Kind] = &[
    Kind::Kill,
    Kind::KillLeader,
    Kind::KillAll,
    Kind::Pause,
    Kind::CutOneWay,
    Kind::CutBoth,
    Kind::Isolate,
    Kind::Partition,
    Kind::Delay,
    Kind::Reset,
    Kind::SlowDisk,
    Kind::DiskFail,
];

/// The faults of one seed.
#[derive(Clone, Debug, Serialize)]
pub struct Faults {
    rng: Rng,
    /// Kinds that this seed has, some of them more than once.
    kinds: Vec<Kind>,
    gap: Span,
    lasts: Span,
    next: Instant,
    /// What ends a fault, by the time it is due (and a number, since several may fall together).
    ends: BTreeMap<(Instant, u32), Command>,
    count: u32,
}

/// Draws the world of a seed: size, latencies, disks, clocks and limits.
pub fn draw_spec(seed: u64, servers: Option<u32>) -> WorldSpec {
    let mut rng = Rng::new(seed).fork(77);
    let fast_net = rng.below(2) == 0;
    let latency = if fast_net { (100, 400, 2_000) } else { (1_000, 5_000, 40_000) };
    let min_us = rng.between(latency.0, latency.1);
    let max_us = rng.between(min_us, latency.2.max(min_us));
    let disk_min = rng.between(100, 3_000);
    let tick_ms = [100, 200, 400][rng.below(3) as usize];
    let small_windows = rng.below(2) == 0;
    WorldSpec {
        servers: servers.unwrap_or([3, 3, 4, 5, 5][rng.below(5) as usize]),
        observers: u32::from(rng.below(4) == 0),
        seed,
        latency: Span { min_us, max_us },
        client_latency: Span { min_us, max_us },
        disk_sync: Span { min_us: disk_min, max_us: rng.between(disk_min, 15_000) },
        tick_ms,
        init_limit: 10,
        sync_limit: 5,
        max_notification_ms: 1600,
        session_ms: (tick_ms * [2, 6, 20][rng.below(3) as usize]) as i32,
        snap_count: if rng.below(2) == 0 { rng.between(10, 60) as u32 } else { 100_000 },
        commit_log_count: if small_windows { rng.between(2, 20) as usize } else { 500 },
        reset_after_ms: rng.between(1_000, 8_000) as u32,
        drift_ppm: [0, 0, 100, 5_000][rng.below(4) as usize],
        power_loss_ppm: [0, 300_000, 1_000_000][rng.below(3) as usize],
        fidelity: if seed.is_multiple_of(8) { Fidelity::Bytes } else { Fidelity::Types },
        ..WorldSpec::default()
    }
}

impl Faults {
    /// Draws the faults of a seed.
    pub fn draw(seed: u64) -> Faults {
        let mut rng = Rng::new(seed).fork(78);
        let mut kinds = Vec::new();
        for kind in KINDS {
            // Disks that fail and whole power cuts are rarer: they hide what the others would show.
            let rare = matches!(kind, Kind::KillAll | Kind::DiskFail);
            if rng.below(if rare { 4 } else { 2 }) == 0 {
                let weight = if rare { 1 } else { rng.between(1, 4) };
                kinds.extend((0..weight).map(|_| *kind));
            }
        }
        if kinds.is_empty() {
            kinds.push(Kind::KillLeader);
        }
        let slow = rng.between(1, 8);
        let gap = Span::millis(20 * slow, 400 * slow);
        let long = rng.between(1, 6);
        let lasts = Span::millis(10, 700 * long);
        let next = Instant::ZERO + gap.draw(&mut rng);
        Faults { rng, kinds, gap, lasts, next, ends: BTreeMap::new(), count: 0 }
    }

    /// As [`Faults::draw`], for a world that has run for some time already.
    pub fn draw_at(seed: u64, now: Instant) -> Faults {
        let drawn = Faults::draw(seed);
        Faults { next: now + drawn.next.since(Instant::ZERO), ..drawn }
    }

    /// When the next fault begins or ends.
    pub fn next_at(&self) -> Instant {
        self.ends.keys().next().map_or(self.next, |(at, _)| (*at).min(self.next))
    }

    /// Begins or ends what is due. What does not fit the world's state is left out.
    pub fn act(&mut self, world: &mut World) {
        let now = world.now();
        while let Some(entry) = self.ends.first_entry()
            && entry.key().0 <= now
        {
            let _ = world.command(&entry.remove());
        }
        if self.next <= now {
            self.begin(world);
            self.next = now + self.gap.draw(&mut self.rng);
        }
    }

    fn ends_later(&mut self, now: Instant, end: Command) {
        let at = now + self.lasts.draw(&mut self.rng);
        self.count += 1;
        self.ends.insert((at, self.count), end);
    }

    fn begin(&mut self, world: &mut World) {
        let now = world.now();
        let servers: Vec<ServerId> = world.server_ids().collect();
        let Some(kind) = self.rng.pick(&self.kinds).copied() else { return };
        let Some(a) = self.rng.pick(&servers).copied() else { return };
        let others: Vec<ServerId> = servers.iter().copied().filter(|s| *s != a).collect();
        let Some(b) = self.rng.pick(&others).copied() else { return };
        match kind {
            Kind::Kill => self.kill(world, a),
            Kind::KillLeader => {
                let leader = world.leader().unwrap_or(a);
                self.kill(world, leader);
            }
            Kind::KillAll => {
                for server in servers {
                    if self.rng.below(8) > 0 {
                        self.kill(world, server);
                    }
                }
            }
            Kind::Pause => {
                let _ = world.command(&Command::Pause { server: a });
                self.ends_later(now, Command::Resume { server: a });
            }
            Kind::CutOneWay | Kind::CutBoth => {
                let both = kind == Kind::CutBoth;
                let _ = world.command(&Command::Cut { from: a, to: b, both });
                self.ends_later(now, Command::Heal { from: a, to: b, both });
            }
            Kind::Isolate => {
                let victim = if self.rng.below(2) == 0 { world.leader().unwrap_or(a) } else { a };
                let _ = world.command(&Command::Partition { groups: alloc::vec![alloc::vec![victim]] });
                self.ends_later(now, Command::HealAll);
            }
            Kind::Partition => {
                let side: Vec<ServerId> = servers.iter().copied().filter(|_| self.rng.below(2) == 0).collect();
                let _ = world.command(&Command::Partition { groups: alloc::vec![side] });
                self.ends_later(now, Command::HealAll);
            }
            Kind::Delay => {
                let millis = self.rng.between(1, 300) as u32;
                let _ = world.command(&Command::Delay { from: a, to: b, millis });
                self.ends_later(now, Command::Delay { from: a, to: b, millis: 0 });
            }
            Kind::Reset => {
                let _ = world.command(&Command::Reset { a, b });
            }
            Kind::SlowDisk => {
                let millis = self.rng.between(10, 600) as u32;
                let _ = world.command(&Command::DiskDelay { server: a, millis });
                self.ends_later(now, Command::DiskDelay { server: a, millis: 0 });
            }
            Kind::DiskFail => {
                let _ = world.command(&Command::DiskFail { server: a });
                self.ends_later(now, Command::Restart { server: a });
            }
        }
    }

    fn kill(&mut self, world: &mut World, server: ServerId) {
        if world.command(&Command::Kill { server }).is_ok() {
            self.ends_later(world.now(), Command::Restart { server });
        }
    }

    /// Ends every fault at once: all links, disks and servers are well from now on.
    pub fn mend(world: &mut World) {
        let _ = world.command(&Command::HealAll);
        for server in world.server_ids().collect::<Vec<_>>() {
            let _ = world.command(&Command::DiskDelay { server, millis: 0 });
            let _ = world.command(&Command::Resume { server });
            world.clear_disk_fault(server);
            let _ = world.command(&Command::Restart { server });
        }
    }
}

/// How long after the last fault a write must have committed and all servers must agree.
pub fn bound(spec: &WorldSpec) -> Duration {
    let tick = Duration::from_millis(spec.tick_ms.into());
    let notification = Duration::from_millis(spec.max_notification_ms.into());
    tick * (spec.init_limit * 3 + spec.sync_limit * 3) + notification * 3 + Duration::from_secs(10)
}
