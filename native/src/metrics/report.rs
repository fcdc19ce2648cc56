//! What the metrics come to at one moment, by Apache's names, and how the two kinds of reader are told.

use super::summary::{Detail, Summary};
use std::borrow::Cow;
use std::fmt;

/// A number as Java prints it: a real one has a decimal point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Whole.
    Int(i64),
    /// With at most four decimals.
    Real(f64),
}

impl Number {
    /// A real number, rounded to the four decimals that Apache tells.
    pub fn rounded(value: f64) -> Number {
        Number::Real((value * 10_000.0).round() / 10_000.0)
    }

    /// The whole part.
    pub fn whole(value: f64) -> Number {
        // Saturates, as `as` does.
        Number::Int(value as i64)
    }

    /// As a floating-point number.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Real(value) => value,
        }
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Number {
        Number::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Number {
        Number::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        Number::Int(value)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(value) => write!(f, "{value}"),
            Number::Real(value) => write!(f, "{value:?}"),
        }
    }
}

impl serde::Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Number::Int(value) => serializer.serialize_i64(*value),
            Number::Real(value) => serializer.serialize_f64(*value),
        }
    }
}

/// What one metric stands at.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number that may rise and fall.
    Gauge(Number),
    /// A number that rises.
    Counter(u64),
    /// A distribution.
    Summary(Box<Summary>),
    /// A distribution of a set of them, with its key.
    Keyed(String, Box<Summary>),
    /// A number of a set of them that may rise and fall, with its key.
    KeyedGauge(String, Number),
}

/// Metrics with Apache's names (without the `zk_` of `mntr`), in no particular order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    metrics: Vec<(Cow<'static, str>, Value)>,
}

impl Report {
    /// Adds a number that may rise and fall.
    pub fn gauge(&mut self, name: &'static str, value: impl Into<Number>) {
        self.metrics.push((name.into(), Value::Gauge(value.into())));
    }

    /// Adds a number that rises.
    pub fn counter(&mut self, name: impl Into<Cow<'static, str>>, value: u64) {
        self.metrics.push((name.into(), Value::Counter(value)));
    }

    /// Adds a distribution.
    pub fn summary(&mut self, name: &'static str, summary: &Summary) {
        self.metrics.push((name.into(), Value::Summary(Box::new(summary.clone()))));
    }

    /// Adds a set of distributions.
    pub fn keyed(&mut self, name: &'static str, set: &super::summary::Keyed) {
        for (key, summary) in set.iter() {
            self.metrics.push((name.into(), Value::Keyed(key.into(), Box::new(summary.clone()))));
        }
    }

    /// Adds a number of a set that may rise and fall.
    pub fn keyed_gauge(&mut self, name: &'static str, key: &str, value: impl Into<Number>) {
        self.metrics.push((name.into(), Value::KeyedGauge(key.into(), value.into())));
    }

    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.metrics.iter().map(|(name, value)| (&**name, value))
    }

    /// The numbers of Apache's own provider, which `mntr` and `monitor` show: a summary becomes several.
    pub fn numbers(&self) -> Vec<(String, Number)> {
        let mut out = Vec::with_capacity(self.metrics.len() * 3);
        for (name, value) in &self.metrics {
            match value {
                Value::Gauge(number) => out.push((name.to_string(), *number)),
                Value::Counter(count) => out.push((name.to_string(), Number::from(*count))),
                Value::Summary(summary) => expand(name, summary, &mut out),
                Value::Keyed(key, summary) => expand(&format!("{key}_{name}"), summary, &mut out),
                Value::KeyedGauge(key, number) => out.push((format!("{key}_{name}"), *number)),
            }
        }
        out
    }
}

/// Times of less than a millisecond count as none in whole numbers, as they do in Apache.
fn expand(name: &str, summary: &Summary, out: &mut Vec<(String, Number)>) {
    out.push((format!("avg_{name}"), Number::rounded(summary.average())));
    out.push((format!("min_{name}"), Number::whole(summary.min())));
    out.push((format!("max_{name}"), Number::whole(summary.max())));
    out.push((format!("cnt_{name}"), Number::from(summary.count())));
    out.push((format!("sum_{name}"), Number::whole(summary.sum())));
    if summary.detail() == Detail::Advanced {
        for (prefix, q) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
            out.push((format!("{prefix}_{name}"), Number::whole(summary.quantile(q).unwrap_or(0.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::Keyed;
    use super::*;

    #[test]
    fn numbers_as_java_prints_them() {
        for (number, shown) in [
            (Number::rounded(0.0), "0.0"),
            (Number::rounded(2.125), "2.125"),
            (Number::rounded(0.135_06), "0.1351"),
            (Number::rounded(12.0), "12.0"),
            (Number::whole(2.9), "2"),
            (Number::from(u64::MAX), "9223372036854775807"),
        ] {
            assert_eq!(number.to_string(), shown);
        }
    }

    #[test]
    fn a_summary_in_mntr() {
        let mut basic = Summary::time();
        let mut advanced = Summary::time_in_detail();
        for us in [1000, 2500] {
            basic.add(us);
            advanced.add(us);
        }
        let mut keyed = Keyed::new(Summary::plain());
        keyed.add("a", 7);
        let mut report = Report::default();
        report.gauge("watch_count", 3_usize);
        report.counter("proposal_count", 9);
        report.summary("fsynctime", &basic);
        report.summary("readlatency", &advanced);
        report.keyed("read_per_namespace", &keyed);
        report.keyed_gauge("quota_count_limit_per_namespace", "q", 3_i64);
        let shown: Vec<_> = report.numbers().into_iter().map(|(name, n)| format!("{name}={n}")).collect();
        let expected = "watch_count=3 proposal_count=9 avg_fsynctime=1.75 min_fsynctime=1 max_fsynctime=2 cnt_fsynctime=2 \
             sum_fsynctime=3 avg_readlatency=1.75 min_readlatency=1 max_readlatency=2 cnt_readlatency=2 sum_readlatency=3 \
             p50_readlatency=1 p95_readlatency=2 p99_readlatency=2 p999_readlatency=2 avg_a_read_per_namespace=7.0 \
             min_a_read_per_namespace=7 max_a_read_per_namespace=7 cnt_a_read_per_namespace=1 \
             sum_a_read_per_namespace=7 q_quota_count_limit_per_namespace=3";
        assert_eq!(shown.join(" "), expected);
    }
}
