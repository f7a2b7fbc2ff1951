//! An event store in EventStoreDB or KurrentDB.
//!
//! It never appends without an expected version, and asks nothing of the server's projections or
//! subscriptions. Start with [`EventStoreDb::connect`].

mod append;
mod checkpoints;
mod connection;
mod error;
mod event;
mod horizon;
mod log;
mod names;
mod nodelay;
mod read;
mod requests;
mod session;
mod set_up;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, BoxError, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page,
    StreamKind, StreamName, Tails,
};

pub use settings::Settings;

use crate::checkpoints::Known;
use crate::connection::Connection;
use crate::error::translate;
use crate::horizon::Horizon;
use crate::names::Names;

/// How many operations of one call are on their way at once. Servers allow a hundred on a connection.
const AT_ONCE: usize = 64;

/// A log at a server. Several programs may use the same.
pub struct EventStoreDb {
    partitions: Partitions,
    connection: Connection,
    names: Names,
    timeout: Duration,
    max_append_bytes: usize,
    /// The position of the first event of the log.
    origin: u64,
    log_id: String,
    horizon: Arc<Horizon>,
    known: Known,
    tails: Tails,
}

impl EventStoreDb {
    /// Connects, and begins the log where the server has none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server does not answer: try again. [`Error::Refused`] when the
    /// connection string is not valid, the server refuses the user or is too old, or, with
    /// [`event_store::PartitionsDiffer`], when the log was begun with another number of partitions.
    pub async fn connect(settings: &Settings, partitions: Partitions) -> Result<Self, Error> {
        settings.check_prefix()?;
        let mut store = Self {
            partitions,
            connection: Connection::new(settings.client()?),
            names: Names::new(&settings.stream_prefix),
            timeout: settings.timeout(),
            max_append_bytes: settings.max_append_bytes,
            origin: 0,
            log_id: String::new(),
            horizon: Arc::default(),
            known: Known::default(),
            tails: Tails::default(),
        };
        match store.set_up().await {
            Ok(()) => Ok(store),
            Err(Error::Unavailable(cause)) => Err(Error::Unavailable(
                NotReached {
                    servers: store.connection.servers(),
                    cause,
                }
                .into(),
            )),
            Err(error) => Err(error),
        }
    }

    /// The identity of the log: what was derived from it elsewhere holds for no other.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open a log at {servers}")]
struct NotReached {
    servers: String,
    #[source]
    cause: BoxError,
}

#[async_trait]
impl EventStore for EventStoreDb {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        self.append_all(appends).await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        self.read_all_streams(streams).await
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        self.read_page(kind, after, limit).await
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        // The server counts nothing: what is counted is read.
        let page = self.read_page(kind, after, most).await?;
        Ok(page.entries.len())
    }

    fn tails(&self) -> &Tails {
        &self.tails
    }

    async fn ping(&self) -> Result<(), Error> {
        let last = self.connection.last_event(self.timeout).await;
        last.map(drop).map_err(translate)
    }

    fn partitions(&self) -> Partitions {
        self.partitions
    }
}

#[async_trait]
impl Checkpoints for EventStoreDb {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.load(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.save(reader, checkpoint).await
    }
}
