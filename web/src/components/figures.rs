//! What can be counted: messages, syncs, how long writes take.

use crate::flow::{Counts, Write};
use crate::i18n::Texts;
use std::rc::Rc;
use yew::prelude::*;

/// The newest writes that are listed.
const LISTED: usize = 12;

/// The figures.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Up to this moment.
    pub counts: Counts,
    /// Answered writes, oldest first.
    pub writes: Vec<Write>,
}

/// The writes that are worth handing over.
pub fn listed(writes: &[Write]) -> Vec<Write> {
    writes.get(writes.len().saturating_sub(LISTED)..).unwrap_or_default().to_vec()
}

/// See [`Props`].
#[component]
pub fn Figures(props: &Props) -> Html {
    let Props { texts: t, counts: c, writes } = props;
    let mean = c.waited.checked_div(c.writes.into()).map(|mean| t.duration(mean));
    let rows = [
        ("see.count.sent", c.sent.to_string(), "sent"),
        ("see.count.heartbeats", c.heartbeats.to_string(), "heartbeats"),
        ("see.count.delivered", c.delivered.to_string(), "delivered"),
        ("see.count.lost", c.lost.to_string(), "lost"),
        ("see.count.syncs", c.syncs.to_string(), "syncs"),
        ("see.count.records", c.records.to_string(), "records"),
        ("see.count.writes", c.writes.to_string(), "writes"),
        ("see.count.mean", mean.unwrap_or_else(|| "–".into()), "mean"),
    ];
    html! {
        <section class="figures-pane" aria-label={t.t("see.figures")}>
            <dl class="facts">
                { for rows.into_iter().map(|(key, value, name)| html! { <><dt>{ t.t(key) }</dt><dd data-count={name}>{ value }</dd></> }) }
            </dl>
            if !writes.is_empty() {
                <h3>{ t.t("see.count.each") }</h3>
                <ul class="write-list">
                    { for writes.iter().rev().map(|w| html! {
                        <li key={w.moment}><b>{ w.client.to_string() }</b><code>{ &w.line }</code><span class="mono">{ t.duration(w.micros) }</span></li>
                    }) }
                </ul>
            }
        </section>
    }
}
