//! `sasl`: whoever has authenticated by SASL, under the name that it gave there.

use super::{identity, superuser};
use crate::config::AccessRules;
use crate::wire::record::Id;
use alloc::vec;
use alloc::vec::Vec;

/// The identities of a user that has authenticated.
pub fn identities(rules: &AccessRules, user: &str) -> Vec<Id> {
    let mut ids = vec![identity("sasl", user)];
    if rules.sasl_supers.contains(user) {
        ids.push(superuser(""));
    }
    ids
}

/// Whether a list may name `id`: a Kerberos name, `service[/host]@realm`, or a name without a realm.
pub fn is_valid(id: &str) -> bool {
    let Some((name, realm)) = id.split_once('@') else { return true };
    name.split('/').count() <= 2 && !realm.contains(['@', '/'])
}

/// Whether `wanted`, an id of a list, means the user `id`. The user `super` is meant by every id, as in Apache's
/// server.
pub fn matches(rules: &AccessRules, wanted: &str, id: &str) -> bool {
    id == wanted || id == "super" || rules.any_sasl_user.as_deref() == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_may_name() {
        for (id, valid) in [
            ("bob", true),
            ("", true),
            ("zk/host", true),
            ("a/b/c", true),
            ("zk/host@REALM", true),
            ("bob@REALM", true),
            ("@", true),
            ("a/b/c@REALM", false),
            ("bob@A@B", false),
            ("bob@A/B", false),
        ] {
            assert_eq!(is_valid(id), valid, "{id}");
        }
    }

    #[test]
    fn who_is_meant_and_who_is_superuser() {
        let rules = AccessRules {
            any_sasl_user: Some("everybody".into()),
            sasl_supers: ["root".into()].into(),
            ..AccessRules::default()
        };
        for (wanted, id, meant) in [
            ("bob", "bob", true),
            ("bob", "eve", false),
            ("bob", "super", true),
            ("everybody", "eve", true),
            ("super", "eve", false),
        ] {
            assert_eq!(matches(&rules, wanted, id), meant, "{wanted} {id}");
        }
        assert!(!matches(&AccessRules::default(), "everybody", "eve"));
        assert_eq!(identities(&rules, "bob"), [identity("sasl", "bob")]);
        assert_eq!(identities(&rules, "root"), [identity("sasl", "root"), superuser("")]);
    }
}
