//! What is asked of clients: a line, a recipe. A client that is not there yet is connected first.

use crate::store::State;
use zebu_core::id::ServerId;
use zebu_core::sim::CommandError;
use zebu_core::sim::command::{ClientId, Command};

impl State {
    pub(super) fn ask(&mut self, client: ClientId, via: Option<ServerId>, line: String) {
        // A mistyped line must not leave a new client behind.
        if let Err(e) = zebu_core::client::line::parse(&line) {
            self.refuse(&CommandError::Line(e));
            return;
        }
        let known = |state: &State| state.view.clients.iter().any(|c| c.id == client);
        if !known(self) {
            self.look();
        }
        if !known(self) {
            let serving = self.view.servers.iter().find(|s| s.serving).map(|s| s.id);
            let server = via.or(serving).unwrap_or(self.selected);
            if self.command(Command::Connect { client, server }) {
                self.command(Command::Ask { client, line, via: None });
            }
        } else {
            self.command(Command::Ask { client, line, via });
        }
    }

    pub(super) fn run_recipe(&mut self, client: ClientId, line: String) {
        // A mistyped recipe must not leave a new client behind.
        if let Err(e) = line.parse::<zebu_core::recipe::Spec>() {
            self.refuse(&CommandError::Recipe(e));
            return;
        }
        let known = self.view.clients.iter().any(|c| c.id == client);
        let server = self.view.servers.iter().find(|s| s.serving).map_or(self.selected, |s| s.id);
        if known || self.command(Command::Connect { client, server }) {
            self.command(Command::RunRecipe { client, line });
        }
    }
}
