//! The only place that names adapters: configuration chooses.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use contracts::shipment_suite;
use event_store::{Checkpoint, Checkpoints, Error, EventStore, RemoveStreams};
use event_store_eventstoredb::EventStoreDb;
use event_store_memory::MemoryEventStore;
use event_store_postgres::{PostgresCheckpoints, PostgresEventStore};
use event_store_sqlite::{SqliteCheckpoints, SqliteEventStore};
use message_bus::MessageBus;
use message_bus_embedded::{EmbeddedBus, Intervals};
use message_bus_rabbitmq::RabbitMqBus;
use runtime::Backoff;
use tracing::warn;

use crate::Settings;
use crate::settings::{BusAdapter, ProjectionsAdapter, StoreAdapter};

/// The log, and where indexes over it are kept.
pub(crate) struct Stores {
    pub(crate) log: Arc<dyn EventStore>,
    pub(crate) indexes: Arc<dyn Checkpoints>,
}

impl Stores {
    /// A store that is a place for both.
    fn of<S: EventStore + 'static>(store: S) -> Self {
        let store = Arc::new(store);
        Self {
            log: store.clone(),
            indexes: store,
        }
    }
}

/// Opens the stores; waits for a server that is away.
pub(crate) async fn stores(settings: &Settings) -> anyhow::Result<Stores> {
    const NOT_OPEN: &str = "cannot open the event store";
    let store = &settings.event_store;
    let partitions = settings.log.partitions;
    match store.adapter {
        StoreAdapter::Memory => Ok(Stores::of(MemoryEventStore::new(partitions))),
        StoreAdapter::Sqlite => {
            let log = SqliteEventStore::open(&store.sqlite, partitions).await;
            Ok(Stores::of(log.context(NOT_OPEN)?))
        }
        StoreAdapter::Postgres => {
            let open = || PostgresEventStore::connect(&store.postgres, partitions);
            let log = waiting("event store", open).await;
            Ok(Stores::of(log.context(NOT_OPEN)?))
        }
        StoreAdapter::EventStoreDb => {
            let open = || EventStoreDb::connect(&store.eventstoredb, partitions);
            let log = waiting("event store", open).await.context(NOT_OPEN)?;
            let indexes = IndexesOf {
                log_id: log.log_id().to_owned(),
                within: projections(settings).await?,
            };
            Ok(Stores {
                log: Arc::new(log),
                indexes: Arc::new(indexes),
            })
        }
    }
}

/// Opens the log for whoever removes streams from it: one that is there, and answers at once.
///
/// # Errors
/// When it is not, or when streams are removed from it in another way.
pub async fn removable_log(settings: &Settings) -> anyhow::Result<Arc<dyn RemoveStreams>> {
    const NOT_OPEN: &str = "cannot open the event store";
    let store = &settings.event_store;
    let partitions = settings.log.partitions;
    Ok(match store.adapter {
        StoreAdapter::Sqlite => {
            let path = &store.sqlite.path;
            if !path.is_file() {
                bail!(
                    "there is no file {} (event_store.sqlite.path)",
                    path.display()
                );
            }
            let log = SqliteEventStore::open(&store.sqlite, partitions).await;
            Arc::new(log.context(NOT_OPEN)?)
        }
        StoreAdapter::Postgres => {
            let log = PostgresEventStore::connect(&store.postgres, partitions).await;
            Arc::new(log.context(NOT_OPEN)?)
        }
        StoreAdapter::EventStoreDb => bail!(
            "event_store.adapter = \"eventstoredb\": that server removes streams by its own means, which are to \
             delete a stream and to scavenge"
        ),
        StoreAdapter::Memory => bail!(
            "event_store.adapter = \"memory\": what a service keeps in memory, nobody else can reach"
        ),
    })
}

async fn projections(settings: &Settings) -> anyhow::Result<Arc<dyn Checkpoints>> {
    let projections = &settings.projections;
    match projections.adapter {
        ProjectionsAdapter::Sqlite => {
            let path = projections.sqlite.path.display();
            let opened = SqliteCheckpoints::open(&projections.sqlite).await;
            let opened = opened.map_err(cause).with_context(|| {
                format!("cannot open the projections in {path} (projections.sqlite.path)")
            });
            Ok(Arc::new(opened?))
        }
        ProjectionsAdapter::Postgres => {
            let open = || PostgresCheckpoints::connect(&projections.postgres);
            let opened = waiting("database of the projections", open).await;
            let opened = opened
                .map_err(cause)
                .context("cannot open the projections (projections.postgres.url)");
            Ok(Arc::new(opened?))
        }
    }
}

/// What has happened, without a word about an event store.
fn cause(error: Error) -> anyhow::Error {
    match error {
        Error::Unavailable(cause) | Error::Refused(cause) | Error::Corrupt(cause) => {
            anyhow::Error::from_boxed(cause)
        }
    }
}

/// Opens a server, once it answers.
async fn waiting<T, F>(what: &str, open: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut backoff = Backoff::for_servers();
    loop {
        match open().await {
            Err(error @ Error::Unavailable(_)) => warn!(
                error = format!("{:#}", anyhow::Error::new(error)),
                "the {what} does not answer: trying again"
            ),
            opened => return opened,
        }
        backoff.wait().await;
    }
}

/// Indexes over one log: where another log is begun, those of the old one are not taken for its own.
struct IndexesOf {
    log_id: String,
    within: Arc<dyn Checkpoints>,
}

impl IndexesOf {
    fn name(&self, reader: &str) -> String {
        format!("{reader} of {}", self.log_id)
    }
}

#[async_trait]
impl Checkpoints for IndexesOf {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.within.load_checkpoint(&self.name(reader)).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let name = self.name(reader);
        self.within.save_checkpoint(&name, checkpoint).await
    }
}

/// The bus. A broker is connected to when it is needed.
pub(crate) fn bus(
    settings: &Settings,
    store: &Arc<dyn EventStore>,
) -> Result<Arc<dyn MessageBus>, message_bus::Error> {
    let topology = shipment_suite();
    Ok(match settings.bus.adapter {
        BusAdapter::Embedded => {
            let intervals = Intervals {
                poll: Duration::from_millis(settings.runtime.poll_interval_ms),
                checkpoint: Duration::from_millis(settings.runtime.checkpoint_interval_ms),
            };
            Arc::new(EmbeddedBus::new(store.clone(), topology, intervals))
        }
        BusAdapter::Rabbitmq => {
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

#[cfg(test)]
mod tests {
    use contracts::Partitions;
    use event_store::Cursor;

    use super::*;

    #[tokio::test]
    async fn an_index_of_one_log_is_not_taken_for_that_of_another() {
        let partitions = Partitions::default();
        let within: Arc<dyn Checkpoints> = Arc::new(MemoryEventStore::new(partitions));
        let of = |log_id: &str| IndexesOf {
            log_id: log_id.to_owned(),
            within: within.clone(),
        };
        let checkpoint = Checkpoint::at(&Cursor::start(partitions));
        let saved = of("one").save_checkpoint("deadlines/x", &checkpoint).await;
        saved.unwrap();
        let load = async |log_id: &str| {
            let loaded = of(log_id).load_checkpoint("deadlines/x").await.unwrap();
            loaded.partitions.len()
        };
        assert_eq!(load("one").await, usize::from(partitions.count()));
        assert_eq!(load("another").await, 0);
    }
}
