//! Something that many threads write all the time and somebody reads now and then: a part for each thread, behind a
//! lock that only the reader ever finds taken.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Parts; threads beyond so many share.
const SHARDS: usize = 8;

thread_local! {
    static SLOT: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Relaxed) % SHARDS
    };
}

/// A part, with cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard<T>(Mutex<T>);

/// See the module.
#[derive(Debug, Default)]
pub struct Sharded<T> {
    shards: [Shard<T>; SHARDS],
}

impl<T> Sharded<T> {
    /// Changes the calling thread's part.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let [first, ..] = &self.shards;
        let shard = SLOT.with(|slot| self.shards.get(*slot)).unwrap_or(first);
        f(&mut shard.0.lock())
    }

    /// Looks at all parts, one after the other.
    pub fn each(&self, mut f: impl FnMut(&mut T)) {
        self.shards.iter().for_each(|shard| f(&mut shard.0.lock()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_is_counted() {
        let counts = Sharded::<u64>::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| (0..1000).for_each(|_| counts.with(|n| *n += 1)));
            }
        });
        let mut all = 0;
        counts.each(|n| all += std::mem::take(n));
        assert_eq!(all, 2 * SHARDS as u64 * 1000);
        counts.each(|n| assert_eq!(*n, 0));
    }
}
