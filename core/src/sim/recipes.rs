//! Clients that run recipes: carrying out what [`Recipe`] says.

use crate::client::{Client, Ending, RequestError, line};
use crate::id::Zxid;
use crate::recipe::{Order, Output, Recipe, Spec, SpecError};
use crate::sim::command::ClientId;
use crate::sim::run::REDIAL;
use crate::sim::{CommandError, World};
use crate::time::Instant;
use crate::trace::TraceEvent;
use crate::wire::client::{Request, Response};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

impl World {
    pub(super) fn check_recipe_run(&self, id: ClientId, line: &str) -> Result<(), CommandError> {
        self.check_awake(id)?;
        if self.clients.get(&id).and_then(|a| a.recipe.as_ref()).is_some_and(|recipe| !recipe.is_over()) {
            return Err(CommandError::RecipeRuns(id));
        }
        Ok(line.parse::<Spec>().map(|_| ())?)
    }

    pub(super) fn check_recipe_told(&self, id: ClientId, line: &str) -> Result<(), CommandError> {
        self.check_awake(id)?;
        if self.clients.get(&id).and_then(|a| a.recipe.as_ref()).is_none_or(Recipe::is_over) {
            return Err(CommandError::NoRecipe(id));
        }
        line.parse::<Order>().map(|_| ()).map_err(|e: SpecError| e.into())
    }

    pub(super) fn run_recipe(&mut self, id: ClientId, spec: Spec) {
        let seed = self.rng.next_u64();
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.recipe = Some(Recipe::new(spec, &id.to_string(), seed));
        actor.recipe_xid = None;
        if let Some(session) = actor.client.session().filter(|_| actor.client.is_served()) {
            self.recipe(id, |recipe, now, out| recipe.on_connected(now, session, false, out));
        }
    }

    pub(super) fn tell_recipe(&mut self, id: ClientId, order: &Order) {
        self.recipe(id, |recipe, now, out| recipe.order(now, order, out));
    }

    /// One call of a client's recipe, if it has one, and everything that comes of it.
    pub(super) fn recipe(&mut self, id: ClientId, call: impl FnOnce(&mut Recipe, Instant, &mut Vec<Output>)) {
        let now = self.now;
        let Some(actor) = self.clients.get_mut(&id).filter(|a| !a.dead) else { return };
        let Some(recipe) = actor.recipe.as_mut().filter(|recipe| !recipe.is_over()) else { return };
        let mut out = Vec::new();
        call(recipe, now, &mut out);
        let (kind, path) = (recipe.spec().kind, recipe.spec().path.clone());
        for output in out {
            match output {
                Output::Ask(request) => self.recipe_asks(id, request),
                Output::Tell(what) => {
                    self.record(|| TraceEvent::Recipe { client: id, recipe: kind, path: path.clone(), what });
                }
            }
        }
        if let Some(actor) = self.clients.get_mut(&id) {
            actor.set_timer();
        }
    }

    fn recipe_asks(&mut self, id: ClientId, request: Request) {
        let now = self.now;
        let Some(actor) = self.clients.get_mut(&id) else { return };
        let text = format!("{} {}", line::name(&request), line::label(&request));
        let mut out = Vec::new();
        let Ok(xid) = actor.client.ask(now, request, &mut out) else {
            // It will hear of the connection's or the session's end.
            return;
        };
        actor.recipe_xid = Some(xid);
        actor.asked(Some(xid), text.clone());
        actor.lines.insert(xid, text.clone());
        let server = Some(actor.home);
        self.record(|| TraceEvent::Asked { client: id, server, line: text });
        self.client_outputs(id, out);
    }

    /// An answer came, perhaps to what the recipe asked.
    pub(super) fn recipe_answered(&mut self, id: ClientId, xid: i32, answer: Result<(Zxid, Response), RequestError>) {
        let Some(actor) = self.clients.get_mut(&id).filter(|a| a.recipe_xid == Some(xid)) else { return };
        actor.recipe_xid = None;
        let answer = match actor.client.ending() {
            Some(ending) => Err(RequestError::Over(ending)),
            None => answer,
        };
        self.recipe(id, |recipe, now, out| recipe.on_answer(now, answer, out));
    }

    pub(super) fn is_recipe_time(&self, id: ClientId, at: Instant) -> bool {
        let recipe = self.clients.get(&id).and_then(|a| a.recipe.as_ref());
        recipe.and_then(Recipe::deadline).is_some_and(|deadline| deadline <= at)
    }

    /// Time has passed for a client's recipe; whether it had something to do.
    pub(super) fn recipe_time(&mut self, id: ClientId) -> bool {
        let due = self.is_recipe_time(id, self.now);
        if due {
            self.recipe(id, |recipe, now, out| recipe.on_time(now, out));
        }
        due
    }

    /// A program whose session has expired opens another one, and its recipe starts again.
    pub(super) fn open_again(&mut self, id: ClientId, ending: Ending) {
        let wished_ms = self.spec.session_ms;
        let Some(actor) = self.clients.get_mut(&id) else { return };
        if ending == Ending::Expired && actor.recipe.as_ref().is_some_and(|recipe| !recipe.is_over()) {
            actor.client = Client::new(wished_ms);
            actor.recipe_xid = None;
            self.redial(id, REDIAL);
        }
    }
}
