//! The transaction log: appending to a file of this run's own, and cutting.

use super::files::{self, FileError, Haste};
use super::log_file::LogFile;
use bytes::{Bytes, BytesMut};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tracing::{info, warn};
use zebu_core::disk::names;
use zebu_core::disk::txn_log::{HEADER_SIZE, LogEnd, LogScanner, MAX_ENTRY, padded_size, put_header, put_record};
use zebu_core::id::Zxid;

/// Buffered records are written out from this size on.
const WRITE_SIZE: usize = 1 << 20;

/// So far behind the last record the file is filled with zeros that are really written. A sync then has no metadata
/// to write along with the records, which makes it several times faster than on space that is only reserved.
const ZEROS: usize = 1 << 20;

/// Appends records, each run of the server (and each snapshot, and whenever one is long enough) to a new file.
#[derive(Debug)]
pub struct LogWriter {
    dir: PathBuf,
    /// `preAllocSize` in bytes.
    step: u64,
    /// A longer file is ended; 0 for no limit.
    limit: u64,
    force_sync: bool,
    warn_above: Duration,
    file: Option<OpenLog>,
    buffer: BytesMut,
    zeros: Vec<u8>,
}

#[derive(Debug)]
struct OpenLog {
    file: LogFile,
    path: PathBuf,
    /// Behind the last record written.
    position: u64,
    /// The file's size, padding included.
    size: u64,
    /// Up to where zeros have been written.
    zeroed: u64,
    /// The folder does not durably know of the file yet.
    new: bool,
    unsynced: bool,
}

impl LogWriter {
    /// A writer that has no file yet.
    pub fn new(dir: &Path, step: u64, limit: u64, force_sync: bool, warn_above: Duration) -> LogWriter {
        let (dir, buffer, zeros) = (dir.to_path_buf(), BytesMut::with_capacity(WRITE_SIZE), vec![0; ZEROS]);
        LogWriter { dir, step, limit, force_sync, warn_above, file: None, buffer, zeros }
    }

    /// Adds a record; durable after [`LogWriter::sync`].
    pub fn append(&mut self, zxid: Zxid, txn: &Bytes) -> Result<(), FileError> {
        if txn.len() > MAX_ENTRY {
            let path = self.dir.join(names::log(zxid));
            let why = format!("transaction {zxid} has {} bytes, a log entry at most {MAX_ENTRY}", txn.len());
            return Err(FileError::new("can't append to", &path)(std::io::Error::other(why)));
        }
        if self.file.is_none() {
            let path = self.dir.join(names::log(zxid));
            // Never an existing file: whatever it holds, it is not ours to overwrite.
            // Without preallocation a file is as long as its records; whole blocks would make it longer.
            let file = LogFile::create(&path, self.force_sync && self.step > 0);
            let file = file.map_err(FileError::new("can't create", &path))?;
            put_header(&mut self.buffer);
            let size = HEADER_SIZE as u64;
            self.file = Some(OpenLog { file, path, position: 0, size, zeroed: 0, new: true, unsynced: true });
        }
        put_record(&mut self.buffer, txn);
        if self.buffer.len() >= WRITE_SIZE { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<(), FileError> {
        let Some(log) = &mut self.file else { return Ok(()) };
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Some(size) = padded_size(log.position, log.size, self.step) {
            log.file.reserve(size).map_err(FileError::new("can't enlarge", &log.path))?;
            log.size = size;
        }
        let failed = FileError::new("can't write", &log.path);
        let end = log.position + self.buffer.len() as u64;
        let zeros_to = log.size.min(end.saturating_add(ZEROS as u64));
        let result = log.file.append(&self.buffer, log.position).and_then(|()| {
            // Only when half of the zeros are used up, so that few writes pay for them.
            let from = log.zeroed.max(end);
            if zeros_to <= from || (from - end) as usize > ZEROS / 2 {
                return Ok(());
            }
            log.zeroed = zeros_to;
            log.file.zero(from, zeros_to, &self.zeros)
        });
        result.map_err(failed)?;
        log.position = end;
        log.unsynced = true;
        self.buffer.clear();
        Ok(())
    }

    /// Makes everything appended durable. How long the disk took for it, if it had to do anything.
    pub fn sync(&mut self) -> Result<Option<Duration>, FileError> {
        self.write_out()?;
        let Some(log) = &mut self.file else { return Ok(None) };
        if !log.unsynced {
            return Ok(None);
        }
        let mut synced = None;
        if self.force_sync {
            let begun = Instant::now();
            log.file.sync().map_err(FileError::new("can't sync", &log.path))?;
            let took = begun.elapsed();
            if took > self.warn_above {
                warn!("syncing {} took {} ms: writes have to wait for the disk", log.path.display(), took.as_millis());
            }
            synced = Some(took);
        }
        if std::mem::take(&mut log.new) {
            files::sync_dir(&self.dir)?;
        }
        log.unsynced = false;
        if self.limit > 0 && log.position > self.limit {
            self.file = None;
        }
        Ok(synced)
    }

    /// Ends the file: the next record begins a new one.
    pub fn roll(&mut self) -> Result<(), FileError> {
        self.sync()?;
        self.file = None;
        Ok(())
    }

    /// Removes every record above `to`, durably. A crash in the middle leaves a longer beginning of the same history.
    /// `is_snapshot` says that there is a snapshot of exactly `to`, so that no record has to be there.
    ///
    /// # Errors
    /// Also if `to` can't be found: what stands in its place has been damaged since it was written, and cutting there
    /// would take back what was acknowledged.
    pub fn truncate(&mut self, to: Zxid, is_snapshot: bool) -> Result<(), FileError> {
        self.roll()?;
        let (mut keep, above): (Vec<_>, Vec<_>) =
            files::logs(&self.dir)?.into_iter().partition(|(first, _)| *first <= to);
        let last = match keep.pop() {
            Some((_, path)) => Some((cut_behind(&path, to, is_snapshot)?, path)),
            None if is_snapshot => None,
            None => return Err(not_there(&self.dir, to, "no log file begins so early")),
        };
        for (_, path) in above.into_iter().rev() {
            info!("cutting the log behind {to}: removes {}", path.display());
            files::remove(&path)?;
            // Before the next older one goes, or a crash could leave a hole.
            files::sync_dir(&self.dir)?;
        }
        last.map_or(Ok(()), |(end, path)| cut(&path, end))
    }

    /// Forgets the file without syncing it: all files are about to be removed.
    pub fn abandon(&mut self) {
        self.file = None;
        self.buffer.clear();
    }
}

/// Where a file ends that is cut behind `to`.
fn cut_behind(path: &Path, to: Zxid, is_snapshot: bool) -> Result<usize, FileError> {
    let mut records = LogScanner::new(read(path, Haste::Alone)?);
    let (mut end, mut reached) = (HEADER_SIZE, is_snapshot);
    for record in &mut records {
        // The first record above is as good a sign as `to` itself that nothing of what stays is missing before it.
        reached |= record.zxid >= to;
        if record.zxid > to {
            break;
        }
        end = record.end;
    }
    match records.end() {
        _ if reached => Ok(end),
        Some(LogEnd::Clean { .. }) | None => Err(not_there(path, to, "its records end before that")),
        Some(fault) => Err(not_there(path, to, &fault.to_string())),
    }
}

fn not_there(path: &Path, to: Zxid, why: &str) -> FileError {
    FileError::new("can't cut the log in", path)(std::io::Error::other(format!("transaction {to} is not there: {why}")))
}

/// A whole log file's bytes.
pub fn read(path: &Path, haste: Haste) -> Result<Bytes, FileError> {
    Ok(files::read(path, haste).map_err(FileError::new("can't read", path))?.into())
}

/// Cuts a file at `end`, durably.
pub fn cut(path: &Path, end: usize) -> Result<(), FileError> {
    let file = OpenOptions::new().write(true).open(path).map_err(FileError::new("can't open", path))?;
    let done = file.set_len(end as u64).and_then(|()| file.sync_all());
    done.map_err(FileError::new("can't cut", path))
}
