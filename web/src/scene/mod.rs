//! From a [`WorldView`](zebu_core::sim::view::WorldView) to shapes: pure data, no browser, tested natively. The
//! components only spell it out as markup, so another painter could take their place.

pub mod ballots;
pub mod layout;
pub mod ledger;
pub mod legend;
pub mod packets;
pub mod palette;
pub mod spacetime;
pub mod stage;
pub mod tree;
pub mod way;

#[cfg(test)]
pub(crate) mod sample;
