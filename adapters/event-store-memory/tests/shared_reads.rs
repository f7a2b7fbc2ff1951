//! Readers of one log share what they read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contracts::Partitions;
use event_store::contract::append;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, SharedReads,
    StreamKind, StreamName, WakeUp,
};
use event_store_memory::MemoryEventStore;

/// A store that counts how often its log is read.
struct Counted {
    inner: MemoryEventStore,
    reads: AtomicUsize,
}

#[async_trait]
impl EventStore for Counted {
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
        self.reads.fetch_add(1, Ordering::Relaxed);
        // Others ask in the meantime.
        tokio::task::yield_now().await;
        self.inner.read_log(kind, after, limit).await
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
impl Checkpoints for Counted {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.inner.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.inner.save_checkpoint(reader, checkpoint).await
    }
}

#[tokio::test]
async fn what_several_ask_for_at_once_is_read_once_and_what_is_not_there_is_looked_for_again() {
    let counted = Arc::new(Counted {
        inner: MemoryEventStore::new(Partitions::default()),
        reads: AtomicUsize::new(0),
    });
    let store = SharedReads::of(counted.clone());
    let kind = StreamKind::new("Process");
    let start = Cursor::start(store.partitions());
    let read = || async { store.read_log(&kind, &start, 10).await.unwrap() };

    assert!(read().await.entries.is_empty());
    store.append(&[append("A", 0, 2, "a")]).await.unwrap();
    let (one, other) = tokio::join!(read(), read());
    let later = read().await;
    assert_eq!(one.entries.len(), 2, "nothing is not remembered");
    for page in [other, later] {
        let ids = |page: &Page| -> Vec<_> { page.entries.iter().map(|e| e.content.id).collect() };
        assert_eq!(ids(&page), ids(&one));
        assert_eq!(page.cursor, one.cursor);
    }
    assert_eq!(counted.reads.load(Ordering::Relaxed), 2);

    // Behind it there is more, which nobody has read.
    store.append(&[append("A", 2, 1, "b")]).await.unwrap();
    let behind = store.read_log(&kind, &one.cursor, 10).await.unwrap();
    assert_eq!(behind.entries.len(), 1);
    assert_eq!(counted.reads.load(Ordering::Relaxed), 3);
}
