//! This run as a link, a file, a picture, a part of another page.

use crate::browser;
use crate::components::Send;
use crate::components::help::Frame;
use crate::film::SECONDS;
use crate::i18n::Texts;
use crate::picture;
use crate::store::Action;
use crate::store::filming::Filming;
use crate::store::time::TimeAction;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

/// A file to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Run and events.
    Json,
    /// For ShiViz.
    ShiViz,
    /// For Mermaid.
    Mermaid,
}

/// The dialog.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The run as a part of an address.
    pub link: String,
    /// The scenario, for embedding.
    pub scenario: Option<String>,
    /// Asked for a file: its name and its text.
    pub file: Callback<FileKind, (String, String)>,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Share(props: &Props) -> Html {
    let Props { texts: t, link, scenario, file, send } = props;
    let copied = use_state(|| false);
    let (field, pasted) = (use_node_ref(), use_node_ref());
    let address = format!("{}#/r/{link}", browser::page_address());
    let copy = {
        let (field, copied) = (field.clone(), copied.clone());
        Callback::from(move |_: MouseEvent| {
            if let Some(input) = field.cast::<HtmlInputElement>() {
                input.select();
                copied.set(browser::copy(&input.value()));
            }
        })
    };
    let save = |key: &str, kind: FileKind| {
        let file = file.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            let (name, text) = file.emit(kind);
            picture::save(&name, &text, "text/plain");
        });
        html! { <button type="button" class="btn" {onclick}>{ t.t(key) }</button> }
    };
    let picture = |key: &str, png: bool| {
        let send = send.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            if let Err(what) = picture::save_stage(png) {
                send.emit(Action::Time(TimeAction::PictureFailed(what)));
            }
        });
        html! { <button type="button" class="btn" {onclick}>{ t.t(key) }</button> }
    };
    let seconds = use_node_ref();
    let film = {
        let (send, seconds) = (send.clone(), seconds.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            // The field takes nothing but such numbers.
            if let Some(Ok(n)) = seconds.cast::<HtmlInputElement>().map(|i| i.value().parse()) {
                send.emit(Action::Film(Filming::Start(n)));
            }
        })
    };
    let open = {
        let (send, pasted) = (send.clone(), pasted.clone());
        Callback::from(move |_: MouseEvent| {
            let text = pasted.cast::<HtmlTextAreaElement>().map(|a| a.value()).unwrap_or_default();
            send.emit(Action::Time(TimeAction::Import(text)));
        })
    };
    let chosen = {
        let send = send.clone();
        Callback::from(move |e: Event| {
            if let Some(input) = e.target_dyn_into::<HtmlInputElement>() {
                browser::read_file(&input, send.reform(|text| Action::Time(TimeAction::Import(text))));
            }
        })
    };
    let what = match scenario {
        Some(name) => format!("&scenario={name}"),
        None => String::new(),
    };
    let embed = format!(
        "<iframe src=\"{}?embed=1{what}\" width=\"960\" height=\"600\" title=\"Zebu\"></iframe>",
        browser::page_address()
    );
    html! {
        <Frame texts={t.clone()} title={t.t("sh.title")} send={send.clone()}>
            <h3>{ t.t("sh.link") }</h3>
            <p class="share-link">
                <input ref={field} type="text" readonly=true value={address} aria-label={t.t("sh.link")} data-testid="share-link"/>
                <button type="button" class="btn primary" onclick={copy}>{ t.t("sh.copy") }</button>
                if *copied { <span role="status" class="quiet">{ t.t("sh.copied") }</span> }
            </p>
            <p class="quiet small">{ t.t("sh.link.about") }</p>
            <h3>{ t.t("sh.files") }</h3>
            <div class="fault-buttons">
                { save("sh.json", FileKind::Json) }
                { save("sh.shiviz", FileKind::ShiViz) }
                { save("sh.mermaid", FileKind::Mermaid) }
                { picture("sh.svg", false) }
                { picture("sh.png", true) }
            </div>
            <form class="fault-buttons film" onsubmit={film}>
                <label>{ t.t("film.seconds") }{ " " }
                    <input ref={seconds} type="number" min={SECONDS.0.to_string()} max={SECONDS.1.to_string()} value="10" required=true/>
                </label>
                <button type="submit" class="btn">{ t.t("film.title") }</button>
            </form>
            <p class="quiet small">{ t.t("film.about") }</p>
            <h3>{ t.t("sh.import") }</h3>
            <textarea ref={pasted} rows="3" aria-label={t.t("sh.import.hint")} placeholder={t.t("sh.import.hint")} spellcheck="false"/>
            <div class="fault-buttons">
                <button type="button" class="btn" onclick={open}>{ t.t("sh.import.go") }</button>
                <label class="open-file">{ t.t("sh.import.file") }<input type="file" accept=".json,application/json,text/plain" onchange={chosen}/></label>
            </div>
            <h3>{ t.t("sh.embed") }</h3>
            <input type="text" class="wide" readonly=true value={embed} aria-label={t.t("sh.embed")}/>
            <p class="quiet small">{ t.t("sh.embed.about") }</p>
        </Frame>
    }
}
