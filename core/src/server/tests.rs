//! Three to five servers over a network that delivers at once, in order: the glue between consensus and service.
//! Faults are the simulator's business.

mod guarantees;
mod sessions;

use super::*;
use crate::collections::BTreeMap;
use crate::config::{Ensemble, Member, MemberKind, ServiceRules};
use crate::effect::{HaltReason, Record, ToLink};
use crate::error::ZkError;
use crate::id::{ConnId, LinkId, ServerId, SessionId};
use crate::input::Submission;
use crate::wire::client::{ConnectRequest, ConnectResponse, Outcome, Request, Response};
use crate::wire::notification::ServerState;
use crate::wire::op::OpCode;
use crate::wire::record::Acl;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec;
use bytes::BytesMut;
use core::time::Duration;

struct Net {
    now: Instant,
    servers: BTreeMap<ServerId, Option<Server<Plain>>>,
    disks: BTreeMap<ServerId, Recovered>,
    ends: BTreeMap<ConnId, (ServerId, ConnId)>,
    next_conn: u64,
    queue: VecDeque<(ServerId, Input)>,
    /// Servers that nothing reaches until they are released, and what waits for them.
    held: BTreeMap<ServerId, VecDeque<Input>>,
    said: Vec<(ServerId, LinkId, ToLink)>,
    ensemble: Ensemble,
    rules: ServiceRules,
}

impl Net {
    fn new(voters: i64, observers: i64) -> Net {
        Net::with(voters, observers, ServiceRules::default())
    }

    fn with(voters: i64, observers: i64, rules: ServiceRules) -> Net {
        let members = (1..=voters + observers).map(|i| {
            let kind = if i <= voters { MemberKind::Participant } else { MemberKind::Observer };
            (ServerId(i), Member::new(kind, format!("s{i}:2888:3888")))
        });
        let mut net = Net {
            now: Instant::ZERO,
            servers: BTreeMap::new(),
            disks: BTreeMap::new(),
            ends: BTreeMap::new(),
            next_conn: 0,
            queue: VecDeque::new(),
            held: BTreeMap::new(),
            said: Vec::new(),
            ensemble: Ensemble::new(members.collect()),
            rules,
        };
        for id in 1..=voters + observers {
            net.disks.insert(ServerId(id), Recovered::empty());
            net.start(id);
        }
        net
    }

    fn time(&self) -> Now {
        Now { mono: self.now, wall_ms: 1_700_000_000_000 + self.now.millis() as i64 }
    }

    fn start(&mut self, id: i64) {
        let id = ServerId(id);
        let mut config = Config::new(id, self.ensemble.clone());
        config.commit_log_count = 3;
        config.service = self.rules.clone();
        let mut fx = Effects::new();
        let mut disk = self.disks.get(&id).cloned().unwrap();
        disk.memory = Memory::of_disk(disk.current, disk.entries.last().map_or(disk.snapshot, |(zxid, _)| *zxid));
        let server = Server::start(config, 1, disk, Plain::default(), self.time(), &mut fx);
        self.servers.insert(id, Some(server));
        self.carry_out(id, fx);
        self.drain();
    }

    fn kill(&mut self, id: i64) {
        let id = ServerId(id);
        self.servers.insert(id, None);
        let dead: Vec<_> =
            self.ends.iter().filter(|(_, (other, _))| *other == id).map(|(mine, end)| (*mine, *end)).collect();
        for (survivors_end, (_, dead_end)) in dead {
            let (survivor, _) = self.ends.remove(&dead_end).unwrap();
            self.ends.remove(&survivors_end);
            self.queue.push_back((survivor, Input::Closed { conn: survivors_end }));
        }
        self.drain();
    }

    fn carry_out(&mut self, at: ServerId, mut fx: Effects) {
        for effect in fx.drain() {
            match effect {
                Effect::Notify { to, note } => self.queue.push_back((to, Input::Notification { from: at, note })),
                Effect::Dial { to } => {
                    if self.servers.get(&to).is_some_and(Option::is_some) {
                        let (mine, theirs) = (ConnId(self.next_conn), ConnId(self.next_conn + 1));
                        self.next_conn += 2;
                        self.ends.insert(mine, (to, theirs));
                        self.ends.insert(theirs, (at, mine));
                        self.queue.push_back((to, Input::Accepted { conn: theirs }));
                        self.queue.push_back((at, Input::Connected { to, conn: mine }));
                    } else {
                        self.queue.push_back((at, Input::DialFailed { to }));
                    }
                }
                Effect::Send { conn, msg } => {
                    if let Some((to, conn)) = self.ends.get(&conn) {
                        self.queue.push_back((*to, Input::Packet { conn: *conn, msg }));
                    }
                }
                Effect::Drop { conn, .. } => {
                    if let Some((to, theirs)) = self.ends.remove(&conn) {
                        self.ends.remove(&theirs);
                        self.queue.push_back((to, Input::Closed { conn: theirs }));
                    }
                }
                Effect::Store { lsn, record } => {
                    let disk = self.disks.get_mut(&at).unwrap();
                    match record {
                        Record::Txn { zxid, txn } => disk.entries.push((zxid, txn)),
                        Record::Truncate { to } => disk.entries.retain(|(z, _)| *z <= to),
                        Record::AcceptedEpoch(e) => disk.accepted = e,
                        Record::CurrentEpoch(e) => disk.current = e,
                        Record::Trusted => {}
                        Record::Membership(_) => {}
                        Record::Install { zxid, body } => {
                            disk.tree = Tree::read_body(body, zxid).unwrap();
                            disk.snapshot = zxid;
                            disk.entries.clear();
                        }
                    }
                    self.queue.push_back((at, Input::Synced { upto: lsn }));
                }
                Effect::Compact { upto } => self.queue.push_back((at, Input::Compacted { upto })),
                Effect::ToLink { link, msg } => self.said.push((at, link, msg)),
                Effect::Halt(reason) => panic!("server {at} halts: {reason}"),
                Effect::Serving(_) | Effect::Note(_) => {}
            }
        }
    }

    fn drain(&mut self) {
        while let Some((to, input)) = self.queue.pop_front() {
            if let Some(waiting) = self.held.get_mut(&to) {
                waiting.push_back(input);
                continue;
            }
            let now = self.time();
            let mut fx = Effects::new();
            if let Some(Some(server)) = self.servers.get_mut(&to) {
                server.step(now, input, &mut fx);
            }
            self.carry_out(to, fx);
        }
    }

    fn hold(&mut self, id: i64) {
        self.held.insert(ServerId(id), VecDeque::new());
    }

    /// Lets the first `count` of what waits for a server reach it; the rest is lost.
    fn release(&mut self, id: i64, count: usize) {
        let waiting = self.held.remove(&ServerId(id)).unwrap_or_default();
        self.queue.extend(waiting.into_iter().take(count).map(|input| (ServerId(id), input)));
        self.drain();
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.servers.iter().filter_map(|(id, s)| {
                let (at, _) = s.as_ref()?.next_deadline()?;
                Some((at, *id))
            });
            match next.min() {
                Some((at, id)) if at <= end => {
                    self.now = self.now.max(at);
                    self.queue.push_back((id, Input::Tick));
                    self.drain();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn server(&self, id: i64) -> &Server<Plain> {
        self.servers.get(&ServerId(id)).and_then(Option::as_ref).unwrap()
    }

    fn leader(&self) -> i64 {
        let mut leaders = self
            .servers
            .iter()
            .filter(|(_, s)| s.as_ref().is_some_and(|s| s.status().state == ServerState::Leading && s.status().serving))
            .map(|(id, _)| id.0);
        let leader = leaders.next().expect("a leader");
        assert_eq!(leaders.next(), None, "one leader");
        leader
    }

    fn submit(&mut self, at: i64, link: u64, request: Submission) -> Vec<ToLink> {
        self.said.clear();
        self.queue.push_back((ServerId(at), Input::Submit { link: LinkId(link), request }));
        self.drain();
        let said = core::mem::take(&mut self.said);
        said.into_iter().filter(|(s, l, _)| (*s, *l) == (ServerId(at), LinkId(link))).map(|(_, _, m)| m).collect()
    }

    fn connect(&mut self, at: i64, link: u64, old: Option<&ConnectResponse>) -> ConnectResponse {
        let request = ConnectRequest {
            protocol: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 6000,
            session: old.map_or(SessionId(0), |o| o.session),
            passwd: old.map_or(Bytes::from_static(&[0; 16]), |o| o.passwd.clone()),
            read_only: Some(false),
        };
        match self.submit(at, link, Submission::Connect(request)).pop() {
            Some(ToLink::Connected(response)) => response,
            other => panic!("no connect response: {other:?}"),
        }
    }

    fn write(&mut self, at: i64, link: u64, session: SessionId, xid: i32, request: &Request, op: OpCode) -> Outcome {
        let mut body = BytesMut::new();
        request.encode(&mut body);
        let write = Submission::Write { session, xid, op, body: body.freeze(), auth: vec![] };
        match self.submit(at, link, write).pop() {
            Some(ToLink::Reply { xid: answered, outcome, .. }) if answered == xid => outcome,
            other => panic!("no reply: {other:?}"),
        }
    }
}

fn create(path: &str, flags: i32) -> Request {
    Request::Create { op: OpCode::Create, path: path.into(), data: None, acl: Acl::open(), flags }
}

#[test]
fn five_elect_the_largest_id_and_serve_the_same_tree() {
    let mut net = Net::new(5, 1);
    net.run(Duration::from_secs(3));
    assert_eq!(net.leader(), 5);
    for (id, link) in [(5, 1), (2, 2), (6, 3)] {
        let session = net.connect(id, link, None);
        assert_eq!(session.timeout_ms, 6000);
        assert_eq!(session.session.0 >> 56, id);
        let path = format!("/from-{id}");
        let made = net.write(id, link, session.session, 1, &create(&path, 0), OpCode::Create);
        assert_eq!(made, Ok(Response::Path(path.clone())));
        let again = net.write(id, link, session.session, 2, &create(&path, 0), OpCode::Create);
        assert_eq!(again, Err(ZkError::NodeExists));
    }
    let digest = net.server(5).side().0.tree.digest();
    for id in 1..=6 {
        assert_eq!(net.server(id).status().committed, Zxid::new(Epoch(1), 9));
        assert_eq!(net.server(id).side().0.tree.digest(), digest);
        assert!(net.server(id).side().0.tree.exists("/from-6"));
    }
}

#[test]
fn the_leader_dies_another_leads_and_the_old_one_comes_back() {
    let mut net = Net::new(3, 0);
    net.run(Duration::from_secs(3));
    let session = net.connect(1, 1, None);
    net.write(1, 1, session.session, 1, &create("/a", 0), OpCode::Create).unwrap();
    net.kill(3);
    net.run(Duration::from_secs(3));
    assert_eq!(net.leader(), 2);
    let session = net.connect(1, 2, Some(&session));
    assert_eq!(session.timeout_ms, 6000, "the session outlives the leader");
    for (xid, path) in [(2, "/b"), (3, "/c"), (4, "/d"), (5, "/e")] {
        net.write(1, 2, session.session, xid, &create(path, 0), OpCode::Create).unwrap();
    }
    assert_eq!(net.server(1).status().committed, Zxid::new(Epoch(2), 4));
    net.start(3);
    net.run(Duration::from_secs(3));
    assert_eq!(net.server(3).status().leader, Some(ServerId(2)));
    assert_eq!(net.server(3).side().0.tree.digest(), net.server(2).side().0.tree.digest());
    // Everything again from the disks alone.
    for id in 1..=3 {
        net.kill(id);
    }
    for id in 1..=3 {
        net.start(id);
    }
    net.run(Duration::from_secs(3));
    let leader = net.leader();
    assert!(net.server(leader).side().0.tree.exists("/e"));
    assert_eq!(net.server(leader).status().epoch, Epoch(3));
}

#[test]
fn a_silent_session_expires_with_its_ephemerals_and_a_heard_one_does_not() {
    let mut net = Net::new(3, 0);
    net.run(Duration::from_secs(3));
    let silent = net.connect(1, 1, None);
    let heard = net.connect(2, 2, None);
    net.write(1, 1, silent.session, 1, &create("/silent", 1), OpCode::Create).unwrap();
    net.write(2, 2, heard.session, 1, &create("/heard", 1), OpCode::Create).unwrap();
    for _ in 0..12 {
        net.queue.push_back((ServerId(2), Input::Touched { sessions: vec![heard.session] }));
        net.run(Duration::from_secs(1));
    }
    for id in 1..=3 {
        assert!(!net.server(id).side().0.tree.exists("/silent"));
        assert!(net.server(id).side().0.tree.exists("/heard"));
    }
    let refused = net.connect(2, 3, Some(&silent));
    assert_eq!((refused.timeout_ms, refused.session), (0, SessionId(0)));
}

#[test]
fn sync_is_answered_by_leader_and_follower() {
    let mut net = Net::new(3, 0);
    net.run(Duration::from_secs(3));
    for at in [3, 1] {
        let session = net.connect(at, 1, None).session;
        let said = net.submit(at, 1, Submission::Sync { session, xid: 9, path: "/x".into() });
        assert!(
            matches!(said.as_slice(), [ToLink::Reply { xid: 9, outcome: Ok(Response::Path(p)), .. }] if p == "/x"),
            "{said:?}"
        );
    }
}

/// What an Apache leader sends as SNAP holds what it applied while it wrote it, beyond the zxid that it names.
#[test]
fn a_snapshot_taken_while_the_tree_changed_is_no_divergence() {
    use crate::service::{Prep, PrepRequest};
    use crate::wire::notification::{Notification, Vote};
    use crate::wire::peer::PeerMsg;
    use crate::wire::txn::TxnHeader;

    let (mut tree, mut prep) = (Tree::new(), Prep::new(false));
    let mut counter = 0;
    let mut prepare = |tree: &mut Tree, request: PrepRequest| {
        counter += 1;
        let zxid = Zxid::new(Epoch(1), counter);
        let header = TxnHeader { session: SessionId(5), cxid: 1, zxid, time_ms: 1 };
        let txn = prep.prepare(tree, header, &[], request);
        tree.apply(&txn);
        PeerMsg::Proposal { zxid, txn: txn.encode() }
    };
    let write = |path: &str| PrepRequest::Client(create(path, 0));
    prepare(&mut tree, PrepRequest::CreateSession { timeout_ms: 4000 });
    let second = prepare(&mut tree, write("/a"));
    let third = prepare(&mut tree, write("/b"));
    let body = tree.write_body();
    let fourth = prepare(&mut tree, write("/c"));
    // What a leader with another tree would foretell.
    let mut other = tree.clone();
    prepare(&mut other, write("/only-there"));
    let sixth = prepare(&mut other, write("/d"));

    let ensemble = Net::new(3, 0).ensemble;
    let now = Now { mono: Instant::ZERO, wall_ms: 0 };
    let config = Config::new(ServerId(1), ensemble);
    let mut fx = Effects::new();
    let mut server = Server::start(config, 1, Recovered::empty(), Plain::default(), now, &mut fx);
    let vote = Vote { epoch: Epoch(0), zxid: Zxid::ZERO, leader: ServerId(3) };
    let note = Notification { state: ServerState::Looking, vote, round: 1, version: 2, config: Default::default() };
    let commit = |counter| PeerMsg::Commit { zxid: Zxid::new(Epoch(1), counter) };
    let packet = |msg| Input::Packet { conn: ConnId(1), msg };
    let late = Now { mono: now.mono + Duration::from_millis(200), wall_ms: 0 };
    let mut halts = |now, inputs: Vec<Input>| {
        let mut queue = VecDeque::from(inputs);
        let mut halted = None;
        while let Some(input) = queue.pop_front() {
            server.step(now, input, &mut fx);
            for effect in fx.drain() {
                match effect {
                    Effect::Store { lsn, .. } => queue.push_front(Input::Synced { upto: lsn }),
                    Effect::Halt(why) => halted = Some(why),
                    _ => {}
                }
            }
        }
        (halted, server.status().committed.counter())
    };
    assert_eq!(halts(now, vec![Input::Notification { from: ServerId(3), note }]), (None, 0));
    let joins = vec![
        Input::Tick,
        Input::Connected { to: ServerId(3), conn: ConnId(1) },
        packet(PeerMsg::LeaderInfo { epoch: Epoch(1), protocol: 0x10000 }),
        packet(PeerMsg::Snap { zxid: Zxid::new(Epoch(1), 1), body }),
        packet(second),
        packet(commit(2)),
        packet(third),
        packet(PeerMsg::NewLeader { epoch: Epoch(1), config: Default::default() }),
        packet(commit(3)),
        packet(PeerMsg::UpToDate),
        packet(fourth),
        packet(commit(4)),
    ];
    assert_eq!(halts(late, joins), (None, 4));
    // Once all of that is applied, a digest is a promise again.
    let PeerMsg::Proposal { txn, .. } = sixth else { panic!() };
    let mut txn = crate::wire::txn::Txn::decode(txn).unwrap();
    txn.header.zxid = Zxid::new(Epoch(1), 5);
    let fifth = PeerMsg::Proposal { zxid: txn.header.zxid, txn: txn.encode() };
    let (why, _) = halts(late, vec![packet(fifth), packet(commit(5))]);
    assert_eq!(why, Some(HaltReason::Diverged(Zxid::new(Epoch(1), 5))));
}

/// A client need not wait for the answer to one request before it sends the next: write, sync, write. Both writes are
/// committed in one step; the sync's answer still has its place between theirs.
#[test]
fn a_sync_is_answered_between_the_writes_around_it() {
    use crate::wire::notification::{Notification, Vote};
    use crate::wire::peer::{Forwarded, LearnerInfo, PeerMsg};

    let config = Config::new(ServerId(3), Net::new(3, 0).ensemble);
    let mut now = Now { mono: Instant::ZERO, wall_ms: 0 };
    let mut fx = Effects::quiet();
    let mut server = Server::start(config, 1, Recovered::empty(), Plain::default(), now, &mut fx);
    let mut last = crate::id::Lsn(0);
    let mut step = |now, inputs: Vec<Input>, syncs: bool| {
        let mut said = Vec::new();
        let mut queue = VecDeque::from(inputs);
        while let Some(input) = queue.pop_front() {
            server.step(now, input, &mut fx);
            for effect in fx.drain() {
                if let Effect::Store { lsn, .. } = &effect {
                    last = *lsn;
                }
                said.push(effect);
            }
            if syncs && queue.is_empty() && server.peer().ground().synced < last {
                queue.push_back(Input::Synced { upto: last });
            }
        }
        said
    };
    let packet = |msg| Input::Packet { conn: ConnId(1), msg };
    let vote = Vote { epoch: Epoch(0), zxid: Zxid::ZERO, leader: ServerId(3) };
    let note = Notification { state: ServerState::Looking, vote, round: 1, version: 2, config: Default::default() };
    step(now, vec![Input::Notification { from: ServerId(1), note }], true);
    now.mono = now.mono + Duration::from_millis(200);
    let info = LearnerInfo { server: ServerId(1), protocol: 0x10000, config_version: 0 };
    step(now, vec![Input::Tick, Input::Accepted { conn: ConnId(1) }], true);
    step(now, vec![packet(PeerMsg::FollowerInfo { accepted: Epoch(0), info })], true);
    step(now, vec![packet(PeerMsg::AckEpoch { last: Zxid::ZERO, current: Some(Epoch(0)) })], true);
    step(now, vec![packet(PeerMsg::Ack { zxid: Epoch(1).start() })], true);

    // One session here, one at the learner.
    let ack = |counter| packet(PeerMsg::Ack { zxid: Zxid::new(Epoch(1), counter) });
    let submit = |request| Input::Submit { link: LinkId(1), request };
    let connect = ConnectRequest {
        protocol: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 6000,
        session: SessionId(0),
        passwd: Bytes::from_static(&[0; 16]),
        read_only: Some(false),
    };
    let said = step(now, vec![submit(Submission::Connect(connect)), ack(1)], true);
    let session = said.iter().find_map(|e| match e {
        Effect::ToLink { msg: ToLink::Connected(response), .. } => Some(response.session),
        _ => None,
    });
    let (session, theirs) = (session.unwrap(), SessionId(77));
    let request = |cxid, op: OpCode, body: Bytes| {
        packet(PeerMsg::Request(Forwarded { session: theirs, cxid, op: op.code(), body, auth: vec![] }))
    };
    step(now, vec![request(0, OpCode::CreateSession, Bytes::from_static(&[0, 0, 20, 0])), ack(2)], true);

    let body = |request: &Request| {
        let mut body = BytesMut::new();
        request.encode(&mut body);
        body.freeze()
    };
    let write = |xid, path| {
        let body = body(&create(path, 0));
        submit(Submission::Write { session, xid, op: OpCode::Create, body, auth: vec![] })
    };
    let all = vec![
        write(1, "/a"),
        submit(Submission::Sync { session, xid: 2, path: "/".into() }),
        write(3, "/b"),
        request(1, OpCode::Create, body(&create("/c", 0))),
        request(2, OpCode::Sync, body(&Request::Sync { path: "/".into() })),
        request(3, OpCode::Create, body(&create("/d", 0))),
        ack(3),
        ack(4),
        ack(5),
        ack(6),
    ];
    step(now, all, false);
    let said = step(now, vec![], true);
    assert_eq!(said, []);
    let upto = server.peer().ground().last_lsn;
    server.step(now, Input::Synced { upto }, &mut fx);
    let (mut xids, mut packets) = (Vec::new(), Vec::new());
    for effect in fx.drain() {
        match effect {
            Effect::ToLink { msg: ToLink::Reply { xid, .. }, .. } => xids.push(xid),
            Effect::Send { msg, .. } => packets.push(msg),
            _ => {}
        }
    }
    assert_eq!(xids, [1, 2, 3]);
    let commit = |counter| PeerMsg::Commit { zxid: Zxid::new(Epoch(1), counter) };
    assert_eq!(packets, [commit(3), commit(4), commit(5), PeerMsg::Sync, commit(6)]);
}

#[test]
fn a_write_is_not_answered_by_the_end_of_its_session() {
    let mut net = Net::new(1, 0);
    net.run(Duration::from_secs(3));
    let session = net.connect(1, 1, None).session;
    let server = net.servers.get_mut(&ServerId(1)).and_then(Option::as_mut).unwrap();
    let (at, _) = server.next_deadline().unwrap();
    let mut body = BytesMut::new();
    create("/a", 0).encode(&mut body);
    let write = Submission::Write { session, xid: 0, op: OpCode::Create, body: body.freeze(), auth: vec![] };
    let mut fx = Effects::quiet();
    // The session expires; before that is committed, a write numbered 0 comes.
    let late = Now { mono: at + Duration::from_secs(60), wall_ms: 0 };
    server.step(late, Input::Tick, &mut fx);
    server.step(late, Input::Submit { link: LinkId(1), request: write }, &mut fx);
    let upto = server.peer().ground().last_lsn;
    server.step(late, Input::Synced { upto }, &mut fx);
    let said: Vec<_> = fx.drain().filter(|e| matches!(e, Effect::ToLink { .. })).collect();
    let ended = ToLink::Close(crate::effect::LinkClose::SessionEnded(session));
    assert_eq!(said, [Effect::ToLink { link: LinkId(1), msg: ended }]);
    assert!(!server.side().0.tree.exists("/a"));
}

#[test]
fn a_proposal_that_is_not_what_it_says_is_refused_before_it_is_logged() {
    let txn = |zxid, body| crate::wire::txn::Txn {
        header: crate::wire::txn::TxnHeader { session: SessionId(1), cxid: 1, zxid, time_ms: 0 },
        body,
        digest: None,
    };
    let next = |last: Zxid| last.next().unwrap();
    type Make<'a> = &'a dyn Fn(Zxid) -> Bytes;
    let delete = || crate::wire::txn::TxnBody::Delete { container: false, path: "/a".into() };
    let bad: [Make<'_>; 3] =
        [&|zxid| txn(next(zxid), delete()).encode(), &|_| Bytes::from_static(b"no transaction"), &|zxid| {
            let mut bytes = BytesMut::from(&txn(zxid, delete()).encode()[..]);
            bytes[28..32].copy_from_slice(&999_i32.to_be_bytes());
            bytes.freeze()
        }];
    for make in bad {
        let mut net = Net::new(3, 0);
        net.run(Duration::from_secs(3));
        let session = net.connect(3, 1, None).session;
        net.write(3, 1, session, 1, &create("/a", 0), OpCode::Create).unwrap();
        let conn = *net.ends.iter().find(|(_, (to, _))| *to == ServerId(3)).map(|(mine, _)| mine).unwrap();
        let (leaders, follower) = (net.ends[&conn], net.ends[&net.ends[&conn].1].0);
        assert_eq!(leaders.0, ServerId(3));
        let before = net.server(follower.0).status();
        let zxid = next(before.logged);
        let msg = crate::wire::peer::PeerMsg::Proposal { zxid, txn: make(zxid) };
        let now = net.time();
        let server = net.servers.get_mut(&follower).and_then(Option::as_mut).unwrap();
        let mut fx = Effects::quiet();
        server.step(now, Input::Packet { conn, msg }, &mut fx);
        assert!(fx.as_slice().iter().any(|e| matches!(
            e,
            Effect::Drop { why: crate::effect::DropReason::Violation(crate::error::Violation::Malformed(_)), .. }
        )));
        assert!(!fx.as_slice().iter().any(|e| matches!(e, Effect::Store { .. })));
        assert_eq!(server.status().logged, before.logged);
    }
}
