//! Every file that Apache's server wrote reads, and is written to the same bytes again.

use crate::vectors;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use zebu_core::disk::body::{BodyReader, BodyScanner, BodyWriter, NodeSink, SnapshotNode};
use zebu_core::disk::names::{self, Compression, DataFile};
use zebu_core::disk::snapshot::{Snapshot, SnapshotWriter};
use zebu_core::disk::txn_log::{LogEnd, LogFault, LogScanner, put_header, put_record};
use zebu_core::id::Zxid;
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
fn every_log_reads_and_rewrites() {
    let disk = vectors::json(&vectors::path("disk.json"));
    let mut types = std::collections::BTreeSet::new();
    let mut logs = 0;
    for listed in disk["files"].as_array().unwrap() {
        let Some(records) = listed["records"].as_array() else { continue };
        let name = listed["file"].as_str().unwrap();
        let file = Bytes::from(std::fs::read(vectors::path(name)).unwrap());
        let mut again = BytesMut::new();
        put_header(&mut again);
        let mut scanner = LogScanner::new(file.clone());
        for listed in records {
            let record = scanner.next().unwrap();
            assert_eq!(record.at, usize::try_from(listed["offset"].as_u64().unwrap()).unwrap(), "{name}");
            assert_eq!(record.zxid.0, listed["header"]["zxid"].as_i64().unwrap(), "{name}");
            assert!(record.continues(), "{name}: {}", record.zxid);
            let txn = Txn::decode(record.entry.clone()).unwrap();
            assert_eq!(txn.encode(), record.entry, "{name}: {}", record.zxid);
            let (header, type_code) = TxnHeader::peek(&record.entry).unwrap();
            assert_eq!((header, type_code), (txn.header, txn.body.type_code()));
            assert_eq!(i64::from(type_code), listed["header"]["type"].as_i64().unwrap());
            types.insert(type_code);
            put_record(&mut again, &record.entry);
        }
        assert_eq!(scanner.next(), None, "{name}");
        assert_eq!(scanner.end(), Some(&LogEnd::Clean { at: again.len() }), "{name}");
        again.resize(file.len(), 0);
        assert_eq!(again, file, "{name}");
        let first = records[0]["header"]["zxid"].as_i64().unwrap();
        assert!(name.ends_with(&names::log(Zxid(first))), "{name}");
        logs += 1;
    }
    println!("types {types:?}");
    assert!(logs == 7 && types.len() >= 12, "{types:?}");
}

/// The damaged directories of disk.json's `recovery`, where Zebu looks closer than Apache.
#[test]
fn damaged_logs_are_not_taken_for_ended_ones() {
    let file = std::fs::read(vectors::path("txnlog/standalone-log.1e")).unwrap();
    let (first, second, end) = (16, 77, 181);
    let damaged = |at, why, next: Option<i64>| LogEnd::Damaged { at, why, next: next.map(Zxid) };
    let torn = |why| LogEnd::Torn { at: second, why };
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = file.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let cases = [
        ("unchanged", file.clone(), LogEnd::Clean { at: end }),
        (
            "a flipped bit in 0x1f",
            with(second + 20, &[file[second + 20] ^ 4]),
            damaged(second, LogFault::Checksum, None),
        ),
        ("cut in the entry of 0x1f", file[..second + 30].to_vec(), torn(LogFault::Cut)),
        ("cut in the head of 0x1f", file[..second + 9].to_vec(), torn(LogFault::Cut)),
        ("end mark of 0x1f", with(end - 1, b"C"), damaged(second, LogFault::EndMark, None)),
        ("end mark of 0x1e", with(second - 1, b"C"), damaged(first, LogFault::EndMark, Some(0x1f))),
        ("length -16", with(second + 8, &(-16i32).to_be_bytes()), damaged(second, LogFault::Length(-16), None)),
        ("head of 0x1e zeroed", with(first, &[0; 12]), damaged(first, LogFault::Zeroed, Some(0x1f))),
        ("0 bytes", vec![], LogEnd::Torn { at: 0, why: LogFault::Header }),
        ("8 bytes", file[..8].to_vec(), LogEnd::Torn { at: 0, why: LogFault::Header }),
        ("header only", file[..16].to_vec(), LogEnd::Clean { at: 16 }),
        ("wrong magic", with(0, b"X"), damaged(0, LogFault::Header, Some(0x1e))),
        ("version and dbid", with(7, &[99, 0, 0, 0, 0, 0, 0, 0, 5]), LogEnd::Clean { at: end }),
    ];
    for (name, bytes, want) in cases {
        assert_eq!(LogScanner::new(bytes.into()).finish(), want, "{name}");
    }
}

#[test]
fn names_are_apaches() {
    for file in vectors::files("snapshot") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let name = &name[name.find("snapshot.").unwrap()..];
        let Some(DataFile::Snapshot(zxid, Compression::None)) = names::parse(name) else { panic!("{name}") };
        assert_eq!(names::snapshot(zxid, Compression::None), name);
    }
}
