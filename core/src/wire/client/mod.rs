//! The client port's messages: handshake, requests, replies, watch events.

mod connect;
mod event;
mod request;
mod response;

pub use connect::{ConnectRequest, ConnectResponse};
pub use event::{AddWatchMode, EventKind, WatchType, WatcherEvent};
pub use request::{Request, WatchLists};
pub use response::{AuthInfo, OpResult, Response};

use crate::error::ZkError;
use crate::id::Zxid;
use crate::wire::frame::{frame, frame_of};
use crate::wire::jute::{DecodeError, Reader};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// The head of every later request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHeader {
    /// The client's number, echoed in the reply.
    pub xid: i32,
    /// Raw opcode (an unknown one is answered, then closes the connection).
    pub op: i32,
}

/// The head of every reply and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHeader {
    /// The request's number, or one of [`xid`].
    pub xid: i32,
    /// The write's own zxid, or the last one applied here.
    pub zxid: Zxid,
    /// 0 or an error code; no body follows an error.
    pub err: i32,
}

/// Numbers that are no client's.
pub mod xid {
    /// A watch event.
    pub const EVENT: i32 = -1;
    /// A ping and its reply.
    pub const PING: i32 = -2;
    /// An auth packet and its reply.
    pub const AUTH: i32 = -4;
    /// setWatches and its reply.
    pub const SET_WATCHES: i32 = -8;
}

/// A reply before it is encoded.
pub type Outcome = Result<Response, ZkError>;

impl RequestHeader {
    /// Appends it.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.xid);
        out.put_i32(self.op);
    }

    /// Splits a frame's payload into the header and the request's body, for [`Request::decode`].
    ///
    /// # Errors
    /// Fewer than 8 bytes: the connection is to be closed without an answer.
    pub fn decode(payload: Bytes) -> Result<(RequestHeader, Bytes), DecodeError> {
        let mut r = Reader::new(payload);
        let header = RequestHeader { xid: r.int("xid")?, op: r.int("type")? };
        Ok((header, r.rest()))
    }
}

impl ReplyHeader {
    /// Appends it.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.xid);
        out.put_i64(self.zxid.0);
        out.put_i32(self.err);
    }

    /// Splits a frame's payload into the header and the reply's body, for [`Response::decode`] (unless `err` is set:
    /// then no body is to be looked at) or, if `xid` is [`xid::EVENT`], for [`WatcherEvent::decode`].
    ///
    /// # Errors
    /// Fewer than 16 bytes.
    pub fn decode(payload: Bytes) -> Result<(ReplyHeader, Bytes), DecodeError> {
        let mut r = Reader::new(payload);
        let header = ReplyHeader { xid: r.int("xid")?, zxid: r.zxid("zxid")?, err: r.int("err")? };
        Ok((header, r.rest()))
    }
}

/// The whole frame of a request.
pub fn request_frame(xid: i32, request: &Request) -> Bytes {
    frame(|out| {
        RequestHeader { xid, op: request.op().code() }.encode(out);
        request.encode(out);
    })
}

/// What most replies have room in, but for the data in them: a head, a Stat and a path.
const REPLY_SIZE: usize = 16 + 68 + 44;

/// The whole frame of a reply: a body if `outcome` is one, else the error's code alone.
pub fn reply_frame(xid: i32, zxid: Zxid, outcome: &Outcome) -> Bytes {
    frame_of(REPLY_SIZE + outcome.as_ref().map_or(0, Response::data_len), |out| {
        let err = outcome.as_ref().map_or_else(|e| e.code(), |_| 0);
        ReplyHeader { xid, zxid, err }.encode(out);
        if let Ok(response) = outcome {
            response.encode(out);
        }
    })
}

/// The zxid in the header of every watch event, as Apache's servers send it up to 3.8 and in answer to a setWatches.
/// Since 3.9 they name the transaction that fired the watch (client-protocol §8.1). Here it is the same for all, on
/// purpose: an event is shared by all who are told of it and carries no zxid, no client may conclude anything from one
/// (a transaction can bring more events, so what was seen only moves with an answer), and -1 is what every client has
/// always taken for "none".
pub const EVENT_ZXID: Zxid = Zxid(-1);

/// The whole frame of a watch event. A server's has [`EVENT_ZXID`]; a client takes any.
pub fn event_frame(zxid: Zxid, event: &WatcherEvent) -> Bytes {
    frame(|out| {
        ReplyHeader { xid: xid::EVENT, zxid, err: 0 }.encode(out);
        event.encode(out);
    })
}
