//! What is asked to be removed.

use contracts::Partitions;
use event_store::{Error, Removal, Removed};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::append::small;
use crate::database::Statement;
use crate::error::{corrupt, translate};
use crate::read::clamped;

/// The call of `longhaul_remove_streams`: an array for each column, with an element for each stream.
pub(crate) fn query(
    removals: &[Removal],
    partitions: Partitions,
) -> Result<Statement<'static>, Error> {
    let mut names = Vec::new();
    let mut kinds = Vec::new();
    let mut partition_numbers = Vec::new();
    let mut versions = Vec::new();
    let mut places = Vec::new();
    for (place, removal) in removals.iter().enumerate() {
        for (stream, version) in &removal.streams {
            names.push(stream.as_str().to_owned());
            kinds.push(stream.kind().to_owned());
            partition_numbers.push(i32::from(partitions.of(stream.instance()).0));
            versions.push(clamped(version.0));
            places.push(small(place + 1)?);
        }
    }
    Ok(
        sqlx::query("select longhaul_remove_streams($1, $2, $3, $4, $5)")
            .bind(names)
            .bind(kinds)
            .bind(partition_numbers)
            .bind(versions)
            .bind(places),
    )
}

/// The answer.
pub(crate) fn outcomes(removals: &[Removal], rows: &[PgRow]) -> Result<Vec<Removed>, Error> {
    let row = rows.first();
    let row = row.ok_or_else(|| corrupt("no answer to a removal"))?;
    let gone: Vec<bool> = row.try_get(0).map_err(translate)?;
    if gone.len() != removals.len() {
        return Err(corrupt("an answer to another removal"));
    }
    let outcome = |gone| match gone {
        true => Removed::Gone,
        false => Removed::Changed,
    };
    Ok(gone.into_iter().map(outcome).collect())
}
