//! One session seen from its client: handshake, requests and answers in order, watches, pings, and the way to another
//! server with the same session.

use crate::client::watches::Watches;
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::time::Instant;
use crate::wire::client::{
    ConnectRequest, ConnectResponse, Outcome, ReplyHeader, Request, Response, WatcherEvent, request_frame, xid,
};
use crate::wire::jute::DecodeError;
use crate::wire::op::OpCode;
use alloc::collections::VecDeque;
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
        }
    }
}
impl core::error::Error for ClientError {}

impl From<DecodeError> for ClientError {
    fn from(e: DecodeError) -> ClientError {
        ClientError::Malformed(e)
    }
}

/// A client with (at most) one session. The driver owns the connection.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    state: State,
    wished_ms: i32,
    timeout: Duration,
    session: SessionId,
    passwd: Bytes,
    seen: Zxid,
    next_xid: i32,
    pending: VecDeque<(i32, Request)>,
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
            timeout: Duration::from_millis(u64::try_from(wished_ms).unwrap_or(0)),
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

    /// The session, once there was one.
    pub fn session(&self) -> Option<SessionId> {
        (self.session.0 != 0).then_some(self.session)
    }

    /// Whether requests can be sent.
    pub fn is_served(&self) -> bool {
        self.state == State::Served
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

    /// Requests without an answer yet, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &(i32, Request)> {
        self.pending.iter()
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
            session: self.session,
            passwd: self.passwd.clone(),
            read_only: Some(false),
        };
        out.push(ClientOutput::Send(hello.frame()));
    }

    /// The connection is gone.
    pub fn on_disconnected(&mut self, out: &mut Vec<ClientOutput>) {
        if matches!(self.state, State::Greeting | State::Served) {
            self.state = State::Away;
            out.push(ClientOutput::Event(ClientEvent::Disconnected));
        }
        for (xid, request) in core::mem::take(&mut self.pending) {
            if xid > 0 {
                out.push(ClientOutput::Event(ClientEvent::Unanswered { xid, request }));
            }
        }
    }

    /// Sends a request; its number.
    ///
    /// # Errors
    /// [`ClientError::NotConnected`] without a served connection, [`ClientError::Over`] after the session's end.
    pub fn ask(&mut self, now: Instant, request: Request, out: &mut Vec<ClientOutput>) -> Result<i32, ClientError> {
        match self.state {
            State::Over(ending) => return Err(ClientError::Over(ending)),
            State::Away | State::Greeting => return Err(ClientError::NotConnected),
            State::Served => {}
        }
        let number = self.next_xid;
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        self.send(now, number, request, out);
        Ok(number)
    }

    fn send(&mut self, now: Instant, number: i32, request: Request, out: &mut Vec<ClientOutput>) {
        self.sent = now;
        out.push(ClientOutput::Send(request_frame(number, &request)));
        self.pending.push_back((number, request));
    }

    /// A frame (without its length) came from the server.
    ///
    /// # Errors
    /// What is wrong with it. The connection is of no more use.
    pub fn on_frame(&mut self, now: Instant, frame: Bytes, out: &mut Vec<ClientOutput>) -> Result<(), ClientError> {
        self.heard = now;
        match self.state {
            State::Greeting => self.on_greeting(now, ConnectResponse::decode(frame)?, out),
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
        self.state = State::Served;
        self.session = hello.session;
        self.passwd = hello.passwd;
        self.timeout = Duration::from_millis(timeout_ms);
        // Before the application hears of it: what it asks now must not overtake the watches.
        for request in self.watches.set_again(self.seen) {
            self.send(now, xid::SET_WATCHES, request, out);
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
            out.push(ClientOutput::Event(ClientEvent::Watch { event, zxid: header.zxid, armed }));
            return Ok(());
        }
        // Pings are answered at once, whatever waits.
        if header.xid == xid::PING {
            self.see(header.zxid);
            return Ok(());
        }
        let expected = self.pending.front().map(|(number, _)| *number);
        if expected != Some(header.xid) {
            return Err(ClientError::OutOfOrder { got: header.xid, expected });
        }
        let Some((number, request)) = self.pending.pop_front() else { return Ok(()) };
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
        for (number, request) in core::mem::take(&mut self.pending) {
            if number > 0 {
                out.push(ClientOutput::Event(ClientEvent::Unanswered { xid: number, request }));
            }
        }
        out.push(ClientOutput::Event(ClientEvent::Over(ending)));
    }

    /// When [`Client::on_time`] has something to do: a ping after a third of the timeout without sending, another
    /// server after two thirds without hearing.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Served => Some((self.sent + self.timeout / 3).min(self.heard + self.timeout * 2 / 3)),
            State::Greeting => Some(self.heard + self.timeout * 2 / 3),
            State::Away | State::Over(_) => None,
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant, out: &mut Vec<ClientOutput>) {
        if !matches!(self.state, State::Served | State::Greeting) {
            return;
        }
        if now >= self.heard + self.timeout * 2 / 3 {
            out.push(ClientOutput::Reconnect);
        } else if self.state == State::Served && now >= self.sent + self.timeout / 3 {
            self.sent = now;
            out.push(ClientOutput::Send(request_frame(xid::PING, &Request::Ping)));
        }
    }
}

#[cfg(test)]
mod tests;
