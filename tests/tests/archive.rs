//! `longhaul archive`, beside services that run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use system_tests::binaries::{PATIENCE, Process, SERVICES, command, eventually, variable};
use system_tests::client::Client;
use system_tests::history::{Log, Stored};
use system_tests::queues;
use test_servers::postgres::database;
use test_servers::rabbitmq::virtual_host;

/// How long a process may take to stop.
const GRACE_PERIOD: Duration = Duration::from_secs(12);

fn archive(folder: &Path, settings: &[(&str, String)], arguments: &[&str]) -> Output {
    let mut command = command("longhaul");
    command
        .current_dir(folder)
        .args(["archive", "--ended-before", "30d"])
        .args(arguments);
    for (setting, value) in settings {
        command.env(variable(setting), value);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// Shipments of every kind of ending, and one that may still be rebooked.
async fn end_some(client: &Client) {
    for id in ["1DONE0", "1FAILED1", "VDONE0", "1REBOOK2", "1CANCEL0"] {
        client.start(id, 0).await;
    }
    let becomes = async |id: &str, status: &str| {
        eventually(&format!("{id} is {status}"), PATIENCE, async || {
            (client.outcome(id).await?["status"] == status).then_some(())
        })
        .await;
    };
    becomes("1CANCEL0", "completed").await;
    client.cancel("1CANCEL0", 0).await;
    becomes("1CANCEL0", "cancelled").await;
    becomes("1DONE0", "completed").await;
    becomes("VDONE0", "completed").await;
    becomes("1FAILED1", "failed").await;
    becomes("1REBOOK2", "failed").await;
}

/// Waits until every reader has said how far it is.
async fn all_read(dry_run: impl Fn() -> Output) {
    eventually("all is read", PATIENCE, async || {
        let output = dry_run();
        (output.status.success() && said(&output).starts_with("4 shipments")).then_some(())
    })
    .await;
}

fn of<'a>(entries: &'a [Stored], ids: &[&str]) -> Vec<&'a Stored> {
    let of_these = |entry: &&Stored| ids.contains(&entry.shipment_and_kind().0);
    entries.iter().filter(of_these).collect()
}

/// The file holds exactly these entries, as they were stored.
fn assert_archived(path: &Path, entries: &[&Stored]) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines.sort_by_key(|line| {
        let stream = line["stream"].as_str().unwrap().to_owned();
        (stream, line["version"].as_i64().unwrap())
    });
    assert_eq!(lines.len(), entries.len());
    for (line, entry) in lines.iter().zip(entries) {
        let found = (
            &line["stream"],
            &line["version"],
            &line["id"],
            &line["type"],
        );
        let stored = (
            &json!(entry.stream),
            &json!(entry.version),
            &json!(entry.id),
            &json!(entry.type_name),
        );
        assert_eq!(found, stored);
        assert_eq!(
            (&line["data"], &line["metadata"]),
            (&entry.data, &entry.metadata)
        );
    }
}

const OVER: [&str; 4] = ["1CANCEL0", "1DONE0", "1FAILED1", "VDONE0"];

/// What was archived is forgotten, and what was not is as it was.
async fn assert_forgotten(process: &Process, client: &Client) {
    for id in OVER {
        let answer = reqwest::get(process.url(&format!("/shipments/{id}"))).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 404, "{id}");
    }
    assert_eq!(
        client.outcome("1REBOOK2").await.unwrap()["status"],
        "failed"
    );
    let endings = reqwest::get(process.url("/shipments/endings"))
        .await
        .unwrap();
    let endings: Value = endings.json().await.unwrap();
    let told: BTreeSet<_> = endings["endings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ending| ending["shipmentId"].as_str().unwrap())
        .collect();
    assert_eq!(told, BTreeSet::from(["1REBOOK2"]));
}

#[tokio::test]
async fn on_a_file_what_is_over_goes_and_its_id_may_be_used_again() {
    let mut process = Process::start("longhaul", &[("carrier_stub.delay_ms", "5")]).await;
    let client = Client::of(&[process.url("")]);
    end_some(&client).await;
    let folder = process.folder().to_owned();
    let file = folder.join("data/longhaul.db");
    let log = Log::File(file.clone());
    let run = |arguments: &[&str]| archive(&folder, &[], arguments);

    // Nothing is old enough.
    let output = run(&["--to", "none.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).starts_with("0 shipments"),
        "{}",
        said(&output)
    );
    assert!(!folder.join("none.jsonl").exists());

    process.terminate(GRACE_PERIOD).await;
    let mut connection = SqliteConnectOptions::new()
        .filename(&file)
        .connect()
        .await
        .unwrap();
    let older = "update events set recorded_at = '2024' || substr(recorded_at, 5)";
    connection.execute(older).await.unwrap();
    connection.close().await.unwrap();
    process.launch();
    process.ready().await;

    let before = log.entries().await;
    all_read(|| run(&["--dry-run"])).await;
    assert_eq!(log.entries().await, before);
    let output = run(&["--to", "archive.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("1 that are not over"),
        "{}",
        said(&output)
    );
    assert_archived(&folder.join("archive.jsonl"), &of(&before, &OVER));
    let left = log.entries().await;
    assert_eq!(left.iter().collect::<Vec<_>>(), of(&before, &["1REBOOK2"]));
    assert_forgotten(&process, &client).await;

    client.start("1DONE0", 0).await;
    eventually("it is done once more", PATIENCE, async || {
        (client.outcome("1DONE0").await?["status"] == "completed").then_some(())
    })
    .await;
    let again = run(&["--to", "archive.jsonl"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("exists already"), "{}", said(&again));
}

#[tokio::test]
async fn four_services_on_postgresql_go_on_and_a_reader_that_is_behind_is_named() {
    let (database, host) = tokio::join!(database(), virtual_host());
    let settings = [
        ("event_store.postgres.url", database.url()),
        ("bus.rabbitmq.url", host.url().to_owned()),
        ("carrier_stub.delay_ms", "5".to_owned()),
        ("collection_booking.book_immediately", "true".to_owned()),
    ];
    let of_services: Vec<_> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let mut processes: Vec<_> = SERVICES
        .iter()
        .map(|name| Process::spawn(name, &of_services))
        .collect();
    for process in &mut processes {
        process.ready().await;
    }
    let client = Client::of(&[processes[0].url("")]);
    end_some(&client).await;
    queues::drained(host.url(), PATIENCE).await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    let older = "update events set recorded_at = recorded_at - interval '400 days'";
    connection.execute(older).await.unwrap();
    let log = Log::Database(database.url());
    let before = log.entries().await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = vec![
        ("event_store.adapter", "postgres".to_owned()),
        ("event_store.postgres.url", database.url()),
    ];

    // Out of the box the bus is embedded, and its receivers have read nothing here.
    let output = archive(folder.path(), &settings, &["--to", "archive.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("bus/"), "{}", said(&output));
    assert!(said(&output).contains("bus.adapter"), "{}", said(&output));
    assert_eq!(log.entries().await, before);

    settings.push(("bus.adapter", "rabbitmq".to_owned()));
    all_read(|| archive(folder.path(), &settings, &["--dry-run"])).await;
    let output = archive(folder.path(), &settings, &["--to", "archive.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_archived(&folder.path().join("archive.jsonl"), &of(&before, &OVER));
    let left = log.entries().await;
    assert_eq!(left.iter().collect::<Vec<_>>(), of(&before, &["1REBOOK2"]));

    client.start("1AFTER0", 0).await;
    eventually("the services go on", PATIENCE, async || {
        (client.outcome("1AFTER0").await?["status"] == "completed").then_some(())
    })
    .await;
}

#[test]
fn a_store_that_cannot_be_archived_from_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (adapter, reason) in [
        ("eventstoredb", "scavenge"),
        ("memory", "nobody else can reach"),
        ("sqlite", "there is no file data/longhaul.db"),
    ] {
        let settings = [("event_store.adapter", adapter.to_owned())];
        let output = archive(folder.path(), &settings, &["--to", "archive.jsonl"]);
        assert_eq!(output.status.code(), Some(1), "{adapter}");
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
    let output = archive(folder.path(), &[], &[]);
    assert_eq!(output.status.code(), Some(2), "--to is needed");
    assert!(said(&output).contains("--to"), "{}", said(&output));
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}
