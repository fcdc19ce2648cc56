//! Quotas: how many znodes and bytes a subtree has, and how many it may have (client-protocol §10.4).
//!
//! A quota on `/a` is the znode `/zookeeper/quota/a/zookeeper_limits`, which clients write, and its neighbour
//! `zookeeper_stats`, whose data each server keeps up by itself: no transaction, no version, not part of the digest.
//! The count begins when both are there. What is counted is always the whole subtree at present, so that a server that
//! counts anew after a start comes to the same numbers as one that never stopped. (Apache counts a change only for the
//! nearest quota above it; its clients do not nest quotas, so nobody sees the difference.)

use super::{Tree, len_of, path};
use crate::collections::BTreeMap;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The name of the znode with the limits.
pub const LIMITS: &str = "zookeeper_limits";
/// The name of the znode with the numbers.
pub const STATS: &str = "zookeeper_stats";

/// What a subtree may have; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Znodes, by way of a warning.
    pub count: Option<i64>,
    /// Bytes of data, by way of a warning.
    pub bytes: Option<i64>,
    /// Znodes, refused beyond.
    pub count_hard: Option<i64>,
    /// Bytes of data, refused beyond.
    pub bytes_hard: Option<i64>,
}

/// What a subtree has, its top included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Znodes.
    pub count: i64,
    /// Bytes of data.
    pub bytes: i64,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Znodes.
    Znodes,
    /// Bytes of data.
    Bytes,
}

/// A limit that a request would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// Of what there would be too much.
    pub of: Counted,
    /// How much there would be.
    pub would_be: i64,
    /// How much there may be.
    pub limit: i64,
    /// Whether the limit is a hard one.
    pub hard: bool,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, kind) = match self.of {
            Counted::Znodes => ("znodes", if self.hard { "hard" } else { "soft" }),
            Counted::Bytes => ("bytes", if self.hard { "hard" } else { "soft" }),
        };
        write!(f, "{} {of} would be above the {kind} limit of {}", self.would_be, self.limit)
    }
}

/// A quota in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// What may be.
    pub limits: Limits,
    /// What is; `None` while there is no znode to show it, and so nothing is counted.
    pub used: Option<Usage>,
}

impl Limits {
    /// Reads the data of a limits znode, or of one with the numbers. What can't be read is no limit, as an empty value and -1 are.
    pub fn parse(data: &[u8]) -> Limits {
        let mut limits = Limits::default();
        for pair in String::from_utf8_lossy(data).split([',', ';']) {
            // An `=` may stand at the end, which made old parsers stop here.
            let mut parts = pair.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let value = value.parse::<i64>().ok().filter(|limit| *limit > -1);
            match key {
                "count" => limits.count = value,
                "bytes" => limits.bytes = value,
                "countHardLimit" => limits.count_hard = value,
                "byteHardLimit" => limits.bytes_hard = value,
                _ => {}
            }
        }
        limits
    }
}

impl Usage {
    fn text(self) -> Bytes {
        format!("count={},bytes={}", self.count, self.bytes).into()
    }
}

impl Quota {
    /// The limit that so many more znodes and bytes would break: a hard one before a soft one, znodes before bytes.
    /// A hard limit takes the place of the soft one of its kind. Exactly the limit is allowed, and so is whatever does
    /// not add.
    pub fn excess(&self, count: i64, bytes: i64) -> Option<Excess> {
        let used = self.used?;
        let check = |of, soft: Option<i64>, hard: Option<i64>, now: i64, more: i64| {
            let limit = hard.or(soft)?;
            let would_be = now.saturating_add(more);
            (more > 0 && would_be > limit).then_some(Excess { of, would_be, limit, hard: hard.is_some() })
        };
        let limits = &self.limits;
        let of_count = check(Counted::Znodes, limits.count, limits.count_hard, used.count, count);
        let of_bytes = check(Counted::Bytes, limits.bytes, limits.bytes_hard, used.bytes, bytes);
        let hard = |excess: &Option<Excess>| excess.is_some_and(|excess| excess.hard);
        if !hard(&of_count) && hard(&of_bytes) { of_bytes } else { of_count.or(of_bytes) }
    }
}

/// The quotas of a tree by the path whose subtree they limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas(BTreeMap<Box<str>, Quota>);

/// For a znode of a quota: whose it is. In the server's own subtree there is none.
fn quota_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix(path::QUOTA)?.strip_prefix('/')?;
    let (of, name) = below.rsplit_once('/')?;
    // With its leading slash.
    let of = path.get(path::QUOTA.len()..path::QUOTA.len() + 1 + of.len())?;
    (matches!(name, LIMITS | STATS) && !is_own(of)).then_some(of)
}

fn limits_path(of: &str) -> String {
    format!("{}{of}/{LIMITS}", path::QUOTA)
}

fn stats_path(of: &str) -> String {
    format!("{}{of}/{STATS}", path::QUOTA)
}

/// A path and those above it, up to but without the root.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent))
        .take_while(|path| !path.is_empty() && *path != path::ROOT)
}

impl Tree {
    /// The nearest quota at or above `path`, with the path it stands on. The root has none, nor has the server's own
    /// subtree.
    pub fn quota_above(&self, path: &str) -> Option<(&str, &Quota)> {
        if self.quotas.0.is_empty() || is_own(path) {
            return None;
        }
        upwards(path).find_map(|path| self.quotas.0.get_key_value(path)).map(|(path, quota)| (&**path, quota))
    }

    /// All quotas in force, by the paths they stand on.
    pub fn quotas(&self) -> impl Iterator<Item = (&str, &Quota)> {
        self.quotas.0.iter().map(|(path, quota)| (&**path, quota))
    }

    /// Znodes and bytes came or went at `path`.
    pub(super) fn count_in_quotas(&mut self, path: &str, count: i64, bytes: i64) {
        if self.quotas.0.is_empty() || is_own(path) || (count, bytes) == (0, 0) {
            return;
        }
        for at in upwards(path) {
            let Some(used) = self.quotas.0.get_mut(at).and_then(|quota| quota.used.as_mut()) else { continue };
            used.count = used.count.saturating_add(count);
            used.bytes = used.bytes.saturating_add(bytes);
            let used = *used;
            self.show_usage(at, used);
        }
    }

    /// Something was done to the znode `path`: if it is one of a quota, the quota is what the znodes now say.
    pub(super) fn look_at_quota(&mut self, path: &str) {
        if let Some(of) = quota_of(path) {
            let of = of.to_owned();
            self.renew_quota(&of);
        }
    }

    fn renew_quota(&mut self, of: &str) {
        let Some(limits) = self.get(&limits_path(of)) else {
            self.quotas.0.remove(of);
            return;
        };
        let limits = Limits::parse(limits.data().map_or(&[], |data| data));
        let before = self.quotas.0.get(of).and_then(|quota| quota.used);
        let used = self.exists(&stats_path(of)).then(|| before.unwrap_or_else(|| self.count_subtree(of)));
        self.quotas.0.insert(of.into(), Quota { limits, used });
        // Also over what a client has just written there.
        if let Some(used) = used {
            self.show_usage(of, used);
        }
    }

    fn show_usage(&mut self, of: &str, used: Usage) {
        let path = stats_path(of);
        if let Some(node) = self.nodes.get_mut(&*path) {
            let text = used.text();
            let len = text.len() as u64;
            let old = node.put_data(&path, Some(text));
            // Brings the node's own digest up to date; the tree's does not count it.
            node.update_stat(|_| ());
            self.data_bytes = (self.data_bytes + len).saturating_sub(len_of(old.as_ref()));
        }
    }

    fn count_subtree(&self, top: &str) -> Usage {
        let mut used = Usage::default();
        let mut left = vec![String::from(top)];
        while let Some(path) = left.pop() {
            let Some(node) = self.get(&path) else { continue };
            used.count += 1;
            used.bytes = used.bytes.saturating_add(i64::try_from(len_of(node.data())).unwrap_or(i64::MAX));
            left.extend(node.children().iter().map(|name| format!("{path}/{name}")));
        }
        used
    }

    /// Finds the quotas of a tree just read, and counts.
    pub(super) fn find_quotas(&mut self) {
        let mut found = Vec::new();
        let mut left = vec![String::from(path::QUOTA)];
        while let Some(path) = left.pop() {
            let Some(node) = self.get(&path) else { continue };
            if node.children().contains(LIMITS)
                && let Some(of) = path.strip_prefix(path::QUOTA).filter(|of| !of.is_empty() && !is_own(of))
            {
                found.push(String::from(of));
            }
            left.extend(node.children().iter().map(|name| format!("{path}/{name}")));
        }
        for of in found {
            self.renew_quota(&of);
        }
    }
}

/// Whether a path is the server's own, where nothing is counted.
fn is_own(path: &str) -> bool {
    path.strip_prefix(path::ZOOKEEPER).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_clients_write_them() {
        let limits = |count, bytes, count_hard, bytes_hard| Limits { count, bytes, count_hard, bytes_hard };
        for (text, expected) in [
            ("count=3,bytes=-1", limits(Some(3), None, None, None)),
            ("count=,bytes=5", limits(None, Some(5), None, None)),
            ("count=-1,bytes=5=;byteHardLimit=9;countHardLimit=0", limits(None, Some(5), Some(0), Some(9))),
            ("bytes=5,,;count=6", limits(Some(6), Some(5), None, None)),
            ("", Limits::default()),
            ("count", Limits::default()),
            ("count=x,bytes=9999999999999999999999,other=1", Limits::default()),
        ] {
            assert_eq!(Limits::parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(Limits::parse(b"\xff=,count=1").count, Some(1));
    }

    #[test]
    fn which_limit_is_broken() {
        let quota =
            |text: &str| Quota { limits: Limits::parse(text.as_bytes()), used: Some(Usage { count: 5, bytes: 100 }) };
        let excess = |of, would_be, limit, hard| Some(Excess { of, would_be, limit, hard });
        use Counted::{Bytes, Znodes};
        for (limits, count, bytes, expected) in [
            ("count=6,bytes=101", 1, 1, None),
            ("count=5,bytes=100", 0, 0, None),
            ("count=1,bytes=1", 0, -3, None),
            ("count=5", 1, 0, excess(Znodes, 6, 5, false)),
            ("bytes=100", 1, 1, excess(Bytes, 101, 100, false)),
            ("count=9=;countHardLimit=5", 1, 0, excess(Znodes, 6, 5, true)),
            ("count=2=;countHardLimit=9", 1, 0, None),
            ("count=5,bytes=1=;byteHardLimit=100", 1, 1, excess(Bytes, 101, 100, true)),
            ("count=5,bytes=1", 1, 1, excess(Znodes, 6, 5, false)),
        ] {
            assert_eq!(quota(limits).excess(count, bytes), expected, "{limits}");
        }
        assert_eq!(Quota { used: None, ..quota("count=0") }.excess(1, 0), None, "nothing is counted");
    }

    #[test]
    fn whose_a_znode_is() {
        for (path, of) in [
            ("/zookeeper/quota/a/zookeeper_limits", Some("/a")),
            ("/zookeeper/quota/a/b/zookeeper_stats", Some("/a/b")),
            ("/zookeeper/quota/a/other", None),
            ("/zookeeper/quota/zookeeper/zookeeper_limits", None),
            ("/zookeeper/quota/zookeeper/quota/zookeeper_stats", None),
            ("/zookeeper/quota/zookeepers/zookeeper_stats", Some("/zookeepers")),
            ("/zookeeper/quota/zookeeper_limits", None),
            ("/zookeeper/quotas/a/zookeeper_limits", None),
            ("/a/zookeeper_limits", None),
        ] {
            assert_eq!(quota_of(path), of, "{path}");
        }
        assert!(upwards("/a/b/c").eq(["/a/b/c", "/a/b", "/a"]) && upwards("/").next().is_none());
    }
}
