//! The file `zebu.server` in each folder of a server. It says whose the folder is, and where logs have a folder of their
//! own, which two belong together: both then hold the same word. A log folder that is not mounted, or not the one that
//! is configured, is found out by that. It would otherwise look like a history that ends with the snapshot.
//!
//! Apache's server does not look at it.

use super::dir::DirError;
use super::epochs;
use super::files::{self, FileError, WholeFile};
use crate::entropy;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use zebu_core::id::{Epoch, ServerId, Zxid};

/// The file's name.
pub const NAME: &str = "zebu.server";

/// As it is called until both folders of a first start have it.
const BEGUN: &str = "zebu.server.tmp";

/// Two folders that have not been used together, so that one of them is another's or has lost everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    folder: PathBuf,
    beside: PathBuf,
    why: &'static str,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folder, beside) = (self.folder.display(), self.beside.display());
        write!(
            f,
            "{folder}: {}, so transactions that were acknowledged may be missing: check that it is mounted, and that \
             dataDir and dataLogDir are as they were (compared with {beside}/{NAME})",
            self.why
        )
    }
}

/// What one folder's mark says.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    /// The word that both folders of a pair hold.
    pair: Option<String>,
}

/// The mark of a folder, which has to be `id`'s.
fn read(dir: &Path, id: ServerId) -> Result<Option<Mark>, DirError> {
    let mark = dir.join(NAME);
    let bytes = match fs::read(&mark) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FileError::new("can't read", &mark)(e).into()),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().map(str::trim);
    let owner = lines.next().unwrap_or_default();
    if owner != id.to_string() {
        let owner = owner.chars().take(40).collect();
        return Err(DirError::OfAnotherServer { mark, owner, id });
    }
    Ok(Some(Mark { pair: lines.next().filter(|word| !word.is_empty()).map(String::from) }))
}

/// Whether a folder of snapshots is one that a server with a history has left.
fn has_history(dir: &Path) -> Result<bool, FileError> {
    let newest = files::snapshots(dir)?.pop();
    let current = epochs::read(dir, epochs::CURRENT);
    Ok(newest.is_some_and(|(zxid, ..)| zxid > Zxid::ZERO) || !matches!(current, Ok(None | Some(Epoch(0)))))
}

fn has_files(dir: &Path) -> Result<bool, FileError> {
    let epochs = [epochs::ACCEPTED, epochs::CURRENT].iter().any(|name| dir.join(name).exists());
    Ok(epochs || !files::data_files(dir)?.is_empty())
}

/// Checks the marks of the only folder of a server, and makes it where there is none.
pub fn check_one(dir: &Path, id: ServerId) -> Result<Option<Parted>, DirError> {
    match read(dir, id)? {
        Some(Mark { pair: None }) => Ok(None),
        // Once the log has been moved here, this folder is enough.
        Some(Mark { pair: Some(_) }) if files::logs(dir)?.is_empty() => {
            let why = "the log of this server was in a folder of its own, and none of it is here";
            Ok(Some(Parted { folder: dir.into(), beside: dir.into(), why }))
        }
        Some(Mark { pair: Some(_) }) | None => {
            write_one(dir, id)?;
            Ok(None)
        }
    }
}

/// Checks the marks of a folder for snapshots and one for logs, and makes them where that can be right.
pub fn check_two(snapshots: &Path, logs: &Path, id: ServerId) -> Result<Option<Parted>, DirError> {
    let parted =
        |folder: &Path, beside: &Path, why| Ok(Some(Parted { folder: folder.into(), beside: beside.into(), why }));
    let unmarked =
        |folder: &Path, beside: &Path| Err(DirError::Unmarked { folder: folder.into(), mark: beside.join(NAME) });
    match (read(snapshots, id)?, read(logs, id)?) {
        (Some(Mark { pair: Some(one) }), Some(Mark { pair: Some(other) })) if one == other => return Ok(None),
        (Some(Mark { pair: None }), Some(Mark { pair: None })) | (None, None) => {}
        // So far the log was in the same folder. It has been moved, or there has never been one.
        (Some(Mark { pair: None }), _) => {
            if files::logs(logs)?.is_empty() && has_history(snapshots)? {
                return parted(logs, snapshots, "there is no log here, but this server has a history");
            }
        }
        (Some(Mark { pair: Some(_) }), Some(_)) => {
            return parted(logs, snapshots, "this is not the folder for logs that the one for snapshots was used with");
        }
        (Some(Mark { pair: Some(_) }), None) if files::logs(logs)?.is_empty() => {
            return parted(logs, snapshots, "this folder for logs is empty, but this server has used one already");
        }
        (Some(Mark { pair: Some(_) }), None) => return unmarked(logs, snapshots),
        // A first start that was interrupted.
        (None, Some(_)) if snapshots.join(BEGUN).exists() => {}
        (None, Some(_)) if has_files(snapshots)? => return unmarked(snapshots, logs),
        (None, Some(_)) => {
            return parted(snapshots, logs, "this folder for snapshots is empty, but this server has used one already");
        }
    }
    write_two(snapshots, logs, id)?;
    Ok(None)
}

/// Marks a folder as the only one.
pub fn write_one(dir: &Path, id: ServerId) -> Result<(), FileError> {
    files::write_whole(&dir.join(NAME), format!("{id}\n").as_bytes())
}

/// Marks two folders as ones that belong together from now on.
pub fn write_two(snapshots: &Path, logs: &Path, id: ServerId) -> Result<(), FileError> {
    let text = format!("{id}\n{:016x}\n", entropy::seed());
    let mut begun = WholeFile::begin(&snapshots.join(NAME))?;
    begun.write(text.as_bytes())?;
    // A crash between the two marks is told from a loss by what was begun here.
    files::sync_dir(snapshots)?;
    files::write_whole(&logs.join(NAME), text.as_bytes())?;
    begun.commit()
}

#[cfg(test)]
mod tests {
    use super::super::dir::Dirs;
    use super::*;

    struct Two {
        folder: tempfile::TempDir,
    }

    impl Two {
        /// Two folders that have been used, with a snapshot of 1:1 and a log that begins there.
        fn used() -> Two {
            let two = Two { folder: tempfile::tempdir().expect("a folder") };
            assert_eq!(two.open().expect("fresh"), None);
            two.put("data/version-2/snapshot.100000001");
            two.put("data/version-2/currentEpoch");
            two.put("log/version-2/log.100000001");
            two
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn put(&self, name: &str) {
            fs::write(self.path(name), "1").expect("written");
        }

        fn remove(&self, name: &str) {
            fs::remove_file(self.path(name)).expect("removed");
        }

        fn open(&self) -> Result<Option<String>, String> {
            let dirs = Dirs::open(&self.path("data"), &self.path("log"), ServerId(1)).map_err(|e| e.to_string())?;
            Ok(dirs.parted.clone().map(|parted| parted.to_string()))
        }

        fn open_one(&self) -> Option<String> {
            let dirs = Dirs::open(&self.path("data"), &self.path("data"), ServerId(1)).expect("open");
            dirs.parted.clone().map(|parted| parted.to_string())
        }

        fn empty_log(&self) {
            fs::rename(self.path("log"), self.path("away")).expect("renamed");
        }
    }

    #[test]
    fn a_log_folder_that_is_not_mounted_is_seen_again_and_again() {
        let two = Two::used();
        assert_eq!(two.open(), Ok(None));
        two.empty_log();
        for _ in 0..2 {
            let why = two.open().expect("not refused here").expect("parted");
            assert!(why.contains("log/version-2: this folder for logs is empty") && why.contains("mounted"), "{why}");
        }
        assert!(!two.path("log/version-2/zebu.server").exists(), "nothing is decided yet");
        fs::remove_dir_all(two.path("log")).and_then(|()| fs::rename(two.path("away"), two.path("log"))).expect("back");
        assert_eq!(two.open(), Ok(None), "mounted again");
    }

    #[test]
    fn a_folder_that_comes_back_later_is_another_one() {
        let two = Two::used();
        two.empty_log();
        let dirs = Dirs::open(&two.path("data"), &two.path("log"), ServerId(1)).expect("open");
        assert!(dirs.parted.is_some());
        dirs.mark_anew().expect("marked");
        drop(dirs);
        assert_eq!(two.open(), Ok(None));
        fs::remove_dir_all(two.path("log")).and_then(|()| fs::rename(two.path("away"), two.path("log"))).expect("back");
        let why = two.open().expect("not refused here").expect("parted");
        assert!(why.contains("not the folder for logs that"), "{why}");
    }

    #[test]
    fn files_without_a_mark_beside_a_marked_folder_are_refused_until_somebody_says_whose_they_are() {
        for (with, without) in [("data", "log"), ("log", "data")] {
            let two = Two::used();
            two.remove(&format!("{without}/version-2/zebu.server"));
            let why = two.open().expect_err("refused");
            assert!(why.contains(&format!("{without}/version-2: ")) && why.contains("copy"), "{why}");
            let mark = |of: &str| two.path(&format!("{of}/version-2/zebu.server"));
            fs::copy(mark(with), mark(without)).expect("copied");
            assert_eq!(two.open(), Ok(None));
        }
    }

    #[test]
    fn a_data_folder_that_is_lost_is_seen_and_a_first_start_that_was_interrupted_is_gone_on_with() {
        let two = Two::used();
        fs::remove_dir_all(two.path("data")).expect("removed");
        let why = two.open().expect("not refused here").expect("parted");
        assert!(why.contains("data/version-2: this folder for snapshots is empty"), "{why}");

        // Apache's folders, and a crash between the two marks.
        let two = Two::used();
        two.remove("data/version-2/zebu.server");
        two.put("data/version-2/zebu.server.tmp");
        assert_eq!(two.open(), Ok(None));
        two.remove("data/version-2/zebu.server");
        two.remove("log/version-2/zebu.server");
        assert_eq!(two.open(), Ok(None), "without any mark they are taken over");
    }

    #[test]
    fn a_log_may_move_to_a_folder_of_its_own_and_back_but_not_be_left_behind() {
        let two = Two { folder: tempfile::tempdir().expect("a folder") };
        assert_eq!(two.open_one(), None);
        two.put("data/version-2/snapshot.0");
        assert_eq!(two.open(), Ok(None), "nothing has been written yet");
        fs::remove_dir_all(two.path("log")).expect("removed");
        fs::write(two.path("data/version-2/zebu.server"), "1\n").expect("written");

        two.put("data/version-2/snapshot.100000001");
        assert!(two.open().expect("not refused here").expect("parted").contains("there is no log here"));
        two.put("log/version-2/log.100000001");
        assert_eq!(two.open(), Ok(None), "moved");
        assert!(two.open_one().expect("parted").contains("none of it is here"));
        fs::rename(two.path("log/version-2/log.100000001"), two.path("data/version-2/log.100000001")).expect("moved");
        assert_eq!(two.open_one(), None, "moved back");
        assert_eq!(fs::read_to_string(two.path("data/version-2/zebu.server")).expect("read"), "1\n");
    }
}
