//! A server that speaks TLS, made of one that does not.

use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::certificates::{Authority, Issued};

/// What is said in the clear before TLS begins.
#[derive(Clone, Copy, Debug)]
pub enum Opening {
    /// Nothing, as with `amqps://`.
    Nothing,
    /// The client of PostgreSQL asks whether it may, and is answered that it may.
    SslRequest,
}

/// Where TLS is spoken, and passed on in the clear to a server. It ends with this value.
#[derive(Debug)]
pub struct TlsProxy {
    port: u16,
    _accepting: AbortOnDropHandle<()>,
}

impl TlsProxy {
    /// Before the server at an address, with a certificate; where there are `guests`, only for those that
    /// show a certificate of that authority.
    ///
    /// # Panics
    /// When it cannot listen, or the certificate cannot be used.
    pub async fn before(
        server: (&str, u16),
        opening: Opening,
        shown: &Issued,
        guests: Option<&Authority>,
    ) -> Self {
        let config = config(shown, guests).expect("the certificates can be used");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = (server.0.to_owned(), server.1);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // A client that refuses the certificate is no failure here: it says so itself.
                connections.spawn(pass_on(client, server.clone(), opening, acceptor.clone()));
            }
        });
        Self {
            port,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

async fn pass_on(
    mut client: TcpStream,
    server: (String, u16),
    opening: Opening,
    acceptor: TlsAcceptor,
) -> Result<()> {
    match opening {
        Opening::Nothing => {}
        Opening::SslRequest => {
            // Its length and its code, four bytes each.
            client.read_exact(&mut [0; 8]).await?;
            client.write_all(b"S").await?;
        }
    }
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn config(shown: &Issued, guests: Option<&Authority>) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let config = match guests {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(authority.certificate())?)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            config.with_client_cert_verifier(verifier)
        }
    };
    let certificates = CertificateDer::pem_file_iter(&shown.certificate)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    Ok(config.with_single_cert(certificates, PrivateKeyDer::from_pem_file(&shown.key)?)?)
}
