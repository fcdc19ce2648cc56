//! Every scenario of `static/scenarios` goes as it is written, twice the same way, and its trace has the digest of
//! the golden file (which the browser's build is compared with too). `UPDATE_GOLDEN=1` writes that file anew.

use std::fs;
use std::path::{Path, PathBuf};

use zebu_core::id::ServerId;
use zebu_core::scenario::{Player, Scenario, Step, Text, What};
use zebu_core::sim::command::Command;
use zebu_core::sim::{World, WorldSpec};

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn scenarios() -> Vec<Scenario> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder("../static/scenarios")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &PathBuf| -> Scenario {
        let scenario: Scenario = serde_json::from_slice(&fs::read(path).unwrap())
            .unwrap_or_else(|e| panic!("{} is not a scenario: {e}", path.display()));
        assert_eq!(
            Some(scenario.name.as_str()),
            path.file_stem().and_then(|s| s.to_str()),
            "a file has its scenario's name"
        );
        scenario
    };
    files.iter().filter(|p| p.extension().is_some_and(|e| e == "json")).map(read).collect()
}

/// Plays to the end; the trace's digest.
fn play(scenario: &Scenario) -> Result<u64, String> {
    let mut player = Player::new(scenario.clone());
    player.run_to_end().map_err(|e| {
        let tail: Vec<String> = player.trace().iter().rev().take(40).map(ToString::to_string).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        let broken = player.world().violated().map(|(rule, why)| format!("\n{rule}: {why}"));
        format!("{e}\n{tail}\n{}{}", player.world().summary(), broken.unwrap_or_default())
    })?;
    match player.world().violated() {
        Some((rule, why)) if !scenario.breaks_a_rule() => Err(format!("{}: {rule}: {why}", scenario.name)),
        _ => Ok(player.trace_digest()),
    }
}

#[test]
fn every_scenario_goes_as_written() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 8, "only {} scenarios", scenarios.len());
    let mut lines = String::new();
    let mut failed = Vec::new();
    for scenario in &scenarios {
        match (play(scenario), play(scenario)) {
            (Ok(once), Ok(again)) => {
                assert_eq!(once, again, "{} does not repeat itself", scenario.name);
                lines.push_str(&format!("{} {once:016x}\n", scenario.name));
            }
            (Err(why), _) | (_, Err(why)) => failed.push(why),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let golden = folder("tests/golden/scenarios.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &lines).unwrap();
    }
    assert_eq!(fs::read_to_string(&golden).unwrap_or_default(), lines, "UPDATE_GOLDEN=1 writes the golden file anew");
}

#[test]
fn a_scenario_survives_writing_and_reading() {
    for scenario in scenarios() {
        let text = serde_json::to_string(&scenario).unwrap();
        assert_eq!(serde_json::from_str::<Scenario>(&text).unwrap(), scenario);
    }
}

#[test]
fn both_languages_are_there() {
    for scenario in scenarios() {
        let notes = scenario.steps.iter().filter_map(|s| s.note.as_ref());
        for text in [&scenario.title, &scenario.about].into_iter().chain(notes) {
            assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}: {text:?}", scenario.name);
        }
    }
}

/// What is wrong with a scenario is said with the step it is in.
#[test]
fn wrong_scenarios_name_the_step() {
    let with = |steps: &str| {
        let text = format!(r#"{{"name":"t","title":{{"en":"t","zh":"t"}},"world":{{"servers":3}},"steps":[{steps}]}}"#);
        match serde_json::from_str::<Scenario>(&text) {
            Ok(scenario) => Player::new(scenario).run_to_end().unwrap_err().to_string(),
            Err(e) => e.to_string(),
        }
    };
    for (steps, wanted) in [
        (r#"{"do":{"run":{"ms":10}}},{"do":{"press":{"kill":9}}}"#, "step 2 (kill 9): \"9\" means no server"),
        (r#"{"do":{"press":{"kill":"leader"}}}"#, "step 1 (kill leader): \"leader\" means no server at this moment"),
        (r#"{"do":{"press":{"kill":"$x"}}}"#, "no server is remembered as $x"),
        (r#"{"do":{"press":{"kill":"boss"}}}"#, "\"boss\" names no servers"),
        (r#"{"do":{"press":{"ask":{"client":"A","line":"get /a"}}}}"#, "there is no client A"),
        (r#"{"do":{"press":{"ask":{"client":"a","line":"get /a"}}}}"#, "\"a\" is not a client"),
        (
            r#"{"do":{"press":{"connect":{"client":"A","server":1}}}},{"do":{"press":{"ask":{"client":"A","line":"gets /a"}}}}"#,
            "step 2 (client A asks: gets /a): there is no operation \"gets\"",
        ),
        (
            r#"{"do":{"until":{"condition":{"leader":{"epoch":9}},"within_ms":500}}}"#,
            "step 1 (until somebody leads in epoch 9, within 500 ms): did not come within 500 ms",
        ),
        (r#"{"do":{"expect":{"committed":{"at":"all","zxid":"12"}}}}"#, "\"12\" is not a zxid"),
        (r#"{"do":{"expect":"agreed"}}"#, "step 1 (expect all running servers serve"),
        (r#"{"do":{"jump":{}}}"#, "unknown variant `jump`"),
    ] {
        let said = with(steps);
        assert!(said.contains(wanted), "{steps}\nsaid: {said}\nwanted: {wanted}");
    }
}

/// Time travel is exact: a checkpoint, some events, back to the checkpoint and forward again end in the same state.
#[test]
fn a_step_back_and_forward_gives_the_same_state() {
    let scenario = scenarios().into_iter().find(|s| s.name == "leader-crash").unwrap();
    let mut player = Player::new(scenario);
    let mut checkpoints = 0;
    loop {
        let checkpoint = player.clone();
        let digest = checkpoint.world().digest();
        let done = (0..60).any(|_| player.advance().unwrap() == zebu_core::scenario::Progress::Finished);
        let after = player.world().digest();
        assert_eq!(checkpoint.world().digest(), digest, "the checkpoint has moved");
        let mut again = checkpoint.clone();
        while again.world().events() < player.world().events() || again.position() < player.position() {
            again.advance().unwrap();
        }
        assert_eq!(again.world().digest(), after);
        checkpoints += 1;
        if done {
            break;
        }
    }
    assert!(checkpoints > 3);
}

#[test]
fn a_recorded_run_replays_to_the_same_digest() {
    let mut world = World::new(WorldSpec::default());
    let presses = [(100, Command::Kill { server: ServerId(2) }), (350, Command::HealAll)];
    let mut steps = Vec::new();
    let mut done = 0;
    for (at, command) in presses {
        (done..at).for_each(|_| assert!(world.step().is_some()));
        world.command(&command).unwrap();
        for what in [What::Events(at - done), What::Give(command)] {
            steps.push(Step { note: None, predict: None, textbook: None, what });
        }
        done = at;
    }
    let scenario = Scenario {
        name: "mine".into(),
        title: Text::default(),
        about: Text::default(),
        world: WorldSpec::default(),
        challenge: None,
        steps,
    };
    let text = serde_json::to_string(&scenario).unwrap();
    let mut player = Player::new(serde_json::from_str(&text).unwrap());
    player.run_to_end().unwrap();
    assert_eq!(player.world().digest(), world.digest());
}
