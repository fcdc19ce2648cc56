//! The ledger: rows are servers, columns are zxids, so that one look says what is where.

use crate::scene::palette::epoch_class;
use std::collections::BTreeSet;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::sim::view::{Shown, WorldView};

/// The newest columns that are drawn. Older ones are counted, not drawn: hundreds of them would only cost time.
pub const COLUMNS: usize = 24;

/// How far a transaction has come at one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stamp {
    /// Written, not yet durable.
    Logged,
    /// Durable.
    Synced,
    /// Acknowledged to the leader.
    Acked,
    /// Committed.
    Committed,
    /// No longer in the log, but part of the snapshot.
    Folded,
}

impl Stamp {
    /// Its style class and the last part of its text's key.
    pub fn class(self) -> &'static str {
        match self {
            Stamp::Logged => "logged",
            Stamp::Synced => "synced",
            Stamp::Acked => "acked",
            Stamp::Committed => "committed",
            Stamp::Folded => "folded",
        }
    }
}

/// One transaction at one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How far it has come.
    pub stamp: Stamp,
    /// A few characters.
    pub label: String,
}

/// One server's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub server: ServerId,
    /// What it does.
    pub shown: Shown,
    /// Frozen.
    pub paused: bool,
    /// A cell for each column, `None` where it has nothing.
    pub cells: Vec<Option<Cell>>,
}

/// One transaction's column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its zxid.
    pub zxid: Zxid,
    /// Its epoch's colour.
    pub colour: &'static str,
    /// The first column of its epoch.
    pub opens: bool,
}

/// The whole ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Transactions in order.
    pub columns: Vec<Column>,
    /// Servers in order of id.
    pub rows: Vec<Row>,
    /// Older transactions that are not drawn.
    pub older: usize,
}

impl Ledger {
    /// The ledger of a view.
    pub fn new(view: &WorldView) -> Ledger {
        let all: BTreeSet<Zxid> = view.servers.iter().flat_map(|s| s.log.iter().map(|c| c.zxid)).collect();
        let older = all.len().saturating_sub(COLUMNS);
        let zxids: Vec<Zxid> = all.into_iter().skip(older).collect();
        let columns = zxids
            .iter()
            .enumerate()
            .map(|(i, z)| Column {
                zxid: *z,
                colour: epoch_class(z.epoch()),
                opens: i == 0 || zxids.get(i - 1).is_some_and(|before| before.epoch() != z.epoch()),
            })
            .collect();
        let rows = view
            .servers
            .iter()
            .map(|s| Row {
                server: s.id,
                shown: s.shown,
                paused: s.paused,
                cells: zxids
                    .iter()
                    .map(|z| match s.log.binary_search_by_key(z, |c| c.zxid) {
                        Ok(i) => s.log.get(i).map(|c| Cell {
                            stamp: match (c.committed, c.acked, c.synced) {
                                (true, ..) => Stamp::Committed,
                                (_, true, _) => Stamp::Acked,
                                (_, _, true) => Stamp::Synced,
                                _ => Stamp::Logged,
                            },
                            label: c.label.clone(),
                        }),
                        Err(_) if *z <= s.snapshot => Some(Cell { stamp: Stamp::Folded, label: String::new() }),
                        Err(_) => None,
                    })
                    .collect(),
            })
            .collect();
        Ledger { columns, rows, older }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample::{five, zxid};
    use zebu_core::sim::view::LogCell;

    #[test]
    fn columns_are_the_union_and_cells_say_how_far() {
        let ledger = Ledger::new(&five());
        assert_eq!(ledger.columns.iter().map(|c| c.zxid).collect::<Vec<_>>(), [zxid(1, 1), zxid(1, 2), zxid(2, 1)]);
        assert_eq!(ledger.columns.iter().map(|c| c.opens).collect::<Vec<_>>(), [true, false, true]);
        let stamps: Vec<Option<Stamp>> = ledger.rows.iter().map(|r| r.cells[2].as_ref().map(|c| c.stamp)).collect();
        assert_eq!(stamps, [Some(Stamp::Acked), Some(Stamp::Synced), Some(Stamp::Acked), None, None]);
        assert_eq!(ledger.rows[4].cells[0].as_ref().map(|c| c.stamp), Some(Stamp::Committed));
    }

    #[test]
    fn a_snapshot_covers_what_the_log_lost() {
        let mut view = five();
        view.servers[4].log.remove(0);
        view.servers[4].snapshot = zxid(1, 1);
        let ledger = Ledger::new(&view);
        assert_eq!(ledger.rows[4].cells[0].as_ref().map(|c| c.stamp), Some(Stamp::Folded));
    }

    #[test]
    fn only_the_newest_columns_are_drawn() {
        let mut view = five();
        view.servers[0].log = (1..=100)
            .map(|i| LogCell { zxid: zxid(2, i), label: String::new(), synced: true, acked: true, committed: true })
            .collect();
        let ledger = Ledger::new(&view);
        assert_eq!(ledger.columns.len(), COLUMNS);
        assert_eq!(ledger.older, 100 + 2 - COLUMNS);
        assert_eq!(ledger.columns.last().map(|c| c.zxid), Some(zxid(2, 100)));
    }
}
