//! The handshake.

use crate::id::{SessionId, Zxid};
use crate::wire::frame::frame;
use crate::wire::jute::{DecodeError, Put, Reader};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectRequest {
    /// Ignored by servers; 0 is sent.
    pub protocol: i32,
    /// The highest zxid the client has seen: a server that is behind must refuse it.
    pub last_zxid_seen: Zxid,
    /// Wished session timeout.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session: SessionId,
    /// 16 bytes; zeros for a new session.
    pub passwd: Bytes,
    /// `None` for an old client that does not send the flag (and must not get it back).
    pub read_only: Option<bool>,
}

/// The first frame of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectResponse {
    /// Negotiated timeout; 0 tells the client that its session has expired.
    pub timeout_ms: i32,
    /// The session, 0 when expired.
    pub session: SessionId,
    /// 16 bytes.
    pub passwd: Bytes,
    /// As in the request: absent when the client did not send it.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// Appends it, without a frame's length.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.protocol);
        out.put_i64(self.last_zxid_seen.0);
        out.put_i32(self.timeout_ms);
        out.put_i64(self.session.0);
        out.put_buffer(Some(&self.passwd));
        if let Some(read_only) = self.read_only {
            out.put_bool(read_only);
        }
    }

    /// Reads a frame's payload. A null password counts as empty; bytes behind the flag are ignored.
    ///
    /// # Errors
    /// Bytes that are no ConnectRequest: the connection is to be closed without an answer.
    pub fn decode(payload: Bytes) -> Result<ConnectRequest, DecodeError> {
        let mut r = Reader::new(payload);
        Ok(ConnectRequest {
            protocol: r.int("protocolVersion")?,
            last_zxid_seen: r.zxid("lastZxidSeen")?,
            timeout_ms: r.int("timeOut")?,
            session: r.session("sessionId")?,
            passwd: r.buffer("passwd")?.unwrap_or_default(),
            read_only: read_only(&mut r)?,
        })
    }

    /// The whole frame.
    pub fn frame(&self) -> Bytes {
        frame(|out| self.encode(out))
    }
}

impl ConnectResponse {
    /// Appends it, without a frame's length.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(0);
        out.put_i32(self.timeout_ms);
        out.put_i64(self.session.0);
        out.put_buffer(Some(&self.passwd));
        if let Some(read_only) = self.read_only {
            out.put_bool(read_only);
        }
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// Bytes that are no ConnectResponse.
    pub fn decode(payload: Bytes) -> Result<ConnectResponse, DecodeError> {
        let mut r = Reader::new(payload);
        r.int("protocolVersion")?;
        Ok(ConnectResponse {
            timeout_ms: r.int("timeOut")?,
            session: r.session("sessionId")?,
            passwd: r.buffer("passwd")?.unwrap_or_default(),
            read_only: read_only(&mut r)?,
        })
    }

    /// The whole frame.
    pub fn frame(&self) -> Bytes {
        frame(|out| self.encode(out))
    }
}

fn read_only(r: &mut Reader) -> Result<Option<bool>, DecodeError> {
    if r.remaining() == 0 { Ok(None) } else { r.boolean("readOnly").map(Some) }
}
