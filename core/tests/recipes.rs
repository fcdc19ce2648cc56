//! Recipes on simulated ensembles with all faults, of servers and of clients: what they promise holds at every moment,
//! and when everything is well again they go on.
//!
//! A client may believe that it holds a lock which it has lost: it was paused, or nobody could tell it. What must not
//! be is two of them with their znodes in the committed tree, or a token that does not rise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::recipe::{Event, Kind, State};
use zebu_core::rng::Rng;
use zebu_core::sim::World;
use zebu_core::sim::command::{ClientId, Command};
use zebu_core::sim::faults::{Faults, draw_spec};
use zebu_core::sim::view::{ClientView, WorldView, ZnodeView};
use zebu_core::time::Instant;
use zebu_core::trace::TraceEvent;

/// What came of one seed.
#[derive(Default)]
struct Seen {
    acquired: u64,
    lost: u64,
    put: BTreeSet<String>,
    given: BTreeMap<String, u32>,
    done: BTreeSet<String>,
    entered: BTreeSet<ClientId>,
    left: BTreeSet<ClientId>,
}

struct Run {
    world: World,
    faults: Faults,
    rng: Rng,
    seed: u64,
    /// What each client is to run, again and again.
    lines: BTreeMap<ClientId, String>,
    next_client: u32,
    kills: bool,
    again: bool,
    /// What ends a client's fault.
    ends: Vec<(Instant, Command)>,
    /// The last token of an exclusive recipe, and whose it was.
    token: Option<(ClientId, Zxid)>,
    /// Who asked to be counted at a double barrier, and who was told to leave it.
    arrived: BTreeSet<ClientId>,
    told_to_leave: BTreeSet<ClientId>,
    /// Who has got something last.
    holder: Option<ClientId>,
    /// Whose recipe has ended.
    over: BTreeSet<ClientId>,
    seen: Seen,
}

impl Run {
    fn new(seed: u64, lines: &[&str]) -> Run {
        let mut spec = draw_spec(seed, Some(3));
        spec.trace = true;
        let mut run = Run {
            world: World::new(spec),
            faults: Faults::draw(seed),
            rng: Rng::new(seed).fork(90),
            seed,
            lines: BTreeMap::new(),
            next_client: 0,
            kills: true,
            again: true,
            ends: Vec::new(),
            token: None,
            arrived: BTreeSet::new(),
            told_to_leave: BTreeSet::new(),
            holder: None,
            over: BTreeSet::new(),
            seen: Seen::default(),
        };
        lines.iter().for_each(|line| run.add(line));
        run
    }

    fn add(&mut self, line: &str) {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        let server = ServerId(1 + i64::from(client.0 % 3));
        self.world.command(&Command::Connect { client, server }).unwrap();
        self.world.command(&Command::RunRecipe { client, line: line.into() }).unwrap();
        self.lines.insert(client, line.into());
    }

    /// The tree of whichever server has applied most.
    fn committed(view: &WorldView) -> &[ZnodeView] {
        let best = view.servers.iter().filter(|s| !s.tree.is_empty()).max_by_key(|s| s.committed);
        best.map_or(&[], |s| &s.tree)
    }

    fn node_lives(view: &WorldView, client: &ClientView, path: &str) -> bool {
        Run::committed(view).iter().any(|z| z.path == path && z.owner.is_some() && z.owner == client.session)
    }

    /// Executes what is due up to `at`, and looks at everything that recipes tell.
    fn run_until(&mut self, at: Instant) {
        while self.world.step_within(Some(at)).is_some() {
            for record in self.world.trace() {
                match record.event {
                    TraceEvent::Recipe { client, recipe, path, what } => self.told(client, recipe, &path, what),
                    TraceEvent::Asked { client, line, .. } if line.starts_with("create /both/") => {
                        self.arrived.insert(client);
                    }
                    _ => {}
                }
            }
            assert_eq!(self.world.checks().first(), None, "seed {}", self.seed);
        }
        self.world.run_until(at);
    }

    fn told(&mut self, client: ClientId, kind: Kind, path: &str, what: Event) {
        let seed = self.seed;
        if matches!(what, Event::Acquired { .. } | Event::Item { .. }) {
            self.holder = Some(client);
        }
        if matches!(what, Event::Released | Event::Left) {
            self.over.insert(client);
        }
        match what {
            Event::Acquired { node, token } => {
                self.seen.acquired += 1;
                let exclusive = matches!(kind, Kind::Election | Kind::Lock | Kind::QueueLock);
                if exclusive {
                    let rises = self.token.is_none_or(|(who, last)| token > last || (token == last && who == client));
                    assert!(rises, "seed {seed}: client {client} has {token} after {:?}", self.token);
                    self.token = Some((client, token));
                }
                self.alone(client, kind, path, &node);
            }
            Event::Lost(_) => self.seen.lost += 1,
            Event::Put { item } => {
                self.seen.put.insert(item);
            }
            Event::Item { item, .. } => {
                let view = self.world.view();
                for other in view.clients.iter().filter(|c| c.id != client) {
                    let works = other.recipe.as_ref().is_some_and(|r| {
                        r.state == State::Holding && r.kind == Kind::Consumer && r.node.as_ref() == Some(&item)
                    });
                    assert!(
                        !works || !Run::node_lives(&view, other, &format!("{path}/taken/{item}")),
                        "seed {seed}: {item} is worked on by {} and {client}",
                        other.id
                    );
                }
                *self.seen.given.entry(item).or_default() += 1;
            }
            Event::Done { item } => {
                assert!(self.seen.given.contains_key(&item), "seed {seed}: {item} is gone and nobody had it");
                self.seen.done.insert(item);
            }
            Event::Entered if kind == Kind::DoubleBarrier => {
                assert!(self.arrived.len() >= 3, "seed {seed}: {client} is in, but only {:?} are there", self.arrived);
                self.seen.entered.insert(client);
            }
            Event::Left if kind == Kind::DoubleBarrier && self.seen.entered.contains(&client) => {
                let view = self.world.view();
                for other in view.clients.iter().filter(|c| c.id != client && !self.told_to_leave.contains(&c.id)) {
                    let node = other.recipe.as_ref().and_then(|r| r.node.clone()).unwrap_or_default();
                    assert!(
                        !Run::node_lives(&view, other, &format!("{path}/{node}")),
                        "seed {seed}: {client} has left, but {} is still in",
                        other.id
                    );
                }
                self.seen.left.insert(client);
            }
            Event::Failed { error } => panic!("seed {seed}: client {client}'s {kind} has failed: {error}"),
            _ => {}
        }
    }

    /// Nobody else who believes in the lock has a right to it.
    fn alone(&self, client: ClientId, kind: Kind, path: &str, node: &str) {
        let view = self.world.view();
        for other in view.clients.iter().filter(|c| c.id != client) {
            let Some(recipe) = other.recipe.as_ref().filter(|r| r.token.is_some()) else { continue };
            let both_read = kind == Kind::ReadLock && recipe.kind == Kind::ReadLock;
            let theirs = match recipe.kind {
                Kind::Election | Kind::Lock => path.to_string(),
                _ => format!("{path}/{}", recipe.node.as_deref().unwrap_or_default()),
            };
            assert!(
                both_read || !Run::node_lives(&view, other, &theirs),
                "seed {}: {client} has {path} by {node}, and {} has it too, by {theirs}",
                self.seed,
                other.id
            );
        }
    }

    /// Starts again whatever has ended, if it is to go on for ever.
    fn start_again(&mut self) {
        if !self.again {
            return;
        }
        for client in core::mem::take(&mut self.over) {
            let Some(line) = self.lines.get(&client).cloned() else { continue };
            // Refused while the client is frozen.
            if self.world.command(&Command::RunRecipe { client, line }).is_err() && !self.world.client_is_over(client) {
                self.over.insert(client);
            }
        }
    }

    fn client_fault(&mut self) {
        let now = self.world.now();
        let clients: Vec<ClientId> = self.lines.keys().copied().collect();
        // Half of the faults are for whoever has just got something: that is where they hurt.
        let holder = self.holder.filter(|_| self.rng.below(2) == 0);
        let Some(client) = holder.or_else(|| self.rng.pick(&clients).copied()) else { return };
        let end = now + Duration::from_millis(self.rng.between(20, 6_000));
        let (fault, mended) = match self.rng.below(if self.kills { 5 } else { 4 }) {
            0 | 1 => (Command::PauseClient { client }, Command::ResumeClient { client }),
            2 | 3 => (Command::CutClient { client }, Command::HealClient { client }),
            _ => {
                // Another program takes the dead one's place.
                if self.world.command(&Command::KillClient { client }).is_ok()
                    && let Some(line) = self.lines.remove(&client)
                {
                    self.add(&line);
                }
                return;
            }
        };
        if self.world.command(&fault).is_ok() {
            self.ends.push((end, mended));
        }
    }

    fn chaos(&mut self, lasts: Duration) {
        let end = self.world.now() + lasts;
        let mut next_fault = self.world.now();
        while self.world.now() < end {
            let now = self.world.now();
            let next = (now + Duration::from_millis(100)).min(self.faults.next_at().max(now));
            self.run_until(next);
            self.faults.act(&mut self.world);
            let now = self.world.now();
            for (_, command) in self.ends.extract_if(.., |(at, _)| *at <= now) {
                // A client that has died meanwhile needs no mending.
                let _ = self.world.command(&command);
            }
            if next_fault <= now {
                self.client_fault();
                next_fault = now + Duration::from_millis(self.rng.between(100, 3_000));
            }
            self.start_again();
        }
    }

    /// Everything is well again, and goes on for a while.
    fn calm(&mut self, lasts: Duration) {
        Faults::mend(&mut self.world);
        for (_, command) in self.ends.drain(..) {
            let _ = self.world.command(&command);
        }
        let end = self.world.now() + lasts;
        while self.world.now() < end {
            self.run_until(self.world.now() + Duration::from_millis(100));
            self.start_again();
        }
    }
}

const CHAOS: Duration = Duration::from_secs(12);
/// Longer than a session, an election and what has to be served before.
const CALM: Duration = Duration::from_secs(30);

/// Locks and elections of each kind: never two, tokens rise, and in the end everybody has a turn.
#[test]
fn one_holder_at_a_time() {
    for line in ["lock /lock for 200", "election /boss for 200", "queue-lock /locks for 200"] {
        let (mut acquired, mut lost) = (0, 0);
        for seed in 1..=6 {
            let mut run = Run::new(seed, &[line; 4]);
            run.chaos(CHAOS);
            run.calm(CALM);
            let before = run.seen.acquired;
            run.calm(Duration::from_secs(5));
            assert!(
                run.seen.acquired > before,
                "seed {seed}: {line}: nobody gets it any more\n{}",
                run.world.summary()
            );
            acquired += run.seen.acquired;
            lost += run.seen.lost;
        }
        assert!(acquired > 6 * 20 && lost > 5, "{line}: {acquired} times acquired, {lost} times lost");
    }
}

#[test]
fn readers_together_and_writers_alone() {
    let (mut acquired, mut lost) = (0, 0);
    for seed in 1..=8 {
        let (read, write) = ("read-lock /shared for 200", "write-lock /shared for 100");
        let mut run = Run::new(seed, &[read, read, write, read, write]);
        run.chaos(CHAOS);
        run.calm(CALM);
        let before = run.seen.acquired;
        run.calm(Duration::from_secs(5));
        assert!(run.seen.acquired > before, "seed {seed}: nobody gets it any more\n{}", run.world.summary());
        acquired += run.seen.acquired;
        lost += run.seen.lost;
    }
    assert!(acquired > 8 * 20 && lost > 5, "{acquired} times acquired, {lost} times lost");
}

/// Every element that was put in is worked on at least once, and the queue is empty in the end.
#[test]
fn no_element_is_lost() {
    let mut twice = 0;
    for seed in 1..=8 {
        let consumer = "consumer /queue for 80";
        let mut run = Run::new(seed, &["producer /queue a b c d e f", "producer /queue g h i j", consumer, consumer]);
        run.again = false;
        run.chaos(CHAOS);
        run.calm(CALM);
        let seen = &run.seen;
        assert!(seen.put.len() >= 10, "seed {seed}: only {:?}", seen.put);
        for item in &seen.put {
            let states = || run.world.view().clients.into_iter().map(|c| (c.id, c.connected, c.ended, c.recipe));
            assert!(
                seen.given.contains_key(item),
                "seed {seed}: {item} was given to nobody: {:?}",
                states().collect::<Vec<_>>()
            );
        }
        let view = run.world.view();
        let left: Vec<&str> = Run::committed(&view)
            .iter()
            .filter(|z| z.path.starts_with("/queue/items/") || z.path.starts_with("/queue/taken/"))
            .map(|z| z.path.as_str())
            .collect();
        assert!(left.is_empty(), "seed {seed}: {left:?} are still there");
        twice += seen.given.values().filter(|n| **n > 1).count();
    }
    assert!(twice > 0, "no consumer ever died at work");
}

/// Nobody is in before three are there, and nobody is out before all want to leave.
#[test]
fn in_together_and_out_together() {
    let (mut entered, mut left) = (0, 0);
    for seed in 1..=8 {
        let mut run = Run::new(seed, &["double-barrier /both 3"; 3]);
        run.kills = false;
        run.again = false;
        for client in 0..3 {
            run.chaos(Duration::from_secs(3 + seed % 3));
            run.told_to_leave.insert(ClientId(client));
            // Refused while the client is frozen, or when it has lost its round: then it is told below.
            let _ = run.world.command(&Command::TellRecipe { client: ClientId(client), line: "leave".into() });
        }
        run.calm(CALM);
        for client in 0..3 {
            let _ = run.world.command(&Command::TellRecipe { client: ClientId(client), line: "leave".into() });
        }
        run.calm(CALM);
        entered += run.seen.entered.len();
        left += run.seen.left.len();
        let stuck = run
            .world
            .view()
            .clients
            .iter()
            .filter(|c| c.recipe.as_ref().is_some_and(|r| r.state != State::Over) && !c.ended)
            .count();
        assert_eq!(stuck, 0, "seed {seed}: {stuck} never came out");
    }
    assert!(entered > 8 && left > 8, "{entered} were in, {left} came out");
}

/// The others see what happened, once everything is well again.
#[test]
fn tables_and_values_follow() {
    for seed in 1..=5 {
        let lines = [
            "member /web a",
            "member /web b",
            "members /web",
            "config /config",
            "collector /collectors",
            "barrier /go",
        ];
        let mut run = Run::new(seed, &lines);
        run.kills = false;
        run.chaos(CHAOS);
        run.calm(CALM);
        let writer = ClientId(99);
        run.world.command(&Command::Connect { client: writer, server: ServerId(1) }).unwrap();
        for line in ["create /config 0", "set /config last"] {
            run.world.command(&Command::Ask { client: writer, line: line.into(), via: None }).unwrap();
        }
        run.calm(Duration::from_secs(5));
        let view = run.world.view();
        let note =
            |client: usize| view.clients[client].recipe.as_ref().and_then(|r| r.note.clone()).unwrap_or_default();
        for client in 0..3 {
            assert_eq!(note(client), "a, b", "seed {seed}: client {client}");
        }
        assert_eq!(note(3), "last", "seed {seed}");
        assert_eq!(view.clients[4].recipe.as_ref().map(|r| r.state), Some(State::Watching), "seed {seed}");
    }
}
