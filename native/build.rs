//! Makes sure that the lab's folder exists, since it is embedded in the binary at compile time; and tells the binary
//! when it was built.
//!
//! `cargo xtask lab` fills the folder. A plain `cargo build -p zebu` embeds what is there, and without a built lab the
//! server says in the browser how to build one.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    if let Err(error) = std::fs::create_dir_all(&dist) {
        panic!("cannot make {}, the folder of the built lab: {error}", dist.display());
    }
    // For builds that have to come out the same, whoever makes them.
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    println!("cargo::rustc-env=ZEBU_BUILT={}", given.unwrap_or(now));
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    for path in ["../dist", "../core/src", "src", "Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
}
