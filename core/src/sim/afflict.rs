//! Carrying out the finer faults of [`crate::sim::trouble`].

use crate::collections::order;
use crate::id::ServerId;
use crate::sim::faults::Faults;
use crate::sim::label::Described;
use crate::sim::net::Payload;
use crate::sim::queue::Due;
use crate::sim::trouble::{
    LONGEST_MS, MOST_RULES, MessageAct, MessageRule, TimerAct, Trouble, TroubledServer, Troubles, UnsteadyLink,
};
use crate::sim::view::Place;
use crate::sim::{CommandError, World};
use crate::trace::{LossReason, TraceEvent};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// Where a message is: its connection, its direction, and how many are before it.
#[derive(Clone, Copy)]
struct Spot {
    conn: u64,
    towards: u8,
    ahead: usize,
    held: bool,
}

impl World {
    /// Carries out what [`World::validate_trouble`] has let pass.
    pub(super) fn afflict(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Unsteady { from, to, jitter_ms, loss_percent, copy_percent } => {
                let jitter = Duration::from_millis((*jitter_ms).into());
                self.net.unsteady(*from, *to, jitter, *loss_percent, *copy_percent);
            }
            Trouble::Message { id, act } => self.tamper(*id, *act),
            Trouble::NextMessage(rule) => self.rules.push(rule.clone()),
            Trouble::ForgetRules => self.rules.clear(),
            Trouble::Timer { server, act } => self.touch_timer(*server, *act),
            Trouble::LoseTail { server } => self.on_process(*server, |p, _| p.disk.lose_tail = true),
            Trouble::DiskFull { server, full } => self.on_process(*server, |p, _| p.disk.full = *full),
            Trouble::ClockJump { server, millis } => self.on_process(*server, |p, now| {
                p.clock.jump(now, *millis);
                p.set_timer();
            }),
            Trouble::ClockRate { server, percent } => self.on_process(*server, |p, now| {
                p.clock.set_rate(now, *percent);
                p.set_timer();
            }),
            Trouble::Chaos { seed } => self.chaos = Some(Box::new((*seed, Faults::draw_at(*seed, self.now)))),
            Trouble::Calm => {
                self.chaos = None;
                Faults::mend(self);
            }
        }
    }

    fn on_process(
        &mut self,
        server: ServerId,
        f: impl FnOnce(&mut crate::sim::process::Process, crate::time::Instant),
    ) {
        let now = self.now;
        if let Some(process) = self.index(server).and_then(|i| self.processes.get_mut(i)) {
            f(process, now);
        }
    }

    pub(super) fn validate_trouble(&self, trouble: &Trouble) -> Result<(), CommandError> {
        let servers = self.processes.len();
        let known = |server: ServerId| self.index(server).ok_or(CommandError::NoSuchServer { server, servers });
        let at_most = |n: u32, most: u32| if n <= most { Ok(()) } else { Err(CommandError::TooMuch { most }) };
        let timed = |server: ServerId| {
            let process = &self.processes[known(server)?];
            match process.timer() {
                _ if !process.is_running() => Err(CommandError::Down(server)),
                _ if process.paused => Err(CommandError::Frozen(server)),
                None => Err(CommandError::NoTimer(server)),
                Some(_) => Ok(()),
            }
        };
        match trouble {
            Trouble::Unsteady { from, to, jitter_ms, loss_percent, copy_percent } => {
                known(*from)?;
                known(*to)?;
                if from == to {
                    return Err(CommandError::LinkToItself(*from));
                }
                at_most(*jitter_ms, LONGEST_MS)?;
                at_most(*loss_percent, 90)?;
                at_most(*copy_percent, 100)
            }
            Trouble::Message { id, act } => {
                let spot = self.find_message(*id).ok_or(CommandError::NoSuchMessage(*id))?;
                match act {
                    MessageAct::Release if !spot.held => Err(CommandError::NotHeld(*id)),
                    MessageAct::Hold if spot.held => Err(CommandError::HeldAlready(*id)),
                    MessageAct::Delay { millis } => at_most(*millis, LONGEST_MS),
                    MessageAct::Now => self.can_come_now(*id, spot),
                    _ => Ok(()),
                }
            }
            Trouble::NextMessage(rule) => {
                if self.rules.len() >= MOST_RULES {
                    return Err(CommandError::TooManyRules);
                }
                for place in [rule.from, rule.to].into_iter().flatten() {
                    if let Place::Server(server) = place {
                        known(server)?;
                    }
                }
                match rule.act {
                    MessageAct::Delay { millis } => at_most(millis, LONGEST_MS),
                    MessageAct::Drop | MessageAct::Duplicate | MessageAct::Hold => Ok(()),
                    MessageAct::Release | MessageAct::Now => Err(CommandError::NoRule(rule.act)),
                }
            }
            Trouble::Timer { server, act } => {
                timed(*server)?;
                match act {
                    TimerAct::Fire => Ok(()),
                    TimerAct::Stretch { millis } => at_most(*millis, LONGEST_MS),
                    TimerAct::Align { with } => timed(*with),
                }
            }
            Trouble::LoseTail { server } | Trouble::DiskFull { server, .. } => known(*server).map(|_| ()),
            Trouble::ClockJump { server, millis } => {
                known(*server)?;
                at_most(millis.unsigned_abs(), LONGEST_MS)
            }
            Trouble::ClockRate { server, percent } => {
                known(*server)?;
                if *percent >= 10 { at_most(*percent, 1000) } else { Err(CommandError::TooLittle { least: 10 }) }
            }
            Trouble::ForgetRules | Trouble::Chaos { .. } | Trouble::Calm => Ok(()),
        }
    }

    /// Why a message can't arrive at once, if it can't: order within a connection is never broken.
    fn can_come_now(&self, id: u64, spot: Spot) -> Result<(), CommandError> {
        let Some(conn) = self.net.conns.get(&spot.conn) else { return Err(CommandError::NoSuchMessage(id)) };
        let (from, to) = (conn.ends[usize::from(1 - spot.towards)], conn.ends[usize::from(spot.towards)]);
        if self.net.is_cut(from, to) {
            return Err(CommandError::BehindCut(id));
        }
        if let Place::Server(server) = to
            && self.is_frozen(to)
        {
            return Err(CommandError::Frozen(server));
        }
        if spot.ahead > 0 { Err(CommandError::NotFirst { ahead: spot.ahead }) } else { Ok(()) }
    }

    fn find_message(&self, id: u64) -> Option<Spot> {
        self.net.conns.iter().find_map(|(conn, c)| {
            [0u8, 1].into_iter().find_map(|towards| {
                let queue = &c.lanes[usize::from(towards)].queue;
                let ahead = queue.iter().position(|p| p.id == id)?;
                let parcel = queue.get(ahead)?;
                if matches!(parcel.payload, Payload::Syn | Payload::Fin) {
                    return None;
                }
                Some(Spot { conn: *conn, towards, ahead, held: parcel.held })
            })
        })
    }

    fn tamper(&mut self, id: u64, act: MessageAct) {
        let Some(spot) = self.find_message(id) else { return };
        if act == MessageAct::Drop {
            self.drop_message(spot);
            return;
        }
        let now = self.now;
        let Some(conn) = self.net.conns.get_mut(&spot.conn) else { return };
        let lane = &mut conn.lanes[usize::from(spot.towards)];
        let Some(parcel) = lane.queue.get_mut(spot.ahead) else { return };
        match act {
            MessageAct::Hold => parcel.held = true,
            MessageAct::Release => parcel.held = false,
            MessageAct::Delay { millis } => parcel.due = parcel.due.max(now) + Duration::from_millis(millis.into()),
            MessageAct::Now => {
                parcel.due = now;
                parcel.held = false;
            }
            MessageAct::Duplicate => self.net.copy(spot.conn, spot.towards, spot.ahead),
            MessageAct::Drop => {}
        }
        self.net.reschedule(now, spot.conn, spot.towards, &mut self.queue);
    }

    /// A message is lost. TCP would send it again until it gives the connection up: that is what the ends see.
    fn drop_message(&mut self, spot: Spot) {
        let Some(conn) = self.net.conns.get_mut(&spot.conn) else { return };
        let towards = usize::from(spot.towards);
        let (from, to) = (conn.ends[1 - towards], conn.ends[towards]);
        if let Some(parcel) = conn.lanes[towards].queue.remove(spot.ahead) {
            self.record_loss(&parcel, from, to, LossReason::Dropped);
        }
        self.reset(spot.conn);
    }

    /// A connection is to break because a rule has dropped a message on it.
    pub(super) fn on_break(&mut self, conn: u64, message: u64) -> Option<(Place, bool)> {
        let spot = self.find_message(message).filter(|spot| spot.conn == conn)?;
        let place = self.net.conns.get(&conn)?.ends[usize::from(spot.towards)];
        self.drop_message(spot);
        Some((place, false))
    }

    pub(super) fn can_break(&self, conn: u64, message: u64) -> bool {
        self.find_message(message).is_some_and(|spot| spot.conn == conn)
    }

    /// A message was sent: the first rule that fits acts on it and is gone.
    pub(super) fn apply_rules(&mut self, conn: u64, towards: u8, id: u64) {
        let Some(c) = self.net.conns.get(&conn) else { return };
        let (from, to) = (c.ends[usize::from(1 - towards)], c.ends[usize::from(towards)]);
        let Some(parcel) = c.lanes[usize::from(towards)].queue.iter().rfind(|p| p.id == id) else { return };
        if matches!(parcel.payload, Payload::Syn | Payload::Fin) {
            return;
        }
        let Described { kind, label, .. } = self.describe(conn, towards, parcel);
        let fits = |rule: &MessageRule| {
            rule.kind.as_ref().is_none_or(|k| *k == kind)
                && rule.from.is_none_or(|f| f == from)
                && rule.to.is_none_or(|t| t == to)
                && rule.with.as_ref().is_none_or(|w| label.contains(w.as_str()))
        };
        let Some(index) = self.rules.iter().position(fits) else { return };
        let act = self.rules.remove(index).act;
        self.record(|| TraceEvent::Caught { id, from, to, kind, act });
        if act == MessageAct::Drop {
            // The server that sends is in the middle of its step: the connection breaks right after it.
            self.tamper(id, MessageAct::Hold);
            self.queue.push(self.now, Due::Break { conn, message: id });
        } else {
            self.tamper(id, act);
        }
    }

    fn touch_timer(&mut self, server: ServerId, act: TimerAct) {
        let now = self.now;
        let other = match act {
            TimerAct::Align { with } => self.index(with).and_then(|i| self.processes[i].timer()),
            _ => None,
        };
        let Some(index) = self.index(server) else { return };
        let process = &mut self.processes[index];
        let Some(own) = process.timer() else { return };
        match (act, other) {
            (TimerAct::Fire, _) => process.bring_forward(now, now),
            (TimerAct::Stretch { millis }, _) => process.stretch(Duration::from_millis(millis.into())),
            (TimerAct::Align { .. }, Some(other)) if other > own => process.stretch(other.since(own)),
            (TimerAct::Align { .. }, Some(other)) => process.bring_forward(now, other.max(now)),
            (TimerAct::Align { .. }, None) => {}
        }
    }

    /// The chaos that goes on begins or ends what is due.
    pub(super) fn on_chaos(&mut self) {
        let Some(mut chaos) = self.chaos.take() else { return };
        chaos.1.act(self);
        self.chaos = Some(chaos);
    }

    /// What was done to this world and still counts.
    pub fn troubles(&self) -> Troubles {
        let links =
            self.net.paths.iter().filter(|(_, path)| path.is_unsteady()).map(|((from, to), path)| UnsteadyLink {
                from: *from,
                to: *to,
                jitter_ms: u32::try_from(path.jitter.as_millis()).unwrap_or(u32::MAX),
                loss_percent: path.loss,
                copy_percent: path.copies,
                resent: path.resent,
                copies: path.copied,
            });
        let quiet = |p: &TroubledServer| {
            p.disk_ms == 0
                && !(p.full || p.fails || p.loses_tail)
                && p.ahead_us.abs() < 1000
                && p.clock_percent == 100
                && p.stretched_ms == 0
        };
        let servers = self.processes.iter().map(|p| TroubledServer {
            server: p.id,
            disk_ms: u32::try_from(p.disk.extra.as_millis()).unwrap_or(u32::MAX),
            full: p.disk.full,
            fails: p.disk.fail_next,
            loses_tail: p.disk.lose_tail,
            ahead_us: p.clock.ahead_us(self.now),
            clock_percent: p.clock.percent(),
            stretched_ms: u32::try_from(p.stretched().as_millis()).unwrap_or(u32::MAX),
        });
        let mut held = Vec::new();
        for lane in self.net.conns.values().flat_map(|c| &c.lanes) {
            held.extend(lane.queue.iter().skip_while(|p| !p.held).map(|p| p.id));
        }
        order::sort(&mut held);
        Troubles {
            links: links.collect(),
            servers: servers.filter(|s| !quiet(s)).collect(),
            held,
            rules: self.rules.clone(),
            chaos: self.chaos.as_ref().map(|c| c.0),
        }
    }
}
