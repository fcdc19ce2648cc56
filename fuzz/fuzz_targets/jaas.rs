//! A JAAS file: its sections, login modules and users.

#![no_main]

#[expect(dead_code, reason = "what is read here is no file")]
#[path = "../../native/src/config_file/jaas.rs"]
mod jaas;

/// The errors that reading such a file makes.
#[derive(Debug)]
pub enum ConfigError {
    Unreadable { file: PathBuf, error: std::io::Error },
    Syntax { file: PathBuf, line: usize, what: String },
    Unsupported { file: PathBuf, line: usize, key: String, value: String, what: String },
}

use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};

fuzz_target!(|text: &str| {
    let lines = text.lines().count() + 1;
    match jaas::users_in(Path::new("jaas.conf"), text, "Server") {
        Ok(users) => {
            for (user, password) in users.unwrap_or_default() {
                assert!(user.len() + password.reveal().len() <= text.len());
            }
        }
        Err(ConfigError::Syntax { line, .. } | ConfigError::Unsupported { line, .. }) => {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
        }
        Err(ConfigError::Unreadable { .. }) => panic!("there is no file to read"),
    }
});
