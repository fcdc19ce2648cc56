//! What happened and why, in words of the reader's language, from the records of a run.

use crate::compare_words;
use crate::i18n::{Texts, capital};
use crate::next::place;
use crate::trouble_words;
use crate::{member_words, recipe_words};
use zebu_core::error::ZkError;
use zebu_core::id::ServerId;
use zebu_core::note::{Decider, Note, PhaseName, StandDown, SyncKind};
use zebu_core::recipe::Event;
use zebu_core::sim::command::{Command, DiskDamage};
use zebu_core::sim::trouble::Trouble;
use zebu_core::trace::{SessionTurn, TraceEvent};
use zebu_core::wire::client::EventKind;
use zebu_core::wire::notification::{ServerState, Vote};
use zebu_core::zab::memory::Memory;

/// How much a record matters to somebody who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Not told.
    Quiet,
    /// Listed, but the show does not wait for it.
    Small,
    /// A step on the way: a moment.
    Step,
    /// A turn of the protocol: at least 0.6 s on the screen.
    Turn,
    /// A landmark: marked on the timeline.
    Landmark,
}

impl Weight {
    /// The least show time, in seconds at speed 1.
    pub fn seconds(self) -> f64 {
        match self {
            Weight::Quiet | Weight::Small => 0.0,
            Weight::Step => 0.2,
            Weight::Turn => 0.65,
            Weight::Landmark => 1.2,
        }
    }
}

/// One sentence and one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// What happened.
    pub text: String,
    /// Why, or what it means; may be empty.
    pub why: String,
}

/// How much `event` matters.
pub fn weight(event: &TraceEvent) -> Weight {
    match event {
        TraceEvent::Sent { .. } | TraceEvent::Delivered { .. } | TraceEvent::Lost { .. } => Weight::Quiet,
        TraceEvent::Synced { .. } | TraceEvent::Compacted { .. } => Weight::Small,
        TraceEvent::Note { what, server } => note_weight(what, *server),
        TraceEvent::Command { command } => match command {
            // The world answers these with a record of its own.
            Command::Kill { .. }
            | Command::Restart { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Ask { .. }
            | Command::CloseSession { .. } => Weight::Quiet,
            Command::Partition { .. } | Command::HealAll | Command::Break { .. } => Weight::Landmark,
            Command::PauseClient { .. } | Command::CutClient { .. } => Weight::Landmark,
            Command::Trouble(Trouble::Chaos { .. } | Trouble::Calm) => Weight::Landmark,
            Command::Connect { .. } => Weight::Small,
            _ => Weight::Turn,
        },
        TraceEvent::Recipe { what, .. } => match what {
            Event::Acquired { .. } | Event::Lost(_) | Event::Entered => Weight::Landmark,
            Event::Suspended | Event::Resumed => Weight::Step,
            _ => Weight::Turn,
        },
        TraceEvent::Stopped { .. } | TraceEvent::Halted { .. } | TraceEvent::Violation { .. } => Weight::Landmark,
        TraceEvent::Model { what, .. } => compare_words::weight(what.turn),
        TraceEvent::ModelViolation { .. } => Weight::Landmark,
        TraceEvent::SnapshotRefused { .. } => Weight::Landmark,
        TraceEvent::Started { .. } => Weight::Step,
        TraceEvent::Paused { .. } | TraceEvent::Resumed { .. } => Weight::Landmark,
        TraceEvent::Asked { .. } | TraceEvent::WatchFired { .. } | TraceEvent::Caught { .. } => Weight::Turn,
        TraceEvent::Answered { .. } => Weight::Turn,
        TraceEvent::Session { what, .. } => match what {
            SessionTurn::Expired => Weight::Landmark,
            SessionTurn::Disconnected => Weight::Step,
            _ => Weight::Turn,
        },
        TraceEvent::Serving { epoch, .. } => {
            if epoch.is_some() {
                Weight::Small
            } else {
                Weight::Step
            }
        }
        TraceEvent::Expected { met, .. } => {
            if *met {
                Weight::Small
            } else {
                Weight::Landmark
            }
        }
    }
}

fn note_weight(note: &Note, at: ServerId) -> Weight {
    match note {
        Note::Recovered { .. } | Note::Phase { .. } | Note::RoundJoined { .. } => Weight::Small,
        Note::Doubts { .. } | Note::Restored { .. } => Weight::Landmark,
        Note::ElectionStarted { .. } | Note::VoteAdopted { .. } | Note::QuorumOfVotes { .. } => Weight::Step,
        Note::Elected { leader, .. } if *leader == at => Weight::Landmark,
        Note::Elected { .. } | Note::JoinsLeader { .. } => Weight::Step,
        Note::EpochProposed { .. } | Note::EpochAgreed { .. } => Weight::Turn,
        Note::EpochAccepted { .. } | Note::Syncing { .. } => Weight::Step,
        Note::SyncPlanned { kind: SyncKind::Diff, .. } => Weight::Step,
        Note::SyncPlanned { .. } | Note::Truncated { .. } => Weight::Turn,
        Note::Established { .. } => Weight::Landmark,
        Note::Proposed { .. } => Weight::Turn,
        Note::Acked { .. } => Weight::Step,
        Note::Committed { .. } => Weight::Step,
        Note::StoodDown { .. } => Weight::Landmark,
        Note::SessionExpired { .. } => Weight::Landmark,
        Note::ContainerRemoved { .. } | Note::QuotaExceeded { .. } | Note::ForetoldWrongly { .. } => Weight::Step,
        Note::MembersProposed { .. } | Note::MembersChanged { .. } => Weight::Turn,
        Note::MembersDoubted { .. } => Weight::Step,
        Note::HandsOver { .. } => Weight::Landmark,
        Note::SessionOpened { .. } | Note::SessionClosed { .. } => Weight::Small,
    }
}

/// The server of which the caption of `event` speaks, if it is one.
pub fn subject(event: &TraceEvent) -> Option<ServerId> {
    match event {
        TraceEvent::Note { server, .. }
        | TraceEvent::Started { server }
        | TraceEvent::Stopped { server, .. }
        | TraceEvent::Halted { server, .. }
        | TraceEvent::Paused { server }
        | TraceEvent::Resumed { server }
        | TraceEvent::Synced { server, .. }
        | TraceEvent::Serving { server, .. }
        | TraceEvent::Model { server, .. } => Some(*server),
        _ => None,
    }
}

/// The caption of `event`; `None` for what is never told.
pub fn caption(t: &Texts, event: &TraceEvent, need: usize) -> Option<Caption> {
    let brief = |text: &String| member_words::brief(t, text).unwrap_or_else(|| text.clone());
    let (text, why) = match event {
        TraceEvent::Sent { .. } | TraceEvent::Delivered { .. } | TraceEvent::Lost { .. } => return None,
        TraceEvent::Command { command } => return command_caption(t, command, need),
        TraceEvent::Note { server, what } => return Some(note_caption(t, *server, what)),
        TraceEvent::Started { server: s } => (t.fill("ev.started", &[("s", s)]), String::new()),
        TraceEvent::Stopped { server: s, unsynced: 0, .. } => {
            (t.fill("ev.stopped", &[("s", s)]), t.t("ev.stopped.all"))
        }
        TraceEvent::Stopped { server: s, unsynced, kept } => {
            (t.fill("ev.stopped", &[("s", s)]), t.fill("ev.stopped.lost", &[("unsynced", unsynced), ("kept", kept)]))
        }
        TraceEvent::SnapshotRefused { server: s, refused, why, used } => {
            (t.fill("ev.snapshot-refused", &[("s", s), ("refused", refused), ("used", used)]), why.clone())
        }
        TraceEvent::Halted { server: s, why } => (t.fill("ev.halted", &[("s", s)]), why.clone()),
        TraceEvent::Paused { server: s } => (t.fill("ev.paused", &[("s", s)]), t.t("ev.paused.why")),
        TraceEvent::Resumed { server: s } => (t.fill("ev.resumed", &[("s", s)]), t.t("ev.resumed.why")),
        TraceEvent::Synced { server: s, upto, .. } => {
            (t.fill("ev.synced", &[("s", s), ("zxid", upto)]), t.t("ev.synced.why"))
        }
        TraceEvent::Compacted { server: s, upto } => {
            (t.fill("ev.compacted", &[("s", s), ("zxid", upto)]), String::new())
        }
        TraceEvent::Asked { client: c, server: Some(s), line } => {
            (t.fill("ev.asked", &[("c", c), ("s", s), ("line", &brief(line))]), String::new())
        }
        TraceEvent::Asked { client: c, server: None, line } => {
            (t.fill("ev.asked.nowhere", &[("c", c), ("line", &brief(line))]), String::new())
        }
        TraceEvent::Answered { client: c, line, error: Some(e), .. } => (
            t.fill("ev.refused", &[("c", c), ("answer", &zk_error(t, *e))]),
            t.fill("ev.refused.why", &[("line", &brief(line))]),
        ),
        TraceEvent::Answered { client: c, line, answer, zxid, .. } => (
            t.fill("ev.answered", &[("c", c), ("answer", &brief(answer))]),
            match zxid {
                Some(z) => t.fill("ev.answered.why", &[("line", &brief(line)), ("zxid", z)]),
                None => brief(line),
            },
        ),
        TraceEvent::WatchFired { client: c, kind, path } => {
            let what = t.t(match kind {
                EventKind::Created => "ev.watch.Created",
                EventKind::Deleted => "ev.watch.Deleted",
                EventKind::DataChanged => "ev.watch.DataChanged",
                EventKind::ChildrenChanged => "ev.watch.ChildrenChanged",
            });
            (t.fill("ev.watch", &[("c", c), ("path", path), ("what", &what)]), t.t("ev.watch.why"))
        }
        TraceEvent::Session { client: c, session, what } => match what {
            SessionTurn::Opened => {
                (t.fill("ev.client.opened", &[("c", c)]), t.fill("client.session", &[("id", session)]))
            }
            SessionTurn::Resumed { server } => {
                (t.fill("ev.client.resumed", &[("c", c), ("s", server)]), t.t("ev.client.resumed.why"))
            }
            SessionTurn::Disconnected => {
                (t.fill("ev.client.disconnected", &[("c", c)]), t.t("ev.client.disconnected.why"))
            }
            SessionTurn::Expired => (t.fill("ev.client.expired", &[("c", c)]), t.t("ev.session.expired.why")),
            SessionTurn::Closed => (t.fill("ev.client.closed", &[("c", c)]), t.t("ev.session.closed.why")),
        },
        TraceEvent::Serving { server: s, epoch: Some(epoch) } => {
            (t.fill("ev.serving", &[("s", s), ("epoch", epoch)]), String::new())
        }
        TraceEvent::Serving { server: s, epoch: None } => {
            (t.fill("ev.serving.no", &[("s", s)]), t.t("ev.serving.no.why"))
        }
        TraceEvent::Recipe { client, recipe, what, .. } => recipe_words::told(t, *client, *recipe, what),
        TraceEvent::Expected { what, met } => {
            let text = if *met {
                t.fill("ev.expected", &[("what", what)])
            } else {
                t.fill("ev.unexpected", &[("what", what)])
            };
            (text, String::new())
        }
        TraceEvent::Caught { from, to, kind, act, .. } => (
            t.fill("tr.caught", &[("kind", kind), ("from", &place(t, *from)), ("to", &place(t, *to))]),
            trouble_words::act_why(t, *act),
        ),
        TraceEvent::Model { server, what } => return Some(compare_words::caption(t, *server, what)),
        TraceEvent::ModelViolation { rule, detail } => {
            (t.fill("ev.violation", &[("rule", &t.t(&format!("check.{rule}")))]), detail.clone())
        }
        TraceEvent::Violation { rule, detail } => {
            (t.fill("ev.violation", &[("rule", &t.t(&format!("check.{}", rule.name())))]), detail.clone())
        }
    };
    Some(Caption { text, why })
}

fn command_caption(t: &Texts, command: &Command, need: usize) -> Option<Caption> {
    let (text, why) = match command {
        Command::Kill { .. }
        | Command::Restart { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Ask { .. }
        | Command::CloseSession { .. } => return None,
        Command::Cut { from: a, to: b, both: true } => (t.fill("ev.cut", &[("a", a), ("b", b)]), String::new()),
        Command::Cut { from: a, to: b, both: false } => (t.fill("ev.cut.one", &[("a", a), ("b", b)]), String::new()),
        Command::Heal { from: a, to: b, both: true } => (t.fill("ev.heal", &[("a", a), ("b", b)]), String::new()),
        Command::Heal { from: a, to: b, both: false } => (t.fill("ev.heal.one", &[("a", a), ("b", b)]), String::new()),
        Command::Partition { groups } => {
            let groups: Vec<String> =
                groups.iter().map(|g| g.iter().map(ServerId::to_string).collect::<Vec<_>>().join(", ")).collect();
            (t.fill("ev.partition", &[("groups", &groups.join(" | "))]), t.fill("ev.partition.why", &[("need", &need)]))
        }
        Command::HealAll => (t.t("ev.healall"), String::new()),
        Command::Delay { from: a, to: b, millis } => {
            (t.fill("ev.delay", &[("a", a), ("b", b), ("ms", millis)]), String::new())
        }
        Command::Reset { a, b } => (t.fill("ev.reset", &[("a", a), ("b", b)]), String::new()),
        Command::DiskDelay { server, millis } => {
            (t.fill("ev.diskdelay", &[("s", server), ("ms", millis)]), String::new())
        }
        Command::DiskFail { server } => (t.fill("ev.diskfail", &[("s", server)]), String::new()),
        Command::Damage { server, what: DiskDamage::NewestSnapshot } => {
            (t.fill("ev.damage.snapshot", &[("s", server)]), String::new())
        }
        Command::Damage { server, what: DiskDamage::MiddleOfLog } => {
            (t.fill("ev.damage.log", &[("s", server)]), String::new())
        }
        Command::Damage { server, what: DiskDamage::Everything } => {
            (t.fill("ev.damage.all", &[("s", server)]), String::new())
        }
        Command::Connect { client, server } => (t.fill("ev.connect", &[("c", client), ("s", server)]), String::new()),
        Command::KillClient { client } => (t.fill("ev.killclient", &[("c", client)]), t.t("ev.killclient.why")),
        Command::Break { rule: Some(rule) } => (t.fill("ev.break", &[("rule", &t.t(rule_key(*rule)))]), String::new()),
        Command::Break { rule: None } => (t.t("ev.mend"), String::new()),
        Command::RunRecipe { .. }
        | Command::TellRecipe { .. }
        | Command::CutClient { .. }
        | Command::HealClient { .. }
        | Command::PauseClient { .. }
        | Command::ResumeClient { .. } => recipe_words::command(t, command)?,
        Command::NewServer | Command::Reconfig { .. } | Command::ReplaceMembers { .. } => {
            member_words::command(t, command)?
        }
        Command::Trouble(trouble) => trouble_words::words(t, trouble),
    };
    Some(Caption { text, why })
}

/// The key of a broken rule's name.
pub fn rule_key(rule: zebu_core::config::BrokenRule) -> &'static str {
    use zebu_core::config::BrokenRule;
    match rule {
        BrokenRule::CommitWithoutQuorum => "setup.rule.commit-without-quorum",
        BrokenRule::AckBeforeSync => "setup.rule.ack-before-sync",
        BrokenRule::IgnoreEpoch => "setup.rule.ignore-epoch",
        BrokenRule::OldQuorumOnly => "setup.rule.old-quorum-only",
    }
}

fn note_caption(t: &Texts, s: ServerId, note: &Note) -> Caption {
    let (text, why) = match note {
        Note::Recovered { last, snapshot, current, accepted } => (
            t.fill("ev.recovered", &[("s", &s), ("last", last), ("current", current)]),
            t.fill("ev.recovered.why", &[("accepted", accepted), ("snapshot", snapshot)]),
        ),
        Note::Doubts { memory: Memory::Damaged { last } } => {
            (t.fill("ev.mem.damaged", &[("s", &s), ("last", last)]), t.t("ev.mem.damaged.why"))
        }
        Note::Doubts { .. } => (t.fill("ev.mem.lost", &[("s", &s)]), t.t("ev.mem.lost.why")),
        Note::Restored { .. } => (t.fill("ev.mem.restored", &[("s", &s)]), t.t("ev.mem.restored.why")),
        Note::Phase { state, phase, epoch } => {
            let phase = t.t(phase_key(*phase));
            let key = match state {
                ServerState::Leading => "ev.phase.leading",
                ServerState::Following => "ev.phase.following",
                ServerState::Observing => "ev.phase.observing",
                ServerState::Looking => "ev.phase.looking",
            };
            (t.fill(key, &[("s", &s), ("phase", &phase)]), t.fill("ev.phase.why", &[("epoch", epoch)]))
        }
        Note::ElectionStarted { round, vote } if vote.leader == ServerId::NONE => {
            (t.fill("ev.election.observer", &[("s", &s), ("round", round)]), t.t("ev.election.observer.why"))
        }
        Note::ElectionStarted { round, vote } => (
            t.fill("ev.election", &[("s", &s), ("round", round)]),
            t.fill("ev.election.why", &[("epoch", &vote.epoch), ("zxid", &vote.zxid), ("leader", &vote.leader)]),
        ),
        Note::VoteAdopted { from, vote, over, by } => (
            t.fill("ev.adopted", &[("s", &s), ("leader", &vote.leader)]),
            t.fill("ev.adopted.why", &[("from", from), ("why", &decided(t, *by, vote, over))]),
        ),
        Note::RoundJoined { from, round } => {
            (t.fill("ev.round", &[("s", &s), ("from", from), ("round", round)]), t.t("ev.round.why"))
        }
        Note::QuorumOfVotes { vote, voters } => (
            capital(&t.fill("ev.quorum", &[("voters", &t.servers(voters)), ("leader", &vote.leader)])),
            t.fill("ev.quorum.why", &[("s", &s)]),
        ),
        Note::Elected { leader, vote, voters, runner_up } => {
            let text = if *leader == s {
                t.fill("ev.elected", &[("leader", leader)])
            } else {
                t.fill("ev.elected.other", &[("s", &s), ("leader", leader)])
            };
            let voters = t.servers(voters);
            let why = match runner_up {
                Some((other, by)) => t.fill(
                    "ev.elected.why",
                    &[("leader", leader), ("why", &decided(t, *by, vote, other)), ("voters", &voters.trim())],
                ),
                None => t.fill("ev.elected.alone", &[("voters", &voters.trim())]),
            };
            (text, capital(&why))
        }
        Note::JoinsLeader { leader, voters } => (
            t.fill("ev.joins", &[("s", &s), ("leader", leader)]),
            capital(&t.fill("ev.joins.why", &[("voters", &t.servers(voters))])),
        ),
        Note::EpochProposed { epoch, heard } => (
            t.fill("ev.epoch.proposed", &[("s", &s), ("epoch", epoch)]),
            t.fill("ev.epoch.proposed.why", &[("heard", &t.servers(heard))]),
        ),
        Note::EpochAccepted { epoch } => {
            (t.fill("ev.epoch.accepted", &[("s", &s), ("epoch", epoch)]), t.t("ev.epoch.accepted.why"))
        }
        Note::EpochAgreed { epoch, by } => (
            t.fill("ev.epoch.agreed", &[("epoch", epoch)]),
            capital(&t.fill("ev.epoch.agreed.why", &[("by", &t.servers(by))])),
        ),
        Note::SyncPlanned { learner, kind, learner_last, oldest, committed, sent } => {
            let key = match kind {
                SyncKind::Diff => "ev.sync.diff",
                SyncKind::Trunc => "ev.sync.trunc",
                SyncKind::Snap => "ev.sync.snap",
            };
            (
                t.fill("ev.sync", &[("s", &s), ("learner", learner), ("kind", &sync_name(*kind))]),
                t.fill(key, &[("last", learner_last), ("oldest", oldest), ("committed", committed), ("sent", sent)]),
            )
        }
        Note::Syncing { kind, zxid } => {
            (t.fill("ev.syncing", &[("s", &s), ("kind", &sync_name(*kind)), ("zxid", zxid)]), t.t("ev.syncing.why"))
        }
        Note::Truncated { to, dropped } => {
            (t.fill("ev.truncated", &[("s", &s), ("n", dropped), ("to", to)]), t.t("ev.truncated.why"))
        }
        Note::Established { epoch, by } => (
            t.fill("ev.established", &[("s", &s), ("epoch", epoch)]),
            capital(&t.fill("ev.established.why", &[("by", &t.servers(by))])),
        ),
        Note::Proposed { zxid } => (t.fill("ev.proposed", &[("s", &s), ("zxid", zxid)]), t.t("ev.proposed.why")),
        Note::Acked { zxid, by, have, need } => {
            let key = if have >= need { "ev.acked.enough" } else { "ev.acked.why" };
            (
                t.fill("ev.acked", &[("zxid", zxid), ("have", have), ("need", need)]),
                t.fill(key, &[("by", by), ("need", need)]),
            )
        }
        Note::Committed { zxid } => (t.fill("ev.committed", &[("s", &s), ("zxid", zxid)]), t.t("ev.committed.why")),
        Note::StoodDown { why } => {
            (t.fill("ev.down", &[("s", &s), ("why", &t.t(stand_down_key(*why)))]), t.t("ev.down.why"))
        }
        Note::SessionOpened { session, timeout_ms } => {
            (t.fill("ev.session.opened", &[("id", session)]), t.fill("ev.session.opened.why", &[("ms", timeout_ms)]))
        }
        Note::SessionExpired { session } => {
            (t.fill("ev.session.expired", &[("id", session)]), t.t("ev.session.expired.why"))
        }
        Note::SessionClosed { session } => {
            (t.fill("ev.session.closed", &[("id", session)]), t.t("ev.session.closed.why"))
        }
        Note::ContainerRemoved { path } => {
            (t.fill("ev.container.removed", &[("path", path)]), t.t("ev.container.removed.why"))
        }
        Note::QuotaExceeded { path, refused, .. } => {
            let key = if *refused { "ev.quota.refused.why" } else { "ev.quota.allowed.why" };
            (t.fill("ev.quota", &[("path", path)]), t.t(key))
        }
        Note::ForetoldWrongly { zxid } => (t.fill("ev.foretold", &[("zxid", zxid)]), t.t("ev.foretold.why")),
        Note::MembersDoubted { from, version } => {
            (t.fill("ev.doubted", &[("from", from), ("version", version)]), t.t("ev.doubted.why"))
        }
        Note::MembersProposed { .. } | Note::MembersChanged { .. } | Note::HandsOver { .. } => {
            member_words::note(t, s, note).unwrap_or_default()
        }
    };
    Caption { text, why }
}

/// What decided between two votes, with the two values that were compared.
pub fn decided(t: &Texts, by: Decider, winner: &Vote, other: &Vote) -> String {
    match by {
        Decider::Epoch => t.fill("why.epoch", &[("x", &winner.epoch), ("y", &other.epoch)]),
        Decider::Zxid => t.fill("why.zxid", &[("x", &winner.zxid), ("y", &other.zxid)]),
        Decider::ServerId => t.fill("why.server-id", &[("x", &winner.leader), ("y", &other.leader)]),
    }
}

/// The key of a phase's name.
pub fn phase_key(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Election => "phase.election",
        PhaseName::Discovery => "phase.discovery",
        PhaseName::Synchronization => "phase.synchronization",
        PhaseName::Broadcast => "phase.broadcast",
    }
}

fn sync_name(kind: SyncKind) -> &'static str {
    match kind {
        SyncKind::Diff => "DIFF",
        SyncKind::Trunc => "TRUNC",
        SyncKind::Snap => "SNAP",
    }
}

fn stand_down_key(why: StandDown) -> &'static str {
    match why {
        StandDown::NoQuorumInTime => "ev.down.no-quorum-in-time",
        StandDown::LostQuorum => "ev.down.lost-quorum",
        StandDown::LeaderSilent => "ev.down.leader-silent",
        StandDown::LeaderGone => "ev.down.leader-gone",
        StandDown::LeaderUnreachable => "ev.down.leader-unreachable",
        StandDown::LeaderViolation => "ev.down.leader-violation",
        StandDown::StaleLeader => "ev.down.stale-leader",
        StandDown::CannotTruncate => "ev.down.cannot-truncate",
        StandDown::CounterUsedUp => "ev.down.counter-used-up",
        StandDown::NotInOffice => "ev.down.not-in-office",
        StandDown::Reconfigured => "ev.down.reconfigured",
    }
}

/// A client error in words.
pub fn zk_error(t: &Texts, error: ZkError) -> String {
    let key = format!("zk.{error:?}");
    if t.has(&key) { t.t(&key) } else { t.fill("zk.other", &[("code", &error.code())]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_every_scenario_has_its_words_in_both_languages() {
        use zebu_core::scenario::Player;
        let languages = [Texts::load(crate::i18n::Lang::En), Texts::load(crate::i18n::Lang::Zh)];
        let mut told = 0;
        for scenario in crate::lessons::all() {
            let mut player = Player::new(scenario);
            player.run_to_end().unwrap();
            for record in player.trace().iter().filter(|r| weight(&r.event) > Weight::Quiet) {
                for t in &languages {
                    let words =
                        caption(t, &record.event, 3).unwrap_or_else(|| panic!("{:?} is not told", record.event));
                    let raw = |text: &str| text.starts_with("ev.") || text.contains('{') || text.contains("check.");
                    assert!(!words.text.is_empty() && !raw(&words.text) && !raw(&words.why), "{words:?}");
                    told += 1;
                }
            }
        }
        assert!(told > 5000, "{told}");
    }
}
