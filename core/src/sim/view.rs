//! What can be seen of a world at one moment: plain data, made new on request, for the stage, its text twin and the
//! scenario's conditions. No part of the protocol reads it.

use crate::compare::note::{Fact, Role, Stage};
use crate::config::MemberKind;
use crate::id::{Epoch, ServerId, SessionId, Zxid};
use crate::note::PhaseName;
use crate::recipe::RecipeView;
use crate::sim::command::ClientId;
use crate::status::{Deadline, Timer};
use crate::time::Instant;
use crate::wire::notification::Vote;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The whole picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldView {
    /// Simulated time.
    pub at: Instant,
    /// Events executed since the start.
    pub events: u64,
    /// Servers in order of id.
    pub servers: Vec<ServerView>,
    /// Every directed pair that is cut or slowed (others are fine).
    pub links: Vec<LinkView>,
    /// Messages under way, in order of sending.
    pub flights: Vec<Flight>,
    /// Clients in order of id.
    pub clients: Vec<ClientView>,
    /// Rules checked after every event.
    pub checks: Vec<CheckView>,
    /// The next thing that will happen, in words, and when.
    pub next: Option<NextEvent>,
}

/// What a server is doing, as its text twin says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// In an election.
    Looking,
    /// Has a leader.
    Following,
    /// Leads (or tries to).
    Leading,
    /// Follows without a vote.
    Observing,
    /// Not running.
    Down,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// Its id.
    pub id: ServerId,
    /// Whether it votes.
    pub kind: MemberKind,
    /// Its state.
    pub shown: Shown,
    /// Frozen by command.
    pub paused: bool,
    /// Its phase, while it runs.
    pub phase: Option<PhaseName>,
    /// The epoch it is established in or works towards (its current epoch while looking).
    pub epoch: Epoch,
    /// The `acceptedEpoch` file.
    pub accepted: Epoch,
    /// The `currentEpoch` file.
    pub current: Epoch,
    /// Whom it follows.
    pub leader: Option<ServerId>,
    /// Whether it serves clients.
    pub serving: bool,
    /// Its election round.
    pub round: i64,
    /// Its own vote while looking, the settled one after.
    pub vote: Option<Vote>,
    /// The votes it has received in this round, by voter.
    pub ballots: Vec<(ServerId, Vote)>,
    /// The last transaction in its log.
    pub logged: Zxid,
    /// The last one known to be durable.
    pub synced: Zxid,
    /// The last one committed and applied.
    pub committed: Zxid,
    /// Where its snapshot ends.
    pub snapshot: Zxid,
    /// The log in memory, ascending.
    pub log: Vec<LogCell>,
    /// While leading: who has acknowledged which uncommitted proposal, and how many are needed.
    pub outstanding: Vec<(Zxid, Vec<ServerId>)>,
    /// Acknowledgements that commit.
    pub quorum: usize,
    /// The digest of its tree.
    pub tree_digest: i64,
    /// Its znodes in path order.
    pub tree: Vec<ZnodeView>,
    /// The sessions it knows.
    pub sessions: Vec<SessionView>,
    /// Its next deadline and what it is for.
    pub deadline: Option<(Instant, Deadline)>,
    /// What a compared protocol adds; `None` for ZooKeeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelView>,
    /// What only a look inside of it shows.
    pub inside: Inside,
}

/// What only a look inside of a server shows: its clocks, its disk, who learns from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// Its running clocks, in the world's time, the one that matters most first.
    pub timers: Vec<Timer>,
    /// While leading: learners that hold its history and get every proposal.
    pub learners: Vec<ServerId>,
    /// Its disk.
    pub disk: DiskView,
    /// Who is a member as far as it knows, in a world whose members change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersView>,
}

/// Who is a member, as one server knows it. As long as a change is proposed, quorums are those of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersView {
    /// In force.
    pub committed: ConfigView,
    /// Proposed, and not known here to be committed.
    pub proposed: Option<ConfigView>,
}

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigView {
    /// The zxid of the change that made it.
    pub version: Zxid,
    /// Who votes.
    pub voters: Vec<ServerId>,
    /// Who follows without a vote.
    pub observers: Vec<ServerId>,
    /// How many votes are a quorum.
    pub quorum: usize,
}

/// A disk: files, and what waits for a sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskView {
    /// Where each snapshot ends, oldest first; its file is named by that.
    pub snapshots: Vec<Zxid>,
    /// The log files, oldest first: the first zxid, by which a file is named, the last, and how many transactions.
    pub logs: Vec<(Zxid, Zxid, usize)>,
    /// Written, but not synced: a crash may take it. Each in a few characters.
    pub unsynced: Vec<String>,
    /// How many of these the running sync covers.
    pub syncing: usize,
    /// What the last start read.
    pub read: Option<ReadView>,
}

/// What a start read from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadView {
    /// The snapshot it began with.
    pub snapshot: Zxid,
    /// The end of the log that was replayed on it.
    pub last: Zxid,
    /// How many transactions were replayed.
    pub replayed: usize,
}

/// What a server of a compared protocol shows beyond the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelView {
    /// What it is.
    pub role: Role,
    /// How far it is.
    pub stage: Stage,
    /// What that speaks of: a transaction, a number, a value.
    pub about: String,
    /// What it works on. Without one a server is spoken of by epoch and zxids, like ZooKeeper's.
    pub badge: Option<(Fact, String)>,
    /// What is worth standing beside it.
    pub beside: Option<(Fact, String)>,
    /// It may claim to be the one who leads or coordinates.
    pub crown: bool,
    /// Facts, each a line.
    pub facts: Vec<(Fact, String)>,
    /// Entries of its log that will never count: aborted, superseded.
    pub void: Vec<Zxid>,
}

/// One transaction in a server's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCell {
    /// Its place.
    pub zxid: Zxid,
    /// A few characters for the ledger: `/x=A`, `+session`, `−/x`.
    pub label: String,
    /// Durable here.
    pub synced: bool,
    /// Acknowledged to the leader by this server.
    pub acked: bool,
    /// Committed as far as this server knows.
    pub committed: bool,
}

/// A directed link in an unusual state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// Sending side.
    pub from: ServerId,
    /// Receiving side.
    pub to: ServerId,
    /// Nothing gets through.
    pub cut: bool,
    /// Extra latency, milliseconds.
    pub delay_ms: u32,
}

/// Where a message starts or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A server.
    Server(ServerId),
    /// A client.
    Client(ClientId),
}

/// A message under way. Its position is a function of time alone: `(now - sent) / (due - sent)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// Never reused in a world.
    pub id: u64,
    /// From.
    pub from: Place,
    /// To.
    pub to: Place,
    /// Type: `VOTE`, `PROPOSAL`, `ACK`, `CONNECT`, `create` …
    pub kind: String,
    /// The key field for people: `1:5`, `3 (1:5)`, `/x=A`.
    pub label: String,
    /// The epoch it belongs to, for its colour.
    pub epoch: Option<Epoch>,
    /// Answers (ACK, reply, pong) are drawn hollow.
    pub reply: bool,
    /// Pings and pongs: dimmed.
    pub heartbeat: bool,
    /// When it left.
    pub sent: Instant,
    /// When it arrives (or would, on a cut link).
    pub due: Instant,
    /// It will never arrive.
    pub lost: bool,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientView {
    /// Its name.
    pub id: ClientId,
    /// The server it is connected to or tries to reach.
    pub server: Option<ServerId>,
    /// Connected, with a session.
    pub connected: bool,
    /// Its session, once it had one.
    pub session: Option<SessionId>,
    /// The session is over: expired or closed.
    pub ended: bool,
    /// Frozen by command.
    pub paused: bool,
    /// Cut off from all servers by command.
    pub cut: bool,
    /// The recipe it runs, or has run last.
    pub recipe: Option<RecipeView>,
    /// What it waits for, as typed.
    pub waiting: Option<String>,
    /// Its last few lines: asked and answered, newest last.
    pub talk: Vec<Talk>,
}

/// One exchange of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// What it asked, or the event it was told.
    pub line: String,
    /// The answer in words; `None` while it waits.
    pub answer: Option<String>,
    /// The answer is an error.
    pub failed: bool,
    /// It is a watch event.
    pub event: bool,
}

/// One znode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZnodeView {
    /// Its path.
    pub path: String,
    /// Its data as text (lossy, cut at 40 characters).
    pub data: String,
    /// Changes of data.
    pub version: i32,
    /// The owning session of an ephemeral.
    pub owner: Option<SessionId>,
    /// Links of this server that watch it (data or children).
    pub watches: usize,
    /// The last change's zxid.
    pub mzxid: Zxid,
}

/// One session as a server knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Its timeout, milliseconds.
    pub timeout_ms: i32,
    /// On the leader: when it expires if nothing is heard.
    pub expires: Option<Instant>,
}

/// One checked rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Stable name: `one-leader-per-epoch` …
    pub name: String,
    /// Why it is broken; `None` while it holds.
    pub broken: Option<String>,
}

/// The next thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextEvent {
    /// When.
    pub at: Instant,
    /// Where.
    pub place: Place,
    /// What, in English words.
    pub what: String,
    /// Only a heartbeat (or a timer nobody needs to see).
    pub quiet: bool,
}
