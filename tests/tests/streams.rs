//! What a person sees of the streams over HTTP, and what of it while the database is away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use contracts::{MessageId, Partitions};
use event_store::EventStore;
use event_store_postgres::PostgresEventStore;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, Process, eventually};
use system_tests::client::Client;
use system_tests::examples;
use system_tests::parked::{garbage, parking};
use test_servers::postgres::database;
use test_servers::proxy::Proxy;

async fn ask(
    process: &Process,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value, bool) {
    let mut request = process.client().request(method, process.url(path));
    if let Some(body) = &body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let retry_after = answer.headers().contains_key("retry-after");
    (answer.status(), answer.json().await.unwrap(), retry_after)
}

async fn get(process: &Process, path: &str) -> Value {
    let (status, body, _) = ask(process, Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

fn types(history: &Value) -> Vec<&str> {
    let entries = history["entries"].as_array().unwrap();
    let types = entries.iter().map(|entry| entry["type"].as_str().unwrap());
    types.collect()
}

#[tokio::test]
async fn the_whole_history_of_a_stream_is_told_with_what_was_refused() {
    let settings = [
        ("event_store.adapter", "memory"),
        ("carrier_stub.delay_ms", "0"),
    ];
    let process = Process::start("longhaul", &settings).await;
    let id = "12EEQ9CS9K10".to_owned();
    let client = Client::of(&[process.url("")]);
    client.start_all(std::slice::from_ref(&id)).await;
    client
        .finished(std::slice::from_ref(&id), Duration::from_secs(30))
        .await;
    let body = json!({ "processCategory": "default-1.0" });
    let path = format!("/shipments/{id}/category");
    let (status, refused, _) = ask(&process, Method::PUT, &path, Some(body)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");

    let whole = get(&process, &format!("/streams/{id}-Process")).await;
    assert_eq!(whole["service"], "shipment-process");
    assert_eq!(whole["instance"], *id);
    let decided = examples::expected_stream(&id, "Process");
    let mut expected = decided.clone();
    expected.push("TriggerIgnored");
    assert_eq!(types(&whole), expected);
    assert_eq!(whole["version"], expected.len());
    let entries = whole["entries"].as_array().unwrap();
    let versions = entries.iter().map(|e| e["version"].as_u64().unwrap());
    assert!(versions.eq(1..=expected.len() as u64));
    let ignored = entries.last().unwrap();
    assert_eq!(ignored["metadata"]["visibility"], "internal");
    assert!(ignored["data"]["reason"].is_string(), "{ignored}");
    let second = &entries[1];
    let metadata = &second["metadata"];
    assert_eq!(metadata["category"], "domestic-1.0");
    assert_eq!(metadata["commands"][0]["type"], "CreateShipment");
    assert_eq!(metadata["inputId"], entries[0]["metadata"]["inputId"]);
    assert_eq!(
        metadata["correlationId"],
        entries[0]["metadata"]["correlationId"]
    );
    assert!(entries[2]["metadata"]["deadlinesSet"].is_object());
    let times: Vec<jiff::Timestamp> = entries
        .iter()
        .map(|e| e["recordedAt"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(times.is_sorted_by(|a, b| a < b));

    let public = get(
        &process,
        &format!("/streams/{id}-Process?visibility=public"),
    )
    .await;
    assert_eq!(types(&public), decided);
    // What is left out is a gap, here behind the last.
    assert_eq!(public["version"], whole["version"]);

    for (path, status) in [
        ("/streams/12NOBODY0-Process", StatusCode::NOT_FOUND),
        ("/streams/12EEQ9CS9K10-Nothing", StatusCode::NOT_FOUND),
        ("/streams/12EEQ9CS9K10", StatusCode::BAD_REQUEST),
        ("/streams/%00-Process", StatusCode::BAD_REQUEST),
        ("/streams/%ff-Process", StatusCode::BAD_REQUEST),
        (
            "/streams/12EEQ9CS9K10-Process?visibility=all",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let (found, problem, _) = ask(&process, Method::GET, path, None).await;
        assert_eq!(found, status, "{path}: {problem}");
    }
}

#[tokio::test]
async fn what_a_person_does_about_what_is_parked_waits_for_no_database_longer_than_it_may() {
    let database = database().await;
    let settings = event_store_postgres::Settings::at(database.url());
    let store = PostgresEventStore::connect(&settings, Partitions::default());
    let store = store.await.unwrap();
    store
        .append(&[parking("P1", &garbage()), parking("P2", &garbage())])
        .await
        .unwrap();
    let mut way = Proxy::open(&database.url()).await;
    let settings = [
        ("event_store.adapter", "postgres"),
        ("event_store.postgres.url", way.url()),
        ("http.request_timeout_ms", "300"),
    ];
    let process = Process::start("longhaul", &settings).await;
    let list = eventually("the list is complete", PATIENCE, async || {
        let (status, list, _) = ask(&process, Method::GET, "/parked", None).await;
        (status == StatusCode::OK).then_some(list)
    })
    .await;
    let first = json!({
        "service": "shipment-process",
        "instance": "P1",
        "since": "2024-05-26T10:00:00Z",
        "waiting": 1,
        "waitsForPerson": true,
        "first": {
            "id": MessageId::derive(&["input", "P1"]),
            "type": "unreadable",
            "reason": "no JSON",
            "attempts": 1,
            "parkedAt": "2024-05-26T10:00:00Z",
        },
    });
    assert_eq!(list["parked"][0], first);
    let one = "/parked/shipment-process/P1";
    let redrive = format!("{one}/redrive");
    let (status, tried, _) = ask(&process, Method::POST, &redrive, None).await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    assert_eq!(
        tried,
        json!({ "handled": 0, "remaining": 1, "reason": "no JSON" })
    );
    let parked = get(&process, one).await;
    assert_eq!(parked["inputs"][0]["attempts"], 2);
    let kept = &parked["inputs"][0]["input"]["unreadable"]["raw"];
    assert_eq!(*kept, "garbage");

    way.close().await;
    let input_id = &first["first"]["id"];
    let discard = format!("{one}/discard");
    for (method, path, body) in [
        (Method::GET, one, None),
        (Method::GET, "/streams/P1-Process", None),
        (Method::POST, &*redrive, None),
        (
            Method::POST,
            &*discard,
            Some(json!({ "inputId": input_id })),
        ),
    ] {
        let (status, problem, retry_after) = ask(&process, method, path, body).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {problem}");
        assert!(retry_after, "{path}");
    }
    // The list is in memory.
    assert_eq!(
        get(&process, "/parked?limit=1").await["next"],
        "shipment-process/P1"
    );

    // Nobody knew, and it was done all the same, once the database was back.
    way.restore().await;
    let what = "P1 is no longer parked";
    eventually(what, PATIENCE, async || {
        let (status, _, _) = ask(&process, Method::GET, one, None).await;
        (status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    let path = "/streams/P1-Process";
    let history = get(&process, path).await;
    assert_eq!(types(&history).last(), Some(&"ParkedInputDiscarded"));
}
