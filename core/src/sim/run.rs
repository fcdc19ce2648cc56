//! Executing one event.

use crate::client::{ClientEvent, ClientOutput, Credential, RequestError, line};
use crate::error::ZkError;
use crate::id::{ConnId, ServerId};
use crate::input::Input;
use crate::sim::actor::ending_text;
use crate::sim::command::ClientId;
use crate::sim::label::{self, Described};
use crate::sim::net::{Arrival, ConnKind, Parcel, Payload};
use crate::sim::queue::Due;
use crate::sim::spec::Fidelity;
use crate::sim::view::Place;
use crate::sim::{Next, Stepped, World};
use crate::trace::{LossReason, SessionTurn, TraceEvent};
use crate::wire::client::{Request, xid};
use crate::wire::peer::PeerMsg;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// How long a client waits before it dials again.
pub(super) const REDIAL: Duration = Duration::from_millis(100);

impl World {
    /// Executes one event; `None` if it turned out to be none.
    pub(super) fn execute(&mut self, next: Next) -> Option<Stepped> {
        let at = self.now;
        let (place, quiet) = match next {
            Next::ServerTimer(index) => {
                let quiet = self.on_server_timer(index);
                (Place::Server(self.processes[index].id), quiet)
            }
            Next::ClientTimer(id) => {
                let quiet = self.on_client_timer(id);
                (Place::Client(id), quiet)
            }
            Next::Chaos => {
                self.on_chaos();
                (Place::Server(ServerId(1)), true)
            }
            Next::Queued(due) => self.on_due(due)?,
        };
        self.executed += 1;
        Some(Stepped { at, place, quiet })
    }

    fn on_due(&mut self, due: Due) -> Option<(Place, bool)> {
        match due {
            Due::Arrive { conn, towards } => self.on_arrival(conn, towards),
            Due::Dialled { conn } => self.on_dialled(conn),
            Due::Start { server } => {
                let index = self.index(server)?;
                if self.processes[index].is_running() {
                    return None;
                }
                self.start(index);
                Some((Place::Server(server), false))
            }
            Due::DiskDone { server, run } => self.on_disk_done(server, run),
            Due::CompactDone { server, run, upto } => self.on_compact_done(server, run, upto),
            Due::ReportTouched { server, run } => self.on_report_touched(server, run),
            Due::ClientDial { client, attempt } => self.on_client_dial(client, attempt),
            Due::Break { conn, message } => self.on_break(conn, message),
        }
    }

    /// Whether something due will be an event, as things stand now: not what waits behind a cut, at a frozen server,
    /// or for somebody who is gone.
    pub(super) fn is_real(&self, due: Due) -> bool {
        let runs = |server, run| {
            self.index(server).is_some_and(|i| {
                let process = &self.processes[i];
                process.run == run && process.is_running()
            })
        };
        match due {
            Due::Arrive { conn, towards } => self.net.can_arrive(conn, towards, |place| self.is_frozen(place)),
            Due::Dialled { conn } => self.net.conns.contains_key(&conn),
            Due::Break { conn, message } => self.can_break(conn, message),
            Due::Start { server } => self.index(server).is_some_and(|i| !self.processes[i].is_running()),
            Due::DiskDone { server, run } | Due::CompactDone { server, run, .. } => runs(server, run),
            Due::ReportTouched { server, run } => {
                runs(server, run) && self.index(server).is_some_and(|i| !self.processes[i].touched.is_empty())
            }
            Due::ClientDial { client, attempt } => {
                self.clients.get(&client).is_some_and(|a| a.may_dial() && a.attempt == attempt)
            }
        }
    }

    pub(super) fn is_frozen(&self, place: Place) -> bool {
        match place {
            Place::Server(id) => self.index(id).is_some_and(|i| self.processes[i].paused),
            Place::Client(id) => self.clients.get(&id).is_some_and(|a| a.paused),
        }
    }

    fn on_arrival(&mut self, conn: u64, towards: u8) -> Option<(Place, bool)> {
        let (processes, clients) = (&self.processes, &self.clients);
        let frozen = |place| match place {
            Place::Server(id) => {
                usize::try_from(id.0).ok().and_then(|n| processes.get(n.wrapping_sub(1))).is_some_and(|p| p.paused)
            }
            Place::Client(id) => clients.get(&id).is_some_and(|a| a.paused),
        };
        let Arrival::Parcel(parcel) = self.net.arrive(conn, towards, frozen) else { return None };
        let kind = self.net.conns.get(&conn)?.kind;
        let place = self.net.conns.get(&conn)?.ends[usize::from(towards)];
        if parcel.copy {
            let from = self.other_end(conn, place).unwrap_or(place);
            self.record_loss(&parcel, from, place, LossReason::Duplicate);
            return Some((place, true));
        }
        let quiet = is_heartbeat(&parcel.payload);
        if self.spec.trace {
            self.record_delivery(conn, towards, &parcel);
        }
        match place {
            Place::Server(id) => {
                let index = self.index(id)?;
                self.deliver_to_server(index, conn, kind, parcel);
            }
            Place::Client(id) => self.deliver_to_client(id, conn, parcel),
        }
        Some((place, quiet))
    }

    fn deliver_to_server(&mut self, index: usize, conn: u64, kind: ConnKind, parcel: Parcel) {
        let peer = self.other_end(conn, Place::Server(self.processes[index].id));
        match (kind, parcel.payload) {
            (ConnKind::Election, Payload::Syn) => self.mail_opened(index, peer, conn),
            (ConnKind::Election, Payload::Fin) => {
                self.net.remove(conn);
                self.mail_closed(index, peer, conn);
            }
            (_, Payload::Notification(note)) => {
                if let Some(Place::Server(from)) = peer {
                    self.drive(index, Input::Notification { from, note });
                }
            }
            (ConnKind::Quorum, Payload::Syn) => self.drive(index, Input::Accepted { conn: ConnId(conn) }),
            (ConnKind::Quorum, Payload::Fin) => {
                self.net.remove(conn);
                self.drive(index, Input::Closed { conn: ConnId(conn) });
            }
            (_, Payload::Packet(msg)) => {
                let newleader = matches!(msg, PeerMsg::NewLeader { .. });
                if newleader {
                    self.checks.newleader(index);
                }
                self.drive(index, Input::Packet { conn: ConnId(conn), msg });
                if newleader {
                    self.checks.newleader(index);
                }
            }
            (ConnKind::Client, Payload::Syn) => self.link_opened(index, conn),
            (ConnKind::Client, Payload::Fin) => {
                self.net.remove(conn);
                self.link_gone(index, conn);
            }
            (_, Payload::Frame(frame)) => self.link_frame(index, conn, frame),
        }
    }

    fn other_end(&self, conn: u64, place: Place) -> Option<Place> {
        let ends = self.net.conns.get(&conn)?.ends;
        Some(if ends[0] == place { ends[1] } else { ends[0] })
    }

    fn on_dialled(&mut self, conn: u64) -> Option<(Place, bool)> {
        let (kind, [from, to]) = self.net.conns.get(&conn).map(|c| (c.kind, c.ends))?;
        let listening = match to {
            Place::Server(id) => self.index(id).is_some_and(|i| self.processes[i].is_running()),
            Place::Client(_) => false,
        };
        let up = self.net.decide_dial(self.now, conn, listening, &mut self.queue);
        match (from, to) {
            (Place::Server(from), Place::Server(to)) => {
                let index = self.index(from)?;
                match kind {
                    ConnKind::Election if up => self.mail_opened(index, Some(Place::Server(to)), conn),
                    ConnKind::Election => self.mail_failed(index, to, !listening),
                    _ if up => self.drive(index, Input::Connected { to, conn: ConnId(conn) }),
                    _ => self.drive(index, Input::DialFailed { to }),
                }
            }
            (Place::Client(id), _) => self.client_dialled(id, conn, up),
            (Place::Server(_), Place::Client(_)) => {}
        }
        Some((from, true))
    }

    /// Closes the end of a connection that `place` holds.
    pub(super) fn close(&mut self, conn: u64, place: Place, silent: bool) {
        let Some((ends, end)) = self.net.conns.get(&conn).map(|c| (c.ends, u8::from(c.ends[0] != place))) else {
            return;
        };
        let first_end = ends[usize::from(1 - end)];
        for parcel in self.net.close_end(self.now, conn, end, silent, &mut self.queue) {
            self.record_loss(&parcel, first_end, place, LossReason::ConnectionClosed);
        }
    }

    /// Breaks a connection for both ends at once.
    pub(super) fn reset(&mut self, conn: u64) {
        let Some(gone) = self.net.remove(conn) else { return };
        for (end, lane) in gone.lanes.iter().enumerate() {
            for parcel in &lane.queue {
                self.record_loss(parcel, gone.ends[1 - end], gone.ends[end], LossReason::ConnectionClosed);
            }
        }
        for (end, place) in gone.ends.into_iter().enumerate() {
            if !gone.lanes[end].open {
                continue;
            }
            let peer = gone.ends[1 - end];
            // Whoever has not taken the opening yet has never heard of the connection.
            let unknown = gone.lanes[end].queue.iter().any(|p| p.payload == Payload::Syn);
            match place {
                Place::Server(id) if !unknown => {
                    let Some(index) = self.index(id) else { continue };
                    match gone.kind {
                        ConnKind::Election => self.mail_closed(index, Some(peer), conn),
                        ConnKind::Quorum => self.drive(index, Input::Closed { conn: ConnId(conn) }),
                        ConnKind::Client => self.link_gone(index, conn),
                    }
                }
                Place::Server(_) => {}
                Place::Client(id) => self.client_lost(id, conn),
            }
        }
    }

    fn on_client_dial(&mut self, id: ClientId, attempt: u32) -> Option<(Place, bool)> {
        let actor = self.clients.get_mut(&id)?;
        if !actor.may_dial() || actor.attempt != attempt {
            return None;
        }
        let home = actor.home;
        let conn = self.net.dial(self.now, ConnKind::Client, Place::Client(id), Place::Server(home), &mut self.queue);
        self.clients.get_mut(&id)?.conn = Some(conn);
        Some((Place::Client(id), true))
    }

    pub(super) fn client_dialled(&mut self, id: ClientId, conn: u64, up: bool) {
        let now = self.now;
        let Some(actor) = self.clients.get_mut(&id) else { return };
        if actor.paused {
            actor.dialled = Some((conn, up));
            return;
        }
        if actor.conn != Some(conn) {
            self.close(conn, Place::Client(id), false);
            return;
        }
        if !up {
            self.client_lost(id, conn);
            return;
        }
        let mut out = Vec::new();
        actor.client.on_connected(now, &mut out);
        self.client_outputs(id, out);
    }

    fn deliver_to_client(&mut self, id: ClientId, conn: u64, parcel: Parcel) {
        match parcel.payload {
            Payload::Frame(frame) => {
                self.consult(|model| model.received(id, conn, frame.clone()));
                let now = self.now;
                let Some(actor) = self.clients.get_mut(&id).filter(|a| a.conn == Some(conn)) else { return };
                let mut out = Vec::new();
                let read = actor.client.on_frame(now, frame, &mut out);
                if let Err(error) = read {
                    self.checks.client_error(id, &error);
                    out.push(ClientOutput::Reconnect);
                }
                self.client_outputs(id, out);
            }
            Payload::Fin => {
                self.net.remove(conn);
                self.client_lost(id, conn);
            }
            Payload::Syn | Payload::Notification(_) | Payload::Packet(_) => {}
        }
    }

    /// Whether it was only a ping.
    fn on_client_timer(&mut self, id: ClientId) -> bool {
        let now = self.now;
        let Some(actor) = self.clients.get_mut(&id) else { return true };
        let mut out = Vec::new();
        if actor.conn.is_some() {
            actor.client.on_time(now, &mut out);
        }
        self.client_outputs(id, out);
        !self.recipe_time(id)
    }

    /// The connection of a client is gone (or its dial failed): the next server in turn is tried.
    fn client_lost(&mut self, id: ClientId, conn: u64) {
        let servers = self.processes.len() as i64;
        let Some(actor) = self.clients.get_mut(&id).filter(|a| a.conn == Some(conn)) else { return };
        actor.conn = None;
        actor.home = ServerId(actor.home.0 % servers.max(1) + 1);
        let mut out = Vec::new();
        actor.client.on_disconnected(&mut out);
        self.client_outputs(id, out);
        self.redial(id, REDIAL);
    }

    /// The client gives its connection up by itself.
    pub(super) fn leave_server(&mut self, id: ClientId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        let Some(conn) = actor.conn.take() else { return };
        let mut out = Vec::new();
        actor.client.on_disconnected(&mut out);
        self.close(conn, Place::Client(id), false);
        self.client_outputs(id, out);
    }

    /// Sends what was typed while there was no connection.
    pub(super) fn flush_client(&mut self, id: ClientId) {
        let now = self.now;
        loop {
            let Some(actor) = self.clients.get_mut(&id) else { return };
            if !actor.client.is_served() {
                return;
            }
            // Proofs have no numbers of their own: one at a time is on its way.
            let proof = actor.waiting.front().is_some_and(|(request, _)| matches!(request, Request::Auth { .. }));
            if proof && actor.lines.contains_key(&xid::AUTH) {
                return;
            }
            let Some((request, text)) = actor.waiting.pop_front() else { return };
            let mut out = Vec::new();
            let asked = match request {
                // Kept for every later connection, not only said on this one.
                Request::Auth { scheme, auth } => {
                    actor.client.authenticate(now, Credential { scheme, auth }, &mut out).map(|()| xid::AUTH)
                }
                request => actor.client.ask(now, request, &mut out),
            };
            if let Ok(xid) = asked {
                actor.numbered(xid);
                actor.lines.insert(xid, text.clone());
                let server = Some(actor.home);
                self.record(|| TraceEvent::Asked { client: id, server, line: text });
            }
            self.client_outputs(id, out);
        }
    }

    pub(super) fn client_outputs(&mut self, id: ClientId, outputs: Vec<ClientOutput>) {
        for output in outputs {
            match output {
                ClientOutput::Send(frame) => {
                    let Some(conn) = self.clients.get(&id).and_then(|a| a.conn) else { continue };
                    self.consult(|model| model.sent(id, conn, frame.slice(4..)));
                    self.send(conn, Place::Client(id), Payload::Frame(frame.slice(4..)));
                }
                ClientOutput::Reconnect => {
                    let servers = self.processes.len() as i64;
                    self.leave_server(id);
                    if let Some(actor) = self.clients.get_mut(&id) {
                        actor.home = ServerId(actor.home.0 % servers.max(1) + 1);
                    }
                    self.redial(id, REDIAL);
                }
                ClientOutput::Event(event) => self.client_event(id, event),
            }
        }
        if let Some(actor) = self.clients.get_mut(&id) {
            actor.set_timer();
        }
    }

    fn client_event(&mut self, id: ClientId, event: ClientEvent) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        let home = actor.home;
        self.checks.client_event(self.now, id, home, &event);
        match event {
            ClientEvent::Connected { session, fresh, .. } => {
                let what = if fresh { SessionTurn::Opened } else { SessionTurn::Resumed { server: home } };
                self.record(|| TraceEvent::Session { client: id, session, what });
                self.flush_client(id);
                self.recipe(id, |recipe, now, out| recipe.on_connected(now, session, fresh, out));
            }
            ClientEvent::Answer { xid, zxid, outcome, .. } => {
                let line = actor.lines.remove(&xid).unwrap_or_default();
                let answer = line::answer(&outcome);
                actor.answered(Some(xid), answer.clone(), outcome.is_err());
                let error = outcome.as_ref().err().copied();
                self.record(|| TraceEvent::Answered { client: id, line, answer, error, zxid: Some(zxid) });
                self.recipe_answered(id, xid, outcome.map(|r| (zxid, r)).map_err(RequestError::Refused));
            }
            ClientEvent::Unanswered { xid, .. } => {
                let line = actor.lines.remove(&xid).unwrap_or_default();
                let error = ZkError::ConnectionLoss;
                actor.answered(Some(xid), error.to_string(), true);
                self.record(|| TraceEvent::Answered {
                    client: id,
                    line,
                    answer: error.to_string(),
                    error: Some(error),
                    zxid: None,
                });
                self.recipe_answered(id, xid, Err(RequestError::Lost));
            }
            ClientEvent::Watch { event, .. } => {
                actor.told(line::event(&event));
                self.record(|| TraceEvent::WatchFired {
                    client: id,
                    kind: event.kind,
                    path: event.path.as_ref().into(),
                });
                self.recipe(id, |recipe, now, out| recipe.on_watch(now, &event, out));
            }
            ClientEvent::Auth { accepted, .. } => {
                // What is said again on a later connection was answered before.
                if let Some(line) = actor.lines.remove(&xid::AUTH) {
                    let error = (!accepted).then_some(ZkError::AuthFailed);
                    let answer = error.map_or_else(|| "ok".into(), |e| e.text().to_string());
                    actor.answered(Some(xid::AUTH), answer.clone(), !accepted);
                    self.record(|| TraceEvent::Answered { client: id, line, answer, error, zxid: None });
                }
                self.flush_client(id);
            }
            ClientEvent::Disconnected => {
                let trusted = actor.client.trusted_until();
                if let Some(session) = actor.client.session() {
                    self.record(|| TraceEvent::Session { client: id, session, what: SessionTurn::Disconnected });
                }
                self.recipe(id, |recipe, now, out| recipe.on_disconnected(now, trusted, out));
            }
            ClientEvent::Over(ending) => {
                let left: Vec<String> = actor.waiting.drain(..).map(|(_, line)| line).collect();
                for _ in left {
                    actor.answered(None, ending_text(ending).into(), true);
                }
                let session = actor.client.session();
                let conn = actor.conn.take();
                if let Some(conn) = conn {
                    self.close(conn, Place::Client(id), false);
                }
                let what = match ending {
                    crate::client::Ending::Expired => SessionTurn::Expired,
                    crate::client::Ending::Closed => SessionTurn::Closed,
                    crate::client::Ending::AuthFailed => SessionTurn::Disconnected,
                };
                if let Some(session) = session {
                    self.record(|| TraceEvent::Session { client: id, session, what });
                }
                self.recipe(id, |recipe, now, out| recipe.on_over(now, ending, out));
                self.open_again(id, ending);
            }
        }
    }

    /// Sends on a connection from the end that `place` holds.
    pub(super) fn send(&mut self, conn: u64, place: Place, payload: Payload) {
        let Some(towards) = self.net.conns.get(&conn).map(|c| u8::from(c.ends[0] == place)) else { return };
        if self.spec.fidelity == Fidelity::Bytes {
            self.check_packet(conn, towards, &payload);
        }
        let sent = self.net.send(self.now, conn, towards, payload, &mut self.queue);
        if self.spec.trace && sent.is_some() {
            self.record_sent(conn, towards);
        }
        if let Some(id) = sent
            && !self.rules.is_empty()
        {
            self.apply_rules(conn, towards, id);
        }
    }

    /// The message in a lane, in words.
    pub(super) fn describe(&self, conn: u64, towards: u8, parcel: &Parcel) -> Described {
        let Some(c) = self.net.conns.get(&conn) else { return Described::default() };
        let to = c.ends[usize::from(towards)];
        match (&parcel.payload, to) {
            (Payload::Frame(frame), Place::Server(_)) => label::from_client(frame, parcel.first),
            (Payload::Frame(frame), Place::Client(id)) => label::to_client(frame, parcel.first, |xid| {
                let actor = self.clients.get(&id)?;
                actor.client.pending().find(|(number, _)| *number == xid).map(|(_, request)| line::name(request))
            }),
            (payload, _) => label::between_servers(payload),
        }
    }

    fn record_sent(&mut self, conn: u64, towards: u8) {
        let Some(c) = self.net.conns.get(&conn) else { return };
        let (from, to) = (c.ends[usize::from(1 - towards)], c.ends[usize::from(towards)]);
        let Some(parcel) = c.lanes[usize::from(towards)].queue.iter().rfind(|p| !p.copy) else { return };
        let Described { kind, label, .. } = self.describe(conn, towards, parcel);
        let id = parcel.id;
        self.record(|| TraceEvent::Sent { id, from, to, kind, label });
    }

    fn record_delivery(&mut self, conn: u64, towards: u8, parcel: &Parcel) {
        if matches!(parcel.payload, Payload::Syn | Payload::Fin) {
            return;
        }
        let Some(c) = self.net.conns.get(&conn) else { return };
        let (from, to) = (c.ends[usize::from(1 - towards)], c.ends[usize::from(towards)]);
        let Described { kind, label, .. } = self.describe(conn, towards, parcel);
        let id = parcel.id;
        self.record(|| TraceEvent::Delivered { id, from, to, kind, label });
    }

    pub(super) fn record_loss(&mut self, parcel: &Parcel, from: Place, to: Place, why: LossReason) {
        if !self.spec.trace || matches!(parcel.payload, Payload::Syn | Payload::Fin) {
            return;
        }
        let kind = match &parcel.payload {
            Payload::Frame(_) => "frame".into(),
            payload => label::between_servers(payload).kind,
        };
        let id = parcel.id;
        self.record(|| TraceEvent::Lost { id, from, to, kind, why });
    }
}

fn is_heartbeat(payload: &Payload) -> bool {
    match payload {
        Payload::Packet(PeerMsg::Ping { .. } | PeerMsg::Pong { .. }) | Payload::Syn | Payload::Fin => true,
        Payload::Frame(frame) => {
            // A ping is its xid and its opcode; a pong starts with the xid of pings.
            frame.first_chunk::<4>().is_some_and(|b| i32::from_be_bytes(*b) == crate::wire::client::xid::PING)
        }
        _ => false,
    }
}
