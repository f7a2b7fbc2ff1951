//! The broker keeps the promises of every message bus; and so does a bus that may have faults, while it
//! has none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Envelope, MessageId, Partitions, ServiceName};
use message_bus::contract::{Harness, topology};
use message_bus::{MessageBus, Unreadable};
use testkit::Broker;
use testkit::faults::Faults;

struct InMemory {
    broker: Broker,
    bus: Arc<dyn MessageBus>,
}

async fn broker() -> InMemory {
    let broker = Broker::new(topology(), Partitions::default());
    let bus = Arc::new(broker.clone());
    InMemory { broker, bus }
}

async fn without_faults() -> InMemory {
    let broker = Broker::new(topology(), Partitions::default());
    let bus = Faults::none().bus(Arc::new(broker.clone()));
    InMemory { broker, bus }
}

#[async_trait]
impl Harness for InMemory {
    async fn bus(&self) -> Arc<dyn MessageBus> {
        self.bus.clone()
    }

    async fn publish(&self, messages: &[Envelope]) {
        let publisher = self.bus.publisher().unwrap();
        publisher.publish(messages).await.unwrap();
    }

    async fn publish_unreadable(&self, receiver: &ServiceName, subject: &str) -> bool {
        let unreadable = Unreadable {
            id: MessageId::derive(&["unreadable"]),
            subject: Some(subject.to_owned()),
            reason: "it is no message".to_owned(),
            raw: "garbage".to_owned(),
        };
        self.broker.put(receiver, subject, Err(unreadable));
        true
    }
}

mod of_the_broker {
    message_bus::message_bus_contract!(super::broker);
}

mod of_a_bus_without_faults {
    message_bus::message_bus_contract!(super::without_faults);
}
