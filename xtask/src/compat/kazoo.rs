//! kazoo's own tests, from its source distribution, at Apache's servers and at Zebu's.
//!
//! kazoo's harness starts its servers itself, by calling `java`. At Zebu another `java` stands first on the PATH
//! (`native/compat/kazoo/bin/java`), which becomes `zebu serve`; kazoo's code is run as it was published.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::report::{self, Report};
use super::{LIMIT, clear, test_dir, zebu};
use crate::count::Count;
use crate::demo;
use crate::run::{self, Line};
use crate::stage::Outcome;
use crate::{read_text, root, setup, target};

/// What its own CI gives one test at most, with room for a machine that has other work, in seconds.
const TEST_LIMIT: u32 = 180;

/// Its tests that say most about a server in little time: every operation, access lists, TLS, watches, queues.
const QUICK: [&str; 4] = ["test_cache.py", "test_client.py", "test_counter.py", "test_queue.py"];

/// Who is in the ensemble, for kazoo's harness.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// The first server that observes; -1 for none.
    first_observer: i32,
}

const VOTERS: Shape = Shape { name: "voters", first_observer: -1 };
const OBSERVER: Shape = Shape { name: "observer", first_observer: 3 };

/// Whose servers it runs at.
enum System<'a> {
    Apache(&'a setup::Apache),
    Zebu(&'a Path),
}

/// All its tests at three voters.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn voters(line: &Line) -> Result<Outcome> {
    compared(VOTERS, line)
}

/// All its tests at two voters and an observer.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn observer(line: &Line) -> Result<Outcome> {
    compared(OBSERVER, line)
}

/// Some of its tests at three of Zebu's servers. The yardstick is left out: all of kazoo's tests pass at Apache but those
/// that are skipped there, so all must pass but what the table of differences lists.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn quick(line: &Line) -> Result<Outcome> {
    let zebu = demo::release_binary(line)?;
    let suite = Suite::set_up(line)?;
    let dir = test_dir("kazoo-own")?;
    let tests: Vec<_> = QUICK.iter().map(|file| format!("kazoo/tests/{file}")).collect();
    let (report, output) = suite.run(&System::Zebu(&zebu), VOTERS, &tests, &dir, line)?;
    let table = differences()?;
    let failed = report.failed().into_iter().filter(|name| !table.contains_key(*name)).count() as u64;
    let count = Count { passed: report.passed() as u64, failed };
    let mut outcome = Outcome { count: Count::of_run(count, failed == 0), output };
    clear(&dir, &mut outcome)?;
    Ok(outcome)
}

/// The tests that may end otherwise than at Apache, each with the reason.
fn differences() -> Result<BTreeMap<String, String>> {
    report::table(&read_text(&root().join("native/compat/kazoo/differences.txt"))?)
}

fn compared(shape: Shape, line: &Line) -> Result<Outcome> {
    let apache = setup::apache(line)?;
    let zebu = zebu(line)?;
    let suite = Suite::set_up(line)?;
    let dir = test_dir("kazoo-suite")?;
    let yardstick = suite.yardstick(&apache, shape, &dir, line)?;
    let found = suite.run_with_second_try(&System::Zebu(&zebu), shape, &dir, line)?;
    let difference = report::compare(&yardstick, &found, &differences()?);

    let mut output = format!("Apache {}: {}\nZebu: {}\n", apache.version, yardstick.summary(), found.summary());
    for (name, how) in &difference.unexpected {
        output.push_str(&format!("passes at Apache, not at Zebu: {name}: {how}\n"));
    }
    for (name, reason) in &difference.expected {
        output.push_str(&format!("expected to differ: {name}: {reason}\n"));
    }
    for name in &difference.stale {
        output.push_str(&format!("differences.txt lists {name}, which does not differ: take it out\n"));
    }
    let failed = (difference.unexpected.len() + difference.stale.len()) as u64;
    let mut outcome = Outcome { count: Count::of_run(Count { passed: difference.both, failed }, failed == 0), output };
    clear(&dir, &mut outcome)?;
    if outcome.count.failed == 0 {
        // Otherwise it is shown as what went wrong.
        println!("{}", outcome.output.trim_end());
    }
    Ok(outcome)
}

/// kazoo's source distribution, unpacked, and the Python that runs its tests.
struct Suite {
    version: String,
    source: PathBuf,
    python: PathBuf,
}

impl Suite {
    /// Fetches what is not there yet; the version is the one that Zebu's own tests use.
    fn set_up(line: &Line) -> Result<Self> {
        let wanted = read_text(&root().join("native/tests/kazoo/requirements.txt"))?;
        let version = wanted
            .lines()
            .find_map(|line| line.trim().strip_prefix("kazoo=="))
            .context("native/tests/kazoo/requirements.txt names no kazoo==VERSION")?
            .to_owned();
        let python = setup::python_with(
            "kazoo-suite",
            "native/compat/kazoo/requirements.txt",
            Some("native/compat/kazoo/requirements-alone.txt"),
            line,
        )?;
        let home = target().join("test-tools/kazoo-source");
        let source = home.join(format!("kazoo-{version}"));
        if !source.join("kazoo/tests/test_client.py").is_file() {
            line.show("pip download kazoo");
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            pip.args(["--no-binary", ":all:", "--dest"]).arg(&home).arg(format!("kazoo=={version}"));
            run::must(&mut pip, line, LIMIT)?;
            let archive = home.join(format!("kazoo-{version}.tar.gz"));
            run::must(Command::new("tar").arg("-C").arg(&home).arg("-xzf").arg(archive), line, LIMIT)?;
        }
        Ok(Self { version, source, python })
    }

    /// How the tests end at Apache. That is measured once for each version and kept under `target/`.
    fn yardstick(&self, apache: &setup::Apache, shape: Shape, dir: &Path, line: &Line) -> Result<Report> {
        let name = format!("kazoo-{}-at-apache-{}-{}.tsv", self.version, apache.version, shape.name);
        let kept = target().join("test-tools").join(name);
        if let Ok(text) = fs::read_to_string(&kept) {
            return Report::parse(&text).with_context(|| format!("{}: remove it", kept.display()));
        }
        let report = self.run_with_second_try(&System::Apache(apache), shape, dir, line)?;
        fs::write(&kept, report.text()).with_context(|| format!("cannot write {}", kept.display()))?;
        Ok(report)
    }

    /// Runs all tests, then once more, alone, those that failed: some of kazoo's wait for a fixed short time only,
    /// which on a busy machine may pass at any server. Those that needed it are named.
    fn run_with_second_try(&self, system: &System<'_>, shape: Shape, dir: &Path, line: &Line) -> Result<Report> {
        let (mut report, output) = self.run(system, shape, &["kazoo/tests".to_owned()], dir, line)?;
        let failed: Vec<_> = report.failed().iter().map(|name| format!("kazoo/tests/{name}")).collect();
        if failed.is_empty() {
            return Ok(report);
        }
        fs::write(dir.join("first-run.log"), output)?;
        let (second, output) = self.run(system, shape, &failed, dir, line)?;
        fs::write(dir.join("second-run.log"), output)?;
        for name in second.0.keys().filter(|name| !second.failed().contains(&name.as_str())) {
            println!("needed a second try at {}: {name}", system.name());
        }
        report.replace(second);
        Ok(report)
    }

    /// Runs these tests; how each ended, and what pytest printed.
    fn run(
        &self,
        system: &System<'_>,
        shape: Shape,
        tests: &[String],
        dir: &Path,
        line: &Line,
    ) -> Result<(Report, String)> {
        let here = root().join("native/compat/kazoo");
        let written = dir.join("report.tsv");
        let mut command = Command::new(&self.python);
        command.current_dir(&self.source);
        command.args(["-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", "report", "-v", "-W", "ignore"]);
        command.arg(format!("--timeout={TEST_LIMIT}"));
        // Stops by itself with a margin, so that the servers it started are ended.
        command.arg(format!("--session-timeout={}", LIMIT.as_secs() - 300));
        command.args(tests);
        command.env("PYTHONPATH", &here).env("COMPAT_REPORT", &written).env("TMPDIR", dir);
        command.env("ZOOKEEPER_VERSION", "3.8.0").env_remove("CI");
        command.env("ZOOKEEPER_OBSERVER_START_ID", shape.first_observer.to_string());
        command.env("ZOOKEEPER_PORT_OFFSET", free_ports()?.to_string());
        match system {
            System::Apache(apache) => {
                command.env("ZOOKEEPER_CLASSPATH", &apache.class_path);
            }
            System::Zebu(program) => {
                let before = [here.join("bin"), self.python.parent().unwrap_or(&here).to_owned()];
                let path = std::env::var_os("PATH").unwrap_or_default();
                let path = std::env::join_paths(before.into_iter().chain(std::env::split_paths(&path)))?;
                command.env("PATH", path).env("ZEBU", program);
                command.env("ZOOKEEPER_CLASSPATH", "none");
            }
        }
        line.show(&format!("kazoo's tests at {}", system.name()));
        let finished = run::capture(&mut command, line, LIMIT)?;
        let text = fs::read_to_string(&written).unwrap_or_default();
        match Report::parse(&text) {
            Ok(report) => Ok((report, finished.output)),
            Err(error) => bail!("{}\n{error:#}", finished.output.trim_end()),
        }
    }
}

/// The first of so many ports that nobody listens on now, below those that systems give out by themselves. Runs at the
/// same time begin to look in different places.
fn free_ports() -> Result<u16> {
    const PORTS: u16 = 100;
    const PLACES: u16 = 120;
    let begin = (std::process::id() % u32::from(PLACES)) as u16;
    (0..PLACES)
        .map(|n| 18_000 + (begin + n) % PLACES * PORTS)
        .find(|first| (*first..first + PORTS).all(|port| TcpListener::bind(("0.0.0.0", port)).is_ok()))
        .context("there are no 100 free ports in a row from 18000 to 29999")
}

impl System<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Apache(_) => "Apache",
            Self::Zebu(_) => "Zebu",
        }
    }
}
