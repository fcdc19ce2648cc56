//! What one connection measures of its own requests: gathered without any lock, and handed over once for all that a
//! wake-up brought.

use super::link_stats::AnsweredNow;
use super::links::LinkBox;
use crate::metrics::Metrics;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use zebu_core::error::ZkError;
use zebu_core::wire::client::{Request, xid};
use zebu_core::wire::op::OpCode;

/// A request that came.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    xid: i32,
    op: Option<OpCode>,
}

/// See the module.
#[derive(Debug)]
pub struct Tally {
    /// When bytes last came.
    came: Instant,
    /// Whether the first frame has come, which is the handshake.
    greeted: bool,
    /// Whether the handshake is answered.
    welcomed: bool,
    /// Requests not answered yet, in their order: as many as the link has pending.
    waiting: VecDeque<Asked>,
    answered: Vec<Asked>,
    /// When the writes under way were handed to the server.
    submitted: VecDeque<Instant>,
    written: Vec<u64>,
    waited: Vec<u64>,
    /// How long frames waited to be taken, where they may have had to.
    throttled_for: Vec<u64>,
    received: u64,
    received_bytes: u64,
    sent: u64,
    sent_bytes: u64,
    event_bytes: u64,
    auth_failed: u64,
    throttled: u64,
    sizes: crate::metrics::pages::Sizes,
    last_zxid: i64,
    /// Names of what was read, one behind the other, and where each ends, with the bytes read.
    names: String,
    reads: Vec<(usize, u64)>,
}

impl Tally {
    /// Of a connection that begins.
    pub fn new(now: Instant) -> Tally {
        Tally {
            came: now,
            greeted: false,
            welcomed: false,
            waiting: VecDeque::new(),
            answered: Vec::new(),
            submitted: VecDeque::new(),
            written: Vec::new(),
            waited: Vec::new(),
            throttled_for: Vec::new(),
            received: 0,
            received_bytes: 0,
            sent: 0,
            sent_bytes: 0,
            event_bytes: 0,
            auth_failed: 0,
            throttled: 0,
            sizes: Default::default(),
            last_zxid: -1,
            names: String::new(),
            reads: Vec::new(),
        }
    }

    /// Bytes came.
    pub fn heard(&mut self, now: Instant) {
        self.came = now;
    }

    /// A frame came; what it asks for. The link is told next, and then [`Tally::taken`] what it did with it.
    pub fn frame(&mut self, frame: &[u8]) -> Option<OpCode> {
        self.received += 1;
        self.received_bytes += frame.len() as u64 + 4;
        let asked = match (self.greeted, frame.first_chunk::<8>()) {
            (true, Some([a, b, c, d, e, f, g, h])) => Asked {
                at: self.came,
                xid: i32::from_be_bytes([*a, *b, *c, *d]),
                op: OpCode::from_code(i32::from_be_bytes([*e, *f, *g, *h])),
            },
            (greeted, _) => Asked { at: self.came, xid: 0, op: (!greeted).then_some(OpCode::CreateSession) },
        };
        self.greeted = true;
        self.waiting.push_back(asked);
        asked.op
    }

    /// The frame that came last had been there since `arrived`, and was not taken because too many were under way.
    pub fn throttled(&mut self, arrived: Instant) {
        self.throttled_for.push(micros(arrived, Instant::now()));
    }

    /// Whether the link has queued what came last. Otherwise it has answered it, past whatever waits.
    pub fn taken(&mut self, queued: bool) {
        if !queued {
            self.answered.extend(self.waiting.pop_back());
        }
    }

    /// So many of the frames that came are not answered yet; they are answered in order.
    pub fn settle(&mut self, pending: usize) {
        while self.waiting.len() > pending {
            self.answered.extend(self.waiting.pop_front());
        }
    }

    /// A write goes to the server.
    pub fn submitted(&mut self) {
        self.submitted.push_back(self.came);
    }

    /// The server has answered the oldest of them.
    pub fn replied(&mut self) {
        if let Some(at) = self.submitted.pop_front() {
            self.written.push(micros(at, Instant::now()));
        }
    }

    /// A read is about to be answered, the oldest request that waits.
    pub fn reads(&mut self) {
        let Some(asked) = self.waiting.front() else { return };
        // What came with the last bytes has waited for nothing; no clock need be asked.
        self.waited.push(if asked.at == self.came { 0 } else { micros(asked.at, Instant::now()) });
    }

    /// It was answered well, with so many bytes.
    pub fn read(&mut self, request: &Request, bytes: usize) {
        if let Some(name) = path_of(request).and_then(namespace) {
            self.names.push_str(name);
            self.reads.push((self.names.len(), bytes as u64));
        }
    }

    /// A frame goes out, length prefix included.
    pub fn wrote(&mut self, frame: &[u8]) {
        self.sent += 1;
        self.sent_bytes += frame.len() as u64;
        self.sizes.add(frame.len().saturating_sub(4));
        if !std::mem::replace(&mut self.welcomed, true) {
            // The handshake's answer is no reply.
            return;
        }
        // Length, xid, zxid, error.
        let Some((head, error)) = frame.split_first_chunk::<16>() else { return };
        let [_, _, _, _, a, b, c, d, zxid @ ..] = head;
        let xid = i32::from_be_bytes([*a, *b, *c, *d]);
        if xid == xid::EVENT {
            self.event_bytes += frame.len() as u64;
            return;
        }
        self.last_zxid = i64::from_be_bytes(*zxid);
        match error.first_chunk::<4>().map(|error| ZkError::from_code(i32::from_be_bytes(*error))) {
            Some(Some(ZkError::AuthFailed)) if xid == xid::AUTH => self.auth_failed += 1,
            Some(Some(ZkError::ThrottledOp)) if xid > 0 => self.throttled += 1,
            _ => {}
        }
    }

    /// Hands over what has gathered: what was answered is about to be written to the socket.
    pub fn flush(&mut self, link: &LinkBox, metrics: &Metrics) {
        if self.received == 0 && self.sent == 0 && self.answered.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut summed: Option<AnsweredNow> = None;
        metrics.clients.with(|page| {
            page.packets_received += self.received;
            page.bytes_received_count += self.received_bytes;
            page.packets_sent += self.sent;
            page.response_bytes += self.sent_bytes;
            page.watch_bytes += self.event_bytes;
            page.auth_failed += std::mem::take(&mut self.auth_failed);
            page.throttled_ops += std::mem::take(&mut self.throttled);
            page.response_sizes.absorb(self.sizes);
            self.written.drain(..).for_each(|us| page.write_commitproc_time_ms.add(us));
            self.waited.drain(..).for_each(|us| page.read_commitproc_time_ms.add(us));
            let at_once = self.received.saturating_sub(self.throttled_for.len() as u64);
            page.request_throttle_queue_time_ms.add_times(0, at_once);
            self.throttled_for.drain(..).for_each(|us| page.request_throttle_queue_time_ms.add(us));
            for Asked { at, xid, op } in self.answered.drain(..) {
                let us = micros(at, now);
                if op.is_some_and(changes) {
                    page.updatelatency.add(us)
                } else {
                    page.readlatency.add(us)
                }
                if let Some(op) = op {
                    page.ops.add(op);
                }
                let ms = us / 1000;
                let sum = summed.get_or_insert(AnsweredNow {
                    op,
                    cxid: xid,
                    last_latency: ms,
                    min_latency: ms,
                    max_latency: ms,
                    latency_sum: 0,
                    count: 0,
                });
                (sum.op, sum.cxid, sum.last_latency) = (op, xid, ms);
                sum.min_latency = sum.min_latency.min(ms);
                sum.max_latency = sum.max_latency.max(ms);
                sum.latency_sum += ms;
                sum.count += 1;
            }
            let mut from = 0;
            for (end, bytes) in self.reads.drain(..) {
                page.read_per_namespace.add(self.names.get(from..end).unwrap_or_default(), bytes);
                from = end;
            }
        });
        self.names.clear();
        link.stats.received.fetch_add(self.received, Relaxed);
        link.stats.sent.fetch_add(self.sent, Relaxed);
        if let Some(summed) = summed {
            link.stats.answered(summed, self.last_zxid, metrics.millis(now));
        }
        link.stats.heard.store(metrics.millis(self.came), Relaxed);
        (self.received, self.received_bytes, self.sent, self.sent_bytes, self.event_bytes) = (0, 0, 0, 0, 0);
        self.sizes = Default::default();
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}

/// Whether an operation makes a transaction.
fn changes(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::DeleteContainer
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig
            | OpCode::CreateSession
            | OpCode::CloseSession
    )
}

fn path_of(request: &Request) -> Option<&str> {
    match request {
        Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::GetAcl { path }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::GetAllChildrenNumber { path } => Some(path),
        _ => None,
    }
}

/// A longer name is not counted by.
const NAME_MAX: usize = 256;

/// The first name of a path, by which reads and writes are counted. The root has none, and what would take much memory
/// or break the lines of `mntr` is none.
pub fn namespace(path: &str) -> Option<&str> {
    let name = path.strip_prefix('/')?;
    let name = name.split_once('/').map_or(name, |(first, _)| first);
    let is_fit = !name.is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control);
    is_fit.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::links::{Links, Transport};
    use super::*;
    use std::net::SocketAddr;
    use zebu_core::id::Zxid;
    use zebu_core::wire::client::{EventKind, Response, WatcherEvent, event_frame, reply_frame, request_frame};

    fn header(xid: i32, request: &Request) -> bytes::Bytes {
        request_frame(xid, request).split_off(4)
    }

    #[test]
    fn namespaces() {
        for (path, name) in
            [("/a/b/c", Some("a")), ("/a", Some("a")), ("/", None), ("", None), ("a/b", None), ("//b", None)]
        {
            assert_eq!(namespace(path), name, "{path:?}");
        }
        let (fits, too_long) = (format!("/{}", "n".repeat(NAME_MAX)), format!("/{}/x", "n".repeat(NAME_MAX + 1)));
        assert_eq!(namespace(&fits), fits.strip_prefix('/'));
        assert_eq!((namespace(&too_long), namespace("/x\nzk_server_state\tleader")), (None, None));
    }

    #[test]
    fn what_a_wake_up_brought_is_handed_over_once() {
        let (links, metrics) = (Links::default(), Metrics::new());
        let link = links.open(SocketAddr::from(([127, 0, 0, 1], 1)), Transport::Plain);
        let mut tally = Tally::new(Instant::now());
        tally.frame(&[0; 44]);
        tally.taken(true);
        tally.wrote(&[0; 41]);
        tally.settle(0);
        let read = Request::GetData { path: "/a/b".into(), watch: false };
        let write = Request::Delete { path: "/a".into(), version: -1 };
        tally.frame(&header(1, &write));
        tally.taken(true);
        tally.submitted();
        tally.frame(&header(2, &read));
        tally.taken(true);
        tally.frame(&header(-2, &Request::Ping));
        tally.taken(false);
        tally.flush(&link, &metrics);
        let page = metrics.all_clients();
        assert_eq!((page.packets_received, page.bytes_received_count), (4, 48 + 4 * 3 + 8 + 10 + 8 + 9 + 8));
        assert_eq!((page.updatelatency.count(), page.readlatency.count()), (1, 1), "the handshake and the ping");
        assert_eq!(link.stats.told().last_op, "PING");

        tally.wrote(&event_frame(Zxid(-1), &WatcherEvent { kind: EventKind::Deleted, path: "/a".into() }));
        tally.replied();
        let reply = reply_frame(1, Zxid(9), &Ok(Response::Empty));
        tally.wrote(&reply);
        tally.settle(1);
        tally.reads();
        tally.read(&read, 20);
        tally.wrote(&reply_frame(2, Zxid(10), &Ok(Response::Empty)));
        tally.settle(0);
        tally.flush(&link, &metrics);
        let page = metrics.all_clients();
        assert_eq!((page.updatelatency.count(), page.readlatency.count()), (2, 2));
        assert_eq!((page.write_commitproc_time_ms.count(), page.read_commitproc_time_ms.count()), (1, 1));
        assert_eq!(page.packets_sent, 4);
        assert_eq!(page.response_bytes, page.watch_bytes + 2 * reply.len() as u64 + 41);
        assert_eq!(page.response_sizes.told()[0], reply.len() as i64 - 4);
        let waited = &page.request_throttle_queue_time_ms;
        assert_eq!((waited.count(), waited.sum()), (4, 0.0), "nobody was throttled");
        let told = link.stats.told();
        assert_eq!((told.received, told.sent), (4, 4));
        assert_eq!((told.last_op, told.last_cxid, told.last_zxid), ("GETD", 2, 10));
        let spaces: Vec<_> = page.read_per_namespace.iter().map(|(name, s)| (name.to_string(), s.sum())).collect();
        assert_eq!(spaces, [("a".to_string(), 20.0)]);
        let before = metrics.all_clients().packets_sent;
        tally.flush(&link, &metrics);
        assert_eq!(metrics.all_clients().packets_sent, before, "nothing is handed over twice");
    }
}
