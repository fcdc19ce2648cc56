//! The lists of `name=value` that tokens consist of (RFC 2831 §7.1).

use super::Failure;
use alloc::string::String;
use alloc::vec::Vec;

/// The directives of a token that have a meaning here, in the spelling of the RFC.
const NAMES: [&str; 13] = [
    "username",
    "realm",
    "nonce",
    "cnonce",
    "nc",
    "qop",
    "digest-uri",
    "response",
    "maxbuf",
    "charset",
    "authzid",
    "algorithm",
    "rspauth",
];

/// A token, understood. Each directive comes once; of a server's realms, which may be several, the first counts.
/// Directives without a meaning here are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    list: Vec<(&'static str, Vec<u8>)>,
}

impl Directives {
    /// Reads a token; `realms` tells that there may be several of them.
    pub(super) fn parse(token: &[u8], realms: bool) -> Result<Directives, Failure> {
        let mut directives = Directives::default();
        let mut rest = token;
        loop {
            rest = skip(rest, |b| is_blank(b) || b == b',');
            if rest.is_empty() {
                return Ok(directives);
            }
            let end = rest.iter().position(|b| *b == b'=').ok_or(Failure::Malformed)?;
            let name = rest.get(..end).unwrap_or_default().trim_ascii();
            let (value, behind) = value(skip(rest.get(end + 1..).unwrap_or_default(), is_blank))?;
            rest = skip(behind, is_blank);
            if !rest.is_empty() && rest.first() != Some(&b',') {
                return Err(Failure::Malformed);
            }
            if name.is_empty() {
                return Err(Failure::Malformed);
            }
            let Some(name) = NAMES.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes())) else {
                continue;
            };
            match directives.get(name) {
                None => directives.list.push((name, value)),
                Some(_) if realms && name == "realm" => {}
                Some(_) => return Err(Failure::Repeated(name)),
            }
        }
    }

    /// The value of a directive.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.list.iter().find(|(known, _)| *known == name).map(|(_, value)| &value[..])
    }

    /// The value of a directive that must be there.
    pub(super) fn need(&self, name: &'static str) -> Result<&[u8], Failure> {
        self.get(name).ok_or(Failure::Missing(name))
    }

    /// The same as text.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        self.get(name).map(|value| core::str::from_utf8(value).map_err(|_| Failure::Wrong(name))).transpose()
    }
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip(bytes: &[u8], what: impl Fn(u8) -> bool) -> &[u8] {
    let from = bytes.iter().position(|b| !what(*b)).unwrap_or(bytes.len());
    bytes.get(from..).unwrap_or_default()
}

/// A value in quotes, in which a backslash makes the next character ordinary, or up to the next comma or blank; and
/// what is behind it.
fn value(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), Failure> {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(|b| is_blank(*b) || *b == b',').unwrap_or(bytes.len());
        let (value, behind) = bytes.split_at(end);
        return if value.is_empty() { Err(Failure::Malformed) } else { Ok((value.to_vec(), behind)) };
    };
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match quoted.get(at) {
            Some(b'"') => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            Some(b'\\') => {
                value.push(*quoted.get(at + 1).ok_or(Failure::Malformed)?);
                at += 2;
            }
            Some(b) => {
                value.push(*b);
                at += 1;
            }
            None => return Err(Failure::Malformed),
        }
    }
}

/// A text as it stands in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (token, expected) in [
            (r#"realm="a",nonce=b"#, &[("realm", "a"), ("nonce", "b")][..]),
            (r#" REALM = "a b, c" ,, qop=auth,"#, &[("realm", "a b, c"), ("qop", "auth")]),
            (r#"username="a\"b\\c",stale=true"#, &[("username", r#"a"b\c"#)]),
            (r#"realm="""#, &[("realm", "")]),
            ("", &[]),
            (",", &[]),
        ] {
            let directives = Directives::parse(token.as_bytes(), false).expect(token);
            let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
            assert_eq!(directives.list, expected, "{token}");
        }
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }

    #[test]
    fn what_is_no_list() {
        for (token, failure) in [
            ("realm", Failure::Malformed),
            ("realm=", Failure::Malformed),
            ("realm=,", Failure::Malformed),
            ("=a", Failure::Malformed),
            (r#"realm="a"#, Failure::Malformed),
            (r#"realm="a\"#, Failure::Malformed),
            (r#"realm="a"b"#, Failure::Malformed),
            ("nc=1,nc=1", Failure::Repeated("nc")),
            ("realm=a,realm=b", Failure::Repeated("realm")),
        ] {
            assert_eq!(Directives::parse(token.as_bytes(), false), Err(failure), "{token}");
        }
        let realms = Directives::parse(b"realm=a,realm=b", true).expect("several");
        assert_eq!(realms.get("realm"), Some(&b"a"[..]));
    }
}
