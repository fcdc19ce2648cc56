//! `zebu cli`: a shell for any ZooKeeper server, with zkCli's commands.

pub mod access;
mod complete;
mod exec;
mod failure;
mod quota;
mod session;
mod shell;
pub mod show;
mod table;
mod words;

use crate::client::Options;
use failure::Failure;
use shell::{Shell, Turn};
use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;
use zebu_core::client::{ConnectString, Credential};

/// A shell for a ZooKeeper server, or one command.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub struct Args {
    /// The servers, and the znode to take for the root.
    #[arg(short, long, value_name = "HOST:PORT,…/CHROOT", default_value = "localhost:2181")]
    server: ConnectString,
    /// The session timeout, in milliseconds; also how long a command waits for a server.
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// Make do with a server that has lost its quorum.
    #[arg(short, long)]
    read_only: bool,
    /// Authenticate first, like digest:user:password. May be given more than once.
    #[arg(long, value_name = "SCHEME:AUTH", value_parser = credential)]
    auth: Vec<Credential>,
    #[command(flatten)]
    access: access::Access,
    /// Print every result, event and error as one JSON object a line.
    #[arg(long)]
    json: bool,
    /// One command and its arguments; without it commands are read from the terminal or from standard input.
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn after_help() -> String {
    format!(
        "Results go to standard output, errors to standard error. The exit code is 0, or 1 if the last command failed.\n\
         A script on standard input goes on after a command that failed.\n\nCommands:\n{}",
        table::overview()
    )
}

/// Reads `scheme:auth`.
pub fn credential(text: &str) -> Result<Credential, String> {
    let (scheme, auth) = match text.split_once(':') {
        Some((scheme, auth)) => (scheme, Some(bytes::Bytes::copy_from_slice(auth.as_bytes()))),
        None => (text, None),
    };
    if scheme.is_empty() {
        return Err("write scheme:auth, like digest:user:password".into());
    }
    Ok(Credential { scheme: scheme.into(), auth })
}

/// Runs the shell, the script or the command.
pub fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let access = args.access.tls().and_then(|tls| Ok((tls, args.access.sasl()?)));
    let (tls, sasl) = match access {
        Ok(access) => access,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let options = Options {
        to: args.server,
        timeout: Duration::from_millis(args.timeout.into()),
        read_only: args.read_only,
        credentials: args.auth,
        sasl,
        tls,
    };
    let _guard = runtime.enter();
    let mut shell = Shell::new(options, args.json);
    let good = if !args.command.is_empty() {
        let turn = runtime.block_on(shell.words(&words::of_arguments(&args.command)));
        matches!(turn, Turn::Done | Turn::Quit)
    } else if std::io::stdin().is_terminal() {
        shell.interactive(&runtime)
    } else {
        script(&mut shell, &runtime)
    };
    runtime.block_on(shell.close());
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Commands from standard input, a line each; empty lines and those that begin with `#` are passed over. Whether the
/// last one went well.
fn script(shell: &mut Shell, runtime: &tokio::runtime::Runtime) -> bool {
    let mut good = true;
    for line in std::io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                shell.fail("", &Failure::Rule(format!("cannot read the script: {error}")));
                return false;
            }
        };
        if line.trim_start().starts_with('#') {
            continue;
        }
        match runtime.block_on(shell.line(&line)) {
            Turn::Done => good = true,
            Turn::Failed => good = false,
            Turn::Nothing => {}
            Turn::Quit => break,
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        for (text, scheme, auth) in
            [("digest:me:secret", "digest", Some(&b"me:secret"[..])), ("ip", "ip", None), ("x:", "x", Some(&b""[..]))]
        {
            let read = credential(text).unwrap();
            assert_eq!((read.scheme.as_str(), read.auth.as_deref()), (scheme, auth), "{text}");
        }
        assert!(credential(":x").is_err() && credential("").is_err());
    }
}
