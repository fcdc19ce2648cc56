//! The part of the address behind `#`, as what to show. It comes from outside: whatever is wrong with it is named.

use crate::compare_words::PROTOCOLS;
use zebu_core::sim::spec::Protocol;

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// A scenario's name; free mode without.
    pub scenario: Option<String>,
    /// Settings, each as given or none.
    pub settings: Settings,
}

/// Settings in an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Voting servers.
    pub servers: Option<u32>,
    /// Observers.
    pub observers: Option<u32>,
    /// The seed.
    pub seed: Option<u64>,
    /// Go to this moment and pause.
    pub step: Option<u64>,
    /// Play a scenario to its end at once.
    pub run_to_end: bool,
    /// Begin paused.
    pub paused: bool,
    /// Which protocol the servers run.
    pub protocol: Protocol,
    /// What the run may take, megabytes.
    pub memory: Option<usize>,
}

/// Fewest and most voting servers.
pub const SERVERS: (u32, u32) = (3, 9);

/// Megabytes that a run may be given in an address: a phone has less than a laptop.
pub const MEMORY: (u32, u32) = (5, 1000);

/// Most observers.
pub const OBSERVERS: u32 = 2;

/// The furthest moment an address may ask for.
pub const FURTHEST: u64 = 200_000;

/// Reads what stands behind `#`.
///
/// # Errors
/// The part that can't be understood.
pub fn parse(hash: &str) -> Result<Route, String> {
    let hash = hash.strip_prefix('#').unwrap_or(hash);
    let (path, query) = hash.split_once('?').unwrap_or((hash, ""));
    let scenario = match path.trim_matches('/') {
        "" => None,
        path => match path.strip_prefix("s/") {
            Some(name) if is_name(name) => Some(name.to_string()),
            _ => return Err(shorten(path)),
        },
    };
    let mut settings = Settings::default();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wrong = || shorten(pair);
        let within =
            |low: u32, high: u32| value.parse().ok().filter(|n| (low..=high).contains(n)).ok_or_else(wrong).map(Some);
        match key {
            "servers" => settings.servers = within(SERVERS.0, SERVERS.1)?,
            "observers" => settings.observers = within(0, OBSERVERS)?,
            "seed" => settings.seed = Some(value.parse().map_err(|_| wrong())?),
            "step" => settings.step = Some(value.parse().ok().filter(|n| *n <= FURTHEST).ok_or_else(wrong)?),
            "run" if value == "end" => settings.run_to_end = true,
            "paused" => settings.paused = true,
            "memory" => settings.memory = within(MEMORY.0, MEMORY.1)?.and_then(|mb| usize::try_from(mb).ok()),
            "protocol" => settings.protocol = PROTOCOLS.iter().find(|(name, _)| *name == value).ok_or_else(wrong)?.1,
            _ => return Err(wrong()),
        }
    }
    Ok(Route { scenario, settings })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 80 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_they_mean() {
        let free = Route { scenario: None, settings: Settings::default() };
        for hash in ["", "#", "#/", "/"] {
            assert_eq!(parse(hash), Ok(free.clone()), "{hash}");
        }
        let route = parse("#/s/leader-crash?seed=7&step=412&run=end").unwrap();
        assert_eq!(route.scenario.as_deref(), Some("leader-crash"));
        assert_eq!((route.settings.seed, route.settings.step, route.settings.run_to_end), (Some(7), Some(412), true));
        let route = parse("#/?servers=9&observers=2&paused").unwrap();
        assert_eq!((route.settings.servers, route.settings.observers, route.settings.paused), (Some(9), Some(2), true));
    }

    #[test]
    fn every_protocol_has_an_address() {
        for (name, protocol) in PROTOCOLS {
            assert_eq!(parse(&format!("#/?protocol={name}")).unwrap().settings.protocol, protocol);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (hash, named) in [
            ("#/x/abc", "x/abc"),
            ("#/s/../../etc", "s/../../etc"),
            ("#/s/", "s"),
            ("#/?servers=2", "servers=2"),
            ("#/?servers=10", "servers=10"),
            ("#/?observers=-1", "observers=-1"),
            ("#/?seed=abc", "seed=abc"),
            ("#/?seed=99999999999999999999999", "seed=99999999999999999999999"),
            ("#/?step=99999999", "step=99999999"),
            ("#/?memory=1", "memory=1"),
            ("#/?foo", "foo"),
            ("#/?protocol=raft", "protocol=raft"),
            ("#/s/a?run=middle", "run=middle"),
        ] {
            assert_eq!(parse(hash).unwrap_err(), named, "{hash}");
        }
        assert!(parse(&"é".repeat(5000)).unwrap_err().chars().count() <= 41);
    }
}
