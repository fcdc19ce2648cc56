//! A start in an ensemble from a disk that has lost something. Such a server does not refuse to run, as one that
//! stands alone has to: it says what is damaged and takes part with what it remembers, until a leader's state is in the
//! place of it (see [`zebu_core::zab::memory`]).
//!
//! From the moment that damage was seen until everything is durable again, the file `zebu.damage` says so; a start in
//! between trusts nothing that stands beside it.

use super::dir::Dirs;
use super::epochs;
use super::files::{self, FileError, Haste};
use super::recovery::{RecoveryError, Standing, recover};
use super::{install, log};
use crate::metrics::Metrics;
use std::fs;
use std::path::{Path, PathBuf};
use tracing::{error, info, warn};
use zebu_core::disk::survey::{Survey, survey};
use zebu_core::id::{Epoch, Zxid};
use zebu_core::server::Recovered;
use zebu_core::zab::memory::Memory;

/// Says what was damaged, as long as not everything is back.
const MARK: &str = "zebu.damage";

/// In front of the names of files that were set aside.
const ASIDE: &str = "damaged.";

/// Whether a folder is marked as one that has lost something.
pub fn is_marked(dir: &Path) -> bool {
    dir.join(MARK).exists()
}

/// Marks a folder, durably. A start finds damage and marks the folder of snapshots; who takes something off a log by
/// hand marks the folder that it is in.
pub fn mark(dir: &Path, fact: &str) -> Result<(), FileError> {
    files::write_whole(&dir.join(MARK), format!("{fact}\n").as_bytes())
}

/// Everything is durable again.
pub fn unmark(snapshot_dir: &Path, log_dir: &Path) -> Result<(), FileError> {
    for dir in [snapshot_dir, log_dir].into_iter().filter(|dir| is_marked(dir)) {
        files::remove(&dir.join(MARK))?;
        files::sync_dir(dir)?;
    }
    Ok(())
}

/// Keeps a file under another name, for whoever wants to know what happened to it.
pub fn set_aside(path: &Path) -> Result<(), FileError> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let mut other = std::ffi::OsString::from(ASIDE);
    other.push(name);
    fs::rename(path, path.with_file_name(other)).map_err(FileError::new("can't set aside", path))
}

/// As [`recover`], for a server that has peers to get everything from. `initialize` is the file that says that an empty
/// disk is meant to be empty; `autocreate`, that it may be so without that file.
///
/// # Errors
/// What the system refuses, a read error for instance. Damage is none.
pub fn recover_in_ensemble(
    dirs: &Dirs,
    metrics: &Metrics,
    initialize: &[PathBuf],
    autocreate: bool,
) -> Result<Recovered, RecoveryError> {
    let meant_empty = initialize.iter().any(|file| file.exists());
    for file in initialize.iter().filter(|file| file.exists()) {
        files::remove(file)?;
        files::sync_dir(file.parent().unwrap_or(Path::new(".")))?;
    }
    let found = match recover(dirs, metrics, Standing::Ensemble) {
        Ok(found) if is_marked(&dirs.snapshots) || is_marked(&dirs.logs) => {
            let last = found.entries.last().map_or(found.snapshot, |(zxid, _)| *zxid);
            let marked = if is_marked(&dirs.snapshots) { &dirs.snapshots } else { &dirs.logs };
            warn!(
                "{}: damage was found, or something was taken off the log, and it is not back yet. Only if this server \
                 stood alone then, and nobody else has any of its data, remove that file",
                marked.join(MARK).display()
            );
            let (accepted, current) = (found.accepted, found.current);
            Recovered { accepted, current, memory: Memory::lost(last), ..Recovered::empty() }
        }
        Ok(found) => found,
        Err(damage) if damage.is_damage() => {
            error!("{}", damage.fact());
            return salvage(dirs, &damage);
        }
        Err(other) => return Err(other),
    };
    let memory = match found.memory {
        Memory::Blank if meant_empty => {
            info!("the disk is empty, and the file initialize says that it is meant to be");
            Memory::Whole
        }
        Memory::Blank if !autocreate => {
            warn!("the disk is empty and there is no file initialize: takes part without a vote until it is in sync");
            Memory::Lost { known: Zxid::ZERO }
        }
        memory => memory,
    };
    Ok(Recovered { memory, ..found })
}

/// What can still be said of a damaged disk. Nothing of it is used but that.
fn salvage(dirs: &Dirs, damage: &RecoveryError) -> Result<Recovered, RecoveryError> {
    let snapshot = files::snapshots(&dirs.snapshots)?.last().map_or(Zxid::ZERO, |(zxid, ..)| *zxid);
    let mut logs = Vec::new();
    for (first, path) in files::logs(&dirs.logs)? {
        logs.push((first, log::read(&path, Haste::Alone)?));
    }
    let mut epochs = epochs::known(&dirs.snapshots);
    let Survey { known, end } = survey(snapshot, logs, epochs);
    if epochs.is_some_and(|(accepted, _)| known.epoch() > accepted) {
        epochs = None;
    }
    // Without its epochs it does not know what it has promised, however far its history went.
    // Nor does it know what stood in a folder that is gone.
    let memory = match end {
        Some(last) if epochs.is_some() && dirs.parted.is_none() => Memory::Damaged { last },
        _ => Memory::lost(known),
    };
    mark(&dirs.snapshots, &damage.fact())?;
    if dirs.parted.is_some() {
        // From here on the mark of damage says what is missing; what is written now is in the folders as they are.
        dirs.mark_anew()?;
    }
    if epochs.is_none() {
        for name in [epochs::ACCEPTED, epochs::CURRENT, epochs::RECORD] {
            let path = dirs.snapshots.join(name);
            if path.exists() {
                set_aside(&path)?;
            }
        }
        files::sync_dir(&dirs.snapshots)?;
    }
    warn!(
        "starts all the same, to get everything from a leader; the damaged files are kept as {ASIDE}* then. Until then \
         this server {memory}"
    );
    let (accepted, current) = epochs.unwrap_or((Epoch(0), Epoch(0)));
    install::forget_unfinished(&dirs.snapshots)?;
    Ok(Recovered { accepted, current, memory, ..Recovered::empty() })
}
