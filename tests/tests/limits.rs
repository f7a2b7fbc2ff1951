//! The bounds of what one request, and all of them together, may take.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use contracts::{MessageId, Partitions};
use event_store::EventStore;
use event_store_sqlite::SqliteEventStore;
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use system_tests::binaries::{PATIENCE, Process, eventually, http_client};
use system_tests::parked::{garbage, parking};

async fn in_memory(settings: &[(&str, &str)]) -> Process {
    let settings = [&[("event_store.adapter", "memory")], settings].concat();
    Process::start("longhaul", &settings).await
}

fn connect(process: &Process) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", process.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The head of a request whose body has ten bytes.
const HEAD: &[u8] = b"POST /12EEQ9CS9K10 HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\n";

/// All that comes until the connection is closed.
fn until_closed(mut stream: TcpStream) -> String {
    let mut all = String::new();
    match stream.read_to_string(&mut all) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_as_many_are_under_way_as_may_be_the_next_is_sent_away_and_health_is_not() {
    let longhaul = in_memory(&[("http.max_requests", "2")]).await;
    let http = http_client(PATIENCE);
    let mut open = [connect(&longhaul), connect(&longhaul)];
    for stream in &mut open {
        stream.write_all(HEAD).unwrap();
    }
    let url = longhaul.url("/12EEQ9CS9K11");
    let refused = eventually("both places are taken", PATIENCE, async || {
        let answer = http.get(&url).send().await.unwrap();
        (answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    })
    .await;
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert_eq!(
        refused.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["status"], 429);
    for path in ["/health/live", "/health/ready"] {
        let answer = http.get(longhaul.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }

    // One of them comes to its end, and the other is cut off: their places are free again.
    let [mut first, second] = open;
    first.write_all(b"0123456789").unwrap();
    drop(second);
    let starts = eventually("the places are free", PATIENCE, async || {
        let both = tokio::join!(http.get(&url).send(), http.get(&url).send());
        let free = [both.0.unwrap(), both.1.unwrap()]
            .iter()
            .all(|answer| answer.status() == StatusCode::NOT_FOUND);
        free.then_some(())
    });
    starts.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_send_a_request_to_its_end_is_cut_off() {
    let longhaul = in_memory(&[("http.receive_timeout_ms", "300")]).await;
    // Nothing at all, and half a head.
    for beginning in [&b""[..], b"GET /12EEQ9CS9K10 HTTP/1.1\r\nhost: he"] {
        let mut stream = connect(&longhaul);
        stream.write_all(beginning).unwrap();
        let answer = until_closed(stream);
        assert!(!answer.contains("200"), "{answer}");
    }
    // Half a body.
    let mut stream = connect(&longhaul);
    stream.write_all(HEAD).unwrap();
    stream.write_all(b"01234").unwrap();
    let answer = until_closed(stream).to_lowercase();
    assert!(answer.starts_with("http/1.1 408 "), "{answer}");
    assert!(
        answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    // Whoever was quick before has nothing to do with it.
    let http = http_client(PATIENCE);
    let answer = http.post(longhaul.url("/12EEQ9CS9K10")).send();
    assert_eq!(answer.await.unwrap().status(), StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_a_byte_now_and_then_is_cut_off_as_well() {
    let longhaul = in_memory(&[("http.receive_timeout_ms", "300")]).await;
    let drips = |head: &'static [u8]| {
        let mut stream = connect(&longhaul);
        stream.write_all(head).unwrap();
        stream.set_nonblocking(true).unwrap();
        async move {
            let mut answer = Vec::new();
            eventually("it is cut off", PATIENCE, async || {
                let gone = stream.write_all(b"x").is_err();
                match stream.read_to_end(&mut answer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && !gone => None,
                    Ok(_) | Err(_) => Some(()),
                }
            })
            .await;
        }
    };
    drips(b"GET /12EEQ9CS9K10 HTTP/1.1\r\nx-name: ").await;
    drips(b"POST /12EEQ9CS9K10 HTTP/1.1\r\nhost: here\r\ncontent-length: 100000\r\n\r\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_takes_longer_than_may_be_is_answered_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("longhaul.db");
    let settings = event_store_sqlite::Settings { path: path.clone() };
    let store = SqliteEventStore::open(&settings, Partitions::default()).await;
    let store = store.unwrap();
    store
        .append(&[parking("12given0", &garbage())])
        .await
        .unwrap();
    drop(store);
    let longhaul = Process::start(
        "longhaul",
        &[
            ("event_store.sqlite.path", path.to_str().unwrap()),
            ("http.request_timeout_ms", "300"),
            ("http.longest_request_ms", "300"),
        ],
    )
    .await;

    // Somebody else writes, and does not come to an end.
    let options = SqliteConnectOptions::new().filename(&path);
    let mut writer = options
        .busy_timeout(Duration::from_secs(20))
        .connect()
        .await
        .unwrap();
    let hold = sqlx::raw_sql("begin immediate");
    hold.execute(&mut writer).await.unwrap();
    let parked = longhaul.url("/parked/shipment-process/12given0");
    let discard = format!("{parked}/discard");
    let body = json!({ "inputId": MessageId::derive(&["input", "12given0"]) });
    let http = http_client(PATIENCE);
    let answer = http.post(&discard).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));

    let release = sqlx::raw_sql("rollback");
    release.execute(&mut writer).await.unwrap();
    writer.close().await.unwrap();
    // What was asked is done, though nobody waited for it.
    eventually("it is given up", PATIENCE, async || {
        let answer = http.get(&parked).send().await.unwrap();
        (answer.status() == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}
