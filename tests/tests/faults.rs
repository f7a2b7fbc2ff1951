//! A shipment is ended at every place where something is stored, and resumed: it reaches the same end.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use contracts::Partitions;
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use system_tests::examples::{expected_stream, final_status};
use system_tests::suite::Suite;
use system_tests::transcript::{public_events, transcript};
use testkit::{Cut, FaultyStore};

fn memory() -> Arc<dyn EventStore> {
    Arc::new(MemoryEventStore::new(Partitions::default()))
}

/// The transcript, once it is sure that the streams are those of the specification.
async fn checked_transcript(store: &dyn EventStore, id: &str) -> String {
    for kind in ["Process", "Shipment", "Collection"] {
        let found = public_events(store, id, kind).await;
        assert_eq!(found, expected_stream(id, kind), "{id}-{kind}");
    }
    transcript(store, id).await
}

async fn finish(suite: &Suite, id: &str) {
    suite.post(id).await;
    suite.wait_for(id, final_status(id)).await;
}

async fn uninterrupted(id: &str) -> String {
    let store = memory();
    let suite = Suite::embedded(store.clone());
    finish(&suite, id).await;
    suite.stop().await;
    checked_transcript(&*store, id).await
}

/// Runs a shipment with a store that stops at `cut`, ends everything there, and runs it to its end on
/// what was stored. `false` when the cut lies beyond its end.
async fn interrupted(id: &str, cut: Cut, expected: &str) -> bool {
    let store = memory();
    let faulty = Arc::new(FaultyStore::new(store.clone(), cut));
    let suite = Suite::embedded(faulty.clone());
    let reached = tokio::select! {
        () = faulty.stopped() => true,
        () = finish(&suite, id) => false,
    };
    drop(suite);

    let suite = Suite::embedded(store.clone());
    // Whoever was not answered asks again.
    finish(&suite, id).await;
    suite.stop().await;
    assert_eq!(
        checked_transcript(&*store, id).await,
        expected,
        "{id} cut at {cut:?}"
    );
    reached
}

async fn at_every_cut(id: &str) {
    let expected = uninterrupted(id).await;
    for cut in [Cut::BeforeAppend, Cut::AfterAppend] {
        let mut n = 0;
        while interrupted(id, cut(n), &expected).await {
            n += 1;
        }
        assert!(n > 5, "a shipment takes more than {n} appends");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domestic_shipment_survives_every_cut() {
    at_every_cut("12EEQ9CS9K10").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_international_shipment_survives_every_cut() {
    at_every_cut("V74YCBYHC8A0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_that_is_booked_late_survives_every_cut() {
    at_every_cut("12EEQ9CS9K13").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_of_unknown_outcome_is_repeated_and_stored_once() {
    let id = "V74YCBYHC8A0";
    let expected = uninterrupted(id).await;
    for n in 0..12 {
        let store = memory();
        let faulty = FaultyStore::new(store.clone(), Cut::UnknownOutcome(n));
        let suite = Suite::embedded(Arc::new(faulty));
        finish(&suite, id).await;
        suite.stop().await;
        assert_eq!(
            checked_transcript(&*store, id).await,
            expected,
            "append {n}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_checkpoint_everything_comes_again_and_nothing_is_done_twice() {
    let (id, next) = ("V74YCBYHC8A0", "V74YCBYHC8B0");
    let store = memory();
    let suite = Suite::embedded(Arc::new(FaultyStore::new(
        store.clone(),
        Cut::NoCheckpoints,
    )));
    finish(&suite, id).await;
    drop(suite);
    let before = checked_transcript(&*store, id).await;

    // Everything is read from the beginning again, before the second shipment comes to its end.
    let suite = Suite::embedded(store.clone());
    finish(&suite, next).await;
    suite.stop().await;
    assert_eq!(checked_transcript(&*store, id).await, before);
    checked_transcript(&*store, next).await;
}
