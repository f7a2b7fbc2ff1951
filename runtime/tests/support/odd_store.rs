//! A store that is not as stores usually are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, StreamKind,
    StreamName, Tails,
};

/// A store that does as it is told to beside what the store within does.
pub struct OddStore {
    pub inner: Arc<dyn EventStore>,
    pub appends: AtomicUsize,
    /// The instance of which it stores nothing.
    pub refuses: &'static str,
    /// The most bytes of an append that it stores.
    pub largest_bytes: usize,
    /// The instance whose stream it cannot read.
    pub cannot_read: &'static str,
    /// How many appends it does not answer.
    pub away_for: AtomicUsize,
    /// So many times it reads streams as they were before anything was stored.
    pub reads_before: AtomicUsize,
    /// How many streams were read.
    pub read: AtomicUsize,
}

impl OddStore {
    pub fn over(inner: &Arc<dyn EventStore>) -> Self {
        Self {
            inner: inner.clone(),
            appends: AtomicUsize::new(0),
            refuses: "nobody",
            largest_bytes: usize::MAX,
            cannot_read: "nobody",
            away_for: AtomicUsize::new(0),
            reads_before: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl EventStore for OddStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        if appends
            .iter()
            .any(|append| append.stream.instance() == self.refuses)
        {
            return Err(Error::Refused("not this".into()));
        }
        if appends
            .iter()
            .any(|append| size_bytes(append) > self.largest_bytes)
        {
            return Err(Error::Refused("too large".into()));
        }
        if one_more(&self.away_for) {
            return Err(Error::Unavailable("gone for a moment".into()));
        }
        self.inner.append(appends).await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        self.read.fetch_add(streams.len(), Ordering::SeqCst);
        if streams.iter().any(|s| s.instance() == self.cannot_read) {
            return Err(Error::Corrupt("a part of it is gone".into()));
        }
        if one_more(&self.reads_before) {
            return Ok(vec![Vec::new(); streams.len()]);
        }
        self.inner.read_streams(streams).await
    }

    async fn read_log(&self, k: &StreamKind, c: &Cursor, l: usize) -> Result<Page, Error> {
        self.inner.read_log(k, c, l).await
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        self.inner.count_log(kind, after, most).await
    }

    fn tails(&self) -> &Tails {
        self.inner.tails()
    }

    async fn ping(&self) -> Result<(), Error> {
        self.inner.ping().await
    }

    fn partitions(&self) -> Partitions {
        self.inner.partitions()
    }
}

#[async_trait]
impl Checkpoints for OddStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.inner.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.inner.save_checkpoint(reader, checkpoint).await
    }
}

fn size_bytes(append: &Append) -> usize {
    let entries = append.entries.iter();
    entries.map(|entry| entry.data.get().len()).sum()
}

/// Whether there is one left, which is then taken.
fn one_more(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
        .is_ok()
}
