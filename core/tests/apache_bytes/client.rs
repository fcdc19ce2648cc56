//! Every exchange with Apache's server on the client port decodes, and encodes to the same bytes again.

use crate::vectors;
use bytes::{Bytes, BytesMut};
use zebu_core::wire::client::{
    ConnectRequest, ConnectResponse, ReplyHeader, Request, RequestHeader, Response, WatcherEvent, event_frame,
    request_frame, xid,
};
use zebu_core::wire::frame::{put_frame, split_frame};
use zebu_core::wire::jute::{Fault, MAX_FRAME};
use zebu_core::wire::op::OpCode;

fn frames(bytes: &[u8]) -> Vec<Bytes> {
    let mut buf = BytesMut::from(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = split_frame(&mut buf, MAX_FRAME).unwrap() {
        frames.push(frame);
    }
    assert!(buf.is_empty(), "whole frames only");
    frames
}

fn framed(payload: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    put_frame(&mut out, |out| out.extend_from_slice(payload));
    out.freeze()
}

/// Requests that say nothing in Zebu's terms: Apache answers them with an error.
fn is_malformed(name: &str) -> bool {
    matches!(
        name,
        "getData_MARSHALLINGERROR" | "create_MARSHALLINGERROR" | "multi_mixed_kinds" | "multiRead_mixed_kinds"
    )
}

/// Null where the decoder sees an empty value, which the server treats alike.
fn has_a_null(name: &str) -> bool {
    matches!(name, "connect_new_null_passwd" | "create_INVALIDACL_null_list")
}

#[test]
fn every_exchange_of_a_known_kind() {
    let listed = vectors::json(&vectors::path("client.json"));
    let (mut requests, mut replies, mut events, mut connects) = (0, 0, 0, 0);
    for exchange in listed["exchanges"].as_array().unwrap() {
        let name = exchange["name"].as_str().unwrap();
        let sent = vectors::hex(&exchange["sent_hex"]);
        let received = vectors::hex(&exchange["received_hex"]);
        if name.contains("connect_") {
            connects += 1;
            let request = ConnectRequest::decode(frames(&sent).remove(0)).unwrap();
            if !has_a_null(name) {
                assert_eq!(request.frame(), sent, "{name}");
            }
            if received.len() > 20 {
                let response = ConnectResponse::decode(frames(&received).remove(0)).unwrap();
                assert_eq!(response.frame(), received, "{name}");
                assert_eq!(response.read_only.is_some(), request.read_only.is_some(), "{name}");
            }
            continue;
        }
        let mut op = None;
        for frame in frames(&sent) {
            let (header, body) = RequestHeader::decode(frame.clone()).unwrap();
            let Some(code) = OpCode::from_code(header.op) else { continue };
            match Request::decode(code, body) {
                Ok(request) => {
                    assert!(!is_malformed(name), "{name} decoded");
                    requests += 1;
                    op = Some(code);
                    if !has_a_null(name) {
                        assert_eq!(request_frame(header.xid, &request), framed(&frame), "{name}");
                    }
                }
                Err(e) => assert!(is_malformed(name) || matches!(e.fault, Fault::Unknown(_)), "{name}: {e}"),
            }
        }
        for frame in frames(&received) {
            // A second ConnectResponse, the answer to an opcode that only 3.8 takes from clients.
            if name == "createSession_opcode_from_client" {
                continue;
            }
            let (header, body) = ReplyHeader::decode(frame.clone()).unwrap();
            if header.xid == xid::EVENT {
                let event = WatcherEvent::decode(body).unwrap();
                assert_eq!(event_frame(header.zxid, &event), framed(&frame), "{name}");
                events += 1;
            } else if let Some(op) = op
                && header.err == 0
            {
                let response = Response::decode(op, body).unwrap();
                let mut out = BytesMut::new();
                header.encode(&mut out);
                response.encode(&mut out);
                assert_eq!(out, frame, "{name}");
                replies += 1;
            }
        }
    }
    println!("{connects} connects, {requests} requests, {replies} replies, {events} events");
    assert!(connects >= 15 && requests >= 110 && replies >= 50 && events >= 8);
}
