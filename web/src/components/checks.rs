//! The rules that are checked after every event, as chips.

use crate::i18n::Texts;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::sim::view::CheckView;

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
    html! {
        <section class="checks" data-testid="checks">
            <h2>{ if broken { t.t("checks.broken") } else { t.t("checks.title") } }</h2>
            { for all.iter().filter_map(|c| c.broken.as_ref().map(|why| html! {
                <p class="broken-rule" role="alert"><b>{ t.t(&format!("check.{}", c.name)) }</b>{ ": " }{ why }</p>
            })) }
            <ul class="chips">
                { for all.iter().map(|c| html! {
                    <li class={classes!("chip", if c.broken.is_some() { "ill" } else { "well" })} data-check={c.name.clone()}>
                        { t.t(&format!("check.{}", c.name)) }
                    </li>
                }) }
            </ul>
        </section>
    }
}
