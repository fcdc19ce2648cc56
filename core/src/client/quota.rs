//! Quotas as a client sets and shows them: the znodes that hold them and the text inside (client-protocol §10.4). That
//! quotas do not nest is a rule among clients; the servers count.

use crate::tree::path;
pub use crate::tree::quota::{LIMITS, Limits, STATS};
use alloc::format;
use alloc::string::String;
use core::fmt;

/// The znode under which the quota of `of` lives.
pub fn node(of: &str) -> String {
    format!("{}{of}", path::QUOTA)
}

/// The path whose quota lives under `node`.
pub fn path_of(node: &str) -> &str {
    node.strip_prefix(path::QUOTA).filter(|rest| !rest.is_empty()).unwrap_or(path::ROOT)
}

/// What a client does with limits; what there is has the same form.
impl Limits {
    /// These limits with those that `with` names put in their place.
    pub fn changed(self, with: Limits) -> Limits {
        Limits {
            count: with.count.or(self.count),
            bytes: with.bytes.or(self.bytes),
            count_hard: with.count_hard.or(self.count_hard),
            bytes_hard: with.bytes_hard.or(self.bytes_hard),
        }
    }

    /// Whether `used` is above a limit already: of znodes, of bytes.
    pub fn exceeded(&self, used: &Limits) -> (bool, bool) {
        let above = |limits: [Option<i64>; 2], used: Option<i64>| {
            limits.into_iter().flatten().any(|limit| used.is_some_and(|used| limit < used))
        };
        (above([self.count, self.count_hard], used.count), above([self.bytes, self.bytes_hard], used.bytes))
    }
}

impl fmt::Display for Limits {
    /// Apache's form. The `=` before the first `;` makes old parsers stop there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |limit: Option<i64>| limit.unwrap_or(-1);
        write!(f, "count={},bytes={}", number(self.count), number(self.bytes))?;
        if self.count_hard.is_some() || self.bytes_hard.is_some() {
            let (bytes, count) = (number(self.bytes_hard), number(self.count_hard));
            write!(f, "=;byteHardLimit={bytes};countHardLimit={count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn track(count: i64, bytes: i64, count_hard: i64, bytes_hard: i64) -> Limits {
        let limit = |n: i64| (n >= 0).then_some(n);
        let (count, bytes) = (limit(count), limit(bytes));
        Limits { count, bytes, count_hard: limit(count_hard), bytes_hard: limit(bytes_hard) }
    }

    #[test]
    fn texts() {
        for (text, want, shown) in [
            ("count=3,bytes=-1", track(3, -1, -1, -1), "count=3,bytes=-1"),
            ("count=,bytes=5", track(-1, 5, -1, -1), "count=-1,bytes=5"),
            (
                "count=-1,bytes=5=;byteHardLimit=9;countHardLimit=0",
                track(-1, 5, 0, 9),
                "count=-1,bytes=5=;byteHardLimit=9;countHardLimit=0",
            ),
            (
                "count=1,bytes=2=;countHardLimit=7",
                track(1, 2, 7, -1),
                "count=1,bytes=2=;byteHardLimit=-1;countHardLimit=7",
            ),
            ("", Limits::default(), "count=-1,bytes=-1"),
            ("count=x,bytes,,=;=", Limits::default(), "count=-1,bytes=-1"),
        ] {
            assert_eq!(Limits::parse(text.as_bytes()), want, "{text:?}");
            assert_eq!(want.to_string(), shown, "{text:?}");
        }
    }

    #[test]
    fn limits_change_one_by_one() {
        assert_eq!(track(1, 2, 3, -1).changed(track(-1, 5, -1, 7)), track(1, 5, 3, 7));
    }

    #[test]
    fn what_is_above_a_limit() {
        for (limits, used, want) in [
            (track(3, 10, -1, -1), track(3, 10, -1, -1), (false, false)),
            (track(3, 10, -1, -1), track(4, 10, -1, -1), (true, false)),
            (track(-1, -1, 3, 9), track(4, 10, -1, -1), (true, true)),
            (track(-1, -1, -1, -1), track(4, 10, -1, -1), (false, false)),
        ] {
            assert_eq!(limits.exceeded(&used), want);
        }
    }

    #[test]
    fn znodes() {
        assert_eq!(node("/a/b"), "/zookeeper/quota/a/b");
        for (node, want) in [("/zookeeper/quota/a", "/a"), ("/zookeeper/quota", "/"), ("/else", "/")] {
            assert_eq!(path_of(node), want);
        }
    }
}
