//! The embedded bus keeps the promises of every message bus.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contracts::{Envelope, Kind, MessageId, Partitions, ServiceName};
use event_store::{
    Append, Appended, EventStore, Metadata, NewEntry, StoredCommand, StreamKind, StreamName,
    Version, Visibility,
};
use event_store_memory::MemoryEventStore;
use message_bus::MessageBus;
use message_bus::contract::{Harness, topology};
use message_bus_embedded::{EmbeddedBus, Intervals};

/// Publishing is recording: each message is an entry in the stream of its instance.
struct Embedded {
    store: Arc<MemoryEventStore>,
    bus: Arc<EmbeddedBus>,
    recorded: Mutex<HashMap<String, Vec<MessageId>>>,
}

async fn embedded() -> Embedded {
    let store = Arc::new(MemoryEventStore::new(Partitions::default()));
    let bus = Arc::new(EmbeddedBus::new(
        store.clone(),
        topology(),
        Intervals::default(),
    ));
    Embedded {
        store,
        bus,
        recorded: Mutex::default(),
    }
}

/// The entry that says this message.
fn entry(message: &Envelope) -> NewEntry {
    let (id, visibility, commands) = match &message.kind {
        Kind::Event => (message.id, Visibility::Public, vec![]),
        Kind::Command { to } => {
            let command = StoredCommand {
                id: message.id,
                to: to.clone(),
                type_name: message.type_name.clone(),
                data: message.data.clone(),
            };
            (message.causation_id, Visibility::Internal, vec![command])
        }
    };
    NewEntry {
        id,
        type_name: message.type_name.clone(),
        data: message.data.clone(),
        recorded_at: message.time,
        metadata: Metadata {
            input_id: message.causation_id,
            correlation_id: message.correlation_id,
            traceparent: message.traceparent.clone(),
            category: message.category.clone(),
            actor: None,
            visibility,
            commands,
            deadlines_set: BTreeMap::new(),
            deadlines_cleared: Vec::new(),
            data_subject: None,
        },
    }
}

#[async_trait]
impl Harness for Embedded {
    async fn bus(&self) -> Arc<dyn MessageBus> {
        self.bus.clone()
    }

    async fn publish(&self, messages: &[Envelope]) {
        for message in messages {
            let stream = StreamName::new(&message.subject, &StreamKind::new("Sender"));
            let append = {
                let mut recorded = self.recorded.lock().unwrap();
                let ids = recorded.entry(message.subject.clone()).or_default();
                // A message that is published again is recorded again at the same place.
                let at = ids
                    .iter()
                    .position(|id| *id == message.id)
                    .unwrap_or(ids.len());
                if at == ids.len() {
                    ids.push(message.id);
                }
                Append {
                    stream,
                    expected: Version(at as u64),
                    entries: vec![entry(message)],
                }
            };
            assert_eq!(
                self.store.append(&[append]).await.unwrap(),
                [Appended::Stored]
            );
        }
    }

    async fn publish_unreadable(&self, _receiver: &ServiceName, _subject: &str) -> bool {
        // An entry is well-formed, or the store could not have read it; an unknown type or content is
        // the receiver's to judge.
        false
    }
}

message_bus::message_bus_contract!(embedded);

/// A broker is nothing to publish to: the log is read by whoever follows it.
#[tokio::test]
async fn there_is_nothing_to_publish_to() {
    let embedded = embedded().await;
    assert!(embedded.bus.publisher().is_none());
}
