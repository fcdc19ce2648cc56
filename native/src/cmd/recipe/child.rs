//! The command that runs while something is held.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// A running command.
pub struct Child {
    name: String,
    process: tokio::process::Child,
}

fn code(status: ExitStatus) -> u8 {
    // As shells do: 128 and the signal's number.
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

impl Child {
    /// Starts it, with `input` on its standard input; without input it has ours.
    pub fn start(command: &[String], environment: &[(&str, String)], input: &[u8]) -> Result<Child, String> {
        let [name, arguments @ ..] = command else { return Err("there is no command".into()) };
        let mut process = Command::new(name)
            .args(arguments)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(if input.is_empty() { Stdio::inherit() } else { Stdio::piped() })
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{name} can't be started: {error}"))?;
        if let Some(mut pipe) = process.stdin.take() {
            let input = input.to_vec();
            // A command that does not read its input to the end does not want it.
            tokio::spawn(async move { pipe.write_all(&input).await });
        }
        Ok(Child { name: name.clone(), process })
    }

    /// Tells it to end, and kills it if it does not within `patience`.
    pub async fn stop(mut self, patience: Duration) -> Result<(), String> {
        if let Some(pid) = self.process.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended this moment.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if tokio::time::timeout(patience, self.process.wait()).await.is_err() {
            self.process.kill().await.map_err(|error| format!("{} can't be killed: {error}", self.name))?;
        }
        Ok(())
    }
}

/// Waits for the command's end, for ever if there is none; its exit code. May be dropped at any point.
pub async fn ended(child: &mut Option<Child>) -> Result<u8, String> {
    match child {
        Some(running) => {
            let status = running.process.wait().await;
            let status = status.map_err(|error| format!("{} can't be waited for: {error}", running.name))?;
            *child = None;
            Ok(code(status))
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Child {
        let command = ["sh", "-c", script].map(String::from);
        Child::start(&command, &[("ZEBU_TOKEN", "7".into())], b"in").unwrap()
    }

    #[tokio::test]
    async fn exit_codes_environment_and_input() {
        for (script, wanted) in
            [("exit 0", 0), ("exit 3", 3), ("exit $ZEBU_TOKEN", 7), ("kill -9 $$", 137), ("test \"$(cat)\" = in", 0)]
        {
            assert_eq!(ended(&mut Some(sh(script))).await, Ok(wanted), "{script}");
        }
        assert!(Child::start(&["/no/such/command".into()], &[], b"").is_err());
    }

    #[tokio::test]
    async fn who_does_not_end_is_killed() {
        let patient = Duration::from_secs(60);
        sh("trap 'exit 0' TERM; while :; do sleep 0.05; done").stop(patient).await.unwrap();
        sh("trap '' TERM; while :; do sleep 0.05; done").stop(Duration::from_millis(200)).await.unwrap();
    }
}
