//! Running one statement within its time.

use std::time::Duration;

use deadpool::managed::{
    self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult,
};
use event_store::Error;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, Postgres};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::error::{TimedOut, translate};
use crate::settings::Settings;

/// A statement with its parameters.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// The connections. Not those of sqlx, whose pool asks the server after each statement whether it is
/// still there: a round trip more for each.
#[derive(Debug)]
pub(crate) struct Database {
    pool: Pool<Connections>,
    timeout: Duration,
}

impl Database {
    /// Opens connections when they are needed.
    pub(crate) fn new(options: PgConnectOptions, settings: &Settings) -> Result<Self, Error> {
        let connections = Connections {
            options,
            timeout_ms: settings.timeout_ms.to_string(),
        };
        let pool = Pool::builder(connections)
            .max_size(usize::try_from(settings.max_connections.max(1)).unwrap_or(usize::MAX))
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| Error::Refused(error.into()))?;
        Ok(Self {
            pool,
            timeout: settings.timeout(),
        })
    }

    /// Runs a statement as a transaction of its own, in one round trip, and returns when it is
    /// committed.
    pub(crate) async fn fetch(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        let deadline = Instant::now() + self.timeout;
        let mut link = self.link(deadline).await?;
        link.at_rest = false;
        match timeout_at(deadline, statement.fetch_all(&mut link.connection)).await {
            Ok(outcome) => {
                link.at_rest = matches!(outcome, Ok(_) | Err(sqlx::Error::Database(_)));
                outcome.map_err(translate)
            }
            Err(_) => {
                // Nobody knows when it answers, so it must not keep its place among the few.
                drop(Object::take(link));
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
        // Not to be used again, whatever becomes of it.
        let mut link = Object::take(self.link(Instant::now() + self.timeout).await?);
        let mut transaction = link.connection.begin().await.map_err(translate)?;
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

    async fn link(&self, deadline: Instant) -> Result<Object<Connections>, Error> {
        match timeout_at(deadline, self.pool.get()).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(PoolError::Backend(error))) => Err(translate(error)),
            Ok(Err(other)) => Err(Error::Unavailable(other.into())),
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

/// How a connection is made, and when it is used again.
#[derive(Debug)]
struct Connections {
    options: PgConnectOptions,
    timeout_ms: String,
}

/// A connection.
#[derive(Debug)]
struct Link {
    connection: PgConnection,
    /// Whether its last statement came to its end. Where nobody waited for it, or it broke off, nobody
    /// knows what the connection is in the middle of.
    at_rest: bool,
}

impl managed::Manager for Connections {
    type Type = Link;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Link, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // By a statement rather than when connecting, where poolers refuse what they do not know. The
        // server gives up when the client has, so that nothing holds the lock of a partition any longer.
        sqlx::query(
            "select set_config('statement_timeout', $1, false),
                    set_config('idle_in_transaction_session_timeout', $1, false),
                    set_config('default_transaction_isolation', 'read committed', false)",
        )
        .persistent(false)
        .bind(&self.timeout_ms)
        .execute(&mut connection)
        .await?;
        Ok(Link {
            connection,
            at_rest: true,
        })
    }

    /// A broken connection shows itself when it is used.
    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if link.at_rest {
            Ok(())
        } else {
            Err(RecycleError::message("it is in the middle of something"))
        }
    }
}
