//! The rules that are checked after every event, as chips: the nine of Zab's specification, those of sessions, and the
//! rest.

use crate::components::{Do, Send};
use crate::i18n::Texts;
use crate::store::Action;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::sim::check::Rule;
use zebu_core::sim::view::CheckView;

/// The rules about sessions and what clients are told.
const SESSIONS: [Rule; 4] =
    [Rule::SessionOrder, Rule::EphemeralsFollowSessions, Rule::WatchOnce, Rule::AnswerIsCommitted];

/// The rules.
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Each with the reason if it is broken.
    pub checks: Vec<CheckView>,
    /// A replay that gave another state, in words.
    pub diverged: Option<String>,
    /// The moments at which rules were broken.
    pub moments: Vec<(Rule, u64)>,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
pub fn view(props: &Props) -> Html {
    let Props { texts: t, checks, diverged, moments, send } = props;
    let replay = CheckView { name: "replay".into(), broken: diverged.clone() };
    let all: Vec<&CheckView> = checks.iter().chain([&replay]).collect();
    let broken: Vec<&CheckView> = all.iter().copied().filter(|c| c.broken.is_some()).collect();
    let rule = |c: &CheckView| Rule::named(&c.name);
    let (nine, rest): (Vec<&CheckView>, Vec<&CheckView>) =
        all.into_iter().partition(|c| c.name != "replay" && rule(c).is_none_or(|r| r.tla().is_some()));
    let (sessions, rest): (Vec<&CheckView>, Vec<&CheckView>) =
        rest.into_iter().partition(|c| rule(c).is_some_and(|r| SESSIONS.contains(&r)));
    let chip = |c: &CheckView| {
        let known = rule(c);
        let tla = known.and_then(Rule::tla);
        let ill = c.broken.is_some();
        let state = if ill { t.t("see.check.ill") } else { t.t("see.check.well") };
        let text = t.t(&format!("check.{}", c.name));
        // The specification's own name belongs on the chip; what it means, behind it.
        let (name, title) = match tla {
            Some(tla) => (tla.to_string(), format!("{text}: {state}")),
            None => (text, state.clone()),
        };
        html! {
            <li class={classes!("chip", if ill { "ill" } else { "well" })} data-check={c.name.clone()} {title}>
                { name }<span class="sr">{ " " }{ state }</span>
            </li>
        }
    };
    html! {
        <section class="checks" data-testid="checks">
            <h2>{ if broken.is_empty() { t.t("checks.title") } else { t.t("checks.broken") } }</h2>
            { for broken.iter().map(|c| {
                let moment = moments.iter().find(|(r, _)| Some(*r) == rule(c)).map(|(_, m)| *m);
                html! {
                    <div class="broken-rule" role="alert" data-broken={c.name.clone()}>
                        <p><b>{ t.t(&format!("check.{}", c.name)) }</b>{ ": " }{ c.broken.clone().unwrap_or_default() }</p>
                        if let Some(moment) = moment {
                            <Do label={t.fill("events.go", &[("n", &moment)])} action={Action::Seek(moment)} send={send.clone()}/>
                        }
                    </div>
                }
            }) }
            <ul class="chips" aria-label={t.t("see.check.nine")}>{ for nine.iter().map(|c| chip(c)) }</ul>
            <details>
                <summary>{ t.fill("lk.checks", &[("n", &(nine.len() + sessions.len() + rest.len()))]) }</summary>
                <ul class="chips">{ for sessions.iter().chain(&rest).map(|c| chip(c)) }</ul>
            </details>
        </section>
    }
}
