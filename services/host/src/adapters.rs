//! The only place that names adapters: configuration chooses.

use std::sync::Arc;

use contracts::shipment_suite;
use event_store::EventStore;
use event_store_memory::MemoryEventStore;
use event_store_postgres::PostgresEventStore;
use event_store_sqlite::SqliteEventStore;
use message_bus::MessageBus;
use message_bus_embedded::EmbeddedBus;
use message_bus_rabbitmq::RabbitMqBus;
use runtime::Backoff;
use tracing::warn;

use crate::Settings;
use crate::settings::{BusKind, StoreKind};

/// Opens the store; waits for a server that is away.
pub(crate) async fn store(settings: &Settings) -> Result<Arc<dyn EventStore>, event_store::Error> {
    let mut backoff = Backoff::for_servers();
    loop {
        let partitions = settings.log.partitions;
        let opened: Result<Arc<dyn EventStore>, _> = match settings.store.kind {
            StoreKind::Memory => Ok(Arc::new(MemoryEventStore::new(partitions))),
            StoreKind::Sqlite => SqliteEventStore::open(&settings.store.sqlite, partitions)
                .await
                .map(|store| Arc::new(store) as _),
            StoreKind::Postgres => {
                PostgresEventStore::connect(&settings.store.postgres, partitions)
                    .await
                    .map(|store| Arc::new(store) as _)
            }
        };
        match opened {
            Err(error @ event_store::Error::Unavailable(_))
                if settings.store.kind == StoreKind::Postgres =>
            {
                warn!(
                    error = format!("{:#}", anyhow::Error::new(error)),
                    "the event store does not answer: trying again"
                );
            }
            opened => return opened,
        }
        backoff.wait().await;
    }
}

/// The bus. A broker is connected to when it is needed.
pub(crate) fn bus(
    settings: &Settings,
    store: &Arc<dyn EventStore>,
) -> Result<Arc<dyn MessageBus>, message_bus::Error> {
    let topology = shipment_suite();
    Ok(match settings.bus.kind {
        BusKind::Embedded => Arc::new(EmbeddedBus::new(store.clone(), topology)),
        BusKind::Rabbitmq => {
            let mut rabbitmq = settings.bus.rabbitmq.clone();
            rabbitmq.publish_events = settings.bus.publish_events;
            Arc::new(RabbitMqBus::new(
                &rabbitmq,
                topology,
                settings.log.partitions,
            )?)
        }
    })
}
