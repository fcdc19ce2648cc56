//! Says who leads, by asking the servers with the four-letter word `srvr`, as an operator would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::plan::Plan;

/// A person waits for the first leader, so it is asked for often; afterwards a change is news once a second.
const ASK_FIRST: Duration = Duration::from_millis(100);
const ASK_LATER: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// How long no leader is normal at the start.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read: `srvr` takes a few hundred bytes.
const LONGEST_ANSWER: u64 = 16 * 1024;

/// Asks in turns and reports each change of leader once.
#[derive(Debug)]
pub struct LeaderWatch {
    servers: Vec<(u16, SocketAddr)>,
    known: Option<Leader>,
    started: Instant,
    warned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leader {
    id: u16,
    epoch: u32,
}

impl LeaderWatch {
    pub fn new(plan: &Plan) -> Self {
        let servers = plan.servers.iter().map(|server| (server.id, server.client)).collect();
        Self { servers, known: None, started: Instant::now(), warned: false }
    }

    /// Waits until another server leads, or until that takes too long at the start; one line about it.
    ///
    /// Nothing is lost when the wait is abandoned and begun again.
    pub async fn next_change(&mut self) -> String {
        loop {
            sleep(if self.known.is_none() { ASK_FIRST } else { ASK_LATER }).await;
            let mut leader = None;
            for &(id, address) in &self.servers {
                let epoch =
                    timeout(ANSWER_WITHIN, ask(address)).await.ok().flatten().and_then(|text| leader_epoch(&text));
                // Of two that both say so, the one of the later epoch is the leader.
                leader = leader.max(epoch.map(|epoch| (epoch, id)));
            }
            let leader = leader.map(|(epoch, id)| Leader { id, epoch });
            if let Some(leader) = leader.filter(|leader| self.known != Some(*leader)) {
                self.known = Some(leader);
                return format!("server {} leads, epoch {}", leader.id, leader.epoch);
            }
            if self.known.is_none() && !self.warned && self.started.elapsed() > PATIENCE {
                self.warned = true;
                return format!("no leader after {} s; each server's zebu.log says why", PATIENCE.as_secs());
            }
        }
    }
}

async fn ask(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(b"srvr").await.ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// The epoch in a leader's answer to `srvr`; nothing for any other answer.
fn leader_epoch(answer: &str) -> Option<u32> {
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("Mode:")? != "leader" {
        return None;
    }
    let zxid = u64::from_str_radix(field("Zxid:")?.strip_prefix("0x")?, 16).ok()?;
    u32::try_from(zxid >> 32).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leader_has_an_epoch_to_tell() {
        let answer =
            |mode: &str, zxid: &str| format!("Zookeeper version: 3.9\nZxid: {zxid}\nMode: {mode}\nNode count: 5\n");
        let cases = [
            (answer("leader", "0x200000003"), Some(2)),
            (answer("leader", "0x0"), Some(0)),
            (answer("follower", "0x200000003"), None),
            (answer("leader", "200000003"), None),
            ("This ZooKeeper instance is not currently serving requests\n".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in cases {
            assert_eq!(leader_epoch(&text), expected, "{text}");
        }
    }
}
