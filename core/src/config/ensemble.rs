//! The membership as data: who is there, whose votes make a quorum, and the text that says it (quorum-protocol §11, §12).

use crate::collections::{BTreeMap, BTreeSet, order};
use crate::id::ServerId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The largest id that fits into the top byte of a session id. (A configuration may name others.)
pub const LARGEST_ID: i64 = 255;

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// Votes, and counts towards the quorum.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// One member of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Whether it votes.
    pub kind: MemberKind,
    /// `host:quorumPort:electionPort`, as printed in the configuration's text.
    pub address: String,
    /// Where it serves clients, if the configuration says so: `host:port`, then `;host:port` for TLS; either may be
    /// missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Groups of voters and what their votes weigh; without it each vote weighs the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hierarchy {
    /// The group of each voter.
    group: BTreeMap<ServerId, i64>,
    /// The weight of each voter; without a vote (and without a chance to lead) at 0.
    weight: BTreeMap<ServerId, i64>,
}

/// The membership: who is there and whose votes make a quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensemble {
    members: BTreeMap<ServerId, Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hierarchy: Option<Hierarchy>,
    version: i64,
}

/// Why a text is no membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextError(pub &'static str);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
impl core::error::Error for TextError {}

const SPEC: TextError = TextError(
    "a server is host:quorumPort:electionPort, optionally :participant or :observer, optionally ;clientPort or \
     ;clientHost:clientPort (an IPv6 host in brackets, ports 1 to 65535)",
);

impl Member {
    /// A member of which only the servers' own ports are known.
    pub fn new(kind: MemberKind, address: String) -> Member {
        Member { kind, address, client: None }
    }

    /// Parses what stands behind `server.N=`.
    ///
    /// # Errors
    /// Another form.
    pub fn parse(spec: &str) -> Result<Member, TextError> {
        let (server, client) = match spec.split_once(';') {
            Some((server, client)) => (server, Some(client)),
            None => (spec, None),
        };
        let (host, rest) = split_host(server.trim()).ok_or(SPEC)?;
        let mut parts = rest.split(':');
        let quorum = parts.next().and_then(port).ok_or(SPEC)?;
        let election = parts.next().and_then(port).ok_or(SPEC)?;
        let kind = match parts.next() {
            None => MemberKind::Participant,
            Some(role) if role.eq_ignore_ascii_case("participant") => MemberKind::Participant,
            Some(role) if role.eq_ignore_ascii_case("observer") => MemberKind::Observer,
            Some(_) => return Err(SPEC),
        };
        if parts.next().is_some() || quorum == election {
            return Err(SPEC);
        }
        let client = client.map(client_text).transpose()?;
        Ok(Member { kind, address: format!("{host}:{quorum}:{election}"), client })
    }

    /// The places it listens at, as `host:port`; those of its clients only where their host is a certain one.
    fn places(&self) -> Vec<String> {
        let (host, rest) = split_host(&self.address).unwrap_or((&self.address, ""));
        let own = rest.split(':').map(|port| format!("{host}:{port}"));
        let clients = self.client.iter().flat_map(|text| text.split(';'));
        let certain = |place: &&str| !place.is_empty() && !place.starts_with("0.0.0.0:") && !place.starts_with("[::]:");
        own.chain(clients.filter(certain).map(String::from)).collect()
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            MemberKind::Participant => "participant",
            MemberKind::Observer => "observer",
        };
        write!(f, "{}:{kind}", self.address)?;
        self.client.iter().try_for_each(|client| write!(f, ";{client}"))
    }
}

/// The parts of a list joined by commas.
fn parts(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.into_iter().flat_map(|list| list.split(',')).map(str::trim).filter(|part| !part.is_empty())
}

/// `[host:]port[;[host:]port]` with the hosts written out.
fn client_text(text: &str) -> Result<String, TextError> {
    let place = |text: &str| -> Result<String, TextError> {
        let (host, port_text) = split_host(text).unwrap_or(("0.0.0.0", text));
        Ok(format!("{host}:{}", port(port_text).ok_or(SPEC)?))
    };
    let (plain, secure) = match text.trim().split_once(';') {
        Some((plain, secure)) => (plain, Some(place(secure.trim())?)),
        None => (text.trim(), None),
    };
    match (plain.trim(), secure) {
        ("", None) => Err(SPEC),
        ("", Some(secure)) => Ok(format!(";{secure}")),
        (plain, None) => place(plain),
        (plain, Some(secure)) => Ok(format!("{};{secure}", place(plain)?)),
    }
}

/// Splits `host:rest` or `[ipv6]:rest`, the brackets staying with the host; `None` without a host or a `:` behind it.
fn split_host(text: &str) -> Option<(&str, &str)> {
    let at = match text.strip_prefix('[') {
        Some(inside) => {
            let end = inside.find(']')?;
            inside.get(..end)?.parse::<core::net::Ipv6Addr>().ok()?;
            end + 2
        }
        None => text.find(':')?,
    };
    let (host, rest) = (text.get(..at)?, text.get(at..)?.strip_prefix(':')?);
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%[]".contains(c));
    fits.then_some((host, rest))
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|p| *p > 0)
}

fn id(text: &str) -> Result<ServerId, TextError> {
    let id = text.trim().parse().ok().filter(|id| *id >= 0);
    id.map(ServerId).ok_or(TextError("a server's name is a number"))
}

impl Hierarchy {
    fn weight(&self, server: ServerId) -> i64 {
        self.weight.get(&server).copied().unwrap_or(0)
    }

    /// What the votes of each group weigh, those of `servers` and all; groups that weigh nothing do not count.
    fn groups(&self, servers: &BTreeSet<ServerId>) -> BTreeMap<i64, (i64, i64)> {
        let mut groups: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (server, group) in &self.group {
            let (have, all) = groups.entry(*group).or_default();
            *all += self.weight(*server);
            if servers.contains(server) {
                *have += self.weight(*server);
            }
        }
        groups.retain(|_, (_, all)| *all > 0);
        groups
    }

    fn has_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        let groups = self.groups(servers);
        groups.values().filter(|(have, all)| *have > all / 2).count() > groups.len() / 2
    }

    /// The fewest servers that can be a quorum.
    fn fewest(&self) -> usize {
        let groups = self.groups(&BTreeSet::new());
        let mut needed: Vec<usize> = groups.iter().map(|(group, (_, all))| self.fewest_of(*group, *all)).collect();
        order::sort_by(&mut needed, |a, b| a.cmp(b));
        needed.iter().take(groups.len() / 2 + 1).sum()
    }

    fn fewest_of(&self, group: i64, all: i64) -> usize {
        let mine = self.group.iter().filter(|(_, g)| **g == group);
        let mut weights: Vec<i64> = mine.map(|(server, _)| self.weight(*server)).collect();
        order::sort_by(&mut weights, |a, b| b.cmp(a));
        let mut sum = 0;
        1 + weights.iter().take_while(|weight| (sum + **weight <= all / 2).then(|| sum += **weight).is_some()).count()
    }
}

impl Ensemble {
    /// An ensemble of `members` with configuration version 0 (never changed since the static file).
    pub fn new(members: BTreeMap<ServerId, Member>) -> Ensemble {
        Ensemble { members, hierarchy: None, version: 0 }
    }

    /// Reads the configuration's text: `server.N=`, `group.N=` and `weight.N=` lines, and a version in hex (0 if there
    /// is none).
    ///
    /// # Errors
    /// A line of another form, a member twice, groups that do not hold every voter exactly once, nobody at all.
    pub fn parse(text: &str) -> Result<Ensemble, TextError> {
        let mut ensemble = Ensemble::new(BTreeMap::new());
        let (mut groups, mut weights) = (Vec::new(), Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (key, value) = line.split_once('=').ok_or(TextError("each line is a key, = and a value"))?;
            let (key, value) = (key.trim(), value.trim());
            match key.split_once('.') {
                Some(("server", number)) => {
                    if ensemble.members.insert(id(number)?, Member::parse(value)?).is_some() {
                        return Err(TextError("a server stands there twice"));
                    }
                }
                Some(("group", number)) => {
                    groups.push((number.trim().parse().map_err(|_| TextError("a group's name is a number"))?, value));
                }
                Some(("weight", number)) => {
                    let weight: u32 = value.parse().map_err(|_| TextError("a weight is a number"))?;
                    weights.push((id(number)?, i64::from(weight)));
                }
                None if key == "version" => {
                    ensemble.version = i64::from_str_radix(value, 16)
                        .map_err(|_| TextError("the version is a number in hexadecimal"))?;
                }
                _ => return Err(TextError("there are server, group, weight and version lines, no others")),
            }
        }
        if ensemble.voters().next().is_none() {
            return Err(TextError("there is no voting server"));
        }
        if !groups.is_empty() || !weights.is_empty() {
            ensemble.hierarchy = Some(ensemble.hierarchy_of(&groups, &weights)?);
        }
        Ok(ensemble)
    }

    fn hierarchy_of(&self, groups: &[(i64, &str)], weights: &[(ServerId, i64)]) -> Result<Hierarchy, TextError> {
        let mut hierarchy = Hierarchy::default();
        for (group, servers) in groups {
            for server in servers.split(':') {
                let server = id(server)?;
                if !self.members.contains_key(&server) {
                    return Err(TextError("a group names a server that is none"));
                }
                if hierarchy.group.insert(server, *group).is_some() {
                    return Err(TextError("a server is in two groups"));
                }
            }
        }
        if groups.is_empty() {
            // Weights alone: one group of all.
            hierarchy.group = self.voters().map(|server| (server, 0)).collect();
        }
        hierarchy.group.retain(|server, _| self.is_voter(*server));
        if self.voters().any(|server| !hierarchy.group.contains_key(&server)) {
            return Err(TextError("a voting server is in no group"));
        }
        hierarchy.weight = self.voters().map(|server| (server, 1)).collect();
        for (server, weight) in weights {
            if !self.members.contains_key(server) {
                return Err(TextError("a weight names a server that is none"));
            }
            if self.is_voter(*server) {
                hierarchy.weight.insert(*server, *weight);
            }
        }
        if hierarchy.groups(&BTreeSet::new()).is_empty() {
            return Err(TextError("no vote weighs anything"));
        }
        Ok(hierarchy)
    }

    /// What becomes of it when servers join (`server.N=spec`, joined by commas) and leave (numbers, joined by commas).
    ///
    /// # Errors
    /// Lists of another form, a joiner without a port for clients or at a place that another member has, groups.
    pub fn changed(&self, joining: Option<&str>, leaving: Option<&str>) -> Result<Ensemble, TextError> {
        if self.hierarchy.is_some() {
            return Err(TextError("with groups only a whole new list of servers can be given"));
        }
        let mut next = self.clone();
        for leaver in parts(leaving) {
            next.members.remove(&id(leaver)?);
        }
        for joiner in parts(joining) {
            let (name, spec) = joiner.split_once('=').ok_or(TextError("a joining server is server.N=spec"))?;
            let server = id(name.rsplit('.').next().unwrap_or_default())?;
            let member = Member::parse(spec)?;
            if member.client.is_none() {
                return Err(TextError("a joining server needs a port for clients"));
            }
            next.members.insert(server, member);
        }
        Ok(next)
    }

    /// Whether no two members listen at the same place.
    pub fn has_places_of_its_own(&self) -> bool {
        let mut taken = BTreeSet::new();
        self.members.values().flat_map(Member::places).all(|place| taken.insert(place))
    }

    /// The same with another version.
    pub fn with_version(self, version: i64) -> Ensemble {
        Ensemble { version, ..self }
    }

    /// Whether the members, their roles, places and weights are the same.
    pub fn is_like(&self, other: &Ensemble) -> bool {
        self.members == other.members && self.hierarchy == other.hierarchy
    }

    /// All members in order of id.
    pub fn members(&self) -> impl Iterator<Item = (ServerId, &Member)> {
        self.members.iter().map(|(id, m)| (*id, m))
    }

    /// The voting members in order of id.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.members.iter().filter(|(_, m)| m.kind == MemberKind::Participant).map(|(id, _)| *id)
    }

    /// Whether `id` votes.
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.members.get(&id).is_some_and(|m| m.kind == MemberKind::Participant)
    }

    /// Whether `id` may lead: it votes, and its vote weighs something.
    pub fn may_lead(&self, id: ServerId) -> bool {
        self.is_voter(id) && self.hierarchy.as_ref().is_none_or(|h| h.weight(id) > 0)
    }

    /// The member `id`, if there is one.
    pub fn member(&self, id: ServerId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// The configuration's version: the zxid of the change that made it, 0 for the static file.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// How many votes are more than half; of groups, the fewest servers that can be a quorum.
    pub fn quorum_size(&self) -> usize {
        self.hierarchy.as_ref().map_or_else(|| self.voters().count() / 2 + 1, Hierarchy::fewest)
    }

    /// Whether the voters among `servers` are more than half of all voters, or of the weight in more than half of the
    /// groups (quorum-protocol §12).
    pub fn has_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        match &self.hierarchy {
            Some(hierarchy) => hierarchy.has_quorum(servers),
            None => servers.iter().filter(|s| self.is_voter(**s)).count() >= self.quorum_size(),
        }
    }

    /// The text that notifications and NEWLEADER carry and `/zookeeper/config` shows: a `server.<id>=` line per member,
    /// groups and weights, and the version in hex, without a final newline (quorum-protocol §11).
    pub fn text(&self) -> String {
        format!("{}version={:x}", self.lines(), self.version)
    }

    /// The text without the version, as it stands in a dynamic configuration file.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (id, member) in &self.members {
            text.push_str(&format!("server.{id}={member}\n"));
        }
        if let Some(hierarchy) = &self.hierarchy {
            let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
            for (server, group) in &hierarchy.group {
                groups.entry(*group).or_default().push(format!("{server}"));
            }
            for (group, servers) in &groups {
                text.push_str(&format!("group.{group}={}\n", servers.join(":")));
            }
            for (server, weight) in &hierarchy.weight {
                text.push_str(&format!("weight.{server}={weight}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ensemble(voters: i64, observers: i64) -> Ensemble {
        Ensemble::new(
            (1..=voters + observers)
                .map(|i| {
                    let kind = if i <= voters { MemberKind::Participant } else { MemberKind::Observer };
                    (ServerId(i), Member::new(kind, format!("s{i}:2888:3888")))
                })
                .collect(),
        )
    }

    fn set(ids: &[i64]) -> BTreeSet<ServerId> {
        ids.iter().copied().map(ServerId).collect()
    }

    #[test]
    fn more_than_half_of_the_voters_is_a_quorum() {
        for (voters, observers, needed) in [(1, 0, 1), (2, 0, 2), (3, 2, 2), (4, 0, 3), (5, 1, 3)] {
            let e = ensemble(voters, observers);
            assert_eq!(e.quorum_size(), needed as usize);
            let enough: BTreeSet<_> = (1..=needed).map(ServerId).collect();
            assert!(e.has_quorum(&enough));
            let mut short: BTreeSet<_> = (1..needed).map(ServerId).collect();
            short.extend((voters + 1..=voters + observers).map(ServerId));
            assert!(!e.has_quorum(&short), "observers do not count");
        }
    }

    #[test]
    fn text_is_apaches() {
        assert_eq!(
            ensemble(1, 1).text(),
            "server.1=s1:2888:3888:participant\nserver.2=s2:2888:3888:observer\nversion=0"
        );
    }

    #[test]
    fn members_are_printed_in_full() {
        for (spec, printed) in [
            ("h:2888:3888", Some("h:2888:3888:participant")),
            ("h:2888:3888:OBSERVER;2181", Some("h:2888:3888:observer;0.0.0.0:2181")),
            ("h:1:2;127.0.0.1:2181", Some("h:1:2:participant;127.0.0.1:2181")),
            ("h:1:2:participant;2181;2281", Some("h:1:2:participant;0.0.0.0:2181;0.0.0.0:2281")),
            ("h:1:2:participant;;h:2281", Some("h:1:2:participant;;h:2281")),
            ("[::1]:1:2;[::1]:3", Some("[::1]:1:2:participant;[::1]:3")),
            ("h:1:1", None),
            ("h:1", None),
            ("h:1:2:king", None),
            ("h:1:2;", None),
            ("h:1:2;x", None),
            ("h:1:2;;", None),
            ("h:0:2", None),
            ("h:1:65536", None),
            ("::1:1:2", None),
            ("[::zz]:1:2", None),
            ("a|b:1:2", None),
            ("h=x:1:2", None),
            ("", None),
        ] {
            assert_eq!(Member::parse(spec).ok().map(|m| format!("{m}")).as_deref(), printed, "{spec}");
        }
    }

    #[test]
    fn a_text_is_read_as_it_is_printed() {
        let hierarchical = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant\nserver.3=c:1:2:observer\n\
                            group.1=1\ngroup.2=2\nweight.1=2\nweight.2=0\nversion=1a00000002";
        for text in [hierarchical, "server.7=h:1:2:participant\nversion=0", &ensemble(5, 2).text()] {
            assert_eq!(Ensemble::parse(text).map(|e| e.text()).as_deref(), Ok(text));
        }
        assert_eq!(Ensemble::parse(hierarchical).map(|e| e.version()), Ok(0x1a_0000_0002));
        for wrong in [
            "",
            "version=1",
            "server.1=a:1:2:observer",
            "server.1=a:1:2\nserver.1=b:1:2",
            "server.-1=a:1:2",
            "server.1=a:1:2\nversion=zz",
            "server.1=a:1:2\nclientPort=2181",
            "server.1=a:1:2\ngroup.1=2",
            "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1",
            "server.1=a:1:2\ngroup.1=1\ngroup.2=1",
            "server.1=a:1:2\nweight.1=-1",
            "server.1=a:1:2\nweight.1=0",
            "server.1",
        ] {
            assert!(Ensemble::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn weight_counts_in_more_than_half_of_the_groups() {
        let line = |id: i64| format!("server.{id}=s{id}:1:2\n");
        let servers: String = (1..=9).map(line).collect();
        let three = format!("{servers}group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n");
        let heavy = format!("{servers}group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\nweight.1=5\n");
        let zero =
            format!("{servers}group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\nweight.7=0\nweight.8=0\nweight.9=0\n");
        let weights = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nweight.1=3\n";
        for (text, servers, quorum, fewest) in [
            (&three[..], &[1, 2, 4, 5][..], true, 4),
            (&three, &[1, 2, 4, 7], false, 4),
            (&three, &[1, 2, 3, 4, 7], false, 4),
            (&heavy, &[1, 4, 5], true, 3),
            (&heavy, &[2, 3, 4, 5], false, 3),
            (&zero, &[1, 2, 4, 5], true, 4),
            (&zero, &[1, 2, 7, 8, 9], false, 4),
            (weights, &[1], true, 1),
            (weights, &[2, 3], false, 1),
        ] {
            let e = Ensemble::parse(text).unwrap();
            assert_eq!((e.has_quorum(&set(servers)), e.quorum_size()), (quorum, fewest), "{text} {servers:?}");
        }
        let zero = Ensemble::parse(&zero).unwrap();
        assert!(zero.is_voter(ServerId(7)) && !zero.may_lead(ServerId(7)) && zero.may_lead(ServerId(1)));
    }

    #[test]
    fn changes_in_steps() {
        let e = ensemble(3, 0);
        let names = |e: Ensemble| e.members().map(|(id, m)| format!("{id}={m}")).collect::<Vec<_>>().join(" ");
        let one = "1=s1:2888:3888:participant";
        for (joining, leaving, after) in [
            (None, Some("2,3"), Some(String::from(one))),
            (Some("server.3=x:1:2:observer;9"), Some("2"), Some(format!("{one} 3=x:1:2:observer;0.0.0.0:9"))),
            (Some("server.2=x:1:2;9"), Some("2, 3"), Some(format!("{one} 2=x:1:2:participant;0.0.0.0:9"))),
            (Some("some thing"), None, None),
            (Some("server.4=x:1:2"), None, None),
            (Some("server.x=x:1:2;9"), None, None),
            (None, Some("two"), None),
        ] {
            assert_eq!(e.changed(joining, leaving).ok().map(names), after, "{joining:?} {leaving:?}");
        }
        let same = |joining| e.changed(Some(joining), None).unwrap().has_places_of_its_own();
        assert!(same("server.4=s4:2888:3888;2181,server.5=s5:2888:3888;2181"));
        assert!(!same("server.4=s3:2887:3888;2181"));
        assert!(!same("server.4=s4:2888:3888;s3:2888"));
        assert!(!same("server.4=s4:2888:3888;s4:2888"));
    }
}
