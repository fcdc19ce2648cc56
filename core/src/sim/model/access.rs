//! Access lists as client-protocol.md §9 describes them.

use crate::collections::BTreeSet;
use crate::error::ZkError;
use crate::wire::record::{Acl, Id};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// Whether somebody may do what needs one of the bits `perms` (§9.1, "Evaluation").
pub(super) fn check(list: &[Acl], perms: i32, auth: &[Id]) -> Result<(), ZkError> {
    if list.is_empty() || auth.iter().any(|id| id.scheme == "super") {
        return Ok(());
    }
    for acl in list {
        let Id { scheme, id } = &acl.id;
        let is_him = match scheme.as_str() {
            "world" => id == "anyone",
            "ip" => auth.iter().any(|own| own.scheme == "ip" && is_in(&own.id, id)),
            _ => auth.contains(&acl.id),
        };
        if acl.perms & perms != 0 && is_him {
            return Ok(());
        }
    }
    Err(ZkError::NoAuth)
}

/// An address and how many of its first bits count.
fn range(text: &str) -> Option<(Vec<u8>, usize)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let bytes = match address.parse().ok()? {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    let bits = bits.map_or(Some(bytes.len() * 8), |bits| bits.parse().ok())?;
    (bits <= bytes.len() * 8).then_some((bytes, bits))
}

fn is_in(address: &str, wanted: &str) -> bool {
    let (Some((have, _)), Some((want, bits))) = (range(address), range(wanted)) else { return false };
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    have.len() == want.len() && (0..bits).all(|at| bit(&have, at) == bit(&want, at))
}

/// The list as it is stored (§9.1, `fixupACL`; §9.2, "Valid id").
pub(super) fn fix_up(list: &[Acl], auth: &[Id]) -> Result<Vec<Acl>, ZkError> {
    let mut seen = BTreeSet::new();
    let mut stored = Vec::new();
    for acl in list {
        if !seen.insert(acl) {
            continue;
        }
        let Id { scheme, id } = &acl.id;
        match scheme.as_str() {
            "auth" => {
                let own = auth.iter().filter(|own| own.scheme == "digest");
                let own: Vec<Acl> = own.map(|own| Acl { perms: acl.perms, id: own.clone() }).collect();
                if own.is_empty() {
                    return Err(ZkError::InvalidAcl);
                }
                stored.extend(own);
                continue;
            }
            "world" if id == "anyone" => {}
            "ip" if range(id).is_some() => {}
            "digest" if id.matches(':').count() == 1 => {}
            _ => return Err(ZkError::InvalidAcl),
        }
        stored.push(acl.clone());
    }
    if stored.is_empty() { Err(ZkError::InvalidAcl) } else { Ok(stored) }
}

/// The list as those see it who may not change it.
pub(super) fn hide(list: &[Acl]) -> Vec<Acl> {
    let hidden = |acl: &Acl| match (acl.id.scheme.as_str(), acl.id.id.split_once(':')) {
        ("digest", Some((user, _))) => {
            let id = String::from(user) + ":x";
            Acl { perms: acl.perms, id: Id { scheme: "digest".into(), id } }
        }
        _ => acl.clone(),
    };
    list.iter().map(hidden).collect()
}
