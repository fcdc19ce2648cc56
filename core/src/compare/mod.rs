//! Other protocols on the same stage: two-phase and three-phase commit, Paxos for one value, and the Zab of the paper.
//!
//! ```text
//!   commands ─► World ── step() ── one event ──► Core::step(input, &mut Out) ─► messages, timers, answers, notes
//!                 │                                                              │
//!                 └──── view: the same picture as ZooKeeper's world ◄────────────┘
//! ```
//!
//! Each core is small and teaches one thing. It keeps two kinds of state: its disk, written before anything that
//! depends on it leaves, and its memory, which a crash takes. [`AnyWorld`] is a world of any protocol, so that
//! scenarios, time travel and the stage need not know which.

mod any;
mod check;
mod command;
mod commitment;
mod core;
mod look;
pub mod note;
mod outcome;
mod paper_zab;
mod paxos;
mod rows;
mod three_phase;
mod two_phase;
mod world;

#[cfg(test)]
mod tests;

pub use any::AnyWorld;
pub use outcome::Outcome;
pub use world::World;

/// The scenarios in which the same crash strikes five protocols, in the order in which they are shown.
pub const SAME_CRASH: [&str; 5] = ["crash-zookeeper", "crash-paper-zab", "crash-paxos", "crash-2pc", "crash-3pc"];
