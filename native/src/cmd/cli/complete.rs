//! Completion of what is typed: commands, their flags, and paths as the server has them.

use super::table::{self, COMMANDS};
use crate::client::Handle;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Result};
use std::time::Duration;
use tokio::runtime;
use zebu_core::wire::client::{Request, Response};

/// How long a server may take to tell a znode's children before the completion is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What rustyline asks.
pub struct Helper {
    client: Handle,
    runtime: runtime::Handle,
}

impl Helper {
    /// Completes with the paths that `client` can read.
    pub fn new(client: Handle, runtime: runtime::Handle) -> Helper {
        Helper { client, runtime }
    }

    /// The names below a znode, none if it can't be read.
    fn children(&self, parent: &str) -> Vec<String> {
        let request = Request::GetChildren { path: parent.into(), watch: false };
        let asked = async { tokio::time::timeout(PATIENCE, self.client.request(request)).await };
        match self.runtime.block_on(asked) {
            Ok(Ok((_, Response::Children(names)))) => names,
            _ => Vec::new(),
        }
    }
}

/// What may stand where the cursor is: where the word begins, and whole words to choose from.
fn complete(line: &str, children: impl FnOnce(&str) -> Vec<String>) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let (before, word) = line.split_at(start);
    let mut found: Vec<String> = match before.split_whitespace().next() {
        None | Some("help") => COMMANDS.iter().flat_map(|command| command.texts).map(|text| (*text).into()).collect(),
        Some(name) if word.starts_with('-') => {
            let flags = table::find(name).map(|command| command.flags).unwrap_or_default();
            flags.iter().map(|flag| flag.text.into()).collect()
        }
        Some(_) => match word.rsplit_once('/') {
            Some((parent, _)) => {
                let asked = if parent.is_empty() { "/" } else { parent };
                children(asked).into_iter().map(|name| format!("{parent}/{name}")).collect()
            }
            None => Vec::new(),
        },
    };
    found.retain(|candidate| candidate.starts_with(word));
    found.sort_unstable();
    (start, found)
}

impl Completer for Helper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or(line);
        Ok(complete(typed, |parent| self.children(parent)))
    }
}

impl Hinter for Helper {
    type Hint = String;
}
impl Highlighter for Helper {}
impl Validator for Helper {}
impl rustyline::Helper for Helper {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_flags_and_paths() {
        let tree = |parent: &str| match parent {
            "/" => vec!["zookeeper".into(), "apple".into(), "app".into()],
            "/app" => vec!["one".into()],
            _ => Vec::new(),
        };
        for (line, start, want) in [
            ("getA", 0, vec!["getAcl", "getAllChildrenNumber"]),
            ("ex", 0, vec!["exit"]),
            ("help setq", 5, vec!["setquota"]),
            ("ls -", 3, vec!["-R", "-s", "-w"]),
            ("ls /", 3, vec!["/app", "/apple", "/zookeeper"]),
            ("ls -s /ap", 6, vec!["/app", "/apple"]),
            ("get /app/", 4, vec!["/app/one"]),
            ("get /none/x", 4, vec![]),
            ("get a", 4, vec![]),
        ] {
            let (at, found) = complete(line, tree);
            assert_eq!((at, found), (start, want.into_iter().map(String::from).collect()), "{line:?}");
        }
    }
}
