//! The subcommands of `zebu`.

pub mod bench;
pub mod cli;
pub mod demo;
pub mod disk;
pub mod recipe;
pub mod scenario;
pub mod serve;
pub mod sim;
