//! Recipes: which one a client starts, where it stands, what it can be told; and what can be done to a client.

use crate::components::{Do, Send, icons};
use crate::i18n::Texts;
use crate::recipe_words;
use crate::store::Action;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use zebu_core::recipe::{Kind, State};
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::view::ClientView;

/// The form that starts one.
#[derive(Properties, PartialEq)]
pub struct FormProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The clients that can start one.
    pub clients: Vec<ClientId>,
    /// The name of the next new one.
    pub free: ClientId,
    /// Where actions go.
    pub send: Send,
}

/// What stands behind the recipe's name in its example.
fn example(kind: Kind) -> &'static str {
    kind.example().split_once(' ').map_or("", |(_, rest)| rest)
}

/// See [`FormProps`].
#[component]
pub fn RecipeForm(props: &FormProps) -> Html {
    let FormProps { texts: t, clients, free, send } = props;
    let who = use_state(|| None::<u32>);
    let kind = use_state(|| Kind::QueueLock);
    let line = use_state(|| String::from(example(Kind::QueueLock)));
    let chosen = who.map(ClientId).filter(|id| clients.contains(id)).unwrap_or(*free);
    let pick = {
        let who = who.clone();
        Callback::from(move |e: Event| {
            if let Some(select) = e.target_dyn_into::<HtmlSelectElement>() {
                who.set(select.value().parse().ok());
            }
        })
    };
    let pick_kind = {
        let (kind, line) = (kind.clone(), line.clone());
        Callback::from(move |e: Event| {
            let chosen =
                e.target_dyn_into::<HtmlSelectElement>().and_then(|select| select.value().parse::<Kind>().ok());
            if let Some(chosen) = chosen {
                line.set(example(chosen).into());
                kind.set(chosen);
            }
        })
    };
    let typed = {
        let line = line.clone();
        Callback::from(move |e: InputEvent| {
            if let Some(input) = e.target_dyn_into::<HtmlInputElement>() {
                line.set(input.value());
            }
        })
    };
    let onsubmit = {
        let (send, line, kind) = (send.clone(), line.clone(), *kind);
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            send.emit(Action::RunRecipe { client: chosen, line: format!("{kind} {}", line.trim()) });
        })
    };
    html! {
        <details class="recipe-form">
            <summary>{ t.t("rc.ui.title") }</summary>
            <form class="ask" {onsubmit}>
                <label>{ t.t("client.who") }
                    <select onchange={pick} aria-label={t.t("client.who")} data-testid="recipe-client">
                        { for clients.iter().map(|id| html! {
                            <option value={id.0.to_string()} selected={*id == chosen}>{ id.to_string() }</option>
                        }) }
                        <option value={free.0.to_string()} selected={chosen == *free}>
                            { format!("{free} · {}", t.t("client.new")) }
                        </option>
                    </select>
                </label>
                <label>{ t.t("rc.ui.kind") }
                    <select onchange={pick_kind} aria-label={t.t("rc.ui.kind")} data-testid="recipe-kind">
                        { for Kind::ALL.iter().map(|k| html! {
                            <option value={k.name()} selected={*k == *kind}>{ recipe_words::kind(t, *k) }</option>
                        }) }
                    </select>
                </label>
                <label class="line">{ t.t("rc.ui.line") }
                    <input type="text" aria-label={t.t("rc.ui.line")} value={(*line).clone()} oninput={typed} spellcheck="false"
                        autocomplete="off" autocapitalize="off" maxlength="300" data-testid="recipe-line"/>
                </label>
                <button type="submit" class="btn primary" aria-label={t.fill("rc.ui.start.for", &[("id", &chosen)])}>
                    { t.t("rc.ui.start") }
                </button>
            </form>
        </details>
    }
}

/// A client's recipe.
#[derive(Properties, PartialEq)]
pub struct RowProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The client.
    pub client: ClientView,
    /// Where actions go.
    pub send: Send,
}

/// What can be told to a recipe of this kind beyond stopping it, to begin with.
fn order(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Producer => Some("put d"),
        Kind::Assigner => Some("add s9"),
        Kind::Collector => Some("load 9"),
        _ => None,
    }
}

/// See [`RowProps`].
#[component]
pub fn RecipeRow(props: &RowProps) -> Html {
    let RowProps { texts: t, client: c, send } = props;
    let typed = use_state(|| None::<String>);
    let Some(recipe) = &c.recipe else { return html! {} };
    let id = c.id;
    let tell = |line: &str| Action::Do(Command::TellRecipe { client: id, line: line.into() });
    let onsubmit = {
        let (send, line) = (send.clone(), (*typed).clone().or_else(|| order(recipe.kind).map(String::from)));
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            if let Some(line) = line.clone() {
                send.emit(Action::Do(Command::TellRecipe { client: id, line }));
            }
        })
    };
    let oninput = {
        let typed = typed.clone();
        Callback::from(move |e: InputEvent| {
            if let Some(input) = e.target_dyn_into::<HtmlInputElement>() {
                typed.set(Some(input.value()));
            }
        })
    };
    let runs = !matches!(recipe.state, State::Over | State::Failed) && !c.ended;
    let name = recipe_words::kind(t, recipe.kind);
    let holds = matches!(recipe.state, State::Holding | State::Unsure);
    let note = recipe.note.as_ref().map(|note| match recipe.state {
        State::Waiting => t.fill("rc.ui.behind", &[("what", note)]),
        _ => note.clone(),
    });
    html! {
        <div class={classes!("recipe", holds.then_some("holds"))} data-testid={format!("recipe-{id}")}
            data-state={format!("{:?}", recipe.state).to_ascii_lowercase()}>
            <p class="recipe-head">
                <span>{ name.clone() }</span><code>{ &recipe.path }</code>
                <b class="recipe-state">{ recipe_words::state(t, recipe.state) }</b>
            </p>
            <p class="recipe-note mono">
                if let Some(note) = note { <span>{ note }</span> }
                if let Some(node) = recipe.node.as_ref().filter(|node| Some(*node) != recipe.note.as_ref()) { <span>{ node }</span> }
                if let Some(token) = recipe.token { <span>{ t.fill("rc.ui.token", &[("zxid", &token)]) }</span> }
            </p>
            if runs {
                <div class="recipe-do">
                    if recipe.kind == Kind::Consumer && recipe.state == State::Holding {
                        <Do class="tiny" label={t.fill("rc.ui.done.for", &[("id", &id)])} send={send.clone()} action={tell("done")}>
                            { t.t("rc.ui.done") }
                        </Do>
                    }
                    <Do class="tiny" label={t.fill("rc.ui.stop.for", &[("id", &id), ("recipe", &name)])} send={send.clone()}
                        action={tell("stop")}>{ t.t("rc.ui.stop") }</Do>
                    if let Some(line) = order(recipe.kind) {
                        <form {onsubmit}>
                            <input type="text" value={(*typed).clone().unwrap_or_else(|| line.into())} {oninput} aria-label={t.fill("rc.ui.tell", &[("id", &id)])}
                                spellcheck="false" autocomplete="off" autocapitalize="off" maxlength="200"/>
                        </form>
                    }
                </div>
            }
        </div>
    }
}

/// The buttons of a client's faults: freeze and cut off, or undo them.
pub fn fault_buttons(t: &Texts, c: &ClientView, send: &Send) -> Html {
    let client = c.id;
    let (freeze, freeze_icon, freeze_do) = if c.paused {
        ("rc.ui.thaw", icons::play(), Command::ResumeClient { client })
    } else {
        ("rc.ui.freeze", icons::pause(), Command::PauseClient { client })
    };
    let (cut, cut_icon, cut_do) = if c.cut {
        ("rc.ui.heal", icons::plug(), Command::HealClient { client })
    } else {
        ("rc.ui.cut", icons::unplug(), Command::CutClient { client })
    };
    html! {
        <>
            <Do class="tiny" label={t.fill(freeze, &[("id", &client)])} send={send.clone()} pressed={c.paused}
                action={Action::Do(freeze_do)}>{ freeze_icon }</Do>
            <Do class="tiny" label={t.fill(cut, &[("id", &client)])} send={send.clone()} pressed={c.cut}
                action={Action::Do(cut_do)}>{ cut_icon }</Do>
        </>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::recipe::{Order, Spec};

    #[test]
    fn what_the_form_offers_can_be_started_and_told() {
        for kind in Kind::ALL {
            let spec: Spec = format!("{kind} {}", example(kind)).parse().unwrap();
            assert_eq!(spec.kind, kind);
            assert!(order(kind).is_none_or(|line| line.parse::<Order>().is_ok()), "{kind}");
        }
    }
}
