//! A second opinion: a small model of the service, written from client-protocol.md alone, that looks at the frames
//! between clients and servers and at the order of committed transactions, and knows nothing else of the servers.
//!
//! ```text
//!  frames that clients send ──► who asked what ──┐
//!  committed: zxid, session, number, time ───────┴─► plain tree, one request after the other ─► outcomes, changes
//!  frames that clients get ──► answer to a write: the outcome at its zxid
//!                              answer to a read:  the tree's state at its zxid
//!                              event:             the next one that the connection's watches and the changes give
//! ```
//!
//! Of a transaction's body only its kind is looked at: what came of a request, the model finds out by itself.

mod access;
pub(crate) mod load;
#[cfg(test)]
mod tests;
mod tree;
mod voice;
mod watch;

use crate::collections::{BTreeMap, BTreeSet};
use crate::config::Config;
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::sim::check::Rule;
use crate::sim::command::ClientId;
use crate::wire::client::{Outcome, Request, Response};
use crate::wire::record::Id;
use crate::wire::txn::{Txn, TxnBody};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use tree::{Case, Change, Tree};
use voice::Voice;

/// What the model finds wrong: which rule is broken, and how.
pub(crate) type Finding = (Rule, String);

fn wrong<T>(why: String) -> Result<T, Finding> {
    Err((Rule::AnswersAreRight, why))
}

/// A write that was sent.
#[derive(Clone, Debug)]
struct Asked {
    request: Request,
    auth: Vec<Id>,
    /// The connection it was sent on.
    conn: u64,
}

/// A committed transaction.
#[derive(Clone, Debug)]
struct Placed {
    zxid: i64,
    session: SessionId,
    cxid: i32,
    outcome: Outcome,
    /// What it changed, in the order in which watches fire; in none if it ended a session.
    changes: Vec<Change>,
    unordered: bool,
}

/// What has happened as far as the model knows.
#[derive(Clone, Debug)]
struct Past {
    tree: Tree,
    order: Vec<Placed>,
    /// Writes sent and not committed (yet, or ever).
    asked: BTreeMap<(SessionId, i32), Asked>,
    /// The connections over which each session was opened or taken up again. Which of them was last at the leader only
    /// the leader knows: a greeting may have waited at a server that was frozen.
    conns: BTreeMap<SessionId, BTreeSet<u64>>,
    /// The shortest and the longest session timeout that is granted.
    timeouts: (i32, i32),
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    past: Past,
    voices: BTreeMap<ClientId, Voice>,
    counts: Counts,
}

/// How much the model has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers to writes that were compared.
    pub writes: u64,
    /// Answers to reads that were compared.
    pub reads: u64,
    /// Answers that were errors, among both.
    pub errors: u64,
    /// Watch events that were compared.
    pub events: u64,
    /// Times that a client set its watches again.
    pub set_again: u64,
    /// Sessions that were granted another timeout when they were taken up again.
    pub retimed: u64,
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        let Counts { writes, reads, errors, events, set_again, retimed } = more;
        self.writes += writes;
        self.reads += reads;
        self.errors += errors;
        self.events += events;
        self.set_again += set_again;
        self.retimed += retimed;
    }
}

impl Model {
    /// A model of a fresh ensemble whose servers are configured as this one.
    pub fn new(config: &Config) -> Model {
        let past = Past {
            tree: Tree::new(&config.service),
            order: Vec::new(),
            asked: BTreeMap::new(),
            conns: BTreeMap::new(),
            timeouts: (config.min_session_ms, config.max_session_ms),
        };
        Model { past, voices: BTreeMap::new(), counts: Counts::default() }
    }

    /// How much it has looked at.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The last zxid it has followed.
    pub fn last(&self) -> i64 {
        self.past.last()
    }

    /// How many transactions it has followed.
    pub fn placed(&self) -> usize {
        self.past.order.len()
    }

    /// A client sends a frame (without its length).
    pub fn sent(&mut self, client: ClientId, conn: u64, frame: Bytes) -> Result<(), Finding> {
        let voice = self.voices.entry(client).or_default();
        voice.sent(conn, frame, &mut self.past).map_err(|(rule, why)| (rule, format!("client {client}: {why}")))
    }

    /// A client gets a frame (without its length).
    pub fn received(&mut self, client: ClientId, conn: u64, frame: Bytes) -> Result<(), Finding> {
        let Some(voice) = self.voices.get_mut(&client) else { return Ok(()) };
        let heard = voice.received(conn, frame, &mut self.past, &mut self.counts);
        heard.map_err(|(rule, why)| (rule, format!("client {client}: {why}")))
    }

    /// The next transaction is committed.
    pub fn committed(&mut self, txn: &Bytes) -> Result<(), Finding> {
        match Txn::decode(txn.clone()) {
            Ok(txn) => self.past.place(&txn),
            Err(e) => wrong(format!("a committed transaction can't be read: {e}")),
        }
    }

    /// Compares a server's tree, at the end of everything committed.
    pub fn compare(&self, tree: &crate::tree::Tree) -> Result<(), Finding> {
        self.past.compare(tree)
    }
}

impl Past {
    fn last(&self) -> i64 {
        self.order.last().map_or(0, |placed| placed.zxid)
    }

    /// The transaction of this zxid.
    fn at(&self, zxid: i64) -> Option<&Placed> {
        self.order.binary_search_by_key(&zxid, |placed| placed.zxid).ok().map(|at| &self.order[at])
    }

    fn place(&mut self, txn: &Txn) -> Result<(), Finding> {
        let (session, cxid) = (txn.header.session, txn.header.cxid);
        let (zxid, time) = (txn.header.zxid.0, txn.header.time_ms);
        let mut unordered = false;
        let (outcome, changes) = match &txn.body {
            TxnBody::CreateSession { .. } => {
                self.tree.sessions.insert(session);
                (Ok(Response::Empty), Vec::new())
            }
            TxnBody::CloseSession { .. } => {
                self.asked.remove(&(session, cxid));
                unordered = true;
                (Ok(Response::Empty), self.tree.close_session(zxid, session))
            }
            TxnBody::Delete { container: true, path } => match self.tree.take_away(zxid, time, path) {
                Ok(changes) => (Ok(Response::Empty), changes),
                Err(why) => return wrong(format!("{}: a container is deleted, but {why}", txn.header.zxid)),
            },
            // It was due, but something came first.
            TxnBody::Error { code } if session == SessionId(0) => match ZkError::from_code(*code) {
                Some(error @ (ZkError::NotEmpty | ZkError::NoNode)) => (Err(error), Vec::new()),
                _ => return wrong(format!("{}: a container is not deleted, for {code}", txn.header.zxid)),
            },
            body => self.ask(txn, body)?,
        };
        self.order.push(Placed { zxid, session, cxid, outcome, changes, unordered });
        Ok(())
    }

    /// A client's request becomes a transaction.
    fn ask(&mut self, txn: &Txn, body: &TxnBody) -> Result<(Outcome, Vec<Change>), Finding> {
        let (header, key) = (txn.header, (txn.header.session, txn.header.cxid));
        let Some(Asked { request, auth, conn }) = self.asked.remove(&key) else {
            let why = format!("{} is request {} of session {}, which nobody asked", header.zxid, key.1, key.0);
            return wrong(why);
        };
        if *body == (TxnBody::Error { code: ZkError::SessionMoved.code() }) {
            // Only where another connection has taken the session over (§3.6).
            return match self.conns.get(&key.0) {
                Some(conns) if conns.iter().any(|other| *other != conn) => Ok((Err(ZkError::SessionMoved), Vec::new())),
                _ => wrong(format!("{} refuses {request:?}: the session has not moved", header.zxid)),
            };
        }
        if *body == (TxnBody::Error { code: ZkError::SessionExpired.code() }) && !self.tree.sessions.contains(&key.0) {
            // Of a session that is over, nothing else need be looked at.
            return Ok((Err(ZkError::SessionExpired), Vec::new()));
        }
        let case = Case { session: key.0, auth: &auth, zxid: header.zxid.0, time: header.time_ms };
        let (outcome, changes) = self.tree.write(case, &request);
        let code = if let TxnBody::Error { code } = body { *code } else { 0 };
        let own = outcome.as_ref().err().map_or(0, |error| error.code());
        if code != own {
            let why = format!("{} carries out {request:?} with result {code}, it should be {own}", header.zxid);
            return wrong(why);
        }
        Ok((outcome, changes))
    }

    fn compare(&self, tree: &crate::tree::Tree) -> Result<(), Finding> {
        let last = self.last();
        let mut count = 0;
        for path in self.tree.paths_at(last) {
            count += 1;
            let Some(node) = self.tree.at(last, path) else { continue };
            if path == "/zookeeper/config" {
                continue;
            }
            let found = tree.get(path).map(|found| (found.data().cloned(), found.stat(), tree.acl_of(found)));
            let should = (node.data.clone(), node.stat(), Some(&node.acl[..]));
            match found {
                Some((data, stat, acl)) if (data.clone(), stat, acl.as_ref().map(|acl| &acl[..])) == should => {}
                found => {
                    return wrong(format!("at {} {path} is {found:?}, it should be {should:?}", Zxid(last)));
                }
            }
        }
        if tree.len() != count {
            return wrong(format!("at {} there are {} znodes, there should be {count}", Zxid(last), tree.len()));
        }
        Ok(())
    }
}
