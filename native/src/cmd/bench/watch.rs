//! `zebu bench watch`: many sessions watch one znode; it changes, and all are told (P5).

use super::error::BenchError;
use super::load::histogram;
use super::pool::Pool;
use super::progress::Progress;
use super::report::{Better, Round};
use super::target::{PATIENCE, Target, error_name};
use super::template::Template;
use super::workload::{self, Workload, at_least_one};
use bytes::Bytes;
use std::time::Instant;
use zebu_core::wire::client::{AddWatchMode, Request, xid};

/// Watch events to many sessions at once.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Sessions that watch, spread over the servers.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub watchers: usize,
    /// How often the znode is changed in each turn.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub changes: usize,
    /// Watch by addWatch, persistent and recursive, instead of anew for every change.
    #[arg(long)]
    pub persistent: bool,
}

impl Options {
    fn path(root: &str) -> String {
        format!("{root}/watched")
    }

    /// Sends each watcher's request, and waits for all answers.
    fn arm(&self, pool: &mut Pool, request: &Template) -> Result<(), BenchError> {
        for n in 0..self.watchers {
            let connection = pool.connection(n)?;
            let xid = connection.next_xid();
            request.put(xid, 0, &mut connection.out);
            pool.flush(n)?;
        }
        let mut refused = None;
        wait_for(pool, self.watchers, "watches to be set", &mut |reply_xid, err, _| {
            if err != 0 {
                refused = Some(err);
            }
            reply_xid > 0
        })?;
        match refused {
            Some(code) => {
                let host = format!("connection of {} watchers", self.watchers);
                Err(BenchError::Refused { host, what: "set a watch", error: error_name(code) })
            }
            None => Ok(()),
        }
    }
}

/// Reads until nothing is missing; `counts` says of an xid and an error's code, and when they came, whether they were
/// waited for.
fn wait_for(
    pool: &mut Pool,
    mut missing: usize,
    what: &str,
    counts: &mut dyn FnMut(i32, i32, Instant) -> bool,
) -> Result<(), BenchError> {
    let deadline = Instant::now() + PATIENCE;
    while missing > 0 {
        if Instant::now() > deadline {
            let what = format!("{what}: {missing} are missing");
            return Err(BenchError::Silence { what, seconds: PATIENCE.as_secs() });
        }
        for n in pool.wait(Some(deadline))? {
            let now = Instant::now();
            pool.read(n, &mut |reply| {
                if counts(reply.xid, reply.err, now) {
                    missing = missing.saturating_sub(1);
                }
            })?;
        }
    }
    Ok(())
}

impl Workload for Options {
    fn describe(&self) -> String {
        let how = if self.persistent { "persistent recursive watches" } else { "watches set anew for each change" };
        format!("{} sessions watch a znode that changes {} times; {how}", self.watchers, self.changes)
    }

    fn prepare(&self, target: &Target, root: &str, _: &Progress) -> Result<(), BenchError> {
        let mut session = target.session()?;
        session.ensure(&Options::path(root))?;
        session.close()
    }

    fn round(&self, target: &Target, root: &str, progress: &Progress) -> Result<Round, BenchError> {
        let path = Options::path(root);
        // The last one writes. It does not wait for its answer alone: a server may tell of a change before it answers.
        let writer = self.watchers;
        let mut pool = Pool::new()?;
        pool.open(target, self.watchers + 1)?;
        let get = Template::fixed(&Request::GetData { path: path.clone(), watch: true });
        if self.persistent {
            let mode = AddWatchMode::PersistentRecursive;
            self.arm(&mut pool, &Template::fixed(&Request::AddWatch { path: path.clone(), mode }))?;
        }
        let (mut delays, mut spans) = (histogram(), histogram());
        let cpu = target.processes.cpu_seconds()?;
        let begun = Instant::now();
        let mut events = 0;
        let mut notifying = 0.0;
        for change in 0..self.changes {
            if !self.persistent {
                self.arm(&mut pool, &get)?;
            }
            let data = Some(Bytes::from(change.to_string()));
            let set = Template::fixed(&Request::SetData { path: path.clone(), data, version: -1 });
            let connection = pool.connection(writer)?;
            let set_xid = connection.next_xid();
            set.put(set_xid, 0, &mut connection.out);
            let changed = Instant::now();
            pool.flush(writer)?;
            let (mut came, mut refused) = (Vec::with_capacity(self.watchers), None);
            wait_for(&mut pool, self.watchers + 1, "events", &mut |reply_xid, err, now| {
                if reply_xid == xid::EVENT {
                    came.push(now);
                } else if reply_xid == set_xid && err != 0 {
                    refused = Some(err);
                }
                reply_xid == xid::EVENT || reply_xid == set_xid
            })?;
            if let Some(code) = refused {
                let host = format!("connection {writer}");
                return Err(BenchError::Refused { host, what: "change a znode", error: error_name(code) });
            }
            for at in &came {
                delays.saturating_record(at.duration_since(changed).as_micros() as u64);
            }
            if let (Some(first), Some(last)) = (came.iter().min(), came.iter().max()) {
                spans.saturating_record(last.duration_since(*first).as_micros() as u64);
                notifying += last.duration_since(changed).as_secs_f64();
            }
            events += came.len() as u64;
            progress.tick(Instant::now(), events, begun);
        }
        let mut round = Round { operations: events, ..Round::default() };
        round.add("events", "events/s", events as f64 / notifying.max(1e-9), Better::More);
        for (name, histogram) in [("change to event", &delays), ("first to last event", &spans)] {
            round.add_percentiles(name, histogram);
            for percentile in [50.0, 99.0] {
                let value = histogram.value_at_percentile(percentile) as f64 / 1000.0;
                round.add(format!("{name} p{percentile}"), "ms", value, Better::Less);
            }
        }
        round.add_usage(target, cpu)?;
        workload::close_all(&mut pool, self.watchers + 1)?;
        Ok(round)
    }

    fn clean(&self, target: &Target, root: &str, _: &Progress) -> Result<(), BenchError> {
        let mut session = target.session()?;
        let request = Request::Delete { path: Options::path(root), version: -1 };
        session.must("delete a znode", &request, &[zebu_core::error::ZkError::NoNode])?;
        session.close()
    }
}
