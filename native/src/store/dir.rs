//! The data directories: made, locked against a second server, and marked with the id of the server they belong to.

use super::files::{self, FileError};
use super::marks::{self, Parted};
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
    /// Files of nobody knows whom beside a folder of this server.
    #[error(
        "{folder}: there are files of a server here, but not the mark that {mark} is, so nothing tells whether the two \
         folders belong together: check dataDir and dataLogDir, and that both are mounted; if they do belong together, \
         copy {mark} into {folder}",
        folder = folder.display(), mark = mark.display()
    )]
    Unmarked { folder: PathBuf, mark: PathBuf },
}

/// The folders of one server, locked as long as this lives.
#[derive(Debug)]
pub struct Dirs {
    /// Where snapshots and epoch files are: `<dataDir>/version-2`.
    pub snapshots: PathBuf,
    /// Where the log is: `<dataLogDir>/version-2`.
    pub logs: PathBuf,
    /// Why nobody can rely on both of them being there.
    pub parted: Option<Parted>,
    id: ServerId,
    locks: Vec<Flock<File>>,
}

/// How long a process that was killed may take to be gone.
const ENDING: Duration = Duration::from_secs(3);

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
        }
        if !same {
            if let Some((_, found)) = files::logs(&snapshots)?.pop() {
                return Err(DirError::Misplaced { found, what: "there is a log in the folder for snapshots" });
            }
            if let Some((.., found)) = files::snapshots(&logs)?.pop() {
                return Err(DirError::Misplaced { found, what: "there is a snapshot in the folder for logs" });
            }
        }
        let parted = if same { marks::check_one(&snapshots, id)? } else { marks::check_two(&snapshots, &logs, id)? };
        Ok(Dirs { snapshots, logs, parted, id, locks })
    }

    /// Takes the folders as ones that belong together from now on.
    ///
    /// # Errors
    /// They can't be marked.
    pub fn mark_anew(&self) -> Result<(), FileError> {
        match self.locks.len() {
            1 => marks::write_one(&self.snapshots, self.id),
            _ => marks::write_two(&self.snapshots, &self.logs, self.id),
        }
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

/// Makes a folder and what is missing above it, so that each of them is there after a crash.
fn make(dir: &Path) -> Result<(), FileError> {
    let missing = dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).count();
    fs::create_dir_all(dir).map_err(FileError::new("can't make the folder", dir))?;
    for made in dir.ancestors().take(missing.max(1)) {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        files::sync_dir(above.unwrap_or(Path::new(".")))?;
    }
    Ok(())
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
