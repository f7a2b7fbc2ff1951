//! What is kept beside the log, and rebuilt from it: the indexes of one service, the reader that feeds both
//! in one pass over its log, and the inputs that say that a deadline is over.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use contracts::{Partition, Partitions, ServiceName};
use event_store::{
    Checkpoint, Checkpoints, Cursor, Entry, EventStore, Position, StreamKind, UNREADABLE, readers,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn, warn_span};

use crate::deadlines::DeadlineIndex;
use crate::entrusted::Entrusted;
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
    /// What was known of the partitions that are left to others; nothing of them stands in the indexes.
    stashed: Checkpoint,
}

/// What is saved of a partition: up to where, and the indexes.
type SavedAt = (Position, Option<Box<RawValue>>);

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
            if indexes.put(partition, state) {
                cursor.advance(partition, position);
            }
        }
        (indexes, cursor)
    }

    /// Takes in what was saved of a partition of which nothing is known; whether there was anything that
    /// can be read.
    fn put(&mut self, partition: Partition, state: Option<Box<RawValue>>) -> bool {
        let Some(state) = state else { return false };
        match serde_json::from_str::<Saved<PendingDeadline, ParkedInstance>>(state.get()) {
            Ok(saved) => {
                for deadline in saved.deadlines {
                    self.deadlines.insert(partition, deadline);
                }
                for parked in saved.parked {
                    self.parked.insert(partition, parked);
                }
                true
            }
            Err(error) => {
                warn!(%partition, %error, "the saved indexes cannot be read: rebuilding them from the log");
                false
            }
        }
    }

    /// Takes everything out of the indexes that concerns these partitions, until they are followed again.
    fn leave(&mut self, partitions: &Cursor) {
        self.stashed.advance(&self.checkpoint(partitions));
        for (partition, _) in partitions.iter() {
            self.deadlines.remove_all(partition);
            self.parked.remove_all(partition);
        }
    }

    /// The partitions that are left to others.
    fn left(&self) -> impl Iterator<Item = Partition> {
        self.stashed.partitions.keys().copied()
    }

    /// Takes a partition in again, as it was `saved` meanwhile or as it was known here, whichever is
    /// further; where to read on.
    fn resume(&mut self, partition: Partition, saved: Option<SavedAt>) -> Position {
        let stashed = self.stashed.partitions.remove(&partition);
        let mut known: Vec<SavedAt> = [stashed, saved].into_iter().flatten().collect();
        known.sort_by_key(|(position, _)| Reverse(*position));
        for (position, state) in known {
            if self.put(partition, state) {
                return position;
            }
        }
        Position::START
    }

    /// Whether they have all partitions.
    pub(crate) fn are_whole(&self) -> bool {
        self.stashed.partitions.is_empty()
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
        let mut entrusted = Entrusted::new(self.share.clone(), save_every);
        let mut asked = self.parked.asked();
        let mut is_asked = false;
        let mut followed = Cursor::default();
        while !stop.is_cancelled() {
            if asked.has_changed().unwrap_or(false) {
                asked.mark_unchanged();
                is_asked = true;
            }
            // Whoever asks what is parked asks for all of it.
            let left = if is_asked || !caught_up {
                Cursor::default()
            } else {
                entrusted.left()
            };
            let read = tokio::select! {
                () = stop.cancelled() => break,
                read = self.read_on(&reader, &mut cursor, &left, &mut entrusted) => read,
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
                for (partition, position) in cursor.iter().chain(left.iter()) {
                    followed.advance(partition, position);
                }
                self.followed.reached(&followed);
                self.parked.complete();
            }
            if !more && left.is_empty() {
                self.parked.answer(*asked.borrow());
                is_asked = false;
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
                _ = asked.changed() => asked.mark_changed(),
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

    /// Reads on by a page, but for what is left to others; whether there was anything.
    async fn read_on(
        &self,
        reader: &str,
        cursor: &mut Cursor,
        left: &Cursor,
        entrusted: &mut Entrusted,
    ) -> Result<bool, event_store::Error> {
        let leaving = cursor.iter().filter(|(partition, _)| left.has(*partition));
        let leaving: Cursor = leaving.collect();
        if !leaving.is_empty() {
            self.parked.indexes().leave(&leaving);
            entrusted.leave(&leaving);
            *cursor = cursor.without(&leaving);
        }
        let resuming = |it: &Partition| !left.has(*it);
        let resumes = self.parked.indexes().left().any(|it| resuming(&it));
        if resumes || entrusted.is_to_be_checked() {
            let mut saved = self.checkpoints.load_checkpoint(reader).await?;
            entrusted.check(&saved);
            let again: Vec<_> = self.parked.indexes().left().filter(resuming).collect();
            let mut resumed = Cursor::default();
            for partition in again {
                let saved = saved.partitions.remove(&partition);
                let position = self.parked.indexes().resume(partition, saved);
                entrusted.resume(partition);
                resumed.advance(partition, position);
            }
            // Before any of their deadlines is reported: what was saved may be long over.
            let read = loop {
                match self.catch_up(&mut resumed).await {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            for (partition, position) in resumed.iter() {
                cursor.advance(partition, position);
            }
            read?;
        }
        self.catch_up(cursor).await
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

#[cfg(test)]
mod tests;
