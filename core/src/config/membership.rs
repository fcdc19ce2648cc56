//! The membership while it may change: the committed configuration, and the one that is proposed to follow it.

use super::{Ensemble, Member, MemberKind};
use crate::collections::BTreeSet;
use crate::id::{ServerId, Zxid};
use serde::{Deserialize, Serialize};

/// Whether the members can be changed while the ensemble runs (`reconfigEnabled`, `standaloneEnabled`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reconfig {
    /// Never; what others say of other members is ignored.
    #[default]
    Disabled,
    /// It could be, if this server did not stand alone.
    Alone,
    /// Yes, down to so many voters.
    Enabled {
        /// The fewest voters that may be left.
        least: usize,
    },
}

impl Reconfig {
    /// Whether members can be changed.
    pub fn is_enabled(self) -> bool {
        matches!(self, Reconfig::Enabled { .. })
    }
}

/// Who is there, and who is to be. As long as a change is proposed and not committed, quorums are those of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The configuration in force.
    pub committed: Ensemble,
    /// The newer one that is proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Ensemble>,
}

impl Membership {
    /// The configurations whose quorums count now.
    pub fn in_force(&self) -> impl Iterator<Item = &Ensemble> {
        [&self.committed].into_iter().chain(&self.proposed)
    }

    /// The newest configuration known, which NEWLEADER carries.
    pub fn last_seen(&self) -> &Ensemble {
        self.proposed.as_ref().unwrap_or(&self.committed)
    }

    /// Whether `servers` are a quorum of every configuration in force.
    pub fn has_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        self.in_force().all(|ensemble| ensemble.has_quorum(servers))
    }

    /// Whether acknowledgements of `servers` commit the proposal `zxid`: what was proposed before the change needs the
    /// old configuration's quorum alone.
    pub fn commits(&self, zxid: Zxid, servers: &BTreeSet<ServerId>) -> bool {
        let counts = |proposed: &&Ensemble| zxid.0 >= proposed.version();
        self.committed.has_quorum(servers) && self.proposed.iter().filter(counts).all(|e| e.has_quorum(servers))
    }

    /// Whether `id` votes in a configuration in force.
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.in_force().any(|ensemble| ensemble.is_voter(id))
    }

    /// Whether `id` may be voted for.
    pub fn may_lead(&self, id: ServerId) -> bool {
        self.in_force().any(|ensemble| ensemble.may_lead(id))
    }

    /// The voters of the configurations in force, in order.
    pub fn voters(&self) -> BTreeSet<ServerId> {
        self.in_force().flat_map(Ensemble::voters).collect()
    }

    /// The member `id` as the newest configuration that has it knows it.
    pub fn member(&self, id: ServerId) -> Option<&Member> {
        self.proposed.as_ref().and_then(|ensemble| ensemble.member(id)).or_else(|| self.committed.member(id))
    }

    /// As what `id` joins: an observer where the committed configuration says so, unless it is to become a voter: then
    /// the change may need it to be made. Whoever is not in it (yet, or any more) follows like a voter, and does not
    /// count.
    pub fn joins_as(&self, id: ServerId) -> MemberKind {
        let kind = |ensemble: &Ensemble| ensemble.member(id).map(|member| member.kind);
        match self.proposed.as_ref().and_then(kind) {
            Some(MemberKind::Participant) => MemberKind::Participant,
            _ => kind(&self.committed).unwrap_or(MemberKind::Participant),
        }
    }

    /// The most acknowledgements that a commit can need at least.
    pub fn quorum_size(&self) -> usize {
        self.in_force().map(Ensemble::quorum_size).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;
    use alloc::string::String;

    #[test]
    fn both_configurations_count_while_one_is_proposed() {
        let of = |ids: &[i64]| ids.iter().copied().map(ServerId).collect::<BTreeSet<_>>();
        let text = |ids: &[i64]| ids.iter().map(|i| alloc::format!("server.{i}=s{i}:1:2\n")).collect::<String>();
        let proposal = Zxid::new(Epoch(1), 5);
        let joint = Membership {
            committed: Ensemble::parse(&text(&[1, 2, 3])).unwrap(),
            proposed: Some(Ensemble::parse(&text(&[3, 4, 5])).unwrap().with_version(proposal.0)),
        };
        let before = Zxid::new(Epoch(1), 4);
        for (servers, at_it, earlier) in [
            (&[1, 2][..], false, true),
            (&[4, 5], false, false),
            (&[1, 3, 4], true, true),
            (&[1, 2, 4], false, true),
            (&[1, 2, 4, 5], true, true),
        ] {
            let servers = of(servers);
            assert_eq!(joint.has_quorum(&servers), at_it, "{servers:?}");
            assert_eq!((joint.commits(proposal, &servers), joint.commits(before, &servers)), (at_it, earlier));
        }
        assert_eq!(joint.voters(), of(&[1, 2, 3, 4, 5]));
        assert_eq!(joint.joins_as(ServerId(4)), MemberKind::Participant);
    }

    #[test]
    fn an_observer_that_is_to_vote_follows_already_and_a_voter_that_is_to_observe_still() {
        let of = |kinds: [&str; 3]| {
            let line = |(n, kind): (i64, &str)| alloc::format!("server.{n}=s{n}:1:2:{kind}\n");
            Ensemble::parse(&(1..).zip(kinds).map(line).collect::<String>()).unwrap()
        };
        let committed = of(["participant", "observer", "observer"]);
        let proposed = of(["observer", "participant", "observer"]).with_version(7);
        let joint = Membership { committed, proposed: Some(proposed) };
        let kinds = [1, 2, 3].map(|id| joint.joins_as(ServerId(id)));
        assert_eq!(kinds, [MemberKind::Participant, MemberKind::Participant, MemberKind::Observer]);
    }
}
