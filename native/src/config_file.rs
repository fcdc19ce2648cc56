//! `zoo.cfg`, Apache's configuration file: which keys there are, what each may be, and what it means here.
//!
//! Apache takes some wrong values silently (a `snapCount` of 1, a `snapRetainCount` of 1) or ignores what it can't
//! do. Here every wrong value is an error that names file, line, key, value and what is allowed; keys that nobody
//! knows are handed back, to be named in the log.

mod jaas;
mod keys;
mod limits;
mod members;
mod membership;
mod observation;
mod properties;
mod security;
mod service;
#[cfg(test)]
mod tests;
mod tls;

pub use jaas::login;
use keys::{Keys, one_host};
pub use limits::{ClientLimits, TokenRules};
pub use members::{ServerLine, bracketed};
pub use membership::{MembershipFiles, lines};
pub use observation::{Admin, Prometheus};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
pub use tls::{ClientAuth, SecureCfg, Store};
use zebu_core::config::{AccessRules, Config, Ensemble, MemberKind, Reconfig, ServiceRules};
use zebu_core::disk::names::Compression;
use zebu_core::id::ServerId;

/// Why the configuration can't be used. Each names the file and, where there is one, the line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself.
    #[error("{file}: it can't be read: {error}", file = file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    /// Not properties syntax.
    #[error("{file}, line {line}: {what}", file = file.display())]
    Syntax { file: PathBuf, line: usize, what: String },
    /// A value that is not allowed.
    #[error("{file}, line {line}: {key}={value} is not allowed: {key} must be {allowed}", file = file.display())]
    Value { file: PathBuf, line: usize, key: String, value: String, allowed: String },
    /// Something Apache's server can do and this one can't.
    #[error("{file}, line {line}: {key}={value} asks for something that Zebu does not do: {what}", file = file.display())]
    Unsupported { file: PathBuf, line: usize, key: String, value: String, what: String },
    /// A key that must be there.
    #[error("{file}: {key} is missing: {what}", file = file.display())]
    Missing { file: PathBuf, key: String, what: String },
    /// The `myid` file.
    #[error("{file}: {what}", file = file.display())]
    MyId { file: PathBuf, what: String },
}

/// A `zoo.cfg`, understood.
#[derive(Clone, Debug)]
pub struct ZooCfg {
    /// This server.
    pub id: ServerId,
    /// Whether it stands alone (no election, no quorum ports).
    pub standalone: bool,
    /// All servers; exactly one when alone.
    pub servers: BTreeMap<ServerId, ServerLine>,
    /// The same as the core sees it, with groups and weights.
    pub ensemble: Ensemble,
    /// A newer configuration that was proposed when this server stopped.
    pub proposed: Option<Ensemble>,
    /// `reconfigEnabled`, with what `standaloneEnabled` means for it.
    pub reconfig: Reconfig,
    /// The configuration file itself.
    pub file: PathBuf,
    /// `dataDir`: `myid`, snapshots and epoch files are under it.
    pub data_dir: PathBuf,
    /// `dataLogDir`: the transaction log is under it.
    pub data_log_dir: PathBuf,
    /// Host part of the client port; `None` for all addresses.
    pub client_host: Option<String>,
    /// The client port, unless clients are served by TLS alone, or not at all.
    pub client_port: Option<u16>,
    /// `clientPortListenBacklog`; `None` leaves it to the system.
    pub client_backlog: Option<i32>,
    /// `tickTime`, milliseconds.
    pub tick_ms: i64,
    /// `initLimit`, ticks.
    pub init_limit: u32,
    /// `syncLimit`, ticks.
    pub sync_limit: u32,
    /// `minSessionTimeout`, milliseconds.
    pub min_session_ms: i32,
    /// `maxSessionTimeout`, milliseconds.
    pub max_session_ms: i32,
    /// `maxClientCnxns`, per address; 0 for no limit.
    pub max_client_cnxns: usize,
    /// `quorumListenOnAllIPs`.
    pub quorum_listen_on_all_ips: bool,
    /// `preAllocSize` in bytes; 0 for none.
    pub pre_alloc: u64,
    /// `db.autocreate`: an empty disk may be a first start, without a file `initialize`.
    pub autocreate: bool,
    /// `snapCount`.
    pub snap_count: u32,
    /// `txnLogSizeLimitInKb`, in bytes; 0 for no limit. Files are read as a whole, so there is one by default, other than
    /// in Apache's server.
    pub log_limit: u64,
    /// `snapSizeLimitInKb`, in bytes; 0 for no limit.
    pub snap_size_limit: u64,
    /// `snapshot.compression.method`.
    pub compression: Compression,
    /// `commitLogCount`.
    pub commit_log_count: usize,
    /// `jute.maxbuffer`, bytes.
    pub max_buffer: usize,
    /// `4lw.commands.whitelist`.
    pub whitelist: BTreeSet<&'static str>,
    /// The HTTP port for operators, unless it is switched off.
    pub admin: Option<Admin>,
    /// The port for Prometheus, if it is asked for.
    pub prometheus: Option<Prometheus>,
    /// What the file says, for operators: `key=value` lines without secrets.
    pub shown: String,
    /// Its entries that are system properties in Apache.
    pub properties: Vec<(String, String)>,
    /// `forceSync`.
    pub force_sync: bool,
    /// `fsync.warningthresholdms`.
    pub fsync_warning: Duration,
    /// `autopurge.snapRetainCount`.
    pub snap_retain: usize,
    /// `autopurge.purgeInterval`; `None` for never.
    pub purge_interval: Option<Duration>,
    /// How much clients may ask at once.
    pub limits: ClientLimits,
    /// `nio.sessionlessCnxnTimeout`.
    pub sessionless_timeout: Duration,
    /// `cnxTimeout`: how long connecting to a peer may take.
    pub connect_timeout: Duration,
    /// `quorumCnxnTimeoutMs`: how long the first bytes on the election port may take.
    pub handshake_timeout: Duration,
    /// `electionPortBindRetry`; `None` for ever.
    pub bind_retries: Option<u32>,
    /// `fastleader.minNotificationInterval`.
    pub min_notification: Duration,
    /// `fastleader.maxNotificationInterval`.
    pub max_notification: Duration,
    /// `observer.election.DelayMs` and `observer.reconnectDelayMs` together: an observer waits once for both.
    pub observer_wait: Duration,
    /// What clients get.
    pub service: ServiceRules,
    /// Who may do what.
    pub access: Arc<AccessRules>,
    /// The secure client port, if there is one.
    pub secure: Option<SecureCfg>,
    /// Lines whose keys nobody knows, and other remarks for the log.
    pub remarks: Vec<String>,
}

const MILLIS: std::ops::RangeInclusive<i64> = 1..=i32::MAX as i64;

/// Keys with which Apache's server can do more: every other value than the given ones is refused, because ignoring
/// it would promise what is not kept.
const ONLY: &[(&str, &[&str], &str)] = &[
    ("sslQuorum", &["false"], "peers speak without TLS"),
    ("portUnification", &["false"], "peers speak without TLS"),
    ("ssl.authProvider", &["x509"], "there is no other provider of certificates"),
    ("ssl.context.supplier.class", &[], "TLS is rustls's"),
    ("ssl.crl", &["false"], "certificates are not looked up in lists of revoked ones"),
    ("ssl.ocsp", &["false"], "certificates are not asked about by OCSP"),
    ("ssl.clientHostnameVerification", &["false"], "clients are known by their subjects, not by their hosts"),
    ("client.certReload", &["false"], "certificates are read once, at the start"),
    ("X509AuthenticationProvider.clientCertIdType", &["SUBJECT"], "clients are known by their subjects"),
    ("quorum.auth.enableSasl", &["false"], "peers do not authenticate"),
    ("quorum.auth.learnerRequireSasl", &["false"], "peers do not authenticate"),
    ("quorum.auth.serverRequireSasl", &["false"], "peers do not authenticate"),
    ("observerMasterPort", &["0"], "observers learn from the leader only"),
    ("multiAddress.enabled", &["false"], "each server has one address"),
    ("oraclePath", &[], "there is no oracle quorum"),
    ("syncEnabled", &["true"], "observers always write to disk"),
    ("leaderServes", &["yes"], "the leader serves clients too"),
    ("request_throttle_drop_stale", &["true"], "what connections that are gone have asked is dropped"),
    ("admin.portUnification", &["false"], "operators' commands are not served by TLS"),
    ("admin.forceHttps", &["false"], "operators' commands are not served by TLS"),
    ("admin.needClientAuth", &["false"], "operators' commands are not served by TLS"),
    ("admin.restore.enabled", &["false"], "the state of a server that runs is not replaced"),
    ("metricsProvider.httpsPort", &[], "metrics are not served by TLS"),
];

impl ZooCfg {
    /// Reads and checks `file`, and the `myid` in the data directory it names.
    ///
    /// # Errors
    /// See [`ConfigError`]; the first fault found.
    pub fn load(file: &Path) -> Result<ZooCfg, ConfigError> {
        let bytes = fs::read(file).map_err(|error| ConfigError::Unreadable { file: file.into(), error })?;
        ZooCfg::from_bytes(file, &bytes)
    }

    fn from_bytes(file: &Path, bytes: &[u8]) -> Result<ZooCfg, ConfigError> {
        let entries = properties::parse(file, bytes)?;
        let mut keys = Keys::new(file, &entries);
        let mut remarks = Vec::new();
        refuse_unsupported(file, &mut keys)?;

        let data_dir = keys.path("dataDir")?.ok_or_else(|| keys.missing("dataDir", "the folder for data and myid"))?;
        let data_log_dir = keys.path("dataLogDir")?.unwrap_or_else(|| data_dir.clone());
        let changes = keys.flag("reconfigEnabled", false)?;
        let told = match membership::dynamic_file(file, &mut keys)? {
            Some(told) => told,
            None => {
                let servers = server_lines(&mut keys)?;
                membership::of_lines(file, &mut keys, servers, changes)?
            }
        };
        let membership::Told { mut servers, mut ensemble, proposed } = told;
        let standalone = stands_alone(&mut keys, &servers)?;
        let id = if standalone && servers.is_empty() {
            ServerId(1)
        } else if standalone {
            servers.keys().next().copied().unwrap_or(ServerId(1))
        } else {
            members::my_id(&data_dir, &servers)?
        };
        if standalone && servers.is_empty() {
            let host = "127.0.0.1".to_string();
            let kind = MemberKind::Participant;
            let line = ServerLine { line: 0, host, quorum_port: 2888, election_port: 3888, kind, client: None };
            servers.insert(id, line);
            let member = zebu_core::config::Member::new(kind, "127.0.0.1:2888:3888".into());
            ensemble = Ensemble::new([(id, member)].into_iter().collect());
        }
        let reconfig = match (changes, standalone) {
            (false, _) => Reconfig::Disabled,
            (true, true) => Reconfig::Alone,
            (true, false) if keys.flag("standaloneEnabled", true)? => Reconfig::Enabled { least: 2 },
            (true, false) => Reconfig::Enabled { least: 1 },
        };
        check_peer_type(&mut keys, &servers, id, &mut remarks)?;
        let (client_host, client_port) = client_address(&mut keys, servers.get(&id).and_then(|s| s.client.clone()))?;

        let tick_ms = keys.number("tickTime", MILLIS)?.unwrap_or(3000);
        let ticks = |keys: &mut Keys<'_>, key: &str| match keys.number(key, 1..=i64::from(i32::MAX))? {
            Some(n) => Ok(n as u32),
            None if standalone => Ok(10),
            None => Err(keys.missing(key, "an ensemble needs it, a number of ticks such as 10")),
        };
        let init_limit = ticks(&mut keys, "initLimit")?;
        let sync_limit = ticks(&mut keys, "syncLimit")?;
        let (min_session_ms, max_session_ms) = session_limits(&mut keys, tick_ms)?;
        let (min_notification, max_notification) = notification_limits(&mut keys)?;
        let handshake_ms = match keys.number("quorumCnxnTimeoutMs", -1..=i64::from(i32::MAX))? {
            None | Some(-1) => tick_ms.saturating_mul(i64::from(sync_limit)),
            Some(ms) => ms.max(1),
        };
        keys.word("electionAlg", &["3"])?;

        let voters = servers.values().filter(|s| s.kind == MemberKind::Participant).count();
        let max_buffer = keys.number("jute.maxbuffer", 1024..=1 << 30)?.unwrap_or(0xf_ffff) as usize;
        let secure = tls::secure(file, &mut keys)?;
        if client_port.is_none() && secure.as_ref().is_none_or(|secure| secure.port.is_none()) {
            if standalone {
                return Err(
                    keys.missing("clientPort", "the port for clients, such as 2181 (or secureClientPort, for TLS)")
                );
            }
            remarks.push("neither clientPort nor secureClientPort: this server serves no clients".to_string());
        }
        let cfg = ZooCfg {
            id,
            standalone,
            servers,
            ensemble,
            proposed,
            reconfig,
            file: file.into(),
            data_dir,
            data_log_dir,
            client_host,
            client_port,
            client_backlog: keys
                .number("clientPortListenBacklog", -1..=i64::from(i32::MAX))?
                .filter(|n| *n > 0)
                .map(|n| n as i32),
            tick_ms,
            init_limit,
            sync_limit,
            min_session_ms,
            max_session_ms,
            max_client_cnxns: keys.number("maxClientCnxns", 0..=i64::from(i32::MAX))?.unwrap_or(60) as usize,
            quorum_listen_on_all_ips: keys.flag("quorumListenOnAllIPs", false)?,
            pre_alloc: keys.number("preAllocSize", 0..=4 << 20)?.unwrap_or(65536) as u64 * 1024,
            autocreate: keys.flag("db.autocreate", true)?,
            snap_count: keys.number("snapCount", 2..=i64::from(i32::MAX))?.unwrap_or(100_000) as u32,
            log_limit: match keys.number("txnLogSizeLimitInKb", i64::from(i32::MIN)..=1 << 40)? {
                None => 256 << 20,
                Some(limit) => u64::try_from(limit).unwrap_or(0) << 10,
            },
            snap_size_limit: match keys.number("snapSizeLimitInKb", i64::from(i32::MIN)..=1 << 40)? {
                Some(kib) => u64::try_from(kib).unwrap_or(0) << 10,
                None => 4 << 30,
            },
            compression: compression(&mut keys)?,
            commit_log_count: keys.number("commitLogCount", 1..=10_000_000)?.unwrap_or(500) as usize,
            max_buffer,
            whitelist: observation::whitelist(&mut keys, &mut remarks)?,
            admin: observation::admin(&mut keys)?,
            prometheus: observation::prometheus(&mut keys)?,
            shown: observation::shown(&entries),
            properties: observation::as_properties(&entries),
            force_sync: keys.word("forceSync", &["no", "yes"])? != Some(0),
            fsync_warning: millis(keys.number("fsync.warningthresholdms", MILLIS)?.unwrap_or(1000)),
            snap_retain: keys.number("autopurge.snapRetainCount", 3..=i64::from(i32::MAX))?.unwrap_or(3) as usize,
            purge_interval: keys
                .number("autopurge.purgeInterval", 0..=24 * 366)?
                .filter(|hours| *hours > 0)
                .map(|hours| Duration::from_secs(hours as u64 * 3600)),
            limits: limits::limits(&mut keys, voters)?,
            sessionless_timeout: millis(keys.number("nio.sessionlessCnxnTimeout", MILLIS)?.unwrap_or(10_000)),
            connect_timeout: millis(keys.number("cnxTimeout", MILLIS)?.unwrap_or(5000)),
            handshake_timeout: millis(handshake_ms),
            bind_retries: match keys.number("electionPortBindRetry", 0..=i64::from(i32::MAX))? {
                Some(0) => None,
                Some(n) => Some(n as u32),
                None => Some(3),
            },
            min_notification,
            max_notification,
            observer_wait: observer_wait(&mut keys)?,
            service: service::rules(&mut keys, id, max_buffer)?,
            access: Arc::new(security::access(file, &mut keys, secure.is_some(), &mut remarks)?),
            secure,
            remarks: Vec::new(),
        };
        if !cfg.force_sync {
            remarks.push("forceSync=no: a power cut can lose acknowledged writes".to_string());
        }
        if cfg.servers.values().filter(|s| s.kind == MemberKind::Participant).count() == 2 {
            remarks.push("two voting servers: both must be up, so this is less available than one".to_string());
        }
        let unknown = keys.unknown().map(|e| format!("line {}: {} is not known here and has no effect", e.line, e.key));
        remarks.extend(unknown);
        Ok(ZooCfg { remarks, ..cfg })
    }

    /// What the core is told.
    pub fn core(&self) -> Config {
        let mut config = Config::new(self.id, self.ensemble.clone());
        config.proposed.clone_from(&self.proposed);
        config.reconfig = self.reconfig;
        config.tick = millis(self.tick_ms);
        config.init_limit = self.init_limit;
        config.sync_limit = self.sync_limit;
        config.min_session_ms = self.min_session_ms;
        config.max_session_ms = self.max_session_ms;
        config.snap_count = self.snap_count;
        config.snap_size_limit = self.snap_size_limit;
        config.commit_log_count = self.commit_log_count;
        config.min_notification = self.min_notification;
        config.max_notification = self.max_notification;
        config.observer_wait = self.observer_wait;
        config.settles_early = true;
        config.service = self.service.clone();
        config.access = self.access.clone();
        if self.standalone {
            // Nobody else can vote better: waiting for that would only delay the start.
            config.finalize_wait = Duration::ZERO;
        }
        config
    }

    /// This server's own line.
    pub fn own_line(&self) -> Option<&ServerLine> {
        self.servers.get(&self.id)
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

/// The names are Apache's, in its spelling.
fn compression(keys: &mut Keys<'_>) -> Result<Compression, ConfigError> {
    let Some(entry) = keys.find("snapshot.compression.method") else { return Ok(Compression::None) };
    match entry.value.as_str() {
        "" => Ok(Compression::None),
        "gz" => Ok(Compression::Gzip),
        "snappy" => Ok(Compression::Snappy),
        _ => Err(keys.wrong(entry, "gz or snappy, or empty for snapshots that are not packed")),
    }
}

fn refuse_unsupported(file: &Path, keys: &mut Keys<'_>) -> Result<(), ConfigError> {
    let unsupported = |e: &properties::Entry, what: String| {
        let (key, value) = (e.key.clone(), observation::hidden_if_secret(e).into());
        Err(ConfigError::Unsupported { file: file.into(), line: e.line, key, value, what })
    };
    for &(key, allowed, why) in ONLY {
        if let Some(entry) = keys.find(key).filter(|e| !allowed.iter().any(|a| e.value.eq_ignore_ascii_case(a))) {
            let what_to_do = match allowed {
                [""] | [] => "remove the line".to_string(),
                _ => format!("only {key}={} is possible", allowed.join(" or ")),
            };
            return unsupported(entry, format!("{why}; {what_to_do}"));
        }
    }
    if let Some(entry) = keys.with_prefix("ssl.quorum.").first() {
        return unsupported(entry, "peers speak without TLS; remove the line".into());
    }
    Ok(())
}

fn server_lines(keys: &mut Keys<'_>) -> Result<BTreeMap<ServerId, ServerLine>, ConfigError> {
    let mut servers = BTreeMap::new();
    for entry in keys.with_prefix("server.") {
        let number = entry.key.rsplit_once("server.").map_or("", |(_, number)| number);
        let id = number.parse::<i64>().ok().filter(|id| (0..=members::LARGEST_ID).contains(id)).ok_or_else(|| {
            keys.wrong(entry, format_args!("server.N with a number N from 0 to {}", members::LARGEST_ID))
        })?;
        let line = ServerLine::parse(entry.line, &entry.value).ok_or_else(|| keys.wrong(entry, members::SPEC))?;
        servers.insert(ServerId(id), line);
    }
    let mut taken: BTreeMap<(String, u16), ServerId> = BTreeMap::new();
    for (id, server) in &servers {
        for port in [server.quorum_port, server.election_port] {
            if let Some(other) = taken.insert((server.host.clone(), port), *id) {
                let value = server.to_string();
                let entry = properties::Entry { line: server.line, key: format!("server.{id}"), value };
                return Err(
                    keys.wrong(&entry, format_args!("at an address of its own; server.{other} has port {port} too"))
                );
            }
        }
    }
    Ok(servers)
}

fn stands_alone(keys: &mut Keys<'_>, servers: &BTreeMap<ServerId, ServerLine>) -> Result<bool, ConfigError> {
    let allowed = keys.flag("standaloneEnabled", true)?;
    let voters = servers.values().filter(|s| s.kind == MemberKind::Participant).count();
    match (voters, servers.len()) {
        (0, 0) if allowed => Ok(true),
        (0, 0) => Err(keys.missing("server.1", "with standaloneEnabled=false there must be server lines")),
        (0, _) => Err(keys.missing("a voting server", "all server lines are observers, so nobody could ever lead")),
        (1, 1) => Ok(allowed),
        (1, _) if allowed => Err(keys
            .missing("standaloneEnabled=false", "one voting server with observers is an ensemble only with this line")),
        _ => Ok(false),
    }
}

/// The server list wins over `peerType`, as in Apache's server.
fn check_peer_type(
    keys: &mut Keys<'_>,
    servers: &BTreeMap<ServerId, ServerLine>,
    id: ServerId,
    remarks: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let said = keys.word("peerType", &["participant", "observer"])?;
    let kind = servers.get(&id).map(|s| s.kind);
    let (said, kind) = match (said, kind) {
        (Some(0), Some(MemberKind::Observer)) => ("participant", "an observer"),
        (Some(1), Some(MemberKind::Participant)) => ("observer", "a participant"),
        _ => return Ok(()),
    };
    remarks.push(format!("peerType={said}, but the line of server.{id} makes it {kind}: the line counts"));
    Ok(())
}

/// From `clientPort` and `clientPortAddress`, or from behind the `;` of the server's own line.
fn client_address(
    keys: &mut Keys<'_>,
    in_line: Option<(Option<String>, u16)>,
) -> Result<(Option<String>, Option<u16>), ConfigError> {
    let port = keys.number("clientPort", 1..=i64::from(u16::MAX))?.map(|p| p as u16);
    let given = keys.host("clientPortAddress")?;
    let has_host = given.is_some();
    let host = given.flatten();
    let one = |host: Option<String>| host.as_deref().and_then(one_host);
    match (port, in_line) {
        (None, None) if has_host => Err(keys.missing("clientPort", "the port for clients at clientPortAddress")),
        (port, None) => Ok((host, port)),
        (None, Some((line_host, port))) => Ok((one(line_host).or(host), Some(port))),
        (Some(port), Some((line_host, line_port))) if port == line_port => Ok((one(line_host).or(host), Some(port))),
        (Some(_), Some((_, line_port))) => {
            let entry = keys.find("clientPort").cloned();
            let entry = entry.unwrap_or(properties::Entry { line: 0, key: "clientPort".into(), value: String::new() });
            Err(keys.wrong(
                &entry,
                format_args!("{line_port}, the client port in this server's own line (is the myid right?)"),
            ))
        }
    }
}

fn session_limits(keys: &mut Keys<'_>, tick_ms: i64) -> Result<(i32, i32), ConfigError> {
    let limit = |keys: &mut Keys<'_>, key: &str, ticks: i64| {
        let given = keys.number(key, -1..=i64::from(i32::MAX))?.filter(|n| *n != -1);
        Ok(given.unwrap_or_else(|| tick_ms.saturating_mul(ticks)).clamp(1, i64::from(i32::MAX)) as i32)
    };
    let min = limit(keys, "minSessionTimeout", 2)?;
    let max = limit(keys, "maxSessionTimeout", 20)?;
    if min > max {
        let entry = keys.find("minSessionTimeout").or(keys.find("maxSessionTimeout")).cloned();
        let entry = entry.unwrap_or(properties::Entry { line: 0, key: "tickTime".into(), value: tick_ms.to_string() });
        return Err(keys.wrong(
            &entry,
            format_args!("such that minSessionTimeout ({min} ms) is not above maxSessionTimeout ({max} ms)"),
        ));
    }
    Ok((min, max))
}

fn observer_wait(keys: &mut Keys<'_>) -> Result<Duration, ConfigError> {
    let whole = 0..=i64::from(i32::MAX);
    let election = keys.number("observer.election.DelayMs", whole.clone())?.unwrap_or(200);
    let reconnect = keys.number("observer.reconnectDelayMs", whole)?.unwrap_or(0);
    Ok(millis(election + reconnect))
}

fn notification_limits(keys: &mut Keys<'_>) -> Result<(Duration, Duration), ConfigError> {
    let min = keys.number("fastleader.minNotificationInterval", MILLIS)?.unwrap_or(200);
    let max = keys.number("fastleader.maxNotificationInterval", MILLIS)?.unwrap_or(60_000);
    if min > max {
        let entry = keys.find("fastleader.minNotificationInterval").or(keys.find("fastleader.maxNotificationInterval"));
        if let Some(entry) = entry {
            return Err(keys.wrong(
                entry,
                format_args!("such that the smallest interval ({min} ms) is not above the largest ({max} ms)"),
            ));
        }
    }
    Ok((millis(min), millis(max)))
}
