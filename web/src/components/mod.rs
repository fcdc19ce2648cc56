//! Markup: each component spells out a piece of the state. None of them decides anything.

pub mod ballots;
pub mod caption;
pub mod checks;
pub mod clients;
pub mod compare_page;
pub mod controls;
pub mod event_list;
pub mod faults;
pub mod figures;
pub mod header;
pub mod help;
pub mod icons;
pub mod inspector;
pub mod lasso;
pub mod ledger;
pub mod legend;
pub mod line_compare;
pub mod links;
pub mod members;
pub mod menu;
pub mod model_panel;
pub mod predict;
pub mod recipes;
pub mod scenarios;
pub mod server_node;
pub mod setup;
pub mod share;
pub mod spacetime;
pub mod stage;
pub mod term;
pub mod text_twin;
pub mod time_panel;
pub mod timeline_bar;
pub mod tree_panel;
pub mod views;

use crate::i18n::Texts;
use crate::store::{Action, Target};
use yew::prelude::*;
use zebu_core::sim::command::Command;
use zebu_core::sim::view::Shown;

/// Sends an action to the page.
pub type Send = Callback<Action>;

/// A button that sends an action.
#[derive(Properties, PartialEq)]
pub struct DoProps {
    /// Its accessible name.
    pub label: AttrValue,
    /// What it does.
    pub action: Action,
    /// Where it is sent.
    pub send: Send,
    /// Style class.
    #[prop_or_default]
    pub class: Classes,
    /// Can't be pressed now.
    #[prop_or_default]
    pub disabled: bool,
    /// What it shows; its name, if nothing else.
    #[prop_or_default]
    pub children: Html,
    /// A hint with the key, for the pointer.
    #[prop_or_default]
    pub title: Option<AttrValue>,
    /// For a button that is on or off.
    #[prop_or_default]
    pub pressed: Option<bool>,
}

/// See [`DoProps`].
#[component]
pub fn Do(props: &DoProps) -> Html {
    let onclick = {
        let (send, action) = (props.send.clone(), props.action.clone());
        Callback::from(move |e: MouseEvent| {
            e.stop_propagation();
            send.emit(action.clone());
        })
    };
    let inside = if props.children == Html::default() {
        html! { &props.label }
    } else {
        props.children.clone()
    };
    let title = props.title.clone().unwrap_or_else(|| props.label.clone());
    html! {
        <button type="button" class={classes!("btn", props.class.clone())} aria-label={props.label.clone()} {title}
            disabled={props.disabled} aria-pressed={props.pressed.map(|p| if p { "true" } else { "false" })} {onclick}>
            { inside }
        </button>
    }
}

/// What opens the menu of something on the stage: a click, and the keys that press a button.
pub fn opens(target: Target, send: &Send) -> (Callback<MouseEvent>, Callback<KeyboardEvent>) {
    let open = send.reform(move |()| Action::Menu(Some(target)));
    let press = open.clone();
    let onclick = Callback::from(move |e: MouseEvent| {
        e.stop_propagation();
        open.emit(());
    });
    let onkeydown = Callback::from(move |e: KeyboardEvent| {
        if matches!(e.key().as_str(), "Enter" | " ") {
            e.prevent_default();
            e.stop_propagation();
            press.emit(());
        }
    });
    (onclick, onkeydown)
}

/// Kill or restart, pause or resume: the two buttons of a server, with words or with signs only.
pub fn power(t: &Texts, server: zebu_core::id::ServerId, shown: Shown, paused: bool, words: bool, send: &Send) -> Html {
    let down = shown == Shown::Down;
    let face = |icon: Html, text: String| {
        if words {
            html! { <>{ icon }<span>{ text }</span></> }
        } else {
            icon
        }
    };
    let kill = if down {
        html! {
            <Do class="power" label={t.fill("do.restart", &[("id", &server)])} send={send.clone()}
                action={Action::Do(Command::Restart { server })}>
                { face(icons::restart(), t.t("do.restart.short")) }
            </Do>
        }
    } else {
        html! {
            <Do class="power" label={t.fill("do.kill", &[("id", &server)])} send={send.clone()}
                action={Action::Do(Command::Kill { server })}>
                { face(icons::kill(), t.t("do.kill.short")) }
            </Do>
        }
    };
    let freeze = if paused {
        html! {
            <Do class="power" label={t.fill("do.resume", &[("id", &server)])} send={send.clone()}
                action={Action::Do(Command::Resume { server })}>
                { face(icons::play(), t.t("do.resume.short")) }
            </Do>
        }
    } else {
        html! {
            <Do class="power" label={t.fill("do.pause", &[("id", &server)])} send={send.clone()} disabled={down}
                action={Action::Do(Command::Pause { server })}>
                { face(icons::pause(), t.t("do.pause.short")) }
            </Do>
        }
    };
    html! { <>{ kill }{ freeze }</> }
}

/// A state's word, as in the text twin.
pub fn state_word(shown: Shown) -> &'static str {
    match shown {
        Shown::Looking => "looking",
        Shown::Following => "following",
        Shown::Leading => "leading",
        Shown::Observing => "observing",
        Shown::Down => "down",
    }
}

/// The key of a state's name.
pub fn state_key(shown: Shown) -> &'static str {
    match shown {
        Shown::Looking => "state.looking",
        Shown::Following => "state.following",
        Shown::Leading => "state.leading",
        Shown::Observing => "state.observing",
        Shown::Down => "state.down",
    }
}
