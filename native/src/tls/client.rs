//! TLS as a client speaks it: whom it trusts, and the certificate that it shows.

use super::{TlsError, provider, store};
use crate::config_file::Store;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// How a client speaks TLS.
#[derive(Clone, Debug)]
pub struct ClientTlsCfg {
    /// The authorities whose servers are trusted.
    pub ca: Store,
    /// The client's certificate with those above it, and the file with its key.
    pub identity: Option<(Store, Store)>,
    /// Whether a server's certificate has to be for the name or the address it was reached by.
    pub check_names: bool,
}

/// What makes TLS connections.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Reads the files and puts it together.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(cfg: &ClientTlsCfg) -> Result<ClientTls, TlsError> {
        let provider = Arc::new(provider(&[])?);
        let roots = store::authorities(&cfg.ca)?;
        let in_ca = |e: &dyn std::fmt::Display| TlsError::Store { file: cfg.ca.file.clone(), what: e.to_string() };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = verifier.build().map_err(|e| in_ca(&e))?;
        let verifier: Arc<dyn ServerCertVerifier> =
            if cfg.check_names { verifier } else { Arc::new(AnyName(verifier)) };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| in_ca(&e))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &cfg.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, private) = (store::certificates(certificate)?, store::key(key)?);
                builder.with_client_auth_cert(chain, private).map_err(|e| TlsError::Store {
                    file: certificate.file.clone(),
                    what: format!("its certificate and the key do not fit: {e}"),
                })?
            }
        };
        Ok(ClientTls { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// The handshake with the server at `host`.
    ///
    /// # Errors
    /// The server does not speak TLS, or is not trusted ([`io::ErrorKind::InvalidData`]).
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        self.connector.connect(name, stream).await
    }
}

/// Trusts a certificate of a known authority whatever name it is for.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last, when everything else is found to be right.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
