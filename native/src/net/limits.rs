//! What keeps clients from asking more than the server can do: checked before memory is taken (client-protocol §17).

use crate::config_file::ClientLimits;
use crate::config_file::TokenRules;
use crate::entropy;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use zebu_core::config::LocalSessions;
use zebu_core::rng::Rng;
use zebu_core::wire::client::ConnectRequest;

/// The limits with what is used of them now.
#[derive(Debug)]
pub struct Limits {
    /// What there may be.
    pub rules: ClientLimits,
    local_sessions: bool,
    connections: AtomicUsize,
    large_bytes: AtomicUsize,
    handshakes: AtomicUsize,
    tokens: Mutex<Tokens>,
}

/// A TLS handshake under way: it counts as long as this lives.
#[derive(Debug)]
pub struct Handshake(Arc<Limits>);

impl Handshake {
    /// One begins; `None` if too many are under way.
    pub fn begin(limits: &Arc<Limits>) -> Option<Handshake> {
        let before = limits.handshakes.fetch_add(1, Relaxed);
        // Dropped at once if it does not fit.
        let begun = Handshake(limits.clone());
        (limits.rules.max_handshakes == 0 || before < limits.rules.max_handshakes).then_some(begun)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Relaxed);
    }
}

impl Limits {
    /// Nothing is used yet.
    pub fn new(rules: ClientLimits, local_sessions: LocalSessions) -> Limits {
        Limits {
            tokens: Mutex::new(Tokens::new(rules.connects.clone(), entropy::seed(), Instant::now())),
            local_sessions: local_sessions != LocalSessions::Off,
            rules,
            connections: AtomicUsize::new(0),
            large_bytes: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
        }
    }

    /// A connection comes; whether there is room for it. If so it has to be taken off by [`Limits::gone`].
    pub fn comes(&self) -> bool {
        let before = self.connections.fetch_add(1, Relaxed);
        let fits = self.rules.max_connections == 0 || before < self.rules.max_connections;
        if !fits {
            self.connections.fetch_sub(1, Relaxed);
        }
        fits
    }

    /// A connection is gone.
    pub fn gone(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// TLS handshakes under way.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Relaxed)
    }

    /// The chance of a client to be refused a session before all tokens are used up, 0 to 1.
    pub fn drop_probability(&self) -> f64 {
        self.tokens.lock().drop
    }

    /// How many of the tokens that connects cost are used up.
    pub fn token_deficit(&self) -> u64 {
        if self.rules.connects.tokens == 0 {
            return 0;
        }
        self.rules.connects.tokens - self.tokens.lock().left
    }

    /// Whether there is a number of requests under way at which no more are taken.
    pub fn throttles(&self) -> bool {
        self.rules.max_requests > 0
    }

    /// Whether no request is taken while so many are under way.
    pub fn stalls(&self, under_way: usize) -> bool {
        self.throttles() && under_way >= self.rules.max_requests
    }

    /// Whether a request that was heard of at `arrived` has waited too long to be done still.
    pub fn waited_too_long(&self, arrived: Instant) -> bool {
        !self.rules.throttled_wait.is_zero() && arrived.elapsed() > self.rules.throttled_wait
    }

    /// A request of `bytes` is announced. How many of them count against the large ones; `None` if these would be too
    /// many. They have to be given back.
    pub fn announce(&self, bytes: usize) -> Option<usize> {
        if self.rules.large_threshold.is_none_or(|threshold| bytes <= threshold) {
            return Some(0);
        }
        let before = self.large_bytes.fetch_add(bytes, Relaxed);
        if before.saturating_add(bytes) > self.rules.large_max {
            self.large_bytes.fetch_sub(bytes, Relaxed);
            return None;
        }
        Some(bytes)
    }

    /// Large requests of so many bytes are done.
    pub fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.large_bytes.fetch_sub(bytes, Relaxed);
        }
    }

    /// Whether a client may open or take up a session now.
    pub fn admits(&self, request: &ConnectRequest) -> bool {
        if self.rules.connects.tokens == 0 {
            return true;
        }
        let [global, renewed, local] = self.rules.connects.costs;
        let cost = match (request.session.0, self.local_sessions) {
            (0, false) => global,
            (0, true) => local,
            _ => renewed,
        };
        self.tokens.lock().take(cost, Instant::now())
    }
}

/// The tokens that connects cost. When all are gone they are refused; if so told, they are refused by chance long
/// before that, the more so the longer the tokens stay used up.
#[derive(Debug)]
struct Tokens {
    rules: TokenRules,
    left: u64,
    filled: Instant,
    frozen: Instant,
    drop: f64,
    rng: Rng,
}

impl Tokens {
    fn new(rules: TokenRules, seed: u64, now: Instant) -> Tokens {
        Tokens { left: rules.tokens, rules, filled: now, frozen: now, drop: 0.0, rng: Rng::new(seed) }
    }

    fn take(&mut self, cost: u64, now: Instant) -> bool {
        let periods = now.duration_since(self.filled).as_nanos() / self.rules.fill_time.as_nanos().max(1);
        if periods > 0 {
            let more = u64::try_from(periods).unwrap_or(u64::MAX).saturating_mul(self.rules.fill_count);
            self.left = self.left.saturating_add(more).min(self.rules.tokens);
            self.filled = now;
        }
        if let Some(freeze) = self.rules.freeze
            && !self.is_lucky(freeze, now)
        {
            return false;
        }
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn is_lucky(&mut self, freeze: Duration, now: Instant) -> bool {
        let used = self.rules.tokens - self.left;
        if now.duration_since(self.frozen) > freeze {
            let few = self.rules.tokens as f64 * self.rules.decrease_ratio;
            if used == self.rules.tokens {
                self.drop = (self.drop + self.rules.drop_increase).min(1.0);
            } else if used as f64 <= few {
                self.drop = (self.drop - self.rules.drop_decrease).max(0.0);
            }
            self.frozen = now;
        }
        const PRECISION: u64 = 1 << 32;
        self.rng.below(PRECISION) as f64 / PRECISION as f64 >= self.drop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> TokenRules {
        TokenRules {
            tokens: 5,
            fill_time: Duration::from_millis(10),
            fill_count: 2,
            freeze: None,
            drop_increase: 0.5,
            drop_decrease: 0.25,
            decrease_ratio: 0.5,
            costs: [3, 2, 1],
        }
    }

    fn limits(change: impl Fn(&mut ClientLimits)) -> Limits {
        let mut rules = ClientLimits {
            max_connections: 0,
            outstanding: 1000,
            max_requests: 0,
            stall: Duration::from_millis(100),
            throttled_wait: Duration::ZERO,
            large_threshold: None,
            large_max: 100,
            max_handshakes: 0,
            connects: TokenRules { tokens: 0, ..rules() },
        };
        change(&mut rules);
        Limits::new(rules, LocalSessions::Off)
    }

    #[test]
    fn handshakes_under_way_are_bounded() {
        for (most, fit) in [(0, 3), (2, 2)] {
            let limits = Arc::new(limits(|rules| rules.max_handshakes = most));
            let begun: Vec<_> = (0..3).filter_map(|_| Handshake::begin(&limits)).collect();
            assert_eq!((begun.len(), limits.handshakes()), (fit, fit));
            drop(begun);
            assert_eq!(limits.handshakes(), 0);
        }
    }

    #[test]
    fn tokens_come_back_with_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut tokens = Tokens::new(rules(), 1, start);
        for (ms, cost, taken) in
            [(0, 3, true), (0, 3, false), (0, 2, true), (9, 1, false), (10, 2, true), (19, 1, false), (1000, 5, true)]
        {
            assert_eq!(tokens.take(cost, at(ms)), taken, "{cost} after {ms} ms");
        }
    }

    #[test]
    fn used_up_tokens_make_connects_fail_by_chance() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let rules =
            TokenRules { freeze: Some(Duration::from_millis(100)), fill_time: Duration::from_secs(10), ..rules() };
        let mut tokens = Tokens::new(rules, 1, start);
        assert!((0..5).all(|_| tokens.take(1, at(1))) && tokens.drop == 0.0);
        assert!(!tokens.take(1, at(150)) && tokens.drop == 0.5);
        assert!(!tokens.take(1, at(200)) && tokens.drop == 0.5, "frozen");
        assert!(!tokens.take(1, at(300)) && tokens.drop == 1.0);
        assert!(!tokens.take(1, at(10_001)), "tokens, but no luck");
        assert_eq!((tokens.left, tokens.drop), (2, 1.0));
        tokens.take(1, at(20_100));
        assert_eq!(tokens.drop, 0.75, "few are used");
    }

    #[test]
    fn large_requests_share_their_bytes() {
        let limits = limits(|rules| rules.large_threshold = Some(10));
        for (bytes, counted) in [(10, Some(0)), (60, Some(60)), (41, None), (40, Some(40)), (11, None), (5, Some(0))] {
            assert_eq!(limits.announce(bytes), counted, "{bytes}");
        }
        limits.give_back(60);
        assert_eq!(limits.announce(60), Some(60));
    }

    #[test]
    fn connections_and_requests() {
        let limits = limits(|rules| (rules.max_connections, rules.max_requests) = (2, 3));
        assert!(limits.comes() && limits.comes() && !limits.comes());
        limits.gone();
        assert!(limits.comes() && !limits.comes());
        assert!(!limits.stalls(2) && limits.stalls(3));
        assert!(!limits.waited_too_long(Instant::now() - Duration::from_secs(60)), "off");
    }
}
