//! Everything that can be counted, for `mntr`, `monitor` and Prometheus.

use super::Operator;
use super::environment::file_descriptors;
use crate::metrics::report::{Number, Report};
use std::collections::BTreeSet;
use zebu_core::effect::Serving;
use zebu_core::server::ReadSide as _;
use zebu_core::status::Status;
use zebu_core::tree::Tree;
use zebu_core::wire::notification::ServerState;

/// How a leader stands, as its owner thread says.
#[derive(Clone, Debug)]
struct Now {
    status: Status,
    pending_syncs: usize,
}

impl Operator {
    /// What is measured and what can be counted now. Without serving clients there is less of it.
    pub async fn report(&self) -> Report {
        let mut out = self.metrics.report();
        let (open, most) = file_descriptors();
        open.into_iter().for_each(|open| out.gauge("open_file_descriptor_count", open));
        most.into_iter().for_each(|most| out.gauge("max_file_descriptor_count", most));
        out.gauge("num_alive_connections", self.links.len());
        let (local, remote) = self.connections_by_place();
        out.gauge("non_mtls_local_conn_count", local);
        out.gauge("non_mtls_remote_conn_count", remote);
        out.gauge("outstanding_tls_handshake", self.limits.handshakes());
        out.gauge("connection_drop_probability", Number::Real(self.limits.drop_probability()));
        let ttl = self.side.read(|s| s.tree.ttl_counts());
        out.counter("ttl_node_created_count", ttl.created);
        out.counter("ttl_node_deleted_count", ttl.deleted);
        let Some(serving) = self.serving() else { return out };
        self.side.read(|s| {
            out.gauge("znode_count", s.tree.len() + 1);
            out.gauge("watch_count", s.watches.len());
            out.gauge("ephemerals_count", s.tree.ephemerals().values().map(BTreeSet::len).sum::<usize>());
            out.gauge("approximate_data_size", s.tree.approximate_size());
            out.gauge("global_sessions", s.tree.sessions().len());
            report_quotas(&s.tree, &mut out);
        });
        let local = self.look(|server| server.service().local_sessions().len()).await;
        local.into_iter().for_each(|local| out.gauge("local_sessions", local));
        if !self.cfg.standalone {
            out.gauge("quorum_size", self.voters());
        }
        if self.leads(&serving) {
            self.report_of_leader(&mut out).await;
        }
        out
    }

    async fn report_of_leader(&self, out: &mut Report) {
        let now =
            self.look(|server| Now { status: server.status(), pending_syncs: server.service().pending_syncs() }).await;
        let Some(now) = now else { return };
        let (followers, observers) = self.synced(&now.status);
        out.gauge("learners", followers.len() + observers.len());
        out.gauge("synced_followers", followers.len());
        out.gauge("synced_observers", observers.len());
        // Every server that is not in the configuration is refused.
        out.gauge("synced_non_voting_followers", 0_usize);
        out.gauge("pending_syncs", now.pending_syncs);
        if let Some(since) = *self.metrics.leading.lock() {
            out.gauge("leader_uptime", i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX));
        }
        let [last, min, max] = self.metrics.owner.lock().proposal_sizes.told();
        out.gauge("last_proposal_size", last);
        out.gauge("min_proposal_size", min);
        out.gauge("max_proposal_size", max);
    }

    /// What a member of an ensemble does, in Apache's words; nothing for a server that stands alone.
    pub fn peer_state(&self, serving: &Serving) -> Option<&'static str> {
        if self.cfg.standalone {
            return None;
        }
        Some(match serving.role {
            ServerState::Looking => "looking",
            ServerState::Following => "following - broadcast",
            ServerState::Leading => "leading - broadcast",
            ServerState::Observing => "observing - broadcast",
        })
    }
}

/// What may be, a hard limit before a soft one, and what is. Apache has these by the first name of the path, so only
/// quotas on a path of one name have a place.
fn report_quotas(tree: &Tree, out: &mut Report) {
    for (path, quota) in tree.quotas() {
        let Some(key) = path.strip_prefix('/').filter(|name| !name.contains('/')) else { continue };
        let limits = &quota.limits;
        for (name, value) in [
            ("quota_count_limit_per_namespace", limits.count_hard.or(limits.count)),
            ("quota_bytes_limit_per_namespace", limits.bytes_hard.or(limits.bytes)),
            ("quota_count_usage_per_namespace", quota.used.map(|used| used.count)),
            ("quota_bytes_usage_per_namespace", quota.used.map(|used| used.bytes)),
        ] {
            value.into_iter().for_each(|value| out.keyed_gauge(name, key, value));
        }
    }
}
