//! Who may come in, and that what is asked is recorded under the name of whoever asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use contracts::{Envelope, Kind, MessageId, Partitions, process};
use event_store::EventStore;
use event_store_sqlite::SqliteEventStore;
use host::TokenHash;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, Process, SERVICES, command, free_port, variable};
use system_tests::history::{Log, Stored};
use system_tests::parked::{garbage, parking};
use system_tests::suite::BEGINNING;

/// A user without a token.
fn http() -> Client {
    let http = Client::builder().no_proxy().timeout(PATIENCE).build();
    http.unwrap()
}

async fn send(request: RequestBuilder) -> (StatusCode, String) {
    let answer: Response = request.send().await.unwrap();
    let status = answer.status();
    let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
    let challenge = answer.headers().get(header::WWW_AUTHENTICATE).cloned();
    if status == StatusCode::UNAUTHORIZED {
        assert_eq!(challenge.unwrap(), "Bearer");
    }
    if !status.is_success() {
        assert_eq!(kind.unwrap(), "application/problem+json");
    }
    let body: Value = answer.json().await.unwrap();
    (
        status,
        body["detail"].as_str().unwrap_or_default().to_owned(),
    )
}

/// What stands in the stream of this shipment's process under a type, and who had asked for it.
fn asked_by<'a>(entries: &'a [Stored], shipment: &str, type_name: &str) -> Option<&'a str> {
    let stream = format!("{shipment}-Process");
    let mut found = entries
        .iter()
        .filter(|entry| entry.stream == stream && entry.type_name == type_name);
    let entry = found
        .next_back()
        .unwrap_or_else(|| panic!("{stream} has no {type_name}"));
    entry.metadata["actor"].as_str()
}

/// A start of a shipment, as it is kept while it is parked.
fn kept_start(shipment: &str) -> Value {
    let data = json!({
        "shipmentId": shipment,
        "legs": [{
            "carrierId": "c62bee76-3e7a-4ce3-87dd-a5eb11678815",
            "sender": "sender", "receiver": "receiver", "collection": "collection",
        }],
        "collectionDate": "2024-05-27",
        "timeZone": "Europe/London",
    });
    let id = MessageId::derive(&["input", shipment]);
    let message = Envelope {
        id,
        kind: Kind::Command {
            to: process::SERVICE,
        },
        source: process::SERVICE,
        type_name: "ProcessShipment".to_owned(),
        subject: shipment.to_owned(),
        time: BEGINNING.parse().unwrap(),
        correlation_id: id,
        causation_id: id,
        traceparent: None,
        category: None,
        actor: None,
        data: to_raw_value(&data).unwrap(),
    };
    json!({ "message": message })
}

/// A file with two shipments of which an input is parked.
async fn with_parked(path: &Path) {
    let settings = event_store_sqlite::Settings {
        path: path.to_owned(),
    };
    let store = SqliteEventStore::open(&settings, Partitions::default());
    let parked = [
        parking("12again0", &kept_start("12again0")),
        parking("12given0", &garbage()),
    ];
    store.await.unwrap().append(&parked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_in_and_what_its_holder_asks_is_recorded_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("longhaul.db");
    with_parked(&file).await;
    let (ada, bob) = (
        TokenHash::of("of ada").to_hex(),
        TokenHash::of("of bob").to_hex(),
    );
    let settings = [
        ("event_store.sqlite.path", file.to_str().unwrap()),
        ("carrier_stub.delay_ms", "600000"),
        ("http.tokens.ada.role", "operate"),
        ("http.tokens.ada.sha256", &ada),
        ("http.tokens.bob.role", "read"),
        ("http.tokens.bob.sha256", &bob),
    ];
    let mut longhaul = Process::start("longhaul", &settings).await;
    let http = http();
    let ask = |method: Method, path: &str, token: Option<&str>| {
        let mut request = http.request(method, longhaul.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request
    };

    // What each of them is told: nobody reads what is not for him.
    let switch = json!({ "processCategory": "default-1.0" });
    let give_up = json!({ "inputId": MessageId::derive(&["input", "12given0"]) });
    let body = |path: &str| {
        if path.ends_with("/discard") {
            &give_up
        } else {
            &switch
        }
    };
    let acts = [
        (Method::POST, "/12EEQ9CS9K10"),
        (Method::PUT, "/shipments/12EEQ9CS9K10/category"),
        (Method::POST, "/parked/shipment-process/12again0/redrive"),
        (Method::POST, "/parked/shipment-process/12given0/discard"),
    ];
    let looks = [
        (Method::GET, "/12EEQ9CS9K10"),
        (Method::GET, "/nowhere/at/all"),
    ];
    for (method, path) in acts.iter().chain(&looks) {
        for token in [None, Some("of eve"), Some(&*ada)] {
            let request = ask(method.clone(), path, token).json(body(path));
            let (status, said) = send(request).await;
            assert_eq!(
                status,
                StatusCode::UNAUTHORIZED,
                "{method} {path} {token:?}"
            );
            assert!(said.contains("longhaul token NAME"), "{said}");
        }
    }
    for (method, path) in &acts {
        let request = ask(method.clone(), path, Some("of bob")).json(body(path));
        let (status, said) = send(request).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(said.contains("bob") && said.contains("operate"), "{said}");
    }
    for (method, path) in &looks {
        let (status, _) = send(ask(method.clone(), path, Some("of bob"))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "nothing was done: {path}");
    }
    for path in ["/health/live", "/health/ready"] {
        let (status, _) = send(ask(Method::GET, path, None)).await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    for (method, path) in &acts {
        // The name is that of the token, whatever else is said.
        let request = ask(method.clone(), path, Some("of ada"));
        let request = request.header("x-longhaul-actor", "eve").json(body(path));
        let (status, said) = send(request).await;
        assert!(status.is_success(), "{method} {path}: {status} {said}");
    }
    let (status, _) = send(ask(Method::GET, "/12EEQ9CS9K10", Some("of bob"))).await;
    assert_eq!(status, StatusCode::OK);

    let status = longhaul.terminate(PATIENCE).await;
    assert!(status.success(), "{status}");
    let entries = Log::File(file.clone()).entries().await;
    for (shipment, type_name) in [
        ("12EEQ9CS9K10", "ShipmentProcessStarted"),
        ("12EEQ9CS9K10", "ProcessCategoryChanged"),
        ("12again0", "ShipmentProcessStarted"),
        ("12given0", "ParkedInputDiscarded"),
    ] {
        let actor = asked_by(&entries, shipment, type_name);
        assert_eq!(actor, Some("ada"), "{shipment} {type_name}");
    }
    let log = longhaul.log();
    for secret in ["of ada", "of bob", &ada, &bob] {
        assert!(!log.contains(secret), "{secret} is logged: {log}");
    }
    assert!(!log.contains("access is off"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_access_is_off_that_is_said_and_whoever_asks_may_give_a_name() {
    let mut longhaul = Process::start("longhaul", &[("carrier_stub.delay_ms", "600000")]).await;
    let log = longhaul.log();
    assert!(log.contains("access is off"), "{log}");
    assert!(log.contains("longhaul token NAME"), "{log}");
    let http = http();
    let start = |id: &str, name: &str| {
        let request = http.post(longhaul.url(&format!("/{id}")));
        request.header(
            "x-longhaul-actor",
            header::HeaderValue::from_str(name).unwrap(),
        )
    };
    let (status, said) = send(start("12wrong0", &"x".repeat(129))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(said.contains("x-longhaul-actor"), "{said}");
    let (status, _) = send(start("12named0", "Ada L.")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (status, _) = send(http.post(longhaul.url("/12nobody0"))).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    longhaul.terminate(PATIENCE).await;
    let entries = Log::File(longhaul.folder().join("data/longhaul.db"));
    let entries = entries.entries().await;
    let started = "ShipmentProcessStarted";
    assert_eq!(asked_by(&entries, "12named0", started), Some("Ada L."));
    assert_eq!(asked_by(&entries, "12nobody0", started), None);
    assert!(
        entries
            .iter()
            .all(|entry| !entry.stream.starts_with("12wrong0"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_others_can_come_nobody_may_enter_until_a_token_is_configured() {
    let settings = [("event_store.adapter", "memory"), ("http.host", "0.0.0.0")];
    let longhaul = Process::start("longhaul", &settings).await;
    for name in ["no token is configured", "http.tokens.NAME.role"] {
        assert!(longhaul.log().contains(name), "{}", longhaul.log());
    }
    let request = http().get(longhaul.url("/12EEQ9CS9K10")).bearer_auth("x");
    let (status, said) = send(request).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for name in [
        "http.tokens.NAME.role",
        "LONGHAUL__HTTP__TOKENS__NAME__SHA256",
    ] {
        assert!(said.contains(name), "{said}");
    }
    let asked = command("longhaul")
        .arg("--check-health")
        .env(variable("http.host"), "0.0.0.0")
        .env(
            variable("shipment_process.port"),
            longhaul.port().to_string(),
        )
        .status();
    assert!(asked.unwrap().success());
}

#[test]
fn a_token_that_cannot_be_used_is_refused_by_its_key() {
    let hash = TokenHash::of("x").to_hex();
    let nobody = "x".repeat(129);
    let (role_of_nobody, hash_of_nobody) = (format!("{nobody}.role"), format!("{nobody}.sha256"));
    for (settings, names) in [
        (
            &[("ada.role", "admin"), ("ada.sha256", &*hash)][..],
            &["http.tokens.ada.role", "read, operate"][..],
        ),
        (
            &[("ada.role", "read"), ("ada.sha256", "secret_of_ada")],
            &["http.tokens.ada.sha256", "64 hexadecimal digits"],
        ),
        (&[("ada.role", "read")], &["http.tokens.ada", "sha256"]),
        (&[("ada.sha256", &hash)], &["http.tokens.ada", "role"]),
        (
            &[
                ("ada.role", "read"),
                ("ada.sha256", &hash),
                ("ada.rolle", "x"),
            ],
            &["http.tokens.ada", "rolle"],
        ),
        (
            &[
                ("ada.role", "read"),
                ("ada.sha256", &hash),
                ("bob.role", "read"),
                ("bob.sha256", &hash),
            ],
            &["http.tokens", "ada", "bob", "same token"],
        ),
        (
            &[(&role_of_nobody, "read"), (&hash_of_nobody, &hash)],
            &["http.tokens", "is no name"],
        ),
    ] {
        for name in ["longhaul", SERVICES[0]] {
            let mut command = command(name);
            for (key, value) in settings {
                command.env(variable(&format!("http.tokens.{key}")), value);
            }
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{said}");
            for name in names {
                assert!(said.contains(name), "{name:?} is not in: {said}");
            }
            assert!(
                !said.contains("secret_of_ada") && !said.contains(&hash),
                "{said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_made_with_the_settings_that_let_it_in() {
    let made = command("longhaul")
        .args(["token", "ada", "--role", "operate"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let said = String::from_utf8(made.stdout).unwrap();
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    let token = lines.iter().find(|line| line.starts_with("longhaul_"));
    let token = token.unwrap();

    // Once from the file, once from the environment.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("longhaul.toml");
    let from = lines.iter().position(|line| *line == "[http.tokens.ada]");
    let from = from.unwrap();
    let port = free_port();
    let settings = format!(
        "{}\n[shipment_process]\nport = {port}",
        lines[from..from + 3].join("\n")
    );
    fs::write(&file, settings).unwrap();
    let asked = command("longhaul")
        .args(["--check-health", "--config"])
        .arg(&file)
        .output();
    let said = String::from_utf8(asked.unwrap().stderr).unwrap();
    assert!(said.contains("nothing answers"), "the file is read: {said}");

    let variables = lines
        .iter()
        .filter_map(|line| line.strip_prefix("LONGHAUL__")?.split_once('='));
    let settings: Vec<_> = variables
        .map(|(name, value)| (name.to_lowercase().replace("__", "."), value))
        .collect();
    assert_eq!(settings.len(), 2, "{lines:?}");
    let mut settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (&**key, *value))
        .collect();
    settings.push(("event_store.adapter", "memory"));
    let longhaul = Process::start("longhaul", &settings).await;
    let url = longhaul.url("/12EEQ9CS9K10");
    let (status, _) = send(http().post(&url).bearer_auth(token)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (status, _) = send(http().post(&url)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[test]
fn only_longhaul_makes_tokens_and_only_with_a_name_that_settings_can_have() {
    for (name, arguments, wrong) in [
        ("longhaul", &["token"][..], "<NAME>"),
        ("longhaul", &["token", "Ada L."], "Ada L."),
        ("longhaul", &["token", "ada", "--role", "admin"], "operate"),
        ("longhaul", &["--check-health", "token", "ada"], "token"),
        ("manifestation", &["token", "ada"], "token"),
    ] {
        let output = command(name).args(arguments).output().unwrap();
        assert!(!output.status.success(), "{name} {arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(wrong), "{said}");
    }
}
