//! A way to a server that can be cut, and held up.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// A way to a server: connections to it are passed on. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    target: String,
    port: u16,
    accepting: Option<AbortOnDropHandle<()>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    flows: watch::Sender<bool>,
}

impl Proxy {
    /// A way to the server of this URL, closed at first: connections are refused.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn closed(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = authority(url);
        Self {
            url: url.replacen(server, &format!("127.0.0.1:{port}"), 1),
            target: with_port(url, server),
            port,
            accepting: None,
            connections: Arc::default(),
            flows: watch::Sender::new(true),
        }
    }

    /// A way that is open.
    ///
    /// # Panics
    /// As [`closed`](Self::closed).
    pub async fn open(url: &str) -> Self {
        let mut proxy = Self::closed(url).await;
        proxy.restore().await;
        proxy
    }

    /// The server's URL, by this way.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens the way.
    ///
    /// # Panics
    /// When somebody else has taken its port meanwhile.
    pub async fn restore(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        let listener = listener.expect("the port is still free");
        let (target, connections) = (self.target.clone(), Arc::clone(&self.connections));
        let flows = self.flows.subscribe();
        self.accepting = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (target, flows) = (target.clone(), flows.clone());
                let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
                connections.spawn(async move {
                    if let Ok(far) = TcpStream::connect(target).await {
                        let (near, far) = (near.into_split(), far.into_split());
                        let there = pass_on(near.0, far.1, flows.clone());
                        let back = pass_on(far.0, near.1, flows);
                        let _ = tokio::try_join!(there, back);
                    }
                });
            }
        })));
    }

    /// Holds up everything: connections stay, and new ones come about, but nobody answers.
    pub fn hold(&self) {
        self.flows.send_replace(false);
    }

    /// Lets everything through again, beginning with what was held up.
    pub fn release(&self) {
        self.flows.send_replace(true);
    }

    /// Breaks off all connections that go this way; new ones may come.
    pub fn cut(&self) {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connections.abort_all();
    }

    /// Breaks off all connections, and refuses new ones.
    pub async fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        self.cut();
    }
}

/// Passes on what comes, while it may flow.
async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flows: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if flows.wait_for(|flows| *flows).await.is_err() || count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}

/// The host and port of a URL.
fn authority(url: &str) -> &str {
    let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = behind_scheme
        .find(['/', '?'])
        .unwrap_or(behind_scheme.len());
    let authority = &behind_scheme[..end];
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

/// Where a URL leads that may leave out the standard port.
fn with_port(url: &str, authority: &str) -> String {
    let standard = match url.split_once("://") {
        _ if authority.contains(':') => return authority.to_owned(),
        Some(("amqp", _)) => 5672,
        Some((_, _)) | None => 5432,
    };
    format!("{authority}:{standard}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_found_in_a_url() {
        for (url, expected) in [
            ("amqp://guest:guest@localhost:5672/%2f", "localhost:5672"),
            (
                "postgres://postgres@127.0.0.1:5432/db?sslmode=disable",
                "127.0.0.1:5432",
            ),
            ("esdb://127.0.0.1:2113?tls=false", "127.0.0.1:2113"),
        ] {
            assert_eq!(with_port(url, authority(url)), expected);
        }
        assert_eq!(with_port("amqp://host/%2f", "host"), "host:5672");
    }
}
