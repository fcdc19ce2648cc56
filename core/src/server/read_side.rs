//! Where reads are answered: the tree with its watches, behind the one seam that exists for speed. Reads never pass
//! through the thread that orders writes.

use crate::id::LinkId;
use crate::service::ReadState;
use crate::wire::client::WatcherEvent;
use alloc::vec::Vec;

/// A watch that fired: whom to tell, and what.
pub type Fired = (LinkId, WatcherEvent);

/// Access to the tree and the watches.
pub trait ReadSide {
    /// Looks at them.
    fn read<T>(&self, f: impl FnOnce(&ReadState) -> T) -> T;

    /// Changes them. Whatever `f` adds to the list must reach its link before a read on that link can see the change:
    /// an implementation either puts it into the links' outboxes before it lets the next reader in and returns an
    /// empty list, or returns the list, and the server tells the links before anything else.
    fn apply<T>(&mut self, f: impl FnOnce(&mut ReadState, &mut Vec<Fired>) -> T) -> (T, Vec<Fired>);
}

/// The plain read side, for where one thread does everything.
#[derive(Clone, Debug, Default)]
pub struct Plain(pub ReadState);

impl ReadSide for Plain {
    fn read<T>(&self, f: impl FnOnce(&ReadState) -> T) -> T {
        f(&self.0)
    }

    fn apply<T>(&mut self, f: impl FnOnce(&mut ReadState, &mut Vec<Fired>) -> T) -> (T, Vec<Fired>) {
        let mut fired = Vec::new();
        let result = f(&mut self.0, &mut fired);
        (result, fired)
    }
}
