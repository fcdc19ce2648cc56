//! What keeps a benchmark from going on.

use std::io;
use std::path::PathBuf;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A server's name leads nowhere.
    #[error("{host} has no address: {why}")]
    NoAddress {
        /// As it was given.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// Nobody listens.
    #[error("no connection to {host}: {source}")]
    NoConnection {
        /// Whom.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// It accepts connections but opens no session.
    #[error("{0} opens no session; does it serve?")]
    NoSession(String),
    /// A connection broke under load.
    #[error("connection to {host} broke: {why}")]
    Broke {
        /// To whom.
        host: String,
        /// How.
        why: String,
    },
    /// Something that comes before the measurement was refused.
    #[error("{host} refused to {what}: {error}")]
    Refused {
        /// Who.
        host: String,
        /// What was asked.
        what: &'static str,
        /// Its code, in words where there are some.
        error: String,
    },
    /// Nothing came for too long.
    #[error("waited {seconds} s in vain for {what}")]
    Silence {
        /// For what.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// No process of that number, or none that may be looked at.
    #[error("process {pid} can't be looked at: {why}")]
    Process {
        /// Its number.
        pid: i32,
        /// Why.
        why: String,
    },
    /// The ensemble has no leader that can be killed.
    #[error("{0}")]
    NoLeader(String),
    /// A command that was given failed.
    #[error("`{command}` failed: {why}")]
    Command {
        /// The command.
        command: String,
        /// How.
        why: String,
    },
    /// The report can't be written.
    #[error("can't write {path}: {source}")]
    Report {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gives us no means to wait.
    #[error("the system refuses {what}: {why}")]
    System {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        why: io::Error,
    },
    /// Options that don't go together.
    #[error("{0}")]
    Options(String),
}

impl BenchError {
    /// For `map_err`: the system refused `what`.
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> BenchError {
        move |why| BenchError::System { what, why: why.into() }
    }
}
