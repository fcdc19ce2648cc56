//! `envi`.

use super::push;
use crate::operator::environment::environment;

/// Where the server runs. There is no Java here to tell of.
pub fn text() -> String {
    let mut out = String::from("Environment:\n");
    for (key, value) in environment() {
        push(&mut out, format_args!("{key}={value}\n"));
    }
    out
}
