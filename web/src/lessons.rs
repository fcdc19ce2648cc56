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
}
