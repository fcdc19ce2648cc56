//! The task of a client: carries out what the [`Connector`] says.

use super::{Command, Options, Status};
use crate::clock::Clock;
use crate::entropy;
use crate::tls::ClientTls;
use bytes::{Buf as _, Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};
use zebu_core::client::{
    Answer, ClientEvent, Connector, ConnectorOutput, Ending, HostPort, RequestError, Ticket, Trouble,
};
use zebu_core::rng::Rng;
use zebu_core::wire::frame::split_frame;

/// The longest frame that is taken from a server. Lists of children may be longer than what servers take from clients.
const FRAME_MAX: usize = 64 << 20;

/// How long a server may take to say whether it has a quorum.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

type Pending<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What bytes go through: a socket, or TLS over one.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection and what is on its way through it.
struct Line {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    /// Whether TLS has passed on all that it took.
    flushed: bool,
}

struct Runner {
    connector: Connector,
    clock: Clock,
    line: Option<Line>,
    tls: Option<ClientTls>,
    dial: Pending<Result<Box<dyn Stream>, Trouble>>,
    probe: Pending<(HostPort, bool)>,
    asked: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    /// Who waits for an answer to what authenticates, oldest first, with the number of other answers before it.
    proving: VecDeque<(usize, oneshot::Sender<Result<(), RequestError>>)>,
    told: mpsc::UnboundedSender<ClientEvent>,
    show: watch::Sender<Status>,
    troubles: BTreeMap<HostPort, String>,
}

/// Runs until the last handle is gone.
pub(super) async fn run(
    options: Options,
    mut queue: mpsc::UnboundedReceiver<Command>,
    told: mpsc::UnboundedSender<ClientEvent>,
    show: watch::Sender<Status>,
) {
    let wished_ms = i32::try_from(options.timeout.as_millis()).unwrap_or(i32::MAX);
    let connector = Connector::new(options.to, wished_ms, options.read_only, Rng::new(entropy::seed()));
    let mut runner = Runner {
        connector: match options.sasl {
            Some(user) => connector.with_sasl(user, Rng::new(entropy::seed())),
            None => connector,
        },
        clock: Clock::new(),
        line: None,
        tls: options.tls,
        dial: None,
        probe: None,
        asked: BTreeMap::new(),
        proving: VecDeque::new(),
        told,
        show,
        troubles: BTreeMap::new(),
    };
    for credential in options.credentials {
        runner.step(|connector, now, out| {
            // A session that has not begun is not over.
            let _ = connector.authenticate(now, credential, out);
        });
    }
    runner.step(Connector::on_time);
    loop {
        let deadline = runner.connector.deadline().map(|at| runner.clock.std_instant(at));
        tokio::select! {
            command = queue.recv() => match command {
                Some(command) => runner.on_command(command),
                None => return,
            },
            dialed = finish(&mut runner.dial) => runner.on_dialed(dialed),
            (host, quorum) = finish(&mut runner.probe) => {
                runner.step(|connector, now, out| connector.on_probed(now, &host, quorum, out));
            }
            moved = carry(&mut runner.line) => match moved {
                Ok(()) => runner.on_bytes(),
                Err(error) => runner.on_broken(&error),
            },
            () = sleep_until(deadline.unwrap_or_else(std::time::Instant::now).into()), if deadline.is_some() => {
                runner.step(Connector::on_time);
            }
        }
    }
}

/// Waits for what is under way, for ever if nothing is. What has come is no longer under way.
async fn finish<T>(pending: &mut Pending<T>) -> T {
    match pending {
        Some(future) => {
            let value = future.await;
            *pending = None;
            value
        }
        None => std::future::pending().await,
    }
}

/// Moves bytes one way or the other. May be dropped at any point.
async fn carry(line: &mut Option<Line>) -> io::Result<()> {
    let Some(line) = line else { return std::future::pending().await };
    std::future::poll_fn(|context| line.poll_carry(context)).await
}

impl Line {
    fn poll_carry(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.output.is_empty() {
            if let Poll::Ready(count) = Pin::new(&mut self.stream).poll_write(context, &self.output) {
                self.output.advance(count?);
                self.flushed = false;
                return Poll::Ready(Ok(()));
            }
        } else if !self.flushed
            && let Poll::Ready(done) = Pin::new(&mut self.stream).poll_flush(context)
        {
            self.flushed = done.is_ok();
            return Poll::Ready(done);
        }
        let read = pin!(self.stream.read_buf(&mut self.input));
        read.poll(context).map(|count| match count? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            _ => Ok(()),
        })
    }
}

/// Connects to whatever address of the host takes the connection first.
async fn dial(host: HostPort, tls: Option<ClientTls>) -> Result<Box<dyn Stream>, Trouble> {
    let unknown = |error: io::Error| Trouble::Nobody(format!("the host is not known ({error})"));
    let addresses = tokio::net::lookup_host((host.host.as_str(), host.port)).await.map_err(unknown)?;
    let mut last = Trouble::Nobody("the host has no address".into());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(|error| Trouble::Broken(error.to_string()))?;
                let Some(tls) = &tls else { return Ok(Box::new(stream)) };
                match tls.connect(&host.host, stream).await {
                    Ok(stream) => return Ok(Box::new(stream)),
                    Err(error) => last = trouble(&error),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = Trouble::Nobody("connection refused, nobody listens there".into());
            }
            Err(error) => last = Trouble::Broken(error.to_string()),
        }
    }
    Err(last)
}

/// What an error of a connection means: TLS that is refused will be refused again.
fn trouble(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::InvalidData => Trouble::Nobody(format!("no TLS with it: {error}")),
        _ => Trouble::Broken(error.to_string()),
    }
}

/// Whether a server has a quorum, by its own word.
async fn probe(host: HostPort, tls: Option<ClientTls>) -> (HostPort, bool) {
    let ask = async {
        let mut stream = dial(host.clone(), tls).await.ok()?;
        stream.write_all(b"isro").await.ok()?;
        stream.flush().await.ok()?;
        let mut word = [0; 2];
        stream.read_exact(&mut word).await.ok()?;
        Some(word == *b"rw")
    };
    let quorum = timeout(PROBE_PATIENCE, ask).await.ok().flatten().unwrap_or(false);
    (host, quorum)
}

impl Runner {
    /// One call of the connector, and everything that comes of it.
    fn step(&mut self, call: impl FnOnce(&mut Connector, zebu_core::time::Instant, &mut Vec<ConnectorOutput>)) {
        let now = self.clock.now().mono;
        let mut out = Vec::new();
        call(&mut self.connector, now, &mut out);
        // Before anybody is answered: who has no answer looks here for the reason.
        for output in &out {
            match output {
                ConnectorOutput::Trouble { host, why } => {
                    tracing::debug!(%host, %why, "a server was given up");
                    self.troubles.insert(host.clone(), why.to_string());
                }
                ConnectorOutput::Event(ClientEvent::Connected { .. }) => self.troubles.clear(),
                _ => {}
            }
        }
        let session = self.connector.client().session();
        let status = Status {
            standing: self.connector.standing(),
            session,
            trusted_until: self.clock.std_instant(self.connector.client().trusted_until()),
            troubles: self.troubles.iter().map(|(host, why)| format!("{host}: {why}")).collect(),
        };
        self.show.send_if_modified(|shown| {
            let changed = *shown != status;
            *shown = status;
            changed
        });
        for output in out {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: ConnectorOutput) {
        match output {
            ConnectorOutput::Dial(host) => self.dial = Some(Box::pin(dial(host, self.tls.clone()))),
            ConnectorOutput::HangUp => {
                self.line = None;
                self.dial = None;
                self.probe = None;
            }
            ConnectorOutput::Send(frame) => {
                if let Some(line) = &mut self.line {
                    line.output.extend_from_slice(&frame);
                }
            }
            ConnectorOutput::Probe(host) => self.probe = Some(Box::pin(probe(host, self.tls.clone()))),
            ConnectorOutput::Done { ticket, answer } => {
                if let Some(reply) = self.asked.remove(&ticket) {
                    // Who no longer waits does not want it.
                    let _ = reply.send(answer);
                }
            }
            ConnectorOutput::Event(event) => {
                match &event {
                    ClientEvent::Auth { accepted: true, .. } => {
                        if let Some((_, reply)) = self.proving.pop_front_if(|(ahead, _)| *ahead == 0) {
                            let _ = reply.send(Ok(()));
                        }
                        self.proving.iter_mut().for_each(|(ahead, _)| *ahead = ahead.saturating_sub(1));
                    }
                    ClientEvent::Disconnected => self.proved(Err(RequestError::Lost)),
                    ClientEvent::Over(ending) => self.proved(Err(RequestError::Over(*ending))),
                    _ => {}
                }
                let _ = self.told.send(event);
            }
            ConnectorOutput::Trouble { .. } => {}
        }
    }

    /// Nobody will answer those who have authenticated.
    fn proved(&mut self, result: Result<(), RequestError>) {
        for (_, reply) in self.proving.drain(..) {
            let _ = reply.send(result);
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Ask { request, beside, reply } => {
                let mut early = Vec::new();
                let now = self.clock.now().mono;
                let ticket = if beside {
                    self.connector.ask_beside(now, request, &mut early)
                } else {
                    self.connector.ask(now, request, &mut early)
                };
                // Before what comes of it is carried out: the answer may be among it.
                self.asked.insert(ticket, reply);
                self.step(|_, _, out| out.append(&mut early));
            }
            Command::Authenticate { credential, reply } => {
                let ahead = self.connector.client().proofs_pending();
                let mut kept = Ok(());
                self.step(|connector, now, out| kept = connector.authenticate(now, credential, out));
                let told = match (kept, self.connector.client().ending()) {
                    (Ok(()), None) if self.connector.client().is_served() => {
                        self.proving.push_back((ahead, reply));
                        return;
                    }
                    (Ok(()), None) => Ok(()),
                    (_, ending) => Err(RequestError::Over(ending.unwrap_or(Ending::Closed))),
                };
                // Who no longer waits does not want it.
                let _ = reply.send(told);
            }
            Command::Forget { path, kind } => self.step(|connector, _, _| connector.forget_watches(path, kind)),
        }
    }

    fn on_dialed(&mut self, dialed: Result<Box<dyn Stream>, Trouble>) {
        match dialed {
            Ok(stream) => {
                self.line = Some(Line { stream, input: BytesMut::new(), output: BytesMut::new(), flushed: true });
                self.step(Connector::on_dialed);
            }
            Err(trouble) => self.step(|connector, now, out| connector.on_failed(now, trouble, out)),
        }
    }

    fn on_bytes(&mut self) {
        while let Some(line) = &mut self.line {
            let frame: Bytes = match split_frame(&mut line.input, FRAME_MAX) {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => {
                    let trouble = Trouble::Nonsense(error.into());
                    self.step(|connector, now, out| connector.on_failed(now, trouble, out));
                    return;
                }
            };
            self.step(|connector, now, out| connector.on_frame(now, frame, out));
        }
    }

    fn on_broken(&mut self, error: &io::Error) {
        let trouble = trouble(error);
        self.step(|connector, now, out| connector.on_failed(now, trouble, out));
    }
}
