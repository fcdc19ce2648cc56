//! A snapshot: the file, its body as a tree, and the body found in a stream of pieces.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zebu_core::disk::body::BodyScanner;
use zebu_core::disk::snapshot::{Snapshot, looks_whole};
use zebu_core::id::Zxid;
use zebu_core::tree::Tree;

fuzz_target!(|data: &[u8]| {
    let file = Bytes::copy_from_slice(data);
    looks_whole(data);
    let _ = Snapshot::open(file.clone());
    if let Ok(tree) = Tree::read_body(file, Zxid(1)) {
        let again = Tree::read_body(tree.write_body(), Zxid(1)).expect("what we wrote");
        assert_eq!((again.len(), again.digest()), (tree.len(), tree.digest()));
    }
    let whole = BodyScanner::new(data.len()).scan(data).map_err(drop);
    let mut scanner = BodyScanner::new(data.len());
    let pieces = (0..data.len()).step_by(7).chain([data.len()]).find_map(|upto| match scanner.scan(&data[..upto]) {
        Ok(None) => None,
        other => Some(other.map_err(drop)),
    });
    assert_eq!(pieces.unwrap_or(Ok(None)), whole, "pieces change where a body ends");
});
