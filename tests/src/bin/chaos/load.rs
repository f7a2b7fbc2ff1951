//! The shipments that are started.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use runtime::{Clock as _, SystemClock};
use serde_json::{Value, json};
use system_tests::client::{Client, Patience};
use system_tests::expectation::{CANCELLED, SECOND_LEG_REFUSED};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// The most shipments of which something waits for its answer at once.
const WAITING: usize = 200;

/// One start in so many is sent again after it was accepted, as by a user who has lost the answer.
const AGAIN: u64 = 8;

/// How users wait: not long for an answer, and long for a shipment.
pub(crate) const PATIENCE: Patience = Patience {
    request: Duration::from_secs(5),
    pause: Duration::from_millis(250),
    acceptance: Duration::from_secs(180),
};

/// The longest time from its acceptance until one is cancelled, in milliseconds.
const CANCELLED_WITHIN_MS: u64 = 4_000;

/// A carrier that takes no leg, and one that does.
const REFUSES: &str = "00000000-0000-4000-8000-000000000001";
const TAKES: &str = "c62bee76-3e7a-4ce3-87dd-a5eb11678815";

/// The id of a shipment of a run: domestic and international in turn, with all endings.
pub(crate) fn id(seed: u64, nth: u64) -> String {
    let domestic = nth.is_multiple_of(2);
    let country = if domestic { '1' } else { 'V' };
    let ending = match nth / 2 % 6 {
        // Only what has two legs has a second.
        4 if !domestic => SECOND_LEG_REFUSED,
        4 | 5 => CANCELLED,
        digit => ["0", "1", "2", "3"][usize::try_from(digit).unwrap_or_default()],
    };
    format!("{country}C{seed:X}N{nth}E{ending}")
}

/// What a shipment is started from, unless its id says all: the same at each try.
fn body(id: &str, tomorrow: Date) -> Option<Value> {
    let leg = |carrier| json!({ "carrierId": carrier, "sender": "S", "receiver": "R", "collection": "C" });
    id.ends_with(SECOND_LEG_REFUSED).then(|| {
        json!({
            "shipmentId": id,
            "legs": [leg(TAKES), leg(REFUSES)],
            "collectionDate": tomorrow,
            "timeZone": "UTC",
        })
    })
}

/// Starts shipments until `stop`, so many a second, and returns once all of them are accepted: when each
/// was asked for.
pub(crate) async fn start_all(
    client: &Client,
    seed: u64,
    rate: f64,
    stop: &CancellationToken,
) -> BTreeMap<String, Timestamp> {
    let mut asked = BTreeMap::new();
    let mut starts = FuturesUnordered::new();
    let mut due = interval(Duration::from_secs_f64(1.0 / rate));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let today = SystemClock.now().to_zoned(TimeZone::UTC).date();
    let tomorrow = today.saturating_add(1.day());
    let mut nth = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = due.tick(), if starts.len() < WAITING => {
                let id = id(seed, nth);
                asked.insert(id.clone(), SystemClock.now());
                starts.push(start(client, id, nth, tomorrow));
                nth += 1;
            }
            // What is under way goes on while the next is not due.
            Some(()) = starts.next() => {}
        }
    }
    while let Some(()) = starts.next().await {}
    asked
}

async fn start(client: &Client, id: String, nth: u64, tomorrow: Date) {
    let first = usize::try_from(nth).unwrap_or_default();
    let body = body(&id, tomorrow);
    client.start_from(&id, body.as_ref(), first).await;
    if nth.is_multiple_of(AGAIN) {
        client.start_again(&id, body.as_ref(), first + 1).await;
    }
    if id.ends_with(CANCELLED) {
        // A number that looks like chance, from the shipment's.
        let after_ms = nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % CANCELLED_WITHIN_MS;
        sleep(Duration::from_millis(after_ms)).await;
        client.cancel(&id, first).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use system_tests::examples::is_domestic;
    use system_tests::expectation::Expectation;

    use super::*;

    #[test]
    fn all_kinds_of_shipments_come_in_turn() {
        let ids: Vec<_> = (0..12).map(|nth| id(u64::MAX, nth)).collect();
        let kinds = ids
            .iter()
            .map(|id| (is_domestic(id), Expectation::of(id).name));
        let kinds: BTreeSet<_> = kinds.collect();
        assert_eq!(kinds.len(), 11, "{kinds:?}");
        assert!(ids.iter().all(|id| id.len() <= 64));
        assert_ne!(id(1, 0), id(2, 0));
    }
}
