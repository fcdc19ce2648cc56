//! The identities of the protocol as types of their own, so that one can never stand where another is meant.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A server's id, the number in its `myid` file (`sid` in Apache's sources): a non-negative 64-bit number,
/// meant to be 1 to 255. Negative values appear on the wire for observers without an id and as "no server".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub i64);

impl ServerId {
    /// The "nobody" that a server which may not be elected puts into its vote.
    pub const NONE: ServerId = ServerId(i64::MIN);
}

/// An epoch: the reign of one leader. Kept as the 64-bit number of the `acceptedEpoch` file; its low 32 bits
/// become the high half of every zxid of the reign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl Epoch {
    /// The last one that has zxids: 31 bits of it are in them, above comes the sign.
    pub const LAST: Epoch = Epoch(i32::MAX as i64);

    /// The zxid with counter 0 of this epoch, NEWLEADER's pseudo zxid.
    pub const fn start(self) -> Zxid {
        Zxid(self.0 << 32)
    }

    /// The epoch after this one.
    pub const fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

/// A transaction id: `(epoch << 32) | counter`, compared as a signed 64-bit number. The first transaction of an
/// epoch has counter 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before the first transaction of the first epoch.
    pub const ZERO: Zxid = Zxid(0);

    /// The zxid of `counter` in `epoch`.
    pub const fn new(epoch: Epoch, counter: u32) -> Zxid {
        Zxid((epoch.0 << 32) | counter as i64)
    }

    /// The high half.
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> 32)
    }

    /// The low half.
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next zxid of the same epoch; `None` when the counter is used up (the leader then has to stand down).
    pub const fn next(self) -> Option<Zxid> {
        if self.counter() == u32::MAX { None } else { Some(Zxid(self.0 + 1)) }
    }

    /// Whether `self` may directly follow `before` in a history: the next counter of the same epoch, or the first
    /// counter of a later one.
    pub const fn follows(self, before: Zxid) -> bool {
        if self.epoch().0 == before.epoch().0 {
            self.0 == before.0 + 1
        } else {
            self.epoch().0 > before.epoch().0 && self.counter() == 1
        }
    }
}

/// A client session's id. Its top byte names the server that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub i64);

/// The number of a storage effect: one per [`crate::effect::Record`], rising by one, never reused inside one run of
/// a server. Everything up to a reported number survives a crash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug)]
#[serde(transparent)]
pub struct Lsn(pub u64);

/// One connection on the quorum port, numbered by the driver, never reused inside one run of a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);

/// One client connection, numbered by the driver, never reused inside one run of a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkId(pub u64);

macro_rules! show {
    ($($name:ident => $format:literal),* $(,)?) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }
    )*};
}
show!(ServerId => "{}", Epoch => "{}", SessionId => "0x{:x}", Lsn => "{}", ConnId => "{}", LinkId => "{}");

impl fmt::Display for Zxid {
    /// `epoch:counter`, both decimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch().0, self.counter())
    }
}

macro_rules! debug_as_shown {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}
debug_as_shown!(ServerId, Epoch, SessionId, Zxid, ConnId, LinkId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zxid_halves_and_succession() {
        let z = Zxid::new(Epoch(2), 7);
        assert_eq!((z.epoch(), z.counter()), (Epoch(2), 7));
        assert_eq!(alloc::format!("{z}"), "2:7");
        for (next, before, ok) in [
            (Zxid::new(Epoch(2), 8), z, true),
            (Zxid::new(Epoch(2), 9), z, false),
            (Zxid::new(Epoch(3), 1), z, true),
            (Zxid::new(Epoch(3), 2), z, false),
            (Zxid::new(Epoch(1), 1), z, false),
            (z, z, false),
        ] {
            assert_eq!(next.follows(before), ok, "{next} after {before}");
        }
        assert_eq!(Zxid::new(Epoch(1), u32::MAX).next(), None);
    }
}
