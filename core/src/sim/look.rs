//! Making the picture of a world.

use crate::client::line;
use crate::collections::{BTreeMap, order};
use crate::config::{Ensemble, MemberKind, Membership};
use crate::id::{ServerId, SessionId, Zxid};
use crate::server::{Plain, Server};
use crate::sim::command::ClientId;
use crate::sim::label::Labels;
use crate::sim::net::{Conn, Parcel, Payload};
use crate::sim::process::Process;
use crate::sim::queue::Due;
use crate::sim::trouble::Upcoming;
use crate::sim::view::{
    CheckView, ConfigView, DiskView, Flight, Inside, LinkView, LogCell, MembersView, NextEvent, Place, ServerView,
    SessionView, Shown, WorldView, ZnodeView,
};
use crate::sim::{Next, World, label};
use crate::status::{Deadline, Timer};
use crate::time::Instant;
use crate::wire::notification::ServerState;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;

impl World {
    /// The whole picture at this moment.
    pub fn view(&self) -> WorldView {
        self.view_with(self.flights(), &mut Labels::default())
    }

    /// The whole picture at this moment, of which `flights` are known already; `labels` may know words from earlier ones.
    pub fn view_with(&self, flights: Vec<Flight>, labels: &mut Labels) -> WorldView {
        WorldView {
            at: self.now,
            events: self.executed,
            servers: self.processes.iter().map(|p| self.server_view(p, labels)).collect(),
            links: self.link_views(),
            flights,
            clients: self.clients.values().map(|a| a.view()).collect(),
            checks: self
                .checks
                .all()
                .map(|(rule, broken)| CheckView { name: rule.name().into(), broken: broken.map(Into::into) })
                .collect(),
            next: self.next_event(),
        }
    }

    /// The established leader of the highest epoch that serves.
    pub fn leader(&self) -> Option<ServerId> {
        self.leading().map(|(id, _)| id)
    }

    fn leading(&self) -> Option<(ServerId, &Server<Plain>)> {
        let servers = self.processes.iter().filter_map(|p| p.server.as_ref().map(|s| (p.id, s)));
        servers
            .filter(|(_, s)| s.service().serving().is_some_and(|s| s.role == ServerState::Leading))
            .max_by_key(|(_, s)| s.peer().epoch())
    }

    /// Whether all servers run, serve, and have the same state.
    pub fn is_agreed(&self) -> bool {
        let mut states = self.processes.iter().map(|p| {
            let server = p.server.as_ref().filter(|s| s.service().serving().is_some())?;
            let (own, tree) = (&server.peer().ground().history, &server.side().0.tree);
            (own.last() == own.committed()).then(|| (own.committed(), tree.digest()))
        });
        let Some(Some(first)) = states.next() else { return false };
        states.all(|state| state == Some(first))
    }

    /// Every server in a few words.
    pub fn summary(&self) -> String {
        let each = self.processes.iter().map(|p| match &p.server {
            None => format!("{} down", p.id),
            Some(server) => {
                let (peer, own) = (server.peer(), &server.peer().ground().history);
                let serves = if server.service().serving().is_some() { "" } else { ", not serving" };
                format!(
                    "{} {:?} in {:?} at {} of {}{serves}",
                    p.id,
                    peer.state(),
                    peer.phase(),
                    own.committed(),
                    own.last()
                )
            }
        });
        each.collect::<Vec<_>>().join("; ")
    }

    /// Whether a client will never do anything again.
    pub fn client_is_over(&self, client: ClientId) -> bool {
        self.clients.get(&client).is_none_or(|a| a.is_over())
    }

    /// Requests of a client that are not answered.
    pub fn open_requests(&self, client: ClientId) -> usize {
        self.clients.get(&client).map_or(0, |a| a.lines.len() + a.waiting.len())
    }

    /// Whether a client's last request was answered without an error; `None` while it waits or if there was none.
    pub fn last_answer(&self, client: ClientId) -> Option<bool> {
        let last = self.clients.get(&client)?.talk.iter().rev().map(|e| &e.talk).find(|t| !t.event)?;
        last.answer.as_ref().map(|_| !last.failed)
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

    /// Messages under way at this moment, in order of sending: the part of [`World::view`] that changes most often.
    pub fn flights(&self) -> Vec<Flight> {
        self.flights_from(Vec::new())
    }

    /// As [`World::flights`], where `known` were under way earlier in this very run: what a message says does not change
    /// on its way, and finding the words is most of the work.
    pub fn flights_from(&self, mut known: Vec<Flight>) -> Vec<Flight> {
        let mut flights: Vec<Flight> = Vec::new();
        for (id, conn) in &self.net.conns {
            for towards in [0u8, 1] {
                for parcel in &conn.lanes[usize::from(towards)].queue {
                    if !matches!(parcel.payload, Payload::Syn | Payload::Fin) {
                        let before = known.binary_search_by_key(&parcel.id, |f| f.id).ok();
                        let before = before.and_then(|i| known.get_mut(i)).filter(|f| f.sent == parcel.sent);
                        flights.push(self.flight(*id, conn, towards, parcel, before));
                    }
                }
            }
        }
        order::sort_by_key(&mut flights, |f| f.id);
        flights
    }

    fn flight(&self, id: u64, conn: &Conn, towards: u8, parcel: &Parcel, before: Option<&mut Flight>) -> Flight {
        let (from, to) = (conn.ends[usize::from(1 - towards)], conn.ends[usize::from(towards)]);
        if let Some(before) = before {
            let (kind, label) = (mem::take(&mut before.kind), mem::take(&mut before.label));
            return Flight { kind, label, from, to, due: parcel.due, lost: self.net.is_cut(from, to), ..*before };
        }
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
        let (at, next) = self.next_real()?;
        let (place, what, quiet) = match next {
            Next::ServerTimer(index) => {
                let process = self.processes.get(index)?;
                let (what, quiet) = self.timer_text(process);
                (Place::Server(process.id), what, quiet)
            }
            Next::ClientTimer(id) if self.is_recipe_time(id, at) => {
                (Place::Client(id), format!("client {id}'s recipe goes on"), false)
            }
            Next::ClientTimer(id) => (Place::Client(id), format!("client {id} sends a ping"), true),
            Next::Chaos => (Place::Server(ServerId(1)), "chaos acts".into(), true),
            Next::Queued(due) => self.due_text(due, 0)?,
        };
        Some(NextEvent { at, place, what, quiet })
    }

    /// The next `most` things that will happen, as things stand now.
    pub fn upcoming(&self, most: usize) -> Vec<Upcoming> {
        let mut all: Vec<(Instant, u64, Upcoming)> = Vec::new();
        let mut before: BTreeMap<(u64, u8), usize> = BTreeMap::new();
        for (at, number, due) in self.queue.in_order() {
            if all.len() >= most {
                break;
            }
            let mut ahead = 0;
            let mut message = None;
            if let Due::Arrive { conn, towards } = due {
                let count = before.entry((conn, towards)).or_default();
                (ahead, *count) = (*count, *count + 1);
                let lane = self.net.conns.get(&conn).map(|c| &c.lanes[usize::from(towards)].queue);
                match lane.and_then(|queue| queue.get(ahead).filter(|_| !queue.iter().take(ahead + 1).any(|p| p.held)))
                {
                    Some(parcel) => {
                        message = (!matches!(parcel.payload, Payload::Syn | Payload::Fin)).then_some(parcel.id);
                    }
                    None => continue,
                }
            }
            if !self.is_real(due) {
                continue;
            }
            let at = at.max(self.now);
            let Some((place, what, quiet)) = self.due_text(due, ahead) else { continue };
            all.push((at, number, Upcoming { event: NextEvent { at, place, what, quiet }, message, timer: None }));
        }
        for process in &self.processes {
            let Some(at) = process.timer() else { continue };
            let (what, quiet) = self.timer_text(process);
            let timer = process.server.as_ref().and_then(|s| s.next_deadline()).map(|(_, reason)| reason);
            let event = NextEvent { at: at.max(self.now), place: Place::Server(process.id), what, quiet };
            all.push((event.at, u64::MAX, Upcoming { event, message: None, timer }));
        }
        for (id, actor) in &self.clients {
            let Some(at) = actor.timer() else { continue };
            let (place, what) = (Place::Client(*id), format!("client {id} sends a ping"));
            let event = NextEvent { at: at.max(self.now), place, what, quiet: true };
            all.push((event.at, u64::MAX, Upcoming { event, message: None, timer: None }));
        }
        // Stable: what stands first among equals stays first.
        order::sort_by_key(&mut all, |(at, number, _)| (*at, *number));
        all.truncate(most);
        all.into_iter().map(|(_, _, upcoming)| upcoming).collect()
    }

    fn due_text(&self, due: Due, ahead: usize) -> Option<(Place, String, bool)> {
        Some(match due {
            Due::Arrive { conn, towards } => {
                let c = self.net.conns.get(&conn)?;
                let (from, to) = (c.ends[usize::from(1 - towards)], c.ends[usize::from(towards)]);
                let parcel = c.lanes[usize::from(towards)].queue.get(ahead)?;
                let d = self.describe(conn, towards, parcel);
                (to, format!("{} {} from {from} arrives at {to}", d.kind, d.label), d.heartbeat)
            }
            Due::Break { conn, message } => {
                let c = self.net.conns.get(&conn)?;
                (c.ends[0], format!("the connection of message {message} breaks"), false)
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
        })
    }

    fn timer_text(&self, process: &Process) -> (String, bool) {
        let id = process.id;
        let reason = process.server.as_ref().and_then(|s| s.next_deadline()).map(|(_, reason)| reason);
        match reason {
            Some(Deadline::Notifications) => (format!("server {id} sends its vote again"), true),
            Some(Deadline::Finalize) => (format!("server {id} has waited long enough for a better vote"), false),
            Some(Deadline::Join) => (format!("server {id} gives up waiting"), false),
            Some(Deadline::Tick) => (format!("server {id} ticks: it pings its learners and counts them"), true),
            Some(Deadline::LeaderSilent) => (format!("server {id} has heard nothing of its leader"), false),
            Some(Deadline::Redial) => (format!("server {id} dials its leader again"), true),
            Some(Deadline::Session) => (format!("server {id} looks for silent sessions"), true),
            Some(Deadline::Containers) => (format!("server {id} looks for containers that may go"), true),
            Some(Deadline::ReadOnly) => (format!("server {id} begins to serve reads without a leader"), false),
            None => (format!("a timer of server {id} runs out"), true),
        }
    }

    fn server_view(&self, process: &Process, labels: &mut Labels) -> ServerView {
        let known = self.config_of(process.id.0 as usize - 1);
        let members = match &process.server {
            Some(server) => server.peer().members().clone(),
            None => Membership { committed: known.ensemble, proposed: known.proposed },
        };
        let kind = members.committed.member(process.id).map_or(MemberKind::Observer, |m| m.kind);
        let media = &process.disk.media;
        let mut view = ServerView {
            id: process.id,
            kind,
            shown: Shown::Down,
            paused: process.paused,
            phase: None,
            epoch: media.current,
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
            quorum: members.quorum_size(),
            tree_digest: 0,
            tree: Vec::new(),
            sessions: Vec::new(),
            deadline: None,
            inside: Inside {
                disk: disk_view(process),
                members: self.spec.reconfig.then(|| members_view(&members)),
                ..Inside::default()
            },
            model: None,
        };
        match &process.server {
            Some(server) => self.add_running(&mut view, process, server, labels),
            None => {
                let cell = |(zxid, txn): &(Zxid, Bytes)| LogCell {
                    zxid: *zxid,
                    label: labels.of(*zxid, txn),
                    synced: true,
                    acked: false,
                    committed: false,
                };
                view.log = media.entries.iter().map(cell).collect();
            }
        }
        view
    }

    fn add_running(&self, view: &mut ServerView, process: &Process, server: &Server<Plain>, labels: &mut Labels) {
        let status = server.status();
        view.shown = match status.state {
            ServerState::Looking => Shown::Looking,
            ServerState::Following => Shown::Following,
            ServerState::Leading => Shown::Leading,
            ServerState::Observing => Shown::Observing,
        };
        view.phase = Some(status.phase);
        view.epoch = status.epoch;
        view.accepted = status.accepted;
        view.current = status.current;
        view.leader = status.leader;
        view.serving = status.serving;
        view.round = status.round;
        view.vote = Some(status.vote);
        view.ballots = status.ballots;
        view.logged = status.logged;
        view.synced = status.synced;
        view.committed = status.committed;
        let acked = self.acked_by(process.id);
        view.log = server
            .history()
            .map(|(entry, synced)| LogCell {
                zxid: entry.zxid,
                label: labels.of(entry.zxid, &entry.txn),
                synced,
                acked: entry.zxid <= acked.max(status.committed),
                committed: entry.zxid <= status.committed,
            })
            .collect();
        view.outstanding = status.outstanding;
        let timers = server.peer().timers().into_iter();
        view.inside.timers = timers.map(|t| Timer { at: process.clock.world(t.at), ..t }).collect();
        view.inside.learners = status.learners;
        view.deadline =
            server.next_deadline().map(|(at, reason)| (process.clock.world(at) + process.stretched(), reason));
        let state = &server.side().0;
        view.tree_digest = state.tree.digest();
        view.tree = state
            .tree
            .walk()
            .map(|(path, node)| {
                let stat = node.stat();
                let path = if path.is_empty() { "/" } else { path };
                ZnodeView {
                    path: path.into(),
                    data: line::text(node.data().map(|d| &d[..]).unwrap_or_default(), 40),
                    version: stat.version,
                    owner: (stat.ephemeral_owner != 0).then_some(SessionId(stat.ephemeral_owner)),
                    watches: state.watches.count(path),
                    mzxid: stat.mzxid,
                }
            })
            .collect();
        let expires = |id| server.service().expires(id).map(|at| process.clock.world(at));
        view.sessions = state
            .tree
            .sessions()
            .iter()
            .map(|(id, timeout)| SessionView { id: *id, timeout_ms: *timeout, expires: expires(*id) })
            .collect();
    }

    /// Up to where the current leader has this server's acknowledgement.
    fn acked_by(&self, id: ServerId) -> Zxid {
        let outstanding = self.leading().map(|(_, s)| s.status().outstanding).unwrap_or_default();
        let acked = outstanding.iter().rev().find(|(_, by)| by.contains(&id));
        acked.map_or(Zxid::ZERO, |(zxid, _)| *zxid)
    }
}

fn members_view(members: &Membership) -> MembersView {
    let config = |ensemble: &Ensemble| ConfigView {
        version: Zxid(ensemble.version()),
        voters: ensemble.voters().collect(),
        observers: ensemble.members().map(|(id, _)| id).filter(|id| !ensemble.is_voter(*id)).collect(),
        quorum: ensemble.quorum_size(),
    };
    MembersView { committed: config(&members.committed), proposed: members.proposed.as_ref().map(config) }
}

fn disk_view(process: &Process) -> DiskView {
    let media = &process.disk.media;
    let (waiting, syncing) = process.disk.waiting();
    let ends = |log: &VecDeque<(Zxid, Bytes)>| {
        log.front().zip(log.back()).map(|((first, _), (last, _))| (*first, *last, log.len()))
    };
    DiskView {
        snapshots: media.files().filter_map(|(snapshot, _)| snapshot).collect(),
        logs: media.files().filter_map(|(_, log)| ends(log)).collect(),
        unsynced: waiting.map(label::record).collect(),
        syncing,
        read: process.read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::WorldSpec;
    use crate::sim::command::Command;
    use crate::status::TimerKind;
    use crate::time::Instant;
    use core::time::Duration;

    fn agreed() -> World {
        let mut world = World::new(WorldSpec::default());
        while !world.is_agreed() {
            assert!(world.step().is_some());
        }
        world
    }

    fn timer(world: &World, id: i64, kind: TimerKind) -> Option<Timer> {
        let view = world.view();
        let server = view.servers.iter().find(|s| s.id == ServerId(id))?;
        server.inside.timers.iter().copied().find(|t| t.what == kind)
    }

    #[test]
    fn a_learner_gives_up_exactly_when_its_clock_says() {
        let mut world = agreed();
        let leader = world.leader().unwrap();
        world.command(&Command::Pause { server: leader }).unwrap();
        // What is under way still arrives and winds the clock up again.
        world.run_until(world.now() + Duration::from_millis(20));
        let clock = timer(&world, 1, TimerKind::LeaderSilent).unwrap();
        assert_eq!(clock.whole, world.spec().config(ServerId(1)).sync_time());
        assert!(clock.at > world.now() && clock.at <= world.now() + clock.whole);
        let shown = |world: &World| world.view().servers[0].shown;
        world.run_until(Instant(clock.at.0 - 1));
        assert_eq!(shown(&world), Shown::Following);
        world.run_until(clock.at);
        assert_eq!(shown(&world), Shown::Looking);
    }

    #[test]
    fn a_leader_without_a_majority_gives_up_within_a_tick_of_its_clock() {
        let mut world = agreed();
        let leader = world.leader().unwrap();
        let groups = alloc::vec![alloc::vec![leader], (1..5).map(ServerId).collect()];
        world.command(&Command::Partition { groups }).unwrap();
        world.run_until(world.now() + Duration::from_millis(20));
        let clock = timer(&world, leader.0, TimerKind::QuorumSilent).unwrap();
        let tick = world.spec().config(leader).tick;
        let leads = |world: &World| world.view().servers[leader.0 as usize - 1].shown == Shown::Leading;
        world.run_until(clock.at);
        assert!(leads(&world));
        world.run_until(clock.at + tick * 2);
        assert!(!leads(&world));
    }

    #[test]
    fn a_disk_shows_what_a_crash_may_take_and_what_a_start_has_read() {
        let mut world = agreed();
        let client = ClientId(0);
        world.command(&Command::Connect { client, server: ServerId(1) }).unwrap();
        world.command(&Command::Ask { client, line: "create /x 1".into(), via: None }).unwrap();
        let disk = |world: &World| world.view().servers[0].inside.disk.clone();
        while disk(&world).unsynced.is_empty() {
            assert!(world.step().is_some());
        }
        assert!(disk(&world).unsynced[0].starts_with("1:"), "{:?}", disk(&world));
        assert!(disk(&world).syncing > 0);
        world.run_until(world.now() + Duration::from_millis(500));
        let whole = disk(&world);
        assert_eq!(whole.logs.iter().map(|(first, _, n)| (first.counter(), *n)).collect::<Vec<_>>(), [(1, 2)]);
        assert!(whole.unsynced.is_empty());
        world.command(&Command::Kill { server: ServerId(1) }).unwrap();
        world.command(&Command::Restart { server: ServerId(1) }).unwrap();
        world.run_until(world.now() + Duration::from_millis(50));
        let read = disk(&world).read.unwrap();
        assert_eq!((read.replayed, Some(read.last)), (2, whole.logs.last().map(|(_, last, _)| *last)));
    }
}
