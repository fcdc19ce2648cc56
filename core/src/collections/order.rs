//! Sorting: the standard library's on servers; in the browser one small merge sort for all types.
//!
//! The standard library's sorts are made anew for each type, several kilobytes each; a score of them was a thirtieth of
//! all that the lab makes a browser load. What is sorted there is short.

use core::cmp::Ordering;

/// Sorts; equal items are not told apart.
pub fn sort<T: Ord>(items: &mut [T]) {
    #[cfg(not(target_arch = "wasm32"))]
    items.sort_unstable();
    #[cfg(target_arch = "wasm32")]
    small::sort_by(items, &mut T::cmp);
}

/// Sorts; equal items keep their order.
pub fn sort_by<T>(items: &mut [T], mut by: impl FnMut(&T, &T) -> Ordering) {
    #[cfg(not(target_arch = "wasm32"))]
    items.sort_by(&mut by);
    #[cfg(target_arch = "wasm32")]
    small::sort_by(items, &mut by);
}

/// Sorts by a key; equal items keep their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// The sort of which the most is there only once.
#[cfg(any(test, target_arch = "wasm32"))]
mod small {
    use alloc::vec::Vec;
    use core::cmp::Ordering;

    pub fn sort_by<T>(items: &mut [T], by: &mut dyn FnMut(&T, &T) -> Ordering) {
        let mut order = order(items.len(), &mut |a, b| by(&items[a], &items[b]));
        // Each cycle of the order is walked once, and every item put into its place.
        for start in 0..order.len() {
            let mut at = start;
            loop {
                let from = core::mem::replace(&mut order[at], at);
                if from == start || from == at {
                    break;
                }
                items.swap(at, from);
                at = from;
            }
        }
    }

    /// Where the item for each place stands now: a merge sort of places.
    fn order(len: usize, by: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        let mut merged = order.clone();
        let mut run = 1;
        while run < len {
            for start in (0..len).step_by(2 * run) {
                let (middle, end) = ((start + run).min(len), (start + 2 * run).min(len));
                let (mut left, mut right) = (start, middle);
                for place in &mut merged[start..end] {
                    let from_left =
                        left < middle && (right >= end || by(order[left], order[right]) != Ordering::Greater);
                    let next = if from_left { &mut left } else { &mut right };
                    *place = order[*next];
                    *next += 1;
                }
            }
            core::mem::swap(&mut order, &mut merged);
            run *= 2;
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use alloc::vec::Vec;

    #[test]
    fn both_sorts_give_the_same() {
        let mut rng = Rng::new(7);
        for len in 0..200u64 {
            // Few keys, so that many items are equal and the order among them shows.
            let items: Vec<(u64, u64)> = (0..len).map(|n| (rng.below(9), n)).collect();
            let (mut small, mut std) = (items.clone(), items.clone());
            small::sort_by(&mut small, &mut |a, b| a.0.cmp(&b.0));
            std.sort_by_key(|item| item.0);
            assert_eq!(small, std);
            let mut whole = items.clone();
            small::sort_by(&mut whole, &mut Ord::cmp);
            std.sort_unstable();
            assert_eq!(whole, std);
            sort(&mut small);
            assert_eq!(small, std);
        }
    }
}
