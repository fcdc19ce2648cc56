//! The rules that are checked after every event, as chips.

use crate::i18n::Texts;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::sim::view::CheckView;

/// The rules that every lesson is about; the others are one press away, unless one is broken.
const ALWAYS: [&str; 6] = [
    "one-leader-per-epoch",
    "agreement",
    "total-order",
    "prefix-consistency",
    "quorum-before-commit",
    "answer-is-committed",
];

/// The rules.
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Each with the reason if it is broken.
    pub checks: Vec<CheckView>,
    /// A replay that gave another state, in words.
    pub diverged: Option<String>,
}

/// See [`Props`].
pub fn view(props: &Props) -> Html {
    let Props { texts: t, checks, diverged } = props;
    let replay = CheckView { name: "replay".into(), broken: diverged.clone() };
    let all: Vec<&CheckView> = checks.iter().chain([&replay]).collect();
    let broken = all.iter().any(|c| c.broken.is_some());
    let (first, more): (Vec<&CheckView>, Vec<&CheckView>) =
        all.into_iter().partition(|c| c.broken.is_some() || ALWAYS.contains(&c.name.as_str()));
    let chip = |c: &CheckView| {
        html! {
            <li class={classes!("chip", if c.broken.is_some() { "ill" } else { "well" })} data-check={c.name.clone()}>
                { t.t(&format!("check.{}", c.name)) }
            </li>
        }
    };
    html! {
        <section class="checks" data-testid="checks">
            <h2>{ if broken { t.t("checks.broken") } else { t.t("checks.title") } }</h2>
            { for first.iter().filter_map(|c| c.broken.as_ref().map(|why| html! {
                <p class="broken-rule" role="alert"><b>{ t.t(&format!("check.{}", c.name)) }</b>{ ": " }{ why }</p>
            })) }
            <ul class="chips">{ for first.iter().map(|c| chip(c)) }</ul>
            <details>
                <summary>{ t.fill("checks.more", &[("n", &more.len())]) }</summary>
                <ul class="chips">{ for more.iter().map(|c| chip(c)) }</ul>
            </details>
        </section>
    }
}
