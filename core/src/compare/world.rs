//! A world of small cores: links, clients, crashes and time, all from one seed.

use crate::collections::{BTreeMap, BTreeSet};
use crate::compare::check::Rules;
use crate::compare::core::{Answer, Core, Input, Msg, Out, Ticket, Timer, Write};
use crate::error::ZkError;
use crate::id::{ServerId, Zxid};
use crate::rng::Rng;
use crate::sim::command::ClientId;
use crate::sim::spec::{Protocol, StartMode};
use crate::sim::view::{Place, Talk};
use crate::sim::{Stepped, WorldSpec};
use crate::time::Instant;
use crate::trace::digest::Digest;
use crate::trace::{LossReason, TraceEvent, TraceRecord};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Serialize;

/// What a message carries.
#[derive(Clone, Debug, Serialize)]
pub(super) enum Body {
    Model(Msg),
    Request(Ticket, Write),
    Reply(Ticket, Answer),
}

/// A message under way.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Packet {
    pub from: Place,
    pub to: Place,
    pub body: Body,
    pub sent: Instant,
    pub due: Instant,
}

/// One server's process.
#[derive(Clone, Serialize)]
pub(super) struct Process {
    pub id: ServerId,
    pub up: bool,
    pub paused: bool,
    pub core: Core,
    pub timers: BTreeMap<Timer, Instant>,
    rng: Rng,
}

/// A link that is not as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Path {
    pub cut: bool,
    pub extra_ms: u32,
}

/// A client.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Actor {
    pub home: ServerId,
    pub ended: bool,
    pub waiting: Option<(Ticket, String)>,
    pub talk: Vec<Talk>,
}

/// Lines of talk that are kept of a client.
const TALK: usize = 40;

/// A simulated ensemble of one of the compared protocols. A clone is a checkpoint.
#[derive(Clone)]
pub struct World {
    pub(super) spec: WorldSpec,
    pub(super) now: Instant,
    pub(super) executed: u64,
    pub(super) processes: Vec<Process>,
    pub(super) starts: BTreeSet<(Instant, ServerId)>,
    pub(super) packets: BTreeMap<u64, Packet>,
    next_packet: u64,
    next_ticket: u64,
    /// When the last message on each way arrives: none overtakes another.
    lanes: BTreeMap<(Place, Place), Instant>,
    pub(super) paths: BTreeMap<(ServerId, ServerId), Path>,
    pub(super) clients: BTreeMap<ClientId, Actor>,
    rng: Rng,
    pub(super) rules: Rules,
    records: Vec<TraceRecord>,
}

/// Something that happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Next {
    Start(ServerId),
    Arrive(u64),
    Timer(ServerId, Timer),
}

impl World {
    /// A world at time 0; `None` for ZooKeeper's own protocol, whose world is [`crate::sim::World`].
    pub fn new(spec: WorldSpec) -> Option<World> {
        let ids: Vec<ServerId> = (1..=i64::from(spec.servers)).map(ServerId).collect();
        let root = Rng::new(spec.seed);
        let mut processes = Vec::new();
        let mut starts = BTreeSet::new();
        for id in &ids {
            let core = Core::new(spec.protocol, *id, &ids)?;
            let rng = root.fork(1000 + id.0.unsigned_abs());
            processes.push(Process { id: *id, up: false, paused: false, core, timers: BTreeMap::new(), rng });
            let gap = match spec.start {
                StartMode::All => Some(0),
                StartMode::None => None,
                StartMode::Staggered { gap_ms } => Some(u64::from(gap_ms) * (id.0.unsigned_abs() - 1)),
            };
            starts.extend(gap.map(|gap| (Instant::ZERO + Duration::from_millis(gap), *id)));
        }
        let voters = match spec.protocol {
            Protocol::Paxos { proposers, .. } => ids.len().saturating_sub(proposers.max(1) as usize).max(1),
            Protocol::PaperZab => ids.len(),
            _ => ids.len().saturating_sub(1),
        };
        Some(World {
            now: Instant::ZERO,
            executed: 0,
            processes,
            starts,
            packets: BTreeMap::new(),
            next_packet: 1,
            next_ticket: 1,
            lanes: BTreeMap::new(),
            paths: BTreeMap::new(),
            clients: BTreeMap::new(),
            rng: root.fork(2),
            rules: Rules::new(voters),
            records: Vec::new(),
            spec,
        })
    }

    /// What the world was made of.
    pub fn spec(&self) -> &WorldSpec {
        &self.spec
    }

    /// Simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Events executed so far.
    pub fn events(&self) -> u64 {
        self.executed
    }

    /// When the next event is due; `None` when nothing will ever happen without a command.
    pub fn next_event_time(&self) -> Option<Instant> {
        self.next().map(|(at, _)| at.max(self.now))
    }

    /// What happened since this was last called.
    pub fn trace(&mut self) -> Vec<TraceRecord> {
        core::mem::take(&mut self.records)
    }

    /// The rule that broke first, in words, and how.
    pub fn violated(&self) -> Option<(&'static str, &str)> {
        self.rules.first().map(|(rule, why)| (super::check::text(rule), why))
    }

    /// A hash of the complete state, equal for equal runs on every target.
    pub fn digest(&self) -> u64 {
        let mut d = Digest::new();
        d.value(&self.spec);
        d.word(self.now.0);
        d.word(self.executed);
        d.value(&self.processes);
        d.value(&self.starts);
        d.value(&self.packets);
        d.word(self.next_packet);
        d.word(self.next_ticket);
        d.value(&self.lanes.iter().collect::<Vec<_>>());
        d.value(&self.paths.iter().collect::<Vec<_>>());
        d.value(&self.clients.iter().collect::<Vec<_>>());
        d.value(&self.rng);
        d.value(&self.rules);
        d.finish()
    }

    /// Executes every event that is due up to `at` and sets the time to `at`.
    pub fn run_until(&mut self, at: Instant) {
        while self.step_within(Some(at)).is_some() {}
        self.now = self.now.max(at);
    }

    /// Executes the next event if it is due at `limit` or before.
    pub fn step_within(&mut self, limit: Option<Instant>) -> Option<Stepped> {
        let (at, next) = self.next()?;
        if limit.is_some_and(|limit| at > limit) {
            return None;
        }
        self.now = self.now.max(at);
        self.executed += 1;
        Some(self.execute(next))
    }

    /// What happens next. What a frozen server would do or hear waits.
    pub(super) fn next(&self) -> Option<(Instant, Next)> {
        self.coming().min()
    }

    /// Everything that will happen, in no order.
    pub(super) fn coming(&self) -> impl Iterator<Item = (Instant, Next)> + '_ {
        let starts = self.starts.iter().map(|(at, id)| (*at, Next::Start(*id)));
        let packets = self.packets.iter().filter(|(_, p)| !self.is_frozen(p.to));
        let packets = packets.map(|(id, p)| (p.due, Next::Arrive(*id)));
        let timers = self.processes.iter().filter(|p| p.up && !p.paused);
        let timers = timers.flat_map(|p| p.timers.iter().map(|(t, at)| (*at, Next::Timer(p.id, *t))));
        starts.chain(packets).chain(timers)
    }

    fn is_frozen(&self, place: Place) -> bool {
        matches!(place, Place::Server(id) if self.processes.iter().any(|p| p.id == id && p.paused))
    }

    pub(super) fn is_cut(&self, from: Place, to: Place) -> bool {
        let (Place::Server(a), Place::Server(b)) = (from, to) else { return false };
        self.paths.get(&(a, b)).is_some_and(|p| p.cut)
    }

    fn execute(&mut self, next: Next) -> Stepped {
        match next {
            Next::Start(id) => {
                self.starts.retain(|(_, s)| *s != id);
                self.start(id);
                self.stepped(Place::Server(id), false)
            }
            Next::Timer(id, timer) => {
                if let Some(p) = self.process(id) {
                    p.timers.remove(&timer);
                }
                self.drive(id, Input::Timer(timer));
                self.stepped(Place::Server(id), timer.is_quiet())
            }
            Next::Arrive(number) => match self.packets.remove(&number) {
                Some(packet) => self.arrive(number, packet),
                None => self.stepped(Place::Server(ServerId(0)), true),
            },
        }
    }

    fn stepped(&self, place: Place, quiet: bool) -> Stepped {
        Stepped { at: self.now, place, quiet }
    }

    fn arrive(&mut self, id: u64, packet: Packet) -> Stepped {
        let Packet { from, to, body, .. } = packet;
        let (kind, label, heartbeat) = describe(&body);
        let down = matches!(to, Place::Server(s) if !self.processes.iter().any(|p| p.id == s && p.up));
        if down || self.is_cut(from, to) {
            let why = if down { LossReason::ReceiverDown } else { LossReason::ConnectionClosed };
            self.record(|| TraceEvent::Lost { id, from, to, kind, why });
            if let Body::Request(ticket, _) = body {
                self.told(ticket, lost_answer());
            }
            return self.stepped(to, heartbeat);
        }
        self.record(|| TraceEvent::Delivered { id, from, to, kind, label });
        match (from, to, body) {
            (Place::Server(from), Place::Server(to), Body::Model(msg)) => self.drive(to, Input::Message(from, msg)),
            (_, Place::Server(to), Body::Request(ticket, write)) => self.drive(to, Input::Ask(ticket, write)),
            (_, _, Body::Reply(ticket, answer)) => self.told(ticket, answer),
            // No server sends another one's messages to a client.
            (_, _, Body::Model(_) | Body::Request(..)) => {}
        }
        self.stepped(to, heartbeat)
    }

    pub(super) fn process(&mut self, id: ServerId) -> Option<&mut Process> {
        self.processes.iter_mut().find(|p| p.id == id)
    }

    pub(super) fn start(&mut self, id: ServerId) {
        let Some(process) = self.process(id).filter(|p| !p.up) else { return };
        process.up = true;
        process.paused = false;
        self.record(|| TraceEvent::Started { server: id });
        self.drive(id, Input::Start);
    }

    /// One step of a core, and everything that follows from it.
    fn drive(&mut self, id: ServerId, input: Input) {
        let (now, sync) = (self.now, self.spec.disk_sync);
        let Some(process) = self.process(id).filter(|p| p.up) else { return };
        let mut out = Out::new(id, &mut process.rng);
        process.core.step(input, &mut out);
        let Out { timers, stopped, written, sent, answers, notes, .. } = out;
        for timer in stopped {
            process.timers.remove(&timer);
        }
        process.timers.extend(timers.into_iter().map(|(timer, after)| (timer, now + after)));
        let leave = if written { now + sync.draw(&mut process.rng) } else { now };
        let testimony = process.core.testimony();
        for note in notes {
            self.record(|| TraceEvent::Model { server: id, what: note });
        }
        for (to, msg) in sent {
            self.post(Place::Server(id), Place::Server(to), Body::Model(msg), leave);
        }
        for (ticket, answer) in answers {
            let asker = self.clients.iter().find(|(_, a)| a.waiting.as_ref().is_some_and(|(t, _)| *t == ticket));
            if let Some(client) = asker.map(|(id, _)| *id) {
                self.post(Place::Server(id), Place::Client(client), Body::Reply(ticket, answer), leave);
            }
        }
        self.rules.look(id, &testimony);
        for (rule, detail) in self.rules.take_news() {
            self.record(|| TraceEvent::ModelViolation { rule: rule.into(), detail });
        }
    }

    /// Puts a message on its way.
    fn post(&mut self, from: Place, to: Place, body: Body, sent: Instant) {
        let between_servers = matches!((from, to), (Place::Server(_), Place::Server(_)));
        let span = if between_servers { self.spec.latency } else { self.spec.client_latency };
        let extra = match (from, to) {
            (Place::Server(a), Place::Server(b)) => self.paths.get(&(a, b)).map_or(0, |p| p.extra_ms),
            _ => 0,
        };
        let due = sent + span.draw(&mut self.rng) + Duration::from_millis(extra.into());
        let lane = self.lanes.entry((from, to)).or_insert(due);
        let due = due.max(*lane);
        *lane = due;
        let id = self.next_packet;
        self.next_packet += 1;
        let (kind, label, _) = describe(&body);
        self.record(|| TraceEvent::Sent { id, from, to, kind, label });
        self.packets.insert(id, Packet { from, to, body, sent, due });
    }

    /// A client's request leaves.
    pub(super) fn ask(&mut self, client: ClientId, line: String, write: Write) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.rules.asked(&write);
        let Some(actor) = self.clients.get_mut(&client) else { return };
        let server = actor.home;
        actor.waiting = Some((ticket, line.clone()));
        actor.talk.push(Talk { line: line.clone(), answer: None, failed: false, event: false });
        let old = actor.talk.len().saturating_sub(TALK);
        actor.talk.drain(..old);
        self.record(|| TraceEvent::Asked { client, server: Some(server), line });
        self.post(Place::Client(client), Place::Server(server), Body::Request(ticket, write), self.now);
    }

    /// A client hears its answer.
    fn told(&mut self, ticket: Ticket, answer: Answer) {
        for (client, actor) in &mut self.clients {
            let Some((_, line)) = actor.waiting.take_if(|(t, _)| *t == ticket) else { continue };
            if let Some(talk) = actor.talk.iter_mut().rev().find(|t| t.answer.is_none()) {
                talk.answer = Some(answer.text.clone());
                talk.failed = answer.failed;
            }
            let error = (answer == lost_answer()).then_some(ZkError::ConnectionLoss);
            let (client, zxid) = (*client, answer.id.filter(|z| *z != Zxid::ZERO));
            let event = TraceEvent::Answered { client, line, answer: answer.text, error, zxid };
            return self.record(|| event);
        }
    }

    /// Loses every message that `lost` names.
    pub(super) fn lose(&mut self, why: LossReason, lost: impl Fn(&Packet) -> bool) {
        let gone: Vec<u64> = self.packets.iter().filter(|(_, p)| lost(p)).map(|(id, _)| *id).collect();
        for id in gone {
            self.lose_packet(id, why);
        }
    }

    /// Loses one message.
    pub(super) fn lose_one(&mut self, id: u64) {
        self.lose_packet(id, LossReason::ConnectionClosed);
    }

    fn lose_packet(&mut self, id: u64, why: LossReason) {
        let Some(packet) = self.packets.remove(&id) else { return };
        let (kind, _, _) = describe(&packet.body);
        self.record(|| TraceEvent::Lost { id, from: packet.from, to: packet.to, kind, why });
        if let Body::Request(ticket, _) = packet.body {
            self.told(ticket, lost_answer());
        }
    }

    /// The clients of a server that died do not get what they wait for.
    pub(super) fn hang_up(&mut self, server: ServerId) {
        let of = |a: &Actor| (a.home == server).then(|| a.waiting.as_ref().map(|(t, _)| *t)).flatten();
        let waiting: Vec<Ticket> = self.clients.values().filter_map(of).collect();
        for ticket in waiting {
            self.told(ticket, lost_answer());
        }
    }

    pub(super) fn record(&mut self, event: impl FnOnce() -> TraceEvent) {
        if self.spec.trace {
            self.records.push(TraceRecord { at: self.now, event_number: self.executed, event: event() });
        }
    }
}

fn lost_answer() -> Answer {
    Answer { text: ZkError::ConnectionLoss.text().into(), failed: true, id: None }
}

/// Kind, label, and whether it is a heartbeat.
fn describe(body: &Body) -> (String, String, bool) {
    match body {
        Body::Model(msg) => {
            let letter = msg.letter();
            (letter.kind.into(), letter.label, letter.heartbeat)
        }
        Body::Request(_, write) => ("write".into(), alloc::format!("{write}"), false),
        Body::Reply(_, answer) => ("answer".into(), answer.text.clone(), false),
    }
}
