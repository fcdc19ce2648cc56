//! One line on standard error that says what goes on; on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How often it is brought up to date.
const EVERY: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    told: Cell<Instant>,
    what: String,
}

impl Progress {
    /// Of so many turns.
    pub fn new(turns: usize) -> Progress {
        let bar = ProgressBar::new(turns as u64);
        if let Ok(style) = ProgressStyle::with_template("{spinner} turn {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Progress { bar, told: Cell::new(Instant::now()), what: String::new() }
    }

    /// What is done now.
    pub fn say(&mut self, what: impl Into<String>) {
        self.what = what.into();
        self.bar.set_message(self.what.clone());
        self.bar.tick();
    }

    /// A turn is done.
    pub fn turn(&self) {
        self.bar.inc(1);
    }

    /// So many operations since `begun`.
    pub fn tick(&self, now: Instant, done: u64, begun: Instant) {
        if now.saturating_duration_since(self.told.get()) < EVERY {
            return;
        }
        self.told.set(now);
        let seconds = now.saturating_duration_since(begun).as_secs_f64().max(1e-9);
        self.bar.set_message(format!("{}: {done} done, {:.0} a second", self.what, done as f64 / seconds));
        self.bar.tick();
    }

    /// Removes the line.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
