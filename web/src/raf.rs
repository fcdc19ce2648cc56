//! The frame loop: one request at a time; each frame asks for the next.

use gloo_render::{AnimationFrame, request_animation_frame};
use yew::Callback;

/// The longest step in show time, seconds: after a hidden tab nothing rushes.
const LONGEST: f64 = 0.1;

/// A running frame loop; it ends when it is dropped.
pub struct Frames {
    handle: Option<AnimationFrame>,
    last: Option<f64>,
    on_frame: Callback<f64>,
}

impl Frames {
    /// A loop that calls `on_frame` with the browser's time in milliseconds.
    pub fn start(on_frame: Callback<f64>) -> Frames {
        let mut frames = Frames { handle: None, last: None, on_frame };
        frames.request();
        frames
    }

    fn request(&mut self) {
        let on_frame = self.on_frame.clone();
        self.handle = Some(request_animation_frame(move |at| on_frame.emit(at)));
    }

    /// A frame came at `at` milliseconds: asks for the next; returns the seconds since the one before.
    pub fn next(&mut self, at: f64) -> f64 {
        let dt = self.last.map_or(0.0, |last| (at - last) / 1000.0);
        self.last = Some(at);
        self.request();
        dt.clamp(0.0, LONGEST)
    }
}

/// Milliseconds in which the moves of one frame should be done: while a show glides, and on the way to a moment far
/// away, when nothing glides.
const MOVES_MS: (f64, f64) = (5.0, 40.0);

/// Milliseconds between two drawings of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// At normal speed.
    Normal,
    /// The show runs fast.
    Fast,
    /// On the way to a moment far away.
    Far,
}

impl Haste {
    fn wait(self) -> f64 {
        match self {
            Haste::Normal => 30.0,
            Haste::Fast => 60.0,
            Haste::Far => 200.0,
        }
    }
}

/// Drawings may take one part in so many of the time.
const DRAW_SHARE: f64 = 6.0;

/// Milliseconds after which there is a drawing, however long they take.
const DRAW_LATEST: f64 = 240.0;

/// How much may be done in a frame, from how long it took before. Messages move in every frame; panels, which nobody
/// reads sixty times a second, are drawn less often the faster the show runs.
pub struct Pace {
    limit: usize,
    drawn: f64,
    cost: f64,
    due: bool,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { limit: 8, drawn: 0.0, cost: 0.0, due: false }
    }
}

impl Pace {
    /// Moves allowed in the next frame.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes note of how long the moves of a frame took, and whether they were on the way to a moment far away.
    pub fn took(&mut self, ms: f64, far: bool) {
        let enough = if far { MOVES_MS.1 } else { MOVES_MS.0 };
        self.limit = if ms > enough { (self.limit / 2).max(2) } else { (self.limit + 1).min(60) };
    }

    /// Takes note of how long a drawing took.
    pub fn drew(&mut self, ms: f64) {
        self.cost = ms.clamp(0.0, 100.0);
    }

    /// Something was pressed: the next frame draws.
    pub fn hurry(&mut self) {
        self.due = true;
        self.drawn = 0.0;
    }

    /// Whether to draw the panels now, at `at` milliseconds: something changed and the last drawing is long enough ago.
    pub fn draw(&mut self, at: f64, changed: bool, haste: Haste) -> bool {
        self.due |= changed;
        let wait = haste.wait().max((self.cost * DRAW_SHARE).min(DRAW_LATEST));
        let draw = self.due && at - self.drawn >= wait;
        if draw {
            self.drawn = at;
            self.due = false;
        }
        draw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_moves_lower_the_limit_and_quick_ones_raise_it() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.took(50.0, false);
        }
        assert_eq!(pace.limit(), 2);
        for _ in 0..100 {
            pace.took(1.0, false);
        }
        assert_eq!(pace.limit(), 60);
        pace.took(20.0, true);
        assert_eq!(pace.limit(), 60, "on the way nobody minds");
    }

    #[test]
    fn a_change_is_always_drawn_in_the_end() {
        let mut pace = Pace::default();
        assert!(pace.draw(1000.0, true, Haste::Far));
        assert!(!pace.draw(1016.0, true, Haste::Far));
        assert!(!pace.draw(1032.0, false, Haste::Far));
        assert!(pace.draw(1220.0, false, Haste::Far));
        assert!(!pace.draw(1500.0, false, Haste::Far), "nothing changed since");
        pace.drew(20.0);
        assert!(!pace.draw(1330.0, true, Haste::Normal), "a slow drawing waits longer");
        assert!(pace.draw(1341.0, false, Haste::Normal));
        pace.drew(100.0);
        assert!(!pace.draw(1500.0, true, Haste::Fast));
        assert!(pace.draw(1585.0, false, Haste::Fast), "but not for ever");
    }
}
