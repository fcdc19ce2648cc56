//! The election port (quorum-protocol.md §2): one connection per pair of servers, kept by the one with the larger
//! id; of several notifications that wait for a peer only the newest is sent.
//!
//! The core says [`Election::notify`] and does not care for connections. A connection is made when there is something
//! to say and none is there; one that fails is tried again with the next notification, which the core repeats with
//! growing pauses as long as it is in an election.

use super::listen::{self, ListenError, listen};
use crate::config_file::{ServerLine, ZooCfg, bracketed};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};
use zebu_core::config::LARGEST_ID;
use zebu_core::id::ServerId;
use zebu_core::input::Input;
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::notification::{InitialMessage, MAX_MESSAGE, Notification};

/// Connections that have not said who they are: more at once are refused.
const MAX_HANDSHAKES: usize = 64;

/// Takes what the core has to hear: what peers say, and that nobody listens where one should be.
pub type Deliver = dyn Fn(Input) + Send + Sync;

/// A connection that lasted so long and ends is missed: a look tells whether the peer still runs.
const SETTLED: Duration = Duration::from_secs(1);

/// The election transport of one server.
pub struct Election {
    me: ServerId,
    peers: Arc<Peers>,
    deliver: Arc<Deliver>,
}

/// All that are spoken with: members, and where members change those who ask to become some, or were some.
struct Peers {
    known: Mutex<BTreeMap<ServerId, Known>>,
    rules: Rules,
    deliver: Arc<Deliver>,
    /// Whoever calls is spoken with, at the address that it says.
    strangers: bool,
    runtime: tokio::runtime::Handle,
}

struct Known {
    peer: Arc<Peer>,
    calls: AbortHandle,
}

impl Peers {
    fn get(&self, id: ServerId) -> Option<Arc<Peer>> {
        self.known.lock().get(&id).map(|known| known.peer.clone())
    }

    /// From now on `id` is at this address.
    fn put(&self, id: ServerId, host: &str, port: u16) {
        let mut known = self.known.lock();
        if known.get(&id).is_some_and(|known| known.peer.host == host && known.peer.port == port) {
            return;
        }
        let peer = Arc::new(Peer { id, host: host.to_string(), port, slot: Mutex::default(), wake: Notify::new() });
        let calls = self.runtime.spawn(peer.clone().run(self.rules.clone(), self.deliver.clone())).abort_handle();
        if let Some(old) = known.insert(id, Known { peer, calls }) {
            old.calls.abort();
            if let Some(connection) = old.peer.slot.lock().connection.take() {
                connection.task.abort();
            }
        }
    }

    /// Who calls, if it is somebody to speak with.
    fn caller(&self, initial: &InitialMessage) -> Option<Arc<Peer>> {
        if let Some(peer) = self.get(initial.server) {
            return Some(peer);
        }
        let (host, port) = initial.addresses.first().and_then(|address| address.rsplit_once(':'))?;
        let port = port.parse().ok().filter(|_| self.strangers && (0..=LARGEST_ID).contains(&initial.server.0))?;
        info!("election port: server {} calls from {host}:{port}, it is no member yet or any more", initial.server);
        self.put(initial.server, host.trim_matches(['[', ']']), port);
        self.get(initial.server)
    }
}

/// What is known of one peer.
struct Peer {
    id: ServerId,
    host: String,
    port: u16,
    slot: Mutex<Slot>,
    /// Something is to be sent, or a connection to be made.
    wake: Notify,
}

#[derive(Default)]
struct Slot {
    /// The newest notification that was not sent yet.
    waiting: Option<Bytes>,
    /// What was sent last: a fresh connection begins with it, as the peer may have missed it.
    last: Option<Bytes>,
    connection: Option<Connection>,
    /// The peer called us although the larger id calls: call back. Or its connection has ended: look whether it is
    /// there.
    call: bool,
    /// To tell a connection from its successor.
    connections: u64,
}

struct Connection {
    number: u64,
    task: AbortHandle,
    wake: Arc<Notify>,
}

/// How things are done, the same for all peers.
#[derive(Clone)]
struct Rules {
    me: ServerId,
    /// What we say first on a connection.
    initial: Bytes,
    connect_timeout: Duration,
    handshake_timeout: Duration,
}

impl Election {
    /// Opens the port and starts the tasks; to be called inside the runtime. `deliver` gets what peers say, and what
    /// we say to ourselves.
    ///
    /// # Errors
    /// The port can't be opened, after the configured number of tries.
    pub async fn start(cfg: &ZooCfg, own: &ServerLine, deliver: Arc<Deliver>) -> Result<Election, ListenError> {
        let listener = open_port(cfg, own).await?;
        let mut initial = BytesMut::new();
        let address = format!("{}:{}", bracketed(&own.host), own.election_port);
        InitialMessage { server: cfg.id, addresses: vec![address] }.encode(&mut initial);
        let rules = Rules {
            me: cfg.id,
            initial: initial.freeze(),
            connect_timeout: cfg.connect_timeout,
            handshake_timeout: cfg.handshake_timeout,
        };
        let peers = Arc::new(Peers {
            known: Mutex::default(),
            rules: rules.clone(),
            deliver: deliver.clone(),
            strangers: cfg.reconfig.is_enabled(),
            runtime: tokio::runtime::Handle::current(),
        });
        let election = Election { me: cfg.id, peers, deliver };
        election.members(&cfg.servers);
        tokio::spawn(accept(listener, rules, election.peers.clone(), election.deliver.clone()));
        Ok(election)
    }

    /// These are the members from now on. Who was one before is still answered.
    pub fn members(&self, servers: &BTreeMap<ServerId, ServerLine>) {
        for (id, line) in servers.iter().filter(|(id, _)| **id != self.me) {
            self.peers.put(*id, &line.host, line.election_port);
        }
    }

    /// Sends a notification, instead of one to the same server that still waits.
    pub fn notify(&self, to: ServerId, note: Notification) {
        if to == self.me {
            (self.deliver)(Input::Notification { from: to, note });
            return;
        }
        let Some(peer) = self.peers.get(to) else { return };
        let mut slot = peer.slot.lock();
        slot.waiting = Some(note.frame());
        match &slot.connection {
            Some(connection) => connection.wake.notify_one(),
            None => peer.wake.notify_one(),
        }
    }
}

async fn open_port(cfg: &ZooCfg, own: &ServerLine) -> Result<TcpListener, ListenError> {
    let host = (!cfg.quorum_listen_on_all_ips).then_some(own.host.as_str());
    let key = format!("server.{}", cfg.id);
    let mut tries = 0;
    loop {
        match listen(host, own.election_port, None, "election port", &key).await {
            Err(e) if e.in_use && cfg.bind_retries.is_none_or(|most| tries < most) => {
                tries += 1;
                info!("{e}; tries again in a second");
                sleep(Duration::from_secs(1)).await;
            }
            result => return result,
        }
    }
}

async fn accept(listener: TcpListener, rules: Rules, peers: Arc<Peers>, deliver: Arc<Deliver>) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let (stream, remote) = listen::accept(&listener, "election port").await;
        let Ok(permit) = handshakes.clone().try_acquire_owned() else {
            warn!("election port: refuses {remote}: {MAX_HANDSHAKES} others have not said who they are yet");
            continue;
        };
        let (rules, peers, deliver) = (rules.clone(), peers.clone(), deliver.clone());
        tokio::spawn(async move {
            match timeout(rules.handshake_timeout, greet(stream, remote, &rules, &peers, deliver)).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => warn!("election port: refuses {remote}: {why}"),
                Err(_) => warn!("election port: refuses {remote}: it did not say who it is in time"),
            }
            drop(permit);
        });
    }
}

/// Reads who calls, and keeps the connection or calls back.
async fn greet(
    mut stream: TcpStream,
    remote: SocketAddr,
    rules: &Rules,
    peers: &Peers,
    deliver: Arc<Deliver>,
) -> Result<(), String> {
    let mut buf = BytesMut::with_capacity(128);
    let initial = loop {
        if let Some(initial) = InitialMessage::decode(&mut buf).map_err(|e| e.to_string())? {
            break initial;
        }
        match stream.read_buf(&mut buf).await {
            Ok(0) if buf.is_empty() => return Ok(()),
            Ok(0) => return Err("it ended in the middle of its first message".into()),
            Ok(_) => {}
            Err(e) => return Err(e.to_string()),
        }
    };
    let from = initial.server;
    if from == rules.me {
        return Err(format!(
            "it says that it is server {from}, which is this server; do two servers have the same myid?"
        ));
    }
    let Some(peer) = peers.caller(&initial) else {
        return Err(format!("it says that it is server {from}, which zoo.cfg does not list"));
    };
    if from < rules.me {
        debug!("election port: server {from} called, calls back");
        let mut slot = peer.slot.lock();
        if let Some(old) = slot.connection.take() {
            old.task.abort();
        }
        slot.call = true;
        peer.wake.notify_one();
        return Ok(());
    }
    debug!("election port: connected with server {from} at {remote}");
    peer.keep(stream, buf, deliver);
    Ok(())
}

impl Peer {
    /// Makes connections when they are needed.
    async fn run(self: Arc<Self>, rules: Rules, deliver: Arc<Deliver>) {
        loop {
            self.wake.notified().await;
            {
                let mut slot = self.slot.lock();
                let wanted = slot.waiting.is_some() || slot.call;
                slot.call = false;
                if slot.connection.is_some() || !wanted {
                    continue;
                }
            }
            match timeout(rules.connect_timeout, self.call(&rules)).await {
                Ok(Ok(stream)) if self.id < rules.me => {
                    debug!("election port: connected to server {}", self.id);
                    self.keep(stream, BytesMut::new(), deliver.clone());
                }
                // The larger id keeps the connection that it opens itself: this one was only to ask for it.
                Ok(Ok(_)) => {}
                Ok(Err(e)) => {
                    debug!("election port: server {} can't be reached: {e}", self.id);
                    if e.kind() == io::ErrorKind::ConnectionRefused {
                        deliver(Input::Refused { by: self.id });
                    }
                }
                Err(_) => debug!("election port: server {} can't be reached in time", self.id),
            }
        }
    }

    async fn call(&self, rules: &Rules) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&rules.initial).await?;
        Ok(stream)
    }

    /// Uses a connection, instead of an older one.
    fn keep(self: &Arc<Self>, stream: TcpStream, buf: BytesMut, deliver: Arc<Deliver>) {
        listen::tune(&stream);
        let mut slot = self.slot.lock();
        if let Some(old) = slot.connection.take() {
            old.task.abort();
        }
        slot.connections += 1;
        let number = slot.connections;
        if slot.waiting.is_none() {
            slot.waiting = slot.last.clone();
        }
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        let (peer, woken, since) = (self.clone(), wake.clone(), Instant::now());
        let task = tokio::spawn(async move {
            let (read, write) = stream.into_split();
            let ended = tokio::select! {
                ended = peer.receive(read, buf, deliver) => ended,
                ended = peer.send(write, &woken) => ended,
            };
            match ended {
                Ok(()) => debug!("election port: server {} ended the connection", peer.id),
                Err(why) => info!("election port: drops the connection with server {}: {why}", peer.id),
            }
            let mut slot = peer.slot.lock();
            if slot.connection.as_ref().is_some_and(|c| c.number == number) {
                slot.connection = None;
                slot.call |= since.elapsed() >= SETTLED;
                if slot.waiting.is_some() || slot.call {
                    peer.wake.notify_one();
                }
            }
        });
        slot.connection = Some(Connection { number, task: task.abort_handle(), wake });
    }

    async fn receive(&self, mut read: OwnedReadHalf, mut buf: BytesMut, deliver: Arc<Deliver>) -> Result<(), String> {
        loop {
            while let Some(payload) = split_frame(&mut buf, MAX_MESSAGE).map_err(|e| e.to_string())? {
                if payload.is_empty() {
                    return Err("it sent an empty message".into());
                }
                match Notification::decode(payload) {
                    Ok(note) => deliver(Input::Notification { from: self.id, note }),
                    Err(e) => warn!("election port: skips a message of server {}: {e}", self.id),
                }
            }
            match read.read_buf(&mut buf).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    async fn send(&self, mut write: OwnedWriteHalf, wake: &Notify) -> Result<(), String> {
        loop {
            wake.notified().await;
            let message = {
                let mut slot = self.slot.lock();
                let message = slot.waiting.take();
                if message.is_some() {
                    slot.last = message.clone();
                }
                message
            };
            if let Some(message) = message {
                write.write_all(&message).await.map_err(|e| e.to_string())?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use zebu_core::id::{Epoch, Zxid};
    use zebu_core::wire::notification::{ServerState, Vote};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn note(round: i64) -> Notification {
        let vote = Vote { epoch: Epoch(0), zxid: Zxid::ZERO, leader: ServerId(1) };
        Notification { state: ServerState::Looking, vote, round, version: 2, config: "version=0".into() }
    }

    /// Servers 1 to 3 on free ports. What a port was found free with is given up before it is used, so a start may
    /// have to be tried again.
    async fn config(id: i64, ports: [u16; 3]) -> ZooCfg {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("myid"), id.to_string()).expect("written");
        let servers: String =
            (1..).zip(ports).map(|(n, port)| format!("server.{n}=127.0.0.1:{}:{port}\n", n + 1)).collect();
        let text = format!(
            "dataDir={}\nclientPort=1\ninitLimit=5\nsyncLimit=5\ncnxTimeout=2000\n{servers}",
            dir.path().display()
        );
        let file = dir.path().join("zoo.cfg");
        std::fs::write(&file, text).expect("written");
        ZooCfg::load(&file).expect("valid")
    }

    async fn free_ports() -> [u16; 3] {
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        }
        [0, 1, 2].map(|n: usize| held[n].local_addr().expect("bound").port())
    }

    type Heard = UnboundedReceiver<Input>;

    async fn start(cfg: &ZooCfg) -> (Election, Heard) {
        let (heard, hear) = unbounded_channel();
        let deliver = Arc::new(move |input| drop(heard.send(input)));
        (Election::start(cfg, cfg.own_line().expect("listed"), deliver).await.expect("started"), hear)
    }

    async fn next(heard: &mut Heard) -> (i64, i64) {
        loop {
            match timeout(PATIENCE, heard.recv()).await.expect("in time").expect("the transport lives") {
                Input::Notification { from, note } => return (from.0, note.round),
                // Nobody was there yet.
                Input::Refused { .. } => {}
                other => panic!("{other:?} comes from no peer"),
            }
        }
    }

    async fn refused(heard: &mut Heard) -> ServerId {
        loop {
            match timeout(PATIENCE, heard.recv()).await.expect("in time").expect("the transport lives") {
                Input::Refused { by } => return by,
                Input::Notification { .. } => {}
                other => panic!("{other:?} comes from no peer"),
            }
        }
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_told_of() {
        let ports = free_ports().await;
        let (two, mut heard) = start(&config(2, ports).await).await;
        two.notify(ServerId(1), note(1));
        assert_eq!(refused(&mut heard).await, ServerId(1));
        // It runs, speaks, and is gone: its end alone is reason to look, whatever was said on the connection.
        let at_1 = TcpListener::bind(("127.0.0.1", ports[0])).await.expect("server 1's port");
        two.notify(ServerId(1), note(2));
        let (stream, _) = timeout(PATIENCE, at_1.accept()).await.expect("in time").expect("called");
        sleep(SETTLED + Duration::from_millis(100)).await;
        drop((at_1, stream));
        assert_eq!(refused(&mut heard).await, ServerId(1));
    }

    #[tokio::test]
    async fn both_ways_whoever_speaks_first_and_to_oneself() {
        for first in [1, 2] {
            let ports = free_ports().await;
            let (cfg_1, cfg_2) = (config(1, ports).await, config(2, ports).await);
            let ((one, mut at_1), (two, mut at_2)) = (start(&cfg_1).await, start(&cfg_2).await);
            if first == 1 {
                one.notify(ServerId(2), note(7));
                assert_eq!(next(&mut at_2).await, (1, 7));
            }
            two.notify(ServerId(1), note(8));
            assert_eq!(next(&mut at_1).await, (2, 8));
            one.notify(ServerId(2), note(9));
            assert_eq!(next(&mut at_2).await, (1, 9));
            one.notify(ServerId(1), note(10));
            assert_eq!(next(&mut at_1).await, (1, 10));
        }
    }

    /// A peer made by hand: what it reads after having introduced itself as server 3, which keeps its connections.
    async fn as_three(port: u16) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        let mut hello = BytesMut::new();
        InitialMessage { server: ServerId(3), addresses: vec!["127.0.0.1:1".into()] }.encode(&mut hello);
        stream.write_all(&hello).await.expect("sent");
        stream
    }

    async fn read_note(stream: &mut TcpStream, buf: &mut BytesMut) -> i64 {
        loop {
            if let Some(payload) = split_frame(buf, MAX_MESSAGE).expect("a frame") {
                return Notification::decode(payload).expect("a notification").round;
            }
            let read = timeout(PATIENCE, stream.read_buf(buf)).await.expect("in time").expect("readable");
            assert_ne!(read, 0, "the connection ended");
        }
    }

    #[tokio::test]
    async fn only_the_newest_waits_and_a_fresh_connection_begins_with_the_last() {
        let ports = free_ports().await;
        let (one, mut heard) = start(&config(1, ports).await).await;
        // Nobody is there yet.
        for round in 1..=5 {
            one.notify(ServerId(3), note(round));
        }
        let (mut stream, mut buf) = (as_three(ports[0]).await, BytesMut::new());
        assert_eq!(read_note(&mut stream, &mut buf).await, 5);
        stream.write_all(&note(20).frame()).await.expect("sent");
        assert_eq!(next(&mut heard).await, (3, 20));
        // A message that can't be understood is skipped, the connection stays.
        stream.write_all(&[0, 0, 0, 4, 1, 2, 3, 4]).await.expect("sent");
        stream.write_all(&note(21).frame()).await.expect("sent");
        assert_eq!(next(&mut heard).await, (3, 21));
        // The same server anew: the old connection goes, and the last message comes once more.
        let (mut again, mut buf_again) = (as_three(ports[0]).await, BytesMut::new());
        assert_eq!(read_note(&mut again, &mut buf_again).await, 5);
        let ended = timeout(PATIENCE, stream.read_buf(&mut buf)).await.expect("in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        // A length that no message has ends it.
        again.write_all(&[0, 0, 0, 0]).await.expect("sent");
        let ended = timeout(PATIENCE, again.read_buf(&mut buf_again)).await.expect("in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }

    #[tokio::test]
    async fn a_smaller_id_is_called_back_and_strangers_are_not() {
        let ports = free_ports().await;
        let at_1 = TcpListener::bind(("127.0.0.1", ports[0])).await.expect("server 1's port");
        let (two, _heard) = start(&config(2, ports).await).await;
        let hello = |id| {
            let mut hello = BytesMut::new();
            InitialMessage { server: ServerId(id), addresses: vec!["127.0.0.1:1".into()] }.encode(&mut hello);
            hello
        };
        for stranger in [2, 9, -1] {
            let mut stream = TcpStream::connect(("127.0.0.1", ports[1])).await.expect("it listens");
            stream.write_all(&hello(stranger)).await.expect("sent");
            let ended = timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("in time");
            assert!(matches!(ended, Ok(0) | Err(_)), "{stranger}: {ended:?}");
        }
        let mut stream = TcpStream::connect(("127.0.0.1", ports[1])).await.expect("it listens");
        stream.write_all(&hello(1)).await.expect("sent");
        let (mut back, _) = timeout(PATIENCE, at_1.accept()).await.expect("in time").expect("called back");
        let mut buf = BytesMut::new();
        let initial = loop {
            if let Some(initial) = InitialMessage::decode(&mut buf).expect("well formed") {
                break initial;
            }
            back.read_buf(&mut buf).await.expect("readable");
        };
        assert_eq!((initial.server, initial.addresses), (ServerId(2), vec![format!("127.0.0.1:{}", ports[1])]));
        two.notify(ServerId(1), note(3));
        assert_eq!(read_note(&mut back, &mut buf).await, 3);
    }
}
