//! Changing who is a member while the world runs: new servers, and a superuser's requests.

use crate::auth::digest;
use crate::client::Credential;
use crate::config::{AccessRules, Config, DigestAlgorithm, Ensemble, Member, MemberKind, Membership};
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::command::ClientId;
use crate::sim::process::Process;
use crate::sim::spec::WorldSpec;
use crate::sim::{CommandError, World};
use crate::wire::client::Request;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// The most servers that a world comes to have.
pub(crate) const SERVERS_MAX: usize = 11;

/// Who may change the members.
const SUPERUSER: &str = "super:zebu";

/// What servers are told of access in a world whose members change: there is a superuser.
pub(crate) fn access() -> Arc<AccessRules> {
    Arc::new(AccessRules {
        super_digest: Some(digest::id_of(DigestAlgorithm::Sha1, SUPERUSER)),
        ..AccessRules::default()
    })
}

impl World {
    pub(super) fn check_new_server(&self) -> Result<(), CommandError> {
        match self.processes.len() {
            _ if !self.spec.reconfig => Err(CommandError::FixedMembers),
            most @ SERVERS_MAX.. => Err(CommandError::TooManyServers { most }),
            _ => Ok(()),
        }
    }

    pub(super) fn check_reconfig(
        &self,
        client: ClientId,
        servers: impl Iterator<Item = ServerId>,
    ) -> Result<(), CommandError> {
        if !self.spec.reconfig {
            return Err(CommandError::FixedMembers);
        }
        self.check_awake(client)?;
        let count = self.processes.len();
        for server in servers {
            self.index(server).ok_or(CommandError::NoSuchServer { server, servers: count })?;
        }
        Ok(())
    }

    pub(super) fn new_server(&mut self) {
        let id = ServerId(self.processes.len() as i64 + 1);
        let mut rng = Rng::new(self.spec.seed).fork(1000 + id.0 as u64);
        let drift = self.spec.drift(&mut rng);
        let mut process = Process::new(id, drift, rng);
        // What an operator writes into its list: the members as they are now, and itself.
        let mut members: Vec<(ServerId, Member)> =
            self.members().committed.members().map(|(id, member)| (id, member.clone())).collect();
        members.push((id, WorldSpec::member(id, MemberKind::Participant, true)));
        process.told = Some(Ensemble::new(members.into_iter().collect()));
        self.processes.push(process);
        self.checks.new_server();
        self.start(self.processes.len() - 1);
    }

    pub(super) fn reconfig(&mut self, client: ClientId, join: &[(ServerId, MemberKind)], leave: &[ServerId]) {
        let leaving: Vec<String> = leave.iter().map(ToString::to_string).collect();
        let some = |list: String| Some(list).filter(|list| !list.is_empty());
        let (joining, leaving) = (some(list(join)), some(leaving.join(",")));
        self.ask_as_superuser(client, Request::Reconfig { joining, leaving, members: None, config: -1 });
    }

    pub(super) fn replace_members(&mut self, client: ClientId, members: &[(ServerId, MemberKind)]) {
        let members = Some(list(members));
        self.ask_as_superuser(client, Request::Reconfig { joining: None, leaving: None, members, config: -1 });
    }

    fn ask_as_superuser(&mut self, client: ClientId, request: Request) {
        self.authenticate(
            client,
            Credential { scheme: "digest".into(), auth: Some(Bytes::from_static(SUPERUSER.as_bytes())) },
        );
        self.request(client, request, None);
    }

    /// Who is a member now: what the leader knows, or, without one, whoever knows the newest configuration.
    pub fn members(&self) -> Membership {
        let running = self.processes.iter().filter_map(|p| p.server.as_ref().map(|s| (p.id, s.peer().members())));
        let leader = self.leader();
        let known = running.max_by_key(|(id, members)| (Some(*id) == leader, members.committed.version()));
        match known {
            Some((_, members)) => members.clone(),
            None => Membership { committed: self.spec.ensemble(), proposed: None },
        }
    }

    /// What a server is told at its start, and what its disk knows better.
    pub(super) fn config_of(&self, index: usize) -> Config {
        let process = &self.processes[index];
        let mut config = self.spec.config(process.id);
        if let Some(told) = &process.told {
            config.ensemble = told.clone();
        }
        if let Some(members) = &process.disk.media.members {
            config.ensemble = members.committed.clone();
            config.proposed.clone_from(&members.proposed);
        }
        config
    }
}

fn list(members: &[(ServerId, MemberKind)]) -> String {
    let line = |(id, kind): &(ServerId, MemberKind)| format!("server.{id}={}", WorldSpec::member(*id, *kind, true));
    members.iter().map(line).collect::<Vec<_>>().join(",")
}
