//! A text in which every term of the field can be asked for its meaning, by pointer or by focus.

use crate::glossary::{explanation, parts};
use crate::i18n::Texts;
use std::rc::Rc;
use yew::prelude::*;

/// A text.
#[derive(Properties, PartialEq)]
pub struct SaidProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What is said.
    pub text: String,
}

/// See [`SaidProps`].
#[component]
pub fn Said(props: &SaidProps) -> Html {
    let SaidProps { texts: t, text } = props;
    html! {
        { for parts(t.lang, text).into_iter().map(|part| match part.term {
            Some(term) => html! { <Term texts={t.clone()} word={part.text} {term}/> },
            None => html! { { part.text } },
        }) }
    }
}

#[derive(Properties, PartialEq)]
struct TermProps {
    texts: Rc<Texts>,
    word: String,
    term: &'static str,
}

/// The explanation is in the page only while it is asked for, so that nothing reads it out unasked.
#[component]
fn Term(props: &TermProps) -> Html {
    let TermProps { texts: t, word, term } = props;
    let open = use_state(|| false);
    let set = |to: bool| {
        let open = open.clone();
        move || open.set(to)
    };
    let (enter, leave, focus, blur) = (set(true), set(false), set(true), set(false));
    html! {
        <span class="term" tabindex="0" data-term={*term} aria-describedby={open.then_some("term-tip")}
            onmouseenter={move |_| enter()} onmouseleave={move |_| leave()} onfocus={move |_| focus()} onblur={move |_| blur()}>
            { word }
            if *open { <span class="tip" id="term-tip" role="tooltip">{ explanation(t, term) }</span> }
        </span>
    }
}
