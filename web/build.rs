//! Puts scenarios and texts into the program, so that the lab works from any folder and without network: without the
//! white space that only people need, and with each text's key once for both languages.

use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let files = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../static");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let write = |name: &str, text: String| fs::write(out.join(name), text).expect("the output folder is writable");
    write("scenarios.rs", scenarios(&files.join("scenarios")));

    let [en, zh] = ["en", "zh"].map(|lang| texts(&files.join(format!("texts/{lang}.json"))));
    let only = en.keys().find(|key| !zh.contains_key(*key)).or(zh.keys().find(|key| !en.contains_key(*key)));
    assert_eq!(only, None, "static/texts: a text in one language only");
    write("keys.txt", lines(en.keys().map(String::as_str)));
    for (name, texts) in [("en.txt", &en), ("zh.txt", &zh)] {
        write(name, lines(en.keys().filter_map(|key| texts.get(key)?.as_str())));
    }
}

/// A file as JSON; the program is built anew when it changes.
fn json(file: &Path) -> Value {
    println!("cargo::rerun-if-changed={}", file.display());
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn texts(file: &Path) -> Map<String, Value> {
    match json(file) {
        Value::Object(texts) if texts.values().all(Value::is_string) => texts,
        _ => panic!("{}: no object of strings", file.display()),
    }
}

/// Each text in a line of its own.
fn lines<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<&str> = texts.collect();
    assert!(texts.iter().all(|text| !text.contains('\n')), "static/texts: a text of two lines");
    texts.join("\n")
}

/// Names and texts of all scenarios, as a piece of the program.
fn scenarios(folder: &Path) -> String {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|e| e.ok().map(|e| e.path())).collect(),
        Err(_) => Vec::new(),
    };
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let name = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        writeln!(code, "    ({name:?}, {:?}),", json(&file).to_string()).expect("a string takes it");
    }
    code.push(']');
    code
}
