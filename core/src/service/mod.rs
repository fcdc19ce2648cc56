//! Between clients and consensus: requests become transactions, transactions become replies and watch events, reads
//! are answered, sessions live and expire. Knows nothing of quorums.
//!
//! How the pieces go together in a server:
//!
//! * Every server keeps a [`ReadState`]: the tree with the watches on it. Committed transactions go through
//!   [`ReadState::apply`]; reads through [`ReadState::answer_shared`] (no watch, a shared lock will do) or
//!   [`ReadState::answer`].
//! * The leader keeps a [`Prep`] and a [`SessionTracker`] as long as it leads. A write is checked against its owner
//!   ([`SessionTracker::check_owner`]), then [`Prep::prepare`] makes a transaction of it, always one, which is
//!   proposed; [`Prep::committed`] once it is applied.
//! * It also keeps a [`ContainerScan`], which finds the containers and TTL nodes to remove.
//! * Every server that accepts clients makes session ids with [`SessionIds`] and passwords with [`password`].

pub mod containers;
pub mod eager;
mod overlay;
pub mod prep;
pub mod read;
pub mod session;
pub mod watch;

pub use containers::ContainerScan;
pub use prep::{OverQuota, Prep, PrepRequest};
pub use read::{Answer, Asker, ReadState};
pub use session::{Owner, SessionIds, SessionTracker, negotiate, password};
pub use watch::{Watch, WatchRegistry};

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod prep_tests;
