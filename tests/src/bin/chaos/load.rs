//! The shipments that are started.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use runtime::{Clock as _, SystemClock};
use system_tests::client::{Client, Patience};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The most starts that wait for their answers at once.
const WAITING: usize = 200;

/// One start in so many is sent again after it was accepted, as by a user who has lost the answer.
const AGAIN: u64 = 8;

/// How users wait: not long for an answer, and long for a shipment.
pub(crate) const PATIENCE: Patience = Patience {
    request: Duration::from_secs(5),
    pause: Duration::from_millis(250),
    acceptance: Duration::from_secs(180),
};

/// The id of a shipment of a run: domestic and international in turn, with all endings.
pub(crate) fn id(seed: u64, nth: u64) -> String {
    let country = if nth.is_multiple_of(2) { '1' } else { 'V' };
    let ending = nth / 2 % 4;
    format!("{country}C{seed:X}N{nth}E{ending}")
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
    let mut nth = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = due.tick(), if starts.len() < WAITING => {
                let id = id(seed, nth);
                asked.insert(id.clone(), SystemClock.now());
                starts.push(start(client, id, nth));
                nth += 1;
            }
            // What is under way goes on while the next is not due.
            Some(()) = starts.next() => {}
        }
    }
    while let Some(()) = starts.next().await {}
    asked
}

async fn start(client: &Client, id: String, nth: u64) {
    let first = usize::try_from(nth).unwrap_or_default();
    client.start(&id, first).await;
    if nth.is_multiple_of(AGAIN) {
        client.start_again(&id, first + 1).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use system_tests::examples::{ending, is_domestic};

    use super::*;

    #[test]
    fn all_kinds_of_shipments_come_in_turn() {
        let ids: Vec<_> = (0..8).map(|nth| id(u64::MAX, nth)).collect();
        let kinds = ids
            .iter()
            .map(|id| format!("{} {:?}", is_domestic(id), ending(id)));
        assert_eq!(kinds.collect::<BTreeSet<_>>().len(), 8);
        assert!(ids.iter().all(|id| id.len() <= 64));
        assert_ne!(id(1, 0), id(2, 0));
    }
}
