//! A certificate's subject as Java writes it (RFC 2253): the identity of scheme `x509`.

use std::fmt::Write as _;
use x509_parser::asn1_rs::Tag;
use x509_parser::error::X509Error;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer as _, X509Certificate, X509Name};

/// The attribute types that have a name in RFC 2253.
const NAMES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The subject of a certificate in DER.
///
/// # Errors
/// It is no certificate.
pub fn of(der: &[u8]) -> Result<String, X509Error> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| match e {
        x509_parser::nom::Err::Error(e) | x509_parser::nom::Err::Failure(e) => e,
        x509_parser::nom::Err::Incomplete(_) => X509Error::Generic,
    })?;
    Ok(text(certificate.subject()))
}

/// The last part first, as RFC 2253 has it.
fn text(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

/// A type without a name, and a value that is no text, are written in numbers.
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    let is_text = matches!(
        value.tag(),
        Tag::PrintableString
            | Tag::Utf8String
            | Tag::TeletexString
            | Tag::Ia5String
            | Tag::GeneralString
            | Tag::BmpString
            | Tag::UniversalString
    );
    match NAMES.iter().find(|(known, _)| *known == oid) {
        Some((_, name)) if is_text => format!("{name}={}", escaped(&String::from_utf8_lossy(value.data))),
        known => {
            let mut out = format!("{}=#", known.map_or(oid.as_str(), |(_, name)| name));
            let der = x509_parser::asn1_rs::ToDer::to_der_vec(value).unwrap_or_default();
            for byte in der {
                // Writing into a String can't fail.
                let _ = write!(out, "{byte:02x}");
            }
            out
        }
    }
}

/// A value with what has a meaning in names escaped, and blanks at its ends.
fn escaped(value: &str) -> String {
    let is_blank = |c: char| matches!(c, ' ' | '\r');
    let body = value.trim_matches(is_blank);
    let lead = value.len() - value.trim_start_matches(is_blank).len();
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let at_an_end = at < lead || at >= lead + body.len();
        match c {
            '\0' => out.push_str("\\00"),
            ',' | '=' | '+' | '<' | '>' | '#' | ';' | '"' | '\\' => out.extend(['\\', c]),
            c if at_an_end => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_java_does() {
        for (value, expected) in [
            ("bob", "bob"),
            ("a,b+c=d", "a\\,b\\+c\\=d"),
            ("\"<#;>\\", "\\\"\\<\\#\\;\\>\\\\"),
            (" a b ", "\\ a b\\ "),
            ("  ", "\\ \\ "),
            ("", ""),
            ("\u{e4}\0", "\u{e4}\\00"),
        ] {
            assert_eq!(escaped(value), expected, "{value:?}");
        }
    }

    #[test]
    fn what_is_no_certificate() {
        assert!(of(b"").is_err() && of(&[0x30, 0x82, 0xff, 0xff]).is_err() && of(&[0; 40]).is_err());
    }
}
