//! The lasso: a loop drawn around servers cuts them off from all others, in one command.

use crate::components::Send;
use crate::i18n::Texts;
use crate::scene::layout::Point;
use crate::store::Action;
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::command::Command;

/// A sheet over the stage that takes the loop.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Where the servers are.
    pub servers: Vec<(ServerId, Point)>,
    /// Size of the stage.
    pub size: (f64, f64),
    /// Where actions go.
    pub send: Send,
}

/// Whether a point lies in the loop.
fn inside(p: Point, ring: &[Point]) -> bool {
    let mut odd = false;
    let mut previous = ring.last();
    for at in ring {
        if let Some(before) = previous
            && (at.y > p.y) != (before.y > p.y)
            && p.x < (before.x - at.x) * (p.y - at.y) / (before.y - at.y) + at.x
        {
            odd = !odd;
        }
        previous = Some(at);
    }
    odd
}

/// The command of a loop: none if it holds nobody or everybody.
pub fn partition(ring: &[Point], servers: &[(ServerId, Point)]) -> Option<Command> {
    let group: Vec<ServerId> = servers.iter().filter(|(_, at)| inside(*at, ring)).map(|(id, _)| *id).collect();
    let some = !group.is_empty() && group.len() < servers.len();
    some.then(|| Command::Partition { groups: vec![group] })
}

/// See [`Props`].
#[component]
pub fn Lasso(props: &Props) -> Html {
    let Props { texts: t, servers, size, send } = props;
    let ring = use_state(Vec::<Point>::new);
    let drawing = use_state(|| false);
    let sheet = use_node_ref();
    let place = |sheet: &NodeRef, e: &PointerEvent| -> Option<Point> {
        let bounds = sheet.cast::<Element>()?.get_bounding_client_rect();
        Some(Point { x: f64::from(e.client_x()) - bounds.left(), y: f64::from(e.client_y()) - bounds.top() })
    };
    let onpointerdown = {
        let (ring, drawing, sheet) = (ring.clone(), drawing.clone(), sheet.clone());
        Callback::from(move |e: PointerEvent| {
            e.prevent_default();
            ring.set(place(&sheet, &e).into_iter().collect());
            drawing.set(true);
        })
    };
    let onpointermove = {
        let (ring, drawing, sheet) = (ring.clone(), drawing.clone(), sheet.clone());
        Callback::from(move |e: PointerEvent| {
            if *drawing && let Some(at) = place(&sheet, &e) {
                let mut longer = (*ring).clone();
                if longer.len() < 2000 {
                    longer.push(at);
                }
                ring.set(longer);
            }
        })
    };
    let onpointerup = {
        let (ring, drawing, send, servers) = (ring.clone(), drawing.clone(), send.clone(), servers.clone());
        Callback::from(move |_: PointerEvent| {
            drawing.set(false);
            send.emit(Action::Lasso);
            if let Some(command) = partition(&ring, &servers) {
                send.emit(Action::Do(command));
            }
            ring.set(Vec::new());
        })
    };
    let points = ring.iter().map(|p| format!("{:.0},{:.0}", p.x, p.y)).collect::<Vec<_>>().join(" ");
    html! {
        <svg class="lasso" ref={sheet} viewBox={format!("0 0 {:.0} {:.0}", size.0, size.1)} role="img" aria-label={t.t("fl.lasso.hint")}
            {onpointerdown} {onpointermove} {onpointerup}>
            <polygon {points}/>
            <text x={(size.0 / 2.0).to_string()} y={(size.1 - 16.0).to_string()} text-anchor="middle">{ t.t("fl.lasso.hint") }</text>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f3_a_loop_cuts_off_whom_it_holds_in_one_command() {
        let p = |x: f64, y: f64| Point { x, y };
        let servers: Vec<(ServerId, Point)> =
            [(1, p(10.0, 10.0)), (2, p(20.0, 12.0)), (3, p(90.0, 90.0))].map(|(id, at)| (ServerId(id), at)).into();
        let ring = [p(0.0, 0.0), p(40.0, 0.0), p(40.0, 40.0), p(0.0, 40.0)];
        let two = Command::Partition { groups: vec![vec![ServerId(1), ServerId(2)]] };
        assert_eq!(partition(&ring, &servers), Some(two));
        assert_eq!(partition(&ring, &servers[..2]), None, "everybody");
        assert_eq!(partition(&ring[..1], &servers), None, "a click");
        assert_eq!(partition(&[], &servers), None);
    }
}
