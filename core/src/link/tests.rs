use super::*;
use crate::wire::client::{AddWatchMode, EventKind, WatchLists, WatchType, request_frame};
use crate::wire::record::Stat;
use bytes::{BufMut as _, BytesMut};

/// A frame as `on_frame` takes it.
pub(super) fn frame(xid: i32, request: &Request) -> Bytes {
    request_frame(xid, request).slice(4..)
}

fn open_link() -> Link {
    open_link_of(Link::new(LinkId(1), "127.0.0.1"))
}

/// The handshake of `link` is done.
pub(super) fn open_link_of(mut link: Link) -> Link {
    let mut out = Vec::new();
    let connect = ConnectRequest {
        protocol: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 1000,
        session: SessionId(0),
        passwd: Bytes::from_static(&[0; 16]),
        read_only: Some(false),
    };
    link.on_frame(connect.frame().slice(4..), &mut out);
    assert_eq!(out, [LinkEffect::Submit(Submission::Connect(connect))]);
    out.clear();
    let response = ConnectResponse {
        timeout_ms: 4000,
        session: SessionId(7),
        passwd: Bytes::from_static(&[1; 16]),
        read_only: Some(false),
    };
    link.on_server(ToLink::Connected(response.clone()), &mut out);
    assert_eq!(out, [LinkEffect::Write(response.frame())]);
    assert_eq!((link.session(), link.session_timeout_ms()), (Some(SessionId(7)), Some(4000)));
    link
}

pub(super) fn get(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: false }
}

fn set(path: &str) -> Request {
    Request::SetData { path: path.into(), data: None, version: -1 }
}

#[test]
fn a_read_waits_behind_ones_own_write_and_a_ping_does_not() {
    let mut link = open_link();
    let mut out = Vec::new();
    link.on_frame(frame(1, &set("/a")), &mut out);
    link.on_frame(frame(2, &get("/a")), &mut out);
    link.on_frame(frame(-2, &Request::Ping), &mut out);
    assert!(matches!(out.as_slice(), [LinkEffect::Submit(Submission::Write { xid: 1, .. }), LinkEffect::Write(_)]));
    assert_eq!(link.pending(), 2);
    out.clear();
    let stat = Stat::default();
    link.on_server(ToLink::Reply { xid: 1, zxid: Zxid(5), outcome: Ok(Response::Stat(stat)) }, &mut out);
    assert!(matches!(out.as_slice(), [LinkEffect::Write(_), LinkEffect::Read { xid: 2, .. }]));
    out.clear();
    link.on_read(2, Zxid(5), Err(ZkError::NoNode), Vec::new(), &mut out);
    assert_eq!(out, [LinkEffect::Write(reply_frame(2, Zxid(5), &Err(ZkError::NoNode)))]);
    assert_eq!(link.pending(), 0);
}

#[test]
fn a_write_waits_behind_ones_own_read_that_waits() {
    let mut link = open_link();
    let mut out = Vec::new();
    for (xid, request) in
        [(1, set("/a")), (2, get("/a")), (3, set("/a")), (4, set("/a")), (5, get("/a")), (6, set("/a"))]
    {
        link.on_frame(frame(xid, &request), &mut out);
    }
    assert!(matches!(out.as_slice(), [LinkEffect::Submit(Submission::Write { xid: 1, .. })]), "{out:?}");
    out.clear();
    link.on_server(ToLink::Reply { xid: 1, zxid: Zxid(5), outcome: Ok(Response::Empty) }, &mut out);
    assert!(matches!(out.as_slice(), [LinkEffect::Write(_), LinkEffect::Read { xid: 2, .. }]), "{out:?}");
    out.clear();
    link.on_read(2, Zxid(5), Err(ZkError::NoNode), Vec::new(), &mut out);
    let [LinkEffect::Write(_), LinkEffect::Submit(third), LinkEffect::Submit(fourth)] = out.as_slice() else {
        panic!("{out:?}");
    };
    assert!(matches!(third, Submission::Write { xid: 3, .. }) && matches!(fourth, Submission::Write { xid: 4, .. }));
    out.clear();
    link.on_server(ToLink::Reply { xid: 3, zxid: Zxid(6), outcome: Ok(Response::Empty) }, &mut out);
    link.on_server(ToLink::Reply { xid: 4, zxid: Zxid(7), outcome: Ok(Response::Empty) }, &mut out);
    link.on_read(5, Zxid(7), Err(ZkError::NoNode), Vec::new(), &mut out);
    assert!(matches!(out.last(), Some(LinkEffect::Submit(Submission::Write { xid: 6, .. }))), "{out:?}");
}

#[test]
fn garbage_first_closes_and_garbage_later_is_answered_in_turn() {
    let mut link = Link::new(LinkId(1), "127.0.0.1");
    let mut out = Vec::new();
    link.on_frame(Bytes::from_static(b"whatever"), &mut out);
    assert!(matches!(out.as_slice(), [LinkEffect::Close(LinkClose::BadRequest(_))]));
    assert!(link.is_closed());

    let mut link = open_link();
    out.clear();
    link.on_frame(frame(1, &set("/a")), &mut out);
    // getData without a path, then an opcode that nobody knows.
    link.on_frame(Bytes::from_static(&[0, 0, 0, 2, 0, 0, 0, 4]), &mut out);
    link.on_frame(Bytes::from_static(&[0, 0, 0, 3, 0, 0, 1, 0]), &mut out);
    assert_eq!(out.len(), 1, "both wait behind the write");
    out.clear();
    link.on_server(ToLink::Reply { xid: 1, zxid: Zxid(9), outcome: Ok(Response::Empty) }, &mut out);
    assert_eq!(
        out[1..3],
        [
            LinkEffect::Write(reply_frame(2, Zxid(9), &Err(ZkError::MarshallingError))),
            LinkEffect::Write(reply_frame(3, Zxid(-1), &Err(ZkError::Unimplemented))),
        ]
    );
    assert!(matches!(out.get(3), Some(LinkEffect::Close(LinkClose::BadRequest(_)))));
}

#[test]
fn nothing_behind_close_session_is_answered() {
    let mut link = open_link();
    let mut out = Vec::new();
    link.on_frame(frame(1, &Request::CloseSession), &mut out);
    link.on_frame(frame(2, &get("/")), &mut out);
    assert_eq!(out.len(), 1);
    out.clear();
    link.on_server(ToLink::Reply { xid: 1, zxid: Zxid(3), outcome: Ok(Response::Empty) }, &mut out);
    assert!(matches!(out.as_slice(), [LinkEffect::Write(_), LinkEffect::Close(LinkClose::SessionEnded(SessionId(7)))]));
}

#[test]
fn an_expired_session_is_told_and_closed() {
    let mut link = Link::new(LinkId(1), "127.0.0.1");
    let mut out = Vec::new();
    let connect = ConnectRequest {
        protocol: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 1000,
        session: SessionId(5),
        passwd: Bytes::from_static(&[0; 16]),
        read_only: None,
    };
    link.on_frame(connect.frame().slice(4..), &mut out);
    out.clear();
    let refused =
        ConnectResponse { timeout_ms: 0, session: SessionId(0), passwd: Bytes::from_static(&[0; 16]), read_only: None };
    link.on_server(ToLink::Connected(refused.clone()), &mut out);
    assert_eq!(out, [LinkEffect::Write(refused.frame()), LinkEffect::Close(LinkClose::SessionEnded(SessionId(0)))]);
}

/// What is answered without the server and without the read side: the error, with what zxid, and whether it ends the
/// connection (client-protocol §5).
#[test]
fn what_no_client_may_ask() {
    let body = Bytes::from_static(b"\0\0\0\x02/a\0\0\0\0");
    for (op, error, zxid, closes) in [
        (OpCode::Check.code(), ZkError::Unimplemented, -1, true),
        (OpCode::CreateSession.code(), ZkError::Unimplemented, -1, true),
        (OpCode::DeleteContainer.code(), ZkError::BadArguments, 0, false),
        (0, ZkError::Unimplemented, -1, true),
        (-1, ZkError::Unimplemented, -1, true),
        (10, ZkError::Unimplemented, -1, true),
        (i32::MAX, ZkError::Unimplemented, -1, true),
    ] {
        let mut link = open_link();
        let mut out = Vec::new();
        let mut asked = BytesMut::new();
        RequestHeader { xid: 5, op }.encode(&mut asked);
        asked.extend_from_slice(&body);
        link.on_frame(asked.freeze(), &mut out);
        assert_eq!(out.first(), Some(&LinkEffect::Write(reply_frame(5, Zxid(zxid), &Err(error)))), "{op}");
        assert_eq!(matches!(out.get(1), Some(LinkEffect::Close(LinkClose::BadRequest(_)))), closes, "{op}: {out:?}");
        assert_eq!((out.len(), link.is_closed()), (1 + usize::from(closes), closes), "{op}");
    }
}

#[test]
fn a_frame_without_a_header_closes_without_an_answer() {
    for frame in [&b""[..], b"\0", b"\0\0\0\x01\0\0\0"] {
        let mut link = open_link();
        let mut out = Vec::new();
        link.on_frame(Bytes::from_static(frame), &mut out);
        assert!(matches!(&out[..], [LinkEffect::Close(LinkClose::BadRequest(_))]), "{frame:?}: {out:?}");
    }
}

/// Every kind of read goes to the read side, in its turn; with a body cut short it is refused and the connection stays.
#[test]
fn reads_are_served_in_turn_and_unreadable_ones_refused() {
    let path = || String::from("/a");
    let lists = WatchLists { data: vec![path()], ..WatchLists::default() };
    for (request, has_body) in [
        (Request::Exists { path: path(), watch: true }, true),
        (get("/a"), true),
        (Request::GetAcl { path: path() }, true),
        (Request::GetChildren { path: path(), watch: false }, true),
        (Request::GetChildren2 { path: path(), watch: false }, true),
        (Request::GetAllChildrenNumber { path: path() }, true),
        (Request::GetEphemerals { prefix: Some(path()) }, true),
        (Request::MultiRead { ops: vec![get("/a")] }, true),
        (Request::SetWatches { relative: Zxid(1), data: vec![], exist: vec![], child: vec![] }, true),
        (Request::SetWatches2(Box::new(lists)), true),
        (Request::AddWatch { path: path(), mode: AddWatchMode::Persistent }, true),
        (Request::CheckWatches { path: path(), kind: WatchType::Any }, true),
        (Request::RemoveWatches { path: path(), kind: WatchType::Any }, true),
        (Request::WhoAmI, false),
    ] {
        let mut link = open_link();
        let mut out = Vec::new();
        let whole = frame(4, &request);
        link.on_frame(frame(3, &set("/a")), &mut out);
        link.on_frame(whole.clone(), &mut out);
        link.on_frame(whole.slice(..whole.len() - usize::from(has_body)), &mut out);
        assert_eq!(out.len(), 1, "{request:?} waits behind the write");
        out.clear();
        link.on_server(ToLink::Reply { xid: 3, zxid: Zxid(9), outcome: Ok(Response::Empty) }, &mut out);
        assert_eq!(out.get(1..), Some(&[LinkEffect::Read { xid: 4, request: request.clone() }][..]));
        out.clear();
        link.on_read(4, Zxid(9), Err(ZkError::NoNode), Vec::new(), &mut out);
        if has_body {
            let refused = LinkEffect::Write(reply_frame(4, Zxid(9), &Err(ZkError::MarshallingError)));
            assert_eq!(out.get(1..), Some(&[refused][..]), "{request:?}");
        }
        assert!(!link.is_closed());
    }
}

/// A multiRead's members must be getDatas and getChildren (client-protocol §11).
#[test]
fn a_multi_read_of_anything_else_is_refused() {
    for member in [Request::Exists { path: "/".into(), watch: false }, set("/a"), Request::Ping] {
        let mut link = open_link();
        let mut out = Vec::new();
        link.on_frame(frame(4, &Request::MultiRead { ops: vec![get("/a"), member.clone()] }), &mut out);
        let refused = LinkEffect::Write(reply_frame(4, Zxid(0), &Err(ZkError::MarshallingError)));
        assert_eq!(out, [refused], "{member:?}");
    }
}

#[test]
fn an_event_is_told_before_the_read_that_waits_for_its_answer() {
    let mut link = open_link();
    let mut out = Vec::new();
    link.on_frame(frame(1, &get("/a")), &mut out);
    let event = WatcherEvent { kind: EventKind::DataChanged, path: "/a".into() };
    link.on_server(ToLink::Event(event.clone()), &mut out);
    let missed = WatcherEvent { kind: EventKind::Deleted, path: "/b".into() };
    link.on_read(1, Zxid(5), Err(ZkError::NoNode), vec![missed.clone()], &mut out);
    let expected = [
        LinkEffect::Write(event_frame(EVENT_ZXID, &event)),
        LinkEffect::Write(event_frame(EVENT_ZXID, &missed)),
        LinkEffect::Write(reply_frame(1, Zxid(5), &Err(ZkError::NoNode))),
    ];
    assert_eq!(out.get(1..), Some(&expected[..]));
}

#[test]
fn a_new_identity_is_told_once() {
    let mut link = open_link();
    let mut out = Vec::new();
    let user = Id { scheme: "digest".into(), id: "u:h".into() };
    link.identify(vec![user.clone()], &mut out);
    link.identify(vec![user.clone()], &mut out);
    assert_eq!(out, [LinkEffect::Identified]);
    assert_eq!(link.auth().get(1..), Some(&[user][..]));
}

#[test]
fn what_has_waited_too_long_is_refused_but_for_what_keeps_a_session() {
    let frame = |op: OpCode| {
        let mut frame = BytesMut::new();
        frame.put_i32(7);
        frame.put_i32(op.code());
        frame.freeze()
    };
    for (op, refused) in [
        (OpCode::Create, true),
        (OpCode::GetData, true),
        (OpCode::Sync, true),
        (OpCode::Multi, true),
        (OpCode::Ping, false),
        (OpCode::CloseSession, false),
        (OpCode::CreateSession, false),
        (OpCode::Auth, false),
    ] {
        let mut link = Link::new(LinkId(1), "127.0.0.1");
        let mut out = Vec::new();
        assert!(!link.refuse_late(&frame(op), &mut out), "no session yet");
        link.state = State::Open { session: SessionId(5), timeout_ms: 4000 };
        assert_eq!(link.refuse_late(&frame(op), &mut out), refused, "{op:?}");
        let answer = reply_frame(7, Zxid::ZERO, &Err(ZkError::ThrottledOp));
        assert_eq!(out, if refused { vec![LinkEffect::Write(answer)] } else { vec![] }, "{op:?}");
    }
}

#[test]
fn a_multi_that_tells_of_a_move_ends_the_connection() {
    for (code, ends) in [(ZkError::SessionMoved, true), (ZkError::NoNode, false)] {
        let mut link = Link::new(LinkId(1), "127.0.0.1");
        link.state = State::Open { session: SessionId(5), timeout_ms: 4000 };
        link.queue.push_back(Pending::Submitted { xid: 3, closes: false });
        let mut out = Vec::new();
        let results = vec![OpResult::Error(0), OpResult::Error(code.code())];
        link.on_server(ToLink::Reply { xid: 3, zxid: Zxid(9), outcome: Ok(Response::Multi(results)) }, &mut out);
        assert_eq!(link.is_closed(), ends, "{code:?}");
        assert_eq!(out == [LinkEffect::Close(LinkClose::SessionMoved)], ends, "{out:?}");
    }
}

#[test]
fn a_client_that_gets_no_session_is_told_why() {
    let mut link = Link::new(LinkId(1), "127.0.0.1");
    link.state = State::Connecting { early: Vec::new() };
    let mut out = Vec::new();
    link.on_server(ToLink::NoSession(ZkError::NotReadOnly), &mut out);
    let told = reply_frame(0, Zxid::ZERO, &Err(ZkError::NotReadOnly));
    assert_eq!(told.len(), 4 + 16);
    assert_eq!(out, [LinkEffect::Write(told), LinkEffect::Close(LinkClose::NotServing)]);
}
