//! Why a command can't be carried out.

use crate::client::line::LineError;
use crate::id::ServerId;
use crate::sim::command::ClientId;
use core::fmt;

/// What is wrong with a [`crate::sim::command::Command`]. The world is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The world has no such server.
    NoSuchServer {
        /// The one named.
        server: ServerId,
        /// How many there are.
        servers: usize,
    },
    /// The server runs already.
    Running(ServerId),
    /// The server is down.
    Down(ServerId),
    /// The server is frozen already.
    Frozen(ServerId),
    /// The server is not frozen.
    NotFrozen(ServerId),
    /// Both ends of the link are the same server.
    LinkToItself(ServerId),
    /// A server stands in two groups.
    InTwoGroups(ServerId),
    /// There is no such client; connect it first.
    NoSuchClient(ClientId),
    /// The client's session is over.
    ClientEnded(ClientId),
    /// The client's name is taken.
    ClientExists(ClientId),
    /// The server's disk has no such thing.
    NothingToDamage(ServerId),
    /// The typed line can't be understood.
    Line(LineError),
}

impl CommandError {
    /// A stable name, for translation.
    pub fn code(&self) -> &'static str {
        match self {
            CommandError::NoSuchServer { .. } => "no-such-server",
            CommandError::Running(_) => "server-runs",
            CommandError::Down(_) => "server-down",
            CommandError::Frozen(_) => "server-frozen",
            CommandError::NotFrozen(_) => "server-not-frozen",
            CommandError::LinkToItself(_) => "link-to-itself",
            CommandError::InTwoGroups(_) => "in-two-groups",
            CommandError::NoSuchClient(_) => "no-such-client",
            CommandError::ClientEnded(_) => "client-ended",
            CommandError::ClientExists(_) => "client-exists",
            CommandError::NothingToDamage(_) => "nothing-to-damage",
            CommandError::Line(e) => e.code(),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::NoSuchServer { server, servers } => {
                write!(f, "there is no server {server}: this world has servers 1 to {servers}")
            }
            CommandError::Running(id) => write!(f, "server {id} is running already"),
            CommandError::Down(id) => write!(f, "server {id} is down: restart it first"),
            CommandError::Frozen(id) => write!(f, "server {id} is frozen already"),
            CommandError::NotFrozen(id) => write!(f, "server {id} is not frozen"),
            CommandError::LinkToItself(id) => write!(f, "server {id} has no link to itself"),
            CommandError::InTwoGroups(id) => write!(f, "server {id} stands in two groups: name each server once"),
            CommandError::NoSuchClient(id) => write!(f, "there is no client {id}: connect it to a server first"),
            CommandError::ClientEnded(id) => write!(f, "client {id}'s session is over: connect a new client"),
            CommandError::ClientExists(id) => write!(f, "there is a client {id} already: take another name"),
            CommandError::NothingToDamage(id) => {
                write!(f, "there is no such thing on server {id}'s disk: let it write a snapshot or a few transactions")
            }
            CommandError::Line(e) => e.fmt(f),
        }
    }
}
impl core::error::Error for CommandError {}

impl From<LineError> for CommandError {
    fn from(e: LineError) -> CommandError {
        CommandError::Line(e)
    }
}
