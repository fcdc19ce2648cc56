//! Access lists: kept once each under a number, as Apache's server keeps them; and who may do what by them.

use crate::error::ZkError;
use crate::wire::record::{Acl, Id};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The key of the open list, which only built-in nodes use; it is never stored.
pub use crate::disk::body::OPEN_ACL_KEY as OPEN;

#[derive(Clone, Debug)]
struct Entry {
    list: Arc<[Acl]>,
    uses: u64,
}

/// The lists in use, each with a number of 1 or above. The same list given twice has one number; numbers are not used
/// again. A list that no node uses any more is dropped.
#[derive(Clone, Debug)]
pub struct AclTable {
    entries: BTreeMap<i64, Entry>,
    keys: BTreeMap<Arc<[Acl]>, i64>,
    next: i64,
    open: Arc<[Acl]>,
    /// Stands for a list that is not known.
    closed: Arc<[Acl]>,
}

impl Default for AclTable {
    fn default() -> AclTable {
        let mut closed = Acl::open();
        closed.iter_mut().for_each(|acl| acl.perms = 0);
        let (entries, keys) = (BTreeMap::new(), BTreeMap::new());
        AclTable { entries, keys, next: 1, open: Acl::open().into(), closed: closed.into() }
    }
}

impl AclTable {
    /// The list of a key. `None` for a key that is not known, which a snapshot taken while the tree changed may hold
    /// until the log behind it is replayed.
    pub fn get(&self, key: i64) -> Option<&Arc<[Acl]>> {
        if key == OPEN { Some(&self.open) } else { self.entries.get(&key).map(|entry| &entry.list) }
    }

    /// As [`AclTable::get`], with a list that lets nobody do anything for a key that is not known.
    pub fn list(&self, key: i64) -> Arc<[Acl]> {
        self.get(key).unwrap_or(&self.closed).clone()
    }

    /// The stored copy of a list, if some node has it.
    pub fn find(&self, list: &[Acl]) -> Option<&Arc<[Acl]>> {
        self.keys.get_key_value(list).map(|(list, _)| list)
    }

    /// The stored lists with their keys, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &[Acl])> {
        self.entries.iter().map(|(key, entry)| (*key, &*entry.list))
    }

    /// How many lists are stored.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The key of `list` for one more node.
    pub(crate) fn acquire(&mut self, list: &[Acl]) -> i64 {
        if let Some(key) = self.keys.get(list).copied() {
            self.acquire_key(key);
            return key;
        }
        let key = self.next;
        self.next += 1;
        let list: Arc<[Acl]> = list.into();
        self.keys.insert(list.clone(), key);
        self.entries.insert(key, Entry { list, uses: 1 });
        key
    }

    /// One more node uses `key`. No later list gets a number a node refers to already, known or not.
    pub(crate) fn acquire_key(&mut self, key: i64) {
        self.next = self.next.max(key.saturating_add(1));
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.uses += 1;
        }
    }

    /// One node less uses `key`.
    pub(crate) fn release(&mut self, key: i64) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.uses = entry.uses.saturating_sub(1);
        if entry.uses == 0 {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: i64) {
        if let Some(entry) = self.entries.remove(&key)
            && self.keys.get(&entry.list) == Some(&key)
        {
            self.keys.remove(&entry.list);
        }
    }

    /// Takes in a list of a snapshot under its own key, used by nobody yet.
    pub(crate) fn load(&mut self, key: i64, list: &[Acl]) {
        if key == OPEN {
            return;
        }
        self.forget(key);
        self.next = self.next.max(key.saturating_add(1));
        let list: Arc<[Acl]> = list.into();
        self.keys.insert(list.clone(), key);
        self.entries.insert(key, Entry { list, uses: 0 });
    }

    /// Drops what no node uses, after a snapshot was read.
    pub(crate) fn drop_unused(&mut self) {
        let unused: Vec<i64> = self.entries.iter().filter(|(_, entry)| entry.uses == 0).map(|(key, _)| *key).collect();
        unused.into_iter().for_each(|key| self.forget(key));
    }
}

/// Whether `list` lets somebody with the identities `auth` do what needs one of the bits `perms`. An empty list lets
/// everybody, and so does holding an identity of the scheme `super`.
pub fn permits(list: &[Acl], perms: i32, auth: &[Id]) -> bool {
    list.is_empty()
        || auth.iter().any(|id| id.scheme == "super")
        || list.iter().any(|acl| acl.perms & perms != 0 && matches(&acl.id, auth))
}

fn matches(wanted: &Id, auth: &[Id]) -> bool {
    if wanted.scheme == "world" {
        return wanted.id == "anyone";
    }
    auth.iter().filter(|id| id.scheme == wanted.scheme).any(|id| match wanted.scheme.as_str() {
        "ip" => ip_matches(&wanted.id, &id.id),
        _ => id.id == wanted.id,
    })
}

/// `addr` or `addr/bits`, the address as a number of the family's width.
fn ip_range(text: &str) -> Option<(u128, u32, u32)> {
    let (addr, bits) = match text.split_once('/') {
        Some((addr, bits)) => (addr, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (value, width) = match addr.parse::<IpAddr>().ok()? {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some((value, width, bits))
}

fn ip_matches(range: &str, addr: &str) -> bool {
    let (Some((wanted, width, bits)), Some((have, have_width, _))) = (ip_range(range), ip_range(addr)) else {
        return false;
    };
    let cut = width - bits;
    width == have_width && wanted.checked_shr(cut).unwrap_or(0) == have.checked_shr(cut).unwrap_or(0)
}

/// The list as it is stored: exact duplicates dropped, `auth` replaced by the identities that the client has proved.
///
/// # Errors
/// [`ZkError::InvalidAcl`] when the list is empty, has an unknown scheme or a malformed id, or says `auth` while
/// nothing is proved.
pub fn fix_up(list: Vec<Acl>, auth: &[Id]) -> Result<Vec<Acl>, ZkError> {
    let mut fixed: Vec<Acl> = Vec::with_capacity(list.len());
    let mut seen: Vec<Acl> = Vec::new();
    for acl in list {
        if seen.contains(&acl) {
            continue;
        }
        match acl.id.scheme.as_str() {
            "world" if acl.id.id == "anyone" => fixed.push(acl.clone()),
            "ip" if ip_range(&acl.id.id).is_some() => fixed.push(acl.clone()),
            "digest" if acl.id.id.split(':').count() == 2 => fixed.push(acl.clone()),
            "auth" => {
                let before = fixed.len();
                let proved = auth.iter().filter(|id| matches!(id.scheme.as_str(), "digest" | "sasl" | "x509"));
                fixed.extend(proved.map(|id| Acl { perms: acl.perms, id: id.clone() }));
                if fixed.len() == before {
                    return Err(ZkError::InvalidAcl);
                }
            }
            _ => return Err(ZkError::InvalidAcl),
        }
        seen.push(acl);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::perms;
    use alloc::vec;

    fn id(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }

    fn acl(perms: i32, scheme: &str, text: &str) -> Acl {
        Acl { perms, id: id(scheme, text) }
    }

    #[test]
    fn one_number_for_each_list_while_it_is_used() {
        let mut table = AclTable::default();
        let (a, b) = (vec![acl(1, "world", "anyone")], Acl::open());
        assert_eq!((table.acquire(&a), table.acquire(&b), table.acquire(&a)), (1, 2, 1));
        table.release(1);
        assert_eq!(table.get(1).map(|list| &**list), Some(&*a));
        table.release(1);
        assert_eq!(table.get(1), None);
        assert_eq!(table.acquire(&a), 3, "numbers are not used again");
        assert_eq!(table.get(OPEN).map(|list| &**list), Some(&*Acl::open()));
        table.release(OPEN);
        table.acquire_key(40);
        assert_eq!(table.acquire(&[acl(2, "world", "anyone")]), 41, "a key somebody refers to is taken");
    }

    #[test]
    fn permission() {
        let mallory = [id("ip", "10.1.2.3"), id("digest", "m:1")];
        let admin = [id("ip", "10.1.2.3"), id("super", "")];
        for (list, perm, auth, allowed) in [
            (vec![acl(perms::READ, "world", "anyone")], perms::READ, &mallory[..], true),
            (vec![acl(perms::READ, "world", "anyone")], perms::WRITE, &mallory, false),
            (vec![acl(perms::READ, "world", "anyone")], perms::WRITE, &admin, true),
            (vec![acl(perms::ALL, "world", "somebody")], perms::READ, &mallory, false),
            (vec![acl(perms::ALL, "digest", "m:1")], perms::WRITE, &mallory, true),
            (vec![acl(perms::ALL, "digest", "m:2")], perms::WRITE, &mallory, false),
            (vec![acl(perms::ALL, "sasl", "m:1")], perms::WRITE, &mallory, false),
            (vec![acl(perms::ALL, "ip", "10.0.0.0/8")], perms::WRITE, &mallory, true),
            (vec![acl(perms::ALL, "ip", "10.1.2.3")], perms::WRITE, &mallory, true),
            (vec![acl(perms::ALL, "ip", "10.1.2.2/31")], perms::WRITE, &mallory, true),
            (vec![acl(perms::ALL, "ip", "10.1.2.4/31")], perms::WRITE, &mallory, false),
            (vec![acl(perms::ALL, "ip", "0.0.0.0/0")], perms::WRITE, &mallory, true),
            (vec![acl(perms::ALL, "ip", "::/0")], perms::WRITE, &mallory, false),
            (vec![], perms::WRITE, &mallory, true),
        ] {
            assert_eq!(permits(&list, perm, auth), allowed, "{list:?} {perm} {auth:?}");
        }
    }

    #[test]
    fn fixing_up() {
        let auth = [id("ip", "::1"), id("digest", "u:h")];
        let bad = Err(ZkError::InvalidAcl);
        let all = |scheme, text| acl(perms::ALL, scheme, text);
        for (list, expected) in [
            (vec![], bad.clone()),
            (vec![all("world", "anyone"), all("world", "anyone")], Ok(vec![all("world", "anyone")])),
            (vec![all("world", "someone")], bad.clone()),
            (vec![acl(1, "auth", "")], Ok(vec![acl(1, "digest", "u:h")])),
            (vec![all("digest", "nocolon")], bad.clone()),
            (vec![all("digest", "a:b:c")], bad.clone()),
            (vec![all("ip", "1.2.3.4/33")], bad.clone()),
            (vec![all("ip", "1.2.3.4/32")], Ok(vec![all("ip", "1.2.3.4/32")])),
            (vec![all("world", "anyone"), all("sasl", "x")], bad.clone()),
            (vec![acl(255, "world", "anyone")], Ok(vec![acl(255, "world", "anyone")])),
        ] {
            assert_eq!(fix_up(list.clone(), &auth), expected, "{list:?}");
        }
        assert_eq!(fix_up(vec![acl(1, "auth", "")], &auth[..1]), bad);
        assert_eq!(masked(&[all("digest", "u:h"), all("ip", "::1")]), [all("digest", "u:x"), all("ip", "::1")]);
    }
}
