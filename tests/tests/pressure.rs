//! More is started than the services can take: starts are refused before much waits, all else is
//! answered, and everything that was accepted completes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use contracts::Partitions;
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use futures::future::join_all;
use host::Settings;
use reqwest::{Method, StatusCode, header};
use runtime::Environment;
use serde_json::{Value, json};
use system_tests::binaries::{PATIENCE, Process, SERVICES, eventually, http_client};
use system_tests::suite::{Suite, embedded, settings_with};
use test_servers::postgres::database;
use test_servers::proxy::Proxy;
use test_servers::rabbitmq::virtual_host;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// How much may wait.
const BOUND: usize = 60;
const MAX_BACKLOG: (&str, &str) = ("shipment_process.max_backlog", "60");

/// Whoever starts one shipment after another.
struct User {
    http: reqwest::Client,
    url: String,
    accepted: Vec<String>,
    sent: usize,
}

impl User {
    fn of(url: String) -> Self {
        Self {
            http: http_client(PATIENCE),
            url,
            accepted: Vec::new(),
            sent: 0,
        }
    }

    async fn ask(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let asked = self.http.request(method, format!("{}{path}", self.url));
        let answer = asked.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Starts another one; why not, when it is refused.
    async fn start(&mut self) -> Result<(), String> {
        self.sent += 1;
        let id = format!("1PRESSURE{}E0", self.sent);
        let start = self.http.post(format!("{}/{id}", self.url));
        let answer = start.send().await.unwrap();
        if answer.status() == StatusCode::ACCEPTED {
            self.accepted.push(id);
            return Ok(());
        }
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        let seconds = answer.headers()[header::RETRY_AFTER].to_str().unwrap();
        assert!((1..=10).contains(&seconds.parse::<u64>().unwrap()));
        let kind = &answer.headers()[header::CONTENT_TYPE];
        assert_eq!(kind, "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(MAX_BACKLOG.0), "{detail}");
        Err(detail.to_owned())
    }

    /// Starts one after another until more waits than may, and not only because of what was started since
    /// somebody looked.
    async fn start_until_there_is_no_room(&mut self) {
        eventually("starts are refused", PATIENCE, async || {
            let detail = self.start().await.err()?;
            let waits = numbers(&detail);
            (waits[0] + waits[1] > BOUND).then_some(())
        })
        .await;
    }

    async fn start_one_when_there_is_room(&mut self) {
        eventually("starts are accepted", PATIENCE, async || {
            self.start().await.ok()
        })
        .await;
    }

    async fn all_else_is_answered(&self) {
        let first = &self.accepted[0];
        let (status, outcome) = self.ask(Method::GET, &format!("/{first}")).await;
        assert_eq!(
            (status, &outcome["status"]),
            (StatusCode::OK, &json!("running"))
        );
        let (status, _) = self.ask(Method::GET, "/shipments/endings").await;
        assert_eq!(status, StatusCode::OK);
        let cancel = format!("/shipments/{first}/cancel");
        let (status, outcome) = self.ask(Method::POST, &cancel).await;
        assert_eq!(status, StatusCode::OK, "{outcome}");
    }

    /// Each that was accepted comes to this end.
    async fn ends(&self, accepted: &[String], end: &str) {
        for id in accepted {
            eventually(&format!("{id} is {end}"), PATIENCE, async || {
                let (_, outcome) = self.ask(Method::GET, &format!("/{id}")).await;
                (outcome["status"] == end).then_some(())
            })
            .await;
        }
    }
}

/// The numbers in a text, in order.
fn numbers(text: &str) -> Vec<usize> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// A service is not there to handle what is sent to it, and comes later.
async fn too_much_is_refused(mut user: User, come: impl AsyncFnOnce()) {
    user.start_until_there_is_no_room().await;
    // Each has led to a message at least.
    let accepted = user.accepted.len();
    assert!(accepted <= BOUND, "{accepted} were accepted");
    user.all_else_is_answered().await;
    assert!(user.start().await.is_err());

    come().await;
    user.start_one_when_there_is_room().await;
    user.ends(&user.accepted[..1], "cancelled").await;
    user.ends(&user.accepted[1..], "completed").await;
}

fn in_memory(settings: &Settings) -> Environment {
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
    embedded(&store, settings)
}

/// Where it answers, and as long as this is kept.
async fn serve(suite: &Suite) -> (String, AbortOnDropHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = axum::serve(listener, suite.routes()).into_future();
    (url, AbortOnDropHandle::new(tokio::spawn(serving)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_embedded_bus_too_much_is_refused_and_what_was_accepted_completes() {
    let settings = settings_with(&[MAX_BACKLOG]);
    let environment = in_memory(&settings);
    let (first, others) = longhaul::SERVICES.split_at(1);
    let suite = Suite::start_some(&environment, &settings, first);
    let (url, _serving) = serve(&suite).await;
    let mut rest = None;
    too_much_is_refused(User::of(url), async || {
        rest = Some(Suite::start_some(&environment, &settings, others));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_starts_one_after_the_other_is_slowed_down_and_not_refused() {
    let settings = settings_with(&[MAX_BACKLOG, ("carrier_stub.delay_ms", "5")]);
    let environment = in_memory(&settings);
    let suite = Suite::start_some(&environment, &settings, &longhaul::SERVICES);
    let (url, _serving) = serve(&suite).await;
    let users = (0..10).map(async |number| {
        let mut user = User::of(url.clone());
        user.sent = number * 100;
        for _ in 0..20 {
            user.start().await.unwrap();
        }
        user
    });
    for user in join_all(users).await {
        user.ends(&user.accepted, "completed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_rabbitmq_too_much_is_refused_and_what_was_accepted_completes() {
    let (database, host) = tokio::join!(database(), virtual_host());
    let url = database.url();
    let settings = [
        ("event_store.postgres.url", &*url),
        ("bus.rabbitmq.url", host.url()),
        ("carrier_stub.delay_ms", "5"),
        MAX_BACKLOG,
    ];
    let [first, others @ ..] = SERVICES;
    let process = Process::start(first, &settings).await;
    let mut rest = Vec::new();
    too_much_is_refused(User::of(process.url("")), async || {
        rest.extend(others.map(|name| Process::spawn(name, &settings)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_refuses_nothing_and_what_waited_for_it_counts_when_it_is_back() {
    let (database, host) = tokio::join!(database(), virtual_host());
    let mut to_broker = Proxy::open(host.url()).await;
    let url = database.url();
    let broker = to_broker.url().to_owned();
    let settings = [
        ("event_store.postgres.url", &*url),
        ("bus.rabbitmq.url", &*broker),
        ("carrier_stub.delay_ms", "5"),
        MAX_BACKLOG,
    ];
    let [first, others @ ..] = SERVICES;
    let process = Process::start(first, &settings).await;
    to_broker.close().await;
    let mut user = User::of(process.url(""));
    for _ in 0..2 * BOUND {
        user.start().await.unwrap();
    }
    to_broker.restore().await;
    user.start_until_there_is_no_room().await;
    let _rest = others.map(|name| Process::spawn(name, &settings));
    user.start_one_when_there_is_room().await;
    user.ends(&user.accepted, "completed").await;
}
