//! A store that stops at a chosen moment, as a process does that is killed there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, StreamKind,
    StreamName, WakeUp,
};
use tokio::sync::Notify;

/// Where it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The n-th append (from 0) is not stored, and never answered.
    BeforeAppend(usize),
    /// The n-th append is stored, and never answered.
    AfterAppend(usize),
    /// The n-th append is stored, and answered as if its outcome were unknown; it goes on then.
    UnknownOutcome(usize),
    /// Checkpoints are never saved.
    NoCheckpoints,
}

/// A store over another, which stops at its cut: from there on no append is answered any more.
pub struct FaultyStore {
    inner: Arc<dyn EventStore>,
    cut: Cut,
    appends: AtomicUsize,
    stopped: Notify,
}

impl FaultyStore {
    /// A store that will stop at `cut`.
    #[must_use]
    pub fn new(inner: Arc<dyn EventStore>, cut: Cut) -> Self {
        Self {
            inner,
            cut,
            appends: AtomicUsize::new(0),
            stopped: Notify::new(),
        }
    }

    /// Returns once it has stopped.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    async fn stop(&self) -> ! {
        self.stopped.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl EventStore for FaultyStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        let n = self.appends.fetch_add(1, Ordering::SeqCst);
        match self.cut {
            Cut::BeforeAppend(at) if n >= at => self.stop().await,
            Cut::AfterAppend(at) if n > at => self.stop().await,
            Cut::AfterAppend(at) if n == at => {
                self.inner.append(appends).await?;
                self.stop().await
            }
            Cut::UnknownOutcome(at) if n == at => {
                self.inner.append(appends).await?;
                Err(Error::Unavailable("the connection was lost".into()))
            }
            Cut::BeforeAppend(_)
            | Cut::AfterAppend(_)
            | Cut::UnknownOutcome(_)
            | Cut::NoCheckpoints => self.inner.append(appends).await,
        }
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
        self.inner.read_log(kind, after, limit).await
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
impl Checkpoints for FaultyStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.inner.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        if self.cut == Cut::NoCheckpoints {
            return Err(Error::Unavailable(
                "checkpoints are not saved in this test".into(),
            ));
        }
        self.inner.save_checkpoint(reader, checkpoint).await
    }
}
