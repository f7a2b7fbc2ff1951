//! What is kept beside the log, and rebuilt from it: the indexes of one service, the reader that feeds both
//! in one pass over its log, and the inputs that say that a deadline is over.

use std::sync::Arc;
use std::time::Duration;

use contracts::{Partition, Partitions, ServiceName};
use event_store::{
    Checkpoint, Checkpoints, Cursor, Entry, EventStore, StreamKind, UNREADABLE, readers,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn, warn_span};

use crate::deadlines::DeadlineIndex;
use crate::followed::Followed;
use crate::handler::chain;
use crate::input::PendingDeadline;
use crate::parked::{ParkedIndex, ParkedInstance, ParkedInstances};
use crate::share::Share;
use crate::{Backoff, Clock, Inbox, Input, Settings};

/// The indexes over the log of one kind of streams.
#[derive(Debug, Default)]
pub struct Indexes {
    /// The deadlines that are pending.
    pub deadlines: DeadlineIndex,
    /// The instances that are parked.
    pub parked: ParkedIndex,
}

/// What is saved of one partition.
#[derive(Serialize, Deserialize)]
struct Saved<D, P> {
    deadlines: Vec<D>,
    parked: Vec<P>,
}

impl Indexes {
    /// The indexes as they were saved, and where to read on. Where a partition cannot be read, it begins
    /// anew from the log.
    #[must_use]
    pub fn restore(checkpoint: Checkpoint, partitions: Partitions) -> (Self, Cursor) {
        let mut indexes = Self::default();
        let mut cursor = Cursor::start(partitions);
        for (partition, (position, state)) in checkpoint.partitions {
            let Some(state) = state else { continue };
            match serde_json::from_str::<Saved<PendingDeadline, ParkedInstance>>(state.get()) {
                Ok(saved) => {
                    for deadline in saved.deadlines {
                        indexes.deadlines.insert(partition, deadline);
                    }
                    for parked in saved.parked {
                        indexes.parked.insert(partition, parked);
                    }
                    cursor.advance(partition, position);
                }
                Err(error) => {
                    warn!(%partition, %error, "the saved indexes cannot be read: rebuilding them from the log");
                }
            }
        }
        (indexes, cursor)
    }

    /// What to save of the indexes, which have been read up to `cursor`.
    #[must_use]
    pub fn checkpoint(&self, cursor: &Cursor) -> Checkpoint {
        let partitions = cursor.iter().map(|(partition, position)| {
            let saved = Saved {
                deadlines: self.deadlines.of(partition),
                parked: self.parked.of(partition),
            };
            (partition, (position, to_raw_value(&saved).ok()))
        });
        Checkpoint {
            partitions: partitions.collect(),
        }
    }

    /// Takes in the next entry of the log.
    pub fn apply(&mut self, entry: &Entry) {
        self.deadlines.apply(entry);
        self.parked.apply(entry);
    }
}

/// Follows the log of one service, and says when its deadlines are over.
pub(crate) struct IndexReader {
    pub(crate) service: ServiceName,
    pub(crate) kind: StreamKind,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) checkpoints: Arc<dyn Checkpoints>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Inbox,
    pub(crate) settings: Settings,
    pub(crate) share: Share,
    pub(crate) parked: ParkedInstances,
    pub(crate) followed: Followed,
}

impl IndexReader {
    /// Reports deadlines that are over, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let reader = readers::indexes(&self.service);
        let mut wake_up = self.store.wake_ups(&self.kind);
        let poll = Duration::from_millis(self.settings.poll_interval_ms);
        let save_every = Duration::from_millis(self.settings.index_interval_ms);
        let patience = |partition: Partition| {
            SignedDuration::try_from(self.share.patience(partition)).unwrap_or_default()
        };
        let mut backoff = Backoff::for_servers();
        let Some(mut cursor) = self.load(&reader, &stop).await else {
            return;
        };
        let mut unsaved = false;
        let mut saved_at = Instant::now();
        let mut caught_up = false;
        while !stop.is_cancelled() {
            let read = tokio::select! {
                () = stop.cancelled() => break,
                read = self.catch_up(&mut cursor) => read,
            };
            let more = match read {
                Ok(more) => more,
                Err(error) => {
                    warn!(service = %self.service, error = chain(&error), "cannot follow the log now: trying again");
                    backoff.wait().await;
                    continue;
                }
            };
            backoff.reset();
            // What was saved may be long over: the log is read to its end once. From then on deadlines are
            // looked at after each page, so that a log that grows fast does not keep them waiting.
            caught_up |= !more;
            unsaved |= more;
            let most = if caught_up {
                self.settings.max_batch
            } else {
                0
            };
            if caught_up {
                self.followed.reached(&cursor);
                self.parked.complete();
            }
            let now = self.clock.now();
            let due = self
                .parked
                .indexes()
                .deadlines
                .take_due(now, most, patience);
            if !due.is_empty() {
                if !self.report(due).await {
                    backoff.wait().await;
                }
                continue;
            }
            if unsaved && saved_at.elapsed() >= save_every {
                self.save(&reader, &cursor).await;
                unsaved = false;
                saved_at = Instant::now();
            }
            if more {
                continue;
            }
            let next_due = self.parked.indexes().deadlines.next_due(patience);
            let next_due = async {
                match next_due {
                    Some(time) => self.clock.sleep_until(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = wake_up.woken() => {}
                () = next_due => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
        if unsaved {
            self.save(&reader, &cursor).await;
        }
    }

    /// Takes over what was saved; where to read on.
    async fn load(&self, reader: &str, stop: &CancellationToken) -> Option<Cursor> {
        let mut backoff = Backoff::for_servers();
        loop {
            match self.checkpoints.load_checkpoint(reader).await {
                Ok(checkpoint) => {
                    let partitions = self.store.partitions();
                    let span = warn_span!("restore", service = %self.service);
                    let (indexes, cursor) =
                        span.in_scope(|| Indexes::restore(checkpoint, partitions));
                    *self.parked.indexes() = indexes;
                    return Some(cursor);
                }
                Err(error) => {
                    warn!(service = %self.service, error = chain(&error), "cannot load the indexes now: trying again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = backoff.wait() => {}
            }
        }
    }

    /// Reads on by a page; whether there was anything.
    async fn catch_up(&self, cursor: &mut Cursor) -> Result<bool, event_store::Error> {
        let limit = self.settings.page();
        let page = self.store.follow_log(&self.kind, cursor, limit).await?;
        let mut indexes = self.parked.indexes();
        for entry in &page.entries {
            if entry.content.type_name == UNREADABLE {
                error!(service = %self.service, stream = %entry.stream, version = %entry.version, why = entry.content.data.get(), "an entry cannot be read: its instance takes nothing in until a person has looked");
            }
            indexes.apply(entry);
        }
        *cursor = page.cursor;
        Ok(!page.entries.is_empty())
    }

    /// Hands in that these are over; whether all of them were taken.
    async fn report(&self, due: Vec<PendingDeadline>) -> bool {
        let mut inputs = Vec::with_capacity(due.len());
        let mut reported = Vec::with_capacity(due.len());
        for deadline in due {
            match Input::deadline_passed(&self.service, &deadline) {
                Ok(input) => {
                    inputs.push(input);
                    reported.push(deadline);
                }
                Err(error) => error!(%error, "a deadline cannot be written as JSON"),
            }
        }
        let results = self.inbox.submit(inputs).await;
        let mut all = true;
        for (deadline, result) in reported.into_iter().zip(results) {
            if result.is_err() {
                all = false;
                let partition = self.store.partitions().of(&deadline.instance);
                let mut indexes = self.parked.indexes();
                indexes.deadlines.put_back(partition, deadline);
            }
        }
        all
    }

    async fn save(&self, reader: &str, cursor: &Cursor) {
        let checkpoint = self.parked.indexes().checkpoint(cursor);
        if let Err(error) = self.checkpoints.save_checkpoint(reader, &checkpoint).await {
            warn!(service = %self.service, error = chain(&error), "cannot save the indexes now");
        }
    }
}
