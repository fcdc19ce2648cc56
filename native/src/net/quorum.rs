//! The quorum port: packets between leader and learners, in order within a connection.
//!
//! Packets are written by the owner thread itself, at the end of each of its turns all of a connection's in one call.
//! Only what the socket does not take at once goes to a task that waits for it; until that has written everything, what
//! follows goes there too.

use super::listen::{self, ListenError, listen_soon};
use crate::config_file::{ServerLine, ZooCfg};
use crate::mailbox::{Mailbox, packet_weight};
use bytes::{Buf as _, Bytes, BytesMut};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};
use zebu_core::disk::txn_log::MAX_ENTRY;
use zebu_core::effect::DropReason;
use zebu_core::id::{ConnId, ServerId};
use zebu_core::input::Input;
use zebu_core::wire::peer::{Limits, PacketDecoder, PeerMsg, Sender};

/// A peer that lets more than this wait does not read; its connection is ended. Larger than any sane backlog behind
/// a slow network, small enough to survive it. The history that a learner is brought up to date with comes on top.
const QUEUE_BYTES: usize = 64 << 20;

/// Messages encoded into one write.
const WRITE_BYTES: usize = 256 << 10;

/// What a turn's messages have room for at first.
const TURN_BYTES: usize = 16 << 10;

/// How long a connection that is dropped may take to send what was queued before.
const LINGER: Duration = Duration::from_secs(5);

/// Connections open at once on the quorum port; more are refused.
const MAX_CONNECTIONS: usize = 512;

/// The quorum transport of one server.
pub struct Quorum<Q> {
    shared: Arc<Shared<Q>>,
    runtime: tokio::runtime::Handle,
    peers: Mutex<BTreeMap<ServerId, (String, u16)>>,
    connect_timeout: Duration,
}

struct Shared<Q> {
    mailbox: Arc<Mailbox<Q>>,
    open: Mutex<HashMap<ConnId, Queue>>,
    next: AtomicU64,
    limits: Limits,
}

/// What goes to a connection's writer.
enum Outgoing {
    Message(PeerMsg),
    /// What the socket has not taken of messages that are encoded already.
    Encoded(Bytes),
}

impl Outgoing {
    fn weight(&self) -> usize {
        match self {
            Outgoing::Message(msg) => weight(msg),
            Outgoing::Encoded(bytes) => 64 + bytes.len(),
        }
    }
}

/// The way to a connection.
struct Queue {
    stream: Arc<OwnedWriteHalf>,
    /// What the owner thread writes at the end of its turn.
    turn: BytesMut,
    /// The way to its writer.
    messages: UnboundedSender<Outgoing>,
    /// What the writer has not written yet; 0 when it rests.
    bytes: Arc<AtomicUsize>,
    limit: Limit,
    /// The core has dropped the connection.
    dropped: Arc<Notify>,
}

/// How much may wait for a peer.
#[derive(Debug)]
enum Limit {
    /// So many bytes.
    Bytes(usize),
    /// The leader hands over the history, all at once and however long it is: a limit would drop the same learner at
    /// the same place each time it comes back.
    History,
}

impl Limit {
    /// Whether a message may join `waiting` bytes.
    fn admits(&mut self, waiting: usize, msg: &PeerMsg) -> bool {
        match (&self, msg) {
            (_, PeerMsg::Diff { .. } | PeerMsg::Trunc { .. } | PeerMsg::Snap { .. }) => *self = Limit::History,
            // The history ends here; what of it still waits is allowed to.
            (Limit::History, PeerMsg::NewLeader { .. }) => *self = Limit::Bytes(waiting.saturating_add(QUEUE_BYTES)),
            (Limit::History, _) => {}
            (Limit::Bytes(most), _) => return waiting <= *most,
        }
        true
    }
}

/// The largest state that is taken over from a leader, in bytes: what half of this machine's memory can hold, and never
/// less than a gigabyte. Twice as much is needed while the tree is made of it.
fn snapshot_limit() -> usize {
    let total = rustix::system::sysinfo();
    let total = (total.totalram as u64).saturating_mul(total.mem_unit.into());
    usize::try_from(total / 2).unwrap_or(usize::MAX).max(1 << 30)
}

impl<Q: Send + 'static> Quorum<Q> {
    /// Opens the port; to be called inside the runtime.
    ///
    /// # Errors
    /// The port can't be opened.
    pub async fn start(cfg: &ZooCfg, own: &ServerLine, mailbox: Arc<Mailbox<Q>>) -> Result<Quorum<Q>, ListenError> {
        let host = (!cfg.quorum_listen_on_all_ips).then_some(own.host.as_str());
        let key = format!("server.{}", cfg.id);
        let listener = listen_soon(host, own.quorum_port, None, "quorum port", &key).await?;
        // Apache's peers send up to jute.maxbuffer and as much again.
        let field = cfg.max_buffer.saturating_mul(2);
        let shared = Arc::new(Shared {
            mailbox,
            open: Mutex::default(),
            next: AtomicU64::new(0),
            limits: Limits { field, snapshot: snapshot_limit() },
        });
        tokio::spawn(accept(listener, shared.clone()));
        let runtime = tokio::runtime::Handle::current();
        let quorum = Quorum { shared, runtime, peers: Mutex::default(), connect_timeout: cfg.connect_timeout };
        quorum.members(&cfg.servers);
        Ok(quorum)
    }

    /// These are the members from now on.
    pub fn members(&self, servers: &BTreeMap<ServerId, ServerLine>) {
        self.peers.lock().extend(servers.iter().map(|(id, line)| (*id, (line.host.clone(), line.quorum_port))));
    }

    /// Connects to a peer's quorum port; `Connected` or `DialFailed` follows.
    pub fn dial(&self, to: ServerId) {
        let Some((host, port)) = self.peers.lock().get(&to).cloned() else {
            self.shared.mailbox.push(Input::DialFailed { to });
            return;
        };
        let (shared, limit) = (self.shared.clone(), self.connect_timeout);
        self.runtime.spawn(async move {
            match timeout(limit, TcpStream::connect((host.as_str(), port))).await {
                Ok(Ok(stream)) => {
                    shared.serve(stream, Sender::Leader, |conn| Input::Connected { to, conn }).await;
                }
                failed => {
                    match failed {
                        Ok(Err(e)) => debug!("quorum port of server {to} at {host}:{port}: {e}"),
                        _ => debug!("quorum port of server {to} at {host}:{port} can't be reached in time"),
                    }
                    shared.mailbox.push(Input::DialFailed { to });
                }
            }
        });
    }

    /// Takes a packet, which is sent with the next [`Quorum::flush`] if not before; lost if the connection is gone.
    pub fn send(&self, conn: ConnId, msg: PeerMsg) {
        let mut open = self.shared.open.lock();
        let Some(queue) = open.get_mut(&conn) else { return };
        let waiting = queue.bytes.load(Acquire);
        if !queue.limit.admits(waiting, &msg) {
            warn!("quorum connection {conn}: the peer does not read, {} MiB wait for it; drops it", waiting >> 20);
            queue.dropped.notify_one();
            open.remove(&conn);
            drop(open);
            self.shared.mailbox.push(Input::Closed { conn });
            return;
        }
        if waiting == 0 && queue.turn.len() + weight(&msg) <= WRITE_BYTES {
            msg.encode(&mut queue.turn);
        } else {
            queue.hand_over_turn();
            queue.hand_over(Outgoing::Message(msg));
        }
    }

    /// Sends what was taken.
    pub fn flush(&self) {
        for queue in self.shared.open.lock().values_mut().filter(|queue| !queue.turn.is_empty()) {
            // An error is found by the writer as well, which reports it.
            let written = queue.stream.try_write(&queue.turn).unwrap_or(0);
            queue.turn.advance(written);
            queue.hand_over_turn();
            // The room is used again; what was advanced over is found again by this.
            queue.turn.clear();
            queue.turn.reserve(TURN_BYTES);
        }
    }

    /// Ends a connection behind what was queued.
    pub fn drop_conn(&self, conn: ConnId, why: &DropReason) {
        if let Some(mut queue) = self.shared.open.lock().remove(&conn) {
            queue.hand_over_turn();
            queue.dropped.notify_one();
            match why {
                DropReason::RoleChanged | DropReason::Replaced => debug!("quorum connection {conn}: ends it: {why:?}"),
                DropReason::Violation(v) => warn!("quorum connection {conn}: drops it: {v}"),
                why => info!("quorum connection {conn}: drops it: {why:?}"),
            }
        }
    }
}

impl Queue {
    /// To the writer, which has to be ahead of whatever is written otherwise.
    fn hand_over(&self, outgoing: Outgoing) {
        self.bytes.fetch_add(outgoing.weight(), Relaxed);
        // A writer that has ended reports that itself.
        let _ = self.messages.send(outgoing);
    }

    /// What the turn has gathered, if it has.
    fn hand_over_turn(&mut self) {
        if !self.turn.is_empty() {
            let encoded = Outgoing::Encoded(self.turn.split().freeze());
            self.hand_over(encoded);
        }
    }
}

/// Bytes that a message keeps in memory, about.
fn weight(msg: &PeerMsg) -> usize {
    64 + packet_weight(msg)
}

async fn accept<Q: Send + 'static>(listener: TcpListener, shared: Arc<Shared<Q>>) {
    loop {
        let (stream, remote) = listen::accept(&listener, "quorum port").await;
        if shared.open.lock().len() >= MAX_CONNECTIONS {
            warn!("quorum port: refuses {remote}: {MAX_CONNECTIONS} connections are open");
            continue;
        }
        debug!("quorum port: {remote} connected");
        let shared = shared.clone();
        tokio::spawn(async move {
            shared.serve(stream, Sender::Learner, |conn| Input::Accepted { conn }).await;
        });
    }
}

impl<Q> Shared<Q> {
    /// Runs a connection until it ends; `other` is what the other end is.
    async fn serve(&self, stream: TcpStream, other: Sender, opened: impl FnOnce(ConnId) -> Input) {
        let conn = ConnId(self.next.fetch_add(1, Relaxed) + 1);
        let remote = stream.peer_addr().map_or("?".into(), |a| a.to_string());
        listen::tune(&stream);
        let (messages, queue) = unbounded_channel();
        let bytes = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(Notify::new());
        let limit = Limit::Bytes(QUEUE_BYTES);
        let (read, write) = stream.into_split();
        let stream = Arc::new(write);
        let opening = Queue {
            stream: stream.clone(),
            turn: BytesMut::new(),
            messages,
            bytes: bytes.clone(),
            limit,
            dropped: dropped.clone(),
        };
        self.open.lock().insert(conn, opening);
        self.mailbox.push(opened(conn));
        tokio::select! {
            ended = self.receive(conn, read, PacketDecoder::new(other, self.limits_for(other))) => match ended {
                Ok(()) => debug!("quorum connection {conn} with {remote} ended"),
                Err(why) => warn!("quorum connection {conn} with {remote}: drops it: {why}"),
            },
            ended = send(queue, stream, &bytes) => if let Err(why) = ended {
                debug!("quorum connection {conn} with {remote}: {why}");
            },
            () = async { dropped.notified().await; sleep(LINGER).await } => {}
        }
        self.open.lock().remove(&conn);
        self.mailbox.push(Input::Closed { conn });
    }

    /// What a learner sends on comes from a client and is as large as its frames may be; a leader's transaction may
    /// name all ephemerals of a session.
    fn limits_for(&self, sender: Sender) -> Limits {
        match sender {
            Sender::Learner => self.limits,
            Sender::Leader => Limits { field: self.limits.field.max(MAX_ENTRY), ..self.limits },
        }
    }

    async fn receive(&self, conn: ConnId, mut read: OwnedReadHalf, mut decoder: PacketDecoder) -> Result<(), String> {
        let mut buf = BytesMut::with_capacity(64 << 10);
        let mut packets = Vec::new();
        loop {
            buf.reserve(16 << 10);
            match read.read_buf(&mut buf).await {
                Ok(0) if buf.is_empty() => return Ok(()),
                Ok(0) => return Err("it ended in the middle of a packet".into()),
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
                Err(e) => return Err(e.to_string()),
            }
            let malformed = loop {
                match decoder.next(&mut buf) {
                    Ok(Some(msg)) => packets.push(Input::Packet { conn, msg: detached(msg) }),
                    Ok(None) => break None,
                    Err(e) => break Some(e.to_string()),
                }
            };
            if !packets.is_empty() {
                self.mailbox.push_all(packets.drain(..));
                self.mailbox.room().await;
            }
            if let Some(why) = malformed {
                return Err(why);
            }
        }
    }
}

/// A transaction stays in memory for long, in the history and as a znode's data: with memory of its own it does not
/// keep the whole buffer alive that it came in.
fn detached(msg: PeerMsg) -> PeerMsg {
    match msg {
        PeerMsg::Proposal { zxid, txn } => PeerMsg::Proposal { zxid, txn: Bytes::copy_from_slice(&txn) },
        PeerMsg::Inform { zxid, txn } => PeerMsg::Inform { zxid, txn: Bytes::copy_from_slice(&txn) },
        PeerMsg::InformAndActivate { zxid, designated, txn } => {
            PeerMsg::InformAndActivate { zxid, designated, txn: Bytes::copy_from_slice(&txn) }
        }
        msg => msg,
    }
}

/// Writes what is queued, as much as there is in one call, until the queue is closed or the socket fails. The end of
/// the stream follows when nobody holds it any more.
async fn send(
    mut queue: UnboundedReceiver<Outgoing>,
    stream: Arc<OwnedWriteHalf>,
    bytes: &AtomicUsize,
) -> std::io::Result<()> {
    let mut buf = BytesMut::new();
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(outgoing) = next {
            taken += outgoing.weight();
            match outgoing {
                Outgoing::Message(msg) => msg.encode(&mut buf),
                Outgoing::Encoded(bytes) => buf.extend_from_slice(&bytes),
            }
            next = if buf.len() < WRITE_BYTES { queue.try_recv().ok() } else { None };
        }
        while !buf.is_empty() {
            stream.writable().await?;
            match stream.try_write(&buf) {
                Ok(written) => buf.advance(written),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        // Only now may the owner thread write again.
        bytes.fetch_sub(taken, Release);
        buf = BytesMut::new();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use zebu_core::id::{Epoch, Zxid};

    #[test]
    fn a_learner_may_be_given_more_history_than_may_wait_otherwise() {
        let zxid = Zxid::ZERO;
        let commit = || PeerMsg::Commit { zxid };
        for head in
            [PeerMsg::Snap { zxid, body: Bytes::new() }, PeerMsg::Diff { target: zxid }, PeerMsg::Trunc { to: zxid }]
        {
            let mut limit = Limit::Bytes(QUEUE_BYTES);
            assert!(limit.admits(QUEUE_BYTES, &commit()) && !limit.admits(QUEUE_BYTES + 1, &commit()));
            assert!(limit.admits(0, &head));
            let history = 5 * QUEUE_BYTES;
            assert!(limit.admits(history, &commit()));
            assert!(limit.admits(history, &PeerMsg::NewLeader { epoch: Epoch(1), config: String::new() }));
            assert!(limit.admits(history + QUEUE_BYTES, &commit()));
            assert!(!limit.admits(history + QUEUE_BYTES + 1, &commit()));
        }
    }
}
