//! Identities: how a client shows who it is, and what access lists make of that (client-protocol §9).
//!
//! A connection collects identities, `scheme:id` each. A provider a scheme says how an identity is shown, which ids
//! may stand in a list, and which identities an id of a list means.

pub mod digest;
pub mod digest_md5;
pub mod ip;
pub mod sasl;
mod verdicts;
pub mod x509;

pub use verdicts::Verdicts;

use crate::collections::BTreeSet;
use crate::config::AccessRules;
use crate::error::ZkError;
use crate::wire::client::AuthInfo;
use crate::wire::jute::MAX_FIELD;
use crate::wire::record::{Acl, Id};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The scheme whose holders may do everything. No list can name it.
pub const SUPER: &str = "super";

/// How many bytes a connection's identities may have, as they are encoded: they go with each of its writes, also to
/// the leader, who takes requests up to a size only.
pub const MAX_IDS: usize = 64 << 10;

/// What an auth packet of `scheme` shows, given the identities that the connection has already; `None` if it shows
/// nothing: the connection is then refused.
pub fn authenticate(rules: &AccessRules, scheme: &str, packet: Option<&[u8]>, ids: &[Id]) -> Option<Vec<Id>> {
    match scheme {
        // The address is known since the connection was accepted.
        "ip" => Some(Vec::new()),
        "digest" => digest::authenticate(rules, rules.digest?, packet?),
        // So is the certificate.
        "x509" if rules.x509 && ids.iter().any(|id| id.scheme == "x509") => Some(Vec::new()),
        _ => None,
    }
}

/// An identity of the scheme `super`.
fn superuser(id: &str) -> Id {
    identity(SUPER, id)
}

fn identity(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

/// Whether `list` lets somebody with the identities `ids` do what needs one of the bits `perms`. An empty list lets
/// everybody, and so does holding an identity of the scheme `super`.
pub fn permits(rules: &AccessRules, list: &[Acl], perms: i32, ids: &[Id]) -> bool {
    rules.skip_acl
        || list.is_empty()
        || list.iter().any(|acl| acl.perms & perms != 0 && means(rules, &acl.id, ids))
        || ids.iter().any(|id| id.scheme == SUPER)
}

/// Whether `wanted`, an id of a list, means somebody with the identities `ids`. A scheme without a provider means
/// nobody.
fn means(rules: &AccessRules, wanted: &Id, ids: &[Id]) -> bool {
    if wanted.scheme == "world" {
        return wanted.id == "anyone";
    }
    ids.iter().filter(|id| id.scheme == wanted.scheme).any(|Id { id, .. }| match wanted.scheme.as_str() {
        "ip" => ip::matches(&wanted.id, id),
        "digest" => rules.digest.is_some() && *id == wanted.id,
        "x509" => rules.x509 && (*id == wanted.id || rules.x509_super.as_ref() == Some(id)),
        "sasl" => rules.sasl && sasl::matches(rules, &wanted.id, id),
        _ => false,
    })
}

/// Whether `id` may stand in a list: its scheme has a provider that takes it for well formed.
fn is_valid(rules: &AccessRules, id: &Id) -> bool {
    match id.scheme.as_str() {
        "world" => id.id == "anyone",
        "ip" => ip::is_valid(&id.id),
        "digest" => rules.digest.is_some() && digest::is_valid(&id.id),
        "x509" => rules.x509 && x509::is_valid(&id.id),
        "sasl" => rules.sasl && sasl::is_valid(&id.id),
        _ => false,
    }
}

/// Whether an identity is one that its holder has proved, so that `auth` in a list stands for it.
fn is_proved(rules: &AccessRules, id: &Id) -> bool {
    match id.scheme.as_str() {
        "digest" => rules.digest.is_some(),
        "x509" => rules.x509,
        "sasl" => rules.sasl,
        _ => false,
    }
}

/// The list as it is stored: exact duplicates dropped, `auth` replaced by the identities that the client has proved.
///
/// # Errors
/// [`ZkError::InvalidAcl`] when the list is empty, has a scheme without a provider or a malformed id, or says `auth`
/// while nothing is proved. [`ZkError::BadArguments`] when it would be larger than any field may be, since each `auth`
/// stands for all that is proved.
pub fn fix_up(rules: &AccessRules, list: Vec<Acl>, ids: &[Id]) -> Result<Vec<Acl>, ZkError> {
    let mut fixed: Vec<Acl> = Vec::with_capacity(list.len());
    let mut seen = BTreeSet::new();
    let mut size = 0;
    let mut push = |perms, id: &Id| {
        size += 4 + encoded_len(id);
        if size > MAX_FIELD {
            return Err(ZkError::BadArguments);
        }
        fixed.push(Acl { perms, id: id.clone() });
        Ok(())
    };
    for acl in &list {
        if !seen.insert(acl) {
            continue;
        }
        if acl.id.scheme == "auth" {
            let mut proved = ids.iter().filter(|id| is_proved(rules, id)).peekable();
            if proved.peek().is_none() {
                return Err(ZkError::InvalidAcl);
            }
            proved.try_for_each(|id| push(acl.perms, id))?;
        } else if is_valid(rules, &acl.id) {
            push(acl.perms, &acl.id)?;
        } else {
            return Err(ZkError::InvalidAcl);
        }
    }
    if fixed.is_empty() { Err(ZkError::InvalidAcl) } else { Ok(fixed) }
}

/// The list as getACL shows it to somebody without the right to change it: the secrets of `digest` ids hidden.
pub fn masked(list: &[Acl]) -> Vec<Acl> {
    let mut list = list.to_vec();
    for acl in list.iter_mut().filter(|acl| acl.id.scheme == "digest") {
        if let Some(colon) = acl.id.id.find(':') {
            acl.id.id.truncate(colon + 1);
            acl.id.id.push('x');
        }
    }
    list
}

/// Identities as whoAmI tells them to their own holder: of `digest` the user without the hash, of `super` nobody
/// (client-protocol §5).
pub fn who(ids: &[Id]) -> Vec<AuthInfo> {
    let user = |id: &Id| match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or_default().into(),
        SUPER => String::new(),
        _ => id.id.clone(),
    };
    ids.iter().map(|id| AuthInfo { scheme: id.scheme.clone(), user: user(id) }).collect()
}

/// A connection has shown more identities than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the identities it has shown have more than {MAX_IDS} bytes")
    }
}

/// Adds identities to those of a connection, each once; whether there were new ones.
///
/// # Errors
/// [`TooMany`] when they would have more than [`MAX_IDS`] bytes; those that still fit are added.
pub fn add(ids: &mut Vec<Id>, more: Vec<Id>) -> Result<bool, TooMany> {
    let before = ids.len();
    let mut size: usize = ids.iter().map(encoded_len).sum();
    for id in more {
        if !ids.contains(&id) {
            size += encoded_len(&id);
            if size > MAX_IDS {
                return Err(TooMany);
            }
            ids.push(id);
        }
    }
    Ok(ids.len() > before)
}

/// Bytes of an identity in a record.
fn encoded_len(id: &Id) -> usize {
    8 + id.scheme.len() + id.id.len()
}

/// Whether a connection with the identities `ids` may be served: it has one of a scheme that is asked for, or none
/// is asked for.
pub fn is_welcome(rules: &AccessRules, ids: &[Id]) -> bool {
    rules.enforced.is_empty() || ids.iter().any(|id| rules.enforced.contains(&id.scheme))
}

#[cfg(test)]
mod tests;
