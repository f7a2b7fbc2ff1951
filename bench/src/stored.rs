//! A log that has grown: shipments that have ended, copied under other ids.
//!
//! Copies speak of the shipment that they were copied from; nobody reads them, since every reader is set
//! behind them. Tables and indexes are as large as if the suite had stored them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contracts::Partitions;
use futures::future::try_join_all;
use rand::Rng as _;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

/// How many shipments are copied from.
const ORIGINALS: u32 = 200;

/// How many are copied by one statement, and by how many connections at once.
const AT_ONCE: u32 = 1_000;
const SIDE_BY_SIDE: usize = 2;

/// Fewer than these are not worth waiting for the server to look after them.
const MANY: u32 = 10_000;

/// How long the server may take for that; it begins about once a minute.
const LOOKED_AFTER: Duration = Duration::from_secs(300);

/// In the order of time, as the suite stores them: ordered by kind, large entries would leave gaps in the pages
/// of the table, in which what is measured later would be stored, with each of these pages written anew.
const COPY: &str = "
    insert into events (
        kind, partition, stream_id, version, id, type, category, data, metadata, recorded_at
    )
    select kind, partition, stream_id, version, gen_random_uuid(), type, category, data, metadata, recorded_at
    from (
        select original.*, copy.partition, copy.id || '-' || original.kind as stream_id
        from unnest($1, $2, $3) as copy (nth, id, partition)
        join bench_originals as original using (nth)
        order by original.recorded_at, copy.id
    ) as entry";

/// Adds so many shipments to the log, of which some have ended and no service runs; what is to be known of it.
pub(crate) async fn add(database: &str, shipments: u32) -> Result<Option<&'static str>> {
    let mut connection = PgConnection::connect(database).await?;
    // Of each kind of stream, that of one shipment: `nth` is its number.
    sqlx::query(
        "create table bench_originals as
         select chosen.nth, kind, version, type, category, data, metadata, recorded_at
         from (
            select split_part(stream_id, '-', 1) as id, (row_number() over ())::int - 1 as nth
            from (
                select stream_id from events
                where kind = 'Process' and type = 'ShipmentProcessCompleted'
                order by stream_id limit $1
            ) as ended
         ) as chosen
         join events on events.stream_id = any (array[
            chosen.id || '-Process', chosen.id || '-Shipment', chosen.id || '-Collection', chosen.id || '-Carrier'
         ])",
    )
    .bind(i64::from(ORIGINALS))
    .execute(&mut connection)
    .await?;
    sqlx::raw_sql("create index on bench_originals (nth)")
        .execute(&mut connection)
        .await?;
    let originals: Option<i32> = sqlx::query_scalar("select max(nth) + 1 from bench_originals")
        .fetch_one(&mut connection)
        .await?;
    let originals = u32::try_from(originals.context("no shipment has ended")?)?;
    let statements: Vec<u32> = (0..shipments)
        .step_by(usize::try_from(AT_ONCE)?)
        .map(|done| AT_ONCE.min(shipments - done))
        .collect();
    let copying = (0..SIDE_BY_SIDE).map(async |lane| {
        let mut connection = PgConnection::connect(database).await?;
        for count in statements.iter().skip(lane).step_by(SIDE_BY_SIDE) {
            copy(&mut connection, *count, originals).await?;
        }
        anyhow::Ok(connection.close().await?)
    });
    try_join_all(copying).await?;
    sqlx::raw_sql("drop table bench_originals")
        .execute(&mut connection)
        .await?;
    // Every reader is behind all of them.
    sqlx::raw_sql("update checkpoints set position = (select max(position) from events)")
        .execute(&mut connection)
        .await?;
    if shipments >= MANY {
        // Its writes are not those of what is measured. Only some users may ask for it.
        let _ = sqlx::raw_sql("checkpoint").execute(&mut connection).await;
    }
    let note = match shipments >= MANY {
        true => looked_after(&mut connection).await?,
        false => None,
    };
    connection.close().await?;
    Ok(note)
}

async fn copy(connection: &mut PgConnection, count: u32, originals: u32) -> Result<()> {
    let ids: Vec<_> = (0..count).map(|_| id()).collect();
    let of = |id: &String| i32::from(Partitions::default().of(id).0);
    let partitions: Vec<_> = ids.iter().map(of).collect();
    let nths = (0..count).map(|nth| i32::try_from(nth % originals));
    let copied = sqlx::query(COPY)
        .bind(nths.collect::<Result<Vec<_>, _>>()?)
        .bind(ids)
        .bind(partitions)
        .execute(connection)
        .await?;
    ensure!(
        copied.rows_affected() >= u64::from(count),
        "too little was copied"
    );
    Ok(())
}

/// An id such as the load generator gives, of an international shipment that succeeds.
fn id() -> String {
    const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0456789";
    let mut random = rand::rng();
    let mut one = || char::from(CHARACTERS[random.random_range(0..CHARACTERS.len())]);
    (0..12).map(|_| one()).collect()
}

/// Waits until the server has done by itself what it does to a table that has grown: a log that has grown
/// in months has been vacuumed and analysed, too.
async fn looked_after(connection: &mut PgConnection) -> Result<Option<&'static str>> {
    let does: String = sqlx::query_scalar("show autovacuum")
        .fetch_one(&mut *connection)
        .await?;
    if does != "on" {
        return Ok(Some(
            "autovacuum is off: what is stored was never vacuumed or analysed",
        ));
    }
    let end = Instant::now() + LOOKED_AFTER;
    loop {
        let outstanding: bool = sqlx::query_scalar(
            "select (
                select n_mod_since_analyze > 0.1 * n_live_tup + 50 or n_ins_since_vacuum > 0.2 * n_live_tup + 1000
                from pg_stat_user_tables where relname = 'events'
            ) or exists (
                select from pg_stat_activity
                where backend_type = 'autovacuum worker' and datname = current_database()
            )",
        )
        .fetch_one(&mut *connection)
        .await?;
        if !outstanding {
            return Ok(None);
        }
        if Instant::now() > end {
            return Ok(Some(
                "autovacuum was not done with what is stored when measuring began",
            ));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_international_shipments_that_succeed() {
        for id in (0..1_000).map(|_| id()) {
            assert_eq!(id.len(), 12);
            assert!(!id.contains(['1', '2', '3']), "{id}");
        }
    }
}
