//! A run for other people's tools: JSON, ShiViz, Mermaid.

use crate::share::{Run, RunError};
use std::fmt::Write;
use zebu_core::collections::{BTreeMap, order};
use zebu_core::sim::view::Place;
use zebu_core::trace::{TraceEvent, TraceRecord};

/// What a file of ours calls itself.
const NAME: &str = "zebu-run";

/// The longest file that is read, bytes.
const LONGEST_FILE: usize = 20_000_000;

/// The messages in a Mermaid diagram: more can't be read.
const MERMAID_MESSAGES: usize = 200;

/// The run as JSON, and everything that happened in it: microseconds, the number of the event, words.
pub fn json(run: &Run, records: &[TraceRecord]) -> String {
    let event = |r: &TraceRecord| serde_json::json!({ "at": r.at.0, "n": r.event_number, "what": r.event.to_string() });
    let events: Vec<serde_json::Value> = records.iter().map(event).collect();
    let whole = serde_json::json!({ "format": NAME, "run": run.to_json(), "events": events });
    let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text.push('\n');
    text
}

/// The run of a file that [`json`] wrote. What happened follows from it.
///
/// # Errors
/// What is wrong with it.
pub fn from_json(text: &str) -> Result<Run, RunError> {
    if text.len() > LONGEST_FILE {
        return Err(RunError::TooMuch("characters"));
    }
    let broken = |e: serde_json::Error| RunError::Broken(e.to_string().chars().take(120).collect());
    let mut value: serde_json::Value = serde_json::from_str(text).map_err(broken)?;
    if value.get("format").and_then(|f| f.as_str()) != Some(NAME) {
        return Err(RunError::Broken("format".into()));
    }
    match value.get_mut("run") {
        Some(run) => Run::from_json(run.take()),
        None => Err(RunError::Broken("run".into())),
    }
}

/// A name without spaces.
fn host(place: Place) -> String {
    match place {
        Place::Server(id) => format!("server{id}"),
        Place::Client(id) => format!("client{id}"),
    }
}

/// Where something happened, and the message in it: sent here, or arrived here.
enum Happening {
    Sent(u64),
    Arrived(u64),
    Local,
}

fn happening(event: &TraceEvent) -> Option<(Place, Happening)> {
    let server = |id| Some((Place::Server(id), Happening::Local));
    match event {
        TraceEvent::Sent { id, from, .. } => Some((*from, Happening::Sent(*id))),
        TraceEvent::Delivered { id, to, .. } => Some((*to, Happening::Arrived(*id))),
        TraceEvent::Started { server: id }
        | TraceEvent::Stopped { server: id, .. }
        | TraceEvent::Halted { server: id, .. }
        | TraceEvent::Paused { server: id }
        | TraceEvent::Resumed { server: id }
        | TraceEvent::Note { server: id, .. }
        | TraceEvent::Synced { server: id, .. } => server(*id),
        TraceEvent::Asked { client, .. } | TraceEvent::Answered { client, .. } => {
            Some((Place::Client(*client), Happening::Local))
        }
        _ => None,
    }
}

/// A log for ShiViz with its default parser: a host and its vector clock, then the event in a line of its own.
pub fn shiviz(records: &[TraceRecord]) -> String {
    let mut clocks: BTreeMap<Place, BTreeMap<Place, u64>> = BTreeMap::new();
    let mut messages: BTreeMap<u64, BTreeMap<Place, u64>> = BTreeMap::new();
    let mut out = String::new();
    for record in records {
        let Some((place, what)) = happening(&record.event) else { continue };
        let sent = match what {
            Happening::Arrived(id) => messages.remove(&id),
            _ => None,
        };
        let clock = clocks.entry(place).or_default();
        for (of, n) in sent.into_iter().flatten() {
            let known = clock.entry(of).or_default();
            *known = n.max(*known);
        }
        *clock.entry(place).or_default() += 1;
        if let Happening::Sent(id) = what {
            messages.insert(id, clock.clone());
        }
        let parts: Vec<String> = clock.iter().map(|(of, n)| format!("\"{}\":{n}", host(*of))).collect();
        let event = record.event.to_string().replace('\n', " ");
        // Writing into a string never fails.
        let _ = writeln!(out, "{} {{{}}}\n{event}", host(place), parts.join(","));
    }
    out
}

/// The last messages as a sequence diagram for Mermaid, without heartbeats.
pub fn mermaid(records: &[TraceRecord]) -> String {
    let plain = |text: &str| text.replace([';', '#', '\n', ':'], " ");
    let mut lines: Vec<(Place, Place, String)> = Vec::new();
    for record in records {
        match &record.event {
            TraceEvent::Delivered { from, to, kind, label, .. } if !crate::timeline::is_heartbeat(kind) => {
                lines.push((*from, *to, format!("{}->>{}: {kind} {}", host(*from), host(*to), plain(label))));
            }
            TraceEvent::Lost { from, to, kind, .. } if !crate::timeline::is_heartbeat(kind) => {
                lines.push((*from, *to, format!("{}-x{}: {kind}", host(*from), host(*to))));
            }
            _ => {}
        }
    }
    let last = lines.get(lines.len().saturating_sub(MERMAID_MESSAGES)..).unwrap_or_default();
    let mut places: Vec<Place> = last.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
    order::sort(&mut places);
    places.dedup();
    let mut out = String::from("sequenceDiagram\n");
    for place in places {
        let _ = writeln!(out, "    participant {}", host(place));
    }
    for (_, _, line) in last {
        let _ = writeln!(out, "    {}", line.trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Driver;
    use crate::timeline::Timeline;
    use zebu_core::sim::WorldSpec;

    fn records(moves: usize) -> Vec<TraceRecord> {
        let mut t = Timeline::new(Driver::free(WorldSpec::default()));
        (0..moves).flat_map(|_| t.step().unwrap().records).collect()
    }

    #[test]
    fn s2_what_is_exported_and_imported_is_the_same() {
        let run = Run {
            scenario: None,
            spec: WorldSpec::default(),
            lines: vec![crate::lines::LineLog { from: None, commands: Vec::new(), end: 400 }],
            current: 0,
            moment: 400,
            digest: 1,
            bookmarks: Vec::new(),
            places: crate::desk::Places::default(),
        };
        let text = json(&run, &records(400));
        let again = from_json(&text).unwrap();
        assert_eq!(again, run);
        assert_eq!(json(&again, &records(400)), text);
        for wrong in ["", "{}", "[1]", r#"{"format":"zebu-run"}"#, r#"{"format":"other","run":{}}"#, "{"] {
            assert!(from_json(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn s2_shiviz_gets_clocks_that_only_grow_and_know_what_caused_what() {
        let text = shiviz(&records(600));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len() % 2, 0);
        let mut last: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for pair in lines.chunks(2) {
            let (name, clock) = pair[0].split_once(' ').unwrap();
            let clock: BTreeMap<String, u64> = serde_json::from_str(clock).unwrap();
            let before = last.entry(name.into()).or_default();
            assert_eq!(clock[name], before.get(name).unwrap_or(&0) + 1, "{pair:?}");
            assert!(before.iter().all(|(of, n)| clock[of] >= *n));
            assert!(!pair[1].is_empty());
            *before = clock;
        }
        // Nobody knows more of another than that one itself.
        for clock in last.values() {
            assert!(clock.iter().all(|(of, n)| *n <= last[of][of]));
        }
        assert!(last.len() == 5 && last.values().any(|c| c.len() > 1));
    }

    #[test]
    fn s2_mermaid_draws_the_messages() {
        let text = mermaid(&records(300));
        assert!(text.starts_with("sequenceDiagram\n    participant server1\n"), "{text}");
        assert!(text.contains("->>") && !text.contains("PING"));
        assert!(text.lines().count() <= MERMAID_MESSAGES + 20);
    }
}
