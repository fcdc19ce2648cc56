//! The four-letter words of operators and their tools, in Apache's format (client-protocol §13). One subject a file;
//! what they tell comes from [`crate::operator`].

mod configuration;
mod connections;
mod dump;
mod environment;
mod monitor;
mod statistics;
mod trace;
mod watches;

use crate::operator::{NOT_SERVING, Operator};
use std::fmt::Write as _;
use std::sync::Arc;
use zebu_core::effect::Serving;
use zebu_core::id::LinkId;

/// All words of Apache's server, in order. Other bytes are taken for a frame's length.
pub const WORDS: [&str; 18] = [
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst", "srvr", "stat",
    "stmk", "wchc", "wchp", "wchs",
];

/// What telnet sends when it is interrupted.
const TELNET_CLOSE: &[u8; 4] = b"\xff\xf4\xff\xfd";

/// Whether these four bytes are a word.
pub fn is_word(bytes: [u8; 4]) -> bool {
    bytes == *TELNET_CLOSE || WORDS.iter().any(|word| *word.as_bytes() == bytes)
}

/// Whether eight more bytes belong to the word.
pub fn takes_argument(word: [u8; 4]) -> bool {
    word == *b"stmk"
}

/// Answers the words.
pub struct FourLetter {
    /// What is known of the server.
    pub operator: Arc<Operator>,
}

impl FourLetter {
    /// The answer to a word, asked by the connection `asking`; `argument` is what follows `stmk`.
    pub async fn answer(&self, word: [u8; 4], argument: Option<[u8; 8]>, asking: LinkId) -> String {
        // Only telnet's close is no text, and is answered by nothing.
        let Ok(word) = std::str::from_utf8(&word) else { return String::new() };
        let operator = &*self.operator;
        if !operator.cfg.whitelist.contains(word) {
            return format!("{word} is not executed because it is not in the whitelist.\n");
        }
        match (word, operator.serving()) {
            ("ruok", _) => "imok".into(),
            ("envi", _) => environment::text(),
            ("gtmk", _) => trace::get(operator),
            ("stmk", _) => trace::set(operator, argument),
            ("isro", None) => "null".into(),
            ("hash", None) => NOT_SERVING.into(),
            (_, None) => format!("{NOT_SERVING}\n"),
            (word, Some(serving)) => self.answer_serving(word, &serving, asking).await,
        }
    }

    async fn answer_serving(&self, word: &str, serving: &Serving, asking: LinkId) -> String {
        let operator = &*self.operator;
        match word {
            "isro" => if serving.is_read_only() { "ro" } else { "rw" }.into(),
            "srvr" => statistics::srvr(operator, serving),
            "stat" => statistics::stat(operator, serving, asking),
            "srst" => statistics::reset(operator),
            "cons" => connections::cons(operator, asking),
            "crst" => connections::reset(operator),
            "conf" => configuration::conf(&operator.configuration()),
            "dirs" => configuration::dirs(operator),
            "dump" => dump::text(operator, asking).await,
            "hash" => monitor::hash(operator),
            "mntr" => monitor::mntr(operator, serving).await,
            "wchs" => watches::summary(operator.watch_summary()),
            "wchc" => watches::by_session(&operator.watches_by_session()),
            "wchp" => watches::by_path(&operator.watches_by_path()),
            _ => String::new(),
        }
    }
}

/// Appends; a `String` takes everything.
fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_is_none() {
        for word in WORDS {
            let bytes = word.as_bytes().first_chunk::<4>().copied();
            assert!(bytes.is_some_and(is_word), "{word}");
        }
        assert!(WORDS.is_sorted() && is_word(*TELNET_CLOSE));
        for other in [*b"orst", *b"RUOK", [0, 0, 0, 44], [0; 4]] {
            assert!(!is_word(other), "{other:?}");
        }
        assert!(takes_argument(*b"stmk") && !takes_argument(*b"gtmk"));
    }
}
