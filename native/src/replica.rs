//! The owner thread: the only one that touches the core's server. Takes a batch of inputs, steps them, then carries
//! out what came of it: one hand-over to storage, one to each connection.

use crate::clock::Clock;
use crate::config_file::ServerLine;
use crate::mailbox::{Letter, Mailbox};
use crate::metrics::Metrics;
use crate::net::election::Election;
use crate::net::links::Links;
use crate::net::quorum::Quorum;
use crate::read_side::SharedRead;
use crate::store::snapshots::LastSnapshot;
use crate::store::thread::Storage;
use crate::timeline::Timeline;
use crate::trace_mask::{self, TraceMask};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use tracing::{debug, info, trace, warn};
use zebu_core::config::Membership;
use zebu_core::effect::{Effect, Effects, HaltReason, LinkClose, Record, Serving, ToLink};
use zebu_core::id::ServerId;
use zebu_core::input::Input;
use zebu_core::note::Note;
use zebu_core::server::Server;
use zebu_core::wire::notification::ServerState;
use zebu_core::wire::peer::PeerMsg;

/// Inputs stepped before their effects are carried out.
const BATCH: usize = 1024;

/// Looks at the server and answers whoever asked.
pub type Look = dyn FnOnce(&Server<SharedRead>) + Send;

/// What others ask of the owner thread.
pub enum Question {
    /// Show the server to somebody, who is quick about it: nothing goes on meanwhile.
    Look(Box<Look>),
    /// Come to an end.
    Stop,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Question::Look(_) => "Look",
            Question::Stop => "Stop",
        })
    }
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
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What the finest log tells.
    pub trace: Arc<TraceMask>,
    /// The newest snapshot.
    pub last_snapshot: Arc<LastSnapshot>,
    /// Who is a member, for operators.
    pub members: Arc<Mutex<Membership>>,
    /// Takes the members when they change.
    pub on_members: Box<OnMembers>,
}

/// What else there is to do when members change.
pub type OnMembers = dyn Fn(&BTreeMap<ServerId, ServerLine>) + Send;

impl Outputs {
    /// The members have changed, or are about to: from now on these are called.
    fn members_changed(&self, members: &Membership) {
        let servers = crate::config_file::lines(members);
        if let Some(quorum) = &self.quorum {
            quorum.members(&servers);
        }
        if let Some(election) = &self.election {
            election.members(&servers);
        }
        *self.members.lock() = members.clone();
        (self.on_members)(&servers);
    }
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
    let mut timeline = Timeline::new(clock.now());
    let mut halted = carry_out(&mut fx, post, &outputs, clock, &mut timeline);
    let mut stopped = false;
    while halted.is_none() && !stopped {
        let deadline = server.next_deadline().map(|(at, _)| at);
        let waiting = post.take(deadline.map(|at| clock.std_instant(at)), BATCH, &mut letters);
        let now = clock.now();
        let mut prepared = Vec::new();
        measure_inputs(&letters, waiting, &mut timeline, &outputs.metrics);
        for letter in letters.drain(..) {
            match letter {
                Letter::Input(input) => {
                    if let Input::Compacted { upto } = input {
                        outputs.last_snapshot.written(upto);
                    }
                    let begun = timeline.is_write(&input).then(Instant::now);
                    server.step(now, input, &mut fx);
                    prepared.extend(begun.map(|begun| begun.elapsed()));
                }
                Letter::Ask(Question::Look(look)) => look(&server),
                Letter::Ask(Question::Stop) => stopped = true,
            }
        }
        if deadline.is_some_and(|at| at <= now.mono) {
            server.step(now, Input::Tick, &mut fx);
        }
        if !prepared.is_empty() {
            let mut page = outputs.metrics.owner.lock();
            prepared.into_iter().for_each(|took| page.prep_process_time.took(took));
        }
        halted = carry_out(&mut fx, post, &outputs, clock, &mut timeline);
    }
    outputs.links.close_all(&LinkClose::NotServing);
    *outputs.serving.lock() = None;
    outputs.storage.stop();
    halted
}

fn measure_inputs(letters: &[Letter<Question>], waiting: usize, timeline: &mut Timeline, metrics: &Metrics) {
    if letters.is_empty() {
        return;
    }
    let mut page = metrics.owner.lock();
    page.prep_processor_queue_size.add(waiting as u64);
    for letter in letters {
        if let Letter::Input(input) = letter {
            timeline.input(input, &mut page);
        }
    }
}

fn carry_out(
    fx: &mut Effects,
    post: &Post,
    out: &Outputs,
    clock: &Clock,
    timeline: &mut Timeline,
) -> Option<HaltReason> {
    if fx.as_slice().is_empty() {
        return None;
    }
    let halted = carry_out_each(fx, post, out, clock, timeline);
    if let Some(quorum) = &out.quorum {
        quorum.flush();
    }
    halted
}

fn carry_out_each(
    fx: &mut Effects,
    post: &Post,
    out: &Outputs,
    clock: &Clock,
    timeline: &mut Timeline,
) -> Option<HaltReason> {
    let mut records = Vec::new();
    let now = clock.now();
    {
        let mut page = out.metrics.owner.lock();
        fx.as_slice().iter().for_each(|effect| timeline.effect(effect, now, &mut page));
    }
    for effect in fx.drain() {
        match effect {
            Effect::Store { lsn, record } => {
                if let Record::Install { zxid, .. } = &record {
                    out.last_snapshot.written(*zxid);
                }
                if let Record::Membership(members) = &record {
                    out.members_changed(members);
                }
                records.push((lsn, record));
            }
            Effect::Send { conn, msg } => {
                let kind = match msg {
                    PeerMsg::Ping { .. } | PeerMsg::Pong { .. } => trace_mask::Kind::ServerPing,
                    _ => trace_mask::Kind::ServerPacket,
                };
                if out.trace.tells(kind) {
                    trace!("sends {} on connection {conn}", msg.name());
                }
                if let Some(quorum) = &out.quorum {
                    quorum.send(conn, msg);
                }
            }
            Effect::ToLink { link, msg } => {
                let is_reply = matches!(msg, ToLink::Reply { .. });
                if !out.links.push(link, msg) && is_reply {
                    out.metrics.counters.stale_replies.fetch_add(1, Relaxed);
                }
            }
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
                let leads = serving.is_some_and(|s| s.role == ServerState::Leading);
                *out.metrics.leading.lock() = leads.then(Instant::now);
                match serving {
                    Some(_) if out.election.is_none() => info!("serves clients, alone"),
                    Some(s) if s.is_read_only() => info!("serves reads only: no leader is found"),
                    Some(s) => info!("serves clients: {}, epoch {}, leader {}", role(&s), s.epoch, s.leader),
                    None => {
                        info!("serves no clients");
                        out.links.close_all(&LinkClose::NotServing);
                    }
                }
            }
            Effect::Halt(reason) => return Some(reason),
            Effect::Note(note) => tell(&note, &out.trace),
        }
    }
    // The others' disks may begin before ours does.
    if let Some(quorum) = &out.quorum {
        quorum.flush();
    }
    if !records.is_empty() {
        out.storage.store(records);
    }
    None
}

/// What a server does, in Apache's word for it.
pub fn role(serving: &Serving) -> &'static str {
    match serving.role {
        ServerState::Looking => "read-only",
        ServerState::Following => "follower",
        ServerState::Leading => "leader",
        ServerState::Observing => "observer",
    }
}

/// Changes of role, epoch and quorum are for everybody; the way there is for those who look closer.
fn tell(note: &Note, mask: &TraceMask) {
    match note {
        Note::Committed { .. } | Note::Proposed { .. } | Note::Acked { .. } => {
            if mask.tells(trace_mask::Kind::ServerPacket) {
                trace!("{note}");
            }
        }
        Note::Doubts { .. } => warn!("{note}"),
        Note::Recovered { .. }
        | Note::Restored { .. }
        | Note::ElectionStarted { .. }
        | Note::Phase { .. }
        | Note::Elected { .. }
        | Note::JoinsLeader { .. }
        | Note::EpochAgreed { .. }
        | Note::SyncPlanned { .. }
        | Note::Syncing { .. }
        | Note::Truncated { .. }
        | Note::Established { .. }
        | Note::StoodDown { .. }
        | Note::MembersProposed { .. }
        | Note::MembersChanged { .. }
        | Note::HandsOver { .. }
        | Note::SessionExpired { .. } => info!("{note}"),
        Note::QuotaExceeded { .. } | Note::ForetoldWrongly { .. } | Note::MembersDoubted { .. } => warn!("{note}"),
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
