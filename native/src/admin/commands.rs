//! Which commands there are, and how each is run.

use super::json::{self, Pairs};
use super::snapshot::Snapshots;
use super::{auth, clients, quorum, server};
use crate::config_file::Admin;
use crate::operator::{NOT_SERVING, Operator};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What is asked.
pub struct Call {
    /// As it stands in the path.
    pub name: String,
    /// POST, else GET.
    pub is_post: bool,
    /// What follows the `?`.
    pub query: HashMap<String, String>,
    /// Who asks.
    pub remote: IpAddr,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// What was posted.
    pub body: Bytes,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Configuration,
    Connections,
    ConnectionStatReset,
    Dirs,
    Dump,
    Environment,
    GetTraceMask,
    Hash,
    InitialConfiguration,
    IsReadOnly,
    LastSnapshot,
    Leader,
    Monitor,
    ObserverConnectionStatReset,
    Observers,
    Restore,
    Ruok,
    ServerStats,
    SetTraceMask,
    ShedConnections,
    Snapshot,
    StatReset,
    Stats,
    SystemProperties,
    VotingView,
    WatchSummary,
    Watches,
    WatchesByPath,
    Zabstate,
}

/// All of them in order of their names.
pub const COMMANDS: [Command; 29] = [
    Command::Configuration,
    Command::ConnectionStatReset,
    Command::Connections,
    Command::Dirs,
    Command::Dump,
    Command::Environment,
    Command::GetTraceMask,
    Command::Hash,
    Command::InitialConfiguration,
    Command::IsReadOnly,
    Command::LastSnapshot,
    Command::Leader,
    Command::Monitor,
    Command::ObserverConnectionStatReset,
    Command::Observers,
    Command::Restore,
    Command::Ruok,
    Command::ServerStats,
    Command::SetTraceMask,
    Command::ShedConnections,
    Command::Snapshot,
    Command::StatReset,
    Command::Stats,
    Command::SystemProperties,
    Command::VotingView,
    Command::WatchSummary,
    Command::Watches,
    Command::WatchesByPath,
    Command::Zabstate,
];

impl Command {
    /// Its name and the other names it goes by.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Command::Configuration => &["configuration", "conf", "config"],
            Command::Connections => &["connections", "cons"],
            Command::ConnectionStatReset => &["connection_stat_reset", "crst"],
            Command::Dirs => &["dirs"],
            Command::Dump => &["dump"],
            Command::Environment => &["environment", "env", "envi"],
            Command::GetTraceMask => &["get_trace_mask", "gtmk"],
            Command::Hash => &["hash"],
            Command::InitialConfiguration => &["initial_configuration", "icfg"],
            Command::IsReadOnly => &["is_read_only", "isro"],
            Command::LastSnapshot => &["last_snapshot", "lsnp"],
            Command::Leader => &["leader", "lead"],
            Command::Monitor => &["monitor", "mntr"],
            Command::ObserverConnectionStatReset => &["observer_connection_stat_reset", "orst"],
            Command::Observers => &["observers", "obsr"],
            Command::Restore => &["restore", "rest"],
            Command::Ruok => &["ruok"],
            Command::ServerStats => &["server_stats", "srvr"],
            Command::SetTraceMask => &["set_trace_mask", "stmk"],
            Command::ShedConnections => &["shed_connections", "shed"],
            Command::Snapshot => &["snapshot", "snap"],
            Command::StatReset => &["stat_reset", "srst"],
            Command::Stats => &["stats", "stat"],
            Command::SystemProperties => &["system_properties", "sysp"],
            Command::VotingView => &["voting_view"],
            Command::WatchSummary => &["watch_summary", "wchs"],
            Command::Watches => &["watches", "wchc"],
            Command::WatchesByPath => &["watches_by_path", "wchp"],
            Command::Zabstate => &["zabstate"],
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    /// The command of a name and a method.
    fn find(name: &str, is_post: bool) -> Option<Command> {
        COMMANDS.into_iter().find(|c| c.is_posted() == is_post && c.names().contains(&name))
    }

    const fn is_posted(self) -> bool {
        matches!(self, Command::Restore | Command::ShedConnections)
    }

    /// Whether it is answered only while clients are served.
    const fn needs_server(self) -> bool {
        !matches!(
            self,
            Command::Environment | Command::GetTraceMask | Command::SetTraceMask | Command::SystemProperties
        )
    }

    /// Whether it is only for those who may do everything to the root.
    const fn needs_auth(self) -> bool {
        matches!(self, Command::Restore | Command::ShedConnections | Command::Snapshot)
    }
}

/// Runs commands.
pub struct Commands {
    operator: Arc<Operator>,
    snapshots: Snapshots,
}

impl Commands {
    /// For this server.
    pub fn new(cfg: &Admin, operator: Arc<Operator>) -> Commands {
        Commands { operator, snapshots: Snapshots::new(cfg) }
    }

    /// Runs one. Faults too are answered with 200, except those of the commands that Apache has got later.
    pub async fn run(&self, call: Call) -> Response<Body> {
        let Some(command) = Command::find(&call.name, call.is_post) else {
            let what = format!("Unknown command: {}", call.name);
            return failure(&call.name, StatusCode::OK, &what);
        };
        let name = command.name();
        let operator = &*self.operator;
        let serving = operator.serving();
        if command.needs_server() && serving.is_none() {
            return failure(name, StatusCode::OK, NOT_SERVING);
        }
        if command.needs_auth()
            && let Err(refusal) = auth::check(operator, call.authorization.as_deref(), call.remote)
        {
            return failure(name, refusal.status(), refusal.text(name));
        }
        let nothing = Pairs::<&str, ()>(Vec::new());
        // What the last match needs is there only while clients are served.
        let Some(serving) = serving else {
            return match command {
                Command::Environment => success(name, &server::environment()),
                Command::SystemProperties => success(name, &server::system_properties(operator)),
                Command::SetTraceMask => self.set_trace_mask(&call),
                _ => success(name, &server::trace_mask(operator)),
            };
        };
        match command {
            Command::Configuration => success(name, &server::configuration(operator)),
            Command::Connections => success(name, &clients::connections(operator)),
            Command::ConnectionStatReset => {
                operator.reset_connections();
                success(name, &nothing)
            }
            Command::Dirs => success(name, &server::dirs(operator)),
            Command::Dump => match clients::dump(operator).await {
                Some(dump) => success(name, &dump),
                None => failure(name, StatusCode::OK, NOT_SERVING),
            },
            Command::Environment => success(name, &server::environment()),
            Command::GetTraceMask => success(name, &server::trace_mask(operator)),
            Command::Hash => success(name, &server::hash(operator)),
            Command::InitialConfiguration => success(name, &server::initial_configuration(operator)),
            Command::IsReadOnly => success(name, &server::is_read_only(&serving)),
            Command::LastSnapshot => success(name, &server::last_snapshot(operator)),
            Command::Leader => match quorum::leader(operator).await {
                Some(leader) => success(name, &leader),
                None => refusal(name, "server is not initialized"),
            },
            Command::Monitor => success(name, &server::monitor(operator, &serving).await),
            // The leader keeps no statistics of its observers' connections.
            Command::ObserverConnectionStatReset | Command::Ruok => success(name, &nothing),
            Command::Observers => success(name, &quorum::observers(operator).await),
            Command::Restore => failure(name, StatusCode::SERVICE_UNAVAILABLE, RESTORE),
            Command::ServerStats => success(name, &server::stats(operator, &serving, false)),
            Command::SetTraceMask => self.set_trace_mask(&call),
            Command::ShedConnections => clients::shed(operator, name, &call.body),
            Command::Snapshot => self.snapshots.take(operator, name, &call.query).await,
            Command::StatReset => {
                operator.metrics.reset();
                success(name, &nothing)
            }
            Command::Stats => success(name, &server::stats(operator, &serving, true)),
            Command::SystemProperties => success(name, &server::system_properties(operator)),
            Command::VotingView => success(name, &quorum::voting_view(operator)),
            Command::WatchSummary => success(name, &clients::watch_summary(operator)),
            Command::Watches => success(name, &clients::watches(operator)),
            Command::WatchesByPath => success(name, &clients::watches_by_path(operator)),
            Command::Zabstate => success(name, &quorum::zabstate(operator).await),
        }
    }

    fn set_trace_mask(&self, call: &Call) -> Response<Body> {
        let name = Command::SetTraceMask.name();
        match call.query.get("traceMask").map(|mask| mask.parse()) {
            None => refusal(name, "setTraceMask requires long traceMask argument"),
            Some(Err(_)) => refusal(name, "setTraceMask requires long traceMask argument, got something else"),
            Some(Ok(mask)) => {
                self.operator.trace.set(mask);
                success(name, &server::trace_mask(&self.operator))
            }
        }
    }
}

/// Why `restore` is refused.
const RESTORE: &str = "A server that runs does not take another state than the one its ensemble has agreed on: members \
                       would differ. Stop the servers, put the snapshot into each data directory in place of what is \
                       there, and start them";

/// The fields, then `command` and `error`.
#[derive(Serialize)]
struct Success<'a, T> {
    #[serde(flatten)]
    fields: &'a T,
    command: &'a str,
    error: Option<&'a str>,
}

/// An answer with fields.
pub fn success(command: &str, fields: &impl Serialize) -> Response<Body> {
    respond(StatusCode::OK, json::text(&Success { fields, command, error: None }))
}

/// An answer by whoever looks for commands.
pub fn failure(command: &str, status: StatusCode, what: &str) -> Response<Body> {
    respond(status, json::text(&Pairs(vec![("command", command), ("error", what)])))
}

/// An answer by the command itself, which Apache writes the other way round.
fn refusal(command: &str, what: &str) -> Response<Body> {
    respond(StatusCode::OK, json::text(&Pairs(vec![("error", what), ("command", command)])))
}

fn respond(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_found_by_their_method_and_are_each_ones_own() {
        let mut seen = BTreeSet::new();
        for command in COMMANDS {
            for name in command.names() {
                assert!(seen.insert(*name), "{name} is twice");
                assert_eq!(Command::find(name, command.is_posted()), Some(command));
                assert_eq!(Command::find(name, !command.is_posted()), None);
            }
        }
        assert!(COMMANDS.is_sorted_by_key(|c| c.name()));
        assert_eq!(Command::find("nosuch", false), None);
    }

    #[tokio::test]
    async fn answers_as_apache_writes_them() {
        let body = |response: Response<Body>| async {
            let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.expect("a body");
            String::from_utf8(bytes.into()).expect("text")
        };
        let nothing = Pairs::<&str, ()>(Vec::new());
        assert_eq!(body(success("ruok", &nothing)).await, "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}");
        let fields = Pairs(vec![("tracemask", 306)]);
        assert_eq!(
            body(success("get_trace_mask", &fields)).await,
            "{\n  \"tracemask\" : 306,\n  \"command\" : \"get_trace_mask\",\n  \"error\" : null\n}"
        );
        assert_eq!(
            body(failure("nosuch", StatusCode::OK, "Unknown command: nosuch")).await,
            "{\n  \"command\" : \"nosuch\",\n  \"error\" : \"Unknown command: nosuch\"\n}"
        );
        assert_eq!(
            body(refusal("leader", "server is not initialized")).await,
            "{\n  \"error\" : \"server is not initialized\",\n  \"command\" : \"leader\"\n}"
        );
    }
}
