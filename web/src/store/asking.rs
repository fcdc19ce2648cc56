//! What is typed: a line for a client, a recipe, other members, groups. A client that is not there yet is connected first.

use crate::groups::{self, GroupsError};
use crate::store::State;
use zebu_core::config::MemberKind;
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

    /// The first client that can asks for the change; if there is none, a new one comes.
    pub(super) fn change_members(&mut self, join: Vec<(ServerId, MemberKind)>, leave: Vec<ServerId>) {
        if join.is_empty() && leave.is_empty() {
            self.tell("mc.same", Vec::new());
            return;
        }
        let asks = self.view.clients.iter().find(|c| !c.ended && !c.paused && !c.cut).map(|c| c.id);
        let client = asks.unwrap_or_else(|| self.free_client());
        let server = self.view.servers.iter().find(|s| s.serving).map_or(self.selected, |s| s.id);
        if asks.is_some() || self.command(Command::Connect { client, server }) {
            self.command(Command::Reconfig { client, join, leave });
        }
    }

    /// Cuts the network into groups, as typed.
    pub(super) fn partition(&mut self, text: &str) {
        match groups::parse(text, &self.servers()) {
            Ok(groups) => {
                self.command(Command::Partition { groups });
            }
            Err(GroupsError::NoServer(what)) => self.tell("err.groups", vec![("what", what)]),
            Err(GroupsError::Twice(id)) => self.tell("err.groups.twice", vec![("id", id.to_string())]),
            Err(GroupsError::TooFew) => self.tell("err.groups.few", Vec::new()),
        }
    }
}
