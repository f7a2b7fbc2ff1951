//! What is sent to be stored.

use std::collections::HashMap;

use contracts::Partitions;
use event_store::{Append, Appended, Checkpoint, Error, Place, Position, Version};
use jiff_sqlx::ToSqlx;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::database::Statement;
use crate::error::{corrupt, refused, translate};
use crate::read::clamped;

/// The call of `longhaul_append_placed`: an array for each column, so that the statement is the same for
/// any number of streams and entries.
pub(crate) fn query<'q>(
    appends: &'q [Append],
    partitions: Partitions,
) -> Result<Statement<'q>, Error> {
    let mut firsts = Vec::with_capacity(appends.len());
    let mut counts = Vec::with_capacity(appends.len());
    let total = appends.iter().map(|append| append.entries.len()).sum();
    let mut streams = Vec::with_capacity(total);
    let mut versions = Vec::with_capacity(total);
    let mut ids = Vec::with_capacity(total);
    let mut types = Vec::with_capacity(total);
    let mut categories = Vec::with_capacity(total);
    let mut bodies = Vec::with_capacity(total);
    let mut metadatas = Vec::with_capacity(total);
    let mut times = Vec::with_capacity(total);
    for (append, stream) in appends.iter().zip(1_i32..) {
        firsts.push(small(streams.len() + 1)?);
        counts.push(small(append.entries.len())?);
        for (entry, ordinal) in append.entries.iter().zip(1..) {
            streams.push(stream);
            versions.push(clamped(append.expected.0.saturating_add(ordinal)));
            ids.push(entry.id.uuid());
            types.push(entry.type_name.as_str());
            categories.push(entry.metadata.category.as_deref());
            bodies.push(entry.data.get());
            metadatas.push(serde_json::to_string(&entry.metadata).map_err(refused)?);
            times.push(entry.recorded_at.to_sqlx());
        }
    }
    let of_streams = || appends.iter().map(|append| &append.stream);
    Ok(sqlx::query(
        "select outcomes, lasts, positions
         from longhaul_append_placed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(
        of_streams()
            .map(|stream| stream.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(of_streams().map(|stream| stream.kind()).collect::<Vec<_>>())
    .bind(
        of_streams()
            .map(|stream| i32::from(partitions.of(stream.instance()).0))
            .collect::<Vec<_>>(),
    )
    .bind(
        appends
            .iter()
            .map(|append| clamped(append.expected.0))
            .collect::<Vec<_>>(),
    )
    .bind(firsts)
    .bind(counts)
    .bind(streams)
    .bind(versions)
    .bind(ids)
    .bind(types)
    .bind(categories)
    .bind(bodies)
    .bind(metadatas)
    .bind(times))
}

/// What `longhaul_append_placed` answers: what became of each append, and where it stands where this call has
/// stored it.
pub(crate) fn outcomes(
    appends: &[Append],
    partitions: Partitions,
    rows: &[PgRow],
) -> Result<(Vec<Appended>, Vec<Option<Place>>), Error> {
    let row = rows
        .first()
        .ok_or_else(|| corrupt("no answer to an append"))?;
    let outcomes: Vec<Option<i64>> = row.try_get("outcomes").map_err(translate)?;
    let lasts: Vec<Option<i64>> = row.try_get("lasts").map_err(translate)?;
    let positions: Option<Vec<i64>> = row.try_get("positions").map_err(translate)?;
    let mut positions = positions.unwrap_or_default().into_iter().map(position);
    // Where several appends go to one log, each stands behind the one before.
    let mut ends = HashMap::new();
    let mut places = Vec::with_capacity(appends.len());
    for (append, last) in appends.iter().zip(lasts) {
        let Some(last) = last else {
            places.push(None);
            continue;
        };
        let positions = positions.by_ref().take(append.entries.len());
        let positions: Vec<_> = positions.collect::<Result<_, _>>()?;
        let partition = partitions.of(append.stream.instance());
        let end = positions.last().copied().unwrap_or_default();
        let before = ends.insert((append.stream.kind(), partition), end);
        let behind = before.map_or_else(|| position(last), Ok)?;
        places.push(Some(Place { behind, positions }));
    }
    let appended = |outcome: Option<i64>| match outcome {
        None => Ok(Appended::Stored),
        Some(version) => {
            let current = Version(u64::try_from(version).map_err(corrupt)?);
            Ok(Appended::Conflict { current })
        }
    };
    let outcomes = outcomes.into_iter().map(appended);
    Ok((outcomes.collect::<Result<_, _>>()?, places))
}

fn position(found: i64) -> Result<Position, Error> {
    u64::try_from(found).map(Position).map_err(corrupt)
}

/// Saves a checkpoint, keeping the greater position of each partition.
pub(crate) fn checkpoint_query<'q>(reader: &'q str, checkpoint: &'q Checkpoint) -> Statement<'q> {
    let mut partitions = Vec::new();
    let mut positions = Vec::new();
    let mut states = Vec::new();
    for (partition, (position, state)) in &checkpoint.partitions {
        partitions.push(i32::from(partition.0));
        positions.push(clamped(position.0));
        states.push(state.as_ref().map(|state| state.get()));
    }
    sqlx::query(
        "insert into checkpoints (reader, partition, position, state)
         select $1, place.partition, place.position, place.state::json
         from unnest($2, $3, $4) as place (partition, position, state)
         on conflict (reader, partition) do update
         set position = excluded.position, state = excluded.state
         where excluded.position >= checkpoints.position",
    )
    .bind(reader)
    .bind(partitions)
    .bind(positions)
    .bind(states)
}

/// A place in an array of PostgreSQL.
pub(crate) fn small(number: usize) -> Result<i32, Error> {
    i32::try_from(number).map_err(refused)
}
