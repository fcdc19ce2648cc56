//! The owner thread: the only one that touches the core's server. Takes a batch of inputs, steps them, then carries
//! out what came of it: one hand-over to storage, one to each connection.

use crate::clock::Clock;
use crate::mailbox::{Letter, Mailbox};
use crate::metrics::Metrics;
use crate::net::election::Election;
use crate::net::links::Links;
use crate::net::quorum::Quorum;
use crate::read_side::SharedRead;
use crate::store::thread::Storage;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::oneshot;
use tracing::{debug, info, trace, warn};
use zebu_core::effect::{Effect, Effects, HaltReason, LinkClose, Record, Serving};
use zebu_core::id::ServerId;
use zebu_core::input::Input;
use zebu_core::note::Note;
use zebu_core::server::Server;
use zebu_core::status::Status;

/// Inputs stepped before their effects are carried out.
const BATCH: usize = 1024;

/// What others ask of the owner thread.
#[derive(Debug)]
pub enum Question {
    /// How it stands.
    Status(oneshot::Sender<Status>),
    /// Come to an end.
    Stop,
}

/// The owner's mailbox.
pub type Post = Mailbox<Question>;

/// Where effects go.
pub struct Outputs {
    /// This server.
    pub id: ServerId,
    /// The disk.
    pub storage: Storage,
    /// The quorum port; a server that stands alone has none.
    pub quorum: Option<Quorum<Question>>,
    /// The election port, likewise.
    pub election: Option<Election>,
    /// The client connections.
    pub links: Arc<Links>,
    /// Whether clients are served, for whoever wants to know without asking.
    pub serving: Arc<Mutex<Option<Serving>>>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Runs until somebody asks it to stop (`None`) or the core can't go on.
pub fn run(
    mut server: Server<SharedRead>,
    mut fx: Effects,
    post: &Post,
    clock: &Clock,
    outputs: Outputs,
) -> Option<HaltReason> {
    let mut letters = Vec::with_capacity(BATCH);
    let mut halted = carry_out(&mut fx, post, &outputs);
    let mut stopped = false;
    while halted.is_none() && !stopped {
        let deadline = server.next_deadline().map(|(at, _)| at);
        post.take(deadline.map(|at| clock.std_instant(at)), BATCH, &mut letters);
        let now = clock.now();
        for letter in letters.drain(..) {
            match letter {
                Letter::Input(input) => {
                    if matches!(input, Input::Compacted { .. }) {
                        outputs.metrics.snapshots.fetch_add(1, Relaxed);
                    }
                    server.step(now, input, &mut fx);
                }
                // Whoever asked may have gone.
                Letter::Ask(Question::Status(answer)) => drop(answer.send(server.status())),
                Letter::Ask(Question::Stop) => stopped = true,
            }
        }
        if deadline.is_some_and(|at| at <= now.mono) {
            server.step(now, Input::Tick, &mut fx);
        }
        halted = carry_out(&mut fx, post, &outputs);
    }
    outputs.links.close_all(&LinkClose::NotServing);
    *outputs.serving.lock() = None;
    outputs.storage.stop();
    halted
}

fn carry_out(fx: &mut Effects, post: &Post, out: &Outputs) -> Option<HaltReason> {
    let mut records = Vec::new();
    for effect in fx.drain() {
        match effect {
            Effect::Store { lsn, record } => {
                if let Record::Txn { txn, .. } = &record {
                    out.metrics.proposed(txn.len());
                }
                records.push((lsn, record));
            }
            Effect::Send { conn, msg } => {
                trace!("sends {} on connection {conn}", msg.name());
                if let Some(quorum) = &out.quorum {
                    quorum.send(conn, msg);
                }
            }
            Effect::ToLink { link, msg } => out.links.push(link, msg),
            Effect::Notify { to, note } if to == out.id => post.push(Input::Notification { from: to, note }),
            Effect::Notify { to, note } => {
                if let Some(election) = &out.election {
                    election.notify(to, note);
                }
            }
            Effect::Dial { to } => match &out.quorum {
                Some(quorum) => quorum.dial(to),
                None => post.push(Input::DialFailed { to }),
            },
            Effect::Drop { conn, why } => {
                if let Some(quorum) = &out.quorum {
                    quorum.drop_conn(conn, &why);
                }
            }
            Effect::Compact { upto } => {
                // Behind the transactions that it covers.
                out.storage.store(std::mem::take(&mut records));
                out.storage.compact(upto);
            }
            Effect::Serving(serving) => {
                *out.serving.lock() = serving;
                match serving {
                    Some(_) if out.election.is_none() => info!("serves clients, alone"),
                    Some(s) => info!("serves clients: {}, epoch {}, leader {}", role(&s), s.epoch, s.leader),
                    None => {
                        info!("serves no clients");
                        out.links.close_all(&LinkClose::NotServing);
                    }
                }
            }
            Effect::Halt(reason) => return Some(reason),
            Effect::Note(note) => tell(&note, &out.metrics),
        }
    }
    if !records.is_empty() {
        out.storage.store(records);
    }
    None
}

/// What a server does, in Apache's word for it.
pub fn role(serving: &Serving) -> &'static str {
    use zebu_core::wire::notification::ServerState;
    match serving.role {
        ServerState::Looking => "looking",
        ServerState::Following => "follower",
        ServerState::Leading => "leader",
        ServerState::Observing => "observer",
    }
}

/// Changes of role, epoch and quorum are for everybody; the way there is for those who look closer.
fn tell(note: &Note, metrics: &Metrics) {
    match note {
        Note::Committed { .. } => {
            metrics.commits.fetch_add(1, Relaxed);
            trace!("{note}");
        }
        Note::Proposed { .. } | Note::Acked { .. } => trace!("{note}"),
        Note::ElectionStarted { .. } => {
            metrics.looking.fetch_add(1, Relaxed);
            info!("{note}");
        }
        Note::Recovered { .. }
        | Note::Phase { .. }
        | Note::Elected { .. }
        | Note::JoinsLeader { .. }
        | Note::EpochAgreed { .. }
        | Note::SyncPlanned { .. }
        | Note::Syncing { .. }
        | Note::Truncated { .. }
        | Note::Established { .. }
        | Note::StoodDown { .. }
        | Note::SessionExpired { .. } => info!("{note}"),
        Note::QuotaExceeded { .. } => warn!("{note}"),
        Note::VoteAdopted { .. }
        | Note::RoundJoined { .. }
        | Note::QuorumOfVotes { .. }
        | Note::EpochProposed { .. }
        | Note::EpochAccepted { .. }
        | Note::SessionOpened { .. }
        | Note::SessionClosed { .. }
        | Note::ContainerRemoved { .. } => debug!("{note}"),
    }
}
