//! Real `zebu serve` processes in folders and on ports of their own, and a client that speaks bytes.

#![allow(dead_code, reason = "each file of tests has its own copy, and needs only part of it")]

use bytes::{Bytes, BytesMut};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};
use zebu_core::id::{SessionId, Zxid};
use zebu_core::wire::client::{
    ConnectRequest, ConnectResponse, Outcome, ReplyHeader, Request, Response, request_frame,
};
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::op::OpCode;
use zebu_core::wire::record::Acl;

/// Only a hang takes as long: the tests share the machine with others.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A port nobody listens on, below the range from which outgoing connections are given theirs.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Relaxed);
        let port = 20_000 + (std::process::id() as u16).wrapping_mul(61).wrapping_add(step) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Polls until `f` has a value; fails saying `what` was waited for.
pub fn wait_for<T>(what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = f() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(20));
    }
}

/// One server and its process, killed when this is dropped.
pub struct Server {
    /// Its number.
    pub id: usize,
    /// Its folder: `zoo.cfg`, `myid`, `version-2`, `log`.
    pub dir: PathBuf,
    /// For clients.
    pub client_port: u16,
    /// For learners.
    pub quorum_port: u16,
    /// For the election.
    pub election_port: u16,
    process: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// Starts the process.
    pub fn start(&mut self) {
        self.start_by(&[]);
    }

    /// Starts the process by a program that runs another one's command line, given with its own arguments.
    pub fn start_by(&mut self, by: &[&str]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log")).expect("a log file");
        let words: Vec<_> = by.iter().copied().chain([env!("CARGO_BIN_EXE_zebu"), "serve"]).collect();
        let process = Command::new(words[0])
            .args(&words[1..])
            .arg(self.dir.join("zoo.cfg"))
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(process.expect("zebu starts"));
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().and_then(|()| process.wait()).expect("killed");
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// SIGTERM, then waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        let process = self.process.as_ref().expect("it runs");
        let pid = nix::unistd::Pid::from_raw(process.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("told");
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        wait_for("the process to end", || process.try_wait().expect("a child of ours"))
    }

    /// Whether its process is alive.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|p| p.try_wait().expect("a child of ours").is_none())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// The answer to a four-letter word; `None` if nobody listens.
    pub fn ask(&self, word: &str) -> Option<String> {
        let mut stream = connect(self.client_port)?;
        stream.write_all(word.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// `leader`, `follower` …; `None` while it does not serve.
    pub fn mode(&self) -> Option<String> {
        let answer = self.ask("srvr")?;
        answer.lines().find_map(|l| l.strip_prefix("Mode: ")).map(String::from)
    }

    /// A client with a new session.
    pub fn client(&self) -> Client {
        wait_for("a session", || Client::connect(self.client_port, None))
    }
}

/// A connection within patience; `None` if refused.
pub fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    Some(stream)
}

/// Sends `bytes`, says nothing more, and reads until the other side closes (or resets).
pub fn send_garbage(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(port).expect("it listens");
    // It may be closed in the middle of them.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Servers that know each other, and their folder.
pub struct Ensemble {
    /// By number, from 1.
    pub servers: Vec<Server>,
    _folder: tempfile::TempDir,
}

impl Ensemble {
    /// `count` servers, not started; `extra` lines for each `zoo.cfg`. One alone has no `server.` line.
    pub fn new(count: usize, extra: &str) -> Ensemble {
        let folder = tempfile::tempdir().expect("a folder");
        let servers: Vec<_> = (1..=count)
            .map(|id| Server {
                id,
                dir: folder.path().join(format!("server{id}")),
                client_port: free_port(),
                quorum_port: free_port(),
                election_port: free_port(),
                process: None,
            })
            .collect();
        let lines: String = servers
            .iter()
            .filter(|_| count > 1)
            .map(|s| format!("server.{}=127.0.0.1:{}:{}\n", s.id, s.quorum_port, s.election_port))
            .collect();
        for server in &servers {
            fs::create_dir_all(&server.dir).expect("made");
            let cfg = format!(
                "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\ntickTime=500\ninitLimit=20\nsyncLimit=10\n\
                 preAllocSize=256\n4lw.commands.whitelist=*\nadmin.enableServer=false\n{extra}{lines}",
                server.dir.display(),
                server.client_port
            );
            fs::write(server.dir.join("zoo.cfg"), cfg).expect("written");
            fs::write(server.dir.join("myid"), server.id.to_string()).expect("written");
        }
        Ensemble { servers, _folder: folder }
    }

    /// Starts all and waits until all serve.
    pub fn start(&mut self) {
        self.servers.iter_mut().for_each(Server::start);
        self.all_serve();
    }

    /// Waits until every server that runs serves.
    pub fn all_serve(&mut self) {
        for server in &mut self.servers {
            wait_for(&format!("server {} to serve", server.id), || {
                assert!(server.is_running(), "server {} ended:\n{}", server.id, server.log());
                server.mode()
            });
        }
    }

    /// The index of the one that leads.
    pub fn leader(&self) -> usize {
        wait_for("a leader", || self.servers.iter().position(|s| s.mode().as_deref() == Some("leader")))
    }
}

/// A client that sends requests and waits for each answer.
pub struct Client {
    stream: TcpStream,
    buf: BytesMut,
    xid: i32,
    /// Its session as the server gave it.
    pub session: ConnectResponse,
}

impl Client {
    /// A new session, or `old` taken up again; `None` if the connection is ended instead of answered.
    pub fn connect(port: u16, old: Option<&ConnectResponse>) -> Option<Client> {
        let mut stream = connect(port)?;
        let request = ConnectRequest {
            protocol: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 10_000,
            session: old.map_or(SessionId(0), |o| o.session),
            passwd: old.map_or(Bytes::from_static(&[0; 16]), |o| o.passwd.clone()),
            read_only: Some(false),
        };
        stream.write_all(&request.frame()).ok()?;
        let mut buf = BytesMut::new();
        let frame = next_frame(&mut stream, &mut buf)?;
        let session = ConnectResponse::decode(frame).expect("a connect response");
        Some(Client { stream, buf, xid: 0, session })
    }

    /// Sends without waiting; the number it went by.
    pub fn send(&mut self, request: &Request) -> Option<i32> {
        self.xid += 1;
        self.stream.write_all(&request_frame(self.xid, request)).ok()?;
        Some(self.xid)
    }

    /// The next reply: its number, its zxid, what came of it (`Empty` for anything but an error). `None` if the
    /// connection ended.
    pub fn receive(&mut self) -> Option<(i32, Zxid, Result<Bytes, i32>)> {
        let frame = next_frame(&mut self.stream, &mut self.buf)?;
        let (header, body) = ReplyHeader::decode(frame).expect("a reply");
        Some((header.xid, header.zxid, if header.err == 0 { Ok(body) } else { Err(header.err) }))
    }

    /// Sends and waits; `None` if the connection ended.
    pub fn ask(&mut self, op: OpCode, request: &Request) -> Option<Outcome> {
        let xid = self.send(request)?;
        let (answered, _, outcome) = self.receive()?;
        assert_eq!(answered, xid, "answers come in order");
        Some(match outcome {
            Ok(body) => Ok(Response::decode(op, body).expect("a response")),
            Err(code) => Err(zebu_core::error::ZkError::from_code(code).expect("a known error")),
        })
    }

    /// create.
    pub fn create(&mut self, path: &str, data: &str) -> Option<Outcome> {
        let data = Some(Bytes::copy_from_slice(data.as_bytes()));
        let request = Request::Create { op: OpCode::Create, path: path.into(), data, acl: Acl::open(), flags: 0 };
        self.ask(OpCode::Create, &request)
    }

    /// sync, then getData.
    pub fn read(&mut self, path: &str) -> Option<String> {
        self.ask(OpCode::Sync, &Request::Sync { path: path.into() })?.ok()?;
        match self.ask(OpCode::GetData, &Request::GetData { path: path.into(), watch: false })? {
            Ok(Response::Data(Some(data), _)) => Some(String::from_utf8_lossy(&data).into_owned()),
            _ => None,
        }
    }
}

fn next_frame(stream: &mut TcpStream, buf: &mut BytesMut) -> Option<Bytes> {
    let mut part = [0; 4096];
    loop {
        if let Some(frame) = split_frame(buf, 16 << 20).expect("frames") {
            return Some(frame);
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(n) => buf.extend_from_slice(&part[..n]),
        }
    }
}

/// A folder's files, copied flat.
pub fn copy_files(from: &Path, files: &[(&str, &str)], to: &Path) {
    fs::create_dir_all(to).expect("made");
    for (source, name) in files {
        fs::copy(from.join(source), to.join(name)).expect("copied");
    }
}
