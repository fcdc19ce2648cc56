//! Access lists as people type and read them: `scheme:id:perms,scheme:id:perms`, with the letters `cdrwa`, as zkCli
//! takes them.

use crate::wire::record::{Acl, Id, perms};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Permissions by their letters, in Apache's order.
pub const PERMS: [(char, i32); 5] =
    [('c', perms::CREATE), ('d', perms::DELETE), ('r', perms::READ), ('w', perms::WRITE), ('a', perms::ADMIN)];

/// What is wrong with a typed access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclTextError {
    /// An entry without its two colons.
    Form(String),
    /// A letter that is no permission.
    Letter(char),
}

impl fmt::Display for AclTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AclTextError::Form(text) => write!(f, "\"{text}\" does not have the form scheme:id:perms"),
            AclTextError::Letter(letter) => write!(f, "\"{letter}\" is no permission; there are cdrwa"),
        }
    }
}
impl core::error::Error for AclTextError {}

/// Reads a list. An id may have colons of its own.
///
/// # Errors
/// The first entry that is none.
pub fn parse(text: &str) -> Result<Vec<Acl>, AclTextError> {
    let entry = |text: &str| {
        let form = || AclTextError::Form(text.into());
        let (scheme, rest) = text.split_once(':').ok_or_else(form)?;
        let (id, letters) = rest.rsplit_once(':').ok_or_else(form)?;
        let mut bits = 0;
        for letter in letters.chars() {
            let known = PERMS.iter().find(|(known, _)| *known == letter);
            bits |= known.ok_or(AclTextError::Letter(letter))?.1;
        }
        Ok(Acl { perms: bits, id: Id { scheme: scheme.into(), id: id.into() } })
    };
    text.split(',').map(entry).collect()
}

/// The permissions' letters.
pub fn letters(bits: i32) -> String {
    PERMS.iter().filter(|(_, bit)| bits & bit != 0).map(|(letter, _)| *letter).collect()
}

/// An entry as it is typed.
pub fn text(acl: &Acl) -> String {
    format!("{}:{}:{}", acl.id.scheme, acl.id.id, letters(acl.perms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn lists_are_read_and_written_alike() {
        for line in ["world:anyone:r", "world:anyone:cdrwa", "digest:a:b=:rw,ip:10.0.0.0/8:r", "auth::cdrwa"] {
            let list = parse(line).unwrap();
            assert_eq!(list.iter().map(text).collect::<Vec<_>>().join(","), line);
        }
        assert_eq!(parse("digest:user:hash=:r").unwrap()[0].id.id.to_string(), "user:hash=");
    }

    #[test]
    fn what_is_no_list_is_named() {
        assert_eq!(parse(""), Err(AclTextError::Form("".into())));
        assert_eq!(parse("world:anyone:r,x"), Err(AclTextError::Form("x".into())));
        assert_eq!(parse("world"), Err(AclTextError::Form("world".into())));
        assert_eq!(parse("world:anyone"), Err(AclTextError::Form("world:anyone".into())));
        assert_eq!(parse("world:anyone:rx"), Err(AclTextError::Letter('x')));
    }
}
