//! The head of the page.

use crate::components::{Do, Send, icons};
use crate::i18n::Texts;
use crate::store::{Action, Dialog};
use std::rc::Rc;
use yew::prelude::*;

/// The head.
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The scenario's title; none in free mode.
    pub lesson: Option<String>,
    /// Servers and seed in short.
    pub setup: String,
    /// The run is recorded.
    pub recording: bool,
    /// Only the picture is shown.
    pub stage_mode: bool,
    /// The system wants it dark.
    pub system_is_dark: bool,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
pub fn view(props: &Props) -> Html {
    let Props { texts: t, lesson, setup, recording, stage_mode, system_is_dark, send } = props;
    html! {
        <header class="head">
            <h1 class="mark">{ icons::mark() }<span>{ "Zebu" }</span></h1>
            <p class="crumb">
                { match lesson {
                    Some(title) => html! { <b>{ title }</b> },
                    None => html! { <><b>{ t.t("app.free") }</b><span class="setup-short">{ setup }</span></> },
                } }
            </p>
            <nav class="head-buttons">
                if lesson.is_none() {
                    <Do class="ghost wide-only" label={t.t("see.record")} action={Action::Record} send={send.clone()} pressed={*recording}/>
                }
                if lesson.is_some() {
                    <Do label={t.t("app.free")} action={Action::Leave} send={send.clone()}/>
                }
                <Do class="ghost" label={t.t("head.scenarios")} action={Action::Open(Some(Dialog::Scenarios))} send={send.clone()}/>
                <Do class="ghost" label={t.t("head.setup")} action={Action::Open(Some(Dialog::Setup))} send={send.clone()}/>
                <Do class="ghost" label={t.t("sh.share")} action={Action::Open(Some(Dialog::Share))} send={send.clone()}/>
                <Do class="ghost" label={t.t("setup.reset")} action={Action::Reset} send={send.clone()}/>
                <Do class="icon-only" label={t.t("head.stage")} action={Action::StageMode} send={send.clone()}
                    pressed={*stage_mode} title={format!("{} (s)", t.t("head.stage"))}>{ icons::frame() }</Do>
                <button type="button" class="btn" lang={t.lang.other().tag()} title={t.t("head.lang.label")}
                    onclick={send.reform({ let lang = t.lang.other(); move |_| Action::Language(lang) })}>{ t.t("head.lang") }</button>
                <Do class="icon-only" label={t.t("head.theme")} action={Action::ToggleTheme(*system_is_dark)} send={send.clone()}>
                    { icons::theme() }
                </Do>
                <Do class="icon-only" label={t.t("head.help")} action={Action::Open(Some(Dialog::Help))} send={send.clone()}
                    title={format!("{} (?)", t.t("head.help"))}>{ "?" }</Do>
            </nav>
        </header>
    }
}
