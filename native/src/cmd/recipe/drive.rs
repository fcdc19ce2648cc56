//! A recipe over a real client: what the core's state machine asks goes to the servers, what they say comes back.

use crate::client::{Events, Handle, Options, start};
use crate::clock::Clock;
use crate::entropy;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::sleep_until;
use zebu_core::client::{Answer, ClientEvent, Ending, RequestError, Standing};
use zebu_core::recipe::{Event, Order, Output, Recipe, Spec};
use zebu_core::time::Instant;

/// A recipe under way.
pub struct Drive {
    recipe: Recipe,
    options: Options,
    client: Handle,
    events: Events,
    clock: Clock,
    asked: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    told: VecDeque<Event>,
    connected: bool,
    /// The client has ended.
    ended: bool,
}

impl Drive {
    /// Connects and begins.
    pub fn start(spec: Spec, me: &str, options: Options) -> Drive {
        let (client, events) = start(options.clone());
        Drive {
            recipe: Recipe::new(spec, me, entropy::seed()),
            options,
            client,
            events,
            clock: Clock::new(),
            asked: None,
            told: VecDeque::new(),
            connected: false,
            ended: false,
        }
    }

    /// Whether a server was ever reached.
    pub fn was_connected(&self) -> bool {
        self.connected
    }

    /// Whether the recipe will never do anything again.
    pub fn is_over(&self) -> bool {
        self.recipe.is_over()
    }

    /// Whether it is over, and everything that it has told is taken.
    pub fn is_done(&self) -> bool {
        self.is_over() && self.told.is_empty()
    }

    /// Where the client stands.
    pub fn standing(&self) -> Standing {
        self.client.status().standing
    }

    /// Why no server is reached.
    pub fn troubles(&self) -> Vec<String> {
        self.client.status().troubles
    }

    /// Tells the recipe what the application wants.
    pub fn order(&mut self, order: &Order) {
        self.step(|recipe, now, out| recipe.order(now, order, out));
    }

    /// Closes the session.
    pub async fn close(&self, patience: Duration) {
        self.client.close(patience).await;
    }

    fn step(&mut self, call: impl FnOnce(&mut Recipe, Instant, &mut Vec<Output>)) {
        let mut out = Vec::new();
        call(&mut self.recipe, self.clock.now().mono, &mut out);
        for output in out {
            match output {
                Output::Ask(request) => {
                    let client = self.client.clone();
                    self.asked = Some(Box::pin(async move { client.request(request).await }));
                }
                Output::Tell(event) => self.told.push_back(event),
            }
        }
    }

    /// The next thing that the recipe tells; nothing when it is over. May be dropped at any point.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Some(event);
            }
            if self.is_over() {
                return None;
            }
            let deadline = self.recipe.deadline().map(|at| self.clock.std_instant(at));
            let asked = async {
                match &mut self.asked {
                    Some(answer) => answer.await,
                    None => std::future::pending().await,
                }
            };
            // An event comes before the answer that makes its cause visible.
            tokio::select! {
                biased;
                event = self.events.recv(), if !self.ended => self.on_event(event),
                answer = asked => {
                    self.asked = None;
                    self.step(|recipe, now, out| recipe.on_answer(now, answer, out));
                }
                () = sleep_until(deadline.unwrap_or_else(std::time::Instant::now).into()), if deadline.is_some() => {
                    self.step(Recipe::on_time);
                }
            }
        }
    }

    fn on_event(&mut self, event: Option<ClientEvent>) {
        match event {
            Some(ClientEvent::Connected { session, fresh, .. }) => {
                self.connected = true;
                self.step(|recipe, now, out| recipe.on_connected(now, session, fresh, out));
            }
            Some(ClientEvent::Disconnected) => {
                let left = self.client.status().trusted_until.saturating_duration_since(std::time::Instant::now());
                self.step(|recipe, now, out| recipe.on_disconnected(now, now + left, out));
            }
            Some(ClientEvent::Watch { event, .. }) => {
                self.step(|recipe, now, out| recipe.on_watch(now, &event, out));
            }
            Some(ClientEvent::Over(ending)) => self.on_over(ending),
            // Without its client's task there is nothing more to be told.
            None => {
                self.ended = true;
                self.on_over(Ending::Closed);
            }
            Some(ClientEvent::Answer { .. } | ClientEvent::Unanswered { .. } | ClientEvent::Auth { .. }) => {}
        }
    }

    fn on_over(&mut self, ending: Ending) {
        if self.asked.take().is_some() {
            self.step(|recipe, now, out| recipe.on_answer(now, Err(RequestError::Over(ending)), out));
        }
        self.step(|recipe, now, out| recipe.on_over(now, ending, out));
        if ending == Ending::Expired && !self.recipe.is_over() {
            (self.client, self.events) = start(self.options.clone());
        }
    }
}
