//! The compared protocols in the reader's words.

use crate::captions::{Caption, Weight};
use crate::i18n::Texts;
use zebu_core::compare::note::{ModelNote, Turn};
use zebu_core::id::ServerId;
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
    Caption { text: t.fill(&key, &values), why: t.fill(&format!("{key}.why"), &values) }
}

/// The role of a server, in a word.
pub fn role(t: &Texts, model: &ModelView) -> String {
    t.t(&format!("cmp.role.{}", model.role.name()))
}

/// How far it is, in a word or two.
pub fn stage(t: &Texts, model: &ModelView) -> String {
    t.t(&format!("cmp.stage.{}", model.stage.name()))
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
    use zebu_core::compare::note::{Fact, Role, Stage};

    /// The names are made of parts, so that only a run through all of them shows a gap.
    #[test]
    fn every_role_stage_fact_and_turn_has_words_in_both_languages() {
        let mut keys: Vec<String> = Vec::new();
        keys.extend(Role::ALL.iter().map(|r| format!("cmp.role.{}", r.name())));
        keys.extend(Stage::ALL.iter().map(|s| format!("cmp.stage.{}", s.name())));
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
