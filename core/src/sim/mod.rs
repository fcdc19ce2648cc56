//! A world of servers, links, disks, clocks and clients, all from one seed.

pub mod command;
pub mod view;
