//! What a start finds on disk: the newest snapshot, the log above it, the epochs. A torn tail, which nobody relied
//! on, is cut off; damage is named, and the start refused.

use super::dir::Dirs;
use super::epochs::{self, EpochError};
use super::files::{self, FileError, Haste};
use super::marks::Parted;
use super::snapshots::{self, SnapshotsError};
use super::{install, log};
use crate::metrics::Metrics;
use bytes::Bytes;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tracing::{info, warn};
use zebu_core::disk::names::{Compression, DataFile};
use zebu_core::disk::txn_log::{HEADER_SIZE, LogEnd, LogScanner};
use zebu_core::id::{Epoch, Zxid};
use zebu_core::server::Recovered;
use zebu_core::tree::Tree;
use zebu_core::wire::txn::Txn;
use zebu_core::zab::memory::Memory;

/// What to do when a replica's history can't be trusted any more.
const ADVICE: &str = "Do not repair it by hand: in an ensemble move this server's data directory away (keep myid), and it \
                      gets everything from the leader anew; alone, restore a backup";

/// Why a server can't start from its disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The system.
    #[error("{0} ({advice})", advice = .0.advice())]
    File(#[from] FileError),
    /// Snapshots.
    #[error(transparent)]
    Snapshots(SnapshotsError),
    /// Epoch files.
    #[error(transparent)]
    Epochs(EpochError),
    /// Transactions but nothing to apply them to.
    #[error("{log}: there are transactions but no snapshot below them, so part of the data is missing. {ADVICE}", log = log.display())]
    NoSnapshot { log: PathBuf },
    /// A durable record is lost.
    #[error(
        "{path}: {end}; the last good transaction is {last}. {ADVICE}; if the power failed while this server stood alone and \
         nobody can have relied on what stands behind it, zebu log cut {path} --behind {last} says what would go",
        path = path.display()
    )]
    Damaged { path: PathBuf, end: LogEnd, last: Zxid },
    /// A whole record that can't be a transaction here.
    #[error("{path}: the record at byte {at}, transaction {zxid}, {why}. {ADVICE}", path = path.display())]
    Record { path: PathBuf, at: usize, zxid: Zxid, why: String },
    /// The log is ahead of any promise.
    #[error(
        "{dir}: the log ends with {last}, but acceptedEpoch is {accepted}: the epoch files are from another time or \
         server. {ADVICE}",
        dir = dir.display()
    )]
    EpochBehindLog { dir: PathBuf, last: Zxid, accepted: Epoch },
    /// A member of an ensemble without data.
    #[error(
        "{dir}: there is neither a snapshot nor a log, but currentEpoch is {current}: this server had data. {ADVICE}",
        dir = dir.display()
    )]
    Vanished { dir: PathBuf, current: Epoch },
    /// Two folders that do not belong together.
    #[error("{0}")]
    Parted(Parted),
}

impl From<SnapshotsError> for RecoveryError {
    fn from(error: SnapshotsError) -> RecoveryError {
        match error {
            SnapshotsError::File(error) => RecoveryError::File(error),
            SnapshotsError::NoneValid { .. } => RecoveryError::Snapshots(error),
        }
    }
}

impl From<EpochError> for RecoveryError {
    fn from(error: EpochError) -> RecoveryError {
        match error {
            EpochError::File(error) => RecoveryError::File(error),
            EpochError::Garbage { .. } | EpochError::Contradiction { .. } | EpochError::Fallen { .. } => {
                RecoveryError::Epochs(error)
            }
        }
    }
}

impl RecoveryError {
    /// Whether the disk has lost something, rather than being out of reach.
    pub fn is_damage(&self) -> bool {
        match self {
            RecoveryError::File(_) => false,
            RecoveryError::Snapshots(_)
            | RecoveryError::Epochs(_)
            | RecoveryError::NoSnapshot { .. }
            | RecoveryError::Damaged { .. }
            | RecoveryError::Record { .. }
            | RecoveryError::EpochBehindLog { .. }
            | RecoveryError::Vanished { .. }
            | RecoveryError::Parted(_) => true,
        }
    }

    /// What is wrong, without what a person may do about it.
    pub fn fact(&self) -> String {
        let text = self.to_string();
        text.split_once(ADVICE).map_or(text.clone(), |(fact, _)| fact.trim_end_matches(['.', ' ']).to_string())
    }
}

/// Whether there is somebody to get from what the disk has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody: what may be damage and may be none is passed over with a warning.
    Alone,
    /// The others: it is damage.
    Ensemble,
}

/// Reads everything, and repairs what a crash left half done.
///
/// # Errors
/// See [`RecoveryError`]. Nothing that was durable has been changed then.
pub fn recover(dirs: &Dirs, metrics: &Metrics, standing: Standing) -> Result<Recovered, RecoveryError> {
    let begun = Instant::now();
    if let Some(parted) = &dirs.parted {
        return Err(RecoveryError::Parted(parted.clone()));
    }
    make_durable(dirs)?;
    if let Some(zxid) = install::resume(&dirs.snapshots, &dirs.logs)? {
        info!("finished taking over the leader's state at {zxid}, which a crash had interrupted");
    }
    let base = snapshots::newest(&dirs.snapshots, Haste::Alone)?;
    let with_snapshot = begun.elapsed();
    let from = base.as_ref().map(|(zxid, _)| *zxid);
    let (entries, doubt) = read_log(&dirs.logs, from, Repair::Yes)?;
    match doubt {
        Some(damage) if standing == Standing::Ensemble => return Err(damage),
        Some(damage) => warn!("{}; goes on, since nobody else has it", damage.fact()),
        None => {}
    }
    {
        let mut page = metrics.disk.lock();
        page.startup_snap_load_time.took(with_snapshot);
        page.startup_txns_loaded.add(entries.len() as u64);
        page.startup_txns_load_time.took(begun.elapsed().saturating_sub(with_snapshot));
        page.dbinittime.took(begun.elapsed());
    }
    let (snapshot, tree) = match base {
        Some(base) => base,
        None => {
            let current = epochs::read_both(&dirs.snapshots, Epoch(0))?.current;
            if current > Epoch(0) {
                return Err(RecoveryError::Vanished { dir: dirs.snapshots.clone(), current });
            }
            // Apache's server does not start without a snapshot either.
            let tree = Tree::new();
            snapshots::write(&dirs.snapshots, &tree, Compression::None, &AtomicBool::new(false))?;
            (Zxid::ZERO, tree)
        }
    };
    let last = entries.last().map_or(snapshot, |(zxid, _)| *zxid);
    let epochs = epochs::read_both(&dirs.snapshots, last.epoch())?;
    let (accepted, current) = (epochs.accepted, epochs.current);
    if last.epoch() > accepted {
        return Err(RecoveryError::EpochBehindLog { dir: dirs.snapshots.clone(), last, accepted });
    }
    epochs.mend(&dirs.snapshots)?;
    Ok(Recovered { accepted, current, tree, snapshot, entries, memory: Memory::of_disk(current, last) })
}

/// What is found counts as durable: the server votes and acknowledges by it. But a process that was killed may have
/// left it in memory only, names in the folders too, and the power may fail before the system writes it out on its own.
/// And what a sync has failed for is in memory unchanged, as if it had been written. So everything is synced before it
/// is read, and logs are then read from the disk itself.
fn make_durable(dirs: &Dirs) -> Result<(), FileError> {
    for dir in [&dirs.snapshots, &dirs.logs] {
        for (kind, path) in files::data_files(dir)? {
            let file = File::open(&path).map_err(FileError::new("can't open", &path))?;
            file.sync_all().map_err(FileError::new("can't sync", &path))?;
            if let DataFile::Log(_) = kind {
                let advised = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
                advised.map_err(|errno| FileError::new("can't drop from memory", &path)(errno.into()))?;
            }
        }
        files::sync_dir(dir)?;
    }
    Ok(())
}

/// Whether a torn tail is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// At the start.
    Yes,
    /// While the server runs and may be appending, and to look only.
    No,
}

/// Transactions of a log, and why some may be missing.
type Read = (Vec<(Zxid, Bytes)>, Option<RecoveryError>);

/// The transactions above `from` (`None`: there is no snapshot, so there may be none), ascending and without a hole. And
/// a place where some may be missing, if there is one (see [`LogReader::doubt`]).
fn read_log(dir: &Path, from: Option<Zxid>, repair: Repair) -> Result<Read, RecoveryError> {
    let mut entries = Vec::new();
    let mut reader = LogReader::new(dir, from)?;
    while let Some(entry) = reader.next_entry(repair)? {
        entries.push(entry);
    }
    Ok((entries, reader.doubt))
}

/// Goes through the log files that hold transactions above a snapshot.
#[derive(Debug)]
pub struct LogReader {
    from: Option<Zxid>,
    /// The last transaction given out, at first the snapshot.
    last: Zxid,
    /// The same one's bytes, to tell a repetition from a contradiction.
    last_entry: Option<Bytes>,
    /// Files still to be opened, the next one last.
    files: Vec<PathBuf>,
    open: Option<(PathBuf, LogScanner)>,
    dir: PathBuf,
    torn: Option<(PathBuf, LogEnd)>,
    /// A file that is torn, is not the last one and was read just now; and the last transaction before.
    torn_within: Option<(PathBuf, LogEnd, Zxid)>,
    doubt: Option<RecoveryError>,
}

impl LogReader {
    /// Begins in the newest file that can hold `from`'s successor: its name is the newest up to it.
    pub fn new(dir: &Path, from: Option<Zxid>) -> Result<LogReader, FileError> {
        let all = files::logs(dir)?;
        let last = from.unwrap_or(Zxid::ZERO);
        // `log.<successor>` begins exactly there; a file before it then holds nothing that is needed.
        let newest_below = all.iter().rposition(|(first, _)| first.0 <= last.0.saturating_add(1)).unwrap_or(0);
        let files = all.into_iter().skip(newest_below).map(|(_, path)| path).rev().collect();
        Ok(LogReader {
            from,
            last,
            last_entry: None,
            files,
            open: None,
            dir: dir.into(),
            torn: None,
            torn_within: None,
            doubt: None,
        })
    }

    /// A file that is torn although another one follows, which begins with a new epoch. Apache's server leaves what a
    /// crash has torn off where it is, and nothing is missing. But the same is left of a file whose last records have
    /// rotted: no zxid shows it, since an epoch may begin behind any.
    pub fn doubt(&self) -> Option<&RecoveryError> {
        self.doubt.as_ref()
    }

    /// The tail of the last file, if it was torn and left as it is.
    pub fn torn(&self) -> Option<&(PathBuf, LogEnd)> {
        self.torn.as_ref()
    }

    /// The next transaction.
    pub fn next_entry(&mut self, repair: Repair) -> Result<Option<(Zxid, Bytes)>, RecoveryError> {
        loop {
            let Some((path, scanner)) = &mut self.open else {
                let Some(path) = self.files.pop() else { return Ok(None) };
                let haste = if repair == Repair::Yes { Haste::Alone } else { Haste::BesideALog };
                let scanner = LogScanner::new(log::read(&path, haste)?);
                self.open = Some((path, scanner));
                continue;
            };
            let Some(record) = scanner.next() else {
                let end = scanner.end().cloned().unwrap_or(LogEnd::Clean { at: HEADER_SIZE });
                let path = path.clone();
                self.open = None;
                self.file_ended(path, end, repair)?;
                continue;
            };
            let zxid = record.zxid;
            // Below the snapshot anything may stand; above it only a repetition of the same.
            let covered = self.last_entry.is_none() && zxid <= self.last;
            let repeated = zxid == self.last && self.last_entry.as_ref().is_some_and(|last| *last == record.entry);
            if covered || repeated {
                continue;
            }
            let wrong = |why: String| RecoveryError::Record { path: path.clone(), at: record.at, zxid, why };
            let Some(_) = self.from else { return Err(RecoveryError::NoSnapshot { log: path.clone() }) };
            if !zxid.follows(self.last) {
                return Err(wrong(format!(
                    "does not follow {}, so transactions are missing or out of order",
                    self.last
                )));
            }
            // A copy: a slice would keep the whole file in memory.
            let entry = Bytes::copy_from_slice(&record.entry);
            Txn::decode(entry.clone()).map_err(|e| wrong(format!("can't be read: {e}")))?;
            if let Some((path, end, last)) = self.torn_within.take()
                && last.epoch() != zxid.epoch()
            {
                self.doubt.get_or_insert(RecoveryError::Damaged { path, end, last });
            }
            self.last = zxid;
            self.last_entry = Some(entry.clone());
            return Ok(Some((zxid, entry)));
        }
    }

    /// Judges how a file ended.
    fn file_ended(&mut self, path: PathBuf, end: LogEnd, repair: Repair) -> Result<(), RecoveryError> {
        let is_last = self.files.is_empty();
        match end {
            LogEnd::Damaged { .. } => return Err(RecoveryError::Damaged { path, end, last: self.last }),
            // Apache's server leaves a torn tail where it is; whether something is missing, the next file's first
            // zxid shows, inside an epoch.
            LogEnd::Torn { .. } if !is_last => {
                warn!("{}: {end}", path.display());
                self.torn_within = Some((path, end, self.last));
            }
            // The server is appending at this moment, or somebody only looks.
            LogEnd::Torn { .. } if repair == Repair::No => self.torn = Some((path, end)),
            LogEnd::Clean { .. } if repair == Repair::No => {}
            LogEnd::Torn { at, .. } if at > HEADER_SIZE => {
                warn!("{}: {end}; cuts that off, it was never acknowledged", path.display());
                log::cut(&path, at)?;
            }
            // A file without a record would stand in the way of the next one of its name.
            LogEnd::Torn { at, .. } | LogEnd::Clean { at } if is_last && at <= HEADER_SIZE => {
                info!("{}: holds no transaction; removes it", path.display());
                files::remove(&path)?;
                files::sync_dir(&self.dir)?;
            }
            LogEnd::Torn { .. } | LogEnd::Clean { .. } => {}
        }
        Ok(())
    }
}
