//! What must be true once nothing is injured any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use serde_json::Value;
use system_tests::client::Client;
use system_tests::completeness::{faults, outcome_faults};
use system_tests::history::{Log, Stored};
use system_tests::queues;
use tokio::time::{Instant, sleep};

use crate::field::Field;
use crate::log;

/// How long nothing may end while shipments are under way, until they count as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// How long everything may take in all.
const LONGEST: Duration = Duration::from_secs(900);

/// How long the queues may take to become empty.
const DRAINED: Duration = Duration::from_secs(60);

/// How many questions are asked at once.
const SIDE_BY_SIDE: usize = 8;

/// What the check has come to.
pub(crate) struct Checked {
    /// When each shipment ended.
    pub(crate) ends: BTreeMap<String, f64>,
    /// All that is wrong.
    pub(crate) faults: Vec<String>,
    /// How many entries the log has, public and internal.
    pub(crate) entries: (usize, usize),
}

/// Waits until all these shipments have ended, asks for each, stops the services, and looks at the whole
/// log.
pub(crate) async fn check(field: &Field, client: &Client, ids: &BTreeSet<String>) -> Checked {
    let ends = settled(field, ids).await;
    field.say("nothing more ends: asking for each shipment");
    let mut found = Vec::new();
    let stuck: Vec<_> = ids.iter().filter(|id| !ends.contains_key(*id)).collect();
    if stuck.is_empty() {
        // What comes twice must come before the log is looked at.
        queues::drained(&field.broker.url, DRAINED).await;
    }
    for id in &stuck {
        let outcome = client.outcome(id).await.unwrap_or(Value::Null);
        found.push(format!("{id} has not ended: {outcome}"));
    }
    let ended = ids.iter().filter(|id| ends.contains_key(*id));
    let outcomes: Vec<_> = stream::iter(ended)
        .map(async |id| (id, client.outcome(id).await.unwrap_or(Value::Null)))
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    field.look_for_ends();
    field.stop_all().await;

    field.say("the services have stopped: looking at the whole log");
    let entries = Log::Database(field.database.url.clone()).entries().await;
    found.extend(faults(&entries, ids.iter().map(String::as_str)));
    let carriers = by_shipment(&entries, "Carrier");
    for (id, outcome) in outcomes {
        let carriers = carriers.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        found.extend(outcome_faults(carriers.iter().copied(), id, &outcome));
    }
    let public = entries.iter().filter(|entry| entry.is_public()).count();
    Checked {
        ends,
        faults: found,
        entries: (public, entries.len() - public),
    }
}

/// Waits until all have ended, or nothing more ends.
async fn settled(field: &Field, ids: &BTreeSet<String>) -> BTreeMap<String, f64> {
    let began = Instant::now();
    let mut last = BTreeMap::new();
    let mut moved = Instant::now();
    loop {
        match log::ends(&field.database.url).await {
            Ok(ends) => {
                if ends.len() > last.len() {
                    moved = Instant::now();
                }
                last = ends;
            }
            Err(error) => field.say(&format!("the log cannot be read: {error:#}")),
        }
        let all = ids.iter().all(|id| last.contains_key(id));
        if all || moved.elapsed() > STUCK || began.elapsed() > LONGEST {
            return last;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

fn by_shipment<'a>(entries: &'a [Stored], kind: &str) -> BTreeMap<&'a str, Vec<&'a Stored>> {
    let mut found: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
    for entry in entries {
        let (shipment, of_kind) = entry.shipment_and_kind();
        if of_kind == kind {
            found.entry(shipment).or_default().push(entry);
        }
    }
    found
}
