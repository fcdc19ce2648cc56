//! `zebu sim` and `zebu scenario` as a person starts them.

use std::path::Path;
use std::process::{Command, Output};

fn zebu(args: &[&str]) -> (bool, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_zebu")).args(args).output().expect("zebu starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.success(), text(stdout), text(stderr))
}

#[test]
fn a_sweep_without_a_violation_succeeds_and_tells_its_rate() {
    let (ok, out, err) = zebu(&["sim", "--seeds", "4", "--from", "40", "--servers", "3"]);
    assert!(ok, "{out}{err}");
    assert!(out.contains("4 seeds in ") && out.contains("times real time"), "{out}");
    assert!(out.contains("no rule was broken"), "{out}");
}

#[test]
fn a_sweep_with_the_model_says_how_much_it_compared() {
    let (ok, out, err) = zebu(&["sim", "--seeds", "3", "--model"]);
    assert!(ok, "{out}{err}");
    assert!(out.contains("compared with the model: ") && out.contains(" watch events"), "{out}");
}

#[test]
fn a_violation_names_the_rule_and_the_command_it_prints_shows_it_again() {
    for (more, rule) in [
        (&["ack-before-sync"][..], "what a server acknowledges is durable on its disk"),
        (&["old-quorum-only", "--reconfig"], "what is committed is durable on a majority"),
    ] {
        let (ok, out, _) = zebu(&[&["sim", "--seeds", "50", "--from", "7", "--break"], more].concat());
        assert!(!ok, "{out}");
        assert!(out.contains(&format!("breaks a rule: {rule}")), "{out}");
        let replay = out.lines().last().expect("a last line").trim();
        let args: Vec<&str> = replay.strip_prefix("zebu ").expect("a zebu command").split(' ').collect();
        assert!(args.contains(&"--trace"), "{replay}");
        let (ok, out, _) = zebu(&args);
        assert!(!ok);
        let broken = out.lines().position(|line| line.contains("RULE BROKEN")).expect("the trace shows the violation");
        assert!(broken > 10, "{out}");
    }
}

#[test]
fn a_single_seed_says_what_came_of_it() {
    let (ok, out, err) = zebu(&["sim", "--seed", "9"]);
    assert!(ok && out.starts_with("seed 9: no rule broken in "), "{out}{err}");
}

#[test]
fn wrong_options_are_refused_with_a_reason() {
    for (args, reason) in [
        (&["sim", "--servers", "12"][..], "12 is not in 1..=9"),
        (&["sim", "--break", "everything"], "possible values: commit-without-quorum, ack-before-sync, ignore-epoch"),
        (&["sim", "--break", "old-quorum-only"], "--break old-quorum-only needs --reconfig"),
        (&["sim", "--trace"], "--seed <SEED>"),
        (&["sim", "--seeds", "many"], "invalid value 'many' for '--seeds <N>'"),
        (
            &["scenario", "run", "no-such-thing"],
            "there is no file no-such-thing and no scenario of that name; there are:",
        ),
        (&["scenario", "run", "Cargo.toml"], "Cargo.toml is not a scenario"),
    ] {
        let (ok, _, err) = zebu(args);
        assert!(!ok && err.contains(reason), "{args:?}: {err}");
    }
}

#[test]
fn scenarios_are_listed_and_played_by_name_or_file() {
    let (ok, out, _) = zebu(&["scenario", "list"]);
    assert!(ok && out.lines().count() >= 8, "{out}");
    assert!(out.lines().any(|l| l.starts_with("leader-crash ") && l.ends_with("The leader crashes")), "{out}");
    let (ok, by_name, err) = zebu(&["scenario", "run", "leader-crash"]);
    assert!(ok, "{by_name}{err}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../static/scenarios/leader-crash.json");
    let (_, by_file, _) = zebu(&["scenario", "run", file.to_str().expect("a path")]);
    assert_eq!(by_name, by_file);
    let (_, traced, _) = zebu(&["scenario", "run", "leader-crash", "--trace"]);
    assert!(traced.contains("server 4 leads epoch 2"), "{traced}");
}

#[test]
fn a_scenario_that_goes_otherwise_fails_and_names_the_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hope.json");
    let text = r#"{"name":"hope","title":{"en":"t","zh":"t"},"world":{"servers":3},"steps":[
        {"do":{"run":{"ms":2000}}}, {"do":{"expect":{"leader":{"epoch":7}}}}]}"#;
    std::fs::write(&file, text).expect("written");
    let (ok, _, err) = zebu(&["scenario", "run", file.to_str().expect("a path")]);
    assert!(!ok);
    assert!(err.contains("scenario hope, step 2 (expect somebody leads in epoch 7): does not hold"), "{err}");
}
