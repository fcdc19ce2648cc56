//! What happened, in words, newest first.

use crate::captions::{Weight, caption};
use crate::components::Send;
use crate::history::Entry;
use crate::i18n::Texts;
use crate::store::Action;
use std::rc::Rc;
use yew::prelude::*;

/// The newest entries that are drawn.
pub const SHOWN: usize = 60;

/// The list.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// The moment that is shown.
    pub now: u64,
    /// Acknowledgements that commit.
    pub need: usize,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn EventList(props: &Props) -> Html {
    let Props { texts: t, entries, now, need, send } = props;
    html! {
        <section class="events-pane" aria-label={t.t("events.title")}>
            if entries.is_empty() {
                <p class="quiet">{ t.t("events.none") }</p>
            }
            <ol class="events" data-testid="event-list">
                { for entries.iter().rev().map(|e| {
                    let words = caption(t, &e.what, *need);
                    let later = e.event > *now;
                    let go = send.reform({
                        let event = e.event;
                        move |_: MouseEvent| Action::Seek(event)
                    });
                    html! {
                        <li class={classes!("event", later.then_some("later"),
                                (e.weight == Weight::Landmark).then_some("landmark"), (e.weight <= Weight::Small).then_some("small"))}>
                            <button type="button" class="when mono" onclick={go} title={t.fill("events.go", &[("n", &e.event)])}>
                                { format!("{:.2}", e.at.0 as f64 / 1e6) }
                            </button>
                            <div>
                                <p class="what">{ words.as_ref().map(|w| w.text.clone()).unwrap_or_default() }</p>
                                if let Some(why) = words.map(|w| w.why).filter(|w| !w.is_empty()) {
                                    <p class="because">{ why }</p>
                                }
                            </div>
                        </li>
                    }
                }) }
            </ol>
        </section>
    }
}
