//! What people ask of shipments, and what is undone when a step fails for good: from the request to the
//! carriers' ledger.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use contracts::Partitions;
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use host::Start;
use serde_json::{Value, json};
use system_tests::suite::{Suite, embedded, settings_with};
use system_tests::transcript::public_events;

const USUAL: &str = "c62bee76-3e7a-4ce3-87dd-a5eb11678815";
const REFUSES: &str = "00000000-0000-4000-8000-000000000001";
const SILENT: &str = "00000000-0000-4000-8000-000000000002";
const TWICE: &str = "00000000-0000-4000-8000-000000000004";
const KEEPS: &str = "00000000-0000-4000-8000-000000000005";

/// Carriers are given up on soon.
const IMPATIENT: [(&str, &str); 3] = [
    ("manifestation.carrier.timeout_ms", "30"),
    ("manifestation.carrier.retries", "1"),
    ("manifestation.carrier.retry_after_ms", "5"),
];

struct System {
    suite: Suite,
    store: Arc<dyn EventStore>,
}

impl System {
    fn start(settings: &[(&str, &str)]) -> Self {
        let store = Arc::new(MemoryEventStore::new(Partitions::default()));
        Self::start_some(store, settings, &longhaul::SERVICES)
    }

    /// Some of the services, on what is stored already.
    fn start_some(
        store: Arc<dyn EventStore>,
        settings: &[(&str, &str)],
        services: &[Start],
    ) -> Self {
        let settings = settings_with(settings);
        let environment = embedded(&store, &settings);
        let suite = Suite::start_some(&environment, &settings, services);
        Self { suite, store }
    }

    /// Starts a shipment with a leg for each of these carriers.
    async fn post(&self, id: &str, carriers: &[&str]) {
        let leg = |carrier: &&str| json!({ "carrierId": carrier, "sender": "S", "receiver": "R", "collection": "C" });
        let body = json!({
            "shipmentId": id,
            "legs": carriers.iter().map(leg).collect::<Vec<_>>(),
            "collectionDate": "2024-05-27",
            "timeZone": "Europe/Berlin",
        });
        let (status, answer) = self.suite.send("POST", "/shipments", Some(body)).await;
        assert_eq!(status, 202, "{answer}");
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.suite.send(method, path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn refused(&self, method: &str, path: &str, body: Value, why: &str) {
        let (status, answer) = self.suite.send(method, path, Some(body)).await;
        assert_eq!(status, 409, "{path}: {answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{path}: {detail}");
    }

    /// Waits until what was done is undone; the outcome.
    async fn undone(&self, id: &str, status: &str, compensation: &str) -> Value {
        let is_there = |outcome: &Value| {
            outcome["status"] == status && outcome["compensation"]["status"] == compensation
        };
        self.suite
            .wait_until(id, &format!("{status}, {compensation}"), is_there)
            .await
    }

    async fn events(&self, id: &str, kind: &str) -> Vec<String> {
        public_events(&*self.store, id, kind).await
    }

    async fn ends_with(&self, id: &str, kind: &str, expected: &[&str]) {
        let events = self.events(id, kind).await;
        let from = events.len().saturating_sub(expected.len());
        assert_eq!(&events[from..], expected, "{id}-{kind}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_leg_is_cancelled_when_the_second_carrier_refuses() {
    let system = System::start(&[]);
    system.post("UNDO0", &[USUAL, REFUSES]).await;
    let outcome = system.undone("UNDO0", "failed", "completed").await;
    assert_eq!(
        outcome["failure"],
        "ShipmentManifestation: leg 2: the carrier does not take this leg"
    );
    assert_eq!(outcome["step"], "ShipmentManifestation");
    let process = [
        "ShipmentManifestationFailed",
        "ManifestationAndDocumentsFailed",
        "ShipmentProcessFailed",
        "ShipmentProcessCompensationStarted",
        "ShipmentManifestationCancellationStarted",
        "ShipmentManifestationCancellationCompleted",
        "ShipmentProcessCompensationCompleted",
    ];
    system.ends_with("UNDO0", "Process", &process).await;
    let shipment = [
        "ShipmentLegManifestationStarted",
        "ShipmentLegManifested",
        "ShipmentLegManifestationStarted",
        "ShipmentLegManifestationFailed",
        "ShipmentManifestationFailed",
        "ShipmentManifestationCancellationStarted",
        "ShipmentLegManifestationCancellationStarted",
        "ShipmentLegManifestationCancelled",
        "ShipmentManifestationCancelled",
    ];
    system.ends_with("UNDO0", "Shipment", &shipment).await;
    let carrier = [
        "CarrierRequestReceived",
        "LegManifestedByCarrier",
        "CarrierRequestReceived",
        "LegManifestationRejectedByCarrier",
        "CarrierRequestReceived",
        "LegCancelledByCarrier",
    ];
    assert_eq!(system.events("UNDO0", "Carrier").await, carrier);
    assert!(system.events("UNDO0", "Collection").await.is_empty());
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_that_never_answers_is_asked_again_then_given_up_and_its_leg_cancelled_too() {
    let system = System::start(&IMPATIENT);
    system.post("SILENT0", &[USUAL, SILENT]).await;
    let outcome = system.undone("SILENT0", "failed", "completed").await;
    assert_eq!(
        outcome["failure"],
        "ShipmentManifestation: leg 2: the carrier did not answer in time"
    );
    let carrier = [
        "CarrierRequestReceived",
        "LegManifestedByCarrier",
        "CarrierRequestReceived",
        // Leg 2 first, then leg 1.
        "CarrierRequestReceived",
        "LegCancelledByCarrier",
        "CarrierRequestReceived",
        "LegCancelledByCarrier",
    ];
    assert_eq!(system.events("SILENT0", "Carrier").await, carrier);
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_the_carrier_refuses_ends_where_a_person_has_to_look() {
    let system = System::start(&[]);
    system.post("KEEPS0", &[KEEPS, REFUSES]).await;
    let failed = system.undone("KEEPS0", "needsAttention", "failed").await;
    assert_eq!(
        failed["compensation"]["failure"],
        "ShipmentManifestationCancellation: leg 1: the carrier does not cancel"
    );
    assert_eq!(
        failed["compensation"]["remedies"],
        json!(["retry", "settle", "cancel"])
    );
    system
        .refused(
            "POST",
            "/shipments/KEEPS0/rebook",
            json!({}),
            "being undone",
        )
        .await;
    // It may have failed again before this is answered; the carrier's stream tells that it was asked.
    system
        .ask("POST", "/shipments/KEEPS0/retry", json!({}))
        .await;
    system.undone("KEEPS0", "needsAttention", "failed").await;
    system
        .ends_with(
            "KEEPS0",
            "Carrier",
            &[
                "CarrierRequestReceived",
                "LegCancellationRejectedByCarrier",
                "CarrierRequestReceived",
                "LegCancellationRejectedByCarrier",
            ],
        )
        .await;
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_shipment_is_cancelled_collection_first() {
    let system = System::start(&[]);
    system.post("DONE0", &[USUAL, USUAL]).await;
    system.suite.wait_for("DONE0", "completed").await;
    let reason = json!({ "reason": "sent twice" });
    system
        .ask("POST", "/shipments/DONE0/cancel", reason.clone())
        .await;
    let outcome = system.undone("DONE0", "cancelled", "completed").await;
    assert_eq!(outcome["cancellationReason"], "sent twice");
    assert_eq!(outcome.get("trackingNumbers"), None, "{outcome}");
    let carrier = [
        "CollectionCancelledByCarrier",
        "CarrierRequestReceived",
        "LegCancelledByCarrier",
        "CarrierRequestReceived",
        "LegCancelledByCarrier",
    ];
    system.ends_with("DONE0", "Carrier", &carrier).await;
    system
        .refused("POST", "/shipments/DONE0/cancel", reason, "finished")
        .await;
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_booking_is_undone_when_its_window_is_over() {
    let system = System::start(&[("shipment_process.rebooking_window_ms", "20")]);
    system.post("WINDOW2", &[USUAL]).await;
    system.undone("WINDOW2", "failed", "completed").await;
    let process = [
        "CollectionBookingFailed",
        "ShipmentProcessFailed",
        "ShipmentProcessCompensationStarted",
        "CollectionBookingCancellationStarted",
        "CollectionBookingCancellationCompleted",
        "ShipmentManifestationCancellationStarted",
        "ShipmentManifestationCancellationCompleted",
        "ShipmentProcessCompensationCompleted",
    ];
    system.ends_with("WINDOW2", "Process", &process).await;
    // And is begun anew, with the legs, when someone has it tried again.
    system
        .ask("POST", "/shipments/WINDOW2/retry", json!({}))
        .await;
    system.undone("WINDOW2", "failed", "completed").await;
    let legs = system.events("WINDOW2", "Carrier").await;
    let taken = legs.iter().filter(|name| *name == "LegManifestedByCarrier");
    assert_eq!(taken.count(), 2, "{legs:?}");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_booking_is_rebooked_under_another_key() {
    let system = System::start(&[]);
    system.post("AGAIN2", &[USUAL]).await;
    system.suite.wait_for("AGAIN2", "failed").await;
    let body = json!({ "collectionDate": "2024-05-28" });
    let rebooked = system.ask("POST", "/shipments/AGAIN2/rebook", body).await;
    assert_eq!(rebooked["collectionDate"], "2024-05-28");
    // The carrier refuses again: that is what the id says.
    system.suite.wait_for("AGAIN2", "failed").await;
    let process = [
        "CollectionRebookingRequested",
        "CollectionBookingCancellationStarted",
        "CollectionBookingCancellationCompleted",
        "CollectionBookingStarted",
        "CollectionBookingFailed",
        "ShipmentProcessFailed",
    ];
    system.ends_with("AGAIN2", "Process", &process).await;
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_given_twice_is_taken_once() {
    let system = System::start(&[]);
    system.post("TWICE0", &[TWICE, TWICE]).await;
    system.suite.wait_for("TWICE0", "completed").await;
    let shipment = system.events("TWICE0", "Shipment").await;
    let taken = shipment
        .iter()
        .filter(|name| *name == "ShipmentLegManifested");
    assert_eq!(taken.count(), 2, "{shipment:?}");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_generated_again_and_the_shipment_stays_complete() {
    let system = System::start(&[]);
    system.post("PRINT0", &[USUAL]).await;
    system.suite.wait_for("PRINT0", "completed").await;
    system
        .ask("POST", "/shipments/PRINT0/documents", json!({}))
        .await;
    system.suite.wait_for("PRINT0", "completed").await;
    let shipment = system.events("PRINT0", "Shipment").await;
    let labels = shipment
        .iter()
        .filter(|name| *name == "ShipmentLabelsGenerated");
    assert_eq!(labels.count(), 2, "{shipment:?}");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_refused_with_the_reason() {
    let system = System::start(&[]);
    system.post("BUSY2", &[USUAL]).await;
    system.suite.wait_for("BUSY2", "failed").await;
    let legs = json!({ "legs": [{ "carrierId": USUAL, "sender": "S", "receiver": "R", "collection": "C" }] });
    system
        .refused("PUT", "/shipments/BUSY2/legs", legs.clone(), "manifested")
        .await;
    system
        .refused(
            "POST",
            "/shipments/BUSY2/documents",
            json!({}),
            "once everything is done",
        )
        .await;
    let (status, _) = system
        .suite
        .send("PUT", "/shipments/NOBODY/legs", Some(legs))
        .await;
    assert_eq!(status, 404);
    let bad = json!({ "reason": 7, "colour": "red" });
    let (status, problem) = system
        .suite
        .send("POST", "/shipments/BUSY2/cancel", Some(bad))
        .await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_of_one_request_and_another_under_it_does_nothing() {
    let system = System::start(&[]);
    system.post("KEYS2", &[USUAL]).await;
    system.suite.wait_for("KEYS2", "failed").await;
    let ask = async |method: &str, what: &str, body: Value| {
        let path = format!("/shipments/KEYS2/{what}");
        let sent = system
            .suite
            .send_once(Some("once"), method, &path, Some(body));
        sent.await
    };
    let tomorrow = || json!({ "collectionDate": "2024-05-28" });
    let (status, answer) = ask("POST", "rebook", tomorrow()).await;
    assert_eq!(status, 200, "{answer}");
    system.suite.wait_for("KEYS2", "failed").await;
    let events = system.events("KEYS2", "Process").await;
    let leg = json!({ "carrierId": USUAL, "sender": "S", "receiver": "R", "collection": "C" });
    let category = json!({ "processCategory": "international-1.0" });
    for (method, what, body) in [
        ("POST", "rebook", json!({ "collectionDate": "2024-05-29" })),
        ("POST", "rebook", json!({})),
        ("POST", "retry", json!({})),
        ("POST", "cancel", json!({})),
        ("POST", "documents", json!({})),
        ("PUT", "legs", json!({ "legs": [leg] })),
        ("PUT", "category", category),
    ] {
        let (status, problem) = ask(method, what, body).await;
        assert_eq!(status, 422, "{what}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("used for another request"), "{detail}");
    }
    let (status, answer) = ask("POST", "rebook", tomorrow()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(system.events("KEYS2", "Process").await, events);

    // It counts for its shipment alone.
    system.post("KEYS0", &[USUAL]).await;
    system.suite.wait_for("KEYS0", "completed").await;
    let cancel = "/shipments/KEYS0/cancel";
    let sent = system.suite.send_once(Some("once"), "POST", cancel, None);
    assert_eq!(sent.await.0, 200);
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_is_tried_dry_before_it_is_made() {
    let system = System::start(&[]);
    system.post("SWITCH2", &[USUAL]).await;
    system.suite.wait_for("SWITCH2", "failed").await;
    let to = json!({ "processCategory": "international-1.0" });
    let path = "/shipments/SWITCH2/category";
    let dry = system
        .ask("PUT", &format!("{path}?dryRun=true"), to.clone())
        .await;
    assert_eq!(
        dry,
        json!({
            "possible": true,
            "from": "domestic-1.0",
            "to": "international-1.0",
            "notes": [
                "it has failed at CollectionBooking, and stays failed",
                "no customs invoice is generated: its turn is over",
            ],
            "reason": null,
        })
    );
    let before = system.suite.request("GET", "/SWITCH2").await.1;
    assert_eq!(before["processCategory"], "domestic-1.0");
    let after = system.ask("PUT", path, to.clone()).await;
    assert_eq!(after["processCategory"], "international-1.0");
    let dry = system.ask("PUT", &format!("{path}?dryRun=true"), to).await;
    assert_eq!(dry["possible"], false);
    assert_eq!(dry["reason"], "it runs under international-1.0 already");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn legs_are_amended_while_nobody_has_manifested_them() {
    // The services that would manifest them are not there yet.
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
    let alone = System::start_some(store.clone(), &[], &[shipment_process::start]);
    alone.post("AMEND0", &[USUAL, REFUSES]).await;
    let leg = json!({ "carrierId": USUAL, "sender": "S", "receiver": "R", "collection": "C" });
    let legs = json!({ "legs": [leg.clone(), leg.clone(), leg] });
    let amended = alone.ask("PUT", "/shipments/AMEND0/legs", legs).await;
    assert_eq!(amended["step"], "CustomsInvoiceGeneration");
    alone.suite.stop().await;

    let system = System::start_some(store, &[], &longhaul::SERVICES);
    system.suite.wait_for("AMEND0", "completed").await;
    let outcome = system.suite.request("GET", "/AMEND0").await.1;
    let numbers = outcome["trackingNumbers"].as_str().unwrap().split(", ");
    assert_eq!(numbers.count(), 3);
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_undone_is_settled_by_hand() {
    let system = System::start(&[]);
    system.post("HAND0", &[KEEPS, USUAL]).await;
    system.suite.wait_for("HAND0", "completed").await;
    let path = "/shipments/HAND0/settle";
    let reason = json!({ "reason": "cancelled on the telephone" });
    system
        .refused("POST", path, reason.clone(), "nothing needs attention")
        .await;
    system
        .ask("POST", "/shipments/HAND0/cancel", json!({}))
        .await;
    // The collection is not cancelled; the legs are all the same, as far as their carriers agree.
    let outcome = system.undone("HAND0", "needsAttention", "failed").await;
    let compensation = &outcome["compensation"];
    assert_eq!(
        compensation["failure"],
        "CollectionBookingCancellation: the carrier does not cancel; \
         ShipmentManifestationCancellation: leg 1: the carrier does not cancel"
    );
    assert_eq!(compensation["remedies"], json!(["retry", "settle"]));
    let carrier = [
        "CollectionCancellationRejectedByCarrier",
        "CarrierRequestReceived",
        "LegCancelledByCarrier",
        "CarrierRequestReceived",
        "LegCancellationRejectedByCarrier",
    ];
    system.ends_with("HAND0", "Carrier", &carrier).await;
    for bad in [json!({}), json!({ "reason": " " }), json!({ "reason": 7 })] {
        let (status, problem) = system.suite.send("POST", path, Some(bad)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!("reason"))
        );
    }
    let settled = system.ask("POST", path, reason.clone()).await;
    assert_eq!(settled["status"], "cancelled");
    assert_eq!(settled["compensation"]["status"], "settled");
    assert_eq!(
        settled["compensation"]["settlement"],
        "cancelled on the telephone"
    );
    assert_eq!(settled["compensation"].get("remedies"), None);
    let process = [
        "ShipmentProcessCompensationFailed",
        "ShipmentProcessSettled",
        "ShipmentProcessCancelled",
    ];
    system.ends_with("HAND0", "Process", &process).await;
    system.refused("POST", path, reason, "finished").await;
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_that_the_carrier_makes_late_and_does_not_cancel_completes_its_rebooking() {
    let system = System::start(&[("carrier_stub.books_late_after_ms", "300")]);
    system.post("STANDS3", &[KEEPS]).await;
    system.suite.wait_for("STANDS3", "failed").await;
    let body = json!({ "collectionDate": "2024-05-28" });
    let running = system.ask("POST", "/shipments/STANDS3/rebook", body).await;
    assert_eq!(running["collectionDate"], "2024-05-28");
    system.suite.wait_for("STANDS3", "completed").await;
    let completed = system.suite.request("GET", "/STANDS3").await.1;
    // The day is that of the booking that stands.
    assert_eq!(completed["collectionDate"], "2024-05-27");
    assert!(completed["collectionBookingReference"].is_string());
    assert_eq!(completed.get("compensation"), None, "{completed}");
    let carrier = system.events("STANDS3", "Carrier").await;
    let booked = carrier
        .iter()
        .filter(|name| *name == "CollectionBookedByCarrier");
    assert_eq!(booked.count(), 1, "{carrier:?}");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_that_the_carrier_makes_late_and_does_not_cancel_is_told_when_all_is_cancelled() {
    let system = System::start(&[("carrier_stub.books_late_after_ms", "300")]);
    system.post("TOLD3", &[KEEPS]).await;
    system.suite.wait_for("TOLD3", "failed").await;
    system
        .ask("POST", "/shipments/TOLD3/cancel", json!({}))
        .await;
    let is_told = |outcome: &Value| {
        outcome["status"] == "needsAttention" && outcome["collectionBookingReference"].is_string()
    };
    let outcome = system
        .suite
        .wait_until("TOLD3", "told that its booking stands", is_told)
        .await;
    assert_eq!(outcome["stages"]["collectionBooking"], "completed");
    system.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_repeated_after_an_amendment_is_the_same_start() {
    let alone = System::start_some(
        Arc::new(MemoryEventStore::new(Partitions::default())),
        &[],
        &[shipment_process::start],
    );
    alone.post("REPEAT0", &[USUAL, REFUSES]).await;
    let leg = json!({ "carrierId": USUAL, "sender": "S", "receiver": "R", "collection": "C" });
    let legs = json!({ "legs": [leg.clone(), leg] });
    alone.ask("PUT", "/shipments/REPEAT0/legs", legs).await;
    let before = alone.events("REPEAT0", "Process").await;
    let amended = alone.suite.request("GET", "/REPEAT0").await;
    alone.post("REPEAT0", &[USUAL, REFUSES]).await;
    assert_eq!(alone.events("REPEAT0", "Process").await, before);
    assert_eq!(alone.suite.request("GET", "/REPEAT0").await, amended);
    // What it was amended to is not what was started.
    let leg = json!({ "carrierId": USUAL, "sender": "S", "receiver": "R", "collection": "C" });
    let body = json!({
        "shipmentId": "REPEAT0",
        "legs": [leg.clone(), leg],
        "collectionDate": "2024-05-27",
        "timeZone": "Europe/Berlin",
    });
    let (status, _) = alone.suite.send("POST", "/shipments", Some(body)).await;
    assert_eq!(status, 409);
    alone.suite.stop().await;
}
