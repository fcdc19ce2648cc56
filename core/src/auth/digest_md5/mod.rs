//! SASL's mechanism DIGEST-MD5 (RFC 2831) as ZooKeeper uses it (client-protocol §18): both sides of the exchange,
//! without I/O.
//!
//! ```text
//! client                                     server
//!   (empty) ────────────────────────────────►
//!   ◄──────── realm, nonce, charset, algorithm
//!   username, realm, nonce, cnonce, response ►
//!   ◄──────────────────────────────── rspauth
//! ```
//!
//! Each side proves that it knows the password; only hashes of it travel. Nothing of what follows is protected: the
//! quality of protection is always `auth`.

mod client;
mod directives;
mod server;

pub use client::Client;
pub use server::{NONCE_SIZE, Reply, Server};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use md5::{Digest as _, Md5};

/// The name of the host in `digest-uri`, and of the realm; of every server the same.
pub const REALM: &str = "zk-sasl-md5";

/// The name of the service in `digest-uri`.
pub const SERVICE: &str = "zookeeper";

/// The longest token that is looked at (RFC 2831 §2.1.2).
const TOKEN_MAX: usize = 4096;

/// The nonce count: each nonce is used once.
const COUNT: &str = "00000001";

/// Why an exchange failed. The other side is told nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The token is too long.
    TooLong(usize),
    /// The exchange is over, or not that far.
    OutOfTurn,
    /// The token is no list of directives.
    Malformed,
    /// A directive is missing.
    Missing(&'static str),
    /// A directive comes twice.
    Repeated(&'static str),
    /// A directive has a value that is not allowed here.
    Wrong(&'static str),
    /// There is no such user.
    UnknownUser(String),
    /// The response is not that of the right password.
    WrongPassword(String),
    /// The server has not shown that it knows the password.
    Impostor,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TooLong(size) => write!(f, "a token of {size} bytes is longer than {TOKEN_MAX}"),
            Failure::OutOfTurn => f.write_str("a token came out of turn"),
            Failure::Malformed => f.write_str("a token is no list of directives"),
            Failure::Missing(name) => write!(f, "the directive {name} is missing"),
            Failure::Repeated(name) => write!(f, "the directive {name} comes twice"),
            Failure::Wrong(name) => write!(f, "the directive {name} has a wrong value"),
            Failure::UnknownUser(user) => write!(f, "there is no user {user:?}"),
            Failure::WrongPassword(user) => write!(f, "the password of {user:?} is wrong"),
            Failure::Impostor => f.write_str("the server does not know the password"),
        }
    }
}
impl core::error::Error for Failure {}

/// What both sides compute their proofs from.
struct Secrets<'a> {
    user: &'a str,
    realm: &'a str,
    password: &'a str,
    nonce: &'a [u8],
    cnonce: &'a [u8],
    /// What the client wants to be; part of the proof if it says so.
    authzid: Option<&'a [u8]>,
    uri: &'a [u8],
}

impl Secrets<'_> {
    /// The client's proof.
    fn response(&self) -> String {
        self.proof(b"AUTHENTICATE:")
    }

    /// The server's proof.
    fn rspauth(&self) -> String {
        self.proof(b":")
    }

    /// RFC 2831 §2.1.2.1, with `qop=auth`.
    fn proof(&self, verb: &[u8]) -> String {
        let inner = hash(&[&bytes(self.user), b":", &bytes(self.realm), b":", &bytes(self.password)]);
        let mut a1: Vec<&[u8]> = Vec::from([&inner[..], b":", self.nonce, b":", self.cnonce]);
        if let Some(authzid) = self.authzid {
            a1.extend([&b":"[..], authzid]);
        }
        let (a1, a2) = (hex(&hash(&a1)), hex(&hash(&[verb, self.uri])));
        let count = COUNT.as_bytes();
        let parts: [&[u8]; 11] =
            [a1.as_bytes(), b":", self.nonce, b":", count, b":", self.cnonce, b":", b"auth", b":", a2.as_bytes()];
        hex(&hash(&parts))
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    md5.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A text as it is hashed: in ISO 8859-1 if it fits, else in UTF-8 (RFC 2831 §2.1.2.1).
fn bytes(text: &str) -> Vec<u8> {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    latin.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// Whether two proofs are the same, in a time that does not tell how much of them is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn uri() -> String {
    format!("{SERVICE}/{REALM}")
}

#[cfg(test)]
mod tests;
