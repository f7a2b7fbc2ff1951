//! Whatever the order in which messages arrive, and however often: every shipment ends right.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use contracts::{Partitions, shipment_suite};
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use runtime::Environment;
use system_tests::examples::{IDS, final_status};
use system_tests::expectation::Expectation;
use system_tests::suite::{BEGINNING, Suite, settings};
use system_tests::transcript::public_events;
use testkit::{Broker, ShiftedClock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_and_every_repetition_ends_right() {
    for seed in 0..20 {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
        let mut settings = settings();
        // Sooner than the messages of the first answer may come: the late booking overtakes.
        settings.carrier_stub.books_late_after_ms = 1;
        let broker = Broker::unordered(shipment_suite(), Partitions::default(), seed);
        let environment = Environment {
            store: store.clone(),
            indexes: store.clone(),
            bus: Arc::new(broker),
            clock: Arc::new(ShiftedClock::beginning_at(BEGINNING.parse().unwrap())),
            settings: settings.runtime.clone(),
        };
        let suite = Suite::start(&environment, &settings);
        for id in IDS {
            suite.post(id).await;
        }
        for id in IDS {
            suite.wait_for(id, final_status(id)).await;
        }
        drop(suite);
        for id in IDS {
            for kind in ["Process", "Shipment", "Collection"] {
                let found = public_events(&*store, id, kind).await;
                let expectation = Expectation::of(id);
                let found: Vec<_> = found.iter().map(String::as_str).collect();
                assert!(
                    expectation.histories(kind).allow(kind, &found),
                    "{id}-{kind}, seed {seed}: {found:?}"
                );
            }
        }
    }
}
