//! The handshake, both ways.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zebu_core::wire::client::{ConnectRequest, ConnectResponse};

fuzz_target!(|data: &[u8]| {
    let payload = Bytes::copy_from_slice(data);
    if let Ok(request) = ConnectRequest::decode(payload.clone()) {
        assert_eq!(ConnectRequest::decode(request.frame().slice(4..)), Ok(request));
    }
    if let Ok(response) = ConnectResponse::decode(payload) {
        assert_eq!(ConnectResponse::decode(response.frame().slice(4..)), Ok(response));
    }
});
