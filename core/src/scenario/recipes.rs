//! What scenarios do with clients that run recipes, and what they expect of them.

use crate::recipe::State;
use crate::scenario::ClientName;
use crate::scenario::player::Facts;
use crate::sim::command::Command;
use crate::sim::view::{ClientView, WorldView};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A button of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClientAction {
    /// Starts a recipe.
    Run {
        /// Who, all at once.
        clients: Vec<ClientName>,
        /// As typed.
        line: String,
    },
    /// Tells it something.
    Tell {
        /// Who.
        client: ClientName,
        /// As typed.
        line: String,
    },
    /// Is cut off from all servers.
    Cut(ClientName),
    /// Reaches them again.
    Heal(ClientName),
    /// Is frozen.
    Freeze(ClientName),
    /// Goes on.
    Thaw(ClientName),
}

impl ClientAction {
    pub(super) fn commands(&self) -> Vec<Command> {
        match self {
            ClientAction::Run { clients, line } => {
                clients.iter().map(|client| Command::RunRecipe { client: client.0, line: line.clone() }).collect()
            }
            ClientAction::Tell { client, line } => {
                alloc::vec![Command::TellRecipe { client: client.0, line: line.clone() }]
            }
            ClientAction::Cut(client) => alloc::vec![Command::CutClient { client: client.0 }],
            ClientAction::Heal(client) => alloc::vec![Command::HealClient { client: client.0 }],
            ClientAction::Freeze(client) => alloc::vec![Command::PauseClient { client: client.0 }],
            ClientAction::Thaw(client) => alloc::vec![Command::ResumeClient { client: client.0 }],
        }
    }
}

fn letters(clients: &[ClientName]) -> String {
    clients.iter().map(|client| client.0.to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for ClientAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientAction::Run { clients, line } => write!(f, "client {} runs: {line}", letters(clients)),
            ClientAction::Tell { client, line } => write!(f, "client {} tells its recipe: {line}", client.0),
            ClientAction::Cut(client) => write!(f, "cut client {} off", client.0),
            ClientAction::Heal(client) => write!(f, "client {} reaches the servers again", client.0),
            ClientAction::Freeze(client) => write!(f, "freeze client {}", client.0),
            ClientAction::Thaw(client) => write!(f, "client {} goes on", client.0),
        }
    }
}

/// Something that may hold of recipes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecipeCondition {
    /// Each of these clients' recipe stands here.
    Stands {
        /// Who.
        clients: Vec<ClientName>,
        /// Where.
        is: State,
        /// A part of what it waits for or knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<String>,
    },
    /// So many clients believe that they hold what is at this path.
    Holders {
        /// The recipe's path.
        path: String,
        /// How many.
        count: usize,
    },
    /// So many watch events about this znode or what is below it have been told, of all clients together.
    Notified {
        /// The znode.
        path: String,
        /// How many.
        count: usize,
    },
    /// At every server that serves, a znode has so many children.
    Children {
        /// The znode.
        path: String,
        /// How many.
        count: usize,
    },
    /// The tokens of these clients' recipes rise in this order.
    TokensRise(Vec<ClientName>),
}

impl fmt::Display for RecipeCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecipeCondition::Stands { clients, is, with } => {
                let with = with.as_ref().map(|w| format!(" with \"{w}\"")).unwrap_or_default();
                let is = format!("{is:?}").to_ascii_lowercase();
                write!(f, "the recipe of client {} is {is}{with}", letters(clients))
            }
            RecipeCondition::Holders { path, count } => write!(f, "{count} clients believe that they hold {path}"),
            RecipeCondition::Notified { path, count } => write!(f, "{count} watch events of {path} have been told"),
            RecipeCondition::Children { path, count } => write!(f, "{path} has {count} children"),
            RecipeCondition::TokensRise(clients) => write!(f, "the tokens of {} rise", letters(clients)),
        }
    }
}

impl RecipeCondition {
    pub(super) fn holds(&self, view: &WorldView, facts: &Facts) -> Result<bool, String> {
        Ok(match self {
            RecipeCondition::Stands { clients, is, with } => {
                for name in clients {
                    let recipe = client(view, *name)?.recipe.as_ref();
                    let there = recipe.is_some_and(|recipe| {
                        let note = recipe.note.as_deref().unwrap_or_default();
                        recipe.state == *is && with.as_ref().is_none_or(|with| note.contains(with.as_str()))
                    });
                    if !there {
                        return Ok(false);
                    }
                }
                true
            }
            RecipeCondition::Holders { path, count } => {
                let holds = |c: &&ClientView| {
                    let recipe = c.recipe.as_ref().filter(|recipe| recipe.path == *path);
                    recipe.is_some_and(|recipe| matches!(recipe.state, State::Holding | State::Unsure))
                };
                view.clients.iter().filter(holds).count() == *count
            }
            RecipeCondition::Notified { path, count } => {
                let below = |fired: &&String| {
                    fired.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                facts.fired.iter().filter(below).count() == *count
            }
            RecipeCondition::Children { path, count } => {
                let child = |z: &str| {
                    z.strip_prefix(path.as_str())
                        .and_then(|rest| rest.strip_prefix('/'))
                        .is_some_and(|rest| !rest.contains('/'))
                };
                let mut serving = view.servers.iter().filter(|s| s.serving).peekable();
                serving.peek().is_some() && serving.all(|s| s.tree.iter().filter(|z| child(&z.path)).count() == *count)
            }
            RecipeCondition::TokensRise(clients) => {
                let mut last = None;
                for name in clients {
                    let token = client(view, *name)?.recipe.as_ref().and_then(|recipe| recipe.token);
                    if token.is_none() || token <= last {
                        return Ok(false);
                    }
                    last = token;
                }
                true
            }
        })
    }
}

fn client(view: &WorldView, name: ClientName) -> Result<&ClientView, String> {
    view.clients.iter().find(|c| c.id == name.0).ok_or_else(|| format!("there is no client {}", name.0))
}
