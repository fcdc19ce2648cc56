//! What a viewer has chosen about the picture: which view, what is picked, what was answered. Nothing here moves the
//! world.

use crate::scene::layout::Geometry;
use zebu_core::collections::BTreeMap;
use zebu_core::id::ServerId;
use zebu_core::sim::view::Place;

/// What the middle of the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Centre {
    /// The servers and what flies between them.
    #[default]
    Stage,
    /// The same run as lanes over time.
    SpaceTime,
}

impl Centre {
    /// Its name in style rules and texts.
    pub fn name(self) -> &'static str {
        match self {
            Centre::Stage => "stage",
            Centre::SpaceTime => "spacetime",
        }
    }
}

/// How the servers stand: the geometry, and those that were dragged, in thousandths of width and height.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Places {
    /// The geometry.
    pub geometry: Geometry,
    /// Dragged servers.
    pub moved: Vec<(ServerId, u16, u16)>,
}

/// An event that was picked: where, and at which moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Where it happened.
    pub place: Place,
    /// After so many moves.
    pub moment: u64,
}

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Choose {
    /// What the middle shows.
    Centre(Centre),
    /// Pick an event, or none.
    Pick(Option<Pick>),
    /// Columns of sessions in the logs: shown or folded.
    Fold,
    /// More of the older columns.
    Older,
    /// An answer to a question: the scenario's name, the step, the choice.
    Answer(String, usize, usize),
    /// The legend.
    Legend,
    /// A black screen, and back.
    Black,
    /// The pointer as a large dot.
    Laser,
    /// How the servers stand.
    Geometry(Geometry),
    /// A server was dragged: its place, as shares of width and height.
    Move(ServerId, (f64, f64)),
    /// Back to the places that the geometry gives.
    Tidy,
    /// The challenge is given up: show why.
    GiveUp,
}

/// See [`Choose`].
#[derive(Clone, Debug, PartialEq)]
pub struct Desk {
    /// What the middle shows.
    pub centre: Centre,
    /// The picked event.
    pub pick: Option<Pick>,
    /// Sessions are folded in the logs.
    pub fold: bool,
    /// Columns of the logs that are drawn.
    pub columns: usize,
    /// Answers by scenario and step.
    pub answers: BTreeMap<(String, usize), usize>,
    /// The legend is open.
    pub legend: bool,
    /// The screen is black.
    pub black: bool,
    /// The pointer is a large dot.
    pub laser: bool,
    /// How the servers stand.
    pub geometry: Geometry,
    /// Servers that were dragged.
    pub moved: BTreeMap<ServerId, (f64, f64)>,
    /// The challenge was given up.
    pub given_up: bool,
    /// How often the challenge was begun.
    pub attempts: u32,
    /// A run is recorded, from this moment on.
    pub recording: Option<u64>,
}

/// Columns drawn at first, and more with every request.
const COLUMNS: usize = crate::scene::ledger::COLUMNS;

impl Default for Desk {
    fn default() -> Desk {
        Desk {
            centre: Centre::Stage,
            pick: None,
            fold: false,
            columns: COLUMNS,
            answers: BTreeMap::new(),
            legend: false,
            black: false,
            laser: false,
            geometry: Geometry::Ring,
            moved: BTreeMap::new(),
            given_up: false,
            attempts: 0,
            recording: None,
        }
    }
}

impl Desk {
    /// Changes it.
    pub fn choose(&mut self, choice: Choose) {
        match choice {
            Choose::Centre(centre) => self.centre = centre,
            Choose::Pick(pick) => self.pick = pick,
            Choose::Fold => self.fold = !self.fold,
            Choose::Older => self.columns = self.columns.saturating_add(COLUMNS * 2),
            Choose::Answer(scenario, step, choice) => {
                // The first answer counts.
                self.answers.entry((scenario, step)).or_insert(choice);
            }
            Choose::Legend => self.legend = !self.legend,
            Choose::Black => self.black = !self.black,
            Choose::Laser => self.laser = !self.laser,
            Choose::Geometry(geometry) => {
                self.geometry = geometry;
                self.moved.clear();
            }
            Choose::Move(server, (x, y)) => {
                self.moved.insert(server, (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0)));
            }
            Choose::Tidy => self.moved.clear(),
            Choose::GiveUp => self.given_up = true,
        }
    }

    /// How the servers stand, to be sent: a link holds thousandths.
    pub fn places(&self) -> Places {
        let share = |share: f64| (share * 1000.0).round() as u16;
        let moved = self.moved.iter().map(|(id, (x, y))| (*id, share(*x), share(*y))).collect();
        Places { geometry: self.geometry, moved }
    }

    /// Servers stand as somebody sent them.
    pub fn take_places(&mut self, places: &Places) {
        self.choose(Choose::Geometry(places.geometry));
        for (id, x, y) in &places.moved {
            self.choose(Choose::Move(*id, (f64::from(*x) / 1000.0, f64::from(*y) / 1000.0)));
        }
    }

    /// All answers as one line, to be kept for the next visit.
    pub fn answers_as_text(&self) -> String {
        self.answers
            .iter()
            .map(|((name, step), choice)| format!("{name}/{step}={choice}"))
            .collect::<Vec<_>>()
            .join(";")
    }

    /// Takes up answers that were kept; what can't be read is left out.
    pub fn take_answers(&mut self, text: &str) {
        for part in text.split(';') {
            let parsed = part.split_once('=').and_then(|(place, choice)| {
                let (name, step) = place.rsplit_once('/')?;
                Some(((name.to_string(), step.parse().ok()?), choice.parse().ok()?))
            });
            self.answers.extend(parsed);
        }
    }

    /// Another run begins; `again`: the same as before.
    pub fn begin(&mut self, again: bool) {
        self.pick = None;
        self.recording = None;
        self.columns = COLUMNS;
        self.attempts = if again { self.attempts.saturating_add(1) } else { 1 };
        if !again {
            self.given_up = false;
            self.moved.clear();
            self.centre = Centre::Stage;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_counts() {
        let mut desk = Desk::default();
        desk.choose(Choose::Answer("a".into(), 3, 1));
        desk.choose(Choose::Answer("a".into(), 3, 0));
        desk.choose(Choose::Answer("a".into(), 4, 2));
        assert_eq!(desk.answers.get(&("a".into(), 3)), Some(&1));
        assert_eq!(desk.answers.len(), 2);
        let mut again = Desk::default();
        again.take_answers(&desk.answers_as_text());
        again.take_answers("nonsense;a/b=c;=;/1=");
        assert_eq!(again.answers, desk.answers);
    }

    #[test]
    fn attempts_are_counted_and_another_run_begins_anew() {
        let mut desk = Desk::default();
        desk.begin(false);
        desk.begin(true);
        desk.choose(Choose::GiveUp);
        desk.choose(Choose::Legend);
        assert_eq!((desk.attempts, desk.given_up), (2, true));
        desk.begin(false);
        assert_eq!((desk.attempts, desk.given_up, desk.legend), (1, false, true));
    }
}
