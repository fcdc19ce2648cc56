//! Sockets: the client port, the quorum port, the election port.

pub mod client;
pub mod client_listener;
pub mod connection;
pub mod election;
pub mod http;
pub mod limits;
pub mod link_stats;
pub mod links;
pub mod listen;
pub mod quorum;
pub mod tally;
