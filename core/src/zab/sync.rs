//! Choosing how a learner is brought up to date: a pure function of two histories (quorum-protocol §7).
//!
//! Apache's rows 1, 2, 3 and 5. Three differences, both towards safety or thrift: a leader that has no transaction of
//! its own epoch yet counts as being at the end of its history (Apache at `epoch:0`), so a learner with the same
//! history gets an empty DIFF and not the whole state; a learner at the beginning of an epoch of which we know nothing gets
//! SNAP, not DIFF; and history older than what is in memory is not read back
//! from the log files (row 4), such a learner gets SNAP.

use crate::id::Zxid;
use crate::note::SyncKind;
use crate::zab::history::History;

/// What to send a learner: first the head, then every entry above `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// DIFF, TRUNC or SNAP.
    pub kind: SyncKind,
    /// The head's zxid: DIFF's target, TRUNC's cut, SNAP's state.
    pub zxid: Zxid,
    /// The learner has everything up to here once it has carried out the head.
    pub from: Zxid,
    /// The oldest transaction the choice could use, for the explanation.
    pub oldest: Zxid,
}

/// Plans for a learner whose log ends at `peer`; `committed` is the end of what may be taken as committed (the whole
/// initial history while the leader is not established yet, since a quorum's NEWLEADER acknowledgements commit it).
pub fn plan(peer: Zxid, history: &History, committed: Zxid) -> Plan {
    let newest = committed;
    let oldest = history.first().filter(|first| *first <= committed).unwrap_or(newest);
    let whole = Plan { kind: SyncKind::Snap, zxid: newest, from: newest, oldest };
    let diff = Plan { kind: SyncKind::Diff, zxid: newest, from: peer, oldest };
    let new_epoch = peer.counter() == 0;
    if peer == newest {
        return diff;
    }
    if peer > newest {
        return if new_epoch { whole } else { Plan { kind: SyncKind::Trunc, zxid: newest, from: newest, oldest } };
    }
    if peer < oldest {
        return whole;
    }
    // The learner is at the beginning of an epoch. If anything of that epoch is in our history, what the epoch began with
    // is too; otherwise its leader may have had something that nobody else kept.
    let began = || new_epoch && history.after(peer).next().is_some_and(|e| e.zxid.epoch() == peer.epoch());
    if history.get(peer).is_some() || began() {
        return diff;
    }
    // The learner has a transaction that nobody else kept. Cutting it off inside one epoch is safe; across epochs the
    // learner could not tell what else it lacks.
    let mut previous = oldest;
    for entry in history.entries().take_while(|e| e.zxid <= newest) {
        if entry.zxid > peer {
            return if entry.zxid.epoch() == peer.epoch() {
                Plan { kind: SyncKind::Trunc, zxid: previous, from: previous, oldest }
            } else {
                whole
            };
        }
        previous = entry.zxid;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;
    use SyncKind::{Diff, Snap, Trunc};
    use alloc::string::ToString;
    use bytes::Bytes;

    fn z(text: &str) -> Zxid {
        let (e, c) = text.split_once(':').unwrap();
        Zxid::new(Epoch(e.parse().unwrap()), c.parse().unwrap())
    }

    #[test]
    fn every_row_of_the_table() {
        // base, entries, committed, learner, kind, head's zxid, first entry sent is above
        type Row =
            (&'static str, &'static [&'static str], &'static str, &'static str, SyncKind, &'static str, &'static str);
        let rows: &[Row] = &[
            ("0:0", &[], "0:0", "0:0", Diff, "0:0", "0:0"),
            ("0:0", &["1:1", "1:2"], "1:2", "1:2", Diff, "1:2", "1:2"),
            ("0:0", &["1:1", "1:2"], "1:2", "1:1", Diff, "1:2", "1:1"),
            ("0:0", &["1:1", "1:2"], "1:2", "0:0", Snap, "1:2", "1:2"),
            ("0:0", &["1:1", "1:2"], "1:2", "1:5", Trunc, "1:2", "1:2"),
            ("0:0", &["1:1", "1:2"], "1:1", "1:2", Trunc, "1:1", "1:1"),
            ("0:0", &["1:1", "1:2"], "1:2", "2:0", Snap, "1:2", "1:2"),
            ("0:0", &["4:1", "4:2", "4:3"], "4:3", "5:3", Trunc, "4:3", "4:3"),
            // An old leader with an uncommitted 1:3, the new one has committed 2:1: TRUNC may not cross the epoch.
            ("0:0", &["1:1", "1:2", "2:1"], "2:1", "1:3", Snap, "2:1", "2:1"),
            ("0:0", &["1:1", "1:2", "2:1", "2:2"], "2:2", "2:0", Diff, "2:2", "2:0"),
            // Epoch 2 came to nothing, and may have begun with an uncommitted 1:3.
            ("0:0", &["1:1", "1:2", "3:1"], "3:1", "2:0", Snap, "3:1", "3:1"),
            ("1:7", &["1:8", "1:9"], "1:9", "1:7", Snap, "1:9", "1:9"),
            ("1:7", &[], "1:7", "1:7", Diff, "1:7", "1:7"),
            ("1:7", &[], "1:7", "1:3", Snap, "1:7", "1:7"),
            ("0:0", &["1:1", "1:2", "1:4"], "1:4", "1:3", Trunc, "1:2", "1:2"),
        ];
        for (base, entries, committed, peer, kind, head, from) in rows {
            let h = History::new(z(base), entries.iter().map(|e| (z(e), Bytes::new())));
            let p = plan(z(peer), &h, z(committed));
            assert_eq!(
                (p.kind, p.zxid.to_string(), p.from.to_string()),
                (*kind, head.to_string(), from.to_string()),
                "learner at {peer}, leader {base} + {entries:?}, committed {committed}"
            );
        }
    }
}
