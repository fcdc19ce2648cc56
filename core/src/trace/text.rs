//! A trace record as one line of English, for terminals and golden files.

use crate::config::MemberKind;
use crate::sim::command::{Command, DiskDamage};
use crate::sim::view::Place;
use crate::trace::{LossReason, SessionTurn, TraceEvent, TraceRecord};
use crate::wire::client::EventKind;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

impl fmt::Display for TraceRecord {
    /// Time in seconds with six decimals, then what happened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5}.{:06}  {}", self.at.0 / 1_000_000, self.at.0 % 1_000_000, self.event)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Server(id) => write!(f, "server {id}"),
            Place::Client(id) => write!(f, "client {id}"),
        }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceEvent::Command { command } => write!(f, "*** {command}"),
            TraceEvent::Started { server } => write!(f, "server {server} starts"),
            TraceEvent::Stopped { server, unsynced: 0, .. } => write!(f, "server {server} is down"),
            TraceEvent::Stopped { server, unsynced, kept } => {
                write!(f, "server {server} is down; of {unsynced} records not yet synced {kept} are on its disk")
            }
            TraceEvent::Halted { server, why } => write!(f, "server {server} stops itself: {why}"),
            TraceEvent::SnapshotRefused { server, refused, why, used } => {
                write!(f, "server {server} refuses its snapshot of {refused} ({why}) and takes that of {used}")
            }
            TraceEvent::Paused { server } => write!(f, "server {server} is frozen"),
            TraceEvent::Resumed { server } => write!(f, "server {server} goes on"),
            TraceEvent::Note { server, what } => write!(f, "server {server} {what}"),
            TraceEvent::Synced { server, upto, records } => {
                write!(f, "server {server}'s disk holds everything up to {upto} ({records} records in this sync)")
            }
            TraceEvent::Compacted { server, upto } => write!(f, "server {server} has a snapshot of {upto}"),
            TraceEvent::Sent { from, to, kind, label, .. } => write!(f, "{from} -> {to}: {kind} {label}"),
            TraceEvent::Delivered { from, to, kind, label, .. } => write!(f, "{to} <- {from}: {kind} {label}"),
            TraceEvent::Lost { from, to, kind, why, .. } => {
                let why = match why {
                    LossReason::ConnectionClosed => "the connection is closed",
                    LossReason::ReceiverDown => "the receiver is down",
                    LossReason::Replaced => "a newer one took its place",
                    LossReason::Dropped => "it was dropped, and its connection breaks",
                    LossReason::Duplicate => "it is a copy of one that has arrived",
                };
                write!(f, "{from} -x {to}: {kind} is lost: {why}")
            }
            TraceEvent::Asked { client, server: Some(server), line } => {
                write!(f, "client {client} asks server {server}: {line}")
            }
            TraceEvent::Asked { client, server: None, line } => write!(f, "client {client} wants: {line}"),
            TraceEvent::Answered { client, line, answer, .. } => {
                write!(f, "client {client} is told: {line} = {answer}")
            }
            TraceEvent::WatchFired { client, kind, path } => {
                let what = match kind {
                    EventKind::Created => "was created",
                    EventKind::Deleted => "was deleted",
                    EventKind::DataChanged => "has new data",
                    EventKind::ChildrenChanged => "has other children",
                };
                write!(f, "client {client}'s watch fires: {path} {what}")
            }
            TraceEvent::Session { client, session, what } => {
                let what: String = match what {
                    SessionTurn::Opened => "is open".into(),
                    SessionTurn::Resumed { server } => format!("goes on through server {server}"),
                    SessionTurn::Disconnected => "has lost its connection".into(),
                    SessionTurn::Expired => "has expired".into(),
                    SessionTurn::Closed => "is closed".into(),
                };
                write!(f, "client {client}'s session {session} {what}")
            }
            TraceEvent::Serving { server, epoch: Some(epoch) } => write!(f, "server {server} serves in epoch {epoch}"),
            TraceEvent::Serving { server, epoch: None } => write!(f, "server {server} serves no longer"),
            TraceEvent::Recipe { client, recipe, path, what } => {
                write!(f, "client {client}'s {recipe} {path} {what}")
            }
            TraceEvent::Expected { what, met: true } => write!(f, "as expected: {what}"),
            TraceEvent::Expected { what, met: false } => write!(f, "NOT as expected: {what}"),
            TraceEvent::Caught { from, to, kind, act, .. } => write!(f, "caught {from} -> {to}: {kind}: {act}"),
            TraceEvent::Model { server, what } => write!(f, "server {server} {what}"),
            TraceEvent::ModelViolation { rule, detail } => write!(f, "RULE BROKEN: {rule}: {detail}"),
            TraceEvent::Violation { rule, detail } => write!(f, "RULE BROKEN: {}: {detail}", rule.text()),
        }
    }
}

fn role(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Participant => "participant",
        MemberKind::Observer => "observer",
    }
}

impl fmt::Display for Command {
    /// What the button does, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = |both: &bool| if *both { "<->" } else { "->" };
        match self {
            Command::Kill { server } => write!(f, "kill server {server}"),
            Command::Restart { server } => write!(f, "restart server {server}"),
            Command::Pause { server } => write!(f, "freeze server {server}"),
            Command::Resume { server } => write!(f, "let server {server} go on"),
            Command::Cut { from, to, both } => write!(f, "cut link {from} {} {to}", arrow(both)),
            Command::Heal { from, to, both } => write!(f, "heal link {from} {} {to}", arrow(both)),
            Command::Partition { groups } => {
                let groups: Vec<String> =
                    groups.iter().map(|g| g.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")).collect();
                write!(f, "partition {}", groups.join(" | "))
            }
            Command::HealAll => f.write_str("heal all links"),
            Command::Delay { from, to, millis } => write!(f, "slow link {from} -> {to} by {millis} ms"),
            Command::Reset { a, b } => write!(f, "reset the connections between {a} and {b}"),
            Command::DiskDelay { server, millis } => write!(f, "server {server}'s disk takes {millis} ms for a sync"),
            Command::DiskFail { server } => write!(f, "server {server}'s disk fails its next sync"),
            Command::Damage { server, what: DiskDamage::NewestSnapshot } => {
                write!(f, "server {server}'s newest snapshot is damaged")
            }
            Command::Damage { server, what: DiskDamage::MiddleOfLog } => write!(f, "server {server}'s log is damaged"),
            Command::Damage { server, what: DiskDamage::Everything } => write!(f, "server {server}'s disk is empty"),
            Command::Connect { client, server } => write!(f, "client {client} connects to server {server}"),
            Command::CloseSession { client } => write!(f, "client {client} closes its session"),
            Command::KillClient { client } => write!(f, "client {client} dies"),
            Command::Ask { client, line, via: None } => write!(f, "client {client}: {line}"),
            Command::Ask { client, line, via: Some(via) } => write!(f, "client {client} through server {via}: {line}"),
            Command::Break { rule: Some(rule) } => write!(f, "break the rule: {rule:?}"),
            Command::Break { rule: None } => f.write_str("mend all rules"),
            Command::Trouble(trouble) => trouble.fmt(f),
            Command::RunRecipe { client, line } => write!(f, "client {client} runs: {line}"),
            Command::TellRecipe { client, line } => write!(f, "client {client} tells its recipe: {line}"),
            Command::CutClient { client } => write!(f, "cut client {client} off"),
            Command::HealClient { client } => write!(f, "client {client} reaches the servers again"),
            Command::PauseClient { client } => write!(f, "freeze client {client}"),
            Command::ResumeClient { client } => write!(f, "let client {client} go on"),
            Command::NewServer => f.write_str("start a new server"),
            Command::Reconfig { client, join, leave } => {
                write!(f, "client {client}: reconfig")?;
                join.iter().try_for_each(|(server, kind)| write!(f, " +{server} {}", role(*kind)))?;
                leave.iter().try_for_each(|server| write!(f, " -{server}"))
            }
            Command::ReplaceMembers { client, members } => {
                write!(f, "client {client}: reconfig =")?;
                members.iter().try_for_each(|(server, kind)| write!(f, " {server} {}", role(*kind)))
            }
        }
    }
}
