//! Distributions: how often something was seen, how small, how large, how much in all, and quantiles.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Digits that quantiles are exact to.
const DIGITS: u8 = 2;

/// A set of summaries takes no more keys than so many: they come from clients, and each takes a few kilobytes.
const KEYS_MAX: usize = 256;

/// What was seen, and what it is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Numbers, told as they are.
    Plain,
    /// Times, kept in microseconds and told in milliseconds.
    Time,
}

/// How much Apache tells of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// No quantile in `mntr`, the median in Prometheus.
    Basic,
    /// 50, 95, 99 and 99.9 percent in `mntr`, 50, 95 and 99 in Prometheus.
    Advanced,
}

/// One distribution.
#[derive(Clone, Debug)]
pub struct Summary {
    unit: Unit,
    detail: Detail,
    sum: u64,
    min: u64,
    max: u64,
    values: Histogram<u64>,
}

impl Summary {
    fn new(unit: Unit, detail: Detail) -> Summary {
        // It fails only for precisions above 5 digits.
        let values = Histogram::new(DIGITS).expect("2 digits are possible");
        Summary { unit, detail, sum: 0, min: u64::MAX, max: 0, values }
    }

    /// Of numbers.
    pub fn plain() -> Summary {
        Summary::new(Unit::Plain, Detail::Basic)
    }

    /// Of times.
    pub fn time() -> Summary {
        Summary::new(Unit::Time, Detail::Basic)
    }

    /// Of times, with quantiles.
    pub fn time_in_detail() -> Summary {
        Summary::new(Unit::Time, Detail::Advanced)
    }

    /// A number was seen; of times, microseconds.
    pub fn add(&mut self, value: u64) {
        self.add_times(value, 1);
    }

    /// It was seen so many times.
    pub fn add_times(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // It grows for larger values, and fails only where memory has no number for them.
        let _ = self.values.record_n(value, times);
    }

    /// A time was seen.
    pub fn took(&mut self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Takes over everything that another of the same kind has seen.
    pub fn merge(&mut self, other: &Summary) {
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // It fails only where a histogram may not grow, and these may.
        let _ = self.values.add(&other.values);
    }

    /// How much of it is told.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// How often something was seen.
    pub fn count(&self) -> u64 {
        self.values.len()
    }

    /// All together, in what it is told in.
    pub fn sum(&self) -> f64 {
        self.told(self.sum)
    }

    /// The smallest; 0 if nothing was seen.
    pub fn min(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.told(self.min) }
    }

    /// The largest.
    pub fn max(&self) -> f64 {
        self.told(self.max)
    }

    /// The average; 0 if nothing was seen.
    pub fn average(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.sum() / self.count() as f64 }
    }

    /// The value that the part `q` (0 to 1) does not exceed; `None` if nothing was seen.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        // The histogram knows its values to some digits, the largest is known exactly.
        (self.count() > 0).then(|| self.told(self.values.value_at_quantile(q).clamp(self.min, self.max)))
    }

    fn told(&self, value: u64) -> f64 {
        match self.unit {
            Unit::Plain => value as f64,
            Unit::Time => value as f64 / 1000.0,
        }
    }
}

/// Summaries by key. Keys beyond a bound are not told apart: they are left out.
#[derive(Clone, Debug)]
pub struct Keyed {
    like: Summary,
    by_key: BTreeMap<Box<str>, Summary>,
}

impl Keyed {
    /// No key yet; each will be like `like`, which has seen nothing.
    pub fn new(like: Summary) -> Keyed {
        Keyed { like, by_key: BTreeMap::new() }
    }

    /// A number was seen for `key`.
    pub fn add(&mut self, key: &str, value: u64) {
        if let Some(summary) = self.entry(key) {
            summary.add(value);
        }
    }

    fn entry(&mut self, key: &str) -> Option<&mut Summary> {
        if !self.by_key.contains_key(key) {
            if self.by_key.len() >= KEYS_MAX {
                return None;
            }
            self.by_key.insert(key.into(), self.like.clone());
        }
        self.by_key.get_mut(key)
    }

    /// Takes over everything that another has seen.
    pub fn merge(&mut self, other: &Keyed) {
        for (key, summary) in &other.by_key {
            if let Some(own) = self.entry(key) {
                own.merge(summary);
            }
        }
    }

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Summary)> {
        self.by_key.iter().map(|(key, summary)| (&**key, summary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_times() {
        let mut summary = Summary::time_in_detail();
        assert_eq!((summary.count(), summary.min(), summary.max(), summary.average()), (0, 0.0, 0.0, 0.0));
        assert_eq!(summary.quantile(0.5), None);
        for us in [500, 1500, 4000] {
            summary.took(Duration::from_micros(us));
        }
        assert_eq!((summary.count(), summary.min(), summary.max(), summary.sum()), (3, 0.5, 4.0, 6.0));
        assert_eq!((summary.average(), summary.quantile(1.0)), (2.0, Some(4.0)));
        let median = summary.quantile(0.5).expect("seen");
        assert!((1.485..=1.515).contains(&median), "{median}");
    }

    #[test]
    fn merging_is_as_if_one_had_seen_all() {
        let (mut one, mut other, mut all) = (Summary::plain(), Summary::plain(), Summary::plain());
        for value in 0..1000 {
            if value % 3 == 0 {
                one.add(value)
            } else {
                other.add(value)
            }
            all.add(value);
        }
        one.merge(&other);
        assert_eq!((one.count(), one.sum(), one.min(), one.max()), (1000, all.sum(), 0.0, 999.0));
        assert_eq!((one.quantile(0.5), one.quantile(0.99)), (all.quantile(0.5), all.quantile(0.99)));
    }

    #[test]
    fn keys_are_bounded() {
        let mut keyed = Keyed::new(Summary::plain());
        (0..2 * KEYS_MAX).for_each(|n| keyed.add(&n.to_string(), 1));
        keyed.add("0", 5);
        assert_eq!(keyed.iter().count(), KEYS_MAX);
        assert_eq!(keyed.iter().next().map(|(key, s)| (key, s.sum())), Some(("0", 6.0)));
        let mut other = Keyed::new(Summary::plain());
        other.merge(&keyed);
        assert_eq!(other.iter().count(), KEYS_MAX);
    }
}
