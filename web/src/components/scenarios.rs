//! The list of scenarios.

use crate::browser;
use crate::components::Send;
use crate::components::help::Frame;
use crate::i18n::{Lang, Texts};
use crate::lessons;
use crate::store::{Action, Dialog};
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;
use zebu_core::scenario::Text;

/// The list.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The one on the stage.
    pub current: Option<String>,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Scenarios(props: &Props) -> Html {
    let Props { texts: t, current, send } = props;
    let own = |text: &Text| match t.lang {
        Lang::En => text.en.clone(),
        Lang::Zh => text.zh.clone(),
    };
    let lessons = use_memo((), |()| {
        let read = |names: &[&str]| names.iter().filter_map(|name| lessons::find(name)).collect::<Vec<_>>();
        lessons::CHAPTERS.iter().map(|(chapter, names)| (*chapter, read(names))).collect::<Vec<_>>()
    });
    let leave = send.reform(|_: MouseEvent| Action::Leave);
    let close = send.reform(|_: MouseEvent| Action::Open(None::<Dialog>));
    let free = Callback::from(move |e: MouseEvent| {
        leave.emit(e.clone());
        close.emit(e);
    });
    let to_compare = send.reform(|_: MouseEvent| Action::Open(None::<Dialog>));
    let onchange = {
        let send = send.clone();
        Callback::from(move |e: Event| {
            if let Some(field) = e.target_dyn_into::<HtmlInputElement>() {
                browser::read_file(&field, send.reform(Action::OpenFile));
            }
        })
    };
    html! {
        <Frame texts={t.clone()} title={t.t("scenario.list")} send={send.clone()}>
            <label class="open-file">{ t.t("see.file.open") }<input type="file" accept=".json,application/json" {onchange}/></label>
            <ol class="scenario-list first">
                <li><button type="button" class={classes!("scenario", current.is_none().then_some("current"))} onclick={free}>
                    <b>{ t.t("scenario.free") }</b>
                </button></li>
                <li><a class="scenario" href="#/compare" onclick={to_compare}>
                    <b>{ t.t("side.open") }</b><span>{ t.t("side.open.why") }</span>
                </a></li>
            </ol>
            <div class="chapters">
                { for lessons.iter().map(|(chapter, lessons)| html! {
                    <section>
                        <h3>{ t.t(&format!("lk.chapter.{chapter}")) }</h3>
                        <ol class="scenario-list">
                            { for lessons.iter().map(|lesson| {
                                let go = send.reform({
                                    let name = lesson.name.clone();
                                    move |_: MouseEvent| Action::Lesson(name.clone())
                                });
                                let now = current.as_ref() == Some(&lesson.name);
                                html! {
                                    <li><button type="button" class={classes!("scenario", now.then_some("current"))} onclick={go} data-scenario={lesson.name.clone()}>
                                        <b>{ own(&lesson.title) }</b><span>{ own(&lesson.about) }</span>
                                    </button></li>
                                }
                            }) }
                        </ol>
                    </section>
                }) }
            </div>
        </Frame>
    }
}
