//! Asking the service that runs on this machine whether it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::settings::Http;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks it, by HTTPS where that is what it speaks.
///
/// # Errors
/// When nobody answers in time, or it is not ready.
pub(crate) async fn check_health(settings: &Http, port: u16) -> anyhow::Result<()> {
    let address = SocketAddr::from((reachable(settings.host), port));
    let ask = async {
        let stream = TcpStream::connect(address).await?;
        if settings.tls.is_none() {
            return ask_for_health(stream).await;
        }
        let connector = TlsConnector::from(Arc::new(client_config()?));
        let name = ServerName::IpAddress(address.ip().into());
        ask_for_health(connector.connect(name, stream).await?).await
    };
    let answer = timeout(PATIENCE, ask)
        .await
        .context("no answer in time")?
        .with_context(|| format!("nothing answers on {address}"))?;
    let status = answer.lines().next().unwrap_or_default();
    anyhow::ensure!(status.contains(" 200 "), "not ready: {status}");
    Ok(())
}

/// Where a service that listens on this address is reached from its own machine.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => host,
    }
}

async fn ask_for_health(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> anyhow::Result<String> {
    stream
        .write_all(b"GET /health/ready HTTP/1.0\r\nhost: localhost\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn client_config() -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .context("TLS is not available")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(WhateverItShows(provider)))
        .with_no_client_auth();
    Ok(config)
}

/// The certificate names the machine as its clients do, and not as it is asked here; and it may have been
/// renewed on disk since the service has read it. What is asked is no secret, and neither is the answer.
#[derive(Debug)]
struct WhateverItShows(Arc<CryptoProvider>);

impl ServerCertVerifier for WhateverItShows {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_where_it_listens() {
        for (host, asked) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
            ("::", "::1"),
            ("10.1.2.3", "10.1.2.3"),
        ] {
            let reached = reachable(host.parse().unwrap());
            assert_eq!(reached, asked.parse::<IpAddr>().unwrap(), "{host}");
        }
    }
}
