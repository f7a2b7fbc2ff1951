//! What the tests of this adapter share.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use contracts::{Envelope, MessageId, Partitions};
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection, ConnectionProperties};
use message_bus::{Delivery, MessageBus, Subscription};
use message_bus_rabbitmq::{RabbitMqBus, Settings};

/// Tests wait for conditions, and fail after this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Two, as the contract asks.
pub(crate) fn partitions() -> Partitions {
    Partitions::new(2).unwrap()
}

/// Settings that give up early, so that a test need not wait.
pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        url: url.into(),
        confirm_timeout_ms: 10_000,
        reconnect_max_ms: 200,
        ..Settings::default()
    }
}

/// A bus over the contract's topology.
pub(crate) fn bus_with(settings: &Settings) -> Arc<dyn MessageBus> {
    let topology = message_bus::contract::topology();
    Arc::new(RabbitMqBus::new(settings, topology, partitions()).unwrap())
}

/// A bus with the usual settings.
pub(crate) fn bus(url: &str) -> Arc<dyn MessageBus> {
    bus_with(&settings(url))
}

/// A channel beside the bus, with publisher confirms.
pub(crate) async fn channel(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    (connection, channel)
}

/// The next deliveries.
pub(crate) async fn receive(subscription: &mut dyn Subscription, max: usize) -> Vec<Delivery> {
    tokio::time::timeout(PATIENCE, subscription.receive(max))
        .await
        .unwrap()
        .unwrap()
}

/// The ids of what was delivered.
pub(crate) fn ids(batch: &[Delivery]) -> Vec<MessageId> {
    batch
        .iter()
        .map(|delivery| delivery.message.as_ref().unwrap().id)
        .collect()
}

/// Publishes until it is confirmed, as the relay does.
pub(crate) async fn publish_until_confirmed(bus: &dyn MessageBus, messages: &[Envelope]) -> usize {
    let publisher = bus.publisher().unwrap();
    let attempts = async {
        let mut failures = 0;
        while publisher.publish(messages).await.is_err() {
            failures += 1;
        }
        failures
    };
    tokio::time::timeout(PATIENCE, attempts).await.unwrap()
}
