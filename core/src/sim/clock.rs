//! A server's own clock: the world's time, a little faster or slower.

use crate::time::{Instant, Now};
use serde::Serialize;

/// When worlds begin, milliseconds since 1970: 2026-01-01.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// A clock that runs `ppm` parts in a million fast (or slow, if negative).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Clock {
    /// Parts in a million.
    pub ppm: i32,
}

impl Clock {
    /// What the clock shows at a moment of the world.
    pub fn now(self, at: Instant) -> Now {
        let mono = self.local(at);
        Now { mono, wall_ms: BEGINNING_MS + i64::try_from(mono.millis()).unwrap_or(i64::MAX / 2) }
    }

    fn local(self, at: Instant) -> Instant {
        if self.ppm == 0 {
            return at;
        }
        let rate = 1_000_000 + i128::from(self.ppm);
        Instant(u64::try_from(i128::from(at.0) * rate / 1_000_000).unwrap_or(0))
    }

    /// The first moment of the world at which the clock shows `local` or more.
    pub fn world(self, local: Instant) -> Instant {
        if self.ppm == 0 {
            return local;
        }
        let rate = 1_000_000 + i128::from(self.ppm);
        let at = (i128::from(local.0) * 1_000_000 + rate - 1) / rate;
        Instant(u64::try_from(at).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_exactly_when_the_clock_shows_it() {
        for ppm in [-5000, -1, 0, 1, 333, 20_000] {
            let clock = Clock { ppm };
            for local in [0, 1, 999, 1_000_000, 123_456_789_012] {
                let at = clock.world(Instant(local));
                assert!(clock.now(at).mono >= Instant(local), "{ppm} {local}");
                if at.0 > 0 {
                    assert!(clock.now(Instant(at.0 - 1)).mono < Instant(local), "{ppm} {local}");
                }
            }
        }
    }
}
