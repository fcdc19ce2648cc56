//! Master election: every candidate tries to create one ephemeral znode, with its name in it. Who succeeds is master
//! until its session ends; the others watch.
//!
//! A master that was paused for longer than its timeout believes in its office until it hears of the expiry. Whoever
//! takes orders should compare the token, the znode's czxid, which rises with every master, and refuse older ones.

use crate::recipe::seat::Seat;
use crate::recipe::spec::Spec;

/// The path is the office.
pub(super) fn new(spec: &Spec, me: &str) -> Seat {
    Seat::new(&spec.path, me)
}
