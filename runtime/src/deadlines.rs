//! The index of the deadlines that are pending: which of them are over, and when the next one is.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Partition;
use event_store::Entry;
use jiff::{SignedDuration, Timestamp};

use crate::input::PendingDeadline;

/// The pending deadlines of the streams of one kind, as their log tells of them.
#[derive(Debug, Default)]
pub struct DeadlineIndex {
    /// By partition, instance and name.
    pending: BTreeMap<(Partition, String, String), PendingDeadline>,
    /// Those that have not been reported as over, the next one first.
    queue: BTreeSet<(Timestamp, Partition, String, String)>,
}

impl DeadlineIndex {
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

    /// Takes in what was saved.
    pub(crate) fn insert(&mut self, partition: Partition, deadline: PendingDeadline) {
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

    /// Takes out all of one partition.
    pub(crate) fn remove_all(&mut self, partition: Partition) {
        self.pending.retain(|(of, ..), _| *of != partition);
        self.queue.retain(|(_, of, ..)| *of != partition);
    }

    /// Takes out of the queue what is over at `now` and has been for as long as others are given to report
    /// it, at most `max`. It stays pending until the log says otherwise.
    pub fn take_due(
        &mut self,
        now: Timestamp,
        max: usize,
        patience: impl Fn(Partition) -> SignedDuration,
    ) -> Vec<PendingDeadline> {
        let over = self.queue.iter().take_while(|next| next.0 <= now);
        let over = over.filter(|next| now.duration_since(next.0) >= patience(next.1));
        let due: Vec<_> = over.take(max).cloned().collect();
        for next in &due {
            self.queue.remove(next);
        }
        let pending = due
            .into_iter()
            .filter_map(|(_, partition, instance, name)| {
                self.pending.get(&(partition, instance, name)).cloned()
            });
        pending.collect()
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

    /// Whether none is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// When the next of those that have not been reported is to be.
    pub fn next_due(&self, patience: impl Fn(Partition) -> SignedDuration) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for (due, partition, ..) in &self.queue {
            if next.is_some_and(|next| next <= *due) {
                break;
            }
            let at = due.checked_add(patience(*partition)).unwrap_or(*due);
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        next
    }

    /// What to save of one partition.
    pub(crate) fn of(&self, partition: Partition) -> Vec<&PendingDeadline> {
        self.pending
            .iter()
            .filter(|((p, ..), _)| *p == partition)
            .map(|(_, d)| d)
            .collect()
    }
}
