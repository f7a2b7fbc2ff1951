//! Runs the binary against a small server that answers as the shipment process does.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail it where they stand"
)]

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, watch};

/// How the server behaves.
#[derive(Clone, Copy)]
struct Behaviour {
    /// Given how often the shipment was posted before.
    start: fn(u32) -> StatusCode,
    start_takes: Duration,
    /// How long the answer to a start stays away when the shipment has ended.
    answer_takes: Duration,
    /// What the list of endings tells of a shipment that was accepted, in order.
    tells: fn(&str) -> &'static [&'static str],
    /// What is answered to whoever asks for the shipment itself.
    status: fn(&str) -> &'static str,
    /// Given how often the list was asked for before.
    list: fn(u32) -> StatusCode,
}

const GOOD: Behaviour = Behaviour {
    start: |_| StatusCode::ACCEPTED,
    start_takes: Duration::ZERO,
    answer_takes: Duration::ZERO,
    tells: as_the_id_says,
    status: |_| "running",
    list: |_| StatusCode::OK,
};

fn as_the_id_says(id: &str) -> &'static [&'static str] {
    match id.chars().last() {
        Some('1' | '2') => &["failed"],
        Some('3') => &["failed", "completed"],
        _ => &["completed"],
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
    told: watch::Sender<Vec<(String, &'static str)>>,
    listed: AtomicU32,
}

impl Server {
    async fn start(behaviour: Behaviour) -> Self {
        let shared = Arc::new(Shared {
            behaviour,
            seen: Mutex::default(),
            posted: Notify::new(),
            told: watch::Sender::new(Vec::new()),
            listed: AtomicU32::new(0),
        });
        let router = Router::new()
            .route("/{id}", post(answer_post))
            .route("/shipments/endings", get(answer_list))
            .route("/shipments/{id}", get(answer_get))
            .route("/api/queues/{vhost}", get(answer_queues))
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
    if status == StatusCode::ACCEPTED {
        let ends = (shared.behaviour.tells)(&id).iter();
        let ends = ends.map(|end| (id.clone(), *end));
        shared.told.send_modify(|told| told.extend(ends));
    }
    tokio::time::sleep(shared.behaviour.answer_takes).await;
    (status, Json(json!({ "shipmentId": id })))
}

async fn answer_get(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Json<Value> {
    shared.seen.lock().unwrap().entry(id.clone()).or_default().1 += 1;
    let status = (shared.behaviour.status)(&id);
    Json(json!({ "shipmentId": id, "status": status }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    after: String,
    limit: usize,
    wait_ms: u64,
}

async fn answer_list(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
) -> (StatusCode, Json<Value>) {
    let status = (shared.behaviour.list)(shared.listed.fetch_add(1, Ordering::Relaxed));
    if status != StatusCode::OK {
        return (status, Json(json!({})));
    }
    let mut told = shared.told.subscribe();
    let after = match asked.after.as_str() {
        "now" => told.borrow().len(),
        number => number.parse().unwrap(),
    };
    let wait = Duration::from_millis(asked.wait_ms);
    let more = told.wait_for(|told| told.len() > after);
    tokio::time::timeout(wait, more).await.ok();
    let told = shared.told.borrow();
    // One that nobody here has started is told as well.
    let others =
        json!({ "shipmentId": "OTHER", "status": "failed", "endedAt": "2024-05-26T10:00:00Z" });
    let behind = told.iter().skip(after).take(asked.limit);
    let next = after + behind.len();
    let told = behind.map(|(id, status)| json!({ "shipmentId": id, "status": status }));
    let endings: Vec<_> = told.chain([others]).collect();
    (
        status,
        Json(json!({ "endings": endings, "next": next.to_string() })),
    )
}

async fn answer_queues(headers: HeaderMap, Path(vhost): Path<String>) -> Json<Value> {
    assert_eq!(headers["authorization"], "Basic Z3Vlc3Q6c2VjcmV0");
    assert_eq!(vhost, "/");
    Json(json!([{ "messages": 3 }, { "messages": 4 }, {}]))
}

struct Run {
    code: Option<i32>,
    text: String,
    errors: String,
    /// `null` where none was written.
    report: Value,
    page: String,
}

impl Run {
    fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}{}", self.text, self.errors);
    }
}

fn command(url: &str, options: &str, folder: &FilePath) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load_test"));
    command
        .args(["--url", url, "--json"])
        .arg(folder.join("report.json"))
        .arg("--html")
        .arg(folder.join("report.html"))
        .args(options.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the binary to its end, on another thread than the server.
async fn run(url: &str, options: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(url, options, folder.path());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    finished(output, folder.path())
}

fn finished(output: Output, folder: &FilePath) -> Run {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let report = std::fs::read(folder.join("report.json")).unwrap_or(b"null".to_vec());
    Run {
        code: output.status.code(),
        text: text(output.stdout),
        errors: text(output.stderr),
        report: serde_json::from_slice(&report).unwrap(),
        page: std::fs::read_to_string(folder.join("report.html")).unwrap_or_default(),
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
    assert!(run.report["finishes"]["time_to_finish_ms"]["p99_9"].is_f64());
    // All were told of, so none was asked for.
    assert_eq!(run.report["finishes"]["asked"], 0);
    assert_eq!(server.asked(), 0);
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
async fn where_there_is_too_much_of_an_open_loop_what_was_accepted_counts() {
    let server = Server::start(Behaviour {
        start: |_| StatusCode::TOO_MANY_REQUESTS,
        ..GOOD
    })
    .await;
    let options = "--workers 2 --shipments 1 --retries 1";
    let open = server.run(&format!("{options} --rate 100")).await;
    open.assert_code(0);
    assert_eq!(open.report["starts"]["refused_by_cause"]["status 429"], 2);
    assert_eq!(open.report["starts"]["retries"], 2);
    assert_eq!(open.report["starts"]["failed"], 0);
    assert_eq!(open.report["starts"]["not_sent"], 0);
    let says = "Result: all right with what was accepted\n";
    assert!(open.text.ends_with(says), "{}", open.text);
    assert!(open.page.contains("2 starts were refused"), "{}", open.page);

    let closed = server.run(&format!("{options} --delay-ms 1")).await;
    closed.assert_code(1);
    assert!(closed.text.contains("2 refused"), "{}", closed.text);
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
        "--workers 2 --shipments 1 --delay-ms 1 --retries 1 --no-wait",
    )
    .await;
    run.assert_code(1);
    assert_eq!(run.report["starts"]["failed_by_cause"]["cannot connect"], 2);
    assert_eq!(
        run.report["starts"]["retries_by_cause"]["cannot connect"],
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_list_of_endings_is_not_told_nothing_is_started() {
    for (behaviour, cause) in [
        (
            Behaviour {
                list: |_| StatusCode::NOT_FOUND,
                ..GOOD
            },
            "status 404",
        ),
        (
            Behaviour {
                list: |_| StatusCode::SERVICE_UNAVAILABLE,
                ..GOOD
            },
            "status 503",
        ),
    ] {
        let server = Server::start(behaviour).await;
        let run = server.run("--workers 1 --shipments 1 --retries 1").await;
        run.assert_code(1);
        assert!(run.errors.contains("nothing was started"), "{}", run.errors);
        assert!(run.errors.contains(cause), "{}", run.errors);
        assert!(server.ids().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_refused_for_the_moment_is_asked_for_again_and_nothing_is_missed() {
    let server = Server::start(Behaviour {
        list: |before| match before {
            0 | 2 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        },
        ..GOOD
    })
    .await;
    let run = server.run("--workers 2 --shipments 5 --delay-ms 1").await;
    run.assert_code(0);
    assert_eq!(run.report["finishes"]["completed"], 10);
    assert_eq!(
        run.report["finishes"]["list_errors_by_cause"]["status 503"],
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shipments_that_are_never_told_of_are_asked_for_once_and_counted_as_what_they_are() {
    let server = Server::start(Behaviour {
        tells: |id| match id.starts_with('1') {
            true => &[],
            false => &["completed"],
        },
        // The first character but one says what becomes of those.
        status: |id| match id.as_bytes()[1].is_ascii_digit() {
            true => "completed",
            false => "running",
        },
        ..GOOD
    })
    .await;
    let run = server
        .run("--workers 4 --shipments 50 --delay-ms 0 --category mixed --timeout-s 1")
        .await;
    run.assert_code(1);
    let ids = server.ids();
    let silent: Vec<_> = ids.iter().filter(|id| id.starts_with('1')).collect();
    let ended = silent.iter().filter(|id| id.as_bytes()[1].is_ascii_digit());
    let ended = ended.count();
    let stuck = silent.len() - ended;
    assert!(ended > 0 && stuck > 0, "{ids:?}");
    assert_eq!(server.asked() as usize, silent.len());
    let finishes = &run.report["finishes"];
    assert_eq!(run.report["ended"], "timed_out");
    assert_eq!(finishes["asked"], silent.len());
    assert_eq!(finishes["still_running"], stuck);
    assert_eq!(finishes["not_told"], ended);
    assert_eq!(finishes["completed"], 200 - stuck);
    for says in [
        "Gave up 1 s after the last start.".to_owned(),
        format!("{stuck} unfinished"),
        format!("{ended} ended without being told"),
    ] {
        assert!(run.text.contains(&says), "{}", run.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_that_ends_otherwise_than_its_id_says_is_a_fault() {
    let server = Server::start(Behaviour {
        tells: |_| &["failed"],
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
    assert_eq!(server.shared.listed.load(Ordering::Relaxed), 0);
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

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_does_not_wait_for_answers_and_keeps_to_its_times() {
    let server = Server::start(Behaviour {
        start_takes: Duration::from_millis(300),
        ..GOOD
    })
    .await;
    // One worker that waited would take 50 times 300 ms.
    let run = server.run("--workers 1 --rate 50 --duration-s 1").await;
    run.assert_code(0);
    assert_eq!(server.ids().len(), 50);
    assert_eq!(run.report["starts"]["scheduled_per_second"], 50.0);
    assert!(run.text.contains("50 shipments/s for 1 s"), "{}", run.text);
    let elapsed = run.report["starts"]["elapsed_s"].as_f64().unwrap();
    assert!((1.2..8.0).contains(&elapsed), "{elapsed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_a_schedule_that_contradict_each_other_are_refused() {
    for options in [
        "--rate 5 --delay-ms 3",
        "--duration-s 5",
        "--rate 5 --duration-s 5 --shipments 7",
        "--rate 0",
        "--rate nan",
    ] {
        let run = run("http://127.0.0.1:1", options).await;
        assert_eq!(run.code, Some(2), "{options}: {}", run.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_progress_is_told_in_lines() {
    let server = Server::start(GOOD).await;
    let run = server.run("--workers 1 --shipments 4 --delay-ms 1").await;
    run.assert_code(0);
    let last = run.errors.lines().last().unwrap();
    assert!(last.ends_with("s: 4 of 4 started, 4 finished"), "{last}");
    assert!(
        run.errors
            .lines()
            .all(|line| line.starts_with("load_test: ")),
        "{}",
        run.errors
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_to_have_ended_before_the_start_is_answered_has_finished() {
    let server = Server::start(Behaviour {
        answer_takes: Duration::from_millis(300),
        ..GOOD
    })
    .await;
    let run = server.run("--workers 1 --shipments 4 --delay-ms 1").await;
    run.assert_code(0);
    assert_eq!(run.report["finishes"]["completed"], 4);
    let last = run.errors.lines().last().unwrap();
    assert!(last.ends_with("s: 4 of 4 started, 4 finished"), "{last}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_report_has_what_happened_in_each_second_and_what_was_seen_from_outside() {
    let server = Server::start(GOOD).await;
    let broker = server.url.replace("http://", "http://guest:secret@");
    let own = std::process::id();
    let options = format!(
        "--rate 10 --duration-s 2 --rabbitmq-management-url {broker} --rabbitmq-vhost / \
         --process {own} --process nobody_is_called_so --token never-for-the-broker"
    );
    let run = server.run(&options).await;
    run.assert_code(0);
    let seconds = run.report["seconds"].as_array().unwrap();
    let sum = |name: &str| {
        seconds
            .iter()
            .map(|second| second[name].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((sum("started"), sum("finished")), (20, 20));
    assert!(seconds[0]["p50_ms"].as_f64() <= seconds[0]["p99_ms"].as_f64());
    let sample = &run.report["samples"]["seen"][0];
    assert_eq!(sample["queued"], 7);
    let memory = sample["memory"].as_object().unwrap();
    assert!(
        memory
            .keys()
            .any(|name| name.ends_with(&format!("({own})"))),
        "{sample}"
    );
    assert!(
        memory.values().all(|bytes| bytes.as_u64() > Some(100_000)),
        "{sample}"
    );
    let said = "Left out: memory of nobody_is_called_so: there is no such process";
    assert!(run.text.contains(said), "{}", run.text);
    for title in [
        "Throughput",
        "Latency, from start to end",
        "Queue depth",
        "Memory",
    ] {
        assert!(run.page.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
    for secret in ["secret", "never-for-the-broker"] {
        let all = format!("{}{}{}{}", run.text, run.errors, run.report, run.page);
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_needs_nothing_else_and_leaves_out_what_was_not_measured() {
    let server = Server::start(GOOD).await;
    let run = server.run("--workers 1 --shipments 3 --delay-ms 1").await;
    run.assert_code(0);
    let page = &run.page;
    for part in [
        "<script", "<link", "<img", "@import", "url(", "src=", "href=", "NaN", "inf",
    ] {
        assert!(!page.contains(part), "{part} is in {page}");
    }
    // The only address is that of the service, as text.
    assert_eq!(
        page.matches("http").count(),
        page.matches(&server.url).count()
    );
    assert!(
        page.contains("every shipment ended as its id says"),
        "{page}"
    );
    assert!(
        page.contains("no --rabbitmq-management-url was given"),
        "{page}"
    );
    assert!(
        !page.contains("<h2>Queue depth</h2>") && !page.contains("<h2>Memory</h2>"),
        "{page}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_run_early_with_its_report() {
    let server = Server::start(GOOD).await;
    let folder = tempfile::tempdir().unwrap();
    let child = command(
        &server.url,
        "--workers 1 --shipments 2 --delay-ms 60000",
        folder.path(),
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
    let run = finished(output, folder.path());
    run.assert_code(1);
    assert_eq!(run.report["ended"], "interrupted");
    assert!(run.report["starts"]["not_sent"].as_u64().unwrap() >= 1);
    assert!(run.text.contains("Ended early.\n"), "{}", run.text);
}
