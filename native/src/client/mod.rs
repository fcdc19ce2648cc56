//! A ZooKeeper client over tokio: sockets and clocks around the core's [`Connector`], which decides everything else.
//!
//! ```no_run
//! let (client, events) = client::start(Options::new("127.0.0.1:2181".parse()?));
//! let (zxid, response) = client.request(Request::GetData { path: "/a".into(), watch: true }).await?;
//! ```

mod run;

use crate::tls::ClientTls;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use zebu_core::client::{Answer, ClientEvent, ConnectString, Credential, Ending, RequestError, SaslUser, Standing};
use zebu_core::id::SessionId;
use zebu_core::wire::client::{Request, WatchType};

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers and the chroot.
    pub to: ConnectString,
    /// The wished session timeout; the servers may grant another.
    pub timeout: Duration,
    /// Whether a server without a quorum will do.
    pub read_only: bool,
    /// What to authenticate with from the first connection on.
    pub credentials: Vec<Credential>,
    /// Who to be by SASL.
    pub sasl: Option<SaslUser>,
    /// How to speak TLS; without it connections are plain.
    pub tls: Option<ClientTls>,
}

/// Where a client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// In a word.
    pub standing: Standing,
    /// The session, once there was one.
    pub session: Option<SessionId>,
    /// Why the servers tried last could not be used, one a host: `127.0.0.1:2181: connection refused`. Empty while one
    /// serves.
    pub troubles: Vec<String>,
    /// Until when no server can have ended the session, by what was heard so far.
    pub trusted_until: Instant,
}

/// A handle to a running client. Clones share the session; with the last one the client ends, and the session is left
/// to expire unless [`Handle::close`] was called.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    status: watch::Receiver<Status>,
}

/// Watch events and changes of the session, in their order: an event is here before the answer that makes its cause
/// visible.
pub type Events = mpsc::UnboundedReceiver<ClientEvent>;

#[derive(Debug)]
enum Command {
    Ask { request: Request, beside: bool, reply: oneshot::Sender<Answer> },
    Authenticate { credential: Credential, reply: oneshot::Sender<Result<(), RequestError>> },
    Forget { path: String, kind: WatchType },
}

/// Starts a client on the current tokio runtime. It connects at once and keeps its session until it is told to close
/// it, across servers that come and go.
pub fn start(options: Options) -> (Handle, Events) {
    let (commands, queue) = mpsc::unbounded_channel();
    let (told, events) = mpsc::unbounded_channel();
    let first =
        Status { standing: Standing::Connecting, session: None, troubles: Vec::new(), trusted_until: Instant::now() };
    let (show, status) = watch::channel(first);
    tokio::spawn(run::run(options, queue, told, show));
    (Handle { commands, status }, events)
}

impl Handle {
    /// Asks, and waits for the answer. Paths are below the chroot. Without a connection the request waits for one, for
    /// a session timeout at most. Dropping the future takes nothing back.
    ///
    /// # Errors
    /// The server's refusal, or that there is no answer ([`RequestError`]).
    pub async fn request(&self, request: Request) -> Answer {
        self.ask(request, false).await
    }

    /// As [`Handle::request`], with paths of the whole tree.
    ///
    /// # Errors
    /// As [`Handle::request`].
    pub async fn request_beside(&self, request: Request) -> Answer {
        self.ask(request, true).await
    }

    async fn ask(&self, request: Request, beside: bool) -> Answer {
        let (reply, answer) = oneshot::channel();
        let over = RequestError::Over(Ending::Closed);
        self.commands.send(Command::Ask { request, beside, reply }).map_err(|_| over)?;
        answer.await.unwrap_or(Err(over))
    }

    /// Authenticates on this and every later connection. Returns when the server at hand has accepted it; if there is
    /// none, at once: the next one judges it.
    ///
    /// # Errors
    /// [`RequestError::Over`] with [`Ending::AuthFailed`] if the server refuses it: the session is then of no more use.
    /// [`RequestError::Lost`] if the connection ends first; it is said again on the next.
    pub async fn authenticate(&self, credential: Credential) -> Result<(), RequestError> {
        let (reply, answer) = oneshot::channel();
        let over = RequestError::Over(Ending::Closed);
        self.commands.send(Command::Authenticate { credential, reply }).map_err(|_| over)?;
        answer.await.unwrap_or(Err(over))
    }

    /// Forgets watches without asking a server: they are not set again on the next connection.
    pub fn forget_watches(&self, path: String, kind: WatchType) {
        // A client that has ended has no watches.
        let _ = self.commands.send(Command::Forget { path, kind });
    }

    /// Where the client stands.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Closes the session; its ephemeral znodes go with it. Waits no longer than `patience` for a server to say so.
    pub async fn close(&self, patience: Duration) {
        // An answer that does not come leaves the session to its timeout: there is nothing else to do about it.
        let _ = tokio::time::timeout(patience, self.request(Request::CloseSession)).await;
    }
}

#[cfg(test)]
mod tests;
