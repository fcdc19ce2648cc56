//! Jute, the encoding of every record on the wire and on disk: big-endian integers, length-prefixed buffers and
//! strings, counted vectors, fields in declared order without tags or padding. A length or count of -1 is null.
//!
//! [`Reader`] takes records apart without copying, [`Put`] puts them together. Nothing a reader meets can make it
//! panic or allocate more than a small multiple of the bytes that are really there.

use crate::error::Violation;
use crate::id::{ServerId, SessionId, Zxid};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes};
use core::fmt;

/// Apache's default `jute.maxbuffer`: the longest frame on the client port, in bytes.
pub const MAX_FRAME: usize = 0xf_ffff;

/// The longest buffer or string inside a record, in bytes: `jute.maxbuffer` plus `jute.maxbuffer.extrasize`, which
/// is as large by default.
pub const MAX_FIELD: usize = 2 * MAX_FRAME;

/// Bytes that are not what they should be. Says which field of which record, where, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field, in the field's own terms.
    pub what: &'static str,
    /// Where it begins, in bytes from the beginning of what was being decoded.
    pub at: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end inside it.
    Short {
        /// Bytes it takes.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// A length that is negative (and not -1, null) or over the limit: Apache's "unreasonable length".
    Length {
        /// The length that was read.
        length: i64,
        /// The longest that is allowed.
        limit: usize,
    },
    /// A vector or map that claims more elements than the rest of the bytes could hold, or a negative number.
    Count {
        /// The count that was read.
        count: i32,
        /// The most that would fit.
        most: usize,
    },
    /// Null where a value must be.
    Null,
    /// A number without a meaning here.
    Unknown(i64),
    /// Bytes behind the end of the record.
    Trailing(usize),
    /// A learner that speaks a protocol from before ZooKeeper 3.4: its LearnerInfo has only this many bytes.
    TooOld(usize),
    /// A fixed value is missing.
    Expected(&'static str),
    /// The bytes do not have the checksum that is written beside them.
    Checksum {
        /// As written.
        stored: i64,
        /// Of the bytes as they are.
        computed: u32,
    },
}

impl DecodeError {
    /// An error about field `what` at byte `at`.
    pub const fn new(what: &'static str, at: usize, fault: Fault) -> DecodeError {
        DecodeError { what, at, fault }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DecodeError { what, at, fault } = self;
        write!(f, "{what} at byte {at}: ")?;
        match fault {
            Fault::Short { need, have } => write!(f, "needs {need} bytes, only {have} are left"),
            Fault::Length { length, limit } => write!(f, "unreasonable length {length}, the limit is {limit}"),
            Fault::Count { count, most } => write!(f, "unreasonable count {count}, at most {most} fit"),
            Fault::Null => write!(f, "null where a value must be"),
            Fault::Unknown(value) => write!(f, "{value} has no meaning here"),
            Fault::Trailing(bytes) => write!(f, "{bytes} bytes too many behind the record"),
            Fault::TooOld(bytes) => write!(
                f,
                "{bytes} bytes: the learner speaks a protocol from before ZooKeeper 3.4, which is not supported"
            ),
            Fault::Expected(value) => write!(f, "{value} expected"),
            Fault::Checksum { stored, computed } => {
                write!(f, "checksum {stored:#x} is written, but the bytes have {computed:#x}")
            }
        }
    }
}
impl core::error::Error for DecodeError {}

impl From<DecodeError> for Violation {
    fn from(e: DecodeError) -> Violation {
        Violation::Malformed(e.to_string())
    }
}

/// A cursor over a record's bytes. Buffers are slices of the input that share its memory; every read is checked.
///
/// `what` in its methods names the field in errors.
#[derive(Clone, Debug)]
pub struct Reader {
    buf: Bytes,
    at: usize,
    limit: usize,
}

impl Reader {
    /// Reads `buf` from its beginning; fields are limited to [`MAX_FIELD`], or to the bytes that are there if these are
    /// more: who took them in had a larger limit (`jute.maxbuffer`).
    pub const fn new(buf: Bytes) -> Reader {
        let limit = if buf.len() > MAX_FIELD { buf.len() } else { MAX_FIELD };
        Reader { buf, at: 0, limit }
    }

    /// As [`Reader::new`] with another limit in bytes for each buffer and string.
    pub const fn with_limit(buf: Bytes, limit: usize) -> Reader {
        Reader { buf, at: 0, limit }
    }

    /// How far it has read, in bytes.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.buf.len().saturating_sub(self.at)
    }

    /// Everything that is left, as a slice of the input.
    pub fn rest(self) -> Bytes {
        self.buf.slice(self.at.min(self.buf.len())..)
    }

    /// An error unless everything has been read.
    pub const fn finish(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            bytes => Err(DecodeError::new(what, self.at, Fault::Trailing(bytes))),
        }
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        match self.buf.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(DecodeError::new(what, self.at, Fault::Short { need: N, have: self.remaining() })),
        }
    }

    /// One byte.
    pub fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    /// A boolean: any byte but 0 is true, as for Apache.
    pub fn boolean(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        Ok(self.byte(what)? != 0)
    }

    /// 32 bits, signed.
    pub fn int(&mut self, what: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array(what)?))
    }

    /// 64 bits, signed.
    pub fn long(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array(what)?))
    }

    /// A zxid.
    pub fn zxid(&mut self, what: &'static str) -> Result<Zxid, DecodeError> {
        Ok(Zxid(self.long(what)?))
    }

    /// A session id.
    pub fn session(&mut self, what: &'static str) -> Result<SessionId, DecodeError> {
        Ok(SessionId(self.long(what)?))
    }

    /// A server id.
    pub fn server(&mut self, what: &'static str) -> Result<ServerId, DecodeError> {
        Ok(ServerId(self.long(what)?))
    }

    /// The length of a field, its bytes all there; `None` for null.
    fn length(&mut self, what: &'static str) -> Result<Option<usize>, DecodeError> {
        let at = self.at;
        let length = self.int(what)?;
        if length == -1 {
            return Ok(None);
        }
        match usize::try_from(length) {
            Ok(need) if need <= self.limit => match self.remaining() {
                have if need > have => Err(DecodeError::new(what, at, Fault::Short { need, have })),
                _ => Ok(Some(need)),
            },
            _ => Err(DecodeError::new(what, at, Fault::Length { length: i64::from(length), limit: self.limit })),
        }
    }

    /// The next `length` bytes as a slice of the input.
    pub fn bytes(&mut self, length: usize, what: &'static str) -> Result<Bytes, DecodeError> {
        let have = self.remaining();
        if length > have {
            return Err(DecodeError::new(what, self.at, Fault::Short { need: length, have }));
        }
        let from = self.at;
        self.at += length;
        Ok(self.buf.slice(from..self.at))
    }

    /// A buffer; `None` is null, which is another value than empty.
    pub fn buffer(&mut self, what: &'static str) -> Result<Option<Bytes>, DecodeError> {
        match self.length(what)? {
            None => Ok(None),
            Some(length) => self.bytes(length, what).map(Some),
        }
    }

    /// A string; `None` is null. Bytes that are not UTF-8 become U+FFFD, as in Apache's reader; no path with one is
    /// valid, so nothing can be stored under such a name.
    pub fn opt_ustring(&mut self, what: &'static str) -> Result<Option<String>, DecodeError> {
        let Some(length) = self.length(what)? else { return Ok(None) };
        let from = self.at;
        self.at += length;
        Ok(self.buf.get(from..self.at).map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// A string that may not be null.
    pub fn ustring(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let at = self.at;
        self.opt_ustring(what)?.ok_or(DecodeError::new(what, at, Fault::Null))
    }

    /// A number of elements of which each takes `element` bytes or more; `None` for null. Never more than fit into
    /// what is left, so that it is safe to allocate for them.
    pub fn count(&mut self, element: usize, what: &'static str) -> Result<Option<usize>, DecodeError> {
        let at = self.at;
        let count = self.int(what)?;
        if count == -1 {
            return Ok(None);
        }
        let most = self.remaining() / element.max(1);
        match usize::try_from(count) {
            Ok(n) if n <= most => Ok(Some(n)),
            _ => Err(DecodeError::new(what, at, Fault::Count { count, most })),
        }
    }

    /// A vector of elements of which each takes `element` bytes or more, read by `read`; `None` is null.
    pub fn opt_vector<T>(
        &mut self,
        element: usize,
        what: &'static str,
        mut read: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count(element, what)? else { return Ok(None) };
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(Some(items))
    }

    /// As [`Reader::opt_vector`], where null is an error.
    pub fn vector<T>(
        &mut self,
        element: usize,
        what: &'static str,
        read: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let at = self.at;
        self.opt_vector(element, what, read)?.ok_or(DecodeError::new(what, at, Fault::Null))
    }

    /// A vector of strings, of which none and which itself may not be null.
    pub fn ustrings(&mut self, what: &'static str) -> Result<Vec<String>, DecodeError> {
        self.vector(4, what, |r| r.ustring(what))
    }
}

/// A length or count as it is written. What we write ourselves is far below 2 GiB.
fn written(length: usize) -> i32 {
    assert!(length <= 0x7fff_ffff, "a field of {length} bytes or elements can't be written");
    length as i32
}

/// Puts Jute's types behind what a buffer holds. Integers are `BufMut`'s own `put_i32` and `put_i64`.
///
/// # Panics
/// A single field, or a vector, of 2³¹ bytes or elements or more.
pub trait Put: BufMut {
    /// 0 or 1.
    fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    /// A buffer; `None` is null.
    fn put_buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.put_i32(-1),
            Some(bytes) => {
                self.put_i32(written(bytes.len()));
                self.put_slice(bytes);
            }
        }
    }

    /// A string.
    fn put_ustring(&mut self, value: &str) {
        self.put_buffer(Some(value.as_bytes()));
    }

    /// A string or null.
    fn put_opt_ustring(&mut self, value: Option<&str>) {
        self.put_buffer(value.map(str::as_bytes));
    }

    /// A vector whose elements `put` writes.
    fn put_vector<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T))
    where
        Self: Sized,
    {
        self.put_i32(written(items.len()));
        for item in items {
            put(self, item);
        }
    }

    /// A vector of strings.
    fn put_ustrings(&mut self, items: &[String])
    where
        Self: Sized,
    {
        self.put_vector(items, |out, item| out.put_ustring(item));
    }
}
impl<B: BufMut> Put for B {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn reader(bytes: &[u8]) -> Reader {
        Reader::new(Bytes::copy_from_slice(bytes))
    }

    /// What has come in under a larger limit can be read.
    #[test]
    fn the_limit_follows_the_bytes_that_are_there() {
        for size in [MAX_FIELD, MAX_FIELD + 1, 3 << 20] {
            let mut out = Vec::new();
            out.put_buffer(Some(&vec![7; size]));
            let mut r = Reader::new(out.into());
            assert_eq!(r.buffer("data").map(|data| data.map_or(0, |data| data.len())), Ok(size));
        }
    }

    #[test]
    fn null_and_empty_are_two_values() {
        let mut r = reader(&[255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]);
        assert_eq!(r.buffer("data").unwrap(), None);
        assert_eq!(r.buffer("data").unwrap(), Some(Bytes::new()));
        assert_eq!(r.opt_ustring("path").unwrap(), None);
        assert_eq!(r.opt_ustring("path").unwrap(), Some(String::new()));
        r.finish("record").unwrap();
    }

    #[test]
    fn lengths_are_checked_before_anything_else() {
        for (bytes, fault) in [
            (&[0xff, 0xff, 0xff, 0xfe][..], Fault::Length { length: -2, limit: MAX_FIELD }),
            (&[0x7f, 0xff, 0xff, 0xff], Fault::Length { length: 0x7fff_ffff, limit: MAX_FIELD }),
            (&[0, 0, 0, 2, b'x'], Fault::Short { need: 2, have: 1 }),
            (&[0, 0, 0], Fault::Short { need: 4, have: 3 }),
        ] {
            let err = Err(DecodeError::new("path", 0, fault));
            assert_eq!(reader(bytes).ustring("path"), err);
            assert_eq!(reader(bytes).buffer("path").map(|_| String::new()), err);
        }
        let mut exact = Reader::with_limit(Bytes::from_static(&[0, 0, 0, 3, 1, 2, 3]), 3);
        assert_eq!(exact.buffer("data").unwrap().unwrap(), [1, 2, 3].as_slice());
        let mut over = Reader::with_limit(Bytes::from_static(&[0, 0, 0, 3, 1, 2, 3]), 2);
        assert_eq!(over.buffer("data").unwrap_err().fault, Fault::Length { length: 3, limit: 2 });
    }

    #[test]
    fn counts_can_not_claim_more_than_is_there() {
        for (count, fault) in [
            ([0x7f, 0xff, 0xff, 0xff], Fault::Count { count: 0x7fff_ffff, most: 1 }),
            ([0, 0, 0, 2], Fault::Count { count: 2, most: 1 }),
            ([0xff, 0xff, 0xff, 0xfe], Fault::Count { count: -2, most: 1 }),
            ([0xff, 0xff, 0xff, 0xff], Fault::Null),
        ] {
            let mut bytes = count.to_vec();
            bytes.extend([0, 0, 0, 0]);
            assert_eq!(reader(&bytes).ustrings("paths"), Err(DecodeError::new("paths", 0, fault)));
        }
        assert_eq!(reader(&[0, 0, 0, 1, 0, 0, 0, 1, b'/']).ustrings("paths").unwrap(), vec!["/"]);
    }

    #[test]
    fn text_that_is_not_utf8_is_marked_as_apache_does() {
        assert_eq!(reader(&[0, 0, 0, 3, b'/', 0xff, b'a']).ustring("path").unwrap(), "/\u{fffd}a");
        assert_eq!(reader(&[0, 0, 0, 3, 0xe4, 0xbd, 0xa0]).ustring("path").unwrap(), "你");
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(b: bool, i: i32, l: i64, data: Option<Vec<u8>>, s: String, v: Vec<String>) {
            let mut out = Vec::new();
            out.put_bool(b);
            out.put_i32(i);
            out.put_i64(l);
            out.put_buffer(data.as_deref());
            out.put_ustring(&s);
            out.put_ustrings(&v);
            let mut r = Reader::new(out.into());
            prop_assert_eq!(r.boolean("b").unwrap(), b);
            prop_assert_eq!(r.int("i").unwrap(), i);
            prop_assert_eq!(r.long("l").unwrap(), l);
            prop_assert_eq!(r.buffer("data").unwrap(), data.map(Bytes::from));
            prop_assert_eq!(r.ustring("s").unwrap(), s);
            prop_assert_eq!(r.ustrings("v").unwrap(), v);
            r.finish("record").unwrap();
        }
    }
}
