//! A run as a scenario file: what was pressed, and after how many events. It replays to the same state.

use zebu_core::scenario::{Condition, Scenario, Step, Text, What};
use zebu_core::sim::WorldSpec;
use zebu_core::sim::command::Command;

/// The largest file that is read.
pub const LARGEST: usize = 2_000_000;

fn step(what: What) -> Step {
    Step { note: None, predict: None, textbook: None, what }
}

fn events(from: u64, to: u64) -> Option<Step> {
    u32::try_from(to.saturating_sub(from)).ok().filter(|n| *n > 0).map(|n| step(What::Events(n)))
}

/// The run of free mode up to `end`; what happens from `from` on is its own passage.
pub fn scenario(
    spec: &WorldSpec,
    commands: &[(u64, Command)],
    from: u64,
    end: u64,
    title: Text,
    note: Text,
) -> Scenario {
    let mut steps = Vec::new();
    let mut now = 0;
    let mut begun = false;
    let mut begin = |steps: &mut Vec<Step>, now: &mut u64, at: u64| {
        if !begun && at >= from {
            begun = true;
            steps.extend(events(*now, from.min(end)));
            *now = from.min(end);
            steps.push(Step { note: Some(note.clone()), ..step(What::Events(0)) });
        }
    };
    for (at, command) in commands.iter().filter(|(at, _)| *at <= end) {
        begin(&mut steps, &mut now, *at);
        steps.extend(events(now, *at));
        now = *at;
        steps.push(step(What::Give(command.clone())));
    }
    begin(&mut steps, &mut now, end.max(from));
    steps.extend(events(now, end));
    steps.push(step(What::Expect(Condition::All(Vec::new()))));
    let about = Text::default();
    Scenario { name: "my-run".into(), title, about, world: spec.clone(), challenge: None, steps }
}

/// Reads a scenario file.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Scenario, String> {
    if text.len() > LARGEST {
        return Err(format!("{} > {LARGEST}", text.len()));
    }
    let scenario: Scenario = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let world = &scenario.world;
    let (low, high) = crate::route::SERVERS;
    if !(low..=high).contains(&world.servers) || world.observers > crate::route::OBSERVERS || world.tick_ms < 10 {
        return Err(format!("servers {}, observers {}, tick {} ms", world.servers, world.observers, world.tick_ms));
    }
    if crate::share::check_spec(world).is_err() {
        return Err("world".into());
    }
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Driver, Outcome};
    use crate::timeline::Timeline;
    use zebu_core::id::ServerId;

    fn text(text: &str) -> Text {
        Text { en: text.into(), zh: text.into() }
    }

    #[test]
    fn a_recorded_file_replays_to_the_same_digest() {
        let spec = WorldSpec::default();
        let mut t = Timeline::new(Driver::free(spec.clone()));
        let presses = [
            (120, Command::Kill { server: ServerId(1) }),
            (120, Command::Cut { from: ServerId(2), to: ServerId(3), both: false }),
            (420, Command::HealAll),
        ];
        for (at, command) in &presses {
            while t.moment() < *at {
                t.step().unwrap();
            }
            t.command(command.clone()).unwrap();
        }
        while t.moment() < 700 {
            t.step().unwrap();
        }
        for from in [0, 120, 300, 700] {
            let file = scenario(&spec, t.commands(), from, 700, text("mine"), text("from here on"));
            let json = serde_json::to_string_pretty(&file).unwrap();
            let mut again = Driver::lesson(read(&json).unwrap());
            while again.outcome().is_none() {
                again.advance().unwrap();
            }
            assert!(matches!(again.outcome(), Some(Outcome::Met { .. })), "{:?}", again.outcome());
            assert_eq!(again.world().digest(), t.world().digest(), "recorded from {from}");
            assert_eq!(file.steps.iter().filter(|s| s.note.is_some()).count(), 1);
        }
    }

    #[test]
    fn files_that_are_none_are_refused_with_a_reason() {
        let fine = scenario(&WorldSpec::default(), &[], 0, 3, text("a"), text("b"));
        assert!(read(&serde_json::to_string(&fine).unwrap()).is_ok());
        let many = Scenario { world: WorldSpec { servers: 4000, ..WorldSpec::default() }, ..fine.clone() };
        let never = Scenario { world: WorldSpec { snap_count: 0, ..WorldSpec::default() }, ..fine.clone() };
        let [many, never] = [many, never].map(|s| serde_json::to_string(&s).unwrap());
        for wrong in ["", "{}", "[1,2", "{\"name\":\"x\"}", &many, &never] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let unknown = serde_json::to_string(&fine).unwrap().replace("\"events\":3", "\"explode\":3");
        assert!(read(&unknown).unwrap_err().contains("explode"));
        assert!(read(&" ".repeat(LARGEST + 1)).is_err());
    }
}
