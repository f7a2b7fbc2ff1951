//! What other programs put onto the queues by mistake, on PostgreSQL and RabbitMQ: each is found in the
//! list with its reason, none is lost, and good shipments go on meanwhile.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use contracts::Partitions;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, Process, SERVICES, eventually};
use system_tests::client::Client;
use system_tests::examples::IDS;
use test_servers::postgres::{TestDatabase, database};
use test_servers::rabbitmq::{VirtualHost, virtual_host};

const LIMIT: Duration = Duration::from_secs(45);

/// The four services, and somebody at the broker.
struct Suite {
    // Dropped in this order: the services before the servers.
    processes: Vec<Process>,
    _connection: Connection,
    channel: Channel,
    _database: TestDatabase,
    _host: VirtualHost,
}

impl Suite {
    async fn start() -> Self {
        let (database, host) = tokio::join!(database(), virtual_host());
        let settings = [
            ("event_store.postgres.url", &*database.url()),
            ("bus.rabbitmq.url", host.url()),
            ("carrier_stub.delay_ms", "20"),
            ("carrier_stub.books_late_after_ms", "200"),
            ("runtime.parking_retries", "2"),
            ("runtime.parking_first_delay_ms", "50"),
        ];
        let mut processes: Vec<_> = SERVICES
            .iter()
            .map(|name| Process::spawn(name, &settings))
            .collect();
        for process in &mut processes {
            process.ready().await;
        }
        let connection = Connection::connect(host.url(), ConnectionProperties::default());
        let connection = connection.await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let confirms = ConfirmSelectOptions::default();
        channel.confirm_select(confirms).await.unwrap();
        Self {
            processes,
            _connection: connection,
            channel,
            _database: database,
            _host: host,
        }
    }

    fn client(&self) -> Client {
        Client::of(&[self.processes[0].url("")])
    }

    /// Puts something onto the queue of manifestation that a message about this subject would come to.
    async fn put(&self, subject: &str, properties: BasicProperties, body: &[u8]) {
        let partition = Partitions::default().of(subject);
        let queue = format!("manifestation.{partition}");
        let options = BasicPublishOptions::default();
        let confirmed =
            self.channel
                .basic_publish("".into(), queue.into(), options, body, properties);
        confirmed.await.unwrap().await.unwrap();
    }

    /// Asks manifestation.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let manifestation = &self.processes[1];
        let request = manifestation.client();
        let mut request = request.request(method, manifestation.url(path));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// What waits in an instance of manifestation, once so many inputs do, and a person is waited for.
    async fn waiting(&self, instance: &str, count: usize) -> Value {
        let what = format!("{count} inputs of {instance} wait for a person");
        let path = format!("/parked/manifestation/{instance}");
        eventually(&what, PATIENCE, async || {
            let (status, parked) = self.ask(Method::GET, &path, None).await;
            let waiting = status.is_success()
                && parked["waiting"] == count
                && parked["waitsForPerson"] == true;
            waiting.then_some(parked)
        })
        .await
    }
}

/// The properties of a command to manifestation.
fn command(type_name: &str, subject: &str) -> BasicProperties {
    let id = uuid::Uuid::now_v7().to_string();
    let mut headers = FieldTable::default();
    for (name, value) in [
        ("cloudEvents_specversion", "1.0"),
        ("cloudEvents_id", &*id),
        ("cloudEvents_source", "/longhaul/shipment-process"),
        ("cloudEvents_type", type_name),
        ("cloudEvents_subject", subject),
        ("cloudEvents_time", "2024-05-26T10:00:00Z"),
        ("cloudEvents_kind", "command"),
        ("cloudEvents_target", "manifestation"),
        ("cloudEvents_correlationid", &*id),
        ("cloudEvents_causationid", &*id),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_headers(headers)
}

/// A good payload, of another shipment than the one that it is sent to.
const OF_ANOTHER: &[u8] = br#"{"shipmentId": "BAD9", "legs": []}"#;

#[tokio::test]
async fn each_bad_message_is_listed_with_its_reason_while_good_shipments_go_on() {
    let suite = Suite::start().await;
    let good: Vec<_> = IDS.iter().map(|id| (*id).to_owned()).collect();
    let client = suite.client();
    let large = "x".repeat(2 << 20);
    let wrong_and_large = json!({ "shipmentId": "BAD6", "legs": large }).to_string();
    let text = "text/plain".into();
    let bad = async {
        let none = BasicProperties::default();
        let nowhere = "n".repeat(300);
        for (subject, properties, body) in [
            ("BAD0", none, &b"hello"[..]),
            (
                "BAD1",
                command("CreateShipment", "BAD1").with_content_type(text),
                b"{}",
            ),
            ("BAD2", command("CreateShipment", "BAD2"), b"<xml/>"),
            ("BAD3", command("Nonsense", "BAD3"), b"{}"),
            (&nowhere, command("CreateShipment", &nowhere), b"{}"),
            ("BAD5", command("CreateShipment", "BAD5"), large.as_bytes()),
            (
                "BAD6",
                command("CreateShipment", "BAD6"),
                wrong_and_large.as_bytes(),
            ),
            (
                "BAD7",
                command("ManifestShipment", "BAD7"),
                br#"{"shipmentId": 7}"#,
            ),
            ("BAD8", command("CreateShipment", "BAD8"), OF_ANOTHER),
        ] {
            suite.put(subject, properties, body).await;
        }
    };
    tokio::join!(client.start_all(&good), bad);
    client.finished(&good, LIMIT).await;

    for (instance, reason) in [
        ("BAD1", "text/plain"),
        ("BAD2", "no JSON"),
        ("BAD3", "Nonsense"),
        ("BAD5", "no JSON"),
        ("BAD6", "expected a sequence"),
        ("BAD7", "expected a string"),
        ("BAD8", "addressed to \"BAD8\""),
    ] {
        let parked = suite.waiting(instance, 1).await;
        let first = &parked["inputs"][0];
        let said = first["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{instance}: {said}");
        assert_eq!(first["attempts"], 3, "{instance}");
        assert!(first["input"].is_object(), "{instance}: {first}");
    }
    let unaddressed = suite.waiting("~unaddressed", 2).await;
    let mut reasons: Vec<_> = (0..2)
        .map(|nth| {
            let input = &unaddressed["inputs"][nth];
            input["input"]["unreadable"]["reason"].as_str().unwrap()
        })
        .collect();
    reasons.sort_unstable();
    let expected = [
        "cloudEvents_specversion is missing",
        "its subject is the name of no instance",
    ];
    assert_eq!(reasons, expected);

    // All of them are in the list, in pages too, and nothing else is.
    let names = |list: &Value| -> Vec<String> {
        let list = list["parked"].as_array().unwrap();
        let names = list
            .iter()
            .map(|p| p["instance"].as_str().unwrap().to_owned());
        names.collect()
    };
    let expected = [
        "BAD1",
        "BAD2",
        "BAD3",
        "BAD5",
        "BAD6",
        "BAD7",
        "BAD8",
        "~unaddressed",
    ];
    let listed = eventually("the list is complete", PATIENCE, async || {
        let list = suite.get("/parked?service=manifestation").await;
        let all = list["parked"].as_array().unwrap();
        let complete = names(&list) == expected && all.iter().all(|p| p["waitsForPerson"] == true);
        complete.then_some(list)
    })
    .await;
    assert_eq!(listed["parked"][0]["first"]["attempts"], 3);
    assert_eq!(listed["parked"][7]["waiting"], 2);
    assert_eq!(listed.get("next"), None);
    let mut found = Vec::new();
    let mut path = "/parked?limit=3".to_owned();
    loop {
        let page = suite.get(&path).await;
        found.extend(names(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/parked?limit=3&after={next}");
    }
    assert_eq!(found, expected);

    // Each stream tells it too, where it is kept.
    let stream = suite.get("/streams/BAD3-Shipment").await;
    let types: Vec<_> = (0..3).map(|n| &stream["entries"][n]["type"]).collect();
    assert_eq!(
        types,
        ["InputParked", "ParkedInputRetried", "ParkedInputRetried"]
    );
    let (status, elsewhere) = suite
        .ask(Method::GET, "/streams/12EEQ9CS9K10-Process", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{elsewhere}");

    // Nothing is left at the broker.
    for partition in Partitions::default().all() {
        let queue = format!("manifestation.{partition}");
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let none = FieldTable::default();
        let declared = suite.channel.queue_declare(queue.into(), options, none);
        assert_eq!(declared.await.unwrap().message_count(), 0);
    }
}

#[tokio::test]
async fn a_shipment_that_waits_behind_garbage_goes_on_once_that_is_given_up() {
    let suite = Suite::start().await;
    let id = IDS[0].to_owned();
    suite
        .put(&id, command("CreateShipment", &id), b"garbage")
        .await;
    suite.waiting(&id, 1).await;
    let client = suite.client();
    client.start_all(std::slice::from_ref(&id)).await;
    // CreateShipment and ManifestShipment, behind it.
    let parked = suite.waiting(&id, 3).await;
    let types: Vec<_> = (0..3).map(|n| &parked["inputs"][n]["type"]).collect();
    assert_eq!(types, ["unreadable", "CreateShipment", "ManifestShipment"]);
    let [first, second] = [0, 1].map(|nth| parked["inputs"][nth]["id"].clone());

    let path = format!("/parked/manifestation/{id}/discard");
    let give_up = |input: &Value| {
        let body = json!({ "inputId": input });
        suite.ask(Method::POST, &path, Some(body))
    };
    let (status, problem) = give_up(&second).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(first.as_str().unwrap()), "{detail}");
    let (status, answer) = give_up(&first).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        answer,
        json!({ "handled": 2, "remaining": 0, "reason": null })
    );
    let (status, problem) = give_up(&first).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    client.finished(&[id], LIMIT).await;
}
