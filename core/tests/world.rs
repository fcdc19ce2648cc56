//! The simulated world as the lab uses it: commands and what is wrong with them, single steps, the picture.

use zebu_core::id::ServerId;
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::spec::{StartMode, WorldSpec};
use zebu_core::sim::view::Shown;
use zebu_core::sim::{CommandError, World};
use zebu_core::time::Instant;

const A: ClientId = ClientId(0);

fn s(id: i64) -> ServerId {
    ServerId(id)
}

fn after(ms: u64) -> Instant {
    Instant(ms * 1000)
}

fn ensemble(servers: u32) -> World {
    let mut world = World::new(WorldSpec { servers, ..WorldSpec::default() });
    world.run_until(after(2000));
    assert!(world.is_agreed(), "{}", world.summary());
    world
}

fn ask(line: &str, via: Option<i64>) -> Command {
    Command::Ask { client: A, line: line.into(), via: via.map(ServerId) }
}

#[test]
fn wrong_commands_say_what_is_wrong_and_change_nothing() {
    let mut world = ensemble(3);
    world.command(&Command::Kill { server: s(1) }).unwrap();
    world.command(&Command::Pause { server: s(2) }).unwrap();
    world.command(&Command::Connect { client: A, server: s(3) }).unwrap();
    let digest = world.digest();
    let both = true;
    for (command, code, words) in [
        (Command::Kill { server: s(7) }, "no-such-server", "there is no server 7: this world has servers 1 to 3"),
        (Command::Kill { server: s(0) }, "no-such-server", "there is no server 0: this world has servers 1 to 3"),
        (Command::Kill { server: s(1) }, "server-down", "server 1 is down: restart it first"),
        (Command::Pause { server: s(1) }, "server-down", "server 1 is down: restart it first"),
        (Command::Restart { server: s(3) }, "server-runs", "server 3 is running already"),
        (Command::Pause { server: s(2) }, "server-frozen", "server 2 is frozen already"),
        (Command::Resume { server: s(3) }, "server-not-frozen", "server 3 is not frozen"),
        (Command::Cut { from: s(1), to: s(1), both }, "link-to-itself", "server 1 has no link to itself"),
        (
            Command::Partition { groups: vec![vec![s(1)], vec![s(2), s(1)]] },
            "in-two-groups",
            "server 1 stands in two groups: name each server once",
        ),
        (
            Command::Connect { client: A, server: s(3) },
            "client-exists",
            "there is a client A already: take another name",
        ),
        (
            Command::KillClient { client: ClientId(1) },
            "no-such-client",
            "there is no client B: connect it to a server first",
        ),
        (ask("creat /a", None), "line-unknown-operation", "there is no operation \"creat\""),
        (ask("get /a", Some(9)), "no-such-server", "there is no server 9"),
    ] {
        let error: CommandError = world.command(&command).unwrap_err();
        assert_eq!(error.code(), code, "{command}");
        assert!(error.to_string().contains(words), "{command}: {error}");
        assert_eq!(world.digest(), digest, "{command} was refused, but changed something");
    }
}

#[test]
fn a_step_is_one_event_and_the_next_is_known_before() {
    let mut world = World::new(WorldSpec::default());
    let mut last = Instant::ZERO;
    for number in 1..=1200 {
        match number {
            500 => world.command(&Command::Cut { from: s(5), to: s(1), both: false }).unwrap(),
            600 => world.command(&Command::Pause { server: s(2) }).unwrap(),
            700 => world.command(&Command::Kill { server: s(3) }).unwrap(),
            _ => {}
        }
        let next = world.view().next.expect("something is due");
        assert_eq!(Some(next.at), world.next_event_time());
        let stepped = world.step().expect("something happens");
        assert_eq!(world.events(), number);
        assert!(stepped.at >= last && world.now() == stepped.at);
        assert!(!next.what.is_empty());
        last = stepped.at;
    }
}

#[test]
fn nothing_happens_in_a_world_without_running_servers() {
    let mut world = World::new(WorldSpec { start: StartMode::None, ..WorldSpec::default() });
    assert_eq!((world.next_event_time(), world.step()), (None, None));
    assert!(world.view().servers.iter().all(|s| s.shown == Shown::Down));
    world.run_until(after(500));
    assert_eq!(world.now(), after(500));
}

#[test]
fn a_clone_goes_the_same_way_and_another_seed_does_not() {
    let mut world = ensemble(5);
    let mut clone = world.clone();
    for w in [&mut world, &mut clone] {
        w.command(&Command::Connect { client: A, server: s(2) }).unwrap();
        w.command(&ask("create /x 1", None)).unwrap();
        w.command(&Command::Kill { server: s(5) }).unwrap();
        w.run_until(after(6000));
    }
    assert_eq!(world.digest(), clone.digest());
    assert_eq!(world.view(), clone.view());
    let mut other = World::new(WorldSpec { seed: 2, ..WorldSpec::default() });
    other.run_until(after(2000));
    assert_ne!(other.digest(), ensemble(5).digest());
}

#[test]
fn what_is_written_through_one_server_is_seen_at_all() {
    let mut world = ensemble(5);
    world.command(&Command::Connect { client: A, server: s(1) }).unwrap();
    for line in
        ["create /x one", "create -s /x/n a", "set /x two -v 0", "set /x three -v 0", "multi create /y ; delete /y"]
    {
        world.command(&ask(line, None)).unwrap();
    }
    world.run_until(after(4000));
    let view = world.view();
    let answers: Vec<_> = view.clients[0].talk.iter().map(|t| (t.answer.as_deref().unwrap_or(""), t.failed)).collect();
    assert_eq!(answers[0], ("/x", false));
    assert_eq!(answers[1], ("/x/n0000000000", false));
    assert!(answers[2].0.starts_with("version 1,") && !answers[2].1, "{answers:?}");
    assert_eq!(answers[3], ("the version does not match", true));
    assert_eq!(answers[4], ("/y ; ok", false));
    for server in &view.servers {
        let x = server.tree.iter().find(|z| z.path == "/x").expect("/x");
        assert_eq!((x.data.as_str(), x.version), ("two", 1), "at server {}", server.id);
        assert_eq!(server.tree_digest, view.servers[0].tree_digest);
        assert!(server.log.iter().all(|cell| cell.synced && cell.committed));
        assert!(server.log.iter().any(|cell| cell.label == "/x=one"), "{:?}", server.log);
    }
}

#[test]
fn a_frozen_server_keeps_its_memory_and_a_killed_one_its_disk() {
    let mut world = ensemble(3);
    world.command(&Command::Connect { client: A, server: s(3) }).unwrap();
    world.command(&ask("create /x 1", None)).unwrap();
    world.run_until(after(3000));
    let at = |world: &World, id: usize| world.view().servers[id - 1].clone();
    let before = at(&world, 1);
    world.command(&Command::Pause { server: s(1) }).unwrap();
    world.run_until(after(3800));
    let frozen = at(&world, 1);
    assert!(frozen.paused);
    assert_eq!((frozen.committed, frozen.shown), (before.committed, Shown::Following));
    world.command(&Command::Resume { server: s(1) }).unwrap();
    world.command(&Command::Kill { server: s(2) }).unwrap();
    let down = at(&world, 2);
    assert_eq!((down.shown, down.synced), (Shown::Down, before.synced));
    world.command(&Command::Restart { server: s(2) }).unwrap();
    world.run_until(after(9000));
    assert!(world.is_agreed(), "{}", world.summary());
}

#[test]
fn a_disk_that_fails_stops_its_server_and_nothing_else() {
    let mut world = ensemble(3);
    world.command(&Command::DiskFail { server: s(1) }).unwrap();
    world.command(&Command::Connect { client: A, server: s(2) }).unwrap();
    world.command(&ask("create /x 1", None)).unwrap();
    world.run_until(after(4000));
    let view = world.view();
    assert_eq!(view.servers[0].shown, Shown::Down);
    assert_eq!(world.last_answer(A), Some(true));
    assert_eq!(world.checks().first(), None);
    world.command(&Command::Restart { server: s(1) }).unwrap();
    world.run_until(after(8000));
    assert!(world.is_agreed(), "{}", world.summary());
}
