//! `cargo xtask test`: every test of the project in stages, cheap ones first.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::count::{self, Count};
use crate::run::{self, Line};
use crate::stage::{Outcome, Stage};
use crate::{cargo, compat, demo, lab, root, setup, target};

/// No stage takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(2400);

/// What a browser may have to load, with gzip.
const LAB_BYTES: usize = 900_000;

/// Seeds of the simulator's sweep, sized for about a minute on two cores.
const SIM_SEEDS: u64 = 10_000;

/// Seeds in which everything that clients are told is compared with a model, for another minute or so.
const MODEL_SEEDS: u64 = 10_000;

/// Seeds within which the simulator has to find that a rule is broken on purpose; it takes less than a hundred.
const BROKEN_SEEDS: u64 = 2_000;

/// The rules that `zebu sim --break` breaks.
const RULES: [&str; 3] = ["commit-without-quorum", "ack-before-sync", "ignore-epoch"];

/// All stages in the order in which they run.
pub const STAGES: &[Stage] = &[
    Stage { name: "fmt", about: "formatting", run: fmt },
    Stage { name: "lab", about: "the lab builds, and is small enough to load", run: lab },
    Stage { name: "clippy", about: "lints of all crates and tests", run: clippy },
    Stage { name: "clippy-wasm", about: "lints of core and lab as the browser's program", run: clippy_wasm },
    Stage { name: "no-std", about: "the core builds where there is no operating system", run: no_std },
    Stage { name: "unit", about: "unit, scenario and property tests", run: unit },
    Stage { name: "doc", about: "examples in the documentation", run: doc },
    Stage { name: "sim", about: "a sweep of the simulator; rules broken on purpose are found", run: sim },
    Stage { name: "kazoo", about: "real server processes with a real client", run: kazoo },
    Stage { name: "clients", about: "clients for node and Rust, each with a script", run: compat::quick_clients },
    Stage { name: "cli_mt", about: "the C client's shell against Apache's transcript", run: compat::quick_shells },
    Stage { name: "kazoo-own", about: "some of kazoo's own tests", run: compat::quick_kazoo },
    Stage { name: "browser", about: "the lab in a real browser", run: browser },
];

fn fmt(line: &Line) -> Result<Outcome> {
    Ok(Outcome::check(run::capture(cargo().args(["fmt", "--all", "--check"]), line, LIMIT)?))
}

fn lab(line: &Line) -> Result<Outcome> {
    let bytes = lab::build_quietly(line)?.gzip_bytes();
    let small = bytes <= LAB_BYTES;
    let output = format!("the lab takes {bytes} bytes with gzip; at most {LAB_BYTES} are allowed");
    Ok(Outcome { count: Count::check(true) + Count::check(small), output })
}

fn clippy(line: &Line) -> Result<Outcome> {
    let mut command = cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    Ok(Outcome::check(run::capture(&mut command, line, LIMIT)?))
}

fn clippy_wasm(line: &Line) -> Result<Outcome> {
    let target = "wasm32-unknown-unknown";
    setup::rust_target(target, line)?;
    let mut command = cargo();
    command.args(["clippy", "-p", "zebu-core", "-p", "zebu-web", "--target", target, "--", "-D", "warnings"]);
    Ok(Outcome::check(run::capture(&mut command, line, LIMIT)?))
}

fn no_std(line: &Line) -> Result<Outcome> {
    let mut all = Outcome { count: Count::default(), output: String::new() };
    for target in ["wasm32v1-none", "thumbv7em-none-eabi"] {
        setup::rust_target(target, line)?;
        let mut command = cargo();
        command.args(["build", "-p", "zebu-core", "--target", target]);
        let one = Outcome::check(run::capture(&mut command, line, LIMIT)?);
        all.count = all.count + one.count;
        all.output.push_str(&one.output);
    }
    Ok(all)
}

fn unit(line: &Line) -> Result<Outcome> {
    let has_nextest = cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let mut command = cargo();
    if has_nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"]);
        return Ok(Outcome::counted(run::capture(&mut command, line, LIMIT)?, count::nextest));
    }
    command.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    Ok(Outcome::counted(run::capture(&mut command, line, LIMIT)?, count::cargo_test))
}

/// Documentation without examples is no failure.
fn doc(line: &Line) -> Result<Outcome> {
    let finished = run::capture(cargo().args(["test", "-p", "zebu-core", "--doc"]), line, LIMIT)?;
    let count = count::cargo_test(&finished.output);
    let count = if finished.status.success() { count } else { Count::of_run(count, false) };
    Ok(Outcome { count, output: finished.output })
}

fn sim(line: &Line) -> Result<Outcome> {
    let zebu = demo::release_binary(line)?;
    let seeds = match std::env::var("ZEBU_SIM_SEEDS") {
        Ok(text) => text.parse().context("ZEBU_SIM_SEEDS is no number")?,
        Err(_) => SIM_SEEDS,
    };
    let sweep = |seeds: u64, more: &[&str]| {
        line.show(&format!("{seeds} seeds {}", more.join(" ")));
        let mut command = Command::new(&zebu);
        command.current_dir(root()).args(["sim", "--seeds", &seeds.to_string()]).args(more);
        run::capture(&mut command, line, LIMIT)
    };
    let mut all = Outcome::check(sweep(seeds, &[])?);
    let model = Outcome::check(sweep(seeds.min(MODEL_SEEDS), &["--model"])?);
    all.count = all.count + model.count;
    all.output.push_str(&model.output);
    for rule in RULES {
        // A check that finds nothing when a rule is broken would be worth nothing.
        let broken = sweep(BROKEN_SEEDS, &["--break", rule])?;
        let found = !broken.status.success() && broken.output.contains("breaks a rule");
        all.count = all.count + Count::check(found);
        if !found {
            all.output.push_str(&format!("\n{rule} is broken on purpose and nothing finds it:\n{}", broken.output));
        }
    }
    Ok(all)
}

fn kazoo(line: &Line) -> Result<Outcome> {
    let zebu = demo::release_binary(line)?;
    let python = setup::python(line)?;
    line.show("servers and clients");
    let mut command = Command::new(python);
    command.current_dir(root().join("native/tests/kazoo"));
    command.args(["-B", "-m", "unittest", "discover", "--verbose", "--pattern", "test_*.py"]);
    command.env("ZEBU", zebu).env("PYTHONUNBUFFERED", "1");
    in_test_dir("kazoo", command, line, count::unittest)
}

fn browser(line: &Line) -> Result<Outcome> {
    lab::build_quietly(line)?;
    let zebu = demo::release_binary(line)?;
    let (chromium, tools) = (setup::chromium(line)?, setup::node_tools(line)?);
    line.show("Chromium");
    let mut command = Command::new("node");
    // One file after the other: each measures how long a page takes to answer.
    command.current_dir(root()).args(["--test", "--test-concurrency=1"]);
    let subjects = ["lab", "scenarios", "proof", "time", "faults", "recipes", "compare", "see", "wrong"];
    command.args(subjects.map(|subject| format!("web/tests/{subject}.test.mjs")));
    command.env("ZEBU_CHROMIUM", chromium).env("ZEBU_NODE_TOOLS", tools).env("ZEBU", zebu);
    in_test_dir("browser", command, line, count::node_test)
}

/// Runs tests that write files, in a folder of their own that stays when some fail.
fn in_test_dir(stage: &str, mut command: Command, line: &Line, read: fn(&str) -> Count) -> Result<Outcome> {
    let dir = target().join("test-data").join(format!("{stage}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    command.env("ZEBU_TEST_DIR", &dir);
    let mut outcome = Outcome::counted(run::capture(&mut command, line, LIMIT)?, read);
    if outcome.count.failed == 0 {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    } else {
        outcome.output.push_str(&format!("\nwhat the tests wrote is in {}\n", dir.display()));
    }
    Ok(outcome)
}
