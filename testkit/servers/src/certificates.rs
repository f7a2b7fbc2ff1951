//! Certificates that a test makes for itself.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use uuid::Uuid;

/// Who signs certificates. Its files exist as long as this value.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
    folder: TempDir,
}

/// The files of a certificate.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

impl Authority {
    /// One that nobody trusts who does not know it.
    ///
    /// # Panics
    /// When it cannot be made, or its files cannot be written.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut about = CertificateParams::default();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // By its name an authority is looked for among those that are trusted.
        let name = format!("authority {}", Uuid::now_v7());
        about.distinguished_name.push(DnType::CommonName, name);
        let folder = tempfile::tempdir().expect("a folder");
        let signed = about.self_signed(&key).expect("a certificate");
        let certificate = write(folder.path(), "authority.pem", &signed.pem());
        Self {
            issuer: Issuer::new(about, key),
            certificate,
            folder,
        }
    }

    /// The file of its own certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// A certificate for these names or addresses.
    ///
    /// # Panics
    /// When it cannot be made, or its files cannot be written.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let file = names.join("+");
        let key = KeyPair::generate().expect("a key");
        let about = CertificateParams::new(names).expect("names");
        let signed = about.signed_by(&key, &self.issuer).expect("a certificate");
        let folder = self.folder.path();
        Issued {
            certificate: write(folder, &format!("{file}.pem"), &signed.pem()),
            key: write(folder, &format!("{file}.key.pem"), &key.serialize_pem()),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    path
}
