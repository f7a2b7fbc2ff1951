//! The commands of `longhaul` that ask a running service, as a person types them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, Process, command, eventually};
use system_tests::client::Client;
use system_tests::history::{Log, Stored};

struct System {
    process: Process,
    client: Client,
}

impl System {
    async fn start() -> Self {
        let process = Process::start("longhaul", &[("carrier_stub.delay_ms", "5")]).await;
        let client = Client::of(&[process.url("")]);
        Self { process, client }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = command("longhaul");
        command
            .args(arguments)
            .args(["--url", &self.process.url("")]);
        command.output().unwrap()
    }

    /// What a command shows that does as it is told.
    fn shows(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a command says that cannot.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    async fn becomes(&self, id: &str, status: &str) {
        eventually(&format!("{id} is {status}"), PATIENCE, async || {
            (self.client.outcome(id).await?["status"] == status).then_some(())
        })
        .await;
    }

    /// What is asked for is stored before it is answered; what comes of it may be over by then.
    async fn has_decided(&self, id: &str, decision: &str, times: usize) {
        let entries = self.entries(&format!("{id}-Process")).await;
        let found = entries.iter().filter(|entry| entry.type_name == decision);
        assert_eq!(found.count(), times, "{decision}");
    }

    async fn entries(&self, stream: &str) -> Vec<Stored> {
        let log = Log::File(self.process.folder().join("data/longhaul.db"));
        let mut entries = log.entries().await;
        entries.retain(|entry| entry.stream == stream);
        entries
    }
}

#[tokio::test]
async fn a_shipment_is_shown_and_cancelled_with_who_asked() {
    let system = System::start().await;
    system.client.start("1CANCEL0", 0).await;
    system.becomes("1CANCEL0", "completed").await;
    assert_eq!(system.shows(&["show", "1CANCEL0"])["status"], "completed");
    let cancel = [
        "cancel",
        "1CANCEL0",
        "--reason",
        "sent twice",
        "--actor",
        "Ada L.",
    ];
    assert_eq!(system.shows(&cancel)["cancellationReason"], "sent twice");
    system.becomes("1CANCEL0", "cancelled").await;
    let entries = system.entries("1CANCEL0-Process").await;
    let asked = entries
        .iter()
        .find(|entry| entry.type_name == "ShipmentCancellationRequested");
    assert_eq!(asked.unwrap().metadata["actor"], "Ada L.");
    let refused = system.fails(&["cancel", "1CANCEL0", "--actor", "Charles"]);
    assert!(
        refused.contains("409 Conflict: it is finished"),
        "{refused}"
    );
    // What was refused is recorded as well, with who asked.
    let last = system.entries("1CANCEL0-Process").await.pop().unwrap();
    assert_eq!(last.type_name, "TriggerIgnored");
    assert_eq!(last.metadata["actor"], "Charles");
}

#[tokio::test]
async fn a_failed_booking_is_rebooked_and_tried_again() {
    let system = System::start().await;
    system.client.start("1AGAIN2", 0).await;
    system.becomes("1AGAIN2", "failed").await;
    system.shows(&["rebook", "1AGAIN2"]);
    system
        .has_decided("1AGAIN2", "CollectionRebookingRequested", 1)
        .await;
    system.becomes("1AGAIN2", "failed").await;
    let refused = system.fails(&["rebook", "1AGAIN2", "--collection-date", "soon"]);
    assert!(
        refused.contains("collectionDate: must be a date"),
        "{refused}"
    );
    system.shows(&["retry", "1AGAIN2"]);
    system
        .has_decided("1AGAIN2", "CollectionRebookingRequested", 2)
        .await;
}

#[tokio::test]
async fn what_could_not_be_undone_is_settled_with_a_reason_and_who_says_so() {
    let system = System::start().await;
    let leg = |carrier: &str| json!({ "carrierId": carrier, "sender": "S", "receiver": "R", "collection": "C" });
    // The first cancels nothing, and the second takes nothing.
    let body = json!({
        "shipmentId": "1SETTLE0",
        "legs": [
            leg("00000000-0000-4000-8000-000000000005"),
            leg("00000000-0000-4000-8000-000000000001"),
        ],
        "collectionDate": "2024-05-27",
        "timeZone": "Europe/Berlin",
    });
    let answer = reqwest::Client::new()
        .post(system.process.url("/shipments"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    system.becomes("1SETTLE0", "needsAttention").await;
    let without = system.run(&["settle", "1SETTLE0"]);
    assert_eq!(without.status.code(), Some(2), "a reason is needed");
    let settle = [
        "settle",
        "1SETTLE0",
        "--reason",
        "called them",
        "--actor",
        "Ada L.",
        "--idempotency-key",
        "once",
    ];
    for _ in 0..2 {
        let settled = system.shows(&settle);
        assert_eq!(settled["status"], "failed");
        assert_eq!(settled["compensation"]["settlement"], "called them");
    }
    let entries = system.entries("1SETTLE0-Process").await;
    let last = entries.last().unwrap();
    assert_eq!(last.type_name, "ShipmentProcessSettled");
    assert_eq!(last.metadata["actor"], "Ada L.");
    let refused = system.fails(&["settle", "1SETTLE0", "--reason", "again"]);
    assert!(
        refused.contains("409 Conflict: it is finished"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_same_request_under_the_same_key_is_done_once() {
    let system = System::start().await;
    system.client.start("1KEY2", 0).await;
    system.becomes("1KEY2", "failed").await;
    let rebook = ["rebook", "1KEY2", "--idempotency-key", "once"];
    system.shows(&rebook);
    system.becomes("1KEY2", "failed").await;
    assert_eq!(system.shows(&rebook)["status"], "failed");
    let refused = ["documents", "1KEY2", "--idempotency-key", "no"];
    let first = system.fails(&refused);
    assert_eq!(system.fails(&refused), first, "answered as the first time");
}

#[tokio::test]
async fn documents_are_generated_again_and_a_switch_is_tried_dry() {
    let system = System::start().await;
    system.client.start("1PRINT0", 0).await;
    system.becomes("1PRINT0", "completed").await;
    system.shows(&["documents", "1PRINT0"]);
    system
        .has_decided("1PRINT0", "DocumentsRegenerationRequested", 1)
        .await;
    system.becomes("1PRINT0", "completed").await;
    system.client.start("1SWITCH2", 0).await;
    system.becomes("1SWITCH2", "failed").await;
    let dry = system.shows(&["switch", "1SWITCH2", "default-1.0", "--dry-run"]);
    assert_eq!(
        (&dry["possible"], &dry["to"]),
        (&json!(true), &json!("default-1.0"))
    );
    let switched = system.shows(&["switch", "1SWITCH2", "default-1.0"]);
    assert_eq!(switched["processCategory"], "default-1.0");
}

#[tokio::test]
async fn legs_that_are_with_their_carriers_are_not_amended() {
    let system = System::start().await;
    system.client.start("1LEGS0", 0).await;
    system.becomes("1LEGS0", "completed").await;
    let legs = system.process.folder().join("legs.json");
    let leg = json!({
        "carrierId": "c62bee76-3e7a-4ce3-87dd-a5eb11678815",
        "sender": "S", "receiver": "R", "collection": "C",
    });
    fs::write(&legs, json!([leg]).to_string()).unwrap();
    let legs = legs.to_str().unwrap();
    let refused = system.fails(&["amend", "1LEGS0", "--legs", legs]);
    assert!(
        refused.contains("manifested with their carriers"),
        "{refused}"
    );
    let missing = system.fails(&["amend", "1LEGS0", "--legs", "nowhere.json"]);
    assert!(missing.contains("nowhere.json (--legs)"), "{missing}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_named() {
    let mut command = command("longhaul");
    let url = "http://127.0.0.1:1";
    let output = command
        .args(["show", "1X0", "--url", url])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(url) && error.contains("--url"), "{error}");
    let system = System::start().await;
    let nobody = system.fails(&["show", "NOBODY"]);
    assert!(
        nobody.contains("404 Not Found: there is no shipment NOBODY"),
        "{nobody}"
    );
}
