//! An event store in PostgreSQL.
//!
//! It never holds a lock, or anything else, on the server beyond one statement, so that it works
//! behind a connection pooler too. Start with [`PostgresEventStore::connect`], and with
//! `longhaul_append_placed` in `migrations/`, where the rules of appending are kept.

mod append;
mod checkpoints;
mod database;
mod error;
mod read;
mod remove;
mod set_up;
mod settings;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, Removal,
    RemoveStreams, Removed, StreamKind, StreamName, Tails,
};
use sqlx::postgres::PgRow;
use tokio::sync::oneshot;

pub use checkpoints::PostgresCheckpoints;
pub use error::TimedOut;
pub use settings::Settings;

use crate::database::Database;

/// A log in a database. Several programs may use the same one.
#[derive(Debug)]
pub struct PostgresEventStore {
    partitions: Partitions,
    database: Database,
    tails: Tails,
}

impl PostgresEventStore {
    /// Connects, and sets the database up where it is new.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be reached: try again. [`Error::Refused`]
    /// when the URL is not valid, or, with [`event_store::PartitionsDiffer`], when the database was set up with
    /// another number of partitions.
    pub async fn connect(settings: &Settings, partitions: Partitions) -> Result<Self, Error> {
        let options = settings.options()?;
        set_up::set_up(&options, settings.timeout(), Some(partitions)).await?;
        Ok(Self {
            partitions,
            database: Database::new(options, settings)?,
            tails: Tails::default(),
        })
    }

    /// An append that stops between taking its positions and becoming visible, for tests.
    ///
    /// # Errors
    /// Those of [`EventStore::append`].
    #[doc(hidden)]
    pub async fn append_held(
        &self,
        appends: &[Append],
        reached: oneshot::Sender<()>,
        release: oneshot::Receiver<()>,
    ) -> Result<Vec<Appended>, Error> {
        let query = append::query(appends, self.partitions)?;
        let rows = self.database.fetch_held(query, reached, release).await?;
        self.stored(appends, &rows)
    }

    /// What became of each append, which those who follow the log are told of too.
    fn stored(&self, appends: &[Append], rows: &[PgRow]) -> Result<Vec<Appended>, Error> {
        let (outcomes, places) = append::outcomes(appends, self.partitions, rows)?;
        self.tails
            .stored(self.partitions, appends, &outcomes, &places);
        Ok(outcomes)
    }
}

#[async_trait]
impl EventStore for PostgresEventStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .database
            .fetch(append::query(appends, self.partitions)?)
            .await?;
        self.stored(appends, &rows)
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        if streams.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.database.fetch(read::streams_query(streams)).await?;
        read::streams(streams, &rows)
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let rows = self
            .database
            .fetch(read::log_query(kind, after, limit))
            .await?;
        read::log(after, limit, &rows)
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        let query = read::count_query(kind, after, most);
        read::count(&self.database.fetch(query).await?, most)
    }

    fn tails(&self) -> &Tails {
        &self.tails
    }

    async fn ping(&self) -> Result<(), Error> {
        self.database.fetch(sqlx::query("select 1")).await.map(drop)
    }

    fn partitions(&self) -> Partitions {
        self.partitions
    }
}

#[async_trait]
impl Checkpoints for PostgresEventStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.database.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.database.save_checkpoint(reader, checkpoint).await
    }
}

#[async_trait]
impl RemoveStreams for PostgresEventStore {
    async fn remove_streams(&self, removals: &[Removal]) -> Result<Vec<Removed>, Error> {
        if removals.is_empty() {
            return Ok(Vec::new());
        }
        let query = remove::query(removals, self.partitions)?;
        remove::outcomes(removals, &self.database.fetch(query).await?)
    }
}
