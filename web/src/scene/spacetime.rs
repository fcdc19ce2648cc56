//! The run as lanes over time: one lane for each server and client, a line for each message. Time goes to the right,
//! evenly by what happens, not by seconds.

use crate::captions::Weight;
use crate::desk::Pick;
use crate::flow::{End, Flow, Light, Message, Side, place_of};
use crate::history::Entry;
use crate::scene::layout::{Point, crosses};
use crate::scene::palette::epoch_class;
use std::rc::Rc;
use zebu_core::collections::{BTreeMap, BTreeSet};
use zebu_core::id::Epoch;
use zebu_core::sim::view::{Place, WorldView};
use zebu_core::trace::TraceEvent;

/// Size of the texts at the lines.
pub const TEXT: f64 = 12.0;

/// Width of a moment, in sizes of text.
const STEP: f64 = 2.5;

/// The newest moments that are drawn.
pub const MOMENTS: usize = 180;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was handled.
    Arrived,
    /// It is under way.
    Flying,
    /// It waits behind a cut.
    Held,
    /// It never arrives.
    Lost,
}

impl Fate {
    /// Its style class.
    pub fn class(self) -> &'static str {
        match self {
            Fate::Arrived => "arrived",
            Fate::Flying => "flying",
            Fate::Held => "held",
            Fate::Lost => "lost",
        }
    }
}

/// A message's line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The message.
    pub id: u64,
    /// Where it left.
    pub from: (f64, f64),
    /// Where it arrived, or would.
    pub to: (f64, f64),
    /// Its end.
    pub fate: Fate,
    /// Type and key field.
    pub text: String,
    /// The middle of its text, where it is written: of several messages of a kind that leave together only at the first,
    /// and only where nothing else stands.
    pub tag: Option<(f64, f64)>,
    /// Its epoch's colour.
    pub colour: &'static str,
    /// Cause or effect of what is picked.
    pub lit: Option<Side>,
    /// What is picked by pressing it: its arrival, or its sending while it has none.
    pub pick: Pick,
}

/// A turn of the protocol on its lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// Where.
    pub at: (f64, f64),
    /// What is picked by pressing it.
    pub pick: Pick,
    /// What happened, the weightiest of its moment.
    pub what: Rc<TraceEvent>,
    /// It is a landmark.
    pub landmark: bool,
    /// Cause or effect of what is picked.
    pub lit: Option<Side>,
}

/// One lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lane {
    /// Whose.
    pub place: Place,
    /// Its height.
    pub y: f64,
}

/// The diagram.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagram {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Lanes from above.
    pub lanes: Vec<Lane>,
    /// Messages.
    pub lines: Vec<Line>,
    /// Turns of the protocol.
    pub dots: Vec<Dot>,
    /// Where this moment is.
    pub now: f64,
    /// Causes and effects of what is picked, over all that was drawn.
    pub counted: (usize, usize),
    /// Size of the texts.
    pub text: f64,
}

impl Diagram {
    /// The diagram of a run up to the moment `now`, for a window of this height and texts of this size.
    pub fn new(
        view: &WorldView,
        flow: &Flow,
        entries: &[Entry],
        now: u64,
        (height, text): (f64, f64),
        light: Option<&Light>,
    ) -> Diagram {
        let step = STEP * text;
        let places: Vec<Place> = view
            .servers
            .iter()
            .map(|s| Place::Server(s.id))
            .chain(view.clients.iter().map(|c| Place::Client(c.id)))
            .collect();
        let gap = ((height - 40.0) / places.len().max(1) as f64).clamp(28.0, 110.0);
        let lanes: Vec<Lane> =
            places.iter().enumerate().map(|(i, p)| Lane { place: *p, y: 22.0 + gap * (i as f64 + 0.5) }).collect();
        let y: BTreeMap<Place, f64> = lanes.iter().map(|l| (l.place, l.y)).collect();

        let upto = entries.partition_point(|e| e.event <= now);
        let told = entries.get(..upto).unwrap_or_default();
        let told = told.get(told.len().saturating_sub(MOMENTS * 4)..).unwrap_or_default();
        let told: Vec<(&Entry, Place)> =
            told.iter().filter(|e| e.weight >= Weight::Step).filter_map(|e| Some((e, place_of(&e.what)?))).collect();
        let messages = flow.upto(now);
        let messages = messages.get(messages.len().saturating_sub(MOMENTS * 4)..).unwrap_or_default();

        // The moments at which something is to be seen, the newest of them.
        let ends = |m: &Message| match m.end {
            Some(End::Delivered(at) | End::Lost(at)) if at <= now => Some(at),
            _ => None,
        };
        let mut moments: BTreeSet<u64> = told.iter().map(|(e, _)| e.event).collect();
        moments.extend(messages.iter().flat_map(|m| [Some(m.sent), ends(m)]).flatten());
        moments.insert(now);
        let moments: Vec<u64> = moments.into_iter().collect();
        let moments = moments.get(moments.len().saturating_sub(MOMENTS)..).unwrap_or_default();
        let first = moments.first().copied().unwrap_or(0);
        let x = |moment: u64| 14.0 + moments.partition_point(|m| *m < moment) as f64 * step;

        let held: BTreeSet<u64> = view.flights.iter().filter(|f| f.lost).map(|f| f.id).collect();
        let mut written: BTreeSet<(Place, u64, Rc<str>)> = BTreeSet::new();
        let mut lines: Vec<Line> = messages
            .iter()
            .filter(|m| m.sent >= first)
            .filter_map(|m| {
                let (a, b) = (*y.get(&m.from)?, *y.get(&m.to)?);
                let from = (x(m.sent), a);
                let (to, fate) = match (ends(m), m.end) {
                    (Some(at), Some(End::Delivered(_))) => ((x(at), b), Fate::Arrived),
                    (Some(at), _) => (half(from, (x(at).max(from.0 + step), b)), Fate::Lost),
                    (None, _) if held.contains(&m.id) => (half(from, (x(now).max(from.0 + step * 2.0), b)), Fate::Held),
                    (None, _) => ((x(now) + step, a + (b - a) * 0.7), Fate::Flying),
                };
                let place = if fate == Fate::Arrived { m.to } else { m.from };
                let moment = if fate == Fate::Arrived { ends(m)? } else { m.sent };
                let first = written.insert((m.from, m.sent, m.kind.clone()));
                let lit = light.and_then(|l| l.message(m));
                let told = first || lit.is_some() || matches!(fate, Fate::Held | Fate::Lost);
                Some(Line {
                    id: m.id,
                    from,
                    to,
                    fate,
                    text: format!("{} {}", crate::scene::packets::short_kind(&m.kind), m.label).trim_end().to_string(),
                    tag: told.then(|| half(from, to)),
                    colour: epoch_in(&m.label),
                    lit,
                    pick: Pick { place, moment },
                })
            })
            .collect();
        let mut dots: BTreeMap<(Place, u64), Dot> = BTreeMap::new();
        let mut weights: BTreeMap<(Place, u64), Weight> = BTreeMap::new();
        for (e, place) in told.iter().filter(|(e, _)| e.event >= first) {
            let Some(lane) = y.get(place) else { continue };
            let key = (*place, e.event);
            if weights.get(&key).is_some_and(|w| *w > e.weight) {
                continue;
            }
            weights.insert(key, e.weight);
            dots.insert(
                key,
                Dot {
                    at: (x(e.event), *lane),
                    pick: Pick { place: *place, moment: e.event },
                    what: e.what.clone(),
                    landmark: e.weight == Weight::Landmark,
                    lit: light.and_then(|l| l.at(*place, e.event)),
                },
            );
        }
        let dots: Vec<Dot> = dots.into_values().collect();
        place_tags(&mut lines, &dots, &lanes, text);
        let count = |side: Side| {
            lines.iter().filter(|l| l.lit == Some(side)).count() + dots.iter().filter(|d| d.lit == Some(side)).count()
        };
        let counted = (count(Side::Cause), count(Side::Effect));
        let width = x(now) + step * 3.0;
        let height = lanes.last().map_or(60.0, |l| l.y + 26.0).max(height - 4.0);
        Diagram { width, height, lanes, lines, dots, now: x(now), counted, text }
    }
}

/// Where a text may stand along its line, the best place first.
const PLACES: [f64; 10] = [0.5, 0.44, 0.56, 0.38, 0.62, 0.28, 0.72, 0.2, 0.8, 0.12];

/// The box of a text: left, top, right, bottom.
fn tag_box(line: &Line, (x, y): (f64, f64), text: f64) -> (f64, f64, f64, f64) {
    let half = line.text.chars().count() as f64 * text * 0.31 + 3.0;
    (x - half, y - text * 0.62, x + half, y + text * 0.62)
}

/// Gives each text a place on its line where no other text and no dot is, and where it covers as few other lines and
/// lanes as can be. One for which there is none is not written: the newest and what is lit come first.
fn place_tags(lines: &mut [Line], dots: &[Dot], lanes: &[Lane], text: f64) {
    let mut taken: Vec<(f64, f64, f64, f64)> =
        dots.iter().map(|d| (d.at.0 - 7.0, d.at.1 - 7.0, d.at.0 + 7.0, d.at.1 + 7.0)).collect();
    let ways: Vec<(u64, Point, Point)> =
        lines.iter().map(|l| (l.id, Point { x: l.from.0, y: l.from.1 }, Point { x: l.to.0, y: l.to.1 })).collect();
    for lit in [true, false] {
        for line in lines.iter_mut().rev().filter(|l| l.lit.is_some() == lit && l.tag.is_some()) {
            let (a, b) = (line.from, line.to);
            let at = |share: f64| (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share);
            let free = PLACES.iter().map(|share| at(*share)).filter(|place| {
                let own = tag_box(line, *place, text);
                own.0 > 0.0 && !taken.iter().any(|t| own.0 < t.2 && t.0 < own.2 && own.1 < t.3 && t.1 < own.3)
            });
            line.tag = free.min_by_key(|place| covered(tag_box(line, *place, text), line.id, &ways, lanes));
            taken.extend(line.tag.map(|place| tag_box(line, place, text)));
        }
    }
}

/// How many lines other than its own, and lanes, a text in this box covers.
fn covered(own: (f64, f64, f64, f64), id: u64, ways: &[(u64, Point, Point)], lanes: &[Lane]) -> usize {
    let beside = |a: &Point, b: &Point| b.x < own.0 || a.x > own.2;
    ways.iter().filter(|(other, a, b)| *other != id && !beside(a, b) && crosses(*a, *b, own)).count()
        + lanes.iter().filter(|l| own.1 < l.y && l.y < own.3).count()
}

fn half(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)
}

/// The colour of the first `epoch:counter` in a label.
fn epoch_in(label: &str) -> &'static str {
    let words = label.split(|c: char| !c.is_ascii_digit() && c != ':');
    words.filter_map(|w| w.split_once(':')).find_map(|(e, _)| e.parse().ok()).map_or("e0", |e| epoch_class(Epoch(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Driver;
    use crate::timeline::Timeline;
    use zebu_core::id::ServerId;
    use zebu_core::sim::WorldSpec;
    use zebu_core::sim::command::Command;

    fn run(steps: usize) -> Timeline {
        let mut t = Timeline::new(Driver::free(WorldSpec::default()));
        for _ in 0..steps {
            t.step().unwrap();
        }
        t
    }

    fn diagram(t: &Timeline, light: Option<&Light>) -> Diagram {
        let history = t.history();
        Diagram::new(&t.world().view(), history.flow(), history.entries(), t.moment(), (500.0, TEXT), light)
    }

    #[test]
    fn lines_go_forward_and_never_past_this_moment() {
        let t = run(160);
        let d = diagram(&t, None);
        assert_eq!(d.lanes.len(), 5);
        assert!(d.lines.len() > 20 && !d.dots.is_empty());
        for line in &d.lines {
            assert!(line.to.0 > line.from.0, "{line:?}");
            assert!(line.from.0 <= d.now && line.to.0 <= d.width);
            assert!(line.lit.is_none());
        }
        assert!(d.lines.iter().any(|l| l.fate == Fate::Flying || l.fate == Fate::Arrived));
    }

    #[test]
    fn a_cut_holds_messages_and_a_kill_loses_them() {
        let mut t = run(260);
        t.command(Command::Cut { from: ServerId(5), to: ServerId(1), both: true }).unwrap();
        let client = zebu_core::sim::command::ClientId(0);
        t.command(Command::Connect { client, server: ServerId(3) }).unwrap();
        let to_4 = |t: &Timeline| {
            t.world().flights().iter().any(|f| f.kind == "PROPOSAL" && f.to == Place::Server(ServerId(4)))
        };
        while !to_4(&t) {
            t.step().unwrap();
        }
        t.command(Command::Kill { server: ServerId(4) }).unwrap();
        let mut fates = BTreeSet::new();
        for _ in 0..400 {
            t.step().unwrap();
            fates.extend(diagram(&t, None).lines.iter().map(|l| l.fate.class()));
        }
        assert!(fates.contains("held") && fates.contains("lost"), "{fates:?}");
    }

    #[test]
    fn no_text_stands_upon_another() {
        for steps in [60, 160, 300] {
            let d = diagram(&run(steps), None);
            let boxes: Vec<_> = d.lines.iter().filter_map(|l| Some(tag_box(l, l.tag?, TEXT))).collect();
            assert!(boxes.len() > 8, "{}", boxes.len());
            for (i, a) in boxes.iter().enumerate() {
                for b in &boxes[i + 1..] {
                    assert!(a.0 >= b.2 || b.0 >= a.2 || a.1 >= b.3 || b.1 >= a.3, "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_text_stands_where_it_covers_least() {
        let way = |id, from, to| Line {
            id,
            from,
            to,
            fate: Fate::Arrived,
            text: "ACK 1:3".into(),
            tag: (id == 1).then_some((0.0, 0.0)),
            colour: "e1",
            lit: None,
            pick: Pick { place: Place::Server(ServerId(1)), moment: id },
        };
        // A lane goes through the middle of the first message, another message through its upper part.
        let mut lines = [way(1, (200.0, 0.0), (200.0, 200.0)), way(2, (100.0, 60.0), (300.0, 60.0))];
        let lanes = [0.0, 100.0, 200.0].map(|y| Lane { place: Place::Server(ServerId(1)), y });
        place_tags(&mut lines, &[], &lanes, TEXT);
        let (_, y) = lines[0].tag.unwrap();
        assert!((y - 100.0).abs() > TEXT / 2.0 && (y - 60.0).abs() > TEXT / 2.0, "{y}");
        assert_eq!(lines[1].tag, None);
    }

    #[test]
    fn what_is_picked_lights_its_causes_and_effects() {
        let t = run(200);
        let plain = diagram(&t, None);
        let pick = plain.dots[plain.dots.len() / 2].pick;
        let light = t.history().flow().light(pick.place, pick.moment);
        let d = diagram(&t, Some(&light));
        assert!(d.counted.0 > 0 && d.counted.1 > 0, "{:?}", d.counted);
        assert_eq!(d.dots.iter().filter(|d| d.lit == Some(Side::Here)).count(), 1);
    }

    #[test]
    fn the_epoch_stands_in_the_label() {
        assert_eq!(epoch_in("3 (2:5)"), "e2");
        assert_eq!(epoch_in("1:5"), "e1");
        assert_eq!(epoch_in("/x=A"), "e0");
    }
}
