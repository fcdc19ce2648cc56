//! One server: [`Peer`] orders transactions, [`Service`] makes them out of requests and applies them.
//!
//! The whole run of a driver:
//!
//! ```text
//! let mut server = Server::start(config, seed, recovered, side, now, &mut fx);
//! loop {
//!     for effect in fx.drain() { carry it out, in order }
//!     wait for an input, or until server.next_deadline(), then Input::Tick
//!     server.step(now, input, &mut fx);
//! }
//! ```

pub mod clients;
mod foretold;
pub mod host;
mod local;
pub mod read_side;
#[cfg(test)]
mod tests;
mod trigger;

use crate::config::{BrokenRule, Config};
use crate::effect::{Effect, Effects};
use crate::id::{Epoch, Zxid};
use crate::input::Input;
use crate::status::{Deadline, Status};
use crate::time::{Instant, Now};
use crate::tree::Tree;
use crate::zab::history::{Entry, History};
use crate::zab::memory::Memory;
use crate::zab::{Peer, Role};
use alloc::vec::Vec;
use bytes::Bytes;
use clients::Service;
use host::HostView;
pub use read_side::{Plain, ReadSide};

/// What a disk had when the server started: the newest valid snapshot and the log above it.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The `acceptedEpoch` file.
    pub accepted: Epoch,
    /// The `currentEpoch` file.
    pub current: Epoch,
    /// The newest valid snapshot; the fresh tree if there is none.
    pub tree: Tree,
    /// The snapshot's zxid: that of its file's name.
    pub snapshot: Zxid,
    /// The log above the snapshot, ascending; its end may never have been committed.
    pub entries: Vec<(Zxid, Bytes)>,
    /// Whether that is all there was.
    pub memory: Memory,
}

impl Recovered {
    /// An empty disk.
    pub fn empty() -> Recovered {
        Recovered {
            accepted: Epoch(0),
            current: Epoch(0),
            tree: Tree::new(),
            snapshot: Zxid::ZERO,
            entries: Vec::new(),
            memory: Memory::Blank,
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Server<R> {
    peer: Peer,
    service: Service,
    side: R,
    halted: bool,
}

impl<R: ReadSide> Server<R> {
    /// Starts from what the disk had, in an election. `side` need not hold anything; `seed` is for what is left to
    /// chance (when to take a snapshot).
    ///
    /// # Panics
    /// If the recovered log does not ascend from the snapshot; recovery has to check that.
    pub fn start(config: Config, seed: u64, recovered: Recovered, side: R, now: Now, fx: &mut Effects) -> Server<R> {
        let Recovered { accepted, current, tree, snapshot, entries, memory } = recovered;
        let mut side = side;
        let mut service = Service::new(&config, seed, now);
        service.local.unsettled = accepted > current || memory.is_incomplete();
        let history = History::new(snapshot, entries);
        let mut host = HostView { service: &mut service, side: &mut side, now };
        host.replace(tree);
        let peer = Peer::start(config, (accepted, current), history, memory, now, fx, &mut host);
        let mut server = Server { peer, service, side, halted: false };
        server.settle(now, fx);
        server
    }

    /// Takes one input and says what is to be done about it.
    pub fn step(&mut self, now: Now, input: Input, fx: &mut Effects) {
        if self.halted {
            return;
        }
        match input {
            Input::Submit { link, request } => {
                self.service.on_submission(&mut self.peer, &mut self.side, now, link, request, fx);
            }
            Input::Touched { sessions } => self.service.on_touched(&mut self.peer, &self.side, now, &sessions),
            Input::Compacted { upto } => self.service.on_compacted(upto),
            Input::Tick => {
                self.tell_peer(now, Input::Tick, fx);
                self.service.on_tick(&mut self.peer, &mut self.side, now, fx);
            }
            input => self.tell_peer(now, input, fx),
        }
        self.settle(now, fx);
    }

    fn tell_peer(&mut self, now: Now, input: Input, fx: &mut Effects) {
        let mut host = HostView { service: &mut self.service, side: &mut self.side, now };
        self.peer.step(now, input, fx, &mut host);
    }

    /// Lets the service see what consensus came to, until there is nothing more.
    fn settle(&mut self, now: Now, fx: &mut Effects) {
        loop {
            let events = self.peer.take_events();
            if events.is_empty() {
                break;
            }
            for event in events {
                self.service.on_event(&mut self.peer, &mut self.side, now, event, fx);
            }
        }
        self.service.follow_search(&self.peer, &mut self.side, now, fx);
        self.service.answer_syncs(&mut self.peer, fx);
        self.service.maybe_compact(&self.peer, fx);
        if let Some(why) = self.service.take_fault() {
            self.halted = true;
            fx.push(Effect::Serving(None));
            fx.push(Effect::Halt(why));
        }
    }

    /// When `Tick` is due next, and what for.
    pub fn next_deadline(&self) -> Option<(Instant, Deadline)> {
        if self.halted {
            return None;
        }
        let peer = self.peer.next_deadline();
        match (peer, self.service.next_deadline()) {
            (Some(p), Some(s)) => Some(if s.0 < p.0 { s } else { p }),
            (p, s) => p.or(s),
        }
    }

    /// The read side.
    pub fn side(&self) -> &R {
        &self.side
    }

    /// The read side, to answer reads with.
    pub fn side_mut(&mut self) -> &mut R {
        &mut self.side
    }

    /// The part that orders.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The part that serves.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The history in memory, ascending, with whether each entry is durable here.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = (&Entry, bool)> {
        let synced = self.peer.ground().synced;
        self.peer.ground().history.entries().map(move |e| (e, e.lsn <= synced))
    }

    /// Breaks (or mends) a rule on purpose: only ever for the lab and the simulator.
    pub fn break_rule(&mut self, rule: Option<BrokenRule>) {
        self.peer.break_rule(rule);
    }

    /// What it tells of itself.
    pub fn status(&self) -> Status {
        let ground = self.peer.ground();
        let (outstanding, learners, ballots) = match self.peer.role() {
            Role::Leading(l) => (
                l.outstanding().map(|(z, acks)| (z, acks.iter().copied().collect())).collect(),
                l.synced_learners().collect(),
                Vec::new(),
            ),
            Role::Learning(_) => Default::default(),
            Role::Looking(e) => (Vec::new(), Vec::new(), e.ballots()),
        };
        Status {
            state: self.peer.state(),
            phase: self.peer.phase(),
            epoch: self.peer.epoch(),
            accepted: ground.accepted,
            current: ground.current,
            leader: self.peer.leader(),
            serving: self.service.serving().is_some(),
            round: self.peer.round(),
            vote: self.peer.vote(),
            ballots,
            logged: ground.history.last(),
            synced: ground.durable(),
            committed: ground.history.committed(),
            outstanding,
            learners,
            sessions: self.side.read(|s| s.tree.sessions().len()),
        }
    }
}
