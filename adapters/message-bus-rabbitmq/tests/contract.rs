//! The contract of the message bus, over a real broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Envelope, ServiceName};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use message_bus::MessageBus;
use message_bus::contract::Harness;
use test_servers::rabbitmq::{VirtualHost, virtual_host};

struct OverRabbitMq {
    // Before the virtual host, which it is connected to.
    publishing: Arc<dyn MessageBus>,
    host: VirtualHost,
}

async fn over_rabbitmq() -> OverRabbitMq {
    let host = virtual_host().await;
    let publishing = support::bus(host.url());
    // Declares everything. While several connections declare the same new queue, the broker may
    // refuse what is published to it: the relay tries again then, but this suite counts messages.
    publishing.ping().await.unwrap();
    OverRabbitMq { publishing, host }
}

#[async_trait]
impl Harness for OverRabbitMq {
    async fn bus(&self) -> Arc<dyn MessageBus> {
        support::bus(self.host.url())
    }

    async fn publish(&self, messages: &[Envelope]) {
        let publisher = self.publishing.publisher().unwrap();
        publisher.publish(messages).await.unwrap();
    }

    async fn publish_unreadable(&self, receiver: &ServiceName, subject: &str) -> bool {
        let mut headers = FieldTable::default();
        headers.insert(
            "cloudEvents_subject".into(),
            AMQPValue::LongString(subject.into()),
        );
        let (_connection, channel) = support::channel(self.host.url()).await;
        let queue = format!("{receiver}.{}", support::partitions().of(subject));
        channel
            .basic_publish(
                "".into(),
                queue.into(),
                BasicPublishOptions::default(),
                b"<no json/>",
                BasicProperties::default().with_headers(headers),
            )
            .await
            .unwrap()
            .await
            .unwrap();
        true
    }
}

message_bus::message_bus_contract!(over_rabbitmq);
