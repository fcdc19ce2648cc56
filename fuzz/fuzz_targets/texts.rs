//! The small texts that come from outside: hosts of a connect string, quota limits, ids in access lists, digests of
//! passwords.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zebu_core::auth::{self, digest, ip, sasl, x509};
use zebu_core::client::{Chroot, ConnectString};
use zebu_core::config::{AccessRules, DigestAlgorithm};
use zebu_core::tree::path;
use zebu_core::wire::record::Id;

fuzz_target!(|text: &str| {
    if let Ok(hosts) = text.parse::<ConnectString>() {
        assert!(!hosts.hosts.is_empty());
    }
    let _ = Chroot::new(text);
    zebu_core::tree::quota::Limits::parse(text.as_bytes());
    zebu_core::client::quota::Track::parse(text.as_bytes());
    if ip::is_valid(text) {
        ip::matches(text, "10.0.0.1");
        ip::matches(text, "::1");
    }
    sasl::is_valid(text);
    x509::is_valid(text);
    assert!(digest::is_valid(&digest::id_of(DigestAlgorithm::Sha1, text)) || text.contains(':'));
    let rules = AccessRules::default();
    for scheme in ["digest", "ip", "x509", text] {
        auth::authenticate(&rules, scheme, Some(text.as_bytes()), &[]);
    }
    let shown = auth::who(&[Id { scheme: "digest".into(), id: text.into() }]);
    assert_eq!(shown.len(), 1);
    if path::validate(text).is_ok() {
        let (parent, name) = path::split(text).expect("a valid path has a parent");
        assert!(text == "/" || path::validate(parent).is_ok() && !name.is_empty());
    }
});
