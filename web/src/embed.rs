//! The lab inside another page: what that page may ask for, and what it is told.

use crate::store::Action;
use serde::Deserialize;

/// What stands behind `?` in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only the picture, its controls and its captions.
    pub embed: bool,
    /// What to show, as if it stood behind `#`.
    pub hash: Option<String>,
}

/// Reads what stands behind `?`. What it does not know is for somebody else.
pub fn parse(search: &str) -> Query {
    let mut query = Query::default();
    let mut settings = Vec::new();
    let mut scenario = "";
    for pair in search.trim_start_matches('?').split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "embed" => query.embed = value != "0",
            "scenario" => scenario = value,
            "seed" | "servers" | "observers" | "step" | "paused" => settings.push(pair),
            _ => {}
        }
    }
    if !scenario.is_empty() || !settings.is_empty() {
        let path = if scenario.is_empty() { String::new() } else { format!("s/{scenario}") };
        query.hash = Some(format!("#/{path}?{}", settings.join("&")));
    }
    query
}

#[derive(Deserialize)]
struct Asked {
    zebu: String,
    #[serde(default)]
    to: u64,
}

/// The action that a message of the page around asks for; none if it is not for us.
pub fn action(message: &str) -> Option<Action> {
    let asked: Asked = serde_json::from_str(message).ok()?;
    Some(match asked.zebu.as_str() {
        "play" => Action::Play,
        "pause" => Action::Pause,
        "step" => Action::Step,
        "back" => Action::StepBack,
        "next" => Action::NextChapter,
        "seek" => Action::Seek(asked.to),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_what_the_page_around_may_say() {
        let query = parse("?embed=1&scenario=leader-crash&seed=7&utm=x");
        assert_eq!((query.embed, query.hash.as_deref()), (true, Some("#/s/leader-crash?seed=7")));
        assert_eq!(parse(""), Query::default());
        assert_eq!(parse("?embed=0"), Query::default());
        assert_eq!(parse("?paused&seed=3").hash.as_deref(), Some("#/?paused&seed=3"));
        for (message, expected) in [
            (r#"{"zebu":"play"}"#, Some(Action::Play)),
            (r#"{"zebu":"seek","to":40}"#, Some(Action::Seek(40))),
            (r#"{"zebu":"seek","to":-1}"#, None),
            (r#"{"zebu":"format-disk"}"#, None),
            (r#"{"other":1}"#, None),
            ("[object Object]", None),
            ("", None),
        ] {
            assert_eq!(action(message), expected, "{message}");
        }
    }
}
