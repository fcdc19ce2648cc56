//! Counters that the four-letter words tell.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What is counted since the start.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    /// Frames from clients, four-letter words included.
    pub packets_received: AtomicU64,
    /// Frames to clients.
    pub packets_sent: AtomicU64,
    /// Connections refused because of `maxClientCnxns`.
    pub connections_rejected: AtomicU64,
    /// Connections that ended.
    pub connections_dropped: AtomicU64,
    /// Transactions proposed or received as proposals.
    pub proposals: AtomicU64,
    /// Transactions committed.
    pub commits: AtomicU64,
    /// Elections begun.
    pub looking: AtomicU64,
    /// Snapshots written.
    pub snapshots: AtomicU64,
    /// Requests not answered yet.
    pub outstanding: AtomicI64,
    latency_count: AtomicU64,
    latency_sum_us: AtomicU64,
    latency_min_us: AtomicU64,
    latency_max_us: AtomicU64,
    /// Bytes of the last proposal, its smallest and its largest; 0 for none yet.
    proposal_last: AtomicU64,
    proposal_min: AtomicU64,
    proposal_max: AtomicU64,
}

impl Metrics {
    /// All zero.
    pub fn new() -> Metrics {
        let zero = || AtomicU64::new(0);
        Metrics {
            started: Instant::now(),
            packets_received: zero(),
            packets_sent: zero(),
            connections_rejected: zero(),
            connections_dropped: zero(),
            proposals: zero(),
            commits: zero(),
            looking: zero(),
            snapshots: zero(),
            outstanding: AtomicI64::new(0),
            latency_count: zero(),
            latency_sum_us: zero(),
            latency_min_us: AtomicU64::new(u64::MAX),
            latency_max_us: zero(),
            proposal_last: zero(),
            proposal_min: AtomicU64::new(u64::MAX),
            proposal_max: zero(),
        }
    }

    /// Since the start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// A request was answered after so long.
    pub fn answered(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_count.fetch_add(1, Relaxed);
        self.latency_sum_us.fetch_add(us, Relaxed);
        self.latency_min_us.fetch_min(us, Relaxed);
        self.latency_max_us.fetch_max(us, Relaxed);
    }

    /// A transaction of so many bytes was proposed.
    pub fn proposed(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.proposals.fetch_add(1, Relaxed);
        self.proposal_last.store(bytes, Relaxed);
        self.proposal_min.fetch_min(bytes, Relaxed);
        self.proposal_max.fetch_max(bytes, Relaxed);
    }

    /// Latency in milliseconds: smallest, average with up to four decimals, largest.
    pub fn latency(&self) -> (u64, String, u64) {
        let count = self.latency_count.load(Relaxed);
        if count == 0 {
            return (0, "0.0".into(), 0);
        }
        // Four decimals of a millisecond are tenths of a microsecond.
        let tenths = self.latency_sum_us.load(Relaxed).saturating_mul(10) / count;
        let mut decimals = format!("{:04}", tenths % 10_000);
        while decimals.len() > 1 && decimals.ends_with('0') {
            decimals.pop();
        }
        let average = format!("{}.{decimals}", tenths / 10_000);
        (self.latency_min_us.load(Relaxed) / 1000, average, self.latency_max_us.load(Relaxed) / 1000)
    }

    /// Bytes of the last, the smallest and the largest proposal; -1 if there was none.
    pub fn proposal_sizes(&self) -> [i64; 3] {
        if self.proposals.load(Relaxed) == 0 {
            return [-1; 3];
        }
        [&self.proposal_last, &self.proposal_min, &self.proposal_max]
            .map(|size| i64::try_from(size.load(Relaxed)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_as_apache_shows_it() {
        let metrics = Metrics::new();
        assert_eq!(metrics.latency(), (0, "0.0".into(), 0));
        for (us, shown) in [(1000, "1.0"), (3000, "2.0"), (500, "1.5"), (1000, "1.375"), (12, "1.1024")] {
            metrics.answered(Duration::from_micros(us));
            assert_eq!(metrics.latency().1, shown);
        }
        assert_eq!((metrics.latency().0, metrics.latency().2), (0, 3));
    }

    #[test]
    fn proposal_sizes_or_none() {
        let metrics = Metrics::new();
        assert_eq!(metrics.proposal_sizes(), [-1, -1, -1]);
        [36, 96, 50].into_iter().for_each(|size| metrics.proposed(size));
        assert_eq!(metrics.proposal_sizes(), [50, 36, 96]);
    }
}
