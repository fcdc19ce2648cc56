//! Every phase × every event: what a server does and where it is then, as a golden table. `UPDATE_GOLDEN=1` writes
//! it anew; a change of one line of it is a change of the protocol.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use zebu_core::config::{Config, Ensemble, Member, MemberKind};
use zebu_core::effect::{DropReason, Effect, Effects, Record, ToLink};
use zebu_core::id::{ConnId, Epoch, LinkId, Lsn, ServerId, SessionId, Zxid};
use zebu_core::input::{Input, Submission};
use zebu_core::server::{Plain, Recovered, Server};
use zebu_core::time::{Instant, Now};
use zebu_core::wire::client::{ConnectRequest, Request};
use zebu_core::wire::notification::{Notification, ServerState, Vote};
use zebu_core::wire::op::OpCode;
use zebu_core::wire::peer::{Forwarded, LearnerInfo, PROTOCOL_VERSION, PeerMsg};
use zebu_core::wire::txn::{Txn, TxnBody, TxnHeader};
use zebu_core::zab::memory::Memory;

/// The connection that matters in a phase.
const CONN: ConnId = ConnId(10);
/// Another one.
const OTHER: ConnId = ConnId(11);

/// A server with what a driver would know of it.
#[derive(Clone)]
struct Rig {
    server: Server<Plain>,
    at: Instant,
    last_lsn: Lsn,
}

impl Rig {
    fn start(id: i64) -> Rig {
        let members = (1..=4).map(|i| {
            let kind = if i < 4 { MemberKind::Participant } else { MemberKind::Observer };
            (ServerId(i), Member::new(kind, format!("10.0.0.{i}:2888:3888")))
        });
        let config = Config::new(ServerId(id), Ensemble::new(members.collect::<BTreeMap<_, _>>()));
        let at = Instant(1_000_000);
        let mut fx = Effects::quiet();
        // An empty disk, meant to be empty.
        let disk = Recovered { memory: Memory::Whole, ..Recovered::empty() };
        let server = Server::start(config, 1, disk, Plain::default(), now(at), &mut fx);
        Rig { server, at, last_lsn: Lsn(0) }
    }

    /// Feeds an input; what was asked for.
    fn feed(&mut self, input: Input) -> Vec<Effect> {
        let mut fx = Effects::quiet();
        self.server.step(now(self.at), input, &mut fx);
        let effects: Vec<Effect> = fx.drain().collect();
        for effect in &effects {
            if let Effect::Store { lsn, .. } = effect {
                self.last_lsn = *lsn;
            }
        }
        effects
    }

    /// Feeds an input, and says that everything stored is durable until nothing more is stored.
    fn settle(mut self, input: Input) -> Rig {
        let mut effects = self.feed(input);
        while effects.iter().any(|e| matches!(e, Effect::Store { .. })) {
            effects = self.feed(Input::Synced { upto: self.last_lsn });
        }
        self
    }

    fn packet(self, msg: PeerMsg) -> Rig {
        self.settle(Input::Packet { conn: CONN, msg })
    }

    /// Waits for the next deadline.
    fn tick(mut self) -> Rig {
        self.at = self.server.next_deadline().expect("a deadline").0;
        self.settle(Input::Tick)
    }
}

fn now(at: Instant) -> Now {
    Now { mono: at, wall_ms: 1_700_000_000_000 + at.millis() as i64 }
}

fn note(state: ServerState, leader: i64, zxid: Zxid, epoch: i64, round: i64) -> Notification {
    let vote = Vote { epoch: Epoch(epoch), zxid, leader: ServerId(leader) };
    Notification { state, vote, round, version: 2, config: String::new() }
}

fn vote(from: i64, state: ServerState, leader: i64, round: i64) -> Input {
    Input::Notification { from: ServerId(from), note: note(state, leader, Zxid::ZERO, 0, round) }
}

fn txn(zxid: Zxid) -> Bytes {
    let header = TxnHeader { session: SessionId(7), cxid: 0, zxid, time_ms: 1 };
    Txn { header, body: TxnBody::CreateSession { timeout_ms: 10_000 }, digest: None }.encode()
}

/// A server in each phase, with the name of the phase.
fn phases() -> Vec<(&'static str, Rig)> {
    use ServerState::{Leading, Looking};
    let mut phases = Vec::new();
    let looking = Rig::start(1);
    let decided = looking.clone().settle(vote(2, Looking, 3, 1)).settle(vote(3, Looking, 3, 1));
    let dialling = decided.clone().tick();
    let greeted = dialling.clone().settle(Input::Connected { to: ServerId(3), conn: CONN });
    let promised = greeted.clone().packet(PeerMsg::LeaderInfo { epoch: Epoch(1), protocol: PROTOCOL_VERSION });
    let syncing = promised.clone().packet(PeerMsg::Diff { target: Zxid::ZERO });
    let acknowledged = syncing.clone().packet(PeerMsg::NewLeader { epoch: Epoch(1), config: String::new() });
    let following = acknowledged.clone().packet(PeerMsg::UpToDate);
    let first = Zxid::new(Epoch(1), 1);
    let proposed = following.clone().packet(PeerMsg::Proposal { zxid: first, txn: txn(first) });
    let dialled = Input::Accepted { conn: CONN };
    phases.push(("looking", looking.settle(dialled.clone())));
    phases.push(("looking, a quorum of votes for 3", decided.settle(dialled)));
    phases.push(("following 3, dialling", dialling));
    phases.push(("following 3, FOLLOWERINFO sent", greeted));
    phases.push(("following 3, epoch promised", promised));
    phases.push(("following 3, in a DIFF", syncing));
    phases.push(("following 3, NEWLEADER acknowledged", acknowledged));
    phases.push(("following 3, in broadcast", following));
    phases.push(("following 3, a proposal logged", proposed));

    let decided = Rig::start(3).settle(vote(1, Looking, 3, 1)).settle(vote(2, Looking, 3, 1));
    let leading = decided.tick().settle(Input::Accepted { conn: CONN });
    let info = LearnerInfo { server: ServerId(1), protocol: PROTOCOL_VERSION, config_version: 0 };
    let proposing = leading.clone().packet(PeerMsg::FollowerInfo { accepted: Epoch(0), info });
    let synchronising = proposing.clone().packet(PeerMsg::AckEpoch { last: Zxid::ZERO, current: Some(Epoch(0)) });
    let established = synchronising.clone().packet(PeerMsg::Ack { zxid: Epoch(1).start() });
    let mut outstanding = established.clone();
    outstanding = outstanding.settle(Input::Submit { link: LinkId(1), request: Submission::Connect(hello()) });
    phases.push(("leading, waits for epochs", leading));
    phases.push(("leading, epoch proposed", proposing));
    phases.push(("leading, synchronises", synchronising));
    phases.push(("leading, established", established));
    phases.push(("leading, a proposal outstanding", outstanding));

    let observer = Rig::start(4).settle(vote(1, Leading, 3, 1)).settle(vote(3, Leading, 3, 1));
    let observer = observer.settle(vote(2, Leading, 3, 1));
    phases.push(("observer, has heard of a leader", observer.clone()));
    let observing = observer
        .settle(Input::Connected { to: ServerId(3), conn: CONN })
        .packet(PeerMsg::LeaderInfo { epoch: Epoch(1), protocol: PROTOCOL_VERSION })
        .packet(PeerMsg::Diff { target: Zxid::ZERO })
        .packet(PeerMsg::NewLeader { epoch: Epoch(1), config: String::new() })
        .packet(PeerMsg::UpToDate);
    phases.push(("observing 3, in broadcast", observing));
    let halted = Rig::start(1).settle(Input::StorageFailed { what: "no space".into() });
    phases.push(("halted", halted));
    phases
}

fn hello() -> ConnectRequest {
    ConnectRequest {
        protocol: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 10_000,
        session: SessionId(0),
        passwd: Bytes::from_static(&[0; 16]),
        read_only: Some(false),
    }
}

fn events() -> Vec<(String, Input)> {
    use ServerState::{Following, Leading, Looking};
    let z = |counter| Zxid::new(Epoch(1), counter);
    let info = |server| LearnerInfo { server: ServerId(server), protocol: PROTOCOL_VERSION, config_version: 0 };
    let mut body = bytes::BytesMut::new();
    Request::Delete { path: "/a".into(), version: -1 }.encode(&mut body);
    let body = body.freeze();
    let forwarded =
        Forwarded { session: SessionId(7), cxid: 1, op: OpCode::Delete.code(), body: body.clone(), auth: Vec::new() };
    let better = |round| Input::Notification { from: ServerId(2), note: note(Looking, 2, z(9), 1, round) };
    let mut events: Vec<(String, Input)> = vec![
        ("deadline".into(), Input::Tick),
        ("vote of 2 for itself, this round".into(), vote(2, Looking, 2, 1)),
        ("better vote of 2, this round".into(), better(1)),
        ("better vote of 2, next round".into(), better(2)),
        ("worse vote of 2, round before".into(), vote(2, Looking, 1, 0)),
        ("2 says it follows 3".into(), vote(2, Following, 3, 1)),
        ("3 says it leads".into(), vote(3, Leading, 3, 1)),
        ("somebody dials".into(), Input::Accepted { conn: OTHER }),
        ("dial of 3 succeeds".into(), Input::Connected { to: ServerId(3), conn: OTHER }),
        ("dial of 3 fails".into(), Input::DialFailed { to: ServerId(3) }),
        ("connection ends".into(), Input::Closed { conn: CONN }),
        ("unknown connection ends".into(), Input::Closed { conn: ConnId(99) }),
        ("storage fails".into(), Input::StorageFailed { what: "no space".into() }),
        ("all stored is durable".into(), Input::Synced { upto: Lsn(u64::MAX) }),
        ("snapshot done".into(), Input::Compacted { upto: Zxid::ZERO }),
        ("client connects".into(), Input::Submit { link: LinkId(5), request: Submission::Connect(hello()) }),
        (
            "client writes".into(),
            Input::Submit {
                link: LinkId(5),
                request: Submission::Write {
                    session: SessionId(7),
                    xid: 1,
                    op: OpCode::Delete,
                    body: body.clone(),
                    auth: Vec::new(),
                },
            },
        ),
        (
            "client syncs".into(),
            Input::Submit {
                link: LinkId(5),
                request: Submission::Sync { session: SessionId(7), xid: 1, path: "/".into() },
            },
        ),
        ("client gone".into(), Input::Submit { link: LinkId(5), request: Submission::Gone }),
        ("session heard".into(), Input::Touched { sessions: vec![SessionId(7)] }),
    ];
    let empty = Recovered::empty().tree.write_body();
    let packets = [
        PeerMsg::FollowerInfo { accepted: Epoch(0), info: info(2) },
        PeerMsg::FollowerInfo { accepted: Epoch(0), info: info(9) },
        PeerMsg::ObserverInfo { accepted: Epoch(0), info: info(4) },
        PeerMsg::LeaderInfo { epoch: Epoch(1), protocol: PROTOCOL_VERSION },
        PeerMsg::LeaderInfo { epoch: Epoch(0), protocol: PROTOCOL_VERSION },
        PeerMsg::AckEpoch { last: Zxid::ZERO, current: Some(Epoch(0)) },
        PeerMsg::AckEpoch { last: z(9), current: Some(Epoch(1)) },
        PeerMsg::Diff { target: Zxid::ZERO },
        PeerMsg::Trunc { to: Zxid::ZERO },
        PeerMsg::Snap { zxid: Zxid::ZERO, body: empty },
        PeerMsg::Snap { zxid: z(4), body: Bytes::from_static(b"no snapshot") },
        PeerMsg::NewLeader { epoch: Epoch(1), config: String::new() },
        PeerMsg::NewLeader { epoch: Epoch(2), config: String::new() },
        PeerMsg::UpToDate,
        PeerMsg::Proposal { zxid: z(1), txn: txn(z(1)) },
        PeerMsg::Proposal { zxid: z(3), txn: txn(z(3)) },
        PeerMsg::Ack { zxid: Epoch(1).start() },
        PeerMsg::Ack { zxid: z(1) },
        PeerMsg::Ack { zxid: z(7) },
        PeerMsg::Commit { zxid: z(1) },
        PeerMsg::Commit { zxid: z(7) },
        PeerMsg::Inform { zxid: z(1), txn: txn(z(1)) },
        PeerMsg::Ping { zxid: Zxid::ZERO },
        PeerMsg::Pong { zxid: Zxid::ZERO, touched: vec![(SessionId(7), 10_000)] },
        PeerMsg::Request(forwarded),
        PeerMsg::Revalidate { session: SessionId(7), timeout_ms: 10_000 },
        PeerMsg::Revalidated { session: SessionId(7), valid: true },
        PeerMsg::Sync,
        PeerMsg::Unknown { kind: 99, zxid: Zxid::ZERO },
    ];
    for msg in packets {
        let zxid = msg.zxid().map(|z| format!(" {z}")).unwrap_or_default();
        let who = match &msg {
            PeerMsg::FollowerInfo { info, .. } | PeerMsg::ObserverInfo { info, .. } => format!(" of {}", info.server),
            _ => String::new(),
        };
        let name = match &msg {
            PeerMsg::Pong { .. } => "PONG",
            PeerMsg::Revalidated { .. } => "REVALIDATE answer",
            msg => msg.name(),
        };
        events.push((format!("{name}{who}{zxid}"), Input::Packet { conn: CONN, msg }));
    }
    events
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Notify { to, note } => format!("vote {} to {to}", note.vote.leader.0.max(-1)),
        Effect::Dial { to } => format!("dial {to}"),
        Effect::Send { msg, .. } => {
            format!("send {}{}", msg.name(), msg.zxid().map(|z| format!(" {z}")).unwrap_or_default())
        }
        Effect::Drop { why, .. } => match why {
            DropReason::Violation(violation) => format!("drop: {violation}"),
            why => format!("drop: {why:?}"),
        },
        Effect::Store { record, .. } => match record {
            Record::Txn { zxid, .. } => format!("log {zxid}"),
            Record::Truncate { to } => format!("cut log at {to}"),
            Record::AcceptedEpoch(epoch) => format!("write accepted epoch {epoch}"),
            Record::CurrentEpoch(epoch) => format!("write current epoch {epoch}"),
            Record::Install { zxid, .. } => format!("install {zxid}"),
            Record::Trusted => "trust the disk".into(),
            Record::Membership(members) => format!("members {}", members.last_seen().version()),
        },
        Effect::Compact { upto } => format!("compact {upto}"),
        Effect::ToLink { msg, .. } => match msg {
            ToLink::Connected(response) if response.timeout_ms == 0 => "tell client: expired".into(),
            ToLink::Connected(_) => "tell client: connected".into(),
            ToLink::NoSession(_) => "tell client: no session".into(),
            ToLink::Reply { outcome, .. } => format!("tell client: {}", if outcome.is_ok() { "done" } else { "error" }),
            ToLink::Event(_) => "tell client: event".into(),
            ToLink::Close(why) => format!("close client: {why:?}"),
        },
        Effect::Serving(Some(_)) => "serve".into(),
        Effect::Serving(None) => "serve no more".into(),
        Effect::Halt(why) => format!("halt: {why}"),
        Effect::Note(_) => "note".into(),
    }
}

fn table() -> String {
    let mut text = String::new();
    for (name, rig) in phases() {
        writeln!(text, "== {name}").unwrap();
        for (event, input) in events() {
            let mut rig = rig.clone();
            let input = match input {
                Input::Tick => {
                    rig.at = rig.server.next_deadline().map_or(rig.at, |(at, _)| at);
                    Input::Tick
                }
                Input::Synced { .. } => Input::Synced { upto: rig.last_lsn },
                input => input,
            };
            // Far from any deadline that the event itself does not speak of.
            let effects = rig.feed(input);
            let status = rig.server.status();
            let (state, phase) = (format!("{:?}", status.state), format!("{:?}", status.phase));
            let shown: Vec<String> = effects.iter().map(show).collect();
            writeln!(text, "{event:36} | {state:9} {phase:15} {} | {}", status.epoch, shown.join("; ")).unwrap();
        }
    }
    text
}

#[test]
fn every_phase_and_every_event() {
    let table = table();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/transitions.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    let mut phase = "";
    for (is, was) in table.lines().zip(wanted.lines()) {
        phase = if is.starts_with("==") { is } else { phase };
        assert_eq!(is, was, "in phase {phase}; UPDATE_GOLDEN=1 writes the golden file anew");
    }
    assert_eq!(table.lines().count(), wanted.lines().count(), "UPDATE_GOLDEN=1 writes the golden file anew");
}

/// What holds of every line of the table, whatever the golden file says.
#[test]
fn no_event_in_any_phase_breaks_a_promise() {
    for (name, rig) in phases() {
        for (event, input) in events() {
            let mut rig = rig.clone();
            let before = rig.server.status();
            let effects = rig.feed(match input {
                Input::Synced { .. } => Input::Synced { upto: rig.last_lsn },
                input => input,
            });
            let after = rig.server.status();
            let place = format!("{name}: {event}");
            assert!(
                after.accepted >= before.accepted && after.current >= before.current,
                "{place}: an epoch goes back"
            );
            assert!(after.committed >= before.committed, "{place}: something committed is taken back");
            let stores = effects.iter().any(|e| matches!(e, Effect::Store { .. }));
            let acks = effects
                .iter()
                .any(|e| matches!(e, Effect::Send { msg: PeerMsg::Ack { .. } | PeerMsg::AckEpoch { .. }, .. }));
            assert!(!(stores && acks), "{place}: acknowledges in the step that stores");
            if name == "halted" {
                let only_refuses = effects.iter().all(|e| matches!(e, Effect::ToLink { msg: ToLink::Close(_), .. }));
                assert!(only_refuses, "{place}: a halted server does something");
            }
        }
        // A server that waits for nothing would wait for ever.
        assert!(name == "halted" || rig.server.next_deadline().is_some(), "{name} has no deadline");
        let late = rig.at + Duration::from_secs(3600);
        let mut rig = rig;
        rig.at = late;
        rig.feed(Input::Tick);
        assert!(
            rig.server.next_deadline().is_none_or(|(at, _)| at > late),
            "{name}: a tick does not move the deadline"
        );
    }
}
