//! The body of a snapshot: sessions, access lists, znodes, end mark (parts 2 to 5 of the snapshot format). The same
//! bytes stand in snapshot files and follow a SNAP packet on the wire.

use crate::disk::txn_log::MAX_ENTRY;
use crate::id::Zxid;
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use crate::wire::record::{Acl, SessionEntry};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// The path that no znode has and that ends the body.
const END: &str = "/";

/// Bytes of one session in the body.
const SESSION_SIZE: usize = 12;

/// The key of the open list, `world:anyone` may do everything, for built-in znodes: never in the body's map.
pub const OPEN_ACL_KEY: i64 = -1;

/// A znode's Stat as it is stored (60 bytes): without what its data and children tell, the owner unmasked, and
/// `cversion` counting creations of children only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StatPersisted {
    /// The creating transaction.
    pub czxid: Zxid,
    /// The transaction that changed the data last.
    pub mzxid: Zxid,
    /// Creation time, milliseconds since 1970.
    pub ctime: i64,
    /// Time of the last change of data.
    pub mtime: i64,
    /// Changes of data since creation.
    pub version: i32,
    /// Creations of children.
    pub cversion: i32,
    /// Changes of the access list.
    pub aversion: i32,
    /// The owning session, or a container's or TTL's marker, or 0.
    pub ephemeral_owner: i64,
    /// The transaction that created or deleted a child last.
    pub pzxid: Zxid,
}

impl StatPersisted {
    /// Bytes of an encoded one.
    pub const SIZE: usize = 60;

    /// Appends it.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_i64(self.czxid.0);
        out.put_i64(self.mzxid.0);
        out.put_i64(self.ctime);
        out.put_i64(self.mtime);
        out.put_i32(self.version);
        out.put_i32(self.cversion);
        out.put_i32(self.aversion);
        out.put_i64(self.ephemeral_owner);
        out.put_i64(self.pzxid.0);
    }

    /// Reads one.
    ///
    /// # Errors
    /// Fewer than 60 bytes.
    pub fn decode(r: &mut Reader) -> Result<StatPersisted, DecodeError> {
        Ok(StatPersisted {
            czxid: r.zxid("czxid")?,
            mzxid: r.zxid("mzxid")?,
            ctime: r.long("ctime")?,
            mtime: r.long("mtime")?,
            version: r.int("version")?,
            cversion: r.int("cversion")?,
            aversion: r.int("aversion")?,
            ephemeral_owner: r.long("ephemeralOwner")?,
            pzxid: r.zxid("pzxid")?,
        })
    }
}

/// Takes a tree's znodes one by one: [`BodyWriter`] for a SNAP, [`crate::disk::snapshot::SnapshotWriter`] for a file.
pub trait NodeSink {
    /// The next znode. The root comes first, under the path "" (the empty string), and every parent before its
    /// children. `acl_key` is [`OPEN_ACL_KEY`] or a key of the map that was given at the beginning.
    fn node(&mut self, path: &str, data: Option<&Bytes>, acl_key: i64, stat: &StatPersisted);
}

/// Writes a body: [`BodyWriter::begin`], then [`NodeSink::node`] for each znode, then [`BodyWriter::finish`].
#[derive(Debug)]
pub struct BodyWriter<'a> {
    out: &'a mut BytesMut,
}

impl<'a> BodyWriter<'a> {
    /// Appends the sessions and the access lists by key (keys ≥ 1, in whatever order they come).
    pub fn begin<L: AsRef<[Acl]>>(
        out: &'a mut BytesMut,
        sessions: impl IntoIterator<Item = SessionEntry>,
        acls: impl IntoIterator<Item = (i64, L)>,
    ) -> BodyWriter<'a> {
        put_counted(out, sessions, |out, session| {
            out.put_i64(session.id.0);
            out.put_i32(session.timeout_ms);
        });
        put_counted(out, acls, |out, (key, list)| {
            out.put_i64(key);
            Acl::encode_list(list.as_ref(), out);
        });
        BodyWriter { out }
    }

    /// Appends the end mark.
    pub fn finish(self) {
        self.out.put_ustring(END);
    }
}

impl NodeSink for BodyWriter<'_> {
    fn node(&mut self, path: &str, data: Option<&Bytes>, acl_key: i64, stat: &StatPersisted) {
        put_node(self.out, path, data, acl_key, stat);
    }
}

pub(super) fn put_node(out: &mut BytesMut, path: &str, data: Option<&Bytes>, acl_key: i64, stat: &StatPersisted) {
    assert!(path != END, "the root's path in a snapshot is the empty string");
    out.put_ustring(path);
    out.put_buffer(data.map(|data| data.as_ref()));
    out.put_i64(acl_key);
    stat.encode(out);
}

/// A count and then the items, which are counted while they are written.
fn put_counted<T>(out: &mut BytesMut, items: impl IntoIterator<Item = T>, mut put: impl FnMut(&mut BytesMut, T)) {
    let start = out.len();
    out.put_i32(0);
    let mut count = 0i32;
    for item in items {
        count += 1;
        put(out, item);
    }
    out[start..start + 4].copy_from_slice(&count.to_be_bytes());
}

/// A znode of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotNode {
    /// Full path; the root's is the empty string.
    pub path: String,
    /// Its data, a slice of the body: whoever keeps one keeps the whole body's memory. `None` is null.
    pub data: Option<Bytes>,
    /// [`OPEN_ACL_KEY`] or a key of [`BodyReader::acls`].
    pub acl_key: i64,
    /// Its stored Stat.
    pub stat: StatPersisted,
}

/// Reads a body: sessions and access lists at once, then the znodes one by one.
#[derive(Clone, Debug)]
pub struct BodyReader {
    sessions: Vec<SessionEntry>,
    acls: Vec<(i64, Vec<Acl>)>,
    r: Reader,
    ended: bool,
}

impl BodyReader {
    /// Reads the sessions and access lists.
    ///
    /// # Errors
    /// Bytes that are no snapshot's body.
    pub fn new(body: Bytes) -> Result<BodyReader, DecodeError> {
        let mut r = Reader::new(body);
        let sessions = r.vector(SESSION_SIZE, "sessions", |r| {
            Ok(SessionEntry { id: r.session("session")?, timeout_ms: r.int("session's timeout")? })
        })?;
        let acls = r.vector(12, "acls", |r| Ok((r.long("acl key")?, Acl::decode_list(r)?)))?;
        Ok(BodyReader { sessions, acls, r, ended: false })
    }

    /// The live sessions.
    pub fn sessions(&self) -> &[SessionEntry] {
        &self.sessions
    }

    /// The access lists by key, in the body's order.
    pub fn acls(&self) -> &[(i64, Vec<Acl>)] {
        &self.acls
    }

    /// The next znode; `None` behind the last one.
    ///
    /// # Errors
    /// Bytes that are no znode, an end without the end mark, or bytes behind that.
    pub fn next_node(&mut self) -> Result<Option<SnapshotNode>, DecodeError> {
        if self.ended {
            return Ok(None);
        }
        let path = self.r.ustring("znode's path")?;
        if path == END {
            self.r.finish("snapshot body")?;
            self.ended = true;
            return Ok(None);
        }
        Ok(Some(SnapshotNode {
            path,
            data: self.r.buffer("znode's data")?,
            acl_key: self.r.long("znode's acl key")?,
            stat: StatPersisted::decode(&mut self.r)?,
        }))
    }
}

/// Finds the end of a body that is still coming in, without looking at any byte twice.
#[derive(Clone, Debug)]
pub struct BodyScanner {
    at: usize,
    most: usize,
    step: Step,
}

/// What stands at the scanner's position.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The number of sessions.
    Sessions,
    /// The number of access lists.
    Lists,
    /// An access list's key and size, so many lists to go.
    List(u32),
    /// An entry's permissions and scheme: lists to go behind this one, entries to go.
    Scheme(u32, u32),
    /// The same entry's id.
    Id(u32, u32),
    /// A znode's path or the end mark.
    Path,
    /// A znode's data, key and Stat.
    Data,
}

impl BodyScanner {
    /// Starts at a body's first byte and will refuse one of more than `most` bytes.
    pub const fn new(most: usize) -> BodyScanner {
        BodyScanner { at: 0, most, step: Step::Sessions }
    }

    /// Goes on as far as `buf` reaches: the body's bytes so far, from its first one. Returns the body's length once
    /// its end mark is there.
    ///
    /// # Errors
    /// Bytes that are no snapshot's body, or more of them than allowed.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, DecodeError> {
        loop {
            let at = self.at;
            // Fields are skipped by their lengths, so the position may be ahead of what has come in.
            let Some(rest) = buf.get(at..) else { return self.within_limit(at) };
            let next = match self.step {
                Step::Sessions => {
                    count(rest, at, "sessions")?.map(|n| (widen(n).saturating_mul(SESSION_SIZE) + 4, Step::Lists))
                }
                Step::Lists => count(rest, at, "acls")?.map(|n| (4, Step::lists(n))),
                Step::List(lists) => match rest.get(8..) {
                    None => None,
                    Some(rest) => nullable_count(rest, at + 8, "acl")?.map(|n| (12, Step::entries(lists - 1, n))),
                },
                Step::Scheme(lists, entries) => match rest.get(4..) {
                    None => None,
                    Some(rest) => length(rest, at + 4, "scheme")?.map(|n| (8 + n, Step::Id(lists, entries))),
                },
                Step::Id(lists, entries) => length(rest, at, "id")?.map(|n| (4 + n, Step::entries(lists, entries - 1))),
                Step::Path => match length(rest, at, "znode's path")? {
                    Some(1) if rest.len() < 5 => None,
                    Some(1) if rest.get(4..5) == Some(END.as_bytes()) => {
                        self.within_limit(at + 5)?;
                        return Ok(Some(at + 5));
                    }
                    path => path.map(|n| (4 + n, Step::Data)),
                },
                Step::Data => {
                    nullable_length(rest, at, "znode's data")?.map(|n| (4 + n + 8 + StatPersisted::SIZE, Step::Path))
                }
            };
            match next {
                Some((size, step)) => {
                    self.at = at.saturating_add(size);
                    self.step = step;
                    self.within_limit(self.at)?;
                }
                None => return self.within_limit(at + rest.len()),
            }
        }
    }

    fn within_limit(&self, size: usize) -> Result<Option<usize>, DecodeError> {
        if size <= self.most {
            return Ok(None);
        }
        let length = i64::try_from(size).unwrap_or(i64::MAX);
        Err(DecodeError::new("snapshot body", 0, Fault::Length { length, limit: self.most }))
    }
}

impl Step {
    const fn lists(left: u32) -> Step {
        if left == 0 { Step::Path } else { Step::List(left) }
    }

    const fn entries(lists: u32, left: u32) -> Step {
        if left == 0 { Step::lists(lists) } else { Step::Scheme(lists, left) }
    }
}

/// `u32` to `usize`; saturates where that is narrower, as the limit does not reach that far either.
fn widen(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The signed number at the beginning of `rest`; `None` if it has not come in yet.
fn int(rest: &[u8]) -> Option<i32> {
    rest.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes))
}

fn count(rest: &[u8], at: usize, what: &'static str) -> Result<Option<u32>, DecodeError> {
    let Some(count) = int(rest) else { return Ok(None) };
    match u32::try_from(count) {
        Ok(n) => Ok(Some(n)),
        Err(_) => Err(DecodeError::new(what, at, Fault::Count { count, most: 0x7fff_ffff })),
    }
}

fn nullable_count(rest: &[u8], at: usize, what: &'static str) -> Result<Option<u32>, DecodeError> {
    if int(rest) == Some(-1) { Ok(Some(0)) } else { count(rest, at, what) }
}

fn length(rest: &[u8], at: usize, what: &'static str) -> Result<Option<usize>, DecodeError> {
    let Some(length) = int(rest) else { return Ok(None) };
    match usize::try_from(length) {
        // Whatever jute.maxbuffer was: nothing longer can have come in by a transaction.
        Ok(n) if n <= MAX_ENTRY => Ok(Some(n)),
        _ => Err(DecodeError::new(what, at, Fault::Length { length: i64::from(length), limit: MAX_ENTRY })),
    }
}

fn nullable_length(rest: &[u8], at: usize, what: &'static str) -> Result<Option<usize>, DecodeError> {
    if int(rest) == Some(-1) { Ok(Some(0)) } else { length(rest, at, what) }
}
