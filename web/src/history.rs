//! The index of a run: what was told, when which server was in which phase, where the landmarks are. Filled once, when
//! an event is executed for the first time; going back in time reads it and never writes it.

use crate::captions::{Weight, weight};
use crate::flow::Flow;
use std::rc::Rc;
use zebu_core::collections::BTreeMap;
use zebu_core::compare::note::Stage;
use zebu_core::id::{Epoch, ServerId};
use zebu_core::note::Note;
use zebu_core::time::Instant;
use zebu_core::trace::{TraceEvent, TraceRecord};

/// One thing that was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// at this moment of the run.
    pub event: u64,
    /// When.
    pub at: Instant,
    /// How much it matters.
    pub weight: Weight,
    /// What.
    pub what: Rc<TraceEvent>,
}

/// What a server was doing over a stretch of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Not running.
    Down,
    /// In an election.
    Looking,
    /// Agreeing on an epoch: discovery.
    Joining,
    /// Agreeing on the history: synchronisation.
    Syncing,
    /// Broadcasting.
    Broadcast,
    /// A compared protocol's own stage.
    Model(Stage),
}

/// A stretch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// After this many events.
    pub from: u64,
    /// What begins.
    pub doing: Doing,
    /// It leads.
    pub leads: bool,
    /// In which epoch.
    pub epoch: Epoch,
}

/// The index.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Entry>,
    bands: BTreeMap<ServerId, Vec<Band>>,
    /// Where each event stands on the timeline: quiet ones take little room.
    places: Vec<f32>,
    flow: Flow,
}

/// The room of a quiet event on the timeline; others take 1.
const QUIET_ROOM: f32 = 0.06;

impl History {
    /// Takes in an executed event.
    pub fn executed(&mut self, quiet: bool, records: &[TraceRecord], event: u64) {
        let last = self.places.last().copied().unwrap_or(0.0);
        self.places.push(last + if quiet { QUIET_ROOM } else { 1.0 });
        self.told(records, event);
    }

    /// Takes in records that belong to the moment after `event` events.
    pub fn told(&mut self, records: &[TraceRecord], event: u64) {
        for record in records {
            if let Some((server, band)) = band(&record.event, event) {
                let bands = self.bands.entry(server).or_default();
                let next = following(bands.last(), band);
                bands.extend(next);
            }
            let weight = weight(&record.event);
            if weight > Weight::Quiet {
                self.entries.push(Entry { event, at: record.at, weight, what: Rc::new(record.event.clone()) });
            }
            self.flow.take(record, event);
        }
    }

    /// Messages, and what can be counted.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let entry = size_of::<Entry>() + size_of::<TraceEvent>() + 40;
        self.entries.len() * entry + self.places.len() * size_of::<f32>() + self.flow.bytes()
    }

    /// Forgets everything after `event` events.
    pub fn forget_after(&mut self, event: u64) {
        self.flow.forget_after(event);
        self.entries.truncate(self.entries.partition_point(|e| e.event <= event));
        self.places.truncate(usize::try_from(event).unwrap_or(usize::MAX));
        for bands in self.bands.values_mut() {
            bands.truncate(bands.partition_point(|b| b.from <= event));
        }
    }

    /// What was told, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The last thing worth a caption up to `event` events.
    pub fn caption_at(&self, event: u64) -> Option<&Entry> {
        let upto = self.entries.partition_point(|e| e.event <= event);
        let past = self.entries.get(..upto)?;
        let last = past.iter().rev().find(|e| e.weight >= Weight::Step)?;
        // Of several at the same event, the weightiest speaks, and of those the last.
        past.iter()
            .rev()
            .take_while(|e| e.event >= last.event)
            .reduce(|best, e| if e.weight > best.weight { e } else { best })
    }

    /// Landmarks, oldest first.
    pub fn landmarks(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|e| e.weight == Weight::Landmark)
    }

    /// Each server's stretches.
    pub fn bands(&self) -> &BTreeMap<ServerId, Vec<Band>> {
        &self.bands
    }

    /// Where the moment after `event` events stands on the timeline, from 0.
    pub fn place(&self, event: u64) -> f32 {
        match usize::try_from(event).ok().and_then(|n| n.checked_sub(1)) {
            None => 0.0,
            Some(i) => self.places.get(i).or(self.places.last()).copied().unwrap_or(0.0),
        }
    }

    /// The length of the timeline.
    pub fn length(&self) -> f32 {
        self.places.last().copied().unwrap_or(0.0)
    }

    /// The number of events at a place of the timeline.
    pub fn event_at(&self, place: f32) -> u64 {
        self.places.partition_point(|p| *p <= place) as u64
    }
}

/// The band that follows on `last`; `None` if that one goes on.
fn following(last: Option<&Band>, next: Band) -> Option<Band> {
    let Some(last) = last else { return Some(next) };
    let mut band = next;
    if let Doing::Model(_) = next.doing {
        // What has no number of its own goes on with the one before.
        if next.epoch == Epoch(0) {
            band.epoch = last.epoch;
        }
        // Whoever is bound to one number stays so, whatever becomes of another.
        if band.epoch != last.epoch && matches!(last.doing, Doing::Model(stage) if stage.binds()) {
            return None;
        }
    }
    // A learner does not say in which epoch it is synchronised: in the one it has promised.
    if next.doing == Doing::Syncing {
        band.epoch = next.epoch.max(last.epoch);
    }
    // A leader says that it serves, too: it goes on leading.
    band.leads |= last.leads && last.epoch == band.epoch;
    (Band { from: last.from, ..band } != *last).then_some(band)
}

/// What begins with `event` at which server, if anything does.
fn band(event: &TraceEvent, from: u64) -> Option<(ServerId, Band)> {
    let (server, doing, leads, epoch) = match event {
        TraceEvent::Stopped { server, .. } | TraceEvent::Halted { server, .. } => {
            (*server, Doing::Down, false, Epoch(0))
        }
        TraceEvent::Started { server } => (*server, Doing::Looking, false, Epoch(0)),
        TraceEvent::Serving { server, epoch: Some(epoch) } => (*server, Doing::Broadcast, false, *epoch),
        TraceEvent::Model { server, what } => {
            (*server, Doing::Model(what.turn.stage()?), false, what.number().unwrap_or_default())
        }
        TraceEvent::Note { server, what } => match what {
            Note::ElectionStarted { .. } | Note::StoodDown { .. } => (*server, Doing::Looking, false, Epoch(0)),
            Note::EpochAccepted { epoch } => (*server, Doing::Joining, false, *epoch),
            Note::EpochProposed { epoch, .. } => (*server, Doing::Joining, true, *epoch),
            Note::EpochAgreed { epoch, .. } => (*server, Doing::Syncing, true, *epoch),
            Note::Syncing { .. } => (*server, Doing::Syncing, false, Epoch(0)),
            Note::Established { epoch, .. } => (*server, Doing::Broadcast, true, *epoch),
            _ => return None,
        },
        _ => return None,
    };
    Some((server, Band { from, doing, leads, epoch }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::compare::note::{ModelNote, Turn};

    fn record(event: TraceEvent) -> TraceRecord {
        TraceRecord { at: Instant(5), event_number: 1, event }
    }

    fn started(id: i64) -> TraceRecord {
        record(TraceEvent::Started { server: ServerId(id) })
    }

    fn note(id: i64, what: Note) -> TraceRecord {
        record(TraceEvent::Note { server: ServerId(id), what })
    }

    #[test]
    fn quiet_events_take_little_room_and_places_invert() {
        let mut h = History::default();
        for i in 1..=100 {
            h.executed(i % 10 != 0, &[], i);
        }
        assert!(h.length() < 17.0 && h.length() > 10.0, "{}", h.length());
        for n in [0, 1, 10, 37, 100] {
            assert_eq!(h.event_at(h.place(n)), n);
        }
        h.forget_after(40);
        assert_eq!(h.place(100), h.place(40));
    }

    #[test]
    fn bands_follow_phases_and_are_forgotten_with_their_events() {
        let mut h = History::default();
        h.executed(false, &[started(1)], 1);
        h.executed(false, &[note(1, Note::EpochProposed { epoch: Epoch(2), heard: Vec::new() })], 2);
        h.executed(false, &[note(1, Note::Established { epoch: Epoch(2), by: Vec::new() })], 3);
        let serves = record(TraceEvent::Serving { server: ServerId(1), epoch: Some(Epoch(2)) });
        h.executed(false, &[serves], 4);
        h.executed(false, &[record(TraceEvent::Stopped { server: ServerId(1), unsynced: 0, kept: 0 })], 5);
        let doing =
            |h: &History| h.bands()[&ServerId(1)].iter().map(|b| (b.from, b.doing, b.leads)).collect::<Vec<_>>();
        let all = [
            (1, Doing::Looking, false),
            (2, Doing::Joining, true),
            (3, Doing::Broadcast, true),
            (5, Doing::Down, false),
        ];
        assert_eq!(doing(&h), all);
        h.forget_after(3);
        assert_eq!(doing(&h), all[..3]);
    }

    #[test]
    fn compared_protocols_have_bands_of_their_own_stages() {
        let mut h = History::default();
        let turn = |turn, id: &str| {
            let what = ModelNote { turn, id: id.into(), value: String::new(), by: Vec::new() };
            record(TraceEvent::Model { server: ServerId(1), what })
        };
        for (i, r) in
            [turn(Turn::Begins, "2:1"), turn(Turn::AsksPeers, ""), turn(Turn::DecidesCommit, "")].iter().enumerate()
        {
            h.executed(false, std::slice::from_ref(r), i as u64 + 1);
        }
        h.executed(false, &[turn(Turn::VotesYes, "1:1")], 4);
        h.executed(false, &[turn(Turn::Aborts, "2:1")], 5);
        let seen: Vec<_> = h.bands()[&ServerId(1)].iter().map(|b| (b.from, b.doing, b.epoch)).collect();
        let bound = (4, Doing::Model(Stage::Prepared), Epoch(1));
        let (collecting, committed) = (Doing::Model(Stage::Collecting), Doing::Model(Stage::Committed));
        assert_eq!(seen, [(1, collecting, Epoch(2)), (3, committed, Epoch(2)), bound]);
    }

    #[test]
    fn v7_every_server_of_a_run_goes_through_all_phases() {
        let mut t = crate::timeline::Timeline::new(crate::driver::Driver::free(zebu_core::sim::WorldSpec::default()));
        for _ in 0..400 {
            t.step().unwrap();
        }
        for (server, bands) in t.history().bands() {
            let mut seen: Vec<Doing> = bands.iter().map(|b| b.doing).collect();
            seen.dedup();
            assert_eq!(seen, [Doing::Looking, Doing::Joining, Doing::Syncing, Doing::Broadcast], "server {server}");
            assert!(bands.iter().skip(1).all(|b| b.epoch == Epoch(1)), "{bands:?}");
        }
    }

    #[test]
    fn the_weightiest_record_of_an_event_speaks() {
        let mut h = History::default();
        let lead = record(TraceEvent::Note {
            server: ServerId(3),
            what: Note::Established { epoch: Epoch(1), by: vec![ServerId(1)] },
        });
        let serving = record(TraceEvent::Serving { server: ServerId(3), epoch: None });
        h.executed(false, &[lead.clone(), serving], 1);
        assert_eq!(*h.caption_at(1).unwrap().what, lead.event);
        assert!(h.caption_at(0).is_none());
    }
}
