//! What a person types to start a recipe, and what can be told to one that runs.

use crate::tree::path;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Follows a znode's data.
    Config,
    /// Takes an id that nobody else has.
    Naming,
    /// Is there as long as it lives, and knows the others.
    Member,
    /// Only knows who is there.
    Members,
    /// One leads, the others wait for its end.
    Election,
    /// One znode: who creates it has the lock; all others wait for its end.
    Lock,
    /// A queue of znodes: each waits for the one before it.
    QueueLock,
    /// Read lock: waits for the nearest writer before it.
    ReadLock,
    /// Write lock: waits for the nearest one before it.
    WriteLock,
    /// Puts elements into a queue.
    Producer,
    /// Takes elements out of a queue.
    Consumer,
    /// Waits until a znode is gone.
    Barrier,
    /// Waits until enough have entered, and leaves with them.
    DoubleBarrier,
    /// Collects from the sources it is given, and tells its load.
    Collector,
    /// Splits the sources over the collectors.
    Assigner,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 15] = [
        Kind::Config,
        Kind::Naming,
        Kind::Member,
        Kind::Members,
        Kind::Election,
        Kind::Lock,
        Kind::QueueLock,
        Kind::ReadLock,
        Kind::WriteLock,
        Kind::Producer,
        Kind::Consumer,
        Kind::Barrier,
        Kind::DoubleBarrier,
        Kind::Collector,
        Kind::Assigner,
    ];

    /// As typed.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Config => "config",
            Kind::Naming => "naming",
            Kind::Member => "member",
            Kind::Members => "members",
            Kind::Election => "election",
            Kind::Lock => "lock",
            Kind::QueueLock => "queue-lock",
            Kind::ReadLock => "read-lock",
            Kind::WriteLock => "write-lock",
            Kind::Producer => "producer",
            Kind::Consumer => "consumer",
            Kind::Barrier => "barrier",
            Kind::DoubleBarrier => "double-barrier",
            Kind::Collector => "collector",
            Kind::Assigner => "assigner",
        }
    }

    /// A line that starts it, to begin with.
    pub const fn example(self) -> &'static str {
        match self {
            Kind::Config => "config /db/primary",
            Kind::Naming => "naming /ids/order-",
            Kind::Member => "member /services/web",
            Kind::Members => "members /services/web",
            Kind::Election => "election /master/leader",
            Kind::Lock => "lock /lock for 2000",
            Kind::QueueLock => "queue-lock /locks for 2000",
            Kind::ReadLock => "read-lock /shared for 2000",
            Kind::WriteLock => "write-lock /shared for 2000",
            Kind::Producer => "producer /queue a b c",
            Kind::Consumer => "consumer /queue for 1000",
            Kind::Barrier => "barrier /barrier",
            Kind::DoubleBarrier => "double-barrier /both 3",
            Kind::Collector => "collector /collectors",
            Kind::Assigner => "assigner /collectors s1 s2 s3 s4",
        }
    }

    /// How many words may stand behind the path.
    const fn words(self) -> usize {
        match self {
            Kind::Member | Kind::DoubleBarrier | Kind::Collector => 1,
            Kind::Producer | Kind::Assigner => usize::MAX,
            _ => 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Kind, SpecError> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| SpecError::UnknownRecipe(text.into()))
    }
}

/// A recipe before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Which.
    pub kind: Kind,
    /// Its znode.
    pub path: String,
    /// What stands behind the path: a member's or a collector's name, elements, sources, how many enter together.
    pub words: Vec<String>,
    /// How long what is acquired is kept, milliseconds; until it is told to stop if nothing is said.
    pub hold_ms: Option<u32>,
}

/// What is wrong with a typed recipe, or with what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// No recipe of this name.
    UnknownRecipe(String),
    /// The recipe needs a path.
    PathMissing(Kind),
    /// That is no path.
    NotAPath(String),
    /// `for` needs milliseconds behind it.
    HoldMissing(String),
    /// A double barrier needs to know how many enter together.
    CountMissing(String),
    /// Words that the recipe does not take.
    TooMuch {
        /// Which.
        kind: Kind,
        /// The first word too many.
        word: String,
    },
    /// Names may not have a slash.
    NotAName(String),
    /// Nothing that can be told to a recipe.
    UnknownOrder(String),
}

/// What can be told to a recipe that runs.
pub const ORDERS: &str = "stop, done, put WORD, add SOURCE, load NUMBER";

impl SpecError {
    /// A stable name, for translation.
    pub fn code(&self) -> &'static str {
        match self {
            SpecError::UnknownRecipe(_) => "recipe-unknown",
            SpecError::PathMissing(_) => "recipe-path-missing",
            SpecError::NotAPath(_) => "recipe-not-a-path",
            SpecError::HoldMissing(_) => "recipe-hold-missing",
            SpecError::CountMissing(_) => "recipe-count-missing",
            SpecError::TooMuch { .. } => "recipe-too-much",
            SpecError::NotAName(_) => "recipe-not-a-name",
            SpecError::UnknownOrder(_) => "recipe-unknown-order",
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::UnknownRecipe(word) => {
                let all = Kind::ALL.map(Kind::name).join(", ");
                write!(f, "there is no recipe \"{word}\"; there are: {all}")
            }
            SpecError::PathMissing(kind) => write!(f, "{kind} needs a path, like: {}", kind.example()),
            SpecError::NotAPath(word) => write!(f, "\"{word}\" is not a path: a path is like /a or /a/b"),
            SpecError::HoldMissing(word) => write!(f, "\"for\" needs milliseconds behind it, not \"{word}\""),
            SpecError::CountMissing(word) => write!(
                f,
                "a double barrier needs to know how many enter together, like: {}, not \"{word}\"",
                Kind::DoubleBarrier.example()
            ),
            SpecError::TooMuch { kind, word } => write!(f, "{kind} does not know what to do with \"{word}\""),
            SpecError::NotAName(word) => write!(f, "\"{word}\" is not a name: names have no slash"),
            SpecError::UnknownOrder(word) => write!(f, "a recipe can't be told \"{word}\", only: {ORDERS}"),
        }
    }
}
impl core::error::Error for SpecError {}

impl FromStr for Spec {
    type Err = SpecError;

    /// Kind, path, words, and at the end how long: `lock /lock for 1000`.
    fn from_str(line: &str) -> Result<Spec, SpecError> {
        let mut words = line.split_whitespace();
        let kind: Kind = words.next().unwrap_or_default().parse()?;
        let path = words.next().ok_or(SpecError::PathMissing(kind))?;
        let words: Vec<String> = words.map(String::from).collect();
        let (words, hold) = match words.iter().position(|word| word == "for") {
            Some(at) => {
                let number = words.get(at + 1).cloned().unwrap_or_default();
                let hold = number.parse().map_err(|_| SpecError::HoldMissing(number))?;
                if let Some(word) = words.get(at + 2) {
                    return Err(SpecError::TooMuch { kind, word: word.clone() });
                }
                (words[..at].to_vec(), Some(hold))
            }
            None => (words, None),
        };
        Spec::new(kind, path, words, hold)
    }
}

impl Spec {
    /// Checks and makes one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(kind: Kind, path: &str, words: Vec<String>, hold_ms: Option<u32>) -> Result<Spec, SpecError> {
        path::validate(path).map_err(|_| SpecError::NotAPath(path.into()))?;
        if path == path::ROOT {
            return Err(SpecError::NotAPath(path.into()));
        }
        if let Some(word) = words.get(kind.words()) {
            return Err(SpecError::TooMuch { kind, word: word.clone() });
        }
        let is_name = |name: &str| !name.contains('/') && path::validate(&format!("/{name}")).is_ok();
        if matches!(kind, Kind::Member | Kind::Collector)
            && let Some(name) = words.iter().find(|name| !is_name(name))
        {
            return Err(SpecError::NotAName(name.clone()));
        }
        let spec = Spec { kind, path: path.into(), words, hold_ms };
        if kind == Kind::DoubleBarrier && spec.count().is_none() {
            return Err(SpecError::CountMissing(spec.words.first().cloned().unwrap_or_default()));
        }
        Ok(spec)
    }

    /// How many enter a double barrier together.
    pub(super) fn count(&self) -> Option<usize> {
        self.words.first()?.parse().ok().filter(|n| (1..=1000).contains(n))
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path)?;
        self.words.iter().try_for_each(|word| write!(f, " {word}"))?;
        self.hold_ms.map_or(Ok(()), |ms| write!(f, " for {ms}"))
    }
}

/// What the application wants of a recipe that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Give back what is held and end: release, resign, leave.
    Stop,
    /// The element is worked on: take it out of the queue.
    Done,
    /// Another element for the queue.
    Put(String),
    /// Another source to assign.
    Add(String),
    /// How busy this collector is.
    Load(u32),
}

impl FromStr for Order {
    type Err = SpecError;

    fn from_str(line: &str) -> Result<Order, SpecError> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let unknown = || SpecError::UnknownOrder(line.into());
        Ok(match (word, rest.trim()) {
            ("stop" | "release" | "resign" | "leave", "") => Order::Stop,
            ("done", "") => Order::Done,
            ("put", data) if !data.is_empty() => Order::Put(data.into()),
            ("add", source) if !source.is_empty() => Order::Add(source.into()),
            ("load", number) => Order::Load(number.parse().map_err(|_| unknown())?),
            _ => return Err(unknown()),
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Stop => f.write_str("stop"),
            Order::Done => f.write_str("done"),
            Order::Put(data) => write!(f, "put {data}"),
            Order::Add(source) => write!(f, "add {source}"),
            Order::Load(load) => write!(f, "load {load}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_typed_is_what_is_meant() {
        for kind in Kind::ALL {
            let spec: Spec = kind.example().parse().unwrap();
            assert_eq!((spec.kind, spec.to_string().as_str()), (kind, kind.example()));
        }
        for (line, code) in [
            ("", "recipe-unknown"),
            ("bolt /a", "recipe-unknown"),
            ("lock", "recipe-path-missing"),
            ("lock a", "recipe-not-a-path"),
            ("lock /", "recipe-not-a-path"),
            ("lock /a/", "recipe-not-a-path"),
            ("lock /a b", "recipe-too-much"),
            ("lock /a for", "recipe-hold-missing"),
            ("lock /a for ever", "recipe-hold-missing"),
            ("lock /a for 5 minutes", "recipe-too-much"),
            ("member /a b/c", "recipe-not-a-name"),
            ("double-barrier /a", "recipe-count-missing"),
            ("double-barrier /a 0", "recipe-count-missing"),
        ] {
            assert_eq!(line.parse::<Spec>().map_err(|e| e.code()), Err(code), "{line}");
        }
    }

    #[test]
    fn what_can_be_told() {
        for (line, order) in [
            ("release", Some(Order::Stop)),
            ("done", Some(Order::Done)),
            ("put a b", Some(Order::Put("a b".into()))),
            ("load 7", Some(Order::Load(7))),
            ("load x", None),
            ("put", None),
            ("jump", None),
        ] {
            assert_eq!(line.parse::<Order>().ok(), order, "{line}");
        }
    }
}
