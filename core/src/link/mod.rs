//! One client connection, from the handshake to the close: what may come when, and in which order answers leave.
//!
//! A client's requests are done and answered in the order they came. Writes go through the server and come back later;
//! a read behind one's own pending write waits here, other connections do not notice. A write behind a waiting read is
//! not submitted before that read is answered: otherwise the read could show what the later write made, with a zxid
//! beyond that of the write's own answer. Pings are answered at once.
//!
//! A driver feeds frames and what the server says, and carries out [`LinkEffect`]s in order:
//!
//! ```text
//! socket ──frame──► on_frame ──Submit──► Input::Submit ──► Server
//!                      │  └──Read──► read side ──► on_read ──Write──► socket
//!  Effect::ToLink ──► on_server ──Write──────────────────────────────► socket
//! ```

mod access;

use crate::auth::{self, digest_md5};
use crate::config::AccessRules;
use crate::effect::{LinkClose, ToLink};
use crate::error::ZkError;
use crate::id::{LinkId, SessionId, Zxid};
use crate::input::Submission;
use crate::wire::client::{
    ConnectRequest, ConnectResponse, EVENT_ZXID, OpResult, Outcome, Request, RequestHeader, Response, WatcherEvent,
    event_frame, reply_frame, xid,
};
use crate::wire::op::OpCode;
use crate::wire::record::Id;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

/// Frames that may come before the handshake is answered (a client may send on right behind it).
const EARLY_MAX: usize = 64;

/// What a driver has to do for a link, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEffect {
    /// Send these bytes (whole frames, length prefix included).
    Write(Bytes),
    /// Tell the server, as [`crate::input::Input::Submit`].
    Submit(Submission),
    /// Answer from the read side and hand the answer to [`Link::on_read`] before the next frame of this link. A driver
    /// with the plain read side first carries out all effects of the server's step under way: the tree is ahead of
    /// the events among them, and a client must not see new data before the event that tells of it.
    Read {
        /// The client's number of it.
        xid: i32,
        /// What it asks.
        request: Request,
    },
    /// The client has shown to be somebody more: tell the read side ([`crate::service::WatchRegistry::set_auth`], with
    /// [`Link::auth`]), which judges by it what watches set before may tell.
    Identified,
    /// Send what was written, then close.
    Close(LinkClose),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    id: LinkId,
    rules: Arc<AccessRules>,
    auth: Vec<Id>,
    /// The exchange by SASL, where there is one.
    sasl: Option<Box<digest_md5::Server>>,
    state: State,
    queue: VecDeque<Pending>,
    /// A `Read` is out and not answered yet.
    reading: bool,
    last_zxid: Zxid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    New,
    Connecting { early: Vec<Bytes> },
    Open { session: SessionId, timeout_ms: i32 },
    Closed,
}

/// A request that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pending {
    /// The server answers it.
    Submitted { xid: i32, closes: bool },
    /// The server is told once the reads before it are answered.
    Held { xid: i32, closes: bool, submission: Box<Submission> },
    /// The read side answers it, once it is its turn.
    Read { xid: i32, request: Request },
    /// It is answered by this error, once it is its turn; then the connection may have to end.
    Refused { xid: i32, error: ZkError, close: Option<LinkClose> },
}

impl Link {
    /// A fresh connection from `remote_ip` (its first identity, scheme `ip`), under Apache's default rules of access.
    pub fn new(id: LinkId, remote_ip: &str) -> Link {
        Link {
            id,
            rules: Arc::default(),
            auth: vec![Id { scheme: "ip".into(), id: remote_ip.into() }],
            sasl: None,
            state: State::New,
            queue: VecDeque::new(),
            reading: false,
            last_zxid: Zxid::ZERO,
        }
    }

    /// The same under these rules of access.
    pub fn under(mut self, rules: Arc<AccessRules>) -> Link {
        self.rules = rules;
        self
    }

    /// The same with SASL: `nonce` is random and for this connection alone. Without it, or without users in its rules,
    /// SASL is not spoken.
    pub fn challenging(mut self, nonce: &[u8; digest_md5::NONCE_SIZE]) -> Link {
        self.sasl = Some(Box::new(digest_md5::Server::new(nonce)));
        self
    }

    /// Its number.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Its session, once connected.
    pub fn session(&self) -> Option<SessionId> {
        match self.state {
            State::Open { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The negotiated timeout, once connected.
    pub fn session_timeout_ms(&self) -> Option<i32> {
        match self.state {
            State::Open { timeout_ms, .. } => Some(timeout_ms),
            _ => None,
        }
    }

    /// Who the client has shown to be.
    pub fn auth(&self) -> &[Id] {
        &self.auth
    }

    /// Requests not answered yet. A driver stops reading the socket while there are too many.
    pub fn pending(&self) -> usize {
        match &self.state {
            State::Connecting { early } => early.len() + 1,
            _ => self.queue.len(),
        }
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// A frame (without its length) came from the client.
    pub fn on_frame(&mut self, frame: Bytes, out: &mut Vec<LinkEffect>) {
        match &mut self.state {
            State::New => match ConnectRequest::decode(frame) {
                Ok(request) => {
                    self.state = State::Connecting { early: Vec::new() };
                    out.push(LinkEffect::Submit(Submission::Connect(request)));
                }
                Err(e) => self.close(LinkClose::BadRequest(format!("the first frame is no connect request: {e}")), out),
            },
            State::Connecting { early } => {
                if early.len() >= EARLY_MAX {
                    let why = format!("more than {EARLY_MAX} requests before the session is open");
                    self.close(LinkClose::BadRequest(why), out);
                } else {
                    early.push(frame);
                }
            }
            State::Open { session, .. } => {
                let session = *session;
                self.on_request(session, frame, out);
            }
            State::Closed => {}
        }
    }

    /// A frame has waited for too long to be done still: it is refused with THROTTLEDOP, in its turn. False if it is of
    /// a kind that is done all the same (what opens, ends or keeps up a session, or shows who somebody is), or is
    /// refused for who sent it: then it goes to [`Link::on_frame`] (client-protocol §17).
    pub fn refuse_late(&mut self, frame: &Bytes, out: &mut Vec<LinkEffect>) -> bool {
        if !auth::is_welcome(&self.rules, &self.auth) {
            return false;
        }
        let is_open = matches!(self.state, State::Open { .. }) && !self.queue.back().is_some_and(Pending::is_last);
        let Ok((header, _)) = RequestHeader::decode(frame.clone()) else { return false };
        match OpCode::from_code(header.op) {
            Some(OpCode::Ping | OpCode::CloseSession | OpCode::CreateSession | OpCode::Auth | OpCode::Sasl) | None => {
                false
            }
            Some(_) if is_open => {
                self.refuse(header.xid, ZkError::ThrottledOp, None, out);
                true
            }
            Some(_) => false,
        }
    }

    fn on_request(&mut self, session: SessionId, frame: Bytes, out: &mut Vec<LinkEffect>) {
        if self.queue.back().is_some_and(Pending::is_last) {
            // Nothing behind a closeSession is answered.
            return;
        }
        let (header, body) = match RequestHeader::decode(frame) {
            Ok(parts) => parts,
            Err(e) => {
                let why = format!("a frame has no request header: {e}");
                return self.close(LinkClose::BadRequest(why), out);
            }
        };
        let xid = header.xid;
        if self.refuses_stranger(xid, header.op, out) {
            return;
        }
        let op = match OpCode::from_code(header.op) {
            Some(op) => op,
            None => return self.refuse_op(xid, header.op.to_string(), out),
        };
        match op {
            // At once, past whatever waits: a ping only asks whether we are here.
            OpCode::Ping => {
                out.push(LinkEffect::Write(reply_frame(xid::PING, self.last_zxid, &Ok(Response::Empty))));
            }
            OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig
            | OpCode::CloseSession => {
                let closes = op == OpCode::CloseSession;
                let auth = self.auth.clone();
                self.submit(xid, closes, Submission::Write { session, xid, op, body, auth }, out);
            }
            OpCode::Sync => match Request::decode(op, body) {
                Ok(Request::Sync { path }) => {
                    self.submit(xid, false, Submission::Sync { session, xid, path }, out);
                }
                _ => self.refuse(xid, ZkError::MarshallingError, None, out),
            },
            OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::GetChildren2
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::MultiRead
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::WhoAmI => match Request::decode(op, body) {
                Ok(request) => {
                    self.queue.push_back(Pending::Read { xid, request });
                    self.go_on(out);
                }
                Err(_) => self.refuse(xid, ZkError::MarshallingError, None, out),
            },
            OpCode::Auth => self.on_auth(xid, body, out),
            OpCode::Sasl => self.on_sasl(xid, body, out),
            // Servers alone delete containers: a client's could take any empty znode without being asked who it is.
            OpCode::DeleteContainer => self.refuse(xid, ZkError::BadArguments, None, out),
            OpCode::Check | OpCode::CreateSession => self.refuse_op(xid, op.name().into(), out),
        }
    }

    /// Submits at once where nothing but submitted requests waits before it: the queue is always a run of those, then
    /// what starts with a read or a refusal.
    fn submit(&mut self, xid: i32, closes: bool, submission: Submission, out: &mut Vec<LinkEffect>) {
        if self.queue.back().is_none_or(|last| matches!(last, Pending::Submitted { .. })) {
            self.queue.push_back(Pending::Submitted { xid, closes });
            out.push(LinkEffect::Submit(submission));
        } else {
            self.queue.push_back(Pending::Held { xid, closes, submission: Box::new(submission) });
        }
    }

    /// Submits the held requests at the head of the queue, up to the next read.
    fn submit_held(&mut self, out: &mut Vec<LinkEffect>) {
        for pending in &mut self.queue {
            let Pending::Held { xid, closes, .. } = pending else { return };
            let submitted = Pending::Submitted { xid: *xid, closes: *closes };
            if let Pending::Held { submission, .. } = core::mem::replace(pending, submitted) {
                out.push(LinkEffect::Submit(*submission));
            }
        }
    }

    fn refuse_op(&mut self, xid: i32, op: String, out: &mut Vec<LinkEffect>) {
        let why = LinkClose::BadRequest(format!("operation {op} is not served"));
        self.refuse(xid, ZkError::Unimplemented, Some(why), out);
    }

    fn refuse(&mut self, xid: i32, error: ZkError, close: Option<LinkClose>, out: &mut Vec<LinkEffect>) {
        self.queue.push_back(Pending::Refused { xid, error, close });
        self.go_on(out);
    }

    /// The answer to a [`LinkEffect::Read`]; `events` are those that the read itself brings about (setWatches), told
    /// before the answer.
    pub fn on_read(
        &mut self,
        xid: i32,
        zxid: Zxid,
        outcome: Outcome,
        events: Vec<WatcherEvent>,
        out: &mut Vec<LinkEffect>,
    ) {
        if self.is_closed() || !self.reading {
            return;
        }
        self.last_zxid = zxid;
        for event in events {
            out.push(LinkEffect::Write(event_frame(EVENT_ZXID, &event)));
        }
        out.push(LinkEffect::Write(reply_frame(xid, zxid, &outcome)));
        self.reading = false;
        self.queue.pop_front();
        self.go_on(out);
    }

    /// The server says something.
    pub fn on_server(&mut self, msg: ToLink, out: &mut Vec<LinkEffect>) {
        if self.is_closed() {
            return;
        }
        match msg {
            ToLink::Connected(response) => self.on_connected(response, out),
            ToLink::NoSession(error) => {
                out.push(LinkEffect::Write(reply_frame(0, Zxid::ZERO, &Err(error))));
                self.close(LinkClose::NotServing, out);
            }
            ToLink::Reply { xid, zxid, outcome } => self.on_reply(xid, zxid, &outcome, out),
            ToLink::Event(event) => out.push(LinkEffect::Write(event_frame(EVENT_ZXID, &event))),
            ToLink::Close(why) => self.close(why, out),
        }
    }

    fn on_connected(&mut self, response: ConnectResponse, out: &mut Vec<LinkEffect>) {
        let State::Connecting { early } = &mut self.state else { return };
        let early = core::mem::take(early);
        let (session, timeout_ms) = (response.session, response.timeout_ms);
        out.push(LinkEffect::Write(response.frame()));
        if timeout_ms <= 0 {
            self.close(LinkClose::SessionEnded(session), out);
            return;
        }
        self.state = State::Open { session, timeout_ms };
        for frame in early {
            self.on_frame(frame, out);
        }
    }

    fn on_reply(&mut self, xid: i32, zxid: Zxid, outcome: &Outcome, out: &mut Vec<LinkEffect>) {
        let Some(Pending::Submitted { xid: waiting, closes }) = self.queue.front() else { return };
        let closes = *closes;
        if *waiting != xid {
            return;
        }
        if is_moved(outcome) {
            self.close(LinkClose::SessionMoved, out);
            return;
        }
        self.queue.pop_front();
        self.last_zxid = zxid;
        out.push(LinkEffect::Write(reply_frame(xid, zxid, outcome)));
        if closes && let State::Open { session, .. } = self.state {
            self.close(LinkClose::SessionEnded(session), out);
        } else {
            self.go_on(out);
        }
    }

    /// Serves the head of the queue as long as it needs no server.
    fn go_on(&mut self, out: &mut Vec<LinkEffect>) {
        if self.reading || self.is_closed() {
            return;
        }
        loop {
            match self.queue.front() {
                Some(Pending::Read { xid, request }) => {
                    self.reading = true;
                    out.push(LinkEffect::Read { xid: *xid, request: request.clone() });
                    return;
                }
                Some(Pending::Refused { xid, error, close }) => {
                    let zxid = if *error == ZkError::Unimplemented { Zxid(-1) } else { self.last_zxid };
                    out.push(LinkEffect::Write(reply_frame(*xid, zxid, &Err(*error))));
                    let close = close.clone();
                    self.queue.pop_front();
                    if let Some(why) = close {
                        self.close(why, out);
                        return;
                    }
                }
                Some(Pending::Held { .. }) => return self.submit_held(out),
                Some(Pending::Submitted { .. }) | None => return,
            }
        }
    }

    fn close(&mut self, why: LinkClose, out: &mut Vec<LinkEffect>) {
        self.state = State::Closed;
        self.queue.clear();
        out.push(LinkEffect::Close(why));
    }
}

/// Whether an answer says that the session has moved, also as that of one operation of a multi: a client that got
/// these would go on asking here for ever (known-faults, ZOOKEEPER-2886).
fn is_moved(outcome: &Outcome) -> bool {
    let moved = OpResult::Error(ZkError::SessionMoved.code());
    match outcome {
        Ok(Response::Multi(results)) => results.contains(&moved),
        outcome => *outcome == Err(ZkError::SessionMoved),
    }
}

impl Pending {
    fn is_last(&self) -> bool {
        match self {
            Pending::Submitted { closes, .. } | Pending::Held { closes, .. } => *closes,
            Pending::Refused { close, .. } => close.is_some(),
            Pending::Read { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
