//! The stage as text: for screen readers and for tests. Hidden from the eye, not from the accessibility tree.

use crate::compare_words;
use crate::components::state_word;
use crate::i18n::Texts;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::sim::view::{ModelView, Shown, WorldView};

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinRow {
    id: ServerId,
    shown: Shown,
    epoch: i64,
    logged: Zxid,
    committed: Zxid,
    model: Option<ModelView>,
}

/// The twin.
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Servers in order of id.
    pub rows: Vec<TwinRow>,
    /// The world's digest, while it stands still.
    pub digest: Option<u64>,
    /// Events executed.
    pub events: u64,
    /// Simulated microseconds.
    pub time: u64,
    /// The digest of a scenario's trace, at its end.
    pub trace: Option<u64>,
}

/// The rows of a view.
pub fn rows(view: &WorldView) -> Vec<TwinRow> {
    view.servers
        .iter()
        .map(|s| TwinRow {
            id: s.id,
            shown: s.shown,
            epoch: s.epoch.0,
            logged: s.logged,
            committed: s.committed,
            model: s.model.clone(),
        })
        .collect()
}

/// See [`Props`].
pub fn view(props: &Props) -> Html {
    let Props { texts: t, rows, digest, events, time, trace } = props;
    html! {
        <section class="sr" aria-label={t.t("twin.title")}>
            <table data-testid="servers">
                <thead><tr>
                    <th>{ t.t("twin.server") }</th><th>{ t.t("twin.state") }</th><th>{ t.t("twin.epoch") }</th>
                    <th>{ t.t("twin.logged") }</th><th>{ t.t("twin.committed") }</th>
                    if rows.iter().any(|r| r.model.is_some()) {
                        <th>{ t.t("cmp.role") }</th><th>{ t.t("cmp.state") }</th>
                        <th>{ t.t("cmp.about") }</th><th>{ t.t("cmp.facts") }</th>
                    }
                </tr></thead>
                <tbody>
                    { for rows.iter().map(|r| html! {
                        <tr key={r.id.0} data-server={r.id.to_string()}>
                            <th scope="row">{ r.id.to_string() }</th>
                            <td data-field="state">{ state_word(r.shown) }</td>
                            <td data-field="epoch">{ r.epoch.to_string() }</td>
                            <td data-field="logged">{ r.logged.to_string() }</td>
                            <td data-field="committed">{ r.committed.to_string() }</td>
                            if let Some(model) = &r.model {
                                <td data-field="role">{ compare_words::role(t, model) }</td>
                                <td data-field="stage" data-value={model.stage.name()}>{ compare_words::stage(t, model) }</td>
                                <td data-field="about">{ &model.about }</td>
                                <td data-field="facts">{ model.facts.iter().map(|f| compare_words::fact(t, f)).collect::<Vec<_>>().join("; ") }</td>
                            }
                        </tr>
                    }) }
                </tbody>
            </table>
            <p>{ t.t("twin.digest") }{ ": " }<output data-testid="digest">{ digest.map_or_else(|| "…".to_string(), |d| format!("{d:016x}")) }</output></p>
            <p>{ t.t("twin.events") }{ ": " }<output data-testid="events">{ events.to_string() }</output></p>
            <p>{ t.t("twin.time") }{ ": " }<output data-testid="time">{ format!("{}.{:06}", time / 1_000_000, time % 1_000_000) }</output></p>
            if let Some(trace) = trace {
                <p>{ t.t("twin.trace") }{ ": " }<output data-testid="trace-digest">{ format!("{trace:016x}") }</output></p>
            }
        </section>
    }
}
