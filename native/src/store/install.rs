//! Replacing everything by a state that the leader sent, in one step.
//!
//! The state is written as `install.<zxid>` (or packed, as `install.<zxid>.gz`): from the moment it has that name it
//! counts, whatever else is there. Then the older logs and snapshots go, which may hold transactions that were never
//! committed (see [`replaced`]), and last it gets its name as a snapshot. A start that finds an `install.<zxid>` does the
//! rest.

use super::files::{self, FileError};
use super::{doubt, replaced, snapshots};
use std::path::{Path, PathBuf};
use zebu_core::disk::names::{self, Compression};
use zebu_core::id::Zxid;

const PREFIX: &str = "install.";

/// Replaces everything in the two folders.
pub fn install(
    snapshot_dir: &Path,
    log_dir: &Path,
    zxid: Zxid,
    body: &[u8],
    compression: Compression,
) -> Result<(), FileError> {
    let path = snapshot_dir.join(format!("{PREFIX}{:x}{}", zxid.0, compression.suffix()));
    snapshots::write_around(&path, body, compression)?;
    finish(snapshot_dir, log_dir, &Begun { zxid, compression, path })
}

/// A state under its first name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Begun {
    zxid: Zxid,
    compression: Compression,
    path: PathBuf,
}

fn finish(snapshot_dir: &Path, log_dir: &Path, state: &Begun) -> Result<(), FileError> {
    // What is damaged is kept for whoever wants to know what happened to it.
    let aside = doubt::is_marked(snapshot_dir) || doubt::is_marked(log_dir);
    let keep = !aside && replaced::begin(snapshot_dir, log_dir, state.zxid)?;
    for dir in [log_dir, snapshot_dir] {
        for (_, old) in files::data_files(dir)? {
            match (aside, keep) {
                (true, _) => doubt::set_aside(&old)?,
                (false, true) => replaced::keep(&old, state.zxid)?,
                (false, false) => files::remove(&old)?,
            }
        }
        if keep {
            replaced::sync(dir, state.zxid)?;
        }
        files::sync_dir(dir)?;
    }
    files::rename(&state.path, &snapshot_dir.join(names::snapshot(state.zxid, state.compression)))
}

/// The states that an interrupted replacement left, ascending. There is never more than one; were there two, the later
/// one would be the one that counts.
fn begun(snapshot_dir: &Path) -> Result<Vec<Begun>, FileError> {
    let mut begun = Vec::new();
    for (name, path) in files::listing(snapshot_dir)? {
        let parts = name.strip_prefix(PREFIX).and_then(names::zxid_and_compression);
        begun.extend(parts.map(|(zxid, compression)| Begun { zxid, compression, path }));
    }
    begun.sort();
    Ok(begun)
}

/// Removes what was only begun to be written.
pub fn forget_unfinished(snapshot_dir: &Path) -> Result<(), FileError> {
    for (name, path) in files::listing(snapshot_dir)? {
        if name.ends_with(".tmp") && (name.starts_with(PREFIX) || name.starts_with("snapshot.")) {
            files::remove(&path)?;
        }
    }
    Ok(())
}

/// The zxid of a state whose taking over was interrupted.
pub fn pending(snapshot_dir: &Path) -> Result<Option<Zxid>, FileError> {
    Ok(begun(snapshot_dir)?.pop().map(|state| state.zxid))
}

/// What an interrupted replacement left: does the rest, or removes what had not begun to count. Returns the zxid of
/// the state that is now in place.
pub fn resume(snapshot_dir: &Path, log_dir: &Path) -> Result<Option<Zxid>, FileError> {
    forget_unfinished(snapshot_dir)?;
    let mut begun = begun(snapshot_dir)?;
    let Some(state) = begun.pop() else { return Ok(None) };
    for older in begun {
        files::remove(&older.path)?;
    }
    finish(snapshot_dir, log_dir, &state)?;
    Ok(Some(state.zxid))
}
