//! Who may do what: the keys that Apache's server takes as Java properties, under the same names.

use super::ConfigError;
use super::keys::Keys;
use super::properties::Entry;
use std::collections::BTreeSet;
use zebu_core::config::{AccessRules, DigestAlgorithm};

/// Reads the rules of access.
///
/// # Errors
/// A wrong value, or one that asks for what is not there.
pub fn access(keys: &mut Keys<'_>) -> Result<AccessRules, ConfigError> {
    let mut rules =
        AccessRules { skip_acl: keys.word("skipACL", &["no", "yes"])? == Some(1), ..AccessRules::default() };
    digest(keys, &mut rules)?;
    providers(keys, &mut rules)?;
    rules.x509_super = text(keys, "X509AuthenticationProvider.superUser", "the subject of a certificate")?;
    rules.any_sasl_user = text(keys, "letAnySaslUserDoX", "the name of a user")?;
    rules.sasl_supers.extend(text(keys, "superUser", "the name of a SASL user")?);
    for entry in keys.with_prefix("superUser.") {
        rules.sasl_supers.insert(not_empty(keys, entry, "the name of a SASL user")?);
    }
    rules.allow_failed_sasl = keys.flag("allowSaslFailedClients", false)?;
    rules.eager = keys.flag("enableEagerACLCheck", false)?;
    enforced(keys, &mut rules)?;
    Ok(rules)
}

fn digest(keys: &mut Keys<'_>, rules: &mut AccessRules) -> Result<(), ConfigError> {
    const ALGORITHMS: &str = "one of SHA-1, SHA-224, SHA-256, SHA-384, SHA-512 or MD5";
    if let Some(entry) = keys.find("DigestAuthenticationProvider.digestAlg") {
        let algorithm = DigestAlgorithm::from_name(&entry.value).ok_or_else(|| keys.wrong(entry, ALGORITHMS))?;
        rules.digest = Some(algorithm);
    }
    if !keys.flag("DigestAuthenticationProvider.enabled", true)? {
        rules.digest = None;
    }
    if let Some(entry) = keys.find("DigestAuthenticationProvider.superDigest") {
        if !zebu_core::auth::digest::is_valid(&entry.value) {
            return Err(keys.wrong(entry, "user:hash, as zebu or zkCli print it for a digest id"));
        }
        rules.super_digest = Some(entry.value.clone());
    }
    Ok(())
}

/// `authProvider.<n>` loads a provider; `x509` comes with a secure port on its own.
fn providers(keys: &mut Keys<'_>, rules: &mut AccessRules) -> Result<(), ConfigError> {
    const PACKAGE: &str = "org.apache.zookeeper.server.auth.";
    for entry in keys.with_prefix("authProvider.") {
        match entry.value.strip_prefix(PACKAGE) {
            Some("SASLAuthenticationProvider") => rules.sasl = true,
            Some("X509AuthenticationProvider") => rules.x509 = true,
            // They are there anyway.
            Some("IPAuthenticationProvider" | "DigestAuthenticationProvider") => {}
            _ => {
                let allowed = format!("{PACKAGE}SASLAuthenticationProvider or {PACKAGE}X509AuthenticationProvider");
                return Err(keys.wrong(entry, allowed));
            }
        }
    }
    Ok(())
}

/// The schemes that a client must have authenticated by; each has to have a provider.
fn enforced(keys: &mut Keys<'_>, rules: &mut AccessRules) -> Result<(), ConfigError> {
    let by_sasl = keys.flag("sessionRequireClientSASLAuth", false)?;
    let enabled = keys.flag("enforce.auth.enabled", false)?;
    let entry = keys.find("enforce.auth.schemes");
    let mut schemes: BTreeSet<String> = BTreeSet::new();
    if by_sasl {
        schemes.insert("sasl".into());
    } else if enabled {
        let listed = entry.map_or("", |entry| &entry.value).split(',').map(str::trim).filter(|name| !name.is_empty());
        schemes.extend(listed.map(String::from));
        if schemes.is_empty() {
            return Err(keys.missing("enforce.auth.schemes", "the schemes of which enforce.auth.enabled wants one"));
        }
    }
    let loaded = |scheme: &str| match scheme {
        "ip" => true,
        "digest" => rules.digest.is_some(),
        "x509" => rules.x509,
        "sasl" => rules.sasl,
        _ => false,
    };
    if let Some(unknown) = schemes.iter().find(|scheme| !loaded(scheme)) {
        let by = if by_sasl { keys.find("sessionRequireClientSASLAuth") } else { entry };
        let allowed = format!(
            "only schemes with a provider; {unknown} has none (sasl and x509 need a line \
             authProvider.1=org.apache.zookeeper.server.auth....AuthenticationProvider)"
        );
        return Err(match by {
            Some(entry) => keys.wrong(entry, allowed),
            None => keys.missing("enforce.auth.schemes", allowed),
        });
    }
    rules.enforced = schemes;
    Ok(())
}

fn text(keys: &mut Keys<'_>, key: &str, what: &str) -> Result<Option<String>, ConfigError> {
    match keys.find(key) {
        Some(entry) => not_empty(keys, entry, what).map(Some),
        None => Ok(None),
    }
}

fn not_empty(keys: &Keys<'_>, entry: &Entry, what: &str) -> Result<String, ConfigError> {
    if entry.value.is_empty() { Err(keys.wrong(entry, what)) } else { Ok(entry.value.clone()) }
}

#[cfg(test)]
mod tests {
    use super::super::ZooCfg;
    use super::*;
    use std::path::Path;

    const ALONE: &str = "dataDir=/tmp/zebu-config-test\nclientPort=2181\n";
    const SASL: &str = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n";

    fn read(text: &str) -> Result<ZooCfg, ConfigError> {
        ZooCfg::from_bytes(Path::new("zoo.cfg"), format!("{ALONE}{text}").as_bytes())
    }

    fn rules(text: &str) -> AccessRules {
        let cfg = read(text).expect(text);
        let unknown: Vec<_> = cfg.remarks.iter().filter(|remark| remark.contains("is not known")).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        (*cfg.access).clone()
    }

    #[test]
    fn every_key_by_both_of_its_names() {
        assert_eq!(rules(""), AccessRules::default());
        let some = |text: &str| Some(text.to_string());
        let default = AccessRules::default;
        let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let cases = [
            ("skipACL=yes\n", AccessRules { skip_acl: true, ..default() }),
            ("skipACL=no\n", default()),
            (
                "DigestAuthenticationProvider.digestAlg=SHA-256\n",
                AccessRules { digest: Some(DigestAlgorithm::Sha256), ..default() },
            ),
            ("DigestAuthenticationProvider.enabled=false\n", AccessRules { digest: None, ..default() }),
            (
                "DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=\n",
                AccessRules { super_digest: some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs="), ..default() },
            ),
            (
                "X509AuthenticationProvider.superUser=CN=root,O=Zebu\n",
                AccessRules { x509_super: some("CN=root,O=Zebu"), ..default() },
            ),
            ("superUser=a\nsuperUser.1=b\n", AccessRules { sasl_supers: set(&["a", "b"]), ..default() }),
            ("letAnySaslUserDoX=anybody\n", AccessRules { any_sasl_user: some("anybody"), ..default() }),
            ("allowSaslFailedClients=true\n", AccessRules { allow_failed_sasl: true, ..default() }),
            ("enableEagerACLCheck=true\n", AccessRules { eager: true, ..default() }),
            (SASL, AccessRules { sasl: true, ..default() }),
            (
                "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider\n",
                AccessRules { x509: true, ..default() },
            ),
            (
                "enforce.auth.enabled=true\nenforce.auth.schemes=digest, ip\n",
                AccessRules { enforced: set(&["digest", "ip"]), ..default() },
            ),
            ("enforce.auth.schemes=digest\n", default()),
        ];
        for (text, expected) in cases {
            assert_eq!(rules(text), expected, "{text}");
            let prefixed: String = text.lines().map(|line| format!("zookeeper.{line}\n")).collect();
            assert_eq!(rules(&prefixed), expected, "{prefixed}");
        }
        let required = rules(&format!("{SASL}sessionRequireClientSASLAuth=true\n"));
        assert_eq!((required.enforced, required.sasl), (set(&["sasl"]), true));
    }

    #[test]
    fn every_wrong_value_is_named() {
        for (line, allowed) in [
            ("skipACL=true", "no or yes"),
            ("DigestAuthenticationProvider.digestAlg=CRC", "one of SHA-1"),
            ("DigestAuthenticationProvider.enabled=yes", "false or true"),
            ("DigestAuthenticationProvider.superDigest=admin", "user:hash"),
            ("zookeeper.DigestAuthenticationProvider.superDigest=admin", "user:hash"),
            ("X509AuthenticationProvider.superUser=", "the subject of a certificate"),
            ("superUser=", "the name of a SASL user"),
            ("superUser.1=", "the name of a SASL user"),
            ("letAnySaslUserDoX=", "the name of a user"),
            ("allowSaslFailedClients=1", "false or true"),
            ("enableEagerACLCheck=1", "false or true"),
            ("authProvider.1=com.example.Mine", "SASLAuthenticationProvider or"),
            ("sessionRequireClientSASLAuth=true", "sasl has none"),
        ] {
            let error = read(&format!("{line}\n")).expect_err(line).to_string();
            let (key, value) = line.split_once('=').expect("key=value");
            let head = format!("zoo.cfg, line 3: {key}={value} is not allowed: {key} must be ");
            assert!(error.starts_with(&head) && error.contains(allowed), "{line}: {error}");
        }
        let error = read("enforce.auth.enabled=true\n").expect_err("no schemes").to_string();
        assert!(error.contains("enforce.auth.schemes is missing"), "{error}");
        let error = read("enforce.auth.enabled=true\nenforce.auth.schemes=x509\n").expect_err("no x509").to_string();
        assert!(error.contains("line 4: enforce.auth.schemes=x509") && error.contains("x509 has none"), "{error}");
    }
}
