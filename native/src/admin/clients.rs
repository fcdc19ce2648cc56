//! Commands about clients: their connections, sessions and watches.

use super::commands::{failure, success};
use super::json::Pairs;
use crate::operator::Operator;
use crate::operator::connections::Connection;
use crate::operator::sessions::Global;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use zebu_core::effect::{LinkClose, ToLink};

/// A connection in brief.
#[derive(Serialize)]
pub struct Brief {
    remote_socket_address: String,
    interest_ops: u8,
    outstanding_requests: usize,
    packets_received: u64,
    packets_sent: u64,
}

impl From<&Connection> for Brief {
    fn from(c: &Connection) -> Brief {
        Brief {
            remote_socket_address: c.remote.to_string(),
            interest_ops: c.interest,
            outstanding_requests: c.queued,
            packets_received: c.told.received,
            packets_sent: c.told.sent,
        }
    }
}

/// All that is known of one.
#[derive(Serialize)]
struct Full {
    #[serde(flatten)]
    brief: Brief,
    session_id: i64,
    last_operation: &'static str,
    established: i64,
    session_timeout: i64,
    last_cxid: i32,
    last_zxid: i64,
    last_response_time: u64,
    last_latency: u64,
    min_latency: u64,
    avg_latency: u64,
    max_latency: u64,
}

impl From<&Connection> for Full {
    fn from(c: &Connection) -> Full {
        Full {
            brief: c.into(),
            session_id: c.session.map_or(0, |session| session.0),
            last_operation: c.told.last_op,
            established: c.established,
            session_timeout: c.told.timeout,
            last_cxid: c.told.last_cxid,
            last_zxid: c.told.last_zxid,
            last_response_time: c.told.last_response,
            last_latency: c.told.last_latency,
            min_latency: c.told.min_latency,
            avg_latency: c.told.avg_latency,
            max_latency: c.told.max_latency,
        }
    }
}

/// The plain connections in brief, and those through TLS.
pub fn brief(operator: &Operator) -> (Vec<Brief>, Vec<Brief>) {
    told(operator)
}

/// The plain connections, and those through TLS.
fn told<T: for<'a> From<&'a Connection>>(operator: &Operator) -> (Vec<T>, Vec<T>) {
    let (secure, plain): (Vec<_>, Vec<_>) = operator.connections(None).into_iter().partition(|c| c.secure);
    let tell = |all: Vec<Connection>| all.iter().map(T::from).collect();
    (tell(plain), tell(secure))
}

/// `connections`.
pub fn connections(operator: &Operator) -> impl Serialize + use<> {
    let (plain, secure) = told::<Full>(operator);
    Pairs(vec![("connections", plain), ("secure_connections", secure)])
}

/// `dump`. `None` if the owner thread does not answer.
pub async fn dump(operator: &Operator) -> Option<impl Serialize + use<>> {
    #[derive(Serialize)]
    struct Dump {
        expiry_time_to_session_ids: Pairs<String, Vec<i64>>,
        session_id_to_ephemeral_paths: Pairs<String, Vec<String>>,
    }
    let sessions = operator.sessions().await?;
    let mut buckets = sessions.local.unwrap_or_default();
    if let Global::Tracked(global) = sessions.global {
        global.into_iter().for_each(|(at, ids)| buckets.entry(at).or_default().extend(ids));
    }
    let expiries = buckets.into_iter().map(|(at, ids)| (at.to_string(), ids.iter().map(|id| id.0).collect())).collect();
    let ephemerals = operator.ephemerals().into_iter().map(|(session, paths)| (session.0.to_string(), paths));
    Some(Dump {
        expiry_time_to_session_ids: Pairs(expiries),
        session_id_to_ephemeral_paths: Pairs(ephemerals.collect()),
    })
}

/// `watch_summary`.
pub fn watch_summary(operator: &Operator) -> impl Serialize + use<> {
    let watches = operator.watch_summary();
    Pairs(vec![
        ("num_connections", watches.connections),
        ("num_paths", watches.paths),
        ("num_total_watches", watches.total),
    ])
}

/// `watches`.
pub fn watches(operator: &Operator) -> impl Serialize + use<> {
    let all = operator.watches_by_session().into_iter().map(|(session, paths)| (session.0.to_string(), paths));
    Pairs(vec![("session_id_to_watched_paths", Pairs(all.collect()))])
}

/// `watches_by_path`.
pub fn watches_by_path(operator: &Operator) -> impl Serialize + use<> {
    let ids = |sessions: std::collections::BTreeSet<zebu_core::id::SessionId>| -> Vec<i64> {
        sessions.into_iter().map(|session| session.0).collect()
    };
    let all = operator.watches_by_path().into_iter().map(|(path, sessions)| (path, ids(sessions)));
    Pairs(vec![("path_to_session_ids", Pairs(all.collect()))])
}

/// `shed_connections`: ends a part of the connections, which then look for another server.
pub fn shed(operator: &Operator, command: &str, body: &[u8]) -> Response<Body> {
    #[derive(Deserialize)]
    struct Wanted {
        percentage: u8,
    }
    let wanted = serde_json::from_slice::<Wanted>(body).ok().filter(|wanted| wanted.percentage <= 100);
    let Some(Wanted { percentage }) = wanted else {
        let what = "the body must be {\"percentage\": n} with a whole number n from 0 to 100";
        return failure(command, StatusCode::BAD_REQUEST, what);
    };
    let links = operator.links.all();
    let count = (links.len() * usize::from(percentage)).div_ceil(100);
    // Those that were opened last: they have set the fewest watches, and a client that comes back at once does not
    // push out another.
    for link in links.iter().rev().take(count) {
        link.push(ToLink::Close(LinkClose::NotServing));
    }
    tracing::info!("ends {count} of {} connections, as an operator asks (shed_connections)", links.len());
    success(command, &Pairs(vec![("connections_shed", count), ("percentage_requested", usize::from(percentage))]))
}
