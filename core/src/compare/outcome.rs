//! How a run has come out, for runs of different protocols side by side: who was answered, who waits, who disagrees.

use crate::compare::note::Stage;
use crate::id::ServerId;
use crate::sim::command::ClientId;
use crate::sim::view::{ServerView, Shown, WorldView};
use alloc::string::String;
use alloc::vec::Vec;

/// What a picture says about one request and one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The client's last answer, and whether it is a refusal; `None` while it waits or if it never asked.
    pub answer: Option<(String, bool)>,
    /// Running servers that can't go on by themselves: without a leader, or bound by a vote.
    pub waiting: Vec<ServerId>,
    /// What each running server has for the path; for one value without a path, that.
    pub values: Vec<(ServerId, Option<String>)>,
    /// The first broken rule's name and reason.
    pub broken: Option<(String, String)>,
}

impl Outcome {
    /// The outcome for `client`'s last request and for `path`.
    pub fn of(view: &WorldView, client: ClientId, path: &str) -> Outcome {
        let last = view.clients.iter().find(|c| c.id == client).and_then(|c| c.talk.iter().rfind(|t| !t.event));
        let up = || view.servers.iter().filter(|s| s.shown != Shown::Down);
        Outcome {
            answer: last.and_then(|t| Some((t.answer.clone()?, t.failed))),
            waiting: up().filter(|s| waits(s)).map(|s| s.id).collect(),
            values: up().map(|s| (s.id, value(s, path))).collect(),
            broken: view.checks.iter().find_map(|c| Some((c.name.clone(), c.broken.clone()?))),
        }
    }
}

fn waits(s: &ServerView) -> bool {
    let bound = |stage| matches!(stage, Stage::Prepared | Stage::PreCommitted | Stage::Blocked);
    s.paused || !s.serving || s.model.as_ref().is_some_and(|m| bound(m.stage))
}

fn value(s: &ServerView, path: &str) -> Option<String> {
    let row = s.tree.iter().find(|z| z.path == path);
    // Paxos chooses a value that has no path.
    let one = || s.tree.first().filter(|z| z.path == "/" && s.model.is_some() && !z.data.is_empty());
    row.or_else(one).map(|z| z.data.clone())
}
