//! `digest`: a user with a hash of name and password, which the client sends in clear.

use super::{identity, superuser};
use crate::config::{AccessRules, DigestAlgorithm};
use crate::wire::record::Id;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding as _};
use md5::Md5;
use sha1::{Digest, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// The id of `user:password`: the user, and the hash of the whole in Base64. A text without a colon is its own user.
///
/// ```
/// use zebu_core::{auth::digest::id_of, config::DigestAlgorithm};
/// assert_eq!(id_of(DigestAlgorithm::Sha1, "user1:12345"), "user1:+owfoSBn/am19roBPzR1/MfCblE=");
/// ```
pub fn id_of(algorithm: DigestAlgorithm, user_and_password: &str) -> String {
    fn hash<D: Digest>(text: &str) -> Vec<u8> {
        D::digest(text.as_bytes()).to_vec()
    }
    let hash = match algorithm {
        DigestAlgorithm::Md5 => hash::<Md5>(user_and_password),
        DigestAlgorithm::Sha1 => hash::<Sha1>(user_and_password),
        DigestAlgorithm::Sha224 => hash::<Sha224>(user_and_password),
        DigestAlgorithm::Sha256 => hash::<Sha256>(user_and_password),
        DigestAlgorithm::Sha384 => hash::<Sha384>(user_and_password),
        DigestAlgorithm::Sha512 => hash::<Sha512>(user_and_password),
    };
    let user = user_and_password.split(':').next().unwrap_or_default();
    format!("{user}:{}", Base64::encode_string(&hash))
}

/// What a packet shows: any text is somebody, and some text may be the superuser. Bytes that are no UTF-8 count as
/// U+FFFD, as Java reads them.
pub(super) fn authenticate(rules: &AccessRules, algorithm: DigestAlgorithm, packet: &[u8]) -> Option<Vec<Id>> {
    let id = id_of(algorithm, &String::from_utf8_lossy(packet));
    let mut ids = Vec::new();
    if rules.super_digest.as_ref() == Some(&id) {
        ids.push(superuser(""));
    }
    ids.push(identity("digest", &id));
    Some(ids)
}

/// Whether a list may name `id`: two parts around a colon. Java's `split`, which Apache counts with, drops empty
/// parts at the end.
pub fn is_valid(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn ids_are_apaches() {
        use DigestAlgorithm::{Md5, Sha1, Sha256, Sha512};
        for (algorithm, text, id) in [
            (Sha1, "super:admin", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="),
            (Sha1, "user1:12345", "user1:+owfoSBn/am19roBPzR1/MfCblE="),
            (Sha1, "", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
            (Sha256, "a:b:c", "a:sO4E+IDE/0JhR54ueCK3QQruTHFZ9Bha1bDYijErSV4="),
            (Md5, "u:p", "u:wj9ntl1lUHd6RGlGHs+1Hg=="),
        ] {
            assert_eq!(id_of(algorithm, text), id, "{algorithm:?} {text}");
        }
        assert_eq!(id_of(Sha512, "u:p").len(), 2 + 88);
    }

    #[test]
    fn what_a_packet_shows() {
        let super_digest = Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".into());
        let rules = AccessRules { super_digest, ..AccessRules::default() };
        let shown = |packet: &[u8]| authenticate(&rules, DigestAlgorithm::Sha1, packet).expect("anything is somebody");
        let digest = |text| identity("digest", &id_of(DigestAlgorithm::Sha1, text));
        assert_eq!(shown(b"super:admin"), [superuser(""), digest("super:admin")]);
        for (packet, text) in [(&b"nocolon"[..], "nocolon"), (b"a:b:c", "a:b:c"), (b"", ""), (b"\xff:p", "\u{fffd}:p")]
        {
            assert_eq!(shown(packet), vec![digest(text)]);
        }
    }

    #[test]
    fn what_a_list_may_name() {
        for (id, valid) in [
            ("u:h", true),
            (":h", true),
            ("u:h:", true),
            ("u:", false),
            ("", false),
            (":", false),
            ("nocolon", false),
            ("a:b:c", false),
        ] {
            assert_eq!(is_valid(id), valid, "{id}");
        }
    }
}
