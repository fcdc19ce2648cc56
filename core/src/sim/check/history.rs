//! The one history of committed transactions, put together from what the servers commit.

use crate::collections::{BTreeMap, BTreeSet};
use crate::config::Ensemble;
use crate::id::{Epoch, ServerId, SessionId, Zxid};
use crate::sim::check::Rule;
use crate::sim::disk::Media;
use crate::sim::process::Process;
use crate::tree::Tree;
use crate::wire::op::OpCode;
use crate::wire::record::Acl;
use crate::wire::txn::{Txn, TxnBody, TxnHeader};
use crate::zab::history::History as OwnHistory;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::Serialize;

/// A committed transaction.
#[derive(Clone, Debug, Serialize)]
struct Placed {
    zxid: Zxid,
    txn: Bytes,
    /// Whose request it was, and that session's number of it.
    session: SessionId,
    cxid: i32,
    /// The tree's digest right after it, once a server was seen there.
    digest: Option<i64>,
    /// The first server seen to commit it.
    by: ServerId,
}

/// The members that a transaction makes, if it changes them.
fn change_in(txn: &Bytes) -> Option<Ensemble> {
    let (_, kind) = TxnHeader::peek(txn).ok()?;
    if kind != OpCode::Reconfig.code() {
        return None;
    }
    match Txn::decode(txn.clone()).ok()?.body {
        TxnBody::SetData { data, .. } => Ensemble::parse(core::str::from_utf8(&data?).ok()?).ok(),
        _ => None,
    }
}

/// What was expected and is not so.
pub(super) struct Unlike {
    pub rule: Rule,
    pub why: String,
}

fn unlike<T>(rule: Rule, why: String) -> Result<T, Unlike> {
    Err(Unlike { rule, why })
}

/// The history, and what follows from it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct History {
    order: Vec<Placed>,
    /// What leaders have proposed and is not committed yet.
    proposed: BTreeMap<Zxid, Bytes>,
    /// The sessions at the end of `order`.
    sessions: BTreeSet<SessionId>,
    /// Ephemerals at the end of `order`, with their sessions.
    ephemerals: BTreeMap<String, SessionId>,
    /// Paths whose access list has ever forbidden anything to anybody: not every client is told of them.
    guarded: BTreeSet<String>,
    /// Per session, the last of its requests that is committed.
    asked: BTreeMap<SessionId, i32>,
    /// The members: at the beginning, and as each committed change has made them.
    members: Vec<(Zxid, Ensemble)>,
}

impl History {
    pub fn new(members: Ensemble) -> History {
        History {
            order: Vec::new(),
            proposed: BTreeMap::new(),
            sessions: BTreeSet::new(),
            ephemerals: BTreeMap::new(),
            guarded: BTreeSet::new(),
            asked: BTreeMap::new(),
            members: Vec::from([(Zxid::ZERO, members)]),
        }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The transactions from the `from`th on.
    pub fn txns_from(&self, from: usize) -> impl Iterator<Item = &Bytes> {
        self.order.iter().skip(from).map(|placed| &placed.txn)
    }

    fn last(&self) -> Zxid {
        self.order.last().map_or(Zxid::ZERO, |p| p.zxid)
    }

    fn position(&self, zxid: Zxid) -> Option<usize> {
        self.order.binary_search_by_key(&zxid, |p| p.zxid).ok()
    }

    /// Whether this zxid is committed.
    pub fn knows(&self, zxid: Zxid) -> bool {
        self.position(zxid).is_some()
    }

    /// A leader proposes.
    pub fn proposed(&mut self, zxid: Zxid, txn: &Bytes) -> Result<(), &'static str> {
        if let Some(at) = self.position(zxid) {
            return if self.order[at].txn == *txn { Ok(()) } else { Err("and committed") };
        }
        match self.proposed.insert(zxid, txn.clone()) {
            Some(other) if other != *txn => Err("by another leader of the epoch"),
            _ => Ok(()),
        }
    }

    /// Whether exactly this transaction is committed.
    pub fn is_committed(&self, zxid: Zxid, txn: &Bytes) -> bool {
        self.position(zxid).is_some_and(|at| self.order[at].txn == *txn)
    }

    /// The transaction of this session's request at this place, if it is committed.
    pub fn answers(&self, zxid: Zxid, session: SessionId, cxid: i32) -> Result<(), String> {
        match self.position(zxid) {
            None => Err(format!("{zxid} is not committed")),
            Some(at) if (self.order[at].session, self.order[at].cxid) != (session, cxid) => {
                let other = &self.order[at];
                Err(format!("{zxid} is request {} of session {}", other.cxid, other.session))
            }
            Some(_) => Ok(()),
        }
    }

    /// A server's tree at `zxid` has this digest.
    pub fn holds_at(&mut self, zxid: Zxid, digest: i64) -> Result<(), String> {
        if zxid == Zxid::ZERO {
            return Ok(());
        }
        let Some(at) = self.position(zxid) else { return Err(format!("{zxid} is not committed")) };
        let placed = &mut self.order[at];
        match placed.digest.replace(digest) {
            Some(other) if other != digest => {
                Err(format!("at {zxid} the tree has digest {digest}, another server's has {other}"))
            }
            _ => Ok(()),
        }
    }

    /// The first committed transaction of an epoch before `epoch` that a server's history lacks, looking at the last
    /// ones. (A leader may be established late, when a later one has committed already: that one is not its business.)
    pub fn missing_in(&self, own: &OwnHistory, media: &Media, epoch: Epoch) -> Option<Zxid> {
        let lacks = |p: &&Placed| {
            let held = own.get(p.zxid).map(|e| &e.txn).or_else(|| media.entry(p.zxid));
            held.map_or(p.zxid > own.base(), |txn| *txn != p.txn)
        };
        self.order.iter().rev().filter(|p| p.zxid.epoch() < epoch).take(64).filter(lacks).last().map(|p| p.zxid)
    }

    /// A server has committed what is above `before` up to `now`.
    pub fn follow(
        &mut self,
        id: ServerId,
        before: Zxid,
        now: Zxid,
        own: &OwnHistory,
        processes: &[Process],
    ) -> Result<(), Unlike> {
        let mut at = if before == Zxid::ZERO {
            0
        } else {
            match self.position(before) {
                Some(at) => at + 1,
                None => {
                    return unlike(
                        Rule::PrefixConsistency,
                        format!("server {id} was at {before}, which is not committed"),
                    );
                }
            }
        };
        if own.base() > before {
            match self.position(own.base()) {
                Some(base) => at = base + 1,
                None => {
                    // Memory has let it go already, or it came inside a snapshot: somebody's disk has it.
                    let missing = self.find_missing(before.max(self.last()), own.base(), processes);
                    at = self.order.len();
                    for (zxid, txn) in missing {
                        self.place(at, id, zxid, &txn, processes)?;
                        at += 1;
                    }
                    if self.last() != own.base() {
                        let why = format!("server {id} has committed a state at {}, which nobody holds", own.base());
                        return unlike(Rule::PrefixConsistency, why);
                    }
                }
            }
        }
        for entry in own.after(before).take_while(|e| e.zxid <= now) {
            self.place(at, id, entry.zxid, &entry.txn, processes)?;
            at += 1;
        }
        if self.order.get(at.wrapping_sub(1)).map(|p| p.zxid) != Some(now) {
            return unlike(
                Rule::PrefixConsistency,
                format!("server {id} has committed up to {now} with a gap before it"),
            );
        }
        Ok(())
    }

    /// The transactions above `after` up to `upto`, from a disk that has them in its log, else as they were proposed.
    fn find_missing(&self, after: Zxid, upto: Zxid, processes: &[Process]) -> Vec<(Zxid, Bytes)> {
        let wanted = |zxid: &Zxid| *zxid > after && *zxid <= upto;
        let holder = processes.iter().map(|p| &p.disk.media).find(|m| m.base() <= after && m.entry(upto).is_some());
        match holder {
            Some(media) => media.entries.iter().filter(|(z, _)| wanted(z)).cloned().collect(),
            None => self.proposed.iter().filter(|(z, _)| wanted(z)).map(|(z, t)| (*z, t.clone())).collect(),
        }
    }

    /// A server commits this transaction at this place.
    fn place(&mut self, at: usize, id: ServerId, zxid: Zxid, txn: &Bytes, processes: &[Process]) -> Result<(), Unlike> {
        if let Some(placed) = self.order.get(at) {
            return if placed.zxid != zxid {
                let why =
                    format!("server {id} commits {zxid} where server {} has committed {}", placed.by, placed.zxid);
                unlike(Rule::TotalOrder, why)
            } else if placed.txn != *txn {
                let why = format!("servers {} and {id} have committed different transactions at {zxid}", placed.by);
                unlike(Rule::Agreement, why)
            } else {
                Ok(())
            };
        }
        let last = self.last();
        if !zxid.follows(last) {
            let rule = if zxid <= last { Rule::Agreement } else { Rule::PrimaryOrder };
            return unlike(rule, format!("server {id} commits {zxid} behind {last}, which is committed"));
        }
        let (session, cxid) = match Txn::decode(txn.clone()) {
            Ok(decoded) => {
                self.follow_sessions(&decoded)?;
                (decoded.header.session, decoded.header.cxid)
            }
            Err(e) => return unlike(Rule::Integrity, format!("server {id} commits {zxid}, which can't be read: {e}")),
        };
        self.order.push(Placed { zxid, txn: txn.clone(), session, cxid, digest: None, by: id });
        match self.proposed.remove(&zxid) {
            Some(meant) if meant == *txn => {}
            Some(_) => {
                return unlike(Rule::Integrity, format!("server {id} commits {zxid} otherwise than it was proposed"));
            }
            None => {
                return unlike(Rule::Integrity, format!("server {id} commits {zxid}, which no leader has proposed"));
            }
        }
        // A change of members needs both the members that it finds and those that it makes.
        let before = self.members.last().map(|(_, members)| members.clone());
        if let Some(after) = change_in(txn) {
            self.members.push((zxid, after));
        }
        let after = self.members.last().map(|(_, members)| members.clone());
        for members in before.iter().chain(&after) {
            if let Err(few) = self.durable_among(members, zxid, processes) {
                let why = format!("server {id} commits {zxid}, which is durable on {few}");
                return unlike(Rule::QuorumBeforeCommit, why);
            }
        }
        Ok(())
    }

    /// Whether a committed transaction is still on the disks of a quorum.
    ///
    /// # Errors
    /// On how few it is.
    pub fn still_durable(&self, zxid: Zxid, processes: &[Process]) -> Result<(), String> {
        self.members.last().map_or(Ok(()), |(_, members)| self.durable_among(members, zxid, processes))
    }

    fn durable_among(&self, members: &Ensemble, zxid: Zxid, processes: &[Process]) -> Result<(), String> {
        let Some(at) = self.position(zxid) else { return Ok(()) };
        let txn = &self.order[at].txn;
        let holders: BTreeSet<ServerId> = processes
            .iter()
            .filter(|p| p.disk.has_held(zxid, txn))
            .map(|p| p.id)
            .filter(|id| members.is_voter(*id))
            .collect();
        if members.has_quorum(&holders) {
            return Ok(());
        }
        Err(format!("{} of {} voters' disks", holders.len(), members.voters().count()))
    }

    /// What a committed transaction means for sessions and their ephemerals.
    fn follow_sessions(&mut self, txn: &Txn) -> Result<(), Unlike> {
        let (session, cxid) = (txn.header.session, txn.header.cxid);
        match &txn.body {
            TxnBody::CreateSession { .. } => {
                self.sessions.insert(session);
                return Ok(());
            }
            // It keeps its place, but nothing came of it; a request that came late through a former server ends so.
            TxnBody::Error { .. } => return Ok(()),
            TxnBody::CloseSession { paths } => {
                self.sessions.remove(&session);
                self.asked.remove(&session);
                let owned: BTreeSet<&String> =
                    self.ephemerals.iter().filter(|(_, s)| **s == session).map(|(path, _)| path).collect();
                let named: BTreeSet<&String> = paths.iter().flatten().collect();
                if paths.is_some() && owned != named {
                    let why = format!("session {session} owns {owned:?}, its end takes {named:?}");
                    return unlike(Rule::EphemeralsFollowSessions, why);
                }
                self.ephemerals.retain(|_, s| *s != session);
                return Ok(());
            }
            body => self.follow_body(session, body),
        }
        if session == SessionId(0) {
            // The leader takes a container away: nobody's request.
            return Ok(());
        }
        match self.asked.insert(session, cxid) {
            Some(before) if before >= cxid => {
                let why =
                    format!("{}: request {cxid} of session {session} behind its request {before}", txn.header.zxid);
                unlike(Rule::SessionOrder, why)
            }
            _ => Ok(()),
        }
    }

    /// Whether an event of this path may have been kept from somebody who reads it later.
    pub fn is_guarded(&self, path: &str) -> bool {
        self.guarded.contains(path)
    }

    fn follow_body(&mut self, session: SessionId, body: &TxnBody) {
        match body {
            TxnBody::Create { path, acl, .. }
            | TxnBody::CreateContainer { path, acl, .. }
            | TxnBody::CreateTtl { path, acl, .. }
            | TxnBody::SetAcl { path, acl, .. }
                if *acl != Acl::open() =>
            {
                self.guarded.insert(path.clone());
            }
            _ => {}
        }
        match body {
            TxnBody::Create { path, ephemeral: true, .. } => {
                self.ephemerals.insert(path.clone(), session);
            }
            TxnBody::Delete { path, .. } => {
                self.ephemerals.remove(path);
            }
            TxnBody::Multi { txns } if txns.iter().all(|t| !matches!(t, TxnBody::Error { .. })) => {
                txns.iter().for_each(|t| self.follow_body(session, t));
            }
            _ => {}
        }
    }

    /// Whether the tree of a server that is at the end of the history has the ephemerals and sessions it must have.
    pub fn ephemerals_match(&self, at: Zxid, tree: &Tree) -> Result<(), String> {
        if at != self.last() {
            return Ok(());
        }
        let there: usize = tree.ephemerals().values().map(BTreeSet::len).sum();
        if there != self.ephemerals.len() {
            return Err(format!("there are {there} ephemerals, there should be {}", self.ephemerals.len()));
        }
        for (session, paths) in tree.ephemerals() {
            for path in paths {
                match self.ephemerals.get(&**path) {
                    Some(owner) if owner == session && self.sessions.contains(session) => {}
                    Some(owner) => return Err(format!("{path} belongs to session {session}, not {owner}")),
                    None => return Err(format!("{path} of session {session} should not exist")),
                }
            }
        }
        if tree.sessions().len() != self.sessions.len() {
            return Err(format!(
                "there are {} sessions, there should be {}",
                tree.sessions().len(),
                self.sessions.len()
            ));
        }
        Ok(())
    }
}
