//! Rows, locks and those who wait for them: the resources of a participant in an atomic commitment.

use crate::collections::BTreeMap;
use crate::compare::core::Write;
use crate::id::{ServerId, Zxid};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// A transaction that waits for a locked row.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Waiter {
    pub id: Zxid,
    pub from: ServerId,
    pub write: Write,
}

/// Committed rows (on disk), and locks (in memory, made again from the log).
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Rows {
    committed: BTreeMap<String, (String, Zxid)>,
    locks: BTreeMap<String, Zxid>,
    waiting: Vec<Waiter>,
}

impl Rows {
    /// Locks the row for `id`; false when another transaction has it.
    pub fn lock(&mut self, id: Zxid, path: &str) -> bool {
        match self.locks.get(path) {
            Some(holder) => *holder == id,
            None => {
                self.locks.insert(path.to_string(), id);
                true
            }
        }
    }

    /// Waits for a row.
    pub fn wait(&mut self, waiter: Waiter) {
        if self.waiting.iter().all(|w| w.id != waiter.id) {
            self.waiting.push(waiter);
        }
    }

    /// Frees what `id` holds and forgets it as a waiter; those whose turn it is now.
    pub fn free(&mut self, id: Zxid) -> Vec<Waiter> {
        self.locks.retain(|_, holder| *holder != id);
        self.waiting.retain(|w| w.id != id);
        let mut turn = Vec::new();
        let mut taken: Vec<String> = Vec::new();
        self.waiting.retain(|w| {
            let free = !self.locks.contains_key(&w.write.path) && !taken.contains(&w.write.path);
            if free {
                taken.push(w.write.path.clone());
                turn.push(w.clone());
            }
            !free
        });
        turn
    }

    /// The write is committed.
    pub fn apply(&mut self, id: Zxid, write: &Write) {
        self.committed.insert(write.path.clone(), (write.data.clone(), id));
    }

    /// A crash takes locks and waiters.
    pub fn crash(&mut self) {
        self.locks.clear();
        self.waiting.clear();
    }

    /// Who holds which row.
    pub fn locks(&self) -> impl Iterator<Item = (&str, Zxid)> {
        self.locks.iter().map(|(path, id)| (path.as_str(), *id))
    }

    /// Who waits, first come first served.
    pub fn waiting(&self) -> &[Waiter] {
        &self.waiting
    }

    /// The committed rows with the ids of their writes.
    pub fn all(&self) -> Vec<(String, String, Zxid)> {
        self.committed.iter().map(|(path, (data, id))| (path.clone(), data.clone(), *id)).collect()
    }
}
