//! A client's request: header, then the body by its opcode.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zebu_core::wire::client::{Request, RequestHeader, request_frame};
use zebu_core::wire::op::OpCode;

fuzz_target!(|data: &[u8]| {
    let Ok((header, body)) = RequestHeader::decode(Bytes::copy_from_slice(data)) else { return };
    let Some(op) = OpCode::from_code(header.op) else { return };
    if let Ok(request) = Request::decode(op, body) {
        let frame = request_frame(header.xid, &request);
        let (again, body) = RequestHeader::decode(frame.slice(4..)).expect("our own header");
        assert_eq!((again, Request::decode(op, body)), (header, Ok(request)));
    }
});
