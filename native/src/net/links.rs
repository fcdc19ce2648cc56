//! The client connections of this process: how the owner thread and the read side reach them.

use super::link_stats::LinkStats;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use tokio::sync::Notify;
use zebu_core::effect::{LinkClose, ToLink};
use zebu_core::id::{LinkId, SessionId};

/// A connection for which more bytes wait than this does not read: it is ended. As many again may lie with its own task.
const OUTBOX_MAX: usize = 32 << 20;

/// What a connection's bytes go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing.
    Plain,
    /// TLS; the client has shown no certificate.
    Tls,
    /// TLS, and the client has shown a certificate.
    MutualTls,
}

/// What waits for a connection.
#[derive(Debug, Default)]
struct Outbox {
    messages: Vec<ToLink>,
    bytes: usize,
}

/// What a message takes up here. Others may share an event's path, or hold it for themselves as well. What a reply
/// holds was asked for by a request, and of those there are not many (see `PENDING_MAX`).
fn size(msg: &ToLink) -> usize {
    let path = if let ToLink::Event(event) = msg { event.path.len() } else { 0 };
    size_of::<ToLink>() + path
}

/// One connection's side that others see.
#[derive(Debug)]
pub struct LinkBox {
    /// Its number.
    pub id: LinkId,
    /// The other end.
    pub remote: SocketAddr,
    /// What lies between.
    pub transport: Transport,
    outbox: Mutex<Outbox>,
    wake: Notify,
    overrun: AtomicBool,
    ended: AtomicBool,
    /// 0 before the handshake is answered.
    session: AtomicI64,
    heard: AtomicBool,
    /// When it was accepted, milliseconds since 1970.
    pub established: i64,
    /// What is known of its traffic.
    pub stats: LinkStats,
    /// Requests not answered yet.
    pub pending: AtomicUsize,
}

impl LinkBox {
    /// Something for this connection; in order of the calls.
    pub fn push(&self, msg: ToLink) {
        let size = size(&msg);
        if matches!(msg, ToLink::Close(_)) {
            self.ended.store(true, Relaxed);
        }
        let mut outbox = self.outbox.lock();
        if outbox.bytes + size <= OUTBOX_MAX {
            outbox.bytes += size;
            outbox.messages.push(msg);
        } else {
            self.overrun.store(true, Relaxed);
        }
        drop(outbox);
        self.wake.notify_one();
    }

    /// Takes all that waits.
    pub fn drain(&self) -> Vec<ToLink> {
        std::mem::take(&mut *self.outbox.lock()).messages
    }

    /// Waits until something may wait.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether something had to be thrown away: the connection can't be used any more.
    pub fn is_overrun(&self) -> bool {
        self.overrun.load(Relaxed)
    }

    /// Whether the server has ended it; the message that says so may still wait.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Its session, once there is one.
    pub fn session(&self) -> Option<SessionId> {
        Some(SessionId(self.session.load(Relaxed))).filter(|s| s.0 != 0)
    }

    /// The handshake is answered.
    pub fn set_session(&self, session: SessionId) {
        self.session.store(session.0, Relaxed);
    }

    /// The client was heard.
    pub fn heard(&self) {
        self.heard.store(true, Relaxed);
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Links {
    open: Mutex<HashMap<LinkId, Arc<LinkBox>>>,
    next: AtomicU64,
}

impl Links {
    /// A new connection; the number is never used again.
    pub fn open(&self, remote: SocketAddr, transport: Transport) -> Arc<LinkBox> {
        let link = Arc::new(LinkBox {
            id: LinkId(self.next.fetch_add(1, Relaxed) + 1),
            remote,
            transport,
            outbox: Mutex::default(),
            wake: Notify::new(),
            overrun: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            session: AtomicI64::new(0),
            heard: AtomicBool::new(false),
            established: crate::clock::wall_millis(),
            stats: LinkStats::default(),
            pending: AtomicUsize::new(0),
        });
        self.open.lock().insert(link.id, link.clone());
        link
    }

    /// The connection is gone.
    pub fn close(&self, id: LinkId) {
        self.open.lock().remove(&id);
    }

    /// Tells one connection something. False if it is gone.
    pub fn push(&self, id: LinkId, msg: ToLink) -> bool {
        let link = self.open.lock().get(&id).cloned();
        if let Some(link) = &link {
            link.push(msg);
        }
        link.is_some()
    }

    /// Ends all connections.
    pub fn close_all(&self, why: &LinkClose) {
        for link in self.all() {
            link.push(ToLink::Close(why.clone()));
        }
    }

    /// Those that are open, in order of their numbers.
    pub fn all(&self) -> Vec<Arc<LinkBox>> {
        let mut all: Vec<_> = self.open.lock().values().cloned().collect();
        all.sort_by_key(|l| l.id);
        all
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// The sessions heard from since the last call.
    pub fn take_touched(&self) -> Vec<SessionId> {
        let open = self.open.lock();
        let mut touched: Vec<_> =
            open.values().filter(|l| l.heard.swap(false, Relaxed)).filter_map(|l| l.session()).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::wire::client::{EventKind, WatcherEvent};

    fn event() -> ToLink {
        ToLink::Event(WatcherEvent { kind: EventKind::Created, path: "/a".into() })
    }

    #[test]
    fn outboxes_and_touched_sessions() {
        let links = Links::default();
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        let (a, b) = (links.open(remote, Transport::Plain), links.open(remote, Transport::Plain));
        assert_ne!(a.id, b.id);
        assert!(links.push(a.id, event()));
        assert_eq!((a.drain().len(), b.drain().len()), (1, 0));
        a.heard();
        assert_eq!(links.take_touched(), [], "no session yet");
        a.set_session(SessionId(7));
        a.heard();
        assert_eq!((links.take_touched(), links.take_touched()), (vec![SessionId(7)], vec![]));
        links.close(a.id);
        assert!(!links.push(a.id, event()), "it is gone");
        links.close_all(&LinkClose::NotServing);
        assert_eq!((a.drain().len(), b.drain().len(), links.len()), (0, 1, 1));
    }

    #[test]
    fn a_client_that_never_reads_is_found_by_the_bytes_that_wait() {
        let links = Links::default();
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        let of = |length: usize| {
            let path = "p".repeat(length).into();
            ToLink::Event(WatcherEvent { kind: EventKind::Created, path })
        };
        for length in [10, 1000, 1 << 20] {
            let link = links.open(remote, Transport::Plain);
            let each = size_of::<ToLink>() + length;
            let (event, fit) = (of(length), OUTBOX_MAX / each);
            (0..fit).for_each(|_| link.push(event.clone()));
            assert!(!link.is_overrun());
            link.push(event.clone());
            assert!(link.is_overrun());
            assert_eq!(link.drain().len(), fit, "{length}");
            link.push(event);
            assert_eq!(link.drain().len(), 1, "what is taken does not count any more");
        }
    }

    #[test]
    fn who_is_ended_shows_it_at_once() {
        let links = Links::default();
        let link = links.open(SocketAddr::from(([127, 0, 0, 1], 1)), Transport::Plain);
        link.push(event());
        assert!(!link.is_ended());
        link.push(ToLink::Close(LinkClose::NotServing));
        assert!(link.is_ended());
        assert_eq!(link.drain().len(), 2);
    }
}
