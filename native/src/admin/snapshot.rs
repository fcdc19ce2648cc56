//! `snapshot`: the state as a snapshot file, streamed to whoever asks.

use super::commands::failure;
use crate::config_file::Admin;
use crate::operator::Operator;
use crate::store::compactor::{CompactError, Folded, fold};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_core::Stream;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, channel};
use zebu_core::id::Zxid;
use zebu_core::server::ReadSide as _;
use zebu_core::tree::Tree;

/// Pieces that may wait for a slow reader; each has some 64 KiB.
const PIECES: usize = 16;

/// How long what is applied may take to be on disk.
const PATIENCE: Duration = Duration::from_secs(10);

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

    /// Answers with the state as it is now, exact at the zxid in the header `last_zxid`. It is made as the server's own
    /// snapshots are, from the files and by a thread of its own: the living tree is not touched, so nobody waits for it
    /// however large it is.
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
        let failed = |what: &str| failure(command, StatusCode::INTERNAL_SERVER_ERROR, what);
        let Some(now) = Now::durable(operator).await else {
            return failed("what is applied is not on disk yet; try again");
        };
        let version = |folder: &Path| folder.join("version-2");
        let (snapshots, logs) = (version(&operator.cfg.data_dir), version(&operator.cfg.data_log_dir));
        let (tree, size) = match tokio::task::spawn_blocking(move || now.fold(&snapshots, &logs)).await {
            Ok(Ok(made)) => made,
            Ok(Err(e)) => return failed(&format!("the snapshot could not be made: {e}")),
            Err(_) => return failed("the snapshot could not be made"),
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

/// The state that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Now {
    zxid: Zxid,
    digest: i64,
}

/// Why the files don't give it.
#[derive(Debug, thiserror::Error)]
enum Unmade {
    /// They can't be read.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// They were replaced meanwhile, or something is wrong with them.
    #[error("at {0} the files hold another state than the server")]
    Differs(Zxid),
}

impl Now {
    /// What is applied now, once it is on disk too. `None` if that takes too long.
    async fn durable(operator: &Operator) -> Option<Now> {
        let begun = Instant::now();
        let mut wanted = None;
        while begun.elapsed() < PATIENCE {
            let side = operator.side.clone();
            // The owner thread applies, so that the two are of one moment.
            let (applied, durable) = operator
                .look(move |server| {
                    let applied = side.read(|s| Now { zxid: s.tree.applied(), digest: s.tree.digest() });
                    (applied, server.peer().ground().durable())
                })
                .await?;
            let now = *wanted.get_or_insert(applied);
            if durable >= now.zxid {
                return Some(now);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }

    /// Makes it from the files, with the size of its own file. It may be newer if there is a newer snapshot already.
    fn fold(self, snapshots: &Path, logs: &Path) -> Result<(Tree, u64), Unmade> {
        let never = AtomicBool::new(false);
        let Some(Folded { tree, .. }) = fold(snapshots, logs, self.zxid, &never)? else {
            return Err(Unmade::Differs(self.zxid));
        };
        if tree.applied() == self.zxid && tree.digest() != self.digest {
            return Err(Unmade::Differs(self.zxid));
        }
        let mut size = 0;
        tree.write_file(|piece| size += piece.len() as u64);
        Ok((tree, size))
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
    use zebu_core::disk::names::Compression;

    #[tokio::test]
    async fn the_stream_is_the_file() {
        let tree = Tree::new();
        let mut file = Vec::new();
        tree.write_file(|piece| file.extend_from_slice(&piece));
        let streamed = axum::body::to_bytes(stream(tree), 1 << 20).await.expect("a body");
        assert_eq!(streamed, file);
    }

    #[test]
    fn made_from_files_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = Tree::new();
        crate::store::snapshots::write(folder.path(), &tree, Compression::None, &AtomicBool::new(false))
            .expect("written");
        let now = Now { zxid: tree.applied(), digest: tree.digest() };
        let (made, size) = now.fold(folder.path(), folder.path()).expect("made");
        let mut file = Vec::new();
        tree.write_file(|piece| file.extend_from_slice(&piece));
        assert_eq!((made.digest(), size), (tree.digest(), file.len() as u64));
        let other = Now { digest: now.digest + 1, ..now };
        assert!(matches!(other.fold(folder.path(), folder.path()), Err(Unmade::Differs(at)) if at == now.zxid));
        let later = Now { zxid: Zxid(1 << 32 | 1), ..now };
        assert!(matches!(later.fold(folder.path(), folder.path()), Err(Unmade::Compact(CompactError::Short { .. }))));
    }

    #[test]
    fn not_too_often() {
        let snapshots = Snapshots { enabled: true, interval: Duration::from_secs(300), last: Mutex::new(None) };
        let begin = Instant::now();
        let at = |seconds| snapshots.may_take(begin + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(299), at(300), at(301)], [true, false, false, true, false]);
    }
}
