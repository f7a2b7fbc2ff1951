//! An event store in an SQLite file: the embedded default.
//!
//! It never answers that something is stored before it is on the disk, and never blocks a reader
//! while it writes. Start with [`SqliteEventStore::open`].

mod checkpoints;
mod error;
mod open;
mod read;
mod remove;
mod write;
mod writer;

use std::path::PathBuf;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, Removal,
    RemoveStreams, Removed, StreamKind, StreamName, Tails,
};
use serde::Deserialize;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::oneshot;

pub use checkpoints::SqliteCheckpoints;

use crate::writer::{Pause, Work, Writer};

/// Where the log is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file; it is created where there is none, and its folder too.
    pub path: PathBuf,
}

/// A log in a file. Several programs may open the same file.
#[derive(Debug)]
pub struct SqliteEventStore {
    partitions: Partitions,
    options: SqliteConnectOptions,
    readers: SqlitePool,
    writer: Writer,
    tails: Tails,
}

impl SqliteEventStore {
    /// Opens the file, and sets it up where it is new.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file cannot be opened or is locked; [`Error::Refused`] with
    /// [`event_store::PartitionsDiffer`] when it was set up with another number of partitions; [`Error::Corrupt`]
    /// when it is no database.
    pub async fn open(settings: &Settings, partitions: Partitions) -> Result<Self, Error> {
        let options = open::options(&settings.path);
        open::set_up(&options, Some(partitions)).await?;
        Ok(Self {
            partitions,
            readers: open::readers(&options),
            writer: Writer::start(options.clone()),
            options,
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
        self.append_pausing(appends, Some(Pause { reached, release }))
            .await
    }

    async fn append_pausing(
        &self,
        appends: &[Append],
        pause: Option<Pause>,
    ) -> Result<Vec<Appended>, Error> {
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        let work = Work::Append(write::prepare(appends, self.partitions)?);
        let written = self.writer.run(work, pause).await?;
        let (outcomes, places): (Vec<_>, Vec<_>) = written.into_iter().unzip();
        self.tails
            .stored(self.partitions, appends, &outcomes, &places);
        Ok(outcomes)
    }
}

#[async_trait]
impl EventStore for SqliteEventStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        self.append_pausing(appends, None).await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        read::streams(&self.readers, streams).await
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let entries = read::log(&self.readers, kind, after, limit).await?;
        Ok(Page::behind(after, entries, limit))
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        read::count(&self.readers, kind, after, most).await
    }

    fn tails(&self) -> &Tails {
        &self.tails
    }

    async fn ping(&self) -> Result<(), Error> {
        read::ping(&self.readers).await
    }

    fn partitions(&self) -> Partitions {
        self.partitions
    }
}

#[async_trait]
impl Checkpoints for SqliteEventStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        read::checkpoint(&self.readers, reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let work = Work::SaveCheckpoint(write::prepare_checkpoint(reader, checkpoint));
        self.writer.run(work, None).await.map(drop)
    }
}

#[async_trait]
impl RemoveStreams for SqliteEventStore {
    async fn remove_streams(&self, removals: &[Removal]) -> Result<Vec<Removed>, Error> {
        remove::streams(&self.options, removals).await
    }
}
