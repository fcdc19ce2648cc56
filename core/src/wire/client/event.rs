//! Watch events, and the numbers that name watches.

use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use alloc::sync::Arc;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// What happened to a watched znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// 1
    Created,
    /// 2
    Deleted,
    /// 3
    DataChanged,
    /// 4
    ChildrenChanged,
}

/// A watch event as the server sends it (state is always 3, SyncConnected).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which znode. All who are told of one change share it.
    pub path: Arc<str>,
}

/// How addWatch watches: until it is removed or the connection ends, firing any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AddWatchMode {
    /// 0: the znode's data and its children.
    Persistent,
    /// 1: the znode and everything below it; no event for changed children.
    PersistentRecursive,
}

/// Which watches checkWatches and removeWatches mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WatchType {
    /// 1: one-shot watches on children.
    Children,
    /// 2: one-shot watches on data.
    Data,
    /// 3: all of them.
    Any,
    /// 4: persistent ones.
    Persistent,
    /// 5: persistent recursive ones.
    PersistentRecursive,
}

/// The state in every event that a server sends: SyncConnected.
const SYNC_CONNECTED: i32 = 3;

impl AddWatchMode {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            AddWatchMode::Persistent => 0,
            AddWatchMode::PersistentRecursive => 1,
        }
    }

    pub(super) fn read(r: &mut Reader) -> Result<AddWatchMode, DecodeError> {
        let at = r.position();
        Ok(match r.int("mode")? {
            0 => AddWatchMode::Persistent,
            1 => AddWatchMode::PersistentRecursive,
            other => return Err(DecodeError::new("mode of a watch", at, Fault::Unknown(i64::from(other)))),
        })
    }
}

impl WatchType {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            WatchType::Children => 1,
            WatchType::Data => 2,
            WatchType::Any => 3,
            WatchType::Persistent => 4,
            WatchType::PersistentRecursive => 5,
        }
    }

    pub(super) fn read(r: &mut Reader) -> Result<WatchType, DecodeError> {
        let at = r.position();
        Ok(match r.int("type")? {
            1 => WatchType::Children,
            2 => WatchType::Data,
            3 => WatchType::Any,
            4 => WatchType::Persistent,
            5 => WatchType::PersistentRecursive,
            other => return Err(DecodeError::new("type of a watch", at, Fault::Unknown(i64::from(other)))),
        })
    }
}

impl EventKind {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            EventKind::Created => 1,
            EventKind::Deleted => 2,
            EventKind::DataChanged => 3,
            EventKind::ChildrenChanged => 4,
        }
    }

    /// The kind of a number.
    pub const fn from_code(code: i32) -> Option<EventKind> {
        Some(match code {
            1 => EventKind::Created,
            2 => EventKind::Deleted,
            3 => EventKind::DataChanged,
            4 => EventKind::ChildrenChanged,
            _ => return None,
        })
    }
}

impl WatcherEvent {
    /// Appends it, without a header.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.kind.code());
        out.put_i32(SYNC_CONNECTED);
        out.put_ustring(&self.path);
    }

    /// Reads the body behind a header with xid -1.
    ///
    /// # Errors
    /// Bytes that are no event, or one of a kind or state that no server sends.
    pub fn decode(body: Bytes) -> Result<WatcherEvent, DecodeError> {
        let mut r = Reader::new(body);
        let kind = r.int("event type")?;
        let kind =
            EventKind::from_code(kind).ok_or(DecodeError::new("event type", 0, Fault::Unknown(i64::from(kind))))?;
        if r.int("event state")? != SYNC_CONNECTED {
            return Err(DecodeError::new("event state", 4, Fault::Expected("3, SyncConnected,")));
        }
        Ok(WatcherEvent { kind, path: r.ustring("path")?.into() })
    }
}
