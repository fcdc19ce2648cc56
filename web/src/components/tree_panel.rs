//! The znodes of the selected server.

use crate::components::Send;
use crate::i18n::Texts;
use crate::recipe_words::short;
use crate::scene::tree::{Difference, Line, Owner, TreeModel};
use crate::store::{Action, Tab};
use std::rc::Rc;
use yew::prelude::*;

/// The tree.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What to draw.
    pub tree: Rc<TreeModel>,
    /// The server leads itself.
    pub leads: bool,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn TreePanel(props: &Props) -> Html {
    let Props { texts: t, tree, leads, send } = props;
    let different = tree.lines.iter().filter(|l| l.difference != Difference::Same).count();
    let summary = match tree.leader {
        _ if tree.lines.is_empty() => t.t("tree.empty"),
        _ if *leads => t.t("tree.leads"),
        None => t.t("tree.nobody"),
        Some(leader) if different == 0 => t.fill("tree.same", &[("id", &leader)]),
        Some(leader) => t.fill("tree.differs", &[("n", &different), ("id", &leader)]),
    };
    html! {
        <section class="tree-pane" aria-labelledby="tree-title">
            <div class="pane-head"><h2 id="tree-title">{ t.fill("tree.title", &[("id", &tree.server)]) }</h2></div>
            <ul class="tree" data-testid="tree">
                { for tree.lines.iter().map(|l| line(t, l, send)) }
            </ul>
            if tree.more > 0 { <p class="quiet">{ t.fill("tree.more", &[("n", &tree.more)]) }</p> }
            <p class="quiet small">{ summary }</p>
        </section>
    }
}

fn line(t: &Texts, l: &Line, send: &Send) -> Html {
    let (class, title) = match l.difference {
        Difference::Same => (None, None),
        Difference::Changed => (Some("changed"), Some(t.t("tree.changed"))),
        Difference::Extra => (Some("extra"), Some(t.t("tree.extra"))),
        Difference::Missing => (Some("missing"), Some(t.t("tree.missing"))),
    };
    let owner = l.owner.map(|o| match o {
        // The way to the client whose end is the znode's end.
        Owner::Client(id) => html! {
            <button type="button" class="v owner" data-owner={id.to_string()} onclick={send.reform(|_: MouseEvent| Action::Show(Tab::Clients))}>
                { t.fill("tree.ephemeral", &[("owner", &id)]) }
            </button>
        },
        Owner::Session(id) => html! { <span class="v">{ t.fill("tree.ephemeral", &[("owner", &id)]) }</span> },
    });
    html! {
        <li key={l.path.clone()} class={classes!("znode", class)} style={format!("--depth:{}", l.depth)} title={title.clone()} data-path={l.path.clone()}>
            <span class="name" title={l.path.clone()}>{ short(&l.name) }</span>
            // Always there, if empty: what comes and goes costs more than what is written anew.
            <span class="data">{ if l.data.is_empty() { String::new() } else { format!("= {}", l.data) } }</span>
            <span class="v">{ if l.version > 0 { format!("v{}", l.version) } else { String::new() } }</span>
            if let Some(owner) = owner { { owner } }
            if l.watches > 0 {
                <span class="eye" title={t.fill("tree.watched", &[("n", &l.watches)])}>
                    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M1 8s2.5-4.5 7-4.5S15 8 15 8s-2.5 4.5-7 4.5S1 8 1 8z" fill="none" stroke="currentColor" stroke-width="1.5"/><circle cx="8" cy="8" r="2" fill="currentColor"/></svg>
                    <span class="sr">{ t.fill("tree.watched", &[("n", &l.watches)]) }</span>
                </span>
            }
            if let Some(title) = title { <span class="sr">{ title }</span> }
        </li>
    }
}
