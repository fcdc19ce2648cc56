//! Commands about the server itself.

use super::json::Pairs;
use crate::metrics::report::Number;
use crate::operator::statistics::Statistics;
use crate::operator::{Operator, environment, version};
use serde::Serialize;
use zebu_core::effect::Serving;
use zebu_core::server::ReadSide as _;
use zebu_core::tree::digest;

/// `configuration`.
pub fn configuration(operator: &Operator) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Configuration {
        client_port: i32,
        data_dir: String,
        data_log_dir: String,
        tick_time: i64,
        max_client_cnxns: usize,
        min_session_timeout: i32,
        max_session_timeout: i32,
        server_id: i64,
        client_port_listen_backlog: i32,
    }
    let c = operator.configuration();
    Configuration {
        client_port: c.client_port.map_or(-1, i32::from),
        data_dir: c.data_dir.display().to_string(),
        data_log_dir: c.log_dir.display().to_string(),
        tick_time: c.tick_ms,
        max_client_cnxns: c.max_client_cnxns,
        min_session_timeout: c.min_session_ms,
        max_session_timeout: c.max_session_ms,
        server_id: c.server_id,
        client_port_listen_backlog: c.backlog,
    }
}

/// `dirs`.
pub fn dirs(operator: &Operator) -> impl Serialize + use<> {
    let (data, log) = operator.folder_sizes();
    Pairs(vec![("datadir_size", data), ("logdir_size", log)])
}

/// `environment`.
pub fn environment() -> impl Serialize {
    Pairs(environment::environment())
}

/// `system_properties`.
pub fn system_properties(operator: &Operator) -> impl Serialize + use<> {
    Pairs(operator.system_properties())
}

/// `get_trace_mask`.
pub fn trace_mask(operator: &Operator) -> impl Serialize + use<> {
    Pairs(vec![("tracemask", operator.trace.get())])
}

/// `initial_configuration`.
pub fn initial_configuration(operator: &Operator) -> impl Serialize + use<> {
    Pairs(vec![("initial_configuration", operator.cfg.shown.clone())])
}

/// `is_read_only`.
pub fn is_read_only(serving: &Serving) -> impl Serialize + use<> {
    Pairs(vec![("read_only", serving.is_read_only())])
}

/// `last_snapshot`.
pub fn last_snapshot(operator: &Operator) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct LastSnapshot {
        zxid: String,
        timestamp: i64,
    }
    let (zxid, timestamp) = operator.last_snapshot.get();
    LastSnapshot { zxid: format!("{:x}", zxid.0), timestamp }
}

/// `hash`.
pub fn hash(operator: &Operator) -> impl Serialize + use<> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Digest {
        zxid: i64,
        digest_version: i32,
        digest: i64,
    }
    let digests: Vec<_> = operator.side.read(|s| {
        let all = s.tree.digests().iter();
        all.map(|(zxid, digest)| Digest { zxid: zxid.0, digest_version: digest::VERSION, digest }).collect()
    });
    Pairs(vec![("digests", digests)])
}

/// Three sizes.
#[derive(Clone, Copy, Serialize)]
struct Buffers {
    last_buffer_size: i64,
    min_buffer_size: i64,
    max_buffer_size: i64,
}

impl From<[i64; 3]> for Buffers {
    fn from([last_buffer_size, min_buffer_size, max_buffer_size]: [i64; 3]) -> Buffers {
        Buffers { last_buffer_size, min_buffer_size, max_buffer_size }
    }
}

#[derive(Serialize)]
struct ServerStats {
    packets_sent: u64,
    packets_received: u64,
    fsync_threshold_exceed_count: u64,
    client_response_stats: Buffers,
    data_dir_size: u64,
    log_dir_size: u64,
    server_state: &'static str,
    last_processed_zxid: i64,
    outstanding_requests: u64,
    avg_latency: Number,
    max_latency: i64,
    min_latency: i64,
    num_alive_client_connections: usize,
    auth_failed_count: u64,
    non_mtlsremote_conn_count: usize,
    non_mtlslocal_conn_count: usize,
    provider_null: bool,
    uptime: u64,
}

#[derive(Serialize)]
struct Stats {
    version: &'static str,
    read_only: bool,
    server_stats: ServerStats,
    client_response: Buffers,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal_stats: Option<Buffers>,
    node_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Vec<super::clients::Brief>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secure_connections: Option<Vec<super::clients::Brief>>,
}

/// `server_stats`, and `stats` with the connections.
pub fn stats(operator: &Operator, serving: &Serving, with_connections: bool) -> impl Serialize + use<> {
    let s: Statistics = operator.statistics(serving);
    let (data_dir_size, log_dir_size) = operator.folder_sizes();
    let (local, remote) = operator.connections_by_place();
    let server_stats = ServerStats {
        packets_sent: s.sent,
        packets_received: s.received,
        fsync_threshold_exceed_count: operator.metrics.disk.lock().slow_syncs,
        client_response_stats: s.responses.into(),
        data_dir_size,
        log_dir_size,
        server_state: s.mode,
        last_processed_zxid: s.zxid.0,
        outstanding_requests: s.outstanding,
        avg_latency: s.latency.average,
        max_latency: s.latency.max,
        min_latency: s.latency.min,
        num_alive_client_connections: s.connections,
        auth_failed_count: s.auth_failed,
        non_mtlsremote_conn_count: remote,
        non_mtlslocal_conn_count: local,
        provider_null: false,
        uptime: u64::try_from(operator.metrics.uptime().as_millis()).unwrap_or(u64::MAX),
    };
    let (connections, secure_connections) = with_connections.then(|| super::clients::brief(operator)).unzip();
    Stats {
        version: version(),
        read_only: serving.is_read_only(),
        server_stats,
        client_response: s.responses.into(),
        proposal_stats: s.proposals.map(Buffers::from),
        node_count: s.nodes,
        connections,
        secure_connections,
    }
}

/// `monitor`.
pub async fn monitor(operator: &Operator, serving: &Serving) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Monitor {
        version: &'static str,
        server_state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        peer_state: Option<&'static str>,
        #[serde(flatten)]
        numbers: Pairs<String, Number>,
    }
    Monitor {
        version: version(),
        server_state: operator.mode(serving),
        peer_state: operator.peer_state(serving),
        numbers: Pairs(operator.report().await.numbers()),
    }
}
