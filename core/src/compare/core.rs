//! What all compared protocols have in common: what a core is told, what it answers, what can be seen of it.

use crate::collections::BTreeMap;
use crate::compare::note::{Fact, ModelNote, Role, Stage, Turn};
use crate::compare::{paper_zab, paxos, three_phase, two_phase};
use crate::id::{Epoch, ServerId, Zxid};
use crate::note::PhaseName;
use crate::rng::Rng;
use crate::sim::spec::Protocol;
use crate::sim::view::{LogCell, Shown};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use serde::Serialize;

/// What a client wants written: a row and its value (for Paxos only the value counts).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Write {
    pub path: String,
    pub data: String,
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.data)
    }
}

/// One request of a client; never reused in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Ticket(pub u64);

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Answer {
    pub text: String,
    pub failed: bool,
    pub id: Option<Zxid>,
}

/// What a timer is for, and of which transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Timer {
    /// The coordinator's patience with votes.
    Votes(Zxid),
    /// The coordinator's patience with acknowledgements of PRE-COMMIT.
    Acks(Zxid),
    /// A participant's patience with the decision.
    Decision(Zxid),
    /// A participant's patience with a locked row.
    Lock(Zxid),
    /// The end of a question to all participants.
    Collect(Zxid),
    /// A proposer tries again.
    Retry,
    /// A proposer's patience with a majority.
    Majority,
    /// Heartbeats and silence.
    Tick,
    /// The end of a look around for a leader, or of a phase.
    Phase,
}

impl Timer {
    /// For people.
    pub fn text(self) -> String {
        match self {
            Timer::Votes(id) => format!("loses patience with the votes of {id}"),
            Timer::Acks(id) => format!("loses patience with the acknowledgements of {id}"),
            Timer::Decision(id) => format!("loses patience with the decision of {id}"),
            Timer::Lock(id) => format!("loses patience with the lock that {id} needs"),
            Timer::Collect(id) => format!("has waited long enough for answers about {id}"),
            Timer::Retry => "tries again".into(),
            Timer::Majority => "loses patience with the acceptors".into(),
            Timer::Tick => "sends heartbeats and looks who is silent".into(),
            Timer::Phase => "ends its wait".into(),
        }
    }

    /// Nobody needs to see it.
    pub fn is_quiet(self) -> bool {
        self == Timer::Tick
    }
}

/// A message between servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Msg {
    Two(two_phase::Msg),
    Three(three_phase::Msg),
    Paxos(paxos::Msg),
    Zab(paper_zab::Msg),
}

/// How a message looks.
pub(super) struct Letter {
    pub kind: &'static str,
    pub label: String,
    pub epoch: Option<Epoch>,
    pub reply: bool,
    pub heartbeat: bool,
}

impl Letter {
    pub fn new(kind: &'static str, label: String, reply: bool) -> Letter {
        Letter { kind, label, epoch: None, reply, heartbeat: false }
    }
}

impl Msg {
    pub fn letter(&self) -> Letter {
        match self {
            Msg::Two(m) => m.letter(),
            Msg::Three(m) => m.letter(),
            Msg::Paxos(m) => m.letter(),
            Msg::Zab(m) => m.letter(),
        }
    }
}

/// What happened to a core.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Its process starts, from its disk.
    Start,
    /// A message arrives.
    Message(ServerId, Msg),
    /// A timer runs out.
    Timer(Timer),
    /// A client asks.
    Ask(Ticket, Write),
}

/// What a core wants done.
pub(super) struct Out<'a> {
    pub me: ServerId,
    pub rng: &'a mut Rng,
    pub timers: BTreeMap<Timer, Duration>,
    pub stopped: Vec<Timer>,
    /// The disk is written: what is sent in this step leaves when that is done.
    pub written: bool,
    pub sent: Vec<(ServerId, Msg)>,
    /// To itself: handled before the step ends.
    pub own: Vec<Msg>,
    pub answers: Vec<(Ticket, Answer)>,
    pub notes: Vec<ModelNote>,
}

impl<'a> Out<'a> {
    pub fn new(me: ServerId, rng: &'a mut Rng) -> Out<'a> {
        let (timers, stopped, written, sent, own, answers, notes) = Default::default();
        Out { me, rng, timers, stopped, written, sent, own, answers, notes }
    }

    pub fn send(&mut self, to: ServerId, msg: Msg) {
        if to == self.me { self.own.push(msg) } else { self.sent.push((to, msg)) }
    }

    /// (Re)starts a timer.
    pub fn timer(&mut self, timer: Timer, millis: u64) {
        self.stopped.retain(|t| *t != timer);
        self.timers.insert(timer, Duration::from_millis(millis));
    }

    pub fn stop(&mut self, timer: Timer) {
        self.timers.remove(&timer);
        self.stopped.push(timer);
    }

    pub fn answer(&mut self, ticket: Ticket, text: String, failed: bool, id: Option<Zxid>) {
        self.answers.push((ticket, Answer { text, failed, id }));
    }

    pub fn note(&mut self, turn: Turn, id: impl fmt::Display, value: impl fmt::Display, by: &[ServerId]) {
        let (id, value) = (format!("{id}"), format!("{value}"));
        self.notes.push(ModelNote { turn, id, value, by: by.to_vec() });
    }
}

/// What can be seen of a core.
pub(super) struct Picture {
    pub shown: Shown,
    pub role: Role,
    pub stage: Stage,
    /// What the stage speaks of: `1:1 /x=A`.
    pub about: String,
    pub facts: Vec<(Fact, String)>,
    pub badge: Option<(Fact, String)>,
    pub beside: Option<(Fact, String)>,
    pub crown: bool,
    pub phase: Option<PhaseName>,
    pub epoch: Epoch,
    pub promised: Epoch,
    pub leader: Option<ServerId>,
    pub serving: bool,
    pub log: Vec<LogCell>,
    /// Entries of the log that will never count.
    pub void: Vec<Zxid>,
    pub outstanding: Vec<(Zxid, Vec<ServerId>)>,
    pub quorum: usize,
    /// Row, value, the write's id.
    pub rows: Vec<(String, String, Zxid)>,
}

/// What the rules are checked against: what a core holds, not what it says.
pub(super) enum Testimony {
    /// Transactions it votes for, and transactions with its decision.
    Commit { voted: Vec<Zxid>, decided: Vec<(Zxid, bool)> },
    /// The number promised, what was accepted, and the value it takes for chosen.
    Paxos { promised: u64, accepted: Option<(u64, String)>, chosen: Option<String> },
    /// What it has delivered, in order, and the epoch it has promised.
    Zab { promised: Epoch, delivered: Vec<(Zxid, Write)> },
}

/// One server's protocol.
#[derive(Clone, Serialize)]
pub(super) enum Core {
    Two(two_phase::TwoPhase),
    Three(three_phase::ThreePhase),
    Paxos(paxos::Paxos),
    Zab(paper_zab::PaperZab),
}

impl Core {
    /// A core with an empty disk; `None` for ZooKeeper's own, which is not one of these.
    pub fn new(protocol: Protocol, id: ServerId, all: &[ServerId]) -> Option<Core> {
        Some(match protocol {
            Protocol::ZooKeeper => return None,
            Protocol::TwoPhaseCommit => Core::Two(two_phase::TwoPhase::new(id, all)),
            Protocol::ThreePhaseCommit => Core::Three(three_phase::ThreePhase::new(id, all)),
            Protocol::Paxos { proposers, retry } => Core::Paxos(paxos::Paxos::new(id, all, proposers, retry)),
            Protocol::PaperZab => Core::Zab(paper_zab::PaperZab::new(id, all)),
        })
    }

    /// One input, and everything it sends to itself.
    pub fn step(&mut self, input: Input, out: &mut Out<'_>) {
        self.handle(input, out);
        while !out.own.is_empty() {
            let msg = out.own.remove(0);
            self.handle(Input::Message(out.me, msg), out);
        }
    }

    fn handle(&mut self, input: Input, out: &mut Out<'_>) {
        match (self, input) {
            (Core::Two(c), Input::Message(from, Msg::Two(m))) => c.message(from, m, out),
            (Core::Three(c), Input::Message(from, Msg::Three(m))) => c.message(from, m, out),
            (Core::Paxos(c), Input::Message(from, Msg::Paxos(m))) => c.message(from, m, out),
            (Core::Zab(c), Input::Message(from, Msg::Zab(m))) => c.message(from, m, out),
            // No world sends one protocol's message to another.
            (_, Input::Message(..)) => {}
            (Core::Two(c), Input::Start) => c.start(out),
            (Core::Three(c), Input::Start) => c.start(out),
            (Core::Paxos(_), Input::Start) => {}
            (Core::Zab(c), Input::Start) => c.start(out),
            (Core::Two(c), Input::Timer(t)) => c.timer(t, out),
            (Core::Three(c), Input::Timer(t)) => c.timer(t, out),
            (Core::Paxos(c), Input::Timer(t)) => c.timer(t, out),
            (Core::Zab(c), Input::Timer(t)) => c.timer(t, out),
            (Core::Two(c), Input::Ask(ticket, w)) => c.ask(ticket, w, out),
            (Core::Three(c), Input::Ask(ticket, w)) => c.ask(ticket, w, out),
            (Core::Paxos(c), Input::Ask(ticket, w)) => c.ask(ticket, w, out),
            (Core::Zab(c), Input::Ask(ticket, w)) => c.ask(ticket, w, out),
        }
    }

    /// The process ends: only the disk is left.
    pub fn crash(&mut self) {
        match self {
            Core::Two(c) => c.crash(),
            Core::Three(c) => c.crash(),
            Core::Paxos(c) => c.crash(),
            Core::Zab(c) => c.crash(),
        }
    }

    pub fn picture(&self) -> Picture {
        match self {
            Core::Two(c) => c.picture(),
            Core::Three(c) => c.picture(),
            Core::Paxos(c) => c.picture(),
            Core::Zab(c) => c.picture(),
        }
    }

    pub fn testimony(&self) -> Testimony {
        match self {
            Core::Two(c) => c.testimony(),
            Core::Three(c) => c.testimony(),
            Core::Paxos(c) => c.testimony(),
            Core::Zab(c) => c.testimony(),
        }
    }
}
