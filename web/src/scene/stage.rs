//! The still part of the stage: servers, links, clients. Messages are in [`crate::scene::packets`].

use crate::flow::{Light, Message, Side};
use crate::scene::layout::{Layout, Point};
use crate::scene::ledger::{Meter, meters};
use crate::scene::palette::epoch_class;
use std::rc::Rc;
use zebu_core::collections::BTreeMap;
use zebu_core::config::MemberKind;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::note::PhaseName;
use zebu_core::recipe::State;
use zebu_core::sim::command::ClientId;
use zebu_core::sim::view::{ClientView, Flight, ModelView, Place, ServerView, Shown, WorldView};
use zebu_core::status::{Timer, TimerKind};
use zebu_core::time::Instant;

/// Everything that stands still between two events.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The places.
    pub layout: Rc<Layout>,
    /// Servers in order of id.
    pub servers: Vec<Server>,
    /// Every pair of servers, in order.
    pub links: Vec<Link>,
    /// Clients in order of id.
    pub clients: Vec<Client>,
    /// Messages that are causes or effects of what is picked.
    pub lit: BTreeMap<u64, Side>,
}

/// One server's disc and its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its centre.
    pub at: Point,
    /// What it does.
    pub shown: Shown,
    /// It leads an established reign and nobody knows a later one: a full crown; else, leading, a hollow one.
    pub reigns: bool,
    /// It has no vote.
    pub observer: bool,
    /// Frozen.
    pub paused: bool,
    /// Its phase, when that is not the normal one of its state.
    pub phase: Option<PhaseName>,
    /// Its epoch's number.
    pub epoch: i64,
    /// Its epoch's colour.
    pub colour: &'static str,
    /// Whom it follows.
    pub follows: Option<ServerId>,
    /// For whom it votes, while looking.
    pub votes_for: Option<(ServerId, Zxid)>,
    /// End of its log.
    pub logged: Zxid,
    /// End of what it knows to be committed.
    pub committed: Zxid,
    /// While leading with something uncommitted: the oldest, its acknowledgements, how many are needed.
    pub acks: Option<(Zxid, usize, usize)>,
    /// The same of the new members, while a change is open.
    pub joint: Option<Meter>,
    /// The clock that matters most.
    pub clock: Option<Clock>,
    /// Cause or effect of what is picked.
    pub lit: Option<Side>,
    /// The caption that stands speaks of it.
    pub spoken: bool,
    /// What a compared protocol adds.
    pub model: Option<ModelView>,
}

/// A running clock, drawn as an arc around its server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// What for.
    pub what: TimerKind,
    /// The share that is left, 0 to 1.
    pub share: f64,
    /// What is left, microseconds.
    pub left: u64,
    /// So little is left that it should be seen from the last row.
    pub urgent: bool,
}

impl Clock {
    /// A timer at a moment; nothing for those that only keep a rhythm.
    pub fn of(timer: &Timer, now: Instant) -> Option<Clock> {
        let whole = u64::try_from(timer.whole.as_micros()).unwrap_or(u64::MAX).max(1);
        let left = timer.at.0.saturating_sub(now.0);
        let share = (left as f64 / whole as f64).clamp(0.0, 1.0);
        let patience = matches!(timer.what, TimerKind::LeaderSilent | TimerKind::QuorumSilent | TimerKind::Join);
        (timer.what != TimerKind::Tick && timer.what != TimerKind::Redial).then_some(Clock {
            what: timer.what,
            share,
            left,
            urgent: patience && share < 0.62,
        })
    }
}

/// What a direction of a link is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Open.
    Open,
    /// Slower by so many milliseconds.
    Slow(u32),
    /// Nothing gets through.
    Cut,
}

/// The line between two servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The smaller id.
    pub a: ServerId,
    /// The larger id.
    pub b: ServerId,
    /// Edge of `a`'s disc.
    pub from: Point,
    /// Edge of `b`'s disc.
    pub to: Point,
    /// Where it is marked as cut or slow: near its middle, beside no other server.
    pub mark: Point,
    /// From `a` to `b`.
    pub forth: Way,
    /// From `b` to `a`.
    pub back: Way,
    /// One follows the other in this epoch's colour.
    pub reign: Option<&'static str>,
}

/// One client's square.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its name.
    pub id: ClientId,
    /// Its centre.
    pub at: Point,
    /// Edge of its server's disc, if it is connected.
    pub server: Option<Point>,
    /// Has a session and a connection.
    pub connected: bool,
    /// Its session is over.
    pub ended: bool,
    /// It waits for an answer.
    pub waiting: bool,
    /// Its recipe has what it wanted: the lock, the office.
    pub holds: bool,
}

impl Stage {
    /// The stage for a view.
    pub fn new(view: &WorldView, width: f64, height: f64) -> Stage {
        let ids: Vec<ServerId> = view.servers.iter().map(|s| s.id).collect();
        Stage::on(view, Rc::new(Layout::ring(&ids, width, height)))
    }

    /// The stage for a view with its servers at these places.
    pub fn on(view: &WorldView, layout: Rc<Layout>) -> Stage {
        // Coordinators of different transactions do not rule each other out.
        let apart = view.servers.iter().any(|s| s.model.as_ref().is_some_and(|m| m.badge.is_some()));
        let newest = view.servers.iter().filter(|s| reigning(s)).map(|s| s.epoch).max();
        let servers: Vec<Server> = view
            .servers
            .iter()
            .map(|s| {
                let at = layout.server(s.id).unwrap_or_default();
                server(s, at, (apart || newest == Some(s.epoch)) && reigning(s), view.at)
            })
            .collect();
        let links = links(view, &layout, &servers);
        let clients = clients(&view.clients, &layout);
        Stage { layout, servers, links, clients, lit: BTreeMap::new() }
    }

    /// The same with causes and effects lit.
    pub fn lit(mut self, light: &Light, messages: &[Message]) -> Stage {
        let sides: BTreeMap<Place, Side> = light.places().collect();
        for server in &mut self.servers {
            server.lit = sides.get(&Place::Server(server.id)).copied();
        }
        self.lit = messages.iter().filter_map(|m| Some((m.id, light.message(m)?))).collect();
        self
    }

    /// The same with a mark on the server of which the caption speaks.
    pub fn spoken(mut self, of: Option<ServerId>) -> Stage {
        for server in &mut self.servers {
            server.spoken = of == Some(server.id);
        }
        self
    }

    /// A client's centre.
    pub fn client(&self, id: ClientId) -> Option<Point> {
        self.clients.iter().find(|c| c.id == id).map(|c| c.at)
    }

    /// Where a message starts and ends: just outside the shapes at both ends.
    pub fn ends(&self, flight: &Flight) -> Option<(Point, Point)> {
        let (a, ra) = self.place(flight.from)?;
        let (b, rb) = self.place(flight.to)?;
        let d = a.distance(b).max(1.0);
        Some((a.towards(b, (ra / d).min(0.45)), b.towards(a, (rb / d).min(0.45))))
    }

    fn place(&self, place: Place) -> Option<(Point, f64)> {
        match place {
            Place::Server(id) => Some((self.layout.server(id)?, self.layout.radius)),
            Place::Client(id) => Some((self.client(id)?, self.layout.client_radius())),
        }
    }
}

fn reigning(s: &ServerView) -> bool {
    let works = s.phase == Some(PhaseName::Broadcast) || s.model.as_ref().is_some_and(|m| m.badge.is_some());
    s.shown == Shown::Leading && works
}

fn server(s: &ServerView, at: Point, reigns: bool, now: Instant) -> Server {
    let looking = s.shown == Shown::Looking;
    let proposal = s.outstanding.first().filter(|_| s.shown == Shown::Leading);
    let meter = proposal.map(|(zxid, by)| (*zxid, meters(s, by)));
    Server {
        id: s.id,
        at,
        shown: s.shown,
        reigns,
        observer: s.kind == MemberKind::Observer,
        paused: s.paused,
        phase: s.phase.filter(|p| !matches!(p, PhaseName::Broadcast | PhaseName::Election)),
        epoch: s.epoch.0,
        colour: if looking || s.shown == Shown::Down { "e0" } else { epoch_class(s.epoch) },
        follows: s.leader.filter(|l| *l != s.id && !looking),
        votes_for: s.vote.filter(|v| looking && v.leader != ServerId::NONE).map(|v| (v.leader, v.zxid)),
        logged: s.logged,
        committed: s.committed,
        acks: meter.map(|(zxid, ((have, need), _))| (zxid, have, need)),
        joint: meter.and_then(|(_, (_, joint))| joint),
        clock: s.inside.timers.first().filter(|_| !s.paused).and_then(|timer| Clock::of(timer, now)),
        lit: None,
        spoken: false,
        model: s.model.clone(),
    }
}

fn links(view: &WorldView, layout: &Layout, servers: &[Server]) -> Vec<Link> {
    let way = |from: ServerId, to: ServerId| {
        view.links.iter().find(|l| l.from == from && l.to == to).map_or(Way::Open, |l| {
            if l.cut {
                Way::Cut
            } else if l.delay_ms > 0 {
                Way::Slow(l.delay_ms)
            } else {
                Way::Open
            }
        })
    };
    let mut links = Vec::new();
    for (i, a) in servers.iter().enumerate() {
        for b in servers.iter().skip(i + 1) {
            let d = a.at.distance(b.at).max(1.0);
            let inset = (layout.radius + 3.0) / d;
            let reign = [(a, b), (b, a)].into_iter().find_map(|(learner, leader)| {
                (learner.follows == Some(leader.id) && learner.shown != Shown::Down).then_some(learner.colour)
            });
            let (from, to) = (a.at.towards(b.at, inset), b.at.towards(a.at, inset));
            let (forth, back) = (way(a.id, b.id), way(b.id, a.id));
            let others = servers.iter().filter(|s| s.id != a.id && s.id != b.id);
            let mark = if (forth, back) == (Way::Open, Way::Open) {
                from.towards(to, 0.5)
            } else {
                mark((from, to), others, layout)
            };
            links.push(Link { a: a.id, b: b.id, from, to, mark, forth, back, reign });
        }
    }
    links
}

/// The point of a line nearest to its middle that is on no disc and no badge of `others`; the middle if there is none.
fn mark<'a>((from, to): (Point, Point), others: impl Iterator<Item = &'a Server> + Clone, layout: &Layout) -> Point {
    let (r, text) = (layout.radius, layout.text);
    let is_free = |p: Point| {
        let covers = |s: &Server| {
            let (x, y) = ((p.x - s.at.x).abs(), p.y - s.at.y);
            p.distance(s.at) < r * 1.3 || (x < text * 3.6 && (y - r).abs() < text * 1.6)
        };
        !others.clone().any(covers)
    };
    let shares = (0..=4).flat_map(|n| [0.5 - 0.06 * f64::from(n), 0.5 + 0.06 * f64::from(n)]);
    shares.map(|share| from.towards(to, share)).find(|p| is_free(*p)).unwrap_or(from.towards(to, 0.5))
}

fn clients(views: &[ClientView], layout: &Layout) -> Vec<Client> {
    let mut placed: Vec<(Option<ServerId>, usize)> = Vec::new();
    views
        .iter()
        .map(|c| {
            let home = c.server.filter(|_| !c.ended);
            let nth = match placed.iter_mut().find(|(s, _)| *s == home) {
                Some((_, n)) => {
                    *n += 1;
                    *n - 1
                }
                None => {
                    placed.push((home, 1));
                    0
                }
            };
            let at = layout.client(home, nth);
            let server = home.and_then(|s| layout.server(s)).map(|p| {
                let d = p.distance(at).max(1.0);
                p.towards(at, (layout.radius + 3.0) / d)
            });
            let holds =
                !c.ended && c.recipe.as_ref().is_some_and(|r| matches!(r.state, State::Holding | State::Unsure));
            Client { id: c.id, at, server, connected: c.connected, ended: c.ended, waiting: c.waiting.is_some(), holds }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample;
    use zebu_core::id::Epoch;
    use zebu_core::sim::view::{ConfigView, MembersView};

    #[test]
    fn a_leader_of_an_older_epoch_wears_a_hollow_crown() {
        let mut view = sample::five();
        let stage = Stage::new(&view, 1152.0, 610.0);
        assert_eq!(stage.servers.iter().filter(|s| s.reigns).map(|s| s.id.0).collect::<Vec<_>>(), [3]);
        view.servers[4].shown = Shown::Leading;
        view.servers[4].epoch = Epoch(1);
        let stage = Stage::new(&view, 1152.0, 610.0);
        assert_eq!(stage.servers.iter().filter(|s| s.reigns).map(|s| s.id.0).collect::<Vec<_>>(), [3]);
        view.servers[4].epoch = Epoch(3);
        let stage = Stage::new(&view, 1152.0, 610.0);
        assert_eq!(stage.servers.iter().filter(|s| s.reigns).map(|s| s.id.0).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn links_show_both_directions_and_who_follows_whom() {
        let stage = Stage::new(&sample::five(), 1152.0, 610.0);
        assert_eq!(stage.links.len(), 10);
        let find = |a, b| stage.links.iter().find(|l| l.a.0 == a && l.b.0 == b).unwrap();
        assert_eq!((find(1, 5).forth, find(1, 5).back), (Way::Cut, Way::Open));
        assert_eq!((find(2, 5).forth, find(2, 5).back), (Way::Slow(40), Way::Open));
        assert_eq!(find(1, 3).reign, Some("e2"));
        assert_eq!(find(1, 2).reign, None);
    }

    #[test]
    fn what_marks_a_link_lies_on_no_other_server() {
        for (width, height) in [(1152.0, 610.0), (1880.0, 520.0), (1920.0, 530.0), (776.0, 390.0), (390.0, 330.0)] {
            let stage = Stage::new(&sample::five(), width, height);
            let (r, text) = (stage.layout.radius, stage.layout.text);
            for l in &stage.links {
                let others = stage.servers.iter().filter(|s| s.id != l.a && s.id != l.b);
                let at = mark((l.from, l.to), others.clone(), &stage.layout);
                for s in others {
                    let (x, y) = ((at.x - s.at.x).abs(), (at.y - s.at.y - r).abs());
                    let on = at.distance(s.at) < r * 1.1 || (x < text * 2.8 && y < text * 0.8);
                    assert!(!on, "{}-{} is marked on server {}, {width} x {height}", l.a, l.b, s.id);
                }
            }
        }
    }

    #[test]
    fn clients_stand_beside_their_server_without_covering_each_other() {
        let stage = Stage::new(&sample::five(), 1152.0, 610.0);
        assert_eq!(stage.clients.len(), 2);
        let d = stage.clients[0].at.distance(stage.clients[1].at);
        assert!(d > stage.layout.client_radius() * 2.0, "{d}");
        for c in &stage.clients {
            for s in &stage.servers {
                assert!(c.at.distance(s.at) > stage.layout.radius + stage.layout.client_radius());
            }
        }
    }

    #[test]
    fn while_members_change_the_leader_shows_the_quorum_of_both_configurations() {
        let mut view = sample::five();
        let leader = &mut view.servers[2];
        let config = |voters: &[i64], quorum| ConfigView {
            version: leader.committed,
            voters: voters.iter().map(|id| ServerId(*id)).collect(),
            observers: vec![],
            quorum,
        };
        let (old, new) = (config(&[1, 2, 3], 2), config(&[1, 2, 3, 4, 5], 3));
        leader.outstanding = vec![(leader.logged, vec![ServerId(3), ServerId(4)])];
        leader.inside.members = Some(MembersView { committed: old.clone(), proposed: Some(new) });
        let shown = Stage::new(&view, 1152.0, 610.0).servers[2].clone();
        assert_eq!((shown.acks.map(|a| (a.1, a.2)), shown.joint), (Some((1, 2)), Some((2, 3))));
        view.servers[2].inside.members = Some(MembersView { committed: old, proposed: None });
        assert_eq!(Stage::new(&view, 1152.0, 610.0).servers[2].joint, None);
    }

    #[test]
    fn an_arc_has_the_value_of_the_models_clock() {
        use std::time::Duration;
        use zebu_core::sim::{World, WorldSpec};
        let mut view = sample::five();
        let clock = |what, left: u64| Timer { what, at: Instant(view.at.0 + left), whole: Duration::from_millis(2500) };
        let half = clock(TimerKind::LeaderSilent, 1_250_000);
        let tick = clock(TimerKind::Tick, 1_250_000);
        view.servers[0].inside.timers = vec![half];
        view.servers[1].inside.timers = vec![tick];
        let stage = Stage::new(&view, 1152.0, 610.0);
        let shown = stage.servers[0].clock.unwrap();
        assert_eq!((shown.share, shown.left, shown.urgent), (0.5, 1_250_000, true));
        assert_eq!(stage.servers[1].clock, None, "a rhythm is no patience");

        // The same in a world: at every moment, the arc is what is left of the core's own clock.
        let mut world = World::new(WorldSpec::default());
        let mut seen = 0;
        for _ in 0..400 {
            world.step().unwrap();
            let view = world.view();
            let stage = Stage::new(&view, 1152.0, 610.0);
            for (server, shown) in view.servers.iter().zip(&stage.servers) {
                if let (Some(timer), Some(clock)) = (server.inside.timers.first(), shown.clock) {
                    let left = timer.at.0.saturating_sub(view.at.0);
                    assert_eq!(clock.left, left);
                    assert!((clock.share - left as f64 / timer.whole.as_micros() as f64).abs() < 1e-9);
                    seen += 1;
                }
            }
        }
        assert!(seen > 500, "{seen}");
    }

    #[test]
    fn votes_show_only_while_looking() {
        let mut view = sample::five();
        view.servers[0].shown = Shown::Looking;
        let stage = Stage::new(&view, 1152.0, 610.0);
        assert_eq!(stage.servers[0].votes_for.map(|(s, _)| s.0), Some(3));
        assert_eq!(stage.servers[0].follows, None);
        assert_eq!(stage.servers[1].votes_for, None);
        assert_eq!(stage.servers[1].follows, Some(ServerId(3)));
    }
}
