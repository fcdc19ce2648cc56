//! A server's answer or event, as a client reads it. The first four bytes are the opcode that was asked for.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zebu_core::wire::client::{ReplyHeader, Response, WatcherEvent, event_frame, reply_frame};
use zebu_core::wire::op::OpCode;

fuzz_target!(|data: &[u8]| {
    let Some((op, reply)) = data.split_first_chunk::<4>() else { return };
    let Ok((header, body)) = ReplyHeader::decode(Bytes::copy_from_slice(reply)) else { return };
    if let Ok(event) = WatcherEvent::decode(body.clone()) {
        let (_, body) = ReplyHeader::decode(event_frame(header.zxid, &event).slice(4..)).expect("our own header");
        assert_eq!(WatcherEvent::decode(body), Ok(event));
    }
    let Some(op) = OpCode::from_code(i32::from_be_bytes(*op)) else { return };
    if let Ok(response) = Response::decode(op, body) {
        let frame = reply_frame(header.xid, header.zxid, &Ok(response.clone()));
        let (_, body) = ReplyHeader::decode(frame.slice(4..)).expect("our own header");
        assert_eq!(Response::decode(op, body), Ok(response));
    }
});
