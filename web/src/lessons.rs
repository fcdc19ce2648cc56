//! The scenarios of `static/scenarios`, embedded.

use zebu_core::scenario::Scenario;

static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// The names of all scenarios, in the order in which they are listed.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The scenario `name`; `None` if there is none.
pub fn find(name: &str) -> Option<Scenario> {
    let (_, text) = FILES.iter().find(|(n, _)| *n == name)?;
    serde_json::from_str(text).ok()
}

/// All scenarios that can be read.
pub fn all() -> Vec<Scenario> {
    names().filter_map(find).collect()
}

/// The scenarios in chapters, in the order in which they are taught: the last part of the chapter's text key, and names.
pub const CHAPTERS: [(&str, &[&str]); 7] = [
    (
        "election",
        &[
            "one-after-the-other",
            "fourth-in-grace",
            "id-breaks-ties",
            "zxid-beats-id",
            "epoch-beats-zxid",
            "leader-crash",
            "epoch-bump",
            "epoch-skipped",
        ],
    ),
    (
        "quorum",
        &[
            "leader-in-minority",
            "split-brain-challenge",
            "majority-in-order",
            "quorum-lost",
            "four-tolerate-one",
            "nine-in-threes",
            "one-way-link",
            "slow-follower",
        ],
    ),
    (
        "recovery",
        &[
            "old-leader-truncated",
            "old-leader-snapshot",
            "committed-survives",
            "only-one-had-it",
            "diff-or-snapshot",
            "away-and-back",
            "snapshot-and-replay",
            "rolling-restart",
            "members-change",
        ],
    ),
    (
        "service",
        &[
            "observers",
            "session-expiry",
            "session-moves",
            "one-shot-watch",
            "persistent-watch",
            "containers-and-ttl",
            "access-lists",
        ],
    ),
    (
        "recipes",
        &[
            "config-push",
            "unique-ids",
            "membership",
            "master-election",
            "exclusive-lock",
            "lock-herd",
            "lock-queue",
            "shared-lock",
            "queue",
            "barriers",
            "collectors",
        ],
    ),
    (
        "others",
        &[
            "2pc-blocks",
            "2pc-decision-in-the-log",
            "2pc-peers-finish",
            "3pc-splits",
            "3pc-does-not-block",
            "duelling-proposers",
            "duelling-back-off",
            "duelling-leader",
            "paxos-adopts",
            "paxos-free",
            "paper-zab-discovery",
            "zookeeper-elects-history",
        ],
    ),
    ("crash", &["crash-zookeeper", "crash-paper-zab", "crash-paxos", "crash-2pc", "crash-3pc"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read_and_has_words_in_both_languages() {
        for name in names() {
            let scenario = find(name).unwrap_or_else(|| panic!("static/scenarios/{name}.json can't be read"));
            assert_eq!(scenario.name, name);
            assert!(!scenario.title.en.is_empty() && !scenario.title.zh.is_empty(), "{name}");
            for note in scenario.steps.iter().filter_map(|s| s.note.as_ref()) {
                assert!(!note.en.is_empty() && !note.zh.is_empty(), "{name}: a note in one language only");
            }
        }
        assert!(find("no-such-scenario").is_none());
    }

    #[test]
    fn every_scenario_stands_in_one_chapter() {
        let mut listed: Vec<&str> = CHAPTERS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        listed.sort_unstable();
        let mut all: Vec<&str> = names().collect();
        all.sort_unstable();
        assert_eq!(listed, all);
    }

    #[test]
    fn l5_every_scenario_asks_a_question_that_can_be_answered_before_it_is_over() {
        for scenario in all() {
            let name = &scenario.name;
            let asked: Vec<usize> =
                (0..scenario.steps.len()).filter(|i| scenario.steps[*i].predict.is_some()).collect();
            assert!(asked.iter().any(|i| i + 1 < scenario.steps.len()), "{name} asks nothing");
            for (i, ask) in asked.iter().map(|i| (i, scenario.steps[*i].predict.as_ref().unwrap())) {
                assert!(scenario.steps[*i].note.is_some(), "{name}: a question belongs to a passage");
                assert!(ask.choices.len() >= 2 && ask.answer < ask.choices.len(), "{name}");
                for text in ask.choices.iter().chain([&ask.question, &ask.because]) {
                    assert!(!text.en.is_empty() && !text.zh.is_empty(), "{name}: a question in one language only");
                }
            }
        }
    }
}
