//! What can be done to a client: cut it off, freeze it, kill it.

use crate::sim::actor::Actor;
use crate::sim::command::{ClientId, Command};
use crate::sim::view::Place;
use crate::sim::{CommandError, World};
use core::time::Duration;

impl World {
    /// A client that can still do something.
    pub(super) fn living(&self, id: ClientId) -> Result<&Actor, CommandError> {
        match self.clients.get(&id) {
            None => Err(CommandError::NoSuchClient(id)),
            Some(actor) if actor.is_over() => Err(CommandError::ClientEnded(id)),
            Some(actor) => Ok(actor),
        }
    }

    /// A client that can be told to do something.
    pub(super) fn check_awake(&self, id: ClientId) -> Result<(), CommandError> {
        if self.living(id)?.paused { Err(CommandError::ClientFrozen(id)) } else { Ok(()) }
    }

    pub(super) fn check_client_fault(&self, command: &Command) -> Result<(), CommandError> {
        let refused = |refused: bool, why: CommandError| if refused { Err(why) } else { Ok(()) };
        match command {
            Command::CutClient { client: id } => refused(self.living(*id)?.cut, CommandError::ClientCut(*id)),
            Command::HealClient { client: id } => refused(!self.living(*id)?.cut, CommandError::ClientNotCut(*id)),
            Command::PauseClient { client: id } => refused(self.living(*id)?.paused, CommandError::ClientFrozen(*id)),
            Command::ResumeClient { client: id } => {
                refused(!self.living(*id)?.paused, CommandError::ClientNotFrozen(*id))
            }
            _ => Ok(()),
        }
    }

    /// Its connection ends, and it finds no other. A frozen client does not notice before it goes on.
    pub(super) fn cut_client(&mut self, id: ClientId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.cut = true;
        if actor.paused {
            if let Some(conn) = actor.conn {
                self.close(conn, Place::Client(id), false);
            }
        } else {
            self.leave_server(id);
        }
    }

    pub(super) fn heal_client(&mut self, id: ClientId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        if core::mem::take(&mut actor.cut) {
            self.redial(id, Duration::ZERO);
        }
    }

    pub(super) fn pause_client(&mut self, id: ClientId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.paused = true;
        actor.set_timer();
    }

    pub(super) fn resume_client(&mut self, id: ClientId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.paused = false;
        actor.set_timer();
        let dialled = actor.dialled.take();
        let (gone, idle) = (actor.cut && actor.conn.is_some(), actor.conn.is_none());
        if gone {
            self.leave_server(id);
        } else if let Some((conn, up)) = dialled {
            self.client_dialled(id, conn, up);
        } else if idle {
            self.redial(id, Duration::ZERO);
        }
        self.net.unstall(self.now, None, Place::Client(id), &mut self.queue);
    }

    /// Its process ends without a word.
    pub(super) fn kill_client(&mut self, id: ClientId) {
        let Some(actor) = self.clients.get_mut(&id) else { return };
        actor.dead = true;
        let conn = actor.conn.take();
        actor.set_timer();
        if let Some(conn) = conn {
            self.close(conn, Place::Client(id), false);
        }
    }
}
