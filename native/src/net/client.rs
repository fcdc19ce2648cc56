//! The client port: sockets around the core's `Link`. A connection's task splits frames, answers reads itself from
//! the shared read side, hands writes to the owner thread, and sends what comes back.

use super::limits::{Handshake, Limits};
use super::links::{LinkBox, Links, Transport};
use super::tally::Tally;
use crate::entropy;
use crate::four_letter::{self, FourLetter};
use crate::metrics::Metrics;
use crate::read_side::SharedRead;
use crate::replica::Post;
use crate::tls::{Tls, is_handshake};
use crate::trace_mask::Kind;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{debug, trace, warn};
use zebu_core::auth::x509;
use zebu_core::config::AccessRules;
use zebu_core::effect::{LinkClose, ToLink};
use zebu_core::id::LinkId;
use zebu_core::input::{Input, Submission};
use zebu_core::link::{Link, LinkEffect};
use zebu_core::service::read::Asker;
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::op::OpCode;

/// A connection with more requests unanswered is not read from.
const PENDING_MAX: usize = 1000;

/// How long a closed connection is still read from, so that the last answer is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// So much is read ahead of a connection from which nothing is taken.
const READ_AHEAD: usize = 4096;

/// Answers gather up to this size before they are written.
const WRITE_SIZE: usize = 64 << 10;

/// What all connections share.
pub struct ClientPort {
    /// Where the tree is.
    pub side: SharedRead,
    /// The owner's mailbox.
    pub post: Arc<Post>,
    /// The open connections.
    pub links: Arc<Links>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The four-letter words.
    pub words: FourLetter,
    /// `jute.maxbuffer`.
    pub max_buffer: usize,
    /// `maxClientCnxns`, 0 for no limit.
    pub max_per_ip: usize,
    /// `nio.sessionlessCnxnTimeout`.
    pub sessionless_timeout: Duration,
    /// Who may do what.
    pub access: Arc<AccessRules>,
    /// The other limits.
    pub limits: Arc<Limits>,
    /// Connections by address.
    pub by_ip: Mutex<HashMap<IpAddr, usize>>,
}

/// What a client port speaks.
#[derive(Clone)]
pub enum Speaks {
    /// ZooKeeper's protocol as it is.
    Plain,
    /// The same inside TLS.
    Tls(Tls),
    /// Either, as the client begins.
    Both(Tls),
}

impl ClientPort {
    /// Serves connections for ever.
    pub async fn run(self: Arc<Self>, listener: TcpListener, speaks: Speaks) {
        loop {
            let (stream, remote) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    warn!("client port: can't accept a connection: {e}");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let ip = remote.ip().to_canonical();
            if !self.limits.comes() {
                self.metrics.counters.connection_rejected.fetch_add(1, Relaxed);
                warn!("client port: refuses {remote}: there are {} connections (maxCnxns)", self.links.len());
                continue;
            }
            {
                let mut by_ip = self.by_ip.lock();
                let count = by_ip.entry(ip).or_insert(0);
                if self.max_per_ip > 0 && *count >= self.max_per_ip {
                    self.metrics.counters.connection_rejected.fetch_add(1, Relaxed);
                    warn!("client port: refuses {remote}: {} connections from there (maxClientCnxns)", *count);
                    self.limits.gone();
                    continue;
                }
                *count += 1;
            }
            let (port, speaks) = (self.clone(), speaks.clone());
            tokio::spawn(async move {
                port.serve(stream, SocketAddr::new(ip, remote.port()), speaks).await;
                port.limits.gone();
                let mut by_ip = port.by_ip.lock();
                if let Some(count) = by_ip.get_mut(&ip) {
                    *count -= 1;
                    if *count == 0 {
                        by_ip.remove(&ip);
                    }
                }
            });
        }
    }

    async fn serve(self: &Arc<Self>, stream: TcpStream, remote: SocketAddr, speaks: Speaks) {
        let _ = stream.set_nodelay(true);
        let tls = match speaks {
            Speaks::Plain => None,
            Speaks::Tls(tls) => Some(tls),
            Speaks::Both(tls) => {
                let mut first = [0];
                match timeout(self.sessionless_timeout, stream.peek(&mut first)).await {
                    Ok(Ok(1)) => Some(tls).filter(|_| is_handshake(first[0])),
                    _ => {
                        debug!("client {remote}: ended before it said anything");
                        return;
                    }
                }
            }
        };
        match tls {
            None => self.talk(stream, remote, Transport::Plain, None).await,
            Some(tls) => {
                let Some(handshake) = Handshake::begin(&self.limits) else {
                    self.metrics.counters.tls_handshake_exceeded.fetch_add(1, Relaxed);
                    warn!(
                        "client {remote}: refuses it: too many TLS handshakes (netty.server.outstandingHandshake.limit)"
                    );
                    return;
                };
                let accepted = timeout(self.sessionless_timeout, tls.accept(stream)).await;
                drop(handshake);
                match accepted {
                    Ok(Ok((stream, subject))) => {
                        let transport = if subject.is_some() { Transport::MutualTls } else { Transport::Tls };
                        self.talk(stream, remote, transport, subject).await;
                    }
                    Ok(Err(e)) => warn!("client {remote}: no TLS with it: {e}"),
                    Err(_) => warn!("client {remote}: its TLS handshake takes too long; ends it"),
                }
            }
        }
    }

    /// Speaks with a client; `subject` is that of its certificate.
    async fn talk(
        self: &Arc<Self>,
        stream: impl Stream,
        remote: SocketAddr,
        transport: Transport,
        subject: Option<String>,
    ) {
        let shared = self.links.open(remote, transport);
        let id = shared.id;
        let mut link = Link::new(id, &remote.ip().to_string()).under(self.access.clone());
        if self.access.sasl_users.is_some() {
            match entropy::secret() {
                Ok(nonce) => link = link.challenging(&nonce),
                Err(e) => warn!("client {remote}: can't use SASL: the system has no random numbers: {e}"),
            }
        }
        let mut effects = Vec::new();
        if let Some(subject) = subject {
            debug!("client {remote}: is {subject}");
            link.identify(x509::identities(&self.access, &subject), &mut effects);
        }
        let connection = Connection {
            link,
            shared,
            port: self.clone(),
            out: BytesMut::new(),
            effects: effects.into(),
            inbox: VecDeque::new(),
            submits: Vec::new(),
            tally: Tally::new(Instant::now()),
            counted: 0,
            large: 0,
            large_waiting: VecDeque::new(),
            announced: None,
            arrived: Instant::now(),
            is_partial: false,
            closing: None,
        };
        connection.run(stream).await;
        self.links.close(id);
        self.post.push(Input::Submit { link: id, request: Submission::Gone });
    }
}

/// A connection's bytes, with or without TLS around them.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Writes all, down to the socket.
async fn send(stream: &mut impl Stream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// One connection.
struct Connection {
    link: Link,
    shared: Arc<LinkBox>,
    port: Arc<ClientPort>,
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
    /// When the frame to be taken next came, or something behind it.
    arrived: Instant,
    /// Of the frame to be taken next a part was missing still when it was looked at last.
    is_partial: bool,
    closing: Option<LinkClose>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.port.metrics.outstanding.fetch_sub(self.counted as i64, Relaxed);
        self.port.limits.give_back(self.large);
    }
}

impl Connection {
    fn id(&self) -> LinkId {
        self.link.id()
    }

    async fn run(mut self, mut stream: impl Stream) {
        let remote = self.shared.remote;
        let mut buf = BytesMut::with_capacity(4096);
        let opened = Instant::now();
        let mut heard = opened;
        let mut first = true;
        loop {
            let limit = match self.link.session_timeout_ms() {
                Some(ms) => heard + Duration::from_millis(u64::try_from(ms).unwrap_or(0)),
                None => opened + self.port.sessionless_timeout,
            };
            let stalled = self.is_stalled();
            // While all wait, a little is read ahead: so it shows who has gone, and how long a request has waited.
            let may_read = self.may_read() || (stalled && buf.len() < READ_AHEAD);
            if may_read {
                buf.reserve(4096);
            }
            let was_empty = buf.is_empty();
            tokio::select! {
                biased;
                () = self.shared.woken() => {}
                read = stream.read_buf(&mut buf), if may_read => match read {
                    Ok(0) => {
                        self.broke_off();
                        break;
                    }
                    Ok(_) => {
                        heard = Instant::now();
                        // Its upload is the client's own time.
                        if was_empty || std::mem::take(&mut self.is_partial) {
                            self.arrived = heard;
                        }
                        self.tally.heard(heard);
                        self.shared.heard();
                    }
                    Err(e) => {
                        debug!("client {remote}: {e}");
                        self.broke_off();
                        break;
                    }
                },
                () = sleep(self.port.limits.rules.stall), if stalled => {}
                () = sleep_until(limit.into()) => {
                    if self.link.session().is_none() {
                        self.port.metrics.counters.sessionless_connections_expired.fetch_add(1, Relaxed);
                    }
                    debug!("client {remote}: nothing heard for too long");
                    break;
                }
            }
            if first && let Some(word) = buf.first_chunk::<4>() {
                first = false;
                if four_letter::is_word(*word) {
                    let (word, argument) = (*word, buf.get(4..).and_then(|rest| rest.first_chunk::<8>()).copied());
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
                    self.finish(stream).await;
                    return;
                }
            }
            if self.shared.is_overrun() {
                warn!("client {remote}: does not read what it is sent; ends it");
                break;
            }
            self.inbox.extend(self.shared.drain());
            loop {
                self.pump();
                while self.closing.is_none() && self.out.len() < WRITE_SIZE && self.may_read() {
                    if !self.announce(&buf) {
                        break;
                    }
                    match split_frame(&mut buf, self.port.max_buffer) {
                        Ok(None) => {
                            self.is_partial = true;
                            break;
                        }
                        Ok(Some(frame)) if frame.is_empty() => {
                            self.closing = Some(LinkClose::BadRequest("an empty frame".into()));
                        }
                        Ok(Some(frame)) => {
                            self.on_frame(frame);
                            self.arrived = heard;
                        }
                        Err(e) => self.closing = Some(LinkClose::BadRequest(format!("{e} (jute.maxbuffer)"))),
                    }
                }
                if !self.submits.is_empty() {
                    self.port.post.push_all(self.submits.drain(..));
                }
                self.count();
                self.tally.flush(&self.shared, &self.port.metrics);
                if self.out.is_empty() || self.closing.is_some() {
                    break;
                }
                let full = self.out.len() >= WRITE_SIZE || !self.effects.is_empty() || !self.inbox.is_empty();
                match timeout(limit.saturating_duration_since(Instant::now()).max(LINGER), send(&mut stream, &self.out))
                    .await
                {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => {
                        debug!("client {remote}: {e}");
                        return;
                    }
                    Err(_) => {
                        warn!("client {remote}: does not read what it is sent; ends it");
                        return;
                    }
                }
                self.out.clear();
                if !full {
                    break;
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

    fn traces(&self, kind: Kind) -> bool {
        self.port.words.operator.trace.tells(kind)
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

    /// How many requests of all connections are not answered yet.
    fn under_way(&self) -> usize {
        usize::try_from(self.port.metrics.outstanding.load(Relaxed)).unwrap_or(0)
    }

    /// Whether nothing of any connection is taken now.
    fn is_stalled(&self) -> bool {
        self.port.limits.stalls(self.under_way())
    }

    /// Looks at the size of the frame that is coming, before there is memory for it. False if it may not come.
    fn announce(&mut self, buf: &[u8]) -> bool {
        if self.announced.is_some() || self.port.limits.rules.large_threshold.is_none() {
            return true;
        }
        let Some(length) = buf.first_chunk::<4>() else { return true };
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

    fn on_frame(&mut self, frame: Bytes) {
        let op = self.tally.frame(&frame);
        let kind = if op == Some(OpCode::Ping) { Kind::ClientPing } else { Kind::ClientRequest };
        if self.traces(kind) {
            trace!("client {}: {}", self.shared.remote, op.map_or("an unknown operation", OpCode::name));
        }
        let pending = self.link.pending();
        let mut effects = Vec::new();
        if self.port.limits.waited_too_long(self.arrived) && self.link.refuse_late(&frame, &mut effects) {
            self.port.metrics.clients.with(|page| page.throttled_ops += 1);
        } else {
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
