//! The `server.N` lines and the `myid` file: who is in the ensemble, and who we are.

use super::ConfigError;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use zebu_core::config::{Member, MemberKind};
use zebu_core::id::ServerId;

pub use zebu_core::config::LARGEST_ID;

/// One `server.N=host:quorumPort:electionPort[:role][;[clientHost:]clientPort]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// Where in the file.
    pub line: usize,
    /// Name or address, without brackets.
    pub host: String,
    /// The port on which a leader waits for learners.
    pub quorum_port: u16,
    /// The port of the election.
    pub election_port: u16,
    /// Whether it votes.
    pub kind: MemberKind,
    /// Where it serves clients, if that stands here.
    pub client: Option<(Option<String>, u16)>,
}

/// What a `server.N` line may look like, for error messages.
pub const SPEC: &str = "host:quorumPort:electionPort, optionally :participant or :observer, optionally ;clientPort or \
                        ;clientHost:clientPort (an IPv6 host in brackets, ports 1 to 65535)";

impl ServerLine {
    /// Parses the value of a `server.N` line; `None` when it is not of the form [`SPEC`].
    pub fn parse(line: usize, value: &str) -> Option<ServerLine> {
        let (server, client) = match value.split_once(';') {
            Some((server, client)) => (server, Some(client)),
            None => (value, None),
        };
        let (host, rest) = split_host(server.trim())?;
        let mut parts = rest.split(':');
        let quorum_port = port(parts.next()?)?;
        let election_port = port(parts.next()?)?;
        let kind = match parts.next() {
            None => MemberKind::Participant,
            Some(role) if role.eq_ignore_ascii_case("participant") => MemberKind::Participant,
            Some(role) if role.eq_ignore_ascii_case("observer") => MemberKind::Observer,
            Some(_) => return None,
        };
        if parts.next().is_some() || quorum_port == election_port {
            return None;
        }
        let client = match client.map(str::trim) {
            None => None,
            Some(text) => Some(match split_host(text) {
                Some((host, client_port)) => (Some(host.to_string()), port(client_port)?),
                None => (None, port(text)?),
            }),
        };
        Some(ServerLine { line, host: host.to_string(), quorum_port, election_port, kind, client })
    }
}

impl ServerLine {
    /// The line of a member.
    pub fn of(member: &Member) -> Option<ServerLine> {
        let mut line = ServerLine::parse(0, &member.address)?;
        line.kind = member.kind;
        let plain = member.client.as_deref().and_then(|client| client.split(';').next()).filter(|c| !c.is_empty());
        if let Some((host, client_port)) = plain.and_then(split_host) {
            line.client = Some((Some(host.to_string()), port(client_port)?));
        }
        Some(line)
    }

    /// Where it serves clients, as a configuration prints it.
    pub fn client_text((host, port): &(Option<String>, u16)) -> String {
        format!("{}:{port}", bracketed(host.as_deref().unwrap_or("0.0.0.0")))
    }
}

impl fmt::Display for ServerLine {
    /// `host:quorumPort:electionPort`, as the configuration's text has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", bracketed(&self.host), self.quorum_port, self.election_port)
    }
}

/// A host as it stands before a `:port`: IPv6 addresses in brackets.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_string() }
}

/// Splits `host:rest` or `[ipv6]:rest`; `None` without a host or without a `:` behind it.
fn split_host(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let (host, behind) = inside.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, behind.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c));
    fits.then_some((host, rest))
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|p| *p > 0)
}

/// Reads `<data_dir>/myid` and looks it up in the list.
///
/// # Errors
/// No such file, something else than a listed id in it; each names the file and what to write.
pub fn my_id(data_dir: &Path, servers: &BTreeMap<ServerId, ServerLine>) -> Result<ServerId, ConfigError> {
    let file = data_dir.join("myid");
    let ids: Vec<String> = servers.keys().map(ToString::to_string).collect();
    let ids = ids.join(", ");
    let wrong = |what: String| ConfigError::MyId { file: file.clone(), what };
    let bytes = fs::read(&file).map_err(|e| {
        wrong(match e.kind() {
            std::io::ErrorKind::NotFound => {
                format!("it does not exist: write this server's number into it, one of {ids}")
            }
            _ => format!("it can't be read: {e}"),
        })
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let first = text.lines().next().unwrap_or_default().trim();
    let id = first.parse::<i64>().ok().filter(|id| (0..=LARGEST_ID).contains(id)).ok_or_else(|| {
        let shown: String = first.chars().take(40).collect();
        wrong(format!("its first line is {shown:?}: it must be this server's number, one of {ids}"))
    })?;
    if !servers.contains_key(&ServerId(id)) {
        return Err(wrong(format!("it says {id}, but there is no server.{id} line: the listed servers are {ids}")));
    }
    Ok(ServerId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_lines() {
        for (text, shown) in [
            ("h:2888:3888", Some("h:2888:3888 Participant None")),
            ("h.example.org:2888:3888:observer", Some("h.example.org:2888:3888 Observer None")),
            ("127.0.0.1:1:2:PARTICIPANT;2181", Some("127.0.0.1:1:2 Participant Some((None, 2181))")),
            ("h:1:2;0.0.0.0:2181", Some("h:1:2 Participant Some((Some(\"0.0.0.0\"), 2181))")),
            ("[::1]:1:2;[::1]:2181", Some("[::1]:1:2 Participant Some((Some(\"::1\"), 2181))")),
            ("h", None),
            ("h:2888", None),
            ("h:2888:2888", None),
            ("h:0:3888", None),
            ("h:2888:65536", None),
            ("h:2888:3888:king", None),
            ("h:2888:3888:observer:x", None),
            ("h:2888:3888;", None),
            ("h:2888:3888;x", None),
            (":2888:3888", None),
            ("::1:2888:3888", None),
            ("[::zz]:1:2", None),
            ("a|b:1:2", None),
            ("h:1:2|h:3:4", None),
            ("", None),
        ] {
            let got = ServerLine::parse(1, text).map(|s| format!("{s} {:?} {:?}", s.kind, s.client));
            assert_eq!(got.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn myid_is_a_listed_number() {
        let dir = tempfile::tempdir().expect("a folder");
        let servers =
            (1..=3).map(|i| (ServerId(i), ServerLine::parse(1, &format!("h{i}:1:2")).expect("valid"))).collect();
        let refusal = |what: &str| {
            let error = my_id(dir.path(), &servers).expect_err(what).to_string();
            assert!(error.contains("myid") && error.contains(what) && error.contains("1, 2, 3"), "{error}");
        };
        refusal("does not exist");
        for (content, what) in [
            (&b""[..], "\"\""),
            (b"two\n", "\"two\""),
            (b"-1", "\"-1\""),
            (b"256", "\"256\""),
            (b"\xff\xfe2", "number"),
            (b"99999999999999999999", "number"),
            (b"4\n", "no server.4 line"),
        ] {
            fs::write(dir.path().join("myid"), content).expect("written");
            refusal(what);
        }
        for content in ["2", "2\n", " 2 \nsecond line\n", "2\r\n"] {
            fs::write(dir.path().join("myid"), content).expect("written");
            assert_eq!(my_id(dir.path(), &servers).expect(content), ServerId(2));
        }
    }
}
