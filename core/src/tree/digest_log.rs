//! The tree's digest from time to time, by which an operator sees whether servers hold the same (client-protocol §13,
//! `hash`).

use crate::id::Zxid;
use alloc::collections::VecDeque;

/// Every so many transactions the digest is kept: all servers keep it at the same ones.
const EVERY: i64 = 128;

/// How many are kept; the oldest goes.
const LIMIT: usize = 1024;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestLog {
    kept: VecDeque<(Zxid, i64)>,
}

impl DigestLog {
    /// The tree had this digest after the transaction. One that was applied before (in a replay) counts as the last.
    pub(super) fn note(&mut self, zxid: Zxid, digest: i64) {
        if zxid.0 % EVERY != 0 {
            return;
        }
        while self.kept.back().is_some_and(|(last, _)| *last >= zxid) {
            self.kept.pop_back();
        }
        if self.kept.len() >= LIMIT {
            self.kept.pop_front();
        }
        self.kept.push_back((zxid, digest));
    }

    /// The kept ones, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Zxid, i64)> + '_ {
        self.kept.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_128th_and_the_last_1024_of_them() {
        let mut log = DigestLog::default();
        (1..=128 * 3).for_each(|zxid| log.note(Zxid(zxid), zxid * 10));
        let expected = [(0x80, 1280), (0x100, 2560), (0x180, 3840)];
        assert!(log.iter().eq(expected.map(|(zxid, digest)| (Zxid(zxid), digest))));
        log.note(Zxid(0x100), 7);
        assert!(log.iter().eq([(Zxid(0x80), 1280), (Zxid(0x100), 7)]), "a replay begins anew there");
        (1..=2000).for_each(|n| log.note(Zxid((1 << 32) + n * 128), n));
        let kept: Vec<_> = log.iter().collect();
        assert_eq!((kept.len(), kept.first().map(|k| k.1), kept.last().map(|k| k.1)), (1024, Some(977), Some(2000)));
    }
}
