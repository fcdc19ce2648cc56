//! The model agrees with what is right and finds what is wrong.

use super::*;
use crate::config::{Config, Ensemble};
use crate::error::ZkError;
use crate::id::ServerId;
use crate::wire::client::{
    ConnectRequest, ConnectResponse, EventKind, WatcherEvent, event_frame, reply_frame, request_frame,
};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Stat};
use crate::wire::txn::TxnHeader;
use alloc::vec;

const A: ClientId = ClientId(0);
const SESSION: SessionId = SessionId(7);

/// A model and one client that has a session, with the numbers of what comes next.
struct Scene {
    model: Model,
    conn: u64,
    xid: i32,
    zxid: i64,
}

/// A timeout that is wished and granted.
const TIMEOUT_MS: i32 = 4000;

impl Scene {
    fn new() -> Scene {
        let config = Config::new(ServerId(1), Ensemble::new(BTreeMap::new()));
        let mut scene = Scene { model: Model::new(&config), conn: 0, xid: 0, zxid: 0 };
        scene.connect(SessionId(0), 0);
        scene.commit(0, TxnBody::CreateSession { timeout_ms: TIMEOUT_MS }).expect("a session");
        scene
    }

    fn connect(&mut self, session: SessionId, seen: i64) {
        self.greet(session, seen, TIMEOUT_MS, TIMEOUT_MS).expect("an answer");
    }

    /// A client wishes a timeout and gets one.
    fn greet(&mut self, session: SessionId, seen: i64, wished_ms: i32, granted_ms: i32) -> Result<(), Finding> {
        self.conn += 1;
        let (passwd, read_only) = (Bytes::from_static(&[0; 16]), Some(false));
        let last_zxid_seen = Zxid(seen);
        let hello = ConnectRequest {
            protocol: 0,
            last_zxid_seen,
            timeout_ms: wished_ms,
            session,
            passwd: passwd.clone(),
            read_only,
        };
        self.model.sent(A, self.conn, hello.frame().slice(4..)).expect("a greeting");
        let answer = ConnectResponse { timeout_ms: granted_ms, session: SESSION, passwd, read_only };
        self.model.received(A, self.conn, answer.frame().slice(4..))
    }

    fn commit(&mut self, cxid: i32, body: TxnBody) -> Result<(), Finding> {
        self.zxid += 1;
        let header = TxnHeader { session: SESSION, cxid, zxid: Zxid(self.zxid), time_ms: 1000 + self.zxid };
        self.model.committed(&Txn { header, body, digest: None }.encode())
    }

    fn ask(&mut self, request: &Request) -> Result<(), Finding> {
        self.xid += 1;
        self.model.sent(A, self.conn, request_frame(self.xid, request).slice(4..))
    }

    fn answer(&mut self, zxid: i64, outcome: Outcome) -> Result<(), Finding> {
        self.model.received(A, self.conn, reply_frame(self.xid, Zxid(zxid), &outcome).slice(4..))
    }

    fn event(&mut self, kind: EventKind, path: &str) -> Result<(), Finding> {
        let event = WatcherEvent { kind, path: path.into() };
        self.model.received(A, self.conn, event_frame(Zxid(-1), &event).slice(4..))
    }

    /// Creates a znode, all as it should be.
    fn create(&mut self, path: &str) {
        self.ask(&create(path)).expect("asked");
        self.commit(self.xid, created(path)).expect("committed");
    }

    fn created(&mut self, path: &str) {
        self.create(path);
        self.answer(self.zxid, Ok(Response::Path(path.into()))).expect("answered");
    }
}

fn create(path: &str) -> Request {
    Request::Create { op: OpCode::Create, path: path.into(), data: None, acl: Acl::open(), flags: 0 }
}

fn created(path: &str) -> TxnBody {
    let (path, acl) = (path.into(), Acl::open());
    TxnBody::Create { v2: false, path, data: None, acl, ephemeral: false, parent_cversion: 1 }
}

fn exists(path: &str) -> Request {
    Request::Exists { path: path.into(), watch: true }
}

/// The Stat of a znode that the transaction `zxid` has just created.
fn fresh(zxid: i64) -> Stat {
    let (id, time) = (Zxid(zxid), 1000 + zxid);
    Stat { czxid: id, mzxid: id, pzxid: id, ctime: time, mtime: time, ..Stat::default() }
}

fn rule(found: Result<(), Finding>) -> Option<Rule> {
    found.err().map(|(rule, _)| rule)
}

#[test]
fn answers_to_writes() {
    let path = |path: &str| Ok(Response::Path(path.into()));
    for (zxid, outcome, found) in [
        (2, path("/a"), None),
        (2, path("/b"), Some(Rule::AnswersAreRight)),
        (2, Err(ZkError::NodeExists), Some(Rule::AnswersAreRight)),
        (1, path("/a"), Some(Rule::AnswersAreRight)),
        (3, path("/a"), Some(Rule::AnswersAreRight)),
    ] {
        let mut scene = Scene::new();
        scene.create("/a");
        assert_eq!(rule(scene.answer(zxid, outcome.clone())), found, "{zxid} {outcome:?}");
    }
}

#[test]
fn what_is_committed_is_what_was_asked() {
    for (request, body, found) in [
        (create("/a"), created("/a"), None),
        (create("/a"), TxnBody::Error { code: -110 }, Some(Rule::AnswersAreRight)),
        (create("/"), TxnBody::Error { code: -110 }, None),
        (create("/"), TxnBody::Error { code: -8 }, Some(Rule::AnswersAreRight)),
        (create("/"), created("/"), Some(Rule::AnswersAreRight)),
        (create("/a"), TxnBody::Error { code: ZkError::SessionMoved.code() }, Some(Rule::AnswersAreRight)),
    ] {
        let mut scene = Scene::new();
        scene.ask(&request).expect("asked");
        assert_eq!(rule(scene.commit(1, body.clone())), found, "{request:?} {body:?}");
    }
    let mut scene = Scene::new();
    assert_eq!(rule(scene.commit(1, created("/a"))), Some(Rule::AnswersAreRight), "nobody asked");
}

#[test]
fn a_session_that_moved_may_be_refused_on_its_former_connection() {
    let mut scene = Scene::new();
    scene.ask(&create("/a")).expect("asked");
    scene.connect(SESSION, 0);
    let moved = TxnBody::Error { code: ZkError::SessionMoved.code() };
    assert_eq!(scene.commit(1, moved), Ok(()));
}

/// What a session had before does not matter when it is taken up again.
#[test]
fn timeouts_that_are_granted() {
    for (wished, granted, found) in [
        (4000, 4000, None),
        (9000, 9000, None),
        (9000, 4000, Some(Rule::AnswersAreRight)),
        (0, 4000, None),
        (-1, -1, Some(Rule::AnswersAreRight)),
        (i32::MAX, 40_000, None),
        (i32::MAX, i32::MAX, Some(Rule::AnswersAreRight)),
        (9000, 0, None),
    ] {
        let mut scene = Scene::new();
        assert_eq!(rule(scene.greet(SESSION, 0, wished, granted)), found, "{wished} {granted}");
        let retimed = u64::from(found.is_none() && granted != 0 && granted != TIMEOUT_MS);
        assert_eq!(scene.model.counts().retimed, retimed);
    }
}

#[test]
fn answers_to_reads() {
    for (zxid, outcome, found) in [
        (2, Ok(Response::Stat(fresh(2))), None),
        (1, Err(ZkError::NoNode), None),
        (1, Ok(Response::Stat(fresh(2))), Some(Rule::AnswersAreRight)),
        (2, Err(ZkError::NoNode), Some(Rule::AnswersAreRight)),
        (2, Ok(Response::Stat(Stat { cversion: 1, ..fresh(2) })), Some(Rule::AnswersAreRight)),
        (3, Ok(Response::Stat(fresh(2))), Some(Rule::AnswersAreRight)),
    ] {
        let mut scene = Scene::new();
        scene.create("/a");
        // The write's own answer is still on its way to somebody else.
        scene.connect(SESSION, 0);
        scene.ask(&exists("/a")).expect("asked");
        assert_eq!(rule(scene.answer(zxid, outcome.clone())), found, "{zxid} {outcome:?}");
    }
}

/// A client waits for `/a` and lists `/`; then `/a` is created and its data is set.
fn watching() -> Scene {
    let mut scene = Scene::new();
    scene.ask(&exists("/a")).expect("asked");
    scene.answer(1, Err(ZkError::NoNode)).expect("there is none");
    scene.ask(&Request::GetChildren { path: "/".into(), watch: true }).expect("asked");
    scene.answer(1, Ok(Response::Children(vec!["zookeeper".into()]))).expect("a list");
    scene.create("/a");
    scene
}

#[test]
fn events_come_once_in_order_before_the_answer() {
    use EventKind::{ChildrenChanged, Created, DataChanged};
    let right = [(Created, "/a"), (ChildrenChanged, "/")];
    let told = |events: &[(EventKind, &str)]| {
        let mut scene = watching();
        for (kind, path) in events {
            scene.event(*kind, path)?;
        }
        scene.answer(2, Ok(Response::Path("/a".into())))
    };
    assert_eq!(told(&right), Ok(()));
    for wrong in [
        &[][..],
        &right[..1],
        &right[1..],
        &[right[1], right[0]],
        &[right[0], right[0], right[1]],
        &[right[0], right[1], right[1]],
        &[right[0], right[1], (DataChanged, "/a")],
        &[(DataChanged, "/a"), right[1]],
    ] {
        assert_eq!(rule(told(wrong)), Some(Rule::WatchesTellAll), "{wrong:?}");
    }
}

#[test]
fn watches_are_brought_along_and_tell_what_was_missed() {
    let lists = |relative: i64, data: &[&str], exist: &[&str], child: &[&str]| {
        let list = |paths: &[&str]| paths.iter().map(|path| String::from(*path)).collect();
        Request::SetWatches { relative: Zxid(relative), data: list(data), exist: list(exist), child: list(child) }
    };
    let right = lists(1, &[], &["/a"], &["/"]);
    for (request, found) in [
        (right.clone(), None),
        (lists(0, &[], &["/a"], &["/"]), Some(Rule::WatchesTellAll)),
        (lists(2, &[], &["/a"], &["/"]), Some(Rule::WatchesTellAll)),
        (lists(1, &["/a"], &[], &["/"]), Some(Rule::WatchesTellAll)),
        (lists(1, &[], &["/a"], &[]), Some(Rule::WatchesTellAll)),
    ] {
        let mut scene = watching();
        scene.connect(SESSION, 1);
        assert_eq!(rule(scene.ask(&request)), found, "{request:?}");
    }
    use EventKind::{ChildrenChanged, Created};
    for (events, found) in [
        (&[(Created, "/a"), (ChildrenChanged, "/")][..], None),
        (&[(Created, "/a")], Some(Rule::WatchesTellAll)),
        (&[(ChildrenChanged, "/"), (Created, "/a")], Some(Rule::WatchesTellAll)),
    ] {
        let mut scene = watching();
        scene.connect(SESSION, 1);
        scene.ask(&right).expect("asked");
        events.iter().for_each(|(kind, path)| scene.event(*kind, path).expect("not judged before the answer"));
        assert_eq!(rule(scene.answer(2, Ok(Response::Empty))), found, "{events:?}");
    }
}

#[test]
fn an_event_that_somebody_may_not_read_uses_the_watch_up() {
    let mut scene = Scene::new();
    scene.created("/a");
    let shut = vec![Acl { perms: 2, ..Acl::open().remove(0) }];
    let get = Request::GetData { path: "/a".into(), watch: true };
    scene.ask(&get).expect("asked");
    scene.answer(2, Ok(Response::Data(None, fresh(2)))).expect("data");
    scene.ask(&Request::SetAcl { path: "/a".into(), acl: shut.clone(), version: -1 }).expect("asked");
    scene.commit(scene.xid, TxnBody::SetAcl { path: "/a".into(), acl: shut, version: 1 }).expect("committed");
    scene.answer(3, Ok(Response::Stat(Stat { aversion: 1, ..fresh(2) }))).expect("answered");
    scene.ask(&Request::SetData { path: "/a".into(), data: None, version: -1 }).expect("asked");
    let body = TxnBody::SetData { reconfig: false, path: "/a".into(), data: None, version: 1 };
    scene.commit(scene.xid, body).expect("committed");
    assert_eq!(rule(scene.event(EventKind::DataChanged, "/a")), Some(Rule::WatchesTellAll));
}
