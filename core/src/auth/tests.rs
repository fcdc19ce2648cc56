//! What the providers together make of lists and identities.

use super::*;
use crate::wire::record::perms;
use alloc::vec;

fn acl(perms: i32, scheme: &str, text: &str) -> Acl {
    Acl { perms, id: identity(scheme, text) }
}

/// Every provider there is.
fn all_loaded() -> AccessRules {
    AccessRules { x509: true, sasl: true, ..AccessRules::default() }
}

#[test]
fn permission() {
    let mallory = [identity("ip", "10.1.2.3"), identity("digest", "m:1"), identity("sasl", "mal")];
    let admin = [identity("ip", "10.1.2.3"), identity("super", "")];
    for (list, perm, ids, allowed) in [
        (vec![acl(perms::READ, "world", "anyone")], perms::READ, &mallory[..], true),
        (vec![acl(perms::READ, "world", "anyone")], perms::WRITE, &mallory, false),
        (vec![acl(perms::READ, "world", "anyone")], perms::WRITE, &admin, true),
        (vec![acl(perms::ALL, "world", "somebody")], perms::READ, &mallory, false),
        (vec![acl(perms::ALL, "digest", "m:1")], perms::WRITE, &mallory, true),
        (vec![acl(perms::ALL, "digest", "m:2")], perms::WRITE, &mallory, false),
        (vec![acl(perms::ALL, "sasl", "m:1")], perms::WRITE, &mallory, false),
        (vec![acl(perms::ALL, "sasl", "mal")], perms::WRITE, &mallory, true),
        (vec![acl(perms::ALL, "ip", "10.0.0.0/8")], perms::WRITE, &mallory, true),
        (vec![acl(perms::ALL, "ip", "11.0.0.0/8")], perms::WRITE, &mallory, false),
        (vec![acl(perms::ALL, "super", "")], perms::WRITE, &mallory, false),
        (vec![acl(0, "digest", "m:1"), acl(perms::READ, "ip", "10.1.2.3")], perms::READ, &mallory, true),
        (vec![], perms::WRITE, &mallory, true),
    ] {
        assert_eq!(permits(&all_loaded(), &list, perm, ids), allowed, "{list:?} {perm} {ids:?}");
    }
}

#[test]
fn without_a_provider_an_identity_opens_nothing() {
    let none = AccessRules { digest: None, ..AccessRules::default() };
    for (scheme, id) in [("digest", "u:h"), ("sasl", "u"), ("x509", "CN=u")] {
        let list = [acl(perms::ALL, scheme, id)];
        let ids = [identity(scheme, id)];
        assert!(permits(&all_loaded(), &list, perms::READ, &ids), "{scheme}");
        assert!(!permits(&none, &list, perms::READ, &ids), "{scheme}");
        assert!(permits(&AccessRules { skip_acl: true, ..none.clone() }, &list, perms::READ, &[]));
        assert!(!permits(&all_loaded(), &list, perms::READ, &[identity(scheme, "CN=root")]));
    }
    let rules = AccessRules { x509_super: Some("CN=root".into()), ..all_loaded() };
    assert!(permits(&rules, &[acl(perms::ALL, "x509", "CN=u")], perms::READ, &[identity("x509", "CN=root")]));
}

#[test]
fn fixing_up() {
    let ids = [identity("ip", "::1"), identity("digest", "u:h"), identity("sasl", "bob"), identity("super", "")];
    let bad = Err(ZkError::InvalidAcl);
    let all = |scheme, text| acl(perms::ALL, scheme, text);
    for (list, expected) in [
        (vec![], bad.clone()),
        (vec![all("world", "anyone"), all("world", "anyone")], Ok(vec![all("world", "anyone")])),
        (vec![all("world", "someone")], bad.clone()),
        (vec![acl(1, "auth", "")], Ok(vec![acl(1, "digest", "u:h"), acl(1, "sasl", "bob")])),
        (vec![all("digest", "nocolon")], bad.clone()),
        (vec![all("ip", "1.2.3.4/33")], bad.clone()),
        (vec![all("ip", "1.2.3.4/32")], Ok(vec![all("ip", "1.2.3.4/32")])),
        (vec![all("world", "anyone"), all("foo", "x")], bad.clone()),
        (vec![all("super", "")], bad.clone()),
        (vec![all("sasl", "x"), all("x509", "CN=x")], Ok(vec![all("sasl", "x"), all("x509", "CN=x")])),
        (vec![all("x509", "x")], bad.clone()),
        (vec![acl(255, "world", "anyone")], Ok(vec![acl(255, "world", "anyone")])),
    ] {
        assert_eq!(fix_up(&all_loaded(), list.clone(), &ids), expected, "{list:?}");
    }
    assert_eq!(fix_up(&all_loaded(), vec![acl(1, "auth", "")], &ids[..1]), bad);
}

#[test]
fn a_list_can_name_only_schemes_with_a_provider() {
    let none = AccessRules { digest: None, ..AccessRules::default() };
    for (scheme, id) in [("digest", "u:h"), ("sasl", "u"), ("x509", "CN=u")] {
        let list = vec![acl(perms::ALL, scheme, id)];
        let auth = vec![acl(perms::ALL, "auth", "")];
        let ids = [identity(scheme, id)];
        assert_eq!(fix_up(&none, list.clone(), &ids), Err(ZkError::InvalidAcl), "{scheme}");
        assert_eq!(fix_up(&none, auth.clone(), &ids), Err(ZkError::InvalidAcl), "{scheme}");
        assert_eq!(fix_up(&all_loaded(), list.clone(), &[]), Ok(list.clone()));
        assert_eq!(fix_up(&all_loaded(), auth, &ids), Ok(list));
    }
}

#[test]
fn auth_packets() {
    let named = [identity("ip", "::1"), identity("x509", "CN=u")];
    let disabled = AccessRules { digest: None, ..AccessRules::default() };
    for (rules, scheme, packet, shown) in [
        (all_loaded(), "ip", Some(&b"9.9.9.9"[..]), Some(vec![])),
        (all_loaded(), "ip", None, Some(vec![])),
        (all_loaded(), "digest", None, None),
        (disabled, "digest", Some(b"u:p"), None),
        (all_loaded(), "x509", Some(b"CN=v"), Some(vec![])),
        (AccessRules::default(), "x509", Some(b"CN=v"), None),
        (all_loaded(), "world", Some(b"anyone"), None),
        (all_loaded(), "auth", Some(b""), None),
        (all_loaded(), "sasl", Some(b"bob"), None),
        (all_loaded(), "super", Some(b""), None),
        (all_loaded(), "foo", Some(b"x"), None),
    ] {
        assert_eq!(authenticate(&rules, scheme, packet, &named), shown, "{scheme} {packet:?}");
    }
    let shown = authenticate(&all_loaded(), "digest", Some(b"u:p"), &named).expect("somebody");
    assert_eq!(shown, [identity("digest", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=")]);
    assert_eq!(authenticate(&all_loaded(), "x509", None, &named[..1]), None, "there is no certificate");
}

#[test]
fn an_identity_is_kept_once() {
    let (a, b) = (identity("digest", "a:1"), identity("digest", "b:2"));
    let mut ids = vec![a.clone()];
    assert_eq!(add(&mut ids, vec![a.clone()]), Ok(false));
    assert_eq!(add(&mut ids, vec![a.clone(), b.clone(), b.clone()]), Ok(true));
    assert_eq!(ids, [a, b]);
}

#[test]
fn the_size_of_a_connections_identities_is_bounded() {
    let own = identity("ip", "::1");
    let room = MAX_IDS - encoded_len(&own) - encoded_len(&identity("digest", ""));
    for (len, fits) in [(room, true), (room + 1, false)] {
        let mut ids = vec![own.clone()];
        let large = identity("digest", &"u".repeat(len));
        assert_eq!(add(&mut ids, vec![large.clone()]).is_ok(), fits, "{len}");
        assert_eq!(ids.len(), 1 + usize::from(fits));
        // What is there already takes no room.
        assert_eq!(add(&mut ids, vec![own.clone()]), Ok(false));
        assert_eq!(add(&mut ids, vec![large, identity("digest", "v")]), Err(TooMany));
    }
}

#[test]
fn what_auth_stands_for_is_bounded() {
    let ids = [identity("digest", &"u".repeat(MAX_IDS / 2)), identity("digest", &"v".repeat(MAX_IDS / 2))];
    let entries = |count: usize| (0..count as i32).map(|perms| acl(perms, "auth", "")).collect();
    let most = MAX_FIELD / (2 * 4 + ids.iter().map(encoded_len).sum::<usize>());
    assert_eq!(fix_up(&all_loaded(), entries(most), &ids).map(|list| list.len()), Ok(2 * most));
    for count in [most + 1, 65_000] {
        assert_eq!(fix_up(&all_loaded(), entries(count), &ids), Err(ZkError::BadArguments), "{count}");
    }
}

#[test]
fn who_one_is() {
    let ids = [identity("ip", "::1"), identity("digest", "u:h"), identity("super", "CN=root"), identity("sasl", "bob")];
    let told: Vec<_> = who(&ids).into_iter().map(|info| (info.scheme, info.user)).collect();
    let expected = [("ip", "::1"), ("digest", "u"), ("super", ""), ("sasl", "bob")];
    assert!(told.iter().map(|(scheme, user)| (scheme.as_str(), user.as_str())).eq(expected), "{told:?}");
    let list = [acl(31, "digest", "u:h"), acl(31, "ip", "::1")];
    assert_eq!(masked(&list), [acl(31, "digest", "u:x"), acl(31, "ip", "::1")]);
}

#[test]
fn who_is_welcome() {
    let rules = AccessRules { enforced: ["sasl".into(), "digest".into()].into(), ..all_loaded() };
    let ip = identity("ip", "::1");
    assert!(is_welcome(&all_loaded(), &[]));
    assert!(!is_welcome(&rules, core::slice::from_ref(&ip)));
    assert!(is_welcome(&rules, &[ip, identity("digest", "u:h")]));
}
