//! Who may do what, as an operator sets it: which providers of identities there are, who is a superuser, what a
//! client must have shown before it is served.

use crate::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::fmt;

/// A password. It shows itself to nobody who prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a password in.
    pub fn new(password: impl Into<String>) -> Secret {
        Secret(password.into())
    }

    /// Gives it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The hash behind ids of the scheme `digest` (`DigestAuthenticationProvider.digestAlg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// MD5
    Md5,
    /// SHA-1, the default.
    Sha1,
    /// SHA-224
    Sha224,
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl DigestAlgorithm {
    /// The algorithm of one of Java's names, whatever its case.
    pub fn from_name(name: &str) -> Option<DigestAlgorithm> {
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        Some(match name {
            _ if is(&["MD5"]) => DigestAlgorithm::Md5,
            _ if is(&["SHA-1", "SHA1", "SHA"]) => DigestAlgorithm::Sha1,
            _ if is(&["SHA-224", "SHA224"]) => DigestAlgorithm::Sha224,
            _ if is(&["SHA-256", "SHA256"]) => DigestAlgorithm::Sha256,
            _ if is(&["SHA-384", "SHA384"]) => DigestAlgorithm::Sha384,
            _ if is(&["SHA-512", "SHA512"]) => DigestAlgorithm::Sha512,
            _ => return None,
        })
    }
}

/// The rules of access of one server (client-protocol §9, §18). `world`, `ip` and `super` are always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRules {
    /// Everybody may do everything (`skipACL=yes`). Lists must be well formed all the same.
    pub skip_acl: bool,
    /// The hash of `digest` ids; `None` if there is no such provider (`DigestAuthenticationProvider.enabled=false`).
    pub digest: Option<DigestAlgorithm>,
    /// The `user:hash` that is superuser (`DigestAuthenticationProvider.superDigest`).
    pub super_digest: Option<String>,
    /// Whether `x509` ids are known.
    pub x509: bool,
    /// The subject that is superuser (`X509AuthenticationProvider.superUser`).
    pub x509_super: Option<String>,
    /// Whether `sasl` ids are known (`authProvider.<n>` names SASL's provider). Clients may authenticate without it,
    /// but no list can name them then.
    pub sasl: bool,
    /// Who may authenticate by SASL with which password; `None` if there is no SASL at all.
    pub sasl_users: Option<BTreeMap<String, Secret>>,
    /// The SASL users that are superusers (`superUser`, `superUser.<n>`).
    pub sasl_supers: BTreeSet<String>,
    /// A user of lists that stands for every SASL user (`letAnySaslUserDoX`).
    pub any_sasl_user: Option<String>,
    /// A connection whose SASL authentication failed goes on (`allowSaslFailedClients`), unless it has to succeed.
    pub allow_failed_sasl: bool,
    /// Schemes of which a client must have an identity before it is served; empty if it need not
    /// (`enforce.auth.enabled` and `enforce.auth.schemes`, or `sessionRequireClientSASLAuth`).
    pub enforced: BTreeSet<String>,
    /// The server that a write comes in at refuses it if its own tree says so (`enableEagerACLCheck`).
    pub eager: bool,
}

impl Default for AccessRules {
    /// Apache's defaults.
    fn default() -> AccessRules {
        AccessRules {
            skip_acl: false,
            digest: Some(DigestAlgorithm::Sha1),
            super_digest: None,
            x509: false,
            x509_super: None,
            sasl: false,
            sasl_users: None,
            sasl_supers: BTreeSet::new(),
            any_sasl_user: None,
            allow_failed_sasl: false,
            enforced: BTreeSet::new(),
            eager: false,
        }
    }
}

impl AccessRules {
    /// Whether a client that has not authenticated by SASL is not served.
    pub fn requires_sasl(&self) -> bool {
        self.enforced.contains("sasl")
    }
}
