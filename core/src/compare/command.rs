//! Carrying out commands in a world of a compared protocol.

use crate::client::line;
use crate::collections::BTreeMap;
use crate::compare::World;
use crate::compare::core::Write;
use crate::compare::world::{Actor, Path};
use crate::id::ServerId;
use crate::sim::CommandError;
use crate::sim::command::{ClientId, Command};
use crate::sim::trouble::{MessageAct, Trouble};
use crate::sim::view::Place;
use crate::trace::{LossReason, TraceEvent};
use crate::wire::client::Request;
use alloc::vec::Vec;

impl World {
    /// Carries out a command now, between two events.
    ///
    /// # Errors
    /// What is wrong with it; the world is then as it was.
    pub fn command(&mut self, command: &Command) -> Result<(), CommandError> {
        self.validate(command)?;
        self.record(|| TraceEvent::Command { command: command.clone() });
        match command {
            Command::Kill { server } => self.kill(*server),
            Command::Restart { server } => self.start(*server),
            Command::Pause { server } => self.freeze(*server, true),
            Command::Resume { server } => self.freeze(*server, false),
            Command::Cut { from, to, both } => self.cut(*from, *to, *both, true),
            Command::Heal { from, to, both } => self.cut(*from, *to, *both, false),
            Command::Partition { groups } => self.partition(groups),
            Command::HealAll => self.paths.clear(),
            Command::Delay { from, to, millis } => {
                self.path(*from, *to, |path| path.extra_ms = *millis);
            }
            Command::Reset { a, b } => {
                let (a, b) = (Place::Server(*a), Place::Server(*b));
                self.lose(LossReason::ConnectionClosed, |p| (p.from, p.to) == (a, b) || (p.from, p.to) == (b, a));
            }
            Command::Connect { client, server } => {
                let actor = Actor { home: *server, ended: false, waiting: None, talk: Vec::new() };
                self.clients.insert(*client, actor);
            }
            Command::CloseSession { client } | Command::KillClient { client } => {
                if let Some(actor) = self.clients.get_mut(client) {
                    actor.ended = true;
                    actor.waiting = None;
                }
                let client = Place::Client(*client);
                self.lose(LossReason::ConnectionClosed, |p| p.from == client || p.to == client);
            }
            Command::Ask { client, line, via } => {
                if let (Some(actor), Some(via)) = (self.clients.get_mut(client), via) {
                    actor.home = *via;
                }
                self.ask(*client, line.trim().into(), write_of(line)?);
            }
            Command::Trouble(Trouble::Message { id, .. }) => {
                self.lose_one(*id);
            }
            // Nothing is broken here, so mending changes nothing; the others were refused.
            _ => {}
        }
        Ok(())
    }

    fn validate(&self, command: &Command) -> Result<(), CommandError> {
        let known = |id: ServerId| {
            let servers = self.processes.len();
            let found = self.processes.iter().find(|p| p.id == id);
            found.ok_or(CommandError::NoSuchServer { server: id, servers })
        };
        let running = |id: ServerId| match known(id)? {
            p if p.up => Ok(p),
            _ => Err(CommandError::Down(id)),
        };
        let pair = |a: ServerId, b: ServerId| {
            known(a)?;
            known(b)?;
            if a == b { Err(CommandError::LinkToItself(a)) } else { Ok(()) }
        };
        let client = |id: ClientId| match self.clients.get(&id) {
            None => Err(CommandError::NoSuchClient(id)),
            Some(actor) if actor.ended => Err(CommandError::ClientEnded(id)),
            Some(actor) => Ok(actor),
        };
        match command {
            Command::Kill { server } => running(*server).map(|_| ()),
            Command::Restart { server } => match known(*server)? {
                p if p.up => Err(CommandError::Running(*server)),
                _ => Ok(()),
            },
            Command::Pause { server } => match running(*server)? {
                p if p.paused => Err(CommandError::Frozen(*server)),
                _ => Ok(()),
            },
            Command::Resume { server } => match running(*server)? {
                p if p.paused => Ok(()),
                _ => Err(CommandError::NotFrozen(*server)),
            },
            Command::Cut { from, to, .. } | Command::Heal { from, to, .. } | Command::Delay { from, to, .. } => {
                pair(*from, *to)
            }
            Command::Reset { a, b } => pair(*a, *b),
            Command::Partition { groups } => {
                let mut seen: Vec<ServerId> = Vec::new();
                for server in groups.iter().flatten() {
                    known(*server)?;
                    if seen.contains(server) {
                        return Err(CommandError::InTwoGroups(*server));
                    }
                    seen.push(*server);
                }
                Ok(())
            }
            Command::HealAll | Command::Break { rule: None } => Ok(()),
            Command::Connect { client, server } => {
                known(*server)?;
                match self.clients.get(client) {
                    Some(actor) if !actor.ended => Err(CommandError::ClientExists(*client)),
                    _ => Ok(()),
                }
            }
            Command::CloseSession { client: id } | Command::KillClient { client: id } => client(*id).map(|_| ()),
            Command::Ask { client: id, line, via } => {
                let actor = client(*id)?;
                running(via.unwrap_or(actor.home))?;
                write_of(line).map(|_| ())
            }
            Command::Trouble(Trouble::Message { id, act: MessageAct::Drop }) if self.packets.contains_key(id) => Ok(()),
            Command::Trouble(Trouble::Message { id, act: MessageAct::Drop }) => Err(CommandError::NoSuchMessage(*id)),
            _ => Err(CommandError::NotInThisProtocol),
        }
    }

    /// The process ends; what it had sent and what was on its way to it is lost with its connections.
    fn kill(&mut self, server: ServerId) {
        let Some(process) = self.process(server) else { return };
        process.up = false;
        process.paused = false;
        process.timers.clear();
        process.core.crash();
        self.record(|| TraceEvent::Stopped { server, unsynced: 0, kept: 0 });
        let place = Place::Server(server);
        self.lose(LossReason::ConnectionClosed, |p| p.from == place || p.to == place);
        self.hang_up(server);
    }

    fn freeze(&mut self, server: ServerId, paused: bool) {
        if let Some(process) = self.process(server) {
            process.paused = paused;
        }
        self.record(|| if paused { TraceEvent::Paused { server } } else { TraceEvent::Resumed { server } });
    }

    fn path(&mut self, from: ServerId, to: ServerId, change: impl FnOnce(&mut Path)) {
        let mut path = self.paths.get(&(from, to)).copied().unwrap_or_default();
        change(&mut path);
        if path == Path::default() {
            self.paths.remove(&(from, to));
        } else {
            self.paths.insert((from, to), path);
        }
    }

    fn cut(&mut self, from: ServerId, to: ServerId, both: bool, cut: bool) {
        self.path(from, to, |path| path.cut = cut);
        if both {
            self.path(to, from, |path| path.cut = cut);
        }
    }

    fn partition(&mut self, groups: &[Vec<ServerId>]) {
        let mut group_of: BTreeMap<ServerId, usize> = BTreeMap::new();
        for (number, group) in groups.iter().enumerate() {
            group_of.extend(group.iter().map(|server| (*server, number)));
        }
        let ids: Vec<ServerId> = self.processes.iter().map(|p| p.id).collect();
        for from in &ids {
            for to in ids.iter().filter(|to| *to != from && group_of.get(to) != group_of.get(from)) {
                self.cut(*from, *to, false, true);
            }
        }
    }
}

/// What a typed line wants written: `set /x A` or `create /x A`.
fn write_of(line: &str) -> Result<Write, CommandError> {
    match line::parse(line)? {
        Request::Create { path, data, .. } | Request::SetData { path, data, .. } => {
            Ok(Write { path, data: line::text(data.as_deref().unwrap_or_default(), 20) })
        }
        _ => Err(CommandError::OnlyWrites),
    }
}
