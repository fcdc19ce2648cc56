//! A connection between a client's bytes and a server that says what the test wants.

use super::*;
use crate::clock::Clock;
use crate::config_file::{ClientLimits, ZooCfg};
use crate::four_letter::FourLetter;
use crate::mailbox::{Letter, Mailbox};
use crate::metrics::Metrics;
use crate::net::limits::Limits;
use crate::net::links::{Links, Transport};
use crate::operator::Operator;
use crate::read_side::SharedRead;
use crate::store::snapshots::LastSnapshot;
use crate::trace_mask::TraceMask;
use std::net::SocketAddr;
use tokio::io::{DuplexStream, duplex, split};
use tokio::task::JoinHandle;
use zebu_core::error::ZkError;
use zebu_core::id::{SessionId, Zxid};
use zebu_core::wire::client::{
    ConnectRequest, ConnectResponse, EventKind, Request, Response, WatcherEvent, event_frame, reply_frame,
    request_frame, xid,
};
use zebu_core::wire::frame::frame;

const SESSION: SessionId = SessionId(7);

/// The port of a server that serves nobody, with these limits.
fn port(change: impl Fn(&mut ClientLimits)) -> Arc<ClientPort> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("zoo.cfg");
    std::fs::write(&file, format!("dataDir={}\nclientPort=1\n", folder.path().display())).expect("written");
    let cfg = ZooCfg::load(&file).expect("valid");
    let mut rules = cfg.limits.clone();
    change(&mut rules);
    let limits = Arc::new(Limits::new(rules, cfg.service.local_sessions));
    let (metrics, links, post) = (Arc::new(Metrics::new()), Arc::new(Links::default()), Arc::new(Mailbox::new()));
    let side = SharedRead::new(links.clone(), metrics.clone());
    let operator = Operator {
        side: side.clone(),
        links: links.clone(),
        limits: limits.clone(),
        post: post.clone(),
        serving: Arc::default(),
        metrics: metrics.clone(),
        trace: Arc::new(TraceMask::default()),
        last_snapshot: Arc::new(LastSnapshot::found(folder.path(), Zxid::ZERO)),
        clock: Clock::new(),
        cfg: Arc::new(cfg),
        members: Arc::new(parking_lot::Mutex::new(zebu_core::config::Membership {
            committed: zebu_core::config::Ensemble::new(Default::default()),
            proposed: None,
        })),
    };
    Arc::new(ClientPort {
        side,
        post,
        links,
        metrics,
        max_buffer: operator.cfg.max_buffer,
        max_per_ip: 0,
        sessionless_timeout: Duration::from_secs(60),
        access: operator.cfg.access.clone(),
        words: FourLetter { operator: Arc::new(operator) },
        limits,
        by_ip: Default::default(),
    })
}

/// A connection that begins.
fn connection_of(port: &Arc<ClientPort>) -> Connection {
    let shared = port.links.open(SocketAddr::from(([127, 0, 0, 1], 1)), Transport::Plain);
    Connection::new(Link::new(shared.id, "127.0.0.1"), Vec::new(), shared, port.clone())
}

/// The frame by which a client asks for a session.
fn connect() -> Bytes {
    let asked = ConnectRequest {
        protocol: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 4000,
        session: SessionId(0),
        passwd: Bytes::from_static(&[0; 16]),
        read_only: None,
    };
    frame(|out| asked.encode(out))
}

/// A connection whose client has a session with this timeout.
fn connection(port: &Arc<ClientPort>, timeout_ms: i32) -> Connection {
    let mut connection = connection_of(port);
    let (passwd, read_only) = (Bytes::from_static(&[0; 16]), None);
    comes(&mut connection, &connect(), Instant::now());
    connection.go_on();
    connection.inbox.push_back(ToLink::Connected(ConnectResponse { timeout_ms, session: SESSION, passwd, read_only }));
    connection.go_on();
    assert_eq!((connection.link.session(), connection.link.pending()), (Some(SESSION), 0));
    connection.out.clear();
    submitted(port);
    connection
}

/// These bytes came then.
fn comes(connection: &mut Connection, bytes: &[u8], at: Instant) {
    connection.incoming.bytes.extend_from_slice(bytes);
    connection.incoming.came(bytes.len(), at);
}

/// How many requests the server was handed since the last call.
fn submitted(port: &ClientPort) -> usize {
    let mut letters = Vec::new();
    port.post.take(Some(Instant::now()), usize::MAX, &mut letters);
    letters.iter().filter(|letter| matches!(letter, Letter::Input(Input::Submit { .. }))).count()
}

fn get() -> Request {
    Request::GetData { path: "/".into(), watch: false }
}

/// A request that the server answers, of some `size` bytes.
fn delete(xid: i32, size: usize) -> Bytes {
    request_frame(xid, &Request::Delete { path: "/".to_string() + &"d".repeat(size), version: -1 })
}

fn event(length: usize) -> WatcherEvent {
    WatcherEvent { kind: EventKind::Created, path: "p".repeat(length).into() }
}

fn reply(xid: i32) -> ToLink {
    ToLink::Reply { xid, zxid: Zxid(9), outcome: Ok(Response::Empty) }
}

#[test]
fn no_more_is_taken_at_once_than_is_written_at_once() {
    let port = port(|_| {});
    let mut connection = connection(&port, 60_000);
    const ALL: usize = 5000;
    let requests: Vec<u8> = (1..=ALL as i32).flat_map(|xid| request_frame(xid, &get())).collect();
    comes(&mut connection, &requests, Instant::now());
    connection.go_on();
    let answers = |connection: &Connection| connection.out.len() / reply_frame(1, Zxid::ZERO, &answer_of(&port)).len();
    let first = answers(&connection);
    assert!(connection.out.len() >= WRITE_SIZE && connection.out.len() < WRITE_SIZE + 1000, "{}", connection.out.len());
    assert!((1..ALL / 2).contains(&first), "{first}");
    let left = connection.incoming.bytes.len();
    assert_eq!(left, requests.len() - first * requests.len() / ALL, "the rest is not even looked at");
    connection.go_on();
    assert_eq!((answers(&connection), connection.incoming.bytes.len()), (first, left), "nor as long as that waits");
    let mut all = 0;
    while !connection.out.is_empty() {
        all += answers(&connection);
        connection.out.clear();
        connection.go_on();
    }
    assert_eq!(all, ALL);

    // The same with what the server says.
    connection.inbox.extend((0..100).map(|_| ToLink::Event(event(WRITE_SIZE / 10))));
    connection.go_on();
    assert_eq!((connection.out.len() / (WRITE_SIZE / 10), connection.inbox.len()), (10, 90));
}

fn answer_of(port: &ClientPort) -> zebu_core::wire::client::Outcome {
    let shared = port.links.open(SocketAddr::from(([127, 0, 0, 1], 1)), Transport::Plain);
    let asker = Asker { link: shared.id, session: SESSION, auth: &[] };
    port.side.answer(asker, &get(), &shared, &mut Vec::new()).1.outcome
}

#[test]
fn no_more_writes_are_handed_over_than_may_be_under_way() {
    let port = port(|limits| limits.outstanding = usize::MAX);
    let mut connection = connection(&port, 60_000);
    let requests: Vec<u8> = (1..=1500).flat_map(|xid| delete(xid, 1)).collect();
    comes(&mut connection, &requests, Instant::now());
    connection.go_on();
    assert_eq!((submitted(&port), connection.link.pending()), (PENDING_MAX, PENDING_MAX));
    connection.inbox.extend((1..=10).map(reply));
    connection.go_on();
    assert_eq!((submitted(&port), connection.link.pending()), (10, PENDING_MAX));
}

#[test]
fn a_throttle_counts_what_is_taken_at_the_same_time() {
    let port = port(|limits| limits.max_requests = 2);
    let mut connection = connection(&port, 60_000);
    (1..=4).for_each(|xid| comes(&mut connection, &delete(xid, 1), Instant::now()));
    connection.go_on();
    assert_eq!((submitted(&port), connection.link.pending()), (2, 2));
    for xid in [1, 2] {
        connection.inbox.push_back(reply(xid));
        connection.go_on();
        assert_eq!((submitted(&port), connection.link.pending()), (1, 2), "room for one is used at once");
    }
}

#[test]
fn a_large_request_counts_until_it_is_answered_itself() {
    let port = port(|limits| (limits.large_threshold, limits.large_max) = (Some(1000), 10_000));
    let mut connection = connection(&port, 60_000);
    // Small, large, small, larger, and a ping, which is answered at once.
    let requests = [delete(1, 10), delete(2, 2000), delete(3, 10), delete(4, 4000)];
    let [large, larger] = [requests[1].len() - 4, requests[3].len() - 4];
    for request in &requests {
        comes(&mut connection, request, Instant::now());
    }
    comes(&mut connection, &request_frame(xid::PING, &Request::Ping), Instant::now());
    connection.go_on();
    assert_eq!((connection.link.pending(), submitted(&port)), (4, 4));
    assert_eq!(connection.large_waiting, [0, large, 0, larger]);
    for (answered, left) in [(1, large + larger), (2, larger), (3, larger), (4, 0)] {
        assert!(connection.large >= left);
        connection.inbox.push_back(reply(answered));
        connection.go_on();
        assert_eq!(connection.large, left, "{answered}");
        let rest = 10_000 - left;
        assert_eq!((port.limits.announce(rest + 1), port.limits.announce(rest)), (None, Some(rest)), "{answered}");
        port.limits.give_back(rest);
    }
    // What is under way when the connection ends does not count any more.
    comes(&mut connection, &delete(5, 4000), Instant::now());
    connection.go_on();
    assert_eq!(port.limits.announce(10_000), None);
    drop(connection);
    assert_eq!(port.limits.announce(10_000), Some(10_000));
}

#[test]
fn who_has_waited_too_long_is_told_and_who_came_later_is_served() {
    let port = port(|limits| limits.throttled_wait = Duration::from_secs(60));
    let mut connection = connection(&port, 60_000);
    let now = Instant::now();
    comes(&mut connection, &delete(1, 1), now - Duration::from_secs(120));
    comes(&mut connection, &request_frame(xid::PING, &Request::Ping), now);
    comes(&mut connection, &delete(2, 1), now);
    connection.go_on();
    assert_eq!(submitted(&port), 1, "one of the two");
    let late = reply_frame(1, Zxid::ZERO, &Err(ZkError::ThrottledOp));
    assert!(connection.out.starts_with(&late), "{:?}", connection.out);
    assert_eq!(port.metrics.all_clients().throttled_ops, 1);

    // A frame whose end came just now has not waited, however long ago it began.
    let request = delete(3, 1000);
    comes(&mut connection, &request[..500], now - Duration::from_secs(120));
    connection.go_on();
    comes(&mut connection, &request[500..], now);
    connection.go_on();
    assert_eq!((submitted(&port), port.metrics.all_clients().throttled_ops), (1, 1));
}

#[tokio::test]
async fn what_throttles_keep_waiting_is_measured() {
    let port = port(|limits| (limits.max_requests, limits.stall) = (1, Duration::from_millis(1)));
    let mut waiting = connection(&port, 600_000);
    comes(&mut waiting, &delete(1, 1), Instant::now());
    waiting.go_on();
    assert_eq!(waiting.link.pending(), 1);
    let counters = &port.metrics.counters;
    let waits = || counters.request_throttle_wait_count.load(Relaxed);
    assert_eq!(waits(), 0);

    let second = connection_of(&port);
    let (own, mut client) = duplex(8192);
    let task = tokio::spawn(second.run(own));
    let requests = [connect(), delete(1, 1), delete(2, 1)].concat();
    client.write_all(&requests).await.expect("sent");
    until("it has looked in vain", || waits() > 2).await;
    drop(client);
    task.await.expect("ended");
    assert_eq!(counters.stale_requests_dropped.load(Relaxed), 3);

    // What may be taken has waited since it came.
    comes(&mut waiting, &delete(2, 1), Instant::now() - Duration::from_secs(60));
    waiting.inbox.push_back(reply(1));
    waiting.go_on();
    let page = port.metrics.all_clients();
    let waited = &page.request_throttle_queue_time_ms;
    assert!(waited.count() == 3 && waited.max() >= 60_000.0, "{waited:?}");
    assert_eq!((page.connection_token_deficit.count(), page.connection_token_deficit.sum()), (1, 0.0));
}

/// The connection at work, its box, and the client's end of it, which holds `room` bytes each way.
fn at_work(port: &Arc<ClientPort>, timeout_ms: i32, room: usize) -> (JoinHandle<()>, Arc<LinkBox>, DuplexStream) {
    let connection = connection(port, timeout_ms);
    let shared = connection.shared.clone();
    let (own, client) = duplex(room);
    port.links.take_touched();
    (tokio::spawn(connection.run(own)), shared, client)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(1)).await;
    }
}

const LARGE: usize = 1 << 20;

#[tokio::test]
async fn who_is_written_to_is_heard_and_answered_in_order() {
    let port = port(|_| {});
    let (task, shared, client) = at_work(&port, 600_000, 8192);
    let (mut reads, mut writes) = split(client);
    shared.push(ToLink::Event(event(LARGE)));
    let mut got = vec![0; 100];
    reads.read_exact(&mut got).await.expect("the beginning");
    for _ in 0..3 {
        writes.write_all(&request_frame(xid::PING, &Request::Ping)).await.expect("sent");
        until("the ping is heard", || port.links.take_touched() == [SESSION]).await;
    }
    // Of all that is said meanwhile only so much is read ahead.
    let requests: Vec<u8> = (1..=2000).flat_map(|xid| request_frame(xid, &get())).collect();
    let says = tokio::spawn(async move { writes.write_all(&requests).await.map(|()| writes) });
    sleep(Duration::from_millis(100)).await;
    assert!(!says.is_finished());
    let mut expected = event_frame(Zxid(-1), &event(LARGE)).to_vec();
    (0..3).for_each(|_| expected.extend(reply_frame(xid::PING, Zxid::ZERO, &Ok(Response::Empty))));
    let answer = answer_of(&port);
    (1..=2000).for_each(|xid| expected.extend(reply_frame(xid, Zxid::ZERO, &answer)));
    got.resize(expected.len(), 0);
    reads.read_exact(&mut got[100..]).await.expect("all");
    assert!(got == expected);
    drop((says.await.expect("said").expect("sent"), reads));
    task.await.expect("ended");
}

#[tokio::test]
async fn room_for_a_large_answer_is_given_back() {
    let port = port(|_| {});
    let mut connection = connection(&port, 600_000);
    let (mut own, mut client) = duplex(LARGE);
    connection.out.resize(LARGE, 7);
    assert!(!connection.write(&mut own).await.expect("taken"), "nothing else came");
    assert!(connection.out.is_empty() && connection.out.capacity() <= KEPT);
    client.read_exact(&mut vec![0; LARGE]).await.expect("all of it");
}

#[tokio::test]
async fn who_takes_what_it_is_sent_while_nobody_listens_is_there() {
    let port = port(|_| {});
    let (_task, shared, mut client) = at_work(&port, 600_000, 64);
    shared.push(ToLink::Event(event(LARGE)));
    let says = [0; READ_AHEAD * 4];
    // Until no more is read ahead.
    while timeout(Duration::from_millis(100), client.write_all(&says[..64])).await.is_ok() {}
    port.links.take_touched();
    for _ in 0..3 {
        client.read_exact(&mut [0; 1000]).await.expect("more of it");
        until("it is there", || port.links.take_touched() == [SESSION]).await;
    }
}

#[tokio::test]
async fn who_neither_reads_nor_says_anything_is_ended() {
    let port = port(|_| {});
    let (task, shared, mut client) = at_work(&port, 10, 64);
    shared.push(ToLink::Event(event(LARGE)));
    let (_, session) = (task.await.expect("ended"), shared.session());
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.expect("its end");
    assert!(session.is_some() && got.len() <= 64, "{}", got.len());
}

#[tokio::test]
async fn who_is_ended_by_the_server_or_overrun_does_not_have_to_read_first() {
    for ends in [true, false] {
        let port = port(|_| {});
        let (task, shared, mut client) = at_work(&port, 600_000, 64);
        shared.push(ToLink::Event(event(LARGE)));
        client.read_exact(&mut [0; 10]).await.expect("the beginning");
        if ends {
            shared.push(ToLink::Close(LinkClose::SessionEnded(SESSION)));
        } else {
            while !shared.is_overrun() {
                shared.push(ToLink::Event(event(LARGE)));
            }
        }
        timeout(Duration::from_secs(60), task).await.expect("long before its session is over").expect("ended");
    }
}

#[tokio::test]
async fn a_word_is_answered_however_slowly_it_is_read() {
    let port = port(|_| {});
    let (own, mut client) = duplex(8);
    let task = tokio::spawn(connection_of(&port).run(own));
    client.write_all(b"ruok").await.expect("asked");
    // Longer than a connection lingers when all is written.
    sleep(LINGER + Duration::from_millis(200)).await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("text");
    assert_eq!(answer, "ruok is not executed because it is not in the whitelist.\n");
    task.await.expect("ended");
}
