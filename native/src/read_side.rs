//! The tree and its watches behind a lock that all connections share. Reads are answered on the connections' own
//! tasks; only the owner thread changes anything.

use crate::metrics::Metrics;
use crate::metrics::pages::AppliedPage;
use crate::net::links::{LinkBox, Links};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Instant;
use zebu_core::effect::ToLink;
use zebu_core::id::{LinkId, Zxid};
use zebu_core::server::ReadSide;
use zebu_core::server::read_side::Fired;
use zebu_core::service::ReadState;
use zebu_core::service::read::{Answer, Asker, moves_watches};
use zebu_core::wire::client::{EventKind, Request};
use zebu_core::wire::record::Id;

/// See the module. Clones share the same state.
#[derive(Clone, Debug)]
pub struct SharedRead {
    state: Arc<RwLock<ReadState>>,
    links: Arc<Links>,
    metrics: Arc<Metrics>,
}

impl SharedRead {
    /// An empty state whose watch events go to `links`.
    pub fn new(links: Arc<Links>, metrics: Arc<Metrics>) -> SharedRead {
        SharedRead { state: Arc::default(), links, metrics }
    }

    /// Answers a read, with the zxid of the state it was answered from. The events of all that the answer has seen are
    /// appended to `told`, with whatever else waited in the asker's outbox: they have to be sent first. No later ones
    /// are: an event of the watch that the read itself sets must come behind the answer, or its client would not know
    /// what it is told of.
    pub fn answer(
        &self,
        asker: Asker<'_>,
        request: &Request,
        outbox: &LinkBox,
        told: &mut impl Extend<ToLink>,
    ) -> (Zxid, Answer) {
        // Who would be sent away does not wait for the shared lock first.
        if !moves_watches(request) {
            let state = self.state.read();
            if let Some(outcome) = state.answer_shared(asker, request) {
                told.extend(outbox.drain());
                return (state.tree.applied(), outcome.into());
            }
        }
        let mut state = self.state.write();
        let answer = state.answer(asker, request);
        told.extend(outbox.drain());
        (state.tree.applied(), answer)
    }

    /// A connection has shown to be somebody more: what its watches may tell it is judged by that.
    pub fn identified(&self, link: LinkId, auth: &[Id]) {
        self.state.write().watches.set_auth(link, auth);
    }
}

impl ReadSide for SharedRead {
    fn read<T>(&self, f: impl FnOnce(&ReadState) -> T) -> T {
        f(&self.state.read())
    }

    fn apply<T>(&mut self, f: impl FnOnce(&mut ReadState, &mut Vec<Fired>) -> T) -> (T, Vec<Fired>) {
        let mut fired = Vec::new();
        let begun = Instant::now();
        let mut state = self.state.write();
        let result = f(&mut state, &mut fired);
        count_fired(begun, &fired, &mut self.metrics.applied.lock());
        for (link, event) in fired.drain(..) {
            // One that is gone has no watches any more, or will have none soon.
            let _ = self.links.push(link, ToLink::Event(event));
        }
        drop(state);
        (result, fired)
    }
}

/// The events of one change stand together.
fn count_fired(begun: Instant, fired: &[Fired], page: &mut AppliedPage) {
    page.commit_process_time.took(begun.elapsed());
    for told in fired.chunk_by(|(_, one), (_, next)| one == next) {
        let Some((_, event)) = told.first() else { continue };
        let summary = match event.kind {
            EventKind::Created => &mut page.node_created_watch_count,
            EventKind::Deleted => &mut page.node_deleted_watch_count,
            EventKind::DataChanged => &mut page.node_changed_watch_count,
            EventKind::ChildrenChanged => &mut page.node_children_watch_count,
        };
        summary.add(told.len() as u64);
    }
}
