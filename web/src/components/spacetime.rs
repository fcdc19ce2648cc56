//! The space-time diagram: the same run as on the stage, as lanes over time, with the same selection.

use crate::captions::caption;
use crate::components::{Do, Send};
use crate::desk::{Choose, Pick};
use crate::i18n::Texts;
use crate::next::place as place_name;
use crate::scene::spacetime::{Diagram, Dot, Fate, Line};
use crate::store::Action;
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;

/// The diagram.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What to draw.
    pub diagram: Rc<Diagram>,
    /// What is picked.
    pub pick: Option<Pick>,
    /// Acknowledgements that commit.
    pub need: usize,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn SpaceTime(props: &Props) -> Html {
    let Props { texts: t, diagram: d, pick, need, send } = props;
    let scroller = use_node_ref();
    {
        let scroller = scroller.clone();
        use_effect_with(d.now as i64, move |_| {
            if let Some(element) = scroller.cast::<Element>() {
                element.set_scroll_left(element.scroll_width());
            }
        });
    }
    let lit = pick.is_some();
    html! {
        <section class={classes!("spacetime", lit.then_some("lit"))} data-testid="spacetime" aria-label={t.t("see.spacetime")}>
            <div class="lane-names" aria-hidden="true" style={format!("height:{:.0}px", d.height)}>
                { for d.lanes.iter().map(|l| html! { <span style={format!("top:{:.0}px", l.y)}>{ place_name(t, l.place) }</span> }) }
            </div>
            <div class="lane-scroll" ref={scroller} tabindex="0" role="group" aria-label={t.t("see.spacetime")}>
                <svg width={format!("{:.0}", d.width)} height={format!("{:.0}", d.height)} viewBox={format!("0 0 {:.0} {:.0}", d.width, d.height)}>
                    { for d.lanes.iter().map(|l| html! { <path class="lane" d={format!("M0 {0:.0}H{1:.0}", l.y, d.width)}/> }) }
                    <path class="now-line" d={format!("M{:.0} 8V{:.0}", d.now, d.height - 6.0)}/>
                    { for d.lines.iter().map(|l| line(t, l, *pick, send)) }
                    // Texts last: no line crosses one.
                    { for d.lines.iter().filter_map(|l| {
                        let (x, y) = l.tag?;
                        Some(html! {
                            <text key={format!("t{}", l.id)} class={classes!("st-tag", l.fate.class(), l.lit.map(|s| s.class()))} text-anchor="middle"
                                x={format!("{x:.1}")} y={format!("{:.1}", y + d.text * 0.35)} font-size={d.text.to_string()}>{ &l.text }</text>
                        })
                    }) }
                    { for d.dots.iter().map(|dot_| dot(t, dot_, *need, *pick, send)) }
                </svg>
            </div>
            if let Some(pick) = pick {
                <div class="picked" role="status">
                    <p data-testid="picked">{ picked(t, d, *pick, *need) }{ " · " }
                        { t.fill("see.lit", &[("causes", &d.counted.0), ("effects", &d.counted.1)]) }</p>
                    <Do label={t.t("see.goto")} action={Action::Seek(pick.moment)} send={send.clone()}/>
                    <Do label={t.t("see.unpick")} action={Action::Desk(Choose::Pick(None))} send={send.clone()}/>
                </div>
            } else {
                <p class="picked quiet">{ t.t("see.pick.hint") }</p>
            }
        </section>
    }
}

/// What is picked, in words.
fn picked(t: &Texts, d: &Diagram, pick: Pick, need: usize) -> String {
    let told = d.dots.iter().find(|dot| dot.pick == pick).and_then(|dot| caption(t, &dot.what, need)).map(|c| c.text);
    let message = d.lines.iter().find(|l| l.pick == pick).map(|l| l.text.clone());
    let what = told.or(message).unwrap_or_default();
    format!("{}: {what}", place_name(t, pick.place))
}

fn choose(send: &Send, pick: Pick, again: bool) -> Callback<()> {
    send.reform(move |()| Action::Desk(Choose::Pick((!again).then_some(pick))))
}

fn keys(pressed: Callback<()>) -> Callback<KeyboardEvent> {
    Callback::from(move |e: KeyboardEvent| {
        if matches!(e.key().as_str(), "Enter" | " ") {
            e.prevent_default();
            e.stop_propagation();
            pressed.emit(());
        }
    })
}

fn line(t: &Texts, l: &Line, pick: Option<Pick>, send: &Send) -> Html {
    let (dx, dy) = (l.to.0 - l.from.0, l.to.1 - l.from.1);
    let angle = dy.atan2(dx).to_degrees();
    let fate = t.t(match l.fate {
        Fate::Arrived => "see.fate.arrived",
        Fate::Flying => "see.fate.flying",
        Fate::Held => "see.fate.held",
        Fate::Lost => "see.fate.lost",
    });
    let pressed = choose(send, l.pick, pick == Some(l.pick));
    let onclick = pressed.reform(|_: MouseEvent| ());
    let d = format!("M{:.1} {:.1}L{:.1} {:.1}", l.from.0, l.from.1, l.to.0, l.to.1);
    html! {
        <g key={format!("m{}", l.id)} class={classes!("st-line", l.colour, l.fate.class(), l.lit.map(|s| s.class()))} {onclick}
            data-fate={l.fate.class()}>
            <title>{ format!("{} · {fate}", l.text) }</title>
            <path class="hit" d={d.clone()}/>
            <path class="line" {d}/>
            if l.fate == Fate::Arrived {
                <path class="tip-end" transform={format!("translate({:.1} {:.1}) rotate({angle:.1})", l.to.0, l.to.1)} d="M-9 -4.5L0 0L-9 4.5z"/>
            }
            if l.fate == Fate::Lost {
                <path class="x" d={format!("M{:.1} {:.1}l10 10m0 -10l-10 10", l.to.0 - 5.0, l.to.1 - 5.0)}/>
            }
        </g>
    }
}

fn dot(t: &Texts, dot: &Dot, need: usize, pick: Option<Pick>, send: &Send) -> Html {
    let text = caption(t, &dot.what, need).map(|c| c.text).unwrap_or_default();
    let pressed = choose(send, dot.pick, pick == Some(dot.pick));
    let onclick = pressed.reform(|_: MouseEvent| ());
    html! {
        <g key={format!("d{:?}", dot.pick)} class={classes!("st-dot", dot.landmark.then_some("landmark"), dot.lit.map(|s| s.class()))}
            role="button" tabindex="0" aria-label={text.clone()} aria-pressed={(pick == Some(dot.pick)).to_string()}
            transform={format!("translate({:.1} {:.1})", dot.at.0, dot.at.1)} {onclick} onkeydown={keys(pressed)}>
            <title>{ text }</title>
            <circle class="hit" r="11"/>
            if dot.landmark { <path d="M0 -8L8 0L0 8L-8 0z"/> } else { <circle r="5"/> }
        </g>
    }
}
