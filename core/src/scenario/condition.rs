//! What a scenario waits for and expects.

use crate::compare::note::{Role, Stage};
use crate::id::{Epoch, ServerId, Zxid};
use crate::note::SyncKind;
use crate::scenario::player::Facts;
use crate::scenario::{ClientName, RecipeCondition, Selector};
use crate::sim::view::{ClientView, ServerView, Shown, WorldView};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Something that may hold of a world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// All of these.
    All(Vec<Condition>),
    /// Not this.
    Not(alloc::boxed::Box<Condition>),
    /// No checked rule is broken.
    Safe,
    /// A leader is established and serves; `epoch` and `server` narrow it.
    Leader {
        /// Its epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
        /// Who it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<Selector>,
    },
    /// Each of these servers is in this state.
    State {
        /// Which servers.
        at: Selector,
        /// The state.
        is: Shown,
    },
    /// Each of these servers of a compared protocol is this, and so far.
    Doing {
        /// Which servers.
        at: Selector,
        /// What they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// How far they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<Stage>,
    },
    /// This rule is broken: what the scenario is about.
    Broken(String),
    /// Each of these servers serves clients.
    Serving(Selector),
    /// All servers that run (at least one) serve, at the same zxid, with the same tree.
    Agreed,
    /// Each of these servers has committed exactly up to here, written like `1:4`.
    Committed {
        /// Which servers.
        at: Selector,
        /// `epoch:counter`.
        zxid: ZxidText,
    },
    /// Each of these servers has logged exactly up to here.
    Logged {
        /// Which servers.
        at: Selector,
        /// `epoch:counter`.
        zxid: ZxidText,
    },
    /// Each of these servers has promised exactly this epoch on its disk.
    Accepted {
        /// Which servers.
        at: Selector,
        /// The `acceptedEpoch` file.
        epoch: Epoch,
    },
    /// Each of these servers has this znode, with this data if any is named.
    Exists {
        /// Which servers.
        at: Selector,
        /// Its path.
        path: String,
        /// Its data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
    },
    /// None of these servers has this znode.
    Absent {
        /// Which servers.
        at: Selector,
        /// Its path.
        path: String,
    },
    /// A server was brought up to date this way since it was last started.
    SyncedBy {
        /// Which server.
        at: Selector,
        /// How.
        kind: SyncKind,
    },
    /// To each of these servers the voters in force are these, and those of an open change are these (none: no change is
    /// open).
    Members {
        /// Which servers.
        at: Selector,
        /// In force.
        voters: Vec<ServerId>,
        /// Proposed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Vec<ServerId>>,
    },
    /// The client is connected and has a session.
    Connected(ClientName),
    /// The client's session has ended.
    Ended(ClientName),
    /// The client waits for an answer.
    Waiting(ClientName),
    /// The client's last exchange is answered without an error; `with` is a part of the answer.
    Answered {
        /// Who.
        client: ClientName,
        /// A part of the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<String>,
    },
    /// The client's last exchange failed; `with` is a part of the error's words.
    Refused {
        /// Who.
        client: ClientName,
        /// A part of the words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<String>,
    },
    /// Something about clients' recipes.
    Recipe(RecipeCondition),
    /// The client was told of exactly so many watch events.
    Events {
        /// Who.
        client: ClientName,
        /// How many.
        count: u32,
    },
}

/// A zxid written `epoch:counter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZxidText(pub Zxid);

impl Serialize for ZxidText {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ZxidText {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<ZxidText, D::Error> {
        let text = String::deserialize(d)?;
        let halves = text.split_once(':').and_then(|(e, c)| Some((e.parse().ok()?, c.parse().ok()?)));
        match halves {
            Some((epoch, counter)) => Ok(ZxidText(Zxid::new(Epoch(epoch), counter))),
            None => Err(serde::de::Error::custom(format!("\"{text}\" is not a zxid: write epoch:counter, like 1:4"))),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |with: &Option<String>| with.as_ref().map(|w| format!(" with \"{w}\"")).unwrap_or_default();
        match self {
            Condition::All(all) => f.write_str(&all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")),
            Condition::Not(inner) => write!(f, "not ({inner})"),
            Condition::Safe => f.write_str("no rule is broken"),
            Condition::Leader { epoch, server } => {
                let who = server.as_ref().map_or_else(|| "somebody".into(), |s| format!("server {s}"));
                let when = epoch.map(|e| format!(" in epoch {e}")).unwrap_or_default();
                write!(f, "{who} leads{when}")
            }
            Condition::State { at, is } => write!(f, "{at} is {}", format!("{is:?}").to_ascii_lowercase()),
            Condition::Doing { at, role, stage } => {
                let role = role.map(|r| format!(" is {}", r.name())).unwrap_or_default();
                write!(f, "{at}{role}{}", stage.map(|s| format!(" is {}", s.name())).unwrap_or_default())
            }
            Condition::Broken(rule) => write!(f, "the rule {rule} is broken"),
            Condition::Serving(at) => write!(f, "{at} serves clients"),
            Condition::Agreed => f.write_str("all running servers serve and have the same state"),
            Condition::Committed { at, zxid } => write!(f, "{at} has committed {}", zxid.0),
            Condition::Logged { at, zxid } => write!(f, "{at} has logged {}", zxid.0),
            Condition::Accepted { at, epoch } => write!(f, "{at} has promised epoch {epoch}"),
            Condition::Exists { at, path, data: Some(data) } => write!(f, "{path} is \"{data}\" at {at}"),
            Condition::Exists { at, path, data: None } => write!(f, "{path} exists at {at}"),
            Condition::Absent { at, path } => write!(f, "{path} does not exist at {at}"),
            Condition::SyncedBy { at, kind } => write!(f, "{at} was brought up to date by {kind:?}"),
            Condition::Members { at, voters, proposed } => {
                let list = |ids: &Vec<ServerId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let change = proposed.as_ref().map(|p| format!(" and a change to {} is open", list(p)));
                write!(f, "to {at}, {} vote{}", list(voters), change.unwrap_or_default())
            }
            Condition::Connected(c) => write!(f, "client {} is connected", c.0),
            Condition::Ended(c) => write!(f, "client {}'s session is over", c.0),
            Condition::Waiting(c) => write!(f, "client {} waits for an answer", c.0),
            Condition::Answered { client, with: w } => write!(f, "client {} is answered{}", client.0, with(w)),
            Condition::Refused { client, with: w } => write!(f, "client {} is refused{}", client.0, with(w)),
            Condition::Recipe(recipe) => recipe.fmt(f),
            Condition::Events { client, count } => write!(f, "client {} was told of {count} events", client.0),
        }
    }
}

impl Condition {
    /// Whether it holds.
    ///
    /// # Errors
    /// A selector or client that means nobody, in words.
    pub(super) fn holds(&self, view: &WorldView, facts: &Facts) -> Result<bool, String> {
        let each = |at: &Selector, f: &dyn Fn(&ServerView) -> bool| -> Result<bool, String> {
            let ids = facts.resolve(at, view)?;
            Ok(view.servers.iter().filter(|s| ids.contains(&s.id)).all(f))
        };
        Ok(match self {
            Condition::All(all) => {
                for condition in all {
                    if !condition.holds(view, facts)? {
                        return Ok(false);
                    }
                }
                true
            }
            Condition::Not(inner) => !inner.holds(view, facts)?,
            Condition::Safe => view.checks.iter().all(|c| c.broken.is_none()),
            Condition::Leader { epoch, server } => {
                let leader =
                    view.servers.iter().filter(|s| s.shown == Shown::Leading && s.serving).max_by_key(|s| s.epoch);
                match (leader, server) {
                    (None, _) => false,
                    (Some(l), Some(server)) => {
                        facts.resolve(server, view)?.contains(&l.id) && epoch.is_none_or(|e| e == l.epoch)
                    }
                    (Some(l), None) => epoch.is_none_or(|e| e == l.epoch),
                }
            }
            Condition::State { at, is } => each(at, &|s| s.shown == *is)?,
            Condition::Doing { at, role, stage } => each(at, &|s| {
                s.shown != Shown::Down
                    && s.model
                        .as_ref()
                        .is_some_and(|m| role.is_none_or(|r| m.role == r) && stage.is_none_or(|stage| m.stage == stage))
            })?,
            Condition::Broken(rule) => view.checks.iter().any(|c| c.name == *rule && c.broken.is_some()),
            Condition::Serving(at) => each(at, &|s| s.serving)?,
            Condition::Agreed => {
                let up: Vec<_> = view.servers.iter().filter(|s| s.shown != Shown::Down).collect();
                !up.is_empty()
                    && up.iter().all(|s| s.serving)
                    && up.windows(2).all(|w| {
                        (w[0].committed, w[0].logged, w[0].tree_digest)
                            == (w[1].committed, w[1].logged, w[1].tree_digest)
                    })
            }
            Condition::Committed { at, zxid } => each(at, &|s| s.committed == zxid.0)?,
            Condition::Logged { at, zxid } => each(at, &|s| s.logged == zxid.0)?,
            Condition::Accepted { at, epoch } => each(at, &|s| s.accepted == *epoch)?,
            Condition::Exists { at, path, data } => {
                each(at, &|s| s.tree.iter().any(|z| z.path == *path && data.as_ref().is_none_or(|d| *d == z.data)))?
            }
            Condition::Absent { at, path } => each(at, &|s| s.tree.iter().all(|z| z.path != *path))?,
            Condition::SyncedBy { at, kind } => {
                facts.resolve(at, view)?.iter().all(|id| facts.synced_by.get(id).is_some_and(|k| k.contains(kind)))
            }
            Condition::Members { at, voters, proposed } => each(at, &|s| {
                s.inside.members.as_ref().is_some_and(|m| {
                    m.committed.voters == *voters && m.proposed.as_ref().map(|p| &p.voters) == proposed.as_ref()
                })
            })?,
            Condition::Connected(name) => client(view, *name)?.connected,
            Condition::Ended(name) => client(view, *name)?.ended,
            Condition::Waiting(name) => client(view, *name)?.waiting.is_some(),
            Condition::Answered { client: name, with } => {
                let last = client(view, *name)?.talk.iter().rfind(|t| !t.event);
                last.is_some_and(|t| !t.failed && part_of(t.answer.as_deref(), with))
            }
            Condition::Refused { client: name, with } => {
                let last = client(view, *name)?.talk.iter().rfind(|t| !t.event);
                last.is_some_and(|t| t.failed && part_of(t.answer.as_deref(), with))
            }
            Condition::Recipe(recipe) => recipe.holds(view, facts)?,
            Condition::Events { client: name, count } => {
                client(view, *name)?.talk.iter().filter(|t| t.event).count() == *count as usize
            }
        })
    }
}

fn part_of(answer: Option<&str>, with: &Option<String>) -> bool {
    answer.is_some_and(|a| with.as_ref().is_none_or(|w| a.contains(w.as_str())))
}

fn client(view: &WorldView, name: ClientName) -> Result<&ClientView, String> {
    view.clients.iter().find(|c| c.id == name.0).ok_or_else(|| format!("there is no client {}", name.0))
}
