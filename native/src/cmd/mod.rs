//! The subcommands of `zebu`.

pub mod demo;
