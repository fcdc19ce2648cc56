//! What all workloads have in common.

use super::error::BenchError;
use super::load::{Kind, Pace, Source, run};
use super::pool::Pool;
use super::progress::Progress;
use super::report::Round;
use super::target::Target;
use super::template::Template;
use bytes::BytesMut;
use std::time::Instant;
use zebu_core::wire::client::Request;

/// Connections, and requests under way on each, for what comes before and after a measurement.
const AROUND: (usize, usize) = (4, 100);

/// One kind of load, as it is asked for.
pub trait Workload {
    /// In words.
    fn describe(&self) -> String;

    /// Makes what it needs below `root`, which is there.
    ///
    /// # Errors
    /// The target does not let it.
    fn prepare(&self, target: &Target, root: &str, progress: &Progress) -> Result<(), BenchError>;

    /// Why it is measured once only, if it is.
    fn only_once(&self) -> Option<&'static str> {
        None
    }

    /// Measures once.
    ///
    /// # Errors
    /// The target breaks off.
    fn round(&self, target: &Target, root: &str, progress: &Progress) -> Result<Round, BenchError>;

    /// Removes what [`Workload::prepare`] has made, and what is left of the rounds.
    ///
    /// # Errors
    /// The target does not let it.
    fn clean(&self, target: &Target, root: &str, progress: &Progress) -> Result<(), BenchError>;
}

/// How a load is kept up.
#[derive(Debug, clap::Args)]
pub struct Loop {
    /// Sessions, spread over the servers.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one)]
    pub connections: usize,
    /// Requests under way on each connection: when one is answered, the next is sent.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub in_flight: usize,
    /// Send so many requests a second instead, on all connections together and whatever is answered. A latency then
    /// counts from when the request was due.
    #[arg(long, value_name = "PER-SECOND", conflicts_with = "in_flight", value_parser = rate)]
    pub rate: Option<f64>,
    /// How long each turn measures.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
    /// How long each turn runs before that.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub warm_up: u64,
}

/// For options that count what there has to be.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "it has to be a number from 1".into())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.01);
    number.ok_or_else(|| "it has to be a number from 0.01".into())
}

impl Loop {
    /// When to send.
    pub fn pace(&self) -> Pace {
        self.rate.map_or(Pace::Closed(self.in_flight), Pace::Open)
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self.rate {
            Some(rate) => format!("{} connections, {rate} requests a second, {} s", self.connections, self.duration),
            None => format!("{} connections x {} in flight, {} s", self.connections, self.in_flight, self.duration),
        }
    }
}

/// The numbers from 0, each once.
struct Numbers<'a> {
    template: &'a Template,
    kind: Kind,
    next: u64,
    end: u64,
}

impl Source for Numbers<'_> {
    fn next(&mut self, _: usize, xid: i32, out: &mut BytesMut) -> Option<Kind> {
        self.template.put(xid, self.next, out);
        self.next += 1;
        Some(self.kind)
    }

    fn is_done(&self, _: usize) -> bool {
        self.next >= self.end
    }
}

/// Sends a template once for each number below `count`. All must be done, except that a create may find what an earlier
/// benchmark has left, and a delete nothing.
///
/// # Errors
/// One is refused.
pub fn each(
    target: &Target,
    count: u64,
    kind: Kind,
    template: &Template,
    progress: &Progress,
) -> Result<(), BenchError> {
    use zebu_core::error::ZkError;
    let (connections, in_flight) = AROUND;
    let mut pool = Pool::new()?;
    pool.open(target, connections)?;
    let mut numbers = Numbers { template, kind, next: 0, end: count };
    let mut tally = run(&mut pool, connections, &mut numbers, Pace::Closed(in_flight), None, progress)?;
    tally.errors.remove(&if kind == Kind::Create { ZkError::NodeExists } else { ZkError::NoNode }.code());
    tally.all_well(&target.name, kind.name())?;
    close_all(&mut pool, connections)
}

/// As [`each`], measured, with so many connections.
///
/// # Errors
/// The target breaks off.
pub fn measured(
    target: &Target,
    count: u64,
    (kind, template): (Kind, &Template),
    load: (usize, usize),
    progress: &Progress,
) -> Result<super::load::Tally, BenchError> {
    let (connections, in_flight) = load;
    let mut pool = Pool::new()?;
    pool.open(target, connections)?;
    let mut numbers = Numbers { template, kind, next: 0, end: count };
    let tally = run(&mut pool, connections, &mut numbers, Pace::Closed(in_flight), None, progress)?;
    close_all(&mut pool, connections)?;
    Ok(tally)
}

/// Ends the sessions, and waits until they are.
///
/// # Errors
/// A connection breaks before it is.
pub fn close_all(pool: &mut Pool, connections: usize) -> Result<(), BenchError> {
    let close = Template::fixed(&Request::CloseSession);
    let mut open: Vec<_> = (0..connections).filter(|n| pool.session(*n).is_some()).collect();
    for n in &open {
        let connection = pool.connection(*n)?;
        let xid = connection.next_xid();
        close.put(xid, 0, &mut connection.out);
        pool.flush(*n)?;
    }
    let deadline = Instant::now() + super::target::PATIENCE;
    while !open.is_empty() && Instant::now() < deadline {
        for n in pool.wait(Some(deadline))? {
            let mut is_closed = false;
            pool.read(n, &mut |reply| is_closed |= reply.xid > 0)?;
            if is_closed {
                pool.end(n);
                open.retain(|other| *other != n);
            }
        }
    }
    Ok(())
}
