//! A database of its own for each test.

use std::env;
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

/// Where the server listens; the user must be allowed to create databases.
const URL_VARIABLE: &str = "LONGHAUL_TEST_POSTGRES_URL";
const DEFAULT_URL: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// A database that exists as long as this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: PgConnectOptions,
}

/// Creates a database with a name of its own.
///
/// # Panics
/// When there is no server, saying how to start one.
pub async fn database() -> TestDatabase {
    let url = env::var(URL_VARIABLE).unwrap_or_else(|_| DEFAULT_URL.to_owned());
    let created = create(&url).await;
    created.unwrap_or_else(|error| {
        panic!(
            "no PostgreSQL for this test at {url}: {error}\n\
             `cargo xtask test` brings one. Or start one:\n  \
             docker run --rm -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:17\n\
             or name one in {URL_VARIABLE}, with a user that may create databases."
        )
    })
}

impl TestDatabase {
    /// Where to connect to.
    #[must_use]
    pub fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    /// The same without TLS, whether the server offers it or not.
    #[must_use]
    pub fn url_without_tls(&self) -> String {
        let options = self.options().ssl_mode(PgSslMode::Disable);
        options.to_url_lossy().to_string()
    }

    fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime may be about to end, and cannot be waited for here.
        let dropping = thread::spawn(move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                run(
                    &server,
                    format!("drop database if exists \"{name}\" with (force)"),
                )
                .await
            })?;
            Ok(())
        });
        // A database left behind is no reason to fail a test.
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}

async fn create(url: &str) -> Result<TestDatabase, sqlx::Error> {
    let server: PgConnectOptions = url.parse()?;
    let name = format!("longhaul_test_{}", Uuid::now_v7().simple());
    // Nobody connects to `template0`, so tests may create databases at the same time.
    run(
        &server,
        format!("create database \"{name}\" template template0"),
    )
    .await?;
    Ok(TestDatabase { name, server })
}

/// Runs a statement with the name of a database in it, which cannot be a parameter.
async fn run(server: &PgConnectOptions, statement: String) -> Result<(), sqlx::Error> {
    let mut connection: PgConnection = server.connect().await?;
    sqlx::raw_sql(&statement).execute(&mut connection).await?;
    connection.close().await
}
