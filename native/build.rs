//! Makes sure that the lab's folder exists, since it is embedded in the binary at compile time.
//!
//! `cargo xtask lab` fills it. A plain `cargo build -p zebu` embeds what is there, and without a built lab the server
//! says in the browser how to build one.

use std::path::Path;

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    if let Err(error) = std::fs::create_dir_all(&dist) {
        panic!("cannot make {}, the folder of the built lab: {error}", dist.display());
    }
    println!("cargo::rerun-if-changed=../dist");
    println!("cargo::rerun-if-changed=build.rs");
}
