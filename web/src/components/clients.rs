//! Clients: who is there, what each waits for, and a line to type.

use crate::components::recipes::{RecipeForm, RecipeRow, fault_buttons};
use crate::components::{Do, Send, icons};
use crate::i18n::Texts;
use crate::member_words;
use crate::store::Action;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use zebu_core::id::{ServerId, SessionId};
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::view::ClientView;

/// The clients.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// All of them.
    pub clients: Vec<ClientView>,
    /// The servers to choose from.
    pub servers: Vec<ServerId>,
    /// The name of the next new one.
    pub free: ClientId,
    /// What the leader has left of each session: microseconds, and of how many.
    pub left: Vec<(SessionId, u64, u64)>,
    /// Whether they can run recipes, be frozen and be cut off.
    pub recipes: bool,
    /// Where actions go.
    pub send: Send,
}

const LINES: usize = 3;

/// See [`Props`].
#[component]
pub fn Clients(props: &Props) -> Html {
    let Props { texts: t, clients, servers, free, left, recipes, send } = props;
    let who = use_state(|| None::<u32>);
    let via = use_state(|| None::<i64>);
    let line = use_state(|| String::from("create /a 1"));
    let field = use_node_ref();
    let typed = {
        let line = line.clone();
        Callback::from(move |e: InputEvent| {
            if let Some(input) = e.target_dyn_into::<HtmlInputElement>() {
                line.set(input.value());
            }
        })
    };
    let usable: Vec<&ClientView> = clients.iter().filter(|c| !c.ended).collect();
    // The chosen one; else the first that can be asked; else a new one.
    let chosen = match *who {
        Some(n) if n == free.0 || usable.iter().any(|c| c.id.0 == n) => ClientId(n),
        _ => usable.first().map_or(*free, |c| c.id),
    };
    let pick = {
        let who = who.clone();
        Callback::from(move |e: Event| {
            if let Some(select) = e.target_dyn_into::<HtmlSelectElement>() {
                who.set(select.value().parse().ok());
            }
        })
    };
    let pick_server = {
        let via = via.clone();
        Callback::from(move |e: Event| {
            if let Some(select) = e.target_dyn_into::<HtmlSelectElement>() {
                via.set(select.value().parse().ok());
            }
        })
    };
    let submit = {
        let (send, field, via) = (send.clone(), field.clone(), via.clone());
        Callback::from(move |()| {
            if let Some(input) = field.cast::<HtmlInputElement>() {
                let text = input.value();
                input.select();
                send.emit(Action::Ask { client: chosen, via: via.map(ServerId), line: text });
            }
        })
    };
    let onsubmit = {
        let submit = submit.clone();
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            submit.emit(());
        })
    };
    html! {
        <section class="clients-pane" aria-labelledby="clients-title">
            <h2 id="clients-title">{ t.t("client.title") }</h2>
            <form class="ask" {onsubmit}>
                <label>{ t.t("client.who") }
                    <select onchange={pick} aria-label={t.t("client.who")}>
                        { for usable.iter().map(|c| html! {
                            <option value={c.id.0.to_string()} selected={c.id == chosen}>{ c.id.to_string() }</option>
                        }) }
                        <option value={free.0.to_string()} selected={chosen == *free}>
                            { format!("{free} · {}", t.t("client.new")) }
                        </option>
                    </select>
                </label>
                <label>{ t.t("client.via") }
                    <select onchange={pick_server} aria-label={t.t("client.via")}>
                        <option value="" selected={via.is_none()}>{ t.t("client.via.same") }</option>
                        { for servers.iter().map(|s| html! {
                            <option value={s.to_string()} selected={*via == Some(s.0)}>{ s.to_string() }</option>
                        }) }
                    </select>
                </label>
                <label class="line">{ t.t("client.line") }
                    <input ref={field} type="text" aria-label={t.t("client.line")} value={(*line).clone()} oninput={typed} spellcheck="false"
                        autocomplete="off" autocapitalize="off" list="operations" maxlength="400"/>
                </label>
                <datalist id="operations">
                    { for ["create /a 1", "create -e /mine here", "create -s /queue- job", "set /a 2", "get -w /a", "ls /", "stat /a",
                        "delete /a", "sync /", "close"].iter().map(|o| html! { <option value={*o}/> }) }
                </datalist>
                <button type="submit" class="btn primary">{ t.t("client.send") }</button>
            </form>
            if *recipes {
                <RecipeForm texts={t.clone()} clients={usable.iter().map(|c| c.id).collect::<Vec<_>>()} free={*free} send={send.clone()}/>
            }
            if clients.is_empty() {
                <p class="quiet">{ t.t("client.none") }</p>
                <p class="quiet mono small">{ t.t("client.examples") }</p>
            }
            <ul class="client-list">
                { for clients.iter().rev().map(|c| client(t, c, left, *recipes, send)) }
            </ul>
        </section>
    }
}

/// What was asked or answered. Of a configuration only who is in it: all of it is a click away.
fn said(t: &Texts, text: &str, show: impl Fn(String) -> Html) -> Html {
    match member_words::brief(t, text) {
        Some(short) => html! {
            <details class="brief"><summary>{ show(short) }</summary><p class="mono">{ text }</p></details>
        },
        None => show(text.into()),
    }
}

fn client(t: &Rc<Texts>, c: &ClientView, left: &[(SessionId, u64, u64)], recipes: bool, send: &Send) -> Html {
    let ends = left.iter().find(|(id, ..)| Some(*id) == c.session);
    let state = if c.ended {
        t.t("client.ended")
    } else if c.paused {
        t.t("rc.ui.frozen")
    } else if c.cut {
        t.t("rc.ui.off")
    } else if c.connected {
        t.t("client.connected")
    } else {
        t.t("client.connecting")
    };
    let place = match c.server.filter(|_| !c.ended) {
        Some(s) => t.fill("client.at", &[("id", &s)]),
        None => t.t("client.nowhere"),
    };
    let skip = c.talk.len().saturating_sub(LINES);
    html! {
        <li key={c.id.0} class={classes!("client-item", c.ended.then_some("ended"))} data-client={c.id.to_string()}>
            <div class="client-head">
                <b>{ c.id.to_string() }</b>
                <span>{ place }</span>
                <span class={classes!("client-state", (c.connected && !c.paused).then_some("well"))}>{ state }</span>
                if !c.ended {
                    if recipes { { fault_buttons(t, c, send) } }
                    <Do class="tiny" label={t.fill("client.close", &[("id", &c.id)])} send={send.clone()}
                        action={Action::Do(Command::CloseSession { client: c.id })}>{ icons::close() }</Do>
                    <Do class="tiny" label={t.fill("client.kill", &[("id", &c.id)])} send={send.clone()}
                        action={Action::Do(Command::KillClient { client: c.id })}>{ icons::kill() }</Do>
                }
            </div>
            if let Some(session) = c.session {
                <p class="session mono">
                    { t.fill("client.session", &[("id", &session)]) }
                    if let Some((_, left, of)) = ends {
                        <i class="session-left" style={format!("--share:{:.2}", *left as f64 / (*of).max(1) as f64)}
                            title={t.fill("rc.ui.expires", &[("time", &t.duration(*left))])}></i>
                    }
                </p>
            }
            <RecipeRow texts={t.clone()} client={c.clone()} send={send.clone()}/>
            <ol class="talk">
                { for c.talk.iter().skip(skip).map(|talk| html! {
                    <li class={classes!(talk.event.then_some("event"), talk.failed.then_some("failed"))}>
                        { said(t, &talk.line, |text| html! { <code>{ text }</code> }) }
                        { match &talk.answer {
                            Some(answer) => said(t, answer, |text| html! { <span class="answer">{ text }</span> }),
                            None if talk.event => html! {},
                            None => html! { <span class="wait">{ t.t("client.waiting") }</span> },
                        } }
                    </li>
                }) }
            </ol>
        </li>
    }
}
