//! A shipment with a parked input, as a user meets it over HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use contracts::process::SERVICE;
use contracts::{Envelope, Kind, MessageId, Partitions};
use event_store::{Append, Appended, Entry, EventStore, NewEntry, StreamKind, StreamName};
use event_store_memory::MemoryEventStore;
use runtime::{Handled, Input, ParkedInstance};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use system_tests::parked::{garbage, parking};
use system_tests::suite::{BEGINNING, Suite};

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

const ID: &str = "12EEQ9CS9K10";

/// A shipment that is complete, and at whose process garbage is parked.
struct Parked {
    store: Arc<dyn EventStore>,
    suite: Suite,
}

impl Parked {
    async fn start() -> Self {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
        let suite = Suite::embedded(store.clone());
        suite.post(ID).await;
        suite.wait_for(ID, "completed").await;
        let parked = Self { store, suite };
        let garbage = parking(ID, &garbage()).entries;
        parked.append(garbage).await;
        parked
    }

    async fn entries(&self) -> Vec<Entry> {
        let stream = StreamName::new(ID, &StreamKind::new("Process"));
        self.store.read_streams(&[stream]).await.unwrap().remove(0)
    }

    async fn append(&self, entries: Vec<NewEntry>) {
        let append = Append {
            stream: StreamName::new(ID, &StreamKind::new("Process")),
            expected: self.entries().await.last().unwrap().version,
            entries,
        };
        let outcomes = self.store.append(&[append]).await.unwrap();
        assert_eq!(outcomes, [Appended::Stored]);
    }

    /// Asks, always under the same key; the status, and what is wrong.
    async fn ask(&self, what: &str, body: Value) -> (u16, String) {
        let path = format!("/shipments/{ID}/{what}");
        let sent = self
            .suite
            .send_once(Some("once"), "POST", &path, Some(body));
        let (status, answer) = sent.await;
        let detail = answer["detail"].as_str().unwrap_or_default();
        (status, detail.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_parked_is_answered_as_parked_until_it_no_longer_is() {
    let parked = Parked::start().await;
    let reason = || json!({ "reason": "sent twice" });
    for _ in 0..2 {
        let (status, detail) = parked.ask("cancel", reason()).await;
        assert_eq!(status, 409, "{detail}");
        assert!(detail.contains("/redrive"), "{detail}");
    }
    let waiting = ParkedInstance::of(&parked.entries().await).unwrap().inputs;
    let discard = Input::Discard {
        request_id: MessageId::derive(&["wish"]),
        instance: ID.to_owned(),
        input_id: waiting[0].id,
        actor: None,
    };
    parked.suite.inbox().submit_one(discard).await.unwrap();
    let (status, detail) = parked.ask("cancel", reason()).await;
    assert_eq!(status, 200, "{detail}");
    parked.suite.wait_for(ID, "cancelled").await;
    parked.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_given_up_is_never_answered_as_done() {
    let parked = Parked::start().await;
    assert_eq!(parked.ask("documents", json!({})).await.0, 409);
    let waiting = ParkedInstance::of(&parked.entries().await).unwrap().inputs;
    assert_eq!(waiting.len(), 2);
    let given_up = waiting.iter().map(|input| {
        let mut entry = parking(ID, &garbage()).entries.remove(0);
        entry.id = MessageId::derive(&[&input.id.to_string(), "given up"]);
        entry.type_name = "ParkedInputDiscarded".to_owned();
        entry.metadata.input_id = input.id;
        entry
    });
    parked.append(given_up.collect()).await;
    let (status, detail) = parked.ask("documents", json!({})).await;
    assert_eq!(status, 409, "{detail}");
    assert!(detail.contains("given it up"), "{detail}");
    parked.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_of_one_request_also_while_that_is_parked() {
    let parked = Parked::start().await;
    assert_eq!(parked.ask("cancel", json!({})).await.0, 409);
    let before = parked.entries().await.len();
    for (what, body) in [
        ("cancel", json!({ "reason": "another" })),
        ("documents", json!({})),
    ] {
        let (status, detail) = parked.ask(what, body).await;
        assert_eq!(status, 422, "{what}: {detail}");
        assert!(detail.contains("used for another request"), "{detail}");
    }
    assert_eq!(parked.entries().await.len(), before, "nothing is recorded");
    parked.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_about_another_shipment_than_it_is_addressed_to_is_parked() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
    let suite = Suite::embedded(store.clone());
    let id = MessageId::derive(&["message"]);
    let data = json!({ "shipmentId": "OTHER0", "legs": [], "collectionDate": "2024-05-27", "timeZone": "Europe/Berlin" });
    let message = Envelope {
        id,
        kind: Kind::Command { to: SERVICE },
        source: SERVICE,
        type_name: "ProcessShipment".to_owned(),
        subject: ID.to_owned(),
        time: BEGINNING.parse().unwrap(),
        correlation_id: id,
        causation_id: id,
        traceparent: None,
        category: None,
        actor: None,
        data: to_raw_value(&data).unwrap(),
    };
    let suite_contracts = contracts::shipment_suite();
    let contract = suite_contracts.service(&SERVICE).unwrap().clone();
    let input = Input::from_bus(&contract, Ok(message));
    let handled = suite.inbox().submit_one(input).await.unwrap();
    assert_eq!(handled, Handled::Parked);
    let stream = |instance| StreamName::new(instance, &StreamKind::new("Process"));
    let streams = store.read_streams(&[stream(ID), stream("OTHER0")]).await;
    let streams = streams.unwrap();
    let parked = ParkedInstance::of(&streams[0]).unwrap();
    assert_eq!(
        parked.inputs[0].reason,
        r#"it is addressed to "12EEQ9CS9K10", and its shipmentId is "OTHER0""#
    );
    assert!(streams[1].is_empty());
    suite.stop().await;
}
