//! A run as text: for the address, for a file. What comes back is from outside: it is bounded, checked, and whatever is
//! wrong with it is named.

use crate::desk::Places;
use crate::goals::FARTHEST;
use crate::lines::LineLog;
use crate::route::{OBSERVERS, SERVERS};
use crate::scene::layout::Geometry;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zebu_core::id::ServerId;
use zebu_core::sim::WorldSpec;
use zebu_core::sim::command::Command;
use zebu_core::sim::spec::Span;

/// The form of what is written here.
pub const FORMAT: u32 = 1;

/// The longest address that is read, characters behind the `#`.
const LONGEST_LINK: usize = 60_000;

/// The most that a run may hold.
const MOST_COMMANDS: usize = 2_000;
const MOST_LINES: usize = 24;
const MOST_BOOKMARKS: usize = 50;
const LONGEST_NAME: usize = 80;
const LONGEST_LINE: usize = 400;

/// A named moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// Its name.
    pub name: String,
    /// The line it is in: an index in a run, a number on the page.
    pub line: u32,
    /// The moment.
    pub moment: u64,
}

/// Everything that makes a run, and where somebody stood in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The scenario; free mode without.
    pub scenario: Option<String>,
    /// What the world is made of.
    pub spec: WorldSpec,
    /// All lines.
    pub lines: Vec<LineLog>,
    /// The line on the stage.
    pub current: usize,
    /// The moment.
    pub moment: u64,
    /// The world's digest at that moment.
    pub digest: u64,
    /// Named moments.
    pub bookmarks: Vec<Bookmark>,
    /// How the servers stand.
    pub places: Places,
}

/// Why a text is no run that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// Not what it should be; near what.
    Broken(String),
    /// Too much of something.
    TooMuch(&'static str),
    /// Written by another version; with what of it can still be shown.
    Version {
        /// Which.
        theirs: String,
        /// The scenario it was.
        scenario: Option<String>,
        /// The seed it had.
        seed: Option<u64>,
    },
}

/// As written: short names, since an address is copied by people.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    w: serde_json::Map<String, serde_json::Value>,
    l: Vec<WrittenLine>,
    #[serde(default)]
    b: usize,
    m: u64,
    d: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    k: Vec<(String, u32, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    p: Vec<(i64, u64, u64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<(usize, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    c: Vec<(u64, Command)>,
    e: u64,
}

/// By way of text: the lab then has one reader and one writer of JSON for each type, not two, which is a tenth of what
/// a browser loads.
fn to_value(value: &impl Serialize) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(&serde_json::to_string(value)?)
}

/// As [`to_value`].
fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> serde_json::Result<T> {
    serde_json::from_str(&value.to_string())
}

/// What of a spec is not as usual.
fn unusual(spec: &WorldSpec) -> serde_json::Map<String, serde_json::Value> {
    let object = |spec: &WorldSpec| match to_value(spec) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    let usual = object(&WorldSpec::default());
    object(spec).into_iter().filter(|(key, value)| usual.get(key) != Some(value)).collect()
}

impl Run {
    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let line = |l: &LineLog| WrittenLine { f: l.from, c: l.commands.clone(), e: l.end };
        let written = Written {
            v: FORMAT,
            s: self.scenario.clone(),
            w: unusual(&self.spec),
            l: self.lines.iter().map(line).collect(),
            b: self.current,
            m: self.moment,
            d: format!("{:016x}", self.digest),
            k: self.bookmarks.iter().map(|b| (b.name.clone(), b.line, b.moment)).collect(),
            g: Some(self.places.geometry).filter(|g| *g != Geometry::default()).map(|g| g.name().to_string()),
            p: self.places.moved.iter().map(|(id, x, y)| (id.0, u64::from(*x), u64::from(*y))).collect(),
        };
        to_value(&written).unwrap_or_default()
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(value: serde_json::Value) -> Result<Run, RunError> {
        let version = value.get("v").and_then(serde_json::Value::as_u64);
        if version.is_some_and(|v| v != u64::from(FORMAT)) {
            let seed = value.get("w").and_then(|w| w.get("seed")).and_then(serde_json::Value::as_u64);
            let scenario = value.get("s").and_then(|s| s.as_str()).map(|s| s.chars().take(LONGEST_NAME).collect());
            return Err(RunError::Version { theirs: version.unwrap_or(0).to_string(), scenario, seed });
        }
        let broken = |e: serde_json::Error| RunError::Broken(e.to_string().chars().take(120).collect());
        let written: Written = from_value(value).map_err(broken)?;
        let mut spec: WorldSpec = from_value(written.w.into()).map_err(broken)?;
        spec.trace = true;
        check_spec(&spec)?;
        let digest = u64::from_str_radix(&written.d, 16).map_err(|_| RunError::Broken("d".into()))?;
        let count = written.l.len();
        if count == 0 || written.b >= count {
            return Err(RunError::Broken("b".into()));
        }
        if count > MOST_LINES || written.l.iter().map(|l| l.c.len()).sum::<usize>() > MOST_COMMANDS {
            return Err(RunError::TooMuch("commands"));
        }
        if written.k.len() > MOST_BOOKMARKS || written.k.iter().any(|(name, ..)| name.chars().count() > LONGEST_NAME) {
            return Err(RunError::TooMuch("bookmarks"));
        }
        for line in &written.l {
            let ordered = line.c.windows(2).all(|w| w[0].0 <= w[1].0) && line.c.iter().all(|(at, _)| *at <= line.e);
            if !ordered || line.f.is_some_and(|(parent, at)| parent >= count || at > line.e) {
                return Err(RunError::Broken("l".into()));
            }
            if line.e > FARTHEST {
                return Err(RunError::TooMuch("moments"));
            }
            let long = |c: &Command| {
                let line = match c {
                    Command::Ask { line, .. } | Command::RunRecipe { line, .. } | Command::TellRecipe { line, .. } => {
                        line
                    }
                    _ => return false,
                };
                line.len() > LONGEST_LINE
            };
            if line.c.iter().any(|(_, command)| long(command)) {
                return Err(RunError::TooMuch("characters"));
            }
        }
        if written.m > written.l.get(written.b).map_or(0, |l| l.e) {
            return Err(RunError::Broken("m".into()));
        }
        if written.k.iter().any(|(_, line, _)| *line as usize >= count) {
            return Err(RunError::Broken("k".into()));
        }
        let places = places(written.g.as_deref(), &written.p, spec.servers.saturating_add(spec.observers))?;
        let line = |l: WrittenLine| LineLog { from: l.f, commands: l.c, end: l.e };
        Ok(Run {
            scenario: written.s,
            spec,
            lines: written.l.into_iter().map(line).collect(),
            current: written.b,
            moment: written.m,
            digest,
            bookmarks: written.k.into_iter().map(|(name, line, moment)| Bookmark { name, line, moment }).collect(),
            places,
        })
    }

    /// As a part of an address.
    pub fn to_link(&self) -> String {
        base64url(self.to_json().to_string().as_bytes())
    }

    /// From a part of an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_link(text: &str) -> Result<Run, RunError> {
        if text.len() > LONGEST_LINK {
            return Err(RunError::TooMuch("characters"));
        }
        let bytes = from_base64url(text).ok_or_else(|| RunError::Broken("base64".into()))?;
        let text = String::from_utf8(bytes).map_err(|_| RunError::Broken("UTF-8".into()))?;
        let value = serde_json::from_str(&text).map_err(|_| RunError::Broken("JSON".into()))?;
        Run::from_json(value)
    }
}

/// Where the servers of a link stand: a geometry that there is, and each dragged server once, on the stage.
fn places(geometry: Option<&str>, moved: &[(i64, u64, u64)], servers: u32) -> Result<Places, RunError> {
    let geometry = geometry.map_or(Some(Geometry::default()), Geometry::named);
    let share = |n: u64| u16::try_from(n).ok().filter(|n| *n <= 1000);
    let place = |(id, x, y): &(i64, u64, u64)| {
        let known = (1..=i64::from(servers)).contains(id);
        Some((ServerId(*id), share(*x)?, share(*y)?)).filter(|_| known)
    };
    let places: Option<Vec<_>> = moved.iter().map(place).collect();
    let once = moved.windows(2).all(|w| w[0].0 < w[1].0);
    match (geometry, places) {
        (Some(geometry), Some(moved)) if once => Ok(Places { geometry, moved }),
        (None, _) => Err(RunError::Broken("g".into())),
        _ => Err(RunError::Broken("p".into())),
    }
}

/// A world that somebody else thought of must be one that this page can carry.
///
/// # Errors
/// It is not.
pub fn check_spec(spec: &WorldSpec) -> Result<(), RunError> {
    let within = |n: u64, low: u64, high: u64| (low..=high).contains(&n);
    let span = |s: Span| s.min_us <= s.max_us && s.max_us <= 60_000_000;
    let fine = within(spec.servers.into(), 1, SERVERS.1.into())
        && spec.observers <= OBSERVERS
        && span(spec.latency)
        && span(spec.client_latency)
        && span(spec.disk_sync)
        && within(spec.tick_ms.into(), 10, 60_000)
        && within(spec.init_limit.into(), 1, 1000)
        && within(spec.sync_limit.into(), 1, 1000)
        && within(spec.max_notification_ms.into(), 100, 600_000)
        && within(u64::try_from(spec.session_ms).unwrap_or(0), 100, 3_600_000)
        && within(spec.snap_count.into(), 1, 10_000_000)
        && within(spec.commit_log_count as u64, 1, 1_000_000)
        && spec.drift_ppm <= 500_000
        && spec.power_loss_ppm <= 1_000_000;
    if fine { Ok(()) } else { Err(RunError::Broken("w".into())) }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            out.push(char::from(DIGITS[(word >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    out
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut word = 0u32;
        for byte in chunk {
            word = word << 6 | u32::try_from(DIGITS.iter().position(|d| d == byte)?).ok()?;
        }
        let bytes = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        word <<= 6 * (4 - chunk.len());
        out.extend(&word.to_be_bytes()[1..=bytes]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::sim::trouble::Trouble;

    fn run() -> Run {
        Run {
            scenario: None,
            spec: WorldSpec { seed: 77, servers: 3, ..WorldSpec::default() },
            lines: vec![
                LineLog { from: None, commands: vec![(5, Command::Kill { server: ServerId(1) })], end: 90 },
                LineLog {
                    from: Some((0, 40)),
                    commands: vec![(5, Command::Kill { server: ServerId(1) }), (40, Command::Trouble(Trouble::Calm))],
                    end: 60,
                },
            ],
            current: 1,
            moment: 50,
            digest: 0xfeed_0123_4567_89ab,
            bookmarks: vec![Bookmark { name: "数据 here".into(), line: 1, moment: 44 }],
            places: Places { geometry: Geometry::Row, moved: vec![(ServerId(2), 0, 1000), (ServerId(3), 125, 480)] },
        }
    }

    #[test]
    fn s1_a_run_survives_its_link_and_its_file() {
        let link = run().to_link();
        assert!(link.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{link}");
        assert!(link.len() < 500, "{} characters", link.len());
        assert_eq!(Run::from_link(&link), Ok(run()));
        assert_eq!(Run::from_json(run().to_json()), Ok(run()));
        for n in 0..9 {
            let bytes: Vec<u8> = (0..n).collect();
            assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn s1_what_is_wrong_with_a_link_is_named() {
        let changed = |key: &str, value: serde_json::Value| {
            let mut json = run().to_json();
            json[key] = value;
            Run::from_json(json)
        };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let version = RunError::Version { theirs: "7".into(), scenario: None, seed: Some(77) };
        assert_eq!(changed("v", 7.into()), Err(version));
        for (key, value) in [
            ("b", json("2")),
            ("m", json("61")),
            ("d", json("\"xyz\"")),
            ("l", json("[]")),
            ("l", json(r#"[{"e":9,"c":[[10,"heal-all"]]}]"#)),
            ("l", json(r#"[{"e":9,"c":[[1,"explode"]]}]"#)),
            ("l", json(r#"[{"e":99999999}]"#)),
            ("l", json(r#"[{"e":9,"f":[5,1]}]"#)),
            ("w", json(r#"{"servers":1000000}"#)),
            ("w", json(r#"{"servers":0}"#)),
            ("w", json(r#"{"tick_ms":0}"#)),
            ("w", json(r#"{"latency":{"min_us":5,"max_us":4}}"#)),
            ("k", json(r#"[["x",9,1]]"#)),
            ("g", json(r#""spiral""#)),
            ("p", json("[[2,1001,5]]")),
            ("p", json("[[2,-70000,5]]")),
            ("p", json("[[2,1e300,5]]")),
            ("p", json("[[9,1,1]]")),
            ("p", json("[[2,1,1],[2,5,5]]")),
            ("z", json("1")),
        ] {
            assert!(changed(key, value.clone()).is_err(), "{key} {value}");
        }
        for text in ["", "!", "A", "AAAA", "e30", &"A".repeat(100_000), &run().to_link()[..40]] {
            assert!(Run::from_link(text).is_err(), "{}", text.chars().take(20).collect::<String>());
        }
        // Every single character of a link can be damaged without harm.
        let link = run().to_link();
        for at in 0..link.len() {
            let mut bytes = link.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let _ = Run::from_link(&String::from_utf8(bytes).unwrap());
        }
    }
}
