//! Many seeds with faults: what each protocol promises holds, and what it does not promise can be seen to fail.

use crate::compare::check::Rules;
use crate::compare::core::{Testimony, Write};
use crate::compare::note::Stage;
use crate::compare::{AnyWorld, World};
use crate::id::{Epoch, ServerId, Zxid};
use crate::rng::Rng;
use crate::sim::WorldSpec;
use crate::sim::command::{ClientId, Command};
use crate::sim::spec::{Protocol, Retry, Span};
use crate::sim::view::{Shown, WorldView};
use crate::time::Instant;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

fn world(protocol: Protocol, servers: u32, seed: u64) -> World {
    World::new(WorldSpec { protocol, servers, seed, ..WorldSpec::default() }).expect("a compared protocol")
}

fn run(world: &mut World, millis: u64) {
    world.run_until(world.now() + Duration::from_millis(millis));
}

fn connect(world: &mut World, client: u32, server: i64) {
    world.command(&Command::Connect { client: ClientId(client), server: ServerId(server) }).unwrap();
}

fn ask(world: &mut World, client: u32, line: &str) {
    world.command(&Command::Ask { client: ClientId(client), line: line.into(), via: None }).unwrap();
}

fn answer(world: &World, client: u32) -> Option<String> {
    let view = world.view();
    let client = view.clients.into_iter().find(|c| c.id == ClientId(client)).unwrap();
    client.talk.last().and_then(|t| t.answer.clone())
}

fn stages(view: &WorldView) -> Vec<Stage> {
    view.servers.iter().filter_map(|s| s.model.as_ref().map(|m| m.stage)).collect()
}

const PAXOS: Protocol = Protocol::Paxos { proposers: 2, retry: Retry::BackOff };
const ALL: [Protocol; 4] = [Protocol::TwoPhaseCommit, Protocol::ThreePhaseCommit, PAXOS, Protocol::PaperZab];

/// Which faults a run has.
#[derive(Clone, Copy)]
struct Faults {
    kills: bool,
    cuts: bool,
    pauses: bool,
}

const CRASHES: Faults = Faults { kills: true, cuts: false, pauses: false };
const EVERYTHING: Faults = Faults { kills: true, cuts: true, pauses: true };

/// Random faults and writes for some seconds, then everything is mended and given time.
fn storm(protocol: Protocol, seed: u64, faults: Faults) -> World {
    let mut w = world(protocol, 5, seed);
    let mut rng = Rng::new(seed).fork(77);
    run(&mut w, 1200);
    for client in 0..3 {
        connect(&mut w, client, i64::from(client) + 1);
    }
    for round in 0..24 {
        let server = ServerId(rng.between(1, 5) as i64);
        let other = ServerId(rng.between(1, 5) as i64);
        let command = match rng.below(6) {
            0 | 1 if faults.kills => Command::Kill { server },
            2 if faults.kills => Command::Restart { server },
            3 if faults.cuts => Command::Cut { from: server, to: other, both: rng.chance(500_000) },
            4 if faults.cuts => Command::HealAll,
            5 if faults.pauses && rng.chance(500_000) => Command::Pause { server },
            5 if faults.pauses => Command::Resume { server },
            _ => Command::Ask {
                client: ClientId(rng.below(3) as u32),
                line: format!("set /r{} v{round}", rng.below(2)),
                via: Some(server),
            },
        };
        // What can't be done now (a kill of a dead server) is left out.
        let _ = w.command(&command);
        run(&mut w, rng.between(5, 260));
    }
    w.command(&Command::HealAll).unwrap();
    for id in 1..=5 {
        let _ = w.command(&Command::Resume { server: ServerId(id) });
        let _ = w.command(&Command::Restart { server: ServerId(id) });
    }
    run(&mut w, 12_000);
    w
}

fn undecided(w: &World) -> bool {
    stages(&w.view()).iter().any(|s| matches!(s, Stage::Prepared | Stage::Blocked | Stage::PreCommitted))
}

#[test]
fn two_phase_commit_is_never_inconsistent_and_ends_when_the_coordinator_is_back() {
    for seed in 0..80 {
        let w = storm(Protocol::TwoPhaseCommit, seed, EVERYTHING);
        assert_eq!(w.violated(), None, "seed {seed}");
        assert!(!undecided(&w), "seed {seed}: {}", w.summary());
    }
}

#[test]
fn two_phase_commit_blocks_without_its_coordinator() {
    let mut w = world(Protocol::TwoPhaseCommit, 4, 1);
    run(&mut w, 1);
    connect(&mut w, 0, 1);
    ask(&mut w, 0, "set /x A");
    while !w.view().servers[1..].iter().all(|s| s.model.as_ref().is_some_and(|m| m.stage == Stage::Prepared)) {
        w.step_within(None).unwrap();
    }
    w.command(&Command::Kill { server: ServerId(1) }).unwrap();
    run(&mut w, 60_000);
    assert_eq!(stages(&w.view())[1..], [Stage::Blocked, Stage::Blocked, Stage::Blocked]);
    assert!(answer(&w, 0).is_some(), "the client hears that its server is gone");
    w.command(&Command::Restart { server: ServerId(1) }).unwrap();
    run(&mut w, 2000);
    assert_eq!(stages(&w.view())[1..], [Stage::Aborted, Stage::Aborted, Stage::Aborted]);
    assert_eq!(w.violated(), None);
}

#[test]
fn three_phase_commit_is_consistent_without_partitions() {
    for seed in 0..120 {
        let w = storm(Protocol::ThreePhaseCommit, seed, CRASHES);
        assert_eq!(w.violated(), None, "seed {seed}");
    }
}

#[test]
fn three_phase_commit_does_not_block_when_the_coordinator_dies() {
    for after in 1..40 {
        let mut w = world(Protocol::ThreePhaseCommit, 5, after);
        run(&mut w, 1);
        connect(&mut w, 0, 1);
        ask(&mut w, 0, "set /x A");
        for _ in 0..after {
            w.step_within(None);
        }
        w.command(&Command::Kill { server: ServerId(1) }).unwrap();
        run(&mut w, 6000);
        assert!(!undecided(&w), "killed after {after} events: {}", w.summary());
        assert_eq!(w.violated(), None, "killed after {after} events");
    }
}

/// Every moment of a transaction is tried: with a partition some of them split it, with a crash alone none does.
#[test]
fn three_phase_commit_splits_under_some_partitions() {
    let broken_by = |after: usize, fault: &Command| {
        let mut w = world(Protocol::ThreePhaseCommit, 5, 1);
        run(&mut w, 1);
        connect(&mut w, 0, 1);
        ask(&mut w, 0, "set /x A");
        for _ in 0..after {
            w.step_within(None);
        }
        w.command(fault).unwrap();
        run(&mut w, 6000);
        w.violated().map(|(rule, why)| format!("{rule}: {why}"))
    };
    let groups = [[1, 2, 3].map(ServerId).to_vec(), [4, 5].map(ServerId).to_vec()].into();
    let cut = Command::Partition { groups };
    let split: Vec<String> = (0..25).filter_map(|after| broken_by(after, &cut)).collect();
    assert!(split.iter().any(|why| why.contains("COMMIT at servers") && why.contains("ABORT at servers")), "{split:?}");
    let crash = Command::Kill { server: ServerId(1) };
    assert_eq!((0..25).filter_map(|after| broken_by(after, &crash)).next(), None);
}

#[test]
fn paxos_agrees_always_and_ends_once_faults_are_over() {
    for retry in [Retry::AtOnce, Retry::BackOff, Retry::Leader] {
        for seed in 0..40 {
            let protocol = Protocol::Paxos { proposers: 2, retry };
            let mut w = storm(protocol, seed, EVERYTHING);
            assert_eq!(w.violated(), None, "seed {seed} {retry:?}");
            if retry == Retry::AtOnce {
                continue;
            }
            let _ =
                w.command(&Command::Ask { client: ClientId(0), line: "set /x last".into(), via: Some(ServerId(1)) });
            run(&mut w, 20_000);
            assert!(answer(&w, 0).is_some_and(|a| a.starts_with("chosen")), "seed {seed} {retry:?}: {}", w.summary());
        }
    }
}

#[test]
fn two_proposers_with_aligned_timers_never_end_and_chance_or_a_leader_ends_it() {
    let duel = |retry| {
        let ten = Span::millis(10, 10);
        let protocol = Protocol::Paxos { proposers: 2, retry };
        let spec =
            WorldSpec { protocol, latency: ten, disk_sync: Span::millis(30, 30), seed: 4, ..WorldSpec::default() };
        let mut w = World::new(spec).unwrap();
        run(&mut w, 1);
        connect(&mut w, 0, 1);
        connect(&mut w, 1, 2);
        ask(&mut w, 0, "set /v X");
        run(&mut w, 35);
        ask(&mut w, 1, "set /v Y");
        run(&mut w, 30_000);
        assert_eq!(w.violated(), None);
        answer(&w, 0)
    };
    assert_eq!(duel(Retry::AtOnce), None);
    assert!(duel(Retry::BackOff).is_some());
    assert_eq!(duel(Retry::Leader).as_deref(), Some("chosen: X"));
}

#[test]
fn the_paper_s_zab_keeps_what_is_committed_and_ends_in_agreement() {
    for seed in 0..60 {
        let mut w = storm(Protocol::PaperZab, seed, EVERYTHING);
        assert_eq!(w.violated(), None, "seed {seed}");
        ask_through(&mut w, "set /last 1");
        run(&mut w, 3000);
        let view = w.view();
        assert!(view.servers.iter().all(|s| s.serving), "seed {seed}: {}", w.summary());
        assert!(view.servers.windows(2).all(|s| (s[0].committed, &s[0].log) == (s[1].committed, &s[1].log)), "{seed}");
        assert!(answer(&w, 0).is_some_and(|a| a.starts_with("committed")), "seed {seed}: {:?}", answer(&w, 0));
        assert_eq!(w.violated(), None, "seed {seed}");
    }
}

fn ask_through(w: &mut World, line: &str) {
    let leader = w.view().servers.iter().find(|s| s.shown == Shown::Leading && s.serving).map(|s| s.id);
    w.command(&Command::Ask { client: ClientId(0), line: line.into(), via: leader }).unwrap();
}

#[test]
fn a_prospective_leader_that_lags_is_brought_the_best_history() {
    let mut w = world(Protocol::PaperZab, 5, 3);
    run(&mut w, 2000);
    connect(&mut w, 0, 1);
    // Server 1 leads, having the smallest id; while it is away server 2 does, and server 1 comes back behind slow links.
    w.command(&Command::Kill { server: ServerId(1) }).unwrap();
    run(&mut w, 3000);
    w.command(&Command::Restart { server: ServerId(1) }).unwrap();
    run(&mut w, 2000);
    w.command(&Command::Delay { from: ServerId(2), to: ServerId(1), millis: 800 }).unwrap();
    w.command(&Command::Ask { client: ClientId(0), line: "set /x A".into(), via: Some(ServerId(2)) }).unwrap();
    run(&mut w, 300);
    assert!(answer(&w, 0).is_some_and(|a| a.starts_with("committed")));
    let of = |w: &World, id: usize| w.view().servers[id - 1].logged;
    assert!(of(&w, 1) < of(&w, 3));
    w.command(&Command::Kill { server: ServerId(2) }).unwrap();
    run(&mut w, 4000);
    let view = w.view();
    assert_eq!(view.servers[0].shown, Shown::Leading, "{}", w.summary());
    assert!(view.servers[0].tree.iter().any(|z| z.path == "/x" && z.data == "A"), "{}", w.summary());
    assert_eq!(w.violated(), None);
}

#[test]
fn equal_seeds_and_commands_give_equal_runs_and_a_clone_is_a_checkpoint() {
    for protocol in ALL {
        let (a, b) = (storm(protocol, 5, EVERYTHING), storm(protocol, 5, EVERYTHING));
        assert_eq!(a.digest(), b.digest());
        assert_ne!(a.digest(), storm(protocol, 6, EVERYTHING).digest());
        let mut w = AnyWorld::new(WorldSpec { protocol, ..WorldSpec::default() });
        assert!(w.zookeeper().is_none());
        w.run_until(Instant(1000));
        w.command(&Command::Connect { client: ClientId(0), server: ServerId(1) }).unwrap();
        w.command(&Command::Ask { client: ClientId(0), line: "set /x A".into(), via: None }).unwrap();
        for _ in 0..10 {
            w.step();
        }
        let mut again = w.clone();
        for _ in 0..20 {
            w.step();
            again.step();
        }
        assert_eq!(w.digest(), again.digest());
    }
}

/// The rules do find what is wrong: testimonies that no correct core would give.
#[test]
fn every_rule_can_be_broken() {
    let (one, two, three) = (ServerId(1), ServerId(2), ServerId(3));
    let id = Zxid::new(Epoch(1), 1);
    let commit =
        |voted: &[Zxid], decided: bool| Testimony::Commit { voted: voted.to_vec(), decided: [(id, decided)].into() };
    let paxos = |promised, n, v: &str, chosen: Option<&str>| Testimony::Paxos {
        promised,
        accepted: Some((n, v.into())),
        chosen: chosen.map(Into::into),
    };
    let write = |data: &str| Write { path: "/x".into(), data: data.into() };
    let zab = |epoch, data: &str| Testimony::Zab { promised: Epoch(epoch), delivered: [(id, write(data))].into() };
    let cases: Vec<(&str, Vec<(ServerId, Testimony)>)> = [
        ("atomicity", [(one, commit(&[id], true)), (two, commit(&[id], false))].into()),
        ("decisions-stay", [(one, commit(&[id], false)), (one, commit(&[id], true))].into()),
        ("commit-needs-all-votes", [(one, commit(&[id], true))].into()),
        ("one-value-chosen", [(one, paxos(1, 1, "A", Some("A"))), (two, paxos(2, 2, "B", Some("B")))].into()),
        (
            "one-value-chosen",
            [
                (one, paxos(1, 1, "A", None)),
                (two, paxos(1, 1, "A", None)),
                (two, paxos(2, 2, "B", None)),
                (three, paxos(2, 2, "B", None)),
            ]
            .into(),
        ),
        ("chosen-was-proposed", [(one, paxos(1, 1, "C", Some("C")))].into()),
        ("promises-hold", [(one, paxos(3, 1, "A", None)), (one, paxos(2, 1, "A", None))].into()),
        ("agreement", [(one, zab(1, "A")), (two, zab(1, "B"))].into()),
        ("integrity", [(one, zab(1, "C"))].into()),
        ("epochs-only-grow", [(one, zab(2, "A")), (one, zab(1, "A"))].into()),
    ]
    .into();
    for (rule, testimonies) in cases {
        let mut rules = Rules::new(3);
        rules.asked(&write("A"));
        rules.asked(&write("B"));
        for (server, testimony) in &testimonies {
            rules.look(*server, testimony);
        }
        let broken: Vec<&str> = rules.take_news().iter().map(|(r, _)| *r).collect();
        assert!(broken.contains(&rule), "{rule}: {broken:?}");
    }
}
