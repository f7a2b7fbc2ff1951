//! Reading, always in one statement: it sees one state of the file.

use std::str::FromStr;
use std::sync::Arc;

use contracts::{MessageId, Partition};
use event_store::{
    BoxError, Checkpoint, Cursor, Entry, Error, NewEntry, Position, StreamKind, StreamName, Version,
};
use jiff::Timestamp;
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use uuid::Uuid;

use crate::error::{corrupt, refused, translate};

pub(crate) async fn streams(
    pool: &SqlitePool,
    streams: &[StreamName],
) -> Result<Vec<Vec<Entry>>, Error> {
    let names: Vec<&str> = streams.iter().map(StreamName::as_str).collect();
    let rows = sqlx::query(
        "select position, partition, stream_id, version, events.id, events.type, data, metadata,
                recorded_at, wanted.key as place
         from json_each(?) as wanted cross join events on stream_id = wanted.value
         order by wanted.key, version",
    )
    .bind(json(&names)?)
    .fetch_all(pool)
    .await
    .map_err(translate)?;
    let mut found = vec![Vec::new(); streams.len()];
    for row in &rows {
        let place = usize::try_from(row.try_get::<i64, _>("place").map_err(translate)?);
        let stream = place.ok().and_then(|place| found.get_mut(place));
        stream
            .ok_or_else(|| corrupt("an answer to no question"))?
            .push(entry(row)?);
    }
    Ok(found)
}

pub(crate) async fn log(
    pool: &SqlitePool,
    kind: &StreamKind,
    after: &Cursor,
    limit: usize,
) -> Result<Vec<Arc<Entry>>, Error> {
    // Each partition is asked for positions only, in its index; of what they offer, the lowest
    // positions are read, so that no partition starves.
    let rows = sqlx::query(
        "select position, partition, stream_id, version, id, type, data, metadata, recorded_at
         from events
         where position in (
             select next.position
             from json_each(?1) as cursor cross join events as next on next.position in (
                 select position from events
                 where kind = ?2 and partition = cursor.value ->> 0
                     and position > cursor.value ->> 1
                 order by position
                 limit ?3
             )
             order by next.position
             limit ?3
         )
         order by position",
    )
    .bind(positions(after)?)
    .bind(kind.as_str())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .map_err(translate)?;
    rows.iter().map(|row| entry(row).map(Arc::new)).collect()
}

/// Counted in the index alone, and no further in each partition than up to `most`.
pub(crate) async fn count(
    pool: &SqlitePool,
    kind: &StreamKind,
    after: &Cursor,
    most: usize,
) -> Result<usize, Error> {
    let most_of_each = i64::try_from(most).unwrap_or(i64::MAX);
    let count: i64 = sqlx::query_scalar(
        "select coalesce(sum((
             select count(*) from (
                 select 1 from events
                 where kind = ?2 and partition = cursor.value ->> 0
                     and position > cursor.value ->> 1
                 limit ?3
             )
         )), 0)
         from json_each(?1) as cursor",
    )
    .bind(positions(after)?)
    .bind(kind.as_str())
    .bind(most_of_each)
    .fetch_one(pool)
    .await
    .map_err(translate)?;
    Ok(usize::try_from(count).map_err(corrupt)?.min(most))
}

/// A cursor as the queries take it.
fn positions(cursor: &Cursor) -> Result<String, Error> {
    let places = cursor.iter();
    let places = places.map(|(partition, position)| (partition.0, clamped(position.0)));
    json(&places.collect::<Vec<_>>())
}

pub(crate) async fn checkpoint(pool: &SqlitePool, reader: &str) -> Result<Checkpoint, Error> {
    let rows: Vec<(i64, i64, Option<String>)> =
        sqlx::query_as("select partition, position, state from checkpoints where reader = ?")
            .bind(reader)
            .fetch_all(pool)
            .await
            .map_err(translate)?;
    let mut checkpoint = Checkpoint::default();
    for (partition, position, state) in rows {
        let partition = Partition(u16::try_from(partition).map_err(corrupt)?);
        let position = Position(u64::try_from(position).map_err(corrupt)?);
        let state = state
            .map(RawValue::from_string)
            .transpose()
            .map_err(corrupt)?;
        checkpoint.partitions.insert(partition, (position, state));
    }
    Ok(checkpoint)
}

pub(crate) async fn ping(pool: &SqlitePool) -> Result<(), Error> {
    sqlx::query("select 1 from log_settings")
        .execute(pool)
        .await
        .map(drop)
        .map_err(translate)
}

/// An entry as it was stored, or what stands for it where it cannot be read.
fn entry(row: &SqliteRow) -> Result<Entry, Error> {
    let number = |column| -> Result<u64, Error> {
        u64::try_from(row.try_get::<i64, _>(column).map_err(translate)?).map_err(corrupt)
    };
    let text = |column| row.try_get::<&str, _>(column).map_err(translate);
    let id = MessageId::from(Uuid::from_str(text("id")?).map_err(corrupt)?);
    let (type_name, data, metadata) = (text("type")?, text("data")?, text("metadata")?);
    let recorded_at = text("recorded_at")?.parse::<Timestamp>();
    let read = || -> Result<NewEntry, BoxError> {
        Ok(NewEntry {
            id,
            type_name: type_name.to_owned(),
            data: RawValue::from_string(data.to_owned())?,
            recorded_at: recorded_at.clone()?,
            metadata: serde_json::from_str(metadata)?,
        })
    };
    Ok(Entry {
        position: Position(number("position")?),
        partition: Partition(u16::try_from(number("partition")?).map_err(corrupt)?),
        stream: StreamName::parse(text("stream_id")?.to_owned()).map_err(corrupt)?,
        version: Version(number("version")?),
        content: read().unwrap_or_else(|error| {
            let at = recorded_at.clone().unwrap_or_default();
            NewEntry::unreadable(id, type_name, at, &error.to_string())
        }),
    })
}

/// A list as SQLite's `json_each` takes it.
pub(crate) fn json<T: serde::Serialize>(values: &[T]) -> Result<String, Error> {
    serde_json::to_string(values).map_err(refused)
}

/// SQLite's integers end where nobody's positions reach.
pub(crate) fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
