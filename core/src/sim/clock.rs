//! A server's own clock: the world's time, a little faster or slower.

use crate::time::{Instant, Now};
use core::time::Duration;
use serde::Serialize;

/// When worlds begin, milliseconds since 1970: 2026-01-01.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// A clock that runs `ppm` parts in a million fast (or slow, if negative).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Clock {
    /// Parts in a million.
    ppm: i32,
    /// When somebody last set it, in the world's time.
    set: Instant,
    /// From when on it runs: later than `set` while it stands still.
    runs: Instant,
    /// What it shows at that moment.
    shown: Instant,
}

impl Clock {
    /// A clock that shows the world's beginning as its own.
    pub fn new(ppm: i32) -> Clock {
        Clock { ppm, set: Instant::ZERO, runs: Instant::ZERO, shown: Instant::ZERO }
    }

    /// It shows `local` from now on, and runs on from there.
    pub fn show(&mut self, at: Instant, local: Instant) {
        *self = Clock { ppm: self.ppm, set: at, runs: at, shown: local };
    }

    /// It jumps ahead; or, since a clock for deadlines never goes back, stands still for so long.
    pub fn jump(&mut self, at: Instant, millis: i32) {
        let by = Duration::from_millis(millis.unsigned_abs().into());
        let local = self.local(at);
        if millis >= 0 {
            self.show(at, local + by);
        } else {
            *self = Clock { ppm: self.ppm, set: at, runs: self.runs.max(at) + by, shown: local };
        }
    }

    /// It runs at so many percent from now on.
    pub fn set_rate(&mut self, at: Instant, percent: u32) {
        let ppm = i32::try_from(i64::from(percent) * 10_000 - 1_000_000).unwrap_or(0).max(-900_000);
        *self = Clock { ppm, set: at, runs: self.runs.max(at), shown: self.local(at) };
    }

    /// How far it is ahead of the world.
    pub fn ahead_us(self, at: Instant) -> i64 {
        i64::try_from(i128::from(self.local(at).0) - i128::from(at.0)).unwrap_or(0)
    }

    /// Its pace, rounded: 100 is right.
    pub fn percent(self) -> u32 {
        u32::try_from((1_000_000 + i64::from(self.ppm) + 5_000) / 10_000).unwrap_or(0)
    }

    /// What the clock shows at a moment of the world.
    pub fn now(self, at: Instant) -> Now {
        let mono = self.local(at);
        Now { mono, wall_ms: BEGINNING_MS + i64::try_from(mono.millis()).unwrap_or(i64::MAX / 2) }
    }

    /// What it shows, as an instant.
    pub fn local(self, at: Instant) -> Instant {
        let passed = at.0.saturating_sub(self.runs.0);
        if self.ppm == 0 {
            return Instant(self.shown.0.saturating_add(passed));
        }
        let rate = 1_000_000 + i128::from(self.ppm);
        let ran = u64::try_from(i128::from(passed) * rate / 1_000_000).unwrap_or(0);
        Instant(self.shown.0.saturating_add(ran))
    }

    /// The first moment of the world at which the clock shows `local` or more.
    pub fn world(self, local: Instant) -> Instant {
        if local <= self.shown {
            return self.set;
        }
        let ran = local.0 - self.shown.0;
        if self.ppm == 0 {
            return Instant(self.runs.0.saturating_add(ran));
        }
        let rate = 1_000_000 + i128::from(self.ppm);
        let passed = (i128::from(ran) * 1_000_000 + rate - 1) / rate;
        Instant(self.runs.0.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_exactly_when_the_clock_shows_it() {
        for ppm in [-5000, -1, 0, 1, 333, 20_000] {
            let clock = Clock::new(ppm);
            for local in [0, 1, 999, 1_000_000, 123_456_789_012] {
                let at = clock.world(Instant(local));
                assert!(clock.now(at).mono >= Instant(local), "{ppm} {local}");
                if at.0 > 0 {
                    assert!(clock.now(Instant(at.0 - 1)).mono < Instant(local), "{ppm} {local}");
                }
            }
        }
    }

    #[test]
    fn f9_a_clock_that_was_set_never_goes_back_and_keeps_its_deadlines() {
        let sec = |n: u64| Instant(n * 1_000_000);
        let mut clock = Clock::new(0);
        clock.jump(sec(10), 3_000);
        assert_eq!(
            (clock.local(sec(10)), clock.world(sec(15)), clock.ahead_us(sec(20))),
            (sec(13), sec(12), 3_000_000)
        );
        assert_eq!(clock.world(sec(11)), sec(10), "what it has jumped over is due at once");
        clock.jump(sec(20), -5_000);
        assert_eq!((clock.local(sec(20)), clock.local(sec(25)), clock.local(sec(26))), (sec(23), sec(23), sec(24)));
        assert_eq!(clock.ahead_us(sec(30)), -2_000_000);
        clock.set_rate(sec(30), 200);
        assert_eq!((clock.local(sec(30)), clock.local(sec(31)), clock.world(sec(32))), (sec(28), sec(30), sec(32)));
        assert_eq!(clock.percent(), 200);
        let mut last = Instant::ZERO;
        for ms in 0..40_000 {
            let shown = clock.local(Instant(30_000_000 + ms * 1000));
            assert!(shown >= last);
            last = shown;
        }
    }
}
