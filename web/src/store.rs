//! The state of the page and every way to change it. No browser in here: the page's behaviour is tested natively.

mod asking;
pub mod filming;
mod opening;
mod refusals;
mod room;
mod runs;
#[cfg(test)]
mod tests;
pub mod time;

use self::time::{TimeAction, TimeState};
use crate::desk::{Choose, Desk};
use crate::driver::{Driver, Outcome};
use crate::goals::Goal;
use crate::i18n::{Lang, Texts};
use crate::lessons;
use crate::player::Player;
use crate::record;
use crate::route::{self, OBSERVERS, Route, SERVERS};
use crate::search::Search;
use crate::timeline::Timeline;
use filming::Filming;
use std::rc::Rc;
use zebu_core::config::BrokenRule;
use zebu_core::config::MemberKind;
use zebu_core::id::ServerId;
use zebu_core::scenario::{Scenario, Step};
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::label::Labels;
use zebu_core::sim::spec::Protocol;
use zebu_core::sim::view::{Flight, Shown, WorldView};
use zebu_core::sim::{CommandError, WorldSpec};

/// What the pane beside (on a phone: below) the stage shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The logs.
    Ledger,
    /// The selected server.
    Inspect,
    /// What happened.
    Events,
    /// What can be counted.
    Figures,
    /// Clients.
    Clients,
    /// Links.
    Faults,
    /// Znodes.
    Tree,
}

impl Tab {
    /// Its name in style rules.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Ledger => "ledger",
            Tab::Inspect => "inspect",
            Tab::Events => "events",
            Tab::Figures => "figures",
            Tab::Clients => "clients",
            Tab::Faults => "faults",
            Tab::Tree => "tree",
        }
    }

    /// Where it is in the page, as a selector.
    pub fn pane(self) -> &'static str {
        match self {
            Tab::Ledger => ".ledger-pane",
            Tab::Inspect | Tab::Events | Tab::Figures => ".tabs",
            Tab::Clients => ".clients-pane",
            Tab::Faults => ".links-pane",
            Tab::Tree => ".tree-pane",
        }
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// What lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// Keys and signs.
    Help,
    /// The list of scenarios.
    Scenarios,
    /// The ensemble's make-up.
    Setup,
    /// This run as a link, a file, a picture.
    Share,
    /// Two lines of the run beside each other.
    Lines,
}

/// What was clicked on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A server.
    Server(ServerId),
    /// The link between two.
    Link(ServerId, ServerId),
    /// A message under way.
    Message(u64),
}

/// Something that did not work, or has to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Notice {
    /// In the reader's language.
    pub fn text(&self, t: &Texts) -> String {
        let values: Vec<(&str, &dyn std::fmt::Display)> =
            self.values.iter().map(|(n, v)| (*n, v as &dyn std::fmt::Display)).collect();
        t.fill(self.key, &values)
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A frame of so many seconds, in which at most so many moves may be made.
    Frame(f64, usize),
    /// Play.
    Play,
    /// Pause.
    Pause,
    /// Play or pause.
    Toggle,
    /// One event.
    Step,
    /// One event back.
    StepBack,
    /// To the next turn of the protocol.
    NextTurn,
    /// To a moment.
    Seek(u64),
    /// To a place of the timeline, 0 to 1.
    SeekPlace(f32),
    /// Speed, relative.
    Faster(i8),
    /// A button of the world.
    Do(Command),
    /// Partition by groups as typed.
    Partition(String),
    /// An operation typed for a client, through a server or its own.
    Ask {
        /// Who asks; a client that does not exist yet is connected first.
        client: ClientId,
        /// Through which server.
        via: Option<ServerId>,
        /// As typed.
        line: String,
    },
    /// A recipe for a client, as typed.
    RunRecipe {
        /// Who; a client that does not exist yet is connected first.
        client: ClientId,
        /// As typed.
        line: String,
    },
    /// Another ensemble, from its beginning.
    Setup {
        /// Voting servers.
        servers: u32,
        /// Observers.
        observers: u32,
        /// The seed.
        seed: u64,
        /// A rule broken from the beginning.
        broken: Option<BrokenRule>,
        /// Which protocol the servers run.
        protocol: Protocol,
        /// Its members may change.
        reconfig: bool,
    },
    /// The same again from its beginning.
    Reset,
    /// What stands behind `#`.
    Route(String),
    /// A scenario.
    Lesson(String),
    /// Out of the scenario.
    Leave,
    /// The scenario's next passage; at once, if it is on its way there.
    NextChapter,
    /// The passage before.
    PrevChapter,
    /// To the scenario's end at once.
    RunToEnd,
    /// Select a server.
    Select(ServerId),
    /// Open or close the menu of something on the stage.
    Menu(Option<Target>),
    /// Open or close a dialog.
    Open(Option<Dialog>),
    /// Show a pane.
    Show(Tab),
    /// Kill or restart the selected server.
    KillSelected,
    /// Pause or resume the selected server.
    FreezeSelected,
    /// Change the language.
    Language(Lang),
    /// Change light and dark; the argument says what the system wants.
    ToggleTheme(bool),
    /// Only the picture, or everything.
    StageMode,
    /// A choice about the picture.
    Desk(Choose),
    /// Change who is a member: who joins (or changes its role), and who leaves.
    Members { join: Vec<(ServerId, MemberKind)>, leave: Vec<ServerId> },
    /// About a film of the show.
    Film(Filming),
    /// The presenter's window.
    Notes,
    /// Begin to record the run, or stop and hand it over as a file.
    Record,
    /// A scenario file that was opened.
    OpenFile(String),
    /// Look for the shortest run that breaks a rule, with the rule that is broken on purpose.
    Search,
    /// A black screen while a class is taught, and back.
    Black,
    /// Take the lasso in hand, or put it away.
    Lasso,
    /// A change of time that is more than a step.
    Time(TimeAction),
    /// Take the message away.
    Dismiss,
    /// The stage has this size now.
    Resize(f64, f64),
}

/// The page.
pub struct State {
    timeline: Timeline,
    player: Player,
    /// The picture of the moment.
    pub view: Rc<WorldView>,
    /// The digest of the moment, once the show stands still: it takes long enough to be felt in a running one.
    pub digest: Option<u64>,
    /// Moves were made since the picture was made.
    stale: bool,
    spec: WorldSpec,
    lesson: Option<Scenario>,
    /// All texts.
    pub texts: Rc<Texts>,
    /// Light or dark.
    pub theme: Theme,
    /// The server that inspector and tree show.
    pub selected: ServerId,
    /// What has its menu open.
    pub menu: Option<Target>,
    /// What lies over the page.
    pub dialog: Option<Dialog>,
    /// The pane shown.
    pub tab: Tab,
    /// Only the picture.
    pub stage_mode: bool,
    /// Something to tell.
    pub notice: Option<Notice>,
    /// Width and height of the stage.
    pub size: (f64, f64),
    /// The last change was a jump in time.
    pub jumped: bool,
    /// What was chosen about the picture.
    pub desk: Desk,
    /// The lesson goes on by itself until somebody presses something, and pauses this many seconds at a passage.
    guide: Option<f64>,
    /// A loop is about to be drawn around servers.
    pub lasso: bool,
    /// Journeys, bookmarks, what comes.
    pub time: TimeState,
    /// A search under way.
    search: Option<Search>,
    /// A file to hand over: its name and its text.
    pub file: Option<(String, String)>,
    /// What the run may take, bytes.
    room: usize,
    /// Messages under way when it was last looked.
    aloft: Vec<Flight>,
    /// What transactions of earlier pictures say.
    labels: Labels,
    /// Somebody drags the slider: seconds since its last move.
    dragging: Option<f64>,
}

/// Seconds after which a slider that is not moved any more stands still.
const STILL: f64 = 0.12;

impl State {
    /// The page as it opens: free mode, playing.
    pub fn new(lang: Lang) -> State {
        let spec = WorldSpec::default();
        let timeline = Timeline::new(Driver::free(spec.clone()));
        let view = Rc::new(timeline.world().view());
        State {
            timeline,
            player: Player::new(true),
            view,
            digest: None,
            stale: false,
            spec,
            lesson: None,
            texts: Texts::load(lang),
            theme: Theme::System,
            selected: ServerId(1),
            menu: None,
            dialog: None,
            tab: Tab::Inspect,
            stage_mode: false,
            notice: None,
            size: (1152.0, 600.0),
            jumped: true,
            desk: Desk::default(),
            guide: None,
            lasso: false,
            time: TimeState::default(),
            search: None,
            file: None,
            room: room::ROOM,
            aloft: Vec::new(),
            labels: Labels::default(),
            dragging: None,
        }
    }

    /// How many runs a search has tried, while it goes on.
    pub fn searching(&self) -> Option<u32> {
        self.search.as_ref().map(Search::tried)
    }

    /// The run.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The show.
    pub fn player(&self) -> &Player {
        &self.player
    }

    /// What the world is made of.
    pub fn spec(&self) -> &WorldSpec {
        &self.spec
    }

    /// The scenario on the stage.
    pub fn lesson(&self) -> Option<&Scenario> {
        self.lesson.as_ref()
    }

    /// The passage that speaks now: its number from 1, how many there are, and its step.
    pub fn chapter(&self) -> Option<(usize, usize, &Step)> {
        let (index, step) = self.timeline.driver().chapter()?;
        let steps = &self.lesson.as_ref()?.steps;
        let spoken = |upto: usize| steps.iter().take(upto).filter(|s| s.note.is_some()).count();
        Some((spoken(index + 1), spoken(steps.len()), step))
    }

    /// The words of the passage that comes next.
    pub fn next_note(&self) -> Option<String> {
        let here = self.timeline.driver().chapter().map_or(0, |(index, _)| index + 1);
        let next = self.lesson.as_ref()?.steps.iter().skip(here).find_map(|s| s.note.as_ref())?;
        Some(match self.texts.lang {
            Lang::En => next.en.clone(),
            Lang::Zh => next.zh.clone(),
        })
    }

    /// Whether somebody drags the slider of the timeline.
    pub fn is_dragging(&self) -> bool {
        self.dragging.is_some()
    }

    /// The servers' ids.
    pub fn servers(&self) -> Vec<ServerId> {
        self.view.servers.iter().map(|s| s.id).collect()
    }

    /// The first client name that is free.
    pub fn free_client(&self) -> ClientId {
        (0..).map(ClientId).find(|id| self.view.clients.iter().all(|c| c.id != *id)).unwrap_or(ClientId(0))
    }

    /// Changes the state; whether the page has to be drawn anew.
    pub fn reduce(&mut self, action: Action) -> bool {
        self.jumped = false;
        // What is asked of clients needs no picture, unless the client is new.
        if !matches!(action, Action::Frame(..) | Action::Ask { .. }) {
            self.look();
        }
        // Whoever presses something takes the lesson into his own hands.
        let looks = matches!(action, Action::Frame(..) | Action::Resize(..) | Action::Route(_) | Action::Desk(_))
            || matches!(action, Action::Time(TimeAction::Hover(_)) | Action::Film(Filming::Saved(..)));
        if !looks && !matches!(action, Action::Language(_) | Action::ToggleTheme(_) | Action::Faster(_)) {
            self.guide = None;
        }
        let goes_on = matches!(action, Action::Frame(..) | Action::Resize(..) | Action::Time(TimeAction::Hover(_)));
        if !goes_on {
            self.dragging = matches!(action, Action::SeekPlace(_)).then_some(0.0);
        }
        match action {
            Action::Frame(dt, limit) => return self.frame(dt, limit),
            Action::Desk(choice) => self.desk.choose(choice),
            // The page opens it.
            Action::Notes => {}
            Action::Film(what) => self.film(what),
            Action::Record => self.record(),
            Action::OpenFile(text) => match record::read(&text) {
                Ok(scenario) => {
                    self.dialog = None;
                    self.begin(scenario.world.clone(), Some(scenario));
                }
                Err(what) => self.tell("see.file.wrong", vec![("what", what.chars().take(160).collect())]),
            },
            Action::Search => {
                self.pause();
                self.dialog = None;
                let broken = self.timeline.world().spec().broken.or(Some(BrokenRule::CommitWithoutQuorum));
                self.search = Search::new(self.spec.servers, self.spec.seed, broken);
            }
            Action::Black if self.stage_mode || self.desk.black => self.desk.choose(Choose::Black),
            // In front of a class the key makes the screen black; else it is a bookmark.
            Action::Black => self.time(TimeAction::Mark),
            Action::Play => self.play(),
            Action::Pause => self.pause(),
            Action::Toggle if self.player.is_playing() => self.pause(),
            Action::Toggle => self.play(),
            Action::Step => {
                self.pause();
                if !self.stops_for_room() {
                    self.player.step(&mut self.timeline);
                    self.refresh();
                }
            }
            Action::StepBack => {
                self.pause();
                self.seek(self.timeline.moment().saturating_sub(1));
            }
            Action::NextTurn => self.until(Goal::Turn),
            Action::Lasso => {
                self.lasso = !self.lasso;
                self.menu = None;
            }
            Action::Time(action) => self.time(action),
            Action::Seek(moment) => {
                self.pause();
                self.seek(moment);
            }
            Action::SeekPlace(share) => {
                self.pause();
                let history = self.timeline.history();
                let moment = history.event_at(share.clamp(0.0, 1.0) * history.length());
                self.seek(moment);
            }
            Action::Faster(by) => self.player.set_speed(self.player.speed().saturating_add(by)),
            Action::Do(command) => {
                self.command(command);
            }
            Action::Partition(text) => self.partition(&text),
            Action::Ask { client, via, line } => self.ask(client, via, line),
            Action::RunRecipe { client, line } => self.run_recipe(client, line),
            Action::Members { join, leave } => self.change_members(join, leave),
            Action::Setup { servers, observers, seed, broken, protocol, reconfig } => {
                if self.check_number("setup.servers", servers, SERVERS)
                    && self.check_number("setup.observers", observers, (0, OBSERVERS))
                {
                    // Observers and broken rules are ZooKeeper's.
                    let (observers, broken) = if protocol.is_zookeeper() { (observers, broken) } else { (0, None) };
                    let reconfig = reconfig && protocol.is_zookeeper();
                    let spec =
                        WorldSpec { servers, observers, seed, broken, protocol, reconfig, ..WorldSpec::default() };
                    self.dialog = None;
                    self.begin(spec, None);
                }
            }
            Action::Reset => self.begin(self.spec.clone(), self.lesson.clone()),
            Action::Route(hash) => self.route(&hash),
            Action::Lesson(name) => {
                self.dialog = None;
                self.go(Route { scenario: Some(name), settings: route::Settings::default() });
            }
            Action::Leave => self.begin(WorldSpec::default(), None),
            Action::NextChapter => self.next_chapter(),
            Action::PrevChapter => {
                self.pause();
                let now = self.timeline.moment();
                // The beginning of this passage; from there, of the one before.
                let to = self.timeline.chapters().iter().copied().rfind(|m| *m < now).unwrap_or(0);
                self.seek(to);
            }
            Action::RunToEnd => self.run_to_end(),
            Action::Select(id) => {
                self.selected = id;
                self.tab = Tab::Inspect;
            }
            Action::Menu(target) => {
                if let Some(Target::Server(id)) = target {
                    self.selected = id;
                }
                self.menu = target;
            }
            Action::Open(dialog) => {
                if dialog == Some(Dialog::Share) {
                    self.pause();
                }
                self.dialog = dialog;
                self.menu = None;
            }
            Action::Show(tab) => self.tab = tab,
            Action::KillSelected => {
                let server = self.selected;
                let down = self.shown(server).is_none_or(|(shown, _)| shown == Shown::Down);
                self.command(if down { Command::Restart { server } } else { Command::Kill { server } });
            }
            Action::FreezeSelected => {
                let server = self.selected;
                let paused = self.shown(server).is_some_and(|(_, paused)| paused);
                self.command(if paused { Command::Resume { server } } else { Command::Pause { server } });
            }
            Action::Language(lang) => self.texts = Texts::load(lang),
            Action::ToggleTheme(system_is_dark) => {
                let dark = match self.theme {
                    Theme::System => system_is_dark,
                    Theme::Light => false,
                    Theme::Dark => true,
                };
                self.theme = if dark { Theme::Light } else { Theme::Dark };
            }
            Action::StageMode => self.stage_mode = !self.stage_mode,
            Action::Dismiss => self.notice = None,
            Action::Resize(w, h) => {
                if self.size == (w, h) {
                    return false;
                }
                self.size = (w, h);
                self.jumped = true;
            }
        }
        // While the show runs, its next frame looks.
        if !self.player.is_playing() {
            self.look();
        }
        true
    }

    fn frame(&mut self, dt: f64, limit: usize) -> bool {
        if let Some(search) = &mut self.search {
            // A few a frame: the page stays alive.
            let more = (0..3).all(|_| search.try_one());
            if !more && let Some(search) = self.search.take() {
                self.open_found(&search);
            }
            return true;
        }
        if self.travel_frame(limit) {
            return true;
        }
        if let Some(since) = &mut self.dragging {
            *since += dt;
            if *since > STILL {
                self.dragging = None;
                self.digest = Some(self.timeline.digest());
                return true;
            }
        }
        if let Some(left) = &mut self.guide
            && !self.player.is_playing()
        {
            *left -= dt.min(0.1);
            if *left <= 0.0 && self.timeline.driver().outcome().is_none() {
                self.player.set_playing(true);
            }
        }
        if self.player.is_playing() && self.stops_for_room() {
            return true;
        }
        let frame = self.player.frame(&mut self.timeline, dt, limit);
        if frame.chapter && self.guide.is_some() {
            self.guide = Some(self.reading());
        }
        self.stale |= frame.moves > 0;
        if !self.player.is_playing() && frame.moves > 0 {
            self.refresh();
        } else if frame.moves > 0 {
            self.fly();
        }
        frame.moves > 0
    }

    /// Brings the picture up to this moment.
    pub fn look(&mut self) {
        if self.stale {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        self.stale = false;
        self.fly();
        self.view = Rc::new(self.timeline.world().view_with(self.aloft.clone(), &mut self.labels));
        // To hash all there is takes as long as a seek: not while moments rush by.
        let moving = self.player.is_playing() || self.dragging.is_some();
        self.digest = if moving { None } else { Some(self.timeline.digest()) };
        self.refresh_time();
    }

    /// Messages under way at this moment.
    pub fn aloft(&self) -> &[Flight] {
        &self.aloft
    }

    fn fly(&mut self) {
        // After a jump a number may stand for another message.
        let known = if self.jumped { Vec::new() } else { std::mem::take(&mut self.aloft) };
        self.aloft = self.timeline.world().flights_from(known);
    }

    fn play(&mut self) {
        self.player.set_playing(true);
        // What is shown only while the show stands still goes away.
        self.stale = true;
    }

    fn pause(&mut self) {
        self.player.set_playing(false);
        self.stale = true;
    }

    fn seek(&mut self, moment: u64) {
        self.timeline.seek(moment);
        self.player.jumped(&self.timeline);
        self.jumped = true;
        self.refresh();
    }

    fn shown(&self, id: ServerId) -> Option<(Shown, bool)> {
        self.view.servers.iter().find(|s| s.id == id).map(|s| (s.shown, s.paused))
    }

    fn next_chapter(&mut self) {
        if self.timeline.driver().scenario().is_none() || self.timeline.driver().outcome().is_some() {
            return;
        }
        // On its way already: finish at once. Nobody has to wait.
        if self.player.is_playing() {
            self.until(Goal::Chapter);
        } else {
            self.player.set_playing(true);
        }
    }

    fn run_to_end(&mut self) {
        if self.timeline.driver().scenario().is_some() {
            self.until(Goal::End);
        }
    }

    fn begin(&mut self, spec: WorldSpec, lesson: Option<Scenario>) {
        let name = |l: &Option<Scenario>| l.as_ref().map(|l| l.name.clone());
        self.desk.begin(name(&lesson) == name(&self.lesson) && spec == self.spec);
        self.guide = None;
        let driver = match &lesson {
            Some(scenario) => Driver::lesson(Scenario { world: spec.clone(), ..scenario.clone() }),
            None => Driver::free(spec.clone()),
        };
        self.timeline = Timeline::new(driver);
        let speed = self.player.speed();
        self.player = Player::new(lesson.is_none());
        self.player.set_speed(speed);
        self.spec = spec;
        self.lesson = lesson;
        self.menu = None;
        self.jumped = true;
        self.notice = None;
        self.forget_time();
        self.refresh();
        if !self.servers().contains(&self.selected) {
            self.selected = ServerId(1);
        }
    }

    fn route(&mut self, hash: &str) {
        // An address that asks for nothing, not even for free mode (`#/?`).
        if matches!(hash, "" | "#" | "#/" | "/") {
            return self.open();
        }
        if let Some(run) = hash.strip_prefix("#/r/") {
            self.open_link(run);
            return;
        }
        match route::parse(hash) {
            Ok(route) => self.go(route),
            Err(what) => {
                self.begin(WorldSpec::default(), None);
                self.tell("err.link", vec![("what", what)]);
            }
        }
    }

    fn go(&mut self, route: Route) {
        let settings = route.settings;
        match route.scenario {
            None => {
                let spec = WorldSpec {
                    servers: settings.servers.unwrap_or(WorldSpec::default().servers),
                    observers: settings.observers.unwrap_or(0),
                    protocol: settings.protocol,
                    seed: settings.seed.unwrap_or(WorldSpec::default().seed),
                    ..WorldSpec::default()
                };
                self.begin(spec, None);
            }
            Some(name) => match lessons::find(&name) {
                Some(lesson) => {
                    let seed = settings.seed.unwrap_or(lesson.world.seed);
                    self.begin(WorldSpec { seed, ..lesson.world.clone() }, Some(lesson));
                }
                None => {
                    self.begin(WorldSpec::default(), None);
                    self.tell("err.scenario", vec![("name", name)]);
                    return;
                }
            },
        }
        self.room = settings.memory.map_or(room::ROOM, |mb| mb * 1_000_000);
        if settings.paused {
            self.pause();
        }
        if settings.run_to_end {
            self.run_to_end();
        }
        if let Some(step) = settings.step {
            self.pause();
            self.until(Goal::Moment(step));
        }
    }

    fn tell(&mut self, key: &'static str, values: Vec<(&'static str, String)>) {
        self.notice = Some(Notice { key, values });
    }

    fn check_number(&mut self, what: &str, n: u32, (low, high): (u32, u32)) -> bool {
        let fine = (low..=high).contains(&n);
        if !fine {
            let what = self.texts.t(what);
            self.tell("err.number", vec![("what", what), ("from", low.to_string()), ("to", high.to_string())]);
        }
        fine
    }

    fn command(&mut self, command: Command) -> bool {
        self.notice = None;
        match self.timeline.command(command) {
            Ok(records) => {
                let held = records.iter().map(|r| crate::captions::weight(&r.event).seconds()).fold(0.0, f64::max);
                self.player.disturbed(held);
                self.stale = true;
                if !self.player.is_playing() {
                    self.refresh();
                }
                true
            }
            Err(e) => {
                self.refuse(&e);
                false
            }
        }
    }

    fn refuse(&mut self, error: &CommandError) {
        self.tell(refusals::text_key(error.code()), vec![("what", error.to_string())]);
    }

    /// The digest of the scenario's trace, once it has been played to its end.
    pub fn trace_digest(&self) -> Option<u64> {
        match self.timeline.driver().outcome() {
            Some(Outcome::Met { trace_digest }) => Some(*trace_digest),
            _ => None,
        }
    }
}
