//! DIGEST-MD5, both sides: whatever the other one says, nobody is let in who does not know the password.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use zebu_core::auth::digest_md5::{Client, NONCE_SIZE, Server};
use zebu_core::config::Secret;

fuzz_target!(|data: &[u8]| {
    let users = BTreeMap::from([("bob".to_string(), Secret::new("a password that is not in the corpus"))]);
    let mut server = Server::new(&[7; NONCE_SIZE]);
    // Two tokens, one behind the other.
    let (first, second) = data.split_at(data.len() / 2);
    for token in [&[], first, second, data] {
        if let Ok(reply) = server.respond(&users, token) {
            assert_eq!(reply.user, None, "somebody got in");
        }
    }
    let mut client = Client::new("bob", Secret::new("secret"), "cnonce");
    for token in [first, second, data] {
        let _ = client.respond(token);
    }
});
