//! What a data directory holds and what a start would make of it, without changing anything.
//!
//! A start repairs what a crash left half done; an operator wants to know before that. So this reads with the same
//! code, and only says what the start would do.

use super::epochs;
use super::files::{self, FileError, Haste};
use super::packed::{GZIP_MAGIC, SNAPPY_MAGIC};
use super::recovery::{LogReader, RecoveryError, Repair};
use super::{install, log, snapshots};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use zebu_core::disk::names::{self, Compression, DataFile};
use zebu_core::disk::txn_log::{HEADER_SIZE, LogEnd, LogRecord, LogScanner};
use zebu_core::id::{Epoch, Zxid};
use zebu_core::tree::Tree;
use zebu_core::wire::jute::DecodeError;
use zebu_core::wire::txn::Txn;

/// Where a server's files are.
#[derive(Debug)]
pub struct Folders {
    /// Snapshots and epochs.
    pub snapshots: PathBuf,
    /// The log.
    pub logs: PathBuf,
}

/// No data directory where one was named.
#[derive(Debug, thiserror::Error)]
#[error(
    "{dir}: there is no folder version-2 in it and no log or snapshot; name the dataDir of a zoo.cfg, or its folder \
     version-2", dir = .0.display()
)]
pub struct NoData(PathBuf);

impl Folders {
    /// The folders of a dataDir and, if that is another, a dataLogDir; of each the folder `version-2` may be named
    /// as well.
    ///
    /// # Errors
    /// Nothing of a server there.
    pub fn find(data: &Path, data_log: Option<&Path>) -> Result<Folders, NoData> {
        let snapshots = version_2(data)?;
        let logs = data_log.map_or_else(|| Ok(snapshots.clone()), version_2)?;
        Ok(Folders { snapshots, logs })
    }

    /// Whether a server holds the lock on them at this moment. One of Apache's takes no lock.
    pub fn in_use(&self) -> bool {
        let locked = |dir: &PathBuf| {
            let file = File::open(dir).ok();
            file.is_some_and(|file| Flock::lock(file, FlockArg::LockSharedNonblock).is_err())
        };
        locked(&self.snapshots) || locked(&self.logs)
    }
}

fn version_2(dir: &Path) -> Result<PathBuf, NoData> {
    let below = dir.join("version-2");
    if below.is_dir() {
        Ok(below)
    } else if dir.is_dir() && files::data_files(dir).is_ok_and(|files| !files.is_empty()) {
        Ok(dir.into())
    } else {
        Err(NoData(dir.into()))
    }
}

/// A log file's records and how they end.
#[derive(Debug)]
pub struct LogFacts {
    /// The file.
    pub path: PathBuf,
    /// Its bytes, preallocated ones included.
    pub size: u64,
    /// How many whole records it has.
    pub records: u64,
    /// The first and the last one's zxid.
    pub span: Option<(Zxid, Zxid)>,
    /// Records that do not directly follow the one before them. Right only where a snapshot covers what is missing.
    pub holes: Vec<(Zxid, Zxid)>,
    /// The first record that is whole but no transaction.
    pub no_txn: Option<(usize, Zxid, DecodeError)>,
    /// How the records end.
    pub end: LogEnd,
}

impl LogFacts {
    /// Goes through a file and shows `each` record; ends early if that says so.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn gather(
        path: &Path,
        mut each: impl FnMut(&LogRecord, Result<&Txn, &DecodeError>) -> bool,
    ) -> Result<LogFacts, FileError> {
        let bytes = log::read(path, Haste::BesideALog)?;
        let size = bytes.len() as u64;
        let mut scanner = LogScanner::new(bytes);
        let (mut records, mut span, mut holes, mut no_txn) = (0, None, Vec::new(), None);
        let end = loop {
            let Some(record) = scanner.next() else {
                break scanner.end().cloned().unwrap_or(LogEnd::Clean { at: HEADER_SIZE });
            };
            records += 1;
            span = Some((span.map_or(record.zxid, |(first, _)| first), record.zxid));
            if let (false, Some(after)) = (record.continues(), record.after) {
                holes.push((after, record.zxid));
            }
            let txn = Txn::decode(record.entry.clone());
            let goes_on = each(&record, txn.as_ref());
            if let Err(error) = txn {
                no_txn.get_or_insert((record.at, record.zxid, error));
            }
            if !goes_on {
                break LogEnd::Clean { at: record.end };
            }
        };
        Ok(LogFacts { path: path.into(), size, records, span, holes, no_txn, end })
    }

    /// Whether every record is a transaction and nothing durable is lost. A torn tail is no fault.
    pub fn is_sound(&self) -> bool {
        self.no_txn.is_none() && !matches!(self.end, LogEnd::Damaged { .. })
    }
}

/// What a snapshot file is, by its name, or by its first bytes if it has another one: then nothing tells its zxid.
pub fn kind_of_snapshot(path: &Path) -> Result<(Option<Zxid>, Compression), FileError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(DataFile::Snapshot(zxid, compression)) = names::parse(name) {
        return Ok((Some(zxid), compression));
    }
    let bytes = fs::read(path).map_err(FileError::new("can't read", path))?;
    let compression = if bytes.starts_with(GZIP_MAGIC) {
        Compression::Gzip
    } else if bytes.starts_with(SNAPPY_MAGIC) {
        Compression::Snappy
    } else {
        Compression::None
    };
    Ok((None, compression))
}

/// A snapshot's tree and what its file says of it.
#[derive(Debug)]
pub struct SnapshotFacts {
    /// The tree. If the snapshot was made while the tree changed, as Apache's server does it, it holds effects of
    /// transactions above its zxid.
    pub tree: Tree,
    /// The digest in the file: of which zxid, and the sum.
    pub digest: Option<(Zxid, i64)>,
}

impl SnapshotFacts {
    /// Reads a whole snapshot file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn gather(path: &Path) -> Result<SnapshotFacts, String> {
        let (zxid, compression) = kind_of_snapshot(path).map_err(|e| e.to_string())?;
        let snapshot = snapshots::open(path, compression, Haste::BesideALog).map_err(|e| e.to_string())?;
        let digest = snapshot.digest.map(|digest| (digest.zxid, digest.tree));
        let zxid = zxid.or(snapshot.last_zxid).unwrap_or(Zxid::ZERO);
        let tree = Tree::read_body(snapshot.body, zxid).map_err(|e| e.to_string())?;
        Ok(SnapshotFacts { tree, digest })
    }

    /// Whether the file's digest is the tree's; `None` if it can't be compared: of another moment, or not there.
    pub fn digest_agrees(&self) -> Option<bool> {
        let (zxid, sum) = self.digest?;
        (zxid == self.tree.applied() && sum != 0).then(|| sum == self.tree.digest())
    }
}

/// What a start would come to.
#[derive(Debug)]
pub struct StartFacts {
    /// The snapshot it would begin with; `None`: with an empty tree.
    pub snapshot: Option<Zxid>,
    /// Transactions it would apply to that.
    pub replayed: u64,
    /// The last zxid.
    pub last: Zxid,
    /// `acceptedEpoch` and `currentEpoch`.
    pub epochs: (Epoch, Epoch),
    /// Digests that the log foretells and the tree had.
    pub digests: u64,
    /// The first transaction whose digest the tree did not have, although it had an earlier one's.
    pub diverged: Option<Zxid>,
    /// What would be cut off, as nobody relied on it.
    pub torn: Option<(PathBuf, LogEnd)>,
    /// Where transactions may be missing. In an ensemble the start gets everything from the others then.
    pub doubt: Option<String>,
    /// The tree after it.
    pub tree: Tree,
}

/// A leader's whole state, half taken over: the next start finishes that.
#[derive(Debug, thiserror::Error)]
#[error(
    "{dir}: taking over the leader's state at {zxid} was interrupted; the next start finishes it, and only then do the \
     other files count", dir = dir.display()
)]
pub struct Interrupted {
    dir: PathBuf,
    zxid: Zxid,
}

/// Why a server would not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// As the start itself says it.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// Not a fault, but nothing can be said.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<FileError> for StartError {
    fn from(error: FileError) -> StartError {
        StartError::Recovery(error.into())
    }
}

/// Does what a start does, but changes nothing.
///
/// # Errors
/// What the start would refuse.
pub fn start(folders: &Folders) -> Result<StartFacts, StartError> {
    if let Some(zxid) = install::pending(&folders.snapshots)? {
        return Err(Interrupted { dir: folders.snapshots.clone(), zxid }.into());
    }
    let base = snapshots::newest(&folders.snapshots, Haste::BesideALog).map_err(RecoveryError::from)?;
    let snapshot = base.as_ref().map(|(zxid, _)| *zxid);
    let mut tree = base.map_or_else(Tree::new, |(_, tree)| tree);
    let mut reader = LogReader::new(&folders.logs, snapshot)?;
    let (mut replayed, mut digests, mut diverged) = (0, 0, None);
    let mut last = snapshot.unwrap_or(Zxid::ZERO);
    while let Some((zxid, entry)) = reader.next_entry(Repair::No)? {
        // The reader has decoded it once already, to check it.
        if let Ok(txn) = Txn::decode(entry) {
            let applied = tree.apply(&txn);
            match (applied.diverged, txn.digest) {
                (false, Some(_)) => digests += 1,
                // Before the first match the snapshot may be one that was made while the tree changed.
                (true, _) if digests > 0 => drop(diverged.get_or_insert(zxid)),
                _ => {}
            }
        }
        replayed += 1;
        last = zxid;
    }
    let epochs = epochs::read_both(&folders.snapshots, last.epoch()).map_err(RecoveryError::from)?;
    let epochs = (epochs.accepted, epochs.current);
    if last.epoch() > epochs.0 {
        let dir = folders.snapshots.clone();
        return Err(RecoveryError::EpochBehindLog { dir, last, accepted: epochs.0 }.into());
    }
    let (torn, doubt) = (reader.torn().cloned(), reader.doubt().map(RecoveryError::fact));
    Ok(StartFacts { snapshot, replayed, last, epochs, digests, diverged, torn, doubt, tree })
}
