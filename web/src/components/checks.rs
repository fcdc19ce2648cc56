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
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Each with the reason if it is broken.
    pub checks: Vec<CheckView>,
    /// A replay that gave another state, in words.
    pub diverged: Option<String>,
}

/// See [`Props`].
#[component]
pub fn Checks(props: &Props) -> Html {
    let Props { texts: t, checks, diverged } = props;
    let replay = CheckView { name: "replay".into(), broken: diverged.clone() };
    let all: Vec<&CheckView> = checks.iter().chain([&replay]).collect();
    let broken = all.iter().any(|c| c.broken.is_some());
    let open = use_state(|| false);
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let shown: Vec<&&CheckView> =
        all.iter().filter(|c| *open || c.broken.is_some() || ALWAYS.contains(&c.name.as_str())).collect();
    let hidden = all.len() - shown.len();
    html! {
        <section class="checks" data-testid="checks">
            <h2>{ if broken { t.t("checks.broken") } else { t.t("checks.title") } }</h2>
            { for all.iter().filter_map(|c| c.broken.as_ref().map(|why| html! {
                <p class="broken-rule" role="alert"><b>{ t.t(&format!("check.{}", c.name)) }</b>{ ": " }{ why }</p>
            })) }
            <ul class="chips">
                { for shown.iter().map(|c| html! {
                    <li class={classes!("chip", if c.broken.is_some() { "ill" } else { "well" })} data-check={c.name.clone()}>
                        { t.t(&format!("check.{}", c.name)) }
                    </li>
                }) }
                <li><button type="button" class="chip more" aria-expanded={open.to_string()} onclick={toggle}>
                    { if *open { t.t("checks.fewer") } else { t.fill("checks.more", &[("n", &hidden)]) } }
                </button></li>
            </ul>
        </section>
    }
}
