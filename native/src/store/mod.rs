//! The disk of one server: Apache's files, written in an order that no crash can turn into a lie.
//!
//! One thread executes the core's storage effects strictly in order ([`thread`]); what a start finds is read by
//! [`recovery`]; snapshots are made from files by a thread of their own ([`compactor`]). Any I/O error ends the
//! server: after a failed write or sync nobody knows what the disk holds, so nothing is tried a second time.

pub mod compactor;
pub mod dir;
pub mod doubt;
pub mod epochs;
pub mod files;
pub mod fold_process;
pub mod inspect;
mod install;
pub mod log;
mod log_file;
mod marks;
mod packed;
pub mod purge;
pub mod recovery;
mod replaced;
pub mod snapshots;
#[cfg(test)]
mod tests;
pub mod thread;
