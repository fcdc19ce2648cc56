//! The port from which Prometheus reads (client-protocol §15).

use crate::config_file::Prometheus;
use crate::metrics::prometheus::{CONTENT_TYPE, page};
use crate::net::http;
use crate::net::listen::{ListenError, listen_soon};
use crate::operator::Operator;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long a scraper may be silent between two requests: it comes back after a minute or so.
const IDLE: Duration = Duration::from_secs(300);

/// Opens the port.
///
/// # Errors
/// It is taken, or not ours. Whoever asked for it would miss it only when it is needed: so nothing starts without it.
pub async fn listen(cfg: &Prometheus) -> Result<TcpListener, ListenError> {
    let key = "metricsProvider.httpPort or metricsProvider.httpHost";
    listen_soon(cfg.host.as_deref(), cfg.port, None, "metrics port", key).await
}

/// Serves `/metrics` for ever.
pub async fn serve(listener: TcpListener, operator: Arc<Operator>) {
    let metrics = move || {
        let operator = operator.clone();
        async move { ([(header::CONTENT_TYPE, CONTENT_TYPE)], page(&operator.report().await)) }
    };
    http::serve(listener, Router::new().route("/metrics", get(metrics)), IDLE, "metrics port").await;
}
