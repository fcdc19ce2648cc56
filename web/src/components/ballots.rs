//! The ballot board: who votes for whom, and the comparison that decides.

use crate::captions::decided;
use crate::i18n::Texts;
use crate::scene::ballots::Board;
use yew::prelude::*;

/// The board as a table.
pub fn table(t: &Texts, board: &Board) -> Html {
    html! {
        <div class="ballots" data-testid="ballots">
            <table>
                <thead><tr>
                    <th scope="col">{ t.t("inspect.ballots.voter") }</th><th scope="col">{ t.t("twin.epoch") }</th>
                    <th scope="col">{ "zxid" }</th><th scope="col">{ t.t("inspect.ballots.vote") }</th>
                </tr></thead>
                <tbody>
                    { for board.ballots.iter().map(|b| html! {
                        <tr key={b.voter.0} class={classes!(b.best.then_some("best"), b.settled.then_some("settled"))}>
                            <th scope="row">{ b.voter.to_string() }</th><td>{ b.vote.epoch.to_string() }</td>
                            <td>{ b.vote.zxid.to_string() }</td>
                            <td>{ b.vote.leader.to_string() }{ if b.best { " ✓" } else { "" } }</td>
                        </tr>
                    }) }
                </tbody>
            </table>
            if let Some((best, other, by)) = &board.decided {
                <p class="because" data-testid="decided">
                    { t.fill("see.ballots.wins", &[("id", &best.leader), ("why", &decided(t, *by, best, other))]) }
                </p>
            }
            <p class="because">{ t.fill("see.ballots.have", &[("have", &board.have), ("need", &board.need)]) }</p>
        </div>
    }
}

/// The board as a pane of its own.
pub fn pane(t: &Texts, board: &Board) -> Html {
    html! {
        <section class="tree-pane ballot-pane" aria-label={t.t("inspect.ballots")}>
            <div class="pane-head"><h2>{ t.t("inspect.ballots") }</h2></div>
            { table(t, board) }
        </section>
    }
}
