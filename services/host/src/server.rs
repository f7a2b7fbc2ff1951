//! The server at the address: HTTP or HTTPS, and the end of both.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio::task::JoinHandle;

use crate::settings::Http;
use crate::tls;

/// A server that runs.
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Ends when the server does.
    pub(crate) task: JoinHandle<std::io::Result<()>>,
    /// Stops it, letting it answer what was asked.
    pub(crate) handle: Handle<SocketAddr>,
}

/// Binds the address, and serves these routes there.
///
/// # Errors
/// When the address is taken, or certificate and key cannot be used.
pub(crate) fn serve(settings: &Http, port: u16, routes: Router) -> anyhow::Result<Serving> {
    let tls = settings.tls.as_ref().map(tls::server_config).transpose()?;
    let address = SocketAddr::from((settings.host, port));
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, axum_server::from_tcp(listener)?))
    };
    let (address, server) = bind()
        .map_err(|error: std::io::Error| anyhow::Error::new(error))
        .with_context(|| format!("cannot listen on {address}"))?;
    let handle = Handle::new();
    let patience = Duration::from_millis(settings.receive_timeout_ms);
    let server = within(server.handle(handle.clone()), patience);
    let routes = routes.into_make_service();
    let task = match tls {
        None => tokio::spawn(server.serve(routes)),
        Some(config) => {
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(config));
            let acceptor = acceptor.handshake_timeout(patience);
            tokio::spawn(server.acceptor(acceptor).serve(routes))
        }
    };
    Ok(Serving {
        address,
        task,
        handle,
    })
}

/// Cuts off who takes too long to send the head of a request. Of HTTP/2 there is no such bound, and nobody
/// here needs it.
fn within(server: Server<SocketAddr>, patience: Duration) -> Server<SocketAddr> {
    let mut server = server.http1_only();
    let builder = server.http_builder();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience);
    server
}
