//! What a scenario asks: a question before something happens, and the truth afterwards; a challenge; where a textbook
//! is looser than the code.

use crate::components::term::Said;
use crate::components::{Do, Send};
use crate::desk::Choose;
use crate::i18n::{Lang, Texts};
use crate::store::{Action, State};
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::config::BrokenRule;
use zebu_core::scenario::Text;
use zebu_core::sim::command::Command;

/// A text of a scenario in the reader's language.
pub fn own(t: &Texts, text: &Text) -> String {
    match t.lang {
        Lang::En => text.en.clone(),
        Lang::Zh => text.zh.clone(),
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    scenario: String,
    step: usize,
    question: String,
    choices: Vec<String>,
    answer: usize,
    /// What was chosen, if anything was.
    pub chosen: Option<usize>,
    /// What the run has shown, and why; `None` before it has.
    pub truth: Option<(usize, String)>,
}

impl Asked {
    /// The question with its answer, for whoever teaches.
    pub fn for_presenter(&self) -> String {
        let answer = self.choices.get(self.answer).cloned().unwrap_or_default();
        format!("{} ✓ {answer}", self.question)
    }
}

/// The question that belongs to this moment: that of this passage, or of one of the two before. The passage behind the
/// question shows what happens; its answer stands beside the next one, so that nobody reads it before it is seen.
pub fn asked(state: &State) -> Option<Asked> {
    let scenario = state.lesson()?;
    let (here, _) = state.timeline().driver().chapter()?;
    let over = state.timeline().driver().outcome().is_some();
    let steps = scenario.steps.get(..=here)?;
    let (step, predict) = steps.iter().enumerate().rev().find_map(|(i, s)| Some((i, s.predict.as_ref()?)))?;
    let passages = steps.iter().skip(step + 1).filter(|s| s.note.is_some()).count();
    if passages > 2 {
        return None;
    }
    // Where the next passage asks something itself, there is no later moment.
    let asks_next = || {
        let mut behind = scenario.steps.iter().skip(here + 1);
        behind.find(|s| s.note.is_some()).is_some_and(|s| s.predict.is_some())
    };
    let is_shown = over || passages == 2 || (passages == 1 && asks_next());
    let t = &state.texts;
    Some(Asked {
        scenario: scenario.name.clone(),
        step,
        question: own(t, &predict.question),
        choices: predict.choices.iter().map(|c| own(t, c)).collect(),
        answer: predict.answer,
        chosen: state.desk.answers.get(&(scenario.name.clone(), step)).copied(),
        truth: is_shown.then(|| (predict.answer, own(t, &predict.because))),
    })
}

/// The question as a card.
pub fn question(t: &Rc<Texts>, asked: &Asked, send: &Send) -> Html {
    let told = asked.truth.is_some();
    html! {
        <section class={classes!("predict", told.then_some("told"))} data-testid="predict" aria-label={t.t("see.predict")}>
            <p class="question">{ &asked.question }</p>
            <div class="choices">
                { for asked.choices.iter().enumerate().map(|(i, choice)| {
                    let right = asked.truth.as_ref().is_some_and(|(answer, _)| *answer == i);
                    let mine = asked.chosen == Some(i);
                    let action = Action::Desk(Choose::Answer(asked.scenario.clone(), asked.step, i));
                    html! {
                        <Do label={choice.clone()} {action} send={send.clone()} pressed={mine}
                            disabled={told || asked.chosen.is_some() && !mine}
                            class={classes!("choice", (told && right).then_some("truth"), (told && mine && !right).then_some("error"))}/>
                    }
                }) }
            </div>
            if let Some((answer, because)) = &asked.truth {
                <p class="verdict" data-verdict={match asked.chosen { None => "open", Some(c) if c == *answer => "right", Some(_) => "wrong" }}>
                    { match asked.chosen {
                        None => String::new(),
                        Some(c) if c == *answer => format!("{} ", t.t("see.predict.right")),
                        Some(_) => format!("{} ", t.t("see.predict.wrong")),
                    } }
                    <Said texts={t.clone()} text={because.clone()}/>
                </p>
            } else if asked.chosen.is_some() {
                <p class="verdict">{ t.t("see.predict.kept") }</p>
            }
        </section>
    }
}

/// What the textbook says and what the code does.
pub fn textbook(t: &Rc<Texts>, says: &str, does: &str) -> Html {
    html! {
        <details class="textbook" data-testid="textbook">
            <summary>{ t.t("see.textbook") }</summary>
            <dl>
                <dt>{ t.t("see.textbook.says") }</dt><dd>{ says }</dd>
                <dt>{ t.t("see.textbook.does") }</dt><dd><Said texts={t.clone()} text={does.to_string()}/></dd>
            </dl>
        </details>
    }
}

/// A challenge as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    goal: String,
    attempts: u32,
    reached: bool,
    broken: bool,
    proof: Option<String>,
}

/// The challenge of the scenario on the stage.
pub fn trial(state: &State) -> Option<Trial> {
    let challenge = state.lesson()?.challenge.as_ref()?;
    let reached = challenge.is_reached(&state.view);
    let broken = state.timeline().world().spec().broken.is_some();
    Some(Trial {
        goal: own(&state.texts, &challenge.goal),
        attempts: state.desk.attempts,
        reached,
        broken,
        proof: (state.desk.given_up || reached).then(|| own(&state.texts, &challenge.proof)),
    })
}

/// The challenge as a card.
pub fn challenge(t: &Rc<Texts>, trial: &Trial, send: &Send) -> Html {
    let rule = if trial.broken { None } else { Some(BrokenRule::CommitWithoutQuorum) };
    let switch = if trial.broken { t.t("see.challenge.mend") } else { t.t("see.challenge.break") };
    html! {
        <section class={classes!("challenge", trial.reached.then_some("reached"))} data-testid="challenge">
            <h2>{ t.t("see.challenge") }</h2>
            <p>{ &trial.goal }</p>
            <p class="state" data-reached={trial.reached.to_string()}>
                { t.fill("see.challenge.attempt", &[("n", &trial.attempts)]) }{ " · " }
                { if trial.reached { t.t("see.challenge.reached") } else { t.t("see.challenge.not") } }
            </p>
            if let Some(proof) = &trial.proof { <p class="proof"><Said texts={t.clone()} text={proof.clone()}/></p> }
            <div class="choices">
                <Do label={t.t("see.challenge.again")} action={Action::Reset} send={send.clone()}/>
                <Do label={t.t("see.search")} action={Action::Search} send={send.clone()}/>
                <Do label={switch} action={Action::Do(Command::Break { rule })} send={send.clone()}/>
                if trial.proof.is_none() {
                    <Do label={t.t("see.challenge.giveup")} action={Action::Desk(Choose::GiveUp)} send={send.clone()}/>
                }
            </div>
        </section>
    }
}
