//! The four-letter words of operators and their tools, in Apache's format (client-protocol.md §13).

use crate::config_file::ZooCfg;
use crate::metrics::Metrics;
use crate::net::links::{LinkBox, Links};
use crate::read_side::SharedRead;
use crate::replica::{Post, Question, role};
use parking_lot::Mutex;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use zebu_core::config::MemberKind;
use zebu_core::effect::Serving;
use zebu_core::id::LinkId;
use zebu_core::server::ReadSide as _;
use zebu_core::status::Status;
use zebu_core::wire::notification::ServerState;

/// What clients that ask for a version are told: the features of 3.8, in this implementation.
const VERSION: &str = concat!("3.8.0-zebu-", env!("CARGO_PKG_VERSION"));

/// All words of Apache's server. An unknown one is taken for a frame's length.
const WORDS: [&[u8; 4]; 20] = [
    b"conf",
    b"cons",
    b"crst",
    b"dirs",
    b"dump",
    b"envi",
    b"gtmk",
    b"hash",
    b"isro",
    b"mntr",
    b"ruok",
    b"srst",
    b"srvr",
    b"stat",
    b"stmk",
    b"wchc",
    b"wchp",
    b"wchs",
    b"orst",
    TELNET_CLOSE,
];

/// What telnet sends when it is interrupted.
const TELNET_CLOSE: &[u8; 4] = b"\xff\xf4\xff\xfd";

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// How long the owner thread may take to say how it stands.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether these four bytes are a word.
pub fn is_word(bytes: [u8; 4]) -> bool {
    WORDS.contains(&&bytes)
}

/// What the words are answered from.
pub struct FourLetter {
    /// The configuration.
    pub cfg: Arc<ZooCfg>,
    /// The tree.
    pub side: SharedRead,
    /// The connections.
    pub links: Arc<Links>,
    /// The owner thread.
    pub post: Arc<Post>,
    /// As what clients are served.
    pub serving: Arc<Mutex<Option<Serving>>>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl FourLetter {
    /// The answer to a word, asked by the connection `asking`.
    pub async fn answer(&self, word: [u8; 4], asking: LinkId) -> String {
        let word = match std::str::from_utf8(&word) {
            Ok(word) => word,
            Err(_) => return String::new(),
        };
        if !self.cfg.whitelist.contains(word) {
            return format!("{word} is not executed because it is not in the whitelist.\n");
        }
        let serving = *self.serving.lock();
        match (word, serving) {
            ("ruok", _) => "imok".into(),
            ("isro", None) => "null".into(),
            ("isro", Some(_)) => "rw".into(),
            (_, None) => NOT_SERVING.into(),
            ("srvr", Some(serving)) => format!("{}{}", version_line(), self.statistics(&serving)),
            ("stat", Some(serving)) => {
                let mut out = format!("{}Clients:\n", version_line());
                for link in self.links.all() {
                    client_line(&mut out, &link, asking);
                }
                out + "\n" + &self.statistics(&serving)
            }
            ("conf", Some(_)) => self.conf(),
            ("envi", _) => environment(),
            ("dirs", Some(_)) => {
                let (data, log) = self.sizes();
                format!("datadir_size: {data}\nlogdir_size: {log}\n")
            }
            ("mntr", Some(serving)) => match self.status().await {
                Some(status) => self.mntr(&serving, &status),
                None => NOT_SERVING.into(),
            },
            _ => String::new(),
        }
    }

    async fn status(&self) -> Option<Status> {
        let (answer, status) = oneshot::channel();
        self.post.ask(Question::Status(answer));
        timeout(PATIENCE, status).await.ok()?.ok()
    }

    /// `standalone`, or the role.
    fn mode(&self, serving: &Serving) -> &'static str {
        if self.cfg.standalone { "standalone" } else { role(serving) }
    }

    fn statistics(&self, serving: &Serving) -> String {
        let (min, average, max) = self.metrics.latency();
        let (applied, nodes) = self.side.read(|s| (s.tree.applied(), s.tree.len()));
        // A new leader stands at its epoch's beginning, although nothing of the epoch is applied yet.
        let leads = serving.role == ServerState::Leading && !self.cfg.standalone;
        let zxid = if leads { applied.max(serving.epoch.start()) } else { applied };
        let mut out = format!(
            "Latency min/avg/max: {min}/{average}/{max}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n\
             Zxid: 0x{:x}\nMode: {}\nNode count: {}\n",
            self.metrics.packets_received.load(Relaxed),
            self.metrics.packets_sent.load(Relaxed),
            self.links.len(),
            self.metrics.outstanding.load(Relaxed).max(0),
            zxid.0,
            self.mode(serving),
            // Apache counts the root twice.
            nodes + 1,
        );
        if leads {
            let [last, min, max] = self.metrics.proposal_sizes();
            push(&mut out, format_args!("Proposal sizes last/min/max: {last}/{min}/{max}\n"));
        }
        out
    }

    fn conf(&self) -> String {
        let cfg = &self.cfg;
        let (data_size, log_size) = self.sizes();
        let mut out = format!(
            "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={data_size}\ndataLogDir={}\n\
             dataLogSize={log_size}\ntickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n\
             clientPortListenBacklog={}\nserverId={}\n",
            cfg.client_port,
            cfg.data_dir.join("version-2").display(),
            cfg.data_log_dir.join("version-2").display(),
            cfg.tick_ms,
            cfg.max_client_cnxns,
            cfg.min_session_ms,
            cfg.max_session_ms,
            cfg.client_backlog.unwrap_or(-1),
            if cfg.standalone { 0 } else { cfg.id.0 },
        );
        if let Some(own) = cfg.own_line().filter(|_| !cfg.standalone) {
            let observes = own.kind == MemberKind::Observer;
            push(
                &mut out,
                format_args!(
                    "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\nmembership: \n{}",
                    cfg.init_limit,
                    cfg.sync_limit,
                    own.election_port,
                    own.quorum_port,
                    u8::from(observes),
                    cfg.core().ensemble.text(),
                ),
            );
        }
        out
    }

    fn sizes(&self) -> (u64, u64) {
        let data = self.cfg.data_dir.join("version-2");
        let log = self.cfg.data_log_dir.join("version-2");
        (folder_size(&data), folder_size(&log))
    }

    fn mntr(&self, serving: &Serving, status: &Status) -> String {
        let mut out = String::new();
        let mut line = |key: &str, value: &dyn std::fmt::Display| push(&mut out, format_args!("zk_{key}\t{value}\n"));
        line("version", &VERSION);
        line("server_state", &self.mode(serving));
        if !self.cfg.standalone {
            let doing = match serving.role {
                ServerState::Looking => "looking",
                ServerState::Following => "following - broadcast",
                ServerState::Leading => "leading - broadcast",
                ServerState::Observing => "observing - broadcast",
            };
            line("peer_state", &doing);
        }
        let (min, average, max) = self.metrics.latency();
        line("avg_latency", &average);
        line("min_latency", &min);
        line("max_latency", &max);
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
        line("packets_received", &count(&self.metrics.packets_received));
        line("packets_sent", &count(&self.metrics.packets_sent));
        line("num_alive_connections", &self.links.len());
        line("outstanding_requests", &self.metrics.outstanding.load(Relaxed).max(0));
        line("connection_rejected", &count(&self.metrics.connections_rejected));
        line("connection_drop_count", &count(&self.metrics.connections_dropped));
        self.side.read(|s| {
            let ephemerals: usize = s.tree.ephemerals().values().map(std::collections::BTreeSet::len).sum();
            line("znode_count", &(s.tree.len() + 1));
            line("watch_count", &s.watches.len());
            line("ephemerals_count", &ephemerals);
            line("approximate_data_size", &s.tree.approximate_size());
            line("global_sessions", &s.tree.sessions().len());
        });
        line("local_sessions", &0);
        line("uptime", &self.metrics.uptime().as_millis());
        line("looking_count", &count(&self.metrics.looking));
        line("proposal_count", &count(&self.metrics.proposals));
        line("commit_count", &count(&self.metrics.commits));
        line("snap_count", &count(&self.metrics.snapshots));
        if let Ok((limit, _)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
            line("max_file_descriptor_count", &limit);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            line("open_file_descriptor_count", &open.count());
        }
        if self.cfg.standalone {
            return out;
        }
        let voters: Vec<_> = self.cfg.servers.iter().filter(|(_, s)| s.kind == MemberKind::Participant).collect();
        line("quorum_size", &voters.len());
        if serving.role == ServerState::Leading {
            let is_voter = |id| voters.iter().any(|(voter, _)| **voter == id);
            let followers = status.learners.iter().filter(|id| **id != self.cfg.id && is_voter(**id)).count();
            let observers = status.learners.iter().filter(|id| !is_voter(**id)).count();
            line("learners", &(followers + observers));
            line("synced_followers", &followers);
            line("synced_observers", &observers);
            line("synced_non_voting_followers", &0);
            let [last, min, max] = self.metrics.proposal_sizes();
            line("last_proposal_size", &last);
            line("min_proposal_size", &min);
            line("max_proposal_size", &max);
        }
        out
    }
}

/// Appends; a `String` takes everything.
fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args);
}

fn version_line() -> String {
    format!("Zookeeper version: {VERSION}\n")
}

/// What clients look up a version in. There is no Java here to tell of.
fn environment() -> String {
    let proc = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let mut out = String::from("Environment:\n");
    for (key, value) in [
        ("zookeeper.version", VERSION.into()),
        ("host.name", proc("hostname")),
        ("os.name", std::env::consts::OS.into()),
        ("os.arch", std::env::consts::ARCH.into()),
        ("os.version", proc("osrelease")),
        ("user.name", var("USER")),
        ("user.home", var("HOME")),
        ("user.dir", std::env::current_dir().map_or(String::new(), |dir| dir.display().to_string())),
    ] {
        push(&mut out, format_args!("{key}={}\n", value.trim()));
    }
    out
}

/// Brief form: ` /ip:port[ops](queued=n,recved=n,sent=n)`; the asking connection waits for nothing, hence 0.
fn client_line(out: &mut String, link: &LinkBox, asking: LinkId) {
    let asks = link.id == asking;
    push(
        out,
        format_args!(
            " /{}[{}](queued={},recved={},sent={})\n",
            link.remote,
            u8::from(!asks),
            link.pending.load(Relaxed),
            link.received.load(Relaxed) + u64::from(asks),
            link.sent.load(Relaxed),
        ),
    );
}

fn folder_size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries.flatten().filter_map(|e| e.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}
