//! Packets between leader and learners, as they arrive: in pieces. The first byte says who sends, the second how large
//! the pieces are.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use zebu_core::wire::peer::{Limits, PacketDecoder, PeerMsg, Sender};

fn read(sender: Sender, bytes: &[u8], piece: usize) -> (Vec<PeerMsg>, bool) {
    let mut decoder = PacketDecoder::new(sender, Limits::default());
    let (mut buf, mut messages) = (BytesMut::new(), Vec::new());
    for chunk in bytes.chunks(piece) {
        buf.extend_from_slice(chunk);
        loop {
            match decoder.next(&mut buf) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, false),
            }
        }
    }
    (messages, true)
}

fuzz_target!(|data: &[u8]| {
    let [who, piece, bytes @ ..] = data else { return };
    let sender = if who % 2 == 0 { Sender::Leader } else { Sender::Learner };
    let whole = read(sender, bytes, bytes.len().max(1));
    assert_eq!(read(sender, bytes, usize::from(*piece) + 1), whole, "pieces change what is read");
});
