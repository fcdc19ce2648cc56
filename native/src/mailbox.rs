//! The owner thread's queue: many producers, one consumer that takes whole batches.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Instant;
use tokio::sync::Notify;
use zebu_core::input::Input;

/// From this length on, producers that can wait should: see [`Mailbox::room`].
const FULL: usize = 16 * 1024;

/// Something for the owner thread: an input, or a question `Q` that it answers itself.
#[derive(Debug)]
pub enum Letter<Q> {
    /// For the core.
    Input(Input),
    /// For the owner.
    Ask(Q),
}

/// The queue. Pushing never blocks; what makes it bounded is that sockets are not read while it is full.
#[derive(Debug)]
pub struct Mailbox<Q> {
    queue: Mutex<VecDeque<Letter<Q>>>,
    ready: Condvar,
    room: Notify,
}

impl<Q> Mailbox<Q> {
    /// An empty one.
    pub fn new() -> Mailbox<Q> {
        Mailbox { queue: Mutex::new(VecDeque::new()), ready: Condvar::new(), room: Notify::new() }
    }

    /// Adds an input.
    pub fn push(&self, input: Input) {
        self.queue.lock().push_back(Letter::Input(input));
        self.ready.notify_one();
    }

    /// Adds inputs, nothing of others between them.
    pub fn push_all(&self, inputs: impl IntoIterator<Item = Input>) {
        let mut queue = self.queue.lock();
        queue.extend(inputs.into_iter().map(Letter::Input));
        drop(queue);
        self.ready.notify_one();
    }

    /// Adds a question.
    pub fn ask(&self, question: Q) {
        self.queue.lock().push_back(Letter::Ask(question));
        self.ready.notify_one();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Waits until the queue is not full.
    pub async fn room(&self) {
        loop {
            let notified = self.room.notified();
            if self.len() < FULL {
                return;
            }
            notified.await;
        }
    }

    /// Waits for a letter, at most until `deadline`; then moves up to `most` letters to `out`. Returns how many waited.
    pub fn take(&self, deadline: Option<Instant>, most: usize, out: &mut Vec<Letter<Q>>) -> usize {
        let mut queue = self.queue.lock();
        while queue.is_empty() {
            match deadline {
                None => self.ready.wait(&mut queue),
                Some(at) => {
                    if self.ready.wait_until(&mut queue, at).timed_out() {
                        break;
                    }
                }
            }
        }
        let waited = queue.len();
        out.extend(queue.drain(..waited.min(most)));
        if waited >= FULL && queue.len() < FULL {
            self.room.notify_waiters();
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn batches_in_order_and_a_deadline() {
        let mailbox: Mailbox<u32> = Mailbox::new();
        let mut out = Vec::new();
        mailbox.take(Some(Instant::now()), 10, &mut out);
        assert!(out.is_empty(), "the deadline ends the wait");
        mailbox.push_all([Input::Tick, Input::Tick]);
        mailbox.ask(7);
        mailbox.take(None, 2, &mut out);
        assert!(matches!(out[..], [Letter::Input(_), Letter::Input(_)]));
        out.clear();
        mailbox.take(None, 2, &mut out);
        assert!(matches!(out[..], [Letter::Ask(7)]));
    }

    #[tokio::test]
    async fn a_full_mailbox_holds_producers_until_it_is_emptied() {
        let mailbox: Mailbox<()> = Mailbox::new();
        mailbox.push_all((0..FULL).map(|_| Input::Tick));
        let wait = tokio::time::timeout(Duration::from_millis(5), mailbox.room());
        assert!(wait.await.is_err(), "no room");
        let emptied = async { mailbox.take(None, 10, &mut Vec::new()) };
        tokio::join!(mailbox.room(), emptied);
    }
}
