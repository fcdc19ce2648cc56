//! The wire: Jute records, client messages, quorum packets, election notifications, transactions.

pub mod client;
pub mod frame;
pub mod jute;
pub mod notification;
pub mod op;
pub mod peer;
pub mod record;
pub mod txn;
