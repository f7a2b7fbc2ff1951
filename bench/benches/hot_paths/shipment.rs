//! A shipment that the suite has run in memory: its entries, and its messages.

use std::sync::Arc;

use contracts::{Envelope, Kind, MessageId, Partitions, process};
use event_store::{Entry, EventStore, StreamKind, StreamName, outgoing};
use event_store_memory::MemoryEventStore;
use jiff::SignedDuration;
use kernel::Registry;
use serde_json::value::RawValue;
use shipment_process::ShipmentProcess;
use system_tests::suite::{self, Suite};
use system_tests::transcript::stream;

const ID: &str = "V74YCBYHC8A0";

/// An international shipment that has completed.
pub(crate) struct Shipment {
    /// The stream of its process.
    pub(crate) process: Vec<Entry>,
    /// What its services say to each other.
    pub(crate) messages: Vec<Envelope>,
}

impl Shipment {
    /// Has the four services run it.
    pub(crate) fn run() -> Self {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(Partitions::default()));
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let suite = Suite::embedded(store.clone());
            suite.post(ID).await;
            suite.wait_for(ID, "completed").await;
            suite.stop().await;
            let topology = contracts::shipment_suite();
            let mut messages = Vec::new();
            for service in &topology.services {
                for entry in stream(&*store, ID, service.stream_kind).await {
                    let said = outgoing(&service.name, &entry);
                    messages.extend(said.filter(|it| topology.receivers(it).next().is_some()));
                }
            }
            let process = stream(&*store, ID, process::STREAM_KIND).await;
            assert_eq!((process.len(), messages.len()), (17, 19));
            Self { process, messages }
        })
    }

    /// Where in its process an event stands.
    pub(crate) fn place(&self, type_name: &str) -> usize {
        let is_it = |entry: &Entry| entry.content.type_name == type_name;
        self.process.iter().position(is_it).unwrap()
    }

    /// The message because of which its process has recorded an entry.
    pub(crate) fn cause(&self, entry: &Entry) -> &Envelope {
        let input_id = entry.content.metadata.input_id;
        let mut messages = self.messages.iter();
        messages.find(|message| message.id == input_id).unwrap()
    }

    /// The start of another that is like it.
    pub(crate) fn start_of_another(&self, number: usize) -> Envelope {
        let name = another(number);
        let first = &self.process[0].content;
        let id = MessageId::derive(&[&name, "start"]);
        Envelope {
            id,
            kind: Kind::Command {
                to: process::SERVICE,
            },
            source: process::SERVICE,
            type_name: "ProcessShipment".to_owned(),
            // What has started says all that the start did.
            data: RawValue::from_string(first.data.get().replace(ID, &name)).unwrap(),
            subject: name,
            time: first.recorded_at,
            correlation_id: id,
            causation_id: id,
            traceparent: first.metadata.traceparent.clone(),
            category: None,
            actor: None,
        }
    }

    /// The stream of the process of another that is like it.
    pub(crate) fn stream_of_another(&self, number: usize) -> StreamName {
        StreamName::new(&another(number), &StreamKind::new(process::STREAM_KIND))
    }
}

/// An id as long as its own.
fn another(number: usize) -> String {
    format!("V74YCBYH{number:03}0")
}

/// The processes that decide for it.
pub(crate) fn registry() -> Arc<Registry<ShipmentProcess>> {
    let settings = suite::settings();
    let window = settings.shipment_process.rebooking_window_ms;
    let window = SignedDuration::from_millis(window);
    let steps = shipment_process::steps(&settings);
    Arc::new(shipment_process::registry(steps, window).unwrap())
}
