//! The store as an instance sees it: each call waits until the scheduler lets it through, with what is
//! to become of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use contracts::Partitions;
use event_store::{
    Append, Appended, Checkpoint, Checkpoints, Cursor, Entry, Error, EventStore, Page, StreamKind,
    StreamName, Tails,
};
use event_store_memory::MemoryEventStore;

/// What an instance wants of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Append,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is done, and answered.
    Done,
    /// It is not done, and the answer says that nobody knows.
    NotDone,
    /// It is done, and the answer says that nobody knows.
    AnswerLost,
    /// The answer says that nobody knows, and it is done some time later.
    DoneLater,
}

/// Between one instance and the scheduler.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    waits: Option<Call>,
    verdict: Option<Verdict>,
    /// Appends that are still on their way to the store.
    pub(crate) late: Vec<Vec<Append>>,
    /// How many appends met a conflict.
    pub(crate) conflicts: u64,
}

impl Gate {
    /// What the instance waits for, if it waits for the store.
    pub(crate) fn waits(&self) -> Option<Call> {
        self.waits
    }

    /// Lets the call through that waits.
    pub(crate) fn let_through(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
    }

    /// Whoever waited here is gone.
    pub(crate) fn forget(&mut self) {
        (self.waits, self.verdict) = (None, None);
    }
}

/// A store over another, with a gate before it.
pub(crate) struct GatedStore {
    pub(crate) inner: Arc<MemoryEventStore>,
    pub(crate) gate: Arc<Mutex<Gate>>,
}

/// What a gate holds; nobody panics while holding it.
pub(crate) fn open(gate: &Mutex<Gate>) -> MutexGuard<'_, Gate> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GatedStore {
    /// Returns once the scheduler has let the call through.
    async fn pass(&self, call: Call) -> Verdict {
        std::future::poll_fn(|_| {
            // Nobody needs to be woken: the scheduler asks again when it has decided.
            let mut gate = open(&self.gate);
            match gate.verdict.take() {
                Some(verdict) => {
                    gate.waits = None;
                    Poll::Ready(verdict)
                }
                None => {
                    gate.waits = Some(call);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

fn unknown() -> Error {
    Error::Unavailable("the connection was lost".into())
}

#[async_trait]
impl EventStore for GatedStore {
    async fn append(&self, appends: &[Append]) -> Result<Vec<Appended>, Error> {
        match self.pass(Call::Append).await {
            Verdict::NotDone => Err(unknown()),
            Verdict::DoneLater => {
                open(&self.gate).late.push(appends.to_vec());
                Err(unknown())
            }
            Verdict::AnswerLost => {
                self.inner.append(appends).await?;
                Err(unknown())
            }
            Verdict::Done => {
                let outcomes = self.inner.append(appends).await?;
                let conflict = |outcome: &&Appended| matches!(outcome, Appended::Conflict { .. });
                let conflicts = outcomes.iter().filter(conflict).count();
                open(&self.gate).conflicts += conflicts as u64;
                Ok(outcomes)
            }
        }
    }

    async fn read_streams(&self, streams: &[StreamName]) -> Result<Vec<Vec<Entry>>, Error> {
        match self.pass(Call::Read).await {
            Verdict::Done => self.inner.read_streams(streams).await,
            Verdict::NotDone | Verdict::AnswerLost | Verdict::DoneLater => Err(unknown()),
        }
    }

    async fn read_log(
        &self,
        kind: &StreamKind,
        after: &Cursor,
        limit: usize,
    ) -> Result<Page, Error> {
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

    fn tails(&self) -> &Tails {
        self.inner.tails()
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }

    fn partitions(&self) -> Partitions {
        self.inner.partitions()
    }
}

#[async_trait]
impl Checkpoints for GatedStore {
    async fn load_checkpoint(&self, reader: &str) -> Result<Checkpoint, Error> {
        self.inner.load_checkpoint(reader).await
    }

    async fn save_checkpoint(&self, reader: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.inner.save_checkpoint(reader, checkpoint).await
    }
}
