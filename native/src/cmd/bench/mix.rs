//! `zebu bench mix`: getData and setData in any mixture (P1).

use super::error::BenchError;
use super::load::{Kind, Pace, Source, run};
use super::pool::Pool;
use super::progress::Progress;
use super::report::Round;
use super::target::Target;
use super::template::{self, Template};
use super::workload::{self, Loop, Workload};
use bytes::BytesMut;
use std::time::{Duration, Instant};
use zebu_core::rng::Rng;
use zebu_core::wire::client::Request;

/// Reads and writes of a set of znodes.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many of a hundred requests read.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub reads: u32,
    /// Bytes of a znode's data.
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    pub size: usize,
    /// How many znodes there are to choose from.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub znodes: u64,
    #[command(flatten)]
    pub load: Loop,
}

struct Mix {
    get: Template,
    set: Template,
    rng: Rng,
    znodes: u64,
    reads: u32,
}

impl Source for Mix {
    fn next(&mut self, _: usize, xid: i32, out: &mut BytesMut) -> Option<Kind> {
        let reads = self.rng.below(100) < u64::from(self.reads);
        let (kind, template) = if reads { (Kind::Read, &self.get) } else { (Kind::Write, &self.set) };
        template.put(xid, self.rng.below(self.znodes), out);
        Some(kind)
    }
}

impl Workload for Options {
    fn describe(&self) -> String {
        format!("{} % reads, {} znodes of {} bytes; {}", self.reads, self.znodes, self.size, self.load.describe())
    }

    fn prepare(&self, target: &Target, root: &str, progress: &Progress) -> Result<(), BenchError> {
        let data = template::value(self.size, 1);
        let create = Template::numbered(&format!("{root}/"), |path| template::create(path, data));
        workload::each(target, self.znodes, Kind::Create, &create, progress)
    }

    fn round(&self, target: &Target, root: &str, progress: &Progress) -> Result<Round, BenchError> {
        let data = Some(template::value(self.size, 2));
        let mut mix = Mix {
            get: Template::numbered(&format!("{root}/"), |path| Request::GetData { path, watch: false }),
            set: Template::numbered(&format!("{root}/"), |path| Request::SetData { path, data, version: -1 }),
            rng: Rng::new(7),
            znodes: self.znodes,
            reads: self.reads,
        };
        let mut pool = Pool::new()?;
        let load = &self.load;
        pool.open(target, load.connections)?;
        if load.warm_up > 0 {
            let end = Instant::now() + Duration::from_secs(load.warm_up);
            run(&mut pool, load.connections, &mut mix, Pace::Closed(load.in_flight), Some(end), progress)?;
        }
        let cpu = target.processes.cpu_seconds()?;
        let end = Instant::now() + Duration::from_secs(load.duration);
        let tally = run(&mut pool, load.connections, &mut mix, load.pace(), Some(end), progress)?;
        let mut round = Round::default();
        round.add_load(&tally);
        round.add_usage(target, cpu)?;
        workload::close_all(&mut pool, load.connections)?;
        Ok(round)
    }

    fn clean(&self, target: &Target, root: &str, progress: &Progress) -> Result<(), BenchError> {
        let delete = Template::numbered(&format!("{root}/"), |path| Request::Delete { path, version: -1 });
        workload::each(target, self.znodes, Kind::Delete, &delete, progress)
    }
}
