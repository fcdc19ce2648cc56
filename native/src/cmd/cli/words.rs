//! A typed line as words, with zkCli's rules for quotation marks: single or double ones around a whole word.

use std::fmt;

/// One word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Without the quotation marks.
    pub text: String,
    /// Whether there were any: such a word is never a flag.
    pub quoted: bool,
}

/// A quotation mark without its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuote(pub char);

impl fmt::Display for OpenQuote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the quotation mark {} has no partner", self.0)
    }
}

/// Splits a line at blanks.
///
/// # Errors
/// A word that begins with a quotation mark and does not end.
pub fn split(line: &str) -> Result<Vec<Word>, OpenQuote> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let behind = if matches!(first, '"' | '\'') {
            let (text, behind) = rest[1..].split_once(first).ok_or(OpenQuote(first))?;
            words.push(Word { text: text.into(), quoted: true });
            behind
        } else {
            let (text, behind) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
            words.push(Word { text: text.into(), quoted: false });
            behind
        };
        rest = behind.trim_start();
    }
    Ok(words)
}

/// The words of a program's arguments: the program's caller has taken the quotation marks away.
pub fn of_arguments(arguments: &[String]) -> Vec<Word> {
    arguments.iter().map(|text| Word { text: text.clone(), quoted: false }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, want) in [
            ("", vec![]),
            ("   ", vec![]),
            ("ls /", vec!["ls", "/"]),
            ("  set  /a\t1 ", vec!["set", "/a", "1"]),
            ("set /a \"two words\"", vec!["set", "/a", "two words"]),
            ("set /a 'it is \"so\"' -s", vec!["set", "/a", "it is \"so\"", "-s"]),
            ("set /a \"\"", vec!["set", "/a", ""]),
            ("set /a it's", vec!["set", "/a", "it's"]),
            ("set /ä 'ü'", vec!["set", "/ä", "ü"]),
        ] {
            let words = split(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>(), want, "{line:?}");
        }
        let words = split("set \"-s\" -s").unwrap();
        assert_eq!(words.iter().map(|w| w.quoted).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn open_quotes() {
        for (line, mark) in [("set /a \"x", '"'), ("set '", '\'')] {
            assert_eq!(split(line), Err(OpenQuote(mark)), "{line:?}");
        }
    }
}
