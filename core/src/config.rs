//! What a server is told at its start: who is in the ensemble, how long things may take, how large they may be.

mod access;
mod service;

pub use access::{AccessRules, DigestAlgorithm, Secret};
pub use service::{ContainerRules, LocalSessions, OwnerKinds, ServiceRules};

use crate::collections::{BTreeMap, BTreeSet};
use crate::id::ServerId;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// Votes, and counts towards the quorum.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// One member of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Whether it votes.
    pub kind: MemberKind,
    /// `host:quorumPort:electionPort`, as printed in the configuration's text.
    pub address: String,
}

/// The membership: who is there and whose votes make a quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensemble {
    members: BTreeMap<ServerId, Member>,
    version: i64,
}

impl Ensemble {
    /// An ensemble of `members` with configuration version 0 (never changed since the static file).
    pub fn new(members: BTreeMap<ServerId, Member>) -> Ensemble {
        Ensemble { members, version: 0 }
    }

    /// All members in order of id.
    pub fn members(&self) -> impl Iterator<Item = (ServerId, &Member)> {
        self.members.iter().map(|(id, m)| (*id, m))
    }

    /// The voting members in order of id.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.members.iter().filter(|(_, m)| m.kind == MemberKind::Participant).map(|(id, _)| *id)
    }

    /// Whether `id` votes.
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.members.get(&id).is_some_and(|m| m.kind == MemberKind::Participant)
    }

    /// The member `id`, if there is one.
    pub fn member(&self, id: ServerId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// The configuration's version: the zxid of the change that made it, 0 for the static file.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// How many votes are more than half.
    pub fn quorum_size(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// Whether the voters among `servers` are more than half of all voters (quorum-protocol §12).
    pub fn has_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        servers.iter().filter(|s| self.is_voter(**s)).count() >= self.quorum_size()
    }

    /// The text that notifications and NEWLEADER carry: a `server.<id>=` line per member and the version in hex,
    /// without a final newline (quorum-protocol §11).
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (id, member) in &self.members {
            let kind = match member.kind {
                MemberKind::Participant => "participant",
                MemberKind::Observer => "observer",
            };
            text.push_str(&format!("server.{id}={}:{kind}\n", member.address));
        }
        text.push_str(&format!("version={:x}", self.version));
        text
    }
}

/// A rule of the protocol that the lab and the simulator can break on purpose, to show that the checks see it.
/// Never set by a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenRule {
    /// The leader commits as soon as it has logged a proposal itself.
    CommitWithoutQuorum,
    /// Acknowledgements leave before the log is synced.
    AckBeforeSync,
    /// A server follows a leader whose epoch is older than the one it promised, and votes ignore the epoch.
    IgnoreEpoch,
}

/// Everything a server is told at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Its own id.
    pub id: ServerId,
    /// Who is there.
    pub ensemble: Ensemble,
    /// The basic unit of time (`tickTime`).
    pub tick: Duration,
    /// Ticks that joining a leader may take (`initLimit`).
    pub init_limit: u32,
    /// Ticks of silence after which the other side is given up (`syncLimit`).
    pub sync_limit: u32,
    /// The shortest session timeout granted, milliseconds.
    pub min_session_ms: i32,
    /// The longest session timeout granted, milliseconds.
    pub max_session_ms: i32,
    /// Transactions between snapshots, before the random part (`snapCount`).
    pub snap_count: u32,
    /// Committed transactions kept in memory for synchronisation by DIFF (`commitLogCount`, Apache's floor is 500).
    pub commit_log_count: usize,
    /// First wait for notifications; doubles up to `max_notification`.
    pub min_notification: Duration,
    /// Longest wait for notifications.
    pub max_notification: Duration,
    /// How long a decided election waits for a better vote.
    pub finalize_wait: Duration,
    /// What clients get.
    pub service: ServiceRules,
    /// Who may do what. Has passwords in it: never written anywhere.
    #[serde(skip)]
    pub access: Arc<AccessRules>,
    /// See [`BrokenRule`].
    pub broken: Option<BrokenRule>,
}

impl Config {
    /// Apache's defaults around `id` and `ensemble`: tick 2 s, limits 10 and 5.
    pub fn new(id: ServerId, ensemble: Ensemble) -> Config {
        Config {
            id,
            ensemble,
            tick: Duration::from_millis(2000),
            init_limit: 10,
            sync_limit: 5,
            min_session_ms: 4000,
            max_session_ms: 40_000,
            snap_count: 100_000,
            commit_log_count: 500,
            min_notification: Duration::from_millis(200),
            max_notification: Duration::from_secs(60),
            finalize_wait: Duration::from_millis(200),
            service: ServiceRules::default(),
            access: Arc::default(),
            broken: None,
        }
    }

    /// The time limit for joining: `init_limit` ticks.
    pub fn init_time(&self) -> Duration {
        self.tick * self.init_limit
    }

    /// The time limit of silence: `sync_limit` ticks.
    pub fn sync_time(&self) -> Duration {
        self.tick * self.sync_limit
    }

    /// Whether this server votes.
    pub fn is_voter(&self) -> bool {
        self.ensemble.is_voter(self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn ensemble(voters: i64, observers: i64) -> Ensemble {
        Ensemble::new(
            (1..=voters + observers)
                .map(|i| {
                    let kind = if i <= voters { MemberKind::Participant } else { MemberKind::Observer };
                    (ServerId(i), Member { kind, address: format!("s{i}:2888:3888") })
                })
                .collect(),
        )
    }

    #[test]
    fn more_than_half_of_the_voters_is_a_quorum() {
        for (voters, observers, needed) in [(1, 0, 1), (2, 0, 2), (3, 2, 2), (4, 0, 3), (5, 1, 3)] {
            let e = ensemble(voters, observers);
            assert_eq!(e.quorum_size(), needed as usize);
            let enough: BTreeSet<_> = (1..=needed).map(ServerId).collect();
            assert!(e.has_quorum(&enough));
            let mut short: BTreeSet<_> = (1..needed).map(ServerId).collect();
            short.extend((voters + 1..=voters + observers).map(ServerId));
            assert!(!e.has_quorum(&short), "observers do not count");
        }
    }

    #[test]
    fn text_is_apaches() {
        assert_eq!(
            ensemble(1, 1).text(),
            "server.1=s1:2888:3888:participant\nserver.2=s2:2888:3888:observer\nversion=0"
        );
    }
}
