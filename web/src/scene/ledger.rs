//! The ledger: rows are servers, columns are zxids, so that one look says what is where.

use crate::scene::packets::last_name;
use crate::scene::palette::epoch_class;
use zebu_core::collections::BTreeSet;
use zebu_core::compare::note::Role;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::sim::view::{ConfigView, LogCell, MembersView, ModelView, ServerView, Shown, WorldView};

/// The newest columns that are drawn, twice as many as there is room for. Older ones are counted, not drawn: hundreds of
/// them would only cost time.
pub const COLUMNS: usize = 12;

/// How far a transaction has come at one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stamp {
    /// Written, not yet durable.
    Logged,
    /// Durable.
    Synced,
    /// Acknowledged to the leader.
    Acked,
    /// Committed somewhere; this server holds it and has not applied it yet.
    Committed,
    /// Committed and applied here.
    Applied,
    /// No longer in the log, but part of the snapshot.
    Folded,
    /// It will never count: aborted, superseded.
    Void,
}

impl Stamp {
    /// All of them, in the order in which a transaction passes through them.
    pub const ALL: [Stamp; 6] =
        [Stamp::Logged, Stamp::Synced, Stamp::Acked, Stamp::Committed, Stamp::Applied, Stamp::Folded];

    /// Those of compared protocols: their disks are instant, they make no snapshots, and some of what they write is void.
    pub const MODELS: [Stamp; 4] = [Stamp::Acked, Stamp::Committed, Stamp::Applied, Stamp::Void];

    /// The key of its text.
    pub fn key(self) -> &'static str {
        match self {
            Stamp::Logged => "stamp.logged",
            Stamp::Synced => "stamp.synced",
            Stamp::Acked => "stamp.acked",
            Stamp::Committed => "stamp.committed",
            Stamp::Applied => "stamp.applied",
            Stamp::Folded => "stamp.folded",
            Stamp::Void => "stamp.void",
        }
    }

    /// Its style class.
    pub fn class(self) -> &'static str {
        self.key().trim_start_matches("stamp.")
    }
}

/// One transaction at one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How far it has come.
    pub stamp: Stamp,
    /// A few characters.
    pub label: String,
    /// All of them.
    pub full: String,
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
    /// What it is in a compared protocol.
    pub role: Option<Role>,
    /// It leads, or may claim to.
    pub crown: bool,
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
    /// This column stands for so many that only open or close sessions.
    pub folds: usize,
    /// While it is not committed: acknowledgements that its leader has, and how many are needed.
    pub acks: Option<(usize, usize)>,
    /// While a change of members is open: the same among those who are to vote.
    pub joint: Option<(usize, usize)>,
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
    /// What its columns are called.
    pub title: &'static str,
    /// Some of them may only open and close sessions.
    pub sessions: bool,
    /// How far a transaction may come here, for a legend.
    pub stamps: &'static [Stamp],
}

impl Ledger {
    /// The ledger of a view: at most `most` columns, the newest; with `fold`, transactions that only open or close a
    /// session share a column.
    pub fn new(view: &WorldView, most: usize, fold: bool) -> Ledger {
        let all = view.servers.iter().fold(Vec::new(), |all, s| merged(all, &s.log));
        // Each group is drawn as one column, under the zxid of its last: that, and how many there are.
        let mut groups: Vec<(Zxid, usize)> = Vec::with_capacity(all.len());
        let mut folding = false;
        for (zxid, only_session) in all {
            let foldable = fold && only_session;
            match groups.last_mut() {
                Some((last, count)) if foldable && folding && last.epoch() == zxid.epoch() => {
                    (*last, *count) = (zxid, *count + 1);
                }
                _ => groups.push((zxid, 1)),
            }
            folding = foldable;
        }
        let older = groups.len().saturating_sub(most.max(1));
        let groups = groups.split_off(older);
        let zxids: Vec<Zxid> = groups.iter().map(|(last, _)| *last).collect();
        let columns = groups
            .iter()
            .enumerate()
            .map(|(i, (z, count))| Column {
                zxid: *z,
                colour: epoch_class(z.epoch()),
                opens: i == 0 || zxids.get(i - 1).is_some_and(|before| before.epoch() != z.epoch()),
                folds: if *count > 1 { *count } else { 0 },
                acks: acks(view, *z).map(|a| a.0),
                joint: acks(view, *z).and_then(|a| a.1),
            })
            .collect();
        // The furthest that anybody has committed, in the histories that are seen.
        let commits = |z: &Zxid| view.servers.iter().any(|s| found(s, *z).is_some_and(|c| c.committed));
        let committed: BTreeSet<Zxid> = zxids.iter().copied().filter(commits).collect();
        let rows = view
            .servers
            .iter()
            .map(|s| Row {
                server: s.id,
                shown: s.shown,
                paused: s.paused,
                role: s.model.as_ref().map(|m| m.role),
                crown: s.model.as_ref().map_or(s.shown == Shown::Leading, |m| m.crown && s.shown != Shown::Down),
                cells: zxids.iter().map(|z| cell(s, *z, &committed)).collect(),
            })
            .collect();
        let models: Vec<&ModelView> = view.servers.iter().filter_map(|s| s.model.as_ref()).collect();
        let numbered = models.iter().any(|m| m.badge.is_some());
        let title = if numbered { "md.logs" } else { "ledger.title" };
        let stamps = if models.is_empty() { &Stamp::ALL[..] } else { &Stamp::MODELS[..] };
        Ledger { columns, rows, older, title, sessions: models.is_empty(), stamps }
    }
}

/// Whether a transaction does nothing but open or close a session.
fn is_session(label: &str) -> bool {
    label.ends_with("session")
}

/// How many acknowledgements of how many that are needed.
pub type Meter = (usize, usize);

/// The meter of a proposal that these have acknowledged; while a change of members is open, both have to agree, each by
/// itself: the one of the old members, and that of the new ones.
pub fn meters(s: &ServerView, by: &[ServerId]) -> (Meter, Option<Meter>) {
    let of = |c: &ConfigView| (by.iter().filter(|id| c.voters.contains(id)).count(), c.quorum);
    match &s.inside.members {
        Some(MembersView { committed, proposed: Some(proposed) }) => (of(committed), Some(of(proposed))),
        _ => ((by.len(), s.quorum), None),
    }
}

fn acks(view: &WorldView, zxid: Zxid) -> Option<(Meter, Option<Meter>)> {
    let mut leaders = view.servers.iter().filter(|s| s.shown == Shown::Leading);
    leaders.find_map(|s| {
        let (_, by) = s.outstanding.iter().find(|(z, _)| *z == zxid)?;
        Some(meters(s, by))
    })
}

/// The most characters of a label that a cell has room for.
const ROOM: usize = 9;

/// A label for a cell. Names that end in a number differ at their end, so of long ones the end is kept.
fn short(label: &str) -> String {
    let last = last_name(label);
    if label.chars().count() > ROOM && last.chars().count() <= ROOM {
        return last;
    }
    let count = label.chars().count();
    let numbered = label.split('=').next().is_some_and(|name| name.ends_with(|c: char| c.is_ascii_digit()));
    if count <= ROOM || !numbered {
        return label.into();
    }
    // What goes is told by its sign, which is at the beginning.
    let sign = label.starts_with('−').then_some('−');
    let end = label.chars().skip(count - ROOM + 1 + usize::from(sign.is_some()));
    sign.into_iter().chain(['…']).chain(end).collect()
}

fn cell(s: &ServerView, zxid: Zxid, committed: &BTreeSet<Zxid>) -> Option<Cell> {
    match found(s, zxid) {
        Some(c) => Some(Cell {
            stamp: match (c.committed, c.acked, c.synced) {
                _ if s.model.as_ref().is_some_and(|m| m.void.contains(&zxid)) => Stamp::Void,
                (true, ..) => Stamp::Applied,
                _ if committed.contains(&zxid) => Stamp::Committed,
                (_, true, _) => Stamp::Acked,
                (_, _, true) => Stamp::Synced,
                _ => Stamp::Logged,
            },
            label: short(&c.label),
            full: c.label.clone(),
        }),
        None if zxid <= s.snapshot => Some(Cell { stamp: Stamp::Folded, label: String::new(), full: String::new() }),
        None => None,
    }
}

/// A transaction in a server's log.
fn found(s: &ServerView, zxid: Zxid) -> Option<&LogCell> {
    s.log.binary_search_by_key(&zxid, |c| c.zxid).ok().and_then(|i| s.log.get(i))
}

/// The zxids of `all` and of a log, in order, and whether each only opens or closes a session wherever it is. Runs are
/// long, and mostly all servers have the same ones: one pass, and no search.
fn merged(all: Vec<(Zxid, bool)>, log: &[LogCell]) -> Vec<(Zxid, bool)> {
    let mut both = Vec::with_capacity(all.len().max(log.len()));
    let mut rest = log.iter().peekable();
    let own = |c: &LogCell| (c.zxid, is_session(&c.label));
    for (zxid, only_session) in all {
        while let Some(before) = rest.next_if(|c| c.zxid < zxid) {
            both.push(own(before));
        }
        let here = rest.next_if(|c| c.zxid == zxid);
        both.push((zxid, only_session && here.is_none_or(|c| is_session(&c.label))));
    }
    both.extend(rest.map(own));
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample::{five, zxid};

    #[test]
    fn columns_are_the_union_and_cells_say_how_far() {
        let ledger = Ledger::new(&five(), COLUMNS, false);
        assert_eq!(ledger.columns.iter().map(|c| c.zxid).collect::<Vec<_>>(), [zxid(1, 1), zxid(1, 2), zxid(2, 1)]);
        assert_eq!(ledger.columns.iter().map(|c| c.opens).collect::<Vec<_>>(), [true, false, true]);
        let stamps: Vec<Option<Stamp>> = ledger.rows.iter().map(|r| r.cells[2].as_ref().map(|c| c.stamp)).collect();
        assert_eq!(stamps, [Some(Stamp::Acked), Some(Stamp::Synced), Some(Stamp::Acked), None, None]);
        assert_eq!(ledger.rows[4].cells[0].as_ref().map(|c| c.stamp), Some(Stamp::Applied));
        assert_eq!(ledger.columns.iter().map(|c| c.acks).collect::<Vec<_>>(), [None, None, Some((2, 3))]);
    }

    #[test]
    fn long_names_with_a_number_keep_their_end() {
        for (label, shown) in [
            ("/x=1", "/x=1"),
            ("+session", "+session"),
            ("/locks/lock-116f8c59a445671b-0000000002=A", "…000002=A"),
            ("−/locks/lock-116f8c59a445671b-0000000002", "−…0000002"),
            ("/a-long-name=value", "/a-long-name=value"),
            ("/zookeeper/config=server.1=10.…", "…/config"),
        ] {
            assert_eq!(short(label), shown);
        }
    }

    #[test]
    fn a_snapshot_covers_what_the_log_lost() {
        let mut view = five();
        view.servers[4].log.remove(0);
        view.servers[4].snapshot = zxid(1, 1);
        let ledger = Ledger::new(&view, COLUMNS, false);
        assert_eq!(ledger.rows[4].cells[0].as_ref().map(|c| c.stamp), Some(Stamp::Folded));
    }

    #[test]
    fn what_the_leader_has_committed_is_told_from_what_is_applied_here() {
        let mut view = five();
        view.servers[2].log[2].committed = true;
        view.servers[2].outstanding.clear();
        let ledger = Ledger::new(&view, COLUMNS, false);
        let stamps: Vec<Option<Stamp>> = ledger.rows.iter().map(|r| r.cells[2].as_ref().map(|c| c.stamp)).collect();
        assert_eq!(stamps, [Some(Stamp::Committed), Some(Stamp::Committed), Some(Stamp::Applied), None, None]);
        let classes: BTreeSet<&str> = Stamp::ALL.iter().map(|s| s.class()).collect();
        assert_eq!(classes.len(), Stamp::ALL.len(), "each has a pattern and a text of its own");
    }

    #[test]
    fn transactions_of_sessions_fold_into_one_column() {
        let mut view = five();
        let cell = |counter, label: &str| LogCell {
            zxid: zxid(2, counter),
            label: label.into(),
            synced: true,
            acked: true,
            committed: true,
        };
        let labels = ["+session", "+session", "−session", "/a", "+session"];
        view.servers[0].log = (1..).zip(labels).map(|(i, l)| cell(i, l)).collect();
        (1..5).for_each(|i| view.servers[i].log.clear());
        let open = Ledger::new(&view, COLUMNS, false);
        let folded = Ledger::new(&view, COLUMNS, true);
        assert_eq!(open.columns.len(), 5);
        let shape: Vec<_> = folded.columns.iter().map(|c| (c.zxid.counter(), c.folds)).collect();
        assert_eq!(shape, [(3, 3), (4, 0), (5, 0)]);
        assert_eq!(Ledger::new(&view, 2, true).older, 1);
    }

    #[test]
    fn logs_that_differ_are_merged_in_order() {
        let cell = |counter, label: &str| {
            let (synced, acked, committed) = (true, true, true);
            LogCell { zxid: zxid(1, counter), label: label.into(), synced, acked, committed }
        };
        let logs = [
            vec![cell(2, "/a"), cell(4, "+session"), cell(5, "+session")],
            vec![],
            vec![cell(1, "+session"), cell(2, "+session"), cell(4, "+session"), cell(7, "/b")],
            vec![cell(3, "/c"), cell(5, "/d")],
        ];
        let all = logs.iter().fold(Vec::new(), |all, log| merged(all, log));
        let seen: Vec<_> = all.iter().map(|(z, only)| (z.counter(), *only)).collect();
        assert_eq!(seen, [(1, true), (2, false), (3, false), (4, true), (5, false), (7, false)]);
    }

    #[test]
    fn only_the_newest_columns_are_drawn() {
        let mut view = five();
        view.servers[0].log = (1..=100)
            .map(|i| LogCell { zxid: zxid(2, i), label: String::new(), synced: true, acked: true, committed: true })
            .collect();
        let ledger = Ledger::new(&view, COLUMNS, false);
        assert_eq!(ledger.columns.len(), COLUMNS);
        assert_eq!(ledger.older, 100 + 2 - COLUMNS);
        assert_eq!(ledger.columns.last().map(|c| c.zxid), Some(zxid(2, 100)));
    }
}
