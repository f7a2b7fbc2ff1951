//! Certificates: those that are trusted, and the one that the broker is shown.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Settings;

/// Why the settings about certificates are of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read {} (bus.rabbitmq.{key})", path.display())]
    Unreadable {
        key: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} (bus.rabbitmq.{key}) is not in PEM as it must be", path.display())]
    NoPem {
        key: &'static str,
        path: PathBuf,
        source: pem::Error,
    },
    #[error("bus.rabbitmq.client_certificate and bus.rabbitmq.client_key need each other")]
    HalfAnIdentity,
    #[error(
        "bus.rabbitmq.{0} is set, but bus.rabbitmq.url does not begin with amqps://, without which nothing \
         is encrypted"
    )]
    Unencrypted(&'static str),
}

const CA_CERTIFICATE: &str = "ca_certificate";
const CLIENT_CERTIFICATE: &str = "client_certificate";
const CLIENT_KEY: &str = "client_key";

/// Certificates and key. They are not shown.
#[derive(Clone)]
pub(crate) struct Tls(pub(crate) OwnedTLSConfig);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Reads what the settings name, so that what is wrong with it shows at the start.
pub(crate) fn config(settings: &Settings, uri: &AMQPUri) -> Result<Tls, TlsError> {
    let files = [
        (CA_CERTIFICATE, &settings.ca_certificate),
        (CLIENT_CERTIFICATE, &settings.client_certificate),
        (CLIENT_KEY, &settings.client_key),
    ];
    let given = files.iter().find(|(_, path)| path.is_some());
    if let Some((key, _)) = given
        && uri.scheme == AMQPScheme::AMQP
    {
        return Err(TlsError::Unencrypted(key));
    }
    let identity = match (&settings.client_certificate, &settings.client_key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(OwnedIdentity::PKCS8 {
            pem: certificates(CLIENT_CERTIFICATE, certificate)?.into_bytes(),
            key: private_key(key)?.into_bytes(),
        }),
        (Some(_), None) | (None, Some(_)) => return Err(TlsError::HalfAnIdentity),
    };
    let trusted = settings.ca_certificate.as_deref();
    let trusted = trusted.map(|path| certificates(CA_CERTIFICATE, path));
    Ok(Tls(OwnedTLSConfig {
        identity,
        cert_chain: trusted.transpose()?,
    }))
}

fn certificates(key: &'static str, path: &Path) -> Result<String, TlsError> {
    let text = read(key, path)?;
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        certificate.map_err(|source| no_pem(key, path, source))?;
        found += 1;
    }
    if found == 0 {
        return Err(no_pem(key, path, pem::Error::NoItemsFound));
    }
    Ok(text)
}

fn private_key(path: &Path) -> Result<String, TlsError> {
    let text = read(CLIENT_KEY, path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|source| no_pem(CLIENT_KEY, path, source))?;
    Ok(text)
}

fn read(key: &'static str, path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|source| TlsError::Unreadable {
        key,
        path: path.to_owned(),
        source,
    })
}

fn no_pem(key: &'static str, path: &Path, source: pem::Error) -> TlsError {
    TlsError::NoPem {
        key,
        path: path.to_owned(),
        source,
    }
}
