//! Ordered maps and sets: the standard library's B-trees on servers, sorted vectors in the browser.
//!
//! The core has some seventy kinds of ordered maps and sets. A B-tree costs about five kilobytes of code for each kind
//! that is changed, a fifth of all that the lab makes a browser load; a sorted vector costs a few hundred bytes. In the
//! lab they hold little, so the time they take does not show; on a server they may hold millions. Both are the same to
//! whoever uses them: the names, the order of iteration and what is serialised, hence also every digest. A test holds
//! them against each other, and so does every scenario, which has one digest in the browser and natively.

pub mod order;
#[cfg(any(test, target_arch = "wasm32"))]
mod sorted;

#[cfg(not(target_arch = "wasm32"))]
pub use alloc::collections::{BTreeMap, BTreeSet, btree_set};

#[cfg(target_arch = "wasm32")]
pub use sorted::{SortedMap as BTreeMap, SortedSet as BTreeSet, set as btree_set};
