use super::*;
use crate::id::SessionId;
use crate::wire::client::{
    ConnectRequest, ConnectResponse, EventKind, Outcome, RequestHeader, WatcherEvent, event_frame, reply_frame, xid,
};
use crate::wire::op::OpCode;
use crate::wire::record::Stat;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

fn at(ms: u64) -> Instant {
    Instant(ms * 1000)
}

fn connector(hosts: &str) -> Connector {
    Connector::new(hosts.parse().unwrap(), 3000, false, Rng::new(4))
}

fn bare(frame: Bytes) -> Bytes {
    frame.slice(4..)
}

fn greeting(session: i64, read_only: bool) -> Bytes {
    let passwd = Bytes::from_static(&[7; 16]);
    bare(ConnectResponse { timeout_ms: 3000, session: SessionId(session), passwd, read_only: Some(read_only) }.frame())
}

fn reply(number: i32, outcome: Outcome) -> Bytes {
    bare(reply_frame(number, Zxid(9), &outcome))
}

fn get(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: false }
}

fn data() -> Outcome {
    Ok(Response::Data(None, Stat::default()))
}

/// The requests among what is to be sent.
fn sent(out: &[ConnectorOutput]) -> Vec<(i32, Request)> {
    let read = |frame: &Bytes| {
        let (header, body) = RequestHeader::decode(bare(frame.clone())).ok()?;
        Some((header.xid, Request::decode(OpCode::from_code(header.op)?, body).ok()?))
    };
    let frames = out.iter().filter_map(|o| if let ConnectorOutput::Send(frame) = o { read(frame) } else { None });
    frames.collect()
}

fn answers(out: &[ConnectorOutput]) -> Vec<(u64, Answer)> {
    let answer = |o: &ConnectorOutput| match o {
        ConnectorOutput::Done { ticket, answer } => Some((ticket.0, answer.clone())),
        _ => None,
    };
    out.iter().filter_map(answer).collect()
}

fn dialed(out: &[ConnectorOutput]) -> Option<HostPort> {
    out.iter().find_map(|o| if let ConnectorOutput::Dial(host) = o { Some(host.clone()) } else { None })
}

/// One call, and what comes of it.
fn outputs(call: impl FnOnce(&mut Vec<ConnectorOutput>)) -> Vec<ConnectorOutput> {
    let mut out = Vec::new();
    call(&mut out);
    out
}

/// Dials at `now` and has the session served; what the client then did.
fn serve(connector: &mut Connector, now: Instant, read_only: bool) -> Vec<ConnectorOutput> {
    let mut out = Vec::new();
    connector.on_time(now, &mut out);
    assert!(dialed(&out).is_some(), "{out:?}");
    out.clear();
    connector.on_dialed(now, &mut out);
    assert_eq!(out.len(), 1, "the handshake: {out:?}");
    out.clear();
    connector.on_frame(now, greeting(5, read_only), &mut out);
    out
}

/// Lets time pass until the next dial; when that was, and to whom.
fn next_dial(connector: &mut Connector) -> (Instant, HostPort) {
    loop {
        let now = connector.deadline().expect("something to do");
        let out = outputs(|out| connector.on_time(now, out));
        if let Some(host) = dialed(&out) {
            return (now, host);
        }
    }
}

fn refused() -> Trouble {
    Trouble::Nobody("connection refused".into())
}

#[test]
fn requests_wait_for_the_session() {
    let mut c = connector("a:1");
    let ticket = c.ask(at(0), get("/x"), &mut Vec::new());
    assert_eq!(c.standing(), Standing::Connecting);
    let out = serve(&mut c, at(1), false);
    assert_eq!(sent(&out), [(1, get("/x"))]);
    assert_eq!(c.standing(), Standing::Connected);
    let out = outputs(|out| c.on_frame(at(2), reply(1, data()), out));
    let answer = Ok((Zxid(9), Response::Data(None, Stat::default())));
    assert_eq!(answers(&out), [(ticket.0, answer)]);
    let out = outputs(|out| {
        c.ask(at(3), get("/y"), out);
    });
    assert_eq!(sent(&out), [(2, get("/y"))], "at once now");
    let out = outputs(|out| c.on_frame(at(4), reply(2, Err(ZkError::NoNode)), out));
    assert_eq!(answers(&out), [(2, Err(RequestError::Refused(ZkError::NoNode)))]);
}

#[test]
fn each_host_has_its_share_of_the_timeout() {
    let mut c = connector("a:1,b:1,c:1");
    let mut tried = Vec::new();
    let (mut now, mut host) = next_dial(&mut c);
    for _ in 0..3 {
        tried.push(host.host.clone());
        assert_eq!(c.deadline(), Some(now + Duration::from_secs(1)), "a third of 3 s");
        let silent = now + Duration::from_secs(1);
        let out = outputs(|out| c.on_time(silent, out));
        assert_eq!(out, [ConnectorOutput::Trouble { host, why: Trouble::Silent }, ConnectorOutput::HangUp]);
        (now, host) = next_dial(&mut c);
    }
    tried.sort();
    assert_eq!(tried, ["a", "b", "c"]);
    // A server that takes the connection and says nothing has no longer.
    c.on_dialed(now, &mut Vec::new());
    assert_eq!(c.deadline(), Some(now + Duration::from_secs(1)));
}

#[test]
fn where_nobody_listens_a_request_fails_at_once() {
    let mut c = connector("a:1,b:1");
    c.ask(at(0), get("/x"), &mut Vec::new());
    let (now, _) = next_dial(&mut c);
    let out = outputs(|out| c.on_failed(now, refused(), out));
    assert_eq!(answers(&out), [], "there is another host");
    let (now, _) = next_dial(&mut c);
    let out = outputs(|out| c.on_failed(now, refused(), out));
    assert_eq!(answers(&out), [(1, Err(RequestError::NotServed))]);
    // The client goes on trying, and so may a later request.
    c.ask(now, get("/y"), &mut Vec::new());
    assert!(next_dial(&mut c).0 > now, "after a pause");
}

#[test]
fn where_servers_do_not_serve_a_request_waits_for_a_session_timeout() {
    let mut c = connector("a:1,b:1");
    c.ask(at(0), get("/x"), &mut Vec::new());
    let mut now = at(0);
    let mut out = Vec::new();
    let mut rounds = 0;
    while answers(&out).is_empty() {
        now = c.deadline().expect("something to do");
        c.on_time(now, &mut out);
        if dialed(&out).is_some() {
            rounds += 1;
            out.clear();
            c.on_dialed(now, &mut out);
            out.clear();
            c.on_failed(now, Trouble::Broken("reset".into()), &mut out);
            assert!(matches!(&out[0], ConnectorOutput::Trouble { why: Trouble::NotServing, .. }), "{out:?}");
        }
        assert!(rounds < 100, "it is no busy loop");
    }
    assert_eq!((now, answers(&out)), (at(3000), vec![(1, Err(RequestError::NotServed))]));
}

#[test]
fn a_lost_connection_is_told_and_another_server_dialed_at_once() {
    let mut c = connector("a:1,b:1");
    serve(&mut c, at(0), false);
    let first = c.host().cloned().unwrap();
    c.ask(at(1), get("/x"), &mut Vec::new());
    let out = outputs(|out| c.on_failed(at(5000), Trouble::Broken("reset".into()), out));
    assert_eq!(
        out,
        [
            ConnectorOutput::Trouble { host: first.clone(), why: Trouble::Broken("reset".into()) },
            ConnectorOutput::HangUp,
            ConnectorOutput::Event(ClientEvent::Disconnected),
            done(Ticket(1), Err(RequestError::Lost)),
        ]
    );
    let out = outputs(|out| c.on_time(at(5000), out));
    assert!(dialed(&out).is_some_and(|host| host != first), "{out:?}");
    let out = outputs(|out| c.on_dialed(at(5001), out));
    let [ConnectorOutput::Send(hello)] = &out[..] else { panic!("{out:?}") };
    let hello = ConnectRequest::decode(bare(hello.clone())).unwrap();
    assert_eq!((hello.session, hello.read_only), (SessionId(5), Some(false)));
}

#[test]
fn a_server_that_serves_for_a_moment_only_is_not_dialed_in_a_loop() {
    let mut c = connector("a:1");
    let mut now = at(0);
    for _ in 0..20 {
        serve(&mut c, now, false);
        c.on_failed(now, Trouble::Broken("reset".into()), &mut Vec::new());
        let next = c.deadline().expect("another try");
        assert!(next > now, "a pause");
        now = next;
    }
    assert!(now > at(5000), "the pauses grow: {now:?}");
}

#[test]
fn nonsense_and_silence_end_a_connection() {
    let mut c = connector("a:1,b:1");
    serve(&mut c, at(0), false);
    let out = outputs(|out| c.on_frame(at(1), reply(77, data()), out));
    assert!(
        matches!(&out[..], [ConnectorOutput::Trouble { why: Trouble::Nonsense(_), .. }, ConnectorOutput::HangUp, ..]),
        "{out:?}"
    );
    let now = c.deadline().expect("the next try");
    serve(&mut c, now, false);
    let out = outputs(|out| c.on_time(now + Duration::from_secs(2), out));
    assert!(matches!(&out[..], [ConnectorOutput::Trouble { why: Trouble::Silent, .. }, ..]), "{out:?}");
}

#[test]
fn the_sessions_end_ends_all() {
    let mut c = connector("a:1");
    c.ask(at(0), get("/x"), &mut Vec::new());
    serve(&mut c, at(0), false);
    let mut out = Vec::new();
    c.on_failed(at(1), Trouble::Broken("reset".into()), &mut out);
    let (now, _) = next_dial(&mut c);
    c.ask(now, get("/waits"), &mut Vec::new());
    c.on_dialed(now, &mut Vec::new());
    let out = outputs(|out| c.on_frame(now, greeting(0, false), out));
    let over = RequestError::Over(Ending::Expired);
    assert_eq!(
        out,
        [
            done(Ticket(2), Err(over)),
            ConnectorOutput::HangUp,
            ConnectorOutput::Event(ClientEvent::Over(Ending::Expired)),
        ]
    );
    assert_eq!((c.standing(), c.deadline()), (Standing::Closed, None));
    let out = outputs(|out| {
        c.ask(now, get("/late"), out);
    });
    assert_eq!(out, [done(Ticket(3), Err(over))]);
}

#[test]
fn what_authenticates_is_said_before_the_watches_on_every_connection() {
    let mut c = connector("a:1");
    let credential = Credential { scheme: "digest".into(), auth: Some(Bytes::from_static(b"me:secret")) };
    c.authenticate(at(0), credential, &mut Vec::new()).unwrap();
    c.ask(at(0), Request::GetData { path: "/w".into(), watch: true }, &mut Vec::new());
    let kinds = |out: &[ConnectorOutput]| sent(out).iter().map(|(number, r)| (*number, r.op())).collect::<Vec<_>>();
    let out = serve(&mut c, at(0), false);
    assert_eq!(kinds(&out), [(xid::AUTH, OpCode::Auth), (1, OpCode::GetData)]);
    // Its answer overtakes the others.
    let out = outputs(|out| c.on_frame(at(1), bare(reply_frame(xid::AUTH, Zxid(0), &Ok(Response::Empty))), out));
    assert_eq!(out, [ConnectorOutput::Event(ClientEvent::Auth { scheme: "digest".into(), accepted: true })]);
    c.on_frame(at(2), reply(1, data()), &mut Vec::new());
    c.on_failed(at(3), Trouble::Broken("reset".into()), &mut Vec::new());
    let now = c.deadline().expect("another try");
    let out = serve(&mut c, now, false);
    assert_eq!(kinds(&out), [(xid::AUTH, OpCode::Auth), (xid::SET_WATCHES, OpCode::SetWatches)]);
    // Refused, it is the end.
    let refusal = bare(reply_frame(xid::AUTH, Zxid(0), &Err(ZkError::AuthFailed)));
    let out = outputs(|out| c.on_frame(now, refusal.clone(), out));
    assert!(out.contains(&ConnectorOutput::Event(ClientEvent::Over(Ending::AuthFailed))), "{out:?}");
    assert_eq!(c.standing(), Standing::AuthFailed);
    // An answer to nothing is nonsense.
    let mut c = connector("a:1");
    serve(&mut c, at(0), false);
    let out = outputs(|out| c.on_frame(at(1), refusal, out));
    assert!(matches!(&out[..], [ConnectorOutput::Trouble { why: Trouble::Nonsense(_), .. }, ..]), "{out:?}");
}

#[test]
fn a_chroot_is_put_before_and_taken_off() {
    let mut c = connector("a:1/app");
    serve(&mut c, at(0), false);
    let out = outputs(|out| {
        c.ask(at(0), Request::Sync { path: "/x".into() }, out);
        c.ask_beside(at(0), Request::Sync { path: "/x".into() }, out);
        c.ask(at(0), Request::GetData { path: "/w".into(), watch: true }, out);
    });
    assert_eq!(sent(&out)[0].1, Request::Sync { path: "/app/x".into() });
    assert_eq!(sent(&out)[1].1, Request::Sync { path: "/x".into() });
    let path = |path: &str| Ok(Response::Path(path.into()));
    let out = outputs(|out| {
        c.on_frame(at(1), reply(1, path("/app/x")), out);
        c.on_frame(at(1), reply(2, path("/app/x")), out);
        c.on_frame(at(1), reply(3, data()), out);
    });
    let seen = answers(&out).into_iter().filter_map(|(_, answer)| match answer {
        Ok((_, Response::Path(path))) => Some(path),
        _ => None,
    });
    assert_eq!(seen.collect::<Vec<_>>(), ["/x", "/app/x"]);
    let event = |path: &str| WatcherEvent { kind: EventKind::DataChanged, path: path.into() };
    let out = outputs(|out| c.on_frame(at(2), bare(event_frame(Zxid(-1), &event("/app/w"))), out));
    let told = ClientEvent::Watch { event: event("/w"), zxid: Zxid(-1), armed: true };
    assert_eq!(out, [ConnectorOutput::Event(told)]);
}

/// Lets time pass until the next probe, the server answering all pings; when that was, and of whom.
fn next_probe(c: &mut Connector) -> (Instant, HostPort) {
    loop {
        let now = c.deadline().expect("something to do");
        let out = outputs(|out| c.on_time(now, out));
        let probe =
            out.iter().find_map(|o| if let ConnectorOutput::Probe(host) = o { Some(host.clone()) } else { None });
        c.on_frame(now, bare(reply_frame(xid::PING, Zxid(0), &Ok(Response::Empty))), &mut Vec::new());
        if let Some(host) = probe {
            return (now, host);
        }
        assert!(dialed(&out).is_none(), "the server at hand was given up");
    }
}

#[test]
fn a_read_only_client_looks_for_a_quorum() {
    let mut c = Connector::new("a:1,b:1,c:1".parse().unwrap(), 3000, true, Rng::new(4));
    serve(&mut c, at(0), true);
    assert_eq!(c.standing(), Standing::ConnectedReadOnly);
    let here = c.host().cloned().unwrap();
    let (mut asked, mut before, mut waits) = (Vec::new(), at(0), Vec::new());
    for _ in 0..6 {
        let (now, host) = next_probe(&mut c);
        waits.push(now.since(before).as_millis());
        c.on_probed(now, &host, false, &mut Vec::new());
        asked.push(host);
        before = now;
    }
    assert!(asked.iter().all(|host| *host != here) && asked[0] != asked[1] && asked[0] == asked[2], "{asked:?}");
    assert_eq!(waits, [100, 100, 200, 200, 400, 400]);
    // One has a quorum: the client goes there, with a new session, since no quorum has known the old one.
    let (now, host) = next_probe(&mut c);
    let out = outputs(|out| c.on_probed(now, &host, true, out));
    assert_eq!(out.first(), Some(&ConnectorOutput::HangUp));
    assert_eq!(dialed(&out), Some(host));
    let out = outputs(|out| c.on_dialed(now, out));
    let [ConnectorOutput::Send(hello)] = &out[..] else { panic!("{out:?}") };
    let hello = ConnectRequest::decode(bare(hello.clone())).unwrap();
    assert_eq!((hello.session, hello.read_only), (SessionId(0), Some(true)));
    let out = outputs(|out| c.on_frame(now, greeting(6, false), out));
    assert!(matches!(&out[..], [ConnectorOutput::Event(ClientEvent::Connected { fresh: true, .. })]), "{out:?}");
    assert_eq!(c.standing(), Standing::Connected);
}

#[test]
fn errors_have_codes_and_words() {
    for (error, code, text) in [
        (RequestError::Refused(ZkError::NoAuth), ZkError::NoAuth, "access list"),
        (RequestError::Lost, ZkError::ConnectionLoss, "may have been carried out or not"),
        (RequestError::NotServed, ZkError::ConnectionLoss, "nothing was sent"),
        (RequestError::Over(Ending::Expired), ZkError::SessionExpired, "expired"),
        (RequestError::Over(Ending::Closed), ZkError::SessionExpired, "closed"),
        (RequestError::Over(Ending::AuthFailed), ZkError::AuthFailed, "authentication"),
    ] {
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(text), "{error}");
    }
    for (trouble, text) in [
        (refused(), "connection refused"),
        (Trouble::NotServing, "no quorum"),
        (Trouble::Silent, "in time"),
        (Trouble::Nonsense(ClientError::UnknownCode(5)), "error code 5"),
    ] {
        assert!(format!("{trouble}").contains(text), "{trouble}");
    }
}
