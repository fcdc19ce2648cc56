//! A leader's state that is older than what this server has: it counts, but what it replaces may be the last copy of
//! something, if the others were given back an old backup, say. So that is kept in a folder beside, for whoever wants
//! it: `replaced-by.<zxid>`. There is never more than one, or a server that is replaced often would fill its disk.

use super::files::{self, FileError, Haste};
use super::log;
use std::fs;
use std::path::{Path, PathBuf};
use tracing::warn;
use zebu_core::disk::txn_log::LogScanner;
use zebu_core::id::Zxid;

const PREFIX: &str = "replaced-by.";

fn folder(dir: &Path, zxid: Zxid) -> PathBuf {
    dir.join(format!("{PREFIX}{:x}", zxid.0))
}

/// The last transaction that the files tell of.
fn last(snapshot_dir: &Path, log_dir: &Path) -> Result<Zxid, FileError> {
    let snapshot = files::snapshots(snapshot_dir)?.last().map_or(Zxid::ZERO, |(zxid, ..)| *zxid);
    let Some((_, newest)) = files::logs(log_dir)?.pop() else { return Ok(snapshot) };
    Ok(LogScanner::new(log::read(&newest, Haste::Alone)?).last().map_or(snapshot, |record| snapshot.max(record.zxid)))
}

/// Whether what is there has to be kept from the state at `zxid`. If so, there is a folder for it from now on, and none
/// of an earlier time: after a crash the same is found.
pub fn begin(snapshot_dir: &Path, log_dir: &Path, zxid: Zxid) -> Result<bool, FileError> {
    if folder(snapshot_dir, zxid).exists() {
        return Ok(true);
    }
    let last = last(snapshot_dir, log_dir)?;
    if last <= zxid {
        return Ok(false);
    }
    for dir in [log_dir, snapshot_dir] {
        for (name, earlier) in files::listing(dir)? {
            if name.starts_with(PREFIX) {
                fs::remove_dir_all(&earlier).map_err(FileError::new("can't remove", &earlier))?;
            }
        }
        let new = folder(dir, zxid);
        fs::create_dir_all(&new).map_err(FileError::new("can't make the folder", &new))?;
        files::sync_dir(dir)?;
    }
    warn!(
        "this server had transactions up to {last}, and the leader's state ends at {zxid}: what is replaced is kept in {} \
         until that happens again; remove it if nobody needs it",
        folder(snapshot_dir, zxid).display()
    );
    Ok(true)
}

/// Moves a file there.
pub fn keep(old: &Path, zxid: Zxid) -> Result<(), FileError> {
    let (Some(dir), Some(name)) = (old.parent(), old.file_name()) else { return Ok(()) };
    fs::rename(old, folder(dir, zxid).join(name)).map_err(FileError::new("can't keep", old))
}

/// Makes durable what was moved from `dir`.
pub fn sync(dir: &Path, zxid: Zxid) -> Result<(), FileError> {
    files::sync_dir(&folder(dir, zxid))
}
