//! Links as squares to press: both ways, one way, and partitions by groups.

use crate::components::{Do, Send};
use crate::groups;
use crate::i18n::Texts;
use crate::store::Action;
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::command::Command;
use zebu_core::sim::view::LinkView;

/// The links.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// All servers.
    pub servers: Vec<ServerId>,
    /// Those that vote, for the suggested partition.
    pub voters: Vec<ServerId>,
    /// Links in an unusual state.
    pub links: Vec<LinkView>,
    /// The lasso is in hand.
    pub lasso: bool,
    /// Where actions go.
    pub send: Send,
}

impl Props {
    fn is_cut(&self, from: ServerId, to: ServerId) -> bool {
        self.links.iter().any(|l| l.from == from && l.to == to && l.cut)
    }
}

/// See [`Props`].
#[component]
pub fn Links(props: &Props) -> Html {
    let Props { texts: t, servers, voters, send, lasso, .. } = props;
    let groups = use_state(|| None::<String>);
    let text = groups.as_ref().map_or_else(|| groups::suggestion(voters), String::clone);
    let typed = {
        let groups = groups.clone();
        Callback::from(move |e: InputEvent| {
            groups.set(e.target_dyn_into::<HtmlInputElement>().map(|input| input.value()));
        })
    };
    let onsubmit = {
        let (send, text) = (send.clone(), text.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            send.emit(Action::Partition(text.clone()));
        })
    };
    let heading =
        || html! { <tr><th></th>{ for servers.iter().map(|s| html! { <th scope="col">{ s.to_string() }</th> }) }</tr> };
    html! {
        <section class="links-pane" aria-labelledby="links-title">
            <h2 id="links-title">{ t.t("faults.title") }</h2>
            <form class="partition" {onsubmit}>
                <input type="text"  aria-label={t.t("do.partition.label")} title={t.t("do.partition.label")}
                    value={text} oninput={typed} spellcheck="false" autocomplete="off" maxlength="80"/>
                <button type="submit" class="btn">{ t.t("do.partition") }</button>
                <Do label={t.t("fl.lasso")} title={t.t("fl.lasso.hint")} action={Action::Lasso} pressed={Some(*lasso)} send={send.clone()}/>
                <Do label={t.t("do.healall")} action={Action::Do(Command::HealAll)} send={send.clone()}/>
            </form>
            <details class="single"><summary>{ t.t("lk.links.single") }</summary>
            <div class="matrices">
                <figure>
                    <figcaption>{ t.t("faults.both") }</figcaption>
                    <table class="matrix">
                        <thead>{ heading() }</thead>
                        <tbody>
                            { for servers.iter().map(|a| html! {
                                <tr key={a.0}><th scope="row">{ a.to_string() }</th>
                                    { for servers.iter().map(|b| html! { <td key={b.0}>{ if a < b { both(props, *a, *b) } else { html! {} } }</td> }) }
                                </tr>
                            }) }
                        </tbody>
                    </table>
                </figure>
                <figure>
                    <figcaption>{ t.t("faults.oneway") }</figcaption>
                    <table class="matrix">
                        <thead>{ heading() }</thead>
                        <tbody>
                            { for servers.iter().map(|a| html! {
                                <tr key={a.0}><th scope="row">{ a.to_string() }</th>
                                    { for servers.iter().map(|b| html! { <td key={b.0}>{ if a == b { html! {} } else { one_way(props, *a, *b) } }</td> }) }
                                </tr>
                            }) }
                        </tbody>
                    </table>
                </figure>
            </div>
            </details>
        </section>
    }
}

fn square(props: &Props, cut: bool, label: String, command: Command) -> Html {
    html! {
        <Do class={classes!("square", cut.then_some("cut"))} {label} action={Action::Do(command)} send={props.send.clone()}>
            <span aria-hidden="true">{ if cut { "✕" } else { "" } }</span>
        </Do>
    }
}

/// The button that cuts or heals both directions.
pub fn both(props: &Props, a: ServerId, b: ServerId) -> Html {
    let cut = props.is_cut(a, b) && props.is_cut(b, a);
    let (key, command) = if cut {
        ("do.heal", Command::Heal { from: a, to: b, both: true })
    } else {
        ("do.cut", Command::Cut { from: a, to: b, both: true })
    };
    square(props, cut, props.texts.fill(key, &[("a", &a), ("b", &b)]), command)
}

/// The button that cuts or heals one direction.
pub fn one_way(props: &Props, from: ServerId, to: ServerId) -> Html {
    let cut = props.is_cut(from, to);
    let (key, command) = if cut {
        ("do.heal.one", Command::Heal { from, to, both: false })
    } else {
        ("do.cut.one", Command::Cut { from, to, both: false })
    };
    square(props, cut, props.texts.fill(key, &[("a", &from), ("b", &to)]), command)
}
