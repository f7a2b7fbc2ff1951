//! Deadlines: an index of those that are pending, rebuilt from the log, and the inputs that say that
//! one is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contracts::{Partition, Partitions, ServiceName};
use event_store::{Checkpoint, Checkpoints, Cursor, Entry, EventStore, StreamKind};
use jiff::Timestamp;
use serde_json::value::to_raw_value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn, warn_span};

use crate::handler::chain;
use crate::input::PendingDeadline;
use crate::{Backoff, Clock, Inbox, Input, Settings};

/// The pending deadlines of the streams of one kind, as their log tells of them.
#[derive(Debug, Default)]
pub struct DeadlineIndex {
    /// By partition, instance and name.
    pending: BTreeMap<(Partition, String, String), PendingDeadline>,
    /// Those that have not been reported as over, the next one first.
    queue: BTreeSet<(Timestamp, Partition, String, String)>,
}

impl DeadlineIndex {
    /// The index as it was saved, and where to read on. Where a partition cannot be read, it begins anew
    /// from the log.
    #[must_use]
    pub fn restore(checkpoint: Checkpoint, partitions: Partitions) -> (Self, Cursor) {
        let mut index = Self::default();
        let mut cursor = Cursor::start(partitions);
        for (partition, (position, state)) in checkpoint.partitions {
            let Some(state) = state else { continue };
            match serde_json::from_str::<Vec<PendingDeadline>>(state.get()) {
                Ok(deadlines) => {
                    for deadline in deadlines {
                        index.insert(partition, deadline);
                    }
                    cursor.advance(partition, position);
                }
                Err(error) => {
                    warn!(%partition, %error, "the saved deadlines cannot be read: rebuilding them from the log");
                }
            }
        }
        (index, cursor)
    }

    /// What to save of the index, which has been read up to `cursor`.
    #[must_use]
    pub fn checkpoint(&self, cursor: &Cursor) -> Checkpoint {
        let partitions = cursor.iter().map(|(partition, position)| {
            let state = to_raw_value(&self.of(partition)).ok();
            (partition, (position, state))
        });
        Checkpoint {
            partitions: partitions.collect(),
        }
    }

    /// Takes in the next entry of the log.
    pub fn apply(&mut self, entry: &Entry) {
        let metadata = &entry.content.metadata;
        let instance = entry.stream.instance();
        for name in &metadata.deadlines_cleared {
            self.remove(entry.partition, instance, name);
        }
        for (name, due) in &metadata.deadlines_set {
            self.remove(entry.partition, instance, name);
            self.insert(
                entry.partition,
                PendingDeadline {
                    instance: instance.to_owned(),
                    name: name.clone(),
                    due: *due,
                    set_by: entry.content.id,
                    correlation_id: metadata.correlation_id,
                    traceparent: metadata.traceparent.clone(),
                },
            );
        }
    }

    fn insert(&mut self, partition: Partition, deadline: PendingDeadline) {
        let (instance, name) = (deadline.instance.clone(), deadline.name.clone());
        self.queue
            .insert((deadline.due, partition, instance.clone(), name.clone()));
        self.pending.insert((partition, instance, name), deadline);
    }

    fn remove(&mut self, partition: Partition, instance: &str, name: &str) {
        let key = (partition, instance.to_owned(), name.to_owned());
        if let Some(deadline) = self.pending.remove(&key) {
            self.queue.remove(&(deadline.due, partition, key.1, key.2));
        }
    }

    /// Takes out of the queue what is over at `now`, at most `max`. It stays pending until the log
    /// says otherwise.
    pub fn take_due(&mut self, now: Timestamp, max: usize) -> Vec<PendingDeadline> {
        let mut due = Vec::new();
        while due.len() < max
            && let Some(first) = self.queue.first()
            && first.0 <= now
            && let Some((_, partition, instance, name)) = self.queue.pop_first()
        {
            due.extend(self.pending.get(&(partition, instance, name)).cloned());
        }
        due
    }

    /// Puts back what could not be reported.
    pub fn put_back(&mut self, partition: Partition, deadline: PendingDeadline) {
        if self
            .pending
            .get(&(partition, deadline.instance.clone(), deadline.name.clone()))
            == Some(&deadline)
        {
            self.insert(partition, deadline);
        }
    }

    /// When the next of those that have not been reported is over.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.first().map(|first| first.0)
    }

    /// What to save of one partition.
    fn of(&self, partition: Partition) -> Vec<&PendingDeadline> {
        self.pending
            .iter()
            .filter(|((p, ..), _)| *p == partition)
            .map(|(_, d)| d)
            .collect()
    }
}

/// Watches the deadlines of one service.
pub(crate) struct Deadlines {
    pub(crate) service: ServiceName,
    pub(crate) kind: StreamKind,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) indexes: Arc<dyn Checkpoints>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Inbox,
    pub(crate) settings: Settings,
}

/// How often the index is saved, at most: what was not saved is read again from the log.
const SAVE_EVERY: Duration = Duration::from_secs(5);

impl Deadlines {
    /// Reports deadlines that are over, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let reader = format!("deadlines/{}", self.service);
        let mut wake_up = self.store.wake_ups(&self.kind);
        let poll = Duration::from_millis(self.settings.poll_interval_ms);
        let mut backoff = Backoff::for_servers();
        let Some((mut index, mut cursor)) = self.load(&reader, &stop).await else {
            return;
        };
        let mut unsaved = false;
        let mut saved_at = Instant::now();
        let mut caught_up = false;
        while !stop.is_cancelled() {
            let read = tokio::select! {
                () = stop.cancelled() => break,
                read = self.catch_up(&mut index, &mut cursor) => read,
            };
            let more = match read {
                Ok(more) => more,
                Err(error) => {
                    warn!(service = %self.service, error = chain(&error), "cannot read deadlines now: trying again");
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
            let due = index.take_due(self.clock.now(), most);
            if !due.is_empty() {
                if !self.report(&mut index, due).await {
                    backoff.wait().await;
                }
                continue;
            }
            if unsaved && saved_at.elapsed() >= SAVE_EVERY {
                self.save(&reader, &index, &cursor).await;
                unsaved = false;
                saved_at = Instant::now();
            }
            if more {
                continue;
            }
            let next_due = async {
                match index.next_due() {
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
            self.save(&reader, &index, &cursor).await;
        }
    }

    async fn load(
        &self,
        reader: &str,
        stop: &CancellationToken,
    ) -> Option<(DeadlineIndex, Cursor)> {
        let mut backoff = Backoff::for_servers();
        loop {
            match self.indexes.load_checkpoint(reader).await {
                Ok(checkpoint) => {
                    let partitions = self.store.partitions();
                    let span = warn_span!("restore", service = %self.service);
                    return Some(span.in_scope(|| DeadlineIndex::restore(checkpoint, partitions)));
                }
                Err(error) => {
                    warn!(service = %self.service, error = chain(&error), "cannot load deadlines now: trying again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = backoff.wait() => {}
            }
        }
    }

    /// Reads on by a page; whether there was anything.
    async fn catch_up(
        &self,
        index: &mut DeadlineIndex,
        cursor: &mut Cursor,
    ) -> Result<bool, event_store::Error> {
        let limit = self.settings.max_batch * 4;
        let page = self.store.read_log(&self.kind, cursor, limit).await?;
        for entry in &page.entries {
            index.apply(entry);
        }
        *cursor = page.cursor;
        Ok(!page.entries.is_empty())
    }

    /// Hands in that these are over; whether all of them were taken.
    async fn report(&self, index: &mut DeadlineIndex, due: Vec<PendingDeadline>) -> bool {
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
                index.put_back(partition, deadline);
            }
        }
        all
    }

    async fn save(&self, reader: &str, index: &DeadlineIndex, cursor: &Cursor) {
        let checkpoint = index.checkpoint(cursor);
        if let Err(error) = self.indexes.save_checkpoint(reader, &checkpoint).await {
            warn!(service = %self.service, error = chain(&error), "cannot save deadlines now");
        }
    }
}
