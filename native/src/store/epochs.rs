//! The `acceptedEpoch` and `currentEpoch` files: a decimal number each, without a newline.
//!
//! Another number can come of a flipped bit, and a server that takes it for its promise breaks the real one. So what was
//! written is kept a second time with a checksum, in `zebu.epochs`, together with which file it was written to: a file
//! that is still the same one but holds something else has rotted, and is written anew. A file in the place of the one
//! that was written is another program's, Apache's server's say: epochs only grow, so a higher number in it counts, and
//! a lower one is refused.

use super::files::{self, FileError};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tracing::warn;
use zebu_core::disk::epoch_file;
pub use zebu_core::disk::epoch_file::{ACCEPTED, CURRENT};
use zebu_core::id::Epoch;

/// The second copy. Apache's server does not look at it.
pub const RECORD: &str = "zebu.epochs";

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
    /// A number from before.
    #[error("{path}: it holds {found}, but {RECORD} beside it says that it was {known} already, and epochs never fall: the \
             file is from another time or server", path = path.display())]
    Fallen { path: PathBuf, found: Epoch, known: Epoch },
}

/// What stands in one of the two files, rotten or not; `None` if it is not there.
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
pub fn write(dir: &Path, name: &'static str, epoch: Epoch) -> Result<(), FileError> {
    let mut record = Record::read(dir)?;
    // A crash before the record is written leaves a file that is not the one in the record, with a higher number.
    record.put(write_file(dir, name, epoch)?);
    record.write(dir)
}

fn write_file(dir: &Path, name: &'static str, epoch: Epoch) -> Result<Known, FileError> {
    let path = dir.join(name);
    files::write_whole(&path, epoch_file::encode(epoch).as_bytes())?;
    Ok(Known { name, epoch, file: Identity::of(&path)? })
}

/// What the two files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The promise.
    pub accepted: Epoch,
    /// Whose history is held.
    pub current: Epoch,
    /// Files that are not as they were written, with what is to stand in them, and why.
    rotten: Vec<(&'static str, Epoch, String)>,
    /// What another program, or a crash, left otherwise than the record says.
    news: Vec<Known>,
}

impl Epochs {
    /// Writes anew what has rotted, and takes notice of what another program wrote.
    pub fn mend(&self, dir: &Path) -> Result<(), FileError> {
        if self.rotten.is_empty() && self.news.is_empty() {
            return Ok(());
        }
        let mut record = Record::read(dir)?;
        self.news.iter().for_each(|known| record.put(known.clone()));
        for (name, epoch, why) in &self.rotten {
            warn!("{}: {why}; by {RECORD} it was {epoch}: writes that", dir.join(name).display());
            record.put(write_file(dir, name, *epoch)?);
        }
        record.write(dir)
    }
}

/// Both. Missing ones (a standalone server's, say) count as the epoch of the last transaction, as for Apache's server;
/// an accepted epoch is at least the current one then.
pub fn read_both(dir: &Path, of_last_zxid: Epoch) -> Result<Epochs, EpochError> {
    let mut epochs = Epochs { accepted: Epoch(0), current: Epoch(0), rotten: Vec::new(), news: Vec::new() };
    let current = epochs.judge(dir, CURRENT)?.unwrap_or(of_last_zxid);
    let accepted = epochs.judge(dir, ACCEPTED)?.unwrap_or(current.max(of_last_zxid));
    if current > accepted {
        return Err(EpochError::Contradiction { dir: dir.into(), accepted, current });
    }
    Ok(Epochs { accepted, current, ..epochs })
}

/// Both, if both are there and can be believed.
pub fn known(dir: &Path) -> Option<(Epoch, Epoch)> {
    let mut epochs = Epochs { accepted: Epoch(0), current: Epoch(0), rotten: Vec::new(), news: Vec::new() };
    let both = epochs.judge(dir, ACCEPTED).ok()?.zip(epochs.judge(dir, CURRENT).ok()?);
    both.filter(|(accepted, current)| current <= accepted)
}

impl Epochs {
    /// What one file is to hold, by itself and by the record.
    fn judge(&mut self, dir: &Path, name: &'static str) -> Result<Option<Epoch>, EpochError> {
        let path = dir.join(name);
        let found = read(dir, name);
        if let Err(EpochError::File(_)) = &found {
            return found;
        }
        let file = path.exists().then(|| Identity::of(&path)).transpose()?;
        let Some(known) = Record::read(dir)?.get(name) else {
            if let (Ok(Some(epoch)), Some(file)) = (&found, file) {
                self.news.push(Known { name, epoch: *epoch, file });
            }
            return found;
        };
        let same = file.as_ref().is_some_and(|file| file.is(&known.file));
        let why = match (found, file) {
            (Ok(Some(epoch)), Some(file)) if epoch == known.epoch => {
                // A copy of the directory, say: from now on this is the file.
                self.news.extend((file != known.file).then_some(Known { name, epoch, file }));
                return Ok(Some(epoch));
            }
            (Ok(Some(epoch)), _) if same => format!("it holds {epoch}, which nobody has written there"),
            (Err(EpochError::Garbage { content, .. }), _) if same => format!("it holds {content:?}"),
            (Ok(None), _) => "it is gone".into(),
            (Ok(Some(epoch)), Some(file)) if epoch > known.epoch => {
                self.news.push(Known { name, epoch, file });
                return Ok(Some(epoch));
            }
            (Ok(Some(found)), _) => return Err(EpochError::Fallen { path, found, known: known.epoch }),
            (Err(error), _) => return Err(error),
        };
        self.rotten.push((name, known.epoch, why));
        Ok(Some(known.epoch))
    }
}

/// Which file it is, whatever it holds: a file that is written anew beside the old one and renamed is another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    inode: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not know.
    born: u128,
}

impl Identity {
    fn of(path: &Path) -> Result<Identity, FileError> {
        let metadata = fs::metadata(path).map_err(FileError::new("can't look at", path))?;
        let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Ok(Identity { inode: metadata.ino(), born: born.map_or(0, |since| since.as_nanos()) })
    }

    /// Whether it is certainly the same: inodes are used again.
    fn is(&self, other: &Identity) -> bool {
        self == other && self.born != 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    name: &'static str,
    epoch: Epoch,
    file: Identity,
}

/// The second copy.
#[derive(Debug, Default)]
struct Record(Vec<Known>);

impl Record {
    /// One that is missing, or damaged itself, knows nothing: the files are as good as on Apache's disk then.
    fn read(dir: &Path) -> Result<Record, FileError> {
        let path = dir.join(RECORD);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => return Err(FileError::new("can't read", &path)(error)),
        };
        Ok(Record::parse(&bytes).unwrap_or_else(|| {
            warn!("{}: its checksum is wrong; goes by the epoch files alone", path.display());
            Record::default()
        }))
    }

    fn parse(bytes: &[u8]) -> Option<Record> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let (lines, sum) = text.rsplit_once("\ncrc32 ")?;
        if sum != crc32(lines) {
            return None;
        }
        let known = |line: &str| {
            let mut words = line.split(' ');
            let first = words.next()?;
            let name = [ACCEPTED, CURRENT].into_iter().find(|name| *name == first)?;
            let epoch = Epoch(words.next()?.parse().ok()?);
            let file = Identity { inode: words.next()?.parse().ok()?, born: words.next()?.parse().ok()? };
            Some(Known { name, epoch, file })
        };
        lines.lines().map(known).collect::<Option<_>>().map(Record)
    }

    fn get(&self, name: &str) -> Option<Known> {
        self.0.iter().find(|known| known.name == name).cloned()
    }

    fn put(&mut self, known: Known) {
        self.0.retain(|other| other.name != known.name);
        self.0.push(known);
    }

    fn write(&self, dir: &Path) -> Result<(), FileError> {
        let mut lines = String::new();
        for Known { name, epoch, file } in &self.0 {
            let gap = if lines.is_empty() { "" } else { "\n" };
            // Writing to a string can't fail.
            let _ = write!(lines, "{gap}{name} {} {} {}", epoch.0, file.inode, file.born);
        }
        let sum = crc32(&lines);
        files::write_whole(&dir.join(RECORD), format!("{lines}\ncrc32 {sum}\n").as_bytes())
    }
}

fn crc32(text: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    fn both(dir: &Path) -> Result<(Epoch, Epoch), String> {
        let epochs = read_both(dir, Epoch(3)).map_err(|e| e.to_string())?;
        epochs.mend(dir).expect("written");
        Ok((epochs.accepted, epochs.current))
    }

    /// Puts other bytes into a file that stays the same one, as rot does.
    fn rot(path: &Path, bytes: &[u8]) {
        let file = fs::OpenOptions::new().write(true).open(path).expect("there");
        file.set_len(bytes.len() as u64).and_then(|()| file.write_all_at(bytes, 0)).expect("written");
    }

    #[test]
    fn written_as_apache_does_and_read_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        assert_eq!(both(dir), Ok((Epoch(3), Epoch(3))), "none is fine");
        write(dir, CURRENT, Epoch(4)).expect("written");
        assert_eq!(fs::read(dir.join("currentEpoch")).expect("read"), b"4");
        assert_eq!(both(dir), Ok((Epoch(4), Epoch(4))));
        write(dir, ACCEPTED, Epoch(5)).expect("written");
        assert_eq!(both(dir), Ok((Epoch(5), Epoch(4))));
        write(dir, ACCEPTED, Epoch(3)).expect("written");
        assert!(both(dir).expect_err("contradiction").contains("currentEpoch 4 is above acceptedEpoch 3"));
        assert_eq!(known(dir), None);
    }

    #[test]
    fn garbage_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        for content in [&b""[..], b"x", b"-1", b"1 2", b"99999999999", b"\xff"] {
            fs::write(dir.path().join(ACCEPTED), content).expect("written");
            let error = both(dir.path()).expect_err("garbage");
            assert!(error.contains("acceptedEpoch"), "{error}");
        }
        fs::write(dir.path().join(ACCEPTED), "7\n").expect("written");
        assert_eq!(read(dir.path(), ACCEPTED).expect("a newline is fine"), Some(Epoch(7)));
    }

    #[test]
    fn whatever_becomes_of_a_byte_the_epochs_are_the_right_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        write(dir, CURRENT, Epoch(11)).expect("written");
        write(dir, ACCEPTED, Epoch(12)).expect("written");
        let right = Ok((Epoch(12), Epoch(11)));
        if Identity::of(&dir.join(CURRENT)).expect("there").born == 0 {
            eprintln!("not tested: this file system does not know when a file was made");
            return;
        }
        for name in [ACCEPTED, CURRENT, RECORD] {
            let path = dir.join(name);
            let good = fs::read(&path).expect("read");
            let cuts = (0..good.len()).map(|length| good[..length].to_vec());
            let flips = (0..good.len()).flat_map(|at| {
                let good = &good;
                (1..=255u8).step_by(if name == RECORD { 16 } else { 1 }).map(move |by| {
                    let mut bad = good.clone();
                    bad[at] ^= by;
                    bad
                })
            });
            for bad in cuts.chain(flips) {
                rot(&path, &bad);
                assert_eq!(known(dir), Some((Epoch(12), Epoch(11))), "{name}: {bad:?}");
                assert_eq!(both(dir), right, "{name}: {bad:?}");
                let now = fs::read(&path).expect("read");
                if name == RECORD {
                    assert!(Record::parse(&now).is_some_and(|record| record.0.len() == 2), "{bad:?}");
                } else if bad.trim_ascii() != good {
                    assert_eq!(now, good, "mended");
                }
            }
            fs::remove_file(&path).expect("removed");
            assert_eq!(both(dir), right, "{name} is gone");
        }
    }

    #[test]
    fn another_programs_epochs_count_when_they_are_higher() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        write(dir, ACCEPTED, Epoch(5)).expect("written");
        write(dir, CURRENT, Epoch(5)).expect("written");
        // As Apache's server does it.
        files::write_whole(&dir.join(ACCEPTED), b"7").expect("written");
        files::write_whole(&dir.join(CURRENT), b"6").expect("written");
        assert_eq!(both(dir), Ok((Epoch(7), Epoch(6))));
        // And from then on these are the ones that are kept.
        files::write_whole(&dir.join(ACCEPTED), b"6").expect("written");
        let error = both(dir).expect_err("from before");
        assert!(error.contains("acceptedEpoch: it holds 6, but zebu.epochs beside it says that it was 7"), "{error}");
        files::write_whole(&dir.join(ACCEPTED), b"7").expect("written");
        files::write_whole(&dir.join(CURRENT), b"x").expect("written");
        assert!(both(dir).expect_err("garbage").contains("currentEpoch"));
    }
}
