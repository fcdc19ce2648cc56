//! A log file, whole or damaged: its records, and how it ends.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zebu_core::disk::txn_log::LogScanner;
use zebu_core::disk::{epoch_file, names};

fuzz_target!(|data: &[u8]| {
    let mut scanner = LogScanner::new(Bytes::copy_from_slice(data));
    let records = scanner.by_ref().count();
    assert!(records <= data.len());
    scanner.finish();
    let _ = epoch_file::parse(data);
    if let Ok(name) = str::from_utf8(data) {
        let _ = names::parse(name);
    }
});
