//! A server's process: the real server with its client connections, its disk, its clock and its mail.

use crate::collections::{BTreeMap, BTreeSet};
use crate::config::{BrokenRule, Ensemble};
use crate::id::{LinkId, ServerId, SessionId};
use crate::input::Input;
use crate::link::Link;
use crate::rng::Rng;
use crate::server::{Plain, Server};
use crate::sim::clock::Clock;
use crate::sim::disk::Disk;
use crate::sim::view::ReadView;
use crate::time::Instant;
use crate::trace::digest::Digest;
use crate::wire::client::Request;
use crate::wire::notification::Notification;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;
use serde::Serialize;

/// One process (or the place where it would run) with its machine.
#[derive(Clone)]
pub(crate) struct Process {
    pub id: ServerId,
    pub clock: Clock,
    pub rng: Rng,
    pub disk: Disk,
    /// The server, while the process runs.
    pub server: Option<Server<Plain>>,
    /// Frozen: nothing reaches the server, and its timers wait.
    pub paused: bool,
    /// It stopped itself.
    pub halted: bool,
    /// Counts starts, so that what an earlier run left in the queue is recognised.
    pub run: u32,
    /// What happened on this machine while the process was frozen.
    pub deferred: Vec<Input>,
    pub mail: BTreeMap<ServerId, Outbox>,
    pub links: BTreeMap<LinkId, Link>,
    /// Reads that links wait for; answered at the end of the step that is being carried out.
    pub reads: VecDeque<(LinkId, i32, Request)>,
    /// Sessions heard from since the last report.
    pub touched: BTreeSet<SessionId>,
    /// The server's next deadline in the world's time.
    deadline: Option<Instant>,
    /// What the last start read, for pictures.
    pub read: Option<ReadView>,
    /// The members it was told of, where that is not the world's list.
    pub told: Option<Ensemble>,
    /// A deadline (in the server's own time) that is noticed late, and by how much.
    stretched: Option<(Instant, Duration)>,
}

/// The election connection to one other server, and what waits for it: one notification, the newest.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outbox {
    pub conn: Option<u64>,
    pub dialling: bool,
    pub waiting: Option<Notification>,
    /// What was sent last: sent again on a fresh connection if nothing waits.
    pub last: Option<Notification>,
}

impl Process {
    pub fn new(id: ServerId, ppm: i32, rng: Rng) -> Process {
        Process {
            id,
            clock: Clock::new(ppm),
            rng,
            disk: Disk::new(),
            server: None,
            paused: false,
            halted: false,
            run: 0,
            deferred: Vec::new(),
            mail: BTreeMap::new(),
            links: BTreeMap::new(),
            reads: VecDeque::new(),
            touched: BTreeSet::new(),
            deadline: None,
            read: None,
            told: None,
            stretched: None,
        }
    }

    /// Whether the process runs (frozen or not).
    pub fn is_running(&self) -> bool {
        self.server.is_some()
    }

    /// When its server wants a tick.
    pub fn timer(&self) -> Option<Instant> {
        if self.paused { None } else { self.deadline }
    }

    /// Looks at the server's deadline again; to be called after every step.
    pub fn set_timer(&mut self) {
        let deadline = self.own_deadline();
        self.stretched = self.stretched.filter(|(of, _)| Some(*of) == deadline);
        self.deadline = deadline.map(|at| self.clock.world(at) + self.stretched());
    }

    fn own_deadline(&self) -> Option<Instant> {
        self.server.as_ref().and_then(Server::next_deadline).map(|(at, _)| at)
    }

    /// By how much its next deadline is noticed late.
    pub fn stretched(&self) -> Duration {
        self.stretched.map_or(Duration::ZERO, |(_, by)| by)
    }

    /// Its next deadline is noticed so much later.
    pub fn stretch(&mut self, by: Duration) {
        self.stretched = self.own_deadline().map(|at| (at, self.stretched() + by));
        self.set_timer();
    }

    /// Its clock jumps ahead now, so that its next deadline runs out at `due`.
    pub fn bring_forward(&mut self, now: Instant, due: Instant) {
        let Some(deadline) = self.own_deadline() else { return };
        self.stretched = None;
        let (shows, then) = (self.clock.local(now), self.clock.local(due));
        // What the clock will run until `due` is left to run.
        let show = deadline - then.since(shows);
        self.clock.show(now, show.max(shows));
        self.set_timer();
    }

    /// The process ends: everything in memory is gone.
    pub fn forget(&mut self) {
        self.server = None;
        self.paused = false;
        self.deadline = None;
        self.stretched = None;
        self.deferred.clear();
        self.mail.clear();
        self.links.clear();
        self.reads.clear();
        self.touched.clear();
    }

    pub fn break_rule(&mut self, rule: Option<BrokenRule>) {
        if let Some(server) = &mut self.server {
            server.break_rule(rule);
        }
    }

    /// Adds the complete state.
    pub fn digest_into(&self, d: &mut Digest) {
        d.value(&(self.id, self.clock, &self.rng, &self.disk, self.paused, self.halted, self.run, self.deadline));
        d.value(&self.stretched);
        d.value(&(&self.mail, &self.touched, &self.deferred));
        let mut out = Shown(d);
        for link in self.links.values() {
            // Writing into a digest never fails.
            let _ = write!(out, "{link:?}");
        }
        if let Some(server) = &self.server {
            let _ = write!(out, "{:?}{:?}{:?}", server.peer(), server.service(), server.side());
            d.value(server.side().0.tree.sessions());
        }
    }
}

/// Hashes what is written: the state of the protocol's machines has no other complete form than its debug text.
struct Shown<'a>(&'a mut Digest);

impl fmt::Write for Shown<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.bytes(s.as_bytes());
        Ok(())
    }
}
