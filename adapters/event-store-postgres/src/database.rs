//! Running one statement within its time.

use std::time::Duration;

use event_store::Error;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgPool, Postgres};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::error::{TimedOut, translate};
use crate::settings::Settings;

/// A statement with its parameters.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// The connections.
#[derive(Debug)]
pub(crate) struct Database {
    pool: PgPool,
    timeout: Duration,
}

impl Database {
    /// Opens connections when they are needed.
    pub(crate) fn new(options: PgConnectOptions, settings: &Settings) -> Self {
        let timeout = settings.timeout();
        let timeout_ms = settings.timeout_ms.to_string();
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(timeout)
            // It would cost a round trip each time; a broken connection shows itself when used.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let timeout_ms = timeout_ms.clone();
                Box::pin(async move {
                    // By a statement rather than when connecting, where poolers refuse what they
                    // do not know. The server gives up when the client has, so that nothing holds
                    // the lock of a partition any longer.
                    sqlx::query(
                        "select set_config('statement_timeout', $1, false),
                                set_config('idle_in_transaction_session_timeout', $1, false),
                                set_config('default_transaction_isolation', 'read committed', false)",
                    )
                    .persistent(false)
                    .bind(timeout_ms)
                    .execute(connection)
                    .await
                    .map(drop)
                })
            })
            .connect_lazy_with(options);
        Self { pool, timeout }
    }

    /// Runs a statement as a transaction of its own, in one round trip, and returns when it is
    /// committed.
    pub(crate) async fn fetch(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        let deadline = Instant::now() + self.timeout;
        let mut connection = self.connection(deadline).await?;
        match timeout_at(deadline, statement.fetch_all(&mut *connection)).await {
            Ok(outcome) => outcome.map_err(translate),
            Err(_) => {
                // Nobody knows when it answers, so it must not keep its place among the few.
                drop(connection.detach());
                Err(self.timed_out())
            }
        }
    }

    /// The same, with a pause before the commit.
    pub(crate) async fn fetch_held(
        &self,
        statement: Statement<'_>,
        reached: oneshot::Sender<()>,
        release: oneshot::Receiver<()>,
    ) -> Result<Vec<PgRow>, Error> {
        let mut connection = self.connection(Instant::now() + self.timeout).await?;
        let mut transaction = connection.begin().await.map_err(translate)?;
        let rows = statement
            .fetch_all(&mut *transaction)
            .await
            .map_err(translate)?;
        // Whoever dropped the other end does not want to be told, or to hold any longer.
        let _ = reached.send(());
        let _ = release.await;
        transaction.commit().await.map_err(translate)?;
        Ok(rows)
    }

    async fn connection(&self, deadline: Instant) -> Result<PoolConnection<Postgres>, Error> {
        match timeout_at(deadline, self.pool.acquire()).await {
            Ok(connection) => connection.map_err(translate),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> Error {
        Error::Unavailable(
            TimedOut {
                timeout_ms: self.timeout.as_millis(),
            }
            .into(),
        )
    }
}
