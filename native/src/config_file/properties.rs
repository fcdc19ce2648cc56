//! Java's properties syntax, in which `zoo.cfg` is written: comments, line continuation, escapes, three kinds of
//! separator. Nothing here knows what the keys mean.

use super::ConfigError;
use std::path::Path;

/// One `key=value` of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line it begins in, from 1.
    pub line: usize,
    /// Escapes resolved.
    pub key: String,
    /// Escapes resolved, blanks around it removed.
    pub value: String,
}

/// All entries in the order of the file, repeated keys included.
///
/// # Errors
/// Bytes that are not UTF-8 and `\u` escapes without four hexadecimal digits, with their line.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<Entry>, ConfigError> {
    let syntax = |line, what: &str| ConfigError::Syntax { file: file.into(), line, what: what.into() };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        syntax(line, "it is not UTF-8 text; save the file as UTF-8")
    })?;
    let mut entries = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_string();
        while ends_in_escape(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, more)) => logical.push_str(more.trim_start()),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let unescaped = |raw: &str| {
            unescape(raw).ok_or_else(|| syntax(index + 1, "\\u must be followed by four hexadecimal digits"))
        };
        entries.push(Entry { line: index + 1, key: unescaped(key)?, value: unescaped(value)?.trim().to_string() });
    }
    Ok(entries)
}

/// Whether an odd number of backslashes ends the line.
fn ends_in_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or blank that is not escaped; one `=` or `:` and the blanks around it separate.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let separates = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
            escaped = !escaped && *c == '\\';
            separates
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

/// `None` for a `\u` without its digits. A surrogate, which is no character, becomes U+FFFD.
fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let mut code = 0;
                for _ in 0..4 {
                    code = code * 16 + chars.next()?.to_digit(16)?;
                }
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        let entries = parse(Path::new("zoo.cfg"), text.as_bytes()).expect("valid properties");
        entries.into_iter().map(|e| (e.line, e.key, e.value)).collect()
    }

    #[test]
    fn javas_syntax() {
        for (text, key, value) in [
            ("a=1", "a", "1"),
            ("a = 1 ", "a", "1"),
            ("  a:1", "a", "1"),
            ("a 1", "a", "1"),
            ("a", "a", ""),
            ("a=b=c", "a", "b=c"),
            ("a\\=b=c", "a=b", "c"),
            ("a=C:\\\\zk", "a", "C:\\zk"),
            ("a=\\u0041\\tb", "a", "A\tb"),
            ("a=one,\\\n   two", "a", "one,two"),
            ("a=end\\", "a", "end"),
            ("a==", "a", "="),
            ("a=1\r\n", "a", "1"),
            ("server.1=h:2888:3888;2181", "server.1", "h:2888:3888;2181"),
        ] {
            assert_eq!(pairs(text), [(1, key.to_string(), value.to_string())], "{text:?}");
        }
    }

    #[test]
    fn comments_blank_lines_and_line_numbers() {
        let entries = pairs("# x=1\n\n  ! y=2\na=1\\\n2\nb=3\na=4\n");
        let expected = [(4, "a", "12"), (6, "b", "3"), (7, "a", "4")];
        assert_eq!(entries, expected.map(|(l, k, v)| (l, k.to_string(), v.to_string())));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (bytes, line) in [(&b"a=1\nb=\\u12"[..], 2), (b"a=1\nb=2\nc=\xff", 3), (b"a=\\uzzzz", 1)] {
            let error = parse(Path::new("zoo.cfg"), bytes).expect_err("not valid").to_string();
            assert!(error.starts_with(&format!("zoo.cfg, line {line}: ")), "{error}");
        }
    }
}
