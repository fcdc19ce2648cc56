//! Scenarios as data: what is pressed, what is waited for, what must hold. The same file is a native test, a lesson in
//! the lab and a regression.

mod condition;
mod lesson;
mod player;
mod recipes;
mod trouble;

pub use condition::Condition;
pub use lesson::{Challenge, Predict, Textbook};
pub use player::{Player, Progress, ScenarioError};
pub use recipes::{ClientAction, RecipeCondition};
pub use trouble::{MessageChoice, TroubleAction};

use crate::config::BrokenRule;
use crate::id::ServerId;
use crate::sim::command::{ClientId, Command, DiskDamage};
use crate::sim::spec::WorldSpec;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text in the lab's two languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// English.
    pub en: String,
    /// Simplified Chinese.
    pub zh: String,
}

/// A scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its stable name, that of its file.
    pub name: String,
    /// Its title.
    pub title: Text,
    /// What it shows, in a few sentences.
    #[serde(default)]
    pub about: Text,
    /// The world it plays in; what is not named is as in [`WorldSpec::default`].
    pub world: WorldSpec,
    /// A goal to try for, with the buttons that everybody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// Whether it is about a rule being broken: then that is no failure.
    pub fn breaks_a_rule(&self) -> bool {
        fn breaks(condition: &Condition) -> bool {
            match condition {
                Condition::All(all) => all.iter().any(breaks),
                Condition::Broken(_) => true,
                _ => false,
            }
        }
        self.steps.iter().any(|step| match &step.what {
            What::Expect(condition) | What::Until { condition, .. } => breaks(condition),
            _ => false,
        })
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What to tell the class when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Text>,
    /// What to ask the class before it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predict: Option<Predict>,
    /// Where a textbook and the code differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub textbook: Option<Textbook>,
    /// What to do.
    #[serde(rename = "do")]
    pub what: What,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// Let simulated time pass.
    Run {
        /// Milliseconds.
        ms: u32,
    },
    /// Go on until something holds.
    Until {
        /// What.
        condition: Condition,
        /// Simulated milliseconds after which the scenario has failed.
        within_ms: u32,
    },
    /// Something must hold now.
    Expect(Condition),
    /// Give a server a name, so that later steps mean this one whatever its role is then.
    Remember {
        /// The name; selectors write it with a `$` before.
        name: String,
        /// Which server.
        server: Selector,
    },
    /// Press buttons.
    Press(Action),
    /// Let so many events happen: how a recorded run says when a button was pressed.
    Events(u32),
    /// Press exactly this button: what a recorded run holds.
    Give(Command),
}

/// A button, with servers chosen by what they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Stop servers at once.
    Kill(Selector),
    /// Start servers from their disks.
    Restart(Selector),
    /// Freeze servers.
    Pause(Selector),
    /// Let frozen servers go on.
    Resume(Selector),
    /// Cut links from each of `from` to each of `to`.
    Cut {
        /// Sending side.
        from: Selector,
        /// Receiving side.
        to: Selector,
        /// The other direction too.
        #[serde(default)]
        both: bool,
    },
    /// Undo a cut.
    Heal {
        /// Sending side.
        from: Selector,
        /// Receiving side.
        to: Selector,
        /// The other direction too.
        #[serde(default)]
        both: bool,
    },
    /// Cut every link between different groups.
    Partition(Vec<Selector>),
    /// Undo all cuts and delays.
    HealAll,
    /// Extra one-way latency.
    Delay {
        /// Sending side.
        from: Selector,
        /// Receiving side.
        to: Selector,
        /// Milliseconds.
        ms: u32,
    },
    /// How long a sync takes.
    DiskDelay {
        /// Whose.
        server: Selector,
        /// Milliseconds more than usual.
        ms: u32,
    },
    /// The next sync fails.
    DiskFail(Selector),
    /// A stopped server's disk loses something that was durable.
    Damage {
        /// Whose.
        server: Selector,
        /// What.
        what: DiskDamage,
    },
    /// A new client connects.
    Connect {
        /// Its name.
        client: ClientName,
        /// To which server.
        server: Selector,
    },
    /// A client asks for something.
    Ask {
        /// Who.
        client: ClientName,
        /// As typed.
        line: String,
        /// Through which server; where it is, if none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<Selector>,
    },
    /// A client closes its session.
    CloseSession(ClientName),
    /// A client dies.
    KillClient(ClientName),
    /// A rule is broken on purpose (or mended).
    Break(Option<BrokenRule>),
    /// One of the finer faults.
    Trouble(TroubleAction),
    /// A button of a client.
    Client(ClientAction),
}

/// A client by its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientName(pub ClientId);

impl Serialize for ClientName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<ClientName, D::Error> {
        let text = String::deserialize(d)?;
        match text.as_bytes() {
            [letter @ b'A'..=b'Z'] => Ok(ClientName(ClientId(u32::from(letter - b'A')))),
            _ => Err(de::Error::custom(format!("\"{text}\" is not a client: clients are the letters A to Z"))),
        }
    }
}

/// Which servers are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// This one.
    Server(ServerId),
    /// These.
    Servers(Vec<ServerId>),
    /// The established leader of the highest epoch.
    Leader,
    /// All servers that follow a leader and serve, without observers.
    Followers,
    /// One of the followers, counted from 1 in order of id.
    Follower(u32),
    /// All voters that run.
    Voters,
    /// All observers that run.
    Observers,
    /// All servers that run.
    Up,
    /// All servers.
    All,
    /// The leader and as many followers as are not yet a quorum with it, in order of id.
    Minority,
    /// All servers but the [`Selector::Minority`].
    Majority,
    /// The server remembered under this name.
    Remembered(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Server(id) => write!(f, "{id}"),
            Selector::Servers(ids) => f.write_str(&ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            Selector::Leader => f.write_str("leader"),
            Selector::Followers => f.write_str("followers"),
            Selector::Follower(n) => write!(f, "follower:{n}"),
            Selector::Voters => f.write_str("voters"),
            Selector::Observers => f.write_str("observers"),
            Selector::Up => f.write_str("up"),
            Selector::All => f.write_str("all"),
            Selector::Minority => f.write_str("minority"),
            Selector::Majority => f.write_str("majority"),
            Selector::Remembered(name) => write!(f, "${name}"),
        }
    }
}

impl core::str::FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Selector, String> {
        Ok(match text {
            "leader" => Selector::Leader,
            "followers" => Selector::Followers,
            "voters" => Selector::Voters,
            "observers" => Selector::Observers,
            "up" => Selector::Up,
            "all" => Selector::All,
            "minority" => Selector::Minority,
            "majority" => Selector::Majority,
            _ => {
                let unknown = || {
                    format!(
                        "\"{text}\" names no servers: write a number, numbers like 1,2, leader, followers, \
                         follower:1, voters, observers, up, all, minority, majority or $name"
                    )
                };
                if let Some(name) = text.strip_prefix('$') {
                    Selector::Remembered(name.into())
                } else if let Some(number) = text.strip_prefix("follower:") {
                    Selector::Follower(number.parse().map_err(|_| unknown())?)
                } else {
                    let ids: Result<Vec<ServerId>, _> =
                        text.split(',').map(|n| n.trim().parse().map(ServerId)).collect();
                    match ids.map_err(|_| unknown())?.as_slice() {
                        [one] => Selector::Server(*one),
                        several => Selector::Servers(several.to_vec()),
                    }
                }
            }
        })
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Selector::Server(id) => id.serialize(s),
            other => s.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Selector, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Selector;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a server's number or a word like leader, followers, minority, $name")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Selector, E> {
                Ok(Selector::Server(ServerId(n)))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Selector, E> {
                i64::try_from(n).map(|n| Selector::Server(ServerId(n))).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Selector, E> {
                text.parse().map_err(E::custom)
            }
        }
        d.deserialize_any(Visitor)
    }
}

impl fmt::Display for What {
    /// The step in a few words, for errors and lists.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Run { ms } => write!(f, "run {ms} ms"),
            What::Until { condition, within_ms } => write!(f, "until {condition}, within {within_ms} ms"),
            What::Expect(condition) => write!(f, "expect {condition}"),
            What::Remember { name, server } => write!(f, "remember {server} as ${name}"),
            What::Press(action) => write!(f, "{action}"),
            What::Events(count) => write!(f, "{count} events"),
            What::Give(command) => write!(f, "{command}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Kill(s) => write!(f, "kill {s}"),
            Action::Restart(s) => write!(f, "restart {s}"),
            Action::Pause(s) => write!(f, "freeze {s}"),
            Action::Resume(s) => write!(f, "resume {s}"),
            Action::Cut { from, to, .. } => write!(f, "cut {from} from {to}"),
            Action::Heal { from, to, .. } => write!(f, "heal {from} to {to}"),
            Action::Partition(groups) => {
                write!(f, "partition {}", groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
            }
            Action::HealAll => f.write_str("heal all"),
            Action::Delay { from, to, ms } => write!(f, "slow {from} to {to} by {ms} ms"),
            Action::DiskDelay { server, ms } => write!(f, "slow the disk of {server} by {ms} ms"),
            Action::DiskFail(s) => write!(f, "fail the disk of {s}"),
            Action::Damage { server, what } => write!(f, "damage {what:?} on the disk of {server}"),
            Action::Connect { client, server } => write!(f, "connect client {} to {server}", client.0),
            Action::Ask { client, line, .. } => write!(f, "client {} asks: {line}", client.0),
            Action::CloseSession(client) => write!(f, "client {} closes its session", client.0),
            Action::KillClient(client) => write!(f, "client {} dies", client.0),
            Action::Break(rule) => write!(f, "break {rule:?}"),
            Action::Trouble(trouble) => trouble.fmt(f),
            Action::Client(action) => action.fmt(f),
        }
    }
}
