//! The subcommands of `zebu`.

pub mod demo;
pub mod serve;
