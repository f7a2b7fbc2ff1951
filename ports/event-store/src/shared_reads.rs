//! What several readers of a log read at the same time is read once.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::Partitions;
use quick_cache::sync::Cache;

use crate::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, StreamKind,
    StreamName, WakeUp,
};

/// How many pages are kept: readers follow the log closely behind each other.
const PAGES: usize = 16;

/// A store whose log is read once for all readers in a process that follow it.
///
/// Readers that are woken by the same entries ask for the same page. What was read of a log stays so, and
/// may be handed to whoever asks next; an empty page says only what was so at that moment, and is not.
pub struct SharedReads {
    inner: Arc<dyn EventStore>,
    pages: Cache<Place, Arc<Page>>,
}

/// Where a page begins, and how much of it was asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    kind: StreamKind,
    after: Cursor,
    limit: usize,
}

impl SharedReads {
    /// Shares what is read of this store.
    #[must_use]
    pub fn of(inner: Arc<dyn EventStore>) -> Self {
        Self {
            inner,
            pages: Cache::new(PAGES),
        }
    }
}

#[async_trait]
impl EventStore for SharedReads {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        self.inner.append(appends).await
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        self.inner.read_streams(streams).await
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
        let place = Place {
            kind: kind.clone(),
            after: after.clone(),
            limit,
        };
        // Whoever asks while another reads waits for that, and reads itself where it came to nothing.
        let guard = match self.pages.get_value_or_guard_async(&place).await {
            Ok(page) => return Ok(Page::clone(&page)),
            Err(guard) => guard,
        };
        let page = self.inner.read_log(kind, after, limit).await?;
        if !page.entries.is_empty() {
            // Where it was removed meanwhile, the next reader reads again.
            let _ = guard.insert(Arc::new(page.clone()));
        }
        Ok(page)
    }

    async fn count_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        most: usize,
    ) -> Result<usize, Error> {
        self.inner.count_log(kind, after, most).await
    }

    fn wake_ups(&self, kind: &StreamKind) -> WakeUp {
        self.inner.wake_ups(kind)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.inner.ping().await
    }

    fn partitions(&self) -> Partitions {
        self.inner.partitions()
    }
}

#[async_trait]
impl Checkpoints for SharedReads {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.inner.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.inner.save_checkpoint(reader, checkpoint).await
    }
}
