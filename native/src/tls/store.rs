//! PEM files: certificates and keys in text.

use super::TlsError;
use crate::config_file::Store;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::{Decode as _, SecretDocument};
use std::fs;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificates of a store, in their order.
///
/// # Errors
/// A file that can't be read, or has none.
pub fn certificates(store: &Store) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(store)?).collect();
    let list = list.map_err(|e| wrong(store, format!("it is no PEM file ({e})")))?;
    if list.is_empty() {
        return Err(wrong(store, "it has no certificate (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(list)
}

/// The certificates of a store as those of authorities.
///
/// # Errors
/// A file that can't be read, has none, or has one that is no authority's.
pub fn authorities(store: &Store) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(store)? {
        roots.add(certificate).map_err(|e| wrong(store, format!("a certificate can't be trusted: {e}")))?;
    }
    Ok(roots)
}

/// The key of a store.
///
/// # Errors
/// A file that can't be read or has no key, or a key that is encrypted otherwise than is said.
pub fn key(store: &Store) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(store)?;
    if let Some(pem) = encrypted_key(&bytes) {
        return decrypt(store, pem);
    }
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|e| wrong(store, format!("it has no private key that can be read ({e}); put it in front")))
}

fn read(store: &Store) -> Result<Vec<u8>, TlsError> {
    fs::read(&store.file).map_err(|error| TlsError::Unreadable { file: store.file.clone(), error })
}

/// The part of the file that is an encrypted key.
fn encrypted_key(bytes: &[u8]) -> Option<&str> {
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let text = std::str::from_utf8(bytes).ok()?;
    let from = text.find("-----BEGIN ENCRYPTED PRIVATE KEY-----")?;
    let to = text.get(from..)?.find(END)? + END.len();
    text.get(from..from + to)
}

fn decrypt(store: &Store, pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let Some(password) = &store.password else {
        return Err(wrong(
            store,
            "its key is encrypted; give ssl.keyStore.password or ssl.keyStore.passwordPath (for zebu cli: --key-password-file)".into(),
        ));
    };
    let failed = |what: String| wrong(store, format!("its key can't be decrypted: {what}"));
    let (_, document) = SecretDocument::from_pem(pem).map_err(|e| failed(e.to_string()))?;
    let encrypted = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|e| failed(e.to_string()))?;
    let key = encrypted.decrypt(password.reveal()).map_err(|e| failed(format!("{e} (is the password right?)")))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

fn wrong(store: &Store, what: String) -> TlsError {
    TlsError::Store { file: store.file.clone(), what }
}
