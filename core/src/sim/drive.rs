//! Driving a server: inputs in, effects carried out, exactly as the native driver does it.

use crate::disk::txn_log::{self, LogEnd, LogScanner};
use crate::effect::{Effect, ToLink};
use crate::id::{LinkId, ServerId, Zxid};
use crate::input::{Input, Submission};
use crate::link::{Link, LinkEffect};
use crate::rng::Rng;
use crate::server::{Plain, Recovered, Server};
use crate::service::Asker;
use crate::sim::World;
use crate::sim::check::Rule;
use crate::sim::disk::{DiskDone, Loss, Media};
use crate::sim::net::{ConnKind, Payload};
use crate::sim::queue::Due;
use crate::sim::spec::Fidelity;
use crate::sim::view::{Place, ReadView};
use crate::trace::{LossReason, TraceEvent};
use crate::tree::Tree;
use crate::wire::notification::Notification;
use crate::wire::peer::{Limits, PacketDecoder, Sender};
use crate::wire::txn::Txn;
use crate::zab::memory::Memory;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::time::Duration;

/// The address that a client's connection comes from.
const CLIENT_IP: &str = crate::sim::model::load::ADDRESS;

impl World {
    /// Starts a server's process from its disk.
    pub(super) fn start(&mut self, index: usize) {
        let config = self.config_of(index);
        let recovered = match self.look_at_damage(index).and_then(|memory| self.recover(index, memory)) {
            Ok(recovered) => recovered,
            Err(why) => {
                let server = self.processes[index].id;
                self.checks.violate(Rule::CommittedStays, format!("server {server} can't start from its disk: {why}"));
                self.report_violations();
                return;
            }
        };
        let process = &mut self.processes[index];
        let server = process.id;
        process.run += 1;
        process.halted = false;
        let seed = process.rng.next_u64();
        let now = process.clock.now(self.now);
        self.checks.started(index, &recovered);
        process.read = Some(ReadView {
            snapshot: recovered.snapshot,
            last: recovered.entries.last().map_or(recovered.snapshot, |(zxid, _)| *zxid),
            replayed: recovered.entries.len(),
        });
        self.record(|| TraceEvent::Started { server });
        self.net.refuse_old(self.now, Place::Server(server), &mut self.queue);
        let mut fx = core::mem::take(&mut self.fx);
        let started = Server::start(config, seed, recovered, Plain::default(), now, &mut fx);
        self.processes[index].server = Some(started);
        let mut inputs = VecDeque::new();
        self.carry_out(index, &mut fx, &mut inputs);
        self.fx = fx;
        self.drive_all(index, inputs);
    }

    /// What a server finds on its disk.
    fn recover(&self, index: usize, damage: Option<Memory>) -> Result<Recovered, String> {
        let media = &self.processes[index].disk.media;
        let (accepted, current) = (media.accepted, media.current);
        if let Some(memory) = damage {
            return Ok(Recovered { accepted, current, memory, ..Recovered::empty() });
        }
        let tree = match &media.snapshot {
            Some((zxid, body)) => Tree::read_body(body.clone(), *zxid).map_err(|e| e.to_string())?,
            None => Tree::new(),
        };
        Ok(Recovered {
            accepted,
            current,
            tree,
            snapshot: media.base(),
            entries: media.entries.iter().cloned().collect(),
            memory: Memory::of_disk(current, media.last()),
        })
    }

    /// Ends a server's process at once. With `silent`, its machine loses its power: nobody is told.
    pub(super) fn kill(&mut self, index: usize, silent: bool) {
        let bytes = self.spec.fidelity == Fidelity::Bytes;
        let process = &mut self.processes[index];
        let server = process.id;
        process.forget();
        let checks = &mut self.checks;
        let loss = process.disk.crash(&mut process.rng, |media, record| checks.durable(index, media, record));
        if bytes {
            let scanned = scan_log(&process.disk.media, &loss, &mut process.rng);
            if let Err(why) = scanned {
                self.checks.violate(Rule::CodecRoundTrip, format!("server {server}'s log: {why}"));
            }
        }
        self.checks.stopped(index);
        self.checks.after_writing(&self.processes);
        let place = Place::Server(server);
        for (conn, end) in self.net.at(place) {
            let peer = self.net.conns.get(&conn).map_or(place, |c| c.ends[usize::from(1 - end)]);
            let mut unsent = self.net.forget_unsent(conn, end);
            if silent {
                unsent.extend(self.net.cut_short(conn, end));
            }
            for parcel in unsent {
                self.record_loss(&parcel, place, peer, LossReason::ConnectionClosed);
            }
            self.close(conn, place, silent);
        }
        let (unsynced, kept) = (loss.unsynced as u32, loss.kept as u32);
        self.record(|| TraceEvent::Stopped { server, unsynced, kept });
        self.report_violations();
    }

    /// Gives a server an input and carries out what it answers.
    pub(super) fn drive(&mut self, index: usize, input: Input) {
        if !self.processes[index].is_running() {
            return;
        }
        if self.processes[index].paused {
            self.processes[index].deferred.push(input);
            return;
        }
        self.drive_all(index, VecDeque::from([input]));
    }

    fn drive_all(&mut self, index: usize, mut inputs: VecDeque<Input>) {
        let mut fx = core::mem::take(&mut self.fx);
        while let Some(input) = inputs.pop_front() {
            let process = &mut self.processes[index];
            let now = process.clock.now(self.now);
            let Some(server) = &mut process.server else { break };
            server.step(now, input, &mut fx);
            self.carry_out(index, &mut fx, &mut inputs);
        }
        self.fx = fx;
        let process = &mut self.processes[index];
        process.set_timer();
        if process.disk.begin_sync() {
            let wait = self.spec.disk_sync.draw(&mut process.rng) + process.disk.extra;
            let (server, run) = (process.id, process.run);
            self.queue.push(self.now + wait, Due::DiskDone { server, run });
        }
        self.checks.look(index, &self.processes);
        self.tell_model();
        self.report_violations();
    }

    pub(super) fn report_violations(&mut self) {
        if self.checks.has_news() {
            for (rule, detail) in self.checks.take_news() {
                self.record(|| TraceEvent::Violation { rule, detail });
            }
        }
    }

    fn carry_out(&mut self, index: usize, fx: &mut crate::effect::Effects, inputs: &mut VecDeque<Input>) {
        let server = self.processes[index].id;
        for effect in fx.drain() {
            match effect {
                Effect::Notify { to, note } => {
                    self.checks.votes(index, server, &self.processes[index].disk.media, &note);
                    self.notify(index, to, note);
                }
                Effect::Dial { to } => {
                    let (from, to) = (Place::Server(server), Place::Server(to));
                    self.net.dial(self.now, ConnKind::Quorum, from, to, &mut self.queue);
                }
                Effect::Send { conn, msg } => {
                    self.checks.sent(index, &self.processes[index].disk.media, &msg);
                    self.send(conn.0, Place::Server(server), Payload::Packet(msg));
                }
                Effect::Drop { conn, .. } => self.close(conn.0, Place::Server(server), false),
                Effect::Store { lsn, record } => {
                    let leading = self.processes[index].server.as_ref().is_some_and(leads);
                    self.checks.stored(index, leading, &record);
                    self.processes[index].disk.store(lsn, record);
                }
                Effect::Compact { upto } => {
                    let process = &mut self.processes[index];
                    let wait = self.spec.disk_sync.draw(&mut process.rng) * 4;
                    let run = process.run;
                    self.queue.push(self.now + wait, Due::CompactDone { server, run, upto });
                }
                Effect::ToLink { link, msg } => self.tell_link(index, link, msg, inputs),
                Effect::Serving(serving) => {
                    self.checks.serving(index, serving, &self.processes);
                    self.record(|| TraceEvent::Serving { server, epoch: serving.map(|s| s.epoch) });
                    if serving.is_none() {
                        for link in self.processes[index].links.keys().copied().collect::<Vec<_>>() {
                            self.end_link(index, link, inputs);
                        }
                    }
                }
                Effect::Halt(why) => {
                    self.checks.halted(index, &why);
                    self.record(|| TraceEvent::Halted { server, why: why.to_string() });
                    self.kill(index, false);
                    self.processes[index].halted = true;
                    inputs.clear();
                }
                Effect::Note(what) => self.record(|| TraceEvent::Note { server, what }),
            }
        }
        self.answer_reads(index, inputs);
    }

    /// The server's deadline has come; whether people need to see it.
    pub(super) fn on_server_timer(&mut self, index: usize) -> bool {
        use crate::status::Deadline;
        let reason = self.processes[index].server.as_ref().and_then(Server::next_deadline).map(|(_, reason)| reason);
        self.drive(index, Input::Tick);
        matches!(
            reason,
            Some(Deadline::Tick | Deadline::Session | Deadline::Containers | Deadline::Notifications) | None
        )
    }

    pub(super) fn on_disk_done(&mut self, server: ServerId, run: u32) -> Option<(Place, bool)> {
        let index = self.current_run(server, run)?;
        let process = &mut self.processes[index];
        let checks = &mut self.checks;
        match process.disk.finish_sync(|media, record| checks.durable(index, media, record)) {
            DiskDone::Synced { upto, records } => {
                let (last, records) = (process.disk.media.last(), records as u32);
                self.record(|| TraceEvent::Synced { server, upto: last, records });
                self.checks.after_writing(&self.processes);
                self.drive(index, Input::Synced { upto });
                self.begin_sync(index);
            }
            DiskDone::Failed { full } => {
                self.checks.disk_failed(index);
                let what = if full { "no space left on device" } else { "input/output error" };
                self.drive(index, Input::StorageFailed { what: format!("the disk says: {what}") });
            }
        }
        Some((Place::Server(server), false))
    }

    /// A frozen process's disk goes on: what was stored before the freeze is synced all the same.
    fn begin_sync(&mut self, index: usize) {
        let process = &mut self.processes[index];
        if process.is_running() && process.disk.begin_sync() {
            let wait = self.spec.disk_sync.draw(&mut process.rng) + process.disk.extra;
            let (server, run) = (process.id, process.run);
            self.queue.push(self.now + wait, Due::DiskDone { server, run });
        }
    }

    pub(super) fn on_compact_done(&mut self, server: ServerId, run: u32, upto: Zxid) -> Option<(Place, bool)> {
        let index = self.current_run(server, run)?;
        if let Err(why) = self.compact(index, upto) {
            self.checks
                .violate(Rule::CommittedStays, format!("server {server} can't fold its log up to {upto}: {why}"));
            self.report_violations();
        }
        self.record(|| TraceEvent::Compacted { server, upto });
        self.drive(index, Input::Compacted { upto });
        Some((Place::Server(server), true))
    }

    /// Folds snapshot and log up to `upto` into a new snapshot, by the same function that applies transactions.
    fn compact(&mut self, index: usize, upto: Zxid) -> Result<(), String> {
        let media = &self.processes[index].disk.media;
        if upto <= media.base() {
            return Ok(());
        }
        if media.entry(upto).is_none() {
            return Err(format!("the disk holds {} to {}", media.base(), media.last()));
        }
        let mut tree = self.recover(index, None)?.tree;
        for (_, txn) in media.entries.iter().take_while(|(zxid, _)| *zxid <= upto) {
            tree.apply(&Txn::decode(txn.clone()).map_err(|e| e.to_string())?);
        }
        self.checks.compacted(index, upto, tree.digest());
        self.processes[index].disk.compacted(upto, tree.write_body());
        Ok(())
    }

    pub(super) fn on_report_touched(&mut self, server: ServerId, run: u32) -> Option<(Place, bool)> {
        let index = self.current_run(server, run)?;
        let sessions: Vec<_> = core::mem::take(&mut self.processes[index].touched).into_iter().collect();
        if sessions.is_empty() {
            return None;
        }
        self.drive(index, Input::Touched { sessions });
        Some((Place::Server(server), true))
    }

    fn current_run(&self, server: ServerId, run: u32) -> Option<usize> {
        self.index(server).filter(|i| self.processes[*i].run == run && self.processes[*i].is_running())
    }

    // The election port.

    fn notify(&mut self, index: usize, to: ServerId, note: Notification) {
        let server = self.processes[index].id;
        if self.spec.fidelity == Fidelity::Bytes {
            let mut out = BytesMut::new();
            note.encode(&mut out);
            if Notification::decode(out.freeze()).as_ref() != Ok(&note) {
                self.checks.violate(Rule::CodecRoundTrip, format!("a notification of server {server}: {note:?}"));
            }
        }
        let outbox = self.processes[index].mail.entry(to).or_default();
        outbox.last = Some(note.clone());
        if let Some(conn) = outbox.conn {
            self.send(conn, Place::Server(server), Payload::Notification(note));
            return;
        }
        outbox.waiting = Some(note);
        if !outbox.dialling {
            outbox.dialling = true;
            let (from, to) = (Place::Server(server), Place::Server(to));
            self.net.dial(self.now, ConnKind::Election, from, to, &mut self.queue);
        }
    }

    /// An election connection stands at this end: the waiting notification leaves, or else the last one again.
    pub(super) fn mail_opened(&mut self, index: usize, peer: Option<Place>, conn: u64) {
        let Some(Place::Server(to)) = peer else { return };
        let server = self.processes[index].id;
        let process = &mut self.processes[index];
        if !process.is_running() {
            return;
        }
        let outbox = process.mail.entry(to).or_default();
        outbox.dialling = false;
        if outbox.conn.is_none() {
            outbox.conn = Some(conn);
        }
        let note = outbox.waiting.take().or_else(|| outbox.last.clone());
        if let Some(note) = note {
            self.send(conn, Place::Server(server), Payload::Notification(note));
        }
    }

    /// `refused`: its machine answers that nobody listens.
    pub(super) fn mail_failed(&mut self, index: usize, to: ServerId, refused: bool) {
        if let Some(outbox) = self.processes[index].mail.get_mut(&to) {
            outbox.dialling = false;
        }
        if refused && self.spec.settles_early {
            self.drive(index, Input::Refused { by: to });
        }
    }

    pub(super) fn mail_closed(&mut self, index: usize, peer: Option<Place>, conn: u64) {
        let Some(Place::Server(from)) = peer else { return };
        if let Some(outbox) = self.processes[index].mail.get_mut(&from)
            && outbox.conn == Some(conn)
        {
            outbox.conn = None;
        }
    }

    /// A packet as its bytes say it, compared with what was meant.
    pub(super) fn check_packet(&mut self, conn: u64, towards: u8, payload: &Payload) {
        let Payload::Packet(msg) = payload else { return };
        // Learners dial: what goes towards the dialling end comes from the leader.
        let sender = if towards == 0 { Sender::Leader } else { Sender::Learner };
        let mut bytes = BytesMut::new();
        msg.encode(&mut bytes);
        let mut decoder = PacketDecoder::new(sender, Limits::default());
        let read = decoder.next(&mut bytes);
        if read.as_ref() != Ok(&Some(msg.clone())) || !bytes.is_empty() {
            self.checks.violate(Rule::CodecRoundTrip, format!("on connection {conn}: {msg:?} was read as {read:?}"));
        }
    }

    // The client port.

    pub(super) fn link_opened(&mut self, index: usize, conn: u64) {
        let link = LinkId(conn);
        self.processes[index].links.insert(link, Link::new(link, CLIENT_IP).under(self.spec.access()));
    }

    /// The client's side of a connection is gone.
    pub(super) fn link_gone(&mut self, index: usize, conn: u64) {
        let mut inputs = VecDeque::new();
        self.forget_link(index, LinkId(conn), &mut inputs);
        for input in inputs {
            self.drive(index, input);
        }
    }

    fn forget_link(&mut self, index: usize, link: LinkId, inputs: &mut VecDeque<Input>) {
        let process = &mut self.processes[index];
        if process.links.remove(&link).is_none() {
            return;
        }
        if let Some(server) = &mut process.server {
            server.side_mut().0.watches.remove_link(link);
        }
        inputs.push_back(Input::Submit { link, request: Submission::Gone });
    }

    /// Our side closes a connection, after what was written.
    fn end_link(&mut self, index: usize, link: LinkId, inputs: &mut VecDeque<Input>) {
        self.close(link.0, Place::Server(self.processes[index].id), false);
        self.forget_link(index, link, inputs);
    }

    pub(super) fn link_frame(&mut self, index: usize, conn: u64, frame: Bytes) {
        let process = &mut self.processes[index];
        let link = LinkId(conn);
        let Some(machine) = process.links.get_mut(&link) else { return };
        let mut out = Vec::new();
        machine.on_frame(frame, &mut out);
        if let Some(session) = machine.session() {
            if process.touched.is_empty() {
                let (server, run) = (process.id, process.run);
                let wait = Duration::from_millis(u64::from(self.spec.tick_ms) / 2);
                self.queue.push(self.now + wait, Due::ReportTouched { server, run });
            }
            process.touched.insert(session);
        }
        let mut inputs = VecDeque::new();
        self.link_effects(index, link, out, &mut inputs);
        self.answer_reads(index, &mut inputs);
        if !inputs.is_empty() {
            self.drive_all(index, inputs);
        }
    }

    fn tell_link(&mut self, index: usize, link: LinkId, msg: ToLink, inputs: &mut VecDeque<Input>) {
        let Some(machine) = self.processes[index].links.get_mut(&link) else { return };
        let mut out = Vec::new();
        machine.on_server(msg, &mut out);
        self.link_effects(index, link, out, inputs);
    }

    fn link_effects(&mut self, index: usize, link: LinkId, out: Vec<LinkEffect>, inputs: &mut VecDeque<Input>) {
        for effect in out {
            match effect {
                LinkEffect::Write(frames) => self.write_frames(index, link, frames),
                LinkEffect::Submit(request) => inputs.push_back(Input::Submit { link, request }),
                LinkEffect::Read { xid, request } => self.processes[index].reads.push_back((link, xid, request)),
                LinkEffect::Identified => self.identified(index, link),
                LinkEffect::Close(_) => self.end_link(index, link, inputs),
            }
        }
    }

    /// The watches that a client has set count who it has shown to be since.
    fn identified(&mut self, index: usize, link: LinkId) {
        let process = &mut self.processes[index];
        if let (Some(machine), Some(server)) = (process.links.get(&link), &mut process.server) {
            server.side_mut().0.watches.set_auth(link, machine.auth());
        }
    }

    /// Answers the reads that links wait for, now that every event the tree is ahead of has been told.
    fn answer_reads(&mut self, index: usize, inputs: &mut VecDeque<Input>) {
        while let Some((link, xid, request)) = self.processes[index].reads.pop_front() {
            let process = &mut self.processes[index];
            let (Some(machine), Some(server)) = (process.links.get_mut(&link), &mut process.server) else { continue };
            let Some(session) = machine.session() else { continue };
            let state = &mut server.side_mut().0;
            let answer = state.answer(Asker { link, session, auth: machine.auth() }, &request);
            let zxid = state.tree.applied();
            let mut out = Vec::new();
            machine.on_read(xid, zxid, answer.outcome, answer.events, &mut out);
            self.link_effects(index, link, out, inputs);
        }
    }

    fn write_frames(&mut self, index: usize, link: LinkId, mut frames: Bytes) {
        let server = Place::Server(self.processes[index].id);
        while let Some(head) = frames.first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*head)).unwrap_or(0);
            let mut frame = frames.split_to((4 + length).min(frames.len()));
            self.send(link.0, server, Payload::Frame(frame.split_off(4)));
        }
    }
}

fn leads(server: &Server<Plain>) -> bool {
    server.peer().state() == crate::wire::notification::ServerState::Leading
}

/// Writes the log as Apache's bytes, with the torn record behind, and reads it back.
fn scan_log(media: &Media, loss: &Loss, rng: &mut Rng) -> Result<(), String> {
    let mut file = BytesMut::new();
    txn_log::put_header(&mut file);
    for (_, txn) in &media.entries {
        txn_log::put_record(&mut file, txn);
    }
    let whole = file.len();
    if let Some((_, txn)) = &loss.torn {
        let mut record = BytesMut::new();
        txn_log::put_record(&mut record, txn);
        // Cut in the record: at least one of its bytes is missing.
        file.extend_from_slice(&record[..rng.below(record.len() as u64) as usize]);
    }
    let mut scanner = LogScanner::new(file.freeze());
    let mut wanted = media.entries.iter();
    for record in scanner.by_ref() {
        match wanted.next() {
            Some((zxid, txn)) if *zxid == record.zxid && *txn == record.entry => {}
            other => return Err(format!("read {}, written was {:?}", record.zxid, other.map(|(z, _)| z))),
        }
    }
    if let Some((zxid, _)) = wanted.next() {
        return Err(format!("{zxid} was written and not read"));
    }
    match scanner.end() {
        Some(LogEnd::Clean { at } | LogEnd::Torn { at, .. }) if *at == whole => Ok(()),
        end => Err(format!("ends wrongly, at {whole}: {end:?}")),
    }
}
