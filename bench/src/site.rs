//! Where one scenario takes place: a database and a virtual host of its own.

use std::mem;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};
use test_servers::postgres::{self, TestDatabase};
use test_servers::rabbitmq::{self, VirtualHost};

/// A new database and virtual host, which are removed with this, unless they are kept.
#[derive(Debug)]
pub(crate) struct Site {
    servers: Option<(TestDatabase, VirtualHost)>,
    database: String,
    broker: String,
    keep: bool,
}

impl Site {
    pub(crate) async fn new(keep: bool) -> Self {
        let (database, host) = (postgres::database().await, rabbitmq::virtual_host().await);
        Self {
            // As within one machine, or one network of containers; for the floor too.
            database: database.url_without_tls(),
            broker: host.url().to_owned(),
            servers: Some((database, host)),
            keep,
        }
    }

    /// The URL of the database.
    pub(crate) fn database(&self) -> String {
        self.database.clone()
    }

    /// The URL of the virtual host.
    pub(crate) fn broker(&self) -> &str {
        &self.broker
    }

    /// The version of the database server with the settings that figures depend on, and that of the broker.
    pub(crate) async fn versions(&self) -> Result<(String, String)> {
        let mut connection = PgConnection::connect(&self.database).await?;
        let settings: Vec<String> = sqlx::query_scalar(
            "select name || ' ' || current_setting(name)
             from unnest(array['fsync', 'synchronous_commit', 'shared_buffers', 'autovacuum']) as name",
        )
        .fetch_all(&mut connection)
        .await?;
        let version: String = sqlx::query_scalar("show server_version")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        let database = format!("{version} with {}", settings.join(", "));
        let (_, host) = self.servers.as_ref().context("the servers are gone")?;
        Ok((database, host.broker_version().await?))
    }

    /// What tells a service of both.
    pub(crate) fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("event_store.postgres.url", &self.database),
            ("bus.rabbitmq.url", &self.broker),
        ]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.keep {
            mem::forget(self.servers.take());
        }
    }
}
