//! Snapshot files: header, body, seal, the tree's digest, seal. A seal is the Adler-32 of every byte before it and
//! the end mark.
//!
//! What ZooKeeper 3.8 writes is written (parts 1 to 8); what 3.9 and later append (parts 9 and 10, the last zxid at
//! the end of writing) is read too, and the digest may be missing. Compressed files have to be unpacked first.

use crate::disk::adler::{Adler32, adler32};
use crate::disk::body::{BodyScanner, BodyWriter, NodeSink, StatPersisted, put_node};
use crate::id::Zxid;
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use crate::wire::record::{Acl, SessionEntry};
use bytes::{BufMut, Bytes, BytesMut};

/// "ZKSN".
const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
/// Apache writes this into the header of every snapshot.
const DBID: i64 = -1;
const HEADER_SIZE: usize = 16;
/// Bytes of a seal: a long and the mark.
const SEAL_SIZE: usize = 13;
/// Bytes of the last zxid and its seal, when they follow.
const LAST_ZXID_SIZE: usize = 8 + SEAL_SIZE;
const MARK: &str = "/";
/// What a whole file ends with: the mark as a string.
const TAIL: [u8; 5] = [0, 0, 0, 1, b'/'];

/// The tree's digest as a snapshot carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotDigest {
    /// The last transaction whose effects it covers.
    pub zxid: Zxid,
    /// 2 is the only one written.
    pub version: i32,
    /// The sum over all znodes.
    pub tree: i64,
}

/// Whether `tail`, a plain snapshot file's last bytes, ends as a whole file does. A cheap test that tells a file that
/// was cut short; passing it does not make a file valid.
pub fn looks_whole(tail: &[u8]) -> bool {
    tail.ends_with(&TAIL)
}

/// Writes a snapshot file piece by piece: [`SnapshotWriter::begin`], [`NodeSink::node`] for each znode,
/// [`SnapshotWriter::take`] whenever enough has gathered, [`SnapshotWriter::finish`].
#[derive(Debug)]
pub struct SnapshotWriter {
    out: BytesMut,
    /// Over everything that has been taken.
    sum: Adler32,
}

impl SnapshotWriter {
    /// Starts with the header, the sessions and the access lists by key (keys ≥ 1).
    pub fn begin<L: AsRef<[Acl]>>(
        sessions: impl IntoIterator<Item = SessionEntry>,
        acls: impl IntoIterator<Item = (i64, L)>,
    ) -> SnapshotWriter {
        let mut out = header();
        BodyWriter::begin(&mut out, sessions, acls);
        SnapshotWriter { out, sum: Adler32::new() }
    }

    /// A whole file around a body that is there already, such as one that came by SNAP.
    pub fn around(body: &[u8], digest: Option<SnapshotDigest>) -> Bytes {
        let mut out = header();
        out.put_slice(body);
        let mut writer = SnapshotWriter { out, sum: Adler32::new() };
        writer.seal_and_digest(digest);
        writer.out.freeze()
    }

    /// How many bytes have gathered.
    pub fn gathered(&self) -> usize {
        self.out.len()
    }

    /// The bytes that have gathered: they are the file's next ones.
    pub fn take(&mut self) -> Bytes {
        self.sum.update(&self.out);
        self.out.split().freeze()
    }

    /// Ends the file and returns the rest of it. The digest is left out if there is none.
    pub fn finish(mut self, digest: Option<SnapshotDigest>) -> Bytes {
        self.out.put_ustring(MARK);
        self.seal_and_digest(digest);
        self.out.freeze()
    }

    fn seal_and_digest(&mut self, digest: Option<SnapshotDigest>) {
        self.seal();
        if let Some(digest) = digest {
            self.out.put_i64(digest.zxid.0);
            self.out.put_i32(digest.version);
            self.out.put_i64(digest.tree);
            self.seal();
        }
    }

    fn seal(&mut self) {
        let mut sum = self.sum;
        sum.update(&self.out);
        self.out.put_i64(i64::from(sum.value()));
        self.out.put_ustring(MARK);
    }
}

impl NodeSink for SnapshotWriter {
    fn node(&mut self, path: &str, data: Option<&Bytes>, acl_key: i64, stat: &StatPersisted) {
        put_node(&mut self.out, path, data, acl_key, stat);
    }
}

fn header() -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i32(MAGIC);
    out.put_i32(VERSION);
    out.put_i64(DBID);
    out
}

/// A snapshot file that has been found whole and unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// For [`crate::disk::body::BodyReader`], or to send by SNAP.
    pub body: Bytes,
    /// The tree's digest, if it is there in a version that is understood. Apache writes zeros in `snapshot.0` and
    /// after a SNAP.
    pub digest: Option<SnapshotDigest>,
    /// The last zxid when the file was complete (3.9 and later). The zxid to replay from is the one in the file's
    /// name, as for Apache.
    pub last_zxid: Option<Zxid>,
}

impl Snapshot {
    /// Checks a whole file: header, structure, seals. Parts of versions to come, behind those known, are ignored.
    ///
    /// # Errors
    /// What is wrong with the file, which must then not be used.
    pub fn open(file: Bytes) -> Result<Snapshot, DecodeError> {
        if !looks_whole(&file) {
            let at = file.len().saturating_sub(TAIL.len());
            return Err(DecodeError::new("snapshot's last bytes", at, Fault::Expected("the mark of a whole file")));
        }
        let mut r = Reader::new(file.clone());
        if r.int("snapshot's magic")? != MAGIC {
            return Err(DecodeError::new("snapshot's magic", 0, Fault::Expected("\"ZKSN\"")));
        }
        let version = r.int("snapshot's version")?;
        if version != VERSION {
            return Err(DecodeError::new("snapshot's version", 4, Fault::Unknown(i64::from(version))));
        }
        r.long("snapshot's dbid")?;
        let most = r.remaining();
        let rest = file.slice(HEADER_SIZE.min(file.len())..);
        let length = BodyScanner::new(most).scan(&rest)?.ok_or(DecodeError::new(
            "snapshot body",
            HEADER_SIZE,
            Fault::Expected("an end mark before the end of the file"),
        ))?;
        let body = r.bytes(length, "snapshot body")?;
        check_seal(&file, &mut r)?;
        let digest = match r.remaining() {
            0 | LAST_ZXID_SIZE => None,
            _ => {
                let digest = read_digest(&mut r)?;
                check_seal(&file, &mut r)?;
                digest
            }
        };
        let last_zxid = match r.remaining() {
            0 => None,
            _ => {
                let zxid = r.zxid("snapshot's last zxid")?;
                check_seal(&file, &mut r)?;
                Some(zxid)
            }
        };
        Ok(Snapshot { body, digest, last_zxid })
    }
}

/// Versions below 2 wrote the digest as hexadecimal text; they are not compared with anything.
fn read_digest(r: &mut Reader) -> Result<Option<SnapshotDigest>, DecodeError> {
    let zxid = r.zxid("digest's zxid")?;
    let version = r.int("digest's version")?;
    if version < 2 {
        r.opt_ustring("digest")?;
        return Ok(None);
    }
    Ok(Some(SnapshotDigest { zxid, version, tree: r.long("digest")? }))
}

/// Reads a seal and compares it with the bytes before it.
fn check_seal(file: &Bytes, r: &mut Reader) -> Result<(), DecodeError> {
    let at = r.position();
    let stored = r.long("seal")?;
    let computed = adler32(&file[..at]);
    if stored != i64::from(computed) {
        return Err(DecodeError::new("seal", at, Fault::Checksum { stored, computed }));
    }
    if r.ustring("seal's mark")? != MARK {
        return Err(DecodeError::new("seal's mark", at + 8, Fault::Expected("\"/\"")));
    }
    Ok(())
}
