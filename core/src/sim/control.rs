//! Carrying out commands.

use crate::client::{Credential, line};
use crate::collections::BTreeMap;
use crate::id::ServerId;
use crate::sim::actor::Actor;
use crate::sim::check::Rule;
use crate::sim::command::{ClientId, Command};
use crate::sim::queue::Due;
use crate::sim::view::Place;
use crate::sim::{CommandError, World};
use crate::trace::TraceEvent;
use crate::wire::client::Request;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

impl World {
    /// Carries out a command now, between two events.
    ///
    /// # Errors
    /// What is wrong with it, in words; the world is then as it was.
    pub fn command(&mut self, command: &Command) -> Result<(), CommandError> {
        self.validate(command)?;
        self.record(|| TraceEvent::Command { command: command.clone() });
        match command {
            Command::Kill { server } => {
                let silent = self.rng.chance(self.spec.power_loss_ppm.into());
                self.on_index(*server, |w, i| w.kill(i, silent));
            }
            Command::Restart { server } => self.on_index(*server, World::start),
            Command::Pause { server } => self.on_index(*server, World::pause),
            Command::Resume { server } => self.on_index(*server, World::resume),
            Command::Cut { from, to, both } => {
                self.net.cut(self.now, *from, *to);
                if *both {
                    self.net.cut(self.now, *to, *from);
                }
            }
            Command::Heal { from, to, both } => {
                self.heal(*from, *to);
                if *both {
                    self.heal(*to, *from);
                }
            }
            Command::Partition { groups } => self.partition(groups),
            Command::HealAll => {
                for (from, to) in self.net.paths.keys().copied().collect::<Vec<_>>() {
                    self.heal(from, to);
                    self.net.delay(from, to, Duration::ZERO);
                    self.net.unsteady(from, to, Duration::ZERO, 0, 0);
                }
                for client in self.clients.keys().copied().collect::<Vec<_>>() {
                    self.heal_client(client);
                }
            }
            Command::Delay { from, to, millis } => {
                self.net.delay(*from, *to, Duration::from_millis((*millis).into()));
            }
            Command::Reset { a, b } => {
                for conn in self.net.between(Place::Server(*a), Place::Server(*b)) {
                    self.reset(conn);
                }
            }
            Command::DiskDelay { server, millis } => {
                let extra = Duration::from_millis((*millis).into());
                self.on_index(*server, |w, i| w.processes[i].disk.extra = extra);
            }
            Command::DiskFail { server } => self.on_index(*server, |w, i| w.processes[i].disk.fail_next = true),
            Command::Damage { server, what } => self.on_index(*server, |w, i| w.processes[i].disk.damage(*what)),
            Command::Connect { client, server } => {
                self.clients.insert(*client, Actor::new(*client, *server, self.spec.session_ms));
                self.redial(*client, Duration::ZERO);
            }
            Command::CloseSession { client } => self.ask(*client, Request::CloseSession, "close".into()),
            Command::KillClient { client } => self.kill_client(*client),
            Command::Ask { client, line, via } => {
                let request = line::parse(line)?;
                if let Some(via) = via {
                    self.move_client(*client, *via);
                }
                self.ask(*client, request, line.trim().into());
            }
            Command::Trouble(trouble) => self.afflict(trouble),
            Command::Break { rule } => {
                self.spec.broken = *rule;
                for process in &mut self.processes {
                    process.break_rule(*rule);
                }
            }
            Command::RunRecipe { client, line } => self.run_recipe(*client, line.parse()?),
            Command::TellRecipe { client, line } => self.tell_recipe(*client, &line.parse()?),
            Command::CutClient { client } => self.cut_client(*client),
            Command::HealClient { client } => self.heal_client(*client),
            Command::PauseClient { client } => self.pause_client(*client),
            Command::ResumeClient { client } => self.resume_client(*client),
            Command::NewServer => self.new_server(),
            Command::Reconfig { client, join, leave } => self.reconfig(*client, join, leave),
            Command::ReplaceMembers { client, members } => self.replace_members(*client, members),
        }
        Ok(())
    }

    fn on_index(&mut self, server: ServerId, f: impl FnOnce(&mut World, usize)) {
        if let Some(index) = self.index(server) {
            f(self, index);
        }
    }

    fn validate(&self, command: &Command) -> Result<(), CommandError> {
        let known = |server: ServerId| {
            let servers = self.processes.len();
            self.index(server).ok_or(CommandError::NoSuchServer { server, servers })
        };
        let pair = |a: ServerId, b: ServerId| {
            known(a)?;
            known(b)?;
            if a == b { Err(CommandError::LinkToItself(a)) } else { Ok(()) }
        };
        let running = |server: ServerId| {
            let index = known(server)?;
            if self.processes[index].is_running() { Ok(index) } else { Err(CommandError::Down(server)) }
        };
        let client = |id: ClientId| self.living(id).map(|_| ());
        match command {
            Command::Kill { server } => running(*server).map(|_| ()),
            Command::Restart { server } => match known(*server)? {
                index if self.processes[index].is_running() => Err(CommandError::Running(*server)),
                _ => Ok(()),
            },
            Command::Pause { server } => match running(*server)? {
                index if self.processes[index].paused => Err(CommandError::Frozen(*server)),
                _ => Ok(()),
            },
            Command::Resume { server } => match running(*server)? {
                index if self.processes[index].paused => Ok(()),
                _ => Err(CommandError::NotFrozen(*server)),
            },
            Command::Cut { from, to, .. } | Command::Heal { from, to, .. } | Command::Delay { from, to, .. } => {
                pair(*from, *to)
            }
            Command::Reset { a, b } => pair(*a, *b),
            Command::Partition { groups } => {
                let mut seen = Vec::new();
                for server in groups.iter().flatten() {
                    known(*server)?;
                    if seen.contains(server) {
                        return Err(CommandError::InTwoGroups(*server));
                    }
                    seen.push(*server);
                }
                Ok(())
            }
            Command::DiskDelay { server, .. } => known(*server).map(|_| ()),
            Command::DiskFail { server } => running(*server).map(|_| ()),
            Command::Damage { server, what } => {
                let process = &self.processes[known(*server)?];
                if process.is_running() {
                    return Err(CommandError::Running(*server));
                }
                if process.disk.has(*what) { Ok(()) } else { Err(CommandError::NothingToDamage(*server)) }
            }
            Command::Connect { client, server } => {
                known(*server)?;
                match self.clients.get(client) {
                    Some(actor) if !actor.is_over() => Err(CommandError::ClientExists(*client)),
                    _ => Ok(()),
                }
            }
            Command::KillClient { client: id } => client(*id),
            Command::CloseSession { client: id } => self.check_awake(*id),
            Command::RunRecipe { client: id, line } => self.check_recipe_run(*id, line),
            Command::TellRecipe { client: id, line } => self.check_recipe_told(*id, line),
            Command::CutClient { .. }
            | Command::HealClient { .. }
            | Command::PauseClient { .. }
            | Command::ResumeClient { .. } => self.check_client_fault(command),
            Command::Ask { client: id, line, via } => {
                self.check_awake(*id)?;
                if let Some(via) = via {
                    known(*via)?;
                }
                line::parse(line)?;
                Ok(())
            }
            Command::Trouble(trouble) => self.validate_trouble(trouble),
            Command::NewServer => self.check_new_server(),
            Command::Reconfig { client, join, leave } => {
                self.check_reconfig(*client, join.iter().map(|(server, _)| *server).chain(leave.iter().copied()))
            }
            Command::ReplaceMembers { client, members } => {
                self.check_reconfig(*client, members.iter().map(|(server, _)| *server))
            }
            Command::HealAll | Command::Break { .. } => Ok(()),
        }
    }

    fn heal(&mut self, from: ServerId, to: ServerId) {
        for conn in self.net.heal(self.now, from, to, &mut self.queue) {
            self.reset(conn);
        }
    }

    fn partition(&mut self, groups: &[Vec<ServerId>]) {
        let mut group_of = BTreeMap::new();
        for (number, group) in groups.iter().enumerate() {
            group_of.extend(group.iter().map(|server| (*server, number)));
        }
        let ids: Vec<ServerId> = self.server_ids().collect();
        for from in &ids {
            for to in ids.iter().filter(|to| *to != from && group_of.get(to) != group_of.get(from)) {
                self.net.cut(self.now, *from, *to);
            }
        }
    }

    fn pause(&mut self, index: usize) {
        let process = &mut self.processes[index];
        process.paused = true;
        let server = process.id;
        self.record(|| TraceEvent::Paused { server });
    }

    fn resume(&mut self, index: usize) {
        let process = &mut self.processes[index];
        process.paused = false;
        let server = process.id;
        let deferred = core::mem::take(&mut process.deferred);
        self.record(|| TraceEvent::Resumed { server });
        self.net.unstall(self.now, None, Place::Server(server), &mut self.queue);
        for input in deferred {
            self.drive(index, input);
        }
    }

    /// The client goes on through another server, with the same session.
    fn move_client(&mut self, id: ClientId, via: ServerId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        if actor.home == via && actor.conn.is_some() {
            return;
        }
        actor.home = via;
        self.leave_server(id);
        self.redial(id, Duration::ZERO);
    }

    /// A disk that was told to fail will not.
    pub(crate) fn clear_disk_fault(&mut self, server: ServerId) {
        self.on_index(server, |w, i| {
            let disk = &mut w.processes[i].disk;
            (disk.fail_next, disk.full, disk.lose_tail) = (false, false, false);
        });
    }

    /// Forgets a client that is over.
    pub(crate) fn forget_client(&mut self, client: ClientId) {
        if self.client_is_over(client) {
            self.clients.remove(&client);
        }
    }

    /// A rule is broken in a way that only a look at the whole run shows.
    pub(crate) fn violate(&mut self, rule: Rule, why: String) {
        self.checks.violate(rule, why);
        self.report_violations();
    }

    /// A client shows who it is, now and on each of its connections to come. Nothing happens when it is over.
    pub(crate) fn authenticate(&mut self, client: ClientId, credential: Credential) {
        let now = self.now;
        let Some(actor) = self.clients.get_mut(&client) else { return };
        let mut out = Vec::new();
        if actor.client.authenticate(now, credential, &mut out).is_ok() {
            self.client_outputs(client, out);
        }
    }

    /// A client wishes another session timeout from its next connection on.
    pub(crate) fn wish(&mut self, client: ClientId, wished_ms: i32) {
        if let Some(actor) = self.clients.get_mut(&client) {
            actor.client.wish(wished_ms);
        }
    }

    /// A client asks for what can't be typed, as [`Command::Ask`] does it with what can. Nothing happens when the
    /// client is over.
    pub(crate) fn request(&mut self, client: ClientId, request: Request, via: Option<ServerId>) {
        if self.client_is_over(client) {
            return;
        }
        if let Some(via) = via {
            self.move_client(client, via);
        }
        let text = format!("{} {}", line::name(&request), line::label(&request));
        self.ask(client, request, text);
    }

    /// Queues a request of a client; it leaves at once if the session is served.
    pub(crate) fn ask(&mut self, id: ClientId, request: Request, line: String) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.asked(None, line.clone());
        actor.waiting.push_back((request, line));
        self.flush_client(id);
    }

    /// Schedules a dial of the client's home.
    pub(crate) fn redial(&mut self, id: ClientId, wait: Duration) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.attempt += 1;
        let attempt = actor.attempt;
        self.queue.push(self.now + wait, Due::ClientDial { client: id, attempt });
    }
}
