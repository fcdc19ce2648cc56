//! Sending answers to a client that may take its time, and listening to it meanwhile.

use super::{Connection, KEPT, LINGER, READ_AHEAD};
use bytes::{BufMut as _, BytesMut};
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::sleep_until;

/// A connection's bytes, with or without TLS around them.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why answers can't be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// The client takes nothing and says nothing, or far too little.
    #[error("does not read what it is sent")]
    Unread,
}

/// Writes all, down to the socket.
pub async fn send(stream: &mut impl Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// What went on in a connection.
enum Moved {
    /// All is written.
    Sent,
    /// Something is.
    Written,
    /// So much came; nothing, if nothing comes any more.
    Read(usize),
}

impl Connection {
    /// Writes what there is to write, as the client takes it. It is listened to meanwhile, so that one with a slow line
    /// keeps its session by its pings; what it says is read ahead, not answered. Whether there is anything new to look
    /// at then.
    ///
    /// # Errors
    /// The connection breaks, or for too long nothing is taken and nothing heard.
    pub(super) async fn write(&mut self, stream: &mut impl Stream) -> Result<bool, Unwritten> {
        let patience = self.silence_max().max(LINGER);
        let (mut written, mut since, mut end) = (0, Instant::now(), None);
        let (mut came, mut woken, mut is_over) = (false, false, false);
        loop {
            let limit = end.map_or(since + patience, |end| (since + patience).min(end));
            let is_heard = !is_over && self.incoming.has_room();
            let mut ahead = Some(&mut self.incoming.bytes).filter(|_| is_heard);
            tokio::select! {
                biased;
                moved = poll_fn(|cx| poll_move(stream, &self.out, &mut written, ahead.as_deref_mut(), cx)) => match moved? {
                    Moved::Sent => break,
                    Moved::Written => {
                        since = Instant::now();
                        if !is_heard && !is_over {
                            // It is we who do not listen, and it is there.
                            self.incoming.heard = since;
                            self.shared.heard();
                        }
                    }
                    // Whatever it is, the next one who reads finds it too; the answers may still arrive.
                    Moved::Read(0) => is_over = true,
                    Moved::Read(count) => {
                        self.hears(count);
                        (since, came) = (self.incoming.heard, true);
                    }
                },
                () = self.shared.woken() => {
                    woken = true;
                    if self.shared.is_overrun() {
                        return Err(Unwritten::Unread);
                    }
                    if end.is_none() && self.shared.is_ended() {
                        end = Some(Instant::now() + LINGER);
                    }
                }
                () = sleep_until(limit.into()) => return Err(Unwritten::Unread),
            }
        }
        self.out.clear();
        if self.out.capacity() > KEPT {
            self.out = BytesMut::new();
        }
        if woken {
            self.inbox.extend(self.shared.drain());
        }
        Ok(came || woken)
    }
}

/// Writes behind the first `written` bytes what can be written now. Where that is nothing, something is read `ahead`.
fn poll_move(
    stream: &mut impl Stream,
    out: &[u8],
    written: &mut usize,
    ahead: Option<&mut BytesMut>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Moved>> {
    let before = *written;
    loop {
        let left = out.get(*written..).unwrap_or_default();
        if left.is_empty() {
            match Pin::new(&mut *stream).poll_flush(cx)? {
                Poll::Ready(()) => return Poll::Ready(Ok(Moved::Sent)),
                Poll::Pending => break,
            }
        }
        match Pin::new(&mut *stream).poll_write(cx, left)? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(count) => *written += count,
            Poll::Pending => break,
        }
    }
    if *written > before {
        return Poll::Ready(Ok(Moved::Written));
    }
    let Some(ahead) = ahead else { return Poll::Pending };
    ahead.reserve(READ_AHEAD);
    let mut ahead = ahead.limit(READ_AHEAD);
    pin!(stream.read_buf(&mut ahead)).poll(cx).map(|read| Ok(Moved::Read(read.unwrap_or(0))))
}
