//! A client that finds its servers by itself: which one to dial and when, how long a try may last, what becomes of the
//! requests meanwhile. The driver dials, carries bytes, and tells the time (client-protocol §16, §21).

use crate::client::auth::Credential;
use crate::client::hosts::{ConnectString, HostPort, Rotation};
use crate::client::sasl::SaslUser;
use crate::client::session::{Client, ClientError, ClientEvent, ClientOutput, Ending};
use crate::collections::BTreeMap;
use crate::error::ZkError;
use crate::id::Zxid;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::client::{Request, Response, WatchType};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

/// Names a request until its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// An answer: the zxid that came with it, and what was answered.
pub type Answer = Result<(Zxid, Response), RequestError>;

/// Why a request has no answer with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The server answered with an error.
    Refused(ZkError),
    /// It was sent, and the connection ended: it may have been carried out or not.
    Lost,
    /// It was never sent: no server could be reached in time.
    NotServed,
    /// It was not sent, or not answered, before the session's end.
    Over(Ending),
}

impl RequestError {
    /// The code that ZooKeeper's clients use for it.
    pub const fn code(self) -> ZkError {
        match self {
            RequestError::Refused(error) => error,
            RequestError::Lost | RequestError::NotServed => ZkError::ConnectionLoss,
            RequestError::Over(Ending::AuthFailed) => ZkError::AuthFailed,
            RequestError::Over(Ending::Expired | Ending::Closed) => ZkError::SessionExpired,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Refused(error) => error.fmt(f),
            RequestError::Lost => {
                f.write_str("the connection was lost before an answer came; it may have been carried out or not")
            }
            RequestError::NotServed => f.write_str("no server could be reached; nothing was sent"),
            RequestError::Over(ending) => ClientError::Over(*ending).fmt(f),
        }
    }
}
impl core::error::Error for RequestError {}

/// Where a client stands, by the names that ZooKeeper's shell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Looking for a server.
    Connecting,
    /// Served.
    Connected,
    /// Served by a server without a quorum.
    ConnectedReadOnly,
    /// The session has expired or is closed.
    Closed,
    /// A server refused what the client authenticates with.
    AuthFailed,
}

impl Standing {
    /// Apache's name.
    pub const fn name(self) -> &'static str {
        match self {
            Standing::Connecting => "CONNECTING",
            Standing::Connected => "CONNECTED",
            Standing::ConnectedReadOnly => "CONNECTEDREADONLY",
            Standing::Closed => "CLOSED",
            Standing::AuthFailed => "AUTH_FAILED",
        }
    }

    /// Whether a server serves it.
    pub const fn is_served(self) -> bool {
        matches!(self, Standing::Connected | Standing::ConnectedReadOnly)
    }

    /// Whether the client can still do anything.
    pub const fn is_alive(self) -> bool {
        !matches!(self, Standing::Closed | Standing::AuthFailed)
    }
}

/// Why a server was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody listens there, there is no such host, or it is none to be trusted: what the driver was told.
    Nobody(String),
    /// The connection broke.
    Broken(String),
    /// It ended before the session was served: the server has no quorum, or has not seen what this client has.
    NotServing,
    /// Nothing came for too long.
    Silent,
    /// What came makes no sense.
    Nonsense(ClientError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Nobody(why) | Trouble::Broken(why) => f.write_str(why),
            Trouble::NotServing => f.write_str("the server ended the connection; it may have no quorum"),
            Trouble::Silent => f.write_str("the server did not answer in time"),
            Trouble::Nonsense(error) => error.fmt(f),
        }
    }
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectorOutput {
    /// Connect to this server; then [`Connector::on_dialed`] or [`Connector::on_failed`].
    Dial(HostPort),
    /// End the connection, or the try to make one. Nothing more is to be told of it.
    HangUp,
    /// Write this frame (length included).
    Send(Bytes),
    /// Ask this server, on a connection of its own, with the word `isro` whether it has a quorum; then
    /// [`Connector::on_probed`].
    Probe(HostPort),
    /// The answer to a request.
    Done { ticket: Ticket, answer: Answer },
    /// What the application wants to know: [`ClientEvent::Answer`] and [`ClientEvent::Unanswered`] are not among it.
    Event(ClientEvent),
    /// A server was given up.
    Trouble { host: HostPort, why: Trouble },
}

/// A connection that has served for this long was a good one: when it ends, the next host is tried at once.
const GOOD_AFTER: Duration = Duration::from_secs(1);
/// How long to wait before another server is asked whether it has a quorum: at first, and at most.
const PROBE_MIN: Duration = Duration::from_millis(100);
const PROBE_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection; the next try is then.
    Pause { until: Instant },
    /// The driver dials. The try ends then.
    Dialing { until: Instant },
    /// The connection stands. Unless the session is served by `until`, it is given up.
    Up { until: Instant, served: Option<Instant> },
    /// Nothing will happen any more.
    Over,
}

/// A request that waits for a connection.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: Ticket,
    request: Request,
    rooted: bool,
    until: Instant,
}

/// The search for a server with a quorum while one without serves.
#[derive(Clone, Copy, Debug)]
struct Probes {
    next: Instant,
    wait: Duration,
    /// How far ahead of the current host the next one to ask is.
    ahead: usize,
    asking: bool,
}

/// A client and its way to a server.
#[derive(Clone, Debug)]
pub struct Connector {
    client: Client,
    rotation: Rotation,
    phase: Phase,
    /// Hosts in a row where nobody listened.
    nobody: usize,
    last_ticket: u64,
    waiting: VecDeque<Waiting>,
    sent: BTreeMap<i32, Ticket>,
    probes: Option<Probes>,
}

impl Connector {
    /// A client of these servers that wishes a session timeout of `wished_ms` milliseconds. It dials as soon as it is
    /// told the time.
    pub fn new(to: ConnectString, wished_ms: i32, read_only: bool, rng: Rng) -> Connector {
        let client = Client::new(wished_ms).with_chroot(to.chroot);
        Connector {
            client: if read_only { client.with_read_only() } else { client },
            rotation: Rotation::new(to.hosts, rng),
            phase: Phase::Pause { until: Instant::ZERO },
            nobody: 0,
            last_ticket: 0,
            waiting: VecDeque::new(),
            sent: BTreeMap::new(),
            probes: None,
        }
    }

    /// The same client, which proves by SASL who it is on every connection. `rng` is for what it says only once.
    pub fn with_sasl(self, user: SaslUser, rng: Rng) -> Connector {
        Connector { client: self.client.with_sasl(user, rng), ..self }
    }

    /// The session.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match self.client.ending() {
            Some(Ending::AuthFailed) => Standing::AuthFailed,
            Some(Ending::Expired | Ending::Closed) => Standing::Closed,
            None if self.client.is_read_only() => Standing::ConnectedReadOnly,
            None if self.client.is_served() => Standing::Connected,
            None => Standing::Connecting,
        }
    }

    /// The server at hand: dialed or connected.
    pub fn host(&self) -> Option<&HostPort> {
        self.rotation.current()
    }

    /// Asks. Without a connection the request waits for one, for a session timeout at most; if nobody listens at any
    /// of the hosts, it fails as soon as that is known.
    pub fn ask(&mut self, now: Instant, request: Request, out: &mut Vec<ConnectorOutput>) -> Ticket {
        self.put(now, request, true, out)
    }

    /// As [`Connector::ask`], with paths of the whole tree whatever the chroot is.
    pub fn ask_beside(&mut self, now: Instant, request: Request, out: &mut Vec<ConnectorOutput>) -> Ticket {
        self.put(now, request, false, out)
    }

    fn put(&mut self, now: Instant, request: Request, rooted: bool, out: &mut Vec<ConnectorOutput>) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        match self.client.ending() {
            Some(ending) => out.push(done(ticket, Err(RequestError::Over(ending)))),
            None => {
                let until = now + self.client.timeout();
                self.waiting.push_back(Waiting { ticket, request, rooted, until });
                self.flush(now, out);
            }
        }
        ticket
    }

    /// Sends what waits, if it can be sent.
    fn flush(&mut self, now: Instant, out: &mut Vec<ConnectorOutput>) {
        while self.client.is_served()
            && let Some(Waiting { ticket, request, rooted, .. }) = self.waiting.pop_front()
        {
            let mut outputs = Vec::new();
            let asked = if rooted {
                self.client.ask(now, request, &mut outputs)
            } else {
                self.client.ask_beside(now, request, &mut outputs)
            };
            match asked {
                Ok(xid) => {
                    self.sent.insert(xid, ticket);
                }
                Err(ClientError::Over(ending)) => out.push(done(ticket, Err(RequestError::Over(ending)))),
                Err(_) => out.push(done(ticket, Err(RequestError::NotServed))),
            }
            self.pass_on(now, outputs, out);
        }
    }

    /// Authenticates on this and every later connection; what comes of it is a [`ClientEvent::Auth`].
    ///
    /// # Errors
    /// [`ClientError::Over`] after the session's end.
    pub fn authenticate(
        &mut self,
        now: Instant,
        credential: Credential,
        out: &mut Vec<ConnectorOutput>,
    ) -> Result<(), ClientError> {
        let mut outputs = Vec::new();
        self.client.authenticate(now, credential, &mut outputs)?;
        self.pass_on(now, outputs, out);
        Ok(())
    }

    /// Forgets watches without asking a server, on a path as the application sees it.
    pub fn forget_watches(&mut self, path: String, kind: WatchType) {
        self.client.forget_watches(path, kind);
    }

    /// When [`Connector::on_time`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Pause { until } | Phase::Dialing { until } | Phase::Up { until, served: None } => Some(until),
            Phase::Up { .. } => self.client.deadline(),
            Phase::Over => None,
        };
        let probe = self.probes.filter(|probes| !probes.asking).map(|probes| probes.next);
        let waiting = self.waiting.front().map(|waiting| waiting.until);
        [own, probe, waiting].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant, out: &mut Vec<ConnectorOutput>) {
        match self.phase {
            Phase::Pause { until } if now >= until => self.dial(now, out),
            Phase::Dialing { until } | Phase::Up { until, served: None } if now >= until => {
                self.give_up(now, Trouble::Silent, out);
            }
            Phase::Up { .. } => {
                let mut outputs = Vec::new();
                self.client.on_time(now, &mut outputs);
                self.pass_on(now, outputs, out);
                self.probe(now, out);
            }
            Phase::Pause { .. } | Phase::Dialing { .. } | Phase::Over => {}
        }
        // The oldest first: all have the same patience.
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| now >= waiting.until) {
            out.push(done(waiting.ticket, Err(RequestError::NotServed)));
        }
    }

    fn dial(&mut self, now: Instant, out: &mut Vec<ConnectorOutput>) {
        if let Some(host) = self.rotation.current() {
            let until = now + self.rotation.connect_timeout(self.client.timeout());
            self.phase = Phase::Dialing { until };
            out.push(ConnectorOutput::Dial(host.clone()));
        } else {
            self.phase = Phase::Over;
        }
    }

    /// The connection stands.
    pub fn on_dialed(&mut self, now: Instant, out: &mut Vec<ConnectorOutput>) {
        let Phase::Dialing { until } = self.phase else { return };
        self.phase = Phase::Up { until, served: None };
        let mut outputs = Vec::new();
        self.client.on_connected(now, &mut outputs);
        self.pass_on(now, outputs, out);
    }

    /// The connection could not be made ([`Trouble::Nobody`] if that is known to be for good), or has ended.
    pub fn on_failed(&mut self, now: Instant, why: Trouble, out: &mut Vec<ConnectorOutput>) {
        match self.phase {
            Phase::Up { served: None, .. } if !matches!(why, Trouble::Nobody(_)) => {
                self.give_up(now, Trouble::NotServing, out);
            }
            Phase::Dialing { .. } | Phase::Up { .. } => self.give_up(now, why, out),
            Phase::Pause { .. } | Phase::Over => {}
        }
    }

    /// Leaves the server at hand and goes on to the next.
    fn give_up(&mut self, now: Instant, why: Trouble, out: &mut Vec<ConnectorOutput>) {
        self.nobody = if matches!(why, Trouble::Nobody(_)) { self.nobody + 1 } else { 0 };
        if let Some(host) = self.rotation.current() {
            out.push(ConnectorOutput::Trouble { host: host.clone(), why });
        }
        self.leave(now, out);
        let pause = self.rotation.move_on();
        self.phase = Phase::Pause { until: now + pause };
        if self.nobody > 0 && self.nobody >= self.rotation.len() {
            self.nobody = 0;
            for waiting in core::mem::take(&mut self.waiting) {
                out.push(done(waiting.ticket, Err(RequestError::NotServed)));
            }
        }
    }

    fn leave(&mut self, now: Instant, out: &mut Vec<ConnectorOutput>) {
        if let Phase::Up { served: Some(since), .. } = self.phase
            && now.since(since) >= GOOD_AFTER
        {
            self.rotation.served();
        }
        self.probes = None;
        out.push(ConnectorOutput::HangUp);
        // From here on what is asked waits.
        self.phase = Phase::Pause { until: now };
        let mut outputs = Vec::new();
        self.client.on_disconnected(&mut outputs);
        self.pass_on(now, outputs, out);
    }

    /// A frame (without its length) came.
    pub fn on_frame(&mut self, now: Instant, frame: Bytes, out: &mut Vec<ConnectorOutput>) {
        if !matches!(self.phase, Phase::Up { .. }) {
            return;
        }
        let mut outputs = Vec::new();
        let read = self.client.on_frame(now, frame, &mut outputs);
        self.pass_on(now, outputs, out);
        if let Err(error) = read {
            self.give_up(now, Trouble::Nonsense(error), out);
        }
    }

    fn pass_on(&mut self, now: Instant, outputs: Vec<ClientOutput>, out: &mut Vec<ConnectorOutput>) {
        for output in outputs {
            match output {
                ClientOutput::Send(frame) => out.push(ConnectorOutput::Send(frame)),
                ClientOutput::Reconnect => self.give_up(now, Trouble::Silent, out),
                ClientOutput::Event(event) => self.on_event(now, event, out),
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: ClientEvent, out: &mut Vec<ConnectorOutput>) {
        match event {
            ClientEvent::Answer { xid, zxid, request: _, outcome } => {
                let answer = outcome.map(|response| (zxid, response)).map_err(RequestError::Refused);
                self.finish(xid, answer, out);
            }
            ClientEvent::Unanswered { xid, request: _ } => {
                let error = self.client.ending().map_or(RequestError::Lost, RequestError::Over);
                self.finish(xid, Err(error), out);
            }
            ClientEvent::Connected { .. } => {
                if let Phase::Up { served, .. } = &mut self.phase {
                    *served = Some(now);
                }
                self.nobody = 0;
                let wait = PROBE_MIN;
                self.probes = (self.client.is_read_only() && self.rotation.len() > 1).then_some(Probes {
                    next: now + wait,
                    wait,
                    ahead: 1,
                    asking: false,
                });
                out.push(ConnectorOutput::Event(event));
                self.flush(now, out);
            }
            ClientEvent::Over(ending) => {
                self.phase = Phase::Over;
                self.probes = None;
                for waiting in core::mem::take(&mut self.waiting) {
                    out.push(done(waiting.ticket, Err(RequestError::Over(ending))));
                }
                out.push(ConnectorOutput::HangUp);
                out.push(ConnectorOutput::Event(event));
            }
            ClientEvent::Auth { .. } | ClientEvent::Watch { .. } | ClientEvent::Disconnected => {
                out.push(ConnectorOutput::Event(event));
            }
        }
    }

    fn finish(&mut self, xid: i32, answer: Answer, out: &mut Vec<ConnectorOutput>) {
        if let Some(ticket) = self.sent.remove(&xid) {
            out.push(done(ticket, answer));
        }
    }

    fn probe(&mut self, now: Instant, out: &mut Vec<ConnectorOutput>) {
        let Some(probes) = &mut self.probes else { return };
        if probes.asking || now < probes.next {
            return;
        }
        if let Some(host) = self.rotation.ahead(probes.ahead) {
            probes.asking = true;
            out.push(ConnectorOutput::Probe(host.clone()));
        }
    }

    /// A server said whether it has a quorum; one that can't be asked has none. If it has, the client moves there.
    pub fn on_probed(&mut self, now: Instant, host: &HostPort, has_quorum: bool, out: &mut Vec<ConnectorOutput>) {
        let count = self.rotation.len();
        let Some(probes) = self.probes.as_mut().filter(|probes| probes.asking) else { return };
        if has_quorum {
            self.leave(now, out);
            self.rotation.turn_to(host);
            self.dial(now, out);
            return;
        }
        probes.asking = false;
        // The host at hand is passed over; a whole round without success makes the next one slower.
        probes.ahead = probes.ahead % (count - 1) + 1;
        if probes.ahead == 1 {
            probes.wait = (probes.wait * 2).min(PROBE_MAX);
        }
        probes.next = now + probes.wait;
    }
}

fn done(ticket: Ticket, answer: Answer) -> ConnectorOutput {
    ConnectorOutput::Done { ticket, answer }
}

#[cfg(test)]
mod tests;
