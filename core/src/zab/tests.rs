//! One server against a scripted outside: interleavings, and words that no honest peer says.

mod doubted;
mod elected;

use super::*;
use crate::config::{Ensemble, Member, MemberKind};
use crate::wire::peer::LearnerInfo;
use core::time::Duration;

/// A state that is nothing but the list of what was applied.
#[derive(Default)]
struct Applied(Vec<Zxid>);

impl Host for Applied {
    fn apply(&mut self, zxid: Zxid, _txn: &Bytes, _fx: &mut Effects) {
        self.0.push(zxid);
    }
    fn snapshot(&mut self, _ahead: &[Entry]) -> Bytes {
        Bytes::from_static(b"state")
    }
    fn install(&mut self, _zxid: Zxid, _body: &Bytes) -> Result<(), String> {
        Ok(())
    }
    fn empty(&self) -> Bytes {
        Bytes::new()
    }
    fn membership_in(&self, txn: &Bytes) -> Option<String> {
        core::str::from_utf8(txn).ok().filter(|text| text.starts_with("server.")).map(Into::into)
    }
}

struct One {
    peer: Peer,
    host: Applied,
    now: Instant,
    /// Whether storage is as fast as it is asked.
    syncs: bool,
}

const ME: i64 = 2;

fn z(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// Voters 1, 2 and 3, observer 4.
fn ensemble() -> Ensemble {
    let member = |id| {
        let kind = if id < 4 { MemberKind::Participant } else { MemberKind::Observer };
        (ServerId(id), Member::new(kind, format!("s{id}:2888:3888")))
    };
    Ensemble::new((1..=4).map(member).collect())
}

fn info(server: i64) -> LearnerInfo {
    LearnerInfo { server: ServerId(server), protocol: crate::wire::peer::PROTOCOL_VERSION, config_version: 0 }
}

fn note(state: ServerState, leader: i64, (epoch, zxid): (i64, Zxid), round: i64) -> Notification {
    let vote = Vote { epoch: Epoch(epoch), zxid, leader: ServerId(leader) };
    Notification { state, vote, round, version: 2, config: String::new() }
}

impl One {
    /// Starts server `me` with a log of `zxids` above a snapshot at `base`; its epochs are those of the log's end.
    fn start(me: i64, base: Zxid, zxids: &[Zxid]) -> One {
        let history = History::new(base, zxids.iter().map(|zxid| (*zxid, Bytes::new())));
        let epoch = history.last().epoch();
        let config = Config::new(ServerId(me), ensemble());
        let (now, mut host) = (Instant::ZERO, Applied::default());
        let now_both = Now { mono: now, wall_ms: 0 };
        let peer =
            Peer::start(config, (epoch, epoch), history, Memory::Whole, now_both, &mut Effects::new(), &mut host);
        One { peer, host, now, syncs: true }
    }

    /// What comes of `input`, without notes. Storage answers if it is to.
    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut said = Vec::new();
        let mut inputs = alloc::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut fx = Effects::quiet();
            self.peer.step(Now { mono: self.now, wall_ms: 0 }, input, &mut fx, &mut self.host);
            for effect in fx.drain() {
                match effect {
                    Effect::Store { lsn, .. } if self.syncs => inputs.push_back(Input::Synced { upto: lsn }),
                    _ => {}
                }
                said.push(effect);
            }
        }
        said
    }

    fn packet(&mut self, conn: u64, msg: PeerMsg) -> Vec<Effect> {
        self.step(Input::Packet { conn: ConnId(conn), msg })
    }

    fn hear(&mut self, from: i64, note: Notification) -> Vec<Effect> {
        self.step(Input::Notification { from: ServerId(from), note })
    }

    fn wait(&mut self, time: Duration) -> Vec<Effect> {
        self.now = self.now + time;
        self.step(Input::Tick)
    }

    /// Wins an election with the vote of server 1.
    fn win(&mut self) {
        let Vote { epoch, zxid, leader } = self.peer.vote();
        self.hear(1, note(ServerState::Looking, leader.0, (epoch.0, zxid), self.peer.round()));
        self.wait(Duration::from_millis(200));
        assert_eq!(self.peer.state(), ServerState::Leading);
    }

    /// Brings a learner with the log's end `last` to where NEWLEADER is sent.
    fn join(&mut self, conn: u64, server: i64, last: Zxid) -> Vec<Effect> {
        self.step(Input::Accepted { conn: ConnId(conn) });
        let accepted = last.epoch();
        self.packet(conn, PeerMsg::FollowerInfo { accepted, info: info(server) });
        self.packet(conn, PeerMsg::AckEpoch { last, current: Some(last.epoch()) })
    }

    /// Leads, with server 1 in sync on connection 1. Returns the epoch.
    fn lead(&mut self) -> Epoch {
        self.win();
        let last = self.peer.ground.history.last();
        self.join(1, 1, last);
        let epoch = self.peer.epoch();
        self.packet(1, PeerMsg::Ack { zxid: epoch.start() });
        assert_eq!(self.peer.phase(), PhaseName::Broadcast);
        epoch
    }

    fn propose(&mut self) -> Zxid {
        let now = Now { mono: self.now, wall_ms: 0 };
        let mut fx = Effects::quiet();
        let zxid = self.peer.next_zxid(now, &mut fx, &mut self.host).unwrap();
        self.peer.propose(now, &mut fx, &mut self.host, zxid, Bytes::new());
        for effect in fx.drain().collect::<Vec<_>>() {
            if let Effect::Store { lsn, .. } = effect {
                self.step(Input::Synced { upto: lsn });
            }
        }
        zxid
    }

    /// Elects server 3, dials it and takes its LEADERINFO of `epoch` on connection `conn`.
    fn follow(&mut self, conn: u64, epoch: i64) -> Vec<Effect> {
        let Vote { epoch: current, .. } = self.peer.vote();
        self.hear(3, note(ServerState::Looking, 3, (current.0 + 1, z(current.0 + 1, 1)), self.peer.round()));
        self.wait(Duration::from_millis(200));
        assert_eq!(self.peer.leader(), Some(ServerId(3)));
        self.meet(conn, epoch)
    }

    fn meet(&mut self, conn: u64, epoch: i64) -> Vec<Effect> {
        self.step(Input::Connected { to: ServerId(3), conn: ConnId(conn) });
        self.packet(conn, PeerMsg::LeaderInfo { epoch: Epoch(epoch), protocol: 0x10000 })
    }
}

fn sent(effects: &[Effect]) -> Vec<PeerMsg> {
    let msg = |e: &Effect| if let Effect::Send { msg, .. } = e { Some(msg.clone()) } else { None };
    effects.iter().filter_map(msg).collect()
}

fn dropped(effects: &[Effect]) -> Vec<u64> {
    let conn = |e: &Effect| if let Effect::Drop { conn, .. } = e { Some(conn.0) } else { None };
    effects.iter().filter_map(conn).collect()
}

fn notified(effects: &[Effect]) -> Vec<i64> {
    let to = |e: &Effect| if let Effect::Notify { to, .. } = e { Some(to.0) } else { None };
    effects.iter().filter_map(to).collect()
}

#[test]
fn an_acknowledgement_of_the_last_number_there_is() {
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    one.lead();
    one.propose();
    let said = one.packet(1, PeerMsg::Ack { zxid: Zxid(i64::MAX) });
    assert_eq!(dropped(&said), [1], "nobody has what was never proposed");
    assert_eq!(one.peer.phase(), PhaseName::Broadcast);
    assert_eq!(one.host.0, [], "it acknowledges nothing");
}

#[test]
fn a_round_at_the_end_of_the_numbers_is_not_the_end_of_elections() {
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    one.hear(1, note(ServerState::Looking, 1, (0, Zxid::ZERO), i64::MAX));
    assert_eq!(one.peer.round(), i64::MAX);
    one.hear(1, note(ServerState::Looking, ME, (0, Zxid::ZERO), i64::MAX));
    one.wait(Duration::from_millis(200));
    assert_eq!(one.peer.state(), ServerState::Leading);
    one.wait(Duration::from_secs(3600));
    assert_eq!((one.peer.state(), one.peer.round()), (ServerState::Looking, i64::MAX));
    one.win();
}

#[test]
fn no_epoch_beyond_what_fits_into_a_zxid() {
    // A learner claims the last epoch there is: it is sent away, the others go on.
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    one.win();
    one.step(Input::Accepted { conn: ConnId(9) });
    let said = one.packet(9, PeerMsg::FollowerInfo { accepted: Epoch::LAST, info: info(3) });
    assert_eq!(dropped(&said), [9]);
    one.join(1, 1, Zxid::ZERO);
    assert_eq!(one.peer.epoch(), Epoch(1));

    // It has promised that epoch itself: there is no next one to lead in.
    let mut one = One::start(ME, z(i64::from(i32::MAX), 5), &[]);
    one.win();
    one.step(Input::Accepted { conn: ConnId(1) });
    one.packet(1, PeerMsg::FollowerInfo { accepted: Epoch(3), info: info(1) });
    assert_eq!((one.peer.state(), one.peer.ground.accepted), (ServerState::Looking, Epoch::LAST));
}

#[test]
fn nobody_uses_up_the_epochs_by_naming_one_far_away() {
    let far = |epoch: i64| Epoch(epoch + super::EPOCHS_AHEAD);
    for (accepted, believed) in [(far(2), true), (far(3), false), (Epoch::LAST, false)] {
        let mut one = One::start(ME, z(3, 5), &[]);
        one.win();
        one.step(Input::Accepted { conn: ConnId(9) });
        let said = one.packet(9, PeerMsg::FollowerInfo { accepted, info: info(1) });
        assert_eq!(dropped(&said).is_empty(), believed, "a learner that has promised {accepted}");
    }
    for (epoch, believed) in [(far(3), true), (far(4), false), (Epoch::LAST, false)] {
        let mut one = One::start(1, z(3, 5), &[]);
        one.follow(1, epoch.0);
        assert_eq!(one.peer.ground.accepted, if believed { epoch } else { Epoch(3) }, "a leader of {epoch}");
    }
    // Who comes anew has no idea how many there were.
    let mut one = One::start(1, Zxid::ZERO, &[]);
    one.follow(1, 2_000_000_000);
    assert_eq!(one.peer.ground.accepted, Epoch(2_000_000_000));
}

#[test]
fn nothing_of_a_later_epoch_than_the_leaders_gets_into_the_log() {
    // With 9:1 in its log the server would have nothing to propose behind it in epochs 6, 7 and 8.
    let snap = |zxid| PeerMsg::Snap { zxid, body: Bytes::new() };
    let proposal = |zxid| PeerMsg::Proposal { zxid, txn: Bytes::new() };
    let inform = |zxid| PeerMsg::Inform { zxid, txn: Bytes::new() };
    let diff = || PeerMsg::Diff { target: z(1, 1) };
    for script in [
        &[snap(z(9, 1))][..],
        &[snap(z(-1, 1))],
        &[diff(), proposal(z(9, 1))],
        &[diff(), inform(z(9, 1))],
        &[diff(), PeerMsg::NewLeader { epoch: Epoch(5), config: String::new() }, PeerMsg::UpToDate, inform(z(9, 1))],
    ] {
        let mut one = One::start(1, Zxid::ZERO, &[z(1, 1)]);
        one.follow(1, 5);
        for msg in script {
            one.packet(1, msg.clone());
        }
        assert_eq!((one.peer.state(), one.peer.ground.history.last()), (ServerState::Looking, z(1, 1)), "{script:?}");
    }
}

#[test]
fn who_asks_for_everything_asks_only_the_leader_that_could_not_cut_its_log() {
    // The snapshot is at 1:5; the leader wants it cut at 1:3.
    let mut one = One::start(1, z(1, 5), &[z(1, 6)]);
    let said = one.follow(1, 2);
    assert_eq!(sent(&said), [PeerMsg::AckEpoch { last: z(1, 6), current: Some(Epoch(1)) }]);
    let said = one.packet(1, PeerMsg::Trunc { to: z(1, 3) });
    assert_eq!(dropped(&said), [1]);
    assert_eq!(one.peer.leader(), Some(ServerId(3)), "no election for that");
    let said = one.wait(Duration::from_millis(100));
    assert!(said.contains(&Effect::Dial { to: ServerId(3) }));

    // The same leader in the same epoch: this answer counts for no quorum, and SNAP comes of it.
    let mut same = One { peer: one.peer.clone(), host: Applied::default(), now: one.now, syncs: true };
    assert_eq!(sent(&same.meet(2, 2)), [PeerMsg::AckEpoch { last: Zxid::ZERO, current: None }]);
    same.packet(2, PeerMsg::Snap { zxid: z(1, 3), body: Bytes::new() });
    assert_eq!(same.peer.ground.history.last(), z(1, 3));

    // It leads anew, in a later epoch: now it counts this answer. If that named an empty log, a leader without 1:6
    // could be established, though 1:6 is committed with only us alive to tell.
    assert_eq!(sent(&one.meet(2, 3)), [PeerMsg::AckEpoch { last: z(1, 6), current: Some(Epoch(1)) }]);
}

#[test]
fn a_proposal_committed_while_the_learner_joins_is_acknowledged_too() {
    // 2:1 is proposed to us and committed by the others before our NEWLEADER acknowledgement is out.
    let mut one = One::start(1, Zxid::ZERO, &[]);
    one.follow(1, 2);
    one.packet(1, PeerMsg::Diff { target: Zxid::ZERO });
    one.syncs = false;
    one.packet(1, PeerMsg::NewLeader { epoch: Epoch(2), config: String::new() });
    let early = one.packet(1, PeerMsg::Proposal { zxid: z(2, 1), txn: Bytes::new() });
    one.packet(1, PeerMsg::Commit { zxid: z(2, 1) });
    assert_eq!(sent(&early), []);
    let upto = one.peer.ground.last_lsn;
    let said = one.step(Input::Synced { upto });
    assert_eq!(sent(&said), [PeerMsg::Ack { zxid: z(2, 0) }, PeerMsg::Ack { zxid: z(2, 1) }]);
    one.packet(1, PeerMsg::UpToDate);
    assert_eq!(one.host.0, [z(2, 1)]);
}

#[test]
fn a_ping_is_not_answered_before_newleader_is() {
    let mut one = One::start(1, Zxid::ZERO, &[]);
    one.follow(1, 2);
    let ping = || PeerMsg::Ping { zxid: z(2, 7) };
    let pong = PeerMsg::Pong { zxid: z(2, 7), touched: Vec::new() };
    one.packet(1, PeerMsg::Diff { target: Zxid::ZERO });
    assert_eq!(sent(&one.packet(1, ping())), []);
    one.syncs = false;
    one.packet(1, PeerMsg::NewLeader { epoch: Epoch(2), config: String::new() });
    assert_eq!(sent(&one.packet(1, ping())), []);
    let upto = one.peer.ground.last_lsn;
    assert_eq!(sent(&one.step(Input::Synced { upto })), [PeerMsg::Ack { zxid: z(2, 0) }]);
    assert_eq!(sent(&one.packet(1, ping())), [pong]);
}

#[test]
fn observer_and_voter_do_not_answer_each_other_for_ever() {
    // The observer is rounds ahead; the voter answers it whatever it says.
    let mut observer = One::start(4, Zxid::ZERO, &[]);
    observer.hear(1, note(ServerState::Looking, 1, (0, Zxid::ZERO), 9));
    assert_eq!(observer.peer.round(), 9);
    let said = observer.hear(2, note(ServerState::Looking, 2, (0, Zxid::ZERO), 1));
    assert_eq!(notified(&said), []);
    // A voter does answer, so that the other joins its round.
    let mut voter = One::start(ME, Zxid::ZERO, &[]);
    voter.hear(1, note(ServerState::Looking, 1, (0, Zxid::ZERO), 9));
    assert_eq!(notified(&voter.hear(3, note(ServerState::Looking, 3, (0, Zxid::ZERO), 1))), [3]);
}

#[test]
fn a_leader_that_looks_again_is_not_joined_on_what_it_said_before() {
    // 3 led in epoch 4, elected in another round than ours or in the same; it answers, then starts again and looks; 2
    // has not noticed yet.
    for (led, looks) in [(7, 1), (1, 0)] {
        let mut one = One::start(1, Zxid::ZERO, &[z(4, 1)]);
        one.hear(3, note(ServerState::Leading, 3, (4, z(3, 1)), led));
        one.hear(3, note(ServerState::Looking, 3, (4, z(4, 1)), looks));
        let said = one.hear(2, note(ServerState::Following, 3, (4, z(3, 1)), led));
        assert!(!said.contains(&Effect::Dial { to: ServerId(3) }), "round {led}");
        assert_eq!(one.peer.state(), ServerState::Looking);
        // While it still leads, it is joined.
        let said = one.hear(3, note(ServerState::Leading, 3, (4, z(3, 1)), led));
        assert!(said.contains(&Effect::Dial { to: ServerId(3) }));
    }
}

#[test]
fn silent_connections_do_not_keep_followers_out() {
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    one.win();
    for conn in 100..100 + WAITING_MAX as u64 {
        assert_eq!(dropped(&one.step(Input::Accepted { conn: ConnId(conn) })), []);
    }
    assert_eq!(dropped(&one.step(Input::Accepted { conn: ConnId(500) })), [100]);
    let said = one.packet(500, PeerMsg::FollowerInfo { accepted: Epoch(0), info: info(1) });
    assert!(sent(&said).contains(&PeerMsg::LeaderInfo { epoch: Epoch(1), protocol: 0x10000 }));
    // What the dropped one had under way comes too late.
    let said = one.packet(100, PeerMsg::FollowerInfo { accepted: Epoch(0), info: info(1) });
    assert_eq!((sent(&said), dropped(&said)), (Vec::new(), Vec::new()));
}

#[test]
fn a_learner_that_comes_back_acknowledges_anew_what_was_cut_off() {
    // Our own disk has not synced the proposal, so it takes us and the learner to commit it.
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    let epoch = one.lead();
    one.syncs = false;
    let now = Now { mono: one.now, wall_ms: 0 };
    let mut fx = Effects::quiet();
    let zxid = one.peer.next_zxid(now, &mut fx, &mut one.host).unwrap();
    one.peer.propose(now, &mut fx, &mut one.host, zxid, Bytes::new());
    one.packet(1, PeerMsg::Ack { zxid });
    // It reconnects before we hear of its end, and is cut back to what is committed: nothing.
    let said = one.join(2, 1, zxid);
    assert_eq!(dropped(&one.packet(1, PeerMsg::Ack { zxid })), []);
    let sync = sent(&said);
    assert_eq!(sync[0], PeerMsg::Trunc { to: Zxid::ZERO });
    let Role::Leading(leader) = &one.peer.role else { panic!("leads") };
    assert_eq!(leader.outstanding().map(|(_, acks)| acks.len()).collect::<Vec<_>>(), [0]);
    one.packet(2, PeerMsg::Ack { zxid: epoch.start() });
    one.packet(2, PeerMsg::Ack { zxid });
    assert_eq!(one.host.0, []);
    let upto = one.peer.ground.last_lsn;
    one.step(Input::Synced { upto });
    assert_eq!(one.host.0, [zxid]);
}

#[test]
fn a_decided_election_is_not_said_again_which_would_put_its_end_off() {
    let mut one = One::start(3, Zxid::ZERO, &[]);
    one.wait(Duration::from_millis(10));
    for from in [1, 2] {
        one.hear(from, note(ServerState::Looking, 3, (0, Zxid::ZERO), 1));
    }
    let said = one.wait(Duration::from_millis(195));
    assert_eq!(notified(&said), Vec::<i64>::new());
    one.wait(Duration::from_millis(10));
    assert_eq!(one.peer.state(), ServerState::Leading);
}

/// Whether what came of an input says that a connection to the leader is wanted.
fn dials(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::Dial { .. }))
}

fn votes_for(effects: &[Effect]) -> Vec<ServerId> {
    let leader = |e: &Effect| if let Effect::Notify { note, .. } = e { Some(note.vote.leader) } else { None };
    effects.iter().filter_map(leader).collect()
}

impl One {
    /// Starts server 1 with nothing on its disk but the epochs, and this memory.
    fn forgetful(epoch: i64, memory: Memory) -> One {
        let mut one = One::start(1, Zxid::ZERO, &[]);
        one.peer = Peer::start(
            Config::new(ServerId(1), ensemble()),
            (Epoch(epoch), Epoch(epoch)),
            History::new(Zxid::ZERO, []),
            memory,
            Now { mono: one.now, wall_ms: 0 },
            &mut Effects::new(),
            &mut one.host,
        );
        one
    }
}

#[test]
fn who_has_lost_its_memory_elects_nobody_and_follows_only_who_is_in_office() {
    let mut one = One::forgetful(4, Memory::lost(z(4, 2)));
    // Two of three agree. With its vote that would do; it says nothing.
    let said = one.hear(3, note(ServerState::Looking, 3, (4, z(4, 7)), 1));
    assert_eq!(votes_for(&said), []);
    one.hear(2, note(ServerState::Looking, 3, (4, z(4, 7)), 1));
    let said = one.wait(Duration::from_secs(1));
    assert!(votes_for(&said).iter().all(|leader| *leader == ServerId::NONE), "{said:?}");
    assert_eq!(one.peer.state(), ServerState::Looking);

    // They have elected 3, which says so with the epoch of its vote: it is not in office yet.
    one.hear(2, note(ServerState::Following, 3, (4, z(4, 7)), 2));
    let said = one.hear(3, note(ServerState::Leading, 3, (4, z(4, 7)), 2));
    assert!(dials(&said));
    let said = one.meet(1, 5);
    assert_eq!((sent(&said), dropped(&said)), (Vec::new(), Vec::from([1])), "no promise");
    one.wait(Duration::from_millis(100));
    assert_eq!(one.peer.state(), ServerState::Looking);

    // Now it is: two servers say so without us.
    one.hear(2, note(ServerState::Following, 3, (5, z(4, 7)), 2));
    assert!(dials(&one.hear(3, note(ServerState::Leading, 3, (5, z(4, 7)), 2))));
    let said = one.meet(2, 5);
    assert_eq!(sent(&said), [PeerMsg::AckEpoch { last: Zxid::ZERO, current: Some(Epoch(4)) }]);
    one.packet(2, PeerMsg::Snap { zxid: z(4, 7), body: Bytes::new() });
    one.packet(2, PeerMsg::Proposal { zxid: z(5, 1), txn: Bytes::new() });
    assert!(one.peer.ground.memory.is_lost());
    let said = one.packet(2, PeerMsg::NewLeader { epoch: Epoch(5), config: String::new() });
    let stored: Vec<_> = said
        .iter()
        .filter_map(|e| if let Effect::Store { record, .. } = e { Some(record.clone()) } else { None })
        .collect();
    assert_eq!(stored, [Record::CurrentEpoch(Epoch(5)), Record::Trusted]);
    assert_eq!(one.peer.ground.memory, Memory::Whole);
    assert_eq!(sent(&said), [PeerMsg::Ack { zxid: z(5, 0) }, PeerMsg::Ack { zxid: z(5, 1) }]);
}

#[test]
fn who_can_not_read_its_history_votes_for_whoever_has_as_much_and_takes_over_its_state() {
    let mut one = One::forgetful(4, Memory::Damaged { last: z(4, 5) });
    // 2 has less, so it must not lead by our vote.
    let said = one.hear(2, note(ServerState::Looking, 2, (4, z(4, 4)), 1));
    assert_eq!(votes_for(&said), []);
    let said = one.hear(3, note(ServerState::Looking, 3, (4, z(4, 5)), 1));
    assert!(votes_for(&said).iter().all(|leader| *leader == ServerId(3)) && !said.is_empty(), "{said:?}");
    one.wait(Duration::from_millis(200));
    assert_eq!(one.peer.leader(), Some(ServerId(3)));
    // This counts, so it tells the truth: its history went that far.
    assert_eq!(sent(&one.meet(1, 5)), [PeerMsg::AckEpoch { last: z(4, 5), current: Some(Epoch(4)) }]);
    // The leader takes it for up to date; it asks for the whole state.
    assert_eq!(dropped(&one.packet(1, PeerMsg::Diff { target: z(4, 5) })), [1]);
    one.wait(Duration::from_millis(100));
    assert_eq!(sent(&one.meet(2, 5)), [PeerMsg::AckEpoch { last: Zxid::ZERO, current: None }]);
    one.packet(2, PeerMsg::Snap { zxid: z(4, 5), body: Bytes::new() });
    let said = one.packet(2, PeerMsg::NewLeader { epoch: Epoch(5), config: String::new() });
    assert_eq!((sent(&said), one.peer.ground.memory), (Vec::from([PeerMsg::Ack { zxid: z(5, 0) }]), Memory::Whole));
}

#[test]
fn an_empty_disk_votes_among_empty_ones_and_not_once_it_hears_of_a_history() {
    let mut one = One::forgetful(0, Memory::of_disk(Epoch(0), Zxid::ZERO));
    assert_eq!(one.peer.ground.memory, Memory::Blank);
    one.hear(2, note(ServerState::Looking, 2, (0, Zxid::ZERO), 1));
    assert_eq!(one.peer.vote().leader, ServerId(2), "a first start");
    for (epoch, zxid) in [(0, z(0, 9)), (1, Zxid::ZERO), (3, z(2, 1))] {
        let mut one = One::forgetful(0, Memory::Blank);
        let said = one.hear(3, note(ServerState::Looking, 3, (epoch, zxid), 1));
        assert_eq!(votes_for(&said), []);
        one.wait(Duration::from_secs(1));
        assert_eq!(one.peer.vote().leader, ServerId::NONE);
        // All are there, and none has a transaction: an epoch that nothing came of is no loss.
        one.hear(2, note(ServerState::Looking, ServerId::NONE.0, (0, Zxid::ZERO), 1));
        assert_eq!(one.peer.ground.memory.is_lost(), zxid > Zxid::ZERO);
    }
}

/// A server that is started with a list of its own, with version 0, into an ensemble that lists 1, 2 and 3.
#[test]
fn a_joiner_takes_the_newer_members_and_votes_for_nobody() {
    let line = |id: i64| format!("server.{id}=s{id}:1:2:participant\n");
    let members = |ids: &[i64], version: &str| {
        Ensemble::parse(&format!("{}version={version}", ids.iter().map(|id| line(*id)).collect::<String>())).unwrap()
    };
    let mut config = Config::new(ServerId(4), members(&[1, 2, 3, 4], "0"));
    config.reconfig = crate::config::Reconfig::Enabled { least: 2 };
    let (now, mut host) = (Instant::ZERO, Applied::default());
    let both = Now { mono: now, wall_ms: 0 };
    let history = History::new(Zxid::ZERO, []);
    let memory = Memory::Blank;
    let peer = Peer::start(config, (Epoch(0), Epoch(0)), history, memory, both, &mut Effects::new(), &mut host);
    let mut one = One { peer, host, now, syncs: true };
    assert_eq!(one.peer.vote().leader, ServerId(4), "by its own list it is a member");
    let told =
        |config: &str| Notification { config: config.into(), ..note(ServerState::Following, 3, (1, Zxid::ZERO), 1) };
    for nothing in ["", "version=200000000", "server.1=s1:1:2\nversion=zz"] {
        one.hear(1, told(nothing));
        assert_eq!(one.peer.members().committed.version(), 0, "{nothing:?}");
    }
    let newer = members(&[1, 2, 3], "100000000");
    let said = one.hear(1, told(&newer.text()));
    assert_eq!(one.peer.members().committed, newer);
    assert_eq!(one.peer.vote(), Vote { leader: ServerId::NONE, zxid: Zxid::ZERO, epoch: Epoch(0) });
    assert_eq!(notified(&said), [1, 2, 3]);
    assert!(said.iter().any(|e| matches!(e, Effect::Store { record: Record::Membership(_), .. })));
    // It joins as a follower does, and says which members it knows.
    one.hear(2, told(&newer.text()));
    one.hear(3, Notification { state: ServerState::Leading, ..told(&newer.text()) });
    assert_eq!(one.peer.leader(), Some(ServerId(3)));
    let said = one.step(Input::Connected { to: ServerId(3), conn: ConnId(1) });
    let info = LearnerInfo { config_version: 0x1_0000_0000, ..info(4) };
    assert_eq!(sent(&said), [PeerMsg::FollowerInfo { accepted: Epoch(0), info }]);
}

#[test]
fn a_leader_whose_members_do_not_change_serves_no_strangers() {
    let mut one = One::start(ME, Zxid::ZERO, &[]);
    one.lead();
    for (conn, server, follower) in [(7, 9, true), (8, 4, true), (9, 3, false)] {
        one.step(Input::Accepted { conn: ConnId(conn) });
        let (accepted, info) = (Epoch(0), info(server));
        let greeting =
            if follower { PeerMsg::FollowerInfo { accepted, info } } else { PeerMsg::ObserverInfo { accepted, info } };
        assert_eq!(dropped(&one.packet(conn, greeting)), [conn], "server {server}");
    }
}

#[test]
fn an_observer_without_a_leader_keeps_still_for_a_while_and_a_voter_does_not() {
    let notifies = |said: &[Effect]| said.iter().any(|effect| matches!(effect, Effect::Notify { .. }));
    for (me, most, waits) in [(4, 60, true), (4, 0, false), (1, 60, false)] {
        let mut one = One::start(me, Zxid::ZERO, &[]);
        one.peer.ground.config.observer_wait = Duration::from_secs(most);
        for (from, state) in [(2, ServerState::Following), (3, ServerState::Leading)] {
            one.hear(from, note(state, 3, (1, Zxid::ZERO), 7));
        }
        assert_eq!(one.peer.leader(), Some(ServerId(3)));
        one.step(Input::Connected { to: ServerId(3), conn: ConnId(1) });
        let said = one.packet(1, PeerMsg::UpToDate);
        assert_eq!((one.peer.state(), notifies(&said)), (ServerState::Looking, !waits), "{me}");
        if waits {
            let (until, _) = one.peer.next_deadline().expect("it goes on some time");
            let pause = until.since(one.now);
            assert!(pause > Duration::ZERO && pause < Duration::from_secs(most), "{pause:?}");
            one.hear(2, note(ServerState::Following, 3, (1, Zxid::ZERO), 7));
            assert!(!notifies(&one.wait(pause - Duration::from_millis(1))));
            assert!(notifies(&one.wait(Duration::from_millis(1))));
        }
    }
}
