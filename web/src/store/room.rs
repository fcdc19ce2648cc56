//! A run grows for as long as somebody plays it. Before it takes more memory than a page should have, it stops with a
//! word and a way on, and the page stays alive.

use crate::store::State;
use zebu_core::sim::view::WorldView;

/// What a run may take, bytes.
pub(super) const ROOM: usize = 150_000_000;

/// About how many bytes a clone of this world takes: logs in memory and on disk, znodes, and what every server has.
fn clone_bytes(view: &WorldView) -> usize {
    let server = |s: &zebu_core::sim::view::ServerView| {
        let on_disk: usize = s.inside.disk.logs.iter().map(|(_, _, n)| n).sum();
        10_000 + s.log.len() * 56 + on_disk * 40 + s.tree.len() * 220
    };
    view.servers.iter().map(server).sum::<usize>() + view.clients.len() * 4_000 + view.flights.len() * 200
}

impl State {
    /// About how many bytes the run takes.
    pub fn run_bytes(&self) -> usize {
        self.timeline.bytes(clone_bytes(&self.view))
    }

    /// Whether the run would grow and may not: then it stands still, and says so.
    pub(super) fn stops_for_room(&mut self) -> bool {
        let grows = self.timeline.moment() >= self.timeline.frontier();
        if !grows || self.run_bytes() < self.room {
            return false;
        }
        self.stop_journey();
        let mb = (self.room / 1_000_000).to_string();
        self.tell("room.full", vec![("mb", mb), ("n", self.timeline.frontier().to_string())]);
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::goals::Goal;
    use crate::i18n::Lang;
    use crate::store::time::TimeAction;
    use crate::store::{Action, State};

    fn told(s: &State) -> String {
        s.notice.as_ref().map(|n| n.text(&s.texts)).unwrap_or_default()
    }

    #[test]
    fn q3_a_run_that_has_no_room_left_stops_with_a_word_and_a_way_on() {
        let mut s = State::new(Lang::En);
        s.reduce(Action::Route("#/?paused&memory=8".into()));
        s.reduce(Action::Time(TimeAction::Until(Goal::Moment(100_000))));
        let mut frames = 0;
        while s.goal().is_some() {
            s.reduce(Action::Frame(0.016, 60));
            frames += 1;
            assert!(frames < 10_000, "it never stops");
        }
        let end = s.timeline().moment();
        assert!(end > 600 && end < 100_000, "{end}");
        assert!(told(&s).contains("8 MB"), "{}", told(&s));
        assert!(s.run_bytes() < 12_000_000, "{}", s.run_bytes());
        // Nothing makes it grow any more: not a step, not the show.
        s.reduce(Action::Dismiss);
        s.reduce(Action::Step);
        assert!(told(&s).contains("8 MB"));
        s.reduce(Action::Dismiss);
        s.reduce(Action::Play);
        s.reduce(Action::Frame(0.1, 60));
        assert!(told(&s).contains("8 MB") && !s.player().is_playing());
        assert_eq!(s.timeline().moment(), end);
        // Its past is there, and so is a new beginning.
        s.reduce(Action::StepBack);
        s.reduce(Action::Step);
        assert_eq!(s.timeline().moment(), end);
        s.reduce(Action::Reset);
        s.reduce(Action::Step);
        assert_eq!((s.timeline().moment(), told(&s)), (1, String::new()));
    }
}
