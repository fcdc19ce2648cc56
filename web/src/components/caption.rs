//! The one sentence of what just happened, and the reason; in a scenario, its words above.

use crate::captions::Caption as Words;
use crate::components::predict::{self, Asked, Trial, own};
use crate::components::term::Said;
use crate::components::{Do, Send};
use crate::driver::Outcome;
use crate::i18n::Texts;
use crate::store::{Action, State};
use std::rc::Rc;
use yew::prelude::*;

/// Seconds that a passage takes, to say how long the rest will.
const PASSAGE: usize = 20;

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
    /// A question.
    pub asked: Option<Asked>,
    /// What a textbook says, and what the code does.
    pub textbook: Option<(String, String)>,
    /// A challenge.
    pub trial: Option<Trial>,
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
    let chapter = state.chapter();
    let textbook = chapter.and_then(|(_, _, step)| step.textbook.as_ref());
    let (note, place) = match chapter {
        Some((n, all, step)) => (step.note.as_ref().map(|n| own(t, n)).unwrap_or_default(), (n, all)),
        None => (own(t, &scenario.about), (0, scenario.steps.iter().filter(|s| s.note.is_some()).count())),
    };
    let outcome = state.timeline().driver().outcome().map(|o| match o {
        Outcome::Met { .. } => (t.t("scenario.done"), true),
        Outcome::Failed { why } => (t.fill("scenario.failed", &[("why", why)]), false),
    });
    Some(Lesson {
        title: own(t, &scenario.title),
        note,
        place,
        more: outcome.is_none(),
        outcome,
        asked: predict::asked(state),
        textbook: textbook.map(|b| (own(t, &b.says), own(t, &b.does))),
        trial: predict::trial(state),
    })
}

/// See [`Props`]. Next and Back stand above the words, so that they never move.
pub fn view(props: &Props) -> Html {
    let Props { texts: t, words, lesson, send } = props;
    html! {
        <section class="caption">
            if let Some(lesson) = lesson {
                <div class="lesson">
                    <div class="next-row">
                        <Do class="primary" label={t.t("scenario.next")} action={Action::NextChapter} send={send.clone()}
                            disabled={!lesson.more} title={format!("{} (PgDn)", t.t("scenario.next"))}/>
                        <Do label={t.t("scenario.prev")} action={Action::PrevChapter} send={send.clone()}
                            title={format!("{} (PgUp)", t.t("scenario.prev"))}/>
                        <Do label={t.t("scenario.end")} action={Action::RunToEnd} send={send.clone()} disabled={!lesson.more}/>
                        <span class="of" data-testid="chapter">{ of(t, lesson) }</span>
                    </div>
                    <p class="lesson-title">{ &lesson.title }</p>
                    <p class="say" data-testid="note"><Said texts={t.clone()} text={lesson.note.clone()}/></p>
                    if let Some((text, well)) = &lesson.outcome {
                        <p class={classes!("outcome", if *well { "well" } else { "ill" })}>{ text }</p>
                    }
                    if let Some(asked) = &lesson.asked { { predict::question(t, asked, send) } }
                    if let Some((says, does)) = &lesson.textbook { { predict::textbook(t, says, does) } }
                    if let Some(trial) = &lesson.trial { { predict::challenge(t, trial, send) } }
                </div>
            }
            <div class={classes!("happened", lesson.is_some().then_some("beside"))}>
                <p class="say" data-testid="caption"><Said texts={t.clone()} text={words.text.clone()}/></p>
                <p class="why" data-testid="why"><Said texts={t.clone()} text={words.why.clone()}/></p>
            </div>
        </section>
    }
}

/// `4 / 9 · about 2 min left`.
fn of(t: &Texts, lesson: &Lesson) -> String {
    let (n, all) = lesson.place;
    let place = t.fill("scenario.of", &[("n", &n), ("all", &all)]);
    let minutes = (all.saturating_sub(n) * PASSAGE).div_ceil(60);
    if lesson.more && minutes > 0 { format!("{place} · {}", t.fill("see.left", &[("n", &minutes)])) } else { place }
}
