//! The file that a log is written to: in whole blocks and past the page cache, where the file system lets us. What is
//! synced at once gains nothing by a copy in the cache, and each page of it would have to be found first. Snapshots are
//! written like that too: a hundred megabytes in the cache would have to be on disk before the log's next sync is done.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Memory, places and lengths are multiples of this when the cache is passed by; no disk in use has larger blocks.
const BLOCK: usize = 4096;

/// The room in which blocks are put together.
const ROOM: usize = 256 << 10;

/// See the module. Writes only behind what it has written.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    direct: Option<Direct>,
}

#[derive(Debug)]
struct Direct {
    file: File,
    room: Vec<u8>,
    /// Where in `room` its first whole block begins.
    start: usize,
    /// So many bytes of the last block are written already; they begin the room.
    tail: usize,
}

impl Direct {
    fn open(path: &Path) -> Option<Direct> {
        // Not every file system can; then the page cache will do.
        let file = OpenOptions::new().write(true).custom_flags(OFlag::O_DIRECT.bits()).open(path).ok()?;
        let room = vec![0; ROOM + BLOCK];
        let start = room.as_ptr().align_offset(BLOCK);
        (start <= BLOCK).then_some(Direct { file, room, start, tail: 0 })
    }

    /// Writes `bytes` at `position`, where it left off, and zeros behind them to the end of the block.
    fn append(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        let (mut left, mut block_at) = (bytes, position - self.tail as u64);
        while !left.is_empty() {
            let Some(room) = self.room.get_mut(self.start..self.start + ROOM) else { return Ok(()) };
            let (part, rest) = left.split_at(left.len().min(ROOM - self.tail));
            let end = self.tail + part.len();
            let whole = end.next_multiple_of(BLOCK);
            if let Some(to) = room.get_mut(self.tail..end) {
                to.copy_from_slice(part);
            }
            if let Some(behind) = room.get_mut(end..whole) {
                behind.fill(0);
            }
            self.file.write_all_at(room.get(..whole).unwrap_or_default(), block_at)?;
            self.tail = end % BLOCK;
            let full = end - self.tail;
            room.copy_within(full..end, 0);
            block_at += full as u64;
            left = rest;
        }
        Ok(())
    }

    /// Writes zeros from a block's beginning to another's.
    fn zero(&mut self, from: u64, to: u64) -> io::Result<()> {
        let keep = self.tail;
        let Some(room) = self.room.get_mut(self.start..self.start + ROOM) else { return Ok(()) };
        let Some((head, zeros)) = room.split_at_mut_checked(BLOCK) else { return Ok(()) };
        debug_assert!(keep < head.len());
        zeros.fill(0);
        let mut at = from;
        while at < to {
            let count = usize::try_from(to - at).unwrap_or(usize::MAX).min(zeros.len());
            self.file.write_all_at(zeros.get(..count).unwrap_or_default(), at)?;
            at += count as u64;
        }
        Ok(())
    }
}

impl LogFile {
    /// A new file; one that is there is never touched. `past_cache` says whether every write is going to be synced.
    ///
    /// # Errors
    /// It can't be made.
    pub fn create(path: &Path, past_cache: bool) -> io::Result<LogFile> {
        // Read as well: where a file system can't reserve space, the C library reads each block to do it in its way.
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(LogFile { file, direct: if past_cache { Direct::open(path) } else { None } })
    }

    /// Appends at `position`, where the last one ended.
    ///
    /// # Errors
    /// It can't be written.
    pub fn append(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        if let Some(direct) = &mut self.direct {
            match direct.append(bytes, position) {
                // The file system says only now that it can't, or wants larger blocks.
                Err(error) if Errno::from_raw(error.raw_os_error().unwrap_or(0)) == Errno::EINVAL => self.direct = None,
                result => return result,
            }
        }
        self.file.write_all_at(bytes, position)
    }

    /// Writes zeros over what lies between, so that later writes find space that is in use already. As many as there
    /// are whole blocks of, if blocks are written.
    ///
    /// # Errors
    /// They can't be written.
    pub fn zero(&mut self, from: u64, to: u64, zeros: &[u8]) -> io::Result<()> {
        match &mut self.direct {
            Some(direct) => {
                let block = BLOCK as u64;
                direct.zero(from.next_multiple_of(block), to - to % block)
            }
            None => {
                let count = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
                self.file.write_all_at(zeros.get(..count).unwrap_or(zeros), from)
            }
        }
    }

    /// Makes everything durable that was written.
    ///
    /// # Errors
    /// The disk does not say that it is.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Ends the file at `length`, with everything durable.
    ///
    /// # Errors
    /// The disk does not say that it is.
    pub fn end(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    /// Gives the file its size, with the space for it where the file system can promise that.
    ///
    /// # Errors
    /// There is no such space.
    pub fn reserve(&self, size: u64) -> io::Result<()> {
        let length = i64::try_from(size).map_err(|_| io::Error::from(Errno::EFBIG))?;
        match nix::fcntl::posix_fallocate(&self.file, 0, length) {
            Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS) => self.file.set_len(size),
            result => result.map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the C library does it for a file system that can't.
    #[test]
    fn space_can_be_reserved_by_reading() {
        let dir = tempfile::tempdir().expect("a folder");
        for past_cache in [false, true] {
            let mut file = LogFile::create(&dir.path().join(format!("log.{past_cache}")), past_cache).expect("made");
            file.append(b"x", 0).expect("written");
            assert_eq!(file.file.read_at(&mut [0], 0).expect("read"), 1);
        }
    }

    /// Whatever the pieces, the file has their bytes one behind the other, and zeros behind.
    #[test]
    fn pieces_of_any_size_follow_one_another() {
        let dir = tempfile::tempdir().expect("a folder");
        let sizes = [16, 1, BLOCK - 17, BLOCK, 5, 3 * BLOCK - 5, ROOM, 1, ROOM + 7, 2 * ROOM + BLOCK, 100, BLOCK - 1];
        for past_cache in [false, true] {
            let path = dir.path().join(format!("log.{past_cache}"));
            let mut file = LogFile::create(&path, past_cache).expect("made");
            assert!(LogFile::create(&path, past_cache).is_err(), "it is there");
            file.reserve((4 * ROOM + 8 * BLOCK) as u64 + 16).expect("room");
            let (mut expected, mut zeroed) = (Vec::new(), 0);
            for (n, size) in (1u8..).zip(sizes) {
                let piece: Vec<u8> = (0..size).map(|i| (i % 251) as u8 ^ n).collect();
                file.append(&piece, expected.len() as u64).expect("written");
                expected.extend_from_slice(&piece);
                let from = zeroed.max(expected.len() as u64);
                zeroed = from + 3 * BLOCK as u64 + 5;
                file.zero(from, zeroed, &vec![0; 4 * BLOCK]).expect("written");
                file.sync().expect("synced");
                let bytes = std::fs::read(&path).expect("read");
                assert!(bytes.starts_with(&expected), "piece {n} of {size} bytes");
                assert!(bytes[expected.len()..].iter().all(|byte| *byte == 0), "piece {n} of {size} bytes");
            }
        }
    }
}
