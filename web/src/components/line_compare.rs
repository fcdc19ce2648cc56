//! Two lines of the run beside each other: the first event that differs, and what came of it.

use crate::captions;
use crate::compare::{Comparison, Side, committed, leader, values};
use crate::compare_words;
use crate::components::help::Frame;
use crate::components::{Do, Send};
use crate::i18n::Texts;
use crate::next::place;
use crate::scene::packets::short_kind;
use crate::store::Action;
use crate::store::time::TimeAction;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::sim::view::WorldView;
use zebu_core::trace::TraceEvent;

/// Values that are listed; the rest are counted.
const VALUES: usize = 24;

/// The dialog.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What was found.
    pub found: Rc<Comparison>,
    /// What the lines are called.
    pub names: [String; 2],
    /// Acknowledgements that commit.
    pub need: usize,
    /// Where actions go.
    pub send: Send,
}

/// An event in words; captions tell all but messages.
fn words(t: &Texts, event: &TraceEvent, need: usize) -> Option<String> {
    let message = |key: &str, from, to, kind: &str| {
        t.fill(key, &[("kind", &short_kind(kind)), ("from", &place(t, from)), ("to", &place(t, to))])
    };
    match event {
        TraceEvent::Sent { from, to, kind, .. } => Some(message("tl.sent", *from, *to, kind)),
        TraceEvent::Delivered { from, to, kind, .. } => Some(message("tl.arrived", *from, *to, kind)),
        TraceEvent::Lost { from, to, kind, .. } => Some(message("tl.lost", *from, *to, kind)),
        event => captions::caption(t, event, need).map(|c| c.text),
    }
}

/// What is told of how a line ends: pairs of the same name in the same order on both sides.
fn outcome(t: &Texts, view: &WorldView) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    // A server that is spoken of by a badge of its own has no epochs and zxids.
    if view.servers.iter().all(|s| s.model.as_ref().is_none_or(|m| m.badge.is_none())) {
        let leads = leader(view).map(|(id, epoch)| t.fill("tl.leader.is", &[("id", &id), ("epoch", &epoch)]));
        rows.push((t.t("tl.leader"), leads.unwrap_or_else(|| t.t("tl.none"))));
        rows.push((t.t("tl.committed"), committed(view).to_string()));
    }
    for (id, model) in view.servers.iter().filter_map(|s| Some((s.id, s.model.as_ref()?))) {
        let known = model.beside.iter().map(|known| compare_words::fact(t, known));
        let parts = [format!("{} {}", compare_words::stage(t, model), model.about).trim_end().to_string()];
        rows.push((
            t.fill("place.server", &[("id", &id)]),
            parts.into_iter().chain(known).collect::<Vec<_>>().join(" · "),
        ));
    }
    rows
}

/// See [`Props`].
#[component]
pub fn LineCompare(props: &Props) -> Html {
    let Props { texts: t, found, names, need, send } = props;
    let [a, b] = &found.sides;
    let differs = !(a.first.is_empty() && b.first.is_empty());
    let sides = [a, b];
    let first = |side: &Side| side.first.iter().find_map(|e| words(t, e, *need)).unwrap_or_else(|| t.t("tl.ends"));
    let go = |side: &Side, moment: u64, key: &str| {
        let label = t.fill(key, &[("n", &moment), ("line", &side.line)]);
        html! { <Do class="small" label={label} action={Action::Time(TimeAction::Go(side.line, moment))} send={send.clone()}>
            { t.fill("tt.mark.go", &[("n", &moment)]) }
        </Do> }
    };
    let row = |name: String, cells: [Html; 2], same: bool| {
        let [x, y] = cells;
        html! { <tr class={classes!((!same).then_some("differs"))}><th scope="row">{ name }</th><td>{ x }</td><td>{ y }</td></tr> }
    };
    let text = |name: String, x: String, y: String| {
        let same = x == y;
        row(name, [html! { { x } }, html! { { y } }], same)
    };
    let outcomes = outcome(t, &a.view).into_iter().zip(outcome(t, &b.view));
    let values = values(&a.view, &b.view);
    let missing = || t.t("tl.none");
    html! {
        <Frame texts={t.clone()} title={t.fill("tl.title", &[("a", &a.line), ("b", &b.line)])} send={send.clone()}>
            <p>{ t.fill(if differs { "tl.parts" } else { "tl.same" }, &[("n", &found.same)]) }</p>
            <table class="line-compare" data-testid="compared">
                <thead><tr><td></td>{ for names.iter().map(|name| html! { <th scope="col">{ name }</th> }) }</tr></thead>
                <tbody>
                    if differs {
                        { row(t.t("tl.first"), sides.map(|s| html! { <><p>{ first(s) }</p>{ go(s, s.moment, "tl.go") }</> }), false) }
                    }
                    { row(t.t("tl.end"), sides.map(|s| go(s, s.end, "tl.go.end")), true) }
                    { for outcomes.map(|((name, x), (_, y))| text(name, x, y)) }
                    { for values.iter().take(VALUES).map(|(path, [x, y])| {
                        text(path.clone(), x.clone().unwrap_or_else(missing), y.clone().unwrap_or_else(missing))
                    }) }
                </tbody>
            </table>
            if values.len() > VALUES { <p class="quiet small">{ t.fill("tree.more", &[("n", &(values.len() - VALUES))]) }</p> }
        </Frame>
    }
}
