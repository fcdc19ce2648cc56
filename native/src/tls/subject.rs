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

/// A type without a name, and a value that is no text, are written in numbers. What Java takes for text does not
/// include UniversalString.
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
    );
    match NAMES.iter().find(|(known, _)| *known == oid) {
        Some((_, name)) if is_text => format!("{name}={}", escaped(&read(value.data))),
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

/// The text of a value as Java reads it: as UTF-8, whatever kind of string it says it is, TeletexString and BMPString
/// too. What is no UTF-8 becomes U+FFFD as it does in Rust, but for a surrogate's bytes, which are one together.
fn read(bytes: &[u8]) -> String {
    let mut read = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (0xed, [0xa0..=0xbf, 0x80..=0xbf, behind @ ..] | [0xa0..=0xbf, behind @ ..]) => {
                // A byte that is never in UTF-8.
                read.push(0xff);
                behind
            }
            _ => {
                read.push(*first);
                behind
            }
        };
    }
    String::from_utf8_lossy(&read).into_owned()
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

    /// Names in DER, and what Java 17's `X500Principal.getName()` makes of them.
    #[test]
    fn names_are_written_as_java_does() {
        for (der, expected) in [
            (
                "302f310b300906035504061302444531123010060355040a0c095a6562752c20496e63310c300a06035504030c03616e6e",
                "CN=ann,O=Zebu\\, Inc,C=DE",
            ),
            (
                "3081a731173015060a0992268993f22c64011916076578616d706c6531123010060a0992268993f22c6401010c0275313114\
                 301206092a864886f70d01090116056140622e633117301506035504090c0e31203c4d61696e3e3b2022537422310e300c06\
                 035504080c05206c656164310f300d06035504070c06747261696c20310f300d060355040b0c06c3a43d235c2b310b300906\
                 0355040513023432310a300806035504030c0178",
                "CN=x,2.5.4.5=#13023432,OU=\u{e4}\\=\\#\\\\\\+,L=trail\\ ,ST=\\ lead,STREET=1 \\<Main\\>\\; \\\"St\\\",\
                 1.2.840.113549.1.9.1=#16056140622e63,UID=u1,DC=example",
            ),
            (
                "3029311b300806035504030c0161300f060a0992268993f22c6401010c0162310a3008060355040a0c016f",
                "O=o,CN=a+UID=b",
            ),
            // TeletexString: of Latin letters, of UTF-8, of blanks.
            ("300f310d300b06035504031404626f62e4", "CN=bob\u{fffd}"),
            ("300d310b300906035504031402c3a4", "CN=\u{e4}"),
            ("300b3109300706035504031400", "CN="),
            // BMPString, as it should be, and with a lone half of a character at its end.
            ("3011310f300d06035504031e060062006f0062", "CN=\\00b\\00o\\00b"),
            ("300f310d300b06035504031e044e2d6587", "CN=N-e\u{fffd}"),
            ("300d310b300906035504031e020020", "CN=\\00\\ "),
            ("3010310e300c06035504031e050062006f00", "CN=\\00b\\00o\\00"),
            // UniversalString and NumericString are no text.
            ("30133111300f06035504031c080000006200000062", "CN=#1c080000006200000062"),
            ("300e310c300a06035504031203626f62", "CN=#1203626f62"),
            // UTF8String that is none: a surrogate, whole and cut off; a character that is cut off; too long a form.
            ("300e310c300a06035504030c03eda080", "CN=\u{fffd}"),
            ("300f310d300b06035504030c04edbfbf41", "CN=\u{fffd}A"),
            ("300e310c300a06035504030c03e4b841", "CN=\u{fffd}A"),
            ("300e310c300a06035504030c03e08041", "CN=\u{fffd}\u{fffd}A"),
        ] {
            let bytes = unhex(der);
            let (_, name) = X509Name::from_der(&bytes).expect("a name");
            assert_eq!(text(&name), expected, "{der}");
        }
    }

    fn unhex(hex: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn what_is_no_certificate() {
        assert!(of(b"").is_err() && of(&[0x30, 0x82, 0xff, 0xff]).is_err() && of(&[0; 40]).is_err());
    }
}
