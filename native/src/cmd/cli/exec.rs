//! What each command does, and what it answers.

use super::failure::Failure;
use super::session::{Session, check_path, odd};
use super::show;
use super::table::{Name, Parsed, UsageError};
use bytes::Bytes;
use serde_json::{Value, json};
use zebu_core::client::access;
use zebu_core::client::quota::Limits;
use zebu_core::client::{Credential, RequestError};
use zebu_core::error::ZkError;
use zebu_core::tree::path;
use zebu_core::wire::client::{AddWatchMode, OpResult, Request, Response, WatchType};
use zebu_core::wire::op::{CreateMode, OpCode};
use zebu_core::wire::record::{Acl, Stat};

/// The longest life that a TTL can say: 40 bits of milliseconds (client-protocol §10.3).
const TTL_MAX: i64 = 0xff_ffff_ffff;

/// Deletions in one transaction unless said otherwise.
const BATCH: usize = 1000;

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// For people, without a newline at the end; `None` prints nothing, empty text an empty line.
    pub text: Option<String>,
    /// The members of its JSON object.
    pub json: Value,
}

impl Output {
    pub(super) fn new(text: impl Into<String>, json: Value) -> Output {
        Output { text: Some(text.into()), json }
    }

    /// Nothing to print.
    pub(super) fn quiet(json: Value) -> Output {
        Output { text: None, json }
    }

    /// Nothing to say but that it is done.
    pub(super) fn done(path: &str) -> Output {
        Output::quiet(json!({ "path": path, "ok": true }))
    }

    /// With the stat behind it, if it was asked for. JSON always has it.
    fn with_stat(mut self, stat: &Stat, asked: bool) -> Output {
        if asked {
            let stat = show::stat(stat);
            self.text = Some(self.text.map_or_else(|| stat.clone(), |text| format!("{text}\n{stat}")));
        }
        if let Value::Object(members) = &mut self.json {
            members.insert("stat".into(), show::stat_json(stat));
        }
        self
    }
}

fn wrong(text: impl Into<String>) -> Failure {
    Failure::Usage(UsageError::Value(text.into()))
}

fn version(parsed: &Parsed) -> Result<i32, Failure> {
    Ok(parsed.number("-v")?.unwrap_or(-1))
}

fn data(text: Option<&str>) -> Option<Bytes> {
    text.map(|text| Bytes::copy_from_slice(text.as_bytes()))
}

fn acl(text: &str) -> Result<Vec<Acl>, Failure> {
    access::parse(text).map_err(|e| wrong(e.to_string()))
}

impl Session {
    /// Carries out a command that asks a server. Those of the shell itself (help, history, quit …) are not for here.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn run(&mut self, parsed: &Parsed) -> Result<Output, Failure> {
        let path = parsed.first();
        let needs_path = !matches!(
            parsed.command.name,
            Name::AddAuth | Name::Create | Name::GetEphemerals | Name::Config | Name::Reconfig | Name::WhoAmI
        );
        if needs_path {
            check_path(path, false)?;
        }
        match parsed.command.name {
            Name::AddAuth => {
                let credential = Credential { scheme: path.into(), auth: data(parsed.arg(1)) };
                self.authenticate(credential).await?;
                Ok(Output::quiet(json!({ "scheme": path, "ok": true })))
            }
            Name::AddWatch => self.add_watch(parsed, path).await,
            Name::Config => self.config(parsed).await,
            Name::Create => self.create(parsed, path).await,
            Name::Delete => {
                self.ask(path, Request::Delete { path: path.into(), version: version(parsed)? }).await?;
                Ok(Output::done(path))
            }
            Name::DeleteAll => self.delete_all(parsed, path).await,
            Name::Get => {
                let (data, stat) = self.get(path, parsed.has("-w")).await?;
                let text = match &data {
                    None => "null".into(),
                    Some(data) if parsed.has("-b") => show::base64(data),
                    Some(data) => String::from_utf8_lossy(data).into_owned(),
                };
                let json = match (&data, parsed.has("-b")) {
                    (Some(data), true) => json!({ "base64": show::base64(data) }),
                    (data, _) => show::data_json(data.as_deref()),
                };
                Ok(Output::new(text, json!({ "path": path, "data": json })).with_stat(&stat, parsed.has("-s")))
            }
            Name::GetAcl => match self.ask(path, Request::GetAcl { path: path.into() }).await? {
                Response::Acl(list, stat) => {
                    let json = json!({ "path": path, "acl": show::acl_json(&list) });
                    Ok(Output::new(show::acl(&list), json).with_stat(&stat, parsed.has("-s")))
                }
                other => Err(odd(&other)),
            },
            Name::GetAllChildrenNumber => {
                match self.ask(path, Request::GetAllChildrenNumber { path: path.into() }).await? {
                    Response::Number(number) => {
                        Ok(Output::new(number.to_string(), json!({ "path": path, "number": number })))
                    }
                    other => Err(odd(&other)),
                }
            }
            Name::GetEphemerals => {
                let prefix = parsed.arg(0).map(String::from);
                match self.ask(path, Request::GetEphemerals { prefix }).await? {
                    Response::Children(mut paths) => {
                        paths.sort_unstable();
                        Ok(Output::new(show::list(&paths), json!({ "ephemerals": paths })))
                    }
                    other => Err(odd(&other)),
                }
            }
            Name::Ls if parsed.has("-R") => {
                let paths = self.below(path, parsed.has("-w")).await?;
                Ok(Output::new(paths.join("\n"), json!({ "path": path, "paths": paths })))
            }
            Name::Ls => {
                let (names, stat) = self.children(path, parsed.has("-w")).await?;
                let json = json!({ "path": path, "children": names });
                Ok(Output::new(show::list(&names), json).with_stat(&stat, parsed.has("-s")))
            }
            Name::Reconfig => self.reconfig(parsed).await,
            Name::RemoveWatches => self.remove_watches(parsed, path).await,
            Name::Set => {
                let (data, version) = (data(parsed.arg(1)), version(parsed)?);
                match self.ask(path, Request::SetData { path: path.into(), data, version }).await? {
                    Response::Stat(stat) => Ok(Output::done(path).with_stat(&stat, parsed.has("-s"))),
                    other => Err(odd(&other)),
                }
            }
            Name::SetAcl => self.set_acl(parsed, path).await,
            Name::Stat => match self.ask(path, Request::Exists { path: path.into(), watch: parsed.has("-w") }).await? {
                Response::Stat(stat) => Ok(Output::quiet(json!({ "path": path })).with_stat(&stat, true)),
                other => Err(odd(&other)),
            },
            Name::Sync => {
                self.ask(path, Request::Sync { path: path.into() }).await?;
                Ok(Output::new("Sync is OK", json!({ "path": path, "ok": true })))
            }
            Name::WhoAmI => match self.ask("", Request::WhoAmI).await? {
                Response::Identities(list) => {
                    let lines = list.iter().map(|info| format!("\n{}: {}", info.scheme, info.user));
                    let json = list.iter().map(|info| json!({ "scheme": info.scheme, "user": info.user }));
                    let json = json!({ "identities": json.collect::<Value>() });
                    Ok(Output::new(format!("Auth scheme: User{}", lines.collect::<String>()), json))
                }
                other => Err(odd(&other)),
            },
            Name::SetQuota => self.run_set_quota(parsed, path).await,
            Name::ListQuota => self.run_list_quota(path).await,
            Name::DelQuota => self.run_del_quota(parsed, path).await,
            Name::Close
            | Name::Connect
            | Name::Help
            | Name::History
            | Name::PrintWatches
            | Name::Quit
            | Name::Redo
            | Name::Version => Err(Failure::Rule(format!("{} is for the shell", parsed.command.text()))),
        }
    }

    async fn add_watch(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let mode = match parsed.value("-m").map(str::to_uppercase).as_deref() {
            None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
            Some("PERSISTENT") => AddWatchMode::Persistent,
            Some(other) => {
                return Err(wrong(format!("\"{other}\" is no mode; there are PERSISTENT and PERSISTENT_RECURSIVE")));
            }
        };
        self.ask(path, Request::AddWatch { path: path.into(), mode }).await?;
        Ok(Output::done(path))
    }

    async fn create(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let (sequential, ephemeral, container) = (parsed.has("-s"), parsed.has("-e"), parsed.has("-c"));
        let ttl = parsed.number::<i64>("-t")?;
        if container && (ephemeral || sequential) {
            return Err(wrong("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential."));
        }
        if ttl.is_some() && (ephemeral || container) {
            let kind = if ephemeral { "Ephemeral" } else { "Container" };
            return Err(wrong(format!("TTLs cannot be used with {kind} znodes")));
        }
        if let Some(ttl) = ttl.filter(|ttl| !(1..=TTL_MAX).contains(ttl)) {
            return Err(wrong(format!("a TTL is 1 to {TTL_MAX} ms, and not {ttl}")));
        }
        check_path(path, sequential)?;
        let mode = match (ephemeral, sequential, container, ttl) {
            (true, true, ..) => CreateMode::EphemeralSequential,
            (true, false, ..) => CreateMode::Ephemeral,
            (_, true, _, Some(_)) => CreateMode::PersistentSequentialTtl,
            (_, true, ..) => CreateMode::PersistentSequential,
            (_, _, true, _) => CreateMode::Container,
            (.., Some(_)) => CreateMode::PersistentTtl,
            _ => CreateMode::Persistent,
        };
        let (data, flags) = (data(parsed.arg(1)), mode.flags());
        let acl = parsed.arg(2).map_or_else(|| Ok(Acl::open()), acl)?;
        let path = String::from(path);
        let request = match ttl {
            Some(ttl_ms) => Request::CreateTtl { path: path.clone(), data, acl, flags, ttl_ms },
            None => {
                let op = if container { OpCode::CreateContainer } else { OpCode::Create2 };
                Request::Create { op, path: path.clone(), data, acl, flags }
            }
        };
        match self.ask(&path, request).await? {
            Response::PathStat(made, stat) => {
                Ok(Output::new(format!("Created {made}"), json!({ "path": made })).with_stat(&stat, false))
            }
            other => Err(odd(&other)),
        }
    }

    /// Leaves first. Each batch is all or nothing.
    async fn delete_all(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let batch = parsed.number::<usize>("-b")?.unwrap_or(BATCH);
        let paths = self.below(path, false).await?;
        // Parents stand before their children in the list, so backwards every child goes before its parent.
        let doomed: Vec<&String> = paths.iter().rev().collect();
        for part in doomed.chunks(batch.max(1)) {
            let delete = |path: &&String| Request::Delete { path: (*path).clone(), version: -1 };
            if batch == 0 {
                for path in part {
                    match self.ask(path, delete(path)).await {
                        // Somebody else was faster.
                        Ok(_) | Err(Failure::Refused(ZkError::NoNode, _)) => {}
                        Err(failure) => return Err(failure),
                    }
                }
                continue;
            }
            let Response::Multi(results) =
                self.ask(path, Request::Multi { ops: part.iter().map(delete).collect() }).await?
            else {
                continue;
            };
            let failed = part.iter().zip(&results).find_map(|(path, result)| match result {
                OpResult::Error(code) if *code != 0 => Some((path, *code)),
                _ => None,
            });
            if let Some((path, code)) = failed {
                let error = ZkError::from_code(code).unwrap_or(ZkError::RuntimeInconsistency);
                return Err(Failure::Refused(error, (*path).clone()));
            }
        }
        Ok(Output::quiet(json!({ "path": path, "deleted": paths.len() })))
    }

    async fn set_acl(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let (acl, version) = (acl(parsed.arg(1).unwrap_or_default())?, version(parsed)?);
        let paths = if parsed.has("-R") { self.below(path, false).await? } else { vec![path.into()] };
        let mut last = None;
        for path in &paths {
            match self.ask(path, Request::SetAcl { path: path.clone(), acl: acl.clone(), version }).await? {
                Response::Stat(stat) => last = Some(stat),
                other => return Err(odd(&other)),
            }
        }
        match last {
            Some(stat) if paths.len() == 1 => Ok(Output::done(path).with_stat(&stat, parsed.has("-s"))),
            _ => Ok(Output::quiet(json!({ "path": path, "changed": paths.len() }))),
        }
    }

    async fn remove_watches(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let kinds = [
            ("-c", WatchType::Children),
            ("-d", WatchType::Data),
            ("-p", WatchType::Persistent),
            ("-r", WatchType::PersistentRecursive),
        ];
        let chosen = kinds.into_iter().find(|(flag, _)| parsed.has(flag));
        let kind = chosen.map_or(WatchType::Any, |(_, kind)| kind);
        match self.ask(path, Request::RemoveWatches { path: path.into(), kind }).await {
            Err(Failure::NoAnswer(RequestError::Lost | RequestError::NotServed, _)) if parsed.has("-l") => {
                self.client.forget_watches(path.into(), kind);
            }
            answer => drop(answer?),
        }
        Ok(Output::done(path))
    }

    async fn config(&self, parsed: &Parsed) -> Result<Output, Failure> {
        let get = Request::GetData { path: path::CONFIG.into(), watch: parsed.has("-w") };
        let (data, stat) = match self.ask_beside(path::CONFIG, get).await? {
            Response::Data(data, stat) => (data, stat),
            other => return Err(odd(&other)),
        };
        let config = data.map_or_else(|| "null".into(), |data| String::from_utf8_lossy(&data).into_owned());
        let (version, clients) = client_addresses(&config);
        let short = format!("{version} {}", clients.join(","));
        let json = json!({ "config": config, "version": version, "clients": clients });
        let text = if parsed.has("-c") { short } else { config };
        Ok(Output::new(text, json).with_stat(&stat, parsed.has("-s")))
    }

    async fn reconfig(&self, parsed: &Parsed) -> Result<Output, Failure> {
        let value = |flag| parsed.value(flag).map(String::from);
        let (joining, leaving, mut members) = (value("-add"), value("-remove"), value("-members"));
        let file = value("-file");
        let (whole, parts) = (members.is_some() || file.is_some(), joining.is_some() || leaving.is_some());
        if whole && parts {
            return Err(wrong("-file and -members name all servers, -add and -remove some: use one or the other"));
        }
        if members.is_some() && file.is_some() {
            return Err(wrong("-file and -members both name all servers: use one"));
        }
        if !whole && !parts {
            return Err(wrong(format!("reconfig needs servers; usage: {}", parsed.command.usage())));
        }
        if let Some(file) = file {
            let text = std::fs::read_to_string(&file).map_err(|e| Failure::Rule(format!("cannot read {file}: {e}")))?;
            let servers = text.lines().map(str::trim).filter(|line| line.starts_with("server."));
            members = Some(servers.collect::<Vec<_>>().join(","));
        }
        let config = match parsed.value("-v") {
            None => -1,
            Some(text) => i64::from_str_radix(text, 16)
                .map_err(|_| wrong(format!("-v needs a version in hexadecimal, and \"{text}\" is none")))?,
        };
        match self.ask(path::CONFIG, Request::Reconfig { joining, leaving, members, config }).await? {
            Response::Data(data, stat) => {
                let config = String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
                let text = format!("Committed new configuration:\n{config}");
                Ok(Output::new(text, json!({ "config": config })).with_stat(&stat, parsed.has("-s")))
            }
            other => Err(odd(&other)),
        }
    }

    async fn run_set_quota(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let limits = Limits {
            count: parsed.number("-n")?,
            bytes: parsed.number("-b")?,
            count_hard: parsed.number("-N")?,
            bytes_hard: parsed.number("-B")?,
        };
        if limits == Limits::default() {
            return Err(wrong(format!("setquota needs a limit; usage: {}", parsed.command.usage())));
        }
        if [limits.count, limits.count_hard].into_iter().flatten().any(|limit| limit <= 0) {
            return Err(wrong("the num quota must be greater than zero"));
        }
        if [limits.bytes, limits.bytes_hard].into_iter().flatten().any(|limit| limit < 0) {
            return Err(wrong("the bytes quota must be greater than or equal to zero"));
        }
        let warnings = self.set_quota(path, limits).await?;
        let json = json!({ "path": path, "ok": true, "warnings": warnings });
        Ok(if warnings.is_empty() { Output::quiet(json) } else { Output::new(warnings.join("\n"), json) })
    }

    async fn run_list_quota(&self, path: &str) -> Result<Output, Failure> {
        let missing = || Failure::Rule(format!("quota for {path} does not exist."));
        let quota = self.quota(path).await?.ok_or_else(missing)?;
        let text = format!(
            "absolute path is {}\nOutput quota for {path} {}\nOutput stat for {path} {}",
            quota.at, quota.limits, quota.used
        );
        let track = |track: &Limits| {
            json!({
                "count": track.count,
                "bytes": track.bytes,
                "countHardLimit": track.count_hard,
                "byteHardLimit": track.bytes_hard,
            })
        };
        let used = json!({ "count": quota.used.count, "bytes": quota.used.bytes });
        Ok(Output::new(text, json!({ "path": path, "limits": track(&quota.limits), "used": used })))
    }

    async fn run_del_quota(&self, parsed: &Parsed, path: &str) -> Result<Output, Failure> {
        let flags = ["-n", "-b", "-N", "-B"].map(|flag| parsed.has(flag));
        let which = flags.contains(&true).then_some(move |limits: Limits| Limits {
            count: limits.count.filter(|_| !flags[0]),
            bytes: limits.bytes.filter(|_| !flags[1]),
            count_hard: limits.count_hard.filter(|_| !flags[2]),
            bytes_hard: limits.bytes_hard.filter(|_| !flags[3]),
        });
        if self.delete_quota(path, which).await? {
            Ok(Output::done(path))
        } else {
            Err(Failure::Rule(format!("quota for {path} does not exist.")))
        }
    }
}

/// The version of a configuration and where its servers take clients: what stands behind the `;` of a member, which
/// may be a port alone.
fn client_addresses(config: &str) -> (String, Vec<String>) {
    let mut version = String::new();
    let mut clients = Vec::new();
    for (key, value) in config.lines().filter_map(|line| line.split_once('=')) {
        if key.trim() == "version" {
            version = value.trim().into();
        } else if key.starts_with("server.")
            && let Some((_, client)) = value.trim().split_once(';')
        {
            clients.push(if client.contains(':') { client.into() } else { format!("0.0.0.0:{client}") });
        }
    }
    (version, clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_configuration_takes_clients() {
        for (config, version, clients) in [
            (
                "server.1=a:1:2:participant;c:2181\nserver.2=b:1:2:observer;2182\nversion=1f",
                "1f",
                vec!["c:2181", "0.0.0.0:2182"],
            ),
            ("server.1=a:1:2\nversion=0", "0", vec![]),
            ("null", "", vec![]),
        ] {
            assert_eq!(client_addresses(config), (version.into(), clients.into_iter().map(String::from).collect()));
        }
    }
}
