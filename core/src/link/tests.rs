use super::*;
use crate::wire::client::request_frame;
use crate::wire::record::Stat;
use alloc::vec::Vec;

/// A frame as `on_frame` takes it.
fn frame(xid: i32, request: &Request) -> Bytes {
    request_frame(xid, request).slice(4..)
}

fn open_link() -> Link {
    let mut link = Link::new(LinkId(1), "127.0.0.1");
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

fn get(path: &str) -> Request {
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
