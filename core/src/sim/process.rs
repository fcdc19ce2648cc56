//! A server's process: its disk, its clock, its mail on the election port.

use crate::config::BrokenRule;
use crate::id::{ServerId, Zxid};
use crate::input::Input;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::clock::Clock;
use crate::sim::disk::Disk;
use crate::sim::view::Place;
use crate::time::Instant;
use crate::trace::TraceEvent;
use crate::trace::digest::Digest;
use crate::wire::notification::Notification;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::Serialize;

#[derive(Clone)]
pub(crate) struct Process {
    pub id: ServerId,
    pub clock: Clock,
    pub rng: Rng,
    pub disk: Disk,
    pub running: bool,
    pub paused: bool,
    /// Counts starts, so that what an earlier run left in the queue is recognised.
    pub run: u32,
    pub deferred: Vec<Input>,
    pub mail: BTreeMap<ServerId, Outbox>,
}

/// What waits for one other server on the election port.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outbox {
    pub conn: Option<u64>,
    pub dialling: bool,
    pub waiting: Option<Notification>,
    pub last: Option<Notification>,
}

impl Process {
    pub fn new(id: ServerId, ppm: i32, rng: Rng) -> Process {
        Process {
            id,
            clock: Clock { ppm },
            rng,
            disk: Disk::new(),
            running: false,
            paused: false,
            run: 0,
            deferred: Vec::new(),
            mail: BTreeMap::new(),
        }
    }
    pub fn is_running(&self) -> bool {
        self.running
    }
    pub fn timer(&self) -> Option<Instant> {
        None
    }
    pub fn break_rule(&mut self, _: Option<BrokenRule>) {}
    pub fn digest_into(&self, d: &mut Digest) {
        d.value(&self.disk);
    }
}

impl World {
    pub(super) fn start(&mut self, index: usize) {
        let process = &mut self.processes[index];
        process.running = true;
        process.run += 1;
        let server = process.id;
        self.record(|| TraceEvent::Started { server });
    }
    pub(super) fn kill(&mut self, index: usize, silent: bool) {
        let process = &mut self.processes[index];
        process.running = false;
        process.paused = false;
        let server = process.id;
        for (conn, _) in self.net.at(Place::Server(server)) {
            self.close(conn, Place::Server(server), silent);
        }
        self.record(|| TraceEvent::Stopped { server, unsynced: 0, kept: 0 });
    }
    pub(super) fn drive(&mut self, _: usize, _: Input) {}
    pub(super) fn on_server_timer(&mut self, _: usize) -> bool {
        true
    }
    pub(super) fn on_disk_done(&mut self, server: ServerId, _: u32) -> Option<(Place, bool)> {
        Some((Place::Server(server), true))
    }
    pub(super) fn on_compact_done(&mut self, server: ServerId, _: u32, _: Zxid) -> Option<(Place, bool)> {
        Some((Place::Server(server), true))
    }
    pub(super) fn on_report_touched(&mut self, server: ServerId, _: u32) -> Option<(Place, bool)> {
        Some((Place::Server(server), true))
    }
    pub(super) fn mail_opened(&mut self, _: usize, _: Option<Place>, _: u64) {}
    pub(super) fn mail_closed(&mut self, _: usize, _: Option<Place>, _: u64) {}
    pub(super) fn mail_failed(&mut self, _: usize, _: ServerId) {}
    pub(super) fn link_opened(&mut self, _: usize, _: u64) {}
    pub(super) fn link_gone(&mut self, _: usize, _: u64) {}
    pub(super) fn link_frame(&mut self, _: usize, _: u64, _: Bytes) {}
}
