//! Where things stand on the stage. All lengths are CSS pixels, so that words keep their size on every screen.
//!
//! Messages travel inside the ring; words and clients stand outside of it, where nothing flies over them.

use std::rc::Rc;
use std::sync::LazyLock;
use zebu_core::collections::{BTreeMap, order};
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
        // Asked for every message in every frame: no stage is so large that the squares would not fit.
        let (x, y) = (self.x - other.x, self.y - other.y);
        (x * x + y * y).sqrt()
    }
}

/// How the servers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Geometry {
    /// Along an ellipse.
    #[default]
    Ring,
    /// The leader above, all others in a row.
    Row,
    /// In two or three datacentres.
    Centres,
}

impl Geometry {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Geometry; 3] = [Geometry::Ring, Geometry::Row, Geometry::Centres];

    /// Its name in addresses and texts.
    pub fn name(self) -> &'static str {
        match self {
            Geometry::Ring => "ring",
            Geometry::Row => "row",
            Geometry::Centres => "centres",
        }
    }

    /// The geometry of this name.
    pub fn named(name: &str) -> Option<Geometry> {
        Geometry::ALL.into_iter().find(|g| g.name() == name)
    }
}

/// Where a server's words stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Left of the disc.
    Left,
    /// Right of it.
    Right,
    /// Under it: a narrow stage with many servers.
    Below,
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
    /// Size of a server's words; everything else on the stage is measured by it.
    pub text: f64,
    /// Height of a server's words.
    pub label_height: f64,
    /// The words stand under the discs.
    pub below: bool,
    /// Little room: short words.
    pub compact: bool,
    /// Width to keep free for those lines.
    pub label_width: f64,
    /// Each server's centre.
    pub servers: Vec<(ServerId, Point)>,
}

/// Where a ring's words are, and how many and how large.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Beside,
    Below,
    FewAndLarge,
}

/// How far a ring's places may lean from equal distances (0) to equal angles (1) and beyond: on a flat ellipse the upper
/// ones stand lower then, and no link between them runs under the server at the top.
const LEANS: [f64; 6] = [0.0, 0.4, 0.7, 1.0, 1.2, 1.4];

/// Discs get no smaller than this.
const SMALLEST_RADIUS: f64 = 15.0;

/// From this width on the stage is one for a class.
pub const LARGE: f64 = 1600.0;

/// The largest disc that a stage of this size may have.
fn largest_radius(width: f64, height: f64) -> f64 {
    let share = if width >= LARGE { 0.155 } else { 0.125 };
    (height * share).min(width * 0.1).clamp(19.0, if width >= LARGE { 104.0 } else { 80.0 })
}

/// A layout that is made only once for the same question: to find the largest discs takes many tries.
#[derive(Default)]
pub struct Laid(Option<(Question, Rc<Layout>)>);

type Question = (Vec<ServerId>, (f64, f64), Geometry, Option<ServerId>, BTreeMap<ServerId, (f64, f64)>);

impl Laid {
    /// As [`Layout::placed`].
    pub fn placed(
        &mut self,
        ids: &[ServerId],
        size: (f64, f64),
        geometry: Geometry,
        leader: Option<ServerId>,
        moved: &BTreeMap<ServerId, (f64, f64)>,
    ) -> Rc<Layout> {
        // Who leads matters to a row alone.
        let leader = leader.filter(|_| geometry == Geometry::Row);
        let question = (ids.to_vec(), size, geometry, leader, moved.clone());
        match &self.0 {
            Some((asked, layout)) if *asked == question => layout.clone(),
            _ => {
                let layout = Rc::new(Layout::placed(ids, size, geometry, leader, moved));
                self.0 = Some((question, layout.clone()));
                layout
            }
        }
    }
}

/// The smallest stage that is laid out; a smaller element is drawn scaled.
pub const SMALLEST: (f64, f64) = (320.0, 240.0);

impl Layout {
    /// The ring of `ids` on a stage of `width` × `height`.
    pub fn ring(ids: &[ServerId], width: f64, height: f64) -> Layout {
        let width = width.max(SMALLEST.0);
        let height = height.max(SMALLEST.1);
        let beside = Layout::largest(ids, width, height, Words::Beside);
        let below = Layout::largest(ids, width, height, Words::Below);
        let fits = !beside.crowded() && beside.radius >= below.radius * 0.7;
        if fits || below.crowded() && !beside.crowded() { beside } else { below }
    }

    /// A ring for one of several small stages on a page: few words, so large that they can be read.
    pub fn small(ids: &[ServerId], width: f64, height: f64) -> Layout {
        Layout::largest(ids, width, height, Words::FewAndLarge)
    }

    /// A ring of discs whose words are large and on the discs alone: for a small stage in front of a class.
    pub fn bare(ids: &[ServerId], width: f64, height: f64) -> Layout {
        let (radius, text) = (height * 0.135, 24.0);
        let (top, bottom) = (radius * 1.6 + 4.0, radius + text);
        let ry = (height - top - bottom) / 2.0;
        let places = around(ids.len(), width * 0.35, ry, Point { x: width / 2.0, y: top + ry }, 1.0);
        let servers = ids.iter().copied().zip(places).collect();
        let (label_height, label_width) = (0.0, 0.0);
        Layout { width, height, radius, text, label_height, below: false, compact: true, label_width, servers }
    }

    /// Any geometry: `leader` stands above in a row; `moved` are places given by hand, as shares of width and height.
    pub fn placed(
        ids: &[ServerId],
        (width, height): (f64, f64),
        geometry: Geometry,
        leader: Option<ServerId>,
        moved: &BTreeMap<ServerId, (f64, f64)>,
    ) -> Layout {
        let (width, height) = (width.max(SMALLEST.0), height.max(SMALLEST.1));
        let mut layout = match geometry {
            Geometry::Ring => Layout::ring(ids, width, height),
            Geometry::Row => {
                let shares = row_shares(ids, leader);
                Layout::by_shares(width, height, shares)
            }
            Geometry::Centres => Layout::by_shares(width, height, centre_shares(ids)),
        };
        for (id, at) in &mut layout.servers {
            if let Some((x, y)) = moved.get(id) {
                let r = layout.radius;
                *at = Point {
                    x: (x * width).clamp(r + 4.0, width - r - 4.0),
                    y: (y * height).clamp(r * 1.6 + 4.0, height - r - layout.text * 1.2),
                };
            }
        }
        layout
    }

    /// The largest discs with which nothing touches, for places given as shares; words stand under the discs.
    fn by_shares(width: f64, height: f64, shares: Vec<(ServerId, (f64, f64))>) -> Layout {
        let mut radius = largest_radius(width, height);
        loop {
            let base = Layout::with_radius(&[], width, height, radius, Words::Below, 0.0);
            let side = (base.label_width / 2.0).max(radius) + 6.0;
            let (top, bottom) = (radius * 1.58 + 6.0, radius + base.text + 4.0 + base.label_height);
            let servers = shares
                .iter()
                .map(|(id, (x, y))| {
                    let x = side + x * (width - side * 2.0);
                    (*id, Point { x, y: top + y * (height - top - bottom) })
                })
                .collect();
            let layout = Layout { servers, ..base };
            if radius <= SMALLEST_RADIUS || !layout.crowded() {
                return layout;
            }
            radius -= 1.0;
        }
    }

    /// The largest discs with which nothing touches. If somewhat smaller ones, or others' places, keep every link clear of
    /// the servers that it isn't of, then these.
    fn largest(ids: &[ServerId], width: f64, height: f64, words: Words) -> Layout {
        let with = |radius: f64, lean: f64| Layout::with_radius(ids, width, height, radius, words, lean);
        let mut radius = largest_radius(width, height);
        let mut plain = with(radius, 0.0);
        while radius > SMALLEST_RADIUS && plain.crowded() {
            radius -= 1.0;
            plain = with(radius, 0.0);
        }
        // More than five are so close to each other that some link runs under a server wherever they stand.
        let leans = if ids.len() <= 5 { &LEANS[..] } else { &[] };
        let steps = (radius * 0.15) as u32 + 1;
        let radii = || (0..steps).map(|less| radius - f64::from(less)).filter(|r| *r >= SMALLEST_RADIUS);
        leans
            .iter()
            .flat_map(|lean| radii().map(move |radius| with(radius, *lean)))
            .find(|layout| !layout.crowded() && !layout.runs_under())
            .unwrap_or(plain)
    }

    fn with_radius(ids: &[ServerId], width: f64, height: f64, radius: f64, words: Words, lean: f64) -> Layout {
        // For the last row of a class the words grow faster than the discs.
        let text = match words {
            Words::FewAndLarge => 16.0,
            _ if width >= LARGE => (radius * 0.33).clamp(if ids.len() <= 5 { 24.0 } else { 11.0 }, 32.0),
            _ => (radius * 0.29).clamp(11.0, 22.0),
        };
        let below = words == Words::Below;
        let label_height = text * if below { 3.0 } else { 2.5 };
        let compact = text < 12.5 || words == Words::FewAndLarge;
        let letters = match words {
            Words::FewAndLarge => 12.0,
            _ if compact => 10.5,
            _ => 14.0,
        };
        let label_width = text * 0.61 * letters;
        let crown = radius * 0.58;
        let side =
            if below { (label_width / 2.0).max(radius) + 6.0 } else { radius * reach(radius) + label_width + 8.0 };
        let rx = (width / 2.0 - side).max(radius);
        let top = radius + crown + if height < 420.0 { 6.0 } else { 14.0 };
        let bottom = radius + text + 4.0 + if below { label_height } else { 0.0 };
        let ry = ((height - top - bottom) / 2.0).max(radius * 0.8);
        let centre = Point { x: width / 2.0, y: top + ry };
        let servers = ids.iter().copied().zip(around(ids.len(), rx, ry, centre, lean)).collect();
        Layout { width, height, radius, text, label_height, below, compact, label_width, servers }
    }

    /// The side on which the words of the server at `at` stand.
    pub fn side(&self, at: Point) -> Side {
        if self.below {
            Side::Below
        } else if at.x < self.width / 2.0 - 1.0 {
            Side::Left
        } else {
            Side::Right
        }
    }

    /// Whether this is the place at the top of the ring, whose links go down to both sides.
    fn is_top(&self, at: Point) -> bool {
        // With few but large words the neighbour's crown would be in them as well.
        let room = !self.compact || self.text > 12.5 && self.label_width > 0.0;
        !self.below && room && (at.x - self.width / 2.0).abs() <= 1.0 && at.y < self.height / 2.0
    }

    /// So much higher than its disc a server's words stand: at the top a link would run through them.
    pub fn raised(&self, at: Point) -> f64 {
        if self.is_top(at) { self.text * 1.4 } else { 0.0 }
    }

    /// How far from a disc's centre the words beside it begin, in radii.
    pub fn reach(&self) -> f64 {
        reach(self.radius)
    }

    /// The boxes of a server's disc with its crown, and of its words: left, top, right, bottom.
    fn boxes(&self, at: Point) -> [(f64, f64, f64, f64); 2] {
        let (r, edge) = (self.radius * self.reach(), self.radius * 1.16 + 2.0);
        let disc = (at.x - edge, at.y - self.radius * 1.5, at.x + edge, at.y + self.radius + self.text * 0.75);
        let (w, h) = (self.label_width, self.label_height);
        let up = self.raised(at);
        let words = match self.side(at) {
            Side::Left => (at.x - r - w, at.y - h / 2.0, at.x - r, at.y + h / 2.0),
            Side::Right => (at.x + r, at.y - h / 2.0 - up, at.x + r + w, at.y + h / 2.0 - up),
            Side::Below => (at.x - w / 2.0, disc.3, at.x + w / 2.0, disc.3 + h * 0.85),
        };
        [disc, words]
    }

    /// Whether something of two servers overlaps.
    pub fn crowded(&self) -> bool {
        self.servers.iter().enumerate().any(|(i, (_, a))| {
            let a = self.boxes(*a);
            self.servers.iter().skip(i + 1).any(|(_, b)| {
                let b = self.boxes(*b);
                a.iter().any(|a| b.iter().any(|b| a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3))
            })
        })
    }

    /// Whether a link runs under the disc or the badge of a server that it isn't of.
    fn runs_under(&self) -> bool {
        let (r, low) = (self.radius, self.radius + self.text * 0.75);
        self.servers.iter().enumerate().any(|(i, (_, a))| {
            self.servers.iter().skip(i + 1).any(|(_, b)| {
                self.servers
                    .iter()
                    .any(|(_, c)| c != a && c != b && crosses(*a, *b, (c.x - r, c.y - r, c.x + r, c.y + low)))
            })
        })
    }

    /// A server's centre.
    pub fn server(&self, id: ServerId) -> Option<Point> {
        self.servers.iter().find(|(s, _)| *s == id).map(|(_, p)| *p)
    }

    /// Where the `nth` client of a server stands: beside it, outside of the ring.
    pub fn client(&self, server: Option<ServerId>, nth: usize) -> Point {
        let half = self.client_radius();
        let gap = half * 2.0 + 6.0;
        let Some(p) = server.and_then(|s| self.server(s)) else {
            return Point { x: half + 10.0 + nth as f64 * gap, y: self.height - half - 10.0 };
        };
        // Above the words, in a row that leads away from the ring; when it is full, below them.
        // At the top the other side is free.
        let top = self.is_top(p);
        let out = if top || p.x < self.width / 2.0 - 1.0 { -1.0 } else { 1.0 };
        if self.label_width == 0.0 {
            // Without words beside the discs there is room for a column alone.
            let x = (p.x + out * (self.radius * 1.2 + half)).clamp(half, self.width - half);
            return Point { x, y: (p.y - half - 6.0 - nth as f64 * gap).max(half) };
        }
        let (row, column) = (nth / 4, (nth % 4) as f64);
        let reach = self.radius * 1.2 + half + column * gap;
        let lift = if top { half + 4.0 } else { self.label_height / 2.0 + half + 6.0 };
        let y = match (self.below, row) {
            (true, _) => p.y - self.radius * 0.2 + row as f64 * gap,
            (false, 0) => p.y - lift,
            (false, n) => p.y + lift + (n - 1) as f64 * gap,
        };
        let x = (p.x + out * reach).clamp(half + 2.0, self.width - half - 2.0);
        Point { x, y: y.clamp(half + 2.0, self.height - half - 2.0) }
    }

    /// Half the side of a client's square.
    pub fn client_radius(&self) -> f64 {
        if self.width >= LARGE || self.text >= 24.0 { 20.0 } else { (self.radius * 0.26).clamp(9.0, 18.0) }
    }
}

/// Words keep clear of a leader's second ring and its clock; on a small stage there is no room for that.
fn reach(radius: f64) -> f64 {
    if radius < 30.0 { 1.26 } else { 1.36 }
}

/// The leader above the middle, the others in a row (in two, on a narrow stage, by turns).
fn row_shares(ids: &[ServerId], leader: Option<ServerId>) -> Vec<(ServerId, (f64, f64))> {
    let leader = leader.filter(|l| ids.contains(l));
    let others: Vec<ServerId> = ids.iter().copied().filter(|id| Some(*id) != leader).collect();
    let last = others.len().saturating_sub(1).max(1) as f64;
    let mut shares: Vec<(ServerId, (f64, f64))> = others
        .iter()
        .enumerate()
        .map(|(i, id)| {
            // Every second one a little lower: words of neighbours do not meet.
            (*id, (i as f64 / last, if others.len() > 4 && i % 2 == 1 { 1.0 } else { 0.72 }))
        })
        .collect();
    shares.extend(leader.map(|l| (l, (0.5, 0.0))));
    order::sort_by_key(&mut shares, |(id, _)| *id);
    shares
}

/// Datacentres side by side: two of up to five servers, three of more; neighbours by id stand together.
fn centre_shares(ids: &[ServerId]) -> Vec<(ServerId, (f64, f64))> {
    let centres = if ids.len() > 5 { 3 } else { 2 };
    let each = ids.len().div_ceil(centres);
    ids.iter()
        .enumerate()
        .map(|(i, id)| {
            let (centre, place) = (i / each, i % each);
            let here = (ids.len() - centre * each).min(each);
            let x = centre as f64 / (centres - 1) as f64;
            // A little zigzag, so that links inside of a datacentre are seen.
            let shift = if place % 2 == 1 { 0.16 } else { 0.0 };
            let inward = if x < 0.25 {
                shift
            } else if x > 0.75 {
                -shift
            } else {
                shift - 0.08
            };
            let y = if here > 1 { place as f64 / (here - 1) as f64 } else { 0.5 };
            (*id, (x + inward, y))
        })
        .collect()
}

/// Steps in which an ellipse is measured.
const STEPS: usize = 720;

/// Sine and cosine of every step, worked out once: a ring is measured for each radius that is tried.
static CIRCLE: LazyLock<Vec<(f64, f64)>> =
    LazyLock::new(|| (0..=STEPS).map(|k| (k as f64 / STEPS as f64 * std::f64::consts::TAU).sin_cos()).collect());

/// Whether the line from `a` to `b` goes through a box: left, top, right, bottom.
pub fn crosses(a: Point, b: Point, (left, top, right, bottom): (f64, f64, f64, f64)) -> bool {
    // The part of the line, in shares of it, that is within the box from side to side, and from top to bottom.
    let within = |from: f64, to: f64, low: f64, high: f64| {
        let way = to - from;
        if way.abs() < 1e-9 {
            return if low < from && from < high { (0.0, 1.0) } else { (1.0, 0.0) };
        }
        let (one, other) = ((low - from) / way, (high - from) / way);
        (one.min(other), one.max(other))
    };
    let (x, y) = (within(a.x, b.x, left, right), within(a.y, b.y, top, bottom));
    x.0.max(y.0).max(0.0) < x.1.min(y.1).min(1.0)
}

/// `n` points along an ellipse, from the top, clockwise: at equal distances, or leaning to equal angles.
fn around(n: usize, rx: f64, ry: f64, centre: Point, lean: f64) -> Vec<Point> {
    let at = |k: usize| {
        let (sin, cos) = CIRCLE.get(k).copied().unwrap_or_default();
        Point { x: centre.x + rx * sin, y: centre.y - ry * cos }
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
            let even = travelled.partition_point(|d| *d < wanted - 1e-9) as f64;
            let angle = STEPS as f64 * i as f64 / n as f64;
            at((even + (angle - even) * lean).round().max(0.0) as usize)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [(f64, f64); 5] = [(1152.0, 610.0), (776.0, 390.0), (1880.0, 760.0), (390.0, 380.0), (1000.0, 500.0)];

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
    fn no_two_servers_overlap_in_any_geometry() {
        for (w, h) in [(1152.0, 610.0), (776.0, 390.0), (1880.0, 760.0)] {
            for geometry in Geometry::ALL {
                for n in 3..=9 {
                    for leader in [None, Some(ServerId(2))] {
                        let layout = Layout::placed(&ids(n), (w, h), geometry, leader, &BTreeMap::new());
                        assert_eq!(layout.servers.len(), n as usize);
                        assert!(!layout.crowded(), "{geometry:?}: {n} servers on {w}×{h}, radius {}", layout.radius);
                    }
                }
            }
        }
        for geometry in Geometry::ALL {
            assert_eq!(Geometry::named(geometry.name()), Some(geometry));
        }
    }

    #[test]
    fn a_dragged_server_stands_where_it_was_put_and_stays_on_the_stage() {
        let moved = BTreeMap::from([(ServerId(2), (0.25, 0.5)), (ServerId(3), (7.0, -3.0))]);
        let layout = Layout::placed(&ids(5), (1000.0, 600.0), Geometry::Ring, None, &moved);
        assert_eq!(layout.server(ServerId(2)), Some(Point { x: 250.0, y: 300.0 }));
        let far = layout.server(ServerId(3)).unwrap();
        assert!(far.x < 1000.0 && far.y > 0.0);
    }

    #[test]
    fn everything_is_on_the_stage() {
        for (w, h) in STAGES {
            for n in 3..=11 {
                let layout = Layout::ring(&ids(n), w, h);
                for (id, p) in &layout.servers {
                    for (left, top, right, bottom) in layout.boxes(*p) {
                        assert!(
                            left >= -4.0 && top >= 0.0 && right <= w + 4.0 && bottom <= h + 4.0,
                            "server {id} of {n} on {w}×{h}: {left} {top} {right} {bottom}"
                        );
                    }
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
    fn in_stage_mode_words_have_24_pixels() {
        for height in [560.0, 640.0, 720.0] {
            let layout = Layout::ring(&ids(5), 1920.0, height);
            assert!(layout.text >= 24.0, "{} at {height}", layout.text);
        }
    }

    #[test]
    fn badges_of_24_pixels_do_not_touch_on_a_bare_ring() {
        let layout = Layout::bare(&ids(5), 590.0, 340.0);
        // "its number 2", as wide as the badge is drawn.
        let (w, h) = (12.0 * layout.text * 0.58 + layout.text * 1.1, layout.text * 1.44);
        for (i, (_, a)) in layout.servers.iter().enumerate() {
            assert!(a.y + layout.radius + h / 2.0 <= 344.0 && (a.x - 295.0).abs() + w / 2.0 <= 305.0, "{a:?}");
            for (_, b) in layout.servers.iter().skip(i + 1) {
                assert!((a.x - b.x).abs() >= w || (a.y - b.y).abs() >= h, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn no_link_of_five_runs_under_another_server() {
        for (w, h) in [(1920.0, 530.0), (1920.0, 480.0), (1190.0, 600.0), (760.0, 330.0), (760.0, 400.0)] {
            let layout = Layout::ring(&ids(5), w, h);
            assert!(!layout.below && !layout.crowded() && !layout.runs_under(), "{w} {h} {layout:?}");
        }
        let small = Layout::small(&ids(5), 590.0, 340.0);
        assert!(!small.crowded() && !small.runs_under(), "{small:?}");
    }

    #[test]
    fn a_line_crosses_what_is_between_its_ends() {
        let at = |x, y| Point { x, y };
        for (a, b, yes) in [
            (at(0.0, 5.0), at(20.0, 5.0), true),
            (at(0.0, 0.0), at(20.0, 20.0), true),
            (at(0.0, 20.0), at(7.0, 5.0), false),
            (at(0.0, 5.0), at(7.0, 5.0), false),
            (at(12.0, 0.0), at(12.0, 30.0), true),
            (at(3.0, 0.0), at(3.0, 30.0), false),
        ] {
            assert_eq!(crosses(a, b, (8.0, 0.0, 16.0, 16.0)), yes, "{a:?} {b:?}");
        }
    }

    #[test]
    fn points_are_evenly_spread() {
        let layout = Layout::ring(&ids(9), 1152.0, 610.0);
        let gaps: Vec<f64> = (0..9).map(|i| layout.servers[i].1.distance(layout.servers[(i + 1) % 9].1)).collect();
        let (least, most) = gaps.iter().fold((f64::MAX, 0.0f64), |(a, b), g| (a.min(*g), b.max(*g)));
        assert!(least > most * 0.75, "{gaps:?}");
    }
}
