//! The servers of the demo as child processes: start, watch, stop.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::plan::{Plan, ServerPlan, explain_file};

/// A server that ended while the demo was running.
#[derive(Debug)]
pub struct Ended {
    /// One line for the person in front of the screen.
    pub line: String,
    /// How many servers still run.
    pub left: usize,
}

/// The running servers.
///
/// Each runs in a process group of its own: a Ctrl-C in the terminal reaches only the demo, which then ends them in
/// order.
#[derive(Debug)]
pub struct Children {
    running: Vec<Running>,
    ends: mpsc::Receiver<(u16, Option<ExitStatus>)>,
    waiters: JoinSet<()>,
}

#[derive(Debug)]
struct Running {
    id: u16,
    pid: Pid,
    log: PathBuf,
    config: PathBuf,
}

impl Children {
    /// Starts one `zebu serve` for each server, with its output in the server's own log file.
    ///
    /// # Errors
    /// A sentence where a log file cannot be opened or the program not started; servers already started are ended.
    pub fn spawn(plan: &Plan) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find this program's own file: {error}"))?;
        let (report, ends) = mpsc::channel(plan.servers.len());
        let mut children = Self { running: Vec::new(), ends, waiters: JoinSet::new() };
        for server in &plan.servers {
            let (running, child) = spawn_one(&program, server)?;
            let id = running.id;
            children.running.push(running);
            let report = report.clone();
            children.waiters.spawn(async move {
                let mut child = child;
                let status = child.wait().await.ok();
                // Nobody listens any more once the demo itself is ending.
                let _ = report.send((id, status)).await;
            });
        }
        Ok(children)
    }

    /// Waits for the next server that ends by itself.
    pub async fn next_end(&mut self) -> Ended {
        let (id, status) = match self.ends.recv().await {
            Some(end) => end,
            None => std::future::pending().await,
        };
        let ended = self.forget(id);
        let how = match status {
            Some(status) => describe(status),
            None => "ended".to_owned(),
        };
        let line = match ended {
            Some(server) => format!(
                "server {id} (pid {}) {how}{}; start it again with: zebu serve {}",
                server.pid,
                last_line(&server.log).map(|line| format!(", its log ends with: {line}")).unwrap_or_default(),
                server.config.display(),
            ),
            None => format!("server {id} {how}"),
        };
        Ended { line, left: self.running.len() }
    }

    /// Asks every server to end, waits, and kills those that have not ended in time; returns the killed ones.
    pub async fn stop(&mut self, grace: Duration) -> Vec<u16> {
        self.signal(Signal::SIGTERM);
        let all_ended = async {
            while !self.running.is_empty() {
                let Some((id, _)) = self.ends.recv().await else { return };
                self.running.retain(|server| server.id != id);
            }
        };
        if tokio::time::timeout(grace, all_ended).await.is_ok() {
            return Vec::new();
        }
        let late = self.running.iter().map(|server| server.id).collect();
        self.kill().await;
        late
    }

    /// Kills what still runs and waits until it is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.ends.close();
        while self.waiters.join_next().await.is_some() {}
        self.running.clear();
    }

    fn signal(&self, signal: Signal) {
        for server in &self.running {
            // A server that has just ended is no longer there to be told.
            let _ = kill(server.pid, signal);
        }
    }

    fn forget(&mut self, id: u16) -> Option<Running> {
        let index = self.running.iter().position(|server| server.id == id)?;
        Some(self.running.remove(index))
    }
}

fn spawn_one(program: &Path, server: &ServerPlan) -> Result<(Running, Child), String> {
    let path = server.log_file();
    let log = File::options().create(true).append(true).open(&path).map_err(|error| explain_file(&path, &error))?;
    let errors = log.try_clone().map_err(|error| explain_file(&path, &error))?;
    let child = Command::new(program)
        .arg("serve")
        .arg(server.config_file())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start server {}: {error}", server.id))?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let pid = pid.ok_or_else(|| format!("server {} ended as it started; see {}", server.id, path.display()))?;
    Ok((Running { id: server.id, pid, log: path, config: server.config_file() }, child))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(name) => format!("was ended by {name}"),
            Err(_) => format!("was ended by signal {signal}"),
        },
        (None, None) => "ended".to_owned(),
    }
}

/// The last line of a log file that is not empty, as far as its last few kilobytes show.
fn last_line(path: &Path) -> Option<String> {
    const TAIL: u64 = 4096;
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        // Wait statuses as the system gives them: the exit code in the second byte, a signal in the first.
        let cases = [
            (0, "ended"),
            (1 << 8, "ended with exit code 1"),
            (9, "was ended by SIGKILL"),
            (127 << 8, "ended with exit code 127"),
        ];
        for (raw, words) in cases {
            assert_eq!(describe(ExitStatus::from_raw(raw)), words);
        }
    }

    #[test]
    fn the_last_line_skips_empty_ones_and_long_beginnings() {
        let path = std::env::temp_dir().join(format!("zebu-last-line-{}.tmp", std::process::id()));
        let text = format!("{}\nthe reason\n\n", "x".repeat(10_000));
        std::fs::write(&path, text).unwrap();
        let line = last_line(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(line.as_deref(), Some("the reason"));
        assert_eq!(last_line(&path), None);
    }
}
