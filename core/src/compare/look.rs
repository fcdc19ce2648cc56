//! Making the picture of a world of a compared protocol: the same as ZooKeeper's.

use crate::collections::order;
use crate::compare::World;
use crate::compare::core::Picture;
use crate::compare::world::{Body, Next, Process};
use crate::config::MemberKind;
use crate::id::{ServerId, Zxid};
use crate::sim::trouble::Upcoming;
use crate::sim::view::{
    ClientView, Flight, Inside, LinkView, ModelView, NextEvent, Place, ServerView, Shown, WorldView, ZnodeView,
};
use crate::time::Instant;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl World {
    /// The whole picture at this moment.
    pub fn view(&self) -> WorldView {
        self.view_with(self.flights())
    }

    /// The whole picture at this moment, of which `flights` are known already.
    pub fn view_with(&self, flights: Vec<Flight>) -> WorldView {
        WorldView {
            at: self.now(),
            events: self.events(),
            servers: self.processes.iter().map(server_view).collect(),
            links: self.link_views(),
            flights,
            clients: self.client_views(),
            checks: self.rules.views(self.spec.protocol),
            next: self.next_event(),
        }
    }

    /// Who leads and serves, in the highest epoch if there are several.
    pub fn leader(&self) -> Option<ServerId> {
        let up = self.processes.iter().filter(|p| p.up).map(|p| (p.id, p.core.picture()));
        up.filter(|(_, p)| p.shown == Shown::Leading && p.serving).max_by_key(|(_, p)| p.epoch).map(|(id, _)| id)
    }

    /// Every server in a few words.
    pub fn summary(&self) -> String {
        let each = self.processes.iter().map(|p| {
            let picture = p.core.picture();
            let up = if p.up { "" } else { " (down)" };
            format!("{}{up} {}, {} {}", p.id, picture.role.text(), picture.stage.text(), picture.about)
        });
        each.collect::<Vec<_>>().join("; ")
    }

    fn link_views(&self) -> Vec<LinkView> {
        let view = |((from, to), path): (&(ServerId, ServerId), &super::world::Path)| LinkView {
            from: *from,
            to: *to,
            cut: path.cut,
            delay_ms: path.extra_ms,
        };
        self.paths.iter().map(view).collect()
    }

    /// Messages under way at this moment, in order of sending.
    pub fn flights(&self) -> Vec<Flight> {
        self.packets
            .iter()
            .map(|(id, p)| {
                let (kind, label, epoch, reply, heartbeat) = match &p.body {
                    Body::Model(msg) => {
                        let l = msg.letter();
                        (l.kind.into(), l.label, l.epoch, l.reply, l.heartbeat)
                    }
                    Body::Request(_, write) => ("write".into(), format!("{write}"), None, false, false),
                    Body::Reply(_, answer) => ("answer".into(), answer.text.clone(), None, true, false),
                };
                let lost = self.is_cut(p.from, p.to);
                Flight {
                    id: *id,
                    from: p.from,
                    to: p.to,
                    kind,
                    label,
                    epoch,
                    reply,
                    heartbeat,
                    sent: p.sent,
                    due: p.due,
                    lost,
                }
            })
            .collect()
    }

    fn client_views(&self) -> Vec<ClientView> {
        let up = |id: ServerId| self.processes.iter().any(|p| p.id == id && p.up);
        self.clients
            .iter()
            .map(|(id, a)| ClientView {
                id: *id,
                server: Some(a.home),
                connected: !a.ended && up(a.home),
                session: None,
                ended: a.ended,
                paused: false,
                cut: false,
                recipe: None,
                waiting: a.waiting.as_ref().map(|(_, line)| line.clone()),
                talk: a.talk.clone(),
            })
            .collect()
    }

    fn next_event(&self) -> Option<NextEvent> {
        let (at, next) = self.next()?;
        self.event(at, next)
    }

    /// The next `most` things that will happen, as things stand now.
    pub fn upcoming(&self, most: usize) -> Vec<Upcoming> {
        let mut all: Vec<_> = self.coming().collect();
        order::sort(&mut all);
        let message = |next| if let Next::Arrive(number) = next { Some(number) } else { None };
        let some = all.into_iter().take(most);
        some.filter_map(|(at, next)| {
            Some(Upcoming { event: self.event(at, next)?, message: message(next), timer: None })
        })
        .collect()
    }

    fn event(&self, at: Instant, next: Next) -> Option<NextEvent> {
        let (place, what, quiet) = match next {
            Next::Start(id) => (Place::Server(id), format!("server {id} starts"), false),
            Next::Timer(id, timer) => (Place::Server(id), format!("server {id} {}", timer.text()), timer.is_quiet()),
            Next::Arrive(number) => {
                let packet = self.packets.get(&number)?;
                let flight = self.flights().into_iter().find(|f| f.id == number)?;
                (packet.to, format!("{} {} reaches {}", flight.kind, flight.label, packet.to), flight.heartbeat)
            }
        };
        Some(NextEvent { at: at.max(self.now), place, what, quiet })
    }
}

fn server_view(process: &Process) -> ServerView {
    let p: Picture = process.core.picture();
    let last = p.log.last().map_or(Zxid::ZERO, |c| c.zxid);
    let committed = p.log.iter().filter(|c| c.committed).map(|c| c.zxid).max().unwrap_or(Zxid::ZERO);
    let tree = p.rows.iter().map(|(path, data, zxid)| ZnodeView {
        path: path.clone(),
        data: data.clone(),
        version: 0,
        owner: None,
        watches: 0,
        mzxid: *zxid,
    });
    ServerView {
        id: process.id,
        kind: MemberKind::Participant,
        shown: if process.up { p.shown } else { Shown::Down },
        paused: process.paused,
        phase: p.phase.filter(|_| process.up),
        epoch: p.epoch,
        accepted: p.promised,
        current: p.epoch,
        leader: p.leader.filter(|_| process.up),
        serving: p.serving && process.up,
        round: 0,
        vote: None,
        ballots: Vec::new(),
        logged: last,
        synced: last,
        committed,
        snapshot: Zxid::ZERO,
        tree_digest: 0,
        tree: tree.collect(),
        sessions: Vec::new(),
        deadline: None,
        quorum: p.quorum,
        outstanding: if process.up { p.outstanding } else { Vec::new() },
        log: p.log,
        inside: Inside::default(),
        model: Some(ModelView {
            role: p.role,
            stage: p.stage,
            about: p.about,
            badge: p.badge,
            beside: p.beside,
            crown: p.crown,
            facts: p.facts,
            void: p.void,
        }),
    }
}
