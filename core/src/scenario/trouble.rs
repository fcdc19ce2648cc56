//! The finer faults as buttons of a scenario: servers are chosen by what they are, messages by what is on them.

use crate::compare::AnyWorld;
use crate::id::ServerId;
use crate::scenario::{ClientName, Selector};
use crate::sim::trouble::{MessageAct, MessageRule, TimerAct, Trouble};
use crate::sim::view::{Flight, Place};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Which messages are meant; what is not named may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageChoice {
    /// Its type: `COMMIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The server that sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Selector>,
    /// The server that gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Selector>,
    /// The client at one of its ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// A part of what is on it: `1:5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// One of the finer faults, see [`Trouble`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TroubleAction {
    /// Chance on links from each of `from` to each of `to`.
    Unsteady {
        /// Sending side.
        from: Selector,
        /// Receiving side.
        to: Selector,
        /// Up to so many milliseconds more.
        #[serde(default)]
        jitter_ms: u32,
        /// Transmissions lost in a hundred.
        #[serde(default)]
        loss_percent: u32,
        /// Messages doubled in a hundred.
        #[serde(default)]
        copy_percent: u32,
    },
    /// Something is done to every message under way that fits; at least one must.
    Message {
        /// Which.
        which: MessageChoice,
        /// What.
        act: MessageAct,
    },
    /// Something is done to the next message that fits.
    NextMessage {
        /// Which.
        which: MessageChoice,
        /// What.
        act: MessageAct,
    },
    /// The rules that still wait are forgotten.
    ForgetRules,
    /// The next timer of these servers runs out now.
    FireTimer(Selector),
    /// The next timer of these servers is noticed late.
    StretchTimer {
        /// Whose.
        server: Selector,
        /// Milliseconds.
        ms: u32,
    },
    /// The next timer of these servers runs out together with that of another.
    AlignTimer {
        /// Whose.
        server: Selector,
        /// With whose.
        with: Selector,
    },
    /// These lose at their next stop what is not synced.
    LoseTail(Selector),
    /// The disks of these servers are full, or have room again.
    DiskFull {
        /// Whose.
        server: Selector,
        /// Full.
        full: bool,
    },
    /// The clocks of these servers jump.
    ClockJump {
        /// Whose.
        server: Selector,
        /// Ahead, or back if negative.
        ms: i32,
    },
    /// The clocks of these servers run at another pace.
    ClockRate {
        /// Whose.
        server: Selector,
        /// 100 is right.
        percent: u32,
    },
    /// Random faults begin.
    Chaos {
        /// The source of their chance.
        seed: u64,
    },
    /// Random faults end, and everything is mended.
    Calm,
}

/// Finds the servers that a selector means.
type Resolve<'a> = &'a dyn Fn(&Selector) -> Result<Vec<ServerId>, String>;

impl MessageChoice {
    fn ends(&self, resolve: Resolve<'_>) -> Result<(Option<Place>, Option<Place>), String> {
        let one = |selector: &Option<Selector>| match selector {
            None => Ok(None),
            Some(selector) => match resolve(selector)?.as_slice() {
                [one] => Ok(Some(Place::Server(*one))),
                several => Err(format!("\"{selector}\" means {} servers, not one", several.len())),
            },
        };
        let client = self.client.map(|name| Place::Client(name.0));
        let (from, to) = (one(&self.from)?, one(&self.to)?);
        // A client stands at the end that no server is named for.
        Ok(match (from, to) {
            (None, Some(_)) => (client, to),
            (Some(_), None) => (from, client),
            (None, None) if client.is_some() => (client, None),
            ends => ends,
        })
    }

    fn fits(&self, from: Option<Place>, to: Option<Place>, flight: &Flight) -> bool {
        from.is_none_or(|p| p == flight.from)
            && to.is_none_or(|p| p == flight.to)
            && self.kind.as_ref().is_none_or(|k| *k == flight.kind)
            && self.with.as_ref().is_none_or(|w| flight.label.contains(w.as_str()))
    }
}

impl TroubleAction {
    /// What it means in a world at this moment.
    ///
    /// # Errors
    /// A selector or a choice that means nothing, in words.
    pub(super) fn troubles(&self, world: &AnyWorld, resolve: Resolve<'_>) -> Result<Vec<Trouble>, String> {
        let each = |selector: &Selector, f: &dyn Fn(ServerId) -> Trouble| -> Result<Vec<Trouble>, String> {
            Ok(resolve(selector)?.into_iter().map(f).collect())
        };
        Ok(match self {
            TroubleAction::Unsteady { from, to, jitter_ms, loss_percent, copy_percent } => {
                let (jitter_ms, loss_percent, copy_percent) = (*jitter_ms, *loss_percent, *copy_percent);
                let to = resolve(to)?;
                let pairs = resolve(from)?.into_iter().flat_map(|from| to.iter().map(move |to| (from, *to)));
                pairs
                    .filter(|(from, to)| from != to)
                    .map(|(from, to)| Trouble::Unsteady { from, to, jitter_ms, loss_percent, copy_percent })
                    .collect()
            }
            TroubleAction::Message { which, act } => {
                let (from, to) = which.ends(resolve)?;
                let flights = world.flights();
                let found = flights.iter().filter(|f| which.fits(from, to, f));
                let troubles: Vec<Trouble> = found.map(|f| Trouble::Message { id: f.id, act: *act }).collect();
                if troubles.is_empty() {
                    return Err(format!("no message under way fits {which}"));
                }
                troubles
            }
            TroubleAction::NextMessage { which, act } => {
                let (from, to) = which.ends(resolve)?;
                let (kind, with) = (which.kind.clone(), which.with.clone());
                alloc::vec![Trouble::NextMessage(MessageRule { kind, from, to, with, act: *act })]
            }
            TroubleAction::ForgetRules => alloc::vec![Trouble::ForgetRules],
            TroubleAction::FireTimer(s) => each(s, &|server| Trouble::Timer { server, act: TimerAct::Fire })?,
            TroubleAction::StretchTimer { server, ms } => {
                each(server, &|server| Trouble::Timer { server, act: TimerAct::Stretch { millis: *ms } })?
            }
            TroubleAction::AlignTimer { server, with } => {
                let others = resolve(with)?;
                let Some(with) = others.first().copied() else { return Err(format!("\"{with}\" means no server")) };
                each(server, &|server| Trouble::Timer { server, act: TimerAct::Align { with } })?
            }
            TroubleAction::LoseTail(s) => each(s, &|server| Trouble::LoseTail { server })?,
            TroubleAction::DiskFull { server, full } => {
                each(server, &|server| Trouble::DiskFull { server, full: *full })?
            }
            TroubleAction::ClockJump { server, ms } => {
                each(server, &|server| Trouble::ClockJump { server, millis: *ms })?
            }
            TroubleAction::ClockRate { server, percent } => {
                each(server, &|server| Trouble::ClockRate { server, percent: *percent })?
            }
            TroubleAction::Chaos { seed } => alloc::vec![Trouble::Chaos { seed: *seed }],
            TroubleAction::Calm => alloc::vec![Trouble::Calm],
        })
    }
}

impl fmt::Display for MessageChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_deref().unwrap_or("message"))?;
        if let Some(with) = &self.with {
            write!(f, " with \"{with}\"")?;
        }
        if let Some(from) = &self.from {
            write!(f, " from {from}")?;
        }
        if let Some(to) = &self.to {
            write!(f, " to {to}")?;
        }
        if let Some(client) = self.client {
            write!(f, " of client {}", client.0)?;
        }
        Ok(())
    }
}

impl fmt::Display for TroubleAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TroubleAction::Unsteady { from, to, .. } => write!(f, "make the links from {from} to {to} unsteady"),
            TroubleAction::Message { which, act } => write!(f, "{act} {which}"),
            TroubleAction::NextMessage { which, act } => write!(f, "{act} the next {which}"),
            TroubleAction::ForgetRules => f.write_str("forget all rules for messages"),
            TroubleAction::FireTimer(s) => write!(f, "the next timer of {s} runs out now"),
            TroubleAction::StretchTimer { server, ms } => {
                write!(f, "the next timer of {server} is noticed {ms} ms late")
            }
            TroubleAction::AlignTimer { server, with } => {
                write!(f, "the next timer of {server} runs out with that of {with}")
            }
            TroubleAction::LoseTail(s) => write!(f, "{s} loses at its next stop what is not synced"),
            TroubleAction::DiskFull { server, full: true } => write!(f, "fill the disk of {server}"),
            TroubleAction::DiskFull { server, full: false } => write!(f, "make room on the disk of {server}"),
            TroubleAction::ClockJump { server, ms } => write!(f, "the clock of {server} jumps by {ms} ms"),
            TroubleAction::ClockRate { server, percent } => write!(f, "the clock of {server} runs at {percent} %"),
            TroubleAction::Chaos { seed } => write!(f, "chaos of seed {seed}"),
            TroubleAction::Calm => f.write_str("end chaos and mend everything"),
        }
    }
}
