//! The finer faults, one by one: single messages, unsteady links, timers, disks, clocks, chaos.

use zebu_core::id::ServerId;
use zebu_core::note::Note;
use zebu_core::scenario::{Player, Scenario};
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::spec::WorldSpec;
use zebu_core::sim::trouble::{MessageAct, MessageRule, TimerAct, Trouble};
use zebu_core::sim::view::{Flight, Place};
use zebu_core::sim::{CommandError, World};
use zebu_core::time::Instant;
use zebu_core::trace::{LossReason, TraceEvent, TraceRecord};

const A: ClientId = ClientId(0);

fn s(id: i64) -> ServerId {
    ServerId(id)
}

fn ensemble() -> World {
    let mut world = World::new(WorldSpec::default());
    world.run_until(Instant(2_000_000));
    assert!(world.is_agreed(), "{}", world.summary());
    world.trace();
    world
}

fn with_client() -> World {
    let mut world = ensemble();
    world.command(&Command::Connect { client: A, server: s(1) }).unwrap();
    world.run_until(Instant(3_000_000));
    world.trace();
    world
}

fn ask(world: &mut World, line: &str) {
    world.command(&Command::Ask { client: A, line: line.into(), via: None }).unwrap();
}

fn trouble(world: &mut World, trouble: Trouble) -> Result<(), CommandError> {
    world.command(&Command::Trouble(trouble))
}

fn act(world: &mut World, id: u64, act: MessageAct) -> Result<(), CommandError> {
    trouble(world, Trouble::Message { id, act })
}

/// Steps until a message of this kind is under way.
fn fly(world: &mut World, kind: &str) -> Flight {
    for _ in 0..2000 {
        if let Some(flight) = world.flights().into_iter().find(|f| f.kind == kind) {
            return flight;
        }
        world.step().expect("something happens");
    }
    panic!("no {kind} within 2000 events");
}

fn run(world: &mut World, ms: u64) -> Vec<TraceRecord> {
    world.run_until(Instant(world.now().0 + ms * 1000));
    world.trace()
}

fn safe(world: &World) {
    assert!(world.view().checks.iter().all(|c| c.broken.is_none()), "{:?}", world.view().checks);
}

#[test]
fn f5_a_held_message_waits_with_everything_behind_it_and_goes_on_in_order() {
    let mut world = with_client();
    ask(&mut world, "create /a 1");
    let first = fly(&mut world, "PROPOSAL");
    act(&mut world, first.id, MessageAct::Hold).unwrap();
    assert_eq!(act(&mut world, first.id, MessageAct::Hold).unwrap_err().code(), "message-held");
    let held = run(&mut world, 200);
    assert!(!held.iter().any(|r| matches!(&r.event, TraceEvent::Delivered { id, .. } if *id == first.id)));
    assert_eq!(world.troubles().held[0], first.id);
    assert!(world.troubles().held.len() > 1, "the commit waits behind its proposal");
    act(&mut world, first.id, MessageAct::Release).unwrap();
    assert_eq!(act(&mut world, first.id, MessageAct::Release).unwrap_err().code(), "message-not-held");
    let kinds: Vec<String> = run(&mut world, 100)
        .iter()
        .filter_map(|r| match &r.event {
            TraceEvent::Delivered { from, to, kind, .. } if *from == first.from && *to == first.to => {
                Some(kind.clone())
            }
            _ => None,
        })
        .collect();
    let at = |kind: &str| kinds.iter().position(|k| k == kind);
    assert!(at("PROPOSAL") < at("COMMIT") && at("PROPOSAL").is_some(), "{kinds:?}");
    safe(&world);
}

#[test]
fn f5_now_keeps_the_order_of_a_connection_or_says_why_not() {
    let mut world = with_client();
    ask(&mut world, "create /a 1");
    ask(&mut world, "create /b 1");
    let proposals = |world: &World| -> Vec<Flight> {
        let all = world.flights();
        let to = all.iter().find(|f| f.kind == "PROPOSAL").map(|f| f.to);
        all.into_iter().filter(|f| f.kind == "PROPOSAL" && Some(f.to) == to).collect()
    };
    while proposals(&world).len() < 2 {
        world.step().unwrap();
    }
    let two = proposals(&world);
    let refused = act(&mut world, two[1].id, MessageAct::Now).unwrap_err();
    assert_eq!(refused.code(), "message-not-first");
    assert!(refused.to_string().contains("TCP keeps their order"), "{refused}");
    let now = world.now();
    act(&mut world, two[0].id, MessageAct::Now).unwrap();
    let stepped = world.step().unwrap();
    assert_eq!((stepped.at, stepped.place), (now, two[0].to));
    act(&mut world, two[1].id, MessageAct::Now).unwrap();
    assert_eq!(world.step().unwrap().place, two[1].to);
    // Behind a cut nothing can be delivered.
    ask(&mut world, "create /c 1");
    let third = fly(&mut world, "PROPOSAL");
    if let (Place::Server(from), Place::Server(to)) = (third.from, third.to) {
        world.command(&Command::Cut { from, to, both: false }).unwrap();
    }
    assert_eq!(act(&mut world, third.id, MessageAct::Now).unwrap_err().code(), "message-behind-cut");
    assert_eq!(act(&mut world, 9_999_999, MessageAct::Now).unwrap_err().code(), "no-such-message");
}

#[test]
fn f5_a_delayed_message_is_late_and_nothing_overtakes_it() {
    let mut world = with_client();
    ask(&mut world, "create /a 1");
    let first = fly(&mut world, "PROPOSAL");
    act(&mut world, first.id, MessageAct::Delay { millis: 300 }).unwrap();
    let late = world.flights().into_iter().find(|f| f.id == first.id).unwrap();
    assert_eq!(late.due, Instant(first.due.0 + 300_000));
    let times: Vec<Instant> = run(&mut world, 600)
        .iter()
        .filter(
            |r| matches!(&r.event, TraceEvent::Delivered { from, to, .. } if *from == first.from && *to == first.to),
        )
        .map(|r| r.at)
        .collect();
    assert_eq!(times.first(), Some(&late.due));
    safe(&world);
}

#[test]
fn f5_a_dropped_message_takes_its_connection_with_it() {
    let mut world = with_client();
    ask(&mut world, "create /a 1");
    let commit = fly(&mut world, "COMMIT");
    act(&mut world, commit.id, MessageAct::Drop).unwrap();
    let records = run(&mut world, 100);
    assert!(
        records
            .iter()
            .any(|r| matches!(&r.event, TraceEvent::Lost { id, why: LossReason::Dropped, .. } if *id == commit.id))
    );
    let stood_down = |r: &TraceRecord| matches!(&r.event, TraceEvent::Note { server, what: Note::StoodDown { .. } } if Place::Server(*server) == commit.to);
    assert!(records.iter().any(stood_down), "it looks for its leader anew");
    run(&mut world, 4000);
    assert!(world.is_agreed(), "{}", world.summary());
    safe(&world);
}

#[test]
fn f5_a_copy_is_thrown_away_by_the_receiver() {
    let mut world = with_client();
    ask(&mut world, "create /a 1");
    let proposal = fly(&mut world, "PROPOSAL");
    act(&mut world, proposal.id, MessageAct::Duplicate).unwrap();
    let records = run(&mut world, 300);
    let copies = records.iter().filter(|r| matches!(&r.event, TraceEvent::Lost { why: LossReason::Duplicate, .. }));
    assert_eq!(copies.count(), 1);
    assert!(world.is_agreed());
    safe(&world);
}

#[test]
fn f6_a_rule_acts_once_and_is_gone() {
    for (what, lost) in [(MessageAct::Drop, true), (MessageAct::Hold, false), (MessageAct::Delay { millis: 50 }, false)]
    {
        let mut world = with_client();
        let leader = world.leader().unwrap();
        let rule = MessageRule {
            kind: Some("COMMIT".into()),
            from: Some(Place::Server(leader)),
            to: Some(Place::Server(s(1))),
            with: None,
            act: what,
        };
        trouble(&mut world, Trouble::NextMessage(rule)).unwrap();
        assert_eq!(world.troubles().rules.len(), 1);
        ask(&mut world, "create /a 1");
        let records = run(&mut world, 300);
        let caught: Vec<u64> = records
            .iter()
            .filter_map(|r| match &r.event {
                TraceEvent::Caught { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        assert_eq!(caught.len(), 1, "{what}");
        assert!(world.troubles().rules.is_empty(), "{what}");
        let dropped = |r: &TraceRecord| matches!(&r.event, TraceEvent::Lost { id, why: LossReason::Dropped, .. } if *id == caught[0]);
        assert_eq!(records.iter().any(dropped), lost, "{what}");
        if what == MessageAct::Hold {
            act(&mut world, caught[0], MessageAct::Release).unwrap();
        }
        run(&mut world, 5000);
        assert!(world.is_agreed(), "{what}: {}", world.summary());
        safe(&world);
    }
    let mut world = ensemble();
    let rule = MessageRule { kind: None, from: None, to: None, with: None, act: MessageAct::Now };
    assert_eq!(trouble(&mut world, Trouble::NextMessage(rule)).unwrap_err().code(), "rule-act");
}

#[test]
fn f4_an_unsteady_link_is_seeded_and_costs_time_but_no_message() {
    let noisy = |seed: u64, on: bool| {
        let mut world = World::new(WorldSpec { seed, ..WorldSpec::default() });
        world.run_until(Instant(2_000_000));
        let leader = world.leader().unwrap();
        if on {
            for to in (1..=5).map(s).filter(|to| *to != leader) {
                let (jitter_ms, loss_percent, copy_percent) = (20, 30, 30);
                trouble(&mut world, Trouble::Unsteady { from: leader, to, jitter_ms, loss_percent, copy_percent })
                    .unwrap();
            }
        }
        world.command(&Command::Connect { client: A, server: leader }).unwrap();
        for n in 0..20 {
            ask(&mut world, &format!("create /n{n} 1"));
        }
        world.run_until(Instant(20_000_000));
        safe(&world);
        assert!(world.is_agreed(), "{}", world.summary());
        assert_eq!(world.view().servers[0].tree.iter().filter(|z| z.path.starts_with("/n")).count(), 20);
        (world.digest(), world.troubles())
    };
    let (once, again, calm) = (noisy(5, true), noisy(5, true), noisy(5, false));
    assert_eq!(once, again);
    assert_ne!(once.0, calm.0);
    assert!(once.1.links.iter().any(|l| l.resent > 0) && once.1.links.iter().any(|l| l.copies > 0), "{:?}", once.1);
    assert!(calm.1.links.is_empty());
}

#[test]
fn f7_timers_run_out_now_late_or_together() {
    let mut world = ensemble();
    let leader = world.leader().unwrap();
    let follower = (1..=5).map(s).find(|id| *id != leader).unwrap();
    let deadline = |world: &World, id: ServerId| world.view().servers[id.0 as usize - 1].deadline.unwrap().0;
    // Now.
    let now = world.now();
    trouble(&mut world, Trouble::Timer { server: follower, act: TimerAct::Fire }).unwrap();
    let stepped = world.step().unwrap();
    assert_eq!((stepped.at, stepped.place), (now, Place::Server(follower)));
    run(&mut world, 3000);
    // Late.
    let leader = world.leader().unwrap();
    let due = deadline(&world, leader);
    trouble(&mut world, Trouble::Timer { server: leader, act: TimerAct::Stretch { millis: 70 } }).unwrap();
    assert_eq!(deadline(&world, leader), Instant(due.0 + 70_000));
    run(&mut world, 1000);
    // Two candidates at once: both followers count their leader as silent in the same instant.
    let leader = world.leader().unwrap();
    let others: Vec<ServerId> = (1..=5).map(s).filter(|id| *id != leader).collect();
    world.command(&Command::Pause { server: leader }).unwrap();
    let far = |id| deadline(&world, id).0.abs_diff(deadline(&world, others[1]).0);
    assert!(far(others[0]) < 10_000_000);
    trouble(&mut world, Trouble::Timer { server: others[0], act: TimerAct::Align { with: others[1] } }).unwrap();
    assert!(deadline(&world, others[0]).0.abs_diff(deadline(&world, others[1]).0) <= 1);
    world.command(&Command::Kill { server: leader }).unwrap();
    assert_eq!(
        trouble(&mut world, Trouble::Timer { server: leader, act: TimerAct::Fire }).unwrap_err().code(),
        "server-down"
    );
    run(&mut world, 8000);
    assert!(world.leader().is_some_and(|l| l != leader), "{}", world.summary());
    safe(&world);
}

#[test]
fn f8_a_stop_with_a_lost_tail_loses_just_what_was_not_synced() {
    let mut world = with_client();
    let leader = world.leader().unwrap();
    let follower = (1..=5).map(s).find(|id| *id != leader && *id != s(1)).unwrap();
    world.command(&Command::DiskDelay { server: follower, millis: 5000 }).unwrap();
    ask(&mut world, "create /a 1");
    run(&mut world, 300);
    let view = world.view().servers[follower.0 as usize - 1].clone();
    let unsynced: Vec<_> = view.log.iter().filter(|c| !c.synced).map(|c| c.zxid).collect();
    assert!(!unsynced.is_empty(), "written and not synced: shown so");
    trouble(&mut world, Trouble::LoseTail { server: follower }).unwrap();
    assert!(world.troubles().servers.iter().any(|t| t.server == follower && t.loses_tail));
    world.command(&Command::Kill { server: follower }).unwrap();
    let stopped = world.view().servers[follower.0 as usize - 1].clone();
    let kept: Vec<_> = view.log.iter().filter(|c| c.synced).map(|c| c.zxid).collect();
    assert_eq!(stopped.log.iter().map(|c| c.zxid).collect::<Vec<_>>(), kept);
    safe(&world);
}

#[test]
fn f8_a_server_with_a_full_disk_stops_itself_and_comes_back_when_there_is_room() {
    let mut world = with_client();
    let leader = world.leader().unwrap();
    let follower = (1..=5).map(s).find(|id| *id != leader && *id != s(1)).unwrap();
    trouble(&mut world, Trouble::DiskFull { server: follower, full: true }).unwrap();
    ask(&mut world, "create /a 1");
    let records = run(&mut world, 500);
    let why = records.iter().find_map(|r| match &r.event {
        TraceEvent::Halted { server, why } if *server == follower => Some(why.clone()),
        _ => None,
    });
    assert!(why.as_ref().is_some_and(|w| w.contains("no space left")), "{why:?}");
    trouble(&mut world, Trouble::DiskFull { server: follower, full: false }).unwrap();
    world.command(&Command::Restart { server: follower }).unwrap();
    run(&mut world, 5000);
    assert!(world.is_agreed(), "{}", world.summary());
    safe(&world);
}

#[test]
fn f9_a_skewed_clock_moves_when_sessions_expire() {
    let expires = |world: &World| {
        let leader = world.leader().unwrap();
        let view = world.view();
        view.servers[leader.0 as usize - 1].sessions.iter().find_map(|s| s.expires).expect("a session")
    };
    let mut world = with_client();
    let leader = world.leader().unwrap();
    let before = expires(&world);
    trouble(&mut world, Trouble::ClockJump { server: leader, millis: 2000 }).unwrap();
    assert_eq!(expires(&world), Instant(before.0 - 2_000_000), "the leader thinks that it is later");
    trouble(&mut world, Trouble::ClockJump { server: leader, millis: -2000 }).unwrap();
    assert_eq!(expires(&world), before, "it stands still until the others have caught up");
    trouble(&mut world, Trouble::ClockRate { server: leader, percent: 200 }).unwrap();
    assert!(world.troubles().servers.iter().any(|t| t.server == leader && t.clock_percent == 200));
    assert_eq!(
        trouble(&mut world, Trouble::ClockRate { server: leader, percent: 0 }).unwrap_err().code(),
        "too-little"
    );
    safe(&world);
}

#[test]
fn f11_ten_minutes_of_chaos_break_no_rule_and_repeat_exactly() {
    let chaos = |seed: u64| {
        let mut world = World::new(WorldSpec { trace: false, ..WorldSpec::default() });
        world.run_until(Instant(2_000_000));
        trouble(&mut world, Trouble::Chaos { seed }).unwrap();
        assert_eq!(world.troubles().chaos, Some(seed));
        world.command(&Command::Connect { client: A, server: s(1) }).unwrap();
        for minute in 0..10u64 {
            for n in 0..10u64 {
                if !world.client_is_over(A) {
                    ask(&mut world, &format!("create /m{minute}-{n} 1"));
                }
                world.run_until(Instant(2_000_000 + minute * 60_000_000 + (n + 1) * 6_000_000));
            }
        }
        safe(&world);
        trouble(&mut world, Trouble::Calm).unwrap();
        world.run_until(Instant(world.now().0 + 30_000_000));
        assert!(world.is_agreed(), "{}", world.summary());
        safe(&world);
        (world.events(), world.digest())
    };
    for seed in [1, 2, 3] {
        let once = chaos(seed);
        assert!(once.0 > 5_000, "{once:?}");
        if seed == 1 {
            assert_eq!(once, chaos(seed));
        }
    }
}

#[test]
fn t11_what_comes_is_known_in_order_and_comes_so() {
    let mut world = with_client();
    ask(&mut world, "create /a 1");
    for _ in 0..300 {
        let coming = world.upcoming(8);
        assert!((1..=8).contains(&coming.len()));
        assert!(coming.windows(2).all(|w| w[0].event.at <= w[1].event.at));
        assert_eq!(Some(&coming[0].event), world.view().next.as_ref());
        let stepped = world.step().unwrap();
        assert_eq!((stepped.at, stepped.place), (coming[0].event.at, coming[0].event.place));
    }
}

#[test]
fn scenarios_can_press_these_buttons_too() {
    let text = r#"{
        "name": "troubles", "title": {"en": "t", "zh": "t"}, "world": {},
        "steps": [
            {"do": {"until": {"condition": {"leader": {}}, "within_ms": 3000}}},
            {"do": {"run": {"ms": 500}}},
            {"do": {"press": {"connect": {"client": "A", "server": 1}}}},
            {"do": {"run": {"ms": 300}}},
            {"do": {"press": {"trouble": {"next-message": {"which": {"kind": "COMMIT", "from": "leader", "to": 1}, "act": "hold"}}}}},
            {"do": {"press": {"ask": {"client": "A", "line": "create /a 1"}}}},
            {"do": {"run": {"ms": 200}}},
            {"do": {"expect": {"waiting": "A"}}},
            {"do": {"press": {"trouble": {"message": {"which": {"kind": "COMMIT", "to": 1}, "act": "release"}}}}},
            {"do": {"run": {"ms": 100}}},
            {"do": {"expect": {"answered": {"client": "A"}}}},
            {"do": {"press": {"trouble": {"clock-rate": {"server": "leader", "percent": 150}}}}},
            {"do": {"press": {"trouble": {"unsteady": {"from": "leader", "to": "followers", "loss_percent": 10}}}}},
            {"do": {"press": {"trouble": {"fire-timer": "leader"}}}},
            {"do": {"press": {"trouble": {"chaos": {"seed": 4}}}}},
            {"do": {"run": {"ms": 5000}}},
            {"do": {"press": {"trouble": "calm"}}},
            {"do": {"until": {"condition": "agreed", "within_ms": 30000}}},
            {"do": {"expect": "safe"}}
        ]
    }"#;
    let scenario: Scenario = serde_json::from_str(text).unwrap();
    let again: Scenario = serde_json::from_str(&serde_json::to_string(&scenario).unwrap()).unwrap();
    assert_eq!(again, scenario);
    let mut player = Player::new(scenario);
    player.run_to_end().unwrap_or_else(|e| panic!("{e}"));
}
