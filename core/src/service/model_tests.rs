//! Random histories through preparation and tree, compared with a model written as plainly as can be; and the same
//! histories replayed over snapshots that were taken while the tree changed.

use super::*;
use crate::collections::{BTreeMap, BTreeSet};
use crate::disk::body::{BodyWriter, NodeSink};
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::rng::Rng;
use crate::tree::{Keeper, Tree};
use crate::wire::client::{OpResult, Outcome, Request, Response};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, SessionEntry, Stat};
use crate::wire::txn::{Txn, TxnHeader};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use bytes::{Bytes, BytesMut};

#[derive(Clone, Debug)]
struct Plain {
    data: Option<Bytes>,
    perms: i32,
    created: i32,
    stat: Stat,
    keeper: Keeper,
}

/// Znodes by path, one change after the other, everything counted anew when asked.
#[derive(Clone)]
struct Model {
    nodes: BTreeMap<String, Plain>,
    sessions: BTreeSet<i64>,
}

impl Model {
    fn new() -> Model {
        let open = |_| Plain {
            data: Some(Bytes::new()),
            perms: 31,
            created: 0,
            stat: Stat::default(),
            keeper: Keeper::Persistent,
        };
        let built_in = ["/", "/zookeeper", "/zookeeper/quota"];
        Model { nodes: built_in.map(|path| (path.to_string(), open(path))).into(), sessions: BTreeSet::new() }
    }

    fn children(&self, path: &str) -> Vec<String> {
        let prefix = if path == "/" { "/".to_string() } else { format!("{path}/") };
        let below = self.nodes.keys().filter_map(|other| other.strip_prefix(&prefix));
        below.filter(|name| !name.is_empty() && !name.contains('/')).map(String::from).collect()
    }

    fn stat(&self, path: &str) -> Stat {
        let node = &self.nodes[path];
        // The model has no /zookeeper/config.
        let children = self.children(path).len() as i32 + i32::from(path == "/zookeeper");
        Stat {
            cversion: node.created.wrapping_mul(2).wrapping_sub(children),
            num_children: children,
            data_length: node.data.as_ref().map_or(0, |data| data.len() as i32),
            ephemeral_owner: if let Keeper::Ephemeral(session) = node.keeper { session.0 } else { 0 },
            ..node.stat
        }
    }

    fn parent(path: &str) -> &str {
        match path.rfind('/') {
            Some(0) | None => "/",
            Some(at) => &path[..at],
        }
    }

    fn allowed(&self, path: &str, perm: i32) -> Result<(), ZkError> {
        let node = self.nodes.get(path).ok_or(ZkError::NoNode)?;
        if node.perms & perm != 0 { Ok(()) } else { Err(ZkError::NoAuth) }
    }

    fn run(&mut self, session: i64, zxid: i64, time: i64, request: &Request) -> Result<OpResult, ZkError> {
        let matches = |expected: i32, version: i32| {
            if expected == -1 || expected == version { Ok(()) } else { Err(ZkError::BadVersion) }
        };
        if !self.sessions.contains(&session) {
            return Err(ZkError::SessionExpired);
        }
        match request {
            Request::Create { op, path, data, acl, flags } => {
                let parent = Model::parent(path).to_string();
                self.allowed(&parent, 4)?;
                let number = self.nodes[&parent].created;
                let path = if flags & 2 != 0 { format!("{path}{number:010}") } else { path.clone() };
                if self.nodes.contains_key(&path) {
                    return Err(ZkError::NodeExists);
                }
                if matches!(self.nodes[&parent].keeper, Keeper::Ephemeral(_)) {
                    return Err(ZkError::NoChildrenForEphemerals);
                }
                let keeper = match op {
                    OpCode::CreateContainer => Keeper::Container,
                    _ if flags & 1 != 0 => Keeper::Ephemeral(SessionId(session)),
                    _ => Keeper::Persistent,
                };
                let zxid = Zxid(zxid);
                let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time, ..Stat::default() };
                let perms = acl[0].perms;
                self.nodes.insert(path.clone(), Plain { data: data.clone(), perms, created: 0, stat, keeper });
                let above = self.nodes.get_mut(&parent).expect("checked");
                above.created += 1;
                above.stat.pzxid = zxid;
                let stat = self.stat(&path);
                Ok(if *op == OpCode::Create { OpResult::Create(path) } else { OpResult::Create2(path, stat) })
            }
            Request::Delete { path, version } => {
                self.allowed(Model::parent(path), 8)?;
                matches(*version, self.nodes.get(path).ok_or(ZkError::NoNode)?.stat.version)?;
                if !self.children(path).is_empty() {
                    return Err(ZkError::NotEmpty);
                }
                self.remove(path, zxid);
                Ok(OpResult::Delete)
            }
            Request::SetData { path, data, version } => {
                self.allowed(path, 2)?;
                let node = self.nodes.get_mut(path).expect("checked");
                matches(*version, node.stat.version)?;
                node.data = data.clone();
                node.stat = Stat { version: node.stat.version + 1, mzxid: Zxid(zxid), mtime: time, ..node.stat };
                Ok(OpResult::SetData(self.stat(path)))
            }
            Request::SetAcl { path, acl, version } => {
                self.allowed(path, 16)?;
                let node = self.nodes.get_mut(path).expect("checked");
                matches(*version, node.stat.aversion)?;
                node.perms = acl[0].perms;
                node.stat.aversion += 1;
                Ok(OpResult::SetData(self.stat(path)))
            }
            Request::Check { path, version } => {
                self.allowed(path, 1)?;
                matches(*version, self.nodes[path].stat.version)?;
                Ok(OpResult::Check)
            }
            other => panic!("{other:?}"),
        }
    }

    fn remove(&mut self, path: &str, zxid: i64) {
        self.nodes.remove(path);
        self.nodes.get_mut(Model::parent(path)).expect("a parent").stat.pzxid = Zxid(zxid);
    }

    fn outcome(&mut self, session: i64, zxid: i64, time: i64, request: &PrepRequest) -> Outcome {
        match request {
            PrepRequest::CreateSession { .. } => {
                self.sessions.insert(session);
                Ok(Response::Empty)
            }
            PrepRequest::CloseSession => {
                self.sessions.remove(&session);
                let owned = Keeper::Ephemeral(SessionId(session));
                let nodes: Vec<String> =
                    self.nodes.keys().filter(|path| self.nodes[*path].keeper == owned).cloned().collect();
                nodes.iter().for_each(|path| self.remove(path, zxid));
                Ok(Response::Empty)
            }
            PrepRequest::Client(Request::Multi { ops }) => {
                let before = self.clone();
                let mut results = Vec::new();
                for op in ops {
                    match self.run(session, zxid, time, op) {
                        Ok(result) => results.push(result),
                        Err(error) => {
                            *self = before;
                            results.iter_mut().for_each(|result| *result = OpResult::Error(0));
                            results.push(OpResult::Error(error.code()));
                            results.resize(ops.len(), OpResult::Error(-2));
                            break;
                        }
                    }
                }
                Ok(Response::Multi(results))
            }
            PrepRequest::Client(request) => self.run(session, zxid, time, request).map(|result| match result {
                OpResult::Create(path) => Response::Path(path),
                OpResult::Create2(path, stat) => Response::PathStat(path, stat),
                OpResult::SetData(stat) => Response::Stat(stat),
                _ => Response::Empty,
            }),
            other => panic!("{other:?}"),
        }
    }

    fn agrees_with(&self, tree: &Tree) {
        assert_eq!(tree.len(), self.nodes.len() + 1);
        for (path, plain) in &self.nodes {
            let node = tree.get(path).unwrap_or_else(|| panic!("{path} is missing"));
            let perms = tree.acl_of(node).map(|list| list[0].perms);
            let got = (node.data(), node.stat(), node.keeper(), perms);
            assert_eq!(got, (plain.data.as_ref(), self.stat(path), plain.keeper, Some(plain.perms)), "{path}");
        }
        assert_eq!(tree.sessions().keys().map(|id| id.0).collect::<BTreeSet<_>>(), self.sessions);
    }
}

fn acl(rng: &mut Rng) -> Vec<Acl> {
    let perms = if rng.chance(900_000) { 31 } else { rng.below(32) as i32 };
    vec![Acl { perms, ..Acl::open().remove(0) }]
}

fn op(rng: &mut Rng, in_multi: bool) -> Request {
    let mut path = String::new();
    for _ in 0..rng.between(1, 3) {
        path.push_str(rng.pick(&["/a", "/b", "/c"]).expect("three"));
    }
    let version = *rng.pick(&[-1, -1, -1, 0, 1, 2]).expect("six");
    let data = rng.chance(800_000).then(|| Bytes::from(vec![7; rng.below(5) as usize]));
    match rng.below(if in_multi { 9 } else { 10 }) {
        0..4 => {
            let op = *rng.pick(&[OpCode::Create, OpCode::Create2, OpCode::CreateContainer]).expect("three");
            let flags = if op == OpCode::CreateContainer { 4 } else { rng.below(4) as i32 };
            Request::Create { op, path, data, acl: acl(rng), flags: if flags == 4 { 0 } else { flags } }
        }
        4..6 => Request::Delete { path, version },
        6..8 => Request::SetData { path, data, version },
        8 if in_multi => Request::Check { path, version },
        _ => Request::SetAcl { path, acl: acl(rng), version },
    }
}

fn request(rng: &mut Rng) -> PrepRequest {
    match rng.below(20) {
        0 => PrepRequest::CreateSession { timeout_ms: 4000 },
        1 => PrepRequest::CloseSession,
        2..5 => PrepRequest::Client(Request::Multi { ops: (0..rng.below(5)).map(|_| op(rng, true)).collect() }),
        _ => PrepRequest::Client(op(rng, false)),
    }
}

/// A history of a leader that has up to `window` transactions in flight. Each outcome and foretold digest is checked.
fn history(seed: u64, length: i64, window: usize) -> Vec<Txn> {
    let mut rng = Rng::new(seed);
    let (mut prep, mut tree, mut model) = (Prep::new(true), Tree::new(), Model::new());
    let mut in_flight = VecDeque::new();
    let mut txns = Vec::new();
    for zxid in 1..=length {
        let session = rng.between(1, 4) as i64;
        let request = if zxid <= 4 { PrepRequest::CreateSession { timeout_ms: 4000 } } else { request(&mut rng) };
        let session = if zxid <= 4 { zxid } else { session };
        let expected = model.outcome(session, zxid, 1000 + zxid, &request);
        let header = TxnHeader { session: SessionId(session), cxid: 0, zxid: Zxid(zxid), time_ms: 1000 + zxid };
        let txn = prep.prepare(&tree, header, &[], request.clone());
        txns.push(txn.clone());
        in_flight.push_back((request, txn, expected));
        let keep = if zxid == length { 0 } else { rng.below(window as u64 + 1) as usize };
        while in_flight.len() > keep {
            let (request, txn, expected) = in_flight.pop_front().expect("not empty");
            let applied = tree.apply(&txn);
            assert_eq!(applied.outcome, expected, "seed {seed}: {request:?} became {txn:?}");
            assert!(!applied.diverged, "seed {seed}: {request:?} became {txn:?}");
            if rng.chance(500_000) {
                prep.committed(txn.header.zxid);
            }
        }
    }
    model.agrees_with(&tree);
    txns
}

#[test]
fn histories_agree_with_the_model() {
    for seed in 0..300 {
        history(seed, 120, (seed % 8) as usize);
    }
}

fn listing(tree: &Tree) -> Vec<String> {
    let node = |(path, node): (&str, &crate::tree::Node)| {
        format!("{path} {:?} {:?} {:?} {:?}", node.data(), node.persisted(), node.children(), tree.acl_of(node))
    };
    let mut lines: Vec<String> = tree.walk().map(node).collect();
    lines.push(format!("{:?} {:?} {}", tree.sessions(), tree.ephemerals(), tree.applied()));
    lines.push(format!("{} {} {}", tree.digest(), tree.len(), tree.approximate_size()));
    lines
}

/// A snapshot that begins at state `at` and is overtaken by later states while its nodes are written.
fn fuzzy(states: &[Tree], at: usize, rng: &mut Rng) -> Bytes {
    let start = &states[at];
    let sessions = start.sessions().iter().map(|(id, ms)| SessionEntry { id: *id, timeout_ms: *ms });
    let mut out = BytesMut::new();
    let mut writer = BodyWriter::begin(&mut out, sessions, start.acls().iter());
    let mut now = at;
    let mut left = vec!["/".to_string()];
    while let Some(path) = left.pop() {
        if rng.chance(300_000) {
            now = rng.between(now as u64, states.len() as u64 - 1) as usize;
        }
        // Each node is copied as it is now, with the list of its children, and these are visited later.
        let Some(node) = states[now].get(&path) else { continue };
        writer.node(if path == "/" { "" } else { &path }, node.data(), node.acl_key(), node.persisted());
        let prefix = if path == "/" { "" } else { &path };
        left.extend(node.children().iter().map(|name| format!("{prefix}/{name}")));
    }
    writer.finish();
    out.freeze()
}

#[test]
fn replay_over_a_snapshot_taken_while_the_tree_changed_gives_the_same_tree() {
    for seed in 0..150 {
        let txns = history(seed, 80, 3);
        let mut states = vec![Tree::new()];
        for txn in &txns {
            let mut next = states[states.len() - 1].clone();
            next.apply(txn);
            states.push(next);
        }
        let end = listing(&states[txns.len()]);
        let mut rng = Rng::new(seed).fork(1);
        for _ in 0..20 {
            let at = rng.below(states.len() as u64) as usize;
            let body = fuzzy(&states, at, &mut rng);
            let mut tree = Tree::read_body(body, Zxid(at as i64)).expect("a snapshot");
            txns[at..].iter().for_each(|txn| drop(tree.apply(txn)));
            assert_eq!(listing(&tree), end, "seed {seed} from {at}");

            let exact = Tree::read_body(states[at].write_body(), Zxid(at as i64)).expect("a snapshot");
            assert_eq!(listing(&exact), listing(&states[at]), "seed {seed} at {at}");
        }
    }
}
