//! The server's side: it asks, checks the answer and proves that it knows the password too.

use super::directives::Directives;
use super::{COUNT, Failure, REALM, Secrets, TOKEN_MAX, same, uri};
use crate::collections::BTreeMap;
use crate::config::Secret;
use alloc::format;
use alloc::string::String;
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;

/// Random bytes that a nonce is made of.
pub const NONCE_SIZE: usize = 30;

/// What the server says to a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its own token.
    pub token: Bytes,
    /// Who the client is, once it has shown it.
    pub user: Option<String>,
}

/// The exchange with one client. There is one try a connection, as in Apache's server: after it, good or bad, every
/// further token fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    nonce: String,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing was said yet.
    Begin,
    /// The challenge is out.
    Asked,
    /// It is over.
    Ended,
}

impl Server {
    /// An exchange of its own; `nonce` is random and never used for another.
    pub fn new(nonce: &[u8; NONCE_SIZE]) -> Server {
        Server { nonce: Base64::encode_string(nonce), step: Step::Begin }
    }

    /// The client's next token, and what to answer; `users` are those who may authenticate, with their passwords.
    ///
    /// # Errors
    /// The client has not shown who it is, see [`Failure`].
    pub fn respond(&mut self, users: &BTreeMap<String, Secret>, token: &[u8]) -> Result<Reply, Failure> {
        let step = core::mem::replace(&mut self.step, Step::Ended);
        if token.len() > TOKEN_MAX {
            return Err(Failure::TooLong(token.len()));
        }
        match step {
            Step::Begin if token.is_empty() => {
                self.step = Step::Asked;
                Ok(Reply { token: self.challenge().into(), user: None })
            }
            Step::Asked => self.check(users, token),
            Step::Begin | Step::Ended => Err(Failure::OutOfTurn),
        }
    }

    /// The quality of protection is not named, as Java's server does it: then it is `auth`.
    fn challenge(&self) -> String {
        format!("realm=\"{REALM}\",nonce=\"{}\",charset=utf-8,algorithm=md5-sess", self.nonce)
    }

    fn check(&self, users: &BTreeMap<String, Secret>, token: &[u8]) -> Result<Reply, Failure> {
        let said = Directives::parse(token, false)?;
        let must = |name, right: bool| if right { Ok(()) } else { Err(Failure::Wrong(name)) };
        must("charset", said.get("charset").is_none_or(|charset| charset == b"utf-8"))?;
        must("maxbuf", said.text("maxbuf")?.is_none_or(|size| size.parse::<u32>().is_ok()))?;
        let user = said.text("username")?.ok_or(Failure::Missing("username"))?;
        must("realm", said.get("realm") == Some(REALM.as_bytes()))?;
        must("nonce", said.need("nonce")? == self.nonce.as_bytes())?;
        let cnonce = said.need("cnonce")?;
        must("nc", said.get("nc").is_none_or(|count| count == COUNT.as_bytes()))?;
        must("qop", said.get("qop").is_none_or(|qop| qop == b"auth"))?;
        let our_uri = uri();
        let uri = said.need("digest-uri")?;
        must("digest-uri", uri.eq_ignore_ascii_case(our_uri.as_bytes()))?;
        let response = said.need("response")?;
        let password = users.get(user).ok_or_else(|| Failure::UnknownUser(user.into()))?.reveal();
        let authzid = said.get("authzid");
        let secrets = Secrets { user, realm: REALM, password, nonce: self.nonce.as_bytes(), cnonce, authzid, uri };
        if !same(secrets.response().as_bytes(), response) {
            return Err(Failure::WrongPassword(user.into()));
        }
        // Whoever it says it wants to be: it is whose password it knows.
        Ok(Reply { token: format!("rspauth={}", secrets.rspauth()).into(), user: Some(user.into()) })
    }
}
