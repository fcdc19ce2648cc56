//! Removing what newer snapshots have made unnecessary (`autopurge`).

use super::files::{self, FileError};
use super::snapshots;
use std::path::{Path, PathBuf};
use tracing::info;

/// What may go while the newest `retain` snapshots that seem whole stay, and every log that may hold a transaction above
/// the oldest of them: logs first, each kind ascending. Invalid snapshots do not count, so good ones never go on their
/// account.
pub fn plan(snapshot_dir: &Path, log_dir: &Path, retain: usize) -> Result<Vec<PathBuf>, FileError> {
    let snapshots = files::snapshots(snapshot_dir)?;
    // Two of one zxid, differently packed, count as one; and unpacking takes time, so no more are looked at than needed.
    let (mut kept, mut oldest_kept) = (0, None);
    for (zxid, compression, path) in snapshots.iter().rev() {
        if kept == retain.max(1) {
            break;
        }
        if oldest_kept != Some(*zxid) && snapshots::seems_valid(path, *compression) {
            (kept, oldest_kept) = (kept + 1, Some(*zxid));
        }
    }
    let Some(oldest_kept) = oldest_kept.filter(|_| kept == retain.max(1)) else { return Ok(Vec::new()) };
    let logs = files::logs(log_dir)?;
    let needed_from = logs.iter().rev().map(|(first, _)| *first).find(|first| *first <= oldest_kept);
    let old_logs = logs.into_iter().filter(|(first, _)| needed_from.is_some_and(|from| *first < from));
    let old_snapshots = snapshots.into_iter().filter(|(zxid, ..)| *zxid < oldest_kept);
    Ok(old_logs.map(|(_, path)| path).chain(old_snapshots.map(|(.., path)| path)).collect())
}

/// Carries out the [`plan`].
pub fn purge(snapshot_dir: &Path, log_dir: &Path, retain: usize) -> Result<(), FileError> {
    let old = plan(snapshot_dir, log_dir, retain)?;
    old.iter().try_for_each(|path| files::remove(path))?;
    if !old.is_empty() {
        info!("purged {} files that {retain} newer snapshots have made unnecessary", old.len());
    }
    Ok(())
}
