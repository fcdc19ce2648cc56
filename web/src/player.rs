//! Two clocks. Simulated time belongs to the world; show time to whoever watches. Between two moves the head travels
//! from one simulated instant to the next, so that messages glide; how long that takes depends on what is to be seen,
//! not on how long it lasted: a turn of the protocol gets its moment, quiet time is skipped.

use crate::captions::{Weight, weight};
use crate::timeline::{Happened, Timeline};
use zebu_core::time::Instant;

/// Seconds of show time that a message takes from server to server, at speed 1.
const FLIGHT: f64 = 0.95;

/// The longest that the show waits while messages fly (a slow link).
const LONGEST: f64 = 1.6;

/// The longest that the show waits while nothing but heartbeats happens.
const QUIET: f64 = 0.3;

/// Show time for the head to catch up after a single step.
const CATCH_UP: f64 = 0.28;

/// The slowest speed, as a power of two.
pub const SLOWEST: i8 = -6;

/// The fastest.
pub const FASTEST: i8 = 6;

/// On the way from one move to the next.
#[derive(Clone, Copy, Debug)]
struct Gap {
    from: f64,
    to: f64,
    show: f64,
    gone: f64,
}

/// Play, pause, speed, and where the show stands.
#[derive(Clone, Debug)]
pub struct Player {
    playing: bool,
    speed: i8,
    gap: Option<Gap>,
    /// Simulated microseconds that the stage shows.
    head: f64,
    /// After a step: where the head comes from, and the show time gone.
    glide: Option<(f64, f64)>,
    /// The weight of what happened last, which the show has to honour.
    held: f64,
    /// Simulated microseconds skipped in the current quiet time.
    skipped: u64,
}

/// What a frame brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Moves made.
    pub moves: usize,
    /// A passage of the scenario began: the show has paused for it.
    pub chapter: bool,
    /// Nothing will ever happen without a command.
    pub rests: bool,
}

impl Player {
    /// A player at the beginning of a run.
    pub fn new(playing: bool) -> Player {
        Player { playing, speed: 0, gap: None, head: 0.0, glide: None, held: 0.0, skipped: 0 }
    }

    /// Whether it plays.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Speed as a power of two.
    pub fn speed(&self) -> i8 {
        self.speed
    }

    /// Speed as text: `×2`, `×1/4`.
    pub fn speed_text(&self) -> String {
        speed_text(self.speed)
    }

    /// Simulated microseconds skipped in this quiet time, if that is worth telling.
    pub fn skipped(&self) -> Option<u64> {
        (self.playing && self.skipped > 400_000).then_some(self.skipped)
    }

    /// Plays or pauses.
    pub fn set_playing(&mut self, playing: bool) {
        self.playing = playing;
        self.skipped = 0;
    }

    /// Sets the speed, within its limits.
    pub fn set_speed(&mut self, speed: i8) {
        self.speed = speed.clamp(SLOWEST, FASTEST);
    }

    /// The simulated instant to draw, in microseconds.
    pub fn head(&self) -> f64 {
        match self.glide {
            Some((from, gone)) => {
                let share = (gone / CATCH_UP).clamp(0.0, 1.0);
                from + (self.head - from) * (1.0 - (1.0 - share) * (1.0 - share))
            }
            None => self.head,
        }
    }

    /// Takes note that the run stands somewhere else now: no gliding, no waiting.
    pub fn jumped(&mut self, timeline: &Timeline) {
        self.gap = None;
        self.glide = None;
        self.held = 0.0;
        self.skipped = 0;
        self.head = micros(timeline.world().now());
    }

    /// Takes note of a command: what is under way may be due at another time now.
    pub fn disturbed(&mut self, held: f64) {
        self.gap = None;
        self.held = held;
    }

    /// One move at once.
    pub fn step(&mut self, timeline: &mut Timeline) -> Option<Happened> {
        let from = self.head();
        let happened = timeline.step()?;
        self.jumped(timeline);
        self.glide = Some((from, 0.0));
        Some(happened)
    }

    /// `dt` seconds of show time pass. At most `limit` moves are made, so that a page stays alive at any speed.
    pub fn frame(&mut self, timeline: &mut Timeline, dt: f64, limit: usize) -> Frame {
        let mut frame = Frame::default();
        if let Some((_, gone)) = &mut self.glide {
            *gone += dt;
            if *gone >= CATCH_UP {
                self.glide = None;
            }
        }
        if !self.playing {
            return frame;
        }
        let mut left = dt.min(0.1) * 2f64.powi(i32::from(self.speed));
        while frame.moves < limit {
            let gap = match &mut self.gap {
                Some(gap) => gap,
                None => {
                    let Some(gap) = self.next_gap(timeline) else {
                        frame.rests = true;
                        return frame;
                    };
                    self.gap.insert(gap)
                }
            };
            if gap.gone + left < gap.show {
                gap.gone += left;
                self.head = gap.from + (gap.to - gap.from) * (gap.gone / gap.show);
                return frame;
            }
            left -= gap.show - gap.gone;
            self.head = gap.to;
            self.gap = None;
            let Some(happened) = timeline.step() else {
                frame.rests = true;
                return frame;
            };
            frame.moves += 1;
            self.head = self.head.max(micros(timeline.world().now()));
            self.held = heaviest(&happened).seconds();
            if self.held > 0.0 || timeline.is_busy() {
                self.skipped = 0;
            }
            if happened.moved.chapter {
                frame.chapter = true;
                self.playing = false;
                return frame;
            }
        }
        frame
    }

    fn next_gap(&mut self, timeline: &Timeline) -> Option<Gap> {
        let world = timeline.world();
        // Where nothing will happen by itself, a scenario may still press something.
        let waits = || timeline.driver().scenario().is_some() && timeline.driver().outcome().is_none();
        let to = micros(world.next_event_time().or_else(|| waits().then(|| world.now()))?);
        let from = self.head.max(micros(world.now())).min(to);
        let latency = world.spec().latency;
        let nominal = (latency.min_us.saturating_add(latency.max_us) / 2).max(1) as f64;
        let scaled = (to - from) / nominal * FLIGHT;
        let flow = if timeline.is_busy() { scaled.min(LONGEST) } else { (scaled * 0.4).min(QUIET) };
        if !timeline.is_busy() && scaled > QUIET * 2.0 {
            self.skipped += (to - from) as u64;
        }
        Some(Gap { from, to, show: flow.max(self.held), gone: 0.0 })
    }
}

/// A speed that is a power of two, as text: `×2`, `×1/4`.
pub fn speed_text(speed: i8) -> String {
    let n = 1u64 << speed.unsigned_abs().min(63);
    if speed < 0 { format!("×1/{n}") } else { format!("×{n}") }
}

fn heaviest(happened: &Happened) -> Weight {
    happened.records.iter().map(|r| weight(&r.event)).max().unwrap_or(Weight::Quiet)
}

fn micros(at: Instant) -> f64 {
    at.0 as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Driver;
    use zebu_core::sim::WorldSpec;

    fn fresh() -> (Player, Timeline) {
        (Player::new(true), Timeline::new(Driver::free(WorldSpec::default())))
    }

    /// Plays `seconds` of show time in frames; returns the moves.
    fn play(player: &mut Player, timeline: &mut Timeline, seconds: f64) -> usize {
        let mut moves = 0;
        for _ in 0..(seconds * 60.0) as usize {
            moves += player.frame(timeline, 1.0 / 60.0, 60).moves;
        }
        moves
    }

    #[test]
    fn an_important_event_stays_on_the_screen() {
        let (mut player, mut timeline) = fresh();
        let mut seen: Vec<(Weight, f64)> = Vec::new();
        let mut clock = 0.0;
        while clock < 30.0 {
            let before = timeline.history().entries().len();
            player.frame(&mut timeline, 1.0 / 60.0, 60);
            clock += 1.0 / 60.0;
            for e in &timeline.history().entries()[before..] {
                if e.weight >= Weight::Turn && seen.last().is_none_or(|(_, t)| *t != clock) {
                    seen.push((e.weight, clock));
                }
            }
        }
        assert!(seen.len() >= 4, "{seen:?}");
        for pair in seen.windows(2) {
            assert!(pair[1].1 - pair[0].1 >= 0.58, "{pair:?}");
        }
    }

    #[test]
    fn t6_the_order_of_events_is_the_same_at_all_speeds() {
        let mut ends = Vec::new();
        for speed in [-6, -2, 0, 4, 6] {
            let (mut player, mut timeline) = fresh();
            player.set_speed(speed);
            while timeline.moment() < 200 {
                player.frame(&mut timeline, 0.1, 60);
            }
            timeline.seek(200);
            ends.push(timeline.world().digest());
        }
        assert_eq!(ends[0], ends[1]);
        assert_eq!(ends[1], ends[2]);
    }

    #[test]
    fn t1_a_paused_show_stands_still() {
        let (mut player, mut timeline) = fresh();
        play(&mut player, &mut timeline, 3.0);
        player.set_playing(false);
        let (head, moment) = (player.head(), timeline.moment());
        assert_eq!(play(&mut player, &mut timeline, 5.0), 0);
        assert_eq!((player.head(), timeline.moment()), (head, moment));
    }

    #[test]
    fn t7_quiet_time_is_skipped() {
        let (mut player, mut timeline) = fresh();
        player.set_speed(4);
        play(&mut player, &mut timeline, 12.0);
        player.set_speed(0);
        let before = timeline.world().now();
        play(&mut player, &mut timeline, 10.0);
        let passed = timeline.world().now().since(before).as_secs_f64();
        assert!(passed > 1.5, "an idle ensemble passes {passed} s in 10 s of show");
    }

    #[test]
    fn the_head_never_goes_back_and_never_passes_the_next_event() {
        let (mut player, mut timeline) = fresh();
        let mut last = 0.0;
        for _ in 0..1200 {
            player.frame(&mut timeline, 1.0 / 60.0, 60);
            assert!(player.head() >= last);
            last = player.head();
            if let Some(next) = timeline.world().next_event_time() {
                assert!(last <= micros(next) + 1.0);
            }
        }
    }

    #[test]
    fn t6_speeds_have_limits_and_names() {
        let mut player = Player::new(false);
        let name = |p: &mut Player, s: i8| {
            p.set_speed(s);
            p.speed_text()
        };
        assert_eq!(
            [
                name(&mut player, -99),
                name(&mut player, -2),
                name(&mut player, 0),
                name(&mut player, 4),
                name(&mut player, 99)
            ],
            ["×1/64", "×1/4", "×1", "×16", "×64"]
        );
    }

    #[test]
    fn a_step_glides_and_arrives() {
        let (mut player, mut timeline) = fresh();
        player.set_playing(false);
        for _ in 0..20 {
            player.step(&mut timeline);
        }
        play(&mut player, &mut timeline, 0.5);
        assert_eq!(player.head(), micros(timeline.world().now()));
    }
}
