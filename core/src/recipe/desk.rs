//! What every recipe needs: the session and the time, unique names, ancestors that have to be made first, and what the
//! application is to be told.

use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::rng::Rng;
use crate::time::Instant;
use crate::tree::path;
use crate::wire::client::{OpResult, Request};
use crate::wire::op::{CreateMode, OpCode};
use crate::wire::record::Acl;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Somebody else is first: this is the znode, or the holder's name.
    Waiting { behind: String },
    /// The lock or the office is ours. Whoever is given the token can refuse older ones.
    Acquired { node: String, token: Zxid },
    /// What was held is given back, or the wish for it.
    Released,
    /// What was held is not ours any more.
    Lost(Loss),
    /// The connection is gone: what is held may be lost without our knowing.
    Suspended,
    /// The same session goes on: what was held is still ours.
    Resumed,
    /// A configuration's value; nothing if there is none.
    Value { data: Option<Bytes>, version: i32 },
    /// An id that nobody else has.
    Named { id: String },
    /// Who is there.
    Members { names: Vec<String> },
    /// An element is in the queue.
    Put { item: String },
    /// An element to work on; nobody else has it as long as our session lives.
    Item { item: String, data: Bytes },
    /// The element is out of the queue.
    Done { item: String },
    /// The barrier is open: go on.
    Entered,
    /// All have left.
    Left,
    /// What this collector has to collect.
    Assigned { sources: Vec<String> },
    /// What the assigner has given to a collector.
    Given { collector: String, sources: Vec<String> },
    /// A server refused something for good: the recipe is over.
    Failed { error: ZkError },
}

impl fmt::Display for Event {
    /// In words, behind the recipe's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &[String]| if list.is_empty() { "nobody".to_string() } else { list.join(", ") };
        match self {
            Event::Waiting { behind } => write!(f, "waits for {behind}"),
            Event::Acquired { node, token } => write!(f, "is acquired by {node}, token {token}"),
            Event::Released => f.write_str("is given back"),
            Event::Lost(Loss::Expired) => f.write_str("is lost: the session has expired"),
            Event::Lost(Loss::Silence) => f.write_str("is lost: no server was reached for a whole session timeout"),
            Event::Lost(Loss::Deleted) => f.write_str("is lost: somebody removed its znode"),
            Event::Lost(Loss::Closed) => f.write_str("is lost: the session is closed"),
            Event::Suspended => f.write_str("is uncertain: the connection is gone"),
            Event::Resumed => f.write_str("is certain again: the session goes on"),
            Event::Value { data: Some(data), version } => {
                write!(f, "is \"{}\", version {version}", text(Some(data)))
            }
            Event::Value { data: None, .. } => f.write_str("has no value"),
            Event::Named { id } => write!(f, "gives the id {id}"),
            Event::Members { names } => write!(f, "has the members {}", list(names)),
            Event::Put { item } => write!(f, "has the new element {item}"),
            Event::Item { item, data } => write!(f, "gives {item} = \"{}\" to work on", text(Some(data))),
            Event::Done { item } => write!(f, "is rid of {item}"),
            Event::Entered => f.write_str("is open"),
            Event::Left => f.write_str("is left"),
            Event::Assigned { sources } => write!(f, "has the sources {}", list(sources)),
            Event::Given { collector, sources } => write!(f, "gives {collector} the sources {}", list(sources)),
            Event::Failed { error } => write!(f, "has failed: {error}"),
        }
    }
}

/// Why something is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The session has expired.
    Expired,
    /// No server could be reached for so long that the session may have expired.
    Silence,
    /// Somebody removed the znode.
    Deleted,
    /// The application has closed the session.
    Closed,
}

/// The common part of a recipe's state.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Desk {
    pub now: Instant,
    pub session: Option<SessionId>,
    pub told: Vec<Event>,
    pub over: bool,
    pub failed: bool,
    rng: Rng,
    /// Ancestors to make, outermost first.
    prepare: VecDeque<String>,
}

impl Desk {
    pub fn new(rng: Rng) -> Desk {
        Desk {
            now: Instant::ZERO,
            session: None,
            told: Vec::new(),
            over: false,
            failed: false,
            rng,
            prepare: VecDeque::new(),
        }
    }

    pub fn tell(&mut self, event: Event) {
        self.told.push(event);
    }

    /// The recipe has ended well.
    pub fn end(&mut self, event: Event) {
        self.tell(event);
        self.over = true;
    }

    /// The recipe can't go on.
    pub fn fail(&mut self, error: ZkError) {
        self.tell(Event::Failed { error });
        self.failed = true;
        self.over = true;
    }

    /// A number that no other session draws, as Curator's protection has one: after a lost answer it tells which of
    /// the znodes is ours.
    pub fn guid(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    /// Whether a znode is an ephemeral of this session.
    pub fn is_mine(&self, owner: i64) -> bool {
        self.session.is_some_and(|session| session.0 == owner)
    }

    /// This znode and its ancestors are to be made before the machine is asked again.
    pub fn prepare(&mut self, dir: &str) {
        self.prepare = path::with_ancestors(dir).filter(|path| *path != path::ROOT).map(ToString::to_string).collect();
        self.prepare.make_contiguous().reverse();
    }

    pub fn to_prepare(&self) -> Option<&str> {
        self.prepare.front().map(String::as_str)
    }

    pub fn prepared(&mut self, answer: Result<(), ZkError>) {
        match answer {
            Ok(()) | Err(ZkError::NodeExists) => {
                self.prepare.pop_front();
            }
            // An ancestor was deleted meanwhile: the machine finds out and asks for all of them again.
            Err(ZkError::NoNode) => self.prepare.clear(),
            Err(error) => self.fail(error),
        }
    }
}

/// Creates a znode that everybody may read and change.
pub(super) fn create(path: String, data: &str, mode: CreateMode) -> Request {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    Request::Create { op: OpCode::Create, path, data, acl: Acl::open(), flags: mode.flags() }
}

/// Deletes whatever version there is.
pub(super) fn delete(path: String) -> Request {
    Request::Delete { path, version: -1 }
}

/// A child's path.
pub(super) fn child(dir: &str, name: &str) -> String {
    if dir == path::ROOT { format!("/{name}") } else { format!("{dir}/{name}") }
}

/// Why a multi was not carried out.
pub(super) fn first_error(results: &[OpResult]) -> Option<ZkError> {
    let codes = results.iter().filter_map(|result| match result {
        OpResult::Error(code) => ZkError::from_code(*code),
        _ => None,
    });
    let mut codes = codes.filter(|error| *error != ZkError::RuntimeInconsistency).peekable();
    codes.next()
}

/// The number that a server appended to a sequential znode's name; nothing for other names.
pub(super) fn sequence(name: &str) -> Option<i64> {
    let (before, digits) = name.split_at_checked(name.len().checked_sub(10)?)?;
    // After two dashes stands a counter that has gone round: it says nothing about who came first.
    let counts = digits.bytes().all(|b| b.is_ascii_digit()) && !before.ends_with("--");
    if counts { digits.parse().ok() } else { None }
}

/// Data as text.
pub(super) fn text(data: Option<&Bytes>) -> String {
    String::from_utf8_lossy(data.map_or(&[][..], |data| &data[..])).into_owned()
}

/// The parent of a path; the root for what has none.
pub(super) fn parent(of: &str) -> &str {
    path::split(of).map_or(path::ROOT, |(parent, _)| parent)
}

/// The last component of a path.
pub(super) fn name(of: &str) -> &str {
    path::split(of).map_or(of, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_end_of_names() {
        for (name, number) in [
            ("lock-00ab-0000000007", Some(7)),
            ("0000000012", Some(12)),
            ("write-ffff0000000123", Some(123)),
            ("lock--2147483648", None),
            ("ready", None),
            ("käse", None),
            ("", None),
        ] {
            assert_eq!(sequence(name), number, "{name}");
        }
    }

    #[test]
    fn ancestors_are_made_from_the_outside() {
        let mut desk = Desk::new(Rng::new(1));
        desk.prepare("/a/b/c");
        let mut made = Vec::new();
        while let Some(path) = desk.to_prepare() {
            made.push(path.to_string());
            desk.prepared(if made.len() == 1 { Err(ZkError::NodeExists) } else { Ok(()) });
        }
        assert_eq!(made, ["/a", "/a/b", "/a/b/c"]);
        desk.prepare("/");
        assert_eq!(desk.to_prepare(), None);
        desk.prepare("/a/b");
        desk.prepared(Err(ZkError::NoAuth));
        assert!(desk.failed);
    }
}
