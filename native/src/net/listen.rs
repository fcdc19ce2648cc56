//! Opening a listening port, with errors that say what to do, and taking connections to it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::sleep;
use tracing::warn;

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} ({purpose}): {why}")]
pub struct ListenError {
    purpose: &'static str,
    address: String,
    why: String,
    /// Whether trying again later may help.
    pub in_use: bool,
}

/// How long a port may be taken by a process that is just ending, such as an earlier run of this server.
const ENDING: Duration = Duration::from_secs(3);

/// As [`listen`], but a taken port is tried again for a while.
///
/// # Errors
/// As [`listen`].
pub async fn listen_soon(
    host: Option<&str>,
    port: u16,
    backlog: Option<i32>,
    purpose: &'static str,
    key: &str,
) -> Result<TcpListener, ListenError> {
    let begun = Instant::now();
    loop {
        match listen(host, port, backlog, purpose, key).await {
            Err(e) if e.in_use && begun.elapsed() < ENDING => sleep(Duration::from_millis(100)).await,
            result => return result,
        }
    }
}

/// Listens on `host` (`None`: all addresses) and `port`. `purpose` names the port in errors, `key` is the line of
/// `zoo.cfg` to change.
///
/// # Errors
/// A host without an address here, a taken port, a lack of rights; with what to do.
pub async fn listen(
    host: Option<&str>,
    port: u16,
    backlog: Option<i32>,
    purpose: &'static str,
    key: &str,
) -> Result<TcpListener, ListenError> {
    let shown = format!("{}:{port}", host.map_or("*".to_string(), crate::config_file::bracketed));
    let error = |why: String, in_use| ListenError { purpose, address: shown.clone(), why, in_use };
    let addresses: Vec<SocketAddr> = match host {
        Some(host) => lookup_host((host, port))
            .await
            .map_err(|e| error(format!("the name {host} has no address ({e}); correct {key} in zoo.cfg"), false))?
            .collect(),
        None => vec![SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)), SocketAddr::from(([0, 0, 0, 0], port))],
    };
    let mut failed = error(format!("no address; correct {key} in zoo.cfg"), false);
    for address in addresses {
        match bind(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(e) => {
                let in_use = e.kind() == io::ErrorKind::AddrInUse;
                failed = error(advice(&e, key), in_use);
                if in_use {
                    break;
                }
            }
        }
    }
    Err(failed)
}

/// The next connection to a port; `purpose` names it in the log. Where the system refuses one (it has no descriptors
/// left, say), it is asked again a moment later.
pub async fn accept(listener: &TcpListener, purpose: &str) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(e) => {
                warn!("{purpose}: can't accept a connection: {e}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Settings of a connection between servers: nothing waits to be sent together, and a peer whose machine vanished
/// without a word is noticed some day. Without them it works as well.
pub fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(stream).set_keepalive(true);
}

fn advice(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "another process has this port (is this server running already?); stop it, or change {key} in zoo.cfg"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address; correct {key} in zoo.cfg, or check the myid")
        }
        io::ErrorKind::PermissionDenied => {
            format!("the system does not allow it; choose a port above 1023 for {key} in zoo.cfg")
        }
        _ => format!("{error}; see {key} in zoo.cfg"),
    }
}

fn bind(address: SocketAddr, backlog: Option<i32>) -> io::Result<TcpListener> {
    let domain = if address.is_ipv6() { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if address.is_ipv6() {
        // "All addresses" means IPv4 too.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog.unwrap_or(1024))?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let first = listen(Some("127.0.0.1"), 0, None, "client port", "clientPort").await.expect("any port");
        let port = first.local_addr().expect("bound").port();
        let error = listen(Some("127.0.0.1"), port, None, "client port", "clientPort").await.expect_err("taken");
        let text = error.to_string();
        assert!(error.in_use && text.contains(&format!("127.0.0.1:{port}")), "{text}");
        assert!(text.contains("client port") && text.contains("change clientPort"), "{text}");
        let error = listen(Some("192.0.2.1"), 1, None, "quorum port", "server.1").await.expect_err("not ours");
        assert!(error.to_string().contains("correct server.1"), "{error}");
    }
}
