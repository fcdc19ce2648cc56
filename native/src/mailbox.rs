//! The owner thread's queue: many producers, one consumer that takes whole batches.

use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;
use tokio::sync::Notify;
use zebu_core::id::ServerId;
use zebu_core::input::{Input, Submission};
use zebu_core::wire::notification::Notification;
use zebu_core::wire::peer::PeerMsg;

/// From this length on, producers that can wait should: see [`Mailbox::room`].
const FULL: usize = 16 * 1024;

/// And from so many bytes on.
const FULL_BYTES: usize = 64 << 20;

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
    queue: Mutex<Queue<Q>>,
    ready: Condvar,
    room: Notify,
}

#[derive(Debug)]
struct Queue<Q> {
    letters: VecDeque<Letter<Q>>,
    /// What they weigh.
    bytes: usize,
    /// How many have been taken, ever: the number of the first that waits.
    taken: u64,
    /// The number of the last notification of each server.
    notes: BTreeMap<ServerId, u64>,
}

impl<Q> Queue<Q> {
    fn push(&mut self, letter: Letter<Q>) {
        self.bytes += weight(&letter);
        self.letters.push_back(letter);
    }

    fn is_full(&self) -> bool {
        self.letters.len() >= FULL || self.bytes >= FULL_BYTES
    }
}

/// Bytes that a letter keeps in memory, about.
fn weight<Q>(letter: &Letter<Q>) -> usize {
    64 + match letter {
        Letter::Input(Input::Packet { msg, .. }) => packet_weight(msg),
        Letter::Input(Input::Notification { note, .. }) => note.config.len(),
        Letter::Input(Input::Submit { request: Submission::Write { body, .. }, .. }) => body.len(),
        Letter::Input(_) | Letter::Ask(_) => 0,
    }
}

/// Bytes that what a peer says keeps in memory, about.
pub fn packet_weight(msg: &PeerMsg) -> usize {
    match msg {
        PeerMsg::Snap { body, .. } => body.len(),
        PeerMsg::Proposal { txn, .. } | PeerMsg::Inform { txn, .. } | PeerMsg::InformAndActivate { txn, .. } => {
            txn.len()
        }
        PeerMsg::Request(request) => request.body.len(),
        _ => 0,
    }
}

impl<Q> Mailbox<Q> {
    /// An empty one.
    pub fn new() -> Mailbox<Q> {
        let queue = Queue { letters: VecDeque::new(), bytes: 0, taken: 0, notes: BTreeMap::new() };
        Mailbox { queue: Mutex::new(queue), ready: Condvar::new(), room: Notify::new() }
    }

    /// Adds an input.
    pub fn push(&self, input: Input) {
        self.queue.lock().push(Letter::Input(input));
        self.ready.notify_one();
    }

    /// Adds inputs, nothing of others between them.
    pub fn push_all(&self, inputs: impl IntoIterator<Item = Input>) {
        let mut queue = self.queue.lock();
        inputs.into_iter().for_each(|input| queue.push(Letter::Input(input)));
        drop(queue);
        self.ready.notify_one();
    }

    /// Adds a notification. One of the same server that still waits gives its place to it: each says everything anew, so
    /// nobody can fill the queue with them.
    pub fn push_notification(&self, from: ServerId, note: Notification) {
        let mut guard = self.queue.lock();
        let queue = &mut *guard;
        let waiting = queue.notes.get(&from).and_then(|number| number.checked_sub(queue.taken));
        let place = waiting.and_then(|at| queue.letters.get_mut(usize::try_from(at).ok()?));
        let letter = Letter::Input(Input::Notification { from, note });
        match place {
            Some(old) => {
                queue.bytes = queue.bytes.saturating_sub(weight(old)) + weight(&letter);
                *old = letter;
            }
            None => {
                queue.notes.insert(from, queue.taken + queue.letters.len() as u64);
                queue.push(letter);
            }
        }
        drop(guard);
        self.ready.notify_one();
    }

    /// Adds a question.
    pub fn ask(&self, question: Q) {
        self.queue.lock().push(Letter::Ask(question));
        self.ready.notify_one();
    }

    /// Waits until the queue is not full.
    pub async fn room(&self) {
        loop {
            let notified = self.room.notified();
            if !self.queue.lock().is_full() {
                return;
            }
            notified.await;
        }
    }

    /// Waits for a letter, at most until `deadline`; then moves up to `most` letters to `out`. Returns how many waited.
    pub fn take(&self, deadline: Option<Instant>, most: usize, out: &mut Vec<Letter<Q>>) -> usize {
        let mut queue = self.queue.lock();
        while queue.letters.is_empty() {
            match deadline {
                None => self.ready.wait(&mut queue),
                Some(at) => {
                    if self.ready.wait_until(&mut queue, at).timed_out() {
                        break;
                    }
                }
            }
        }
        let (waited, was_full) = (queue.letters.len(), queue.is_full());
        let Queue { letters, bytes, taken, .. } = &mut *queue;
        for letter in letters.drain(..waited.min(most)) {
            *bytes = bytes.saturating_sub(weight(&letter));
            *taken += 1;
            out.push(letter);
        }
        if was_full && !queue.is_full() {
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

    #[tokio::test]
    async fn few_large_letters_fill_it_as_well() {
        let mailbox: Mailbox<()> = Mailbox::new();
        let large = || {
            let body = bytes::Bytes::from(vec![0; FULL_BYTES / 4]);
            let msg = PeerMsg::Snap { zxid: zebu_core::id::Zxid::ZERO, body };
            Input::Packet { conn: zebu_core::id::ConnId(1), msg }
        };
        mailbox.push_all([large(), large(), large()]);
        mailbox.room().await;
        mailbox.push(large());
        assert!(tokio::time::timeout(Duration::from_millis(5), mailbox.room()).await.is_err(), "no room");
        let emptied = async { mailbox.take(None, 1, &mut Vec::new()) };
        tokio::join!(mailbox.room(), emptied);
        mailbox.take(None, 10, &mut Vec::new());
        assert_eq!(mailbox.queue.lock().bytes, 0, "what was added is taken off again");
    }

    #[test]
    fn of_each_servers_notifications_only_the_newest_waits() {
        use zebu_core::id::{Epoch, Zxid};
        use zebu_core::wire::notification::{ServerState, Vote};
        let note = |round: i64, size: usize| {
            let vote = Vote { epoch: Epoch(0), zxid: Zxid::ZERO, leader: ServerId(1) };
            Notification { state: ServerState::Looking, vote, round, version: 2, config: "x".repeat(size) }
        };
        let mailbox: Mailbox<()> = Mailbox::new();
        let taken = |most: usize| -> Vec<(i64, i64)> {
            let mut out = Vec::new();
            mailbox.take(Some(Instant::now()), most, &mut out);
            let told = out.into_iter().filter_map(|letter| match letter {
                Letter::Input(Input::Notification { from, note }) => Some((from.0, note.round)),
                _ => None,
            });
            told.collect()
        };
        for round in 1..=1000 {
            mailbox.push_notification(ServerId(2), note(round, 512 << 10));
            mailbox.push(Input::Tick);
            mailbox.push_notification(ServerId(3), note(-round, 3));
        }
        assert_eq!(mailbox.queue.lock().letters.len(), 1002);
        assert!(mailbox.queue.lock().bytes < 1 << 20);
        assert_eq!(taken(2), [(2, 1000)], "in the place of the first");
        mailbox.push_notification(ServerId(2), note(1001, 1));
        mailbox.push_notification(ServerId(3), note(-1001, 1));
        assert_eq!(taken(5000), [(3, -1001), (2, 1001)]);
        assert_eq!(taken(10), [], "each is taken once");
        mailbox.push_notification(ServerId(2), note(1002, 1));
        assert_eq!(taken(10), [(2, 1002)]);
        assert_eq!(mailbox.queue.lock().bytes, 0);
    }
}
