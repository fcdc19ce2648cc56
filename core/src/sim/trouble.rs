//! Finer faults than killing and cutting: single messages, unsteady links, timers, disks, clocks, and chaos. Like every
//! command they are part of a run's truth; chance is drawn only where one of them asks for it.
//!
//! Connections are TCP's, and keep its promises: within one direction nothing overtakes, and nothing is lost alone. So a
//! lossy link costs time (segments are sent again), a copy is thrown away by the receiver, and a message that is to be
//! dropped takes its connection with it, which both ends notice.

use crate::id::ServerId;
use crate::sim::view::Place;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Most rules that wait for their message at the same time.
pub const MOST_RULES: usize = 20;

/// The longest that a single fault may add to anything, milliseconds.
pub const LONGEST_MS: u32 = 600_000;

/// What is done to a message under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageAct {
    /// It is lost, and its connection breaks with it.
    Drop,
    /// It arrives twice; the receiver's TCP throws the copy away.
    Duplicate,
    /// It waits, and everything behind it on its connection with it.
    Hold,
    /// It goes on.
    Release,
    /// It arrives so much later; what is behind it can't overtake.
    Delay {
        /// Milliseconds.
        millis: u32,
    },
    /// It arrives at once: only if nothing is before it.
    Now,
}

/// Which message a rule waits for, and what it does to it, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRule {
    /// Its type (`COMMIT`); any without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Who sends it; anybody without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Place>,
    /// To whom; anybody without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Place>,
    /// A part of what is on it (`1:5`); anything without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// What is done.
    pub act: MessageAct,
}

/// What is done to a server's next timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerAct {
    /// It runs out now: the server's clock jumps ahead to it.
    Fire,
    /// It is noticed so much later: the server's thread wakes late.
    Stretch {
        /// Milliseconds.
        millis: u32,
    },
    /// It runs out together with the next timer of another server.
    Align {
        /// That one.
        with: ServerId,
    },
}

/// One of the finer faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// How unsteady the way from `from` to `to` is, for all that is sent from now on.
    Unsteady {
        /// Sending side.
        from: ServerId,
        /// Receiving side.
        to: ServerId,
        /// Each message takes up to so many milliseconds longer.
        jitter_ms: u32,
        /// So many transmissions in a hundred are lost and sent again after a time-out.
        loss_percent: u32,
        /// So many messages in a hundred arrive twice.
        copy_percent: u32,
    },
    /// Does something to a message under way.
    Message {
        /// Its number.
        id: u64,
        /// What.
        act: MessageAct,
    },
    /// Does something to the next message that fits.
    NextMessage(MessageRule),
    /// Forgets the rules that still wait.
    ForgetRules,
    /// Does something to a server's next timer.
    Timer {
        /// Whose.
        server: ServerId,
        /// What.
        act: TimerAct,
    },
    /// At its next stop a server loses everything that its disk had not synced.
    LoseTail {
        /// Whose disk.
        server: ServerId,
    },
    /// A server's disk is full (or has room again): the next sync fails.
    DiskFull {
        /// Whose disk.
        server: ServerId,
        /// Full.
        full: bool,
    },
    /// A server's clock jumps ahead, or stands still until the others have caught up.
    ClockJump {
        /// Whose.
        server: ServerId,
        /// Ahead, or back if negative, milliseconds.
        millis: i32,
    },
    /// A server's clock runs at another pace from now on.
    ClockRate {
        /// Whose.
        server: ServerId,
        /// 100 is right, 200 twice as fast.
        percent: u32,
    },
    /// Faults at random, drawn from a seed, until [`Trouble::Calm`].
    Chaos {
        /// The source of its chance.
        seed: u64,
    },
    /// Ends chaos and mends everything that it did.
    Calm,
}

impl fmt::Display for MessageAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageAct::Drop => f.write_str("drop"),
            MessageAct::Duplicate => f.write_str("duplicate"),
            MessageAct::Hold => f.write_str("hold"),
            MessageAct::Release => f.write_str("release"),
            MessageAct::Delay { millis } => write!(f, "delay by {millis} ms"),
            MessageAct::Now => f.write_str("deliver now"),
        }
    }
}

impl fmt::Display for MessageRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} the next {}", self.act, self.kind.as_deref().unwrap_or("message"))?;
        if let Some(with) = &self.with {
            write!(f, " with \"{with}\"")?;
        }
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unsteady { from, to, jitter_ms, loss_percent, copy_percent } => write!(
                f,
                "link {from} -> {to}: up to {jitter_ms} ms of jitter, {loss_percent} % lost, {copy_percent} % doubled"
            ),
            Trouble::Message { id, act } => write!(f, "{act} message {id}"),
            Trouble::NextMessage(rule) => rule.fmt(f),
            Trouble::ForgetRules => f.write_str("forget all rules for messages"),
            Trouble::Timer { server, act: TimerAct::Fire } => write!(f, "server {server}'s next timer runs out now"),
            Trouble::Timer { server, act: TimerAct::Stretch { millis } } => {
                write!(f, "server {server}'s next timer is noticed {millis} ms late")
            }
            Trouble::Timer { server, act: TimerAct::Align { with } } => {
                write!(f, "server {server}'s next timer runs out together with server {with}'s")
            }
            Trouble::LoseTail { server } => {
                write!(f, "server {server} loses at its next stop all that is not synced")
            }
            Trouble::DiskFull { server, full: true } => write!(f, "server {server}'s disk is full"),
            Trouble::DiskFull { server, full: false } => write!(f, "server {server}'s disk has room again"),
            Trouble::ClockJump { server, millis } => write!(f, "server {server}'s clock jumps by {millis} ms"),
            Trouble::ClockRate { server, percent } => write!(f, "server {server}'s clock runs at {percent} %"),
            Trouble::Chaos { seed } => write!(f, "chaos of seed {seed}"),
            Trouble::Calm => f.write_str("end chaos and mend everything"),
        }
    }
}

/// Everything that was done to a world and still counts: plain data, made new on request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles {
    /// Directed links that are unsteady.
    pub links: Vec<UnsteadyLink>,
    /// Servers whose disk, clock or timer is touched.
    pub servers: Vec<TroubledServer>,
    /// Messages that are held, or wait behind one that is.
    pub held: Vec<u64>,
    /// Rules that wait for their message, oldest first.
    pub rules: Vec<MessageRule>,
    /// The seed of the chaos that goes on.
    pub chaos: Option<u64>,
}

/// A directed link that is unsteady.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsteadyLink {
    /// Sending side.
    pub from: ServerId,
    /// Receiving side.
    pub to: ServerId,
    /// Up to so many milliseconds more for each message.
    pub jitter_ms: u32,
    /// Transmissions lost in a hundred.
    pub loss_percent: u32,
    /// Messages doubled in a hundred.
    pub copy_percent: u32,
    /// Transmissions that were lost and repeated so far.
    pub resent: u32,
    /// Copies that arrived or are under way.
    pub copies: u32,
}

/// A server whose disk, clock or timer is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubledServer {
    /// Which.
    pub server: ServerId,
    /// Extra time for a sync, milliseconds.
    pub disk_ms: u32,
    /// The disk is full.
    pub full: bool,
    /// The next sync fails.
    pub fails: bool,
    /// What is not synced at its next stop is lost.
    pub loses_tail: bool,
    /// How far its clock is ahead, microseconds.
    pub ahead_us: i64,
    /// The pace of its clock, percent.
    pub clock_percent: u32,
    /// Its next timer is noticed so much later, milliseconds.
    pub stretched_ms: u32,
}

/// Something that is going to happen, as things stand now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// When, where, what.
    pub event: crate::sim::view::NextEvent,
    /// The message that arrives, if it is one.
    pub message: Option<u64>,
    /// The timer that runs out, if it is one.
    pub timer: Option<crate::status::Deadline>,
}
