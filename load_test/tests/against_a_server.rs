//! Runs the binary against a small server that answers as the shipment process does.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail it where they stand"
)]

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

/// How the server behaves: given the id and how often it was asked before.
#[derive(Clone, Copy)]
struct Behaviour {
    start: fn(u32) -> StatusCode,
    status: fn(&str, u32) -> &'static str,
    start_takes: Duration,
}

const GOOD: Behaviour = Behaviour {
    start: |_| StatusCode::ACCEPTED,
    status: as_the_id_says,
    start_takes: Duration::ZERO,
};

fn as_the_id_says(id: &str, asked: u32) -> &'static str {
    match (id.chars().last(), asked) {
        (_, 0) => "running",
        (Some('1' | '2'), _) | (Some('3'), 1 | 2) => "failed",
        (_, _) => "completed",
    }
}

struct Server {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    behaviour: Behaviour,
    /// By id: how often it was posted, how often asked for.
    seen: Mutex<HashMap<String, (u32, u32)>>,
    posted: Notify,
}

impl Server {
    async fn start(behaviour: Behaviour) -> Self {
        let shared = Arc::new(Shared {
            behaviour,
            seen: Mutex::default(),
            posted: Notify::new(),
        });
        let router = Router::new()
            .route("/{id}", post(answer_post).get(answer_get))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, shared }
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.shared.seen.lock().unwrap().keys().cloned().collect();
        ids.sort();
        ids
    }

    fn asked(&self) -> u32 {
        let seen = self.shared.seen.lock().unwrap();
        seen.values().map(|&(_, asked)| asked).sum()
    }

    async fn run(&self, options: &str) -> Run {
        run(&self.url, options).await
    }
}

async fn answer_post(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> impl IntoResponse {
    tokio::time::sleep(shared.behaviour.start_takes).await;
    let before = {
        let mut seen = shared.seen.lock().unwrap();
        let (posted, _) = seen.entry(id.clone()).or_default();
        *posted += 1;
        *posted - 1
    };
    shared.posted.notify_one();
    let status = (shared.behaviour.start)(before);
    (status, Json(json!({ "shipmentId": id })))
}

async fn answer_get(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Json<Value> {
    let before = {
        let mut seen = shared.seen.lock().unwrap();
        let (_, asked) = seen.entry(id.clone()).or_default();
        *asked += 1;
        *asked - 1
    };
    let status = (shared.behaviour.status)(&id, before);
    Json(json!({ "shipmentId": id, "status": status, "step": null }))
}

struct Run {
    code: Option<i32>,
    text: String,
    report: Value,
}

impl Run {
    fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}", self.text);
    }
}

fn command(url: &str, options: &str, json: &FilePath) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load_test"));
    command
        .args(["--url", url, "--poll-interval-ms", "5", "--json"])
        .arg(json)
        .args(options.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the binary to its end, on another thread than the server.
async fn run(url: &str, options: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let mut command = command(url, options, &json);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    finished(output, &json)
}

fn finished(output: Output, json: &FilePath) -> Run {
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, "", "stderr, without a terminal, stays empty");
    Run {
        code: output.status.code(),
        text,
        report: serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_which_all_finish_is_all_right() {
    let server = Server::start(GOOD).await;
    let run = server.run("--workers 3 --shipments 50 --delay-ms 2").await;
    run.assert_code(0);
    assert_eq!(server.ids().len(), 150);
    assert!(run.text.ends_with("Result: all right\n"), "{}", run.text);
    assert_eq!(run.report["ok"], true);
    assert_eq!(run.report["ended"], "all_done");
    assert_eq!(run.report["starts"]["accepted"], 150);
    assert_eq!(run.report["starts"]["scheduled_per_second"], 1500.0);
    assert_eq!(run.report["finishes"]["completed"], 150);
    assert!(run.report["finishes"]["per_second"].is_f64());
    assert!(run.report["settings"]["seed"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_outcomes_are_expected_as_the_ids_say() {
    let server = Server::start(GOOD).await;
    let run = server
        .run("--workers 4 --shipments 100 --delay-ms 0 --outcomes mixed --category mixed --seed 5")
        .await;
    run.assert_code(0);
    let ids = server.ids();
    assert!(ids.iter().any(|id| id.ends_with('3')), "{ids:?}");
    let failing = ids.iter().filter(|id| id.ends_with(['1', '2'])).count();
    assert!(failing > 0, "{ids:?}");
    assert_eq!(run.report["finishes"]["failed"], failing);
    assert_eq!(run.report["finishes"]["completed"], 400 - failing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_refused_for_the_moment_is_repeated_with_the_same_id() {
    let server = Server::start(Behaviour {
        start: |before| match before {
            0 => StatusCode::SERVICE_UNAVAILABLE,
            1 => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::ACCEPTED,
        },
        ..GOOD
    })
    .await;
    let run = server.run("--workers 2 --shipments 3 --delay-ms 1").await;
    run.assert_code(0);
    assert_eq!(server.ids().len(), 6);
    assert_eq!(run.report["starts"]["retries"], 12);
    assert_eq!(run.report["starts"]["retries_by_cause"]["status 503"], 6);
    assert_eq!(run.report["starts"]["retries_by_cause"]["status 429"], 6);
    assert_eq!(run.report["starts"]["failed"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_refused_too_often_has_failed() {
    let server = Server::start(Behaviour {
        start: |_| StatusCode::SERVICE_UNAVAILABLE,
        ..GOOD
    })
    .await;
    let run = server
        .run("--workers 2 --shipments 1 --delay-ms 1 --retries 1")
        .await;
    run.assert_code(1);
    assert_eq!(run.report["starts"]["retries"], 2);
    assert_eq!(run.report["starts"]["failed_by_cause"]["status 503"], 2);
    assert_eq!(server.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_refused_for_good_is_not_repeated() {
    let server = Server::start(Behaviour {
        start: |_| StatusCode::BAD_REQUEST,
        ..GOOD
    })
    .await;
    let run = server.run("--workers 2 --shipments 2 --delay-ms 1").await;
    run.assert_code(1);
    assert_eq!(run.report["starts"]["retries"], 0);
    assert_eq!(run.report["starts"]["failed_by_cause"]["status 400"], 4);
    assert!(run.text.contains("4 not accepted"), "{}", run.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_every_start_fails() {
    // Bound, so that no other test gets the port, but nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let run = run(
        &format!("http://{address}"),
        "--workers 2 --shipments 1 --delay-ms 1 --retries 1",
    )
    .await;
    run.assert_code(1);
    assert_eq!(run.report["starts"]["failed_by_cause"]["cannot connect"], 2);
    assert_eq!(
        run.report["starts"]["retries_by_cause"]["cannot connect"],
        2
    );
    assert_eq!(run.report["finishes"]["still_running"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn shipments_that_never_finish_are_given_up_and_counted() {
    let server = Server::start(Behaviour {
        // More than a pass looks at are stuck, and those behind them are still seen.
        status: |id, _| match id.starts_with('1') {
            true => "running",
            false => "completed",
        },
        ..GOOD
    })
    .await;
    let run = server
        .run("--workers 4 --shipments 50 --delay-ms 0 --category mixed --timeout-s 1")
        .await;
    run.assert_code(1);
    let stuck = server.ids().iter().filter(|id| id.starts_with('1')).count();
    assert!(stuck > 50, "{stuck}");
    assert_eq!(run.report["ended"], "timed_out");
    assert_eq!(run.report["finishes"]["still_running"], stuck);
    assert_eq!(run.report["finishes"]["completed"], 200 - stuck);
    assert!(
        run.text.contains("Gave up 1 s after the last start."),
        "{}",
        run.text
    );
    assert!(
        run.text.contains(&format!("{stuck} unfinished")),
        "{}",
        run.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_that_ends_otherwise_than_its_id_says_is_a_fault() {
    let server = Server::start(Behaviour {
        status: |_, _| "failed",
        ..GOOD
    })
    .await;
    let run = server.run("--workers 1 --shipments 3 --delay-ms 1").await;
    run.assert_code(1);
    assert_eq!(run.report["finishes"]["unexpected"], 3);
    assert_eq!(run.report["finishes"]["failed"], 3);
    let mut examples: Vec<String> =
        serde_json::from_value(run.report["finishes"]["examples"].clone()).unwrap();
    examples.sort();
    assert_eq!(examples, server.ids());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_waiting_nobody_is_asked() {
    let server = Server::start(GOOD).await;
    let run = server
        .run("--workers 2 --shipments 5 --delay-ms 1 --no-wait")
        .await;
    run.assert_code(0);
    assert_eq!(server.asked(), 0);
    assert_eq!(run.report["finishes"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_repeats_the_ids() {
    let options = "--workers 3 --shipments 5 --delay-ms 1 --no-wait --seed 42";
    let first = Server::start(GOOD).await;
    first.run(options).await.assert_code(0);
    let second = Server::start(GOOD).await;
    second.run(options).await.assert_code(0);
    assert_eq!(first.ids().len(), 15);
    assert_eq!(first.ids(), second.ids());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_shows_in_the_latency_from_the_intended_time() {
    let server = Server::start(Behaviour {
        start_takes: Duration::from_millis(20),
        ..GOOD
    })
    .await;
    // Due every millisecond, answered every 20: the tenth start is sent about 170 ms late.
    let run = server
        .run("--workers 1 --shipments 10 --delay-ms 1 --no-wait")
        .await;
    run.assert_code(0);
    let of = |field: &str| run.report["starts"][field].clone();
    let from_send = of("latency_from_send_ms")["p50"].as_f64().unwrap();
    let from_intended = of("latency_from_intended_ms")["max"].as_f64().unwrap();
    assert!(from_send >= 20.0, "{from_send}");
    assert!(from_intended >= 150.0, "{from_intended}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_run_early_with_its_report() {
    let server = Server::start(GOOD).await;
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let child = command(
        &server.url,
        "--workers 1 --shipments 2 --delay-ms 60000",
        &json,
    )
    .spawn()
    .unwrap();
    server.shared.posted.notified().await;
    let interrupt = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -INT {}", child.id()))
        .status()
        .unwrap();
    assert!(interrupt.success());
    let output = tokio::task::spawn_blocking(|| child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let run = finished(output, &json);
    run.assert_code(1);
    assert_eq!(run.report["ended"], "interrupted");
    assert!(run.report["starts"]["not_sent"].as_u64().unwrap() >= 1);
    assert!(run.text.contains("Ended early.\n"), "{}", run.text);
}
