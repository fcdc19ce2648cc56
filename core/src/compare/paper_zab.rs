//! Zab as its paper describes it. An oracle names a prospective leader: here the smallest id that is heard, whatever its
//! history. Discovery brings that leader the best history of a quorum; synchronisation makes it everybody's; broadcast
//! extends it. (ZooKeeper's election picks a server that has the best history already, so its discovery agrees on the
//! epoch only.)
//!
//! Names as in the paper: CEPOCH, NEWEPOCH, ACK-E, NEWLEADER, ACK-LD, COMMIT-LD.

use crate::collections::{BTreeMap, BTreeSet};
use crate::compare::core::{Letter, Msg as AnyMsg, Out, Picture, Testimony, Ticket, Timer, Write};
use crate::compare::note::{Fact, Role, Stage, Turn};
use crate::id::{Epoch, ServerId, Zxid};
use crate::note::PhaseName;
use crate::sim::view::{LogCell, Shown};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// Between two heartbeats, milliseconds.
const TICK: u64 = 250;
/// Ticks of silence after which somebody counts as gone.
const SILENCE: u32 = 4;
/// How long the oracle listens before it names somebody.
const LISTEN: u64 = 700;
/// The patience with discovery and synchronisation.
const PHASE: u64 = 2000;

/// A transaction in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Txn {
    zxid: Zxid,
    write: Write,
    origin: ServerId,
    ticket: Ticket,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Msg {
    /// The sender lives, and this is the established leader it knows of.
    Alive(Option<ServerId>),
    CEpoch(Epoch),
    NewEpoch(Epoch),
    /// The epoch; whether the promise is new, so that it counts; the sender's current epoch; its history.
    AckEpoch(Epoch, bool, Epoch, Vec<Txn>),
    NewLeader(Epoch, Vec<Txn>),
    AckLeader(Epoch, Zxid),
    CommitLeader(Epoch, Zxid),
    Propose(Txn),
    Ack(Zxid),
    Commit(Zxid),
    Forward(Ticket, Write),
}

fn last(history: &[Txn]) -> Zxid {
    history.last().map_or(Zxid::ZERO, |t| t.zxid)
}

impl Msg {
    pub fn letter(&self) -> Letter {
        let (kind, label, epoch, reply) = match self {
            Msg::Alive(_) => ("ALIVE", String::new(), None, false),
            Msg::CEpoch(e) => ("CEPOCH", e.to_string(), Some(*e), false),
            Msg::NewEpoch(e) => ("NEWEPOCH", e.to_string(), Some(*e), false),
            Msg::AckEpoch(e, _, _, h) => ("ACK-E", format!("{e} [… {}]", last(h)), Some(*e), true),
            Msg::NewLeader(e, h) => ("NEWLEADER", format!("{e} [… {}]", last(h)), Some(*e), false),
            Msg::AckLeader(e, _) => ("ACK-LD", e.to_string(), Some(*e), true),
            Msg::CommitLeader(e, z) => ("COMMIT-LD", z.to_string(), Some(*e), false),
            Msg::Propose(t) => ("PROPOSE", format!("{} {}", t.zxid, t.write), Some(t.zxid.epoch()), false),
            Msg::Ack(z) => ("ACK", z.to_string(), Some(z.epoch()), true),
            Msg::Commit(z) => ("COMMIT", z.to_string(), Some(z.epoch()), false),
            Msg::Forward(_, w) => ("REQUEST", w.to_string(), None, false),
        };
        Letter { epoch, heartbeat: matches!(self, Msg::Alive(_)), ..Letter::new(kind, label, reply) }
    }
}

/// What survives a crash.
#[derive(Clone, Debug, Default, Serialize)]
struct Disk {
    /// The last epoch promised (the paper's `f.p`).
    promised: Epoch,
    /// The epoch of the last NEWLEADER accepted (`f.a`).
    current: Epoch,
    history: Vec<Txn>,
}

/// A leader's, or a prospective leader's, memory.
#[derive(Clone, Debug, Default, Serialize)]
struct Reign {
    epoch: Option<Epoch>,
    followers: BTreeMap<ServerId, Epoch>,
    histories: BTreeMap<ServerId, (Epoch, Vec<Txn>)>,
    /// The history is fixed.
    fixed: bool,
    /// Who gets proposals.
    members: BTreeSet<ServerId>,
    /// Up to where each has acknowledged.
    acked: BTreeMap<ServerId, Zxid>,
    established: bool,
    counter: u32,
}

#[derive(Clone, Debug, Serialize)]
enum Part {
    Looking,
    Leading(Reign),
    Following { leader: ServerId, phase: PhaseName },
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PaperZab {
    id: ServerId,
    all: Vec<ServerId>,
    disk: Disk,
    part: Part,
    /// Ticks since each other server was heard.
    silent: BTreeMap<ServerId, u32>,
    /// The established leader that others speak of.
    rumour: BTreeMap<ServerId, ServerId>,
    /// Followers that came before this server knew that it leads.
    knocking: BTreeMap<ServerId, Epoch>,
    /// So much of the history is delivered.
    delivered: usize,
    /// Requests of own clients: not sent yet, and not answered yet.
    pending: Vec<(Ticket, Write)>,
    mine: BTreeSet<Ticket>,
}

impl PaperZab {
    pub fn new(id: ServerId, all: &[ServerId]) -> PaperZab {
        PaperZab {
            id,
            all: all.to_vec(),
            disk: Disk::default(),
            part: Part::Looking,
            silent: BTreeMap::new(),
            rumour: BTreeMap::new(),
            knocking: BTreeMap::new(),
            delivered: 0,
            pending: Vec::new(),
            mine: BTreeSet::new(),
        }
    }

    pub fn crash(&mut self) {
        let disk = core::mem::take(&mut self.disk);
        *self = PaperZab { disk, ..PaperZab::new(self.id, &self.all) };
    }

    pub fn start(&mut self, out: &mut Out<'_>) {
        self.look(out);
        self.beat(out);
    }

    fn quorum(&self) -> usize {
        self.all.len() / 2 + 1
    }

    fn look(&mut self, out: &mut Out<'_>) {
        self.part = Part::Looking;
        out.timer(Timer::Phase, LISTEN);
    }

    fn give_up(&mut self, out: &mut Out<'_>) {
        out.note(Turn::GivesUp, "", "", &[]);
        for ticket in core::mem::take(&mut self.mine) {
            out.answer(ticket, "the leader was lost before an answer came".into(), true, None);
        }
        self.look(out);
    }

    fn beat(&mut self, out: &mut Out<'_>) {
        let leader = match &self.part {
            Part::Leading(reign) if reign.established => Some(self.id),
            Part::Following { leader, phase: PhaseName::Broadcast } => Some(*leader),
            _ => None,
        };
        for to in self.all.iter().filter(|s| **s != self.id) {
            out.send(*to, AnyMsg::Zab(Msg::Alive(leader)));
        }
        out.timer(Timer::Tick, TICK);
    }

    /// Who is heard, this server included.
    fn heard(&self) -> Vec<ServerId> {
        let near = |s: &ServerId| *s == self.id || self.silent.get(s).is_some_and(|t| *t < SILENCE);
        self.all.iter().copied().filter(near).collect()
    }

    pub fn timer(&mut self, timer: Timer, out: &mut Out<'_>) {
        match timer {
            Timer::Tick => {
                for ticks in self.silent.values_mut() {
                    *ticks += 1;
                }
                let heard = self.heard();
                self.rumour.retain(|who, _| heard.contains(who));
                let lost = match &self.part {
                    Part::Looking => false,
                    Part::Following { leader, .. } => !heard.contains(leader),
                    Part::Leading(r) if r.established => {
                        heard.iter().filter(|s| r.members.contains(s) || **s == self.id).count() < self.quorum()
                    }
                    Part::Leading(_) => heard.len() < self.quorum(),
                };
                if lost {
                    self.give_up(out);
                }
                self.beat(out);
            }
            Timer::Phase => match &self.part {
                Part::Looking => self.consult(out),
                Part::Leading(r) if r.established => {}
                Part::Following { phase: PhaseName::Broadcast, .. } => {}
                _ => self.give_up(out),
            },
            _ => {}
        }
    }

    /// The oracle: a leader in office if one is spoken of, else the smallest id that is heard.
    fn consult(&mut self, out: &mut Out<'_>) {
        let heard = self.heard();
        if heard.len() < self.quorum() {
            return self.look(out);
        }
        let office = self.rumour.values().copied().find(|leader| heard.contains(leader));
        let Some(leader) = office.or(heard.first().copied()) else { return };
        out.timer(Timer::Phase, PHASE);
        if leader != self.id {
            out.note(Turn::FollowsProspect, "", "", &[leader]);
            self.part = Part::Following { leader, phase: PhaseName::Discovery };
            return out.send(leader, AnyMsg::Zab(Msg::CEpoch(self.disk.promised)));
        }
        out.note(Turn::Prospect, last(&self.disk.history), "", &heard);
        let followers = BTreeMap::from([(self.id, self.disk.promised)]);
        self.part = Part::Leading(Reign { followers, ..Reign::default() });
        for (from, promised) in core::mem::take(&mut self.knocking) {
            self.follower_came(from, promised, out);
        }
    }

    pub fn message(&mut self, from: ServerId, msg: Msg, out: &mut Out<'_>) {
        self.silent.insert(from, 0);
        let follows = matches!(&self.part, Part::Following { leader, .. } if *leader == from);
        let synchronised = follows && !matches!(&self.part, Part::Following { phase: PhaseName::Discovery, .. });
        match msg {
            Msg::Alive(Some(leader)) => {
                self.rumour.insert(from, leader);
            }
            Msg::Alive(None) => {
                self.rumour.remove(&from);
                // It has crashed and come back: it leads no longer.
                if matches!(&self.part, Part::Following { leader, phase: PhaseName::Broadcast } if *leader == from) {
                    self.give_up(out);
                }
            }
            Msg::CEpoch(promised) => match &self.part {
                Part::Leading(_) => self.follower_came(from, promised, out),
                Part::Looking => {
                    self.knocking.insert(from, promised);
                }
                Part::Following { .. } => {}
            },
            Msg::NewEpoch(epoch) if follows && epoch >= self.disk.promised => {
                let new = epoch > self.disk.promised;
                self.disk.promised = epoch;
                out.written |= new;
                out.note(Turn::AcksEpoch, epoch, last(&self.disk.history), &[from]);
                let history = self.disk.history.clone();
                out.send(from, AnyMsg::Zab(Msg::AckEpoch(epoch, new, self.disk.current, history)));
            }
            Msg::AckEpoch(epoch, new, current, history) => self.history_came(from, epoch, new, current, history, out),
            Msg::NewLeader(epoch, history) if follows && epoch == self.disk.promised => {
                if self.disk.history != history {
                    out.note(Turn::AcceptsHistory, epoch, last(&history), &[from]);
                }
                self.disk.current = epoch;
                self.disk.history = history;
                out.written = true;
                self.part = Part::Following { leader: from, phase: PhaseName::Synchronization };
                out.send(from, AnyMsg::Zab(Msg::AckLeader(epoch, last(&self.disk.history))));
            }
            Msg::AckLeader(epoch, upto) => self.leader_acked(from, epoch, upto, out),
            Msg::CommitLeader(epoch, upto) if synchronised && epoch == self.disk.current => {
                self.part = Part::Following { leader: from, phase: PhaseName::Broadcast };
                self.deliver(upto, out);
                self.submit(out);
            }
            Msg::Propose(txn) if synchronised && txn.zxid.epoch() == self.disk.current => {
                let (zxid, end) = (txn.zxid, last(&self.disk.history));
                if zxid.follows(end) {
                    self.disk.history.push(txn);
                    out.written = true;
                    out.send(from, AnyMsg::Zab(Msg::Ack(zxid)));
                } else if zxid > end {
                    // A cut link has swallowed one: join again.
                    self.give_up(out);
                }
            }
            Msg::Ack(zxid) => self.acked(from, zxid, out),
            Msg::Commit(zxid) if synchronised && zxid.epoch() == self.disk.current => self.deliver(zxid, out),
            Msg::Forward(ticket, write) => self.propose(from, ticket, write, out),
            // From somebody this server does not follow (any more).
            Msg::NewEpoch(_) | Msg::NewLeader(..) | Msg::CommitLeader(..) | Msg::Propose(_) | Msg::Commit(_) => {}
        }
    }

    /// CEPOCH: with a quorum the new epoch is one more than any of them has promised.
    fn follower_came(&mut self, from: ServerId, promised: Epoch, out: &mut Out<'_>) {
        let quorum = self.quorum();
        let Part::Leading(reign) = &mut self.part else { return };
        reign.followers.insert(from, promised);
        reign.members.remove(&from);
        if let Some(epoch) = reign.epoch {
            return out.send(from, AnyMsg::Zab(Msg::NewEpoch(epoch)));
        }
        if reign.followers.len() < quorum {
            return;
        }
        let epoch = reign.followers.values().copied().max().unwrap_or_default().next();
        reign.epoch = Some(epoch);
        self.disk.promised = epoch;
        out.written = true;
        reign.histories.insert(self.id, (self.disk.current, self.disk.history.clone()));
        let by: Vec<ServerId> = reign.followers.keys().copied().collect();
        out.note(Turn::NewEpoch, epoch, "", &by);
        for to in by.into_iter().filter(|s| *s != self.id) {
            out.send(to, AnyMsg::Zab(Msg::NewEpoch(epoch)));
        }
    }

    /// ACK-E: of a quorum's histories the best becomes the initial one: the latest epoch, then the longest.
    fn history_came(
        &mut self,
        from: ServerId,
        epoch: Epoch,
        new: bool,
        current: Epoch,
        h: Vec<Txn>,
        out: &mut Out<'_>,
    ) {
        let quorum = self.quorum();
        let Part::Leading(reign) = &mut self.part else { return };
        if reign.epoch != Some(epoch) {
            return;
        }
        if reign.fixed {
            reign.members.insert(from);
            return out.send(from, AnyMsg::Zab(Msg::NewLeader(epoch, self.disk.history.clone())));
        }
        // A promise given before may have been given to another leader of this epoch: it does not count.
        if !new {
            return;
        }
        reign.histories.insert(from, (current, h));
        if reign.histories.len() < quorum {
            return;
        }
        let best = reign.histories.iter().max_by_key(|(id, (current, h))| (*current, last(h), **id == self.id));
        let Some((best, history)) = best.map(|(id, (_, h))| (*id, h.clone())) else { return };
        let turn = if best == self.id { Turn::KeepsHistory } else { Turn::TakesHistory };
        out.note(turn, epoch, last(&history), &[best]);
        reign.fixed = true;
        reign.acked.insert(self.id, last(&history));
        reign.members = reign.histories.keys().copied().filter(|s| *s != self.id).collect();
        reign.histories.clear();
        self.disk.history = history;
        self.disk.current = epoch;
        out.written = true;
        for to in &reign.members {
            out.send(*to, AnyMsg::Zab(Msg::NewLeader(epoch, self.disk.history.clone())));
        }
        out.timer(Timer::Phase, PHASE);
    }

    /// ACK-LD: with a quorum the leader is established and the initial history is committed.
    fn leader_acked(&mut self, from: ServerId, epoch: Epoch, upto: Zxid, out: &mut Out<'_>) {
        let quorum = self.quorum();
        let Part::Leading(reign) = &mut self.part else { return };
        if reign.epoch != Some(epoch) || !reign.fixed {
            return;
        }
        reign.acked.insert(from, upto);
        if reign.established {
            let committed = self.disk.history.get(..self.delivered).map_or(Zxid::ZERO, last);
            out.send(from, AnyMsg::Zab(Msg::CommitLeader(epoch, committed)));
            return self.commit(out);
        }
        if reign.acked.len() < quorum {
            return;
        }
        reign.established = true;
        let by: Vec<ServerId> = reign.acked.keys().copied().collect();
        let upto = last(&self.disk.history);
        out.note(Turn::Established, epoch, upto, &by);
        for to in by.into_iter().filter(|s| *s != self.id) {
            out.send(to, AnyMsg::Zab(Msg::CommitLeader(epoch, upto)));
        }
        self.deliver(upto, out);
        self.submit(out);
    }

    pub fn ask(&mut self, ticket: Ticket, write: Write, out: &mut Out<'_>) {
        self.pending.push((ticket, write));
        self.submit(out);
    }

    /// Sends on what own clients want, once there is a leader.
    fn submit(&mut self, out: &mut Out<'_>) {
        let leader = match &self.part {
            Part::Leading(reign) if reign.established => self.id,
            Part::Following { leader, phase: PhaseName::Broadcast } => *leader,
            _ => return,
        };
        for (ticket, write) in core::mem::take(&mut self.pending) {
            self.mine.insert(ticket);
            out.send(leader, AnyMsg::Zab(Msg::Forward(ticket, write)));
        }
    }

    fn propose(&mut self, origin: ServerId, ticket: Ticket, write: Write, out: &mut Out<'_>) {
        let Part::Leading(reign) = &mut self.part else { return };
        let Some(epoch) = reign.epoch.filter(|_| reign.established) else { return };
        reign.counter += 1;
        let txn = Txn { zxid: Zxid::new(epoch, reign.counter), write, origin, ticket };
        out.note(Turn::ProposesTxn, txn.zxid, &txn.write, &[]);
        for to in &reign.members {
            out.send(*to, AnyMsg::Zab(Msg::Propose(txn.clone())));
        }
        reign.acked.insert(self.id, txn.zxid);
        self.disk.history.push(txn);
        out.written = true;
    }

    fn acked(&mut self, from: ServerId, zxid: Zxid, out: &mut Out<'_>) {
        if let Part::Leading(reign) = &mut self.part {
            let upto = reign.acked.entry(from).or_insert(zxid);
            *upto = (*upto).max(zxid);
            self.commit(out);
        }
    }

    /// Commits what a quorum has, in order.
    fn commit(&mut self, out: &mut Out<'_>) {
        let quorum = self.quorum();
        let Part::Leading(reign) = &self.part else { return };
        let has = |z: Zxid| reign.acked.values().filter(|upto| **upto >= z).count() >= quorum;
        let open = self.disk.history.get(self.delivered..).unwrap_or_default();
        let ready: Vec<Zxid> = open.iter().map(|t| t.zxid).take_while(|z| has(*z)).collect();
        let members: Vec<ServerId> = reign.members.iter().copied().collect();
        for zxid in ready {
            for to in &members {
                out.send(*to, AnyMsg::Zab(Msg::Commit(zxid)));
            }
            self.deliver(zxid, out);
        }
    }

    fn deliver(&mut self, upto: Zxid, out: &mut Out<'_>) {
        while let Some(txn) = self.disk.history.get(self.delivered).filter(|t| t.zxid <= upto) {
            self.delivered += 1;
            out.note(Turn::Delivers, txn.zxid, &txn.write, &[]);
            if txn.origin == self.id && self.mine.remove(&txn.ticket) {
                out.answer(txn.ticket, format!("committed {}", txn.zxid), false, Some(txn.zxid));
            }
        }
    }

    fn committed(&self) -> &[Txn] {
        self.disk.history.get(..self.delivered).unwrap_or_default()
    }

    pub fn testimony(&self) -> Testimony {
        Testimony::Zab {
            promised: self.disk.promised,
            delivered: self.committed().iter().map(|t| (t.zxid, t.write.clone())).collect(),
        }
    }

    pub fn picture(&self) -> Picture {
        let (shown, role, phase, leader, serving) = match &self.part {
            Part::Looking => (Shown::Looking, Role::Looking, PhaseName::Election, None, false),
            Part::Leading(r) if r.established => {
                (Shown::Leading, Role::Leader, PhaseName::Broadcast, Some(self.id), true)
            }
            Part::Leading(r) => {
                let phase = if r.fixed { PhaseName::Synchronization } else { PhaseName::Discovery };
                (Shown::Leading, Role::Prospective, phase, Some(self.id), false)
            }
            Part::Following { leader, phase } => {
                (Shown::Following, Role::Follower, *phase, Some(*leader), *phase == PhaseName::Broadcast)
            }
        };
        let stage = match phase {
            PhaseName::Election => Stage::Electing,
            PhaseName::Discovery => Stage::Discovery,
            PhaseName::Synchronization => Stage::Synchronising,
            PhaseName::Broadcast => Stage::Broadcast,
        };
        let epoch = match &self.part {
            Part::Leading(r) => r.epoch.unwrap_or(self.disk.current),
            _ => self.disk.current,
        };
        let log: Vec<LogCell> = self
            .disk
            .history
            .iter()
            .enumerate()
            .map(|(i, t)| LogCell {
                zxid: t.zxid,
                label: t.write.to_string(),
                synced: true,
                acked: true,
                committed: i < self.delivered,
            })
            .collect();
        let mut outstanding = Vec::new();
        if let Part::Leading(r) = &self.part {
            for t in self.disk.history.get(self.delivered..).unwrap_or_default().iter().filter(|_| r.established) {
                let by = r.acked.iter().filter(|(_, upto)| **upto >= t.zxid).map(|(s, _)| *s).collect();
                outstanding.push((t.zxid, by));
            }
        }
        let mut rows: BTreeMap<String, (String, Zxid)> = BTreeMap::new();
        for t in self.committed() {
            rows.insert(t.write.path.clone(), (t.write.data.clone(), t.zxid));
        }
        let facts = [(Fact::PromisedEpoch, self.disk.promised), (Fact::CurrentEpoch, self.disk.current)];
        Picture {
            shown,
            role,
            stage,
            about: String::new(),
            facts: facts.into_iter().map(|(fact, e)| (fact, e.to_string())).collect(),
            badge: None,
            beside: None,
            crown: shown == Shown::Leading,
            phase: Some(phase),
            epoch,
            promised: self.disk.promised,
            leader,
            serving,
            log,
            void: Vec::new(),
            outstanding,
            quorum: self.quorum(),
            rows: rows.into_iter().map(|(path, (data, z))| (path, data, z)).collect(),
        }
    }
}
