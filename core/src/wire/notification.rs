//! The election's one message, and the first bytes of its connections.

use crate::id::{Epoch, ServerId, Zxid};
use crate::wire::frame::frame;
use crate::wire::jute::{DecodeError, Fault, Put, Reader};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// What a server is doing, as it says in its notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// 0: in an election.
    Looking,
    /// 1
    Following,
    /// 2
    Leading,
    /// 3
    Observing,
}

/// A vote: who should lead, and what speaks for it. `Ord` is the election's own order, by epoch, then zxid, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The candidate's current epoch.
    pub epoch: Epoch,
    /// The candidate's last logged zxid.
    pub zxid: Zxid,
    /// The candidate.
    pub leader: ServerId,
}

/// A notification as it stands on the election connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The sender's state.
    pub state: ServerState,
    /// The sender's vote.
    pub vote: Vote,
    /// The sender's election round (`electionEpoch`).
    pub round: i64,
    /// The format's version: 2 is written; 0 is an old message without peer epoch or configuration.
    pub version: i32,
    /// The sender's committed configuration as text; empty before version 2.
    pub config: String,
}

/// The longest message on an election connection, in bytes without its length; an empty one is not allowed either.
pub const MAX_MESSAGE: usize = 512 * 1024;

/// The version that is written.
pub const VERSION: i32 = 2;

impl ServerState {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            ServerState::Looking => 0,
            ServerState::Following => 1,
            ServerState::Leading => 2,
            ServerState::Observing => 3,
        }
    }

    /// The state of a number.
    pub const fn from_code(code: i32) -> Option<ServerState> {
        Some(match code {
            0 => ServerState::Looking,
            1 => ServerState::Following,
            2 => ServerState::Leading,
            3 => ServerState::Observing,
            _ => return None,
        })
    }
}

impl Notification {
    /// Appends the payload, always in the form of version 2, without the message's length.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_i32(self.state.code());
        out.put_i64(self.vote.leader.0);
        out.put_i64(self.vote.zxid.0);
        out.put_i64(self.round);
        out.put_i64(self.vote.epoch.0);
        out.put_i32(VERSION);
        out.put_ustring(&self.config);
    }

    /// The whole message with its length.
    pub fn frame(&self) -> Bytes {
        frame(|out| self.encode(out))
    }

    /// Reads a payload in any of the forms that Apache's servers have written: 28 bytes without epoch (then it is
    /// the zxid's) and version, 40 bytes whose version is taken for 0 whatever stands there, version 1 without a
    /// configuration, version 2. Bytes behind are ignored.
    ///
    /// # Errors
    /// Bytes that are none of these. Such a message is skipped; the connection stays.
    pub fn decode(payload: Bytes) -> Result<Notification, DecodeError> {
        let size = payload.len();
        let mut r = Reader::with_limit(payload, MAX_MESSAGE);
        let state = r.int("state")?;
        let state =
            ServerState::from_code(state).ok_or(DecodeError::new("state", 0, Fault::Unknown(i64::from(state))))?;
        let leader = r.server("leader")?;
        let zxid = r.zxid("zxid")?;
        let round = r.long("electionEpoch")?;
        let epoch = if size == 28 { zxid.epoch() } else { Epoch(r.long("peerEpoch")?) };
        let version = if size == 28 || size == 40 { 0 } else { r.int("version")? };
        let config = if version >= VERSION { r.ustring("configuration")? } else { String::new() };
        Ok(Notification { state, vote: Vote { epoch, zxid, leader }, round, version, config })
    }
}

/// The longest address text of an [`InitialMessage`], in bytes.
const MAX_ADDRESS: usize = 2048;

/// The form with one address.
const ONE_ADDRESS: i64 = -65536;

/// The form with several addresses.
const SEVERAL_ADDRESSES: i64 = -65535;

/// What the side that opened an election connection sends first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialMessage {
    /// Who is calling.
    pub server: ServerId,
    /// Where it can be called back, each `host:port` (an IPv6 host in brackets). None in the oldest form, where the
    /// id is all there is.
    pub addresses: Vec<String>,
}

impl InitialMessage {
    /// Appends it, in the oldest form that holds what it says.
    ///
    /// # Panics
    /// No address and a negative id: the oldest form has no room for it.
    pub fn encode(&self, out: &mut BytesMut) {
        match self.addresses.as_slice() {
            [] => {
                assert!(self.server.0 >= 0, "server {} needs an address to call from", self.server);
                out.put_i64(self.server.0);
            }
            addresses => {
                out.put_i64(if addresses.len() == 1 { ONE_ADDRESS } else { SEVERAL_ADDRESSES });
                out.put_i64(self.server.0);
                out.put_ustring(&addresses.join("|"));
            }
        }
    }

    /// Takes one out of `buf`; `Ok(None)` means that more bytes have to come, and `buf` is as it was.
    ///
    /// # Errors
    /// An unknown form, or a length of text out of bounds. The connection is to be closed.
    pub fn decode(buf: &mut BytesMut) -> Result<Option<InitialMessage>, DecodeError> {
        let mut head = &buf[..];
        let Ok(form) = head.try_get_i64() else { return Ok(None) };
        if form >= 0 {
            buf.advance(8);
            return Ok(Some(InitialMessage { server: ServerId(form), addresses: Vec::new() }));
        }
        if form != ONE_ADDRESS && form != SEVERAL_ADDRESSES {
            return Err(DecodeError::new("initial message's form", 0, Fault::Unknown(form)));
        }
        let Ok(server) = head.try_get_i64() else { return Ok(None) };
        let Ok(length) = head.try_get_i32() else { return Ok(None) };
        let Some(size) = usize::try_from(length).ok().filter(|size| (1..=MAX_ADDRESS).contains(size)) else {
            let fault = Fault::Length { length: i64::from(length), limit: MAX_ADDRESS };
            return Err(DecodeError::new("initial message's address", 16, fault));
        };
        let Some(text) = head.get(..size) else { return Ok(None) };
        let text = String::from_utf8_lossy(text);
        let addresses = match form {
            ONE_ADDRESS => alloc::vec![text.into_owned()],
            _ => text.split('|').map(String::from).collect(),
        };
        buf.advance(20 + size);
        Ok(Some(InitialMessage { server: ServerId(server), addresses }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn notification(config: &str) -> Notification {
        Notification {
            state: ServerState::Leading,
            vote: Vote { epoch: Epoch(5), zxid: Zxid(0x4_0000_0007), leader: ServerId(3) },
            round: 9,
            version: VERSION,
            config: config.into(),
        }
    }

    /// The payload of `notification("")`, then other bytes from 40 on.
    fn cut_at(size: usize, tail: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        notification("").encode(&mut out);
        out.truncate(size);
        out.put_slice(tail);
        out.freeze()
    }

    #[test]
    fn each_form_is_read_by_its_size() {
        let whole = notification("");
        let old = Notification { version: 0, ..whole.clone() };
        let oldest = Notification { vote: Vote { epoch: Epoch(4), ..whole.vote }, ..old.clone() };
        let one = Notification { version: 1, ..whole.clone() };
        for (payload, want) in [
            (cut_at(27, &[]), None),
            (cut_at(28, &[]), Some(oldest)),
            (cut_at(36, &[]), None),
            (cut_at(40, &[]), Some(old)),
            (cut_at(40, &[0, 0]), None),
            (cut_at(36, &[0, 0, 0, 1, 9]), Some(one)),
            (cut_at(44, &[]), Some(whole.clone())),
            (cut_at(44, &[1, 2, 3]), Some(whole.clone())),
            (cut_at(40, &[0, 0, 0, 3, b'v', b'=', b'1']), Some(notification("v=1"))),
            (cut_at(40, &[0, 0, 0x13, 0x88, b'v']), None),
            (cut_at(40, &[0xff, 0xff, 0xff, 0xff]), None),
            (cut_at(40, &[0xff, 0xff, 0xff, 0xf0]), None),
        ] {
            assert_eq!(Notification::decode(payload.clone()).ok(), want, "{} bytes", payload.len());
        }
        let mut unknown = BytesMut::from(&cut_at(44, &[])[..]);
        unknown[3] = 9;
        let e = Notification::decode(unknown.freeze()).unwrap_err();
        assert_eq!(e, DecodeError::new("state", 0, Fault::Unknown(9)));
    }

    #[test]
    fn initial_messages_come_in_pieces() {
        for addresses in [&[][..], &["127.0.0.1:3888"], &["[::1]:3888", "b:3888"]] {
            let message =
                InitialMessage { server: ServerId(7), addresses: addresses.iter().map(|a| String::from(*a)).collect() };
            let mut whole = BytesMut::new();
            message.encode(&mut whole);
            for length in 0..whole.len() {
                let mut buf = BytesMut::from(&whole[..length]);
                assert_eq!(InitialMessage::decode(&mut buf), Ok(None));
                assert_eq!(buf, whole[..length]);
            }
            whole.put_slice(b"next");
            assert_eq!(InitialMessage::decode(&mut whole), Ok(Some(message)));
            assert_eq!(whole, &b"next"[..]);
        }
    }

    #[test]
    fn initial_messages_out_of_bounds() {
        for (form, length) in [(-1i64, 5i32), (ONE_ADDRESS, 0), (ONE_ADDRESS, 2049), (SEVERAL_ADDRESSES, -1)] {
            let mut buf = BytesMut::new();
            buf.put_i64(form);
            buf.put_i64(1);
            buf.put_i32(length);
            assert!(InitialMessage::decode(&mut buf).is_err(), "{form} {length}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            state in 0..4, leader: i64, zxid: i64, epoch: i64, round: i64, config: String, noise: Vec<u8>,
        ) {
            let n = Notification {
                state: ServerState::from_code(state).unwrap(),
                vote: Vote { epoch: Epoch(epoch), zxid: Zxid(zxid), leader: ServerId(leader) },
                round,
                version: VERSION,
                config,
            };
            let mut out = BytesMut::new();
            n.encode(&mut out);
            prop_assert_eq!(Notification::decode(out.freeze()), Ok(n));
            let _ = Notification::decode(noise.clone().into());
            let _ = InitialMessage::decode(&mut BytesMut::from(&noise[..]));
        }
    }
}
