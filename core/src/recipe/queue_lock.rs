//! The lock as a queue: each wish is an ephemeral sequential znode, the lowest has the lock, and each of the others
//! watches only the one before it. A release wakes one; whoever came first is served first. When one in the middle dies,
//! its successor looks for the next lower one and does not take the lock.

use crate::recipe::line::{Behind, Line};
use crate::recipe::spec::Spec;

/// The path is the directory of the wishes.
pub(super) fn new(spec: &Spec, me: &str) -> Line {
    Line::new(&spec.path, "lock-", Behind::Everybody, me)
}
