//! The shared lock: readers together, a writer alone. A reader waits for the nearest writer before it, a writer for
//! whoever is next before it. Nobody is passed over: a reader that comes behind a waiting writer waits for it.

use crate::recipe::line::{Behind, Line};
use crate::recipe::spec::Spec;

/// How writers' znodes begin.
pub(super) const WRITE: &str = "write-";
const READ: &str = "read-";

/// The path is the directory of the wishes.
pub(super) fn reader(spec: &Spec, me: &str) -> Line {
    Line::new(&spec.path, READ, Behind::Writers, me)
}

/// The path is the directory of the wishes.
pub(super) fn writer(spec: &Spec, me: &str) -> Line {
    Line::new(&spec.path, WRITE, Behind::Everybody, me)
}
