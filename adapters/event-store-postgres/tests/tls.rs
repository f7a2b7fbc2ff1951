//! TLS between the store and its server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error as _;
use std::path::Path;

use contracts::Partitions;
use event_store::contract::append;
use event_store::{Error, EventStore};
use event_store_postgres::{PostgresEventStore, Settings};
use sqlx::postgres::PgConnectOptions;
use test_servers::certificates::{Authority, Issued};
use test_servers::postgres::{TestDatabase, database};
use test_servers::tls::{Opening, TlsProxy};

/// The database, behind a server that speaks TLS.
struct Behind {
    database: TestDatabase,
    proxy: TlsProxy,
}

async fn behind(shown: &Issued, guests: Option<&Authority>) -> Behind {
    let database = database().await;
    let server: PgConnectOptions = database.url().parse().unwrap();
    let server = (server.get_host(), server.get_port());
    let proxy = TlsProxy::before(server, Opening::SslRequest, shown, guests).await;
    Behind { database, proxy }
}

impl Behind {
    async fn open(&self, host: &str, parameters: &str) -> Result<PostgresEventStore, Error> {
        let server: PgConnectOptions = self.database.url().parse().unwrap();
        let url = format!(
            "postgres://{}@{host}:{}/{}?{parameters}",
            server.get_username(),
            self.proxy.port(),
            server.get_database().unwrap(),
        );
        PostgresEventStore::connect(&Settings::at(url), Partitions::default()).await
    }
}

fn verified_by(authority: &Path) -> String {
    format!("sslmode=verify-full&sslrootcert={}", authority.display())
}

/// The whole of why it cannot be opened for now.
fn said(opened: Result<PostgresEventStore, Error>) -> String {
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_authority_is_trusted_is_used() {
    let authority = Authority::new();
    let server = behind(&authority.issue(&["localhost"]), None).await;
    let parameters = verified_by(authority.certificate());
    let store = server.open("localhost", &parameters).await.unwrap();
    store.append(&[append("A", 0, 1, "input")]).await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_an_unknown_authority_is_not_used() {
    let server = behind(&Authority::new().issue(&["localhost"]), None).await;
    let another = Authority::new();
    let parameters = verified_by(another.certificate());
    let said_of_another = said(server.open("localhost", &parameters).await);
    assert!(
        said_of_another.contains("UnknownIssuer"),
        "{said_of_another}"
    );
    // Nor do the platform's own authorities know it.
    let said_of_none = said(server.open("localhost", "sslmode=verify-full").await);
    assert!(said_of_none.contains("UnknownIssuer"), "{said_of_none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_the_certificate_of_another_name_is_not_used() {
    let authority = Authority::new();
    let server = behind(&authority.issue(&["another.example"]), None).await;
    let parameters = verified_by(authority.certificate());
    let said = said(server.open("localhost", &parameters).await);
    assert!(said.contains("not valid for name"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let authority = Authority::new();
    let server = behind(&authority.issue(&["localhost"]), Some(&authority)).await;
    let parameters = verified_by(authority.certificate());
    said(server.open("localhost", &parameters).await);
    let own = authority.issue(&["longhaul"]);
    let parameters = format!(
        "{parameters}&sslcert={}&sslkey={}",
        own.certificate.display(),
        own.key.display()
    );
    server.open("localhost", &parameters).await.unwrap();
}
