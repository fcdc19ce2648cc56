//! The client port: which connections are taken, and with what each begins.

use super::connection::{Connection, Stream};
use super::limits::{Handshake, Limits};
use super::links::{Links, Transport};
use super::listen::accept;
use crate::entropy;
use crate::four_letter::FourLetter;
use crate::metrics::Metrics;
use crate::read_side::SharedRead;
use crate::replica::Post;
use crate::tls::{Tls, is_handshake};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tracing::{debug, warn};
use zebu_core::auth::x509;
use zebu_core::config::AccessRules;
use zebu_core::input::{Input, Submission};
use zebu_core::link::Link;

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
            let (stream, remote) = accept(&listener, "client port").await;
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
        let connection = Connection::new(link, effects, shared, self.clone());
        connection.run(stream).await;
        self.links.close(id);
        self.post.push(Input::Submit { link: id, request: Submission::Gone });
    }
}
