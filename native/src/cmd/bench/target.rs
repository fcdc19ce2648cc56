//! What is measured: an ensemble, by its hosts, and its processes where they are known.

use super::error::BenchError;
use super::processes::Processes;
use super::template;
use bytes::{Bytes, BytesMut};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use zebu_core::client::ConnectString;
use zebu_core::error::ZkError;
use zebu_core::id::{SessionId, Zxid};
use zebu_core::wire::client::{ConnectRequest, ConnectResponse, ReplyHeader, Request, request_frame};
use zebu_core::wire::frame::split_frame;

/// How long connecting, a handshake or one request may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// No answer of a benchmark is larger.
const FRAME_MAX: usize = 64 << 20;

/// See the module.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called in the report.
    pub name: String,
    /// Its servers.
    pub hosts: Vec<SocketAddr>,
    /// Its processes, if given.
    pub processes: Processes,
    /// What is asked for at every handshake.
    pub session_timeout_ms: i32,
}

impl Target {
    /// Looks the hosts up.
    ///
    /// # Errors
    /// A name that has no address.
    pub fn resolve(
        name: String,
        to: &ConnectString,
        pids: Vec<i32>,
        session_timeout_ms: i32,
    ) -> Result<Target, BenchError> {
        let mut hosts = Vec::new();
        for host in &to.hosts {
            let failed = |why: String| BenchError::NoAddress { host: host.to_string(), why };
            let mut found =
                (host.host.as_str(), host.port).to_socket_addrs().map_err(|error| failed(error.to_string()))?;
            hosts.push(found.next().ok_or_else(|| failed("the name is known, but has no address".into()))?);
        }
        Ok(Target { name, hosts, processes: Processes { pids }, session_timeout_ms })
    }

    /// The server of the `n`th connection.
    pub fn host(&self, n: usize) -> SocketAddr {
        self.hosts[n % self.hosts.len()]
    }

    /// A connection for what is done before and after a measurement.
    ///
    /// # Errors
    /// No server opens a session.
    pub fn session(&self) -> Result<Session, BenchError> {
        let mut last = BenchError::NoSession(self.name.clone());
        for host in &self.hosts {
            match Session::open(*host, &connect_request(self.session_timeout_ms, None)) {
                Ok(session) => return Ok(session),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// The handshake for a new session, or to take up one again.
pub fn connect_request(timeout_ms: i32, again: Option<&ConnectResponse>) -> ConnectRequest {
    let (session, passwd) = match again {
        Some(old) => (old.session, old.passwd.clone()),
        None => (SessionId(0), Bytes::from_static(&[0; 16])),
    };
    ConnectRequest { protocol: 0, last_zxid_seen: Zxid(0), timeout_ms, session, passwd, read_only: Some(false) }
}

/// A session that asks one thing at a time.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    host: SocketAddr,
    incoming: BytesMut,
    xid: i32,
    /// What the server granted.
    pub granted: ConnectResponse,
}

impl Session {
    /// Connects and waits for the session.
    ///
    /// # Errors
    /// Nobody listens, or no session is opened.
    pub fn open(host: SocketAddr, request: &ConnectRequest) -> Result<Session, BenchError> {
        let refused = |source| BenchError::NoConnection { host: host.to_string(), source };
        let mut stream = TcpStream::connect_timeout(&host, PATIENCE).map_err(refused)?;
        stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).map_err(refused)?;
        stream.write_all(&request.frame()).map_err(refused)?;
        let mut incoming = BytesMut::new();
        let frame =
            next_frame(&mut stream, host, &mut incoming).map_err(|_| BenchError::NoSession(host.to_string()))?;
        let granted = ConnectResponse::decode(frame).ok().filter(|granted| granted.timeout_ms > 0);
        let granted = granted.ok_or_else(|| BenchError::NoSession(host.to_string()))?;
        Ok(Session { stream, host, incoming, xid: 0, granted })
    }

    /// How long an answer may take.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_patience(&self, patience: Duration) -> Result<(), BenchError> {
        self.stream.set_read_timeout(Some(patience)).map_err(BenchError::system("a timeout"))
    }

    /// Asks, and waits for the answer: an error's code, or 0.
    ///
    /// # Errors
    /// The connection breaks, or nothing comes.
    pub fn ask(&mut self, request: &Request) -> Result<i32, BenchError> {
        self.xid += 1;
        let broke = |why: String| BenchError::Broke { host: self.host.to_string(), why };
        self.stream.write_all(&request_frame(self.xid, request)).map_err(|error| broke(error.to_string()))?;
        loop {
            let frame = next_frame(&mut self.stream, self.host, &mut self.incoming)?;
            let (header, _) = ReplyHeader::decode(frame).map_err(|error| broke(error.to_string()))?;
            if header.xid == self.xid {
                return Ok(header.err);
            }
        }
    }

    /// Asks for something that must succeed; with one of `fine` it has.
    ///
    /// # Errors
    /// As [`Session::ask`], or it is refused.
    pub fn must(&mut self, what: &'static str, request: &Request, fine: &[ZkError]) -> Result<(), BenchError> {
        match self.ask(request)? {
            0 => Ok(()),
            code if fine.iter().any(|error| error.code() == code) => Ok(()),
            code => Err(BenchError::Refused { host: self.host.to_string(), what, error: error_name(code) }),
        }
    }

    /// Makes a znode, and those above it, if they are not there.
    ///
    /// # Errors
    /// As [`Session::must`].
    pub fn ensure(&mut self, path: &str) -> Result<(), BenchError> {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for end in ends {
            let part = path.get(..end).unwrap_or(path).to_string();
            self.must("create", &template::create(part, Bytes::new()), &[ZkError::NodeExists])?;
        }
        Ok(())
    }

    /// Ends the session.
    ///
    /// # Errors
    /// As [`Session::must`].
    pub fn close(mut self) -> Result<(), BenchError> {
        self.must("close a session", &Request::CloseSession, &[])
    }
}

/// An error's code in words.
pub fn error_name(code: i32) -> String {
    ZkError::from_code(code).map_or_else(|| format!("error {code}"), |error| error.to_string())
}

fn next_frame(stream: &mut TcpStream, host: SocketAddr, incoming: &mut BytesMut) -> Result<Bytes, BenchError> {
    let broke = |why: String| BenchError::Broke { host: host.to_string(), why };
    let mut part = [0; 4096];
    loop {
        if let Some(frame) = split_frame(incoming, FRAME_MAX).map_err(|error| broke(error.to_string()))? {
            return Ok(frame);
        }
        match stream.read(&mut part) {
            Ok(0) => return Err(broke("the server has closed it".into())),
            Ok(count) => incoming.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(broke("no answer in time".into()));
            }
            Err(error) => return Err(broke(error.to_string())),
        }
    }
}

/// What a server says it is (`leader`, `follower` …); `None` while it says nothing.
pub fn mode(host: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&host, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"srvr").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(String::from)
}

/// Waits until all hosts serve, and tells which of them leads.
///
/// # Errors
/// They don't in time.
pub fn leader(target: &Target) -> Result<usize, BenchError> {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let modes: Vec<_> = target.hosts.iter().map(|host| mode(*host)).collect();
        let leads = |mode: &Option<String>| mode.as_deref().is_some_and(|m| m == "leader" || m == "standalone");
        let mut leaders = modes.iter().enumerate().filter(|(_, mode)| leads(mode));
        if let (Some((leader, _)), None) = (leaders.next(), leaders.next())
            && modes.iter().all(Option::is_some)
        {
            return Ok(leader);
        }
        if Instant::now() > deadline {
            let what = format!("all servers of {} to serve (their answers to srvr: {modes:?})", target.name);
            return Err(BenchError::Silence { what, seconds: 2 * PATIENCE.as_secs() });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
