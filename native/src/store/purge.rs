//! Removing what newer snapshots have made unnecessary (`autopurge`).

use super::files::{self, FileError};
use super::snapshots;
use std::path::Path;
use tracing::info;

/// Keeps the newest `retain` snapshots that seem whole, and every log that may hold a transaction above the oldest
/// of them; removes the rest. Invalid snapshots do not count, so good ones never go on their account.
pub fn purge(snapshot_dir: &Path, log_dir: &Path, retain: usize) -> Result<(), FileError> {
    let snapshots = files::snapshots(snapshot_dir)?;
    let valid = snapshots.iter().rev().filter(|(_, compression, path)| snapshots::seems_valid(path, *compression));
    let Some(oldest_kept) = valid.map(|(zxid, ..)| *zxid).nth(retain.saturating_sub(1)) else { return Ok(()) };
    let logs = files::logs(log_dir)?;
    let needed_from = logs.iter().rev().map(|(first, _)| *first).find(|first| *first <= oldest_kept);
    let old_logs = logs.iter().filter(|(first, _)| needed_from.is_some_and(|from| *first < from)).map(|(_, path)| path);
    let old_snapshots = snapshots.iter().filter(|(zxid, ..)| *zxid < oldest_kept).map(|(.., path)| path);
    let mut count = 0;
    for path in old_logs.chain(old_snapshots) {
        files::remove(path)?;
        count += 1;
    }
    if count > 0 {
        info!("purged {count} files older than the snapshot of {oldest_kept}");
    }
    Ok(())
}
