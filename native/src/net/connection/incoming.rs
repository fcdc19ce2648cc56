//! What a client has sent and nobody has looked at yet.

use super::{KEPT, READ_AHEAD};
use bytes::{Bytes, BytesMut};
use std::time::Instant;
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::jute::DecodeError;

/// See the module.
pub struct Incoming {
    /// The bytes: frames, of which the last may not be whole yet.
    pub bytes: BytesMut,
    /// When the client was last heard.
    pub heard: Instant,
    /// When the frame to be taken next came, or something behind it.
    arrived: Instant,
    /// Of the frame to be taken next a part was missing still when it was looked at last.
    is_partial: bool,
}

impl Incoming {
    /// Of a connection that begins.
    pub fn new(now: Instant) -> Incoming {
        Incoming { bytes: BytesMut::with_capacity(READ_AHEAD), heard: now, arrived: now, is_partial: false }
    }

    /// Whether more may be read ahead.
    pub fn has_room(&self) -> bool {
        self.bytes.len() < READ_AHEAD
    }

    /// Makes room for what comes next. What one large frame needed is given back once that is taken.
    pub fn make_room(&mut self) {
        self.bytes.reserve(READ_AHEAD);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::with_capacity(READ_AHEAD);
        }
    }

    /// How many whole frames are there.
    pub fn frames(&self) -> u64 {
        let (mut rest, mut count) = (&self.bytes[..], 0);
        while let Some((length, behind)) = rest.split_first_chunk::<4>()
            && let Some(behind) = usize::try_from(i32::from_be_bytes(*length)).ok().and_then(|size| behind.get(size..))
        {
            (rest, count) = (behind, count + 1);
        }
        count
    }

    /// The last `count` bytes have just come.
    pub fn came(&mut self, count: usize, now: Instant) {
        self.heard = now;
        // Its upload is the client's own time.
        if self.bytes.len() == count || std::mem::take(&mut self.is_partial) {
            self.arrived = now;
        }
    }

    /// The next frame, if it is there, and when it came, or something behind it did.
    ///
    /// # Errors
    /// A length that no frame may have.
    pub fn take(&mut self, max: usize) -> Result<Option<(Bytes, Instant)>, DecodeError> {
        let Some(frame) = split_frame(&mut self.bytes, max)? else {
            self.is_partial = !self.bytes.is_empty();
            return Ok(None);
        };
        Ok(Some((frame, std::mem::replace(&mut self.arrived, self.heard))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What comes when, in pieces; then when each frame is said to have come.
    #[test]
    fn a_frame_came_when_its_last_byte_did_or_something_behind_it() {
        const WHOLE: &[u8] = b"\0\0\0\x01a";
        let start = Instant::now();
        let looked_at_each_piece: &[&[(u64, &[u8])]] =
            &[&[(1, WHOLE)], &[(1, &WHOLE[..2]), (5, &WHOLE[2..])], &[(1, &WHOLE[..4]), (5, b"a\0\0\0\x01b")]];
        for (pieces, expected) in looked_at_each_piece.iter().zip([&[1][..], &[5], &[5, 5]]) {
            let mut incoming = Incoming::new(start);
            let mut frames = Vec::new();
            for (at, piece) in *pieces {
                incoming.bytes.extend_from_slice(piece);
                incoming.came(piece.len(), start + Duration::from_secs(*at));
                while let Some((_, arrived)) = incoming.take(100).expect("fits") {
                    frames.push(arrived.duration_since(start).as_secs());
                }
            }
            assert_eq!(frames, expected, "{pieces:?}");
        }
        // Nothing is taken for a while: the first frame has waited since it came, those behind it as long as the last.
        let mut incoming = Incoming::new(start);
        assert!(incoming.take(100).is_ok_and(|nothing| nothing.is_none()));
        for at in [1, 2, 3] {
            incoming.bytes.extend_from_slice(WHOLE);
            incoming.came(WHOLE.len(), start + Duration::from_secs(at));
        }
        let arrived: Vec<_> = std::iter::from_fn(|| incoming.take(100).expect("fits"))
            .map(|(_, arrived)| arrived.duration_since(start).as_secs())
            .collect();
        assert_eq!(arrived, [1, 3, 3]);
    }

    #[test]
    fn room_for_a_large_frame_is_given_back() {
        let mut incoming = Incoming::new(Instant::now());
        for size in [10, KEPT, 2 * KEPT, 10] {
            incoming.make_room();
            let frame = [&(size as u32).to_be_bytes()[..], &vec![7; size]].concat();
            incoming.bytes.extend_from_slice(&frame);
            let (taken, _) = incoming.take(usize::MAX).expect("fits").expect("is whole");
            assert_eq!(taken, vec![7; size]);
            drop(taken);
            incoming.make_room();
            assert!((READ_AHEAD..=KEPT + READ_AHEAD).contains(&incoming.bytes.capacity()), "{size}");
        }
    }

    #[test]
    fn frames_that_wait() {
        for (bytes, count) in [
            (&b""[..], 0),
            (b"\0\0\0", 0),
            (b"\0\0\0\x01", 0),
            (b"\0\0\0\x01a", 1),
            (b"\0\0\0\x01a\0\0\0\0\0\0\0\x02b", 2),
            (b"\xff\xff\xff\xffa", 0),
        ] {
            let mut incoming = Incoming::new(Instant::now());
            incoming.bytes.extend_from_slice(bytes);
            assert_eq!(incoming.frames(), count, "{bytes:?}");
        }
    }

    #[test]
    fn room_for_what_is_read_ahead() {
        let mut incoming = Incoming::new(Instant::now());
        incoming.bytes.resize(READ_AHEAD - 1, 0);
        assert!(incoming.has_room());
        incoming.bytes.resize(READ_AHEAD, 0);
        assert!(!incoming.has_room());
    }
}
