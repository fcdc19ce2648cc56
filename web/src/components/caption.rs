//! The one sentence of what just happened, and the reason; in a scenario, its words above.

use crate::captions::Caption as Words;
use crate::components::{Do, Send};
use crate::driver::Outcome;
use crate::i18n::{Lang, Texts};
use crate::store::{Action, State};
use std::rc::Rc;
use yew::prelude::*;

/// What to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// Its title.
    pub title: String,
    /// The passage.
    pub note: String,
    /// Its number and how many there are.
    pub place: (usize, usize),
    /// How it ended, in words, and whether well.
    pub outcome: Option<(String, bool)>,
    /// It can go on.
    pub more: bool,
}

/// What to say.
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What happened and why.
    pub words: Words,
    /// The scenario's part.
    pub lesson: Option<Lesson>,
    /// Where actions go.
    pub send: Send,
}

/// The scenario's words at this moment.
pub fn lesson(state: &State) -> Option<Lesson> {
    let scenario = state.lesson()?;
    let t = &state.texts;
    let own = |text: &zebu_core::scenario::Text| match t.lang {
        Lang::En => text.en.clone(),
        Lang::Zh => text.zh.clone(),
    };
    let (note, place) = match state.chapter() {
        Some((n, all, step)) => (step.note.as_ref().map(own).unwrap_or_default(), (n, all)),
        None => (own(&scenario.about), (0, scenario.steps.iter().filter(|s| s.note.is_some()).count())),
    };
    let outcome = state.timeline().driver().outcome().map(|o| match o {
        Outcome::Met { .. } => (t.t("scenario.done"), true),
        Outcome::Failed { why } => (t.fill("scenario.failed", &[("why", why)]), false),
    });
    Some(Lesson { title: own(&scenario.title), note, place, more: outcome.is_none(), outcome })
}

/// See [`Props`].
pub fn view(props: &Props) -> Html {
    let Props { texts: t, words, lesson, send } = props;
    html! {
        <section class="caption">
            if let Some(lesson) = lesson {
                <div class="lesson">
                    <p class="lesson-title">{ &lesson.title }</p>
                    <p class="say" aria-live="polite">{ &lesson.note }</p>
                    if let Some((text, well)) = &lesson.outcome {
                        <p class={classes!("outcome", if *well { "well" } else { "ill" })}>{ text }</p>
                    }
                    <div class="next-row">
                        <Do class="primary" label={t.t("scenario.next")} action={Action::NextChapter} send={send.clone()}
                            disabled={!lesson.more} title={format!("{} (PgDn)", t.t("scenario.next"))}/>
                        <Do label={t.t("scenario.prev")} action={Action::PrevChapter} send={send.clone()}
                            title={format!("{} (PgUp)", t.t("scenario.prev"))}/>
                        <Do label={t.t("scenario.end")} action={Action::RunToEnd} send={send.clone()} disabled={!lesson.more}/>
                        <span class="of">{ t.fill("scenario.of", &[("n", &lesson.place.0), ("all", &lesson.place.1)]) }</span>
                    </div>
                </div>
            }
            <div class={classes!("happened", lesson.is_some().then_some("beside"))} aria-live="polite" aria-atomic="true">
                <p class="say">{ &words.text }</p>
                <p class="why">{ &words.why }</p>
            </div>
        </section>
    }
}
