//! What a newcomer sees first: a lesson that goes on by itself.

use crate::i18n::Lang;
use crate::lessons;
use crate::store::State;
use zebu_core::sim::WorldSpec;

/// What a newcomer sees first.
pub(super) const OPENING: &str = "one-after-the-other";

/// Seconds to read a passage: to begin with, and for each character (a Chinese one takes as long as three others).
const READING: (f64, f64) = (2.5, 0.055);

impl State {
    /// Seconds that the passage which speaks now takes to read.
    pub(super) fn reading(&self) -> f64 {
        let note = self.chapter().and_then(|(_, _, step)| step.note.as_ref());
        let weight = note.map_or(0, |n| match self.texts.lang {
            Lang::En => n.en.chars().count(),
            Lang::Zh => n.zh.chars().count() * 3,
        });
        READING.0 + weight as f64 * READING.1
    }

    /// What a newcomer sees first: a lesson, already playing and narrated.
    pub(super) fn open(&mut self) {
        let Some(lesson) = lessons::find(OPENING) else { return self.begin(WorldSpec::default(), None) };
        self.begin(lesson.world.clone(), Some(lesson));
        self.player.set_playing(true);
        self.guide = Some(0.0);
    }
}
