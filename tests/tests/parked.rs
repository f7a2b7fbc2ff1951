//! A shipment with a parked input, as a user meets it over HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use contracts::Partitions;
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use system_tests::parked::{garbage, parking};
use system_tests::suite::Suite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_parked_is_never_answered_as_accepted() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
    let append = parking("12EEQ9CS9K10", &garbage());
    store.append(&[append]).await.unwrap();
    let suite = Suite::embedded(store);
    for attempt in 1..=2 {
        let (status, problem) = suite.request("POST", "/12EEQ9CS9K10").await;
        assert_eq!(status, 409, "attempt {attempt}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("/redrive"),
            "{problem}"
        );
    }
    assert_eq!(suite.request("GET", "/12EEQ9CS9K10").await.0, 404);
    suite.stop().await;
}
