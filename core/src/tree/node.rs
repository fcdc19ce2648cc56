//! One znode, and the rules by which its Stat changes.
//!
//! The rules stand here once, because the leader's preparation foresees by them what applying will do.

use super::digest;
use crate::collections::BTreeSet;
pub use crate::config::OwnerKinds;
use crate::disk::body::StatPersisted;
use crate::id::{SessionId, Zxid};
use crate::wire::record::Stat;
use alloc::boxed::Box;
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
    /// What a stored owner means under `kinds`.
    pub const fn from_owner(owner: i64, kinds: OwnerKinds) -> Keeper {
        let bits = owner as u64;
        let is_ttl = match kinds {
            OwnerKinds::Plain => false,
            OwnerKinds::Extended => bits & TTL_MASK == TTL_MASK && bits & TTL_FEATURE == 0,
            OwnerKinds::Emulate353 => owner < 0,
        };
        match owner {
            0 => Keeper::Persistent,
            CONTAINER => Keeper::Container,
            _ if is_ttl => Keeper::Ttl(owner & MAX_TTL_MS),
            _ => Keeper::Ephemeral(SessionId(owner)),
        }
    }

    /// Whether it is a container's or a TTL's: nobody in particular owns the znode, and the leader looks after it.
    pub const fn is_unattended(self) -> bool {
        matches!(self, Keeper::Container | Keeper::Ttl(_))
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
    /// Most nodes never have any: only then is there room for them.
    #[allow(clippy::box_collection, reason = "two words less in every node that has none")]
    children: Option<Box<BTreeSet<Box<str>>>>,
    /// [`digest::of_content`] of path and data.
    content: u32,
    /// Cached, so that the old value can be taken out of the tree's sum.
    digest: u32,
    /// How its owner is read: the tree's, here so that a node can tell its Stat alone.
    kinds: OwnerKinds,
}

impl Node {
    /// A node without children. `acl` is a key of the tree's [`super::acl::AclTable`], `kinds` the tree's too.
    pub(crate) fn new(path: &str, data: Option<Bytes>, acl: i64, stat: StatPersisted, kinds: OwnerKinds) -> Node {
        let content = digest::of_content(path, data.as_deref());
        Node { data, acl, stat, children: None, content, digest: digest::of_node(content, &stat), kinds }
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
        let children = i32::try_from(self.children().len()).unwrap_or(i32::MAX);
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
        Keeper::from_owner(self.stat.ephemeral_owner, self.kinds)
    }

    /// Reads its owner differently from now on.
    pub(crate) fn read_owner(&mut self, kinds: OwnerKinds) {
        self.kinds = kinds;
    }

    /// The names of its children, in order.
    pub fn children(&self) -> &BTreeSet<Box<str>> {
        static NONE: BTreeSet<Box<str>> = BTreeSet::new();
        self.children.as_deref().unwrap_or(&NONE)
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
        self.children.get_or_insert_default()
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

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_node_is_two_lines_of_a_cache() {
        assert!(size_of::<Node>() <= 128, "{}", size_of::<Node>());
    }

    #[test]
    fn keepers_and_owners() {
        use OwnerKinds::{Emulate353, Extended, Plain};
        let (all, modern) = (&[Plain, Extended, Emulate353][..], &[Extended, Emulate353][..]);
        let session = |owner: u64| Keeper::Ephemeral(SessionId(owner as i64));
        for (keeper, owner, kinds) in [
            (Keeper::Persistent, 0, all),
            (session(0x0100_0000_0000_0001), 0x0100_0000_0000_0001, all),
            (session(0xfe00_0000_0000_0000), 0xfe00_0000_0000_0000, &[Plain, Extended]),
            (Keeper::Container, 0x8000_0000_0000_0000, all),
            (Keeper::Ttl(60_000), 0xff00_0000_0000_ea60, modern),
            (session(0xff00_0000_0000_ea60), 0xff00_0000_0000_ea60, &[Plain]),
            (Keeper::Ttl(MAX_TTL_MS), 0xff00_00ff_ffff_ffff, modern),
            // A feature that is not known.
            (session(0xff00_0100_0000_0001), 0xff00_0100_0000_0001, &[Plain, Extended]),
        ] {
            assert_eq!(keeper.owner() as u64, owner, "{keeper:?}");
            for kinds in kinds {
                assert_eq!(Keeper::from_owner(owner as i64, *kinds), keeper, "{owner:x} {kinds:?}");
            }
        }
        let old_ttl = (CONTAINER as u64 | 60_000) as i64;
        assert_eq!(Keeper::from_owner(old_ttl, Emulate353), Keeper::Ttl(60_000));
        assert_eq!(Keeper::from_owner(old_ttl, Extended), Keeper::Ephemeral(SessionId(old_ttl)));
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
