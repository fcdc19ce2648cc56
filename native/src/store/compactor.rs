//! Folding an old snapshot and the log above it into a new snapshot, from files alone: the living tree is never
//! touched, and the result is exact at its zxid.

use super::files::{FileError, Haste};
use super::fold_process::{self, Outcome, Running};
use super::recovery::{LogReader, RecoveryError, Repair};
use super::snapshots;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Instant;
use tracing::{info, warn};
use zebu_core::disk::names::Compression;
use zebu_core::id::Zxid;
use zebu_core::tree::Tree;
use zebu_core::wire::txn::Txn;

/// Why no snapshot came about.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// Reading what is there.
    #[error(transparent)]
    Read(#[from] RecoveryError),
    /// Listing or writing.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log ends before the wanted zxid.
    #[error("{dir}: the log ends at {last}, but it was durable up to {wanted}", dir = dir.display())]
    Short { dir: PathBuf, last: Zxid, wanted: Zxid },
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where snapshots are.
    pub snapshot_dir: PathBuf,
    /// Where the log is.
    pub log_dir: PathBuf,
    /// The last transaction that the new one covers.
    pub upto: Zxid,
    /// How it is packed.
    pub compression: Compression,
}

/// A compaction that runs.
#[derive(Debug)]
pub struct Compactor {
    running: Arc<Running>,
    thread: JoinHandle<()>,
}

impl Compactor {
    /// Starts a thread that writes `snapshot.<upto>` and then says how it went; `Ok(false)` if it was cancelled. The
    /// work is a process's of `program`, of this one, if that is given.
    pub fn start(
        job: Job,
        program: Option<PathBuf>,
        done: impl FnOnce(Result<bool, CompactError>) + Send + 'static,
    ) -> std::io::Result<Compactor> {
        let running = Arc::new(Running::default());
        let here = running.clone();
        let thread = std::thread::Builder::new().name("zebu-snapshot".into()).spawn(move || {
            let result = compact_apart(&job, program.as_deref(), &here);
            // What is read while everything is being replaced may be anything.
            done(if here.cancelled.load(Relaxed) { Ok(false) } else { result });
        })?;
        Ok(Compactor { running, thread })
    }

    /// Asks it to stop and waits until it has.
    pub fn cancel(self) {
        self.running.cancel();
        // A panic there has been told already.
        let _ = self.thread.join();
    }

    /// Whether it is done.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Does it in a process of its own, or on this thread if there can't be one or it fails: then what is wrong with the
/// files shows here.
fn compact_apart(job: &Job, program: Option<&Path>, running: &Running) -> Result<bool, CompactError> {
    let begun = Instant::now();
    let outcome = program.map_or(Ok(Outcome::Nothing), |program| fold_process::make(job, program, running))?;
    match outcome {
        Outcome::Made(znodes) => {
            info!("snapshot of {znodes} znodes at {} in {} ms", job.upto, begun.elapsed().as_millis());
            Ok(true)
        }
        Outcome::Needless => Ok(true),
        Outcome::Nothing if running.cancelled.load(Relaxed) => Ok(false),
        Outcome::Nothing => {
            if program.is_some() {
                warn!("makes the snapshot at {} without another process: clients may have to wait longer", job.upto);
            }
            fold_process::stand_back();
            compact(job, &running.cancelled)
        }
    }
}

/// Does it on this thread. `Ok(false)` if it was cancelled.
pub fn compact(job: &Job, cancelled: &AtomicBool) -> Result<bool, CompactError> {
    let Job { snapshot_dir, log_dir, upto, compression } = job;
    let (upto, begun) = (*upto, Instant::now());
    let Some(Folded { tree, from }) = fold(snapshot_dir, log_dir, upto, cancelled)? else { return Ok(false) };
    if from < upto {
        if !snapshots::write(snapshot_dir, &tree, *compression, cancelled)? {
            return Ok(false);
        }
        info!("snapshot of {} znodes at {upto} in {} ms, by a thread", tree.len(), begun.elapsed().as_millis());
    }
    Ok(true)
}

/// A state made from files.
pub struct Folded {
    /// The state.
    pub tree: Tree,
    /// The snapshot that was there already.
    pub from: Zxid,
}

/// The state at `upto`, where the log is durable that far; of a newer snapshot, its own. `Ok(None)` if it was cancelled.
pub fn fold(
    snapshot_dir: &Path,
    log_dir: &Path,
    upto: Zxid,
    cancelled: &AtomicBool,
) -> Result<Option<Folded>, CompactError> {
    let base = snapshots::newest(snapshot_dir, Haste::BesideALog).map_err(RecoveryError::from)?;
    let Some((from, mut tree)) = base else {
        return Err(RecoveryError::NoSnapshot { log: log_dir.into() }.into());
    };
    let mut reader = LogReader::new(log_dir, Some(from))?;
    let mut last = from;
    while last < upto && !cancelled.load(Relaxed) {
        let Some((zxid, entry)) = reader.next_entry(Repair::No)? else { break };
        if zxid > upto {
            break;
        }
        if let Ok(txn) = Txn::decode(entry) {
            tree.apply(&txn);
        }
        last = zxid;
    }
    if cancelled.load(Relaxed) {
        return Ok(None);
    }
    if last < upto {
        return Err(CompactError::Short { dir: log_dir.into(), last, wanted: upto });
    }
    Ok(Some(Folded { tree, from }))
}
