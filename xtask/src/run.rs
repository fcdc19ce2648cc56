//! Runs one tool with one line of progress; its output is shown only when it fails.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often the clock on a terminal's progress line moves.
const TICK: Duration = Duration::from_millis(500);

/// One line of progress on standard error: a name at once, then what is going on, then how it ended.
pub struct Line {
    name: String,
    started: Instant,
    terminal: bool,
}

impl Line {
    pub fn start(name: &str) -> Self {
        let line = Self { name: name.to_owned(), started: Instant::now(), terminal: std::io::stderr().is_terminal() };
        if line.terminal {
            line.show("");
        } else {
            eprint!("{name:<14} ");
        }
        line
    }

    /// What is being done now; only a terminal shows it.
    pub fn show(&self, what: &str) {
        if self.terminal {
            let what: String = what.chars().take(50).collect();
            eprint!("\r\x1b[2K{:<14} {:>4} s  {what}", self.name, self.started.elapsed().as_secs());
            let _ = std::io::stderr().flush();
        }
    }

    /// Ends the line.
    pub fn end(self, result: &str) {
        let start = if self.terminal { format!("\r\x1b[2K{:<14} ", self.name) } else { String::new() };
        eprintln!("{start}{:>6.1} s  {result}", self.started.elapsed().as_secs_f64());
    }
}

/// What a tool printed, and how it ended.
pub struct Finished {
    pub status: ExitStatus,
    /// Both streams, in the order in which they came.
    pub output: String,
}

/// Runs a command to its end and keeps its output; the line shows what it is at.
///
/// # Errors
/// The command cannot be started (the message says what to install), or runs longer than `limit`.
pub fn capture(command: &mut Command, line: &Line, limit: Duration) -> Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{name}`: is it installed?"))?;
    let (sender, lines) = mpsc::channel();
    for stream in streams(&mut child) {
        let sender = sender.clone();
        std::thread::spawn(move || forward(stream, &sender));
    }
    drop(sender);

    let deadline = Instant::now() + limit;
    let mut output = String::new();
    let mut doing = String::new();
    loop {
        match lines.recv_timeout(TICK) {
            Ok(text) => {
                if let Some(what) = progress(&text) {
                    doing = what.to_owned();
                    line.show(&doing);
                }
                output.push_str(&text);
                output.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Timeout) => line.show(&doing),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() > deadline {
            child.kill().with_context(|| format!("cannot stop `{name}`"))?;
            child.wait().with_context(|| format!("cannot wait for `{name}`"))?;
            bail!("`{name}` took longer than {} s and was stopped:\n{output}", limit.as_secs());
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{name}`"))?;
    Ok(Finished { status, output })
}

/// Runs a command that must succeed.
///
/// # Errors
/// As [`capture`], or the command fails: then the message is what it printed, ending in what to do where that is known.
pub fn must(command: &mut Command, line: &Line, limit: Duration) -> Result<String> {
    let finished = capture(command, line, limit)?;
    if finished.status.success() {
        return Ok(finished.output);
    }
    let advice = advice(&finished.output).map(|advice| format!("\n{advice}")).unwrap_or_default();
    bail!("{}\n`{}` failed{advice}", finished.output.trim_end(), describe(command))
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What to do about a failure that is not the project's fault.
fn advice(output: &str) -> Option<&'static str> {
    let known = [
        ("No space left on device", "The disk is full: free some space (`cargo clean` empties target/) and try again."),
        ("ENOSPC", "The disk is full: free some space (`cargo clean` empties target/) and try again."),
        (
            "linker `cc` not found",
            "A C compiler is missing: run `apt-get install gcc` (as root), or your system's way.",
        ),
        ("failed to download", "A crate could not be fetched: is the network there?"),
        ("Could not resolve host", "Something could not be fetched: is the network there?"),
    ];
    known.into_iter().find_map(|(sign, advice)| output.contains(sign).then_some(advice))
}

fn streams(child: &mut Child) -> Vec<Box<dyn Read + Send>> {
    let stdout = child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    let stderr = child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    stdout.into_iter().chain(stderr).collect()
}

fn forward(stream: Box<dyn Read + Send>, lines: &mpsc::Sender<String>) {
    for line in BufReader::new(stream).split(b'\n') {
        let Ok(line) = line else { return };
        let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if lines.send(text).is_err() {
            return;
        }
    }
}

/// What a line of cargo's says about its progress.
fn progress(line: &str) -> Option<&str> {
    let line = line.split(" (/").next().unwrap_or(line).trim();
    let verbs =
        ["Compiling ", "Checking ", "Downloading ", "Downloaded ", "Updating ", "Running ", "test ", "PASS ", "kazoo/"];
    verbs.iter().any(|verb| line.starts_with(verb)).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_of_both_streams_is_kept_and_shown_on_failure() {
        let line = Line::start("test");
        let finished = capture(&mut shell("echo out; echo err >&2; exit 3"), &line, SOON).unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert!(finished.output.contains("out\n") && finished.output.contains("err\n"), "{}", finished.output);
        let error = must(&mut shell("echo No space left on device; exit 1"), &line, SOON).unwrap_err().to_string();
        assert!(error.contains("disk is full"), "{error}");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = capture(&mut Command::new("no-such-tool-here"), &Line::start("test"), SOON).err().unwrap();
        assert!(format!("{error:#}").contains("no-such-tool-here"));
    }

    #[test]
    fn what_runs_too_long_is_stopped() {
        let error = capture(&mut shell("exec sleep 60"), &Line::start("test"), Duration::ZERO).err().unwrap();
        assert!(error.to_string().contains("took longer"));
    }
}
