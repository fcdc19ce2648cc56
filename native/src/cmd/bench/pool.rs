//! Connections of one thread. Many requests are written in one call and many answers taken from one read; nothing is
//! allocated for either.

use super::error::BenchError;
use super::target::{PATIENCE, Target, connect_request};
use bytes::{Bytes, BytesMut};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use zebu_core::wire::client::{ConnectResponse, Request, request_frame, xid};

/// So much is read at once.
const READ_SIZE: usize = 256 << 10;

/// The timer's number among those of the connections.
const TIMER: u64 = u64::MAX;

/// How often connections are looked at that have nothing to say.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// An answer or an event.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The request's number, or [`xid::EVENT`].
    pub xid: i32,
    /// 0, or the error's code.
    pub err: i32,
    /// What follows.
    #[allow(dead_code, reason = "read by tests and by workloads that look at events")]
    pub body: &'a [u8],
}

/// One connection, and its session once that is open.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    /// What waits to be written. Append to it, then [`Pool::flush`].
    pub out: BytesMut,
    written: usize,
    waits_to_write: bool,
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
    next_xid: i32,
    last_sent: Instant,
    session: Option<ConnectResponse>,
}

impl Connection {
    /// The number of the next request.
    pub fn next_xid(&mut self) -> i32 {
        // They stay positive: those below zero have a meaning of their own.
        self.next_xid = if self.next_xid == i32::MAX { 1 } else { self.next_xid + 1 };
        self.next_xid
    }

    fn broke(&self, why: impl ToString) -> BenchError {
        BenchError::Broke { host: self.host.to_string(), why: why.to_string() }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Pool {
    epoll: Epoll,
    timer: TimerFd,
    connections: Vec<Option<Connection>>,
    scratch: Vec<u8>,
    looked_around: Instant,
    ping: Bytes,
}

impl Pool {
    /// Without connections.
    ///
    /// # Errors
    /// The system has no means for it left.
    pub fn new() -> Result<Pool, BenchError> {
        raise_file_limit();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(BenchError::system("an epoll"))?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)
            .map_err(BenchError::system("a timer"))?;
        epoll
            .add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))
            .map_err(BenchError::system("to wait for a timer"))?;
        let ping = request_frame(xid::PING, &Request::Ping);
        let (connections, scratch) = (Vec::new(), vec![0; READ_SIZE]);
        Ok(Pool { epoll, timer, connections, scratch, looked_around: Instant::now(), ping })
    }

    /// Opens `count` sessions, spread over the target's servers, and waits until all are open.
    ///
    /// # Errors
    /// One is not opened.
    pub fn open(&mut self, target: &Target, count: usize) -> Result<(), BenchError> {
        let first = self.connections.len();
        for n in 0..count {
            self.begin(target.host(n), target.session_timeout_ms)?;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut missing = count;
        while missing > 0 {
            if Instant::now() > deadline {
                let what = format!("{missing} of {count} sessions at {}", target.name);
                return Err(BenchError::Silence { what, seconds: PATIENCE.as_secs() });
            }
            for n in self.wait(Some(deadline))? {
                if n >= first && self.session(n).is_none() {
                    self.read(n, &mut |_| {})?;
                    missing -= usize::from(self.session(n).is_some());
                }
            }
        }
        Ok(())
    }

    /// Connects and sends the handshake; its answer comes with a [`Pool::read`]. The connection's number.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn begin(&mut self, host: SocketAddr, timeout_ms: i32) -> Result<usize, BenchError> {
        let refused = |source| BenchError::NoConnection { host: host.to_string(), source };
        let stream = TcpStream::connect_timeout(&host, PATIENCE).map_err(refused)?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(refused)?;
        let n = self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len());
        self.epoll
            .add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, n as u64))
            .map_err(BenchError::system("to wait for a connection"))?;
        let connection = Connection {
            stream,
            host,
            out: BytesMut::from(&connect_request(timeout_ms, None).frame()[..]),
            written: 0,
            waits_to_write: false,
            partial: Vec::new(),
            next_xid: 0,
            last_sent: Instant::now(),
            session: None,
        };
        match self.connections.get_mut(n) {
            Some(place) => *place = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        self.flush(n)?;
        Ok(n)
    }

    /// Ends a connection; its number may be given again.
    pub fn end(&mut self, n: usize) {
        if let Some(connection) = self.connections.get_mut(n).and_then(Option::take) {
            // A descriptor that is closed is not waited for anyway.
            let _ = self.epoll.delete(&connection.stream);
        }
    }

    /// The session of a connection, once it is open.
    pub fn session(&self, n: usize) -> Option<&ConnectResponse> {
        self.connections.get(n)?.as_ref()?.session.as_ref()
    }

    /// The `n`th connection.
    ///
    /// # Errors
    /// It has been ended.
    pub fn connection(&mut self, n: usize) -> Result<&mut Connection, BenchError> {
        let gone = || BenchError::Broke { host: format!("connection {n}"), why: "it has been ended".into() };
        self.connections.get_mut(n).and_then(Option::as_mut).ok_or_else(gone)
    }

    /// Waits until a connection can be read from, at most until `until`. Those that could not be written to are
    /// written to meanwhile, those that were silent for long say that they are there.
    ///
    /// # Errors
    /// A connection breaks.
    pub fn wait(&mut self, until: Option<Instant>) -> Result<Vec<usize>, BenchError> {
        let now = Instant::now();
        if now >= self.looked_around + LOOK_AROUND {
            self.looked_around = now;
            self.ping_silent(now)?;
        }
        let look = self.looked_around + LOOK_AROUND;
        let wait = until.map_or(look, |until| until.min(look)).saturating_duration_since(now);
        let timeout = if wait.is_zero() {
            EpollTimeout::ZERO
        } else {
            // Its own timeouts are whole milliseconds; too coarse for an open loop.
            self.timer
                .set(Expiration::OneShot(TimeSpec::from_duration(wait)), TimerSetTimeFlags::empty())
                .map_err(BenchError::system("a timer"))?;
            EpollTimeout::NONE
        };
        let mut events = [EpollEvent::empty(); 256];
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(BenchError::system("to wait")(error)),
        };
        let mut readable = Vec::with_capacity(count);
        for event in events.iter().take(count).filter(|event| event.data() != TIMER) {
            let n = event.data() as usize;
            if event.events().contains(EpollFlags::EPOLLOUT) {
                self.flush(n)?;
            }
            if event.events().intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
                readable.push(n);
            }
        }
        Ok(readable)
    }

    fn ping_silent(&mut self, now: Instant) -> Result<(), BenchError> {
        for n in 0..self.connections.len() {
            let Some(Some(connection)) = self.connections.get_mut(n) else { continue };
            let Some(session) = &connection.session else { continue };
            let third = Duration::from_millis(u64::try_from(session.timeout_ms / 3).unwrap_or(0));
            if now.saturating_duration_since(connection.last_sent) >= third {
                connection.out.extend_from_slice(&self.ping);
                self.flush(n)?;
            }
        }
        Ok(())
    }

    /// Writes what waits, as far as the connection takes it now; the rest goes with a later [`Pool::wait`].
    ///
    /// # Errors
    /// The connection breaks.
    pub fn flush(&mut self, n: usize) -> Result<(), BenchError> {
        let Some(Some(connection)) = self.connections.get_mut(n) else { return Ok(()) };
        while connection.written < connection.out.len() {
            let left = connection.out.get(connection.written..).unwrap_or_default();
            match connection.stream.write(left) {
                Ok(0) => return Err(connection.broke("it takes nothing any more")),
                Ok(count) => connection.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(connection.broke(error)),
            }
        }
        let is_done = connection.written == connection.out.len();
        if is_done {
            connection.out.clear();
            connection.written = 0;
            connection.last_sent = Instant::now();
        }
        if connection.waits_to_write == is_done {
            connection.waits_to_write = !is_done;
            let more = if is_done { EpollFlags::empty() } else { EpollFlags::EPOLLOUT };
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN | more, n as u64);
            self.epoll
                .modify(&connection.stream, &mut event)
                .map_err(BenchError::system("to wait for a connection"))?;
        }
        Ok(())
    }

    /// Reads once, and hands on every answer and event that is whole. Answers to pings are none.
    ///
    /// # Errors
    /// The connection breaks, or says what is not understood.
    pub fn read(&mut self, n: usize, each: &mut dyn FnMut(Reply<'_>)) -> Result<(), BenchError> {
        let Some(Some(connection)) = self.connections.get_mut(n) else { return Ok(()) };
        let held = connection.partial.len();
        if self.scratch.len() < held + READ_SIZE {
            self.scratch.resize(held + READ_SIZE, 0);
        }
        let (head, tail) = self.scratch.split_at_mut(held);
        let count = match connection.stream.read(tail) {
            Ok(0) => return Err(connection.broke("the server has closed it")),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(error) => return Err(connection.broke(error)),
        };
        head.copy_from_slice(&connection.partial);
        let mut rest = self.scratch.get(..held + count).unwrap_or_default();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = i32::from_be_bytes(*length);
            let size = usize::try_from(length).map_err(|_| connection.broke(format!("a frame of {length} bytes")))?;
            let Some((frame, behind)) = behind.split_at_checked(size) else { break };
            rest = behind;
            if connection.session.is_none() {
                let granted = ConnectResponse::decode(Bytes::copy_from_slice(frame)).ok();
                let granted = granted.filter(|granted| granted.timeout_ms > 0);
                connection.session = Some(granted.ok_or_else(|| BenchError::NoSession(connection.host.to_string()))?);
                continue;
            }
            let reply = reply(frame).ok_or_else(|| connection.broke("an answer without a head"))?;
            if reply.xid != xid::PING {
                each(reply);
            }
        }
        connection.partial.clear();
        connection.partial.extend_from_slice(rest);
        Ok(())
    }
}

/// The parts of a [`zebu_core::wire::client::ReplyHeader`], in place.
fn reply(frame: &[u8]) -> Option<Reply<'_>> {
    let (xid, rest) = frame.split_first_chunk::<4>()?;
    let (_zxid, rest) = rest.split_first_chunk::<8>()?;
    let (err, body) = rest.split_first_chunk::<4>()?;
    Some(Reply { xid: i32::from_be_bytes(*xid), err: i32::from_be_bytes(*err), body })
}

/// Thousands of connections need as many descriptors. Where the system allows no more, opening one says so.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::error::ZkError;
    use zebu_core::id::Zxid;
    use zebu_core::wire::client::{Response, reply_frame};

    #[test]
    fn heads_are_read_as_the_codec_writes_them() {
        for (outcome, err, body) in [
            (Ok(Response::Number(7)), 0, &[0, 0, 0, 7][..]),
            (Ok(Response::Empty), 0, &[]),
            (Err(ZkError::NoNode), ZkError::NoNode.code(), &[]),
        ] {
            let frame = reply_frame(5, Zxid(9), &outcome);
            let reply = reply(&frame[4..]).expect("a reply");
            assert_eq!((reply.xid, reply.err, reply.body), (5, err, body));
        }
        assert!(reply(&[0; 15]).is_none());
    }
}
