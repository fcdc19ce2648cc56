//! The state's part that has to do with time: journeys, lines, bookmarks, runs as links and files.

use crate::captions;
use crate::compare::Comparison;
use crate::driver::Driver;
use crate::export;
use crate::goals::{Arrival, Goal, Journey};
use crate::lessons;
use crate::phases::Turn;
use crate::player::Player;
use crate::share::{Bookmark, Run, RunError};
use crate::store::{Dialog, State};
use crate::timeline::Timeline;
use std::rc::Rc;
use zebu_core::scenario::Scenario;
use zebu_core::sim::WorldSpec;
use zebu_core::sim::trouble::{Troubles, Upcoming};
use zebu_core::sim::view::WorldView;
use zebu_core::trace::TraceRecord;

/// Moves that are made at once before a journey is cut into pieces.
const AT_ONCE: u64 = 600;

/// Moves of a journey in a frame, for each that a frame of the show may make.
const PER_FRAME: u64 = 8;

/// Events that the future strip shows.
const FUTURE: usize = 8;

/// A change of time.
#[derive(Clone, Debug, PartialEq)]
pub enum TimeAction {
    /// Play on to a goal at once.
    Until(Goal),
    /// Stop on the way.
    Stop,
    /// Take up another line.
    Line(u32),
    /// Take the last command back.
    Undo,
    /// Give this moment a name of its own.
    Mark,
    /// Name a bookmark anew.
    Rename(usize, String),
    /// Forget a bookmark.
    Unmark(usize),
    /// Go to a bookmark.
    GoMark(usize),
    /// Put the line on the stage beside another one.
    Compare(u32),
    /// Go to a moment of a line.
    Go(u32, u64),
    /// Look at a place of the timeline, from 0 to 1, without going there.
    Hover(Option<f32>),
    /// A file or a text that was pasted.
    Import(String),
    /// What was typed is no zxid.
    NoZxid(String),
    /// The browser made no picture, and why.
    PictureFailed(String),
}

/// A journey under way, and what is to be checked at its end.
#[derive(Clone, Debug)]
struct Underway {
    journey: Journey,
    digest: Option<u64>,
}

/// The state of this part.
#[derive(Default)]
pub struct TimeState {
    underway: Option<Underway>,
    /// The turns at which the last step by phase stopped, and the moment.
    stopped: Option<(u64, Vec<Turn>)>,
    /// Named moments.
    pub bookmarks: Vec<Bookmark>,
    /// The moment the pointer is over, and the world then.
    pub preview: Option<(u64, Rc<WorldView>)>,
    /// Two lines beside each other, as they were asked for last.
    pub comparison: Option<Rc<Comparison>>,
    /// What was done to the world and still counts.
    pub troubles: Rc<Troubles>,
    /// What comes next, while the show stands still.
    pub upcoming: Rc<Vec<Upcoming>>,
}

impl State {
    /// The journey's goal while one is under way.
    pub fn goal(&self) -> Option<&Goal> {
        self.time.underway.as_ref().map(|u| &u.journey.goal)
    }

    /// The turns at which the last step stopped, while the run stands there.
    pub fn stopped_at(&self) -> &[Turn] {
        match &self.time.stopped {
            Some((moment, turns)) if *moment == self.timeline.moment() => turns,
            _ => &[],
        }
    }

    pub(super) fn time(&mut self, action: TimeAction) {
        match action {
            TimeAction::Until(goal) => self.until(goal),
            TimeAction::Stop => self.stop_journey(),
            TimeAction::Line(id) => {
                self.pause();
                let played = self.timeline.lines().iter().find(|l| l.id == id).map(|l| l.end);
                if self.timeline.switch(id) {
                    self.arrived();
                    // A line out of a link has not been played here yet.
                    if let Some(end) = played.filter(|end| *end > self.timeline.frontier()) {
                        self.until(Goal::Moment(end));
                    }
                }
            }
            TimeAction::Undo => {
                self.pause();
                if self.timeline.undo().is_some() {
                    self.arrived();
                    self.tell("tt.undone", Vec::new());
                } else {
                    self.tell("tt.undo.nothing", Vec::new());
                }
            }
            TimeAction::Mark => self.mark(),
            TimeAction::Rename(index, name) => {
                if let Some(mark) = self.time.bookmarks.get_mut(index) {
                    mark.name = name.chars().take(80).collect();
                }
            }
            TimeAction::Unmark(index) => {
                if index < self.time.bookmarks.len() {
                    self.time.bookmarks.remove(index);
                }
            }
            TimeAction::GoMark(index) => {
                let Some(mark) = self.time.bookmarks.get(index) else { return };
                self.go_to(mark.line, mark.moment);
            }
            TimeAction::Go(line, moment) => {
                self.dialog = None;
                self.go_to(line, moment);
            }
            TimeAction::Compare(line) => {
                self.pause();
                self.time.comparison = self.timeline.compare(line).map(Rc::new);
                self.dialog = self.time.comparison.as_ref().map(|_| Dialog::Lines);
            }
            TimeAction::Hover(place) => self.hover(place),
            TimeAction::Import(text) => match export::from_json(&text) {
                Ok(run) => {
                    self.dialog = None;
                    self.open_run(run);
                }
                Err(error) => self.refuse_run(error, false),
            },
            TimeAction::NoZxid(what) => {
                let what = what.chars().take(24).collect();
                self.tell("tt.until.badzxid", vec![("what", what)]);
            }
            TimeAction::PictureFailed(what) => self.tell("sh.picture.failed", vec![("what", what)]),
        }
    }

    fn go_to(&mut self, line: u32, moment: u64) {
        self.pause();
        if line != self.timeline.line() && !self.timeline.switch(line) {
            return;
        }
        if moment > self.timeline.frontier() {
            self.until(Goal::Moment(moment));
        } else {
            self.seek(moment);
        }
    }

    /// Begins a journey; a short one is over at once.
    pub(super) fn until(&mut self, goal: Goal) {
        self.start(Underway { journey: Journey::new(goal, &self.timeline), digest: None });
    }

    fn start(&mut self, underway: Underway) {
        self.pause();
        self.time.underway = Some(underway);
        self.travel(AT_ONCE);
    }

    /// Goes on with the journey in a frame in which `limit` moves of the show would be made; whether there was one.
    pub(super) fn travel_frame(&mut self, limit: usize) -> bool {
        if self.time.underway.is_none() {
            return false;
        }
        self.travel(limit as u64 * PER_FRAME);
        true
    }

    fn travel(&mut self, moves: u64) {
        if self.stops_for_room() {
            return;
        }
        let Some(mut underway) = self.time.underway.take() else { return };
        match underway.journey.travel(&mut self.timeline, moves) {
            Arrival::Under => {
                self.time.underway = Some(underway);
                self.player.jumped(&self.timeline);
                self.jumped = true;
                self.stale = true;
                return;
            }
            Arrival::There(turns) => self.time.stopped = Some((self.timeline.moment(), turns)),
            Arrival::TooFar => self.tell("tt.toofar", Vec::new()),
            Arrival::Rests => self.tell("tt.rests", Vec::new()),
        }
        self.arrived();
        if let Some(digest) = underway.digest
            && digest != self.timeline.digest()
        {
            self.tell("sh.differs", Vec::new());
        }
    }

    /// Ends a journey on the way, and the show with it.
    pub(super) fn stop_journey(&mut self) {
        self.time.underway = None;
        self.player.set_playing(false);
        self.arrived();
    }

    fn arrived(&mut self) {
        self.player.jumped(&self.timeline);
        self.jumped = true;
        self.refresh();
    }

    fn mark(&mut self) {
        if self.time.bookmarks.len() >= 50 {
            self.tell("tt.marks.full", Vec::new());
            return;
        }
        let (moment, line) = (self.timeline.moment(), self.timeline.line());
        let need = self.view.servers.first().map_or(1, |s| s.quorum);
        let entry = self.timeline.history().caption_at(moment);
        let words = entry.and_then(|e| captions::caption(&self.texts, &e.what, need)).map(|c| c.text);
        let name = words.unwrap_or_else(|| self.texts.t("tt.mark.start"));
        let name = name.chars().take(60).collect();
        self.time.bookmarks.push(Bookmark { name, line, moment });
        self.tell("tt.marked", vec![("n", moment.to_string())]);
    }

    fn hover(&mut self, place: Option<f32>) {
        let moment = place.map(|share| {
            let history = self.timeline.history();
            history.event_at(share.clamp(0.0, 1.0) * history.length())
        });
        if moment == self.time.preview.as_ref().map(|(m, _)| *m) {
            return;
        }
        self.time.preview = moment.and_then(|m| Some((m, Rc::new(self.timeline.peek(m)?.world().view()))));
    }

    /// Brings what is shown of this part up to now.
    pub(super) fn refresh_time(&mut self) {
        let world = self.timeline.world();
        let troubles = world.troubles();
        if *self.time.troubles != troubles {
            self.time.troubles = Rc::new(troubles);
        }
        let upcoming = if self.player.is_playing() { Vec::new() } else { world.upcoming(FUTURE) };
        if *self.time.upcoming != upcoming {
            self.time.upcoming = Rc::new(upcoming);
        }
    }

    /// Everything that makes this run, and where it stands.
    pub fn run(&self) -> Run {
        let (lines, current) = self.timeline.logs();
        let numbers: Vec<u32> = self.timeline.lines().iter().map(|l| l.id).collect();
        let index = |line: u32| numbers.iter().position(|n| *n == line).and_then(|i| u32::try_from(i).ok());
        let marks = self.time.bookmarks.iter();
        let bookmarks = marks.filter_map(|b| Some(Bookmark { line: index(b.line)?, ..b.clone() })).collect();
        Run {
            scenario: self.lesson.as_ref().map(|l| l.name.clone()),
            spec: self.spec.clone(),
            lines,
            current,
            moment: self.timeline.moment(),
            digest: self.timeline.world().digest(),
            bookmarks,
            places: self.desk.places(),
        }
    }

    /// Everything that happened in this line up to now, from its beginning.
    pub fn records(&self) -> Vec<TraceRecord> {
        let mut driver = self.driver();
        let mut commands = self.timeline.commands().iter().peekable();
        let mut now = 0;
        loop {
            while let Some((_, command)) = commands.next_if(|(at, _)| *at == now) {
                if driver.command(command).is_err() {
                    return driver.trace();
                }
            }
            if now >= self.timeline.moment() || driver.advance().is_none() {
                return driver.trace();
            }
            now += 1;
        }
    }

    fn driver(&self) -> Driver {
        match &self.lesson {
            Some(scenario) => Driver::lesson(Scenario { world: self.spec.clone(), ..scenario.clone() }),
            None => Driver::free(self.spec.clone()),
        }
    }

    /// Opens the run of an address.
    pub(super) fn open_link(&mut self, text: &str) {
        match Run::from_link(text) {
            Ok(run) => self.open_run(run),
            Err(error) => self.refuse_run(error, true),
        }
    }

    fn open_run(&mut self, run: Run) {
        let lesson = match &run.scenario {
            Some(name) => match lessons::find(name) {
                Some(lesson) => Some(lesson),
                None => {
                    self.begin(WorldSpec { ..run.spec }, None);
                    self.tell("err.scenario", vec![("name", name.clone())]);
                    return;
                }
            },
            None => None,
        };
        self.begin(run.spec, lesson);
        self.desk.take_places(&run.places);
        self.pause();
        self.timeline = Timeline::with_lines(self.driver(), run.lines, run.current);
        let speed = self.player.speed();
        self.player = Player::new(false);
        self.player.set_speed(speed);
        let page = |b: Bookmark| Bookmark { line: b.line.saturating_add(1), ..b };
        self.time.bookmarks = run.bookmarks.into_iter().map(page).collect();
        let journey = Journey::new(Goal::Moment(run.moment), &self.timeline);
        self.start(Underway { journey, digest: Some(run.digest) });
    }

    /// Says what is wrong with a run from outside, and shows what comes nearest.
    fn refuse_run(&mut self, error: RunError, begin: bool) {
        match error {
            RunError::Version { theirs, scenario, seed } => {
                let lesson = scenario.and_then(|name| lessons::find(&name));
                let seed = seed.unwrap_or(WorldSpec::default().seed);
                let spec = lesson.as_ref().map_or_else(WorldSpec::default, |l| l.world.clone());
                self.begin(WorldSpec { seed, ..spec }, lesson);
                self.pause();
                self.tell("sh.version", vec![("theirs", theirs)]);
            }
            error => {
                if begin {
                    self.begin(WorldSpec::default(), None);
                }
                match error {
                    RunError::TooMuch(what) => self.tell("sh.toomuch", vec![("what", what.into())]),
                    RunError::Broken(what) => self.tell("sh.broken", vec![("what", what)]),
                    RunError::Version { .. } => {}
                }
            }
        }
    }

    /// A new run: nothing of this part's state belongs to it.
    pub(super) fn forget_time(&mut self) {
        self.time = TimeState::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Choose;
    use crate::i18n::Lang;
    use crate::scene::layout::Geometry;
    use crate::store::Action;
    use zebu_core::id::ServerId;
    use zebu_core::sim::command::Command;

    fn state() -> State {
        let mut s = State::new(Lang::En);
        s.reduce(Action::Pause);
        s
    }

    fn finish(s: &mut State) {
        for _ in 0..10_000 {
            if s.goal().is_none() {
                return;
            }
            s.reduce(Action::Frame(0.016, 60));
        }
        panic!("the journey does not end");
    }

    fn go(s: &mut State, goal: Goal) {
        s.reduce(Action::Time(TimeAction::Until(goal)));
        finish(s);
    }

    fn told(s: &State) -> String {
        s.notice.as_ref().map(|n| n.text(&s.texts)).unwrap_or_default()
    }

    #[test]
    fn s1_a_link_opens_at_the_same_digest_with_its_lines_and_bookmarks() {
        let mut s = state();
        go(&mut s, Goal::Moves(900));
        s.reduce(Action::Time(TimeAction::Mark));
        s.reduce(Action::Do(Command::Kill { server: ServerId(5) }));
        go(&mut s, Goal::Moves(300));
        let old = s.digest.unwrap();
        s.reduce(Action::Seek(700));
        s.reduce(Action::Do(Command::Kill { server: ServerId(1) }));
        go(&mut s, Goal::Moves(1500));
        let (digest, moment) = (s.digest.unwrap(), s.timeline().moment());
        let link = s.run().to_link();

        let mut other = State::new(Lang::Zh);
        other.reduce(Action::Route(format!("#/r/{link}")));
        assert!(other.goal().is_some(), "a long way is cut into pieces");
        finish(&mut other);
        assert_eq!((other.digest.unwrap(), other.timeline().moment(), told(&other)), (digest, moment, String::new()));
        assert_eq!(other.time.bookmarks, s.time.bookmarks);
        other.reduce(Action::Time(TimeAction::Line(1)));
        finish(&mut other);
        assert_eq!(other.digest.unwrap(), old);
        assert_eq!(other.timeline().diverged(), None);
        assert_eq!(other.records().len(), {
            s.reduce(Action::Time(TimeAction::Line(1)));
            s.records().len()
        });
    }

    #[test]
    fn v17_a_link_holds_how_the_servers_stand_and_nothing_wilder() {
        let mut s = state();
        s.reduce(Action::Desk(Choose::Geometry(Geometry::Row)));
        s.reduce(Action::Desk(Choose::Move(ServerId(4), (0.25, 0.75))));
        let run = s.run();
        let mut other = State::new(Lang::En);
        other.reduce(Action::Desk(Choose::Move(ServerId(1), (0.5, 0.5))));
        other.reduce(Action::Route(format!("#/r/{}", run.to_link())));
        assert_eq!(
            (other.desk.geometry, &other.desk.moved, told(&other)),
            (Geometry::Row, &s.desk.moved, String::new())
        );
        for (key, value) in [("p", "[[4,4000000000,1]]"), ("p", "[[77,1,1]]"), ("g", "\"spiral\"")] {
            let mut json = run.to_json();
            json[key] = serde_json::from_str(value).unwrap();
            let mut s = State::new(Lang::En);
            s.reduce(Action::Time(TimeAction::Import(format!("{{\"format\":\"zebu-run\",\"run\":{json}}}"))));
            assert!(told(&s).contains(key) && s.desk.moved.is_empty(), "{}", told(&s));
        }
    }

    #[test]
    fn v13_another_line_is_compared_and_gone_to() {
        let mut s = state();
        go(&mut s, Goal::Moves(300));
        s.reduce(Action::Seek(200));
        s.reduce(Action::Do(Command::Kill { server: ServerId(1) }));
        go(&mut s, Goal::Moves(50));
        s.reduce(Action::Time(TimeAction::Compare(1)));
        assert_eq!((s.dialog, s.timeline().moment()), (Some(Dialog::Lines), 250), "nothing moves");
        let there = s.time.comparison.as_ref().unwrap().sides[1].moment;
        s.reduce(Action::Time(TimeAction::Go(1, there)));
        assert_eq!((s.dialog, s.timeline().line(), s.timeline().moment()), (None, 1, 201));
        s.reduce(Action::Time(TimeAction::Compare(1)));
        assert_eq!(s.dialog, None, "a line is not compared with itself");
    }

    #[test]
    fn s1_a_link_that_is_no_run_has_a_message_and_a_way_on() {
        let good = state().run();
        let wrong_digest = Run { digest: 5, ..good.clone() }.to_link();
        let mut foreign = good.to_json();
        foreign["v"] = 99.into();
        foreign["s"] = "leader-crash".into();
        let foreign = format!("{{\"format\":\"zebu-run\",\"run\":{foreign}}}");
        for (hash, words) in [
            ("#/r/".into(), "link"),
            ("#/r/AAAA".into(), "link"),
            (format!("#/r/{}", "x".repeat(70_000)), "too much"),
            (format!("#/r/{wrong_digest}"), "another"),
        ] {
            let mut s = State::new(Lang::En);
            s.reduce(Action::Route(hash));
            assert!(told(&s).contains(words), "{}", told(&s));
            assert_eq!(s.view.servers.len(), 5, "there is something to go on with");
        }
        let mut s = state();
        s.reduce(Action::Time(TimeAction::Import(foreign)));
        assert!(told(&s).contains("99"), "{}", told(&s));
        assert_eq!(s.lesson().map(|l| l.name.as_str()), Some("leader-crash"), "the nearest scenario");
    }

    #[test]
    fn t13_bookmarks_are_named_and_found_again() {
        let mut s = state();
        go(&mut s, Goal::Moves(300));
        s.reduce(Action::Time(TimeAction::Mark));
        s.reduce(Action::Time(TimeAction::Rename(0, "here".into())));
        let digest = s.digest;
        go(&mut s, Goal::Moves(100));
        s.reduce(Action::Time(TimeAction::GoMark(0)));
        assert_eq!((s.timeline().moment(), s.digest), (300, digest));
        assert_eq!(s.time.bookmarks[0].name, "here");
        s.reduce(Action::Time(TimeAction::Unmark(0)));
        assert!(s.time.bookmarks.is_empty());
    }

    #[test]
    fn t11_the_future_is_listed_while_the_show_stands_still() {
        let mut s = state();
        go(&mut s, Goal::Moves(200));
        let coming = s.time.upcoming.clone();
        assert!(!coming.is_empty() && coming.len() <= FUTURE);
        for next in coming.iter().take(3) {
            match next.message {
                Some(id) => {
                    go(&mut s, Goal::Message(id));
                    assert_eq!(s.view.at, next.event.at, "it runs until the one that was pressed");
                }
                None => {
                    go(&mut s, Goal::Passed(next.event.at));
                    // A timer may have been set anew on the way: then it is no event any more.
                    assert!(s.view.at <= next.event.at && s.view.next.as_ref().is_some_and(|n| n.at > next.event.at));
                }
            }
        }
        s.reduce(Action::Play);
        s.look();
        assert!(s.time.upcoming.is_empty());
    }

    #[test]
    fn f3_a_partition_is_one_command_and_one_undo() {
        let mut s = state();
        go(&mut s, Goal::Moves(300));
        let digest = s.digest;
        s.reduce(Action::Partition("1,2 | 3,4,5".into()));
        assert_eq!(s.view.links.iter().filter(|l| l.cut).count(), 12);
        go(&mut s, Goal::Moves(50));
        s.reduce(Action::Time(TimeAction::Undo));
        assert!(s.view.links.is_empty());
        assert_eq!(s.digest, digest);
    }
}
