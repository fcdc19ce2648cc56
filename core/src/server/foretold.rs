//! What to make of a digest that does not come true.
//!
//! The leader foretells the tree's digest after each transaction. If it does not come true, the trees differ, which must
//! not go on; or the leader was wrong. Apache's leader is at times (known-faults, J8): a create whose flag asks for a
//! container makes a plain znode, and createContainer whose flag does not makes a container, while the digest is that
//! of the other kind. It foretells from what it has foretold as long as anything is on its way, so all of that is off by
//! as much; when nothing is, it starts from its tree again. For each znode alone it does the same, and what is on its way
//! becomes less while it reckons: the sum, the znode before and the znode after may each be of either source. Any client
//! can do that, and it is no reason for a follower to stop. Apache's own servers count it and go on whatever it is; here,
//! only what is off by just that much is let pass.

use crate::collections::BTreeMap;
use crate::disk::body::StatPersisted;
use crate::tree::{Tree, digest};
use crate::wire::txn::{Txn, TxnBody};
use alloc::string::String;
use alloc::vec::Vec;

/// The stored owner of a plain znode, and of a container.
const OWNERS: (i64, i64) = (0, i64::MIN);

/// Znodes remembered of which the leader thinks that they are of another kind; the oldest goes.
const SUSPECTS_MAX: usize = 32;

/// Ways to be wrong that are tried. A transaction that allows for more has the benefit of the doubt, where a digest has
/// come true before: then the trees were the same.
const WAYS_MAX: usize = 4096;

/// How far the leader's reckoning is off, as far as that can be explained.
#[derive(Clone, Debug, Default)]
pub(super) struct Foretold {
    /// A digest came true since this tree was there.
    was_right: bool,
    off: i64,
    suspects: Vec<Suspect>,
}

/// A znode that the leader takes for one of this owner.
#[derive(Clone, Debug)]
struct Suspect {
    path: String,
    owner: i64,
    /// By how much its digest is off for that.
    off: i64,
}

impl Suspect {
    fn new(path: &str, owner: i64, tree: &Tree) -> Suspect {
        let mut suspect = Suspect { path: path.into(), owner, off: 0 };
        suspect.off = suspect.is_off(tree);
        suspect
    }

    fn is_off(&self, tree: &Tree) -> i64 {
        let Some(node) = tree.get(&self.path).filter(|_| digest::is_counted(&self.path)) else { return 0 };
        let stat = StatPersisted { ephemeral_owner: self.owner, ..*node.persisted() };
        i64::from(digest::of_node(node.content(), &stat)) - i64::from(node.digest())
    }
}

impl Foretold {
    /// A digest came true: the leader has looked at its tree again.
    pub(super) fn came_true(&mut self) {
        self.was_right = true;
        if self.off != 0 {
            self.off = 0;
            self.suspects.clear();
        }
    }

    /// Whether the leader was wrong about the kind of a znode. `tree` is the one after `txn`, whose digest is another.
    pub(super) fn is_explained(&mut self, txn: &Txn, tree: &Tree) -> bool {
        let Some(foretold) = txn.digest else { return false };
        let off = foretold.tree.wrapping_sub(tree.digest());
        // What it may be off by, and the suspects that this would make: from what it has foretold, or from its tree.
        let mut ways: BTreeMap<_, _> = [0, self.off].map(|off| (off, self.suspects.clone())).into_iter().collect();
        for (at, suspect) in self.suspects.iter().enumerate() {
            let now = suspect.is_off(tree);
            if now != suspect.off {
                // It has changed; the leader reckons with the znode that it remembers, or with that of its tree, or takes
                // that of its tree off and adds the one that it remembers.
                let differs = |(sum, suspects): (&i64, &Vec<Suspect>)| {
                    let mut suspects = suspects.clone();
                    suspects[at].off = now;
                    let sum = sum.wrapping_add(now);
                    [(sum, suspects.clone()), (sum.wrapping_sub(suspect.off), suspects)]
                };
                let more: Vec<_> = ways.iter().flat_map(differs).collect();
                ways.extend(more);
            }
        }
        let mut made = Vec::new();
        creations(&txn.body, txn.header.session.0, &mut made);
        for suspect in made.iter().map(|(path, owner)| Suspect::new(path, *owner, tree)).filter(|s| s.off != 0) {
            if ways.len() > WAYS_MAX {
                break;
            }
            let more: Vec<_> = ways
                .iter()
                .map(|(sum, suspects)| {
                    let suspects = suspects.iter().chain([&suspect]).cloned().collect();
                    (sum.wrapping_add(suspect.off), suspects)
                })
                .collect();
            ways.extend(more);
        }
        let too_many = ways.len() > WAYS_MAX;
        match ways.remove(&off) {
            Some(mut suspects) => {
                suspects.drain(..suspects.len().saturating_sub(SUSPECTS_MAX));
                (self.off, self.suspects) = (off, suspects);
                true
            }
            None if too_many && self.was_right => {
                (self.off, self.suspects) = (off, Vec::new());
                true
            }
            None => false,
        }
    }
}

/// Znodes that came to be as one of the two kinds that are mistaken for each other, with the owner that the leader may
/// have taken them to have. (createContainer with an ephemeral's flag is foretold as the session's.)
fn creations(body: &TxnBody, session: i64, made: &mut Vec<(String, i64)>) {
    let (plain, container) = OWNERS;
    match body {
        TxnBody::Create { path, ephemeral: false, .. } => made.push((path.clone(), container)),
        TxnBody::CreateContainer { path, .. } => made.extend([plain, session].map(|owner| (path.clone(), owner))),
        TxnBody::Multi { txns } if txns.iter().all(|txn| !matches!(txn, TxnBody::Error { .. })) => {
            txns.iter().for_each(|txn| creations(txn, session, made));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SessionId, Zxid};
    use crate::wire::txn::{TxnDigest, TxnHeader};

    fn create(path: &str) -> TxnBody {
        let (path, data, acl) = (path.into(), None, Vec::new());
        TxnBody::Create { v2: false, path, data, acl, ephemeral: false, parent_cversion: 1 }
    }

    fn container(path: &str) -> TxnBody {
        TxnBody::CreateContainer { path: path.into(), data: None, acl: Vec::new(), parent_cversion: 1 }
    }

    fn set(path: &str, version: i32) -> TxnBody {
        TxnBody::SetData { reconfig: false, path: path.into(), data: Some("x".into()), version }
    }

    fn multi(txns: Vec<TxnBody>) -> TxnBody {
        TxnBody::Multi { txns }
    }

    fn txn(zxid: i64, body: TxnBody, digest: Option<TxnDigest>) -> Txn {
        let header = TxnHeader { session: SessionId(5), cxid: 1, zxid: Zxid(zxid), time_ms: 7 };
        Txn { header, body, digest }
    }

    /// What the leader believes: the znodes whose kind it has wrong are of the other kind in its tree.
    #[derive(Clone)]
    struct Leader {
        believes: Tree,
        tree: Tree,
        foretold: Foretold,
        zxid: i64,
    }

    impl Leader {
        fn new() -> Leader {
            Leader { believes: Tree::new(), tree: Tree::new(), foretold: Foretold::default(), zxid: 0 }
        }

        /// What becomes of a transaction that the leader believes to be `believed`.
        fn is_borne(&mut self, body: TxnBody, believed: TxnBody) -> bool {
            self.zxid += 1;
            self.believes.apply(&txn(self.zxid, believed, None));
            let txn = txn(self.zxid, body, Some(TxnDigest { version: 2, tree: self.believes.digest() }));
            if self.tree.apply(&txn).diverged {
                return self.foretold.is_explained(&txn, &self.tree);
            }
            self.foretold.came_true();
            true
        }

        fn bears(&mut self, body: TxnBody) -> bool {
            self.is_borne(body.clone(), body)
        }
    }

    #[test]
    fn a_znode_taken_for_one_of_another_kind_is_no_divergence() {
        let as_ephemeral = TxnBody::Create {
            v2: false,
            path: "/c".into(),
            data: None,
            acl: Vec::new(),
            ephemeral: true,
            parent_cversion: 1,
        };
        for (is, believed) in [
            (create("/c"), container("/c")),
            (container("/c"), create("/c")),
            (container("/c"), as_ephemeral),
            (multi([create("/a"), create("/c")].into()), multi([create("/a"), container("/c")].into())),
        ] {
            let mut leader = Leader::new();
            assert!(leader.bears(create("/before")));
            assert!(leader.is_borne(is.clone(), believed), "{is:?}");
            // What comes behind is off by as much, or by what that znode is off by now.
            for next in [create("/behind"), set("/before", 1), set("/c", 1), set("/c", 2)] {
                assert!(leader.bears(next.clone()), "{is:?}, then {next:?}");
            }
            assert!(leader.is_borne(create("/another"), container("/another")), "{is:?}");
            // The leader looks at its tree.
            leader.believes = leader.tree.clone();
            assert!(leader.bears(set("/c", 3)));
            assert_eq!(leader.foretold.off, 0);
        }
    }

    #[test]
    fn the_leader_may_start_from_its_tree_at_any_time() {
        // Both are mistakes, and nothing was on its way before either.
        let mut leader = Leader::new();
        assert!(leader.is_borne(create("/one"), container("/one")));
        leader.believes = leader.tree.clone();
        assert!(leader.is_borne(create("/two"), container("/two")));
        leader.believes = leader.tree.clone();
        assert!(leader.bears(set("/one", 1)));
        assert_eq!(leader.foretold.off, 0);

        // What it remembered of the znode is gone before the sum of the tree, before the znode, or between: by how much
        // it is off then, of what was and what is.
        for (off_at_all, takes, adds) in
            [(true, true, true), (true, false, false), (false, true, true), (true, false, true), (false, false, true)]
        {
            let mut leader = Leader::new();
            assert!(leader.is_borne(create("/c"), container("/c")));
            let before = leader.foretold.off;
            leader.tree.apply(&txn(2, set("/c", 1), None));
            let after = Suspect::new("/c", i64::MIN, &leader.tree).off;
            assert!(before != 0 && after != 0 && before != after);
            let share = |taken: bool, off: i64| if taken { off } else { 0 };
            let off = share(off_at_all, before) - share(takes, before) + share(adds, after);
            let digest = TxnDigest { version: 2, tree: leader.tree.digest() + off };
            let told = txn(2, set("/c", 1), Some(digest));
            assert!(leader.foretold.is_explained(&told, &leader.tree), "{off_at_all} {takes} {adds}");
            // One more or less is another tree.
            for wrong in [-1, 1] {
                let digest = TxnDigest { version: 2, tree: leader.tree.digest() + off + wrong };
                let told = txn(2, set("/c", 1), Some(digest));
                assert!(!leader.foretold.clone().is_explained(&told, &leader.tree));
            }
        }
    }

    #[test]
    fn too_much_to_try_is_borne_only_where_the_trees_were_the_same() {
        let many = || multi((0..20).map(|n| create(&alloc::format!("/n{n}"))).collect());
        let half = (0..20).map(|n| {
            let path = alloc::format!("/n{n}");
            if n % 2 == 0 { create(&path) } else { container(&path) }
        });
        for was_right in [true, false] {
            let mut leader = Leader::new();
            if was_right {
                assert!(leader.bears(create("/before")));
            }
            assert_eq!(leader.is_borne(many(), multi(half.clone().collect())), was_right);
        }
        // A tree that lacks something from before, and that nothing was seen of.
        let mut leader = Leader::new();
        leader.believes.apply(&txn(1, create("/lost"), None));
        leader.zxid = 1;
        assert!(!leader.bears(many()));
        assert!(!leader.bears(create("/behind")));
    }

    #[test]
    fn everything_else_is_one() {
        for (is, believed) in [
            (create("/c"), create("/d")),
            (set("/before", 1), set("/before", 2)),
            (create("/c"), multi([create("/c"), set("/before", 1)].into())),
        ] {
            let mut leader = Leader::new();
            assert!(leader.bears(create("/before")));
            assert!(!leader.is_borne(is.clone(), believed.clone()), "{is:?}");
            // Also behind a mistake of the harmless kind, and once all has come true again.
            let mut leader = Leader::new();
            assert!(leader.bears(create("/before")));
            assert!(leader.is_borne(create("/x"), container("/x")));
            assert!(!leader.clone().is_borne(is.clone(), believed.clone()), "{is:?}");
            leader.believes = leader.tree.clone();
            assert!(leader.bears(create("/y")));
            assert!(!leader.is_borne(is, believed));
        }
    }
}
