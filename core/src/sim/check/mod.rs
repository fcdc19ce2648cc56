//! The rules that are checked after every event, from outside the servers: from what they send, store and commit, and
//! from what their disks and their clients have.

mod clients;
mod history;
mod lasting;

use crate::collections::BTreeMap;
use crate::effect::{HaltReason, Record, Serving};
use crate::id::{Epoch, ServerId, Zxid};
use crate::server::Recovered;
use crate::sim::disk::Media;
use crate::sim::process::Process;
use crate::sim::spec::WorldSpec;
use crate::trace::digest::Digest;
use crate::wire::notification::{Notification, ServerState};
use crate::wire::peer::PeerMsg;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use clients::Clients;
use history::{History, Unlike};
use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A rule that every run must keep.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Rule { $(#[doc = $text] $name,)* }

        impl Rule {
            /// All of them, in the order in which they are shown.
            pub const ALL: &[Rule] = &[$(Rule::$name),*];

            /// A stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$name => $code,)* }
            }

            /// The rule in words.
            pub const fn text(self) -> &'static str {
                match self { $(Rule::$name => $text,)* }
            }
        }
    };
}
rules! {
    OneLeaderPerEpoch = "one-leader-per-epoch", "an epoch has at most one established leader";
    OneCandidatePerEpoch = "one-candidate-per-epoch", "a quorum promises an epoch to one leader only";
    EpochsOnlyGrow = "epochs-only-grow", "the epochs that a server has promised and entered never go back";
    Agreement = "agreement", "no two servers commit different transactions at one place";
    TotalOrder = "total-order", "all servers commit in one order, zxids rising";
    PrefixConsistency = "prefix-consistency", "what a server has committed is a gapless beginning of the one history";
    Integrity = "integrity", "only what a leader proposed is committed, as it was proposed";
    PrimaryOrder = "primary-order", "a leader's proposals follow each other in order, one epoch behind the other";
    LocalPrimaryOrder = "local-primary-order", "what one leader broadcast is delivered in the order of its broadcast";
    GlobalPrimaryOrder = "global-primary-order", "what an earlier leader broadcast is never delivered behind a later one's";
    LeaderIsComplete = "leader-is-complete", "a new leader's history holds every committed transaction";
    DurableBeforeAck = "durable-before-ack", "what a server acknowledges is durable on its disk";
    QuorumBeforeCommit = "quorum-before-commit", "what is committed is durable on a majority of the voters' disks";
    CommittedStays = "committed-stays", "what is committed is never cut from a log or lost in a restart";
    AnswerIsCommitted = "answer-is-committed", "a write that a client was told of is committed";
    SameStateAtSameZxid = "same-state-at-same-zxid", "servers at the same zxid have the same tree";
    SessionOrder = "session-order", "a client's answers come in the order of its requests and never go back in zxid";
    EphemeralsFollowSessions = "ephemerals-follow-sessions", "an ephemeral znode lives exactly as long as its session";
    WatchOnce = "watch-once", "a watch fires at most once, and before its client sees the new data";
    Progress = "progress", "after all faults are mended a write commits and all servers agree within the bound";
    NoHalt = "no-halt", "a server stops itself only when its disk failed";
    CodecRoundTrip = "codec-round-trip", "what is sent is what is received";
    AnswersAreRight = "answers-are-right", "every answer is the one that a plain model of the tree gives at its zxid";
    WatchesTellAll = "watches-tell-all", "every change reaches every watch on it, once, in order, before an answer";
}

impl Rule {
    /// The invariant of Apache's `Zab.tla` that this rule looks at in a running world, if it is one of the nine.
    pub const fn tla(self) -> Option<&'static str> {
        Some(match self {
            Rule::OneLeaderPerEpoch => "Leadership1",
            Rule::OneCandidatePerEpoch => "Leadership2",
            Rule::PrefixConsistency => "PrefixConsistency",
            Rule::Integrity => "Integrity",
            Rule::Agreement => "Agreement",
            Rule::TotalOrder => "TotalOrder",
            Rule::LocalPrimaryOrder => "LocalPrimaryOrder",
            Rule::GlobalPrimaryOrder => "GlobalPrimaryOrder",
            // A leader that serves has every committed transaction before it broadcasts one of its own.
            Rule::LeaderIsComplete => "PrimaryIntegrity",
            _ => return None,
        })
    }

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Rule> {
        Rule::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

/// Which order is broken if a server delivers `next` right behind `last`.
fn order_broken(last: Zxid, next: Zxid) -> Option<Rule> {
    if next.epoch() < last.epoch() {
        Some(Rule::GlobalPrimaryOrder)
    } else if !next.follows(last) {
        Some(Rule::LocalPrimaryOrder)
    } else {
        None
    }
}

/// What the checks remember of one server.
#[derive(Clone, Debug, Default, Serialize)]
struct Watched {
    /// The last committed zxid seen.
    committed: Zxid,
    /// The last transaction it was asked to log.
    logged: Zxid,
    /// The last epoch that it was asked to promise on its disk.
    promised: Epoch,
    /// The end of its log when it got NEWLEADER: what its acknowledgement of that speaks of.
    initial: Zxid,
    /// Its disk was made to fail.
    disk_failed: bool,
}

/// What the checks remember, and what they found.
#[derive(Clone, Debug)]
pub struct Checks {
    broken: BTreeMap<Rule, String>,
    /// The rule that broke first.
    first: Option<Rule>,
    news: Vec<(Rule, String)>,
    servers: Vec<Watched>,
    /// Who was established in which epoch.
    leaders: BTreeMap<Epoch, ServerId>,
    /// Who began to bring others to its history, in which epoch: a server's place.
    candidates: BTreeMap<Epoch, usize>,
    history: History,
    clients: Clients,
    /// A model judges what watches tell.
    pub(crate) watches_judged_by_model: bool,
    /// Committed transactions that have just left a disk.
    cuts: Vec<(usize, Zxid)>,
}

impl Checks {
    pub(crate) fn new(spec: &WorldSpec) -> Checks {
        Checks {
            broken: BTreeMap::new(),
            first: None,
            news: Vec::new(),
            servers: alloc::vec![Watched::default(); (spec.servers + spec.observers) as usize],
            leaders: BTreeMap::new(),
            candidates: BTreeMap::new(),
            history: History::new(spec.ensemble()),
            clients: Clients::default(),
            watches_judged_by_model: false,
            cuts: Vec::new(),
        }
    }

    /// A server joins the world.
    pub(crate) fn new_server(&mut self) {
        self.servers.push(Watched::default());
    }

    /// All rules but those of [`crate::sim::model`], with the reason of those that are broken.
    pub fn all(&self) -> impl Iterator<Item = (Rule, Option<&str>)> {
        // The last two are those of the model: without one they are not looked at.
        let looked_at = |rule: &&Rule| !matches!(rule, Rule::AnswersAreRight | Rule::WatchesTellAll);
        Rule::ALL.iter().filter(looked_at).map(|rule| (*rule, self.broken.get(rule).map(String::as_str)))
    }

    /// The broken rules.
    pub fn broken(&self) -> impl Iterator<Item = (Rule, &str)> {
        self.broken.iter().map(|(rule, why)| (*rule, why.as_str()))
    }

    /// The rule that broke first, and how.
    pub fn first(&self) -> Option<(Rule, &str)> {
        let rule = self.first?;
        Some((rule, self.broken.get(&rule).map(String::as_str).unwrap_or_default()))
    }

    /// The committed transactions from the `from`th on.
    pub(crate) fn committed_from(&self, from: usize) -> impl Iterator<Item = &Bytes> {
        self.history.txns_from(from)
    }

    /// How many transactions are committed.
    pub fn committed(&self) -> usize {
        self.history.len()
    }

    pub(crate) fn violate(&mut self, rule: Rule, why: String) {
        if !self.broken.contains_key(&rule) {
            self.first.get_or_insert(rule);
            self.news.push((rule, why.clone()));
            self.broken.insert(rule, why);
        }
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    pub(crate) fn take_news(&mut self) -> Vec<(Rule, String)> {
        core::mem::take(&mut self.news)
    }

    pub(crate) fn digest_into(&self, d: &mut Digest) {
        d.value(&(&self.broken, &self.servers, &self.leaders, &self.candidates, &self.history, &self.clients));
    }

    /// A server starts from its disk.
    pub(crate) fn started(&mut self, index: usize, recovered: &Recovered) {
        let logged = recovered.entries.last().map_or(recovered.snapshot, |(zxid, _)| *zxid);
        self.servers[index] =
            Watched { committed: recovered.snapshot, logged, promised: recovered.accepted, ..Watched::default() };
        // A learner may hold a snapshot of a history that its leader did not live to have committed.
        let known = self.history.knows(recovered.snapshot);
        if known && let Err(why) = self.history.holds_at(recovered.snapshot, recovered.tree.digest()) {
            self.violate(Rule::CommittedStays, format!("server {} starts from a snapshot: {why}", index + 1));
        }
    }

    /// A server's process ended.
    pub(crate) fn stopped(&mut self, index: usize) {
        self.servers[index] = Watched::default();
    }

    /// A server's disk was made to fail: it may stop itself.
    pub(crate) fn disk_failed(&mut self, index: usize) {
        self.servers[index].disk_failed = true;
    }

    /// A server stops itself.
    pub(crate) fn halted(&mut self, index: usize, why: &HaltReason) {
        if !(self.servers[index].disk_failed && matches!(why, HaltReason::Storage(_))) {
            self.violate(Rule::NoHalt, format!("server {} stops itself: {why}", index + 1));
        }
    }

    /// A server asks its disk for something.
    pub(crate) fn stored(&mut self, index: usize, leading: bool, record: &Record) {
        let server = index + 1;
        let before = self.servers[index].logged;
        match record {
            Record::Txn { zxid, txn } => {
                if !zxid.follows(before) {
                    self.violate(Rule::PrimaryOrder, format!("server {server} logs {zxid} behind {before}"));
                }
                self.servers[index].logged = *zxid;
                if leading && let Err(other) = self.history.proposed(*zxid, txn) {
                    let why =
                        format!("server {server} proposes {zxid}, which was proposed with other content: {other}");
                    self.violate(Rule::Integrity, why);
                }
            }
            Record::Truncate { to } => self.servers[index].logged = *to,
            Record::Install { zxid, .. } => self.servers[index].logged = *zxid,
            Record::AcceptedEpoch(epoch) => self.servers[index].promised = *epoch,
            Record::CurrentEpoch(_) | Record::Trusted | Record::Membership(_) => {}
        }
    }

    /// A record becomes durable on a disk; `media` is how the disk was before.
    pub(crate) fn durable(&mut self, index: usize, media: &Media, record: &Record) {
        let server = index + 1;
        match record {
            Record::Txn { .. } | Record::Membership(_) => {}
            Record::AcceptedEpoch(epoch) if *epoch < media.accepted => {
                let why = format!("server {server} promises epoch {epoch} after epoch {}", media.accepted);
                self.violate(Rule::EpochsOnlyGrow, why);
            }
            Record::CurrentEpoch(epoch) if *epoch < media.current => {
                let why = format!("server {server} enters epoch {epoch} after epoch {}", media.current);
                self.violate(Rule::EpochsOnlyGrow, why);
            }
            Record::AcceptedEpoch(_) | Record::CurrentEpoch(_) | Record::Trusted => {}
            Record::Truncate { to } => {
                if *to < media.base() {
                    let why = format!("server {server} cuts its log at {to}, below its snapshot of {}", media.base());
                    self.violate(Rule::CommittedStays, why);
                }
                self.note_cut(index, media, *to);
            }
            Record::Install { zxid, .. } => self.note_cut(index, media, *zxid),
        }
    }

    /// Committed transactions above `to` leave a disk.
    fn note_cut(&mut self, index: usize, media: &Media, to: Zxid) {
        let committed = media.entries.iter().filter(|(z, txn)| *z > to && self.history.is_committed(*z, txn));
        let snapshot = Some(media.base()).filter(|base| *base > to && self.history.knows(*base));
        self.cuts.extend(committed.map(|(zxid, _)| *zxid).chain(snapshot).map(|zxid| (index, zxid)));
    }

    /// After disks have changed: a learner may be told to drop what its leader commits meanwhile, since it is sent
    /// again right behind; but never while its copy is needed for a majority.
    pub(crate) fn after_writing(&mut self, processes: &[Process]) {
        for (index, zxid) in core::mem::take(&mut self.cuts) {
            if let Err(few) = self.history.still_durable(zxid, processes) {
                let why = format!("server {} drops {zxid}, which is committed and now on {few}", index + 1);
                self.violate(Rule::CommittedStays, why);
            }
        }
    }

    /// A server's disk was folded into a snapshot.
    pub(crate) fn compacted(&mut self, index: usize, upto: Zxid, digest: i64) {
        if let Err(why) = self.history.holds_at(upto, digest) {
            self.violate(Rule::CommittedStays, format!("server {} writes a snapshot: {why}", index + 1));
        }
    }

    /// A server sends a packet; `media` is its disk.
    pub(crate) fn sent(&mut self, index: usize, media: &Media, msg: &PeerMsg) {
        let zxid = match msg {
            PeerMsg::Ack { zxid } => zxid,
            PeerMsg::AckEpoch { last, .. } => return self.promises(index, media, *last),
            PeerMsg::NewLeader { epoch, .. } => return self.candidate(index, *epoch),
            _ => return,
        };
        let server = index + 1;
        if zxid.counter() == 0 {
            let epoch = zxid.epoch();
            if media.accepted > epoch {
                let why = format!("server {server} follows into epoch {epoch}, but has promised {}", media.accepted);
                self.violate(Rule::EpochsOnlyGrow, why);
            }
            let initial = self.servers[index].initial;
            if media.current != epoch || media.last() < initial {
                let why = format!(
                    "server {server} acknowledges the history of epoch {epoch} up to {}, its disk has epoch {} up to {}",
                    initial,
                    media.current,
                    media.last()
                );
                self.violate(Rule::DurableBeforeAck, why);
            }
        } else if *zxid > media.last() || (*zxid > media.base() && media.entry(*zxid).is_none()) {
            let why = format!("server {server} acknowledges {zxid}, its disk has {} to {}", media.base(), media.last());
            self.violate(Rule::DurableBeforeAck, why);
        }
    }

    /// A server brings another to its history, as the leader of this epoch.
    fn candidate(&mut self, index: usize, epoch: Epoch) {
        let first = *self.candidates.entry(epoch).or_insert(index);
        if first != index {
            let why = format!("servers {} and {} both lead epoch {epoch}", first + 1, index + 1);
            self.violate(Rule::OneCandidatePerEpoch, why);
        }
    }

    /// A server promises an epoch to its leader, and says where its history ends.
    fn promises(&mut self, index: usize, media: &Media, last: Zxid) {
        let (server, promised) = (index + 1, self.servers[index].promised);
        if media.accepted != promised {
            let why = format!("server {server} promises epoch {promised}, its disk has {}", media.accepted);
            self.violate(Rule::DurableBeforeAck, why);
        }
        self.claims(server, media, last, "its leader");
    }

    /// A server votes for itself with the end of its history. It may also hold a vote for itself that others remember
    /// from a time when its log was longer; as leader it would then refuse every follower that has more than it has.
    pub(crate) fn votes(&mut self, index: usize, id: ServerId, media: &Media, note: &Notification) {
        let own = note.vote.leader == id && note.vote.zxid <= self.servers[index].logged;
        if note.state == ServerState::Looking && own {
            self.claims(index + 1, media, note.vote.zxid, "the others");
        }
    }

    /// What a server says its history ends with must survive a crash. (Zero claims nothing: it asks for everything.)
    fn claims(&mut self, server: usize, media: &Media, last: Zxid, whom: &str) {
        if last != Zxid::ZERO && last != media.base() && media.entry(last).is_none() {
            let why = format!(
                "server {server} tells {whom} that its history ends at {last}, its disk has {} to {}",
                media.base(),
                media.last()
            );
            self.violate(Rule::DurableBeforeAck, why);
        }
    }

    /// A server gets NEWLEADER (told before and after it has handled it).
    pub(crate) fn newleader(&mut self, index: usize) {
        self.servers[index].initial = self.servers[index].logged;
    }

    /// A server begins or ceases to serve.
    pub(crate) fn serving(&mut self, index: usize, serving: Option<Serving>, processes: &[Process]) {
        let Some(serving) = serving else { return };
        let (process, id) = (&processes[index], processes[index].id);
        if serving.role != ServerState::Leading {
            return;
        }
        match self.leaders.insert(serving.epoch, id) {
            Some(other) if other != id => {
                let why = format!("servers {other} and {id} are both established in epoch {}", serving.epoch);
                self.violate(Rule::OneLeaderPerEpoch, why);
            }
            _ => {}
        }
        let Some(server) = &process.server else { return };
        let own = &server.peer().ground().history;
        if let Some(missing) = self.history.missing_in(own, &process.disk.media, serving.epoch) {
            let why = format!("server {id} leads epoch {} without {missing}, which is committed", serving.epoch);
            self.violate(Rule::LeaderIsComplete, why);
        }
    }

    /// Looks at a server after it did something.
    pub(crate) fn look(&mut self, index: usize, processes: &[Process]) {
        let process = &processes[index];
        let Some(server) = &process.server else { return };
        // What a server has while it does not serve may still be taken back.
        if server.service().serving().is_none() {
            return;
        }
        let own = &server.peer().ground().history;
        let (before, now) = (self.servers[index].committed, own.committed());
        if now == before {
            return;
        }
        self.servers[index].committed = now;
        let id = process.id;
        if now < before {
            self.violate(Rule::CommittedStays, format!("server {id} goes back from {before} to {now}"));
            return;
        }
        let mut last = before.max(own.base());
        for entry in own.after(last).take_while(|entry| entry.zxid <= now) {
            if let Some(rule) = order_broken(last, entry.zxid) {
                self.violate(rule, format!("server {id} delivers {} right behind {last}", entry.zxid));
            }
            last = entry.zxid;
        }
        let tree = &server.side().0.tree;
        if let Err(Unlike { rule, why }) = self.history.follow(id, before, now, own, processes) {
            self.violate(rule, why);
        }
        if tree.applied() != now {
            let why = format!("server {id} has committed {now} and applied {}", tree.applied());
            self.violate(Rule::PrefixConsistency, why);
        }
        if let Err(why) = self.history.holds_at(now, tree.digest()) {
            self.violate(Rule::SameStateAtSameZxid, format!("server {id}: {why}"));
        }
        if let Err(why) = self.history.ephemerals_match(now, tree) {
            self.violate(Rule::EphemeralsFollowSessions, format!("server {id} at {now}: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nine_of_the_specification_are_all_there() {
        let mut named: Vec<&str> = Rule::ALL.iter().filter_map(|rule| rule.tla()).collect();
        named.sort_unstable();
        assert_eq!(
            named,
            [
                "Agreement",
                "GlobalPrimaryOrder",
                "Integrity",
                "Leadership1",
                "Leadership2",
                "LocalPrimaryOrder",
                "PrefixConsistency",
                "PrimaryIntegrity",
                "TotalOrder"
            ]
        );
        assert!(Rule::ALL.iter().all(|rule| Rule::named(rule.name()) == Some(*rule)));
        assert_eq!(Rule::named("no-such-rule"), None);
    }

    #[test]
    fn which_order_is_broken() {
        let z = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        for (last, next, broken) in [
            (Zxid::ZERO, z(1, 1), None),
            (z(1, 1), z(1, 2), None),
            (z(1, 2), z(3, 1), None),
            (z(1, 2), z(1, 4), Some(Rule::LocalPrimaryOrder)),
            (z(1, 2), z(1, 2), Some(Rule::LocalPrimaryOrder)),
            (z(1, 2), z(2, 2), Some(Rule::LocalPrimaryOrder)),
            (z(2, 1), z(1, 9), Some(Rule::GlobalPrimaryOrder)),
        ] {
            assert_eq!(order_broken(last, next), broken, "{next} behind {last}");
        }
    }

    #[test]
    fn two_candidates_of_one_epoch_break_a_rule() {
        let mut checks = Checks::new(&WorldSpec::default());
        checks.candidate(2, Epoch(1));
        checks.candidate(2, Epoch(1));
        checks.candidate(4, Epoch(2));
        assert_eq!(checks.first(), None);
        checks.candidate(0, Epoch(2));
        assert_eq!(checks.first().map(|(rule, _)| rule), Some(Rule::OneCandidatePerEpoch));
    }
}
