//! `snapshot`: the state as a snapshot file, streamed to whoever asks.

use super::commands::failure;
use crate::config_file::Admin;
use crate::operator::Operator;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_core::Stream;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, channel};
use zebu_core::server::ReadSide as _;
use zebu_core::tree::Tree;

/// Pieces that may wait for a slow reader; each has some 64 KiB.
const PIECES: usize = 16;

/// Takes snapshots, not too often.
#[derive(Debug)]
pub struct Snapshots {
    enabled: bool,
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl Snapshots {
    /// None taken yet.
    pub fn new(cfg: &Admin) -> Snapshots {
        Snapshots { enabled: cfg.snapshots, interval: cfg.snapshot_interval, last: Mutex::new(None) }
    }

    /// Answers with the state as it is now, exact at the zxid in the header `last_zxid`. Only the copying of the tree's
    /// skeleton (its values are shared) keeps others from applying meanwhile; it and the measuring of the file take long
    /// for a large tree, and a thread of their own.
    pub async fn take(&self, operator: &Operator, command: &str, query: &HashMap<String, String>) -> Response<Body> {
        if !self.enabled {
            let what = "snapshot is switched off by admin.snapshot.enabled=false";
            return failure(command, StatusCode::SERVICE_UNAVAILABLE, what);
        }
        if query.get("streaming").is_some_and(|streaming| !streaming.eq_ignore_ascii_case("true")) {
            let what = "a server writes its own snapshots by itself; only streaming=true is possible";
            return failure(command, StatusCode::BAD_REQUEST, what);
        }
        if !self.may_take(Instant::now()) {
            let what = "the last snapshot was taken less than admin.snapshot.intervalInMS ago";
            return failure(command, StatusCode::TOO_MANY_REQUESTS, what);
        }
        let side = operator.side.clone();
        let taken = tokio::task::spawn_blocking(move || {
            let tree = side.read(|s| s.tree.clone());
            let mut size = 0_u64;
            tree.write_file(|piece| size += piece.len() as u64);
            (tree, size)
        });
        let Ok((tree, size)) = taken.await else {
            return failure(command, StatusCode::INTERNAL_SERVER_ERROR, "the snapshot could not be made");
        };
        let zxid = format!("0x{:x}", tree.applied().0);
        let mut response = Response::new(stream(tree));
        for (name, value) in [("last_zxid", zxid), ("snapshot_size", size.to_string())] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(axum::http::header::CONTENT_TYPE, kind);
        response
    }

    fn may_take(&self, now: Instant) -> bool {
        let mut last = self.last.lock();
        let may = last.is_none_or(|last| now.saturating_duration_since(last) >= self.interval);
        if may {
            *last = Some(now);
        }
        may
    }
}

/// The tree's file, written by a thread of its own as fast as it is read.
fn stream(tree: Tree) -> Body {
    let (pieces, queue) = channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut gone = false;
        tree.write_file(|piece| gone = gone || pieces.blocking_send(piece).is_err());
    });
    Body::from_stream(Pieces(queue))
}

struct Pieces(Receiver<Bytes>);

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|piece| piece.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_stream_is_the_file() {
        let tree = Tree::new();
        let mut file = Vec::new();
        tree.write_file(|piece| file.extend_from_slice(&piece));
        let streamed = axum::body::to_bytes(stream(tree), 1 << 20).await.expect("a body");
        assert_eq!(streamed, file);
    }

    #[test]
    fn not_too_often() {
        let snapshots = Snapshots { enabled: true, interval: Duration::from_secs(300), last: Mutex::new(None) };
        let begin = Instant::now();
        let at = |seconds| snapshots.may_take(begin + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(299), at(300), at(301)], [true, false, false, true, false]);
    }
}
