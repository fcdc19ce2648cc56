//! `zoo.cfg` as text, before anybody asks what its keys mean.

#![no_main]

#[path = "../../native/src/config_file/properties.rs"]
mod properties;

/// The one error that reading the syntax makes.
#[derive(Debug)]
pub enum ConfigError {
    Syntax { file: std::path::PathBuf, line: usize, what: String },
}

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
    match properties::parse(Path::new("zoo.cfg"), data) {
        Ok(entries) => assert!(entries.iter().all(|entry| entry.line <= lines && entry.value.len() <= data.len() * 3)),
        Err(ConfigError::Syntax { file, line, what }) => {
            assert!(file == Path::new("zoo.cfg") && (1..=lines).contains(&line) && !what.is_empty());
        }
    }
});
