//! The proof that the lab is the server's own code: the page's program runs seeds of the simulator and tells the digests
//! of their event logs, which `zebu sim --log-digests` tells too.
//!
//! In the page: `zebu.logDigests(1, 20)` gives a text with a line for each seed.

use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use zebu_core::sim::sweep::log_digest;

/// The most seeds of one call: a page should not stand still for long.
const MOST: u32 = 100;

/// A line for each seed.
pub fn log_digests(from: u32, count: u32) -> String {
    let seeds = (0..count.min(MOST)).map(|n| u64::from(from) + u64::from(n));
    seeds.map(|seed| format!("{}\n", log_digest(seed))).collect()
}

/// Hangs the function onto the page's global object.
///
/// # Errors
/// What the browser says if that object takes nothing.
pub fn offer() -> Result<(), JsValue> {
    let call = Closure::<dyn Fn(u32, u32) -> String>::new(log_digests).into_js_value();
    let zebu = js_sys::Object::new();
    js_sys::Reflect::set(&zebu, &"logDigests".into(), &call)?;
    js_sys::Reflect::set(&js_sys::global(), &"zebu".into(), &zebu)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_seed_and_never_too_many() {
        let lines = log_digests(7, 2);
        let seeds: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(seeds, ["7", "8"]);
        assert_eq!(lines, log_digests(7, 2));
        assert_ne!(log_digest(7).digest, log_digest(8).digest);
    }
}
