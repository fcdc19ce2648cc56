//! `zebu bench kill`: how long nobody can write when the leader is killed (P10).

use super::error::BenchError;
use super::progress::Progress;
use super::report::{Better, Round};
use super::target::{PATIENCE, Session, Target, connect_request, leader};
use super::template;
use super::workload::Workload;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use zebu_core::wire::client::{ConnectResponse, Request};

/// A client that is refused tries the next server after this.
const RETRY: Duration = Duration::from_millis(5);

/// A client whose server is silent for so long goes to the next.
const SILENCE: Duration = Duration::from_secs(2);

/// The death of a leader.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Run this with `sh -c` to kill the leader, which ZEBU_BENCH_LEADER names (host:port); without it, the leader's
    /// process, by --pids in the order of the servers, gets a kill -9.
    #[arg(long, value_name = "COMMAND")]
    pub kill: Option<String>,
    /// Run this with `sh -c` after each turn to start the dead server again, which ZEBU_BENCH_LEADER names. Needed for
    /// more than one round; with it, --pids can't be given, since a new process has a new number.
    #[arg(long, value_name = "COMMAND", conflicts_with = "pids")]
    pub restart: Option<String>,
    /// Write for so long before the kill, and again after writes go on.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub around: u64,
}

impl Options {
    fn kill(&self, target: &Target, leader: usize) -> Result<(), BenchError> {
        match (&self.kill, target.processes.pids.get(leader)) {
            (Some(command), _) => shell(command, target.host(leader)),
            (None, Some(pid)) => kill(Pid::from_raw(*pid), Signal::SIGKILL)
                .map_err(|error| BenchError::Process { pid: *pid, why: error.to_string() }),
            (None, None) => {
                let why = "give --kill, or --pids with a process for each server, to say how the leader is killed";
                Err(BenchError::Options(why.into()))
            }
        }
    }
}

fn shell(command: &str, leader: SocketAddr) -> Result<(), BenchError> {
    let failed = |why: String| BenchError::Command { command: command.into(), why };
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", command]).env("ZEBU_BENCH_LEADER", leader.to_string()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Writes one after the other, through whichever of `hosts` takes it, until told to stop. When each was acknowledged.
fn write(
    hosts: &[SocketAddr],
    first: usize,
    timeout_ms: i32,
    path: &str,
    acknowledged: &Mutex<Vec<Instant>>,
    stop: &AtomicBool,
) {
    let mut granted: Option<ConnectResponse> = None;
    let mut turn = first;
    while !stop.load(Relaxed) {
        let host = hosts[turn % hosts.len()];
        turn += 1;
        let session = Session::open(host, &connect_request(timeout_ms, granted.as_ref()));
        let Ok(mut session) = session.and_then(|session| session.set_patience(SILENCE).map(|()| session)) else {
            // The session may be over; the next one is new then.
            if turn % hosts.len() == first % hosts.len() {
                granted = None;
            }
            sleep(RETRY);
            continue;
        };
        granted = Some(session.granted.clone());
        let mut number: u64 = 0;
        while !stop.load(Relaxed) {
            number += 1;
            let data = Some(number.to_string().into());
            match session.ask(&Request::SetData { path: path.into(), data, version: -1 }) {
                Ok(0) => {
                    if let Ok(mut acknowledged) = acknowledged.lock() {
                        acknowledged.push(Instant::now());
                    }
                }
                _ => break,
            }
        }
    }
}

impl Workload for Options {
    fn describe(&self) -> String {
        "the leader is killed while clients of the others write one thing after the other".into()
    }

    fn prepare(&self, target: &Target, root: &str, _: &Progress) -> Result<(), BenchError> {
        if target.hosts.len() < 3 {
            return Err(BenchError::NoLeader(format!(
                "{} has {} servers: without one of them no majority is left",
                target.name,
                target.hosts.len()
            )));
        }
        let mut session = target.session()?;
        for n in 0..target.hosts.len() {
            session.ensure(&template::numbered(&format!("{root}/w"), n as u64))?;
        }
        session.close()
    }

    fn round(&self, target: &Target, root: &str, progress: &Progress) -> Result<Round, BenchError> {
        let leads = leader(target)?;
        let survivors: Vec<_> =
            target.hosts.iter().enumerate().filter(|(n, _)| *n != leads).map(|(_, host)| *host).collect();
        let (acknowledged, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let around = Duration::from_secs(self.around);
        let killed = scope(|threads| {
            for n in 0..survivors.len() {
                let path = template::numbered(&format!("{root}/w"), n as u64);
                let (survivors, acknowledged, stop) = (&survivors, &acknowledged, &stop);
                threads.spawn(move || write(survivors, n, target.session_timeout_ms, &path, acknowledged, stop));
            }
            let last = || acknowledged.lock().ok().and_then(|times| times.last().copied());
            let begun = Instant::now();
            let result = (|| {
                while last().is_none_or(|last| last < begun + around) {
                    patient(begun, "the first writes")?;
                    sleep(Duration::from_millis(10));
                }
                let killed = Instant::now();
                self.kill(target, leads)?;
                while last().is_none_or(|last| last < killed + around) {
                    patient(killed, "writes after the leader's death")?;
                    sleep(Duration::from_millis(10));
                    progress.tick(Instant::now(), 0, begun);
                }
                // What was acknowledged between the order and the death says nothing.
                Ok(killed)
            })();
            stop.store(true, Relaxed);
            result
        })?;
        let mut times = acknowledged.into_inner().unwrap_or_default();
        times.sort_unstable();
        let gaps = times.windows(2).filter_map(|pair| match pair {
            [one, next] if *next > killed => Some(next.duration_since(*one)),
            _ => None,
        });
        let longest = gaps.max().unwrap_or_default();
        let mut round = Round { operations: times.len() as u64, ..Round::default() };
        round.add("longest gap in writes", "ms", longest.as_secs_f64() * 1000.0, Better::Less);
        let before = times.iter().filter(|at| **at < killed).count();
        let rate = before as f64 / self.around.max(1) as f64;
        round.add("writes before", "1/s", rate, Better::More);
        if let Some(command) = &self.restart {
            shell(command, target.host(leads))?;
            leader(target)?;
        }
        Ok(round)
    }

    fn clean(&self, target: &Target, root: &str, _: &Progress) -> Result<(), BenchError> {
        let mut session = target.session()?;
        for n in 0..target.hosts.len() {
            let path = template::numbered(&format!("{root}/w"), n as u64);
            session.must("delete a znode", &Request::Delete { path, version: -1 }, &[])?;
        }
        session.close()
    }
}

fn patient(since: Instant, what: &str) -> Result<(), BenchError> {
    if since.elapsed() > 2 * PATIENCE {
        return Err(BenchError::Silence { what: what.into(), seconds: 2 * PATIENCE.as_secs() });
    }
    Ok(())
}
