//! The leader's search for containers and TTL nodes that nobody needs any more (client-protocol §10.3).
//!
//! It looks at every such znode once a round, a bounded number in one go, and has one removed at a time, no faster than
//! the rules allow. What it finds is checked against what is in flight: a container that is about to get a child stays.

use super::Prep;
use crate::config::ContainerRules;
use crate::disk::body::StatPersisted;
use crate::time::{Instant, Now};
use crate::tree::{Keeper, Tree};
use alloc::sync::Arc;
use core::time::Duration;

/// How many znodes are looked at in one go, so that a tree full of containers does not hold up everything else.
const AT_ONCE: usize = 10_000;

/// How far the search is. Lives as long as a leader leads.
#[derive(Clone, Debug)]
pub struct ContainerScan {
    rules: ContainerRules,
    /// When this round began, or the next one will.
    round: Instant,
    /// The znode looked at last in this round.
    after: Option<Arc<str>>,
    /// When it goes on.
    next: Instant,
}

/// What is known of a container or TTL node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub keeper: Keeper,
    pub stat: &'a StatPersisted,
    pub children: usize,
}

impl Candidate<'_> {
    /// Whether it may go at `wall_ms`: it has no children, and it had some before, or was left alone for too long.
    /// Apache's rule; all times are the leader's clock, as the stored ones are.
    pub fn is_due(&self, rules: &ContainerRules, wall_ms: i64) -> bool {
        let idle_ms = wall_ms.saturating_sub(self.stat.mtime);
        match self.keeper {
            _ if self.children > 0 => false,
            Keeper::Container if self.stat.cversion > 0 => true,
            Keeper::Container => {
                let most = i64::try_from(rules.never_used.as_millis()).unwrap_or(i64::MAX);
                most > 0 && idle_ms > most
            }
            Keeper::Ttl(ttl_ms) => ttl_ms != 0 && idle_ms > ttl_ms,
            Keeper::Persistent | Keeper::Ephemeral(_) => false,
        }
    }
}

impl ContainerScan {
    /// The first round begins one interval from now.
    pub fn new(rules: ContainerRules, now: Instant) -> ContainerScan {
        let round = now + rules.check_interval;
        ContainerScan { rules, round, after: None, next: round }
    }

    /// When [`ContainerScan::next_due`] goes on.
    pub fn next_deadline(&self) -> Instant {
        self.next
    }

    /// The next znode to remove, if there is one and its time has come.
    pub fn next_due(&mut self, tree: &Tree, prep: &Prep, now: Now) -> Option<Arc<str>> {
        if now.mono < self.next {
            return None;
        }
        if self.after.is_none() {
            self.round = now.mono;
        }
        let mut looked = 0;
        let mut last = self.after.take();
        for (path, node) in tree.unattended(last.clone().as_deref()).take(AT_ONCE) {
            looked += 1;
            last = Some(path.clone());
            let now_there =
                Candidate { keeper: node.keeper(), stat: node.persisted(), children: node.children().len() };
            if now_there.is_due(&self.rules, now.wall_ms) && prep.is_due(tree, path, &self.rules, now.wall_ms) {
                self.after.clone_from(&last);
                self.next = now.mono + self.pace();
                return last;
            }
        }
        if looked == AT_ONCE {
            self.after = last;
            self.next = now.mono + Duration::from_millis(1);
        } else {
            self.next = (self.round + self.rules.check_interval).max(now.mono + Duration::from_millis(1));
        }
        None
    }

    /// The least time between two removals.
    fn pace(&self) -> Duration {
        Duration::from_secs(60) / self.rules.max_per_minute.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SessionId, Zxid};
    use crate::service::PrepRequest;
    use crate::tree::OwnerKinds;
    use crate::wire::client::Request;
    use crate::wire::op::OpCode;
    use crate::wire::record::Acl;
    use crate::wire::txn::{Txn, TxnBody, TxnHeader};
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn when_each_kind_may_go() {
        let rules = ContainerRules { never_used: Duration::from_secs(300), ..ContainerRules::default() };
        let for_ever = ContainerRules { never_used: Duration::ZERO, ..rules };
        let session = Keeper::Ephemeral(SessionId(1));
        for (keeper, children, cversion, idle_ms, rules, due) in [
            (Keeper::Container, 0, 1, 0, &rules, true),
            (Keeper::Container, 1, 1, 999_999, &rules, false),
            (Keeper::Container, 0, 0, 300_000, &rules, false),
            (Keeper::Container, 0, 0, 300_001, &rules, true),
            (Keeper::Container, 0, 0, 999_999_999, &for_ever, false),
            (Keeper::Ttl(5000), 0, 0, 5000, &rules, false),
            (Keeper::Ttl(5000), 0, 0, 5001, &rules, true),
            (Keeper::Ttl(5000), 0, 9, 5000, &rules, false),
            (Keeper::Ttl(5000), 1, 1, 5001, &rules, false),
            (Keeper::Ttl(5000), 0, 0, -1, &rules, false),
            (Keeper::Persistent, 0, 1, 999_999_999, &rules, false),
            (session, 0, 1, 999_999_999, &rules, false),
        ] {
            let stat = StatPersisted { cversion, mtime: 1_000_000, ..StatPersisted::default() };
            let candidate = Candidate { keeper, stat: &stat, children };
            assert_eq!(candidate.is_due(rules, 1_000_000 + idle_ms), due, "{keeper:?} {children} {cversion} {idle_ms}");
        }
    }

    struct Leader {
        tree: Tree,
        prep: Prep,
        scan: ContainerScan,
        zxid: i64,
        in_flight: Vec<Txn>,
    }

    impl Leader {
        fn new(rules: ContainerRules) -> Leader {
            let mut tree = Tree::new();
            tree.read_owners(OwnerKinds::Extended);
            let scan = ContainerScan::new(rules, Instant::ZERO);
            let mut leader = Leader { tree, prep: Prep::new(true), scan, zxid: 0, in_flight: Vec::new() };
            leader.prepare(PrepRequest::CreateSession { timeout_ms: 4000 }, 0);
            leader
        }

        fn prepare(&mut self, request: PrepRequest, ms: i64) -> TxnBody {
            self.zxid += 1;
            let header = TxnHeader { session: SessionId(1), cxid: 1, zxid: Zxid(self.zxid), time_ms: ms };
            let txn = self.prep.prepare(&self.tree, header, &[], request);
            self.in_flight.push(txn.clone());
            txn.body
        }

        fn ask(&mut self, request: Request, ms: i64) {
            let body = self.prepare(PrepRequest::Client(request), ms);
            assert!(!matches!(body, TxnBody::Error { .. }), "{body:?}");
        }

        fn commit(&mut self) {
            for txn in self.in_flight.drain(..) {
                assert!(!self.tree.apply(&txn).diverged);
                self.prep.committed(txn.header.zxid);
            }
        }

        /// Lets the scan work until `ms`; what it removes is committed at once. The paths with when they went.
        fn run(&mut self, ms: u64) -> Vec<(u64, String)> {
            let mut gone = Vec::new();
            while self.scan.next_deadline().millis() <= ms {
                let at = self.scan.next_deadline();
                let now = Now { mono: at, wall_ms: at.millis() as i64 };
                if let Some(path) = self.scan.next_due(&self.tree, &self.prep, now) {
                    let body = self.prepare(PrepRequest::DeleteContainer { path: String::from(&*path) }, now.wall_ms);
                    assert_eq!(body, TxnBody::Delete { container: true, path: String::from(&*path) });
                    self.commit();
                    gone.push((at.millis(), String::from(&*path)));
                }
            }
            gone
        }
    }

    fn create(op: OpCode, path: &str) -> Request {
        Request::Create { op, path: path.into(), data: None, acl: Acl::open(), flags: 0 }
    }

    fn ttl(path: &str, ttl_ms: i64) -> Request {
        Request::CreateTtl { path: path.into(), data: None, acl: Acl::open(), flags: 5, ttl_ms }
    }

    fn delete(path: &str) -> Request {
        Request::Delete { path: path.into(), version: -1 }
    }

    #[test]
    fn what_goes_and_when() {
        let rules =
            ContainerRules { check_interval: Duration::from_secs(1), max_per_minute: 600, ..Default::default() };
        let mut leader = Leader::new(rules);
        for name in ["a", "b", "kept", "new"] {
            leader.ask(create(OpCode::CreateContainer, &format!("/{name}")), 0);
        }
        for name in ["a", "b", "kept"] {
            leader.ask(create(OpCode::Create2, &format!("/{name}/child")), 0);
        }
        leader.ask(delete("/a/child"), 0);
        leader.ask(delete("/b/child"), 0);
        leader.ask(ttl("/t", 1500), 0);
        leader.ask(ttl("/touched", 1500), 0);
        leader.ask(ttl("/parent", 1500), 0);
        leader.ask(create(OpCode::Create, "/parent/child"), 0);
        leader.commit();
        // Two in one round, not faster than one in a tenth of a second.
        assert_eq!(leader.run(1900), [(1000, "/a".into()), (1100, "/b".into())]);
        leader.ask(Request::SetData { path: "/touched".into(), data: None, version: -1 }, 1900);
        leader.commit();
        assert_eq!(leader.run(3399), [(2000, "/t".into())]);
        assert_eq!(leader.run(5000), [(4000, "/touched".into())]);
        assert_eq!(leader.run(300_999), []);
        assert_eq!(leader.run(302_000), [(301_000, "/new".into())], "never used");
        leader.ask(delete("/kept/child"), 302_000);
        leader.ask(delete("/parent/child"), 302_000);
        leader.commit();
        assert_eq!(leader.run(303_000), [(303_000, "/kept".into())]);
        assert_eq!(
            leader.run(303_100),
            [(303_100, "/parent".into())],
            "the time of a TTL runs on while it has children"
        );
        assert_eq!(leader.tree.unattended(None).count(), 0);
    }

    #[test]
    fn what_is_in_flight_counts() {
        let rules = ContainerRules { check_interval: Duration::from_secs(1), ..Default::default() };
        let mut leader = Leader::new(rules);
        leader.ask(create(OpCode::CreateContainer, "/c"), 0);
        leader.ask(create(OpCode::Create, "/c/child"), 0);
        leader.ask(delete("/c/child"), 0);
        leader.ask(ttl("/t", 500), 0);
        leader.commit();
        leader.ask(create(OpCode::Create, "/c/again"), 900);
        leader.ask(Request::SetData { path: "/t".into(), data: None, version: -1 }, 900);
        assert_eq!(leader.run(1000), []);
        let refused = leader.prepare(PrepRequest::DeleteContainer { path: "/c".into() }, 1000);
        assert_eq!(refused, TxnBody::Error { code: -111 }, "checked again when it is prepared");
        leader.commit();
        assert_eq!(leader.run(2000), [(2000, "/t".into())]);
    }

    #[test]
    fn a_tree_full_of_containers_is_looked_through_in_parts() {
        let rules = ContainerRules { check_interval: Duration::from_secs(1), ..Default::default() };
        let mut leader = Leader::new(rules);
        let ops = |from: usize| (from..from + 1000).map(|i| create(OpCode::CreateContainer, &format!("/c{i:06}")));
        for from in (0..2 * AT_ONCE).step_by(1000) {
            leader.ask(Request::Multi { ops: ops(from).collect() }, 0);
        }
        leader.ask(create(OpCode::Create, "/c019999/child"), 0);
        leader.ask(delete("/c019999/child"), 0);
        leader.commit();
        let now = |ms: u64| Now { mono: Instant(ms * 1000), wall_ms: ms as i64 };
        assert_eq!(leader.scan.next_due(&leader.tree, &leader.prep, now(1000)), None);
        assert_eq!(leader.scan.next_deadline(), now(1001).mono);
        assert_eq!(leader.run(1001), vec![(1001, String::from("/c019999"))]);
    }
}
