//! The server that a test runs on: a real one if there is one, else a double.

use std::env;

use uuid::Uuid;

use crate::double::Double;

/// The connection string of a real server, which may be shared and is never empty.
const URL_VARIABLE: &str = "ESDB_TEST_URL";

/// A server for one test.
#[derive(Debug)]
pub enum TestServer {
    /// A real one, with its connection string.
    Real(String),
    /// One of this test's own.
    Double(Double),
}

/// The server that `ESDB_TEST_URL` names, or else a new double.
pub async fn server() -> TestServer {
    match env::var(URL_VARIABLE) {
        Ok(url) if !url.is_empty() => TestServer::Real(url),
        _ => TestServer::Double(Double::start().await),
    }
}

impl TestServer {
    /// What the client connects with.
    #[must_use]
    pub fn connection_string(&self) -> String {
        match self {
            Self::Real(url) => url.clone(),
            Self::Double(double) => double.connection_string(),
        }
    }

    /// Where it listens, as a gRPC client without TLS wants it: the first host of a cluster.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let url = self.connection_string();
        let after_scheme = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let hosts = after_scheme.split(['/', '?']).next().unwrap_or_default();
        let without_user = hosts.rsplit('@').next().unwrap_or_default();
        let first = without_user.split(',').next().unwrap_or_default();
        format!("http://{first}")
    }

    /// The double, if it is one.
    #[must_use]
    pub fn double(&self) -> Option<&Double> {
        match self {
            Self::Real(_) => None,
            Self::Double(double) => Some(double),
        }
    }

    /// A name that no other test uses, without `-`.
    #[must_use]
    pub fn unique(&self, name: &str) -> String {
        format!("{}{}", name.replace('-', ""), Uuid::now_v7().simple())
    }
}
