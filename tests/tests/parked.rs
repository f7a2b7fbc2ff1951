//! A shipment with a parked input, as a user meets it over HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::{MessageId, Partitions};
use event_store::{
    Append, EventStore, Metadata, NewEntry, StreamKind, StreamName, Version, Visibility,
};
use event_store_memory::MemoryEventStore;
use serde_json::json;
use serde_json::value::to_raw_value;
use system_tests::suite::{BEGINNING, Suite};

/// What stands in the stream after something came for the shipment that was no message.
fn parked() -> NewEntry {
    let data = json!({
        "trigger": "unreadable",
        "reason": "no JSON",
        "input": r#"{"unreadable":{"reason":"no JSON","raw":"garbage"}}"#,
    });
    NewEntry {
        id: MessageId::derive(&["parked"]),
        type_name: "InputParked".to_owned(),
        data: to_raw_value(&data).unwrap(),
        recorded_at: BEGINNING.parse().unwrap(),
        metadata: Metadata {
            input_id: MessageId::derive(&["garbage"]),
            correlation_id: MessageId::derive(&["garbage"]),
            traceparent: None,
            actor: None,
            category: None,
            visibility: Visibility::Internal,
            commands: vec![],
            deadlines_set: BTreeMap::new(),
            deadlines_cleared: vec![],
            data_subject: None,
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_parked_is_never_answered_as_accepted() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
    let stream = StreamName::new("12EEQ9CS9K10", &StreamKind::new("Process"));
    let append = Append {
        stream,
        expected: Version::NONE,
        entries: vec![parked()],
    };
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
