//! What kazoo's tests reported, and how two reports differ.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Passed,
    /// With the last line of what went wrong.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// How each test of a run ended, by its name; written by `native/compat/kazoo/report.py`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report(pub BTreeMap<String, Ending>);

impl Report {
    /// Reads `outcome<TAB>name<TAB>reason` lines below `collected<TAB>number`.
    ///
    /// # Errors
    /// A line is not of this form, or the run ended before all tests had.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let head: Vec<_> = lines.next().unwrap_or_default().split('\t').collect();
        let collected: usize = match head[..] {
            ["collected", number, ..] => number.parse().with_context(|| format!("no number of tests: {number:?}"))?,
            _ => bail!("the run ended before it had collected its tests"),
        };
        let mut endings = BTreeMap::new();
        for line in lines {
            let [outcome, name, reason] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
                bail!("not a line of a report: {line:?}");
            };
            let ending = match outcome {
                "passed" => Ending::Passed,
                "failed" => Ending::Failed(reason.to_owned()),
                "skipped" => Ending::Skipped(reason.to_owned()),
                _ => bail!("not a line of a report: {line:?}"),
            };
            endings.insert(name.to_owned(), ending);
        }
        if endings.len() != collected {
            bail!("the run ended early: {} of {collected} tests have a result", endings.len());
        }
        Ok(Self(endings))
    }

    /// As [`Report::parse`] reads it.
    pub fn text(&self) -> String {
        let mut text = format!("collected\t{}\t\n", self.0.len());
        for (name, ending) in &self.0 {
            let (outcome, reason) = match ending {
                Ending::Passed => ("passed", ""),
                Ending::Failed(reason) => ("failed", reason.as_str()),
                Ending::Skipped(reason) => ("skipped", reason.as_str()),
            };
            text.push_str(&format!("{outcome}\t{name}\t{reason}\n"));
        }
        text
    }

    /// The names of the tests that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.0.iter().filter(|(_, ending)| matches!(ending, Ending::Failed(_)));
        failed.map(|(name, _)| name.as_str()).collect()
    }

    /// How many passed.
    pub fn passed(&self) -> usize {
        self.0.values().filter(|ending| **ending == Ending::Passed).count()
    }

    /// Takes over the endings of a second run of some of the tests.
    pub fn replace(&mut self, second: Report) {
        self.0.extend(second.0);
    }

    /// `N passed, N failed, N skipped of N`.
    pub fn summary(&self) -> String {
        let (all, passed, failed) = (self.0.len(), self.passed(), self.failed().len());
        format!("{passed} passed, {failed} failed, {} skipped of {all}", all - passed - failed)
    }
}

/// Tests that pass at Apache and not at Zebu.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Those the table does not have, with how they ended.
    pub unexpected: Vec<(String, String)>,
    /// Those the table has, with the reason.
    pub expected: Vec<(String, String)>,
    /// Those the table has although they pass at Zebu, or do not pass at Apache either.
    pub stale: Vec<String>,
    /// How many pass at both.
    pub both: u64,
}

/// Compares: everything that passes in `apache` must pass in `zebu` unless the table has it.
pub fn compare(apache: &Report, zebu: &Report, table: &BTreeMap<String, String>) -> Difference {
    let mut difference = Difference::default();
    let mut seen = BTreeSet::new();
    for name in apache.0.iter().filter(|(_, ending)| **ending == Ending::Passed).map(|(name, _)| name) {
        let ended = match zebu.0.get(name) {
            Some(Ending::Passed) => {
                difference.both += 1;
                continue;
            }
            Some(Ending::Failed(reason)) => format!("failed: {reason}"),
            Some(Ending::Skipped(reason)) => format!("skipped: {reason}"),
            None => "did not run".to_owned(),
        };
        match table.get(name) {
            Some(reason) => {
                seen.insert(name);
                difference.expected.push((name.clone(), reason.clone()));
            }
            None => difference.unexpected.push((name.clone(), ended)),
        }
    }
    difference.stale = table.keys().filter(|name| !seen.contains(name)).cloned().collect();
    difference
}

/// Reads the table of expected differences: `test: reason` lines, and remarks that begin with #.
///
/// # Errors
/// A line has no reason.
pub fn table(text: &str) -> Result<BTreeMap<String, String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entry = |line: &str| {
        let (name, reason) = line.split_once(": ").with_context(|| format!("no reason for a difference: {line:?}"))?;
        Ok((name.to_owned(), reason.to_owned()))
    };
    lines.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_a_broken_one_is_not() {
        let report = Report::parse("collected\t3\t\npassed\ta\t\nfailed\tb\tno: x\nskipped\tc\twhy\n").unwrap();
        assert_eq!(report.0["a"], Ending::Passed);
        assert_eq!(report.failed(), ["b"]);
        assert_eq!(Report::parse(&report.text()).unwrap(), report);
        assert_eq!(report.summary(), "1 passed, 1 failed, 1 skipped of 3");
        for broken in
            ["", "passed\ta\t\n", "collected\t2\t\npassed\ta\t\n", "collected\t1\t\nodd\ta\t\n", "collected\t1\t\nx"]
        {
            assert!(Report::parse(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_passes_at_apache_alone_is_a_difference() {
        let apache = "collected\t6\t\npassed\ta\t\npassed\tb\t\npassed\tc\t\nfailed\td\tx\npassed\te\t\npassed\tf\t\n";
        let zebu = "collected\t5\t\npassed\ta\t\nfailed\tb\tno\nskipped\tc\tolder\nfailed\td\tx\nfailed\te\tno\n";
        let table = table("# remark\n\ne: not built\na: was not built\n").unwrap();
        let found = compare(&Report::parse(apache).unwrap(), &Report::parse(zebu).unwrap(), &table);
        let pairs = |list: &[(&str, &str)]| -> Vec<_> {
            list.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect()
        };
        assert_eq!(found.unexpected, pairs(&[("b", "failed: no"), ("c", "skipped: older"), ("f", "did not run")]));
        assert_eq!(found.expected, pairs(&[("e", "not built")]));
        assert_eq!(found.stale, ["a"]);
        assert_eq!(found.both, 1);
    }

    #[test]
    fn a_difference_without_a_reason_is_refused() {
        assert!(table("test_x.py::T::test").is_err());
    }
}
