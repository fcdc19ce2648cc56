//! The way of a message: it starts beside the disc it leaves and ends beside the one it reaches, so that it covers neither
//! disc nor badge more than it must; and it says no more than fits between the two.

use crate::scene::layout::Point;
use crate::scene::stage::{Server, Stage};
use zebu_core::sim::view::{Flight, Place};

/// Width and height of a message with this text.
pub fn pill(text: &str, size: f64) -> (f64, f64) {
    if text.is_empty() {
        return (size, size);
    }
    let chars: f64 = text.chars().map(|c| if c.is_ascii() { 0.6 } else { 1.0 }).sum();
    ((chars + 1.25) * size, size * 1.85)
}

/// Both ends of the way of a message of this size, for its centre.
pub fn ends(stage: &Stage, flight: &Flight, (from, to): (Point, Point), (width, height): (f64, f64)) -> (Point, Point) {
    match (server(stage, flight.from), server(stage, flight.to)) {
        (Some(a), Some(b)) => {
            let (d, half) = (a.at.distance(b.at).max(1.0), (width / 2.0, height / 2.0));
            let (first, last) = (clearance(stage, a, b.at, half), clearance(stage, b, a.at, half));
            // Something of the way has to be left on a small stage, too.
            let share = (d * MOST / (first + last)).min(1.0);
            (a.at.towards(b.at, first * share / d), b.at.towards(a.at, last * share / d))
        }
        (Some(s), None) | (None, Some(s)) => {
            let client = if matches!(flight.from, Place::Client(_)) { flight.from } else { flight.to };
            let Place::Client(id) = client else { return (from, to) };
            let Some(c) = stage.client(id) else { return (from, to) };
            let out = if c.x < s.at.x { -1.0 } else { 1.0 };
            // Above the client's square, or below that of one that stands under its server's words.
            let up = if c.y > s.at.y + 1.0 { 1.0 } else { -1.0 };
            let half = stage.layout.client_radius();
            let shift = |p: Point| Point {
                x: (p.x + out * (width / 2.0 - half))
                    .clamp(width / 2.0, (stage.layout.width - width / 2.0).max(width / 2.0)),
                y: c.y + up * (half + height / 2.0 + 3.0),
            };
            (shift(from), shift(to))
        }
        (None, None) => (from, to),
    }
}

/// Both ends may take so much of the distance between two servers.
const MOST: f64 = 0.76;

/// A message half way may leave so little free.
const TIGHT: f64 = 0.98;

/// Whether a message of this size has room between its two places.
pub fn fits(stage: &Stage, flight: &Flight, (width, height): (f64, f64)) -> bool {
    match (server(stage, flight.from), server(stage, flight.to)) {
        (Some(a), Some(b)) => {
            let half = (width / 2.0, height / 2.0);
            clearance(stage, a, b.at, half) + clearance(stage, b, a.at, half) <= a.at.distance(b.at) * TIGHT
        }
        _ => width <= stage.layout.width * 0.4,
    }
}

fn server(stage: &Stage, place: Place) -> Option<&Server> {
    match place {
        Place::Server(id) => stage.servers.iter().find(|s| s.id == id),
        Place::Client(_) => None,
    }
}

/// How far from a server's centre, towards `to`, a box of this half size touches neither its disc nor its badge.
fn clearance(stage: &Stage, server: &Server, to: Point, (w, h): (f64, f64)) -> f64 {
    let (r, text) = (stage.layout.radius, stage.layout.text);
    let d = server.at.distance(to).max(1.0);
    let (ux, uy) = ((to.x - server.at.x) / d, (to.y - server.at.y) / d);
    let disc = r * if server.reigns { 1.16 } else { 1.06 };
    // Badges of models say more than an epoch.
    let badge = (r, text * if server.model.is_some() { 4.6 } else { 2.8 }, text * 0.8);
    let clear = |t: f64| {
        let (x, y) = (ux * t, uy * t);
        let outside = |(at, half_w, half_h): (f64, f64, f64)| x.abs() >= w + half_w || (y - at).abs() >= h + half_h;
        let (dx, dy) = ((x.abs() - w).max(0.0), (y.abs() - h).max(0.0));
        dx * dx + dy * dy >= disc * disc && outside(badge)
    };
    let mut t = disc;
    while t < d && !clear(t) {
        t += STEP;
    }
    t
}

/// Pixels from one try to the next.
const STEP: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample::five;
    use zebu_core::id::ServerId;
    use zebu_core::time::Instant;

    fn flight(from: Place, to: Place) -> Flight {
        Flight {
            id: 1,
            from,
            to,
            kind: "PROPOSAL".into(),
            label: String::new(),
            epoch: None,
            reply: false,
            heartbeat: false,
            sent: Instant(0),
            due: Instant(1),
            lost: false,
        }
    }

    #[test]
    fn half_way_a_message_touches_no_disc_and_no_badge() {
        for (width, height, size) in [(1152.0, 610.0, 17.0), (1880.0, 520.0, 24.0), (776.0, 390.0, 12.0)] {
            let stage = Stage::new(&five(), width, height);
            let (r, text) = (stage.layout.radius, stage.layout.text);
            for a in 1..=5 {
                for b in (1..=5).filter(|b| *b != a) {
                    let flight = flight(Place::Server(ServerId(a)), Place::Server(ServerId(b)));
                    let raw = stage.ends(&flight).unwrap();
                    let sizes = ["PROP 2:1 /x=B", "PROP 2:1", "PROP"].map(|t| pill(t, size));
                    let fitting = sizes.into_iter().find(|p| fits(&stage, &flight, *p));
                    let Some((w, h)) = fitting else { panic!("{a} to {b} on {width}: not even the type fits") };
                    let (from, to) = ends(&stage, &flight, raw, (w, h));
                    let at = from.towards(to, 0.5);
                    for id in [a, b] {
                        let s = stage.layout.server(ServerId(id)).unwrap();
                        let (dx, dy) = ((at.x - s.x).abs() - w / 2.0, (at.y - s.y).abs() - h / 2.0);
                        assert!(dx.max(0.0).hypot(dy.max(0.0)) >= r - 1.0, "disc {id}, {a} to {b} on {width}");
                        let badge = (dx - text * 2.0, (at.y - s.y - r).abs() - h / 2.0 - text * 0.72);
                        assert!(badge.0 >= 0.0 || badge.1 >= 0.0, "badge {id}, {a} to {b} on {width}: {badge:?}");
                    }
                    assert!(from.distance(to) >= raw.0.distance(raw.1) * 0.2, "{a} to {b}: a way is left");
                }
            }
        }
    }

    #[test]
    fn a_clients_message_covers_neither_the_client_nor_its_servers_words() {
        let stage = Stage::new(&five(), 1152.0, 610.0);
        let client = &stage.clients[0];
        let server = five().clients[0].server.unwrap();
        let flight = flight(Place::Client(client.id), Place::Server(server));
        let (w, h) = pill("CREATE /x=1", 17.0);
        let (from, _) = ends(&stage, &flight, stage.ends(&flight).unwrap(), (w, h));
        let half = stage.layout.client_radius();
        assert!(from.y + h / 2.0 <= client.at.y - half, "above the square");
        assert!(from.x - w / 2.0 >= 0.0 && from.x + w / 2.0 <= stage.layout.width);
    }
}
