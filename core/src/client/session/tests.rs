use super::*;
use crate::client::line::parse;
use crate::wire::client::{EventKind, RequestHeader, event_frame, reply_frame};
use crate::wire::record::Stat;
use alloc::string::String;
use alloc::vec;

fn at(ms: u64) -> Instant {
    Instant(ms * 1000)
}

/// Frames without their lengths, as a driver hands them in.
fn bare(frame: Bytes) -> Bytes {
    frame.slice(4..)
}

fn greeting(session: i64, timeout_ms: i32) -> Bytes {
    let passwd = Bytes::from_static(&[7; 16]);
    bare(ConnectResponse { timeout_ms, session: SessionId(session), passwd, read_only: Some(false) }.frame())
}

/// A client in session 5 with a timeout of 3 s.
fn served() -> Client {
    let mut client = Client::new(6000);
    let mut out = Vec::new();
    client.on_connected(at(0), &mut out);
    out.clear();
    client.on_frame(at(0), greeting(5, 3000), &mut out).unwrap();
    let timeout = Duration::from_millis(3000);
    assert_eq!(out, [ClientOutput::Event(ClientEvent::Connected { session: SessionId(5), timeout, fresh: true })]);
    client
}

/// A new leader counts what the session was opened with, whatever a connection was granted since.
#[test]
fn a_longer_timeout_of_a_later_connection_is_not_relied_on() {
    for (granted, trusted) in [(3000, 3000), (2000, 2000), (9000, 3000)] {
        let mut client = served();
        let mut out = Vec::new();
        client.on_disconnected(&mut out);
        client.on_connected(at(500), &mut out);
        client.on_frame(at(1000), greeting(5, granted), &mut out).unwrap();
        assert_eq!(client.timeout(), Duration::from_millis(granted as u64));
        assert_eq!(client.trusted_until(), at(1000 + trusted), "{granted}");
    }
}

fn ask(client: &mut Client, now: Instant, line: &str) -> (i32, Vec<ClientOutput>) {
    let mut out = Vec::new();
    let xid = client.ask(now, parse(line).unwrap(), &mut out).unwrap();
    (xid, out)
}

fn answer(client: &mut Client, xid: i32, zxid: i64, outcome: Outcome) -> Result<Vec<ClientOutput>, ClientError> {
    let mut out = Vec::new();
    client.on_frame(at(10), bare(reply_frame(xid, Zxid(zxid), &outcome)), &mut out)?;
    Ok(out)
}

fn data() -> Outcome {
    Ok(Response::Data(Some(Bytes::from_static(b"x")), Stat::default()))
}

fn sent(out: &[ClientOutput]) -> Vec<(i32, i32)> {
    let header = |o: &ClientOutput| match o {
        ClientOutput::Send(frame) => {
            RequestHeader::decode(bare(frame.clone())).ok().map(|(header, _)| (header.xid, header.op))
        }
        _ => None,
    };
    out.iter().filter_map(header).collect()
}

#[test]
fn answers_are_matched_in_order() {
    let mut client = served();
    let (first, out) = ask(&mut client, at(1), "get /a");
    assert_eq!(sent(&out), [(first, OpCode::GetData.code())]);
    let (second, _) = ask(&mut client, at(1), "delete /a");
    assert_eq!((first, second), (1, 2));
    let out = answer(&mut client, first, 8, data()).unwrap();
    assert!(matches!(&out[..], [ClientOutput::Event(ClientEvent::Answer { xid: 1, outcome: Ok(_), .. })]));
    assert_eq!(client.seen(), Zxid(8));
    let out = answer(&mut client, second, 9, Err(ZkError::NoNode)).unwrap();
    assert!(matches!(
        &out[..],
        [ClientOutput::Event(ClientEvent::Answer { xid: 2, outcome: Err(ZkError::NoNode), .. })]
    ));
    assert_eq!(client.pending().count(), 0);
}

#[test]
fn wrong_answers_are_errors() {
    let mut client = served();
    assert_eq!(answer(&mut client, 1, 1, data()), Err(ClientError::OutOfOrder { got: 1, expected: None }));
    ask(&mut client, at(1), "get /a");
    ask(&mut client, at(1), "get /b");
    assert_eq!(answer(&mut client, 2, 1, data()), Err(ClientError::OutOfOrder { got: 2, expected: Some(1) }));
    let mut out = Vec::new();
    for frame in [&b""[..], b"\0\0\0\x01", b"\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\xff"] {
        let mut client = client.clone();
        let read = client.on_frame(at(2), Bytes::from_static(frame), &mut out);
        assert!(matches!(read, Err(ClientError::Malformed(_))), "{frame:?}: {read:?}");
    }
    let unknown = Bytes::from_static(b"\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x05");
    assert_eq!(client.on_frame(at(2), unknown, &mut out), Err(ClientError::UnknownCode(5)));
}

#[test]
fn requests_need_a_served_session() {
    let mut client = Client::new(3000);
    let mut out = Vec::new();
    assert_eq!(client.ask(at(0), Request::Ping, &mut out), Err(ClientError::NotConnected));
    client.on_connected(at(0), &mut out);
    assert_eq!(client.ask(at(0), Request::Ping, &mut out), Err(ClientError::NotConnected));
    client.on_frame(at(1), greeting(0, 0), &mut out).unwrap();
    assert_eq!(client.ask(at(2), Request::Ping, &mut out), Err(ClientError::Over(Ending::Expired)));
    assert_eq!(out.last(), Some(&ClientOutput::Event(ClientEvent::Over(Ending::Expired))));
}

#[test]
fn pings_keep_an_idle_session_and_silence_leads_elsewhere() {
    let mut client = served();
    let mut out = Vec::new();
    for (now, deadline) in [(999, 1000), (1000, 2000)] {
        client.on_time(at(now), &mut out);
        assert_eq!(client.deadline(), Some(at(deadline)), "after {now} ms");
    }
    assert_eq!(sent(&out), [(xid::PING, OpCode::Ping.code())]);
    // The pong does not disturb the order of answers.
    ask(&mut client, at(1100), "get /a");
    out.clear();
    client.on_frame(at(1200), bare(reply_frame(xid::PING, Zxid(3), &Ok(Response::Empty))), &mut out).unwrap();
    assert!(out.is_empty() && client.seen() == Zxid(3));
    client.on_time(at(3199), &mut out);
    assert_eq!(sent(&out).len(), 1, "another ping");
    out.clear();
    client.on_time(at(3200), &mut out);
    assert_eq!(out, [ClientOutput::Reconnect]);
}

#[test]
fn a_session_goes_on_elsewhere_with_its_watches() {
    let mut client = served();
    for (line, outcome) in [
        ("get -w /data", data()),
        ("stat -w /missing", Err(ZkError::NoNode)),
        ("ls -w /children", Ok(Response::Children2(vec![], Stat::default()))),
        ("get -w /nothing", Err(ZkError::NoNode)),
        ("get /unwatched", data()),
        ("get -w /fired", data()),
    ] {
        let (xid, _) = ask(&mut client, at(1), line);
        answer(&mut client, xid, 20, outcome).unwrap();
    }
    let mut out = Vec::new();
    let fired = WatcherEvent { kind: EventKind::DataChanged, path: "/fired".into() };
    for armed in [true, false] {
        out.clear();
        client.on_frame(at(2), bare(event_frame(Zxid(-1), &fired)), &mut out).unwrap();
        let event = fired.clone();
        assert_eq!(out, [ClientOutput::Event(ClientEvent::Watch { event, zxid: Zxid(-1), armed })]);
    }
    let (lost, _) = ask(&mut client, at(3), "set /data y");
    out.clear();
    client.on_disconnected(&mut out);
    assert!(matches!(
        &out[..],
        [
            ClientOutput::Event(ClientEvent::Disconnected),
            ClientOutput::Event(ClientEvent::Unanswered { xid, .. })
        ] if *xid == lost
    ));
    out.clear();
    client.on_connected(at(4), &mut out);
    let [ClientOutput::Send(hello)] = &out[..] else { panic!("{out:?}") };
    let hello = ConnectRequest::decode(bare(hello.clone())).unwrap();
    assert_eq!((hello.session, hello.last_zxid_seen, &hello.passwd[..]), (SessionId(5), Zxid(20), &[7; 16][..]));
    out.clear();
    client.on_frame(at(5), greeting(5, 3000), &mut out).unwrap();
    let [ClientOutput::Send(again), ClientOutput::Event(ClientEvent::Connected { fresh: false, .. })] = &out[..] else {
        panic!("the watches come first: {out:?}")
    };
    let (header, body) = RequestHeader::decode(bare(again.clone())).unwrap();
    let one = |path: &str| vec![String::from(path)];
    assert_eq!(header.xid, xid::SET_WATCHES);
    assert_eq!(
        Request::decode(OpCode::SetWatches, body).unwrap(),
        Request::SetWatches { relative: Zxid(20), data: one("/data"), exist: one("/missing"), child: one("/children") }
    );
    // Its answer stands in the order, but is nobody's.
    let out = answer(&mut client, xid::SET_WATCHES, 21, Ok(Response::Empty)).unwrap();
    assert!(out.is_empty());
}

#[test]
fn closing_ends_the_session() {
    let mut client = served();
    let (xid, _) = ask(&mut client, at(1), "close");
    let out = answer(&mut client, xid, 30, Ok(Response::Empty)).unwrap();
    assert!(matches!(
        &out[..],
        [ClientOutput::Event(ClientEvent::Answer { .. }), ClientOutput::Event(ClientEvent::Over(Ending::Closed))]
    ));
    assert_eq!((client.ending(), client.deadline()), (Some(Ending::Closed), None));
    let mut out = Vec::new();
    client.on_connected(at(2), &mut out);
    client.on_time(at(90_000), &mut out);
    assert!(out.is_empty(), "nothing more is done");
}

/// The challenge, the answer and the proof; then what was asked for is said again. With a wrong password, from a server
/// that does not know it, or from one without SASL, there is no session.
#[test]
fn sasl_comes_first() {
    use crate::auth::digest_md5::Server;
    use crate::client::sasl::SaslUser;
    use crate::config::Secret;
    let user = |password: &str| SaslUser { user: "bob".into(), password: Secret::new(password) };
    let begin = |password| {
        let mut client = Client::new(6000).with_sasl(user(password), Rng::new(1));
        let mut out = Vec::new();
        let credential = Credential { scheme: "digest".into(), auth: Some(Bytes::from_static(b"a:b")) };
        client.authenticate(at(0), credential, &mut out).unwrap();
        client.on_connected(at(0), &mut out);
        out.clear();
        client.on_frame(at(0), greeting(5, 3000), &mut out).unwrap();
        assert_eq!((token(&out), client.is_served()), (Bytes::new(), false));
        client
    };
    fn token(out: &[ClientOutput]) -> Bytes {
        let [ClientOutput::Send(frame)] = out else { panic!("{out:?}") };
        let (header, body) = RequestHeader::decode(bare(frame.clone())).unwrap();
        match Request::decode(OpCode::from_code(header.op).unwrap(), body) {
            Ok(Request::Sasl { token: Some(token) }) => token,
            other => panic!("{other:?}"),
        }
    }
    let users = [("bob".into(), Secret::new("secret"))].into();
    let say = |token: Bytes| Ok(Response::Token(Some(token)));

    let (mut client, mut server) = (begin("secret"), Server::new(&[3; 30]));
    let challenge = server.respond(&users, b"").unwrap();
    let out = answer(&mut client, 1, 0, say(challenge.token.clone())).unwrap();
    let proof = server.respond(&users, &token(&out)).unwrap();
    assert_eq!(proof.user.as_deref(), Some("bob"));
    assert!(matches!(answer(&mut client, 1, 0, say(proof.token.clone())), Err(ClientError::OutOfOrder { got: 1, .. })));
    let out = answer(&mut client, 2, 0, say(proof.token)).unwrap();
    assert!(client.is_served());
    assert_eq!(out[0], ClientOutput::Event(ClientEvent::Auth { scheme: "sasl".into(), accepted: true }));
    assert_eq!(sent(&out), [(xid::AUTH, OpCode::Auth.code())]);
    assert!(matches!(out.last(), Some(ClientOutput::Event(ClientEvent::Connected { fresh: true, .. }))));
    // The same again at another server, with words of its own.
    client.on_disconnected(&mut Vec::new());
    client.on_connected(at(50), &mut Vec::new());
    let mut out = Vec::new();
    client.on_frame(at(50), greeting(5, 3000), &mut out).unwrap();
    assert_eq!((token(&out), client.is_served(), client.deadline()), (Bytes::new(), false, Some(at(2050))));

    for (first, second) in [
        (Err(ZkError::AuthFailed), None),
        (say(Bytes::new()), None),
        (say(challenge.token.clone()), Some(Err(ZkError::AuthFailed))),
        (say(challenge.token), Some(say(Bytes::from_static(b"rspauth=0123456789abcdef0123456789abcdef")))),
    ] {
        let mut client = begin("wrong");
        let mut out = answer(&mut client, 1, 0, first).unwrap();
        if let Some(second) = second {
            assert!(client.ending().is_none());
            out = answer(&mut client, 2, 0, second).unwrap();
        }
        assert_eq!(client.ending(), Some(Ending::AuthFailed));
        assert_eq!(out[0], ClientOutput::Event(ClientEvent::Auth { scheme: "sasl".into(), accepted: false }));
    }
}
