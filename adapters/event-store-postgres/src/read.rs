//! What is read, always by one statement: it sees one state of the database.

use std::collections::HashMap;
use std::sync::Arc;

use contracts::{MessageId, Partition};
use event_store::{
    Checkpoint, Cursor, Entry, Error, NewEntry, Page, Position, StreamKind, StreamName, Version,
};
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::database::Statement;
use crate::error::{corrupt, translate};

/// A part of a log of so many entries costs little more than a smaller one.
const SMALL_PART: usize = 128;

/// Asks for whole streams.
pub(crate) fn streams_query(streams: &[StreamName]) -> Statement<'_> {
    let names: Vec<&str> = streams.iter().map(StreamName::as_str).collect();
    sqlx::query(
        "select position, partition, stream_id, version, id, type, data::text, metadata::text,
                recorded_at
         from longhaul_read_streams($1)",
    )
    .bind(names)
}

/// The answer, in the order asked for. Each stream comes in the order of versions.
pub(crate) fn streams(asked: &[StreamName], rows: &[PgRow]) -> Result<Vec<Vec<Entry>>, Error> {
    let mut places = HashMap::new();
    for (place, stream) in asked.iter().enumerate() {
        places.entry(stream.as_str()).or_insert(place);
    }
    let mut found = vec![Vec::new(); asked.len()];
    for row in rows {
        let entry = entry(row)?;
        let place = places.get(entry.stream.as_str());
        let place = place.ok_or_else(|| corrupt("an answer to no question"))?;
        found[*place].push(entry);
    }
    // What was asked for twice was read once.
    for (place, stream) in asked.iter().enumerate() {
        let first = places[stream.as_str()];
        if first != place {
            found[place] = found[first].clone();
        }
    }
    Ok(found)
}

/// Asks for a part of a log.
pub(crate) fn log_query<'q>(kind: &'q StreamKind, after: &Cursor, limit: usize) -> Statement<'q> {
    let (partitions, positions) = places(after);
    sqlx::query(
        "select position, partition, stream_id, version, id, type, data::text, metadata::text,
                recorded_at
         from longhaul_read_log($1, $2, $3, $4, $5)",
    )
    .bind(kind.as_str())
    .bind(partitions)
    .bind(positions)
    .bind(count_of(limit))
    .bind(count_of(limit_of_each(after, limit)))
}

/// What was found there.
pub(crate) fn log(after: &Cursor, limit: usize, rows: &[PgRow]) -> Result<Page, Error> {
    let entries = rows.iter().map(|row| entry(row).map(Arc::new));
    let mut page = Page::behind(after, entries.collect::<Result<_, _>>()?, limit);
    let each = limit_of_each(after, limit);
    let of = |partition| {
        page.entries
            .iter()
            .filter(move |it| it.partition == partition)
    };
    page.to_end &= after
        .iter()
        .all(|(partition, _)| of(partition).count() < each);
    Ok(page)
}

/// How many entries of each partition are read at most. What several of them have together is looked at once; one
/// that has more than the others is read in smaller parts, but never in very small ones.
fn limit_of_each(after: &Cursor, limit: usize) -> usize {
    let partitions = after.iter().count().max(1);
    limit.div_ceil(partitions).max(SMALL_PART).min(limit)
}

/// Asks how much of a log there is, at most so much in each partition.
pub(crate) fn count_query<'q>(kind: &'q StreamKind, after: &Cursor, most: usize) -> Statement<'q> {
    let (partitions, positions) = places(after);
    sqlx::query("select longhaul_count_log($1, $2, $3, $4)")
        .bind(kind.as_str())
        .bind(partitions)
        .bind(positions)
        .bind(count_of(most))
}

fn count_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The answer.
pub(crate) fn count(rows: &[PgRow], most: usize) -> Result<usize, Error> {
    let row = rows.first();
    let row = row.ok_or_else(|| corrupt("no answer to a count"))?;
    let count: i64 = row.try_get(0).map_err(translate)?;
    Ok(usize::try_from(count).map_err(corrupt)?.min(most))
}

/// A cursor as the queries take it.
fn places(cursor: &Cursor) -> (Vec<i32>, Vec<i64>) {
    let places = cursor.iter();
    places
        .map(|(partition, position)| (i32::from(partition.0), clamped(position.0)))
        .unzip()
}

/// Asks where a reader stands.
pub(crate) fn checkpoint_query(reader: &str) -> Statement<'_> {
    sqlx::query("select partition, position, state::text from checkpoints where reader = $1")
        .bind(reader)
}

/// The answer.
pub(crate) fn checkpoint(rows: &[PgRow]) -> Result<Checkpoint, Error> {
    let mut checkpoint = Checkpoint::default();
    for row in rows {
        let state: Option<String> = row.try_get("state").map_err(translate)?;
        let state = state
            .map(RawValue::from_string)
            .transpose()
            .map_err(corrupt)?;
        checkpoint
            .partitions
            .insert(partition(row)?, (position(row)?, state));
    }
    Ok(checkpoint)
}

/// An entry as it was stored, or what stands for it where it cannot be read.
pub(crate) fn entry(row: &PgRow) -> Result<Entry, Error> {
    let text = |column| row.try_get::<&str, _>(column).map_err(translate);
    let version: i64 = row.try_get("version").map_err(translate)?;
    let id: uuid::Uuid = row.try_get("id").map_err(translate)?;
    let recorded_at: jiff_sqlx::Timestamp = row.try_get("recorded_at").map_err(translate)?;
    let (id, type_name, recorded_at) = (MessageId::from(id), text("type")?, recorded_at.to_jiff());
    let (data, metadata) = (text("data")?, text("metadata")?);
    let read = || -> serde_json::Result<NewEntry> {
        Ok(NewEntry {
            id,
            type_name: type_name.to_owned(),
            data: RawValue::from_string(data.to_owned())?,
            recorded_at,
            metadata: serde_json::from_str(metadata)?,
        })
    };
    Ok(Entry {
        position: position(row)?,
        partition: partition(row)?,
        stream: StreamName::parse(text("stream_id")?.to_owned()).map_err(corrupt)?,
        version: Version(u64::try_from(version).map_err(corrupt)?),
        content: read().unwrap_or_else(|error| {
            NewEntry::unreadable(id, type_name, recorded_at, &error.to_string())
        }),
    })
}

fn position(row: &PgRow) -> Result<Position, Error> {
    let position: i64 = row.try_get("position").map_err(translate)?;
    Ok(Position(u64::try_from(position).map_err(corrupt)?))
}

fn partition(row: &PgRow) -> Result<Partition, Error> {
    let partition: i32 = row.try_get("partition").map_err(translate)?;
    Ok(Partition(u16::try_from(partition).map_err(corrupt)?))
}

/// PostgreSQL's integers end where nobody's positions reach.
pub(crate) fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
