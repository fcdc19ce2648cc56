//! `zebu bench memory`: what znodes take up, and how fast they are created (P9).

use super::error::BenchError;
use super::load::Kind;
use super::progress::Progress;
use super::report::{Better, Round};
use super::target::Target;
use super::template::{self, Template};
use super::workload::{self, Workload, at_least_one};
use std::time::Duration;
use zebu_core::wire::client::Request;

/// How long servers have to come to rest before their memory is looked at.
const REST: Duration = Duration::from_secs(3);

/// Many znodes.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many are created.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..1_000_000_000))]
    pub znodes: u64,
    /// Bytes of a znode's data.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub size: usize,
    /// Sessions that create, spread over the servers.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    pub connections: usize,
    /// Creates under way on each.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub in_flight: usize,
    /// Leave the znodes there.
    #[arg(long)]
    pub keep: bool,
}

impl Workload for Options {
    fn describe(&self) -> String {
        format!("{} znodes of {} bytes", self.znodes, self.size)
    }

    fn prepare(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }

    fn only_once(&self) -> Option<&'static str> {
        Some("a server that has been given znodes once uses that memory again, even if they are gone")
    }

    fn round(&self, target: &Target, root: &str, progress: &Progress) -> Result<Round, BenchError> {
        let before = target.processes.resident()?;
        let cpu = target.processes.cpu_seconds()?;
        let data = template::value(self.size, 4);
        let create = Template::numbered(&format!("{root}/m"), |path| template::create(path, data));
        let load = (self.connections, self.in_flight);
        let tally = workload::measured(target, self.znodes, (Kind::Create, &create), load, progress)?;
        tally.all_well(&target.name, "create")?;
        std::thread::sleep(REST);
        let mut round = Round::default();
        round.add_load(&tally);
        round.add_usage(target, cpu)?;
        let after = target.processes.resident()?;
        if !after.is_empty() {
            let grown: f64 = after.iter().zip(&before).map(|(now, then)| *now as f64 - *then as f64).sum();
            let each = grown / after.len() as f64 / self.znodes as f64;
            round.add("resident memory of a znode", "bytes", each, Better::Less);
        }
        if !self.keep {
            self.delete(target, root, progress)?;
        }
        Ok(round)
    }

    fn clean(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }
}

impl Options {
    fn delete(&self, target: &Target, root: &str, progress: &Progress) -> Result<(), BenchError> {
        let delete = Template::numbered(&format!("{root}/m"), |path| Request::Delete { path, version: -1 });
        workload::each(target, self.znodes, Kind::Delete, &delete, progress)
    }
}
