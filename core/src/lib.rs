//! ZooKeeper's consensus as one deterministic state machine: events in, effects out.
//!
//! No I/O, no clock, no threads, no chance of its own: a driver (the native server, the simulator, the browser)
//! tells [`server::Server::step`] what happened and carries out what it answers.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod auth;
pub mod client;
pub mod collections;
pub mod compare;
pub mod config;
pub mod disk;
pub mod effect;
pub mod error;
pub mod id;
pub mod input;
pub mod link;
pub mod note;
pub mod recipe;
pub mod rng;
pub mod scenario;
pub mod server;
pub mod service;
pub mod sim;
pub mod status;
pub mod time;
pub mod trace;
pub mod tree;
pub mod wire;
pub mod zab;
