//! Dialogs' frame, and the one with keys and signs.

use crate::components::{Do, Send, icons};
use crate::i18n::Texts;
use crate::store::Action;
use std::rc::Rc;
use web_sys::HtmlElement;
use yew::prelude::*;

/// A dialog's frame.
#[derive(Properties, PartialEq)]
pub struct FrameProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Its title.
    pub title: String,
    /// Where actions go.
    pub send: Send,
    /// What is in it.
    pub children: Html,
}

/// See [`FrameProps`]. Takes the focus when it opens; Escape, the button and the paper around it close it.
#[component]
pub fn Frame(props: &FrameProps) -> Html {
    let FrameProps { texts: t, title, send, children } = props;
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with((), move |()| {
            if let Some(element) = node.cast::<HtmlElement>() {
                // Focus is a help, not a condition: a refusal changes nothing.
                let _ = element.focus();
            }
        });
    }
    let close = send.reform(|_: MouseEvent| Action::Open(None));
    let stay = Callback::from(|e: MouseEvent| e.stop_propagation());
    html! {
        <div class="veil" onclick={close}>
            <div class="dialog" role="dialog" aria-modal="true" aria-label={title.clone()} tabindex="-1" ref={node} onclick={stay}>
                <div class="dialog-head">
                    <h2>{ title }</h2>
                    <Do class="icon-only" label={t.t("do.close")} action={Action::Open(None)} send={send.clone()}>{ icons::close() }</Do>
                </div>
                { children.clone() }
            </div>
        </div>
    }
}

/// The help.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Where actions go.
    pub send: Send,
}

const KEYS: [(&str, &str); 23] = [
    ("␣", "help.space"),
    ("→", "help.right"),
    ("←", "help.left"),
    ("⇧ →", "help.shiftright"),
    ("⌥ →", "help.altright"),
    ("[  ]", "help.speed"),
    ("u", "help.undo"),
    ("b", "help.mark"),
    ("g", "help.lasso"),
    ("1 … 9", "help.digits"),
    ("k", "help.kill"),
    ("f", "help.freeze"),
    ("h", "help.heal"),
    ("PgDn . ↵ ↓", "help.next"),
    ("PgUp ↑", "see.help.back"),
    ("l", "see.help.legend"),
    ("t", "see.help.spacetime"),
    ("r", "see.help.ring"),
    ("s p", "help.stage"),
    ("b", "see.help.black"),
    ("x", "see.help.laser"),
    ("?", "help.this"),
    ("Esc", "help.escape"),
];

const SIGNS: [&str; 7] = [
    "help.sign.leader",
    "help.sign.epoch",
    "help.sign.request",
    "help.sign.tick",
    "help.sign.cut",
    "help.sign.observer",
    "help.sign.down",
];

/// See [`Props`].
#[component]
pub fn Help(props: &Props) -> Html {
    let Props { texts: t, send } = props;
    html! {
        <Frame texts={t.clone()} title={t.t("help.title")} send={send.clone()}>
            <p>{ t.t("help.real") }</p>
            <h3>{ t.t("help.keys") }</h3>
            <dl class="keys">
                { for KEYS.iter().map(|(key, what)| html! { <><dt><kbd>{ *key }</kbd></dt><dd>{ t.t(what) }</dd></> }) }
            </dl>
            <h3>{ t.t("help.signs") }</h3>
            <ul class="signs">
                { for SIGNS.iter().map(|sign| html! { <li>{ t.t(sign) }</li> }) }
            </ul>
        </Frame>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    #[test]
    fn every_key_and_sign_has_its_words() {
        let t = Texts::load(Lang::En);
        for key in KEYS.iter().map(|(_, k)| *k).chain(SIGNS) {
            assert!(t.has(key), "{key}");
        }
    }
}
