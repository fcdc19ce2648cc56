//! What was measured: one target's rounds, and how two targets compare.

use super::error::BenchError;
use super::load::{Kind, Tally};
use super::target::{Target, error_name};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use zebu_core::rng::Rng;

/// Resamples for an interval.
const RESAMPLES: usize = 10_000;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The more the better.
    More,
    /// The less the better.
    Less,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// What.
    pub name: String,
    /// In what.
    pub unit: &'static str,
    /// How much.
    pub value: f64,
    /// Which way is better.
    pub better: Better,
}

/// What one turn came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Round {
    /// The figures, most important first.
    pub metrics: Vec<Metric>,
    /// Answered requests.
    pub operations: u64,
    /// Errors, by name.
    pub errors: BTreeMap<String, u64>,
    /// Latencies in milliseconds by percentile, for each kind of request.
    pub latency_ms: BTreeMap<&'static str, Vec<(f64, f64)>>,
}

/// The percentiles of the report.
const PERCENTILES: [f64; 7] = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];

impl Round {
    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, unit: &'static str, value: f64, better: Better) {
        self.metrics.push(Metric { name: name.into(), unit, value, better });
    }

    /// Adds a load's throughput, errors and latencies.
    pub fn add_load(&mut self, tally: &Tally) {
        let seconds = tally.took.as_secs_f64().max(1e-9);
        self.operations += tally.count();
        self.add("throughput", "ops/s", tally.count() as f64 / seconds, Better::More);
        for (kind, histogram) in &tally.latency {
            self.add_latency(*kind, histogram);
        }
        for (code, count) in &tally.errors {
            *self.errors.entry(error_name(*code)).or_insert(0) += count;
        }
        if tally.unsent > 0 {
            self.errors.insert("not sent in time".into(), tally.unsent);
        }
    }

    fn add_latency(&mut self, kind: Kind, histogram: &Histogram<u64>) {
        let name = kind.name();
        self.add_percentiles(name, histogram);
        for percentile in [50.0, 99.0, 99.9] {
            let value = histogram.value_at_percentile(percentile) as f64 / 1000.0;
            self.add(format!("{name} p{percentile}"), "ms", value, Better::Less);
        }
        self.add(format!("{name} max"), "ms", histogram.max() as f64 / 1000.0, Better::Less);
    }

    /// Keeps the percentiles of microseconds.
    pub fn add_percentiles(&mut self, name: &'static str, histogram: &Histogram<u64>) {
        let at = |percentile: f64| (percentile, histogram.value_at_percentile(percentile) as f64 / 1000.0);
        self.latency_ms.insert(name, PERCENTILES.map(at).to_vec());
    }

    /// Adds what the servers used for it, if their processes are known.
    ///
    /// # Errors
    /// One of them is gone.
    pub fn add_usage(&mut self, target: &Target, cpu_before: f64) -> Result<(), BenchError> {
        if target.processes.pids.is_empty() {
            return Ok(());
        }
        let cpu = target.processes.cpu_seconds()? - cpu_before;
        self.add("server CPU", "µs/op", cpu * 1e6 / (self.operations.max(1) as f64), Better::Less);
        let resident = target.processes.resident()?;
        let mean = resident.iter().sum::<u64>() as f64 / resident.len() as f64;
        self.add("server memory", "MB", mean / 1e6, Better::Less);
        Ok(())
    }
}

/// A target and its rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Its servers.
    pub servers: Vec<String>,
    /// In the order in which they ran.
    pub rounds: Vec<Round>,
}

/// How two targets compare in one figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Which figure.
    pub name: String,
    /// The first target's figure by the second's: the median over the rounds, each with its own pair.
    pub median: f64,
    /// The lower end of the 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// All there is to tell.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The workload, in words.
    pub workload: String,
    /// The targets.
    pub targets: Vec<Measured>,
    /// The first by the second, if there are two.
    pub ratios: Vec<Ratio>,
    /// Share of one core that this program used.
    pub generator_cpu: f64,
}

impl Report {
    /// Compares what was measured, if that is of two.
    pub fn new(workload: String, targets: Vec<Measured>, generator_cpu: f64) -> Report {
        let ratios = match &targets[..] {
            [one, other] => ratios(&one.rounds, &other.rounds),
            _ => Vec::new(),
        };
        Report { workload, targets, ratios, generator_cpu }
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n", self.workload);
        let rows = self.targets.first().and_then(|target| target.rounds.first()).map_or(&[][..], |r| &r.metrics);
        let named = |rows: &[Metric]| rows.iter().map(|m| format!("{}, {}", m.name, m.unit)).collect::<Vec<_>>();
        let names = named(rows);
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut head = format!("{:width$}", "");
        for target in &self.targets {
            let _ = write!(head, "  {:>12}", target.name.chars().take(12).collect::<String>());
        }
        if !self.ratios.is_empty() {
            head.push_str("   ratio   95 % interval");
        }
        let _ = writeln!(text, "{}", head.trim_end());
        for (metric, name) in rows.iter().zip(&names) {
            let _ = write!(text, "{name:width$}");
            for target in &self.targets {
                let value = median(&mut values(&target.rounds, &metric.name));
                let _ = write!(text, "  {:>12}", value.map_or("-".into(), figure));
            }
            if let Some(ratio) = self.ratios.iter().find(|ratio| ratio.name == metric.name) {
                let _ = write!(text, "  {:>6.2}   {:.2} to {:.2}", ratio.median, ratio.low, ratio.high);
            }
            text.push('\n');
        }
        let rounds = self.targets.first().map_or(0, |target| target.rounds.len());
        let _ = write!(text, "rounds: {rounds}; this program used {:.0} % of a core", 100.0 * self.generator_cpu);
        for target in &self.targets {
            let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
            for (name, count) in target.rounds.iter().flat_map(|round| &round.errors) {
                *errors.entry(name).or_insert(0) += count;
            }
            for (name, count) in errors {
                let _ = write!(text, "\n{}: {count} times: {name}", target.name);
            }
        }
        text
    }

    /// Writes it as JSON; `-` is standard output.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write_json(&self, path: &Path) -> Result<(), BenchError> {
        let failed = |source| BenchError::Report { path: path.into(), source };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))? + "\n";
        if path == Path::new("-") {
            return std::io::stdout().write_all(text.as_bytes()).map_err(failed);
        }
        std::fs::write(path, text).map_err(failed)
    }
}

fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn values(rounds: &[Round], name: &str) -> Vec<f64> {
    rounds.iter().filter_map(|round| round.metrics.iter().find(|m| m.name == name)).map(|m| m.value).collect()
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => values.get(middle).copied(),
        _ => Some((values.get(middle - 1)? + values.get(middle)?) / 2.0),
    }
}

/// For each figure that both have: the median of the paired ratios, with a bootstrap interval.
fn ratios(one: &[Round], other: &[Round]) -> Vec<Ratio> {
    let names = one.first().map_or(&[][..], |round| &round.metrics).iter().map(|metric| &metric.name);
    let ratio = |name: &String| {
        let pairs = values(one, name).into_iter().zip(values(other, name));
        let mut ratios: Vec<_> = pairs.filter(|(_, b)| *b != 0.0).map(|(a, b)| a / b).collect();
        let median = median(&mut ratios)?;
        let (low, high) = interval(&ratios);
        Some(Ratio { name: name.clone(), median, low, high })
    };
    names.filter_map(ratio).collect()
}

/// The middle 95 % of the medians of resampled ratios. The same figures always give the same interval.
fn interval(ratios: &[f64]) -> (f64, f64) {
    let mut rng = Rng::new(1);
    let mut medians: Vec<_> = (0..RESAMPLES)
        .filter_map(|_| {
            let mut sample: Vec<_> = ratios.iter().filter_map(|_| rng.pick(ratios).copied()).collect();
            median(&mut sample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians.get((medians.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    (at(0.025), at(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, throughputs: &[f64]) -> Measured {
        let round = |value: &f64| {
            let mut round = Round::default();
            round.add("throughput", "ops/s", *value, Better::More);
            round
        };
        Measured { name: name.into(), servers: Vec::new(), rounds: throughputs.iter().map(round).collect() }
    }

    #[test]
    fn ratios_are_of_pairs() {
        // The machine becomes slower: each pair still says three times.
        let (one, other) = (measured("a", &[300.0, 240.0, 30.0]), measured("b", &[100.0, 80.0, 10.0]));
        let report = Report::new("test".into(), vec![one, other], 0.5);
        assert_eq!(report.ratios, [Ratio { name: "throughput".into(), median: 3.0, low: 3.0, high: 3.0 }]);
        let table = report.table();
        assert!(table.contains("throughput, ops/s") && table.contains("3.00 to 3.00"), "{table}");
        let json = serde_json::to_value(&report).expect("JSON");
        assert_eq!(
            (&json["ratios"][0]["median"], &json["targets"][1]["rounds"][2]["metrics"][0]["value"]),
            (&3.0.into(), &10.0.into())
        );
    }

    #[test]
    fn medians_and_intervals() {
        for (values, expected) in
            [(&[][..], None), (&[2.0], Some(2.0)), (&[9.0, 1.0, 2.0], Some(2.0)), (&[1.0, 4.0], Some(2.5))]
        {
            assert_eq!(median(&mut values.to_vec()), expected);
        }
        let (low, high) = interval(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((1.0..3.0).contains(&low) && (3.0..=5.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn figures_for_people() {
        for (value, expected) in
            [(0.123, "0.12"), (12.34, "12.3"), (999.0, "999.0"), (1234.0, "1,234"), (1_234_567.8, "1,234,568")]
        {
            assert_eq!(figure(value), expected);
        }
    }
}
