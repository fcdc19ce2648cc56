//! Which kinds of events the finest level of the log tells, as `gtmk` and `stmk` show and set it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Kinds of events, with Apache's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests of clients.
    ClientRequest = 1 << 1,
    /// Pings of clients.
    ClientPing = 1 << 3,
    /// Packets between servers.
    ServerPacket = 1 << 4,
    /// Watches that fire.
    EventDelivery = 1 << 6,
    /// Pings between servers.
    ServerPing = 1 << 7,
}

/// Requests, packets, sessions and warnings.
const AT_START: i64 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8;

/// See the module.
#[derive(Debug)]
pub struct TraceMask(AtomicI64);

impl Default for TraceMask {
    fn default() -> TraceMask {
        TraceMask(AtomicI64::new(AT_START))
    }
}

impl TraceMask {
    /// The bits.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }

    /// Sets them.
    pub fn set(&self, mask: i64) {
        self.0.store(mask, Relaxed);
    }

    /// Whether events of this kind are told, if the log's filter lets the finest level through.
    pub fn tells(&self, kind: Kind) -> bool {
        tracing::enabled!(tracing::Level::TRACE) && self.get() & kind as i64 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apaches_mask_at_the_start() {
        let mask = TraceMask::default();
        assert_eq!(mask.get(), 306);
        mask.set(2);
        assert_eq!(mask.get(), Kind::ClientRequest as i64);
    }
}
