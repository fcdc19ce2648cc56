//! What a person types at a client, as a request; and answers as a line that a person reads.

use crate::client::access;
use crate::error::ZkError;
use crate::tree::node::MAX_TTL_MS;
use crate::wire::client::{AddWatchMode, EventKind, OpResult, Outcome, Request, Response, WatchType, WatcherEvent};
use crate::wire::op::{CreateMode, OpCode};
use crate::wire::record::{Acl, Stat};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// What is wrong with a typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// Nothing was typed.
    Empty,
    /// No operation of this name.
    UnknownOperation(String),
    /// The operation needs a path.
    PathMissing(&'static str),
    /// A path has to begin with `/`.
    NotAPath(String),
    /// The operation needs data.
    DataMissing(&'static str),
    /// The operation does not know this option.
    UnknownOption {
        /// Which operation.
        op: &'static str,
        /// What was typed.
        option: String,
    },
    /// `-v` needs a whole number behind it.
    VersionMissing(String),
    /// `-t` needs a life in milliseconds behind it.
    LifeMissing(String),
    /// A kind of znode that there is not, like an ephemeral container.
    NoSuchKind,
    /// `addauth` needs a scheme, like `digest`.
    SchemeMissing,
    /// `setAcl` needs an access list.
    ListMissing,
    /// What was typed is no access list.
    NotAList(access::AclTextError),
    /// More words than the operation takes.
    TooMuch {
        /// Which operation.
        op: &'static str,
        /// The first word too many.
        word: String,
    },
    /// The operation can't stand inside a multi.
    NotInMulti(&'static str),
    /// A multi without operations.
    EmptyMulti,
    /// A quotation mark without its partner.
    OpenQuote,
}

impl LineError {
    /// A stable name, for translation.
    pub fn code(&self) -> &'static str {
        match self {
            LineError::Empty => "line-empty",
            LineError::UnknownOperation(_) => "line-unknown-operation",
            LineError::PathMissing(_) => "line-path-missing",
            LineError::NotAPath(_) => "line-not-a-path",
            LineError::DataMissing(_) => "line-data-missing",
            LineError::UnknownOption { .. } => "line-unknown-option",
            LineError::VersionMissing(_) => "line-version-missing",
            LineError::LifeMissing(_) => "line-life-missing",
            LineError::NoSuchKind => "line-no-such-kind",
            LineError::SchemeMissing => "line-scheme-missing",
            LineError::ListMissing => "line-list-missing",
            LineError::NotAList(_) => "line-not-a-list",
            LineError::TooMuch { .. } => "line-too-much",
            LineError::NotInMulti(_) => "line-not-in-multi",
            LineError::EmptyMulti => "line-empty-multi",
            LineError::OpenQuote => "line-open-quote",
        }
    }
}

/// What can be typed, for help texts.
pub const OPERATIONS: &str = "create [-e] [-s] [-c] [-t ms] /path [data [acl]], set /path data [-v version], \
    get [-w] /path, ls [-w] /path, stat [-w] /path, delete /path [-v version], sync /path, \
    getAllChildrenNumber /path, getEphemerals [/path], addauth scheme [auth], whoami, getAcl /path, \
    setAcl /path acl [-v version], \
    addWatch [-m PERSISTENT|PERSISTENT_RECURSIVE] /path, removewatches [-c|-d|-a] /path, close, multi op ; op …, \
    multiRead op ; op …";

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Empty => write!(f, "type an operation: {OPERATIONS}"),
            LineError::UnknownOperation(word) => write!(f, "there is no operation \"{word}\"; there are: {OPERATIONS}"),
            LineError::PathMissing(op) => write!(f, "{op} needs a path, like: {op} /a"),
            LineError::NotAPath(word) => write!(f, "\"{word}\" is not a path: a path begins with /"),
            LineError::DataMissing(op) => write!(f, "{op} needs data behind the path, like: {op} /a 1"),
            LineError::UnknownOption { op, option } => {
                write!(f, "{op} has no option {option}; there are: {OPERATIONS}")
            }
            LineError::VersionMissing(word) if word.is_empty() => f.write_str("-v needs a version, like: -v 3"),
            LineError::VersionMissing(word) => write!(f, "\"{word}\" is not a version: -v needs a whole number"),
            LineError::LifeMissing(word) => {
                write!(f, "-t needs a life in whole milliseconds from 1 to {}, not \"{word}\"", MAX_TTL_MS)
            }
            LineError::NoSuchKind => f.write_str(
                "there is no such znode: a container is neither ephemeral nor sequential, \
                    and what lives for a time is not ephemeral",
            ),
            LineError::SchemeMissing => f.write_str("addauth needs a scheme, like: addauth digest user:password"),
            LineError::ListMissing => f.write_str("setAcl needs a list, like: setAcl /a world:anyone:r"),
            LineError::NotAList(e) => e.fmt(f),
            LineError::TooMuch { op, word } => {
                write!(f, "{op} does not know what to do with \"{word}\"; put data with spaces in \"quotation marks\"")
            }
            LineError::NotInMulti(op) => {
                write!(f, "{op} can't stand there: a multi takes create, set, delete and check, a multiRead get and ls")
            }
            LineError::EmptyMulti => f.write_str("it needs operations, like: multi create /a 1 ; delete /b"),
            LineError::OpenQuote => f.write_str("a quotation mark has no partner"),
        }
    }
}
impl core::error::Error for LineError {}

/// Reads a typed line as a request.
///
/// # Errors
/// What is wrong with it, in words for the person who typed it.
pub fn parse(line: &str) -> Result<Request, LineError> {
    let words = words(line)?;
    let Some((first, rest)) = words.split_first() else { return Err(LineError::Empty) };
    let reads = first.text == "multiRead";
    if first.text != "multi" && !reads {
        return parse_words(&words);
    }
    let mut ops = Vec::new();
    for part in rest.split(|w| w.is_plain(";")).filter(|part| !part.is_empty()) {
        ops.push(match (parse_words(part)?, reads) {
            (
                op
                @ (Request::Create { .. } | Request::SetData { .. } | Request::Delete { .. } | Request::Check { .. }),
                false,
            ) => op,
            (op @ Request::GetData { watch: false, .. }, true) => op,
            (Request::GetChildren2 { path, watch: false }, true) => Request::GetChildren { path, watch: false },
            (other, _) => return Err(LineError::NotInMulti(name(&other))),
        });
    }
    Ok(match reads {
        _ if ops.is_empty() => return Err(LineError::EmptyMulti),
        true => Request::MultiRead { ops },
        false => Request::Multi { ops },
    })
}

/// A word of a line; a quoted one is never an option or a separator.
struct Word {
    text: String,
    quoted: bool,
}

impl Word {
    fn is_plain(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }
}

fn words(line: &str) -> Result<Vec<Word>, LineError> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (text, quoted, behind) = if let Some(inner) = rest.strip_prefix('"') {
            let (text, behind) = inner.split_once('"').ok_or(LineError::OpenQuote)?;
            (text, true, behind)
        } else {
            let (text, behind) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
            (text, false, behind)
        };
        words.push(Word { text: text.into(), quoted });
        rest = behind.trim_start();
    }
    Ok(words)
}

/// The parts of an operation after its name: flags, version, and the words that remain.
#[derive(Default)]
struct Parts {
    flags: Vec<String>,
    version: Option<i32>,
    mode: Option<AddWatchMode>,
    life: Option<i64>,
    plain: Vec<String>,
}

fn parse_words(words: &[Word]) -> Result<Request, LineError> {
    let Some((first, rest)) = words.split_first() else { return Err(LineError::Empty) };
    let (op, flags, takes_version, max_words): (&'static str, &[&str], bool, usize) = match first.text.as_str() {
        "create" => ("create", &["-e", "-s", "-c", "-t"], false, 3),
        "set" => ("set", &[], true, 2),
        "get" => ("get", &["-w"], false, 1),
        "ls" => ("ls", &["-w"], false, 1),
        "stat" => ("stat", &["-w"], false, 1),
        "delete" => ("delete", &[], true, 1),
        "check" => ("check", &[], true, 1),
        "sync" => ("sync", &[], false, 1),
        "getAllChildrenNumber" => ("getAllChildrenNumber", &[], false, 1),
        "addWatch" => ("addWatch", &["-m"], false, 1),
        "removewatches" => ("removewatches", &["-c", "-d", "-a"], false, 1),
        "getEphemerals" => ("getEphemerals", &[], false, 1),
        "addauth" => ("addauth", &[], false, 2),
        "whoami" => ("whoami", &[], false, 0),
        "getAcl" => ("getAcl", &[], false, 1),
        "setAcl" => ("setAcl", &[], true, 2),
        "close" => ("close", &[], false, 0),
        other => return Err(LineError::UnknownOperation(other.into())),
    };
    let mut parts = Parts::default();
    let mut iter = rest.iter();
    while let Some(word) = iter.next() {
        // A dash and a letter is an option; a dash and a digit is data.
        let letter = word.text.strip_prefix('-').and_then(|t| t.chars().next());
        if !word.quoted && letter.is_some_and(|c| c.is_ascii_alphabetic()) {
            if word.text == "-v" && takes_version {
                let number = iter.next().map(|w| w.text.clone()).unwrap_or_default();
                parts.version = Some(number.parse().map_err(|_| LineError::VersionMissing(number))?);
            } else if word.text == "-m" && flags.contains(&"-m") {
                let mode = iter.next().map(|w| w.text.clone()).unwrap_or_default();
                parts.mode = Some(match mode.to_ascii_uppercase().as_str() {
                    "PERSISTENT" => AddWatchMode::Persistent,
                    "PERSISTENT_RECURSIVE" => AddWatchMode::PersistentRecursive,
                    _ => return Err(LineError::UnknownOption { op, option: format!("-m {mode}") }),
                });
            } else if word.text == "-t" && flags.contains(&"-t") {
                let life = iter.next().map(|w| w.text.clone()).unwrap_or_default();
                let millis = life.parse().ok().filter(|n| (1..=MAX_TTL_MS).contains(n));
                parts.life = Some(millis.ok_or(LineError::LifeMissing(life))?);
            } else if flags.contains(&word.text.as_str()) {
                parts.flags.push(word.text.clone());
            } else {
                return Err(LineError::UnknownOption { op, option: word.text.clone() });
            }
        } else if parts.plain.len() < max_words {
            parts.plain.push(word.text.clone());
        } else {
            return Err(LineError::TooMuch { op, word: word.text.clone() });
        }
    }
    let flag = |f: &str| parts.flags.iter().any(|x| x == f);
    let mut plain = parts.plain.iter().cloned();
    let bytes = |text: Option<String>| text.map(|text| Bytes::from(text.into_bytes()));
    match op {
        "close" => return Ok(Request::CloseSession),
        "whoami" => return Ok(Request::WhoAmI),
        "addauth" => {
            let scheme = plain.next().ok_or(LineError::SchemeMissing)?;
            return Ok(Request::Auth { scheme, auth: bytes(plain.next()) });
        }
        "getEphemerals" if parts.plain.is_empty() => return Ok(Request::GetEphemerals { prefix: None }),
        _ => {}
    }
    let path = plain.next().ok_or(LineError::PathMissing(op))?;
    if !path.starts_with('/') {
        return Err(LineError::NotAPath(path));
    }
    let version = parts.version.unwrap_or(-1);
    if op == "setAcl" {
        let text = plain.next().ok_or(LineError::ListMissing)?;
        return Ok(Request::SetAcl { path, acl: access::parse(&text).map_err(LineError::NotAList)?, version });
    }
    let data = bytes(plain.next());
    Ok(match op {
        "create" => {
            let (ephemeral, sequential, container) = (flag("-e"), flag("-s"), flag("-c"));
            let mode = match (ephemeral, sequential, container, parts.life.is_some()) {
                (false, false, false, false) => CreateMode::Persistent,
                (true, false, false, false) => CreateMode::Ephemeral,
                (false, true, false, false) => CreateMode::PersistentSequential,
                (true, true, false, false) => CreateMode::EphemeralSequential,
                (false, false, true, false) => CreateMode::Container,
                (false, false, false, true) => CreateMode::PersistentTtl,
                (false, true, false, true) => CreateMode::PersistentSequentialTtl,
                _ => return Err(LineError::NoSuchKind),
            };
            let data = Some(data.unwrap_or_default());
            let acl = plain.next().map_or(Ok(Acl::open()), |text| access::parse(&text)).map_err(LineError::NotAList)?;
            let flags = mode.flags();
            match parts.life {
                Some(ttl_ms) => Request::CreateTtl { path, data, acl, flags, ttl_ms },
                None if mode == CreateMode::Container => {
                    Request::Create { op: OpCode::CreateContainer, path, data, acl, flags }
                }
                None => Request::Create { op: OpCode::Create, path, data, acl, flags },
            }
        }
        "getAcl" => Request::GetAcl { path },
        "getEphemerals" => Request::GetEphemerals { prefix: Some(path) },
        "set" => Request::SetData { path, data: Some(data.ok_or(LineError::DataMissing(op))?), version },
        "get" => Request::GetData { path, watch: flag("-w") },
        "ls" => Request::GetChildren2 { path, watch: flag("-w") },
        "stat" => Request::Exists { path, watch: flag("-w") },
        "delete" => Request::Delete { path, version },
        "check" => Request::Check { path, version },
        "getAllChildrenNumber" => Request::GetAllChildrenNumber { path },
        "addWatch" => Request::AddWatch { path, mode: parts.mode.unwrap_or(AddWatchMode::PersistentRecursive) },
        "removewatches" => {
            let kind = match (flag("-c"), flag("-d")) {
                (true, false) => WatchType::Children,
                (false, true) => WatchType::Data,
                _ => WatchType::Any,
            };
            Request::RemoveWatches { path, kind }
        }
        _ => Request::Sync { path },
    })
}

/// The typed name of a request.
pub fn name(request: &Request) -> &'static str {
    match request {
        Request::Create { .. } | Request::CreateTtl { .. } => "create",
        Request::Delete { .. } => "delete",
        Request::Exists { .. } => "stat",
        Request::GetData { .. } => "get",
        Request::SetData { .. } => "set",
        Request::GetAcl { .. } => "getAcl",
        Request::SetAcl { .. } => "setAcl",
        Request::GetChildren { .. } | Request::GetChildren2 { .. } => "ls",
        Request::Sync { .. } => "sync",
        Request::Ping => "ping",
        Request::Check { .. } => "check",
        Request::Multi { .. } => "multi",
        Request::Auth { .. } => "addauth",
        Request::SetWatches { .. } => "setWatches",
        Request::Sasl { .. } => "sasl",
        Request::Reconfig { .. } => "reconfig",
        Request::CheckWatches { .. } => "checkWatches",
        Request::RemoveWatches { .. } => "removewatches",
        Request::MultiRead { .. } => "multiRead",
        Request::GetEphemerals { .. } => "getEphemerals",
        Request::GetAllChildrenNumber { .. } => "getAllChildrenNumber",
        Request::SetWatches2(_) => "setWatches",
        Request::AddWatch { .. } => "addWatch",
        Request::WhoAmI => "whoami",
        Request::CloseSession => "close",
    }
}

/// The key field of a request, for labels: `/x=A`, `/x`, `-e /x`.
pub fn label(request: &Request) -> String {
    match request {
        Request::Create { path, data, .. }
        | Request::CreateTtl { path, data, .. }
        | Request::SetData { path, data, .. } => match data {
            Some(data) if !data.is_empty() => format!("{path}={}", text(data, 12)),
            _ => path.clone(),
        },
        Request::Delete { path, .. }
        | Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::GetAcl { path }
        | Request::SetAcl { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::Sync { path }
        | Request::Check { path, .. }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::GetAllChildrenNumber { path }
        | Request::AddWatch { path, .. } => path.clone(),
        Request::GetEphemerals { prefix } => prefix.clone().unwrap_or_default(),
        Request::Multi { ops } | Request::MultiRead { ops } => ops.iter().map(label).collect::<Vec<_>>().join(" "),
        Request::Reconfig { joining, leaving, members, .. } => {
            [joining, leaving, members].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
        }
        Request::Auth { scheme, .. } => scheme.clone(),
        Request::Ping
        | Request::Sasl { .. }
        | Request::SetWatches { .. }
        | Request::SetWatches2(_)
        | Request::WhoAmI
        | Request::CloseSession => String::new(),
    }
}

/// Characters of data in an answer: the configuration of an ensemble of nine fits.
const SHOWN: usize = 600;

/// Data as people read it: text where it is text, cut after `limit` characters.
pub fn text(data: &[u8], limit: usize) -> String {
    let whole = String::from_utf8_lossy(data);
    let mut text: String = whole.chars().take(limit).map(|c| if c.is_control() { '·' } else { c }).collect();
    if whole.chars().nth(limit).is_some() {
        text.push('…');
    }
    text
}

/// An answer in one line.
pub fn answer(outcome: &Outcome) -> String {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => return error.text().to_string(),
    };
    match response {
        Response::Empty | Response::Code(_) | Response::Token(_) => "ok".into(),
        Response::Number(number) => number.to_string(),
        Response::Identities(list) => {
            list.iter().map(|a| format!("{}:{}", a.scheme, a.user)).collect::<Vec<_>>().join(" ")
        }
        Response::Path(path) | Response::PathStat(path, _) => path.clone(),
        Response::Stat(stat) => show_stat(stat),
        Response::Data(data, stat) => {
            format!("\"{}\" (version {})", text(data.as_deref().unwrap_or_default(), SHOWN), stat.version)
        }
        Response::Acl(list, _) => list.iter().map(access::text).collect::<Vec<_>>().join(","),
        Response::Children(names) | Response::Children2(names, _) => format!("[{}]", names.join(", ")),
        Response::Multi(results) => results.iter().map(show_member).collect::<Vec<_>>().join(" ; "),
    }
}

fn show_stat(stat: &Stat) -> String {
    let owner = if stat.ephemeral_owner == 0 {
        String::new()
    } else {
        format!(", ephemeral of session 0x{:x}", stat.ephemeral_owner)
    };
    format!(
        "version {}, created {}, changed {}, {} bytes, {} children{owner}",
        stat.version, stat.czxid, stat.mzxid, stat.data_length, stat.num_children
    )
}

fn show_member(result: &OpResult) -> String {
    match result {
        OpResult::Create(path) | OpResult::Create2(path, _) => path.clone(),
        OpResult::SetData(stat) => format!("version {}", stat.version),
        OpResult::Delete | OpResult::Check => "ok".into(),
        OpResult::Children(names) => format!("[{}]", names.join(", ")),
        OpResult::Data(data, _) => format!("\"{}\"", text(data.as_deref().unwrap_or_default(), SHOWN)),
        OpResult::Error(0) => "rolled back".into(),
        OpResult::Error(code) => ZkError::from_code(*code).map_or_else(|| format!("error {code}"), |e| e.text().into()),
    }
}

/// A watch event in one line.
pub fn event(event: &WatcherEvent) -> String {
    let what = match event.kind {
        EventKind::Created => "created",
        EventKind::Deleted => "deleted",
        EventKind::DataChanged => "data changed",
        EventKind::ChildrenChanged => "children changed",
    };
    format!("{}: {what}", event.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(path: &str, data: &str, mode: CreateMode) -> Request {
        Request::Create {
            op: OpCode::Create,
            path: path.into(),
            data: Some(Bytes::copy_from_slice(data.as_bytes())),
            acl: Acl::open(),
            flags: mode.flags(),
        }
    }

    fn only_read() -> Vec<Acl> {
        access::parse("world:anyone:r").unwrap()
    }

    #[test]
    fn typed_lines() {
        let set = |version| Request::SetData { path: "/a".into(), data: Some(Bytes::from_static(b"x")), version };
        for (line, want) in [
            ("create /a", create("/a", "", CreateMode::Persistent)),
            ("  create   /a 1 ", create("/a", "1", CreateMode::Persistent)),
            ("create -e /a 1", create("/a", "1", CreateMode::Ephemeral)),
            ("create -s -e /a 1", create("/a", "1", CreateMode::EphemeralSequential)),
            ("create /a \"two words\" -s", create("/a", "two words", CreateMode::PersistentSequential)),
            ("create /a -5", create("/a", "-5", CreateMode::Persistent)),
            ("create /a \"-e\"", create("/a", "-e", CreateMode::Persistent)),
            ("set /a x", set(-1)),
            ("set /a x -v 3", set(3)),
            ("set -v 3 /a x", set(3)),
            ("get /a", Request::GetData { path: "/a".into(), watch: false }),
            ("get -w /a", Request::GetData { path: "/a".into(), watch: true }),
            ("ls /a -w", Request::GetChildren2 { path: "/a".into(), watch: true }),
            ("stat /a", Request::Exists { path: "/a".into(), watch: false }),
            ("delete /a -v 2", Request::Delete { path: "/a".into(), version: 2 }),
            ("sync /", Request::Sync { path: "/".into() }),
            ("close", Request::CloseSession),
            ("whoami", Request::WhoAmI),
            ("addauth digest a:b", Request::Auth { scheme: "digest".into(), auth: Some(Bytes::from_static(b"a:b")) }),
            ("getEphemerals", Request::GetEphemerals { prefix: None }),
            ("getEphemerals /a", Request::GetEphemerals { prefix: Some("/a".into()) }),
            ("getAcl /a", Request::GetAcl { path: "/a".into() }),
            ("setAcl /a world:anyone:r -v 2", Request::SetAcl { path: "/a".into(), acl: only_read(), version: 2 }),
            (
                "create /a 1 world:anyone:r",
                Request::Create {
                    op: OpCode::Create,
                    path: "/a".into(),
                    data: Some(Bytes::from_static(b"1")),
                    acl: only_read(),
                    flags: 0,
                },
            ),
            (
                "create -c /a",
                Request::Create {
                    op: OpCode::CreateContainer,
                    path: "/a".into(),
                    data: Some(Bytes::new()),
                    acl: Acl::open(),
                    flags: CreateMode::Container.flags(),
                },
            ),
            (
                "create -s -t 500 /a",
                Request::CreateTtl {
                    path: "/a".into(),
                    data: Some(Bytes::new()),
                    acl: Acl::open(),
                    flags: CreateMode::PersistentSequentialTtl.flags(),
                    ttl_ms: 500,
                },
            ),
            ("getAllChildrenNumber /a", Request::GetAllChildrenNumber { path: "/a".into() }),
            ("addWatch /a", Request::AddWatch { path: "/a".into(), mode: AddWatchMode::PersistentRecursive }),
            ("addWatch -m persistent /a", Request::AddWatch { path: "/a".into(), mode: AddWatchMode::Persistent }),
            ("removewatches /a", Request::RemoveWatches { path: "/a".into(), kind: WatchType::Any }),
            ("removewatches -c /a", Request::RemoveWatches { path: "/a".into(), kind: WatchType::Children }),
            ("removewatches /a -d", Request::RemoveWatches { path: "/a".into(), kind: WatchType::Data }),
            (
                "multiRead get /a ; ls /b",
                Request::MultiRead {
                    ops: alloc::vec![
                        Request::GetData { path: "/a".into(), watch: false },
                        Request::GetChildren { path: "/b".into(), watch: false },
                    ],
                },
            ),
            (
                "multi create /a 1 ; delete /b ; check /c -v 1",
                Request::Multi {
                    ops: alloc::vec![
                        create("/a", "1", CreateMode::Persistent),
                        Request::Delete { path: "/b".into(), version: -1 },
                        Request::Check { path: "/c".into(), version: 1 },
                    ],
                },
            ),
        ] {
            assert_eq!(parse(line), Ok(want), "{line}");
        }
    }

    #[test]
    fn wrong_lines_say_what_is_wrong() {
        for (line, code) in [
            ("", "line-empty"),
            ("   ", "line-empty"),
            ("frobnicate /a", "line-unknown-operation"),
            ("create", "line-path-missing"),
            ("create a", "line-not-a-path"),
            ("set /a", "line-data-missing"),
            ("create -x /a", "line-unknown-option"),
            ("get -e /a", "line-unknown-option"),
            ("set /a x -v", "line-version-missing"),
            ("set /a x -v one", "line-version-missing"),
            ("create /a -v 3", "line-unknown-option"),
            ("create /a b c", "line-not-a-list"),
            ("create /a b world:anyone:r d", "line-too-much"),
            ("create -c -e /a", "line-no-such-kind"),
            ("create -e -t 5 /a", "line-no-such-kind"),
            ("create -t /a", "line-life-missing"),
            ("create -t 0 /a", "line-life-missing"),
            ("addauth", "line-scheme-missing"),
            ("addauth digest a b", "line-too-much"),
            ("setAcl /a", "line-list-missing"),
            ("setAcl /a world:anyone:x", "line-not-a-list"),
            ("close /a", "line-too-much"),
            ("multi", "line-empty-multi"),
            ("multi get /a", "line-not-in-multi"),
            ("multiRead set /a 1", "line-not-in-multi"),
            ("multiRead get -w /a", "line-not-in-multi"),
            ("multiRead ;", "line-empty-multi"),
            ("addWatch -m always /a", "line-unknown-option"),
            ("get -m PERSISTENT /a", "line-unknown-option"),
            ("create /a \"x", "line-open-quote"),
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.code(), code, "{line}: {error}");
        }
        assert_eq!(parse("create a").unwrap_err().to_string(), "\"a\" is not a path: a path begins with /");
    }

    #[test]
    fn data_is_cut_and_cleaned() {
        assert_eq!(text("héllo\n".as_bytes(), 12), "héllo·");
        assert_eq!(text(b"0123456789", 4), "0123…");
        assert_eq!(text(&[0xff, b'a'], 4), "\u{fffd}a");
    }
}
