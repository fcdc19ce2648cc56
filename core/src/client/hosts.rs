//! The servers that a client knows: how a person writes them, in which order they are tried, and how long to wait
//! between the tries (client-protocol §21).

use crate::client::chroot::Chroot;
use crate::rng::Rng;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use serde::Serialize;

/// The port that a host without one means.
pub const DEFAULT_PORT: u16 = 2181;

/// One server's client port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// `host:port,host:port/chroot`, as every ZooKeeper client takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectString {
    /// At least one.
    pub hosts: Vec<HostPort>,
    /// The whole tree unless given.
    pub chroot: Chroot,
}

/// What is wrong with a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {
    /// It names no host.
    NoHost,
    /// A colon with nothing before it.
    EmptyHost(String),
    /// No port, 1 to 65535, behind the colon.
    Port(String),
    /// More than one colon, or a bracket without its partner.
    Brackets(String),
    /// What stands behind the hosts is no path.
    Chroot(String),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::NoHost => f.write_str("no server is named; write host:port,host:port/chroot"),
            HostError::EmptyHost(text) => write!(f, "\"{text}\" has no host before the colon"),
            HostError::Port(text) => write!(f, "\"{text}\" has no port, 1 to 65535, behind the colon"),
            HostError::Brackets(text) => write!(f, "\"{text}\" is no host; write an IPv6 address as [::1]:2181"),
            HostError::Chroot(text) => write!(f, "the chroot \"{text}\" is not a valid path"),
        }
    }
}
impl core::error::Error for HostError {}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = HostError;

    fn from_str(text: &str) -> Result<HostPort, HostError> {
        let brackets = || HostError::Brackets(text.into());
        let (host, port) = match text.strip_prefix('[') {
            Some(inner) => {
                let (host, behind) = inner.split_once(']').ok_or_else(brackets)?;
                let port = match behind.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if behind.is_empty() => None,
                    None => return Err(brackets()),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err(brackets()),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(HostError::EmptyHost(text.into()));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(HostError::Port(text.into())),
            },
        };
        Ok(HostPort { host: host.into(), port })
    }
}

impl FromStr for ConnectString {
    type Err = HostError;

    /// Blanks around a host, and hosts of nothing at all (`a,,b`), count for nothing.
    fn from_str(text: &str) -> Result<ConnectString, HostError> {
        let (hosts, chroot) = text.split_at(text.find('/').unwrap_or(text.len()));
        let chroot = Chroot::new(chroot.trim_end()).map_err(|_| HostError::Chroot(chroot.into()))?;
        let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        let hosts = hosts.map(HostPort::from_str).collect::<Result<Vec<_>, _>>()?;
        if hosts.is_empty() { Err(HostError::NoHost) } else { Ok(ConnectString { hosts, chroot }) }
    }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
        write!(f, "{}{}", hosts.join(","), self.chroot.prefix())
    }
}

/// The shortest wait after a round in which no server could be used.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest one.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The order of the tries. Every client shuffles its hosts, so that they spread over the servers; the hosts of one
/// round are tried one right after the other, and between rounds there is a pause that doubles up to a second, half of
/// it by chance, so that the clients of a lost server do not all come at once.
#[derive(Clone, Debug)]
pub struct Rotation {
    hosts: Vec<HostPort>,
    at: usize,
    /// Tries since a session was served.
    tries: u32,
    rng: Rng,
}

impl Rotation {
    /// The hosts in an order drawn from `rng`. There must be at least one: none counts as one that is never there.
    pub fn new(mut hosts: Vec<HostPort>, mut rng: Rng) -> Rotation {
        for last in (1..hosts.len()).rev() {
            hosts.swap(last, rng.below(last as u64 + 1) as usize);
        }
        Rotation { hosts, at: 0, tries: 0, rng }
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The host of the current try.
    pub fn current(&self) -> Option<&HostPort> {
        self.hosts.get(self.at)
    }

    /// The try failed, or the connection is lost: turns to the next host; how long to wait before it is tried.
    pub fn move_on(&mut self) -> Duration {
        self.turn();
        self.tries = self.tries.saturating_add(1);
        let count = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX).max(1);
        if !self.tries.is_multiple_of(count) {
            return Duration::ZERO;
        }
        let rounds = (self.tries / count - 1).min(10);
        let pause = PAUSE_MIN.saturating_mul(1 << rounds).min(PAUSE_MAX);
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.rng.between(micros / 2, micros))
    }

    /// A session was served, and not only for a moment: the next loss begins a new round.
    pub fn served(&mut self) {
        self.tries = 0;
    }

    /// Turns to the next host.
    pub fn turn(&mut self) {
        self.at = (self.at + 1) % self.hosts.len().max(1);
    }

    /// Turns to this host, if it is one of them.
    pub fn turn_to(&mut self, host: &HostPort) {
        if let Some(at) = self.hosts.iter().position(|h| h == host) {
            self.at = at;
        }
    }

    /// The host `ahead` places behind the current one, round and round.
    pub fn ahead(&self, ahead: usize) -> Option<&HostPort> {
        self.hosts.get((self.at + ahead) % self.hosts.len().max(1))
    }

    /// How long one try may take, from dialing to a served session: the session timeout is shared among the hosts, so
    /// that a session can still move when all but the last are dead.
    pub fn connect_timeout(&self, session: Duration) -> Duration {
        session / u32::try_from(self.hosts.len()).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::BTreeSet;

    fn list(hosts: &[HostPort]) -> String {
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn connection_strings() {
        for (text, hosts, chroot) in [
            ("localhost:2181", "localhost:2181", ""),
            ("localhost", "localhost:2181", ""),
            ("a:1,b:2,c:3", "a:1, b:2, c:3", ""),
            (" a:1 , b:2 ,", "a:1, b:2", ""),
            ("a:1,b:2/app/one", "a:1, b:2", "/app/one"),
            ("a:1/", "a:1", ""),
            ("a/app", "a:2181", "/app"),
            ("[::1]:2182,[fe80::1]", "[::1]:2182, [fe80::1]:2181", ""),
            ("127.0.0.1:65535", "127.0.0.1:65535", ""),
        ] {
            let read: ConnectString = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((list(&read.hosts).as_str(), read.chroot.prefix()), (hosts, chroot), "{text}");
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
    }

    #[test]
    fn wrong_connection_strings() {
        for (text, want) in [
            ("", HostError::NoHost),
            (" , ", HostError::NoHost),
            ("/app", HostError::NoHost),
            (":2181", HostError::EmptyHost(":2181".into())),
            ("a:1,[]:2", HostError::EmptyHost("[]:2".into())),
            ("a:", HostError::Port("a:".into())),
            ("a:0", HostError::Port("a:0".into())),
            ("a:65536", HostError::Port("a:65536".into())),
            ("a:x", HostError::Port("a:x".into())),
            ("a:-1", HostError::Port("a:-1".into())),
            ("::1", HostError::Brackets("::1".into())),
            ("[::1", HostError::Brackets("[::1".into())),
            ("[::1]2181", HostError::Brackets("[::1]2181".into())),
            ("a:1/app/", HostError::Chroot("/app/".into())),
            ("a:1//app", HostError::Chroot("//app".into())),
        ] {
            assert_eq!(text.parse::<ConnectString>(), Err(want), "{text:?}");
        }
    }

    fn hosts(count: u16) -> Vec<HostPort> {
        (1..=count).map(|port| HostPort { host: "h".into(), port }).collect()
    }

    #[test]
    fn every_host_has_its_turn_in_an_order_of_chance() {
        let mut orders = BTreeSet::new();
        for seed in 0..64 {
            let mut rotation = Rotation::new(hosts(3), Rng::new(seed));
            let mut order = Vec::new();
            for _ in 0..6 {
                order.push(rotation.current().map(|h| h.port).unwrap());
                rotation.turn();
            }
            assert_eq!(order[..3], order[3..], "round and round");
            orders.insert(order);
        }
        assert_eq!(orders.len(), 6, "all orders of three come up");
    }

    #[test]
    fn pauses_come_after_whole_rounds_and_grow() {
        let mut rotation = Rotation::new(hosts(2), Rng::new(1));
        let mut last = Duration::ZERO;
        for round in 0..8_u32 {
            assert_eq!(rotation.move_on(), Duration::ZERO, "within a round");
            let pause = rotation.move_on();
            let most = (PAUSE_MIN * (1 << round.min(4))).min(PAUSE_MAX);
            assert!(pause >= most / 2 && pause <= most, "round {round}: {pause:?}");
            assert!(round > 3 || pause >= last, "it grows");
            last = pause;
        }
        rotation.served();
        assert_eq!(rotation.move_on(), Duration::ZERO, "the next host at once");
        assert!(rotation.move_on() <= PAUSE_MIN);
        let mut alone = Rotation::new(hosts(1), Rng::new(1));
        assert!(alone.move_on() >= PAUSE_MIN / 2, "the only host is not dialed in a loop");
    }

    #[test]
    fn the_session_timeout_is_shared() {
        for (count, want) in [(0, 3000), (1, 3000), (3, 1000)] {
            let rotation = Rotation::new(hosts(count), Rng::new(1));
            assert_eq!(rotation.connect_timeout(Duration::from_secs(3)), Duration::from_millis(want));
        }
    }

    #[test]
    fn turning_to_a_host() {
        let mut rotation = Rotation::new(hosts(3), Rng::new(5));
        let wanted = rotation.ahead(2).cloned().unwrap();
        rotation.turn_to(&wanted);
        assert_eq!(rotation.current(), Some(&wanted));
        rotation.turn_to(&HostPort { host: "stranger".into(), port: 1 });
        assert_eq!(rotation.current(), Some(&wanted));
    }
}
