//! Whatever is done to a sorted vector and to a B-tree, both hold and tell the same.

use super::{Entry, SortedMap, SortedSet};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn maps_are_alike(steps in vec((0..9u8, 0..12u8, any::<u16>()), 0..80)) {
        let (mut ours, mut theirs) = (SortedMap::new(), BTreeMap::new());
        for (what, key, value) in steps {
            match what {
                0..=2 => prop_assert_eq!(ours.insert(key, value), theirs.insert(key, value)),
                3 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                4 => {
                    *ours.entry(key).and_modify(|v| *v ^= 1).or_insert(value) = value / 2;
                    *theirs.entry(key).and_modify(|v| *v ^= 1).or_insert(value) = value / 2;
                }
                5 => prop_assert_eq!(ours.pop_first(), theirs.pop_first()),
                6 => {
                    ours.retain(|k, v| k % 3 != 0 || *v > value);
                    theirs.retain(|k, v| k % 3 != 0 || *v > value);
                }
                7 => {
                    let (mut tail, other) = (ours.split_off(&key), theirs.split_off(&key));
                    prop_assert!(tail.iter().eq(other.iter()));
                    tail.clear();
                    prop_assert!(tail.is_empty());
                }
                _ => {
                    if let Entry::Occupied(mut entry) = ours.entry(key) {
                        prop_assert_eq!(*entry.key(), key);
                        entry.insert(value);
                        prop_assert_eq!(entry.get(), &value);
                    }
                    theirs.entry(key).and_modify(|v| *v = value);
                }
            }
            prop_assert!(ours.iter().eq(theirs.iter()));
            prop_assert!(ours.keys().rev().eq(theirs.keys().rev()));
            prop_assert_eq!(ours.get(&key), theirs.get(&key));
            prop_assert!(ours.range(key..).eq(theirs.range(key..)));
            prop_assert!(ours.range(..=key).eq(theirs.range(..=key)));
            prop_assert_eq!(ours.first_key_value(), theirs.first_key_value());
            prop_assert_eq!(ours.last_key_value(), theirs.last_key_value());
            prop_assert_eq!(ours.len(), theirs.len());
        }
        prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }

    #[test]
    fn sets_are_alike(steps in vec((0..5u8, 0..12u8), 0..80), others in vec(0..12u8, 0..12)) {
        let (mut ours, mut theirs) = (SortedSet::new(), BTreeSet::new());
        let (other, their_other): (SortedSet<u8>, BTreeSet<u8>) =
            (others.iter().copied().collect(), others.iter().copied().collect());
        for (what, key) in steps {
            match what {
                0..=2 => prop_assert_eq!(ours.insert(key), theirs.insert(key)),
                3 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                _ => prop_assert_eq!(ours.pop_last(), theirs.pop_last()),
            }
            prop_assert!(ours.iter().eq(theirs.iter()));
            prop_assert_eq!(ours.contains(&key), theirs.contains(&key));
            prop_assert!(ours.range(key..).eq(theirs.range(key..)));
            prop_assert!(ours.difference(&other).eq(theirs.difference(&their_other)));
            prop_assert!(ours.intersection(&other).eq(theirs.intersection(&their_other)));
            prop_assert_eq!(ours.is_subset(&other), theirs.is_subset(&their_other));
            prop_assert_eq!((ours.first(), ours.last()), (theirs.first(), theirs.last()));
        }
        prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        prop_assert_eq!(ours.into_iter().collect::<Vec<_>>(), theirs.into_iter().collect::<Vec<_>>());
    }
}
