//! The ensemble as this server sees it.

use super::Operator;
use crate::config_file::{ServerLine, bracketed, lines};
use std::collections::BTreeMap;
use zebu_core::id::{ServerId, Zxid};
use zebu_core::server::ReadSide as _;
use zebu_core::status::Status;

/// The leader.
#[derive(Clone, Debug)]
pub struct LeaderFact {
    /// Whether it is this server.
    pub is_us: bool,
    /// Its id.
    pub id: ServerId,
    /// Its host.
    pub host: String,
}

/// A member that votes.
#[derive(Clone, Debug)]
pub struct VoterFact {
    /// Its id.
    pub id: ServerId,
    /// `host:port` for learners.
    pub quorum_address: String,
    /// `host:port` for elections.
    pub election_address: String,
    /// `host:port` for clients, where its line says so (or it is us and we have a plain port).
    pub client_address: Option<String>,
}

/// Where this server is in the protocol.
#[derive(Clone, Debug)]
pub struct ZabFact {
    /// Its own addresses.
    pub own: VoterFact,
    /// Whether it leads.
    pub is_leader: bool,
    /// Whether it votes.
    pub voting: bool,
    /// The last transaction applied.
    pub last_zxid: Zxid,
    /// The phase in Apache's word.
    pub phase: String,
}

impl Operator {
    /// How the owner thread says the server stands.
    pub async fn status(&self) -> Option<Status> {
        self.look(|server| server.status()).await
    }

    /// All members, with their addresses.
    fn servers(&self) -> BTreeMap<ServerId, ServerLine> {
        if self.cfg.reconfig.is_enabled() { lines(&self.members.lock()) } else { self.cfg.servers.clone() }
    }

    fn is_voter(&self, id: ServerId) -> bool {
        self.members.lock().committed.is_voter(id)
    }

    /// How many vote.
    pub fn voters(&self) -> usize {
        self.members.lock().committed.voters().count()
    }

    /// Learners that are up to date: followers that vote, and observers. Only a leader has any.
    pub fn synced(&self, status: &Status) -> (Vec<ServerId>, Vec<ServerId>) {
        let others = status.learners.iter().copied().filter(|id| *id != self.cfg.id);
        others.partition(|id| self.is_voter(*id))
    }

    /// The leader.
    pub fn leader(&self, status: &Status) -> Option<LeaderFact> {
        let id = status.leader?;
        let host = self.servers().get(&id).map_or(String::new(), |line| line.host.clone());
        Some(LeaderFact { is_us: id == self.cfg.id, id, host })
    }

    /// A member's addresses.
    pub fn member(&self, id: ServerId) -> Option<VoterFact> {
        let servers = self.servers();
        let line = servers.get(&id)?;
        let at = |host: &str, port: u16| format!("{}:{port}", bracketed(host));
        let any = "0.0.0.0";
        let client_address = if id == self.cfg.id {
            self.cfg.client_port.map(|port| at(self.cfg.client_host.as_deref().unwrap_or(any), port))
        } else {
            line.client.as_ref().map(|(host, port)| at(host.as_deref().unwrap_or(any), *port))
        };
        Some(VoterFact {
            id,
            quorum_address: at(&line.host, line.quorum_port),
            election_address: at(&line.host, line.election_port),
            client_address,
        })
    }

    /// All that vote.
    pub fn voting_view(&self) -> Vec<VoterFact> {
        let voters: Vec<ServerId> = self.members.lock().committed.voters().collect();
        voters.into_iter().filter_map(|id| self.member(id)).collect()
    }

    /// Where this server is in the protocol. `None` for one that stands alone.
    pub fn zab(&self, status: &Status) -> Option<ZabFact> {
        if self.cfg.standalone {
            return None;
        }
        Some(ZabFact {
            own: self.member(self.cfg.id)?,
            is_leader: status.leader == Some(self.cfg.id),
            voting: self.is_voter(self.cfg.id),
            last_zxid: self.side.read(|s| s.tree.applied()),
            phase: format!("{:?}", status.phase).to_lowercase(),
        })
    }
}
