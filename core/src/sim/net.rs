//! The network: connections that keep order, links between servers that can be slow or cut.
//!
//! A connection is a pair of lanes, one towards each end. What is sent waits in its lane until its arrival is due;
//! since a lane is a queue, nothing overtakes. A cut holds back what arrives through it (the bytes stay in the
//! sender's kernel): the ends find out by their own timeouts, and if the link heals only after a long time, the
//! connection is reset.

use crate::collections::BTreeMap;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::queue::{Due, Queue};
use crate::sim::spec::{Span, WorldSpec};
use crate::sim::view::Place;
use crate::time::Instant;
use crate::wire::notification::Notification;
use crate::wire::peer::PeerMsg;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use serde::Serialize;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum ConnKind {
    /// Notifications.
    Election,
    /// The quorum port.
    Quorum,
    /// The client port.
    Client,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) enum Payload {
    /// The connection's opening, first in the lane towards the accepting end.
    Syn,
    /// Its end.
    Fin,
    /// On an election connection.
    Notification(Notification),
    /// On a quorum connection.
    Packet(PeerMsg),
    /// On a client connection: a frame without its length.
    Frame(Bytes),
}

/// A message under way.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parcel {
    pub id: u64,
    pub payload: Payload,
    pub sent: Instant,
    pub due: Instant,
    /// The first frame in its lane: a handshake.
    pub first: bool,
    /// It waits until somebody lets it go.
    pub held: bool,
    /// It has arrived once already: the receiver throws it away.
    pub copy: bool,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Lane {
    pub queue: VecDeque<Parcel>,
    last_due: Instant,
    /// Arrivals that fell due while the link was cut or the receiver frozen.
    stalled: u32,
    /// A frame was sent in it.
    greeted: bool,
    /// The receiving end still listens.
    pub open: bool,
}

/// A connection; `ends[0]` dialled, `lanes[i]` leads towards `ends[i]`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Conn {
    pub kind: ConnKind,
    pub ends: [Place; 2],
    /// False while the dial is under way.
    pub up: bool,
    pub lanes: [Lane; 2],
}

/// One direction between two servers, if it is not as usual.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Path {
    pub cut_since: Option<Instant>,
    pub extra: Duration,
    /// The longest that chance adds to a message.
    pub jitter: Duration,
    /// Transmissions lost in a hundred.
    pub loss: u32,
    /// Messages doubled in a hundred.
    pub copies: u32,
    /// Transmissions repeated so far.
    pub resent: u32,
    /// Messages doubled so far.
    pub copied: u32,
}

impl Path {
    /// Whether chance has a say.
    pub fn is_unsteady(&self) -> bool {
        !self.jitter.is_zero() || self.loss > 0 || self.copies > 0
    }

    fn is_usual(&self) -> bool {
        self.cut_since.is_none() && self.extra.is_zero() && !self.is_unsteady()
    }
}

/// All connections and links.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Net {
    pub conns: BTreeMap<u64, Conn>,
    pub paths: BTreeMap<(ServerId, ServerId), Path>,
    next_conn: u64,
    next_parcel: u64,
    rng: Rng,
    /// The chance of unsteady links alone: without one, nothing is drawn.
    chance: Rng,
    latency: Span,
    client_latency: Span,
    reset_after: Duration,
}

/// How long a dial into a cut link takes to fail.
const DIAL_TIMEOUT: Duration = Duration::from_millis(1000);

/// How long TCP waits for an acknowledgement before it sends again; twice as long each time.
const SEND_AGAIN: Duration = Duration::from_millis(200);

/// So many times in a row at most.
const SEND_AGAIN_MAX: u32 = 6;

/// What became of an arrival that fell due.
pub(crate) enum Arrival {
    /// The connection is gone, or it waits behind a cut.
    Nothing,
    /// This one.
    Parcel(Parcel),
}

impl Net {
    pub fn new(spec: &WorldSpec, rng: Rng) -> Net {
        Net {
            conns: BTreeMap::new(),
            paths: BTreeMap::new(),
            next_conn: 1,
            next_parcel: 1,
            chance: rng.fork(1),
            rng,
            latency: spec.latency,
            client_latency: spec.client_latency,
            reset_after: Duration::from_millis(spec.reset_after_ms.into()),
        }
    }

    fn path(&self, from: Place, to: Place) -> Path {
        match (from, to) {
            (Place::Server(a), Place::Server(b)) => self.paths.get(&(a, b)).copied().unwrap_or_default(),
            _ => Path::default(),
        }
    }

    /// Whether nothing gets through from `from` to `to`.
    pub fn is_cut(&self, from: Place, to: Place) -> bool {
        self.path(from, to).cut_since.is_some()
    }

    fn latency(&mut self, from: Place, to: Place) -> Duration {
        let both_servers = matches!((from, to), (Place::Server(_), Place::Server(_)));
        let span = if both_servers { self.latency } else { self.client_latency };
        let extra = if self.paths.is_empty() { Duration::ZERO } else { self.path(from, to).extra };
        span.draw(&mut self.rng) + extra
    }

    /// Begins a dial; it is decided by [`Due::Dialled`].
    pub fn dial(&mut self, now: Instant, kind: ConnKind, from: Place, to: Place, queue: &mut Queue) -> u64 {
        let id = self.next_conn;
        self.next_conn += 1;
        let wait = if self.is_cut(from, to) || self.is_cut(to, from) {
            DIAL_TIMEOUT
        } else {
            self.latency(from, to) + self.latency(to, from)
        };
        self.conns.insert(id, Conn { kind, ends: [from, to], up: false, lanes: Default::default() });
        queue.push(now + wait, Due::Dialled { conn: id });
        id
    }

    /// Decides a dial: `listening` says whether the other process runs. The opening is on its way if it succeeds.
    pub fn decide_dial(&mut self, now: Instant, id: u64, listening: bool, queue: &mut Queue) -> bool {
        let Some(conn) = self.conns.get(&id) else { return false };
        let [from, to] = conn.ends;
        if !listening || self.is_cut(from, to) || self.is_cut(to, from) {
            self.conns.remove(&id);
            return false;
        }
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.up = true;
            conn.lanes[0].open = true;
            conn.lanes[1].open = true;
        }
        self.push(now, id, 1, Payload::Syn, queue);
        true
    }

    /// Sends towards `ends[towards]`. Gives the parcel's number, or `None` if the connection is closed.
    pub fn send(&mut self, now: Instant, id: u64, towards: u8, payload: Payload, queue: &mut Queue) -> Option<u64> {
        let conn = self.conns.get(&id)?;
        if !conn.up || !conn.lanes[usize::from(towards)].open || !conn.lanes[usize::from(1 - towards)].open {
            return None;
        }
        Some(self.push(now, id, towards, payload, queue))
    }

    fn push(&mut self, now: Instant, id: u64, towards: u8, payload: Payload, queue: &mut Queue) -> u64 {
        let parcel = self.next_parcel;
        let Some(ends) = self.conns.get(&id).map(|c| c.ends) else { return parcel };
        self.next_parcel += 1;
        let (from, to) = (ends[usize::from(1 - towards)], ends[usize::from(towards)]);
        let arrives = now + self.latency(from, to) + self.unsteadiness(from, to);
        let copied = self.draw_copy(from, to, &payload);
        if let Some(conn) = self.conns.get_mut(&id) {
            let lane = &mut conn.lanes[usize::from(towards)];
            let due = arrives.max(lane.last_due);
            lane.last_due = due;
            let frame = matches!(payload, Payload::Frame(_));
            let first = frame && !lane.greeted;
            lane.greeted |= frame;
            lane.queue.push_back(Parcel { id: parcel, payload, sent: now, due, first, held: false, copy: false });
            queue.push(due, Due::Arrive { conn: id, towards });
        }
        if copied {
            let last = self.conns.get(&id).map_or(0, |c| c.lanes[usize::from(towards)].queue.len().saturating_sub(1));
            self.copy(id, towards, last);
            let due = self.conns.get(&id).map_or(arrives, |c| c.lanes[usize::from(towards)].last_due);
            queue.push(due, Due::Arrive { conn: id, towards });
        }
        parcel
    }

    /// What an unsteady link adds to a message: jitter, and the time of transmissions that were lost.
    fn unsteadiness(&mut self, from: Place, to: Place) -> Duration {
        let (Place::Server(a), Place::Server(b)) = (from, to) else { return Duration::ZERO };
        let Some(path) = self.paths.get_mut(&(a, b)).filter(|p| p.is_unsteady()) else { return Duration::ZERO };
        let mut more = Duration::ZERO;
        if !path.jitter.is_zero() {
            more += Duration::from_micros(self.chance.between(0, path.jitter.as_micros() as u64));
        }
        let mut times = 0;
        while path.loss > 0 && times < SEND_AGAIN_MAX && self.chance.below(100) < path.loss.into() {
            more += SEND_AGAIN * (1 << times);
            times += 1;
        }
        path.resent = path.resent.saturating_add(times);
        more
    }

    fn draw_copy(&mut self, from: Place, to: Place, payload: &Payload) -> bool {
        let (Place::Server(a), Place::Server(b)) = (from, to) else { return false };
        if matches!(payload, Payload::Syn | Payload::Fin) {
            return false;
        }
        let Some(path) = self.paths.get_mut(&(a, b)).filter(|p| p.copies > 0) else { return false };
        let copied = self.chance.below(100) < path.copies.into();
        path.copied = path.copied.saturating_add(copied.into());
        copied
    }

    /// Puts a copy right behind a message in a lane. Its arrival has still to be planned.
    pub fn copy(&mut self, id: u64, towards: u8, at: usize) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let lane = &mut conn.lanes[usize::from(towards)];
        let Some(parcel) = lane.queue.get(at) else { return };
        let copy = Parcel { id: self.next_parcel, copy: true, held: false, ..parcel.clone() };
        self.next_parcel += 1;
        lane.queue.insert(at + 1, copy);
    }

    /// Plans all arrivals of a lane anew, in order and each when it is due.
    pub fn reschedule(&mut self, now: Instant, id: u64, towards: u8, queue: &mut Queue) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let lane = &mut conn.lanes[usize::from(towards)];
        queue.remove_arrivals(id, towards);
        lane.stalled = 0;
        let mut due = Instant::ZERO;
        for parcel in lane.queue.iter_mut() {
            due = due.max(parcel.due);
            parcel.due = due;
            queue.push(due.max(now), Due::Arrive { conn: id, towards });
        }
        lane.last_due = due;
    }

    /// Whether an arrival that falls due now is one.
    pub fn can_arrive(&self, id: u64, towards: u8, frozen: impl Fn(Place) -> bool) -> bool {
        let Some(conn) = self.conns.get(&id) else { return false };
        let (from, to) = (conn.ends[usize::from(1 - towards)], conn.ends[usize::from(towards)]);
        let lane = &conn.lanes[usize::from(towards)];
        lane.open && lane.queue.front().is_some_and(|p| !p.held) && !frozen(to) && !self.is_cut(from, to)
    }

    /// An arrival fell due; `frozen` says whether the receiver is.
    pub fn arrive(&mut self, id: u64, towards: u8, frozen: impl Fn(Place) -> bool) -> Arrival {
        let Some(conn) = self.conns.get(&id) else { return Arrival::Nothing };
        let (from, to) = (conn.ends[usize::from(1 - towards)], conn.ends[usize::from(towards)]);
        let held = frozen(to) || (!self.paths.is_empty() && self.is_cut(from, to));
        let Some(conn) = self.conns.get_mut(&id) else { return Arrival::Nothing };
        let lane = &mut conn.lanes[usize::from(towards)];
        if !lane.open {
            return Arrival::Nothing;
        }
        if held || lane.queue.front().is_some_and(|p| p.held) {
            lane.stalled += 1;
            return Arrival::Nothing;
        }
        match lane.queue.pop_front() {
            Some(parcel) => Arrival::Parcel(parcel),
            None => Arrival::Nothing,
        }
    }

    /// One end stops listening: what is on its way to it is lost (and given back), and the other end learns of it
    /// behind what was sent already; not at all if `silent` (the machine lost its power).
    pub fn close_end(&mut self, now: Instant, id: u64, end: u8, silent: bool, queue: &mut Queue) -> Vec<Parcel> {
        let Some(conn) = self.conns.get_mut(&id) else { return Vec::new() };
        if !conn.up && end == 1 {
            // Nobody has answered the dial yet: it is decided when it is due.
            return Vec::new();
        }
        let lane = &mut conn.lanes[usize::from(end)];
        lane.open = false;
        lane.stalled = 0;
        let lost = core::mem::take(&mut lane.queue).into();
        if !conn.up || !conn.lanes[usize::from(1 - end)].open {
            self.conns.remove(&id);
        } else if !silent {
            self.push(now, id, 1 - end, Payload::Fin, queue);
        }
        lost
    }

    /// What the machine of `ends[end]` has not got through a cut when it stops: nobody sends it again.
    pub fn forget_unsent(&mut self, id: u64, end: u8) -> Vec<Parcel> {
        let Some(ends) = self.conns.get(&id).map(|c| c.ends) else { return Vec::new() };
        let towards = usize::from(1 - end);
        if !self.is_cut(ends[usize::from(end)], ends[towards]) {
            return Vec::new();
        }
        let Some(conn) = self.conns.get_mut(&id) else { return Vec::new() };
        let lane = &mut conn.lanes[towards];
        lane.stalled = 0;
        core::mem::take(&mut lane.queue).into()
    }

    /// The machine of `ends[end]` loses its power: of what it has sent lately a drawn part never left it.
    pub fn cut_short(&mut self, id: u64, end: u8) -> Vec<Parcel> {
        let Some(conn) = self.conns.get_mut(&id) else { return Vec::new() };
        let lane = &mut conn.lanes[usize::from(1 - end)];
        let left = self.rng.below(lane.queue.len() as u64 + 1) as usize;
        lane.stalled = lane.stalled.min(u32::try_from(left).unwrap_or(u32::MAX));
        lane.queue.split_off(left).into()
    }

    /// The machine of `place` is back: whoever still holds a connection to its former life learns that it is gone.
    pub fn refuse_old(&mut self, now: Instant, place: Place, queue: &mut Queue) {
        let dead = |conn: &Conn, end: usize| conn.up && conn.ends[end] == place && !conn.lanes[end].open;
        let hanging: Vec<(u64, u8)> = self
            .conns
            .iter()
            .flat_map(|(id, conn)| [(*id, 0u8), (*id, 1)].into_iter().filter(|(_, e)| dead(conn, usize::from(*e))))
            .collect();
        for (id, end) in hanging {
            let told = self
                .conns
                .get(&id)
                .is_some_and(|c| c.lanes[usize::from(1 - end)].queue.iter().any(|p| p.payload == Payload::Fin));
            if !told {
                self.push(now, id, 1 - end, Payload::Fin, queue);
            }
        }
    }

    /// What stalled towards `place` (it was frozen), or on the way from `from`, goes on.
    pub fn unstall(&mut self, now: Instant, from: Option<Place>, place: Place, queue: &mut Queue) {
        let lanes: Vec<(u64, u8)> = self
            .conns
            .iter()
            .flat_map(|(id, conn)| {
                [0u8, 1].into_iter().filter_map(move |towards| {
                    let (sender, receiver) = (conn.ends[usize::from(1 - towards)], conn.ends[usize::from(towards)]);
                    let ours = receiver == place && from.is_none_or(|from| from == sender);
                    (ours && conn.lanes[usize::from(towards)].stalled > 0).then_some((*id, towards))
                })
            })
            .collect();
        for (id, towards) in lanes {
            let Some(ends) = self.conns.get(&id).map(|c| c.ends) else { continue };
            let wait = self.latency(ends[usize::from(1 - towards)], ends[usize::from(towards)]);
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            let lane = &mut conn.lanes[usize::from(towards)];
            let mut due = now + wait;
            for parcel in lane.queue.iter_mut() {
                due = due.max(parcel.due);
                parcel.due = due;
            }
            lane.last_due = lane.last_due.max(due);
            for _ in 0..core::mem::take(&mut lane.stalled) {
                queue.push(now + wait, Due::Arrive { conn: id, towards });
            }
        }
    }

    /// Cuts one direction.
    pub fn cut(&mut self, now: Instant, from: ServerId, to: ServerId) {
        self.paths.entry((from, to)).or_default().cut_since.get_or_insert(now);
    }

    /// Undoes a cut of one direction. Connections that were held for long are given back: they must be reset.
    pub fn heal(&mut self, now: Instant, from: ServerId, to: ServerId, queue: &mut Queue) -> Vec<u64> {
        let Some(path) = self.paths.get_mut(&(from, to)) else { return Vec::new() };
        let Some(since) = path.cut_since.take() else { return Vec::new() };
        if path.is_usual() {
            self.paths.remove(&(from, to));
        }
        let (a, b) = (Place::Server(from), Place::Server(to));
        if now.since(since) >= self.reset_after {
            return self.between(a, b);
        }
        self.unstall(now, Some(a), b, queue);
        Vec::new()
    }

    /// Sets the extra latency of one direction.
    pub fn delay(&mut self, from: ServerId, to: ServerId, extra: Duration) {
        self.paths.entry((from, to)).or_default().extra = extra;
        self.paths.retain(|_, path| !path.is_usual());
    }

    /// Sets how unsteady one direction is.
    pub fn unsteady(&mut self, from: ServerId, to: ServerId, jitter: Duration, loss: u32, copies: u32) {
        let path = self.paths.entry((from, to)).or_default();
        *path = Path { jitter, loss, copies, ..*path };
        self.paths.retain(|_, path| !path.is_usual());
    }

    /// The connections between two places that are up.
    pub fn between(&self, a: Place, b: Place) -> Vec<u64> {
        self.conns.iter().filter(|(_, c)| c.up && (c.ends == [a, b] || c.ends == [b, a])).map(|(id, _)| *id).collect()
    }

    /// The connections that end at `place`, with the index of that end.
    pub fn at(&self, place: Place) -> Vec<(u64, u8)> {
        self.conns
            .iter()
            .filter_map(|(id, c)| {
                c.ends.iter().position(|e| *e == place).map(|end| (*id, if end == 0 { 0 } else { 1 }))
            })
            .collect()
    }

    /// Forgets a connection; gives back what was on it.
    pub fn remove(&mut self, id: u64) -> Option<Conn> {
        self.conns.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Place = Place::Server(ServerId(1));
    const B: Place = Place::Server(ServerId(2));

    fn frame(n: u8) -> Payload {
        Payload::Frame(Bytes::copy_from_slice(&[n]))
    }

    /// A connection that A has dialled and B has taken.
    fn connected() -> (Net, Queue, u64) {
        let spec = WorldSpec { latency: Span::millis(1, 50), ..WorldSpec::default() };
        let (mut net, mut queue) = (Net::new(&spec, Rng::new(3)), Queue::default());
        let conn = net.dial(Instant::ZERO, ConnKind::Quorum, A, B, &mut queue);
        let (now, _) = queue.pop().unwrap();
        assert!(net.decide_dial(now, conn, true, &mut queue));
        assert_eq!(run(&mut net, &mut queue, |_| false), [(B, Payload::Syn)]);
        (net, queue, conn)
    }

    /// Lets everything arrive that can.
    fn run(net: &mut Net, queue: &mut Queue, frozen: fn(Place) -> bool) -> Vec<(Place, Payload)> {
        let mut arrived = Vec::new();
        while let Some((_, due)) = queue.pop() {
            let Due::Arrive { conn, towards } = due else { continue };
            let place = net.conns.get(&conn).map(|c| c.ends[usize::from(towards)]);
            if let (Some(place), Arrival::Parcel(parcel)) = (place, net.arrive(conn, towards, frozen)) {
                arrived.push((place, parcel.payload));
            }
        }
        arrived
    }

    #[test]
    fn nothing_overtakes_within_a_direction() {
        let (mut net, mut queue, conn) = connected();
        for n in 0..40 {
            net.send(Instant(u64::from(n) * 100), conn, 1, frame(n), &mut queue);
        }
        let arrived: Vec<_> = run(&mut net, &mut queue, |_| false).into_iter().map(|(_, payload)| payload).collect();
        assert_eq!(arrived, (0..40).map(frame).collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_holds_one_direction_and_healing_lets_go_in_order() {
        let (mut net, mut queue, conn) = connected();
        net.cut(Instant::ZERO, ServerId(1), ServerId(2));
        net.send(Instant::ZERO, conn, 1, frame(1), &mut queue);
        net.send(Instant::ZERO, conn, 0, frame(2), &mut queue);
        net.send(Instant::ZERO, conn, 1, frame(3), &mut queue);
        assert_eq!(run(&mut net, &mut queue, |_| false), [(A, frame(2))]);
        assert!(net.heal(Instant(1_000_000), ServerId(1), ServerId(2), &mut queue).is_empty());
        assert_eq!(run(&mut net, &mut queue, |_| false), [(B, frame(1)), (B, frame(3))]);
        // A cut that lasted too long breaks the connection instead.
        net.cut(Instant(1_000_000), ServerId(1), ServerId(2));
        assert_eq!(net.heal(Instant(60_000_000), ServerId(1), ServerId(2), &mut queue), [conn]);
    }

    #[test]
    fn what_comes_to_a_frozen_receiver_waits() {
        let (mut net, mut queue, conn) = connected();
        net.send(Instant::ZERO, conn, 1, frame(1), &mut queue);
        assert!(run(&mut net, &mut queue, |place| place == B).is_empty());
        net.unstall(Instant(5), None, B, &mut queue);
        assert_eq!(run(&mut net, &mut queue, |_| false), [(B, frame(1))]);
    }

    #[test]
    fn the_other_end_learns_of_a_close_behind_what_was_sent() {
        let (mut net, mut queue, conn) = connected();
        net.send(Instant::ZERO, conn, 1, frame(1), &mut queue);
        net.send(Instant::ZERO, conn, 0, frame(2), &mut queue);
        let lost = net.close_end(Instant(1), conn, 0, false, &mut queue);
        assert_eq!(lost.len(), 1, "what was on its way to the closed end");
        assert_eq!(net.send(Instant(2), conn, 0, frame(3), &mut queue), None);
        assert_eq!(run(&mut net, &mut queue, |_| false), [(B, frame(1)), (B, Payload::Fin)]);
    }

    #[test]
    fn without_power_nobody_is_told_until_the_machine_is_back() {
        let (mut net, mut queue, conn) = connected();
        net.close_end(Instant(1), conn, 1, true, &mut queue);
        assert!(run(&mut net, &mut queue, |_| false).is_empty());
        net.refuse_old(Instant(9), B, &mut queue);
        net.refuse_old(Instant(9), B, &mut queue);
        assert_eq!(run(&mut net, &mut queue, |_| false), [(A, Payload::Fin)]);
    }

    #[test]
    fn dials_fail_where_nobody_listens_or_nothing_gets_through() {
        let (mut net, mut queue, _) = connected();
        for (listening, cut, up) in [(true, false, true), (false, false, false), (true, true, false)] {
            if cut {
                net.cut(Instant::ZERO, ServerId(2), ServerId(1));
            }
            let conn = net.dial(Instant::ZERO, ConnKind::Quorum, A, B, &mut queue);
            // The other process may come and go while the dial is under way.
            net.close_end(Instant::ZERO, conn, 1, false, &mut queue);
            assert_eq!(net.decide_dial(Instant(9), conn, listening, &mut queue), up);
        }
    }
}
