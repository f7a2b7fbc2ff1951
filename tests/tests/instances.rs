//! Two instances of each service: they share the work, and what one of them says the other does not say
//! again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use system_tests::binaries::{PATIENCE, Process, SERVICES};
use system_tests::client::Client;
use system_tests::completeness::assert_complete;
use system_tests::history::Log;
use system_tests::queues;
use test_servers::postgres::database;
use test_servers::rabbitmq::virtual_host;
use tokio::time::{Instant, timeout};

/// How long the shipments may take to end, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How long shipments are started.
const LONG: Duration = Duration::from_secs(5);

/// Starts instances of services, and waits until all are ready.
async fn start(services: impl Iterator<Item = &str>, settings: &[(&str, &str)]) -> Vec<Process> {
    let mut processes: Vec<_> = services
        .map(|name| Process::spawn(name, settings))
        .collect();
    join_all(processes.iter_mut().map(Process::ready)).await;
    processes
}

/// Has them stop in good order.
async fn stop(mut processes: Vec<Process>) {
    processes.iter().for_each(Process::ask_to_stop);
    for process in &mut processes {
        let status = process.ended(PATIENCE).await;
        assert!(status.success(), "{}: {status}", process.name());
    }
}

#[tokio::test]
async fn two_instances_of_each_service_say_nearly_everything_once() {
    let (database, host) = tokio::join!(database(), virtual_host());
    let url = database.url();
    let settings = [
        ("event_store.postgres.url", &*url),
        ("bus.rabbitmq.url", host.url()),
        // So that each message has its id as a property.
        ("bus.rabbitmq.batch_messages", "1"),
        ("carrier_stub.delay_ms", "50"),
        ("carrier_stub.books_late_after_ms", "200"),
    ];
    let processes = start(SERVICES.into_iter().chain(SERVICES), &settings).await;
    let keys = queues::keys();
    let (connection, mut messages) = queues::listen(host.url(), "longhaul.inputs", &keys).await;

    // Each of the two takes in half of the starts, of whichever partition.
    let client = Client::of(&[processes[0].url(""), processes[4].url("")]);
    // One after the other, so that it takes much longer than they wait for each other.
    let began = Instant::now();
    let mut ids = Vec::new();
    while began.elapsed() < LONG {
        let id = format!("1TWO{}E{}", ids.len(), ids.len() % 4);
        client.start(&id, ids.len()).await;
        ids.push(id);
    }
    client.finished(&ids, LIMIT).await;
    stop(processes).await;
    let log = Log::Database(url.clone());
    assert_complete(&log.entries().await, ids.iter().map(String::as_str));

    // What has been said stands before this.
    let channel = connection.create_channel().await.unwrap();
    let last = BasicProperties::default().with_message_id("the last".into());
    let options = BasicPublishOptions::default();
    let (exchange, key) = ("longhaul.inputs".into(), keys[0].as_str().into());
    let published = channel.basic_publish(exchange, key, options, b"", last);
    published.await.unwrap().await.unwrap();
    let mut said: HashMap<(String, String), usize> = HashMap::new();
    loop {
        let message = timeout(PATIENCE, messages.next()).await;
        let message = message.unwrap().unwrap().unwrap();
        let id = message.properties.message_id().clone().unwrap().to_string();
        if id == "the last" {
            break;
        }
        *said
            .entry((message.routing_key.to_string(), id))
            .or_default() += 1;
    }
    let again: usize = said.values().map(|times| times - 1).sum();
    assert!(said.len() > 10 * ids.len(), "{}", said.len());
    assert!(
        again * 50 <= said.len(),
        "{again} of {} came again",
        said.len()
    );
}

#[tokio::test]
async fn instances_that_stood_by_go_on_with_what_those_that_crashed_had_begun() {
    let (database, host) = tokio::join!(database(), virtual_host());
    let url = database.url();
    let settings = [
        ("event_store.postgres.url", &*url),
        ("bus.rabbitmq.url", host.url()),
        ("carrier_stub.delay_ms", "300"),
        ("carrier_stub.books_late_after_ms", "400"),
    ];
    let mut first = start(SERVICES.into_iter(), &settings).await;
    let second = start(SERVICES.into_iter(), &settings).await;

    // Only the first receive anything: they came first, and the second leave it to them.
    let client = Client::of(&[first[0].url("")]);
    let began = Instant::now();
    let mut ids = Vec::new();
    while began.elapsed() < LONG {
        let id = format!("1OLD{}E{}", ids.len(), ids.len() % 4);
        client.start(&id, ids.len()).await;
        ids.push(id);
    }
    first.iter_mut().for_each(Process::kill9);
    let client = Client::of(&[second[0].url("")]);
    client.finished(&ids, LIMIT).await;
    stop(second).await;
    let log = Log::Database(url.clone());
    assert_complete(&log.entries().await, ids.iter().map(String::as_str));
}
