//! What the log says while the services run: which shipments have begun and ended, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use system_tests::expectation::Expectation;
use tokio::time::timeout;

/// How long an answer may take: the database may be away.
const ANSWER: Duration = Duration::from_secs(5);

/// When each shipment that has ended did so, in seconds since 1970.
pub(crate) async fn ends(url: &str) -> Result<BTreeMap<String, f64>> {
    let rows = timeout(ANSWER, rows(url))
        .await
        .context("the database does not answer")??;
    let ends = rows.into_iter().filter_map(|(stream, type_name, seconds)| {
        let (shipment, _) = stream.split_once('-')?;
        (type_name == Expectation::of(shipment).last_event).then(|| (shipment.to_owned(), seconds))
    });
    Ok(ends.collect())
}

async fn rows(url: &str) -> Result<Vec<(String, String, f64)>, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let rows = sqlx::query_as(
        "select stream_id, event_type, extract(epoch from timestamp)::float8
         from mt_events where kind = 'Process' and event_type like 'ShipmentProcess%'",
    )
    .fetch_all(&mut connection)
    .await;
    connection.close().await?;
    rows
}
