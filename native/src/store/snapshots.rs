//! Snapshot files: reading and writing them, packed or not.

use super::files::{self, AT_ONCE, FileError, Haste};
use super::log_file::LogFile;
use super::packed::{Packer, unpacked};
use bytes::Bytes;
use parking_lot::Mutex;
use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::UNIX_EPOCH;
use tracing::warn;
use zebu_core::disk::names::{self, Compression};
use zebu_core::disk::snapshot::{Snapshot, SnapshotDigest, SnapshotWriter, looks_whole};
use zebu_core::id::Zxid;
use zebu_core::tree::Tree;

/// Older snapshots than so many are not tried, as in Apache's server.
const CANDIDATES: usize = 100;

/// The most that a packed snapshot may unpack to.
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
pub fn newest(dir: &Path, haste: Haste) -> Result<Option<(Zxid, Tree)>, SnapshotsError> {
    let mut first_fault = None;
    let mut count = 0;
    for (zxid, compression, path) in files::snapshots(dir)?.into_iter().rev() {
        if count == CANDIDATES {
            break;
        }
        match load(zxid, compression, &path, haste) {
            Ok(tree) => return Ok(Some((zxid, tree))),
            // Perhaps it is good: not to be passed over.
            Err(Unusable::Unreadable(error)) => return Err(error.into()),
            Err(Unusable::Wrong(why)) => {
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
        let snapshots = files::snapshots(dir).unwrap_or_default();
        let path = snapshots.into_iter().rfind(|(of, ..)| *of == zxid).map(|(.., path)| path);
        let modified = path.and_then(|path| fs::metadata(path).and_then(|file| file.modified()).ok());
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

/// Why a snapshot can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The system does not give it to us.
    #[error(transparent)]
    Unreadable(#[from] FileError),
    /// Something is wrong with it.
    #[error("{0}")]
    Wrong(String),
}

/// Reads and unpacks one, and checks its seals.
///
/// # Errors
/// What is wrong with it.
pub fn open(path: &Path, compression: Compression, haste: Haste) -> Result<Snapshot, Unusable> {
    let bytes = match compression {
        Compression::None => files::read(path, haste),
        Compression::Gzip | Compression::Snappy => unpack(path, compression, haste),
    };
    let bytes = bytes.map_err(|error| match error.raw_os_error() {
        Some(_) => FileError::new("can't read", path)(error).into(),
        // It is packed wrongly.
        None => Unusable::Wrong(error.to_string()),
    })?;
    Snapshot::open(bytes.into()).map_err(|e| Unusable::Wrong(e.to_string()))
}

fn unpack(path: &Path, compression: Compression, haste: Haste) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    unpacked(files::open(path, haste)?, compression).take(UNPACKED_MAX).read_to_end(&mut out)?;
    Ok(out)
}

/// Loads one; what is wrong with it otherwise.
fn load(zxid: Zxid, compression: Compression, path: &Path, haste: Haste) -> Result<Tree, Unusable> {
    let snapshot = open(path, compression, haste)?;
    let digest = snapshot.digest;
    let tree = Tree::read_body(snapshot.body, zxid).map_err(|e| Unusable::Wrong(e.to_string()))?;
    // Apache's are written while the tree changes, and hold the digest of another moment.
    if digest.is_some_and(|d| d.zxid == zxid && d.tree != 0 && d.tree != tree.digest()) {
        warn!("{}: its digest does not match its znodes", path.display());
    }
    Ok(tree)
}

/// Writes `snapshot.<applied>`, durably; after a crash it is there entirely or not at all. So also when `given_up`
/// becomes true before the end: then it is not, and the answer is `Ok(false)`.
pub fn write(dir: &Path, tree: &Tree, compression: Compression, given_up: &AtomicBool) -> Result<bool, FileError> {
    let path = dir.join(names::snapshot(tree.applied(), compression));
    write_whole(&path, |file| {
        let file = pack(file, compression, given_up, |take| tree.write_file(take))?;
        Ok((!given_up.load(Relaxed)).then_some(file))
    })
}

/// Writes a whole snapshot file around a body that the leader sent, as [`write`] does but under this name.
pub fn write_around(path: &Path, body: &[u8], compression: Compression) -> Result<(), FileError> {
    let never = AtomicBool::new(false);
    let pieces = |take: &mut dyn FnMut(Bytes)| take(SnapshotWriter::around(body, None::<SnapshotDigest>));
    write_whole(path, |file| pack(file, compression, &never, pieces).map(Some))?;
    Ok(())
}

/// Has a file filled that is then there under this name, durably and at once. If it is not given back, there is none,
/// and the answer is `Ok(false)`.
pub(super) fn write_whole(
    path: &Path,
    fill: impl FnOnce(Growing) -> io::Result<Option<Growing>>,
) -> Result<bool, FileError> {
    let beside = files::beside(path);
    // A leftover of an earlier try.
    files::remove(&beside)?;
    let file = LogFile::create(&beside, true).map_err(FileError::new("can't create", &beside))?;
    let filled = fill(Growing { file, length: 0 });
    let Some(Growing { file, length }) = filled.map_err(FileError::new("can't write", &beside))? else {
        files::remove(&beside)?;
        return Ok(false);
    };
    file.end(length).map_err(FileError::new("can't sync", &beside))?;
    files::rename(&beside, path)?;
    Ok(true)
}

/// Packs pieces, until it is given up.
pub(super) fn pack<W: Write>(
    out: W,
    compression: Compression,
    given_up: &AtomicBool,
    pieces: impl FnOnce(&mut dyn FnMut(Bytes)),
) -> io::Result<W> {
    let mut packer = Packer::new(BufWriter::with_capacity(AT_ONCE, out), compression)?;
    let mut result = Ok(());
    pieces(&mut |piece| {
        if result.is_ok() && !given_up.load(Relaxed) {
            result = packer.write_all(&piece);
        }
    });
    result.and_then(|()| packer.finish())?.into_inner().map_err(io::IntoInnerError::into_error)
}

/// A file and how much of it there is.
pub(super) struct Growing {
    file: LogFile,
    length: u64,
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a file ends as a whole one does: what purging counts as a snapshot to keep. A packed one has to be unpacked
/// for that.
pub fn seems_valid(path: &Path, compression: Compression) -> bool {
    tail(path, compression).is_ok_and(|tail| looks_whole(&tail))
}

/// The last bytes of what is in it.
fn tail(path: &Path, compression: Compression) -> io::Result<Vec<u8>> {
    const LENGTH: usize = 5;
    let mut file = fs::File::open(path)?;
    let mut tail = Vec::new();
    if compression == Compression::None {
        file.seek(SeekFrom::End(-(LENGTH as i64)))?;
        file.read_to_end(&mut tail)?;
        return Ok(tail);
    }
    let mut reader = unpacked(BufReader::new(file), compression).take(UNPACKED_MAX);
    let mut part = vec![0; 64 << 10];
    loop {
        let count = match reader.read(&mut part) {
            Ok(0) => return Ok(tail),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        tail.extend(part.iter().take(count).skip(count.saturating_sub(LENGTH)));
        tail.drain(..tail.len().saturating_sub(LENGTH));
    }
}
