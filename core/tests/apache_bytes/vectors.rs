//! Reading `tests/vectors`.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// The path of a file in `tests/vectors`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// The files of a folder of `tests/vectors`, sorted. Compressed ones are left to the native store, which is who
/// decompresses.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path(folder)).expect("the folder of vectors");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder that can be listed").path()).collect();
    files.retain(|file| !file.extension().is_some_and(|kind| kind == "gz" || kind == "snappy"));
    files.sort();
    assert!(!files.is_empty(), "no vectors in {folder}");
    files
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file of vectors");
    serde_json::from_str(&text).expect("JSON")
}

/// The bytes of a member that is hexadecimal text.
pub fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hexadecimal text");
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal digits")).collect()
}
