//! PEM files: certificates and keys in text.

use super::TlsError;
use crate::config_file::Store;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::{Decode as _, SecretDocument};
use std::fs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificates of a store, in their order.
///
/// # Errors
/// A file that can't be read, or has none.
pub fn certificates(store: &Store) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    parse_certificates(store, &read(store)?)
}

/// A server's certificate with those above it, and its key.
///
/// # Errors
/// A file that can't be read, has no certificate or no key, or a key that is encrypted otherwise than is said.
pub fn identity(store: &Store) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let bytes = read(store)?;
    let chain = parse_certificates(store, &bytes)?;
    if let Some(pem) = encrypted_key(&bytes) {
        return Ok((chain, decrypt(store, pem)?));
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|e| wrong(store, format!("it has no private key that can be read ({e}); put it in front")))?;
    Ok((chain, key))
}

fn read(store: &Store) -> Result<Vec<u8>, TlsError> {
    fs::read(&store.file).map_err(|error| TlsError::Unreadable { file: store.file.clone(), error })
}

fn parse_certificates(store: &Store, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let list = list.map_err(|e| wrong(store, format!("it is no PEM file ({e})")))?;
    if list.is_empty() {
        return Err(wrong(store, "it has no certificate (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(list)
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
            "its key is encrypted; give ssl.keyStore.password or ssl.keyStore.passwordPath".into(),
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
