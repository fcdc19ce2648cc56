//! When a server takes a snapshot: after so many transactions or so many bytes of log, each between half of the limit
//! and all of it. Where between, chance decides anew each time, so that the servers of an ensemble do not all do it at
//! once.

use crate::config::Config;
use crate::rng::Rng;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct SnapshotTrigger {
    snap_count: u32,
    /// Bytes; 0 for no limit.
    size_limit: u64,
    counted: u32,
    bytes: u64,
    count_point: u32,
    size_point: u64,
}

impl SnapshotTrigger {
    /// Nothing was logged yet.
    pub fn new(config: &Config, rng: &mut Rng) -> SnapshotTrigger {
        let (snap_count, size_limit) = (config.snap_count, config.snap_size_limit);
        let mut trigger =
            SnapshotTrigger { snap_count, size_limit, counted: 0, bytes: 0, count_point: 0, size_point: 0 };
        trigger.reset(rng);
        trigger
    }

    /// A transaction of so many bytes was logged.
    pub fn count(&mut self, bytes: usize) {
        self.counted = self.counted.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Whether it is time.
    pub fn is_due(&self) -> bool {
        self.counted > self.count_point || (self.size_limit > 0 && self.bytes > self.size_point)
    }

    /// Begins to count anew.
    pub fn reset(&mut self, rng: &mut Rng) {
        (self.counted, self.bytes) = (0, 0);
        let half = u64::from(self.snap_count / 2).max(1);
        let part = rng.below(half);
        let point = u64::from(self.snap_count / 2) + part;
        self.count_point = u32::try_from(point).unwrap_or(u32::MAX).max(1);
        // As far between half and all as the other point is: one draw for both. Never above the limit, so it fits.
        let half_size = self.size_limit / 2;
        let part = u128::from(half_size) * u128::from(part) / u128::from(half);
        self.size_point = half_size.saturating_add(u64::try_from(part).unwrap_or(half_size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Ensemble;
    use crate::id::ServerId;
    use alloc::vec::Vec;

    /// After how many transactions of `bytes` each of the first `rounds` snapshots comes.
    fn gaps(snap_count: u32, snap_size_limit: u64, bytes: usize, seed: u64, rounds: usize) -> Vec<u32> {
        let config =
            Config { snap_count, snap_size_limit, ..Config::new(ServerId(1), Ensemble::new(Default::default())) };
        let mut rng = Rng::new(seed);
        let mut trigger = SnapshotTrigger::new(&config, &mut rng);
        let mut next = || {
            let mut count = 0;
            while !trigger.is_due() {
                trigger.count(bytes);
                count += 1;
                assert!(count < 1_000_000, "no snapshot");
            }
            trigger.reset(&mut rng);
            count
        };
        (0..rounds).map(|_| next()).collect()
    }

    #[test]
    fn between_half_of_the_limit_and_all_of_it() {
        // The limits, the size of a transaction, and from and up to how many of them it may take.
        for (snap_count, size_limit, bytes, from, upto) in [
            (100, 0, 1000, 51, 100),
            (20, 0, 1000, 11, 20),
            (2, 0, 10, 2, 2),
            (1000, 1 << 40, 1000, 501, 1000),
            (100_000, 100_000, 1000, 51, 100),
            // Whichever comes first.
            (100, 1_000_000, 1000, 51, 100),
            (10_000, 1000, 5000, 1, 1),
        ] {
            let all = gaps(snap_count, size_limit, bytes, 7, 500);
            assert!(all.iter().all(|gap| (from..=upto).contains(gap)), "{snap_count}, {size_limit}: {all:?}");
            let (least, most) = (all.iter().min(), all.iter().max());
            if upto - from > 5 {
                // Chance reaches near to both ends.
                let slack = (upto - from) / 10;
                assert!(least.is_some_and(|l| *l <= from + slack) && most.is_some_and(|m| *m >= upto - slack));
            }
        }
    }

    #[test]
    fn servers_do_not_do_it_at_once() {
        for size_limit in [0, 100_000] {
            let (one, other) = (gaps(1000, size_limit, 1000, 1, 50), gaps(1000, size_limit, 1000, 2, 50));
            let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same < 10, "{one:?} {other:?}");
        }
    }
}
