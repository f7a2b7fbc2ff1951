//! Processes that are killed in the middle of work, and started again: nothing is lost, and nothing
//! is done twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use system_tests::binaries::{PATIENCE, Process, SERVICES, eventually};
use system_tests::client::Client;
use system_tests::completeness::assert_complete;
use system_tests::history::{self, Log, Stored};
use system_tests::queues;
use test_servers::postgres::{TestDatabase, database};
use test_servers::rabbitmq::{VirtualHost, virtual_host};

/// How long the shipments may take to end, on a busy machine.
const LIMIT: Duration = Duration::from_secs(45);

/// How long a process may take to stop: its grace period, as it is set out of the box, and a little.
const GRACE_PERIOD: Duration = Duration::from_secs(12);

/// Carriers that answer soon, but not so soon that everything is over before a process can be killed.
const CARRIERS: [(&str, &str); 2] = [
    ("carrier_stub.delay_ms", "100"),
    ("carrier_stub.books_late_after_ms", "300"),
];

/// So many ids, domestic and international in turn, with all four endings.
fn ids(wave: usize, count: usize) -> Vec<String> {
    let id = |nth: usize| {
        let country = if nth.is_multiple_of(2) { "1" } else { "V" };
        format!("{country}W{wave}N{nth}E{}", nth / 2 % 4)
    };
    (0..count).map(id).collect()
}

/// Waits until so many more entries are stored than there were.
async fn more_stored(log: &Log, before: i64, more: i64) {
    let what = format!("{more} more entries are stored");
    eventually(&what, PATIENCE, async || {
        (log.count().await >= before + more).then_some(())
    })
    .await;
}

/// What was accepted is there, and whether something is left to be done.
fn check_interrupted(entries: &[Stored], accepted: &[String], started: usize) -> bool {
    for id in accepted {
        let stream = format!("{id}-Process");
        let kept = entries.iter().any(|entry| entry.stream == stream);
        assert!(kept, "{id} was accepted, and is not stored");
    }
    history::ended(entries) < started
}

/// Waits for the end of all, and checks the outcomes and the whole log.
async fn check_all(client: &Client, processes: &mut [Process], log: &Log, ids: &[String]) {
    client.finished(ids, LIMIT).await;
    // What they took in is finished, so that what came twice is seen.
    processes.iter().for_each(Process::ask_to_stop);
    for process in processes {
        let status = process.ended(PATIENCE).await;
        assert!(status.success(), "{}: {status}", process.name());
    }
    assert_complete(&log.entries().await, ids.iter().map(String::as_str));
}

/// The four services on a database and a virtual host.
struct Suite {
    // Dropped in this order: the services before the servers.
    processes: Vec<Process>,
    settings: Vec<(&'static str, String)>,
    database: TestDatabase,
    host: VirtualHost,
}

impl Suite {
    async fn start() -> Self {
        let (database, host) = tokio::join!(database(), virtual_host());
        let mut settings = vec![
            ("event_store.postgres.url", database.url()),
            ("bus.rabbitmq.url", host.url().to_owned()),
        ];
        settings.extend(CARRIERS.map(|(key, value)| (key, value.to_owned())));
        let mut suite = Self {
            processes: Vec::new(),
            settings,
            database,
            host,
        };
        for name in SERVICES {
            let process = suite.spawn(name);
            suite.processes.push(process);
        }
        for process in &mut suite.processes {
            process.ready().await;
        }
        suite
    }

    fn spawn(&self, name: &str) -> Process {
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        Process::spawn(name, &settings)
    }

    fn log(&self) -> Log {
        Log::Database(self.database.url())
    }

    /// Waits for the end of all, and checks the outcomes and the whole log.
    async fn check_all(&mut self, client: &Client, ids: &[String]) {
        client.finished(ids, LIMIT).await;
        queues::drained(self.host.url(), PATIENCE).await;
        let log = self.log();
        check_all(client, &mut self.processes, &log, ids).await;
    }

    fn client(&self) -> Client {
        Client::of(&[self.processes[0].url("")])
    }
}

#[tokio::test]
async fn one_process_on_a_file_goes_on_where_it_was_killed() {
    let process = Process::start("longhaul", &CARRIERS).await;
    let log = Log::File(process.folder().join("data/longhaul.db"));
    let client = Client::of(&[process.url("")]);
    let mut processes = [process];
    let mut all = Vec::new();
    let mut interrupted = 0;
    // Amid the starts, amid the first steps, and so on, up to when most is done.
    for (wave, more) in [1, 40, 110, 180, 250, 20].into_iter().enumerate() {
        let before = log.count().await;
        let wave = ids(wave, 12);
        all.extend(wave.clone());
        let kill = async {
            more_stored(&log, before, more).await;
            let accepted = client.accepted();
            processes[0].kill9();
            let left = log.as_left().await;
            interrupted += usize::from(check_interrupted(&left, &accepted, all.len()));
            processes[0].launch();
            processes[0].ready().await;
        };
        tokio::join!(client.start_all(&wave), kill);
    }
    assert!(
        interrupted >= 3,
        "killed amid work {interrupted} times only"
    );
    check_all(&client, &mut processes, &log, &all).await;
}

#[tokio::test]
async fn four_processes_go_on_whichever_of_them_is_killed() {
    let mut suite = Suite::start().await;
    let (log, client) = (suite.log(), suite.client());
    let mut all = Vec::new();
    let mut interrupted = 0;
    let rounds: [(&[usize], i64); 6] = [
        (&[0], 5),
        (&[1], 60),
        (&[2], 180),
        (&[3], 90),
        (&[0, 1, 2, 3], 120),
        (&[0], 150),
    ];
    for (wave, (victims, more)) in rounds.into_iter().enumerate() {
        let before = log.count().await;
        let wave = ids(wave, 8);
        all.extend(wave.clone());
        let kill = async {
            more_stored(&log, before, more).await;
            let accepted = client.accepted();
            for victim in victims {
                suite.processes[*victim].kill9();
            }
            let left = log.as_left().await;
            interrupted += usize::from(check_interrupted(&left, &accepted, all.len()));
            for victim in victims {
                suite.processes[*victim].launch();
            }
            for victim in victims {
                suite.processes[*victim].ready().await;
            }
        };
        tokio::join!(client.start_all(&wave), kill);
    }
    assert!(
        interrupted >= 3,
        "killed amid work {interrupted} times only"
    );
    suite.check_all(&client, &all).await;
}

#[tokio::test]
async fn one_process_that_is_asked_to_stop_finishes_what_it_accepted_and_the_next_the_rest() {
    let process = Process::start("longhaul", &CARRIERS).await;
    let log = Log::File(process.folder().join("data/longhaul.db"));
    let client = Client::of(&[process.url("")]);
    let mut processes = [process];
    let all = ids(0, 16);
    let stop = async {
        more_stored(&log, 0, 60).await;
        let accepted = client.accepted();
        let status = processes[0].terminate(GRACE_PERIOD).await;
        assert_eq!(status.code(), Some(0), "{status}");
        let left = log.as_left().await;
        assert!(check_interrupted(&left, &accepted, all.len()));
        processes[0].launch();
    };
    tokio::join!(client.start_all(&all), stop);
    check_all(&client, &mut processes, &log, &all).await;
}

#[tokio::test]
async fn four_processes_that_are_asked_to_stop_leave_nothing_undone_that_they_took_in() {
    let mut suite = Suite::start().await;
    let (log, client) = (suite.log(), suite.client());
    let all = ids(0, 16);
    let stop = async {
        more_stored(&log, 0, 100).await;
        let accepted = client.accepted();
        suite.processes.iter().for_each(Process::ask_to_stop);
        for process in &mut suite.processes {
            let status = process.ended(GRACE_PERIOD).await;
            assert_eq!(status.code(), Some(0), "{}: {status}", process.name());
        }
        let left = log.entries().await;
        assert!(check_interrupted(&left, &accepted, all.len()));
        suite.processes.iter_mut().for_each(Process::launch);
    };
    tokio::join!(client.start_all(&all), stop);
    suite.check_all(&client, &all).await;
}

#[tokio::test]
async fn two_instances_share_the_work_and_one_takes_over_when_the_other_is_killed() {
    let mut suite = Suite::start().await;
    let second = suite.spawn("shipment-process");
    suite.processes.push(second);
    suite.processes[4].ready().await;
    let log = suite.log();
    let addresses = [suite.processes[0].url(""), suite.processes[4].url("")];
    let client = Client::of(&addresses);
    let mut all = ids(0, 20);
    let kill = async {
        more_stored(&log, 0, 200).await;
        let accepted = client.accepted();
        suite.processes[0].kill9();
        let left = log.entries().await;
        assert!(check_interrupted(&left, &accepted, all.len()));
    };
    tokio::join!(client.start_all(&all), kill);
    client.finished(&all, LIMIT).await;

    // The first comes back, and then the second goes.
    suite.processes[0].launch();
    suite.processes[0].ready().await;
    let before = log.count().await;
    let more = ids(1, 12);
    all.extend(more.clone());
    let kill = async {
        more_stored(&log, before, 100).await;
        suite.processes[4].kill9();
    };
    tokio::join!(client.start_all(&more), kill);
    suite.processes.pop();
    suite.check_all(&client, &all).await;
}
