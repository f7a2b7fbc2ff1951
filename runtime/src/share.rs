//! Which part of a service's work this instance sees to, when several run.
//!
//! Each of them follows the whole log and knows every deadline. What an instance has stored it publishes
//! itself, and it reports the deadlines of the partitions that it receives. What others see to it leaves
//! to them for a while, and does it itself where they do not: they may be gone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::{MessageId, Partition};
use event_store::Append;
use tokio::time::Instant;

/// How long others are given for what they see to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// What was last seen longer ago than this says nothing of who is at work now.
const SEEN_FOR: Duration = Duration::from_secs(60);

/// How many of the entries that were stored last are known by their ids.
pub(crate) const MOST_STORED: usize = 32_768;

/// What the parts of one instance know of who does what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The entries that this instance has stored, and that its relay has not met yet.
    unmet: HashSet<MessageId>,
    /// The order in which they were noted, and some that are no longer among them.
    noted: VecDeque<MessageId>,
    /// Whether what is not among them was stored by somebody else: not at the start, and not after so
    /// many that some were forgotten, until all that there was by then is met.
    complete: bool,
    /// When something was last received for a partition.
    received: HashMap<Partition, Instant>,
    /// When an entry of another instance was last met.
    others: Option<Instant>,
}

impl Share {
    /// Notes entries that are about to be stored: the relay may meet them before the store has answered.
    pub(crate) fn stores(&self, appends: &[Append]) {
        let mut known = self.known();
        let entries = appends.iter().flat_map(|append| &append.entries);
        for id in entries.map(|entry| entry.id) {
            known.unmet.insert(id);
            known.noted.push_back(id);
        }
        while known.noted.len() > MOST_STORED
            && let Some(oldest) = known.noted.pop_front()
        {
            if known.unmet.remove(&oldest) {
                known.complete = false;
            }
        }
    }

    /// Forgets entries of which it is not known that they were stored by this instance.
    pub(crate) fn did_not_store(&self, append: &Append) {
        let mut known = self.known();
        for entry in &append.entries {
            known.unmet.remove(&entry.id);
        }
    }

    /// Whether this instance publishes an entry that its relay meets: one that it has stored, and each
    /// while it does not know which these are.
    pub(crate) fn publishes(&self, id: MessageId) -> bool {
        let mut known = self.known();
        if known.unmet.remove(&id) || !known.complete {
            return true;
        }
        known.others = Some(Instant::now());
        false
    }

    /// The relay has met all that there was.
    pub(crate) fn met_all(&self) {
        self.known().complete = true;
    }

    /// Notes that something was received for these partitions.
    pub(crate) fn receives(&self, partitions: impl Iterator<Item = Partition>) {
        let now = Instant::now();
        let mut known = self.known();
        known.received.extend(partitions.map(|p| (p, now)));
    }

    /// How long others are given for what concerns a partition: none where it is received here, or nobody
    /// else is at work.
    pub(crate) fn patience(&self, partition: Partition) -> Duration {
        let known = self.known();
        let lately = |at: Option<&Instant>| at.is_some_and(|at| at.elapsed() < SEEN_FOR);
        let theirs = lately(known.others.as_ref()) && !lately(known.received.get(&partition));
        if theirs { PATIENCE } else { Duration::ZERO }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use event_store::{NewEntry, StreamKind, StreamName, Version};
    use jiff::Timestamp;

    use super::*;

    fn id(number: usize) -> MessageId {
        MessageId::derive(&[&number.to_string()])
    }

    fn append(numbers: std::ops::Range<usize>) -> Append {
        let entry = |number| NewEntry::unreadable(id(number), "Any", Timestamp::UNIX_EPOCH, "any");
        Append {
            stream: StreamName::new("A", &StreamKind::new("Process")),
            expected: Version(0),
            entries: numbers.map(entry).collect(),
        }
    }

    #[test]
    fn an_instance_publishes_what_it_stores() {
        let share = Share::default();
        share.met_all();
        share.stores(&[append(0..2), append(2..4)]);
        share.did_not_store(&append(2..4));
        let published: Vec<_> = (0..5).filter(|n| share.publishes(id(*n))).collect();
        assert_eq!(published, [0, 1]);
    }

    #[test]
    fn until_it_has_met_all_that_there_was_it_publishes_everything() {
        let share = Share::default();
        assert!(share.publishes(id(0)));
        assert_eq!(share.patience(Partition(0)), Duration::ZERO);
        share.met_all();
        assert!(!share.publishes(id(0)));
    }

    #[test]
    fn where_it_has_forgotten_what_it_stored_it_publishes_everything() {
        let share = Share::default();
        share.met_all();
        share.stores(&[append(0..MOST_STORED)]);
        assert!(!share.publishes(id(MOST_STORED)));
        share.stores(&[append(MOST_STORED..MOST_STORED + 1)]);
        assert!(share.publishes(id(0)), "it is forgotten");
        assert!(share.publishes(id(MOST_STORED)));
        share.met_all();
        assert!(!share.publishes(id(0)));
        // What the relay has met is not missed.
        assert!((1..MOST_STORED).all(|number| share.publishes(id(number))));
        share.stores(&[append(MOST_STORED + 1..2 * MOST_STORED)]);
        assert!(!share.publishes(id(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_given_time_where_they_are_at_work_and_nothing_is_received() {
        let share = Share::default();
        share.met_all();
        let patience = || [0, 1].map(|n| share.patience(Partition(n)));
        share.stores(&[append(0..1)]);
        assert!(share.publishes(id(0)));
        assert_eq!(patience(), [Duration::ZERO; 2], "nobody else is there");
        assert!(!share.publishes(id(1)));
        assert_eq!(patience(), [PATIENCE; 2]);
        share.receives([Partition(1)].into_iter());
        assert_eq!(patience(), [PATIENCE, Duration::ZERO]);
        tokio::time::advance(SEEN_FOR / 2).await;
        assert!(!share.publishes(id(2)));
        tokio::time::advance(SEEN_FOR / 2).await;
        assert_eq!(patience(), [PATIENCE; 2], "it receives it no more");
        tokio::time::advance(SEEN_FOR / 2).await;
        assert_eq!(patience(), [Duration::ZERO; 2], "the others are gone");
    }
}
