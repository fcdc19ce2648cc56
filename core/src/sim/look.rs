//! Making the picture of a world.

use crate::config::MemberKind;
use crate::id::Epoch;
use crate::sim::net::{Conn, Parcel, Payload};
use crate::sim::process::Process;
use crate::sim::queue::Due;
use crate::sim::view::{CheckView, Flight, LinkView, NextEvent, Place, ServerView, Shown, WorldView};
use crate::sim::{Next, World};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl World {
    /// The whole picture at this moment.
    pub fn view(&self) -> WorldView {
        WorldView {
            at: self.now,
            events: self.executed,
            servers: self.processes.iter().map(|p| self.server_view(p)).collect(),
            links: self.link_views(),
            flights: self.flights(),
            clients: self.clients.values().map(|a| a.view()).collect(),
            checks: self
                .checks
                .all()
                .map(|(rule, broken)| CheckView { name: rule.name().into(), broken: broken.map(Into::into) })
                .collect(),
            next: self.next_event(),
        }
    }

    fn link_views(&self) -> Vec<LinkView> {
        self.net
            .paths
            .iter()
            .map(|((from, to), path)| LinkView {
                from: *from,
                to: *to,
                cut: path.cut_since.is_some(),
                delay_ms: u32::try_from(path.extra.as_millis()).unwrap_or(u32::MAX),
            })
            .collect()
    }

    fn flights(&self) -> Vec<Flight> {
        let mut flights: Vec<Flight> = Vec::new();
        for (id, conn) in &self.net.conns {
            for towards in [0u8, 1] {
                for parcel in &conn.lanes[usize::from(towards)].queue {
                    if !matches!(parcel.payload, Payload::Syn | Payload::Fin) {
                        flights.push(self.flight(*id, conn, towards, parcel));
                    }
                }
            }
        }
        flights.sort_by_key(|f| f.id);
        flights
    }

    fn flight(&self, id: u64, conn: &Conn, towards: u8, parcel: &Parcel) -> Flight {
        let (from, to) = (conn.ends[usize::from(1 - towards)], conn.ends[usize::from(towards)]);
        let described = self.describe(id, towards, parcel);
        Flight {
            id: parcel.id,
            from,
            to,
            kind: described.kind,
            label: described.label,
            epoch: described.epoch,
            reply: described.reply,
            heartbeat: described.heartbeat,
            sent: parcel.sent,
            due: parcel.due,
            lost: self.net.is_cut(from, to),
        }
    }

    /// The next thing that happens, in words.
    fn next_event(&self) -> Option<NextEvent> {
        let (at, next) = self.next()?;
        let (place, what, quiet) = match next {
            Next::ServerTimer(index) => {
                let process = self.processes.get(index)?;
                let (what, quiet) = self.timer_text(process);
                (Place::Server(process.id), what, quiet)
            }
            Next::ClientTimer(id) => (Place::Client(id), format!("client {id} sends a ping"), true),
            Next::Queued(due) => self.due_text(due)?,
        };
        Some(NextEvent { at, place, what, quiet })
    }

    fn due_text(&self, due: Due) -> Option<(Place, String, bool)> {
        Some(match due {
            Due::Arrive { conn, towards } => {
                let c = self.net.conns.get(&conn)?;
                let (from, to) = (c.ends[usize::from(1 - towards)], c.ends[usize::from(towards)]);
                let parcel = c.lanes[usize::from(towards)].queue.front()?;
                let d = self.describe(conn, towards, parcel);
                (to, format!("{} {} from {from} arrives at {to}", d.kind, d.label), d.heartbeat)
            }
            Due::Dialled { conn } => {
                let c = self.net.conns.get(&conn)?;
                (c.ends[0], format!("{} connects to {}", c.ends[0], c.ends[1]), true)
            }
            Due::Start { server } => (Place::Server(server), format!("server {server} starts"), false),
            Due::DiskDone { server, .. } => {
                (Place::Server(server), format!("server {server}'s disk finishes a sync"), false)
            }
            Due::CompactDone { server, upto, .. } => {
                (Place::Server(server), format!("server {server} finishes the snapshot of {upto}"), false)
            }
            Due::ReportTouched { server, .. } => {
                (Place::Server(server), format!("server {server} notes which sessions were heard from"), true)
            }
            Due::ClientDial { client, .. } => (Place::Client(client), format!("client {client} dials a server"), true),
            Due::Fault => return None,
            Due::Load { client } => (Place::Client(client), format!("client {client} asks for something"), false),
        })
    }

    fn timer_text(&self, process: &Process) -> (String, bool) {
        (format!("a timer of server {} runs out", process.id), true)
    }

    fn server_view(&self, process: &Process) -> ServerView {
        let ensemble = self.spec.ensemble();
        let kind = ensemble.member(process.id).map_or(MemberKind::Observer, |m| m.kind);
        let media = &process.disk.media;
        ServerView {
            id: process.id,
            kind,
            shown: Shown::Down,
            paused: process.paused,
            phase: None,
            epoch: Epoch(0),
            accepted: media.accepted,
            current: media.current,
            leader: None,
            serving: false,
            round: 0,
            vote: None,
            ballots: Vec::new(),
            logged: media.last(),
            synced: media.last(),
            committed: media.base(),
            snapshot: media.base(),
            log: Vec::new(),
            outstanding: Vec::new(),
            quorum: ensemble.quorum_size(),
            tree_digest: 0,
            tree: Vec::new(),
            sessions: Vec::new(),
            deadline: None,
        }
    }
}
