//! The order of checks, and what a request becomes.

use super::*;
use crate::config::{AccessRules, Ensemble};
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::tree::Tree;
use crate::wire::client::{OpResult, Request, Response};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Id, perms};
use crate::wire::txn::{Txn, TxnBody, TxnHeader};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use bytes::Bytes;

const LIVE: SessionId = SessionId(0x0100_0000_0000_0001);
const OTHER: SessionId = SessionId(0x0100_0000_0000_0002);
const DEAD: SessionId = SessionId(0x0100_0000_0000_0003);

/// A leader whose transactions wait in `pending` until they are committed.
struct Leader {
    prep: Prep,
    tree: Tree,
    pending: Vec<Txn>,
    zxid: i64,
}

impl Leader {
    /// With both sessions, `/p`, `/p/c`, the ephemeral `/e`, and `/shut` that lets nobody do anything.
    fn new() -> Leader {
        let mut leader = Leader { prep: Prep::new(true), tree: Tree::new(), pending: Vec::new(), zxid: 0 };
        leader.prepare(LIVE, PrepRequest::CreateSession { timeout_ms: 4000 });
        leader.prepare(OTHER, PrepRequest::CreateSession { timeout_ms: 4000 });
        leader.ask(LIVE, create("/p", 0));
        leader.ask(LIVE, create("/p/c", 0));
        leader.ask(LIVE, create("/e", 1));
        let shut = Request::Create { op: OpCode::Create, path: "/shut".into(), data: None, acl: none(), flags: 0 };
        leader.ask(LIVE, shut);
        leader.commit(6);
        leader
    }

    fn prepare(&mut self, session: SessionId, request: PrepRequest) -> TxnBody {
        self.zxid += 1;
        let header = TxnHeader { session, cxid: 1, zxid: Zxid(self.zxid), time_ms: 1000 + self.zxid };
        let txn = self.prep.prepare(&self.tree, header, &[], request);
        assert_eq!(txn.header, header);
        assert_eq!(txn.digest.is_none(), matches!(txn.body, TxnBody::Error { .. }));
        self.pending.push(txn.clone());
        txn.body
    }

    fn ask(&mut self, session: SessionId, request: Request) -> TxnBody {
        self.prepare(session, PrepRequest::Client(request))
    }

    /// Applies the first so many of what is pending; each has the digest it was foretold.
    fn commit(&mut self, many: usize) {
        for txn in self.pending.drain(..many) {
            let applied = self.tree.apply(&txn);
            assert!(!applied.diverged, "{txn:?}");
            self.prep.committed(txn.header.zxid);
        }
    }
}

fn none() -> Vec<Acl> {
    vec![Acl { perms: 0, ..Acl::open().remove(0) }]
}

fn create(path: &str, flags: i32) -> Request {
    create_as(OpCode::Create, path, flags)
}

fn create_as(op: OpCode, path: &str, flags: i32) -> Request {
    Request::Create { op, path: path.into(), data: Some(Bytes::from_static(b"x")), acl: Acl::open(), flags }
}

fn ttl(path: &str, flags: i32, ttl_ms: i64) -> Request {
    Request::CreateTtl { path: path.into(), data: None, acl: Acl::open(), flags, ttl_ms }
}

fn with_acl(path: &str, acl: Vec<Acl>) -> Request {
    Request::Create { op: OpCode::Create, path: path.into(), data: None, acl, flags: 0 }
}

fn delete(path: &str, version: i32) -> Request {
    Request::Delete { path: path.into(), version }
}

fn set(path: &str, version: i32) -> Request {
    Request::SetData { path: path.into(), data: None, version }
}

fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Request {
    Request::SetAcl { path: path.into(), acl, version }
}

fn check(path: &str, version: i32) -> Request {
    Request::Check { path: path.into(), version }
}

fn multi(op: Request) -> Request {
    Request::Multi { ops: vec![op] }
}

#[test]
fn a_change_of_members_needs_a_session_and_the_right_to_write_the_configuration() {
    use ZkError::{NewConfigNoQuorum, NoAuth, ReconfigDisabled, SessionExpired};
    let next = Ensemble::parse("server.1=a:1:2;3\nserver.2=b:1:2;3").unwrap();
    let rows = [
        (DEAD, false, Err(ReconfigDisabled), Some(ReconfigDisabled)),
        (DEAD, false, Err(NewConfigNoQuorum), Some(SessionExpired)),
        (LIVE, false, Err(NewConfigNoQuorum), Some(NewConfigNoQuorum)),
        (LIVE, false, Ok(next.clone()), Some(NoAuth)),
        (DEAD, true, Ok(next.clone()), Some(NoAuth)),
    ];
    for (session, local, members, error) in rows {
        let mut leader = Leader::new();
        let request = PrepRequest::Reconfig { members: members.clone().map(Box::new), local };
        let expected = error.map(|error| TxnBody::Error { code: error.code() });
        assert_eq!(Some(leader.prepare(session, request)), expected, "{session} {members:?}");
    }
    let mut leader = Leader::new();
    leader.tree.set_rules(AccessRules { skip_acl: true, ..AccessRules::default() }.into());
    let before = leader.tree.digest();
    let request = PrepRequest::Reconfig { members: Ok(Box::new(next.clone())), local: false };
    let TxnBody::SetData { reconfig: true, path, data, version: -1 } = leader.prepare(LIVE, request) else { panic!() };
    let text = String::from_utf8(data.unwrap().to_vec()).unwrap();
    let made = Ensemble::parse(&text).unwrap();
    assert!(path == "/zookeeper/config" && made.is_like(&next) && made.version() > 0, "{text}");
    leader.commit(1);
    assert_eq!(leader.tree.digest(), before, "configurations are no part of it");
}

/// Each row fails at one check while everything after that would fail too, as far as one request can.
#[test]
fn the_first_failing_check_is_told() {
    use ZkError::{
        BadArguments, BadVersion, InvalidAcl, MarshallingError, NoAuth, NoChildrenForEphemerals, NoNode, NodeExists,
        NotEmpty, ReconfigDisabled, SessionExpired, Unimplemented,
    };
    let reconfig = || Request::Reconfig { joining: None, leaving: None, members: None, config: -1 };
    let sasl = vec![Acl { perms: 31, id: Id { scheme: "sasl".into(), id: "x".into() } }];
    let rows = [
        (DEAD, create("bad", 7), BadArguments),
        (DEAD, create("bad", -1), BadArguments),
        (DEAD, create("bad", 5), BadArguments),
        (DEAD, ttl("bad", 0, 1), BadArguments),
        (DEAD, ttl("bad", 5, 0), BadArguments),
        (DEAD, ttl("bad", 5, 0x100_0000_0000), BadArguments),
        (DEAD, create("bad", 0), SessionExpired),
        (LIVE, with_acl("bad", vec![]), BadArguments),
        (LIVE, with_acl("/none/\0", vec![]), BadArguments),
        (LIVE, with_acl("/none/x", vec![]), InvalidAcl),
        (LIVE, with_acl("/none/x", sasl.clone()), InvalidAcl),
        (LIVE, create("/none/x", 0), NoNode),
        (LIVE, create("/a//b", 0), NoNode),
        (LIVE, create("/a/../b", 0), NoNode),
        (LIVE, create("/shut/.", 0), NoAuth),
        (LIVE, create("/p/.", 0), BadArguments),
        (LIVE, create("/p/", 0), BadArguments),
        (LIVE, create("/e/\u{1}", 0), BadArguments),
        (LIVE, create("/", 0), NodeExists),
        (LIVE, create("/p", 0), NodeExists),
        (LIVE, create("/e/x", 0), NoChildrenForEphemerals),
        (DEAD, delete("/zookeeper", 0), SessionExpired),
        (LIVE, delete("/", -1), BadArguments),
        (LIVE, delete("/zookeeper", -1), BadArguments),
        (LIVE, delete("/zookeeper/config", -1), BadArguments),
        (LIVE, delete("none", -1), BadArguments),
        (LIVE, delete("/none/x", -1), NoNode),
        (LIVE, delete("/shut/x", -1), NoAuth),
        (LIVE, delete("/x", -1), NoNode),
        (LIVE, delete("/p", 5), BadVersion),
        (LIVE, delete("/p", -2), BadVersion),
        (LIVE, delete("/p", 0), NotEmpty),
        (DEAD, set("bad", -1), SessionExpired),
        (LIVE, set("/p/", -1), BadArguments),
        (LIVE, set("/x", -1), NoNode),
        (LIVE, set("/shut", 5), NoAuth),
        (LIVE, set("/p", 5), BadVersion),
        (DEAD, set_acl("bad", vec![], 5), SessionExpired),
        (LIVE, set_acl("bad", vec![], 5), BadArguments),
        (LIVE, set_acl("/x", vec![], 5), InvalidAcl),
        (LIVE, set_acl("/x", Acl::open(), 5), NoNode),
        (LIVE, set_acl("/shut", Acl::open(), 5), NoAuth),
        (LIVE, set_acl("/p", Acl::open(), 5), BadVersion),
        (LIVE, check("/p", -1), Unimplemented),
        (DEAD, reconfig(), ReconfigDisabled),
        (LIVE, multi(reconfig()), MarshallingError),
        (LIVE, Request::Ping, MarshallingError),
        (LIVE, multi(multi(create("/x", 0))), MarshallingError),
        (DEAD, multi(check("bad", 5)), SessionExpired),
        (LIVE, multi(check("bad", 5)), BadArguments),
        (LIVE, multi(check("/x", 5)), NoNode),
        (LIVE, multi(check("/shut", 5)), NoAuth),
        (LIVE, multi(check("/p", 5)), BadVersion),
        (LIVE, multi(set_acl("/p", Acl::open(), -1)), MarshallingError),
    ];
    for (session, request, error) in rows {
        let mut leader = Leader::new();
        let error = TxnBody::Error { code: error.code() };
        let expected = match &request {
            Request::Multi { .. } => TxnBody::Multi { txns: vec![error] },
            _ => error,
        };
        let shown = format!("{request:?}");
        assert_eq!(leader.ask(session, request), expected, "{shown}");
        let before = leader.tree.digest();
        leader.commit(1);
        assert_eq!(leader.tree.digest(), before, "{shown}");
        assert_eq!(leader.tree.applied(), Zxid(7), "a failed request takes its zxid");
    }
}

#[test]
fn ttl_nodes_need_the_setting() {
    let mut leader = Leader::new();
    leader.prep = Prep::new(false);
    let error = TxnBody::Error { code: ZkError::Unimplemented.code() };
    assert_eq!(leader.ask(LIVE, ttl("/t", 5, 1000)), error);
    assert_eq!(leader.ask(LIVE, create("/t", 6)), error);
}

#[test]
fn what_each_opcode_creates() {
    let mut leader = Leader::new();
    for (request, container, time, ephemeral, v2) in [
        (create("/p/a", 0), false, None, false, false),
        (create("/p/b", 1), false, None, true, false),
        (create_as(OpCode::Create2, "/p/d", 0), false, None, false, true),
        (create("/p/f", 4), false, None, false, false),
        (create_as(OpCode::CreateContainer, "/p/g", 4), true, None, false, false),
        (create_as(OpCode::CreateContainer, "/p/h", 0), true, None, false, false),
        (ttl("/p/i", 5, 77), false, Some(77), false, false),
    ] {
        let shown = format!("{request:?}");
        match leader.ask(LIVE, request) {
            TxnBody::Create { v2: is_v2, ephemeral: is_ephemeral, .. } => {
                assert_eq!((container, time, ephemeral, v2), (false, None, is_ephemeral, is_v2), "{shown}");
            }
            TxnBody::CreateContainer { .. } => assert!(container, "{shown}"),
            TxnBody::CreateTtl { ttl_ms, .. } => assert_eq!(time, Some(ttl_ms), "{shown}"),
            other => panic!("{shown} became {other:?}"),
        }
    }
    leader.commit(7);
    assert_eq!(leader.tree.stat("/p").map(|stat| stat.num_children), Some(8));
}

/// The number is the parent's count of creations, also of those in flight; deletions and failures do not use one up.
#[test]
fn sequential_names() {
    let mut leader = Leader::new();
    let mut name = |request: Request, commit: bool| -> Option<String> {
        let body = leader.ask(LIVE, request);
        if commit {
            leader.commit(leader.pending.len());
        }
        match body {
            TxnBody::Create { path, .. } | TxnBody::CreateTtl { path, .. } => Some(path),
            _ => None,
        }
    };
    // /p has had one child.
    assert_eq!(name(create("/p/s-", 2), false).as_deref(), Some("/p/s-0000000001"));
    assert_eq!(name(create("/p/plain", 0), false).as_deref(), Some("/p/plain"));
    assert_eq!(name(create("/p/plain", 0), false), None);
    assert_eq!(name(create("/p/", 3), true).as_deref(), Some("/p/0000000003"));
    assert_eq!(name(delete("/p/plain", -1), false), None);
    assert_eq!(name(multi(create("/p/s-", 2)), false), None);
    let failing = Request::Multi { ops: vec![create("/p/s-", 2), check("/none", -1)] };
    assert_eq!(name(failing, false), None);
    assert_eq!(name(ttl("/p/t-", 6, 5), true).as_deref(), Some("/p/t-0000000005"));
}

#[test]
fn a_failed_multi_keeps_the_members_before_the_failing_one() {
    let mut leader = Leader::new();
    let ops = vec![create("/m", 0), create("/m/n", 0), set("/m", 4), delete("/p/c", -1)];
    let TxnBody::Multi { txns } = leader.ask(LIVE, Request::Multi { ops }) else { panic!("a multi") };
    assert!(matches!(&txns[..2], [TxnBody::Create { .. }, TxnBody::Create { parent_cversion: 1, .. }]));
    let code = |error: ZkError| TxnBody::Error { code: error.code() };
    assert_eq!(txns[2..], [code(ZkError::BadVersion), code(ZkError::RuntimeInconsistency)]);
    // Nothing of it is in the way of the next one.
    assert!(matches!(leader.ask(LIVE, create("/m", 0)), TxnBody::Create { .. }));
    assert!(matches!(leader.ask(LIVE, delete("/p/c", 0)), TxnBody::Delete { .. }));
    let applied = leader.tree.apply(&leader.pending[0].clone());
    let results = vec![OpResult::Error(0), OpResult::Error(0), OpResult::Error(-103), OpResult::Error(-2)];
    assert_eq!(applied.outcome, Ok(Response::Multi(results)));
}

#[test]
fn a_check_sees_what_the_multi_did_before_it() {
    let mut leader = Leader::new();
    let ops = vec![set("/p", 0), check("/p", 1), create("/p/new", 0), delete("/p/new", 0)];
    let TxnBody::Multi { txns } = leader.ask(LIVE, Request::Multi { ops }) else { panic!("a multi") };
    assert_eq!(txns[1], TxnBody::Check { path: "/p".into(), version: 2 });
    assert!(!txns.iter().any(|txn| matches!(txn, TxnBody::Error { .. })), "{txns:?}");
    leader.commit(1);
    assert!(matches!(leader.ask(LIVE, Request::Multi { ops: vec![] }), TxnBody::Multi { .. }));
    leader.commit(1);
}

#[test]
fn closing_a_session_takes_its_ephemerals_in_flight_too() {
    let mut leader = Leader::new();
    leader.ask(LIVE, create("/p/e2", 1));
    leader.ask(OTHER, create("/p/mine", 1));
    leader.ask(LIVE, create("/p/e3", 1));
    leader.ask(LIVE, delete("/p/e3", -1));
    leader.ask(LIVE, delete("/e", -1));
    leader.ask(LIVE, create("/e", 1));
    assert!(matches!(leader.ask(LIVE, delete("/p", -1)), TxnBody::Error { .. }));
    let closed = |paths: &[&str]| TxnBody::CloseSession { paths: Some(paths.iter().map(|&p| p.into()).collect()) };
    assert_eq!(leader.prepare(LIVE, PrepRequest::CloseSession), closed(&["/e", "/p/e2"]));
    let expired = TxnBody::Error { code: ZkError::SessionExpired.code() };
    assert_eq!(leader.ask(LIVE, create("/late", 1)), expired);
    assert_eq!(leader.ask(LIVE, set("/p", -1)), expired);
    assert_eq!(leader.prepare(LIVE, PrepRequest::Client(Request::CloseSession)), closed(&[]), "again");
    assert_eq!(leader.prepare(OTHER, PrepRequest::CloseSession), closed(&["/p/mine"]));
    assert!(matches!(leader.ask(OTHER, delete("/p/c", -1)), TxnBody::Error { .. }));
    leader.commit(leader.pending.len());
    assert!(leader.tree.sessions().is_empty() && leader.tree.ephemerals().is_empty());
    assert_eq!(leader.prep.in_flight(), 0);
    assert_eq!(leader.ask(LIVE, create("/late", 1)), expired);
}

#[test]
fn due_containers() {
    let mut leader = Leader::new();
    leader.ask(LIVE, create_as(OpCode::CreateContainer, "/k", 4));
    leader.ask(LIVE, create("/k/c", 0));
    let mut due = |path: &str| leader.prepare(SessionId(0), PrepRequest::DeleteContainer { path: path.into() });
    let code = |error: ZkError| TxnBody::Error { code: error.code() };
    assert_eq!(due("/k"), code(ZkError::NotEmpty));
    assert_eq!(due("/e"), code(ZkError::BadVersion));
    assert_eq!(due("/none"), code(ZkError::NoNode));
    leader.ask(LIVE, delete("/k/c", -1));
    let body = leader.prepare(SessionId(0), PrepRequest::DeleteContainer { path: "/k".into() });
    assert_eq!(body, TxnBody::Delete { container: true, path: "/k".into() });
    leader.commit(leader.pending.len());
    assert!(!leader.tree.exists("/k"));
}

#[test]
fn what_was_refused_before_takes_its_zxid() {
    let mut leader = Leader::new();
    let body = leader.prepare(LIVE, PrepRequest::Refused(ZkError::SessionMoved));
    assert_eq!(body, TxnBody::Error { code: -118 });
    assert!(matches!(leader.ask(LIVE, create("/x", 0)), TxnBody::Create { .. }));
    leader.commit(2);
    assert_eq!(leader.tree.applied(), Zxid(8));
}

#[test]
fn a_proved_identity_opens_what_is_its_own() {
    let user = Id { scheme: "digest".into(), id: "u:h".into() };
    let mut leader = Leader::new();
    let header = |zxid| TxnHeader { session: LIVE, cxid: 0, zxid: Zxid(zxid), time_ms: 0 };
    let mut run = |zxid, auth: &[Id], request| {
        leader.prep.prepare(&leader.tree, header(zxid), auth, PrepRequest::Client(request)).body
    };
    let auth = vec![Acl { perms: perms::ALL, id: Id { scheme: "auth".into(), id: String::new() } }];
    let TxnBody::Create { acl, .. } = run(7, core::slice::from_ref(&user), with_acl("/u", auth)) else {
        panic!("created")
    };
    assert_eq!(acl, [Acl { perms: perms::ALL, id: user.clone() }]);
    assert!(matches!(run(8, &[], set("/u", -1)), TxnBody::Error { code: -102 }));
    assert!(matches!(run(9, &[user], set("/u", -1)), TxnBody::SetData { version: 1, .. }));
}

fn quota(path: &str, limits: &'static str) -> Vec<Request> {
    let node = |path: String, data: &'static str| Request::Create {
        op: OpCode::Create,
        path,
        data: Some(Bytes::from_static(data.as_bytes())),
        acl: Acl::open(),
        flags: 0,
    };
    let top = format!("/zookeeper/quota{path}");
    vec![
        node(top.clone(), ""),
        node(format!("{top}/zookeeper_limits"), limits),
        node(format!("{top}/zookeeper_stats"), "count=0,bytes=0"),
    ]
}

/// `/p` holds two znodes and two bytes ("x" each).
#[test]
fn quotas() {
    use crate::tree::quota::{Counted, Excess};
    let set_to = |path: &str, data: &'static str, version| Request::SetData {
        path: path.into(),
        data: Some(Bytes::from_static(data.as_bytes())),
        version,
    };
    let over = |of, would_be, limit, hard| Some(Excess { of, would_be, limit, hard });
    let (hard, soft) = ("count=-1,bytes=-1=;byteHardLimit=4;countHardLimit=3", "count=3,bytes=4");
    for (limits, asked, enforced, excess) in [
        (hard, create("/p/new", 0), Ok(()), None),
        (hard, create("/q", 0), Ok(()), None),
        (hard, set_to("/p", "xxx", 0), Ok(()), None),
        (hard, set_to("/p", "xxxx", 0), Err(ZkError::QuotaExceeded), over(Counted::Bytes, 5, 4, true)),
        (hard, set_to("/p", "xxxx", 9), Err(ZkError::QuotaExceeded), over(Counted::Bytes, 5, 4, true)),
        (hard, set_to("/p/none", "xxxx", 0), Err(ZkError::NoNode), None),
        (hard, set_to("/p", "", 0), Ok(()), None),
        (soft, set_to("/p", "xxxx", 0), Ok(()), over(Counted::Bytes, 5, 4, false)),
        ("count=2,bytes=-1", create("/p/new", 0), Ok(()), over(Counted::Znodes, 3, 2, false)),
        (
            "count=0,bytes=-1=;countHardLimit=2",
            create("/p/new", 0),
            Err(ZkError::QuotaExceeded),
            over(Counted::Znodes, 3, 2, true),
        ),
        ("count=0,bytes=-1=;countHardLimit=2", create("/p/c", 0), Err(ZkError::NodeExists), None),
        ("count=0,bytes=-1=;countHardLimit=0", delete("/p/c", -1), Ok(()), None),
    ] {
        for enforce in [true, false] {
            let mut leader = Leader::new();
            leader.prep = Prep::new(true).enforce_quota(enforce);
            quota("/p", limits).into_iter().for_each(|request| drop(leader.ask(LIVE, request)));
            leader.commit(3);
            let what = format!("{limits}: {asked:?}, enforced: {enforce}");
            let result = match leader.ask(LIVE, asked.clone()) {
                TxnBody::Error { code } => Err(ZkError::from_code(code).expect("a code")),
                _ => Ok(()),
            };
            let expected = if enforce || enforced != Err(ZkError::QuotaExceeded) { Some(enforced) } else { None };
            assert_eq!(expected.unwrap_or(result), result, "{what}");
            let told = leader.prep.take_over_quota();
            assert_eq!(told.as_ref().map(|over| over.excess), excess, "{what}");
            assert!(
                told.is_none_or(|over| over.path == "/p" && over.refused == (result == Err(ZkError::QuotaExceeded)))
            );
            assert_eq!(leader.prep.take_over_quota(), None, "told once");
            let as_member = leader.ask(LIVE, multi(asked.clone()));
            if result == Err(ZkError::QuotaExceeded) {
                assert_eq!(as_member, TxnBody::Multi { txns: vec![TxnBody::Error { code: -125 }] }, "{what}");
            }
            leader.commit(2);
        }
    }
}

/// However many ephemerals a session has, its end is one transaction that every peer takes, after which none is left;
/// also when it is applied over a snapshot that has lost some of them already.
#[test]
fn a_session_with_more_ephemerals_than_fit_ends_in_one_transaction() {
    const MOST: usize = 4096;
    let mut leader = Leader::new();
    leader.prep = Prep::new(true).max_txn(MOST);
    for parent in ["/x", "/y", "/z"] {
        leader.ask(OTHER, create(parent, 0));
        for from in (0..600).step_by(10) {
            let ops = (from..from + 10).map(|i| create(&format!("{parent}/ephemeral-{i:05}"), 1)).collect();
            leader.ask(LIVE, Request::Multi { ops });
        }
    }
    leader.commit(leader.pending.len());
    assert_eq!(leader.tree.ephemerals_of(LIVE).count(), 1801);
    let close = leader.prepare(LIVE, PrepRequest::CloseSession);
    let txn = leader.pending[0].clone();
    assert!(txn.encode().len() <= MOST, "{}", txn.encode().len());
    let first = ["/e", "/x/ephemeral-00000", "/y/ephemeral-00000", "/z/ephemeral-00000"].map(String::from);
    assert_eq!(close, TxnBody::CloseSession { paths: Some(first.to_vec()) });
    let before = leader.tree.clone();
    leader.commit(1);
    assert_eq!((leader.tree.ephemerals().len(), leader.tree.get("/x").map(|n| n.children().len())), (0, Some(0)));
    // A snapshot that begins before and ends after the transaction: the parents are old, the children gone.
    let mut out = bytes::BytesMut::new();
    let sessions =
        before.sessions().iter().map(|(id, ms)| crate::wire::record::SessionEntry { id: *id, timeout_ms: *ms });
    let mut writer = crate::disk::body::BodyWriter::begin(&mut out, sessions, before.acls().iter());
    for (path, node) in before.walk().filter(|(path, _)| !path.contains("ephemeral-") && *path != "/e") {
        use crate::disk::body::NodeSink as _;
        writer.node(if path == "/" { "" } else { path }, node.data(), node.acl_key(), node.persisted());
    }
    writer.finish();
    let mut replayed = Tree::read_body(out.freeze(), before.applied()).expect("a snapshot");
    replayed.apply(&txn);
    assert_eq!(replayed.digest(), leader.tree.digest());
    assert_eq!(replayed.stat("/y"), leader.tree.stat("/y"));
    assert!(!leader.tree.sessions().contains_key(&LIVE));
}

#[test]
fn what_is_too_large_for_a_transaction_is_refused_and_leaves_nothing() {
    let mut leader = Leader::new();
    leader.prep = Prep::new(true).max_txn(2000);
    let data = |len| Some(Bytes::from(vec![7; len]));
    let big = |path: &str, len| Request::SetData { path: path.into(), data: data(len), version: -1 };
    let many = |count| Request::Multi { ops: (0..count).map(|i| create(&format!("/p/{count}-{i:03}"), 0)).collect() };
    let long_list = vec![Acl::open().remove(0); 3];
    let distinct: Vec<_> = (0..100).map(|perms| Acl { perms, ..long_list[0].clone() }).collect();
    for (request, fits) in [
        (big("/p", 1900), true),
        (big("/p", 2000), false),
        (many(20), true),
        (many(60), false),
        (set_acl("/p", long_list, -1), true),
        (set_acl("/p", distinct, -1), false),
    ] {
        let body = leader.ask(LIVE, request);
        assert_eq!(body == TxnBody::Error { code: -8 }, !fits, "{body:?}");
        assert!(leader.pending[0].encode().len() <= 2000);
        leader.commit(1);
    }
    assert!(leader.tree.exists("/p/20-019") && !leader.tree.exists("/p/60-000"));
}
