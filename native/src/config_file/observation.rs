//! Where operators look: AdminServer, Prometheus, four-letter words.

use super::keys::{Keys, bare};
use super::{ConfigError, MILLIS, millis, properties};
use crate::four_letter::WORDS;
use std::collections::BTreeSet;
use std::time::Duration;

/// The HTTP port for operators (client-protocol §14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `admin.serverAddress`. Loopback unless given: Apache's default, all addresses, shows everything to everybody.
    pub host: Option<String>,
    /// `admin.serverPort`.
    pub port: u16,
    /// `admin.commandURL`: begins with a slash and does not end with one.
    pub base: String,
    /// `admin.idleTimeout`: how long a connection may be silent.
    pub idle: Duration,
    /// `admin.snapshot.enabled`.
    pub snapshots: bool,
    /// `admin.snapshot.intervalInMS`: between two snapshots.
    pub snapshot_interval: Duration,
}

/// Where Prometheus reads (client-protocol §15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    /// `metricsProvider.httpHost`; `None` for all addresses, as in Apache.
    pub host: Option<String>,
    /// `metricsProvider.httpPort`.
    pub port: u16,
}

/// The `admin.` keys; `None` if it is switched off.
pub fn admin(keys: &mut Keys<'_>) -> Result<Option<Admin>, ConfigError> {
    let enabled = keys.flag("admin.enableServer", true)?;
    let base = match keys.find("admin.commandURL") {
        None => "/commands".to_string(),
        Some(entry) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            let base = entry.value.trim_end_matches('/');
            if !base.starts_with('/') || base.contains("//") || !base.chars().all(plain) {
                return Err(keys.wrong(entry, "a path such as /commands: a slash, then letters, digits, - _ . and /"));
            }
            base.to_string()
        }
    };
    let admin = Admin {
        host: keys.host("admin.serverAddress")?.unwrap_or_else(|| Some("127.0.0.1".into())),
        port: keys.number("admin.serverPort", 1..=i64::from(u16::MAX))?.unwrap_or(8080) as u16,
        base,
        idle: millis(keys.number("admin.idleTimeout", MILLIS)?.unwrap_or(30_000)),
        snapshots: keys.flag("admin.snapshot.enabled", true)?,
        snapshot_interval: millis(
            keys.number("admin.snapshot.intervalInMS", 0..=i64::from(i32::MAX))?.unwrap_or(300_000),
        ),
    };
    Ok(enabled.then_some(admin))
}

/// The `metricsProvider.` keys; `None` unless Apache's provider for Prometheus is asked for.
pub fn prometheus(keys: &mut Keys<'_>) -> Result<Option<Prometheus>, ConfigError> {
    const CLASSES: [&str; 2] = [
        "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
        "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
    ];
    let asked = keys.word("metricsProvider.className", &CLASSES)? == Some(1);
    // There is no JVM to tell of, whatever it says.
    keys.flag("metricsProvider.exportJvmInfo", true)?;
    let prometheus = Prometheus {
        host: keys.host("metricsProvider.httpHost")?.flatten(),
        port: keys.number("metricsProvider.httpPort", 1..=i64::from(u16::MAX))?.unwrap_or(7000) as u16,
    };
    Ok(asked.then_some(prometheus))
}

/// `4lw.commands.whitelist`: always `srvr`, by which Apache's scripts ask for the mode; with read-only mode `isro` too, by
/// which clients look for a server that is not. A word that is none allows nothing, and is remarked.
pub fn whitelist(keys: &mut Keys<'_>, remarks: &mut Vec<String>) -> Result<BTreeSet<&'static str>, ConfigError> {
    let mut allowed = BTreeSet::from(["srvr"]);
    if keys.flag("readonlymode.enabled", false)? {
        allowed.insert("isro");
    }
    let Some(entry) = keys.find("4lw.commands.whitelist") else { return Ok(allowed) };
    for word in entry.value.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        match WORDS.iter().find(|w| **w == word) {
            Some(word) => drop(allowed.insert(*word)),
            None if word == "*" => allowed.extend(WORDS),
            None => {
                let (line, key, known) = (entry.line, &entry.key, WORDS.join(", "));
                remarks.push(format!(
                    "line {line}: {key}: {word:?} is no word and has no effect; words are * and {known}"
                ));
            }
        }
    }
    Ok(allowed)
}

/// The file as operators are shown it: entries in their order, without what is secret.
pub fn shown(entries: &[properties::Entry]) -> String {
    entries.iter().map(|e| format!("{}={}\n", e.key, hidden_if_secret(e))).collect()
}

/// The entries that are system properties in Apache, as it names them.
pub fn as_properties(entries: &[properties::Entry]) -> Vec<(String, String)> {
    // What its own reader of zoo.cfg understands; everything else it hands on.
    const READ_BY_APACHE: [&str; 17] = [
        "dataDir",
        "dataLogDir",
        "clientPort",
        "localSessionsEnabled",
        "localSessionsUpgradingEnabled",
        "clientPortAddress",
        "tickTime",
        "maxClientCnxns",
        "minSessionTimeout",
        "maxSessionTimeout",
        "clientPortListenBacklog",
        "initLimit",
        "syncLimit",
        "electionAlg",
        "peerType",
        "quorumListenOnAllIPs",
        "standaloneEnabled",
    ];
    let read = |key: &str| READ_BY_APACHE.contains(&key) || key.starts_with("server.") || key.starts_with("autopurge.");
    let handed_on = entries.iter().filter(|e| !read(bare(&e.key)));
    handed_on.map(|e| (format!("zookeeper.{}", bare(&e.key)), hidden_if_secret(e).to_string())).collect()
}

/// The value as it may be shown.
pub(super) fn hidden_if_secret(entry: &properties::Entry) -> &str {
    let key = entry.key.to_ascii_lowercase();
    if key.ends_with("password") || key.ends_with("passwd") || key.contains("superdigest") {
        "***"
    } else {
        &entry.value
    }
}
