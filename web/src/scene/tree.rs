//! The znode tree of one server, with what differs from the leader's marked.

use zebu_core::collections::{BTreeMap, BTreeSet, order};
use zebu_core::id::{ServerId, SessionId};
use zebu_core::sim::command::ClientId;
use zebu_core::sim::view::{Shown, WorldView, ZnodeView};

/// The most znodes that are drawn; the rest are counted.
pub const LINES: usize = 200;

/// How a znode compares with the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The same, or there is no leader to compare with.
    Same,
    /// The leader has other data or another version.
    Changed,
    /// The leader does not have it.
    Extra,
    /// Only the leader has it.
    Missing,
}

/// One znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Depth, 0 for the root.
    pub depth: usize,
    /// The last part of the path, `/` for the root.
    pub name: String,
    /// The whole path.
    pub path: String,
    /// Data as text.
    pub data: String,
    /// Version of the data.
    pub version: i32,
    /// The client that owns it, or just its session, for an ephemeral.
    pub owner: Option<Owner>,
    /// Watched by so many links of this server.
    pub watches: usize,
    /// Compared with the leader.
    pub difference: Difference,
}

/// Who owns an ephemeral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A client of this world.
    Client(ClientId),
    /// A session nobody here has.
    Session(SessionId),
}

/// The tree of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeModel {
    /// Whose.
    pub server: ServerId,
    /// The leader it is compared with; `None` if it leads itself or nobody does.
    pub leader: Option<ServerId>,
    /// Znodes in path order.
    pub lines: Vec<Line>,
    /// More that are not drawn.
    pub more: usize,
    /// The digest, equal on servers with equal trees.
    pub digest: i64,
}

impl TreeModel {
    /// The tree of `server`; `None` if there is no such server.
    pub fn new(view: &WorldView, server: ServerId) -> Option<TreeModel> {
        let own = view.servers.iter().find(|s| s.id == server)?;
        let leader = view
            .servers
            .iter()
            .filter(|s| s.shown == Shown::Leading && s.serving && s.id != server)
            .max_by_key(|s| s.epoch);
        let theirs: Option<BTreeMap<&str, &ZnodeView>> =
            leader.map(|l| l.tree.iter().map(|z| (z.path.as_str(), z)).collect());
        let owner = |session: SessionId| {
            let client = view.clients.iter().find(|c| c.session == Some(session));
            client.map_or(Owner::Session(session), |c| Owner::Client(c.id))
        };
        let line = |z: &ZnodeView, difference| Line {
            depth: if z.path == "/" { 0 } else { z.path.matches('/').count() },
            name: if z.path == "/" { "/".into() } else { z.path.rsplit('/').next().unwrap_or("").into() },
            path: z.path.clone(),
            data: z.data.clone(),
            version: z.version,
            owner: z.owner.map(owner),
            watches: z.watches,
            difference,
        };
        let mut lines: Vec<Line> = own
            .tree
            .iter()
            .map(|z| {
                let difference = match theirs.as_ref().map(|t| t.get(z.path.as_str())) {
                    None => Difference::Same,
                    Some(None) => Difference::Extra,
                    Some(Some(t)) if t.version != z.version || t.mzxid != z.mzxid => Difference::Changed,
                    Some(Some(_)) => Difference::Same,
                };
                line(z, difference)
            })
            .collect();
        if let Some(theirs) = &theirs {
            let here: BTreeSet<&str> = own.tree.iter().map(|z| z.path.as_str()).collect();
            let missing = theirs.values().filter(|z| !here.contains(z.path.as_str()));
            lines.extend(missing.map(|z| line(z, Difference::Missing)));
            // A slash counts less than any other character: children stand right after their parent.
            if lines.len() > own.tree.len() {
                order::sort_by(&mut lines, |a, b| ranks(&a.path).cmp(ranks(&b.path)));
            }
        }
        let more = lines.len().saturating_sub(LINES);
        lines.truncate(LINES);
        Some(TreeModel { server, leader: leader.map(|l| l.id), lines, more, digest: own.tree_digest })
    }
}

fn ranks(path: &str) -> impl Iterator<Item = u8> + '_ {
    path.bytes().map(|b| if b == b'/' { 0 } else { b })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample::{five, zxid};

    #[test]
    fn differences_to_the_leader_are_marked() {
        let mut view = five();
        let mut extra = view.servers[0].tree[1].clone();
        extra.path = "/only-here".into();
        extra.owner = Some(SessionId(0x10_0000));
        view.servers[0].tree.push(extra.clone());
        view.servers[0].tree[1].mzxid = zxid(1, 1);
        extra.path = "/x/only-there".into();
        view.servers[2].tree.push(extra);
        let tree = TreeModel::new(&view, ServerId(1)).unwrap();
        let seen: Vec<(&str, Difference)> = tree.lines.iter().map(|l| (l.path.as_str(), l.difference)).collect();
        assert_eq!(
            seen,
            [
                ("/", Difference::Same),
                ("/only-here", Difference::Extra),
                ("/x", Difference::Changed),
                ("/x/only-there", Difference::Missing)
            ]
        );
        assert_eq!(tree.lines[1].owner, Some(Owner::Client(ClientId(0))));
        assert_eq!((tree.lines[3].depth, tree.lines[3].name.as_str()), (2, "only-there"));
        assert_eq!(tree.leader, Some(ServerId(3)));
        assert_eq!(TreeModel::new(&view, ServerId(3)).unwrap().leader, None);
        assert_eq!(TreeModel::new(&view, ServerId(9)), None);
    }
}
