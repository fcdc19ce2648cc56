//! The exclusive lock upon one znode. Simple, and a herd: everybody who waits is told of every release, and all but one
//! in vain. Compare [`super::queue_lock`].

use crate::recipe::seat::Seat;
use crate::recipe::spec::Spec;

/// The path is the lock itself.
pub(super) fn new(spec: &Spec, me: &str) -> Seat {
    Seat::new(&spec.path, me)
}
