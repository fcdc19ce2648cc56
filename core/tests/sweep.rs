//! Seeds of the simulator with all faults: no rule breaks, runs repeat exactly, and the checks are not blind.

use std::time::Duration;
use zebu_core::config::BrokenRule;
use zebu_core::note::Note;
use zebu_core::sim::check::Rule;
use zebu_core::sim::command::Command;
use zebu_core::sim::sweep::{SweepOptions, run_seed, trace_seed};
use zebu_core::trace::TraceEvent;

#[test]
fn seeds_break_no_rule() {
    let (mut committed, mut answered) = (0, 0);
    for seed in 1..=48 {
        let outcome = run_seed(seed, &SweepOptions::default());
        assert_eq!(outcome.violation, None, "seed {seed}");
        committed += outcome.committed;
        answered += outcome.answered_writes;
    }
    // Seeds in which nothing happens would prove nothing.
    assert!(committed > 48 * 50 && answered > 48 * 25, "{committed} transactions, {answered} answers");
}

/// Disks are emptied in some of the seeds, and elections end early in some, so that what they are to show is looked at.
#[test]
fn seeds_empty_disks_and_settle_elections_early() {
    let (mut forgot, mut refilled, mut early) = (0, 0, 0);
    for seed in 1..=40 {
        let (outcome, records) = trace_seed(seed, &SweepOptions::default());
        assert_eq!(outcome.violation, None, "seed {seed}");
        let mut counted = std::collections::BTreeMap::new();
        let mut empty = std::collections::BTreeSet::new();
        for record in &records {
            match &record.event {
                TraceEvent::Command { command: Command::Damage { server, .. } } => {
                    forgot += 1;
                    empty.insert(*server);
                }
                TraceEvent::Note { server, what: Note::Syncing { .. } } => {
                    refilled += u32::from(empty.remove(server));
                }
                TraceEvent::Note { server, what: Note::QuorumOfVotes { .. } } => {
                    counted.insert(*server, record.at);
                }
                TraceEvent::Note { server, what: Note::Elected { .. } } => {
                    let waited = counted.get(server).map(|since| record.at.since(*since));
                    early += u32::from(waited.is_some_and(|waited| waited < Duration::from_millis(150)));
                }
                _ => {}
            }
        }
    }
    assert!(forgot >= 10 && refilled >= 5 && early >= 20, "{forgot} emptied, {refilled} refilled, {early} early");
}

/// What later seeds, with emptied disks and elections that settle early, have found.
#[test]
fn later_seeds_that_found_something_stay_clean() {
    for (seed, reconfig, what) in [
        (128, false, "a disk is emptied whose acknowledgement is on its way"),
        (771, true, "a member to be does not hear that the leader has settled, and asks too late"),
        (1294, true, "a member to be that votes for nobody is in a later round than all others"),
        (1977, true, "an observer that is to vote is needed to bring a leader into office"),
        (3480, true, "an observer does not know that it is to vote, and is needed to bring a leader into office"),
        (9766, true, "a member to be that does not know it yet is in a later round than all others"),
        (10_576, true, "only who was removed can tell a member that was away who the members are"),
        (11_321, true, "an observer that is to vote is needed for the change"),
        (11_672, true, "a change is agreed to that needs one who has nothing on its disk yet"),
        (11_866, false, "a new server's connection ends before what it was given is on its disk"),
    ] {
        let options = SweepOptions { reconfig, ..SweepOptions::default() };
        assert_eq!(run_seed(seed, &options).violation, None, "seed {seed}: {what}");
    }
}

/// With sessions that only their server knows until they create an ephemeral: ephemerals still go exactly with them.
#[test]
fn seeds_with_local_sessions_break_no_rule() {
    let (mut committed, mut answered) = (0, 0);
    for seed in 1..=16 {
        let outcome = run_seed(seed, &SweepOptions { local_sessions: true, ..SweepOptions::default() });
        assert_eq!(outcome.violation, None, "seed {seed}");
        committed += outcome.committed;
        answered += outcome.answered_writes;
    }
    assert!(committed > 16 * 50 && answered > 16 * 25, "{committed} transactions, {answered} answers");
}

/// With members that change all the time.
#[test]
fn seeds_with_changing_members_break_no_rule() {
    let (mut committed, mut changes) = (0, 0);
    for seed in 1..=24 {
        let (outcome, records) = trace_seed(seed, &SweepOptions { reconfig: true, ..SweepOptions::default() });
        assert_eq!(outcome.violation, None, "seed {seed}");
        committed += outcome.committed;
        let versions = records.iter().filter_map(|r| match &r.event {
            TraceEvent::Note { what: Note::MembersChanged { version, .. }, .. } if version.counter() > 0 => {
                Some(*version)
            }
            _ => None,
        });
        changes += versions.collect::<std::collections::BTreeSet<_>>().len();
    }
    assert!(committed > 24 * 50 && changes > 24 * 2, "{committed} transactions, {changes} changes");
}

/// A member that only the proposed configuration has did not count its own vote, and never found the leader that the
/// others had elected with it.
#[test]
fn a_member_to_be_counts_its_own_vote() {
    let options = SweepOptions { reconfig: true, bare: true, ..SweepOptions::default() };
    assert_eq!(run_seed(173, &options).violation, None);
}

/// A change needed the acknowledgement of a member to be that looked for the leader; it waited for a quorum of the
/// proposed members to follow, which it was itself part of, beside one that is an observer until the change is made.
#[test]
fn a_member_to_be_joins_the_leader_that_the_members_in_force_follow() {
    let options = SweepOptions { reconfig: true, bare: true, ..SweepOptions::default() };
    assert_eq!(run_seed(1121, &options).violation, None);
}

/// Seeds that have found something, now or while the checks were made.
#[test]
fn seeds_that_found_something_stay_clean() {
    for (seed, what) in [
        (2, "a read between two pipelined writes of its own client saw the second"),
        (48, "a leader whose state came by a SNAP of uncommitted history"),
        (84, "an observer that was frozen looks for its leader"),
        (219, "a read in the middle of a step saw data whose event stood behind it"),
        (1610, "a learner is told to cut what its leader commits meanwhile"),
        (9652, "a server elected on what others remember of its log, which was cut since"),
        (12_825, "two servers tell a worse vote so often that two with the better one never speak"),
        (13_174, "a member that has promised a later epoch than the leader's could never follow it"),
        (200_629, "a former connection's write behind the REVALIDATE of the new one"),
        (205_741, "a frozen leader is established late, in an epoch that is over"),
    ] {
        let options = SweepOptions { bare: true, ..SweepOptions::default() };
        assert_eq!(run_seed(seed, &options).violation, None, "seed {seed}: {what}");
    }
}

#[test]
fn a_seed_repeats_itself_and_being_watched_changes_nothing() {
    for seed in [8, 13] {
        let options = SweepOptions { servers: Some(3), ..SweepOptions::default() };
        let (watched, records) = trace_seed(seed, &options);
        assert_eq!(run_seed(seed, &options), watched, "seed {seed}");
        assert_eq!(trace_seed(seed, &options).1, records, "seed {seed}");
        let count = |f: fn(&TraceEvent) -> bool| records.iter().filter(|r| f(&r.event)).count();
        assert!(count(|e| matches!(e, TraceEvent::Command { .. })) > 50);
        assert!(count(|e| matches!(e, TraceEvent::Delivered { .. })) > 500);
        assert!(records.windows(2).all(|w| w[0].at <= w[1].at && w[0].event_number <= w[1].event_number));
    }
}

#[test]
fn broken_rules_are_found() {
    for (broken, within, rules) in [
        (BrokenRule::CommitWithoutQuorum, 3, &[Rule::QuorumBeforeCommit][..]),
        (BrokenRule::AckBeforeSync, 3, &[Rule::DurableBeforeAck]),
        (
            BrokenRule::IgnoreEpoch,
            300,
            &[Rule::OneCandidatePerEpoch, Rule::OneLeaderPerEpoch, Rule::EpochsOnlyGrow, Rule::LeaderIsComplete],
        ),
        (BrokenRule::OldQuorumOnly, 20, &[Rule::QuorumBeforeCommit]),
    ] {
        let reconfig = broken == BrokenRule::OldQuorumOnly;
        let options = SweepOptions { broken: Some(broken), reconfig, ..SweepOptions::default() };
        let found = (1..=within).find_map(|seed| run_seed(seed, &options).violation);
        let (rule, why) = found.unwrap_or_else(|| panic!("{broken:?} is not found in {within} seeds"));
        assert!(rules.contains(&rule), "{broken:?} is found as {rule:?}: {why}");
    }
}
