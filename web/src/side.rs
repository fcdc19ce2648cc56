//! The same crash on five protocols side by side: five runs of scenarios, one clock. No browser in here.

use crate::captions::Weight;
use crate::driver::Driver;
use crate::history::Entry;
use crate::lessons;
use crate::timeline::Timeline;
use zebu_core::compare::{Outcome, SAME_CRASH};
use zebu_core::sim::command::ClientId;
use zebu_core::sim::spec::Protocol;
use zebu_core::time::Instant;
use zebu_core::trace::TraceEvent;

/// Simulated microseconds in a second of show time, while messages fly and while nothing but heartbeats does.
const PACE: (f64, f64) = (14_000.0, 900_000.0);

/// What the clock shows first: everybody has started, and client A is about to write.
const BEGIN: u64 = 3_450_000;

/// The client that asks after the crash.
const SECOND: ClientId = ClientId(1);

/// What both clients write.
const PATH: &str = "/x";

/// One protocol's run.
pub struct Pane {
    /// Its scenario.
    pub name: &'static str,
    /// Its protocol.
    pub protocol: Protocol,
    timeline: Timeline,
    /// The simulated time after each move.
    times: Vec<Instant>,
}

/// How a run stands at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What the picture says.
    pub outcome: Outcome,
    /// When the one in charge died, if it has.
    pub crashed: Option<Instant>,
    /// When the second client got its answer.
    pub answered: Option<Instant>,
}

impl Pane {
    /// The whole run of a scenario, played ahead so that every moment of it can be shown.
    fn new(name: &'static str) -> Option<Pane> {
        let scenario = lessons::find(name)?;
        let protocol = scenario.world.protocol;
        let mut timeline = Timeline::new(Driver::lesson(scenario));
        let mut times = vec![timeline.world().now()];
        while timeline.driver().outcome().is_none() && timeline.step().is_some() {
            times.push(timeline.world().now());
        }
        Some(Pane { name, protocol, timeline, times })
    }

    /// The run at its present moment.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    fn seek(&mut self, at: Instant) -> bool {
        let moment = self.times.partition_point(|t| *t <= at).saturating_sub(1) as u64;
        let moves = moment != self.timeline.moment();
        if moves {
            self.timeline.seek(moment);
        }
        moves
    }

    fn told(&self) -> impl Iterator<Item = &Entry> {
        self.timeline.history().entries().iter()
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        let now = self.timeline.moment();
        let past = |e: &&Entry| e.event <= now;
        let crashed = self.told().filter(past).find(|e| matches!(*e.what, TraceEvent::Stopped { .. })).map(|e| e.at);
        let answer = |e: &&Entry| matches!(&*e.what, TraceEvent::Answered { client, .. } if *client == SECOND);
        Standing {
            outcome: Outcome::of(&self.timeline.world().view(), SECOND, PATH),
            crashed,
            answered: self.told().filter(past).find(answer).map(|e| e.at),
        }
    }
}

/// All panes and their clock.
pub struct Side {
    panes: Vec<Pane>,
    now: f64,
    end: f64,
    playing: bool,
    speed: i8,
}

impl Default for Side {
    fn default() -> Side {
        Side::new()
    }
}

impl Side {
    /// The comparison, just before the crash.
    pub fn new() -> Side {
        let panes: Vec<Pane> = SAME_CRASH.iter().filter_map(|name| Pane::new(name)).collect();
        let end = panes.iter().filter_map(|p| p.times.last()).max().map_or(0.0, |t| t.0 as f64);
        let mut side = Side { panes, now: 0.0, end, playing: true, speed: 0 };
        side.seek(BEGIN as f64);
        side
    }

    /// The panes.
    pub fn panes(&self) -> &[Pane] {
        &self.panes
    }

    /// Simulated microseconds that are shown.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Where the clock stands between the beginning and the end, 0 to 1.
    pub fn place(&self) -> f64 {
        ((self.now - BEGIN as f64) / (self.end - BEGIN as f64).max(1.0)).clamp(0.0, 1.0)
    }

    /// Whether it plays.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Plays or pauses; at the end, from the beginning.
    pub fn toggle(&mut self) {
        self.playing = !self.playing;
        if self.playing && self.now >= self.end {
            self.seek(BEGIN as f64);
        }
    }

    /// The speed as a power of two.
    pub fn speed(&self) -> i8 {
        self.speed
    }

    /// Changes the speed within its limits.
    pub fn faster(&mut self, by: i8) {
        self.speed = self.speed.saturating_add(by).clamp(-2, 4);
    }

    /// All panes to a moment; whether any of them changed.
    pub fn seek(&mut self, now: f64) -> bool {
        self.now = now.clamp(0.0, self.end);
        let at = Instant(self.now as u64);
        self.panes.iter_mut().fold(false, |changed, pane| pane.seek(at) | changed)
    }

    /// To a place between the beginning and the end.
    pub fn seek_place(&mut self, place: f64) -> bool {
        self.playing = false;
        self.seek(BEGIN as f64 + (self.end - BEGIN as f64) * place.clamp(0.0, 1.0))
    }

    /// `dt` seconds of show time pass; whether a pane changed.
    pub fn frame(&mut self, dt: f64) -> bool {
        if !self.playing {
            return false;
        }
        let busy = self.panes.iter().any(|p| p.timeline.is_busy());
        let pace = if busy { PACE.0 } else { PACE.1 };
        let mut to = self.now + dt.min(0.1) * pace * 2f64.powi(i32::from(self.speed));
        // Quiet time is passed quickly, but not over the next thing that is told.
        if !busy && let Some(next) = self.next_told() {
            to = to.min(next.max(self.now + 1.0));
        }
        if to >= self.end {
            self.playing = false;
        }
        self.seek(to)
    }

    fn moments(&self) -> impl Iterator<Item = f64> + '_ {
        let told = self.panes.iter().flat_map(Pane::told).filter(|e| e.weight >= Weight::Step);
        told.map(|e| e.at.0 as f64)
    }

    fn next_told(&self) -> Option<f64> {
        self.moments().filter(|t| *t > self.now).reduce(f64::min)
    }

    /// To the next thing that is told in any of the panes.
    pub fn step(&mut self) -> bool {
        self.playing = false;
        let next = self.next_told().unwrap_or(self.end);
        self.seek(next)
    }

    /// Back to the one before.
    pub fn step_back(&mut self) -> bool {
        self.playing = false;
        let before = self.moments().filter(|t| *t < self.now).reduce(f64::max).unwrap_or(0.0);
        self.seek(before.max(BEGIN as f64))
    }

    /// To the end at once.
    pub fn run_to_end(&mut self) -> bool {
        self.playing = false;
        self.seek(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_runs_have_one_clock_and_go_back_and_forth() {
        let mut side = Side::new();
        assert_eq!(side.panes().len(), 5);
        let digests = |side: &Side| side.panes.iter().map(|p| p.timeline.world().digest()).collect::<Vec<_>>();
        let begin = digests(&side);
        assert!(side.panes.iter().all(|p| p.standing().crashed.is_none()));
        side.run_to_end();
        let end = digests(&side);
        assert!(side.panes.iter().all(|p| p.standing().crashed.is_some()));
        side.seek_place(0.0);
        assert_eq!(digests(&side), begin);
        side.seek_place(1.0);
        assert_eq!(digests(&side), end);
    }

    #[test]
    fn the_table_is_read_off_the_runs() {
        let mut side = Side::new();
        side.run_to_end();
        let of = |name: &str| side.panes.iter().find(|p| p.name == name).map(Pane::standing).unwrap();
        assert!(of("crash-zookeeper").answered > of("crash-zookeeper").crashed);
        assert_eq!(of("crash-2pc").outcome.waiting.len(), 4);
        assert!(of("crash-3pc").outcome.broken.is_some());
        side.seek_place(0.0);
        let standing = side.panes.iter().map(Pane::standing).collect::<Vec<_>>();
        assert!(standing.iter().all(|s| s.answered.is_none() && s.outcome.broken.is_none()));
    }

    #[test]
    fn a_step_goes_to_what_is_told_and_back_again() {
        let mut side = Side::new();
        let begin = side.now();
        side.step();
        let first = side.now();
        side.step();
        assert!(begin < first && first < side.now());
        side.step_back();
        assert_eq!(side.now(), first);
        assert!(!side.is_playing());
        side.toggle();
        for _ in 0..4000 {
            side.frame(0.1);
        }
        assert!(!side.is_playing(), "it stops at the end");
        assert_eq!(side.place(), 1.0);
    }
}
