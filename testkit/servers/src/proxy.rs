//! A way to a server that can be cut.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
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
        self.accepting = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        })));
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
