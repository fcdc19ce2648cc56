//! The stage. Messages are not here: a painter moves them inside the empty group `packets` in every frame.

use crate::components::server_node::{ServerDisc, label};
use crate::components::{Send, opens};
use crate::desk::Choose;
use crate::i18n::Texts;
use crate::scene::layout::Point;
use crate::scene::stage::{Client, Link, Stage as Model, Way};
use crate::store::{Action, Target};
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::trouble::{Troubles, UnsteadyLink};

/// The stage.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What to draw.
    pub stage: Rc<Model>,
    /// The selected server.
    pub selected: ServerId,
    /// What was done to links.
    pub troubles: Rc<Troubles>,
    /// Where actions go.
    pub send: Send,
    /// The group the painter fills.
    pub packets: NodeRef,
}

/// See [`Props`].
#[component]
pub fn Stage(props: &Props) -> Html {
    let Props { texts: t, stage, selected, troubles, send, packets } = props;
    let svg = use_node_ref();
    let layout = &stage.layout;
    let close = send.reform(|_: MouseEvent| Action::Menu(None));
    let drag = use_mut_ref(|| Option::<Drag>::None);
    let onpointerdown = {
        let drag = drag.clone();
        Callback::from(move |e: PointerEvent| *drag.borrow_mut() = Drag::begin(&e))
    };
    let onpointermove = {
        let (drag, send, node) = (drag.clone(), send.clone(), svg.clone());
        Callback::from(move |e: PointerEvent| {
            let moved = drag.borrow_mut().as_mut().and_then(|d| d.moved(&e, &node));
            if let Some((id, at)) = moved {
                send.emit(Action::Desk(Choose::Move(id, at)));
            }
        })
    };
    let onpointerup = Callback::from(move |_: PointerEvent| *drag.borrow_mut() = None);
    let thick = layout.radius > 45.0;
    html! {
        <svg class={classes!("stage-svg", thick.then_some("thick"))} viewBox={format!("0 0 {:.0} {:.0}", layout.width, layout.height)}
            role="group" aria-label={t.fill("app.stage.label", &[("n", &stage.servers.len())])} onclick={close}
            ref={svg} {onpointerdown} {onpointermove} {onpointerup}>
            <g class="links">
                { for stage.links.iter().map(|l| link_line(t, l, layout.radius, send)) }
            </g>
            <g class="link-notes" aria-hidden="true">
                { for stage.links.iter().filter_map(|l| link_note(t, l, troubles)) }
            </g>
            <g class="clients">
                // First: no client's tether runs through another client.
                { for stage.clients.iter().filter_map(tether) }
                { for stage.clients.iter().map(|c| client(t, c, layout.client_radius())) }
            </g>
            <g>
                { for stage.servers.iter().map(|s| label(t, s, layout)) }
            </g>
            <g>
                { for stage.servers.iter().map(|s| html! {
                    <ServerDisc key={s.id.0} texts={t.clone()} server={s.clone()} radius={layout.radius} text={layout.text} selected={s.id == *selected} send={send.clone()}/>
                }) }
            </g>
            // Above all: what is under way is read before it is gone.
            <g class="packets" aria-hidden="true" ref={packets.clone()}></g>
        </svg>
    }
}

/// The numbers of an unsteady link, below its middle; the larger ones where its two directions differ.
fn link_note(t: &Texts, l: &Link, troubles: &Troubles) -> Option<Html> {
    let both = |n: &&UnsteadyLink| (n.from, n.to) == (l.a, l.b) || (n.from, n.to) == (l.b, l.a);
    let ways: Vec<&UnsteadyLink> = troubles.links.iter().filter(both).collect();
    let most = |f: fn(&UnsteadyLink) -> u32| ways.iter().map(|n| f(n)).max();
    let (jitter, loss) = (most(|n| n.jitter_ms)?, most(|n| n.loss_percent)?);
    let copies = most(|n| n.copy_percent)?;
    let notes = [("fl.note.jitter", jitter), ("fl.note.loss", loss), ("fl.note.copies", copies)];
    let words: Vec<String> = notes.iter().filter(|(_, n)| *n > 0).map(|(key, n)| t.fill(key, &[("n", n)])).collect();
    let text = words.join(" · ");
    let middle = l.mark;
    Some(
        html! { <text class="slow-text" text-anchor="middle" x={middle.x.to_string()} y={(middle.y + 18.0).to_string()}>{ text }</text> },
    )
}

/// A server that is being dragged by a mouse or a pen. (A finger scrolls.)
struct Drag {
    server: ServerId,
    from: (i32, i32),
    far: bool,
}

/// Pixels from which on a press is a drag.
const FAR: i32 = 6;

impl Drag {
    fn begin(e: &PointerEvent) -> Option<Drag> {
        let held = e.pointer_type() != "touch" && e.button() == 0;
        let disc = e.target_dyn_into::<Element>().filter(|_| held)?.closest(".server").ok()??;
        let server = ServerId(disc.get_attribute("data-id")?.parse().ok()?);
        Some(Drag { server, from: (e.client_x(), e.client_y()), far: false })
    }

    /// The server's new place, as shares of the stage.
    fn moved(&mut self, e: &PointerEvent, svg: &NodeRef) -> Option<(ServerId, (f64, f64))> {
        let element = svg.cast::<Element>()?;
        let distance = (e.client_x() - self.from.0).abs().max((e.client_y() - self.from.1).abs());
        if !self.far && distance >= FAR {
            self.far = true;
            // From now on the click belongs to the stage, and opens no menu. A refusal only leaves the menu open.
            element.set_pointer_capture(e.pointer_id()).ok();
        }
        let rect = element.get_bounding_client_rect();
        let share = |at: i32, start: f64, length: f64| (f64::from(at) - start) / length.max(1.0);
        let x = share(e.client_x(), rect.left(), rect.width());
        let y = share(e.client_y(), rect.top(), rect.height());
        self.far.then_some((self.server, (x, y)))
    }
}

/// One link: a line to see, a broad one to hit.
fn link_line(t: &Texts, l: &Link, radius: f64, send: &Send) -> Html {
    let state = match (l.forth, l.back) {
        (Way::Cut, Way::Cut) => t.t("stage.link.cut"),
        (Way::Cut, _) => t.fill("stage.link.oneway", &[("from", &l.a), ("to", &l.b)]),
        (_, Way::Cut) => t.fill("stage.link.oneway", &[("from", &l.b), ("to", &l.a)]),
        (Way::Slow(ms), _) | (_, Way::Slow(ms)) => t.fill("stage.link.slow", &[("ms", &ms)]),
        _ => t.t("stage.link.open"),
    };
    let name = t.fill("stage.link.label", &[("a", &l.a), ("b", &l.b), ("state", &state)]);
    let (onclick, onkeydown) = opens(Target::Link(l.a, l.b), send);
    let d = |a: Point, b: Point| format!("M{:.1} {:.1}L{:.1} {:.1}", a.x, a.y, b.x, b.y);
    let cut = l.forth == Way::Cut || l.back == Way::Cut;
    let both = l.forth == Way::Cut && l.back == Way::Cut;
    let slow = matches!(l.forth, Way::Slow(_)) || matches!(l.back, Way::Slow(_));
    let middle = l.mark;
    let size = (radius * 0.16).clamp(6.0, 11.0);
    html! {
        <g key={format!("{}-{}", l.a, l.b)} class={classes!("link", l.reign, cut.then_some("cut"), both.then_some("both"), slow.then_some("slow"))} role="button" tabindex="0"
            aria-label={name} aria-haspopup="true" data-link={format!("{}-{}", l.a, l.b)} {onclick} {onkeydown}>
            <path class="hit" d={d(l.from, l.to)}/>
            <path class="line" d={d(l.from, l.to)}/>
            if cut {
                <path class="cross" d={format!("M{:.1} {:.1}l{s:.1} {s:.1}m0 -{s:.1}l-{s:.1} {s:.1}", middle.x - size, middle.y - size, s = size * 2.0)}/>
            }
            if cut && !both {
                { arrow(if l.forth == Way::Cut { (l.from, l.to) } else { (l.to, l.from) }, size) }
            }
            if slow {
                <text class="slow-text" text-anchor="middle" x={middle.x.to_string()} y={(middle.y - 6.0).to_string()}>{ state }</text>
            }
        </g>
    }
}

/// The arrow of the direction that is cut, between the cross and the receiver.
fn arrow((from, to): (Point, Point), size: f64) -> Html {
    let tip = from.towards(to, 0.66);
    let angle = (to.y - from.y).atan2(to.x - from.x).to_degrees();
    html! {
        <path class="arrow" transform={format!("translate({:.1} {:.1}) rotate({angle:.1})", tip.x, tip.y)}
            d={format!("M{0:.1} -{1:.1}L{1:.1} 0L{0:.1} {1:.1}", -size, size)}/>
    }
}

fn tether(c: &Client) -> Option<Html> {
    let edge = c.server?;
    let d = format!("M{:.1} {:.1}L{:.1} {:.1}", c.at.x, c.at.y, edge.x, edge.y);
    Some(
        html! { <path key={format!("t{}", c.id.0)} class={classes!("tether", c.connected.then_some("connected"))} {d}/> },
    )
}

fn client(t: &Texts, c: &Client, half: f64) -> Html {
    let state = if c.ended {
        t.t("client.ended")
    } else if c.waiting {
        t.t("client.waiting")
    } else if c.connected {
        t.t("client.connected")
    } else {
        t.t("client.connecting")
    };
    let state = if c.holds { format!("{state}, {}", t.t("rc.state.holding")) } else { state };
    let name = t.fill("stage.client.label", &[("id", &c.id), ("state", &state)]);
    html! {
        <g key={c.id.0} class={classes!("client-node", c.holds.then_some("holds"), c.connected.then_some("connected"), c.ended.then_some("ended"), c.waiting.then_some("waiting"))}
            role="img" aria-label={name}>
            <rect x={(c.at.x - half).to_string()} y={(c.at.y - half).to_string()} width={(half * 2.0).to_string()}
                height={(half * 2.0).to_string()} rx={(half * 0.35).to_string()}/>
            <text text-anchor="middle" x={c.at.x.to_string()} y={(c.at.y + half * 0.42).to_string()} font-size={(half * 1.2).to_string()}>
                { c.id.to_string() }
            </text>
            <title>{ state }</title>
        </g>
    }
}
