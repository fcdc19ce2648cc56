//! Answers to the same question of access, remembered: a request with many members may ask it for each of them.

use super::permits;
use crate::collections::BTreeMap;
use crate::config::AccessRules;
use crate::wire::record::{Acl, Id};
use alloc::sync::Arc;

/// What takes no longer than so many comparisons of identities is asked again rather than remembered.
const CHEAP: usize = 64;

/// A list and whether it permits.
type Verdict = (Arc<[Acl]>, bool);

/// What lists permit to one who asks, each list asked once: it is known by its place, so stored copies have to be
/// shared, as [`crate::tree::acl::AclTable`] does.
#[derive(Debug)]
pub struct Verdicts<'a> {
    rules: &'a AccessRules,
    ids: &'a [Id],
    /// By place and permission. The list is held, so that no other takes its place.
    known: BTreeMap<(usize, i32), Verdict>,
}

impl<'a> Verdicts<'a> {
    /// For somebody with the identities `ids`.
    pub fn new(rules: &'a AccessRules, ids: &'a [Id]) -> Verdicts<'a> {
        Verdicts { rules, ids, known: BTreeMap::new() }
    }

    /// As [`permits`].
    pub fn permits(&mut self, list: &Arc<[Acl]>, perms: i32) -> bool {
        if list.len().saturating_mul(self.ids.len()) <= CHEAP {
            return permits(self.rules, list, perms, self.ids);
        }
        let place = Arc::as_ptr(list).cast::<Acl>().addr();
        let asked = || (list.clone(), permits(self.rules, list, perms, self.ids));
        self.known.entry((place, perms)).or_insert_with(asked).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::perms;
    use alloc::vec;
    use alloc::vec::Vec;

    fn list(len: usize) -> Arc<[Acl]> {
        let mut list = vec![Acl { perms: 0, ..Acl::open().remove(0) }; len];
        list[len - 1].perms = perms::READ;
        list.into()
    }

    #[test]
    fn a_long_list_is_asked_once() {
        let (rules, ids) = (AccessRules::default(), [Id { scheme: "ip".into(), id: "::1".into() }]);
        let mut verdicts = Verdicts::new(&rules, &ids);
        for (len, remembered) in [(CHEAP, 0), (CHEAP + 1, 2)] {
            let list = list(len);
            for _ in 0..3 {
                assert!(verdicts.permits(&list, perms::READ) && !verdicts.permits(&list, perms::WRITE));
            }
            assert_eq!(verdicts.known.len(), remembered);
        }
        // What is remembered is what is answered, also of a list that nobody else holds any more.
        verdicts.known.values_mut().for_each(|(_, verdict)| *verdict = !*verdict);
        let held: Vec<_> = verdicts.known.values().map(|(list, _)| list.clone()).collect();
        assert!(!verdicts.permits(&held[0], perms::READ) && verdicts.permits(&held[0], perms::WRITE));
        assert!(verdicts.permits(&list(CHEAP + 1), perms::READ), "another list");
    }
}
