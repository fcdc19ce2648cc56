//! The secure client port: where it is, and whom it trusts.

use super::ConfigError;
use super::keys::Keys;
use super::observation::hidden_if_secret;
use super::properties::Entry;
use std::path::{Path, PathBuf};
use zebu_core::config::Secret;

/// What the keys about TLS say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureCfg {
    /// `secureClientPortAddress`; `None` for all addresses.
    pub host: Option<String>,
    /// `secureClientPort`.
    pub port: Option<u16>,
    /// `client.portUnification`: the plain port speaks TLS too, with clients that begin with it.
    pub unified: bool,
    /// `ssl.keyStore.*`: the server's certificate, those above it, and its key.
    pub key_store: Store,
    /// `ssl.trustStore.*`: whose certificates clients may have; `None` only if clients need not have any.
    pub trust_store: Option<Store>,
    /// `ssl.clientAuth`.
    pub client_auth: ClientAuth,
    /// `ssl.enabledProtocols`, or `ssl.protocol`: whether TLS 1.2 and 1.3 are spoken.
    pub protocols: Protocols,
    /// `ssl.ciphersuites`; empty for all that are safe.
    pub cipher_suites: Vec<String>,
}

/// A PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Where it is.
    pub file: PathBuf,
    /// What its key is encrypted with.
    pub password: Option<Secret>,
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They must.
    Need,
    /// They may.
    Want,
    /// They are not asked.
    None,
}

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// TLS 1.2.
    pub v12: bool,
    /// TLS 1.3.
    pub v13: bool,
}

/// Reads them; `None` if there is no TLS at all.
///
/// # Errors
/// A wrong value, a store that is missing, or one of another format than PEM.
pub fn secure(file: &Path, keys: &mut Keys<'_>) -> Result<Option<SecureCfg>, ConfigError> {
    let port = keys.number("secureClientPort", 1..=i64::from(u16::MAX))?.map(|port| port as u16);
    let host = keys.host("secureClientPortAddress")?.flatten();
    let unified = keys.flag("client.portUnification", false)?;
    let key_store = store(file, keys, "ssl.keyStore")?;
    let trust_store = store(file, keys, "ssl.trustStore")?;
    let client_auth = match keys.word("ssl.clientAuth", &["need", "want", "none"])? {
        Some(1) => ClientAuth::Want,
        Some(2) => ClientAuth::None,
        _ => ClientAuth::Need,
    };
    let protocols = protocols(keys)?;
    let cipher_suites = keys.find("ssl.ciphersuites").map_or("", |entry| &entry.value).split(',').map(str::trim);
    let cipher_suites = cipher_suites.filter(|name| !name.is_empty()).map(String::from).collect();
    if port.is_none() && !unified {
        return Ok(None);
    }
    let key_store =
        key_store.ok_or_else(|| keys.missing("ssl.keyStore.location", "the PEM file with certificate and key"))?;
    if trust_store.is_none() && client_auth != ClientAuth::None {
        let what = "the PEM file with the certificates that clients are trusted by (or set ssl.clientAuth=none)";
        return Err(keys.missing("ssl.trustStore.location", what));
    }
    Ok(Some(SecureCfg { host, port, unified, key_store, trust_store, client_auth, protocols, cipher_suites }))
}

fn store(file: &Path, keys: &mut Keys<'_>, key: &str) -> Result<Option<Store>, ConfigError> {
    let location = keys.find(&format!("{key}.location"));
    let kind = keys.find(&format!("{key}.type"));
    let password = keys.find(&format!("{key}.password")).map(|entry| Secret::new(entry.value.as_str()));
    let password_file = keys.find(&format!("{key}.passwordPath"));
    let Some(location) = location else { return Ok(None) };
    if location.value.is_empty() {
        return Err(keys.wrong(location, "the path of a PEM file"));
    }
    let path = PathBuf::from(&location.value);
    let by_ending = || path.extension().map(|ending| ending.to_string_lossy().to_ascii_uppercase()).unwrap_or_default();
    match kind.map_or_else(by_ending, |entry| entry.value.to_ascii_uppercase()).as_str() {
        "PEM" => {}
        "JKS" | "PKCS12" | "P12" | "PFX" | "BCFKS" => {
            return Err(unsupported(file, kind.unwrap_or(location), convert(&location.value)));
        }
        _ => {
            let allowed = format!("a file that ends in .pem (or with {key}.type=PEM)");
            return Err(keys.wrong(kind.unwrap_or(location), allowed));
        }
    }
    let password = match password_file {
        Some(entry) => Some(read_password(Path::new(&entry.value))?),
        None => password.filter(|password| !password.reveal().is_empty()),
    };
    Ok(Some(Store { file: path, password }))
}

/// How to make a PEM file of another store.
fn convert(path: &str) -> String {
    let pem = Path::new(path).with_extension("pem");
    format!(
        "only PEM files are read; convert it: `keytool -importkeystore -srckeystore {path} -destkeystore store.p12 \
         -deststoretype PKCS12` (for a JKS store), then `openssl pkcs12 -in store.p12 -nodes -out {}`",
        pem.display()
    )
}

fn unsupported(file: &Path, entry: &Entry, what: String) -> ConfigError {
    let (key, value) = (entry.key.clone(), hidden_if_secret(entry).into());
    ConfigError::Unsupported { file: file.into(), line: entry.line, key, value, what }
}

fn read_password(file: &Path) -> Result<Secret, ConfigError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
        Err(error) => Err(ConfigError::Unreadable { file: file.into(), error }),
    }
}

fn protocols(keys: &mut Keys<'_>) -> Result<Protocols, ConfigError> {
    const ALLOWED: &str = "a list of TLSv1.2 and TLSv1.3";
    let one = keys.find("ssl.protocol");
    let Some(entry) = keys.find("ssl.enabledProtocols").or(one) else { return Ok(Protocols { v12: true, v13: true }) };
    let mut protocols = Protocols { v12: false, v13: false };
    for name in entry.value.split(',').map(str::trim) {
        match name {
            "TLS" => protocols = Protocols { v12: true, v13: true },
            "TLSv1.2" => protocols.v12 = true,
            "TLSv1.3" => protocols.v13 = true,
            _ => return Err(keys.wrong(entry, ALLOWED)),
        }
    }
    Ok(protocols)
}

#[cfg(test)]
mod tests {
    use super::super::ZooCfg;
    use super::*;

    const ALONE: &str = "dataDir=/tmp/zebu-config-test\nclientPort=2181\n";
    const STORES: &str = "ssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.pem\n";

    fn read(text: &str) -> Result<ZooCfg, ConfigError> {
        ZooCfg::from_bytes(Path::new("zoo.cfg"), format!("{ALONE}{text}").as_bytes())
    }

    fn secure(text: &str) -> Option<SecureCfg> {
        let cfg = read(text).expect(text);
        let unknown: Vec<_> = cfg.remarks.iter().filter(|remark| remark.contains("is not known")).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        cfg.secure
    }

    fn store(file: &str, password: Option<&str>) -> Store {
        Store { file: file.into(), password: password.map(Secret::new) }
    }

    #[test]
    fn every_key() {
        let plain = SecureCfg {
            host: None,
            port: Some(2281),
            unified: false,
            key_store: store("/k.pem", None),
            trust_store: Some(store("/t.pem", None)),
            client_auth: ClientAuth::Need,
            protocols: Protocols { v12: true, v13: true },
            cipher_suites: Vec::new(),
        };
        assert_eq!(secure(STORES), None, "stores alone open no port");
        assert_eq!(secure(&format!("{STORES}secureClientPort=2281\n")), Some(plain.clone()));
        let keys = "zookeeper.ssl.keyStore.location=/k\nssl.keyStore.type=pem\nssl.keyStore.password=pw\n\
                    ssl.clientAuth=none\nssl.enabledProtocols=TLSv1.3\nclient.portUnification=true\n\
                    secureClientPortAddress=127.0.0.1\nssl.ciphersuites=TLS_AES_128_GCM_SHA256, X\n";
        let expected = SecureCfg {
            host: Some("127.0.0.1".into()),
            port: None,
            unified: true,
            key_store: store("/k", Some("pw")),
            trust_store: None,
            client_auth: ClientAuth::None,
            protocols: Protocols { v12: false, v13: true },
            cipher_suites: vec!["TLS_AES_128_GCM_SHA256".into(), "X".into()],
        };
        assert_eq!(secure(keys), Some(expected));
        let want = secure(&format!("{STORES}secureClientPort=2281\nssl.clientAuth=want\nssl.protocol=TLSv1.2\n"));
        let protocols = Protocols { v12: true, v13: false };
        assert_eq!(want, Some(SecureCfg { client_auth: ClientAuth::Want, protocols, ..plain }));
        let rules = read(&format!("{STORES}secureClientPort=2281\n")).expect("valid").access;
        assert!(rules.x509, "the provider comes with the port");
    }

    #[test]
    fn a_password_in_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "geheim\n").expect("written");
        let text = format!("{STORES}ssl.keyStore.passwordPath={}\nsecureClientPort=1\n", file.path().display());
        assert_eq!(secure(&text).map(|secure| secure.key_store), Some(store("/k.pem", Some("geheim"))));
        let error = read(&format!("{STORES}ssl.keyStore.passwordPath=/no/such\n")).expect_err("no file").to_string();
        assert!(error.contains("/no/such"), "{error}");
    }

    #[test]
    fn what_is_wrong_or_missing_is_named() {
        for (text, named) in [
            ("secureClientPort=0\n", "line 3: secureClientPort=0 is not allowed"),
            ("secureClientPortAddress=a b\n", "an address or a host name"),
            ("client.portUnification=yes\n", "false or true"),
            ("ssl.clientAuth=maybe\n", "need or want or none"),
            ("ssl.protocol=SSLv3\n", "a list of TLSv1.2 and TLSv1.3"),
            ("ssl.enabledProtocols=TLSv1.1\n", "a list of TLSv1.2 and TLSv1.3"),
            ("ssl.keyStore.location=\n", "the path of a PEM file"),
            ("ssl.keyStore.location=/k\n", "ssl.keyStore.type=PEM"),
            ("ssl.keyStore.location=/k.jks\n", "openssl pkcs12 -in store.p12 -nodes -out /k.pem"),
            ("ssl.trustStore.location=/k.pem\nssl.trustStore.type=PKCS12\n", "line 4: ssl.trustStore.type=PKCS12 asks"),
            ("secureClientPort=1\n", "ssl.keyStore.location is missing"),
            ("secureClientPort=1\nssl.keyStore.location=/k.pem\n", "ssl.trustStore.location is missing"),
            ("ssl.quorum.keyStore.location=/k.pem\n", "peers speak without TLS"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
