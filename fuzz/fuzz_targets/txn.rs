//! A transaction, as proposals and the log carry it, and what applying it to a tree does.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zebu_core::tree::Tree;
use zebu_core::wire::txn::Txn;

fuzz_target!(|data: &[u8]| {
    let Ok(txn) = Txn::decode(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(Txn::decode(txn.encode()), Ok(txn.clone()));
    let mut tree = Tree::new();
    tree.apply(&txn);
    // Once more, as a replay over a snapshot taken while the tree changed does it.
    tree.apply(&txn);
});
