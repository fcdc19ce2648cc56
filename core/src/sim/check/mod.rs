//! The rules that are checked after every event, from outside the servers.

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
    EpochsOnlyGrow = "epochs-only-grow", "the epochs that a server has promised and entered never go back";
    Agreement = "agreement", "no two servers commit different transactions at one place";
    TotalOrder = "total-order", "all servers commit in one order, zxids rising";
    PrefixConsistency = "prefix-consistency", "what a server has committed is a gapless beginning of the one history";
    Integrity = "integrity", "only what a leader proposed is committed, as it was proposed";
    PrimaryOrder = "primary-order", "a leader's proposals follow each other in order, one epoch behind the other";
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
}

use crate::client::{ClientError, ClientEvent};
use crate::id::ServerId;
use crate::sim::WorldSpec;
use crate::sim::command::ClientId;
use crate::time::Instant;
use crate::trace::digest::Digest;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// What the checks remember, and what they found.
#[derive(Clone, Debug)]
pub struct Checks {
    broken: BTreeMap<Rule, String>,
}

impl Checks {
    pub(crate) fn new(_: &WorldSpec) -> Checks {
        Checks { broken: BTreeMap::new() }
    }

    /// All rules, with the reason of those that are broken.
    pub fn all(&self) -> impl Iterator<Item = (Rule, Option<&str>)> {
        Rule::ALL.iter().map(|rule| (*rule, self.broken.get(rule).map(String::as_str)))
    }

    /// The broken rules.
    pub fn broken(&self) -> impl Iterator<Item = (Rule, &str)> {
        self.broken.iter().map(|(rule, why)| (*rule, why.as_str()))
    }

    pub(crate) fn client_error(&mut self, client: ClientId, error: &ClientError) {
        self.broken.entry(Rule::SessionOrder).or_insert_with(|| format!("client {client}: {error}"));
    }

    pub(crate) fn asked(&mut self, _: ClientId, _: i32) {}

    pub(crate) fn client_event(&mut self, _: Instant, _: ClientId, _: ServerId, _: &ClientEvent) {}

    pub(crate) fn digest_into(&self, d: &mut Digest) {
        d.value(&self.broken);
    }
}
