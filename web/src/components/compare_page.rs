//! The page that shows the same crash on five protocols side by side: five stages, one clock, one set of controls, and
//! a table of how each stands, read off the runs.

use crate::browser;
use crate::captions;
use crate::compare_words;
use crate::components::stage::Stage;
use crate::components::{Do, Send, icons};
use crate::i18n::{Lang, Texts};
use crate::paint::Painter;
use crate::raf::Frames;
use crate::scene::layout::Layout;
use crate::scene::packets::Motion;
use crate::scene::stage::Stage as StageModel;
use crate::side::{Pane, Side, Standing};
use crate::store::Action;
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::trouble::Troubles;
use zebu_core::time::Instant;

/// A pane's stage, in its own units: about so large it is on a screen, so that every letter has its own size there.
const SIZE: (f64, f64) = (590.0, 340.0);

/// The slider's places.
const PLACES: f64 = 1000.0;

/// What the page is told.
pub enum Msg {
    /// A frame, at this time of the browser in milliseconds.
    Frame(f64),
    /// A button of the lab's that has a meaning here.
    Do(Action),
    /// The clock to a place, 0 to 1.
    Place(f64),
    /// To the end at once.
    End,
    /// A pane's scenario alone.
    Alone(&'static str),
}

/// The page.
pub struct ComparePage {
    texts: Rc<Texts>,
    side: Side,
    stages: Vec<Rc<StageModel>>,
    painters: Vec<Painter>,
    standings: Vec<Standing>,
    frames: Frames,
    stage_mode: bool,
    send: Send,
}

impl Component for ComparePage {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<ComparePage>) -> ComparePage {
        let side = Side::new();
        let stages = side.panes().iter().map(|p| Rc::new(stage(p, false))).collect();
        let painters = side.panes().iter().map(|_| Painter::new(NodeRef::default())).collect();
        let lang = Lang::from_tag(&browser::stored("zebu-language").unwrap_or_else(browser::language));
        let page = ComparePage {
            texts: Texts::load(lang),
            standings: side.panes().iter().map(Pane::standing).collect(),
            side,
            stages,
            painters,
            frames: Frames::start(ctx.link().callback(Msg::Frame)),
            stage_mode: false,
            send: ctx.link().callback(Msg::Do),
        };
        browser::remove_loading();
        browser::set_root("lang", Some(page.texts.lang.tag()));
        browser::set_title(&page.texts.t("side.title"));
        if let Some(theme) = browser::stored("zebu-theme").filter(|t| t == "light" || t == "dark") {
            browser::set_root("data-theme", Some(&theme));
        }
        page
    }

    fn update(&mut self, _: &Context<ComparePage>, msg: Msg) -> bool {
        match msg {
            Msg::Frame(at) => {
                let dt = self.frames.next(at);
                let played = self.side.is_playing();
                let changed = self.side.frame(dt);
                if changed {
                    self.picture(false);
                }
                let reduced = browser::media("(prefers-reduced-motion: reduce)");
                let motion = if reduced { Motion::Reduced } else { Motion::Full };
                for painter in &mut self.painters {
                    painter.frame(self.side.now(), dt, motion);
                }
                return changed || played != self.side.is_playing();
            }
            Msg::Do(Action::Language(lang)) => {
                self.texts = Texts::load(lang);
                browser::set_root("lang", Some(lang.tag()));
                browser::set_title(&self.texts.t("side.title"));
                browser::store("zebu-language", lang.tag());
            }
            Msg::Do(Action::StageMode) => {
                self.stage_mode = !self.stage_mode;
                self.picture(true);
            }
            Msg::Do(Action::ToggleTheme(_)) => {
                let dark = browser::media("(prefers-color-scheme: dark)");
                let theme = match browser::stored("zebu-theme").as_deref() {
                    Some("dark") => "light",
                    Some("light") => "dark",
                    _ if dark => "light",
                    _ => "dark",
                };
                browser::set_root("data-theme", Some(theme));
                browser::store("zebu-theme", theme);
            }
            Msg::Do(Action::Faster(by)) => self.side.faster(by),
            Msg::Do(Action::Toggle) => {
                self.side.toggle();
                self.picture(true);
            }
            Msg::Do(Action::Step) => {
                self.side.step();
                self.picture(true);
            }
            Msg::Do(Action::StepBack) => {
                self.side.step_back();
                self.picture(true);
            }
            // Nothing else has a meaning for five runs at once.
            Msg::Do(_) => return false,
            Msg::Place(place) => {
                self.side.seek_place(place);
                self.picture(true);
            }
            Msg::End => {
                self.side.run_to_end();
                self.picture(true);
            }
            Msg::Alone(name) => {
                browser::go(&format!("#/s/{name}"));
                return false;
            }
        }
        true
    }

    fn view(&self, ctx: &Context<ComparePage>) -> Html {
        let t = &self.texts;
        html! {
            <div class="side" data-mode={if self.stage_mode { "stage" } else { "all" }}>
                { self.head() }
                <main class="side-main">
                    <p class="side-lead">{ t.t("side.lead") }</p>
                    <div class="side-panes">
                        { for self.side.panes().iter().enumerate().map(|(i, pane)| self.pane(ctx, i, pane)) }
                        { self.table() }
                    </div>
                </main>
                { self.foot(ctx) }
            </div>
        }
    }
}

/// The still part of a pane.
fn stage(pane: &Pane, large: bool) -> StageModel {
    let view = pane.timeline().world().view();
    let ids: Vec<ServerId> = view.servers.iter().map(|s| s.id).collect();
    let layout = if large { Layout::bare(&ids, SIZE.0, SIZE.1) } else { Layout::small(&ids, SIZE.0, SIZE.1) };
    StageModel::on(&view, Rc::new(layout))
}

impl ComparePage {
    fn picture(&mut self, jumped: bool) {
        self.standings = self.side.panes().iter().map(Pane::standing).collect();
        for ((pane, shown), painter) in self.side.panes().iter().zip(&mut self.stages).zip(&mut self.painters) {
            let now = stage(pane, self.stage_mode);
            if **shown != now {
                *shown = Rc::new(now);
            }
            let world = pane.timeline().world();
            painter.update(&world.flights(), world.now(), shown, jumped);
        }
    }

    fn head(&self) -> Html {
        let t = &self.texts;
        let other = if t.lang == Lang::En { Lang::Zh } else { Lang::En };
        html! {
            <header class="head">
                <a class="mark" href="#/">{ icons::mark() }<span>{ "Zebu" }</span></a>
                <h1 class="crumb"><b>{ t.t("side.title") }</b></h1>
                <div class="head-buttons">
                    <a class="btn ghost" href="#/">{ t.t("side.back") }</a>
                    <Do class="icon-only" label={t.t("head.stage")} action={Action::StageMode} send={self.send.clone()}
                        pressed={self.stage_mode}>{ icons::frame() }</Do>
                    <Do label={t.t("head.lang.label")} action={Action::Language(other)} send={self.send.clone()}>
                        { t.t("head.lang") }
                    </Do>
                    <Do class="icon-only" label={t.t("head.theme")} action={Action::ToggleTheme(false)} send={self.send.clone()}>
                        { icons::theme() }
                    </Do>
                </div>
            </header>
        }
    }

    fn pane(&self, ctx: &Context<ComparePage>, index: usize, pane: &Pane) -> Html {
        let t = &self.texts;
        let (Some(stage), Some(painter)) = (self.stages.get(index), self.painters.get(index)) else {
            return html! {};
        };
        let name = pane.name;
        let alone = ctx.link().callback(move |_: MouseEvent| Msg::Alone(name));
        // Whatever is pressed on a small stage: the run alone has all the buttons.
        let open = ctx.link().batch_callback(move |a| matches!(a, Action::Menu(Some(_))).then_some(Msg::Alone(name)));
        let words = pane.timeline().history().caption_at(pane.timeline().moment());
        let need = pane.timeline().world().spec().servers as usize / 2 + 1;
        let words = words.and_then(|e| captions::caption(t, &e.what, need)).map(|c| c.text).unwrap_or_default();
        let broken = self.standings.get(index).is_some_and(|s| s.outcome.broken.is_some());
        html! {
            <section key={name} class={classes!("side-pane", broken.then_some("ill"))} data-pane={name}
                aria-label={compare_words::protocol(t, pane.protocol)}>
                <div class="side-title">
                    <h2>{ compare_words::protocol(t, pane.protocol) }</h2>
                    <button type="button" class="btn ghost tiny" onclick={alone}>{ t.t("side.alone") }</button>
                </div>
                <div class="side-stage">
                    <Stage texts={t.clone()} stage={stage.clone()} selected={ServerId(0)} send={open} packets={painter.root()}
                        troubles={Rc::new(Troubles::default())}/>
                </div>
                <p class="side-words">{ words }</p>
            </section>
        }
    }

    fn table(&self) -> Html {
        let t = &self.texts;
        let column = |key: &str| html! { <th scope="col">{ t.t(key) }</th> };
        html! {
            <section class="side-result" aria-label={t.t("side.result")}>
                <h2>{ t.t("side.result") }</h2>
                <div class="side-scroll" tabindex="0" role="group" aria-label={t.t("side.result")}>
                <table data-testid="outcomes">
                    <thead><tr>
                        { column("cmp.protocol") }{ column("side.answered") }{ column("side.waiting") }
                        { column("side.values") }{ column("side.agree") }
                    </tr></thead>
                    <tbody>
                        { for self.side.panes().iter().zip(&self.standings).map(|(p, s)| row(t, p, s)) }
                    </tbody>
                </table>
                </div>
            </section>
        }
    }

    fn foot(&self, ctx: &Context<ComparePage>) -> Html {
        let t = &self.texts;
        let send = &self.send;
        let playing = self.side.is_playing();
        let speed = crate::player::speed_text(self.side.speed());
        let time = t.fill("time.s", &[("n", &format!("{:.3}", self.side.now() / 1e6))]);
        let value = (self.side.place() * PLACES).round();
        let oninput = ctx.link().batch_callback(|e: InputEvent| {
            let place = e.target_dyn_into::<HtmlInputElement>()?.value_as_number();
            Some(Msg::Place(place / PLACES))
        });
        let end = ctx.link().callback(|_: MouseEvent| Msg::End);
        html! {
            <footer class="side-foot">
                <div class="transport" role="group">
                    <Do class="round" label={t.t("play.back")} action={Action::StepBack} send={send.clone()}>{ icons::back() }</Do>
                    <Do class="round primary" label={t.t(if playing { "play.pause" } else { "play.play" })} action={Action::Toggle} send={send.clone()}>
                        { if playing { icons::pause() } else { icons::play() } }
                    </Do>
                    <Do class="round" label={t.t("play.step")} action={Action::Step} send={send.clone()}>{ icons::step() }</Do>
                    <span class="speed">
                        <Do class="tiny" label={t.t("play.slower")} action={Action::Faster(-1)} send={send.clone()}>{ "−" }</Do>
                        <output aria-label={t.fill("play.speed", &[("speed", &speed)])}>{ &speed }</output>
                        <Do class="tiny" label={t.t("play.faster")} action={Action::Faster(1)} send={send.clone()}>{ "+" }</Do>
                    </span>
                </div>
                <input type="range" min="0" max={PLACES.to_string()} value={value.to_string()} {oninput}
                    aria-label={t.t("play.timeline")} aria-valuetext={time.clone()}/>
                <p class="mono" data-testid="side-time">{ time }</p>
                <button type="button" class="btn" onclick={end}>{ t.t("side.end") }</button>
            </footer>
        }
    }
}

/// How one protocol stands.
fn row(t: &Texts, pane: &Pane, standing: &Standing) -> Html {
    let Standing { outcome, crashed, answered } = standing;
    let after = |at: Instant| crashed.map(|c| t.duration(at.0.saturating_sub(c.0)));
    // Of what ZooKeeper says about a znode the version is enough here.
    let brief = outcome.answer.as_ref().map(|(text, failed)| (text.split(", ").next().unwrap_or(text), *failed));
    let answer = match (brief, answered.and_then(after)) {
        (None, _) => t.t(if crashed.is_some() { "side.answered.not" } else { "side.answered.yet" }),
        (Some((text, true)), Some(time)) => t.fill("side.answered.no", &[("answer", &text), ("time", &time)]),
        (Some((text, _)), Some(time)) => t.fill("side.answered.yes", &[("answer", &text), ("time", &time)]),
        (Some((text, _)), None) => text.into(),
    };
    let refused = outcome.answer.as_ref().is_some_and(|(_, failed)| *failed);
    let waiting = if outcome.waiting.is_empty() { t.t("side.waiting.nobody") } else { t.ids(&outcome.waiting) };
    // Servers that have the same stand together.
    let mut values: Vec<(String, Vec<ServerId>)> = Vec::new();
    for (server, value) in &outcome.values {
        let value = value.clone().unwrap_or_else(|| "–".into());
        match values.iter_mut().find(|(v, _)| *v == value) {
            Some((_, servers)) => servers.push(*server),
            None => values.push((value, vec![*server])),
        }
    }
    let values: Vec<String> = values.iter().map(|(v, s)| format!("{v}: {}", t.ids(s))).collect();
    let (agree, why) = match &outcome.broken {
        Some((rule, why)) => (format!("✗ {}", t.t(&format!("check.{rule}"))), why.clone()),
        None => (format!("✓ {}", t.t("side.agree.yes")), String::new()),
    };
    let state = match (&outcome.answer, outcome.broken.is_some()) {
        (_, true) => "inconsistent",
        (Some((_, false)), _) => "answered",
        (Some((_, true)), _) => "refused",
        (None, _) => "waiting",
    };
    html! {
        <tr key={pane.name} data-outcome={pane.name} data-state={state}>
            <th scope="row">{ compare_words::protocol(t, pane.protocol) }</th>
            <td data-field="answer" class={classes!(refused.then_some("bad"))}>{ answer }</td>
            <td data-field="waiting">{ waiting }</td>
            <td data-field="values" class="mono">{ values.join(" · ") }</td>
            <td data-field="agree" class={classes!(outcome.broken.is_some().then_some("bad"))} title={why}>{ agree }</td>
        </tr>
    }
}
