//! The packets of the quorum port, one to one with Apache's (`QuorumPacket`), as types.

use crate::disk::body::BodyScanner;
use crate::id::{Epoch, ServerId, SessionId, Zxid};
use crate::wire::jute::{DecodeError, Fault, MAX_FIELD, Put, Reader};
use crate::wire::record::Id;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// What a learner says of itself in FOLLOWERINFO and OBSERVERINFO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnerInfo {
    /// Its id.
    pub server: ServerId,
    /// The protocol it speaks; 0x10000 is the only one written.
    pub protocol: i32,
    /// The version of its committed configuration; must not exceed the leader's.
    pub config_version: i64,
}

/// The protocol version of [`LearnerInfo`] and LEADERINFO.
pub const PROTOCOL_VERSION: i32 = 0x10000;

/// A write (or sync) that a learner sends on for one of its clients: the body of REQUEST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// The client's session.
    pub session: SessionId,
    /// The client's own number of the request (`xid`).
    pub cxid: i32,
    /// The opcode, a raw number of [`crate::wire::op::OpCode`].
    pub op: i32,
    /// The request record, as the client sent it.
    pub body: Bytes,
    /// Who the client has shown to be (`ip` first); none for createSession.
    pub auth: Vec<Id>,
}

/// One packet on the quorum port. `Zxid` fields are the packet's own zxid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMsg {
    /// 11, follower to leader: zxid is `accepted << 32`.
    FollowerInfo { accepted: Epoch, info: LearnerInfo },
    /// 16, observer to leader.
    ObserverInfo { accepted: Epoch, info: LearnerInfo },
    /// 17, leader to learner: the epoch it proposes.
    LeaderInfo { epoch: Epoch, protocol: i32 },
    /// 18, learner to leader: its last logged zxid and its current epoch; `None` (-1 on the wire) when it had
    /// promised this epoch before.
    AckEpoch { last: Zxid, current: Option<Epoch> },
    /// 13, leader to learner: only proposals follow, up to `target`.
    Diff { target: Zxid },
    /// 14, leader to learner: cut the log behind `to` first.
    Trunc { to: Zxid },
    /// 15, leader to learner: the whole state at `zxid`; `body` is parts 2 to 5 of the snapshot format
    /// (the codec adds and removes the closing `BenWasHere`).
    Snap { zxid: Zxid, body: Bytes },
    /// 10, leader to learner: the history of `epoch` is complete; `config` is the configuration's text.
    NewLeader { epoch: Epoch, config: String },
    /// 12, leader to learner: serve.
    UpToDate,
    /// 2, leader to follower: a transaction as it stands in the log.
    Proposal { zxid: Zxid, txn: Bytes },
    /// 3, learner to leader: everything up to `zxid` is durable here. Counter 0 acknowledges NEWLEADER.
    Ack { zxid: Zxid },
    /// 4, leader to follower.
    Commit { zxid: Zxid },
    /// 8, leader to observer: a committed transaction.
    Inform { zxid: Zxid, txn: Bytes },
    /// 5, leader to learner: the zxid it proposed last.
    Ping { zxid: Zxid },
    /// 5, learner to leader: the sessions heard since the last ping, with their timeouts in milliseconds.
    Pong { zxid: Zxid, touched: Vec<(SessionId, i32)> },
    /// 1, learner to leader.
    Request(Forwarded),
    /// 6, learner to leader: is this session alive, and now mine?
    Revalidate { session: SessionId, timeout_ms: i32 },
    /// 6, leader to learner.
    Revalidated { session: SessionId, valid: bool },
    /// 7, leader to learner: the answer to a forwarded sync.
    Sync,
    /// 9, leader to follower: as COMMIT, of a change of members; who leads from now on.
    CommitAndActivate { zxid: Zxid, designated: ServerId },
    /// 19, leader to observer: as INFORM, of a change of members.
    InformAndActivate { zxid: Zxid, designated: ServerId, txn: Bytes },
    /// Any other type: both sides ignore it.
    Unknown { kind: i32, zxid: Zxid },
}

impl PeerMsg {
    /// The short name used in traces and on the stage.
    pub fn name(&self) -> &'static str {
        match self {
            PeerMsg::FollowerInfo { .. } => "FOLLOWERINFO",
            PeerMsg::ObserverInfo { .. } => "OBSERVERINFO",
            PeerMsg::LeaderInfo { .. } => "LEADERINFO",
            PeerMsg::AckEpoch { .. } => "ACKEPOCH",
            PeerMsg::Diff { .. } => "DIFF",
            PeerMsg::Trunc { .. } => "TRUNC",
            PeerMsg::Snap { .. } => "SNAP",
            PeerMsg::NewLeader { .. } => "NEWLEADER",
            PeerMsg::UpToDate => "UPTODATE",
            PeerMsg::Proposal { .. } => "PROPOSAL",
            PeerMsg::Ack { .. } => "ACK",
            PeerMsg::Commit { .. } => "COMMIT",
            PeerMsg::Inform { .. } => "INFORM",
            PeerMsg::Ping { .. } => "PING",
            PeerMsg::Pong { .. } => "PONG",
            PeerMsg::Request(_) => "REQUEST",
            PeerMsg::Revalidate { .. } | PeerMsg::Revalidated { .. } => "REVALIDATE",
            PeerMsg::Sync => "SYNC",
            PeerMsg::CommitAndActivate { .. } => "COMMITANDACTIVATE",
            PeerMsg::InformAndActivate { .. } => "INFORMANDACTIVATE",
            PeerMsg::Unknown { .. } => "UNKNOWN",
        }
    }

    /// The zxid worth showing beside the name, where there is one.
    pub fn zxid(&self) -> Option<Zxid> {
        match self {
            PeerMsg::FollowerInfo { accepted, .. } | PeerMsg::ObserverInfo { accepted, .. } => Some(accepted.start()),
            PeerMsg::LeaderInfo { epoch, .. } | PeerMsg::NewLeader { epoch, .. } => Some(epoch.start()),
            PeerMsg::AckEpoch { last, .. } => Some(*last),
            PeerMsg::Diff { target } => Some(*target),
            PeerMsg::Trunc { to } => Some(*to),
            PeerMsg::Snap { zxid, .. }
            | PeerMsg::Proposal { zxid, .. }
            | PeerMsg::Ack { zxid }
            | PeerMsg::Commit { zxid }
            | PeerMsg::Inform { zxid, .. }
            | PeerMsg::CommitAndActivate { zxid, .. }
            | PeerMsg::InformAndActivate { zxid, .. } => Some(*zxid),
            PeerMsg::UpToDate
            | PeerMsg::Ping { .. }
            | PeerMsg::Pong { .. }
            | PeerMsg::Request(_)
            | PeerMsg::Revalidate { .. }
            | PeerMsg::Revalidated { .. }
            | PeerMsg::Sync
            | PeerMsg::Unknown { .. } => None,
        }
    }
}

/// The numbers of the packets' types.
mod kind {
    pub const REQUEST: i32 = 1;
    pub const PROPOSAL: i32 = 2;
    pub const ACK: i32 = 3;
    pub const COMMIT: i32 = 4;
    pub const PING: i32 = 5;
    pub const REVALIDATE: i32 = 6;
    pub const SYNC: i32 = 7;
    pub const INFORM: i32 = 8;
    pub const COMMITANDACTIVATE: i32 = 9;
    pub const NEWLEADER: i32 = 10;
    pub const FOLLOWERINFO: i32 = 11;
    pub const UPTODATE: i32 = 12;
    pub const DIFF: i32 = 13;
    pub const TRUNC: i32 = 14;
    pub const SNAP: i32 = 15;
    pub const OBSERVERINFO: i32 = 16;
    pub const LEADERINFO: i32 = 17;
    pub const ACKEPOCH: i32 = 18;
    pub const INFORMANDACTIVATE: i32 = 19;
}

/// What closes a SNAP's body, as a string with its length.
const SNAP_END: &[u8; 14] = b"\0\0\0\x0aBenWasHere";

/// The zxid of packets that are about none.
const NO_ZXID: Zxid = Zxid(-1);

impl LearnerInfo {
    fn encode(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let mut out = &mut bytes[..];
        out.put_i64(self.server.0);
        out.put_i32(self.protocol);
        out.put_i64(self.config_version);
        bytes
    }

    /// 20 bytes, or 12 without the configuration's version. With less, the learner's protocol is older than any that
    /// is spoken here.
    fn decode(data: Option<Bytes>) -> Result<LearnerInfo, DecodeError> {
        let mut r = Reader::new(data.unwrap_or_default());
        if r.remaining() < 12 {
            return Err(DecodeError::new("LearnerInfo", 0, Fault::TooOld(r.remaining())));
        }
        let server = r.server("LearnerInfo's serverid")?;
        let protocol = r.int("LearnerInfo's protocolVersion")?;
        let config_version = if r.remaining() < 8 { 0 } else { r.long("LearnerInfo's configVersion")? };
        Ok(LearnerInfo { server, protocol, config_version })
    }
}

/// Appends a packet: type, zxid, data, authinfo, with null for `None`.
fn put_packet(out: &mut BytesMut, kind: i32, zxid: Zxid, data: Option<&[u8]>, auth: Option<&[Id]>) {
    out.put_i32(kind);
    out.put_i64(zxid.0);
    out.put_buffer(data);
    match auth {
        None => out.put_i32(-1),
        Some(ids) => out.put_vector(ids, |out, id| id.encode(out)),
    }
}

impl PeerMsg {
    /// Appends the packet as it stands on the quorum port. A SNAP brings its body and the mark behind it along.
    ///
    /// [`PeerMsg::Unknown`] is written without data.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut plain = |kind, zxid, data: Option<&[u8]>| put_packet(out, kind, zxid, data, None);
        match self {
            PeerMsg::FollowerInfo { accepted, info } => {
                plain(kind::FOLLOWERINFO, accepted.start(), Some(&info.encode()));
            }
            PeerMsg::ObserverInfo { accepted, info } => {
                plain(kind::OBSERVERINFO, accepted.start(), Some(&info.encode()));
            }
            PeerMsg::LeaderInfo { epoch, protocol } => {
                plain(kind::LEADERINFO, epoch.start(), Some(&protocol.to_be_bytes()));
            }
            PeerMsg::AckEpoch { last, current } => {
                // Apache too sends the low 32 bits, the ones that are in zxids.
                let current = current.map_or(-1, |epoch| epoch.0 as i32);
                plain(kind::ACKEPOCH, *last, Some(&current.to_be_bytes()));
            }
            PeerMsg::Diff { target } => plain(kind::DIFF, *target, None),
            PeerMsg::Trunc { to } => plain(kind::TRUNC, *to, None),
            PeerMsg::Snap { zxid, body } => {
                plain(kind::SNAP, *zxid, None);
                out.put_slice(body);
                out.put_slice(SNAP_END);
            }
            PeerMsg::NewLeader { epoch, config } => {
                plain(kind::NEWLEADER, epoch.start(), Some(config.as_bytes()).filter(|text| !text.is_empty()));
            }
            PeerMsg::UpToDate => plain(kind::UPTODATE, NO_ZXID, None),
            PeerMsg::Proposal { zxid, txn } => plain(kind::PROPOSAL, *zxid, Some(txn)),
            PeerMsg::Ack { zxid } => plain(kind::ACK, *zxid, None),
            PeerMsg::Commit { zxid } => plain(kind::COMMIT, *zxid, None),
            PeerMsg::Inform { zxid, txn } => plain(kind::INFORM, *zxid, Some(txn)),
            PeerMsg::Ping { zxid } => plain(kind::PING, *zxid, None),
            PeerMsg::Pong { zxid, touched } => {
                let mut data = BytesMut::with_capacity(touched.len() * 12);
                for (session, timeout_ms) in touched {
                    data.put_i64(session.0);
                    data.put_i32(*timeout_ms);
                }
                plain(kind::PING, *zxid, Some(&data));
            }
            PeerMsg::Request(forwarded) => {
                let mut data = BytesMut::with_capacity(16 + forwarded.body.len());
                data.put_i64(forwarded.session.0);
                data.put_i32(forwarded.cxid);
                data.put_i32(forwarded.op);
                data.put_slice(&forwarded.body);
                let auth = Some(forwarded.auth.as_slice()).filter(|auth| !auth.is_empty());
                put_packet(out, kind::REQUEST, NO_ZXID, Some(&data), auth);
            }
            PeerMsg::Revalidate { session, timeout_ms } => {
                let mut data = [0; 12];
                let mut fields = &mut data[..];
                fields.put_i64(session.0);
                fields.put_i32(*timeout_ms);
                plain(kind::REVALIDATE, NO_ZXID, Some(&data));
            }
            PeerMsg::Revalidated { session, valid } => {
                let mut data = [0; 9];
                let mut fields = &mut data[..];
                fields.put_i64(session.0);
                fields.put_bool(*valid);
                plain(kind::REVALIDATE, NO_ZXID, Some(&data));
            }
            PeerMsg::Sync => plain(kind::SYNC, Zxid::ZERO, None),
            PeerMsg::CommitAndActivate { zxid, designated } => {
                plain(kind::COMMITANDACTIVATE, *zxid, Some(&designated.0.to_be_bytes()));
            }
            PeerMsg::InformAndActivate { zxid, designated, txn } => {
                let mut data = BytesMut::with_capacity(8 + txn.len());
                data.put_i64(designated.0);
                data.put_slice(txn);
                plain(kind::INFORMANDACTIVATE, *zxid, Some(&data));
            }
            PeerMsg::Unknown { kind, zxid } => plain(*kind, *zxid, None),
        }
    }
}

/// Which end of a quorum connection sends what is being decoded: PING and REVALIDATE differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The leader.
    Leader,
    /// A follower or observer.
    Learner,
}

/// How much a [`PacketDecoder`] lets a peer send at once, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A packet's data, and likewise the identities behind a REQUEST together.
    pub field: usize,
    /// The body of a SNAP. All of it is held in memory.
    pub snapshot: usize,
}

impl Default for Limits {
    /// [`MAX_FIELD`] and 1 GiB.
    fn default() -> Limits {
        Limits { field: MAX_FIELD, snapshot: 1 << 30 }
    }
}

/// Takes packets out of the stream of one connection. Packets have no length in front; the decoder remembers how far
/// it has looked, so that a packet that comes in many pieces, and above all a SNAP, is looked at once only.
#[derive(Clone, Debug)]
pub struct PacketDecoder {
    sender: Sender,
    limits: Limits,
    progress: Progress,
}

/// What stands where in the buffer, counted from its first byte.
#[derive(Clone, Debug)]
enum Progress {
    /// A packet begins.
    Head,
    /// Its authinfo begins here.
    Auth { at: usize },
    /// Here, so many strings of it are to come; the packet's data end at `data_end`.
    Strings { at: usize, left: u64, data_end: usize },
    /// The packet is whole and ends here.
    Whole { end: usize },
    /// The body of a SNAP begins.
    Body { zxid: Zxid, scanner: BodyScanner },
    /// A SNAP's body of this size, then its end.
    BodyEnd { zxid: Zxid, size: usize },
}

impl PacketDecoder {
    /// A decoder for what `sender` sends on one connection, from its first byte.
    pub const fn new(sender: Sender, limits: Limits) -> PacketDecoder {
        PacketDecoder { sender, limits, progress: Progress::Head }
    }

    /// Takes the next message out of `buf`; `Ok(None)` means that more bytes have to come. Between two calls `buf`
    /// may only be appended to. Buffers inside the message share the memory of `buf`.
    ///
    /// # Errors
    /// Bytes that are no packet, or lengths over the limits. The connection has to be closed: where the next packet
    /// begins can't be known.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Option<PeerMsg>, DecodeError> {
        loop {
            self.progress = match self.progress {
                Progress::Head => match length(buf, 12, "packet's data", self.limits.field)? {
                    Some(size) => Progress::Auth { at: 16 + size },
                    None => return Ok(None),
                },
                Progress::Auth { at } => match int(buf, at) {
                    Some(-1) => Progress::Whole { end: at + 4 },
                    Some(count) => match u32::try_from(count) {
                        Ok(count) => Progress::Strings { at: at + 4, left: u64::from(count) * 2, data_end: at },
                        Err(_) => {
                            let fault = Fault::Count { count, most: self.limits.field / Id::MIN_SIZE };
                            return Err(DecodeError::new("packet's authinfo", at, fault));
                        }
                    },
                    None => return Ok(None),
                },
                Progress::Strings { at, left: 0, .. } => Progress::Whole { end: at },
                Progress::Strings { at, left, data_end } => {
                    // What the identities before have taken is no longer allowed for this one.
                    let Some(most) = self.limits.field.checked_sub(at - data_end) else {
                        let fault = Fault::Expected("an end within the limit");
                        return Err(DecodeError::new("packet's authinfo", data_end, fault));
                    };
                    match length(buf, at, "packet's authinfo", most)? {
                        Some(size) => Progress::Strings { at: at + 4 + size, left: left - 1, data_end },
                        None => return Ok(None),
                    }
                }
                Progress::Whole { end } if buf.len() < end => return Ok(None),
                Progress::Whole { end } => {
                    self.progress = Progress::Head;
                    match self.packet(buf.split_to(end).freeze())? {
                        PeerMsg::Snap { zxid, .. } => {
                            Progress::Body { zxid, scanner: BodyScanner::new(self.limits.snapshot) }
                        }
                        message => return Ok(Some(message)),
                    }
                }
                Progress::Body { zxid, ref mut scanner } => match scanner.scan(buf)? {
                    Some(size) => Progress::BodyEnd { zxid, size },
                    None => return Ok(None),
                },
                Progress::BodyEnd { zxid, size } => {
                    let Some(end) = buf.get(size..).and_then(|rest| rest.first_chunk::<14>()) else { return Ok(None) };
                    if end != SNAP_END {
                        return Err(DecodeError::new("end of SNAP", size, Fault::Expected("\"BenWasHere\"")));
                    }
                    self.progress = Progress::Head;
                    let body = buf.split_to(size).freeze();
                    buf.advance(SNAP_END.len());
                    return Ok(Some(PeerMsg::Snap { zxid, body }));
                }
            };
        }
    }

    /// A packet whose bytes are all there. A SNAP comes without its body.
    fn packet(&self, bytes: Bytes) -> Result<PeerMsg, DecodeError> {
        let mut r = Reader::with_limit(bytes, self.limits.field);
        let kind = r.int("packet's type")?;
        let zxid = r.zxid("packet's zxid")?;
        let data = r.buffer("packet's data")?;
        let from_leader = self.sender == Sender::Leader;
        let fields = |what| data.clone().map(Reader::new).ok_or(DecodeError::new(what, 12, Fault::Null));
        Ok(match kind {
            kind::FOLLOWERINFO => PeerMsg::FollowerInfo { accepted: zxid.epoch(), info: LearnerInfo::decode(data)? },
            kind::OBSERVERINFO => PeerMsg::ObserverInfo { accepted: zxid.epoch(), info: LearnerInfo::decode(data)? },
            kind::LEADERINFO => PeerMsg::LeaderInfo {
                epoch: zxid.epoch(),
                protocol: fields("LEADERINFO's data")?.int("LEADERINFO's protocolVersion")?,
            },
            kind::ACKEPOCH => {
                let current = fields("ACKEPOCH's data")?.int("ACKEPOCH's currentEpoch")?;
                let current = if current == -1 { None } else { Some(Epoch(i64::from(current))) };
                PeerMsg::AckEpoch { last: zxid, current }
            }
            kind::DIFF => PeerMsg::Diff { target: zxid },
            kind::TRUNC => PeerMsg::Trunc { to: zxid },
            kind::SNAP if from_leader => PeerMsg::Snap { zxid, body: Bytes::new() },
            kind::SNAP => return Err(DecodeError::new("packet's type", 0, Fault::Expected("no SNAP from a learner"))),
            kind::NEWLEADER => PeerMsg::NewLeader {
                epoch: zxid.epoch(),
                config: String::from_utf8_lossy(&data.unwrap_or_default()).into_owned(),
            },
            kind::UPTODATE => PeerMsg::UpToDate,
            kind::PROPOSAL => PeerMsg::Proposal { zxid, txn: fields("PROPOSAL's data")?.rest() },
            kind::ACK => PeerMsg::Ack { zxid },
            kind::COMMIT => PeerMsg::Commit { zxid },
            kind::INFORM => PeerMsg::Inform { zxid, txn: fields("INFORM's data")?.rest() },
            kind::COMMITANDACTIVATE => {
                let designated = fields("COMMITANDACTIVATE's data")?.server("COMMITANDACTIVATE's leader")?;
                PeerMsg::CommitAndActivate { zxid, designated }
            }
            kind::INFORMANDACTIVATE => {
                let mut r = fields("INFORMANDACTIVATE's data")?;
                let designated = r.server("INFORMANDACTIVATE's leader")?;
                PeerMsg::InformAndActivate { zxid, designated, txn: r.rest() }
            }
            kind::PING if from_leader => PeerMsg::Ping { zxid },
            kind::PING => {
                let mut r = Reader::new(data.unwrap_or_default());
                let mut touched = Vec::with_capacity(r.remaining() / 12);
                while r.remaining() > 0 {
                    touched.push((r.session("PING's session")?, r.int("PING's timeout")?));
                }
                PeerMsg::Pong { zxid, touched }
            }
            kind::REQUEST => {
                let mut fields = fields("REQUEST's data")?;
                PeerMsg::Request(Forwarded {
                    session: fields.session("REQUEST's session")?,
                    cxid: fields.int("REQUEST's cxid")?,
                    op: fields.int("REQUEST's opcode")?,
                    body: fields.rest(),
                    auth: r.opt_vector(Id::MIN_SIZE, "REQUEST's authinfo", Id::decode)?.unwrap_or_default(),
                })
            }
            kind::REVALIDATE => {
                let mut fields = fields("REVALIDATE's data")?;
                let session = fields.session("REVALIDATE's session")?;
                if from_leader {
                    PeerMsg::Revalidated { session, valid: fields.boolean("REVALIDATE's answer")? }
                } else {
                    PeerMsg::Revalidate { session, timeout_ms: fields.int("REVALIDATE's timeout")? }
                }
            }
            kind::SYNC => PeerMsg::Sync,
            kind => PeerMsg::Unknown { kind, zxid },
        })
    }
}

/// The number at `at`; `None` if it has not come in yet.
fn int(buf: &[u8], at: usize) -> Option<i32> {
    buf.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|bytes| i32::from_be_bytes(*bytes))
}

/// The length at `at`, 0 for null; `None` if it has not come in yet.
fn length(buf: &[u8], at: usize, what: &'static str, limit: usize) -> Result<Option<usize>, DecodeError> {
    match int(buf, at) {
        None => Ok(None),
        Some(-1) => Ok(Some(0)),
        Some(length) => match usize::try_from(length).ok().filter(|size| *size <= limit) {
            Some(size) => Ok(Some(size)),
            None => Err(DecodeError::new(what, at, Fault::Length { length: i64::from(length), limit })),
        },
    }
}
