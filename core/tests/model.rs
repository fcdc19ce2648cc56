//! Seeds in which every answer and every event is compared with a plain model of the service.

use zebu_core::sim::model::Counts;
use zebu_core::sim::sweep::{SweepOptions, run_seed};

const OPTIONS: SweepOptions =
    SweepOptions { servers: None, broken: None, model: true, local_sessions: false, reconfig: false, bare: false };

#[test]
fn answers_and_events_are_those_of_the_model() {
    let mut seen = Counts::default();
    let seeds = 24;
    for seed in 1..=seeds {
        let outcome = run_seed(seed, &OPTIONS);
        assert_eq!(outcome.violation, None, "seed {seed}");
        seen += outcome.model;
    }
    // Seeds in which nothing is compared would prove nothing.
    assert!(seen.writes > seeds * 50 && seen.reads > seeds * 50 && seen.errors > seeds * 30, "{seen:?}");
    assert!(seen.events > seeds * 5 && seen.set_again > seeds && seen.retimed > seeds, "{seen:?}");
}
