//! The queues of the services at a broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};

use crate::binaries::{SERVICES, eventually};

/// How many queues a service has, as it is set out of the box.
const PARTITIONS: u16 = 4;

/// The routing keys of all queues of the services.
#[must_use]
pub fn keys() -> Vec<String> {
    let of = |service| (0..PARTITIONS).map(move |partition| format!("{service}.{partition}"));
    SERVICES.into_iter().flat_map(of).collect()
}

/// Consumes all that reaches a queue of its own, bound to an exchange with these keys.
///
/// # Panics
/// When the broker does not have the exchange.
pub async fn listen(url: &str, exchange: &str, keys: &[String]) -> (Connection, Consumer) {
    let connection = Connection::connect(url, ConnectionProperties::default());
    let connection = connection.await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let none = FieldTable::default;
    let queue = channel.queue_declare("".into(), exclusive, none());
    let queue = queue.await.unwrap().name().clone();
    for key in keys {
        let (exchange, key) = (exchange.into(), key.as_str().into());
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(queue.clone(), exchange, key, options, none());
        bound.await.unwrap();
    }
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel.basic_consume(queue, "".into(), options, none());
    (connection, consumer.await.unwrap())
}

/// Waits until nothing is left in the queues of the services: what came twice was taken in.
///
/// # Panics
/// When something is left for longer than this, or the broker does not answer.
pub async fn drained(url: &str, limit: Duration) {
    let connection = Connection::connect(url, ConnectionProperties::default());
    let connection = connection.await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let look = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    // A queue bears the name of its routing key.
    for queue in keys() {
        let what = format!("nothing is left in {queue}");
        eventually(&what, limit, async || {
            let none = FieldTable::default();
            let queue = channel.queue_declare(queue.as_str().into(), look, none);
            (queue.await.unwrap().message_count() == 0).then_some(())
        })
        .await;
    }
    connection.close(200, "".into()).await.unwrap();
}
