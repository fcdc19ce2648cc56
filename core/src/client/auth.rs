//! What a client authenticates with. It is said again on every connection, before the watches and before any request:
//! a server knows only what was said on that connection (client-protocol §9.2, §21).

use crate::wire::client::Request;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::Serialize;

/// One proof of identity, such as `digest` and `user:password`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// `digest`, `ip` …
    pub scheme: String,
    /// What the scheme needs. Never shown.
    #[serde(skip)]
    pub auth: Option<Bytes>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.scheme)
    }
}

/// All proofs of a client, and those on their way.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Credentials {
    known: Vec<Credential>,
    /// Schemes of packets without an answer, oldest first.
    asked: VecDeque<String>,
}

impl Credentials {
    /// Keeps one for every later connection. The same one is kept once.
    pub fn keep(&mut self, credential: Credential) {
        if !self.known.contains(&credential) {
            self.known.push(credential);
        }
    }

    /// All that have to be said on a new connection, in the order in which they were given.
    pub fn say_again(&mut self) -> Vec<Request> {
        self.asked.clear();
        let known = self.known.clone();
        known.iter().map(|credential| self.say(credential)).collect()
    }

    /// The packet for one; its answer is then expected.
    pub fn say(&mut self, credential: &Credential) -> Request {
        self.asked.push_back(credential.scheme.clone());
        Request::Auth { scheme: credential.scheme.clone(), auth: credential.auth.clone() }
    }

    /// An answer came: the scheme it is for, or nothing if none was expected.
    pub fn answered(&mut self) -> Option<String> {
        self.asked.pop_front()
    }

    /// Answers that are still to come.
    pub fn pending(&self) -> usize {
        self.asked.len()
    }

    /// The connection is gone, and with it the answers.
    pub fn lost(&mut self) {
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn digest(auth: &'static str) -> Credential {
        Credential { scheme: "digest".into(), auth: Some(Bytes::from_static(auth.as_bytes())) }
    }

    #[test]
    fn each_is_said_once_a_connection_in_its_order() {
        let mut credentials = Credentials::default();
        let (first, second) = (digest("a:b"), Credential { scheme: "ip".into(), auth: None });
        for credential in [&first, &second, &first] {
            credentials.keep(credential.clone());
        }
        let packets = credentials.say_again();
        let packet = |c: &Credential| Request::Auth { scheme: c.scheme.clone(), auth: c.auth.clone() };
        assert_eq!(packets, [packet(&first), packet(&second)]);
        assert_eq!(credentials.answered().as_deref(), Some("digest"));
        assert_eq!(credentials.say_again(), packets);
        let answers = [credentials.answered(), credentials.answered(), credentials.answered()];
        assert_eq!(answers.map(|a| a.unwrap_or_default()), ["digest", "ip", ""]);
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", digest("user:secret")), "Credential(digest)");
    }
}
