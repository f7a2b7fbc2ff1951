//! The queues of the services at a broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};

use crate::binaries::{SERVICES, eventually};

/// How many queues a service has, as it is set out of the box.
const PARTITIONS: u16 = 4;

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
    for service in SERVICES {
        for partition in 0..PARTITIONS {
            let queue = format!("{service}.{partition}");
            let what = format!("nothing is left in {queue}");
            eventually(&what, limit, async || {
                let none = FieldTable::default();
                let queue = channel.queue_declare(queue.as_str().into(), look, none);
                (queue.await.unwrap().message_count() == 0).then_some(())
            })
            .await;
        }
    }
    connection.close(200, "".into()).await.unwrap();
}
