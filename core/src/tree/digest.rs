//! The tree's digest, Apache's version 2: for each node a CRC-32, summed over the nodes, so that a change costs only
//! the nodes it touches.
//!
//! A node's CRC runs over its path (empty for the root), its data and 60 bytes of its Stat. The state behind path and
//! data is kept in the node, so that a change of the Stat alone (every create and delete does one to the parent)
//! does not read the data again.

#[cfg(target_arch = "wasm32")]
use super::crc32::Hasher;
use super::path;
use crate::disk::body::StatPersisted;
#[cfg(not(target_arch = "wasm32"))]
use crc32fast::Hasher;

/// The version of this recipe, as transactions and snapshots name it.
pub const VERSION: i32 = 2;

/// Whether the node of `path` counts: everything below `/zookeeper` differs between servers and does not.
pub fn is_counted(path: &str) -> bool {
    !path.strip_prefix(path::ZOOKEEPER).is_some_and(|rest| rest.starts_with('/'))
}

/// The CRC over a node's path and data. Absent data and empty data are the same here.
pub fn of_content(path: &str, data: Option<&[u8]>) -> u32 {
    let mut crc = Hasher::new();
    if path != path::ROOT {
        crc.update(path.as_bytes());
    }
    crc.update(data.unwrap_or_default());
    crc.finalize()
}

/// A node's digest: the CRC continued from its `content` (see [`of_content`]) over its Stat.
pub fn of_node(content: u32, stat: &StatPersisted) -> u32 {
    let longs = [stat.czxid.0, stat.mzxid.0, stat.pzxid.0, stat.ctime, stat.mtime];
    let ints = [stat.version, stat.cversion, stat.aversion];
    let mut bytes = [0; 60];
    let (head, owner) = bytes.split_at_mut(52);
    let (head, tail) = head.split_at_mut(40);
    for (to, value) in head.chunks_exact_mut(8).zip(longs) {
        to.copy_from_slice(&value.to_be_bytes());
    }
    for (to, value) in tail.chunks_exact_mut(4).zip(ints) {
        to.copy_from_slice(&value.to_be_bytes());
    }
    owner.copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    let mut crc = Hasher::new_with_initial(content);
    crc.update(&bytes);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Zxid;

    /// client-protocol.md §22: node /a after its creation, and the root behind it.
    #[test]
    fn documented_nodes() {
        let z = Zxid(0x1_0000_0002);
        let t = 1_700_000_000_000;
        let a = StatPersisted { czxid: z, mzxid: z, pzxid: z, ctime: t, mtime: t, ..StatPersisted::default() };
        assert_eq!(of_node(of_content("/a", Some(b"x")), &a), 613_545_643);
        let root = StatPersisted { cversion: 1, pzxid: z, ..StatPersisted::default() };
        assert_eq!(of_node(of_content("/", Some(b"")), &root), 3_942_836_307);
        assert_eq!(of_node(of_content("/", None), &StatPersisted::default()), 68_323_592);
        assert_eq!(of_node(of_content("/zookeeper", None), &StatPersisted::default()), 1_303_661_912);
    }

    #[test]
    fn what_counts() {
        for (path, counted) in
            [("/", true), ("/zookeeper", true), ("/zookeeper/config", false), ("/zookeepers/a", true), ("/a", true)]
        {
            assert_eq!(is_counted(path), counted, "{path}");
        }
    }
}
