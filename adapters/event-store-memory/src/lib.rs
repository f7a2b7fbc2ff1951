//! An event store in memory, for tests and trials.
//!
//! It never outlives its process, and keeps every promise of the port but durability. Start with
//! [`MemoryEventStore::new`].

mod log;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, Removal,
    RemoveStreams, Removed, StreamKind, StreamName, Tails,
};
use tokio::sync::{Mutex, RwLock, oneshot};

use crate::log::Log;

/// A log that lives as long as this value. Share it in an `Arc`.
#[derive(Debug)]
pub struct MemoryEventStore {
    partitions: Partitions,
    /// Held from the check of the versions until the entries are visible: one append at a time.
    appending: Mutex<()>,
    log: RwLock<Log>,
    tails: Tails,
}

impl MemoryEventStore {
    /// An empty log.
    #[must_use]
    pub fn new(partitions: Partitions) -> Self {
        Self {
            partitions,
            appending: Mutex::default(),
            log: RwLock::default(),
            tails: Tails::default(),
        }
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
        self.append_pausing(appends, Some((reached, release))).await
    }

    async fn append_pausing(
        &self,
        appends: &[Append],
        pause: Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>,
    ) -> Result<Vec<Appended>, Error> {
        let _one_at_a_time = self.appending.lock().await;
        let (outcomes, places, entries) = self.log.read().await.prepare(appends, self.partitions);
        if let Some((reached, release)) = pause {
            // Whoever dropped the other end does not want to be told, or to hold any longer.
            let _ = reached.send(());
            let _ = release.await;
        }
        self.log.write().await.add(entries);
        self.tails
            .stored(self.partitions, appends, &outcomes, &places);
        Ok(outcomes)
    }
}

#[async_trait]
impl EventStore for MemoryEventStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        self.append_pausing(appends, None).await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        let log = self.log.read().await;
        Ok(streams.iter().map(|stream| log.stream(stream)).collect())
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let entries = self.log.read().await.after(kind, after, limit);
        Ok(Page::behind(after, entries, limit))
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        Ok(self.log.read().await.count(kind, after, most))
    }

    fn tails(&self) -> &Tails {
        &self.tails
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }

    fn partitions(&self) -> Partitions {
        self.partitions
    }
}

#[async_trait]
impl Checkpoints for MemoryEventStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        Ok(self.log.read().await.checkpoint(reader))
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.log.write().await.save_checkpoint(reader, checkpoint);
        Ok(())
    }
}

#[async_trait]
impl RemoveStreams for MemoryEventStore {
    async fn remove_streams(&self, removals: &[Removal]) -> Result<Vec<Removed>, Error> {
        let _one_at_a_time = self.appending.lock().await;
        let mut log = self.log.write().await;
        Ok(removals.iter().map(|removal| log.remove(removal)).collect())
    }
}
