//! The data directories: made, locked against a second server, and marked with the id of the server they belong to.

use super::files::{self, FileError};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zebu_core::id::ServerId;

/// Why the data directories can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Made, opened or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has it.
    #[error("{dir}: another server is running on this data directory; stop it, or give this one its own dataDir", dir = .0.display())]
    Locked(PathBuf),
    /// The mark says another id.
    #[error(
        "{mark}: this data directory belongs to server {owner}, but this is server {id}: check dataDir, dataLogDir and \
         myid (if server {id} is meant to take this data over, remove the file {mark})",
        mark = mark.display()
    )]
    OfAnotherServer { mark: PathBuf, owner: String, id: ServerId },
    /// Logs and snapshots in the wrong places.
    #[error("{found}: {what}; check dataDir and dataLogDir", found = found.display())]
    Misplaced { found: PathBuf, what: &'static str },
}

/// The folders of one server, locked as long as this lives.
#[derive(Debug)]
pub struct Dirs {
    /// Where snapshots and epoch files are: `<dataDir>/version-2`.
    pub snapshots: PathBuf,
    /// Where the log is: `<dataLogDir>/version-2`.
    pub logs: PathBuf,
    _locks: Vec<Flock<File>>,
}

/// How long a process that was killed may take to be gone.
const ENDING: Duration = Duration::from_secs(3);

/// Holds the id of the server that uses the folder. Apache's server does not look at it.
const MARK: &str = "zebu.server";

impl Dirs {
    /// Makes the folders where they are missing, locks and marks them.
    ///
    /// # Errors
    /// See [`DirError`].
    pub fn open(data_dir: &Path, data_log_dir: &Path, id: ServerId) -> Result<Dirs, DirError> {
        let snapshots = data_dir.join("version-2");
        let logs = data_log_dir.join("version-2");
        let mut locks = Vec::new();
        let same = data_dir == data_log_dir || {
            make(&snapshots)?;
            make(&logs)?;
            fs::canonicalize(&snapshots).ok() == fs::canonicalize(&logs).ok()
        };
        let folders = if same { vec![&snapshots] } else { vec![&snapshots, &logs] };
        for dir in folders {
            make(dir)?;
            locks.push(lock(dir)?);
            check_mark(dir, id)?;
        }
        if !same {
            if let Some((_, found)) = files::logs(&snapshots)?.pop() {
                return Err(DirError::Misplaced { found, what: "there is a log in the folder for snapshots" });
            }
            if let Some((.., found)) = files::snapshots(&logs)?.pop() {
                return Err(DirError::Misplaced { found, what: "there is a snapshot in the folder for logs" });
            }
        }
        Ok(Dirs { snapshots, logs, _locks: locks })
    }
}

/// Locks a folder; one that is locked may be so by a process that is just ending.
fn lock(dir: &Path) -> Result<Flock<File>, DirError> {
    let mut file = File::open(dir).map_err(FileError::new("can't open", dir))?;
    let begun = Instant::now();
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK)) if begun.elapsed() < ENDING => file,
            Err((_, Errno::EWOULDBLOCK)) => return Err(DirError::Locked(dir.into())),
            Err((_, errno)) => return Err(FileError::new("can't lock", dir)(errno.into()).into()),
        };
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn make(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(FileError::new("can't make the folder", dir))?;
    match dir.parent() {
        Some(parent) => files::sync_dir(parent),
        None => Ok(()),
    }
}

fn check_mark(dir: &Path, id: ServerId) -> Result<(), DirError> {
    let mark = dir.join(MARK);
    match fs::read(&mark) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let owner = text.trim();
            if owner == id.to_string() {
                return Ok(());
            }
            let owner = owner.chars().take(40).collect();
            Err(DirError::OfAnotherServer { mark, owner, id })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Ok(files::write_whole(&mark, format!("{id}\n").as_bytes())?)
        }
        Err(e) => Err(FileError::new("can't read", &mark)(e).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: Result<Dirs, DirError>) -> String {
        result.expect_err("refused").to_string()
    }

    #[test]
    fn locked_while_in_use_and_marked_for_ever() {
        let dir = tempfile::tempdir().expect("a folder");
        let (data, log) = (dir.path().join("data"), dir.path().join("log"));
        let first = Dirs::open(&data, &log, ServerId(1)).expect("free");
        assert!(refusal(Dirs::open(&data, &data, ServerId(1))).contains("another server is running"));
        assert!(
            refusal(Dirs::open(&dir.path().join("other"), &log, ServerId(1))).contains("another server is running")
        );
        drop(first);
        let error = refusal(Dirs::open(&data, &log, ServerId(2)));
        assert!(
            error.contains("belongs to server 1, but this is server 2") && error.contains("zebu.server"),
            "{error}"
        );
        drop(Dirs::open(&data, &log, ServerId(1)).expect("free again"));
        fs::remove_file(data.join("version-2/zebu.server")).expect("removed");
        assert!(refusal(Dirs::open(&data, &log, ServerId(2))).contains("log/version-2/zebu.server"));
    }

    #[test]
    fn the_same_folder_under_two_names_is_one() {
        let dir = tempfile::tempdir().expect("a folder");
        Dirs::open(&dir.path().join("data"), &dir.path().join("data/../data"), ServerId(1)).expect("no second lock");
    }

    #[test]
    fn logs_and_snapshots_in_each_others_place_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let (data, log) = (dir.path().join("data"), dir.path().join("log"));
        drop(Dirs::open(&data, &log, ServerId(1)).expect("free"));
        fs::write(data.join("version-2/log.1"), "").expect("written");
        assert!(refusal(Dirs::open(&data, &log, ServerId(1))).contains("log.1: there is a log"));
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        assert!(refusal(Dirs::open(&file, &file, ServerId(1))).contains("file/version-2"));
    }
}
