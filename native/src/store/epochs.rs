//! The `acceptedEpoch` and `currentEpoch` files: a decimal number each, without a newline.

use super::files::{self, FileError};
use std::fs;
use std::path::{Path, PathBuf};
use zebu_core::disk::epoch_file;
pub use zebu_core::disk::epoch_file::{ACCEPTED, CURRENT};
use zebu_core::id::Epoch;

/// Why the epoch files can't be believed.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// Reading.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a number.
    #[error("{path}: it holds {content:?} instead of an epoch's number; without it this server could break a promise. \
             Move its data directory away: it then gets everything from the leader anew", path = path.display())]
    Garbage { path: PathBuf, content: String },
    /// The two contradict each other.
    #[error("{dir}: currentEpoch {current} is above acceptedEpoch {accepted}, which can't be: one of the two files is \
             from another time or server", dir = dir.display())]
    Contradiction { dir: PathBuf, accepted: Epoch, current: Epoch },
}

/// Reads one of the two files; `None` if it is not there.
pub fn read(dir: &Path, name: &str) -> Result<Option<Epoch>, EpochError> {
    let path = dir.join(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FileError::new("can't read", &path)(e).into()),
    };
    // An epoch has 32 bits on the wire and in a zxid.
    match epoch_file::parse(&bytes).ok().filter(|e| e.0 <= i64::from(i32::MAX)) {
        Some(epoch) => Ok(Some(epoch)),
        None => Err(EpochError::Garbage { path, content: String::from_utf8_lossy(&bytes).chars().take(40).collect() }),
    }
}

/// Makes one of the two files hold `epoch`, durably.
pub fn write(dir: &Path, name: &str, epoch: Epoch) -> Result<(), FileError> {
    files::write_whole(&dir.join(name), epoch_file::encode(epoch).as_bytes())
}

/// Both, accepted first. Missing ones (a standalone server's, say) count as the epoch of the last transaction, as for
/// Apache's server; an accepted epoch is at least the current one then.
pub fn read_both(dir: &Path, of_last_zxid: Epoch) -> Result<(Epoch, Epoch), EpochError> {
    let current = read(dir, CURRENT)?.unwrap_or(of_last_zxid);
    let accepted = read(dir, ACCEPTED)?.unwrap_or(current.max(of_last_zxid));
    if current > accepted {
        return Err(EpochError::Contradiction { dir: dir.into(), accepted, current });
    }
    Ok((accepted, current))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_apache_does_and_read_back() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(read_both(dir.path(), Epoch(3)).expect("none is fine"), (Epoch(3), Epoch(3)));
        write(dir.path(), CURRENT, Epoch(4)).expect("written");
        assert_eq!(fs::read(dir.path().join("currentEpoch")).expect("read"), b"4");
        assert_eq!(read_both(dir.path(), Epoch(3)).expect("read"), (Epoch(4), Epoch(4)));
        write(dir.path(), ACCEPTED, Epoch(5)).expect("written");
        assert_eq!(read_both(dir.path(), Epoch(3)).expect("read"), (Epoch(5), Epoch(4)));
        write(dir.path(), ACCEPTED, Epoch(3)).expect("written");
        let error = read_both(dir.path(), Epoch(3)).expect_err("contradiction").to_string();
        assert!(error.contains("currentEpoch 4 is above acceptedEpoch 3"), "{error}");
    }

    #[test]
    fn garbage_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        for content in [&b""[..], b"x", b"-1", b"1 2", b"99999999999", b"\xff"] {
            fs::write(dir.path().join(ACCEPTED), content).expect("written");
            let error = read_both(dir.path(), Epoch(0)).expect_err("garbage").to_string();
            assert!(error.contains("acceptedEpoch"), "{error}");
        }
        fs::write(dir.path().join(ACCEPTED), "7\n").expect("written");
        assert_eq!(read(dir.path(), ACCEPTED).expect("a newline is fine"), Some(Epoch(7)));
    }
}
