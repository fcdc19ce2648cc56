//! One session seen from its client: handshake, requests and answers in order, watches, pings, and the way to another
//! server with the same session.

use crate::client::auth::{Credential, Credentials};
use crate::client::chroot::Chroot;
use crate::client::sasl::{Sasl, SaslUser};
use crate::client::watches::Watches;
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::client::{
    ConnectRequest, ConnectResponse, Outcome, ReplyHeader, Request, Response, WatchType, WatcherEvent, request_frame,
    xid,
};
use crate::wire::jute::DecodeError;
use crate::wire::op::OpCode;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Where the client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum State {
    /// No connection.
    Away,
    /// The handshake is under way.
    Greeting,
    /// The session is there, and the client proves by SASL who it is: the exchange's last request, and whether the
    /// session is a new one.
    Proving { xid: i32, fresh: bool },
    /// The session is served.
    Served,
    /// The session is over.
    Over(Ending),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The servers have expired it.
    Expired,
    /// The client closed it.
    Closed,
    /// A server refused what the client authenticates with. The session itself lives on until it expires.
    AuthFailed,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Write this frame (length included) to the connection.
    Send(Bytes),
    /// Give up the connection and try another server.
    Reconnect,
    /// Tell the application.
    Event(ClientEvent),
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The session is served. `fresh` when it is a new one.
    Connected { session: SessionId, timeout: Duration, fresh: bool },
    /// An answer.
    Answer { xid: i32, zxid: Zxid, request: Request, outcome: Outcome },
    /// The connection ended before an answer came: the request may have been carried out or not.
    Unanswered { xid: i32, request: Request },
    /// A server took what the client authenticates with, or refused it; refused, it is the session's end as well.
    Auth { scheme: String, accepted: bool },
    /// A watch fired. `armed` says whether this client had such a watch.
    Watch { event: WatcherEvent, zxid: Zxid, armed: bool },
    /// The connection ended; the session may go on at another server.
    Disconnected,
    /// The session is over.
    Over(Ending),
}

/// What is wrong with what a server sent, or with what the application asked. A wrong server's connection should be
/// given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// Bytes that are no answer.
    Malformed(DecodeError),
    /// An answer to nothing, or out of turn.
    OutOfOrder {
        /// The answer's number.
        got: i32,
        /// The oldest unanswered request's number.
        expected: Option<i32>,
    },
    /// An error code that is not Apache's.
    UnknownCode(i32),
    /// There is no connection to send the request on.
    NotConnected,
    /// The session is over.
    Over(Ending),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Malformed(e) => write!(f, "the server's answer can't be read: {e}"),
            ClientError::OutOfOrder { got, expected: Some(expected) } => {
                write!(f, "answer {got} came where answer {expected} was due")
            }
            ClientError::OutOfOrder { got, expected: None } => write!(f, "answer {got} came, but nothing was asked"),
            ClientError::UnknownCode(code) => write!(f, "the server answered with the unknown error code {code}"),
            ClientError::NotConnected => f.write_str("not connected to a server"),
            ClientError::Over(Ending::Expired) => f.write_str("the session has expired"),
            ClientError::Over(Ending::Closed) => f.write_str("the session is closed"),
            ClientError::Over(Ending::AuthFailed) => f.write_str("authentication failed"),
        }
    }
}
impl core::error::Error for ClientError {}

impl From<DecodeError> for ClientError {
    fn from(e: DecodeError) -> ClientError {
        ClientError::Malformed(e)
    }
}

/// The longest time without sending, whatever the timeout: longer ones would let a dead connection go unnoticed.
const PING_EVERY_MAX: Duration = Duration::from_secs(10);

/// A request without an answer.
#[derive(Clone, Debug, Serialize)]
struct Pending {
    xid: i32,
    /// As the server has it.
    request: Request,
    /// Whether the application sees its paths below the chroot.
    rooted: bool,
}

/// A client with (at most) one session. The driver owns the connection.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    state: State,
    wished_ms: i32,
    /// Whether a server without a quorum will do.
    wants_read_only: bool,
    /// Whether the server at hand is one.
    read_only: bool,
    /// Whether a server with a quorum has ever known the session; only then it can be resumed.
    established: bool,
    chroot: Chroot,
    credentials: Credentials,
    #[serde(skip)]
    sasl: Option<Sasl>,
    /// What the present connection was granted; until there is one, the wished.
    timeout: Duration,
    /// What the session was granted when it was opened.
    opened_with: Duration,
    session: SessionId,
    passwd: Bytes,
    seen: Zxid,
    next_xid: i32,
    pending: VecDeque<Pending>,
    watches: Watches,
    heard: Instant,
    sent: Instant,
}

impl Client {
    /// A client without a session that wishes a session timeout of `wished_ms` milliseconds.
    pub fn new(wished_ms: i32) -> Client {
        Client {
            state: State::Away,
            wished_ms,
            wants_read_only: false,
            read_only: false,
            established: false,
            chroot: Chroot::default(),
            credentials: Credentials::default(),
            sasl: None,
            timeout: Duration::from_millis(u64::try_from(wished_ms).unwrap_or(0)),
            opened_with: Duration::MAX,
            session: SessionId(0),
            passwd: Bytes::from_static(&[0; 16]),
            seen: Zxid::ZERO,
            next_xid: 1,
            pending: VecDeque::new(),
            watches: Watches::default(),
            heard: Instant::ZERO,
            sent: Instant::ZERO,
        }
    }

    /// The same client below a chroot: its paths are prefixed for the server, and those it is told are cut. Watches
    /// are kept by the server's paths.
    pub fn with_chroot(self, chroot: Chroot) -> Client {
        Client { chroot, ..self }
    }

    /// The same client, also content with a server that has lost its quorum (client-protocol §16).
    pub fn with_read_only(self) -> Client {
        Client { wants_read_only: true, ..self }
    }

    /// The same client, which proves by SASL who it is before it is served (client-protocol §18).
    pub fn with_sasl(self, user: SaslUser, rng: Rng) -> Client {
        Client { sasl: Some(Sasl::new(user, rng)), ..self }
    }

    /// Wishes another session timeout from the next connection on.
    pub fn wish(&mut self, wished_ms: i32) {
        self.wished_ms = wished_ms;
    }

    /// The session, once there was one.
    pub fn session(&self) -> Option<SessionId> {
        (self.session.0 != 0).then_some(self.session)
    }

    /// Whether requests can be sent.
    pub fn is_served(&self) -> bool {
        self.state == State::Served
    }

    /// Whether the session is served by a server that only reads.
    pub fn is_read_only(&self) -> bool {
        self.is_served() && self.read_only
    }

    /// The negotiated session timeout; until there is one, the wished.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Until when no server can have ended the session: a timeout after the last word from one. That is the one that
    /// the session was opened with, if a later connection was granted a longer one: a new leader knows no other.
    pub fn trusted_until(&self) -> Instant {
        self.heard + self.timeout.min(self.opened_with)
    }

    /// What the client takes for the root.
    pub fn chroot(&self) -> &Chroot {
        &self.chroot
    }

    /// How the session ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Over(ending) => Some(ending),
            _ => None,
        }
    }

    /// The highest zxid that this client has seen.
    pub fn seen(&self) -> Zxid {
        self.seen
    }

    /// Requests without an answer yet, oldest first, as the server has them.
    pub fn pending(&self) -> impl Iterator<Item = (i32, &Request)> {
        self.pending.iter().map(|pending| (pending.xid, &pending.request))
    }

    /// The connection to a server stands: the handshake goes out.
    pub fn on_connected(&mut self, now: Instant, out: &mut Vec<ClientOutput>) {
        if matches!(self.state, State::Over(_)) {
            return;
        }
        self.state = State::Greeting;
        self.heard = now;
        self.sent = now;
        let hello = ConnectRequest {
            protocol: 0,
            last_zxid_seen: self.seen,
            timeout_ms: self.wished_ms,
            session: if self.established { self.session } else { SessionId(0) },
            passwd: self.passwd.clone(),
            read_only: Some(self.wants_read_only),
        };
        out.push(ClientOutput::Send(hello.frame()));
    }

    /// The connection is gone.
    pub fn on_disconnected(&mut self, out: &mut Vec<ClientOutput>) {
        if matches!(self.state, State::Greeting | State::Proving { .. } | State::Served) {
            self.state = State::Away;
            out.push(ClientOutput::Event(ClientEvent::Disconnected));
        }
        self.credentials.lost();
        self.leave_pending(out);
    }

    fn leave_pending(&mut self, out: &mut Vec<ClientOutput>) {
        for Pending { xid, request, rooted } in core::mem::take(&mut self.pending) {
            if xid > 0 {
                let request = if rooted { self.chroot.asked(request) } else { request };
                out.push(ClientOutput::Event(ClientEvent::Unanswered { xid, request }));
            }
        }
    }

    /// Sends a request; its number.
    ///
    /// # Errors
    /// [`ClientError::NotConnected`] without a served connection, [`ClientError::Over`] after the session's end.
    pub fn ask(&mut self, now: Instant, request: Request, out: &mut Vec<ClientOutput>) -> Result<i32, ClientError> {
        let request = self.chroot.request(request);
        self.ask_next(now, request, true, out)
    }

    /// As [`Client::ask`], with paths of the whole tree: for what lies beside the chroot, such as the configuration.
    /// The answer's paths are the server's too.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn ask_beside(
        &mut self,
        now: Instant,
        request: Request,
        out: &mut Vec<ClientOutput>,
    ) -> Result<i32, ClientError> {
        self.ask_next(now, request, false, out)
    }

    fn ask_next(
        &mut self,
        now: Instant,
        request: Request,
        rooted: bool,
        out: &mut Vec<ClientOutput>,
    ) -> Result<i32, ClientError> {
        match self.state {
            State::Over(ending) => return Err(ClientError::Over(ending)),
            State::Away | State::Greeting | State::Proving { .. } => return Err(ClientError::NotConnected),
            State::Served => {}
        }
        let xid = self.take_xid();
        self.send(now, Pending { xid, request, rooted }, out);
        Ok(xid)
    }

    fn take_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    fn send(&mut self, now: Instant, pending: Pending, out: &mut Vec<ClientOutput>) {
        self.sent = now;
        out.push(ClientOutput::Send(request_frame(pending.xid, &pending.request)));
        self.pending.push_back(pending);
    }

    /// Authenticates, now if the session is served and on every later connection; the answer is
    /// [`ClientEvent::Auth`].
    ///
    /// # Errors
    /// [`ClientError::Over`] after the session's end.
    pub fn authenticate(
        &mut self,
        now: Instant,
        credential: Credential,
        out: &mut Vec<ClientOutput>,
    ) -> Result<(), ClientError> {
        if let State::Over(ending) = self.state {
            return Err(ClientError::Over(ending));
        }
        if self.is_served() {
            let packet = self.credentials.say(&credential);
            self.send_auth(now, &packet, out);
        }
        self.credentials.keep(credential);
        Ok(())
    }

    /// How many answers to [`Client::authenticate`], or to what was said again on this connection, are still to come.
    pub fn proofs_pending(&self) -> usize {
        self.credentials.pending()
    }

    /// Forgets watches without asking a server, on a path as the application sees it: they will not be set again.
    pub fn forget_watches(&mut self, mut path: String, kind: WatchType) {
        self.chroot.to_server(&mut path);
        self.watches.answered(&Request::RemoveWatches { path, kind }, Some(&Response::Empty));
    }

    /// Not among the pending: the answers overtake those to requests.
    fn send_auth(&mut self, now: Instant, packet: &Request, out: &mut Vec<ClientOutput>) {
        self.sent = now;
        out.push(ClientOutput::Send(request_frame(xid::AUTH, packet)));
    }

    /// A frame (without its length) came from the server.
    ///
    /// # Errors
    /// What is wrong with it. The connection is of no more use.
    pub fn on_frame(&mut self, now: Instant, frame: Bytes, out: &mut Vec<ClientOutput>) -> Result<(), ClientError> {
        self.heard = now;
        match self.state {
            State::Greeting => self.on_greeting(now, ConnectResponse::decode(frame)?, out),
            State::Proving { xid, fresh } => self.on_proof(now, xid, fresh, frame, out)?,
            State::Served => self.on_reply(frame, out)?,
            State::Away | State::Over(_) => {}
        }
        Ok(())
    }

    fn on_greeting(&mut self, now: Instant, hello: ConnectResponse, out: &mut Vec<ClientOutput>) {
        let timeout_ms = u64::try_from(hello.timeout_ms).unwrap_or(0);
        if timeout_ms == 0 || hello.session.0 == 0 {
            self.end(Ending::Expired, out);
            return;
        }
        let fresh = self.session != hello.session;
        self.read_only = hello.read_only == Some(true);
        self.established |= !self.read_only;
        self.session = hello.session;
        self.passwd = hello.passwd;
        self.timeout = Duration::from_millis(timeout_ms);
        if fresh {
            self.opened_with = self.timeout;
        }
        match &mut self.sasl {
            Some(sasl) => {
                let token = sasl.begin();
                self.prove(now, token, fresh, out);
            }
            None => self.serve(now, fresh, out),
        }
    }

    /// Sends a token of SASL's.
    fn prove(&mut self, now: Instant, token: Bytes, fresh: bool, out: &mut Vec<ClientOutput>) {
        let xid = self.take_xid();
        self.state = State::Proving { xid, fresh };
        self.sent = now;
        out.push(ClientOutput::Send(request_frame(xid, &Request::Sasl { token: Some(token) })));
    }

    fn on_proof(
        &mut self,
        now: Instant,
        xid: i32,
        fresh: bool,
        frame: Bytes,
        out: &mut Vec<ClientOutput>,
    ) -> Result<(), ClientError> {
        let (header, body) = ReplyHeader::decode(frame)?;
        if header.xid != xid {
            return Err(ClientError::OutOfOrder { got: header.xid, expected: Some(xid) });
        }
        let said = if header.err == 0 { Some(Response::decode(OpCode::Sasl, body)?) } else { None };
        // Whether the server refuses this client or has itself not shown that it knows the password: there will be no
        // session between them.
        let answer = match (said, &mut self.sasl) {
            (Some(Response::Token(token)), Some(sasl)) => sasl.respond(&token.unwrap_or_default()).ok(),
            _ => None,
        };
        if let Some(Some(token)) = answer {
            self.prove(now, token, fresh, out);
            return Ok(());
        }
        let accepted = answer.is_some();
        out.push(ClientOutput::Event(ClientEvent::Auth { scheme: "sasl".into(), accepted }));
        if accepted {
            self.serve(now, fresh, out);
        } else {
            self.end(Ending::AuthFailed, out);
        }
        Ok(())
    }

    fn serve(&mut self, now: Instant, fresh: bool, out: &mut Vec<ClientOutput>) {
        self.state = State::Served;
        // Before the application hears of it: what it asks now must not overtake them. The watches come last, since
        // an event is only for those who may read.
        for packet in self.credentials.say_again() {
            self.send_auth(now, &packet, out);
        }
        for request in self.watches.set_again(self.seen) {
            self.send(now, Pending { xid: xid::SET_WATCHES, request, rooted: false }, out);
        }
        let (session, timeout) = (self.session, self.timeout);
        out.push(ClientOutput::Event(ClientEvent::Connected { session, timeout, fresh }));
    }

    fn on_reply(&mut self, frame: Bytes, out: &mut Vec<ClientOutput>) -> Result<(), ClientError> {
        let (header, body) = ReplyHeader::decode(frame)?;
        if header.xid == xid::EVENT {
            let event = WatcherEvent::decode(body)?;
            let armed = !self.watches.fired(&event).is_empty();
            // Its zxid is not "seen": a multi's other events and changes may still be under way.
            let event = self.chroot.event(event);
            out.push(ClientOutput::Event(ClientEvent::Watch { event, zxid: header.zxid, armed }));
            return Ok(());
        }
        // Pings are answered at once, whatever waits.
        if header.xid == xid::PING {
            self.see(header.zxid);
            return Ok(());
        }
        let expected = self.pending.front().map(|pending| pending.xid);
        if header.xid == xid::AUTH {
            let unasked = ClientError::OutOfOrder { got: header.xid, expected };
            let scheme = self.credentials.answered().ok_or(unasked)?;
            let accepted = header.err == 0;
            out.push(ClientOutput::Event(ClientEvent::Auth { scheme, accepted }));
            if !accepted {
                self.end(Ending::AuthFailed, out);
            }
            return Ok(());
        }
        if expected != Some(header.xid) {
            return Err(ClientError::OutOfOrder { got: header.xid, expected });
        }
        let Some(Pending { xid: number, request, rooted }) = self.pending.pop_front() else { return Ok(()) };
        let outcome = match header.err {
            0 => Ok(Response::decode(request.op(), body)?),
            code => Err(ZkError::from_code(code).ok_or(ClientError::UnknownCode(code))?),
        };
        self.see(header.zxid);
        if matches!(outcome, Ok(_) | Err(ZkError::NoNode)) {
            self.watches.answered(&request, outcome.as_ref().ok());
        }
        let closed = request.op() == OpCode::CloseSession;
        if number > 0 {
            let (request, outcome) = if rooted {
                let outcome = outcome.map(|response| self.chroot.response(&request, response));
                (self.chroot.asked(request), outcome)
            } else {
                (request, outcome)
            };
            out.push(ClientOutput::Event(ClientEvent::Answer { xid: number, zxid: header.zxid, request, outcome }));
        }
        if closed {
            self.end(Ending::Closed, out);
        }
        Ok(())
    }

    fn see(&mut self, zxid: Zxid) {
        self.seen = self.seen.max(zxid);
    }

    fn end(&mut self, ending: Ending, out: &mut Vec<ClientOutput>) {
        self.state = State::Over(ending);
        self.watches.clear();
        self.leave_pending(out);
        out.push(ClientOutput::Event(ClientEvent::Over(ending)));
    }

    fn ping_at(&self) -> Instant {
        self.sent + (self.timeout / 3).min(PING_EVERY_MAX)
    }

    /// When [`Client::on_time`] has something to do: a ping after a third of the timeout without sending (or 10 s if
    /// that is less), another server after two thirds without hearing.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Served => Some(self.ping_at().min(self.heard + self.timeout * 2 / 3)),
            State::Greeting | State::Proving { .. } => Some(self.heard + self.timeout * 2 / 3),
            State::Away | State::Over(_) => None,
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant, out: &mut Vec<ClientOutput>) {
        if !matches!(self.state, State::Served | State::Greeting | State::Proving { .. }) {
            return;
        }
        if now >= self.heard + self.timeout * 2 / 3 {
            out.push(ClientOutput::Reconnect);
        } else if self.state == State::Served && now >= self.ping_at() {
            self.sent = now;
            out.push(ClientOutput::Send(request_frame(xid::PING, &Request::Ping)));
        }
    }
}

#[cfg(test)]
mod tests;
