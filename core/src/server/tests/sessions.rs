//! Sessions: local ones and how they become global, moves, late requests, and read-only service.

use super::*;
use crate::config::LocalSessions;
use crate::effect::LinkClose;
use crate::wire::client::OpResult;

const MOVED: ToLink = ToLink::Close(LinkClose::SessionMoved);

fn local(local_sessions: LocalSessions) -> ServiceRules {
    ServiceRules { local_sessions, ..ServiceRules::default() }
}

fn delete(path: &str) -> Request {
    Request::Delete { path: path.into(), version: -1 }
}

fn multi(ops: &[Request]) -> Request {
    Request::Multi { ops: ops.to_vec() }
}

fn ask(request: &Request, op: OpCode, session: SessionId, xid: i32) -> Submission {
    let mut body = BytesMut::new();
    request.encode(&mut body);
    Submission::Write { session, xid, op, body: body.freeze(), auth: vec![] }
}

impl Net {
    fn close(&mut self, at: i64, link: u64, session: SessionId) -> Outcome {
        self.write(at, link, session, 99, &Request::CloseSession, OpCode::CloseSession)
    }

    fn said_to(&self, at: i64, link: u64) -> Vec<ToLink> {
        let to_it = self.said.iter().filter(|(server, to, _)| (*server, *to) == (ServerId(at), LinkId(link)));
        to_it.map(|(_, _, msg)| msg.clone()).collect()
    }

    /// Whether every server's tree has the session, or none.
    fn is_global(&self, session: SessionId) -> bool {
        let has: Vec<bool> =
            self.servers.values().flatten().map(|s| s.side().0.tree.sessions().contains_key(&session)).collect();
        assert!(has.iter().all(|yes| *yes == has[0]), "{has:?}");
        has[0]
    }

    fn exists(&self, path: &str) -> bool {
        self.server(1).side().0.tree.exists(path)
    }

    fn try_connect(&mut self, at: i64, link: u64, session: SessionId, read_only: Option<bool>) -> Vec<ToLink> {
        let request = ConnectRequest { read_only, ..connect_request(session, 6000) };
        self.submit(at, link, Submission::Connect(request))
    }

    /// Opens a session or takes one up again with the wish for a timeout.
    fn wish(&mut self, at: i64, link: u64, session: SessionId, timeout_ms: i32) -> ConnectResponse {
        match self.submit(at, link, Submission::Connect(connect_request(session, timeout_ms))).pop() {
            Some(ToLink::Connected(response)) => response,
            other => panic!("no connect response: {other:?}"),
        }
    }
}

fn connect_request(session: SessionId, timeout_ms: i32) -> ConnectRequest {
    let passwd = match session.0 {
        0 => Bytes::new(),
        _ => Bytes::copy_from_slice(&crate::service::password(session)),
    };
    let (protocol, last_zxid_seen, read_only) = (0, Zxid::ZERO, Some(false));
    ConnectRequest { protocol, last_zxid_seen, timeout_ms, session, passwd, read_only }
}

/// Who asks for what, as whom, and what comes of it: at the leader, a follower and an observer.
#[test]
fn what_a_local_session_may_do() {
    use LocalSessions::{Off, On, Upgrading};
    let no_ephemeral = Err(ZkError::EphemeralOnLocalSession);
    let in_multi = |code| Ok(Response::Multi(vec![OpResult::Error(0), OpResult::Error(code)]));
    let path = |path: &str| Ok(Response::Path(path.into()));
    let made = |a: &str, b: &str| Ok(Response::Multi(vec![OpResult::Create(a.into()), OpResult::Create(b.into())]));
    let both = multi(&[create("/a", 0), create("/b", 1)]);
    let rows = [
        (Off, create("/a", 0), OpCode::Create, path("/a"), true),
        (On, create("/a", 0), OpCode::Create, path("/a"), false),
        (On, create("/a", 1), OpCode::Create, no_ephemeral.clone(), false),
        (On, create("/a", 3), OpCode::Create2, no_ephemeral, false),
        (On, both.clone(), OpCode::Multi, in_multi(ZkError::SessionExpired.code()), false),
        (Upgrading, create("/a", 0), OpCode::Create, path("/a"), false),
        (Upgrading, create("/a", 1), OpCode::Create, path("/a"), true),
        (Upgrading, both, OpCode::Multi, made("/a", "/b"), true),
        (Upgrading, multi(&[create("/a", 0), create("/b", 2)]), OpCode::Multi, made("/a", "/b0000000001"), false),
        // A container with the flag of an ephemeral is a container.
        (Upgrading, create("/a", 1), OpCode::CreateContainer, Ok(Response::Empty), false),
    ];
    for (kind, request, op, expected, global) in rows {
        for at in [3, 1, 4] {
            let what = format!("{kind:?} at {at}: {request:?} as {op:?}");
            let mut net = Net::with(3, 1, local(kind));
            net.run(Duration::from_secs(3));
            assert_eq!(net.leader(), 3);
            let session = net.connect(at, 1, None).session;
            assert_eq!(net.is_global(session), kind == Off, "{what}");
            assert_eq!(session.0 as u64 >> 56, at as u64);
            let outcome = net.write(at, 1, session, 1, &request, op);
            match (&outcome, op) {
                (Ok(Response::PathStat(made, _)), OpCode::CreateContainer) => assert_eq!(made, "/a"),
                _ => assert_eq!(outcome, expected, "{what}"),
            }
            assert_eq!(net.is_global(session), global, "{what}");
            assert_eq!(net.server(at).service().local_sessions().knows(session), !global, "{what}");
            // Any session may end; its ephemerals go with it, and it can't be taken up again.
            assert_eq!(net.close(at, 1, session), Ok(Response::Empty), "{what}");
            assert!(!net.is_global(session) && net.server(at).service().local_sessions().is_empty(), "{what}");
            assert_eq!(net.server(at).side().0.tree.ephemerals().len(), 0, "{what}");
            let again = net.try_connect(at, 2, session, Some(false));
            assert!(matches!(again[..], [ToLink::Connected(ConnectResponse { timeout_ms: 0, .. })]), "{again:?}");
        }
    }
}

#[test]
fn a_local_session_is_taken_up_again_only_where_it_was_opened() {
    let mut net = Net::with(3, 0, local(LocalSessions::Upgrading));
    net.run(Duration::from_secs(3));
    for home in [1, 3] {
        let first = net.connect(home, 1, None);
        let again = net.connect(home, 2, Some(&first));
        assert_eq!((again.session, again.timeout_ms), (first.session, first.timeout_ms));
        let elsewhere = net.connect(2, 3, Some(&first));
        assert_eq!(elsewhere.timeout_ms, 0, "nobody else knows it");
        // Once global it moves like any other.
        net.write(home, 2, first.session, 1, &create(&format!("/e{home}"), 1), OpCode::Create).unwrap();
        let moved = net.connect(2, 4, Some(&first));
        assert_eq!((moved.session, moved.timeout_ms), (first.session, first.timeout_ms));
        assert!(net.exists(&format!("/e{home}")));
    }
}

#[test]
fn a_silent_local_session_is_ended_by_its_server() {
    for at in [1, 3] {
        let mut net = Net::with(3, 0, local(LocalSessions::On));
        net.run(Duration::from_secs(3));
        let (silent, heard) = (net.connect(at, 1, None).session, net.connect(at, 2, None).session);
        for _ in 0..10 {
            net.queue.push_back((ServerId(at), Input::Touched { sessions: vec![heard] }));
            net.run(Duration::from_secs(1));
        }
        assert_eq!(net.said_to(at, 1), [ToLink::Close(LinkClose::SessionEnded(silent))]);
        let local = net.server(at).service().local_sessions();
        assert!(local.is_live(heard) && !local.knows(silent));
        net.write(at, 2, heard, 1, &create("/a", 0), OpCode::Create).unwrap();
    }
}

#[test]
fn a_close_right_behind_what_makes_a_session_global_leaves_nothing() {
    for at in [1, 3] {
        let mut net = Net::with(3, 0, local(LocalSessions::Upgrading));
        net.run(Duration::from_secs(3));
        let session = net.connect(at, 1, None).session;
        net.said.clear();
        for (request, op, xid) in
            [(create("/e", 1), OpCode::Create, 1), (Request::CloseSession, OpCode::CloseSession, 2)]
        {
            let request = ask(&request, op, session, xid);
            net.queue.push_back((ServerId(at), Input::Submit { link: LinkId(1), request }));
        }
        net.drain();
        let answers: Vec<_> = net.said_to(at, 1);
        assert!(
            matches!(
                &answers[..],
                [ToLink::Reply { xid: 1, outcome: Ok(_), .. }, ToLink::Reply { xid: 2, outcome: Ok(_), .. }]
            ),
            "{answers:?}"
        );
        assert!(!net.is_global(session) && !net.exists("/e"));
    }
}

/// Sent one behind the other without waiting: a link takes answers only in this order.
#[test]
fn every_answer_waits_its_turn() {
    use LocalSessions::{Off, On, Upgrading};
    #[derive(Clone, Copy, Debug)]
    enum Sent {
        Write(i32),
        Sync,
        Close,
    }
    use Sent::{Close, Sync, Write};
    let no_ephemeral = Err(ZkError::EphemeralOnLocalSession);
    type Exchange = (Sent, Result<(), ZkError>);
    let rows: [(_, &[Exchange]); 9] = [
        (On, &[(Write(0), Ok(())), (Write(1), no_ephemeral), (Write(0), Ok(())), (Close, Ok(()))]),
        (On, &[(Sync, Ok(())), (Close, Ok(()))]),
        (On, &[(Sync, Ok(())), (Write(1), no_ephemeral), (Sync, Ok(())), (Write(0), Ok(()))]),
        (On, &[(Write(0), Ok(())), (Write(1), no_ephemeral), (Sync, Ok(())), (Close, Ok(()))]),
        (On, &[(Sync, Ok(())), (Sync, Ok(())), (Write(0), Ok(())), (Sync, Ok(())), (Close, Ok(()))]),
        (Upgrading, &[(Sync, Ok(())), (Close, Ok(()))]),
        (Upgrading, &[(Sync, Ok(())), (Write(1), Ok(())), (Sync, Ok(())), (Close, Ok(()))]),
        (Off, &[(Write(0), Ok(())), (Sync, Ok(())), (Write(0), Ok(()))]),
        (Off, &[(Sync, Ok(())), (Write(1), Ok(())), (Sync, Ok(())), (Close, Ok(()))]),
    ];
    for (kind, asked) in rows {
        for at in [1, 3, 4] {
            let mut net = Net::with(3, 1, local(kind));
            net.run(Duration::from_secs(3));
            let (session, other) = (net.connect(at, 1, None).session, net.connect(at, 2, None).session);
            net.said.clear();
            let mut expected = Vec::new();
            let mut requests = vec![(2, ask(&create("/other", 0), OpCode::Create, other, 1))];
            for (xid, (sent, outcome)) in (1..).zip(asked) {
                expected.push((xid, *outcome));
                let request = match sent {
                    Write(flags) => ask(&create(&format!("/{xid}"), *flags), OpCode::Create, session, xid),
                    Sync => Submission::Sync { session, xid, path: "/".into() },
                    Close => ask(&Request::CloseSession, OpCode::CloseSession, session, xid),
                };
                requests.push((1, request));
            }
            for (link, request) in requests {
                net.queue.push_back((ServerId(at), Input::Submit { link: LinkId(link), request }));
            }
            net.drain();
            let answers: Vec<_> = net
                .said_to(at, 1)
                .into_iter()
                .map(|msg| match msg {
                    ToLink::Reply { xid, outcome, .. } => (xid, outcome.map(drop)),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(answers, expected, "{kind:?} at {at}: {asked:?}");
        }
    }
}

#[test]
fn a_late_write_of_a_closed_session_does_not_pass_for_a_local_one() {
    use crate::wire::peer::{Forwarded, PeerMsg};
    let mut net = Net::with(3, 0, local(LocalSessions::Upgrading));
    net.run(Duration::from_secs(3));
    let session = net.connect(1, 1, None).session;
    net.write(1, 1, session, 1, &create("/e", 1), OpCode::Create).unwrap();
    net.close(1, 1, session).unwrap();
    let other = SessionId(session.0 + 1);
    for (session, path, made) in [(session, "/late", false), (other, "/local", true)] {
        let Submission::Write { body, .. } = ask(&create(path, 0), OpCode::Create, session, 7) else { panic!() };
        let forwarded = Forwarded { session, cxid: 7, op: OpCode::Create.code(), body, auth: vec![] };
        let (to, _) = net.ends.iter().find(|(_, (other, _))| *other == ServerId(1)).map(|(c, e)| (*c, *e)).unwrap();
        net.queue.push_back((ServerId(3), Input::Packet { conn: to, msg: PeerMsg::Request(forwarded) }));
        net.drain();
        assert_eq!(net.exists(path), made, "{path}");
    }
}

/// What still comes over the connection that a session has left (client-protocol §3.6).
#[test]
fn requests_over_an_old_connection() {
    for (old, new) in [(1, 2), (1, 3), (3, 1)] {
        let mut net = Net::new(3, 0);
        net.run(Duration::from_secs(3));
        let session = net.connect(old, 1, None);
        net.connect(new, 2, Some(&session));
        let session = session.session;
        net.write(new, 2, session, 1, &create("/e", 1), OpCode::Create).unwrap();
        let what = format!("from {old} to {new}");
        // Reads and a sync are still answered, a write ends the connection (as its answer, or at once).
        let synced = net.submit(old, 1, Submission::Sync { session, xid: 4, path: "/".into() });
        assert!(matches!(synced[..], [ToLink::Reply { xid: 4, outcome: Ok(_), .. }]), "{what}: {synced:?}");
        for request in [create("/a", 0), multi(&[create("/b", 0)])] {
            let op = if matches!(request, Request::Multi { .. }) { OpCode::Multi } else { OpCode::Create };
            let said = net.submit(old, 1, ask(&request, op, session, 5));
            let moved = matches!(&said[..], [ToLink::Reply { outcome: Err(ZkError::SessionMoved), .. }]);
            assert!(moved || said == [MOVED], "{what}: {said:?}");
        }
        assert!(!net.exists("/a") && !net.exists("/b"));
        // A closeSession ends the session wherever it comes from.
        let said = net.submit(old, 1, ask(&Request::CloseSession, OpCode::CloseSession, session, 6));
        if said != [MOVED] {
            assert!(matches!(said[..], [ToLink::Reply { xid: 6, outcome: Ok(_), .. }]), "{what}: {said:?}");
            assert!(!net.is_global(session) && !net.exists("/e"), "{what}");
        }
    }
}

#[test]
fn a_session_belongs_to_the_connection_that_it_was_opened_over() {
    let mut net = Net::new(3, 0);
    net.run(Duration::from_secs(3));
    let first = net.connect(1, 1, None);
    // It moves before it has asked for anything.
    net.connect(2, 2, Some(&first));
    let said = net.submit(1, 1, ask(&create("/a", 0), OpCode::Create, first.session, 1));
    assert!(matches!(said[..], [ToLink::Reply { outcome: Err(ZkError::SessionMoved), .. }]), "{said:?}");
    net.write(2, 2, first.session, 1, &create("/a", 0), OpCode::Create).unwrap();
}

/// A session that is taken up again lives by what its new connection was granted, not by what it had before; at
/// leader, follower and observer, wherever it comes from, and as a local one too.
#[test]
fn a_session_that_is_taken_up_again_has_the_timeout_of_its_new_connection() {
    use LocalSessions::{Off, On, Upgrading};
    let ways = [(3, 3), (1, 1), (4, 4), (1, 3), (3, 1), (1, 2), (4, 1), (2, 4), (3, 4)].map(|(a, b)| (Off, a, b));
    let local_ones = [(On, 3, 3), (On, 1, 1), (Upgrading, 3, 3), (Upgrading, 1, 1), (Upgrading, 4, 4)];
    for (kind, old, new) in ways.into_iter().chain(local_ones) {
        let wishes = [(-1, 4000), (5000, 5000), (20_000, 20_000), (i32::MAX, 40_000)];
        for ((wished, granted), heard) in wishes.into_iter().flat_map(|wish| [(wish, true), (wish, false)]) {
            // What makes a session global has its first timeout, and a server it has left may tell of that one late:
            // then only the next sign of life puts it right.
            if !heard && (kind == Upgrading || (old != new && granted < 10_000)) {
                continue;
            }
            let what = format!("{kind:?}, from {old} to {new}, {wished}, heard again: {heard}");
            let mut net = Net::with(3, 1, local(kind));
            net.run(Duration::from_secs(3));
            assert_eq!(net.leader(), 3);
            let session = net.wish(old, 1, SessionId(0), 10_000).session;
            // Still to be told to the leader when the client is gone already.
            net.queue.push_back((ServerId(old), Input::Touched { sessions: vec![session] }));
            net.drain();
            assert_eq!(net.wish(new, 2, session, wished).timeout_ms, granted, "{what}");
            if kind == Upgrading {
                net.write(new, 2, session, 1, &create("/e", 1), OpCode::Create).unwrap();
                assert!(net.is_global(session), "{what}");
            }
            if heard {
                net.run(Duration::from_millis(1500));
                net.queue.push_back((ServerId(new), Input::Touched { sessions: vec![session] }));
            }
            net.run(Duration::from_millis(granted as u64 - 100));
            let lives =
                |net: &Net| net.is_global(session) || net.server(new).service().local_sessions().is_live(session);
            assert!(lives(&net), "{what}: it ends too early");
            net.run(Duration::from_millis(3600));
            assert!(!lives(&net), "{what}: it ends too late");
        }
    }
}

/// Each waits for the leader's word; the last one has the session, and its timeout.
#[test]
fn two_connections_that_take_up_a_session_at_once() {
    for (first, last) in [(4000, 20_000), (20_000, 4000)] {
        let mut net = Net::new(3, 0);
        net.run(Duration::from_secs(3));
        let session = net.wish(1, 1, SessionId(0), 10_000).session;
        net.hold(3);
        net.said.clear();
        for (link, wished) in [(2, first), (3, last)] {
            let request = Submission::Connect(connect_request(session, wished));
            net.queue.push_back((ServerId(1), Input::Submit { link: LinkId(link), request }));
        }
        net.drain();
        assert_eq!((net.said_to(1, 1), net.said_to(1, 2)), (vec![MOVED], vec![]), "the leader has not spoken");
        net.release(3, usize::MAX);
        let said = net.said_to(1, 2);
        assert!(
            matches!(said[..], [ToLink::Connected(ConnectResponse { timeout_ms, .. }), MOVED] if timeout_ms == first)
        );
        let said = net.said_to(1, 3);
        assert!(matches!(said[..], [ToLink::Connected(ConnectResponse { timeout_ms, .. })] if timeout_ms == last));
        net.run(Duration::from_millis(last as u64 - 100));
        assert!(net.is_global(session));
        net.run(Duration::from_millis(3000));
        assert!(!net.is_global(session));
    }
}

/// Session ids and their passwords can be guessed: who asks for sessions that are no more must not fill the memory.
#[test]
fn sessions_that_are_refused_leave_nothing() {
    for at in [3, 1, 4] {
        let mut net = Net::with(3, 1, ServiceRules::default());
        net.run(Duration::from_secs(3));
        let live = net.wish(at, 1, SessionId(0), 10_000).session;
        for n in 1..100 {
            let refused = net.wish(at, 1 + n, SessionId(live.0 + n as i64), 10_000);
            assert_eq!((refused.timeout_ms, refused.session), (0, SessionId(0)));
        }
        assert_eq!(net.server(at).service().granted.keys().collect::<Vec<_>>(), [&live], "at {at}");
        net.close(at, 1, live).unwrap();
        assert!(net.server(at).service().granted.is_empty(), "at {at}");
    }
}

/// A new leader begins with what the session was opened with, which is all that the servers share.
#[test]
fn a_new_leader_knows_the_first_timeout_only() {
    for (opened, resumed) in [(20_000, 4000), (4000, 20_000)] {
        let mut net = Net::new(3, 0);
        net.run(Duration::from_secs(3));
        let session = net.wish(1, 1, SessionId(0), opened).session;
        assert_eq!(net.wish(1, 2, session, resumed).timeout_ms, resumed);
        net.kill(3);
        let mut waited = 0;
        while net.server(2).service().tracker().is_none() {
            net.run(Duration::from_millis(100));
            waited += 100;
            assert!(waited < 3000, "somebody leads");
        }
        net.run(Duration::from_millis(opened as u64 - 200));
        assert!(net.is_global(session), "{opened}");
        net.run(Duration::from_millis(2300));
        assert!(!net.is_global(session), "{opened}");
    }
}

fn without_leader(local_sessions: LocalSessions) -> Net {
    let mut net = Net::with(3, 0, ServiceRules { read_only: true, local_sessions, ..ServiceRules::default() });
    net.run(Duration::from_secs(3));
    let session = net.connect(1, 1, None).session;
    net.write(1, 1, session, 1, &create("/kept", 0), OpCode::Create).unwrap();
    net.kill(2);
    net.kill(3);
    net
}

#[test]
fn a_server_without_a_leader_serves_reads_after_a_while_and_until_it_has_one() {
    let mut net = without_leader(LocalSessions::On);
    net.run(Duration::from_millis(1900));
    assert_eq!(net.server(1).service().serving(), None);
    let said = net.try_connect(1, 2, SessionId(0), Some(true));
    assert_eq!(said, [ToLink::Close(LinkClose::NotServing)]);
    net.run(Duration::from_secs(13));
    assert!(net.server(1).service().is_read_only());
    let said = net.try_connect(1, 3, SessionId(0), Some(true));
    let session = match &said[..] {
        [ToLink::Connected(ConnectResponse { session, read_only: Some(true), timeout_ms: 6000, .. })] => *session,
        other => panic!("{other:?}"),
    };
    for (request, op) in [
        (create("/a", 0), OpCode::Create),
        (create("/a", 1), OpCode::Create),
        (delete("/kept"), OpCode::Delete),
        (multi(&[]), OpCode::Multi),
    ] {
        assert_eq!(net.write(1, 3, session, 1, &request, op), Err(ZkError::NotReadOnly), "{request:?}");
    }
    let synced = net.submit(1, 3, Submission::Sync { session, xid: 4, path: "/".into() });
    assert!(matches!(synced[..], [ToLink::Reply { xid: 4, outcome: Err(ZkError::NotReadOnly), .. }]), "{synced:?}");
    assert!(net.exists("/kept"));
    assert_eq!(net.close(1, 3, session), Ok(Response::Empty));
    // A quorum again.
    let said = net.try_connect(1, 4, SessionId(0), Some(true));
    assert!(matches!(said[..], [ToLink::Connected(_)]));
    net.start(2);
    net.run(Duration::from_secs(5));
    net.leader();
    assert!(!net.server(1).service().is_read_only() && net.server(1).service().serving().is_some());
    assert!(net.server(1).service().local_sessions().is_empty());
}

#[test]
fn whom_a_read_only_server_takes() {
    use LocalSessions::{Off, On};
    let closed = || vec![ToLink::Close(LinkClose::NotServing)];
    let no_session = || vec![ToLink::NoSession(ZkError::NotReadOnly)];
    for (kind, fresh, flag, expected) in [
        (On, true, None, Some(closed())),
        (On, true, Some(false), Some(closed())),
        (On, true, Some(true), None),
        (Off, true, Some(true), Some(no_session())),
        (Off, false, Some(true), Some(closed())),
        (Off, false, Some(false), Some(closed())),
        (On, false, Some(false), Some(closed())),
    ] {
        let mut net = without_leader(kind);
        net.run(Duration::from_secs(15));
        let session = if fresh { SessionId(0) } else { SessionId(0x0200_0000_0000_0001) };
        let said = net.try_connect(1, 2, session, flag);
        match expected {
            Some(expected) => assert_eq!(said, expected, "{kind:?} {fresh} {flag:?}"),
            None => assert!(matches!(said[..], [ToLink::Connected(_)]), "{said:?}"),
        }
    }
    let mut net = without_leader(On);
    net.run(Duration::from_secs(15));
    let said = net.try_connect(1, 2, SessionId(0x0200_0000_0000_0001), Some(true));
    assert!(
        matches!(said[..], [ToLink::Connected(ConnectResponse { timeout_ms: 0, read_only: Some(false), .. })]),
        "{said:?}"
    );
}

/// What a leader sends before it is established may never be committed: whoever has taken it over, also before a
/// restart, shows it to nobody until there is a leader.
#[test]
fn a_state_that_may_never_be_committed_is_not_served() {
    use crate::wire::notification::{Notification, Vote};
    use crate::wire::peer::PeerMsg;
    for (snap, accepted, expected) in [(false, 0, true), (true, 0, false), (false, 1, false)] {
        let ensemble = Net::new(3, 0).ensemble;
        let mut config = Config::new(ServerId(1), ensemble);
        config.service.read_only = true;
        let mut now = Now { mono: Instant::ZERO, wall_ms: 0 };
        let mut fx = Effects::quiet();
        let disk = Recovered { accepted: Epoch(accepted), ..Recovered::empty() };
        let mut server = Server::start(config, 1, disk, Plain::default(), now, &mut fx);
        let mut step = |now, input| {
            let mut queue = VecDeque::from([input]);
            while let Some(input) = queue.pop_front() {
                server.step(now, input, &mut fx);
                let stored = fx.drain().filter_map(|effect| match effect {
                    Effect::Store { lsn, .. } => Some(Input::Synced { upto: lsn }),
                    _ => None,
                });
                queue.extend(stored);
            }
            (server.next_deadline(), server.service().is_read_only(), server.side().0.tree.exists("/never"))
        };
        if snap {
            let vote = Vote { epoch: Epoch(0), zxid: Zxid::ZERO, leader: ServerId(3) };
            let note =
                Notification { state: ServerState::Looking, vote, round: 1, version: 2, config: Default::default() };
            let mut tree = Tree::new();
            let header = crate::wire::txn::TxnHeader {
                session: SessionId(5),
                cxid: 1,
                zxid: Zxid::new(Epoch(1), 1),
                time_ms: 1,
            };
            let wanted = crate::service::PrepRequest::LocalClient(create("/never", 0));
            let txn = crate::service::Prep::new(false).prepare(&tree, header, &[], wanted);
            tree.apply(&txn);
            let conn = ConnId(1);
            step(now, Input::Notification { from: ServerId(3), note });
            now.mono = now.mono + Duration::from_millis(200);
            for input in [
                Input::Tick,
                Input::Connected { to: ServerId(3), conn },
                Input::Packet { conn, msg: PeerMsg::LeaderInfo { epoch: Epoch(1), protocol: 0x10000 } },
                Input::Packet { conn, msg: PeerMsg::Snap { zxid: Zxid::new(Epoch(1), 1), body: tree.write_body() } },
            ] {
                step(now, input);
            }
            let (_, _, taken_over) = step(now, Input::Closed { conn });
            assert!(taken_over);
        }
        let end = now.mono + Duration::from_secs(90);
        let mut served = false;
        loop {
            let (next, read_only, _) = step(now, Input::Tick);
            served |= read_only;
            match next {
                Some((at, _)) if at <= end => now.mono = now.mono.max(at),
                _ => break,
            }
        }
        assert_eq!(served, expected, "snapshot {snap}, promised {accepted}");
    }
}
