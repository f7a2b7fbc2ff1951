//! Removing streams: a transaction of its own, which waits for its turn as other programs do.

use event_store::{Error, Removal, Removed, StreamName, Version};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error::{corrupt, translate};
use crate::read::clamped;

pub(crate) async fn streams(
    options: &SqliteConnectOptions,
    removals: &[Removal],
) -> Result<Vec<Removed>, Error> {
    let mut connection = options.connect().await.map_err(translate)?;
    // Nobody writes between the look at the versions and the commit.
    let mut transaction = connection
        .begin_with("begin immediate")
        .await
        .map_err(translate)?;
    let mut outcomes = Vec::with_capacity(removals.len());
    for removal in removals {
        outcomes.push(remove(&mut transaction, removal).await?);
    }
    transaction.commit().await.map_err(translate)?;
    // The work is done; a connection that cannot say goodbye is no reason to fail.
    drop(connection.close().await);
    Ok(outcomes)
}

async fn remove(connection: &mut SqliteConnection, removal: &Removal) -> Result<Removed, Error> {
    let (mut gone, mut unchanged) = (true, true);
    for (stream, expected) in &removal.streams {
        let version = version(connection, stream).await?;
        gone &= version == Version::NONE;
        unchanged &= version == *expected;
    }
    if gone {
        return Ok(Removed::Gone);
    }
    if !unchanged {
        return Ok(Removed::Changed);
    }
    for (stream, version) in &removal.streams {
        sqlx::query("delete from events where stream_id = ? and version <= ?")
            .bind(stream.as_str())
            .bind(clamped(version.0))
            .execute(&mut *connection)
            .await
            .map_err(translate)?;
    }
    Ok(Removed::Gone)
}

async fn version(connection: &mut SqliteConnection, stream: &StreamName) -> Result<Version, Error> {
    let version: i64 =
        sqlx::query_scalar("select coalesce(max(version), 0) from events where stream_id = ?")
            .bind(stream.as_str())
            .fetch_one(connection)
            .await
            .map_err(translate)?;
    u64::try_from(version).map(Version).map_err(corrupt)
}
