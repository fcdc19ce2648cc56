//! Every file that Apache's server wrote reads, and is written to the same bytes again.

use crate::vectors;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use zebu_core::disk::body::{BodyReader, BodyScanner, BodyWriter, NodeSink, SnapshotNode};
use zebu_core::disk::snapshot::{Snapshot, SnapshotWriter};
use zebu_core::wire::jute::Fault;
use zebu_core::wire::txn::{Txn, TxnHeader};

fn nodes(reader: &mut BodyReader) -> Vec<SnapshotNode> {
    let mut nodes = Vec::new();
    while let Some(node) = reader.next_node().unwrap() {
        nodes.push(node);
    }
    nodes
}

fn snapshots() -> BTreeMap<String, Bytes> {
    let file = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_string(), Bytes::from(std::fs::read(path).unwrap()))
    };
    vectors::files("snapshot").into_iter().map(file).collect()
}

#[test]
fn snapshots_read_and_rewrite() {
    let disk = vectors::json(&vectors::path("disk.json"));
    let mut decoded = 0;
    for (name, file) in snapshots() {
        let snapshot = Snapshot::open(file.clone()).unwrap();
        let mut reader = BodyReader::new(snapshot.body.clone()).unwrap();
        let nodes = nodes(&mut reader);
        assert_eq!(nodes[0].path, "", "{name}");
        assert_eq!(SnapshotWriter::around(&snapshot.body, snapshot.digest), file, "{name}");

        let sessions = || reader.sessions().iter().copied();
        let acls = || reader.acls().iter().map(|(key, list)| (*key, list));
        let mut body = BytesMut::new();
        let mut writer = BodyWriter::begin(&mut body, sessions(), acls());
        let mut file_writer = SnapshotWriter::begin(sessions(), acls());
        let mut pieces = Vec::new();
        for node in &nodes {
            writer.node(&node.path, node.data.as_ref(), node.acl_key, &node.stat);
            file_writer.node(&node.path, node.data.as_ref(), node.acl_key, &node.stat);
            pieces.push(file_writer.take());
        }
        writer.finish();
        pieces.push(file_writer.finish(snapshot.digest));
        assert_eq!(body, snapshot.body, "{name}");
        assert_eq!(pieces.concat(), file, "{name}");

        let listed = disk["files"].as_array().unwrap().iter().find(|f| f["file"] == format!("snapshot/{name}"));
        let listed = listed.unwrap_or_else(|| panic!("{name} is not in disk.json"));
        assert_eq!(listed["nodes"].as_array().unwrap().len(), nodes.len(), "{name}");
        for (node, listed) in nodes.iter().zip(listed["nodes"].as_array().unwrap()) {
            assert_eq!(node.path, listed["path"].as_str().unwrap(), "{name}");
        }
        decoded += nodes.len();
    }
    assert!(decoded >= 40, "{decoded} znodes");
}

#[test]
fn a_body_is_found_whole_however_it_comes_in() {
    for (name, file) in snapshots() {
        let body = Snapshot::open(file.clone()).unwrap().body;
        for piece in [1, 2, 3, 7, 64, 5000] {
            let mut scanner = BodyScanner::new(file.len());
            let found = (1..).map(|n| (n * piece).min(file.len() - 16)).find_map(|n| {
                scanner.scan(&file[16..16 + n]).unwrap().inspect(|end| assert!(*end <= n && n < end + piece, "{name}"))
            });
            assert_eq!(found, Some(body.len()), "{name} in pieces of {piece}");
        }
        let over = BodyScanner::new(body.len() - 1).scan(&file[16..]).unwrap_err();
        assert!(matches!(over.fault, Fault::Length { .. }), "{over}");
    }
}

#[test]
fn a_snapshot_with_any_bit_flipped_or_cut_anywhere_is_refused() {
    for (name, file) in snapshots() {
        let whole = Snapshot::open(file.clone()).unwrap();
        // Of the header only magic and version are looked at; the dbid is covered by the seal like all the rest.
        for at in 0..file.len() {
            let mut bad = file.to_vec();
            bad[at] ^= 1 << (at % 8);
            assert!(Snapshot::open(bad.into()).is_err(), "{name}: a flip at {at} is not seen");
        }
        for length in 0..file.len() {
            match Snapshot::open(file.slice(..length)) {
                Err(_) => {}
                // Cut exactly behind the first seal it is a whole file without digest.
                Ok(cut) => assert_eq!((cut.body, cut.digest, length), (whole.body.clone(), None, file.len() - 33)),
            }
        }
    }
}

#[test]
fn every_transaction_in_the_logs_decodes_and_encodes() {
    let disk = vectors::json(&vectors::path("disk.json"));
    let mut types = std::collections::BTreeSet::new();
    for listed in disk["files"].as_array().unwrap() {
        let Some(records) = listed["records"].as_array() else { continue };
        let name = listed["file"].as_str().unwrap();
        let file = Bytes::from(std::fs::read(vectors::path(name)).unwrap());
        for record in records {
            let at = usize::try_from(record["offset"].as_u64().unwrap()).unwrap() + 12;
            let length = usize::try_from(record["length"].as_u64().unwrap()).unwrap();
            let entry = file.slice(at..at + length);
            let txn = Txn::decode(entry.clone()).unwrap();
            assert_eq!(txn.encode(), entry, "{name} at {at}");
            let (header, type_code) = TxnHeader::peek(&entry).unwrap();
            assert_eq!((header, type_code), (txn.header, txn.body.type_code()));
            assert_eq!(i64::from(type_code), record["header"]["type"].as_i64().unwrap());
            types.insert(type_code);
        }
    }
    println!("types {types:?}");
    assert!(types.len() >= 10, "{types:?}");
}
