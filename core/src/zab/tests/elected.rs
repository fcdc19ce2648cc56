//! From the votes to the office: when an election ends, and whom the elected one needs.

use super::*;

impl One {
    /// Starts server 2, whose elections settle early, with a log.
    fn hasty(zxids: &[Zxid]) -> One {
        let mut one = One::start(ME, Zxid::ZERO, zxids);
        one.peer.ground.config.settles_early = true;
        one
    }

    fn agrees(&mut self, from: i64) {
        let Vote { epoch, zxid, leader } = self.peer.vote();
        self.hear(from, note(ServerState::Looking, leader.0, (epoch.0, zxid), self.peer.round()));
    }

    /// Whether the election is over without any more waiting.
    fn is_over(&mut self) -> bool {
        self.step(Input::Tick);
        self.peer.state() != ServerState::Looking
    }
}

#[test]
fn an_election_is_over_when_nobody_is_left_who_could_vote_better() {
    // All agree.
    let mut one = One::hasty(&[]);
    one.agrees(1);
    assert!(!one.is_over(), "3 may have a better vote");
    one.agrees(3);
    assert!(one.is_over());
    // One is gone, whether that is known before the others agree or after.
    for known_first in [true, false] {
        let mut one = One::hasty(&[]);
        let order = if known_first { [true, false] } else { [false, true] };
        for refused in order {
            assert!(!one.is_over());
            if refused {
                one.step(Input::Refused { by: ServerId(3) });
            } else {
                one.agrees(1);
            }
        }
        assert!(one.is_over());
        assert_eq!(one.peer.state(), ServerState::Leading);
    }
}

#[test]
fn an_election_waits_as_long_as_somebody_could_vote_better() {
    // Without a quorum nothing is over, whoever is gone.
    let mut one = One::hasty(&[]);
    one.step(Input::Refused { by: ServerId(1) });
    one.step(Input::Refused { by: ServerId(3) });
    one.wait(Duration::from_secs(1));
    assert_eq!(one.peer.state(), ServerState::Looking);
    // Who was gone is there again, and has more.
    let mut one = One::hasty(&[]);
    one.step(Input::Refused { by: ServerId(3) });
    one.hear(3, note(ServerState::Looking, 3, (0, z(0, 7)), 1));
    one.agrees(1);
    assert_eq!(one.peer.vote().leader, ServerId(3));
    assert!(one.is_over(), "all three agree on the one that came back");
    assert_eq!(one.peer.leader(), Some(ServerId(3)));
    // It came back and has said nothing of this round yet.
    let mut one = One::hasty(&[]);
    one.step(Input::Refused { by: ServerId(3) });
    one.hear(3, note(ServerState::Looking, 3, (0, z(0, 7)), 0));
    one.agrees(1);
    assert!(!one.is_over());
    // An observer's absence or presence is nothing.
    let mut one = One::hasty(&[]);
    one.step(Input::Refused { by: ServerId(4) });
    one.agrees(1);
    assert!(!one.is_over());
    // And where elections do not settle early, none of that counts.
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    one.agrees(1);
    one.agrees(3);
    one.step(Input::Refused { by: ServerId(3) });
    assert!(!one.is_over());
    one.wait(Duration::from_millis(200));
    assert_eq!(one.peer.state(), ServerState::Leading);
}

#[test]
fn who_has_not_waited_dials_for_that_time_longer() {
    for (settles_early, tries) in [(false, 5), (true, 7)] {
        let mut one = One::hasty(&[]);
        one.peer.ground.config.settles_early = settles_early;
        let mut said = one.hear(3, note(ServerState::Looking, 3, (0, z(0, 7)), 1));
        said.extend(one.hear(1, note(ServerState::Looking, 3, (0, z(0, 7)), 1)));
        said.extend(one.wait(Duration::from_millis(200)));
        let mut dialled = 0;
        while dials(&said) {
            dialled += 1;
            one.step(Input::DialFailed { to: ServerId(3) });
            said = one.wait(Duration::from_millis(100));
        }
        assert_eq!((dialled, one.peer.state()), (tries, ServerState::Looking));
    }
}

/// Elected in haste, or by who could not hear better: the quorum that the leader needs for its epoch has nobody in it
/// whose history is longer. (As in Apache, whose leader waits for the others until `initLimit` runs out.)
#[test]
fn a_follower_with_a_longer_history_is_in_no_quorum_that_makes_a_leader() {
    let ahead = |last: Zxid, current: i64| PeerMsg::AckEpoch { last, current: Some(Epoch(current)) };
    for (last, current) in [(z(3, 8), 3), (z(3, 2), 4)] {
        let mut one = One::start(ME, Zxid::ZERO, &[z(3, 7)]);
        one.win();
        one.step(Input::Accepted { conn: ConnId(3) });
        one.packet(3, PeerMsg::FollowerInfo { accepted: Epoch(4), info: info(3) });
        assert_eq!(dropped(&one.packet(3, ahead(last, current))), [3]);
        assert_eq!(one.peer.phase(), PhaseName::Discovery);
        // Without anybody else this leader gives up soon.
        let mut alone = One { peer: one.peer.clone(), host: Applied::default(), now: one.now, syncs: true };
        alone.wait(Duration::from_millis(1999));
        assert_eq!(alone.peer.state(), ServerState::Leading);
        alone.wait(Duration::from_millis(1));
        assert_eq!(alone.peer.state(), ServerState::Looking);
        // With one that has no more it comes into office: what the other one has beyond that was never committed, and is
        // cut off.
        one.join(1, 1, z(3, 7));
        one.packet(1, PeerMsg::Ack { zxid: z(5, 0) });
        assert_eq!(one.peer.phase(), PhaseName::Broadcast);
        one.step(Input::Accepted { conn: ConnId(4) });
        one.packet(4, PeerMsg::FollowerInfo { accepted: Epoch(4), info: info(3) });
        let said = sent(&one.packet(4, ahead(z(3, 8), current)));
        assert_eq!(said[0], PeerMsg::Trunc { to: z(3, 7) });
    }
}

/// Who has promised this epoch before, perhaps to another leader, is compared with nobody and counts for nothing.
#[test]
fn a_promise_made_before_makes_no_leader() {
    let mut one = One::start(ME, Zxid::ZERO, &[z(3, 7)]);
    one.win();
    one.step(Input::Accepted { conn: ConnId(1) });
    one.packet(1, PeerMsg::FollowerInfo { accepted: Epoch(3), info: info(1) });
    let said = one.packet(1, PeerMsg::AckEpoch { last: z(3, 9), current: None });
    assert_eq!((dropped(&said), one.peer.phase()), (Vec::new(), PhaseName::Discovery));
    one.join(3, 3, z(3, 7));
    assert_eq!(one.peer.phase(), PhaseName::Synchronization);
}

/// A disk that has everything is no less whole because the connection ended before it could be said.
#[test]
fn what_a_leader_gave_is_remembered_though_the_leader_is_gone() {
    let mut one = One::forgetful(0, Memory::Blank);
    for from in [2, 3] {
        one.hear(from, note(ServerState::Looking, 3, (0, Zxid::ZERO), 1));
    }
    one.wait(Duration::from_millis(200));
    one.meet(1, 1);
    one.packet(1, PeerMsg::Snap { zxid: z(1, 3), body: Bytes::new() });
    one.syncs = false;
    one.packet(1, PeerMsg::NewLeader { epoch: Epoch(1), config: String::new() });
    one.step(Input::Closed { conn: ConnId(1) });
    assert_eq!((one.peer.ground.memory, one.peer.state()), (Memory::Blank, ServerState::Looking));
    let upto = one.peer.ground.last_lsn;
    one.step(Input::Synced { upto });
    one.hear(2, note(ServerState::Looking, 2, (1, z(1, 3)), 2));
    assert_eq!((one.peer.ground.memory, one.peer.vote().leader), (Memory::Whole, ServerId(2)));
}

#[test]
fn who_votes_for_nobody_goes_down_to_the_round_of_those_who_do() {
    for (memory, joins) in [(Memory::Damaged { last: z(4, 5) }, true), (Memory::lost(z(4, 5)), false)] {
        let mut one = One::forgetful(4, memory);
        // Rounds went by in which it found nobody.
        one.hear(3, note(ServerState::Looking, 2, (3, z(3, 1)), 9));
        assert_eq!(one.peer.round() == 9, joins, "{memory:?}");
        one.hear(2, note(ServerState::Looking, 2, (4, z(4, 5)), 1));
        assert_eq!((one.peer.vote().leader == ServerId(2), one.peer.round()), (joins, 1), "{memory:?}");
    }
}
