//! Why a command can't be carried out.

use crate::client::line::LineError;
use crate::id::ServerId;
use crate::recipe::SpecError;
use crate::sim::command::ClientId;
use crate::sim::trouble::MessageAct;
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
    /// No such message is under way.
    NoSuchMessage(u64),
    /// The message is not held.
    NotHeld(u64),
    /// The message is held already.
    HeldAlready(u64),
    /// The message is behind a cut link.
    BehindCut(u64),
    /// Others are before the message on its connection.
    NotFirst {
        /// How many.
        ahead: usize,
    },
    /// A rule for messages to come can't do this.
    NoRule(MessageAct),
    /// Too many rules wait already.
    TooManyRules,
    /// The server waits for nothing.
    NoTimer(ServerId),
    /// A number is too large.
    TooMuch {
        /// The largest that is allowed.
        most: u32,
    },
    /// A number is too small.
    TooLittle {
        /// The smallest that is allowed.
        least: u32,
    },
    /// The client is frozen.
    ClientFrozen(ClientId),
    /// The client is not frozen.
    ClientNotFrozen(ClientId),
    /// The client is cut off already.
    ClientCut(ClientId),
    /// The client is not cut off.
    ClientNotCut(ClientId),
    /// The client runs a recipe already.
    RecipeRuns(ClientId),
    /// The client runs no recipe.
    NoRecipe(ClientId),
    /// The members of this world do not change.
    FixedMembers,
    /// There are as many servers as there may be.
    TooManyServers {
        /// How many.
        most: usize,
    },
    /// The typed recipe, or what it is told, can't be understood.
    Recipe(SpecError),
    /// This protocol has nothing of the kind.
    NotInThisProtocol,
    /// This protocol only takes writes: `set` and `create`.
    OnlyWrites,
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
            CommandError::NoSuchMessage(_) => "no-such-message",
            CommandError::NotHeld(_) => "message-not-held",
            CommandError::HeldAlready(_) => "message-held",
            CommandError::BehindCut(_) => "message-behind-cut",
            CommandError::NotFirst { .. } => "message-not-first",
            CommandError::NoRule(_) => "rule-act",
            CommandError::TooManyRules => "rules-too-many",
            CommandError::NoTimer(_) => "no-timer",
            CommandError::TooMuch { .. } => "too-much",
            CommandError::TooLittle { .. } => "too-little",
            CommandError::ClientFrozen(_) => "client-frozen",
            CommandError::ClientNotFrozen(_) => "client-not-frozen",
            CommandError::ClientCut(_) => "client-cut",
            CommandError::ClientNotCut(_) => "client-not-cut",
            CommandError::RecipeRuns(_) => "recipe-runs",
            CommandError::NoRecipe(_) => "no-recipe",
            CommandError::FixedMembers => "fixed-members",
            CommandError::TooManyServers { .. } => "too-many-servers",
            CommandError::Recipe(e) => e.code(),
            CommandError::NotInThisProtocol => "not-in-this-protocol",
            CommandError::OnlyWrites => "only-writes",
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
            CommandError::NoSuchMessage(_) => f.write_str("this message is not under way any more"),
            CommandError::NotHeld(_) => f.write_str("this message is not held"),
            CommandError::HeldAlready(_) => f.write_str("this message is held already: release it first"),
            CommandError::BehindCut(_) => f.write_str("the link is cut: heal it first"),
            CommandError::NotFirst { ahead } => write!(
                f,
                "{ahead} of the same connection are before it, and TCP keeps their order: deliver the first one first"
            ),
            CommandError::NoRule(act) => write!(f, "a rule for the next message can't \"{act}\""),
            CommandError::TooManyRules => f.write_str("too many rules wait for their message: forget some first"),
            CommandError::NoTimer(id) => write!(f, "server {id} waits for no time to pass"),
            CommandError::TooMuch { most } => write!(f, "the number is too large: at most {most}"),
            CommandError::TooLittle { least } => write!(f, "the number is too small: at least {least}"),
            CommandError::ClientFrozen(id) => write!(f, "client {id} is frozen: let it go on first"),
            CommandError::ClientNotFrozen(id) => write!(f, "client {id} is not frozen"),
            CommandError::ClientCut(id) => write!(f, "client {id} is cut off already"),
            CommandError::ClientNotCut(id) => write!(f, "client {id} is not cut off"),
            CommandError::RecipeRuns(id) => write!(f, "client {id} runs a recipe already: stop it first"),
            CommandError::NoRecipe(id) => write!(f, "client {id} runs no recipe: start one first"),
            CommandError::FixedMembers => {
                f.write_str("the members of this world do not change: make one with reconfig")
            }
            CommandError::TooManyServers { most } => write!(f, "there are {most} servers, and no more may come"),
            CommandError::Recipe(e) => e.fmt(f),
            CommandError::NotInThisProtocol => f.write_str("this protocol has nothing of the kind"),
            CommandError::OnlyWrites => f.write_str("this protocol only takes writes, like set /x A"),
            CommandError::Line(e) => e.fmt(f),
        }
    }
}
impl core::error::Error for CommandError {}

impl From<SpecError> for CommandError {
    fn from(e: SpecError) -> CommandError {
        CommandError::Recipe(e)
    }
}

impl From<LineError> for CommandError {
    fn from(e: LineError) -> CommandError {
        CommandError::Line(e)
    }
}
