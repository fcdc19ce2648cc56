//! The compared protocols in the reader's words.

use crate::captions::{Caption, Weight};
use crate::i18n::{Texts, capital};
use zebu_core::compare::note::{Fact, ModelNote, Stage, Turn};
use zebu_core::id::{ServerId, Zxid};
use zebu_core::sim::spec::{Protocol, Retry};
use zebu_core::sim::view::ModelView;

/// How much a turn matters.
pub fn weight(turn: Turn) -> Weight {
    match turn {
        Turn::DecidesCommit | Turn::DecidesAbort | Turn::IsBlocked | Turn::TakesOver | Turn::IsChosen => {
            Weight::Landmark
        }
        Turn::SomePreCommitted | Turn::NonePreCommitted | Turn::PresumesAbort | Turn::ResendsDecision => {
            Weight::Landmark
        }
        Turn::Established | Turn::GivesUp | Turn::Adopts | Turn::Prospect | Turn::TakesHistory => Weight::Landmark,
        Turn::Begins | Turn::PreCommits | Turn::WaitsForLock | Turn::VotesNo | Turn::Finishes | Turn::AsksPeers => {
            Weight::Turn
        }
        Turn::Prepares | Turn::FreeToPropose | Turn::Outbid | Turn::BacksOff | Turn::HandsOver => Weight::Turn,
        Turn::NewEpoch | Turn::KeepsHistory | Turn::AcceptsHistory | Turn::ProposesTxn => Weight::Turn,
        Turn::VotesYes | Turn::HasPreCommitted | Turn::Commits | Turn::Aborts | Turn::Promises => Weight::Step,
        Turn::RefusesPrepare | Turn::RefusesAccept | Turn::Accepts | Turn::Learns => Weight::Step,
        Turn::FollowsProspect | Turn::AcksEpoch | Turn::Delivers => Weight::Step,
    }
}

/// The caption of a turn.
pub fn caption(t: &Texts, server: ServerId, note: &ModelNote) -> Caption {
    let by = t.servers(&note.by);
    let values: [(&str, &dyn std::fmt::Display); 4] =
        [("s", &server), ("id", &note.id), ("value", &note.value), ("by", &by)];
    let key = format!("cmp.turn.{}", note.turn.name());
    let text = t.fill(&key, &values).trim_end().to_string();
    Caption { text: capital(&text), why: capital(&t.fill(&format!("{key}.why"), &values)) }
}

/// The role of a server, in a word.
pub fn role(t: &Texts, model: &ModelView) -> String {
    t.t(&format!("cmp.role.{}", model.role.name()))
}

/// How far it is, in a word or two.
pub fn stage(t: &Texts, model: &ModelView) -> String {
    t.t(stage_key(model.stage))
}

/// The key of a stage's name.
pub fn stage_key(stage: Stage) -> &'static str {
    match stage {
        Stage::Idle => "cmp.stage.idle",
        Stage::Collecting => "cmp.stage.collecting",
        Stage::PreCommitting => "cmp.stage.pre-committing",
        Stage::Prepared => "cmp.stage.prepared",
        Stage::PreCommitted => "cmp.stage.pre-committed",
        Stage::Blocked => "cmp.stage.blocked",
        Stage::Committed => "cmp.stage.committed",
        Stage::Aborted => "cmp.stage.aborted",
        Stage::Preparing => "cmp.stage.preparing",
        Stage::Proposing => "cmp.stage.proposing",
        Stage::BackingOff => "cmp.stage.backing-off",
        Stage::HandedOver => "cmp.stage.handed-over",
        Stage::Promised => "cmp.stage.promised",
        Stage::Accepted => "cmp.stage.accepted",
        Stage::Chosen => "cmp.stage.chosen",
        Stage::Electing => "cmp.stage.electing",
        Stage::Discovery => "cmp.stage.discovery",
        Stage::Synchronising => "cmp.stage.synchronising",
        Stage::Broadcast => "cmp.stage.broadcast",
    }
}

/// The inspector's rows.
pub fn rows(t: &Texts, model: &ModelView) -> Vec<(&'static str, String)> {
    let about = format!("{} {}", stage(t, model), model.about);
    let mut rows = vec![("cmp.role", role(t, model)), ("cmp.state", about.trim_end().to_string())];
    rows.extend(model.facts.iter().map(|(fact, value)| (fact_key(*fact), value.clone())));
    rows
}

/// A fact and its value.
pub fn fact(t: &Texts, (fact, value): &(Fact, String)) -> String {
    format!("{} {value}", t.t(fact_key(*fact)))
}

/// The same where there is little room for large letters.
pub fn short_fact(t: &Texts, known: &(Fact, String)) -> String {
    match known {
        (Fact::Transaction, value) => format!("{} {value}", t.t("cmp.fact.txn")),
        _ => fact(t, known),
    }
}

/// The key of a fact's name.
pub fn fact_key(fact: Fact) -> &'static str {
    match fact {
        Fact::Transaction => "cmp.fact.transaction",
        Fact::Locks => "cmp.fact.locks",
        Fact::Waiting => "cmp.fact.waiting",
        Fact::Number => "cmp.fact.number",
        Fact::Promised => "cmp.fact.promised",
        Fact::Accepted => "cmp.fact.accepted",
        Fact::Chosen => "cmp.fact.chosen",
        Fact::OwnValue => "cmp.fact.own-value",
        Fact::Heard => "cmp.fact.heard",
        Fact::Attempts => "cmp.fact.attempts",
        Fact::PromisedEpoch => "cmp.fact.promised-epoch",
        Fact::CurrentEpoch => "cmp.fact.current-epoch",
    }
}

/// The two lines beside a server: how far it is, and what it has of the answers or of the value.
pub fn beside(t: &Texts, model: &ModelView, acks: Option<(Zxid, usize, usize)>, compact: bool) -> (String, String) {
    let first = stage(t, model);
    let second = match (acks, &model.beside) {
        (Some((_, have, need)), _) => t.fill("cmp.heard", &[("have", &have), ("need", &need)]),
        (None, Some((_, value))) if compact => value.clone(),
        (None, Some(known)) => fact(t, known),
        (None, None) => model.about.clone(),
    };
    (first, second)
}

/// A server for a screen reader.
pub fn label(t: &Texts, id: ServerId, model: &ModelView, role: &str) -> String {
    let stage = stage(t, model);
    t.fill("cmp.stage.label", &[("id", &id), ("role", &role), ("stage", &stage), ("about", &model.about)])
}

/// The protocols that can be chosen, with the ends of their texts' keys.
pub const PROTOCOLS: [(&str, Protocol); 7] = [
    ("zookeeper", Protocol::ZooKeeper),
    ("two-phase-commit", Protocol::TwoPhaseCommit),
    ("three-phase-commit", Protocol::ThreePhaseCommit),
    ("paxos", Protocol::Paxos { proposers: 2, retry: Retry::BackOff }),
    ("paxos-duel", Protocol::Paxos { proposers: 2, retry: Retry::AtOnce }),
    ("paxos-leader", Protocol::Paxos { proposers: 2, retry: Retry::Leader }),
    ("paper-zab", Protocol::PaperZab),
];

/// A protocol's name.
pub fn protocol(t: &Texts, protocol: Protocol) -> String {
    let known = PROTOCOLS.iter().find(|(_, p)| *p == protocol).map(|(name, _)| *name);
    // Paxos with another number of proposers is still Paxos.
    t.t(&format!("cmp.protocol.{}", known.unwrap_or("paxos")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use zebu_core::compare::note::Role;

    /// The names are made of parts, so that only a run through all of them shows a gap.
    #[test]
    fn every_role_stage_fact_and_turn_has_words_in_both_languages() {
        let mut keys: Vec<String> = Vec::new();
        keys.extend(Role::ALL.iter().map(|r| format!("cmp.role.{}", r.name())));
        keys.extend(Stage::ALL.iter().map(|s| stage_key(*s).to_string()));
        keys.extend(Fact::ALL.iter().map(|f| format!("cmp.fact.{}", f.name())));
        keys.extend(
            Turn::ALL.iter().flat_map(|t| [format!("cmp.turn.{}", t.name()), format!("cmp.turn.{}.why", t.name())]),
        );
        keys.extend(PROTOCOLS.iter().map(|(name, _)| format!("cmp.protocol.{name}")));
        for lang in [Lang::En, Lang::Zh] {
            let t = Texts::load(lang);
            let missing: Vec<&String> = keys.iter().filter(|k| t.t(k) == **k).collect();
            assert!(missing.is_empty(), "{lang:?}: {missing:?}");
        }
    }
}
