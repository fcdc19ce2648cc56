//! Where things stand on the stage. All lengths are CSS pixels, so that words keep their size on every screen.

use zebu_core::id::ServerId;

/// A place on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Point {
    /// From the left edge.
    pub x: f64,
    /// From the upper edge.
    pub y: f64,
}

impl Point {
    /// The point `share` of the way from `self` to `to`.
    pub fn towards(self, to: Point, share: f64) -> Point {
        Point { x: self.x + (to.x - self.x) * share, y: self.y + (to.y - self.y) * share }
    }

    /// The distance to `other`.
    pub fn distance(self, other: Point) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// The ring: servers at equal distances along an ellipse, the first at the top, clockwise by id.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Width of the stage.
    pub width: f64,
    /// Height of the stage.
    pub height: f64,
    /// Radius of a server's disc.
    pub radius: f64,
    /// Size of the text under a disc; everything else on the stage is measured by it.
    pub text: f64,
    /// Height of the two lines under a disc.
    pub label_height: f64,
    /// Little room: short words under the discs.
    pub compact: bool,
    /// Width to keep free for those lines.
    pub label_width: f64,
    /// Each server's centre.
    pub servers: Vec<(ServerId, Point)>,
}

/// The smallest stage that is laid out; a smaller element is drawn scaled.
pub const SMALLEST: (f64, f64) = (320.0, 240.0);

impl Layout {
    /// The ring of `ids` on a stage of `width` × `height`.
    pub fn ring(ids: &[ServerId], width: f64, height: f64) -> Layout {
        let width = width.max(SMALLEST.0);
        let height = height.max(SMALLEST.1);
        let n = ids.len().max(1) as f64;
        let most = (height * 0.118).min(width * 0.1).clamp(19.0, 78.0);
        // The largest discs whose labels don't touch: shrink until neighbours on the ring have room.
        let mut radius = most;
        loop {
            let layout = Layout::with_radius(ids, width, height, radius);
            if radius <= 17.0 || !layout.crowded() {
                return layout;
            }
            radius -= if n > 6.0 { 1.0 } else { 2.0 };
        }
    }

    fn with_radius(ids: &[ServerId], width: f64, height: f64, radius: f64) -> Layout {
        let text = (radius * 0.29).clamp(11.0, 22.0);
        let label_height = text * 2.9;
        let compact = text < 14.0;
        let label_width = (text * 0.61 * if compact { 8.0 } else { 14.0 }).max(radius * 2.0);
        // Room for the crown above, the badge and two lines below, clients left and right.
        let crown = radius * 0.55;
        let side = (label_width / 2.0).max(radius) + if width > 700.0 { radius * 1.9 } else { 6.0 };
        let rx = (width / 2.0 - side).max(radius);
        let top = radius + crown + 6.0;
        let bottom = radius + label_height + 8.0;
        let ry = ((height - top - bottom) / 2.0).max(radius * 0.8);
        let centre = Point { x: width / 2.0, y: top + ry };
        let servers = ids.iter().copied().zip(around(ids.len(), rx, ry, centre)).collect();
        Layout { width, height, radius, text, label_height, compact, label_width, servers }
    }

    /// The box of a server's disc, crown and label: left, top, right, bottom.
    fn bounds(&self, at: Point) -> (f64, f64, f64, f64) {
        let half = (self.label_width / 2.0).max(self.radius) + 2.0;
        (at.x - half, at.y - self.radius * 1.3, at.x + half, at.y + self.radius + self.label_height)
    }

    /// Whether two servers' boxes overlap.
    pub fn crowded(&self) -> bool {
        self.servers.iter().enumerate().any(|(i, (_, a))| {
            let a = self.bounds(*a);
            self.servers.iter().skip(i + 1).any(|(_, b)| {
                let b = self.bounds(*b);
                a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
            })
        })
    }

    /// A server's centre.
    pub fn server(&self, id: ServerId) -> Option<Point> {
        self.servers.iter().find(|(s, _)| *s == id).map(|(_, p)| *p)
    }

    /// Where the `nth` client of a server stands: beside it, on the outer side, one below the other.
    pub fn client(&self, server: Option<ServerId>, nth: usize) -> Point {
        let gap = self.radius * 0.62 + 4.0;
        match server.and_then(|s| self.server(s)) {
            Some(p) => {
                let out = if p.x < self.width / 2.0 - 1.0 { -1.0 } else { 1.0 };
                let reach = self.radius * 1.75 + 4.0;
                let column = (nth / 3) as f64;
                let x = p.x + out * (reach + column * gap);
                let y = p.y - self.radius * 0.55 + (nth % 3) as f64 * gap;
                Point { x: x.clamp(self.client_radius() + 2.0, self.width - self.client_radius() - 2.0), y }
            }
            None => Point { x: 24.0 + nth as f64 * gap, y: self.height - 24.0 },
        }
    }

    /// Half the side of a client's square.
    pub fn client_radius(&self) -> f64 {
        (self.radius * 0.26).clamp(9.0, 18.0)
    }
}

/// `n` points at equal distances along an ellipse, from the top, clockwise.
fn around(n: usize, rx: f64, ry: f64, centre: Point) -> Vec<Point> {
    const STEPS: usize = 720;
    let at = |k: usize| {
        let angle = k as f64 / STEPS as f64 * std::f64::consts::TAU;
        Point { x: centre.x + rx * angle.sin(), y: centre.y - ry * angle.cos() }
    };
    let mut travelled = Vec::with_capacity(STEPS + 1);
    travelled.push(0.0);
    for k in 1..=STEPS {
        let so_far = travelled.last().copied().unwrap_or(0.0);
        travelled.push(so_far + at(k - 1).distance(at(k)));
    }
    let whole = travelled.last().copied().unwrap_or(0.0);
    (0..n)
        .map(|i| {
            let wanted = whole * i as f64 / n as f64;
            at(travelled.partition_point(|d| *d < wanted - 1e-9))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [(f64, f64); 5] =
        [(1152.0, 610.0), (776.0, 390.0), (1880.0, 760.0), (390.0, 380.0), (1000.0, 500.0)];

    fn ids(n: i64) -> Vec<ServerId> {
        (1..=n).map(ServerId).collect()
    }

    #[test]
    fn no_two_servers_overlap_from_three_to_eleven() {
        for (w, h) in STAGES {
            for n in 3..=11 {
                let layout = Layout::ring(&ids(n), w, h);
                assert!(!layout.crowded(), "{n} servers on {w}×{h}, radius {}", layout.radius);
            }
        }
    }

    #[test]
    fn everything_is_on_the_stage() {
        for (w, h) in STAGES {
            for n in 3..=11 {
                let layout = Layout::ring(&ids(n), w, h);
                for (id, p) in &layout.servers {
                    let (left, top, right, bottom) = layout.bounds(*p);
                    assert!(
                        left >= -4.0 && top >= 0.0 && right <= w + 4.0 && bottom <= h,
                        "server {id} of {n} on {w}×{h}: {left} {top} {right} {bottom}"
                    );
                    for nth in 0..3 {
                        let c = layout.client(Some(*id), nth);
                        assert!(c.x > 0.0 && c.x < w && c.y > 0.0 && c.y < h, "client {nth} of {id}: {c:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_words_are_large_for_a_class() {
        let layout = Layout::ring(&ids(5), 1152.0, 610.0);
        assert!(layout.text >= 19.0, "{}", layout.text);
        assert_eq!(layout.servers[0].1.x.round(), 576.0, "server 1 is at the top");
        assert!(layout.servers[1].1.x > 576.0, "clockwise");
    }

    #[test]
    fn points_are_evenly_spread() {
        let layout = Layout::ring(&ids(9), 1152.0, 610.0);
        let gaps: Vec<f64> = (0..9).map(|i| layout.servers[i].1.distance(layout.servers[(i + 1) % 9].1)).collect();
        let (least, most) = gaps.iter().fold((f64::MAX, 0.0f64), |(a, b), g| (a.min(*g), b.max(*g)));
        assert!(least > most * 0.75, "{gaps:?}");
    }
}
