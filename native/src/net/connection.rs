//! One connection of a client, from its first byte to its last: frames are taken from its bytes, reads answered here,
//! writes handed to the owner thread, and answers sent.

mod incoming;
#[cfg(test)]
mod tests;
mod writing;

use super::client::ClientPort;
use super::links::LinkBox;
use super::tally::Tally;
use crate::four_letter;
use crate::trace_mask::Kind;
use bytes::{Bytes, BytesMut};
use incoming::Incoming;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{debug, trace, warn};
pub use writing::Stream;
use writing::{Unwritten, send};
use zebu_core::effect::{LinkClose, ToLink};
use zebu_core::id::LinkId;
use zebu_core::input::{Input, Submission};
use zebu_core::link::{Link, LinkEffect};
use zebu_core::service::read::Asker;
use zebu_core::wire::op::OpCode;

/// A connection with more requests unanswered is not read from.
const PENDING_MAX: usize = 1000;

/// How long a closed connection is still read from, so that the last answer is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// So much is read ahead of a connection from which nothing is taken.
const READ_AHEAD: usize = 4096;

/// Answers gather up to this size before they are written.
const WRITE_SIZE: usize = 64 << 10;

/// A connection keeps no more room than this for what it reads, nor for what it writes: there may be many of them.
const KEPT: usize = 4 * WRITE_SIZE;

/// See the module.
pub struct Connection {
    link: Link,
    shared: Arc<LinkBox>,
    port: Arc<ClientPort>,
    incoming: Incoming,
    /// Answers to be written.
    out: BytesMut,
    effects: VecDeque<LinkEffect>,
    /// What the server said and has not been looked at yet.
    inbox: VecDeque<ToLink>,
    submits: Vec<Input>,
    tally: Tally,
    /// How many of its requests are in the count of all.
    counted: usize,
    /// Bytes of its large requests, in the count of all.
    large: usize,
    /// How many of them each unanswered request has; empty where none count.
    large_waiting: VecDeque<usize>,
    /// The size of the frame that is coming has been looked at: how much of it counts.
    announced: Option<usize>,
    closing: Option<LinkClose>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.port.limits.throttles() {
            self.port.metrics.counters.stale_requests_dropped.fetch_add(self.incoming.frames(), Relaxed);
        }
        self.port.metrics.outstanding.fetch_sub(self.counted as i64, Relaxed);
        self.port.limits.give_back(self.large);
    }
}

impl Connection {
    /// One whose link has these `effects` already.
    pub fn new(link: Link, effects: Vec<LinkEffect>, shared: Arc<LinkBox>, port: Arc<ClientPort>) -> Connection {
        let now = Instant::now();
        Connection {
            link,
            shared,
            port,
            incoming: Incoming::new(now),
            out: BytesMut::new(),
            effects: effects.into(),
            inbox: VecDeque::new(),
            submits: Vec::new(),
            tally: Tally::new(now),
            counted: 0,
            large: 0,
            large_waiting: VecDeque::new(),
            announced: None,
            closing: None,
        }
    }

    fn id(&self) -> LinkId {
        self.link.id()
    }

    /// Serves the client until either side ends it.
    pub async fn run(mut self, mut stream: impl Stream) {
        let remote = self.shared.remote;
        let opened = self.incoming.heard;
        let mut first = true;
        loop {
            let limit = match self.link.session() {
                Some(_) => self.incoming.heard + self.silence_max(),
                None => opened + self.silence_max(),
            };
            let stalled = self.is_stalled();
            // While all wait, a little is read ahead: so it shows who has gone, and how long a request has waited.
            let may_read = self.may_read() || (stalled && self.incoming.has_room());
            if may_read {
                self.incoming.make_room();
            }
            tokio::select! {
                biased;
                () = self.shared.woken() => {}
                read = stream.read_buf(&mut self.incoming.bytes), if may_read => match read {
                    Ok(0) => {
                        self.broke_off();
                        break;
                    }
                    Ok(count) => self.hears(count),
                    Err(e) => {
                        debug!("client {remote}: {e}");
                        self.broke_off();
                        break;
                    }
                },
                () = sleep(self.port.limits.rules.stall), if stalled => {
                    if !self.incoming.bytes.is_empty() {
                        self.port.metrics.counters.request_throttle_wait_count.fetch_add(1, Relaxed);
                    }
                }
                () = sleep_until(limit.into()) => {
                    if self.link.session().is_none() {
                        self.port.metrics.counters.sessionless_connections_expired.fetch_add(1, Relaxed);
                    }
                    debug!("client {remote}: nothing heard for too long");
                    break;
                }
            }
            if first && let Some(word) = self.incoming.bytes.first_chunk::<4>() {
                first = false;
                if four_letter::is_word(*word) {
                    let rest = self.incoming.bytes.get(4..);
                    let (word, argument) = (*word, rest.and_then(|rest| rest.first_chunk::<8>()).copied());
                    if argument.is_none() && four_letter::takes_argument(word) {
                        first = true;
                        continue;
                    }
                    self.port.metrics.clients.with(|page| {
                        page.packets_received += 1;
                        page.bytes_received_count += 4;
                    });
                    let answer = self.port.words.answer(word, argument, self.id()).await;
                    self.out.extend_from_slice(answer.as_bytes());
                    match self.write(&mut stream).await {
                        Ok(_) => self.finish(stream).await,
                        Err(e) => debug!("client {remote}: {e}"),
                    }
                    return;
                }
            }
            if self.shared.is_overrun() {
                warn!("client {remote}: {}; ends it", Unwritten::Unread);
                break;
            }
            self.inbox.extend(self.shared.drain());
            loop {
                self.go_on();
                if self.out.is_empty() || self.closing.is_some() {
                    break;
                }
                let is_full = self.out.len() >= WRITE_SIZE || !self.effects.is_empty() || !self.inbox.is_empty();
                match self.write(&mut stream).await {
                    Ok(came) if came || is_full => {}
                    Ok(_) => break,
                    Err(Unwritten::Broken(e)) => {
                        debug!("client {remote}: {e}");
                        self.broke_off();
                        return;
                    }
                    Err(e @ Unwritten::Unread) => {
                        warn!("client {remote}: {e}; ends it");
                        return;
                    }
                }
            }
            if let Some(why) = &self.closing {
                match why {
                    LinkClose::NotServing if self.link.session().is_none() => {
                        self.port.metrics.counters.cnxn_closed_without_zk_server_running.fetch_add(1, Relaxed);
                    }
                    LinkClose::BadRequest(what) => warn!("client {remote}: ends the connection: {what}"),
                    why => debug!("client {remote}: ends the connection: {why:?}"),
                }
                self.finish(stream).await;
                return;
            }
        }
    }

    /// Goes on with what there is to do until there is enough to write.
    fn go_on(&mut self) {
        self.pump();
        while self.closing.is_none() && self.out.len() < WRITE_SIZE && self.may_read() && self.announce() {
            match self.incoming.take(self.port.max_buffer) {
                Ok(None) => break,
                Ok(Some((frame, _))) if frame.is_empty() => {
                    self.closing = Some(LinkClose::BadRequest("an empty frame".into()));
                }
                Ok(Some((frame, arrived))) => self.on_frame(frame, arrived),
                Err(e) => self.closing = Some(LinkClose::BadRequest(format!("{e} (jute.maxbuffer)"))),
            }
        }
        if !self.submits.is_empty() {
            self.port.post.push_all(self.submits.drain(..));
        }
        self.count();
        self.tally.flush(&self.shared, &self.port.metrics);
    }

    fn traces(&self, kind: Kind) -> bool {
        self.port.words.operator.trace.tells(kind)
    }

    /// How long the client may be silent.
    fn silence_max(&self) -> Duration {
        match self.link.session_timeout_ms() {
            Some(ms) => Duration::from_millis(u64::try_from(ms).unwrap_or(0)),
            None => self.port.sessionless_timeout,
        }
    }

    /// So many bytes more came.
    fn hears(&mut self, count: usize) {
        let now = Instant::now();
        self.incoming.came(count, now);
        self.tally.heard(now);
        self.shared.heard();
    }

    /// The client has ended the connection, or lost it.
    fn broke_off(&self) {
        self.port.metrics.counters.connection_drop_count.fetch_add(1, Relaxed);
    }

    fn may_read(&self) -> bool {
        let pending = self.link.pending();
        let all = self.under_way();
        (pending == 0 || (pending < PENDING_MAX && all < self.port.limits.rules.outstanding))
            && !self.port.limits.stalls(all)
    }

    /// How many requests of all connections are not answered yet, with what this one has taken or answered just now.
    fn under_way(&self) -> usize {
        let uncounted = self.link.pending() as i64 - self.counted as i64;
        usize::try_from(self.port.metrics.outstanding.load(Relaxed) + uncounted).unwrap_or(0)
    }

    /// Whether nothing of any connection is taken now.
    fn is_stalled(&self) -> bool {
        self.port.limits.stalls(self.under_way())
    }

    /// Looks at the size of the frame that is coming, before there is memory for it. False if it may not come.
    fn announce(&mut self) -> bool {
        if self.announced.is_some() || self.port.limits.rules.large_threshold.is_none() {
            return true;
        }
        let Some(length) = self.incoming.bytes.first_chunk::<4>() else { return true };
        match self.port.limits.announce(usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0)) {
            Some(bytes) => {
                self.large += bytes;
                self.announced = Some(bytes);
                true
            }
            None => {
                let why = "large requests take up too much already (largeRequestMaxBytes)".into();
                self.port.metrics.counters.large_requests_rejected.fetch_add(1, Relaxed);
                self.closing = Some(LinkClose::BadRequest(why));
                false
            }
        }
    }

    /// Keeps the count of all unanswered requests.
    fn count(&mut self) {
        let pending = self.link.pending();
        if pending != self.counted {
            self.port.metrics.outstanding.fetch_add(pending as i64 - self.counted as i64, Relaxed);
            self.shared.pending.store(pending, Relaxed);
            self.counted = pending;
        }
        while self.large_waiting.len() > pending {
            let bytes = self.large_waiting.pop_front().unwrap_or(0);
            self.give_back(bytes);
        }
    }

    fn give_back(&mut self, bytes: usize) {
        self.large -= bytes;
        self.port.limits.give_back(bytes);
    }

    /// A frame that came when it says, or something behind it did.
    fn on_frame(&mut self, frame: Bytes, arrived: Instant) {
        let op = self.tally.frame(&frame);
        if self.port.limits.throttles() {
            self.tally.throttled(arrived);
        }
        let kind = if op == Some(OpCode::Ping) { Kind::ClientPing } else { Kind::ClientRequest };
        if self.traces(kind) {
            trace!("client {}: {}", self.shared.remote, op.map_or("an unknown operation", OpCode::name));
        }
        let pending = self.link.pending();
        let mut effects = Vec::new();
        if !(self.port.limits.waited_too_long(arrived) && self.link.refuse_late(&frame, &mut effects)) {
            self.link.on_frame(frame, &mut effects);
        }
        let is_queued = self.link.pending() > pending;
        self.tally.taken(is_queued);
        match self.announced.take() {
            Some(bytes) if is_queued => self.large_waiting.push_back(bytes),
            Some(bytes) => self.give_back(bytes),
            None => {}
        }
        self.effects.extend(effects);
        self.pump();
    }

    /// Carries out the link's effects, and tells it what the server said, one message at a time: a message may let a
    /// read go on, which then has to be answered before the next message counts. It stops where there is enough to
    /// write: what is left is carried out once that is written.
    fn pump(&mut self) {
        let mut new = Vec::new();
        while self.closing.is_none() && self.out.len() < WRITE_SIZE {
            match self.effects.pop_front() {
                Some(LinkEffect::Write(bytes)) => {
                    self.tally.wrote(&bytes);
                    self.out.extend_from_slice(&bytes);
                }
                Some(LinkEffect::Submit(request)) => {
                    match &request {
                        Submission::Connect(request) => {
                            if !self.port.limits.admits(request) {
                                self.port.metrics.counters.connection_rejected.fetch_add(1, Relaxed);
                                let why = "too many connect at once (connection_throttle_tokens)".into();
                                self.closing = Some(LinkClose::BadRequest(why));
                                return;
                            }
                            let deficit = self.port.limits.token_deficit();
                            self.port.metrics.clients.with(|page| page.connection_token_deficit.add(deficit));
                            let counters = &self.port.metrics.counters;
                            counters.connection_request_count.fetch_add(1, Relaxed);
                            if request.session.0 != 0 {
                                counters.connection_revalidate_count.fetch_add(1, Relaxed);
                            }
                        }
                        _ => self.tally.submitted(),
                    }
                    self.submits.push(Input::Submit { link: self.id(), request });
                }
                Some(LinkEffect::Read { xid, request }) => {
                    let Some(session) = self.link.session() else { continue };
                    let asker = Asker { link: self.id(), session, auth: self.link.auth() };
                    self.tally.reads();
                    let mut told = std::mem::take(&mut self.inbox);
                    let (zxid, answer) = self.port.side.answer(asker, &request, &self.shared, &mut told);
                    // What the answer shows may have fired watches of ours: the client is told of that first.
                    for msg in told {
                        match msg {
                            ToLink::Event(_) => self.link.on_server(msg, &mut new),
                            other => self.inbox.push_back(other),
                        }
                    }
                    let events = new.len() + answer.events.len();
                    // What is not there has a name that the client may have invented.
                    let is_there = answer.outcome.is_ok();
                    self.link.on_read(xid, zxid, answer.outcome, answer.events, &mut new);
                    if let Some(LinkEffect::Write(reply)) = new.get(events).filter(|_| is_there) {
                        self.tally.read(&request, reply.len());
                    }
                    self.tally.settle(self.link.pending());
                    self.effects.extend(new.drain(..));
                }
                Some(LinkEffect::Identified) => self.port.side.identified(self.id(), self.link.auth()),
                Some(LinkEffect::Close(why)) => self.closing = Some(why),
                None => {
                    let Some(msg) = self.inbox.pop_front() else { return };
                    if matches!(msg, ToLink::Reply { .. }) {
                        self.tally.replied();
                    }
                    if matches!(msg, ToLink::Event(_)) && self.traces(Kind::EventDelivery) {
                        trace!("client {}: is told of {msg:?}", self.shared.remote);
                    }
                    let connects = matches!(msg, ToLink::Connected(_));
                    self.link.on_server(msg, &mut new);
                    self.tally.settle(self.link.pending());
                    if let Some(session) = self.link.session().filter(|_| connects) {
                        let timeout = i64::from(self.link.session_timeout_ms().unwrap_or(0));
                        self.shared.stats.timeout.store(timeout, Relaxed);
                        self.shared.set_session(session);
                        self.shared.heard();
                    }
                    self.effects.extend(new.drain(..));
                }
            }
        }
    }

    /// Sends what is left, then waits a moment for the other side to close: closing on unread bytes would reset the
    /// connection and could take the answer back.
    async fn finish(&mut self, mut stream: impl Stream) {
        let ending = async {
            send(&mut stream, &self.out).await?;
            stream.shutdown().await?;
            let mut rest = [0; 1024];
            let mut budget = 1 << 20;
            while budget > 0 {
                match stream.read(&mut rest).await? {
                    0 => break,
                    n => budget -= n.min(budget),
                }
            }
            std::io::Result::Ok(())
        };
        // Neither a timeout nor an error matters any more.
        let _ = timeout(LINGER, ending).await;
    }
}
