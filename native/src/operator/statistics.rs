//! How a server does: latency, traffic, position.

use super::Operator;
use crate::metrics::Latency;
use zebu_core::effect::Serving;
use zebu_core::id::Zxid;
use zebu_core::server::ReadSide as _;

/// What `srvr` and `stats` tell.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    /// How long requests take.
    pub latency: Latency,
    /// Frames from clients.
    pub received: u64,
    /// Frames to clients.
    pub sent: u64,
    /// Open connections of clients.
    pub connections: usize,
    /// Requests not answered yet.
    pub outstanding: u64,
    /// Authentications that failed.
    pub auth_failed: u64,
    /// The last transaction applied; of a leader that has made none in its epoch, the epoch's beginning.
    pub zxid: Zxid,
    /// `standalone`, or the role.
    pub mode: &'static str,
    /// Znodes as Apache counts them: the root twice.
    pub nodes: usize,
    /// Leader: sizes of the last, the smallest and the largest proposal; -1 for none.
    pub proposals: Option<[i64; 3]>,
    /// Sizes of the last, the smallest and the largest answer; -1 for none.
    pub responses: [i64; 3],
}

impl Operator {
    /// How the server does.
    pub fn statistics(&self, serving: &Serving) -> Statistics {
        let clients = self.metrics.all_clients();
        let (applied, nodes) = self.side.read(|s| (s.tree.applied(), s.tree.len()));
        let leads = self.leads(serving);
        Statistics {
            latency: clients.latency(),
            received: clients.packets_received,
            sent: clients.packets_sent,
            connections: self.links.len(),
            outstanding: self.metrics.outstanding(),
            auth_failed: clients.auth_failed,
            zxid: if leads { applied.max(serving.epoch.start()) } else { applied },
            mode: self.mode(serving),
            nodes: nodes + 1,
            proposals: leads.then(|| self.metrics.owner.lock().proposal_sizes.told()),
            responses: clients.response_sizes.told(),
        }
    }

    /// Forgets what connections have done.
    pub fn reset_connections(&self) {
        self.links.all().iter().for_each(|link| link.stats.reset());
    }
}
