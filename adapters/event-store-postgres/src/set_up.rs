//! Making the database ready.

use std::borrow::Cow;
use std::time::Duration;

use contracts::Partitions;
use event_store::{Error, PartitionsDiffer};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;

use crate::error::{TimedOut, corrupt, translate, translate_migration};

/// How long setting up may take; it may wait for another program that does the same.
const PATIENCE: Duration = Duration::from_secs(60);

/// Applies what the database lacks, and, for a log, checks that it is meant for as many partitions.
pub(crate) async fn set_up(
    options: &PgConnectOptions,
    to_connect: Duration,
    partitions: Option<Partitions>,
) -> Result<(), Error> {
    let mut connection = within(to_connect, async {
        options.connect().await.map_err(translate)
    })
    .await?;
    within(PATIENCE, migrate(&mut connection, partitions)).await?;
    // The work is done; a connection that cannot say goodbye is no reason to fail.
    drop(connection.close().await);
    Ok(())
}

/// One transaction under a lock that ends with it: of several programs that start together, one
/// does the work and the others find it done. sqlx's own lock belongs to the session, which does
/// not hold behind a connection pooler.
async fn migrate(
    connection: &mut PgConnection,
    partitions: Option<Partitions>,
) -> Result<(), Error> {
    let mut transaction = connection.begin().await.map_err(translate)?;
    for statement in [
        "set local statement_timeout = 0",
        "select pg_advisory_xact_lock(hashtextextended('longhaul/set up', 0))",
    ] {
        sqlx::query(statement)
            .execute(&mut *transaction)
            .await
            .map_err(translate)?;
    }
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
async fn agree(connection: &mut PgConnection, partitions: Partitions) -> Result<(), Error> {
    sqlx::query("insert into log_settings (partitions) values ($1) on conflict do nothing")
        .bind(i32::from(partitions.count()))
        .execute(&mut *connection)
        .await
        .map_err(translate)?;
    let stored: i32 = sqlx::query_scalar("select partitions from log_settings")
        .fetch_one(&mut *connection)
        .await
        .map_err(translate)?;
    PartitionsDiffer::check(u16::try_from(stored).map_err(corrupt)?, partitions)
}

fn migrator() -> Migrator {
    let migration = |version, description: &'static str, sql: &'static str| {
        let sql = Cow::Borrowed(sql);
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        )
    };
    let mut migrator = Migrator {
        // Numbers that others, who keep their migrations in the same table, will not have used.
        migrations: Cow::Owned(vec![
            migration(
                20_261_121_000_001,
                "log",
                include_str!("../migrations/0001_log.sql"),
            ),
            migration(
                20_261_121_000_002,
                "functions",
                include_str!("../migrations/0002_functions.sql"),
            ),
            migration(
                20_261_121_000_003,
                "places",
                include_str!("../migrations/0003_places.sql"),
            ),
            migration(
                20_261_121_000_004,
                "upkeep",
                include_str!("../migrations/0004_upkeep.sql"),
            ),
            migration(
                20_261_121_000_005,
                "log pages",
                include_str!("../migrations/0005_log_pages.sql"),
            ),
        ]),
        ..Migrator::DEFAULT
    };
    // Migrations only add, so a program may run on a database that a later one has set up.
    migrator.set_ignore_missing(true);
    migrator.set_locking(false);
    migrator
}

async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(time, work).await.unwrap_or_else(|_| {
        Err(Error::Unavailable(
            TimedOut {
                timeout_ms: time.as_millis(),
            }
            .into(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_migrations_is_applied() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files = std::fs::read_dir(folder).unwrap();
        let files: BTreeSet<_> = files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        let migrator = migrator();
        let applied = migrator.iter().map(|it| it.sql.clone().into_owned());
        assert_eq!(applied.collect::<BTreeSet<_>>(), files);
    }
}
