//! Playing a scenario, one event or one step at a time.

use crate::collections::BTreeMap;
use crate::compare::AnyWorld;
use crate::id::ServerId;
use crate::note::{Note, SyncKind};
use crate::scenario::{Action, Scenario, Selector, What};
use crate::sim::Stepped;
use crate::sim::command::Command;
use crate::sim::view::{Shown, WorldView};
use crate::time::Instant;
use crate::trace::digest::Digest;
use crate::trace::{TraceEvent, TraceRecord};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What is wrong with a scenario, or where it did not go as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Its name.
    pub scenario: String,
    /// The step, counted from 1.
    pub step: usize,
    /// The step in a few words.
    pub what: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scenario {}, step {} ({}): {}", self.scenario, self.step, self.what, self.why)
    }
}
impl core::error::Error for ScenarioError {}

/// What a player's move did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The world executed one event.
    Event(Stepped),
    /// The scenario's step with this number (from 0) is done; the world executed nothing.
    StepDone(usize),
    /// There is nothing left to do.
    Finished,
}

/// What conditions and selectors need beyond the picture of the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub synced_by: BTreeMap<ServerId, Vec<SyncKind>>,
    pub remembered: BTreeMap<String, ServerId>,
    /// The paths of all watch events that clients were told of.
    pub fired: Vec<String>,
}

impl Facts {
    /// The servers that a selector means at this moment.
    pub fn resolve(&self, selector: &Selector, view: &WorldView) -> Result<Vec<ServerId>, String> {
        use crate::config::MemberKind::{Observer, Participant};
        let all = |f: &dyn Fn(&crate::sim::view::ServerView) -> bool| -> Vec<ServerId> {
            view.servers.iter().filter(|s| f(s)).map(|s| s.id).collect()
        };
        let leader = || {
            let best = view.servers.iter().filter(|s| s.shown == Shown::Leading && s.serving).max_by_key(|s| s.epoch);
            best.map(|s| s.id)
        };
        let followers = || all(&|s| s.shown == Shown::Following && s.serving);
        let minority = || {
            let leader = leader()?;
            let voters = view.servers.iter().filter(|s| s.kind == Participant).count();
            let mut group: Vec<ServerId> = followers();
            group.truncate((voters.saturating_sub(1) / 2).saturating_sub(1));
            group.push(leader);
            Some(group)
        };
        let found = match selector {
            Selector::Server(id) => all(&|s| s.id == *id),
            Selector::Servers(ids) => {
                if let Some(missing) = ids.iter().find(|id| view.servers.iter().all(|s| s.id != **id)) {
                    return Err(format!("there is no server {missing}"));
                }
                ids.clone()
            }
            Selector::Leader => leader().into_iter().collect(),
            Selector::Followers => followers(),
            Selector::Follower(n) => followers().get((*n as usize).wrapping_sub(1)).copied().into_iter().collect(),
            Selector::Voters => all(&|s| s.kind == Participant && s.shown != Shown::Down),
            Selector::Observers => all(&|s| s.kind == Observer && s.shown != Shown::Down),
            Selector::Up => all(&|s| s.shown != Shown::Down),
            Selector::All => all(&|_| true),
            Selector::Minority => minority().unwrap_or_default(),
            Selector::Majority => {
                let minority = minority().unwrap_or_default();
                if minority.is_empty() { Vec::new() } else { all(&|s| !minority.contains(&s.id)) }
            }
            Selector::Remembered(name) => match self.remembered.get(name) {
                Some(id) => alloc::vec![*id],
                None => return Err(format!("no server is remembered as ${name}")),
            },
        };
        if found.is_empty() { Err(format!("\"{selector}\" means no server at this moment")) } else { Ok(found) }
    }
}

/// A scenario under way. A clone is a checkpoint.
#[derive(Clone)]
pub struct Player {
    scenario: Scenario,
    world: AnyWorld,
    position: usize,
    /// When the step at `position` began, once it has.
    began: Option<Instant>,
    /// Events counted in the step at `position`.
    events: u32,
    facts: Facts,
    records: Vec<TraceRecord>,
    digest: Digest,
}

impl Player {
    /// A player at the scenario's beginning.
    pub fn new(scenario: Scenario) -> Player {
        let mut spec = scenario.world.clone();
        spec.trace = true;
        Player {
            world: AnyWorld::new(spec),
            scenario,
            position: 0,
            began: None,
            events: 0,
            facts: Facts::default(),
            records: Vec::new(),
            digest: Digest::new(),
        }
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The world.
    pub fn world(&self) -> &AnyWorld {
        &self.world
    }

    /// The world, for commands of one's own: from then on the scenario may go another way.
    pub fn world_mut(&mut self) -> &mut AnyWorld {
        &mut self.world
    }

    /// The step that is under way or comes next, counted from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The hash of everything recorded so far: equal runs have equal hashes, on every target.
    pub fn trace_digest(&self) -> u64 {
        self.digest.finish()
    }

    /// What happened since this was last called.
    pub fn trace(&mut self) -> Vec<TraceRecord> {
        self.collect();
        core::mem::take(&mut self.records)
    }

    /// Does one thing: executes one event of the world, or one step of the scenario that needs no event.
    ///
    /// # Errors
    /// A step that can't be carried out, or whose condition does not hold (in time).
    pub fn advance(&mut self) -> Result<Progress, ScenarioError> {
        let Some(step) = self.scenario.steps.get(self.position).cloned() else { return Ok(Progress::Finished) };
        let began = *self.began.get_or_insert(self.world.now());
        let progress = match &step.what {
            What::Run { ms } => {
                let end = began + Duration::from_millis((*ms).into());
                self.event_until(end)
            }
            What::Until { condition, within_ms } => {
                let end = began + Duration::from_millis((*within_ms).into());
                if self.holds(condition)? {
                    let what = condition.to_string();
                    self.note(TraceEvent::Expected { what, met: true });
                    None
                } else {
                    match self.event_until(end) {
                        Some(progress) => Some(progress),
                        None => return Err(self.unmet(condition.to_string())),
                    }
                }
            }
            What::Expect(condition) => {
                if !self.holds(condition)? {
                    return Err(self.unmet(condition.to_string()));
                }
                let what = condition.to_string();
                self.note(TraceEvent::Expected { what, met: true });
                None
            }
            What::Remember { name, server } => {
                let found = self.resolve(server)?;
                let [one] = found.as_slice() else {
                    return Err(self.error(format!("\"{server}\" means {} servers, not one", found.len())));
                };
                self.facts.remembered.insert(name.clone(), *one);
                None
            }
            What::Events(count) if self.events < *count => match self.world.step() {
                Some(stepped) => {
                    self.events += 1;
                    Some(Progress::Event(stepped))
                }
                None => return Err(self.error("nothing more will ever happen".into())),
            },
            What::Events(_) => None,
            What::Give(command) => {
                self.world.command(command).map_err(|e| self.error(e.to_string()))?;
                None
            }
            What::Press(action) => {
                for command in self.commands(action)? {
                    self.world.command(&command).map_err(|e| self.error(e.to_string()))?;
                }
                None
            }
        };
        self.collect();
        Ok(progress.unwrap_or_else(|| {
            let done = self.position;
            self.position += 1;
            self.began = None;
            self.events = 0;
            Progress::StepDone(done)
        }))
    }

    /// Plays to the end.
    ///
    /// # Errors
    /// As [`Player::advance`].
    pub fn run_to_end(&mut self) -> Result<(), ScenarioError> {
        while self.advance()? != Progress::Finished {}
        Ok(())
    }

    /// One event due up to `end`; `None` when time has reached `end`.
    fn event_until(&mut self, end: Instant) -> Option<Progress> {
        let stepped = self.world.step_within(Some(end));
        if stepped.is_none() {
            self.world.run_until(end);
        }
        stepped.map(Progress::Event)
    }

    fn holds(&mut self, condition: &super::Condition) -> Result<bool, ScenarioError> {
        self.collect();
        condition.holds(&self.world.view(), &self.facts).or_else(|why| match &self.scenario.steps[self.position].what {
            // While waiting, a selector that means nobody yet is no mistake.
            What::Until { .. } => Ok(false),
            _ => Err(self.error(why)),
        })
    }

    fn unmet(&mut self, what: String) -> ScenarioError {
        let why = match self.scenario.steps.get(self.position).map(|s| &s.what) {
            Some(What::Until { within_ms, .. }) => format!("did not come within {within_ms} ms"),
            _ => "does not hold".into(),
        };
        self.note(TraceEvent::Expected { what, met: false });
        self.collect();
        self.error(why)
    }

    fn error(&self, why: String) -> ScenarioError {
        ScenarioError {
            scenario: self.scenario.name.clone(),
            step: self.position + 1,
            what: self.scenario.steps.get(self.position).map(|s| s.what.to_string()).unwrap_or_default(),
            why,
        }
    }

    fn resolve(&self, selector: &Selector) -> Result<Vec<ServerId>, ScenarioError> {
        self.facts.resolve(selector, &self.world.view()).map_err(|why| self.error(why))
    }

    fn note(&mut self, event: TraceEvent) {
        self.collect();
        let record = TraceRecord { at: self.world.now(), event_number: self.world.events(), event };
        self.take_record(record);
    }

    fn collect(&mut self) {
        for record in self.world.trace() {
            self.take_record(record);
        }
    }

    fn take_record(&mut self, record: TraceRecord) {
        match &record.event {
            TraceEvent::Note { server, what: Note::Syncing { kind, .. } } => {
                self.facts.synced_by.entry(*server).or_default().push(*kind);
            }
            TraceEvent::WatchFired { path, .. } => self.facts.fired.push(path.clone()),
            TraceEvent::Started { server } => {
                self.facts.synced_by.remove(server);
            }
            _ => {}
        }
        self.digest.value(&record);
        self.records.push(record);
    }

    fn commands(&self, action: &Action) -> Result<Vec<Command>, ScenarioError> {
        let each = |selector: &Selector, f: &dyn Fn(ServerId) -> Command| -> Result<Vec<Command>, ScenarioError> {
            Ok(self.resolve(selector)?.into_iter().map(f).collect())
        };
        let pairs = |from: &Selector, to: &Selector, f: &dyn Fn(ServerId, ServerId) -> Command| {
            let (from, to) = (self.resolve(from)?, self.resolve(to)?);
            let mut commands = Vec::new();
            for a in &from {
                commands.extend(to.iter().filter(|b| *b != a).map(|b| f(*a, *b)));
            }
            Ok::<_, ScenarioError>(commands)
        };
        let one = |selector: &Selector| {
            let found = self.resolve(selector)?;
            found.first().copied().ok_or_else(|| self.error(format!("\"{selector}\" means no server")))
        };
        Ok(match action {
            Action::Kill(s) => each(s, &|server| Command::Kill { server })?,
            Action::Restart(s) => each(s, &|server| Command::Restart { server })?,
            Action::Pause(s) => each(s, &|server| Command::Pause { server })?,
            Action::Resume(s) => each(s, &|server| Command::Resume { server })?,
            Action::Cut { from, to, both } => pairs(from, to, &|from, to| Command::Cut { from, to, both: *both })?,
            Action::Heal { from, to, both } => pairs(from, to, &|from, to| Command::Heal { from, to, both: *both })?,
            Action::Partition(groups) => {
                let groups = groups.iter().map(|g| self.resolve(g)).collect::<Result<Vec<_>, _>>()?;
                alloc::vec![Command::Partition { groups }]
            }
            Action::HealAll => alloc::vec![Command::HealAll],
            Action::Delay { from, to, ms } => pairs(from, to, &|from, to| Command::Delay { from, to, millis: *ms })?,
            Action::DiskDelay { server, ms } => each(server, &|server| Command::DiskDelay { server, millis: *ms })?,
            Action::DiskFail(s) => each(s, &|server| Command::DiskFail { server })?,
            Action::Damage { server, what } => each(server, &|server| Command::Damage { server, what: *what })?,
            Action::Connect { client, server } => {
                alloc::vec![Command::Connect { client: client.0, server: one(server)? }]
            }
            Action::Ask { client, line, via } => {
                let via = via.as_ref().map(one).transpose()?;
                alloc::vec![Command::Ask { client: client.0, line: line.clone(), via }]
            }
            Action::CloseSession(client) => alloc::vec![Command::CloseSession { client: client.0 }],
            Action::KillClient(client) => alloc::vec![Command::KillClient { client: client.0 }],
            Action::Break(rule) => alloc::vec![Command::Break { rule: *rule }],
            Action::Client(action) => action.commands(),
            Action::Trouble(trouble) => trouble
                .troubles(&self.world, &|selector| self.facts.resolve(selector, &self.world.view()))
                .map_err(|why| self.error(why))?
                .into_iter()
                .map(Command::Trouble)
                .collect(),
        })
    }
}
