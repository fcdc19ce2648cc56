//! The same crash on five protocols (scenario 36): how each comes out is read off its run.

use std::path::Path;
use zebu_core::compare::{Outcome, SAME_CRASH};
use zebu_core::id::ServerId;
use zebu_core::scenario::{Player, Scenario};
use zebu_core::sim::command::ClientId;

fn outcome(name: &str) -> (Outcome, u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../static/scenarios/{name}.json"));
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut player = Player::new(scenario);
    player.run_to_end().unwrap();
    (Outcome::of(&player.world().view(), ClientId(1), "/x"), player.world().now().millis())
}

fn ids(list: &[i64]) -> Vec<ServerId> {
    list.iter().copied().map(ServerId).collect()
}

#[test]
fn one_crash_five_outcomes() {
    let all: Vec<(&str, Outcome, u64)> = SAME_CRASH
        .iter()
        .map(|name| {
            let (outcome, end) = outcome(name);
            (*name, outcome, end)
        })
        .collect();
    let of = |name: &str| all.iter().find(|(n, ..)| *n == name).map(|(_, o, _)| o).unwrap();
    for quorums in ["crash-zookeeper", "crash-paper-zab", "crash-paxos"] {
        let outcome = of(quorums);
        assert!(outcome.answer.as_ref().is_some_and(|(_, failed)| !failed), "{quorums}: {outcome:?}");
        assert_eq!(outcome.broken, None, "{quorums}");
    }
    // Two-phase commit: nothing wrong, and nothing goes on.
    let two = of("crash-2pc");
    assert_eq!((two.waiting.clone(), &two.broken), (ids(&[2, 3, 4, 5]), &None));
    assert!(two.answer.as_ref().is_some_and(|(_, failed)| *failed));
    // Three-phase commit: nobody waits, and they disagree.
    let three = of("crash-3pc");
    assert_eq!(three.waiting, ids(&[]));
    assert_eq!(three.broken.as_ref().map(|(rule, _)| rule.as_str()), Some("atomicity"));
    let values: Vec<Option<&str>> = three.values.iter().map(|(_, v)| v.as_deref()).collect();
    assert_eq!(values, [Some("A"), Some("A"), Some("A"), None]);
    // ZooKeeper: only the one that is cut off waits.
    assert_eq!(of("crash-zookeeper").waiting, ids(&[1]));
    assert_eq!(of("crash-paper-zab").waiting, ids(&[5]));
    // One clock: they end within a moment of each other.
    let ends: Vec<u64> = all.iter().map(|(_, _, end)| *end).collect();
    assert!(ends.iter().max().unwrap() - ends.iter().min().unwrap() < 200, "{ends:?}");
}
