//! What can go wrong with a command, in zkCli's words where it has some.

use super::table::UsageError;
use serde_json::{Value, json};
use std::fmt;
use zebu_core::client::RequestError;
use zebu_core::error::ZkError;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was not understood, and nothing was asked.
    Usage(UsageError),
    /// The server refused it, at this path.
    Refused(ZkError, String),
    /// There is no answer; what is known of the servers that could not be used.
    NoAnswer(RequestError, Vec<String>),
    /// A rule of the client.
    Rule(String),
}

impl Failure {
    /// As one JSON object.
    pub fn json(&self) -> Value {
        let code = match self {
            Failure::Refused(error, _) => Some(error.code()),
            Failure::NoAnswer(error, _) => Some(error.code().code()),
            Failure::Usage(_) | Failure::Rule(_) => None,
        };
        json!({ "code": code, "message": self.to_string() })
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Failure {
        Failure::Usage(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(error) => error.fmt(f),
            Failure::Rule(text) => f.write_str(text),
            Failure::NoAnswer(error, troubles) if troubles.is_empty() => error.fmt(f),
            Failure::NoAnswer(error, troubles) => write!(f, "{error} ({})", troubles.join("; ")),
            Failure::Refused(error, path) => match error {
                ZkError::NoNode => write!(f, "Node does not exist: {path}"),
                ZkError::NoChildrenForEphemerals => write!(f, "Ephemerals cannot have children: {path}"),
                ZkError::NodeExists => write!(f, "Node already exists: {path}"),
                ZkError::NotEmpty => write!(f, "Node not empty: {path}"),
                ZkError::NotReadOnly => write!(f, "Not a read-only call: {path}"),
                ZkError::InvalidAcl => write!(f, "Acl is not valid : {path}"),
                ZkError::NoAuth => write!(f, "Insufficient permission : {path}"),
                ZkError::BadArguments => write!(f, "Arguments are not valid : {path}"),
                ZkError::BadVersion => write!(f, "version No is not valid : {path}"),
                ZkError::QuotaExceeded => write!(f, "Quota has exceeded : {path}"),
                ZkError::NoWatcher => write!(f, "No such watch: {path}"),
                other if path.is_empty() => other.fmt(f),
                other => write!(f, "{other}: {path}"),
            },
        }
    }
}
impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_codes() {
        let refused = |error| Failure::Refused(error, "/a".into());
        let nobody = Failure::NoAnswer(RequestError::NotServed, vec!["h:1: connection refused".into()]);
        for (failure, text, code) in [
            (refused(ZkError::NoNode), "Node does not exist: /a", json!(-101)),
            (refused(ZkError::BadVersion), "version No is not valid : /a", json!(-103)),
            (refused(ZkError::ReconfigDisabled), "reconfiguration is disabled: /a", json!(-123)),
            (nobody, "no server could be reached; nothing was sent (h:1: connection refused)", json!(-4)),
            (Failure::Rule("no".into()), "no", json!(null)),
        ] {
            assert_eq!(failure.to_string(), text);
            assert_eq!(failure.json(), json!({ "code": code, "message": text }));
        }
    }
}
