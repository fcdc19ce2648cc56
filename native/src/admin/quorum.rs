//! Commands about the ensemble.

use super::json::Pairs;
use crate::operator::Operator;
use serde::Serialize;

/// `leader`. `None` for a server that stands alone, or whose owner thread does not answer.
pub async fn leader(operator: &Operator) -> Option<impl Serialize + use<>> {
    #[derive(Serialize)]
    struct Leader {
        is_leader: bool,
        leader_id: i64,
        leader_ip: String,
    }
    if operator.cfg.standalone {
        return None;
    }
    let leader = operator.leader(&operator.status().await?)?;
    Some(Leader { is_leader: leader.is_us, leader_id: leader.id.0, leader_ip: leader.host })
}

/// `observers`: those that are up to date, which only the leader knows.
pub async fn observers(operator: &Operator) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Observers {
        synced_observers: usize,
        observers: Vec<Observer>,
    }
    #[derive(Serialize)]
    struct Observer {
        sid: i64,
        quorum_address: Option<String>,
    }
    let ids = operator.status().await.map(|status| operator.synced(&status).1).unwrap_or_default();
    let observers: Vec<_> = ids
        .into_iter()
        .map(|id| Observer { sid: id.0, quorum_address: operator.member(id).map(|member| member.quorum_address) })
        .collect();
    Observers { synced_observers: observers.len(), observers }
}

/// `voting_view`: empty for a server that stands alone.
pub fn voting_view(operator: &Operator) -> impl Serialize + use<> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Voter {
        server_addresses: [String; 1],
        election_addresses: [String; 1],
        client_address: Option<String>,
        learner_type: &'static str,
    }
    let voters = if operator.cfg.standalone { Vec::new() } else { operator.voting_view() };
    let voters = voters.into_iter().map(|v| {
        let voter = Voter {
            server_addresses: [v.quorum_address],
            election_addresses: [v.election_address],
            client_address: v.client_address,
            learner_type: "PARTICIPANT",
        };
        (v.id.to_string(), voter)
    });
    Pairs(vec![("current_config", Pairs(voters.collect()))])
}

/// `zabstate`.
pub async fn zabstate(operator: &Operator) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Member {
        myid: i64,
        is_leader: bool,
        quorum_address: String,
        election_address: String,
        client_address: Option<String>,
        voting: bool,
        last_zxid: String,
        zab_epoch: i64,
        zab_counter: u32,
        zabstate: String,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum State {
        Member(Box<Member>),
        Alone { voting: bool, zabstate: &'static str },
    }
    let zab = operator.status().await.and_then(|status| operator.zab(&status));
    let Some(zab) = zab else { return State::Alone { voting: false, zabstate: "" } };
    State::Member(Box::new(Member {
        myid: zab.own.id.0,
        is_leader: zab.is_leader,
        quorum_address: zab.own.quorum_address,
        election_address: zab.own.election_address,
        client_address: zab.own.client_address,
        voting: zab.voting,
        last_zxid: format!("0x{:x}", zab.last_zxid.0),
        zab_epoch: zab.last_zxid.epoch().0,
        zab_counter: zab.last_zxid.counter(),
        zabstate: zab.phase,
    }))
}
