//! Opening the file and setting it up.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use contracts::Partitions;
use event_store::{Error, PartitionsDiffer};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::error::{corrupt, primary_code, translate, translate_migration};

/// How long to wait while another program writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many reads run at once.
const READERS: u32 = 4;

/// How a connection that writes is opened.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        // 16 MiB: the index of streams is written at random places, and should stay in memory.
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", "4000")
}

/// The connections that read; opened when they are needed.
pub(crate) fn readers(options: &SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.clone().pragma("query_only", "on"))
}

/// Makes the file ready, whether it is new or not; for a log of so many partitions, if for one.
pub(crate) async fn set_up(
    options: &SqliteConnectOptions,
    partitions: Option<Partitions>,
) -> Result<(), Error> {
    if let Some(folder) = options.get_filename().parent() {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|error| Error::Unavailable(error.into()))?;
    }
    let mut connection = options.connect().await.map_err(translate)?;
    enter_wal(&mut connection).await.map_err(translate)?;
    migrate(&mut connection, partitions).await?;
    connection.close().await.map_err(translate)
}

/// Readers and the writer do not wait for each other in this mode, which the file keeps. SQLite
/// does not apply its own time-out to this change, so programs that open a new file at the same
/// moment try again here.
async fn enter_wal(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match sqlx::query("pragma journal_mode = wal")
            .execute(&mut *connection)
            .await
        {
            Err(sqlx::Error::Database(error))
                if matches!(primary_code(&*error), Some(5 | 6)) && waited < BUSY_TIMEOUT =>
            {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            outcome => return outcome.map(drop),
        }
    }
}

/// One transaction, so that of several programs that start together one sets up
/// the tables.
async fn migrate(
    connection: &mut SqliteConnection,
    partitions: Option<Partitions>,
) -> Result<(), Error> {
    let mut transaction = connection
        .begin_with("begin immediate")
        .await
        .map_err(translate)?;
    // `run` would be the public way to say this, but its future cannot be sent between threads.
    migrator()
        .run_direct(&mut *transaction)
        .await
        .map_err(translate_migration)?;
    if let Some(partitions) = partitions {
        agree(&mut transaction, partitions).await?;
    }
    transaction.commit().await.map_err(translate)
}

/// Whether the log is one of so many partitions, or a new one.
async fn agree(connection: &mut SqliteConnection, partitions: Partitions) -> Result<(), Error> {
    sqlx::query(
        "insert into log_settings (only_row, partitions) values (1, ?) on conflict do nothing",
    )
    .bind(partitions.count())
    .execute(&mut *connection)
    .await
    .map_err(translate)?;
    let stored: i64 = sqlx::query_scalar("select partitions from log_settings")
        .fetch_one(&mut *connection)
        .await
        .map_err(translate)?;
    PartitionsDiffer::check(u16::try_from(stored).map_err(corrupt)?, partitions)
}

fn migrator() -> Migrator {
    let log = Migration::new(
        // A number that others, who keep their migrations in the same table, will not have used.
        20_261_121_000_001,
        "log".into(),
        MigrationType::Simple,
        Cow::Borrowed(include_str!("../migrations/0001_log.sql")),
        false,
    );
    let mut migrator = Migrator {
        migrations: Cow::Owned(vec![log]),
        ..Migrator::DEFAULT
    };
    // Migrations only add, so a program may run on a file that a later one has set up.
    migrator.set_ignore_missing(true);
    migrator.set_locking(false);
    migrator
}
