//! The menu of a server or a link on the stage: the same buttons as elsewhere, where the hand is.

use crate::components::faults::{LinkForm, message_menu, message_name};
use crate::components::{Do, Send, power};
use crate::i18n::Texts;
use crate::scene::layout::Point;
use crate::store::{Action, Target};
use std::rc::Rc;
use web_sys::HtmlElement;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::command::{Command, DiskDamage};
use zebu_core::sim::trouble::Troubles;
use zebu_core::sim::view::{ServerView, Shown, WorldView};

/// The menu.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Of what.
    pub target: Target,
    /// Where that is on the stage.
    pub at: Point,
    /// Size of the stage.
    pub size: (f64, f64),
    /// The picture.
    pub view: Rc<WorldView>,
    /// What was done to links and messages.
    pub troubles: Rc<Troubles>,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Menu(props: &Props) -> Html {
    let Props { texts: t, target, at, size, view, troubles, send } = props;
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with(*target, move |_| {
            let first = node.cast::<HtmlElement>().and_then(|e| e.query_selector("button").ok().flatten());
            if let Some(button) = first.and_then(|b| wasm_bindgen::JsCast::dyn_into::<HtmlElement>(b).ok()) {
                // Focus is a help, not a condition: a refusal changes nothing.
                let _ = button.focus();
            }
        });
    }
    let inside = match target {
        Target::Server(id) => match view.servers.iter().find(|s| s.id == *id) {
            Some(server) => server_menu(t, server, send),
            None => return html! {},
        },
        Target::Link(a, b) => html! {
            <>
                { link_menu(t, view, *a, *b, send) }
                { link_numbers(t.clone(), view, troubles, *a, *b, send) }
            </>
        },
        Target::Message(id) => match view.flights.iter().find(|f| f.id == *id) {
            Some(flight) => message_menu(t, flight, troubles.held.contains(id), send),
            None => return html! {},
        },
    };
    let left = at.x.clamp(110.0, (size.0 - 110.0).max(110.0));
    let below = at.y < size.1 * 0.55;
    // A long menu stays on the stage, and scrolls where that is lower than the menu.
    let height = match target {
        Target::Server(_) => 0.0,
        Target::Link(..) => 400.0,
        Target::Message(_) => 320.0,
    };
    let style = if height > 0.0 {
        let top = (at.y + 26.0).min(size.1 - height - 8.0).max(8.0);
        format!("left:{left:.0}px;top:{top:.0}px;max-height:{:.0}px", (size.1 - top - 8.0).max(120.0))
    } else if below {
        format!("left:{left:.0}px;top:{:.0}px", at.y + 26.0)
    } else {
        format!("left:{left:.0}px;bottom:{:.0}px", size.1 - at.y + 26.0)
    };
    html! {
        <div class="menu" role="group" {style} ref={node} aria-label={title(t, view, *target)}>
            <p class="menu-title">{ title(t, view, *target) }</p>
            { inside }
        </div>
    }
}

fn title(t: &Texts, view: &WorldView, target: Target) -> String {
    match target {
        Target::Server(id) => t.fill("tab.inspect", &[("id", &id)]),
        Target::Link(a, b) => format!("{a}–{b}"),
        Target::Message(id) => view.flights.iter().find(|f| f.id == id).map(message_name).unwrap_or_default(),
    }
}

fn server_menu(t: &Texts, s: &ServerView, send: &Send) -> Html {
    html! {
        <>
            { power(t, s.id, s.shown, s.paused, true, send) }
            if s.shown != Shown::Down {
                <Do label={t.fill("do.select", &[("id", &s.id)])} action={Action::Select(s.id)} send={send.clone()}/>
            } else {
                { damage(t, s.id, "do.damage.snapshot", DiskDamage::NewestSnapshot, send) }
                { damage(t, s.id, "do.damage.log", DiskDamage::MiddleOfLog, send) }
                { damage(t, s.id, "do.damage.all", DiskDamage::Everything, send) }
            }
        </>
    }
}

fn damage(t: &Texts, server: ServerId, key: &str, what: DiskDamage, send: &Send) -> Html {
    let action = Action::Do(Command::Damage { server, what });
    html! { <Do label={t.fill(key, &[("id", &server)])} {action} send={send.clone()}/> }
}

fn link_numbers(
    texts: Rc<Texts>,
    view: &WorldView,
    troubles: &Troubles,
    a: ServerId,
    b: ServerId,
    send: &Send,
) -> Html {
    let delay = view.links.iter().find(|l| l.from == a && l.to == b).map_or(0, |l| l.delay_ms);
    let noise = troubles.links.iter().find(|l| l.from == a && l.to == b);
    let now = noise.map_or([delay, 0, 0, 0], |l| [delay, l.jitter_ms, l.loss_percent, l.copy_percent]);
    html! { <LinkForm {texts} ends={(a, b)} {now} send={send.clone()}/> }
}

fn link_menu(t: &Texts, view: &WorldView, a: ServerId, b: ServerId, send: &Send) -> Html {
    let cut = |from: ServerId, to: ServerId| view.links.iter().any(|l| l.from == from && l.to == to && l.cut);
    let one = |from: ServerId, to: ServerId| {
        let (key, command) = if cut(from, to) {
            ("do.heal.one", Command::Heal { from, to, both: false })
        } else {
            ("do.cut.one", Command::Cut { from, to, both: false })
        };
        html! { <Do label={t.fill(key, &[("a", &from), ("b", &to)])} action={Action::Do(command)} send={send.clone()}/> }
    };
    let (key, command) = if cut(a, b) && cut(b, a) {
        ("do.heal", Command::Heal { from: a, to: b, both: true })
    } else {
        ("do.cut", Command::Cut { from: a, to: b, both: true })
    };
    html! {
        <>
            <Do label={t.fill(key, &[("a", &a), ("b", &b)])} action={Action::Do(command)} send={send.clone()}/>
            { one(a, b) }
            { one(b, a) }
            <Do label={t.fill("do.reset", &[("a", &a), ("b", &b)])} action={Action::Do(Command::Reset { a, b })} send={send.clone()}/>
        </>
    }
}
