//! What a server promises its clients (client-protocol §20), each with real links at a leader, a follower and an
//! observer.

use super::*;
use crate::effect::LinkClose;
use crate::link::{Link, LinkEffect};
use crate::service::Asker;
use crate::wire::client::{
    AddWatchMode, EventKind, OpResult, ReplyHeader, RequestHeader, WatcherEvent, request_frame, xid,
};
use alloc::string::{String, ToString};

const LEADER: i64 = 3;
const FOLLOWER: i64 = 1;
const OTHER_FOLLOWER: i64 = 2;
const OBSERVER: i64 = 4;

/// What a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Connected(ConnectResponse),
    Event(EventKind, String),
    Reply { xid: i32, zxid: Zxid, outcome: Outcome },
    Closed(LinkClose),
}

/// The ensemble with clients at it.
struct Desk {
    net: Net,
    links: BTreeMap<LinkId, (ServerId, Link)>,
    /// What was asked by which number.
    asked: BTreeMap<(LinkId, i32), OpCode>,
    reads: VecDeque<(LinkId, i32, Request)>,
    got: BTreeMap<LinkId, Vec<Got>>,
}

impl Desk {
    /// Three voters and an observer, with a leader.
    fn open() -> Desk {
        let mut net = Net::new(3, 1);
        net.run(Duration::from_secs(3));
        assert_eq!(net.leader(), LEADER);
        let (links, asked) = (BTreeMap::new(), BTreeMap::new());
        Desk { net, links, asked, reads: VecDeque::new(), got: BTreeMap::new() }
    }

    /// A client in a session of its own at a server.
    fn client(&mut self, at: i64, link: u64) -> ConnectResponse {
        match &self.connect(at, link, Zxid::ZERO, None)[..] {
            [Got::Connected(response)] => response.clone(),
            other => panic!("not connected: {other:?}"),
        }
    }

    fn connect(&mut self, at: i64, link: u64, seen: Zxid, old: Option<&ConnectResponse>) -> Vec<Got> {
        let request = ConnectRequest {
            protocol: 0,
            last_zxid_seen: seen,
            timeout_ms: 6000,
            session: old.map_or(SessionId(0), |old| old.session),
            passwd: old.map_or(Bytes::from_static(&[0; 16]), |old| old.passwd.clone()),
            read_only: Some(false),
        };
        self.links.insert(LinkId(link), (ServerId(at), Link::new(LinkId(link), "10.0.0.1")));
        self.frame(link, request.frame());
        self.settle();
        self.take(link)
    }

    fn frame(&mut self, link: u64, frame: Bytes) {
        let mut out = Vec::new();
        if let Some((_, machine)) = self.links.get_mut(&LinkId(link)) {
            machine.on_frame(frame.slice(4..), &mut out);
        }
        self.carry_out(LinkId(link), out);
    }

    /// Sends requests one behind the other, numbered from `first`, without waiting for anything.
    fn send(&mut self, link: u64, first: i32, requests: &[Request]) {
        for (xid, request) in (first..).zip(requests) {
            self.asked.insert((LinkId(link), xid), request.op());
            self.frame(link, request_frame(xid, request));
        }
    }

    /// Sends requests as [`Desk::send`]; everything that the client has got since it was last asked for.
    fn ask(&mut self, link: u64, first: i32, requests: &[Request]) -> Vec<Got> {
        self.send(link, first, requests);
        self.settle();
        self.take(link)
    }

    fn take(&mut self, link: u64) -> Vec<Got> {
        self.got.remove(&LinkId(link)).unwrap_or_default()
    }

    /// Lets everything happen that can.
    fn settle(&mut self) {
        loop {
            self.net.drain();
            let said = core::mem::take(&mut self.net.said);
            if said.is_empty() && self.reads.is_empty() {
                return;
            }
            for (server, link, msg) in said {
                let mut out = Vec::new();
                if let Some((at, machine)) = self.links.get_mut(&link)
                    && *at == server
                {
                    machine.on_server(msg, &mut out);
                }
                self.carry_out(link, out);
            }
            while let Some((link, xid, request)) = self.reads.pop_front() {
                let mut out = Vec::new();
                if let Some((at, machine)) = self.links.get_mut(&link)
                    && let Some(Some(server)) = self.net.servers.get_mut(at)
                    && let Some(session) = machine.session()
                {
                    let state = &mut server.side_mut().0;
                    let answer = state.answer(Asker { link, session, auth: machine.auth() }, &request);
                    machine.on_read(xid, state.tree.applied(), answer.outcome, answer.events, &mut out);
                }
                self.carry_out(link, out);
            }
        }
    }

    fn carry_out(&mut self, link: LinkId, out: Vec<LinkEffect>) {
        let at = self.links.get(&link).map_or(ServerId::NONE, |(at, _)| *at);
        for effect in out {
            let got = match effect {
                LinkEffect::Write(frame) => self.read(link, frame),
                LinkEffect::Close(why) => Got::Closed(why),
                LinkEffect::Submit(request) => {
                    self.net.queue.push_back((at, Input::Submit { link, request }));
                    continue;
                }
                LinkEffect::Read { xid, request } => {
                    self.reads.push_back((link, xid, request));
                    continue;
                }
                LinkEffect::Identified => continue,
            };
            self.got.entry(link).or_default().push(got);
        }
    }

    /// A frame as its client reads it.
    fn read(&self, link: LinkId, frame: Bytes) -> Got {
        let payload = frame.slice(4..);
        if !self.asked.keys().any(|(asker, _)| *asker == link) {
            return Got::Connected(ConnectResponse::decode(payload).unwrap());
        }
        let (header, body) = ReplyHeader::decode(payload).unwrap();
        if header.xid == xid::EVENT {
            let event = WatcherEvent::decode(body).unwrap();
            return Got::Event(event.kind, event.path.to_string());
        }
        let op = self.asked[&(link, header.xid)];
        let outcome = match header.err {
            0 => Ok(Response::decode(op, body).unwrap()),
            code => Err(ZkError::from_code(code).unwrap()),
        };
        Got::Reply { xid: header.xid, zxid: header.zxid, outcome }
    }
}

fn set(path: &str, data: &str) -> Request {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    Request::SetData { path: path.into(), data, version: -1 }
}

fn get(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: false }
}

fn get_and_watch(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: true }
}

fn exists(path: &str) -> Request {
    Request::Exists { path: path.into(), watch: false }
}

fn sync() -> Request {
    Request::Sync { path: "/".into() }
}

fn replies(got: &[Got]) -> Vec<(i32, Zxid, &Outcome)> {
    let reply = |got| match got {
        &Got::Reply { xid, zxid, ref outcome } => Some((xid, zxid, outcome)),
        _ => None,
    };
    got.iter().filter_map(reply).collect()
}

/// The data that an answer shows, or the error.
fn data(outcome: &Outcome) -> Result<&str, ZkError> {
    match outcome {
        Ok(Response::Data(Some(data), _)) => Ok(core::str::from_utf8(data).unwrap()),
        Err(error) => Err(*error),
        other => panic!("no data: {other:?}"),
    }
}

/// §20.1: answers in the order of the requests, whatever they are; a read behind a write sees it.
#[test]
fn replies_come_in_order_and_a_read_sees_ones_own_writes() {
    let mut desk = Desk::open();
    for (link, at) in (1..).zip([LEADER, FOLLOWER, OBSERVER]) {
        desk.client(at, link);
        let path = format!("/{link}");
        let requests = [
            create(&path, 0),
            get(&path),
            set(&path, "1"),
            set(&path, "2"),
            get(&path),
            sync(),
            Request::Delete { path: "/none".into(), version: -1 },
            exists("/none"),
            Request::Multi { ops: vec![set(&path, "3"), set("/none", "")] },
            Request::MultiRead { ops: vec![get(&path), get("/none")] },
            set(&path, "4"),
            Request::WhoAmI,
            get(&path),
        ];
        let got = desk.ask(link, 1, &requests);
        let replies = replies(&got);
        assert!(replies.iter().map(|(xid, ..)| *xid).eq(1..=requests.len() as i32), "{got:?}");
        assert!(replies.is_sorted_by_key(|(_, zxid, _)| *zxid), "{got:?}");
        let outcome = |number: usize| replies[number - 1].2;
        assert_eq!(data(outcome(5)), Ok("2"));
        assert_eq!(*outcome(7), Err(ZkError::NoNode));
        assert_eq!(*outcome(8), Err(ZkError::NoNode));
        let failed = [OpResult::Error(0), OpResult::Error(ZkError::NoNode.code())];
        assert_eq!(*outcome(9), Ok(Response::Multi(failed.to_vec())));
        let Ok(Response::Multi(read)) = outcome(10) else { panic!("{got:?}") };
        assert!(matches!(&read[..], [OpResult::Data(Some(data), _), OpResult::Error(_)] if data == "2"), "{read:?}");
        assert_eq!(data(outcome(13)), Ok("4"));
    }
}

/// §20.2: writes take effect in the order in which they were sent; of those that are never answered, the first few.
#[test]
fn writes_of_a_session_are_applied_in_order() {
    let mut desk = Desk::open();
    for (link, at) in (1..).zip([LEADER, FOLLOWER, OBSERVER]) {
        desk.client(at, link);
        let requests: Vec<_> = (0..20).map(|n| create(&format!("/{link}-{n}"), 0)).collect();
        let got = desk.ask(link, 1, &requests);
        let zxids: Vec<_> = replies(&got).iter().map(|(_, zxid, _)| *zxid).collect();
        assert!(zxids.len() == 20 && zxids.is_sorted_by(|a, b| a < b), "{got:?}");
        let tree = &desk.net.server(OTHER_FOLLOWER).side().0.tree;
        let created: Vec<_> = (0..20).map(|n| tree.stat(&format!("/{link}-{n}")).unwrap().czxid).collect();
        assert_eq!(created, zxids);
    }
    for arrived in 0..=4 {
        let mut desk = Desk::open();
        let session = desk.client(FOLLOWER, 1);
        desk.net.hold(LEADER);
        let requests: Vec<_> = (0..4).map(|n| create(&format!("/{n}"), 0)).collect();
        assert_eq!(desk.ask(1, 1, &requests), []);
        desk.net.release(LEADER, arrived);
        desk.net.kill(FOLLOWER);
        desk.take(1);
        let old = desk.connect(OTHER_FOLLOWER, 2, Zxid::ZERO, Some(&session));
        assert!(matches!(&old[..], [Got::Connected(again)] if again.session == session.session), "{old:?}");
        for n in 0..4 {
            let tree = &desk.net.server(OTHER_FOLLOWER).side().0.tree;
            assert_eq!(tree.exists(&format!("/{n}")), n < arrived, "{arrived} arrived");
        }
    }
}

/// §20.3: who has seen more than this server has is sent away, without an answer.
#[test]
fn a_session_never_sees_the_tree_go_back() {
    let mut desk = Desk::open();
    let session = desk.client(FOLLOWER, 1);
    desk.ask(1, 1, &[create("/a", 0)]);
    for (link, at) in (10..).step_by(10).zip([LEADER, FOLLOWER, OBSERVER]) {
        let seen = desk.net.server(LEADER).side().0.tree.applied();
        let ahead = seen.next().unwrap();
        for (link, old) in [(link, None), (link + 1, Some(&session))] {
            let got = desk.connect(at, link, ahead, old);
            assert_eq!(got, [Got::Closed(LinkClose::ClientIsAhead(ahead))], "server {at}");
        }
        let got = desk.connect(at, link + 2, seen, Some(&session));
        assert!(matches!(&got[..], [Got::Connected(again)] if again.session == session.session), "{got:?}");
    }
}

/// §20.4: nothing is shown before a majority has it.
#[test]
fn what_is_not_committed_is_not_shown() {
    let mut desk = Desk::open();
    for (link, at) in [(1, LEADER), (2, LEADER), (3, OBSERVER)] {
        desk.client(at, link);
    }
    desk.ask(1, 1, &[create("/a", 0), set("/a", "old")]);
    desk.ask(2, 1, &[get_and_watch("/a")]);
    for id in [FOLLOWER, OTHER_FOLLOWER] {
        desk.net.hold(id);
    }
    assert_eq!(desk.ask(1, 3, &[set("/a", "new"), create("/b", 0)]), []);
    assert_eq!(desk.net.server(LEADER).status().outstanding.len(), 2);
    for link in [2, 3] {
        let got = desk.ask(link, 2, &[get("/a"), exists("/b")]);
        let replies = replies(&got);
        assert_eq!((got.len(), data(replies[0].2), replies[1].2), (2, Ok("old"), &Err(ZkError::NoNode)), "{got:?}");
    }
    // Two of three are a majority.
    desk.net.release(FOLLOWER, usize::MAX);
    let got = desk.ask(2, 4, &[get("/a"), exists("/b")]);
    assert_eq!(got[0], Got::Event(EventKind::DataChanged, "/a".into()));
    assert_eq!(data(replies(&got)[0].2), Ok("new"));
    assert!(replies(&got)[1].2.is_ok());
    assert_eq!(replies(&desk.take(1)).len(), 2);
}

/// §20.5 and §12: a read may be stale; behind a sync it shows whatever was acknowledged before the sync was sent.
#[test]
fn a_sync_catches_up() {
    for behind in [FOLLOWER, OBSERVER] {
        let mut desk = Desk::open();
        desk.client(LEADER, 1);
        desk.client(behind, 2);
        desk.ask(1, 1, &[create("/a", 0), set("/a", "old")]);
        desk.net.hold(behind);
        assert_eq!(replies(&desk.ask(1, 3, &[set("/a", "new")])).len(), 1, "the others are a majority");
        let stale = desk.ask(2, 1, &[get("/a")]);
        assert_eq!(data(replies(&stale)[0].2), Ok("old"));
        assert_eq!(desk.ask(2, 2, &[sync(), get("/a")]), []);
        desk.net.release(behind, usize::MAX);
        desk.settle();
        let got = desk.take(2);
        let replies = replies(&got);
        assert_eq!(*replies[0].2, Ok(Response::Path("/".into())));
        assert_eq!(data(replies[1].2), Ok("new"));
    }
}

/// §12: at the leader's own client port a sync waits, as elsewhere, for what was proposed before it. Apache's answers
/// at once.
#[test]
fn a_sync_at_the_leader_waits_for_what_is_under_way() {
    let mut desk = Desk::open();
    desk.client(LEADER, 1);
    desk.client(LEADER, 2);
    desk.ask(1, 1, &[create("/a", 0), set("/a", "old")]);
    for id in [FOLLOWER, OTHER_FOLLOWER] {
        desk.net.hold(id);
    }
    desk.ask(1, 3, &[set("/a", "new")]);
    assert_eq!(desk.ask(2, 1, &[sync(), get("/a")]), []);
    assert_eq!(desk.net.server(LEADER).service().pending_syncs(), 1);
    desk.net.release(FOLLOWER, usize::MAX);
    desk.settle();
    let got = desk.take(2);
    assert_eq!(data(replies(&got)[1].2), Ok("new"), "{got:?}");
    // With nothing under way there is nothing to wait for.
    assert_eq!(replies(&desk.ask(2, 3, &[sync()])).len(), 1);
}

/// §20.6: the event comes before anything that shows the change, to its writer before the answer; events in the order
/// of the transactions; one-shot watches fire once.
#[test]
fn an_event_comes_before_what_it_tells_of() {
    use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    let event = |kind, path: &str| Got::Event(kind, path.into());
    for at in [LEADER, FOLLOWER, OBSERVER] {
        let mut desk = Desk::open();
        // One writes, one watches once, one all the time, one everything; the first also watches itself.
        for link in 1..=4 {
            desk.client(at, link);
        }
        desk.ask(1, 1, &[create("/a", 0), get_and_watch("/a")]);
        let once = [get_and_watch("/a"), Request::GetChildren { path: "/a".into(), watch: true }];
        desk.ask(2, 1, &once);
        let add = |path: &str, mode| Request::AddWatch { path: path.into(), mode };
        desk.ask(3, 1, &[add("/a", AddWatchMode::Persistent)]);
        desk.ask(4, 1, &[add("/", AddWatchMode::PersistentRecursive)]);

        desk.send(1, 3, &[set("/a", "1"), set("/a", "2")]);
        let multi = vec![create("/a/b", 0), Request::Delete { path: "/a/b".into(), version: -1 }];
        let writer = desk.ask(1, 5, &[Request::Multi { ops: multi }]);
        assert_eq!(writer[0], event(DataChanged, "/a"), "{writer:?}");
        assert!(replies(&writer).iter().map(|(xid, ..)| *xid).eq(3..=5) && writer.len() == 4, "{writer:?}");

        let got = desk.ask(2, 10, &[get("/a")]);
        assert_eq!(got[..2], [event(DataChanged, "/a"), event(ChildrenChanged, "/a")], "server {at}");
        assert!(matches!(&got[2..], [Got::Reply { outcome, .. }] if data(outcome) == Ok("2")), "{got:?}");
        let got = desk.ask(3, 10, &[get("/a")]);
        let changed = [DataChanged, DataChanged, ChildrenChanged, ChildrenChanged].map(|kind| event(kind, "/a"));
        assert_eq!((&got[..4], got.len()), (&changed[..], 5), "server {at}");
        let got = desk.ask(4, 10, &[get("/a")]);
        let all = [event(DataChanged, "/a"), event(DataChanged, "/a"), event(Created, "/a/b"), event(Deleted, "/a/b")];
        assert_eq!((&got[..4], got.len()), (&all[..], 5), "server {at}");
    }
}

/// An event of the watch that a read sets comes behind its answer, also when the write stands right behind the read.
#[test]
fn an_event_comes_behind_the_answer_that_set_its_watch() {
    for at in [LEADER, FOLLOWER, OBSERVER] {
        let mut desk = Desk::open();
        desk.client(at, 1);
        desk.ask(1, 1, &[create("/a", 0)]);
        let got = desk.ask(1, 2, &[set("/a", "1"), get_and_watch("/a"), set("/a", "2"), get("/a")]);
        let number = |got: &Got| if let Got::Reply { xid, .. } = got { *xid } else { xid::EVENT };
        let order: Vec<_> = got.iter().map(number).collect();
        assert_eq!(order, [2, 3, xid::EVENT, 4, 5], "server {at}: {got:?}");
        assert_eq!(data(replies(&got)[1].2), Ok("1"));
    }
}

/// §20.7: one order of all writes, by zxid, the same at every server; an answer's zxid is not below that of what it
/// tells of.
#[test]
fn writes_are_one_order() {
    let mut desk = Desk::open();
    for (link, at) in (1..).zip([LEADER, FOLLOWER, OBSERVER]) {
        desk.client(at, link);
    }
    desk.ask(1, 1, &[create("/a", 0)]);
    // All three at once, and what they are answered.
    for link in 1..=3 {
        let requests: Vec<_> = (0..5).map(|n| set("/a", &format!("{link}-{n}"))).collect();
        desk.send(link, 2, &requests);
    }
    desk.settle();
    let mut order = BTreeMap::new();
    for link in 1..=3 {
        let got = desk.take(link);
        for (xid, zxid, outcome) in replies(&got) {
            let Ok(Response::Stat(stat)) = outcome else { panic!("{got:?}") };
            assert_eq!(stat.mzxid, zxid);
            assert_eq!(order.insert(zxid, (stat.version, format!("{link}-{}", xid - 2))), None);
        }
    }
    assert!(order.values().map(|(version, _)| *version).eq(1..=15), "{order:?}");
    let (last, (_, value)) = order.last_key_value().unwrap();
    for link in 1..=3 {
        let got = desk.ask(link, 20, &[get("/a")]);
        let [(_, zxid, outcome)] = replies(&got)[..] else { panic!("{got:?}") };
        assert_eq!(data(outcome), Ok(value.as_str()));
        assert!(zxid >= *last);
    }
}

/// §20.8: all of a multi or nothing, after a crash of all, and in snapshots.
#[test]
fn a_multi_is_whole() {
    let mut desk = Desk::open();
    desk.client(FOLLOWER, 1);
    let whole = Request::Multi { ops: vec![create("/a", 0), create("/a/b", 0), set("/a", "1")] };
    let broken = Request::Multi { ops: vec![create("/c", 0), set("/a", "2"), create("/a", 0)] };
    let got = desk.ask(1, 1, &[whole, broken]);
    assert_eq!(replies(&got).len(), 2);
    let look = |desk: &Desk, id| {
        let tree = &desk.net.server(id).side().0.tree;
        let there = ["/a", "/a/b", "/c"].map(|path| tree.exists(path));
        (there, tree.get("/a").and_then(|node| node.data().cloned()), tree.digest())
    };
    let before = look(&desk, LEADER);
    assert_eq!((before.0, before.1.as_deref()), ([true, true, false], Some(&b"1"[..])));
    for id in 1..=4 {
        assert_eq!(look(&desk, id), before, "server {id}");
    }
    for id in 1..=4 {
        desk.net.kill(id);
    }
    // One has nothing left and gets it all from the others.
    desk.net.disks.insert(ServerId(OBSERVER), Recovered::empty());
    for id in 1..=4 {
        desk.net.start(id);
    }
    desk.net.run(Duration::from_secs(3));
    for id in 1..=4 {
        assert_eq!(look(&desk, id), before, "server {id}");
        let tree = &desk.net.server(id).side().0.tree;
        let read = Tree::read_body(tree.write_body(), tree.applied()).unwrap();
        assert_eq!(read.digest(), before.2, "server {id}");
    }
}

/// A frame that is no request ends its own connection only.
#[test]
fn a_bad_connection_is_nobody_elses() {
    let mut desk = Desk::open();
    desk.client(FOLLOWER, 1);
    desk.client(FOLLOWER, 2);
    desk.ask(1, 1, &[create("/a", 0)]);
    desk.asked.insert((LinkId(2), 7), OpCode::Ping);
    let mut frame = BytesMut::from(&[0; 4][..]);
    RequestHeader { xid: 7, op: 4711 }.encode(&mut frame);
    desk.frame(2, frame.freeze());
    desk.settle();
    let got = desk.take(2);
    let refused = Got::Reply { xid: 7, zxid: Zxid(-1), outcome: Err(ZkError::Unimplemented) };
    assert!(matches!(&got[..], [first, Got::Closed(LinkClose::BadRequest(_))] if *first == refused), "{got:?}");
    assert_eq!(replies(&desk.ask(1, 2, &[get("/a"), set("/a", "1")])).len(), 2);
}
