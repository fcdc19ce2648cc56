//! The servers of a compared protocol in its own words, in the place where ZooKeeper has its znodes.

use crate::compare_words;
use crate::i18n::Texts;
use yew::prelude::*;
use zebu_core::sim::view::{ServerView, Shown, WorldView};

/// Role, stage and what is known, for each server.
pub fn view(t: &Texts, view: &WorldView) -> Html {
    let row = |s: &ServerView| {
        let model = s.model.as_ref()?;
        let stage = format!("{} {}", compare_words::stage(t, model), model.about);
        let known = model.beside.iter().map(|known| compare_words::fact(t, known));
        let values = s.tree.iter().filter(|z| !z.path.is_empty() && !z.data.is_empty());
        let held: Vec<String> = known.chain(values.map(|z| format!("{}={}", z.path, z.data))).collect();
        let down = (s.shown == Shown::Down).then_some("down");
        Some(html! {
            <tr key={s.id.0} class={classes!(down)}>
                <th scope="row">{ s.id.to_string() }</th><td>{ compare_words::role(t, model) }</td>
                <td>{ stage.trim_end().to_string() }</td><td>{ held.join(" · ") }</td>
            </tr>
        })
    };
    html! {
        <section class="tree-pane model-pane" aria-label={t.t("md.servers")}>
            <div class="pane-head"><h2>{ t.t("md.servers") }</h2></div>
            <table data-testid="models"><tbody>{ for view.servers.iter().filter_map(row) }</tbody></table>
        </section>
    }
}
