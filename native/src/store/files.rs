//! The few things done with files that a crash must not halve.

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use zebu_core::disk::names::{Compression, DataFile, parse};
use zebu_core::id::Zxid;

/// What could not be done with which file. Always fatal: after a failed write or sync the state of the disk is not
/// known, and a later sync may succeed although data is lost.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {error}", path = path.display())]
pub struct FileError {
    what: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl FileError {
    /// For use with `map_err`.
    pub fn new(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
        let path = path.to_path_buf();
        move |error| FileError { what, path, error }
    }

    /// What an operator is to do.
    pub fn advice(&self) -> &'static str {
        match self.is_full() {
            true => "free some space, then start this server again",
            false => "look after the disk, then start this server again: it will go on from what is durable",
        }
    }

    /// Whether the disk (or the user's share of it) is full.
    pub fn is_full(&self) -> bool {
        matches!(self.error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// So much is asked of a disk at once, where a log's writes may have to wait until it is there.
pub const AT_ONCE: usize = 256 << 10;

/// Who else waits for the disk while a file is read from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Nobody.
    Alone,
    /// A server's log. The system may not read ahead then: it would ask the disk for many megabytes at once, and the
    /// log's next write would have to wait for all of them. On one disk three servers that read 256 MiB each let 175 ms
    /// pass for a write, and so 5 ms.
    BesideALog,
}

/// Opens a file to be read from its beginning to its end.
///
/// # Errors
/// It can't be opened.
pub fn open(path: &Path, haste: Haste) -> io::Result<BufReader<File>> {
    let file = File::open(path)?;
    if haste == Haste::BesideALog {
        // Only advice: a file system that does not take it reads as it likes.
        let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_RANDOM);
    }
    Ok(BufReader::with_capacity(AT_ONCE, file))
}

/// A whole file's bytes.
///
/// # Errors
/// It can't be read.
pub fn read(path: &Path, haste: Haste) -> io::Result<Vec<u8>> {
    let mut file = open(path, haste)?.into_inner();
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let mut done = 0;
    while let Some(piece) = bytes.get_mut(done..length.min(done + AT_ONCE)).filter(|piece| !piece.is_empty()) {
        match file.read(piece) {
            // Shorter than it was.
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(done);
    // A pipe says of itself that it is empty: only the end tells.
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes the names in a folder durable: new, renamed and removed ones.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(FileError::new("can't sync the folder", dir))
}

/// Removes a file; one that is not there is fine.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::new("can't remove", path)(e)),
        _ => Ok(()),
    }
}

/// Renames within one folder and makes that durable.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::new("can't rename", from))?;
    sync_dir(to.parent().unwrap_or(Path::new(".")))
}

/// Makes `path` hold `bytes`, after a crash either entirely or not at all: written beside it, synced, renamed.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut writer = WholeFile::begin(path)?;
    writer.write(bytes)?;
    writer.commit()
}

/// The name of a file until it is complete.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// A file that appears under its name only when it is complete and durable.
#[derive(Debug)]
pub struct WholeFile {
    file: File,
    path: PathBuf,
    beside: PathBuf,
}

impl WholeFile {
    /// Starts `<path>.tmp`; a leftover of an earlier try is overwritten.
    pub fn begin(path: &Path) -> Result<WholeFile, FileError> {
        let beside = beside(path);
        let file = File::create(&beside).map_err(FileError::new("can't create", &beside))?;
        Ok(WholeFile { file, path: path.into(), beside })
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(FileError::new("can't write", &self.beside))
    }

    /// Syncs and renames: from here on the file is there.
    pub fn commit(self) -> Result<(), FileError> {
        self.file.sync_all().map_err(FileError::new("can't sync", &self.beside))?;
        rename(&self.beside, &self.path)
    }
}

/// The logs and snapshots of a folder: logs first, each kind ascending. Files with other names are not looked at.
pub fn data_files(dir: &Path) -> Result<Vec<(DataFile, PathBuf)>, FileError> {
    let all = listing(dir)?.into_iter();
    let mut found: Vec<_> = all.filter_map(|(name, path)| Some((parse(&name)?, path))).collect();
    found.sort();
    Ok(found)
}

/// What is in a folder, by name. Names that are no text are none of ours.
pub fn listing(dir: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(FileError::new("can't list", dir))? {
        let entry = entry.map_err(FileError::new("can't list", dir))?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// The logs of a folder by the first transaction in each, ascending.
pub fn logs(dir: &Path) -> Result<Vec<(Zxid, PathBuf)>, FileError> {
    let log = |(file, path)| match file {
        DataFile::Log(zxid) => Some((zxid, path)),
        DataFile::Snapshot(..) => None,
    };
    Ok(data_files(dir)?.into_iter().filter_map(log).collect())
}

/// The snapshots of a folder by the last transaction in each, ascending.
pub fn snapshots(dir: &Path) -> Result<Vec<(Zxid, Compression, PathBuf)>, FileError> {
    let snapshot = |(file, path)| match file {
        DataFile::Snapshot(zxid, compression) => Some((zxid, compression, path)),
        DataFile::Log(_) => None,
    };
    Ok(data_files(dir)?.into_iter().filter_map(snapshot).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_by_number() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["log.10", "log.9", "log.100000001", "log.x", "log", "snapshot.1", "snapshot.2.gz", "log.1.tmp"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        let found: Vec<i64> = logs(dir.path()).expect("listed").into_iter().map(|(z, _)| z.0).collect();
        assert_eq!(found, [9, 0x10, 0x1_0000_0001]);
        let found: Vec<i64> = snapshots(dir.path()).expect("listed").into_iter().map(|(z, ..)| z.0).collect();
        assert_eq!(found, [1, 2]);
    }

    #[test]
    fn a_file_appears_whole_and_replaces_the_old_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("currentEpoch");
        write_whole(&path, b"1").expect("written");
        let mut half = WholeFile::begin(&path).expect("begun");
        half.write(b"2").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"1", "not there before it is complete");
        half.commit().expect("renamed");
        assert_eq!(fs::read(&path).expect("read"), b"2");
        let error = write_whole(Path::new("/no/such/folder/x"), b"").expect_err("no folder").to_string();
        assert!(error.contains("/no/such/folder/x.tmp"), "{error}");
    }
}
