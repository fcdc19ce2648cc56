//! Keeps requests under way on a pool's connections: a closed loop sends the next one when one is answered, an open
//! loop by the clock. There a request's latency counts from when it should have been sent, so that a server that falls
//! behind can't make its own requests rarer.

use super::error::BenchError;
use super::pool::Pool;
use super::progress::Progress;
use super::target::{PATIENCE, error_name};
use bytes::BytesMut;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use zebu_core::wire::client::xid;

/// An open loop has no more than this under way on a connection; what is due waits, and its latency grows.
const OPEN_MAX: usize = 1000;

/// What a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// getData.
    Read,
    /// setData.
    Write,
    /// create.
    Create,
    /// delete.
    Delete,
}

impl Kind {
    /// In the report.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Create => "create",
            Kind::Delete => "delete",
        }
    }
}

/// Says what is sent.
pub trait Source {
    /// The next request of a connection: appends it and says what it is. `None` if there is none now; it is asked again
    /// when something is answered there.
    fn next(&mut self, connection: usize, xid: i32, out: &mut BytesMut) -> Option<Kind>;

    /// Whether a connection has sent all it ever will.
    fn is_done(&self, connection: usize) -> bool {
        let _ = connection;
        false
    }

    /// A request of a connection is answered.
    fn answered(&mut self, connection: usize, kind: Kind) {
        let _ = (connection, kind);
    }
}

/// When to send.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many under way on each connection.
    Closed(usize),
    /// So many a second on all connections together.
    Open(f64),
}

/// What came of a load.
#[derive(Debug)]
pub struct Tally {
    /// Latencies in microseconds, by kind.
    pub latency: BTreeMap<Kind, Histogram<u64>>,
    /// Errors by their code.
    pub errors: BTreeMap<i32, u64>,
    /// From the first request to the last answer.
    pub took: Duration,
    /// What an open loop should have sent and could not.
    pub unsent: u64,
}

impl Tally {
    fn new() -> Tally {
        Tally { latency: BTreeMap::new(), errors: BTreeMap::new(), took: Duration::ZERO, unsent: 0 }
    }

    /// Answered requests of all kinds.
    pub fn count(&self) -> u64 {
        self.latency.values().map(Histogram::len).sum::<u64>().saturating_sub(self.unsent)
    }

    /// Fails if anything was refused: for what is not measured.
    ///
    /// # Errors
    /// The first of the refusals.
    pub fn all_well(&self, host: &str, what: &'static str) -> Result<(), BenchError> {
        match self.errors.keys().next() {
            Some(code) => Err(BenchError::Refused { host: host.into(), what, error: error_name(*code) }),
            None => Ok(()),
        }
    }

    fn record(&mut self, kind: Kind, took: Duration) {
        let histogram = self.latency.entry(kind).or_insert_with(histogram);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        histogram.saturating_record(micros.max(1));
    }
}

/// One for latencies in microseconds, up to an hour, to three digits.
pub fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 3_600_000_000, 3) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are fixed and allowed"),
    }
}

/// A connection's requests that are not answered, and when the next is due in an open loop.
#[derive(Debug)]
struct Lane {
    under_way: VecDeque<(i32, Kind, Instant)>,
    due: Instant,
}

/// Runs `source` on all of a pool's first `connections` until `end`, or until it has nothing more; then waits for the
/// answers that are still missing.
///
/// # Errors
/// A connection breaks, or answers do not come.
pub fn run(
    pool: &mut Pool,
    connections: usize,
    source: &mut impl Source,
    pace: Pace,
    end: Option<Instant>,
    progress: &Progress,
) -> Result<Tally, BenchError> {
    let begun = Instant::now();
    let interval = match pace {
        Pace::Closed(_) => Duration::ZERO,
        Pace::Open(rate) => Duration::from_secs_f64(connections as f64 / rate),
    };
    let lane = |n: usize| Lane {
        under_way: VecDeque::new(),
        // Evenly spread over the first interval.
        due: begun + interval.mul_f64(n as f64 / connections as f64),
    };
    let mut lanes: Vec<_> = (0..connections).map(lane).collect();
    let mut tally = Tally::new();
    for (n, lane) in lanes.iter_mut().enumerate() {
        send(pool, n, lane, source, pace, interval, end)?;
    }
    let mut heard = begun;
    loop {
        let now = Instant::now();
        let is_finished = |n: usize, lane: &Lane| source.is_done(n) || lane.is_finished(pace, end, now);
        if lanes.iter().enumerate().all(|(n, lane)| lane.under_way.is_empty() && is_finished(n, lane)) {
            break;
        }
        let due = match pace {
            Pace::Closed(_) => None,
            // One that has its most under way waits for answers, not for the clock.
            Pace::Open(_) => {
                let sending =
                    lanes.iter().enumerate().filter(|(n, lane)| !is_finished(*n, lane) && lane.has_room(pace));
                sending.map(|(_, lane)| lane.due).min()
            }
        };
        let readable = pool.wait(due)?;
        let now = Instant::now();
        for n in readable {
            let Some(lane) = lanes.get_mut(n) else { continue };
            let mut wrong = None;
            pool.read(n, &mut |reply| {
                if reply.xid == xid::EVENT {
                    return;
                }
                match lane.under_way.pop_front() {
                    Some((expected, kind, since)) if expected == reply.xid => {
                        tally.record(kind, now.saturating_duration_since(since));
                        if reply.err != 0 {
                            *tally.errors.entry(reply.err).or_insert(0) += 1;
                        }
                        source.answered(n, kind);
                    }
                    _ => wrong = Some(reply.xid),
                }
            })?;
            heard = now;
            if let Some(xid) = wrong {
                let why = format!("an answer to request {xid}, which is not the one whose turn it is");
                return Err(BenchError::Broke { host: format!("connection {n}"), why });
            }
            send(pool, n, lane, source, pace, interval, end)?;
        }
        if matches!(pace, Pace::Open(_)) {
            for (n, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.due <= now) {
                send(pool, n, lane, source, pace, interval, end)?;
            }
            // As long again as the whole load was meant to last: the rate is far beyond what can be done.
            if let Some(end) = end
                && now > end + end.saturating_duration_since(begun)
            {
                for (n, lane) in lanes.iter_mut().enumerate() {
                    give_up(n, lane, source, (interval, end), now, &mut tally);
                }
            }
        }
        if now.saturating_duration_since(heard) > PATIENCE && lanes.iter().any(|lane| !lane.under_way.is_empty()) {
            let seconds = PATIENCE.as_secs();
            return Err(BenchError::Silence { what: "an answer under load".into(), seconds });
        }
        progress.tick(now, tally.count(), begun);
    }
    tally.took = begun.elapsed();
    Ok(tally)
}

impl Lane {
    /// Whether nothing more is to be sent: an open loop still owes what was due before the end.
    fn is_finished(&self, pace: Pace, end: Option<Instant>, now: Instant) -> bool {
        match pace {
            Pace::Closed(_) => end.is_some_and(|end| now >= end),
            Pace::Open(_) => end.is_some_and(|end| self.due >= end),
        }
    }

    fn has_room(&self, pace: Pace) -> bool {
        match pace {
            Pace::Closed(depth) => self.under_way.len() < depth,
            Pace::Open(_) => self.under_way.len() < OPEN_MAX,
        }
    }
}

/// What was due and is not sent any more. It counts with the time that it has waited already: without it, a server would
/// look the better the further it is behind.
fn give_up(
    n: usize,
    lane: &mut Lane,
    source: &mut impl Source,
    (interval, end): (Duration, Instant),
    now: Instant,
    tally: &mut Tally,
) {
    let mut unsent = BytesMut::new();
    while lane.due < end && !source.is_done(n) {
        unsent.clear();
        let Some(kind) = source.next(n, 0, &mut unsent) else { break };
        tally.record(kind, now.saturating_duration_since(lane.due));
        tally.unsent += 1;
        lane.due += interval;
    }
    lane.due = lane.due.max(end);
}

/// Sends on one connection what may be sent now, in one write.
fn send(
    pool: &mut Pool,
    n: usize,
    lane: &mut Lane,
    source: &mut impl Source,
    pace: Pace,
    interval: Duration,
    end: Option<Instant>,
) -> Result<(), BenchError> {
    let now = Instant::now();
    let connection = pool.connection(n)?;
    let before = connection.out.len();
    while lane.has_room(pace) && !source.is_done(n) && !lane.is_finished(pace, end, now) {
        let since = match pace {
            Pace::Closed(_) => now,
            Pace::Open(_) if lane.due > now => break,
            Pace::Open(_) => lane.due,
        };
        let xid = connection.next_xid();
        let Some(kind) = source.next(n, xid, &mut connection.out) else { break };
        lane.under_way.push_back((xid, kind, since));
        lane.due += interval;
    }
    if connection.out.len() > before { pool.flush(n) } else { Ok(()) }
}
