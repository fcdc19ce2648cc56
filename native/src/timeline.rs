//! What the owner thread's inputs and effects say about how long things take: it looks at them as they pass and keeps
//! what the metrics need until the other end of the stretch is seen.

use crate::metrics::pages::OwnerPage;
use crate::net::tally::namespace;
use bytes::{Buf as _, Bytes};
use std::collections::{HashMap, VecDeque};
use zebu_core::effect::{Effect, HaltReason, Record, Serving};
use zebu_core::id::{ConnId, ServerId, Zxid};
use zebu_core::input::{Input, Submission};
use zebu_core::note::{Note, PhaseName, SyncKind};
use zebu_core::time::{Instant, Now};
use zebu_core::wire::notification::ServerState;
use zebu_core::wire::op::OpCode;
use zebu_core::wire::peer::PeerMsg;
use zebu_core::wire::txn::TxnHeader;

/// A transaction that is not committed yet.
#[derive(Debug)]
struct UnderWay {
    zxid: Zxid,
    /// When the leader made it, by its wall clock.
    made_ms: i64,
    txn: Bytes,
}

/// See the module.
#[derive(Debug)]
pub struct Timeline {
    serving: Option<Serving>,
    under_way: VecDeque<UnderWay>,
    /// Follower: what it has not acknowledged yet, and when it was made. Its commit may come first.
    to_acknowledge: VecDeque<(Zxid, i64)>,
    /// Since when no clients are served; at the start, since then.
    unavailable_since: Option<Instant>,
    election_began: Option<Instant>,
    election_ended: Option<Instant>,
    /// Leader: learners that are being brought up to date.
    syncing: HashMap<ConnId, SyncKind>,
    /// Servers as the metrics name them.
    names: HashMap<ServerId, Box<str>>,
}

impl Timeline {
    /// Of a server that starts.
    pub fn new(now: Now) -> Timeline {
        Timeline {
            serving: None,
            under_way: VecDeque::new(),
            to_acknowledge: VecDeque::new(),
            unavailable_since: Some(now.mono),
            election_began: None,
            election_ended: None,
            syncing: HashMap::new(),
            names: HashMap::new(),
        }
    }

    fn leads(&self) -> bool {
        self.serving.is_some_and(|serving| serving.role == ServerState::Leading)
    }

    /// Whether the leader makes a transaction of this input, which is worth timing.
    pub fn is_write(&self, input: &Input) -> bool {
        self.leads()
            && matches!(
                input,
                Input::Submit { request: Submission::Write { .. } | Submission::Connect(_), .. }
                    | Input::Packet { msg: PeerMsg::Request(_), .. }
            )
    }

    /// An input is about to be stepped.
    pub fn input(&mut self, input: &Input, page: &mut OwnerPage) {
        match input {
            Input::Packet { msg: PeerMsg::Proposal { .. }, .. } => page.learner_proposal_received_count += 1,
            Input::Packet {
                msg:
                    PeerMsg::Commit { .. }
                    | PeerMsg::Inform { .. }
                    | PeerMsg::CommitAndActivate { .. }
                    | PeerMsg::InformAndActivate { .. },
                ..
            } => {
                page.learner_commit_received_count += 1;
            }
            Input::Closed { conn } => drop(self.syncing.remove(conn)),
            _ => {}
        }
    }

    /// An effect is about to be carried out.
    pub fn effect(&mut self, effect: &Effect, now: Now, page: &mut OwnerPage) {
        match effect {
            Effect::Store { record: Record::Txn { zxid, txn }, .. } => self.stored(*zxid, txn, now, page),
            Effect::Store { record: Record::Truncate { to }, .. } => self.under_way.retain(|txn| txn.zxid <= *to),
            Effect::Store { record: Record::Install { .. }, .. } => self.under_way.clear(),
            Effect::Send { conn, msg } => self.sent(*conn, msg, now, page),
            Effect::Drop { conn, .. } => drop(self.syncing.remove(conn)),
            Effect::Serving(serving) => self.serves(*serving, now, page),
            Effect::Halt(HaltReason::Diverged(_)) => page.digest_mismatches_count += 1,
            Effect::Halt(_) => page.unrecoverable_error_count += 1,
            Effect::Note(note) => self.noted(note, now, page),
            _ => {}
        }
    }

    fn stored(&mut self, zxid: Zxid, txn: &Bytes, now: Now, page: &mut OwnerPage) {
        // What the log holds was checked; what could not be read would only not be measured.
        let Ok((header, _)) = TxnHeader::peek(txn) else { return };
        if self.leads() {
            page.proposal_count += 1;
            page.proposal_sizes.add(txn.len());
        } else if self.serving.is_some() {
            // Before, it is history that the leader hands over, however old.
            page.proposal_latency.add(since(header.time_ms, now));
            if self.serving.is_some_and(|serving| serving.role == ServerState::Following) {
                self.to_acknowledge.push_back((zxid, header.time_ms));
            }
        }
        self.under_way.push_back(UnderWay { zxid, made_ms: header.time_ms, txn: txn.clone() });
    }

    fn sent(&mut self, conn: ConnId, msg: &PeerMsg, now: Now, page: &mut OwnerPage) {
        let in_flight = |syncing: &HashMap<ConnId, SyncKind>, snap: bool| {
            syncing.values().filter(|kind| (**kind == SyncKind::Snap) == snap).count() as u64
        };
        match msg {
            PeerMsg::Diff { .. } | PeerMsg::Trunc { .. } => {
                self.syncing.insert(conn, SyncKind::Diff);
                page.diff_count += 1;
                page.inflight_diff_count.add(in_flight(&self.syncing, false));
            }
            PeerMsg::Snap { .. } => {
                self.syncing.insert(conn, SyncKind::Snap);
                page.snap_count += 1;
                page.inflight_snap_count.add(in_flight(&self.syncing, true));
            }
            PeerMsg::UpToDate => drop(self.syncing.remove(&conn)),
            PeerMsg::Revalidate { .. } => page.revalidate_count += 1,
            PeerMsg::Ack { zxid } => {
                while let Some((_, made_ms)) = self.to_acknowledge.pop_front_if(|(waiting, _)| *waiting <= *zxid) {
                    page.proposal_ack_creation_latency.add(since(made_ms, now));
                }
            }
            _ => {}
        }
    }

    /// When a transaction under way was made.
    fn made(&self, zxid: Zxid) -> Option<i64> {
        let at = self.under_way.partition_point(|txn| txn.zxid < zxid);
        self.under_way.get(at).filter(|txn| txn.zxid == zxid).map(|txn| txn.made_ms)
    }

    fn serves(&mut self, serving: Option<Serving>, now: Now, page: &mut OwnerPage) {
        let took = |from: Instant| from.0.abs_diff(now.mono.0);
        match serving {
            Some(serving) => {
                if let Some(from) = self.unavailable_since.take() {
                    page.unavailable_time.add(took(from));
                }
                match serving.role {
                    ServerState::Leading => {
                        self.election_began.into_iter().for_each(|from| page.leader_unavailable_time.add(took(from)));
                    }
                    ServerState::Following => {
                        self.election_ended.into_iter().for_each(|from| page.follower_sync_time.add(took(from)));
                    }
                    ServerState::Observing => {
                        self.election_ended.into_iter().for_each(|from| page.observer_sync_time.add(took(from)));
                    }
                    ServerState::Looking => {}
                }
            }
            None => {
                self.unavailable_since.get_or_insert(now.mono);
                self.syncing.clear();
                self.to_acknowledge.clear();
            }
        }
        self.serving = serving;
    }

    fn noted(&mut self, note: &Note, now: Now, page: &mut OwnerPage) {
        match note {
            Note::ElectionStarted { .. } => {
                page.looking_count += 1;
                if self.election_ended.take().is_some() || self.election_began.is_none() {
                    self.election_began = Some(now.mono);
                }
            }
            Note::Phase { state, phase, .. } if *state != ServerState::Looking && *phase != PhaseName::Election => {
                if let (Some(from), None) = (self.election_began, self.election_ended) {
                    page.election_time.add(from.0.abs_diff(now.mono.0));
                    self.election_ended = Some(now.mono);
                }
            }
            Note::Acked { zxid, by, have, need } => self.acked(*zxid, *by, have == need, now, page),
            Note::Committed { zxid } => self.committed(*zxid, now, page),
            Note::ForetoldWrongly { .. } => page.digest_mismatches_count += 1,
            Note::SessionExpired { .. } => page.stale_sessions_expired += 1,
            _ => {}
        }
    }

    fn acked(&mut self, zxid: Zxid, by: ServerId, is_quorum: bool, now: Now, page: &mut OwnerPage) {
        let Some(made_ms) = self.made(zxid) else { return };
        let took = since(made_ms, now);
        let name = self.names.entry(by).or_insert_with(|| by.to_string().into());
        page.ack_latency.add(name, took);
        if is_quorum {
            page.quorum_ack_latency.add(took);
        }
    }

    fn committed(&mut self, zxid: Zxid, now: Now, page: &mut OwnerPage) {
        while self.under_way.front().is_some_and(|txn| txn.zxid < zxid) {
            self.under_way.pop_front();
        }
        let Some(serving) = self.serving else { return };
        if serving.role == ServerState::Leading {
            page.commit_count += 1;
        }
        if self.under_way.front().is_none_or(|txn| txn.zxid != zxid) {
            return;
        }
        let Some(UnderWay { made_ms, txn, .. }) = self.under_way.pop_front() else { return };
        let took = since(made_ms, now);
        if serving.role != ServerState::Leading {
            page.commit_propagation_latency.add(took);
        }
        page.propagation_latency.add(took);
        written(&txn, |name, bytes| page.write_per_namespace.add(name, bytes));
    }
}

/// Microseconds since a wall clock showed so many milliseconds; none if the clocks differ the other way round.
fn since(made_ms: i64, now: Now) -> u64 {
    u64::try_from(now.wall_ms.saturating_sub(made_ms)).unwrap_or(0).saturating_mul(1000)
}

/// Bytes of a transaction header: session, cxid, zxid, time, type.
const HEADER: usize = 32;

/// Where a transaction writes and how much, path and data, as the bytes say. A multi writes where its members do.
fn written(txn: &Bytes, mut tell: impl FnMut(&str, u64)) {
    let (Ok((_, kind)), Some(mut rest)) = (TxnHeader::peek(txn), txn.get(HEADER..)) else { return };
    if kind != OpCode::Multi.code() {
        written_by(kind, rest).into_iter().for_each(|(name, bytes)| tell(name, bytes));
        return;
    }
    let members = rest.try_get_i32().unwrap_or(0);
    for _ in 0..members {
        let Ok(kind) = rest.try_get_i32() else { return };
        let Some((member, behind)) = field(rest) else { return };
        written_by(kind, member).into_iter().for_each(|(name, bytes)| tell(name, bytes));
        rest = behind;
    }
}

/// The same of one body of this kind that is no multi's.
fn written_by(kind: i32, body: &[u8]) -> Option<(&str, u64)> {
    let op = OpCode::from_code(kind)?;
    let (path, rest) = field(body)?;
    let data = match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl | OpCode::SetData => {
            field(rest).map_or(0, |(data, _)| data.len())
        }
        OpCode::Delete | OpCode::DeleteContainer | OpCode::SetAcl => 0,
        _ => return None,
    };
    let path = std::str::from_utf8(path).ok()?;
    Some((namespace(path)?, (path.len() + data) as u64))
}

/// A text or buffer behind its length, and what follows it.
fn field(mut bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes.try_get_i32().ok()?;
    bytes.split_at_checked(usize::try_from(length).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::{Epoch, Lsn, SessionId};
    use zebu_core::wire::record::Acl;
    use zebu_core::wire::txn::{Txn, TxnBody};

    fn at(ms: i64) -> Now {
        Now { mono: Instant(ms as u64 * 1000), wall_ms: ms }
    }

    fn txn(zxid: Zxid, time_ms: i64, body: TxnBody) -> Bytes {
        let header = zebu_core::wire::txn::TxnHeader { session: SessionId(1), cxid: 0, zxid, time_ms };
        Txn { header, body, digest: None }.encode()
    }

    fn create(path: &str) -> TxnBody {
        let (data, acl) = (Some(Bytes::from_static(b"four")), Acl::open());
        TxnBody::Create { v2: false, path: path.into(), data, acl, ephemeral: false, parent_cversion: 1 }
    }

    fn serving(role: ServerState) -> Effect {
        Effect::Serving(Some(Serving { role, epoch: Epoch(1), leader: ServerId(1) }))
    }

    fn store(zxid: Zxid, txn: Bytes) -> Effect {
        Effect::Store { lsn: Lsn(1), record: Record::Txn { zxid, txn } }
    }

    #[test]
    fn a_leaders_write_from_end_to_end() {
        let (mut line, mut page) = (Timeline::new(at(0)), OwnerPage::default());
        let z = |n| Zxid::new(Epoch(1), n);
        let vote = zebu_core::wire::notification::Vote { leader: ServerId(1), zxid: Zxid::ZERO, epoch: Epoch(0) };
        line.effect(&Effect::Note(Note::ElectionStarted { round: 1, vote }), at(10), &mut page);
        let phase = |phase| Note::Phase { state: ServerState::Leading, phase, epoch: Epoch(1) };
        line.effect(&Effect::Note(phase(PhaseName::Discovery)), at(210), &mut page);
        line.effect(&Effect::Note(phase(PhaseName::Synchronization)), at(220), &mut page);
        line.effect(&serving(ServerState::Leading), at(260), &mut page);
        assert_eq!((page.election_time.sum(), page.leader_unavailable_time.sum()), (200.0, 250.0));
        assert_eq!((page.unavailable_time.sum(), page.looking_count), (260.0, 1));

        let bytes = txn(z(1), 300, create("/app/x"));
        let size = bytes.len() as i64;
        line.effect(&store(z(1), bytes), at(300), &mut page);
        let acked = |by, have| Effect::Note(Note::Acked { zxid: z(1), by: ServerId(by), have, need: 2 });
        line.effect(&acked(1, 1), at(303), &mut page);
        line.effect(&acked(2, 2), at(305), &mut page);
        line.effect(&Effect::Note(Note::Committed { zxid: z(1) }), at(306), &mut page);
        assert_eq!((page.proposal_count, page.commit_count, page.proposal_sizes.told()), (1, 1, [size; 3]));
        assert_eq!((page.quorum_ack_latency.sum(), page.propagation_latency.sum()), (5.0, 6.0));
        let acks: Vec<_> = page.ack_latency.iter().map(|(key, s)| (key.to_string(), s.sum())).collect();
        assert_eq!(acks, [("1".to_string(), 3.0), ("2".to_string(), 5.0)]);
        let spaces: Vec<_> = page.write_per_namespace.iter().map(|(key, s)| (key.to_string(), s.sum())).collect();
        assert_eq!(spaces, [("app".to_string(), 10.0)]);
        assert_eq!(page.commit_propagation_latency.count() + page.proposal_latency.count(), 0, "a learner's");
        assert!(line.under_way.is_empty());
    }

    #[test]
    fn a_follower_measures_what_is_live_only() {
        let (mut line, mut page) = (Timeline::new(at(0)), OwnerPage::default());
        let z = |n| Zxid::new(Epoch(1), n);
        line.effect(&store(z(1), txn(z(1), 0, create("/old"))), at(9000), &mut page);
        line.effect(&Effect::Note(Note::Committed { zxid: z(1) }), at(9000), &mut page);
        line.effect(&serving(ServerState::Following), at(9000), &mut page);
        assert_eq!(page.propagation_latency.count(), 0, "history");
        let proposal = PeerMsg::Proposal { zxid: z(2), txn: Bytes::new() };
        line.input(&Input::Packet { conn: ConnId(1), msg: proposal }, &mut page);
        line.effect(&store(z(2), txn(z(2), 9100, create("/new"))), at(9101), &mut page);
        line.input(&Input::Packet { conn: ConnId(1), msg: PeerMsg::Commit { zxid: z(2) } }, &mut page);
        line.effect(&Effect::Note(Note::Committed { zxid: z(2) }), at(9107), &mut page);
        // The others were quicker than the own disk.
        line.effect(&Effect::Send { conn: ConnId(1), msg: PeerMsg::Ack { zxid: z(2) } }, at(9109), &mut page);
        let sums = [
            page.proposal_latency.sum(),
            page.proposal_ack_creation_latency.sum(),
            page.commit_propagation_latency.sum(),
            page.propagation_latency.sum(),
        ];
        assert_eq!(sums, [1.0, 9.0, 7.0, 7.0]);
        assert_eq!((page.learner_proposal_received_count, page.learner_commit_received_count), (1, 1));
        assert_eq!((page.proposal_count, page.commit_count), (0, 0), "a leader's");
    }

    #[test]
    fn learners_that_are_brought_up_to_date() {
        let (mut line, mut page) = (Timeline::new(at(0)), OwnerPage::default());
        let send = |conn, msg| Effect::Send { conn: ConnId(conn), msg };
        let zxid = Zxid::ZERO;
        for effect in [
            send(1, PeerMsg::Snap { zxid, body: Bytes::new() }),
            send(2, PeerMsg::Snap { zxid, body: Bytes::new() }),
            send(1, PeerMsg::UpToDate),
            send(3, PeerMsg::Diff { target: zxid }),
            send(4, PeerMsg::Snap { zxid, body: Bytes::new() }),
        ] {
            line.effect(&effect, at(1), &mut page);
        }
        assert_eq!((page.snap_count, page.diff_count), (3, 1));
        assert_eq!((page.inflight_snap_count.max(), page.inflight_snap_count.sum()), (2.0, 1.0 + 2.0 + 2.0));
        line.input(&Input::Closed { conn: ConnId(2) }, &mut page);
        assert_eq!(line.syncing.len(), 2);
    }

    #[test]
    fn where_transactions_write() {
        let z = Zxid(1);
        let check = TxnBody::Check { path: "/app".into(), version: 0 };
        let set = TxnBody::SetData { reconfig: false, path: "/a/b".into(), data: None, version: 1 };
        for (body, expected) in [
            (create("/app/x"), vec![("app", 10)]),
            (TxnBody::Delete { container: false, path: "/app/x".into() }, vec![("app", 6)]),
            (set.clone(), vec![("a", 4)]),
            (TxnBody::Multi { txns: vec![create("/app/x"), check, set] }, vec![("app", 10), ("a", 4)]),
            (TxnBody::Multi { txns: vec![TxnBody::Error { code: 0 }, TxnBody::Error { code: -101 }] }, vec![]),
            (TxnBody::CreateSession { timeout_ms: 1 }, vec![]),
            (TxnBody::Error { code: -101 }, vec![]),
        ] {
            let seen = |bytes: &Bytes| {
                let mut seen = Vec::new();
                written(bytes, |name, bytes| seen.push((name.to_string(), bytes)));
                seen
            };
            let bytes = txn(z, 1, body);
            let expected: Vec<_> = expected.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect();
            assert_eq!(seen(&bytes), expected);
            for end in 0..bytes.len() {
                assert!(seen(&bytes.slice(..end)).len() <= expected.len(), "cut off at {end}");
            }
        }
    }
}
