//! `srvr`, `stat` and `srst`.

use super::{connections, push};
use crate::operator::statistics::Statistics;
use crate::operator::{Operator, version};
use zebu_core::effect::Serving;
use zebu_core::id::LinkId;

/// The server.
pub fn srvr(operator: &Operator, serving: &Serving) -> String {
    format!("{}{}", head(serving), lines(&operator.statistics(serving)))
}

/// The server and who is connected.
pub fn stat(operator: &Operator, serving: &Serving, asking: LinkId) -> String {
    let mut out = format!("{}Clients:\n", head(serving));
    for connection in operator.connections(Some(asking)) {
        connections::brief(&mut out, &connection);
        out.push('\n');
    }
    out + "\n" + &lines(&operator.statistics(serving))
}

/// Begins to count anew.
pub fn reset(operator: &Operator) -> String {
    operator.metrics.reset();
    "Server stats reset.\n".into()
}

fn head(serving: &Serving) -> String {
    let read_only = "READ-ONLY mode; serving only read-only clients\n";
    format!("Zookeeper version: {}\n{}", version(), if serving.is_read_only() { read_only } else { "" })
}

fn lines(s: &Statistics) -> String {
    let mut out = format!(
        "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: 0x{:x}\n\
         Mode: {}\nNode count: {}\n",
        s.latency.min,
        s.latency.average,
        s.latency.max,
        s.received,
        s.sent,
        s.connections,
        s.outstanding,
        s.zxid.0,
        s.mode,
        s.nodes,
    );
    if let Some([last, min, max]) = s.proposals {
        push(&mut out, format_args!("Proposal sizes last/min/max: {last}/{min}/{max}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Latency;
    use crate::metrics::report::Number;
    use zebu_core::id::Zxid;

    #[test]
    fn as_apache_writes_it() {
        let leader = Statistics {
            latency: Latency { min: 0, average: Number::Real(1.0), max: 3 },
            received: 24,
            sent: 29,
            connections: 2,
            outstanding: 0,
            auth_failed: 0,
            zxid: Zxid(0x5_0000_0009),
            mode: "leader",
            nodes: 20,
            proposals: Some([36, 36, 96]),
            responses: [-1; 3],
        };
        let text = "Latency min/avg/max: 0/1.0/3\nReceived: 24\nSent: 29\nConnections: 2\nOutstanding: 0\n\
                    Zxid: 0x500000009\nMode: leader\nNode count: 20\nProposal sizes last/min/max: 36/36/96\n";
        assert_eq!(lines(&leader), text);
        let alone = Statistics { mode: "standalone", proposals: None, ..leader };
        assert!(lines(&alone).ends_with("Mode: standalone\nNode count: 20\n"));
    }
}
