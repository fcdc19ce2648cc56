//! The `zebu` binary.
fn main() {}
