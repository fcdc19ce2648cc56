//! TLS on the client port: the server's certificate, whose clients it trusts, and who a client is by its certificate;
//! and the client's side of it.

mod client;
mod store;
mod subject;

pub use client::{ClientTls, ClientTlsCfg};

use crate::config_file::{ClientAuth, SecureCfg};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::server::TlsStream;

/// Why there can be no TLS. Each names the file or the key of `zoo.cfg`.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A store can't be read.
    #[error("{file}: it can't be read: {error}", file = file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    /// A store has not what is needed.
    #[error("{file}: {what}", file = file.display())]
    Store { file: PathBuf, what: String },
    /// A key of `zoo.cfg`.
    #[error("{key} in zoo.cfg: {what}")]
    Setting { key: &'static str, what: String },
}

/// What takes TLS connections.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the stores and puts it together.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(cfg: &SecureCfg) -> Result<Tls, TlsError> {
        let provider = Arc::new(provider(&cfg.cipher_suites)?);
        let (chain, key) = (store::certificates(&cfg.key_store)?, store::key(&cfg.key_store)?);
        let mut versions = Vec::new();
        if cfg.protocols.v13 {
            versions.push(&TLS13);
        }
        if cfg.protocols.v12 {
            versions.push(&TLS12);
        }
        let setting = |key, e: &dyn std::fmt::Display| TlsError::Setting { key, what: e.to_string() };
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|e| setting("ssl.enabledProtocols or ssl.ciphersuites", &e))?;
        let builder = match (cfg.client_auth, &cfg.trust_store) {
            (ClientAuth::None, _) | (_, None) => builder.with_no_client_auth(),
            (auth, Some(trust_store)) => {
                let in_store = |what: String| TlsError::Store { file: trust_store.file.clone(), what };
                let roots = store::authorities(trust_store)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = if auth == ClientAuth::Want { verifier.allow_unauthenticated() } else { verifier };
                builder.with_client_cert_verifier(verifier.build().map_err(|e| in_store(e.to_string()))?)
            }
        };
        let config = builder.with_single_cert(chain, key).map_err(|e| TlsError::Store {
            file: cfg.key_store.file.clone(),
            what: format!("its certificate and key do not fit: {e}"),
        })?;
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The handshake; and the subject of the client's certificate as RFC 2253 writes it, if it has shown one.
    ///
    /// # Errors
    /// The client does not speak TLS, or is not trusted.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Option<String>)> {
        let stream = self.acceptor.accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let subject = certificate.map(|der| subject::of(der)).transpose();
        let subject = subject.map_err(|e| io::Error::other(format!("its certificate can't be read: {e}")))?;
        Ok((stream, subject))
    }
}

/// Whether a connection that begins with this byte begins with TLS: no frame of ZooKeeper's and no four-letter word
/// begins so.
pub fn is_handshake(first: u8) -> bool {
    first == 0x16
}

/// The cipher suites by Java's names; all that are safe if none is named.
fn provider(names: &[String]) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    if names.is_empty() {
        return Ok(provider);
    }
    let all = std::mem::take(&mut provider.cipher_suites);
    let java = |suite: &tokio_rustls::rustls::SupportedCipherSuite| {
        format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
    };
    for name in names {
        match all.iter().find(|suite| java(suite) == *name) {
            Some(suite) => provider.cipher_suites.push(*suite),
            None => {
                let known: Vec<_> = all.iter().map(java).collect();
                let what = format!("{name} is not spoken; there are {}", known.join(", "));
                return Err(TlsError::Setting { key: "ssl.ciphersuites", what });
            }
        }
    }
    Ok(provider)
}
