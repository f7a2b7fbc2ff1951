//! The four services as processes of their own, on PostgreSQL and RabbitMQ: the eight examples as a
//! user sees them, over HTTP, in the database, and at the broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;
use lapin::message::Delivery;
use runtime::{Clock, SystemClock};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row};
use system_tests::binaries::{
    PATIENCE, Process, SERVICES, command, eventually, free_port, http_client, port_setting,
    variable,
};
use system_tests::client::Client;
use system_tests::completeness::assert_complete;
use system_tests::examples::{self, Ending, IDS};
use system_tests::expectation::{Expectation, KINDS};
use system_tests::history::{self, Log, Stored};
use system_tests::queues;
use test_servers::postgres::{TestDatabase, database};
use test_servers::rabbitmq::{VirtualHost, virtual_host};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

/// The four services, on a database and a virtual host of their own.
struct Suite {
    // Dropped in this order: the services before the servers.
    processes: Vec<Process>,
    database: TestDatabase,
    host: VirtualHost,
}

impl Suite {
    async fn start() -> Self {
        let (database, host) = tokio::join!(database(), virtual_host());
        let settings = [
            ("event_store.postgres.url", &*database.url()),
            ("bus.rabbitmq.url", host.url()),
            ("carrier_stub.delay_ms", "20"),
            ("carrier_stub.books_late_after_ms", "200"),
        ];
        let mut processes: Vec<_> = SERVICES
            .iter()
            .map(|name| Process::spawn(name, &settings))
            .collect();
        for process in &mut processes {
            process.ready().await;
        }
        Self {
            processes,
            database,
            host,
        }
    }

    fn client(&self) -> Client {
        Client::of(&[self.processes[0].url("")])
    }

    fn log(&self) -> Log {
        Log::Database(self.database.url())
    }
}

fn ids() -> Vec<String> {
    IDS.map(str::to_owned).to_vec()
}

fn tomorrow(zone: &str) -> Date {
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
    let today = SystemClock.now().to_zoned(zone).date();
    today.tomorrow().unwrap()
}

#[tokio::test]
async fn each_example_has_the_outcome_that_its_id_says() {
    let suite = Suite::start().await;
    let client = suite.client();
    let before = ["Europe/London", "Europe/Berlin"].map(tomorrow);
    client.start_all(&ids()).await;
    let after = ["Europe/London", "Europe/Berlin"].map(tomorrow);
    for (id, outcome) in IDS.iter().zip(client.finished(&ids(), LIMIT).await) {
        assert_outcome(id, outcome, [before, after]);
    }
}

/// Checks every field of an outcome; the numbers that carriers give are any that look like one.
fn assert_outcome(id: &str, mut outcome: Value, tomorrows: [[Date; 2]; 2]) {
    let domestic = examples::is_domestic(id);
    let zone = usize::from(!domestic);
    let date: Date = outcome["collectionDate"].as_str().unwrap().parse().unwrap();
    assert!(tomorrows.iter().any(|days| days[zone] == date), "{date}");

    let ending = examples::ending(id);
    let manifested = ending != Ending::ManifestationFails;
    let booked = matches!(ending, Ending::Success | Ending::BookedLate);
    if manifested {
        let numbers = outcome["trackingNumbers"].take();
        let numbers: Vec<_> = numbers.as_str().unwrap().split(", ").collect();
        assert_eq!(numbers.len(), if domestic { 1 } else { 2 }, "{id}");
        assert!(
            numbers.iter().all(|number| is_number(number)),
            "{numbers:?}"
        );
        assert!(
            numbers.len() == 1 || numbers[0] != numbers[1],
            "{numbers:?}"
        );
        outcome["trackingNumbers"] = json!("numbers");
    }
    if booked {
        let reference = outcome["collectionBookingReference"].take();
        assert!(is_number(reference.as_str().unwrap()), "{id}: {reference}");
        outcome["collectionBookingReference"] = json!("reference");
    }

    let address = |name: &str| json!(format!("https://shipment-documents.net/{id}/{name}"));
    let mut documents = json!({});
    if manifested {
        documents["labels"] = address("labels");
        documents["receipt"] = address("receipt");
        documents["combinedDocument"] = address("combined-document");
    }
    if !domestic {
        documents["customsInvoice"] = address("customs-invoice");
    }
    let stages = match ending {
        Ending::Success | Ending::BookedLate => ["completed", "completed"],
        Ending::ManifestationFails => ["failed", "notStarted"],
        Ending::BookingFails => ["completed", "failed"],
    };
    let mut expected = json!({
        "shipmentId": id,
        "processCategory": if domestic { "domestic-1.0" } else { "international-1.0" },
        "status": examples::final_status(id),
        "collectionDate": date.to_string(),
        "timeZone": if domestic { "Europe/London" } else { "Europe/Berlin" },
        "documents": documents,
        "stages": { "manifestationAndDocuments": stages[0], "collectionBooking": stages[1] },
    });
    if manifested {
        expected["trackingNumbers"] = json!("numbers");
    }
    if booked {
        expected["collectionBookingReference"] = json!("reference");
    }
    match ending {
        Ending::Success | Ending::BookedLate => {}
        Ending::ManifestationFails => {
            expected["step"] = json!("ShipmentManifestation");
            expected["failure"] =
                json!("ShipmentManifestation: leg 1: the carrier does not take this leg");
        }
        Ending::BookingFails => {
            expected["step"] = json!("CollectionBooking");
            expected["failure"] =
                json!("CollectionBooking: the carrier does not collect there on that day");
            // Until then the carrier may book after all.
            let window = &outcome["deadlines"]["Rebooking"];
            assert!(window.is_string(), "{id}: {outcome}");
            expected["deadlines"] = json!({ "Rebooking": window });
        }
    }
    assert_eq!(outcome, expected, "{id}");
}

fn is_number(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[tokio::test]
async fn the_streams_of_the_examples_are_those_of_the_specification_as_its_sql_shows_them() {
    let suite = Suite::start().await;
    let client = suite.client();
    client.start_all(&ids()).await;
    client.finished(&ids(), LIMIT).await;

    let mut connection = PgConnection::connect(&suite.database.url()).await.unwrap();
    let rows = sqlx::query(
        "select * from mt_events where stream_id = '12EEQ9CS9K10-Process' order by version;",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let types: Vec<String> = rows.iter().map(|row| row.get("type")).collect();
    let expected: Vec<_> = examples::expected_stream("12EEQ9CS9K10", "Process")
        .into_iter()
        .map(history::snake_case)
        .collect();
    // Nothing internal stands between them in a run without disturbance.
    assert_eq!(types, expected);
    let versions: Vec<i64> = rows.iter().map(|row| row.get("version")).collect();
    assert_eq!(versions, (1..=15).collect::<Vec<i64>>());
    let first = &rows[0];
    assert!(first.get::<i64, _>("seq_id") > 0);
    assert_eq!(first.get::<uuid::Uuid, _>("id").get_version_num(), 5);
    assert_eq!(first.get::<String, _>("stream_id"), "12EEQ9CS9K10-Process");
    let data: Value = first.get("data");
    assert_eq!(data["legs"][0]["sender"], "GB-sender1");
    let category: String = first.get("category");
    assert_eq!(category, "domestic-1.0");

    let rows = sqlx::query(
        "select * from mt_events where stream_id like '12EEQ9CS9K10-%' order by timestamp;",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut by_stream: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &rows {
        let stream = by_stream.entry(row.get("stream_id")).or_default();
        stream.push(row.get("type"));
    }
    for kind in KINDS {
        let expected: Vec<_> = Expectation::of("12EEQ9CS9K10")
            .undisturbed(kind)
            .iter()
            .map(|name| history::snake_case(name))
            .collect();
        assert_eq!(by_stream[&format!("12EEQ9CS9K10-{kind}")], expected);
    }
    let ends = [rows.first(), rows.last()].map(|row| row.unwrap().get::<String, _>("type"));
    assert_eq!(
        ends,
        ["shipment_process_started", "shipment_process_completed"]
    );
    connection.close().await.unwrap();

    assert_complete(&suite.log().entries().await, IDS);
}

#[tokio::test]
async fn every_service_says_that_it_lives_and_is_ready() {
    let suite = Suite::start().await;
    for process in &suite.processes {
        for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
            let answer = reqwest::get(process.url(path)).await.unwrap();
            assert_eq!(answer.status(), 200, "{}{path}", process.name());
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body, json!({ "status": status }), "{}", process.name());
        }
        // Anything else is for whoever has a token.
        let closed = reqwest::get(process.url("/12EEQ9CS9K10")).await.unwrap();
        assert_eq!(closed.status(), 401, "{}", process.name());
    }
}

#[tokio::test]
async fn a_service_whose_broker_is_away_lives_and_is_not_ready() {
    let database = database().await;
    let nowhere = format!("amqp://guest:guest@127.0.0.1:{}", free_port());
    let settings = [
        ("event_store.postgres.url", &*database.url()),
        ("bus.rabbitmq.url", &nowhere),
    ];
    let mut process = Process::spawn("shipment-process", &settings);
    let http = http_client(PATIENCE);
    // It lives from the first moment on; that the database is open is seen by any other address.
    let answer = eventually("it has opened its database", LIMIT, async || {
        let live = reqwest::get(process.url("/health/live")).await.ok()?;
        assert!(live.status().is_success());
        let unknown = process.url("/12EEQ9CS9K10");
        let unknown = http.get(unknown).send().await.ok()?;
        if unknown.status() != 404 {
            return None;
        }
        reqwest::get(process.url("/health/ready")).await.ok()
    })
    .await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Value = answer.json().await.unwrap();
    let expected = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the message bus does not answer",
    });
    assert_eq!(problem, expected);
    let asked = command("shipment-process")
        .arg("--check-health")
        .env(
            variable(&port_setting("shipment-process")),
            process.port().to_string(),
        )
        .output()
        .unwrap();
    assert_eq!(asked.status.code(), Some(1));
    // What is stored is durable, whatever the broker does.
    let url = process.url("/12EEQ9CS9K10");
    let answer = http.post(&url).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let outcome: Value = http.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(outcome["status"], "running");
    // Nor is it a failure to stop with something to publish: the next start will.
    let status = process.terminate(Duration::from_secs(15)).await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test]
async fn another_program_that_binds_a_queue_gets_every_public_event() {
    let suite = Suite::start().await;
    let (_connection, mut events) =
        queues::listen(suite.host.url(), "longhaul.events", &["#".to_owned()]).await;
    let client = suite.client();
    client.start_all(&ids()).await;
    client.finished(&ids(), LIMIT).await;

    let entries = suite.log().entries().await;
    let mut missing: BTreeMap<&str, &Stored> = entries
        .iter()
        .filter(|entry| entry.is_public())
        .map(|entry| (entry.id.as_str(), entry))
        .collect();
    assert!(missing.len() > 200, "{}", missing.len());
    let all = missing.clone();
    while !missing.is_empty() {
        let event = timeout(LIMIT, events.next()).await;
        let event = event.unwrap_or_else(|_| panic!("these never came: {missing:#?}"));
        for event in told(&event.unwrap().unwrap()) {
            let id = &event.attributes["id"];
            let entry = all.get(id.as_str());
            let entry = entry.unwrap_or_else(|| panic!("{id} is not public"));
            event.assert_tells(entry);
            missing.remove(id.as_str());
        }
    }
}

/// A CloudEvent, as another program reads it.
struct Told {
    routing_key: String,
    attributes: BTreeMap<String, String>,
    data: Value,
}

/// What a message to other programs tells: an event in binary mode, or several in the batch format.
fn told(delivery: &Delivery) -> Vec<Told> {
    let routing_key = delivery.routing_key.to_string();
    let body: Value = serde_json::from_slice(&delivery.data).unwrap();
    let content_type = delivery.properties.content_type().as_ref().unwrap();
    if content_type.as_str() != "application/cloudevents-batch+json" {
        assert_eq!(content_type.as_str(), "application/json");
        let headers = delivery.properties.headers().as_ref().unwrap();
        let attributes = headers.into_iter().map(|(name, value)| {
            let text = value.as_long_string().unwrap().to_string();
            (name.as_str().replace("cloudEvents_", ""), text)
        });
        return vec![Told {
            routing_key,
            attributes: attributes.collect(),
            data: body,
        }];
    }
    let event = |event: &Value| {
        let members = event.as_object().unwrap().iter();
        let attributes = members.filter(|(name, _)| *name != "data");
        Told {
            routing_key: routing_key.clone(),
            attributes: attributes
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
            data: event["data"].clone(),
        }
    };
    body.as_array().unwrap().iter().map(event).collect()
}

impl Told {
    /// It tells what the entry says.
    fn assert_tells(&self, entry: &Stored) {
        let (shipment, kind) = entry.shipment_and_kind();
        let service = match kind {
            "Process" => "shipment-process",
            "Shipment" => "manifestation",
            "Collection" => "collection-booking",
            _ => "carrier-stub",
        };
        let key = format!("{service}.{}", entry.type_name);
        assert_eq!(self.routing_key, key);
        let attribute = |name: &str| self.attributes[name].as_str();
        assert_eq!(attribute("specversion"), "1.0");
        assert_eq!(attribute("source"), format!("/longhaul/{service}"));
        assert_eq!(attribute("type"), entry.type_name);
        assert_eq!(attribute("subject"), shipment);
        let time: jiff::Timestamp = attribute("time").parse().unwrap();
        let recorded: jiff::Timestamp = entry.timestamp.parse().unwrap();
        assert_eq!(time, recorded, "{key}");
        assert_eq!(self.data, entry.data, "{key}");
        let trace = |text: &str| text.split('-').nth(1).map(str::to_owned);
        let stored = entry.metadata["traceparent"].as_str().unwrap();
        assert_eq!(trace(attribute("traceparent")), trace(stored), "{key}");
    }
}
