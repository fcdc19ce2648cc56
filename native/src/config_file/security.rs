//! Who may do what: the keys that Apache's server takes as Java properties, under the same names.

use super::keys::Keys;
use super::properties::Entry;
use super::{ConfigError, jaas};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use zebu_core::config::{AccessRules, DigestAlgorithm, Secret};

/// Reads the rules of access; `secure` tells that there is a port with TLS.
///
/// # Errors
/// A wrong value, or one that asks for what is not there.
pub fn access(
    file: &Path,
    keys: &mut Keys<'_>,
    secure: bool,
    remarks: &mut Vec<String>,
) -> Result<AccessRules, ConfigError> {
    let mut rules =
        AccessRules { skip_acl: keys.word("skipACL", &["no", "yes"])? == Some(1), ..AccessRules::default() };
    digest(keys, &mut rules)?;
    providers(keys, &mut rules)?;
    // Its provider comes with a secure port.
    rules.x509 |= secure;
    rules.x509_super = text(keys, "X509AuthenticationProvider.superUser", "the subject of a certificate")?;
    rules.any_sasl_user = text(keys, "letAnySaslUserDoX", "the name of a user")?;
    rules.sasl_supers.extend(text(keys, "superUser", "the name of a SASL user")?);
    for entry in keys.with_prefix("superUser.") {
        rules.sasl_supers.insert(not_empty(keys, entry, "the name of a SASL user")?);
    }
    rules.allow_failed_sasl = keys.flag("allowSaslFailedClients", false)?;
    rules.eager = keys.flag("enableEagerACLCheck", false)?;
    enforced(keys, &mut rules)?;
    rules.sasl_users = sasl_users(file, keys, remarks)?;
    if rules.skip_acl {
        remarks.push("skipACL=yes: everybody may do everything, whatever the access lists say".to_string());
    }
    Ok(rules)
}

/// Those who may authenticate by SASL stand in a file of their own.
fn sasl_users(
    file: &Path,
    keys: &mut Keys<'_>,
    remarks: &mut Vec<String>,
) -> Result<Option<BTreeMap<String, Secret>>, ConfigError> {
    let section = text(keys, "sasl.serverconfig", "the name of a section")?;
    let super_password = text(keys, "SASLAuthenticationProvider.superPassword", "a password")?;
    let fips = keys.flag("fips-mode", false)?;
    let Some(entry) = keys.find("java.security.auth.login.config") else {
        return match section {
            Some(_) => Err(keys.missing("java.security.auth.login.config", "sasl.serverconfig names a section of it")),
            None => Ok(None),
        };
    };
    let jaas = not_empty(keys, entry, "the path of a JAAS file")?;
    let jaas = Path::new(jaas.strip_prefix("file:").unwrap_or(&jaas));
    let name = section.as_deref().unwrap_or("Server");
    let mut users = match jaas::users(jaas, name)? {
        Some(users) => users,
        None if section.is_some() => {
            let what = format!("sasl.serverconfig={name} in {} names it", file.display());
            return Err(ConfigError::Missing { file: jaas.into(), key: format!("the section {name}"), what });
        }
        None => {
            remarks.push(format!("{} has no section Server: clients can't authenticate by SASL", jaas.display()));
            return Ok(None);
        }
    };
    if fips {
        let (key, value) = ("fips-mode".into(), "true".into());
        let line = keys.find("fips-mode").map_or(entry.line, |entry| entry.line);
        let what = "SASL's DIGEST-MD5 is not allowed by FIPS; remove one of the two".into();
        return Err(ConfigError::Unsupported { file: file.into(), line, key, value, what });
    }
    if let (Some(password), Some(user)) = (super_password, users.get_mut("super")) {
        *user = Secret::new(password);
    }
    Ok(Some(users))
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
    use std::fs;

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
            let value = if key.ends_with("superDigest") { "***" } else { value };
            let head = format!("zoo.cfg, line 3: {key}={value} is not allowed: {key} must be ");
            assert!(error.starts_with(&head) && error.contains(allowed), "{line}: {error}");
        }
        let error = read("enforce.auth.enabled=true\n").expect_err("no schemes").to_string();
        assert!(error.contains("enforce.auth.schemes is missing"), "{error}");
        let error = read("enforce.auth.enabled=true\nenforce.auth.schemes=x509\n").expect_err("no x509").to_string();
        assert!(error.contains("line 4: enforce.auth.schemes=x509") && error.contains("x509 has none"), "{error}");
    }

    #[test]
    fn users_of_a_jaas_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jaas.conf");
        let key = format!("java.security.auth.login.config={}\n", path.display());
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
        let digest = |users: &str| format!("Server {{ {module} {users}; }};\n");
        fs::write(&path, digest("user_super=\"a\" user_bob=\"b\"")).expect("written");
        let users = |text: &str| {
            let users = rules(text).sasl_users.expect("users");
            users.iter().map(|(user, password)| format!("{user}:{}", password.reveal())).collect::<Vec<_>>()
        };
        assert_eq!(users(&key), ["bob:b", "super:a"]);
        assert_eq!(users(&format!("zookeeper.{key}")), ["bob:b", "super:a"]);
        let with = format!("{key}SASLAuthenticationProvider.superPassword=c\n");
        assert_eq!(users(&with), ["bob:b", "super:c"]);
        let error = read(&format!("{key}fips-mode=true\n")).expect_err("MD5").to_string();
        assert!(error.contains("line 4: fips-mode=true") && error.contains("not allowed by FIPS"), "{error}");
        let error = read(&format!("{key}sasl.serverconfig=Mine\n")).expect_err("no section").to_string();
        assert!(error.contains("jaas.conf: the section Mine is missing"), "{error}");
        fs::write(&path, digest("user_eve=\"e\"").replace("Server", "Mine")).expect("written");
        assert_eq!(users(&format!("{key}zookeeper.sasl.serverconfig=Mine\n")), ["eve:e"]);
        let cfg = read(&key).expect("no users is not wrong");
        assert!(cfg.access.sasl_users.is_none() && cfg.remarks.join("").contains("has no section Server"));
        let error = read("sasl.serverconfig=Mine\n").expect_err("no file").to_string();
        assert!(error.contains("java.security.auth.login.config is missing"), "{error}");
    }
}
