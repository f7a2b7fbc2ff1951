//! Any other program can bind a queue to `longhaul.events`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::str;

use contracts::Envelope;
use futures::StreamExt;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use message_bus::MessageBus;
use message_bus::contract::{command, event};
use message_bus_rabbitmq::Settings;
use serde_json::Value;
use support::{PATIENCE, bus_with, settings};
use test_servers::rabbitmq::virtual_host;

/// Consumes what reaches a queue of its own under this routing key.
async fn outsider(channel: &lapin::Channel, routing_key: &str) -> Consumer {
    let options = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare("".into(), options, FieldTable::default())
        .await
        .unwrap();
    channel
        .queue_bind(
            queue.name().clone(),
            "longhaul.events".into(),
            routing_key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    channel
        .basic_consume(
            queue.name().clone(),
            "".into(),
            options,
            FieldTable::default(),
        )
        .await
        .unwrap()
}

async fn next(consumer: &mut Consumer) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
    next.expect("an event arrives in time").unwrap().unwrap()
}

fn header<'a>(delivery: &'a Delivery, name: &str) -> &'a str {
    let headers = delivery.properties.headers().as_ref().unwrap();
    str::from_utf8(headers.inner()[name].as_long_string().unwrap().as_bytes()).unwrap()
}

async fn publish(bus: &dyn MessageBus, messages: &[Envelope]) {
    bus.publisher().unwrap().publish(messages).await.unwrap();
}

#[tokio::test]
async fn an_outsider_gets_each_event_once_and_no_command() {
    let host = virtual_host().await;
    let bus = bus_with(&settings(host.url()));
    bus.ping().await.unwrap();
    let (_connection, channel) = support::channel(host.url()).await;
    let mut all = outsider(&channel, "sender.#").await;
    let mut own = outsider(&channel, "*.Own").await;

    // "Shared" goes to two services, "Unheard" to none: the outsider gets one copy of each.
    let events = [
        event("Shared", "A", 1),
        event("Unheard", "A", 3),
        event("Own", "B", 4),
    ];
    let sent = [
        events[0].clone(),
        command("A", 2),
        events[1].clone(),
        events[2].clone(),
    ];
    publish(&*bus, &sent).await;

    for expected in &events {
        let found = next(&mut all).await;
        assert_eq!(
            found.routing_key.as_str(),
            format!("sender.{}", expected.type_name)
        );
        assert_eq!(header(&found, "cloudEvents_specversion"), "1.0");
        assert_eq!(header(&found, "cloudEvents_id"), expected.id.to_string());
        assert_eq!(header(&found, "cloudEvents_source"), "/longhaul/sender");
        assert_eq!(header(&found, "cloudEvents_type"), expected.type_name);
        assert_eq!(header(&found, "cloudEvents_subject"), expected.subject);
        let traceparent = expected.traceparent.as_ref().unwrap();
        assert_eq!(header(&found, "traceparent"), traceparent.as_str());
        let content_type = found.properties.content_type().as_ref().unwrap();
        assert_eq!(content_type.as_str(), "application/json");
        let body: Value = serde_json::from_slice(&found.data).unwrap();
        assert_eq!(
            body,
            serde_json::from_str::<Value>(expected.data.get()).unwrap()
        );
    }
    assert_eq!(
        header(&next(&mut own).await, "cloudEvents_id"),
        events[2].id.to_string()
    );
}

#[tokio::test]
async fn events_of_one_type_come_together_where_that_is_set_and_else_each_by_itself() {
    for (batch_events, expected) in [(1, [1, 1, 1]), (2, [2, 1, 0])] {
        let host = virtual_host().await;
        let bus = bus_with(&Settings {
            batch_events,
            ..settings(host.url())
        });
        bus.ping().await.unwrap();
        let (_connection, channel) = support::channel(host.url()).await;
        let mut all = outsider(&channel, "#").await;
        let sent = ["A", "B", "C"].map(|subject| event("Unheard", subject, 1));
        publish(&*bus, &sent).await;
        let mut found = Vec::new();
        for count in expected.into_iter().filter(|count| *count > 0) {
            let came = next(&mut all).await;
            if count == 1 {
                found.push(header(&came, "cloudEvents_id").to_owned());
                continue;
            }
            let content_type = came.properties.content_type().as_ref().unwrap();
            assert_eq!(content_type.as_str(), "application/cloudevents-batch+json");
            let events: Vec<Value> = serde_json::from_slice(&came.data).unwrap();
            assert_eq!(events.len(), count);
            found.extend(
                events
                    .iter()
                    .map(|event| event["id"].as_str().unwrap().to_owned()),
            );
        }
        assert_eq!(found, sent.map(|event| event.id.to_string()));
    }
}

#[tokio::test]
async fn nothing_reaches_an_outsider_when_events_are_not_published() {
    let host = virtual_host().await;
    let silent = bus_with(&Settings {
        publish_events: false,
        ..settings(host.url())
    });
    let loud = bus_with(&settings(host.url()));
    silent.ping().await.unwrap();
    let (_connection, channel) = support::channel(host.url()).await;
    let mut all = outsider(&channel, "#").await;

    publish(
        &*silent,
        &[event("Shared", "A", 1), event("Unheard", "A", 2)],
    )
    .await;
    publish(&*loud, &[event("Shared", "A", 3)]).await;

    let first = next(&mut all).await;
    assert_eq!(
        header(&first, "cloudEvents_id"),
        event("Shared", "A", 3).id.to_string()
    );
    // The services themselves got both.
    let mut worker = silent
        .subscribe(&message_bus::contract::WORKER)
        .await
        .unwrap();
    let mut found = Vec::new();
    while found.len() < 2 {
        found.extend(support::ids(&support::receive(&mut *worker, 10).await));
    }
    assert_eq!(
        found,
        [event("Shared", "A", 1).id, event("Shared", "A", 3).id]
    );
}
