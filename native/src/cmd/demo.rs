//! `zebu demo`: three servers as child processes, and the lab over HTTP, until Ctrl-C.

mod children;
mod plan;
mod watch;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::lab_http;
use children::Children;
use plan::{FirstPorts, Plan, PortRange};

/// How long the servers may take to end after SIGTERM before they are killed.
const GRACE: Duration = Duration::from_secs(10);

/// Where the demo keeps its data and which ports it takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the servers' data and logs; the next start finds the data again.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// Address of the lab.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// One client port for each server; as many servers start (3 to 9).
    #[arg(long, value_name = "FIRST-LAST", default_value = "2181-2183")]
    client_ports: PortRange,
    /// The first of the ports on which followers reach the leader.
    #[arg(long, value_name = "PORT", default_value_t = 2888)]
    quorum_port: u16,
    /// The first of the ports for elections.
    #[arg(long, value_name = "PORT", default_value_t = 3888)]
    election_port: u16,
    /// The first of the ports for operators' commands over HTTP. A server whose port is taken runs without them.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    admin_port: u16,
}

/// Runs the demo. What goes wrong before the servers run is one line on standard error and a failing exit code.
pub fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the system gives no event loop: {error}")),
    };
    runtime.block_on(async {
        match start(args).await {
            Ok(demo) => demo.attend().await,
            Err(reason) => refuse(&reason),
        }
    })
}

fn refuse(reason: &str) -> ExitCode {
    complain(&format!("zebu demo: {reason}"));
    ExitCode::FAILURE
}

/// Prints a line. That nobody may be there to read it (the terminal was closed) must not keep the servers from being
/// ended, so a failed write is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// As [`say`], to standard error.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A demo whose servers are running.
struct Demo {
    plan: Plan,
    children: Children,
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// Checks everything that can be checked, then starts the lab and the servers.
async fn start(args: Args) -> Result<Demo, String> {
    let firsts = FirstPorts { quorum: args.quorum_port, election: args.election_port, admin: args.admin_port };
    let plan = Plan::new(&args.data, args.http, args.client_ports, firsts)?;
    plan.check_ports()?;
    plan.write()?;
    let listener =
        TcpListener::bind(plan.http).await.map_err(|error| plan::explain_port(plan.http, "--http", &error))?;
    let handler = |kind| signal(kind).map_err(|error| format!("the system refuses a signal handler: {error}"));
    let (interrupt, terminate) = (handler(SignalKind::interrupt())?, handler(SignalKind::terminate())?);
    let hangup = handler(SignalKind::hangup())?;

    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, lab_http::router()).await {
            complain(&format!("the lab is no longer served: {error}"));
        }
    });
    let children = Children::spawn(&plan)?;

    say(&format!("lab      http://{}/", plan.http));
    say(&format!("servers  {}", plan.connect_string()));
    say(&format!("admin    {}", plan.admin_pages()));
    say(&format!("data     {} (in each server's folder: zoo.cfg, zebu.log, version-2)", plan.data.display()));
    say("Ctrl-C stops everything and keeps the data.");
    Ok(Demo { plan, children, interrupt, terminate, hangup })
}

impl Demo {
    /// Reports what happens to the servers until a signal or until none is left.
    async fn attend(mut self) -> ExitCode {
        let mut leader = watch::LeaderWatch::new(&self.plan);
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return self.stop().await,
                _ = self.terminate.recv() => return self.stop().await,
                // The terminal was closed.
                _ = self.hangup.recv() => return self.stop().await,
                line = leader.next_change() => say(&line),
                ended = self.children.next_end() => {
                    say(&ended.line);
                    if ended.left == 0 {
                        return refuse("no server is left; the lines above say why");
                    }
                }
            }
        }
    }

    async fn stop(mut self) -> ExitCode {
        say("stopping the servers…");
        let killed = tokio::select! {
            killed = self.children.stop(GRACE) => killed,
            _ = self.interrupt.recv() => {
                self.children.kill().await;
                return refuse("killed on the second Ctrl-C; what was acknowledged is on disk");
            }
        };
        for server in &killed {
            complain(&format!("server {server} did not end within {} s and was killed", GRACE.as_secs()));
        }
        say(&format!("stopped; the data is in {}", self.plan.data.display()));
        if killed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
