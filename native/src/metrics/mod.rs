//! What is measured while the server runs, under Apache's names (client-protocol §15).
//!
//! Nothing on a request's way takes a lock that another connection wants: connections write into the page of their
//! worker thread, once for all that a wake-up brought, and the owner and storage threads have pages of their own. Who
//! reads merges them.

pub mod pages;
pub mod prometheus;
pub mod report;
mod sharded;
pub mod summary;

use pages::{AppliedPage, ClientPage, DiskPage, OwnerPage};
use parking_lot::Mutex;
use report::{Number, Report};
use sharded::Sharded;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers that rise too rarely to have a page.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: AtomicU64,)* }

        impl Counters {
            fn tell(&self, out: &mut Report) {
                $(out.counter(stringify!($name), self.$name.load(Relaxed));)*
            }

            fn reset(&self) {
                $(self.$name.store(0, Relaxed);)*
            }
        }
    };
}

counters! {
    /// Connections refused because there are too many.
    connection_rejected,
    /// Connections ended because large requests took up too much.
    large_requests_rejected,
    /// Connections that the client ended or that broke, without having closed its session.
    connection_drop_count,
    /// Handshakes asked for.
    connection_request_count,
    /// Handshakes that took up an older session.
    connection_revalidate_count,
    /// Connections ended because they did not ask for a session in time.
    sessionless_connections_expired,
    /// Connections refused because too many TLS handshakes were under way.
    tls_handshake_exceeded,
    /// How often a connection whose requests may not be taken looked again in vain.
    request_throttle_wait_count,
    /// Requests that were not taken before their connections ended.
    stale_requests_dropped,
    /// Answers to requests whose connections had ended.
    stale_replies,
    /// Connections ended because no clients are served.
    cnxn_closed_without_zk_server_running,
}

/// See the module.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    /// Requests not answered yet.
    pub outstanding: AtomicI64,
    /// Since when this server leads.
    pub leading: Mutex<Option<Instant>>,
    /// What happens rarely.
    pub counters: Counters,
    /// Of the connections, by worker thread.
    pub clients: Sharded<ClientPage>,
    /// Of the owner thread.
    pub owner: Mutex<OwnerPage>,
    /// Of applying, which the owner thread does.
    pub applied: Mutex<AppliedPage>,
    /// Of the threads that write.
    pub disk: Mutex<DiskPage>,
}

/// How long requests take, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// The shortest.
    pub min: i64,
    /// The average.
    pub average: Number,
    /// The longest.
    pub max: i64,
}

impl Metrics {
    /// All zero.
    pub fn new() -> Metrics {
        Metrics {
            started: Instant::now(),
            outstanding: AtomicI64::new(0),
            leading: Mutex::default(),
            counters: Counters::default(),
            clients: Sharded::default(),
            owner: Mutex::default(),
            applied: Mutex::default(),
            disk: Mutex::default(),
        }
    }

    /// Since the start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Milliseconds from the start to `at`.
    pub fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }

    /// Requests not answered yet.
    pub fn outstanding(&self) -> u64 {
        // Two connections may count at the same moment.
        u64::try_from(self.outstanding.load(Relaxed)).unwrap_or(0)
    }

    /// What all connections together have seen.
    pub fn all_clients(&self) -> ClientPage {
        let mut all = ClientPage::default();
        self.clients.each(|page| all.merge(page));
        all
    }

    /// Everything that is measured, except what can be looked up when somebody asks.
    pub fn report(&self) -> Report {
        let mut out = Report::default();
        let clients = self.all_clients();
        let latency = clients.latency();
        out.gauge("avg_latency", latency.average);
        out.gauge("min_latency", latency.min);
        out.gauge("max_latency", latency.max);
        out.gauge("outstanding_requests", self.outstanding());
        out.gauge("uptime", i64::try_from(self.uptime().as_millis()).unwrap_or(i64::MAX));
        clients.tell(&mut out);
        self.counters.tell(&mut out);
        self.owner.lock().tell(&mut out);
        self.applied.lock().tell(&mut out);
        self.disk.lock().tell(&mut out);
        out
    }

    /// Forgets everything, as `srst` wants it.
    pub fn reset(&self) {
        self.counters.reset();
        self.clients.each(|page| *page = ClientPage::default());
        *self.owner.lock() = OwnerPage::default();
        *self.applied.lock() = AppliedPage::default();
        *self.disk.lock() = DiskPage::default();
    }
}

impl ClientPage {
    /// Of reads and updates together.
    pub fn latency(&self) -> Latency {
        let mut all = self.readlatency.clone();
        all.merge(&self.updatelatency);
        let whole = |ms: f64| ms as i64;
        Latency { min: whole(all.min()), average: Number::rounded(all.average()), max: whole(all.max()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_as_apache_shows_it() {
        let metrics = Metrics::new();
        let latency = || metrics.all_clients().latency();
        assert_eq!(latency(), Latency { min: 0, average: Number::Real(0.0), max: 0 });
        for (us, shown) in [(1000, "1.0"), (3000, "2.0"), (500, "1.5"), (1000, "1.375"), (12, "1.1024")] {
            metrics.clients.with(|page| page.updatelatency.add(us));
            assert_eq!(latency().average.to_string(), shown);
        }
        metrics.clients.with(|page| page.readlatency.add(7999));
        assert_eq!((latency().min, latency().max), (0, 7));
    }

    #[test]
    fn reset_forgets_everything() {
        let metrics = Metrics::new();
        metrics.clients.with(|page| page.packets_sent += 1);
        metrics.owner.lock().proposal_count += 1;
        metrics.owner.lock().ack_latency.add("1", 5);
        metrics.disk.lock().fsynctime.add(7);
        metrics.applied.lock().commit_process_time.add(7);
        metrics.counters.connection_rejected.fetch_add(1, Relaxed);
        metrics.reset();
        let numbers = metrics.report().numbers();
        assert!(!numbers.iter().any(|(name, _)| name.contains("ack_latency") && name.contains("_1_")));
        for (name, number) in numbers {
            let expected = if name.ends_with("client_response_size") { -1.0 } else { 0.0 };
            assert!(name == "uptime" || number.as_f64() == expected, "{name} is {number}");
        }
    }
}
