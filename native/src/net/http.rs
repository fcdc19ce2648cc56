//! Serving HTTP to operators and their tools: few connections, and none that stays silent.

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

/// Connections open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// Serves for ever; requests carry the other end's address as [`ConnectInfo`]. A connection on which no request begins within `idle` is ended. `purpose` names the port in the
/// log.
pub async fn serve(listener: TcpListener, router: Router, idle: Duration, purpose: &'static str) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                warn!("{purpose}: can't accept a connection: {e}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(ConnectInfo(remote))));
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
