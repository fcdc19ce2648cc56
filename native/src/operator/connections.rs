//! The connections of clients.

use super::Operator;
use crate::net::link_stats::LinkTold;
use crate::net::links::Transport;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use zebu_core::id::{LinkId, SessionId};

/// One connection.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end.
    pub remote: SocketAddr,
    /// Whether it goes through TLS.
    pub secure: bool,
    /// What the server waits for, as Java's bits: 1 for something to read.
    pub interest: u8,
    /// Requests not answered yet.
    pub queued: usize,
    /// Once there is one.
    pub session: Option<SessionId>,
    /// When it was accepted, milliseconds since 1970.
    pub established: i64,
    /// Its traffic.
    pub told: LinkTold,
    /// When it ends if nothing more is heard, milliseconds since 1970.
    pub expires: i64,
}

impl Operator {
    /// How many come from this machine, and how many from others, of those whose client has shown no certificate.
    pub fn connections_by_place(&self) -> (usize, usize) {
        let mut all = self.links.all();
        all.retain(|link| link.transport != Transport::MutualTls);
        let local = all.iter().filter(|link| link.remote.ip().is_loopback()).count();
        (local, all.len() - local)
    }

    /// The open connections in the order in which they were opened. `asking` is the one that wants to know: it waits
    /// for nothing, and its word is a packet of its own.
    pub fn connections(&self, asking: Option<LinkId>) -> Vec<Connection> {
        let started = crate::clock::wall_millis().saturating_sub_unsigned(self.metrics.millis(Instant::now()));
        let sessionless = i64::try_from(self.cfg.sessionless_timeout.as_millis()).unwrap_or(i64::MAX);
        let all = self.links.all();
        let told = all.iter().map(|link| {
            let asks = asking == Some(link.id);
            let mut told = link.stats.told();
            told.received += u64::from(asks);
            let heard = started.saturating_add_unsigned(link.stats.heard.load(Relaxed));
            let expires = match told.timeout {
                0 => link.established.saturating_add(sessionless),
                timeout => heard.saturating_add(timeout),
            };
            Connection {
                remote: link.remote,
                secure: link.transport != Transport::Plain,
                interest: u8::from(!asks),
                queued: link.pending.load(Relaxed),
                session: link.session(),
                established: link.established,
                told,
                expires,
            }
        });
        told.collect()
    }
}

/// Those that end in the same second if nothing more is heard, by that second (milliseconds since 1970).
pub fn by_expiry(connections: &[Connection]) -> BTreeMap<i64, Vec<Connection>> {
    let mut groups: BTreeMap<i64, Vec<Connection>> = BTreeMap::new();
    for connection in connections {
        // At the end of the second: nothing ends before it is said to.
        let second = connection.expires.div_euclid(1000).saturating_add(1).saturating_mul(1000);
        groups.entry(second).or_default().push(*connection);
    }
    groups
}
