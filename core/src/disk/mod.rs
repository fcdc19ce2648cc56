//! The disk formats as pure bytes, Apache's to the byte: encode, decode, verify. Drivers only move the bytes.

pub mod adler;
pub mod body;
pub mod epoch_file;
pub mod names;
pub mod snapshot;
pub mod survey;
pub mod txn_log;
