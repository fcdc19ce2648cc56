//! Serving HTTP to operators and their tools: few connections, and none that stays silent.

use super::listen::accept;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tracing::debug;

/// Connections open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// How long a request may take from its header on, its body included, until the answer begins; and how long the other
/// end may take nothing of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves for ever; requests carry the other end's address as [`ConnectInfo`]. A connection on which no request begins
/// within `idle` is ended, and one that doesn't get on with its request. `purpose` names the port in the log.
pub async fn serve(listener: TcpListener, router: Router, idle: Duration, purpose: &'static str) {
    serve_within(listener, router, idle, PATIENCE, purpose).await;
}

async fn serve_within(
    listener: TcpListener,
    router: Router,
    idle: Duration,
    patience: Duration,
    purpose: &'static str,
) {
    let router = router.layer(from_fn(move |request, next| answer_within(patience, request, next)));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, remote) = accept(&listener, purpose).await;
        let service = TowerToHyperService::new(router.clone().layer(Extension(ConnectInfo(remote))));
        let mut stream = Box::pin(TimeoutStream::new(stream));
        stream.as_mut().set_write_timeout_pinned(Some(patience));
        tokio::spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(idle)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(e) = served {
                debug!("{purpose}: {remote}: {e}");
            }
            drop(place);
        });
    }
}

async fn answer_within(patience: Duration, request: Request, next: Next) -> Response {
    match timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request takes too long\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn nobody_holds_a_place_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let router = Router::new().fallback(|request: Request| async move {
            match request.uri().path() {
                "/large" => vec![0; 64 << 20],
                _ => to_bytes(request.into_body(), 10).await.map(Vec::from).unwrap_or_default(),
            }
        });
        let short = Duration::from_millis(200);
        let server = tokio::spawn(serve_within(listener, router, short, short, "test"));
        // A body that does not come, an answer that is not read, silence behind an answer, silence.
        let kinds = [
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
            "GET /large HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "",
        ];
        for kind in kinds {
            let mut held = Vec::new();
            for _ in 0..MAX_CONNECTIONS {
                let mut stream = TcpStream::connect(address).await.expect("connects");
                stream.write_all(kind.as_bytes()).await.expect("is sent");
                held.push(stream);
            }
            let mut late = TcpStream::connect(address).await.expect("connects");
            late.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.expect("is sent");
            let mut answer = String::new();
            let read = timeout(Duration::from_secs(30), late.read_to_string(&mut answer)).await;
            assert!(matches!(read, Ok(Ok(_))) && answer.starts_with("HTTP/1.1 200"), "{kind:?}: {answer:?}");
        }
        server.abort();
    }
}
