//! The election port: the first message of a connection, and notifications.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use zebu_core::wire::notification::{InitialMessage, Notification};

fuzz_target!(|data: &[u8]| {
    let mut buf = BytesMut::from(data);
    if let Ok(Some(first)) = InitialMessage::decode(&mut buf) {
        let mut out = BytesMut::new();
        first.encode(&mut out);
        assert_eq!(InitialMessage::decode(&mut out), Ok(Some(first)));
    }
    if let Ok(note) = Notification::decode(Bytes::copy_from_slice(data)) {
        // It is always written in the newest form.
        let newest = Notification { version: 2, ..note };
        assert_eq!(Notification::decode(newest.frame().slice(4..)), Ok(newest));
    }
});
