//! The only place that reads the clocks.

use std::time::{Duration, Instant as Std, SystemTime, UNIX_EPOCH};
use zebu_core::time::{Instant, Now};

/// The process's clocks. The monotonic one begins at the wall clock's time of the start and then goes its own way.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Std,
    at_origin: Duration,
}

impl Clock {
    /// Starts counting.
    pub fn new() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { origin: Std::now(), at_origin: wall }
    }

    /// What time it is, for the core.
    pub fn now(&self) -> Now {
        let mono = self.at_origin + self.origin.elapsed();
        Now { mono: Instant(u64::try_from(mono.as_micros()).unwrap_or(u64::MAX)), wall_ms: wall_millis() }
    }

    /// The standard library's point in time for one of the core's.
    pub fn std_instant(&self, at: Instant) -> Std {
        self.origin + Duration::from_micros(at.0).saturating_sub(self.at_origin)
    }
}

/// Milliseconds since 1970.
pub fn wall_millis() -> i64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_back_and_convertible() {
        let clock = Clock::new();
        let first = clock.now();
        let second = clock.now();
        assert!(second.mono >= first.mono && first.wall_ms > 0);
        assert!(clock.std_instant(first.mono) <= Std::now());
        assert_eq!(clock.std_instant(Instant::ZERO), clock.origin, "before the start is the start");
    }
}
