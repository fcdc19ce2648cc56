//! Members that change while the ensemble runs, in the simulated world.

use zebu_core::config::{BrokenRule, MemberKind};
use zebu_core::error::ZkError;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::note::{Note, StandDown};
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::spec::WorldSpec;
use zebu_core::sim::view::Shown;
use zebu_core::sim::{CommandError, World};
use zebu_core::trace::{TraceEvent, TraceRecord};
use zebu_core::wire::client::EventKind;

const A: ClientId = ClientId(0);
const VOTES: MemberKind = MemberKind::Participant;
const OBSERVES: MemberKind = MemberKind::Observer;

struct Lab {
    world: World,
    records: Vec<TraceRecord>,
}

fn s(id: i64) -> ServerId {
    ServerId(id)
}

fn ids(servers: &[i64]) -> Vec<ServerId> {
    servers.iter().copied().map(ServerId).collect()
}

impl Lab {
    /// An ensemble at rest whose members may change, with client A at server 1.
    fn new(servers: u32, observers: u32) -> Lab {
        let world = World::new(WorldSpec { servers, observers, reconfig: true, ..WorldSpec::default() });
        let mut lab = Lab { world, records: Vec::new() };
        lab.settle();
        lab.press(&Command::Connect { client: A, server: s(1) });
        lab.pass(200);
        lab
    }

    fn press(&mut self, command: &Command) {
        self.world.command(command).unwrap_or_else(|e| panic!("{command}: {e}"));
    }

    fn pass(&mut self, ms: u64) {
        self.world.run_until(self.world.now() + std::time::Duration::from_millis(ms));
        self.records.extend(self.world.trace());
        assert_eq!(self.world.checks().first(), None);
    }

    /// Until all servers agree.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.pass(50);
            if self.world.is_agreed() {
                return;
            }
        }
        panic!("{}", self.world.summary());
    }

    fn reconfig(&mut self, join: &[(i64, MemberKind)], leave: &[i64]) {
        let join = join.iter().map(|(id, kind)| (s(*id), *kind)).collect();
        self.press(&Command::Reconfig { client: A, join, leave: ids(leave) });
    }

    /// The error that the last request was answered with.
    fn told(&self) -> Option<ZkError> {
        let answers = self.records.iter().rev().filter_map(|r| match &r.event {
            TraceEvent::Answered { error, .. } => Some(*error),
            _ => None,
        });
        answers.into_iter().next().expect("an answer")
    }

    /// What every running server knows: voters and observers in force, and whether a change is open.
    fn known(&self) -> Vec<(Vec<ServerId>, Vec<ServerId>, bool)> {
        let view = self.world.view();
        let running = view.servers.into_iter().filter(|server| server.shown != Shown::Down);
        let members = running.map(|server| server.inside.members.expect("members"));
        members.map(|m| (m.committed.voters, m.committed.observers, m.proposed.is_some())).collect()
    }

    fn agree_on(&mut self, voters: &[i64], observers: &[i64]) {
        self.settle();
        for known in self.known() {
            assert_eq!(known, (ids(voters), ids(observers), false));
        }
    }

    fn shown(&self, id: i64) -> Shown {
        self.world.view().servers[id as usize - 1].shown
    }

    fn notes(&self) -> impl Iterator<Item = (ServerId, &Note)> {
        self.records.iter().filter_map(|r| match &r.event {
            TraceEvent::Note { server, what } => Some((*server, what)),
            _ => None,
        })
    }

    fn ask(&mut self, line: &str) {
        self.press(&Command::Ask { client: A, line: line.into(), via: None });
    }
}

#[test]
fn from_three_to_five_and_back() {
    let mut lab = Lab::new(3, 0);
    let first = lab.world.members().committed;
    assert_eq!(first.version(), Zxid::new(zebu_core::id::Epoch(1), 0).0, "the first leader has named it");
    for _ in 0..2 {
        lab.press(&Command::NewServer);
        lab.settle();
    }
    // They follow and do not count.
    assert_eq!((lab.shown(4), lab.shown(5)), (Shown::Following, Shown::Following));
    lab.agree_on(&[1, 2, 3], &[]);
    lab.reconfig(&[(4, VOTES), (5, VOTES)], &[]);
    lab.agree_on(&[1, 2, 3, 4, 5], &[]);
    assert_eq!(lab.told(), None);
    let changed =
        lab.notes().filter(|(_, note)| matches!(note, Note::MembersProposed { version, .. } if version.counter() > 0));
    assert_eq!(changed.count(), 5, "all five had it in their logs before it was in force");
    lab.reconfig(&[], &[1, 2]);
    lab.agree_on(&[3, 4, 5], &[]);
    // A removed server goes on as a follower, and its client's write counts like all others.
    assert_eq!(lab.shown(1), Shown::Following);
    lab.ask("create /still here");
    lab.settle();
    assert_eq!(lab.told(), None);
    // Two of the three that are left are a quorum, those that were removed are not.
    lab.press(&Command::Kill { server: s(3) });
    lab.press(&Command::Kill { server: s(4) });
    lab.pass(8000);
    assert_eq!(lab.world.leader(), None);
    lab.press(&Command::Restart { server: s(4) });
    lab.pass(5000);
    assert!(lab.world.leader().is_some());
}

#[test]
fn quorums_are_those_of_both_while_a_change_is_open() {
    let mut lab = Lab::new(3, 0);
    lab.press(&Command::NewServer);
    lab.press(&Command::NewServer);
    lab.settle();
    // Once asked, 4 and 5 are cut off from the leader: the old members alone may not decide that they vote.
    lab.reconfig(&[(4, VOTES), (5, VOTES)], &[2]);
    while !lab.known().iter().any(|(_, _, open)| *open) {
        lab.pass(1);
    }
    lab.press(&Command::Partition { groups: vec![ids(&[4, 5])] });
    lab.pass(1500);
    let leader = lab.world.leader().unwrap();
    let view = lab.world.view();
    let members = view.servers[leader.0 as usize - 1].inside.members.clone().unwrap();
    assert_eq!((members.committed.voters, members.proposed.unwrap().voters), (ids(&[1, 2, 3]), ids(&[1, 3, 4, 5])));
    lab.ask("create /behind it");
    lab.pass(500);
    assert_eq!(lab.world.open_requests(A), 2, "nothing behind it commits either");
    lab.press(&Command::HealAll);
    lab.agree_on(&[1, 3, 4, 5], &[]);
}

#[test]
fn a_leader_that_is_removed_hands_over_without_an_election() {
    let mut lab = Lab::new(5, 0);
    let leader = lab.world.leader().unwrap();
    lab.ask("create /a 1");
    lab.settle();
    lab.records.clear();
    lab.reconfig(&[], &[leader.0]);
    let rest: Vec<i64> = (1..=5).filter(|id| *id != leader.0).collect();
    lab.pass(100);
    lab.agree_on(&rest, &[]);
    let heir = lab.world.leader().unwrap();
    assert_ne!(heir, leader);
    assert!(lab.notes().any(|(at, note)| at == leader && *note == Note::HandsOver { to: heir }));
    assert!(!lab.notes().any(|(_, note)| matches!(note, Note::ElectionStarted { .. })), "nobody looked for a leader");
    assert_eq!(lab.shown(leader.0), Shown::Following);
    lab.ask("set /a 2");
    lab.settle();
    assert_eq!(lab.told(), None);
}

#[test]
fn an_observer_becomes_a_voter_and_a_voter_an_observer() {
    let mut lab = Lab::new(3, 1);
    assert_eq!(lab.shown(4), Shown::Observing);
    lab.reconfig(&[(4, VOTES), (1, OBSERVES)], &[]);
    lab.pass(300);
    lab.agree_on(&[2, 3, 4], &[1]);
    assert_eq!((lab.shown(4), lab.shown(1)), (Shown::Following, Shown::Observing));
    let stood = lab.notes().filter(|(_, n)| matches!(n, Note::StoodDown { why: StandDown::Reconfigured })).count();
    assert_eq!(stood, 2, "both came back in their new role");
    // A leader that becomes an observer hands over too.
    let leader = lab.world.leader().unwrap();
    lab.reconfig(&[(leader.0, OBSERVES)], &[]);
    lab.pass(300);
    lab.settle();
    assert_eq!(lab.shown(leader.0), Shown::Observing);
}

#[test]
fn what_a_server_knows_of_the_members_survives_it() {
    let mut lab = Lab::new(3, 0);
    lab.press(&Command::NewServer);
    lab.settle();
    lab.press(&Command::Kill { server: s(2) });
    lab.pass(3000);
    lab.reconfig(&[(4, VOTES)], &[2]);
    lab.pass(1000);
    for id in [1, 3, 4] {
        lab.press(&Command::Kill { server: s(id) });
    }
    // 2 has slept through all that and knows the former members only; 3 alone is no quorum of theirs with it.
    lab.press(&Command::Restart { server: s(2) });
    lab.press(&Command::Restart { server: s(3) });
    lab.pass(5000);
    assert_eq!(lab.world.leader(), None);
    assert_eq!(lab.known(), [(ids(&[1, 3, 4]), vec![], false), (ids(&[1, 3, 4]), vec![], false)], "2 was told by 3");
    lab.press(&Command::Restart { server: s(4) });
    lab.pass(5000);
    assert_ne!(lab.world.leader(), None);
    lab.press(&Command::Restart { server: s(1) });
    lab.agree_on(&[1, 3, 4], &[]);
}

#[test]
fn a_change_is_seen_in_the_znode_and_by_its_watches() {
    let mut lab = Lab::new(3, 1);
    lab.ask("get -w /zookeeper/config");
    lab.pass(200);
    lab.reconfig(&[], &[4]);
    lab.settle();
    let fired = lab.records.iter().any(|r| {
        matches!(&r.event, TraceEvent::WatchFired { client: A, kind: EventKind::DataChanged, path } if path == "/zookeeper/config")
    });
    assert!(fired);
    let text = lab.world.members().committed.text();
    for server in lab.world.view().servers {
        let node = server.tree.into_iter().find(|node| node.path == "/zookeeper/config").unwrap();
        assert!(
            text.starts_with(node.data.trim_matches(['"', '…'])) || node.data.contains("server.1="),
            "{}",
            node.data
        );
        assert_eq!((node.mzxid.0, node.version), (lab.world.members().committed.version(), -1));
    }
}

#[test]
fn requests_that_can_not_be_met() {
    for (join, leave, error) in [
        (&[][..], &[2, 3][..], ZkError::BadArguments),
        (&[(4, VOTES)], &[1, 2, 3], ZkError::BadArguments),
        (&[(4, VOTES), (5, VOTES)], &[1, 2, 3], ZkError::NewConfigNoQuorum),
    ] {
        let mut lab = Lab::new(3, 0);
        for id in [4, 5] {
            lab.press(&Command::NewServer);
            lab.settle();
            lab.press(&Command::Kill { server: s(id) });
            // The next one starts while this one is down: agreement is of those that run.
            lab.press(&Command::Restart { server: s(id) });
            lab.settle();
        }
        lab.press(&Command::Kill { server: s(4) });
        lab.pass(100);
        lab.reconfig(join, leave);
        lab.pass(500);
        assert_eq!(lab.told(), Some(error), "{join:?} {leave:?}");
        assert_eq!(lab.world.members().committed.voters().collect::<Vec<_>>(), ids(&[1, 2, 3]));
    }
    // While a change is open there is no other; afterwards the same one only raises the version.
    let mut lab = Lab::new(3, 0);
    lab.reconfig(&[], &[]);
    lab.reconfig(&[], &[]);
    lab.pass(500);
    assert_eq!(lab.told(), Some(ZkError::ReconfigInProgress));
    lab.reconfig(&[], &[]);
    lab.agree_on(&[1, 2, 3], &[]);
    assert_eq!(lab.told(), None);
}

#[test]
fn only_worlds_made_for_it_change_their_members() {
    let mut world = World::new(WorldSpec { servers: 3, ..WorldSpec::default() });
    world.run_until(zebu_core::time::Instant(2_000_000));
    world.command(&Command::Connect { client: A, server: s(1) }).unwrap();
    let change = Command::Reconfig { client: A, join: vec![], leave: ids(&[1]) };
    let all = Command::ReplaceMembers { client: A, members: vec![(s(1), VOTES)] };
    for command in [Command::NewServer, change, all] {
        assert_eq!(world.command(&command), Err(CommandError::FixedMembers), "{command}");
    }
    let mut lab = Lab::new(9, 0);
    lab.press(&Command::NewServer);
    lab.press(&Command::NewServer);
    assert_eq!(lab.world.command(&Command::NewServer), Err(CommandError::TooManyServers { most: 11 }));
    let unknown = Command::Reconfig { client: A, join: vec![(s(12), VOTES)], leave: vec![] };
    assert_eq!(lab.world.command(&unknown), Err(CommandError::NoSuchServer { server: s(12), servers: 11 }));
}

#[test]
fn a_whole_list_replaces_the_members() {
    let mut lab = Lab::new(5, 0);
    let members = vec![(s(2), VOTES), (s(3), VOTES), (s(5), OBSERVES)];
    lab.press(&Command::ReplaceMembers { client: A, members });
    lab.pass(300);
    lab.agree_on(&[2, 3], &[5]);
}

/// The checks see it when the old members alone decide.
#[test]
fn the_old_quorum_alone_is_found_out() {
    let mut lab = Lab::new(3, 0);
    lab.press(&Command::NewServer);
    lab.press(&Command::NewServer);
    lab.settle();
    lab.press(&Command::Break { rule: Some(BrokenRule::OldQuorumOnly) });
    lab.reconfig(&[(4, VOTES), (5, VOTES)], &[2]);
    while !lab.known().iter().any(|(_, _, open)| *open) {
        lab.pass(1);
    }
    lab.press(&Command::Partition { groups: vec![ids(&[4, 5])] });
    lab.world.run_until(lab.world.now() + std::time::Duration::from_millis(1500));
    let broken = lab.world.checks().first().map(|(rule, _)| rule.name());
    assert_eq!(broken, Some("quorum-before-commit"));
}
