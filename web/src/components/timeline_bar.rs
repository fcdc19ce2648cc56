//! The timeline: a band for each server, landmarks, and a slider over all of it.

use crate::compare_words;
use crate::components::Send;
use crate::history::{Band, Doing, History};
use crate::i18n::Texts;
use crate::scene::palette::epoch_class;
use crate::store::Action;
use crate::store::time::TimeAction;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use zebu_core::compare::note::Stage;
use zebu_core::id::ServerId;

/// One stretch of a band, in thousandths of the timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    from: f32,
    to: f32,
    class: &'static str,
    colour: &'static str,
    /// The key of the phase's name, where there is a chance that it fits.
    word: Option<&'static str>,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    bands: Vec<(ServerId, Vec<Stretch>)>,
    marks: Vec<f32>,
    bookmarks: Vec<f32>,
    head: f32,
}

/// Thousandths of the whole.
const WHOLE: f32 = 1000.0;

/// A shorter stretch has no word on any screen. The styles hide a word for which theirs is too narrow.
const WORDED: f32 = 35.0;

/// With more servers than this the bands are too thin for words.
const THICK: usize = 7;

/// The timeline of a history at a moment.
pub fn model(
    history: &History,
    servers: &[ServerId],
    zookeeper: bool,
    (now, frontier): (u64, u64),
    bookmarks: &[u64],
) -> Model {
    let length = history.length().max(1.0);
    // Rounded to half a thousandth, so that a timeline that hardly grew is not drawn anew.
    let place = |event: u64| (history.place(event) / length * WHOLE * 2.0).round() / 2.0;
    let bands = servers
        .iter()
        .map(|id| {
            let bands = history.bands().get(id).map_or(&[][..], Vec::as_slice);
            let stretches = bands
                .iter()
                .enumerate()
                .map(|(i, band)| {
                    let from = place(band.from);
                    let to = bands.get(i + 1).map_or_else(|| place(frontier), |next| place(next.from));
                    let (class, word) = dress(band, zookeeper);
                    let word = word.filter(|_| to - from >= WORDED);
                    Stretch { from, to, class, colour: epoch_class(band.epoch), word }
                })
                .filter(|s| s.to > s.from)
                .collect();
            (*id, stretches)
        })
        .collect();
    let mut marks: Vec<f32> = history.landmarks().map(|e| place(e.event)).collect();
    marks.dedup();
    let bookmarks = bookmarks.iter().map(|moment| place(*moment)).collect();
    Model { bands, marks, bookmarks, head: place(now) }
}

/// A stretch's look, and the key of its name.
fn dress(band: &Band, zookeeper: bool) -> (&'static str, Option<&'static str>) {
    match band.doing {
        Doing::Down => ("gone", None),
        Doing::Looking => ("looking", zookeeper.then_some("lk.band.looking")),
        Doing::Joining => ("joining", Some("lk.band.joining")),
        Doing::Syncing => ("syncing", Some("lk.band.syncing")),
        Doing::Broadcast => (if band.leads { "leads" } else { "follows" }, Some("lk.band.broadcast")),
        Doing::Model(stage) => {
            let class = match stage {
                Stage::Idle | Stage::Electing | Stage::BackingOff | Stage::Aborted => "looking",
                Stage::Blocked => "blocked",
                Stage::Collecting | Stage::Prepared | Stage::Preparing | Stage::Promised => "joining",
                Stage::HandedOver | Stage::Discovery => "joining",
                Stage::PreCommitting | Stage::PreCommitted | Stage::Proposing | Stage::Accepted => "syncing",
                Stage::Synchronising => "syncing",
                Stage::Committed | Stage::Chosen | Stage::Broadcast => "follows",
            };
            (class, Some(compare_words::stage_key(stage)))
        }
    }
}

/// The bar.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What is drawn.
    pub model: Model,
    /// This moment.
    pub now: u64,
    /// The last one played.
    pub frontier: u64,
    /// Simulated time as text.
    pub time: String,
    /// Landmarks to jump to, newest first: moment and words.
    pub landmarks: Vec<(u64, String)>,
    /// What stands under the bands: the lines.
    pub under: Html,
    /// What stands beside them, below the landmarks.
    pub beside: Html,
    /// The picture of the moment under the pointer.
    pub preview: Html,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn TimelineBar(props: &Props) -> Html {
    let Props { texts: t, model, now, frontier, time, landmarks, under, beside, preview, send } = props;
    let hover = {
        let send = send.clone();
        Callback::from(move |e: PointerEvent| {
            // Whoever drags goes there; who only looks gets a small picture.
            let width = e.target_dyn_into::<HtmlInputElement>().map_or(0, |i| i.client_width());
            if e.buttons() == 0 && width > 0 && e.pointer_type() == "mouse" {
                send.emit(Action::Time(TimeAction::Hover(Some(e.offset_x() as f32 / width as f32))));
            }
        })
    };
    let leave = send.reform(|_: PointerEvent| Action::Time(TimeAction::Hover(None)));
    let slide = {
        let send = send.clone();
        Callback::from(move |e: InputEvent| {
            if let Some(place) = e.target_dyn_into::<HtmlInputElement>().map(|i| i.value_as_number()) {
                send.emit(Action::SeekPlace(place as f32 / WHOLE));
            }
        })
    };
    let jump = {
        let send = send.clone();
        Callback::from(move |e: Event| {
            if let Some(select) = e.target_dyn_into::<HtmlSelectElement>() {
                if let Ok(moment) = select.value().parse() {
                    send.emit(Action::Seek(moment));
                }
                select.set_value("");
            }
        })
    };
    html! {
        <div class="timeline">
            <div class="time-column">
            <div class={classes!("bands", (model.bands.len() > THICK).then_some("thin"))} style={format!("--lanes:{}", model.bands.len())} onpointerleave={leave}>
                <div class="lanes" aria-hidden="true">
                    { for model.bands.iter().map(|(id, stretches)| html! {
                        <div key={id.0} class="lane"><b>{ id.to_string() }</b>
                            { for stretches.iter().map(|s| html! {
                                <i class={classes!("band", s.class, s.colour)} style={format!("left:{:.2}%;width:{:.2}%", s.from / 10.0, (s.to - s.from) / 10.0)}>
                                    if let Some(word) = s.word { <span>{ t.t(word) }</span> }
                                </i>
                            }) }
                        </div>
                    }) }
                </div>
                <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
                    { for model.marks.iter().map(|x| html! { <path class="landmark" d={format!("M{x} 0V100")} vector-effect="non-scaling-stroke"/> }) }
                    { for model.bookmarks.iter().map(|x| html! { <path class="bookmark" d={format!("M{x} 0V100")} vector-effect="non-scaling-stroke"/> }) }
                    <path class="head-line" d={format!("M{0} 0V100", model.head)} vector-effect="non-scaling-stroke"/>
                </svg>
                <input type="range" class="scrub" min="0" max="1000" step="0.5" value={model.head.to_string()} oninput={slide} onpointermove={hover}
                    aria-label={t.t("play.timeline")}
                    aria-valuetext={t.fill("play.timeline.value", &[("n", now), ("all", frontier), ("time", time)])}/>
                { preview.clone() }
            </div>
            { under.clone() }
            </div>
            <div class="time-side">
            <select class="landmarks" onchange={jump} aria-label={t.t("play.landmarks")} disabled={landmarks.is_empty()}>
                <option value="" selected=true>{ if landmarks.is_empty() { t.t("play.landmarks.none") } else { t.t("play.landmarks") } }</option>
                { for landmarks.iter().map(|(moment, words)| html! { <option key={*moment} value={moment.to_string()}>{ words }</option> }) }
            </select>
            { beside.clone() }
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::Epoch;
    use zebu_core::note::Note;
    use zebu_core::time::Instant;
    use zebu_core::trace::{TraceEvent, TraceRecord};

    #[test]
    fn bands_fill_the_line_and_take_the_epochs_colour() {
        let mut history = History::default();
        let record = |event| TraceRecord { at: Instant(0), event_number: 0, event };
        let lead = Note::Established { epoch: Epoch(2), by: Vec::new() };
        history.executed(false, &[record(TraceEvent::Started { server: ServerId(1) })], 1);
        history.executed(false, &[], 2);
        history.executed(false, &[record(TraceEvent::Note { server: ServerId(1), what: lead })], 3);
        history.executed(false, &[], 4);
        let m = model(&history, &[ServerId(1), ServerId(2)], true, (2, 4), &[]);
        let classes: Vec<(&str, &str)> = m.bands[0].1.iter().map(|s| (s.class, s.colour)).collect();
        assert_eq!(classes, [("looking", "e0"), ("leads", "e2")]);
        assert_eq!((m.bands[0].1[0].to, m.bands[0].1[1].from, m.bands[0].1[1].to), (750.0, 750.0, 1000.0));
        assert!(m.bands[1].1.is_empty());
        assert_eq!(m.head, 500.0);
        let words: Vec<_> = m.bands[0].1.iter().map(|s| s.word).collect();
        assert_eq!(words, [Some("lk.band.looking"), Some("lk.band.broadcast")]);
    }
}
