//! What one call stores, inside the writer's transaction.

use std::collections::HashMap;

use contracts::{Partition, Partitions};
use event_store::{Append, Appended, Checkpoint, Error, Place, Position, Version};
use serde_json::value::RawValue;
use sqlx::SqliteConnection;

use crate::error::{corrupt, refused, translate};
use crate::read::{clamped, json};

/// An append as its rows, so that the writer does nothing but write.
#[derive(Debug)]
pub(crate) struct Rows {
    stream_id: String,
    kind: String,
    partition: u16,
    expected: Version,
    entries: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    version: i64,
    id: String,
    type_name: String,
    data: String,
    metadata: String,
    recorded_at: String,
}

/// A checkpoint as its rows: partition, position and state.
#[derive(Debug)]
pub(crate) struct CheckpointRows {
    reader: String,
    places: Vec<(u16, i64, Option<String>)>,
}

impl Rows {
    /// The kind and the partition of the log that they go to.
    fn log(&self) -> (&str, u16) {
        (&self.kind, self.partition)
    }
}

/// Makes the rows of some appends.
pub(crate) fn prepare(appends: &[Append], partitions: Partitions) -> Result<Vec<Rows>, Error> {
    let rows_of = |append: &Append| {
        let entries = append.entries.iter().zip(1..).map(|(entry, ordinal)| {
            Ok(Row {
                version: clamped(append.expected.0.saturating_add(ordinal)),
                id: entry.id.to_string(),
                type_name: entry.type_name.clone(),
                data: entry.data.get().to_owned(),
                metadata: serde_json::to_string(&entry.metadata).map_err(refused)?,
                // Of fixed width, so that texts sort as times do.
                recorded_at: format!("{:.6}", entry.recorded_at),
            })
        });
        Ok(Rows {
            stream_id: append.stream.as_str().to_owned(),
            kind: append.stream.kind().to_owned(),
            partition: partitions.of(append.stream.instance()).0,
            expected: append.expected,
            entries: entries.collect::<Result<_, Error>>()?,
        })
    };
    appends.iter().map(rows_of).collect()
}

/// Makes the rows of a checkpoint.
pub(crate) fn prepare_checkpoint(reader: &str, checkpoint: &Checkpoint) -> CheckpointRows {
    type Place<'a> = (&'a Partition, &'a (Position, Option<Box<RawValue>>));
    let place = |(partition, (position, state)): Place| {
        (
            partition.0,
            clamped(position.0),
            state.as_ref().map(|state| state.get().to_owned()),
        )
    };
    CheckpointRows {
        reader: reader.to_owned(),
        places: checkpoint.partitions.iter().map(place).collect(),
    }
}

/// What became of an append, and where it stands where this call has stored it.
pub(crate) type Written = (Appended, Option<Place>);

/// Stores what fits, and says what became of each append.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    appends: &[Rows],
) -> Result<Vec<Written>, Error> {
    let versions = current_versions(connection, appends).await?;
    let mut written = Vec::with_capacity(appends.len());
    let mut new = Vec::new();
    for (append, current) in appends.iter().zip(versions) {
        if current == append.expected {
            new.push((written.len(), append));
            written.push((Appended::Stored, None));
        } else if current > append.expected && is_stored(connection, append).await? {
            written.push((Appended::Stored, None));
        } else {
            written.push((Appended::Conflict { current }, None));
        }
    }
    for (at, place) in insert(connection, &new).await? {
        written[at].1 = Some(place);
    }
    Ok(written)
}

/// Keeps the greater position of each partition.
pub(crate) async fn save_checkpoint(
    connection: &mut SqliteConnection,
    checkpoint: &CheckpointRows,
) -> Result<(), Error> {
    for (partition, position, state) in &checkpoint.places {
        sqlx::query(
            "insert into checkpoints (reader, partition, position, state) values (?, ?, ?, ?)
             on conflict (reader, partition) do update
             set position = excluded.position, state = excluded.state
             where excluded.position >= checkpoints.position",
        )
        .bind(&checkpoint.reader)
        .bind(partition)
        .bind(position)
        .bind(state)
        .execute(&mut *connection)
        .await
        .map_err(translate)?;
    }
    Ok(())
}

async fn current_versions(
    connection: &mut SqliteConnection,
    appends: &[Rows],
) -> Result<Vec<Version>, Error> {
    let names: Vec<&str> = appends
        .iter()
        .map(|append| append.stream_id.as_str())
        .collect();
    let versions: Vec<i64> = sqlx::query_scalar(
        "select (select coalesce(max(version), 0) from events where stream_id = asked.value)
         from json_each(?) as asked order by asked.key",
    )
    .bind(json(&names)?)
    .fetch_all(connection)
    .await
    .map_err(translate)?;
    versions
        .into_iter()
        .map(|n| u64::try_from(n).map(Version).map_err(corrupt))
        .collect()
}

/// Whether exactly these entries already stand behind the expected version.
async fn is_stored(connection: &mut SqliteConnection, append: &Rows) -> Result<bool, Error> {
    let stored: Vec<String> = sqlx::query_scalar(
        "select id from events where stream_id = ? and version > ? order by version limit ?",
    )
    .bind(&append.stream_id)
    .bind(clamped(append.expected.0))
    .bind(clamped(append.entries.len() as u64))
    .fetch_all(connection)
    .await
    .map_err(translate)?;
    Ok(stored.iter().eq(append.entries.iter().map(|row| &row.id)))
}

/// Inserts what each of these appends holds, and says where it stands.
async fn insert(
    connection: &mut SqliteConnection,
    appends: &[(usize, &Rows)],
) -> Result<Vec<(usize, Place)>, Error> {
    if appends.is_empty() {
        return Ok(Vec::new());
    }
    let mut last = last_positions(connection, appends).await?;
    let rows: Vec<_> = appends
        .iter()
        .flat_map(|(_, append)| append.entries.iter().map(move |row| (*append, row)))
        .collect();
    let end = insert_rows(connection, &rows).await?;
    // There is one writer at a time: positions have no gaps within a transaction.
    let mut next = end.saturating_sub(rows.len() as u64) + 1;
    let mut places = Vec::with_capacity(appends.len());
    for (at, append) in appends {
        let positions: Vec<_> = (next..).map(Position).take(append.entries.len()).collect();
        next += append.entries.len() as u64;
        let ends_at = positions.last().copied().unwrap_or_default();
        let behind = last.insert(append.log(), ends_at).unwrap_or_default();
        places.push((*at, Place { behind, positions }));
    }
    Ok(places)
}

/// The position of the last entry in each log that these go to.
async fn last_positions<'a>(
    connection: &mut SqliteConnection,
    appends: &[(usize, &'a Rows)],
) -> Result<HashMap<(&'a str, u16), Position>, Error> {
    let mut logs: Vec<_> = appends.iter().map(|(_, append)| append.log()).collect();
    logs.sort_unstable();
    logs.dedup();
    let last: Vec<i64> = sqlx::query_scalar(
        "select (
             select coalesce(max(position), 0) from events
             where kind = log.value ->> 0 and partition = log.value ->> 1
         )
         from json_each(?) as log order by log.key",
    )
    .bind(json(&logs)?)
    .fetch_all(connection)
    .await
    .map_err(translate)?;
    let position = |last: i64| u64::try_from(last).map(Position).map_err(corrupt);
    let last = logs.into_iter().zip(last);
    last.map(|(log, last)| Ok((log, position(last)?))).collect()
}

/// Inserts rows; the position of the last of them.
async fn insert_rows(
    connection: &mut SqliteConnection,
    mut rows: &[(&Rows, &Row)],
) -> Result<u64, Error> {
    let mut end = 0;
    // A statement has its price, and another one the first time it is met: few of them, and always
    // the same.
    for size in [256, 128, 64, 32, 16, 8, 4, 2, 1] {
        while let Some((now, later)) = rows.split_at_checked(size) {
            let values = ["(?, ?, ?, ?, ?, ?, ?, ?, ?)"].repeat(size).join(", ");
            let sql = format!(
                "insert into events
                    (kind, partition, stream_id, version, id, type, data, metadata, recorded_at)
                 values {values}"
            );
            let mut query = sqlx::query(&sql);
            for (append, row) in now {
                query = query
                    .bind(&append.kind)
                    .bind(append.partition)
                    .bind(&append.stream_id)
                    .bind(row.version)
                    .bind(&row.id)
                    .bind(&row.type_name)
                    .bind(&row.data)
                    .bind(&row.metadata)
                    .bind(&row.recorded_at);
            }
            let done = query.execute(&mut *connection).await.map_err(translate)?;
            end = done.last_insert_rowid();
            rows = later;
        }
    }
    u64::try_from(end).map_err(corrupt)
}
