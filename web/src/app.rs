//! The page: holds the state, hands pieces of it to the components, and runs the frames.

mod filming;
mod panes;

use crate::browser::{self, Media, SizeWatch};
use crate::captions::{self, Caption as Words, Weight};
use crate::components::caption::lesson;
use crate::components::event_list::SHOWN;
use crate::components::help::Help;
use crate::components::lasso::Lasso;
use crate::components::legend::Legend;
use crate::components::line_compare::LineCompare;
use crate::components::menu::Menu;
use crate::components::scenarios::Scenarios;
use crate::components::setup::Setup;
use crate::components::share::{FileKind, Share};
use crate::components::stage::Stage;
use crate::components::time_panel::{self, TimeMenu};
use crate::components::{Do, Send, header, icons, text_twin, views};
use crate::desk::Choose;
use crate::film::{self, Film};
use crate::history::Entry;
use crate::i18n::{Lang, Texts};
use crate::notes::{Lines, Notes};
use crate::paint::Painter;
use crate::parts::{Part, Parts};
use crate::raf::{Frames, Haste, Pace};
use crate::scene::layout::Laid;
use crate::scene::packets::Motion;
use crate::scene::stage::Stage as StageModel;
use crate::scene::tree::TreeModel;
use crate::store::time::TimeAction;
use crate::store::{Action, Dialog, State, Target, Theme};
use crate::{compare_words, embed, export, keys};
use gloo_events::EventListener;
use std::cell::RefCell;
use std::rc::Rc;
use web_sys::{Element, KeyboardEvent};
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::view::{Shown, WorldView};

/// The znodes of a server in a picture, and the picture.
type KnownTree = (Rc<WorldView>, ServerId, Option<Rc<TreeModel>>);

/// What the page is told.
pub enum Msg {
    /// A change.
    Do(Action),
    /// A frame, at this time of the browser in milliseconds.
    Frame(f64),
    /// A picture of a film, as WebP.
    Taken(Result<Vec<u8>, String>),
}

/// The speed, as a power of two, from which on nobody can read what is on a message.
const TOO_FAST: i8 = 3;

/// Moves between two pictures of a film: all that are due, at any speed.
const FILM_MOVES: usize = 2000;

/// Milliseconds between two texts of the live region while the show plays.
const SPEECH: f64 = 2500.0;

/// The page.
pub struct App {
    state: State,
    stage: Rc<StageModel>,
    painter: Painter,
    frames: Frames,
    pace: Pace,
    parts: Parts,
    laid: Laid,
    reduced: Media,
    tree: RefCell<Option<KnownTree>>,
    drawing: Option<f64>,
    /// The film that is being made, and whether its next picture is to be taken.
    film: Option<Film>,
    shoot: bool,
    send: Send,
    stage_box: NodeRef,
    /// What the live region says, and since when.
    spoken: (f64, String),
    /// It stands inside another page.
    embed: bool,
    /// The moment that page was told of last, and whether the show ran.
    told: Option<(u64, bool)>,
    /// The presenter's window.
    notes: Option<Notes>,
    _size: Option<SizeWatch>,
    _listeners: Vec<EventListener>,
}

impl Component for App {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<App>) -> App {
        let mut state = State::new(Lang::from_tag(&browser::language()));
        match browser::stored("zebu-theme").as_deref() {
            Some("light") => state.theme = Theme::Light,
            Some("dark") => state.theme = Theme::Dark,
            _ => {}
        }
        state.desk.take_answers(&browser::stored("zebu-answers").unwrap_or_default());
        let query = embed::parse(&browser::search());
        let hash = browser::hash();
        state.reduce(Action::Route(query.hash.filter(|_| hash.len() < 2).unwrap_or(hash)));
        let send: Send = ctx.link().callback(Msg::Do);
        let around = query.embed.then(|| browser::on_message(message_handler(ctx))).flatten();
        let laser = browser::follow_pointer("laser");
        let listeners =
            [browser::on_hash(send.reform(Action::Route)), browser::on_key(key_handler(ctx)), around, laser];
        browser::remove_loading();
        let mut laid = Laid::default();
        let app = App {
            stage: Rc::new(stage(&state, &mut laid)),
            laid,
            parts: Parts::default(),
            reduced: Media::of("(prefers-reduced-motion: reduce)"),
            tree: RefCell::default(),
            spoken: (0.0, String::new()),
            notes: None,
            painter: Painter::new(NodeRef::default()),
            frames: Frames::start(ctx.link().callback(Msg::Frame)),
            pace: Pace::default(),
            drawing: None,
            film: None,
            shoot: false,
            stage_box: NodeRef::default(),
            embed: query.embed,
            told: None,
            _size: None,
            _listeners: listeners.into_iter().flatten().collect(),
            send,
            state,
        };
        app.dress();
        app
    }

    fn update(&mut self, ctx: &Context<App>, msg: Msg) -> bool {
        match msg {
            Msg::Frame(at) => {
                let passed = self.frames.next(at);
                let dt = match &self.film {
                    None => passed,
                    Some(film) if film.is_busy() => return false,
                    Some(_) => {
                        // A film does not wait for readers.
                        if !self.state.player().is_playing() {
                            self.state.reduce(Action::Play);
                        }
                        film::STEP
                    }
                };
                let filming = self.film.is_some();
                let limit = if filming { FILM_MOVES } else { self.pace.limit() };
                let begun = browser::clock();
                let far = self.state.goal().is_some();
                let changed = self.state.reduce(Action::Frame(dt, limit));
                if changed {
                    self.pace.took(browser::clock() - begun, far);
                    self.parts.changed();
                }
                let playing = self.state.player().is_playing();
                let haste = match far {
                    true => Haste::Far,
                    false if playing && self.state.player().speed() > 0 => Haste::Fast,
                    false => Haste::Normal,
                };
                if far && self.state.goal().is_none() {
                    self.pace.hurry();
                }
                self.shoot = filming;
                // Whoever drags sees one part more with each move, and all of them once the slider rests.
                let behind = self.parts.behind() && !self.state.is_dragging();
                let draw = self.pace.draw(at, changed || behind, haste) || filming;
                if draw {
                    self.drawing = Some(browser::clock());
                    if playing {
                        self.parts.one()
                    } else {
                        self.parts.all()
                    }
                    self.picture();
                } else if changed && !far {
                    self.send_off(false);
                }
                // On the way to a moment far away nothing glides.
                if draw || !far {
                    let motion = if self.reduced.holds() { Motion::Reduced } else { Motion::Full };
                    self.painter.frame(self.state.player().head(), dt, motion);
                }
                draw
            }
            Msg::Taken(picture) => {
                self.taken(picture);
                true
            }
            Msg::Do(action) => {
                if let Action::Film(what) = &action {
                    self.film(ctx, what);
                }
                let shown = if let Action::Show(tab) = action { Some(tab) } else { None };
                let dress = matches!(action, Action::Language(_) | Action::ToggleTheme(_));
                let (notes, answered) = (action == Action::Notes, matches!(action, Action::Desk(Choose::Answer(..))));
                let soon = matches!(action, Action::Ask { .. }) && self.state.player().is_playing();
                let needs = Needs::of(&action);
                let changed = self.state.reduce(action);
                if soon {
                    // The show draws it with its next frame.
                    self.pace.hurry();
                    self.parts.changed();
                    return false;
                }
                match needs {
                    Needs::Stage => {}
                    Needs::Timeline => self.parts.this(Part::Foot),
                    Needs::Turn => {
                        self.parts.changed();
                        self.parts.this(Part::Foot);
                        self.parts.one();
                    }
                    Needs::All => self.parts.all(),
                }
                if notes {
                    self.notes = Notes::open(&self.state.texts.t("see.notes"));
                }
                if answered {
                    browser::store("zebu-answers", &self.state.desk.answers_as_text());
                }
                if let Some((name, text)) = self.state.file.take() {
                    browser::download(&name, &text);
                }
                if changed {
                    self.picture();
                }
                if let Some(tab) = shown.filter(|_| browser::media("(max-width: 900px)")) {
                    browser::scroll_to(tab.pane());
                }
                if dress {
                    self.dress();
                    self.remember();
                }
                changed
            }
        }
    }

    fn rendered(&mut self, ctx: &Context<App>, first: bool) {
        self.tell_around();
        self.shoot();
        if let Some(begun) = self.drawing.take() {
            self.pace.drew(browser::clock() - begun);
        }
        if first && let Some(element) = self.stage_box.cast::<Element>() {
            let resized = ctx.link().callback(|(w, h)| Msg::Do(Action::Resize(w, h)));
            self._size = SizeWatch::new(&element, resized);
        }
    }

    fn view(&self, _: &Context<App>) -> Html {
        let s = &self.state;
        let t = &s.texts;
        let scenario = lesson(s);
        let mode = if s.stage_mode { "stage" } else { "all" };
        let centre = s.desk.centre.name();
        html! {
            <div class="app" data-tab={s.tab.name()} data-mode={mode} data-centre={centre} data-embed={self.embed.to_string()}
                data-lesson={scenario.is_some().to_string()}>
                { header::view(&header::Props {
                    texts: t.clone(),
                    lesson: scenario.as_ref().map(|l| l.title.clone()),
                    setup: self.setup_text(),
                    recording: s.desk.recording.is_some(),
                    stage_mode: s.stage_mode,
                    system_is_dark: browser::media("(prefers-color-scheme: dark)"),
                    send: self.send.clone(),
                }) }
                { self.parts.show(Part::Left, || self.left()) }
                <main class="centre">
                    <div class="stage-box" ref={self.stage_box.clone()} onclick={self.on_message(false)} oncontextmenu={self.on_message(true)}>
                        <Stage texts={t.clone()} stage={self.stage.clone()} selected={s.selected} troubles={s.time.troubles.clone()} send={self.send.clone()}
                            packets={self.painter.root()}/>
                        { self.spacetime() }
                        { views::view(t, &s.desk, s.stage_mode, s.searching(), &self.send) }
                        if s.desk.legend { <Legend texts={t.clone()} legend={self.legend()} send={self.send.clone()}/> }
                        { self.menu() }
                        { self.notice() }
                        { self.travel() }
                        { self.film_bar() }
                        if s.lasso { { self.lasso() } }
                        if let Some(skipped) = s.player().skipped() {
                            <p class="skipped" data-testid="skipped">{ "⏩ " }{ t.duration(skipped) }</p>
                        }
                    </div>
                    { self.parts.show(Part::Lower, || self.lower()) }
                </main>
                { self.right(scenario) }
                { self.parts.show(Part::Foot, || self.foot()) }
                { self.phone_tabs() }
                { text_twin::view(&text_twin::Props {
                    texts: t.clone(),
                    rows: text_twin::rows(&s.view),
                    digest: s.digest,
                    events: s.view.events,
                    time: s.view.at.0,
                    trace: s.trace_digest(),
                }) }
                <p class="sr" role="status" aria-live="polite" data-testid="live">{ &self.spoken.1 }</p>
                { self.dialog() }
                if s.desk.laser { <div id="laser" aria-hidden="true"></div> }
                if s.desk.black {
                    <button type="button" class="black" aria-label={t.t("see.black.back")} onclick={self.send.reform(|_: MouseEvent| Action::Black)}></button>
                }
            </div>
        }
    }
}

/// What of the page a change has to draw anew at once, the stage apart.
enum Needs {
    /// Nothing else.
    Stage,
    /// The timeline.
    Timeline,
    /// The timeline and one part more: the next change comes soon.
    Turn,
    /// Everything.
    All,
}

impl Needs {
    fn of(action: &Action) -> Needs {
        match action {
            Action::Resize(..) => Needs::Stage,
            Action::Time(TimeAction::Hover(_)) => Needs::Timeline,
            Action::SeekPlace(_) => Needs::Turn,
            _ => Needs::All,
        }
    }
}

/// The still part of the stage, as the viewer wants it to stand.
fn stage(state: &State, laid: &mut Laid) -> StageModel {
    let view = &state.view;
    let ids: Vec<ServerId> = view.servers.iter().map(|s| s.id).collect();
    let leader = view.servers.iter().filter(|s| s.shown == Shown::Leading).max_by_key(|s| s.epoch).map(|s| s.id);
    let layout = laid.placed(&ids, state.size, state.desk.geometry, leader, &state.desk.moved);
    let said = state.timeline().history().caption_at(state.timeline().moment());
    let stage = StageModel::on(view, layout).spoken(said.and_then(|e| captions::subject(&e.what)));
    match state.desk.pick {
        Some(pick) => {
            let flow = state.timeline().history().flow();
            stage.lit(&flow.light(pick.place, pick.moment), flow.upto(state.timeline().moment()))
        }
        None => stage,
    }
}

impl App {
    /// Makes the picture of the moment and tells the painter.
    fn picture(&mut self) {
        self.state.look();
        let stage = stage(&self.state, &mut self.laid);
        self.speak();
        if let Some(notes) = self.notes.take() {
            self.notes = notes.show(&self.note_lines()).then_some(notes);
        }
        if *self.stage != stage {
            self.stage = Rc::new(stage);
        }
        self.send_off(self.state.jumped);
    }

    /// The live region says what happened, but never faster than it can be spoken.
    fn speak(&mut self) {
        let now = browser::clock();
        if now - self.spoken.0 >= SPEECH || !self.state.player().is_playing() {
            let words = self.words();
            let note = lesson(&self.state).map(|l| l.note).unwrap_or_default();
            let text = format!("{note} {}", words.text);
            if text != self.spoken.1 {
                self.spoken = (now, text);
            }
        }
    }

    /// What the presenter reads.
    fn note_lines(&self) -> Lines {
        let t = &self.state.texts;
        let (words, lesson) = (self.words(), lesson(&self.state));
        let l = lesson.as_ref();
        let place = l.map(|l| t.fill("scenario.of", &[("n", &l.place.0), ("all", &l.place.1)])).unwrap_or_default();
        let title = l.map_or_else(|| t.t("app.free"), |l| format!("{} · {place}", l.title));
        let then = self.state.next_note().unwrap_or_default();
        let time = t.fill("time.s", &[("n", &format!("{:.2}", self.state.view.at.0 as f64 / 1e6))]);
        vec![
            ("title", title),
            ("note", l.map(|l| l.note.clone()).unwrap_or_default()),
            ("happened", words.text),
            ("why", words.why),
            ("ask", l.and_then(|l| l.asked.as_ref()).map(|a| a.for_presenter()).unwrap_or_default()),
            ("textbook", l.and_then(|l| l.textbook.as_ref()).map(|(s, d)| format!("{s} — {d}")).unwrap_or_default()),
            ("next", if then.is_empty() { then } else { format!("→ {then}") }),
            ("time", time),
        ]
    }

    /// Tells the painter what is under way.
    fn send_off(&mut self, jumped: bool) {
        let player = self.state.player();
        self.painter.set_too_fast(player.is_playing() && player.speed() >= TOO_FAST);
        let now = self.state.timeline().world().now();
        self.painter.update(self.state.aloft(), now, &self.stage, jumped);
    }

    /// Language and theme of the page's root.
    fn dress(&self) {
        browser::set_root("lang", Some(self.state.texts.lang.tag()));
        browser::set_title(&self.state.texts.t("app.title"));
        browser::set_root("data-theme", self.theme());
    }

    fn remember(&self) {
        browser::store("zebu-language", self.state.texts.lang.tag());
        browser::store("zebu-theme", self.theme().unwrap_or("system"));
    }

    fn theme(&self) -> Option<&'static str> {
        match self.state.theme {
            Theme::System => None,
            Theme::Light => Some("light"),
            Theme::Dark => Some("dark"),
        }
    }

    fn setup_text(&self) -> String {
        let spec = self.state.spec();
        let t = &self.state.texts;
        let mut text = format!("{} {} · {} {}", t.t("setup.servers"), spec.servers, t.t("setup.seed"), spec.seed);
        if !spec.protocol.is_zookeeper() {
            text = format!("{} · {text}", compare_words::protocol(t, spec.protocol));
        }
        if spec.observers > 0 {
            text = format!("{text} · {} {}", t.t("setup.observers"), spec.observers);
        }
        text
    }

    fn menu(&self) -> Html {
        let Some(target) = self.state.menu else { return html! {} };
        let layout = &self.stage.layout;
        let at = match target {
            Target::Server(id) => layout.server(id),
            Target::Link(a, b) => layout.server(a).zip(layout.server(b)).map(|(a, b)| a.towards(b, 0.5)),
            Target::Message(id) => {
                let flight = self.state.view.flights.iter().find(|f| f.id == id);
                flight.and_then(|f| self.stage.ends(f)).map(|(a, b)| a.towards(b, 0.5))
            }
        };
        let Some(at) = at else { return html! {} };
        html! {
            <Menu texts={self.state.texts.clone()} {target} {at} size={self.state.size} view={self.state.view.clone()}
                troubles={self.state.time.troubles.clone()} send={self.send.clone()}/>
        }
    }

    fn notice(&self) -> Html {
        let Some(notice) = &self.state.notice else { return html! {} };
        let t: &Texts = &self.state.texts;
        html! {
            <div class="notice" role="alert" data-testid="notice">
                <p>{ notice.text(t) }</p>
                <Do class="icon-only" label={t.t("do.close")} action={Action::Dismiss} send={self.send.clone()}>{ icons::close() }</Do>
            </div>
        }
    }

    fn dialog(&self) -> Html {
        let s = &self.state;
        let (texts, send) = (s.texts.clone(), self.send.clone());
        match s.dialog {
            None => html! {},
            Some(Dialog::Help) => html! { <Help {texts} {send}/> },
            Some(Dialog::Share) => self.share(),
            Some(Dialog::Lines) => self.compared(),
            Some(Dialog::Setup) => html! { <Setup {texts} spec={s.spec().clone()} {send}/> },
            Some(Dialog::Scenarios) => {
                html! { <Scenarios {texts} current={s.lesson().map(|l| l.name.clone())} {send}/> }
            }
        }
    }

    fn compared(&self) -> Html {
        let s = &self.state;
        let Some(found) = &s.time.comparison else { return html! {} };
        let lines = s.timeline().lines();
        let named = |id: u32| lines.iter().find(|l| l.id == id).map(|l| time_panel::line_name(&s.texts, l));
        let names = [0, 1].map(|i| named(found.sides[i].line).unwrap_or_default());
        html! { <LineCompare texts={s.texts.clone()} found={found.clone()} {names} need={self.need()} send={self.send.clone()}/> }
    }

    fn share(&self) -> Html {
        let s = &self.state;
        let run = s.run();
        let file = {
            let (run, records) = (run.clone(), s.records());
            Callback::from(move |kind: FileKind| match kind {
                FileKind::Json => ("zebu-run.json".to_string(), export::json(&run, &records)),
                FileKind::ShiViz => ("zebu-shiviz.log".to_string(), export::shiviz(&records)),
                FileKind::Mermaid => ("zebu.mmd".to_string(), export::mermaid(&records)),
            })
        };
        html! {
            <Share texts={s.texts.clone()} link={run.to_link()} scenario={s.lesson().map(|l| l.name.clone())} {file} send={self.send.clone()}/>
        }
    }

    /// Where a click on a message leads: right clicks always to its menu, plain ones too.
    fn on_message(&self, menu: bool) -> Callback<MouseEvent> {
        let send = self.send.clone();
        Callback::from(move |e: MouseEvent| {
            let id = e
                .target_dyn_into::<Element>()
                .and_then(|el| el.closest("[data-message]").ok().flatten())
                .and_then(|el| el.get_attribute("data-message")?.parse().ok());
            if let Some(id) = id {
                e.stop_propagation();
                if menu {
                    e.prevent_default();
                }
                send.emit(Action::Pause);
                send.emit(Action::Menu(Some(Target::Message(id))));
            }
        })
    }

    /// The way to a goal, while there is one.
    fn travel(&self) -> Html {
        let (s, t) = (&self.state, &self.state.texts);
        if s.goal().is_none() {
            return html! {};
        }
        html! {
            <div class="notice travel" role="status" data-testid="travel">
                <p>{ t.fill("tt.travel", &[("n", &s.timeline().moment())]) }</p>
                <Do label={t.t("tt.travel.stop")} action={Action::Time(TimeAction::Stop)} send={self.send.clone()}/>
            </div>
        }
    }

    fn lasso(&self) -> Html {
        let servers = self.stage.servers.iter().map(|server| (server.id, server.at)).collect::<Vec<_>>();
        html! { <Lasso texts={self.state.texts.clone()} {servers} size={self.state.size} send={self.send.clone()}/> }
    }

    /// Messages that are listed: none while the show runs, since nobody could press one.
    fn messages(&self) -> Vec<zebu_core::sim::view::Flight> {
        let s = &self.state;
        if s.player().is_playing() {
            return Vec::new();
        }
        s.view.flights.iter().filter(|f| !f.heartbeat).cloned().collect()
    }

    /// The bookmarks of this line.
    fn bookmarks(&self) -> Vec<u64> {
        let line = self.state.timeline().line();
        self.state.time.bookmarks.iter().filter(|b| b.line == line).map(|b| b.moment).collect()
    }

    fn lines(&self) -> Html {
        let s = &self.state;
        let history = s.timeline().history();
        time_panel::lines(&s.texts, &s.timeline().lines(), |moment| history.place(moment), &self.send)
    }

    fn time_menu(&self) -> Html {
        let s = &self.state;
        let epoch = s.view.servers.iter().filter(|v| v.serving).map(|v| v.epoch).max().unwrap_or_default();
        html! {
            <TimeMenu texts={s.texts.clone()} servers={s.servers()} {epoch} bookmarks={s.time.bookmarks.clone()} send={self.send.clone()}/>
        }
    }

    fn preview(&self) -> Html {
        let s = &self.state;
        let Some((moment, view)) = &s.time.preview else { return html! {} };
        let history = s.timeline().history();
        time_panel::preview(&s.texts, *moment, view, history.place(*moment) / history.length().max(1.0))
    }

    /// Tells the page around where the show stands.
    fn tell_around(&mut self) {
        let now = (self.state.timeline().moment(), self.state.player().is_playing());
        if self.embed && self.told != Some(now) {
            self.told = Some(now);
            let json = format!("{{\"zebu\":\"moment\",\"moment\":{},\"playing\":{}}}", now.0, now.1);
            browser::tell_parent(&json);
        }
    }

    fn need(&self) -> usize {
        self.state.view.servers.first().map_or(1, |s| s.quorum)
    }

    /// The sentence and the reason of this moment.
    fn words(&self) -> Words {
        let t = &self.state.texts;
        let entry = self.state.timeline().history().caption_at(self.state.timeline().moment());
        entry
            .filter(|e| e.weight >= Weight::Step)
            .and_then(|e| captions::caption(t, &e.what, self.need()))
            .unwrap_or_else(|| Words { text: t.t("cap.start"), why: t.t("cap.start.why") })
    }

    /// The part of the event list around this moment.
    fn entries(&self) -> Vec<Entry> {
        let entries = self.state.timeline().history().entries();
        let now = self.state.timeline().moment();
        let here = entries.partition_point(|e| e.event <= now);
        let end = (here + 8).min(entries.len());
        entries.get(end.saturating_sub(SHOWN)..end).unwrap_or_default().to_vec()
    }
}

/// What the page around may ask for.
fn message_handler(ctx: &Context<App>) -> Callback<String> {
    let link = ctx.link().clone();
    Callback::from(move |text: String| {
        if let Some(action) = embed::action(&text) {
            link.send_message(Msg::Do(action));
        }
    })
}

fn key_handler(ctx: &Context<App>) -> Callback<KeyboardEvent, bool> {
    let link = ctx.link().clone();
    Callback::from(move |event: KeyboardEvent| {
        // Dialogs keep their own keys; only Escape and ? are the page's then. The state decides about the rest.
        let open = web_sys::window()
            .and_then(|w| w.document())
            .and_then(|d| d.query_selector(".dialog").ok().flatten())
            .map(|_| Dialog::Help);
        let action = if event.alt_key() {
            keys::alt_action(&event.key(), browser::focus(), open)
        } else {
            keys::action(&event.key(), event.shift_key(), browser::focus(), open)
        };
        match action {
            Some(action) => {
                link.send_message(Msg::Do(action));
                true
            }
            None => false,
        }
    })
}
