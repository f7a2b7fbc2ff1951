//! Which part of a service's work this instance sees to, when several run.
//!
//! What an instance has stored it publishes itself, and it reports the deadlines of the partitions that it
//! receives. What others see to it leaves to them for a while, and does it itself where they do not: they
//! may be gone. A partition that others alone have to do with it does not even follow, as long as they get
//! on with it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::{MessageId, Partition, Partitions};
use event_store::{Append, Cursor, Position};
use tokio::time::Instant;

/// How long others are given for what they see to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// What was last seen longer ago than this says nothing of who is at work now.
const SEEN_FOR: Duration = Duration::from_secs(60);

/// How many of the entries that were stored last are known by their ids.
pub(crate) const MOST_STORED: usize = 32_768;

/// What the parts of one instance know of who does what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share {
    partitions: Partitions,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// The entries that this instance has stored, and that its relay has not met yet.
    unmet: BTreeMap<Partition, HashSet<MessageId>>,
    /// The order in which they were noted, and some that are no longer among them.
    noted: VecDeque<(Partition, MessageId)>,
    /// Whether what is not among them was stored by somebody else: not at the start, and not after so
    /// many that some were forgotten, until all that there was by then is met.
    complete: bool,
    /// When something was last received for a partition.
    received: HashMap<Partition, Instant>,
    /// When something was last stored in a partition.
    stored: HashMap<Partition, Instant>,
    /// When another instance was last met, by an entry or by what it has published.
    others: Option<Instant>,
    /// When others were last seen to publish what stands in a partition, and up to where all is published.
    getting_on: BTreeMap<Partition, (Instant, Position)>,
}

impl Share {
    pub(crate) fn new(partitions: Partitions) -> Self {
        Self {
            partitions,
            known: Arc::default(),
        }
    }

    /// Notes entries that are about to be stored: the relay may meet them before the store has answered.
    pub(crate) fn stores(&self, appends: &[Append]) {
        let now = Instant::now();
        let mut known = self.known();
        for append in appends {
            let partition = self.partitions.of(append.stream.instance());
            known.stored.insert(partition, now);
            for entry in &append.entries {
                known.unmet.entry(partition).or_default().insert(entry.id);
                known.noted.push_back((partition, entry.id));
            }
        }
        while known.noted.len() > MOST_STORED
            && let Some((partition, oldest)) = known.noted.pop_front()
        {
            if known.meet(partition, oldest) {
                known.complete = false;
            }
        }
    }

    /// Forgets entries of which it is not known that they were stored by this instance.
    pub(crate) fn did_not_store(&self, append: &Append) {
        let partition = self.partitions.of(append.stream.instance());
        let mut known = self.known();
        for entry in &append.entries {
            known.meet(partition, entry.id);
        }
    }

    /// Whether this instance publishes an entry that its relay meets: one that it has stored, and each
    /// while it does not know which these are.
    pub(crate) fn publishes(&self, partition: Partition, id: MessageId) -> bool {
        let mut known = self.known();
        if known.meet(partition, id) || !known.complete {
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
    pub(crate) fn receives<'a>(&self, instances: impl Iterator<Item = &'a str>) {
        let now = Instant::now();
        let mut known = self.known();
        let partitions = instances.map(|instance| self.partitions.of(instance));
        known.received.extend(partitions.map(|p| (p, now)));
    }

    /// Notes that others have published more of a partition, and up to where all of it is published.
    pub(crate) fn others_publish(&self, partition: Partition, all: Position) {
        let now = Instant::now();
        let mut known = self.known();
        known.others = Some(now);
        known.getting_on.insert(partition, (now, all));
    }

    /// The partitions that a relay need not follow now, since others get on with them, and up to where they
    /// have published all: this instance neither receives them nor has stored anything there lately, or what it
    /// has not met yet.
    pub(crate) fn left(&self) -> Cursor {
        self.left_if(|known, partition| {
            let unmet = known.unmet.get(&partition);
            !lately(known.stored.get(&partition)) && unmet.is_none_or(HashSet::is_empty)
        })
    }

    /// The partitions that are not received here, and that others get on with, whoever stores there: the index
    /// of their deadlines should be of no use here.
    pub(crate) fn left_to_receivers(&self) -> Cursor {
        self.left_if(|_, _| true)
    }

    fn left_if(&self, is_left: impl Fn(&Known, Partition) -> bool) -> Cursor {
        let known = self.known();
        if !known.complete {
            return Cursor::default();
        }
        let left = known.getting_on.iter().filter(|(partition, (at, _))| {
            at.elapsed() < PATIENCE
                && !lately(known.received.get(*partition))
                && is_left(&known, **partition)
        });
        left.map(|(partition, (_, all))| (*partition, *all))
            .collect()
    }

    /// How long others are given for what concerns a partition: none where it is received here, or nobody
    /// else is at work.
    pub(crate) fn patience(&self, partition: Partition) -> Duration {
        let known = self.known();
        let theirs = lately(known.others.as_ref()) && !lately(known.received.get(&partition));
        if theirs { PATIENCE } else { Duration::ZERO }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes an entry out of those that are to be met; whether it was one of them.
    fn meet(&mut self, partition: Partition, id: MessageId) -> bool {
        let unmet = self.unmet.get_mut(&partition);
        unmet.is_some_and(|unmet| unmet.remove(&id))
    }
}

fn lately(at: Option<&Instant>) -> bool {
    at.is_some_and(|at| at.elapsed() < SEEN_FOR)
}

#[cfg(test)]
mod tests {
    use event_store::{NewEntry, StreamKind, StreamName, Version};
    use jiff::Timestamp;

    use super::*;

    fn id(number: usize) -> MessageId {
        MessageId::derive(&[&number.to_string()])
    }

    /// All of them are entries of the same instance.
    fn publishes(share: &Share, id: MessageId) -> bool {
        share.publishes(share.partitions.of("A"), id)
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
        let published: Vec<_> = (0..5).filter(|n| publishes(&share, id(*n))).collect();
        assert_eq!(published, [0, 1]);
    }

    #[test]
    fn until_it_has_met_all_that_there_was_it_publishes_everything() {
        let share = Share::default();
        assert!(publishes(&share, id(0)));
        assert_eq!(share.patience(Partition(0)), Duration::ZERO);
        share.met_all();
        assert!(!publishes(&share, id(0)));
    }

    #[test]
    fn where_it_has_forgotten_what_it_stored_it_publishes_everything() {
        let share = Share::default();
        share.met_all();
        share.stores(&[append(0..MOST_STORED)]);
        assert!(!publishes(&share, id(MOST_STORED)));
        share.stores(&[append(MOST_STORED..MOST_STORED + 1)]);
        assert!(publishes(&share, id(0)), "it is forgotten");
        assert!(publishes(&share, id(MOST_STORED)));
        share.met_all();
        assert!(!publishes(&share, id(0)));
        // What the relay has met is not missed.
        assert!((1..MOST_STORED).all(|number| publishes(&share, id(number))));
        share.stores(&[append(MOST_STORED + 1..2 * MOST_STORED)]);
        assert!(!publishes(&share, id(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_given_time_where_they_are_at_work_and_nothing_is_received() {
        let share = Share::default();
        share.met_all();
        let patience = || [0, 1].map(|n| share.patience(Partition(n)));
        share.stores(&[append(0..1)]);
        assert!(publishes(&share, id(0)));
        assert_eq!(patience(), [Duration::ZERO; 2], "nobody else is there");
        assert!(!publishes(&share, id(1)));
        assert_eq!(patience(), [PATIENCE; 2]);
        let instance = (0..9)
            .map(|n: u8| n.to_string())
            .find(|it| share.partitions.of(it) == Partition(1));
        share.receives(instance.as_deref().into_iter());
        assert_eq!(patience(), [PATIENCE, Duration::ZERO]);
        tokio::time::advance(SEEN_FOR / 2).await;
        assert!(!publishes(&share, id(2)));
        tokio::time::advance(SEEN_FOR / 2).await;
        assert_eq!(patience(), [PATIENCE; 2], "it receives it no more");
        tokio::time::advance(SEEN_FOR / 2).await;
        assert_eq!(patience(), [Duration::ZERO; 2], "the others are gone");
    }
}
