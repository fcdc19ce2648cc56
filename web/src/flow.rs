//! Every message of a run from its sending to its end, what can be counted, and what was the cause of what. Filled with
//! the history, once; going back in time only reads it.

use std::collections::VecDeque;
use std::rc::Rc;
use zebu_core::collections::{BTreeMap, order};
use zebu_core::sim::command::ClientId;
use zebu_core::sim::view::Place;
use zebu_core::time::Instant;
use zebu_core::trace::{TraceEvent, TraceRecord};

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was handled, at this moment of the run.
    Delivered(u64),
    /// It never arrives, as was known at this moment.
    Lost(u64),
}

/// A message that is no heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number in the world.
    pub id: u64,
    /// From.
    pub from: Place,
    /// To.
    pub to: Place,
    /// Its type.
    pub kind: Rc<str>,
    /// Its key field.
    pub label: Rc<str>,
    /// The moment of the run at which it left.
    pub sent: u64,
    /// How it ended; `None` while it is under way.
    pub end: Option<End>,
}

impl Message {
    /// When it was handled.
    pub fn delivered(&self) -> Option<u64> {
        match self.end {
            Some(End::Delivered(moment)) => Some(moment),
            _ => None,
        }
    }
}

/// What happened so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages sent, heartbeats too.
    pub sent: u32,
    /// Heartbeats among them.
    pub heartbeats: u32,
    /// Messages handled.
    pub delivered: u32,
    /// Messages that never arrive.
    pub lost: u32,
    /// Syncs of disks.
    pub syncs: u32,
    /// Records made durable by them.
    pub records: u32,
    /// Writes that were answered without an error.
    pub writes: u32,
    /// From asking to the answer, over all of them, microseconds.
    pub waited: u64,
}

/// An answered write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When it was answered, as a moment of the run.
    pub moment: u64,
    /// By whom it was asked.
    pub client: ClientId,
    /// What was asked.
    pub line: String,
    /// From asking to the answer, microseconds.
    pub micros: u64,
}

/// On which side of an event something lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It may have contributed to it.
    Cause,
    /// The event itself.
    Here,
    /// It may be a consequence.
    Effect,
}

impl Side {
    /// Its style class.
    pub fn class(self) -> &'static str {
        match self {
            Side::Cause => "cause",
            Side::Here => "here",
            Side::Effect => "effect",
        }
    }
}

/// The causes and effects of one event: of each place, everything up to a moment and everything from another one on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Light {
    past: BTreeMap<Place, u64>,
    future: BTreeMap<Place, u64>,
    here: Option<(Place, u64)>,
}

impl Light {
    /// On which side something at a place and a moment lies; `None` if it is neither cause nor effect.
    pub fn at(&self, place: Place, moment: u64) -> Option<Side> {
        if self.here == Some((place, moment)) {
            Some(Side::Here)
        } else if self.past.get(&place).is_some_and(|limit| moment <= *limit) {
            Some(Side::Cause)
        } else if self.future.get(&place).is_some_and(|limit| moment >= *limit) {
            Some(Side::Effect)
        } else {
            None
        }
    }

    /// On which side a message lies: one that arrived is a cause if its arrival is, one that left an effect if its
    /// sending is.
    pub fn message(&self, m: &Message) -> Option<Side> {
        let arrived = m.delivered().and_then(|moment| self.at(m.to, moment));
        match (arrived, self.at(m.from, m.sent)) {
            (Some(Side::Cause | Side::Here), Some(_)) => Some(Side::Cause),
            (_, Some(Side::Effect | Side::Here)) => Some(Side::Effect),
            _ => None,
        }
    }

    /// The places that are lit, with their side.
    pub fn places(&self) -> impl Iterator<Item = (Place, Side)> + '_ {
        let here = self.here.map(|(place, _)| place);
        let past = self.past.keys().map(|p| (*p, Side::Cause));
        let future = self.future.keys().filter(|p| !self.past.contains_key(p)).map(|p| (*p, Side::Effect));
        past.chain(future).map(move |(p, side)| (p, if here == Some(p) { Side::Here } else { side }))
    }
}

/// The newest messages that are looked at for causes and effects.
const LOOKED_AT: usize = 4000;

/// The index.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    messages: Vec<Message>,
    /// Places in `messages` of those under way.
    open: BTreeMap<u64, usize>,
    counts: Vec<(u64, Counts)>,
    writes: Vec<Write>,
    asked: BTreeMap<ClientId, VecDeque<(u64, Instant, String)>>,
    names: BTreeMap<String, Rc<str>>,
}

impl Flow {
    /// Takes in a record of the moment after `moment` moves.
    pub fn take(&mut self, record: &TraceRecord, moment: u64) {
        let before = self.counts.last().map_or(Counts::default(), |(_, c)| *c);
        let mut counts = before;
        match &record.event {
            TraceEvent::Sent { id, from, to, kind, label } => {
                counts.sent += 1;
                if crate::timeline::is_heartbeat(kind) {
                    counts.heartbeats += 1;
                } else {
                    let kind = self.name(kind);
                    let label = self.name(label);
                    self.open.insert(*id, self.messages.len());
                    let (from, to) = (*from, *to);
                    self.messages.push(Message { id: *id, from, to, kind, label, sent: moment, end: None });
                }
            }
            TraceEvent::Delivered { id, .. } => {
                counts.delivered += 1;
                self.ended(*id, End::Delivered(moment));
            }
            TraceEvent::Lost { id, .. } => {
                counts.lost += 1;
                self.ended(*id, End::Lost(moment));
            }
            TraceEvent::Synced { records, .. } => {
                counts.syncs += 1;
                counts.records += records;
            }
            TraceEvent::Asked { client, line, .. } => {
                self.asked.entry(*client).or_default().push_back((moment, record.at, line.clone()));
            }
            TraceEvent::Answered { client, line, error, .. } => {
                let asked = self.asked.entry(*client).or_default();
                let place = asked.iter().position(|(_, _, l)| l == line);
                if let Some((_, at, line)) = place.and_then(|i| asked.remove(i))
                    && error.is_none()
                    && is_write(&line)
                {
                    let micros = record.at.0.saturating_sub(at.0);
                    counts.writes += 1;
                    counts.waited += micros;
                    self.writes.push(Write { moment, client: *client, line, micros });
                }
            }
            _ => {}
        }
        if counts != before {
            match self.counts.last_mut() {
                Some((at, last)) if *at == moment => *last = counts,
                _ => self.counts.push((moment, counts)),
            }
        }
    }

    /// A text that occurs again and again is kept once.
    fn name(&mut self, text: &str) -> Rc<str> {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        let name: Rc<str> = Rc::from(text);
        if self.names.len() < 4096 {
            self.names.insert(text.to_string(), name.clone());
        }
        name
    }

    fn ended(&mut self, id: u64, end: End) {
        if let Some(message) = self.open.remove(&id).and_then(|i| self.messages.get_mut(i)) {
            message.end = Some(end);
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let (message, count) = (size_of::<Message>() + 40, size_of::<(u64, Counts)>());
        self.messages.len() * message + self.counts.len() * count + self.writes.len() * (size_of::<Write>() + 32)
    }

    /// Forgets everything after `moment` moves.
    pub fn forget_after(&mut self, moment: u64) {
        self.messages.truncate(self.messages.partition_point(|m| m.sent <= moment));
        self.open.clear();
        for (i, m) in self.messages.iter_mut().enumerate() {
            if m.end.is_some_and(|(End::Delivered(at) | End::Lost(at))| at > moment) {
                m.end = None;
            }
            if m.end.is_none() {
                self.open.insert(m.id, i);
            }
        }
        self.counts.truncate(self.counts.partition_point(|(at, _)| *at <= moment));
        self.writes.truncate(self.writes.partition_point(|w| w.moment <= moment));
        for asked in self.asked.values_mut() {
            asked.retain(|(at, ..)| *at <= moment);
        }
    }

    /// Messages in the order of their sending, of those that left up to a moment.
    pub fn upto(&self, moment: u64) -> &[Message] {
        self.messages.get(..self.messages.partition_point(|m| m.sent <= moment)).unwrap_or_default()
    }

    /// What had happened up to a moment, in numbers.
    pub fn counts(&self, moment: u64) -> Counts {
        let here = self.counts.partition_point(|(at, _)| *at <= moment);
        here.checked_sub(1).and_then(|i| self.counts.get(i)).map_or(Counts::default(), |(_, c)| *c)
    }

    /// The writes answered up to a moment, oldest first.
    pub fn writes(&self, moment: u64) -> &[Write] {
        self.writes.get(..self.writes.partition_point(|w| w.moment <= moment)).unwrap_or_default()
    }

    /// The causes and effects, as far as played, of what happened at a place and a moment: whatever happened there
    /// before, whatever messages brought there, and so on.
    pub fn light(&self, place: Place, moment: u64) -> Light {
        let window = self.messages.get(self.messages.len().saturating_sub(LOOKED_AT)..).unwrap_or_default();
        let mut light = Light { here: Some((place, moment)), ..Light::default() };
        light.past.insert(place, moment);
        light.future.insert(place, moment);
        let mut arrived: Vec<(u64, &Message)> = window.iter().filter_map(|m| m.delivered().map(|at| (at, m))).collect();
        order::sort_by_key(&mut arrived, |(at, m)| (std::cmp::Reverse(*at), std::cmp::Reverse(m.sent)));
        for (at, m) in &arrived {
            if light.past.get(&m.to).is_some_and(|limit| at <= limit) {
                let limit = light.past.entry(m.from).or_insert(m.sent);
                *limit = m.sent.max(*limit);
            }
        }
        order::sort_by_key(&mut arrived, |(at, m)| (m.sent, *at));
        for (at, m) in &arrived {
            if light.future.get(&m.from).is_some_and(|limit| m.sent >= *limit) {
                let limit = light.future.entry(m.to).or_insert(*at);
                *limit = (*at).min(*limit);
            }
        }
        light
    }
}

/// Whether what was asked changes something.
fn is_write(line: &str) -> bool {
    let verb = line.split_whitespace().next().unwrap_or("");
    matches!(verb, "create" | "set" | "delete" | "multi" | "setAcl")
}

/// Where something happened, if it happened somewhere.
pub fn place_of(event: &TraceEvent) -> Option<Place> {
    Some(match event {
        TraceEvent::Started { server }
        | TraceEvent::Stopped { server, .. }
        | TraceEvent::Halted { server, .. }
        | TraceEvent::Paused { server }
        | TraceEvent::Resumed { server }
        | TraceEvent::Note { server, .. }
        | TraceEvent::Synced { server, .. }
        | TraceEvent::Compacted { server, .. }
        | TraceEvent::Serving { server, .. } => Place::Server(*server),
        TraceEvent::Asked { client, .. }
        | TraceEvent::Answered { client, .. }
        | TraceEvent::WatchFired { client, .. }
        | TraceEvent::Session { client, .. } => Place::Client(*client),
        TraceEvent::Sent { from, .. } => *from,
        TraceEvent::Delivered { to, .. } | TraceEvent::Lost { to, .. } => *to,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::ServerId;
    use zebu_core::trace::LossReason;

    fn s(id: i64) -> Place {
        Place::Server(ServerId(id))
    }

    fn record(at: u64, event: TraceEvent) -> TraceRecord {
        TraceRecord { at: Instant(at), event_number: at, event }
    }

    fn sent(flow: &mut Flow, moment: u64, id: u64, from: Place, to: Place) {
        let event = TraceEvent::Sent { id, from, to, kind: "ACK".into(), label: "1:1".into() };
        flow.take(&record(moment, event), moment);
    }

    fn arrived(flow: &mut Flow, moment: u64, id: u64, from: Place, to: Place) {
        let event = TraceEvent::Delivered { id, from, to, kind: "ACK".into(), label: "1:1".into() };
        flow.take(&record(moment, event), moment);
    }

    /// 1 → 2 → 3, and 4 → 3 afterwards; 5 hears of 3 only.
    fn chain() -> Flow {
        let mut f = Flow::default();
        sent(&mut f, 1, 10, s(1), s(2));
        sent(&mut f, 2, 11, s(4), s(3));
        arrived(&mut f, 3, 10, s(1), s(2));
        sent(&mut f, 3, 12, s(2), s(3));
        arrived(&mut f, 5, 12, s(2), s(3));
        arrived(&mut f, 7, 11, s(4), s(3));
        sent(&mut f, 8, 13, s(3), s(5));
        arrived(&mut f, 9, 13, s(3), s(5));
        f
    }

    #[test]
    fn causes_and_effects_follow_messages_and_places() {
        let f = chain();
        let light = f.light(s(3), 5);
        assert_eq!(light.at(s(1), 1), Some(Side::Cause));
        assert_eq!(light.at(s(1), 2), None, "what 1 does later is no cause");
        assert_eq!(light.at(s(2), 3), Some(Side::Cause));
        assert_eq!(light.at(s(4), 2), None, "4's message came later");
        assert_eq!(light.at(s(3), 5), Some(Side::Here));
        assert_eq!(light.at(s(5), 9), Some(Side::Effect));
        assert_eq!(light.at(s(5), 4), None);
        let sides: Vec<_> = f.upto(99).iter().map(|m| (m.id, light.message(m))).collect();
        assert_eq!(sides, [(10, Some(Side::Cause)), (11, None), (12, Some(Side::Cause)), (13, Some(Side::Effect))]);
        assert_eq!(f.light(s(5), 9).at(s(4), 2), Some(Side::Cause));
    }

    #[test]
    fn what_is_forgotten_is_under_way_again() {
        let mut f = chain();
        f.forget_after(4);
        assert_eq!(f.upto(99).len(), 3);
        assert_eq!(f.upto(99)[1].end, None);
        assert_eq!(f.upto(99)[0].end, Some(End::Delivered(3)));
        arrived(&mut f, 6, 11, s(4), s(3));
        assert_eq!(f.upto(99)[1].end, Some(End::Delivered(6)));
    }

    #[test]
    fn counts_are_those_of_the_records() {
        let mut f = chain();
        let lost =
            TraceEvent::Lost { id: 77, from: s(1), to: s(2), kind: "PING".into(), why: LossReason::ReceiverDown };
        f.take(&record(10, lost), 10);
        f.take(&record(11, TraceEvent::Synced { server: ServerId(1), upto: zebu_core::id::Zxid(3), records: 4 }), 11);
        let client = ClientId(0);
        let line = "create /x 1".to_string();
        f.take(&record(1000, TraceEvent::Asked { client, server: None, line: line.clone() }), 12);
        let answer = String::new();
        f.take(&record(4500, TraceEvent::Answered { client, line, answer, error: None, zxid: None }), 13);
        assert_eq!((f.counts(4).sent, f.counts(4).delivered), (3, 1));
        let end = f.counts(13);
        assert_eq!((end.sent, end.delivered, end.lost, end.syncs, end.records), (4, 4, 1, 1, 4));
        assert_eq!((end.writes, end.waited, f.writes(13)[0].micros), (1, 3500, 3500));
        assert!(f.writes(12).is_empty());
    }
}
