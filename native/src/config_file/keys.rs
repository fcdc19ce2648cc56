//! Typed access to the entries of a properties file. A wrong value becomes an error that names file, line, key,
//! value and what is allowed.

use super::ConfigError;
use super::observation::hidden_if_secret;
use super::properties::Entry;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// A key without the prefix of Apache's Java properties.
pub(super) fn bare(key: &str) -> &str {
    key.strip_prefix("zookeeper.").unwrap_or(key)
}

/// The host, unless it stands for all.
pub(super) fn one_host(host: &str) -> Option<String> {
    (!matches!(host, "0.0.0.0" | "::" | "*")).then(|| host.to_string())
}

/// The entries, and which of them somebody asked for. Any key may have `zookeeper.` in front, as it has where Apache's
/// server takes it for a Java property; it is the same key then.
pub struct Keys<'a> {
    file: &'a Path,
    entries: &'a [Entry],
    known: BTreeSet<String>,
}

impl<'a> Keys<'a> {
    /// Nobody has asked for anything yet.
    pub fn new(file: &'a Path, entries: &'a [Entry]) -> Keys<'a> {
        Keys { file, entries, known: BTreeSet::new() }
    }

    /// The entry of `key`; of several the last, as in Apache's reader.
    pub fn find(&mut self, key: &str) -> Option<&'a Entry> {
        self.known.insert(key.to_string());
        self.entries.iter().rev().find(|e| bare(&e.key) == key)
    }

    /// All entries whose key is `prefix` followed by something, in the order of the file.
    pub fn with_prefix(&mut self, prefix: &str) -> Vec<&'a Entry> {
        let found: Vec<&Entry> =
            self.entries.iter().filter(|e| bare(&e.key).strip_prefix(prefix).is_some_and(|n| !n.is_empty())).collect();
        self.known.extend(found.iter().map(|e| bare(&e.key).to_string()));
        found
    }

    /// Entries that nobody asked for.
    pub fn unknown(&self) -> impl Iterator<Item = &'a Entry> + '_ {
        self.entries.iter().filter(|e| !self.known.contains(bare(&e.key)))
    }

    /// An error about this entry.
    pub fn wrong(&self, entry: &Entry, allowed: impl Display) -> ConfigError {
        ConfigError::Value {
            file: self.file.into(),
            line: entry.line,
            key: entry.key.clone(),
            value: hidden_if_secret(entry).into(),
            allowed: allowed.to_string(),
        }
    }

    /// An error about an entry that is not there.
    pub fn missing(&self, key: &str, what: impl Display) -> ConfigError {
        ConfigError::Missing { file: self.file.into(), key: key.into(), what: what.to_string() }
    }

    /// A whole number in `allowed` (decimal, or hexadecimal behind `0x` as Java's own properties are).
    pub fn number(&mut self, key: &str, allowed: RangeInclusive<i64>) -> Result<Option<i64>, ConfigError> {
        let Some(entry) = self.find(key) else { return Ok(None) };
        let number = match entry.value.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16),
            None => entry.value.parse(),
        };
        match number.ok().filter(|n| allowed.contains(n)) {
            Some(n) => Ok(Some(n)),
            None => {
                Err(self.wrong(entry, format_args!("a whole number from {} to {}", allowed.start(), allowed.end())))
            }
        }
    }

    /// One of `words`, whatever its case; its index.
    pub fn word(&mut self, key: &str, words: &[&str]) -> Result<Option<usize>, ConfigError> {
        let Some(entry) = self.find(key) else { return Ok(None) };
        match words.iter().position(|w| entry.value.eq_ignore_ascii_case(w)) {
            Some(index) => Ok(Some(index)),
            None => Err(self.wrong(entry, words.join(" or "))),
        }
    }

    /// A host to listen on, without brackets; `Some(None)` for all of them.
    pub fn host(&mut self, key: &str) -> Result<Option<Option<String>>, ConfigError> {
        let Some(entry) = self.find(key) else { return Ok(None) };
        if entry.value.is_empty() || entry.value.contains(char::is_whitespace) {
            return Err(self.wrong(entry, "an address or a host name"));
        }
        Ok(Some(one_host(entry.value.trim_matches(['[', ']']))))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, default: bool) -> Result<bool, ConfigError> {
        Ok(self.word(key, &["false", "true"])?.map_or(default, |index| index == 1))
    }

    /// A path; an empty one is wrong.
    pub fn path(&mut self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        match self.find(key) {
            Some(entry) if entry.value.is_empty() => Err(self.wrong(entry, "the path of a folder")),
            Some(entry) => Ok(Some(PathBuf::from(&entry.value))),
            None => Ok(None),
        }
    }
}
