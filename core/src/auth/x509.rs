//! `x509`: the subject of the client's certificate, written as RFC 2253 writes distinguished names.

use super::{identity, superuser};
use crate::config::AccessRules;
use crate::wire::record::Id;
use alloc::vec::Vec;

/// The attribute names that Java knows; others are written as object identifiers.
const NAMES: [&str; 21] = [
    "CN",
    "C",
    "L",
    "S",
    "ST",
    "O",
    "OU",
    "T",
    "IP",
    "STREET",
    "DC",
    "DNQUALIFIER",
    "DNQ",
    "SURNAME",
    "GIVENNAME",
    "INITIALS",
    "GENERATION",
    "EMAIL",
    "EMAILADDRESS",
    "UID",
    "SERIALNUMBER",
];

/// The identities of a client whose certificate, which the driver has verified, has this subject.
pub fn identities(rules: &AccessRules, subject: &str) -> Vec<Id> {
    let mut ids = Vec::new();
    if rules.x509_super.as_deref() == Some(subject) {
        ids.push(superuser(subject));
    }
    ids.push(identity("x509", subject));
    ids
}

/// Whether a list may name `id`: a distinguished name as Java's `X500Principal` reads one. An empty one is a name too.
pub fn is_valid(id: &str) -> bool {
    id.is_empty() || parts(id).is_some_and(|parts| parts.iter().all(|part| is_attribute(part)))
}

/// The attributes of a name, which commas, semicolons and pluses separate outside of quotes; `None` if a quote or an
/// escape is not ended.
fn parts(name: &str) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in name.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' | '+' if !quoted => {
                parts.push(name.get(from..at)?);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(name.get(from..)?);
    (!quoted && !escaped).then_some(parts)
}

fn is_attribute(part: &str) -> bool {
    let Some((kind, value)) = part.split_once('=') else { return false };
    let (kind, value) = (kind.trim(), value.trim());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_oid = |kind: &str| kind.split('.').count() >= 2 && kind.split('.').all(is_number);
    let numeric = kind.get(..4).filter(|start| start.eq_ignore_ascii_case("OID.")).map_or(kind, |_| &kind[4..]);
    let known = is_oid(numeric) || NAMES.iter().any(|name| kind.eq_ignore_ascii_case(name));
    known
        && value.strip_prefix('#').is_none_or(|hex| {
            !hex.is_empty() && hex.len().is_multiple_of(2) && hex.bytes().all(|b| b.is_ascii_hexdigit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_may_name() {
        for (id, valid) in [
            ("CN=bob,OU=dev,O=Zebu,C=DE", true),
            ("cn = bob , o = \"a,b\"", true),
            ("CN=a\\,b+UID=7;DC=x", true),
            ("1.2.840.113549.1.9.1=#1603616263", true),
            ("OID.2.5.4.3=x", true),
            ("CN=", true),
            ("", true),
            ("EMAILADDRESS=a@b", true),
            (" ", false),
            ("TITLE=t", false),
            ("CN=a,,O=b", false),
            ("bob", false),
            ("XX=bob", false),
            ("1=bob", false),
            ("1..2=bob", false),
            ("CN=bob,", false),
            ("CN=\"bob", false),
            ("CN=bob\\", false),
            ("CN=#12x", false),
            ("CN=#", false),
        ] {
            assert_eq!(is_valid(id), valid, "{id}");
        }
    }

    #[test]
    fn the_superuser_has_both_identities() {
        let rules = AccessRules { x509_super: Some("CN=root".into()), ..AccessRules::default() };
        assert_eq!(identities(&rules, "CN=bob"), [identity("x509", "CN=bob")]);
        assert_eq!(identities(&rules, "CN=root"), [superuser("CN=root"), identity("x509", "CN=root")]);
    }
}
