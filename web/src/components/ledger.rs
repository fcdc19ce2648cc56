//! The logs of all servers, aligned by zxid.

use crate::components::{Do, Send, power, state_key};
use crate::desk::Choose;
use crate::i18n::Texts;
use crate::scene::ledger::{Cell, Column, Ledger as Model, Row};
use crate::store::Action;
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::view::Shown;

/// The ledger.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What to draw.
    pub ledger: Rc<Model>,
    /// The selected server.
    pub selected: ServerId,
    /// Sessions are folded.
    pub fold: bool,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Ledger(props: &Props) -> Html {
    let Props { texts: t, ledger, selected, fold, send } = props;
    let scroller = use_node_ref();
    {
        let scroller = scroller.clone();
        let last = ledger.columns.last().map(|c| c.zxid);
        use_effect_with((last, ledger.columns.len()), move |_| {
            if let Some(element) = scroller.cast::<Element>() {
                element.set_scroll_left(element.scroll_width());
            }
        });
    }
    let many = ledger.rows.len() > 6;
    let columns: Rc<[Column]> = Rc::from(ledger.columns.as_slice());
    html! {
        <section class="ledger-pane" aria-label={t.t(ledger.title)}>
            <div class="pane-head">
                <h2>{ t.t(ledger.title) }</h2>
                if ledger.sessions {
                    <Do class="tiny ghost" label={t.t("see.fold")} action={Action::Desk(Choose::Fold)} send={send.clone()} pressed={*fold}/>
                }
                <ul class="legend" aria-hidden="true">
                    { for ledger.stamps.iter().map(|s| html! {
                        <li><i class={classes!("swatch", s.class())}></i>{ t.t(s.key()) }</li>
                    }) }
                </ul>
            </div>
            <div class="ledger-scroll" ref={scroller} tabindex="0" role="group" aria-label={t.t("ledger.title")}>
                <table class={classes!("ledger", many.then_some("many"))}>
                    // All children of a row have keys: then those that stay are found, however many come or go.
                    <thead><tr>
                        <th key="who" class="who">
                            if ledger.older > 0 { <Do class="tiny ghost" label={t.fill("ledger.older", &[("n", &ledger.older)])} action={Action::Desk(Choose::Older)} send={send.clone()}/> }
                        </th>
                        { for ledger.columns.iter().enumerate().map(|(place, c)| head(t, place, c)) }
                    </tr></thead>
                    <tbody>
                        { for ledger.rows.iter().map(|r| html! {
                            <LedgerRow key={r.server.0} texts={t.clone()} row={r.clone()} columns={columns.clone()}
                                selected={r.server == *selected} send={send.clone()}/>
                        }) }
                    </tbody>
                </table>
                if ledger.columns.is_empty() { <p class="quiet">{ t.t("ledger.empty") }</p> }
            </div>
        </section>
    }
}

/// A column's head: the zxid, and while it is not committed, how many have acknowledged it.
fn head(t: &Texts, place: usize, c: &Column) -> Html {
    let text = if c.folds > 0 { t.fill("see.folded", &[("n", &c.folds)]) } else { c.zxid.to_string() };
    html! {
        <th key={place} scope="col" class={classes!("z", c.opens.then_some("opens"), c.colour, (c.folds > 0).then_some("folds"))}>
            { text }
            { for [c.acks, c.joint].into_iter().flatten().map(|(have, need)| html! {
                <span class="meter" data-acks={format!("{have}/{need}")}>
                    <span class="cells" aria-hidden="true">{ for (0..need).map(|i| html! { <i class={classes!((i < have).then_some("on"))}></i> }) }</span>
                    { t.fill("see.meter", &[("have", &have), ("need", &need)]) }
                </span>
            }) }
        </th>
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    texts: Rc<Texts>,
    row: Row,
    columns: Rc<[Column]>,
    selected: bool,
    send: Send,
}

/// A component of its own: most events change one row only.
#[component]
fn LedgerRow(props: &RowProps) -> Html {
    let RowProps { texts: t, row, columns, selected, send } = props;
    let id = row.server;
    let choose = send.reform(move |_: MouseEvent| Action::Select(id));
    let state = match row.role {
        Some(role) if !row.paused && row.shown != Shown::Down => t.t(&format!("cmp.role.{}", role.name())),
        _ => t.t(if row.paused { "state.paused" } else { state_key(row.shown) }),
    };
    html! {
        <tr class={classes!(selected.then_some("selected"), (row.shown == Shown::Down).then_some("down"))}>
            <th key="who" scope="row" class="who">
                <div class="who-row">
                    { power(t, id, row.shown, row.paused, false, send) }
                    <button type="button" class="who-name" onclick={choose} title={t.fill("do.select", &[("id", &id)])}>
                        <span class="crown-sign" aria-hidden="true">{ if row.crown { "♛" } else { "" } }</span>
                        <b>{ id.to_string() }</b>
                        <span class="who-state">{ state }</span>
                    </button>
                </div>
            </th>
            { for columns.iter().zip(&row.cells).enumerate().map(|(place, (column, cell))| cell_of(t, place, column, cell.as_ref())) }
        </tr>
    }
}

/// A cell is known by its place: somewhere else in time all columns are others, and writing cells anew costs far less
/// than making new ones.
fn cell_of(t: &Texts, place: usize, column: &Column, cell: Option<&Cell>) -> Html {
    let Some(cell) = cell else { return html! { <td key={place}></td> } };
    let state = t.t(cell.stamp.key());
    let title = if cell.full.is_empty() { state.clone() } else { format!("{} · {state}", cell.full) };
    let label = if column.folds > 0 { format!("±{}", column.folds) } else { cell.label.clone() };
    html! {
        <td key={place} class={classes!("cell", cell.stamp.class(), column.colour)} {title}>
            { label }<span class="sr">{ format!(" {state}") }</span>
        </td>
    }
}
