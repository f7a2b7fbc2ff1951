//! The four services on EventStoreDB and RabbitMQ, and all in one on EventStoreDB alone: what holds on
//! PostgreSQL holds here. Over the double; those that do nothing to the server itself also run over a real
//! one, with `ESDB_TEST_URL`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use eventstoredb_double::{Double, TestServer, server};
use sqlx::{Connection, PgConnection};
use system_tests::binaries::{PATIENCE, Process, SERVICES, eventually, free_port};
use system_tests::client::Client;
use system_tests::completeness::assert_complete;
use system_tests::examples::IDS;
use system_tests::history::{self, Log};
use tempfile::TempDir;
use test_servers::postgres::database;
use test_servers::rabbitmq::{VirtualHost, virtual_host};

/// How long the shipments may take to end, on a busy machine.
const LIMIT: Duration = Duration::from_secs(45);

/// How soon a service goes on after its server is back.
const SOON: Duration = Duration::from_secs(10);

/// Services that run on a server of EventStoreDB.
struct Suite {
    // Dropped in this order: the services before the servers.
    processes: Vec<Process>,
    settings: Vec<(&'static str, String)>,
    folder: TempDir,
    log: Log,
    _host: Option<VirtualHost>,
    server: TestServer,
}

/// What a service on this server is set to.
fn settings(server: &TestServer, prefix: &str) -> Vec<(&'static str, String)> {
    let settings = [
        ("event_store.adapter", "eventstoredb"),
        (
            "event_store.eventstoredb.connection_string",
            &*server.connection_string(),
        ),
        ("event_store.eventstoredb.stream_prefix", prefix),
        ("event_store.eventstoredb.timeout_ms", "2000"),
        ("carrier_stub.delay_ms", "100"),
        ("carrier_stub.books_late_after_ms", "300"),
    ];
    settings
        .map(|(key, value)| (key, value.to_owned()))
        .to_vec()
}

impl Suite {
    /// The four services, with RabbitMQ.
    async fn four(server: TestServer) -> Self {
        let host = virtual_host().await;
        let mut suite = Self::none(server);
        let bus = ("bus.rabbitmq.url", host.url().to_owned());
        suite.settings.push(bus);
        suite._host = Some(host);
        for name in SERVICES {
            suite.spawn(name);
        }
        suite.ready().await;
        suite
    }

    /// All services in one process.
    async fn one(server: TestServer, more: &[(&'static str, &str)]) -> Self {
        let mut suite = Self::none(server);
        suite
            .settings
            .extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
        suite.spawn("longhaul");
        suite.ready().await;
        suite
    }

    fn none(server: TestServer) -> Self {
        let prefix = server.unique("system");
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&server, &prefix);
        let file = folder.path().join("projections.db");
        settings.push(("projections.sqlite.path", file.display().to_string()));
        Self {
            processes: Vec::new(),
            settings,
            folder,
            log: Log::EventStoreDb {
                connection_string: server.connection_string(),
                prefix,
            },
            _host: None,
            server,
        }
    }

    fn spawn(&mut self, name: &str) {
        let settings = self.settings.iter();
        let settings: Vec<_> = settings
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        self.processes.push(Process::spawn(name, &settings));
    }

    async fn ready(&mut self) {
        for process in &mut self.processes {
            process.ready().await;
        }
    }

    fn client(&self) -> Client {
        Client::of(&[self.processes[0].url("")])
    }

    fn double(&self) -> &Double {
        self.server.double().unwrap()
    }

    /// The files of the projections.
    fn projections(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Waits until every service answers this when it is asked whether it is ready.
    async fn all_answer(&self, status: u16, limit: Duration) {
        for process in &self.processes {
            let url = process.url("/health/ready");
            let what = format!("{} answers {status}", process.name());
            eventually(&what, limit, async || {
                let answer = reqwest::get(&url).await.ok()?;
                (answer.status() == status).then_some(())
            })
            .await;
        }
    }

    async fn more_stored(&self, before: i64, more: i64) {
        let what = format!("{more} more entries are stored");
        eventually(&what, PATIENCE, async || {
            (self.log.count().await >= before + more).then_some(())
        })
        .await;
    }

    /// Waits for the end of all, stops the services, and checks the outcomes and the whole log.
    async fn check_all(&mut self, ids: &[String]) {
        self.client().finished(ids, LIMIT).await;
        self.processes.iter().for_each(Process::ask_to_stop);
        for process in &mut self.processes {
            let status = process.ended(PATIENCE).await;
            assert!(status.success(), "{}: {status}", process.name());
        }
        let entries = self.log.entries().await;
        assert_complete(&entries, ids.iter().map(String::as_str));
    }
}

/// So many ids, domestic and international in turn, with all four endings.
fn ids(wave: usize, count: usize) -> Vec<String> {
    let id = |nth: usize| {
        let country = if nth.is_multiple_of(2) { "1" } else { "V" };
        format!("{country}W{wave}N{nth}E{}", nth / 2 % 4)
    };
    (0..count).map(id).collect()
}

fn examples() -> Vec<String> {
    IDS.map(str::to_owned).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_example_ends_as_its_id_says_over_four_services() {
    let mut suite = Suite::four(server().await).await;
    suite.client().start_all(&examples()).await;
    suite.check_all(&examples()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_example_ends_as_its_id_says_in_one_process() {
    let mut suite = Suite::one(server().await, &[]).await;
    suite.client().start_all(&examples()).await;
    suite.check_all(&examples()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_go_on_whichever_of_them_is_killed() {
    let mut suite = Suite::four(server().await).await;
    let client = suite.client();
    let mut all = Vec::new();
    let rounds: [(&[usize], i64); 4] =
        [(&[0], 5), (&[1, 2], 100), (&[3], 90), (&[0, 1, 2, 3], 120)];
    for (wave, (victims, more)) in rounds.into_iter().enumerate() {
        let before = suite.log.count().await;
        let wave = ids(wave, 8);
        all.extend(wave.clone());
        let kill = async {
            suite.more_stored(before, more).await;
            for victim in victims {
                suite.processes[*victim].kill9();
                suite.processes[*victim].launch();
            }
            suite.ready().await;
        };
        tokio::join!(client.start_all(&wave), kill);
    }
    suite.check_all(&all).await;
}

/// The server goes, and comes back; the services stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_and_is_met_again_soon() {
    let mut suite = Suite::four(TestServer::Double(Double::start().await)).await;
    let client = suite.client();
    let mut all = Vec::new();
    for (wave, more) in [10, 90, 180].into_iter().enumerate() {
        let before = suite.log.count().await;
        let probe = [format!("1AFTER{wave}E0")];
        let wave = ids(wave, 8);
        all.extend(wave.iter().chain(&probe).cloned());
        let kill = async {
            suite.more_stored(before, more).await;
            suite.double().stop().await;
            suite.all_answer(503, PATIENCE).await;
            suite.double().start_again().await;
            suite.all_answer(200, SOON).await;
            // And goes on.
            client.start_all(&probe).await;
            client.finished(&probe, SOON).await;
        };
        tokio::join!(client.start_all(&wave), kill);
    }
    suite.check_all(&all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_server_does_with_an_append_it_is_stored_once() {
    let mut suite = Suite::four(TestServer::Double(Double::start().await)).await;
    let client = suite.client();
    let mut all = Vec::new();
    for wave in 0..4 {
        let before = suite.log.count().await;
        let stalls = wave == 2;
        let wave = ids(wave, 8);
        all.extend(wave.clone());
        let disturb = async {
            for more in [5, 40, 90] {
                suite.more_stored(before, more).await;
                suite.double().drop_after_commit(2);
                suite.double().drop_before_commit(2);
                suite.double().time_out_after_commit(2);
            }
            if stalls {
                suite.double().stall();
                // Until the services have given up waiting.
                suite.all_answer(503, PATIENCE).await;
                suite.double().resume();
            }
        };
        tokio::join!(client.start_all(&wave), disturb);
    }
    suite.check_all(&all).await;
}

/// A deadline that was set before is met all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_that_is_deleted_is_rebuilt() {
    let late = [("carrier_stub.books_late_after_ms", "3000")];
    let mut suite = Suite::one(server().await, &late).await;
    let client = suite.client();
    let ids: Vec<String> = ["1LATE3", "VLATE3"].map(str::to_owned).to_vec();
    client.start_all(&ids).await;
    eventually("both wait for the late booking", PATIENCE, async || {
        let entries = suite.log.entries().await;
        let failed = |e: &&history::Stored| e.type_name == "ShipmentProcessFailed";
        (entries.iter().filter(failed).count() == 2).then_some(())
    })
    .await;
    // It is saved when the service stops.
    let status = suite.processes[0].terminate(PATIENCE).await;
    assert!(status.success(), "{status}");
    let files = suite.projections();
    assert!(!files.is_empty());
    for file in files {
        std::fs::remove_file(file).unwrap();
    }
    suite.processes[0].launch();
    suite.ready().await;
    suite.check_all(&ids).await;
    assert!(!suite.projections().is_empty(), "it is there again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projections_are_kept_in_postgresql_where_it_is_chosen() {
    let database = database().await;
    let url = database.url();
    let more = [
        ("projections.adapter", "postgres"),
        ("projections.postgres.url", &*url),
    ];
    let mut suite = Suite::one(server().await, &more).await;
    let all = ids(0, 4);
    suite.client().start_all(&all).await;
    suite.check_all(&all).await;
    assert!(suite.projections().is_empty());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let readers: Vec<(String,)> = sqlx::query_as("select distinct reader from checkpoints")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(readers.len(), SERVICES.len(), "{readers:?}");
    for (reader,) in readers {
        assert!(reader.starts_with("indexes/"), "{reader}");
    }
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_waits_for_its_server() {
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("esdb://{address}?tls=false");
    let mut process = Process::spawn(
        "longhaul",
        &[
            ("event_store.adapter", "eventstoredb"),
            ("event_store.eventstoredb.connection_string", &url),
        ],
    );
    eventually("it lives, and is not ready", PATIENCE, async || {
        let live = reqwest::get(process.url("/health/live")).await.ok()?;
        assert!(live.status().is_success());
        let ready = reqwest::get(process.url("/health/ready")).await.ok()?;
        (ready.status() == 503 && process.log().contains("does not answer")).then_some(())
    })
    .await;
    let double = Double::start_at(address.parse().unwrap()).await;
    let _double = double.unwrap();
    let ready = process.url("/health/ready");
    eventually("it has met its server", SOON, async || {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let status = process.terminate(PATIENCE).await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_the_server_refuses_says_so_and_ends() {
    let double = Double::start().await;
    double.deny_access();
    let settings = [
        ("event_store.adapter", "eventstoredb"),
        (
            "event_store.eventstoredb.connection_string",
            &*double.connection_string(),
        ),
    ];
    let mut process = Process::spawn("longhaul", &settings);
    let status = process.ended(PATIENCE).await;
    assert!(!status.success());
    assert!(
        process.log().contains("refuses this user"),
        "{}",
        process.log()
    );
}
