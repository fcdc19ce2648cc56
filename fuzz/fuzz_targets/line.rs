//! What a person types at a client.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zebu_core::client::line;

fuzz_target!(|text: &str| {
    match line::parse(text) {
        Ok(request) => {
            line::name(&request);
            line::label(&request);
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});
