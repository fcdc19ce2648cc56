//! What an operator may know of a running server: the facts behind the four-letter words and the AdminServer's
//! commands, one subject a file. How they are written down is up to those two.

pub mod configuration;
pub mod connections;
pub mod environment;
pub mod monitor;
pub mod quorum;
pub mod sessions;
pub mod statistics;
pub mod watches;

use crate::clock::Clock;
use crate::config_file::ZooCfg;
use crate::metrics::Metrics;
use crate::net::limits::Limits;
use crate::net::links::Links;
use crate::read_side::SharedRead;
use crate::replica::{Post, Question, role};
use crate::store::snapshots::LastSnapshot;
use crate::trace_mask::TraceMask;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use zebu_core::config::Membership;
use zebu_core::effect::Serving;
use zebu_core::server::Server;
use zebu_core::wire::notification::ServerState;

/// What those who ask for a version are told, as Apache has it: the features of 3.8, in this implementation, and when
/// it was built.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let built = env!("ZEBU_BUILT").parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let built = built.unwrap_or_default().strftime("%Y-%m-%d %H:%M UTC");
        format!("3.8.0-zebu-{}, built on {built}", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

/// What those are told who ask a server without a leader.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// How long the owner thread may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everything an answer may be made from.
pub struct Operator {
    /// The configuration.
    pub cfg: Arc<ZooCfg>,
    /// The tree.
    pub side: SharedRead,
    /// The connections of clients.
    pub links: Arc<Links>,
    /// What keeps clients from asking too much.
    pub limits: Arc<Limits>,
    /// The owner thread.
    pub post: Arc<Post>,
    /// As what clients are served.
    pub serving: Arc<Mutex<Option<Serving>>>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What the finest log tells.
    pub trace: Arc<TraceMask>,
    /// The newest snapshot.
    pub last_snapshot: Arc<LastSnapshot>,
    /// Who is a member.
    pub members: Arc<Mutex<Membership>>,
    /// The clocks that the core's times are of.
    pub clock: Clock,
}

impl Operator {
    /// As what clients are served, if they are.
    pub fn serving(&self) -> Option<Serving> {
        *self.serving.lock()
    }

    /// `standalone`, or the role.
    pub fn mode(&self, serving: &Serving) -> &'static str {
        if self.cfg.standalone { "standalone" } else { role(serving) }
    }

    /// Whether this server leads others.
    pub fn leads(&self, serving: &Serving) -> bool {
        serving.role == ServerState::Leading && !self.cfg.standalone
    }

    /// Looks at the server between two of its batches. `None` if the owner thread is too busy, or has ended.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Server<SharedRead>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have gone.
        self.post.ask(Question::Look(Box::new(move |server| drop(answer.send(look(server))))));
        timeout(PATIENCE, answered).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_has_apaches_shape() {
        let (version, built) = version().split_once(", built on ").expect("two parts");
        assert_eq!(version, concat!("3.8.0-zebu-", env!("CARGO_PKG_VERSION")));
        let built = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M UTC", built).expect("a date");
        assert!(built.year() >= 2025, "{built}");
    }
}
