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

/// While it joins, server 3 logs a change of members and a second one, and is told of neither's commit. The second
/// was proposed, so the first is committed: from then on the quorums are those of the first and the second.
#[test]
fn a_second_change_says_that_the_first_is_committed() {
    let text = |ids: &[i64]| ids.iter().map(|id| format!("server.{id}=s{id}:1:2:participant\n")).collect::<String>();
    let voters = |ids: &[i64]| ids.iter().copied().map(ServerId).collect::<Voters>();
    let (first, second) = (z(1, 1), z(1, 2));
    let txns = [(first, Bytes::from(text(&[1, 2, 4]))), (second, Bytes::from(text(&[2, 4, 5])))];
    let mut config = Config::new(ServerId(ME), Ensemble::parse(&text(&[1, 2, 3])).unwrap());
    config.reconfig = crate::config::Reconfig::Enabled { least: 2 };
    let start = |entries: &[(Zxid, Bytes)]| {
        let (now, mut host) = (Instant::ZERO, Applied::default());
        let both = Now { mono: now, wall_ms: 0 };
        let history = History::new(Zxid::ZERO, entries.iter().cloned());
        let epochs = (Epoch(1), Epoch(1));
        let peer = Peer::start(config.clone(), epochs, history, Memory::Whole, both, &mut Effects::new(), &mut host);
        One { peer, host, now, syncs: true }
    };
    let in_force =
        |one: &One| one.peer.members().in_force().map(|e| e.voters().collect::<Voters>()).collect::<Vec<_>>();

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
