//! One znode, and the rules by which its Stat changes.
//!
//! The rules stand here once, because the leader's preparation foresees by them what applying will do.

use super::digest;
use crate::disk::body::StatPersisted;
use crate::id::{SessionId, Zxid};
use crate::wire::record::Stat;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use bytes::Bytes;

/// The stored owner of a container.
const CONTAINER: i64 = i64::MIN;
/// The top byte of a TTL node's stored owner, and the bits that must be 0 behind it.
const TTL_MASK: u64 = 0xff00_0000_0000_0000;
const TTL_FEATURE: u64 = 0x00ff_ff00_0000_0000;
/// The longest time a TTL node may be given, milliseconds.
pub const MAX_TTL_MS: i64 = 0xff_ffff_ffff;

/// What keeps a znode alive, as its stored owner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// Nothing: it stays until it is deleted.
    Persistent,
    /// The session; it goes with it.
    Ephemeral(SessionId),
    /// Its children: the leader deletes it some time after the last one went.
    Container,
    /// Its children, or a change of its data within so many milliseconds.
    Ttl(i64),
}

impl Keeper {
    /// What a stored owner means.
    pub const fn from_owner(owner: i64) -> Keeper {
        let bits = owner as u64;
        match owner {
            0 => Keeper::Persistent,
            CONTAINER => Keeper::Container,
            _ if bits & TTL_MASK == TTL_MASK && bits & TTL_FEATURE == 0 => Keeper::Ttl((bits & !TTL_MASK) as i64),
            _ => Keeper::Ephemeral(SessionId(owner)),
        }
    }

    /// The stored owner.
    pub const fn owner(self) -> i64 {
        match self {
            Keeper::Persistent => 0,
            Keeper::Ephemeral(session) => session.0,
            Keeper::Container => CONTAINER,
            Keeper::Ttl(ms) => (TTL_MASK | (ms as u64 & MAX_TTL_MS as u64)) as i64,
        }
    }
}

/// The Stat of a node just created.
pub(crate) const fn stat_of_new(zxid: Zxid, time_ms: i64, keeper: Keeper) -> StatPersisted {
    StatPersisted {
        czxid: zxid,
        mzxid: zxid,
        ctime: time_ms,
        mtime: time_ms,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeral_owner: keeper.owner(),
        pzxid: zxid,
    }
}

/// A child was created below: the parent takes the transaction's `cversion` if it is larger (it may come a second
/// time in a replay), and with it the zxid. -1, in old records, is one more than stored.
pub(crate) fn child_created(parent: &mut StatPersisted, cversion: i32, zxid: Zxid) {
    let cversion = if cversion == -1 { parent.cversion.wrapping_add(1) } else { cversion };
    if cversion > parent.cversion {
        parent.cversion = cversion;
        parent.pzxid = parent.pzxid.max(zxid);
    }
}

/// A child was deleted below: only the zxid moves.
pub(crate) fn child_deleted(parent: &mut StatPersisted, zxid: Zxid) {
    parent.pzxid = parent.pzxid.max(zxid);
}

/// The data was set.
pub(crate) fn data_set(stat: &mut StatPersisted, version: i32, zxid: Zxid, time_ms: i64) {
    stat.version = version;
    stat.mzxid = zxid;
    stat.mtime = time_ms;
}

/// A znode.
#[derive(Clone, Debug)]
pub struct Node {
    data: Option<Bytes>,
    acl: i64,
    stat: StatPersisted,
    children: BTreeSet<Box<str>>,
    /// [`digest::of_content`] of path and data.
    content: u32,
    /// Cached, so that the old value can be taken out of the tree's sum.
    digest: u32,
}

impl Node {
    /// A node without children. `acl` is a key of the tree's [`super::acl::AclTable`].
    pub(crate) fn new(path: &str, data: Option<Bytes>, acl: i64, stat: StatPersisted) -> Node {
        let content = digest::of_content(path, data.as_deref());
        Node { data, acl, stat, children: BTreeSet::new(), content, digest: digest::of_node(content, &stat) }
    }

    /// The data; `None` is null, which clients tell from empty.
    pub fn data(&self) -> Option<&Bytes> {
        self.data.as_ref()
    }

    /// The key of its access list.
    pub fn acl_key(&self) -> i64 {
        self.acl
    }

    /// The Stat as stored: `cversion` counts creations of children only, the owner is the raw one.
    pub fn persisted(&self) -> &StatPersisted {
        &self.stat
    }

    /// The Stat as clients see it.
    pub fn stat(&self) -> Stat {
        let children = i32::try_from(self.children.len()).unwrap_or(i32::MAX);
        Stat {
            czxid: self.stat.czxid,
            mzxid: self.stat.mzxid,
            ctime: self.stat.ctime,
            mtime: self.stat.mtime,
            version: self.stat.version,
            cversion: self.stat.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: self.stat.aversion,
            ephemeral_owner: match self.keeper() {
                Keeper::Ephemeral(session) => session.0,
                // The markers of the other kinds are hidden from clients.
                _ => 0,
            },
            data_length: self.data.as_ref().map_or(0, |data| i32::try_from(data.len()).unwrap_or(i32::MAX)),
            num_children: children,
            pzxid: self.stat.pzxid,
        }
    }

    /// What keeps it alive.
    pub fn keeper(&self) -> Keeper {
        Keeper::from_owner(self.stat.ephemeral_owner)
    }

    /// The names of its children, in order.
    pub fn children(&self) -> &BTreeSet<Box<str>> {
        &self.children
    }

    /// Its part in the tree's digest.
    pub fn digest(&self) -> u32 {
        self.digest
    }

    /// The state of the digest behind path and data.
    pub(crate) fn content(&self) -> u32 {
        self.content
    }

    /// The children, to add and remove names; not part of the digest.
    pub(crate) fn children_mut(&mut self) -> &mut BTreeSet<Box<str>> {
        &mut self.children
    }

    /// Changes the Stat and returns by how much the digest moved.
    pub(crate) fn update_stat(&mut self, change: impl FnOnce(&mut StatPersisted)) -> i64 {
        change(&mut self.stat);
        let before = core::mem::replace(&mut self.digest, digest::of_node(self.content, &self.stat));
        i64::from(self.digest) - i64::from(before)
    }

    /// Puts other data in; the caller changes the Stat next, which brings the digest up to date. Returns what was
    /// there.
    pub(crate) fn put_data(&mut self, path: &str, data: Option<Bytes>) -> Option<Bytes> {
        self.content = digest::of_content(path, data.as_deref());
        core::mem::replace(&mut self.data, data)
    }

    /// Points the node to another access list; returns the old key.
    pub(crate) fn put_acl(&mut self, key: i64) -> i64 {
        core::mem::replace(&mut self.acl, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keepers_and_owners() {
        for (keeper, owner) in [
            (Keeper::Persistent, 0),
            (Keeper::Ephemeral(SessionId(0x0100_0000_0000_0001)), 0x0100_0000_0000_0001),
            (Keeper::Ephemeral(SessionId(0xfe00_0000_0000_0000_u64 as i64)), 0xfe00_0000_0000_0000_u64 as i64),
            (Keeper::Container, 0x8000_0000_0000_0000_u64 as i64),
            (Keeper::Ttl(60_000), 0xff00_0000_0000_ea60_u64 as i64),
            (Keeper::Ttl(MAX_TTL_MS), 0xff00_00ff_ffff_ffff_u64 as i64),
        ] {
            assert_eq!(keeper.owner(), owner, "{keeper:?}");
            assert_eq!(Keeper::from_owner(owner), keeper, "{owner:x}");
        }
        let unknown_feature = 0xff00_0100_0000_0001_u64 as i64;
        assert_eq!(Keeper::from_owner(unknown_feature), Keeper::Ephemeral(SessionId(unknown_feature)));
    }

    #[test]
    fn a_parents_counters_only_rise() {
        let start = StatPersisted { cversion: 5, pzxid: Zxid(10), ..StatPersisted::default() };
        for (cversion, zxid, expected) in [
            (6, 11, (6, 11)),
            (5, 11, (5, 10)),
            (4, 9, (5, 10)),
            (6, 9, (6, 10)),
            (-1, 11, (6, 11)),
            (i32::MIN, 11, (5, 10)),
        ] {
            let mut stat = start;
            child_created(&mut stat, cversion, Zxid(zxid));
            assert_eq!((stat.cversion, stat.pzxid.0), expected, "create with {cversion} at {zxid}");
        }
        for (zxid, expected) in [(9, 10), (12, 12)] {
            let mut stat = start;
            child_deleted(&mut stat, Zxid(zxid));
            assert_eq!(stat.pzxid.0, expected);
        }
    }
}
