//! How `zebu cli` gets in: TLS with certificates, and SASL. Passwords come from files only: what stands on a command
//! line every user of the machine can read.

use crate::config_file::{self, Store};
use crate::tls::{ClientTls, ClientTlsCfg};
use std::fs;
use std::path::{Path, PathBuf};
use zebu_core::client::SaslUser;
use zebu_core::config::Secret;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// Speak TLS, and trust servers whose certificates these authorities have signed (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show, with those above it (PEM).
    #[arg(long, value_name = "FILE", requires = "ca")]
    cert: Option<PathBuf>,
    /// The certificate's key (PEM), unless it stands in the file of --cert.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The file with the password of an encrypted key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key_password_file: Option<PathBuf>,
    /// Trust a certificate of these authorities also if it is for another host than the one connected to.
    #[arg(long, requires = "ca")]
    insecure_no_hostname: bool,
    /// Authenticate by SASL as the section Client of this JAAS file says.
    #[arg(long, value_name = "FILE", conflicts_with = "sasl_user")]
    jaas: Option<PathBuf>,
    /// Authenticate by SASL as this user.
    #[arg(long, value_name = "USER", requires = "sasl_password_file")]
    sasl_user: Option<String>,
    /// The file with the user's password.
    #[arg(long, value_name = "FILE", requires = "sasl_user")]
    sasl_password_file: Option<PathBuf>,
}

impl Access {
    /// What makes TLS connections, if they are asked for.
    ///
    /// # Errors
    /// A file that can't be read or understood, in words.
    pub fn tls(&self) -> Result<Option<ClientTls>, String> {
        let Some(ca) = &self.ca else { return Ok(None) };
        let plain = |file: &Path| Store { file: file.into(), password: None };
        let password = self.key_password_file.as_deref().map(password).transpose()?;
        let identity = self.cert.as_deref().map(|cert| {
            let key = self.key.as_deref().unwrap_or(cert);
            (plain(cert), Store { file: key.into(), password })
        });
        let cfg = ClientTlsCfg { ca: plain(ca), identity, check_names: !self.insecure_no_hostname };
        ClientTls::new(&cfg).map(Some).map_err(|e| e.to_string())
    }

    /// Who to be by SASL, if anybody.
    ///
    /// # Errors
    /// A file that can't be read or understood, in words.
    pub fn sasl(&self) -> Result<Option<SaslUser>, String> {
        if let Some(file) = &self.jaas {
            let (user, password) = config_file::login(file, "Client").map_err(|e| e.to_string())?;
            return Ok(Some(SaslUser { user, password }));
        }
        let (Some(user), Some(file)) = (&self.sasl_user, &self.sasl_password_file) else { return Ok(None) };
        Ok(Some(SaslUser { user: user.clone(), password: password(file)? }))
    }
}

/// A password that is all of a file, but for the end of its line.
fn password(file: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: it can't be read: {e}", file.display()))?;
    Ok(Secret::new(text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line))))
}
