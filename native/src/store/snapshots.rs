//! Snapshot files: reading them, Apache's compressed ones included, and writing them.

use super::files::{self, FileError, WholeFile};
use bytes::Bytes;
use parking_lot::Mutex;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tracing::warn;
use zebu_core::disk::names::{self, Compression};
use zebu_core::disk::snapshot::{Snapshot, SnapshotDigest, looks_whole};
use zebu_core::id::Zxid;
use zebu_core::tree::Tree;

/// Older snapshots than so many are not tried, as in Apache's server.
const CANDIDATES: usize = 100;

/// The most that a compressed snapshot may unpack to.
const UNPACKED_MAX: u64 = 8 << 30;

/// No snapshot could be used although there are some.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotsError {
    /// Listing them.
    #[error(transparent)]
    File(#[from] FileError),
    /// Each has a fault; the newest one's is told.
    #[error(
        "{dir}: none of the {count} snapshots can be used (the newest, {newest}: {why}). Put a good one there, or move the \
         data directory away: in an ensemble this server then gets everything from the leader anew",
        dir = dir.display(), newest = newest.display()
    )]
    NoneValid { dir: PathBuf, count: usize, newest: PathBuf, why: String },
}

/// The newest snapshot that can be used, and its zxid; `None` if there is none that looks whole.
pub fn newest(dir: &Path) -> Result<Option<(Zxid, Tree)>, SnapshotsError> {
    let mut first_fault = None;
    let mut count = 0;
    for (zxid, compression, path) in files::snapshots(dir)?.into_iter().rev() {
        if count == CANDIDATES {
            break;
        }
        match load(zxid, compression, &path) {
            Ok(tree) => return Ok(Some((zxid, tree))),
            Err(why) => {
                warn!("{}: not usable: {why}", path.display());
                count += 1;
                first_fault.get_or_insert((path, why));
            }
        }
    }
    match first_fault {
        None => Ok(None),
        Some((newest, why)) => Err(SnapshotsError::NoneValid { dir: dir.into(), count, newest, why }),
    }
}

/// Which snapshot is the newest and since when it is there, for operators.
#[derive(Debug)]
pub struct LastSnapshot(Mutex<(Zxid, i64)>);

impl LastSnapshot {
    /// A snapshot found at the start, where it may have no file any more.
    pub fn found(dir: &Path, zxid: Zxid) -> LastSnapshot {
        let modified = fs::metadata(dir.join(names::snapshot(zxid))).and_then(|file| file.modified()).ok();
        let since_1970 = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let seconds = since_1970.and_then(|time| i64::try_from(time.as_secs()).ok());
        LastSnapshot(Mutex::new((zxid, seconds.unwrap_or(0))))
    }

    /// One was written now.
    pub fn written(&self, zxid: Zxid) {
        *self.0.lock() = (zxid, crate::clock::wall_millis() / 1000);
    }

    /// Its zxid, and when it was written in seconds since 1970.
    pub fn get(&self) -> (Zxid, i64) {
        *self.0.lock()
    }
}

/// Reads and unpacks one, and checks its seals.
///
/// # Errors
/// What is wrong with it.
pub fn open(path: &Path, compression: Compression) -> Result<Snapshot, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    Snapshot::open(unpack(bytes, compression)?).map_err(|e| e.to_string())
}

/// Loads one; what is wrong with it otherwise.
fn load(zxid: Zxid, compression: Compression, path: &Path) -> Result<Tree, String> {
    let snapshot = open(path, compression)?;
    let digest = snapshot.digest;
    let tree = Tree::read_body(snapshot.body, zxid).map_err(|e| e.to_string())?;
    // Apache's are written while the tree changes, and hold the digest of another moment.
    if digest.is_some_and(|d| d.zxid == zxid && d.tree != 0 && d.tree != tree.digest()) {
        warn!("{}: its digest does not match its znodes", path.display());
    }
    Ok(tree)
}

fn unpack(bytes: Vec<u8>, compression: Compression) -> Result<Bytes, String> {
    match compression {
        Compression::None => Ok(bytes.into()),
        Compression::Gzip => {
            let mut out = Vec::new();
            let mut reader = flate2::read::GzDecoder::new(&bytes[..]).take(UNPACKED_MAX);
            reader.read_to_end(&mut out).map_err(|e| format!("gzip: {e}"))?;
            Ok(out.into())
        }
        Compression::Snappy => unsnap(&bytes).map(Bytes::from),
    }
}

/// snappy-java's framing: a magic, two versions, then blocks, each behind its length.
fn unsnap(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut rest = bytes.strip_prefix(b"\x82SNAPPY\0").and_then(|r| r.get(8..)).ok_or("it is no snappy stream")?;
    let mut out = Vec::new();
    while let Some((head, body)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        let block = body.get(..length).ok_or("snappy: cut inside a block")?;
        // A block says itself how much it unpacks to; more than that is not believed.
        let size = snap::raw::decompress_len(block).map_err(|e| format!("snappy: {e}"))?;
        if size > 1 << 20 {
            return Err(format!("snappy: a block of {size} bytes"));
        }
        out.extend(snap::raw::Decoder::new().decompress_vec(block).map_err(|e| format!("snappy: {e}"))?);
        rest = body.get(length..).unwrap_or_default();
    }
    if rest.is_empty() { Ok(out) } else { Err("snappy: cut inside a block's length".into()) }
}

/// Writes `snapshot.<applied>`, durably; after a crash it is there entirely or not at all.
pub fn write(dir: &Path, tree: &Tree) -> Result<(), FileError> {
    let mut file = WholeFile::begin(&dir.join(names::snapshot(tree.applied())))?;
    let mut failed = None;
    tree.write_file(|piece| {
        if failed.is_none() {
            failed = file.write(&piece).err();
        }
    });
    match failed {
        Some(error) => Err(error),
        None => file.commit(),
    }
}

/// A whole snapshot file around a body that the leader sent.
pub fn around(body: &[u8]) -> Bytes {
    zebu_core::disk::snapshot::SnapshotWriter::around(body, None::<SnapshotDigest>)
}

/// Whether a file ends as a whole one does: what purging counts as a snapshot to keep.
pub fn seems_valid(path: &Path, compression: Compression) -> bool {
    use std::io::{Seek as _, SeekFrom};
    let Ok(mut file) = fs::File::open(path) else { return false };
    let mut part = [0; 8];
    match compression {
        Compression::None => {
            file.seek(SeekFrom::End(-5)).is_ok() && file.read_exact(&mut part[..5]).is_ok() && looks_whole(&part[..5])
        }
        Compression::Gzip => file.read_exact(&mut part[..2]).is_ok() && part.starts_with(&[0x1f, 0x8b]),
        Compression::Snappy => file.read_exact(&mut part).is_ok() && part == *b"\x82SNAPPY\0",
    }
}
