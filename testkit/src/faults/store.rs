//! A store, and a place for indexes, with faults.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, StreamKind,
    StreamName, Tails,
};

use super::operation::AT;
use super::{Faults, Kind};

pub(super) struct FaultyStore {
    pub(super) faults: Arc<Faults>,
    pub(super) inner: Arc<dyn EventStore>,
}

#[async_trait]
impl EventStore for FaultyStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        // Where it is decided anew, times and ids are others.
        let places = appends.iter();
        let places = places.map(|append| format!("{} behind {}", append.stream, append.expected));
        let identity = places.collect::<Vec<_>>().join(", ");
        let append = self.inner.append(appends);
        self.faults
            .perform(Kind::Append, identity, Error::Unavailable, append)
            .await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        self.faults.read(self.inner.read_streams(streams)).await
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let read = self.inner.read_log(kind, after, limit);
        let page = self.faults.read(read).await?;
        self.faults.looked(!page.entries.is_empty());
        Ok(page)
    }

    async fn follow_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let read = self.inner.follow_log(kind, after, limit);
        let page = self.faults.read(read).await?;
        self.faults.looked(!page.entries.is_empty());
        Ok(page)
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        let count = self.inner.count_log(kind, after, most);
        self.faults.read(count).await
    }

    fn tails(&self) -> &Tails {
        self.inner.tails()
    }

    async fn ping(&self) -> Result<(), Error> {
        self.faults.read(self.inner.ping()).await
    }

    fn partitions(&self) -> Partitions {
        self.inner.partitions()
    }
}

#[async_trait]
impl Checkpoints for FaultyStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.faults.read(self.inner.load_checkpoint(reader)).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let save = self.inner.save_checkpoint(reader, checkpoint);
        let identity = identity(reader, checkpoint);
        self.faults
            .perform(Kind::SaveCheckpoint, identity, Error::Unavailable, save)
            .await
    }
}

pub(super) struct FaultyIndexes {
    pub(super) faults: Arc<Faults>,
    pub(super) inner: Arc<dyn Checkpoints>,
}

#[async_trait]
impl Checkpoints for FaultyIndexes {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.faults.read(self.inner.load_checkpoint(reader)).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let save = self.inner.save_checkpoint(reader, checkpoint);
        let identity = identity(reader, checkpoint);
        self.faults
            .perform(Kind::SaveIndex, identity, Error::Unavailable, save)
            .await
    }
}

fn identity(reader: &str, checkpoint: &Checkpoint) -> String {
    let positions = checkpoint.partitions.values();
    let positions: Vec<_> = positions.map(|(position, _)| position.0).collect();
    format!("{reader}{AT}{positions:?}")
}
