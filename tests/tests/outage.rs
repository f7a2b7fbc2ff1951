//! The database, the broker, or both are away for a while: the services live, say that they are not
//! ready, take in only what they can keep, and go on by themselves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use system_tests::binaries::{PATIENCE, Process, SERVICES, eventually};
use system_tests::client::Client;
use system_tests::completeness;
use system_tests::history::Log;
use test_servers::postgres::{TestDatabase, database};
use test_servers::proxy::Proxy;
use test_servers::rabbitmq::{VirtualHost, virtual_host};
use tokio::time::Instant;

/// How soon they go on once a server is back.
const SOON: Duration = Duration::from_secs(10);

/// How soon they say whether they are ready, whatever has happened.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// How soon a server that hangs is missed: before a connection to it breaks off.
const MISSED_WITHIN: Duration = Duration::from_secs(6);

/// For how long a server is away. It is what is tested and not what something waits for: longer than a
/// request waits, and than any pause between two attempts. `LONGHAUL_TEST_OUTAGE_SECONDS` sets another, for
/// a trial by hand.
fn outage() -> Duration {
    let seconds = std::env::var("LONGHAUL_TEST_OUTAGE_SECONDS");
    Duration::from_secs(seconds.map_or(8, |seconds| seconds.parse().unwrap()))
}

/// The four services, each server by a way that can be cut.
struct Suite {
    processes: Vec<Process>,
    to_database: Proxy,
    to_broker: Proxy,
    database: TestDatabase,
    _host: VirtualHost,
}

impl Suite {
    async fn start() -> Self {
        let (database, host) = tokio::join!(database(), virtual_host());
        let to_database = Proxy::open(&database.url()).await;
        let to_broker = Proxy::open(host.url()).await;
        let settings = [
            ("event_store.postgres.url", to_database.url()),
            ("bus.rabbitmq.url", to_broker.url()),
            ("carrier_stub.delay_ms", "50"),
            ("carrier_stub.books_late_after_ms", "200"),
            ("http.request_timeout_ms", "3000"),
        ];
        let mut processes: Vec<_> = SERVICES.map(|name| Process::spawn(name, &settings)).into();
        for process in &mut processes {
            process.ready().await;
        }
        Self {
            processes,
            to_database,
            to_broker,
            database,
            _host: host,
        }
    }

    fn client(&self) -> Client {
        Client::of(&[self.processes[0].url("")])
    }

    /// Lets the database take nothing more, or again, from every connection.
    async fn read_only(&self, read_only: bool) {
        let mut connection = PgConnection::connect(&self.database.url()).await.unwrap();
        let change = format!(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = {read_only}',
                current_database()); end $$"
        );
        const RECONNECT: &str = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        for statement in [
            "set default_transaction_read_only = false",
            &change,
            RECONNECT,
        ] {
            let done = sqlx::raw_sql(statement).execute(&mut connection).await;
            done.unwrap();
        }
        connection.close().await.unwrap();
    }

    async fn get(&self, process: &Process, path: &str) -> (StatusCode, Value) {
        let answer = process.client().get(process.url(path)).send().await;
        let answer = answer.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// All live, and none is ready, for this reason.
    async fn not_ready(&self, why: &str) {
        join_all(self.processes.iter().map(async |process| {
            let (status, _) = self.get(process, "/health/live").await;
            assert_eq!(status, StatusCode::OK, "{}", process.name());
            // Of two that go, the one may be missed before the other is.
            let what = format!("{} says that it is not ready: {why}", process.name());
            eventually(&what, PATIENCE, async || {
                let asked = Instant::now();
                let (status, problem) = self.get(process, "/health/ready").await;
                assert!(asked.elapsed() < ANSWERS_WITHIN, "{:?}", asked.elapsed());
                let says = problem["detail"]
                    .as_str()
                    .is_some_and(|said| said.contains(why));
                (status == StatusCode::SERVICE_UNAVAILABLE && says).then_some(())
            })
            .await;
        }))
        .await;
    }

    /// All are ready again, soon enough.
    async fn ready_soon(&mut self) {
        let back = Instant::now();
        for process in &mut self.processes {
            process.ready().await;
        }
        assert!(back.elapsed() < SOON, "ready after {:?}", back.elapsed());
    }

    /// Everything has ended as it must, soon after a server is back, and nothing was done twice.
    async fn complete(&mut self, client: &Client, ids: &[String]) {
        client.finished(ids, SOON).await;
        self.processes.iter().for_each(Process::ask_to_stop);
        for process in &mut self.processes {
            let status = process.ended(PATIENCE).await;
            assert!(status.success(), "{}: {status}", process.name());
        }
        let log = Log::Database(self.database.url());
        completeness::assert_complete(&log.entries().await, ids.iter().map(String::as_str));
    }
}

fn ids(wave: &str) -> Vec<String> {
    let id = |nth: usize| {
        format!(
            "{}{wave}N{nth}E{}",
            if nth < 4 { "1" } else { "V" },
            nth % 4
        )
    };
    (0..8).map(id).collect()
}

#[tokio::test]
async fn without_the_database_nothing_is_accepted_and_all_goes_on_when_it_is_back() {
    let mut suite = Suite::start().await;
    let client = suite.client();
    let before = ids("BEFORE");
    client.start_all(&before).await;
    suite.to_database.close().await;
    suite.not_ready("the event store").await;

    // Whoever starts a shipment is told to come again.
    let service = &suite.processes[0];
    let start = service.client().post(service.url("/1REFUSED0"));
    let asked = Instant::now();
    let answer = start.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = answer.headers()["retry-after"].to_str().unwrap();
    assert!(retry_after.parse::<u32>().is_ok(), "{retry_after}");
    assert!(asked.elapsed() < Duration::from_secs(8));

    tokio::time::sleep(outage()).await;
    suite.to_database.restore().await;
    suite.ready_soon().await;
    let mut all = before;
    // What was refused may be stored all the same: only its answer says that it is.
    all.extend(["1REFUSED0".to_owned()]);
    client.start_all(&["1REFUSED0".to_owned()]).await;
    suite.complete(&client, &all).await;
}

#[tokio::test]
async fn without_the_broker_starts_are_kept_and_all_goes_on_when_it_is_back() {
    let mut suite = Suite::start().await;
    let client = suite.client();
    let mut all = ids("BEFORE");
    client.start_all(&all).await;
    suite.to_broker.close().await;
    suite.not_ready("the message bus").await;
    // They are durable: the database has them.
    let during = ids("DURING");
    client.start_all(&during).await;
    all.extend(during);

    tokio::time::sleep(outage()).await;
    suite.to_broker.restore().await;
    suite.ready_soon().await;
    suite.complete(&client, &all).await;
}

#[tokio::test]
async fn with_neither_they_wait_for_both() {
    let mut suite = Suite::start().await;
    let client = suite.client();
    let all = ids("BEFORE");
    client.start_all(&all).await;
    suite.to_database.close().await;
    suite.to_broker.close().await;
    suite.not_ready("the event store and the message bus").await;
    tokio::time::sleep(outage()).await;
    // First the one, and later the other.
    suite.to_broker.restore().await;
    suite.not_ready("the event store").await;
    suite.to_database.restore().await;
    suite.ready_soon().await;
    suite.complete(&client, &all).await;
}

/// Nothing is refused and nothing breaks off, but nobody answers: as when a machine hangs.
#[tokio::test]
async fn servers_that_hang_are_missed_soon_and_all_goes_on_when_they_answer_again() {
    let mut suite = Suite::start().await;
    let client = suite.client();
    let all = ids("HANGING");
    client.start_all(&all).await;
    suite.to_broker.hold();
    let held = Instant::now();
    suite.not_ready("the message bus").await;
    assert!(held.elapsed() < MISSED_WITHIN, "{:?}", held.elapsed());
    suite.to_broker.release();
    suite.ready_soon().await;
    suite.to_database.hold();
    let held = Instant::now();
    suite.not_ready("the event store").await;
    assert!(held.elapsed() < MISSED_WITHIN, "{:?}", held.elapsed());
    suite.to_database.release();
    suite.ready_soon().await;
    suite.complete(&client, &all).await;
}

/// The database answers, and takes nothing: as when its disk is full.
#[tokio::test]
async fn a_database_that_only_reads_makes_the_services_not_ready_until_it_writes_again() {
    let mut suite = Suite::start().await;
    let client = suite.client();
    let all = ids("READONLY");
    suite.read_only(true).await;
    let starting = client.start_all(&all);
    let meanwhile = async {
        let process = &suite.processes[0];
        eventually("it says that nothing is taken", PATIENCE, async || {
            let (_, problem) = suite.get(process, "/health/ready").await;
            let detail = problem["detail"].as_str()?;
            detail.contains("does not take").then_some(())
        })
        .await;
        suite.read_only(false).await;
    };
    tokio::join!(starting, meanwhile);
    suite.ready_soon().await;
    suite.complete(&client, &all).await;
}
