//! The page in parts. While the show runs, a frame draws the stage and one part anew; the parts take turns, so that no
//! frame has to wait for all of them. So does each move of a slider that somebody drags; when it rests, all are drawn.
//! Whatever is pressed, and a show that stands still, draws them all.

use std::cell::{Cell, RefCell};
use yew::prelude::*;

/// One that is drawn in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Clients, links, faults.
    Left,
    /// Logs and znodes.
    Lower,
    /// The inspector and its neighbours.
    Pane,
    /// The timeline.
    Foot,
}

const PARTS: usize = 4;

/// Which parts are to be drawn, and what they were when they last were.
#[derive(Default)]
pub struct Parts {
    due: [Cell<bool>; PARTS],
    stale: [bool; PARTS],
    turn: usize,
    drawn: RefCell<[Option<(u32, Html)>; PARTS]>,
}

impl Parts {
    /// Something changed: each has to be drawn sooner or later.
    pub fn changed(&mut self) {
        self.stale = [true; PARTS];
    }

    /// Whether one has not been drawn since something changed.
    pub fn behind(&self) -> bool {
        self.stale.contains(&true)
    }

    /// Draws all of them next time.
    pub fn all(&mut self) {
        self.due = [const { Cell::new(true) }; PARTS];
        self.stale = [false; PARTS];
    }

    /// Draws the next one that has to be drawn.
    pub fn one(&mut self) {
        let next = (0..PARTS).map(|n| (self.turn + n) % PARTS).find(|part| self.stale[*part]);
        if let Some(part) = next {
            self.due[part].set(true);
            self.stale[part] = false;
            self.turn = (part + 1) % PARTS;
        }
    }

    /// Draws this one, whatever is with the others.
    pub fn this(&mut self, part: Part) {
        self.due[part as usize].set(true);
        self.stale[part as usize] = false;
    }

    /// A part, made anew if it is to be.
    pub fn show(&self, part: Part, make: impl FnOnce() -> Html) -> Html {
        let index = part as usize;
        let mut drawn = self.drawn.borrow_mut();
        let version = drawn[index].as_ref().map_or(0, |(version, _)| *version);
        // What is due stays so until it has been drawn, should several changes come before a drawing.
        if self.due[index].take() || drawn[index].is_none() {
            drawn[index] = Some((version.wrapping_add(1), make()));
        }
        match &drawn[index] {
            Some((version, html)) => html! { <Kept version={*version} html={html.clone()}/> },
            None => html! {},
        }
    }
}

/// What is the same as long as its version is.
#[derive(Properties)]
struct KeptProps {
    version: u32,
    html: Html,
}

impl PartialEq for KeptProps {
    fn eq(&self, other: &KeptProps) -> bool {
        self.version == other.version
    }
}

#[component]
fn Kept(props: &KeptProps) -> Html {
    props.html.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_turns_and_all_are_drawn_when_asked() {
        let mut parts = Parts::default();
        let all = [Part::Left, Part::Lower, Part::Pane, Part::Foot];
        let drawn = |parts: &Parts| {
            let mut made = Vec::new();
            for part in all {
                let _ = parts.show(part, || {
                    made.push(part);
                    html! {}
                });
            }
            made
        };
        assert_eq!(drawn(&parts), all, "there is nothing yet");
        assert!(drawn(&parts).is_empty());
        parts.changed();
        for part in all {
            assert!(parts.behind());
            parts.one();
            assert_eq!(drawn(&parts), [part]);
        }
        assert!(!parts.behind());
        parts.one();
        assert!(drawn(&parts).is_empty());
        parts.all();
        assert_eq!(drawn(&parts), all);
        assert!(drawn(&parts).is_empty(), "once is enough");
    }

    #[test]
    fn t8_each_move_of_a_slider_draws_the_timeline_and_one_part_more() {
        let mut parts = Parts::default();
        let mut drawn = |moves: usize| {
            for _ in 0..moves {
                parts.changed();
                parts.this(Part::Foot);
                parts.one();
            }
            let mut made = Vec::new();
            for part in [Part::Left, Part::Lower, Part::Pane, Part::Foot] {
                let _ = parts.show(part, || {
                    made.push(part);
                    html! {}
                });
            }
            (made, parts.behind())
        };
        drawn(0);
        assert_eq!(drawn(1), (vec![Part::Left, Part::Foot], true));
        assert_eq!(drawn(1), (vec![Part::Lower, Part::Foot], true));
        assert_eq!(drawn(1), (vec![Part::Pane, Part::Foot], true));
        let two = drawn(2).0;
        assert_eq!(two, [Part::Left, Part::Lower, Part::Foot], "two moves before a drawing draw what both asked for");
    }
}
