//! How far a history went whose files are damaged: what a server may still tell others of it, though it can't read all
//! of it any more.
//!
//! A record of the log that can't be read is known all the same by those around it: inside an epoch zxids have no holes.
//! Only damage at the very end leaves open what stood there, unless it is plainly a single record of the epoch that the
//! server was in.

use crate::disk::txn_log::{LogEnd, LogScanner};
use crate::id::{Epoch, Zxid};
use bytes::Bytes;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The last transaction that the files tell of.
    pub known: Zxid,
    /// The last transaction of the history; `None` if there may have been later ones.
    pub end: Option<Zxid>,
}

/// Surveys the log `files`, ascending by the zxids in their names. `snapshots` is the highest zxid in the name of a
/// snapshot, readable or not; `epochs` are the accepted and the current one, if both are known.
pub fn survey(
    snapshots: Zxid,
    files: impl IntoIterator<Item = (Zxid, Bytes)>,
    epochs: Option<(Epoch, Epoch)>,
) -> Survey {
    let (mut known, mut open) = (snapshots, false);
    for (first, bytes) in files {
        // A file is begun for its first transaction, so whatever an earlier one lost at its end was before that.
        open = false;
        let mut scanner = LogScanner::new(bytes);
        let mut any = false;
        let end = loop {
            for record in &mut scanner {
                known = known.max(record.zxid);
                any = true;
            }
            if !scanner.go_on() {
                break scanner.end().cloned();
            }
        };
        if !matches!(end, Some(LogEnd::Damaged { .. })) {
            continue;
        }
        // The only record is lost: the file's name tells which it was.
        let lost = if any { known.next() } else { Some(first) };
        match (lost, epochs) {
            (Some(lost), Some((accepted, current)))
                if scanner.lost_one() && accepted == current && lost.epoch() == current =>
            {
                known = known.max(lost);
            }
            _ => open = true,
        }
    }
    Survey { known, end: Some(known).filter(|_| !open && known > Zxid::ZERO) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::txn_log::{put_header, put_record};
    use crate::id::SessionId;
    use crate::wire::txn::{Txn, TxnBody, TxnHeader};
    use alloc::vec::Vec;
    use bytes::BytesMut;

    fn z(epoch: i64, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    /// A log of these transactions, and where each record begins.
    fn log(zxids: &[Zxid]) -> (Vec<u8>, Vec<usize>) {
        let mut out = BytesMut::new();
        put_header(&mut out);
        let mut places = Vec::new();
        for zxid in zxids {
            let header = TxnHeader { session: SessionId(1), cxid: 1, zxid: *zxid, time_ms: 1 };
            let body = TxnBody::SetData { reconfig: false, path: "/a".into(), data: None, version: 1 };
            places.push(out.len());
            put_record(&mut out, &Txn { header, body, digest: None }.encode());
        }
        out.extend_from_slice(&[0; 600]);
        (out.to_vec(), places)
    }

    #[test]
    fn the_end_is_known_unless_the_damage_is_there() {
        let zxids = [z(1, 1), z(1, 2), z(1, 3), z(1, 4)];
        let (file, places) = log(&zxids);
        let same = Some((Epoch(1), Epoch(1)));
        for hit in 0u32..16 {
            let mut bad = file.clone();
            for (n, at) in places.iter().enumerate().filter(|(n, _)| hit & (1 << n) != 0) {
                bad[at + 12 + 9 + n] ^= 1;
            }
            let of = |epochs| survey(Zxid::ZERO, [(z(1, 1), Bytes::from(bad.clone()))], epochs);
            // Two lost records at the end are one lost stretch: nobody knows where it ended.
            let at_end = hit >> 3 == 1;
            let stretch = hit & 0b1100 == 0b1100;
            let known = match hit {
                0b1111 | 0b1110 | 0b1100 => None,
                _ if stretch => None,
                _ => Some(z(1, 4)),
            };
            assert_eq!(of(same).end, known, "{hit:04b}");
            assert_eq!(of(None).end, known.filter(|_| !at_end), "{hit:04b}: the last record's epoch is not known");
            assert_eq!(of(Some((Epoch(2), Epoch(1)))).end, known.filter(|_| !at_end), "{hit:04b}: nor here");
        }
    }

    #[test]
    fn a_later_file_or_snapshot_tells_of_what_was_lost_before_it() {
        let (mut first, places) = log(&[z(1, 1), z(1, 2)]);
        first[places[1] + 20] ^= 1;
        let (second, _) = log(&[z(1, 3)]);
        let files = [(z(1, 1), Bytes::from(first.clone())), (z(1, 3), Bytes::from(second))];
        assert_eq!(survey(Zxid::ZERO, files, None), Survey { known: z(1, 3), end: Some(z(1, 3)) });
        assert_eq!(survey(z(1, 9), [], None), Survey { known: z(1, 9), end: Some(z(1, 9)) });
        assert_eq!(survey(Zxid::ZERO, [], None).end, None, "nothing at all tells nothing");
        // The only record of the last file: its name tells which it was.
        let (mut only, places) = log(&[z(2, 1)]);
        only[places[0] + 20] ^= 1;
        let files = [(z(2, 1), Bytes::from(only))];
        assert_eq!(survey(z(1, 2), files, Some((Epoch(2), Epoch(2)))).end, Some(z(2, 1)));
    }
}
