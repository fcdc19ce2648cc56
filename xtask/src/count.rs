//! Reads how many tests passed and failed from what the test runners print.

use std::fmt;
use std::ops::Add;

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl Count {
    /// One check that has no tests inside, such as a linter's.
    pub fn check(passed: bool) -> Self {
        if passed { Self { passed: 1, failed: 0 } } else { Self { passed: 0, failed: 1 } }
    }

    /// What a runner printed, corrected by its exit: a run that failed has at least one failure, and one that ran no
    /// test has failed, because then nothing was tested.
    pub fn of_run(printed: Self, succeeded: bool) -> Self {
        let nothing_ran = printed == Self::default();
        let failed = if succeeded && !nothing_ran { printed.failed } else { printed.failed.max(1) };
        Self { failed, ..printed }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed", self.passed)?;
        if self.failed > 0 { write!(f, ", {} FAILED", self.failed) } else { Ok(()) }
    }
}

/// `cargo test`: one `test result: ok. 5 passed; 0 failed; …` for each binary.
pub fn cargo_test(output: &str) -> Count {
    let results = output.lines().filter_map(|line| line.trim().strip_prefix("test result: "));
    results.fold(Count::default(), |sum, line| {
        let words: Vec<_> = line.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        sum + Count { passed: before(&words, "passed"), failed: before(&words, "failed") }
    })
}

/// `cargo nextest run`: `Summary [  0.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 0 skipped`.
pub fn nextest(output: &str) -> Count {
    let Some(line) = output.lines().rev().find(|line| line.trim().starts_with("Summary [")) else {
        return Count::default();
    };
    let words: Vec<_> = line.split([' ', ',', '(', ')', '/']).filter(|word| !word.is_empty()).collect();
    let failed = before(&words, "failed") + before(&words, "timed") + before(&words, "exec");
    Count { passed: before(&words, "passed"), failed }
}

/// Python's unittest: `Ran 12 tests in 3.4s`, and `FAILED (failures=1, errors=2, skipped=1)` when some failed.
pub fn unittest(output: &str) -> Count {
    let ran =
        output.lines().rev().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok()).unwrap_or(0);
    let last = output.lines().rev().find(|line| line.starts_with("OK") || line.starts_with("FAILED")).unwrap_or("");
    let field = |name: &str| -> u64 {
        let parts = last.split(['(', ')', ',', ' ']).filter_map(|part| part.split_once('='));
        parts.filter(|(key, _)| *key == name).filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    };
    let failed = field("failures") + field("errors") + field("successes");
    Count { passed: u64::saturating_sub(ran, failed + field("skipped")), failed }
}

/// Node's runner: `ℹ pass 3` and `ℹ fail 0`, with another sign in front in its other formats.
pub fn node_test(output: &str) -> Count {
    let field = |name: &str| -> u64 {
        let lines = output.lines().rev().filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            (words.next() == Some(name)).then(|| words.next()?.parse::<u64>().ok()).flatten()
        });
        lines.take(1).sum()
    };
    Count { passed: field("pass"), failed: field("fail") + field("cancelled") }
}

/// The project's own scripts: `3 passed, 1 failed` alone on the last line.
pub fn closing_line(output: &str) -> Count {
    let last = output.lines().rev().find(|line| line.ends_with(" failed") && line.contains(" passed, "));
    let words: Vec<_> = last.unwrap_or_default().split([' ', ',']).filter(|word| !word.is_empty()).collect();
    Count { passed: before(&words, "passed"), failed: before(&words, "failed") }
}

/// The number in front of a word.
fn before(words: &[&str], word: &str) -> u64 {
    words.windows(2).filter(|pair| pair[1] == word).filter_map(|pair| pair[0].parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runners_closing_lines_are_read() {
        let cargo = "test a ... ok\ntest result: ok. 5 passed; 0 failed; 1 ignored; 0 measured\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured";
        let nextest_output =
            "     Summary [   0.004s] 6 tests run: 3 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        let nextest_stopped = "     Summary [   0.004s] 3/6 tests run: 2 passed, 1 failed, 4 skipped";
        let python_ok = "Ran 4 tests in 1.5s\n\nOK (skipped=1)";
        let python_failed = "Ran 5 tests in 1.5s\n\nFAILED (failures=1, errors=2)";
        let node = "ℹ tests 4\nℹ suites 1\nℹ pass 3\nℹ fail 1\nℹ cancelled 0";
        type Reader = fn(&str) -> Count;
        let cases: [(Reader, &str, u64, u64); 9] = [
            (cargo_test, cargo, 7, 1),
            (nextest, nextest_output, 3, 3),
            (nextest, nextest_stopped, 2, 1),
            (nextest, "error: could not compile", 0, 0),
            (unittest, python_ok, 3, 0),
            (unittest, python_failed, 2, 3),
            (node_test, node, 3, 1),
            (closing_line, "what differs\n12 passed, 3 failed\n", 12, 3),
            (node_test, "# pass 2\n# fail 0", 2, 0),
        ];
        for (read, output, passed, failed) in cases {
            assert_eq!(read(output), Count { passed, failed }, "{output}");
        }
    }

    #[test]
    fn a_run_that_failed_or_ran_nothing_has_a_failure() {
        let some = Count { passed: 3, failed: 0 };
        assert_eq!(Count::of_run(some, true), some);
        assert_eq!(Count::of_run(some, false).failed, 1);
        assert_eq!(Count::of_run(Count::default(), true).failed, 1);
        assert_eq!(Count::of_run(Count { passed: 1, failed: 2 }, false).failed, 2);
    }
}
