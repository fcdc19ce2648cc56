//! What the state knows of a film: that it begins, and how it ended.

use crate::store::State;

/// About a film of the show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filming {
    /// Film so many seconds from here on.
    Start(u32),
    /// That is enough: save what there is.
    Enough,
    /// No film.
    Drop,
    /// It is saved: so many tenths of a second, so many bytes.
    Saved(u32, usize),
    /// The browser refuses.
    Failed(String),
}

impl State {
    /// The page films; here it is only known what the show does, and what is told.
    pub(super) fn film(&mut self, what: Filming) {
        match what {
            Filming::Start(_) => {
                (self.dialog, self.menu, self.notice) = (None, None, None);
                self.play();
            }
            Filming::Enough => {}
            Filming::Drop => self.pause(),
            Filming::Saved(tenths, bytes) => {
                self.pause();
                let seconds = format!("{}.{}", tenths / 10, tenths % 10);
                self.tell("film.saved", vec![("s", seconds), ("kb", (bytes / 1000).to_string())]);
            }
            Filming::Failed(what) => {
                self.pause();
                self.tell("film.failed", vec![("what", what)]);
            }
        }
    }
}
