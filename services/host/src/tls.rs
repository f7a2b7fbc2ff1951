//! Certificates: the one that is shown to clients.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::Tls;

/// Reads certificate and key.
///
/// # Errors
/// When one cannot be read, or does not belong to the other; named by setting and path.
pub(crate) fn server_config(settings: &Tls) -> anyhow::Result<Arc<ServerConfig>> {
    let certificates = certificates(&settings.certificate).with_context(|| {
        let path = settings.certificate.display();
        format!("cannot use the certificate in {path} (http.tls.certificate)")
    })?;
    let of_key = || {
        let path = settings.key.display();
        format!("cannot use the private key in {path} (http.tls.key)")
    };
    let key = PrivateKeyDer::from_pem_file(&settings.key).with_context(of_key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS is not available")?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .with_context(of_key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    ensure!(!certificates.is_empty(), "it has no certificate in PEM");
    Ok(certificates)
}
