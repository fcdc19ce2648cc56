//! The client's side: it answers the challenge, and checks that the server knows the password too.

use super::directives::{Directives, quoted};
use super::{COUNT, Failure, Secrets, TOKEN_MAX, same, uri};
use crate::config::Secret;
use alloc::format;
use alloc::string::String;
use bytes::Bytes;

/// The exchange with one server. Its first token is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    user: String,
    password: Secret,
    cnonce: String,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The challenge has not come yet.
    Begin,
    /// The answer is out; this is the proof the server owes.
    Answered { rspauth: String },
    /// It is over.
    Ended,
}

impl Client {
    /// An exchange for `user`; `cnonce` is random text.
    pub fn new(user: impl Into<String>, password: Secret, cnonce: impl Into<String>) -> Client {
        Client { user: user.into(), password, cnonce: cnonce.into(), step: Step::Begin }
    }

    /// The server's next token, and what to answer. `None` once both sides have shown that they know the password.
    ///
    /// # Errors
    /// The server asks for something that is not to be had, or does not know the password.
    pub fn respond(&mut self, token: &[u8]) -> Result<Option<Bytes>, Failure> {
        if token.len() > TOKEN_MAX {
            return Err(Failure::TooLong(token.len()));
        }
        let said = Directives::parse(token, true)?;
        match core::mem::replace(&mut self.step, Step::Ended) {
            Step::Begin => self.answer(&said).map(Some),
            Step::Answered { rspauth } if same(said.need("rspauth")?, rspauth.as_bytes()) => Ok(None),
            Step::Answered { .. } => Err(Failure::Impostor),
            Step::Ended => Err(Failure::OutOfTurn),
        }
    }

    fn answer(&mut self, said: &Directives) -> Result<Bytes, Failure> {
        let must = |name, right: bool| if right { Ok(()) } else { Err(Failure::Wrong(name)) };
        must("algorithm", said.need("algorithm")? == b"md5-sess")?;
        must("charset", said.get("charset").is_none_or(|charset| charset == b"utf-8"))?;
        let mut qops = said.text("qop")?.unwrap_or("auth").split(',').map(str::trim);
        must("qop", qops.any(|qop| qop == "auth"))?;
        let nonce = said.text("nonce")?.ok_or(Failure::Missing("nonce"))?;
        let (realm, uri) = (said.text("realm")?.unwrap_or_default(), uri());
        let secrets = Secrets {
            user: &self.user,
            realm,
            password: self.password.reveal(),
            nonce: nonce.as_bytes(),
            cnonce: self.cnonce.as_bytes(),
            authzid: None,
            uri: uri.as_bytes(),
        };
        let answer = format!(
            "charset=utf-8,username={},realm={},nonce={},nc={COUNT},cnonce={},digest-uri={},maxbuf=65536,response={},qop=auth",
            quoted(&self.user),
            quoted(realm),
            quoted(nonce),
            quoted(&self.cnonce),
            quoted(&uri),
            secrets.response(),
        );
        self.step = Step::Answered { rspauth: secrets.rspauth() };
        Ok(answer.into())
    }
}
