//! Messages under way. A position is a function of time alone, never state: scrubbing, pausing and reduced motion come
//! free. Only the short entry into the receiver, once the event has happened, is played in show time.

use crate::flow::Side;
use crate::scene::layout::Point;
use crate::scene::palette::epoch_class;
use crate::scene::stage::Stage;
use crate::scene::way;
use std::fmt::Write;
use zebu_core::collections::{BTreeMap, BTreeSet};
use zebu_core::sim::view::{Flight, Place};
use zebu_core::time::Instant;

/// A message goes this far until its arrival has been handled, so that "arrived" and "handled" are told apart.
pub const ALMOST: f64 = 0.85;

/// Seconds of show time in which a handled message enters the receiver.
pub const ENTRY: f64 = 0.16;

/// With more messages than this in the air, only type and first word are written.
pub const FULL_TEXT: usize = 12;

/// With more than this, messages are small discs.
pub const SHORT_TEXT: usize = 44;

/// With more than this, heartbeats included, they are a crowd of dots.
pub const CROWD: usize = 240;

/// Width and height of a field of the stage. A browser paints in tiles, and looks at all of a path that touches one:
/// paths as large as a tile are looked at a few times, one as large as the stage a score of times.
const FIELD: f64 = 256.0;

/// What the dots of a path have in common: two style classes and the field they are in.
pub type Dots = (&'static str, &'static str, (u8, u8));

/// How much is written on messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Density {
    /// Type and key field.
    #[default]
    Full,
    /// Type and first word, smaller.
    Short,
    /// The first word only.
    Word,
    /// Nothing: the show runs too fast to read.
    Plain,
}

impl Density {
    /// What fits with so many messages in the air that are no heartbeats.
    pub fn of(loud: usize, too_fast: bool) -> Density {
        match loud {
            _ if too_fast => Density::Plain,
            0..=FULL_TEXT => Density::Full,
            _ if loud <= SHORT_TEXT => Density::Short,
            _ => Density::Word,
        }
    }
}

/// How a message is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Filled: asks for something.
    Request,
    /// Hollow: an answer.
    Reply,
    /// A small tick: heartbeats.
    Tick,
}

impl Look {
    /// Its style class.
    pub fn class(self) -> &'static str {
        match self {
            Look::Request => "request",
            Look::Reply => "reply",
            Look::Tick => "tick",
        }
    }
}

/// One message's picture; everything but its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Sprite {
    /// The flight.
    pub id: u64,
    /// How it is drawn.
    pub look: Look,
    /// Its text; empty for a tick or a plain disc.
    pub text: String,
    /// Its epoch's colour.
    pub colour: &'static str,
    /// It will not arrive.
    pub lost: bool,
    /// Cause or effect of what is picked.
    pub lit: Option<Side>,
    /// Height of its letters.
    pub size: f64,
    /// The edges of the shapes at both ends.
    ends: (Point, Point),
    from: Point,
    to: Point,
    sent: u64,
    due: u64,
    lane: u8,
    /// Show time since it was handled.
    entering: Option<f64>,
}

/// Where a sprite is in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Its centre.
    pub at: Point,
    /// Opacity, 0 to 1.
    pub ink: f64,
    /// It has been stopped by a cut link: draw the cross.
    pub stopped: bool,
}

/// How time is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// Messages glide.
    Full,
    /// Messages stand in three places, one after the other.
    Reduced,
}

impl Sprite {
    /// Whether this is `flight`, unchanged.
    fn flies(&self, flight: &Flight, ends: (Point, Point), lit: Option<Side>) -> bool {
        self.due == flight.due.0
            && self.lit == lit
            && self.lost == flight.lost
            && self.entering.is_none()
            && self.ends == ends
    }

    /// Where it is at `now` (simulated microseconds, with fractions).
    pub fn pose(&self, now: f64, motion: Motion) -> Pose {
        let whole = (self.due.saturating_sub(self.sent)).max(1) as f64;
        let share = ((now - self.sent as f64) / whole).clamp(0.0, 1.0);
        let share = match motion {
            Motion::Full => share,
            Motion::Reduced if share < 0.34 => 0.1,
            Motion::Reduced if share < 0.67 => 0.55,
            Motion::Reduced => 1.0,
        };
        let (way, ink, stopped) = match (self.lost, self.entering) {
            // It stops at the cut, in the middle. It stays there until its connection breaks or the link heals, and fades to a trace.
            (true, _) => {
                let late = ((now - self.due as f64) / whole).clamp(0.0, 4.0);
                (share.min(0.46), 1.0 - late * 0.21, share >= 0.46)
            }
            (false, None) => (share * ALMOST, 1.0, false),
            (false, Some(t)) => {
                let done = (t / ENTRY).clamp(0.0, 1.0);
                (share * ALMOST * (1.0 - done) + done, 1.0 - done * done, false)
            }
        };
        let mut at = self.from.towards(self.to, way);
        if let Some(t) = self.entering {
            // Into the receiver, from wherever it stood beside it.
            at = self.from.towards(self.to, share * ALMOST).towards(self.ends.1, (t / ENTRY).clamp(0.0, 1.0));
        }
        // To the right of the direction of travel, so that request and reply pass each other.
        let d = self.from.distance(self.to).max(1.0);
        let off = match self.look {
            Look::Tick => 5.0,
            _ => self.size * (0.6 + f64::from(self.lane) * 1.75),
        };
        // The offset vanishes at the ends: messages leave from and enter the disc, not the air beside it.
        let off = off * (way * (1.0 - way) * 4.0).clamp(0.0, 1.0).sqrt();
        let (nx, ny) = (-(self.to.y - self.from.y) / d, (self.to.x - self.from.x) / d);
        Pose { at: Point { x: at.x + nx * off, y: at.y + ny * off }, ink, stopped }
    }
}

/// What the painter has to change before the next frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Draw this sprite anew in this slot.
    Show(usize, Sprite),
    /// Nothing is in this slot any more.
    Hide(usize),
}

/// The sprites and the pool of slots they are drawn in.
#[derive(Debug)]
pub struct Layer {
    sprites: BTreeMap<u64, (usize, Sprite)>,
    free: BTreeSet<usize>,
    slots: usize,
    density: Density,
    too_fast: bool,
    crowd: bool,
    size: f64,
}

impl Default for Layer {
    fn default() -> Layer {
        Layer {
            sprites: BTreeMap::new(),
            free: BTreeSet::new(),
            slots: 0,
            density: Density::Full,
            too_fast: false,
            crowd: false,
            size: 14.0,
        }
    }
}

impl Layer {
    /// Says whether the show runs too fast to read what is on messages.
    pub fn set_too_fast(&mut self, too_fast: bool) {
        self.too_fast = too_fast;
    }

    /// Sets the height of letters on messages.
    pub fn set_size(&mut self, size: f64) {
        self.size = size;
    }

    /// Takes over what is under way at `now`. With `settled` (a jump in time), what has gone disappears at once.
    pub fn update(&mut self, flights: &[Flight], now: Instant, stage: &Stage, settled: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        let loud = flights.iter().filter(|f| !f.heartbeat).count();
        let alive: BTreeSet<u64> = flights.iter().map(|f| f.id).collect();
        let mut gone = Vec::new();
        for (id, (slot, sprite)) in &mut self.sprites {
            if alive.contains(id) {
                continue;
            }
            // Handled, or just vanished (its connection broke, or time went back).
            let handled = !sprite.lost && now.0 >= sprite.due && sprite.look != Look::Tick && !settled;
            if handled {
                sprite.entering.get_or_insert(0.0);
            } else {
                gone.push((*id, *slot));
            }
        }
        for (id, slot) in gone {
            self.sprites.remove(&id);
            self.free.insert(slot);
            changes.push(Change::Hide(slot));
        }
        let density = Density::of(loud, self.too_fast);
        let rewrite = density != self.density;
        self.density = density;
        // A crowd has to thin out well before it is none any more: nothing shall flicker.
        self.crowd = flights.len() > if self.crowd { CROWD * 3 / 4 } else { CROWD };
        for flight in flights {
            let Some(ends) = stage.ends(flight) else { continue };
            let lit = stage.lit.get(&flight.id).copied();
            if !rewrite && self.sprites.get(&flight.id).is_some_and(|(_, s)| s.flies(flight, ends, lit)) {
                continue;
            }
            let lane = match self.sprites.get(&flight.id) {
                Some((_, old)) => old.lane,
                None => self.lane(flight, ends),
            };
            // Never below the size that a class can read.
            let size = if density == Density::Full || self.size >= 24.0 { self.size } else { self.size * 0.84 };
            let text = fitting(flight, density, |text| way::fits(stage, flight, way::pill(text, size)));
            let apart = density == Density::Word || text.is_empty();
            let (from, to) = if apart { ends } else { way::ends(stage, flight, ends, way::pill(&text, size)) };
            let sprite = Sprite {
                id: flight.id,
                look: look(flight),
                text,
                colour: flight.epoch.map_or("e0", epoch_class),
                lost: flight.lost,
                lit,
                size,
                ends,
                from,
                to,
                sent: flight.sent.0,
                due: flight.due.0,
                lane,
                entering: None,
            };
            match self.sprites.get_mut(&flight.id) {
                Some((_, old)) if *old == sprite => {}
                Some((slot, old)) => {
                    *old = sprite.clone();
                    changes.push(Change::Show(*slot, sprite));
                }
                None => {
                    let slot = self.free.pop_first().unwrap_or_else(|| {
                        self.slots += 1;
                        self.slots - 1
                    });
                    self.sprites.insert(flight.id, (slot, sprite.clone()));
                    changes.push(Change::Show(slot, sprite));
                }
            }
        }
        changes
    }

    /// The first lane in which no message of the same way flies close by.
    fn lane(&self, flight: &Flight, ends: (Point, Point)) -> u8 {
        let near = flight.due.0.saturating_sub(flight.sent.0) / 3;
        let taken: BTreeSet<u8> = self
            .sprites
            .values()
            .map(|(_, s)| s)
            .filter(|s| s.look != Look::Tick && s.ends == ends)
            .filter(|s| s.sent.abs_diff(flight.sent.0) <= near)
            .map(|s| s.lane)
            .collect();
        (0..3).find(|l| !taken.contains(l)).unwrap_or(0)
    }

    /// Advances the entries by `dt` seconds of show time; returns the slots that became empty.
    pub fn advance(&mut self, dt: f64) -> Vec<usize> {
        let mut done = Vec::new();
        for (id, (slot, sprite)) in &mut self.sprites {
            if let Some(t) = &mut sprite.entering {
                *t += dt;
                if *t >= ENTRY {
                    done.push((*id, *slot));
                }
            }
        }
        done.into_iter()
            .map(|(id, slot)| {
                self.sprites.remove(&id);
                self.free.insert(slot);
                slot
            })
            .collect()
    }

    /// Whether there are too many to draw each by itself.
    pub fn is_crowd(&self) -> bool {
        self.crowd
    }

    /// Every sprite with its slot.
    pub fn sprites(&self) -> impl Iterator<Item = (usize, &Sprite)> + '_ {
        self.sprites.values().map(|(slot, sprite)| (*slot, sprite))
    }

    /// Every dot of a crowd at `now`, each kind in each field of the stage as one path: its classes, and a line without
    /// length at each place.
    pub fn dots(&self, now: f64, motion: Motion) -> BTreeMap<Dots, String> {
        let mut paths: BTreeMap<Dots, String> = BTreeMap::new();
        for (_, sprite) in self.sprites.values() {
            let pose = sprite.pose(now, motion);
            let look = if sprite.lost { "lost" } else { sprite.look.class() };
            let field = ((pose.at.x / FIELD).max(0.0) as u8, (pose.at.y / FIELD).max(0.0) as u8);
            let path = paths.entry((look, sprite.colour, field)).or_default();
            // Writing into a string never fails.
            let _ = write!(path, "M{:.0} {:.0}h0", pose.at.x, pose.at.y);
        }
        paths
    }

    /// Every sprite's slot and pose at `now`.
    pub fn poses(&self, now: f64, motion: Motion) -> impl Iterator<Item = (usize, Pose)> + '_ {
        self.sprites.values().map(move |(slot, sprite)| (*slot, sprite.pose(now, motion)))
    }

    /// Whether some message still enters its receiver.
    pub fn entering(&self) -> bool {
        self.sprites.values().any(|(_, s)| s.entering.is_some())
    }

    /// Slots ever used.
    pub fn slots(&self) -> usize {
        self.slots
    }
}

fn look(flight: &Flight) -> Look {
    match (flight.heartbeat, flight.reply) {
        (true, _) => Look::Tick,
        (false, true) => Look::Reply,
        (false, false) => Look::Request,
    }
}

/// The name used on the stage.
pub fn short_kind(kind: &str) -> &str {
    match kind {
        "PROPOSAL" => "PROP",
        "NOTIFICATION" => "VOTE",
        "FOLLOWERINFO" => "FOLLOWER",
        "OBSERVERINFO" => "OBSERVER",
        "LEADERINFO" => "LEADER",
        other => other,
    }
}

/// As much of a message's text as there is room for: everything, type and first word, or the type alone.
fn fitting(flight: &Flight, density: Density, fits: impl Fn(&str) -> bool) -> String {
    let whole = text(flight, density);
    // A crowd is not measured one by one.
    if whole.is_empty() || density == Density::Word || fits(&whole) {
        return whole;
    }
    let short = (density == Density::Full).then(|| text(flight, Density::Short)).filter(|text| fits(text));
    short.unwrap_or_else(|| short_kind(&flight.kind).into())
}

/// A long label with only the last name of its path, without its value: the front of a path says least.
pub fn last_name(label: &str) -> String {
    match label.split_once('/') {
        Some((front, path)) => {
            let path = path.split(['=', ' ']).next().unwrap_or_default();
            match path.rsplit_once('/') {
                Some((_, name)) => format!("{front}…/{name}"),
                None => label.into(),
            }
        }
        None => label.into(),
    }
}

fn text(flight: &Flight, density: Density) -> String {
    if flight.heartbeat || density == Density::Plain {
        return String::new();
    }
    let kind = short_kind(&flight.kind);
    let client = matches!(flight.from, Place::Client(_)) || matches!(flight.to, Place::Client(_));
    // A session's number means nothing to the eye, and is long.
    let label = if flight.label.starts_with("0x") { "" } else { flight.label.as_str() };
    let first = label.split_whitespace().next().unwrap_or("");
    let text = match density {
        Density::Full if label.chars().count() > 16 => format!("{kind} {}", last_name(label)),
        Density::Full => format!("{kind} {label}"),
        Density::Short => format!("{kind} {first}"),
        _ if client => format!("{kind} {first}"),
        _ if first.chars().count() <= 5 => first.to_string(),
        _ => String::new(),
    };
    let text = text.trim_end().to_string();
    match text.char_indices().nth(24) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample::five;
    use zebu_core::id::{Epoch, ServerId};
    use zebu_core::sim::view::WorldView;

    fn flight(id: u64, from: i64, to: i64, sent: u64, due: u64) -> Flight {
        Flight {
            id,
            from: Place::Server(ServerId(from)),
            to: Place::Server(ServerId(to)),
            kind: "PROPOSAL".into(),
            label: "2:1 /x=B".into(),
            epoch: Some(Epoch(2)),
            reply: false,
            heartbeat: false,
            sent: Instant(sent),
            due: Instant(due),
            lost: false,
        }
    }

    fn with(flights: Vec<Flight>, at: u64) -> (WorldView, Stage) {
        let mut view = five();
        view.flights = flights;
        view.at = Instant(at);
        let stage = Stage::new(&view, 1152.0, 610.0);
        (view, stage)
    }

    fn poses(layer: &Layer, now: f64) -> Vec<Pose> {
        layer.poses(now, Motion::Full).map(|(_, p)| p).collect()
    }

    #[test]
    fn a_message_never_passes_the_last_mark_before_it_is_handled() {
        let (view, stage) = with(vec![flight(1, 3, 1, 1000, 2000)], 1000);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        let sprite = layer.sprites().next().unwrap().1;
        let (a, b) = (sprite.from, sprite.to);
        let whole = a.distance(b);
        let far = poses(&layer, 9e9)[0].at.distance(a);
        assert!((far / whole - ALMOST).abs() < 0.03, "{far} of {whole}");
        assert!(poses(&layer, 1000.0)[0].at.distance(a) < 1.0);
    }

    #[test]
    fn the_place_depends_on_the_time_alone() {
        let (view, stage) = with(vec![flight(1, 3, 1, 1000, 2000)], 1000);
        let (mut one, mut two) = (Layer::default(), Layer::default());
        one.update(&view.flights, view.at, &stage, false);
        two.update(&view.flights, view.at, &stage, false);
        for t in [1100.0, 1900.0, 1500.0] {
            poses(&one, t);
        }
        assert_eq!(poses(&one, 1300.0), poses(&two, 1300.0));
    }

    #[test]
    fn a_handled_message_enters_and_its_slot_is_used_again() {
        let (view, stage) = with(vec![flight(1, 3, 1, 1000, 2000)], 1000);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        let (after, stage) = with(vec![], 2000);
        assert!(layer.update(&after.flights, after.at, &stage, false).is_empty(), "it enters first");
        assert!(layer.entering());
        assert!(layer.advance(ENTRY / 2.0).is_empty());
        assert_eq!(layer.advance(ENTRY), [0]);
        let (view, stage) = with(vec![flight(2, 3, 1, 2100, 3000)], 2100);
        assert!(matches!(&layer.update(&view.flights, view.at, &stage, false)[..], [Change::Show(0, s)] if s.id == 2));
        assert_eq!(layer.slots(), 1);
    }

    #[test]
    fn q1_too_many_messages_are_dots_of_a_few_paths_until_there_are_far_fewer() {
        let many = |n: usize| with((0..n as u64).map(|id| flight(id, 3, 1, 1000, 2000)).collect(), 1000);
        let mut layer = Layer::default();
        for (n, crowd) in [(CROWD, false), (CROWD + 1, true), (CROWD * 3 / 4 + 1, true), (CROWD * 3 / 4, false)] {
            let (view, stage) = many(n);
            layer.update(&view.flights, view.at, &stage, true);
            assert_eq!(layer.is_crowd(), crowd, "{n}");
            let dots = layer.dots(1500.0, Motion::Full);
            assert!(dots.keys().all(|(look, colour, _)| (*look, *colour) == ("request", "e2")), "{dots:?}");
            assert!(dots.len() <= 4, "only the fields that they are in: {dots:?}");
            assert_eq!(dots.values().map(|path| path.matches("h0").count()).sum::<usize>(), n);
        }
    }

    #[test]
    fn a_jump_in_time_leaves_no_ghosts() {
        let (view, stage) = with(vec![flight(1, 3, 1, 1000, 2000)], 1000);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        let (after, stage) = with(vec![], 2000);
        assert_eq!(layer.update(&after.flights, after.at, &stage, true), [Change::Hide(0)]);
        assert_eq!(poses(&layer, 2000.0), []);
    }

    #[test]
    fn a_lost_message_stops_half_way_with_a_cross() {
        let mut lost = flight(1, 1, 5, 1000, 2000);
        lost.lost = true;
        let (view, stage) = with(vec![lost], 1000);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        assert!(!poses(&layer, 1200.0)[0].stopped);
        let end = poses(&layer, 1990.0)[0];
        assert!(end.stopped);
        let (a, b) = stage.ends(&view.flights[0]).unwrap();
        assert!(end.at.distance(a) < a.distance(b) * 0.5);
    }

    #[test]
    fn request_and_reply_pass_each_other() {
        let mut back = flight(2, 1, 3, 1000, 2000);
        back.reply = true;
        let (view, stage) = with(vec![flight(1, 3, 1, 1000, 2000), back], 1000);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        let p = poses(&layer, 1580.0);
        assert!(p[0].at.distance(p[1].at) > 14.0, "{p:?}");
    }

    #[test]
    fn messages_sent_together_fly_side_by_side() {
        let (view, stage) = with(vec![flight(1, 3, 1, 1000, 2000), flight(2, 3, 1, 1000, 2000)], 1000);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        let p = poses(&layer, 1500.0);
        assert!(p[0].at.distance(p[1].at) > 20.0, "{p:?}");
    }

    #[test]
    fn reduced_motion_knows_three_places() {
        let (view, stage) = with(vec![flight(1, 3, 1, 0, 3000)], 0);
        let mut layer = Layer::default();
        layer.update(&view.flights, view.at, &stage, false);
        let mut places: Vec<i64> = (0..=300)
            .map(|k| layer.poses(f64::from(k) * 10.0, Motion::Reduced).next().unwrap().1.at.x.round() as i64)
            .collect();
        places.dedup();
        assert_eq!(places.len(), 3, "{places:?}");
    }

    #[test]
    fn text_gets_shorter_as_the_air_fills_and_heartbeats_have_none() {
        let f = flight(1, 3, 1, 0, 1);
        assert_eq!(text(&f, Density::of(3, false)), "PROP 2:1 /x=B");
        assert_eq!(text(&f, Density::of(FULL_TEXT + 1, false)), "PROP 2:1");
        assert_eq!(text(&f, Density::of(SHORT_TEXT + 1, false)), "2:1");
        assert_eq!(text(&f, Density::of(1, true)), "");
        let mut deep = f.clone();
        deep.label = "2:1 /zookeeper/config=server.1=10.…".into();
        assert_eq!(text(&deep, Density::Full), "PROP 2:1 …/config");
        for (room, shown) in [(13, "PROP 2:1 /x=B"), (12, "PROP 2:1"), (7, "PROP")] {
            assert_eq!(fitting(&f, Density::Full, |text| text.len() <= room), shown, "{room}");
        }
        let mut long = f.clone();
        long.label = "数据".repeat(40);
        assert!(text(&long, Density::Full).chars().count() <= 25);
        let beat = Flight { heartbeat: true, ..f };
        assert_eq!((text(&beat, Density::Full), look(&beat)), (String::new(), Look::Tick));
    }
}
