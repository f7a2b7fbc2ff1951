//! No limit of the broker loses anything.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation};
use message_bus::contract::{WORKER, command};
use serde_json::json;
use support::{bus, channel, ids, partitions, publish_until_confirmed, receive};
use test_servers::rabbitmq::virtual_host;

#[tokio::test]
async fn a_message_that_is_given_back_many_hundreds_of_times_is_still_there() {
    let host = virtual_host().await;
    let bus = bus(host.url());
    bus.ping().await.unwrap();
    let sent = [command("A", 1), command("A", 2)];
    publish_until_confirmed(&*bus, &sent).await;
    let mut worker = bus.subscribe(&WORKER).await.unwrap();
    // RabbitMQ 4 drops a message after 20 deliveries, unless told otherwise.
    for _ in 0..500 {
        let given = receive(&mut *worker, 1).await;
        let receipts: Vec<_> = given.iter().map(|delivery| delivery.receipt).collect();
        worker.reject(&receipts).await.unwrap();
    }
    let mut left: BTreeSet<_> = sent.iter().map(|message| message.id).collect();
    while !left.is_empty() {
        let given = receive(&mut *worker, 10).await;
        for id in ids(&given) {
            left.remove(&id);
        }
        let receipts: Vec<_> = given.iter().map(|delivery| delivery.receipt).collect();
        worker.acknowledge(&receipts).await.unwrap();
    }
}

#[tokio::test]
async fn a_length_that_an_operator_sets_makes_the_publisher_wait_and_drops_nothing() {
    let host = virtual_host().await;
    let bus = bus(host.url());
    bus.ping().await.unwrap();
    host.set_policy("short", ".*", json!({ "max-length": 5 }))
        .await;
    let sent: Vec<_> = (0..50).map(|n| command("A", n)).collect();
    // The policy holds from a moment on: what is refused shows it.
    let publisher = bus.publisher().unwrap();
    let refused = async {
        while publisher.publish(&sent).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(support::PATIENCE, refused)
        .await
        .expect("the queue is full in time");
    let mut worker = bus.subscribe(&WORKER).await.unwrap();
    let consume = async {
        let mut left: BTreeSet<_> = sent.iter().map(|message| message.id).collect();
        while !left.is_empty() {
            let given = receive(&mut *worker, 10).await;
            for id in ids(&given) {
                left.remove(&id);
            }
            let receipts: Vec<_> = given.iter().map(|delivery| delivery.receipt).collect();
            worker.acknowledge(&receipts).await.unwrap();
        }
    };
    tokio::join!(publish_until_confirmed(&*bus, &sent), consume);
}

/// The headers of a message are in one frame, and a broker passes on what it took from any program.
#[tokio::test]
async fn headers_larger_than_a_frame_of_ours_hold_up_nothing() {
    let host = virtual_host().await;
    let bus = bus(host.url());
    bus.ping().await.unwrap();
    let mut worker = bus.subscribe(&WORKER).await.unwrap();
    let (_connection, channel) = channel(host.url()).await;
    let mut headers = FieldTable::default();
    headers.insert(
        "note".into(),
        AMQPValue::LongString("n".repeat(100_000).into()),
    );
    for partition in partitions().all() {
        let queue = format!("{WORKER}.{partition}");
        let properties = BasicProperties::default().with_headers(headers.clone());
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), queue.into(), options, b"{}", properties);
        assert!(matches!(
            sent.await.unwrap().await.unwrap(),
            Confirmation::Ack(None)
        ));
    }
    let sent = [command("A", 1), command("B", 2), command("C", 3)];
    publish_until_confirmed(&*bus, &sent).await;
    let mut left: BTreeSet<_> = sent.iter().map(|message| message.id).collect();
    let mut unreadable = 0;
    while !left.is_empty() || unreadable < 2 {
        let given = receive(&mut *worker, 10).await;
        for delivery in &given {
            match &delivery.message {
                Ok(message) => _ = left.remove(&message.id),
                Err(_) => unreadable += 1,
            }
        }
        let receipts: Vec<_> = given.iter().map(|delivery| delivery.receipt).collect();
        worker.acknowledge(&receipts).await.unwrap();
    }
}
