//! A hand-made view for the tests of the scene: five servers, epoch 2 led by server 3, two clients at server 4.

use zebu_core::config::MemberKind;
use zebu_core::id::{Epoch, ServerId, SessionId, Zxid};
use zebu_core::note::PhaseName;
use zebu_core::sim::command::ClientId;
use zebu_core::sim::view::*;
use zebu_core::time::Instant;
use zebu_core::wire::notification::Vote;

/// Zxid `epoch:counter`.
pub fn zxid(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

fn cell(z: Zxid, label: &str, acked: bool, committed: bool) -> LogCell {
    LogCell { zxid: z, label: label.into(), synced: true, acked, committed }
}

fn server(id: i64) -> ServerView {
    let leads = id == 3;
    let mut log = vec![cell(zxid(1, 1), "+session", true, true), cell(zxid(1, 2), "/x=0", true, true)];
    if id <= 3 {
        log.push(cell(zxid(2, 1), "/x=B", id != 2, false));
    }
    ServerView {
        id: ServerId(id),
        kind: MemberKind::Participant,
        shown: if leads { Shown::Leading } else { Shown::Following },
        paused: false,
        phase: Some(PhaseName::Broadcast),
        epoch: Epoch(2),
        accepted: Epoch(2),
        current: Epoch(2),
        leader: Some(ServerId(3)),
        serving: true,
        round: 2,
        vote: Some(Vote { epoch: Epoch(1), zxid: zxid(1, 2), leader: ServerId(3) }),
        ballots: Vec::new(),
        logged: log.last().map_or(Zxid::ZERO, |c| c.zxid),
        synced: zxid(1, 2),
        committed: zxid(1, 2),
        snapshot: Zxid::ZERO,
        log,
        outstanding: if leads { vec![(zxid(2, 1), vec![ServerId(1), ServerId(3)])] } else { Vec::new() },
        quorum: 3,
        tree_digest: 7,
        tree: vec![
            ZnodeView { path: "/".into(), data: String::new(), version: 0, owner: None, watches: 0, mzxid: Zxid::ZERO },
            ZnodeView { path: "/x".into(), data: "0".into(), version: 0, owner: None, watches: 1, mzxid: zxid(1, 2) },
        ],
        sessions: vec![SessionView { id: SessionId(0x10_0000), timeout_ms: 6000, expires: None }],
        deadline: None,
        inside: Inside::default(),
        model: None,
    }
}

/// The view.
pub fn five() -> WorldView {
    let client = |id, waiting: Option<&str>| ClientView {
        id: ClientId(id),
        server: Some(ServerId(4)),
        connected: true,
        session: Some(SessionId(0x10_0000)),
        ended: false,
        paused: false,
        cut: false,
        recipe: None,
        waiting: waiting.map(Into::into),
        talk: Vec::new(),
    };
    WorldView {
        at: Instant(8_400_000),
        events: 412,
        servers: (1..=5).map(server).collect(),
        links: vec![
            LinkView { from: ServerId(1), to: ServerId(5), cut: true, delay_ms: 0 },
            LinkView { from: ServerId(2), to: ServerId(5), cut: false, delay_ms: 40 },
        ],
        flights: Vec::new(),
        clients: vec![client(0, Some("set /x A")), client(1, None)],
        checks: Vec::new(),
        next: None,
    }
}
