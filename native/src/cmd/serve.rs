//! `zebu serve`: one server process.

use crate::admin;
use crate::clock::Clock;
use crate::config_file::{ConfigError, MembershipFiles, ServerLine, ZooCfg};
use crate::entropy;
use crate::four_letter::FourLetter;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::net::client::{ClientPort, Speaks};
use crate::net::client_listener::ClientListener;
use crate::net::election::Election;
use crate::net::limits::Limits;
use crate::net::links::Links;
use crate::net::listen::{ListenError, listen_soon};
use crate::net::quorum::Quorum;
use crate::operator::Operator;
use crate::prometheus_http;
use crate::read_side::SharedRead;
use crate::replica::{self, Outputs, Question};
use crate::store::dir::{DirError, Dirs};
use crate::store::doubt::recover_in_ensemble;
use crate::store::purge::purge;
use crate::store::recovery::{RecoveryError, Standing, recover};
use crate::store::snapshots::LastSnapshot;
use crate::store::thread::{Settings, Storage};
use crate::tls::{Tls, TlsError};
use crate::trace_mask::TraceMask;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;
use zebu_core::config::Membership;
use zebu_core::effect::{Effects, HaltReason};
use zebu_core::id::ServerId;
use zebu_core::input::Input;
use zebu_core::server::Server;

/// Arguments of `zebu serve`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration file, in the format of Apache's zoo.cfg.
    pub config: PathBuf,
}

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Dir(#[from] DirError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the system refuses what a server needs: {0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Halted(HaltReason),
}

impl ServeError {
    /// As Apache's server exits, where it has a code for it.
    fn exit_code(&self) -> u8 {
        match self {
            ServeError::Config(_) | ServeError::Tls(_) => 2,
            ServeError::Dir(_) | ServeError::Recovery(_) | ServeError::Halted(HaltReason::Storage(_)) => 3,
            ServeError::Listen(_) => 14,
            ServeError::System(_) | ServeError::Halted(_) => 1,
        }
    }
}

/// Runs the server until it is told to stop; `log` is the log filter of the command line.
pub fn run(args: Args, log: Option<&str>) -> ExitCode {
    if let Err(what) = start_log(log) {
        eprintln!("zebu: {what}");
        return ExitCode::from(2);
    }
    match serve(&args) {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(e) => {
            error!("{e}");
            ExitCode::from(e.exit_code())
        }
    }
}

/// This program's file, also after it was replaced by a newer one.
fn this_program() -> Option<PathBuf> {
    let linked = PathBuf::from("/proc/self/exe");
    if linked.exists() { Some(linked) } else { std::env::current_exe().ok() }
}

/// Begins the log on standard error; `filter` is that of the command line.
///
/// # Errors
/// The filter is none.
pub fn start_log(filter: Option<&str>) -> Result<(), String> {
    let from_env = std::env::var("RUST_LOG").ok().filter(|v| !v.is_empty());
    let wanted = filter.map(String::from).or(from_env).unwrap_or_else(|| "info".into());
    let filter = EnvFilter::try_new(&wanted).map_err(|e| {
        format!("{wanted:?} is no log filter ({e}); try info, debug or zebu=debug (--log, or the variable RUST_LOG)")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}

fn serve(args: &Args) -> Result<(), ServeError> {
    let cfg = Arc::new(ZooCfg::load(&args.config)?);
    let what = if cfg.standalone { "alone".into() } else { format!("one of {} servers", cfg.servers.len()) };
    info!("zebu {}: server {}, {what}, configured by {}", env!("CARGO_PKG_VERSION"), cfg.id, args.config.display());
    for remark in &cfg.remarks {
        warn!("{}: {remark}", args.config.display());
    }
    let dirs = Dirs::open(&cfg.data_dir, &cfg.data_log_dir, cfg.id)?;
    let metrics = Arc::new(Metrics::new());
    let recovered = if cfg.standalone {
        recover(&dirs, &metrics, Standing::Alone)?
    } else {
        let initialize = [cfg.data_log_dir.join("initialize"), cfg.data_dir.join("initialize")];
        recover_in_ensemble(&dirs, &metrics, &initialize, cfg.autocreate)?
    };
    let last_snapshot = Arc::new(LastSnapshot::found(&dirs.snapshots, recovered.snapshot));
    let trace = Arc::new(TraceMask::default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)))
        .enable_all()
        .build()?;

    let clock = Clock::new();
    let post = Arc::new(Mailbox::<Question>::new());
    let links = Arc::new(Links::default());
    let side = SharedRead::new(links.clone(), metrics.clone());
    let serving = Arc::new(Mutex::new(None));

    let tls = cfg.secure.as_ref().map(Tls::new).transpose()?;
    let (quorum, election, client_listener, secure_listener, metrics_listener) = runtime.block_on(async {
        let (quorum, election) = match cfg.own_line().filter(|_| !cfg.standalone) {
            Some(own) => {
                let quorum = Quorum::start(&cfg, own, post.clone()).await?;
                let mailbox = post.clone();
                let deliver = Arc::new(move |input| match input {
                    Input::Notification { from, note } => mailbox.push_notification(from, note),
                    input => mailbox.push(input),
                });
                (Some(quorum), Some(Election::start(&cfg, own, deliver).await?))
            }
            None => (None, None),
        };
        let host = cfg.client_host.as_deref();
        let key = "clientPort or clientPortAddress";
        let client = match cfg.client_port {
            Some(port) => Some(listen_soon(host, port, cfg.client_backlog, "client port", key).await?),
            None => None,
        };
        let secure = match cfg.secure.as_ref().and_then(|secure| Some((secure, secure.port?))) {
            Some((secure, port)) => {
                let (host, key) = (secure.host.as_deref(), "secureClientPort or secureClientPortAddress");
                Some(listen_soon(host, port, cfg.client_backlog, "secure client port", key).await?)
            }
            None => None,
        };
        let metrics = match &cfg.prometheus {
            Some(prometheus) => Some(prometheus_http::listen(prometheus).await?),
            None => None,
        };
        Ok::<_, ListenError>((quorum, election, client, secure, metrics))
    })?;
    if let Some(listener) = &client_listener {
        info!("client port {}", listener.local_addr()?);
    }
    if let Some(listener) = &secure_listener {
        info!("secure client port {}", listener.local_addr()?);
    }

    let settings = Settings {
        snapshot_dir: dirs.snapshots.clone(),
        log_dir: dirs.logs.clone(),
        compression: cfg.compression,
        program: this_program(),
        pre_alloc: cfg.pre_alloc,
        log_limit: cfg.log_limit,
        force_sync: cfg.force_sync,
        fsync_warning: cfg.fsync_warning,
        metrics: metrics.clone(),
        membership: cfg.reconfig.is_enabled().then(|| MembershipFiles::new(&cfg.file, cfg.id)),
    };
    let mailbox = post.clone();
    let storage = Storage::start(settings, Arc::new(move |input| mailbox.push(input)))?;
    let members = Arc::new(Mutex::new(Membership { committed: cfg.ensemble.clone(), proposed: cfg.proposed.clone() }));
    let limits = Arc::new(Limits::new(cfg.limits.clone(), cfg.service.local_sessions));
    let operator = Arc::new(Operator {
        cfg: cfg.clone(),
        side: side.clone(),
        links: links.clone(),
        limits: limits.clone(),
        post: post.clone(),
        serving: serving.clone(),
        metrics: metrics.clone(),
        trace: trace.clone(),
        last_snapshot: last_snapshot.clone(),
        members: members.clone(),
        clock,
    });
    let port = Arc::new(ClientPort {
        side: side.clone(),
        post: post.clone(),
        links: links.clone(),
        metrics: metrics.clone(),
        words: FourLetter { operator: operator.clone() },
        max_buffer: cfg.max_buffer,
        max_per_ip: cfg.max_client_cnxns,
        sessionless_timeout: cfg.sessionless_timeout,
        access: cfg.access.clone(),
        limits,
        by_ip: Mutex::new(HashMap::new()),
    });
    let speaks = match tls.clone().filter(|_| cfg.secure.as_ref().is_some_and(|secure| secure.unified)) {
        Some(tls) => Speaks::Both(tls),
        None => Speaks::Plain,
    };
    let at = (cfg.client_host.clone(), cfg.client_port);
    let handle = runtime.handle().clone();
    let listener = ClientListener::start(port.clone(), speaks, cfg.client_backlog, handle, client_listener, at);
    let me = cfg.id;
    let on_members = move |servers: &BTreeMap<ServerId, ServerLine>| {
        if let Some(own) = servers.get(&me) {
            listener.moved(own);
        }
    };
    let outputs = Outputs {
        id: cfg.id,
        storage,
        quorum,
        election,
        links: links.clone(),
        serving: serving.clone(),
        metrics: metrics.clone(),
        trace: trace.clone(),
        last_snapshot: last_snapshot.clone(),
        members: members.clone(),
        on_members: Box::new(on_members),
    };

    let (ended, end) = oneshot::channel();
    let (core, owner_side, owner_post) = (cfg.core(), side.clone(), post.clone());
    let owner = std::thread::Builder::new().name("zebu-owner".into()).spawn(move || {
        let mut fx = Effects::new();
        let server = Server::start(core, entropy::seed(), recovered, owner_side, clock.now(), &mut fx);
        // If nobody listens the process is ending anyway.
        let _ = ended.send(replica::run(server, fx, &owner_post, &clock, outputs));
    })?;

    if let (Some(listener), Some(tls)) = (secure_listener, tls) {
        runtime.spawn(port.clone().run(listener, Speaks::Tls(tls)));
    }
    if let Some(listener) = metrics_listener {
        info!("metrics http://{}/metrics", listener.local_addr()?);
        runtime.spawn(prometheus_http::serve(listener, operator.clone()));
    }
    if let Some(admin) = cfg.admin.clone() {
        runtime.spawn(admin::run(admin, operator));
    }
    runtime.spawn(report_touched(links, post.clone(), Duration::from_millis(cfg.tick_ms.unsigned_abs() / 2)));
    if let Some(interval) = cfg.purge_interval {
        runtime.spawn(purge_regularly(dirs.snapshots.clone(), dirs.logs.clone(), cfg.snap_retain, interval));
    }

    let halted = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut end = end;
        let name = tokio::select! {
            ended = &mut end => return Ok::<_, std::io::Error>(ended),
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!("{name}: finishes what is under way and stops");
        post.ask(Question::Stop);
        let ended = end.await;
        // Connections get a moment to send what they were told.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(ended)
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    // An owner that panicked is known by the channel it dropped.
    let _ = owner.join();
    drop(dirs);
    match halted {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(ServeError::Halted(reason)),
        Err(_) => Err(ServeError::Halted(HaltReason::Invariant("the owner thread panicked, see above".into()))),
    }
}

/// Tells the owner twice a tick which sessions were heard from.
async fn report_touched(links: Arc<Links>, post: Arc<replica::Post>, every: Duration) {
    let mut interval = tokio::time::interval(every.max(Duration::from_millis(1)));
    loop {
        interval.tick().await;
        let sessions = links.take_touched();
        if !sessions.is_empty() {
            post.push(Input::Touched { sessions });
        }
    }
}

async fn purge_regularly(snapshots: PathBuf, logs: PathBuf, retain: usize, every: Duration) {
    let mut interval = tokio::time::interval(every);
    loop {
        interval.tick().await;
        let (snapshots, logs) = (snapshots.clone(), logs.clone());
        let result = tokio::task::spawn_blocking(move || purge(&snapshots, &logs, retain)).await;
        if let Ok(Err(e)) = result {
            warn!("purging old files: {e}");
        }
    }
}
