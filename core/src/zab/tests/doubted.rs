//! Words that are not taken at their value: votes from before a loss, answers that nobody asked for; and what a
//! second change of members says of the first, and a promise above the epoch of the leader in office.

use super::*;

type Voters = crate::collections::BTreeSet<ServerId>;

#[test]
fn a_vote_from_before_a_loss_elects_nobody() {
    use ServerState::{Following, Leading, Looking};
    for memory in [Memory::Damaged { last: z(4, 5) }, Memory::lost(z(4, 5))] {
        for state in [Looking, Following, Leading] {
            let mut one = One::forgetful(4, memory);
            // Both others still show the vote for this server.
            let first = one.hear(2, note(state, 1, (4, z(4, 5)), 3));
            let second = one.hear(3, note(state, 1, (4, z(4, 5)), 3));
            let said = one.wait(Duration::from_secs(1));
            let all: Vec<_> = first.into_iter().chain(second).chain(said).collect();
            assert!(votes_for(&all).iter().all(|leader| *leader == ServerId::NONE), "{memory:?}, {state:?}: {all:?}");
            assert_eq!((one.peer.state(), dials(&all)), (Looking, false), "{memory:?}, {state:?}");
        }
        // Even if it were: its history is cut out of nobody's.
        let mut one = One::forgetful(4, memory);
        let mut fx = Effects::quiet();
        one.peer.with(Now { mono: one.now, wall_ms: 0 }, &mut fx, &mut one.host, |peer, cx| {
            peer.take_role(ServerId(1), cx);
        });
        assert_eq!(one.peer.state(), Looking, "{memory:?}");
    }
}

#[test]
fn whoever_takes_its_own_vote_back_is_elected_no_more() {
    let mut one = One::start(ME, Zxid::ZERO, &[z(4, 5)]);
    one.hear(3, note(ServerState::Looking, 3, (4, z(4, 5)), 1));
    assert_eq!((one.peer.vote().leader, one.peer.round()), (ServerId(3), 1));
    // It has restarted, and can't read all of its history.
    let said = one.hear(3, note(ServerState::Looking, ServerId::NONE.0, (4, z(4, 5)), 1));
    assert_eq!((one.peer.vote().leader, one.peer.round()), (ServerId(ME), 2));
    assert!(notified(&said).contains(&1) && notified(&said).contains(&3), "{said:?}");
    // What the others adopt from each other is nothing of that kind.
    one.hear(3, note(ServerState::Looking, 3, (4, z(4, 6)), 2));
    one.hear(1, note(ServerState::Looking, 1, (4, z(4, 5)), 2));
    assert_eq!((one.peer.vote().leader, one.peer.round()), (ServerId(3), 2));
}

#[test]
fn what_is_no_question_is_not_answered() {
    // Two servers of an old configuration, neither of which is a member any more.
    let mut observer = One::start(4, Zxid::ZERO, &[]);
    assert_eq!(notified(&observer.hear(7, note(ServerState::Looking, 7, (0, Zxid::ZERO), 1))), []);
    let mut leader = One::start(ME, Zxid::ZERO, &[]);
    leader.lead();
    for (state, answered) in [(ServerState::Looking, &[7][..]), (ServerState::Following, &[])] {
        assert_eq!(notified(&leader.hear(7, note(state, 7, (0, Zxid::ZERO), 1))), answered, "{state:?}");
    }
}

/// A server whose promise is above the epoch of the leader in office comes late to each election: the leader does not
/// have to hear of it twice.
#[test]
fn a_higher_promise_costs_one_election_and_not_more() {
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    assert_eq!(one.lead(), Epoch(1));
    one.step(Input::Accepted { conn: ConnId(9) });
    one.packet(9, PeerMsg::FollowerInfo { accepted: Epoch(7), info: info(3) });
    assert_eq!(one.peer.state(), ServerState::Looking);
    assert_eq!(one.lead(), Epoch(8));
    one.step(Input::Accepted { conn: ConnId(10) });
    let said = one.packet(10, PeerMsg::FollowerInfo { accepted: Epoch(7), info: info(3) });
    assert_eq!(sent(&said), [PeerMsg::LeaderInfo { epoch: Epoch(8), protocol: 0x10000 }]);
}

/// Servers that vote, each at a place of its own.
fn text(ids: &[i64]) -> String {
    ids.iter().map(|id| format!("server.{id}=s{id}:1:2:participant\n")).collect()
}

fn voters(ids: &[i64]) -> Voters {
    ids.iter().copied().map(ServerId).collect()
}

/// Server `me` with these members, which may change, and this log, in epoch 1.
fn among(me: i64, members: &str, entries: &[(Zxid, Bytes)]) -> One {
    let mut config = Config::new(ServerId(me), Ensemble::parse(members).unwrap());
    config.reconfig = crate::config::Reconfig::Enabled { least: 2 };
    let (now, mut host) = (Instant::ZERO, Applied::default());
    let both = Now { mono: now, wall_ms: 0 };
    let history = History::new(Zxid::ZERO, entries.iter().cloned());
    let epochs = (Epoch(1), Epoch(1));
    let peer = Peer::start(config, epochs, history, Memory::Whole, both, &mut Effects::new(), &mut host);
    One { peer, host, now, syncs: true }
}

fn in_force(one: &One) -> Vec<Voters> {
    one.peer.members().in_force().map(|e| e.voters().collect()).collect()
}

/// While it joins, server 3 logs a change of members and a second one, and is told of neither's commit. The second
/// was proposed, so the first is committed: from then on the quorums are those of the first and the second.
#[test]
fn a_second_change_says_that_the_first_is_committed() {
    let (first, second) = (z(1, 1), z(1, 2));
    let txns = [(first, Bytes::from(text(&[1, 2, 4]))), (second, Bytes::from(text(&[2, 4, 5])))];
    let start = |entries| among(ME, &text(&[1, 2, 3]), entries);

    let mut joining = start(&[]);
    joining.follow(1, 2);
    joining.packet(1, PeerMsg::Diff { target: second });
    for (zxid, txn) in &txns {
        joining.packet(1, PeerMsg::Proposal { zxid: *zxid, txn: txn.clone() });
    }
    assert_eq!(in_force(&joining), [voters(&[1, 2, 4]), voters(&[2, 4, 5])]);
    // Nor does it forget that by a restart.
    assert_eq!(in_force(&start(&txns)), [voters(&[1, 2, 4]), voters(&[2, 4, 5])]);
    assert_eq!(in_force(&start(&txns[..1])), [voters(&[1, 2, 3]), voters(&[1, 2, 4])]);
}

/// Server 4 observes. NEWLEADER tells it of a change, which is not committed and which it gets no proposal of; the next
/// leader has never heard of it, and goes on.
#[test]
fn a_change_that_was_only_heard_of_is_not_committed_by_what_comes_later() {
    let members = format!("{}server.4=s4:1:2:observer\n", text(&[1, 2, 3]));
    let changed = format!("{members}server.5=s5:1:2:observer\nversion={:x}\n", z(1, 5).0);
    let log = [(z(1, 4), Bytes::new())];
    let mut observer = among(4, &members, &log);
    let before = observer.peer.members().committed.clone();
    let observe = |one: &mut One, conn, epoch| {
        for voter in [2, 3] {
            one.hear(voter, note(ServerState::Looking, 3, (epoch, z(epoch, 1)), one.peer.round()));
        }
        one.wait(Duration::from_millis(200));
        assert_eq!(one.peer.leader(), Some(ServerId(3)));
        one.meet(conn, epoch);
    };
    observe(&mut observer, 1, 1);
    observer.packet(1, PeerMsg::Diff { target: z(1, 4) });
    observer.packet(1, PeerMsg::NewLeader { epoch: Epoch(1), config: changed });
    assert!(observer.peer.members().proposed.is_some(), "it has heard of it");
    observer.packet(1, PeerMsg::UpToDate);
    observer.step(Input::Closed { conn: ConnId(1) });

    observe(&mut observer, 2, 2);
    observer.packet(2, PeerMsg::Diff { target: z(2, 1) });
    observer.packet(2, PeerMsg::Proposal { zxid: z(2, 1), txn: Bytes::new() });
    observer.packet(2, PeerMsg::Commit { zxid: z(2, 1) });
    observer.packet(2, PeerMsg::NewLeader { epoch: Epoch(2), config: before.text() });
    observer.packet(2, PeerMsg::UpToDate);
    assert_eq!(observer.host.0.last(), Some(&z(2, 1)));
    assert_eq!((&observer.peer.members().committed, &observer.peer.members().proposed), (&before, &None));
}

#[test]
fn members_of_another_ensemble_are_not_believed() {
    // Nobody is where one of ours was.
    let gone = |more: &str| format!("{more}server.7=x7:1:2\nserver.8=x8:1:2\nversion={:x}\n", z(1, 7).0);
    let far = |version: i64| format!("{}version={version:x}\n", text(&[1, 2, 5]));
    for (from, config, believed) in [
        (1, far(z(1, 7).0), true),
        (5, far(z(1, 7).0), true),
        // It was removed.
        (3, far(z(1, 7).0), true),
        (3, gone(""), true),
        (1, gone("server.1=x1:1:2\n"), false),
        (6, gone(""), false),
        // Nobody has come so far.
        (1, far(i64::MAX), false),
        // Nothing new.
        (1, far(0), false),
    ] {
        let mut one = among(ME, &text(&[1, 2, 3]), &[(z(1, 4), Bytes::new())]);
        let told = Notification { config: config.clone(), ..note(ServerState::Looking, 1, (1, z(1, 4)), 1) };
        one.hear(from, told);
        let expected =
            if believed { Ensemble::parse(&config).unwrap() } else { Ensemble::parse(&text(&[1, 2, 3])).unwrap() };
        assert_eq!(in_force(&one), [expected.voters().collect::<Voters>()], "server {from} tells of {config}");
    }
}
