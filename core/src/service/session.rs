//! Sessions: their ids and passwords, and the leader's watch over who is still alive.

use crate::collections::{BTreeMap, BTreeSet};
use crate::error::ZkError;
use crate::id::{ConnId, ServerId, SessionId};
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// Makes the ids of the sessions that are opened at one server (client-protocol.md §3.3). Made anew at each start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionIds {
    server: ServerId,
    next: i64,
}

impl SessionIds {
    /// Ids for the sessions of `server`, whose lowest byte they carry on top. `millis` is a clock that has not run
    /// back since the server's last start (milliseconds since 1970 will do): below the server's byte follow its
    /// lowest 40 bits and 16 bits that count, so that ids of different starts differ.
    pub const fn new(server: ServerId, millis: i64) -> SessionIds {
        SessionIds { server, next: (((millis as u64) << 24) >> 8) as i64 | (server.0 << 56) }
    }

    /// Whether an id is one that this server may have made.
    pub const fn are_of(&self, session: SessionId) -> bool {
        (session.0 as u64) >> 56 == (self.server.0 as u64) & 0xff
    }

    /// A new id.
    pub const fn make(&mut self) -> SessionId {
        // This one marks the owner of containers.
        if self.next == i64::MIN {
            self.next += 1;
        }
        let id = SessionId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }
}

/// The password of a session, which every server must make the same way, since a client may come back to another one.
/// It keeps a client from taking another's session by mistake; it is no secret (client-protocol.md §3.4).
pub fn password(session: SessionId) -> [u8; 16] {
    // Java's `Random`, seeded with the id and a constant.
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.0 as u64 ^ 0xb341_5c00 ^ MULTIPLIER) & MASK;
    let mut bytes = [0; 16];
    for four in bytes.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        four.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    bytes
}

/// The session timeout a client gets for the one it wishes, milliseconds.
pub fn negotiate(wished_ms: i32, min_ms: i32, max_ms: i32) -> i32 {
    wished_ms.min(max_ms).max(min_ms)
}

/// Through whom a session's requests come to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A client of the leader itself.
    Local,
    /// The learner at the other end of this quorum connection.
    Conn(ConnId),
}

#[derive(Clone, Debug)]
struct Tracked {
    /// What it was opened with.
    timeout_ms: i32,
    /// The end of the bucket it is in, milliseconds on the server's clock.
    bucket: u64,
    owner: Option<Owner>,
    closing: bool,
}

/// The leader's list of sessions, from which it decides which have expired. Lives as long as it leads.
///
/// Sessions stand in buckets, each a tick long, by the time they would expire; a bucket expires as a whole at its end.
/// So a session lives for its timeout and up to one tick longer (client-protocol.md §3.5).
///
/// A leader [starts](SessionTracker::start) it with the sessions of its tree, [adds](SessionTracker::add) one when it
/// prepares a createSession and [removes](SessionTracker::remove) it when the closeSession is applied. In between it
/// [touches](SessionTracker::touch) it for every sign of life, and prepares a closeSession for each that
/// [expired](SessionTracker::expired).
///
/// How long a session lives on after a sign of life is what its connection was granted, so a client that takes it up
/// again with another wish gets another timeout (client-protocol.md §3.2). What the session was opened with, which all
/// servers remember, stays as it is: a new leader begins with that, as Apache's does.
#[derive(Clone, Debug)]
pub struct SessionTracker {
    tick_ms: u64,
    sessions: BTreeMap<SessionId, Tracked>,
    /// Never has an empty set. Closing sessions are in none.
    buckets: BTreeMap<u64, BTreeSet<SessionId>>,
}

impl SessionTracker {
    /// No sessions. `tick` is the length of a bucket, at least a millisecond.
    pub fn new(tick: Duration) -> SessionTracker {
        let tick_ms = u64::try_from(tick.as_millis()).unwrap_or(u64::MAX).max(1);
        SessionTracker { tick_ms, sessions: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// The tracker of a new leader: it can't know when the sessions were last heard of, so each gets its full timeout
    /// (milliseconds) from now on, and belongs to whom it is first heard from.
    pub fn start(tick: Duration, now: Instant, sessions: impl IntoIterator<Item = (SessionId, i32)>) -> SessionTracker {
        let mut tracker = SessionTracker::new(tick);
        for (session, timeout_ms) in sessions {
            tracker.add(session, timeout_ms, None, now);
        }
        tracker
    }

    /// A session is being created (or is there already: then it only gets the new timeout and owner).
    pub fn add(&mut self, session: SessionId, timeout_ms: i32, owner: Option<Owner>, now: Instant) {
        self.remove(session);
        let bucket = self.bucket(timeout_ms, now);
        self.sessions.insert(session, Tracked { timeout_ms, bucket, owner, closing: false });
        self.buckets.entry(bucket).or_default().insert(session);
    }

    /// The end of the bucket in which a session expires that was heard of `now`.
    fn bucket(&self, timeout_ms: i32, now: Instant) -> u64 {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        ((now.millis().saturating_add(timeout_ms)) / self.tick_ms).saturating_add(1).saturating_mul(self.tick_ms)
    }

    /// A sign of life, heard by `by` over a connection that was granted `timeout_ms`. False if there is no such
    /// session, or it is closing: then the request that came is dropped.
    ///
    /// The owner's word counts, also if it lets the session expire earlier. Anybody else's is of a connection that the
    /// client may have left since; it can only prolong.
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32, by: Owner, now: Instant) -> bool {
        let Some(tracked) = self.sessions.get(&session).filter(|tracked| !tracked.closing) else { return false };
        let (from, to) = (tracked.bucket, self.bucket(timeout_ms, now));
        if to > from || (to < from && tracked.owner.is_none_or(|owner| owner == by)) {
            self.change_bucket(session, from, to);
        }
        true
    }

    /// Its creation is committed: it lives at least for what it was opened with, from now.
    pub fn live_on(&mut self, session: SessionId, now: Instant) {
        let Some(tracked) = self.sessions.get(&session).filter(|tracked| !tracked.closing) else { return };
        let (from, to) = (tracked.bucket, self.bucket(tracked.timeout_ms, now));
        if to > from {
            self.change_bucket(session, from, to);
        }
    }

    fn change_bucket(&mut self, session: SessionId, from: u64, to: u64) {
        self.leave_bucket(session, from);
        self.buckets.entry(to).or_default().insert(session);
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.bucket = to;
        }
    }

    fn leave_bucket(&mut self, session: SessionId, bucket: u64) {
        if let Some(sessions) = self.buckets.get_mut(&bucket) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// A closeSession is under way: the session takes no further requests and does not expire.
    pub fn set_closing(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.closing = true;
            let bucket = tracked.bucket;
            self.leave_bucket(session, bucket);
        }
    }

    /// Whether there is such a session, closing or not.
    pub fn knows(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// The session is gone (its closeSession is applied).
    pub fn remove(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.remove(&session) {
            self.leave_bucket(session, tracked.bucket);
        }
    }

    /// Whether the session takes requests.
    pub fn is_live(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|tracked| !tracked.closing)
    }

    /// The sessions whose time is up, now marked as closing, in order. For each the leader prepares a closeSession.
    pub fn expired(&mut self, now: Instant) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now.millis()) {
            expired.extend(bucket.remove());
        }
        for session in &expired {
            if let Some(tracked) = self.sessions.get_mut(session) {
                tracked.closing = true;
            }
        }
        expired
    }

    /// When [`SessionTracker::expired`] will have something next, if nobody is heard of before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.buckets.keys().next().map(|ms| Instant(ms.saturating_mul(1000)))
    }

    /// Whether a write of `session` may come from `from`. The first one to ask owns a session that has no owner yet.
    ///
    /// # Errors
    /// [`ZkError::SessionExpired`] if it does not exist or is closing; [`ZkError::SessionMoved`] if the client has
    /// taken it up at another server since: the old server then closes its connection.
    pub fn check_owner(&mut self, session: SessionId, from: Owner) -> Result<(), ZkError> {
        let tracked =
            self.sessions.get_mut(&session).filter(|tracked| !tracked.closing).ok_or(ZkError::SessionExpired)?;
        if *tracked.owner.get_or_insert(from) == from { Ok(()) } else { Err(ZkError::SessionMoved) }
    }

    /// The client has taken the session up again through `owner` (a REVALIDATE), where it was granted `timeout_ms`.
    /// False if there is no such session: the client is told that it expired.
    pub fn take_up(&mut self, session: SessionId, timeout_ms: i32, owner: Owner, now: Instant) -> bool {
        if let Some(tracked) = self.sessions.get_mut(&session).filter(|tracked| !tracked.closing) {
            tracked.owner = Some(owner);
        }
        self.touch(session, timeout_ms, owner, now)
    }

    /// When a session expires if nothing more is heard of it.
    pub fn expires(&self, session: SessionId) -> Option<Instant> {
        let tracked = self.sessions.get(&session).filter(|tracked| !tracked.closing)?;
        Some(Instant(tracked.bucket.saturating_mul(1000)))
    }

    /// The sessions that are not closing, by when they expire if nothing more is heard of them; in order of that time.
    pub fn buckets(&self) -> impl Iterator<Item = (Instant, &BTreeSet<SessionId>)> {
        self.buckets.iter().map(|(ms, sessions)| (Instant(ms.saturating_mul(1000)), sessions))
    }

    /// The timeout that a session was opened with, milliseconds.
    pub fn timeout_ms(&self, session: SessionId) -> Option<i32> {
        self.sessions.get(&session).map(|tracked| tracked.timeout_ms)
    }

    /// How many sessions there are, closing ones too.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(0xa);
    const B: SessionId = SessionId(0xb);

    fn at(ms: u64) -> Instant {
        Instant(ms * 1000)
    }

    fn hex(bytes: &[u8]) -> alloc::string::String {
        bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    #[test]
    fn documented_passwords() {
        for (session, expected) in [
            (0x0100_0000_0000_0001, "054cc74a37327db215e702e20c73f005"),
            (0x0100_0012_3456_78ab, "b7c3a6194c9474b12a7e41fccc5ebbcf"),
            (0xfe00_0000_0000_0000_u64, "f22acd4a97e69d6d20a49bb638eadb38"),
        ] {
            assert_eq!(hex(&password(SessionId(session as i64))), expected, "{session:x}");
        }
    }

    #[test]
    fn ids_carry_the_server_and_the_time() {
        for (server, millis, first) in [
            (1, 0x4_54d6, 0x0100_0004_54d6_0000),
            (3, 1_700_000_000_000, 0x038b_cfe5_6800_0000),
            (0xfe, 1, 0xfe00_0000_0001_0000_u64),
            (0x80, 0, 0x8000_0000_0000_0001),
        ] {
            let mut ids = SessionIds::new(ServerId(server), millis);
            assert!(ids.are_of(SessionId(first as i64)) && !ids.are_of(SessionId(first as i64 ^ (1 << 56))));
            assert_eq!(ids.make(), SessionId(first as i64), "{server} {millis}");
            assert_eq!(ids.make(), SessionId(first as i64 + 1));
        }
    }

    #[test]
    fn timeouts_are_clamped() {
        for (wished, expected) in [(0, 4000), (-1, 4000), (5000, 5000), (i32::MAX, 40_000)] {
            assert_eq!(negotiate(wished, 4000, 40_000), expected);
        }
    }

    #[test]
    fn a_bucket_expires_as_a_whole_at_its_end() {
        let mut tracker = SessionTracker::new(Duration::from_millis(2000));
        tracker.add(A, 4000, None, at(100));
        tracker.add(B, 4000, None, at(1900));
        // (100 + 4000) / 2000 + 1 = 3 buckets: 6000 for both.
        assert_eq!(tracker.next_deadline(), Some(at(6000)));
        assert!(tracker.buckets().eq([(at(6000), &BTreeSet::from([A, B]))]));
        assert_eq!(tracker.expired(at(5999)), []);
        assert!(tracker.touch(B, 4000, Owner::Local, at(2000)));
        assert_eq!(tracker.expired(at(6000)), [A]);
        assert!(!tracker.touch(A, 4000, Owner::Local, at(6000)), "it is closing");
        assert_eq!((tracker.is_live(A), tracker.len()), (false, 2));
        assert_eq!(tracker.next_deadline(), Some(at(8000)));
        tracker.remove(A);
        assert_eq!(tracker.expired(at(9000)), [B]);
        assert_eq!((tracker.expired(at(99_000)), tracker.next_deadline()), (Vec::new(), None));
    }

    #[test]
    fn a_closing_session_neither_expires_nor_takes_requests() {
        let mut tracker = SessionTracker::new(Duration::from_millis(2000));
        tracker.add(A, 4000, Some(Owner::Local), at(0));
        tracker.set_closing(A);
        assert_eq!(tracker.check_owner(A, Owner::Local), Err(ZkError::SessionExpired));
        assert!(!tracker.take_up(A, 4000, Owner::Local, at(0)));
        assert_eq!(tracker.expired(at(99_000)), []);
    }

    #[test]
    fn a_sign_of_life_lasts_as_long_as_its_connection_was_granted() {
        let (owner, other) = (Owner::Conn(ConnId(1)), Owner::Conn(ConnId(2)));
        for (owned, touches, expires) in [
            (Some(owner), &[][..], 8000),
            (Some(owner), &[(6000, owner, 0)], 8000),
            (Some(owner), &[(6000, owner, 2000)], 10_000),
            (Some(owner), &[(40_000, owner, 0)], 42_000),
            (Some(owner), &[(4000, owner, 0)], 6000),
            // A connection that was left only prolongs.
            (Some(owner), &[(4000, other, 0)], 8000),
            (Some(owner), &[(40_000, owner, 0), (6000, other, 1000)], 42_000),
            (Some(owner), &[(40_000, other, 0)], 42_000),
            (Some(owner), &[(40_000, other, 0), (6000, owner, 1000)], 8000),
            // Of a new leader's, nobody knows yet whose they are.
            (None, &[(4000, other, 0)], 6000),
            (None, &[(40_000, owner, 0), (4000, other, 0)], 6000),
            (Some(owner), &[(i32::MIN, owner, 0)], 2000),
        ] {
            let mut tracker = SessionTracker::new(Duration::from_millis(2000));
            tracker.add(A, 6000, owned, at(0));
            for (timeout_ms, by, ms) in touches {
                assert!(tracker.touch(A, *timeout_ms, *by, at(*ms)));
            }
            assert_eq!(tracker.expires(A), Some(at(expires)), "{owned:?} {touches:?}");
            assert_eq!((tracker.timeout_ms(A), tracker.buckets().count()), (Some(6000), 1));
        }
    }

    #[test]
    fn owners() {
        let (first, second) = (Owner::Conn(ConnId(1)), Owner::Conn(ConnId(2)));
        let mut tracker = SessionTracker::start(Duration::from_millis(2000), at(0), [(A, 4000)]);
        assert_eq!(tracker.timeout_ms(A), Some(4000));
        assert_eq!(tracker.check_owner(B, first), Err(ZkError::SessionExpired));
        assert_eq!(tracker.check_owner(A, first), Ok(()), "adopted");
        assert_eq!(tracker.check_owner(A, second), Err(ZkError::SessionMoved));
        assert!(tracker.take_up(A, 4000, Owner::Local, at(0)) && !tracker.take_up(B, 4000, first, at(0)));
        assert_eq!(tracker.check_owner(A, Owner::Local), Ok(()));
        assert_eq!(tracker.check_owner(A, first), Err(ZkError::SessionMoved));
    }
}
