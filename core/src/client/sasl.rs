//! A client that proves by SASL's DIGEST-MD5 who it is: on every connection, behind the handshake and before anything
//! else (client-protocol §18).

use crate::auth::digest_md5;
use crate::config::Secret;
use crate::rng::Rng;
use alloc::format;
use alloc::string::String;
use bytes::Bytes;

/// A user whom the servers know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslUser {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// The exchanges of a client, one a connection.
#[derive(Clone, Debug)]
pub(crate) struct Sasl {
    user: SaslUser,
    /// For what is said only once.
    rng: Rng,
    exchange: Option<digest_md5::Client>,
}

impl Sasl {
    pub fn new(user: SaslUser, rng: Rng) -> Sasl {
        Sasl { user, rng, exchange: None }
    }

    /// Begins on a new connection: the first token.
    pub fn begin(&mut self) -> Bytes {
        let cnonce = format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64());
        let SaslUser { user, password } = self.user.clone();
        self.exchange = Some(digest_md5::Client::new(user, password, cnonce));
        Bytes::new()
    }

    /// The server's next token, and what to answer; `None` once both sides know that the other has the password.
    ///
    /// # Errors
    /// See [`digest_md5::Client::respond`].
    pub fn respond(&mut self, token: &[u8]) -> Result<Option<Bytes>, digest_md5::Failure> {
        self.exchange.as_mut().ok_or(digest_md5::Failure::OutOfTurn)?.respond(token)
    }
}
