//! The client behind the commands: requests, with failures that name the path, and walks through the tree.

use super::failure::Failure;
use crate::client::{Events, Handle, Options, start};
use std::collections::VecDeque;
use std::time::Duration;
use zebu_core::client::{Credential, RequestError, Standing};
use zebu_core::error::ZkError;
use zebu_core::tree::path;
use zebu_core::wire::client::{Request, Response};
use zebu_core::wire::record::Stat;

/// How long a closing session may keep a person waiting.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A client and how it was made.
pub struct Session {
    /// The client.
    pub client: Handle,
    /// How it connects.
    pub options: Options,
}

/// Data and stat of a znode.
pub type Node = (Option<bytes::Bytes>, Stat);

impl Session {
    /// Connects.
    pub fn start(options: Options) -> (Session, Events) {
        let (client, events) = start(options.clone());
        (Session { client, options }, events)
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        self.client.status().standing
    }

    /// Closes the session.
    pub async fn close(&self) {
        self.client.close(CLOSE_PATIENCE).await;
    }

    fn failure(&self, error: RequestError, path: &str) -> Failure {
        match error {
            RequestError::Refused(error) => Failure::Refused(error, path.into()),
            other => Failure::NoAnswer(other, self.client.status().troubles),
        }
    }

    /// Asks; `path` is what a refusal names.
    pub async fn ask(&self, path: &str, request: Request) -> Result<Response, Failure> {
        let answer = self.client.request(request).await;
        answer.map(|(_, response)| response).map_err(|error| self.failure(error, path))
    }

    /// Asks with paths of the whole tree.
    pub async fn ask_beside(&self, path: &str, request: Request) -> Result<Response, Failure> {
        let answer = self.client.request_beside(request).await;
        answer.map(|(_, response)| response).map_err(|error| self.failure(error, path))
    }

    /// Authenticates, on every later connection of a later session too.
    pub async fn authenticate(&mut self, credential: Credential) -> Result<(), Failure> {
        // A server has to be there to judge it; what it says to this is of no matter.
        let asked = self.ask_beside("", Request::Exists { path: path::ROOT.into(), watch: false }).await;
        if let Err(failure @ Failure::NoAnswer(..)) = asked {
            return Err(failure);
        }
        self.options.credentials.push(credential.clone());
        self.client.authenticate(credential).await.map_err(|error| self.failure(error, ""))
    }

    /// A znode's data.
    pub async fn get(&self, path: &str, watch: bool) -> Result<Node, Failure> {
        match self.ask(path, Request::GetData { path: path.into(), watch }).await? {
            Response::Data(data, stat) => Ok((data, stat)),
            other => Err(odd(&other)),
        }
    }

    /// A znode's children, in order.
    pub async fn children(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), Failure> {
        match self.ask(path, Request::GetChildren2 { path: path.into(), watch }).await? {
            Response::Children2(mut names, stat) => {
                names.sort_unstable();
                Ok((names, stat))
            }
            other => Err(odd(&other)),
        }
    }

    /// A znode and everything below it, parents before their children, in the order in which zkCli lists them: the
    /// children of a znode one after the other, then what is below each. What goes away meanwhile is left out.
    pub async fn below(&self, top: &str, watch: bool) -> Result<Vec<String>, Failure> {
        self.get(top, watch).await?;
        let mut paths = vec![top.to_string()];
        let mut left = VecDeque::from([top.to_string()]);
        while let Some(parent) = left.pop_front() {
            let names = match self.children(&parent, watch).await {
                Ok((names, _)) => names,
                Err(Failure::Refused(ZkError::NoNode, _)) => continue,
                Err(failure) => return Err(failure),
            };
            let children: Vec<String> = names.iter().map(|name| join(&parent, name)).collect();
            paths.extend(children.iter().cloned());
            children.into_iter().rev().for_each(|child| left.push_front(child));
        }
        Ok(paths)
    }
}

/// A child's path.
pub fn join(parent: &str, name: &str) -> String {
    if parent == path::ROOT { format!("/{name}") } else { format!("{parent}/{name}") }
}

/// An answer of another kind than the request: the server is no ZooKeeper server.
pub fn odd(response: &Response) -> Failure {
    Failure::Rule(format!("the server's answer is of the wrong kind: {response:?}"))
}

/// Checks a path before it is sent. Of a sequential znode's path the number is still to come.
///
/// # Errors
/// It is no path.
pub fn check_path(path: &str, sequential: bool) -> Result<(), Failure> {
    let whole = if sequential { format!("{path}1") } else { path.into() };
    path::validate(&whole).map_err(|_| {
        let rule = if path.starts_with('/') {
            "no part of it may be empty, . or .., and it may not end with /"
        } else {
            "a path begins with /"
        };
        Failure::Rule(format!("\"{path}\" is not a path: {rule}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked_before_they_are_sent() {
        for (path, sequential, good) in [
            ("/", false, true),
            ("/a/b", false, true),
            ("/a/", true, true),
            ("/", true, true),
            ("/a/", false, false),
            ("a", false, false),
            ("", false, false),
            ("/a//b", false, false),
            ("/a/..", false, false),
        ] {
            assert_eq!(check_path(path, sequential).is_ok(), good, "{path:?}");
        }
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
    }
}
