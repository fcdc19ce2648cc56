//! The tree and its watches behind a lock that all connections share. Reads are answered on the connections' own
//! tasks; only the owner thread changes anything.

use crate::net::links::Links;
use parking_lot::RwLock;
use std::sync::Arc;
use zebu_core::effect::ToLink;
use zebu_core::id::Zxid;
use zebu_core::server::ReadSide;
use zebu_core::server::read_side::Fired;
use zebu_core::service::ReadState;
use zebu_core::service::read::{Answer, Asker};
use zebu_core::wire::client::Request;

/// See the module. Clones share the same state.
#[derive(Clone, Debug)]
pub struct SharedRead {
    state: Arc<RwLock<ReadState>>,
    links: Arc<Links>,
}

impl SharedRead {
    /// An empty state whose watch events go to `links`.
    pub fn new(links: Arc<Links>) -> SharedRead {
        SharedRead { state: Arc::default(), links }
    }

    /// Answers a read, with the zxid of the state it was answered from. Events that tell of changes it has seen are in
    /// the asker's outbox when this returns: they have to be sent first.
    pub fn answer(&self, asker: Asker<'_>, request: &Request) -> (Zxid, Answer) {
        let state = self.state.read();
        if let Some(outcome) = state.answer_shared(asker.auth, request) {
            return (state.tree.applied(), outcome.into());
        }
        drop(state);
        let mut state = self.state.write();
        let answer = state.answer(asker, request);
        (state.tree.applied(), answer)
    }
}

impl ReadSide for SharedRead {
    fn read<T>(&self, f: impl FnOnce(&ReadState) -> T) -> T {
        f(&self.state.read())
    }

    fn apply<T>(&mut self, f: impl FnOnce(&mut ReadState, &mut Vec<Fired>) -> T) -> (T, Vec<Fired>) {
        let mut fired = Vec::new();
        let mut state = self.state.write();
        let result = f(&mut state, &mut fired);
        for (link, event) in fired.drain(..) {
            self.links.push(link, ToLink::Event(event));
        }
        drop(state);
        (result, fired)
    }
}
