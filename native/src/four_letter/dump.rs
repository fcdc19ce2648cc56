//! `dump`: sessions, their ephemerals, connections.

use super::push;
use crate::operator::connections::{Connection, by_expiry};
use crate::operator::sessions::{Expiries, Global, Sessions};
use crate::operator::{NOT_SERVING, Operator};
use std::collections::BTreeMap;
use zebu_core::id::{LinkId, SessionId};

/// All three.
pub async fn text(operator: &Operator, asking: LinkId) -> String {
    let Some(sessions) = operator.sessions().await else { return format!("{NOT_SERVING}\n") };
    let mut out = String::new();
    push_sessions(&mut out, &sessions);
    push_ephemerals(&mut out, &operator.ephemerals());
    push_connections(&mut out, &operator.connections(Some(asking)));
    out
}

fn push_sessions(out: &mut String, sessions: &Sessions) {
    out.push_str("SessionTracker dump:\n");
    if let Some(local) = &sessions.local {
        out.push_str("Local ");
        push_expiries(out, local);
    }
    match &sessions.global {
        Global::Tracked(buckets) => {
            if sessions.local.is_some() {
                out.push_str("Global ");
            }
            push_expiries(out, buckets);
        }
        Global::Known(known) => {
            push(out, format_args!("Global Sessions({}):\n", known.len()));
            known.iter().for_each(|(session, timeout)| push(out, format_args!("{session}\t{timeout}ms\n")));
        }
    }
}

fn push_expiries(out: &mut String, buckets: &Expiries) {
    let count: usize = buckets.values().map(Vec::len).sum();
    push(out, format_args!("Session Sets ({})/({count}):\n", buckets.len()));
    for (at, sessions) in buckets {
        push(out, format_args!("{} expire at {}:\n", sessions.len(), date(*at)));
        sessions.iter().for_each(|session| push(out, format_args!("\t{session}\n")));
    }
}

fn push_ephemerals(out: &mut String, ephemerals: &BTreeMap<SessionId, Vec<String>>) {
    push(out, format_args!("ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", ephemerals.len()));
    for (session, paths) in ephemerals {
        push(out, format_args!("{session}:\n"));
        paths.iter().for_each(|path| push(out, format_args!("\t{path}\n")));
    }
}

fn push_connections(out: &mut String, connections: &[Connection]) {
    let groups = by_expiry(connections);
    push(out, format_args!("Connections dump:\nConnections Sets ({})/({}):\n", groups.len(), connections.len()));
    for (at, connections) in groups {
        push(out, format_args!("{} expire at {}:\n", connections.len(), date(at)));
        for c in connections {
            let session = c.session.unwrap_or(SessionId(0));
            push(out, format_args!("\tip: /{} sessionId: {session}\n", c.remote));
        }
    }
}

/// As Java's `Date` shows it, in UTC. `at` is in milliseconds since 1970.
fn date(at: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::link_stats::LinkStats;
    use std::net::SocketAddr;

    const SESSION: SessionId = SessionId(0x0100_003c_c7b3_00c0);

    fn connection(port: u16, session: Option<SessionId>, expires: i64) -> Connection {
        Connection {
            secure: false,
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
            interest: 1,
            queued: 0,
            session,
            established: 0,
            told: LinkStats::default().told(),
            expires,
        }
    }

    #[test]
    fn as_apache_writes_it() {
        let mut out = String::new();
        let at = 1_795_416_318_000;
        push_sessions(
            &mut out,
            &Sessions { local: None, global: Global::Tracked(BTreeMap::from([(at, vec![SESSION])])) },
        );
        push_ephemerals(&mut out, &BTreeMap::from([(SESSION, vec!["/f4v/e".to_string()])]));
        push_connections(&mut out, &[connection(50748, None, at - 7000), connection(50684, Some(SESSION), at + 3500)]);
        let expected = "SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at Mon Nov 23 06:45:18 UTC 2026:\n\
                        \t0x100003cc7b300c0\nephemeral nodes dump:\nSessions with Ephemerals (1):\n\
                        0x100003cc7b300c0:\n\t/f4v/e\nConnections dump:\nConnections Sets (2)/(2):\n\
                        1 expire at Mon Nov 23 06:45:12 UTC 2026:\n\tip: /127.0.0.1:50748 sessionId: 0x0\n\
                        1 expire at Mon Nov 23 06:45:22 UTC 2026:\n\tip: /127.0.0.1:50684 sessionId: 0x100003cc7b300c0\n";
        assert_eq!(out, expected);
        let mut out = String::new();
        let known = Global::Known(BTreeMap::from([(SESSION, 4000)]));
        push_sessions(&mut out, &Sessions { local: None, global: known });
        assert_eq!(out, "SessionTracker dump:\nGlobal Sessions(1):\n0x100003cc7b300c0\t4000ms\n");
        let local = || Some(BTreeMap::from([(at, vec![SESSION])]));
        let local_sets = "SessionTracker dump:\nLocal Session Sets (1)/(1):\n\
                          1 expire at Mon Nov 23 06:45:18 UTC 2026:\n\t0x100003cc7b300c0\n";
        for (global, rest) in [
            (Global::Known(BTreeMap::new()), "Global Sessions(0):\n"),
            (Global::Tracked(BTreeMap::new()), "Global Session Sets (0)/(0):\n"),
        ] {
            let mut out = String::new();
            push_sessions(&mut out, &Sessions { local: local(), global });
            assert_eq!(out, format!("{local_sets}{rest}"));
        }
    }
}
