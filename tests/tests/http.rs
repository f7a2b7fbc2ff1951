//! The HTTP API, asked from outside: every status that it documents, and that nothing is started
//! twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, Process, eventually};
use system_tests::completeness::assert_complete;
use system_tests::history::Log;

async fn in_memory() -> Process {
    Process::start(
        "longhaul",
        &with_quick_carriers(&[("event_store.adapter", "memory")]),
    )
    .await
}

fn with_quick_carriers<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let quick = [
        ("carrier_stub.delay_ms", "0"),
        ("carrier_stub.books_late_after_ms", "0"),
    ];
    [settings, &quick].concat()
}

/// A user of one process.
struct User {
    process: Process,
    http: Client,
}

impl User {
    async fn new() -> Self {
        Self::of(in_memory().await)
    }

    fn of(process: Process) -> Self {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build();
        Self {
            process,
            http: http.unwrap(),
        }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.process.url(path))
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.unwrap()
    }

    async fn post(&self, path: &str) -> Response {
        self.ask(Method::POST, path).send().await.unwrap()
    }

    async fn start(&self, body: &Value) -> Response {
        let request = self.ask(Method::POST, "/shipments").json(body);
        request.send().await.unwrap()
    }

    async fn put_category(&self, id: &str, body: &Value) -> Response {
        let path = format!("/shipments/{id}/category");
        let request = self.ask(Method::PUT, &path).json(body);
        request.send().await.unwrap()
    }

    async fn switch(&self, id: &str, category: &str) -> Response {
        self.put_category(id, &json!({ "processCategory": category }))
            .await
    }

    /// Waits until a shipment has this status.
    async fn ends(&self, id: &str, status: &str) -> Value {
        let what = format!("{id} is {status}");
        eventually(&what, PATIENCE, async || {
            let outcome: Value = self.get(&format!("/{id}")).await.json().await.unwrap();
            (outcome["status"] == status).then_some(outcome)
        })
        .await
    }
}

fn body(id: &str) -> Value {
    json!({
        "shipmentId": id,
        "legs": [{
            "carrierId": "c62bee76-3e7a-4ce3-87dd-a5eb11678815",
            "sender": "sender",
            "receiver": "receiver",
            "collection": "collection",
        }],
        "collectionDate": "2024-05-27",
        "timeZone": "Europe/London",
    })
}

async fn assert_accepted(answer: Response, id: &str) {
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()[header::LOCATION].to_str().unwrap();
    assert_eq!(location, format!("/shipments/{id}"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({ "shipmentId": id }));
}

/// Checks that an answer is a problem as RFC 9457 has it; answers its body.
async fn problem(answer: Response, status: StatusCode) -> Value {
    let url = answer.url().clone();
    assert_eq!(answer.status(), status, "{url}");
    let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert_eq!(kind, "application/problem+json", "{url}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["type"], "about:blank", "{body}");
    assert_eq!(body["title"], status.canonical_reason().unwrap(), "{body}");
    assert_eq!(body["status"], status.as_u16(), "{body}");
    assert!(!body["detail"].as_str().unwrap().is_empty(), "{body}");
    body
}

/// The fields that a problem names, in order.
fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    for error in errors {
        assert!(!error["detail"].as_str().unwrap().is_empty(), "{error}");
    }
    errors
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_start_is_accepted_with_the_place_where_its_outcome_is() {
    let user = User::new().await;
    let answer = user.post("/12EEQ9CS9K10").await;
    assert_accepted(answer, "12EEQ9CS9K10").await;
    assert_accepted(user.start(&body("a_1")).await, "a_1").await;
    let longest = "x".repeat(64);
    assert_accepted(user.post(&format!("/{longest}")).await, &longest).await;
    let outcome = user.get("/shipments/12EEQ9CS9K10").await;
    assert_eq!(outcome.status(), StatusCode::OK);
    assert_eq!(outcome.headers()[header::CONTENT_TYPE], "application/json");
    let outcome = user.ends("12EEQ9CS9K10", "completed").await;
    let again: Value = user.get("/12EEQ9CS9K10").await.json().await.unwrap();
    assert_eq!(outcome, again);
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_as_a_problem() {
    let user = User::new().await;
    let too_long = "x".repeat(65);
    for id in [
        "a-b", "a.b", "%20", "%C3%A4", "a%2Fb", "a%00", "%ff", &too_long,
    ] {
        for (method, path) in [
            (Method::POST, format!("/{id}")),
            (Method::GET, format!("/{id}")),
            (Method::GET, format!("/shipments/{id}")),
        ] {
            let answer = user.ask(method, &path).send().await.unwrap();
            problem(answer, StatusCode::BAD_REQUEST).await;
        }
        let answer = user.switch(id, "default-1.0").await;
        problem(answer, StatusCode::BAD_REQUEST).await;
    }
    let answer = user.post("/parked/shipment-process/%ff/redrive").await;
    problem(answer, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let user = User::new().await;
    for path in [
        "/",
        "/a/b/c",
        "/shipments/a/b",
        "/12EEQ9CS9K10",
        "/shipments/x",
    ] {
        let answer = user.get(path).await;
        problem(answer, StatusCode::NOT_FOUND).await;
    }
    let answer = user.post("/parked/nobody/x/redrive").await;
    let said = problem(answer, StatusCode::NOT_FOUND).await;
    assert!(
        said["detail"]
            .as_str()
            .unwrap()
            .contains("shipment-process")
    );
    let answer = user.switch("x", "default-1.0").await;
    problem(answer, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_a_problem() {
    let user = User::new().await;
    for (method, path) in [
        (Method::GET, "/shipments"),
        (Method::DELETE, "/12EEQ9CS9K10"),
        (Method::PUT, "/shipments/x"),
        (Method::POST, "/shipments/x"),
        (Method::POST, "/shipments/x/category"),
        (Method::POST, "/health/live"),
        (Method::PATCH, "/health/ready"),
        (Method::GET, "/parked/shipment-process/x/redrive"),
    ] {
        let answer = user.ask(method, path).send().await.unwrap();
        assert!(answer.headers().contains_key(header::ALLOW), "{path}");
        problem(answer, StatusCode::METHOD_NOT_ALLOWED).await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let user = User::of(
        Process::start(
            "longhaul",
            &[
                ("event_store.adapter", "memory"),
                ("http.body_limit_bytes", "1000"),
            ],
        )
        .await,
    );
    let large = json!({ "shipmentId": "x".repeat(1000) });
    problem(user.start(&large).await, StatusCode::PAYLOAD_TOO_LARGE).await;
    let answer = user.put_category("x", &large).await;
    problem(answer, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_accepted(user.start(&body("small")).await, "small").await;

    // In chunks, without a length.
    let mut stream = TcpStream::connect(("127.0.0.1", user.process.port())).unwrap();
    let head = "POST /shipments HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", " ".repeat(500));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(chunk.repeat(3).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_limit_of_a_body_is_256_kib_out_of_the_box() {
    let user = User::new().await;
    let padded = |size: usize| {
        let body = body("padded").to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    let send = |body: String| {
        let request = user.ask(Method::POST, "/shipments");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        request.body(body).send()
    };
    let answer = send(padded(262_145)).await.unwrap();
    problem(answer, StatusCode::PAYLOAD_TOO_LARGE).await;
    let answer = send(padded(262_144)).await.unwrap();
    assert_accepted(answer, "padded").await;
}

#[tokio::test]
async fn a_body_that_does_not_say_that_it_is_json_is_refused() {
    let user = User::new().await;
    for kind in [None, Some("text/plain"), Some("application/xml")] {
        let mut request = user.ask(Method::POST, "/shipments");
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let answer = request.body(body("x").to_string()).send().await.unwrap();
        problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    }
    let request = user.ask(Method::POST, "/shipments");
    let request = request.header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
    let answer = request.body(body("x").to_string()).send().await.unwrap();
    assert_accepted(answer, "x").await;
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let user = User::new().await;
    for text in ["", "{", "{\"legs\": [}", "nonsense", "{} {}", "\u{0}"] {
        let request = user.ask(Method::POST, "/shipments");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(text).send().await.unwrap();
        let said = problem(answer, StatusCode::BAD_REQUEST).await;
        assert!(said["detail"].as_str().unwrap().contains("JSON"), "{said}");
    }
    // Nested deeper than any reader should follow.
    let deep = format!("{{\"legs\": {}", "[".repeat(100_000));
    let request = user.ask(Method::POST, "/shipments");
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let answer = request.body(deep).send().await.unwrap();
    problem(answer, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn every_field_that_is_not_as_it_must_be_is_named_at_once() {
    let user = User::new().await;
    let bad = json!({
        "shipmentId": "a-b",
        "legs": [
            { "carrierId": "x", "sender": "", "receiver": 7, "colection": "c" },
            "no leg",
        ],
        "collectionDate": "27.05.2024",
        "timeZone": "Mars/Olympus",
        "colour": "red",
    });
    let answer = user.start(&bad).await;
    let said = problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
    let mut named = fields(&said);
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "collectionDate",
            "colour",
            "legs[0].carrierId",
            "legs[0].colection",
            "legs[0].collection",
            "legs[0].receiver",
            "legs[0].sender",
            "legs[1]",
            "shipmentId",
            "timeZone",
        ]
    );
    for (body, expected) in [
        (json!({}), vec!["legs", "collectionDate", "timeZone"]),
        (json!([]), vec![""]),
        (json!(null), vec![""]),
        (json!("text"), vec![""]),
    ] {
        let answer = user.start(&body).await;
        let said = problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(fields(&said), expected, "{body}");
    }
}

#[tokio::test]
async fn the_same_again_is_accepted_and_something_else_under_its_id_is_not() {
    let file = Process::start("longhaul", &with_quick_carriers(&[])).await;
    let log = Log::File(file.folder().join("data/longhaul.db"));
    let mut user = User::of(file);
    for _ in 0..3 {
        assert_accepted(user.start(&body("same")).await, "same").await;
    }
    // The order of the fields, and what is left out by default, make no difference.
    let mut another = body("same");
    another["timeZone"] = json!("Europe/Berlin");
    let said = problem(user.start(&another).await, StatusCode::CONFLICT).await;
    assert!(said["detail"].as_str().unwrap().contains("same"), "{said}");
    problem(user.post("/same").await, StatusCode::CONFLICT).await;

    // A demonstration, too, may be asked for again, also when it has ended.
    assert_accepted(user.post("/12EEQ9CS9K10").await, "12EEQ9CS9K10").await;
    user.ends("12EEQ9CS9K10", "completed").await;
    assert_accepted(user.post("/12EEQ9CS9K10").await, "12EEQ9CS9K10").await;
    let answer = user.start(&body("12EEQ9CS9K10")).await;
    problem(answer, StatusCode::CONFLICT).await;

    // The collection date of the first is long gone.
    user.ends("same", "failed").await;
    assert!(user.process.terminate(PATIENCE).await.success());
    let entries = log.entries().await;
    for id in ["same", "12EEQ9CS9K10"] {
        let started = entries.iter().filter(|entry| {
            entry.stream == format!("{id}-Process") && entry.type_name == "ShipmentProcessStarted"
        });
        assert_eq!(started.count(), 1, "{id}");
    }
}

#[tokio::test]
async fn many_who_ask_for_the_same_at_once_start_it_once() {
    let file = Process::start("longhaul", &with_quick_carriers(&[])).await;
    let log = Log::File(file.folder().join("data/longhaul.db"));
    let mut user = User::of(file);
    let answers = join_all((0..40).map(|_| user.post("/V74YCBYHC8A0"))).await;
    for answer in answers {
        assert_accepted(answer, "V74YCBYHC8A0").await;
    }
    // And of many who ask for something else under the same id, one is right.
    let rivals = (0..20).map(|nth| {
        let mut body = body("12rival0");
        body["legs"][0]["sender"] = json!(format!("sender {nth}"));
        body
    });
    let rivals: Vec<_> = rivals.collect();
    let answers = join_all(rivals.iter().map(|body| user.start(body))).await;
    let count = |status| answers.iter().filter(|a| a.status() == status).count();
    assert_eq!(count(StatusCode::ACCEPTED), 1);
    assert_eq!(count(StatusCode::CONFLICT), 19);
    user.ends("V74YCBYHC8A0", "completed").await;
    user.ends("12rival0", "failed").await;
    assert!(user.process.terminate(PATIENCE).await.success());
    let mut entries = log.entries().await;
    entries.retain(|entry| entry.shipment_and_kind().0 == "V74YCBYHC8A0");
    assert_complete(&entries, ["V74YCBYHC8A0"]);
}

#[tokio::test]
async fn an_id_that_is_left_out_is_given() {
    let user = User::new().await;
    let mut given = Vec::new();
    for _ in 0..2 {
        let mut body = body("");
        body.as_object_mut().unwrap().remove("shipmentId");
        let answer = user.start(&body).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let location = answer.headers()[header::LOCATION].clone();
        let answer: Value = answer.json().await.unwrap();
        let id = answer["shipmentId"].as_str().unwrap().to_owned();
        assert_eq!(location.to_str().unwrap(), format!("/shipments/{id}"));
        assert_eq!(user.get(&format!("/{id}")).await.status(), StatusCode::OK);
        given.push(id);
    }
    assert_ne!(given[0], given[1]);
}

#[tokio::test]
async fn a_shipment_can_be_switched_to_another_category() {
    // Carriers that do not answer during the test: the shipment stays where it is.
    let settings = [
        ("event_store.adapter", "memory"),
        ("carrier_stub.delay_ms", "600000"),
    ];
    let user = User::of(Process::start("longhaul", &settings).await);
    user.post("/12EEQ9CS9K10").await;
    for name in ["international-1.0", "default-1.0", "domestic-1.0"] {
        let answer = user.switch("12EEQ9CS9K10", name).await;
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        let outcome: Value = answer.json().await.unwrap();
        assert_eq!(outcome["processCategory"], name);
        assert_eq!(outcome["status"], "running");
        let now: Value = user.get("/12EEQ9CS9K10").await.json().await.unwrap();
        assert_eq!(now["processCategory"], name);
    }
    for bad in [
        json!({ "processCategory": "galactic-1.0" }),
        json!({ "processCategory": "no category" }),
        json!({ "processCategory": 1 }),
        json!({}),
        json!([]),
    ] {
        let answer = user.put_category("12EEQ9CS9K10", &bad).await;
        let said = problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(fields(&said), ["processCategory"], "{bad}");
    }
    let path = "/shipments/12EEQ9CS9K10/category";
    let answer = user.ask(Method::PUT, path).body("{}").send().await.unwrap();
    problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    let request = user.ask(Method::PUT, path);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let answer = request.body("{").send().await.unwrap();
    problem(answer, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn the_trace_of_whoever_asks_goes_on_in_all_streams() {
    let file = Process::start("longhaul", &with_quick_carriers(&[])).await;
    let log = Log::File(file.folder().join("data/longhaul.db"));
    let mut user = User::of(file);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for (id, traceparent) in [
        ("12traced0", format!("00-{trace}-b7ad6b7169203331-01")),
        ("12broken0", "00-nonsense-01".to_owned()),
    ] {
        let request = user.ask(Method::POST, &format!("/{id}"));
        let request = request.header("traceparent", traceparent);
        assert_accepted(request.send().await.unwrap(), id).await;
        user.ends(id, "completed").await;
    }
    assert!(user.process.terminate(PATIENCE).await.success());
    let entries = log.entries().await;
    let mut kinds = Vec::new();
    for entry in &entries {
        let (shipment, kind) = entry.shipment_and_kind();
        let stored = entry.metadata["traceparent"].as_str().unwrap();
        let continued = stored.starts_with(&format!("00-{trace}-")) && stored.ends_with("-01");
        assert_eq!(continued, shipment == "12traced0", "{entry:?}");
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    assert_eq!(kinds.len(), 4);
    assert_complete(&entries, ["12broken0", "12traced0"]);
}

#[tokio::test]
async fn health_is_told_and_the_addresses_beside_it_are_shipments() {
    let user = User::new().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = user.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({ "status": status }));
    }
    problem(user.get("/health/lively").await, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn what_was_accepted_for_an_answer_is_answered_before_the_process_stops() {
    let mut user = User::of(Process::start("longhaul", &with_quick_carriers(&[])).await);
    let log = Log::File(user.process.folder().join("data/longhaul.db"));
    let ids: Vec<_> = (0..200).map(|nth| format!("12stopping{nth}")).collect();
    let answered = AtomicUsize::new(0);
    let starting = join_all(ids.iter().map(async |id| {
        let answer = user.ask(Method::POST, &format!("/{id}")).send().await;
        // Whoever comes when it listens no longer gets no answer.
        let answer = answer.ok()?;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answered.fetch_add(1, Ordering::Relaxed);
        Some(id)
    }));
    let stop = async {
        eventually("one is answered", PATIENCE, async || {
            (answered.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
        user.process.ask_to_stop();
    };
    let (accepted, ()) = tokio::join!(starting, stop);
    let status = user.process.ended(Duration::from_secs(12)).await;
    assert_eq!(status.code(), Some(0), "{status}");
    let entries = log.entries().await;
    for id in accepted.into_iter().flatten() {
        let stream = format!("{id}-Process");
        assert!(entries.iter().any(|entry| entry.stream == stream), "{id}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_bounded_as_well() {
    let user = User::new().await;
    let large = user
        .ask(Method::POST, "/12EEQ9CS9K10")
        .body(vec![b'x'; 300 * 1024]);
    let answer = large.send().await.unwrap();
    assert_eq!(answer.headers()["connection"], "close");
    problem(answer, StatusCode::PAYLOAD_TOO_LARGE).await;
    problem(user.get("/12EEQ9CS9K10").await, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn what_is_tried_again_or_given_up_must_be_there() {
    let user = User::new().await;
    let long = format!("/parked/manifestation/{}/redrive", "y".repeat(201));
    problem(user.post(&long).await, StatusCode::BAD_REQUEST).await;
    for path in [
        "/parked/nobody/A/redrive",
        "/parked/manifestation/A/redrive",
    ] {
        problem(user.post(path).await, StatusCode::NOT_FOUND).await;
    }
    let path = "/parked/manifestation/A/discard";
    let discard = async |body: Value| {
        let request = user.ask(Method::POST, path).json(&body);
        request.send().await.unwrap()
    };
    let answer = discard(json!({ "inputId": uuid::Uuid::now_v7() })).await;
    problem(answer, StatusCode::NOT_FOUND).await;
    for body in [
        json!({}),
        json!({ "inputId": 7 }),
        json!({ "inputId": uuid::Uuid::now_v7(), "also": true }),
    ] {
        problem(discard(body).await, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    problem(user.post(path).await, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
}

#[tokio::test]
async fn where_nothing_is_parked_the_list_is_empty() {
    let user = User::new().await;
    for path in ["/parked", "/parked?service=manifestation&limit=1000"] {
        let list = eventually("the list is read", PATIENCE, async || {
            let answer = user.get(path).await;
            answer.status().is_success().then_some(answer)
        });
        let list: Value = list.await.json().await.unwrap();
        assert_eq!(list, json!({ "parked": [] }));
    }
    for (path, status) in [
        ("/parked?service=nobody", StatusCode::NOT_FOUND),
        ("/parked/nobody/A", StatusCode::NOT_FOUND),
        ("/parked/manifestation/A", StatusCode::NOT_FOUND),
        ("/parked/manifestation/A?limit=0", StatusCode::BAD_REQUEST),
        ("/parked/manifestation/%ff", StatusCode::BAD_REQUEST),
        ("/parked?limit=0", StatusCode::BAD_REQUEST),
        ("/parked?limit=1001", StatusCode::BAD_REQUEST),
        ("/parked?limit=many", StatusCode::BAD_REQUEST),
        ("/parked?after=A", StatusCode::BAD_REQUEST),
        ("/parked?before=A", StatusCode::BAD_REQUEST),
    ] {
        problem(user.get(path).await, status).await;
    }
}
