//! Transaction log files: a header, then records (checksum, length, entry, end mark), then zeros.
//!
//! A file can end badly in two ways, and everything depends on telling them apart. A *torn tail* is what a crash
//! leaves of a write that was never reported durable: nobody relies on it, and it may be cut off. *Damage* is a
//! record that was durable and no longer is: cutting it off, with what follows, would take back what was promised.
//! [`LogScanner`] calls an end torn only if a torn write can have left it (see [`LogEnd::Torn`]); Apache's reader takes
//! more for a plain end and then writes over the records behind it.

use crate::disk::adler::adler32;
use crate::id::Zxid;
use crate::wire::txn::TxnHeader;
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;

/// "ZKLG".
const MAGIC: i32 = 0x5a4b_4c47;
const VERSION: i32 = 2;
const DBID: i64 = 0;
/// 'B', behind every entry.
const END_MARK: u8 = 0x42;

/// Bytes of a file's header: where the first record begins.
pub const HEADER_SIZE: usize = 16;

/// Bytes of a record's checksum and length.
const HEAD_SIZE: usize = 12;

/// Bytes of a record besides its entry.
pub const RECORD_OVERHEAD: usize = HEAD_SIZE + 1;

/// The longest entry that is believed to be one. Apache's limit is 2 MiB by default, but a closeSession with very many
/// ephemerals may be longer.
pub const MAX_ENTRY: usize = 16 << 20;

/// The least that a disk writes or does not write as a whole.
const SECTOR: usize = 512;

/// Appends a file's header: 16 bytes.
pub fn put_header(out: &mut BytesMut) {
    out.put_i32(MAGIC);
    out.put_i32(VERSION);
    out.put_i64(DBID);
}

/// Appends a record around `entry`, an encoded transaction.
///
/// # Panics
/// An entry shorter than a [`TxnHeader`] or longer than [`MAX_ENTRY`]: it could not be read back.
pub fn put_record(out: &mut BytesMut, entry: &[u8]) {
    assert!((TxnHeader::SIZE..=MAX_ENTRY).contains(&entry.len()), "a log entry of {} bytes", entry.len());
    out.put_i64(i64::from(adler32(entry)));
    out.put_i32(entry.len() as i32);
    out.put_slice(entry);
    out.put_u8(END_MARK);
}

/// The size a file has to be given, by a zero byte at its new end, before a record is appended at `position`; `None`
/// while there is room. `size` is what was answered the last time (at first 16, the header's size), `step` the
/// preallocation in bytes. Apache's rule, so that files have the sizes its tools expect; a record longer than the
/// step goes beyond the padding all the same, and the next append pads again.
pub fn padded_size(position: u64, size: u64, step: u64) -> Option<u64> {
    if step == 0 || position.saturating_add(4096) < size {
        return None;
    }
    Some(if position > size {
        let end = position.saturating_add(step);
        end - end % step
    } else {
        size.saturating_add(step)
    })
}

/// A whole record with a matching checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its transaction's zxid.
    pub zxid: Zxid,
    /// The encoded transaction, for [`crate::wire::txn::Txn::decode`]; a slice of the file.
    pub entry: Bytes,
    /// Where the record begins in the file.
    pub at: usize,
    /// Where it ends.
    pub end: usize,
    /// The transaction before it in the file; `None` for the first.
    pub after: Option<Zxid>,
}

impl LogRecord {
    /// Whether it directly follows the record before it. Inside an epoch counters have no holes, so a record that
    /// does not is behind transactions that are missing here: rightly if a snapshot covers them (a learner that was
    /// given a SNAP), else the log is damaged.
    pub fn continues(&self) -> bool {
        self.after.is_none_or(|after| self.zxid.follows(after))
    }
}

/// What is wrong with the bytes where a record should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFault {
    /// The file's header is missing or another file's.
    Header,
    /// Zeros where a record should begin, but something behind them.
    Zeroed,
    /// The file ends inside the record.
    Cut,
    /// A length that no entry has.
    Length(i32),
    /// No end mark behind the entry.
    EndMark,
    /// The entry has another checksum than is written.
    Checksum,
    /// The checksum matches, but the entry is too short for a transaction.
    Entry,
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogFault::Header => write!(f, "the file does not begin with a log's header"),
            LogFault::Zeroed => write!(f, "zeros where a record should begin"),
            LogFault::Cut => write!(f, "the file ends inside a record"),
            LogFault::Length(length) => write!(f, "a record of unreasonable length {length}"),
            LogFault::EndMark => write!(f, "a record without its end mark"),
            LogFault::Checksum => write!(f, "a record whose checksum does not match"),
            LogFault::Entry => write!(f, "a record too short for a transaction"),
        }
    }
}

/// How the records of a file end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// Nothing but zeros from `at` on, or the end of the file.
    Clean {
        /// Behind the last record.
        at: usize,
    },
    /// A write that a crash interrupted: no whole record follows, and part of it never reached the disk (the file ends
    /// in it, or at least one of the 512-byte sectors it spans is still zero). Right only in the *last* file, whose
    /// tail from `at` on must then be cut off, durably, before anything is written to a later one. With `at` 0 not
    /// even the header is there: the file goes as a whole.
    Torn {
        /// Behind the last record.
        at: usize,
        /// What stands there.
        why: LogFault,
    },
    /// A durable record has been lost. Nothing may be cut off or written over, and the server must not take part as
    /// if its log ended here.
    Damaged {
        /// Behind the last record before the damage.
        at: usize,
        /// What stands there.
        why: LogFault,
        /// The first whole record behind the damage; `None` if the damaged one is the last.
        next: Option<Zxid>,
    },
}

impl LogEnd {
    /// Behind the last good record.
    pub const fn at(&self) -> usize {
        match self {
            LogEnd::Clean { at } | LogEnd::Torn { at, .. } | LogEnd::Damaged { at, .. } => *at,
        }
    }
}

impl fmt::Display for LogEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogEnd::Clean { at } => write!(f, "ends at byte {at}"),
            LogEnd::Torn { at, why } => write!(f, "torn at byte {at}: {why}, and nothing behind it"),
            LogEnd::Damaged { at, why, next: Some(next) } => {
                write!(f, "damaged at byte {at}: {why}, but the whole transaction {next} stands behind it")
            }
            LogEnd::Damaged { at, why, next: None } => {
                write!(f, "damaged at byte {at}: {why}, which no interrupted write can have left")
            }
        }
    }
}

/// Goes through a log file's records in order.
///
/// The file's version and dbid are not looked at, as in Apache's reader.
#[derive(Clone, Debug)]
pub struct LogScanner {
    file: Bytes,
    /// Behind the file's last byte that is not zero.
    content: usize,
    at: usize,
    last: Option<Zxid>,
    end: Option<LogEnd>,
    /// Where the first whole record behind the damage begins.
    behind: Option<usize>,
    /// The damage that ends the file is one record's.
    lost_one: bool,
}

/// Behind the last byte that is not zero. Nearly all of a preallocated file are zeros: they are compared in blocks.
fn content_len(file: &[u8]) -> usize {
    const BLOCK: [u8; 4096] = [0; 4096];
    let mut rest = file;
    while let Some(before) = rest.strip_suffix(&BLOCK) {
        rest = before;
    }
    rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

impl LogScanner {
    /// A scanner of a whole file's bytes.
    pub fn new(file: Bytes) -> LogScanner {
        let content = content_len(&file);
        let (at, last, end) = (HEADER_SIZE, None, None);
        let mut scanner = LogScanner { file, content, at, last, end, behind: None, lost_one: false };
        if !scanner.file.starts_with(&MAGIC.to_be_bytes()) || scanner.file.len() < HEADER_SIZE {
            scanner.at = 0;
            let why = LogFault::Header;
            let found = scanner.whole_record_from(0);
            scanner.behind = found.as_ref().map(|record| record.at);
            let next = found.map(|record| record.zxid);
            // A write interrupted: the file ends inside the header, or the first sector never arrived.
            let cut = scanner.file.len() < HEADER_SIZE
                && scanner.file.iter().zip(MAGIC.to_be_bytes()).all(|(byte, magic)| *byte == magic);
            let torn = next.is_none() && (cut || scanner.file.iter().take(SECTOR).all(|byte| *byte == 0));
            scanner.end = Some(if torn { LogEnd::Torn { at: 0, why } } else { LogEnd::Damaged { at: 0, why, next } });
        }
        scanner
    }

    /// How the records end; `None` before [`Iterator::next`] has returned `None`, unless there is no header.
    pub const fn end(&self) -> Option<&LogEnd> {
        self.end.as_ref()
    }

    /// Goes on behind damage, where the next whole record is. False if there is none.
    pub fn go_on(&mut self) -> bool {
        let Some(at) = self.behind.take() else { return false };
        self.at = at;
        self.end = None;
        true
    }

    /// Whether the damage at the end of the file is that of exactly one record.
    pub const fn lost_one(&self) -> bool {
        self.lost_one
    }

    /// Goes through the rest and says how it ends.
    pub fn finish(mut self) -> LogEnd {
        loop {
            if let (None, Some(end)) = (self.next(), &self.end) {
                return end.clone();
            }
        }
    }

    /// The record at `at`; else what is wrong and the length it claims, if that is one.
    fn record(&self, at: usize) -> Result<LogRecord, (LogFault, Option<usize>)> {
        let rest = self.file.get(at..).unwrap_or_default();
        let (Some(head), Some(length)) = (rest.first_chunk::<8>(), rest.get(8..).and_then(|r| r.first_chunk::<4>()))
        else {
            return Err((LogFault::Cut, None));
        };
        let (checksum, length) = (i64::from_be_bytes(*head), i32::from_be_bytes(*length));
        if checksum == 0 && length == 0 {
            return Err((LogFault::Zeroed, None));
        }
        let size = match usize::try_from(length) {
            Ok(size) if (1..=MAX_ENTRY).contains(&size) => size,
            _ => return Err((LogFault::Length(length), None)),
        };
        let (Some(entry), Some(mark)) = (rest.get(HEAD_SIZE..HEAD_SIZE + size), rest.get(HEAD_SIZE + size)) else {
            return Err((LogFault::Cut, Some(size)));
        };
        if *mark != END_MARK {
            return Err((LogFault::EndMark, Some(size)));
        }
        if checksum != i64::from(adler32(entry)) {
            return Err((LogFault::Checksum, Some(size)));
        }
        let entry = self.file.slice(at + HEAD_SIZE..at + HEAD_SIZE + size);
        match TxnHeader::peek(&entry) {
            Ok((header, _)) => {
                Ok(LogRecord { zxid: header.zxid, entry, at, end: at + RECORD_OVERHEAD + size, after: self.last })
            }
            Err(_) => Err((LogFault::Entry, Some(size))),
        }
    }

    /// The first whole record at `from` or anywhere behind it that is later than the last one.
    fn whole_record_from(&self, from: usize) -> Option<LogRecord> {
        // A whole record ends with a byte that is not zero.
        let last = self.content.checked_sub(RECORD_OVERHEAD + TxnHeader::SIZE)?;
        (from..=last)
            // The upper half of the checksum is always zero, the first byte of the length too.
            .filter(|at| self.file.get(*at..at + 4) == Some(&[0; 4]) && self.file.get(at + 8) == Some(&0))
            .filter_map(|at| self.record(at).ok())
            .find(|record| self.last.is_none_or(|last| record.zxid > last))
    }

    /// Judges the bytes at `at`, where no whole record is.
    fn judge(&mut self, at: usize, why: LogFault, size: Option<usize>) -> LogEnd {
        let end = size.map(|size| at + RECORD_OVERHEAD + size);
        // A length with the end mark in its place is right: records that a client may have stored as data inside the
        // entry are then not taken for the log's own.
        let from = match (why, end) {
            (LogFault::Checksum | LogFault::Entry, Some(end)) => end,
            _ => at + 1,
        };
        let found = self.whole_record_from(from);
        self.behind = found.as_ref().map(|record| record.at);
        self.lost_one =
            matches!(why, LogFault::Checksum | LogFault::Entry) && end.is_some_and(|end| end >= self.content);
        let next = found.map(|record| record.zxid);
        let torn = next.is_none()
            && match (why, end) {
                (LogFault::Header | LogFault::Entry, _) => false,
                (LogFault::Cut, _) => true,
                (LogFault::Zeroed, _) => self.lost_sector(at, at + SECTOR - at % SECTOR),
                (LogFault::Length(0), _) => self.lost_sector(at, at + HEAD_SIZE),
                (LogFault::Length(_), _) => false,
                (_, end) => end.is_some_and(|end| self.lost_sector(at, end)),
            };
        if torn { LogEnd::Torn { at, why } } else { LogEnd::Damaged { at, why, next } }
    }

    /// Whether, of the record from `at` to `end`, all that lies in one of the sectors it spans is zero. The first
    /// four bytes do not count: they are zero in every record.
    fn lost_sector(&self, at: usize, end: usize) -> bool {
        let mut from = at + 4;
        while from < end {
            let to = (from + SECTOR - from % SECTOR).min(end);
            if self.file.get(from..to).unwrap_or_default().iter().all(|byte| *byte == 0) {
                return true;
            }
            from = to;
        }
        false
    }
}

impl Iterator for LogScanner {
    type Item = LogRecord;

    fn next(&mut self) -> Option<LogRecord> {
        if self.end.is_some() {
            return None;
        }
        if self.at >= self.content {
            self.end = Some(LogEnd::Clean { at: self.at });
            return None;
        }
        match self.record(self.at) {
            Ok(record) => {
                self.at = record.end;
                self.last = Some(record.zxid);
                Some(record)
            }
            Err((why, size)) => {
                self.end = Some(self.judge(self.at, why, size));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Epoch, SessionId};
    use crate::wire::txn::{Txn, TxnBody};
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    fn entry(zxid: Zxid, data: &[u8]) -> Bytes {
        let header = TxnHeader { session: SessionId(0x0100_0000_0000_0001), cxid: 7, zxid, time_ms: 1_700_000_000_000 };
        let data = Some(Bytes::copy_from_slice(data));
        let body = TxnBody::SetData { reconfig: false, path: String::from("/a"), data, version: 1 };
        Txn { header, body, digest: None }.encode()
    }

    fn zxid(counter: u32) -> Zxid {
        Zxid::new(Epoch(1), counter)
    }

    /// A log of records with data of these sizes and zeros behind them; where each begins, and where the last ends.
    fn log(sizes: &[usize], padding: usize) -> (Vec<u8>, Vec<usize>) {
        let mut out = BytesMut::new();
        put_header(&mut out);
        let mut places = vec![out.len()];
        for (counter, size) in (1..).zip(sizes) {
            put_record(&mut out, &entry(zxid(counter), &vec![0xa5; *size]));
            places.push(out.len());
        }
        out.put_bytes(0, padding);
        (out.to_vec(), places)
    }

    fn scan(file: Vec<u8>) -> (usize, LogEnd) {
        let mut scanner = LogScanner::new(file.into());
        let mut records = 0;
        for record in scanner.by_ref() {
            records += 1;
            assert!(record.continues());
            assert_eq!(record.zxid, zxid(records));
        }
        (usize::try_from(records).unwrap(), scanner.finish())
    }

    #[test]
    fn whole_files() {
        for (sizes, padding) in [(&[][..], 0), (&[], 4096), (&[5, 600, 0], 0), (&[5, 600, 0], 9000)] {
            let (file, places) = log(sizes, padding);
            assert_eq!(scan(file), (sizes.len(), LogEnd::Clean { at: *places.last().unwrap() }));
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_torn_or_clean() {
        let (file, places) = log(&[5, 600, 40], 0);
        for length in 0..file.len() {
            let whole = places.iter().rposition(|place| *place <= length);
            let (records, end) = scan(file[..length].to_vec());
            match whole {
                None => assert_eq!((records, end), (0, LogEnd::Torn { at: 0, why: LogFault::Header }), "{length}"),
                Some(n) if places[n] == length => assert_eq!((records, end), (n, LogEnd::Clean { at: length })),
                // The first bytes of a record are zeros.
                Some(n) if length - places[n] <= 4 => assert_eq!((records, end), (n, LogEnd::Clean { at: places[n] })),
                Some(n) => assert_eq!((records, end), (n, LogEnd::Torn { at: places[n], why: LogFault::Cut })),
            }
        }
    }

    #[test]
    fn any_flipped_bit_before_the_end_is_damage() {
        let (file, places) = log(&[5, 600, 40], 512);
        for at in 16..*places.last().unwrap() {
            for bit in 0..8 {
                let mut bad = file.clone();
                bad[at] ^= 1 << bit;
                let n = places.iter().rposition(|place| *place <= at).unwrap();
                let (records, end) = scan(bad);
                assert_eq!(records, n, "{at} {bit}");
                let next = if n < 2 { Some(zxid(u32::try_from(n).unwrap() + 2)) } else { None };
                match end {
                    LogEnd::Damaged { at, next: found, .. } => assert_eq!((at, found), (places[n], next)),
                    // A last record whose length has grown may as well be a long one that was cut.
                    LogEnd::Torn { why: LogFault::Cut | LogFault::EndMark, .. } if n == 2 => {}
                    end => panic!("byte {at} bit {bit}: {end:?}"),
                }
            }
        }
    }

    #[test]
    fn sectors_that_never_arrived_are_a_torn_tail_if_nothing_follows() {
        let (file, places) = log(&[5, 3000], 2048);
        let (from, to) = (places[1], places[2]);
        for sector in from / SECTOR..=(to - 1) / SECTOR {
            let mut bad = file.clone();
            bad[(sector * SECTOR).max(from)..((sector + 1) * SECTOR).min(to)].fill(0);
            let (records, end) = scan(bad);
            assert_eq!((records, end.at()), (1, from));
            assert!(matches!(end, LogEnd::Torn { .. }), "sector {sector}: {end}");
        }
        let (file, places) = log(&[5, 3000, 5], 2048);
        let mut bad = file.clone();
        bad[1024..1536].fill(0);
        let damaged = LogEnd::Damaged { at: places[1], why: LogFault::Checksum, next: Some(zxid(3)) };
        assert_eq!(scan(bad), (1, damaged), "a later record is whole");
    }

    #[test]
    fn what_no_interrupted_write_leaves() {
        let (file, places) = log(&[5, 5], 512);
        let last = places[1];
        let cases: [(&str, usize, &[u8], LogFault); 4] = [
            ("length -16", last + 8, &[0xff, 0xff, 0xff, 0xf0], LogFault::Length(-16)),
            ("length 0x7ffffff0", last + 8, &[0x7f, 0xff, 0xff, 0xf0], LogFault::Length(0x7fff_fff0)),
            ("zeroed head", last, &[0; 12], LogFault::Zeroed),
            ("zeroed end mark", places[2] - 1, &[0], LogFault::EndMark),
        ];
        for (name, at, bytes, why) in cases {
            let mut bad = file.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            assert_eq!(scan(bad), (1, LogEnd::Damaged { at: last, why, next: None }), "{name}");
        }
    }

    #[test]
    fn headers() {
        let (file, _) = log(&[5], 0);
        let mut other = file.clone();
        other[0] ^= 1;
        let end = LogEnd::Damaged { at: 0, why: LogFault::Header, next: Some(zxid(1)) };
        assert_eq!(scan(other), (0, end));
        let torn = LogEnd::Torn { at: 0, why: LogFault::Header };
        assert_eq!(scan(vec![0; 4096]), (0, torn.clone()));
        let (mut lost, _) = log(&[3000], 100);
        lost[..SECTOR].fill(0);
        assert_eq!(scan(lost), (0, torn));
        assert_eq!(
            scan(b"#!/bin/sh\nexit\n".to_vec()),
            (0, LogEnd::Damaged { at: 0, why: LogFault::Header, next: None })
        );
        let mut ignored = file;
        ignored[7] = 99;
        ignored[15] = 5;
        assert_eq!(scan(ignored).0, 1);
    }

    #[test]
    fn records_inside_a_clients_data_are_not_the_logs() {
        let mut inner = BytesMut::new();
        put_record(&mut inner, &entry(zxid(9), b"planted"));
        let mut out = BytesMut::new();
        put_header(&mut out);
        put_record(&mut out, &entry(zxid(1), &[&[1; 1200], &inner[..], &[1; 600]].concat()));
        let mut file = out.to_vec();
        file[512..1024].fill(0);
        file.extend([0; 512]);
        let torn = LogEnd::Torn { at: 16, why: LogFault::Checksum };
        assert_eq!(scan(file), (0, torn));
    }

    #[test]
    fn holes_are_seen() {
        let mut out = BytesMut::new();
        put_header(&mut out);
        for z in [zxid(1), zxid(3), Zxid::new(Epoch(2), 1), Zxid::new(Epoch(2), 1)] {
            put_record(&mut out, &entry(z, b""));
        }
        let records: Vec<_> = LogScanner::new(out.freeze()).map(|r| (r.zxid, r.continues())).collect();
        let epoch_2 = Zxid::new(Epoch(2), 1);
        assert_eq!(records, [(zxid(1), true), (zxid(3), false), (epoch_2, true), (epoch_2, false)]);
    }

    #[test]
    fn padding_is_apaches() {
        const MIB_64: u64 = 64 << 20;
        for (position, size, step, want) in [
            (16, 16, MIB_64, Some(67_108_880)),
            (100, 67_108_880, MIB_64, None),
            (67_108_880 - 4097, 67_108_880, MIB_64, None),
            (67_108_880 - 4096, 67_108_880, MIB_64, Some(2 * MIB_64 + 16)),
            (22276, 8208, 4096, Some(24576)),
            (16, 16, 0, None),
        ] {
            assert_eq!(padded_size(position, size, step), want, "{position} {size} {step}");
        }
    }
}
