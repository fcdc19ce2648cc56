//! Access lists: kept once each under a number, as Apache's server keeps them.

use crate::collections::BTreeMap;
use crate::wire::record::Acl;
use alloc::sync::Arc;
use alloc::vec::Vec;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::Id;
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
}
