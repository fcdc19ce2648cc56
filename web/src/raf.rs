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
