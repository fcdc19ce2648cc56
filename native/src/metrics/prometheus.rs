//! The text format that Prometheus reads (version 0.0.4), with the names and labels of Apache's provider.

use super::report::{Report, Value};
use super::summary::{Detail, Summary};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What the answer says it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole page: metrics in order of their names, each with its type once.
pub fn page(report: &Report) -> String {
    let mut by_name: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, value) in report.iter() {
        by_name.entry(name).or_default().push(value);
    }
    let mut out = String::new();
    for (name, values) in by_name {
        let name = clean(name);
        let kind = match values.first() {
            Some(Value::Gauge(_) | Value::KeyedGauge(..)) => "gauge",
            Some(Value::Counter(_)) => "counter",
            Some(Value::Summary(_) | Value::Keyed(..)) | None => "summary",
        };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(out, "# HELP {name} {name}\n# TYPE {name} {kind}");
        for value in values {
            match value {
                Value::Gauge(number) => drop(writeln!(out, "{name} {}", float(number.as_f64()))),
                Value::Counter(count) => drop(writeln!(out, "{name} {}", float(*count as f64))),
                Value::Summary(summary) => lines(&mut out, &name, "", summary),
                Value::KeyedGauge(key, number) => {
                    let _ = writeln!(out, "{name}{{key=\"{}\"}} {}", escaped(key), float(number.as_f64()));
                }
                Value::Keyed(key, summary) => lines(&mut out, &name, &format!("key=\"{}\"", escaped(key)), summary),
            }
        }
    }
    out
}

fn lines(out: &mut String, name: &str, label: &str, summary: &Summary) {
    let quantiles: &[_] = match summary.detail() {
        Detail::Basic => &[("0.5", 0.5)],
        Detail::Advanced => &[("0.5", 0.5), ("0.95", 0.95), ("0.99", 0.99)],
    };
    let comma = if label.is_empty() { "" } else { "," };
    for (shown, q) in quantiles {
        let value = summary.quantile(*q).map_or("NaN".to_string(), float);
        let _ = writeln!(out, "{name}{{{label}{comma}quantile=\"{shown}\"}} {value}");
    }
    let labels = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
    let _ = writeln!(out, "{name}_count{labels} {}", float(summary.count() as f64));
    let _ = writeln!(out, "{name}_sum{labels} {}", float(summary.sum()));
}

/// As Java prints a double, which always has a point.
fn float(value: f64) -> String {
    format!("{value:?}")
}

/// Other characters than these may not stand in a name.
fn clean(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | ':') { c } else { '_' }).collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::summary::Keyed;
    use super::*;

    #[test]
    fn the_page() {
        let mut report = Report::default();
        let mut time = Summary::time_in_detail();
        time.add(1500);
        let mut keyed = Keyed::new(Summary::plain());
        keyed.add("a\"b", 2);
        keyed.add("c", 4);
        report.keyed("write_per_namespace", &keyed);
        report.summary("readlatency", &time);
        report.summary("fsynctime", &Summary::time());
        report.gauge("avg_latency", super::super::report::Number::rounded(0.5));
        report.counter("proposal_count", 12);
        report.keyed_gauge("quota_bytes_usage_per_namespace", "q", 8_i64);
        let expected = "\
# HELP avg_latency avg_latency
# TYPE avg_latency gauge
avg_latency 0.5
# HELP fsynctime fsynctime
# TYPE fsynctime summary
fsynctime{quantile=\"0.5\"} NaN
fsynctime_count 0.0
fsynctime_sum 0.0
# HELP proposal_count proposal_count
# TYPE proposal_count counter
proposal_count 12.0
# HELP quota_bytes_usage_per_namespace quota_bytes_usage_per_namespace
# TYPE quota_bytes_usage_per_namespace gauge
quota_bytes_usage_per_namespace{key=\"q\"} 8.0
# HELP readlatency readlatency
# TYPE readlatency summary
readlatency{quantile=\"0.5\"} 1.5
readlatency{quantile=\"0.95\"} 1.5
readlatency{quantile=\"0.99\"} 1.5
readlatency_count 1.0
readlatency_sum 1.5
# HELP write_per_namespace write_per_namespace
# TYPE write_per_namespace summary
write_per_namespace{key=\"a\\\"b\",quantile=\"0.5\"} 2.0
write_per_namespace_count{key=\"a\\\"b\"} 1.0
write_per_namespace_sum{key=\"a\\\"b\"} 2.0
write_per_namespace{key=\"c\",quantile=\"0.5\"} 4.0
write_per_namespace_count{key=\"c\"} 1.0
write_per_namespace_sum{key=\"c\"} 4.0
";
        assert_eq!(page(&report), expected);
    }

    #[test]
    fn names_have_only_what_may_stand_in_them() {
        assert_eq!(clean("op_count_get-data.1"), "op_count_get_data_1");
    }
}
