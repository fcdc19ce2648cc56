//! AdminServer: the commands of operators over HTTP, with Apache's names and fields (client-protocol §14).
//!
//! It listens on loopback unless `admin.serverAddress` says otherwise; Apache's, on all addresses, shows paths and
//! sessions to everybody who can reach it.

mod auth;
mod clients;
mod commands;
mod json;
mod quorum;
mod server;
mod snapshot;

use crate::config_file::Admin;
use crate::net::http;
use crate::net::listen::listen;
use crate::operator::Operator;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request};
use axum::http::{Method, Response, StatusCode, header};
use commands::{COMMANDS, Call, Commands};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tracing::{info, warn};

/// The longest body of a request.
const BODY_MAX: usize = 64 << 10;

/// Serves the commands for ever. A port that can't be opened is told in the log and the server runs without it, as
/// Apache's does: operators' tools are no reason to be down.
pub async fn run(cfg: Admin, operator: Arc<Operator>) {
    let key = "admin.serverPort or admin.serverAddress";
    let listener = match listen(cfg.host.as_deref(), cfg.port, None, "AdminServer", key).await {
        Ok(listener) => listener,
        Err(e) => {
            warn!("{e}; goes on without AdminServer (admin.enableServer=false switches it off)");
            return;
        }
    };
    if let Ok(address) = listener.local_addr() {
        info!("AdminServer http://{address}{}", cfg.base);
    }
    let idle = cfg.idle;
    http::serve(listener, router(cfg, operator), idle, "AdminServer").await;
}

fn router(cfg: Admin, operator: Arc<Operator>) -> Router {
    let commands = Arc::new(Commands::new(&cfg, operator));
    let base = cfg.base;
    Router::new().fallback(move |request: Request| {
        let (commands, base) = (commands.clone(), base.clone());
        async move { respond(&base, &commands, request).await }
    })
}

async fn respond(base: &str, commands: &Commands, request: Request) -> Response<Body> {
    let path = request.uri().path();
    let name = match path.strip_prefix(base) {
        Some("" | "/") => return links(base),
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/').to_string(),
        _ => return not_found(),
    };
    let is_post = match *request.method() {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are understood\n"),
    };
    let Query(query) = Query::<HashMap<String, String>>::try_from_uri(request.uri()).unwrap_or_default();
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).map(String::from);
    let Ok(body) = to_bytes(request.into_body(), BODY_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long\n");
    };
    let remote = remote.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
    commands.run(Call { name, is_post, query, remote, authorization, body }).await
}

/// A page with a link to each command; Apache gives it no type.
fn links(base: &str) -> Response<Body> {
    let page: String =
        COMMANDS.iter().map(|c| format!("<a href=\"{base}/{name}\">{name}</a>\n<br/>\n", name = c.name())).collect();
    Response::new(page.into())
}

fn not_found() -> Response<Body> {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>404</title><p>There is nothing here; the \
                commands are listed below the path of admin.commandURL.</p></html>\n";
    let mut response = plain(StatusCode::NOT_FOUND, page);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
