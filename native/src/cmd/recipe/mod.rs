//! `zebu recipe`: locks, elections, queues and barriers for scripts. The recipes are those of the core, which the lab
//! shows; here they run against real servers.

mod child;
mod drive;

use crate::client::Options;
use crate::cmd::cli::access::Access;
use child::Child;
use drive::Drive;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zebu_core::client::{ConnectString, Credential, Standing};
use zebu_core::recipe::{Event, Kind, Order, Spec, SpecError};

/// Hold a lock, an office or a place while a command runs; wait at a barrier; work on a queue.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// lock, queue-lock, shared-lock (--read or --write), election, member (or membership), members, config, naming,
    /// queue (producer or consumer), barrier, double-barrier, collector, assigner.
    #[arg(value_name = "RECIPE")]
    kind: String,
    /// The recipe's znode, and what else it takes: a member's name, elements, sources, how many enter together.
    #[arg(value_name = "PATH", required = true, num_args = 1..)]
    words: Vec<String>,
    /// The servers, and the znode to take for the root.
    #[arg(short, long, value_name = "HOST:PORT,…/CHROOT", default_value = "localhost:2181")]
    server: ConnectString,
    /// The session timeout, in milliseconds; also how long to look for a first server.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// With shared-lock: as a reader, together with others.
    #[arg(long, conflicts_with = "write")]
    read: bool,
    /// With shared-lock: as a writer, alone. This is the default.
    #[arg(long)]
    write: bool,
    /// What others can read of this client.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Authenticate first, like digest:user:password. May be given more than once.
    #[arg(long, value_name = "SCHEME:AUTH", value_parser = crate::cmd::cli::credential)]
    auth: Vec<Credential>,
    #[command(flatten)]
    access: Access,
    /// The command and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const AFTER_HELP: &str = "\
With a command, the exit code is the command's. It runs
  while the lock, the office or the membership is held   (lock, queue-lock, shared-lock, election, member);
  when the barrier is open                               (barrier, double-barrier);
  for every element, with its data on standard input     (queue, consumer), which is removed if the command ends with 0;
  for every new value, with the value on standard input  (config).
In its environment: ZEBU_TOKEN, the fencing token, a number that rises with every holder; ZEBU_NODE or ZEBU_ITEM.
If what is held is lost, the command is told to end by SIGTERM, and killed 5 seconds later; a lock then ends with exit
code 75, a candidate stands again. Ctrl-C ends the command, gives back what is held, and ends.
Without a command, what happens is written to standard output until Ctrl-C.";

/// The exit code when a lock was lost: try again later.
const LOST: u8 = 75;

/// How long giving back may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn spec(args: &Args) -> Result<Spec, SpecError> {
    let (path, words) = args.words.split_first().map_or(("", &[][..]), |(path, words)| (path.as_str(), words));
    let kind = match args.kind.as_str() {
        "shared-lock" if args.read => Kind::ReadLock,
        "shared-lock" => Kind::WriteLock,
        "membership" => Kind::Member,
        "queue" if words.is_empty() => Kind::Consumer,
        "queue" => Kind::Producer,
        other => other.parse()?,
    };
    Spec::new(kind, path, words.to_vec(), None)
}

/// Runs the recipe.
pub fn run(args: Args) -> ExitCode {
    let code = match prepare(&args) {
        Ok((spec, options)) => {
            match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
                Ok(runtime) => runtime.block_on(work(&args, spec, options)),
                Err(error) => Err(format!("cannot start: {error}")),
            }
        }
        Err(error) => Err(error),
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(args: &Args) -> Result<(Spec, Options), String> {
    let spec = spec(args).map_err(|error| error.to_string())?;
    let options = Options {
        to: args.server.clone(),
        timeout: Duration::from_millis(args.timeout.into()),
        read_only: false,
        credentials: args.auth.clone(),
        sasl: args.access.sasl().map_err(|error| error.to_string())?,
        tls: args.access.tls().map_err(|error| error.to_string())?,
    };
    Ok((spec, options))
}

/// What the machine is called; `zebu` where that is not to be found.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    if name.is_empty() { "zebu".into() } else { name }
}

async fn work(args: &Args, spec: Spec, options: Options) -> Result<u8, String> {
    let me = args.name.clone().unwrap_or_else(|| format!("{}-{}", host(), std::process::id()));
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen to signals: {error}"));
    let mut work = Work {
        kind: spec.kind,
        drive: Drive::start(spec, &me, options),
        command: args.command.clone(),
        child: None,
        interrupt: listen(SignalKind::interrupt())?,
        terminate: listen(SignalKind::terminate())?,
        code: None,
    };
    let first = Duration::from_millis(args.timeout.into());
    let code = work.run(first).await;
    work.drive.close(PATIENCE).await;
    code
}

struct Work {
    kind: Kind,
    drive: Drive,
    command: Vec<String>,
    child: Option<Child>,
    interrupt: Signal,
    terminate: Signal,
    /// How it will end, once that is decided.
    code: Option<u8>,
}

enum Turn {
    Told(Option<Event>),
    Ended(u8),
    Signal(u8),
    NoServer,
}

impl Work {
    async fn run(&mut self, first: Duration) -> Result<u8, String> {
        let no_server = tokio::time::Instant::now() + first;
        loop {
            let turn = tokio::select! {
                biased;
                _ = self.interrupt.recv() => Turn::Signal(130),
                _ = self.terminate.recv() => Turn::Signal(143),
                event = self.drive.next(), if !self.drive.is_done() => Turn::Told(event),
                code = child::ended(&mut self.child) => Turn::Ended(code?),
                () = tokio::time::sleep_until(no_server), if !self.drive.was_connected() => Turn::NoServer,
            };
            match turn {
                Turn::Told(Some(event)) => self.told(event).await?,
                Turn::Told(None) => {}
                Turn::Ended(code) => self.ended(code),
                Turn::Signal(code) => {
                    self.stop_child().await?;
                    self.code = Some(code);
                    self.drive.order(&Order::Stop);
                }
                // It may have been reached while nothing was told.
                Turn::NoServer if self.drive.was_connected() => {}
                Turn::NoServer => {
                    return Err(format!("no server could be reached: {}", self.drive.troubles().join("; ")));
                }
            }
            if self.drive.standing() == Standing::AuthFailed {
                self.stop_child().await?;
                return Err("the servers refuse who we say we are".into());
            }
            if self.drive.is_done() && self.child.is_none() {
                return Ok(self.code.unwrap_or(0));
            }
            if let Some(code) = self.code
                && !self.drive.was_connected()
            {
                return Ok(code);
            }
            if self.code.is_some() && self.child.is_none() && !self.drive.is_over() {
                return self.give_back().await;
            }
        }
    }

    /// Waits until what is held is given back; the session's end does it otherwise.
    async fn give_back(&mut self) -> Result<u8, String> {
        self.drive.order(&Order::Stop);
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.drive.is_over()
            && let Ok(Some(event)) = tokio::time::timeout_at(end, self.drive.next()).await
        {
            self.print(&event);
        }
        Ok(self.code.unwrap_or(0))
    }

    fn print(&self, event: &Event) {
        if self.command.is_empty() {
            match event {
                Event::Value { data: Some(data), .. } => println!("{}", String::from_utf8_lossy(data)),
                Event::Named { id } => println!("{id}"),
                Event::Put { item } => println!("{item}"),
                Event::Item { item, data } => println!("{item}\t{}", String::from_utf8_lossy(data)),
                Event::Members { names } => println!("{}", names.join(" ")),
                other => println!("{} {other}", self.kind),
            }
        } else if !matches!(event, Event::Item { .. } | Event::Done { .. } | Event::Members { .. }) {
            eprintln!("{} {event}", self.kind);
        }
    }

    async fn told(&mut self, event: Event) -> Result<(), String> {
        self.print(&event);
        match event {
            Event::Failed { error } => return Err(format!("refused: {error}")),
            Event::Acquired { node, token } => {
                self.start(&[("ZEBU_NODE", node), ("ZEBU_TOKEN", token.0.to_string())], b"").await?;
            }
            // A member's command runs from the first list on.
            Event::Entered | Event::Members { .. } if self.child.is_none() && self.kind != Kind::Members => {
                self.start(&[], b"").await?;
            }
            Event::Value { data: Some(data), .. } if !self.command.is_empty() => {
                self.stop_child().await?;
                self.start(&[], &data).await?;
            }
            Event::Item { item, data } => {
                if self.command.is_empty() {
                    self.drive.order(&Order::Done);
                } else {
                    self.start(&[("ZEBU_ITEM", item)], &data).await?;
                }
            }
            Event::Put { .. } => self.drive.order(&Order::Stop),
            Event::Lost(_) => {
                let had = self.child.is_some();
                self.stop_child().await?;
                let stands_again = matches!(self.kind, Kind::Election | Kind::Consumer);
                if had && !stands_again {
                    self.code = Some(LOST);
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn start(&mut self, environment: &[(&str, String)], input: &[u8]) -> Result<(), String> {
        if !self.command.is_empty() && self.code.is_none() {
            self.child = Some(Child::start(&self.command, environment, input)?);
        }
        Ok(())
    }

    /// The command has ended by itself.
    fn ended(&mut self, code: u8) {
        match self.kind {
            Kind::Consumer if code == 0 => self.drive.order(&Order::Done),
            Kind::Config if code == 0 => {}
            _ => self.code = Some(code),
        }
    }

    async fn stop_child(&mut self) -> Result<(), String> {
        match self.child.take() {
            Some(child) => child.stop(PATIENCE).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_the_words_mean() {
        for (line, wanted) in [
            ("lock /a -s h:1 -- make all", Some("lock /a")),
            ("shared-lock /a --read -- cat", Some("read-lock /a")),
            ("shared-lock /a", Some("write-lock /a")),
            ("queue /q -- cat", Some("consumer /q")),
            ("queue /q a b", Some("producer /q a b")),
            ("membership /m me", Some("member /m me")),
            ("double-barrier /b 3", Some("double-barrier /b 3")),
            ("double-barrier /b", None),
            ("bolt /a", None),
            ("lock a", None),
        ] {
            let parsed = Line::try_parse_from(["zebu"].into_iter().chain(line.split(' '))).unwrap();
            assert_eq!(spec(&parsed.args).ok().map(|spec| spec.to_string()).as_deref(), wanted, "{line}");
        }
        assert!(Line::try_parse_from(["zebu", "lock"]).is_err(), "a recipe needs a path");
    }
}
